//! The values that applications give a date cursor.

/// How a row version gets its stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    /// When its transaction began: the usual default of a column.
    Begin,
    /// When it was written.
    Clock,
    /// The begin in whole milliseconds, as many drivers and ORMs have it.
    Millisecond,
    /// The time of writing in tenths of a second: many rows share one value.
    Tenth,
    Null,
    Infinity,
    MinusInfinity,
    /// Drawn from a sequence: no time at all.
    Sequence,
}

impl Stamp {
    pub(super) fn draw(random: &mut fastrand::Rng) -> Self {
        match random.u8(..100) {
            0..40 => Self::Begin,
            40..65 => Self::Clock,
            65..80 => Self::Millisecond,
            80..93 => Self::Tenth,
            93..98 => Self::Null,
            98 => Self::Infinity,
            _ => Self::MinusInfinity,
        }
    }

    /// The expression that a statement sets the cursor to.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Begin => "now()",
            Self::Clock => "clock_timestamp()",
            Self::Millisecond => "date_trunc('milliseconds', now())",
            Self::Tenth => "to_timestamp(floor(extract(epoch FROM clock_timestamp())::numeric * 10) / 10)",
            Self::Null => "NULL",
            Self::Infinity => "'infinity'",
            Self::MinusInfinity => "'-infinity'",
            Self::Sequence => "DEFAULT",
        }
    }

    /// Whether a window from one instant to another can ever hold it.
    pub(super) fn is_finite(self) -> bool {
        !matches!(self, Self::Null | Self::Infinity | Self::MinusInfinity)
    }
}

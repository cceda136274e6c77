//! Where a table's bytes lie. A row whose long values are stored out of line takes as little of a block as any
//! other, so that one block of them may hold as much as a thousand others.

use crate::source::postgres::answer::{Row, Rows, ask};
use crate::source::postgres::discover::Leaf;
use crate::source::postgres::layout::Layout;
use crate::source::postgres::plan::quote_identifier;

/// Most blocks that are looked at, about: enough to cut by, and looked at within moments.
const MOST_BLOCKS: u64 = 4096;
/// Of a table, one block for so many of its bytes: to look shall be little beside reading.
const BYTES_PER_BLOCK: u64 = 64 << 10;
/// The usual size of a block.
const BLOCK_BYTES: u64 = 8192;

/// A row of fewer bytes has nothing out of line, or next to nothing.
const LONG_BYTES: u64 = 1000;

/// Bytes of the long rows in some blocks, by the block's number and in its order. All blocks have short ones.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Weights(Vec<(u64, u64)>);

impl Weights {
    /// Whether the blocks alone don't tell where the bytes lie: most are out of line.
    pub(super) fn matter(leaf: &Leaf) -> bool {
        leaf.bytes > super::SMALL_BYTES && leaf.bytes / 2 > leaf.pages.saturating_mul(BLOCK_BYTES)
    }

    /// Looks at some blocks of a table, and not at what is out of line: only at its size. None where the server
    /// can't tell; then blocks count alike.
    pub(super) async fn ask(client: &tokio_postgres::Client, leaf: &Leaf, layout: &Layout) -> Option<Self> {
        let blocks = (leaf.bytes / BYTES_PER_BLOCK).clamp(1, MOST_BLOCKS);
        let sql = sql(leaf, layout, blocks);
        let answer = ask(client, "could not ask where a table's bytes lie", &sql).await;
        let rows = answer.inspect_err(|error| tracing::debug!("parts are cut by blocks: {error:#}")).ok()?;
        // A block that was looked at stands for several.
        Self::read(rows.first()?, leaf.pages.div_ceil(blocks))
    }

    fn read(rows: &Rows, times: u64) -> Option<Self> {
        let weight = |row: &Row| Some((row.number(0)?, row.number::<u64>(1)?.saturating_mul(times)));
        let weights: Vec<(u64, u64)> = rows.iter().map(weight).collect::<Option<_>>()?;
        (!weights.is_empty()).then_some(Self(weights))
    }

    /// Cuts `pages` blocks into about `count` ranges of about as many bytes: the block that each one begins with,
    /// and its share of the bytes in thousandths.
    pub(super) fn cut(&self, pages: u64, count: u64) -> Vec<(u64, u64)> {
        let long: u128 = self.0.iter().map(|(_, bytes)| u128::from(*bytes)).sum();
        let all = (long + u128::from(pages) * u128::from(BLOCK_BYTES)).max(1);
        let wanted = all.div_ceil(u128::from(count.max(1)));
        let mut ranges = Vec::new();
        let (mut first, mut own) = (0, 0_u128);
        let mut weights = self.0.iter().peekable();
        for block in 0..pages {
            let long = weights.next_if(|(at, _)| *at == block).map_or(0, |(_, bytes)| *bytes);
            let weight = u128::from(BLOCK_BYTES) + u128::from(long);
            // Whichever is nearer: without a heavy block or with it.
            if own >= wanted / 4 && own + weight > wanted && own + weight - wanted > wanted - own {
                ranges.push((first, thousandths(own, all)));
                (first, own) = (block, 0);
            }
            own += weight;
            if own >= wanted && block + 1 < pages {
                ranges.push((first, thousandths(own, all)));
                (first, own) = (block + 1, 0);
            }
        }
        ranges.push((first, thousandths(own, all)));
        ranges
    }
}

fn thousandths(part: u128, all: u128) -> u64 {
    u64::try_from(part * 1000 / all).unwrap_or(1000)
}

fn sql(leaf: &Leaf, layout: &Layout, blocks: u64) -> String {
    let sizes: Vec<String> = layout
        .columns
        .iter()
        .map(|column| format!("coalesce(pg_column_size({}), 0)::int8", quote_identifier(column.name())))
        .collect();
    let size = if sizes.is_empty() { "0".to_owned() } else { sizes.join(" + ") };
    // Whole blocks, and the same each time.
    let sample = if leaf.pages > blocks {
        format!(" TABLESAMPLE SYSTEM ({}) REPEATABLE (0)", percent(blocks, leaf.pages))
    } else {
        String::new()
    };
    // Nothing but its text tells the block of a row, which costs: so it is asked of few.
    format!(
        "SELECT (ctid::text::point)[0]::int8, sum({size})::int8 FROM ONLY {}{sample} \
         WHERE {size} >= {LONG_BYTES} GROUP BY 1 ORDER BY 1",
        leaf.qualified()
    )
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn percent(part: u64, all: u64) -> f64 {
    part as f64 * 100.0 / all as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(ranges: &[(u64, u64)]) -> Vec<u64> {
        ranges.iter().map(|(first, _)| *first).collect()
    }

    #[test]
    fn blocks_of_equal_weight_are_cut_into_equal_ranges() {
        let even = Weights((0..100).map(|block| (block, 7)).collect());
        assert_eq!(even.cut(100, 4), [(0, 250), (25, 250), (50, 250), (75, 250)]);
        assert_eq!(firsts(&Weights(Vec::new()).cut(100, 4)), [0, 25, 50, 75]);
    }

    #[test]
    fn a_heavy_end_is_cut_and_the_light_beginning_is_one_range() {
        let heavy = Weights((90..100).map(|block| (block, 1 << 20)).collect());
        let ranges = heavy.cut(100, 5);
        assert_eq!(firsts(&ranges), [0, 91, 93, 95, 97, 99]);
        assert!(ranges.iter().all(|(_, share)| (90..=230).contains(share)), "{ranges:?}");
    }

    #[test]
    fn the_short_rows_of_all_blocks_have_their_weight() {
        // As many bytes in one block as in all others.
        let half = Weights(vec![(99, 99 * BLOCK_BYTES)]);
        assert_eq!(half.cut(100, 4), [(0, 251), (50, 246), (99, 502)]);
    }

    #[test]
    fn one_block_is_never_cut_and_nothing_follows_the_last() {
        let one = Weights(vec![(0, 9 << 20)]);
        assert_eq!(one.cut(1, 8), [(0, 1000)]);
        assert_eq!(firsts(&one.cut(2, 8)), [0, 1]);
        assert_eq!(firsts(&Weights(vec![(1, 9 << 20)]).cut(2, 2)), [0]);
        assert_eq!(one.cut(0, 8), [(0, 0)]);
    }

    #[test]
    fn a_table_counts_as_out_of_line_where_most_of_it_is() {
        let leaf = |bytes| super::super::tests::sized(1000, bytes);
        assert!(!Weights::matter(&leaf(1000 * BLOCK_BYTES)));
        assert!(!Weights::matter(&leaf(1500 * BLOCK_BYTES)));
        assert!(Weights::matter(&leaf(3000 * BLOCK_BYTES)));
    }
}

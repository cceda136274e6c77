//! Where a table's bytes lie. A row whose long values are stored out of line takes as little of a block as any
//! other, so that one block of them may hold as much as a thousand others.

use crate::source::postgres::answer::{Rows, ask};
use crate::source::postgres::discover::Leaf;
use crate::source::postgres::layout::Layout;
use crate::source::postgres::plan::quote_identifier;

/// Most blocks that are looked at, about: enough to cut by, and looked at within moments.
const MOST_BLOCKS: u64 = 4096;
/// Of a table, one block for so many of its bytes: to look shall be little beside reading.
const BYTES_PER_BLOCK: u64 = 64 << 10;
/// The usual size of a block.
const BLOCK_BYTES: u64 = 8192;

/// Bytes of the rows in some blocks, by the block's number.
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
        let answer = ask(client, "could not ask where a table's bytes lie", &sql(leaf, layout)).await;
        let rows = answer.inspect_err(|error| tracing::debug!("parts are cut by blocks: {error:#}")).ok()?;
        Self::read(rows.first()?)
    }

    fn read(rows: &Rows) -> Option<Self> {
        let weights: Vec<(u64, u64)> =
            rows.iter().map(|row| Some((row.number(0)?, row.number(1)?))).collect::<Option<_>>()?;
        weights.iter().any(|(_, bytes)| *bytes > 0).then_some(Self(weights))
    }

    /// Cuts `pages` blocks into up to `count` ranges of about as many bytes: the block that each one begins with,
    /// and its share of the bytes in thousandths.
    pub(super) fn cut(&self, pages: u64, count: u64) -> Vec<(u64, u64)> {
        let all = self.0.iter().map(|(_, bytes)| u128::from(*bytes)).sum::<u128>().max(1);
        let mut ranges = Vec::new();
        let (mut first, mut own) = (0, 0_u128);
        for (block, bytes) in &self.0 {
            own += u128::from(*bytes);
            if own * u128::from(count) >= all && block + 1 < pages {
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

fn sql(leaf: &Leaf, layout: &Layout) -> String {
    let sizes: Vec<String> = layout
        .columns
        .iter()
        .map(|column| format!("coalesce(pg_column_size({}), 0)", quote_identifier(column.name())))
        .collect();
    // Whole blocks, and the same each time.
    let blocks = (leaf.bytes / BYTES_PER_BLOCK).min(MOST_BLOCKS);
    let sample = if leaf.pages > blocks {
        format!(" TABLESAMPLE SYSTEM ({}) REPEATABLE (0)", percent(blocks, leaf.pages))
    } else {
        String::new()
    };
    let size = if sizes.is_empty() { "0".to_owned() } else { sizes.join("::int8 + ") };
    format!(
        "SELECT (ctid::text::point)[0]::int8, sum({size})::int8 FROM ONLY {}{sample} GROUP BY 1 ORDER BY 1",
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

    fn assert_cut(weights: &[(u64, u64)], (pages, count): (u64, u64), ranges: &[(u64, u64)]) {
        assert_eq!(Weights(weights.to_vec()).cut(pages, count), ranges);
    }

    #[test]
    fn blocks_of_equal_weight_are_cut_into_equal_ranges() {
        let even: Vec<(u64, u64)> = (0..100).map(|block| (block, 7)).collect();
        assert_cut(&even, (100, 4), &[(0, 250), (25, 250), (50, 250), (75, 250)]);
    }

    #[test]
    fn a_heavy_end_is_cut_and_the_light_beginning_is_one_range() {
        let mut heavy: Vec<(u64, u64)> = (0..90).map(|block| (block, 1)).collect();
        heavy.extend((90..100).map(|block| (block, 1000)));
        let ranges = Weights(heavy).cut(100, 5);
        assert_eq!(ranges.iter().map(|(first, _)| *first).collect::<Vec<_>>(), [0, 92, 94, 96, 98]);
        assert!(ranges.iter().all(|(_, share)| (190..=210).contains(share)), "{ranges:?}");
    }

    #[test]
    fn one_block_is_never_cut_and_nothing_follows_the_last() {
        assert_cut(&[(0, 9)], (1, 8), &[(0, 1000)]);
        assert_cut(&[(3, 9), (4, 1)], (5, 8), &[(0, 900), (4, 100)]);
        assert_cut(&[(3, 1), (4, 9)], (5, 2), &[(0, 1000)]);
        assert_cut(&[(0, 9), (1, 0), (7, 1)], (9, 4), &[(0, 900), (1, 100)]);
    }

    #[test]
    fn a_table_counts_as_out_of_line_where_most_of_it_is() {
        let leaf = |bytes| super::super::tests::sized(1000, bytes);
        assert!(!Weights::matter(&leaf(1000 * BLOCK_BYTES)));
        assert!(!Weights::matter(&leaf(1500 * BLOCK_BYTES)));
        assert!(Weights::matter(&leaf(3000 * BLOCK_BYTES)));
    }
}

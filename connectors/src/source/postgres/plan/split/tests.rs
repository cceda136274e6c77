use super::*;

/// A table of so many blocks, and of so many bytes with those out of line.
pub(super) fn sized(pages: u64, bytes: u64) -> Leaf {
    Leaf { bytes, ..leaf(1, pages, true) }
}

fn leaf(oid: u32, pages: u64, readable: bool) -> Leaf {
    Leaf {
        oid,
        schema: "public".into(),
        name: format!("leaf{oid}"),
        kind: StreamKind::Table,
        access_method: Some("heap".into()),
        pages,
        bytes: pages * 8192,
        readable,
        file: oid,
    }
}

fn relation(leaves: Vec<Leaf>) -> Relation {
    Relation {
        oid: 1,
        kind: StreamKind::Table,
        schema: "public".into(),
        name: "t".into(),
        columns: Vec::new(),
        primary_key: Vec::new(),
        leaves,
        estimated_rows: None,
        bytes: None,
        indexes: Vec::new(),
        whole: true,
        row_security: false,
        comment: None,
    }
}

fn cut(relation: &Relation, parallelism: usize) -> Vec<Part> {
    let bytes = relation.leaves.iter().map(|leaf| leaf.bytes).sum();
    by_blocks(relation, Sizes { all: bytes, part: part_bytes(bytes, parallelism) }, &HashMap::new())
}

fn blocks(part: &Part) -> (u32, Option<u32>) {
    match part.range {
        None => (0, None),
        Some(Range::Blocks { from, to }) => (from, to),
        Some(Range::Keys { .. }) => panic!("no keys here"),
    }
}

/// Parts that follow on one another from block 0 to the end, whatever that is.
fn assert_covers(parts: &[(u32, Option<u32>)]) {
    assert_eq!(parts.first().unwrap().0, 0);
    assert_eq!(parts.last().unwrap().1, None);
    for pair in parts.windows(2) {
        assert_eq!(pair[0].1, Some(pair[1].0), "{parts:?}");
        assert!(pair[0].0 < pair[1].0, "{parts:?}");
    }
}

#[test]
fn blocks_are_covered_once_and_to_an_open_end() {
    for pages in [0, 1, 2, 3, 7, 1024, 100_000, 5_000_000] {
        for parallelism in [1, 2, 3, 8] {
            let parts = cut(&relation(vec![leaf(1, pages, true)]), parallelism);
            assert_covers(&parts.iter().map(blocks).collect::<Vec<_>>());
            assert!(parts.len() >= parallelism.min(usize::try_from(pages.max(1)).unwrap()), "{pages}");
            assert!(parts.iter().all(|part| part.leaf.is_none()));
        }
    }
}

#[test]
fn each_table_below_is_covered_once() {
    let parts = cut(&relation(vec![leaf(2, 20_000, true), leaf(3, 5, true), leaf(4, 0, true)]), 4);
    for oid in [2, 3, 4] {
        let of_leaf = parts.iter().filter(|part| part.leaf.as_ref().unwrap().oid == oid);
        assert_covers(&of_leaf.map(blocks).collect::<Vec<_>>());
    }
}

#[test]
fn tables_that_only_the_parent_shows_are_cut_alike() {
    let parts = cut(&relation(vec![leaf(2, 20_000, false), leaf(3, 5_000, true), leaf(4, 0, false)]), 4);
    assert!(parts.len() >= 3);
    assert_covers(&parts.iter().map(blocks).collect::<Vec<_>>());
    let largest = parts.iter().filter_map(|part| part.bytes).max().unwrap();
    assert!(largest < 2 * part_bytes(25_000 * 8192, 4), "{largest}");
}

#[test]
fn a_large_table_is_cut_finer_than_there_are_sessions() {
    let pages = 4 << 17; // 4 GiB
    let parts = cut(&relation(vec![leaf(1, pages, true)]), 2);
    assert!((40..50).contains(&parts.len()), "{}", parts.len());
}

#[test]
fn a_small_increment_is_read_by_its_index() {
    let split = |is_whole| Split {
        parts: cut(&relation(vec![leaf(1, 10_000, true)]), 4),
        bytes: Some(8192),
        is_whole,
    };
    let few = Estimate { rows: Some(10), share: 0.001 };
    assert_eq!(split(false).parts(true, &few).len(), 1);
    assert!(split(true).parts(true, &few).len() > 1);
    assert!(split(false).parts(true, &Estimate { rows: Some(10), share: 0.9 }).len() > 1);
    assert_eq!(split(true).parts(false, &few).len(), 1, "without a shared snapshot, it is one");
}

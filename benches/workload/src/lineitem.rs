//! `lineitem` of TPC-H.

use std::fmt::Write;
use std::sync::OnceLock;

use tpchgen::distribution::Distributions;
use tpchgen::generators::LineItemGenerator;
use tpchgen::text::TextPool;

use crate::Scale;

pub(crate) const COLUMNS: &str = "\
  l_orderkey      bigint        NOT NULL,
  l_partkey       bigint        NOT NULL,
  l_suppkey       bigint        NOT NULL,
  l_linenumber    integer       NOT NULL,
  l_quantity      numeric(15,2) NOT NULL,
  l_extendedprice numeric(15,2) NOT NULL,
  l_discount      numeric(15,2) NOT NULL,
  l_tax           numeric(15,2) NOT NULL,
  l_returnflag    char(1)       NOT NULL,
  l_linestatus    char(1)       NOT NULL,
  l_shipdate      date          NOT NULL,
  l_commitdate    date          NOT NULL,
  l_receiptdate   date          NOT NULL,
  l_shipinstruct  char(25)      NOT NULL,
  l_shipmode      char(10)      NOT NULL,
  l_comment       varchar(44)   NOT NULL
";

/// Rows at scale 1.
pub(crate) const ROWS: u64 = 6_001_215;
/// Below this scale there are no parts to refer to.
const LEAST: f64 = 0.0001;
/// The pool of the standard takes 300 MiB. Comments cut from a smaller one are of the same words and lengths.
const POOL_BYTES: i32 = 8 << 20;

pub(crate) fn rows(scale: Scale) -> impl FnMut(&mut String) -> bool + Send {
    static POOL: OnceLock<TextPool> = OnceLock::new();
    let distributions = Distributions::static_default();
    let pool = POOL.get_or_init(|| TextPool::new(POOL_BYTES, distributions));
    let scale = scale.get().max(LEAST);
    let generator = LineItemGenerator::new_with_distributions_and_text_pool(scale, 1, 1, distributions, pool);
    let mut items = generator.iter();
    move |text| {
        let Some(item) = items.next() else { return false };
        let written = writeln!(
            text,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            item.l_orderkey,
            item.l_partkey,
            item.l_suppkey,
            item.l_linenumber,
            item.l_quantity,
            item.l_extendedprice,
            item.l_discount,
            item.l_tax,
            item.l_returnflag,
            item.l_linestatus,
            item.l_shipdate,
            item.l_commitdate,
            item.l_receiptdate,
            item.l_shipinstruct,
            item.l_shipmode,
            item.l_comment,
        );
        written.is_ok()
    }
}

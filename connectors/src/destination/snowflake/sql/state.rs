//! Statements about the row that says where a target stands.

use super::super::name::{Name, literal};

/// Makes the table with its one row, both or neither: of two that do it at once, one finds it done.
pub(in super::super) fn create(name: &Name, table: &Name) -> String {
    let comment = literal(&format!("where {table} stands; written by tidegate with each commit"));
    format!(
        "CREATE TABLE IF NOT EXISTS {name} COMMENT = {comment} AS SELECT 0::NUMBER(38, 0) AS \"SEQUENCE\", \
         NULL::VARCHAR AS \"ID\", NULL::VARCHAR AS \"RECORD\""
    )
}

pub(in super::super) fn read(name: &Name) -> String {
    format!("SELECT \"SEQUENCE\", \"ID\", \"RECORD\" FROM {name}")
}

/// The compare-and-set. Values: the new number, id and record, the number before.
pub(in super::super) fn swap(name: &Name) -> String {
    format!("UPDATE {name} SET \"SEQUENCE\" = ?, \"ID\" = ?, \"RECORD\" = ? WHERE \"SEQUENCE\" = ?")
}

/// Which transaction this is: whoever loses its answer ends it by this number.
pub(in super::super) const CURRENT_TRANSACTION: &str = "SELECT CURRENT_TRANSACTION()";

/// Ends a transaction whose session is gone. `number` is what Snowflake said.
pub(in super::super) fn abort(number: u64) -> String {
    format!("SELECT SYSTEM$ABORT_TRANSACTION({number})")
}

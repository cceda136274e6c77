//! `tidegate schema`: JSON schemas, for editors and for those who read reports.

use engine::{BenchReport, ReconcileReport, Report, VerifyReport};

use crate::args::{ReportOf, Schema};
use crate::config::{Registry, schema};
use crate::output::Answer;

pub(super) fn run(arguments: &Schema) -> Answer {
    match arguments.report {
        Some(ReportOf::Sync) => Answer::json(&Report::schema()),
        Some(ReportOf::Reconcile) => Answer::json(&ReconcileReport::schema()),
        Some(ReportOf::Verify) => Answer::json(&VerifyReport::schema()),
        Some(ReportOf::Bench) => Answer::json(&BenchReport::schema()),
        None => Answer::json(&schema(&Registry::built_in())),
    }
}

//! `tidegate schema`: JSON schemas, for editors and for those who read reports.

use engine::{Report, VerifyReport};

use crate::args::Schema;
use crate::config::{Registry, schema};
use crate::output::Answer;

pub(super) fn run(arguments: &Schema) -> Answer {
    if arguments.report {
        return Answer::json(&Report::schema());
    }
    if arguments.verify {
        return Answer::json(&VerifyReport::schema());
    }
    Answer::json(&schema(&Registry::built_in()))
}

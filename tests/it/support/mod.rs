//! What several folders of tests share.

mod project;

pub(crate) use project::Project;

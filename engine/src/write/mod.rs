//! From batches to Parquet files on a stage.

mod blocks;
mod encode;
mod file;
mod folder;

pub(crate) use file::{FileSettings, FileWriter};
pub(crate) use folder::{Folders, refuse_unfit_column};

//! Where the repository lies, and in it what `tests/setup` installed.

use std::path::{Path, PathBuf};

/// The root of the repository this crate was built in.
pub fn root() -> PathBuf {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR"));
    lab.ancestors().nth(2).expect("the crate lies two levels below the root").to_path_buf()
}

/// A file under `.lab`, where `tests/setup` puts what is not of the operating system.
pub(crate) fn installed(path: &str) -> PathBuf {
    root().join(".lab").join(path)
}

//! How files for Snowflake are cut.

use protocol::{ByteSize, Compression, Error, FileOptions, Result};

/// What is loaded best: 100 to 250 MB, compressed. A file may end a row group later.
const FILE_SIZE: ByteSize = ByteSize::mib(160);
const ROW_GROUP_SIZE: ByteSize = ByteSize::mib(64);
const SMALLEST: ByteSize = ByteSize::mib(1);
/// Beyond it loading in parallel makes no sense any more.
const LARGEST: ByteSize = ByteSize::mib(16 << 10);

/// How files are cut, by the settings of that name where they are set. Fails with `Config` where the
/// numbers can't be meant.
pub(in super::super) fn file_options(
    file_size: Option<ByteSize>,
    row_group_size: Option<ByteSize>,
    compression: Compression,
) -> Result<FileOptions> {
    let (file_size, row_group_size) =
        (file_size.unwrap_or(FILE_SIZE), row_group_size.unwrap_or(ROW_GROUP_SIZE));
    for (name, size) in [("file_size", file_size), ("row_group_size", row_group_size)] {
        if size < SMALLEST || size > LARGEST {
            return Err(Error::config(format!(
                "`{name}` is {size}, it must be between {SMALLEST} and {LARGEST}"
            )));
        }
    }
    Ok(FileOptions {
        target_bytes: file_size.get(),
        row_group_bytes: row_group_size.min(file_size).get(),
        compression,
        folder_by: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_snowflake_loads_best() {
        let options = file_options(None, None, Compression::Zstd).unwrap();
        assert!((100_000_000..250_000_000).contains(&options.target_bytes));
        assert!(options.target_bytes + options.row_group_bytes <= 250_000_000);
        assert_eq!(options.folder_by, None);
        let small = file_options(Some(ByteSize::mib(8)), None, Compression::Snappy).unwrap();
        assert_eq!((small.target_bytes, small.row_group_bytes), (8 << 20, 8 << 20));
        for size in [ByteSize::mib(0), ByteSize::mib(1 << 20)] {
            let error = file_options(Some(size), None, Compression::None).unwrap_err();
            assert!(error.message().contains("`file_size`"), "{error:?}");
        }
    }
}

//! Encoded bytes on their way to a stage.

use std::io::Write;

use bytes::Bytes;

/// Bytes of a block. Stages need not copy so many, and a row group is not there twice while it is handed over.
const BLOCK_BYTES: usize = 1 << 20;

/// Bytes in blocks: they never move when there are more.
#[derive(Default)]
pub(super) struct Blocks {
    full: Vec<Bytes>,
    open: Vec<u8>,
}

impl Blocks {
    /// All there is, in its order.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.close();
        std::mem::take(&mut self.full)
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            self.full.push(std::mem::take(&mut self.open).into());
        }
    }
}

impl Write for Blocks {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.open.capacity() == 0 {
            self.open.reserve_exact(BLOCK_BYTES);
        }
        let room = self.open.capacity() - self.open.len();
        let taken = &bytes[..bytes.len().min(room)];
        self.open.extend_from_slice(taken);
        if taken.len() == room {
            self.close();
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_their_order() {
        let bytes: Vec<u8> = (0..=250).cycle().take(3 * BLOCK_BYTES / 2).collect();
        let mut blocks = Blocks::default();
        blocks.write_all(&bytes[..10]).unwrap();
        assert_eq!(blocks.take().concat(), &bytes[..10]);
        blocks.write_all(&bytes[10..100]).unwrap();
        blocks.write_all(&bytes[100..]).unwrap();
        let taken = blocks.take();
        assert_eq!(taken.concat(), &bytes[10..]);
        assert_eq!(taken[0].len(), BLOCK_BYTES);
        assert!(blocks.take().is_empty());
    }
}

//! Frames inside one lane's stream: a length (u32, little endian) and that many bytes, 1 to 256 KiB. Knows no QUIC.
//!
//! The first byte of a stream names its lane and is read by `link`; everything after it belongs here. Memory grows only with bytes
//! that have arrived, whatever a length promises (S21).

use bytes::{Buf, Bytes, BytesMut};

use crate::limits::{FRAME_BYTES_MAX, FRAME_HEADER_BYTES};

/// A length no honest peer sends. The link is closed, other links live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame of {0} bytes")]
pub(crate) struct FrameFault(pub(crate) u32);

/// Takes bytes as they arrive and gives whole frames.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
}

impl FrameReader {
    /// Adds bytes of the stream, in order.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a whole frame is here.
    pub(crate) fn is_whole(&self) -> Result<bool, FrameFault> {
        let Some(header) = self.buffer.first_chunk::<FRAME_HEADER_BYTES>() else { return Ok(false) };
        let length = u32::from_le_bytes(*header);
        if length == 0 || length as usize > FRAME_BYTES_MAX {
            return Err(FrameFault(length));
        }
        Ok(self.buffer.len() >= FRAME_HEADER_BYTES + length as usize)
    }

    /// The next whole frame, or `None` when more bytes are needed.
    pub(crate) fn poll(&mut self) -> Result<Option<Bytes>, FrameFault> {
        if !self.is_whole()? {
            return Ok(None);
        }
        let bytes = self.buffer.get_u32_le() as usize;
        Ok(Some(self.take(bytes)))
    }

    /// A short frame is copied, so that keeping it does not keep its neighbours' memory.
    fn take(&mut self, bytes: usize) -> Bytes {
        if bytes < COPY_BYTES_MAX {
            let frame = Bytes::copy_from_slice(&self.buffer[..bytes]);
            self.buffer.advance(bytes);
            frame
        } else {
            self.buffer.split_to(bytes).freeze()
        }
    }
}

/// The length that precedes a frame of `bytes` bytes.
pub(crate) fn header(bytes: usize) -> Bytes {
    debug_assert!(bytes <= FRAME_BYTES_MAX);
    Bytes::copy_from_slice(&(bytes as u32).to_le_bytes())
}

const COPY_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(frames: &[&[u8]]) -> Vec<u8> {
        frames.iter().flat_map(|frame| [&header(frame.len())[..], frame].concat()).collect()
    }

    #[test]
    fn frames_survive_any_split() {
        let long = vec![7; 10_000];
        let bytes = framed(&[b"a", b"stock", &long]);
        for step in [1, 3, 1000, bytes.len()] {
            let (mut reader, mut frames) = (FrameReader::default(), Vec::new());
            for chunk in bytes.chunks(step) {
                reader.push(chunk);
                while let Some(frame) = reader.poll().unwrap() {
                    frames.push(frame);
                }
            }
            assert!(reader.buffer.is_empty());
            assert_eq!(frames, [&b"a"[..], b"stock", &long]);
        }
    }

    #[test]
    fn impossible_lengths_are_refused_before_any_memory_is_taken() {
        for length in [0, FRAME_BYTES_MAX as u32 + 1, u32::MAX] {
            let mut reader = FrameReader::default();
            reader.push(&length.to_le_bytes());
            assert_eq!(reader.poll(), Err(FrameFault(length)));
        }
        let mut reader = FrameReader::default();
        reader.push(&(FRAME_BYTES_MAX as u32).to_le_bytes());
        assert_eq!(reader.poll(), Ok(None));
        assert!(reader.buffer.capacity() < 1024);
    }
}

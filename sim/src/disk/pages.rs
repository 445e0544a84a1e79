//! The bytes of a file in pages that copies share until one of them is written to: a crash image costs its pointers.

use std::sync::Arc;

/// A file's bytes.
#[derive(Clone)]
pub struct Pages {
    len: usize,
    pages: Vec<Arc<Page>>,
    /// What was never written, shared by all.
    blank: Arc<Page>,
}

type Page = [u8; PAGE_BYTES];

impl Default for Pages {
    fn default() -> Self {
        Self { len: 0, pages: Vec::new(), blank: Arc::new([0; PAGE_BYTES]) }
    }
}

impl Pages {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True for a file without bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Pages that hold something: what a sparse file takes on its disk.
    pub fn allocated(&self) -> usize {
        self.pages.iter().filter(|page| !Arc::ptr_eq(page, &self.blank)).count()
    }

    /// True where nothing was ever written.
    pub fn is_blank(&self, offset: usize) -> bool {
        self.pages.get(offset / PAGE_BYTES).is_none_or(|page| Arc::ptr_eq(page, &self.blank))
    }

    /// Cuts the end off, or adds zeros.
    pub fn resize(&mut self, len: usize) {
        self.pages.resize(len.div_ceil(PAGE_BYTES), self.blank.clone());
        let inside = len % PAGE_BYTES;
        if len < self.len
            && inside > 0
            && let Some(last) = self.pages.last_mut()
        {
            Arc::make_mut(last)[inside..].fill(0);
        }
        self.len = len;
    }

    /// Fills `out`. `None` if that is not all inside of the file.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> Option<()> {
        self.inside(offset, out.len())?;
        let mut done = 0;
        for (page, from, to) in spans(offset, out.len()) {
            out[done..done + to - from].copy_from_slice(&self.pages[page][from..to]);
            done += to - from;
        }
        Some(())
    }

    /// Takes `bytes`. `None` if that is not all inside of the file.
    pub fn write(&mut self, offset: usize, bytes: &[u8]) -> Option<()> {
        self.inside(offset, bytes.len())?;
        let mut done = 0;
        for (page, from, to) in spans(offset, bytes.len()) {
            Arc::make_mut(&mut self.pages[page])[from..to].copy_from_slice(&bytes[done..done + to - from]);
            done += to - from;
        }
        Some(())
    }

    /// Turns one bit over. Nothing happens outside of the file.
    pub fn flip(&mut self, offset: usize, bit: u8) {
        if offset < self.len {
            Arc::make_mut(&mut self.pages[offset / PAGE_BYTES])[offset % PAGE_BYTES] ^= 1 << (bit % 8);
        }
    }

    fn inside(&self, offset: usize, len: usize) -> Option<()> {
        (offset.checked_add(len)? <= self.len).then_some(())
    }
}

/// (page, from, to) of each piece of a range.
fn spans(offset: usize, len: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let end = offset + len;
    let mut at = offset;
    std::iter::from_fn(move || {
        let from = at % PAGE_BYTES;
        let to = PAGE_BYTES.min(from + end - at);
        let span = (at < end).then_some((at / PAGE_BYTES, from, to));
        at += to - from;
        span
    })
}

/// The store's own page, so that most writes take one.
pub const PAGE_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_hold_what_a_plain_file_would() {
        let (mut pages, mut plain) = (Pages::default(), Vec::new());
        for (step, len) in [(1, 10_000), (2, 5_000), (3, 4_096), (4, 9_000), (5, 0), (6, 100)] {
            pages.resize(len);
            plain.resize(len, 0);
            let (from, to) = (len / 3, len - len / 5);
            pages.write(from, &vec![step; to - from]).unwrap();
            plain[from..to].fill(step);
            let mut read = vec![9; len];
            pages.read(0, &mut read).unwrap();
            assert_eq!(read, plain);
            assert!(pages.write(len - len / 9, &vec![1; len / 9 + 1]).is_none(), "outside");
        }
    }

    #[test]
    fn copies_part_when_one_is_written() {
        let mut first = Pages::default();
        first.resize(3 * PAGE_BYTES);
        assert_eq!(first.allocated(), 0);
        first.write(PAGE_BYTES, &[1; 10]).unwrap();
        let mut second = first.clone();
        second.flip(PAGE_BYTES, 3);
        let (mut a, mut b) = ([0], [0]);
        first.read(PAGE_BYTES, &mut a).unwrap();
        second.read(PAGE_BYTES, &mut b).unwrap();
        assert_eq!((a, b), ([1], [9]));
        assert_eq!((first.allocated(), first.is_blank(0), first.is_blank(PAGE_BYTES)), (1, true, false));
    }
}

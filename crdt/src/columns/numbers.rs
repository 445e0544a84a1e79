//! The numbers of one column in the shortest of six forms.
//!
//! | form | written as |
//! |---|---|
//! | 0 plain | varints |
//! | 1 delta | zigzag varints of the differences, the first from 0 |
//! | 2 steps | pairs (how many, difference) |
//! | 3 constant | one varint, as often as it is asked for |
//! | 4 palette | how many values less one, the values, then each number's place among them in as few bits as that needs |
//! | 5 packed | the smallest number, bits per number, then each number less the smallest in so many bits |
//!
//! Bits are filled from the lowest; what is left of the last byte is 0. Left out, because it saved less than 0.4% on real
//! sales: runs of (how many, value).

use std::collections::BTreeMap;

use crate::codec::{DecodeError, put_varint, take_varint, unzigzag, varint_len, zigzag};

/// How a column's numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Plain = 0,
    Delta = 1,
    Steps = 2,
    Constant = 3,
    Palette = 4,
    Packed = 5,
}

impl Form {
    /// The form with this number.
    pub fn of(number: u64) -> Option<Self> {
        const ALL: [Form; 6] = [Form::Plain, Form::Delta, Form::Steps, Form::Constant, Form::Palette, Form::Packed];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// Writes numbers in their shortest form.
pub fn encode(numbers: &[u64]) -> (Form, Vec<u8>) {
    let mut out = Vec::new();
    let Some((&first, rest)) = numbers.split_first() else { return (Form::Plain, out) };
    if rest.iter().all(|&number| number == first) {
        put_varint(&mut out, first);
        return (Form::Constant, out);
    }
    let (palette, packing) = (palette(numbers), Packing::of(numbers));
    let sizes = [
        (Form::Plain, numbers.iter().map(|&n| varint_len(n)).sum()),
        (Form::Delta, deltas(numbers).map(varint_len).sum()),
        (Form::Steps, steps(numbers).map(|(n, step)| varint_len(n) + varint_len(step)).sum()),
        (Form::Palette, palette.as_ref().map_or(usize::MAX, |values| palette_len(values, numbers.len()))),
        (Form::Packed, packing.len(numbers.len())),
    ];
    let (form, _) = sizes.into_iter().min_by_key(|&(_, len)| len).expect("five forms were compared");
    match (form, palette) {
        (Form::Delta, _) => deltas(numbers).for_each(|step| put_varint(&mut out, step)),
        (Form::Steps, _) => steps(numbers).for_each(|(count, step)| {
            put_varint(&mut out, count);
            put_varint(&mut out, step);
        }),
        (Form::Palette, Some(values)) => write_palette(&mut out, &values, numbers),
        (Form::Packed, _) => packing.write(&mut out, numbers),
        (Form::Plain | Form::Constant | Form::Palette, _) => numbers.iter().for_each(|&n| put_varint(&mut out, n)),
    }
    (form, out)
}

fn deltas(numbers: &[u64]) -> impl Iterator<Item = u64> + '_ {
    numbers.iter().scan(0u64, |last, &n| {
        let step = n.wrapping_sub(*last) as i64;
        *last = n;
        Some(zigzag(step))
    })
}

/// Equal differences, counted.
fn steps(numbers: &[u64]) -> impl Iterator<Item = (u64, u64)> {
    let mut deltas = deltas(numbers).peekable();
    std::iter::from_fn(move || {
        let step = deltas.next()?;
        let mut count = 1;
        while deltas.next_if_eq(&step).is_some() {
            count += 1;
        }
        Some((count, step))
    })
}

/// The different numbers of a column with their places, if they are few.
fn palette(numbers: &[u64]) -> Option<BTreeMap<u64, u64>> {
    let mut values = BTreeMap::new();
    for &number in numbers {
        values.insert(number, 0);
        if values.len() > PALETTE_MAX {
            return None;
        }
    }
    values.values_mut().zip(0..).for_each(|(place, n)| *place = n);
    Some(values)
}

fn palette_len(values: &BTreeMap<u64, u64>, count: usize) -> usize {
    let last = values.len() as u64 - 1;
    varint_len(last) + values.keys().map(|&value| varint_len(value)).sum::<usize>() + packed_len(count, bits(last))
}

fn write_palette(out: &mut Vec<u8>, values: &BTreeMap<u64, u64>, numbers: &[u64]) {
    let last = values.len() as u64 - 1;
    put_varint(out, last);
    values.keys().for_each(|&value| put_varint(out, value));
    pack(out, bits(last), numbers.iter().map(|number| values[number]));
}

/// All numbers of a column above its smallest, in equally many bits.
struct Packing {
    base: u64,
    width: u32,
}

impl Packing {
    fn of(numbers: &[u64]) -> Self {
        let base = numbers.iter().copied().min().unwrap_or(0);
        Self { base, width: bits(numbers.iter().copied().max().unwrap_or(0) - base) }
    }

    fn len(&self, count: usize) -> usize {
        varint_len(self.base) + 1 + packed_len(count, self.width)
    }

    fn write(&self, out: &mut Vec<u8>, numbers: &[u64]) {
        put_varint(out, self.base);
        out.push(self.width as u8);
        pack(out, self.width, numbers.iter().map(|number| number - self.base));
    }
}

/// Bits that `value` needs; 0 for 0.
fn bits(value: u64) -> u32 {
    64 - value.leading_zeros()
}

fn packed_len(count: usize, width: u32) -> usize {
    (count * width as usize).div_ceil(8)
}

fn pack(out: &mut Vec<u8>, width: u32, numbers: impl Iterator<Item = u64>) {
    let (mut held, mut len) = (0u128, 0);
    for number in numbers {
        held |= u128::from(number) << len;
        len += width;
        while len >= 8 {
            out.push(held as u8);
            held >>= 8;
            len -= 8;
        }
    }
    if len > 0 {
        out.push(held as u8);
    }
}

/// What is left of a column's numbers.
#[derive(Clone, Default)]
pub enum Numbers<'a> {
    /// The column is not used.
    #[default]
    None,
    Plain(&'a [u8]),
    Delta {
        rest: &'a [u8],
        last: u64,
    },
    Steps {
        rest: &'a [u8],
        count: u64,
        step: u64,
        last: u64,
    },
    Constant {
        value: u64,
        used: bool,
    },
    Palette {
        values: Vec<u64>,
        places: Bits<'a>,
    },
    Packed {
        base: u64,
        above: Bits<'a>,
    },
}

impl<'a> Numbers<'a> {
    /// The constant at the front of `bytes`.
    pub fn constant(bytes: &mut &'a [u8]) -> Result<Self, DecodeError> {
        Ok(Self::Constant { value: take_varint(bytes)?, used: false })
    }

    /// The numbers that fill `rest`.
    pub fn open(form: Form, mut rest: &'a [u8]) -> Result<Self, DecodeError> {
        Ok(match form {
            Form::Plain => Self::Plain(rest),
            Form::Delta => Self::Delta { rest, last: 0 },
            Form::Steps => Self::Steps { rest, count: 0, step: 0, last: 0 },
            Form::Constant => Self::constant(&mut rest)?,
            Form::Palette => {
                let last = take_varint(&mut rest)?;
                if last >= PALETTE_MAX as u64 {
                    return Err(DecodeError::Limit("values of a palette"));
                }
                let values = (0..=last).map(|_| take_varint(&mut rest)).collect::<Result<_, _>>()?;
                Self::Palette { values, places: Bits::new(rest, bits(last)) }
            }
            Form::Packed => {
                let base = take_varint(&mut rest)?;
                let (&width, rest) = rest.split_first().ok_or(DecodeError::End)?;
                if width > 64 {
                    return Err(DecodeError::Value("width"));
                }
                Self::Packed { base, above: Bits::new(rest, width.into()) }
            }
        })
    }

    /// The next number.
    pub fn next(&mut self) -> Result<u64, DecodeError> {
        match self {
            Self::None => Err(DecodeError::End),
            Self::Plain(rest) => take_varint(rest),
            Self::Delta { rest, last } => {
                *last = last.wrapping_add(unzigzag(take_varint(rest)?) as u64);
                Ok(*last)
            }
            Self::Steps { rest, count, step, last } => {
                if *count == 0 {
                    (*count, *step) = (take_varint(rest)?, take_varint(rest)?);
                }
                *count = count.checked_sub(1).ok_or(DecodeError::Value("steps"))?;
                *last = last.wrapping_add(unzigzag(*step) as u64);
                Ok(*last)
            }
            Self::Constant { value, used } => {
                *used = true;
                Ok(*value)
            }
            Self::Palette { values, places } => {
                let place = places.next()?;
                values.get(place as usize).copied().ok_or(DecodeError::Value("place"))
            }
            Self::Packed { base, above } => Ok(base.wrapping_add(above.next()?)),
        }
    }

    /// True when nothing is left. A constant has no end; it must have been asked for at least once.
    pub fn is_done(&self) -> bool {
        match self {
            Self::None => true,
            Self::Plain(rest) | Self::Delta { rest, .. } => rest.is_empty(),
            Self::Steps { rest, count, .. } => rest.is_empty() && *count == 0,
            Self::Constant { used, .. } => *used,
            Self::Palette { places: bits, .. } | Self::Packed { above: bits, .. } => bits.is_done(),
        }
    }
}

/// Numbers of equally many bits.
#[derive(Clone)]
pub struct Bits<'a> {
    rest: &'a [u8],
    width: u32,
    held: u128,
    len: u32,
}

impl<'a> Bits<'a> {
    fn new(rest: &'a [u8], width: u32) -> Self {
        Self { rest, width, held: 0, len: 0 }
    }

    fn next(&mut self) -> Result<u64, DecodeError> {
        while self.len < self.width {
            let (&byte, rest) = self.rest.split_first().ok_or(DecodeError::End)?;
            self.held |= u128::from(byte) << self.len;
            self.len += 8;
            self.rest = rest;
        }
        let number = self.held & ((1 << self.width) - 1);
        self.held >>= self.width;
        self.len -= self.width;
        Ok(number as u64)
    }

    fn is_done(&self) -> bool {
        self.rest.is_empty() && self.held == 0
    }
}

/// With more values a place needs over eight bits, which most numbers need too.
const PALETTE_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(numbers: &[u64]) -> (Form, usize) {
        let (form, bytes) = encode(numbers);
        let mut read = Numbers::open(form, &bytes).unwrap();
        for &number in numbers {
            assert_eq!(read.next(), Ok(number));
        }
        assert!(read.is_done());
        (form, bytes.len())
    }

    fn noise(n: u64) -> u64 {
        let n = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (n ^ n >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn every_form_is_taken_where_it_is_shortest_and_round_trips() {
        let noisy = |n| noise(n) >> 40;
        assert_eq!(round_trip(&[3, 900, 5, 1 << 40, 0, 7, 1 << 30, 2]).0, Form::Plain);
        let times: Vec<_> = (0..400).map(|n| (1 << 40) + 60 * n + noisy(n) % 40).collect();
        assert_eq!(round_trip(&times).0, Form::Delta);
        assert_eq!(round_trip(&(0..500).map(|n| (1 << 40) + n).collect::<Vec<_>>()), (Form::Steps, 10));
        assert_eq!(round_trip(&[u64::MAX; 500]), (Form::Constant, 10));
        assert_eq!(round_trip(&[0, 1 << 40, 0, 0, 1 << 40, 1 << 40, 0, 0, 1 << 40]).0, Form::Palette);
        assert_eq!(round_trip(&(0..500).map(noisy).collect::<Vec<_>>()), (Form::Packed, 1 + 1 + 500 * 3));
    }

    #[test]
    fn the_widest_and_the_most_values_round_trip() {
        round_trip(&[u64::MAX, 0, u64::MAX - 1, 1 << 63]);
        let far: Vec<_> = (0..300).map(|n| (1 << 60) + (noise(n) >> 52)).collect();
        assert_eq!(round_trip(&far), (Form::Packed, 9 + 1 + 300 * 12 / 8), "bits above the smallest only");
        assert_eq!(round_trip(&(0..300).map(noise).collect::<Vec<_>>()).0, Form::Packed);
        let many: Vec<_> = (0..2_000).map(|n| (noise(n) >> 56) << 50).collect();
        assert_eq!(round_trip(&many).0, Form::Palette);
    }

    #[test]
    fn numbers_left_over_are_noticed() {
        let after_one = |form, bytes| {
            let mut read = Numbers::open(form, bytes).unwrap();
            read.next().unwrap();
            read.is_done()
        };
        assert!(after_one(Form::Plain, &[7]) && !after_one(Form::Plain, &[7, 7]));
        assert!(after_one(Form::Delta, &[7]) && !after_one(Form::Delta, &[7, 7]));
        assert!(after_one(Form::Steps, &[1, 7]) && !after_one(Form::Steps, &[2, 7]));
        assert!(!after_one(Form::Steps, &[1, 7, 1, 7]));
        assert!(after_one(Form::Packed, &[0, 3, 0b101]) && !after_one(Form::Packed, &[0, 3, 0b1101]));
        assert!(!after_one(Form::Packed, &[0, 3, 0b101, 0]));
        assert!(after_one(Form::Palette, &[1, 7, 8, 1]) && !after_one(Form::Palette, &[1, 7, 8, 3]));
        assert!(!Numbers::constant(&mut [7].as_slice()).unwrap().is_done(), "nobody asked for it");
        assert!(after_one(Form::Constant, &[7]));
    }

    #[test]
    fn what_the_writer_never_writes_is_refused() {
        let open = |form, bytes| Numbers::open(form, bytes);
        assert_eq!(open(Form::Steps, &[0, 2]).unwrap().next(), Err(DecodeError::Value("steps")));
        assert_eq!(open(Form::Packed, &[0, 65]).err(), Some(DecodeError::Value("width")));
        assert_eq!(open(Form::Palette, &[0x80, 2]).err(), Some(DecodeError::Limit("values of a palette")));
        assert_eq!(open(Form::Palette, &[2, 7, 8, 9, 3]).unwrap().next(), Err(DecodeError::Value("place")));
        assert_eq!(open(Form::Palette, &[2, 7, 8]).err(), Some(DecodeError::End));
        assert_eq!(Numbers::default().next(), Err(DecodeError::End));
    }
}

//! How large a change is, told from its bytes before automerge unfolds them.
//!
//! A change's columns are run-length coded: a few bytes may stand for as many operations as there are numbers, and whoever walks them never
//! comes back. So the runs are added up first. The layout is that of automerge's binary format (automerge.org/automerge-binary-format-spec,
//! "Change Chunks" and "Column Storage"). What passes here may still be wrong; that is automerge's to say.

use crate::codec::put_varint;
use crate::ids::{Actor, Digest};
use crate::limits::{NOTE_OP_NUMBER_MAX, NOTE_OPS_MAX};

/// Why bytes are no change that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MeasureError {
    /// Not the layout of an uncompressed change.
    #[error("is not laid out as a change")]
    Layout,
    /// More operations than one edit can have.
    #[error("has more operations than an edit may have")]
    Operations,
    /// It was not made by who signed it.
    #[error("names another author than its entry")]
    Author,
}

/// Bytes of an automerge actor of ours: node, epoch, and eight that no other change has.
pub const ACTOR_BYTES: usize = 14;

/// The automerge actor of one change. No two changes share one, so that two histories of one log never claim one number.
pub fn actor_bytes(actor: Actor, nonce: u64) -> [u8; ACTOR_BYTES] {
    let mut out = [0; ACTOR_BYTES];
    out[..4].copy_from_slice(&actor.node.0.to_be_bytes());
    out[4..6].copy_from_slice(&actor.epoch.0.to_be_bytes());
    out[6..].copy_from_slice(&nonce.to_be_bytes());
    out
}

/// Succeeds for the bytes of one uncompressed change by `author` whose operations are at most [`NOTE_OPS_MAX`].
pub fn measure(bytes: &[u8], author: Actor) -> Result<(), MeasureError> {
    let mut chunk = Reader { rest: bytes };
    if chunk.take(4)? != MAGIC {
        return Err(MeasureError::Layout);
    }
    let sum = chunk.take(4)?;
    if chunk.take(1)? != [CHANGE_CHUNK] {
        return Err(MeasureError::Layout);
    }
    let length = chunk.length()?;
    if length != chunk.rest.len() {
        return Err(MeasureError::Layout);
    }
    // One change has one form: automerge names it by this hash, which leaves sum and spelling of the length out.
    let mut head = vec![CHANGE_CHUNK];
    put_varint(&mut head, length as u64);
    if !bytes[8..].starts_with(&head) || Digest::of(&[&head, chunk.rest]).0[..4] != *sum {
        return Err(MeasureError::Layout);
    }
    let dependencies = chunk.length()?;
    chunk.take(dependencies.checked_mul(HASH_BYTES).ok_or(MeasureError::Layout)?)?;
    let actor = chunk.length()?;
    if chunk.take(actor)?.get(..6) != Some(&actor_bytes(author, 0)[..6]) || actor != ACTOR_BYTES {
        return Err(MeasureError::Author);
    }
    // One change of one actor: see [`actor_bytes`].
    if chunk.uint()? != 1 {
        return Err(MeasureError::Layout);
    }
    if !(1..=NOTE_OP_NUMBER_MAX).contains(&chunk.uint()?) {
        return Err(MeasureError::Operations);
    }
    chunk.int()?;
    let message = chunk.length()?;
    chunk.take(message)?;
    for _ in 0..chunk.length()? {
        let other = chunk.length()?;
        chunk.take(other)?;
    }
    let count = chunk.length()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        let (spec, length) = (chunk.uint()?, chunk.length()?);
        if spec & DEFLATED != 0 || columns.len() == COLUMNS_MAX {
            return Err(MeasureError::Layout);
        }
        columns.push((spec & 0b111, length));
    }
    for (kind, length) in columns {
        column(kind, chunk.take(length)?)?;
    }
    Ok(())
}

/// Adds the runs of one column up.
fn column(kind: u64, bytes: &[u8]) -> Result<(), MeasureError> {
    let mut reader = Reader { rest: bytes };
    let (mut items, mut members, mut raw) = (0usize, 0usize, 0usize);
    while !reader.rest.is_empty() {
        match kind {
            RAW => return Ok(()),
            BOOLEAN => add(&mut items, reader.uint()?)?,
            GROUP | ACTOR | INTEGER | DELTA | TEXT | VALUE_SIZE => match reader.int()? {
                0 => add(&mut items, reader.uint()?)?,
                run if run > 0 => {
                    let run = run.unsigned_abs();
                    add(&mut items, run)?;
                    let value = reader.value(kind)?;
                    if kind == GROUP {
                        add(&mut members, value.checked_mul(run).ok_or(MeasureError::Operations)?)?;
                    }
                    if kind == VALUE_SIZE {
                        add(&mut raw, (value >> 4).checked_mul(run).ok_or(MeasureError::Operations)?)?;
                    }
                }
                literal => {
                    let literal = literal.unsigned_abs();
                    add(&mut items, literal)?;
                    for _ in 0..literal {
                        let value = reader.value(kind)?;
                        if kind == GROUP {
                            add(&mut members, value)?;
                        }
                        if kind == VALUE_SIZE {
                            add(&mut raw, value >> 4)?;
                        }
                    }
                }
            },
            _ => return Err(MeasureError::Layout),
        }
    }
    Ok(())
}

fn add(sum: &mut usize, more: u64) -> Result<(), MeasureError> {
    let more = usize::try_from(more).map_err(|_| MeasureError::Operations)?;
    *sum = sum.checked_add(more).filter(|sum| *sum <= NOTE_OPS_MAX).ok_or(MeasureError::Operations)?;
    Ok(())
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], MeasureError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(MeasureError::Layout)?;
        self.rest = rest;
        Ok(head)
    }

    /// LEB128 without a sign, at most 64 bits.
    fn uint(&mut self) -> Result<u64, MeasureError> {
        let mut value = 0u64;
        for shift in (0..).step_by(7).take(10) {
            let byte = self.take(1)?[0];
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(MeasureError::Layout)
    }

    /// LEB128 with a sign, at most 64 bits.
    fn int(&mut self) -> Result<i64, MeasureError> {
        let mut value = 0i64;
        for shift in (0..).step_by(7).take(10) {
            let byte = self.take(1)?[0];
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let is_negative = byte & 0x40 != 0 && shift + 7 < 64;
                return Ok(if is_negative { value | (-1 << (shift + 7)) } else { value });
            }
        }
        Err(MeasureError::Layout)
    }

    fn length(&mut self) -> Result<usize, MeasureError> {
        usize::try_from(self.uint()?).map_err(|_| MeasureError::Layout)
    }

    /// One value of a column; its number, if it is one without a sign.
    fn value(&mut self, kind: u64) -> Result<u64, MeasureError> {
        match kind {
            DELTA => self.int().map(|_| 0),
            TEXT => {
                let length = self.length()?;
                self.take(length).map(|_| 0)
            }
            _ => self.uint(),
        }
    }
}

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;
const HASH_BYTES: usize = 32;
const DEFLATED: u64 = 0b1000;

/// Columns of a change: those that are known, with room.
const COLUMNS_MAX: usize = 32;

const GROUP: u64 = 0;
const ACTOR: u64 = 1;
const INTEGER: u64 = 2;
const DELTA: u64 = 3;
const BOOLEAN: u64 = 4;
const TEXT: u64 = 5;
const VALUE_SIZE: u64 = 6;
const RAW: u64 = 7;

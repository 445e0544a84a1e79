//! Why an order went where it went: what routing said of each store when it chose.
//!
//! One row per choice, written in the commit of its offers. It is this node's own memory: no log holds it, a rebuild leaves it alone,
//! and nothing is decided by it.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::OrderId;

use super::orders::id_bytes;
use crate::journal::damaged;
use crate::overlay::{Overlay, scan_prefix};
use crate::policy::route::plan::{Plan, Verdict};
use crate::storage::{Snapshot, StoreError, Table};

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The number of its first offer.
    pub generation: u16,
    /// When it was made, milliseconds since 1970.
    pub at_ms: u64,
    /// The rule set that gave it.
    pub rule_set: Code,
    /// Nothing that the rules allow was better.
    pub is_best: bool,
    /// What was said of stores: those that were chosen, then those that could have been from the best, then the rest.
    pub judged: Vec<Said>,
    /// Stores that were looked at beyond those.
    pub omitted: u32,
}

/// What was said of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which.
    pub store: StoreId,
    /// It was chosen.
    pub chosen: bool,
    /// Why, or why not, in words.
    pub why: String,
}

/// Notes a choice.
pub fn put(overlay: &mut Overlay, order: OrderId, (generation, at_ms): (u16, u64), plan: &Plan) {
    let kept = plan.candidates.len().min(JUDGED_MAX);
    let row = Rows::of(|sink| {
        sink.uint(col::TIME, at_ms);
        plan.rule_set.encode(sink, col::NAME);
        sink.uint(col::FLAGS, plan.is_best.into());
        sink.uint(col::A, (plan.candidates.len() - kept) as u64);
        sink.uint(col::COUNT, kept as u64);
        for judged in &plan.candidates[..kept] {
            sink.uint(col::STORE, u64::from(judged.store.0));
            sink.uint(col::FLAGS, (judged.verdict == Verdict::Chosen).into());
            sink.blob(col::REASON, judged.to_string().as_bytes());
        }
    });
    overlay.put(Table::Plans, [id_bytes(order).as_slice(), &generation.to_be_bytes()].concat(), row);
}

/// The choices for an order that this node made, the first one first.
pub fn of(snapshot: &(impl Snapshot + ?Sized), order: OrderId) -> Result<Vec<Choice>, StoreError> {
    let rows = scan_prefix(snapshot, Table::Plans, &id_bytes(order), CHOICES_MAX)?;
    rows.iter().map(|(key, value)| read(key, value)).collect()
}

fn read(key: &[u8], value: &[u8]) -> Result<Choice, StoreError> {
    let generation = key.last_chunk().copied().map(u16::from_be_bytes).ok_or_else(|| damaged("plan"))?;
    let decode = |reader: &mut RowReader<'_>| -> Result<Choice, DecodeError> {
        let (at_ms, rule_set) = (reader.uint(col::TIME)?, Code::decode(reader, col::NAME)?);
        let (is_best, omitted) = (reader.flag(col::FLAGS)?, reader.u32(col::A)?);
        let mut judged = Vec::new();
        for _ in 0..reader.uint(col::COUNT)? {
            let (store, chosen) = (StoreId(reader.u32(col::STORE)?), reader.flag(col::FLAGS)?);
            let why = reader.blob(col::REASON, WHY_BYTES_MAX)?;
            let why = String::from_utf8(why).map_err(|_| DecodeError::Value("sentence"))?;
            judged.push(Said { store, chosen, why });
        }
        Ok(Choice { generation, at_ms, rule_set, is_best, judged, omitted })
    };
    decode(&mut RowReader::new(value)).map_err(damaged)
}

/// Stores that are kept of a choice: who looks later wants to know of the first ones.
const JUDGED_MAX: usize = 12;

/// Choices that are read: more than an order has in its time.
const CHOICES_MAX: usize = 64;

/// More than a sentence about a store has.
const WHY_BYTES_MAX: usize = 1_024;

//! Picking with a scanner: each scan is checked against the list and counted, and a line that is complete is written down.
//!
//! Counts below a whole line stand in memory only: they say nothing about the goods. Whoever begins again after a restart scans again.

use std::collections::BTreeMap;

use serde::Serialize;
use stockroom_core::input::RetryKey;
use stockroom_core::input::orders::{FulfilRequest, Proof};
use stockroom_core::view::ScanError;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::limits::QUANTITY_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::resolve::{Fulfillment, PartLine, State};
use stockroom_crdt::order::step::{Step, StepLine};
use utoipa::ToSchema;

use super::act::{FulfilBody, say};
use super::answer::{name_of, newest};
use super::not_here;
use crate::api::idempotency::part_of;
use crate::api::problem::{Answered, Kind, Problem};
use crate::api::values::Text;
use crate::api::{Api, Books};

/// What a scan did.
#[derive(Serialize, ToSchema)]
pub struct ScannedAnswer {
    /// For which line of the order, from 1.
    line: u16,
    /// What was scanned.
    #[schema(value_type = String)]
    sku: Text<Sku>,
    /// Its name.
    name: String,
    /// Units of the line that are there now.
    counted: i64,
    /// Units that are wanted.
    wanted: i64,
    /// The line is complete and written down.
    done: bool,
}

/// What was scanned of lines that are being picked.
#[derive(Default)]
pub struct Scans {
    counted: BTreeMap<Spot, BTreeMap<Digest, i64>>,
}

/// A line of a fulfillment: order, generation, line.
type Spot = (OrderId, u16, u16);

/// A scanned product, and where it belongs.
struct Hit {
    part: Fulfillment,
    line: PartLine,
    name: String,
    units: i64,
    /// This very scan completed the line before.
    is_retry: bool,
}

/// Takes one scan: what was written, if anything was; whether an earlier try had been taken; and how many there are now.
pub async fn scan(
    api: &Api,
    (order, store): (OrderId, StoreId),
    (body, code): (&FulfilBody, &str),
    retry: RetryKey,
) -> Answered<(Option<Step>, bool, ScannedAnswer)> {
    let hit = api.read(|books| hit(api, books, (order, store), (body, code, retry)))?;
    let (generation, offered) = (hit.part.generation, &hit.line.offered);
    let wanted = offered.quantity - hit.line.cancelled;
    let spot = (order, generation, offered.line);
    let request = |step: Step, lines: Vec<StepLine>| FulfilRequest {
        order,
        store: Some(store),
        generation: Some(generation),
        step,
        lines,
        note: Code::default(),
        staff: body.staff.0.clone(),
        device: 0,
        proof: Proof::None,
        holder: Code::default(),
        anew: false,
    };
    if matches!(hit.part.state, State::Offered | State::Accepted) {
        say(api, part_of(retry, "start picking", 0), request(Step::StartPicking, Vec::new())).await?;
    }
    let picked = hit.line.picked.unwrap_or(0);
    let (counted, is_new) = match offered.unit {
        _ if hit.is_retry => (picked, false),
        Unit::Gram => (picked + hit.units, true),
        Unit::Each => lock(api)?.count((spot, retry.key), hit.units, wanted).map_err(|over| {
            Problem::invalid("scan", format!("there would be {over} of {}: {wanted} are wanted", hit.name))
        })?,
    };
    let is_done = hit.is_retry || offered.unit == Unit::Gram || counted >= wanted;
    let answer = |done: bool| ScannedAnswer {
        line: offered.line + 1,
        sku: Text(offered.sku.clone()),
        name: hit.name.clone(),
        counted,
        wanted,
        done,
    };
    if !is_done {
        return Ok((None, !is_new, answer(false)));
    }
    let line = StepLine { line: offered.line, quantity: counted, reason: Code::default(), substitute: None };
    match say(api, retry, request(Step::Pick, vec![line])).await {
        Ok((_, replayed)) => Ok((Some(Step::Pick), replayed, answer(true))),
        Err(problem) => {
            // What was refused was not picked: the same scan may come again.
            lock(api)?.forget(spot, retry.key);
            Err(problem)
        }
    }
}

/// What the code means, and for which line it is.
fn hit(
    api: &Api,
    books: &Books<'_>,
    (order, store): (OrderId, StoreId),
    (body, code, retry): (&FulfilBody, &str, RetryKey),
) -> Answered<Hit> {
    let scanned = books.scan(code)?.map_err(|error| match error {
        ScanError::Unknown => Problem::unknown("scan", error),
        ScanError::Code(_) | ScanError::Ambiguous => Problem::invalid("scan", error),
    })?;
    let known = books.order_at(store, order)?;
    let part = newest(&known, store, body.generation).ok_or_else(|| not_here(order, store))?;
    if part.state > State::Picked {
        let detail = format!("it is {}: nothing of it is picked any more", part.state.as_str());
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let name = named(books, &scanned.sku)?;
    let fits: Vec<_> = part.lines.iter().filter(|line| line.offered.sku == scanned.sku).collect();
    if fits.is_empty() {
        return Err(Problem::invalid(
            "scan",
            format!("it is {name}, which is not on this list; {}", wanted(books, &part)?),
        ));
    }
    let scans = lock(api)?;
    let spot = |line: &PartLine| (order, part.generation, line.offered.line);
    let is_retry = books.retried(retry.key)?.is_some();
    let before = fits.iter().find(|line| scans.has(spot(line), retry.key));
    let has_room = |line: &&&PartLine| {
        let is_open = line.picked.is_none() && scans.so_far(spot(line)) < line.offered.quantity - line.cancelled;
        is_open || is_retry || line.offered.unit == Unit::Gram
    };
    let Some(line) = before.or_else(|| fits.iter().find(has_room)) else {
        return Err(Problem::invalid("scan", format!("of {name} everything that is wanted is there")));
    };
    let each = body.quantity.unwrap_or(1);
    if !(1..=QUANTITY_MAX).contains(&each) {
        return Err(Problem::invalid("quantity", format_args!("{each} is not between 1 and {QUANTITY_MAX}")));
    }
    let units = match (line.offered.unit, body.quantity) {
        (Unit::Gram, Some(grams)) => grams,
        (Unit::Gram, None) => scanned.quantity,
        (Unit::Each, _) => scanned.quantity.saturating_mul(each),
    };
    Ok(Hit { line: (*line).clone(), name, units, is_retry, part: part.clone() })
}

/// What is still to be picked, in words.
fn wanted(books: &Books<'_>, part: &Fulfillment) -> Answered<String> {
    let open = part.lines.iter().filter(|line| line.picked.is_none() && line.open() > 0);
    let words = open.map(|line| Ok(format!("{} of {}", line.open(), named(books, &line.offered.sku)?)));
    let words = words.take(WANTED_MAX).collect::<Answered<Vec<_>>>()?;
    Ok(if words.is_empty() { "everything on it is picked".into() } else { format!("wanted are {}", words.join(", ")) })
}

fn named(books: &Books<'_>, sku: &Sku) -> Answered<String> {
    let name = name_of(books, sku)?;
    Ok(if name.is_empty() { sku.to_string() } else { format!("{name} ({sku})") })
}

fn lock(api: &Api) -> Answered<std::sync::MutexGuard<'_, Scans>> {
    api.scans.lock().map_err(|_| Problem::new(Kind::Storage, "the counts of scans are lost: start the node again"))
}

impl Scans {
    /// Counts units of a line up, each key once: how many there are now, and whether this key is new. With more than `most` nothing is
    /// counted, and the error says how many that would have been.
    fn count(&mut self, (spot, key): (Spot, Digest), units: i64, most: i64) -> Result<(i64, bool), i64> {
        let so_far = self.so_far(spot);
        if self.has(spot, key) {
            return Ok((so_far, false));
        }
        if so_far + units > most {
            return Err(so_far + units);
        }
        while self.counted.len() >= SPOTS_MAX {
            self.counted.pop_first();
        }
        self.counted.entry(spot).or_default().insert(key, units);
        Ok((so_far + units, true))
    }

    fn so_far(&self, spot: Spot) -> i64 {
        self.counted.get(&spot).map_or(0, |keys| keys.values().sum())
    }

    fn has(&self, spot: Spot, key: Digest) -> bool {
        self.counted.get(&spot).is_some_and(|keys| keys.contains_key(&key))
    }

    fn forget(&mut self, spot: Spot, key: Digest) {
        if let Some(keys) = self.counted.get_mut(&spot) {
            keys.remove(&key);
        }
    }
}

/// Lines that are being picked at the same time: 30 pickers with batches of 100 lines.
const SPOTS_MAX: usize = 4_096;

/// Products that one sentence names.
const WANTED_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_that_is_sent_again_counts_once_and_no_line_gets_more_than_it_wants() {
        let spot = (OrderId { home: stockroom_crdt::ids::NodeId(1), number: 7 }, 1, 0);
        let key = |number: u8| Digest([number; 32]);
        let mut scans = Scans::default();
        assert_eq!(scans.count((spot, key(1)), 1, 2), Ok((1, true)));
        assert_eq!(scans.count((spot, key(1)), 1, 2), Ok((1, false)));
        assert_eq!(scans.count((spot, key(2)), 2, 2), Err(3));
        assert_eq!(scans.count((spot, key(3)), 1, 2), Ok((2, true)));
        scans.forget(spot, key(3));
        assert_eq!(scans.so_far(spot), 1);
    }
}

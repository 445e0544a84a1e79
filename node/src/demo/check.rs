//! Whether the nodes hold what the tills remember: asked through their APIs, at the store, at the hub and at its neighbours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::door::Door;
use super::sample::{STORES, Sample};
use super::shoppers::LAST_UNIT_AT;
use super::till::Ack;

/// Sums over the business days of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Receipts.
    pub receipts: u64,
    /// Lines on them.
    pub lines: u64,
    /// Cents taken.
    pub total: i64,
}

/// Units by store and product.
pub type Units = BTreeMap<(u32, String), i64>;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Acknowledged sales that are missing, or there as something else, at their store or at the hub.
    pub lost: usize,
    /// Whatever else is wrong, in words.
    pub faults: Vec<String>,
}

/// Takings of a store as one node knows them.
pub fn books(door: &Door, store: u32) -> Result<Books, String> {
    let days = door.read(&format!("/v1/days?store={store}"))?;
    let mut books = Books::default();
    for day in days["items"].as_array().ok_or("the takings are not a list")? {
        books.receipts += day["receipts"].as_u64().unwrap_or(0);
        books.lines += day["lines"].as_u64().unwrap_or(0);
        books.total += day["total"].as_i64().unwrap_or(0);
    }
    Ok(books)
}

/// What the tills say that a store's books should be.
pub fn remembered(acks: &[Ack], store: u32) -> Books {
    let own = acks.iter().filter(|ack| ack.store == store);
    own.fold(Books::default(), |books, ack| Books {
        receipts: books.receipts + 1,
        lines: books.lines + ack.lines as u64,
        total: books.total + ack.total,
    })
}

/// Stock on hand of a store as one node knows it.
pub fn stock(door: &Door, store: u32) -> Result<BTreeMap<String, i64>, String> {
    let rows = door.pages("/v1/stock", &format!("&store={store}"))?;
    let row = |row: &Value| Some((row["sku"].as_str()?.to_owned(), row["on_hand"].as_i64()?));
    rows.iter().map(|value| row(value).ok_or_else(|| format!("the stock has a row {value}"))).collect()
}

/// Checks everything. The first door is the hub's, the others are the stores' in order. `taken` is what went from the shelves without the
/// tills of the day.
pub fn check(doors: &[Door], sample: &Sample, acks: &[Ack], taken: &Units) -> Findings {
    let mut findings = gaps(acks);
    let of_store = |store: u32| {
        let own: Vec<&Ack> = acks.iter().filter(|ack| ack.store == store).collect();
        let mut lost = BTreeSet::new();
        let mut faults = Vec::new();
        for (name, door) in [("its node", &doors[store as usize]), ("the hub", &doors[0])] {
            for ack in &own {
                if let Err(fault) = found(door, ack) {
                    lost.insert(&ack.receipt);
                    faults.push(format!("sale {} at {name}: {fault}", ack.receipt));
                }
            }
        }
        faults.extend(tills(doors, store, &own).err());
        faults.extend(shelves(doors, sample, store, taken).err());
        Findings { lost: lost.len(), faults }
    };
    let parts: Vec<Findings> = std::thread::scope(|scope| {
        let of_store = &of_store;
        let threads: Vec<_> = (1..=STORES).map(|store| scope.spawn(move || of_store(store))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
    });
    for part in parts {
        findings.lost += part.lost;
        findings.faults.extend(part.faults);
    }
    findings
}

/// Whether a node has an acknowledged sale under its receipt number.
fn found(door: &Door, ack: &Ack) -> Result<(), String> {
    let held = door.read(&format!("/v1/sales/{}/{}?store={}", ack.till, ack.till_seq, ack.store))?;
    let lines = held["lines"].as_array().map_or(0, Vec::len);
    let same = held["receipt"] == *ack.receipt && held["total"] == ack.total && lines == ack.lines;
    if same { Ok(()) } else { Err(format!("{} over {} is there", held["receipt"], held["total"])) }
}

/// Receipt numbers of a till's series run from 1 without a gap, and none was given out twice.
fn gaps(acks: &[Ack]) -> Findings {
    let mut series: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let mut findings = Findings::default();
    for ack in acks {
        let parts = ack.receipt.rsplit_once('-').and_then(|(series, n)| Some((series, n.parse().ok()?)));
        match parts {
            Some((name, sequence)) if series.entry(name).or_default().insert(sequence) => {}
            _ => findings.faults.push(format!("receipt {} was given out twice", ack.receipt)),
        }
    }
    for (name, numbers) in series {
        if numbers.first() != Some(&1) || numbers.last() != Some(&(numbers.len() as u64)) {
            findings.faults.push(format!(
                "receipts {name}-* have a gap: {} of them, {:?}",
                numbers.len(),
                numbers.last()
            ));
        }
    }
    findings
}

/// No node has a sale of a till that the till does not remember, and the sums are right: so each is there exactly once.
fn tills(doors: &[Door], store: u32, acks: &[&Ack]) -> Result<(), String> {
    let mut last: BTreeMap<u32, (u64, &str)> = BTreeMap::new();
    for ack in acks {
        last.insert(ack.till, (ack.till_seq, &ack.receipt));
    }
    let acks: Vec<Ack> = acks.iter().map(|&ack| ack.clone()).collect();
    for door in [&doors[store as usize], &doors[0]] {
        let held = books(door, store)?;
        let wanted = remembered(&acks, store);
        if held != wanted {
            return Err(format!("store {store}'s books at {} are {held:?}, not {wanted:?}", door.url()));
        }
        for (till, (till_seq, receipt)) in &last {
            let held = door.read(&format!("/v1/tills/{till}?store={store}"))?;
            if held["last_till_seq"] != *till_seq || held["last_receipt"] != **receipt {
                return Err(format!("till {till} of store {store} ends at {receipt}, not as {held}"));
            }
        }
    }
    Ok(())
}

/// What is on a store's shelves is what was received less what was sold and handed over: at the store, at the hub, and at its neighbours.
fn shelves(doors: &[Door], sample: &Sample, store: u32, taken: &Units) -> Result<(), String> {
    let mut wanted = sample.stock_with_last_unit(store);
    if store == LAST_UNIT_AT {
        // A till took it.
        *wanted.entry(sample.last_unit().to_owned()).or_default() -= 1;
    }
    for ((_, sku), units) in taken.iter().filter(|((of, _), _)| *of == store) {
        *wanted.entry(sku.clone()).or_default() -= units;
    }
    for line in sample.of_store(store).flat_map(|basket| &basket.lines) {
        *wanted.entry(line.sku.to_owned()).or_default() -= line.quantity;
    }
    for door in doors {
        let held = stock(door, store)?;
        if held != wanted {
            let differ = wanted.iter().filter(|(sku, units)| held.get(*sku) != Some(units)).count();
            return Err(format!("stock of store {store} differs at {} for {differ} products", door.url()));
        }
    }
    Ok(())
}

fn panicked() -> Findings {
    Findings { lost: 0, faults: vec!["the check itself failed".into()] }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn ack(receipt: &str) -> Ack {
        let (took, receipt) = (Duration::ZERO, receipt.into());
        Ack { store: 1, till: 1, till_seq: 1, receipt, total: 250, lines: 2, took, tries: 1, replayed: false }
    }

    #[test]
    fn a_gap_and_a_double_number_are_found() {
        assert_eq!(gaps(&[ack("1-1-1-1"), ack("1-1-1-2"), ack("1-2-1-1"), ack("1-1-2-1")]).faults, [""; 0]);
        assert_eq!(gaps(&[ack("1-1-1-1"), ack("1-1-1-3")]).faults.len(), 1);
        assert_eq!(gaps(&[ack("1-1-1-2")]).faults.len(), 1);
        assert_eq!(gaps(&[ack("1-1-1-1"), ack("1-1-1-1")]).faults.len(), 1);
    }

    #[test]
    fn books_are_summed_from_what_tills_remember() {
        let other = Ack { store: 2, ..ack("2-1-1-1") };
        let books = remembered(&[ack("1-1-1-1"), ack("1-1-1-2"), other], 1);
        assert_eq!(books, Books { receipts: 2, lines: 4, total: 500 });
    }
}

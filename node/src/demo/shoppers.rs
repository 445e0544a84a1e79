//! Who wants goods kept: customers on line, whom the hub answers, and customers who ask at a store's counter. They ask while the hub
//! reaches no store and tills sell the same goods, and come for them at the end of the day. What they were told is remembered
//! here, apart from all nodes; whether anything was promised twice is reckoned from what every node has on record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use stockroom_crdt::order::OrderId;

use super::DemoError;
use super::check::stock;
use super::door::{Door, JSON};
use super::sample::{STORES, Sample};
use super::till::Ack;

/// What customers were told.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What was promised, by the reservation's name.
    pub made: BTreeMap<String, Made>,
    /// How often nothing could be promised.
    pub turned_down: usize,
    /// The sale that took the last unit from the shelf.
    pub last_sale: Option<Ack>,
}

/// One promise.
#[derive(Clone, Debug)]
pub struct Made {
    /// Where the goods are.
    pub store: u32,
    /// What.
    pub sku: String,
    /// How many.
    pub quantity: i64,
    /// Goods in the book stood behind it at once.
    pub hard: bool,
}

/// What became of all promises, as the nodes have it on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Promises made.
    pub made: usize,
    /// Of these, with goods in the book behind them.
    pub hard: usize,
    /// Of these, to be confirmed later.
    pub soft: usize,
    /// Wishes for which nothing could be promised.
    pub turned_down: usize,
    /// Handed over.
    pub kept: usize,
    /// Broken, because a till sold the goods.
    pub shorted: usize,
    /// Of these, made good.
    pub compensated: usize,
    /// Still open.
    pub open: usize,
    /// Units promised hard that no goods ever stood behind, or that nothing is left for and nobody was told.
    pub oversold: u64,
}

/// A reservation as a node has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    id: String,
    state: String,
    store: u32,
    sku: String,
    quantity: i64,
    hard: bool,
    compensated: bool,
    /// It stands behind a line of an order, and was not asked for by itself.
    of_order: bool,
}

/// What is asked for: at the store's counter and on line.
struct Wish {
    store: u32,
    sku: &'static str,
    quantity: i64,
}

/// Everybody asks at once, the hub on line and every store at its counter, and confirms what was promised. The last unit is asked
/// for by all of them first.
pub fn ask(doors: &[Door], sample: &Sample, between: (u32, u32)) -> Result<Asked, DemoError> {
    let asked: Mutex<Asked> = Mutex::default();
    let failed = std::thread::scope(|scope| {
        let asked = &asked;
        let threads: Vec<_> = doors
            .iter()
            .enumerate()
            .map(|(index, door)| {
                let mut wishes = vec![Wish { store: LAST_UNIT_AT, sku: sample.last_unit(), quantity: 1 }];
                let stores = if index == 0 { 1..=STORES } else { index as u32..=index as u32 };
                wishes.extend(stores.flat_map(|store| wanted(sample, store, between)));
                scope.spawn(move || ask_one(door, index, &wishes, asked))
            })
            .collect();
        let outcomes =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("a shopper panicked".into())));
        outcomes.filter_map(Result::err).next()
    });
    match failed {
        Some(words) => Err(DemoError::refused("a reservation")(words)),
        None => Ok(asked.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// A till takes the last unit from the shelf, whoever it was promised to.
pub fn sell_last_unit(door: &Door, sku: &str) -> Result<Ack, DemoError> {
    let started = std::time::Instant::now();
    let body = json!({
        "till": LAST_TILL, "till_seq": 1, "lines": [{ "sku": sku, "quantity": 1, "unit_price": 100 }],
        "tenders": [{ "kind": "card", "amount": 100 }],
    });
    let sold = door.write("/v1/sales", None, &body).map_err(DemoError::refused("the sale of the last unit"))?;
    Ok(Ack {
        store: LAST_UNIT_AT,
        till: LAST_TILL,
        till_seq: 1,
        receipt: sold["receipt"].as_str().unwrap_or_default().into(),
        total: 100,
        lines: 1,
        took: started.elapsed(),
        tries: 1,
        replayed: false,
    })
}

/// Every store hands over what it knows to be promised and confirmed. Gives how many of the promises are not settled yet.
pub fn hand_over(doors: &[Door], asked: &Asked) -> Result<usize, String> {
    let mut waiting = 0;
    for (store, door) in doors.iter().enumerate().skip(1) {
        let held = reservations(door, store as u32)?;
        let known: BTreeMap<&str, &str> = held.iter().map(|held| (held.id.as_str(), held.state.as_str())).collect();
        for (id, _) in asked.made.iter().filter(|(_, made)| made.store == store as u32) {
            match known.get(id.as_str()).copied() {
                Some("confirmed") | Some("picked") => {
                    for action in ["pick", "fulfil"] {
                        let path = format!("/v1/reservations/{id}/{action}");
                        let done = door.post(&path, Some(&format!("demo-{action}-{id}")), (JSON, "{}"));
                        // A till may have been faster: then the shelf is empty, and the store says so.
                        done.map_err(|error| error.to_string())?;
                    }
                    waiting += 1;
                }
                Some("fulfilled" | "shorted" | "released") => {}
                _ => waiting += 1,
            }
        }
    }
    Ok(waiting)
}

/// Whether all nodes have the same reservations in the same states, and every broken one is made good.
pub fn agree(doors: &[Door]) -> Result<(), String> {
    for store in 1..=STORES {
        let first = reservations(&doors[0], store)?;
        for door in &doors[1..] {
            let other = reservations(door, store)?;
            if other != first {
                let differ = first.iter().filter(|held| !other.contains(held)).count();
                return Err(format!(
                    "{differ} of {} reservations at store {store} differ at {}",
                    first.len(),
                    door.url()
                ));
            }
        }
        if first.iter().any(|held| held.state == "shorted" && !held.compensated) {
            return Err(format!("a broken reservation at store {store} is not made good"));
        }
    }
    Ok(())
}

/// Reckons what became of the promises from what every node has on record. Promises that a node lost, or never told anybody of,
/// are faults.
pub fn reckon(doors: &[Door], sample: &Sample, asked: &Asked) -> Result<(Kept, Vec<String>), String> {
    let mut kept = Kept {
        made: asked.made.len(),
        hard: asked.made.values().filter(|made| made.hard).count(),
        soft: asked.made.values().filter(|made| !made.hard).count(),
        turned_down: asked.turned_down,
        ..Kept::default()
    };
    let mut faults = Vec::new();
    for (index, door) in doors.iter().enumerate() {
        let mut oversold = 0;
        for store in 1..=STORES {
            let held = reservations(door, store)?;
            oversold += oversold_at(&held, &stock(door, store)?, &sample.stock_with_last_unit(store));
            let names: BTreeSet<&str> = held.iter().map(|held| held.id.as_str()).collect();
            let lost =
                asked.made.iter().filter(|(id, made)| made.store == store && !names.contains(id.as_str())).count();
            if lost > 0 {
                faults.push(format!("{lost} reservations at store {store} are missing at {}", door.url()));
            }
            if index == 0 {
                let held: Vec<_> = held.iter().filter(|held| !held.of_order).collect();
                let in_state = |state: &str| held.iter().filter(|held| held.state == state).count();
                kept.kept += in_state("fulfilled");
                kept.shorted += in_state("shorted");
                kept.compensated += held.iter().filter(|held| held.compensated).count();
                kept.open += held.len() - in_state("fulfilled") - in_state("shorted") - in_state("released");
            }
        }
        kept.oversold = kept.oversold.max(oversold);
    }
    Ok((kept, faults))
}

/// Units that were handed over, by store and product, as the hub has it on record: they are not on the shelves any more.
pub fn handed_over(door: &Door) -> Result<BTreeMap<(u32, String), i64>, String> {
    let mut units = BTreeMap::new();
    for store in 1..=STORES {
        for held in reservations(door, store)?.into_iter().filter(|held| held.state == "fulfilled") {
            *units.entry((store, held.sku)).or_default() += held.quantity;
        }
    }
    Ok(units)
}

/// Units promised hard of each product beyond the goods: never may more be promised than ever came in, whatever tills sold later;
/// and what is open now must lie on the shelf, or its customer would have been told.
fn oversold_at(held: &[Held], on_hand: &BTreeMap<String, i64>, received: &BTreeMap<String, i64>) -> u64 {
    let mut promised: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for held in held.iter().filter(|held| held.hard && held.state != "released") {
        let (ever, open) = promised.entry(&held.sku).or_default();
        *ever += held.quantity;
        if held.state != "fulfilled" && held.state != "shorted" {
            *open += held.quantity;
        }
    }
    let beyond = |(sku, (ever, open)): (&str, (i64, i64))| {
        let of = |goods: &BTreeMap<String, i64>| goods.get(sku).copied().unwrap_or(0).max(0);
        (ever - of(received)).max(open - of(on_hand)).max(0) as u64
    };
    promised.into_iter().map(beyond).sum()
}

fn ask_one(door: &Door, index: usize, wishes: &[Wish], asked: &Mutex<Asked>) -> Result<(), String> {
    for (n, wish) in wishes.iter().enumerate() {
        let body = json!({
            "sku": wish.sku, "quantity": wish.quantity, "stores": [wish.store], "channel": "pickup",
            "reference": format!("order-{index}-{n}"),
        });
        let answer = door.write("/v1/reservations", Some(&format!("demo-reserve-{n}")), &body)?;
        let Some(id) = answer["id"].as_str() else {
            asked.lock().unwrap_or_else(PoisonError::into_inner).turned_down += 1;
            continue;
        };
        let (store, sku) = (wish.store, wish.sku.to_owned());
        let made = Made { store, sku, quantity: wish.quantity, hard: answer["outcome"] == "hard" };
        asked.lock().unwrap_or_else(PoisonError::into_inner).made.insert(id.to_owned(), made);
        door.write(&format!("/v1/reservations/{id}/confirm"), Some(&format!("demo-confirm-{n}")), &json!({}))?;
    }
    Ok(())
}

/// The goods that a store's tills sell most between two times of day.
fn wanted(sample: &Sample, store: u32, (from_s, to_s): (u32, u32)) -> Vec<Wish> {
    let mut sold: BTreeMap<&'static str, i64> = BTreeMap::new();
    for basket in sample.of_store(store).filter(|basket| (from_s..to_s).contains(&basket.at_s)) {
        for line in &basket.lines {
            *sold.entry(line.sku).or_default() += line.quantity;
        }
    }
    let mut most: Vec<_> = sold.into_iter().collect();
    most.sort_by_key(|(sku, units)| (std::cmp::Reverse(*units), *sku));
    most.truncate(WISHES_PER_STORE);
    most.into_iter().map(|(sku, _)| Wish { store, sku, quantity: UNITS_PER_WISH }).collect()
}

fn reservations(door: &Door, store: u32) -> Result<Vec<Held>, String> {
    let rows = door.pages("/v1/reservations", &format!("&store={store}"))?;
    let held = |row: &Value| {
        Some(Held {
            id: row["id"].as_str()?.into(),
            state: row["state"].as_str()?.into(),
            store: row["store"].as_u64()? as u32,
            sku: row["sku"].as_str()?.into(),
            quantity: row["quantity"].as_i64()?,
            hard: row["outcome"] == "hard",
            compensated: row["compensation"]["remedy"].as_str().is_some_and(|remedy| remedy != "due"),
            of_order: row["reference"].as_str().is_some_and(|reference| OrderId::parse(reference).is_some()),
        })
    };
    let mut all = rows
        .iter()
        .map(|row| held(row).ok_or_else(|| format!("the reservations have a row {row}")))
        .collect::<Result<Vec<_>, _>>()?;
    all.sort();
    Ok(all)
}

/// The store that has one unit of something.
pub const LAST_UNIT_AT: u32 = 1;

/// The till that sells it.
const LAST_TILL: u32 = 9;

/// Products that are asked for per store, on line and at the counter.
const WISHES_PER_STORE: usize = 20;

/// More than half of what a store has to spare, so that not every wish can be met.
const UNITS_PER_WISH: i64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn held(id: &str, state: &str, quantity: i64, hard: bool) -> Held {
        let (id, state, sku) = (id.into(), state.into(), "A".into());
        Held { id, state, store: 1, sku, quantity, hard, compensated: false, of_order: false }
    }

    #[test]
    fn a_unit_promised_twice_is_found_whatever_a_till_sold() {
        let goods = |units| BTreeMap::from([("A".to_owned(), units)]);
        let twice = [held("1", "shorted", 1, true), held("2", "shorted", 1, true)];
        assert_eq!(oversold_at(&twice, &goods(0), &goods(1)), 1);
        let once = [held("1", "shorted", 1, true), held("2", "released", 1, true), held("3", "held", 9, false)];
        assert_eq!(oversold_at(&once, &goods(0), &goods(1)), 0);
        let silent = [held("1", "confirmed", 2, true)];
        assert_eq!(oversold_at(&silent, &goods(1), &goods(5)), 1, "somebody should have been told");
        assert_eq!(oversold_at(&silent, &BTreeMap::new(), &BTreeMap::new()), 2);
        assert_eq!(oversold_at(&[held("1", "fulfilled", 5, true)], &goods(0), &goods(5)), 0);
    }

    #[test]
    fn the_goods_that_are_asked_for_are_those_that_tills_sell_meanwhile() {
        let sample = Sample::load().unwrap();
        for store in 1..=STORES {
            let wishes = wanted(&sample, store, (12 * 3_600, 14 * 3_600));
            assert_eq!(wishes.len(), WISHES_PER_STORE);
            let stock = sample.opening_stock(store);
            assert!(wishes.iter().all(|wish| stock.contains_key(wish.sku)));
        }
        assert!(!sample.opening_stock(LAST_UNIT_AT).contains_key(sample.last_unit()));
    }
}

//! Baskets of members and of people with coupons: priced by the node, and then paid, both through `POST /v1/checkout`. What was acknowledged is
//! remembered apart from the tills of the day, and checked with it.

use std::time::Instant;

use serde_json::{Value, json};

use super::check::Units;
use super::door::Door;
use super::sample::Sample;
use super::till::Ack;

/// What was sold at the counters.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    /// Sales.
    pub acks: Vec<Ack>,
    /// What went from the shelves with them.
    pub units: Units,
}

impl Counter {
    /// What a store's node says of a basket with what the customer shows, e.g. her account; nothing is written.
    pub fn quote(&self, (store, door): (u32, &Door), sample: &Sample, shows: &Value) -> Result<Value, String> {
        door.write("/v1/checkout", None, &basket(&goods(sample, store), shows))
    }

    /// A basket that is priced and paid. Gives its sale.
    pub fn buy(&mut self, (store, door): (u32, &Door), sample: &Sample, shows: &Value) -> Result<Ack, String> {
        let (started, goods) = (Instant::now(), goods(sample, store));
        let quote = self.quote((store, door), sample, shows)?;
        let total = quote["total"].as_i64().ok_or_else(|| format!("a quote has no total: {quote}"))?;
        let till_seq = self.acks.iter().filter(|ack| ack.store == store).count() as u64 + 1;
        let mut body = basket(&goods, shows);
        body["then"] = "pay".into();
        body["till_seq"] = till_seq.into();
        body["expected_total"] = total.into();
        body["tenders"] = json!([{ "kind": "card", "amount": total, "assurance": "captured", "reference": "demo" }]);
        let sold = door.write("/v1/checkout", None, &body)?;
        let receipt = sold["receipt"].as_str().ok_or_else(|| format!("no receipt was given: {sold}"))?.to_owned();
        for sku in &goods {
            *self.units.entry((store, (*sku).to_owned())).or_default() += 1;
        }
        let (lines, took, tries) = (goods.len(), started.elapsed(), 1);
        let ack = Ack { store, till: TILL, till_seq, receipt, total, lines, took, tries, replayed: false };
        self.acks.push(ack.clone());
        Ok(ack)
    }
}

fn basket(goods: &[&str], shows: &Value) -> Value {
    let lines: Vec<_> = goods.iter().map(|sku| json!({ "sku": sku, "quantity": 1 })).collect();
    let mut body = json!({ "till": TILL, "then": "quote", "cashier": "carl", "lines": lines });
    for (name, value) in shows.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// Goods of a store that the day's customers hardly want, so that nobody goes without for them.
fn goods(sample: &Sample, store: u32) -> Vec<&'static str> {
    let stock = sample.opening_stock(store);
    stock.into_iter().rev().filter(|(_, units)| *units == SELDOM).map(|(sku, _)| sku).take(LINES).collect()
}

/// The till where they pay.
const TILL: u32 = 8;

/// Goods of which at most a case is sold that day lie there by so many.
const SELDOM: i64 = 12;

/// Goods in a basket.
const LINES: usize = 3;

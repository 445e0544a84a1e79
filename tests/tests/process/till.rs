//! A till: it numbers its sales, asks until it has an answer, and remembers every receipt that it got.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::door::Door;

/// What one till believes.
#[derive(Debug)]
pub struct Till {
    number: u32,
    store: u32,
    /// By the till's own number of the sale: its receipt and total.
    acknowledged: BTreeMap<u64, (String, i64)>,
    /// Tries that had no answer.
    pub retries: u64,
}

impl Till {
    /// One that has sold nothing.
    pub fn new(store: u32, number: u32) -> Self {
        Self { number, store, acknowledged: BTreeMap::new(), retries: 0 }
    }

    /// The next sale as it is sent, always the same for the same number.
    pub fn next(&self) -> (u64, Value) {
        let seq = self.acknowledged.len() as u64 + 1;
        let quantity = 1 + (seq + u64::from(self.number)) % 3;
        let body = json!({
            "till": self.number, "till_seq": seq, "cashier": "ann",
            "lines": [{ "sku": "milk", "quantity": quantity, "unit_price": 129 }],
            "tenders": [{ "kind": "cash", "amount": quantity * 129 }],
        });
        (seq, body)
    }

    /// Tries the next sale once. A refusal is a failure of the test; no answer is not.
    pub fn try_sell(&mut self, door: &Door) -> Result<(), String> {
        let (seq, body) = self.next();
        let reply = door.post("/v1/sales", None, &body);
        match reply {
            Ok(reply) if matches!(reply.status, 200 | 201) => {
                let receipt = reply.body["receipt"].as_str().expect("a sale has a receipt").to_owned();
                let total = reply.body["total"].as_i64().expect("a sale has a total");
                self.acknowledged.insert(seq, (receipt, total));
                Ok(())
            }
            Ok(reply) if matches!(reply.status, 500 | 503 | 504) => self.again(reply.body.to_string()),
            Ok(reply) => panic!("till {} sale {seq}: {}: {}", self.number, reply.status, reply.body),
            Err(error) => self.again(error),
        }
    }

    /// Sells once, with retries within a bound. The door may change between tries.
    pub fn sell(&mut self, bound: Duration, door: impl Fn() -> Door) {
        let started = Instant::now();
        while let Err(error) = self.try_sell(&door()) {
            assert!(started.elapsed() < bound, "till {}: {error}", self.number);
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Sales that were acknowledged.
    pub fn sold(&self) -> u64 {
        self.acknowledged.len() as u64
    }

    /// Where it stands.
    pub fn store(&self) -> u32 {
        self.store
    }

    /// Pieces on them.
    pub fn pieces(&self) -> i64 {
        self.acknowledged.values().map(|(_, total)| total / 129).sum()
    }

    /// Every acknowledged sale stands at a node as it was acknowledged, and its receipts have no gap within each series.
    pub fn check(&self, door: &Door) {
        for (seq, (receipt, total)) in &self.acknowledged {
            let sale = door.read(&format!("/v1/sales/{}/{seq}?store={}", self.number, self.store));
            let sale = sale.unwrap_or_else(|error| panic!("till {} sale {seq} is lost: {error}", self.number));
            assert_eq!((sale["receipt"].as_str(), sale["total"].as_i64()), (Some(receipt.as_str()), Some(*total)));
        }
        let till = door.read(&format!("/v1/tills/{}", self.number));
        if let Ok(till) = till {
            assert_eq!(till["next_till_seq"].as_u64(), Some(self.sold() + 1), "{till}");
        }
        self.gapless();
    }

    /// The receipts in each series, which are those of the epochs: first number, then one after the other.
    pub fn series(&self) -> BTreeMap<u64, Vec<u64>> {
        let mut series: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (receipt, _) in self.acknowledged.values() {
            let parts: Vec<u64> = receipt.split('-').map(|part| part.parse().expect("four numbers")).collect();
            assert_eq!((parts.len(), parts[0], parts[1]), (4, u64::from(self.store), u64::from(self.number)));
            series.entry(parts[2]).or_default().push(parts[3]);
        }
        series
    }

    fn gapless(&self) {
        for (series, numbers) in self.series() {
            let wanted: Vec<u64> = (1..=numbers.len() as u64).collect();
            assert_eq!(numbers, wanted, "till {} series {series}", self.number);
        }
    }

    fn again(&mut self, error: String) -> Result<(), String> {
        self.retries += 1;
        Err(error)
    }
}

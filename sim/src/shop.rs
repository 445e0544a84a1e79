//! What people do in a simulated shop, as short as a test wants to say it: a catalogue, plain sales.

use stockroom_core::input::promises::{ReserveRequest, StepRequest};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::{Channel, Product};
use stockroom_crdt::receiving::{Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_crdt::stock::policy::PolicyRule;
use stockroom_crdt::stock::promise::{PromiseId, Step};

use crate::world::World;

impl World {
    /// Puts products into the hub's catalogue.
    pub fn put_products(&mut self, products: &[(&str, Unit)]) {
        let product = |&(sku, unit): &(&str, Unit)| Product {
            sku: Sku::parse(sku).expect("a test names a SKU"),
            name: sku.into(),
            unit,
            barcodes: Vec::new(),
            item_number: 0,
            tax_code: Code::default(),
            department: Code::default(),
            owner: Code::default(),
            age_min: 0,
            excluded: 0,
            discontinued: false,
        };
        let key = Digest::of(&[b"products", &self.now_ms.to_be_bytes(), format!("{products:?}").as_bytes()]);
        let products = products.iter().map(product).collect();
        self.command(1, Command::Products(RetryKey { key, body: key }, products)).expect("a hub keeps the catalogue");
    }

    /// Says at the hub how everything may be promised.
    pub fn put_rule(&mut self, rule: PolicyRule) {
        let key = Digest::of(&[b"rule", &self.now_ms.to_be_bytes(), format!("{rule:?}").as_bytes()]);
        self.command(1, Command::PolicyRule(RetryKey { key, body: key }, rule)).expect("a hub keeps rules");
    }

    /// Books goods in at a store's node.
    pub fn receive(&mut self, id: u32, sku: &str, quantity: i64) {
        let key = Digest::of(&[b"receipt", &self.now_ms.to_be_bytes(), &id.to_be_bytes(), sku.as_bytes()]);
        let line = ReceiptLine {
            sku: Sku::parse(sku).expect("a test names a SKU"),
            unit: Unit::Each,
            quantity,
            lot: Code::default(),
            expiry_day: 0,
        };
        let receipt = GoodsReceipt { document: Code::default(), staff: Code::default(), lines: vec![line] };
        self.command(id, Command::Receive(RetryKey { key, body: key }, receipt)).expect("known goods are booked in");
    }

    /// Reserves goods for pickup at one of the stores, the best first; `n` is the retry key.
    pub fn reserve(
        &mut self,
        id: u32,
        n: u64,
        (sku, quantity): (&str, u64),
        stores: &[u32],
    ) -> Result<Answer, Refusal> {
        let key = Digest::of(&[b"reserve", &id.to_be_bytes(), &n.to_be_bytes()]);
        let request = ReserveRequest {
            sku: Sku::parse(sku).expect("a test names a SKU"),
            unit: None,
            quantity,
            stores: stores.iter().map(|store| StoreId(*store)).collect(),
            channel: Channel::Pickup,
            priority: 100,
            wanted_ms: 0,
            hold_ms: None,
            reference: Code::default(),
            soft: true,
        };
        self.command(
            id,
            Command::Reserve(RetryKey { key, body: Digest::of(&[format!("{request:?}").as_bytes()]) }, request),
        )
    }

    /// Says something about a promise.
    pub fn say_of(&mut self, id: u32, promise: PromiseId, step: Step) -> Result<Answer, Refusal> {
        let key = Digest::of(&[
            b"step",
            &self.now_ms.to_be_bytes(),
            &id.to_be_bytes(),
            format!("{promise} {step:?}").as_bytes(),
        ]);
        let request = StepRequest { promise, step, note: Code::default(), staff: Code::default() };
        self.command(id, Command::Step(RetryKey { key, body: key }, request))
    }

    /// Rings up a plain sale for 100 minor units apiece, paid in cash.
    pub fn sell(&mut self, id: u32, till: u32, n: u64, lines: &[(&str, i64)]) -> Result<Answer, Refusal> {
        self.sell_at(id, (till, n, None), lines)
    }

    /// [`World::sell`] by till, its number of the sale, and the till's own clock.
    pub fn sell_at(
        &mut self,
        id: u32,
        (till, n, rung_ms): (u32, u64, Option<u64>),
        lines: &[(&str, i64)],
    ) -> Result<Answer, Refusal> {
        let line = |&(sku, quantity): &(&str, i64)| SellLine {
            sku: Sku::parse(sku).expect("a test names a SKU"),
            unit: None,
            quantity,
            unit_price: Some(100),
            discount: 0,
            discount_reason: Code::default(),
            tax: None,
            lot: Code::default(),
            original: None,
            disposition: Disposition::Resale,
        };
        let amount = lines.iter().map(|(_, quantity)| 100 * quantity).sum();
        let request = SellRequest {
            till: TillId(till),
            till_seq: n,
            body: Digest::of(&[&n.to_be_bytes(), format!("{lines:?}").as_bytes()]),
            rung_ms,
            currency: Currency::parse("EUR"),
            cashier: Code::default(),
            approver: Code::default(),
            seller: Code::default(),
            foreign_key: Code::default(),
            fiscal: Vec::new(),
            lines: lines.iter().map(line).collect(),
            cash_rounding: 0,
            tenders: vec![Tender { kind: TenderKind::Cash, amount, reference: Code::default() }],
        };
        self.command(id, Command::Sell(request))
    }
}

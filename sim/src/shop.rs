//! What people do in a simulated shop, as short as a test wants to say it: a catalogue, plain sales.

use stockroom_core::input::{Answer, Command, Refusal, RetryKey, SellLine, SellRequest};
use stockroom_crdt::ids::{Code, Digest, Sku, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Product;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Tender, TenderKind};

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

//! What people do with orders, in short words: for tests and scenarios.

use stockroom_core::input::orders::{
    FulfilRequest, PassRequest, PayRequest, PlaceLine, PlaceRequest, Proof, SayRequest,
};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::view::View;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::intent::Saying;
use stockroom_crdt::order::resolve::{Fulfillment, Outcome};
use stockroom_crdt::order::step::{Step, StepLine};
use stockroom_crdt::product::Channel;

use crate::world::World;

/// A pickup order of these products at these stores, with everything else as usual. Prices are 100 each.
pub fn pickup(reference: &str, lines: &[(&str, i64)], stores: &[u32]) -> PlaceRequest {
    PlaceRequest {
        channel: Channel::Pickup,
        source: Code::parse("app").expect("a word is a code"),
        reference: Code::parse(reference).expect("a reference is a code"),
        entity: Code::default(),
        currency: None,
        due_ms: None,
        release_ms: 0,
        priority: 0,
        place: None,
        stores: stores.iter().map(|store| StoreId(*store)).collect(),
        contact: Vec::new(),
        phone_end: Code::parse("1234").expect("digits are a code"),
        authorised: None,
        captured: lines.iter().map(|(_, units)| units * 100).sum(),
        payment: Code::default(),
        partial: false,
        lines: lines.iter().map(|(sku, quantity)| line(sku, *quantity)).collect(),
    }
}

/// The same for a delivery, from any store.
pub fn delivery(reference: &str, lines: &[(&str, i64)]) -> PlaceRequest {
    let currency = stockroom_crdt::money::Currency::parse("EUR");
    PlaceRequest {
        channel: Channel::Delivery,
        currency: Some(currency.expect("euros are a currency")),
        ..pickup(reference, lines, &[])
    }
}

fn line(sku: &str, quantity: i64) -> PlaceLine {
    PlaceLine {
        sku: Sku::parse(sku).expect("a test names a SKU"),
        unit: None,
        quantity,
        unit_price: Some(100),
        preference: Preference::Ask,
        tolerance_percent: None,
    }
}

/// A step about a fulfillment at the store's own node.
pub fn step(order: OrderId, step: Step) -> FulfilRequest {
    FulfilRequest {
        order,
        store: None,
        generation: None,
        step,
        lines: Vec::new(),
        note: Code::default(),
        staff: Code::parse("anna").expect("a name is a code"),
        device: 1,
        proof: Proof::None,
        holder: Code::default(),
        anew: false,
    }
}

/// A line of a step.
pub fn found(line: u16, quantity: i64, reason: &str) -> StepLine {
    StepLine { line, quantity, reason: Code::parse(reason).expect("a reason is a code"), substitute: None }
}

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"order", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

impl World {
    /// Places an order at its home; gives its name and the code.
    pub fn place(&mut self, home: u32, request: PlaceRequest) -> Option<(OrderId, String)> {
        let words = format!("{}{}", request.source, request.reference);
        match self.command(home, Command::PlaceOrder(key(&words), Box::new(request))) {
            Ok(Answer::Placed { order, code, .. }) => Some((order, code)),
            Ok(_) | Err(_) => None,
        }
    }

    /// Says something about a fulfillment; `n` makes the request another one than before.
    pub fn fulfil(&mut self, node: u32, n: u64, request: FulfilRequest) -> Result<Answer, Refusal> {
        let words = format!("{node} {n} {request:?}");
        self.command(node, Command::Fulfil(key(&words), Box::new(request)))
    }

    /// Takes a fulfillment from its offer to the bay, everything found.
    pub fn make_ready(&mut self, node: u32, order: OrderId) -> Result<(), Refusal> {
        for doing in [Step::Accept, Step::Pick, Step::Ready] {
            self.fulfil(node, 0, step(order, doing))?;
        }
        Ok(())
    }

    /// Hands an order over for its code.
    pub fn hand_over(&mut self, node: u32, (order, code): (OrderId, &str)) -> Result<Answer, Refusal> {
        let proof = Proof::Code(code.into());
        self.fulfil(node, self.clock(node).mono_ms, FulfilRequest { proof, ..step(order, Step::HandOver) })
    }

    /// The customer, or head office, says something of an order.
    pub fn say_order(
        &mut self,
        home: u32,
        n: u64,
        (order, saying, note): (OrderId, Saying, &str),
    ) -> Result<Answer, Refusal> {
        let request = SayRequest {
            order,
            saying,
            lines: Vec::new(),
            note: Code::parse(note).expect("a note is a code"),
            by: Code::parse("customer").expect("a word is a code"),
            stores: Vec::new(),
        };
        self.command(home, Command::SayOrder(key(&format!("{n} {request:?}")), request))
    }

    /// A pass for a customer's phone.
    pub fn pass(&mut self, home: u32, order: OrderId) -> Result<Vec<u8>, Refusal> {
        let request = PassRequest { order, store: None, delegate: Code::default() };
        match self.command(home, Command::IssuePass(key("pass"), request))? {
            Answer::Pass { bytes, .. } => Ok(bytes),
            _ => Err(Refusal::State("no pass was given".into())),
        }
    }

    /// The gateway captured so much.
    pub fn captured(&mut self, home: u32, order: OrderId, captured: i64) -> Result<Answer, Refusal> {
        let request = PayRequest { order, authorised: captured, captured, refunded: 0, reference: Code::default() };
        self.command(home, Command::Pay(key(&format!("{request:?}")), request))
    }

    /// What an order adds up to where the order itself is known.
    pub fn outcome(&self, node: u32, order: OrderId) -> Option<Outcome> {
        View::new(&*self.snapshot(node)).outcome(order).expect("the store of a simulated node reads")
    }

    /// The newest fulfillment of an order at a store, as a node knows it.
    pub fn part(&self, node: u32, (order, store): (OrderId, u32)) -> Option<Fulfillment> {
        let known = View::new(&*self.snapshot(node)).order(order).expect("the store of a simulated node reads");
        known.fulfillments().into_iter().filter(|part| part.store == StoreId(store)).max_by_key(|part| part.generation)
    }
}

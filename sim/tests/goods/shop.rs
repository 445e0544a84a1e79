//! A hub and its stores, and what people do there, as short as the stories want to say it.

use std::collections::BTreeMap;

use stockroom_core::books::STORE_TABLES;
use stockroom_core::input::goods::{AskRequest, CameLine, Doubtful, ReceiveRequest, ShipOrder, ShipRequest, Uncounted};
use stockroom_core::input::sales::{SellLine, SellRequest};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::storage::Table;
use stockroom_core::view::View;
use stockroom_crdt::count::{CountOpen, CountScan, Sheet};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{Tender, TenderKind};
use stockroom_crdt::stock::transit::Transfer;
use stockroom_crdt::transfer::{AskedLine, TransferId, part};
use stockroom_sim::oracle::rows;
use stockroom_sim::world::World;

/// What a command came to.
pub type Outcome = Result<Answer, Refusal>;

/// A chain whose hub is node 1; the node of store n is n + 1.
pub struct Chain {
    pub world: World,
    keys: u64,
}

impl Chain {
    /// Two stores of one group, linked with their hub and with each other.
    pub fn new(seed: u64) -> Self {
        let mut chain = Self::of(seed, ["street", "street"]);
        chain.world.connect(2, 3);
        chain.world.run_ms(3_000);
        chain
    }

    /// Two stores, each of its group, linked with their hub.
    pub fn of(seed: u64, groups: [&str; 2]) -> Self {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for (store, group) in (1..).zip(groups) {
            world.enrol_in_group(store, group);
        }
        world.put_products(&[("TEA", Unit::Each), ("MILK", Unit::Each), ("RICE", Unit::Gram)]);
        world.connect(2, 1);
        world.connect(3, 1);
        world.run_ms(3_000);
        Self { world, keys: 0 }
    }

    pub fn key(&mut self) -> RetryKey {
        self.keys += 1;
        let key = Digest::of(&[b"goods", &self.keys.to_be_bytes()]);
        RetryKey { key, body: key }
    }

    /// How many things were asked for so far.
    pub fn mark(&self) -> u64 {
        self.keys
    }

    /// What comes next is asked under the same numbers as after `mark`.
    pub fn again_from(&mut self, mark: u64) {
        self.keys = mark;
    }

    pub fn deliver(&mut self, node: u32, lines: &[(&str, i64, &str, u32)]) {
        let line = |&(name, quantity, lot, expiry_day): &(&str, i64, &str, u32)| ReceiptLine {
            sku: sku(name),
            unit: unit(name),
            quantity,
            lot: code(lot),
            expiry_day,
        };
        let lines = lines.iter().map(line).collect();
        let receipt = GoodsReceipt { document: code("D-1"), staff: code("joe"), lines };
        let command = Command::Receive(self.key(), receipt);
        self.world.command(node, command).unwrap();
    }

    /// Sells, or takes back what has a negative quantity, at 100 minor units apiece.
    pub fn sell(&mut self, node: u32, name: &str, quantity: i64, disposition: Disposition) -> Outcome {
        self.keys += 1;
        let line = SellLine {
            sku: sku(name),
            unit: None,
            quantity,
            unit_price: Some(100),
            discount: 0,
            discount_reason: Code::default(),
            tax: None,
            lot: Code::default(),
            original: None,
            disposition,
        };
        let request = SellRequest {
            till: TillId(1),
            till_seq: self.keys,
            body: Digest::of(&[&self.keys.to_be_bytes()]),
            rung_ms: None,
            currency: None,
            cashier: code("ann"),
            approver: code("eve"),
            seller: Code::default(),
            foreign_key: Code::default(),
            fiscal: Vec::new(),
            lines: vec![line],
            cash_rounding: 0,
            tenders: vec![Tender { kind: TenderKind::Cash, amount: 100 * quantity, reference: Code::default() }],
        };
        self.world.command(node, Command::Sell(request))
    }

    pub fn decide(&mut self, node: u32, quantity: i64, resale: bool) -> Outcome {
        let (sku, reason, staff) = (sku("TEA"), code("looked at"), code("joe"));
        let decision = Decision { sku, unit: Unit::Each, quantity, resale, reason, lot: Code::default(), staff };
        let command = Command::Decide(self.key(), decision);
        self.world.command(node, command)
    }

    pub fn adjust(&mut self, node: u32, delta: i64, reason: &str) -> Outcome {
        let (sku, reason, staff) = (sku("TEA"), code(reason), code("joe"));
        let adjustment = Adjustment { sku, unit: Unit::Each, delta, reason, lot: Code::default(), staff };
        let command = Command::Adjust(self.key(), adjustment);
        self.world.command(node, command)
    }

    pub fn ask(&mut self, node: u32, from: u32, lines: &[(&str, i64)]) -> TransferId {
        let line = |&(name, quantity): &(&str, i64)| AskedLine { sku: sku(name), unit: unit(name), quantity };
        let (staff, reason, lines) = (code("joe"), code("promotion"), lines.iter().map(line).collect());
        let request = AskRequest { from: StoreId(from), due_ms: None, staff, reason, lines };
        let command = Command::AskTransfer(self.key(), request);
        let answer = self.world.command(node, command);
        self.number(node, &answer)
    }

    pub fn ship(&mut self, node: u32, order: ShipOrder, lines: &[(&str, i64, &str, u32)], approver: &str) -> Outcome {
        let key = self.key();
        self.ship_as(key, node, order, lines, approver)
    }

    /// [`Chain::ship`] under a retry key of the caller's.
    pub fn ship_as(
        &mut self,
        key: RetryKey,
        node: u32,
        order: ShipOrder,
        lines: &[(&str, i64, &str, u32)],
        approver: &str,
    ) -> Outcome {
        let line = |&(name, quantity, lot, expiry_day): &(&str, i64, &str, u32)| ReceiptLine {
            sku: sku(name),
            unit: unit(name),
            quantity,
            lot: code(lot),
            expiry_day,
        };
        let (staff, approver, lines) = (code("kim"), code(approver), lines.iter().map(line).collect());
        self.world
            .command(node, Command::ShipTransfer(key, ShipRequest { order, due_ms: None, staff, approver, lines }))
    }

    /// Receives these units for these reasons, or everything as it was shipped.
    pub fn receive(&mut self, node: u32, id: TransferId, lines: Option<&[(&str, i64, &str)]>) -> Outcome {
        let line = |&(name, quantity, reason): &(&str, i64, &str)| CameLine {
            sku: sku(name),
            unit: unit(name),
            quantity,
            lot: Code::default(),
            expiry_day: 0,
            reason: code(reason),
        };
        let lines = lines.map(|lines| lines.iter().map(line).collect());
        let command = Command::ReceiveTransfer(self.key(), ReceiveRequest { id, staff: code("joe"), lines });
        self.world.command(node, command)
    }

    pub fn open_count(&mut self, session: u64, names: &[&str]) -> Outcome {
        let lines = names.iter().map(|name| (sku(name), unit(name))).collect();
        let open = CountOpen { session, sheet: Sheet::Listed, blind: false, staff: code("eve"), lines };
        let command = Command::CountOpen(self.key(), open);
        self.world.command(2, command)
    }

    /// A counter finds so many in a zone.
    pub fn scan(&mut self, session: u64, (zone, staff): (&str, &str), name: &str, quantity: i64) -> Outcome {
        self.scan_in(session, (zone, staff, false), (name, unit(name)), quantity)
    }

    /// [`Chain::scan`] in a unit of the caller's, and settling the zone or not.
    pub fn scan_in(
        &mut self,
        session: u64,
        (zone, staff, settles): (&str, &str, bool),
        (name, unit): (&str, Unit),
        quantity: i64,
    ) -> Outcome {
        let (zone, staff) = (code(zone), code(staff));
        let command =
            Command::CountScan(self.key(), CountScan { session, zone, sku: sku(name), unit, quantity, settles, staff });
        self.world.command(2, command)
    }

    pub fn close(&mut self, session: u64, doubtful: Doubtful, uncounted: Uncounted) -> Outcome {
        let (retry, staff) = (self.key(), code("eve"));
        self.world.command(2, Command::CountClose { retry, session, staff, doubtful, uncounted })
    }

    /// The transfer that a write was about.
    pub fn number(&self, node: u32, outcome: &Outcome) -> TransferId {
        let Ok(Answer::Written { place, .. }) = outcome else { panic!("{outcome:?}") };
        let snapshot = self.world.snapshot(node);
        let fact: Fact = View::new(&*snapshot).entry(*place).unwrap().unwrap().fact;
        part(&fact).unwrap().0
    }

    /// On hand by the book of a store, as a node knows it.
    pub fn on_hand(&self, node: u32, store: u32, name: &str) -> i64 {
        let snapshot = self.world.snapshot(node);
        let account = View::new(&*snapshot).account(StoreId(store), &sku(name), unit(name)).unwrap();
        account.map_or(0, |account| account.on_hand.quantity)
    }

    /// On hand, in quarantine, thrown away: tea of the first store, as a node knows it.
    pub fn tea(&self, node: u32) -> (i64, i64, i64) {
        let snapshot = self.world.snapshot(node);
        let account = View::new(&*snapshot).account(StoreId(1), &sku("TEA"), Unit::Each).unwrap().unwrap();
        (account.on_hand.quantity, account.aside.quarantined, account.aside.scrapped)
    }

    /// Tea of the first store by lot, then what is of no known lot.
    pub fn lots(&self, node: u32, store: u32) -> (Vec<(String, u32, i64)>, i64) {
        let snapshot = self.world.snapshot(node);
        let lots = View::new(&*snapshot).lots(StoreId(store), &sku("TEA"), Unit::Each).unwrap();
        let left = |left: &stockroom_crdt::stock::lots::Left| {
            (left.batch.lot.as_str().to_owned(), left.batch.expiry_day, left.quantity)
        };
        (lots.left.iter().map(left).collect(), lots.unassigned)
    }

    pub fn transfer(&self, node: u32, id: TransferId) -> Option<Transfer> {
        let snapshot = self.world.snapshot(node);
        View::new(&*snapshot).transfer(id).unwrap()
    }

    /// Waits until everybody has told everybody.
    pub fn settle(&mut self) {
        self.world.run_ms(10_000);
    }

    /// Throws the books of both stores away at a node: they must come out the same.
    pub fn rebuilds_alike(&mut self, node: u32) {
        let books = |world: &World| -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
            let rows = rows(&*world.snapshot(node)).into_iter();
            rows.filter(|((table, _), _)| STORE_TABLES.contains(table)).collect()
        };
        let before = books(&self.world);
        assert!(before.keys().any(|(table, _)| *table == Table::Accounts));
        let running = self.world.nodes.get_mut(&node).unwrap();
        let now = running.now(self.world.now_ms);
        let core = running.core.as_mut().unwrap();
        [1, 2].into_iter().for_each(|store| core.rebuild(StoreId(store)).unwrap());
        core.commit(now).unwrap();
        assert_eq!(books(&self.world), before, "node {node}");
    }
}

/// What was wrong with it, for people.
pub fn refused(outcome: Outcome) -> String {
    outcome.unwrap_err().to_string()
}

pub fn sku(name: &str) -> Sku {
    Sku::parse(name).unwrap()
}

pub fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

/// Rice is weighed.
pub fn unit(name: &str) -> Unit {
    if name == "RICE" { Unit::Gram } else { Unit::Each }
}

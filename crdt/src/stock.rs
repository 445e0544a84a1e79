//! Stock on hand: a pure function of the facts about one account, with its explanation.
//!
//! An account is (store, SKU, unit). Its figure is the newest count plus every movement that the count's cut does not cover.
//! The order in which facts arrive does not matter: replicas with the same facts give the same figure in the same words.
//! Goods in quarantine and on their way to another store are in no figure of stock on hand.

pub mod custody;
pub mod lots;
pub mod policy;
pub mod promise;
pub mod rights;
pub mod shortage;
pub mod transit;

use crate::clock::Hlc;
use crate::count::{CountClose, CountLine};
use crate::entry::{Entry, Fact};
use crate::ids::{Actor, Code, Sku, StoreId};
use crate::money::Unit;
use crate::order::returns::{GoodsReturn, ReturnId, ReturnLine};
use crate::receiving::{Disposition, ReceiptLine};
use crate::sale::{ReceiptNumber, Sale, SaleLine};
use crate::stock::promise::PromiseId;
use crate::transfer::TransferId;

/// Where an entry stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    /// In whose log of the store's stock scope.
    pub actor: Actor,
    /// At which sequence number.
    pub seq: u64,
}

/// What a fact does to one account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Adds a signed number of units.
    Move(Movement),
    /// Resets the figure.
    Count(Counted),
    /// Changes what stands beside the figure: goods in quarantine, and goods thrown away.
    Aside(Aside),
}

/// A change of what is not on the shelf. Counts do not touch it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Aside {
    /// Signed units in quarantine.
    pub quarantined: i64,
    /// Signed units thrown away after they had come back.
    pub scrapped: i64,
    /// When it happened, milliseconds since 1970.
    pub at_ms: u64,
    /// What it was.
    pub cause: Cause,
}

/// A movement of goods.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Movement {
    /// Signed units.
    pub delta: i64,
    /// When it happened at the till or at the door, milliseconds since 1970.
    pub at_ms: u64,
    /// What it was.
    pub cause: Cause,
    /// Which goods, as far as anybody looked.
    pub batch: Batch,
}

/// Goods that were made together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Batch {
    /// Batch or lot (GS1 AI 10), empty if unknown.
    pub lot: Code,
    /// Expiry as a day since 1970 (GS1 AI 17), 0 if unknown.
    pub expiry_day: u32,
}

/// Why goods moved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Sold, or taken back when the quantity is negative.
    Sale(ReceiptNumber),
    /// Received under this document.
    Receipt(String),
    /// Corrected for this reason.
    Adjustment(String),
    /// Handed over as promised.
    Issue(PromiseId),
    /// Somebody decided about goods in quarantine, for this reason.
    Decision(String),
    /// Shipped to another store.
    Shipped(TransferId, StoreId),
    /// Received from another store.
    Came(TransferId, StoreId),
    /// Brought back by a customer.
    Returned(ReturnId),
}

impl Batch {
    /// True when nobody knows which goods.
    pub fn is_unknown(&self) -> bool {
        self.lot.is_empty() && self.expiry_day == 0
    }

    fn of_lot(lot: &Code) -> Self {
        Self { lot: lot.clone(), expiry_day: 0 }
    }
}

/// A reset by a count.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Counted {
    /// The session.
    pub session: u64,
    /// What was on the shelves.
    pub quantity: i64,
    /// Last entry of the counting node's own log that the figure includes.
    pub cut: u64,
    /// How far the figure includes the store's other logs.
    pub others: Vec<(Actor, u64)>,
    /// When the last zone was scanned.
    pub scanned_ms: u64,
    /// The goods moved between the zones' scans.
    pub ambiguous: bool,
    /// Decides among concurrent counts.
    pub hlc: Hlc,
}

/// The answer to "how many, and why".
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OnHand {
    /// Units in the book; negative when more was sold than was ever booked in.
    pub quantity: i64,
    /// The count on which the figure rests.
    pub base: Option<Position>,
    /// How many movements came after it.
    pub movements: u64,
    /// Why somebody should count again, if so.
    pub recount: Option<Recount>,
}

/// Why a figure is doubtful.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Recount {
    /// Goods moved between the scans of two zones.
    MovedWhileCounting,
    /// A sale that arrived after the count was rung up before it.
    LateSale,
}

impl Recount {
    /// A sentence for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MovedWhileCounting => "goods moved while their zones were counted",
            Self::LateSale => "a sale rung up before the count arrived after it",
        }
    }
}

impl Counted {
    /// True when the figure already includes what stands at `position`, given that `at` is where the count itself stands.
    pub fn covers(&self, at: Position, position: Position) -> bool {
        if position.actor == at.actor {
            position.seq <= self.cut
        } else {
            self.others.iter().any(|&(actor, seq)| actor == position.actor && position.seq <= seq)
        }
    }

    fn of(line: &CountLine, close: &CountClose, hlc: Hlc) -> Self {
        Self {
            session: close.session,
            quantity: line.quantity,
            cut: line.cut,
            others: close.others.clone(),
            scanned_ms: line.scanned_ms,
            ambiguous: line.ambiguous,
            hlc,
        }
    }
}

/// What an entry does to the accounts of its store, line by line.
pub fn effects(entry: &Entry) -> Vec<(Sku, Unit, Effect)> {
    let now_ms = entry.hlc.ms();
    let moved = |delta, cause, batch| Effect::Move(Movement { delta, at_ms: now_ms, cause, batch });
    match &entry.fact {
        Fact::Sale(sale) => sale.lines.iter().map(|line| (line.sku.clone(), line.unit, of_line(sale, line))).collect(),
        Fact::GoodsReceipt(receipt) => {
            let cause = Cause::Receipt(receipt.document.as_str().into());
            of_lines(&receipt.lines, |line| moved(line.quantity, cause.clone(), batch_of(line)))
        }
        Fact::TransferShip(ship) => {
            let cause = Cause::Shipped(ship.id, ship.to);
            of_lines(&ship.lines, |line| moved(-line.quantity, cause.clone(), batch_of(line)))
        }
        Fact::TransferReceive(receive) => {
            let cause = Cause::Came(receive.id, receive.from);
            of_lines(&receive.lines, |line| moved(line.quantity, cause.clone(), batch_of(line)))
        }
        Fact::Adjustment(adjustment) => {
            let cause = Cause::Adjustment(adjustment.reason.as_str().into());
            let effect = moved(adjustment.delta, cause, Batch::of_lot(&adjustment.lot));
            vec![(adjustment.sku.clone(), adjustment.unit, effect)]
        }
        Fact::Decision(decision) => {
            let cause = Cause::Decision(decision.reason.as_str().into());
            let (quarantined, scrapped) = (-decision.quantity, if decision.resale { 0 } else { decision.quantity });
            let aside = Effect::Aside(Aside { quarantined, scrapped, at_ms: now_ms, cause: cause.clone() });
            let back = moved(decision.quantity, cause, Batch::of_lot(&decision.lot));
            let both = [Some(aside), decision.resale.then_some(back)].into_iter().flatten();
            both.map(|effect| (decision.sku.clone(), decision.unit, effect)).collect()
        }
        Fact::GoodsIssue(issue) => {
            let (account, cause) = (&issue.account, Cause::Issue(issue.promise));
            vec![(account.sku.clone(), account.unit, moved(-issue.quantity, cause, Batch::default()))]
        }
        Fact::GoodsReturn(returned) => {
            returned.lines.iter().map(|line| (line.sku.clone(), line.unit, of_return(returned, line))).collect()
        }
        Fact::CountClose(close) => close
            .lines
            .iter()
            .map(|line| (line.sku.clone(), line.unit, Effect::Count(Counted::of(line, close, entry.hlc))))
            .collect(),
        Fact::EpochOpen(_)
        | Fact::Boot(_)
        | Fact::Node(_)
        | Fact::Fence(_)
        | Fact::Store(_)
        | Fact::Fork(_)
        | Fact::Product(_)
        | Fact::Recall(_)
        | Fact::Price(_)
        | Fact::Template(_)
        | Fact::CountScan(_)
        | Fact::DayOpen(_)
        | Fact::DayClose(_)
        | Fact::PolicyRule(_)
        | Fact::Rights(_)
        | Fact::Promise(_)
        | Fact::PromiseStep(_)
        | Fact::Want(_)
        | Fact::Hint(_)
        | Fact::Shortage(_)
        | Fact::Compensation(_)
        | Fact::Retire(_)
        | Fact::Consent(_)
        | Fact::TransferAsk(_)
        | Fact::CountOpen(_)
        | Fact::Order(_)
        | Fact::Offer(_)
        | Fact::FulfillmentStep(_)
        | Fact::OrderStep(_)
        | Fact::Payment(_)
        | Fact::Redress(_)
        | Fact::PassShown(_)
        | Fact::Routing(_)
        | Fact::Service(_)
        | Fact::OrderLimits(_)
        | Fact::ReturnGrant(_)
        | Fact::TaxRate(_)
        | Fact::TillRules(_)
        | Fact::Promotion(_)
        | Fact::SaleHours(_)
        | Fact::Staff(_)
        | Fact::Basket(_)
        | Fact::BasketStep(_)
        | Fact::Checkout(_)
        | Fact::ShiftOpen(_)
        | Fact::CashMove(_)
        | Fact::ShiftClose(_)
        | Fact::TenderStep(_)
        | Fact::LabelDone(_)
        | Fact::Loyalty(_)
        | Fact::PointsRow(_)
        | Fact::Campaign(_)
        | Fact::Coupon(_)
        | Fact::Redemption(_)
        | Fact::Quota(_)
        | Fact::SalePoints(_)
        | Fact::Member(_)
        | Fact::MemberValue(_)
        | Fact::MemberLink(_)
        | Fact::MemberUnlink(_)
        | Fact::MemberConsent(_)
        | Fact::MemberErase(_)
        | Fact::NoteChange(_)
        | Fact::NoteSnapshot(_)
        | Fact::Opaque(_) => Vec::new(),
    }
}

/// What a line of a sale does. Goods that come back are on hand again only if they can be sold again.
fn of_line(sale: &Sale, line: &SaleLine) -> Effect {
    let (back, at_ms, cause) = (-line.quantity, sale.rung_ms, Cause::Sale(sale.receipt));
    match line.disposition {
        Disposition::Resale => Effect::Move(Movement { delta: back, at_ms, cause, batch: Batch::of_lot(&line.lot) }),
        Disposition::Quarantine => Effect::Aside(Aside { quarantined: back, scrapped: 0, at_ms, cause }),
        Disposition::Scrap => Effect::Aside(Aside { quarantined: 0, scrapped: back, at_ms, cause }),
    }
}

/// The same for goods that came back with a return.
fn of_return(returned: &GoodsReturn, line: &ReturnLine) -> Effect {
    let (back, at_ms, cause) = (line.quantity, returned.at_ms, Cause::Returned(returned.id));
    match line.disposition {
        Disposition::Resale => Effect::Move(Movement { delta: back, at_ms, cause, batch: Batch::default() }),
        Disposition::Quarantine => Effect::Aside(Aside { quarantined: back, scrapped: 0, at_ms, cause }),
        Disposition::Scrap => Effect::Aside(Aside { quarantined: 0, scrapped: back, at_ms, cause }),
    }
}

fn of_lines(lines: &[ReceiptLine], effect: impl Fn(&ReceiptLine) -> Effect) -> Vec<(Sku, Unit, Effect)> {
    lines.iter().map(|line| (line.sku.clone(), line.unit, effect(line))).collect()
}

fn batch_of(line: &ReceiptLine) -> Batch {
    Batch { lot: line.lot.clone(), expiry_day: line.expiry_day }
}

/// Resolves an account from all of its effects, in any order, each given once.
pub fn resolve(effects: &[(Position, Effect)]) -> OnHand {
    let base =
        effects.iter().filter_map(|(at, effect)| Some((*at, counted(effect)?))).max_by_key(|&(at, c)| rank(at, c));
    let mut on_hand = OnHand::default();
    if let Some((at, counted)) = base {
        on_hand.quantity = counted.quantity;
        on_hand.base = Some(at);
        on_hand.recount = counted.ambiguous.then_some(Recount::MovedWhileCounting);
    }
    for (position, effect) in effects {
        if let Effect::Move(movement) = effect {
            on_hand.add(base, *position, movement);
        }
    }
    on_hand
}

impl OnHand {
    /// Adds one movement to a figure that rests on `base`. Movements may come in any order.
    pub fn add(&mut self, base: Option<(Position, &Counted)>, position: Position, movement: &Movement) {
        if base.is_some_and(|(at, counted)| counted.covers(at, position)) {
            return;
        }
        self.quantity = self.quantity.saturating_add(movement.delta);
        self.movements += 1;
        let late = base.is_some_and(|(_, counted)| movement.at_ms < counted.scanned_ms);
        if late && self.recount.is_none() {
            self.recount = Some(Recount::LateSale);
        }
    }

    /// Undoes [`OnHand::add`] of a movement that was added and did not ask for a recount.
    pub fn take_back(&mut self, movement: &Movement) {
        self.quantity = self.quantity.saturating_sub(movement.delta);
        self.movements = self.movements.saturating_sub(1);
    }
}

/// The order among counts: by their logs. A later epoch of a node is later whatever its clock said, and node ids grow with
/// enrolment, so the node that replaced another wins. Time only breaks the tie between the histories of a fork, and content that between
/// histories of one moment.
pub fn rank(at: Position, counted: &Counted) -> (Position, Hlc, &Counted) {
    (at, counted.hlc, counted)
}

fn counted(effect: &Effect) -> Option<&Counted> {
    match effect {
        Effect::Count(counted) => Some(counted),
        Effect::Move(_) | Effect::Aside(_) => None,
    }
}

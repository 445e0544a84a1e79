//! Tills whose baskets their node prices: the customer is told a total and says yes, pays in cash or at a terminal, comes back later, or leaves.
//!
//! Whoever gets no answer sends the same again. A till that waits for a terminal asks the node now and then where its basket stands.
//! [`terminals`] knows the terminals, and the shell of a node that asks them; [`office`] what head office sets.

pub mod office;
pub mod terminals;

use std::collections::BTreeMap;

use stockroom_core::books::sales;
use stockroom_core::input::checkout::{
    BasketDeed, BasketRequest, CheckoutAnswer, CheckoutRequest, DrawerDeed, DrawerRequest, Quoted, Then,
};
use stockroom_core::input::loyalty::{CouponDeed, CouponRefused, CouponRequest};
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::journal::Place;
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::shift::Cash;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::ids::{Code, Digest, MemberId, StoreId, TillId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Tender, TenderKind};

use super::people::{Desk, code};
use super::{Play, Todo};
use crate::cast::sku;
use crate::observe::{Act, Deed, Seen};
use crate::plan::tills::{DrawerDo, Otherwise, Pays, Ringing};
use crate::truth::money::Rung;
use terminals::{Device, Shell};

/// Everything about baskets that nodes price, in a run.
#[derive(Default)]
pub(crate) struct Tills {
    /// By the basket's number in the plan.
    pub(crate) rings: BTreeMap<u32, Ring>,
    /// Which of them a till calls so.
    names: BTreeMap<Rung, u32>,
    /// What each node's process knows of its terminals.
    shells: BTreeMap<u32, Shell>,
    /// What terminals know, by reference.
    devices: BTreeMap<String, Device>,
    /// Questions to terminals so far.
    jobs: u64,
    /// The day ends: terminals answer.
    pub(crate) closing: bool,
}

/// One basket.
pub(crate) struct Ring {
    pub(crate) plan: Ringing,
    id: BasketId,
    /// What is paid: the same, or the cash desk's basket for a slip.
    paid: BasketId,
    stage: Stage,
    /// What is sent to hear where it stands, once it is being paid.
    poll: Option<Stage>,
    /// What the customer was told.
    total: i64,
    /// Cash on the counter, as long as nobody knows whether it paid.
    cash: i64,
    /// Since when this is so.
    since_ms: u64,
    /// When it was sent as it stands now, milliseconds since 1970; whoever was sent it may have done it.
    sent_ms: Option<u64>,
    /// Things done about it so far: each has a key of its own.
    deeds: u64,
    /// How often a terminal was asked again.
    again: u8,
    /// Who buys, if she is a member.
    member: Option<MemberId>,
    /// Codes of the coupons that the node takes.
    coupons: Vec<Code>,
    /// Points that she pays with, and minor units that each is worth.
    points: (u64, i64),
    /// How often something that she wanted to pay with was refused.
    refusals: u8,
}

/// Where a basket is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// Its price is asked for.
    Priced,
    /// The customer looks at the total.
    Told,
    /// It was sent to be paid or put aside; whoever waits for a terminal sends it again.
    Sent(Then),
    /// Something is done about it, under a key.
    Deed(BasketDeed, u64),
    /// Its receipt is taken back, under a number of the till's.
    Void(ReceiptNumber, u64),
    /// Somebody went on with it, or it was put aside, or it is over.
    Aside,
}

impl Ring {
    /// Units of a product in it.
    pub(crate) fn units(&self, product: u16) -> i64 {
        self.plan.lines.iter().filter(|(line, _)| *line == product).map(|(_, units)| *units).sum()
    }
}

impl Play<'_> {
    /// A basket is on a till's belt. Gives it a number there.
    pub(crate) fn rung(&mut self, ringing: &Ringing, number: u64) {
        let id = BasketId { till: TillId(ringing.till), number };
        self.tills.names.insert((ringing.store, ringing.till, number), ringing.ring);
        let known = |number: u32| match self.truth.persons.known.get(&number) {
            Some(person) => person.member,
            None => Some(member(number)),
        };
        let ring = Ring {
            plan: ringing.clone(),
            member: ringing.member.and_then(known),
            id,
            paid: id,
            stage: Stage::Priced,
            poll: None,
            total: 0,
            cash: 0,
            since_ms: self.world.now_ms,
            sent_ms: None,
            deeds: 0,
            again: 0,
            coupons: ringing
                .coupons
                .iter()
                .filter_map(|(campaign, serial)| office::code_of(*campaign, *serial))
                .collect(),
            points: (0, 0),
            refusals: 0,
        };
        self.tills.rings.insert(ringing.ring, ring);
    }

    /// A basket that was put aside is taken up again, at a desk where it gets the number `number` if it needs one.
    pub(crate) fn take_up(&mut self, number: u32, till_seq: u64) {
        let Some(ring) = self.tills.rings.get_mut(&number) else { return };
        let deed = match ring.plan.pays {
            Pays::Suspended { back: true, .. } => BasketDeed::Resume,
            Pays::Suspended { back: false, .. } => BasketDeed::Abandon,
            Pays::Slip { till, card, .. } => {
                self.tills.names.insert((ring.plan.store, till, till_seq), number);
                self.truth.money.agree((ring.plan.store, till, till_seq), ring.total);
                ring.cash = if card { 0 } else { ring.total };
                let tenders = cash_tenders(ring.cash);
                BasketDeed::PaySlip { number: till_seq, tenders, terminal: card.then(|| terminal(till)) }
            }
            Pays::Cash | Pays::Card | Pays::Mixed(_) => return,
        };
        ring.deed(deed, self.world.now_ms);
    }

    /// Goes on with a basket. True when there is nothing more to do about it for now.
    pub(crate) fn ring(&mut self, desk: Desk, node: u32, number: u32) -> bool {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        let command = match ring.stage.clone() {
            Stage::Aside => return true,
            Stage::Priced => Command::Checkout(Box::new(request(ring, Then::Quote { points: 0 }, None))),
            Stage::Told if now_ms < ring.since_ms + ring.plan.looks_ms => return false,
            Stage::Told => {
                let then = ring.then();
                let name = (ring.plan.store, ring.id.till.0, ring.id.number);
                self.truth.money.agree(name, ring.total);
                ring.sent_ms = None;
                ring.to(Stage::Sent(then), now_ms);
                return self.ring(desk, node, number);
            }
            Stage::Sent(then) => Command::Checkout(Box::new(request(ring, then, Some(ring.total)))),
            Stage::Void(receipt, till_seq) => {
                let body = Digest::of(&[b"void", format!("{receipt:?} {till_seq}").as_bytes()]);
                let (cashier, approver) = (code("anna"), code("mia"));
                Command::Void(VoidRequest { till: receipt.till, till_seq, body, receipt, cashier, approver })
            }
            Stage::Deed(what, key) => {
                let name = format!("{number}/{key}");
                let key = Digest::of(&[b"basket", name.as_bytes()]);
                let till = TillId(desk.1);
                let basket = if matches!(what, BasketDeed::PaySlip { .. }) { ring.id } else { ring.paid };
                let request = BasketRequest { basket, till, staff: code("anna"), what };
                Command::Basket(RetryKey { key, body: key }, Box::new(request))
            }
        };
        let was_sent = ring.sent_ms.is_some();
        ring.sent_ms.get_or_insert(now_ms);
        let answer = self.world.ask(node, command);
        self.look();
        match answer {
            None => {
                let what = format!("basket {number}");
                self.saw(self.world.now_ms, node, Seen::Unanswered { what, refusal: None });
                false
            }
            Some(Ok(Answer::Checkout(CheckoutAnswer::Quoted(quoted)))) => self.priced(node, number, &quoted),
            Some(Ok(Answer::Checkout(answer))) => self.stands(desk, node, (number, was_sent), answer),
            Some(Ok(Answer::Written { place, .. })) => self.voided(desk, node, number, place),
            Some(Ok(_)) => true,
            Some(Err(refusal)) => self.turned_down(node, number, refusal),
        }
    }

    /// The node says where a basket stands.
    fn stands(&mut self, desk: Desk, node: u32, (number, was_sent): (u32, bool), answer: CheckoutAnswer) -> bool {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        match answer {
            CheckoutAnswer::Paid(receipt) => {
                self.sold(desk, node, number, (receipt.till, was_sent));
                let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
                if !ring.plan.voided || ring.plan.pays != Pays::Cash || receipt.till.0 != desk.1 {
                    return true;
                }
                ring.sent_ms = None;
                let till_seq = self.next_number(desk);
                if let Some(ring) = self.tills.rings.get_mut(&number) {
                    ring.to(Stage::Void(receipt, till_seq), now_ms);
                }
                self.ring(desk, node, number)
            }
            CheckoutAnswer::Quoted(_) => true,
            CheckoutAnswer::Ended(_) => {
                let resumed = matches!(ring.stage, Stage::Deed(BasketDeed::Resume, _));
                ring.to(Stage::Aside, now_ms);
                if !resumed {
                    return true;
                }
                // Its lines are rung up again, under another number.
                let again = Ringing { pays: Pays::Cash, till: desk.1, ..ring.plan.clone() };
                let till_seq = self.next_number(desk);
                self.rung(&again, till_seq);
                self.ring(desk, node, number)
            }
            CheckoutAnswer::Ask { basket, .. } => {
                ring.pays(basket);
                if now_ms < ring.since_ms + ring.plan.patience_ms {
                    return false;
                }
                let deed = match ring.plan.otherwise {
                    Otherwise::Abandon | Otherwise::Again => Some(BasketDeed::Abandon),
                    Otherwise::Cash => self.rest_in_cash(node, number),
                };
                self.goes_on(number, deed)
            }
            CheckoutAnswer::Waits(basket) => {
                let aside = matches!(&ring.stage, Stage::Sent(Then::Suspend | Then::Slip { .. }));
                if aside {
                    ring.to(Stage::Aside, now_ms);
                    let (Pays::Suspended { after_ms, .. } | Pays::Slip { after_ms, .. }) = ring.plan.pays else {
                        return true;
                    };
                    self.at(now_ms + after_ms, Todo::TakeUp(number));
                    return true;
                }
                if matches!(ring.stage, Stage::Deed(BasketDeed::Abandon, _)) {
                    // A terminal gives money back; the customer need not wait for it.
                    ring.to(Stage::Aside, now_ms);
                    return true;
                }
                ring.pays(basket);
                let deed = match ring.plan.otherwise {
                    Otherwise::Again if ring.again < AGAIN_MAX => {
                        ring.again += 1;
                        let (terminal, kind) = terminal(basket.till.0);
                        Some(BasketDeed::Ask { terminal, kind })
                    }
                    Otherwise::Cash => self.rest_in_cash(node, number),
                    Otherwise::Abandon | Otherwise::Again => Some(BasketDeed::Abandon),
                };
                self.goes_on(number, deed)
            }
        }
    }

    /// The node says what a basket comes to, and what of her coupons and points it would take.
    fn priced(&mut self, node: u32, number: u32, quoted: &Quoted) -> bool {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        ring.total = quoted.quote.total;
        ring.coupons.clear();
        let mut asks = Vec::new();
        for shown in &quoted.coupons {
            match &shown.refused {
                None => ring.coupons.push(shown.code.clone()),
                Some(CouponRefused::NotHere | CouponRefused::PoolGone | CouponRefused::BudgetGone) => {
                    asks.push(shown.code.clone());
                }
                Some(_) => {}
            }
        }
        ring.points = (0, 0);
        if let Some(points) = quoted.points.as_ref().filter(|points| ring.plan.points && points.worth > 0) {
            let most = u64::try_from(ring.total / points.worth).unwrap_or(0);
            ring.points = (points.held.saturating_add(points.soft).min(most), points.worth);
        }
        ring.sent_ms = None;
        ring.to(Stage::Told, now_ms);
        for code in asks {
            let key = Digest::of(&[b"ask", code.as_str().as_bytes(), &now_ms.to_be_bytes()]);
            let ask = CouponRequest { code, deed: CouponDeed::Ask };
            let _ = self.world.ask(node, Command::Coupon(RetryKey { key, body: key }, ask));
        }
        self.look();
        false
    }

    /// A receipt was taken back: goods lie on the shelf again, and cash is back with the customer.
    fn voided(&mut self, desk: Desk, node: u32, number: u32, place: Place) -> bool {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        let Stage::Void(_, till_seq) = ring.stage else { return true };
        ring.to(Stage::Aside, now_ms);
        let lines = ring.plan.lines.iter().map(|(product, units)| (*product, -units)).collect();
        let (total, cash) = (-ring.total, -ring.cash);
        let entry = self.entry(node, place);
        let what = Act::Sale { till: desk.1, till_seq, lines, total };
        let deed = Deed { store: desk.0, what, entry, replayed: true, asked_ms: now_ms };
        if !self.truth.has_sold(&deed) {
            self.truth.money.cash(desk.0, desk.1, cash);
        }
        self.truth.acknowledged(&deed);
        self.saw(now_ms, node, Seen::Acknowledged(deed));
        true
    }

    /// The cashier does something else; at the next try, if it cannot be done now.
    fn goes_on(&mut self, number: u32, deed: Option<BasketDeed>) -> bool {
        let now_ms = self.world.now_ms;
        if let (Some(ring), Some(deed)) = (self.tills.rings.get_mut(&number), deed) {
            ring.deed(deed, now_ms);
        }
        false
    }

    /// What is left of a basket, in cash on the counter.
    fn rest_in_cash(&mut self, node: u32, number: u32) -> Option<BasketDeed> {
        if !self.world.is_up(node) {
            return None;
        }
        let ring = self.tills.rings.get_mut(&number)?;
        let snapshot = self.world.snapshot(node);
        let held = View::new(&*snapshot).basket(StoreId(ring.plan.store), ring.paid).ok()??;
        ring.cash += held.left();
        Some(BasketDeed::Tender { tenders: cash_tenders(held.left()) })
    }

    fn turned_down(&mut self, node: u32, number: u32, refusal: Refusal) -> bool {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        if let Refusal::PriceChanged(quote) = &refusal {
            ring.total = quote.total;
            if ring.plan.accepts {
                ring.sent_ms = None;
                ring.to(Stage::Told, now_ms);
                return false;
            }
        }
        // What she wanted to pay with is not taken, as it stands now: the till asks for a new price.
        if matches!(refusal, Refusal::Coupon { .. } | Refusal::Points { .. }) && ring.refusals < REFUSALS_MAX {
            ring.refusals += 1;
            if matches!(refusal, Refusal::Coupon { .. }) {
                ring.coupons.clear();
            }
            ring.points = (0, 0);
            ring.sent_ms = None;
            ring.to(Stage::Priced, now_ms);
            return false;
        }
        // Cash that paid nothing goes back to the customer.
        if let Stage::Deed(BasketDeed::Tender { tenders }, _) = &ring.stage {
            ring.cash -= tenders.iter().map(|(tender, _)| tender.amount).sum::<i64>();
        }
        let paying = matches!(
            ring.stage,
            Stage::Deed(BasketDeed::Tender { .. } | BasketDeed::Ask { .. } | BasketDeed::Abandon, _)
        );
        let what = format!("basket {number}");
        self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal.to_string()) });
        let Some(ring) = self.tills.rings.get_mut(&number) else { return true };
        // A terminal answered meanwhile: the till looks where the basket stands now.
        if let (true, Some(poll)) = (paying && ring.deeds < DEEDS_MAX, ring.poll.clone()) {
            ring.to(poll, now_ms);
            return false;
        }
        ring.to(Stage::Aside, now_ms);
        true
    }

    /// The customer has her goods, and the till its money.
    fn sold(&mut self, desk: Desk, node: u32, number: u32, (till, was_sent): (TillId, bool)) {
        let now_ms = self.world.now_ms;
        let Some(ring) = self.tills.rings.get_mut(&number) else { return };
        let till_seq = match ring.stage {
            Stage::Deed(BasketDeed::PaySlip { number, .. }, _) => number,
            Stage::Priced | Stage::Told | Stage::Sent(_) | Stage::Deed(..) | Stage::Void(..) | Stage::Aside => {
                ring.paid.number
            }
        };
        let (total, cash, lines) = (ring.total, ring.cash, ring.plan.lines.clone());
        let (waited, sent_ms) = (was_sent || cash != total, ring.sent_ms.unwrap_or(now_ms));
        ring.to(Stage::Aside, now_ms);
        let entry = match self.world.is_up(node) {
            true => {
                let snapshot = self.world.snapshot(node);
                let place = sales::by_till(&*snapshot, StoreId(desk.0), till, till_seq);
                place.ok().flatten().and_then(|place| self.entry(node, place))
            }
            false => None,
        };
        let asked_ms = if waited { now_ms } else { sent_ms };
        let what = Act::Sale { till: till.0, till_seq, lines, total };
        let deed = Deed { store: desk.0, what, entry, replayed: waited, asked_ms };
        if !self.truth.has_sold(&deed) {
            self.truth.money.cash(desk.0, till.0, cash);
        }
        self.truth.acknowledged(&deed);
        self.saw(now_ms, node, Seen::Acknowledged(deed));
    }

    /// Somebody does something about a drawer. True when it is settled.
    pub(crate) fn drawer(&mut self, (store, till): Desk, node: u32, (number, what): (u64, DrawerDo)) -> bool {
        let there = self.truth.money.drawers.get(&(store, till)).copied().unwrap_or(0);
        let moved = |cash, amount| DrawerDeed::Move { cash, amount, reason: code("change") };
        let deed = match what {
            DrawerDo::Open(float) => DrawerDeed::Open { float },
            DrawerDo::PaidIn(amount) => moved(Cash::PaidIn, amount),
            DrawerDo::PaidOut(amount) => moved(Cash::PaidOut, amount),
            DrawerDo::Drop(amount) => moved(Cash::Drop, amount),
            DrawerDo::Close => DrawerDeed::Close { counted: there.max(0) },
        };
        let name = format!("{store}/{till}/{number}");
        let key = Digest::of(&[b"drawer", name.as_bytes()]);
        let request = DrawerRequest { till: TillId(till), staff: code("anna"), approver: code("mia"), deed };
        let answer = self.world.ask(node, Command::Drawer(RetryKey { key, body: key }, request));
        self.look();
        let now_ms = self.world.now_ms;
        match answer {
            Some(Ok(Answer::Written { place, replayed })) => {
                let entry = self.entry(node, place);
                let deed = Deed { store, what: Act::Other("drawer"), entry, replayed, asked_ms: now_ms };
                match what {
                    DrawerDo::Open(float) => self.truth.money.cash(store, till, float - there),
                    DrawerDo::PaidIn(amount) => self.truth.money.cash(store, till, amount),
                    DrawerDo::PaidOut(amount) | DrawerDo::Drop(amount) => self.truth.money.cash(store, till, -amount),
                    DrawerDo::Close => {}
                }
                self.truth.acknowledged(&deed);
                self.saw(now_ms, node, Seen::Acknowledged(deed));
                true
            }
            Some(Ok(_)) => true,
            Some(Err(refusal)) => {
                let what = format!("drawer of till {till}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal.to_string()) });
                true
            }
            None => {
                let what = format!("drawer of till {till}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                false
            }
        }
    }
}

impl Ring {
    fn to(&mut self, stage: Stage, now_ms: u64) {
        (self.stage, self.since_ms) = (stage, now_ms);
    }

    fn deed(&mut self, deed: BasketDeed, now_ms: u64) {
        self.deeds += 1;
        self.sent_ms = None;
        self.to(Stage::Deed(deed, self.deeds), now_ms);
    }

    /// It is being paid under this name.
    fn pays(&mut self, basket: BasketId) {
        self.paid = basket;
        self.poll.get_or_insert_with(|| self.stage.clone());
    }

    /// What becomes of the basket, now that its total is known.
    fn then(&mut self) -> Then {
        let till = self.id.till.0;
        let by_points = i64::try_from(self.points.0).unwrap_or(0) * self.points.1;
        let left = self.total - by_points;
        let (cash, card) = match self.plan.pays {
            Pays::Cash => (left, false),
            Pays::Card => (0, left > 0),
            Pays::Mixed(percent) => (left * i64::from(percent) / 100, left > 0),
            Pays::Suspended { .. } => return Then::Suspend,
            Pays::Slip { .. } => return Then::Slip { owner: code("counter") },
        };
        self.cash = cash;
        let points = Tender { kind: TenderKind::Points, amount: by_points, reference: Code::default() };
        let points = (by_points > 0).then_some((points, Assurance::Seen));
        let tenders = points.into_iter().chain(cash_tenders(cash)).collect();
        Then::Pay { tenders, terminal: card.then(|| terminal(till)) }
    }
}

fn request(ring: &Ring, then: Then, expected: Option<i64>) -> CheckoutRequest {
    let line = |(product, quantity): &(u16, i64)| AskedLine {
        sku: sku(*product),
        unit: Some(Unit::Each),
        quantity: *quantity,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    CheckoutRequest {
        basket: ring.id,
        body: Digest::of(&[
            format!("{:?} {:?} {then:?} {expected:?} {:?}", ring.id, ring.plan.lines, ring.coupons).as_bytes()
        ]),
        rung_ms: None,
        cashier: code("anna"),
        approver: Code::default(),
        age_checked: false,
        member: ring.member,
        accounts: Vec::new(),
        coupons: ring.coupons.clone(),
        lines: ring.plan.lines.iter().map(line).collect(),
        expected_total: expected,
        then,
    }
}

fn cash_tenders(amount: i64) -> Vec<(Tender, Assurance)> {
    let tender = Tender { kind: TenderKind::Cash, amount, reference: Code::default() };
    if amount == 0 { Vec::new() } else { vec![(tender, Assurance::Cash)] }
}

/// Each till has a terminal.
fn terminal(till: u32) -> (Code, TenderKind) {
    (code(&format!("t{till}")), TenderKind::Card)
}

/// A member who was never enrolled on a paper: nothing but points are known of her.
pub(crate) fn member(number: u32) -> MemberId {
    MemberId(0x6d00_0000_0000 + u64::from(number))
}

/// How often a customer tries to pay with what is refused.
const REFUSALS_MAX: u8 = 4;

/// How often a terminal is asked again after it said no.
const AGAIN_MAX: u8 = 2;

/// After so many things done about a basket a cashier gives up.
const DEEDS_MAX: u64 = 12;

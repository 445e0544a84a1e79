//! Figures of days that were made up so that every number can be reckoned by hand.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::header::Preference;
use stockroom_crdt::order::intent::OrderStep;
use stockroom_crdt::order::offer::{Offer, OfferLine};
use stockroom_crdt::order::resolve::Part;
use stockroom_crdt::order::rules::hours::{Span, StoreService};
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::{FulfillmentStep, OVERSOLD, Step, StepLine, Substitute};
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::Position;

use super::clock::open_ms;
use super::*;

const MINUTE: u64 = 60_000;

/// A Monday, 00:00 UTC.
const MONDAY: u64 = 20_002 * 86_400_000;

const NOON: u64 = MONDAY + 12 * 3_600_000;

/// A fulfillment of store 1 that is made up step by step. It is offered at noon and due two hours later.
struct Case {
    known: Known,
    steps: u64,
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

impl Case {
    fn new(channel: Channel, quantities: &[i64]) -> Self {
        let line = |(at, quantity): (usize, &i64)| OfferLine {
            line: at as u16,
            sku: Sku::parse("A").unwrap(),
            unit: Unit::Each,
            quantity: *quantity,
            unit_price: 100,
            age_min: 0,
            preference: Preference::Substitute,
            tolerance_percent: 0,
        };
        let offer = Offer {
            order: OrderId { home: NodeId(1), number: 7 },
            generation: 1,
            issuer: Actor::new(1, 1),
            channel,
            speculative: false,
            entity: Code::default(),
            currency: Currency::parse("EUR").unwrap(),
            due_ms: NOON + 120 * MINUTE,
            accept_within_ms: 15 * MINUTE,
            release_ms: 0,
            hold_ms: 0,
            code: [0; 16],
            phone: [0; 8],
            contact: Vec::new(),
            lines: quantities.iter().enumerate().map(line).collect(),
        };
        let part = Part { offer: Some(offer), offered: Hlc::new(NOON, 0), by_pass: false, steps: Vec::new() };
        let known = Known { parts: BTreeMap::from([((1, StoreId(1)), part)]), ..Known::default() };
        Self { known, steps: 0 }
    }

    fn held(&mut self) -> &mut Part {
        self.known.parts.get_mut(&(1, StoreId(1))).unwrap()
    }

    fn add(mut self, minute: u64, step: Step, (note, staff): (&str, &str), lines: Vec<StepLine>) -> Self {
        self.steps += 1;
        let says = FulfillmentStep {
            order: OrderId { home: NodeId(1), number: 7 },
            generation: 1,
            step,
            lines,
            note: code(note),
            staff: code(staff),
            device: 0,
        };
        let at = Position { actor: Actor::new(2, 1), seq: self.steps };
        let hlc = Hlc::new(NOON + minute * MINUTE, 0);
        self.held().steps.push(Event { store: StoreId(1), at, hlc, says });
        self
    }

    fn step(self, minute: u64, step: Step) -> Self {
        self.add(minute, step, ("", "anna"), Vec::new())
    }

    fn says(mut self, minute: u64, saying: Saying, (note, by): (&str, &str)) -> Self {
        let says = OrderStep {
            order: OrderId { home: NodeId(1), number: 7 },
            generation: 1,
            saying,
            lines: Vec::new(),
            until_ms: 0,
            note: code(note),
            by: code(by),
        };
        let at = Position { actor: Actor::new(1, 1), seq: minute };
        let hlc = Hlc::new(NOON + minute * MINUTE, 0);
        self.known.sayings.push(Event { store: StoreId(1), at, hlc, says });
        self
    }

    fn count(&self, tally: &mut Tally, now_min: u64) {
        let parts = self.known.fulfillments();
        let limits = OrderLimits::default();
        let now_ms = NOON + now_min * MINUTE;
        let told = Told { known: &self.known, part: &parts[0], service: None, offset_min: 0, limits: &limits, now_ms };
        tally.add_part(told);
    }
}

fn figures(cases: &[Case], now_min: u64) -> Figures {
    let mut tally = Tally::default();
    cases.iter().for_each(|case| case.count(&mut tally, now_min));
    tally.figures().0
}

fn found(line: u16, quantity: i64, reason: &str) -> StepLine {
    StepLine { line, quantity, reason: code(reason), substitute: None }
}

fn share(count: u64, of: u64) -> Share {
    Share { count, of }
}

#[test]
fn a_pickup_without_a_flaw_gives_every_time_once() {
    let case = Case::new(Channel::Pickup, &[3, 2])
        .step(4, Step::Accept)
        .step(10, Step::StartPicking)
        .step(16, Step::Pick)
        .step(20, Step::Ready)
        .step(60, Step::Arrive)
        .step(63, Step::HandOver);
    let seen = figures(&[case], 1_000);
    let minutes = |minutes: u64| {
        let ms = minutes * MINUTE;
        Spread { count: 1, p50_ms: ms, p90_ms: ms, max_ms: ms }
    };
    assert_eq!(
        seen.spreads().map(|(_, spread)| spread),
        [
            minutes(4),
            minutes(6),
            minutes(3),
            minutes(20),
            minutes(3),
            minutes(43),
            Spread::default(),
            Spread::default()
        ]
    );
    assert_eq!(seen.lines_per_hour, 20);
    assert_eq!((seen.fill_pieces, seen.fill_lines, seen.perfect), (share(5, 5), share(2, 2), share(1, 1)));
    assert_eq!((seen.accept_in_time, seen.ready_on_time, seen.wait_in_time), (share(1, 1), share(1, 1), share(1, 1)));
    assert_eq!((seen.ready_at_arrival, seen.uncollected, seen.refused), (share(1, 1), share(0, 1), share(0, 1)));
    assert_eq!((seen.oversold, seen.short, seen.substituted), (share(0, 2), share(0, 2), share(0, 2)));
}

#[test]
fn what_is_short_replaced_or_sold_before_counts_as_that_and_only_as_that() {
    let substitute = Substitute { sku: Sku::parse("B").unwrap(), unit: Unit::Each, unit_price: 90 };
    let other = StepLine { substitute: Some(substitute), ..found(2, 1, "out-of-stock") };
    let case = Case::new(Channel::Pickup, &[4, 2, 1, 5])
        .step(1, Step::Accept)
        .add(2, Step::Pick, ("", ""), vec![found(3, 0, OVERSOLD)])
        .step(5, Step::StartPicking)
        .add(9, Step::Pick, ("", "anna"), vec![found(0, 3, "damaged"), found(1, 2, ""), other])
        .step(10, Step::Ready)
        .step(30, Step::HandOver);
    let seen = figures(&[case], 1_000);
    assert_eq!((seen.oversold, seen.short, seen.substituted), (share(1, 4), share(1, 3), share(1, 3)));
    assert_eq!(seen.short_reasons, Reasons::from([("damaged".into(), 1)]));
    assert_eq!(seen.substitution_reasons, Reasons::from([("out-of-stock".into(), 1)]));
    assert_eq!((seen.fill_pieces, seen.fill_lines), (share(5, 7), share(1, 3)));
    assert_eq!(seen.perfect, share(0, 1));
}

#[test]
fn refusals_cancels_and_silence_are_told_apart_with_their_reasons() {
    let refused = Case::new(Channel::Pickup, &[1]).add(20, Step::Refuse, ("too-busy", "anna"), Vec::new());
    let by_customer = Case::new(Channel::Pickup, &[1])
        .step(1, Step::Accept)
        .says(5, Saying::AskCancel, ("changed her mind", "customer"))
        .add(6, Step::ConfirmCancel, ("", ""), vec![found(0, 1, "")]);
    let by_home = Case::new(Channel::Pickup, &[1]).says(5, Saying::AskCancel, ("fraud", "head-office")).add(
        6,
        Step::ConfirmCancel,
        ("", ""),
        vec![found(0, 1, "")],
    );
    let by_store =
        Case::new(Channel::Pickup, &[1]).add(6, Step::ConfirmCancel, ("fire", "anna"), vec![found(0, 1, "")]);
    let silent = Case::new(Channel::Pickup, &[1]);
    let seen = figures(&[refused, by_customer, by_home, by_store, silent], 16);
    assert_eq!((seen.refused, seen.cancelled), (share(1, 5), share(3, 5)));
    assert_eq!(seen.refusal_reasons, Reasons::from([("too-busy".into(), 1)]));
    let cancel = |who, why: &str| ((who, why.to_owned()), 1);
    let all = [cancel(Who::Customer, "changed her mind"), cancel(Who::Home, "fraud"), cancel(Who::Store, "fire")];
    assert_eq!(seen.cancels, BTreeMap::from(all));
    // One was taken at once, one refused after 20 minutes, one never answered; those that were cancelled before are not blamed.
    assert_eq!(seen.accept_in_time, share(1, 3));
    assert_eq!(seen.perfect, share(0, 1), "a cancel is no flaw of the store, a refusal is");
}

#[test]
fn late_uncollected_and_waiting_customers_show() {
    let late = Case::new(Channel::Pickup, &[1]).step(1, Step::Accept);
    let waited = Case::new(Channel::Pickup, &[1])
        .step(1, Step::Accept)
        .step(2, Step::Pick)
        .says(50, Saying::Arrive, ("bay 3", "customer"))
        .step(58, Step::Ready)
        .step(60, Step::HandOver);
    let left = Case::new(Channel::Pickup, &[1])
        .step(1, Step::Accept)
        .step(2, Step::Pick)
        .step(3, Step::Ready)
        .step(200, Step::Uncollected);
    let cases = [late, waited, left];
    assert_eq!(figures(&cases, 100).ready_on_time, share(2, 2));
    let seen = figures(&cases, 121);
    assert_eq!(seen.ready_on_time, share(2, 3), "what is open after its time is late");
    assert_eq!((seen.wait.p90_ms, seen.wait_in_time, seen.ready_at_arrival), (10 * MINUTE, share(0, 1), share(0, 1)));
    assert_eq!((seen.uncollected, seen.dwell.p50_ms), (share(1, 2), 2 * MINUTE));
}

#[test]
fn deliveries_are_measured_from_door_to_door() {
    let packed = || {
        let case = Case::new(Channel::Delivery, &[1]).step(1, Step::Accept).step(2, Step::Pick).step(3, Step::Ready);
        case.add(4, Step::RequestCourier, ("1/1", ""), Vec::new())
    };
    let good = packed().step(10, Step::CourierAtStore).step(14, Step::Dispatch).step(44, Step::Deliver);
    let again = packed()
        .add(9, Step::RequestCourier, ("1/2", ""), Vec::new())
        .step(20, Step::Dispatch)
        .step(40, Step::FailDelivery)
        .step(130, Step::Deliver);
    let lost = packed().step(20, Step::Dispatch).step(50, Step::Lose);
    let seen = figures(&[good, again, lost], 60);
    assert_eq!(seen.courier_wait, Spread { count: 1, p50_ms: 4 * MINUTE, p90_ms: 4 * MINUTE, max_ms: 4 * MINUTE });
    assert_eq!((seen.delivery.count, seen.delivery.p50_ms, seen.delivery.max_ms), (2, 30 * MINUTE, 110 * MINUTE));
    assert_eq!((seen.delivered_on_time, seen.delivery_failed), (share(1, 3), share(2, 3)));
    assert_eq!((seen.not_delivered, seen.redispatched), (share(1, 3), share(1, 3)));
    assert_eq!((seen.ready_on_time.of, seen.perfect), (0, share(1, 3)));
}

#[test]
fn percentiles_are_lengths_that_occurred() {
    assert_eq!(Spread::of(&mut []), Spread::default());
    let mut ten: Vec<u64> = (1..=10).rev().collect();
    assert_eq!(Spread::of(&mut ten), Spread { count: 10, p50_ms: 5, p90_ms: 9, max_ms: 10 });
    let mut three = [9, 1, 5];
    assert_eq!(Spread::of(&mut three), Spread { count: 3, p50_ms: 5, p90_ms: 9, max_ms: 9 });
    assert_eq!((share(1, 3).ppm(), share(2, 3).ppm(), share(0, 0).ppm()), (Some(333_333), Some(666_667), None));
}

#[test]
fn at_night_nobody_is_late() {
    let mut service = StoreService::always_open(StoreId(1));
    service.week =
        std::array::from_fn(|_| vec![Span { from: 9 * 60, until: 12 * 60 }, Span { from: 14 * 60, until: 18 * 60 }]);
    let hours = |from: u64, until: u64| {
        open_ms(Some(&service), 60, (MONDAY + from * 60 * MINUTE, MONDAY + until * 60 * MINUTE)) / (60 * MINUTE)
    };
    // Local time is an hour ahead: nine o'clock is eight.
    assert_eq!((hours(8, 11), hours(0, 24), hours(9, 9), hours(10, 9)), (3, 7, 0, 0));
    assert_eq!(hours(16, 24 + 9), 2, "an hour before closing and one in the morning");
    assert_eq!(hours(0, 24 * 7), 49);
    assert_eq!(open_ms(None, 0, (5, 12)), 7);
    let shut = StoreService { week: Default::default(), ..StoreService::always_open(StoreId(1)) };
    assert_eq!(open_ms(Some(&shut), 0, (0, NOON)), 0);
    assert_eq!(
        open_ms(Some(&StoreService::always_open(StoreId(1))), 0, (MONDAY, MONDAY + 30 * 86_400_000)),
        30 * 86_400_000
    );
}

#[test]
fn a_thousand_reasons_are_thirty_two_and_others() {
    let mut reasons = Reasons::new();
    (0..1_000).for_each(|n| count_kind(&mut reasons, format!("reason {n:03}"), |other| other));
    assert_eq!((reasons.len(), reasons["other"], reasons["reason 000"]), (REASONS_MAX + 1, 1_000 - 32, 1));
}

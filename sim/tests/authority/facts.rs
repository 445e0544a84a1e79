//! One true fact of every kind.

use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::checkout::basket::{Basket, BasketId, BasketStep, Holds, Outcome, Waits};
use stockroom_crdt::checkout::label::LabelDone;
use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::checkout::shift::{Cash, CashMove, ShiftClose, ShiftOpen, Totals};
use stockroom_crdt::checkout::staff::{Role as Duty, StaffRecord};
use stockroom_crdt::checkout::tender::{Assurance, TenderState, TenderStep};
use stockroom_crdt::checkout::{Checkout, Explanation, PriceSource};
use stockroom_crdt::control::{Boot, EpochOpen, EpochReason, Fence, NodeRecord, StoreRecord};
use stockroom_crdt::count::{CountClose, CountOpen, CountScan, Sheet};
use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::gtin::{Embedded, Template};
use stockroom_crdt::ids::{Actor, Code, Digest, MemberId, NodeId, Sku, StoreId, TillId};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{
    CouponFact, CouponSays, HubQuota, Proof, QuotaRow, QuotaSide, Redemption, StoreQuota,
};
use stockroom_crdt::loyalty::points::{HubPoints, PointsRow, PointsSide, SalePoints, StorePoints};
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::member::link::{Evidence, MemberLink, MemberUnlink, Weight};
use stockroom_crdt::member::value::{Field, MemberConsent, MemberValue, Purpose, Slot};
use stockroom_crdt::member::{Enrolment, MemberErase, Stage};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::note::{NoteChange, NoteId, NoteSnapshot, Subject};
use stockroom_crdt::order::header::{Order, OrderLine, Payment, Preference};
use stockroom_crdt::order::intent::{OrderStep, Saying};
use stockroom_crdt::order::offer::{Offer, OfferLine, code_hash, phone_hash};
use stockroom_crdt::order::pass::Pass;
use stockroom_crdt::order::redress::Redress;
use stockroom_crdt::order::returns::{GoodsReturn, Origin, Refund, ReturnGrant, ReturnId, ReturnLine, Verdict};
use stockroom_crdt::order::rules::RoutingRules;
use stockroom_crdt::order::rules::hours::StoreService;
use stockroom_crdt::order::rules::limits::OrderLimits;
use stockroom_crdt::order::step::{FulfillmentStep, Step as Fulfil};
use stockroom_crdt::order::{LineUnits, OrderId};
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Channel, Product, Recall};
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt};
use stockroom_crdt::sale::{ReceiptNumber, TenderKind};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::custody::{Consent, Hint, Retire, Want, Why};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::{Claim, GoodsIssue, Promise, PromiseId, PromiseStep, Step};
use stockroom_crdt::stock::rights::{Account, Class, RightsFact, RightsRow};
use stockroom_crdt::stock::shortage::{Compensation, Remedy, Shortage};
use stockroom_crdt::transfer::{TransferAsk, TransferId, TransferReceive, TransferShip};
use stockroom_sim::puppet::sale;
use stockroom_sim::world::World;

use crate::{HUB, THIRD};

/// One true fact of every kind, in the order of their numbers, as an actor would say it about a store.
pub fn facts(world: &World, by: Actor, store: u32) -> Vec<Fact> {
    let (code, sku, each) = (Code::default(), Sku::parse("TEA").unwrap(), Unit::Each);
    let chain = world.nodes[&HUB].chain.clone();
    let capability = Capability {
        node: NodeId(77),
        role: Role::Store,
        store: StoreId(9),
        log_key: [1; 32],
        seal_key: [2; 32],
        range_first: 0,
        range_last: 0,
        issued_ms: 0,
        issuer: NodeId(HUB),
        signature: [0; 64],
    }
    .sign(world.tenant(), &world.nodes[&HUB].keys.signer());
    let product = Product {
        sku: sku.clone(),
        name: "Tea".into(),
        unit: each,
        barcodes: Vec::new(),
        item_number: 7,
        tax_code: code.clone(),
        department: code.clone(),
        owner: code.clone(),
        age_min: 0,
        excluded: 0,
        discontinued: false,
    };
    let scan = CountScan {
        session: 1,
        zone: code.clone(),
        sku: sku.clone(),
        unit: each,
        quantity: 1,
        settles: false,
        staff: code.clone(),
    };
    let adjustment = Adjustment {
        sku: sku.clone(),
        unit: each,
        delta: 1,
        reason: code.clone(),
        lot: Code::default(),
        staff: code.clone(),
    };
    let (id, other) = (TransferId { store: StoreId(1), number: 1 }, StoreId(2));
    let decision = Decision {
        sku: sku.clone(),
        unit: each,
        quantity: 1,
        resale: true,
        reason: code.clone(),
        lot: Code::default(),
        staff: code.clone(),
    };
    let (staff, lines) = (code.clone(), Vec::new());
    let ask = TransferAsk { id, from: other, due_ms: 0, staff, reason: code.clone(), lines };
    let (staff, lines) = (code.clone(), Vec::new());
    let ship = TransferShip { id, to: other, due_ms: 0, staff, approver: code.clone(), lines };
    let (staff, lines, differences) = (code.clone(), Vec::new(), Vec::new());
    let receive = TransferReceive { id, from: other, seen: true, staff, lines, differences };
    let open = CountOpen { session: 2, sheet: Sheet::Listed, blind: false, staff: code.clone(), lines: Vec::new() };
    let facts = vec![
        Fact::EpochOpen(EpochOpen { nonce: [3; 16], reason: EpochReason::First, previous: None, chain }),
        Fact::Boot(Boot { boot: 1, version: code.clone() }),
        Fact::Node(NodeRecord { capability, token: Digest([0; 32]) }),
        Fact::Fence(Fence { node: NodeId(77), cuts: Vec::new(), reason: code.clone() }),
        store_record(),
        Fact::Fork(fork(world)),
        Fact::Product(product),
        Fact::Recall(Recall { sku: sku.clone(), lot: code.clone(), active: true, reason: code.clone() }),
        Fact::Price(Price {
            book: Code::parse("default").unwrap(),
            sku,
            from_ms: 0,
            minor: Some(1),
            currency: Currency::parse("EUR").unwrap(),
        }),
        Fact::Template(Template { prefix: 21, item_digits: 5, embedded: Embedded::Weight, scale: 0 }),
        Fact::GoodsReceipt(GoodsReceipt { document: code.clone(), staff: code.clone(), lines: Vec::new() }),
        sale(1, 1, "TEA", 1),
        Fact::CountScan(scan),
        Fact::CountClose(CountClose { session: 1, staff: code.clone(), others: Vec::new(), lines: Vec::new() }),
        Fact::DayOpen(DayOpen { number: 1, date: 1, staff: code.clone() }),
        Fact::DayClose(DayClose { number: 1, staff: code.clone() }),
        Fact::Adjustment(adjustment),
        Fact::Decision(decision),
        Fact::TransferAsk(ask),
        Fact::TransferShip(ship),
        Fact::TransferReceive(receive),
        Fact::CountOpen(open),
    ];
    let mut facts = [
        facts,
        promising(by, store),
        ordering(world, by, store),
        checking_out(),
        membership(StoreId(store)),
        loyal(by),
        notes(),
    ]
    .concat();
    let place = |fact: &Fact| kind::ALL.iter().position(|kind| *kind == fact.kind());
    facts.sort_by_key(place);
    assert_eq!(facts.iter().map(Fact::kind).collect::<Vec<_>>(), kind::ALL, "one of every kind");
    facts
}

/// Facts about promising, by one who makes no rights.
fn promising(by: Actor, store: u32) -> Vec<Fact> {
    let code = Code::default;
    let account = Account { store: StoreId(store), sku: Sku::parse("TEA").unwrap(), unit: Unit::Each };
    let id = PromiseId { issuer: by, number: 5 };
    let class = Class::Goods;
    let promise = Promise {
        id,
        account: account.clone(),
        quantity: 1,
        claim: Claim::Hard,
        channel: Channel::Pickup,
        priority: 1,
        until_ms: u64::from(u32::MAX) * 4_096,
        wanted_ms: 0,
        reference: code(),
        replaces: None,
    };
    let (number, quantity) = (1, 1);
    let want = Want { account: account.clone(), class, of: NodeId(77), number, quantity, why: Why::Miss };
    let hint = Hint { account: account.clone(), class, to: Actor::new(77, 1), number, richest: NodeId(0), held: 0 };
    let victims = vec![(PromiseId { issuer: Actor::new(77, 1), number: 9 }, 1)];
    let consent = Consent { sku: None, owner: Code::parse("brand").unwrap(), share_ppm: 1, document: code() };
    vec![
        Fact::PolicyRule(PolicyRule::of(Target::All, Allocation::HubOnly)),
        Fact::Rights(RightsFact {
            account: account.clone(),
            class,
            by,
            row: RightsRow { burned: 1, ..RightsRow::default() },
        }),
        Fact::Promise(promise),
        Fact::PromiseStep(PromiseStep { promise: id, step: Step::Confirm, found: 0, note: code(), staff: code() }),
        Fact::Want(want),
        Fact::Hint(hint),
        Fact::Shortage(Shortage { account: account.clone(), on_hand: 0, cause: code(), victims }),
        Fact::Compensation(Compensation { id: [1; 16], promise: id, remedy: Remedy::Refund }),
        Fact::Retire(Retire { actor: Actor::new(77, 1), reason: code(), staff: code(), risk: 0 }),
        Fact::Consent(consent),
        Fact::GoodsIssue(GoodsIssue { promise: id, account, quantity: 1, staff: code() }),
    ]
}

/// Facts about an order of the author's own.
fn ordering(world: &World, by: Actor, store: u32) -> Vec<Fact> {
    let (code, each, euros) = (Code::default, Unit::Each, Currency::parse("EUR").unwrap());
    let order = OrderId { home: by.node, number: 1 };
    let lines = || vec![LineUnits { line: 0, quantity: 1 }];
    let line = OfferLine {
        line: 0,
        sku: Sku::parse("TEA").unwrap(),
        unit: each,
        quantity: 1,
        unit_price: 1,
        age_min: 0,
        preference: Preference::Partial,
        tolerance_percent: 0,
    };
    let header = Order {
        id: order,
        channel: Channel::Pickup,
        source: code(),
        reference: code(),
        entity: code(),
        currency: euros,
        placed_ms: 1,
        due_ms: 0,
        release_ms: 0,
        priority: 1,
        place: None,
        contact: Vec::new(),
        phone: phone_hash(order, "1234"),
        lines: vec![OrderLine {
            sku: line.sku.clone(),
            unit: each,
            quantity: 1,
            unit_price: 1,
            age_min: 0,
            preference: Preference::Partial,
            tolerance_percent: 0,
        }],
    };
    let offer = Offer {
        order,
        generation: 1,
        issuer: by,
        channel: Channel::Pickup,
        speculative: false,
        entity: code(),
        currency: euros,
        due_ms: 0,
        accept_within_ms: 1,
        release_ms: 0,
        hold_ms: 1,
        code: code_hash(order, "123456"),
        phone: header.phone,
        contact: Vec::new(),
        lines: vec![line.clone()],
    };
    let pass = Pass {
        store: StoreId(store),
        order: OrderId { home: NodeId(HUB), number: 1 },
        generation: 1,
        issuer: Actor::new(HUB, 1),
        channel: Channel::Pickup,
        entity: code(),
        currency: euros,
        due_ms: 0,
        issued_ms: 1,
        until_ms: 2,
        delegate: code(),
        lines: vec![line],
    };
    let id = ReturnId { store: StoreId(store), number: 1 };
    let receipt = ReceiptNumber { till: TillId(1), series: 1, sequence: 1 };
    let returned = GoodsReturn {
        id,
        origin: Origin::Receipt(StoreId(store), receipt),
        signed: false,
        at_ms: 1,
        day: 0,
        currency: euros,
        refund: Refund::Cash,
        reason: code(),
        reference: code(),
        staff: code(),
        approver: code(),
        lines: vec![ReturnLine {
            line: 0,
            sku: Sku::parse("TEA").unwrap(),
            unit: each,
            quantity: 1,
            amount: 1,
            disposition: Disposition::Quarantine,
        }],
    };
    let (verdict, amount, note, staff) = (Verdict::Grant, 1, code(), code());
    let grant = ReturnGrant { id, verdict, at_ms: 1, day: 0, lines: lines(), amount, note, staff };
    let step = Fulfil::RequestCourier;
    let (note, staff) = (code(), code());
    let fulfil = FulfillmentStep { order, generation: 1, step, lines: Vec::new(), note, staff, device: 0 };
    let (saying, note, asker) = (Saying::AskCancel, code(), code());
    vec![
        Fact::Order(header),
        Fact::Offer(offer),
        Fact::FulfillmentStep(fulfil),
        Fact::OrderStep(OrderStep { order, generation: 1, saying, lines: lines(), until_ms: 0, note, by: asker }),
        Fact::Payment(Payment { order, authorised: 1, captured: 0, refunded: 0, reference: code() }),
        Fact::Redress(Redress { id: [1; 16], order, amount: 1, done: false, reference: code(), staff: code() }),
        Fact::PassShown(pass.sign(world.tenant(), &world.nodes[&HUB].keys.signer())),
        Fact::Routing(RoutingRules::default()),
        Fact::Service(StoreService::always_open(StoreId(9))),
        Fact::OrderLimits(OrderLimits::default()),
        Fact::GoodsReturn(returned),
        Fact::ReturnGrant(grant),
    ]
}

/// What a store may say of a member that it enrols.
fn membership(store: StoreId) -> Vec<Fact> {
    let (member, other, code) = (MemberId(7), MemberId(8), Code::default);
    let slot = Slot { field: Field::Phone, number: 0 };
    let (sealed, verified, copied) = (Some(vec![1, 2, 3]), false, None);
    let link = MemberLink::found((member, other), Evidence::Staff, Weight::Tentative);
    let MemberLink { id, a, b, .. } = link;
    let (purpose, given, source) = (Purpose::Membership, true, code());
    let (stage, whole) = (Stage::Asked, false);
    vec![
        Fact::Member(Enrolment { member, home: store, staff: code(), copied }),
        Fact::MemberValue(MemberValue { member, slot, sealed, verified, staff: code(), copied }),
        Fact::MemberLink(link),
        Fact::MemberUnlink(MemberUnlink { id, a, b, strong: false, reason: code(), staff: code(), copied }),
        Fact::MemberConsent(MemberConsent { member, purpose, given, source, staff: code(), copied }),
        Fact::MemberErase(MemberErase { member, stage, whole, reason: code(), staff: code(), copied }),
    ]
}

/// An edit of a note, and its fold. About what depends on the scope: see [`fitted`].
fn notes() -> Vec<Fact> {
    let (subject, base, bytes) = (Subject::Member(MemberId(7)), NoteId::default(), Vec::new);
    let change = NoteChange { subject: subject.clone(), base, staff: Code::default(), origin: None, bytes: bytes() };
    let snapshot = NoteSnapshot { subject, generation: 1, base, covers: Vec::new(), bytes: bytes() };
    vec![Fact::NoteChange(change), Fact::NoteSnapshot(snapshot)]
}

/// A fact as it may stand in `scope`: a note about something that has its notes there.
pub fn fitted(fact: Fact, scope: &Scope) -> Fact {
    let about = || match scope {
        Scope::Control => Subject::Product(Sku::parse("TEA").unwrap()),
        Scope::StoreOrders(_) | Scope::Orders(_) => Subject::Order(OrderId { home: NodeId(HUB), number: 1 }),
        _ => Subject::Member(MemberId(7)),
    };
    match fact {
        Fact::NoteChange(change) => Fact::NoteChange(NoteChange { subject: about(), ..change }),
        Fact::NoteSnapshot(snapshot) => Fact::NoteSnapshot(NoteSnapshot { subject: about(), ..snapshot }),
        other => other,
    }
}

/// Facts about a basket, its money and its rules.
fn checking_out() -> Vec<Fact> {
    let (code, word, till) = (Code::default, |text: &str| Code::parse(text).unwrap(), TillId(1));
    let Fact::Sale(sale) = sale(1, 1, "TEA", 1) else { panic!("a sale is a sale") };
    let why = Explanation { source: PriceSource::Entered, reductions: Vec::new(), stops: Vec::new() };
    let explained = vec![why; sale.lines.len()];
    let receipt = ReceiptNumber { till, series: 1, sequence: 1 };
    let id = BasketId { till, number: 1 };
    let rate = TaxRate {
        code: word("food"),
        area: code(),
        from_ms: 0,
        rate_bp: Some(700),
        inclusive: true,
        rounding: Rounding::HalfUp,
        per_receipt: false,
    };
    let promotion = Promotion {
        book: word("default"),
        id: word("spring"),
        name: "Spring".into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives: Gives::Percent(500),
        priority: 0,
        exclusive: false,
        per_basket: 0,
    };
    let hours = SaleHours { department: word("WINE"), store: None, week: Default::default(), ended: false };
    let (staff, name, pin) = (word("anna"), "Anna".into(), String::new());
    let staff = StaffRecord { staff, name, role: Duty::Cashier, stores: Vec::new(), pin, ended: false };
    let basket = Basket {
        id,
        waits: Waits::Suspended,
        currency: sale.currency,
        cashier: code(),
        approver: code(),
        owner: code(),
        slip: None,
        shift: 0,
        rung_ms: 1,
        lines: sale.lines,
        explained: explained.clone(),
        cash_rounding: 0,
        tenders: Vec::new(),
        assured: Vec::new(),
        body: [1; 16],
        holds: Holds::default(),
    };
    let tender = TenderStep {
        basket: id,
        number: 1,
        state: TenderState::Intended,
        kind: TenderKind::Card,
        amount: 1,
        reference: word("1-1-1"),
        terminal: code(),
        said: code(),
        assurance: Assurance::Captured,
        staff: code(),
    };
    let (cash, reason, staff_of, approver) = (Cash::PaidIn, code(), code(), code());
    let close = ShiftClose {
        till,
        number: 1,
        staff: code(),
        approver: code(),
        counted: 0,
        last: receipt,
        totals: Totals::default(),
    };
    vec![
        Fact::TaxRate(rate),
        Fact::TillRules(TillRules::default()),
        Fact::Promotion(promotion),
        Fact::SaleHours(hours),
        Fact::Staff(staff),
        Fact::Basket(basket),
        Fact::BasketStep(BasketStep { basket: id, outcome: Outcome::Resume, till, staff: code() }),
        Fact::Checkout(Checkout { receipt, shift: 0, basket: None, lines: explained, assured: Vec::new() }),
        Fact::ShiftOpen(ShiftOpen { till, number: 1, staff: code(), float: 0, after: receipt }),
        Fact::CashMove(CashMove { till, shift: 1, cash, amount: 1, reason, staff: staff_of, approver }),
        Fact::ShiftClose(close),
        Fact::TenderStep(tender),
        Fact::LabelDone(LabelDone { sku: Sku::parse("TEA").unwrap(), from_ms: 1, minor: Some(1), staff: code() }),
    ]
}

/// Facts about points and coupons: what a hub says if it is one, else what a holder says.
fn loyal(by: Actor) -> Vec<Fact> {
    let (word, member, till) = (|text: &str| Code::parse(text).unwrap(), MemberId(7), TillId(1));
    let is_hub = by.node == NodeId(HUB);
    let (sale, receipt) = (BasketId { till, number: 1 }, ReceiptNumber { till, series: 1, sequence: 1 });
    let Some(Fact::Promotion(mut terms)) = checking_out().into_iter().nth(2) else {
        panic!("the third is a promotion")
    };
    terms.book = terms.id.clone();
    let campaign = Campaign {
        terms,
        issuer: word("brand"),
        funder: word("brand"),
        bearer: Bearer::Funder,
        alone: false,
        returns: false,
        budget: 0,
        worth_max: 0,
        kind: CouponKind::FirstN(1),
        secret: [1; 16],
    };
    let rules = LoyaltyRules {
        ended: false,
        earn_per: 100,
        worth: 1,
        months: 0,
        offline_limit: 0,
        share: 0,
        tiers: Vec::new(),
    };
    let points = match is_hub {
        true => PointsSide::Hub(HubPoints { granted: 1, ..HubPoints::default() }),
        false => PointsSide::Store(StorePoints { soft: 1, ..StorePoints::default() }),
    };
    let coupon = match is_hub {
        true => CouponSays::Placed { turn: 1, holder: by, member: None, answers: 0 },
        false => CouponSays::Asked { number: 1 },
    };
    let quota = match is_hub {
        true => QuotaSide::Hub(HubQuota { confirmed: 1, ..HubQuota::default() }),
        false => QuotaSide::Store(StoreQuota { want: 1, ..StoreQuota::default() }),
    };
    let redemption = Redemption {
        coupon: CouponName { campaign: word("spring"), serial: Some(1) },
        sale,
        receipt,
        member: None,
        at_ms: 1,
        worth: 1,
        proof: Proof::Limit,
        undone: false,
    };
    let earned = SalePoints {
        member,
        sale,
        receipt,
        at_ms: 1,
        expires_ms: 0,
        earned: 1,
        spent: 0,
        soft: 0,
        taken_back: 0,
        restored: 0,
    };
    vec![
        Fact::Loyalty(rules),
        Fact::PointsRow(PointsRow { member, holder: by, says: points }),
        Fact::Campaign(campaign),
        Fact::Coupon(CouponFact { campaign: word("spring"), serial: 1, says: coupon }),
        Fact::Redemption(redemption),
        Fact::Quota(QuotaRow { campaign: word("spring"), holder: by, says: quota }),
        Fact::SalePoints(earned),
    ]
}

fn fork(world: &World) -> ForkProof {
    let log = |n| world.scroll(THIRD, 9, Scope::StoreStock(StoreId(3))).with(sale(1, n, "TEA", 1));
    let branch = |n| {
        let log = log(n);
        let run = log.all();
        let before = stockroom_crdt::chain::advance(log.id.genesis(world.tenant()), &run.items[0].bytes);
        let hash = stockroom_crdt::chain::advance(before, &run.items[1].bytes);
        Branch { hash, after: Vec::new(), seal: run.seal.unwrap() }
    };
    ForkProof { log: log(1).id, seq: 2, left: branch(1), right: branch(2) }
}

/// A ninth store, of another node.
pub fn store_record() -> Fact {
    let code = |text: &str| Code::parse(text).unwrap();
    Fact::Store(StoreRecord {
        store: StoreId(9),
        name: "Nine".into(),
        book: code("default"),
        group: code("chain"),
        entity: Code::default(),
        currency: Currency::parse("EUR").unwrap(),
        zone: code("UTC"),
        rollover_min: 0,
        home: NodeId(77),
        term: 1,
        coordinates: None,
    })
}

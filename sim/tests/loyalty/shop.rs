//! A hub, two stores, a programme of points, and what a till of theirs asks for.

use stockroom_core::books::loyalty as book;
use stockroom_core::input::Answer;
use stockroom_core::input::Command;
use stockroom_core::input::Refusal;
use stockroom_core::input::RetryKey;
use stockroom_core::input::checkout::CheckoutAnswer;
use stockroom_core::input::checkout::CheckoutRequest;
use stockroom_core::input::checkout::Quoted;
use stockroom_core::input::checkout::TerminalSaid;
use stockroom_core::input::checkout::Then;
use stockroom_core::input::loyalty::CouponRefused;
use stockroom_core::input::sales::VoidRequest;
use stockroom_core::loyalty::hub::verdict;
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::promotion::Gives;
use stockroom_crdt::checkout::promotion::Promotion;
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::checkout::tender::TenderState;
use stockroom_crdt::ids::Code;
use stockroom_crdt::ids::Digest;
use stockroom_crdt::ids::MemberId;
use stockroom_crdt::ids::Sku;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::ids::TillId;
use stockroom_crdt::loyalty::campaign::Bearer;
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::campaign::CouponKind;
use stockroom_crdt::loyalty::campaign::CouponName;
use stockroom_crdt::loyalty::points::Account;
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::money::Unit;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_crdt::sale::Tender;
use stockroom_crdt::sale::TenderKind;
use stockroom_sim::world::World;

pub const HUB: u32 = 1;
pub const STORE: u32 = 2;
pub const OTHER: u32 = 3;
pub const ANNA: MemberId = MemberId(0xa11a);

pub trait Shop {
    fn now(&self) -> u64;
    fn actor(&self, node: u32) -> stockroom_crdt::ids::Actor;
    fn campaign(&mut self, campaign: Campaign) -> Campaign;
    fn sell_to(&mut self, node: u32, what: (u64, i64), coupons: &[&Code]) -> Result<ReceiptNumber, Refusal>;
    fn points(&mut self, node: u32, what: (u64, i64), points: i64) -> Result<ReceiptNumber, Refusal>;
    fn paid(
        &mut self,
        node: u32,
        what: (u64, i64),
        coupons: &[&Code],
        tenders: Vec<(Tender, Assurance)>,
    ) -> Result<ReceiptNumber, Refusal>;
    fn quoted(&mut self, node: u32, what: (u64, i64), coupons: &[&Code], points: u64) -> Quoted;
    fn void(&mut self, node: u32, what: (u64, ReceiptNumber)) -> Result<Answer, Refusal>;
    fn back(&mut self, node: u32, what: (u64, ReceiptNumber)) -> Result<Answer, Refusal>;
}

impl Shop for World {
    fn now(&self) -> u64 {
        self.clock(HUB).wall_ms
    }

    fn actor(&self, node: u32) -> stockroom_crdt::ids::Actor {
        stockroom_crdt::ids::Actor::new(node, self.status(node).epoch.0)
    }

    fn campaign(&mut self, campaign: Campaign) -> Campaign {
        let id = campaign.id().clone();
        let command = Command::Campaigns(key(id.as_str()), vec![campaign]);
        self.command(HUB, command).unwrap();
        self.run_ms(3_000);
        View::new(&*self.snapshot(HUB)).campaign(&id).unwrap().unwrap()
    }

    /// Sells teas at 100 each to Anna, for cash, after asking what they cost.
    fn sell_to(&mut self, node: u32, what: (u64, i64), coupons: &[&Code]) -> Result<ReceiptNumber, Refusal> {
        let total = self.quoted(node, what, coupons, 0).quote.total;
        self.paid(node, what, coupons, vec![tender(TenderKind::Cash, total)])
    }

    fn points(&mut self, node: u32, what: (u64, i64), points: i64) -> Result<ReceiptNumber, Refusal> {
        let mut tenders = vec![tender(TenderKind::Points, points * 10)];
        if what.1 * 100 > points * 10 {
            tenders.push(tender(TenderKind::Cash, what.1 * 100 - points * 10));
        }
        self.paid(node, what, &[], tenders)
    }

    fn paid(
        &mut self,
        node: u32,
        what: (u64, i64),
        coupons: &[&Code],
        tenders: Vec<(Tender, Assurance)>,
    ) -> Result<ReceiptNumber, Refusal> {
        let request = request(what, coupons, Then::Pay { tenders, terminal: None });
        match self.command(node, Command::Checkout(Box::new(request)))? {
            Answer::Checkout(CheckoutAnswer::Paid(receipt)) => Ok(receipt),
            other => panic!("{other:?}"),
        }
    }

    fn quoted(&mut self, node: u32, what: (u64, i64), coupons: &[&Code], points: u64) -> Quoted {
        match self.command(node, Command::Checkout(Box::new(request(what, coupons, Then::Quote { points })))) {
            Ok(Answer::Checkout(CheckoutAnswer::Quoted(quoted))) => *quoted,
            other => panic!("{other:?}"),
        }
    }

    fn void(&mut self, node: u32, (number, receipt): (u64, ReceiptNumber)) -> Result<Answer, Refusal> {
        let body = Digest::of(&[&number.to_be_bytes()]);
        let (cashier, approver) = (code("ann"), code("mia"));
        let request = VoidRequest { till: TillId(1), till_seq: number, body, receipt, cashier, approver };
        self.command(node, Command::Void(request))
    }

    fn back(&mut self, node: u32, (number, receipt): (u64, ReceiptNumber)) -> Result<Answer, Refusal> {
        let mut request = request((number, -1), &[], pay(tender(TenderKind::Cash, -100)));
        request.approver = code("mia");
        request.lines[0].original = Some((receipt, 1));
        self.command(node, Command::Checkout(Box::new(request)))
    }
}

/// A hub and two stores that have met, and a programme: a point for each 100, worth 10, 30 of them without a right.
pub fn shop(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    world.put_products(&[("TEA", Unit::Each)]);
    [STORE, OTHER].into_iter().for_each(|store| world.connect(store, HUB));
    world.command(HUB, Command::Loyalty(key("rules"), Box::new(rules()))).unwrap();
    world.run_ms(3_000);
    world
}

pub fn rules() -> LoyaltyRules {
    LoyaltyRules {
        ended: false,
        earn_per: 100,
        worth: 10,
        months: 12,
        offline_limit: 30,
        share: 1_000,
        tiers: Vec::new(),
    }
}

/// 100 off a basket.
pub fn campaign(id: &str, kind: CouponKind) -> Campaign {
    let terms = Promotion {
        book: code(id),
        id: code(id),
        name: id.into(),
        from_ms: 0,
        until_ms: 0,
        ended: false,
        members_only: false,
        stores: Vec::new(),
        skus: Vec::new(),
        departments: Vec::new(),
        gives: Gives::Basket { from: 0, off: 100 },
        priority: 0,
        exclusive: false,
        per_basket: 1,
    };
    Campaign {
        terms,
        issuer: code("brand"),
        funder: code("brand"),
        bearer: Bearer::Funder,
        alone: false,
        returns: false,
        budget: 0,
        worth_max: 0,
        kind,
        secret: [0; 16],
    }
}

pub fn request((number, teas): (u64, i64), coupons: &[&Code], then: Then) -> CheckoutRequest {
    let line = AskedLine {
        sku: sku(),
        unit: None,
        quantity: teas,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    };
    let line = AskedLine { code_price: Some(100), ..line };
    CheckoutRequest {
        basket: BasketId { till: TillId(1), number },
        body: Digest::of(&[&number.to_be_bytes(), &teas.to_be_bytes()]),
        rung_ms: None,
        cashier: code("ann"),
        approver: Code::default(),
        age_checked: false,
        member: Some(ANNA),
        accounts: Vec::new(),
        coupons: coupons.iter().map(|&code| code.clone()).collect(),
        lines: vec![line],
        expected_total: None,
        then,
    }
}

pub fn pay(tender: (Tender, Assurance)) -> Then {
    Then::Pay { tenders: vec![tender], terminal: None }
}

pub fn tender(kind: TenderKind, amount: i64) -> (Tender, Assurance) {
    let assurance = if kind == TenderKind::Cash { Assurance::Cash } else { Assurance::Seen };
    (Tender { kind, amount, reference: Code::default() }, assurance)
}

pub fn said(world: &mut World, basket: BasketId, state: TenderState) {
    let said = TerminalSaid {
        basket,
        number: 1,
        state,
        said: code("A1"),
        assurance: Assurance::Captured,
        amount: None,
        staff: Code::default(),
    };
    world.command(STORE, Command::TerminalSaid(said)).unwrap();
}

pub fn crash(world: &mut World) {
    world.crash(STORE);
    world.run_ms(1_000);
    world.start(STORE);
    world.run_ms(1_000);
}

pub fn refused(answer: Result<ReceiptNumber, Refusal>) -> CouponRefused {
    match answer {
        Err(Refusal::Coupon { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

pub fn at(world: &World, node: u32) -> Account {
    book::account(&*world.snapshot(node), ANNA, None).unwrap()
}

pub fn balance(world: &World, node: u32) -> i64 {
    at(world, node).balance(world.now())
}

pub fn sale_of(world: &World, receipt: ReceiptNumber) -> stockroom_crdt::loyalty::points::SalePoints {
    book::of_receipt(&*world.snapshot(HUB), StoreId(1), receipt).unwrap().remove(0)
}

pub fn redemptions(world: &World, node: u32) -> Vec<stockroom_crdt::loyalty::coupon::Redemption> {
    book::redeemed_at(&*world.snapshot(node), StoreId(1), &code("SAVE")).unwrap()
}

pub fn judged(world: &World, campaign: &str, serial: u32) -> stockroom_crdt::loyalty::coupon::Verdict {
    judged_if(world, campaign, serial).unwrap()
}

pub fn judged_if(world: &World, campaign: &str, serial: u32) -> Option<stockroom_crdt::loyalty::coupon::Verdict> {
    let name = CouponName { campaign: code(campaign), serial: Some(serial) };
    verdict(&*world.snapshot(HUB), &name).unwrap()
}

/// The hub throws its books of a store away, makes them again, and finds the same points.
pub fn rebuilt_alike(world: &mut World) {
    let before = at(world, HUB);
    let now_ms = world.now_ms;
    let node = world.nodes.get_mut(&HUB).unwrap();
    let now = node.now(now_ms);
    let core = node.core.as_mut().unwrap();
    core.rebuild(StoreId(1)).unwrap();
    core.commit(now).unwrap();
    assert_eq!(at(world, HUB), before);
}

pub fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[b"loyalty", words.as_bytes()]), body: Digest::of(&[words.as_bytes()]) }
}

pub fn sku() -> Sku {
    Sku::parse("TEA").unwrap()
}

pub fn code(text: &str) -> Code {
    if text.is_empty() { Code::default() } else { Code::parse(text).unwrap() }
}

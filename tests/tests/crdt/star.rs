//! Points, coupons and pools among stores around a hub, whatever is lost, late or told twice on the way.

use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, MemberId, StoreId, TillId};
use stockroom_crdt::loyalty::campaign::{Campaign, CouponKind};
use stockroom_crdt::loyalty::coupon::{
    Amount, CouponHere, CouponSays, HubQuota, Quota, QuotaRow, QuotaSide, StoreQuota,
};
use stockroom_crdt::loyalty::points::{Account, Debit, HubPoints, SalePoints};
use stockroom_crdt::sale::ReceiptNumber;

use super::loyal::examples;

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// A hub at place 0 and stores around it, each with its own view of one account; what is said travels or is lost.
struct Star {
    views: Vec<Account>,
    truth: Account,
    dice: Dice,
    sales: u64,
    now_ms: u64,
}

const STORES: u64 = 3;
const LIMIT: u64 = 50;

impl Star {
    fn new(seed: u64) -> Self {
        let views = (0..=STORES).map(|_| Account::default()).collect();
        Self { views, truth: Account::default(), dice: Dice(seed), sales: 0, now_ms: 1 }
    }

    fn holder(store: u64) -> Actor {
        Actor::new(10 + store as u32, 1)
    }

    /// Someone sells, someone spends as much as it may, the hub settles, or one view hears of another; whatever the schedule.
    fn step(&mut self) {
        let store = 1 + self.dice.below(STORES);
        let (at, holder) = (store as usize, Self::holder(store));
        self.now_ms += self.dice.below(40);
        match self.dice.below(6) {
            0 => self.sold(store, self.now_ms, (20, Debit::default())),
            1 | 2 => {
                let wanted = 1 + self.dice.below(80);
                if let Some(debit) = self.views[at].debit(holder, wanted, Debit::default(), LIMIT) {
                    let row = self.views[at].spend(holder, debit);
                    self.truth.store_says(holder, &row);
                    self.sold(store, self.now_ms, (0, debit));
                }
            }
            3 => {
                let amount = self.dice.below(40);
                let row = self.views[at].give_back(holder, amount, Debit::default());
                self.truth.store_says(holder, &row);
            }
            4 => {
                for holder in self.views[0].cover(self.now_ms) {
                    let row = self.views[0].hub_row(holder);
                    self.truth.hub_says(holder, &row);
                }
                let points = self.dice.below(100);
                let row = self.views[0].grant(holder, points, self.now_ms);
                self.truth.hub_says(holder, &row);
            }
            _ => {
                // A store hears of its own column only; the hub of the store. Either may be old news, or come twice.
                let (from, to) = if self.dice.below(2) == 0 { (0, at) } else { (at, 0) };
                let heard = self.views[from].clone();
                if to == 0 {
                    self.views[0].join(&heard);
                } else {
                    // Nothing was said while there is no row.
                    let row = Some(heard.hub_row(holder)).filter(|row| *row != HubPoints::default());
                    row.iter().for_each(|row| self.views[to].hub_says(holder, row));
                }
            }
        }
    }

    fn sold(&mut self, store: u64, at_ms: u64, (earned, debit): (u64, Debit)) {
        self.sales += 1;
        let till = TillId(1);
        let said = SalePoints {
            member: MemberId(1),
            sale: BasketId { till, number: self.sales },
            receipt: ReceiptNumber { till, series: 1, sequence: self.sales },
            at_ms,
            expires_ms: if self.sales.is_multiple_of(3) { at_ms + 400 } else { 0 },
            earned,
            spent: debit.right,
            soft: debit.soft,
            taken_back: 0,
            restored: 0,
        };
        self.views[store as usize].sale_says(StoreId(store as u32), &said);
        self.truth.sale_says(StoreId(store as u32), &said);
    }
}

#[test]
fn nobody_overdraws_by_more_than_the_limits_whatever_is_lost_or_late() {
    println!("seeds 0 to 9999");
    for seed in 0..10_000 {
        let mut star = Star::new(seed);
        for _ in 0..60 {
            star.step();
            let truth = &star.truth;
            let uncovered: u64 = truth.holders().map(|holder| truth.uncovered(holder)).sum();
            let balance = truth.balance(star.now_ms);
            assert!(balance >= -(uncovered as i64), "seed {seed}: {balance} with {uncovered} uncovered");
            assert!(truth.holders().all(|holder| truth.uncovered(holder) <= LIMIT), "seed {seed}");
            assert!(balance >= -((STORES * LIMIT) as i64), "seed {seed}: {balance}");
        }
    }
}

#[test]
fn points_are_conserved_on_every_replica_once_everybody_heard_everything() {
    println!("seeds 0 to 1999");
    for seed in 0..2_000 {
        let mut star = Star::new(seed);
        (0..60).for_each(|_| star.step());
        let mut all = Account::default();
        let mut backwards = Account::default();
        star.views.iter().for_each(|view| all.join(view));
        star.views.iter().rev().for_each(|view| backwards.join(view));
        assert_eq!(all, backwards, "seed {seed}");
        assert_eq!(all, star.truth, "seed {seed}");
        let spent: u64 = all.sales().map(|(_, said)| said.spent + said.soft).sum();
        let rows: u64 = all.holders().map(|holder| all.store_row(holder)).map(|row| row.spent + row.soft).sum();
        assert_eq!(spent, rows, "seed {seed}: what sales say and what rows say is the same");
        let held: u64 = all.holders().map(|holder| all.held(holder)).sum();
        let uncovered: u64 = all.holders().map(|holder| all.uncovered(holder)).sum();
        let free = all.assets(star.now_ms) - all.committed();
        assert_eq!(all.balance(star.now_ms), (held + free) as i64 - uncovered as i64, "seed {seed}");
    }
}

/// One coupon among stores that hear of each other through a hub; each says only what it may.
#[test]
fn a_coupon_with_holders_is_redeemed_once_whatever_is_lost_or_late() {
    println!("seeds 0 to 9999");
    for seed in 0..10_000 {
        let mut dice = Dice(seed);
        let mut logs: Vec<Vec<CouponSays>> = vec![Vec::new(); STORES as usize];
        let mut hub: Vec<CouponHere> = vec![CouponHere::default(); STORES as usize];
        let mut heard = vec![0; STORES as usize];
        let (mut redeemed, mut turn) = (vec![false; STORES as usize], 0);
        for _ in 0..60 {
            let at = dice.below(STORES) as usize;
            let mut own = CouponHere::default();
            // A store may have heard only a part of what its hub wrote in its scope.
            logs[at][..heard[at]].iter().for_each(|says| own.take(*says));
            let holds = own.held().filter(|_| !redeemed[at]);
            match dice.below(5) {
                0 => heard[at] = (heard[at] + 1).min(logs[at].len()),
                1 => redeemed[at] |= holds.is_some(),
                2 => {
                    if let Some((turn, ..)) = holds.filter(|_| heard[at] == logs[at].len()) {
                        logs[at].push(CouponSays::GivenUp { turn });
                        heard[at] = logs[at].len();
                    }
                }
                3 => {
                    let seen = dice.below(logs[at].len() as u64 + 1) as usize;
                    logs[at][..seen].iter().for_each(|says| hub[at].take(*says));
                }
                _ => {
                    let placed = hub.iter().filter_map(|here| here.placed.map(|(turn, ..)| (turn, here.given_up)));
                    if placed.max().is_none_or(|(turn, given_up)| given_up >= turn) {
                        turn += 1;
                        let holder = Star::holder(at as u64);
                        let says = CouponSays::Placed { turn, holder, member: None, answers: 0 };
                        logs[at].push(says);
                        hub[at].take(says);
                    }
                }
            }
            assert!(redeemed.iter().filter(|redeemed| **redeemed).count() <= 1, "seed {seed}");
        }
    }
}

#[test]
fn a_pool_gives_no_more_than_there_is_whatever_is_lost_or_late() {
    println!("seeds 0 to 4999");
    let Some((_, Fact::Campaign(campaign))) = examples().into_iter().find(|(name, _)| *name == "campaign") else {
        panic!("there is an example of a campaign");
    };
    let campaign = Campaign { kind: CouponKind::FirstN(12), budget: 1_000, ..campaign };
    for seed in 0..5_000 {
        let mut dice = Dice(seed);
        let mut hub = Quota::default();
        let mut stores: Vec<Quota> = vec![Quota::default(); STORES as usize];
        let mut truth = Quota::default();
        for _ in 0..60 {
            let at = dice.below(STORES);
            let holder = Star::holder(at);
            let one = Amount { pieces: 1, worth: 1 + dice.below(120) };
            let own = &mut stores[at as usize];
            let row = |says| QuotaRow { campaign: campaign.id().clone(), holder, says };
            match dice.below(4) {
                0 => {
                    let left = hub.left(&campaign);
                    let more = Amount { pieces: dice.below(left.pieces + 1), worth: dice.below(left.worth + 1) };
                    let held = hub.of(holder).0;
                    let said = row(QuotaSide::Hub(HubQuota { granted: held.granted.plus(more), ..held }));
                    hub.take(&said);
                    truth.take(&said);
                }
                1 => {
                    let (free, held) = (own.held(holder), own.of(holder).1);
                    if free.pieces >= one.pieces && free.worth >= one.worth {
                        let said = row(QuotaSide::Store(StoreQuota { used: held.used.plus(one), ..held }));
                        own.take(&said);
                        truth.take(&said);
                    }
                }
                2 => own.take(&row(QuotaSide::Hub(hub.of(holder).0))),
                _ => hub.take(&row(QuotaSide::Store(own.of(holder).1))),
            }
            let used = truth.holders().map(|holder| truth.of(holder).1.used).fold(Amount::default(), Amount::plus);
            assert!(used.pieces <= 12 && used.worth <= 1_000, "seed {seed}: {used:?}");
        }
    }
}

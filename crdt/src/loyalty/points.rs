//! Points as a star of counters. The hub stands in the middle: it grants rights to stores, covers what stores gave without a right, and says
//! so in a row per member and holder. A store says in its own row what it spent and gave back. All of these numbers only grow, and rows are
//! joined field by field, so neither loss nor repetition nor order matters.
//!
//! **Why nobody overdraws.** Let `A` be what was earned, less what was taken back and what expired, with what was paid back. The hub writes a
//! grant or a cover only while, as far as it knows, `sum(granted - given back) + sum(covered) <= A`. What it does not know yet makes both
//! sides safer: `A` grows by earning, `given back` grows. A store spends `spent + given back <= granted`, as it knows its own grants, and
//! `soft - covered <= limit`. So at any moment `balance = A - spent - soft >= -sum(soft - covered) >= -holders * limit`: the overdraft is at most
//! the sum of limits. Points that are taken back after they were spent come on top; the goods for them are back. What is owed is netted
//! against what is earned next, since nothing is granted while the balance is below what lies at stores.
//!
//! **Why a sale counts once.** [`SalePoints`] is a row per sale and member, by the till's own number of the sale. A sale that a till sent again to
//! a node that was set back has the same number, whatever receipt it got, and joins with itself.
//!
//! A holder is a node in one of its epochs: a life that was set back does not know what it spent, and holds nothing.

use std::collections::BTreeMap;

use super::rules::{LoyaltyRules, YEAR_MS};
use crate::checkout::basket::BasketId;
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Code, MemberId, StoreId};
use crate::limits::POINTS_MAX;
use crate::sale::ReceiptNumber;

/// A new version of a row, whole. Stands in `store/<id>/members`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PointsRow {
    /// Whose points.
    pub member: MemberId,
    /// The store's node that may spend them.
    pub holder: Actor,
    /// What is said.
    pub says: PointsSide,
}

/// Who says what of a holder's points.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PointsSide {
    /// The hub.
    Hub(HubPoints),
    /// The holder itself.
    Store(StorePoints),
}

/// What a hub says to a holder.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HubPoints {
    /// Points that it may spend, in all.
    pub granted: u64,
    /// Of those that it spent without a right, so many stand behind by now.
    pub covered: u64,
    /// Points that it is asked to give back, in all.
    pub wanted_back: u64,
    /// Of what was granted, so much was left when the holder's life was over and all of it was known.
    pub reclaimed: u64,
    /// Number of the newest request that was answered.
    pub served: u32,
    /// When the two below were true, milliseconds since 1970.
    pub told_ms: u64,
    /// All the member's points, wherever they lie.
    pub balance: i64,
    /// Her tier; empty for none.
    pub tier: Code,
}

/// What a holder says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StorePoints {
    /// Spent by right.
    pub spent: u64,
    /// Given back to the hub.
    pub given_back: u64,
    /// Spent without a right, within the limit.
    pub soft: u64,
    /// Number of its newest request for more.
    pub want: u32,
    /// How many it wants to be able to spend.
    pub wanted: u64,
}

/// What a sale gave a member and cost her. Stands in `store/<id>/members`; written again, larger, when goods come back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SalePoints {
    /// Whose points.
    pub member: MemberId,
    /// Which sale, by its till's own number.
    pub sale: BasketId,
    /// Its receipt.
    pub receipt: ReceiptNumber,
    /// When it was rung up, milliseconds since 1970.
    pub at_ms: u64,
    /// When what was earned expires, milliseconds since 1970; 0 for never.
    pub expires_ms: u64,
    /// Points that were earned.
    pub earned: u64,
    /// Spent by right.
    pub spent: u64,
    /// Spent without a right.
    pub soft: u64,
    /// Of what was earned, so many were taken back with goods.
    pub taken_back: u64,
    /// Of what was spent, so many came back with goods.
    pub restored: u64,
}

/// Everything that is known of one account.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    hub: BTreeMap<Actor, HubPoints>,
    stores: BTreeMap<Actor, StorePoints>,
    sales: BTreeMap<(StoreId, BasketId), SalePoints>,
}

/// How points are spent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Debit {
    /// By right.
    pub right: u64,
    /// Without one.
    pub soft: u64,
}

impl HubPoints {
    /// Field by field the larger number; the newer word of balance and tier.
    pub fn join(&mut self, other: &Self) {
        self.granted = self.granted.max(other.granted);
        self.covered = self.covered.max(other.covered);
        self.wanted_back = self.wanted_back.max(other.wanted_back);
        self.reclaimed = self.reclaimed.max(other.reclaimed);
        self.served = self.served.max(other.served);
        if (self.told_ms, self.balance, &self.tier) < (other.told_ms, other.balance, &other.tier) {
            (self.told_ms, self.balance, self.tier) = (other.told_ms, other.balance, other.tier.clone());
        }
    }

    fn encode(&self, sink: &mut impl Sink) {
        [self.granted, self.covered, self.wanted_back, self.reclaimed]
            .into_iter()
            .for_each(|points| sink.uint(col::B, points));
        sink.uint(col::D, u64::from(self.served));
        sink.uint(col::TIME, self.told_ms);
        sink.int(col::AMOUNT, self.balance);
        self.tier.encode(sink, col::NAME);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            granted: points(source)?,
            covered: points(source)?,
            wanted_back: points(source)?,
            reclaimed: points(source)?,
            served: source.u32(col::D)?,
            told_ms: source.uint(col::TIME)?,
            balance: source.int(col::AMOUNT)?,
            tier: Code::decode(source, col::NAME)?,
        })
    }
}

impl StorePoints {
    /// Field by field the larger number; the newer request.
    pub fn join(&mut self, other: &Self) {
        self.spent = self.spent.max(other.spent);
        self.given_back = self.given_back.max(other.given_back);
        self.soft = self.soft.max(other.soft);
        (self.want, self.wanted) = (self.want, self.wanted).max((other.want, other.wanted));
    }

    fn encode(&self, sink: &mut impl Sink) {
        [self.spent, self.given_back, self.soft].into_iter().for_each(|points| sink.uint(col::B, points));
        sink.uint(col::D, u64::from(self.want));
        sink.uint(col::B, self.wanted);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (spent, given_back, soft) = (points(source)?, points(source)?, points(source)?);
        Ok(Self { spent, given_back, soft, want: source.u32(col::D)?, wanted: points(source)? })
    }
}

impl PointsRow {
    /// Writes the row.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        self.holder.encode(sink);
        match &self.says {
            PointsSide::Hub(row) => {
                sink.uint(col::FLAGS, 0);
                row.encode(sink);
            }
            PointsSide::Store(row) => {
                sink.uint(col::FLAGS, 1);
                row.encode(sink);
            }
        }
    }

    /// Reads what [`PointsRow::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let (member, holder) = (MemberId::decode(source)?, Actor::decode(source)?);
        let says = match source.flag(col::FLAGS)? {
            false => PointsSide::Hub(HubPoints::decode(source)?),
            true => PointsSide::Store(StorePoints::decode(source)?),
        };
        Ok(Self { member, holder, says })
    }
}

impl SalePoints {
    /// Takes in what else is said of the same sale and member. Of two histories the one with the older receipt says what was earned and spent;
    /// what came back is the larger.
    pub fn join(&mut self, other: &Self) {
        fn told(it: &SalePoints) -> impl Ord {
            let number = (it.receipt.series, it.receipt.sequence, it.receipt.till);
            (number, it.at_ms, it.expires_ms, it.earned, it.spent, it.soft)
        }
        let back = (self.taken_back.max(other.taken_back), self.restored.max(other.restored));
        if told(other) < told(self) {
            *self = other.clone();
        }
        (self.taken_back, self.restored) = back;
    }

    /// Points that the sale left her: what it gave less what was taken back, with what came back of what it cost.
    pub fn lot(&self) -> u64 {
        let restored = self.restored.min(self.spent.saturating_add(self.soft));
        self.earned.saturating_sub(self.taken_back).saturating_add(restored)
    }

    /// The row after `returned` of the `total` that the goods cost came back: in proportion, never more than there was, and all of it with the
    /// last of the goods.
    pub fn after_return(&self, returned: i64, total: i64) -> Self {
        let share = |points: u64| {
            let (part, whole) = (u128::try_from(returned).unwrap_or(0), u128::try_from(total).unwrap_or(0));
            let share = (u128::from(points) * part.min(whole)).checked_div(whole).unwrap_or(0);
            u64::try_from(share).unwrap_or(points)
        };
        let mut after = self.clone();
        after.taken_back = after.taken_back.max(share(self.earned));
        after.restored = after.restored.max(share(self.spent.saturating_add(self.soft)));
        after
    }

    /// Writes it.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.member.encode(sink);
        self.sale.encode(sink);
        self.receipt.encode(sink);
        sink.uint(col::TIME, self.at_ms);
        sink.uint(col::EXPIRY, self.expires_ms);
        [self.earned, self.spent, self.soft, self.taken_back, self.restored]
            .into_iter()
            .for_each(|points| sink.uint(col::B, points));
    }

    /// Reads what [`SalePoints::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            member: MemberId::decode(source)?,
            sale: BasketId::decode(source)?,
            receipt: ReceiptNumber::decode(source)?,
            at_ms: source.uint(col::TIME)?,
            expires_ms: source.uint(col::EXPIRY)?,
            earned: points(source)?,
            spent: points(source)?,
            soft: points(source)?,
            taken_back: points(source)?,
            restored: points(source)?,
        })
    }
}

impl Account {
    /// Takes in what a hub said to a holder.
    pub fn hub_says(&mut self, holder: Actor, row: &HubPoints) {
        self.hub.entry(holder).or_default().join(row);
    }

    /// Takes in what a holder said.
    pub fn store_says(&mut self, holder: Actor, row: &StorePoints) {
        self.stores.entry(holder).or_default().join(row);
    }

    /// Takes in what a sale at a store did.
    pub fn sale_says(&mut self, store: StoreId, said: &SalePoints) {
        let held = self.sales.entry((store, said.sale)).or_insert_with(|| said.clone());
        held.join(said);
    }

    /// Takes in everything that another replica knows.
    pub fn join(&mut self, other: &Self) {
        other.hub.iter().for_each(|(&holder, row)| self.hub_says(holder, row));
        other.stores.iter().for_each(|(&holder, row)| self.store_says(holder, row));
        other.sales.iter().for_each(|((store, _), said)| self.sale_says(*store, said));
    }

    /// What hubs said to a holder.
    pub fn hub_row(&self, holder: Actor) -> HubPoints {
        self.hub.get(&holder).cloned().unwrap_or_default()
    }

    /// What a holder said.
    pub fn store_row(&self, holder: Actor) -> StorePoints {
        self.stores.get(&holder).copied().unwrap_or_default()
    }

    /// All her points and her tier as the hub last told, and when; `None` if it never did.
    pub fn told(&self) -> Option<(i64, u64, Code)> {
        let newest = self.hub.values().filter(|row| row.told_ms > 0).max_by_key(|row| row.told_ms)?;
        Some((newest.balance, newest.told_ms, newest.tier.clone()))
    }

    /// Everybody who ever held points of it.
    pub fn holders(&self) -> impl Iterator<Item = Actor> {
        let all: std::collections::BTreeSet<Actor> = self.hub.keys().chain(self.stores.keys()).copied().collect();
        all.into_iter()
    }

    /// Sales that gave or cost points, each once.
    pub fn sales(&self) -> impl Iterator<Item = (StoreId, &SalePoints)> {
        self.sales.iter().map(|((store, _), said)| (*store, said))
    }

    /// What a holder may spend by right.
    pub fn held(&self, holder: Actor) -> u64 {
        let (hub, own) = (self.hub_row(holder), self.store_row(holder));
        hub.granted.saturating_sub(hub.reclaimed).saturating_sub(own.spent.saturating_add(own.given_back))
    }

    /// What a holder spent without a right, and nothing stands behind yet.
    pub fn uncovered(&self, holder: Actor) -> u64 {
        self.store_row(holder).soft.saturating_sub(self.hub_row(holder).covered)
    }

    /// How a holder would spend so many points; `None` if that is beyond its rights and the limit. `reserved` is what baskets that wait hold.
    pub fn debit(&self, holder: Actor, points: u64, reserved: Debit, limit: u64) -> Option<Debit> {
        let right = self.held(holder).saturating_sub(reserved.right).min(points);
        let soft = points - right;
        let room = limit.saturating_sub(self.uncovered(holder)).saturating_sub(reserved.soft);
        (soft <= room).then_some(Debit { right, soft })
    }

    /// A holder's row after it spent. The caller has asked [`Account::debit`].
    pub fn spend(&mut self, holder: Actor, debit: Debit) -> StorePoints {
        let row = self.stores.entry(holder).or_default();
        row.spent = row.spent.saturating_add(debit.right);
        row.soft = row.soft.saturating_add(debit.soft);
        *row
    }

    /// A holder's row after it gave back at most so many points that it may spend and that no basket holds.
    pub fn give_back(&mut self, holder: Actor, points: u64, reserved: Debit) -> StorePoints {
        let free = self.held(holder).saturating_sub(reserved.right).min(points);
        let row = self.stores.entry(holder).or_default();
        row.given_back = row.given_back.saturating_add(free);
        *row
    }

    /// What is bound: rights that were granted and not given back, and what stands behind points that were spent without a right.
    pub fn committed(&self) -> u64 {
        let of = |holder: Actor| {
            let (hub, own) = (self.hub_row(holder), self.store_row(holder));
            hub.granted.saturating_sub(own.given_back).saturating_sub(hub.reclaimed).saturating_add(hub.covered)
        };
        self.holders().map(of).fold(0, u64::saturating_add)
    }

    /// Points that expired by now. The oldest are bound first, so what lies ready at a store does not expire there.
    pub fn expired(&self, now_ms: u64) -> u64 {
        let gone = |said: &&SalePoints| said.expires_ms != 0 && said.expires_ms <= now_ms;
        let gone = self.sales.values().filter(gone).map(SalePoints::lot).fold(0, u64::saturating_add);
        gone.saturating_sub(self.committed())
    }

    /// What is there to be bound: earned, not taken back, not expired, and what came back of what was spent.
    pub fn assets(&self, now_ms: u64) -> u64 {
        let lots = self.sales.values().map(SalePoints::lot).fold(0, u64::saturating_add);
        lots.saturating_sub(self.expired(now_ms))
    }

    /// What a member has: below zero by what was spent beyond it.
    pub fn balance(&self, now_ms: u64) -> i64 {
        let spent = self.sales.values().map(|said| said.spent.saturating_add(said.soft)).fold(0, u64::saturating_add);
        i64::try_from(i128::from(self.assets(now_ms)) - i128::from(spent)).unwrap_or(i64::MIN)
    }

    /// What a hub may still grant: never more than is not bound, and nothing while a debt has to be netted.
    pub fn grantable(&self, now_ms: u64) -> u64 {
        let debt = self.holders().map(|holder| self.uncovered(holder)).fold(0, u64::saturating_add);
        self.assets(now_ms).saturating_sub(self.committed()).saturating_sub(debt)
    }

    /// The hub's row after it granted so many points to a holder, or as many as there are.
    pub fn grant(&mut self, holder: Actor, points: u64, now_ms: u64) -> HubPoints {
        let points = points.min(self.grantable(now_ms));
        let row = self.hub.entry(holder).or_default();
        row.granted = row.granted.saturating_add(points).min(POINTS_MAX);
        row.clone()
    }

    /// The hub's row after the holder's life was over: what it had left is free again.
    pub fn reclaim(&mut self, holder: Actor) -> HubPoints {
        let left = self.held(holder);
        let row = self.hub.entry(holder).or_default();
        row.reclaimed = row.reclaimed.saturating_add(left);
        row.clone()
    }

    /// Covers what holders spent without a right, as far as points are there for it. Gives the holders whose rows changed.
    pub fn cover(&mut self, now_ms: u64) -> Vec<Actor> {
        let mut left = self.assets(now_ms).saturating_sub(self.committed());
        let mut changed = Vec::new();
        for holder in self.holders().collect::<Vec<_>>() {
            let covers = self.uncovered(holder).min(left);
            if covers > 0 {
                left -= covers;
                let row = self.hub.entry(holder).or_default();
                row.covered = row.covered.saturating_add(covers);
                changed.push(holder);
            }
        }
        changed
    }

    /// Points earned in the last twelve months, by which tiers go.
    pub fn earned_lately(&self, now_ms: u64) -> u64 {
        let since = now_ms.saturating_sub(YEAR_MS);
        let lately = self.sales.values().filter(|said| said.at_ms >= since);
        lately.map(|said| said.earned.saturating_sub(said.taken_back)).fold(0, u64::saturating_add)
    }

    /// The tier by the rules; empty for none.
    pub fn tier(&self, rules: &LoyaltyRules, now_ms: u64) -> Code {
        rules.tier(self.earned_lately(now_ms)).map(|tier| tier.name.clone()).unwrap_or_default()
    }

    /// The store where she shopped most often, the lower number of equals.
    pub fn home(&self) -> Option<StoreId> {
        let mut visits: BTreeMap<StoreId, u64> = BTreeMap::new();
        self.sales.keys().for_each(|(store, _)| *visits.entry(*store).or_default() += 1);
        visits.into_iter().max_by_key(|(store, visits)| (*visits, std::cmp::Reverse(*store))).map(|(store, _)| store)
    }

    /// When the oldest of her points were earned that is known here; the last possible moment if none is.
    pub fn oldest_ms(&self) -> u64 {
        self.sales.values().filter(|said| said.lot() > 0).map(|said| said.at_ms).min().unwrap_or(u64::MAX)
    }
}

/// How several accounts of one person spend points together: by right from the oldest points on, then without a right. `may` says for each
/// account, in its order, what [`Account::debit`] allows at most. `None` if it is too much.
pub fn debits(accounts: &[(MemberId, u64, Debit)], points: u64) -> Option<Vec<(MemberId, Debit)>> {
    let mut order: Vec<&(MemberId, u64, Debit)> = accounts.iter().collect();
    order.sort_by_key(|(member, oldest_ms, _)| (*oldest_ms, *member));
    let mut out: BTreeMap<MemberId, Debit> = BTreeMap::new();
    let mut left = points;
    for (member, _, may) in &order {
        let right = may.right.min(left);
        left -= right;
        out.entry(*member).or_default().right += right;
    }
    for (member, _, may) in order {
        let soft = may.soft.min(left);
        left -= soft;
        out.entry(*member).or_default().soft += soft;
    }
    out.retain(|_, debit| debit.points() > 0);
    (left == 0).then(|| out.into_iter().collect())
}

impl Debit {
    /// Both together.
    pub fn points(self) -> u64 {
        self.right.saturating_add(self.soft)
    }

    /// Writes both.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::B, self.right);
        sink.uint(col::B, self.soft);
    }

    /// Reads what [`Debit::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { right: points(source)?, soft: points(source)? })
    }
}

fn points(source: &mut impl Source) -> Result<u64, DecodeError> {
    let points = source.uint(col::B)?;
    if points > POINTS_MAX { Err(DecodeError::Value("points")) } else { Ok(points) }
}

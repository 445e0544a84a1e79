//! Rights: a bounded counter of promises that may be made from the goods of one account, spread over actors.
//!
//! State is a map `(account, actor) -> RightsRow`, where only the actor writes its row, every number only grows, and join is
//! the larger number, field by field. What an actor may still promise is
//! `mint + what others granted it - what it granted others - used - burned`.
//!
//! An actor knows its own row exactly and others' rows as they once were. What it was granted is therefore known late or not
//! yet, never too large, so a step that its own knowledge allows never overdraws (Balegas et al., "Extending eventually
//! consistent cloud databases for enforcing numeric invariants", SRDS 2015). That needs three things of whoever uses this:
//! a row is durable before anybody hears of it, an actor never writes two histories (a new epoch is a new actor with no
//! rights), and an actor never grants to itself, which does not even decode.

use std::collections::BTreeMap;

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Actor, Sku, StoreId};
use crate::limits::{RIGHTS_MAX, RIGHTS_PARTNERS_MAX};
use crate::money::Unit;

/// Which goods: of one product, at one store, in one unit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Account {
    /// Where the goods are.
    pub store: StoreId,
    /// What they are.
    pub sku: Sku,
    /// In what they are counted.
    pub unit: Unit,
}

/// What a right stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Class {
    /// One unit in the book: it is never promised twice.
    Goods = 0,
    /// One unit of the overbooking budget: so many promises at most are made without a right to goods.
    Overbooking = 1,
}

/// One actor's numbers about one account. All of them only grow.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RightsRow {
    /// Rights made from goods in the book, in units. Counts only when the actor was a home of the account.
    pub mint: u64,
    /// Rights turned into promises.
    pub used: u64,
    /// Rights destroyed because goods are missing.
    pub burned: u64,
    /// Units granted to each other actor, in all.
    pub grants: BTreeMap<Actor, u64>,
    /// Number of the last request of each other actor that was answered.
    pub served: BTreeMap<Actor, u32>,
}

/// Why a step is not taken. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RightsError {
    /// The actor does not hold so many rights.
    #[error("{held} rights are held here, {wanted} are needed")]
    TooFew {
        /// Held, as far as the actor knows.
        held: u64,
        /// Asked for.
        wanted: u64,
    },
    /// A grant to oneself would make rights from nothing.
    #[error("rights are not granted to oneself")]
    ToSelf,
    /// More partners or units than a row holds.
    #[error("a row of rights is full")]
    Full,
}

impl Class {
    /// Reads what [`Class::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        match source.uint(col::A)? {
            0 => Ok(Self::Goods),
            1 => Ok(Self::Overbooking),
            _ => Err(DecodeError::Value("class of rights")),
        }
    }

    /// Writes the class.
    pub fn encode(self, sink: &mut impl Sink) {
        sink.uint(col::A, self as u64);
    }
}

impl Account {
    /// Writes store, SKU and unit.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::STORE, u64::from(self.store.0));
        self.sku.encode(sink);
        self.unit.encode(sink);
    }

    /// Reads what [`Account::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self { store: StoreId(source.u32(col::STORE)?), sku: Sku::decode(source)?, unit: Unit::decode(source)? })
    }
}

impl RightsRow {
    /// Field by field the larger number.
    pub fn join(&mut self, other: &Self) {
        self.mint = self.mint.max(other.mint);
        self.used = self.used.max(other.used);
        self.burned = self.burned.max(other.burned);
        for (&actor, &units) in &other.grants {
            let held = self.grants.entry(actor).or_default();
            *held = units.max(*held);
        }
        for (&actor, &number) in &other.served {
            let held = self.served.entry(actor).or_default();
            *held = number.max(*held);
        }
    }

    /// Units granted to others, in all.
    pub fn granted(&self) -> u64 {
        self.grants.values().fold(0, |sum, &units| sum.saturating_add(units))
    }

    /// Number of the last request of `of` that this row answers; 0 if none was.
    pub fn served(&self, of: Actor) -> u32 {
        self.served.get(&of).copied().unwrap_or(0)
    }

    /// Writes the row of `writer`.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::QUANTITY, self.mint);
        sink.uint(col::B, self.used);
        sink.uint(col::C, self.burned);
        sink.uint(col::COUNT, self.grants.len() as u64);
        for (actor, units) in &self.grants {
            actor.encode(sink);
            sink.uint(col::AMOUNT, *units);
        }
        sink.uint(col::LINE_COUNT, self.served.len() as u64);
        for (actor, number) in &self.served {
            actor.encode(sink);
            sink.uint(col::D, u64::from(*number));
        }
    }

    /// Reads what [`RightsRow::encode`] wrote. A row in which `writer` grants to itself is not one.
    pub fn decode(source: &mut impl Source, writer: Actor) -> Result<Self, DecodeError> {
        let row = Self {
            mint: units(source, col::QUANTITY)?,
            used: units(source, col::B)?,
            burned: units(source, col::C)?,
            grants: partners(source, (col::COUNT, col::AMOUNT), |source, column| units(source, column))?,
            served: partners(source, (col::LINE_COUNT, col::D), |source, column| source.u32(column))?,
        };
        if row.grants.contains_key(&writer) {
            return Err(DecodeError::Value("grant to oneself"));
        }
        Ok(row)
    }
}

/// A new version of an actor's row, as it stands in its log of the store's rights scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RightsFact {
    /// Of which goods.
    pub account: Account,
    /// Rights to what.
    pub class: Class,
    /// Whose row: the writer of the log. It stands here so that a grant to oneself cannot even be read.
    pub by: Actor,
    /// The row, whole.
    pub row: RightsRow,
}

impl RightsFact {
    /// Writes account, class, writer and row.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.account.encode(sink);
        self.class.encode(sink);
        self.by.encode(sink);
        self.row.encode(sink);
    }

    /// Reads what [`RightsFact::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let account = Account::decode(source)?;
        let class = Class::decode(source)?;
        let by = Actor::decode(source)?;
        Ok(Self { account, class, by, row: RightsRow::decode(source, by)? })
    }
}

/// All that is known of the rights to one account and class.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rights {
    rows: BTreeMap<Actor, RightsRow>,
}

impl Rights {
    /// What is known, from rows of any writers.
    pub fn from_rows(rows: impl IntoIterator<Item = (Actor, RightsRow)>) -> Self {
        let mut rights = Self::default();
        rows.into_iter().for_each(|(actor, row)| rights.merge(actor, &row));
        rights
    }

    /// Takes in a row as its writer once wrote it; older and repeated ones change nothing.
    pub fn merge(&mut self, actor: Actor, row: &RightsRow) {
        self.rows.entry(actor).or_default().join(row);
    }

    /// Takes in everything that another replica knows.
    pub fn join(&mut self, other: &Self) {
        other.rows.iter().for_each(|(&actor, row)| self.merge(actor, row));
    }

    /// The row of an actor as it is known; empty if it never wrote one.
    pub fn row(&self, actor: Actor) -> RightsRow {
        self.rows.get(&actor).cloned().unwrap_or_default()
    }

    /// All rows, by their writers.
    pub fn rows(&self) -> impl Iterator<Item = (Actor, &RightsRow)> {
        self.rows.iter().map(|(&actor, row)| (actor, row))
    }

    /// Everybody who ever wrote a row or was granted something.
    pub fn actors(&self) -> std::collections::BTreeSet<Actor> {
        self.rows.iter().flat_map(|(&actor, row)| std::iter::once(actor).chain(row.grants.keys().copied())).collect()
    }

    /// What `actor` holds, signed: below zero only for an actor that broke the rules or wrote two histories.
    pub fn balance(&self, actor: Actor) -> i128 {
        let received: i128 = self.rows.values().filter_map(|row| row.grants.get(&actor)).map(|&n| i128::from(n)).sum();
        let own = self.rows.get(&actor).map_or(0, |row| {
            i128::from(row.mint) - i128::from(row.granted()) - i128::from(row.used) - i128::from(row.burned)
        });
        received + own
    }

    /// What `actor` may still promise, grant or burn.
    pub fn held(&self, actor: Actor) -> u64 {
        u64::try_from(self.balance(actor).max(0)).unwrap_or(u64::MAX)
    }

    /// Sum over all rows of what was minted.
    pub fn minted(&self) -> u64 {
        self.sum(|row| row.mint)
    }

    /// Sum over all rows of what was turned into promises.
    pub fn used(&self) -> u64 {
        self.sum(|row| row.used)
    }

    /// Sum over all rows of what was destroyed.
    pub fn burned(&self) -> u64 {
        self.sum(|row| row.burned)
    }

    /// `by` turns `n` of its rights into a promise. Gives its new row, to be written before anybody hears of the promise.
    pub fn use_up(&mut self, by: Actor, n: u64) -> Result<RightsRow, RightsError> {
        self.step(by, n, |row| row.used += n)
    }

    /// `by` destroys `n` of its rights.
    pub fn burn(&mut self, by: Actor, n: u64) -> Result<RightsRow, RightsError> {
        self.step(by, n, |row| row.burned += n)
    }

    /// `by` grants `n` of its rights to another actor.
    pub fn grant(&mut self, by: Actor, to: Actor, n: u64) -> Result<RightsRow, RightsError> {
        if by == to {
            return Err(RightsError::ToSelf);
        }
        let row = self.rows.get(&by);
        if row.is_some_and(|row| !row.grants.contains_key(&to) && row.grants.len() >= RIGHTS_PARTNERS_MAX) {
            return Err(RightsError::Full);
        }
        self.step(by, n, |row| *row.grants.entry(to).or_default() += n)
    }

    /// `by` answers request `number` of `of`, with a grant before or after, or with none. False if it was answered before.
    pub fn serve(&mut self, by: Actor, of: Actor, number: u32) -> bool {
        let row = self.rows.entry(by).or_default();
        let full = !row.served.contains_key(&of) && row.served.len() >= RIGHTS_PARTNERS_MAX;
        if full || row.served(of) >= number {
            return false;
        }
        row.served.insert(of, number);
        true
    }

    /// The home makes `n` rights from goods. The caller has checked that it is the home, and [`Liability::may_mint`].
    pub fn mint(&mut self, by: Actor, n: u64) -> Result<RightsRow, RightsError> {
        let row = self.rows.entry(by).or_default();
        if row.mint.saturating_add(n) > RIGHTS_MAX {
            return Err(RightsError::Full);
        }
        row.mint += n;
        Ok(row.clone())
    }

    fn step(&mut self, by: Actor, n: u64, act: impl FnOnce(&mut RightsRow)) -> Result<RightsRow, RightsError> {
        let held = self.held(by);
        if held < n {
            return Err(RightsError::TooFew { held, wanted: n });
        }
        let row = self.rows.entry(by).or_default();
        act(row);
        Ok(row.clone())
    }

    fn sum(&self, of: impl Fn(&RightsRow) -> u64) -> u64 {
        self.rows.values().map(of).fold(0, u64::saturating_add)
    }
}

/// What the home of an account owes for it: rights that somebody may still turn into promises, and promises that are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Liability {
    /// Minted by all homes there ever were.
    pub minted: u64,
    /// Destroyed, with what retired actors held when they were retired.
    pub burned: u64,
    /// Units of promises that were fulfilled, released or broken: their goods are gone, or free again.
    pub closed: u64,
    /// Units of promises that are open, as far as the home knows them.
    pub open: u64,
}

impl Liability {
    /// Units owed. What was burned or closed elsewhere and is not known yet makes it too large, which is safe; promises that
    /// no known right stands behind count as well.
    pub fn units(&self) -> u64 {
        self.minted.saturating_sub(self.burned).saturating_sub(self.closed).max(self.open)
    }

    /// How many more rights `exposed` units of goods allow.
    pub fn may_mint(&self, exposed: u64) -> u64 {
        exposed.saturating_sub(self.units())
    }
}

fn units(source: &mut impl Source, column: u8) -> Result<u64, DecodeError> {
    let units = source.uint(column)?;
    if units > RIGHTS_MAX { Err(DecodeError::Value("units of rights")) } else { Ok(units) }
}

fn partners<S: Source, V: PartialEq + Default>(
    source: &mut S,
    (count, column): (u8, u8),
    read: impl Fn(&mut S, u8) -> Result<V, DecodeError>,
) -> Result<BTreeMap<Actor, V>, DecodeError> {
    let count = source.count(count, RIGHTS_PARTNERS_MAX, "partners of a row of rights")?;
    let mut out = BTreeMap::new();
    for _ in 0..count {
        let actor = Actor::decode(source)?;
        let value = read(source, column)?;
        // One form only: ascending, each once, nothing that says nothing.
        if out.last_key_value().is_some_and(|(last, _)| *last >= actor) || value == V::default() {
            return Err(DecodeError::Canonical);
        }
        out.insert(actor, value);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{RowReader, Rows};

    const HOME: Actor = Actor::new(1, 1);
    const HUB: Actor = Actor::new(2, 1);

    #[test]
    fn a_grant_leaves_the_donor_at_once_and_arrives_with_its_row() {
        let (mut home, mut hub) = (Rights::default(), Rights::default());
        home.mint(HOME, 5).unwrap();
        let row = home.grant(HOME, HUB, 3).unwrap();
        assert_eq!((home.held(HOME), hub.held(HUB)), (2, 0));
        hub.merge(HOME, &row);
        hub.merge(HOME, &row);
        assert_eq!(hub.held(HUB), 3);
        assert_eq!(hub.use_up(HUB, 4), Err(RightsError::TooFew { held: 3, wanted: 4 }));
    }

    #[test]
    fn a_grant_to_oneself_is_refused_and_does_not_decode() {
        let mut rights = Rights::default();
        rights.mint(HOME, 5).unwrap();
        assert_eq!(rights.grant(HOME, HOME, 1), Err(RightsError::ToSelf));
        let forged = RightsRow { grants: [(HOME, 1)].into(), ..RightsRow::default() };
        let bytes = Rows::of(|sink| forged.encode(sink));
        assert!(RightsRow::decode(&mut RowReader::new(&bytes), HOME).is_err());
        assert_eq!(RightsRow::decode(&mut RowReader::new(&bytes), HUB), Ok(forged));
    }

    #[test]
    fn a_request_is_answered_once() {
        let mut rights = Rights::default();
        assert!(rights.serve(HUB, HOME, 3));
        assert!(!rights.serve(HUB, HOME, 3));
        assert!(!rights.serve(HUB, HOME, 2));
        assert!(rights.serve(HUB, HOME, 4));
    }
}

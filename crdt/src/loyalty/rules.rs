//! What points are earned for and what they pay, how long they last, and what may be spent at a store that cannot ask.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::Code;
use crate::limits::{AMOUNT_MAX, POINTS_MAX, TIER_PROMOTIONS_MAX, TIERS_MAX};

/// The programme's rules. Stands in `control`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoyaltyRules {
    /// Nothing is earned or spent any more.
    pub ended: bool,
    /// Minor units for which a point is earned.
    pub earn_per: i64,
    /// Minor units that a point pays for.
    pub worth: i64,
    /// Months until points expire, 0 for never.
    pub months: u16,
    /// Points that one member may spend at one store during one outage without a right to them.
    pub offline_limit: u64,
    /// Points of a member that lie ready at the store where she shops.
    pub share: u64,
    /// Ascending by what they begin at.
    pub tiers: Vec<Tier>,
}

/// What a member gets more of for shopping much.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tier {
    /// Its name.
    pub name: Code,
    /// Points earned in the last twelve months from which on she is in it.
    pub from: u64,
    /// She earns so many hundredths of a percent of what everybody earns: 10,000 for as much.
    pub multiplier_bp: u32,
    /// Promotions for members that only she and others of the tier get, ascending.
    pub promotions: Vec<Code>,
}

/// What somebody assumes of an outage who wants to know what a limit may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outage {
    /// Stores that are cut off at once and that one member can reach.
    pub stores: u32,
    /// Visits that one member makes in an hour at most.
    pub visits: u32,
    /// How many hours it lasts.
    pub hours: u32,
    /// Members who are active.
    pub members: u64,
    /// Of a million of them, so many would cheat.
    pub cheats: u32,
}

/// What a limit may cost in the worst case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exposure {
    /// Points that one member spends without having them: `limit * min(stores, visits * hours)`.
    pub member_points: u64,
    /// The same in minor units.
    pub member_worth: u64,
    /// Points of all who cheat: `members * cheats * visits * hours * limit`.
    pub fleet_points: u64,
    /// The same in minor units.
    pub fleet_worth: u64,
}

impl LoyaltyRules {
    /// The cell's entity: there is one programme.
    pub fn entity(&self) -> Vec<u8> {
        Self::ENTITY.to_vec()
    }

    /// The entity of the one cell.
    pub const ENTITY: &'static [u8] = b"loyalty";

    /// What the offline limit may cost during an outage.
    pub fn exposure(&self, outage: Outage) -> Exposure {
        let visits = u128::from(outage.visits) * u128::from(outage.hours);
        let limit = u128::from(self.offline_limit);
        let member = limit * visits.min(outage.stores.into());
        let cheats = u128::from(outage.members).saturating_mul(outage.cheats.into()).div_ceil(MILLION);
        let fleet = cheats.saturating_mul(visits).saturating_mul(limit);
        let worth = |points: u128| whole(points.saturating_mul(u128::try_from(self.worth).unwrap_or(0)));
        Exposure {
            member_points: whole(member),
            member_worth: worth(member),
            fleet_points: whole(fleet),
            fleet_worth: worth(fleet),
        }
    }

    /// The tier that somebody is in who earned so many points in the last twelve months.
    pub fn tier(&self, points: u64) -> Option<&Tier> {
        self.tiers.iter().rev().find(|tier| tier.from <= points)
    }

    /// Points that are earned by paying so much, in a tier of this name.
    pub fn earned(&self, paid: i64, tier: &Code) -> u64 {
        if self.ended || self.earn_per <= 0 || paid <= 0 {
            return 0;
        }
        let multiplier = self.tiers.iter().find(|it| it.name == *tier).map_or(WHOLE_BP, |tier| tier.multiplier_bp);
        let points = i128::from(paid) * i128::from(multiplier) / (i128::from(self.earn_per) * i128::from(WHOLE_BP));
        u64::try_from(points).unwrap_or(0).min(POINTS_MAX)
    }

    /// When points expire that are earned at a moment, 0 for never. A month is a twelfth of a year.
    pub fn expires_ms(&self, at_ms: u64) -> u64 {
        if self.months == 0 { 0 } else { at_ms.saturating_add(u64::from(self.months) * YEAR_MS / 12) }
    }

    /// Writes the rules.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::FLAGS, self.ended.into());
        sink.int(col::AMOUNT, self.earn_per);
        sink.int(col::AMOUNT, self.worth);
        sink.uint(col::A, u64::from(self.months));
        sink.uint(col::B, self.offline_limit);
        sink.uint(col::B, self.share);
        sink.uint(col::COUNT, self.tiers.len() as u64);
        for tier in &self.tiers {
            tier.name.encode(sink, col::NAME);
            sink.uint(col::B, tier.from);
            sink.uint(col::C, u64::from(tier.multiplier_bp));
            sink.uint(col::COUNT, tier.promotions.len() as u64);
            tier.promotions.iter().for_each(|promotion| promotion.encode(sink, col::REFERENCE));
        }
    }

    /// Reads what [`LoyaltyRules::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let ended = source.flag(col::FLAGS)?;
        let (earn_per, worth) = (source.int(col::AMOUNT)?, source.int(col::AMOUNT)?);
        let months = source.u16(col::A)?;
        let (offline_limit, share) = (source.uint(col::B)?, source.uint(col::B)?);
        let mut tiers = Vec::new();
        for _ in 0..source.count(col::COUNT, TIERS_MAX, "tiers")? {
            let name = Code::decode(source, col::NAME)?;
            let (from, multiplier_bp) = (source.uint(col::B)?, source.u32(col::C)?);
            let mut promotions = Vec::new();
            for _ in 0..source.count(col::COUNT, TIER_PROMOTIONS_MAX, "promotions of a tier")? {
                promotions.push(Code::decode(source, col::REFERENCE)?);
            }
            tiers.push(Tier { name, from, multiplier_bp, promotions });
        }
        let rules = Self { ended, earn_per, worth, months, offline_limit, share, tiers };
        rules.validate().map_err(DecodeError::Value)?;
        Ok(rules)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        let money = |amount: i64| (1..=AMOUNT_MAX).contains(&amount);
        let sound = |tier: &Tier| {
            let (some, promotions) =
                (!tier.name.is_empty() && tier.multiplier_bp <= MULTIPLIER_BP_MAX, &tier.promotions);
            some && promotions.len() <= TIER_PROMOTIONS_MAX && promotions.windows(2).all(|two| two[0] < two[1])
        };
        let checks = [
            (money(self.earn_per), "earn_per"),
            (money(self.worth), "worth"),
            (self.months <= MONTHS_MAX, "months"),
            (self.offline_limit <= POINTS_MAX, "offline_limit"),
            (self.share <= POINTS_MAX, "share"),
            (self.tiers.len() <= TIERS_MAX && self.tiers.iter().all(sound), "tiers"),
            (self.tiers.windows(2).all(|two| two[0].from < two[1].from), "tiers"),
        ];
        checks.into_iter().find(|(sound, _)| !sound).map_or(Ok(()), |(_, field)| Err(field))
    }
}

fn whole(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// A year of 365 days and a quarter.
pub const YEAR_MS: u64 = 31_557_600_000;

/// As much as everybody earns.
const WHOLE_BP: u32 = 10_000;

/// A hundred times as much: more is a slip of the finger.
const MULTIPLIER_BP_MAX: u32 = 1_000_000;

/// A hundred years.
const MONTHS_MAX: u16 = 1_200;

const MILLION: u128 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> LoyaltyRules {
        let tier = |name: &str, from, multiplier_bp| Tier {
            name: Code::parse(name).unwrap(),
            from,
            multiplier_bp,
            promotions: Vec::new(),
        };
        let tiers = vec![tier("silver", 100, 12_500), tier("gold", 1_000, 20_000)];
        LoyaltyRules { ended: false, earn_per: 100, worth: 1, months: 12, offline_limit: 500, share: 1_000, tiers }
    }

    #[test]
    fn a_member_who_cheats_is_bounded_by_the_stores_she_reaches_and_by_her_visits() {
        let outage = Outage { stores: 20, visits: 4, hours: 3, members: 100_000, cheats: 100 };
        let exposure = rules().exposure(outage);
        assert_eq!((exposure.member_points, exposure.member_worth), (12 * 500, 6_000));
        assert_eq!(exposure.fleet_points, 10 * 12 * 500);
        assert_eq!(rules().exposure(Outage { stores: 2, ..outage }).member_points, 1_000);
    }

    #[test]
    fn whoever_shops_more_earns_more_and_nobody_earns_for_nothing() {
        let rules = rules();
        let name = |points| rules.tier(points).map(|tier| tier.name.clone()).unwrap_or_default();
        assert_eq!([name(99), name(100), name(5_000)].map(|it| it.as_str().to_owned()), ["", "silver", "gold"]);
        assert_eq!(
            [rules.earned(999, &name(0)), rules.earned(999, &name(100)), rules.earned(999, &name(1_000))],
            [9, 12, 19]
        );
        assert_eq!((rules.earned(-100, &name(0)), rules.earned(99, &name(0))), (0, 0));
    }
}

//! What a chain decided about giving orders to stores: for everything, or for one channel.
//!
//! The rules only say what is wanted. Which store gets an order is computed from them by the node's routing policy, and no rule can
//! make it use a right that is not held.

pub mod hours;
pub mod limits;

use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::Code;
use crate::limits::QUANTITY_MAX;
use crate::money::Unit;
use crate::product::Channel;

/// Whether an order of one legal entity may be given to a store of another. A pickup stays where the customer wants it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Boundary {
    /// Never.
    Never = 0,
    /// Only what the stores of the order's own entity cannot serve.
    LastResort = 1,
    /// As if there were only one.
    Free = 2,
}

impl Boundary {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Never, Self::LastResort, Self::Free];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::LastResort => "last-resort",
            Self::Free => "free",
        }
    }

    /// Takes the word that [`Boundary::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|boundary| boundary.as_str() == text)
    }
}

/// Which stores a rule set looks at. What is empty or `None` lets everybody through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Only stores of this group.
    pub group: Code,
    /// Only stores of this legal entity.
    pub entity: Code,
    /// Only stores that are no farther from the customer, metres.
    pub metres_max: Option<u32>,
    /// Only stores so many rings of map cells around the customer's cell. Cells are those of H3 resolution 7, 2.4 km from centre to centre.
    pub rings_max: Option<u8>,
    /// Only stores whose stock was heard of since, milliseconds.
    pub age_ms_max: Option<u64>,
    /// Goods may be promised without a right where that breaks the promise with no more than this probability, parts per million; 0 for
    /// never.
    pub soft_ppm_max: u32,
}

/// What a plan costs, in points. Only their proportions matter; a chain may think of minor units of its money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weights {
    /// Each part after the first.
    pub split: u32,
    /// A kilometre from a store to the customer.
    pub distance: u32,
    /// A tonne carried for a kilometre.
    pub haul: u32,
    /// An hour after the promised time, for each part.
    pub lateness: u32,
    /// A line whose promise is broken.
    pub risk: u32,
    /// An hour since the store was heard of, for each part.
    pub age: u32,
    /// A store that has as much to do as it can in a day; half of it for one with half as much.
    pub load: u32,
}

/// One step of routing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleSet {
    /// What people call it.
    pub name: Code,
    /// Which stores.
    pub filter: Filter,
    /// What is dear.
    pub weights: Weights,
}

/// How orders are given to stores.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoutingRules {
    /// For which channel; `None` for those that have no rules of their own.
    pub channel: Option<Channel>,
    /// The rules were taken back: the wider ones hold, if there are any.
    pub ended: bool,
    /// Tried one after the other until one serves the whole order.
    pub sets: Vec<RuleSet>,
    /// Between legal entities.
    pub boundary: Boundary,
    /// An order is split only into parts that are worth so much each, minor units, unless nothing else serves it.
    pub split_value_min: i64,
    /// An order is never split into more parts.
    pub parts_max: u8,
    /// Parts that a store takes on in a day, unless it says itself; `None` for as many as come.
    pub parts_per_day: Option<u32>,
    /// Pieces of each product that a store keeps back.
    pub safety_pieces: u32,
    /// Grams of each product that a store keeps back.
    pub safety_grams: u32,
    /// From an offer to an open store until the goods are ready, milliseconds.
    pub prepare_ms: u64,
    /// How fast a part comes nearer as the crow flies, metres a minute, where nobody gave a travel time.
    pub metres_per_min: u32,
}

impl Default for Weights {
    fn default() -> Self {
        Self { split: 500, distance: 20, haul: 1_000, lateness: 600, risk: 2_000, age: 10, load: 100 }
    }
}

impl Weights {
    const fn numbers(&self) -> [u32; 7] {
        [self.split, self.distance, self.haul, self.lateness, self.risk, self.age, self.load]
    }
}

impl Default for RoutingRules {
    /// Stores within 50 km first, then all; at most three parts of 10.00 each; other legal entities as a last resort; half an hour to
    /// prepare; 24 km/h.
    fn default() -> Self {
        let near = Filter { metres_max: Some(50_000), ..Filter::default() };
        let set = |name, filter| RuleSet { name, filter, weights: Weights::default() };
        let name = |text| Code::parse(text).unwrap_or_default();
        Self {
            channel: None,
            ended: false,
            sets: vec![set(name("near"), near), set(name("any"), Filter::default())],
            boundary: Boundary::LastResort,
            split_value_min: 1_000,
            parts_max: 3,
            parts_per_day: None,
            safety_pieces: 0,
            safety_grams: 0,
            prepare_ms: 30 * 60_000,
            metres_per_min: 400,
        }
    }
}

impl RoutingRules {
    /// The entity of the rules' cell.
    pub fn entity(&self) -> Vec<u8> {
        Self::entity_of(self.channel)
    }

    /// The entity of the cell in which the rules of a channel stand.
    pub fn entity_of(channel: Option<Channel>) -> Vec<u8> {
        let mut rows = Rows::default();
        rows.uint(col::KEY, channel.map_or(0, |channel| channel as u64 + 1));
        rows.into_bytes()
    }

    /// Those that hold for a channel: its own, else those for everything, else none.
    pub fn narrowest<'a>(rules: impl Iterator<Item = &'a Self>, channel: Channel) -> Option<&'a Self> {
        rules.filter(|it| !it.ended && it.channel.is_none_or(|own| own == channel)).max_by_key(|it| it.channel)
    }

    /// What a store keeps back of each product.
    pub fn safety(&self, unit: Unit) -> u64 {
        u64::from(match unit {
            Unit::Each => self.safety_pieces,
            Unit::Gram => self.safety_grams,
        })
    }

    /// Writes the rules.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::KEY, self.channel.map_or(0, |channel| channel as u64 + 1));
        sink.uint(col::A, u64::from(self.ended) << 2 | self.boundary as u64);
        sink.uint(col::COUNT, self.sets.len() as u64);
        self.sets.iter().for_each(|set| set.encode(sink));
        sink.int(col::AMOUNT, self.split_value_min);
        sink.uint(col::B, u64::from(self.parts_max));
        encode_option(sink, col::B, self.parts_per_day.map(u64::from));
        sink.uint(col::QUANTITY, u64::from(self.safety_pieces));
        sink.uint(col::QUANTITY, u64::from(self.safety_grams));
        sink.uint(col::TIME, self.prepare_ms);
        sink.uint(col::C, u64::from(self.metres_per_min));
    }

    /// Reads what [`RoutingRules::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let channel = match source.uint(col::KEY)? {
            0 => None,
            number => {
                let channel = Channel::ALL.into_iter().find(|channel| *channel as u64 + 1 == number);
                Some(channel.ok_or(DecodeError::Value("channel"))?)
            }
        };
        let number = source.uint(col::A)?;
        let boundary = Boundary::ALL.into_iter().find(|boundary| *boundary as u64 == number & 3);
        if number >> 3 != 0 {
            return Err(DecodeError::Value("boundary"));
        }
        let count = source.count(col::COUNT, SETS_MAX, "rule sets")?;
        let mut sets = Vec::new();
        for _ in 0..count {
            sets.push(RuleSet::decode(source)?);
        }
        let rules = Self {
            channel,
            ended: number >> 2 == 1,
            sets,
            boundary: boundary.ok_or(DecodeError::Value("boundary"))?,
            split_value_min: source.int(col::AMOUNT)?,
            parts_max: source.u8(col::B)?,
            parts_per_day: decode_option(source, col::B)?,
            safety_pieces: source.u32(col::QUANTITY)?,
            safety_grams: source.u32(col::QUANTITY)?,
            prepare_ms: source.uint(col::TIME)?,
            metres_per_min: source.u32(col::C)?,
        };
        rules.validate().map_err(DecodeError::Value)?;
        Ok(rules)
    }

    /// The field that has no sense, if one has none.
    pub fn validate(&self) -> Result<(), &'static str> {
        if self.sets.is_empty() || self.sets.len() > SETS_MAX {
            return Err("sets");
        }
        self.sets.iter().try_for_each(RuleSet::validate)?;
        let fields = [
            ((0..=VALUE_MAX).contains(&self.split_value_min), "split_value_min"),
            ((1..=PARTS_MAX).contains(&self.parts_max), "parts_max"),
            (i64::from(self.safety_pieces) <= QUANTITY_MAX, "safety_pieces"),
            (i64::from(self.safety_grams) <= QUANTITY_MAX, "safety_grams"),
            (self.prepare_ms <= PREPARE_MS_MAX, "prepare_ms"),
            ((1..=METRES_PER_MIN_MAX).contains(&self.metres_per_min), "metres_per_min"),
        ];
        fields.into_iter().find(|(good, _)| !good).map_or(Ok(()), |(_, name)| Err(name))
    }
}

impl RuleSet {
    fn encode(&self, sink: &mut impl Sink) {
        self.name.encode(sink, col::REFERENCE);
        self.filter.group.encode(sink, col::REFERENCE);
        self.filter.entity.encode(sink, col::ENTITY);
        encode_option(sink, col::D, self.filter.metres_max.map(u64::from));
        encode_option(sink, col::D, self.filter.rings_max.map(u64::from));
        encode_option(sink, col::TIME, self.filter.age_ms_max);
        sink.uint(col::D, u64::from(self.filter.soft_ppm_max));
        self.weights.numbers().into_iter().for_each(|weight| sink.uint(col::E, u64::from(weight)));
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let name = Code::decode(source, col::REFERENCE)?;
        let filter = Filter {
            group: Code::decode(source, col::REFERENCE)?,
            entity: Code::decode(source, col::ENTITY)?,
            metres_max: decode_option(source, col::D)?,
            rings_max: decode_option(source, col::D)?,
            age_ms_max: decode_option(source, col::TIME)?,
            soft_ppm_max: source.u32(col::D)?,
        };
        let weights = Weights {
            split: source.u32(col::E)?,
            distance: source.u32(col::E)?,
            haul: source.u32(col::E)?,
            lateness: source.u32(col::E)?,
            risk: source.u32(col::E)?,
            age: source.u32(col::E)?,
            load: source.u32(col::E)?,
        };
        Ok(Self { name, filter, weights })
    }

    fn validate(&self) -> Result<(), &'static str> {
        let fields = [
            (self.filter.rings_max.is_none_or(|rings| rings <= RINGS_MAX), "rings_max"),
            (self.filter.age_ms_max.is_none_or(|age_ms| age_ms <= AGE_MS_MAX), "age_ms_max"),
            (self.filter.soft_ppm_max <= 1_000_000, "soft_ppm_max"),
            (self.weights.numbers().into_iter().all(|weight| weight <= WEIGHT_MAX), "weights"),
        ];
        fields.into_iter().find(|(good, _)| !good).map_or(Ok(()), |(_, name)| Err(name))
    }
}

/// Writes 0 for nothing and one more than the number for a number.
fn encode_option(sink: &mut impl Sink, column: u8, number: Option<u64>) {
    sink.uint(column, number.map_or(0, |number| number.saturating_add(1)));
}

fn decode_option<T: TryFrom<u64>>(source: &mut impl Source, column: u8) -> Result<Option<T>, DecodeError> {
    match source.uint(column)? {
        0 => Ok(None),
        number => T::try_from(number - 1).map(Some).map_err(|_| DecodeError::Value("optional number")),
    }
}

/// More steps than anybody can keep in mind.
const SETS_MAX: usize = 8;

/// A search over more parts is no longer exact in good time, and no customer wants more parcels.
pub const PARTS_MAX: u8 = 6;

/// Weights stay far from the end of a 64-bit sum of thousandths over the largest distance on earth.
const WEIGHT_MAX: u32 = 1_000_000;

/// 120 rings are 290 km: beyond, a distance says it better.
const RINGS_MAX: u8 = 120;

/// Knowledge of a year ago is none.
const AGE_MS_MAX: u64 = 366 * 86_400_000;

/// The value of one part of an order, minor units.
const VALUE_MAX: i64 = 1_000_000_000;

/// Goods that take longer than two weeks are made, not picked.
const PREPARE_MS_MAX: u64 = 14 * 86_400_000;

/// 600 km/h: an aeroplane.
const METRES_PER_MIN_MAX: u32 = 10_000;

#[cfg(test)]
mod tests;

//! What a chain decided about promising its goods: per product, per department, or for everything.

use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Code, Sku};

/// How rights are spread over those who make promises.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Allocation {
    /// All of them lie at the hub; a store that is cut off promises nothing.
    HubOnly = 0,
    /// Shares in proportion to demand when goods come in, and never moved.
    Static = 1,
    /// Equal shares; who runs out borrows.
    EqualBorrow = 2,
    /// Shares in proportion to demand; who runs out borrows.
    Proportional = 3,
    /// As many as are worth more where they may be cut off than at the hub (Littlewood's rule for outages).
    Littlewood = 4,
}

impl Allocation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::HubOnly, Self::Static, Self::EqualBorrow, Self::Proportional, Self::Littlewood];

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HubOnly => "hub-only",
            Self::Static => "static",
            Self::EqualBorrow => "equal-borrow",
            Self::Proportional => "proportional",
            Self::Littlewood => "littlewood",
        }
    }

    /// Takes the word that [`Allocation::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|allocation| allocation.as_str() == text)
    }
}

/// For which products a rule holds. The narrowest rule that fits wins: product, department, everything.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Target {
    /// Every product that no other rule names.
    All,
    /// The products of one department.
    Department(Code),
    /// One product.
    Sku(Sku),
}

/// How goods may be promised. Without a rule a product is sold at the till and not promised to anybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyRule {
    /// For which products.
    pub target: Target,
    /// How rights are spread.
    pub allocation: Allocation,
    /// The rule was taken back: a wider one holds, if there is one.
    pub ended: bool,
    /// Units per store that are never promised.
    pub safety: u32,
    /// Accepted probability that a promise is broken by what the book does not know, parts per million: how much is held back
    /// for walk-in customers and shrinkage.
    pub risk_ppm: u32,
    /// Accepted probability that a soft promise is broken, parts per million; 0 for no soft promises.
    pub soft_ppm: u32,
    /// Soft promises open at a time, parts per million of the goods that may be promised, rounded up.
    pub overbooking_ppm: u32,
    /// Expected shrinkage since the last count, units per million units and day.
    pub shrink_ppm_day: u32,
    /// From a promise until its goods are taken off the shelf, milliseconds.
    pub lead_ms: u64,
    /// How long an unconfirmed promise is held, milliseconds.
    pub hold_ms: u64,
}

impl Target {
    /// Canonical bytes: the entity of the rule's cell.
    pub fn encode(&self, sink: &mut impl Sink) {
        match self {
            Self::All => sink.uint(col::KEY, 0),
            Self::Department(department) => {
                sink.uint(col::KEY, 1);
                department.encode(sink, col::REFERENCE);
            }
            Self::Sku(sku) => {
                sink.uint(col::KEY, 2);
                sku.encode(sink);
            }
        }
    }

    /// Reads what [`Target::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        match source.uint(col::KEY)? {
            0 => Ok(Self::All),
            1 => Ok(Self::Department(Code::decode(source, col::REFERENCE)?)),
            2 => Ok(Self::Sku(Sku::decode(source)?)),
            _ => Err(DecodeError::Value("target of a rule")),
        }
    }
}

impl PolicyRule {
    /// What holds for `target` unless somebody says otherwise.
    pub fn of(target: Target, allocation: Allocation) -> Self {
        Self {
            target,
            allocation,
            ended: false,
            safety: 0,
            risk_ppm: 10_000,
            soft_ppm: 0,
            overbooking_ppm: 0,
            shrink_ppm_day: 0,
            lead_ms: 30 * 60_000,
            hold_ms: 15 * 60_000,
        }
    }

    /// Writes the rule.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.target.encode(sink);
        sink.uint(col::A, u64::from(self.ended) << 3 | self.allocation as u64);
        sink.uint(col::QUANTITY, u64::from(self.safety));
        for ppm in [self.risk_ppm, self.soft_ppm, self.overbooking_ppm, self.shrink_ppm_day] {
            sink.uint(col::B, u64::from(ppm));
        }
        sink.uint(col::TIME, self.lead_ms);
        sink.uint(col::TIME, self.hold_ms);
    }

    /// Reads what [`PolicyRule::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let target = Target::decode(source)?;
        let number = source.uint(col::A)?;
        if number >> 4 != 0 {
            return Err(DecodeError::Value("allocation"));
        }
        let allocation = Allocation::ALL.into_iter().find(|allocation| *allocation as u64 == number & 7);
        let rule = Self {
            target,
            allocation: allocation.ok_or(DecodeError::Value("allocation"))?,
            ended: number >> 3 == 1,
            safety: source.u32(col::QUANTITY)?,
            risk_ppm: source.u32(col::B)?,
            soft_ppm: source.u32(col::B)?,
            overbooking_ppm: source.u32(col::B)?,
            shrink_ppm_day: source.u32(col::B)?,
            lead_ms: source.uint(col::TIME)?,
            hold_ms: source.uint(col::TIME)?,
        };
        rule.check().map_err(DecodeError::Value)?;
        Ok(rule)
    }

    /// The field that has no sense, if one has none.
    pub fn check(&self) -> Result<(), &'static str> {
        let shares =
            [(self.risk_ppm, "risk_ppm"), (self.soft_ppm, "soft_ppm"), (self.shrink_ppm_day, "shrink_ppm_day")];
        if let Some((_, name)) = shares.into_iter().find(|(ppm, _)| *ppm > MILLION) {
            return Err(name);
        }
        if self.overbooking_ppm > OVERBOOKING_PPM_MAX {
            return Err("overbooking_ppm");
        }
        if self.lead_ms > LEAD_MS_MAX {
            return Err("lead_ms");
        }
        if self.hold_ms == 0 || self.hold_ms > HOLD_MS_MAX { Err("hold_ms") } else { Ok(()) }
    }
}

const MILLION: u32 = 1_000_000;

/// Ten times the goods: a soft promise is made only where a right of the budget lies, and rare goods are asked for in many places.
const OVERBOOKING_PPM_MAX: u32 = 10_000_000;

/// A promise is picked within two weeks.
const LEAD_MS_MAX: u64 = 14 * 86_400_000;

/// An unconfirmed promise is held for a week at most.
const HOLD_MS_MAX: u64 = 7 * 86_400_000;

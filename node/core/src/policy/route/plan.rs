//! What routing answers: who serves what, what that costs, and for every store why or why not, in words and numbers.

use std::fmt;

use stockroom_crdt::ids::{Code, StoreId};

/// Goods of one order, numbered by the caller. In a batch, equal numbers are the same goods.
pub type Goods = u32;

/// What an order gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// The rule set that gave it; empty if there was none.
    pub rule_set: Code,
    /// Who serves what; the part that costs least first.
    pub parts: Vec<Part>,
    /// What nobody serves.
    pub missing: Vec<(Goods, u64)>,
    /// Parts that are worth less than the rules want, allowed because nothing else serves the order.
    pub cheap_parts: usize,
    /// What the plan costs with its splits, thousandths of a point.
    pub cost: i64,
    /// What the parts after the first cost, thousandths of a point.
    pub split_cost: i64,
    /// Nothing that the rules allow is better. If not, the search was ended where it had taken too long.
    pub is_best: bool,
    /// Every candidate: those that were chosen, then those that could have been from the best, then the rest.
    pub candidates: Vec<Judged>,
    /// What else the customer may be offered for what is missing. Only for pickups.
    pub suggestions: Vec<Suggestion>,
}

/// What one store is given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// To whom.
    pub store: StoreId,
    /// What, by goods.
    pub lines: Vec<PartLine>,
    /// When the goods are expected to be ready, milliseconds since 1970.
    pub ready_ms: u64,
    /// When they are expected to be with the customer; `ready_ms` for a pickup.
    pub arrive_ms: u64,
    /// What it costs.
    pub score: Score,
}

/// Units of one sort of goods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartLine {
    /// Which.
    pub goods: Goods,
    /// Units for which this node holds rights.
    pub hard: u64,
    /// Units that are promised without.
    pub soft: u64,
}

/// What a store costs for what it would serve, and from what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Score {
    /// To the customer, as the crow flies; `None` if one of the places is not known.
    pub metres: Option<u32>,
    /// After the promised time.
    pub late_ms: u64,
    /// Since the store was heard of.
    pub age_ms: u64,
    /// Of what it can do in a day, parts per million.
    pub load_ppm: u32,
    /// The expected number of lines whose promise breaks, parts per million.
    pub broken_ppm: u64,
    /// In thousandths of a point.
    pub points: Points,
}

/// The terms of a cost, in thousandths of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Points {
    /// For the way.
    pub distance: i64,
    /// For the weight on the way.
    pub haul: i64,
    /// For coming late.
    pub lateness: i64,
    /// For promises that may break.
    pub risk: i64,
    /// For old knowledge.
    pub age: i64,
    /// For a store that has much to do.
    pub load: i64,
}

impl Points {
    /// All of it.
    pub fn total(&self) -> i64 {
        self.distance + self.haul + self.lateness + self.risk + self.age + self.load
    }
}

/// One candidate, and what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Which store.
    pub store: StoreId,
    /// Why it was chosen, or why not.
    pub verdict: Verdict,
    /// What it would cost for what it could serve alone; in a part of the plan, for that. Zero where it was not looked at.
    pub score: Score,
}

/// Why a store serves the order or does not. Costs are thousandths of a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It serves a part.
    Chosen,
    /// It could serve all alone and costs so much more.
    Dearer {
        /// How much.
        by: i64,
    },
    /// It lacks some of the goods, and together with others it costs more.
    Lacks {
        /// Sorts of goods of which it has not enough.
        lines: u32,
        /// Sorts of goods in the order.
        of: u32,
    },
    /// It could serve the order, but what it has goes to other orders of the batch.
    GivenToOthers,
    /// The rules leave it out.
    Out(Why),
}

/// Why the rules leave a store out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// The customer wants to fetch it elsewhere.
    NotTheCustomersStore,
    /// It belongs to another legal entity.
    OtherEntity,
    /// It is not in the group that the rule set names.
    OtherGroup,
    /// It has had all the parts that it takes today.
    Full,
    /// It does not open in time to come.
    Closed,
    /// Nobody knows where it is or where the customer is, and the rule set limits the distance.
    NoPlace,
    /// It is farther away than the rule set allows.
    TooFar {
        /// How far.
        metres: u32,
    },
    /// It lies outside the rings of cells that the rule set allows.
    OutsideRings,
    /// It has not been heard of for longer than the rule set allows.
    Silent {
        /// How long.
        age_ms: u64,
    },
    /// No right to any of the goods is held there, after what the store keeps back.
    NothingHeld,
}

/// Something to ask the customer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Suggestion {
    /// This store has all that he wants.
    OtherStore {
        /// Which.
        store: StoreId,
        /// From the customer, or else from the store that he wanted.
        metres: Option<u32>,
    },
    /// This store could send what is missing.
    Transfer {
        /// Who sends.
        from: StoreId,
        /// The customer's store.
        to: StoreId,
        /// Between them.
        metres: Option<u32>,
        /// What.
        lines: Vec<PartLine>,
    },
}

impl fmt::Display for Judged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store {}: {}", self.store.0, self.verdict)?;
        if matches!(self.verdict, Verdict::Out(_)) { Ok(()) } else { write!(f, "; {}", self.score) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chosen => f.write_str("chosen"),
            Self::Dearer { by } => write!(f, "could serve all, {} points dearer", shown(*by)),
            Self::Lacks { lines, of } => write!(f, "lacks goods for {lines} of {of} lines, and a split costs more"),
            Self::GivenToOthers => f.write_str("its goods or its time go to other orders"),
            Self::Out(why) => why.fmt(f),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTheCustomersStore => f.write_str("not where the customer wants to fetch it"),
            Self::OtherEntity => f.write_str("belongs to another legal entity"),
            Self::OtherGroup => f.write_str("not in the group of the rule set"),
            Self::Full => f.write_str("takes no more orders today"),
            Self::Closed => f.write_str("does not open in time to come"),
            Self::NoPlace => f.write_str("nobody knows how far it is"),
            Self::TooFar { metres } => write!(f, "{:.1} km away, farther than allowed", km(*metres)),
            Self::OutsideRings => f.write_str("outside the rings of cells that are allowed"),
            Self::Silent { age_ms } => write!(f, "not heard of for {} min", age_ms / 60_000),
            Self::NothingHeld => f.write_str("no right to any of the goods is held there"),
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = &self.points;
        write!(f, "{} points:", shown(points.total()))?;
        match self.metres {
            Some(metres) => write!(f, " {:.1} km {}", km(metres), shown(points.distance))?,
            None => write!(f, " unknown way {}", shown(points.distance))?,
        }
        write!(f, ", weight {}", shown(points.haul))?;
        write!(f, ", {} min late {}", self.late_ms / 60_000, shown(points.lateness))?;
        write!(f, ", {:.4} lines broken {}", self.broken_ppm as f64 / 1e6, shown(points.risk))?;
        write!(f, ", heard of {} min ago {}", self.age_ms / 60_000, shown(points.age))?;
        write!(f, ", {:.0}% busy {}", f64::from(self.load_ppm) / 1e4, shown(points.load))
    }
}

fn km(metres: u32) -> f64 {
    f64::from(metres) / 1_000.0
}

/// Thousandths of a point as points.
fn shown(cost: i64) -> String {
    format!("{:.1}", cost as f64 / 1_000.0)
}

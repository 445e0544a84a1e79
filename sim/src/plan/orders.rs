//! Orders in a plan: who orders what, what becomes of it, and how fast the people of a shop work.
//!
//! What people decide when the time comes (a picker refuses, a courier gets lost) follows from [`Shopfloor::roll`]: numbers made from the
//! seed and the order, so that leaving out a step changes nothing about the others.

use stockroom_crdt::order::header::Preference;

use super::Who;

/// What a customer orders.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// Names the order for later steps.
    pub order: u32,
    /// Who takes it.
    pub home: Who,
    /// It is brought; otherwise the customer collects it.
    pub delivery: bool,
    /// Where it may come from, the best first; empty for a delivery from anywhere.
    pub stores: Vec<u32>,
    /// Products and units.
    pub lines: Vec<(u16, i64)>,
    /// What the customer wants when something is not there.
    pub preference: Preference,
    /// A part is better than nothing.
    pub partial: bool,
    /// How often the customer asks until it is placed.
    pub tries: u8,
    /// After how long it is due, milliseconds; as the limits say if absent.
    pub due_in_ms: Option<u64>,
}

/// What somebody does about an order that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderDeed {
    /// The customer wants no more of it, or so many units fewer of one line.
    Cancel(Option<(u16, i64)>),
    /// The customer answers: the part will do, or nothing more of it, or from another store.
    Choose(Choice),
    /// Head office holds it.
    Hold,
    /// It goes on.
    Resume,
    /// The customer's phone gets a pass.
    TakePass,
    /// Somebody comes to a store and shows something.
    Collect(u32, Shows),
}

/// What a customer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// What is there.
    Partial,
    /// Nothing more.
    Cancel,
    /// Another store.
    Store(u32),
}

/// What somebody shows at the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shows {
    /// The code of the order.
    Code,
    /// Another number.
    WrongCode,
    /// The pass that the phone has.
    Pass,
}

/// How the people of the shops work. Assumed figures: two minutes to take a job and find a cart, 45 seconds for each line, 4 seconds for each
/// further unit, 90 seconds to pack and shelve; so an order of three lines takes about six minutes.
#[derive(Clone, Debug)]
pub struct Shopfloor {
    /// Where decisions come from.
    pub seed: u64,
    /// People who pick, in each store.
    pub pickers: u32,
    /// To take a job, milliseconds.
    pub begin_ms: u64,
    /// For each line.
    pub line_ms: u64,
    /// For each unit beyond the first of a line.
    pub unit_ms: u64,
    /// To pack and shelve.
    pub pack_ms: u64,
    /// Offers that a store refuses, percent.
    pub refuses: u64,
    /// Lines that a picker does not find although they are there, percent.
    pub overlooks: u64,
    /// Couriers that do not take an order, percent.
    pub courier_refuses: u64,
    /// Rides that do not reach the customer, percent: half of them come back.
    pub courier_fails: u64,
    /// Rides by a rider of the store, who reports there, percent.
    pub own_rider: u64,
    /// Reports of couriers that come twice, percent.
    pub doubled: u64,
}

impl Default for Shopfloor {
    fn default() -> Self {
        Self {
            seed: 0,
            pickers: 2,
            begin_ms: 120_000,
            line_ms: 45_000,
            unit_ms: 4_000,
            pack_ms: 90_000,
            refuses: 0,
            overlooks: 0,
            courier_refuses: 0,
            courier_fails: 0,
            own_rider: 0,
            doubled: 0,
        }
    }
}

impl Shopfloor {
    /// How long a picker is busy with so many lines and units, packing included.
    pub fn takes_ms(&self, lines: u64, units: u64) -> u64 {
        self.begin_ms + lines * self.line_ms + units.saturating_sub(lines) * self.unit_ms + self.pack_ms
    }

    /// A number below 100 that follows from what it is about.
    pub fn roll(&self, about: &[u64]) -> u64 {
        let mix = |sum: u64, word: &u64| {
            let mixed = (sum ^ *word).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb)
        };
        let mixed = about.iter().fold(self.seed ^ 0x9e37_79b9_7f4a_7c15, mix);
        (mixed ^ mixed >> 32) % 100
    }
}

//! What must hold, one file per family, numbered as in the list of invariants.
//!
//! Checks read what nodes made durable ([`Union`]), what people were told ([`Truth`]) and what went over links; never what a
//! node says of itself, except to catch it lying. A check costs what changed, not what there is.

mod authority;
mod bounds;
mod chains;
mod clocks;
mod converge;
mod durable;
mod goods;
mod keys;
mod loyalty;
mod members;
mod orders;
mod promises;
mod rebuild;
mod rights;
mod service;
mod status;
mod tills;

mod fleet;
mod normal;
mod watch;

use crate::observe::Observation;
use crate::outcome::Violation;
use crate::truth::Truth;
use crate::union::Union;
use crate::world::World;

/// One family of invariants.
pub trait Check {
    /// Number and name: `I14 equal heads, equal state`.
    fn name(&self) -> &'static str;

    /// What it means, for the list.
    fn meaning(&self) -> &'static str;

    /// Something happened. [`Scene::union`] already knows.
    fn observe(&mut self, seen: &Observation, scene: &Scene<'_>, findings: &mut Findings);

    /// The faults stopped, and the healthy core had its time to come together.
    fn end(&mut self, _scene: &Scene<'_>, _findings: &mut Findings) {}
}

/// What checks may look at.
pub struct Scene<'a> {
    /// The world. Nodes' snapshots are what they committed.
    pub world: &'a World,
    /// Who holds what.
    pub union: &'a Union,
    /// The true goods and money.
    pub truth: &'a Truth,
    /// Nodes that are broken for good, or hostile: they need not converge.
    pub written_off: &'a std::collections::BTreeSet<u32>,
    /// When the run began, milliseconds since 1970.
    pub start_ms: u64,
    /// The observation that is being looked at; the last one at the end.
    pub event: u64,
    /// Now, milliseconds since 1970.
    pub now_ms: u64,
}

/// Where checks put what they find.
#[derive(Default)]
pub struct Findings {
    /// In order.
    pub violations: Vec<Violation>,
    /// How many there were, also those beyond the bound.
    pub count: u64,
}

impl Findings {
    /// Something is not as it must be.
    pub fn report(&mut self, check: &dyn Check, scene: &Scene<'_>, node: u32, message: String) {
        self.count += 1;
        if self.violations.len() < FINDINGS_MAX {
            self.violations.push(Violation {
                check: check.name().to_owned(),
                at_ms: scene.now_ms - scene.start_ms,
                event: scene.event,
                node,
                message,
                story: Vec::new(),
            });
        }
    }
}

/// A broken world breaks everywhere; the first findings tell the story.
const FINDINGS_MAX: usize = 50;

/// Every check, by number. They share what they see, so all of them must be given every observation.
pub fn all() -> Vec<Box<dyn Check>> {
    let watch = watch::Watch::default();
    let share = || watch.clone();
    let tally = rights::Tally::default();
    let rights = || (watch.clone(), tally.clone());
    vec![
        Box::new(rights::NoOversell::new(rights())),
        Box::new(promises::Kept::new(rights())),
        Box::new(rights::Solvent::new(rights())),
        Box::new(goods::Goods::new(share())),
        Box::new(rights::Conserved::new(rights())),
        Box::new(rights::CreditedOnce::new(rights())),
        Box::new(rights::SingleSpender::new(rights())),
        Box::new(rights::FromNothing::new(rights())),
        Box::new(promises::OneWay::new(rights())),
        Box::new(durable::Acknowledged::new(share())),
        Box::new(durable::DurableFirst::new(share())),
        Box::new(chains::OneHistory::new(share())),
        Box::new(chains::HeldHeads::new(share())),
        Box::new(converge::EqualState::new(share())),
        Box::new(rebuild::AnyOrder::new(share())),
        Box::new(rebuild::Rebuilt::new(share())),
        Box::new(keys::SameAnswer::new(share())),
        Box::new(keys::OneEffect::new(share())),
        Box::new(clocks::HybridTime::new(share())),
        Box::new(authority::Entitled::new(share())),
        Box::new(authority::Confined::new(share())),
        Box::new(authority::Fenced::new(share())),
        Box::new(bounds::Bounds::new(share())),
        Box::new(bounds::NoPanic::new(share())),
        Box::new(converge::Together::new(share())),
        Box::new(status::Truthful::new(share())),
        Box::new(service::Served::new(share())),
        Box::new(service::Storm::new(share())),
        Box::new(orders::Conserved::new(share())),
        Box::new(orders::Decides::new(rights())),
        Box::new(orders::Counter::new(share())),
        Box::new(orders::Once::new(share())),
        Box::new(orders::Ends::new(share())),
        Box::new(tills::Charged::new(share())),
        Box::new(tills::Whole::new(share())),
        Box::new(tills::Prices::new(share())),
        Box::new(tills::Drawers::new(share())),
        Box::new(loyalty::Coupons::new(share())),
        Box::new(loyalty::Points::new(share())),
        Box::new(members::Parted::new(share())),
        Box::new(members::Forgotten::new(share())),
    ]
}

//! Acts by hand: links that somebody cuts and heals while a run is under way, and the company that does it.
//!
//! An act is a fault like those of the plan, told in the trace, and it has a time: the end of a millisecond, after everything else
//! that is due then. So a plan with the same acts at the same times gives the same run, to the last hash, whoever watched the first
//! one and however slowly. When the faults stop, cuts by hand are healed as well, and none can be made any more.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cast::Cast;
use crate::checks::{Findings, Scene};
use crate::observe::Observation;
use crate::plan::{Fleet, Who};
use crate::run::{Play, Todo};

/// Something that was done by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandAct {
    /// When, milliseconds from the start of the run.
    pub at_ms: u64,
    /// What.
    pub deed: HandDeed,
    /// To the link between these two.
    pub between: (Who, Who),
}

/// What a hand can do to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HandDeed {
    /// Nothing gets through any more, either way. Both ends notice after the idle time-out.
    Cut,
    /// The cut is taken back.
    Heal,
}

/// Names of acts by hand as in a run's output, and what they do.
pub const BY_HAND: &[(&str, &str)] =
    &[(CUT, "somebody cuts a link while the run is under way"), (HEAL, "and takes the cut back")];

pub(crate) const CUT: &str = "H1 cut by hand";
pub(crate) const HEAL: &str = "H2 healed by hand";

/// Who sits beside a run. The run waits while it is asked.
pub trait Company {
    /// Something happened.
    fn saw(&mut self, seen: &Observation, scene: &Scene<'_>);

    /// Before anything else happens: gives what somebody wants done. Slow company makes a slow run and no other one.
    fn turn(&mut self, _turn: &Turn<'_>) -> Vec<(HandDeed, (Who, Who))> {
        Vec::new()
    }

    /// It is over, and this is how it stands.
    fn over(&mut self, _turn: &Turn<'_>) {}
}

/// A run between two events.
pub struct Turn<'a> {
    /// Everything that checks may look at.
    pub scene: Scene<'a>,
    /// Who takes part.
    pub cast: &'a Cast,
    /// What checks found so far.
    pub findings: &'a Findings,
    /// Links that are cut by hand, the lower node first.
    pub cut: &'a BTreeSet<(u32, u32)>,
    /// Acts so far.
    pub acts: &'a [HandAct],
    /// When the next thing happens, milliseconds since 1970.
    pub next_ms: u64,
    /// When the faults stop, milliseconds since 1970.
    pub heals_ms: u64,
    /// The faults stopped: nothing can be cut any more.
    pub healed: bool,
}

/// Company that only looks.
pub(crate) struct Onlooker<'a>(pub(crate) &'a mut dyn FnMut(&Observation, &Scene<'_>));

impl Company for Onlooker<'_> {
    fn saw(&mut self, seen: &Observation, scene: &Scene<'_>) {
        (self.0)(seen, scene);
    }
}

/// What hands did to a run.
#[derive(Default)]
pub(crate) struct Hands {
    cut: BTreeSet<(u32, u32)>,
    acts: Vec<HandAct>,
    wanted: u64,
    healed: bool,
}

impl Hands {
    /// The faults stopped, and with them these. Gives what was done.
    pub(crate) fn rest(&mut self) {
        self.cut.clear();
        self.healed = true;
    }

    pub(crate) fn into_acts(self) -> Vec<HandAct> {
        self.acts
    }
}

impl HandAct {
    /// True when a fleet has both ends.
    pub fn fits(&self, fleet: &Fleet) -> bool {
        let there = |who: Who| match who {
            Who::Store(store) => (1..=fleet.stores).contains(&store),
            Who::Hub(hub) => (1..=fleet.hubs).contains(&hub),
        };
        there(self.between.0) && there(self.between.1) && self.between.0 != self.between.1
    }
}

impl Play<'_> {
    /// Asks the company, and plans what it wants done.
    pub(crate) fn ask_company(&mut self, due_ms: u64) {
        let now_ms = self.world.now_ms;
        let (company, turn) = self.shown_to_company(due_ms);
        let wanted = company.turn(&turn);
        for (deed, between) in wanted {
            // Not in this millisecond, of which a part is over: who plays it again could not tell which part.
            let at_ms = (now_ms + 1).saturating_sub(self.start_ms);
            self.plan_by_hand(HandAct { at_ms, deed, between });
        }
    }

    /// Shows the company how it stands in the end.
    pub(crate) fn tell_company(&mut self) {
        let (company, turn) = self.shown_to_company(self.world.now_ms);
        company.over(&turn);
    }

    /// The company, and what it is shown.
    fn shown_to_company(&mut self, due_ms: u64) -> (&mut dyn Company, Turn<'_>) {
        let turn = Turn {
            scene: Scene {
                world: &self.world,
                union: &self.union,
                truth: &self.truth,
                written_off: &self.written_off,
                start_ms: self.start_ms,
                event: self.event,
                now_ms: self.world.now_ms,
            },
            cast: &self.cast,
            findings: &self.findings,
            cut: &self.hands.cut,
            acts: &self.hands.acts,
            next_ms: self.world.next_ms().map_or(due_ms, |next| next.min(due_ms)),
            heals_ms: self.start_ms + self.plan.safety_ms,
            healed: self.hands.healed,
        };
        (&mut *self.company, turn)
    }

    /// Plans an act. One that comes too late, or is about somebody who is not there, is none.
    pub(crate) fn plan_by_hand(&mut self, act: HandAct) {
        if act.at_ms > self.plan.safety_ms || self.hands.healed || !act.fits(&self.plan.fleet) {
            return;
        }
        self.hands.wanted += 1;
        self.agenda.insert((self.start_ms + act.at_ms, BEHIND_ALL + self.hands.wanted), Todo::ByHand(act));
    }

    pub(crate) fn act_by_hand(&mut self, act: HandAct) {
        let ends = (self.cast.node(act.between.0), self.cast.node(act.between.1));
        let (a, b) = (ends.0.min(ends.1), ends.0.max(ends.1));
        let detail = format!("from {}", self.cast.name(b));
        match act.deed {
            HandDeed::Cut if self.hands.cut.insert((a, b)) => {
                self.mark(CUT, a, None, detail);
                self.world.block(a, b);
                self.world.block(b, a);
            }
            HandDeed::Heal if self.hands.cut.remove(&(a, b)) => {
                self.mark(HEAL, a, None, detail);
                self.world.unblock(a, b);
                self.world.unblock(b, a);
            }
            // It is as it should be.
            HandDeed::Cut | HandDeed::Heal => return,
        }
        self.hands.acts.push(act);
    }
}

/// In the agenda of a millisecond, acts by hand stand behind everything else, in their own order.
const BEHIND_ALL: u64 = 1 << 63;

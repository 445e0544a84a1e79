//! The bare algebra of rights under random schedules: four actors, no policy, no links, everything that may go wrong.
//!
//! Each step mints, grants, uses, burns, closes a promise, sends a row, delivers one (late, twice or never, in any order), crashes an actor
//! back to what is durable, backs up or restores one. After every step promises that were ever made are compared with rights that were
//! ever minted, and open ones with the goods in the book, as the world outside counts them: a restored disk forgets, the world does not.
//!
//! Each [`Ablation`] takes one rule away; a schedule must then find a promise too many. What is not taken away is
//! `stockroom_crdt::stock::rights` as it is shipped.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_crdt::ids::Actor;
use stockroom_crdt::stock::rights::{Liability, Rights, RightsRow};

/// A rule that is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ablation {
    /// An actor may grant to itself.
    SelfGrant,
    /// A restored actor keeps its epoch, and with it rights that it has used since the backup.
    KeepEpoch,
    /// A promise is told before its row is durable, and a crash forgets it.
    EffectFirst,
    /// A grant travels as an amount to add, not as a sum to join: what is delivered twice counts twice.
    AddingGrants,
    /// A donor takes back a grant of which nothing was heard for a while.
    TimeOut,
}

/// What one schedule found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The first step after which more was promised than minted, if there was one.
    pub oversold_at: Option<u32>,
    /// Promises made.
    pub promises: u64,
    /// Rows delivered.
    pub delivered: u64,
    /// Crashes and restores.
    pub losses: u64,
}

/// Plays one schedule.
pub fn schedule(seed: u64, steps: u32, ablation: Option<Ablation>) -> Found {
    let mut world = World::new(seed, ablation);
    for step in 0..steps {
        world.step();
        if world.promised > world.minted || world.promised - world.closed > world.book {
            world.found.oversold_at = Some(step);
            break;
        }
    }
    world.found
}

impl Ablation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::SelfGrant, Self::KeepEpoch, Self::EffectFirst, Self::AddingGrants, Self::TimeOut];

    /// What is taken away, for people and for commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SelfGrant => "self-grant",
            Self::KeepEpoch => "keep-epoch",
            Self::EffectFirst => "effect-first",
            Self::AddingGrants => "adding-grants",
            Self::TimeOut => "time-out",
        }
    }

    /// Takes the word that [`Ablation::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|ablation| ablation.as_str() == text)
    }
}

/// One node: who it is now, what it knows, what of that survives, and an old copy.
#[derive(Clone)]
struct Node {
    actor: Actor,
    known: Rights,
    /// What a crash leaves, where that is less than what it knows.
    durable: Option<Rights>,
    backup: Option<Rights>,
    /// Promises that are open, for the home to close.
    open: u64,
}

struct World {
    chance: ChaCha8Rng,
    ablation: Option<Ablation>,
    nodes: Vec<Node>,
    /// Rows under way: to whom, whose, what, and for [`Ablation::AddingGrants`] how many units beyond the row before.
    wire: Vec<(usize, Actor, RightsRow, u64)>,
    /// Goods in the home's book.
    book: u64,
    closed: u64,
    minted: u64,
    promised: u64,
    found: Found,
}

impl World {
    fn new(seed: u64, ablation: Option<Ablation>) -> Self {
        let node = |n| Node { actor: Actor::new(n, 1), known: Rights::default(), durable: None, backup: None, open: 0 };
        Self {
            chance: ChaCha8Rng::seed_from_u64(seed),
            ablation,
            nodes: (1..=NODES).map(node).collect(),
            wire: Vec::new(),
            book: 0,
            closed: 0,
            minted: 0,
            promised: 0,
            found: Found::default(),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.chance.next_u64() % bound
    }

    fn step(&mut self) {
        let at = self.below(NODES.into()) as usize;
        match self.below(64) {
            0..=1 => self.mint(),
            2..=11 => self.promise(at),
            12 => self.burn(at),
            13..=15 => self.close(at),
            16..=26 => self.grant(at),
            27..=36 => self.send(at),
            37..=57 => self.deliver(),
            58..=59 => self.crash(at),
            60 => self.back_up(at),
            61 => self.restore(at),
            _ => self.regret(at),
        }
    }

    /// Goods come in, and the home mints what its guard allows. The home's own row is all that the guard has to know.
    fn mint(&mut self) {
        self.book += self.below(4);
        let home = &mut self.nodes[0];
        let (minted, burned) = (self.minted, home.known.burned());
        // Of earlier epochs the home's hub knows: their rows are in the join of what was ever sent. Here the world keeps the sum.
        let liability = Liability { minted, burned: burned.min(minted), closed: self.closed, open: 0 };
        let units = liability.may_mint(self.book);
        if units > 0 && home.known.mint(home.actor, units).is_ok() {
            home.durable = None;
            self.minted += units;
        }
    }

    fn promise(&mut self, at: usize) {
        let units = 1 + self.below(2);
        let forgets = self.ablation == Some(Ablation::EffectFirst) && self.below(8) > 0;
        let node = &mut self.nodes[at];
        let before = (forgets && node.durable.is_none()).then(|| node.known.clone());
        if node.known.use_up(node.actor, units).is_err() {
            return;
        }
        node.durable = if forgets { node.durable.take().or(before) } else { None };
        node.open += units;
        self.promised += units;
        self.found.promises += 1;
    }

    fn burn(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.known.burn(node.actor, 1).is_ok() {
            node.durable = None;
        }
    }

    /// Goods of a promise leave the shop. Book and liability fall together, so that this makes no room.
    fn close(&mut self, at: usize) {
        let units = self.nodes[at].open.min(self.book);
        self.nodes[at].open -= units;
        self.closed += units;
        self.book -= units;
    }

    fn grant(&mut self, at: usize) {
        let to = self.below(NODES.into()) as usize;
        let units = 1 + self.below(3);
        let receiver = self.nodes[to].actor;
        let node = &mut self.nodes[at];
        if at == to {
            if self.ablation == Some(Ablation::SelfGrant) && node.known.held(node.actor) >= units {
                // A row whose writer granted to itself, as an implementation without the check would write and count it.
                let mut row = node.known.row(node.actor);
                row.mint += units;
                node.known.merge(node.actor, &row);
                node.durable = None;
            }
            return;
        }
        if node.known.grant(node.actor, receiver, units).is_ok() {
            node.durable = None;
            let row = node.known.row(node.actor);
            self.wire.push((to, node.actor, row, units));
        }
    }

    /// A row is said again, to anybody.
    fn send(&mut self, at: usize) {
        let to = self.below(NODES.into()) as usize;
        // What is sent is durable: a crash cannot take it back.
        if to != at && self.wire.len() < WIRE_MAX {
            let node = &self.nodes[at];
            let row = node.durable.as_ref().unwrap_or(&node.known).row(node.actor);
            self.wire.push((to, node.actor, row, 0));
        }
    }

    /// Something under way arrives: any of it, and one in four stays to arrive again. One in sixteen is lost.
    fn deliver(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let at = self.below(self.wire.len() as u64) as usize;
        let fate = self.below(16);
        let stays = fate < 4 && self.wire.len() < WIRE_MAX;
        let (to, actor, row, units) = if stays { self.wire[at].clone() } else { self.wire.swap_remove(at) };
        if fate == 15 {
            return;
        }
        self.found.delivered += 1;
        let node = &mut self.nodes[to];
        if self.ablation == Some(Ablation::AddingGrants) {
            let mut sum = node.known.row(actor);
            *sum.grants.entry(node.actor).or_default() += units;
            sum.grants.retain(|_, units| *units > 0);
            node.known.merge(actor, &sum);
        } else {
            node.known.merge(actor, &row);
        }
        node.durable = None;
    }

    fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.known = node.durable.take().unwrap_or_else(|| std::mem::take(&mut node.known));
        self.found.losses += 1;
    }

    fn back_up(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.backup = Some(node.durable.as_ref().unwrap_or(&node.known).clone());
    }

    /// A disk is set back. Its owner is somebody new from then on, who holds nothing.
    fn restore(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let Some(backup) = node.backup.take() else { return };
        node.known = backup;
        node.durable = None;
        self.found.losses += 1;
        if self.ablation != Some(Ablation::KeepEpoch) {
            node.actor = Actor::new(node.actor.node.0, node.actor.epoch.0 + 1);
        }
    }

    /// Nothing was heard of a grant.
    fn regret(&mut self, at: usize) {
        if self.ablation != Some(Ablation::TimeOut) {
            return;
        }
        let node = &mut self.nodes[at];
        let mut row = node.known.row(node.actor);
        let Some((&to, &units)) = row.grants.first_key_value() else { return };
        row.grants.insert(to, units - 1);
        row.grants.retain(|_, units| *units > 0);
        let others: BTreeMap<Actor, RightsRow> =
            node.known.rows().filter(|(actor, _)| *actor != node.actor).map(|(a, row)| (a, row.clone())).collect();
        node.known = Rights::from_rows(others.into_iter().chain([(node.actor, row)]));
        node.durable = None;
    }
}

/// Actors that take part.
const NODES: u32 = 4;

/// Rows under way at a time.
const WIRE_MAX: usize = 24;

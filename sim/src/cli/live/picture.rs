//! What a run looks like between two events: nodes, links, what is found, in figures. Words are made of it elsewhere.

use std::collections::BTreeMap;

use stockroom_crdt::capability::Role;
use stockroom_sim::hand::{HandAct, Turn};
use stockroom_sim::outcome::Violation;
use stockroom_sim::plan::Who;

/// A run at one moment.
pub struct Picture {
    /// Now, milliseconds since 1970.
    pub now_ms: u64,
    /// When the run began.
    pub start_ms: u64,
    /// When the faults stop.
    pub heals_ms: u64,
    /// They stopped.
    pub healed: bool,
    /// Observations so far.
    pub event: u64,
    /// Deeds that were acknowledged so far.
    pub deeds: u64,
    /// Hubs first.
    pub nodes: Vec<NodeShown>,
    /// Nodes that are not shown.
    pub nodes_left_out: usize,
    /// Links between those shown.
    pub links: Vec<LinkShown>,
    /// What was found, bounded, and how much there was.
    pub violations: Vec<Violation>,
    /// How many findings there were.
    pub found: u64,
    /// What was done by hand.
    pub acts: Vec<HandAct>,
}

/// A node.
pub struct NodeShown {
    /// Its id.
    pub id: u32,
    /// What the plan calls it.
    pub who: Who,
    /// The hub above it; 0 for the top.
    pub above: u32,
    /// How it fares.
    pub state: NodeState,
    /// Own entries that it does not know to be at its hub, and the age of the oldest; by its own word.
    pub backlog: Option<(u64, u64)>,
    /// What its hub knows of it; what it knows of the store that it knows least of, for a hub.
    pub known: Known,
    /// Entries of others that it ought to have and does not, as they truly are.
    pub lacks: u64,
    /// Deeds that it acknowledged.
    pub deeds: u64,
}

/// How old somebody's knowledge is, by their own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// There is nothing to know: a hub without stores of its own.
    Nothing,
    /// It never had everything.
    Never,
    /// The hub is down: nobody can ask it.
    Down,
    /// It had everything so long ago, milliseconds.
    Ago(u64),
}

/// How a node fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// It runs.
    Up,
    /// Its machine is suspended.
    Suspended,
    /// It does not run.
    Down,
    /// It is broken for good.
    WrittenOff,
}

/// A link.
pub struct LinkShown {
    /// The lower node.
    pub a: u32,
    /// The higher one.
    pub b: u32,
    /// What the plan calls them.
    pub between: (Who, Who),
    /// How it fares.
    pub state: LinkState,
}

/// How a link fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// Both ends know of it.
    Up,
    /// It is not there, and nothing keeps it from coming.
    Away,
    /// A fault of the plan swallows everything.
    Fault,
    /// Somebody cut it.
    Hand,
}

impl Picture {
    /// What it looks like now.
    pub fn take(turn: &Turn<'_>) -> Self {
        let scene = &turn.scene;
        let (cast, world) = (turn.cast, scene.world);
        let behind = cast.behind(scene.union);
        let known = known(turn);
        let hubs = (1..).zip(&cast.hubs).map(|(number, id)| (Who::Hub(number), *id));
        let all: Vec<_> = hubs.chain(cast.stores.iter().map(|(store, id)| (Who::Store(*store), *id))).collect();
        let deeds = |who: Who| match who {
            Who::Store(store) => scene.truth.stores.get(&store).map_or(0, |store| store.deeds.len() as u64),
            Who::Hub(_) => 0,
        };
        let shown = |&(who, id): &(Who, u32)| {
            let node = &world.nodes[&id];
            let status = node.core.as_ref().and_then(|core| core.status().ok());
            let backlog = |status: &stockroom_core::status::Status| {
                let oldest = status.backlog.oldest_ms;
                (status.backlog.entries, if oldest == 0 { 0 } else { status.at_ms.saturating_sub(oldest) })
            };
            let above = match who {
                Who::Store(_) => cast.hub_of.get(&id).copied().unwrap_or(cast.hubs[0]),
                Who::Hub(1) => 0,
                Who::Hub(_) => cast.hubs[0],
            };
            NodeShown {
                id,
                who,
                above,
                state: match () {
                    () if scene.written_off.contains(&id) => NodeState::WrittenOff,
                    () if !world.is_up(id) => NodeState::Down,
                    () if world.is_suspended(id) => NodeState::Suspended,
                    () => NodeState::Up,
                },
                backlog: status.as_ref().filter(|_| world.role(id) == Role::Store).map(backlog),
                known: known.get(&id).copied().unwrap_or(Known::Nothing),
                lacks: behind.get(&id).copied().unwrap_or(0),
                deeds: deeds(who),
            }
        };
        let nodes: Vec<_> = all.iter().take(NODES_MAX).map(shown).collect();
        let who: BTreeMap<u32, Who> = nodes.iter().map(|node| (node.id, node.who)).collect();
        let links = cast.links(world).into_iter().filter_map(|(a, b)| {
            let between = (*who.get(&a)?, *who.get(&b)?);
            let state = match () {
                () if turn.cut.contains(&(a, b)) => LinkState::Hand,
                () if world.is_cut(a, b) => LinkState::Fault,
                () if world.is_connected(a, b) => LinkState::Up,
                () => LinkState::Away,
            };
            Some(LinkShown { a, b, between, state })
        });
        Self {
            now_ms: scene.now_ms,
            start_ms: scene.start_ms,
            heals_ms: turn.heals_ms,
            healed: turn.healed,
            event: scene.event,
            deeds: scene.truth.stores.values().map(|store| store.deeds.len() as u64).sum(),
            links: links.take(LINKS_MAX).collect(),
            nodes_left_out: all.len() - nodes.len(),
            nodes,
            violations: turn.findings.violations.iter().take(FOUND_MAX).cloned().collect(),
            found: turn.findings.count,
            acts: turn.acts.to_vec(),
        }
    }

    /// The link between two nodes.
    pub fn link(&self, a: u32, b: u32) -> Option<&LinkShown> {
        self.links.iter().find(|link| (link.a, link.b) == (a.min(b), a.max(b)))
    }
}

/// What each store's hub knows of it, and the oldest that each hub knows of its stores.
fn known(turn: &Turn<'_>) -> BTreeMap<u32, Known> {
    let mut known = BTreeMap::new();
    for hub in &turn.cast.hubs {
        let own: Vec<_> = turn.cast.stores.iter().filter(|(_, id)| turn.cast.hub_of.get(id) == Some(hub)).collect();
        let core = turn.scene.world.nodes.get(hub).and_then(|node| node.core.as_ref());
        let status = core.and_then(|core| core.status().ok());
        let of = |store: u32| match &status {
            None => Known::Down,
            Some(status) => {
                let one = status.stores.iter().find(|one| one.store.0 == store);
                one.and_then(|one| one.fresh_ms)
                    .map_or(Known::Never, |fresh| Known::Ago(status.at_ms.saturating_sub(fresh)))
            }
        };
        let ages: Vec<_> = own.iter().map(|(store, id)| (**id, of(**store))).collect();
        let oldest = |ages: &[(u32, Known)]| {
            let all: Option<Vec<u64>> =
                ages.iter().map(|(_, age)| if let Known::Ago(ms) = age { Some(*ms) } else { None }).collect();
            match (&status, all) {
                (None, _) => Known::Down,
                (Some(_), None) => Known::Never,
                (Some(_), Some(all)) => all.into_iter().max().map_or(Known::Nothing, Known::Ago),
            }
        };
        known.insert(*hub, oldest(&ages));
        known.extend(ages);
    }
    known
}

/// Nodes and links that fit on a page that a person can follow.
const NODES_MAX: usize = 64;
const LINKS_MAX: usize = 200;

/// Findings that are shown: a broken world breaks everywhere.
const FOUND_MAX: usize = 20;

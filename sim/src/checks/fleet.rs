//! Who is who: roles, stores and ancestors, from the nodes' capabilities; and what lies on a running node's disk.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use stockroom_core::journal::{Log, LogNumber, run_from_row};
use stockroom_core::storage::{Direction, Snapshot, Table, prefix_end};
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::scope::Scope;

use super::Scene;
use crate::world::{CLONES_FROM, World};

/// The node whose identity a process has: itself, or the one that it is a clone of.
pub fn identity(node: u32) -> u32 {
    if node >= CLONES_FROM { node - CLONES_FROM } else { node }
}

/// What a node may do.
pub fn capability(world: &World, node: u32) -> Option<&Capability> {
    world.nodes.get(&identity(node))?.chain.last()
}

/// The store of a store's node.
pub fn store_of(world: &World, node: u32) -> Option<u32> {
    capability(world, node).filter(|capability| capability.role == Role::Store).map(|capability| capability.store.0)
}

/// The hub above all others: the one that the root itself admitted.
pub fn top_hub(world: &World) -> Option<u32> {
    hubs(world).find(|node| world.nodes[node].chain.len() == 1)
}

/// All hubs that are not clones.
pub fn hubs(world: &World) -> impl Iterator<Item = u32> {
    let is_hub = |node: &u32| capability(world, *node).is_some_and(|capability| capability.role == Role::Hub);
    world.nodes.keys().copied().filter(|&node| node == identity(node)).filter(is_hub)
}

/// The hub that admitted a node.
pub fn issuer(world: &World, node: u32) -> Option<u32> {
    capability(world, node).map(|capability| capability.issuer.0).filter(|&issuer| issuer != 0)
}

/// True when `hub` is one of the hubs above `node`.
pub fn is_above(world: &World, hub: u32, node: u32) -> bool {
    let chain = world.nodes.get(&identity(node)).map_or(&[][..], |node| &node.chain);
    hub != node && chain.iter().any(|link| link.node.0 == hub)
}

/// Nodes by store, without clones.
pub fn nodes_by_store(world: &World) -> BTreeMap<u32, Vec<u32>> {
    let mut out: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for &node in world.nodes.keys().filter(|&&node| node == identity(node)) {
        if let Some(store) = store_of(world, node) {
            out.entry(store).or_default().push(node);
        }
    }
    out
}

/// True for a node that must come together with the others: it runs, is believed, and is no clone.
pub fn is_healthy(scene: &Scene<'_>, node: u32) -> bool {
    node == identity(node) && !scene.written_off.contains(&node) && scene.world.is_up(node)
}

/// What a node committed, if it runs.
pub fn snapshot(scene: &Scene<'_>, node: u32) -> Option<Arc<dyn Snapshot>> {
    scene.world.is_up(node).then(|| scene.world.snapshot(node))
}

/// All logs on a disk.
pub fn logs(snapshot: &dyn Snapshot) -> Vec<(LogNumber, Log)> {
    let rows = snapshot.scan(Table::Logs, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, usize::MAX);
    let read = |(key, value): (Vec<u8>, Vec<u8>)| {
        let number = u32::from_be_bytes(key.try_into().ok()?);
        Some((LogNumber(number), Log::from_row(&value).ok()?))
    };
    rows.unwrap_or_default().into_iter().filter_map(read).collect()
}

/// The logs of one scope among [`logs`].
pub fn logs_of(snapshot: &dyn Snapshot, scope: &Scope) -> Vec<(LogNumber, Log)> {
    logs(snapshot).into_iter().filter(|(_, log)| log.id.scope == *scope).collect()
}

/// Every entry that one history holds of its own, with its sequence number, a run at a time.
pub fn entries(snapshot: &dyn Snapshot, log: LogNumber, mut each: impl FnMut(u64, &Item)) {
    let mut from = log.0.to_be_bytes().to_vec();
    let end = prefix_end(&from).unwrap_or_else(|| vec![u8::MAX; 16]);
    loop {
        let range = (Bound::Excluded(from.as_slice()), Bound::Excluded(end.as_slice()));
        let rows = snapshot.scan(Table::Runs, range, Direction::Forward, RUNS_AT_ONCE).unwrap_or_default();
        let Some((last, _)) = rows.last() else { return };
        from = last.clone();
        for (key, value) in rows {
            let (_, first, _, items) = run_from_row(&key, &value).expect("a node writes rows that can be read");
            for (seq, item) in (first..).zip(&items) {
                each(seq, item);
            }
        }
    }
}

/// A quick hash for sums over rows; nobody tries to make two rows collide.
pub fn mix(bytes: &[u8]) -> u64 {
    let folded = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // FNV leaves its high bits to the last bytes; the finaliser of splitmix64 spreads them.
    let spread = (folded ^ folded >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let spread = (spread ^ spread >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    spread ^ spread >> 31
}

/// Runs that are held in memory at once.
const RUNS_AT_ONCE: usize = 64;

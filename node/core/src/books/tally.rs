//! What the scans of a count session come to, product by product, and which products must be counted again.
//!
//! Zones are summed. In one zone two counters must agree: their figures are never added, and neither replaces the other until
//! somebody settles it.

use std::collections::BTreeMap;

use stockroom_crdt::ids::{Actor, Code, Sku, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::stock::Effect;

use super::account;
use super::scans::Scan;
use crate::journal::Place;
use crate::storage::{Snapshot, StoreError};

/// One product of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// What.
    pub sku: Sku,
    /// In which unit.
    pub unit: Unit,
    /// How many in all zones together.
    pub quantity: i64,
    /// Position of the last scan in the closing node's log, 0 if it stands in another one.
    pub cut: u64,
    /// When the last scan was made, milliseconds since 1970.
    pub scanned_ms: u64,
    /// Why it must be counted again, if so.
    pub doubt: Option<Doubt>,
}

/// Why a product must be counted again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It moved between its first and its last scan, so nobody can say which zone it left.
    Moved,
    /// Counters found different numbers in this zone.
    Differ(Code, Vec<i64>),
}

/// Sums the scans of a session, as the node `me` would that closes it now.
pub fn tally(
    snapshot: &(impl Snapshot + ?Sized),
    store: StoreId,
    me: Actor,
    scans: &[Scan],
) -> Result<Vec<Tally>, StoreError> {
    let groups = scans.chunk_by(|a, b| a.scan.sku == b.scan.sku && a.scan.unit == b.scan.unit);
    groups.map(|group| sum(snapshot, store, me, group)).collect()
}

fn sum(snapshot: &(impl Snapshot + ?Sized), store: StoreId, me: Actor, group: &[Scan]) -> Result<Tally, StoreError> {
    let mut zones: BTreeMap<&Code, Vec<&Scan>> = BTreeMap::new();
    group.iter().for_each(|scan| zones.entry(&scan.scan.zone).or_default().push(scan));
    let (mut quantity, mut differ, mut counting) = (0_i64, None, Vec::new());
    for (zone, mut scans) in zones {
        scans.sort_by_key(|scan| position(scan));
        let settled = scans.iter().rposition(|scan| scan.scan.settles).unwrap_or(0);
        let scans = scans.split_off(settled);
        let mut found: Vec<_> = scans.iter().map(|scan| scan.scan.quantity).collect();
        quantity = quantity.saturating_add(found.last().copied().unwrap_or(0));
        found.dedup();
        if found.len() > 1 && differ.is_none() {
            differ = Some(Doubt::Differ(zone.clone(), found));
        }
        counting.extend(scans);
    }
    let first = counting.iter().map(|scan| position(scan)).min().unwrap_or((me, 0));
    let last = counting.iter().max_by_key(|scan| position(scan)).expect("groups are not empty");
    let (sku, unit) = (last.scan.sku.clone(), last.scan.unit);
    // A session may have begun before this epoch. Its older scans have no position in the closing log: they cut nothing there.
    let cut = if last.actor == me { last.place.seq } else { 0 };
    let key = account::key(store, &sku, unit);
    let mut moved = false;
    if let Some(account) = account::load(snapshot, &key)? {
        let between = |&(actor, place): &(Actor, Place)| {
            actor.node == me.node && (actor, place.seq) > first && (actor != me || place.seq < cut)
        };
        for place in account::places(snapshot, &key, &account)?.into_iter().filter(between) {
            let (_, effects) = account::effects_at(snapshot, place, (&sku, unit))?;
            // Goods that stand aside are on no shelf.
            moved |= effects.iter().any(|(_, effect)| !matches!(effect, Effect::Aside(_)));
        }
    }
    let doubt = differ.or(moved.then_some(Doubt::Moved));
    Ok(Tally { sku, unit, quantity, cut, scanned_ms: last.at_ms, doubt })
}

fn position(scan: &Scan) -> (Actor, u64) {
    (scan.actor, scan.place.seq)
}

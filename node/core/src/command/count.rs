//! Stock counts: scans, and the reset when a session is closed.

use stockroom_crdt::count::{CountClose, CountLine, CountScan};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, check_known, check_quantity, own_store};
use crate::books::account;
use crate::books::scans::{self, Scan};
use crate::input::Refusal;
use crate::journal::Place;
use crate::replica::Replica;

/// Writes one scan down. Its place in the log is its cut.
pub fn scan(replica: &mut Replica, scan: CountScan) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_quantity("quantity", scan.quantity, 0)?;
    check_known(replica, "scan", &scan.sku, scan.unit)?;
    check_open(replica, store, scan.session)?;
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::CountScan(scan)])?[0])
}

/// Sums the zones of each SKU and resets the book. SKUs that nobody scanned keep their figure.
pub fn close(replica: &mut Replica, session: u64, staff: Code) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_open(replica, store, session)?;
    let scans = scans::of_session(&replica.overlay, store, session)?;
    if scans.is_empty() {
        return Err(Refusal::Unknown { field: "session".into(), what: "count session with scans" }.into());
    }
    let scope = Scope::StoreStock(store);
    let me = replica.actor();
    let others = replica.journal.heads(&scope).into_iter().filter(|(actor, _)| *actor != me).collect();
    let mut lines = Vec::new();
    for group in scans.chunk_by(|a, b| a.scan.sku == b.scan.sku && a.scan.unit == b.scan.unit) {
        lines.push(sum(replica, store, group)?);
    }
    if lines.len() > LINES_MAX {
        let message = format!("{} products were counted, a session holds {LINES_MAX}: use several", lines.len());
        return Err(Refusal::invalid("session", message).into());
    }
    if lines.iter().any(|line| line.ambiguous) {
        replica.reached("a count was ambiguous: a recount is asked for");
    }
    let close = CountClose { session, staff, others, lines };
    let fact = Fact::CountClose(close);
    check_fact(&fact, "session")?;
    Ok(replica.write(&scope, vec![fact])?[0])
}

fn sum(replica: &Replica, store: StoreId, group: &[Scan]) -> Result<CountLine, Failed> {
    let me = replica.actor();
    // A session may have begun before this epoch. Its older scans have no position in the closing log: they cut nothing there.
    let position = |scan: &Scan| (replica.journal.log(scan.place.log).map(|log| log.id.actor), scan.place.seq);
    let first = group.iter().map(position).min().unwrap_or((None, 0));
    let last = group.iter().max_by_key(|scan| position(scan)).expect("groups are not empty");
    let (sku, unit) = (last.scan.sku.clone(), last.scan.unit);
    let cut = if position(last).0 == Some(me) { last.place.seq } else { 0 };
    let key = account::key(store, &sku, unit);
    let moved_between = match account::load(&replica.overlay, &key)? {
        Some(account) => account::places(&replica.overlay, &key, &account)?.iter().any(|&(actor, place)| {
            actor.node == me.node && (Some(actor), place.seq) > first && (actor != me || place.seq < cut)
        }),
        None => false,
    };
    let quantity = group.iter().map(|scan| scan.scan.quantity).sum();
    check_quantity("quantity", quantity, 0)?;
    Ok(CountLine { sku, unit, quantity, cut, scanned_ms: last.at_ms, ambiguous: moved_between })
}

fn check_open(replica: &Replica, store: StoreId, session: u64) -> Result<(), Failed> {
    if scans::is_closed(&replica.overlay, store, session)? {
        return Err(Refusal::State(format!("count session {session} is closed")).into());
    }
    Ok(())
}

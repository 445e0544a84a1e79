//! Stock counts: the sheet, scans, and the reset when a session is closed.

use std::collections::BTreeSet;

use stockroom_crdt::chain::LogId;
use stockroom_crdt::count::{CountClose, CountLine, CountOpen, CountScan};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Sku, StoreId};
use stockroom_crdt::limits::LINES_MAX;
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, check_known, check_quantity, own_store};
use crate::books::scans;
use crate::books::tally::{Doubt, Tally, tally};
use crate::input::Refusal;
use crate::input::goods::{Doubtful, Uncounted};
use crate::journal::Place;
use crate::replica::Replica;

/// Puts down what is to be counted in a session.
pub fn open(replica: &mut Replica, open: CountOpen) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_open(replica, store, open.session)?;
    if scans::sheet(&replica.overlay, store, open.session)?.is_some() {
        return Err(Refusal::State(format!("count session {} is open already", open.session)).into());
    }
    if open.lines.is_empty() || open.lines.len() > LINES_MAX {
        let message = format!("a sheet has 1 to {LINES_MAX} products, not {}: use several sessions", open.lines.len());
        return Err(Refusal::invalid("lines", message).into());
    }
    let mut seen = BTreeSet::new();
    for (index, (sku, unit)) in open.lines.iter().enumerate() {
        check_known(replica, &format!("lines[{index}]"), sku, *unit)?;
        if !seen.insert(sku) {
            return Err(Refusal::invalid(format!("lines[{index}].sku"), "stands twice").into());
        }
    }
    let fact = Fact::CountOpen(open);
    check_fact(&fact, "lines")?;
    Ok(replica.write(&Scope::StoreStock(store), vec![fact])?[0])
}

/// Writes one scan down. Its place in the log is its cut.
pub fn scan(replica: &mut Replica, scan: CountScan) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_quantity("quantity", scan.quantity, 0)?;
    check_known(replica, "scan", &scan.sku, scan.unit)?;
    check_open(replica, store, scan.session)?;
    Ok(replica.write(&Scope::StoreStock(store), vec![Fact::CountScan(scan)])?[0])
}

/// Sums the zones of each SKU and resets the book. SKUs that nobody scanned keep their figure, unless somebody confirms that
/// there is nothing of what the sheet lists.
pub fn close(
    replica: &mut Replica,
    session: u64,
    staff: Code,
    (doubtful, uncounted): (Doubtful, Uncounted),
) -> Result<Place, Failed> {
    let store = own_store(replica)?;
    check_open(replica, store, session)?;
    let scans = scans::of_session(&replica.overlay, store, session)?;
    let sheet = scans::sheet(&replica.overlay, store, session)?;
    let confirmed = sheet.as_ref().filter(|_| uncounted == Uncounted::Zero).map_or(&[][..], |sheet| &sheet.lines);
    match (scans.is_empty(), &sheet) {
        (true, None) => {
            return Err(Refusal::Unknown { field: "session".into(), what: "count session with scans" }.into());
        }
        (true, Some(_)) if confirmed.is_empty() => {
            return Err(Refusal::State(format!("nobody has counted anything in session {session}")).into());
        }
        (true | false, _) => {}
    }
    let scope = Scope::StoreStock(store);
    let me = replica.actor();
    let tallies = tally(&replica.overlay, store, me, &scans)?;
    let counted: BTreeSet<_> = tallies.iter().map(|tally| (tally.sku.clone(), tally.unit)).collect();
    let mut lines = Vec::new();
    for tally in decided(tallies, session, doubtful)? {
        check_quantity("quantity", tally.quantity, 0)?;
        lines.push(line(tally));
    }
    let heads = replica.journal.heads(&scope);
    let head = heads.iter().find(|(actor, _)| *actor == me).map_or(0, |(_, seq)| *seq);
    let missing = confirmed.iter().filter(|named| !counted.contains(named));
    lines.extend(missing.map(|named| nothing(named, head, replica.now.wall_ms)));
    if lines.len() > LINES_MAX {
        let message = format!("{} products were counted, a session holds {LINES_MAX}: use several", lines.len());
        return Err(Refusal::invalid("session", message).into());
    }
    if lines.iter().any(|line| line.ambiguous) {
        replica.reached("a count was ambiguous: a recount is asked for");
    }
    // A life that is over may have several histories here: what any of them brought is included.
    let reach = |actor| (actor, replica.journal.reach(&LogId { actor, scope: scope.clone() }));
    let others = heads.into_iter().filter(|(actor, _)| *actor != me).map(|(actor, _)| reach(actor)).collect();
    let close = CountClose { session, staff, others, lines };
    let fact = Fact::CountClose(close);
    check_fact(&fact, "session")?;
    Ok(replica.write(&scope, vec![fact])?[0])
}

/// The products that the closing resets, after what must be counted again was refused, left out or accepted.
fn decided(tallies: Vec<Tally>, session: u64, doubtful: Doubtful) -> Result<Vec<Tally>, Refusal> {
    let stops = |tally: &&Tally| match doubtful {
        Doubtful::Refuse => tally.doubt.is_some(),
        Doubtful::LeaveOut => false,
        Doubtful::Accept => matches!(tally.doubt, Some(Doubt::Differ(..))),
    };
    let stopped: Vec<_> = tallies.iter().filter(stops).filter_map(why).take(NAMED_MAX).collect();
    if !stopped.is_empty() {
        let message = format!("count session {session} needs a recount: {}", stopped.join("; "));
        return Err(Refusal::State(message));
    }
    Ok(tallies.into_iter().filter(|tally| doubtful != Doubtful::LeaveOut || tally.doubt.is_none()).collect())
}

fn why(tally: &Tally) -> Option<String> {
    let Tally { sku, .. } = tally;
    Some(match tally.doubt.as_ref()? {
        Doubt::Moved => format!("{sku} moved while its zones were counted"),
        Doubt::Differ(zone, found) => {
            let found: Vec<_> = found.iter().map(i64::to_string).collect();
            let zone = if zone.is_empty() { String::new() } else { format!(" in zone {zone}") };
            format!("counters of {sku} found {}{zone}", found.join(" and "))
        }
    })
}

fn line(tally: Tally) -> CountLine {
    let Tally { sku, unit, quantity, cut, scanned_ms, doubt } = tally;
    CountLine { sku, unit, quantity, cut, scanned_ms, ambiguous: doubt.is_some() }
}

/// Somebody confirmed now that there is nothing: whatever the log holds so far was there before or is gone.
fn nothing((sku, unit): &(Sku, Unit), head: u64, now_ms: u64) -> CountLine {
    CountLine { sku: sku.clone(), unit: *unit, quantity: 0, cut: head, scanned_ms: now_ms, ambiguous: false }
}

fn check_open(replica: &Replica, store: StoreId, session: u64) -> Result<(), Failed> {
    if scans::is_closed(&replica.overlay, store, session)? {
        return Err(Refusal::State(format!("count session {session} is closed")).into());
    }
    Ok(())
}

/// Products that a refusal names: enough to walk to, few enough to read.
const NAMED_MAX: usize = 10;

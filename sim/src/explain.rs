//! Why something was not as it must be: what happened just before it, and what each node knew beside what is true.
//!
//! A run is played again from its plan, so nothing has to be kept of the first one. Everything here is words for people; no check
//! reads them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use stockroom_core::input::Event;
use stockroom_core::journal::{Log, LogNumber};
use stockroom_core::storage::Table;
use stockroom_crdt::capability::Role;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::scope::Scope;

use crate::checks::Scene;
use crate::observe::{Act, Deed, Observation, RowChange, Seen, Stop};
use crate::outcome::{Outcome, Violation};
use crate::plan::Plan;
use crate::run::{Until, run};
use crate::union::HeldLog;
use crate::world::{CLONES_FROM, PUPPET, World};

/// A moment of a run, in words.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// After which observation.
    pub event: u64,
    /// What happened up to it, one line each, oldest first.
    pub before: Vec<String>,
    /// What each node knew then; a node's first line is its name and how it fares, the rest is indented.
    pub nodes: Vec<String>,
    /// What was found at that moment.
    pub violations: Vec<Violation>,
    /// What comes of the run.
    pub outcome: Outcome,
}

/// Plays a plan again and tells of the moment after observation `event`, or else of the first violation. `watch` is shown
/// everything, as by [`run`].
///
/// # Errors
/// There is no such moment: nothing is violated, only a crash image beside the run is, or the run is over before. The outcome says
/// which.
pub fn explain(
    plan: &Plan,
    event: Option<u64>,
    watch: &mut dyn FnMut(&Observation, &Scene<'_>),
) -> Result<Explanation, Box<Outcome>> {
    let (event, until) = match event {
        Some(event) => (event, Until::End),
        None => {
            let outcome = run(plan, Until::Violation, watch);
            match outcome.violations.first().map(|found| found.event) {
                None | Some(0) => return Err(Box::new(outcome)),
                Some(event) => (event, Until::Violation),
            }
        }
    };
    let (mut names, mut before, mut nodes) = (Names::default(), Before::default(), Vec::new());
    let outcome = run(plan, until, &mut |seen, scene| {
        watch(seen, scene);
        if seen.event <= event && seen.event.saturating_add(LOOK_BACK) > event {
            before.take(seen, scene, &mut names);
        }
        if seen.event == event {
            nodes = knowledge(scene, seen.node, &mut names);
        }
    });
    if nodes.is_empty() {
        return Err(Box::new(outcome));
    }
    let violations = outcome.violations.iter().filter(|found| found.event == event).cloned().collect();
    Ok(Explanation { event, before: before.lines(), nodes, violations, outcome })
}

/// The last lines before a moment. Frames are told together until something else happens: most are a node's pulse.
#[derive(Default)]
struct Before {
    lines: VecDeque<String>,
    frames: Frames,
}

/// Frames in a row: when the first left, how many, and from whom to whom with which lane, with bytes.
#[derive(Default)]
struct Frames {
    begin: String,
    count: usize,
    ways: BTreeMap<String, usize>,
}

impl Before {
    fn take(&mut self, seen: &Observation, scene: &Scene<'_>, names: &mut Names) {
        if let Seen::Sent { to, lane, bytes } = &seen.what {
            if self.frames.count == 0 {
                self.frames.begin = format!("{:>8}  {}", seen.event, time_of_run(seen.at_ms, scene.start_ms));
            }
            self.frames.count += 1;
            let from = names.of(scene.world, seen.node).to_owned();
            let way = format!("{from} to {} {}", names.of(scene.world, *to), lower(lane));
            *self.frames.ways.entry(way).or_default() += bytes;
            return;
        }
        self.close();
        self.push(line(seen, scene, names));
    }

    fn close(&mut self) {
        let frames = std::mem::take(&mut self.frames);
        if frames.count == 0 {
            return;
        }
        let ways: Vec<_> = frames.ways.iter().take(WAYS_MAX).map(|(way, bytes)| format!("{way} {bytes}")).collect();
        let more = if frames.ways.len() > WAYS_MAX { ", and others" } else { "" };
        self.push(format!("{}  {} frames, bytes: {}{more}", frames.begin, frames.count, ways.join(", ")));
    }

    fn push(&mut self, line: String) {
        self.lines.push_back(line);
        if self.lines.len() > BEFORE_MAX {
            self.lines.pop_front();
        }
    }

    fn lines(mut self) -> Vec<String> {
        self.close();
        self.lines.into()
    }
}

/// What people call nodes. Told once per node, since it takes a look at all of them.
#[derive(Default)]
pub struct Names(BTreeMap<u32, String>);

impl Names {
    /// `store 3`, `hub`, `cloud`, `hub 2`, `clone of store 3`.
    pub fn of(&mut self, world: &World, id: u32) -> &str {
        self.0.entry(id).or_insert_with(|| name(world, id))
    }
}

fn name(world: &World, id: u32) -> String {
    if id == PUPPET {
        return "a hostile hand".into();
    }
    if id >= CLONES_FROM {
        return format!("clone of {}", name(world, id - CLONES_FROM));
    }
    let Some(capability) = world.nodes.get(&id).and_then(|node| node.chain.last()) else { return format!("node {id}") };
    let is_hub = |id: &&u32| world.role(**id) == Role::Hub;
    match capability.role {
        Role::Store => format!("store {}", capability.store.0),
        Role::Hub if id == 1 && world.nodes.range(2..CLONES_FROM).any(|(id, _)| is_hub(&id)) => "cloud".into(),
        Role::Hub if id == 1 => "hub".into(),
        Role::Hub => format!("hub {}", world.nodes.range(2..=id).filter(|(id, _)| is_hub(id)).count()),
    }
}

/// An observation in one line: its number, when, who, what.
pub fn line(seen: &Observation, scene: &Scene<'_>, names: &mut Names) -> String {
    let time = time_of_run(seen.at_ms, scene.start_ms);
    let what = words(seen, scene, names);
    format!("{:>8}  {time}  {} {what}", seen.event, names.of(scene.world, seen.node))
}

/// `1:02:03.456`, from the start of the run; `-0:00:05.000` while the fleet still meets.
pub fn time_of_run(at_ms: u64, start_ms: u64) -> String {
    let sign = if at_ms < start_ms { "-" } else { "" };
    format!("{sign}{}", clock(at_ms.abs_diff(start_ms)))
}

/// Milliseconds as `1:02:03.456`.
pub fn clock(ms: u64) -> String {
    let (seconds, ms) = (ms / 1_000, ms % 1_000);
    format!("{}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn words(seen: &Observation, scene: &Scene<'_>, names: &mut Names) -> String {
    let mut name = |id: u32| names.of(scene.world, id).to_owned();
    match &seen.what {
        Seen::Started { boot } => format!("starts (start {boot})"),
        Seen::Stopped(Stop::Crash) => "falls: no power, or killed".into(),
        Seen::Stopped(Stop::Planned) => "is switched off in good order".into(),
        Seen::Stopped(Stop::Failed(why)) => format!("stops itself: {why}"),
        Seen::Stopped(Stop::Panicked(why)) => format!("panics: {why}"),
        Seen::Committed(rows) => commit(rows),
        Seen::Sent { to, lane, bytes } => format!("sends {bytes} bytes of {} to {}", lower(lane), name(*to)),
        Seen::Connected { peer } => format!("has a link with {}", name(*peer)),
        Seen::Disconnected { peer, closed: None } => format!("loses its link with {}", name(*peer)),
        Seen::Disconnected { peer, closed: Some(why) } => format!("closes its link with {}: {why}", name(*peer)),
        Seen::Told(Event::Entry { scope, kind, place }) => {
            format!("tells of entry {} in log {}, kind {kind}, {scope}", place.seq, place.log.0)
        }
        Seen::Told(Event::Connected(node)) => format!("and {} know each other", name(node.0)),
        Seen::Told(Event::Values(scope)) => format!("holds newer values of {scope}"),
        Seen::Told(Event::Disconnected(node)) => format!("and {} are apart", name(node.0)),
        Seen::Told(Event::EpochOpened(reason)) => format!("opens an epoch: {reason:?}"),
        Seen::Told(Event::Alarm(what)) => format!("raises an alarm: {what}"),
        Seen::Acknowledged(deed) => answer(deed),
        Seen::Unanswered { what, refusal: None } => format!("gives no answer to {what}"),
        Seen::Unanswered { what, refusal: Some(why) } => format!("refuses {what}: {why}"),
        Seen::Marked { name, until_ms, detail } => {
            let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
            let until = until_ms.map(|until| format!(", until {}", time_of_run(until, scene.start_ms)));
            format!("meets {name}{detail}{}", until.unwrap_or_default())
        }
    }
}

/// `commits 7 rows (4 accounts, 2 feed, 1 logs): 2.1 StoreStock(1) reaches 15`.
fn commit(rows: &[RowChange]) -> String {
    let mut tables: BTreeMap<Table, usize> = BTreeMap::new();
    for row in rows {
        *tables.entry(row.table).or_default() += 1;
    }
    let tables: Vec<_> = tables.iter().map(|(table, count)| format!("{count} {}", lower(table))).collect();
    let log = |row: &RowChange| {
        let log = Log::from_row(row.new.as_ref()?).ok()?;
        Some(format!("{} {} reaches {}", log.id.actor, log.id.scope, log.head.seq))
    };
    let logs: Vec<_> =
        rows.iter().filter(|row| row.table == Table::Logs).filter_map(log).take(LOGS_OF_COMMIT).collect();
    let logs = if logs.is_empty() { String::new() } else { format!(": {}", logs.join(", ")) };
    format!("commits {} rows ({}){logs}", rows.len(), tables.join(", "))
}

fn answer(deed: &Deed) -> String {
    let again = if deed.replayed { ", which an earlier try had done" } else { "" };
    let what = match &deed.what {
        Act::Sale { till, till_seq, lines, total } => {
            format!("sale {till_seq} of till {till} with {} lines, {total} in minor units", lines.len())
        }
        Act::Receipt { product, quantity } => format!("a delivery of {quantity} of product {product}"),
        Act::Count { product, quantity } => format!("a count of product {product}, {quantity} there"),
        Act::Moved { lines } => format!("goods came or left: {lines:?}"),
        Act::Promise { id, product, quantity, hard } => {
            let kind = if *hard { "hard" } else { "soft" };
            format!("a {kind} promise {id} of {quantity} of product {product}")
        }
        Act::Said { id, step, .. } => format!("promise {id} {}", step.as_str()),
        Act::Order { order, said } => format!("order {order}: {said:?}"),
        Act::Other(what) => (*what).to_owned(),
    };
    let entry = deed.entry.as_ref().map(|(log, seq, _)| format!(", entry {seq} of {} {}", log.actor, log.scope));
    format!("acknowledges {what}{}{again}", entry.unwrap_or_default())
}

/// What each node knows, the one that matters and its peers first.
fn knowledge(scene: &Scene<'_>, node: u32, names: &mut Names) -> Vec<String> {
    let world = scene.world;
    let mut order = vec![node];
    order.extend(world.nodes.contains_key(&node).then(|| world.peers_of(node)).into_iter().flatten());
    order.extend(world.nodes.keys());
    let mut told = BTreeSet::new();
    order.retain(|id| world.nodes.contains_key(id) && told.insert(*id));
    let surplus = order.len().saturating_sub(NODES_MAX);
    let mut lines: Vec<_> = order.into_iter().take(NODES_MAX).flat_map(|id| about(scene, id, names)).collect();
    if surplus > 0 {
        lines.push(format!("and {surplus} other nodes"));
    }
    lines
}

fn about(scene: &Scene<'_>, id: u32, names: &mut Names) -> Vec<String> {
    let world = scene.world;
    let node = &world.nodes[&id];
    let up = world.is_up(id);
    let mut state = match (up, node.suspended) {
        (false, _) => "down".to_owned(),
        (true, true) => "suspended".to_owned(),
        (true, false) => "up".to_owned(),
    };
    if scene.written_off.contains(&id) {
        state += ", written off";
    }
    let error_ms = world.clock(id).wall_ms as i64 - world.now_ms as i64;
    let side = if error_ms < 0 { "behind" } else { "ahead" };
    let error = match error_ms {
        0 => "right".to_owned(),
        _ => format!("{} {side}", clock(error_ms.unsigned_abs())),
    };
    let mut lines = vec![format!("{} (node {id}): {state}, start {}, clock {error}", names.of(world, id), node.boot)];
    let mut tell = |line: String| lines.push(format!("  {line}"));
    let links = world.peers_of(id).into_iter().map(|peer| {
        let state = if world.is_connected(id, peer) { "connected" } else { "no link" };
        format!("{} {state}", names.of(world, peer))
    });
    let links: Vec<_> = links.take(LINKS_MAX).collect();
    tell(format!("links: {}", if links.is_empty() { "none".into() } else { links.join(", ") }));
    logs(scene, id).into_iter().for_each(&mut tell);
    if up {
        beliefs(scene, id, names).into_iter().for_each(&mut tell);
    }
    lines
}

/// Every log that the node holds or ought to know of, beside how far others have come; what lacks most stands first.
fn logs(scene: &Scene<'_>, id: u32) -> Vec<String> {
    let Some(holding) = scene.union.nodes.get(&id) else { return vec!["holds nothing".into()] };
    let furthest = |log: &LogId| scene.union.furthest.get(log).copied().unwrap_or(0);
    let mut lines: Vec<(u64, String)> = Vec::new();
    for (number, log) in &holding.logs {
        let (text, lacks) = held(*number, log, furthest(&log.id));
        lines.push((lacks, text));
    }
    let store = scene.world.nodes[&id].chain.last().map(|capability| capability.store);
    for (log, seq) in scene.union.furthest.iter().filter(|(log, _)| !holding.reach.contains_key(log)) {
        let own = log.scope.store().is_some() && log.scope.store() == store;
        if own || id == 1 {
            lines.push((*seq, format!("{} {}: nothing of {seq}", log.actor, log.scope)));
        }
    }
    lines.sort_by_key(|(lacks, _)| std::cmp::Reverse(*lacks));
    let surplus = lines.len().saturating_sub(LOGS_MAX);
    let mut lines: Vec<_> = lines.into_iter().take(LOGS_MAX).map(|(_, line)| line).collect();
    if surplus > 0 {
        lines.push(format!("and {surplus} other logs"));
    }
    lines
}

fn held(number: LogNumber, log: &HeldLog, furthest: u64) -> (String, u64) {
    let lacks = furthest.saturating_sub(log.head.seq);
    let branch = log.parent.map(|(parent, seq)| format!(", parts from log {} after {seq}", parent.0));
    let sealed = if log.sealed_seq < log.head.seq { format!(", sealed to {}", log.sealed_seq) } else { String::new() };
    let beyond = if lacks > 0 { format!(" of {furthest}") } else { String::new() };
    let branch = branch.unwrap_or_default();
    (format!("{} {}: {}{beyond}{sealed}{branch} (log {})", log.id.actor, log.id.scope, log.head.seq, number.0), lacks)
}

/// What the node says of itself and others, beside what is true.
fn beliefs(scene: &Scene<'_>, id: u32, names: &mut Names) -> Vec<String> {
    let (world, union) = (scene.world, scene.union);
    let status = world.status(id);
    let mut lines = vec![format!("believes: epoch {}, opened because {:?}", status.epoch.0, status.epoch_reason)];
    let issuer = world.nodes[&id].chain.last().map_or(0, |capability| capability.issuer.0);
    if status.store.is_some() {
        let own = |log: &&LogId| log.actor.node.0 == id;
        let reach = union.nodes.get(&id).map(|holding| &holding.reach);
        let lacks = reach.into_iter().flatten().filter(|(log, _)| own(log));
        let lacks: u64 = lacks.map(|(log, seq)| seq.saturating_sub(union.held(issuer, log))).sum();
        let hub = names.of(world, issuer);
        let believed = status.backlog.entries;
        lines
            .push(format!("believes: {believed} own entries are not known to be at {hub}; truth: {hub} lacks {lacks}"));
    }
    for peer in status.peers.iter().take(LINKS_MAX) {
        let state = match (peer.ready, peer.drained) {
            (false, _) => "is being greeted",
            (true, false) => "does not have everything yet",
            (true, true) => "has everything that it follows",
        };
        let lag = peer.feeds.iter().filter(|(_, acked, end)| !peer.drained && acked < end).take(LOGS_OF_COMMIT);
        let feeds: String = lag.map(|(scope, acked, end)| format!(", {scope} {acked} of {end} there")).collect();
        lines.push(format!("believes: {} {state}{feeds}", names.of(world, peer.node.0)));
    }
    for store in status.stores.iter().filter(|store| status.store != Some(store.store)).take(LINKS_MAX) {
        // What a node never had it may have no business with.
        let Some(fresh_ms) = store.fresh_ms else { continue };
        let shared = |log: &LogId| status.role == Role::Hub || matches!(log.scope, Scope::StoreStock(_));
        let of_store = union.furthest.iter().filter(|(log, _)| log.scope.store() == Some(store.store) && shared(log));
        let lacks: u64 = of_store.map(|(log, seq)| seq.saturating_sub(union.held(id, log))).sum();
        let fresh = time_of_run(fresh_ms, scene.start_ms);
        let store = store.store.0;
        lines.push(format!(
            "believes: had all of store {store} at {fresh} by its own clock; truth: it lacks {lacks} entries"
        ));
    }
    lines
}

/// The name of a table or lane in small letters.
fn lower(word: &impl std::fmt::Debug) -> String {
    format!("{word:?}").to_lowercase()
}

/// Lines before a moment, and observations before it that they are taken from.
const BEFORE_MAX: usize = 40;
const LOOK_BACK: u64 = 4_000;

/// Ways of frames that are told in one line.
const WAYS_MAX: usize = 8;

/// Nodes, logs of each, links of each that are told.
const NODES_MAX: usize = 24;
const LOGS_MAX: usize = 24;
const LINKS_MAX: usize = 12;

/// Logs that are named with a commit, feeds with a peer.
const LOGS_OF_COMMIT: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Wishes, draw};

    fn crashes() -> Plan {
        let wishes = Wishes { small: true, stores: Some(2), hubs: Some(3), ..Wishes::default() };
        let mut plan = draw("crash", 2, &wishes).expect("there is such a scenario");
        plan.safety_ms = 60_000;
        plan
    }

    #[test]
    fn any_moment_of_a_run_can_be_told() {
        let told = explain(&crashes(), Some(500), &mut |_, _| {}).expect("the run is longer");
        assert_eq!((told.event, told.before.len()), (500, 40));
        let number = |line: &String| line.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
        let numbers: Vec<_> = told.before.iter().map(number).collect();
        assert!(numbers.is_sorted() && numbers[0].is_some() && numbers[39] <= Some(500), "{:#?}", told.before);
        for name in ["cloud (node 1)", "hub 1 (", "store 1 (", "store 2 ("] {
            assert!(told.nodes.iter().any(|line| line.starts_with(name)), "{name} in {:#?}", told.nodes);
        }
        assert!(told.nodes.iter().any(|line| line.contains("truth: ")));
    }

    #[test]
    fn a_moment_that_never_comes_is_not_told() {
        let outcome = explain(&crashes(), Some(u64::MAX), &mut |_, _| {}).expect_err("no run is so long");
        assert!(outcome.events > 500);
    }

    #[test]
    fn times_are_told_from_the_start_of_the_run() {
        assert_eq!(time_of_run(3_723_456, 0), "1:02:03.456");
        assert_eq!(time_of_run(5_000, 10_000), "-0:00:05.000");
    }
}

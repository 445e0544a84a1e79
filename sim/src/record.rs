//! Keeping the record of a run: bytes, faults, waits and lag, as they happen.

use std::collections::BTreeMap;

use stockroom_core::input::Event;

use crate::cast::Cast;
use crate::hand::{CUT, HEAL};
use crate::observe::{Act, Observation, Seen, Stop};
use crate::outcome::{FaultSpan, Record};
use crate::union::Union;
use crate::world::World;

/// A record under way.
pub(crate) struct Recorder {
    record: Record,
    sum: Sum,
    down_since: BTreeMap<u32, (u64, String)>,
    planned_ms: u64,
}

/// Figures of a run, and its record.
#[derive(Default)]
pub(crate) struct Sum {
    pub(crate) messages: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
    pub(crate) bytes_across: u64,
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) reached: BTreeMap<String, u64>,
    pub(crate) till_blocked: u64,
    pub(crate) till_wait_ms_max: u64,
    pub(crate) record: Record,
}

impl Recorder {
    pub(crate) fn new(cast: &Cast, start_ms: u64, planned_ms: u64) -> Self {
        let nodes = cast.all().map(|id| (id, cast.name(id))).collect();
        let record = Record { start_ms, healed_ms: planned_ms, nodes, ..Record::default() };
        Self { record, sum: Sum::default(), down_since: BTreeMap::new(), planned_ms }
    }

    /// How far apart samples are.
    pub(crate) fn sample_ms(&self) -> u64 {
        (self.planned_ms / SAMPLES).max(1_000)
    }

    pub(crate) fn observe(&mut self, seen: &Observation, world: &World, cast: &Cast) {
        let at = seen.at_ms.saturating_sub(self.record.start_ms);
        match &seen.what {
            Seen::Sent { to, lane, bytes } => self.sent(seen.node, *to, *lane as usize, *bytes as u64, world),
            Seen::Started { .. } => self.up(seen.node, at),
            Seen::Stopped(why) => {
                let why = match why {
                    Stop::Crash => "crashed".into(),
                    Stop::Planned => "switched off".into(),
                    Stop::Failed(why) | Stop::Panicked(why) => why.clone(),
                };
                self.down_since.insert(seen.node, (at, why));
            }
            Seen::Acknowledged(deed) if !deed.replayed => {
                if matches!(deed.what, Act::Sale { .. }) {
                    let hours = self.record.sales.entry(deed.store).or_default();
                    let hour = (at / HOUR_MS) as usize;
                    hours.resize(hours.len().max(hour + 1), 0);
                    hours[hour] += 1;
                }
            }
            Seen::Marked { name: HEAL, detail, .. } => self.healed_by_hand(seen.node, at, detail),
            Seen::Marked { name, until_ms, detail } => {
                *self.sum.faults.entry((*name).to_owned()).or_default() += 1;
                if self.record.faults.len() < FAULTS_KEPT {
                    // Nobody knows beforehand when a hand heals what it cut: at the latest when all faults stop.
                    let to_ms = if *name == CUT { Some(self.planned_ms) } else { None };
                    let until = until_ms.map(|until| until.saturating_sub(self.record.start_ms));
                    let to_ms = until.or(to_ms).unwrap_or(at);
                    let nodes = if cast.all().any(|id| id == seen.node) { vec![seen.node] } else { Vec::new() };
                    let (name, detail) = ((*name).to_owned(), detail.clone());
                    self.record.faults.push(FaultSpan { name, nodes, from_ms: at, to_ms, detail });
                }
            }
            Seen::Acknowledged(_) => self.reach("a till's retry was answered from the log"),
            Seen::Unanswered { refusal: None, .. } => self.reach("a till got no answer"),
            Seen::Disconnected { closed: Some(why), .. } => {
                self.reach(&format!("a node closed a link: {}", kind_of(why)))
            }
            Seen::Told(Event::EpochOpened(reason)) => self.reach(&format!("an epoch was opened: {reason:?}")),
            Seen::Told(Event::Alarm(what)) => self.reach(&format!("alarm: {}", kind_of(what))),
            Seen::Committed(_)
            | Seen::Connected { .. }
            | Seen::Disconnected { .. }
            | Seen::Told(_)
            | Seen::Unanswered { .. } => {}
        }
    }

    fn healed_by_hand(&mut self, node: u32, at: u64, detail: &str) {
        let same = |span: &&mut FaultSpan| span.name == CUT && span.nodes == [node] && span.detail == detail;
        if let Some(span) = self.record.faults.iter_mut().rev().find(same) {
            span.to_ms = at;
        }
    }

    /// A till at a node that was up waited so long.
    pub(crate) fn served(&mut self, wait_ms: u64) {
        self.sum.till_wait_ms_max = self.sum.till_wait_ms_max.max(wait_ms);
        self.sum.till_blocked += u64::from(wait_ms > SERVED_MS);
    }

    /// How far each node is behind what others have for it.
    pub(crate) fn sample(&mut self, union: &Union, cast: &Cast, now_ms: u64) {
        let at = now_ms.saturating_sub(self.record.start_ms);
        for (node, behind) in cast.behind(union) {
            self.record.lag.entry(node).or_default().push((at, behind));
        }
    }

    pub(crate) fn healed(&mut self, now_ms: u64) {
        self.record.healed_ms = now_ms.saturating_sub(self.record.start_ms);
    }

    pub(crate) fn agreed(&mut self, at_ms: Option<u64>) {
        self.record.agreed_ms = at_ms.map(|at| at.saturating_sub(self.record.start_ms));
    }

    pub(crate) fn finish(&mut self, now_ms: u64, cast: &Cast) -> Sum {
        let end = now_ms.saturating_sub(self.record.start_ms);
        let down: Vec<u32> =
            self.down_since.keys().copied().filter(|id| cast.all().any(|other| other == *id)).collect();
        for id in down {
            self.up(id, end);
        }
        self.record.end_ms = end;
        let mut sum = std::mem::take(&mut self.sum);
        sum.record = std::mem::take(&mut self.record);
        sum
    }

    fn reach(&mut self, what: &str) {
        *self.sum.reached.entry(what.to_owned()).or_default() += 1;
    }

    fn up(&mut self, node: u32, at: u64) {
        if let Some((from_ms, detail)) = self.down_since.remove(&node) {
            self.record.down.push(FaultSpan { name: "down".into(), nodes: vec![node], from_ms, to_ms: at, detail });
        }
    }

    fn sent(&mut self, from: u32, to: u32, lane: usize, bytes: u64, world: &World) {
        self.sum.messages += 1;
        self.record.link_bytes.entry((from, to)).or_default()[lane] += bytes;
        if to == crate::world::PUPPET {
            return;
        }
        let between_stores = [from, to].iter().all(|id| world.role(*id) == stockroom_crdt::capability::Role::Store);
        let sum = if between_stores {
            &mut self.sum.bytes_across
        } else if world.is_up_the_tree(from, to) {
            &mut self.sum.bytes_up
        } else {
            &mut self.sum.bytes_down
        };
        *sum += bytes;
    }
}

/// What a sentence is about, without the numbers in it.
fn kind_of(text: &str) -> String {
    let word = |word: &str| if word.chars().any(|c| c.is_ascii_digit()) { "…".to_owned() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Samples of a run.
const SAMPLES: u64 = 240;

/// Faults in the record; the rest is counted.
const FAULTS_KEPT: usize = 20_000;

const HOUR_MS: u64 = 3_600_000;

/// A till that is served within this was not blocked.
const SERVED_MS: u64 = 1_000;

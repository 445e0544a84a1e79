//! What a page is sent: everything that it shows, in words of its language, so that its script only has to put it there.

use serde::Serialize;
use stockroom_sim::hand::HandDeed;
use stockroom_sim::outcome::Verdict;
use stockroom_sim::plan::Who;

use super::desk::Sides;
use super::pace::{Going, Speed};
use super::picture::{Known, LinkShown, LinkState, NodeShown, NodeState, Picture};
use super::words::{Tongue, clock};

/// All of it.
#[derive(Serialize)]
pub struct Frame {
    /// It is over.
    over: bool,
    /// It goes on by itself.
    playing: bool,
    going: &'static str,
    speed: String,
    clock: String,
    /// How far the faults are, of a thousand.
    share: u64,
    phase: String,
    tone: &'static str,
    sums: String,
    nodes: Vec<Node>,
    left_out: String,
    links: Vec<Link>,
    /// Why no link has a button, if none has.
    no_cut: &'static str,
    skipped: u64,
    lines: Vec<LineShown>,
    checks: String,
    holds: bool,
    found: Vec<Found>,
    acts: Vec<String>,
    hashes: String,
}

#[derive(Serialize)]
struct Node {
    id: u32,
    above: u32,
    hub: bool,
    name: String,
    state: &'static str,
    tone: &'static str,
    backlog: String,
    waits: String,
    age: String,
    lacks: String,
    deeds: u64,
}

#[derive(Serialize)]
struct Link {
    a: u32,
    b: u32,
    name: String,
    state: &'static str,
    tone: &'static str,
    /// `cut` or `heal`, or nothing when a hand can do nothing.
    act: &'static str,
    button: &'static str,
    label: String,
}

#[derive(Serialize)]
struct LineShown {
    number: u64,
    at: String,
    words: String,
    tone: &'static str,
}

#[derive(Serialize)]
struct Found {
    name: String,
    words: String,
}

impl Frame {
    /// What lies on a desk, with the lines after number `after`. `None` before there is anything to see.
    pub fn of(sides: &Sides, tongue: Tongue, after: u64) -> Option<Self> {
        let picture = sides.picture.as_ref()?;
        let hubs = picture.nodes.iter().filter(|node| matches!(node.who, Who::Hub(_))).count();
        let names = Names { tongue, hubs };
        let since = picture.now_ms.saturating_sub(picture.start_ms);
        let length = picture.heals_ms.saturating_sub(picture.start_ms).max(1);
        let fresh: Vec<_> = sides.lines.iter().filter(|line| line.number > after).collect();
        let surplus = fresh.len().saturating_sub(LINES_MAX);
        let first = fresh.get(surplus).map_or(after + 1, |line| line.number);
        let verdict = sides.end.as_ref().map(|(outcome, _)| outcome.verdict);
        let lines = fresh.into_iter().skip(surplus).map(|line| LineShown {
            number: line.number,
            at: clock(line.at_ms),
            words: format!("{} {}", tongue.called(&line.who), tongue.told(&line.what)),
            tone: line.what.tone(),
        });
        let found = sides.end.as_ref().map_or(&picture.violations, |(outcome, _)| &outcome.violations);
        let count = sides.end.as_ref().map_or(picture.found, |(outcome, _)| outcome.violations.len() as u64);
        Some(Self {
            over: verdict.is_some(),
            playing: sides.pace.going() == Going::Playing,
            going: if verdict.is_some() { "" } else { tongue.going(sides.pace.going()) },
            speed: match sides.pace.speed() {
                Speed::Times(times) => times.to_string(),
                Speed::Most => "most".to_owned(),
            },
            clock: clock(since),
            share: (since * 1_000 / length).min(1_000),
            phase: match verdict {
                Some(verdict) => tongue.verdict(verdict).to_owned(),
                None => tongue.phase(picture.healed, length.saturating_sub(since)),
            },
            tone: match verdict {
                Some(Verdict::Held) => "good",
                Some(Verdict::Violated) => "bad",
                Some(Verdict::Slow | Verdict::Stuck) => "doubtful",
                None if count > 0 => "bad",
                None => "plain",
            },
            sums: tongue.sums(picture.deeds, picture.event),
            nodes: picture.nodes.iter().map(|node| names.node(node)).collect(),
            left_out: tongue.left_out(picture.nodes_left_out),
            links: picture.links.iter().map(|link| names.link(link, picture, verdict.is_some())).collect(),
            no_cut: match verdict {
                Some(_) => tongue.say("not-now"),
                None if picture.healed => tongue.say("no-cut-now"),
                None => "",
            },
            skipped: first.saturating_sub(after + 1),
            lines: lines.collect(),
            checks: tongue.checks(stockroom_sim::checks::all().len(), count),
            holds: count == 0,
            found: found
                .iter()
                .take(FOUND_MAX)
                .map(|found| Found {
                    name: found.check.clone(),
                    words: format!("{}: {}", clock(found.at_ms), found.message),
                })
                .collect(),
            acts: picture
                .acts
                .iter()
                .rev()
                .take(ACTS_MAX)
                .map(|act| {
                    let pair = tongue.pair(&names.who(act.between.0), &names.who(act.between.1));
                    format!("{} {}", clock(act.at_ms), tongue.act(act.deed, &pair))
                })
                .collect(),
            hashes: sides.end.as_ref().map_or(String::new(), |(outcome, _)| {
                format!("trace {} · state {}", outcome.trace_hash, outcome.state_hash)
            }),
        })
    }

    /// The number of the last line after this frame.
    pub fn last(&self, after: u64) -> u64 {
        self.lines.last().map_or(after, |line| line.number)
    }
}

struct Names {
    tongue: Tongue,
    hubs: usize,
}

impl Names {
    fn who(&self, who: Who) -> String {
        self.tongue.who(who, self.hubs)
    }

    fn node(&self, node: &NodeShown) -> Node {
        let late = node.backlog.is_some_and(|(entries, age)| entries > 0 && age > LATE_MS)
            || match node.known {
                Known::Nothing => false,
                Known::Never | Known::Down => true,
                Known::Ago(ms) => ms > LATE_MS,
            };
        Node {
            id: node.id,
            above: node.above,
            hub: matches!(node.who, Who::Hub(_)),
            name: self.who(node.who),
            state: self.tongue.state(node.state, late),
            tone: match node.state {
                NodeState::Up if late => "doubtful",
                NodeState::Up => "good",
                NodeState::Suspended => "doubtful",
                NodeState::Down | NodeState::WrittenOff => "bad",
            },
            backlog: match node.who {
                Who::Hub(_) => "–".to_owned(),
                Who::Store(_) => self.tongue.backlog(node.backlog),
            },
            waits: self.tongue.backlog_short(node.backlog),
            age: self.tongue.age(node.known),
            lacks: self.tongue.lacks(node.lacks),
            deeds: node.deeds,
        }
    }

    fn link(&self, link: &LinkShown, picture: &Picture, over: bool) -> Link {
        let deed = match link.state {
            _ if over || picture.healed => None,
            LinkState::Hand => Some(HandDeed::Heal),
            LinkState::Up | LinkState::Away | LinkState::Fault => Some(HandDeed::Cut),
        };
        // The store's end first: people look for their store.
        let hub_first = matches!(link.between.0, Who::Hub(_));
        let (a, b) = if hub_first { (link.between.1, link.between.0) } else { link.between };
        let (a, b) = (self.who(a), self.who(b));
        let tag = match deed {
            Some(HandDeed::Cut) => "cut",
            Some(HandDeed::Heal) => "heal",
            None => "",
        };
        Link {
            a: link.a,
            b: link.b,
            name: self.tongue.pair(&a, &b),
            state: self.tongue.link(link.state),
            tone: match link.state {
                LinkState::Up => "good",
                LinkState::Away => "doubtful",
                LinkState::Fault => "fault",
                LinkState::Hand => "bad",
            },
            act: tag,
            button: self.tongue.say(tag),
            label: deed.map_or(String::new(), |deed| self.tongue.act_label(deed, (&a, &b))),
        }
    }
}

/// Lines in one frame: more than this nobody reads.
const LINES_MAX: usize = 60;

const FOUND_MAX: usize = 20;

/// The last acts; the file has all of them.
const ACTS_MAX: usize = 30;

/// A minute of silence or of backlog is worth a colour: links that work are quicker.
const LATE_MS: u64 = 60_000;

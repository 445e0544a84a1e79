//! Which addresses are dialed, and when. Pure: time and chance are arguments.
//!
//! A target is an address with, if known, the node expected there. It rests while its node has a live link, whoever dialed that.
//! A node may have several addresses; `table` keeps one connection of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::backoff::{Chance, pause_ms};
use crate::limits::{DIALS_MAX, DISCOVERED_DIALS_PER_S, DISCOVERED_MAX, LINK_SETTLED, TARGETS_MAX};

/// Where a peer may be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerAddr {
    /// `host:port`; a host name is resolved with every dial.
    pub addr: String,
    /// The node expected there. `None` takes any node of the tenant.
    pub node: Option<u32>,
}

impl PeerAddr {
    /// An address at which this node is expected.
    pub fn of_node(node: u32, addr: impl Into<String>) -> PeerAddr {
        PeerAddr { addr: addr.into(), node: Some(node) }
    }

    /// An address of a node that is not known yet.
    pub fn unknown(addr: impl Into<String>) -> PeerAddr {
        PeerAddr { addr: addr.into(), node: None }
    }
}

impl From<SocketAddr> for PeerAddr {
    fn from(addr: SocketAddr) -> PeerAddr {
        PeerAddr::unknown(addr.to_string())
    }
}

/// Who told us about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// Configuration, or the caller by `dial`: stays.
    Asked,
    /// A hub, through the caller: replaced as a whole.
    Introduced,
    /// mDNS: a hint, bounded and slow.
    Discovered,
}

/// How a dial came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DialEnd {
    /// No link came of it.
    Failed,
    /// The node there has a link already.
    Redundant {
        /// Who answered.
        node: u32,
    },
    /// Our own address.
    Myself,
    /// A link was kept for this long.
    Linked {
        /// Who answered.
        node: u32,
        /// From `Up` to `Down`.
        lived: Duration,
    },
}

/// Pauses between dials, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) ms_min: u64,
    pub(crate) ms_max: u64,
}

/// All addresses with their state.
#[derive(Debug)]
pub(crate) struct Targets {
    all: BTreeMap<PeerAddr, Target>,
    backoff: Backoff,
    chance: Chance,
    discovered_next: Option<Instant>,
}

#[derive(Debug)]
struct Target {
    source: Source,
    learned: Option<u32>,
    failures: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting(Instant),
    Dialing,
    Linked,
    Myself,
}

impl Targets {
    pub(crate) fn new(backoff: Backoff, seed: u64) -> Targets {
        Targets { all: BTreeMap::new(), backoff, chance: Chance::new(seed), discovered_next: None }
    }

    /// Adds an address, to be dialed at once. Returns false when there is no room.
    pub(crate) fn add(&mut self, peer: PeerAddr, source: Source, now: Instant) -> bool {
        if let Some(known) = self.all.get_mut(&peer) {
            known.source = known.source.min(source);
            return true;
        }
        if self.all.len() >= TARGETS_MAX || source == Source::Discovered && !self.make_room_for_hint() {
            return false;
        }
        self.all.insert(peer, Target { source, learned: None, failures: 0, state: State::Waiting(now) });
        true
    }

    /// Replaces the introduced addresses. Returns how many found no room.
    pub(crate) fn introduce(&mut self, peers: Vec<PeerAddr>, now: Instant) -> usize {
        self.all.retain(|peer, target| target.source != Source::Introduced || peers.contains(peer));
        peers.into_iter().filter(|peer| !self.add(peer.clone(), Source::Introduced, now)).count()
    }

    /// Forgets the hints about a node that mDNS took back, unless they are in use.
    pub(crate) fn forget_hints(&mut self, node: u32) {
        self.all
            .retain(|peer, target| target.source != Source::Discovered || peer.node != Some(node) || target.is_busy());
    }

    /// Everything is tried again at once, from the shortest pause.
    pub(crate) fn kick(&mut self, now: Instant) {
        for target in self.all.values_mut() {
            target.failures = 0;
            if !target.is_busy() {
                target.state = State::Waiting(now);
            }
        }
    }

    /// An address to dial now, marked as being dialed until [`Targets::ended`]. `rests` says which nodes need no dial.
    pub(crate) fn poll_due(&mut self, now: Instant, rests: impl Fn(u32) -> bool) -> Option<PeerAddr> {
        if self.dialing() >= DIALS_MAX {
            return None;
        }
        let hints_wait = self.discovered_next.is_some_and(|next| now < next);
        let (peer, target) = self.all.iter_mut().find(|(peer, target)| {
            let due = matches!(target.state, State::Waiting(at) if at <= now);
            due && !(hints_wait && target.source == Source::Discovered) && !target.node(peer).is_some_and(&rests)
        })?;
        target.state = State::Dialing;
        if target.source == Source::Discovered {
            self.discovered_next = Some(now + Duration::from_millis(1000 / u64::from(DISCOVERED_DIALS_PER_S)));
        }
        Some(peer.clone())
    }

    /// When [`Targets::poll_due`] should be asked again, if nothing else happens.
    pub(crate) fn deadline(&self, rests: impl Fn(u32) -> bool) -> Option<Instant> {
        if self.dialing() >= DIALS_MAX {
            return None;
        }
        let waiting = self.all.iter().filter(|(peer, target)| !target.node(peer).is_some_and(&rests));
        waiting.filter_map(|(_, target)| self.next_dial(target)).min()
    }

    /// A dial became a link; [`Targets::ended`] follows when that is down.
    pub(crate) fn linked(&mut self, peer: &PeerAddr, node: u32) {
        if let Some(target) = self.all.get_mut(peer) {
            target.learned = Some(node);
            target.state = State::Linked;
        }
    }

    /// A dial, with the link that came of it, is over.
    pub(crate) fn ended(&mut self, peer: &PeerAddr, end: DialEnd, now: Instant) {
        let Some(target) = self.all.get_mut(peer) else { return };
        let failures = target.failures;
        match end {
            DialEnd::Failed => target.failures = failures.saturating_add(1),
            DialEnd::Redundant { node } => target.learned = Some(node),
            DialEnd::Myself => {
                target.state = State::Myself;
                return;
            }
            DialEnd::Linked { node, lived } => {
                target.learned = Some(node);
                target.failures = if lived > LINK_SETTLED { 0 } else { failures.saturating_add(1) };
            }
        }
        target.state = State::Waiting(now + self.backoff.pause(failures, &mut self.chance));
    }

    /// A node's link went down: its other addresses wait for a pause too.
    pub(crate) fn link_lost(&mut self, node: u32, now: Instant) {
        for (peer, target) in &mut self.all {
            if let State::Waiting(at) = target.state
                && target.node(peer) == Some(node)
            {
                target.state = State::Waiting(at.max(now + self.backoff.pause(target.failures, &mut self.chance)));
            }
        }
    }

    fn next_dial(&self, target: &Target) -> Option<Instant> {
        match (target.state, target.source) {
            (State::Waiting(at), Source::Discovered) => Some(self.discovered_next.map_or(at, |next| at.max(next))),
            (State::Waiting(at), Source::Asked | Source::Introduced) => Some(at),
            (State::Dialing | State::Linked | State::Myself, _) => None,
        }
    }

    fn dialing(&self) -> usize {
        self.all.values().filter(|target| target.state == State::Dialing).count()
    }

    /// At the bound, the hint that failed most gives way; one that never failed does not (S24).
    fn make_room_for_hint(&mut self) -> bool {
        let hints = self.all.iter().filter(|(_, target)| target.source == Source::Discovered);
        if hints.clone().count() < DISCOVERED_MAX {
            return true;
        }
        let worst = hints
            .filter(|(_, target)| target.failures > 0 && !target.is_busy())
            .max_by_key(|(_, target)| target.failures)
            .map(|(peer, _)| peer.clone());
        worst.is_some_and(|peer| self.all.remove(&peer).is_some())
    }
}

impl Target {
    fn node(&self, peer: &PeerAddr) -> Option<u32> {
        peer.node.or(self.learned)
    }

    fn is_busy(&self) -> bool {
        matches!(self.state, State::Dialing | State::Linked)
    }
}

impl Backoff {
    fn pause(self, failures: u32, chance: &mut Chance) -> Duration {
        Duration::from_millis(pause_ms(failures, self.ms_min, self.ms_max, chance.draw()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Targets {
        Targets::new(Backoff { ms_min: 100, ms_max: 30_000 }, 1)
    }

    const NEVER: fn(u32) -> bool = |_| false;

    #[test]
    fn a_failed_dial_waits_longer_each_time_until_a_link_settles() {
        let (mut targets, mut now) = (targets(), Instant::now());
        let peer = PeerAddr::of_node(7, "10.0.0.7:4000");
        assert!(targets.add(peer.clone(), Source::Asked, now));
        for failures in 0..12 {
            assert_eq!(targets.poll_due(now, NEVER), Some(peer.clone()));
            assert_eq!(targets.poll_due(now, NEVER), None, "already dialing");
            targets.ended(&peer, DialEnd::Failed, now);
            let pause = targets.deadline(NEVER).unwrap() - now;
            let base = Duration::from_millis((100 << failures).min(30_000));
            assert!(pause >= base / 2 && pause <= base * 3 / 2, "{pause:?} after {failures} failures");
            now += pause;
        }
        targets.poll_due(now, NEVER).unwrap();
        targets.linked(&peer, 7);
        targets.ended(&peer, DialEnd::Linked { node: 7, lived: Duration::from_secs(60) }, now);
        now = targets.deadline(NEVER).unwrap();
        targets.poll_due(now, NEVER).unwrap();
        targets.ended(&peer, DialEnd::Failed, now);
        assert!(targets.deadline(NEVER).unwrap() - now <= Duration::from_millis(150));
    }

    #[test]
    fn an_address_rests_while_its_node_is_linked() {
        let (mut targets, now) = (targets(), Instant::now());
        let peer = PeerAddr::unknown("hub.example:4000");
        targets.add(peer.clone(), Source::Asked, now);
        targets.poll_due(now, NEVER).unwrap();
        targets.ended(&peer, DialEnd::Redundant { node: 3 }, now);
        let later = now + Duration::from_secs(60);
        assert_eq!(targets.poll_due(later, |node| node == 3), None);
        assert_eq!(targets.deadline(|node| node == 3), None);
        targets.link_lost(3, later);
        assert_eq!(targets.poll_due(later, NEVER), None, "not all at once");
        assert_eq!(targets.poll_due(targets.deadline(NEVER).unwrap(), NEVER), Some(peer));
    }

    #[test]
    fn a_flood_of_hints_changes_little() {
        let (mut targets, now) = (targets(), Instant::now());
        let hint = |n: u32| PeerAddr::of_node(n, format!("10.0.0.1:{n}"));
        for n in 0..1000 {
            targets.add(hint(n), Source::Discovered, now);
        }
        assert_eq!(targets.all.len(), DISCOVERED_MAX);
        let first = targets.poll_due(now, NEVER).unwrap();
        assert_eq!(targets.poll_due(now, NEVER), None, "hints are dialed slowly");
        targets.ended(&first, DialEnd::Failed, now);
        assert!(targets.add(hint(5000), Source::Discovered, now), "a failed hint gives way");
        assert_eq!(targets.all.len(), DISCOVERED_MAX);
        assert!(targets.add(hint(6000), Source::Asked, now), "other sources have their own room");
        assert_eq!(targets.poll_due(now, NEVER), Some(hint(6000)));
    }

    #[test]
    fn introductions_replace_each_other_and_nothing_else() {
        let (mut targets, now) = (targets(), Instant::now());
        let peer = |n: u32| PeerAddr::of_node(n, format!("10.0.0.{n}:1"));
        targets.add(peer(1), Source::Asked, now);
        assert_eq!(targets.introduce(vec![peer(1), peer(2)], now), 0);
        assert_eq!(targets.introduce(vec![peer(3)], now), 0);
        assert_eq!(targets.all.keys().cloned().collect::<Vec<_>>(), [peer(1), peer(3)]);
        let many = (0..2000).map(|n| PeerAddr::of_node(n, format!("10.1.0.1:{n}"))).collect();
        assert_eq!(targets.introduce(many, now), 2000 - (TARGETS_MAX - 1));
    }
}

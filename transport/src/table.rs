//! Which connection to a node is kept, who is cut off, and how many bytes each node cost. Pure: decides by ids, holds no sockets.
//!
//! A connection is kept in two steps. The dialer *claims* it (lane 0's first byte) only while it has no link to that node and no
//! other claim; the accepter keeps a claimed connection and answers. If both dialed, the connection dialed by the smaller node id
//! stays: the smaller refuses a claim while its own is open, and the larger accepts. A claim also says "I have no link to you": so it
//! replaces an older link, which the peer has lost, except within one handshake's time, when it may be the late twin of a double dial.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::limits::{HANDSHAKE_TIMEOUT, TOTALS_MAX};
use crate::link::{LinkId, LinkStats};

/// Why an authenticated connection is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It leads to ourselves.
    #[error("own address")]
    Myself,
    /// There is a better one to the same node.
    #[error("duplicate link")]
    Duplicate,
    /// All places are taken.
    #[error("too many links")]
    Full,
    /// The fault switch is on.
    #[error("isolated")]
    Isolated,
}

/// A connection was kept under this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) id: LinkId,
    /// The link whose place it took.
    pub(crate) replaces: Option<LinkId>,
}

/// Who dialed a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialer {
    /// This node.
    Us,
    /// The peer.
    Peer,
}

/// UDP payload bytes exchanged with a node over all its links, closed and live, handshakes of kept links included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes sent.
    pub udp_tx_bytes: u64,
    /// Bytes received.
    pub udp_rx_bytes: u64,
    /// Packets declared lost.
    pub lost_packets: u64,
    /// Links kept so far.
    pub links: u64,
}

impl Totals {
    /// Counts a link's bytes.
    pub(crate) fn add(&mut self, stats: &LinkStats) {
        self.udp_tx_bytes += stats.udp_tx_bytes;
        self.udp_rx_bytes += stats.udp_rx_bytes;
        self.lost_packets += stats.lost_packets;
        self.links += 1;
    }
}

/// Links by node, open claims, and the fault switch.
#[derive(Debug)]
pub(crate) struct Table {
    me: u32,
    links_max: usize,
    links: BTreeMap<u32, Entry>,
    claims: BTreeSet<u32>,
    cut_all: bool,
    cut: BTreeSet<u32>,
    next: u64,
    totals: BTreeMap<u32, Totals>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: LinkId,
    dialer: Dialer,
    since: Instant,
}

impl Table {
    pub(crate) fn new(me: u32, links_max: usize) -> Table {
        Table {
            me,
            links_max,
            links: BTreeMap::new(),
            claims: BTreeSet::new(),
            cut_all: false,
            cut: BTreeSet::new(),
            next: 1,
            totals: BTreeMap::new(),
        }
    }

    /// The dialer asks whether it may claim the connection it just made. On success [`Table::unclaim`] must follow.
    pub(crate) fn claim(&mut self, node: u32) -> Result<(), Refusal> {
        self.check(node)?;
        if self.links.contains_key(&node) || !self.claims.insert(node) {
            return Err(Refusal::Duplicate);
        }
        Ok(())
    }

    /// The claim ended, kept or not.
    pub(crate) fn unclaim(&mut self, node: u32) {
        self.claims.remove(&node);
    }

    /// The accepter answered our claim.
    pub(crate) fn keep_dialed(&mut self, node: u32, now: Instant) -> Result<Kept, Refusal> {
        self.check(node)?;
        if self.links.contains_key(&node) {
            return Err(Refusal::Duplicate);
        }
        Ok(self.keep(node, Dialer::Us, now))
    }

    /// A dialer claimed a connection to us.
    pub(crate) fn keep_accepted(&mut self, node: u32, now: Instant) -> Result<Kept, Refusal> {
        self.check(node)?;
        let ours_is_better = self.me < node;
        let twin = |entry: &Entry| {
            entry.dialer == Dialer::Us && now.saturating_duration_since(entry.since) < HANDSHAKE_TIMEOUT
        };
        if ours_is_better && (self.claims.contains(&node) || self.links.get(&node).is_some_and(twin)) {
            return Err(Refusal::Duplicate);
        }
        Ok(self.keep(node, Dialer::Peer, now))
    }

    /// A link is down. Its successor, if there is one already, stays.
    pub(crate) fn remove(&mut self, node: u32, id: LinkId, stats: &LinkStats) {
        if self.links.get(&node).is_some_and(|entry| entry.id == id) {
            self.links.remove(&node);
        }
        if self.totals.len() < TOTALS_MAX || self.totals.contains_key(&node) {
            self.totals.entry(node).or_default().add(stats);
        }
    }

    /// Whether a dial to this node would be useless now.
    pub(crate) fn rests(&self, node: u32) -> bool {
        node == self.me || self.links.contains_key(&node) || self.claims.contains(&node) || self.is_cut(node)
    }

    /// The link to a node.
    pub(crate) fn link(&self, node: u32) -> Option<LinkId> {
        self.links.get(&node).map(|entry| entry.id)
    }

    /// Totals of closed links.
    pub(crate) fn totals(&self) -> &BTreeMap<u32, Totals> {
        &self.totals
    }

    /// The fault switch for one node, or for all.
    pub(crate) fn set_cut(&mut self, node: Option<u32>, cut: bool) {
        match (node, cut) {
            (None, cut) => self.cut_all = cut,
            (Some(node), true) => drop(self.cut.insert(node)),
            (Some(node), false) => drop(self.cut.remove(&node)),
        }
    }

    /// Whether the fault switch is on for everybody.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_all
    }

    /// Whether the fault switch is on for this node.
    pub(crate) fn is_cut(&self, node: u32) -> bool {
        self.cut_all || self.cut.contains(&node)
    }

    fn check(&self, node: u32) -> Result<(), Refusal> {
        if node == self.me {
            return Err(Refusal::Myself);
        }
        if self.is_cut(node) {
            return Err(Refusal::Isolated);
        }
        if self.links.len() >= self.links_max && !self.links.contains_key(&node) {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    fn keep(&mut self, node: u32, dialer: Dialer, now: Instant) -> Kept {
        let id = LinkId(self.next);
        self.next += 1;
        let replaced = self.links.insert(node, Entry { id, dialer, since: now });
        Kept { id, replaces: replaced.map(|entry| entry.id) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn of_two_dials_the_smaller_nodes_stays_in_every_order() {
        // Each letter is one arrival: c and d claim (1 dials d, 2 dials c); C and D arrive at the other end.
        for order in ["cdCD", "cdDC", "dcCD", "dcDC"] {
            let now = Instant::now();
            let (mut one, mut two) = (Table::new(1, 8), Table::new(2, 8));
            let mut refused = Vec::new();
            for step in order.chars() {
                match step {
                    'd' => one.claim(2).unwrap(),
                    'c' => two.claim(1).unwrap(),
                    'D' => assert_eq!(two.keep_accepted(1, now).unwrap().replaces, None),
                    _ => refused.extend(one.keep_accepted(2, now).err()),
                }
            }
            assert_eq!(refused, [Refusal::Duplicate], "{order}");
            assert!(one.keep_dialed(2, now).is_ok(), "{order}");
            assert_eq!(two.keep_dialed(1, now), Err(Refusal::Duplicate), "{order}");
        }
    }

    #[test]
    fn a_link_accepted_before_the_own_claim_stays() {
        let now = Instant::now();
        let mut one = Table::new(1, 8);
        one.keep_accepted(2, now).unwrap();
        assert_eq!(one.claim(2), Err(Refusal::Duplicate));
        assert!(one.rests(2));
    }

    #[test]
    fn a_claim_replaces_a_link_that_the_peer_lost_but_not_the_late_twin() {
        let now = Instant::now();
        let mut one = Table::new(1, 8);
        one.claim(2).unwrap();
        let first = one.keep_dialed(2, now).unwrap();
        one.unclaim(2);
        assert_eq!(one.keep_accepted(2, now + Duration::from_secs(1)), Err(Refusal::Duplicate));
        let second = one.keep_accepted(2, now + HANDSHAKE_TIMEOUT).unwrap();
        assert_eq!(second.replaces, Some(first.id));
        one.remove(2, first.id, &LinkStats::default());
        assert_eq!(one.link(2), Some(second.id), "the successor stays");
        assert_eq!(one.totals()[&2].links, 1);
    }

    #[test]
    fn places_are_bounded_and_the_fault_switch_holds() {
        let now = Instant::now();
        let mut one = Table::new(1, 1);
        one.keep_accepted(2, now).unwrap();
        assert_eq!(one.keep_accepted(3, now), Err(Refusal::Full));
        assert!(one.keep_accepted(2, now).is_ok(), "the same node again");
        assert_eq!(one.claim(1), Err(Refusal::Myself));
        one.set_cut(Some(2), true);
        assert_eq!(one.keep_accepted(2, now), Err(Refusal::Isolated));
        one.set_cut(Some(2), false);
        one.set_cut(None, true);
        assert_eq!(one.claim(9), Err(Refusal::Isolated));
    }
}

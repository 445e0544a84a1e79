//! Who may start a handshake, by address. Pure: time is an argument.
//!
//! Only two things are counted per address: first packets from addresses that have not proved themselves, and handshakes that failed.
//! A hundred stores behind one address are no attack. Going over the first rate costs an honest dialer one round trip (a Retry);
//! going over the second means silence until the rate falls.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::limits::{ADDRESS_RATE_PER_S, ADDRESSES_MAX, HANDSHAKES_MAX, UNVALIDATED_MAX};

/// What to do with a first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Start the handshake.
    Accept,
    /// Let the address prove itself first.
    Retry,
    /// Say nothing.
    Ignore,
}

/// How an incoming first packet presents itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The address may be forged.
    Unvalidated,
    /// The address answered a Retry.
    Validated,
}

/// Handshakes in progress and rates per address.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    unvalidated: usize,
    handshakes: usize,
    firsts: Rates,
    failures: Rates,
}

impl Gate {
    /// Decides about a first packet. `Accept` counts as a handshake until [`Gate::ended`].
    pub(crate) fn enter(&mut self, from: SocketAddr, proof: Proof, now: Instant) -> Entry {
        let who = Prefix::of(from.ip());
        if self.handshakes >= HANDSHAKES_MAX || !self.failures.has_room(who, now) {
            return Entry::Ignore;
        }
        if proof == Proof::Unvalidated {
            if self.unvalidated >= UNVALIDATED_MAX || !self.firsts.take(who, now) {
                return Entry::Retry;
            }
            self.unvalidated += 1;
        }
        self.handshakes += 1;
        Entry::Accept
    }

    /// A handshake that entered came to its end.
    pub(crate) fn ended(&mut self, from: SocketAddr, proof: Proof, success: Outcome, now: Instant) {
        self.handshakes = self.handshakes.saturating_sub(1);
        if proof == Proof::Unvalidated {
            self.unvalidated = self.unvalidated.saturating_sub(1);
        }
        if success == Outcome::Failed {
            self.failures.take(Prefix::of(from.ip()), now);
        }
    }
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The peer proved to be one of the tenant.
    Proved,
    /// Anything else.
    Failed,
}

/// An IPv4 address, or the /64 that one IPv6 site owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prefix(u64);

impl Prefix {
    fn of(address: IpAddr) -> Prefix {
        match address.to_canonical() {
            IpAddr::V4(v4) => Prefix(u64::from(u32::from(v4))),
            IpAddr::V6(v6) => Prefix((u128::from(v6) >> 64) as u64),
        }
    }
}

/// A token bucket per address, [`ADDRESS_RATE_PER_S`] deep and per second.
#[derive(Debug, Default)]
struct Rates {
    used: BTreeMap<Prefix, (Instant, u32)>,
}

impl Rates {
    fn has_room(&self, who: Prefix, now: Instant) -> bool {
        self.used.get(&who).is_none_or(|entry| refilled(*entry, now) < ADDRESS_RATE_PER_S)
    }

    /// Uses one token; false when there was none.
    fn take(&mut self, who: Prefix, now: Instant) -> bool {
        if !self.used.contains_key(&who) && self.used.len() >= ADDRESSES_MAX {
            self.used.retain(|_, entry| refilled(*entry, now) > 0);
            if self.used.len() >= ADDRESSES_MAX {
                return false;
            }
        }
        let entry = self.used.entry(who).or_insert((now, 0));
        let used = refilled(*entry, now);
        if used >= ADDRESS_RATE_PER_S {
            return false;
        }
        // Whole tokens came back; the moment is kept where a part of the next one is still missing.
        if used == 0 {
            entry.0 = now;
        } else if used < entry.1 {
            entry.0 += TOKEN * (entry.1 - used);
        }
        entry.1 = used + 1;
        true
    }
}

/// Tokens still used after the time that has passed.
fn refilled((since, used): (Instant, u32), now: Instant) -> u32 {
    let back = now.saturating_duration_since(since).as_millis() / TOKEN.as_millis();
    used.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX))
}

const TOKEN: Duration = Duration::from_millis(1000 / ADDRESS_RATE_PER_S as u64);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 4000))
    }

    #[test]
    fn an_address_over_its_rate_must_prove_itself() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..ADDRESS_RATE_PER_S {
            assert_eq!(gate.enter(at(1), Proof::Unvalidated, now), Entry::Accept);
            gate.ended(at(1), Proof::Unvalidated, Outcome::Proved, now);
        }
        assert_eq!(gate.enter(at(1), Proof::Unvalidated, now), Entry::Retry);
        assert_eq!(gate.enter(at(1), Proof::Validated, now), Entry::Accept);
        assert_eq!(gate.enter(at(2), Proof::Unvalidated, now), Entry::Accept);
        assert_eq!(gate.enter(at(1), Proof::Unvalidated, now + TOKEN), Entry::Accept);
        assert_eq!(gate.enter(at(1), Proof::Unvalidated, now + TOKEN), Entry::Retry);
    }

    #[test]
    fn failures_silence_an_address_and_successes_never_do() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(gate.enter(at(1), Proof::Validated, now), Entry::Accept);
            gate.ended(at(1), Proof::Validated, Outcome::Proved, now);
        }
        for _ in 0..ADDRESS_RATE_PER_S {
            assert_eq!(gate.enter(at(1), Proof::Validated, now), Entry::Accept);
            gate.ended(at(1), Proof::Validated, Outcome::Failed, now);
        }
        assert_eq!(gate.enter(at(1), Proof::Validated, now), Entry::Ignore);
        assert_eq!(gate.enter(at(1), Proof::Validated, now + Duration::from_secs(2)), Entry::Accept);
    }

    #[test]
    fn many_unproved_handshakes_bring_retries_then_silence() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for last in 0..UNVALIDATED_MAX {
            assert_eq!(gate.enter(at(last as u8), Proof::Unvalidated, now), Entry::Accept);
        }
        assert_eq!(gate.enter(at(200), Proof::Unvalidated, now), Entry::Retry);
        for _ in UNVALIDATED_MAX..HANDSHAKES_MAX {
            assert_eq!(gate.enter(at(201), Proof::Validated, now), Entry::Accept);
        }
        assert_eq!(gate.enter(at(202), Proof::Validated, now), Entry::Ignore);
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let (mut rates, now) = (Rates::default(), Instant::now());
        for prefix in 0..ADDRESSES_MAX as u64 {
            assert!(rates.take(Prefix(prefix), now));
        }
        assert!(!rates.take(Prefix(u64::MAX), now));
        assert!(rates.take(Prefix(u64::MAX), now + Duration::from_secs(2)), "old entries make room");
    }
}

//! Who is signed in. Times are milliseconds on a clock that never goes back.

use std::collections::BTreeMap;

use stockroom_crdt::ids::{Code, Digest};

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub staff: Code,
    /// Hash of the PIN's hash: another PIN ends the session.
    pub pin: Digest,
    /// At which device.
    pub device: String,
}

/// Everybody who is signed in, by the hash of their token.
#[derive(Debug, Default)]
pub struct Sessions {
    held: BTreeMap<Digest, Held>,
}

#[derive(Debug)]
struct Held {
    session: Session,
    opened_ms: u64,
    used_ms: u64,
}

impl Held {
    fn is_over(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.opened_ms) >= LENGTH_MS || now_ms.saturating_sub(self.used_ms) >= IDLE_MS
    }
}

impl Sessions {
    /// Opens one. When there is no room, the one that was not used for longest ends.
    pub fn open(&mut self, token: Digest, session: Session, now_ms: u64) {
        self.held.retain(|_, held| !held.is_over(now_ms));
        if self.held.len() >= SESSIONS_MAX {
            let idle = self.held.iter().min_by_key(|(_, held)| held.used_ms).map(|(token, _)| *token);
            idle.map(|token| self.held.remove(&token));
        }
        self.held.insert(token, Held { session, opened_ms: now_ms, used_ms: now_ms });
    }

    /// The session behind a token, which counts as used now.
    pub fn find(&mut self, token: Digest, now_ms: u64) -> Option<Session> {
        let held = self.held.get_mut(&token).filter(|held| !held.is_over(now_ms))?;
        held.used_ms = now_ms;
        Some(held.session.clone())
    }

    /// Ends one; false if there was none.
    pub fn close(&mut self, token: Digest) -> bool {
        self.held.remove(&token).is_some()
    }
}

/// A long working day.
pub const LENGTH_MS: u64 = 12 * 3_600_000;

/// A break without signing out.
pub const IDLE_MS: u64 = 30 * 60_000;

/// Everybody at work in a large store, a few times over.
const SESSIONS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn session(staff: &str) -> Session {
        Session { staff: Code::parse(staff).unwrap(), pin: Digest([0; 32]), device: "till 1".into() }
    }

    fn token(number: u64) -> Digest {
        Digest::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_when_it_is_long() {
        let mut sessions = Sessions::default();
        sessions.open(token(1), session("ann"), 0);
        assert_eq!(sessions.find(token(1), IDLE_MS - 1), Some(session("ann")));
        assert!(sessions.find(token(1), 2 * IDLE_MS - 2).is_some());
        assert_eq!(sessions.find(token(1), 3 * IDLE_MS - 2), None);
        sessions.open(token(2), session("ann"), 0);
        let used = (1..).map(|count| count * (IDLE_MS - 1)).take_while(|at_ms| *at_ms < LENGTH_MS);
        assert!(used.map(|at_ms| sessions.find(token(2), at_ms)).all(|found| found.is_some()));
        assert_eq!(sessions.find(token(2), LENGTH_MS), None);
        assert!(!sessions.close(token(3)));
    }

    #[test]
    fn when_there_is_no_room_the_one_idle_for_longest_ends() {
        let mut sessions = Sessions::default();
        let last = SESSIONS_MAX as u64;
        (0..last).for_each(|number| sessions.open(token(number), session("ann"), number));
        assert!(sessions.find(token(0), last).is_some());
        sessions.open(token(last), session("ben"), last);
        assert!(sessions.find(token(0), last).is_some());
        assert_eq!(sessions.find(token(1), last), None);
        assert_eq!(sessions.held.len(), SESSIONS_MAX);
        assert!(sessions.close(token(last)) && sessions.find(token(last), last).is_none());
    }
}

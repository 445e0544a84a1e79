//! One number for a whole run: a hash over every observation in order. The same seed gives the same, in any build.

use crate::observe::{Act, Observation, Seen, Stop};

/// A running hash. Fast rather than strong: it is compared with itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceHash(u64);

impl Default for TraceHash {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl TraceHash {
    /// Takes an observation in.
    pub fn observe(&mut self, seen: &Observation) {
        self.number(seen.at_ms);
        self.number(seen.node.into());
        match &seen.what {
            Seen::Started { boot } => self.numbers(&[1, *boot]),
            Seen::Stopped(stop) => {
                self.number(2);
                match stop {
                    Stop::Crash => self.number(0),
                    Stop::Planned => self.number(1),
                    Stop::Failed(why) | Stop::Panicked(why) => self.bytes(why.as_bytes()),
                }
            }
            Seen::Committed(rows) => {
                self.number(3);
                for row in rows {
                    self.number(row.table as u64);
                    self.bytes(&row.key);
                    self.bytes(row.new.as_deref().unwrap_or_default());
                }
            }
            Seen::Sent { to, lane, bytes } => self.numbers(&[4, u64::from(*to), *lane as u64, *bytes as u64]),
            Seen::Connected { peer } => self.numbers(&[5, u64::from(*peer)]),
            Seen::Disconnected { peer, closed } => {
                self.numbers(&[6, u64::from(*peer)]);
                self.bytes(closed.as_deref().unwrap_or_default().as_bytes());
            }
            Seen::Told(event) => {
                self.number(7);
                self.bytes(format!("{event:?}").as_bytes());
            }
            Seen::Acknowledged(deed) => {
                self.numbers(&[8, u64::from(deed.store), u64::from(deed.replayed), deed.asked_ms]);
                if let Act::Sale { till, till_seq, total, .. } = &deed.what {
                    self.numbers(&[u64::from(*till), *till_seq, *total as u64]);
                }
            }
            Seen::Unanswered { what, refusal } => {
                self.number(9);
                self.bytes(what.as_bytes());
                self.bytes(refusal.as_deref().unwrap_or_default().as_bytes());
            }
            Seen::Marked { name, until_ms, detail } => {
                self.numbers(&[10, until_ms.unwrap_or(0)]);
                self.bytes(name.as_bytes());
                self.bytes(detail.as_bytes());
            }
        }
    }

    /// Takes bytes in.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.number(u64::from_le_bytes(last));
    }

    /// The hash so far.
    pub fn value(self) -> u64 {
        self.0
    }

    fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.number(*number));
    }

    fn number(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl std::fmt::Display for TraceHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

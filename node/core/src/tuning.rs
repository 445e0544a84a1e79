//! Time-outs and sizes that are policy: a simulator or a thin link may want others. What protects a node from hostile input
//! is not here but in `limits`, and what is part of a stored or sent format cannot be tuned at all.

use crate::input::CoreError;
use crate::limits::{ACCOUNT_PLACES_MAX, FRAME_BYTES_MAX};

/// How patient a replica is, and how much it says at once. The default is what every node runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// How long after the first unsealed entry a log is sealed. A third party gets nothing that is not sealed; each seal is a
    /// signature to make, to send and to verify.
    pub seal_after_ms: u64,
    /// How often the continuity token follows the logs when nothing urgent forces it. Each time costs a sync of a small file.
    pub token_after_ms: u64,
    /// How long acknowledgements of lanes that nobody waits for are gathered. Until then the sender shows its entries as not
    /// yet at the hub, which is true as far as it knows.
    pub ack_after_ms: u64,
    /// How often a quiet link says that there is nothing new.
    pub pulse_after_ms: u64,
    /// Silence of the link to the hub after which a store hands parcels to a neighbour.
    pub parcel_after_ms: u64,
    /// How long a store waits for the answer to a parcel before it sends another.
    pub parcel_retry_ms: u64,
    /// How often a store with nothing to send asks through a neighbour for news from the hub.
    pub parcel_news_ms: u64,
    /// How long a peer may take to greet. Whoever connects and stays silent, or says half of it, is let go.
    pub handshake_ms_max: u64,
    /// How long feeds of lanes that nobody waits for wait for more to send together. Sales of half a second share a packet: at
    /// 20 a second this saves two thirds of the bytes.
    pub coalesce_ms: u64,
    /// Rows of a feed that do not wait.
    pub coalesce_rows: u64,
    /// Bytes of log or state that one frame aims at: at 100 kbit/s the default is 2.6 s of the link.
    pub frame_bytes_goal: usize,
    /// Bytes at which runs in the database are cut, besides their number of entries: a row must fit a frame.
    pub run_bytes_goal: usize,
    /// Positions of an account that stand in its row before they are moved to a chunk of their own. Few make every sale
    /// rewrite less, many make a count read fewer rows.
    pub account_inline_max: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            seal_after_ms: 1_000,
            token_after_ms: 1_000,
            ack_after_ms: 1_000,
            pulse_after_ms: 5_000,
            parcel_after_ms: 3_000,
            parcel_retry_ms: 5_000,
            parcel_news_ms: 15_000,
            handshake_ms_max: 10_000,
            coalesce_ms: 500,
            coalesce_rows: 64,
            frame_bytes_goal: 32 * 1024,
            run_bytes_goal: 48 * 1024,
            account_inline_max: 32,
        }
    }
}

impl Tuning {
    /// The same if a replica can run with it; [`CoreError::Mismatch`] naming the first value that it cannot.
    pub fn validated(self) -> Result<Self, CoreError> {
        let times = [
            ("seal_after_ms", self.seal_after_ms, 0),
            ("token_after_ms", self.token_after_ms, 0),
            ("ack_after_ms", self.ack_after_ms, 0),
            ("coalesce_ms", self.coalesce_ms, 0),
            // These repeat for as long as nothing happens: at 0 a node would do nothing else.
            ("pulse_after_ms", self.pulse_after_ms, 2),
            ("parcel_after_ms", self.parcel_after_ms, 1),
            ("parcel_retry_ms", self.parcel_retry_ms, 1),
            ("parcel_news_ms", self.parcel_news_ms, 1),
            ("handshake_ms_max", self.handshake_ms_max, 1),
        ];
        let sizes = [
            ("coalesce_rows", usize::try_from(self.coalesce_rows).unwrap_or(usize::MAX), usize::MAX),
            // A frame overshoots its goal by less than one run.
            ("frame_bytes_goal", self.frame_bytes_goal, FRAME_BYTES_MAX / 4),
            // A run overshoots its goal by less than one entry, and travels in one frame.
            ("run_bytes_goal", self.run_bytes_goal, FRAME_BYTES_MAX - stockroom_crdt::limits::ENTRY_BYTES_MAX - 1),
            ("account_inline_max", self.account_inline_max, ACCOUNT_PLACES_MAX),
        ];
        let wrong_time = times.into_iter().find(|&(_, value, min)| !(min..=TIME_MS_MAX).contains(&value));
        let wrong_size = sizes.into_iter().find(|&(_, value, max)| !(1..=max).contains(&value));
        match wrong_time.map(|(name, ..)| name).or(wrong_size.map(|(name, ..)| name)) {
            Some(name) => Err(CoreError::Mismatch(format!("its tuning has a value of {name} that is out of range"))),
            None => Ok(self),
        }
    }
}

/// Nothing in a shop waits longer than a day. Sums of such times cannot overflow.
const TIME_MS_MAX: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_node_runs_with_is_taken() {
        assert_eq!(Tuning::default().validated().unwrap(), Tuning::default());
    }

    #[test]
    fn values_with_which_a_node_would_spin_or_break_a_limit_are_refused_by_name() {
        let usual = Tuning::default();
        let absurd = [
            ("pulse_after_ms", Tuning { pulse_after_ms: 0, ..usual }),
            ("parcel_news_ms", Tuning { parcel_news_ms: 0, ..usual }),
            ("handshake_ms_max", Tuning { handshake_ms_max: u64::MAX, ..usual }),
            ("coalesce_rows", Tuning { coalesce_rows: 0, ..usual }),
            ("frame_bytes_goal", Tuning { frame_bytes_goal: FRAME_BYTES_MAX / 4 + 1, ..usual }),
            ("run_bytes_goal", Tuning { run_bytes_goal: FRAME_BYTES_MAX, ..usual }),
            ("account_inline_max", Tuning { account_inline_max: 0, ..usual }),
        ];
        for (name, tuning) in absurd {
            let error = tuning.validated().unwrap_err().to_string();
            assert!(error.contains(name), "{name}: {error}");
        }
    }
}

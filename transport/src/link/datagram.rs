//! Datagrams of a link: small, unordered, unacknowledged, for what is stale in seconds. Either end drops what is too much.

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::mpsc;

use crate::limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_BURST, DATAGRAMS_PER_S, EVENTS_MAX};
use crate::link::{Link, LinkFault};
use crate::net::NetEvent;

/// Hands datagrams up until the connection is lost. Never waits for the caller: frames go first.
pub(super) async fn run(link: Arc<Link>, events: mpsc::Sender<NetEvent>) -> LinkFault {
    let mut allowance = Allowance::new(Instant::now());
    loop {
        let Ok(mut bytes) = link.connection.read_datagram().await else { return LinkFault::Connection };
        let fits = (1..=1 + DATAGRAM_BYTES_MAX).contains(&bytes.len());
        // Half of the events are kept free for frames, so that no flood of datagrams delays one.
        if !fits || !allowance.take(Instant::now()) || events.capacity() <= EVENTS_MAX / 2 {
            continue;
        }
        let kind = bytes.split_to(1)[0];
        // Full after all: the next datagram says the same, later.
        let _ = events.try_send(NetEvent::Datagram { link: link.id, kind, bytes });
    }
}

/// The bytes that travel: the kind, then the payload; none if that is too long.
pub(super) fn packed(kind: u8, payload: &[u8]) -> Option<Bytes> {
    if payload.len() > DATAGRAM_BYTES_MAX {
        return None;
    }
    let mut bytes = BytesMut::with_capacity(1 + payload.len());
    bytes.put_u8(kind);
    bytes.put_slice(payload);
    Some(bytes.freeze())
}

/// A bucket of datagrams that fills with time.
#[derive(Debug)]
pub(super) struct Allowance {
    thousandths: u64,
    filled: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { thousandths: FULL, filled: now }
    }

    /// Takes one, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let elapsed_ms = u64::try_from(now.saturating_duration_since(self.filled).as_millis()).unwrap_or(u64::MAX);
        if elapsed_ms > 0 {
            self.thousandths = FULL.min(self.thousandths.saturating_add(elapsed_ms.saturating_mul(DATAGRAMS_PER_S)));
            self.filled = now;
        }
        let takes = self.thousandths >= 1000;
        self.thousandths -= if takes { 1000 } else { 0 };
        takes
    }
}

const FULL: u64 = DATAGRAMS_BURST * 1000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut taken = |at_ms: u64, tries: u64| {
            let at = start + Duration::from_millis(at_ms);
            (0..tries).filter(|_| allowance.take(at)).count() as u64
        };
        assert_eq!(taken(0, 1_000), DATAGRAMS_BURST);
        assert_eq!(taken(500, 1_000), DATAGRAMS_PER_S / 2);
        assert_eq!(taken(3_600_000, 1_000), DATAGRAMS_BURST);
    }

    #[test]
    fn a_long_payload_is_not_packed() {
        assert_eq!(packed(7, b"ab").as_deref(), Some(&b"\x07ab"[..]));
        assert!(packed(1, &[0; DATAGRAM_BYTES_MAX]).is_some());
        assert_eq!(packed(1, &[0; DATAGRAM_BYTES_MAX + 1]), None);
    }
}

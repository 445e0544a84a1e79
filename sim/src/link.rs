//! What a path between two nodes is like: delay, capacity, loss, or a recording of a real one; and how long a frame takes.

use std::sync::Arc;

use crate::data::links::{LinkFormat, Recording};

/// A path. "Up" is from a store to its hub, or from the lower to the higher node number between equals.
#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// One-way delay, microseconds.
    pub latency_us: u32,
    /// Up to so much more, microseconds.
    pub jitter_us: u32,
    /// Capacity up, bits per second.
    pub up_bps: u64,
    /// Capacity down, bits per second.
    pub down_bps: u64,
    /// Lost packets, parts per million. A lost packet costs a retransmission, not the frame.
    pub loss_ppm: u32,
    /// Bytes that the sender may have under way.
    pub window_bytes: u32,
    /// Real capacity, delay and loss instead of the figures above where it has them, over and over.
    pub replay: Option<Replay>,
}

/// A recording, laid on the run's time.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What was recorded.
    pub recording: Arc<Recording>,
    /// The moment of the run at which the recording is at its beginning, milliseconds since 1970.
    pub from_ms: u64,
}

/// How a frame gets across.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Until when the bottleneck is busy with it, microseconds since 1970.
    pub busy_us: u64,
    /// When it arrives, milliseconds since 1970.
    pub arrives_ms: u64,
}

/// What a path is like at one moment, one way.
struct Moment {
    bps: u64,
    delay_us: u64,
    loss_ppm: u64,
    /// Until when that holds, milliseconds since 1970.
    until_ms: u64,
}

impl LinkSpec {
    /// A fixed line: 20 ms, 10 Mbit/s up and 50 down.
    pub fn wan() -> Self {
        Self {
            latency_us: 20_000,
            jitter_us: 0,
            up_bps: 10_000_000,
            down_bps: 50_000_000,
            loss_ppm: 0,
            window_bytes: 256 * 1024,
            replay: None,
        }
    }

    /// A shop's LAN or a street's radio link: 2 ms, 100 Mbit/s.
    pub fn lan() -> Self {
        Self { latency_us: 2_000, up_bps: 100_000_000, down_bps: 100_000_000, ..Self::wan() }
    }

    /// A bad cellular link: 150 ms with as much jitter, 256 kbit/s up, 2% loss.
    pub fn thin() -> Self {
        Self {
            latency_us: 150_000,
            jitter_us: 150_000,
            up_bps: 256_000,
            down_bps: 1_000_000,
            loss_ppm: 20_000,
            ..Self::wan()
        }
    }

    /// When a frame of `bytes` that is handed over at `now_ms` arrives, behind what keeps the bottleneck busy until `busy_us`.
    /// `draw` decides jitter and loss.
    pub fn cross(&self, now_ms: u64, up: bool, bytes: usize, busy_us: u64, draw: u64) -> Crossing {
        let mut at_us = busy_us.max(now_ms * 1_000);
        let mut left = (bytes as u64 + PACKET_OVERHEAD_BYTES) * 8 * MILLION;
        let mut moment = self.at(at_us / 1_000, up);
        for _ in 0..STEPS_MAX {
            let room = moment.bps.saturating_mul((moment.until_ms * 1_000).saturating_sub(at_us));
            if left <= room {
                at_us += left.div_ceil(moment.bps.max(1));
                break;
            }
            left -= room;
            at_us = moment.until_ms * 1_000;
            moment = self.at(moment.until_ms, up);
        }
        let jitter = (draw >> 32) % (u64::from(self.jitter_us) + 1);
        let rounds = rounds(bytes as u64 / PACKET_BYTES + 1, moment.loss_ppm, draw & u64::from(u32::MAX));
        let waits = rounds * (2 * moment.delay_us + RECOVERY_US);
        Crossing { busy_us: at_us, arrives_ms: (at_us + moment.delay_us + jitter + waits).div_ceil(1_000) }
    }

    fn at(&self, now_ms: u64, up: bool) -> Moment {
        let mut moment = Moment {
            bps: if up { self.up_bps } else { self.down_bps },
            delay_us: self.latency_us.into(),
            loss_ppm: self.loss_ppm.into(),
            until_ms: now_ms + FOREVER_MS,
        };
        let Some(Replay { recording, from_ms }) = &self.replay else { return moment };
        let since = now_ms.saturating_sub(*from_ms);
        let step = recording.at(since);
        moment.until_ms = from_ms + recording.next_change(since);
        moment.bps = if up { step.up_bps } else { step.down_bps }.unwrap_or(moment.bps);
        if recording.format() == LinkFormat::CellularObserved {
            moment.bps = moment.bps.max(OBSERVED_BPS_MIN);
        }
        moment.delay_us = step.rtt_us.map_or(moment.delay_us, |rtt| u64::from(rtt) / 2);
        moment.loss_ppm = u64::from(step.loss_ppm).max(moment.loss_ppm);
        if step.is_down() || moment.loss_ppm >= MILLION {
            moment.bps = 0;
        }
        moment
    }
}

/// How many times something of a frame has to be sent again: round k happens when at least one of its packets was lost k times.
fn rounds(packets: u64, loss_ppm: u64, draw: u64) -> u64 {
    // Chance of round k is about packets * p^k; one draw decides all rounds, so a luckier draw never waits longer.
    let mut chance = u128::from(packets) * u128::from(loss_ppm);
    let mut rounds = 0;
    while rounds < ROUNDS_MAX && u128::from(draw) * u128::from(MILLION) < chance << 32 {
        rounds += 1;
        chance = chance * u128::from(loss_ppm) / u128::from(MILLION);
    }
    rounds
}

const MILLION: u64 = 1_000_000;

/// What fits into one packet, and what it costs beside that: IP, UDP, QUIC.
const PACKET_BYTES: u64 = 1_200;
const PACKET_OVERHEAD_BYTES: u64 = 60;

/// Beyond a round trip, what noticing a loss takes.
const RECOVERY_US: u64 = 25_000;

/// More losses in a row are an outage, which recordings and faults have of their own.
const ROUNDS_MAX: u64 = 6;

/// Steps of a recording that one frame may wait through: hours of outage.
const STEPS_MAX: usize = 200_000;

/// Without a recording nothing changes.
const FOREVER_MS: u64 = 1 << 40;

/// An app's observed rate is a lower bound of what the link could carry, and 0 in an idle second. The least that is assumed.
const OBSERVED_BPS_MIN: u64 = 128_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::links::LinkStep;

    #[test]
    fn a_frame_takes_delay_and_capacity() {
        let spec = LinkSpec { up_bps: 80_000, ..LinkSpec::wan() };
        let first = spec.cross(1_000, true, 940, 0, 0);
        assert_eq!(first, Crossing { busy_us: 1_100_000, arrives_ms: 1_120 });
        let second = spec.cross(1_000, true, 940, first.busy_us, 0);
        assert_eq!(second.arrives_ms, 1_220, "the second waits for the first");
    }

    #[test]
    fn a_recorded_outage_is_waited_for() {
        let open = LinkStep { for_ms: 500, down_bps: None, up_bps: Some(1_000_000), rtt_us: Some(40_000), loss_ppm: 0 };
        let steps = vec![open, LinkStep::outage(2_000)];
        let recording = Arc::new(Recording::new("one", LinkFormat::Assumed, steps).unwrap());
        let spec = LinkSpec { replay: Some(Replay { recording, from_ms: 10_000 }), ..LinkSpec::wan() };
        assert_eq!(spec.cross(10_100, true, 1_190, 0, 0).arrives_ms, 10_130);
        assert_eq!(spec.cross(10_600, true, 1_190, 0, 0).arrives_ms, 12_530, "the next round begins at 12,500");
    }

    #[test]
    fn losses_cost_round_trips_and_large_frames_lose_more() {
        let draws = || (0..1_000).map(|n| n * (u64::from(u32::MAX) / 1_000));
        let waiting = |packets| draws().filter(|draw| rounds(packets, 20_000, *draw) > 0).count();
        assert_eq!(waiting(1), 21, "2% of small frames wait: draws 0 to 20 of a thousand");
        assert!(waiting(28) > 500, "of frames of 28 packets more than half");
        assert_eq!(rounds(1, 20_000, 0), 3, "the unluckiest waits for as many rounds as there is any chance of");
        assert_eq!(rounds(28, 0, 0), 0);
    }
}

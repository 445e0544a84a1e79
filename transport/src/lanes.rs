//! What waits to be sent on one link: five queues in strict priority, and the credit that bounds them. Knows no QUIC.
//!
//! Credit is granted in steps and *adds up*: a caller may have sent against older credit while a grant travelled to it, so an
//! absolute figure would be wrong on arrival. The invariant is `credit + queued <= window` whenever a grant is made. A frame longer
//! than the credit left is still taken as long as [`FRAME_CREDIT_BYTES`] are there (else a thin link could never carry a long
//! frame); the debt is paid from the next grants. No stall: when nothing waits and no grant is due, more than half a window of
//! credit is out, which is at least [`FRAME_CREDIT_BYTES`].

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits::{
    FRAME_BYTES_MAX, FRAME_CREDIT_BYTES, LANE0_RESERVE_BYTES, LANES, QUEUE_FRAMES_MAX, QUIC_SEND_BYTES_MAX,
    URGENT_BYTES, WINDOW_BYTES_MIN,
};

/// Why a frame was not taken. Nothing was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is gone; its `Down` event is on the way or was already handled. Ordinary.
    #[error("link is down")]
    Down,
    /// Lanes go from 0 to 4. A bug in the caller.
    #[error("no such lane: {0}")]
    Lane(u8),
    /// Frames have 1 to 256 KiB. A bug in the caller.
    #[error("frame of {0} bytes")]
    Length(usize),
    /// More was sent than `Writable` events allowed. A bug in the caller.
    #[error("no credit left")]
    Credit,
}

/// Queues and credit of one link.
#[derive(Debug)]
pub(crate) struct Lanes {
    queues: [VecDeque<Bytes>; LANES],
    frames: usize,
    queued: usize,
    credit: i64,
    window: usize,
}

impl Lanes {
    /// Empty queues without credit.
    pub(crate) fn new() -> Lanes {
        Lanes { queues: Default::default(), frames: 0, queued: 0, credit: 0, window: WINDOW_BYTES_MIN }
    }

    /// Takes a frame into its lane against credit.
    pub(crate) fn push(&mut self, lane: u8, frame: Bytes) -> Result<(), SendError> {
        let bytes = frame.len();
        if bytes == 0 || bytes > FRAME_BYTES_MAX {
            return Err(SendError::Length(bytes));
        }
        let queue = self.queues.get_mut(usize::from(lane)).ok_or(SendError::Lane(lane))?;
        let reserve = if lane == 0 { LANE0_RESERVE_BYTES as i64 } else { 0 };
        let needed = bytes.min(FRAME_CREDIT_BYTES) as i64;
        if self.credit + reserve < needed || self.frames >= QUEUE_FRAMES_MAX {
            return Err(SendError::Credit);
        }
        self.credit -= bytes as i64;
        self.queued += bytes;
        self.frames += 1;
        queue.push_back(frame);
        Ok(())
    }

    /// The most urgent lane with something to send.
    pub(crate) fn first_waiting(&self) -> Option<usize> {
        self.queues.iter().position(|queue| !queue.is_empty())
    }

    /// The oldest frame of a lane. It still counts as queued until [`Lanes::written`].
    pub(crate) fn pop(&mut self, lane: usize) -> Option<Bytes> {
        let frame = self.queues[lane].pop_front()?;
        self.frames -= 1;
        Some(frame)
    }

    /// Frames of this many bytes have been taken over by QUIC.
    pub(crate) fn written(&mut self, bytes: usize) {
        assert!(bytes <= self.queued, "more written than was queued");
        self.queued -= bytes;
    }

    /// Follows the path's estimate.
    pub(crate) fn set_window(&mut self, bytes: usize) {
        self.window = bytes;
    }

    /// Whether at least half of the window is free: smaller grants would only cost events.
    pub(crate) fn grant_is_due(&self) -> bool {
        self.free() * 2 >= self.window as i64
    }

    /// Grants everything free. Returns the bytes added.
    pub(crate) fn grant(&mut self) -> usize {
        let free = self.free().max(0);
        self.credit += free;
        free as usize
    }

    fn free(&self) -> i64 {
        self.window as i64 - self.queued as i64 - self.credit
    }
}

/// How a link's windows follow from its congestion window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Configured bound of unsent bytes.
    pub(crate) queue_bytes_max: usize,
    /// Bandwidth-delay products in a congestion window: 1 for CUBIC, 2 for BBR (its gain, Cardwell et al. 2017).
    pub(crate) products_per_cwnd: u64,
}

/// How much a path may hold, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Windows {
    /// Queue of frames that QUIC has not seen: half a product. With the half that QUIC may hold beyond what is in flight, unsent
    /// bytes stay within one product.
    pub(crate) queue: usize,
    /// QUIC's send buffer: the product in flight, and half of it waiting, without which the congestion window would not grow.
    pub(crate) quic: u64,
}

impl Windows {
    /// For a congestion window in bytes.
    pub(crate) fn of(cwnd: u64, pace: Pace) -> Windows {
        let product = cwnd / pace.products_per_cwnd.max(1);
        let half = (product / 2).clamp(WINDOW_BYTES_MIN as u64, pace.queue_bytes_max.max(WINDOW_BYTES_MIN) as u64);
        Windows { queue: half as usize, quic: (product + half).min(QUIC_SEND_BYTES_MAX) }
    }

    /// QUIC's send buffer as a lane sees it: lanes 0 and 1 have room that bulk data in flight cannot take.
    pub(crate) fn quic_for(self, lane: usize) -> u64 {
        self.quic + URGENT_BYTES.get(lane).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    #[test]
    fn lanes_are_strict() {
        let mut lanes = Lanes::new();
        lanes.grant();
        for lane in [4, 2, 3, 0, 1, 4, 0] {
            lanes.push(lane, Bytes::from(vec![lane])).unwrap();
        }
        let mut order = Vec::new();
        while let Some(lane) = lanes.first_waiting() {
            order.push(lanes.pop(lane).unwrap()[0]);
        }
        assert_eq!(order, [0, 0, 1, 2, 3, 4, 4]);
    }

    #[test]
    fn credit_bounds_what_waits() {
        let mut lanes = Lanes::new();
        assert_eq!(lanes.push(1, frame(1)), Err(SendError::Credit));
        assert_eq!(lanes.grant(), WINDOW_BYTES_MIN);
        lanes.push(1, frame(10_000)).unwrap();
        assert_eq!(lanes.push(1, frame(10_000)), Err(SendError::Credit));
        assert!(!lanes.grant_is_due(), "nothing was written yet");
        lanes.written(10_000);
        assert!(lanes.grant_is_due());
        assert_eq!(lanes.grant(), 10_000);
        assert_eq!(lanes.grant(), 0);
        lanes.push(1, frame(WINDOW_BYTES_MIN - FRAME_CREDIT_BYTES)).unwrap();
        lanes.push(1, frame(FRAME_BYTES_MAX)).unwrap();
    }

    #[test]
    fn a_long_frame_passes_a_thin_link_and_is_paid_back() {
        let mut lanes = Lanes::new();
        lanes.grant();
        lanes.push(4, frame(FRAME_BYTES_MAX)).unwrap();
        assert_eq!(lanes.push(4, frame(1)), Err(SendError::Credit));
        lanes.push(0, frame(1)).unwrap_err();
        lanes.written(FRAME_BYTES_MAX);
        assert_eq!(lanes.grant(), FRAME_BYTES_MAX);
        lanes.push(4, frame(WINDOW_BYTES_MIN)).unwrap();
    }

    #[test]
    fn lane_0_has_a_reserve() {
        let mut lanes = Lanes::new();
        lanes.grant();
        lanes.push(4, frame(WINDOW_BYTES_MIN)).unwrap();
        lanes.push(0, frame(LANE0_RESERVE_BYTES)).unwrap();
        assert_eq!(lanes.push(0, frame(1)), Err(SendError::Credit));
        assert_eq!(lanes.push(5, frame(1)), Err(SendError::Lane(5)));
        assert_eq!(lanes.push(0, Bytes::new()), Err(SendError::Length(0)));
    }

    #[test]
    fn windows_follow_the_path_within_bounds() {
        let cubic = Pace { queue_bytes_max: 256 * 1024, products_per_cwnd: 1 };
        assert_eq!(Windows::of(0, cubic), Windows { queue: WINDOW_BYTES_MIN, quic: 16 * 1024 });
        assert_eq!(Windows::of(100_000, cubic), Windows { queue: 50_000, quic: 150_000 });
        assert_eq!(
            Windows::of(200_000, Pace { products_per_cwnd: 2, ..cubic }),
            Windows { queue: 50_000, quic: 150_000 }
        );
        assert_eq!(Windows::of(u64::MAX / 4, cubic), Windows { queue: 256 * 1024, quic: QUIC_SEND_BYTES_MAX });
        let thin = Windows::of(100_000, Pace { queue_bytes_max: 0, ..cubic });
        assert!(thin.quic_for(0) > thin.quic_for(1) && thin.quic_for(1) > thin.quic_for(4));
    }
}

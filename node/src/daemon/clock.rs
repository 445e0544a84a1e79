//! The clocks that the core is told of: a boot number, a monotonic clock since the start, and the wall.

use std::time::{Duration, Instant, SystemTime};

use stockroom_core::time::Now;

/// The clocks of one start of the process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    boot: u64,
    start: Instant,
}

impl Clock {
    /// Starts now. `boot` is random.
    pub fn start(boot: u64) -> Self {
        Self { boot, start: Instant::now() }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        Now { boot: self.boot, mono_ms: self.start.elapsed().as_millis() as u64, wall_ms: wall_ms() }
    }

    /// When the monotonic clock shows `mono_ms`.
    pub fn instant(&self, mono_ms: u64) -> Instant {
        self.start + Duration::from_millis(mono_ms)
    }
}

/// Milliseconds since 1970 by the machine's clock; 0 if that stands before 1970.
pub fn wall_ms() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64)
}

//! Time as an argument: what the shell read from its clocks when it called.

/// The clocks of one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Random number of this start of the process.
    pub boot: u64,
    /// Milliseconds since that start; never goes back.
    pub mono_ms: u64,
    /// Milliseconds since 1970, as far as the machine knows; may be wrong and may go back.
    pub wall_ms: u64,
}

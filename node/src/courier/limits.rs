//! Every bound of the courier side, with its reason.

use std::time::Duration;

/// Deliveries that a hub watches at one time, closed ones of the last days included: a hub's stores on their worst day.
pub const DELIVERIES_MAX: usize = 50_000;

/// How long a closed delivery is remembered, so that a late callback finds its order and not a stranger's.
pub const REMEMBER_MS: u64 = 48 * 3_600_000;

/// Attempts of one delivery. The chain ends long before; redispatching by hand may go on.
pub const ATTEMPTS_MAX: u32 = 20;

/// Tries to place one attempt when the answer does not come or makes no sense.
pub const CREATE_TRIES: u32 = 4;

/// Tries to cancel one attempt before a person has to.
pub const CANCEL_TRIES: u32 = 5;

/// Failed questions after which an attempt that was reported to be over is believed to be.
pub const CONFIRM_TRIES: u32 = 3;

/// Times in a row that a courier service may say that it does not know an attempt that it took.
pub const UNKNOWN_MAX: u32 = 3;

/// Pause before a second attempt at the same courier service.
pub const RETRY_PAUSE_MS: u64 = 30_000;

/// First and longest pause after a failure, doubling between.
pub const BACKOFF_MS: (u64, u64) = (2_000, 300_000);

/// Reports by digest that an attempt remembers, to tell a repetition from a step backwards. A delivery has about ten.
pub const REPORTS_MAX: usize = 64;

/// Reports that one answer or callback may hold.
pub const REPORTS_PER_ANSWER_MAX: usize = 200;

/// Longest callback. Real ones are under a kilobyte.
pub const CALLBACK_BYTES_MAX: usize = 64 * 1024;

/// Longest answer that is read from a courier service.
pub const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// Longest text taken from outside: a courier's name, a description.
pub const TEXT_CHARS_MAX: usize = 128;

/// Longest delivery id: with the attempt's number it fits Fengniao's 128.
pub const DELIVERY_ID_BYTES_MAX: usize = 64;

/// Different goods named to a courier service; the rest is one line.
pub const ITEMS_MAX: usize = 50;

/// From call to connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest secret, token or authorization code file.
pub const SECRET_BYTES_MAX: usize = 4096;

/// An access token is renewed this long before its end.
pub const RENEW_BEFORE_MS: u64 = 24 * 3_600_000;

/// Riders of all stores of a hub.
pub const RIDERS_MAX: usize = 10_000;

/// Stops on one rider's sheet. Improving a tour of 40 stops takes well under a millisecond.
pub const STOPS_MAX: usize = 40;

/// Positions on the board: one per delivery that is on its way.
pub const POSITIONS_MAX: usize = 20_000;

/// A position older than this says nothing and is dropped.
pub const POSITION_AGE_MS_MAX: u64 = 3_600_000;

/// A clock that is this far ahead of ours is wrong.
pub const POSITION_AHEAD_MS_MAX: u64 = 120_000;

/// Alarms of one delivery: each kind is noted once.
pub const ALARMS_MAX: usize = 20;

/// Keys of riders' acts that one delivery remembers. A phone sends a few acts for each door.
pub const ACTS_MAX: usize = 64;

/// Calls to courier services at one time: their own limits are lower than ours.
pub const CALLS_MAX: usize = 16;

/// Steps of a feed that the desk reads at one time.
pub const FEED_STEPS_MAX: usize = 256;

/// Open fulfillments of a store that are looked at when the desk begins.
pub const WORKS_MAX: usize = 10_000;

/// What a rider says within this time of doing it is answered while he stands at the door: a wrong code can be entered again.
pub const AT_THE_DOOR_MS: u64 = 120_000;

/// The pause after failure number `tries`.
pub fn backoff_ms(tries: u32) -> u64 {
    BACKOFF_MS.0.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(BACKOFF_MS.1)
}

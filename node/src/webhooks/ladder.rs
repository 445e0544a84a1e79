//! When a delivery is tried again, and what a receiver's answer means.

use jiff::fmt::rfc2822;

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answered with 2xx.
    Delivered,
    /// Answered with 410: the receiver wants nothing more.
    Gone,
    /// Answered with 429, 502, 503 or 504: everything for the endpoint waits, at least for so many milliseconds.
    Throttled {
        /// The status, in words for people.
        what: String,
        /// From `Retry-After`; 0 without one.
        after_ms: u64,
    },
    /// Anything else: another status, also a redirect, or no answer.
    Failed {
        /// For people; nothing of what the receiver wrote.
        what: String,
        /// From `Retry-After`; 0 without one.
        after_ms: u64,
    },
}

/// Reads an answer. `now_ms` is for a `Retry-After` that names a date.
pub fn judge(status: u16, retry_after: Option<&str>, now_ms: u64) -> Outcome {
    let after_ms = retry_after.map_or(0, |text| wait_ms(text, now_ms));
    let what = format!("answered {status}");
    match status {
        200..=299 => Outcome::Delivered,
        410 => Outcome::Gone,
        429 | 502 | 503 | 504 => Outcome::Throttled { what, after_ms },
        _ => Outcome::Failed { what, after_ms },
    }
}

/// How long to wait after `made` attempts, in milliseconds; `None` after the last. `chance` spreads receivers' load: up to a
/// fifth is added.
pub fn next_delay_ms(made: u32, chance: u16) -> Option<u64> {
    let step = *LADDER_MS.get(usize::try_from(made).ok()?)?;
    Some(step + step * u64::from(chance) / (5 * u64::from(u16::MAX)))
}

/// The wait that `Retry-After` asks for: seconds or a date (RFC 9110), at most a day.
fn wait_ms(text: &str, now_ms: u64) -> u64 {
    let text = text.trim();
    let wait_ms = match text.parse::<u64>() {
        Ok(seconds) => seconds.saturating_mul(1_000),
        Err(_) => {
            let at = rfc2822::parse(text).ok().and_then(|at| u64::try_from(at.timestamp().as_millisecond()).ok());
            at.map_or(0, |at_ms| at_ms.saturating_sub(now_ms))
        }
    };
    wait_ms.min(WAIT_MS_MAX)
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// The wait before each attempt: at once, then 5 s, 5 and 30 minutes, 2, 5, 10, 14, 20 and 24 hours. Three days together.
pub const LADDER_MS: [u64; 10] =
    [0, 5_000, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];

/// The longest wait that a receiver may ask for, so that none parks deliveries for ever.
pub const WAIT_MS_MAX: u64 = 24 * HOUR;

/// How long an endpoint rests when it answers that it has too much to do, and does not say for how long.
pub const THROTTLE_MS: u64 = MINUTE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_a_delivery() {
        assert_eq!(judge(204, None, 0), Outcome::Delivered);
        assert_eq!(judge(410, None, 0), Outcome::Gone);
        for status in [301, 302, 400, 404, 500] {
            let what = format!("answered {status}");
            assert_eq!(judge(status, None, 0), Outcome::Failed { what, after_ms: 0 });
        }
        for status in [429, 502, 503, 504] {
            let what = format!("answered {status}");
            assert_eq!(judge(status, Some("7"), 0), Outcome::Throttled { what, after_ms: 7_000 });
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        assert_eq!(wait_ms("120", 0), 120_000);
        assert_eq!(wait_ms("Thu, 01 Jan 1970 00:01:00 GMT", 10_000), 50_000);
        assert_eq!(wait_ms("Thu, 01 Jan 1970 00:01:00 GMT", 90_000), 0);
        assert_eq!(wait_ms("99999999999999999", 0), WAIT_MS_MAX);
        assert_eq!(wait_ms("-1", 0), 0);
        assert_eq!(wait_ms("soon", 0), 0);
    }

    #[test]
    fn the_ladder_has_ten_rungs_and_a_fifth_of_chance() {
        assert_eq!(next_delay_ms(1, 0), Some(5_000));
        assert_eq!(next_delay_ms(1, u16::MAX), Some(6_000));
        assert_eq!(next_delay_ms(9, 0), Some(24 * HOUR));
        assert_eq!(next_delay_ms(10, 0), None);
        assert_eq!(next_delay_ms(u32::MAX, 0), None);
        assert!(LADDER_MS.is_sorted());
    }
}

//! The opening-hours clock: how long a store was open between two moments. At night nobody is late.

use stockroom_crdt::order::rules::hours::StoreService;

/// Milliseconds between two moments in which a store was open; all of them where its hours are not known. A later moment that lies
/// before the earlier one, or hours that never come, give 0.
pub fn open_ms(service: Option<&StoreService>, offset_min: i32, (from_ms, until_ms): (u64, u64)) -> u64 {
    let Some(service) = service else { return until_ms.saturating_sub(from_ms) };
    let (mut at_ms, mut sum_ms) = (from_ms, 0_u64);
    for _ in 0..SHIFTS_MAX {
        if at_ms >= until_ms {
            break;
        }
        let Some(shift) = service.shift(at_ms, offset_min) else { break };
        let (opens_ms, closes_ms) = (shift.opens_ms.max(at_ms), shift.closes_ms.min(until_ms));
        sum_ms = sum_ms.saturating_add(closes_ms.saturating_sub(opens_ms));
        at_ms = shift.closes_ms;
    }
    sum_ms
}

/// Two shifts a day for a quarter of a year, which is as long as anything about an order waits.
const SHIFTS_MAX: usize = 184;

//! How long to wait before an address is dialed again. Pure; chance comes in as an argument.

/// Pause in milliseconds after `failures` failures in a row: `min x 2^failures`, at most `max`, plus or minus 50% by `chance`
/// (uniform over all of `u64`). Half a restart's stores must not arrive in one instant (crdt.md 4.4).
pub(crate) fn pause_ms(failures: u32, min: u64, max: u64, chance: u64) -> u64 {
    let doubled = min.max(1).saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
    let base = doubled.min(max.max(1));
    let spread = u128::from(base) * u128::from(chance) / u128::from(u64::MAX);
    base / 2 + spread as u64
}

/// A stream of chances from a seed (SplitMix64, Steele et al. 2014). Spreads load; hides nothing from anybody.
#[derive(Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let middle = |failures| pause_ms(failures, 100, 30_000, u64::MAX / 2);
        assert_eq!(
            [0, 1, 2, 8, 9, 63, 64, u32::MAX].map(middle),
            [99, 199, 399, 25_599, 29_999, 29_999, 29_999, 29_999]
        );
    }

    #[test]
    fn jitter_covers_half_to_one_and_a_half() {
        assert_eq!(pause_ms(3, 100, 30_000, 0), 400);
        assert_eq!(pause_ms(3, 100, 30_000, u64::MAX), 1200);
        let mut chance = Chance::new(7);
        let pauses: Vec<u64> = (0..1000).map(|_| pause_ms(20, 100, 30_000, chance.draw())).collect();
        assert!(pauses.iter().all(|pause| (15_000..=45_000).contains(pause)));
        let early = pauses.iter().filter(|pause| **pause < 22_500).count();
        assert!((200..300).contains(&early), "a quarter of the pauses lies in the first quarter: {early}");
    }
}

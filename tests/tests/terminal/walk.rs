//! Customers, bad lines and killed processes at random: the terminal has what the receipts say.

use stockroom_core::input::checkout::BasketDeed;
use stockroom_crdt::checkout::tender::TenderState;
use stockroom_tests::terminal_server::{Customer, Health};

use super::lane::{Lane, TEA};

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[test]
fn whatever_happens_the_ledger_and_the_receipts_agree() {
    for seed in 200..206 {
        let mut dice = Dice(seed);
        let mut lane = Lane::open(seed);
        let mut sold = 0;
        for _ in 0..8 {
            let healths = [Health::Good, Health::HangsUp, Health::DoneAndHangsUp, Health::Broken(500), Health::Garbage];
            let count = dice.throw(4);
            lane.terminal.then((0..count).map(|_| healths[dice.throw(5) as usize]));
            let customers = [Customer::Pays, Customer::Pays, Customer::Declined, Customer::TakesTime(3)];
            lane.terminal.customers([customers[dice.throw(4) as usize]]);
            let basket = lane.card();
            match dice.throw(3) {
                0 => {}
                1 => lane.until("asked", |lane| lane.terminal.count("PUT") > 0),
                _ => lane.until_quiet(),
            }
            if dice.throw(3) == 0 {
                lane.kill();
                lane.start();
            }
            // Whether it is too late for one of these is the core's to say.
            let _ = match dice.throw(3) {
                0 => lane.deed(basket, BasketDeed::Abandon),
                1 => lane.cash(basket),
                _ => lane.again(basket),
            };
            lane.until_quiet();
            if lane.sale(basket).is_none() && !lane.is_abandoned(basket) {
                lane.cash(basket).unwrap();
                lane.until_quiet();
            }
            let is_over = |state: &TenderState| !state.is_open();
            assert!(lane.states(basket).iter().all(is_over), "{:?}", lane.states(basket));
            if let Some(sale) = lane.sale(basket) {
                assert_eq!(sale.paid(), TEA);
                sold += 1;
            }
            lane.agree();
        }
        assert!(sold > 0, "nothing was sold");
    }
}

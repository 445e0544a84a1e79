//! The real binary: nodes set up by hand, killed, cut off, restored, lied to and starved of disk, and asked afterwards.

#[cfg(test)]
mod process {
    use stockroom_tests::nodes::{binary, door, fleet};

    mod till;

    mod by_hand;
    mod cash_desk;
    mod chain;
    mod disk;
    mod frames;
    mod hooks;
    mod kills;
    mod lan;
    mod power;
    mod problems;
    mod reserve;
    mod restore;
    mod versions;
}

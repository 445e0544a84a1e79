//! A pilot, from boxes to a trading day: a hub and three stores, each with a network of its own and a phone in it, in network namespaces
//! that the test makes. Needs root and `ip`; without them it says loudly that it did nothing, and fails where nothing may be skipped.

#[cfg(test)]
mod pilot {
    use stockroom_tests::nodes::binary;

    mod clock;
    mod net;
    mod phone;

    mod day;
}

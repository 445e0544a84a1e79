//! Pages as people see them: a real browser in front of real nodes. How to write such a test stands at the head of `stockroom_tests::browser`.

#[cfg(test)]
mod browser {
    mod entry;
    mod harness;
    mod hub;
    mod members;
    mod orders;
    mod rider;
    mod rules;
    mod stock;
    mod stories;
    mod till;
    mod walk;
}

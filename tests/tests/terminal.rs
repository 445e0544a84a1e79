//! Payment terminals seen from a store: real cores and cash desks against a test terminal over HTTP, and everything that goes wrong between
//! the two. After each story the terminal's ledger and the store's records say the same.

#[cfg(test)]
mod terminal {
    mod lane;

    mod answers;
    mod ends;
    mod walk;
}

//! Payment terminals.

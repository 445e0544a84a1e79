//! Members in a plan: who is enrolled where, comes to other stores, is found to be somebody else too, and wants to be forgotten.

use super::Who;

/// What happens to a member's account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonDo {
    /// She is enrolled at a node, for a store; accounts with one number of a telephone may be one person's.
    Enrol {
        /// Who is asked.
        at: Who,
        /// Her store.
        home: u32,
        /// Which telephone she says is hers.
        phone: u32,
    },
    /// She shows her telephone number at a store.
    Come(u32),
    /// Somebody writes a remark about her down.
    Remark(Who),
    /// Head office finds that two accounts are one person's.
    Link(u32),
    /// They are not.
    Unlink(u32),
    /// She wants to be forgotten.
    Erase(Who),
}

//! Who members truly are: what they told of themselves, and who wants to be forgotten.

use std::collections::BTreeMap;

use stockroom_crdt::ids::MemberId;

/// All members.
#[derive(Clone, Debug, Default)]
pub struct Persons {
    /// By their numbers.
    pub known: BTreeMap<u32, Person>,
    /// What was overheard that nobody may hear, in words.
    pub leaks: Vec<String>,
}

/// One account.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// The account, once she is enrolled.
    pub member: Option<MemberId>,
    /// Which telephone is hers.
    pub phone: u32,
    /// A node wrote down that she wants to be forgotten.
    pub erased: bool,
}

/// What every name and every remark begins with.
pub const SENTINEL: &str = "SENTINEL-";

/// A number of a telephone, as a customer says it.
pub fn phone(number: u32) -> String {
    format!("+86139{number:08}")
}

/// True if bytes hold something that says who somebody is.
pub fn says_who(bytes: &[u8]) -> bool {
    holds(bytes, SENTINEL.as_bytes())
}

/// True if bytes hold these.
pub fn holds(bytes: &[u8], what: &[u8]) -> bool {
    let Some((&first, rest)) = what.split_first() else { return false };
    let mut from = bytes;
    while let Some(at) = from.iter().position(|byte| *byte == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

//! Goods that a handheld takes along to where the node cannot be reached: what it has to know to hand them over there.
//!
//! It is never told the code. It gets a hash of it under a salt of this one time, slow to try, and the number of tries that the store's limits
//! leave; whoever finds the handheld can still go through a million codes within days, so that what was taken along ends with its time.

use std::num::NonZeroU32;

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use stockroom_core::orders::desk::TAKEN_ALONG_MS;
use stockroom_crdt::ids::{StoreId, hex};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::order::offer::{STRETCH_ROUNDS, code_salt};
use utoipa::ToSchema;

use super::not_here;
use crate::api::Api;
use crate::api::problem::{Answered, Kind, Problem};

/// What a handheld needs for goods that it takes along.
#[derive(Serialize, ToSchema)]
pub struct AlongAnswer {
    /// Seconds from now within which it hands over.
    hand_over_within_s: u64,
    /// Seconds from now until others may hand over: until then what the handheld did has to have arrived here.
    kept_s: u64,
    /// Wrong codes that it may take.
    tries: u32,
    /// How it checks a code; absent if no code is known here. Then only the node takes a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<CodeCheck>,
}

/// A code is right if PBKDF2 with HMAC-SHA-256, 16 bytes, of the code with `salt` and `rounds`, and of that with `salt_after` and
/// `rounds_after`, gives `hash`. All in hex.
#[derive(Serialize, ToSchema)]
pub struct CodeCheck {
    salt: String,
    rounds: u32,
    salt_after: String,
    rounds_after: u32,
    hash: String,
}

impl AlongAnswer {
    /// For a fulfillment that was just taken along.
    pub fn of(api: &Api, (order, store): (OrderId, StoreId), generation: u16) -> Answered<Self> {
        let (code, wrong, tries) = api.read(|books| {
            let known = books.order_at(store, order)?;
            let part = super::answer::newest(&known, store, Some(generation)).ok_or_else(|| not_here(order, store))?;
            let offer = known.parts.get(&(generation, store)).and_then(|part| part.offer.as_ref());
            let code = offer.map(|offer| offer.code).filter(|code| *code != [0; 16]);
            Ok((code, part.wrong_codes, u32::from(books.limits_for(store)?.code_tries)))
        })?;
        Ok(Self {
            hand_over_within_s: TAKEN_ALONG_MS / 2_000,
            kept_s: TAKEN_ALONG_MS / 1_000,
            tries: tries.saturating_sub(wrong),
            check: code.map(|code| CodeCheck::of(order, &code)).transpose()?,
        })
    }
}

impl CodeCheck {
    fn of(order: OrderId, code: &[u8; 16]) -> Answered<Self> {
        let mut salt = [0; 16];
        let random = SystemRandom::new().fill(&mut salt);
        random.map_err(|_| Problem::new(Kind::Storage, "the system gave no random numbers"))?;
        Ok(Self {
            salt: hex(&code_salt(order)),
            rounds: STRETCH_ROUNDS,
            salt_after: hex(&salt),
            rounds_after: ROUNDS.get(),
            hash: hex(&slow(&salt, code)),
        })
    }
}

fn slow(salt: &[u8], secret: &[u8]) -> [u8; 16] {
    let mut out = [0; 16];
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, secret, &mut out);
    out
}

/// About a quarter of a second on a handheld: a person does not notice, and a million codes take days.
const ROUNDS: NonZeroU32 = NonZeroU32::new(300_000).expect("is not zero");

#[cfg(test)]
mod tests {
    use stockroom_crdt::ids::NodeId;
    use stockroom_crdt::order::offer::code_hash;

    use super::*;

    #[test]
    fn a_handheld_checks_a_code_with_what_it_is_told_and_not_with_the_nodes_hash() {
        let order = OrderId { home: NodeId(1), number: 4_711 };
        let hash = code_hash(order, "123456");
        let check = CodeCheck::of(order, &hash).unwrap();
        let mut first = [0; 16];
        let rounds = NonZeroU32::new(check.rounds).unwrap();
        ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, &code_salt(order), b"123456", &mut first);
        assert_eq!(first, hash, "what is said of the salt is true");
        assert_ne!(check.hash, hex(&hash));
        assert_ne!(CodeCheck::of(order, &hash).unwrap().hash, check.hash, "another time, another salt");
    }
}

//! Proofs of a fork: they convict whoever signed two histories, and nobody else.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::Signer;
use stockroom_crdt::chain::{LogId, Moment, Seal};
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::ids::{Actor, Digest};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::scope::Scope;
use stockroom_tests::property::check;

use super::arbitrary::{entry, tenant};
use super::chain::{Sealed, sealed};
use super::facts::log_id;
use super::runs::items;

#[test]
fn two_signed_histories_are_a_proof() {
    check("two_signed_histories_are_a_proof", 200, forked(), |(sealed, right)| {
        let proof = proof_of(&sealed, &sealed.items, &right);
        prop_assert!(proof.verify(&sealed.key, sealed.tenant));
        let mirrored = ForkProof { left: proof.right.clone(), right: proof.left.clone(), ..proof.clone() };
        prop_assert!(mirrored.verify(&sealed.key, sealed.tenant));
        let bytes = Rows::of(|rows| proof.encode(rows));
        prop_assert_eq!(ForkProof::decode(&mut RowReader::new(&bytes)), Ok(proof));
        Ok(())
    });
}

#[test]
fn a_proof_holds_against_its_author_log_and_tenant_only() {
    let input = (forked(), any::<[u8; 32]>(), tenant(), log_id());
    check("a_proof_holds_against_its_author_only", 200, input, |((sealed, right), seed, tenant, log)| {
        let proof = proof_of(&sealed, &sealed.items, &right);
        prop_assert!(!proof.verify(&Signer::from_seed(&seed).public(), sealed.tenant));
        prop_assert!(!proof.verify(&sealed.key, tenant));
        let other = ForkProof { log: log.clone(), ..proof.clone() };
        prop_assert_eq!(other.verify(&sealed.key, sealed.tenant), log == proof.log);
        Ok(())
    });
}

#[test]
fn a_changed_bit_of_a_proof_is_found() {
    check("a_changed_bit_of_a_proof_is_found", 6, forked(), |(sealed, right)| {
        let proof = proof_of(&sealed, &sealed.items, &right);
        let bytes = Rows::of(|rows| proof.encode(rows));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut reader = RowReader::new(&changed);
            let Ok(read) = ForkProof::decode(&mut reader) else { continue };
            prop_assert!(!read.verify(&sealed.key, sealed.tenant), "bit {}", bit);
        }
        Ok(())
    });
}

#[test]
fn an_honest_log_with_many_seals_yields_no_proof() {
    check("an_honest_log_with_many_seals_yields_no_proof", 100, sealed(), |sealed| {
        let len = sealed.items.len();
        let branches = || (1..=len).flat_map(|seq| (seq..=len).map(move |end| (seq, end)));
        for ((left_seq, left_end), (right_seq, right_end)) in branches().zip(branches().rev()) {
            let (left, right) = (
                branch(&sealed, left_seq, &sealed.items[..left_end]),
                branch(&sealed, right_seq, &sealed.items[..right_end]),
            );
            for seq in [left_seq, right_seq] {
                let (left, right) = (left.clone(), right.clone());
                let proof = ForkProof { log: sealed.log.clone(), seq: seq as u64, left, right };
                prop_assert!(!proof.verify(&sealed.key, sealed.tenant), "{:?}", proof);
            }
        }
        Ok(())
    });
}

#[test]
fn a_branch_that_nobody_signed_is_no_proof() {
    check("a_branch_that_nobody_signed_is_no_proof", 100, (forked(), any::<[u8; 32]>()), |((sealed, right), hash)| {
        let honest = proof_of(&sealed, &sealed.items, &sealed.items);
        prop_assert!(!honest.verify(&sealed.key, sealed.tenant), "both sides are the same history");
        let mut invented = honest.clone();
        invented.right.hash = Digest(hash);
        prop_assert!(!invented.verify(&sealed.key, sealed.tenant));
        let unsigned = proof_of(&sealed, &sealed.items, &right);
        let right = Branch { seal: honest.left.seal.clone(), ..unsigned.right };
        let borrowed_seal = ForkProof { right, ..honest };
        prop_assert!(!borrowed_seal.verify(&sealed.key, sealed.tenant));
        Ok(())
    });
}

#[test]
fn a_position_that_overflows_is_no_proof() {
    check("a_position_that_overflows_is_no_proof", 20, forked(), |(sealed, right)| {
        let mut proof = proof_of(&sealed, &sealed.items, &right);
        proof.seq = u64::MAX;
        proof.left.after.push(Digest([0; 32]));
        prop_assert!(!proof.verify(&sealed.key, sealed.tenant));
        Ok(())
    });
}

#[test]
fn the_longest_proof_still_fits_an_entry() {
    let moment = Moment { boot: u64::MAX, mono_ms: u64::MAX, wall_ms: u64::MAX, day: u32::MAX };
    let seal = Seal { seq: u64::MAX, moment, signature: [3; 64] };
    let branch = Branch { hash: Digest([1; 32]), after: vec![Digest([2; 32]); RUN_ENTRIES_MAX], seal };
    let log = LogId { actor: Actor::new(u32::MAX, u16::MAX), scope: Scope::Control };
    let fact = Fact::Fork(ForkProof { log, seq: u64::MAX, left: branch.clone(), right: branch });
    let entry = Entry { hlc: Default::default(), fact };
    assert_eq!(Item::from_bytes(entry.to_bytes()).map(|item| item.entry), Ok(entry));
}

/// A sealed log, and another continuation of it from some position on.
fn forked() -> impl Strategy<Value = (Sealed, Vec<Item>)> {
    (sealed(), vec(entry(), 1..6), any::<proptest::sample::Index>()).prop_filter_map(
        "the same history",
        |(sealed, other, part)| {
            let part = part.index(sealed.items.len());
            let right = [&sealed.items[..part], &items(other)].concat();
            (right[part].bytes != sealed.items[part].bytes).then_some((sealed, right))
        },
    )
}

/// The proof at the first position where two histories of one log differ, or at the last if they do not.
fn proof_of(sealed: &Sealed, left: &[Item], right: &[Item]) -> ForkProof {
    let same = left.iter().zip(right).take_while(|(l, r)| l.bytes == r.bytes).count();
    let seq = (same + 1).min(left.len()).min(right.len());
    ForkProof {
        log: sealed.log.clone(),
        seq: seq as u64,
        left: branch(sealed, seq, left),
        right: branch(sealed, seq, right),
    }
}

/// The side of a proof at position `seq` of a history that is sealed at its end.
fn branch(sealed: &Sealed, seq: usize, items: &[Item]) -> Branch {
    Branch {
        hash: sealed.head(&items[..seq]),
        after: items[seq..].iter().map(Item::digest).collect(),
        seal: sealed.sealed_over(items),
    }
}

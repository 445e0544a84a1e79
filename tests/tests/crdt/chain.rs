//! Chains and seals: a signature covers every byte before it, and one log of one tenant only.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{
    Capability, ChainError, Role, Signer, decode_chain, encode_chain, verify, verify_chain,
};
use stockroom_crdt::chain::{Head, LogId, Moment, Seal, advance, advance_by_digest};
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::ids::{Actor, Digest, NodeId, StoreId, TenantId};
use stockroom_crdt::scope::Scope;
use stockroom_tests::property::check;

use super::arbitrary::{digest, entry, tenant, u64s};
use super::facts::{capability, log_id, moment};
use super::runs::items;

#[test]
fn a_seal_covers_every_byte_before_it() {
    let input = (sealed(), any::<Index>(), 1..=255u8);
    check("a_seal_covers_every_byte_before_it", 400, input, |(sealed, place, bits)| {
        prop_assert!(sealed.verifies(&sealed.items));
        let mut changed = sealed.items.clone();
        let item = place.index(changed.len());
        let byte = place.index(changed[item].bytes.len());
        changed[item].bytes[byte] ^= bits;
        prop_assert!(!sealed.verifies(&changed), "byte {} of entry {}", byte, item);
        Ok(())
    });
}

#[test]
fn entries_left_out_repeated_or_swapped_break_the_seal() {
    check("entries_left_out_repeated_or_swapped_break_the_seal", 300, (sealed(), any::<Index>()), |(sealed, place)| {
        let place = place.index(sealed.items.len());
        let mut fewer = sealed.items.clone();
        let item = fewer.remove(place);
        prop_assert!(!sealed.verifies(&fewer));
        let mut twice = sealed.items.clone();
        twice.insert(place, item);
        prop_assert!(!sealed.verifies(&twice));
        let mut swapped = sealed.items.clone();
        swapped.rotate_left(1);
        prop_assert_eq!(sealed.verifies(&swapped), swapped == sealed.items);
        Ok(())
    });
}

#[test]
fn a_seal_holds_for_its_own_tenant_log_key_position_and_clocks_only() {
    let input = (sealed(), tenant(), log_id(), any::<[u8; 32]>());
    check("a_seal_holds_for_its_own_log_only", 300, input, |(sealed, tenant, log, seed)| {
        let Sealed { seal, key, .. } = &sealed;
        let hash = sealed.head(&sealed.items);
        prop_assert!(seal.verify(key, sealed.tenant, &sealed.log, hash));
        prop_assert!(!seal.verify(key, tenant, &sealed.log, hash));
        prop_assert_ne!(sealed.log.genesis(tenant), sealed.log.genesis(sealed.tenant));
        prop_assert_eq!(seal.verify(key, sealed.tenant, &log, hash), log == sealed.log);
        prop_assert!(!seal.verify(&Signer::from_seed(&seed).public(), sealed.tenant, &sealed.log, hash));
        let actor = sealed.log.actor;
        for other in [
            LogId { actor: Actor::new(actor.node.0 ^ 1, actor.epoch.0), scope: sealed.log.scope.clone() },
            LogId { actor: Actor::new(actor.node.0, actor.epoch.0 ^ 1), scope: sealed.log.scope.clone() },
            LogId { actor, scope: Scope::Orders(4_711) },
        ] {
            prop_assert!(!seal.verify(key, sealed.tenant, &other, hash), "{:?}", other);
            prop_assert_ne!(other.genesis(sealed.tenant), sealed.log.genesis(sealed.tenant));
        }
        for forged in others(seal) {
            prop_assert!(!forged.verify(key, sealed.tenant, &sealed.log, hash), "{:?}", forged);
        }
        Ok(())
    });
}

#[test]
fn a_changed_bit_of_a_signature_is_found() {
    check("a_changed_bit_of_a_signature_is_found", 20, sealed(), |sealed| {
        let hash = sealed.head(&sealed.items);
        for bit in 0..512 {
            let mut seal = sealed.seal.clone();
            seal.signature[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(!seal.verify(&sealed.key, sealed.tenant, &sealed.log, hash), "bit {}", bit);
        }
        Ok(())
    });
}

#[test]
fn seals_and_logs_round_trip() {
    check(
        "seals_and_logs_round_trip",
        500,
        (u64s(), moment(), any::<[u8; 64]>(), log_id()),
        |(seq, moment, signature, log)| {
            let seal = Seal { seq, moment, signature };
            let bytes = Rows::of(|rows| seal.encode(rows));
            let mut reader = RowReader::new(&bytes);
            prop_assert_eq!(Seal::decode(&mut reader), Ok(seal));
            prop_assert_eq!(reader.finish(), Ok(()));
            prop_assert_eq!(LogId::decode(&mut RowReader::new(&log.to_bytes())), Ok(log));
            Ok(())
        },
    );
}

#[test]
fn the_chain_can_be_followed_by_hashes_alone() {
    check("the_chain_can_be_followed_by_hashes_alone", 200, (digest(), entry()), |(before, entry)| {
        let item = Item::new(entry);
        prop_assert_eq!(advance(before, &item.bytes), advance_by_digest(before, item.digest()));
        prop_assert_ne!(advance(before, &item.bytes), before);
        Ok(())
    });
}

#[test]
fn a_changed_byte_of_a_capability_chain_is_found() {
    let family = Family::new();
    let chain = [family.hub(100, 199), family.store(150, 1)];
    let bytes = Rows::of(|rows| encode_chain(&chain, rows));
    assert!(verify_chain(&family.root.public(), TENANT, &chain).is_ok());
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << bit;
            let mut reader = RowReader::new(&changed);
            let Ok(read) = decode_chain(&mut reader) else { continue };
            let accepted = reader.finish().is_ok() && verify_chain(&family.root.public(), TENANT, &read).is_ok();
            assert!(!accepted, "bit {bit} of byte {place}");
        }
    }
}

#[test]
fn capability_chains_round_trip() {
    check("capability_chains_round_trip", 300, vec(capability(), 0..=3), |chain| {
        let bytes = Rows::of(|rows| encode_chain(&chain, rows));
        prop_assert_eq!(decode_chain(&mut RowReader::new(&bytes)), Ok(chain));
        Ok(())
    });
}

#[test]
fn a_chain_reordered_shortened_or_grown_is_not_believed() {
    let family = Family::new();
    let (hub, store) = (family.hub(100, 199), family.store(150, 1));
    let check = |chain: &[Capability]| verify_chain(&family.root.public(), TENANT, chain).map(|link| link.node);
    assert_eq!(check(&[hub.clone(), store.clone()]), Ok(NodeId(150)));
    assert_eq!(check(std::slice::from_ref(&store)), Err(ChainError::Issuer));
    assert_eq!(check(&[store.clone(), hub.clone()]), Err(ChainError::Issuer));
    assert_eq!(check(&[hub.clone(), hub.clone()]), Err(ChainError::Issuer));
    let long = [hub.clone(), store.clone(), store.clone(), store.clone()];
    assert_eq!(check(&long), Err(ChainError::Length));
    let by_root = Capability { issuer: NodeId(0), ..store };
    assert_eq!(check(&[by_root]), Err(ChainError::Signature));
    assert_eq!(verify_chain(&family.root.public(), TenantId([8; 16]), &[hub]), Err(ChainError::Signature));
}

#[test]
fn a_hub_cannot_hand_down_more_node_ids_than_it_has() {
    let family = Family::new();
    let top = family.hub(100, 199);
    let sub = |first, last| {
        let words = capability_of(120, Role::Hub, 1, &family.store_key, first, last);
        words.sign(TENANT, &family.hub_key)
    };
    let leaf = |node| capability_of(node, Role::Store, 120, &family.root, 0, 0).sign(TENANT, &family.store_key);
    let check = |chain: &[Capability]| verify_chain(&family.root.public(), TENANT, chain).map(|link| link.node);
    assert_eq!(check(&[top.clone(), sub(130, 139), leaf(135)]), Ok(NodeId(135)));
    assert_eq!(check(&[top.clone(), sub(130, 139), leaf(140)]), Err(ChainError::Entitlement));
    assert_eq!(check(&[top.clone(), sub(0, 0)]), Ok(NodeId(120)), "a hub that gives out nothing");
    for (first, last) in [(1, 139), (130, 200), (0, u32::MAX)] {
        assert_eq!(check(&[top.clone(), sub(first, last), leaf(135)]), Err(ChainError::Entitlement), "{first}-{last}");
    }
}

#[test]
fn a_signature_of_one_kind_does_not_pass_for_another() {
    let family = Family::new();
    let log = LogId { actor: Actor::new(1, 1), scope: Scope::Control };
    let head = Head { seq: 1, hash: Digest([5; 32]) };
    let moment = Moment { boot: 1, mono_ms: 2, wall_ms: 3, day: 4 };
    let seal = Seal::sign(&family.root, TENANT, &log, head, moment);
    let forged = Capability { signature: seal.signature, ..family.hub(100, 199) };
    assert_eq!(verify_chain(&family.root.public(), TENANT, &[forged]), Err(ChainError::Signature));
    assert!(!verify(&family.root.public(), &head.hash.0, &seal.signature), "a seal never signs a bare hash");
}

/// A log with a seal at its end.
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Whose tenant.
    pub tenant: TenantId,
    /// Which log.
    pub log: LogId,
    /// All entries.
    pub items: Vec<Item>,
    /// Covers them all.
    pub seal: Seal,
    /// The author's public key.
    pub key: [u8; 32],
    seed: [u8; 32],
}

impl Sealed {
    fn verifies(&self, items: &[Item]) -> bool {
        self.seal.verify(&self.key, self.tenant, &self.log, self.head(items))
    }

    /// The hash after these entries.
    pub fn head(&self, items: &[Item]) -> Digest {
        items.iter().fold(self.log.genesis(self.tenant), |hash, item| advance(hash, &item.bytes))
    }

    /// A seal by the same author over other entries.
    pub fn sealed_over(&self, items: &[Item]) -> Seal {
        let head = Head { seq: items.len() as u64, hash: self.head(items) };
        Seal::sign(&Signer::from_seed(&self.seed), self.tenant, &self.log, head, self.seal.moment)
    }
}

/// Any sealed log of at least one entry.
pub fn sealed() -> impl Strategy<Value = Sealed> {
    (tenant(), log_id(), vec(entry(), 1..8), moment(), any::<[u8; 32]>()).prop_map(
        |(tenant, log, entries, moment, seed)| {
            let key = Signer::from_seed(&seed).public();
            let seal = Seal { seq: 0, moment, signature: [0; 64] };
            let unsigned = Sealed { tenant, log, items: items(entries), seal, key, seed };
            Sealed { seal: unsigned.sealed_over(&unsigned.items), ..unsigned }
        },
    )
}

/// The same signature under other words.
fn others(seal: &Seal) -> Vec<Seal> {
    let with = |change: fn(&mut Seal)| {
        let mut other = seal.clone();
        change(&mut other);
        other
    };
    vec![
        with(|seal| seal.seq ^= 1),
        with(|seal| seal.moment.boot ^= 1),
        with(|seal| seal.moment.mono_ms ^= 1),
        with(|seal| seal.moment.wall_ms ^= 1),
        with(|seal| seal.moment.day ^= 1),
        with(|seal| std::mem::swap(&mut seal.moment.boot, &mut seal.moment.mono_ms)),
    ]
    .into_iter()
    .filter(|other| other != seal)
    .collect()
}

struct Family {
    root: Signer,
    hub_key: Signer,
    store_key: Signer,
}

impl Family {
    fn new() -> Self {
        let key = |byte| Signer::from_seed(&[byte; 32]);
        Self { root: key(1), hub_key: key(2), store_key: key(3) }
    }

    fn hub(&self, first: u32, last: u32) -> Capability {
        capability_of(1, Role::Hub, 0, &self.hub_key, first, last).sign(TENANT, &self.root)
    }

    fn store(&self, node: u32, issuer: u32) -> Capability {
        capability_of(node, Role::Store, issuer, &self.store_key, 0, 0).sign(TENANT, &self.hub_key)
    }
}

fn capability_of(node: u32, role: Role, issuer: u32, key: &Signer, first: u32, last: u32) -> Capability {
    Capability {
        node: NodeId(node),
        role,
        store: StoreId(if role == Role::Store { 7 } else { 0 }),
        log_key: key.public(),
        seal_key: [0; 32],
        range_first: first,
        range_last: last,
        issued_ms: 1,
        issuer: NodeId(issuer),
        signature: [0; 64],
    }
}

const TENANT: TenantId = TenantId([9; 16]);

//! Arbitrary valid words and entries of every kind. Valid means: what an honest node could have written.
//!
//! Numbers are drawn near their bounds on purpose, and small pools make repetitions likely, because columns treat equal and
//! unequal neighbours differently.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact, Opaque, kind};
use stockroom_crdt::gtin::Gtin;
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, StoreId, TenantId};
use stockroom_crdt::limits::{AMOUNT_MAX, CODE_BYTES_MAX, NAME_BYTES_MAX, QUANTITY_MAX};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::product::Barcode;
use stockroom_crdt::scope::Scope;

use super::facts;

/// An entry of any kind, known or not.
pub fn entry() -> BoxedStrategy<Entry> {
    prop_oneof![
        8 => proptest::sample::select(kind::ALL.to_vec()).prop_flat_map(entry_of),
        1 => (hlc(), opaque()).prop_map(|(hlc, opaque)| Entry { hlc, fact: Fact::Opaque(opaque) }),
    ]
    .boxed()
}

/// An entry of one known kind.
pub fn entry_of(kind: u16) -> BoxedStrategy<Entry> {
    (hlc(), facts::fact_of(kind)).prop_map(|(hlc, fact)| Entry { hlc, fact }).boxed()
}

/// Entries as a busy store writes them: one kind mostly, times that grow, small pools.
pub fn log(entries: impl Into<proptest::collection::SizeRange>) -> BoxedStrategy<Vec<Entry>> {
    let step = (0u64..5_000, prop_oneof![8 => entry_of(kind::SALE), 1 => entry()]);
    (1_700_000_000_000u64..1_800_000_000_000, vec(step, entries))
        .prop_map(|(mut ms, steps)| {
            let place = |(step, entry): (u64, Entry)| {
                ms += step;
                Entry { hlc: Hlc::new(ms, 0), ..entry }
            };
            steps.into_iter().map(place).collect()
        })
        .boxed()
}

fn opaque() -> impl Strategy<Value = Opaque> {
    let unknown = any::<u16>().prop_map(|kind| if kind::ALL.contains(&kind) { kind + 1_000 } else { kind });
    (unknown, any::<bool>(), vec(any::<u8>(), 0..200)).prop_map(|(kind, critical, body)| Opaque {
        kind,
        critical,
        body,
    })
}

/// Times anywhere in the 48 bits.
pub fn hlc() -> impl Strategy<Value = Hlc> {
    let ms = prop_oneof![Just(0), Just((1 << 48) - 1), 0..1u64 << 48, 1_700_000_000_000u64..1_700_000_100_000];
    (ms, prop_oneof![4 => Just(0), 1 => any::<u16>()]).prop_map(|(ms, counter)| Hlc::new(ms, counter))
}

/// Numbers that like the edges of varints and of words.
pub fn u64s() -> impl Strategy<Value = u64> {
    let edges = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), 1 << 63, u64::MAX];
    prop_oneof![2 => proptest::sample::select(edges.to_vec()), 3 => 0..1_000u64, 1 => any::<u64>()]
}

/// 32-bit numbers that like their edges.
pub fn u32s() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 1 => Just(u32::MAX), 3 => 0..100u32, 1 => any::<u32>()]
}

/// Sums of money of either sign.
pub fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -20_000..20_000i64, 1 => -AMOUNT_MAX..=AMOUNT_MAX, 1 => Just(AMOUNT_MAX), 1 => Just(-AMOUNT_MAX)]
}

/// Quantities of at least 1.
pub fn quantity() -> impl Strategy<Value = i64> {
    prop_oneof![6 => 1..4i64, 1 => 1..=QUANTITY_MAX, 1 => Just(QUANTITY_MAX)]
}

/// Quantities of either sign, never 0.
pub fn signed_quantity() -> impl Strategy<Value = i64> {
    (quantity(), prop::bool::weighted(0.1)).prop_map(|(quantity, back)| if back { -quantity } else { quantity })
}

/// Units.
pub fn unit() -> impl Strategy<Value = Unit> {
    prop_oneof![5 => Just(Unit::Each), 1 => Just(Unit::Gram)]
}

/// SKUs: numbers from a small pool, and every other form that a SKU can take.
pub fn sku() -> impl Strategy<Value = Sku> {
    let text = vec(proptest::sample::select(SKU_CHARACTERS.chars().collect::<Vec<_>>()), 1..=CODE_BYTES_MAX)
        .prop_map(|characters| characters.into_iter().collect::<String>());
    let odd =
        proptest::sample::select(vec!["0", "007", "999999999999999999", "1000000000000000000", "-1", "1.5", "1/2"]);
    prop_oneof![
        6 => (820_000u32..820_040).prop_map(|number| number.to_string()),
        1 => any::<u64>().prop_map(|number| number.to_string()),
        1 => odd.prop_map(str::to_owned),
        1 => text,
    ]
    .prop_map(|text| Sku::parse(&text).unwrap())
}

/// Codes: often none, often one of a few, sometimes as long as they may be.
pub fn code() -> impl Strategy<Value = Code> {
    let few = proptest::sample::select(vec!["a", "s-17", "REWE 12", "möwe", "数量", "a b/c:d"]);
    prop_oneof![
        3 => Just(String::new()),
        4 => few.prop_map(str::to_owned),
        1 => text(CODE_BYTES_MAX),
        1 => Just("x".repeat(CODE_BYTES_MAX)),
    ]
    .prop_map(|text| Code::parse(&text).unwrap())
}

/// A code that is not empty.
pub fn some_code() -> impl Strategy<Value = Code> {
    code().prop_map(|code| if code.is_empty() { Code::parse("some").unwrap() } else { code })
}

/// A name of at least one and at most as many bytes as a name may have.
pub fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("Mainstream 26 Oz".to_owned()), text(NAME_BYTES_MAX), Just("n".repeat(NAME_BYTES_MAX))]
        .prop_map(|name| if name.is_empty() { "?".to_owned() } else { name })
}

fn text(bytes_max: usize) -> impl Strategy<Value = String> {
    vec(any::<char>().prop_map(|c| if c.is_control() { '?' } else { c }), 0..40).prop_map(move |characters| {
        let mut text = String::new();
        for character in characters {
            if text.len() + character.len_utf8() <= bytes_max {
                text.push(character);
            }
        }
        text
    })
}

/// Currencies.
pub fn currency() -> impl Strategy<Value = Currency> {
    proptest::sample::select(vec!["USD", "EUR", "CNY", "AAA", "ZZZ"]).prop_map(|text| Currency::parse(text).unwrap())
}

/// Barcodes in the order of their numbers.
pub fn barcodes() -> impl Strategy<Value = Vec<Barcode>> {
    btree_map(gtin(), prop_oneof![Just(1), 1..=u32::MAX], 0..6)
        .prop_map(|packs| packs.into_iter().map(|(gtin, pack)| Barcode { gtin, pack }).collect())
}

/// GTINs with a right check digit.
pub fn gtin() -> impl Strategy<Value = Gtin> {
    prop_oneof![0..10_000_000_000_000u64, 200_000_000_000..300_000_000_000u64].prop_map(gtin_of)
}

/// The GTIN whose digits before the check digit are `body`.
pub fn gtin_of(body: u64) -> Gtin {
    (0..10).find_map(|check| Gtin::from_number(body * 10 + check).ok()).expect("one of ten check digits is right")
}

/// Hashes.
pub fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest)
}

/// Tenants.
pub fn tenant() -> impl Strategy<Value = TenantId> {
    any::<[u8; 16]>().prop_map(TenantId)
}

/// Writers from a small pool, so that they meet.
pub fn actor() -> impl Strategy<Value = Actor> {
    (prop_oneof![4 => 1..4u32, 1 => any::<u32>()], prop_oneof![4 => 1..3u16, 1 => any::<u16>()])
        .prop_map(|(node, epoch)| Actor::new(node, epoch))
}

/// Scopes of every kind.
pub fn scope() -> impl Strategy<Value = Scope> {
    prop_oneof![
        Just(Scope::Control),
        u32s().prop_map(|n| Scope::StoreRights(StoreId(n))),
        u32s().prop_map(|n| Scope::StoreOrders(StoreId(n))),
        u32s().prop_map(|n| Scope::StoreStock(StoreId(n))),
        u32s().prop_map(|n| Scope::StoreHistory(StoreId(n))),
        u32s().prop_map(|store| Scope::StoreMembers(StoreId(store))),
        code().prop_map(Scope::Prices),
        Just(Scope::Catalog),
        u32s().prop_map(Scope::Orders),
    ]
}

const SKU_CHARACTERS: &str = "ABCXYZabcxyz0123456789.-_/";

#[test]
fn every_known_kind_is_generated() {
    for number in kind::ALL {
        stockroom_tests::property::check("every_known_kind_is_generated", 4, entry_of(number), |entry| {
            prop_assert_eq!(entry.fact.kind(), number);
            Ok(())
        });
    }
}

//! Hostile bytes: decoding never panics, and never gives more than the limits allow for what arrived.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::capability::decode_chain;
use stockroom_crdt::chain::{LogId, Seal};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, col, put_varint};
use stockroom_crdt::count::CountScan;
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::fork::ForkProof;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::limits::{ENTRY_BYTES_MAX, RUN_ENTRIES_MAX, RUN_EXPANSION_FLOOR, RUN_EXPANSION_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;
use stockroom_tests::property::{Verdict, check};

use super::arbitrary::{entry, entry_of, log};
use super::runs::{columns_of, items, rows_of};

#[test]
fn noise_is_refused_without_panic() {
    check("noise_is_refused_without_panic", 5_000, vec(any::<u8>(), 0..300), |bytes| {
        let mut reader = RowReader::new(&bytes);
        let _ = (Entry::from_bytes(&bytes), Scope::from_bytes(&bytes), Seal::decode(&mut reader));
        let _ = (ForkProof::decode(&mut RowReader::new(&bytes)), decode_chain(&mut RowReader::new(&bytes)));
        let _ = LogId::decode(&mut RowReader::new(&bytes));
        for form in 0..3 {
            let run = [&[form, bytes.len() as u8 & 0x7f], bytes.as_slice()].concat();
            bounded(&run)?;
        }
        bounded(&bytes)
    });
}

#[test]
fn a_damaged_run_is_refused_or_read_within_the_limits() {
    let runs = prop_oneof![vec(entry(), 1..12), log(1..12)].prop_map(items);
    let input = (runs, any::<bool>(), vec(damage(), 1..4));
    check("a_damaged_run_is_refused_or_read_within_the_limits", 6_000, input, |(items, columns, damages)| {
        let mut bytes = if columns { columns_of(&items) } else { rows_of(&items) };
        for damage in damages {
            damage.apply(&mut bytes);
        }
        bounded(&bytes)
    });
}

#[test]
fn a_run_is_refused_exactly_when_it_expands_too_far() {
    let input = (proptest::sample::select(kind::ALL.to_vec()).prop_flat_map(entry_of), 1..=RUN_ENTRIES_MAX);
    check("a_run_is_refused_exactly_when_it_expands_too_far", 500, input, |(entry, count)| {
        let items = vec![Item::new(entry); count];
        let bytes = columns_of(&items);
        if canonical_bytes(&items) <= expansion_max(bytes.len()) {
            prop_assert_eq!(decode_run(&bytes), Ok(items.clone()));
        } else {
            prop_assert_eq!(decode_run(&bytes), Err(DecodeError::Limit("expansion")));
        }
        prop_assert_eq!(decode_run(&encode_run(&items, u16::MAX)), Ok(items));
        Ok(())
    });
}

#[test]
fn a_few_bytes_that_claim_256_large_entries_are_refused() {
    let scan = CountScan {
        session: u64::MAX,
        zone: Code::default(),
        sku: Sku::parse("999999999999999999").unwrap(),
        unit: Unit::Each,
        quantity: 10_000_000,
        settles: false,
        staff: Code::default(),
    };
    let entry = Entry { hlc: Hlc::new((1 << 48) - 1, u16::MAX), fact: Fact::CountScan(scan) };
    let items = vec![Item::new(entry); RUN_ENTRIES_MAX];
    let bomb = columns_of(&items);
    assert!(bomb.len() < 100, "{} bytes", bomb.len());
    assert!(canonical_bytes(&items) > expansion_max(bomb.len()), "{} bytes", canonical_bytes(&items));
    assert_eq!(decode_run(&bomb), Err(DecodeError::Limit("expansion")));
    let honest = encode_run(&items, u16::MAX);
    assert_eq!(decode_run(&honest), Ok(items));
}

#[test]
fn a_few_bytes_that_claim_256_sales_of_1000_lines_are_refused() {
    let mut bytes = vec![1];
    put_varint(&mut bytes, 256);
    put_column(&mut bytes, CONSTANT, &[u64::from(kind::SALE) << 2], &[]);
    for number in 1..col::COUNT_OF_COLUMNS as u8 {
        let value = match number {
            col::LINE_COUNT => 1_000,
            col::SKU | col::QUANTITY => 2,
            _ => 0,
        };
        put_column(&mut bytes, CONSTANT, &[value], &[0]);
    }
    assert!(bytes.len() < 300, "{} bytes", bytes.len());
    assert_eq!(decode_run(&bytes), Err(DecodeError::Limit("expansion")));
}

#[test]
fn a_length_that_the_bytes_do_not_hold_is_refused() {
    for claim in [1u64 << 20, 1 << 40, u64::MAX] {
        let mut rows = vec![0, 1];
        put_varint(&mut rows, claim);
        assert!(decode_run(&rows).is_err());
        for lengths in [[claim, 0], [0, claim], [claim, claim]] {
            let mut columns = vec![1, 1, 1];
            lengths.iter().for_each(|&length| put_varint(&mut columns, length));
            assert!(decode_run(&columns).is_err());
        }
    }
}

#[test]
fn columns_or_forms_that_do_not_exist_are_refused() {
    let run = |head: u64| {
        let mut bytes = vec![1, 0];
        put_varint(&mut bytes, head);
        bytes.push(0);
        decode_run(&bytes)
    };
    let last = col::COUNT_OF_COLUMNS as u64 - 1;
    assert_eq!(run(last << 4), Ok(vec![]));
    assert_eq!(run((last + 1) << 4), Err(DecodeError::Value("column")));
    assert_eq!(run(u64::MAX << 4), Err(DecodeError::Value("column")));
    for form in [6, 7] {
        assert_eq!(run(form << 1), Err(DecodeError::Value("form of a column")));
    }
    assert_eq!(run(u64::from(CONSTANT) << 1), Err(DecodeError::Left), "a constant that nobody asked for");
}

/// Whatever `bytes` decode to is canonical, and not larger than the limits allow.
fn bounded(bytes: &[u8]) -> Verdict {
    let Ok(items) = decode_run(bytes) else { return Ok(()) };
    prop_assert!(items.len() <= RUN_ENTRIES_MAX);
    prop_assert!(canonical_bytes(&items) <= expansion_max(bytes.len()), "{} bytes", canonical_bytes(&items));
    for item in items {
        prop_assert!(item.bytes.len() <= ENTRY_BYTES_MAX);
        prop_assert_eq!(Entry::from_bytes(&item.bytes), Ok(item.entry));
    }
    Ok(())
}

fn canonical_bytes(items: &[Item]) -> usize {
    items.iter().map(|item| item.bytes.len()).sum()
}

fn expansion_max(encoded: usize) -> usize {
    encoded * RUN_EXPANSION_MAX + RUN_EXPANSION_FLOOR
}

/// A column that stands directly behind the one before it.
fn put_column(out: &mut Vec<u8>, form: u8, numbers: &[u64], strings: &[u8]) {
    let mut coded = Vec::new();
    numbers.iter().for_each(|&number| put_varint(&mut coded, number));
    put_varint(out, u64::from(form) << 1 | 1);
    if form != CONSTANT {
        put_varint(out, coded.len() as u64);
    }
    put_varint(out, strings.len() as u64);
    out.extend(coded);
    out.extend_from_slice(strings);
}

const CONSTANT: u8 = 3;

/// What happens to bytes on the way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, u8),
    Remove(Index),
}

impl Damage {
    fn apply(self, bytes: &mut Vec<u8>) {
        let place = |index: Index| if bytes.is_empty() { 0 } else { index.index(bytes.len()) };
        match self {
            Self::Flip(index, bits) => {
                let place = place(index);
                bytes.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= bits);
            }
            Self::Cut(index) => bytes.truncate(place(index)),
            Self::Insert(index, more) => drop(bytes.splice(place(index)..place(index), more)),
            Self::Repeat(index, len) => {
                let place = place(index);
                let part: Vec<u8> = bytes.iter().skip(place).take(len.into()).copied().collect();
                bytes.splice(place..place, part);
            }
            Self::Remove(index) if !bytes.is_empty() => drop(bytes.remove(place(index))),
            Self::Remove(_) => {}
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (any::<Index>(), 1..=255u8).prop_map(|(index, bits)| Damage::Flip(index, bits)),
        1 => any::<Index>().prop_map(Damage::Cut),
        2 => (any::<Index>(), vec(any::<u8>(), 1..12)).prop_map(|(index, more)| Damage::Insert(index, more)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(index, len)| Damage::Repeat(index, len)),
        2 => any::<Index>().prop_map(Damage::Remove),
    ]
}

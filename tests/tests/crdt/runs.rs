//! Runs: grouping and compression never change what is signed.

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::codec::{DecodeError, Rows, Sink, col, put_varint};
use stockroom_crdt::columns::ColumnWriter;
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_tests::property::check;

use super::arbitrary::{entry, entry_of, log};
use super::canonical::encode_rest;

#[test]
fn runs_of_any_entries_round_trip() {
    check("runs_of_any_entries_round_trip", 300, (vec(entry(), 0..40), kind_max()), |(entries, kind_max)| {
        round_trip(&items(entries), kind_max)
    });
}

#[test]
fn runs_of_a_busy_store_round_trip() {
    check("runs_of_a_busy_store_round_trip", 100, (log(0..60), kind_max()), |(entries, kind_max)| {
        round_trip(&items(entries), kind_max)
    });
}

#[test]
fn runs_of_every_size_round_trip() {
    check("runs_of_every_size_round_trip", 2, (log(RUN_ENTRIES_MAX), kind_max()), |(entries, kind_max)| {
        let items = items(entries);
        (1..=RUN_ENTRIES_MAX).try_for_each(|size| round_trip(&items[..size], kind_max))
    });
}

#[test]
fn both_forms_carry_the_same_bytes() {
    check("both_forms_carry_the_same_bytes", 300, vec(entry(), 0..40), |entries| {
        let items = items(entries);
        prop_assert_eq!(decode_run(&rows_of(&items)), Ok(items.clone()));
        prop_assert_eq!(decode_run(&columns_of(&items)), Ok(items));
        Ok(())
    });
}

#[test]
fn the_encoder_takes_the_smaller_form() {
    let input = (vec(entry(), 0..8), 1..6usize);
    check("the_encoder_takes_the_smaller_form", 3_000, input, |(entries, repeats)| {
        let items = items(vec![entries; repeats].concat());
        let (rows, columns) = (rows_of(&items), columns_of(&items));
        let columns_allowed = decode_run(&columns).is_ok();
        let expected = if columns_allowed && columns.len() < rows.len() { columns } else { rows };
        prop_assert_eq!(encode_run(&items, u16::MAX), expected);
        Ok(())
    });
}

#[test]
fn one_entry_goes_as_a_row_and_many_alike_go_as_columns() {
    check("one_entry_goes_as_a_row_and_many_alike_go_as_columns", 20, entry_of(kind::DAY_CLOSE), |entry| {
        let items = vec![Item::new(entry); 20];
        prop_assert_eq!(encode_run(&items[..1], u16::MAX)[0], FORM_ROWS);
        prop_assert_eq!(encode_run(&items, u16::MAX)[0], FORM_COLUMNS);
        Ok(())
    });
}

#[test]
fn a_kind_above_the_readers_travels_raw_and_keeps_its_bytes() {
    check("a_kind_above_the_readers_travels_raw_and_keeps_its_bytes", 50, vec(entry_of(kind::SALE), 64), |entries| {
        let items = items(entries);
        let (known, raw) = (encode_run(&items, kind::SALE), encode_run(&items, kind::SALE - 1));
        prop_assert_eq!(decode_run(&raw), Ok(items.clone()));
        prop_assert_eq!(decode_run(&known), Ok(items.clone()));
        prop_assert_eq!(known[0], FORM_COLUMNS);
        prop_assert!(known.len() < raw.len());
        let as_it_is = |item: &Item| raw.windows(item.bytes.len() - 1).any(|window| window == &item.bytes[1..]);
        prop_assert!(items.iter().all(as_it_is), "a raw entry's canonical bytes stand in the run");
        Ok(())
    });
}

#[test]
fn a_run_of_257_entries_is_refused() {
    let day = Entry {
        hlc: Default::default(),
        fact: Fact::DayClose(stockroom_crdt::day::DayClose { number: 1, staff: Default::default() }),
    };
    let items = vec![Item::new(day); RUN_ENTRIES_MAX + 1];
    assert!(decode_run(&rows_of(&items[1..])).is_ok());
    assert_eq!(decode_run(&rows_of(&items)), Err(DecodeError::Limit("entries of a run")));
    assert_eq!(decode_run(&columns_of(&items)), Err(DecodeError::Limit("entries of a run")));
}

#[test]
fn a_run_with_bytes_left_over_or_of_an_unknown_form_is_refused() {
    check("a_run_with_bytes_left_over_or_of_an_unknown_form_is_refused", 100, vec(entry(), 1..10), |entries| {
        let items = items(entries);
        let rows = rows_of(&items);
        prop_assert_eq!(decode_run(&[rows.as_slice(), &[0]].concat()), Err(DecodeError::Left));
        let columns = columns_of(&items);
        prop_assert!(decode_run(&[columns.as_slice(), &[0]].concat()).is_err());
        let fewer = [&columns[..1], &[items.len() as u8 - 1], &columns[2..]].concat();
        prop_assert_eq!(decode_run(&fewer), Err(DecodeError::Left));
        for form in 2..=255 {
            prop_assert!(decode_run(&[&[form], &rows[1..]].concat()).is_err());
        }
        Ok(())
    });
}

fn round_trip(items: &[Item], kind_max: u16) -> Result<(), TestCaseError> {
    let read = decode_run(&encode_run(items, kind_max));
    prop_assert_eq!(read.as_deref(), Ok(items));
    Ok(())
}

/// The newest kind of a reader that is older than us, just as new, or newer.
fn kind_max() -> impl Strategy<Value = u16> {
    let newest = kind::ALL.into_iter().max().expect("there are kinds");
    prop_oneof![2 => Just(newest), 1 => Just(u16::MAX), 3 => 0..newest]
}

/// Entries with their canonical bytes.
pub fn items(entries: Vec<Entry>) -> Vec<Item> {
    entries.into_iter().map(Item::new).collect()
}

/// The rows form, written by hand: form, count, and each entry's length and bytes.
pub fn rows_of(items: &[Item]) -> Vec<u8> {
    let mut bytes = vec![FORM_ROWS];
    put_varint(&mut bytes, items.len() as u64);
    for item in items {
        put_varint(&mut bytes, item.bytes.len() as u64);
        bytes.extend_from_slice(&item.bytes);
    }
    bytes
}

/// The columns form, whatever its size.
pub fn columns_of(items: &[Item]) -> Vec<u8> {
    let mut writer = ColumnWriter::default();
    for Item { entry, bytes } in items {
        let raw = matches!(entry.fact, Fact::Opaque(_));
        let coded = u64::from(entry.fact.kind()) << 1 | u64::from(entry.fact.is_critical());
        writer.uint(col::KIND, coded << 1 | u64::from(raw));
        if raw {
            let kind_bytes = Rows::of(|rows| rows.uint(col::KIND, coded)).len();
            writer.blob(col::RAW, &bytes[kind_bytes..]);
        } else {
            encode_rest(entry, &mut writer);
        }
    }
    let mut bytes = vec![FORM_COLUMNS];
    put_varint(&mut bytes, items.len() as u64);
    writer.finish(&mut bytes);
    bytes
}

const FORM_ROWS: u8 = 0;
const FORM_COLUMNS: u8 = 1;

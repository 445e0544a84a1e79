//! The laws of join: whatever arrives, in whatever order, however often, every replica ends with the same cells.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use stockroom_crdt::cell::{Cell, CellKey, Cells, Merged, Precedence, Stamp};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{Rows, Sink};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Digest};
use stockroom_tests::property::{Verdict, check};

use super::arbitrary::{entry, hlc, u32s};

type Write = (CellKey, Cell<Vec<u8>>);

#[test]
fn order_and_repetition_do_not_matter() {
    let orders = writes().prop_flat_map(|writes| {
        let again = [writes.as_slice(), &writes[..writes.len() / 2]].concat();
        (Just(writes), Just(again).prop_shuffle())
    });
    check("order_and_repetition_do_not_matter", 500, orders, |(writes, again)| {
        let cells = merged(&writes);
        prop_assert_eq!(&cells, &merged(&again));
        agrees_with_the_model(&cells, &writes)
    });
}

#[test]
fn join_is_commutative_associative_and_idempotent() {
    check("join_is_commutative_associative_and_idempotent", 500, (writes(), writes(), writes()), |(a, b, c)| {
        let (a, b, c) = (merged(&a), merged(&b), merged(&c));
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(&join(&a, &a), &a);
        prop_assert_eq!(join(&join(&a, &b), &b), join(&a, &b));
        prop_assert_eq!(&join(&a, &Cells::default()), &a);
        Ok(())
    });
}

#[test]
fn merge_says_truly_what_it_did() {
    check("merge_says_truly_what_it_did", 300, writes(), |writes| {
        let mut cells = Cells::default();
        for (key, cell) in writes {
            let before = cells.iter().find(|(held, _)| **held == key).map(|(_, cell)| cell.stamp);
            let expected = match before {
                None => Merged::New,
                Some(held) if (cell.stamp.seq, cell.stamp.hash) > (held.seq, held.hash) => Merged::Newer,
                Some(_) => Merged::Known,
            };
            prop_assert_eq!(cells.merge(key.clone(), cell.clone()), expected);
            prop_assert_eq!(cells.merge(key, cell), Merged::Known);
        }
        Ok(())
    });
}

#[test]
fn both_branches_of_a_fork_give_the_same_winner_everywhere() {
    let key = CellKey { entity: Box::new(*b"tea"), field: 20, writer: Actor::new(1, 1) };
    let (left, right) = (cell(5, b"left"), cell(5, b"right"));
    let one = merged(&[(key.clone(), left.clone()), (key.clone(), right.clone())]);
    let other = merged(&[(key.clone(), right.clone()), (key.clone(), left.clone())]);
    assert_eq!(one, other);
    let winner = if left.stamp.hash > right.stamp.hash { left } else { right };
    assert_eq!(one.iter().next(), Some((&key, &winner)));
    let later = merged(&[(key.clone(), cell(6, b"later")), (key, winner)]);
    assert_eq!(later.iter().next().unwrap().1.value, b"later");
}

#[test]
fn entries_of_any_kind_join_by_their_cells() {
    let written = (1..4u32, 1..3u16, 1..5u64, entry()).prop_map(|(node, epoch, seq, entry)| {
        let value = entry.to_bytes();
        (entry.fact.cell(Actor::new(node, epoch)), cell(seq, &value))
    });
    let orders = vec(written, 0..30).prop_flat_map(|writes| (Just(writes.clone()), Just(writes).prop_shuffle()));
    check("entries_of_any_kind_join_by_their_cells", 200, orders, |(writes, shuffled)| {
        let cells = merged(&writes);
        prop_assert_eq!(&cells, &merged(&shuffled));
        for (key, cell) in cells.iter() {
            let entry = Entry::from_bytes(&cell.value).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(&entry.fact.cell(key.writer), key, "a value lies in its own cell");
        }
        agrees_with_the_model(&cells, &writes)
    });
}

#[test]
fn records_are_keyed_by_what_they_are_about_and_events_by_what_they_say() {
    check("records_are_keyed_by_what_they_are_about", 1_000, (entry(), hlc()), |(entry, hlc)| {
        let writer = Actor::new(1, 1);
        let key = entry.fact.cell(writer);
        prop_assert_eq!((key.field, key.writer), (entry.fact.kind(), writer));
        prop_assert_eq!(&Entry { hlc, ..entry.clone() }.fact.cell(writer), &key, "the time is no part of the key");
        let number = |n: u32| Rows::of(|rows| rows.uint(0, n.into()));
        let about = match &entry.fact {
            Fact::Node(node) => number(node.capability.node.0),
            Fact::Fence(fence) => number(fence.node.0),
            Fact::Store(store) => number(store.store.0),
            Fact::Template(template) => vec![template.prefix],
            Fact::Product(product) => product.sku.as_str().into(),
            Fact::Recall(recall) => [recall.sku.as_str().as_bytes(), &[0], recall.lot.as_str().as_bytes()].concat(),
            Fact::Price(price) => [price.sku.as_str().as_bytes(), &[0], &price.from_ms.to_be_bytes()].concat(),
            Fact::PolicyRule(rule) => Rows::of(|rows| rule.target.encode(rows)),
            Fact::Consent(consent) => consent.entity(),
            Fact::Routing(rules) => rules.entity(),
            Fact::Service(service) => service.entity(),
            Fact::OrderLimits(limits) => limits.entity(),
            Fact::TaxRate(rate) => {
                let (code, area) = (rate.code.as_str().as_bytes(), rate.area.as_str().as_bytes());
                [code, &[0], area, &[0], &rate.from_ms.to_be_bytes()].concat()
            }
            Fact::TillRules(rules) => number(rules.store.map_or(0, |store| store.0)),
            Fact::Promotion(promotion) => promotion.id.as_str().into(),
            Fact::SaleHours(hours) => {
                let store = hours.store.map_or(0, |store| store.0).to_be_bytes();
                [hours.department.as_str().as_bytes(), &[0], &store].concat()
            }
            Fact::Staff(record) => record.staff.as_str().into(),
            Fact::LabelDone(done) => done.sku.as_str().into(),
            Fact::Loyalty(_) => b"loyalty".to_vec(),
            Fact::Campaign(campaign) => campaign.id().as_str().into(),
            Fact::Rights(rights) => Rows::of(|rows| {
                rights.account.encode(rows);
                rights.class.encode(rows);
            }),
            Fact::Want(want) => Rows::of(|rows| {
                want.account.encode(rows);
                want.class.encode(rows);
                rows.uint(0, want.of.0.into());
            }),
            Fact::Retire(retire) => Rows::of(|rows| retire.actor.encode(rows)),
            Fact::Compensation(compensation) => compensation.id.to_vec(),
            event => Digest::of(&[&body(event)]).short().to_vec(),
        };
        prop_assert_eq!(&*key.entity, about.as_slice());
        Ok(())
    });
}

/// Canonical bytes after kind and time.
fn body(fact: &Fact) -> Vec<u8> {
    let entry = Entry { hlc: Hlc::default(), fact: fact.clone() };
    let head = Rows::of(|rows| rows.uint(0, u64::from(fact.kind()) << 1 | u64::from(fact.is_critical()))).len();
    entry.to_bytes()[head + 2..].to_vec()
}

#[test]
fn the_larger_term_then_epoch_then_position_decides() {
    let one = || (u32s(), u32s(), any::<u16>(), 0..5u64, 0..3u64);
    check("the_larger_term_then_epoch_then_position_decides", 500, (one(), one()), |(left, right)| {
        let precedence =
            |(term, node, epoch, seq, hash)| Precedence::new(term, Actor::new(node, epoch), Stamp { seq, hash });
        let words = |(term, node, epoch, seq, hash)| (term, epoch, seq, hash, node);
        prop_assert_eq!(precedence(left).cmp(&precedence(right)), words(left).cmp(&words(right)));
        Ok(())
    });
}

/// Cells of a few keys, so that they meet; positions repeat with other values, as after a clone of a writer's disk.
fn writes() -> impl Strategy<Value = Vec<Write>> {
    let key = (0..3u8, 20..22u16, 1..3u32, 1..3u16).prop_map(|(entity, field, node, epoch)| CellKey {
        entity: Box::new([entity]),
        field,
        writer: Actor::new(node, epoch),
    });
    vec((key, 1..6u64, vec(0..3u8, 1..3)), 0..40)
        .prop_map(|writes| writes.into_iter().map(|(key, seq, value)| (key, cell(seq, &value))).collect())
}

fn cell(seq: u64, value: &[u8]) -> Cell<Vec<u8>> {
    let hash = Digest::of(&[value]).0;
    let hash = u64::from_be_bytes(hash[..8].try_into().expect("eight bytes"));
    Cell { stamp: Stamp { seq, hash }, value: value.to_vec() }
}

fn merged(writes: &[Write]) -> Cells<Vec<u8>> {
    let mut cells = Cells::default();
    for (key, cell) in writes {
        cells.merge(key.clone(), cell.clone());
    }
    cells
}

fn join(left: &Cells<Vec<u8>>, right: &Cells<Vec<u8>>) -> Cells<Vec<u8>> {
    let mut joined = left.clone();
    joined.join(right.clone());
    joined
}

/// The model: of all writes to a key, the one with the largest (seq, hash).
fn agrees_with_the_model(cells: &Cells<Vec<u8>>, writes: &[Write]) -> Verdict {
    let mut model: BTreeMap<&CellKey, &Cell<Vec<u8>>> = BTreeMap::new();
    for (key, cell) in writes {
        let held = model.entry(key).or_insert(cell);
        if (cell.stamp.seq, cell.stamp.hash) > (held.stamp.seq, held.stamp.hash) {
            *held = cell;
        }
    }
    prop_assert!(cells.iter().eq(model));
    prop_assert_eq!(cells.is_empty(), writes.is_empty());
    Ok(())
}

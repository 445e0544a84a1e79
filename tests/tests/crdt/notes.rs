//! Notes: edits that were made apart from each other merge alike in whatever order they arrive, a fold loses nothing, what is late is written
//! once more, and malformed bytes harm nobody.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{put_varint, take_varint};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, Digest, MemberId, StoreId};
use stockroom_crdt::limits::{NOTE_CHANGE_BYTES_MAX, NOTE_CHAT_KEPT_MAX, NOTE_MERGED_MAX, NOTE_TEXT_BYTES_MAX};
use stockroom_crdt::note::document::{Document, NoteError, State, Written};
use stockroom_crdt::note::edit::Edit;
use stockroom_crdt::note::measure::{MeasureError, measure};
use stockroom_crdt::note::story::Deed;
use stockroom_crdt::note::{NoteChange, NoteId, NoteSnapshot, Stamp, Subject};
use stockroom_crdt::order::OrderId;
use stockroom_tests::property::check;

use super::arbitrary::{code, hlc, sku, u32s, u64s};

/// A fact about a note.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    let bytes = || vec(any::<u8>(), 0..80);
    match number {
        kind::NOTE_CHANGE => {
            (subject(), any::<[u8; 8]>(), code(), proptest::option::of((any::<[u8; 8]>(), stamp())), bytes())
                .prop_map(|(subject, base, staff, origin, bytes)| {
                    let origin = origin.map(|(late, by)| (NoteId(late), by));
                    Fact::NoteChange(NoteChange { subject, base: NoteId(base), staff, origin, bytes })
                })
                .boxed()
        }
        kind::NOTE_SNAPSHOT => {
            let covers = proptest::collection::btree_set(any::<[u8; 8]>().prop_map(NoteId), 0..6);
            (subject(), 1..=u32::MAX, any::<[u8; 8]>(), covers, bytes())
                .prop_map(|(subject, generation, base, covers, bytes)| {
                    let covers = covers.into_iter().collect();
                    Fact::NoteSnapshot(NoteSnapshot { subject, generation, base: NoteId(base), covers, bytes })
                })
                .boxed()
        }
        other => super::loyal::fact_of(other),
    }
}

/// One fixed example of each kind.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let by =
        Stamp { hlc: Hlc::new(1_763_700_000_000, 2), actor: Actor::new(7, 2), staff: Code::parse("anna").unwrap() };
    let change = NoteChange {
        subject: Subject::Member(MemberId(0x1122_3344_5566_7788)),
        base: NoteId([1; 8]),
        staff: Code::parse("ben").unwrap(),
        origin: Some((NoteId([2; 8]), by)),
        bytes: b"sealed".to_vec(),
    };
    let snapshot = NoteSnapshot {
        subject: Subject::Store(StoreId(7)),
        generation: 3,
        base: NoteId([1; 8]),
        covers: vec![NoteId([4; 8]), NoteId([5; 8])],
        bytes: b"plain".to_vec(),
    };
    vec![("note_change", Fact::NoteChange(change)), ("note_snapshot", Fact::NoteSnapshot(snapshot))]
}

fn subject() -> impl Strategy<Value = Subject> {
    let order = (u32s(), 0..OrderId::NUMBER_END);
    prop_oneof![
        u64s().prop_map(|id| Subject::Member(MemberId(id))),
        order.prop_map(|(home, number)| Subject::Order(OrderId { home: Actor::new(home, 0).node, number })),
        u32s().prop_map(|id| Subject::Store(StoreId(id))),
        sku().prop_map(Subject::Product),
    ]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    (hlc(), u32s(), any::<u16>(), code()).prop_map(|(hlc, node, epoch, staff)| Stamp {
        hlc,
        actor: Actor::new(node, epoch),
        staff,
    })
}

/// The first bytes of a note's beginning stand behind every change in every log: if they change, no older change fits any more.
#[test]
fn changes_are_what_they_were() {
    let document = load(&SHOP, None, &[]);
    let edits = [set("close", "20:00"), text("notice", "Wet paint")];
    let bytes = document.edit(&edits, Actor::new(7, 2), 99).unwrap();
    assert_eq!(NoteId::of(&bytes), NoteId(EDIT_NAME), "{:02x?}", NoteId::of(&bytes).0);
}

#[test]
fn edits_on_both_sides_merge_and_conflicts_show_both() {
    let anna = written(
        &load(&SHOP, None, &[]),
        1,
        10,
        &[text("notice", "The door is stuck.\nUse the other one."), set("open", "08:00")],
    );
    let both = [anna.clone()];
    let ben = written(
        &load(&SHOP, None, &both),
        2,
        20,
        &[text("notice", "The big door is stuck.\nUse the other one."), set("open", "09:00")],
    );
    let mia = written(
        &load(&SHOP, None, &both),
        3,
        30,
        &[text("notice", "The door is stuck.\nUse the back door."), set("open", "07:30")],
    );
    let all = [mia.clone(), anna, ben.clone()];
    let state = load(&SHOP, None, &all).state().unwrap();
    assert_eq!(state.texts["notice"], "The big door is stuck.\nUse the back door.");
    let open: Vec<_> = state.values["open"].iter().map(|said| (said.value.as_str(), said.by.actor)).collect();
    assert_eq!(open, [("07:30", Actor::new(3, 1)), ("09:00", Actor::new(2, 1))], "the newest first");
    let settled = written(&load(&SHOP, None, &all), 1, 40, &[set("open", "09:00")]);
    let state = load(&SHOP, None, &[&all[..], &[settled]].concat()).state().unwrap();
    assert_eq!(state.values["open"].len(), 1);
    let story = load(&SHOP, None, &all).story().unwrap();
    assert_eq!(story.iter().map(|chapter| chapter.by.hlc.ms()).collect::<Vec<_>>(), [10, 20, 30]);
    assert!(story[1].deeds.contains(&Deed::Text { field: "notice".into(), came: "big ".into(), gone: 0 }), "{story:?}");
    assert!(story[2].deeds.contains(&Deed::Edit(set("open", "07:30"))));
}

#[test]
fn whoever_holds_the_same_changes_reads_the_same() {
    let input = (vec((0..4u32, edit(), any::<u16>()), 1..16), any::<u64>());
    check("whoever_holds_the_same_changes_reads_the_same", 30, input, |(steps, order)| {
        let all = play(&SHOP, &steps);
        let state = load(&SHOP, None, &all);
        prop_assert!(state.waiting.is_empty() && state.aside.is_empty());
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|change| u64::from_be_bytes(change.id.0).wrapping_mul(order | 1));
        prop_assert_eq!(state.state().unwrap(), load(&SHOP, None, &shuffled).state().unwrap());
        // What builds on something that is not there waits, and nothing else does.
        let some: Vec<_> = shuffled.iter().skip(shuffled.len() / 2).cloned().collect();
        let part = load(&SHOP, None, &some);
        prop_assert_eq!(part.merged().len() + part.waiting.len(), some.len());
        Ok(())
    });
}

#[test]
fn a_fold_says_what_the_changes_said() {
    let steps = || vec((0..4u32, edit(), any::<u16>()), 1..16);
    check("a_fold_says_what_the_changes_said", 30, (steps(), steps()), |(before, after)| {
        let all = play(&SHOP, &before);
        let old = load(&SHOP, None, &all);
        let folded = old.fold(HOME, 1).unwrap();
        let new = load(&SHOP, Some(&folded), &[]);
        prop_assert_eq!(old.state().unwrap(), new.state().unwrap());
        prop_assert_eq!(new.folded(), all.len() as u64);
        // And so it goes on.
        let more = play_on(&SHOP, Some(&folded), &after);
        let again = load(&SHOP, Some(&folded), &more);
        prop_assert!(again.aside.is_empty() && again.waiting.is_empty());
        let twice = load(&SHOP, Some(&again.fold(HOME, 2).unwrap()), &[]);
        prop_assert_eq!(again.state().unwrap(), twice.state().unwrap());
        prop_assert_eq!(twice.folded(), (all.len() + more.len()) as u64);
        Ok(())
    });
}

#[test]
fn what_is_late_is_written_once_more_beside_what_its_author_did_not_see() {
    let first = written(
        &load(&SHOP, None, &[]),
        1,
        10,
        &[set("open", "08:00"), set("music", "on"), text("notice", "one two three")],
    );
    let seen = [first.clone()];
    let late = written(
        &load(&SHOP, None, &seen),
        2,
        20,
        &[set("open", "09:00"), set("music", "off"), text("notice", "one two 3"), set("lamp", "red")],
    );
    let other = written(&load(&SHOP, None, &seen), 3, 30, &[set("open", "07:00"), text("notice", "1 two three")]);
    let folded = load(&SHOP, None, &[first.clone(), other.clone()]).fold(HOME, 1).unwrap();
    let now = load(&SHOP, Some(&folded), &[]);
    let before = load(&SHOP, None, &[first.clone(), other.clone()]);
    let older = load(&SHOP, None, &[first, other, late.clone()]);
    let made = again(&now, (&before, &older), &[late]);
    assert_eq!(made.len(), 2, "over what was seen, and beside what was not");
    let state = load(&SHOP, Some(&folded), &made).state().unwrap();
    assert_eq!(state.texts["notice"], "1 two 3");
    let values = |key: &str| {
        state.values[key].iter().map(|said| (said.value.as_str(), said.by.actor.node.0)).collect::<Vec<_>>()
    };
    assert_eq!(values("open"), [("07:00", 3), ("09:00", 2)], "both are shown");
    assert_eq!(values("music"), [("off", 2)], "nobody else had changed it");
    assert_eq!(values("lamp"), [("red", 2)]);
    assert_eq!(older.state().unwrap().values["open"], state.values["open"], "as if it had come in time");
}

#[test]
fn several_late_changes_of_one_author_stay_what_they_were_together() {
    let first = written(&load(&SHOP, None, &[]), 1, 10, &[set("open", "08:00"), text("notice", "a")]);
    let mut all = vec![first.clone()];
    let mut late = Vec::new();
    for (n, word) in ["ab", "abc", "abcd"].iter().enumerate() {
        late.push(written(&load(&SHOP, None, &all), 2, 20 + n as u64, &[set("open", word), text("notice", word)]));
        all.push(late[n].clone());
    }
    let other = written(&load(&SHOP, None, std::slice::from_ref(&first)), 3, 30, &[text("notice", "xa")]);
    let folded = load(&SHOP, None, &[first.clone(), other.clone()]).fold(HOME, 1).unwrap();
    let (before, older) =
        (load(&SHOP, None, &[first, other.clone()]), load(&SHOP, None, &[&all[..], &[other]].concat()));
    let now = load(&SHOP, Some(&folded), &[]);
    let made = again(&now, (&before, &older), &late);
    let new = load(&SHOP, Some(&folded), &made);
    assert_eq!(new.state().unwrap(), older.state().unwrap(), "as if all had come in time");
    assert_eq!(new.state().unwrap().texts["notice"], "xabcd");
    let twice = again(&new, (&older, &older), &late);
    assert_eq!(twice, [], "nothing is left to do");
}

/// What a home makes of late changes.
fn again(now: &Document, of: (&Document, &Document), late: &[Written]) -> Vec<Written> {
    let mut nonce = 100;
    let ids = late.iter().map(|late| late.id).collect();
    let next = || {
        nonce += 1;
        nonce
    };
    let made = now.again(of, &ids, HOME, next).unwrap().into_iter();
    let by = |id: NoteId| late.iter().find(|late| late.id == id).unwrap().by.clone();
    made.map(|(id, bytes)| Written { id: NoteId::of(&bytes), writer: HOME, by: by(id), bytes }).collect()
}

#[test]
fn a_conversation_keeps_its_newest_messages_and_counts_the_others() {
    let order = Subject::Order(OrderId { home: HOME.node, number: 5 });
    let mut all = Vec::new();
    let mut base: Option<Vec<u8>> = None;
    for round in 0..8 {
        for n in 0..10 {
            let said = Edit::Say { text: format!("{} {}", round * 10 + n, "x".repeat(400)) };
            all.push(written(&load(&order, base.as_deref(), &all), 1, 100 + round * 10 + n, &[said]));
        }
        base = Some(load(&order, base.as_deref(), &all).fold(HOME, round).unwrap());
        all.clear();
    }
    let state = load(&order, base.as_deref(), &[]).state().unwrap();
    assert_eq!(state.chat.len() + state.earlier as usize, 80);
    assert!(state.chat.iter().map(|message| message.text.len()).sum::<usize>() <= NOTE_CHAT_KEPT_MAX);
    assert!(state.chat.last().unwrap().text.starts_with("79 "));
    let stamps: Vec<_> = state.chat.iter().map(|message| message.by.hlc.ms()).collect();
    assert!(stamps.is_sorted() && *stamps.last().unwrap() == 179);
}

#[test]
fn the_largest_edits_fit_an_entry() {
    let all = Subject::Product(stockroom_crdt::ids::Sku::parse("TEA").unwrap());
    let old: String = "Ünïcode is 2 ".chars().cycle().take(NOTE_TEXT_BYTES_MAX / 2).collect();
    let first = written(&load(&all, None, &[]), 1, 1, &[text("title", &old), text("description", &old)]);
    let new: String = "schön wär's ".chars().cycle().take(NOTE_TEXT_BYTES_MAX / 2).collect();
    let second = written(
        &load(&all, None, std::slice::from_ref(&first)),
        1,
        2,
        &[text("title", &new), text("description", &new)],
    );
    assert!(first.bytes.len() <= NOTE_CHANGE_BYTES_MAX && second.bytes.len() <= NOTE_CHANGE_BYTES_MAX);
    let document = load(&all, None, &[first, second]);
    assert_eq!(document.state().unwrap().texts["title"], new);
    let folded = document.fold(HOME, 1).unwrap();
    assert_eq!(load(&all, Some(&folded), &[]).state().unwrap().texts["description"], new);
    let nothing = document.edit(&[text("title", &new)], HOME, 5);
    assert_eq!(nothing, Err(NoteError::Nothing));
}

#[test]
fn damaged_changes_harm_nobody() {
    let damage = prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, to)| Damage::Put(at, to)),
        2 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), vec(any::<u8>(), 1..6)).prop_map(|(at, more)| Damage::Insert(at, more)),
        1 => (any::<Index>(), any::<Index>(), 1..9usize).prop_map(|(from, to, count)| Damage::Copy(from, to, count)),
    ];
    let steps = vec((0..3u32, edit(), any::<u16>()), 2..8);
    let input = (steps, any::<Index>(), vec(damage, 1..4), any::<bool>());
    check("damaged_changes_harm_nobody", 1_000, input, |(steps, which, damages, fits)| {
        let sound = play(&SHOP, &steps);
        if sound.is_empty() {
            return Ok(());
        }
        let mut broken = sound[which.index(sound.len())].clone();
        for damage in &damages {
            damage.apply(&mut broken.bytes);
        }
        if fits {
            mend(&mut broken.bytes);
        }
        broken.id = NoteId::of(&broken.bytes);
        // It claims the number of the sound one in automerge's eyes: what was written first stands.
        broken.by.hlc = Hlc::new(1 << 40, 0);
        if sound.iter().any(|change| change.id == broken.id) {
            return Ok(());
        }
        let all = [&sound[..], std::slice::from_ref(&broken)].concat();
        let document = load(&SHOP, None, &all);
        // What it does not break stands; a change that reads as a sound one may well say something else.
        let names: BTreeSet<_> = sound.iter().map(|change| change.id).collect();
        if document.aside == [broken.id] {
            prop_assert_eq!(document.state().unwrap(), load(&SHOP, None, &sound).state().unwrap());
        }
        prop_assert!(names.is_subset(&document.merged()), "a sound change was lost");
        prop_assert!(document.state().is_ok() && document.story().is_ok());
        // As a snapshot it is malformed, or is one.
        if let Ok(begun) = Document::load(&SHOP, Some((broken.writer, &broken.bytes)), Vec::new()) {
            prop_assert!(begun.state().is_ok());
        }
        Ok(())
    });
}

#[test]
fn a_few_bytes_that_claim_endless_operations_are_refused_before_anybody_counts_them() {
    let sound = written(&load(&SHOP, None, &[]), 1, 1, &[text("notice", "aaaaaaaaaaaaaaaa")]);
    assert_eq!(measure(&sound.bytes, sound.writer), Ok(()));
    assert_eq!(measure(&sound.bytes, Actor::new(9, 1)), Err(MeasureError::Author));
    let bombs = bombs(&sound.bytes);
    assert!(bombs.len() > 4, "a change of text has several columns: {}", bombs.len());
    for bytes in bombs {
        assert_eq!(measure(&bytes, sound.writer), Err(MeasureError::Operations));
        let by = Stamp { hlc: Hlc::new(2, 0), ..sound.by.clone() };
        let broken = Written { id: NoteId::of(&bytes), writer: sound.writer, by, bytes };
        let document = load(&SHOP, None, &[broken.clone(), sound.clone()]);
        assert_eq!((document.aside.as_slice(), document.merged().len()), (&[broken.id][..], 1));
        assert_eq!(document.state().unwrap().texts["notice"], "aaaaaaaaaaaaaaaa");
    }
}

/// A change with one run-length column of which is said that it has 2^62 items, for each column.
fn bombs(sound: &[u8]) -> Vec<Vec<u8>> {
    let uint = |at: &mut usize| {
        let mut rest = &sound[*at..];
        let value = take_varint(&mut rest).unwrap() as usize;
        *at = sound.len() - rest.len();
        value
    };
    let mut at = 9;
    uint(&mut at);
    at += uint(&mut at) * 32;
    at += uint(&mut at);
    // Number, first operation, time 0, message.
    (0..4).for_each(|_| _ = uint(&mut at));
    for _ in 0..uint(&mut at) {
        at += uint(&mut at);
    }
    let begins = at;
    let columns: Vec<_> = (0..uint(&mut at)).map(|_| (uint(&mut at), uint(&mut at))).collect();
    let mut out = Vec::new();
    for bomb in 0..columns.len() {
        let (mut specs, mut data, mut from) = (Vec::new(), Vec::new(), at);
        put_varint(&mut specs, columns.len() as u64);
        for (index, (spec, length)) in columns.iter().enumerate() {
            let own = &sound[from..from + length];
            let column =
                if index == bomb { &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0xc0, 0, 0] } else { own };
            from += length;
            put_varint(&mut specs, *spec as u64);
            put_varint(&mut specs, column.len() as u64);
            data.extend(column);
        }
        let mut bytes = [&sound[..begins], &specs, &data, &sound[from..]].concat();
        mend(&mut bytes);
        // The bytes of values are no runs.
        if columns[bomb].0 & 0b111 != 7 {
            out.push(bytes);
        }
    }
    out
}

#[test]
fn more_changes_than_are_merged_at_once_wait() {
    let one = load(&SHOP, None, &[]);
    let many: Vec<_> =
        (0..NOTE_MERGED_MAX as u64 + 3).map(|n| written(&one, 1, n, &[set("n", &n.to_string())])).collect();
    let document = load(&SHOP, None, &many);
    assert_eq!((document.merged().len(), document.waiting.len()), (NOTE_MERGED_MAX, 3));
}

/// What can happen to bytes.
#[derive(Clone, Debug)]
enum Damage {
    Put(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Copy(Index, Index, usize),
}

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let end = bytes.len();
        match self {
            Self::Put(at, to) => bytes[at.index(end)] = *to,
            Self::Flip(at, bit) => bytes[at.index(end)] ^= 1 << bit,
            Self::Cut(at) => bytes.truncate(at.index(end)),
            Self::Insert(at, more) => _ = bytes.splice(at.index(end)..at.index(end), more.iter().copied()),
            Self::Copy(from, to, count) => {
                let from = from.index(end);
                let part = bytes[from..(from + count).min(end)].to_vec();
                let to = to.index(end);
                bytes.splice(to..(to + part.len()).min(end), part);
            }
        }
    }
}

/// Makes the chunk's length and sum right again, so that damage reaches further in.
fn mend(bytes: &mut Vec<u8>) {
    let Some(at) = bytes.iter().skip(9).position(|byte| byte & 0x80 == 0) else { return };
    let rest = bytes.split_off(9 + at + 1);
    bytes.truncate(9);
    put_varint(bytes, rest.len() as u64);
    let sum = Digest::of(&[&bytes[8..], &rest]);
    bytes[4..8].copy_from_slice(&sum.0[..4]);
    bytes.extend(rest);
}

/// Several people edit, each having seen what a number says of what there is.
fn play(subject: &Subject, steps: &[(u32, Edit, u16)]) -> Vec<Written> {
    play_on(subject, None, steps)
}

fn play_on(subject: &Subject, base: Option<&[u8]>, steps: &[(u32, Edit, u16)]) -> Vec<Written> {
    let mut all: Vec<Written> = Vec::new();
    for (index, (who, edit, sees)) in steps.iter().enumerate() {
        let seen: Vec<_> = all.iter().take(usize::from(*sees) % (all.len() + 1)).cloned().collect();
        let document = load(subject, base, &seen);
        let (author, at) = (Actor::new(who + 1, 1), 1_000 + index as u64);
        if let Ok(bytes) = document.edit(std::slice::from_ref(edit), author, at) {
            all.push(as_written(bytes, author, at));
        }
    }
    all
}

fn edit() -> impl Strategy<Value = Edit> {
    let word = || select(vec!["", "a", "ab", "the door is stuck", "the door", "wet paint", "grün\nund rot", "日本"]);
    prop_oneof![
        3 => word().prop_map(|to| text("notice", to)),
        3 => (select(vec!["open", "close", "lamp"]), "[a-c]").prop_map(|(key, value)| set(key, &value)),
        1 => select(vec!["open", "close"]).prop_map(|key| Edit::Unset { key: key.into() }),
    ]
}

fn load(subject: &Subject, base: Option<&[u8]>, changes: &[Written]) -> Document {
    Document::load(subject, base.map(|bytes| (HOME, bytes)), changes.to_vec()).unwrap()
}

fn written(document: &Document, node: u32, at: u64, edits: &[Edit]) -> Written {
    let author = Actor::new(node, 1);
    as_written(document.edit(edits, author, at).unwrap(), author, at)
}

fn as_written(bytes: Vec<u8>, writer: Actor, at: u64) -> Written {
    let by = Stamp { hlc: Hlc::new(at, 0), actor: writer, staff: Code::parse("anna").unwrap() };
    Written { id: NoteId::of(&bytes), writer, by, bytes }
}

fn set(key: &str, value: &str) -> Edit {
    Edit::Set { key: key.into(), value: value.into() }
}

fn text(field: &str, text: &str) -> Edit {
    Edit::Text { field: field.into(), text: text.into() }
}

#[test]
fn an_empty_note_says_nothing() {
    let state = load(&SHOP, None, &[]).state().unwrap();
    let texts = [("notice".to_owned(), String::new())].into_iter().collect();
    assert_eq!(state, State { texts, ..State::default() });
}

const SHOP: Subject = Subject::Store(StoreId(1));
const HOME: Actor = Actor::new(50, 1);
const EDIT_NAME: [u8; 8] = [152, 1, 18, 249, 53, 168, 141, 20];

//! Members in a small world: enrolled at a store that is cut off, joined with an account on line, fetched where she travels, unreadable when a lease
//! is over, and forgotten for ever when she wants it.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::compact;
use stockroom_core::input::members::{
    EnrolMember, Fetched, MemberAnswer, MemberDeed, MemberRequest, NewConsent, NewValue, Personal, Sought,
};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::limits::{KEYS_IN_FRAME_MAX, MEMBER_FORGET_MS, MEMBER_LEASE_MS};
use stockroom_core::storage::Store;
use stockroom_core::storage::redb::StorageBackend;
use stockroom_core::sync::frames::Frame;
use stockroom_core::sync::keys::KeysFrame;
use stockroom_core::vault::{self, Held, MemberKey};
use stockroom_core::view::View;
use stockroom_core::view::members::{Person, Standing};
use stockroom_crdt::ids::{Code, Digest, MemberId, StoreId};
use stockroom_crdt::member::link::{Evidence, Weight};
use stockroom_crdt::member::value::{Field, Purpose, Slot};
use stockroom_sim::disk::{Disk, FaultyDisk};
use stockroom_sim::world::World;

const HUB: u32 = 1;
const FIRST: u32 = 2;
const SECOND: u32 = 3;
const PHONE: &str = "+86 138 1234 5678";
const HOUR: u64 = 3_600_000;

#[test]
fn enrolled_at_a_store_that_is_cut_off_she_is_recognised_there_and_read_at_the_hub_after_healing() {
    let mut world = shops(1);
    world.cut(FIRST, HUB);
    let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann Sentinel"), (Field::Phone, PHONE)]);
    assert_eq!(found(&mut world, FIRST, "0086-138-1234-5678"), [ann]);
    assert_eq!(person(&world, FIRST, ann).newest(Field::Name).unwrap().text, Some(Personal::new("Ann Sentinel")));
    assert!(View::new(&*world.snapshot(HUB)).member(ann).unwrap().is_none());
    world.connect(FIRST, HUB);
    world.run_ms(5_000);
    assert_eq!(found(&mut world, HUB, PHONE), [ann]);
    let there = person(&world, HUB, ann);
    assert_eq!(there.newest(Field::Name).unwrap().text, Some(Personal::new("Ann Sentinel")));
    assert!(there.agrees(Purpose::Membership) && !there.agrees(Purpose::Messages));
    assert_eq!(there.accounts[0].home, Some(StoreId(1)));
    assert!(View::new(&*world.snapshot(SECOND)).member(ann).unwrap().is_none(), "the other store hears nothing");
}

#[test]
fn two_accounts_with_one_number_are_joined_tentatively_and_for_good_when_both_are_proven() {
    let mut world = shops(2);
    world.cut(FIRST, HUB);
    let line = enrol_at_hub(&mut world, 2, &[(Field::Name, "Ann On Line"), (Field::Phone, PHONE)], true);
    let till = enrol(&mut world, FIRST, &[(Field::Name, "Ann At Till"), (Field::Phone, "0086 13812345678")]);
    world.connect(FIRST, HUB);
    world.run_ms(5_000);
    let both = [line, till].into();
    for node in [HUB, FIRST, SECOND] {
        let snapshot = world.snapshot(node);
        let view = View::new(&*snapshot);
        let known = if node == SECOND { line } else { till };
        assert_eq!(view.member_class(known, Weight::Tentative).unwrap().members, both, "node {node}");
        assert_eq!(view.member_class(known, Weight::Strong).unwrap().members, [known].into(), "node {node}");
    }
    let value = NewValue { field: Field::Phone, text: Personal::new(PHONE), verified: true };
    let slot = Some(Slot { field: Field::Phone, number: 0 });
    say(&mut world, HUB, till, MemberDeed::Set { slot, value }).unwrap();
    world.run_ms(5_000);
    for node in [HUB, FIRST, SECOND] {
        let both = person(&world, node, till);
        assert_eq!(both.class.canonical, line.min(till), "node {node}");
        assert_eq!(both.class.members.len(), 2, "node {node}");
        let names: Vec<_> = both.accounts.iter().flat_map(|account| &account.values).collect();
        assert!(names.iter().all(|value| value.text.is_some()), "node {node} reads both");
    }
    // Un-merged: what there was before, on every side, and it does not come again.
    say(&mut world, HUB, line, MemberDeed::Unlink { other: till, reason: word("mistake") }).unwrap();
    world.run_ms(5_000);
    say(&mut world, FIRST, till, set(Field::Remark, "likes tea")).unwrap();
    world.run_ms(5_000);
    for node in [HUB, FIRST, SECOND] {
        for member in [line, till] {
            let alone = person(&world, node, member);
            assert_eq!((alone.class.members, alone.perhaps.members), ([member].into(), [member].into()), "node {node}");
        }
    }
}

#[test]
fn a_store_links_tentatively_only_and_takes_back_no_more_than_that() {
    let mut world = shops(3);
    let one = enrol(&mut world, FIRST, &[(Field::Card, "A1")]);
    let other = enrol(&mut world, FIRST, &[(Field::Card, "B2")]);
    world.run_ms(5_000);
    let asked = MemberDeed::Link { other, evidence: Evidence::Staff, weight: Weight::Strong };
    say(&mut world, FIRST, one, asked.clone()).unwrap();
    world.run_ms(5_000);
    assert_eq!(person(&world, HUB, one).perhaps.members.len(), 2);
    assert_eq!(person(&world, HUB, one).class.members.len(), 1);
    say(&mut world, HUB, one, asked).unwrap();
    world.run_ms(5_000);
    assert_eq!(person(&world, FIRST, one).class.members.len(), 2);
    let undo = MemberDeed::Unlink { other, reason: word("no") };
    assert!(matches!(say(&mut world, FIRST, one, undo.clone()), Err(Refusal::NotHere(_))));
    say(&mut world, HUB, one, undo).unwrap();
    world.run_ms(5_000);
    assert_eq!(person(&world, FIRST, one).perhaps.members.len(), 1);
}

#[test]
fn she_travels_and_the_other_store_fetches_her_and_keeps_up_with_what_changes() {
    let mut world = shops(4);
    let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann"), (Field::Phone, PHONE)]);
    world.run_ms(5_000);
    world.cut(SECOND, HUB);
    let refused = world.command(SECOND, Command::FindMember(phone(PHONE))).unwrap_err();
    assert!(matches!(&refused, Refusal::NotHere(text) if text.contains("cannot be asked now")), "{refused}");
    world.connect(SECOND, HUB);
    world.run_ms(2_000);
    assert_eq!(fetch(&mut world, SECOND, PHONE), Fetched::Found(vec![ann]));
    world.run_ms(2_000);
    assert_eq!(found(&mut world, SECOND, PHONE), [ann]);
    assert_eq!(fetch(&mut world, SECOND, "+49 30 12345"), Fetched::Found(Vec::new()), "nobody");
    say(&mut world, FIRST, ann, set(Field::Remark, "nuts make her ill")).unwrap();
    world.run_ms(5_000);
    let remark = person(&world, SECOND, ann).newest(Field::Remark).unwrap().clone();
    assert_eq!(remark.text, Some(Personal::new("nuts make her ill")));
    let here = person(&world, FIRST, ann).newest(Field::Remark).unwrap().clone();
    assert_eq!(remark, here, "a copy says when and by whom it was said first");
    world.cut(SECOND, HUB);
    assert_eq!(found(&mut world, SECOND, PHONE), [ann], "also while cut off");
    let report = View::new(&*world.snapshot(HUB)).member_report(ann, 0).unwrap().unwrap();
    assert_eq!(report.leased, [(ann, vec![StoreId(2)])]);
    assert_eq!(report.stores, [(ann, vec![StoreId(1), StoreId(2)])]);
}

#[test]
fn a_lease_runs_out_while_the_store_is_cut_off_and_no_restart_or_clock_stretches_it() {
    for (seed, trick) in [(5, "none"), (6, "restarts"), (7, "clock")] {
        let mut world = shops(seed);
        let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann"), (Field::Phone, PHONE)]);
        world.run_ms(5_000);
        world.cut(FIRST, HUB);
        let late = enrol(&mut world, FIRST, &[(Field::Name, "Late"), (Field::Card, "C3")]);
        let steps = MEMBER_LEASE_MS / (12 * HOUR);
        for step in 0..steps {
            assert!(step < steps / 2 || trick != "none" || !found(&mut world, FIRST, PHONE).is_empty());
            world.run_ms(12 * HOUR);
            match trick {
                "restarts" => {
                    world.crash(FIRST);
                    world.start(FIRST);
                }
                "clock" => world.step_clock(FIRST, -12 * HOUR as i64),
                _ => {}
            }
        }
        world.run_ms(1_000);
        assert_eq!(person(&world, FIRST, ann).accounts[0].standing, Standing::Sealed, "{trick}");
        let gone = world.command(FIRST, Command::FindMember(phone(PHONE)));
        assert!(matches!(gone, Err(Refusal::NotHere(_))), "{trick}: {gone:?}");
        assert_eq!(person(&world, FIRST, late).accounts[0].standing, Standing::Readable, "its only key is here");
        world.connect(FIRST, HUB);
        world.run_ms(5_000);
        assert_eq!(found(&mut world, FIRST, PHONE), [ann], "{trick}: the hub gives the key again");
        assert_eq!(person(&world, HUB, late).accounts[0].standing, Standing::Readable);
    }
}

#[test]
fn more_keys_than_a_frame_holds_come_again_one_frame_after_the_other() {
    let mut world = shops(17);
    let members: Vec<_> =
        (0..KEYS_IN_FRAME_MAX + 50).map(|n| enrol(&mut world, FIRST, &[(Field::Card, &format!("C{n}"))])).collect();
    world.run_ms(5_000);
    world.cut(FIRST, HUB);
    world.run_ms(MEMBER_LEASE_MS + HOUR);
    let readable = |world: &World| {
        let snapshot = world.snapshot(FIRST);
        members.iter().filter(|member| vault::is_readable(&*snapshot, **member).unwrap()).count()
    };
    assert_eq!(readable(&world), 0);
    world.connect(FIRST, HUB);
    world.run_ms(5_000);
    assert_eq!(readable(&world), members.len());
}

#[test]
fn a_lease_goes_on_as_long_as_the_hub_is_heard() {
    let mut world = shops(8);
    let ann = enrol(&mut world, FIRST, &[(Field::Phone, PHONE)]);
    world.run_ms(5_000);
    for _ in 0..9 {
        world.run_ms(60_000);
        world.cut(FIRST, HUB);
        world.run_ms(24 * HOUR);
        world.connect(FIRST, HUB);
        world.run_ms(5_000);
        assert_eq!(found(&mut world, FIRST, PHONE), [ann]);
    }
}

#[test]
fn a_member_of_another_store_is_forgotten_when_she_does_not_come_any_more() {
    let mut world = shops(9);
    let ann = enrol(&mut world, FIRST, &[(Field::Phone, PHONE)]);
    world.run_ms(5_000);
    fetch(&mut world, SECOND, PHONE);
    world.run_ms(5_000);
    assert_eq!(found(&mut world, SECOND, PHONE), [ann]);
    for _ in 0..=MEMBER_FORGET_MS / (24 * HOUR) {
        for store in [FIRST, SECOND] {
            world.cut(store, HUB);
        }
        world.run_ms(24 * HOUR);
        for store in [FIRST, SECOND] {
            world.connect(store, HUB);
        }
        world.run_ms(5_000);
    }
    assert_eq!(person(&world, SECOND, ann).accounts[0].standing, Standing::Sealed);
    assert_eq!(person(&world, FIRST, ann).accounts[0].standing, Standing::Readable, "her own store keeps her");
    assert_eq!(fetch(&mut world, SECOND, PHONE), Fetched::Found(vec![ann]), "until she comes again");
    world.run_ms(2_000);
    assert_eq!(person(&world, SECOND, ann).accounts[0].standing, Standing::Readable);
}

#[test]
fn erased_at_a_store_that_is_cut_off_she_is_forgotten_there_at_once_and_everywhere_after_healing() {
    let mut world = shops(10);
    let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann"), (Field::Phone, PHONE)]);
    world.run_ms(5_000);
    fetch(&mut world, SECOND, PHONE);
    world.run_ms(5_000);
    world.cut(FIRST, HUB);
    world.cut(SECOND, HUB);
    say(&mut world, FIRST, ann, MemberDeed::Erase { whole: true, reason: word("wish") }).unwrap();
    let of = |world: &World, node| person(world, node, ann).accounts[0].clone();
    assert_eq!(of(&world, FIRST).standing, Standing::Erased);
    assert!(of(&world, FIRST).values.is_empty());
    world.crash(FIRST);
    world.start(FIRST);
    assert_eq!(of(&world, FIRST).standing, Standing::Erased);
    // The other side says something of her meanwhile: nothing comes of it.
    say(&mut world, SECOND, ann, set(Field::Remark, "said too late")).unwrap();
    assert_eq!(of(&world, SECOND).standing, Standing::Readable, "nobody has told it yet");
    world.connect(FIRST, HUB);
    world.run_ms(5_000);
    assert_eq!(of(&world, HUB).standing, Standing::Erased);
    world.connect(SECOND, HUB);
    world.run_ms(10_000);
    for node in [HUB, FIRST, SECOND] {
        let held = of(&world, node);
        assert_eq!((held.standing, held.values.len(), held.consents.len()), (Standing::Erased, 0, 0), "node {node}");
        let snapshot = world.snapshot(node);
        assert!(View::new(&*snapshot).member_find(Field::Phone, PHONE).unwrap().is_empty(), "node {node}");
        let refused = world.command(node, Command::FindMember(Sought::Member(ann)));
        assert!(matches!(refused, Err(Refusal::State(_))), "node {node}: {refused:?}");
        let again = say(&mut world, node, ann, set(Field::Name, "Ann"));
        assert!(matches!(again, Err(Refusal::State(_))), "node {node}: {again:?}");
    }
}

#[test]
fn the_whole_person_is_erased_with_all_of_her_accounts() {
    let mut world = shops(11);
    let line = enrol_at_hub(&mut world, 2, &[(Field::Phone, PHONE)], true);
    let till = enrol(&mut world, FIRST, &[(Field::Phone, PHONE)]);
    let other = enrol(&mut world, FIRST, &[(Field::Card, "X9")]);
    world.run_ms(5_000);
    say(&mut world, HUB, line, link_to(till)).unwrap();
    world.run_ms(5_000);
    say(&mut world, FIRST, till, MemberDeed::Erase { whole: true, reason: word("wish") }).unwrap();
    world.run_ms(5_000);
    for node in [HUB, FIRST, SECOND] {
        assert_eq!(person(&world, node, line).accounts[0].standing, Standing::Erased, "node {node}");
    }
    assert_eq!(person(&world, HUB, other).accounts[0].standing, Standing::Readable);
}

#[test]
fn a_restart_and_books_made_again_change_nothing() {
    let mut world = shops(12);
    let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann"), (Field::Phone, PHONE)]);
    let line = enrol_at_hub(&mut world, 1, &[(Field::Phone, PHONE)], true);
    world.run_ms(5_000);
    let before: Vec<_> = [HUB, FIRST].map(|node| (person(&world, node, ann), person(&world, node, line))).into();
    for node in [HUB, FIRST] {
        world.crash(node);
        world.start(node);
        let core = world.nodes.get_mut(&node).unwrap().core.as_mut().unwrap();
        core.rebuild(StoreId(1)).unwrap();
    }
    world.run_ms(1_000);
    let after: Vec<_> = [HUB, FIRST].map(|node| (person(&world, node, ann), person(&world, node, line))).into();
    assert_eq!(before, after);
    assert_eq!(found(&mut world, FIRST, PHONE).len(), 2);
}

#[test]
fn a_hub_that_was_set_back_gets_the_keys_that_it_lost_from_the_stores() {
    let mut world = shops(16);
    let old = world.nodes[&HUB].disk.image();
    let ann = enrol(&mut world, FIRST, &[(Field::Name, "Ann"), (Field::Phone, PHONE)]);
    world.run_ms(5_000);
    assert_eq!(found(&mut world, HUB, PHONE), [ann]);
    world.crash(HUB);
    let hub = world.nodes.get_mut(&HUB).unwrap();
    (hub.disk, hub.restored) = (old, true);
    world.start(HUB);
    world.connect(FIRST, HUB);
    world.run_ms(10_000);
    // What it lacks is known once the logs are here; it is asked for when the two meet the next time.
    world.cut(FIRST, HUB);
    world.connect(FIRST, HUB);
    world.run_ms(10_000);
    assert_eq!(found(&mut world, HUB, PHONE), [ann]);
    assert!(world.reached().contains_key("a hub got keys back that it had lost"));
}

#[test]
fn what_makes_no_sense_is_refused_and_no_refusal_repeats_a_value() {
    let mut world = shops(13);
    let value = |field, text: &str, verified| NewValue { field, text: Personal::new(text), verified };
    let ask = |values: Vec<NewValue>, home| EnrolMember { home, values, consents: Vec::new(), staff: word("eva") };
    let at = |world: &mut World, node, request: EnrolMember| {
        world.command(node, Command::EnrolMember(key(&format!("{request:?}{node}")), Box::new(request))).unwrap_err()
    };
    let wrong = at(&mut world, FIRST, ask(vec![value(Field::Phone, "sentinel-phone", false)], None));
    assert!(matches!(&wrong, Refusal::Invalid { field, .. } if field == "values[0].text"), "{wrong}");
    assert!(!wrong.to_string().contains("sentinel"), "{wrong}");
    assert!(matches!(
        at(&mut world, FIRST, ask(vec![value(Field::Phone, PHONE, true)], None)),
        Refusal::Invalid { .. }
    ));
    assert!(matches!(at(&mut world, FIRST, ask(Vec::new(), None)), Refusal::Invalid { .. }));
    assert!(matches!(at(&mut world, HUB, ask(vec![value(Field::Phone, PHONE, true)], None)), Refusal::Invalid { .. }));
    let nowhere = at(&mut world, HUB, ask(vec![value(Field::Phone, PHONE, true)], Some(StoreId(99))));
    assert!(matches!(nowhere, Refusal::Unknown { .. }));
    let by_name =
        world.command(FIRST, Command::FindMember(Sought::Identifier { field: Field::Name, text: Personal::new("x") }));
    assert!(matches!(by_name, Err(Refusal::Invalid { .. })));
    let stranger = say(&mut world, FIRST, MemberId(7), set(Field::Name, "x"));
    assert!(matches!(stranger, Err(Refusal::Unknown { .. })));
}

#[test]
fn twenty_erased_members_are_in_no_file_frame_or_word_once_the_databases_were_written_anew() {
    let mut world = shops(14);
    for node in [HUB, FIRST] {
        world.crash(node);
        let disk = world.nodes[&node].disk.onto_platter(u64::from(node)).unwrap();
        world.nodes.get_mut(&node).unwrap().disk = disk;
        world.start(node);
    }
    world.connect(FIRST, HUB);
    world.connect(SECOND, HUB);
    world.recording = true;
    let mut members = Vec::new();
    for number in 0..20 {
        let (name, phone) = (format!("SENTINEL-NAME-{number}"), format!("+86 139 0000 {:04}", 7_000 + number));
        members.push((enrol(&mut world, FIRST, &[(Field::Name, &name), (Field::Phone, &phone)]), phone));
        let note = format!("SENTINEL-NOTE-{number}");
        say(&mut world, FIRST, members[number].0, set(Field::Remark, &note)).unwrap();
        world.run_ms(500);
    }
    world.run_ms(5_000);
    let keys: Vec<_> = members.iter().map(|(member, _)| key_of(&world, HUB, *member)).collect();
    for (member, _) in &members {
        assert_eq!(key_of(&world, FIRST, *member), key_of(&world, HUB, *member));
        say(&mut world, FIRST, *member, MemberDeed::Erase { whole: true, reason: word("wish") }).unwrap();
    }
    world.run_ms(10_000);
    let words = format!("{:?}{:?}", world.events, world.closed);
    assert!(!words.contains("SENTINEL"), "no event holds a value");
    for sent in &world.sent {
        assert!(!has(&sent.bytes, b"SENTINEL"), "what travels is sealed");
    }
    let mut lingered = 0;
    for node in [HUB, FIRST] {
        assert!(members.iter().all(|(member, _)| person(&world, node, *member).accounts[0].values.is_empty()));
        world.crash(node);
        let Disk::Platter(old) = world.nodes[&node].disk.clone() else { panic!("it is on a platter") };
        let before = bytes_of(&old);
        lingered += keys.iter().filter(|key| has(&before, *key)).count();
        let fresh = FaultyDisk::new(99);
        let held = old.open().unwrap();
        let from = held.reader().snapshot().unwrap();
        let mut to = fresh.open().unwrap();
        assert!(compact::copy(&*from, &mut to).unwrap() > 100);
        assert_eq!(compact::difference(&*from, &*to.reader().snapshot().unwrap()).unwrap(), None);
        drop((from, held, to));
        let after = bytes_of(&fresh);
        assert!(keys.iter().all(|key| !has(&after, key)), "node {node}: a key is left");
        for (_, phone) in &members {
            let normal = Field::Phone.normal(phone).unwrap();
            assert!(!has(&after, normal.as_bytes()) && !has(&after, phone.as_bytes()), "node {node}: a number is left");
        }
        assert!(!has(&after, b"SENTINEL"), "node {node}: a value is left");
        world.nodes.get_mut(&node).unwrap().disk = Disk::Platter(fresh);
        world.start(node);
        assert!(
            members.iter().all(|(member, _)| person(&world, node, *member).accounts[0].standing == Standing::Erased)
        );
    }
    // Which ones is up to chance; that some do is why a database is written anew.
    assert!(lingered > 0, "freed pages keep their bytes");
}

#[test]
fn no_request_and_no_frame_shows_a_value_or_a_key_when_it_is_printed() {
    let text = Personal::new("SENTINEL");
    let value = NewValue { field: Field::Name, text: text.clone(), verified: false };
    let deed = MemberDeed::Set { slot: None, value };
    let command = Command::Member(key("x"), Box::new(MemberRequest { member: MemberId(1), deed, staff: word("") }));
    let sought = Sought::Identifier { field: Field::Phone, text };
    let fetch = Frame::Keys(KeysFrame::Fetch { number: 1, sought: sought.clone() });
    let give = Frame::Keys(KeysFrame::Give(vec![(MemberId(1), MemberKey([0x5e; 32]))]));
    let words = format!("{command:?} {:?} {fetch:?} {give:?}", Command::FindMember(sought));
    assert!(!words.contains("SENTINEL") && !words.contains("94"), "{words}");
}

#[test]
fn words_about_keys_are_read_whole_or_not_at_all_and_only_those_between_the_two_are_believed() {
    let (member, secret) = (MemberId(7), MemberKey([3; 32]));
    let sought = Sought::Identifier { field: Field::Card, text: Personal::new("C3") };
    let words = [
        KeysFrame::Give(vec![(member, secret)]),
        KeysFrame::Kept { lease_ms: 5, members: vec![member, MemberId(u64::MAX)] },
        KeysFrame::Missing(vec![member]),
        KeysFrame::Fetch { number: 9, sought },
        KeysFrame::Fetch { number: 9, sought: Sought::Member(member) },
        KeysFrame::Fetched { number: 9, members: Vec::new() },
        KeysFrame::Lease { lease_ms: u64::MAX, keys: vec![(member, secret)] },
        KeysFrame::Dropped(vec![member]),
        KeysFrame::Destroyed(vec![member]),
    ];
    let mut read = 0;
    for word in &words {
        let bytes = Frame::Keys(word.clone()).encode(u16::MAX);
        assert_eq!(Frame::decode(&bytes).unwrap(), Frame::Keys(word.clone()));
        for at in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..at]).is_err(), "{word:?} cut at {at}");
            for bit in 0..8 {
                let mut wrong = bytes.clone();
                wrong[at] ^= 1 << bit;
                read += u32::from(Frame::decode(&wrong).is_ok_and(|frame| frame.encode(u16::MAX) == wrong));
            }
        }
    }
    assert!(read > 0, "some are other words");
    let claimed = [12u8, 0, 0xff, 0xff, 0x03];
    assert!(Frame::decode(&claimed).is_err(), "a number that is claimed sizes nothing");
    let mut world = shops(15);
    for (to, by, is_of) in [(HUB, FIRST, [0, 2, 3, 4, 7].as_slice()), (FIRST, HUB, &[1, 2, 5, 6, 8])] {
        for (number, word) in words.iter().enumerate() {
            let (link, mark) = (world.greeted(to, by, &[]), world.closed.len());
            world.say(to, link, &Frame::Keys(word.clone()));
            assert_eq!(world.closed_since(mark).is_none(), is_of.contains(&number), "{word:?} to node {to}");
            world.hang_up(link);
        }
    }
    let (link, mark) = (world.greeted(FIRST, SECOND, &[]), world.closed.len());
    world.say(FIRST, link, &Frame::Keys(KeysFrame::Missing(vec![member])));
    assert!(world.closed_since(mark).is_some(), "a neighbour is told nothing");
}

fn key_of(world: &World, node: u32, member: MemberId) -> [u8; 32] {
    match vault::held(&*world.snapshot(node), member).unwrap() {
        Some(Held::Key(key, _)) => key.0,
        other => panic!("node {node} holds {other:?}"),
    }
}

fn bytes_of(disk: &FaultyDisk) -> Vec<u8> {
    let mut bytes = vec![0; disk.file_bytes()];
    disk.image().attach().read(0, &mut bytes).unwrap();
    bytes
}

fn has(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// A hub and two stores that have met.
fn shops(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 2);
    for store in [FIRST, SECOND] {
        world.connect(store, HUB);
    }
    world.run_ms(3_000);
    world
}

fn enrol(world: &mut World, node: u32, values: &[(Field, &str)]) -> MemberId {
    enrol_in(world, node, None, values, false)
}

fn enrol_at_hub(world: &mut World, home: u32, values: &[(Field, &str)], verified: bool) -> MemberId {
    enrol_in(world, HUB, Some(StoreId(home)), values, verified)
}

fn enrol_in(world: &mut World, node: u32, home: Option<StoreId>, values: &[(Field, &str)], verified: bool) -> MemberId {
    let value = |&(field, text): &(Field, &str)| NewValue { field, text: Personal::new(text), verified };
    let consent = |purpose, given| NewConsent { purpose, given, source: word("form") };
    let request = EnrolMember {
        home,
        values: values.iter().map(value).collect(),
        consents: vec![consent(Purpose::Membership, true), consent(Purpose::Messages, false)],
        staff: word("eva"),
    };
    let retry = key(&format!("{values:?} {}", world.now_ms));
    let first = world.command(node, Command::EnrolMember(retry, Box::new(request.clone()))).unwrap();
    let again = world.command(node, Command::EnrolMember(retry, Box::new(request))).unwrap();
    let (
        Answer::Member(MemberAnswer::Enrolled { member, .. }),
        Answer::Member(MemberAnswer::Enrolled { member: same, replayed: true, .. }),
    ) = (first, again)
    else {
        panic!("she is enrolled, once")
    };
    assert_eq!(member, same);
    member
}

fn say(world: &mut World, node: u32, member: MemberId, deed: MemberDeed) -> Result<Answer, Refusal> {
    let retry = key(&format!("{member} {deed:?} {} {node}", world.now_ms));
    world.command(node, Command::Member(retry, Box::new(MemberRequest { member, deed, staff: word("eva") })))
}

fn set(field: Field, text: &str) -> MemberDeed {
    MemberDeed::Set { slot: None, value: NewValue { field, text: Personal::new(text), verified: false } }
}

fn link_to(other: MemberId) -> MemberDeed {
    MemberDeed::Link { other, evidence: Evidence::Proof, weight: Weight::Strong }
}

fn phone(text: &str) -> Sought {
    Sought::Identifier { field: Field::Phone, text: Personal::new(text) }
}

fn found(world: &mut World, node: u32, text: &str) -> Vec<MemberId> {
    match world.command(node, Command::FindMember(phone(text))) {
        Ok(Answer::Member(MemberAnswer::Found(members))) => members,
        other => panic!("nobody is found: {other:?}"),
    }
}

fn fetch(world: &mut World, node: u32, text: &str) -> Fetched {
    let Ok(Answer::Member(MemberAnswer::Asked(number))) = world.command(node, Command::FindMember(phone(text))) else {
        panic!("the hub is asked");
    };
    let answer = |world: &World| View::new(&*world.snapshot(node)).member_fetched(number).unwrap().unwrap();
    world.run_until(15_000, |world| answer(world) != Fetched::Waits);
    answer(world)
}

fn person(world: &World, node: u32, member: MemberId) -> Person {
    View::new(&*world.snapshot(node)).member_show(member).unwrap().unwrap()
}

fn key(text: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[text.as_bytes()]), body: Digest::of(&[b"body", text.as_bytes()]) }
}

fn word(text: &str) -> Code {
    Code::parse(text).unwrap()
}

//! Notes in a small world: both sides of a cut edit one, homes fold them, what comes late is not lost, and a member's are noise without her key.

#![allow(clippy::unwrap_used, clippy::disallowed_macros, reason = "a test says its seed and stops where it fails")]

use stockroom_core::books::notes::{self, NOBODY, Note};
use stockroom_core::input::members::{EnrolMember, MemberAnswer, MemberDeed, MemberRequest, NewValue, Personal};
use stockroom_core::input::notes::NoteRequest;
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::limits::{NOTE_EDITS_MAX, NOTE_FOLD_AFTER, NOTE_UNFOLDED_MAX};
use stockroom_core::view::View;
use stockroom_core::view::notes::{NoteView, OpenNote};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, Code, Digest, MemberId, Sku, StoreId};
use stockroom_crdt::member::value::Field;
use stockroom_crdt::money::Unit;
use stockroom_crdt::note::edit::Edit;
use stockroom_crdt::note::story::Deed;
use stockroom_crdt::note::{NoteChange, NoteId, Subject};
use stockroom_crdt::order::OrderId;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_sim::counter::pickup;
use stockroom_sim::oracle::rows;
use stockroom_sim::world::World;

const HUB: u32 = 1;
const STORE: u32 = 2;
const OWN: StoreId = StoreId(1);

#[test]
fn edits_on_both_sides_of_a_cut_merge_and_the_conflict_shows_both_values_at_every_replica() {
    let mut world = shop(1);
    let note = settings();
    edit(&mut world, STORE, &note, "anna", &[text("notice", "Door B is stuck.\nLift is fine."), set("close", "20:00")])
        .unwrap();
    world.run_ms(3_000);
    world.cut(STORE, HUB);
    edit(
        &mut world,
        STORE,
        &note,
        "anna",
        &[text("notice", "Door B is stuck.\nLift is broken."), set("close", "21:00")],
    )
    .unwrap();
    world.run_ms(1_000);
    edit(
        &mut world,
        HUB,
        &note,
        "mia",
        &[text("notice", "Door C is stuck.\nLift is fine."), set("close", "18:00"), set("music", "off")],
    )
    .unwrap();
    world.run_ms(10_000);
    assert_eq!(values(&world, HUB, &note, "close"), [("18:00".into(), 1, "mia".into())]);
    world.connect(STORE, HUB);
    world.run_ms(5_000);
    for node in [STORE, HUB] {
        let open = read(&world, node, &note);
        assert_eq!(open.state.texts["notice"], "Door C is stuck.\nLift is broken.");
        let close = [("18:00".to_owned(), 1, "mia".to_owned()), ("21:00".to_owned(), 2, "anna".to_owned())];
        assert_eq!(values(&world, node, &note, "close"), close, "the newest first, with who wrote it");
        assert_eq!((open.waiting, open.malformed, open.story.len()), (0, 0, 3));
        let mia = open.story.iter().find(|chapter| chapter.by.staff.as_str() == "mia").unwrap();
        assert!(mia.deeds.contains(&Deed::Edit(set("music", "off"))), "{mia:?}");
    }
    edit(&mut world, STORE, &note, "anna", &[set("close", "20:30")]).unwrap();
    world.run_ms(3_000);
    assert_eq!(values(&world, HUB, &note, "close"), [("20:30".into(), 2, "anna".into())], "settled for everybody");
}

#[test]
fn an_order_has_a_conversation_at_its_store_and_a_remark_at_its_home() {
    let mut world = shop(2);
    world.put_rule(PolicyRule::of(Target::All, Allocation::HubOnly));
    world.run_ms(3_000);
    world.receive(STORE, "TEA", 10);
    world.run_ms(3_000);
    let (order, _) = world.place(HUB, pickup("1", &[("TEA", 1)], &[1])).unwrap();
    world.run_ms(3_000);
    let at_store = Note { store: OWN, subject: Subject::Order(order) };
    let at_home = Note { store: NOBODY, subject: Subject::Order(order) };
    edit(&mut world, STORE, &at_store, "anna", &[say("No green tea: is black fine?")]).unwrap();
    world.run_ms(2_000);
    edit(&mut world, HUB, &at_store, "mia", &[say("Yes, she says.")]).unwrap();
    edit(&mut world, HUB, &at_home, "mia", &[text("remark", "calls often")]).unwrap();
    world.run_ms(3_000);
    for node in [STORE, HUB] {
        let said: Vec<_> = read(&world, node, &at_store)
            .state
            .chat
            .into_iter()
            .map(|said| (said.by.staff.to_string(), said.text))
            .collect();
        assert_eq!(
            said,
            [("anna".into(), "No green tea: is black fine?".into()), ("mia".into(), "Yes, she says.".into())]
        );
    }
    assert_eq!(read(&world, HUB, &at_home).state.texts["remark"], "calls often");
    assert_eq!(
        read(&world, STORE, &at_home),
        OpenNote { state: read(&world, STORE, &at_home).state, ..OpenNote::default() }
    );
    let nobody = Note { store: OWN, subject: Subject::Order(OrderId { number: order.number ^ 1, ..order }) };
    assert!(matches!(
        edit(&mut world, STORE, &nobody, "anna", &[say("x")]),
        Err(Refusal::Unknown { what: "order", .. })
    ));
}

#[test]
fn what_a_product_page_says_is_written_by_hubs_and_read_everywhere() {
    let mut world = shop(3);
    let note = Note { store: NOBODY, subject: Subject::Product(Sku::parse("TEA").unwrap()) };
    edit(&mut world, HUB, &note, "mia", &[text("title", "Green tea"), set("origin", "Hangzhou")]).unwrap();
    world.run_ms(3_000);
    assert_eq!(read(&world, STORE, &note).state.texts["title"], "Green tea");
    assert!(matches!(edit(&mut world, STORE, &note, "anna", &[text("title", "x")]), Err(Refusal::NotHere(_))));
    for n in 0..=NOTE_FOLD_AFTER {
        edit(&mut world, HUB, &note, "mia", &[text("title", &format!("Green tea {n}"))]).unwrap();
        world.run_ms(1);
    }
    world.run_ms(5_000);
    let at_store = read(&world, STORE, &note);
    assert_eq!((at_store.generation, at_store.waiting), (1, 0));
    assert_eq!(at_store.state.values["origin"][0].by.staff.as_str(), "mia", "a fold keeps who wrote what");
    let before = View::new(&*world.snapshot(STORE)).note_before(&note, 0).unwrap().unwrap();
    let NoteView::Open(before) = before else { panic!("it can be read") };
    assert_eq!(before.story.len(), NOTE_FOLD_AFTER + 1, "the story goes back to the beginning");
}

#[test]
fn what_was_written_against_an_older_generation_is_written_once_more_by_the_home() {
    let mut world = shop(4);
    let note = settings();
    edit(&mut world, STORE, &note, "anna", &[set("open", "08:00"), text("notice", "one two")]).unwrap();
    world.run_ms(3_000);
    world.cut(STORE, HUB);
    edit(&mut world, HUB, &note, "mia", &[set("open", "09:00"), text("notice", "1 two"), set("lamp", "on")]).unwrap();
    for n in 0..2 * NOTE_FOLD_AFTER {
        edit(
            &mut world,
            STORE,
            &note,
            "anna",
            &[set("open", &format!("07:{n:03}")), text("notice", &format!("one two {n}"))],
        )
        .unwrap();
        world.run_ms(1);
    }
    let there = read(&world, STORE, &note);
    assert!(there.generation >= 1, "the home folds while it is cut off");
    world.connect(STORE, HUB);
    world.run_ms(5_000);
    let last = 2 * NOTE_FOLD_AFTER - 1;
    for node in [STORE, HUB] {
        let open = read(&world, node, &note);
        assert_eq!((open.waiting, open.malformed), (0, 0), "at {node}");
        assert_eq!(open.state.texts["notice"], format!("1 two {last}"));
        let held = values(&world, node, &note, "open");
        assert_eq!(held, [(format!("07:{last:03}"), 2, "anna".into()), ("09:00".into(), 1, "mia".into())], "at {node}");
        assert_eq!(values(&world, node, &note, "lamp"), [("on".into(), 1, "mia".into())], "in her name");
    }
    assert!(world.reached().contains_key("a late change of a note was written once more"));
    world.crash(STORE);
    world.start(STORE);
    world.run_ms(3_000);
    assert_eq!(read(&world, STORE, &note).state, read(&world, HUB, &note).state);
}

#[test]
fn ten_thousand_edits_leave_few_changes_to_merge() {
    let mut world = shop(5);
    world.cut(STORE, HUB);
    let note = settings();
    let mut most = 0;
    for n in 0..10_000 / NOTE_EDITS_MAX {
        let edits: Vec<_> = (0..NOTE_EDITS_MAX).map(|i| set(&format!("key {}", i % 20), &format!("{n} {i}"))).collect();
        edit(&mut world, STORE, &note, "anna", &edits).unwrap();
        let snapshot = world.snapshot(STORE);
        most = most.max(notes::counts(&*snapshot, &note).unwrap().values().sum::<usize>());
    }
    assert!(most <= NOTE_FOLD_AFTER + 1, "{most} changes were held at once");
    let (_, base) = notes::newest(&*world.snapshot(STORE), &note).unwrap().unwrap();
    let size = notes::body(&*world.snapshot(STORE), &note, base).unwrap().unwrap().fact.bytes.len();
    assert!(size < 4_000, "a snapshot does not grow with the edits before it: {size} bytes");
    world.connect(STORE, HUB);
    world.run_ms(30_000);
    let (here, there) = (read(&world, STORE, &note), read(&world, HUB, &note));
    assert_eq!((here.state, here.folded), (there.state, there.folded));
}

#[test]
fn who_is_not_the_home_stops_before_a_note_can_no_longer_be_read() {
    let mut world = shop(6);
    world.cut(STORE, HUB);
    let note = settings();
    for n in 0..NOTE_UNFOLDED_MAX {
        edit(&mut world, HUB, &note, "mia", &[set("n", &n.to_string())]).unwrap();
    }
    let refused = edit(&mut world, HUB, &note, "mia", &[set("n", "one more")]).unwrap_err();
    assert!(matches!(&refused, Refusal::State(text) if text.contains("own node")), "{refused}");
    world.connect(STORE, HUB);
    world.run_ms(10_000);
    edit(&mut world, HUB, &note, "mia", &[set("n", "one more")]).unwrap();
    world.run_ms(3_000);
    assert_eq!(values(&world, STORE, &note, "n"), [("one more".into(), 1, "mia".into())]);
}

#[test]
fn a_new_life_of_the_home_folds_on_and_both_lives_keep_their_words() {
    let mut world = shop(7);
    let note = settings();
    for n in 0..NOTE_FOLD_AFTER + 5 {
        edit(&mut world, STORE, &note, "anna", &[set("n", &n.to_string())]).unwrap();
    }
    world.command(STORE, Command::NewEpoch(EpochReason::Manual)).unwrap();
    for n in 0..NOTE_FOLD_AFTER + 5 {
        edit(&mut world, STORE, &note, "ben", &[set("m", &n.to_string())]).unwrap();
    }
    world.connect(STORE, HUB);
    world.run_ms(10_000);
    let open = read(&world, HUB, &note);
    assert_eq!((open.generation, open.waiting), (2, 0));
    assert_eq!(open.state.values["n"][0].by.actor, Actor::new(STORE, 1));
    assert_eq!(open.state.values["m"][0].by.actor, Actor::new(STORE, 2));
}

#[test]
fn a_change_that_is_not_one_is_counted_and_harms_nobody() {
    let mut world = shop(8);
    let note = settings();
    edit(&mut world, HUB, &note, "mia", &[set("open", "08:00")]).unwrap();
    world.run_ms(3_000);
    world.cut(STORE, HUB);
    let change = |bytes: &[u8]| {
        let (subject, staff) = (note.subject.clone(), code("eve"));
        Fact::NoteChange(NoteChange { subject, base: NoteId::default(), staff, origin: None, bytes: bytes.to_vec() })
    };
    let log = world
        .scroll(HUB, 9, Scope::StoreMembers(OWN))
        .with(change(b""))
        .with(change(&[0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, 0xff]));
    let link = world.greeted(STORE, HUB, &[]);
    world.tell(STORE, link, vec![log.all()]);
    let open = read(&world, STORE, &note);
    assert_eq!((open.malformed, open.waiting), (2, 0));
    assert_eq!(values(&world, STORE, &note, "open"), [("08:00".into(), 1, "mia".into())]);
    edit(&mut world, STORE, &note, "anna", &[set("open", "09:00")]).unwrap();
    assert_eq!(values(&world, STORE, &note, "open").len(), 1);
}

#[test]
fn a_note_about_a_member_is_sealed_and_noise_once_her_key_is_destroyed() {
    let mut world = shop(9);
    let member = enrol(&mut world);
    let note = Note { store: OWN, subject: Subject::Member(member) };
    edit(&mut world, STORE, &note, "anna", &[text("remark", SENTINEL), set("milk", "oat")]).unwrap();
    world.run_ms(5_000);
    for node in [STORE, HUB] {
        assert_eq!(read(&world, node, &note).state.texts["remark"], SENTINEL, "at {node}");
        let held = rows(&*world.snapshot(node));
        let shows = held.values().any(|row| contains(row, SENTINEL.as_bytes()));
        assert!(!shows, "no row of {node} holds it in the open");
    }
    let sealed_at_hub = edit(&mut world, HUB, &note, "mia", &[set("milk", "soy")]);
    sealed_at_hub.unwrap();
    world.run_ms(5_000);
    assert_eq!(values(&world, STORE, &note, "milk"), [("soy".into(), 1, "mia".into())]);
    let request =
        MemberRequest { member, deed: MemberDeed::Erase { whole: true, reason: code("asked") }, staff: code("anna") };
    world.command(STORE, Command::Member(key("erase"), Box::new(request))).unwrap();
    world.run_ms(10_000);
    for node in [STORE, HUB] {
        let view = View::new(&*world.snapshot(node)).note(&note).unwrap();
        assert_eq!(view, NoteView::Sealed, "at {node}");
        let refused = edit(&mut world, node, &note, "anna", &[set("milk", "none")]).unwrap_err();
        assert!(matches!(&refused, Refusal::State(text) if text.contains("erased")), "{refused}");
    }
    let stranger = Note { store: OWN, subject: Subject::Member(MemberId(5)) };
    let refused = edit(&mut world, STORE, &stranger, "anna", &[set("milk", "oat")]).unwrap_err();
    assert!(matches!(refused, Refusal::Unknown { .. }), "{refused}");
}

#[test]
fn edits_that_make_no_sense_are_refused_without_repeating_them() {
    let mut world = shop(10);
    let note = settings();
    let invalid = |refused: Refusal, at: &str| match refused {
        Refusal::Invalid { field, message } => {
            assert!(field == at && !message.contains("secret"), "{field}: {message}")
        }
        other => panic!("{other}"),
    };
    for (edits, at) in [
        (vec![], "edits"),
        (vec![set("a", "secret"); NOTE_EDITS_MAX + 1], "edits"),
        (vec![text("secret", "x")], "edits[0]"),
        (vec![set("a", "ok"), say("secret")], "edits[1]"),
        (vec![set("secret\u{1}", "x")], "edits[0]"),
        (vec![Edit::Unset { key: "secret".into() }], "edits"),
    ] {
        invalid(edit(&mut world, STORE, &note, "anna", &edits).unwrap_err(), at);
    }
    invalid(edit(&mut world, STORE, &note, "", &[set("a", "b")]).unwrap_err(), "staff");
    let other = Note { store: StoreId(2), subject: Subject::Store(StoreId(2)) };
    assert!(matches!(edit(&mut world, STORE, &other, "anna", &[set("a", "b")]), Err(Refusal::NotHere(_))));
    let same = RetryKey { key: Digest([1; 32]), body: Digest([2; 32]) };
    let request = |value: &str| NoteRequest {
        subject: note.subject.clone(),
        store: None,
        staff: code("anna"),
        edits: vec![set("a", value)],
    };
    let first = world.command(STORE, Command::Note(same, request("1"))).unwrap();
    let again = world.command(STORE, Command::Note(same, request("1"))).unwrap();
    let (Answer::Written { place, replayed: false }, Answer::Written { place: same, replayed: true }) = (first, again)
    else {
        panic!("it is written once");
    };
    assert_eq!(place, same);
}

fn shop(seed: u64) -> World {
    println!("seed {seed}");
    let mut world = World::with_stores(seed, 1);
    world.put_products(&[("TEA", Unit::Each)]);
    world.connect(STORE, HUB);
    world.run_ms(3_000);
    world
}

fn enrol(world: &mut World) -> MemberId {
    let name = NewValue { field: Field::Name, text: Personal::new("Li Wei"), verified: false };
    let request = EnrolMember { home: None, values: vec![name], consents: Vec::new(), staff: code("anna") };
    match world.command(STORE, Command::EnrolMember(key("enrol"), Box::new(request))) {
        Ok(Answer::Member(MemberAnswer::Enrolled { member, .. })) => {
            world.run_ms(5_000);
            member
        }
        other => panic!("{other:?}"),
    }
}

fn edit(world: &mut World, node: u32, note: &Note, staff: &str, edits: &[Edit]) -> Result<Answer, Refusal> {
    let store = (node == HUB && note.store != NOBODY).then_some(note.store);
    let staff = Code::parse(staff).unwrap();
    let request = NoteRequest { subject: note.subject.clone(), store, staff, edits: edits.to_vec() };
    let retry = key(&format!("{node} {:?} {request:?}", world.now_ms));
    let answer = world.command(node, Command::Note(retry, request));
    world.run_ms(1);
    answer
}

fn read(world: &World, node: u32, note: &Note) -> OpenNote {
    match View::new(&*world.snapshot(node)).note(note).unwrap() {
        NoteView::Open(open) => *open,
        other => panic!("{other:?} at {node}"),
    }
}

/// The values of a name at a node, with the node and the person that wrote each.
fn values(world: &World, node: u32, note: &Note, key: &str) -> Vec<(String, u32, String)> {
    let mut open = read(world, node, note);
    let said = open.state.values.remove(key).unwrap_or_default().into_iter();
    said.map(|said| (said.value, said.by.actor.node.0, said.by.staff.to_string())).collect()
}

fn settings() -> Note {
    Note { store: OWN, subject: Subject::Store(OWN) }
}

fn key(words: &str) -> RetryKey {
    RetryKey { key: Digest::of(&[words.as_bytes()]), body: Digest::of(&[b"body", words.as_bytes()]) }
}

fn set(key: &str, value: &str) -> Edit {
    Edit::Set { key: key.into(), value: value.into() }
}

fn text(field: &str, text: &str) -> Edit {
    Edit::Text { field: field.into(), text: text.into() }
}

fn say(text: &str) -> Edit {
    Edit::Say { text: text.into() }
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

const SENTINEL: &str = "allergic to hazelnuts";

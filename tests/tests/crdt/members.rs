//! Members: facts about them in both encodings, and what they add up to in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId};
use stockroom_crdt::limits::{CLASS_MEMBERS_MAX, MEMBER_SLOTS_MAX};
use stockroom_crdt::member::link::{Class, Evidence, Links, MemberLink, MemberUnlink, Weight, class_of};
use stockroom_crdt::member::record::Record;
use stockroom_crdt::member::value::{Field, MemberConsent, MemberValue, Purpose, Slot};
use stockroom_crdt::member::{Enrolment, MemberErase, Said, Stage};
use stockroom_tests::property::check;

use super::arbitrary::{actor, code, u64s};

/// A fact about a member.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::MEMBER => (u64s(), 1..u32::MAX, code(), copied())
            .prop_map(|(member, home, staff, copied)| {
                Fact::Member(Enrolment { member: MemberId(member), home: StoreId(home), staff, copied })
            })
            .boxed(),
        kind::MEMBER_VALUE => {
            let value = (slot(), option::of((vec(any::<u8>(), 0..200), any::<bool>())));
            (u64s(), value, code(), copied())
                .prop_map(|(member, (slot, sealed), staff, copied)| {
                    let verified = sealed.as_ref().is_some_and(|(_, verified)| *verified);
                    let sealed = sealed.map(|(sealed, _)| sealed);
                    Fact::MemberValue(MemberValue { member: MemberId(member), slot, sealed, verified, staff, copied })
                })
                .boxed()
        }
        kind::MEMBER_LINK => (u64s(), ends(), select(Evidence::ALL.to_vec()), weight(), code(), copied())
            .prop_map(|(id, (a, b), evidence, weight, staff, copied)| {
                Fact::MemberLink(MemberLink { id, a, b, evidence, weight, staff, copied })
            })
            .boxed(),
        kind::MEMBER_UNLINK => (u64s(), ends(), any::<bool>(), code(), code(), copied())
            .prop_map(|(id, (a, b), strong, reason, staff, copied)| {
                Fact::MemberUnlink(MemberUnlink { id, a, b, strong, reason, staff, copied })
            })
            .boxed(),
        kind::MEMBER_CONSENT => (u64s(), select(Purpose::ALL.to_vec()), any::<bool>(), code(), code(), copied())
            .prop_map(|(member, purpose, given, source, staff, copied)| {
                Fact::MemberConsent(MemberConsent { member: MemberId(member), purpose, given, source, staff, copied })
            })
            .boxed(),
        kind::MEMBER_ERASE => (u64s(), stage(), any::<bool>(), code(), code(), copied())
            .prop_map(|(member, stage, whole, reason, staff, copied)| {
                Fact::MemberErase(MemberErase { member: MemberId(member), stage, whole, reason, staff, copied })
            })
            .boxed(),
        other => super::notes::fact_of(other),
    }
}

/// Examples for golden files.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let (member, other) = (MemberId(0x1122_3344_5566_7788), MemberId(0x99aa_bbcc_ddee_ff00));
    let copied = Some(Said { at: Hlc::new(1_750_000_000_000, 7), by: Actor::new(150, 2) });
    let word = |text: &str| Code::parse(text).unwrap();
    let slot = Slot { field: Field::Phone, number: 1 };
    let sealed = Some(vec![0xc3; 40]);
    let (evidence, weight, staff) = (Evidence::Phone, Weight::Strong, word("eva"));
    let link = MemberLink { id: 77, a: member, b: other, evidence, weight, staff: staff.clone(), copied };
    let unlink = MemberUnlink {
        id: 77,
        a: member,
        b: other,
        strong: true,
        reason: word("family"),
        staff: staff.clone(),
        copied: None,
    };
    let consent = MemberConsent {
        member,
        purpose: Purpose::Personal,
        given: true,
        source: word("form"),
        staff: staff.clone(),
        copied,
    };
    let erase =
        MemberErase { member, stage: Stage::Done, whole: true, reason: word("wish"), staff: staff.clone(), copied };
    vec![
        ("member", Fact::Member(Enrolment { member, home: StoreId(7), staff: staff.clone(), copied: None })),
        ("member_value", Fact::MemberValue(MemberValue { member, slot, sealed, verified: true, staff, copied })),
        ("member_link", Fact::MemberLink(link)),
        ("member_unlink", Fact::MemberUnlink(unlink)),
        ("member_consent", Fact::MemberConsent(consent)),
        ("member_erase", Fact::MemberErase(erase)),
    ]
}

#[test]
fn a_record_is_the_same_in_whatever_order_and_however_often_its_facts_come() {
    let name = "a_record_is_the_same_in_whatever_order_and_however_often_its_facts_come";
    let cases = (vec(word_of_one(), 0..24), vec(any::<Index>(), 0..32), any::<Index>());
    check(name, 512, cases, |(facts, order, cut)| {
        let forward = record(&facts);
        let mut mixed = facts.clone();
        for (at, to) in order.iter().enumerate().filter(|_| !facts.is_empty()) {
            mixed.swap(at % facts.len(), to.index(facts.len()));
        }
        mixed.extend(facts.iter().take(5).cloned());
        prop_assert_eq!(&record(&mixed), &forward);
        // Two stores that heard a part each, and a hub that copies one from the other.
        let (left, right) = facts.split_at(if facts.is_empty() { 0 } else { cut.index(facts.len()) });
        let mut joined = record(right);
        joined.join(record(left));
        prop_assert_eq!(&joined, &forward);
        let copies: Vec<_> = facts.iter().map(as_copy).collect();
        prop_assert_eq!(&record(&copies), &forward);
        prop_assert_eq!(Record::from_bytes(&forward.to_bytes()).unwrap(), forward);
        Ok(())
    });
}

#[test]
fn erased_stays_erased_whatever_is_said_before_or_after() {
    let cases = (vec(word_of_one(), 0..24), (said(), stage()), any::<Index>());
    check("erased_stays_erased_whatever_is_said_before_or_after", 512, cases, |(facts, (said, stage), at)| {
        let (reason, staff) = (Code::default(), Code::default());
        let erase = MemberErase { member: ONE, stage, whole: false, reason, staff, copied: None };
        let mut all = facts.clone();
        all.insert(at.index(facts.len() + 1), (said, Fact::MemberErase(erase)));
        let record = record(&all);
        prop_assert!(record.erased().is_some_and(|(_, erase)| erase.stage >= stage));
        prop_assert_eq!(record.values().count() + record.consents().count(), 0);
        Ok(())
    });
}

#[test]
fn a_link_that_was_retracted_leaves_the_classes_that_there_would_be_without_it() {
    let name = "a_link_that_was_retracted_leaves_the_classes_that_there_would_be_without_it";
    let cases = (vec((0..8u64, 0..8u64, weight()), 0..16), vec(any::<Index>(), 0..6));
    check(name, 512, cases, |(links, wrong)| {
        let links: Vec<_> = links.into_iter().filter(|(a, b, _)| a != b).enumerate().map(link_of).collect();
        let wrong: BTreeSet<_> = wrong.iter().filter(|_| !links.is_empty()).map(|at| at.index(links.len())).collect();
        let (mut with, mut without) = (Links::default(), Links::default());
        for at in &wrong {
            let MemberLink { id, a, b, .. } = links[*at];
            let (reason, staff) = (Code::default(), Code::default());
            with.retract(MemberUnlink { id, a, b, strong: true, reason, staff, copied: None });
        }
        for (at, link) in links.iter().enumerate() {
            with.add(link.clone());
            if !wrong.contains(&at) {
                without.add(link.clone());
            }
        }
        for account in (0..8).map(MemberId) {
            for weight in [Weight::Tentative, Weight::Strong] {
                let class = with.class(account, weight);
                prop_assert_eq!(&class, &without.class(account, weight));
                prop_assert_eq!(&class.members, &reached(&without, account, weight), "as walking link by link finds");
                // Every account of a class has the same class and the same name.
                for other in &class.members {
                    prop_assert_eq!(&with.class(*other, weight), &class);
                }
            }
            let (strong, all) = (with.class(account, Weight::Strong), with.class(account, Weight::Tentative));
            prop_assert!(strong.members.is_subset(&all.members));
        }
        Ok(())
    });
}

#[test]
fn a_stores_retraction_leaves_a_strong_link_alone() {
    let strong = link_of((0, (1, 2, Weight::Strong)));
    let mut links = Links::default();
    links.add(strong.clone());
    let (reason, staff) = (Code::default(), Code::default());
    let by_store = MemberUnlink { id: strong.id, a: strong.a, b: strong.b, strong: false, reason, staff, copied: None };
    links.retract(by_store.clone());
    assert_eq!(links.class(MemberId(1), Weight::Strong).members.len(), 2);
    links.retract(MemberUnlink { strong: true, ..by_store });
    assert_eq!(links.class(MemberId(1), Weight::Tentative).members.len(), 1);
}

#[test]
fn more_accounts_than_a_person_has_are_looked_at_by_a_person() {
    let chain = |accounts: usize| {
        let mut links = Links::default();
        for at in 1..accounts as u64 {
            links.add(link_of((at as usize, (at, at + 1, Weight::Strong))));
        }
        links.class(MemberId(1), Weight::Strong)
    };
    let most = chain(CLASS_MEMBERS_MAX);
    assert_eq!((most.members.len(), most.needs_review), (CLASS_MEMBERS_MAX, false));
    let more = chain(CLASS_MEMBERS_MAX + 1);
    assert_eq!(more, Class { canonical: MemberId(1), members: [MemberId(1)].into(), needs_review: true });
}

#[test]
fn an_erased_account_joins_nobody() {
    let mut links = Links::default();
    links.add(link_of((0, (1, 2, Weight::Strong))));
    links.add(link_of((1, (2, 3, Weight::Strong))));
    let class =
        class_of(MemberId(3), Weight::Strong, |account| Ok::<_, ()>((account != MemberId(2)).then(|| links.clone())));
    assert_eq!(class.unwrap().members, [MemberId(3)].into());
}

/// Everything about one account that a store or hub could say, with its time and author.
fn word_of_one() -> impl Strategy<Value = (Said, Fact)> {
    let kinds = [kind::MEMBER, kind::MEMBER_VALUE, kind::MEMBER_CONSENT, kind::MEMBER_LINK, kind::MEMBER_UNLINK];
    let usual = select(kinds.to_vec()).prop_flat_map(fact_of);
    (said(), prop_oneof![12 => usual, 1 => fact_of(kind::MEMBER_ERASE)]).prop_map(|(said, fact)| (said, of_one(fact)))
}

/// The same fact about one account, in few slots.
fn of_one(fact: Fact) -> Fact {
    match fact {
        Fact::Member(fact) => Fact::Member(Enrolment { member: ONE, copied: None, ..fact }),
        Fact::MemberValue(fact) => {
            let slot = Slot { field: fact.slot.field, number: 0 };
            Fact::MemberValue(MemberValue { member: ONE, slot, copied: None, ..fact })
        }
        Fact::MemberConsent(fact) => Fact::MemberConsent(MemberConsent { member: ONE, copied: None, ..fact }),
        Fact::MemberErase(fact) => Fact::MemberErase(MemberErase { member: ONE, copied: None, ..fact }),
        Fact::MemberLink(fact) => Fact::MemberLink(MemberLink { copied: None, ..fact }),
        Fact::MemberUnlink(fact) => Fact::MemberUnlink(MemberUnlink { copied: None, ..fact }),
        other => other,
    }
}

/// As a hub copies it into another store's scope later.
fn as_copy((said, fact): &(Said, Fact)) -> (Said, Fact) {
    let copied = Some(*said);
    let fact = match fact.clone() {
        Fact::Member(fact) => Fact::Member(Enrolment { copied, ..fact }),
        Fact::MemberValue(fact) => Fact::MemberValue(MemberValue { copied, ..fact }),
        Fact::MemberConsent(fact) => Fact::MemberConsent(MemberConsent { copied, ..fact }),
        Fact::MemberErase(fact) => Fact::MemberErase(MemberErase { copied, ..fact }),
        Fact::MemberLink(fact) => Fact::MemberLink(MemberLink { copied, ..fact }),
        Fact::MemberUnlink(fact) => Fact::MemberUnlink(MemberUnlink { copied, ..fact }),
        other => other,
    };
    (Said { at: Hlc::new(1_900_000_000_000, 0), by: Actor::new(1, 1) }, fact)
}

fn record(facts: &[(Said, Fact)]) -> Record {
    let mut record = Record::default();
    for (said, fact) in facts.iter().cloned() {
        let of = |copied| Said::of(copied, said.at, said.by);
        match fact {
            Fact::Member(fact) => record.enrol(of(fact.copied), fact),
            Fact::MemberValue(fact) => record.put_value(of(fact.copied), fact),
            Fact::MemberConsent(fact) => record.put_consent(of(fact.copied), fact),
            Fact::MemberErase(fact) => record.erase(of(fact.copied), fact),
            Fact::MemberLink(fact) => record.link(of(fact.copied), fact),
            Fact::MemberUnlink(fact) => record.unlink(of(fact.copied), fact),
            other => panic!("{other:?} is not about a member"),
        }
    }
    record
}

/// Accounts that can be walked to, by a table of neighbours.
fn reached(links: &Links, from: MemberId, weight: Weight) -> BTreeSet<MemberId> {
    let mut near: BTreeMap<MemberId, BTreeSet<MemberId>> = BTreeMap::new();
    for link in links.active().filter(|link| link.weight >= weight) {
        near.entry(link.a).or_default().insert(link.b);
        near.entry(link.b).or_default().insert(link.a);
    }
    let mut all = BTreeSet::from([from]);
    loop {
        let next: BTreeSet<_> =
            all.iter().flat_map(|account| near.get(account).into_iter().flatten()).copied().collect();
        if next.is_subset(&all) {
            return all;
        }
        all.extend(next);
    }
}

fn link_of((at, (one, other, weight)): (usize, (u64, u64, Weight))) -> MemberLink {
    let found = MemberLink::found((MemberId(one), MemberId(other)), Evidence::Staff, weight);
    MemberLink { id: at as u64, ..found }
}

fn said() -> impl Strategy<Value = Said> {
    let times = prop_oneof![Just(1_750_000_000_000), 1_700_000_000_000..1_800_000_000_000u64];
    (times, 0..3u16, actor()).prop_map(|(ms, counter, by)| Said { at: Hlc::new(ms, counter), by })
}

fn copied() -> impl Strategy<Value = Option<Said>> {
    option::of(said())
}

fn slot() -> impl Strategy<Value = Slot> {
    (select(Field::ALL.to_vec()), 0..MEMBER_SLOTS_MAX).prop_map(|(field, number)| Slot { field, number })
}

fn weight() -> impl Strategy<Value = Weight> {
    select(vec![Weight::Tentative, Weight::Strong])
}

fn stage() -> impl Strategy<Value = Stage> {
    select(vec![Stage::Asked, Stage::Done])
}

fn ends() -> impl Strategy<Value = (MemberId, MemberId)> {
    (u64s(), u64s())
        .prop_filter_map("two accounts", |(a, b)| (a != b).then(|| (MemberId(a.min(b)), MemberId(a.max(b)))))
}

const ONE: MemberId = MemberId(1);

//! Members: enrolled, recognised elsewhere, joined and parted, forgotten. Who gets no answer asks the same again.

use stockroom_core::input::members::{
    EnrolMember, MemberAnswer, MemberDeed, MemberRequest, NewConsent, NewValue, Personal, Sought,
};
use stockroom_core::input::{Answer, Command, RetryKey};
use stockroom_crdt::ids::{Digest, StoreId};
use stockroom_crdt::member::link::{Evidence, Weight};
use stockroom_crdt::member::value::{Field, Purpose};

use super::people::code;
use super::{Play, Todo};
use crate::observe::Seen;
use crate::plan::persons::PersonDo;
use crate::truth::persons::{Person, SENTINEL, phone, says_who};

impl Play<'_> {
    /// Something happens to a member's account.
    pub(crate) fn person(&mut self, number: u32, deed: PersonDo, key: u64) {
        let name = format!("{number}/{key}");
        let retry = Digest::of(&[b"person", name.as_bytes()]);
        let retry = RetryKey { key: retry, body: retry };
        let member = |number: &u32| self.truth.persons.known.get(number).and_then(|person| person.member);
        let text = |field, text: String| NewValue { field, text: Personal::new(text), verified: false };
        let remark = text(Field::Remark, format!("{SENTINEL}remark-{number}-{key}"));
        let own = self.truth.persons.known.get(&number).map_or(number, |person| person.phone);
        let about = |deed| {
            let request = MemberRequest { member: member(&number)?, deed, staff: code("eva") };
            Some(Command::Member(retry, Box::new(request)))
        };
        let (node, command) = match deed {
            PersonDo::Enrol { at, home, phone: own } => {
                let given = NewConsent { purpose: Purpose::Membership, given: true, source: code("form") };
                let at_hub = matches!(at, crate::plan::Who::Hub(_));
                let request = EnrolMember {
                    home: at_hub.then_some(StoreId(home)),
                    values: vec![text(Field::Name, format!("{SENTINEL}name-{number}")), text(Field::Phone, phone(own))],
                    consents: vec![given],
                    staff: code("eva"),
                };
                self.truth.persons.known.entry(number).or_insert(Person { phone: own, ..Person::default() });
                (self.cast.node(at), Some(Command::EnrolMember(retry, Box::new(request))))
            }
            PersonDo::Come(store) => {
                let sought = Sought::Identifier { field: Field::Phone, text: Personal::new(phone(own)) };
                (self.cast.stores[&store], Some(Command::FindMember(sought)))
            }
            PersonDo::Remark(at) => (self.cast.node(at), about(MemberDeed::Set { slot: None, value: remark })),
            PersonDo::Link(other) => {
                let link = member(&other).map(|other| MemberDeed::Link {
                    other,
                    evidence: Evidence::Proof,
                    weight: Weight::Strong,
                });
                (self.cast.hubs[0], link.and_then(about))
            }
            PersonDo::Unlink(other) => {
                let unlink = member(&other).map(|other| MemberDeed::Unlink { other, reason: code("mistake") });
                (self.cast.hubs[0], unlink.and_then(about))
            }
            PersonDo::Erase(at) => {
                (self.cast.node(at), about(MemberDeed::Erase { whole: false, reason: code("wish") }))
            }
        };
        let Some(command) = command else { return };
        let answer = self.world.ask(node, command);
        self.look();
        let now_ms = self.world.now_ms;
        match answer {
            Some(Ok(Answer::Member(MemberAnswer::Enrolled { member, .. }))) => {
                self.truth.persons.known.entry(number).or_default().member = Some(member);
            }
            Some(Ok(_)) => {
                if let (PersonDo::Erase(_), Some(person)) = (deed, self.truth.persons.known.get_mut(&number)) {
                    person.erased = true;
                }
            }
            Some(Err(refusal)) => {
                let what = format!("member {number}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: Some(refusal.to_string()) });
            }
            None => {
                let what = format!("member {number}");
                self.saw(now_ms, node, Seen::Unanswered { what, refusal: None });
                self.at(now_ms + AGAIN_MS, Todo::Person(number, deed, key));
            }
        }
    }

    /// Looks at frames: none says who somebody is.
    pub(crate) fn overhear(&mut self) {
        for sent in &self.world.sent {
            if says_who(&sent.bytes) {
                self.truth
                    .persons
                    .leaks
                    .push(format!("node {} sends a name or a remark to node {}", sent.from, sent.to));
            }
        }
    }
}

/// How soon somebody asks again.
const AGAIN_MS: u64 = 5_000;

//! Members: enrolling, values, consents, links, erasure, and asking the hub who somebody is.

use std::collections::BTreeMap;

use rand_core::Rng;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, MemberId, StoreId};
use stockroom_crdt::limits::{MEMBER_SLOTS_MAX, MEMBER_VALUE_BYTES_MAX};
use stockroom_crdt::member::link::{Evidence, MemberLink, MemberUnlink, Weight};
use stockroom_crdt::member::record::Record;
use stockroom_crdt::member::value::{Field, MemberConsent, MemberValue, Slot};
use stockroom_crdt::member::{Enrolment, MemberErase, Stage};
use stockroom_crdt::scope::Scope;

use super::{Failed, check_fact, earlier, remember};
use crate::books::{identifiers, members};
use crate::input::members::{EnrolMember, MemberAnswer, MemberDeed, MemberRequest, NewConsent, NewValue, Sought};
use crate::input::{Answer, Refusal, RetryKey};
use crate::journal::{Place, entry_at};
use crate::limits::FETCHES_MAX;
use crate::members::{hub, store};
use crate::replica::Replica;
use crate::sync::keys;
use crate::vault::{self, What};

/// Makes an account, once per retry key.
pub fn enrol(replica: &mut Replica, retry: RetryKey, request: EnrolMember) -> Result<Answer, Failed> {
    let retry = keyed(replica, retry)?;
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        let item = entry_at(&replica.overlay, place)?;
        if let Some(Fact::Member(enrolment)) = item.map(|item| item.entry.fact) {
            let answer = MemberAnswer::Enrolled { member: enrolment.member, place, replayed: true };
            return Ok(Answer::Member(answer));
        }
    }
    let home = home_for(replica, request.home)?;
    let values = slots(&request.values)?;
    for (index, (_, value)) in values.iter().enumerate() {
        check_verified(replica, &format!("values[{index}].verified"), value)?;
    }
    if values.is_empty() {
        return Err(Refusal::invalid("values", "is empty: nobody would be found again").into());
    }
    let member = MemberId(replica.rng.next_u64());
    if members::record(&replica.overlay, member)?.is_some() || !vault::make(replica, member)? {
        return Err(Refusal::State("the account could not be made: try again".into()).into());
    }
    let mut facts = vec![Fact::Member(Enrolment { member, home, staff: request.staff.clone(), copied: None })];
    for (slot, value) in values {
        facts.push(sealed(replica, member, slot, value, &request.staff)?);
    }
    let consents = request.consents.into_iter().map(|consent| agreed(member, consent, &request.staff));
    facts.extend(consents);
    facts.iter().try_for_each(|fact| check_fact(fact, "member"))?;
    let place = replica.write(&Scope::StoreMembers(home), facts)?[0];
    remember(replica, retry, place, 1);
    Ok(Answer::Member(MemberAnswer::Enrolled { member, place, replayed: false }))
}

/// Says something of an account, once per retry key.
pub fn say(replica: &mut Replica, retry: RetryKey, request: MemberRequest) -> Result<Answer, Failed> {
    let retry = keyed(replica, retry)?;
    super::once(replica, retry, |replica| act(replica, request))
}

/// Looks for somebody: here, and if nobody here knows, at the hub.
pub fn find(replica: &mut Replica, sought: Sought) -> Result<Answer, Failed> {
    if let Sought::Identifier { field, text } = &sought {
        if !field.is_identifier() {
            let message = format!("nobody is found by {}: give a phone, an email, a card or an app", field.as_str());
            return Err(Refusal::invalid("field", message).into());
        }
        if field.normal(text.as_str()).is_none() {
            return Err(Refusal::invalid("text", format!("is no {}", field.as_str())).into());
        }
    }
    let found = keys::look_up(replica, &sought)?;
    if !found.is_empty() {
        for member in &found {
            store::came(replica, *member)?;
        }
        return Ok(Answer::Member(MemberAnswer::Found(found)));
    }
    if let Sought::Member(member) = &sought
        && members::record(&replica.overlay, *member)?.is_some_and(|record| record.erased().is_some())
    {
        return Err(Refusal::State("she was erased: nothing is known of her any more".into()).into());
    }
    if replica.own_store().is_none() {
        return Err(Refusal::Unknown { field: "member".into(), what: "member" }.into());
    }
    if !replica.member_desk.linked {
        let message = "not known at this store, and the hub cannot be asked now: sell without the member, or enrol her \
                       here, and her accounts are joined later";
        return Err(Refusal::NotHere(message.into()).into());
    }
    if replica.member_desk.fetches() >= FETCHES_MAX {
        return Err(Refusal::State("too many questions wait for the hub: try again in a moment".into()).into());
    }
    let number = replica.ask_hub_for(sought)?;
    Ok(Answer::Member(MemberAnswer::Asked(number)))
}

fn act(replica: &mut Replica, request: MemberRequest) -> Result<Place, Failed> {
    let MemberRequest { member, deed, staff } = request;
    let (record, scope) = known(replica, "member", member)?;
    let facts = match deed {
        MemberDeed::Set { slot, value } => {
            check_verified(replica, "value.verified", &value)?;
            check_value("value.text", &value)?;
            let slot = match slot {
                Some(slot) if slot.field != value.field => {
                    return Err(Refusal::invalid("slot", "is of another field than the value").into());
                }
                Some(slot) if slot.number >= MEMBER_SLOTS_MAX => {
                    return Err(Refusal::invalid("slot", format!("is not below {MEMBER_SLOTS_MAX}")).into());
                }
                Some(slot) => slot,
                None => free_slot(&record, value.field)?,
            };
            vec![sealed(replica, member, slot, value, &staff)?]
        }
        MemberDeed::Remove(slot) => {
            if record.value(slot).is_none_or(|(_, value)| value.sealed.is_none()) {
                return Err(Refusal::Unknown { field: "slot".into(), what: "value" }.into());
            }
            vec![Fact::MemberValue(MemberValue { member, slot, sealed: None, verified: false, staff, copied: None })]
        }
        MemberDeed::Consent(consent) => vec![agreed(member, consent, &staff)],
        MemberDeed::Link { other, evidence, weight } => {
            vec![Fact::MemberLink(link(replica, (member, other), (evidence, weight), staff)?)]
        }
        MemberDeed::Unlink { other, reason } => unlinks(replica, &record, (member, other), (reason, staff))?,
        MemberDeed::Erase { whole, reason } => return erase(replica, member, (whole, reason, staff)),
    };
    facts.iter().try_for_each(|fact| check_fact(fact, "member"))?;
    Ok(replica.write(&scope, facts)?[0])
}

/// Erases an account, or all accounts of the person. A hub has the last word at once; a store forgets her at once, and its hub finishes it.
fn erase(replica: &mut Replica, member: MemberId, (whole, reason, staff): (bool, Code, Code)) -> Result<Place, Failed> {
    let mut accounts =
        if whole { members::class(&replica.overlay, member, Weight::Strong)?.members } else { [].into() };
    accounts.remove(&member);
    let stage = if replica.own_store().is_some() { Stage::Asked } else { Stage::Done };
    let mut place = None;
    for (account, whole) in std::iter::once((member, whole)).chain(accounts.into_iter().map(|other| (other, false))) {
        let Ok((_, scope)) = known(replica, "member", account) else { continue };
        let (reason, staff) = (reason.clone(), staff.clone());
        let fact = Fact::MemberErase(MemberErase { member: account, stage, whole, reason, staff, copied: None });
        check_fact(&fact, "member")?;
        let written = replica.write(&scope, vec![fact])?[0];
        place.get_or_insert(written);
        replica.destroy_member(account)?;
    }
    place.ok_or_else(|| Refusal::Unknown { field: "member".into(), what: "member" }.into())
}

fn link(
    replica: &mut Replica,
    (member, other): (MemberId, MemberId),
    (evidence, weight): (Evidence, Weight),
    staff: Code,
) -> Result<MemberLink, Failed> {
    if member == other {
        return Err(Refusal::invalid("other", "is the same account").into());
    }
    known(replica, "other", other)?;
    let weight = if replica.own_store().is_some() { Weight::Tentative } else { weight };
    let found = MemberLink::found((member, other), evidence, weight);
    Ok(MemberLink { id: replica.rng.next_u64(), staff, ..found })
}

/// Retractions of every link between two accounts that counts.
fn unlinks(
    replica: &Replica,
    record: &Record,
    (member, other): (MemberId, MemberId),
    (reason, staff): (Code, Code),
) -> Result<Vec<Fact>, Failed> {
    let at_store = replica.own_store().is_some();
    let between = record.links().active().filter(|link| link.other(member) == other).cloned().collect::<Vec<_>>();
    if between.is_empty() {
        return Err(Refusal::Unknown { field: "other".into(), what: "link" }.into());
    }
    if at_store && between.iter().any(|link| link.weight == Weight::Strong) {
        let message = "the two were joined by proof: only the hub takes that back";
        return Err(Refusal::NotHere(message.into()).into());
    }
    let unlink = |link: MemberLink| {
        let (reason, staff) = (reason.clone(), staff.clone());
        let (id, a, b) = (link.id, link.a, link.b);
        Fact::MemberUnlink(MemberUnlink { id, a, b, strong: !at_store, reason, staff, copied: None })
    };
    Ok(between.into_iter().map(unlink).collect())
}

/// An account that this node may speak of, and the scope where it does.
fn known(replica: &Replica, field: &str, member: MemberId) -> Result<(Record, Scope), Failed> {
    let unknown = || Refusal::Unknown { field: field.into(), what: "member" };
    let record = members::record(&replica.overlay, member)?.ok_or_else(unknown)?;
    if record.erased().is_some() {
        return Err(Refusal::State("she was erased: nothing is said of her any more".into()).into());
    }
    let home = record.enrolled().map(|(_, enrolment)| enrolment.home).ok_or_else(unknown)?;
    let store = match replica.own_store() {
        Some(own) => own,
        None if hub::own_stores(replica)?.contains(&home) => home,
        None => return Err(Refusal::NotHere("she belongs to a store of another hub: ask there".into()).into()),
    };
    Ok((record, Scope::StoreMembers(store)))
}

/// The store that a new member belongs to.
fn home_for(replica: &Replica, wanted: Option<StoreId>) -> Result<StoreId, Failed> {
    match (replica.own_store(), wanted) {
        (Some(own), None) => Ok(own),
        (Some(own), Some(wanted)) if own == wanted => Ok(own),
        (Some(_), Some(_)) => {
            let message = "a store enrols its own members: leave it out, or ask the hub";
            Err(Refusal::invalid("home", message).into())
        }
        (None, None) => Err(Refusal::invalid("home", "is needed: which store does she belong to").into()),
        (None, Some(wanted)) if hub::own_stores(replica)?.contains(&wanted) => Ok(wanted),
        (None, Some(_)) => Err(Refusal::Unknown { field: "home".into(), what: "store of this hub" }.into()),
    }
}

/// Gives each value of a new member its slot.
fn slots(values: &[NewValue]) -> Result<Vec<(Slot, NewValue)>, Refusal> {
    let mut next: BTreeMap<Field, u8> = BTreeMap::new();
    let mut out = Vec::new();
    for (index, value) in values.iter().enumerate() {
        check_value(&format!("values[{index}].text"), value)?;
        let number = next.entry(value.field).or_default();
        if *number >= MEMBER_SLOTS_MAX {
            let message = format!("is one {} too many: {MEMBER_SLOTS_MAX} are kept", value.field.as_str());
            return Err(Refusal::invalid(format!("values[{index}]"), message));
        }
        out.push((Slot { field: value.field, number: *number }, value.clone()));
        *number += 1;
    }
    Ok(out)
}

fn free_slot(record: &Record, field: Field) -> Result<Slot, Refusal> {
    let mut slots = (0..MEMBER_SLOTS_MAX).map(|number| Slot { field, number });
    let free = |slot: &Slot| record.value(*slot).is_none_or(|(_, value)| value.sealed.is_none());
    let message = format!("is one {} too many: {MEMBER_SLOTS_MAX} are kept", field.as_str());
    slots.find(free).ok_or_else(|| Refusal::invalid("value", message))
}

/// The refusal does not repeat the value: it may be shown and logged.
fn check_value(field: &str, value: &NewValue) -> Result<(), Refusal> {
    match value.field.normal(value.text.as_str()) {
        Some(_) => Ok(()),
        None => {
            let message = format!("is no {} of 1 to {MEMBER_VALUE_BYTES_MAX} bytes", value.field.as_str());
            Err(Refusal::invalid(field, message))
        }
    }
}

fn check_verified(replica: &Replica, field: &str, value: &NewValue) -> Result<(), Refusal> {
    if value.verified && replica.own_store().is_some() {
        return Err(Refusal::invalid(field, "is said by the hub only, which sends the code or takes the sign-in"));
    }
    Ok(())
}

fn sealed(replica: &mut Replica, member: MemberId, slot: Slot, value: NewValue, staff: &Code) -> Result<Fact, Failed> {
    let plain = value.text.as_str().trim().as_bytes();
    let Some(sealed) = vault::seal(replica, member, What::Value(slot.number()), plain)? else {
        let message = "what is known of her cannot be read here now: look her up again when the hub can be asked";
        return Err(Refusal::NotHere(message.into()).into());
    };
    let (verified, staff) = (value.verified, staff.clone());
    Ok(Fact::MemberValue(MemberValue { member, slot, sealed: Some(sealed), verified, staff, copied: None }))
}

fn agreed(member: MemberId, consent: NewConsent, staff: &Code) -> Fact {
    let NewConsent { purpose, given, source } = consent;
    Fact::MemberConsent(MemberConsent { member, purpose, given, source, staff: staff.clone(), copied: None })
}

/// The hash of a request about a person is kept under this node's key only: from a plain one her number could be found by trying.
fn keyed(replica: &mut Replica, retry: RetryKey) -> Result<RetryKey, Failed> {
    identifiers::make_key(replica)?;
    let body = identifiers::keyed(&replica.overlay, &[b"request", &retry.body.0])?;
    Ok(RetryKey { key: retry.key, body: body.map_or(retry.body, Digest) })
}

//! A hub and the members of the stores that it enrolled: accounts with one identifier are joined, what a store needs to know is copied into its scope,
//! erasures are finished.
//!
//! A store *holds* an account when the account is its own, or was leased to it, or is one person with one that it holds. What it holds it is told:
//! whatever its scope lacks of the joined record is written there as a copy. So nothing has to be remembered about who was told what.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::capability::Role;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{MemberId, StoreId};
use stockroom_crdt::member::link::{Evidence, MemberLink, Weight};
use stockroom_crdt::member::record::Record;
use stockroom_crdt::member::value::{Field, MemberConsent, MemberValue};
use stockroom_crdt::member::{Enrolment, MemberErase, Stage};
use stockroom_crdt::scope::Scope;

use crate::books::{identifiers, members};
use crate::input::CoreError;
use crate::limits::{CLASS_LOOKUP_MAX, KEYS_IN_FRAME_MAX};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::sync::keys::KeysFrame;
use crate::vault::{self, Held, Keep, MemberKey, What};
use crate::view::View;

/// Something was said of an account, or its key came.
pub(super) fn look_at(
    replica: &mut Replica,
    ours: &BTreeSet<StoreId>,
    member: MemberId,
    record: &Record,
) -> Result<(), CoreError> {
    if let Some((_, erase)) = record.erased() {
        return finish_erasure(replica, ours, member, erase.clone());
    }
    replica.index_member(member, record)?;
    if is_lacking(replica, member, record)? {
        replica.member_desk.missing.insert(member);
    }
    for link in found_links(replica, member, record)? {
        if record.links().knows(&link) {
            continue;
        }
        let Some(home) = home_of(replica, member)?.filter(|home| ours.contains(home)) else { continue };
        replica.reached("two accounts were found to have one identifier");
        replica.write(&Scope::StoreMembers(home), vec![Fact::MemberLink(link)])?;
    }
    for account in members::class(&replica.overlay, member, Weight::Strong)?.members {
        for store in holders(replica, account)?.intersection(ours) {
            copy(replica, account, *store)?;
        }
    }
    Ok(())
}

/// Stores that are to know an account.
pub fn holders(replica: &Replica, member: MemberId) -> Result<BTreeSet<StoreId>, StoreError> {
    let mut out = BTreeSet::new();
    for account in members::class(&replica.overlay, member, Weight::Strong)?.members {
        out.extend(home_of(replica, account)?);
        out.extend(vault::leased_to(&replica.overlay, account)?);
    }
    Ok(out)
}

/// Somebody is erased for whom this hub answers: every store that heard of her is told, and no key is left.
fn finish_erasure(
    replica: &mut Replica,
    ours: &BTreeSet<StoreId>,
    member: MemberId,
    erase: MemberErase,
) -> Result<(), CoreError> {
    if erase.stage == Stage::Asked {
        let mut asking = BTreeSet::new();
        for store in members::stores(&replica.overlay, member)? {
            let held = members::of_store(&replica.overlay, store, member)?;
            asking.extend(held.is_some_and(|held| held.erased().is_some()).then_some(store));
        }
        let mut may_ask = BTreeSet::new();
        for account in members::class_to_erase(&replica.overlay, member)?.members {
            may_ask.extend(vault::leased_to(&replica.overlay, account)?);
            may_ask.extend(home_of(replica, account)?);
        }
        let is_ours = home_of(replica, member)?.is_some_and(|home| ours.contains(&home));
        if is_ours && asking.is_disjoint(&may_ask) {
            replica.reached("an erasure was asked for by a store that does not hold the member");
            replica
                .alarm(format!("{member} is to be erased, says a store that does not hold her: nothing was destroyed"));
            return Ok(());
        }
    }
    let whole = erase.whole.then(|| members::class_to_erase(&replica.overlay, member)).transpose()?;
    let accounts = whole.map_or_else(|| BTreeSet::from([member]), |class| class.members);
    for account in accounts {
        let mut done = BTreeSet::from_iter(home_of(replica, account)?);
        done.extend(members::stores(&replica.overlay, account)?);
        for store in done.intersection(ours) {
            let held = members::of_store(&replica.overlay, *store, account)?.unwrap_or_default();
            if held.erased().is_some_and(|(_, erase)| erase.stage == Stage::Done) {
                continue;
            }
            let fact = MemberErase { member: account, stage: Stage::Done, whole: false, copied: None, ..erase.clone() };
            replica.write(&Scope::StoreMembers(*store), vec![Fact::MemberErase(fact)])?;
        }
        replica.destroy_member(account)?;
    }
    Ok(())
}

/// Links that follow from identifiers that an account shares with others.
fn found_links(replica: &Replica, member: MemberId, record: &Record) -> Result<Vec<MemberLink>, StoreError> {
    let mut out = Vec::new();
    for (hash, (field, verified)) in identifiers_of(replica, member, record)? {
        let others = identifiers::accounts(&replica.overlay, &hash)?;
        // An identifier that so many have tells nobody from anybody: a shop's own number, a card that was copied.
        if others.len() > CLASS_LOOKUP_MAX {
            continue;
        }
        for other in others.into_iter().filter(|other| *other != member) {
            let theirs = members::record(&replica.overlay, other)?.unwrap_or_default();
            let proven = identifiers_of(replica, other, &theirs)?.get(&hash).is_some_and(|(_, verified)| *verified);
            let weight = if verified && proven { Weight::Strong } else { Weight::Tentative };
            out.push(MemberLink::found((member, other), evidence_of(field), weight));
        }
    }
    Ok(out)
}

/// The identifiers of an account as far as they can be read here, by their hashes, and whether she proved them.
fn identifiers_of(
    replica: &Replica,
    member: MemberId,
    record: &Record,
) -> Result<BTreeMap<identifiers::Hash, (Field, bool)>, StoreError> {
    let mut out = BTreeMap::new();
    for (_, value) in record.values() {
        let field = value.slot.field;
        let Some(sealed) = value.sealed.as_ref().filter(|_| field.is_identifier()) else { continue };
        let what = What::Value(value.slot.number());
        let Some(plain) = vault::open(&replica.overlay, replica.me.tenant, (member, what), sealed)? else { continue };
        let Some(normal) = String::from_utf8(plain).ok().and_then(|text| field.normal(&text)) else { continue };
        if let Some(hash) = identifiers::hash(&replica.overlay, field, &normal)? {
            let known = out.entry(hash).or_insert((field, false));
            known.1 |= value.verified;
        }
    }
    Ok(out)
}

fn evidence_of(field: Field) -> Evidence {
    match field {
        Field::Phone => Evidence::Phone,
        Field::Email => Evidence::Email,
        Field::Card => Evidence::Card,
        Field::App => Evidence::App,
        Field::Name | Field::Birthday | Field::Remark => Evidence::Staff,
    }
}

/// Writes into a store's scope what it lacks of an account.
fn copy(replica: &mut Replica, member: MemberId, store: StoreId) -> Result<(), CoreError> {
    let record = members::record(&replica.overlay, member)?.unwrap_or_default();
    let held = members::of_store(&replica.overlay, store, member)?.unwrap_or_default();
    let mut facts = Vec::new();
    if let Some((said, enrolment)) = record.enrolled()
        && held.enrolled().map(|(said, _)| said) != Some(said)
    {
        facts.push(Fact::Member(Enrolment { copied: Some(*said), ..enrolment.clone() }));
    }
    for (said, value) in record.values() {
        if held.value(value.slot).is_none_or(|(held, _)| held < said) {
            facts.push(Fact::MemberValue(MemberValue { copied: Some(*said), ..value.clone() }));
        }
    }
    for (said, consent) in record.consents() {
        if held.consent(consent.purpose).is_none_or(|(held, _)| held < said) {
            facts.push(Fact::MemberConsent(MemberConsent { copied: Some(*said), ..consent.clone() }));
        }
    }
    let known: BTreeSet<_> = held.links().all().map(|(link, _)| link.clone()).collect();
    let links = record.links().all().map(|(link, _)| link).filter(|link| !known.contains(link));
    facts.extend(links.cloned().map(Fact::MemberLink));
    let known: BTreeSet<_> = held.links().retractions().cloned().collect();
    let retractions = record.links().retractions().filter(|unlink| !known.contains(unlink));
    facts.extend(retractions.cloned().map(Fact::MemberUnlink));
    if !facts.is_empty() {
        replica.reached("a store was told of a member");
        replica.member_desk.known_at.insert(store);
        replica.write(&Scope::StoreMembers(store), facts)?;
    }
    Ok(())
}

/// A store gives keys that it made. Says which are held now, and which were destroyed.
pub fn take_given(
    replica: &mut Replica,
    store: StoreId,
    keys: Vec<(MemberId, MemberKey)>,
) -> Result<Vec<KeysFrame>, StoreError> {
    let (mut kept, mut destroyed) = (Vec::new(), Vec::new());
    for (member, key) in keys {
        match vault::held(&replica.overlay, member)? {
            Some(Held::Destroyed) => destroyed.push(member),
            Some(Held::Key(held, _)) if held == key => kept.push(member),
            Some(Held::Key(..)) => {
                // Whoever made the account made its key: a second one is a fault or an attempt to read what others seal.
                replica.alarm(format!("a store gave another key for {member} than is held: it was not taken"));
            }
            None | Some(Held::Forgotten) => {
                vault::put(&mut replica.overlay, member, key, Keep::Kept)?;
                replica.member_desk.missing.remove(&member);
                replica.member_desk.touched.insert(member);
                kept.push(member);
            }
        }
    }
    replica.member_desk.known_at.insert(store);
    let mut out = Vec::new();
    if !kept.is_empty() {
        out.push(KeysFrame::Kept { lease_ms: crate::limits::MEMBER_LEASE_MS, members: kept });
    }
    if !destroyed.is_empty() {
        out.push(KeysFrame::Destroyed(destroyed));
    }
    Ok(out)
}

/// True when what is known of an account cannot be read here, and could be if its store gave the key: this hub was set back, or the key is on its way.
pub(super) fn is_lacking(replica: &Replica, member: MemberId, record: &Record) -> Result<bool, StoreError> {
    let lives = record.enrolled().is_some() && record.erased().is_none();
    Ok(lives && vault::held(&replica.overlay, member)?.is_none())
}

/// A store can be reached: it is asked for keys of its own members that this hub has lost.
pub fn greet(replica: &Replica, store: StoreId) -> Result<Vec<KeysFrame>, StoreError> {
    let mut lost = Vec::new();
    for member in &replica.member_desk.missing {
        if home_of(replica, *member)? == Some(store) {
            lost.push(*member);
        }
    }
    Ok(lost.chunks(KEYS_IN_FRAME_MAX).map(|members| KeysFrame::Missing(members.to_vec())).collect())
}

/// A store lacks keys of members that it knows.
pub fn give_missing(
    replica: &mut Replica,
    store: StoreId,
    wanted: Vec<MemberId>,
) -> Result<Vec<KeysFrame>, StoreError> {
    let (mut keys, mut destroyed) = (Vec::new(), Vec::new());
    for member in wanted {
        match vault::held(&replica.overlay, member)? {
            Some(Held::Destroyed) => destroyed.push(member),
            Some(Held::Key(key, _)) if holders(replica, member)?.contains(&store) => keys.push((member, key)),
            Some(Held::Key(..) | Held::Forgotten) | None => {}
        }
    }
    if !keys.is_empty() {
        replica.member_desk.known_at.insert(store);
    }
    // Also without a key: the store waits for the answer before it asks on.
    let mut out = vec![KeysFrame::Lease { lease_ms: crate::limits::MEMBER_LEASE_MS, keys }];
    if !destroyed.is_empty() {
        out.push(KeysFrame::Destroyed(destroyed));
    }
    Ok(out)
}

/// A store asks who somebody is. Whom it finds it holds from now on.
pub fn answer(
    replica: &mut Replica,
    store: StoreId,
    number: u64,
    found: Vec<MemberId>,
) -> Result<Vec<KeysFrame>, StoreError> {
    let mut keys = BTreeMap::new();
    let mut members = BTreeSet::new();
    for member in found.into_iter().take(CLASS_LOOKUP_MAX) {
        for account in members::class(&replica.overlay, member, Weight::Strong)?.members {
            let Some(Held::Key(key, _)) = vault::held(&replica.overlay, account)? else { continue };
            if home_of(replica, account)? != Some(store) {
                vault::lease(&mut replica.overlay, account, store);
            }
            replica.member_desk.touched.insert(account);
            keys.insert(account, key);
            members.insert(account);
        }
    }
    replica.member_desk.known_at.insert(store);
    let lease_ms = crate::limits::MEMBER_LEASE_MS;
    let mut out = Vec::new();
    let keys: Vec<_> = keys.into_iter().take(KEYS_IN_FRAME_MAX).collect();
    if !keys.is_empty() {
        replica.reached("a member was fetched by another store");
        out.push(KeysFrame::Lease { lease_ms, keys });
    }
    out.push(KeysFrame::Fetched { number, members: members.into_iter().take(KEYS_IN_FRAME_MAX).collect() });
    Ok(out)
}

/// Stores whose nodes this hub enrolled: it answers for their members.
pub fn own_stores(replica: &Replica) -> Result<BTreeSet<StoreId>, StoreError> {
    let me = replica.actor().node;
    let nodes = View::new(&replica.overlay).nodes()?;
    Ok(nodes.into_iter().filter(|node| node.role == Role::Store && node.issuer == me).map(|node| node.store).collect())
}

/// The store that an account belongs to.
pub fn home_of(replica: &Replica, member: MemberId) -> Result<Option<StoreId>, StoreError> {
    let record = members::record(&replica.overlay, member)?;
    Ok(record.and_then(|record| record.enrolled().map(|(_, enrolment)| enrolment.home)))
}

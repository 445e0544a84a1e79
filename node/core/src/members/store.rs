//! A store and the members it knows: keys that are missing, and members who do not come any more.

use std::collections::BTreeSet;
use std::ops::Bound;

use stockroom_crdt::ids::{MemberId, StoreId};
use stockroom_crdt::member::record::Record;

use crate::books::{identifiers, members};
use crate::input::CoreError;
use crate::limits::{KEYS_IN_FRAME_MAX, MEMBER_FORGET_MS};
use crate::replica::Replica;
use crate::storage::StoreError;
use crate::sync::keys::KeysFrame;
use crate::vault::{self, Held, Keep, MemberKey};

/// Something was said of an account, or its key came or went.
pub(super) fn look_at(replica: &mut Replica, own: StoreId, member: MemberId, record: &Record) -> Result<(), CoreError> {
    if record.erased().is_some() {
        return Ok(replica.destroy_member(member)?);
    }
    match vault::held(&replica.overlay, member)? {
        Some(Held::Key(key, Keep::Ungiven)) => {
            replica.index_member(member, record)?;
            replica.member_desk.ungiven.insert(member);
            if replica.member_desk.linked {
                offer(replica, vec![(member, key)]);
            }
        }
        Some(Held::Key(..)) => replica.index_member(member, record)?,
        None if members::of_store(&replica.overlay, own, member)?.is_some_and(|held| held.enrolled().is_some()) => {
            replica.member_desk.missing.insert(member);
            if replica.member_desk.linked {
                match replica.member_desk.outbox.last_mut() {
                    Some(KeysFrame::Missing(members)) if members.len() < KEYS_IN_FRAME_MAX => members.push(member),
                    _ => replica.member_desk.outbox.push(KeysFrame::Missing(vec![member])),
                }
            }
        }
        None | Some(Held::Forgotten | Held::Destroyed) => {}
    }
    Ok(())
}

/// The hub can be reached: it gets the keys that it lacks, and is asked for those that are missing here.
pub fn greet(replica: &mut Replica) -> Result<(), StoreError> {
    replica.member_desk.linked = true;
    replica.member_desk.asked_up_to = None;
    let mut keys = Vec::new();
    for member in replica.member_desk.ungiven.clone() {
        if let Some(Held::Key(key, Keep::Ungiven)) = vault::held(&replica.overlay, member)? {
            keys.push((member, key));
        }
    }
    offer(replica, keys);
    ask_on(replica);
    Ok(())
}

/// Asks for a frame of the keys that are missing; for the next when this one was answered, so that a hub is never asked faster than it is heard.
fn ask_on(replica: &mut Replica) {
    let desk = &mut replica.member_desk;
    let after = desk.asked_up_to.map_or(Bound::Unbounded, Bound::Excluded);
    let next: Vec<_> = desk.missing.range((after, Bound::Unbounded)).take(KEYS_IN_FRAME_MAX).copied().collect();
    let Some(last) = next.last().filter(|_| desk.linked) else { return };
    desk.asked_up_to = Some(*last);
    desk.outbox.push(KeysFrame::Missing(next));
}

/// The hub has lost keys of members that belong here.
pub fn give_back(replica: &mut Replica, wanted: Vec<MemberId>) -> Result<(), StoreError> {
    let mut keys = Vec::new();
    for member in wanted {
        if let Some(Held::Key(key, _)) = vault::held(&replica.overlay, member)? {
            keys.push((member, key));
        }
    }
    if !keys.is_empty() {
        replica.reached("a hub got keys back that it had lost");
    }
    offer(replica, keys);
    Ok(())
}

/// Keys came on lease, or the hub says only that the lease goes on.
pub fn take_leased(replica: &mut Replica, lease_ms: u64, keys: Vec<(MemberId, MemberKey)>) -> Result<(), StoreError> {
    ask_on(replica);
    if keys.is_empty() && replica.member_desk.lease.is_none() {
        return Ok(());
    }
    replica.renew_lease(lease_ms);
    let keep = Keep::Leased { came_ms: replica.now.wall_ms };
    for (member, key) in keys {
        if matches!(vault::held(&replica.overlay, member)?, Some(Held::Key(..))) {
            continue;
        }
        if vault::put(&mut replica.overlay, member, key, keep)? {
            replica.reached("a key came on lease");
            replica.member_desk.missing.remove(&member);
            replica.member_desk.touched.insert(member);
        }
    }
    Ok(())
}

/// The hub has keys of ours durable: from now on they are held on lease like all others.
pub fn was_kept(replica: &mut Replica, lease_ms: u64, members: Vec<MemberId>) -> Result<(), StoreError> {
    for member in members {
        if let Some(Held::Key(key, Keep::Ungiven)) = vault::held(&replica.overlay, member)? {
            let keep = Keep::Leased { came_ms: replica.now.wall_ms };
            vault::put(&mut replica.overlay, member, key, keep)?;
            replica.member_desk.ungiven.remove(&member);
            replica.renew_lease(lease_ms);
        }
    }
    Ok(())
}

/// She is here: she is not forgotten for a while.
pub fn came(replica: &mut Replica, member: MemberId) -> Result<(), StoreError> {
    let now_ms = replica.now.wall_ms;
    if let Some(Held::Key(key, Keep::Leased { came_ms })) = vault::held(&replica.overlay, member)?
        && came_ms.saturating_add(MEMBER_FORGET_MS / 32) <= now_ms
    {
        vault::put(&mut replica.overlay, member, key, Keep::Leased { came_ms: now_ms })?;
    }
    Ok(())
}

/// Lets go of members of other stores who did not come for long.
pub(super) fn forget_absent(replica: &mut Replica) -> Result<(), StoreError> {
    let Some(own) = replica.own_store() else { return Ok(()) };
    let mut gone = Vec::new();
    for (member, held) in replica.all_keys()? {
        let Held::Key(_, Keep::Leased { came_ms }) = held else { continue };
        if came_ms.saturating_add(MEMBER_FORGET_MS) > replica.now.wall_ms {
            continue;
        }
        let record = members::record(&replica.overlay, member)?.unwrap_or_default();
        if record.enrolled().is_some_and(|(_, enrolment)| enrolment.home == own) {
            continue;
        }
        replica.reached("a member who does not come any more was forgotten");
        vault::forget(&mut replica.overlay, member);
        identifiers::put(&mut replica.overlay, member, &BTreeSet::new())?;
        gone.push(member);
    }
    let gone = gone.chunks(KEYS_IN_FRAME_MAX).map(|members| KeysFrame::Dropped(members.to_vec()));
    replica.member_desk.outbox.extend(gone);
    Ok(())
}

fn offer(replica: &mut Replica, keys: Vec<(MemberId, MemberKey)>) {
    let frames = keys.chunks(KEYS_IN_FRAME_MAX).map(|keys| KeysFrame::Give(keys.to_vec()));
    replica.member_desk.outbox.extend(frames);
}

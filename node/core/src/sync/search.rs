//! The search for the last entry that both ends of a link hold alike of one log, where their histories of it part.
//!
//! A log has two histories when its author was set back and nobody could tell it in time. Whoever is sent a run that continues
//! no history it holds asks the sender, once per log and link, and acknowledges nothing of the scope until the answer is there;
//! the sender then sends what is lacking of each history that it holds. So the author of a log and its hub come together, and so
//! do those who only pass the log on.

use stockroom_crdt::chain::LogId;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::scope::Lane;

use super::feed;
use super::frames::{Frame, HeadIn, Locate, Proof};
use super::link::{Link, Path, Search};
use crate::ingest::{IngestError, PeerFault};
use crate::input::CoreError;
use crate::journal::LogNumber;
use crate::limits::{LINK_QUEUE_MAX, LOCATE_POINTS_MAX, SEARCHES_AT_ONCE, SEARCHES_MAX};
use crate::replica::Replica;
use crate::storage::StoreError;

/// A run came that continues no history of its log that is held here: the peer is asked where the histories part. It is at
/// fault if it was told already.
pub fn ask(replica: &Replica, link: &mut Link, id: &LogId) -> Result<(), IngestError> {
    match link.searches.get(id) {
        Some(Search::Due | Search::Asked) => Ok(()),
        Some(Search::Answered) => Err(PeerFault::History.into()),
        None if link.searches.len() >= SEARCHES_MAX => Err(PeerFault::History.into()),
        None => Ok(start(replica, link, id)?),
    }
}

/// Asks where the histories of a log part, unless that was asked on this link before.
pub fn start(replica: &Replica, link: &mut Link, id: &LogId) -> Result<(), StoreError> {
    if link.searches.len() < SEARCHES_MAX && !link.searches.contains_key(id) {
        link.searches.insert(id.clone(), Search::Due);
        ask_due(replica, link)?;
    }
    Ok(())
}

/// Sends as many questions as may be open at a time.
fn ask_due(replica: &Replica, link: &mut Link) -> Result<(), StoreError> {
    let open = link.searches.values().filter(|&&search| search == Search::Asked).count();
    let due = link.searches.iter().filter(|&(_, &search)| search == Search::Due).map(|(id, _)| id.clone());
    let due: Vec<LogId> = due.take(SEARCHES_AT_ONCE.saturating_sub(open)).collect();
    for id in due {
        link.push(Lane::Control, locate(replica, id.clone())?);
        link.searches.insert(id, Search::Asked);
    }
    Ok(())
}

/// The peer looks for the last entry that we hold alike: of its own log, or of one that it follows here. We send it what it
/// lacks of each history.
pub fn on_locate(replica: &Replica, link: &mut Link, locate: Locate) -> Result<(), IngestError> {
    let id = locate.log;
    let its_own = id.actor.node == link.peer.node;
    if !its_own && (id.scope.is_shared() || !link.outs.contains_key(&id.scope)) {
        return Err(PeerFault::Interest.into());
    }
    if link.queue.len() >= LINK_QUEUE_MAX {
        return Err(PeerFault::Frame("asks faster than it listens".into()).into());
    }
    // Parcels get lost, and then the question comes again.
    let again = !link.located.insert(id.clone()) && link.path == Path::Direct;
    if again || link.located.len() > SEARCHES_MAX {
        return Err(PeerFault::Frame("asks for more than there can be".into()).into());
    }
    let mut best = 0;
    for number in histories(replica, &id) {
        let main = common_seq(replica, number, locate.main.iter().copied())?.unwrap_or(0);
        let others = common_seq(replica, number, locate.others.iter().copied())?.unwrap_or(0);
        best = best.max(main);
        let begins = feed::begins(replica, number, link.follower());
        if let Some(out) = link.outs.get_mut(&id.scope).filter(|_| !id.scope.is_shared()) {
            out.sent.insert(number, main.max(others).max(begins));
            out.again.insert(number);
        }
    }
    let proof = if its_own { proof(replica, &id, &locate.main)? } else { None };
    // In the lane of the entries, so that none that were sent before it arrive after it.
    link.push(id.scope.lane(), Frame::Located(id, best, proof));
    Ok(())
}

/// A seal of the log's author over what does not stand in the history whose points it told.
fn proof(replica: &Replica, id: &LogId, main: &[(u64, [u8; 8])]) -> Result<Option<Proof>, StoreError> {
    for number in histories(replica, id) {
        let Some(seal) = replica.journal.log(number).and_then(|log| log.seal.clone()) else { continue };
        let common = common_seq(replica, number, main.iter().copied())?.unwrap_or(0);
        let Some(hash) = replica.journal.hash_at(&replica.overlay, number, seal.seq)? else { continue };
        if seal.seq > common {
            return Ok(Some(Proof { seal, hash }));
        }
    }
    Ok(None)
}

/// Opens a new epoch if our own signature says that the current one went on, or went on otherwise, in a life of this database
/// that is gone. Nobody else can make one, so it does not matter who shows it. `None` when nothing is proven; false when it is too soon
/// for another epoch, and both histories stay.
fn on_proof(replica: &mut Replica, id: &LogId, proof: &Proof) -> Result<Option<bool>, CoreError> {
    let own = id.actor.node == replica.actor().node && id.actor.epoch >= replica.epoch;
    if !own || !proof.seal.verify(&replica.me.signer.public(), replica.me.tenant, id, proof.hash) {
        return Ok(None);
    }
    let mut reason = EpochReason::HubAhead;
    if let Some((number, log)) = replica.journal.find(id)
        && proof.seal.seq <= log.head.seq
    {
        if replica.journal.hash_at(&replica.overlay, number, proof.seal.seq)? == Some(proof.hash) {
            return Ok(None);
        }
        reason = EpochReason::Forked;
    }
    replica.alarm(format!("this node signed what it does not know any more: {}", reason.as_str()));
    replica.reopen(id.actor.epoch.0.max(replica.epoch.0), reason).map(Some)
}

/// The answer. Of a log of ours, the peer lacks everything after `seq`; and from here on it sends what we lack.
pub fn on_located(
    replica: &mut Replica,
    link: &mut Link,
    (id, seq): (&LogId, u64),
    proof: Option<Proof>,
) -> Result<(), IngestError> {
    // Who asked in a parcel may have forgotten it when the answer comes.
    if link.searches.get(id) != Some(&Search::Asked) && link.path == Path::Direct {
        return Err(PeerFault::Frame("located".into()).into());
    }
    let proven = match proof {
        Some(proof) => on_proof(replica, id, &proof)?,
        None => None,
    };
    if proven == Some(true) {
        // Links are dropped for it.
        return Ok(());
    }
    let held = replica.journal.find(id).map(|(number, log)| (number, log.head.seq));
    let own = id.actor.node == replica.actor().node;
    if own && held.is_none() && proven.is_none() || seq > held.map_or(0, |(_, head)| head) {
        return Err(PeerFault::Frame("located".into()).into());
    }
    if let (true, Some((number, _)), Some(out)) = (own, held, link.outs.get_mut(&id.scope))
        && out.paused
    {
        out.sent.insert(number, seq);
        (out.next, out.paused) = (1, false);
    }
    if let Some(search) = link.searches.get_mut(id) {
        *search = Search::Answered;
    }
    if link.searches.iter().all(|(log, &search)| log.scope != id.scope || search == Search::Answered) {
        link.gaps.remove(&id.scope);
    }
    Ok(ask_due(replica, link)?)
}

/// All histories of a log: the main one, then its branches.
fn histories(replica: &Replica, id: &LogId) -> Vec<LogNumber> {
    let main = replica.journal.find(id).map(|(number, _)| number);
    main.into_iter().chain(replica.journal.branches(id).map(|(number, _)| number)).collect()
}

/// True when every head that the peer told lies on a history that is held here.
pub fn holds_all(replica: &Replica, id: &LogId, heads: &[HeadIn]) -> Result<bool, StoreError> {
    for head in heads {
        let mut held = false;
        for number in histories(replica, id) {
            held |= common_seq(replica, number, [(head.seq, head.hash)].into_iter())?.is_some();
        }
        if !held {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The largest of the given positions at which our history has the given hash.
pub fn common_seq(
    replica: &Replica,
    number: LogNumber,
    points: impl Iterator<Item = (u64, [u8; 8])>,
) -> Result<Option<u64>, StoreError> {
    let mut best = None;
    for (seq, hash) in points {
        let held = replica.journal.hash_at(&replica.overlay, number, seq)?;
        if held.is_some_and(|held| held.0[..8] == hash) {
            best = best.max(Some(seq));
        }
    }
    Ok(best)
}

/// Asks for the last common entry, with hashes of all histories that are held here.
fn locate(replica: &Replica, id: LogId) -> Result<Frame, StoreError> {
    let mut histories = histories(replica, &id).into_iter();
    let main = histories.next().map(|number| points(replica, number)).transpose()?.unwrap_or_default();
    // The head of each comes first: so many histories that the points do not suffice cost entries sent twice.
    let mut others = Vec::new();
    for number in histories {
        others.extend(points(replica, number)?.into_iter().enumerate());
    }
    others.sort_by_key(|&(distance, _)| distance);
    others.truncate(LOCATE_POINTS_MAX);
    let others = others.into_iter().map(|(_, point)| point).collect();
    Ok(Frame::Locate(Locate { log: id, main, others }))
}

/// Our hashes at the head and at exponentially growing distances before it. A branch tells none from before it begins: those
/// are of the history that it parts from.
fn points(replica: &Replica, number: LogNumber) -> Result<Vec<(u64, [u8; 8])>, StoreError> {
    let mut points = Vec::new();
    let Some(log) = replica.journal.log(number) else { return Ok(points) };
    let begins = log.parent.map_or(0, |parent| parent.seq);
    let (mut seq, mut step) = (log.head.seq, 1);
    while points.len() < LOCATE_POINTS_MAX {
        if let Some(hash) = replica.journal.hash_at(&replica.overlay, number, seq)? {
            points.push((seq, std::array::from_fn(|i| hash.0[i])));
        }
        if seq <= begins {
            break;
        }
        seq = seq.saturating_sub(step).max(begins);
        step *= 2;
    }
    Ok(points)
}

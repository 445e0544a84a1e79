//! Parcels: a store without a link hands a neighbour frames that only its hub can open, and gets an answer the same way.
//!
//! A parcel is a link without a connection: the frames inside are those of a direct link, gathered until the parcel is full.
//! A carrier checks the outer signature if it knows the sender, keeps a bounded number, and reads nothing.

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;
use stockroom_crdt::capability::{Signer, verify};
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{NodeId, TenantId};

use super::frames::{Frame, Parcel};
use crate::books;
use crate::ingest::PeerFault;
use crate::limits::{FRAME_BYTES_MAX, PARCEL_BYTES_MAX, PARCELS_CARRIED_MAX, PARCELS_HELD_MAX};
use crate::replica::Replica;
use crate::sealed::{self, Purpose};
use crate::storage::StoreError;

/// Parcels on their way through this node.
#[derive(Default)]
pub struct Carried {
    by_addressee: BTreeMap<NodeId, VecDeque<Parcel>>,
}

impl Carried {
    /// Keeps a parcel until its addressee is reachable. The oldest of the addressee's goes when there are too many; its
    /// sender will send again.
    pub fn keep(&mut self, parcel: Parcel) {
        let queue = self.by_addressee.entry(parcel.to).or_default();
        // A sender's newer parcel contains what the older one did, if that was not answered.
        queue.retain(|held| held.from != parcel.from);
        if queue.len() >= PARCELS_CARRIED_MAX {
            queue.pop_front();
        }
        queue.push_back(parcel);
        if self.count() > PARCELS_HELD_MAX
            && let Some(longest) = self.by_addressee.values_mut().max_by_key(|queue| queue.len())
        {
            longest.pop_front();
        }
        self.by_addressee.retain(|_, queue| !queue.is_empty());
    }

    /// Everything for an addressee that is reachable now.
    pub fn take(&mut self, to: NodeId) -> impl Iterator<Item = Parcel> {
        self.by_addressee.remove(&to).unwrap_or_default().into_iter()
    }

    /// How many parcels wait.
    pub fn count(&self) -> usize {
        self.by_addressee.values().map(VecDeque::len).sum()
    }
}

/// Seals frames to `to`. `None` when its key is not known.
pub fn seal(replica: &mut Replica, to: NodeId, number: u64, frames: &[Vec<u8>]) -> Result<Option<Parcel>, StoreError> {
    let Some(addressee) = books::node(&replica.overlay, to)? else { return Ok(None) };
    let label = (replica.actor().node, to, number);
    let sender = (replica.me.tenant, &replica.me.signer);
    Ok(seal_to(&addressee.seal_key, label, sender, frames, &mut replica.rng))
}

/// Seals frames to whoever has the secret behind `key`, in a parcel labelled (from, to, number), and signs it. `None` when the
/// key is no point on the curve.
pub fn seal_to(
    key: &[u8; 32],
    (from, to, number): (NodeId, NodeId, u64),
    (tenant, signer): (TenantId, &Signer),
    frames: &[Vec<u8>],
    rng: &mut ChaCha8Rng,
) -> Option<Parcel> {
    let plain = Rows::of(|sink| frames.iter().for_each(|frame| sink.blob(col::RAW, frame)));
    let sealed = sealed::seal(key, (Purpose::Parcel, tenant, &aad(from, to, number)), &plain, rng)?;
    let mut parcel = Parcel { to, from, number, sealed, signature: [0; 64] };
    parcel.signature = signer.sign(&parcel.message(tenant));
    Some(parcel)
}

/// Opens a parcel that is addressed to this node, and gives the frames inside.
pub fn open(replica: &Replica, parcel: &Parcel) -> Result<Vec<Frame>, PeerFault> {
    let bad = |what: &str| PeerFault::Frame(format!("parcel: {what}"));
    if parcel.sealed.len() > PARCEL_BYTES_MAX {
        return Err(bad("size"));
    }
    let about = aad(parcel.from, parcel.to, parcel.number);
    let plain = sealed::open(&replica.me.seal_secret, (Purpose::Parcel, replica.me.tenant, &about), &parcel.sealed);
    let plain = plain.ok_or_else(|| bad("seal"))?;
    let mut reader = RowReader::new(&plain);
    let mut frames = Vec::new();
    while !reader.rest().is_empty() {
        let bytes = reader.blob(col::RAW, FRAME_BYTES_MAX).map_err(|error| bad(&error.to_string()))?;
        frames.push(Frame::decode(&bytes).map_err(|error| bad(&error.to_string()))?);
    }
    Ok(frames)
}

/// Whether the sender signed the parcel. `None` when its key is not known here.
pub fn is_signed(replica: &Replica, parcel: &Parcel) -> Result<Option<bool>, StoreError> {
    let sender = books::node(&replica.overlay, parcel.from)?;
    Ok(sender.map(|sender| verify(&sender.log_key, &parcel.message(replica.me.tenant), &parcel.signature)))
}

fn aad(from: NodeId, to: NodeId, number: u64) -> Vec<u8> {
    [from.0.to_be_bytes().as_slice(), &to.0.to_be_bytes(), &number.to_be_bytes()].concat()
}

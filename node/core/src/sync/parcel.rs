//! Parcels: a store without a link hands a neighbour frames that only its hub can open, and gets an answer the same way.
//!
//! A parcel is a link without a connection: the frames inside are those of a direct link, gathered until the parcel is full.
//! A carrier checks the outer signature if it knows the sender, keeps a bounded number, and reads nothing.
//! Sealing is HPKE (RFC 9180) base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305.

use std::collections::{BTreeMap, VecDeque};

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_chacha::ChaCha8Rng;
use stockroom_crdt::capability::{Signer, verify};
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{NodeId, TenantId};

use super::frames::{Frame, Parcel};
use crate::books;
use crate::ingest::PeerFault;
use crate::limits::{FRAME_BYTES_MAX, PARCEL_BYTES_MAX, PARCELS_CARRIED_MAX, PARCELS_HELD_MAX};
use crate::replica::Replica;
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
    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(key).ok()?;
    let plain = Rows::of(|sink| frames.iter().for_each(|frame| sink.blob(col::RAW, frame)));
    let (encapsulated, cipher) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &key,
        &info(tenant),
        &plain,
        &aad(from, to, number),
        rng,
    )
    .ok()?;
    let sealed = [encapsulated.to_bytes().as_slice(), &cipher].concat();
    let mut parcel = Parcel { to, from, number, sealed, signature: [0; 64] };
    parcel.signature = signer.sign(&parcel.message(tenant));
    Some(parcel)
}

/// Opens a parcel that is addressed to this node, and gives the frames inside.
pub fn open(replica: &Replica, parcel: &Parcel) -> Result<Vec<Frame>, PeerFault> {
    let bad = |what: &str| PeerFault::Frame(format!("parcel: {what}"));
    if parcel.sealed.len() < KEY_BYTES || parcel.sealed.len() > PARCEL_BYTES_MAX {
        return Err(bad("size"));
    }
    let (encapsulated, cipher) = parcel.sealed.split_at(KEY_BYTES);
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated).map_err(|_| bad("key"))?;
    let (secret, _) = seal_keys(&replica.me.seal_secret);
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &secret,
        &encapsulated,
        &info(replica.me.tenant),
        cipher,
        &aad(parcel.from, parcel.to, parcel.number),
    )
    .map_err(|_| bad("seal"))?;
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

/// The X25519 public key that belongs to a node's secret for parcels.
pub fn seal_key(secret: &[u8; 32]) -> [u8; 32] {
    let (_, public) = seal_keys(secret);
    let mut out = [0; 32];
    out.copy_from_slice(&public.to_bytes());
    out
}

type Keys = (<X25519HkdfSha256 as Kem>::PrivateKey, <X25519HkdfSha256 as Kem>::PublicKey);

pub(crate) fn seal_keys(secret: &[u8; 32]) -> Keys {
    X25519HkdfSha256::derive_keypair(secret)
}

fn info(tenant: TenantId) -> Vec<u8> {
    [b"stockroom/parcel/1".as_slice(), &tenant.0].concat()
}

fn aad(from: NodeId, to: NodeId, number: u64) -> Vec<u8> {
    [from.0.to_be_bytes().as_slice(), &to.0.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// Length of an encapsulated X25519 key.
const KEY_BYTES: usize = 32;

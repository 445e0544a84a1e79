//! Logs: one per (actor, scope), each entry chained to the one before, sealed by signature.
//!
//! `h_0 = SHA-256(domain, tenant, scope, actor)` and `h_n = SHA-256(h_{n-1} || SHA-256(entry))`. The inner hash lets a proof
//! of a fork carry 32 bytes per entry instead of the entries. A [`Seal`] signs everything before it, together with the
//! clocks of its moment, so that a hub can correct times afterwards.

use crate::capability::{Signer, verify};
use crate::codec::{DecodeError, Rows, Sink, Source, col};
use crate::ids::{Actor, Digest, TenantId};
use crate::scope::Scope;

/// Which log.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LogId {
    /// Who writes it.
    pub actor: Actor,
    /// Which scope it belongs to.
    pub scope: Scope,
}

impl LogId {
    /// `h_0`: binds the log to its tenant, scope and epoch.
    pub fn genesis(&self, tenant: TenantId) -> Digest {
        Digest::of(&[b"stockroom/log/1", &tenant.0, &self.to_bytes()])
    }

    /// Canonical bytes: scope, then actor.
    pub fn to_bytes(&self) -> Vec<u8> {
        Rows::of(|sink| self.encode(sink))
    }

    /// Writes scope, then actor.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.scope.encode(sink);
        self.actor.encode(sink);
    }

    /// Reads what [`LogId::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let scope = Scope::decode(source)?;
        Ok(Self { actor: Actor::decode(source)?, scope })
    }
}

/// The hash after an entry with canonical bytes `entry`, when `before` is the hash before it.
pub fn advance(before: Digest, entry: &[u8]) -> Digest {
    advance_by_digest(before, Digest::of(&[entry]))
}

/// [`advance`], when only the hash of the entry is at hand.
pub fn advance_by_digest(before: Digest, entry: Digest) -> Digest {
    Digest::of(&[&before.0, &entry.0])
}

/// How far a log reaches: the last sequence number (0 when empty) and the hash there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Entries 1..=seq are held.
    pub seq: u64,
    /// `h_seq`.
    pub hash: Digest,
}

/// The moment of a seal: monotonic and wall clock of its author.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Random number of this start of the machine.
    pub boot: u64,
    /// Milliseconds since that start.
    pub mono_ms: u64,
    /// Milliseconds since 1970, as far as the machine knew.
    pub wall_ms: u64,
    /// The open business day, 0 if none.
    pub day: u32,
}

/// A signature over a log up to `seq`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seal {
    /// The last entry that it covers.
    pub seq: u64,
    /// The clocks when it was made.
    pub moment: Moment,
    /// Ed25519 over [`Seal::message`].
    pub signature: [u8; 64],
}

impl Seal {
    /// Seals `log` at `head`.
    pub fn sign(signer: &Signer, tenant: TenantId, log: &LogId, head: Head, moment: Moment) -> Self {
        let signature = signer.sign(&message(tenant, log, head, moment));
        Self { seq: head.seq, moment, signature }
    }

    /// True when `key` signed `log` with hash `hash` at this seal's position.
    pub fn verify(&self, key: &[u8; 32], tenant: TenantId, log: &LogId, hash: Digest) -> bool {
        verify(key, &message(tenant, log, Head { seq: self.seq, hash }, self.moment), &self.signature)
    }

    /// Writes position, clocks and signature.
    pub fn encode(&self, sink: &mut impl Sink) {
        sink.uint(col::SEQ, self.seq);
        sink.uint(col::A, self.moment.boot);
        sink.uint(col::B, self.moment.mono_ms);
        sink.uint(col::TIME, self.moment.wall_ms);
        sink.uint(col::DAY, u64::from(self.moment.day));
        sink.array(col::SIGNATURE, &self.signature);
    }

    /// Reads what [`Seal::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let seq = source.uint(col::SEQ)?;
        let moment = Moment {
            boot: source.uint(col::A)?,
            mono_ms: source.uint(col::B)?,
            wall_ms: source.uint(col::TIME)?,
            day: source.u32(col::DAY)?,
        };
        Ok(Self { seq, moment, signature: source.array(col::SIGNATURE)? })
    }
}

fn message(tenant: TenantId, log: &LogId, head: Head, moment: Moment) -> Vec<u8> {
    let mut rows = Rows::default();
    rows.array(col::RAW, b"stockroom/seal/1");
    rows.array(col::RAW, &tenant.0);
    log.encode(&mut rows);
    rows.uint(col::SEQ, head.seq);
    rows.array(col::DIGEST, &head.hash.0);
    rows.uint(col::A, moment.boot);
    rows.uint(col::B, moment.mono_ms);
    rows.uint(col::TIME, moment.wall_ms);
    rows.uint(col::DAY, u64::from(moment.day));
    rows.into_bytes()
}

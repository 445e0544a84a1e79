//! Fork proofs: two signed hashes for one position of one log.
//!
//! A proof is transferable: anybody who knows the author's key can check it. Facts of both branches stay; what the epoch may
//! still spend is frozen by whoever holds the proof.

use crate::chain::{LogId, Seal, advance_by_digest};
use crate::codec::{DecodeError, Sink, Source, col};
use crate::ids::{Digest, TenantId};
use crate::limits::RUN_ENTRIES_MAX;

/// One side of a fork: the hash at the disputed position, and the way from there to the next seal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Branch {
    /// The hash after the disputed entry.
    pub hash: Digest,
    /// Hashes of the entries after it, up to the seal.
    pub after: Vec<Digest>,
    /// The seal that signs them all.
    pub seal: Seal,
}

/// Two branches that part at or before `seq`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ForkProof {
    /// The log that was continued twice.
    pub log: LogId,
    /// The disputed position.
    pub seq: u64,
    /// One history.
    pub left: Branch,
    /// The other.
    pub right: Branch,
}

impl ForkProof {
    /// True when `key` signed both branches and they differ.
    pub fn verify(&self, key: &[u8; 32], tenant: TenantId) -> bool {
        self.left.hash != self.right.hash
            && [&self.left, &self.right].into_iter().all(|branch| branch.verify(self, key, tenant))
    }

    /// Writes log, position and both branches.
    pub fn encode(&self, sink: &mut impl Sink) {
        self.log.encode(sink);
        sink.uint(col::SEQ, self.seq);
        self.left.encode(sink);
        self.right.encode(sink);
    }

    /// Reads what [`ForkProof::encode`] wrote.
    pub fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        Ok(Self {
            log: LogId::decode(source)?,
            seq: source.uint(col::SEQ)?,
            left: Branch::decode(source)?,
            right: Branch::decode(source)?,
        })
    }
}

impl Branch {
    fn verify(&self, proof: &ForkProof, key: &[u8; 32], tenant: TenantId) -> bool {
        let end = self.after.iter().fold(self.hash, |hash, &entry| advance_by_digest(hash, entry));
        proof.seq.checked_add(self.after.len() as u64) == Some(self.seal.seq)
            && self.seal.verify(key, tenant, &proof.log, end)
    }

    fn encode(&self, sink: &mut impl Sink) {
        sink.array(col::DIGEST, &self.hash.0);
        sink.uint(col::COUNT, self.after.len() as u64);
        self.after.iter().for_each(|digest| sink.array(col::DIGEST, &digest.0));
        self.seal.encode(sink);
    }

    fn decode(source: &mut impl Source) -> Result<Self, DecodeError> {
        let hash = Digest(source.array(col::DIGEST)?);
        let count = source.count(col::COUNT, RUN_ENTRIES_MAX, "entries of a fork proof")?;
        let after = (0..count).map(|_| source.array(col::DIGEST).map(Digest)).collect::<Result<_, _>>()?;
        Ok(Self { hash, after, seal: Seal::decode(source)? })
    }
}

//! Continuity: is this database the one that this node wrote last?
//!
//! A small token outside the database file names the heads of the node's own logs. It is written and synced before an effect
//! of lane 0 leaves the node, and follows the other lanes within a second. A node whose token is ahead of its log, has
//! another hash, is missing, or comes from another volume was restored, cloned or swapped: it opens a new epoch. A power cut
//! alone leaves the token at or behind the log and changes nothing.

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Digest, Epoch, NodeId, TenantId};
use stockroom_crdt::scope::Scope;

use crate::journal::Journal;
use crate::limits::HEADS_MAX;
use crate::plant::{Plant, planted};
use crate::storage::{Snapshot, StoreError};
use stockroom_crdt::chain::LogId;
use stockroom_crdt::ids::Actor;

/// What the token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Whose token it is.
    pub tenant: TenantId,
    /// Whose token it is.
    pub node: NodeId,
    /// The epoch that was being written.
    pub epoch: Epoch,
    /// Where the database lay: a digest of whatever identifies machine, disk and file.
    pub volume: Digest,
    /// Head of each of the node's logs in that epoch.
    pub heads: Vec<(Scope, u64, Digest)>,
    /// Steps of all feeds together: a database with fewer gives positions out again that peers know already.
    pub fed: u64,
}

impl Token {
    /// Bytes with a checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Rows::of(|sink| {
            sink.uint(col::KIND, FORMAT);
            sink.array(col::KEY, &self.tenant.0);
            sink.uint(col::ACTOR_NODE, u64::from(self.node.0));
            sink.uint(col::ACTOR_EPOCH, u64::from(self.epoch.0));
            sink.array(col::DIGEST, &self.volume.0);
            sink.uint(col::COUNT, self.heads.len() as u64);
            for (scope, seq, hash) in &self.heads {
                scope.encode(sink);
                sink.uint(col::SEQ, *seq);
                sink.array(col::DIGEST, &hash.0);
            }
            sink.uint(col::POSITION, self.fed);
        });
        let check = Digest::of(&[&bytes]);
        bytes.extend(check.0);
        bytes
    }

    /// From bytes; an error for anything that was not written whole.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let at = bytes.len().checked_sub(32).ok_or(DecodeError::End)?;
        let (body, check) = bytes.split_at(at);
        if Digest::of(&[body]).0 != check {
            return Err(DecodeError::Value("checksum"));
        }
        let mut reader = RowReader::new(body);
        if reader.uint(col::KIND)? != FORMAT {
            return Err(DecodeError::Value("format"));
        }
        let tenant = TenantId(reader.array(col::KEY)?);
        let node = NodeId(reader.u32(col::ACTOR_NODE)?);
        let epoch = Epoch(reader.u16(col::ACTOR_EPOCH)?);
        let volume = Digest(reader.array(col::DIGEST)?);
        let count = reader.count(col::COUNT, HEADS_MAX, "heads")?;
        let mut heads = Vec::new();
        for _ in 0..count {
            let scope = Scope::decode(&mut reader)?;
            heads.push((scope, reader.uint(col::SEQ)?, Digest(reader.array(col::DIGEST)?)));
        }
        let fed = reader.uint(col::POSITION)?;
        reader.finish()?;
        Ok(Self { tenant, node, epoch, volume, heads, fed })
    }
}

/// What the shell found beside the database when it opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The token file's bytes, if it is there.
    pub token: Option<Vec<u8>>,
    /// Where the database lies now.
    pub volume: Digest,
    /// The database was written by `restore`.
    pub restored: bool,
}

/// Why a new epoch must be opened, if it must. `epoch` is the newest that the database knows, `None` for an empty one.
pub fn judge(
    evidence: &Evidence,
    token: Option<&Token>,
    epoch: Option<Epoch>,
    logs: (&Journal, &dyn Snapshot, NodeId),
) -> Result<Option<EpochReason>, StoreError> {
    let (journal, snapshot, node) = logs;
    if planted(Plant::KeepEpoch) && epoch.is_some() {
        return Ok(None);
    }
    let Some(epoch) = epoch else {
        return Ok(Some(if token.is_some() { EpochReason::TokenAhead } else { EpochReason::First }));
    };
    if evidence.restored {
        return Ok(Some(EpochReason::Restored));
    }
    let Some(token) = token else { return Ok(Some(EpochReason::TokenMissing)) };
    if token.volume != evidence.volume {
        return Ok(Some(EpochReason::VolumeChanged));
    }
    if token.node != node || token.epoch > epoch {
        return Ok(Some(EpochReason::TokenAhead));
    }
    for (scope, seq, hash) in &token.heads {
        let id = LogId { actor: Actor { node, epoch: token.epoch }, scope: scope.clone() };
        let held = match journal.find(&id) {
            Some((number, _)) => journal.hash_at(snapshot, number, *seq)?,
            None => None,
        };
        if held != Some(*hash) {
            return Ok(Some(EpochReason::TokenAhead));
        }
    }
    Ok(None)
}

const FORMAT: u64 = 2;

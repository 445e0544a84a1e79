//! Rows of the journal as bytes: logs, scopes, steps of a feed, seals. Everything here is read back only by this program.

use stockroom_crdt::chain::{Head, LogId, Seal};
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::Digest;

use super::{FeedRow, Log, LogNumber, Place, ScopeFeed, damaged};
use crate::storage::StoreError;

/// (log number, sequence number), ascending.
pub(super) fn run_key(log: LogNumber, seq: u64) -> Vec<u8> {
    [log.0.to_be_bytes().as_slice(), seq.to_be_bytes().as_slice()].concat()
}

/// A step of a feed as it is stored.
pub(super) fn encode_feed(row: FeedRow) -> Vec<u8> {
    Rows::of(|sink| match row {
        FeedRow::Entries { log, first, last } => {
            sink.uint(col::KIND, 0);
            sink.uint(col::KEY, u64::from(log.0));
            sink.uint(col::SEQ, first);
            sink.uint(col::COUNT, last - first);
        }
        FeedRow::Seal(place) => {
            sink.uint(col::KIND, 1);
            sink.uint(col::KEY, u64::from(place.log.0));
            sink.uint(col::SEQ, place.seq);
        }
    })
}

/// Reads what [`encode_feed`] wrote.
pub(super) fn decode_feed(bytes: &[u8]) -> Result<FeedRow, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let kind = reader.uint(col::KIND)?;
    let log = LogNumber(reader.u32(col::KEY)?);
    let first = reader.uint(col::SEQ)?;
    Ok(match kind {
        0 => FeedRow::Entries { log, first, last: first + reader.uint(col::COUNT)? },
        _ => FeedRow::Seal(Place { log, seq: first }),
    })
}

/// What is known of a log, as it is stored.
pub(super) fn encode_log(log: &Log) -> Vec<u8> {
    Rows::of(|sink| {
        log.id.encode(sink);
        sink.uint(col::FLAGS, u64::from(log.parent.is_some()) | u64::from(log.seal.is_some()) << 1);
        if let Some(parent) = log.parent {
            sink.uint(col::KEY, u64::from(parent.log.0));
            sink.uint(col::SEQ, parent.seq);
        }
        sink.uint(col::SEQ, log.head.seq);
        sink.array(col::DIGEST, &log.head.hash.0);
        if let Some(seal) = &log.seal {
            seal.encode(sink);
        }
        sink.array(col::DIGEST, &log.key);
        sink.uint(col::STORE, u64::from(log.author_store));
        for number in [log.unsealed_bytes, log.kept_seq, log.kept_bytes, log.newest_ms] {
            sink.uint(col::COUNT, number);
        }
    })
}

/// Reads what [`encode_log`] wrote.
pub(super) fn decode_log(bytes: &[u8]) -> Result<Log, DecodeError> {
    let mut reader = RowReader::new(bytes);
    let id = LogId::decode(&mut reader)?;
    let flags = reader.uint(col::FLAGS)?;
    let parent = if flags & 1 == 1 {
        Some(Place { log: LogNumber(reader.u32(col::KEY)?), seq: reader.uint(col::SEQ)? })
    } else {
        None
    };
    let head = Head { seq: reader.uint(col::SEQ)?, hash: Digest(reader.array(col::DIGEST)?) };
    let seal = if flags & 2 == 2 { Some(Seal::decode(&mut reader)?) } else { None };
    let key = reader.array(col::DIGEST)?;
    let author_store = reader.u32(col::STORE)?;
    let unsealed_bytes = reader.uint(col::COUNT)?;
    let kept_seq = reader.uint(col::COUNT)?;
    let kept_bytes = reader.uint(col::COUNT)?;
    let newest_ms = reader.uint(col::COUNT)?;
    Ok(Log { id, parent, head, seal, kept_seq, kept_bytes, key, author_store, unsealed_bytes, newest_ms })
}

/// A scope's number and the next position of its feed, as they are stored.
pub(super) fn encode_scope(feed: ScopeFeed) -> Vec<u8> {
    Rows::of(|sink| {
        sink.uint(col::KEY, u64::from(feed.number));
        sink.uint(col::POSITION, feed.next);
    })
}

/// Reads what [`encode_scope`] wrote.
pub(super) fn decode_scope(bytes: &[u8]) -> Result<ScopeFeed, StoreError> {
    let mut reader = RowReader::new(bytes);
    let number = reader.u32(col::KEY).map_err(damaged)?;
    Ok(ScopeFeed { number, next: reader.uint(col::POSITION).map_err(damaged)? })
}

/// Reads a stored seal.
pub(super) fn decode_seal(bytes: &[u8]) -> Result<Seal, StoreError> {
    Seal::decode(&mut RowReader::new(bytes)).map_err(damaged)
}

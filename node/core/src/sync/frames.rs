//! Frames between nodes: what they say and how they are written. Decoding is total and bounded.

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::chain::{LogId, Seal};
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{Actor, Digest, Epoch, NodeId, TenantId};
use stockroom_crdt::limits::{NAME_BYTES_MAX, RUN_ENTRIES_MAX};
use stockroom_crdt::scope::Scope;

use super::keys::KeysFrame;
use crate::ingest::RunIn;
use crate::limits::{
    FRAME_BYTES_MAX, FRAME_CELLS_MAX, FRAME_RUNS_MAX, HEADS_MAX, INTRODUCED_MAX, LOCATE_POINTS_MAX, PARCEL_BYTES_MAX,
    WANTS_MAX,
};
use crate::plant::{Plant, planted};

/// Version of this protocol. Peers with another one are told so and left.
pub const PROTOCOL: u16 = 1;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Who I am, what I have of my own, what I want from you.
    Hello(Hello),
    /// How far I hold your logs.
    Held(Vec<HeadIn>),
    /// I want more scopes.
    Want(Vec<Want>),
    /// Entries and seals of logs of one scope.
    Entries(Entries),
    /// Newest values of cells of one shared scope.
    Cells(CellsFrame),
    /// What you sent up to here is durable.
    Ack(Vec<(Scope, u64)>),
    /// Hashes of my log at some positions: which is the last that you hold alike?
    Locate(Locate),
    /// The last common position, and your own word that there is more.
    Located(LogId, u64, Option<Proof>),
    /// A parcel to carry, or to open.
    Parcel(Parcel),
    /// Nodes of your group, and where to reach them.
    Peers(Vec<(NodeId, String)>),
    /// There is nothing new beyond these positions of my feeds.
    Pulse(Pulse),
    /// I am stopping.
    Goodbye,
    /// Keys of members, between a store and its hub.
    Keys(KeysFrame),
}

/// The handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u16,
    /// The tenant; must be the receiver's.
    pub tenant: TenantId,
    /// The sender; must be who the certificate says.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Numbers the sender's feeds: a cursor is good only within it.
    pub feed_epoch: u32,
    /// The newest kind of fact that the sender knows.
    pub kind_max: u16,
    /// Its wall clock.
    pub wall_ms: u64,
    /// What it subscribes to.
    pub wants: Vec<Want>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// To which scope.
    pub scope: Scope,
    /// In which feed epoch of yours I followed it, and the last position that I have. Zeroes if I never did.
    pub cursor: (u32, u64),
    /// How far I hold the logs of that scope.
    pub known: Vec<(Actor, u64)>,
}

/// A head as another node tells it: enough of the hash to notice a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadIn {
    /// Which log.
    pub log: LogId,
    /// How far.
    pub seq: u64,
    /// The beginning of the hash there.
    pub hash: [u8; 8],
}

/// A search for the last entry that two histories share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locate {
    /// Of which log.
    pub log: LogId,
    /// Positions and hashes of the history that the sender goes on with.
    pub main: Vec<(u64, [u8; 8])>,
    /// Of other histories of the log that it holds.
    pub others: Vec<(u64, [u8; 8])>,
}

/// The author's own signature over a part of its log that it may not know any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The signature.
    pub seal: Seal,
    /// The hash that it signs.
    pub hash: Digest,
}

/// A piece of a scope's feed of logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries {
    /// Which scope.
    pub scope: Scope,
    /// The sender's feed epoch.
    pub feed_epoch: u32,
    /// The sender takes it that the receiver has everything up to here.
    pub after: u64,
    /// With this piece, the receiver has everything up to here.
    pub to: u64,
    /// The sender had no more of the scope for this peer when it sent this.
    pub complete: bool,
    /// Runs of logs of that scope.
    pub runs: Vec<RunIn>,
}

/// A piece of a shared scope's feed of cells, with the hub as witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellsFrame {
    /// Which scope.
    pub scope: Scope,
    /// The sender's feed epoch.
    pub feed_epoch: u32,
    /// With this piece, the receiver has the newest value of everything up to here.
    pub to: u64,
    /// Writers and sequence numbers of the values.
    pub stamps: Vec<(Actor, u64)>,
    /// The values, in the same order.
    pub items: Vec<Item>,
    /// Ed25519 by the hub over everything above.
    pub signature: [u8; 64],
}

/// Frames sealed to a node that the sender cannot reach. A carrier sees sender, addressee and size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Who may open it.
    pub to: NodeId,
    /// Who sent it.
    pub from: NodeId,
    /// The sender's own number of it.
    pub number: u64,
    /// HPKE: encapsulated key, then ciphertext.
    pub sealed: Vec<u8>,
    /// Ed25519 by the sender's log key over the rest.
    pub signature: [u8; 64],
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The sender's wall clock.
    pub wall_ms: u64,
    /// The last position of each feed that the receiver follows.
    pub ends: Vec<(Scope, u64)>,
}

impl Frame {
    /// Bytes for a peer that knows kinds up to `kind_max`.
    pub fn encode(&self, kind_max: u16) -> Vec<u8> {
        let mut sink = Rows::default();
        match self {
            Self::Hello(hello) => {
                sink.uint(col::KIND, 0);
                hello.encode(&mut sink);
            }
            Self::Held(heads) => {
                sink.uint(col::KIND, 1);
                sink.uint(col::COUNT, heads.len() as u64);
                heads.iter().for_each(|head| head.encode(&mut sink));
            }
            Self::Want(wants) => {
                sink.uint(col::KIND, 2);
                encode_wants(&mut sink, wants);
            }
            Self::Entries(entries) => {
                sink.uint(col::KIND, 3);
                entries.encode(&mut sink, kind_max);
            }
            Self::Cells(cells) => {
                sink.uint(col::KIND, 4);
                cells.encode_words(&mut sink, kind_max);
                sink.array(col::SIGNATURE, &cells.signature);
            }
            Self::Ack(acks) => {
                sink.uint(col::KIND, 5);
                encode_positions(&mut sink, acks);
            }
            Self::Locate(locate) => {
                sink.uint(col::KIND, 6);
                locate.log.encode(&mut sink);
                encode_points(&mut sink, &locate.main);
                encode_points(&mut sink, &locate.others);
            }
            Self::Located(log, seq, proof) => {
                sink.uint(col::KIND, 7);
                log.encode(&mut sink);
                sink.uint(col::SEQ, *seq);
                sink.uint(col::FLAGS, proof.is_some().into());
                if let Some(Proof { seal, hash }) = proof {
                    seal.encode(&mut sink);
                    sink.array(col::DIGEST, &hash.0);
                }
            }
            Self::Parcel(parcel) => {
                sink.uint(col::KIND, 8);
                parcel.encode_words(&mut sink);
                sink.array(col::SIGNATURE, &parcel.signature);
            }
            Self::Peers(peers) => {
                sink.uint(col::KIND, 9);
                sink.uint(col::COUNT, peers.len() as u64);
                for (node, address) in peers {
                    sink.uint(col::ACTOR_NODE, u64::from(node.0));
                    sink.blob(col::NAME, address.as_bytes());
                }
            }
            Self::Pulse(pulse) => {
                sink.uint(col::KIND, 10);
                sink.uint(col::TIME, pulse.wall_ms);
                encode_positions(&mut sink, &pulse.ends);
            }
            Self::Goodbye => sink.uint(col::KIND, 11),
            Self::Keys(keys) => {
                sink.uint(col::KIND, 12);
                keys.encode(&mut sink);
            }
        }
        sink.into_bytes()
    }

    /// Reads a frame.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > FRAME_BYTES_MAX {
            return Err(DecodeError::Limit("bytes of a frame"));
        }
        let mut reader = RowReader::new(bytes);
        let frame = Self::decode_body(&mut reader).and_then(|frame| reader.finish().map(|()| frame));
        assert!(
            frame.is_ok() || !planted(Plant::PanicOnFrame) || !bytes.len().is_multiple_of(3),
            "a frame of a certain form"
        );
        frame
    }

    fn decode_body(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.uint(col::KIND)? {
            0 => Self::Hello(Hello::decode(reader)?),
            1 => {
                let count = reader.count(col::COUNT, HEADS_MAX, "heads")?;
                Self::Held(collect(count, || HeadIn::decode(reader))?)
            }
            2 => Self::Want(decode_wants(reader)?),
            3 => Self::Entries(Entries::decode(reader)?),
            4 => Self::Cells(CellsFrame::decode(reader)?),
            5 => Self::Ack(decode_positions(reader)?),
            6 => {
                let log = LogId::decode(reader)?;
                Self::Locate(Locate { log, main: decode_points(reader)?, others: decode_points(reader)? })
            }
            7 => {
                let (log, seq) = (LogId::decode(reader)?, reader.uint(col::SEQ)?);
                Self::Located(log, seq, if reader.flag(col::FLAGS)? { Some(Proof::decode(reader)?) } else { None })
            }
            8 => Self::Parcel(Parcel::decode(reader)?),
            9 => {
                let count = reader.count(col::COUNT, INTRODUCED_MAX, "peers")?;
                let peer = || Ok((NodeId(reader.u32(col::ACTOR_NODE)?), reader.text(col::NAME, NAME_BYTES_MAX)?));
                Self::Peers(collect(count, peer)?)
            }
            10 => Self::Pulse(Pulse { wall_ms: reader.uint(col::TIME)?, ends: decode_positions(reader)? }),
            11 => Self::Goodbye,
            12 => Self::Keys(KeysFrame::decode(reader)?),
            _ => return Err(DecodeError::Value("frame")),
        })
    }
}

impl Hello {
    fn encode(&self, sink: &mut Rows) {
        sink.uint(col::A, u64::from(self.protocol));
        sink.array(col::KEY, &self.tenant.0);
        sink.uint(col::ACTOR_NODE, u64::from(self.node.0));
        sink.uint(col::ACTOR_EPOCH, u64::from(self.epoch.0));
        sink.uint(col::B, u64::from(self.feed_epoch));
        sink.uint(col::C, u64::from(self.kind_max));
        sink.uint(col::TIME, self.wall_ms);
        encode_wants(sink, &self.wants);
    }

    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            protocol: reader.u16(col::A)?,
            tenant: TenantId(reader.array(col::KEY)?),
            node: NodeId(reader.u32(col::ACTOR_NODE)?),
            epoch: Epoch(reader.u16(col::ACTOR_EPOCH)?),
            feed_epoch: reader.u32(col::B)?,
            kind_max: reader.u16(col::C)?,
            wall_ms: reader.uint(col::TIME)?,
            wants: decode_wants(reader)?,
        })
    }
}

impl HeadIn {
    fn encode(&self, sink: &mut Rows) {
        self.log.encode(sink);
        sink.uint(col::SEQ, self.seq);
        sink.array(col::DIGEST, &self.hash);
    }

    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { log: LogId::decode(reader)?, seq: reader.uint(col::SEQ)?, hash: reader.array(col::DIGEST)? })
    }
}

impl Proof {
    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { seal: Seal::decode(reader)?, hash: Digest(reader.array(col::DIGEST)?) })
    }
}

impl Entries {
    fn encode(&self, sink: &mut Rows, kind_max: u16) {
        self.scope.encode(sink);
        sink.uint(col::B, u64::from(self.feed_epoch));
        sink.uint(col::A, self.after);
        sink.uint(col::POSITION, self.to);
        sink.uint(col::FLAGS, self.complete.into());
        sink.uint(col::COUNT, self.runs.len() as u64);
        for run in &self.runs {
            run.log.actor.encode(sink);
            sink.uint(col::SEQ, run.first);
            sink.array(col::DIGEST, &run.before);
            sink.uint(col::FLAGS, u64::from(!run.items.is_empty()) | u64::from(run.seal.is_some()) << 1);
            if !run.items.is_empty() {
                sink.blob(col::RAW, &encode_run(&run.items, kind_max));
            }
            if let Some(seal) = &run.seal {
                seal.encode(sink);
            }
        }
    }

    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        let scope = Scope::decode(reader)?;
        let feed_epoch = reader.u32(col::B)?;
        let after = reader.uint(col::A)?;
        let to = reader.uint(col::POSITION)?;
        let complete = reader.flag(col::FLAGS)?;
        let count = reader.count(col::COUNT, FRAME_RUNS_MAX, "runs")?;
        let runs = collect(count, || {
            let actor = Actor::decode(reader)?;
            let first = reader.uint(col::SEQ)?;
            let before = reader.array(col::DIGEST)?;
            let flags = reader.uint(col::FLAGS)?;
            let items = if flags & 1 == 1 { decode_run(&reader.blob(col::RAW, FRAME_BYTES_MAX)?)? } else { Vec::new() };
            let seal = if flags & 2 == 2 { Some(Seal::decode(reader)?) } else { None };
            Ok(RunIn { log: LogId { actor, scope: scope.clone() }, first, before, items, seal })
        })?;
        Ok(Self { scope, feed_epoch, after, to, complete, runs })
    }
}

impl CellsFrame {
    /// What the hub signs.
    pub fn message(&self, tenant: TenantId) -> Vec<u8> {
        let mut sink = Rows::default();
        sink.array(col::RAW, b"stockroom/cells/1");
        sink.array(col::KEY, &tenant.0);
        self.scope.encode(&mut sink);
        sink.uint(col::B, u64::from(self.feed_epoch));
        sink.uint(col::POSITION, self.to);
        for ((actor, seq), item) in self.stamps.iter().zip(&self.items) {
            actor.encode(&mut sink);
            sink.uint(col::SEQ, *seq);
            sink.array(col::DIGEST, &item.digest().0);
        }
        sink.into_bytes()
    }

    fn encode_words(&self, sink: &mut Rows, kind_max: u16) {
        self.scope.encode(sink);
        sink.uint(col::B, u64::from(self.feed_epoch));
        sink.uint(col::POSITION, self.to);
        sink.uint(col::COUNT, self.items.len() as u64);
        let mut previous = None;
        for (actor, seq) in &self.stamps {
            let same = previous == Some(*actor);
            sink.uint(col::SEQ, seq << 1 | u64::from(same));
            if !same {
                actor.encode(sink);
            }
            previous = Some(*actor);
        }
        for chunk in self.items.chunks(RUN_ENTRIES_MAX) {
            sink.blob(col::RAW, &encode_run(chunk, kind_max));
        }
    }

    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        let scope = Scope::decode(reader)?;
        let feed_epoch = reader.u32(col::B)?;
        let to = reader.uint(col::POSITION)?;
        let count = reader.count(col::COUNT, FRAME_CELLS_MAX, "cells")?;
        let mut previous = None;
        let stamps = collect(count, || {
            let coded = reader.uint(col::SEQ)?;
            let actor = match previous {
                Some(actor) if coded & 1 == 1 => actor,
                None if coded & 1 == 1 => return Err(DecodeError::Value("writer")),
                _ => Actor::decode(reader)?,
            };
            previous = Some(actor);
            Ok((actor, coded >> 1))
        })?;
        let mut items = Vec::new();
        while items.len() < count {
            let chunk = decode_run(&reader.blob(col::RAW, FRAME_BYTES_MAX)?)?;
            if chunk.is_empty() || items.len() + chunk.len() > count {
                return Err(DecodeError::Value("cells"));
            }
            items.extend(chunk);
        }
        Ok(Self { scope, feed_epoch, to, stamps, items, signature: reader.array(col::SIGNATURE)? })
    }
}

impl Parcel {
    /// What the sender signs.
    pub fn message(&self, tenant: TenantId) -> Vec<u8> {
        let mut sink = Rows::default();
        sink.array(col::RAW, b"stockroom/parcel/1");
        sink.array(col::KEY, &tenant.0);
        self.encode_words(&mut sink);
        sink.into_bytes()
    }

    fn encode_words(&self, sink: &mut Rows) {
        sink.uint(col::ACTOR_NODE, u64::from(self.to.0));
        sink.uint(col::ACTOR_NODE, u64::from(self.from.0));
        sink.uint(col::SEQ, self.number);
        sink.blob(col::RAW, &self.sealed);
    }

    fn decode(reader: &mut RowReader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            to: NodeId(reader.u32(col::ACTOR_NODE)?),
            from: NodeId(reader.u32(col::ACTOR_NODE)?),
            number: reader.uint(col::SEQ)?,
            sealed: reader.blob(col::RAW, PARCEL_BYTES_MAX)?,
            signature: reader.array(col::SIGNATURE)?,
        })
    }
}

fn encode_wants(sink: &mut Rows, wants: &[Want]) {
    sink.uint(col::COUNT, wants.len() as u64);
    for want in wants {
        want.scope.encode(sink);
        sink.uint(col::B, u64::from(want.cursor.0));
        sink.uint(col::POSITION, want.cursor.1);
        sink.uint(col::COUNT, want.known.len() as u64);
        for (actor, seq) in &want.known {
            actor.encode(sink);
            sink.uint(col::SEQ, *seq);
        }
    }
}

fn decode_wants(reader: &mut RowReader<'_>) -> Result<Vec<Want>, DecodeError> {
    let count = reader.count(col::COUNT, WANTS_MAX, "subscriptions")?;
    collect(count, || {
        let scope = Scope::decode(reader)?;
        let cursor = (reader.u32(col::B)?, reader.uint(col::POSITION)?);
        let count = reader.count(col::COUNT, HEADS_MAX, "heads")?;
        let known = collect(count, || Ok((Actor::decode(reader)?, reader.uint(col::SEQ)?)))?;
        Ok(Want { scope, cursor, known })
    })
}

fn encode_points(sink: &mut Rows, points: &[(u64, [u8; 8])]) {
    sink.uint(col::COUNT, points.len() as u64);
    for (seq, hash) in points {
        sink.uint(col::SEQ, *seq);
        sink.array(col::DIGEST, hash);
    }
}

fn decode_points(reader: &mut RowReader<'_>) -> Result<Vec<(u64, [u8; 8])>, DecodeError> {
    let count = reader.count(col::COUNT, LOCATE_POINTS_MAX, "points")?;
    collect(count, || Ok((reader.uint(col::SEQ)?, reader.array(col::DIGEST)?)))
}

fn encode_positions(sink: &mut Rows, positions: &[(Scope, u64)]) {
    sink.uint(col::COUNT, positions.len() as u64);
    for (scope, position) in positions {
        scope.encode(sink);
        sink.uint(col::POSITION, *position);
    }
}

fn decode_positions(reader: &mut RowReader<'_>) -> Result<Vec<(Scope, u64)>, DecodeError> {
    let count = reader.count(col::COUNT, WANTS_MAX, "positions")?;
    collect(count, || Ok((Scope::decode(reader)?, reader.uint(col::POSITION)?)))
}

/// Reads `count` items, growing only as they are really there.
fn collect<T>(count: usize, mut next: impl FnMut() -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
    let mut out = Vec::new();
    for _ in 0..count {
        out.push(next()?);
    }
    Ok(out)
}

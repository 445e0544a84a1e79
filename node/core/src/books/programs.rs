//! Which version of the program each node of a store started last.

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::control::Boot;
use stockroom_crdt::ids::{Code, Epoch, NodeId, StoreId};
use stockroom_crdt::stock::Position;

use crate::journal::damaged;
use crate::overlay::Overlay;
use crate::storage::{Snapshot, StoreError, Table};

/// The last start of a node that is known here. Its last start is the last in its log; of two that a clone wrote in one place the one with the
/// later time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    epoch: Epoch,
    seq: u64,
    /// When it started, on its own clock.
    pub started: Hlc,
    /// What started.
    pub version: Code,
}

/// Takes in a start.
pub fn put(
    overlay: &mut Overlay,
    store: StoreId,
    position: Position,
    (boot, started): (&Boot, Hlc),
) -> Result<(), StoreError> {
    let Position { actor, seq } = position;
    let new = Program { epoch: actor.epoch, seq, started, version: boot.version.clone() };
    if of(overlay, store, actor.node)?.is_none_or(|held| held < new) {
        overlay.put(Table::Programs, key(store, actor.node), new.encode());
    }
    Ok(())
}

/// What a node of a store started last; `None` if no start of it is known here.
pub fn of(snapshot: &(impl Snapshot + ?Sized), store: StoreId, node: NodeId) -> Result<Option<Program>, StoreError> {
    let row = snapshot.get(Table::Programs, &key(store, node))?;
    row.map(|row| Program::decode(&row).map_err(damaged)).transpose()
}

impl Program {
    fn encode(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::ACTOR_EPOCH, u64::from(self.epoch.0));
            sink.uint(col::SEQ, self.seq);
            sink.uint(col::TIME, self.started.to_bits());
            self.version.encode(sink, col::REFERENCE);
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        let (epoch, seq) = (Epoch(reader.u16(col::ACTOR_EPOCH)?), reader.uint(col::SEQ)?);
        let started = Hlc::from_bits(reader.uint(col::TIME)?);
        let version = Code::decode(&mut reader, col::REFERENCE)?;
        reader.finish()?;
        Ok(Self { epoch, seq, started, version })
    }
}

fn key(store: StoreId, node: NodeId) -> Vec<u8> {
    [store.0.to_be_bytes(), node.0.to_be_bytes()].concat()
}

//! Nodes and stores: one-time tokens, enrolment, fences. At a hub.

use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::control::{Fence, NodeRecord, StoreRecord};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, NodeId, StoreId};
use stockroom_crdt::scope::Scope;

use super::{Failed, at_hub};
use crate::books;
use crate::fences;
use crate::input::enrolment::{EnrolRequest, TokenRequest};
use crate::input::{Answer, Refusal};
use crate::journal::damaged;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use crate::view::View;

/// Allows one enrolment for a store, and writes the store down if it is new or changed.
pub fn issue_token(replica: &mut Replica, request: TokenRequest) -> Result<Answer, Failed> {
    at_hub(replica)?;
    if request.store.0 == 0 {
        return Err(Refusal::invalid("store", "is 0: stores are numbered from 1").into());
    }
    if request.rollover_min >= 1440 {
        return Err(Refusal::invalid("rollover", "is not a minute of a day").into());
    }
    if request.valid_ms == 0 || request.valid_ms > TOKEN_MS_MAX {
        return Err(Refusal::invalid("valid", "a token is good for at most 24 hours").into());
    }
    let held = View::new(&replica.overlay).store(request.store)?;
    let record = StoreRecord {
        store: request.store,
        name: request.name,
        book: request.book,
        group: request.group,
        entity: held.as_ref().map_or(Code::default(), |held| held.entity.clone()),
        currency: request.currency,
        zone: request.zone,
        rollover_min: request.rollover_min,
        home: held.as_ref().map_or(NodeId(0), |held| held.home),
        term: held.as_ref().map_or(0, |held| held.term),
        coordinates: request.coordinates,
    };
    if held.as_ref() != Some(&record) {
        replica.write(&Scope::Control, vec![Fact::Store(record)])?;
    }
    let expires_ms = replica.now.wall_ms + request.valid_ms;
    let token = Token { store: request.store, expires_ms, used: false };
    replica.overlay.put(Table::Meta, token_key(request.token), token.encode());
    Ok(Answer::TokenIssued { expires_ms })
}

/// Enrols a node: allots its id, signs its capability, makes it the store's home. The token is used up in the same commit.
pub fn enrol(replica: &mut Replica, request: EnrolRequest) -> Result<Answer, Failed> {
    at_hub(replica)?;
    let token = match replica.overlay.get(Table::Meta, &token_key(request.token))? {
        Some(value) => Token::decode(&value)?,
        None => return Err(Refusal::Token.into()),
    };
    if token.used {
        replica.alarm(format!("an enrolment token for store {} was shown a second time", token.store.0));
        return Err(Refusal::Token.into());
    }
    if replica.now.wall_ms > token.expires_ms {
        return Err(Refusal::Token.into());
    }
    let Some(mut record) = View::new(&replica.overlay).store(token.store)? else { return Err(Refusal::Token.into()) };
    let me = replica.me.capability().clone();
    let node = next_node(replica, &me)?;
    let capability = Capability {
        node,
        role: Role::Store,
        store: token.store,
        log_key: request.log_key,
        seal_key: request.seal_key,
        range_first: 0,
        range_last: 0,
        issued_ms: replica.now.wall_ms,
        issuer: me.node,
        signature: [0; 64],
    }
    .sign(replica.me.tenant, &replica.me.signer);
    (record.home, record.term) = (node, record.term + 1);
    let node_record = NodeRecord { capability: capability.clone(), token: request.token };
    replica.write(&Scope::Control, vec![Fact::Node(node_record), Fact::Store(record)])?;
    let used = Token { used: true, ..token };
    replica.overlay.put(Table::Meta, token_key(request.token), used.encode());
    let chain = replica.me.chain.iter().cloned().chain([capability]).collect();
    Ok(Answer::Enrolled { chain, store: token.store })
}

/// Stops believing a node, at what this hub holds of its logs.
pub fn fence(replica: &mut Replica, node: NodeId, reason: Code) -> Result<Answer, Failed> {
    at_hub(replica)?;
    if node == replica.actor().node {
        return Err(Refusal::State("a hub cannot fence itself".into()).into());
    }
    if books::node(&replica.overlay, node)?.is_none() {
        return Err(Refusal::Unknown { field: "node".into(), what: "node" }.into());
    }
    let cuts = fences::cuts(&replica.journal, &replica.overlay, node)?;
    let place = replica.write(&Scope::Control, vec![Fact::Fence(Fence { node, cuts, reason })])?[0];
    Ok(Answer::Written { place, replayed: false })
}

fn next_node(replica: &Replica, me: &Capability) -> Result<NodeId, Failed> {
    for id in me.range_first..=me.range_last {
        if books::node(&replica.overlay, NodeId(id))?.is_none() {
            return Ok(NodeId(id));
        }
    }
    Err(Refusal::State("this hub has given out all of its node ids".into()).into())
}

/// What is kept of a token: never its secret.
struct Token {
    store: StoreId,
    expires_ms: u64,
    used: bool,
}

impl Token {
    fn encode(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::STORE, u64::from(self.store.0));
            sink.uint(col::TIME, self.expires_ms);
            sink.uint(col::FLAGS, self.used.into());
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut reader = RowReader::new(bytes);
        let store = StoreId(reader.u32(col::STORE).map_err(damaged)?);
        let expires_ms = reader.uint(col::TIME).map_err(damaged)?;
        Ok(Self { store, expires_ms, used: reader.flag(col::FLAGS).map_err(damaged)? })
    }
}

fn token_key(token: Digest) -> Vec<u8> {
    [b"token/".as_slice(), &token.0].concat()
}

/// A token lives a day at most.
const TOKEN_MS_MAX: u64 = 24 * 3_600_000;

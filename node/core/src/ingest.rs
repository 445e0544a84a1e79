//! Taking in other nodes' entries: gaps, authorship, chain, seal, forks. The verdict on an entry depends on the
//! entry and its causal past only.

use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Role, verify_chain};
use stockroom_crdt::chain::{Head, LogId, Seal, advance_by_digest};
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::entry::Fact;
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::ids::{Digest, NodeId, StoreId};
use stockroom_crdt::limits::RUN_ENTRIES_MAX;
use stockroom_crdt::scope::Scope;

use crate::authority;
use crate::books;
use crate::input::CoreError;
use crate::journal::{LogNumber, Place, damaged, entries};
use crate::plant::{Plant, planted};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};

/// A run of one log as it came over a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunIn {
    /// Which log.
    pub log: LogId,
    /// Sequence number of the first entry; without entries, the one after the seal.
    pub first: u64,
    /// The beginning of the hash before the first entry: tells which history of a forked log goes on.
    pub before: [u8; 8],
    /// Entries, possibly none.
    pub items: Vec<Item>,
    /// A seal at the last of them, or, without entries, at an earlier one.
    pub seal: Option<Seal>,
}

/// What the sender did wrong. Its link is closed; nothing of the run was kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// Bytes that are not a frame, or a frame that is out of place.
    #[error("sent a malformed frame: {0}")]
    Frame(String),
    /// A log that does not begin with a valid opening by its author.
    #[error("sent a log that does not prove its author")]
    Author,
    /// The author may not write in that scope at all.
    #[error("sent a log that its author may not write there")]
    Scope,
    /// A seal does not verify, or entries of a third party came without one.
    #[error("sent entries that their author did not sign")]
    Seal,
    /// Too much waits for prerequisites already.
    #[error("sent more out of order than can be kept")]
    Parked,
    /// Entries that continue a history which we do not know.
    #[error("sent entries of an unknown history")]
    History,
    /// A scope that it may not send or see.
    #[error("sent a scope that is not between us")]
    Interest,
}

/// Why taking in did not succeed.
#[derive(Debug)]
pub enum IngestError {
    /// The sender's fault.
    Peer(PeerFault),
    /// Ours: the disk, or an entry that crashes.
    Core(CoreError),
}

impl From<CoreError> for IngestError {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl From<StoreError> for IngestError {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

impl From<PeerFault> for IngestError {
    fn from(fault: PeerFault) -> Self {
        Self::Peer(fault)
    }
}

impl Replica {
    /// Takes in a run, and says into which history it went; `None` when it waits for what it builds on. `sender` is the node
    /// whose connection or signature brought it: it may send its own entries unsealed.
    pub fn ingest(&mut self, sender: NodeId, run: RunIn) -> Result<Option<LogNumber>, IngestError> {
        let log = run.log.clone();
        let history = self.ingest_one(sender, run)?;
        if history.is_some() {
            self.unpark(&log)?;
        }
        // Which of a fenced node's histories leads to the fence may be known only now.
        if self.is_fenced(log.actor.node) && self.journal.branches(&log).next().is_some() {
            self.reached("a fenced log with two histories was judged anew");
            log.scope.store().map_or(Ok(()), |store| self.rebuild(store))?;
        }
        Ok(history)
    }

    fn ingest_one(&mut self, sender: NodeId, run: RunIn) -> Result<Option<LogNumber>, IngestError> {
        if run.items.len() > RUN_ENTRIES_MAX || run.first == 0 || run.first > SEQ_MAX {
            return Err(PeerFault::Frame("run".into()).into());
        }
        if self.is_our_own_loss(&run)? {
            self.reached("entries of the current epoch came from somebody else");
            let reason = EpochReason::HubAhead;
            self.alarm(format!("this node signed what it does not know any more: {}", reason.as_str()));
            if self.reopen(run.log.actor.epoch.0, reason)? {
                // Opening it drops all links, and on the next ones they come back as those of an epoch that is over.
                return Ok(None);
            }
        }
        if self.journal.find(&run.log).is_none() {
            if run.first != 1 {
                self.parked.keep(sender, self.now.mono_ms, &run)?;
                self.reached("a run was parked");
                return Ok(None);
            }
            self.open_remote(&run)?;
        }
        let Some((number, common, hash)) = self.history_of(&run)? else {
            let (_, main) = self.journal.find(&run.log).expect("found or opened above");
            if run.first <= main.head.seq + 1 {
                return Err(PeerFault::History.into());
            }
            self.parked.keep(sender, self.now.mono_ms, &run)?;
            self.reached("a run was parked");
            return Ok(None);
        };
        let head = self.journal.log(number).expect("histories are open").head;
        let end = Head { seq: run.first - 1 + run.items.len() as u64, hash };
        let by_author = run.log.actor.node == sender;
        let adopted = run.seal.is_none() && self.may_adopt(sender, &run.log);
        self.check_seal(number, &run, end, by_author || adopted)?;
        let number = if common < end.seq.min(head.seq) { self.open_branch(number, common)? } else { number };
        let held = self.journal.log(number).expect("histories are open").head.seq;
        let skip = (held + 1).saturating_sub(run.first) as usize;
        self.take(number, run.items.get(skip..).unwrap_or_default(), run.seal.clone())?;
        if adopted {
            self.reached("entries were adopted after a restore");
            self.alarm(format!(
                "entries {}..={} of {} came back from the hub and are signed anew",
                run.first, end.seq, run.log.scope
            ));
            self.seal(number)?;
        }
        if !planted(Plant::NoForkProof) {
            self.prove(number)?;
        }
        Ok(Some(number))
    }

    /// True when a run shows our own signature in the current epoch over entries that we do not hold: they are from a life of this
    /// database that is gone. They may come before the handshake that says so.
    fn is_our_own_loss(&self, run: &RunIn) -> Result<bool, StoreError> {
        let ours = run.log.actor.node == self.actor().node && run.log.actor.epoch >= self.epoch;
        let Some(seal) = run.seal.as_ref().filter(|_| ours) else { return Ok(false) };
        let end = if self.journal.find(&run.log).is_some() {
            self.history_of(run)?.map(|(_, common, hash)| (common, hash))
        } else {
            let genesis = run.log.genesis(self.me.tenant);
            Some((0, run.items.iter().fold(genesis, |hash, item| advance_by_digest(hash, item.digest()))))
        };
        let Some((common, hash)) = end else { return Ok(false) };
        let last = run.first - 1 + run.items.len() as u64;
        let signer = self.me.signer.public();
        Ok(common < last && seal.seq == last && seal.verify(&signer, self.me.tenant, &run.log, hash))
    }

    /// After a restore, the hub gives back what this node had sent it but not sealed yet: at most a second of sales. Only
    /// their author can sign them, so it takes its own hub's word for them. This is the one place where a node signs what
    /// another says; without it, sales that tills were promised would be missing from the store's own books.
    fn may_adopt(&self, sender: NodeId, log: &LogId) -> bool {
        log.actor.node == self.actor().node && log.actor.epoch < self.epoch && sender == self.me.capability().issuer
    }

    /// The history of a log that the run continues: the one with which it shares most. Gives the last position that they
    /// share, and the hash after the run.
    fn history_of(&self, run: &RunIn) -> Result<Option<(LogNumber, u64, Digest)>, StoreError> {
        let main = self.journal.find(&run.log).map(|(number, _)| number);
        let branches = self.journal.branches(&run.log).map(|(number, _)| number);
        let mut best = None;
        for number in main.into_iter().chain(branches) {
            let Some(before) = self.journal.hash_at(&self.overlay, number, run.first - 1)? else { continue };
            if before.0[..8] != run.before {
                continue;
            }
            let mut hashes = vec![before];
            for item in &run.items {
                hashes.push(advance_by_digest(hashes[hashes.len() - 1], item.digest()));
            }
            let common = self.shared(number, run.first - 1, &hashes)?;
            if best.is_none_or(|(_, held, _)| common > held) {
                best = Some((number, common, hashes[hashes.len() - 1]));
            }
        }
        Ok(best)
    }

    /// The last position at which a history has the given hashes; the first of them stands at `first` and is known to be alike.
    fn shared(&self, number: LogNumber, first: u64, hashes: &[Digest]) -> Result<u64, StoreError> {
        let head = self.journal.log(number).expect("histories are open").head.seq;
        let overlap = head.min(first + hashes.len() as u64 - 1);
        if self.journal.hash_at(&self.overlay, number, overlap)? == Some(hashes[(overlap - first) as usize]) {
            return Ok(overlap);
        }
        for (seq, hash) in (first..=overlap).zip(hashes) {
            if self.journal.hash_at(&self.overlay, number, seq)? != Some(*hash) {
                return Ok(seq - 1);
            }
        }
        Ok(overlap)
    }

    fn check_seal(&self, number: LogNumber, run: &RunIn, end: Head, by_author: bool) -> Result<(), IngestError> {
        let log = self.journal.log(number).expect("checked logs are open");
        let Some(seal) = &run.seal else {
            return if by_author { Ok(()) } else { Err(PeerFault::Seal.into()) };
        };
        let verified =
            planted(Plant::AnySeal) || seal.seq == end.seq && seal.verify(&log.key, self.me.tenant, &log.id, end.hash);
        if verified { Ok(()) } else { Err(PeerFault::Seal.into()) }
    }

    fn take(&mut self, number: LogNumber, items: &[Item], seal: Option<Seal>) -> Result<(), IngestError> {
        let first = self.journal.log(number).expect("taken logs are open").head.seq + 1;
        if !items.is_empty() {
            self.journal.append(&mut self.overlay, number, items);
        }
        if let Some(seal) = seal {
            self.journal.put_seal(&mut self.overlay, number, seal);
        }
        self.counters.entries_ingested += items.len() as u64;
        self.note_fed();
        for (seq, item) in (first..).zip(items) {
            self.observe(item.entry.hlc);
            self.apply(Place { log: number, seq }, item)?;
            if planted(Plant::CountTwice) && seq % 7 == 0 {
                self.apply(Place { log: number, seq }, item)?;
            }
        }
        Ok(())
    }

    /// A log that is new to us must begin with a valid opening, and its author must be allowed to have it.
    fn open_remote(&mut self, run: &RunIn) -> Result<LogNumber, IngestError> {
        let Some(Fact::EpochOpen(open)) = run.items.first().map(|item| &item.entry.fact) else {
            return Err(PeerFault::Author.into());
        };
        let capability = verify_chain(&self.me.root_key, self.me.tenant, &open.chain).map_err(|_| PeerFault::Author)?;
        if capability.node != run.log.actor.node {
            return Err(PeerFault::Author.into());
        }
        let scope = &run.log.scope;
        let writer = authority::writer(capability.role, capability.store, scope);
        if !authority::may_open(writer, authority::area(scope)) {
            return Err(PeerFault::Scope.into());
        }
        // The opening itself must be signed before anything of the log is kept.
        let genesis = run.log.genesis(self.me.tenant);
        if genesis.0[..8] != run.before {
            return Err(PeerFault::History.into());
        }
        let end = run.items.iter().fold(genesis, |hash, item| advance_by_digest(hash, item.digest()));
        let signed = run.seal.as_ref().is_some_and(|seal| {
            seal.seq == run.items.len() as u64 && seal.verify(&capability.log_key, self.me.tenant, &run.log, end)
        });
        if !signed {
            return Err(PeerFault::Seal.into());
        }
        for link in &open.chain {
            books::put_node(&mut self.overlay, link);
        }
        Ok(self.journal.open(run.log.clone(), capability.log_key, capability.store.0, None))
    }

    /// The run contradicts what is held after `common`: its facts go into a history of their own.
    fn open_branch(&mut self, number: LogNumber, common: u64) -> Result<LogNumber, IngestError> {
        let hash = self.journal.hash_at(&self.overlay, number, common)?.ok_or_else(|| damaged("branch"))?;
        let log = self.journal.log(number).expect("forked logs are open");
        let (id, key, store) = (log.id.clone(), log.key, log.author_store);
        self.counters.forks += 1;
        self.reached("a fork was found");
        self.alarm(format!("{} has two histories of {} after entry {common}", id.actor, id.scope));
        Ok(self.journal.open(id, key, store, Some((Place { log: number, seq: common }, hash))))
    }

    /// Writes the proof of a fork into `control` once both histories are signed past the disputed entry, at a hub.
    fn prove(&mut self, branch: LogNumber) -> Result<(), IngestError> {
        let log = self.journal.log(branch).expect("histories are open");
        let (Some(parent), Role::Hub) = (log.parent, self.me.capability().role) else { return Ok(()) };
        let (id, seq) = (log.id.clone(), parent.seq + 1);
        if self.overlay.get(Table::Meta, &fork_key(&id))?.is_some() {
            return Ok(());
        }
        let (Some(left), Some(right)) = (self.signed_branch(parent.log, seq)?, self.signed_branch(branch, seq)?) else {
            return Ok(());
        };
        self.reached("a fork was proven");
        self.write(&Scope::Control, vec![Fact::Fork(ForkProof { log: id, seq, left, right })])?;
        Ok(())
    }

    fn signed_branch(&self, number: LogNumber, seq: u64) -> Result<Option<Branch>, StoreError> {
        let Some(seal) = self.journal.seal_after(&self.overlay, number, seq)? else { return Ok(None) };
        if seal.seq - seq > RUN_ENTRIES_MAX as u64 {
            return Ok(None);
        }
        let Some(hash) = self.journal.hash_at(&self.overlay, number, seq)? else { return Ok(None) };
        let after = entries(&self.overlay, number, seq + 1, seal.seq)?;
        Ok(Some(Branch { hash, after: after.iter().map(|(_, item)| item.digest()).collect(), seal }))
    }

    /// Takes in parked runs that continue `log` now, one after the other: a peer decides how many there are.
    fn unpark(&mut self, log: &LogId) -> Result<(), IngestError> {
        loop {
            let next = self.journal.find(log).map_or(0, |(_, log)| log.head.seq) + 1;
            let Some(run) = self.parked.take(log, next)? else { return Ok(()) };
            self.reached("a parked run was taken up");
            // A parked run that turns out to be wrong has no link left to blame: it is dropped.
            match self.ingest_one(NodeId(0), run) {
                Ok(_) => {}
                Err(IngestError::Peer(fault)) => self.alarm(format!("a parked run was dropped: it was {fault}")),
                Err(error) => return Err(error),
            }
        }
    }

    /// The store of a log's author; `None` for a hub.
    pub fn author_store(&self, number: LogNumber) -> Option<StoreId> {
        self.journal.log(number).map(|log| StoreId(log.author_store)).filter(|store| store.0 != 0)
    }
}

/// Remembers that a log's fork is proven.
pub(crate) fn fork_key(log: &LogId) -> Vec<u8> {
    [b"fork/".as_slice(), &log.to_bytes()].concat()
}

/// No log gets here: at a thousand entries a second this is 500 years away.
const SEQ_MAX: u64 = 1 << 44;

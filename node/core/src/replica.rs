//! One replica's state: its logs, its books, its clock, and the batch that is not committed yet.
//!
//! It appends the node's own facts ([`Replica::write`]) and takes in other nodes' entries (the `ingest` module). It knows no
//! links and no requests.

pub mod counters;
mod entitled;
mod epochs;
pub(crate) mod meta;

pub use meta::check_format;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::{Capability, Role, Signer, verify_chain};
use stockroom_crdt::chain::{LogId, Moment, Seal};
use stockroom_crdt::clock::{Clock, Hlc, Observed};
use stockroom_crdt::control::{Boot, EpochOpen, EpochReason};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Actor, Code, Digest, Epoch, NodeId, StoreId, TenantId};
use stockroom_crdt::limits::{SEAL_BYTES_MAX, SEAL_ENTRIES_MAX};
use stockroom_crdt::scope::{Lane, Scope};

use crate::books::notes::Note;
use crate::books::{self, Context, cells, days};
use crate::continuity::{Evidence, Token, judge};
use crate::fences::Fences;
use crate::ingest::fork_key;
use crate::input::{CoreError, DiskSpace, Event};
use crate::journal::{FeedRow, Journal, LogNumber, Place, entries, feed_rows, fixed};
use crate::loyalty::LoyaltyDesk;
use crate::members::desk::MemberDesk;
use crate::orders::desk::OrderDesk;
use crate::overlay::Overlay;
use crate::parked::Parked;
use crate::plant::{Plant, planted};
use crate::replica::counters::Counters;
use crate::replica::epochs::Lives;
use crate::replica::meta::Meta;
use crate::rights::Desk;
use crate::storage::{Direction, Reader, Snapshot, Store, StoreError, Table};
use crate::time::Now;
use crate::tuning::Tuning;

/// Who this node is, from its enrolment.
#[derive(Debug)]
pub struct Identity {
    /// The tenant.
    pub tenant: TenantId,
    /// The root's Ed25519 key.
    pub root_key: [u8; 32],
    /// From the root to this node.
    pub chain: Vec<Capability>,
    /// Signs this node's logs.
    pub signer: Signer,
    /// X25519 secret that opens parcels.
    pub seal_secret: [u8; 32],
}

impl Identity {
    /// This node's own capability.
    pub fn capability(&self) -> &Capability {
        self.chain.last().expect("an identity has at least its own capability")
    }
}

/// What [`Replica::open`] needs besides the database.
#[derive(Debug)]
pub struct Config {
    /// Who this node is.
    pub identity: Identity,
    /// What lies beside the database.
    pub evidence: Evidence,
    /// Randomness for everything this start of the node will need.
    pub seed: [u8; 32],
    /// The program's version.
    pub version: Code,
    /// An entry whose application crashed: it is kept and has no effect.
    pub quarantine: Option<Digest>,
    /// How patient it is, and how much it says at once.
    pub tuning: Tuning,
}

/// One replica.
pub struct Replica {
    pub(crate) me: Identity,
    pub(crate) epoch: Epoch,
    pub(crate) feed_epoch: u32,
    pub(crate) overlay: Overlay,
    pub(crate) journal: Journal,
    pub(crate) clock: Clock,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: Now,
    pub(crate) zone_offset_s: i32,
    pub(crate) disk: DiskSpace,
    pub(crate) rights_locked: bool,
    /// The hub above does not let this node in, as of its last word.
    pub(crate) turned_away: bool,
    pub(crate) epoch_reason: EpochReason,
    pub(crate) counters: Counters,
    pub(crate) tuning: Tuning,
    pub(crate) events: Vec<Event>,
    /// Runs that wait for what they build on.
    pub(crate) parked: Parked,
    /// What is remembered about rights between commits.
    pub(crate) desk: Desk,
    /// What is remembered about orders between commits.
    pub(crate) order_desk: OrderDesk,
    /// What is remembered about points and coupons until the commit.
    pub(crate) loyalty_desk: LoyaltyDesk,
    /// What is remembered about members between commits.
    pub(crate) member_desk: MemberDesk,
    /// Notes to look at before the next commit.
    pub(crate) notes: BTreeSet<Note>,
    /// Stores whose records came or changed in this batch: what lies between two nodes depends on these.
    pub(crate) changed_stores: BTreeSet<StoreId>,
    /// Rows that are worth keeping, but not worth a commit of their own.
    pub(crate) lazy: BTreeMap<(Table, Vec<u8>), Vec<u8>>,
    /// Single values as the batch or the database has them.
    meta: Meta,
    store: Box<dyn Store>,
    reader: Arc<dyn Reader>,
    volume: Digest,
    fences: Fences,
    quarantined: BTreeSet<Digest>,
    unsealed_since: BTreeMap<LogNumber, u64>,
    token: TokenState,
    lives: Lives,
}

#[derive(Default)]
struct TokenState {
    urgent: bool,
    changed: bool,
    written_ms: u64,
}

impl Replica {
    /// Opens a replica on its database, and a new epoch if continuity is in doubt.
    pub fn open(config: Config, store: Box<dyn Store>, now: Now) -> Result<Self, CoreError> {
        let Config { identity: me, evidence, seed, version, quarantine, tuning } = config;
        let tuning = tuning.validated()?;
        verify_chain(&me.root_key, me.tenant, &me.chain).map_err(|error| CoreError::Mismatch(error.to_string()))?;
        let reader = store.reader();
        let snapshot = reader.snapshot()?;
        let meta = Meta::load(&*snapshot)?;
        let node = me.capability().node;
        if meta.owner.is_some_and(|owner| owner != (me.tenant, node)) {
            return Err(CoreError::Mismatch("it belongs to another node".into()));
        }
        let journal = Journal::load(me.tenant, &*snapshot, tuning.run_bytes_goal)?;
        let token = evidence.token.as_deref().and_then(|bytes| Token::from_bytes(bytes).ok());
        let verdict = judge(&evidence, token.as_ref(), meta.epoch, (&journal, &*snapshot, node))?;
        let lives = Lives::of(&journal);
        let overtaken = meta.epoch.is_some_and(|epoch| epochs::newest(&journal, node) > epoch.0);
        let verdict = verdict.or(overtaken.then_some(EpochReason::HubAhead));
        let mut replica = Self {
            epoch: meta.epoch.unwrap_or(Epoch(0)),
            feed_epoch: meta.feed_epoch,
            overlay: Overlay::new(snapshot),
            journal,
            clock: Clock::resume(if planted(Plant::ForgetClock) { Hlc::from_bits(0) } else { meta.clock }),
            rng: ChaCha8Rng::from_seed(seed),
            now,
            zone_offset_s: 0,
            disk: DiskSpace::Ample,
            rights_locked: meta.rights_locked,
            turned_away: false,
            epoch_reason: meta.epoch_reason,
            counters: Counters::default(),
            tuning,
            events: Vec::new(),
            parked: Parked::default(),
            desk: Desk::default(),
            order_desk: OrderDesk::default(),
            loyalty_desk: LoyaltyDesk::default(),
            member_desk: MemberDesk::default(),
            notes: BTreeSet::new(),
            changed_stores: BTreeSet::new(),
            lazy: BTreeMap::new(),
            meta,
            reader,
            store,
            volume: evidence.volume,
            fences: Fences::default(),
            quarantined: BTreeSet::new(),
            unsealed_since: BTreeMap::new(),
            token: TokenState::default(),
            lives,
            me,
        };
        replica.load_guards()?;
        if let Some(entry) = quarantine {
            replica.overlay.put(Table::Quarantine, entry.0, Vec::new());
            replica.quarantined.insert(entry);
            replica.reached("an entry was quarantined");
        }
        if let Some(token) = token.as_ref().filter(|_| verdict.is_some()) {
            let claims = token.heads.iter().map(|(scope, seq, hash)| (token.epoch, scope.clone(), *seq, *hash));
            replica.desk.claims = claims.collect();
        }
        if token.as_ref().is_some_and(|token| token.fed > replica.journal.fed()) {
            // The database was set back without losing anything of its own: positions that it gives out now were given out before.
            replica.feed_epoch = replica.rng.next_u32();
            replica.reached("a feed began anew after the database was set back");
        }
        if let Some(reason) = verdict {
            let floor = token.map_or(0, |token| token.epoch.0).max(replica.epoch.0);
            replica.open_epoch(floor, reason)?;
        }
        let boot = Boot { boot: now.boot, version };
        replica.write(&replica.home_scope(), vec![Fact::Boot(boot)])?;
        replica.load_desk()?;
        replica.load_orders()?;
        replica.load_loyalty()?;
        replica.load_members()?;
        Ok(replica)
    }

    /// This node as a writer.
    pub fn actor(&self) -> Actor {
        Actor { node: self.me.capability().node, epoch: self.epoch }
    }

    /// This node's store, if it has one.
    pub fn own_store(&self) -> Option<StoreId> {
        let capability = self.me.capability();
        (capability.role == Role::Store).then_some(capability.store)
    }

    /// A handle for readers.
    pub fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }

    /// Appends facts of this node to its log of `scope`, and applies them.
    pub fn write(&mut self, scope: &Scope, facts: Vec<Fact>) -> Result<Vec<Place>, CoreError> {
        let number = self.own_log(scope)?;
        let mut places = Vec::with_capacity(facts.len());
        for fact in facts {
            let item = Item::new(Entry { hlc: self.clock.tick(self.now.wall_ms), fact });
            places.push(self.append_own(number, item)?);
        }
        if scope.lane() == Lane::Control {
            self.token.urgent = true;
            self.seal(number)?;
        }
        Ok(places)
    }

    /// [`Replica::write`] for many facts at once: they share rows of the database.
    pub fn write_many(&mut self, scope: &Scope, facts: Vec<Fact>) -> Result<(), CoreError> {
        let number = self.own_log(scope)?;
        let tick = |replica: &mut Self, fact| Item::new(Entry { hlc: replica.clock.tick(replica.now.wall_ms), fact });
        let items: Vec<_> = facts.into_iter().map(|fact| tick(self, fact)).collect();
        for chunk in items.chunks(SEAL_ENTRIES_MAX as usize) {
            self.seal(number)?;
            let first = self.journal.log(number).expect("own log is open").head.seq + 1;
            self.journal.append(&mut self.overlay, number, chunk);
            for (seq, item) in (first..).zip(chunk) {
                self.apply(Place { log: number, seq }, item)?;
            }
        }
        self.counters.entries_written += items.len() as u64;
        self.token.changed = true;
        self.seal(number)?;
        Ok(())
    }

    fn append_own(&mut self, number: LogNumber, item: Item) -> Result<Place, CoreError> {
        self.journal.append(&mut self.overlay, number, std::slice::from_ref(&item));
        let log = self.journal.log(number).expect("own log is open");
        let place = Place { log: number, seq: log.head.seq };
        let full = place.seq - log.sealed_seq() >= SEAL_ENTRIES_MAX || log.unsealed_bytes >= SEAL_BYTES_MAX;
        self.unsealed_since.entry(number).or_insert(self.now.mono_ms);
        self.counters.entries_written += 1;
        self.token.changed = true;
        self.apply(place, &item)?;
        if full {
            self.seal(number)?;
        }
        Ok(place)
    }

    /// Seals every log of this node that has unsealed entries. Before a stop, a day's end, or a parcel.
    pub fn seal_all(&mut self) -> Result<(), StoreError> {
        std::mem::take(&mut self.unsealed_since).into_keys().try_for_each(|number| self.seal(number))
    }

    /// Seals the logs whose oldest unsealed entry has waited long enough.
    pub fn seal_due(&mut self) -> Result<(), StoreError> {
        let due = self.now.mono_ms.saturating_sub(self.tuning.seal_after_ms);
        let waiting: Vec<_> = self.unsealed_since.iter().filter(|&(_, &since)| since <= due).map(|(&n, _)| n).collect();
        waiting.into_iter().try_for_each(|number| self.seal(number))
    }

    /// When [`Replica::seal_due`] has something to do, on the monotonic clock.
    pub fn seal_deadline(&self) -> Option<u64> {
        self.unsealed_since.values().min().map(|since| since + self.tuning.seal_after_ms)
    }

    /// Makes the batch durable and gives the continuity token if it must be written now.
    pub fn commit(&mut self) -> Result<Option<Vec<u8>>, CoreError> {
        self.journal.flush(&mut self.overlay);
        let early = planted(Plant::TellBeforeDurable) && self.counters.entries_written % 3 == 2;
        if !self.overlay.is_clean() && !early {
            for ((table, key), value) in std::mem::take(&mut self.lazy) {
                self.overlay.put(table, key, value);
            }
            self.touch();
            self.store.commit(&self.overlay.release())?;
            self.counters.commits += 1;
            self.overlay = Overlay::new(self.reader.snapshot()?);
        }
        Ok(self.due_token())
    }

    /// When the token wants to be written, on the monotonic clock.
    pub fn token_deadline(&self) -> Option<u64> {
        self.token.changed.then_some(self.token.written_ms + self.tuning.token_after_ms)
    }

    /// Something was taken in: the token follows within its time.
    pub(crate) fn note_fed(&mut self) {
        self.token.changed = true;
    }

    /// Asks for the token to be written at the next commit.
    pub fn want_token(&mut self) {
        self.token.urgent = true;
    }

    /// Applies an entry that stands at `place` to the books, if its author was entitled to write it.
    pub fn apply(&mut self, place: Place, item: &Item) -> Result<(), CoreError> {
        let digest = item.digest();
        if self.quarantined.contains(&digest) {
            self.reached("an entry was passed over in quarantine");
            return Ok(());
        }
        if !self.is_entitled(place, &item.entry)? {
            return Ok(());
        }
        // A crash leaves this batch half-applied: the caller drops the whole core and opens it again from disk.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.apply_entitled(place, item)));
        outcome.unwrap_or(Err(CoreError::Poisoned(digest)))
    }

    /// Throws the books of `store` away and makes them again from the logs, in the order in which entries came in.
    pub fn rebuild(&mut self, store: StoreId) -> Result<(), CoreError> {
        // What happened once is not told to watchers, and not counted, a second time.
        let (told, counters) = (self.events.len(), self.counters.clone());
        let (demand, marks) = (self.desk.demand(), self.desk.marks());
        books::clear(&mut self.overlay, store)?;
        let scopes = [Scope::StoreStock, Scope::StoreRights, Scope::StoreOrders, Scope::StoreMembers];
        for scope in scopes.map(|of| of(store)) {
            let Some(feed) = self.journal.feed(&scope) else { continue };
            for (_, row) in feed_rows(&self.overlay, feed.number, 0, usize::MAX)? {
                let FeedRow::Entries { log, first, last } = row else { continue };
                for (seq, item) in entries(&self.overlay, log, first, last)? {
                    self.apply(Place { log, seq }, &item)?;
                }
            }
        }
        self.events.truncate(told);
        self.counters = counters;
        self.desk.set_demand(demand);
        self.desk.set_marks(marks);
        Ok(())
    }

    /// Puts single values that changed into the batch, so that the next commit happens.
    pub(crate) fn touch(&mut self) {
        let meta = Meta::of(self);
        meta.store(&self.meta, &mut self.overlay);
        self.meta = meta;
    }

    /// Notes another node's time.
    pub(crate) fn observe(&mut self, hlc: Hlc) {
        if self.clock.observe(self.now.wall_ms, hlc) == Observed::Suspect {
            if self.counters.times_suspect == 0 {
                self.alarm(format!("a time far ahead of this node's clock was received: {} ms", hlc.ms()));
            }
            self.counters.times_suspect += 1;
            self.reached("a time was suspect");
        }
    }

    /// Tells watchers that somebody must look.
    pub(crate) fn alarm(&mut self, text: String) {
        tracing::error!(alarm = %text, "alarm");
        self.events.push(Event::Alarm(text));
    }

    /// True when nothing by `node` counts any more except up to the fence's cuts.
    pub fn is_fenced(&self, node: NodeId) -> bool {
        self.fences.has(node)
    }

    /// The scope where this node writes its starts.
    pub(crate) fn home_scope(&self) -> Scope {
        self.own_store().map_or(Scope::Control, Scope::StoreRights)
    }

    /// Own logs with entries that no seal covers.
    pub(crate) fn seal(&mut self, number: LogNumber) -> Result<(), StoreError> {
        self.unsealed_since.remove(&number);
        if !self.journal.log(number).expect("sealed logs are open").has_unsealed() {
            return Ok(());
        }
        let day = self.open_day_number()?;
        let log = self.journal.log(number).expect("sealed logs are open");
        let moment = Moment { boot: self.now.boot, mono_ms: self.now.mono_ms, wall_ms: self.now.wall_ms, day };
        let seal = Seal::sign(&self.me.signer, self.me.tenant, &log.id, log.head, moment);
        self.journal.put_seal(&mut self.overlay, number, seal);
        Ok(())
    }

    fn open_day_number(&self) -> Result<u32, StoreError> {
        let Some(store) = self.own_store() else { return Ok(0) };
        let day = days::last(&self.overlay, store)?.filter(|day| day.closed_ms == 0);
        Ok(day.map_or(0, |day| day.number))
    }

    fn own_log(&mut self, scope: &Scope) -> Result<LogNumber, CoreError> {
        let id = LogId { actor: self.actor(), scope: scope.clone() };
        if let Some((number, _)) = self.journal.find(&id) {
            return Ok(number);
        }
        let previous = (0..self.epoch.0).rev().find_map(|epoch| {
            let earlier = LogId { actor: Actor { epoch: Epoch(epoch), ..id.actor }, scope: scope.clone() };
            let held = self.journal.find(&earlier).map(|(_, log)| (log.head.seq, log.head.hash));
            // The token may know more of it than what is left of the database.
            let of_scope = self.desk.claims.iter().filter(|claim| claim.0 == Epoch(epoch) && claim.1 == *scope);
            let claimed = of_scope.map(|(.., seq, hash)| (*seq, *hash));
            held.into_iter().chain(claimed).max_by_key(|(seq, _)| *seq).map(|(seq, hash)| (Epoch(epoch), seq, hash))
        });
        let mut nonce = [0; 16];
        self.rng.fill_bytes(&mut nonce);
        let open = EpochOpen { nonce, reason: self.epoch_reason, previous, chain: self.me.chain.clone() };
        let number = self.journal.open(id, self.me.signer.public(), self.me.capability().store.0, None);
        let item = Item::new(Entry { hlc: self.clock.tick(self.now.wall_ms), fact: Fact::EpochOpen(open) });
        self.journal.append(&mut self.overlay, number, std::slice::from_ref(&item));
        for capability in &self.me.chain {
            books::put_node(&mut self.overlay, capability);
        }
        self.token.changed = true;
        if scope.lane() == Lane::Control {
            self.token.urgent = true;
        }
        self.seal(number)?;
        Ok(number)
    }

    fn apply_entitled(&mut self, place: Place, item: &Item) -> Result<(), CoreError> {
        let log = self.journal.log(place.log).expect("applied entries stand in known logs");
        let (actor, scope) = (log.id.actor, log.id.scope.clone());
        let number = item.entry.fact.kind();
        if cells::is_decision(number) {
            cells::merge(&mut self.overlay, &mut self.journal, &scope, (actor, place.seq), item)?;
        }
        let context = Context { place, actor, scope: &scope, inline_max: self.tuning.account_inline_max };
        let accounts = books::apply(&mut self.overlay, &context, item)?;
        if let Fact::Rights(fact) = &item.entry.fact
            && planted(Plant::GrantTwice)
        {
            self.grant_again(fact)?;
        }
        self.touch_rights(actor, &item.entry, accounts)?;
        self.touch_order(&item.entry)?;
        self.touch_loyalty(actor, &scope, &item.entry)?;
        self.touch_members(&item.entry.fact);
        self.touch_note(&scope, &item.entry.fact);
        if let Scope::StoreStock(store) = scope {
            self.touch_goods(store, &item.entry)?;
        }
        if let Fact::Fence(fence) = &item.entry.fact {
            self.reached("a fence was applied");
            self.take_fence(fence.node)?;
        }
        if let Fact::Store(record) = &item.entry.fact {
            self.changed_stores.insert(record.store);
        }
        if let Fact::Fork(proof) = &item.entry.fact {
            if actor != self.actor() {
                self.reached("a proof of a fork was received");
            }
            self.overlay.put(Table::Meta, fork_key(&proof.log), item.digest().0);
        }
        if number != kind::EPOCH_OPEN {
            self.events.push(Event::Entry { scope, kind: number, place });
        }
        Ok(())
    }

    /// Entries beyond the cuts lose their effect, also those that were applied before the fence came.
    fn take_fence(&mut self, node: NodeId) -> Result<(), CoreError> {
        self.fences = Fences::load(&self.journal, &self.overlay)?;
        self.alarm(format!("node {} is fenced", node.0));
        let logs = self.journal.logs_by(node);
        let stores: BTreeSet<_> = logs.filter_map(|(_, log)| log.id.scope.store()).collect();
        for store in stores {
            self.reached("books were rebuilt for a fence");
            self.rebuild(store)?;
        }
        Ok(())
    }

    fn load_guards(&mut self) -> Result<(), CoreError> {
        let all = (std::ops::Bound::Unbounded, std::ops::Bound::Unbounded);
        for (key, _) in self.overlay.scan(Table::Quarantine, all, Direction::Forward, usize::MAX)? {
            self.quarantined.insert(Digest(fixed(&key)?));
        }
        self.fences = Fences::load(&self.journal, &self.overlay)?;
        let unsealed: Vec<_> = self
            .journal
            .written_by(self.me.capability().node)
            .filter(|(_, log)| log.has_unsealed())
            .map(|(number, _)| number)
            .collect();
        self.unsealed_since.extend(unsealed.into_iter().map(|number| (number, self.now.mono_ms)));
        Ok(())
    }

    fn due_token(&mut self) -> Option<Vec<u8>> {
        let due = self.token.urgent || self.token_deadline().is_some_and(|at| at <= self.now.mono_ms);
        if !due {
            return None;
        }
        self.token = TokenState { urgent: false, changed: false, written_ms: self.now.mono_ms };
        let actor = self.actor();
        let heads = self
            .journal
            .written_by(actor.node)
            .filter(|(_, log)| log.id.actor == actor)
            .map(|(_, log)| (log.id.scope.clone(), log.head.seq, log.head.hash))
            .collect();
        let fed = self.journal.fed();
        let (tenant, node) = (self.me.tenant, actor.node);
        let token = Token { tenant, node, epoch: self.epoch, volume: self.volume, heads, fed };
        Some(token.to_bytes())
    }
}

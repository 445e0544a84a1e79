//! What this node does with rights by itself: make them from goods, keep and grant them, answer requests, burn them when goods
//! are missing, and name who goes without.
//!
//! Nothing here is asked for by a person. Whatever moves an account (an entry that is applied, a promise that runs out, a link that
//! comes up) only marks it; before each commit [`Replica::settle`] looks at the marked accounts and writes what follows, in the
//! same commit. What follows depends on the books alone, so a crash in between loses nothing: the mark comes back with
//! the next entry, or at the next start.
//!
//! | module | what it knows |
//! |---|---|
//! | [`home`] | the store where the goods are: minting, burning, shortages, closing of promises |
//! | [`holder`] | everybody who holds rights: requests, grants, soft promises that become hard, compensations |
//! | [`known`] | whether enough is known of earlier lives to make rights; writing off what earlier lives held |

pub mod holder;
pub mod home;
pub mod known;

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::chain::LogId;
use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::ids::{Actor, Digest, Epoch, NodeId, Sku, StoreId};
use stockroom_crdt::product::Product;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::policy::{PolicyRule, Target};
use stockroom_crdt::stock::promise::{PromiseId, PromiseStep, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Rights, RightsFact};
use stockroom_crdt::stock::{Cause, Effect, Movement};

use crate::books::{cells, rights as book};
use crate::input::CoreError;
use crate::journal::{damaged, fixed};
use crate::limits::{PAGE_MAX, SETTLE_ROUNDS_MAX};
use crate::overlay::scan_prefix;
use crate::policy::demand::Demand;
use crate::policy::outage::History;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use crate::view::View;

/// What a replica remembers between two commits about rights. All of it can be made again from the books.
#[derive(Default)]
pub struct Desk {
    /// Rules about promising, by what they are about.
    pub(crate) rules: BTreeMap<Target, PolicyRule>,
    /// Accounts to look at before the next commit.
    pub(crate) touched: BTreeSet<Account>,
    /// Own promises that are not confirmed, by when they end.
    pub(crate) expiring: BTreeSet<(u64, StoreId, PromiseId)>,
    /// Accounts with promises or requests: what is looked at again when a link comes up.
    pub(crate) active: BTreeSet<Account>,
    /// The hub above was heard in this epoch, and contradicts nothing.
    pub(crate) heard: bool,
    /// All accounts are to be looked at before the next commit.
    pub(crate) everything: bool,
    /// Rights stay locked until these logs are held that far: the hub holds more of them than this node.
    pub(crate) unlock: Vec<(LogId, u64)>,
    /// Heads of own logs that the continuity token named when it was ahead of them.
    pub(crate) claims: Vec<(Epoch, Scope, u64, Digest)>,
    /// Stores whose own feed of rights was complete here since the start.
    pub(crate) contacted: BTreeSet<StoreId>,
    /// How fast promises are made, per account and node, since the start.
    pub(crate) demand: BTreeMap<Account, BTreeMap<NodeId, Demand>>,
    /// How fast the own store's customers take goods from the shelf, since the start.
    pub(crate) walk_in: BTreeMap<Account, Demand>,
    /// How long links to other nodes were up and down.
    pub(crate) links: BTreeMap<NodeId, LinkHistory>,
    /// Own promises that a home declared broken since the start.
    pub(crate) shorted: BTreeSet<PromiseId>,
    /// The marked accounts are to be spread anew by their rules.
    pub(crate) balancing: bool,
    /// When they were spread last, on the monotonic clock.
    pub(crate) balanced_ms: u64,
}

/// A link's state now, and what it did before.
#[derive(Clone, Debug, Default)]
pub struct LinkHistory {
    /// Lengths of outages and of times between them.
    pub history: History,
    /// Since when it is as it is now, on the wall clock.
    pub since_ms: u64,
    /// It is up now.
    pub up: bool,
    /// Outages that were written down.
    outages: u64,
}

impl LinkHistory {
    fn encode(&self) -> Vec<u8> {
        Rows::of(|sink| {
            sink.uint(col::TIME, self.since_ms);
            sink.uint(col::FLAGS, u64::from(self.up));
            sink.uint(col::COUNT, self.outages);
            self.history.encode(sink);
        })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = RowReader::new(bytes);
        let since_ms = reader.uint(col::TIME)?;
        let up = reader.flag(col::FLAGS)?;
        let outages = reader.uint(col::COUNT)?;
        Ok(Self { history: History::decode(&mut reader)?, since_ms, up, outages })
    }
}

impl Replica {
    /// The rule about promising a product, if there is one.
    pub fn rule_for(&self, sku: &Sku) -> Result<Option<PolicyRule>, StoreError> {
        rule_for(&self.desk.rules, &View::new(&self.overlay), sku)
    }

    /// Writes what follows from the accounts that were touched, until nothing follows any more.
    pub(crate) fn settle(&mut self) -> Result<(), CoreError> {
        self.unlock_if_known();
        if std::mem::take(&mut self.desk.everything) {
            self.touch_own_accounts()?;
        }
        for _ in 0..SETTLE_ROUNDS_MAX {
            let touched = std::mem::take(&mut self.desk.touched);
            if touched.is_empty() {
                self.desk.balancing = false;
                return Ok(());
            }
            let mut facts: BTreeMap<Scope, Vec<Fact>> = BTreeMap::new();
            for account in touched {
                for (scope, fact) in self.follows(&account)? {
                    facts.entry(scope).or_default().push(fact);
                }
            }
            self.desk.balancing = false;
            if facts.is_empty() {
                return Ok(());
            }
            for (scope, facts) in facts {
                self.write(&scope, facts)?;
            }
        }
        self.reached("rights were not settled in one commit");
        Ok(())
    }

    /// Marks what an entry changed.
    pub(crate) fn touch_rights(&mut self, entry: &Entry, accounts: Vec<Account>) -> Result<(), StoreError> {
        let me = self.actor().node;
        match &entry.fact {
            Fact::PolicyRule(_) => {
                self.load_rules()?;
                // A home shares anew by the new rule; a hub does when it is time to.
                self.desk.balancing |= self.own_store().is_some();
                self.touch_own_accounts()?;
            }
            Fact::Promise(promise) => {
                let fresh = || Demand::new(PRIOR_PER_DAY, self.now.wall_ms);
                let by_node = self.desk.demand.entry(promise.account.clone()).or_default();
                by_node.entry(promise.id.issuer.node).or_insert_with(fresh).saw(promise.quantity);
                self.desk.active.insert(promise.account.clone());
                if promise.id.issuer.node == me {
                    self.desk.expiring.insert((promise.until_ms, promise.account.store, promise.id));
                }
            }
            Fact::Want(want) => {
                self.desk.active.insert(want.account.clone());
            }
            Fact::Shortage(shortage) => {
                let own = shortage.victims.iter().map(|(id, _)| *id).filter(|id| id.issuer.node == me);
                for id in own {
                    self.counters.shorted += u64::from(self.desk.shorted.insert(id));
                }
            }
            Fact::Compensation(compensation) => {
                self.counters.compensated += u64::from(compensation.promise.issuer.node == me);
            }
            Fact::Retire(_) | Fact::Consent(_) => self.touch_own_accounts()?,
            _ => {}
        }
        self.desk.touched.extend(accounts);
        Ok(())
    }

    /// Goods of the own store moved.
    pub(crate) fn touch_goods(&mut self, store: StoreId, entry: &Entry) {
        if self.desk.rules.is_empty() || self.own_store() != Some(store) {
            return;
        }
        for (sku, unit, effect) in stockroom_crdt::stock::effects(entry) {
            let account = Account { store, sku, unit };
            if let Effect::Move(Movement { delta: delta @ ..0, cause: Cause::Sale(_), .. }) = effect {
                let fresh = || Demand::new(PRIOR_PER_DAY, self.now.wall_ms);
                self.desk.walk_in.entry(account.clone()).or_insert_with(fresh).saw(delta.unsigned_abs());
            }
            self.desk.touched.insert(account);
        }
    }

    /// Looks at everything once: after a start, when a rule changed, when rights were unlocked.
    pub(crate) fn touch_own_accounts(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.own_store() else {
            let active: Vec<_> = self.desk.active.iter().cloned().collect();
            self.desk.touched.extend(active);
            return Ok(());
        };
        if self.desk.rules.is_empty() {
            return Ok(());
        }
        let held = View::new(&self.overlay).accounts(store, None, usize::MAX)?;
        let accounts = held.into_iter().map(|(sku, unit, _)| Account { store, sku, unit });
        self.desk.touched.extend(accounts);
        let with_rights = book::accounts(&self.overlay, store)?;
        self.desk.touched.extend(with_rights);
        Ok(())
    }

    /// Reads what the desk keeps in memory from the books.
    pub(crate) fn load_desk(&mut self) -> Result<(), StoreError> {
        self.load_rules()?;
        for (key, value) in self.overlay.scan_prefix(Table::Meta, LINK_PREFIX, usize::MAX)? {
            let node = NodeId(u32::from_be_bytes(fixed(&key[LINK_PREFIX.len()..])?));
            let link = LinkHistory::decode(&value).map_err(damaged)?;
            self.desk.links.insert(node, link);
        }
        // While this node was off, its links were down; since when is not known better than this.
        let nodes: Vec<_> = self.desk.links.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.note_link(node, false));
        let me = self.actor().node;
        let stores: Vec<StoreId> = self
            .journal
            .scopes()
            .filter_map(|(scope, _)| match scope {
                Scope::StoreRights(store) => Some(*store),
                _ => None,
            })
            .collect();
        for store in stores {
            self.load_demand(store)?;
            for account in book::accounts(&self.overlay, store)? {
                let open = book::open(&self.overlay, &account)?;
                for (promise, record) in &open {
                    if promise.id.issuer.node == me && record.state() == State::Held {
                        self.desk.expiring.insert((promise.until_ms, store, promise.id));
                    }
                }
                let mine = book::rights(&self.overlay, &account, Class::Goods)?.held(self.actor()) > 0;
                if !open.is_empty() || mine {
                    self.desk.active.insert(account);
                }
            }
        }
        self.touch_own_accounts()
    }

    /// How fast promises were made lately, from the promises themselves.
    fn load_demand(&mut self, store: StoreId) -> Result<(), StoreError> {
        let now = self.now.wall_ms;
        let mut after = None;
        loop {
            let page = book::promises(&self.overlay, store, after, PAGE_MAX)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            for (id, record) in page {
                let Some(promise) = record.promise else { continue };
                let age = now.saturating_sub(record.made.ms());
                if age > DEMAND_MS_MAX {
                    continue;
                }
                let by_node = self.desk.demand.entry(promise.account).or_default();
                let fresh = || Demand::new(PRIOR_PER_DAY, now.saturating_sub(DEMAND_MS_MAX));
                by_node.entry(id.issuer.node).or_insert_with(fresh).saw(promise.quantity);
            }
        }
    }

    /// Ends own promises that were not confirmed in time.
    pub(crate) fn expire_promises(&mut self) -> Result<(), CoreError> {
        let now = self.now.wall_ms;
        while let Some(&(until_ms, store, id)) = self.desk.expiring.first() {
            if until_ms > now {
                break;
            }
            self.desk.expiring.pop_first();
            let held = book::record(&self.overlay, store, id)?;
            if held.is_some_and(|record| record.state() == State::Held) {
                self.reached("a promise was not confirmed in time");
                let step = PromiseStep {
                    promise: id,
                    step: Step::Expire,
                    note: Default::default(),
                    staff: Default::default(),
                };
                self.write(&Scope::StoreRights(store), vec![Fact::PromiseStep(step)])?;
            }
        }
        Ok(())
    }

    /// All links are gone with the epoch that they were greeted in; what others know of this node is to be heard anew.
    pub(crate) fn links_dropped(&mut self) {
        let nodes: Vec<_> = self.desk.links.keys().copied().collect();
        nodes.into_iter().for_each(|node| self.note_link(node, false));
        self.desk.contacted.clear();
        self.desk.heard = false;
    }

    /// A known bug: what a row grants is added again each time it comes.
    pub(crate) fn grant_again(&mut self, fact: &RightsFact) -> Result<(), StoreError> {
        let me = self.actor();
        let Some(units) = fact.row.grants.get(&me).filter(|_| fact.by != me) else { return Ok(()) };
        let mut row = book::rights(&self.overlay, &fact.account, fact.class)?.row(fact.by);
        *row.grants.entry(me).or_default() += units;
        book::put_row(&mut self.overlay, fact, &row);
        Ok(())
    }

    /// At a hub: spreads rights anew, now and then.
    pub(crate) fn balance_due(&mut self) {
        if self.balance_deadline().is_some_and(|due| due <= self.now.mono_ms) {
            self.desk.balanced_ms = self.now.mono_ms;
            self.desk.balancing = true;
            let active: Vec<_> = self.desk.active.iter().cloned().collect();
            self.desk.touched.extend(active);
        }
    }

    /// When a promise ends or rights are spread anew, on the monotonic clock.
    pub(crate) fn rights_deadline(&self) -> Option<u64> {
        // The wall clock may jump meanwhile: looks again within the hour.
        let ends = self
            .desk
            .expiring
            .first()
            .map(|(until_ms, ..)| self.now.mono_ms + until_ms.saturating_sub(self.now.wall_ms).clamp(1, HOUR_MS));
        ends.into_iter().chain(self.balance_deadline()).min()
    }

    fn balance_deadline(&self) -> Option<u64> {
        let hub = self.own_store().is_none() && !self.desk.rules.is_empty() && !self.desk.active.is_empty();
        hub.then_some(self.desk.balanced_ms + BALANCE_AFTER_MS)
    }

    /// A link came up or went down: its history grows, and accounts in which somebody waits are looked at again.
    pub(crate) fn note_link(&mut self, node: NodeId, up: bool) {
        let now = self.now.wall_ms;
        let link = self.desk.links.entry(node).or_default();
        if link.up == up {
            return;
        }
        if link.since_ms > 0 {
            let lasted = now.saturating_sub(link.since_ms);
            if link.up {
                link.history.saw_up(lasted);
            } else {
                link.history.saw_outage(lasted);
                let span = [link.since_ms.to_be_bytes(), now.to_be_bytes()].concat();
                self.lazy.insert((Table::Meta, outage_key(node, link.outages)), span);
                link.outages += 1;
            }
        }
        (link.up, link.since_ms) = (up, now);
        self.lazy.insert((Table::Meta, link_key(node)), link.encode());
        if up {
            let active: Vec<_> = self.desk.active.iter().cloned().collect();
            self.desk.touched.extend(active);
            self.desk.balancing = true;
        }
    }

    /// What is to be written about one account, with the scope where it belongs.
    fn follows(&self, account: &Account) -> Result<Vec<(Scope, Fact)>, StoreError> {
        let here = Scope::StoreRights(account.store);
        let at_home = |facts: Vec<Fact>| facts.into_iter().map(|fact| (here.clone(), fact)).collect();
        if self.own_store() == Some(account.store) {
            let facts = home::follows(self, account)?;
            return Ok(at_home(facts));
        }
        holder::follows(self, account)
    }

    /// The row that this node would write next, as a fact.
    pub(crate) fn row_fact(&self, account: &Account, class: Class, rights: &Rights) -> Fact {
        let by = self.actor();
        Fact::Rights(RightsFact { account: account.clone(), class, by, row: rights.row(by) })
    }

    /// The newest epoch of a node, as far as it is known here.
    pub(crate) fn newest_actor(&self, node: NodeId) -> Option<Actor> {
        if node == self.actor().node {
            return Some(self.actor());
        }
        self.journal.logs_by(node).map(|(_, log)| log.id.actor).max()
    }

    fn load_rules(&mut self) -> Result<(), StoreError> {
        self.desk.rules = rules(&self.overlay)?;
        Ok(())
    }
}

/// Outages of links to other nodes that were seen here: node, from, to, milliseconds since 1970; the newest of each node.
pub fn outages(snapshot: &(impl Snapshot + ?Sized)) -> Result<Vec<(NodeId, u64, u64)>, StoreError> {
    let mut out = Vec::new();
    for (key, value) in scan_prefix(snapshot, Table::Meta, OUTAGE_PREFIX, usize::MAX)? {
        let node =
            NodeId(u32::from_be_bytes(fixed(key.get(OUTAGE_PREFIX.len()..OUTAGE_PREFIX.len() + 4).unwrap_or(&[]))?));
        let (from, to) = value.split_at_checked(8).ok_or_else(|| damaged("outage"))?;
        out.push((node, u64::from_be_bytes(fixed(from)?), u64::from_be_bytes(fixed(to)?)));
    }
    out.sort_unstable();
    Ok(out)
}

/// The rules about promising that hold, by what they are about.
pub fn rules(snapshot: &(impl Snapshot + ?Sized)) -> Result<BTreeMap<Target, PolicyRule>, StoreError> {
    let Some(control) = cells::scope_number(snapshot, &Scope::Control)? else { return Ok(BTreeMap::new()) };
    let entries = cells::winners(snapshot, control, kind::POLICY, &[])?;
    Ok(entries
        .into_iter()
        .filter_map(|entry| match entry.fact {
            Fact::PolicyRule(rule) if !rule.ended => Some((rule.target.clone(), rule)),
            _ => None,
        })
        .collect())
}

/// The narrowest rule that fits a product.
pub fn rule_for<S: Snapshot + ?Sized>(
    rules: &BTreeMap<Target, PolicyRule>,
    view: &View<'_, S>,
    sku: &Sku,
) -> Result<Option<PolicyRule>, StoreError> {
    if rules.is_empty() {
        return Ok(None);
    }
    if let Some(rule) = rules.get(&Target::Sku(sku.clone())) {
        return Ok(Some(rule.clone()));
    }
    let by_department = |product: Product| rules.get(&Target::Department(product.department)).cloned();
    let narrow = view.product(sku)?.and_then(by_department);
    Ok(narrow.or_else(|| rules.get(&Target::All).cloned()))
}

/// What is taken for demand until some is seen: one unit in ten days.
pub(crate) const PRIOR_PER_DAY: f64 = 0.1;

/// Rights are spread anew after so long, if no link came up before.
const BALANCE_AFTER_MS: u64 = 10 * 60_000;

/// Promises older than four weeks say nothing about demand any more.
const DEMAND_MS_MAX: u64 = 28 * 86_400_000;

const LINK_PREFIX: &[u8] = b"link/";

const OUTAGE_PREFIX: &[u8] = b"outage/";

fn link_key(node: NodeId) -> Vec<u8> {
    [LINK_PREFIX, &node.0.to_be_bytes()].concat()
}

/// The newest outages of a link take the places of the oldest.
fn outage_key(node: NodeId, number: u64) -> Vec<u8> {
    [OUTAGE_PREFIX, &node.0.to_be_bytes(), &(number % OUTAGES_KEPT).to_be_bytes()].concat()
}

/// A few weeks of a bad link.
const OUTAGES_KEPT: u64 = 1_000;

const HOUR_MS: u64 = 3_600_000;

//! The books: what the facts add up to, kept up to date entry by entry.
//!
//! Everything here can be thrown away and rebuilt from the logs; a test and the simulator do so and compare. Each kind of
//! book has a file of its own.

pub mod account;
pub mod baskets;
pub mod cells;
pub mod days;
pub mod identifiers;
pub mod loyalty;
pub mod members;
pub mod notes;
pub mod orders;
pub mod plans;
pub mod programs;
pub mod returns;
pub mod rights;
pub mod sales;
pub mod scans;
pub mod shifts;
pub mod sign_ins;
pub mod tally;
pub mod transfers;

use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::Capability;
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Actor, NodeId, StoreId};
use stockroom_crdt::order::returns::{GoodsReturn, Verdict};
use stockroom_crdt::sale::Sale;
use stockroom_crdt::scope::Scope;
use stockroom_crdt::stock::Position;
use stockroom_crdt::stock::rights::Account;

use self::days::CashRefund;
use crate::journal::{Place, damaged, entry_at};
use crate::overlay::Overlay;
use crate::storage::{Snapshot, StoreError, Table};

/// Where the entry being applied stands, and who wrote it.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// Its place in this database.
    pub place: Place,
    /// Its writer.
    pub actor: Actor,
    /// Its scope.
    pub scope: &'a Scope,
    /// Positions that stand in an account's row before they are moved to a chunk of their own.
    pub inline_max: usize,
}

/// Brings the books of one store, or of nodes, up to date with one entry. Decisions (products, prices, store records) go
/// through [`cells`] before this. Gives the accounts whose rights or promises the entry is about.
pub fn apply(overlay: &mut Overlay, context: &Context<'_>, item: &Item) -> Result<Vec<Account>, StoreError> {
    if let Fact::Node(record) = &item.entry.fact {
        put_node(overlay, &record.capability);
    }
    let paid_before = cash_paid(overlay, context, &item.entry.fact)?;
    returns::apply(overlay, context, &item.entry)?;
    let paid_now = cash_paid(overlay, context, &item.entry.fact)?;
    if orders::is_about_one(&item.entry.fact) {
        orders::apply(overlay, context, &item.entry)?;
    }
    if let Fact::NoteChange(_) | Fact::NoteSnapshot(_) = &item.entry.fact {
        notes::apply(overlay, context, item)?;
        return Ok(Vec::new());
    }
    let Some(store) = context.scope.store() else { return Ok(Vec::new()) };
    if let Fact::Boot(boot) = &item.entry.fact {
        let position = Position { actor: context.actor, seq: context.place.seq };
        return programs::put(overlay, store, position, (boot, item.entry.hlc)).map(|()| Vec::new());
    }
    match context.scope {
        Scope::StoreRights(_) => return rights::apply(overlay, store, context, &item.entry),
        Scope::StoreMembers(_) => {
            members::apply(overlay, store, context, &item.entry)?;
            return loyalty::apply(overlay, store, context, &item.entry.fact).map(|()| Vec::new());
        }
        Scope::StoreOrders(_) => {
            if paid_before != paid_now {
                paid_before.map(|refund| days::pay_in(overlay, store, refund)).transpose()?;
                paid_now.map(|refund| days::pay_out(overlay, store, refund)).transpose()?;
            }
            return Ok(Vec::new());
        }
        _ => {}
    }
    match &item.entry.fact {
        Fact::Sale(sale) => return sell(overlay, store, context, (item, sale)).map(|()| Vec::new()),
        Fact::TransferAsk(_) | Fact::TransferShip(_) | Fact::TransferReceive(_) => {
            return transfer(overlay, store, context, item).map(|()| Vec::new());
        }
        Fact::GoodsReturn(returned) => {
            return take_back(overlay, store, context, (item, returned)).map(|()| Vec::new());
        }
        Fact::Basket(_) | Fact::BasketStep(_) | Fact::Checkout(_) | Fact::TenderStep(_) => {
            return baskets::apply(overlay, store, context, item).map(|()| Vec::new());
        }
        Fact::CountOpen(open) => scans::open(overlay, store, open, item.entry.hlc)?,
        Fact::CountScan(scan) => scans::put(overlay, store, scan, context, item.entry.hlc)?,
        Fact::CountClose(close) => scans::close(overlay, store, close.session)?,
        Fact::DayOpen(open) => days::open(overlay, store, open, item.entry.hlc.ms())?,
        Fact::DayClose(close) => days::close(overlay, store, close, item.entry.hlc.ms())?,
        Fact::ShiftOpen(_) | Fact::CashMove(_) | Fact::ShiftClose(_) => shifts::put(overlay, store, context, item),
        Fact::EpochOpen(_)
        | Fact::Boot(_)
        | Fact::Node(_)
        | Fact::Fence(_)
        | Fact::Store(_)
        | Fact::Fork(_)
        | Fact::Product(_)
        | Fact::Recall(_)
        | Fact::Price(_)
        | Fact::Template(_)
        | Fact::GoodsReceipt(_)
        | Fact::Adjustment(_)
        | Fact::GoodsIssue(_)
        | Fact::PolicyRule(_)
        | Fact::Rights(_)
        | Fact::Promise(_)
        | Fact::PromiseStep(_)
        | Fact::Want(_)
        | Fact::Hint(_)
        | Fact::Shortage(_)
        | Fact::Compensation(_)
        | Fact::Retire(_)
        | Fact::Consent(_)
        | Fact::Decision(_)
        | Fact::Order(_)
        | Fact::Offer(_)
        | Fact::FulfillmentStep(_)
        | Fact::OrderStep(_)
        | Fact::Payment(_)
        | Fact::Redress(_)
        | Fact::PassShown(_)
        | Fact::Routing(_)
        | Fact::Service(_)
        | Fact::OrderLimits(_)
        | Fact::ReturnGrant(_)
        | Fact::TaxRate(_)
        | Fact::TillRules(_)
        | Fact::Promotion(_)
        | Fact::SaleHours(_)
        | Fact::Staff(_)
        | Fact::LabelDone(_)
        | Fact::Loyalty(_)
        | Fact::PointsRow(_)
        | Fact::Campaign(_)
        | Fact::Coupon(_)
        | Fact::Redemption(_)
        | Fact::Quota(_)
        | Fact::SalePoints(_)
        | Fact::Member(_)
        | Fact::MemberValue(_)
        | Fact::MemberLink(_)
        | Fact::MemberUnlink(_)
        | Fact::MemberConsent(_)
        | Fact::MemberErase(_)
        | Fact::NoteChange(_)
        | Fact::NoteSnapshot(_)
        | Fact::Opaque(_) => {}
    }
    account::apply(overlay, store, context, &item.entry)?;
    Ok(Vec::new())
}

/// A sale counts once, however many entries hold it.
fn sell(
    overlay: &mut Overlay,
    store: StoreId,
    context: &Context<'_>,
    (item, sale): (&Item, &Sale),
) -> Result<(), StoreError> {
    let position = Position { actor: context.actor, seq: context.place.seq };
    let writing = sales::Writing { position, digest: item.digest(), place: context.place };
    let Some(again) = sales::put(overlay, store, sale, writing)? else {
        days::post(overlay, store, sale)?;
        return account::apply(overlay, store, context, &item.entry);
    };
    if again.after[0] == writing {
        let other = entry_at(overlay, again.before[0].place)?.map(|item| item.entry.fact);
        let Some(Fact::Sale(other)) = other else { return Err(damaged("a sale's other entry is missing")) };
        days::take_back(overlay, store, &other)?;
        days::post(overlay, store, sale)?;
    }
    account::repeat(overlay, store, context, &again)
}

/// A part of a transfer counts once, however many entries hold it.
fn transfer(overlay: &mut Overlay, store: StoreId, context: &Context<'_>, item: &Item) -> Result<(), StoreError> {
    let position = Position { actor: context.actor, seq: context.place.seq };
    let writing = sales::Writing { position, digest: item.digest(), place: context.place };
    match transfers::put(overlay, store, &item.entry.fact, writing)? {
        Some(again) => account::repeat(overlay, store, context, &again),
        None => account::apply(overlay, store, context, &item.entry),
    }
}

/// A return has its effect once, however many entries hold it.
fn take_back(
    overlay: &mut Overlay,
    store: StoreId,
    context: &Context<'_>,
    (item, returned): (&Item, &GoodsReturn),
) -> Result<(), StoreError> {
    let position = Position { actor: context.actor, seq: context.place.seq };
    let writing = sales::Writing { position, digest: item.digest(), place: context.place };
    let refund = CashRefund::of_return(returned);
    let Some(again) = returns::put(overlay, store, returned, writing)? else {
        refund.map(|refund| days::pay_out(overlay, store, refund)).transpose()?;
        return account::apply(overlay, store, context, &item.entry);
    };
    if again.after[0] == writing {
        let other = entry_at(overlay, again.before[0].place)?.map(|item| item.entry.fact);
        let Some(Fact::GoodsReturn(other)) = other else { return Err(damaged("a return's other entry is missing")) };
        CashRefund::of_return(&other).map(|refund| days::pay_in(overlay, store, refund)).transpose()?;
        refund.map(|refund| days::pay_out(overlay, store, refund)).transpose()?;
    }
    account::repeat(overlay, store, context, &again)
}

/// What this store paid later, in cash, for the return that an entry is about: the first word of it counts, whichever came first.
fn cash_paid(overlay: &Overlay, context: &Context<'_>, fact: &Fact) -> Result<Option<CashRefund>, StoreError> {
    let Fact::ReturnGrant(said) = fact else { return Ok(None) };
    // A hub's copy for the seller is no second payment.
    let is_own = matches!(context.scope, Scope::StoreOrders(store) if *store == said.id.store);
    if !is_own || said.verdict != Verdict::PaidCash {
        return Ok(None);
    }
    let told = returns::told_at(overlay, said.id.store, said.id)?;
    Ok(told.first(Verdict::PaidCash).and_then(CashRefund::of_grant))
}

/// Tables that [`clear`] empties and a rebuild fills again.
pub const STORE_TABLES: [Table; 22] = [
    Table::Accounts,
    Table::Moves,
    Table::Sales,
    Table::Receipts,
    Table::Days,
    Table::Scans,
    Table::Rights,
    Table::Promises,
    Table::OpenPromises,
    Table::Owed,
    Table::Transfers,
    Table::OrderEvents,
    Table::OpenOrders,
    Table::OrderTimes,
    Table::Returns,
    Table::Baskets,
    Table::Shifts,
    Table::Points,
    Table::Coupons,
    Table::Members,
    Table::Notes,
    Table::Programs,
];

/// Empties the books of one store.
pub fn clear(overlay: &mut Overlay, store: StoreId) -> Result<(), StoreError> {
    for table in STORE_TABLES {
        for (key, _) in overlay.scan_prefix(table, &store.0.to_be_bytes(), usize::MAX)? {
            overlay.remove(table, key);
        }
    }
    Ok(())
}

/// Remembers a node's keys. The capability was verified.
pub fn put_node(overlay: &mut Overlay, capability: &Capability) {
    let value = Rows::of(|sink| capability.encode(sink));
    overlay.put(Table::Nodes, capability.node.0.to_be_bytes(), value);
}

/// A node's capability, if it was ever seen.
pub fn node(snapshot: &(impl Snapshot + ?Sized), node: NodeId) -> Result<Option<Capability>, StoreError> {
    let Some(value) = snapshot.get(Table::Nodes, &node.0.to_be_bytes())? else { return Ok(None) };
    Capability::decode(&mut RowReader::new(&value)).map(Some).map_err(damaged)
}

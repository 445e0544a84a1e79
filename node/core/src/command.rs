//! Commands: what people and tills ask for, checked and turned into facts. One file per subject.
//!
//! A command reads the books as its predecessors in the batch left them. It either writes all of its facts or none: every
//! check comes before the first write.

pub mod admin;
pub mod baskets;
pub mod benefits;
pub mod catalog;
pub mod checkout;
pub mod count;
pub mod coupons;
mod cover;
pub mod day;
pub mod drawer;
pub mod exchange;
pub mod fulfil;
pub mod goods;
pub mod home;
pub mod label;
pub mod loyalty;
pub mod members;
pub mod notes;
pub mod order;
pub mod policy;
pub mod promise;
mod receipt;
pub mod returns;
pub mod rules;
pub mod sell;
pub mod staff;
pub mod tenders;
pub mod transfer;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{RowReader, Rows, Sink, Source, col};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::limits::QUANTITY_MAX;
use stockroom_crdt::money::Unit;

use crate::books::sales;
use crate::input::{Answer, Command, CoreError, DiskSpace, Refusal, RetryKey};
use crate::journal::{Place, damaged};
use crate::limits::RETRY_KEY_DAYS;
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use crate::view::View;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failed {
    /// The request's fault; nothing was written.
    Refused(Refusal),
    /// Ours.
    Core(CoreError),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<CoreError> for Failed {
    fn from(error: CoreError) -> Self {
        Self::Core(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Core(error.into())
    }
}

/// Carries a command out.
pub fn run(replica: &mut Replica, command: Command) -> Result<Answer, Failed> {
    if replica.disk != DiskSpace::Ample && !is_allowed_at(&command, replica.disk) {
        return Err(Refusal::DiskFull.into());
    }
    match command {
        Command::Sell(request) => sell::sell(replica, request),
        Command::Void(request) => sell::void(replica, request),
        Command::Receive(retry, receipt) => once(replica, retry, |replica| goods::receive(replica, receipt)),
        Command::Adjust(retry, adjustment) => once(replica, retry, |replica| goods::adjust(replica, adjustment)),
        Command::CountScan(retry, scan) => once(replica, retry, |replica| count::scan(replica, scan)),
        Command::CountClose { retry, session, staff, doubtful, uncounted } => {
            once(replica, retry, |replica| count::close(replica, session, staff, (doubtful, uncounted)))
        }
        Command::CountOpen(retry, open) => once(replica, retry, |replica| count::open(replica, open)),
        Command::Decide(retry, decision) => once(replica, retry, |replica| goods::decide(replica, decision)),
        Command::AskTransfer(retry, request) => {
            once(replica, retry, |replica| transfer::ask(replica, request, retry.key))
        }
        Command::ShipTransfer(retry, request) => {
            once(replica, retry, |replica| transfer::ship(replica, request, retry.key))
        }
        Command::ReceiveTransfer(retry, request) => once(replica, retry, |replica| transfer::receive(replica, request)),
        Command::DayOpen(retry, staff) => once(replica, retry, |replica| day::open(replica, staff)),
        Command::DayClose(retry, staff) => once(replica, retry, |replica| day::close(replica, staff)),
        Command::Products(retry, products) => many(replica, retry, |replica| catalog::products(replica, products)),
        Command::Prices(retry, prices) => many(replica, retry, |replica| catalog::prices(replica, prices)),
        Command::Recall(retry, recall) => once(replica, retry, |replica| catalog::recall(replica, recall)),
        Command::Template(retry, template) => once(replica, retry, |replica| catalog::template(replica, template)),
        Command::Reserve(retry, request) => promise::reserve(replica, retry, request),
        Command::Step(retry, request) => once(replica, retry, |replica| promise::step(replica, request)),
        Command::PlaceOrder(retry, request) => order::place(replica, retry, *request),
        Command::SayOrder(retry, request) => once(replica, retry, |replica| order::say(replica, request)),
        Command::IssuePass(_, request) => order::pass(replica, request),
        Command::ShowPass(_, bytes) => {
            let (_, shown) = fulfil::show(replica, &bytes)?;
            let pass = shown.pass;
            Ok(Answer::PassShown { order: pass.order, generation: pass.generation, delegate: pass.delegate })
        }
        Command::Fulfil(retry, request) => {
            if let Some((place, _)) = earlier(replica, retry)? {
                replica.reached("a retry was answered from an earlier write");
                // A wrong code counts once, however often the same try is sent.
                let wrong = fulfil::wrong_code(replica, place)?;
                return Ok(wrong.unwrap_or(Answer::Written { place, replayed: true }));
            }
            let (place, answer) = fulfil::fulfil(replica, *request)?;
            remember(replica, retry, place, 1);
            Ok(answer.unwrap_or(Answer::Written { place, replayed: false }))
        }
        Command::ReadContact(order) => order::contact(replica, order),
        Command::Pay(retry, request) => once(replica, retry, |replica| order::pay(replica, request)),
        Command::ReturnGoods(retry, request) => once(replica, retry, |replica| returns::take(replica, retry, *request)),
        Command::Exchange(retry, request) => exchange::exchange(replica, retry, *request),
        Command::PayReturn(retry, request) => once(replica, retry, |replica| returns::pay(replica, request)),
        Command::SignReceipt(number) => returns::sign(replica, number),
        Command::Redress(retry, request) => once(replica, retry, |replica| order::redress(replica, request)),
        Command::Routing(retry, rules) => once(replica, retry, |replica| rules::routing(replica, *rules)),
        Command::Service(retry, service) => once(replica, retry, |replica| rules::service(replica, *service)),
        Command::OrderLimits(retry, limits) => once(replica, retry, |replica| rules::limits(replica, *limits)),
        Command::PolicyRule(retry, rule) => once(replica, retry, |replica| policy::rule(replica, rule)),
        Command::Consent(retry, consent) => once(replica, retry, |replica| policy::consent(replica, consent)),
        Command::Drawer(retry, request) => drawer::drawer(replica, retry, request),
        Command::Labels(retry, request) => many(replica, retry, |replica| label::done(replica, request)),
        Command::Retire(retry, request) => once(replica, retry, |replica| policy::retire(replica, request)),
        Command::Promote(retry, request) => once(replica, retry, |replica| home::promote(replica, request)),
        Command::IssueToken(request) => admin::issue_token(replica, request),
        Command::Enrol(request) => admin::enrol(replica, request),
        Command::Fence { node, reason } => admin::fence(replica, node, reason),
        Command::NewEpoch(reason) => {
            replica.open_epoch(replica.epoch.0, reason)?;
            Ok(Answer::Done)
        }
        Command::Checkout(request) => checkout::checkout(replica, *request),
        Command::Basket(retry, request) => baskets::basket(replica, retry, *request),
        Command::TerminalSaid(said) => tenders::terminal_said(replica, said),
        Command::TaxRates(retry, rates) => many(replica, retry, |replica| catalog::tax_rates(replica, rates)),
        Command::Promotions(retry, promotions) => {
            many(replica, retry, |replica| catalog::promotions(replica, promotions))
        }
        Command::TillRules(retry, rules) => once(replica, retry, |replica| rules::tills(replica, *rules)),
        Command::SaleHours(retry, hours) => once(replica, retry, |replica| rules::sale_hours(replica, *hours)),
        Command::Staff(retry, record) => once(replica, retry, |replica| staff::staff(replica, record)),
        Command::EnrolMember(retry, request) => members::enrol(replica, retry, *request),
        Command::Member(retry, request) => members::say(replica, retry, *request),
        Command::FindMember(sought) => members::find(replica, sought),
        Command::SignIn(request) => staff::sign_in(replica, &request),
        Command::Loyalty(retry, rules) => once(replica, retry, |replica| loyalty::rules(replica, *rules)),
        Command::Campaigns(retry, campaigns) => many(replica, retry, |replica| loyalty::campaigns(replica, campaigns)),
        Command::IssueCoupons(retry, request) => many(replica, retry, |replica| loyalty::issue(replica, &request)),
        Command::Coupon(retry, request) => once(replica, retry, |replica| loyalty::coupon(replica, &request)),
        Command::Points(retry, request) => once(replica, retry, |replica| loyalty::points(replica, request)),
        Command::Note(retry, request) => once(replica, retry, |replica| notes::edit(replica, &request)),
    }
}

/// Sheds load in the order imports, catalogue, then everything but sales.
fn is_allowed_at(command: &Command, space: DiskSpace) -> bool {
    match command {
        Command::Sell(_)
        | Command::Void(_)
        | Command::DayOpen(..)
        | Command::DayClose(..)
        | Command::Drawer(..)
        | Command::Step(..)
        | Command::ShowPass(..)
        | Command::ReadContact(..)
        | Command::Fulfil(..)
        | Command::ReturnGoods(..)
        | Command::Exchange(..)
        | Command::SignReceipt(_)
        | Command::SignIn(_)
        | Command::FindMember(_)
        | Command::Checkout(_)
        | Command::Basket(..)
        | Command::TerminalSaid(_)
        | Command::Promote(..)
        | Command::Fence { .. } => true,
        Command::Products(..)
        | Command::Prices(..)
        | Command::Template(..)
        | Command::TaxRates(..)
        | Command::Promotions(..)
        | Command::Campaigns(..)
        | Command::IssueCoupons(..) => space == DiskSpace::Ample,
        Command::Receive(..)
        | Command::Adjust(..)
        | Command::CountScan(..)
        | Command::CountClose { .. }
        | Command::CountOpen(..)
        | Command::Decide(..)
        | Command::AskTransfer(..)
        | Command::ShipTransfer(..)
        | Command::ReceiveTransfer(..)
        | Command::Recall(..)
        | Command::Reserve(..)
        | Command::PlaceOrder(..)
        | Command::SayOrder(..)
        | Command::IssuePass(..)
        | Command::Pay(..)
        | Command::Redress(..)
        | Command::PayReturn(..)
        | Command::Routing(..)
        | Command::Service(..)
        | Command::OrderLimits(..)
        | Command::TillRules(..)
        | Command::SaleHours(..)
        | Command::PolicyRule(..)
        | Command::Consent(..)
        | Command::Labels(..)
        | Command::Retire(..)
        | Command::IssueToken(_)
        | Command::Enrol(_)
        | Command::NewEpoch(_)
        | Command::Loyalty(..)
        | Command::Coupon(..)
        | Command::Points(..)
        | Command::EnrolMember(..)
        | Command::Member(..)
        | Command::Staff(..)
        | Command::Note(..) => space < DiskSpace::Critical,
    }
}

/// Does something once per retry key: a second try with the same body gets the first try's answer.
fn once(
    replica: &mut Replica,
    retry: RetryKey,
    act: impl FnOnce(&mut Replica) -> Result<Place, Failed>,
) -> Result<Answer, Failed> {
    if let Some((place, _)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        return Ok(Answer::Written { place, replayed: true });
    }
    let place = act(replica)?;
    remember(replica, retry, place, 1);
    Ok(Answer::Written { place, replayed: false })
}

/// [`once`] for a list.
fn many(
    replica: &mut Replica,
    retry: RetryKey,
    act: impl FnOnce(&mut Replica) -> Result<usize, Failed>,
) -> Result<Answer, Failed> {
    if let Some((_, count)) = earlier(replica, retry)? {
        replica.reached("a retry was answered from an earlier write");
        return Ok(Answer::Imported { count });
    }
    let count = act(replica)?;
    remember(replica, retry, Place { log: crate::journal::LogNumber(0), seq: 0 }, count);
    Ok(Answer::Imported { count })
}

fn earlier(replica: &Replica, retry: RetryKey) -> Result<Option<(Place, usize)>, Failed> {
    let Some(value) = replica.overlay.get(Table::Keys, &retry.key.0)? else { return Ok(None) };
    let (body, rest) = value.split_at_checked(32).ok_or_else(|| damaged("retry key"))?;
    if body != retry.body.0 {
        return Err(Refusal::RetryMismatch.into());
    }
    let mut reader = RowReader::new(rest);
    let time = reader.uint(col::TIME).map_err(damaged)?;
    let count = reader.uint(col::COUNT).map_err(damaged)? as usize;
    let place = sales::decode(reader.rest())?;
    let fresh = replica.now.wall_ms.saturating_sub(time) <= RETRY_KEY_DAYS * 86_400_000;
    Ok(fresh.then_some((place, count)))
}

fn remember(replica: &mut Replica, retry: RetryKey, place: Place, count: usize) {
    let mut value = retry.body.0.to_vec();
    value.extend(Rows::of(|sink| {
        sink.uint(col::TIME, replica.now.wall_ms);
        sink.uint(col::COUNT, count as u64);
        sink.uint(col::KEY, u64::from(place.log.0));
        sink.uint(col::SEQ, place.seq);
    }));
    replica.overlay.put(Table::Keys, retry.key.0, value);
}

/// Refuses a fact that could not be read back: too large, or with a value that its decoder does not take. Whatever a shell
/// lets through, a node never writes what it cannot read.
fn check_fact(fact: &Fact, field: &str) -> Result<(), Refusal> {
    let bytes = Entry { hlc: Hlc::new((1 << 48) - 1, u16::MAX), fact: fact.clone() }.to_bytes();
    Entry::from_bytes(&bytes).map(|_| ()).map_err(|error| Refusal::invalid(field, error))
}

/// This node's store, or a refusal that says where to go.
fn own_store(replica: &Replica) -> Result<StoreId, Refusal> {
    let message = "this node is a hub and holds no goods: ask the store's node";
    replica.own_store().ok_or_else(|| Refusal::NotHere(message.into()))
}

/// Succeeds at a hub.
fn at_hub(replica: &Replica) -> Result<(), Refusal> {
    match replica.own_store() {
        None => Ok(()),
        Some(_) => Err(Refusal::NotHere("products, prices and nodes are kept at the hub: ask the hub's node".into())),
    }
}

/// A quantity of goods that must be known: within bounds, at least `min`, in the product's unit.
fn check_quantity(field: &str, quantity: i64, min: i64) -> Result<(), Refusal> {
    if (min..=QUANTITY_MAX).contains(&quantity) {
        Ok(())
    } else {
        Err(Refusal::invalid(field, format!("{quantity} is not between {min} and {QUANTITY_MAX}")))
    }
}

/// The product behind a line that must not name an unknown one, in its own unit.
fn check_known(replica: &Replica, field: &str, sku: &stockroom_crdt::ids::Sku, unit: Unit) -> Result<(), Failed> {
    let view = View::new(&replica.overlay);
    let Some(product) = view.product(sku)? else {
        return Err(Refusal::Unknown { field: format!("{field}.sku"), what: "product" }.into());
    };
    if product.unit != unit {
        let message = format!("{sku} is counted in {}, not in {}", product.unit.as_str(), unit.as_str());
        return Err(Refusal::invalid(format!("{field}.unit"), message).into());
    }
    Ok(())
}

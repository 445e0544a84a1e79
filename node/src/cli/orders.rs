//! Commands about orders as the channel and head office give them, at the order's home. What a store does stands in [`work`].

mod work;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::ask::{Line, escaped, money, parse_line, rows, word};
use super::promise::{Place, fresh_key, parse_place};
use super::{Failure, table};
use crate::client::{Client, Target};

/// What `orders` does.
#[derive(Subcommand, Debug)]
pub enum OrdersCommand {
    /// Place an order (at a hub); prints its number and the pickup code. Exits with 1 when nothing could be promised
    Place(Box<PlaceArgs>),
    /// List orders: the open ones, the first due first
    List(ListArgs),
    /// Show an order: lines, parts, reasons, what is owed
    Show(OneArgs),
    /// Show an order as its customer may see it
    Track(OneArgs),
    /// Ask to cancel an order; whoever holds the goods decides
    Cancel(SayArgs),
    /// Say what the customer wants instead: another store, or cancel, partial, substitute, wait, delivery
    Choose(ChooseArgs),
    /// Let an order wait
    Hold(SayArgs),
    /// Let it go on
    Resume(SayArgs),
    /// Say that the customer is at the store; the note says where
    Arrived(SayArgs),
    /// Pay back before the store has confirmed; the note names who bears it if the goods were handed over
    RiskRefund(SayArgs),
    /// Give up what no store has
    GiveUp(SayArgs),
    /// Take what the payment gateway says, in sums over the order's life
    Pay(PayArgs),
    /// Say that a compensation was given, or could not be
    Compensate(CompensateArgs),
    /// Give a customer's phone a pass
    Pass(PassArgs),
    #[command(flatten)]
    Work(work::WorkCommand),
}

/// Arguments of `orders place`.
#[derive(Args, Debug)]
pub struct PlaceArgs {
    /// What: SKU[:QUANTITY[@UNIT_PRICE]], pieces or grams, prices in minor units, e.g. milk-1l:2@129
    #[arg(required = true, value_name = "SKU[:QTY[@PRICE]]", value_parser = parse_line)]
    lines: Vec<Line>,
    /// Where the customer collects it; may be given several times, the best first
    #[arg(long = "store", value_name = "ID")]
    stores: Vec<u32>,
    /// To be delivered, not collected
    #[arg(long)]
    delivery: bool,
    /// Where it is delivered to, or where the customer is
    #[arg(long, value_name = "LAT,LON", value_parser = parse_place, allow_hyphen_values = true)]
    place: Option<Place>,
    /// What to call the customer; sealed, in no log
    #[arg(long)]
    name: Option<String>,
    /// The customer's phone; sealed, found again by its last four digits
    #[arg(long)]
    phone: Option<String>,
    /// The customer's address; sealed
    #[arg(long)]
    address: Option<String>,
    /// Where it was placed
    #[arg(long, default_value = "cli")]
    source: String,
    /// Its number there
    #[arg(long, value_name = "NUMBER")]
    reference: Option<String>,
    /// When it is to be ready, or there; e.g. 2025-12-31T18:00:00Z [default: as the time limits say]
    #[arg(long, value_name = "TIME")]
    due: Option<String>,
    /// Currency of the amounts [default: the first store's]
    #[arg(long)]
    currency: Option<String>,
    /// What was captured already, minor units
    #[arg(long, value_name = "AMOUNT", default_value_t = 0)]
    captured: i64,
    /// What the customer wants when goods are not there
    #[arg(long, default_value = "ask")]
    preference: Preference,
    /// A part is better than nothing
    #[arg(long)]
    partial: bool,
    /// How long to wait for rights from elsewhere, at most 5s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::node::parse_span)]
    wait: std::time::Duration,
    #[command(flatten)]
    ask: AskArgs,
}

/// What the customer wants when goods are not there.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Preference {
    /// To be asked
    Ask,
    /// Something similar that does not cost more
    Substitute,
    /// What is there, and the money back for the rest
    Partial,
    /// The whole line or nothing of it
    Whole,
}

/// Whom to ask, and how to print it.
#[derive(Args, Clone, Debug)]
pub struct AskArgs {
    /// Print the node's own JSON instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `orders list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// All orders, not only the open ones
    #[arg(long)]
    all: bool,
    /// Only in this state, e.g. waiting, ready, completed
    #[arg(long)]
    state: Option<String>,
    /// Only those of which this store has a part
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Only those with this number where they were placed
    #[arg(long, value_name = "NUMBER")]
    reference: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of commands that need an order only.
#[derive(Args, Debug)]
pub struct OneArgs {
    /// The order's number, e.g. 1-0123456789
    order: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of commands that say something of an order.
#[derive(Args, Debug)]
pub struct SayArgs {
    /// The order's number
    order: String,
    /// Why, or where
    #[arg(long)]
    note: Option<String>,
    /// Only this line, from 1, and so many units of it; may be given several times
    #[arg(long = "line", value_name = "LINE:UNITS", value_parser = parse_units)]
    lines: Vec<(u16, i64)>,
    /// By whom [default: customer]
    #[arg(long)]
    by: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders choose`.
#[derive(Args, Debug)]
pub struct ChooseArgs {
    /// The order's number
    order: String,
    /// cancel, partial, substitute, wait or delivery; or name a store
    #[arg(required_unless_present = "store", conflicts_with = "store")]
    choice: Option<String>,
    /// Another store
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders pay`.
#[derive(Args, Debug)]
pub struct PayArgs {
    /// The order's number
    order: String,
    /// What may be captured at most, minor units
    #[arg(long, value_name = "AMOUNT")]
    authorised: i64,
    /// What was captured
    #[arg(long, value_name = "AMOUNT")]
    captured: i64,
    /// What was refunded
    #[arg(long, value_name = "AMOUNT", default_value_t = 0)]
    refunded: i64,
    /// The gateway's number
    #[arg(long, value_name = "NUMBER")]
    reference: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders compensate`.
#[derive(Args, Debug)]
pub struct CompensateArgs {
    /// The order's number
    order: String,
    /// The compensation's id, as `orders show` prints it
    id: String,
    /// It could not be given
    #[arg(long)]
    failed: bool,
    /// The gateway's number, or why it could not be given
    #[arg(long)]
    reference: Option<String>,
    /// Who did it
    #[arg(long)]
    staff: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders pass`.
#[derive(Args, Debug)]
pub struct PassArgs {
    /// The order's number
    order: String,
    /// At this store, if parts of the order are at several
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Whom the customer sends, in a word
    #[arg(long)]
    delegate: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// `orders`.
pub fn orders(command: &OrdersCommand) -> Result<(), Failure> {
    match command {
        OrdersCommand::Place(args) => place(args),
        OrdersCommand::List(args) => list(args),
        OrdersCommand::Show(args) => show(args),
        OrdersCommand::Track(args) => track(args),
        OrdersCommand::Cancel(args) => say(args, "cancel"),
        OrdersCommand::Choose(args) => choose(args),
        OrdersCommand::Hold(args) => say(args, "hold"),
        OrdersCommand::Resume(args) => say(args, "resume"),
        OrdersCommand::Arrived(args) => say(args, "arrived"),
        OrdersCommand::RiskRefund(args) => say(args, "risk-refund"),
        OrdersCommand::GiveUp(args) => say(args, "give-up"),
        OrdersCommand::Pay(args) => pay(args),
        OrdersCommand::Compensate(args) => compensate(args),
        OrdersCommand::Pass(args) => pass(args),
        OrdersCommand::Work(command) => work::work(command),
    }
}

impl AskArgs {
    fn client(&self) -> Client {
        Client::new(&self.target)
    }

    /// Prints the answer as the node gave it, if that was asked for.
    fn printed(&self, answer: &Value) -> Result<bool, Failure> {
        if self.json {
            out!("{}", serde_json::to_string_pretty(answer)?);
        }
        Ok(self.json)
    }
}

fn place(args: &PlaceArgs) -> Result<(), Failure> {
    let preference = args.preference.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let lines: Vec<Value> = args
        .lines
        .iter()
        .map(|line| {
            let mut line = line.json();
            line["preference"] = json!(preference);
            line
        })
        .collect();
    let mut body = json!({
        "channel": if args.delivery { "delivery" } else { "pickup" },
        "source": args.source,
        "reference": args.reference.as_deref().unwrap_or(""),
        "stores": args.stores,
        "partial": args.partial,
        "payment": { "captured": args.captured },
        "lines": lines,
        "wait_ms": u64::try_from(args.wait.as_millis()).unwrap_or(u64::MAX),
    });
    if [&args.name, &args.phone, &args.address].iter().any(|text| text.is_some()) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        body["contact"] =
            json!({ "name": text(&args.name), "phone": text(&args.phone), "address": text(&args.address) });
    }
    if let Some(place) = args.place {
        body["place"] = place.json();
    }
    for (field, text) in [("due", &args.due), ("currency", &args.currency)] {
        if let Some(text) = text {
            body[field] = json!(text);
        }
    }
    let answer = args.ask.client().write("/v1/orders", Some(&fresh_key()?), &body)?;
    let is_placed = answer["outcome"] == "placed";
    if !args.ask.printed(&answer)? {
        let seen = rows(&answer["plan"]["candidates"]).map(|seen| {
            let way = seen["distance_km"].as_f64().map_or_else(|| "-".into(), |km| format!("{km:.1} km"));
            [word(&seen["store"]), word(&seen["verdict"]), way, word(&seen["why"])]
        });
        table::print(["store", "", "distance", "why"], seen);
        if is_placed {
            let (order, code) = (word(&answer["order"]), word(&answer["code"]));
            out!("Order {order} stands; the customer's code is {code}.");
        }
    }
    if is_placed { Ok(()) } else { Err(format!("the order is not placed: {}", word(&answer["why"])).into()) }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    let mut query = format!("?open={}&limit=1000", !args.all);
    let store = args.store.map(|store| store.to_string());
    for (name, value) in [("state", &args.state), ("store", &store), ("reference", &args.reference)] {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", escaped(value)));
        }
    }
    let answer = client.read(&format!("/v1/orders{query}"))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let lines = rows(&answer["items"]).map(|order| {
        let of = |name: &str| word(&order[name]);
        let stores: Vec<_> = rows(&order["stores"]).map(word).collect();
        let refund = if order["refund_due"] == 0 { String::new() } else { money(&order["refund_due"]) };
        let state = format!("{}{}", of("state"), if order["stability"] == "stable" { "" } else { " (tentative)" });
        [
            of("order"),
            state,
            of("channel"),
            stores.join(","),
            span(&order["due_in_s"]),
            money(&order["total"]),
            refund,
            of("reference"),
        ]
    });
    table::print(["order", "state", "channel", "stores", "due", "total", "refund due", "reference"], lines);
    if answer["next"].is_string() {
        out!("There are more: ask for a store or a state.");
    }
    Ok(())
}

fn show(args: &OneArgs) -> Result<(), Failure> {
    let answer = args.ask.client().read(&format!("/v1/orders/{}", escaped(&args.order)))?;
    if !args.ask.printed(&answer)? {
        print_order(&answer);
    }
    Ok(())
}

/// An order in tables.
fn print_order(order: &Value) {
    let of = |name: &str| word(&order[name]);
    out!("Order {} ({}): {}, {}", of("order"), of("channel"), of("state"), of("stability"));
    if order["hold"].is_string() {
        out!("On hold: {}", of("hold"));
    }
    out!(
        "Placed {}, due {}, {} {} of {}",
        of("placed_at"),
        of("due"),
        of("currency"),
        money(&order["charge"]),
        money(&order["total"])
    );
    let lines = rows(&order["lines"]).map(|line| {
        let of = |name: &str| word(&line[name]);
        [of("line"), of("sku"), of("name"), of("ordered"), of("open"), of("handed"), of("cancelled"), of("failed")]
    });
    table::print(["line", "sku", "name", "ordered", "open", "handed", "cancelled", "failed"], lines);
    let parts = rows(&order["fulfillments"]).map(|part| {
        let of = |name: &str| word(&part[name]);
        [of("store"), of("generation"), of("state"), of("bay"), of("offered_at"), of("ready_at"), of("handed_at")]
    });
    table::print(["store", "offer", "state", "bay", "offered", "ready", "handed over"], parts);
    rows(&order["reasons"]).for_each(|reason| out!("- {}", word(&reason["why"])));
    rows(&order["compensations"]).for_each(|due| {
        let bearer = due["bearer"].as_str().map_or(String::new(), |bearer| format!(", borne by {bearer}"));
        let (kind, state, rule) = (word(&due["kind"]), word(&due["state"]), word(&due["rule"]));
        out!(
            "{kind} {} {state} ({rule}, line {}{bearer}): {}",
            money(&due["amount"]),
            word(&due["line"]),
            word(&due["id"])
        );
    });
    if order["payment"].is_object() {
        let paid = |name: &str| money(&order["payment"][name]);
        out!("Authorised {}, captured {}, refunded {}", paid("authorised"), paid("captured"), paid("refunded"));
    }
    rows(&order["settlements"]).for_each(|line| {
        let (seller, fulfiller) = (word(&line["seller"]), word(&line["fulfiller"]));
        out!("{seller} owes {fulfiller} {} for store {}", money(&line["amount"]), word(&line["store"]));
    });
}

fn track(args: &OneArgs) -> Result<(), Failure> {
    let answer = args.ask.client().read(&format!("/v1/orders/{}/tracking", escaped(&args.order)))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let of = |name: &str| word(&answer[name]);
    out!("{}: {} ({}), expected {}", of("order"), of("words"), of("state"), of("eta"));
    let parts = rows(&answer["parts"]).map(|part| {
        let of = |name: &str| word(&part[name]);
        [of("store_name"), of("state"), of("ready_at"), of("hold_until"), of("left_at"), of("handed_at")]
    });
    table::print(["store", "state", "ready", "kept until", "left", "handed over"], parts);
    Ok(())
}

fn say(args: &SayArgs, action: &str) -> Result<(), Failure> {
    let lines: Vec<Value> = args.lines.iter().map(|(line, units)| json!({ "line": line, "quantity": units })).collect();
    let mut body = json!({ "note": args.note.as_deref().unwrap_or(""), "lines": lines });
    if let Some(by) = &args.by {
        body["by"] = json!(by);
    }
    said(&args.ask, (&args.order, action), &body)
}

fn choose(args: &ChooseArgs) -> Result<(), Failure> {
    let stores: Vec<u32> = args.store.into_iter().collect();
    let body = json!({ "note": args.choice.as_deref().unwrap_or(""), "stores": stores });
    said(&args.ask, (&args.order, "choice"), &body)
}

fn said(ask: &AskArgs, (order, action): (&str, &str), body: &Value) -> Result<(), Failure> {
    let path = format!("/v1/orders/{}/{action}", escaped(order));
    let answer = ask.client().write(&path, Some(&fresh_key()?), body)?;
    if !ask.printed(&answer)? {
        out!("{order}: {} is said; {}.", action.replace('-', " "), word(&answer["why"]));
    }
    Ok(())
}

fn pay(args: &PayArgs) -> Result<(), Failure> {
    let body = json!({
        "authorised": args.authorised, "captured": args.captured, "refunded": args.refunded,
        "reference": args.reference.as_deref().unwrap_or(""),
    });
    whole(&args.ask, &format!("/v1/orders/{}/payments", escaped(&args.order)), &body)
}

fn compensate(args: &CompensateArgs) -> Result<(), Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let body = json!({ "done": !args.failed, "reference": text(&args.reference), "staff": text(&args.staff) });
    let path = format!("/v1/orders/{}/compensations/{}", escaped(&args.order), escaped(&args.id));
    whole(&args.ask, &path, &body)
}

/// A write that answers the whole order.
fn whole(ask: &AskArgs, path: &str, body: &Value) -> Result<(), Failure> {
    let answer = ask.client().write(path, Some(&fresh_key()?), body)?;
    if !ask.printed(&answer)? {
        print_order(&answer);
    }
    Ok(())
}

fn pass(args: &PassArgs) -> Result<(), Failure> {
    let mut body = json!({ "delegate": args.delegate.as_deref().unwrap_or("") });
    if let Some(store) = args.store {
        body["store"] = json!(store);
    }
    let path = format!("/v1/orders/{}/pass", escaped(&args.order));
    let answer = args.ask.client().write(&path, Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        out!("{}", word(&answer["pass"]));
        eprintln!("For store {}, good until {}.", word(&answer["store"]), word(&answer["until"]));
    }
    Ok(())
}

/// Reads `LINE:UNITS`.
fn parse_units(text: &str) -> Result<(u16, i64), String> {
    let parts = text.split_once(':').and_then(|(line, units)| Some((line.parse().ok()?, units.parse().ok()?)));
    parts.ok_or_else(|| "is not LINE:UNITS, e.g. 2:1".into())
}

/// Seconds from now, as people say it.
fn span(seconds: &Value) -> String {
    let seconds = seconds.as_i64().unwrap_or(0);
    let told = table::age(seconds.unsigned_abs().saturating_mul(1_000), 0);
    if seconds < 0 { format!("{told} late") } else { format!("in {told}") }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_command_of_orders_is_understood() {
        Cli::command().debug_assert();
        for line in [
            "place BREAD:2@250 MILK --store 1 --phone 13800138000 --preference partial --due 2030-01-01T00:00:00Z",
            "place BREAD --delivery --place 31.2,121.5 --currency CNY --json",
            "list --all --state ready",
            "show 1-0123456789",
            "cancel 1-0123456789 --line 1:2 --note late",
            "choose 1-0123456789 partial",
            "choose 1-0123456789 --store 2",
            "pass 1-0123456789 --delegate sister",
            "queue --phone 8000",
            "pick 1-0123456789 --line 1:1 --reason not-found --staff anna",
            "pick 1-0123456789 --scan 4006381333931",
            "check-age 1-0123456789 --document id-card --failed",
            "hand-over 1-0123456789 --code 123456 --staff ben",
            "pick-list 1-0123456789 1-0123456790",
        ] {
            let words = ["stockroom", "orders"].into_iter().chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "place",
            "choose 1-1",
            "choose 1-1 partial --store 2",
            "pick 1-1 --scan 1 --line 1:1",
            "hand-over 1-1 --code 1 --pass x",
        ] {
            let words = ["stockroom", "orders"].into_iter().chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }

    #[test]
    fn units_of_a_line_are_two_numbers() {
        assert_eq!(parse_units("2:500"), Ok((2, 500)));
        assert!(parse_units("2").is_err() && parse_units("a:1").is_err());
        assert_eq!((span(&json!(7_200)), span(&json!(-60))), ("in 2 h".into(), "60 s late".into()));
    }
}

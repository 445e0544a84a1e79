//! Commands about orders as the channel and head office give them, at the order's home. What a store does stands in [`work`].

mod place;
pub mod rules;
mod say;
mod work;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::ask::{escaped, money, rows, word};
use super::{Failure, table};
use crate::client::{Client, Target};

/// What `orders` does.
#[derive(Subcommand, Debug)]
pub enum OrdersCommand {
    /// Place an order (at a hub); prints its number and the pickup code. Exits with 1 when nothing could be promised
    Place(Box<place::PlaceArgs>),
    /// List orders: the open ones, the first due first
    List(ListArgs),
    /// Show an order: lines, parts, reasons, what is owed
    Show(OneArgs),
    /// Show an order as its customer may see it
    Track(OneArgs),
    /// Ask to cancel an order; whoever holds the goods decides
    Cancel(say::SayArgs),
    /// Say what the customer wants instead: another store, or cancel, partial, substitute, wait, delivery
    Choose(say::ChooseArgs),
    /// Let an order wait
    Hold(say::SayArgs),
    /// Let it go on
    Resume(say::SayArgs),
    /// Say that the customer is at the store; the note says where
    Arrived(say::SayArgs),
    /// Pay back before the store has confirmed; the note names who bears it if the goods were handed over
    RiskRefund(say::SayArgs),
    /// Give up what no store has
    GiveUp(say::SayArgs),
    /// Take what the payment gateway says, in sums over the order's life
    Pay(say::PayArgs),
    /// Say that a compensation was given, or could not be
    Compensate(say::CompensateArgs),
    /// Give a customer's phone a pass
    Pass(say::PassArgs),
    /// How orders are routed, how long things may take, when stores are open
    #[command(subcommand)]
    Rules(rules::RulesCommand),
    #[command(flatten)]
    Work(work::WorkCommand),
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

/// `orders`.
pub fn orders(command: &OrdersCommand) -> Result<(), Failure> {
    match command {
        OrdersCommand::Place(args) => place::place(args),
        OrdersCommand::List(args) => list(args),
        OrdersCommand::Show(args) => show(args),
        OrdersCommand::Track(args) => track(args),
        OrdersCommand::Cancel(args) => say::say(args, "cancel"),
        OrdersCommand::Choose(args) => say::choose(args),
        OrdersCommand::Hold(args) => say::say(args, "hold"),
        OrdersCommand::Resume(args) => say::say(args, "resume"),
        OrdersCommand::Arrived(args) => say::say(args, "arrived"),
        OrdersCommand::RiskRefund(args) => say::say(args, "risk-refund"),
        OrdersCommand::GiveUp(args) => say::say(args, "give-up"),
        OrdersCommand::Pay(args) => say::pay(args),
        OrdersCommand::Compensate(args) => say::compensate(args),
        OrdersCommand::Pass(args) => say::pass(args),
        OrdersCommand::Rules(command) => rules::rules(command),
        OrdersCommand::Work(command) => work::work(command),
    }
}

impl AskArgs {
    /// For the node that is asked.
    pub fn client(&self) -> Client {
        Client::new(&self.target)
    }

    /// Prints the answer as the node gave it, if that was asked for.
    pub fn printed(&self, answer: &Value) -> Result<bool, Failure> {
        if self.json {
            out!("{}", serde_json::to_string_pretty(answer)?);
        }
        Ok(self.json)
    }
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
    use serde_json::json;

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
            "rules show",
            "rules show service --json",
            "rules set limits limits.json",
            "rules set routing -",
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
            "rules set",
            "rules show hours",
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

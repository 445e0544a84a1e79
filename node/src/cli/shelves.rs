//! Commands about labels on shelves, and about settlement.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::{money, rows, word};
use super::orders::AskArgs;
use super::promise::fresh_key;
use super::{Failure, table};

/// What `label` does.
#[derive(Subcommand, Debug)]
pub enum LabelCommand {
    /// List the labels that have to be changed
    List(ListArgs),
    /// Print them on the shop's printer
    Print(PrintArgs),
    /// Say that labels were put up
    Done(DoneArgs),
}

/// Arguments of `label list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// At this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `label print`.
#[derive(Args, Debug)]
pub struct PrintArgs {
    /// Only of these products
    skus: Vec<String>,
    /// Print them although they were printed before, marked as copies
    #[arg(long)]
    reprint: bool,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `label done`.
#[derive(Args, Debug)]
pub struct DoneArgs {
    /// What they show: SKU@PRICE in minor units, or SKU@- for one that was taken off
    #[arg(required = true, value_name = "SKU@PRICE", value_parser = parse_label)]
    labels: Vec<Label>,
    /// Who put them up
    #[arg(long, value_name = "NAME")]
    staff: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// A label that was put up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    sku: String,
    price: Option<i64>,
}

/// What `settlement` does.
#[derive(Subcommand, Debug)]
pub enum SettlementCommand {
    /// Show what a store sold for each owner on a day
    Show(DayArgs),
    /// Compare an acquirer's file with the cards and wallets that a store took on a day
    Match(MatchArgs),
}

/// Arguments of `settlement show`.
#[derive(Args, Debug)]
pub struct DayArgs {
    /// Number of the business day
    day: u32,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `settlement match`.
#[derive(Args, Debug)]
pub struct MatchArgs {
    /// Number of the business day
    day: u32,
    /// CSV with the columns reference, amount, currency and time
    file: PathBuf,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Reads `SKU@PRICE`.
fn parse_label(text: &str) -> Result<Label, String> {
    let (sku, price) = text.split_once('@').ok_or("a price is missing: SKU@PRICE")?;
    let price = match price {
        "-" => None,
        price => Some(price.parse().map_err(|_| "the price is not a whole number of minor units")?),
    };
    if sku.is_empty() { Err("a SKU is missing".into()) } else { Ok(Label { sku: sku.into(), price }) }
}

/// `label`.
pub fn label(command: &LabelCommand) -> Result<(), Failure> {
    match command {
        LabelCommand::List(args) => {
            let store = args.store.map(|store| format!("?store={store}")).unwrap_or_default();
            let answer = args.ask.client().read(&format!("/v1/tasks{store}"))?;
            if !args.ask.printed(&answer["labels"])? {
                let lines = rows(&answer["labels"]).map(|task| {
                    let of = |name: &str| word(&task[name]);
                    let amount = |name: &str| if task[name].is_null() { "-".into() } else { money(&task[name]) };
                    let now = match (task["late"] == true, task["due"] == true) {
                        (true, _) => "LATE",
                        (false, true) => "now",
                        (false, false) => "soon",
                    };
                    [of("store"), of("sku"), of("name"), amount("shows"), amount("price"), of("from"), now.into()]
                });
                table::print(["store", "SKU", "name", "shows", "has to show", "from", "due"], lines);
            }
        }
        LabelCommand::Print(args) => {
            let body = json!({ "skus": args.skus, "reprint": args.reprint });
            let answer = args.ask.client().write("/v1/labels/print", Some(&fresh_key()?), &body)?;
            if !args.ask.printed(&answer)? {
                out!("{} labels: {}", word(&answer["sheets"]), word(&answer["state"]));
            }
        }
        LabelCommand::Done(args) => {
            let labels: Vec<_> =
                args.labels.iter().map(|label| json!({ "sku": label.sku, "price": label.price })).collect();
            let body = json!({ "staff": args.staff, "labels": labels });
            let answer = args.ask.client().write("/v1/labels/done", Some(&fresh_key()?), &body)?;
            if !args.ask.printed(&answer)? {
                out!("{} labels are up.", word(&answer["count"]));
            }
        }
    }
    Ok(())
}

/// `settlement`.
pub fn settlement(command: &SettlementCommand) -> Result<(), Failure> {
    match command {
        SettlementCommand::Show(args) => {
            let answer = args.ask.client().read(&format!("/v1/settlement?{}", query(args.day, args.store)))?;
            if !args.ask.printed(&answer)? {
                let lines = rows(&answer["owners"]).map(|owner| {
                    let amounts = ["sales", "returns", "tax", "due"].map(|name| money(&owner[name]));
                    let [sales, returns, tax, due] = amounts;
                    let who = match owner["owner"].as_str() {
                        Some("") | None => "the store".to_owned(),
                        Some(owner) => owner.to_owned(),
                    };
                    [who, word(&owner["currency"]), word(&owner["lines"]), sales, returns, tax, due]
                });
                table::print(["owner", "currency", "lines", "sales", "returns", "tax", "due"], lines);
                if answer["closed"] != true {
                    out!("The day is not closed, as far as is known here: more may come.");
                }
            }
        }
        SettlementCommand::Match(args) => {
            let name = args.file.display();
            let file = fs::read(&args.file).map_err(|error| format!("cannot read {name}: {error}"))?;
            let path = format!("/v1/settlement/match?{}", query(args.day, args.store));
            let answer = args.ask.client().send_csv(&path, &file)?;
            if !args.ask.printed(&answer)? {
                print_match(&answer);
            }
        }
    }
    Ok(())
}

fn print_match(answer: &Value) {
    out!("{} tenders match: {}", word(&answer["matched"]), money(&answer["matched_amount"]));
    let line = |what: &str, taken: &Value, file: &Value| {
        let amount = |side: &Value| if side.is_null() { "-".into() } else { money(&side["amount"]) };
        let reference = if taken.is_null() { word(&file["reference"]) } else { word(&taken["reference"]) };
        let receipt = if taken.is_null() { "-".into() } else { word(&taken["receipt"]) };
        [what.to_owned(), reference, receipt, amount(taken), amount(file)]
    };
    let differing = rows(&answer["differing"]).map(|pair| line("differs", &pair["taken"], &pair["file"]));
    let missing = rows(&answer["missing"]).map(|taken| line("did not come", taken, &Value::Null));
    let unknown = rows(&answer["unknown"]).map(|file| line("unknown here", &Value::Null, file));
    table::print(["", "reference", "receipt", "taken", "file"], differing.chain(missing).chain(unknown));
}

fn query(day: u32, store: Option<u32>) -> String {
    let store = store.map(|store| format!("&store={store}")).unwrap_or_default();
    format!("day={day}{store}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_sku_and_what_it_shows() {
        assert_eq!(parse_label("milk@129"), Ok(Label { sku: "milk".into(), price: Some(129) }));
        assert_eq!(parse_label("milk@-").map(|label| label.price), Ok(None));
        for wrong in ["milk", "@129", "milk@1.29", "milk@"] {
            assert!(parse_label(wrong).is_err(), "{wrong}");
        }
    }
}

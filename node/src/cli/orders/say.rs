//! What the customer, the channel and head office say of an order: wishes, payments, passes.

use clap::Args;
use serde_json::{Value, json};

use super::{AskArgs, parse_units, print_order};
use crate::cli::Failure;
use crate::cli::ask::{escaped, word};
use crate::cli::promise::fresh_key;

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

/// Says something of an order.
pub fn say(args: &SayArgs, action: &str) -> Result<(), Failure> {
    let lines: Vec<Value> = args.lines.iter().map(|(line, units)| json!({ "line": line, "quantity": units })).collect();
    let mut body = json!({ "note": args.note.as_deref().unwrap_or(""), "lines": lines });
    if let Some(by) = &args.by {
        body["by"] = json!(by);
    }
    said(&args.ask, (&args.order, action), &body)
}

/// `orders choose`.
pub fn choose(args: &ChooseArgs) -> Result<(), Failure> {
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

/// `orders pay`.
pub fn pay(args: &PayArgs) -> Result<(), Failure> {
    let body = json!({
        "authorised": args.authorised, "captured": args.captured, "refunded": args.refunded,
        "reference": args.reference.as_deref().unwrap_or(""),
    });
    whole(&args.ask, &format!("/v1/orders/{}/payments", escaped(&args.order)), &body)
}

/// `orders compensate`.
pub fn compensate(args: &CompensateArgs) -> Result<(), Failure> {
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

/// `orders pass`.
pub fn pass(args: &PassArgs) -> Result<(), Failure> {
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

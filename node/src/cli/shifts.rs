//! Commands about drawers at a store's node.

use std::io::Read;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::{escaped, money, rows, word};
use super::orders::AskArgs;
use super::promise::fresh_key;
use super::{Failure, table};

/// What `shift` does.
#[derive(Subcommand, Debug)]
pub enum ShiftCommand {
    /// Take a till's drawer
    Open(OpenArgs),
    /// Put cash into a drawer or take it out
    Cash(CashArgs),
    /// Count a drawer and give it back; prints the Z report
    Close(CloseArgs),
    /// Show what should be in a drawer now (X report); for a manager
    X(XArgs),
    /// Show what a closed shift said (Z report)
    Z(ZArgs),
    /// List shifts: the newest of each till, or those of one
    List(ListArgs),
}

/// Arguments of `shift open`.
#[derive(Args, Debug)]
pub struct OpenArgs {
    /// Number of the till
    #[arg(long)]
    till: u32,
    /// Who takes it
    #[arg(long, value_name = "NAME")]
    staff: String,
    /// What lies in it, minor units
    #[arg(long, value_name = "AMOUNT")]
    float: i64,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `shift cash`.
#[derive(Args, Debug)]
pub struct CashArgs {
    /// paid-in, paid-out, drop or refund
    kind: String,
    /// How much, minor units
    amount: i64,
    /// Number of the till
    #[arg(long)]
    till: u32,
    /// What for; a drop needs none
    #[arg(long)]
    reason: Option<String>,
    /// Who does it
    #[arg(long, value_name = "NAME")]
    staff: String,
    /// Who approves it; needed beyond the limit of the store's till rules
    #[arg(long, value_name = "NAME")]
    approver: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `shift close`.
#[derive(Args, Debug)]
pub struct CloseArgs {
    /// Number of the till
    #[arg(long)]
    till: u32,
    /// What was counted, minor units
    #[arg(long, value_name = "AMOUNT")]
    counted: i64,
    /// Who counted
    #[arg(long, value_name = "NAME")]
    staff: String,
    /// Who confirms a count that does not fit
    #[arg(long, value_name = "NAME")]
    approver: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `shift x`.
#[derive(Args, Debug)]
pub struct XArgs {
    /// Number of the till
    #[arg(long)]
    till: u32,
    /// The manager who looks
    #[arg(long, value_name = "NAME")]
    approver: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `shift z`.
#[derive(Args, Debug)]
pub struct ZArgs {
    /// Number of the till
    #[arg(long)]
    till: u32,
    /// Which shift [default: the last one that was closed]
    #[arg(long)]
    number: Option<u32>,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Print the page for a browser instead
    #[arg(long, conflicts_with = "json")]
    html: bool,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `shift list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only this till's, the newest first
    #[arg(long)]
    till: Option<u32>,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// `shift`.
pub fn shift(command: &ShiftCommand) -> Result<(), Failure> {
    match command {
        ShiftCommand::Open(args) => open(args),
        ShiftCommand::Cash(args) => cash(args),
        ShiftCommand::Close(args) => close(args),
        ShiftCommand::X(args) => x(args),
        ShiftCommand::Z(args) => z(args),
        ShiftCommand::List(args) => list(args),
    }
}

fn open(args: &OpenArgs) -> Result<(), Failure> {
    let body = json!({ "till": args.till, "staff": args.staff, "float": args.float });
    let answer = args.ask.client().write("/v1/shifts", Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        let (number, float) = (word(&answer["number"]), money(&answer["float"]));
        out!("Shift {number} of till {} is open, with {float} in the drawer.", args.till);
    }
    Ok(())
}

fn cash(args: &CashArgs) -> Result<(), Failure> {
    let body = json!({
        "kind": args.kind,
        "amount": args.amount,
        "reason": args.reason.as_deref().unwrap_or(""),
        "staff": args.staff,
        "approver": args.approver.as_deref().unwrap_or(""),
    });
    let path = format!("/v1/shifts/{}/cash", args.till);
    let answer = args.ask.client().write(&path, Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        let (kind, shift) = (word(&answer["kind"]), word(&answer["shift"]));
        out!("{kind} {} in shift {shift} of till {}.", money(&answer["amount"]), args.till);
    }
    Ok(())
}

fn close(args: &CloseArgs) -> Result<(), Failure> {
    let body = json!({
        "counted": args.counted,
        "staff": args.staff,
        "approver": args.approver.as_deref().unwrap_or(""),
    });
    let path = format!("/v1/shifts/{}/close", args.till);
    let answer = args.ask.client().write(&path, Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        print_z(&answer);
    }
    Ok(())
}

fn x(args: &XArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    let newest = client.read(&format!("/v1/shifts?till={}&limit=1&approver={}", args.till, escaped(&args.approver)))?;
    let found = newest["items"].get(0).filter(|shift| shift["state"] == "open");
    let shift = found.ok_or_else(|| format!("no shift is open at till {}", args.till))?;
    if !args.ask.printed(shift)? {
        print_head(shift);
        print_totals(&shift["x"]);
    }
    Ok(())
}

fn z(args: &ZArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    let store = args.store.map(|store| format!("&store={store}")).unwrap_or_default();
    let number = match args.number {
        Some(number) => u64::from(number),
        None => {
            let newest = client.read(&format!("/v1/shifts?till={}&limit=2{store}", args.till))?;
            let closed = rows(&newest["items"]).find(|shift| shift["state"] == "closed");
            let number = closed.and_then(|shift| shift["number"].as_u64());
            number.ok_or_else(|| format!("no shift of till {} was closed", args.till))?
        }
    };
    let path = format!("/v1/shifts/{}/{number}", args.till);
    if args.html {
        let mut page = String::new();
        client.stream(&format!("{path}/report?format=html{store}"))?.read_to_string(&mut page)?;
        out!("{page}");
        return Ok(());
    }
    let shift = client.read(&format!("{path}?{}", store.trim_start_matches('&')))?;
    if shift["z"].is_null() {
        return Err(format!("shift {number} of till {} is open: it has no Z report yet", args.till).into());
    }
    if !args.ask.printed(&shift)? {
        print_z(&shift);
    }
    Ok(())
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let named = [("till", args.till), ("store", args.store)];
    let query = named.iter().filter_map(|(name, value)| value.map(|value| format!("{name}={value}")));
    let path = format!("/v1/shifts?{}", query.collect::<Vec<_>>().join("&"));
    let answer = args.ask.client().read(&path)?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let lines = rows(&answer["items"]).map(|shift| {
        let of = |name: &str| word(&shift[name]);
        let z = &shift["z"];
        let over = if z.is_null() { "-".into() } else { money(&z["over"]) };
        [of("till"), of("number"), of("state"), of("staff"), of("opened_at"), word(&z["closed_at"]), over]
    });
    table::print(["till", "shift", "state", "staff", "opened", "closed", "over"], lines);
    Ok(())
}

fn print_head(shift: &Value) {
    let of = |name: &str| word(&shift[name]);
    out!("Till {}, shift {} ({}): {} since {}", of("till"), of("number"), of("state"), of("staff"), of("opened_at"));
}

fn print_z(shift: &Value) {
    let z = &shift["z"];
    print_head(shift);
    print_totals(&z["totals"]);
    out!("Counted {} by {}: {} over", money(&z["counted"]), word(&z["staff"]), money(&z["over"]));
    if z["agrees"] == false {
        out!("Receipts came to light that this report does not have: {} receipts now", word(&z["held"]["receipts"]));
    }
}

fn print_totals(totals: &Value) {
    let amounts = [
        ("sales", "sales"),
        ("cash", "cash"),
        ("card", "card"),
        ("voucher", "voucher"),
        ("other", "other"),
        ("float", "float"),
        ("paid_in", "paid in"),
        ("paid_out", "paid out"),
        ("dropped", "to the safe"),
        ("refunded", "refunded"),
        ("expected_cash", "should be in the drawer"),
    ];
    out!("{} receipts, {} of them voids", word(&totals["receipts"]), word(&totals["voids"]));
    table::print(["", "amount"], amounts.map(|(name, words)| [words.to_owned(), money(&totals[name])]));
    let taxes = rows(&totals["taxes"])
        .map(|tax| [word(&tax["code"]), money(&tax["rate_bp"]), money(&tax["goods"]), money(&tax["tax"])]);
    let taxes: Vec<_> = taxes.collect();
    if !taxes.is_empty() {
        table::print(["tax", "percent", "goods", "tax"], taxes);
    }
}

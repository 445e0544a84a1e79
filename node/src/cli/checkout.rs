//! Commands about baskets at a store's node: pricing and paying one, and what becomes of those that wait.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::ask::{Line, money, parse_line, rows, word};
use super::orders::AskArgs;
use super::promise::fresh_key;
use super::{Failure, table};

/// Arguments of `checkout`.
#[derive(Args, Debug)]
pub struct CheckoutArgs {
    /// What is bought: SKU[:QUANTITY[@UNIT_PRICE]]; a price that is given was entered by hand
    #[arg(required = true, value_name = "SKU[:QTY[@PRICE]]", value_parser = parse_line)]
    lines: Vec<Line>,
    /// Number of the till
    #[arg(long, default_value_t = 1)]
    till: u32,
    /// Who sells
    #[arg(long, value_name = "NAME", default_value = "")]
    cashier: String,
    /// Who approved what a cashier may not do alone
    #[arg(long, value_name = "NAME", default_value = "")]
    approver: String,
    /// The customer's account, if she is a member
    #[arg(long, value_name = "ACCOUNT")]
    member: Option<String>,
    /// Code of a coupon that she shows; may be given several times
    #[arg(long = "coupon", value_name = "CODE")]
    coupons: Vec<String>,
    /// So many of her points pay
    #[arg(long, requires = "member", conflicts_with_all = ["suspend", "slip"])]
    points: Option<u64>,
    /// The buyer's age was checked
    #[arg(long)]
    age_checked: bool,
    /// Only say what it costs, and why
    #[arg(long, conflicts_with_all = ["suspend", "slip", "terminal"])]
    quote: bool,
    /// Let it wait for the customer
    #[arg(long, conflicts_with_all = ["slip", "terminal"])]
    suspend: bool,
    /// Put it on the slip of this concession's counter
    #[arg(long, value_name = "OWNER", conflicts_with = "terminal")]
    slip: Option<String>,
    /// Ask this payment terminal for the total; cash otherwise
    #[arg(long, value_name = "NAME")]
    terminal: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// What `basket` does.
#[derive(Subcommand, Debug)]
pub enum BasketCommand {
    /// List the baskets that wait
    List(ListArgs),
    /// Show one, and what can be done about it
    Show(ShowArgs),
    /// Do something about one
    Do(DoArgs),
}

/// Arguments of `basket list`.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `basket show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// The basket, till-number
    basket: String,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// What is done about a basket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deed {
    /// Go on with it at a till
    Resume,
    /// Throw it away
    Abandon,
    /// Hand the goods of a paid slip over
    Release,
    /// Pay a slip
    Pay,
    /// Ask a terminal again
    Ask,
    /// Take what is left in cash
    Tender,
}

/// Arguments of `basket do`.
#[derive(Args, Debug)]
pub struct DoArgs {
    /// The basket, till-number
    basket: String,
    /// What
    what: Deed,
    /// At which till
    #[arg(long, default_value_t = 1)]
    till: u32,
    /// By whom
    #[arg(long, value_name = "NAME", default_value = "")]
    staff: String,
    /// For `ask` and `pay`: this payment terminal
    #[arg(long, value_name = "NAME")]
    terminal: Option<String>,
    /// For `tender` and `pay`: so much cash, minor units [default: what is left]
    #[arg(long, value_name = "AMOUNT", conflicts_with = "terminal")]
    cash: Option<i64>,
    #[command(flatten)]
    ask: AskArgs,
}

/// `checkout`: what it costs is asked first, so that the payment adds up and a price that changes in between is noticed.
pub fn checkout(args: &CheckoutArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    let lines: Vec<_> = args.lines.iter().map(Line::json).collect();
    let mut body = json!({
        "till": args.till,
        "then": "quote",
        "cashier": args.cashier,
        "age_checked": args.age_checked,
        "lines": lines,
        "coupons": args.coupons,
    });
    if let Some(member) = &args.member {
        body["member"] = member.as_str().into();
    }
    if let Some(points) = args.points {
        body["points"] = points.into();
    }
    let quote = client.write("/v1/checkout", None, &body)?;
    if args.quote {
        if !args.ask.printed(&quote)? {
            print_lines(&quote);
            print_benefits(&quote);
            out!("Total {} {}", money(&quote["total"]), word(&quote["currency"]));
        }
        return Ok(());
    }
    body["till_seq"] = client.read(&format!("/v1/tills/{}", args.till))?["next_till_seq"].clone();
    body["approver"] = args.approver.as_str().into();
    body["expected_total"] = quote["total"].clone();
    let by_points = match (args.points, amount(&quote["points"]["pays"])) {
        (None, _) => 0,
        (Some(points), 0) if points > 0 => {
            print_benefits(&quote);
            return Err("so many points may not be spent here".into());
        }
        (Some(_), pays) => pays,
    };
    if let Some(body) = body.as_object_mut() {
        body.remove("points");
    }
    let points = (by_points > 0).then(|| json!({ "kind": "points", "amount": by_points }));
    match (&args.slip, &args.terminal) {
        (Some(owner), _) => (body["then"], body["owner"]) = ("slip".into(), owner.as_str().into()),
        (None, _) if args.suspend => body["then"] = "suspend".into(),
        (None, Some(name)) => {
            (body["then"], body["terminal"]) = ("pay".into(), json!({ "name": name }));
            body["tenders"] = points.into_iter().collect();
        }
        (None, None) => {
            // Cash is rounded only where all of it is cash.
            let rounding = if by_points == 0 { amount(&quote["cash_rounding"]) } else { 0 };
            let due = amount(&quote["total"]) + rounding - by_points;
            let cash = (due != 0).then(|| json!({ "kind": "cash", "amount": due }));
            (body["then"], body["tenders"]) = ("pay".into(), points.into_iter().chain(cash).collect());
        }
    }
    let answer = client.write("/v1/checkout", None, &body)?;
    if !args.ask.printed(&answer)? {
        print_lines(&answer);
        print_standing(&answer);
    }
    Ok(())
}

/// `basket`.
pub fn basket(command: &BasketCommand) -> Result<(), Failure> {
    match command {
        BasketCommand::List(args) => list(args),
        BasketCommand::Show(args) => show(args),
        BasketCommand::Do(args) => act(args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let answer = args.ask.client().read(&format!("/v1/baskets{}", of_store(args.store)))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let lines = rows(&answer["items"]).map(|basket| {
        let of = |name: &str| word(&basket[name]);
        let can: Vec<_> = rows(&basket["can"]).map(word).collect();
        [of("basket"), of("state"), money(&basket["total"]), money(&basket["left"]), of("rung_at"), can.join(" ")]
    });
    table::print(["basket", "state", "total", "left", "rung up", "now"], lines);
    Ok(())
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let answer = args.ask.client().read(&format!("/v1/baskets/{}{}", args.basket, of_store(args.store)))?;
    if !args.ask.printed(&answer)? {
        print_lines(&answer);
        print_standing(&answer);
    }
    Ok(())
}

fn act(args: &DoArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    let mut body = json!({ "till": args.till, "staff": args.staff });
    if let Some(name) = &args.terminal {
        body["terminal"] = json!({ "name": name });
    }
    let held = client.read(&format!("/v1/baskets/{}", args.basket))?;
    if args.what == Deed::Pay {
        body["till_seq"] = client.read(&format!("/v1/tills/{}", args.till))?["next_till_seq"].clone();
    }
    if args.terminal.is_none() && matches!(args.what, Deed::Pay | Deed::Tender) {
        let given = args.cash.map_or(held["left"].clone(), Value::from);
        body["tenders"] = json!([{ "kind": "cash", "amount": given }]);
    }
    let path = format!("/v1/baskets/{}/{}", args.basket, args.what.as_str());
    let answer = client.write(&path, Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        print_standing(&answer);
    }
    Ok(())
}

impl Deed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Resume => "resume",
            Self::Abandon => "abandon",
            Self::Release => "release",
            Self::Pay => "pay",
            Self::Ask => "ask",
            Self::Tender => "tender",
        }
    }
}

fn print_lines(basket: &Value) {
    let lines = rows(&basket["lines"]).map(|line| {
        let of = |name: &str| word(&line[name]);
        let off = rows(&line["reductions"]).map(|off| format!("{} -{}", word(&off["name"]), money(&off["amount"])));
        let stops = rows(&line["stops"]).map(word);
        let why: Vec<_> = off.chain(stops).collect();
        let price = format!("{} ({})", money(&line["unit_price"]), word(&line["price"]["source"]));
        [of("sku"), of("quantity"), price, money(&line["amount"]), why.join(", ")]
    });
    table::print(["SKU", "quantity", "price", "amount", "why"], lines);
    for line in rows(&basket["lines"]).filter(|line| !line["needs"].is_null()) {
        out!("Line {}: {}", word(&line["line"]), word(&line["needs"]));
    }
}

/// Coupons that are not taken, and what points do.
fn print_benefits(quote: &Value) {
    for coupon in rows(&quote["coupons"]) {
        match coupon["refused"]["detail"].as_str() {
            Some(why) => out!("Coupon {}: {why}", word(&coupon["code"])),
            None => out!("Coupon {}: {} -{}", word(&coupon["code"]), word(&coupon["name"]), money(&coupon["worth"])),
        }
    }
    let points = &quote["points"];
    if points.is_object() {
        let of = |name: &str| word(&points[name]);
        out!(
            "Points: earns {}, may spend {}; those asked for pay {}",
            of("earns"),
            of("may_spend"),
            money(&points["pays"])
        );
    }
}

fn print_standing(basket: &Value) {
    let (name, state, now) = (word(&basket["basket"]), word(&basket["state"]), word(&basket["now"]));
    match basket["receipt"].as_str() {
        Some(receipt) => out!("Receipt {receipt}: {}", money(&basket["total"])),
        None => out!("Basket {name} is {state}: {now}"),
    }
}

fn of_store(store: Option<u32>) -> String {
    store.map(|store| format!("?store={store}")).unwrap_or_default()
}

fn amount(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

//! Commands of the people who work on orders in a store: queue, pick list, picking, handing over, sending out.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{AskArgs, parse_units, span};
use crate::cli::ask::{escaped, rows, word};
use crate::cli::promise::fresh_key;
use crate::cli::{Failure, table};

/// What people in a store do with orders.
#[derive(Subcommand, Debug)]
pub enum WorkCommand {
    /// Show what a store has to work on, the first due first; or find an order by phone or number
    Queue(QueueArgs),
    /// Show the part of an order that a store has, with everything that was said about it
    Part(PartArgs),
    /// Show what to fetch from the shelves, for one order or for several at once
    PickList(PickListArgs),
    /// Take an order on
    Accept(ActArgs),
    /// Not take it; the note says why: closing, out-of-stock, damaged ...
    Refuse(ActArgs),
    /// Say that somebody picks it
    StartPicking(ActArgs),
    /// Say what was found: everything, some lines, or one scan
    Pick(PickArgs),
    /// Say that it is in bags; the note says how many
    Pack(ActArgs),
    /// Say where the bags are; the note names the bay
    Stage(ActArgs),
    /// Say that the customer, or the courier, may come
    Ready(ActArgs),
    /// Look at a pass that a customer shows
    Verify(VerifyArgs),
    /// Say that the customer's age was checked
    CheckAge(CheckAgeArgs),
    /// Give it to the customer: for the code, the pass, or on a manager's word
    HandOver(HandOverArgs),
    /// Say that the customer does not take it, or some lines of it
    Decline(ActArgs),
    /// Say that nobody came
    Uncollected(ActArgs),
    /// Say that the goods lie on the shelf again
    PutBack(ActArgs),
    /// Confirm a cancel that was asked
    ConfirmCancel(ActArgs),
    /// Deny a cancel that was asked; the note says why
    DenyCancel(ActArgs),
    /// Say that it left with a courier or rider; the note says which
    Dispatch(ActArgs),
    /// Say that the customer has it; the note says on what proof
    Deliver(ActArgs),
    /// Say that it could not be delivered; the note says why
    FailDelivery(ActArgs),
    /// Say that it is back in the store
    Returned(ActArgs),
    /// Say that it is gone; the note says with whom
    Lose(ActArgs),
    /// Read name, phone and address of a delivery; who does is told to those who follow the events
    Contact(ContactArgs),
}

/// Arguments of `orders queue`.
#[derive(Args, Debug)]
pub struct QueueArgs {
    /// Of this store [default: the node's own]
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Only in this state
    #[arg(long)]
    state: Option<String>,
    /// Only the customer whose phone ends with these four digits
    #[arg(long, value_name = "DIGITS")]
    phone: Option<String>,
    /// Only orders whose number ends with these digits
    #[arg(long, value_name = "DIGITS")]
    number: Option<String>,
    /// Also those that are over
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders part`.
#[derive(Args, Debug)]
pub struct PartArgs {
    /// The order's number
    order: String,
    /// At this store [default: the node's own]
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders pick-list`.
#[derive(Args, Debug)]
pub struct PickListArgs {
    /// The orders' numbers [default: the first that are due]
    orders: Vec<String>,
    /// Without orders: how many
    #[arg(long, value_name = "NUMBER")]
    count: Option<usize>,
    /// At this store [default: the node's own]
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of what is said about a part of an order.
#[derive(Args, Clone, Debug)]
pub struct ActArgs {
    /// The order's number
    order: String,
    /// Why, where, how many
    #[arg(long)]
    note: Option<String>,
    /// By whom
    #[arg(long)]
    staff: Option<String>,
    /// Only this line, from 1, and so many units of it; may be given several times
    #[arg(long = "line", value_name = "LINE:UNITS", value_parser = parse_units)]
    lines: Vec<(u16, i64)>,
    /// At this store [default: the node's own]
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders pick`.
#[derive(Args, Debug)]
pub struct PickArgs {
    /// A barcode that was scanned: counted up until its line is complete
    #[arg(long, value_name = "BARCODE", conflicts_with = "lines")]
    scan: Option<String>,
    /// Why lines have fewer units than ordered: not-found, out-of-stock, too-few, damaged, expired
    #[arg(long, requires = "lines")]
    reason: Option<String>,
    #[command(flatten)]
    act: ActArgs,
}

/// Arguments of `orders verify`.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The text of the pass
    pass: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders check-age`.
#[derive(Args, Debug)]
pub struct CheckAgeArgs {
    /// Which document was looked at, e.g. id-card; nothing of it is copied
    #[arg(long)]
    document: String,
    /// The customer is too young: the lines that need the age are declined
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    act: ActArgs,
}

/// Arguments of `orders hand-over`.
#[derive(Args, Debug)]
pub struct HandOverArgs {
    /// The six digits that the customer says
    #[arg(long, conflicts_with_all = ["pass", "approver"])]
    code: Option<String>,
    /// The text of the pass that the customer shows
    #[arg(long, conflicts_with = "approver")]
    pass: Option<String>,
    /// The manager who takes it on
    #[arg(long, value_name = "NAME")]
    approver: Option<String>,
    #[command(flatten)]
    act: ActArgs,
}

/// Arguments of `orders contact`.
#[derive(Args, Debug)]
pub struct ContactArgs {
    /// The order's number
    order: String,
    /// Who reads it
    #[arg(long)]
    staff: String,
    /// What for
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Does it.
pub fn work(command: &WorkCommand) -> Result<(), Failure> {
    match command {
        WorkCommand::Queue(args) => queue(args),
        WorkCommand::Part(args) => part(args),
        WorkCommand::PickList(args) => pick_list(args),
        WorkCommand::Accept(args) => act(args, "accept", json!({})),
        WorkCommand::Refuse(args) => act(args, "refuse", json!({})),
        WorkCommand::StartPicking(args) => act(args, "start-picking", json!({})),
        WorkCommand::Pick(args) => pick(args),
        WorkCommand::Pack(args) => act(args, "pack", json!({})),
        WorkCommand::Stage(args) => act(args, "stage", json!({})),
        WorkCommand::Ready(args) => act(args, "ready", json!({})),
        WorkCommand::Verify(args) => verify(args),
        WorkCommand::CheckAge(args) => {
            act(&args.act, "check-age", json!({ "document": args.document, "passed": !args.failed }))
        }
        WorkCommand::HandOver(args) => hand_over(args),
        WorkCommand::Decline(args) => act(args, "decline", json!({})),
        WorkCommand::Uncollected(args) => act(args, "uncollected", json!({})),
        WorkCommand::PutBack(args) => act(args, "put-back", json!({})),
        WorkCommand::ConfirmCancel(args) => act(args, "confirm-cancel", json!({})),
        WorkCommand::DenyCancel(args) => act(args, "deny-cancel", json!({})),
        WorkCommand::Dispatch(args) => act(args, "dispatch", json!({})),
        WorkCommand::Deliver(args) => act(args, "deliver", json!({})),
        WorkCommand::FailDelivery(args) => act(args, "fail-delivery", json!({})),
        WorkCommand::Returned(args) => act(args, "returned", json!({})),
        WorkCommand::Lose(args) => act(args, "lose", json!({})),
        WorkCommand::Contact(args) => contact(args),
    }
}

fn queue(args: &QueueArgs) -> Result<(), Failure> {
    let store = args.store.map(|store| store.to_string());
    let mut query = format!("?limit=1000&all={}", args.all);
    let wanted = [("store", &store), ("state", &args.state), ("phone", &args.phone), ("number", &args.number)];
    for (name, value) in wanted {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", escaped(value)));
        }
    }
    let answer = args.ask.client().read(&format!("/v1/fulfillments{query}"))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let lines = rows(&answer["items"]).map(|part| {
        let of = |name: &str| word(&part[name]);
        let goods: Vec<_> =
            rows(&part["lines"]).map(|line| format!("{} {}", word(&line["quantity"]), word(&line["sku"]))).collect();
        [of("order"), of("state"), of("channel"), span(&part["due_in_s"]), of("bay"), marks(part), goods.join(", ")]
    });
    table::print(["order", "state", "channel", "due", "bay", "", "goods"], lines);
    Ok(())
}

/// What stands out about a part of an order.
fn marks(part: &Value) -> String {
    let flags = [
        ("cancel_asked", "cancel asked"),
        ("withdrawn", "withdrawn"),
        ("to_put_back", "put back"),
        ("by_pass", "by pass"),
    ];
    let mut marks: Vec<String> =
        flags.iter().filter(|(name, _)| part[*name] == true).map(|(_, words)| String::from(*words)).collect();
    if let Some(why) = part["hold"].as_str() {
        marks.push(format!("on hold: {why}"));
    }
    if part["arrived_at"].is_string() {
        marks.push(format!("customer here {}", word(&part["arrived_where"])));
    }
    if part["age_min"] != 0 {
        marks.push(format!("from age {}", word(&part["age_min"])));
    }
    marks.join(", ")
}

fn part(args: &PartArgs) -> Result<(), Failure> {
    let store = args.store.map(|store| format!("?store={store}")).unwrap_or_default();
    let answer = args.ask.client().read(&format!("/v1/fulfillments/{}{store}", escaped(&args.order)))?;
    if !args.ask.printed(&answer)? {
        print_part(&answer);
    }
    Ok(())
}

/// A part of an order in tables.
fn print_part(part: &Value) {
    let of = |name: &str| word(&part[name]);
    out!("Order {} at store {}: {}, due {}", of("order"), of("store"), of("state"), span(&part["due_in_s"]));
    let marks = marks(part);
    if !marks.is_empty() {
        out!("{marks}");
    }
    let lines = rows(&part["lines"]).map(|line| {
        let of = |name: &str| word(&line[name]);
        [of("line"), of("sku"), of("name"), of("quantity"), of("picked"), of("handed"), of("preference"), of("reason")]
    });
    table::print(["line", "sku", "name", "wanted", "picked", "handed", "if missing", "why"], lines);
    let steps = rows(&part["steps"]).map(|step| {
        let of = |name: &str| word(&step[name]);
        [of("at"), of("step").replace('-', " "), of("staff"), of("note"), of("by")]
    });
    table::print(["when", "what", "by", "note", "node"], steps);
}

fn pick_list(args: &PickListArgs) -> Result<(), Failure> {
    let mut query: Vec<String> = Vec::new();
    if !args.orders.is_empty() {
        query.push(format!("orders={}", args.orders.iter().map(|order| escaped(order)).collect::<Vec<_>>().join(",")));
    }
    query.extend(args.count.map(|count| format!("count={count}")));
    query.extend(args.store.map(|store| format!("store={store}")));
    let answer = args.ask.client().read(&format!("/v1/pick-lists?{}", query.join("&")))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let totes = rows(&answer["totes"]).map(|tote| {
        let of = |name: &str| word(&tote[name]);
        [of("tote"), of("order"), of("due"), of("lines")]
    });
    table::print(["tote", "order", "due", "lines"], totes);
    let lines = rows(&answer["departments"]).flat_map(|stop| {
        let department = word(&stop["department"]);
        rows(&stop["lines"]).map(move |line| {
            let of = |name: &str| word(&line[name]);
            let into =
                rows(&line["into"]).map(|into| format!("{} into {}", word(&into["quantity"]), word(&into["tote"])));
            [
                department.clone(),
                of("sku"),
                of("name"),
                of("barcode"),
                of("quantity"),
                into.collect::<Vec<_>>().join(", "),
            ]
        })
    });
    table::print(["department", "sku", "name", "barcode", "fetch", "totes"], lines);
    rows(&answer["notes"]).for_each(|note| out!("{}", word(note)));
    Ok(())
}

fn pick(args: &PickArgs) -> Result<(), Failure> {
    let mut more = json!({});
    if let Some(scan) = &args.scan {
        more["scan"] = json!(scan);
    }
    if let Some(reason) = &args.reason {
        let lines = args.act.lines.iter();
        let lines = lines.map(|(line, units)| json!({ "line": line, "quantity": units, "reason": reason }));
        more["lines"] = lines.collect();
    }
    act(&args.act, "pick", more)
}

fn hand_over(args: &HandOverArgs) -> Result<(), Failure> {
    let mut more = json!({});
    for (name, value) in [("code", &args.code), ("pass", &args.pass), ("approver", &args.approver)] {
        if let Some(value) = value {
            more[name] = json!(value);
        }
    }
    act(&args.act, "hand-over", more)
}

fn act(args: &ActArgs, action: &str, more: Value) -> Result<(), Failure> {
    let lines: Vec<Value> = args.lines.iter().map(|(line, units)| json!({ "line": line, "quantity": units })).collect();
    let mut body = json!({
        "note": args.note.as_deref().unwrap_or(""), "staff": args.staff.as_deref().unwrap_or(""), "lines": lines,
    });
    if let Some(store) = args.store {
        body["store"] = json!(store);
    }
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name.as_str()] = value.clone();
    }
    let path = format!("/v1/fulfillments/{}/{action}", escaped(&args.order));
    let answer = args.ask.client().write(&path, Some(&fresh_key()?), &body)?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    if answer["scanned"].is_object() {
        let of = |name: &str| word(&answer["scanned"][name]);
        out!("{} of {} {} for line {}.", of("counted"), of("wanted"), of("name"), of("line"));
    }
    let part = &answer["fulfillment"];
    out!("Order {} at store {} is {}.", args.order, word(&part["store"]), word(&part["state"]).replace('-', " "));
    Ok(())
}

fn verify(args: &VerifyArgs) -> Result<(), Failure> {
    let body = json!({ "pass": args.pass });
    let answer = args.ask.client().write("/v1/passes/verify", Some(&fresh_key()?), &body)?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    let delegate = answer["delegate"].as_str().filter(|delegate| !delegate.is_empty());
    out!("The pass is good: order {}, until {}.", word(&answer["order"]), word(&answer["until"]));
    out!(
        "{}",
        delegate.map_or_else(|| "The customer comes.".into(), |delegate| format!("The customer sends: {delegate}."))
    );
    if answer["age_min"] != 0 {
        out!("Check the age: {} or older.", word(&answer["age_min"]));
    }
    print_part(&answer["fulfillment"]);
    Ok(())
}

fn contact(args: &ContactArgs) -> Result<(), Failure> {
    let reason = args.reason.as_deref().map(|reason| format!("&reason={}", escaped(reason))).unwrap_or_default();
    let path = format!("/v1/fulfillments/{}/contact?staff={}{reason}", escaped(&args.order), escaped(&args.staff));
    let answer = args.ask.client().read(&path)?;
    if !args.ask.printed(&answer)? {
        out!("{}\n{}\n{}", word(&answer["name"]), word(&answer["phone"]), word(&answer["address"]));
    }
    Ok(())
}

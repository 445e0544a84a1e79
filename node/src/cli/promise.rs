//! Commands about promises: reserving goods, following a reservation, rules, rights, tables for other programs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::ask::{escaped, rows, word};
use super::{Failure, table};
use crate::client::{Client, Target};

/// Arguments of `reserve`.
#[derive(Args, Debug)]
pub struct ReserveArgs {
    /// What
    sku: String,
    /// How many pieces or grams
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    quantity: u64,
    /// At this store; may be given several times, the best first [default: all, the nearest or the node's own first]
    #[arg(long = "store", value_name = "ID")]
    stores: Vec<u32>,
    /// Where the customer is: the nearest store is tried first
    #[arg(long, value_name = "LAT,LON", value_parser = parse_place, allow_hyphen_values = true)]
    near: Option<Place>,
    /// How the customer gets the goods: pickup or delivery
    #[arg(long, default_value = "pickup")]
    channel: String,
    /// The order for which it is
    #[arg(long, value_name = "ORDER")]
    reference: Option<String>,
    /// For how long it is held unconfirmed, e.g. 30m [default: as the product's rule says]
    #[arg(long, value_name = "TIME", value_parser = super::node::parse_span)]
    hold: Option<std::time::Duration>,
    /// Only with goods in the book behind it, nothing that has still to be confirmed
    #[arg(long)]
    hard: bool,
    /// How long to wait for rights from elsewhere, at most 5s
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = super::node::parse_span)]
    wait: std::time::Duration,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `reservation`.
#[derive(Args, Debug)]
pub struct ReservationArgs {
    /// Its name, as `reserve` printed it
    id: String,
    /// What becomes of it; without this it is shown
    action: Option<Action>,
    /// Why, or where
    #[arg(long, requires = "action")]
    note: Option<String>,
    /// By whom
    #[arg(long, requires = "action")]
    staff: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// What becomes of a reservation.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Action {
    /// The customer wants it (at the node that made it)
    Confirm,
    /// It is over (decided at the store of the goods, asked for at the node that made it)
    Release,
    /// The goods were taken off the shelf (at the store)
    Pick,
    /// They were put back (at the store)
    PutBack,
    /// They were handed over (at the store)
    Fulfil,
    /// They are not there (at the store)
    NotFound,
}

/// Arguments of `rights`.
#[derive(Args, Debug)]
pub struct RightsArgs {
    /// Of which product
    sku: String,
    /// Only of goods at this store
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    target: Target,
}

/// What `policy` does.
#[derive(Subcommand, Debug)]
pub enum PolicyCommand {
    /// Set the rule for everything, a department or a product (at the hub)
    Set(Box<PolicyArgs>),
    /// List the rules that hold
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Take a rule back: the next wider one holds again (at the hub)
    Remove {
        #[command(flatten)]
        about: About,
        #[command(flatten)]
        target: Target,
    },
}

/// What a rule is about.
#[derive(Args, Clone, Debug)]
pub struct About {
    /// About this product only
    #[arg(long, conflicts_with = "department")]
    sku: Option<String>,
    /// About this department only [default: everything]
    #[arg(long)]
    department: Option<String>,
}

/// Arguments of `policy set`.
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(flatten)]
    about: About,
    /// How rights are spread: hub-only, static, equal-borrow, proportional or littlewood
    #[arg(long, default_value = "littlewood")]
    allocation: String,
    /// Pieces or grams per store that are never promised
    #[arg(long, value_name = "UNITS", default_value_t = 0)]
    safety: u32,
    /// Accepted probability that walk-in customers or shrinkage break a promise, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    risk: f64,
    /// Accepted probability that a soft promise is broken, percent; 0 for no soft promises
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    soft: f64,
    /// Soft promises open at a time, percent of the goods
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    overbooking: f64,
    /// Expected shrinkage per day since the last count, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    shrink: f64,
    /// From a promise until its goods are picked, e.g. 30m
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = super::node::parse_span)]
    lead: std::time::Duration,
    /// How long an unconfirmed promise is held, e.g. 15m
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = super::node::parse_span)]
    hold: std::time::Duration,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `retire`.
#[derive(Args, Debug)]
pub struct RetireArgs {
    /// The node that will never come back
    node: u32,
    /// Units that may have been promised without anybody knowing; the refusal without it names the number
    #[arg(long, value_name = "UNITS")]
    accept: Option<u64>,
    /// Why
    #[arg(long, default_value = "lost")]
    reason: String,
    /// Who decides it
    #[arg(long)]
    staff: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `promote`.
#[derive(Args, Debug)]
pub struct PromoteArgs {
    /// The node that shall keep the store's goods
    node: u32,
    /// Its store
    #[arg(long, value_name = "ID")]
    store: u32,
    /// Units that the store's other nodes may have promised without anybody knowing; the refusal without it names the number
    #[arg(long, value_name = "UNITS")]
    accept: Option<u64>,
    /// Why
    #[arg(long, default_value = "replaced")]
    reason: String,
    /// Who decides it
    #[arg(long)]
    staff: Option<String>,
    #[command(flatten)]
    target: Target,
}

/// Arguments of `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Which table
    what: Table,
    /// Sales of this store only
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Where it goes [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    target: Target,
}

/// A table for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// Outages of links that the node saw: node,from_ms,to_ms
    Outages,
    /// Sales line by line: store,sku,at_ms,quantity
    Sales,
}

/// A point on the globe.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    lat: f64,
    lon: f64,
}

/// Reads `LAT,LON` in degrees.
pub fn parse_place(text: &str) -> Result<Place, String> {
    let wrong = || "a place is latitude,longitude in degrees, e.g. 52.52,13.405".to_owned();
    let (lat, lon) = text.split_once(',').ok_or_else(wrong)?;
    let (lat, lon) = (lat.trim().parse().map_err(|_| wrong())?, lon.trim().parse().map_err(|_| wrong())?);
    Ok(Place { lat, lon })
}

impl Place {
    /// As the API takes it.
    pub fn json(self) -> Value {
        json!({ "lat": self.lat, "lon": self.lon })
    }
}

/// `reserve`.
pub fn reserve(args: &ReserveArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let mut body = json!({
        "sku": args.sku,
        "quantity": args.quantity,
        "stores": args.stores,
        "channel": args.channel,
        "soft": !args.hard,
        "wait_ms": u64::try_from(args.wait.as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(near) = args.near {
        body["near"] = near.json();
    }
    if let Some(reference) = &args.reference {
        body["reference"] = reference.as_str().into();
    }
    if let Some(hold) = args.hold {
        body["hold_s"] = hold.as_secs().into();
    }
    let answer = client.write("/v1/reservations", Some(&fresh_key()?), &body)?;
    let seen = rows(&answer["considered"]).map(|seen| {
        let distance = seen["distance_km"].as_f64().map_or_else(|| "-".into(), |km| format!("{km:.1} km"));
        let (outcome, why) = (word(&seen["outcome"]), word(&seen["why"]));
        [
            word(&seen["store"]),
            distance,
            word(&seen["on_hand"]),
            word(&seen["held"]),
            word(&seen["elsewhere"]),
            outcome,
            why,
        ]
    });
    table::print(["store", "distance", "on hand", "rights here", "elsewhere", "promise", "why"], seen);
    let (quantity, sku) = (args.quantity, &args.sku);
    match answer["outcome"].as_str() {
        Some("hard") | Some("soft") => {
            let soft = if answer["outcome"] == "soft" { ", still to be confirmed by the store" } else { "" };
            let (store, until, id) = (word(&answer["store"]), word(&answer["until"]), word(&answer["id"]));
            out!("{quantity} {sku} are promised at store {store}{soft}, until {until}.");
            out!("Reservation {id}; the customer takes it: stockroom reservation {id} confirm");
            Ok(())
        }
        _ => Err(format!("{quantity} {sku} are not promised: {}", word(&answer["why"])).into()),
    }
}

/// `reservation`.
pub fn reservation(args: &ReservationArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let shown = match args.action {
        None => client.read(&format!("/v1/reservations/{}", escaped(&args.id)))?,
        Some(action) => {
            let action = action.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            let body =
                json!({ "note": args.note.as_deref().unwrap_or(""), "staff": args.staff.as_deref().unwrap_or("") });
            let path = format!("/v1/reservations/{}/{action}", escaped(&args.id));
            let mut answer = client.write(&path, Some(&fresh_key()?), &body)?;
            out!("{}: {}.", args.id, word(&answer["did"]).replace('-', " "));
            answer["reservation"].take()
        }
    };
    let text = |name: &str| word(&shown[name]);
    let state = text("state").replace('-', " ");
    out!(
        "{} {} of {} at store {} for {}: {state} ({})",
        text("quantity"),
        text("unit"),
        text("sku"),
        text("store"),
        text("channel"),
        text("outcome")
    );
    out!("{}", text("why"));
    let made = [text("made_at"), format!("made as {}", text("made_as")), text("made_by"), String::new(), String::new()];
    let steps = rows(&shown["steps"]).map(|step| {
        let said = word(&step["step"]).replace('-', " ");
        [word(&step["at"]), said, word(&step["by"]), word(&step["staff"]), word(&step["note"])]
    });
    table::print(["when", "what", "node", "by", "note"], std::iter::once(made).chain(steps));
    if shown["shortage"].is_object() {
        let shortage = &shown["shortage"];
        out!(
            "Broken at {}: {}, {} in the book.",
            word(&shortage["at"]),
            word(&shortage["cause"]),
            word(&shortage["on_hand"])
        );
    }
    if shown["compensation"].is_object() {
        out!("Its customer gets: {}.", word(&shown["compensation"]["remedy"]));
    }
    Ok(())
}

/// `rights`.
pub fn rights(args: &RightsArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let store = args.store.map(|store| format!("?store={store}")).unwrap_or_default();
    let answer = client.read(&format!("/v1/rights/{}{store}", escaped(&args.sku)))?;
    let mut none = true;
    for held in rows(&answer["stores"]) {
        none = false;
        let goods = &held["goods"];
        out!("{}", super::ask::age_of(held));
        out!(
            "{} {} in the book; {} owed: {} made, {} burned, {} closed, {} promised now",
            word(&held["on_hand"]),
            word(&answer["unit"]),
            word(&goods["liability"]),
            word(&goods["minted"]),
            word(&goods["burned"]),
            word(&goods["closed"]),
            word(&goods["open"]),
        );
        let lines = ["goods", "soft"].into_iter().flat_map(|class| {
            rows(&held[class]["rows"]).map(move |row| {
                let place = match row["at_store"].as_u64() {
                    Some(0) => String::from("hub"),
                    Some(store) => format!("store {store}"),
                    None => String::from("-"),
                };
                let retired = if row["retired"] == true { "written off" } else { "" };
                let of = |name: &str| word(&row[name]);
                [
                    class.into(),
                    of("actor"),
                    place,
                    of("minted"),
                    of("used"),
                    of("burned"),
                    of("granted"),
                    of("held"),
                    retired.into(),
                ]
            })
        });
        table::print(["rights", "node", "at", "made", "used", "burned", "granted", "held", ""], lines);
        let waiting = rows(&held["requests"]).filter(|request| request["answered"] == false);
        for request in waiting {
            let (by, of, quantity) = (word(&request["by"]), word(&request["of"]), word(&request["quantity"]));
            out!("{by} asks node {of} for {quantity}: {}", word(&request["why"]));
        }
        out!("");
    }
    if none {
        out!("Nobody ever had rights to {}: is there a rule? See stockroom policy list", args.sku);
    }
    Ok(())
}

/// `policy`.
pub fn policy(command: &PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Set(args) => {
            let minutes = |time: std::time::Duration| time.as_secs_f64() / 60.0;
            let mut body = json!({
                "allocation": args.allocation,
                "safety": args.safety,
                "risk_percent": args.risk,
                "soft_percent": args.soft,
                "overbooking_percent": args.overbooking,
                "shrink_percent_day": args.shrink,
                "lead_min": minutes(args.lead),
                "hold_min": minutes(args.hold),
            });
            if let Some(sku) = &args.about.sku {
                body["sku"] = sku.as_str().into();
            }
            if let Some(department) = &args.about.department {
                body["department"] = department.as_str().into();
            }
            let set = Client::new(&args.target).replace("/v1/policies", Some(&fresh_key()?), &body)?;
            print_rules([&set]);
        }
        PolicyCommand::List { target } => {
            let list = Client::new(target).read("/v1/policies")?;
            if rows(&list["items"]).next().is_none() {
                out!(
                    "There is no rule: goods are sold at tills and promised to nobody. See stockroom policy set --help"
                );
            } else {
                print_rules(rows(&list["items"]));
            }
        }
        PolicyCommand::Remove { about, target } => {
            let query = match (&about.sku, &about.department) {
                (Some(sku), _) => format!("?sku={}", escaped(sku)),
                (None, Some(department)) => format!("?department={}", escaped(department)),
                (None, None) => String::new(),
            };
            let removed = Client::new(target).remove(&format!("/v1/policies{query}"))?;
            match &removed["now"] {
                Value::Null => out!("The rule is taken back; nothing new is promised now."),
                now => {
                    out!("The rule is taken back; this one holds now:");
                    print_rules([now]);
                }
            }
        }
    }
    Ok(())
}

/// `retire`.
pub fn retire(args: &RetireArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let mut body = json!({ "reason": args.reason, "staff": args.staff.as_deref().unwrap_or("") });
    if let Some(accept) = args.accept {
        body["accept"] = accept.into();
    }
    client.write(&format!("/v1/nodes/{}/write-off", args.node), Some(&fresh_key()?), &body)?;
    out!("The rights of node {} are written off; its store makes them anew from what is in the book.", args.node);
    Ok(())
}

/// `promote`.
pub fn promote(args: &PromoteArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let mut body = json!({ "node": args.node, "reason": args.reason, "staff": args.staff.as_deref().unwrap_or("") });
    if let Some(accept) = args.accept {
        body["accept"] = accept.into();
    }
    let answer = client.write(&format!("/v1/stores/{}/home", args.store), Some(&fresh_key()?), &body)?;
    out!("Node {} keeps the goods of store {} now, under term {}.", args.node, args.store, answer["term"]);
    Ok(())
}

/// `export`.
pub fn export(args: &ExportArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let path = match (args.what, args.store) {
        (Table::Outages, None) => "/v1/exports/outages".to_owned(),
        (Table::Outages, Some(_)) => {
            return Err("outages are those of the node that is asked: leave out --store".into());
        }
        (Table::Sales, None) => "/v1/exports/sales".to_owned(),
        (Table::Sales, Some(store)) => format!("/v1/exports/sales?store={store}"),
    };
    let mut table = client.stream(&path)?;
    let bytes = match &args.out {
        None => std::io::copy(&mut table, &mut std::io::stdout().lock())?,
        Some(file) => {
            let at = |error: std::io::Error| format!("cannot write {}: {error}", file.display());
            let mut writer = BufWriter::new(File::create(file).map_err(at)?);
            let bytes = std::io::copy(&mut table, &mut writer).map_err(at)?;
            writer.flush().map_err(at)?;
            bytes
        }
    };
    if let Some(file) = &args.out {
        eprintln!("{bytes} bytes are in {}.", file.display());
    }
    Ok(())
}

fn print_rules<'a>(rules: impl IntoIterator<Item = &'a Value>) {
    let percent = |value: &Value| format!("{}%", word(value));
    let minutes = |value: &Value| format!("{} min", word(value));
    let lines = rules.into_iter().map(|rule| {
        let about = match (rule["sku"].as_str(), rule["department"].as_str()) {
            (Some(sku), _) => sku.to_owned(),
            (None, Some(department)) => format!("department {department}"),
            (None, None) => String::from("everything"),
        };
        [
            about,
            word(&rule["allocation"]),
            word(&rule["safety"]),
            percent(&rule["risk_percent"]),
            percent(&rule["soft_percent"]),
            percent(&rule["overbooking_percent"]),
            percent(&rule["shrink_percent_day"]),
            minutes(&rule["lead_min"]),
            minutes(&rule["hold_min"]),
        ]
    });
    table::print(["about", "allocation", "safety", "risk", "soft", "overbooking", "shrink/day", "lead", "hold"], lines);
}

/// A key of its own for every command that a person gives.
pub fn fresh_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| "the system gave no randomness")?;
    Ok(stockroom_crdt::ids::hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_two_numbers() {
        assert_eq!(parse_place("52.52, -13.4"), Ok(Place { lat: 52.52, lon: -13.4 }));
        for wrong in ["", "52.52", "north,south", "1;2"] {
            assert!(parse_place(wrong).is_err(), "{wrong}");
        }
    }
}

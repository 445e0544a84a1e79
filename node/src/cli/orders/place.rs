//! Placing an order, and why stores were chosen or not.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::AskArgs;
use crate::cli::ask::{Line, parse_line, rows, word};
use crate::cli::promise::{Place, fresh_key, parse_place};
use crate::cli::{Failure, table};

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
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = crate::cli::node::parse_span)]
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

/// `orders place`.
pub fn place(args: &PlaceArgs) -> Result<(), Failure> {
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

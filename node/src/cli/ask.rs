//! Commands that ask a running node.

use serde_json::{Value, json};
use stockroom_crdt::money::{Unit, extend};

use super::{Failure, SellArgs, StatusArgs, StockArgs, table};
use crate::client::{Client, ClientError};

/// A line of `sell`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    sku: String,
    quantity: i64,
    unit_price: Option<i64>,
}

/// Reads `SKU[:QTY[@PRICE]]`.
pub fn parse_line(text: &str) -> Result<Line, String> {
    let wrong = |what: &str| format!("{what} is not a whole number");
    let (sku, rest) = text.split_once(':').map_or((text, None), |(sku, rest)| (sku, Some(rest)));
    let (quantity, price) = match rest.map(|rest| rest.split_once('@').map_or((rest, None), |(q, p)| (q, Some(p)))) {
        None => (1, None),
        Some((quantity, price)) => (quantity.parse().map_err(|_| wrong("the quantity"))?, price),
    };
    let unit_price = price.map(|price| price.parse().map_err(|_| wrong("the price"))).transpose()?;
    if sku.is_empty() {
        return Err("a SKU is missing".into());
    }
    Ok(Line { sku: sku.into(), quantity, unit_price })
}

impl Line {
    /// As the API takes it.
    pub fn json(&self) -> Value {
        let mut line = json!({ "sku": self.sku, "quantity": self.quantity });
        if let Some(price) = self.unit_price {
            line["unit_price"] = price.into();
        }
        line
    }
}

/// `status`.
pub fn status(args: &StatusArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let status = client.read("/v1/status")?;
    if args.json {
        out!("{}", serde_json::to_string_pretty(&status)?);
        return Ok(());
    }
    let text = |name: &str| word(&status[name]);
    let who = if status["store"] == 0 { String::from("Hub") } else { format!("Store {}", text("store")) };
    out!("{who} of {}: node {}, stockroom {}", text("name"), text("node"), text("version"));
    out!("Epoch {}{}, up since {}", word(&status["epoch"]["number"]), reason(&status), text("started_at"));
    if status["rights_locked"] == true {
        out!("RIGHTS ARE LOCKED until this node has heard its hub; tills go on.");
    }
    if status["disk"] != "ample" {
        out!("THE DISK IS NEARLY FULL ({}): imports stop, sales go on.", text("disk"));
    }
    if status["link_certificate"]["state"] != "good" {
        out!("{} ({})", word(&status["link_certificate"]["says"]), word(&status["link_certificate"]["until"]));
    }
    out!("{}", backlog(&status));
    if let Some(address) = status["pages"]["address"].as_str() {
        out!("Pages at {address}; a device trusts {} first:", word(&status["pages"]["ca"]));
        out!("  SHA-256 {}", word(&status["pages"]["ca_sha256"]));
        out!("  {}", word(&status["pages"]["certificate"]["says"]));
    }
    let links = rows(&status["peers"]).map(link);
    section("No other node is connected.", ["node", "store", "is", "state", "round trip", "sent", "received"], links);
    let stores = rows(&status["stores"]).map(known);
    section("No store is known.", ["store", "known until", "link"], stores);
    Ok(())
}

/// The core remembers why an epoch began only since its start; before, it says "first start" of a later one too.
fn reason(status: &Value) -> String {
    let (number, reason) = (&status["epoch"]["number"], word(&status["epoch"]["reason"]));
    if *number != 1 && reason == "first start" { String::new() } else { format!(" ({reason})") }
}

fn backlog(status: &Value) -> String {
    match (&status["role"], status["backlog"]["entries"].as_u64()) {
        (role, _) if role == "hub" => String::from("This is a hub; stores bring their entries here."),
        (_, Some(0)) => String::from("Everything written here is durable at the hub."),
        (_, entries) => {
            let age = status["backlog"]["oldest_age_s"].as_u64().unwrap_or(0) * 1_000;
            format!("{} entries are not at the hub yet, the oldest for {}.", entries.unwrap_or(0), table::age(age, 0))
        }
    }
}

fn link(peer: &Value) -> [String; 7] {
    let state = match (peer["ready"] == true, peer["drained"] == true) {
        (false, _) => "greeting",
        (true, false) => "has to catch up",
        (true, true) => "up to date",
    };
    let relation = match peer["relation"].as_str() {
        Some("parent") => "hub above",
        Some("child") => "below",
        _ => "neighbour",
    };
    let trip = peer["rtt_us"].as_f64().map_or_else(|| "-".into(), |us| format!("{:.1} ms", us / 1_000.0));
    let bytes = |name: &str| format!("{} kB", peer[name].as_u64().unwrap_or(0).div_ceil(1_000));
    let (sent, received) = (bytes("udp_tx_bytes"), bytes("udp_rx_bytes"));
    [word(&peer["node"]), word(&peer["store"]), relation.into(), state.into(), trip, sent, received]
}

fn known(store: &Value) -> [String; 3] {
    let until = match store["age_s"].as_u64() {
        None => String::from("never"),
        Some(0) => String::from("now"),
        Some(age_s) => format!("{} ago", table::age(age_s * 1_000, 0)),
    };
    let link = if store["connected"] == true { "up" } else { "down" };
    [word(&store["store"]), until, link.into()]
}

/// `sell`: prices come from the node's price book where none is given, so that the payment adds up.
pub fn sell(args: &SellArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let mut total = 0;
    let mut lines = Vec::new();
    for line in &args.lines {
        let unit_price = match line.unit_price {
            Some(price) => price,
            None => price_of(&client, &line.sku)?,
        };
        total += extend(unit_of(&client, &line.sku)?, line.quantity, unit_price);
        lines.push(json!({ "sku": line.sku, "quantity": line.quantity, "unit_price": unit_price }));
    }
    let till = client.read(&format!("/v1/tills/{}", args.till))?;
    let kind = if args.cash { "cash" } else { "card" };
    let body = json!({
        "till": args.till,
        "till_seq": till["next_till_seq"],
        "lines": lines,
        "tenders": [{ "kind": kind, "amount": total }],
    });
    let sale = client.write("/v1/sales", None, &body)?;
    let rows = rows(&sale["lines"]).map(|line| {
        let unknown = if line["unknown_sku"] == true { "not in the catalogue" } else { "" };
        let amount = money(&line["amount"]);
        [word(&line["sku"]), word(&line["quantity"]), money(&line["unit_price"]), amount, unknown.into()]
    });
    table::print(["SKU", "quantity", "price", "amount", ""], rows);
    out!("Receipt {}: {} {}, paid by {kind}.", word(&sale["receipt"]), money(&sale["total"]), word(&sale["currency"]));
    Ok(())
}

fn price_of(client: &Client, sku: &str) -> Result<i64, Failure> {
    let prices = client.read(&format!("/v1/prices?sku={}", escaped(sku)))?;
    let price = prices["items"][0]["price"].as_i64();
    price.ok_or_else(|| format!("{sku} has no price here; give one: {sku}:1@PRICE").into())
}

/// An unknown product is sold by the piece: the goods are in the customer's hands.
fn unit_of(client: &Client, sku: &str) -> Result<Unit, Failure> {
    match client.read(&format!("/v1/products/{}", escaped(sku))) {
        Ok(product) => Ok(product["unit"].as_str().and_then(Unit::parse).unwrap_or(Unit::Each)),
        Err(ClientError::Refused { status: 404, .. }) => Ok(Unit::Each),
        Err(error) => Err(error.into()),
    }
}

/// `stock`.
pub fn stock(args: &StockArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let store = args.store.map(|store| format!("store={store}")).unwrap_or_default();
    match &args.sku {
        None => all_stock(&client, &store),
        Some(sku) if args.why => why(&client, sku, &store),
        Some(sku) => {
            let stock = client.read(&format!("/v1/stock/{}?{store}", escaped(sku)))?;
            out!("{}", age_of(&stock));
            table::print(STOCK_COLUMNS, [stock_row(&stock)]);
            Ok(())
        }
    }
}

fn all_stock(client: &Client, store: &str) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.read(&format!("/v1/stock?limit=1000&{store}{after}"))?;
        if all.is_empty() {
            out!("{}", age_of(&page));
        }
        all.extend(rows(&page["items"]).map(stock_row));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={}", escaped(next)),
            None => break,
        }
    }
    table::print(STOCK_COLUMNS, all);
    Ok(())
}

fn why(client: &Client, sku: &str, store: &str) -> Result<(), Failure> {
    let history = client.read(&format!("/v1/stock/{}/history?{store}", escaped(sku)))?;
    out!("{}", age_of(&history));
    table::print(STOCK_COLUMNS, [stock_row(&history)]);
    out!("");
    if let Some(omitted) = history["omitted"].as_u64().filter(|&omitted| omitted > 0) {
        out!("{omitted} older entries are left out.");
    }
    let entries = rows(&history["entries"]).map(|entry| {
        let running = entry["running"].as_i64().map_or_else(|| "(counted)".into(), |n| n.to_string());
        let log = format!("{} #{}", word(&entry["writer"]), word(&entry["seq"]));
        [word(&entry["at"]), word(&entry["what"]), running, log]
    });
    table::print(["when", "what", "on hand", "in the log of"], entries);
    let moved = rows(&history["rights"]["entries"]).map(|entry| {
        let log = format!("{} #{}", word(&entry["writer"]), word(&entry["seq"]));
        [word(&entry["at"]), word(&entry["what"]), log]
    });
    section(
        "Nothing of it was ever promised.",
        ["when", "what moved the rights, newest first", "in the log of"],
        moved,
    );
    if history["rights"]["omitted"] == true {
        out!("Older entries about rights are left out.");
    }
    Ok(())
}

/// How old what follows is.
pub fn age_of(knowledge: &Value) -> String {
    let store = word(&knowledge["store"]);
    match knowledge["age_s"].as_u64() {
        None => format!("Store {store}: never heard of since it joined."),
        Some(0) => format!("Store {store}, now:"),
        Some(age_s) => format!("Store {store}, as it was {} ago:", table::age(age_s * 1_000, 0)),
    }
}

fn stock_row(stock: &Value) -> [String; 5] {
    let recount = stock["recount"].as_str().map(|why| format!("count again: {}", why.replace('_', " ")));
    let name = stock["name"].as_str().unwrap_or("(not in the catalogue)");
    [word(&stock["sku"]), name.into(), word(&stock["on_hand"]), word(&stock["unit"]), recount.unwrap_or_default()]
}

fn section<const N: usize>(empty: &str, headings: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let rows: Vec<_> = rows.collect();
    out!("");
    if rows.is_empty() { out!("{empty}") } else { table::print(headings, rows) }
}

/// The items of a list.
pub fn rows(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// A value as people read it.
pub fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// Minor units with two places; a currency without them shows its hundreds.
pub fn money(minor: &Value) -> String {
    let minor = minor.as_i64().unwrap_or(0);
    let sign = if minor < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", minor.unsigned_abs() / 100, minor.unsigned_abs() % 100)
}

/// A SKU in a path or query: of what it may consist of, only the slash means something there.
pub fn escaped(sku: &str) -> String {
    sku.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

const STOCK_COLUMNS: [&str; 5] = ["SKU", "name", "on hand", "unit", ""];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_sku_with_an_optional_quantity_and_price() {
        let line = |sku: &str, quantity, unit_price| Ok(Line { sku: sku.into(), quantity, unit_price });
        assert_eq!(parse_line("milk"), line("milk", 1, None));
        assert_eq!(parse_line("milk:-2"), line("milk", -2, None));
        assert_eq!(parse_line("a/b:3@129"), line("a/b", 3, Some(129)));
        for wrong in ["", ":1", "milk:", "milk:x", "milk:1@", "milk:1@1.29"] {
            assert!(parse_line(wrong).is_err(), "{wrong}");
        }
        assert_eq!(escaped("a/b c"), "a%2Fb%20c");
        assert_eq!([money(&json!(-5)), money(&json!(1299))], ["-0.05", "12.99"]);
    }
}

//! Customers who order on line: placed at the hub while the lines are up, or while they are down; collected by code, or with a signed pass
//! at a store that has never heard of the order; delivered by the store's own rider; cancelled while the store cannot be asked.
//!
//! What customers order are baskets of the sample, one of each product. What must come of each order is said here, apart from all nodes, and
//! compared with what every node has on record.

use serde_json::{Value, json};

use super::door::{Door, JSON};
use super::sample::{CURRENCY, Sample};

/// What was ordered.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// In the order in which they were placed.
    pub placed: Vec<Placed>,
    /// What their references begin with.
    series: &'static str,
}

/// One order.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its number.
    pub order: String,
    /// Which store has its goods.
    pub store: u32,
    /// With which the customer collects it.
    pub code: String,
    /// What is to come of it.
    pub fate: Fate,
}

/// What is to come of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Collected by code while the hub is away.
    Code,
    /// Collected by pass, at a store that had not heard of it.
    Pass,
    /// Brought to the customer by the store's own rider while the hub is away.
    Delivery,
    /// Cancelled in the app, before the customer had it.
    Cancelled,
    /// Cancelled in the app, after the customer had collected it.
    TooLate,
}

/// What became of all orders, as the hub has it on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Orders placed.
    pub placed: usize,
    /// Handed over by code.
    pub by_code: usize,
    /// Handed over by pass.
    pub by_pass: usize,
    /// Delivered.
    pub delivered: usize,
    /// Cancelled, and to be paid back once.
    pub cancelled: usize,
    /// Cancelled after the handover: nothing is paid back.
    pub too_late: usize,
}

impl Orders {
    /// Customers order while all lines are up, and the stores make ready what they are offered.
    pub fn place(doors: &[Door], sample: &Sample) -> Result<Self, String> {
        let mut orders = Self::default();
        let wanted = [(1, Fate::Code), (1, Fate::TooLate), (1, Fate::Cancelled), (3, Fate::Delivery)];
        for (store, fate) in wanted {
            orders.order(doors, sample, (store, fate))?;
        }
        Ok(orders)
    }

    /// Two orders for whoever plays on with the pages: nobody has picked them yet.
    pub fn for_visitors(doors: &[Door], sample: &Sample) -> Result<Self, String> {
        let mut orders = Self { series: "visitor-", ..Self::default() };
        for _ in 0..2 {
            orders.order(doors, sample, (1, Fate::Code))?;
        }
        Ok(orders)
    }

    /// Stores accept, pick and stage what they were offered. Gives how many have not arrived there yet.
    pub fn make_ready(&self, doors: &[Door]) -> Result<usize, String> {
        let mut waiting = 0;
        for placed in &self.placed {
            let door = &doors[placed.store as usize];
            let Ok(part) = door.read(&format!("/v1/fulfillments/{}", placed.order)) else {
                waiting += 1;
                continue;
            };
            if part["state"] != "offered" {
                continue;
            }
            for (action, body) in [("accept", json!({})), ("pick", json!({})), ("ready", json!({ "note": "bay 3" }))] {
                act(door, placed, (action, &body))?;
            }
        }
        Ok(waiting)
    }

    /// What customers do while the hub reaches nobody. Gives what to tell, a sentence each.
    pub fn come(&mut self, doors: &[Door], sample: &Sample) -> Result<Vec<String>, String> {
        let mut told = Vec::new();
        for placed in self.placed.clone() {
            let door = &doors[placed.store as usize];
            match placed.fate {
                Fate::Code => {
                    let wrong = if placed.code == "000000" { "111111" } else { "000000" };
                    refused(door, &placed, &json!({ "code": wrong, "staff": "anna", "device": 1 }))?;
                    act(door, &placed, ("hand-over", &json!({ "code": placed.code, "staff": "anna", "device": 1 })))?;
                    let again = json!({ "code": placed.code, "staff": "ben", "device": 2 });
                    let why = refused(door, &placed, &again)?;
                    told.push(format!(
                        "order {} is collected by code at store {}; a wrong code was refused before, and the right one a second time: {why}",
                        placed.order, placed.store
                    ));
                }
                Fate::TooLate => {
                    act(door, &placed, ("hand-over", &json!({ "code": placed.code, "staff": "anna", "device": 1 })))?;
                    let why = cancel(&doors[0], &placed)?;
                    told.push(format!(
                        "order {} is collected, and then cancelled in the app; the hub, which does not know: {why}",
                        placed.order
                    ));
                }
                Fate::Cancelled => {
                    let why = cancel(&doors[0], &placed)?;
                    told.push(format!(
                        "order {} is cancelled in the app while its goods lie ready: {why}",
                        placed.order
                    ));
                }
                Fate::Delivery => {
                    act(door, &placed, ("dispatch", &json!({ "note": "own rider", "staff": "carl" })))?;
                    act(door, &placed, ("deliver", &json!({ "note": "at the door", "staff": "carl" })))?;
                    told.push(format!(
                        "order {} is brought to the customer by the own rider of store {}",
                        placed.order, placed.store
                    ));
                }
                Fate::Pass => {}
            }
        }
        told.push(self.by_pass(doors, sample)?);
        Ok(told)
    }

    /// Goods of cancelled orders go back to the shelf. Gives how many orders are not as they must be, at any node that has them.
    pub fn settle(&self, doors: &[Door]) -> Result<usize, String> {
        let mut open = 0;
        for placed in &self.placed {
            let door = &doors[placed.store as usize];
            let part = door.read(&format!("/v1/fulfillments/{}", placed.order))?;
            if part["put_back"] == true {
                act(door, placed, ("put-back", &json!({ "staff": "anna" })))?;
            }
            let order = doors[0].read(&format!("/v1/orders/{}", placed.order))?;
            open += usize::from(order["state"] != placed.fate.ends() || order["stability"] != "stable");
        }
        Ok(open)
    }

    /// Reckons what became of the orders from what the hub has on record, and what is wrong with it.
    pub fn reckon(&self, hub: &Door) -> Result<(Served, Vec<String>, Vec<String>), String> {
        let mut served = Served { placed: self.placed.len(), ..Served::default() };
        let (mut faults, mut reasons) = (Vec::new(), Vec::new());
        for placed in &self.placed {
            let order = hub.read(&format!("/v1/orders/{}", placed.order))?;
            match self.judge(placed, &order) {
                Ok(()) => *served.of(placed.fate) += 1,
                Err(fault) => faults.push(format!("order {}: {fault}", placed.order)),
            }
            if matches!(placed.fate, Fate::Cancelled | Fate::TooLate) {
                let words = order["reasons"].as_array().into_iter().flatten();
                let words: Vec<_> = words.filter_map(|reason| reason["why"].as_str()).collect();
                reasons.push(format!("order {} is {}: {}", placed.order, placed.fate.ends(), words.join("; ")));
            }
        }
        Ok((served, faults, reasons))
    }

    /// A customer's order for a store that the hub does not reach, and the pass with which it is collected there.
    fn by_pass(&mut self, doors: &[Door], sample: &Sample) -> Result<String, String> {
        self.order(doors, sample, (UNHEARD_AT, Fate::Pass))?;
        let placed = self.placed.last().ok_or("no order was placed")?.clone();
        let door = &doors[UNHEARD_AT as usize];
        if door.read(&format!("/v1/fulfillments/{}", placed.order)).is_ok() {
            return Err(format!("store {UNHEARD_AT} has heard of order {} though its line is cut", placed.order));
        }
        let pass = doors[0].write(&format!("/v1/orders/{}/pass", placed.order), Some("demo-pass"), &json!({}))?;
        let shown = json!({ "pass": pass["pass"] });
        let elsewhere = doors[1].post("/v1/passes/verify", Some("demo-elsewhere"), (JSON, &shown.to_string()));
        if elsewhere.map_err(|error| error.to_string())?.is_good() {
            return Err(format!("store 1 took a pass for store {UNHEARD_AT}"));
        }
        door.write("/v1/passes/verify", Some("demo-verify"), &shown)?;
        act(door, &placed, ("hand-over", &json!({ "pass": pass["pass"], "staff": "dora", "device": 1 })))?;
        let why = refused(door, &placed, &json!({ "pass": pass["pass"], "staff": "emil", "device": 2 }))?;
        Ok(format!(
            "order {} is placed meanwhile, for store {UNHEARD_AT}, which has never heard of it: the signed pass on the customer's phone is \
             verified, and the goods are handed over; the same pass at the next till: {why}",
            placed.order
        ))
    }

    /// Places an order for goods of one store: the first basket of the evening whose goods can be promised.
    fn order(&mut self, doors: &[Door], sample: &Sample, (store, fate): (u32, Fate)) -> Result<(), String> {
        let baskets: Vec<_> =
            sample.of_store(store).filter(|basket| (2..=LINES_MAX).contains(&basket.lines.len())).collect();
        let taken = self.placed.len();
        for (n, basket) in baskets.iter().rev().skip(taken).enumerate().take(BASKETS_TRIED) {
            let mut lines: Vec<Value> = Vec::new();
            for line in &basket.lines {
                if !lines.iter().any(|other| other["sku"] == line.sku) {
                    lines.push(json!({ "sku": line.sku, "quantity": 1, "unit_price": line.unit_price.max(1) }));
                }
            }
            let total: i64 = lines.iter().filter_map(|line| line["unit_price"].as_i64()).sum();
            let is_delivery = fate == Fate::Delivery;
            let mut body = json!({
                "channel": if is_delivery { "delivery" } else { "pickup" }, "source": "demo",
                "reference": format!("{}demo-{taken}-{n}", self.series), "currency": CURRENCY, "stores": [store], "lines": lines,
                "payment": { "authorised": total, "captured": total, "reference": format!("card-{taken}") },
                "contact": { "name": "A customer", "phone": "+1 555 0100 1234", "address": "12 Some Street" },
            });
            if is_delivery {
                body["place"] = json!({ "lat": 39.1, "lon": -84.5 });
            }
            let answer =
                doors[0].write("/v1/orders", Some(&format!("{}demo-order-{taken}-{n}", self.series)), &body)?;
            let (Some(order), Some(code)) = (answer["order"].as_str(), answer["code"].as_str()) else { continue };
            self.placed.push(Placed { order: order.into(), store, code: code.into(), fate });
            return Ok(());
        }
        Err(format!("no basket of store {store} could be promised"))
    }

    fn judge(&self, placed: &Placed, order: &Value) -> Result<(), String> {
        let (state, wanted) = (order["state"].as_str().unwrap_or("-"), placed.fate.ends());
        if state != wanted {
            return Err(format!("it is {state}, not {wanted}"));
        }
        let due = order["compensations"].as_array().map_or(0, Vec::len);
        let lines = order["lines"].as_array().map_or(0, Vec::len);
        let owed = if placed.fate == Fate::Cancelled { lines } else { 0 };
        if due == owed { Ok(()) } else { Err(format!("{due} compensations, not {owed}: {}", order["compensations"])) }
    }
}

impl Fate {
    /// The state in which such an order ends.
    fn ends(self) -> &'static str {
        match self {
            Self::Code | Self::Pass | Self::Delivery | Self::TooLate => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Served {
    fn of(&mut self, fate: Fate) -> &mut usize {
        match fate {
            Fate::Code => &mut self.by_code,
            Fate::Pass => &mut self.by_pass,
            Fate::Delivery => &mut self.delivered,
            Fate::Cancelled => &mut self.cancelled,
            Fate::TooLate => &mut self.too_late,
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        format!(
            "{} placed: {} collected by code, {} by pass at a store that had not heard of it, {} delivered, {} cancelled and to be paid \
             back, {} cancelled too late",
            self.placed, self.by_code, self.by_pass, self.delivered, self.cancelled, self.too_late
        )
    }
}

fn act(door: &Door, placed: &Placed, (action, body): (&str, &Value)) -> Result<Value, String> {
    let path = format!("/v1/fulfillments/{}/{action}", placed.order);
    door.write(&path, Some(&format!("demo-{action}-{}", placed.order)), body)
}

/// A handover that must be refused; gives the node's words.
fn refused(door: &Door, placed: &Placed, body: &Value) -> Result<String, String> {
    let path = format!("/v1/fulfillments/{}/hand-over", placed.order);
    let key = format!("demo-refused-{}-{}", placed.order, body["device"]);
    let reply = door.post(&path, Some(&key), (JSON, &body.to_string())).map_err(|error| error.to_string())?;
    if reply.is_good() {
        return Err(format!("order {} was handed over, which had to be refused", placed.order));
    }
    Ok(reply.body["detail"].as_str().unwrap_or("-").to_owned())
}

/// The customer cancels in the app; gives the hub's words.
fn cancel(hub: &Door, placed: &Placed) -> Result<String, String> {
    let path = format!("/v1/orders/{}/cancel", placed.order);
    let answer =
        hub.write(&path, Some(&format!("demo-cancel-{}", placed.order)), &json!({ "note": "changed her mind" }))?;
    Ok(answer["why"].as_str().unwrap_or("-").to_owned())
}

/// The store whose customer comes with a pass.
const UNHEARD_AT: u32 = 2;

/// Baskets of two to so many lines are ordered.
const LINES_MAX: usize = 6;

/// So many baskets are tried until one can be promised.
const BASKETS_TRIED: usize = 25;

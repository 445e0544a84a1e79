//! Nodes ready to be looked at: goods with prices, people with PINs, a member, a campaign, orders on their way. What tests need to know of
//! them stands here as constants.
//!
//! Everything went in through the API and the commands, as it would in a shop.

use std::fs;

use serde_json::{Value, json};

use crate::nodes::binary::{is, must, wait_until};
use crate::nodes::door::{Door, Reply};
use crate::nodes::fleet::{CONVERGE_MAX, Fleet, free_port};

/// A hub and its stores, running until this is dropped.
pub struct World {
    /// The nodes, to stop and start them.
    pub fleet: Fleet,
    /// The hub's API.
    pub hub: Door,
    /// The API of each store, store 1 first.
    pub stores: Vec<Door>,
    /// Where each store serves its shop's network, over TLS.
    pub lan: Vec<String>,
    /// The account of [`MEMBER_NAME`].
    pub member: String,
    /// What customers ordered; none in a [`World::shop`].
    pub orders: Vec<Placed>,
    /// The path of the page of the rider [`RIDER`], at the hub.
    pub rider_page: String,
    /// A count at store 1 that goes on; 0 in a [`World::shop`].
    pub count: u64,
    /// Goods on their way from store 2 to store 1; empty in a [`World::shop`].
    pub transfer: String,
}

/// An order, and where it was left.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its number.
    pub order: String,
    /// With which its customer collects it.
    pub code: String,
    /// Its store.
    pub store: u32,
    /// How far it has come.
    pub stage: Stage,
}

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Offered to the store, which has not looked.
    Offered,
    /// Accepted, to be picked.
    Accepted,
    /// Ready to be collected.
    Ready,
    /// A delivery that left with the rider.
    WithRider,
    /// Handed over.
    Collected,
}

/// Somebody with a PIN.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// Short name.
    pub staff: &'static str,
    /// Name.
    pub name: &'static str,
    /// What she may do.
    pub role: &'static str,
    /// Her PIN.
    pub pin: &'static str,
}

/// One line of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Goods {
    /// Stock keeping unit.
    pub sku: &'static str,
    /// Name.
    pub name: &'static str,
    /// Barcode; empty for none.
    pub code: &'static str,
    /// Cents each, or per kilogram.
    pub price: i64,
    unit: &'static str,
    department: &'static str,
    age_min: u8,
    item_number: u32,
}

impl World {
    /// A store and its hub: goods on the shelf, staff, a member, a campaign. No orders.
    pub fn shop() -> Self {
        Self::of(1)
    }

    /// A hub and two stores, with orders in every stage at store 1 and one at store 2.
    pub fn chain() -> Self {
        let mut world = Self::of(2);
        let hub_only = json!({ "allocation": "hub-only", "lead_min": 0 });
        done(world.hub.put("/v1/policies", "world-rule", &hub_only), "the rule about promises");
        for (store, stage) in [
            (1, Stage::Offered),
            (1, Stage::Accepted),
            (1, Stage::Ready),
            (1, Stage::WithRider),
            (1, Stage::Collected),
            (2, Stage::Offered),
        ] {
            world.order(store, stage);
        }
        world.moves();
        world
    }

    /// Somebody counts at store 1, and goods are on their way there.
    fn moves(&mut self) {
        let (here, there) = (self.store(1).clone(), self.store(2).clone());
        self.count = 1_001;
        let sheet = json!({ "session": self.count, "skus": [MILK.sku, TEA.sku, APPLES.sku] });
        done(here.post("/v1/counts", Some("world-count"), &sheet), "a count");
        let seen = json!({ "zone": "shelf", "sku": TEA.sku, "quantity": 23 });
        done(here.post(&format!("/v1/counts/{}/scans", self.count), Some("world-scan"), &seen), "a scan");
        let sent = json!({ "to": 1, "lines": [{ "sku": TEA.sku, "quantity": 3 }] });
        let sent = done(there.post("/v1/transfers", Some("world-transfer"), &sent), "a transfer");
        self.transfer = sent["id"].as_str().expect("a transfer has a number").to_owned();
        wait_until(CONVERGE_MAX, "the transfer is known where it goes", || {
            here.read(&format!("/v1/transfers/{}", self.transfer))
        });
    }

    /// The API of a store.
    pub fn store(&self, store: u32) -> &Door {
        &self.stores[store as usize - 1]
    }

    /// The first order that was left in this stage.
    pub fn placed(&self, stage: Stage) -> &Placed {
        self.orders.iter().find(|placed| placed.stage == stage).expect("a chain has orders in every stage")
    }

    /// A new device's token, for the network of a store.
    pub fn device(&mut self, store: u32, name: &str) -> String {
        let data = self.fleet.store(store).data_text().to_owned();
        must(["device", "add", name, "--data", &data]).trim().to_owned()
    }

    fn of(stores: u32) -> Self {
        let mut fleet = Fleet::hub_alone();
        let mut lan = Vec::new();
        for store in 1..=stores {
            let (name, place) = STORES[store as usize - 1];
            fleet.join_with(store, &["--name", name, "--currency", CURRENCY, "--zone", ZONE, "--coordinates", place]);
            let node = fleet.store(store);
            let config = format!(
                "[terminals.{TERMINAL}]\nsimulated = true\n[printer]\ntarget = \"{}\"\n",
                node.data().join("paper").display()
            );
            fs::write(node.data().join("stockroom.toml"), config).expect("the folder is there");
            lan.push(format!("127.0.0.1:{}", free_port()));
            node.add_arguments(&["--api-lan", &lan[store as usize - 1]]);
            node.start();
        }
        let hub = fleet.hub().door().clone();
        let stores: Vec<_> = (1..=stores).map(|store| fleet.store(store).door().clone()).collect();
        let mut world = Self {
            fleet,
            hub,
            stores,
            lan,
            member: String::new(),
            orders: Vec::new(),
            rider_page: String::new(),
            count: 0,
            transfer: String::new(),
        };
        world.fill();
        world
    }

    fn fill(&mut self) {
        let list = GOODS.iter().map(|it| {
            format!(
                "{},\"{}\",{},{},{},{CURRENCY},{},{},{},{TAX}\n",
                it.sku, it.name, it.unit, it.code, it.price, it.department, it.age_min, it.item_number
            )
        });
        let head = "sku,name,unit,barcodes,price,currency,department,age_min,item_number,tax_code\n";
        let list: String = std::iter::once(head.to_owned()).chain(list).collect();
        let headers = [("content-type", "text/csv"), ("idempotency-key", "world-goods")];
        let path = "/v1/products/import?book=default&from=2020-01-01T00:00:00Z";
        done(self.hub.send("POST", path, &headers, &list), "the catalogue");
        let tax = json!({ "code": TAX, "from": "2020-01-01T00:00:00Z", "rate_bp": 700 });
        done(self.hub.put("/v1/till-rules/taxes", "world-tax", &tax), "the tax");
        for person in STAFF {
            let body = json!({ "name": person.name, "role": person.role, "pin": person.pin });
            let key = format!("world-{}", person.staff);
            done(self.hub.put(&format!("/v1/staff/{}", person.staff), &key, &body), person.name);
        }
        let programme = json!({ "earn_per": 100, "worth": 1, "offline_limit": 500, "share": 50 });
        done(self.hub.put("/v1/loyalty/rules", "world-points", &programme), "the programme of points");
        let campaign = json!({
            "id": CAMPAIGN, "name": "Tea week", "funder": "tea-growers", "bearer": "store", "gives": { "basket": { "from": 500, "off": 100 } },
            "worth_max": 100, "per_basket": 1, "kind": { "printed": { "coupons": 1_000, "store_limit": 10_000 } },
        });
        done(self.hub.put("/v1/campaigns", "world-campaign", &campaign), "the campaign");
        let member = json!({
            "home": 1, "consents": [{ "purpose": "membership", "given": true, "source": "app" }],
            "values": [{ "field": "name", "value": MEMBER_NAME }, { "field": "phone", "value": MEMBER_PHONE, "verified": true }],
        });
        let member = done(self.hub.post("/v1/members", Some("world-member"), &member), "the member");
        self.member = member["member"].as_str().expect("an account").to_owned();
        let rider = json!({ "id": RIDER, "name": "Ren Fei", "phone": "13700000000", "store": 1 });
        done(self.hub.post("/v1/riders", Some("world-rider"), &rider), "the rider");
        let path = format!("/v1/riders/{RIDER}/token");
        let token = done(self.hub.post(&path, Some("world-rider-page"), &json!({})), "the rider's page");
        self.rider_page = token["page"].as_str().expect("a path").to_owned();
        self.arrives();
        for store in &self.stores {
            let lines: Vec<_> = GOODS.iter().map(|it| json!({ "sku": it.sku, "quantity": it.shelf() })).collect();
            let body = json!({ "document": "opening", "lines": lines });
            done(store.post("/v1/goods-receipts", Some("world-opening"), &body), "goods on the shelf");
        }
    }

    /// Waits until every store knows what the hub was told.
    fn arrives(&self) {
        for (at, store) in self.stores.iter().enumerate() {
            wait_until(CONVERGE_MAX, &format!("store {} knows everything", at + 1), || {
                let prices = store.read("/v1/prices")?;
                let priced = prices["items"]
                    .as_array()
                    .map_or(0, |items| items.iter().filter(|it| it["price"].is_i64()).count());
                let staff = store.read("/v1/staff")?["items"].as_array().map_or(0, Vec::len);
                store.read(&format!("/v1/campaigns/{CAMPAIGN}"))?;
                let wanted = (GOODS.len(), STAFF.len());
                if (priced, staff) == wanted {
                    Ok(())
                } else {
                    Err(format!("{priced} prices and {staff} people, not {wanted:?}"))
                }
            });
        }
    }

    /// Somebody orders, and the store does what it has to up to a stage.
    pub fn order(&mut self, store: u32, stage: Stage) -> Placed {
        let number = self.orders.len() + 1;
        let is_delivery = stage == Stage::WithRider;
        let mut body = json!({
            "channel": if is_delivery { "delivery" } else { "pickup" }, "source": "app", "currency": CURRENCY, "stores": [store],
            "wait_ms": 2_000,
            "lines": [
                { "sku": TEA.sku, "quantity": 1, "preference": "substitute" }, { "sku": MILK.sku, "quantity": 2, "preference": "partial" },
            ],
            "contact": { "name": "Li Wei", "phone": "+86 138 0013 8000", "address": "Harbour Street 12, third floor" },
        });
        if is_delivery {
            body["place"] = json!({ "lat": 52.51, "lon": 13.41 });
        }
        let mut tries = 0;
        let made = wait_until(CONVERGE_MAX, "an order is placed", || {
            // Rights to promise the goods come from the store; until then the answer is no, also for a retry.
            tries += 1;
            body["reference"] = format!("A-{number}-{tries}").into();
            let made = self.hub.post("/v1/orders", Some(&format!("world-order-{number}-{tries}")), &body)?.good()?;
            if made["outcome"] == "placed" { Ok(made) } else { Err(made["why"].to_string()) }
        });
        let text = |name: &str| made[name].as_str().expect("a placed order has it").to_owned();
        let placed = Placed { order: text("order"), code: text("code"), store, stage };
        self.bring(&placed);
        self.orders.push(placed.clone());
        placed
    }

    fn bring(&self, placed: &Placed) {
        let door = self.store(placed.store);
        wait_until(CONVERGE_MAX, "the order is at its store", || {
            door.read(&format!("/v1/fulfillments/{}", placed.order))
        });
        let act = |action: &str, body: Value| {
            let path = format!("/v1/fulfillments/{}/{action}", placed.order);
            done(door.post(&path, Some(&format!("world-{action}-{}", placed.order)), &body), action);
        };
        let steps: &[&str] = match placed.stage {
            Stage::Offered => &[],
            Stage::Accepted => &["accept"],
            Stage::Ready | Stage::WithRider | Stage::Collected => &["accept", "pick", "ready"],
        };
        steps.iter().for_each(|step| act(step, json!({ "staff": ANN.staff })));
        if placed.stage == Stage::Collected {
            act("hand-over", json!({ "code": placed.code, "staff": ANN.staff, "device": 1 }));
        }
        if placed.stage == Stage::WithRider {
            wait_until(CONVERGE_MAX, "the rider gets the order", || {
                let path = format!("/v1/deliveries/{}/assign", placed.order);
                self.hub.post(&path, None, &json!({ "rider": RIDER }))?.good()
            });
            wait_until(CONVERGE_MAX, "the store knows who brings it", || {
                let part = door.read(&format!("/v1/fulfillments/{}", placed.order))?;
                is(&part["state"].as_str(), &Some("courier-assigned"))
            });
            act("dispatch", json!({ "staff": ANN.staff }));
        }
    }
}

impl Goods {
    /// Pieces or grams on the shelf at first.
    fn shelf(&self) -> i64 {
        if self.unit == "gram" { 25_000 } else { 24 }
    }
}

fn done(reply: Result<Reply, String>, what: &str) -> Value {
    reply.and_then(Reply::good).unwrap_or_else(|error| panic!("{what}: {error}"))
}

/// Sells.
pub const ANN: Person = Person { staff: "ann", name: "Ann Berger", role: "cashier", pin: "8305" };

/// Picks.
pub const BO: Person = Person { staff: "bo", name: "Bo Lin 林波", role: "associate", pin: "5172" };

/// Manages the store.
pub const MIA: Person = Person { staff: "mia", name: "Mia Schulz", role: "manager", pin: "720416" };

/// Sits at head office.
pub const HANNA: Person = Person { staff: "hanna", name: "Hanna Vogt", role: "head-office", pin: "914073" };

/// Everybody.
pub const STAFF: [Person; 4] = [ANN, BO, MIA, HANNA];

/// Sold by the piece.
pub const MILK: Goods = each("milk-1l", "Fresh milk 1 l", "4006381333931", 129, "dairy");

/// Named in two languages.
pub const TEA: Goods = each("tea-longjing", "龙井茶 Longjing tea 100 g", "6901234567892", 1_290, "tea");

/// Weighed: the price is per kilogram.
pub const APPLES: Goods =
    Goods { unit: "gram", item_number: 4_711, ..each("apples", "Apples, Elstar", "", 399, "fruit") };

/// Not for everybody.
pub const WINE: Goods = Goods { age_min: 18, ..each("wine-red", "Red wine 0.75 l", "4012345678901", 899, "spirits") };

/// The catalogue.
pub const GOODS: [Goods; 8] = [
    MILK,
    TEA,
    APPLES,
    WINE,
    each("bread-rye", "Rye bread 750 g", "5901234123457", 349, "bakery"),
    each("eggs-10", "Free-range eggs, 10 pieces", "036000291452", 319, "dairy"),
    each("rice-5kg", "泰国香米 Jasmine rice 5 kg", "", 1_199, "dry-goods"),
    each("soap", "Olive soap with a name that is long enough to be cut off on a narrow screen", "", 249, "household"),
];

const fn each(
    sku: &'static str,
    name: &'static str,
    code: &'static str,
    price: i64,
    department: &'static str,
) -> Goods {
    Goods { sku, name, code, price, unit: "each", department, age_min: 0, item_number: 0 }
}

/// The member's name.
pub const MEMBER_NAME: &str = "Wang Fang 王芳";

/// Her telephone.
pub const MEMBER_PHONE: &str = "8613800138001";

/// The campaign of printed coupons.
pub const CAMPAIGN: &str = "tea-week";

/// The rider.
pub const RIDER: &str = "ren";

/// The payment terminal of each store, which approves everything.
pub const TERMINAL: &str = "lane-1";

/// Of all prices.
pub const CURRENCY: &str = "EUR";

const ZONE: &str = "Europe/Berlin";

const TAX: &str = "food";

/// Names and places.
const STORES: [(&str, &str); 2] = [("Harbour Street", "52.52,13.40"), ("Old Market 老市场", "52.50,13.45")];

//! Points and a printed coupon: what a member earns at two stores on two accounts comes together with them, and a code that is shown at two stores
//! which cannot ask each other is taken at both, within their limits, and found out afterwards.

use serde_json::{Value, json};

use super::counter::Counter;
use super::door::Door;
use super::sample::Sample;
use super::till::Ack;

/// A code on paper, where it was taken, and what a member bought.
#[derive(Clone, Debug, Default)]
pub struct Coupons {
    /// The code.
    code: String,
    /// The sale that it reduced first, and the one that it reduced again.
    taken: Vec<Ack>,
    /// What the member paid, on all her accounts.
    paid: Vec<Ack>,
}

/// What became of points and of the coupon, as the hub has it on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redeemed {
    /// All points of the member.
    pub points: i64,
    /// What she earned, receipt by receipt.
    pub earned: Vec<String>,
    /// The redemption that counts.
    pub counts: String,
    /// The others, and who bears each.
    pub doubles: Vec<String>,
}

impl Coupons {
    /// The programme of points and a campaign of printed coupons are put down at the hub.
    pub fn print(hub: &Door) -> Result<Self, String> {
        let programme = json!({ "earn_per": EARN_PER, "worth": 1, "offline_limit": 200, "share": 100 });
        hub.replace("/v1/loyalty/rules", "demo-loyalty", &programme)?;
        let campaign = json!({
            "id": CAMPAIGN, "name": "Plum week", "funder": "plum-growers", "bearer": "store", "gives": { "basket": { "from": 1, "off": WORTH } },
            "worth_max": WORTH, "per_basket": 1, "kind": { "printed": { "coupons": 1_000, "store_limit": 10 * WORTH } },
        });
        hub.replace("/v1/campaigns", "demo-campaign", &campaign)?;
        let codes = hub.read(&format!("/v1/campaigns/{CAMPAIGN}/codes?first=7&count=1"))?;
        let code = codes["items"][0]["code"].as_str().ok_or_else(|| format!("no code was printed: {codes}"))?;
        Ok(Self { code: code.to_owned(), ..Self::default() })
    }

    /// Whether the stores that will see the coupon know of it.
    pub fn known(&self, doors: &[Door], stores: [u32; 2]) -> Result<(), String> {
        for store in stores {
            let door = &doors[store as usize];
            door.read(&format!("/v1/coupons/{}", self.code))?;
            let programme = door.read("/v1/loyalty/rules")?;
            if programme["items"].as_array().is_none_or(Vec::is_empty) {
                return Err(format!("store {store} knows no programme"));
            }
        }
        Ok(())
    }

    /// A member buys, and earns points.
    pub fn earn(
        &mut self,
        counter: &mut Counter,
        at: (u32, &Door),
        sample: &Sample,
        member: &str,
    ) -> Result<Ack, String> {
        let sale = counter.buy(at, sample, &json!({ "member": member }))?;
        self.paid.push(sale.clone());
        Ok(sale)
    }

    /// One code is shown at two stores that cannot ask each other: at the first by somebody, at the second by a member. Gives what to tell.
    pub fn redeem(
        &mut self,
        counter: &mut Counter,
        doors: &[Door],
        sample: &Sample,
        ([first, second], member): ([u32; 2], &str),
    ) -> Result<String, String> {
        let shows = json!({ "coupons": [&self.code] });
        let sale = counter.buy((first, &doors[first as usize]), sample, &shows)?;
        self.taken.push(sale);
        let again = counter.quote((first, &doors[first as usize]), sample, &shows)?;
        let coupon = &again["coupons"][0];
        if coupon["taken"] != false {
            return Err(format!("store {first} takes a coupon twice: {again}"));
        }
        let why = coupon["refused"]["detail"].as_str().unwrap_or("-").to_owned();
        let shows = json!({ "coupons": [&self.code], "member": member });
        let sale = counter.buy((second, &doors[second as usize]), sample, &shows)?;
        self.paid.push(sale.clone());
        self.taken.push(sale);
        Ok(format!(
            "one printed code is redeemed at store {first} and again at store {second}, which cannot ask each other: each is within its limit; \
             the same code a second time at store {first}: {why}"
        ))
    }

    /// Whether the hub has heard of both redemptions.
    pub fn found(&self, hub: &Door) -> Result<(), String> {
        let campaign = hub.read(&format!("/v1/campaigns/{CAMPAIGN}"))?;
        match campaign["doubles"].as_array().map(Vec::len) {
            Some(1) => Ok(()),
            _ => Err(format!("the hub has of the campaign {campaign}")),
        }
    }

    /// Reckons what became of points and the coupon from what the hub has on record, and what is wrong with it.
    pub fn reckon(&self, hub: &Door, member: &str) -> Result<(Redeemed, Vec<String>), String> {
        let (mut redeemed, mut faults) = (Redeemed::default(), Vec::new());
        let points = hub.read(&format!("/v1/members/{member}/points"))?;
        redeemed.points = points["balance"]["points"].as_i64().unwrap_or(0);
        let mut wanted = 0;
        for sale in &self.paid {
            wanted += sale.total / EARN_PER;
            let earned = points["sales"].as_array().into_iter().flatten();
            let earned: Vec<_> = earned.filter(|it| it["receipt"] == *sale.receipt).collect();
            if earned.len() != 1 || earned[0]["earned"] != sale.total / EARN_PER {
                faults.push(format!("receipt {} over {} earned {earned:?}", sale.receipt, sale.total));
            }
            redeemed.earned.push(format!("{} with receipt {}", sale.total / EARN_PER, sale.receipt));
        }
        if redeemed.points != wanted {
            faults.push(format!("a member has {} points, not {wanted}: {points}", redeemed.points));
        }
        let campaign = hub.read(&format!("/v1/campaigns/{CAMPAIGN}"))?;
        let double = &campaign["doubles"][0];
        redeemed.counts = proof(&double["counts"]);
        let doubles = double["doubles"].as_array().map_or(&[][..], Vec::as_slice);
        let borne = |it: &Value| format!("{}, borne by {}", proof(it), it["borne_by"].as_str().unwrap_or("-"));
        redeemed.doubles = doubles.iter().map(borne).collect();
        let mut receipts: Vec<_> = std::iter::once(&double["counts"]).chain(doubles).collect();
        receipts.sort_by_key(|it| it["receipt"].as_str());
        let all = self.taken.len() == receipts.len()
            && receipts
                .iter()
                .zip(&self.taken)
                .all(|(it, sale)| it["receipt"] == *sale.receipt && it["worth"] == WORTH);
        if !all || double["code"] != *self.code || doubles.iter().any(|it| it["borne_by"].as_str().is_none()) {
            faults.push(format!("the proof of a double redemption is not whole: {campaign}"));
        }
        Ok((redeemed, faults))
    }
}

impl Redeemed {
    /// In words: a row's name, and what stands in it.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        vec![
            ("her points", format!("{} together: {}", self.points, self.earned.join(", "))),
            ("a coupon twice", format!("{} counts; double: {}", self.counts, self.doubles.join("; "))),
        ]
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "points": self.points, "points_earned": self.earned, "coupon_counts": self.counts, "coupon_doubles": self.doubles,
        })
    }
}

/// Where, when and with which receipt a coupon was redeemed, and by whom.
fn proof(redemption: &Value) -> String {
    let text = |name: &str| redemption[name].as_str().unwrap_or("-");
    let who = redemption["member"].as_str().map_or_else(|| "somebody".into(), |member| format!("member {member}"));
    format!(
        "store {}, till {}, receipt {}, {}, by {who}, {} off",
        redemption["store"],
        redemption["till"],
        text("receipt"),
        text("at"),
        redemption["worth"]
    )
}

/// Minor units for which a point is earned.
const EARN_PER: i64 = 10;

/// The campaign.
const CAMPAIGN: &str = "plum-week";

/// Minor units that a coupon gives.
const WORTH: i64 = 50;

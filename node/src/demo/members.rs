//! Two customers. One is a member on line; a store that is cut off and knows nothing of her enrols her a second time, and what was said of her
//! comes together when the lines are mended. The other one asks to be forgotten while two stores still know her.
//!
//! What must come of it is said here, apart from all nodes, and compared with what the nodes answer.

use serde_json::{Value, json};

use super::counter::Counter;
use super::coupons::{Coupons, Redeemed};
use super::door::{Door, JSON};
use super::sample::Sample;

/// What was done for the two, and what they bought.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// The account that she made on line.
    pub first: String,
    /// The account that a store made for her while it could ask nobody.
    pub second: String,
    /// The account of the customer who is forgotten.
    pub leaving: String,
    /// What was sold in this story.
    pub counter: Counter,
    /// Points and a coupon.
    coupons: Coupons,
}

/// What became of members, as the nodes have it on record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Accounts that are one person now.
    pub accounts: usize,
    /// What joins them: evidence, and how sure it is.
    pub evidence: Vec<String>,
    /// Values of one name that were written on both sides of the cut, and by whom.
    pub conflict: Vec<String>,
    /// Nodes that forgot the customer who wanted it.
    pub forgotten_at: usize,
    /// Points and a coupon.
    pub redeemed: Redeemed,
}

impl Members {
    /// Two customers become members while all lines are up, and something is written down about each.
    pub fn enrol(doors: &[Door]) -> Result<Self, String> {
        let mut members = Self { coupons: Coupons::print(&doors[0])?, ..Self::default() };
        let (hub, own) =
            (&doors[0], |values: Value| json!({ "home": HOME, "values": values, "consents": agreed("app") }));
        let values = json!([value("name", NAME), { "field": "phone", "value": PHONE, "verified": true }]);
        members.first = enrolled(hub, "demo-member", &own(values))?;
        let said = json!([{ "do": "set", "name": WISH, "text": "oat milk" }]);
        note(hub, "demo-note", (&members.first, "hanna"), said)?;
        let values = json!([value("name", GONE_NAME), value("phone", GONE_PHONE), value("remark", GONE_REMARK)]);
        members.leaving = enrolled(hub, "demo-leaving", &own(values))?;
        let said = json!([{ "do": "text", "name": "remark", "text": GONE_NOTE }]);
        note(hub, "demo-leaving-note", (&members.leaving, "hanna"), said)?;
        Ok(members)
    }

    /// Whether her store knows both and can read what was said of them, and stores know what they sell by.
    pub fn known_at_home(&self, doors: &[Door]) -> Result<(), String> {
        self.coupons.known(doors, [HOME, ELSEWHERE])?;
        let door = &doors[HOME as usize];
        for account in [&self.first, &self.leaving] {
            let person = door.read(&format!("/v1/members/{account}"))?;
            let note = door.read(&format!("/v1/notes/members/{account}"))?;
            let read = person["values"]
                .as_array()
                .is_some_and(|values| !values.is_empty() && values.iter().all(|value| value["value"].is_string()));
            let noted = note["history"].as_array().is_some_and(|history| !history.is_empty());
            if !read || !noted {
                return Err(format!("{account} is {}, and her note {}", person["standing"], note["standing"]));
            }
        }
        Ok(())
    }

    /// The first of them buys at her store. Gives what to tell.
    pub fn shop(&mut self, doors: &[Door], sample: &Sample) -> Result<String, String> {
        let at = (HOME, &doors[HOME as usize]);
        let sale = self.coupons.earn(&mut self.counter, at, sample, &self.first)?;
        Ok(format!("one of them buys there and earns points, receipt {}", sale.receipt))
    }

    /// What they do while the hub reaches nobody. Gives what to tell, a sentence each.
    pub fn meanwhile(&mut self, doors: &[Door], sample: &Sample) -> Result<Vec<String>, String> {
        let mut told = vec![self.come_elsewhere(doors, sample)?];
        let at = ([HOME, ELSEWHERE], self.second.as_str());
        told.push(self.coupons.redeem(&mut self.counter, doors, sample, at)?);
        let [hub, home] = [&doors[0], &doors[HOME as usize]];
        note(hub, "demo-note-hub", (&self.first, "hanna"), json!([{ "do": "set", "name": WISH, "text": AT_HUB }]))?;
        note(home, "demo-note-home", (&self.first, "anna"), json!([{ "do": "set", "name": WISH, "text": AT_HOME }]))?;
        told.push(format!(
            "what is noted of her under \"{WISH}\" is edited at the hub and at store {HOME}, which cannot ask each other"
        ));
        let path = format!("/v1/members/{}/erase", self.leaving);
        hub.write(&path, Some("demo-erase"), &json!({ "reason": "asked", "staff": "hanna" }))?;
        let (there, here) = (standing(hub, &self.leaving)?, standing(home, &self.leaving)?);
        if (there.as_str(), here.as_str()) != ("erased", "readable") {
            return Err(format!("a member is {there} at the hub and {here} at store {HOME} when the hub erased her"));
        }
        told.push(format!(
            "another member is erased at the hub: her key is destroyed there, and store {HOME} forgets her as soon as it hears of it"
        ));
        Ok(told)
    }

    /// Whether the hub sees that both accounts have one telephone, without proof that both are hers.
    pub fn perhaps_one(&self, hub: &Door) -> Result<(), String> {
        let person = hub.read(&format!("/v1/members/{}", self.first))?;
        if listed(&person["accounts"], &self.second) {
            return Err(format!("{} and {} are one person without proof", self.first, self.second));
        }
        if listed(&person["perhaps"], &self.second) {
            Ok(())
        } else {
            Err(format!("the hub has {}", person["perhaps"]))
        }
    }

    /// She shows at the hub that the telephone of the second account is hers as well.
    pub fn prove(&self, hub: &Door) -> Result<String, String> {
        let value = json!({ "field": "phone", "value": PHONE, "verified": true });
        let body = json!({ "value": value, "slot": "phone-0", "staff": "hanna" });
        hub.write(&format!("/v1/members/{}/values", self.second), Some("demo-prove"), &body)?;
        Ok("the hub found one telephone on two accounts: perhaps one person; she typed the code that it sent there, and they are joined".into())
    }

    /// Whether every node that is concerned has heard of everything: one person, one conflict, nobody who was forgotten.
    pub fn settled(&self, doors: &[Door]) -> Result<(), String> {
        self.coupons.found(&doors[0])?;
        for index in [0, HOME as usize, ELSEWHERE as usize] {
            let person = doors[index].read(&format!("/v1/members/{}", self.first))?;
            if !listed(&person["accounts"], &self.first) || !listed(&person["accounts"], &self.second) {
                return Err(format!("node {index} has {}", person["accounts"]));
            }
        }
        for index in [0, HOME as usize] {
            let written = conflict(&doors[index], &self.first)?;
            if written.len() != 2 {
                return Err(format!("node {index} has of the note {written:?}"));
            }
            let standing = standing(&doors[index], &self.leaving)?;
            if standing != "erased" {
                return Err(format!("node {index} says of who was erased: {standing}"));
            }
        }
        Ok(())
    }

    /// Reckons what became of them from what the nodes have on record, and what is wrong with it.
    pub fn reckon(&self, doors: &[Door]) -> Result<(Known, Vec<String>), String> {
        let (redeemed, mut faults) = self.coupons.reckon(&doors[0], &self.first)?;
        let mut known = Known { redeemed, ..Known::default() };
        let report = doors[0].read(&format!("/v1/members/{}/report", self.first))?;
        known.accounts = report["person"]["accounts"].as_array().map_or(0, Vec::len);
        let joins = |link: &&Value| {
            let ends = [link["a"].as_str(), link["b"].as_str()];
            link["counts"] == true && [&self.first, &self.second].iter().all(|end| ends.contains(&Some(end.as_str())))
        };
        let links = report["links"].as_array().into_iter().flatten().filter(joins);
        known.evidence = links.map(evidence).collect();
        known.evidence.sort();
        known.evidence.dedup();
        if known.accounts != 2 || !known.evidence.iter().any(|words| words.ends_with("(proven)")) {
            faults.push(format!("{} accounts of a member are joined by {:?}", known.accounts, known.evidence));
        }
        known.conflict = conflict(&doors[0], &self.first)?;
        let wanted = [AT_HUB, AT_HOME];
        for index in [0, HOME as usize] {
            let written = conflict(&doors[index], &self.first)?;
            if written != known.conflict || !wanted.iter().all(|text| written.iter().any(|it| it.contains(text))) {
                faults
                    .push(format!("a note's conflict at node {index} is {written:?}, at the hub {:?}", known.conflict));
            }
            let note = doors[index].read(&format!("/v1/notes/members/{}?store={HOME}", self.leaving));
            let sealed = note.is_ok_and(|note| note["standing"] == "sealed");
            if sealed && standing(&doors[index], &self.leaving)? == "erased" {
                known.forgotten_at += 1;
            } else {
                faults.push(format!("node {index} has not forgotten {}", self.leaving));
            }
        }
        Ok((known, faults))
    }

    /// She comes to a store that is cut off and has never heard of her.
    fn come_elsewhere(&mut self, doors: &[Door], sample: &Sample) -> Result<String, String> {
        let door = &doors[ELSEWHERE as usize];
        let sought = value("phone", PHONE).to_string();
        let reply = door.post("/v1/members/find", None, (JSON, &sought)).map_err(|error| error.to_string())?;
        if reply.is_good() {
            return Err(format!("store {ELSEWHERE} knows a member of whom it never heard: {}", reply.status));
        }
        let why = reply.body["detail"].as_str().unwrap_or("-").to_owned();
        let values = json!([value("name", NAME), value("phone", PHONE)]);
        let body = json!({ "values": values, "consents": agreed("counter"), "staff": "carl" });
        self.second = enrolled(door, "demo-again", &body)?;
        let second = self.second.clone();
        let sale = self.coupons.earn(&mut self.counter, (ELSEWHERE, door), sample, &second)?;
        let receipt = sale.receipt;
        Ok(format!(
            "a member comes to store {ELSEWHERE}, which has never heard of her: {why}; she is enrolled there as {second} and buys with it, \
             receipt {receipt}"
        ))
    }
}

impl Known {
    /// In words: a row's name, and what stands in it.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows =
            vec![("one member", format!("{} accounts, joined by {}", self.accounts, self.evidence.join(" and ")))];
        rows.extend(self.redeemed.rows());
        rows.extend([
            ("a note in conflict", self.conflict.join("; ")),
            ("forgotten", format!("a member at all {} nodes that knew her", self.forgotten_at)),
        ]);
        rows
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "accounts_joined": self.accounts, "evidence": self.evidence, "note_in_conflict": self.conflict,
            "forgotten_at": self.forgotten_at, "redeemed": self.redeemed.to_json(),
        })
    }
}

/// Everything that is told of a person here: none of it may stand in any file in plain bytes.
pub const TOLD: [&str; 6] = [NAME, PHONE, GONE_NAME, GONE_PHONE, GONE_REMARK, GONE_NOTE];

fn enrolled(door: &Door, key: &str, body: &Value) -> Result<String, String> {
    let answer = door.write("/v1/members", Some(key), body)?;
    answer["member"].as_str().map(str::to_owned).ok_or_else(|| format!("an enrolment gave no account: {answer}"))
}

fn note(door: &Door, key: &str, (member, staff): (&str, &str), edits: Value) -> Result<(), String> {
    let body = json!({ "staff": staff, "edits": edits });
    door.write(&format!("/v1/notes/members/{member}"), Some(key), &body).map(|_| ())
}

/// What is noted of a member under one name, and by whom.
fn conflict(door: &Door, member: &str) -> Result<Vec<String>, String> {
    let note = door.read(&format!("/v1/notes/members/{member}?store={HOME}"))?;
    let said = note["values"][WISH].as_array().into_iter().flatten();
    let text = |said: &Value, name: &str| said[name].as_str().unwrap_or("-").to_owned();
    Ok(said.map(|said| format!("\"{}\" by {}", text(said, "text"), text(&said["by"], "staff"))).collect())
}

fn standing(door: &Door, member: &str) -> Result<String, String> {
    let person = door.read(&format!("/v1/members/{member}"))?;
    Ok(person["standing"].as_str().unwrap_or("-").to_owned())
}

fn evidence(link: &Value) -> String {
    let weight = if link["strong"] == true { "proven" } else { "perhaps" };
    format!("{} ({weight})", link["evidence"].as_str().unwrap_or("-"))
}

fn listed(list: &Value, account: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|it| it == account))
}

fn value(field: &str, text: &str) -> Value {
    json!({ "field": field, "value": text })
}

fn agreed(source: &str) -> Value {
    json!([{ "purpose": "membership", "given": true, "source": source }])
}

/// The store that both belong to.
pub const HOME: u32 = 1;

/// The store that has never heard of her.
const ELSEWHERE: u32 = 3;

/// Under which name her wish stands in the note.
const WISH: &str = "substitute";

const AT_HUB: &str = "soy milk";

const AT_HOME: &str = "no substitute";

const NAME: &str = "Wilhelmina Quastenflosser";

const PHONE: &str = "15550186647233";

const GONE_NAME: &str = "Ottoline Zwirbelmacher";

const GONE_PHONE: &str = "15550193358812";

const GONE_REMARK: &str = "cannot eat zanzibar hazelnuts";

const GONE_NOTE: &str = "asks for the quiet till by the marmalade shelf";

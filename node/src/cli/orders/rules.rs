//! Rules of orders: routing, time limits, opening hours. They are read as tables or JSON, and set from the same JSON at the hub.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::AskArgs;
use crate::cli::ask::{rows, word};
use crate::cli::promise::fresh_key;
use crate::cli::{Failure, table};

/// What `orders rules` does.
#[derive(Subcommand, Debug)]
pub enum RulesCommand {
    /// Show the rules that were put down, and what holds without any
    Show(ShowArgs),
    /// Set rules from JSON (at the hub): one rule, a list, or what `show --json` printed. Replaces those of the same channel or store
    Set(SetArgs),
}

/// Which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// To which stores orders are given, for all channels or for one
    Routing,
    /// How long things may take, for all stores or for one
    Limits,
    /// When each store is open, and how much it takes on in a day
    Service,
}

/// Arguments of `orders rules show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Only these
    subject: Option<Subject>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `orders rules set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Which rules
    subject: Subject,
    /// A file with JSON; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    ask: AskArgs,
}

/// `orders rules`.
pub fn rules(command: &RulesCommand) -> Result<(), Failure> {
    match command {
        RulesCommand::Show(args) => show(args),
        RulesCommand::Set(args) => set(args),
    }
}

fn show(args: &ShowArgs) -> Result<(), Failure> {
    let client = args.ask.client();
    match args.subject {
        Some(subject) => {
            let answer = client.read(subject.path())?;
            if !args.ask.printed(&answer)? {
                subject.print(&answer);
            }
        }
        None => {
            let mut all = json!({});
            for subject in Subject::ALL {
                all[subject.as_str()] = client.read(subject.path())?;
            }
            if !args.ask.printed(&all)? {
                Subject::ALL.into_iter().for_each(|subject| subject.print(&all[subject.as_str()]));
            }
        }
    }
    Ok(())
}

fn set(args: &SetArgs) -> Result<(), Failure> {
    let answer = put_all(&args.ask, args.subject.path(), &args.file)?;
    if !args.ask.printed(&answer)? {
        args.subject.print(&answer);
    }
    Ok(())
}

/// Puts each rule that a file holds (`-` is standard input) at a path, and answers them as a list.
pub fn put_all(ask: &AskArgs, path: &str, file: &Path) -> Result<Value, Failure> {
    let mut text = Vec::new();
    // One byte more than fits tells that there is more.
    let most = FILE_BYTES_MAX + 1;
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().take(most).read_to_end(&mut text),
        false => File::open(file).and_then(|file| file.take(most).read_to_end(&mut text)),
    };
    let name = file.display();
    read.map_err(|error| format!("cannot read {name}: {error}"))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{name} has more than {FILE_BYTES_MAX} bytes").into());
    }
    let given: Value = serde_json::from_slice(&text).map_err(|error| format!("{name} is not JSON: {error}"))?;
    let wanted = each(given)?;
    let (client, mut set) = (ask.client(), Vec::new());
    for (at, rule) in wanted.iter().enumerate() {
        let done = client.replace(path, Some(&fresh_key()?), rule);
        set.push(done.map_err(|error| format!("rule {} of {}: {error}", at + 1, wanted.len()))?);
    }
    Ok(json!({ "items": set }))
}

/// The rules that a text holds, one by one.
fn each(given: Value) -> Result<Vec<Value>, Failure> {
    let rules = match given {
        Value::Object(mut object) => match object.remove("items") {
            Some(Value::Array(items)) => items,
            Some(_) => return Err("items is not a list".into()),
            None => vec![Value::Object(object)],
        },
        Value::Array(items) => items,
        _ => return Err("a rule is a JSON object".into()),
    };
    if rules.is_empty() { Err("there is no rule to set".into()) } else { Ok(rules) }
}

impl Subject {
    const ALL: [Self; 3] = [Self::Routing, Self::Limits, Self::Service];

    fn as_str(self) -> &'static str {
        match self {
            Self::Routing => "routing",
            Self::Limits => "limits",
            Self::Service => "service",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Routing => "/v1/order-rules/routing",
            Self::Limits => "/v1/order-rules/limits",
            Self::Service => "/v1/order-rules/service",
        }
    }

    /// In a table, with what holds where nothing else does as its last row.
    fn print(self, list: &Value) {
        let usual = Some(&list["usual"]).filter(|usual| usual.is_object());
        let named = rows(&list["items"]).map(|rule| (self.about(rule), rule));
        let all = named.chain(usual.map(|usual| ("usual".to_owned(), usual)));
        match self {
            Self::Routing => table::print(
                ["channel", "sets", "other entities", "parts", "parts a day", "kept back", "prepared in"],
                all.map(|(about, rule)| {
                    let sets: Vec<_> = rows(&rule["sets"]).map(|set| word(&set["name"])).collect();
                    let kept = format!("{} / {} g", word(&rule["safety_pieces"]), word(&rule["safety_grams"]));
                    let (parts, a_day) = (word(&rule["parts_max"]), word(&rule["parts_per_day"]));
                    [about, sets.join(", "), word(&rule["boundary"]), parts, a_day, kept, time(&rule["prepare_s"])]
                }),
            ),
            Self::Limits => table::print(
                ["store", "accepted in", "ready in", "kept for", "fresh", "frozen", "answer in", "code tries"],
                all.map(|(about, rule)| {
                    let time = |name: &str| time(&rule[name]);
                    let kept = [time("hold_s"), time("hold_fresh_s"), time("hold_frozen_s")];
                    let [hold, fresh, frozen] = kept;
                    let (accept, ready, answer) =
                        (time("accept_within_s"), time("ready_within_s"), time("answer_within_s"));
                    [about, accept, ready, hold, fresh, frozen, answer, word(&rule["code_tries"])]
                }),
            ),
            Self::Service => table::print(
                ["store", "mon", "tue", "wed", "thu", "fri", "sat", "sun", "closed on", "parts a day"],
                all.map(|(about, rule)| {
                    let day = |at: usize| hours(&rule["week"][at]);
                    let closed: Vec<_> = rows(&rule["closed_days"]).map(word).collect();
                    let a_day = word(&rule["parts_per_day"]);
                    [about, day(0), day(1), day(2), day(3), day(4), day(5), day(6), closed.join(" "), a_day]
                }),
            ),
        }
    }

    /// For which channel or store a rule is, and that it was taken back.
    fn about(self, rule: &Value) -> String {
        let about = match self {
            Self::Routing => &rule["channel"],
            Self::Limits | Self::Service => &rule["store"],
        };
        let about = if about.is_null() { "all".into() } else { word(about) };
        if rule["ended"] == true { format!("{about} (taken back)") } else { about }
    }
}

/// Opening hours of a day.
pub fn hours(day: &Value) -> String {
    let spans: Vec<_> = rows(day).map(|span| format!("{}-{}", word(&span["from"]), word(&span["until"]))).collect();
    if spans.is_empty() { "closed".into() } else { spans.join(" ") }
}

/// A length of time as people say it.
fn time(seconds: &Value) -> String {
    table::age(seconds.as_u64().unwrap_or(0).saturating_mul(1_000), 0)
}

/// Bytes of a file of rules: a thousand stores with their hours.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_one_by_one_in_a_list_or_as_they_were_shown() {
        let rule = json!({ "store": 1 });
        assert_eq!(each(rule.clone()).unwrap(), std::slice::from_ref(&rule));
        assert_eq!(each(json!([rule, rule])).unwrap().len(), 2);
        assert_eq!(each(json!({ "items": [rule], "usual": {} })).unwrap(), [rule]);
        for wrong in [json!([]), json!({ "items": [] }), json!({ "items": 1 }), json!(3)] {
            assert!(each(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_says_for_whom_it_is_and_a_day_when_it_is_open() {
        assert_eq!(Subject::Limits.about(&json!({ "store": 7, "ended": true })), "7 (taken back)");
        assert_eq!(Subject::Routing.about(&json!({ "ended": false })), "all");
        let day = json!([{ "from": "08:00", "until": "12:00" }, { "from": "13:00", "until": "26:00" }]);
        assert_eq!((hours(&day), hours(&json!([]))), ("08:00-12:00 13:00-26:00".into(), "closed".into()));
        assert_eq!(time(&json!(7_200)), "2 h");
    }
}

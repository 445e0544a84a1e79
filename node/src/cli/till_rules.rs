//! What tills follow: rules, hours of sale, taxes, promotions. They are read as tables or JSON, and set from the same JSON at the hub.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::ask::{escaped, money, rows, word};
use super::orders::AskArgs;
use super::orders::rules::put_all;
use super::{Failure, table};

/// What `till-rules` does.
#[derive(Subcommand, Debug)]
pub enum TillRulesCommand {
    /// Show what was put down
    Show(ShowArgs),
    /// Put rules down from JSON (at the hub): one, a list, or what `show --json` printed. Replaces those of the same name or store
    Set(SetArgs),
}

/// Which rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// Rounding of cash, limits and what else tills of all stores, or of one, follow
    Tills,
    /// When goods of departments are sold
    Hours,
    /// Tax rates by code, area and start
    Taxes,
    /// What is cheaper, when, where and with what
    Promotions,
}

/// Arguments of `till-rules show`.
#[derive(Args, Debug)]
pub struct ShowArgs {
    /// Which
    subject: Subject,
    /// Of promotions: which price book [default: the store's own]
    #[arg(long)]
    book: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `till-rules set`.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Which
    subject: Subject,
    /// A file with JSON; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    ask: AskArgs,
}

/// `till-rules`.
pub fn till_rules(command: &TillRulesCommand) -> Result<(), Failure> {
    let (ask, subject, answer) = match command {
        TillRulesCommand::Show(args) => {
            let book = args.book.as_deref().filter(|_| args.subject == Subject::Promotions);
            let query = book.map(|book| format!("?book={}", escaped(book))).unwrap_or_default();
            (&args.ask, args.subject, args.ask.client().read(&format!("{}{query}", args.subject.path()))?)
        }
        TillRulesCommand::Set(args) => (&args.ask, args.subject, put_all(&args.ask, args.subject.path(), &args.file)?),
    };
    if !ask.printed(&answer)? {
        subject.print(&answer);
    }
    Ok(())
}

impl Subject {
    fn path(self) -> &'static str {
        match self {
            Self::Tills => "/v1/till-rules/tills",
            Self::Hours => "/v1/till-rules/hours",
            Self::Taxes => "/v1/till-rules/taxes",
            Self::Promotions => "/v1/till-rules/promotions",
        }
    }

    fn print(self, list: &Value) {
        let items = rows(&list["items"]);
        match self {
            Self::Tills => {
                let usual = Some(&list["usual"]).filter(|usual| usual.is_object()).map(|usual| ("usual".into(), usual));
                let named = items.map(|rules| (store_of(rules), rules)).chain(usual);
                table::print(
                    [
                        "store",
                        "tax area",
                        "smallest coin",
                        "cash",
                        "floor limit",
                        "borne by",
                        "cashier",
                        "drawer",
                        "shift",
                    ],
                    named.map(|(store, rules): (String, &Value)| {
                        let limit = |name: &str| money(&rules[name]);
                        let shift = if rules["shift_needed"] == true { "needed" } else { "-" };
                        let (area, step, rounding) =
                            (word(&rules["tax_area"]), limit("cash_step"), word(&rules["cash_rounding"]));
                        let (floor, bearer) = (limit("floor_limit"), word(&rules["floor_bearer"]));
                        let (cashier, drawer) = (limit("cashier_limit"), limit("drawer_limit"));
                        [store, area, step, rounding, floor, bearer, cashier, drawer, shift.into()]
                    }),
                );
            }
            Self::Hours => table::print(
                ["department", "store", "mon", "tue", "wed", "thu", "fri", "sat", "sun"],
                items.map(|rule| {
                    let day = |at: usize| match rows(&rule["week"][at]).count() {
                        0 => "not sold".to_owned(),
                        _ => super::orders::rules::hours(&rule["week"][at]),
                    };
                    let department = word(&rule["department"]);
                    [department, store_of(rule), day(0), day(1), day(2), day(3), day(4), day(5), day(6)]
                }),
            ),
            Self::Taxes => table::print(
                ["code", "area", "from", "percent", "prices", "rounded"],
                items.map(|rate| {
                    let percent = if rate["rate_bp"].is_null() { "ends".into() } else { money(&rate["rate_bp"]) };
                    let prices = if rate["inclusive"] == true { "contain it" } else { "without it" };
                    let each = if rate["per_receipt"] == true { "per receipt" } else { "per line" };
                    let rounded = format!("{} {each}", word(&rate["rounding"]));
                    let (code, area) = (word(&rate["code"]), word(&rate["area"]));
                    [code, area, word(&rate["from"]), percent, prices.into(), rounded]
                }),
            ),
            Self::Promotions => table::print(
                ["id", "name", "from", "until", "gives", "priority", "members"],
                items.map(|promotion| {
                    let of = |name: &str| word(&promotion[name]);
                    let members = if promotion["members_only"] == true { "only" } else { "-" };
                    let name =
                        if promotion["ended"] == true { format!("{} (taken back)", of("name")) } else { of("name") };
                    [
                        of("id"),
                        name,
                        of("from"),
                        of("until"),
                        promotion["gives"].to_string(),
                        of("priority"),
                        members.into(),
                    ]
                }),
            ),
        }
    }
}

/// For which store a rule is, and that it was taken back.
fn store_of(rule: &Value) -> String {
    let store = if rule["store"].is_null() { "all".into() } else { word(&rule["store"]) };
    if rule["ended"] == true { format!("{store} (taken back)") } else { store }
}

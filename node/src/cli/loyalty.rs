//! Points, campaigns and coupons: rules and campaigns are set from JSON at the hub, with what the offline limit may cost; coupons and points are
//! looked at and asked for at a store.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::{escaped, money, rows, word};
use super::orders::AskArgs;
use super::orders::rules::put_all;
use super::promise::fresh_key;
use super::{Failure, table};

/// What `loyalty` does.
#[derive(Subcommand, Debug)]
pub enum LoyaltyCommand {
    /// Show what points are earned for and what they pay, and what the offline limit may cost
    Rules(RulesArgs),
    /// Put the programme of points down from JSON (at the hub); says what the offline limit may cost
    SetRules(FileArgs),
    /// List campaigns
    Campaigns(AskArgs),
    /// Show a campaign and how far it went, with coupons that were redeemed twice
    Campaign(NameArgs),
    /// Put campaigns down from JSON (at the hub): one, a list, or what `campaigns --json` printed
    SetCampaign(FileArgs),
    /// Print codes of a campaign (at the hub)
    Codes(CodesArgs),
    /// Place coupons with a store (at the hub)
    Issue(IssueArgs),
    /// Show a coupon: where the right to it lies, and whether it was used
    Coupon(NameArgs),
    /// Ask the hub for the right to a coupon, or for more of its pool
    Ask(NameArgs),
    /// Give up the right to a coupon
    GiveUp(NameArgs),
    /// Show a member's points: balance, what may be spent here, history by receipt
    Points(NameArgs),
    /// Ask the hub for the right to spend more of a member's points here
    AskPoints(PointsArgs),
    /// Give rights to a member's points back
    GiveBackPoints(PointsArgs),
}

/// Arguments of `loyalty rules`: what is assumed of an outage.
#[derive(Args, Debug)]
pub struct RulesArgs {
    /// Stores that are cut off at once [default: all]
    #[arg(long)]
    stores: Option<u32>,
    /// Visits of one member in an hour [default: 2]
    #[arg(long)]
    visits: Option<u32>,
    /// Hours that it lasts [default: 24]
    #[arg(long)]
    hours: Option<u32>,
    /// Active members [default: all accounts]
    #[arg(long)]
    members: Option<u64>,
    /// Of a million of them, so many would cheat [default: 1000]
    #[arg(long)]
    cheats: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of commands that read JSON.
#[derive(Args, Debug)]
pub struct FileArgs {
    /// A file with JSON; - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of commands about one thing.
#[derive(Args, Debug)]
pub struct NameArgs {
    /// The campaign's name, the coupon's code, or the member's account
    name: String,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `loyalty codes`.
#[derive(Args, Debug)]
pub struct CodesArgs {
    /// The campaign
    campaign: String,
    /// The first serial number
    #[arg(long, default_value_t = 0)]
    first: u32,
    /// How many [default: as many as there are, up to 10000]
    #[arg(long)]
    count: Option<u32>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of `loyalty issue`.
#[derive(Args, Debug)]
pub struct IssueArgs {
    /// The campaign
    campaign: String,
    /// With which store
    #[arg(long, value_name = "ID")]
    store: u32,
    /// The first serial number
    #[arg(long)]
    first: u32,
    /// How many, up to 512
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// For this member alone
    #[arg(long, value_name = "ACCOUNT")]
    member: Option<String>,
    #[command(flatten)]
    ask: AskArgs,
}

/// Arguments of commands that move points.
#[derive(Args, Debug)]
pub struct PointsArgs {
    /// The member's account
    member: String,
    /// How many [default for giving back: all that no basket holds]
    points: Option<u64>,
    #[command(flatten)]
    ask: AskArgs,
}

/// `loyalty`.
pub fn loyalty(command: &LoyaltyCommand) -> Result<(), Failure> {
    match command {
        LoyaltyCommand::Rules(args) => rules(args),
        LoyaltyCommand::SetRules(args) => {
            let answer = put_all(&args.ask, "/v1/loyalty/rules", &args.file)?;
            if !args.ask.printed(&answer)? {
                for set in rows(&answer["items"]) {
                    print_programme(&set["programme"]);
                    print_exposure(&set["exposure"]);
                }
            }
            Ok(())
        }
        LoyaltyCommand::Campaigns(ask) => print(ask, &ask.client().read("/v1/campaigns")?, print_campaigns),
        LoyaltyCommand::Campaign(args) => {
            let answer = args.ask.client().read(&format!("/v1/campaigns/{}", escaped(&args.name)))?;
            print(&args.ask, &answer, print_rollout)
        }
        LoyaltyCommand::SetCampaign(args) => {
            print(&args.ask, &put_all(&args.ask, "/v1/campaigns", &args.file)?, print_campaigns)
        }
        LoyaltyCommand::Codes(args) => codes(args),
        LoyaltyCommand::Issue(args) => issue(args),
        LoyaltyCommand::Coupon(args) => {
            let answer = args.ask.client().read(&format!("/v1/coupons/{}", escaped(&args.name)))?;
            print(&args.ask, &answer, print_coupon)
        }
        LoyaltyCommand::Ask(args) => coupon(args, "ask"),
        LoyaltyCommand::GiveUp(args) => coupon(args, "give-up"),
        LoyaltyCommand::Points(args) => {
            let answer = args.ask.client().read(&format!("/v1/members/{}/points", escaped(&args.name)))?;
            print(&args.ask, &answer, print_points)
        }
        LoyaltyCommand::AskPoints(args) => points(args, "ask"),
        LoyaltyCommand::GiveBackPoints(args) => points(args, "give-back"),
    }
}

fn print(ask: &AskArgs, answer: &Value, say: fn(&Value)) -> Result<(), Failure> {
    if !ask.printed(answer)? {
        say(answer);
    }
    Ok(())
}

fn rules(args: &RulesArgs) -> Result<(), Failure> {
    let assumed = [
        ("stores", args.stores.map(u64::from)),
        ("visits", args.visits.map(u64::from)),
        ("hours", args.hours.map(u64::from)),
        ("members", args.members),
        ("cheats", args.cheats.map(u64::from)),
    ];
    let said = assumed.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
    let answer = args.ask.client().read(&format!("/v1/loyalty/rules?{}", said.collect::<Vec<_>>().join("&")))?;
    if args.ask.printed(&answer)? {
        return Ok(());
    }
    match answer["items"].get(0) {
        Some(programme) => print_programme(programme),
        None => out!("There is no programme: nothing is earned or spent."),
    }
    if answer["exposure"].is_object() {
        print_exposure(&answer["exposure"]);
    }
    Ok(())
}

fn codes(args: &CodesArgs) -> Result<(), Failure> {
    let count = args.count.map(|count| format!("&count={count}")).unwrap_or_default();
    let path = format!("/v1/campaigns/{}/codes?first={}{count}", escaped(&args.campaign), args.first);
    let answer = args.ask.client().read(&path)?;
    if !args.ask.printed(&answer)? {
        rows(&answer["items"]).for_each(|item| out!("{}", word(&item["code"])));
    }
    Ok(())
}

fn issue(args: &IssueArgs) -> Result<(), Failure> {
    let mut body = json!({ "first": args.first, "count": args.count, "store": args.store });
    if let Some(member) = &args.member {
        body["member"] = member.as_str().into();
    }
    let path = format!("/v1/campaigns/{}/coupons", escaped(&args.campaign));
    let answer = args.ask.client().write(&path, Some(&fresh_key()?), &body)?;
    if !args.ask.printed(&answer)? {
        out!("{} coupons of {} were placed with store {}.", word(&answer["count"]), args.campaign, args.store);
    }
    Ok(())
}

fn coupon(args: &NameArgs, action: &str) -> Result<(), Failure> {
    let path = format!("/v1/coupons/{}/{action}", escaped(&args.name));
    print(&args.ask, &args.ask.client().write(&path, Some(&fresh_key()?), &json!({}))?, print_coupon)
}

fn points(args: &PointsArgs, action: &str) -> Result<(), Failure> {
    let body = args.points.map_or(json!({}), |points| json!({ "points": points }));
    let path = format!("/v1/members/{}/points/{action}", escaped(&args.member));
    print(&args.ask, &args.ask.client().write(&path, Some(&fresh_key()?), &body)?, print_points)
}

fn print_programme(programme: &Value) {
    let of = |name: &str| word(&programme[name]);
    let ended = if programme["ended"] == true { " (ended)" } else { "" };
    let (per, worth) = (money(&programme["earn_per"]), money(&programme["worth"]));
    out!("A point for each {per}; it pays {worth}{ended}.");
    out!("Months until points expire (0 for never): {}. Ready at the member's store: {}.", of("months"), of("share"));
    out!("Without a right, a member may spend {} points at one store during one outage.", of("offline_limit"));
    let tiers = rows(&programme["tiers"]).map(|tier| {
        let promotions: Vec<_> = rows(&tier["promotions"]).map(word).collect();
        [word(&tier["name"]), word(&tier["from"]), money(&tier["multiplier_bp"]), promotions.join(" ")]
    });
    table::print(["tier", "from", "earns percent", "promotions"], tiers);
}

fn print_exposure(exposure: &Value) {
    let of = |name: &str| word(&exposure[name]);
    let outage = &exposure["outage"];
    let assumed = |name: &str| word(&outage[name]);
    out!(
        "AT WORST, in an outage of {} hours at {} stores, with {} visits an hour and {} of a million of {} members cheating:",
        assumed("hours"),
        assumed("stores"),
        assumed("visits"),
        assumed("cheats"),
        assumed("members")
    );
    out!("  one member spends {} points that she has not: {}", of("member_points"), money(&exposure["member_worth"]));
    out!("  all who cheat spend {} points: {}", of("fleet_points"), money(&exposure["fleet_worth"]));
}

fn print_campaigns(list: &Value) {
    let campaigns = rows(&list["items"]).map(|campaign| {
        let of = |name: &str| word(&campaign[name]);
        let name = if campaign["ended"] == true { format!("{} (taken back)", of("name")) } else { of("name") };
        let (kind, gives) = (campaign["kind"].to_string(), campaign["gives"].to_string());
        [of("id"), name, kind, gives, of("from"), of("until"), money(&campaign["budget"]), of("funder"), of("bearer")]
    });
    let headings = ["id", "name", "coupons", "gives", "from", "until", "budget", "paid by", "doubles at"];
    table::print(headings, campaigns);
}

fn print_rollout(answer: &Value) {
    print_campaigns(&json!({ "items": [answer["campaign"]] }));
    let of = |name: &str| word(&answer[name]);
    let (placed, redeemed, left) = (of("placed"), of("redeemed"), of("left"));
    out!("{} coupons: {placed} placed, {redeemed} redeemed, {left} left.", of("coupons"));
    let budget =
        answer["budget_left"].as_i64().map(|_| format!("; {} of the budget left", money(&answer["budget_left"])));
    out!("They gave {}{}.", money(&answer["worth"]), budget.unwrap_or_default());
    let stores = rows(&answer["stores"]).map(|at| {
        let of = |name: &str| word(&at[name]);
        let (worth, held) = (money(&at["worth"]), money(&at["budget_held"]));
        [of("store"), of("placed"), of("redeemed"), worth, of("undone"), of("pieces_held"), held]
    });
    table::print(["store", "placed", "redeemed", "gave", "given back", "pieces left", "budget left"], stores);
    rows(&answer["doubles"]).for_each(print_double);
    if answer["doubles_omitted"].as_u64().is_some_and(|more| more > 0) {
        out!("{} more were redeemed twice.", of("doubles_omitted"));
    }
}

fn print_double(double: &Value) {
    let said = |it: &Value| {
        let of = |name: &str| word(&it[name]);
        format!("receipt {} at {}, {} ({})", of("receipt"), of("at"), money(&it["worth"]), of("proof"))
    };
    out!("REDEEMED TWICE: {}", word(&double["code"]));
    out!("  counts: {}", said(&double["counts"]));
    for other in rows(&double["doubles"]) {
        out!("  double: {}, borne by {}", said(other), word(&other["borne_by"]));
    }
}

fn print_coupon(coupon: &Value) {
    let of = |name: &str| word(&coupon[name]);
    out!("{}: {} ({})", of("code"), of("name"), of("kind"));
    match (&coupon["used"], coupon["placed_at"].as_u64()) {
        (used, _) if used.is_object() => out!("It was used at store {}, {}.", word(&used["store"]), word(&used["at"])),
        (_, Some(store)) => out!("The right to it lies at store {store}."),
        (_, None) => out!("It was not used, as far as is known here, and was placed with no store."),
    }
    if coupon["asked"] == true {
        out!("The hub was asked for it.");
    }
    if coupon["double"].is_object() {
        print_double(&coupon["double"]);
    }
}

fn print_points(points: &Value) {
    let of = |name: &str| word(&points[name]);
    match &points["balance"] {
        balance if balance.is_object() => {
            let age = table::age(balance["age_s"].as_u64().unwrap_or(0) * 1_000, 0);
            out!("{} points, as of {age} ago; tier {}", word(&balance["points"]), of("tier"));
        }
        _ => out!("The hub has not told this store how many points there are."),
    }
    out!("To spend here: {} by right, {} within the limit; baskets hold {}.", of("held"), of("soft"), of("reserved"));
    let sales = rows(&points["sales"]).map(|sale| {
        let of = |name: &str| word(&sale[name]);
        [of("receipt"), of("at"), of("earned"), of("spent"), of("taken_back"), of("restored"), of("expires")]
    });
    table::print(["receipt", "at", "earned", "spent", "taken back", "given back", "expires"], sales);
}

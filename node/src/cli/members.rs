//! Commands about members and notes. What people say of themselves is typed or read from standard input, one `FIELD VALUE` a line; never an
//! argument, where other programs and the shell's history would see it.

use std::io::{self, IsTerminal, Read, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::promise::fresh_key;
use super::{Failure, table};
use crate::client::{Client, Target};

#[derive(Subcommand, Debug)]
pub enum MembersCommand {
    /// Enrol somebody: lines `FIELD VALUE` on standard input; name, phone, email, card, app, birthday, remark
    Enrol(EnrolArgs),
    /// Find somebody by an identifier: one line `FIELD VALUE` on standard input
    Find(TargetArgs),
    /// Show what is known of a member
    Show(MemberArgs),
    /// Write a value down: one line `FIELD VALUE` on standard input
    Set(SetArgs),
    /// Remove a value
    Remove(RemoveArgs),
    /// She agrees to something, or does so no more
    Consent(ConsentArgs),
    /// Two accounts are one person
    Link(LinkArgs),
    /// Two accounts are not one person
    Unlink(UnlinkArgs),
    /// Everything that the node knows of a person, as JSON
    Report(MemberArgs),
    /// Forget a member for ever
    Erase(EraseArgs),
    /// Who read personal data at this node
    Reads(ReadsArgs),
}

#[derive(Args, Debug)]
pub struct TargetArgs {
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct EnrolArgs {
    /// The store that she belongs to (at a hub)
    #[arg(long, value_name = "ID")]
    home: Option<u32>,
    /// She agrees to this: membership, messages, personal or sharing; may be given several times
    #[arg(long = "agrees", value_name = "PURPOSE", default_values_t = [String::from("membership")])]
    agrees: Vec<String>,
    /// Who enrols her
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct MemberArgs {
    /// Her account: 16 hexadecimal digits
    member: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct SetArgs {
    /// Her account
    member: String,
    /// The slot that it replaces, e.g. phone-0 [default: a further value]
    #[arg(long)]
    slot: Option<String>,
    /// Who writes it
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct RemoveArgs {
    /// Her account
    member: String,
    /// Which slot, e.g. phone-0
    slot: String,
    /// Who does it
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct ConsentArgs {
    /// Her account
    member: String,
    /// To what: membership, messages, personal or sharing
    purpose: String,
    /// She does so no more
    #[arg(long)]
    withdrawn: bool,
    /// Where she said so
    #[arg(long, default_value = "counter")]
    source: String,
    /// Who writes it
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct LinkArgs {
    /// The one account
    member: String,
    /// The other
    other: String,
    /// What it rests on: phone, email, card, app, staff or proof
    #[arg(long, default_value = "staff")]
    evidence: String,
    /// She is the same person, not only perhaps (at the hub)
    #[arg(long)]
    strong: bool,
    /// Who says so
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct UnlinkArgs {
    /// The one account
    member: String,
    /// The other
    other: String,
    /// Why, in a word
    #[arg(long)]
    reason: String,
    /// Who says so
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct EraseArgs {
    /// Her account
    member: String,
    /// This account alone, not all that are known to be hers
    #[arg(long)]
    alone: bool,
    /// Why, in a word
    #[arg(long, default_value = "asked")]
    reason: String,
    /// Who takes her wish
    #[arg(long, default_value = "")]
    staff: String,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct ReadsArgs {
    /// Of this account
    #[arg(long)]
    member: Option<String>,
    /// At most this many
    #[arg(long, default_value_t = 100)]
    limit: u16,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand, Debug)]
pub enum NotesCommand {
    /// Show a note: what it says, what is in conflict, who wrote what
    Show(ShowNoteArgs),
    /// Edit a note: what it says is read from standard input
    Edit(EditNoteArgs),
}

#[derive(Args, Debug)]
pub struct ShowNoteArgs {
    /// About what: members, orders, stores or products
    about: String,
    /// Which of them
    id: String,
    /// At a hub: the store in whose records it stands
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct EditNoteArgs {
    /// About what: members, orders, stores or products
    about: String,
    /// Which of them
    id: String,
    /// What to do: text, set, unset or say
    what: String,
    /// Name of the text or value
    #[arg(default_value = "")]
    name: String,
    /// Who writes it
    #[arg(long)]
    staff: String,
    /// At a hub: the store in whose records it stands
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    target: Target,
}

/// `members`.
pub fn members(command: &MembersCommand) -> Result<(), Failure> {
    match command {
        MembersCommand::Enrol(args) => {
            let values: Vec<_> = typed()?.lines().map(value).collect::<Result<_, _>>()?;
            let agrees =
                args.agrees.iter().map(|purpose| json!({ "purpose": purpose, "given": true, "source": "counter" }));
            let mut body = json!({ "values": values, "consents": agrees.collect::<Vec<_>>(), "staff": args.staff });
            if let Some(home) = args.home {
                body["home"] = home.into();
            }
            let client = Client::new(&args.target);
            let answer = client.write("/v1/members", Some(&fresh_key()?), &body)?;
            out!("Enrolled as {}.", text(&answer, "member"));
        }
        MembersCommand::Find(args) => find(&Client::new(&args.target))?,
        MembersCommand::Show(args) => show(&Client::new(&args.target).read(&path(&args.member, ""))?),
        MembersCommand::Set(args) => {
            let mut body = json!({ "value": value(typed()?.trim_end())?, "staff": args.staff });
            if let Some(slot) = &args.slot {
                body["slot"] = slot.as_str().into();
            }
            say(&args.target, &path(&args.member, "/values"), &body)?;
        }
        MembersCommand::Remove(args) => {
            let to = path(&args.member, &format!("/values/{}/remove", args.slot));
            say(&args.target, &to, &json!({ "staff": args.staff }))?;
        }
        MembersCommand::Consent(args) => {
            let consent = json!({ "purpose": args.purpose, "given": !args.withdrawn, "source": args.source });
            say(&args.target, &path(&args.member, "/consents"), &json!({ "consent": consent, "staff": args.staff }))?;
        }
        MembersCommand::Link(args) => {
            let body =
                json!({ "other": args.other, "evidence": args.evidence, "strong": args.strong, "staff": args.staff });
            say(&args.target, &path(&args.member, "/link"), &body)?;
        }
        MembersCommand::Unlink(args) => {
            let body = json!({ "other": args.other, "reason": args.reason, "staff": args.staff });
            say(&args.target, &path(&args.member, "/unlink"), &body)?;
        }
        MembersCommand::Report(args) => {
            let report = Client::new(&args.target).read(&path(&args.member, "/report"))?;
            out!("{}", serde_json::to_string_pretty(&report)?);
        }
        MembersCommand::Erase(args) => {
            let body = json!({ "reason": args.reason, "alone": args.alone, "staff": args.staff });
            say(&args.target, &path(&args.member, "/erase"), &body)?;
        }
        MembersCommand::Reads(args) => reads(args)?,
    }
    Ok(())
}

/// `notes`.
pub fn notes(command: &NotesCommand) -> Result<(), Failure> {
    match command {
        NotesCommand::Show(args) => {
            let store = args.store.map_or(String::new(), |store| format!("?store={store}"));
            let note = Client::new(&args.target).read(&format!("/v1/notes/{}/{}{store}", args.about, args.id))?;
            show_note(&note);
        }
        NotesCommand::Edit(args) => {
            let mut edit = json!({ "do": args.what, "name": args.name });
            if args.what != "unset" {
                edit["text"] = typed()?.trim_end().into();
            }
            let mut body = json!({ "staff": args.staff, "edits": [edit] });
            if let Some(store) = args.store {
                body["store"] = store.into();
            }
            let client = Client::new(&args.target);
            let note = client.write(&format!("/v1/notes/{}/{}", args.about, args.id), Some(&fresh_key()?), &body)?;
            show_note(&note);
        }
    }
    Ok(())
}

/// Asks, and follows the question to the hub for as long as it may take.
fn find(client: &Client) -> Result<(), Failure> {
    let mut answer = client.write("/v1/members/find", None, &value(typed()?.trim_end())?)?;
    for _ in 0..ASKED_AGAIN_MAX {
        let Some(number) = answer["asked"].as_u64() else { break };
        std::thread::sleep(ASK_AGAIN_AFTER);
        answer = client.read(&format!("/v1/members/asked/{number}"))?;
    }
    match answer["members"].as_array() {
        Some(found) if !found.is_empty() => found.iter().for_each(show),
        _ if answer["state"] == "found" => return Err("nobody is known by that".into()),
        _ => return Err("not known here, and the hub has not answered: try again when the link is up".into()),
    }
    Ok(())
}

fn show(person: &Value) {
    out!("Member {}, {}, of store {}", text(person, "member"), text(person, "standing"), person["home"]);
    let values = person["values"].as_array().into_iter().flatten();
    let rows = values.map(|value| {
        let shown = value["value"].as_str().unwrap_or("(sealed)").to_owned();
        let verified = if value["verified"] == true { "verified" } else { "-" };
        [text(value, "slot"), shown, verified.into(), text(value, "at")]
    });
    table::print(["slot", "value", "shown to be hers", "since"], rows);
    for (name, what) in [("accounts", "Accounts"), ("perhaps", "Perhaps also"), ("agrees", "Agrees to")] {
        let words: Vec<_> = person[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !words.is_empty() {
            out!("{what}: {}", words.join(", "));
        }
    }
}

fn show_note(note: &Value) {
    if note["standing"] != "readable" {
        out!("The note cannot be read here: it {}.", if note["standing"] == "sealed" { "is sealed" } else { "waits" });
        return;
    }
    for (name, says) in note["texts"].as_object().into_iter().flatten() {
        out!("{name}: {}", says.as_str().unwrap_or_default());
    }
    for (name, said) in note["values"].as_object().into_iter().flatten() {
        let said = said.as_array().map_or(&[][..], Vec::as_slice);
        let conflict = if said.len() > 1 { " (IN CONFLICT: set it to settle that)" } else { "" };
        out!("{name}{conflict}");
        said.iter().for_each(|said| out!("  {} {}", text(said, "text"), by(said)));
    }
    for said in note["chat"].as_array().into_iter().flatten() {
        out!("> {} {}", text(said, "text"), by(said));
    }
    let count = note["history"].as_array().map_or(0, Vec::len);
    out!("{count} edits, {} before them, {} that wait", note["folded"], note["waiting"]);
}

fn by(said: &Value) -> String {
    let by = &said["by"];
    format!("({}, node {}, {})", text(by, "staff"), text(by, "node"), text(by, "at"))
}

fn reads(args: &ReadsArgs) -> Result<(), Failure> {
    let member = args.member.as_ref().map_or(String::new(), |member| format!("&member={member}"));
    let client = Client::new(&args.target);
    let page = client.read(&format!("/v1/members/reads?limit={}{member}", args.limit))?;
    let rows = page["items"].as_array().ok_or_else(|| client.strange(&"it lists nothing"))?.iter().map(|row| {
        let fields: Vec<_> = row["fields"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let masked = if row["masked"] == true { "masked" } else { "in full" };
        [
            text(row, "at"),
            text(row, "device"),
            text(row, "staff"),
            text(row, "member"),
            fields.join(" "),
            text(row, "how"),
            masked.into(),
        ]
    });
    table::print(["at", "device", "staff", "member", "fields", "how", "seen"], rows);
    Ok(())
}

fn say(target: &Target, path: &str, body: &Value) -> Result<(), Failure> {
    Client::new(target).write(path, Some(&fresh_key()?), body)?;
    out!("Done.");
    Ok(())
}

fn path(member: &str, rest: &str) -> String {
    format!("/v1/members/{member}{rest}")
}

/// `FIELD VALUE`, for a body.
fn value(line: &str) -> Result<Value, Failure> {
    let (field, value) = line.trim().split_once(' ').ok_or("a line is FIELD VALUE, e.g. phone 13800001111")?;
    Ok(json!({ "field": field, "value": value.trim() }))
}

/// What somebody types, or another program gives, until its end.
fn typed() -> Result<String, Failure> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        io::stderr().write_all(b"Type, and end with Ctrl-D on a line of its own:\n")?;
    }
    let mut text = String::new();
    input.by_ref().take(INPUT_BYTES_MAX).read_to_string(&mut text)?;
    if text.trim().is_empty() { Err("nothing was given on standard input".into()) } else { Ok(text) }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// More than any note or member takes.
const INPUT_BYTES_MAX: u64 = 64 * 1024;

/// A question to the hub is answered within seconds, or not at all.
const ASKED_AGAIN_MAX: usize = 50;

/// Between two looks whether the hub has answered.
const ASK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(200);

//! Commands about staff, at the hub. A PIN is typed without being shown, or read from standard input; never an argument, where other
//! programs and the shell's history would see it.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::{Args, Subcommand};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};

use super::promise::fresh_key;
use super::{Failure, table};
use crate::client::{Client, Target};
use crate::staff::pin::Pin;

#[derive(Subcommand, Debug)]
pub enum StaffCommand {
    /// Put somebody down who works in stores; asks for a PIN with --pin
    Add(AddArgs),
    /// List who works here
    List(ListArgs),
    /// Somebody works here no more: signed out everywhere, and the PIN is forgotten
    End(NameArgs),
    /// Set somebody's PIN: 4 to 8 digits, typed unseen or read from standard input
    Pin(NameArgs),
}

#[derive(Args, Debug)]
pub struct AddArgs {
    /// Short name, as sales hold it
    staff: String,
    /// Name on displays and receipts
    name: String,
    /// What she is: cashier, associate, manager or head-office
    #[arg(long, default_value = "cashier")]
    role: String,
    /// Where; may be given several times [default: every store]
    #[arg(long = "store", value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    stores: Vec<u32>,
    /// Set a PIN as well
    #[arg(long)]
    pin: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct ListArgs {
    /// Who works at this store [default: the node's own, everybody at a hub]
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    /// Also those who work here no more
    #[arg(long)]
    ended: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
pub struct NameArgs {
    /// Short name
    staff: String,
    #[command(flatten)]
    target: Target,
}

/// `staff`.
pub fn staff(command: &StaffCommand) -> Result<(), Failure> {
    match command {
        StaffCommand::Add(args) => {
            let mut body = json!({ "name": args.name, "role": args.role, "stores": args.stores });
            if args.pin {
                body["pin"] = ask_pin()?.into();
            }
            put(&Client::new(&args.target), &args.staff, &body)?;
            out!("{} is put down as {}.", args.staff, args.role);
        }
        StaffCommand::List(args) => list(args)?,
        StaffCommand::End(args) => {
            let client = Client::new(&args.target);
            let mut body = held(&client, &args.staff)?;
            body["ended"] = true.into();
            put(&client, &args.staff, &body)?;
            out!("{} works here no more.", args.staff);
        }
        StaffCommand::Pin(args) => {
            let client = Client::new(&args.target);
            let mut body = held(&client, &args.staff)?;
            body["pin"] = ask_pin()?.into();
            put(&client, &args.staff, &body)?;
            out!("The PIN of {} is set.", args.staff);
        }
    }
    Ok(())
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let store = args.store.map_or(String::new(), |store| format!("&store={store}"));
    let rows = records(&client, &format!("ended={}{store}", args.ended))?;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let rows = rows.iter().map(|row| {
        let stores: Vec<_> = row["stores"].as_array().into_iter().flatten().map(Value::to_string).collect();
        let stores = if stores.is_empty() { "all".into() } else { stores.join(" ") };
        let pin = match (row["ended"] == true, row["has_pin"] == true) {
            (true, _) => "ended",
            (false, true) => "has a PIN",
            (false, false) => "-",
        };
        [text(row, "staff"), text(row, "name"), text(row, "role"), stores, pin.into()]
    });
    table::print(["staff", "name", "role", "stores", "signs in"], rows);
    Ok(())
}

/// All pages of a list.
fn records(client: &Client, query: &str) -> Result<Vec<Value>, Failure> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let page = client.read(&format!("/v1/staff?limit=1000&{query}{after}"))?;
        rows.extend(page["items"].as_array().cloned().ok_or_else(|| client.strange(&"it lists nothing"))?);
        let Some(next) = page["next"].as_str() else { return Ok(rows) };
        after = format!("&after={}", escaped(next));
    }
}

/// A record as it may be put again.
fn held(client: &Client, staff: &str) -> Result<Value, Failure> {
    let rows = records(client, "ended=true")?;
    let row = rows.into_iter().find(|row| row["staff"] == staff);
    let row = row.ok_or_else(|| format!("nobody is put down as {staff:?}"))?;
    Ok(json!({ "name": row["name"], "role": row["role"], "stores": row["stores"] }))
}

fn put(client: &Client, staff: &str, body: &Value) -> Result<(), Failure> {
    client.replace(&format!("/v1/staff/{}", escaped(staff)), Some(&fresh_key()?), body)?;
    Ok(())
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Reads a PIN: twice from a terminal, once from anything else.
fn ask_pin() -> Result<String, Failure> {
    let mut pins = io::stdin().lock();
    let first = match Unseen::begin(&pins)? {
        None => line(&mut pins)?,
        Some(_unseen) => {
            prompt("PIN: ")?;
            let first = line(&mut pins)?;
            prompt("\nThe same again: ")?;
            let second = line(&mut pins)?;
            prompt("\n")?;
            if first != second {
                return Err("the two are not the same".into());
            }
            first
        }
    };
    let pin = Pin::parse(&first).map_err(|what| format!("the PIN {what}"))?;
    if pin.is_trivial() { Err("this PIN is one of those that are guessed first".into()) } else { Ok(first) }
}

fn line(from: &mut impl BufRead) -> Result<String, Failure> {
    let mut text = String::new();
    from.read_line(&mut text)?;
    Ok(text.trim().to_owned())
}

/// On standard error: what the command prints may go elsewhere.
fn prompt(words: &str) -> io::Result<()> {
    let mut to = io::stderr();
    to.write_all(words.as_bytes())?;
    to.flush()
}

/// A terminal that does not show what is typed, until this is dropped.
struct Unseen(Termios);

impl Unseen {
    /// `None` if standard input is no terminal.
    fn begin(input: &io::StdinLock<'_>) -> io::Result<Option<Self>> {
        if !input.is_terminal() {
            return Ok(None);
        }
        let before = tcgetattr(input)?;
        let mut unseen = before.clone();
        unseen.local_modes.remove(LocalModes::ECHO);
        tcsetattr(input, OptionalActions::Flush, &unseen)?;
        Ok(Some(Self(before)))
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // A terminal that went away needs nothing shown.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

//! The command line: what can be asked for, and who does it.

/// Prints a line for people. Who closed the pipe has read enough.
macro_rules! out {
    ($($words:tt)*) => {
        $crate::cli::table::line(format_args!($($words)*))
    };
}

mod ask;
mod checkout;
mod keep;
mod loyalty;
mod members;
mod node;
mod orders;
mod promise;
mod shelves;
mod shifts;
mod staff;
mod table;
mod till_rules;

use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::client::Target;
use crate::config::{Overrides, Profile};

/// Stockroom keeps a store selling while its link is down, and agrees with its hub and neighbours as soon as it is up.
#[derive(Parser, Debug)]
#[command(name = "stockroom", version, about, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Make a tenant and its first hub
    Init(InitArgs),
    /// Issue a one-time token with which one node can join for a store (at the hub)
    Token(TokenArgs),
    /// Make a store's node, with a token from the hub
    Join(JoinArgs),
    /// Run the node of a data directory: a hub or a store, as its certificate says
    Run(Overrides),
    /// Say how a running node fares; exits with 1 when none answers
    Status(StatusArgs),
    /// Ring up a sale at a store's node
    Sell(SellArgs),
    /// Price a basket at a store's node, and pay it, let it wait, or put it on a counter's slip
    Checkout(checkout::CheckoutArgs),
    /// Baskets that wait: suspended, slips of counters, or while a payment terminal is asked
    #[command(subcommand)]
    Basket(checkout::BasketCommand),
    /// Show stock on hand
    Stock(StockArgs),
    /// Keep goods for a customer; exits with 1 when nothing could be promised
    Reserve(promise::ReserveArgs),
    /// Show a reservation, or say what becomes of it
    Reservation(promise::ReservationArgs),
    /// Orders: placing and following them, and the work of a store on them
    #[command(subcommand)]
    Orders(Box<orders::OrdersCommand>),
    /// Drawers of tills: take one, move cash, count it blind, and the X and Z reports
    #[command(subcommand)]
    Shift(shifts::ShiftCommand),
    /// Labels on shelves that show another price than they have to
    #[command(subcommand)]
    Label(shelves::LabelCommand),
    /// What was sold for whom, and whether an acquirer agrees
    #[command(subcommand)]
    Settlement(shelves::SettlementCommand),
    /// Show who may promise how many of a product
    Rights(promise::RightsArgs),
    /// Rules about promising
    #[command(subcommand)]
    Policy(promise::PolicyCommand),
    /// What tills follow: taxes, promotions, hours of sale, limits
    #[command(subcommand)]
    TillRules(till_rules::TillRulesCommand),
    /// Points, campaigns and coupons
    #[command(subcommand)]
    Loyalty(loyalty::LoyaltyCommand),
    /// Who works in stores (at the hub)
    #[command(subcommand)]
    Staff(staff::StaffCommand),
    /// Members: enrolling, finding, what is known of one, forgetting her
    #[command(subcommand)]
    Members(members::MembersCommand),
    /// Notes about members, orders, stores and products
    #[command(subcommand)]
    Notes(members::NotesCommand),
    /// Write off what a node may promise that will never come back (at the hub)
    Retire(promise::RetireArgs),
    /// Make a node the home of its store's goods (at the hub)
    Promote(promise::PromoteArgs),
    /// Write a table for other programs, as CSV
    Export(promise::ExportArgs),
    /// Tills and handhelds that may use the API over the shop's network
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Write the database of a node into one file, also while it runs; holds members' keys, but no private key of a node
    Backup(BackupArgs),
    /// Put a backup in the place of a node's database; the node opens a new epoch with no rights
    Restore(RestoreArgs),
    /// Check a stopped node's database: checksums, every log's hash chain and seals, and the books against the logs
    Verify(VerifyArgs),
    /// Write a stopped node's database anew, so that what was erased is in no page of the file any more
    Compact(VerifyArgs),
    /// Show a hub and three stores on this machine with a real day of sales, cuts and a crash
    Demo(crate::demo::DemoArgs),
}

#[derive(Args, Debug)]
struct DataArg {
    /// Data directory of the node
    #[arg(long, value_name = "DIR", env = "STOCKROOM_DATA", default_value = crate::config::DATA_DIR)]
    data: PathBuf,
}

#[derive(Args, Debug)]
struct InitArgs {
    /// Name of the tenant: the chain of shops
    #[arg(long, value_name = "NAME")]
    tenant: String,
    #[command(flatten)]
    data: DataArg,
    /// Where the root's two secret keys go [default: ./stockroom-root-NAME.key]
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// Further DNS name or address of this machine, for its certificate; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
}

#[derive(Args, Debug)]
struct TokenArgs {
    /// Number of the store, from 1
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u32).range(1..))]
    store: u32,
    /// Name of the store [default for a new store: "Store ID"]
    #[arg(long)]
    name: Option<String>,
    /// Its price book [default for a new store: default]
    #[arg(long)]
    book: Option<String>,
    /// Its group of stores that share stock [default for a new store: chain]
    #[arg(long)]
    group: Option<String>,
    /// Its currency [default for a new store: EUR]
    #[arg(long)]
    currency: Option<String>,
    /// Its time zone, e.g. Europe/Berlin, or local for that of its machine [default for a new store: local]
    #[arg(long)]
    zone: Option<String>,
    /// When its business day rolls over, HH:MM [default for a new store: 04:00]
    #[arg(long, value_name = "HH:MM", value_parser = node::parse_rollover)]
    rollover: Option<u16>,
    /// Where the store is, in degrees [default for a new store: nowhere]
    #[arg(long, value_name = "LAT,LON", value_parser = promise::parse_place, allow_hyphen_values = true)]
    coordinates: Option<promise::Place>,
    /// Write its QR code as an SVG picture into this file
    #[arg(long, value_name = "FILE")]
    qr: Option<PathBuf>,
    /// For how long the token is good, at most 24h; e.g. 90m
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = node::parse_span)]
    valid: std::time::Duration,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct JoinArgs {
    /// The token that `stockroom token` printed at the hub
    token: String,
    /// Address of the hub's enrolment port, if the token does not end in it; the port is 7402 if none is given
    #[arg(long, value_name = "HOST[:PORT]")]
    hub: Option<String>,
    #[command(flatten)]
    data: DataArg,
    /// Further DNS name or address of this machine, for its certificate; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// What sort of shop it is: store, or solo for one person with one till [default: store]
    #[arg(long, value_name = "NAME")]
    profile: Option<Profile>,
}

#[derive(Args, Debug)]
struct StatusArgs {
    /// Print the node's own JSON instead of tables
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct SellArgs {
    /// What is sold: SKU[:QUANTITY[@UNIT_PRICE]], prices in minor units, e.g. milk-1l:2@129
    #[arg(required = true, value_name = "SKU[:QTY[@PRICE]]", value_parser = ask::parse_line)]
    lines: Vec<ask::Line>,
    /// Number of the till
    #[arg(long, default_value_t = 1)]
    till: u32,
    /// Paid in cash (a card otherwise)
    #[arg(long)]
    cash: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(Args, Debug)]
struct StockArgs {
    /// Only this product
    sku: Option<String>,
    /// Every entry that makes the figure what it is, and what moved the rights to it
    #[arg(long, requires = "sku")]
    why: bool,
    /// Of this store; the node's own by default
    #[arg(long, value_name = "ID")]
    store: Option<u32>,
    #[command(flatten)]
    target: Target,
}

#[derive(Subcommand, Debug)]
enum DeviceCommand {
    /// Allow a device; prints its token, once
    Add {
        /// What people call it
        name: String,
        #[command(flatten)]
        data: DataArg,
    },
    /// List the devices
    List {
        #[command(flatten)]
        data: DataArg,
    },
    /// Show what devices have to trust, once, to believe the node's pages: compare it with what the device shows
    Trust {
        #[command(flatten)]
        data: DataArg,
    },
    /// Forbid a device, also to a running node
    Revoke {
        /// What people call it
        name: String,
        #[command(flatten)]
        data: DataArg,
    },
}

#[derive(Args, Debug)]
struct BackupArgs {
    /// The file to write
    file: PathBuf,
    #[command(flatten)]
    data: DataArg,
}

#[derive(Args, Debug)]
struct RestoreArgs {
    /// The file to read
    file: PathBuf,
    #[command(flatten)]
    data: DataArg,
    /// Directory of the continuity token, if the node's configuration names one
    #[arg(long, value_name = "DIR", env = "STOCKROOM_STATE")]
    state: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct VerifyArgs {
    #[command(flatten)]
    data: DataArg,
    /// Directory of the continuity token, if the node's configuration names one
    #[arg(long, value_name = "DIR", env = "STOCKROOM_STATE")]
    state: Option<PathBuf>,
}

/// Whatever went wrong, with its causes.
type Failure = Box<dyn Error + Send + Sync>;

/// Parses the arguments, does what they ask for, and prints one chain of causes if that fails.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing can be done about a closed terminal.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("stockroom: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Init(args) => node::init(args),
        Command::Token(args) => node::token(args),
        Command::Join(args) => node::join(args),
        Command::Run(overrides) => node::run(&overrides),
        Command::Status(args) => ask::status(&args),
        Command::Sell(args) => ask::sell(&args),
        Command::Checkout(args) => checkout::checkout(&args),
        Command::Basket(command) => checkout::basket(&command),
        Command::Stock(args) => ask::stock(&args),
        Command::Reserve(args) => promise::reserve(&args),
        Command::Reservation(args) => promise::reservation(&args),
        Command::Orders(command) => orders::orders(&command),
        Command::Shift(command) => shifts::shift(&command),
        Command::Label(command) => shelves::label(&command),
        Command::Settlement(command) => shelves::settlement(&command),
        Command::Rights(args) => promise::rights(&args),
        Command::Policy(command) => promise::policy(&command),
        Command::TillRules(command) => till_rules::till_rules(&command),
        Command::Loyalty(command) => loyalty::loyalty(&command),
        Command::Staff(command) => staff::staff(&command),
        Command::Members(command) => members::members(&command),
        Command::Notes(command) => members::notes(&command),
        Command::Retire(args) => promise::retire(&args),
        Command::Promote(args) => promise::promote(&args),
        Command::Export(args) => promise::export(&args),
        Command::Device(command) => keep::device(command),
        Command::Backup(args) => keep::backup(&args),
        Command::Restore(args) => keep::restore(&args),
        Command::Verify(args) => return keep::verify(&args),
        Command::Compact(args) => keep::compact(&args),
        Command::Demo(args) => return crate::demo::run(args),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// An error and its causes in one line, each once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

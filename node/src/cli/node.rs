//! Commands that make and run a node.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use serde_json::json;
use tracing_subscriber::EnvFilter;

use super::{Failure, InitArgs, JoinArgs, TokenArgs};
use crate::api::setup::SetupServer;
use crate::client::Client;
use crate::config::{Config, Overrides};
use crate::daemon;
use crate::files::DataDir;
use crate::setup::first::{self, First};
use crate::setup::join::{Join, join as join_tenant};
use crate::setup::{self, Init, own_names};

/// `init`.
pub fn init(args: InitArgs) -> Result<(), Failure> {
    let root_key = args.root_key.unwrap_or_else(|| root_key_of(&args.tenant));
    let data = DataDir::new(args.data.data, None);
    let order = Init { tenant: args.tenant, data, root_key, names: own_names(&args.hosts) };
    let record = setup::init(&order)?;
    let (data, root_key) = (order.data.root().display(), order.root_key.display());
    out!("Tenant {} ({}) is made; its first hub is node {} in {data}.", order.tenant, record.tenant, record.node);
    out!("The tenant's root keys are in {root_key}.");
    out!("MOVE THAT FILE OFF THIS MACHINE NOW, to a place where it is kept safe: whoever has it can admit any node.");
    out!(
        "All goods may be promised by the rule in {data}/first-policy.json, which the first start writes down: rights where they \
         are worth the most (littlewood), 1% risk, soft promises at 1% for 5% of the goods, held 15 min, picked within 30 min. \
         To change it later: stockroom policy set"
    );
    out!("Next: stockroom run --data {data}");
    Ok(())
}

/// `token`.
pub fn token(args: TokenArgs) -> Result<(), Failure> {
    let client = Client::new(&args.target);
    let body = json!({
        "store": args.store,
        "name": args.name,
        "book": args.book,
        "group": args.group,
        "currency": args.currency,
        "zone": args.zone,
        "rollover_min": args.rollover,
        "coordinates": args.coordinates.map(super::promise::Place::json),
        "valid_s": args.valid.as_secs(),
    });
    let answer = client.write("/v1/enrolment-tokens", None, &body)?;
    let text = answer["carried"].as_str().ok_or_else(|| client.strange(&"it gave no token"))?;
    out!("{text}");
    show_qr(&args, text, &answer)?;
    let expires = answer["expires_at"].as_str().unwrap_or("an unknown time");
    eprintln!("Good for one node of store {} until {expires}. At the store's machine:", args.store);
    let hub = if text.contains('@') { "" } else { " --hub <address of this hub>" };
    eprintln!("  stockroom join TOKEN{hub}");
    eprintln!("or start the box and give it the token on its page: stockroom run, then /setup");
    Ok(())
}

/// The QR code, for a new box's camera: into a file, or on the terminal.
fn show_qr(args: &TokenArgs, text: &str, answer: &serde_json::Value) -> Result<(), Failure> {
    if let Some(file) = &args.qr {
        let svg = answer["qr_svg"].as_str().unwrap_or_default();
        std::fs::write(file, svg).map_err(|error| format!("{}: {error}", file.display()))?;
    } else if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
        eprintln!("{}", crate::paper::qr::terminal(text)?);
    }
    Ok(())
}

/// `join`.
pub fn join(args: JoinArgs) -> Result<(), Failure> {
    let data = DataDir::new(args.data.data, None);
    let order = Join { token: args.token, hub: args.hub, data, names: own_names(&args.hosts), profile: args.profile };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let record = runtime.block_on(join_tenant(&order))?;
    let data = order.data.root().display();
    out!("This is node {} of store {} of {} now, in {data}.", record.node, record.store, record.tenant_name);
    out!("Next: stockroom run --data {data}");
    Ok(())
}

/// `run`.
pub fn run(overrides: &Overrides) -> Result<(), Failure> {
    let config = Config::load(overrides)?;
    let filter = EnvFilter::try_new(&config.log).map_err(|error| format!("log: {error}"))?;
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    subscriber.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init();
    if overrides.stop_with_stdin {
        std::thread::Builder::new().name("stdin".into()).spawn(stop_with_stdin)?;
    }
    if first::is_wanted(&config.dir()) && set_up(&config)? == Ended::Stopped {
        return Ok(());
    }
    daemon::run(&config)?;
    Ok(())
}

/// How a box without a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It is a node now.
    SetUp,
    /// Somebody stopped it.
    Stopped,
}

/// Serves the page on which a person says what this box shall be.
fn set_up(config: &Config) -> Result<Ended, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let server = SetupServer::open(config)?;
        eprintln!("{} holds no node yet. Say what it shall be, in a browser:", config.data_dir.display());
        for (place, fingerprint) in server.places() {
            eprintln!("  {place}");
            tracing::info!(place, "waiting to be set up");
            if let Some(fingerprint) = fingerprint {
                eprintln!("    certificate SHA-256 {fingerprint}");
            }
        }
        let first = First::new(config.dir());
        tokio::select! {
            served = server.serve(first.clone()) => served.map(|()| Ended::SetUp).map_err(Failure::from),
            signal = daemon::stop_signal() => signal.map(|()| Ended::Stopped).map_err(Failure::from),
            never = daemon::notify::wait_without_core("waiting to be set up, in a browser") => match never {},
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// Sends this process SIGTERM when nothing can come from standard input any more, however its other end was closed.
fn stop_with_stdin() {
    // An input that fails has ended as well.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    tracing::info!("standard input ended");
    // A process may always signal itself.
    let _ = kill_process(getpid(), Signal::TERM);
}

/// A time of day as minutes after midnight.
pub fn parse_rollover(text: &str) -> Result<u16, String> {
    let wrong = || "a time of day is written HH:MM".to_owned();
    let (hours, minutes) = text.split_once(':').ok_or_else(wrong)?;
    let (hours, minutes): (u16, u16) = (hours.parse().map_err(|_| wrong())?, minutes.parse().map_err(|_| wrong())?);
    if hours < 24 && minutes < 60 { Ok(hours * 60 + minutes) } else { Err(wrong()) }
}

/// A span of time such as `24h`, `90m` or `30s`.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || "a span of time is a number with h, m or s, e.g. 24h".to_owned();
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// A file name from the tenant's name.
fn root_key_of(tenant: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    PathBuf::from(format!("stockroom-root-{}.key", tenant.chars().map(plain).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_with_a_unit() {
        assert_eq!(parse_span("24h"), Ok(Duration::from_secs(86_400)));
        assert_eq!(parse_span("90m"), Ok(Duration::from_secs(5_400)));
        for wrong in ["", "h", "24", "-1h", "1 h", "1d", "99999999999999999999h"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_rollover("04:00"), Ok(240));
        for wrong in ["4", "24:00", "04:60", ":", "-1:00"] {
            assert!(parse_rollover(wrong).is_err(), "{wrong}");
        }
    }
}

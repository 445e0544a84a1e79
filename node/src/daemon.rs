//! A running node: the core on its thread, and around it links, watchers, the enrolment port and the API, started in this order
//! and stopped in the reverse.

pub mod clock;
pub mod engine;
pub mod net;
pub mod notify;
pub mod open;
pub mod watch;

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use stockroom_core::input::CoreError;
use stockroom_crdt::ids::{Code, NodeId, StoreId};
use stockroom_transport::pages::own_addresses;
use stockroom_transport::{Net, NetError, TlsClock};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{broadcast, mpsc, oneshot, watch as channel};
use tokio::task::JoinSet;
use tracing::Instrument;

use crate::api::{self, Listeners};
use crate::config::Config;
use crate::courier::desk::{Desk, Setup};
use crate::devices::DeviceStore;
use crate::enrol::Enrolment;
use crate::enrol::port::{Clerk, keep};
use crate::files::{self, DataDir, FilesError, Running};
use crate::handle::Handle;
use crate::identity::Identity;
use crate::info::{ApiConfig, LanConfig, NodeInfo};
use crate::lan::{self, LanDoor, every_url};
use crate::paper::spool::Spool;
use crate::terminal::desk::Desk as CashDesk;
use crate::terminal::tenders::{self, CoreTenders};
use crate::terminal::{follow, settings};
use crate::webhooks::feed;
use crate::webhooks::service::Webhooks;
use crate::webhooks::worker::Worker;
use clock::{Clock, wall_ms};
use engine::{Control, Ends, Engine, EngineError};
use open::{OpenError, Opener};

/// Why a node does not run, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The core could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The links could not be opened.
    #[error("the links to other nodes cannot be opened")]
    Net(#[from] NetError),
    /// The API could not be served.
    #[error(transparent)]
    Api(#[from] api::ServeError),
    /// The core ended by itself.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The core's thread panicked. Its message stands above.
    #[error("the core crashed: this is a bug in stockroom")]
    Crashed,
    /// Threads, signals or sockets are not to be had.
    #[error("the system refused: {0}")]
    System(&'static str, #[source] io::Error),
    /// The hub's issuer cannot be read, or no certificate for pages was made.
    #[error("a certificate could not be made or read")]
    Issuer(#[from] stockroom_transport::AuthorityError),
    /// The identity is not whole.
    #[error("the identity cannot be used: {0}")]
    Identity(String),
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Random(#[from] getrandom::Error),
}

/// Runs the node in the configured directory until SIGTERM or SIGINT, or until its disk cannot be trusted any more.
pub fn run(config: &Config) -> Result<(), RunError> {
    let dir = config.dir();
    let identity = Arc::new(Identity::load(&dir)?);
    dir.create()?;
    let _lock = dir.lock()?;
    let unclean = dir.running().exists();
    dir.write_running(&Running { pid: std::process::id(), api: None })?;
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|e| RunError::System("no runtime", e))?;
    let record = &identity.record;
    let span = tracing::info_span!("node", node = record.node, store = record.store);
    let outcome = {
        let _entered = span.enter();
        if unclean {
            tracing::warn!("the last stop was not clean");
        }
        start(config, &dir, identity, &runtime)
    };
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    if outcome.is_ok() {
        files::remove(&dir.running())?;
    }
    outcome
}

fn start(config: &Config, dir: &DataDir, identity: Arc<Identity>, runtime: &Runtime) -> Result<(), RunError> {
    let mut boot = [0; 8];
    getrandom::fill(&mut boot)?;
    let clock = Clock::start(u64::from_be_bytes(boot));
    let started_ms = wall_ms();
    notify::status("opening: every page of the database is verified");
    let opener = Opener::new(dir, identity.clone(), config.cache_mib << 20)?;
    let core = opener.open(clock.now(), None)?;
    let first = core.status().map_err(OpenError::from)?;
    let reader = core.reader();
    tracing::info!(
        role = first.role.as_str(),
        epoch = first.epoch.0,
        reason = first.epoch_reason.as_str(),
        "core open"
    );

    let _in_runtime = runtime.enter();
    let tls_clock = TlsClock::wall();
    let (net, links) = net::start(config, &identity, reader.clone(), tls_clock.clone())?;
    let (requests_in, requests) = mpsc::channel(REQUESTS_MAX);
    let (control_in, control) = mpsc::channel(CONTROLS_MAX);
    let (probes_in, probes) = mpsc::channel(1);
    let (status_in, status) = channel::channel(Arc::new(first));
    let (events, _) = broadcast::channel(EVENTS_MAX);
    let handle = Handle::new(requests_in, reader, status, events.clone());
    let live = net::LiveLinks::default();
    // Before the core looks at its business day: in another zone an evening would be over, or a night not yet.
    let zone = Control::Zone(watch::zone_now(StoreId(identity.record.store), &handle));
    control_in.try_send(zone).map_err(|_| RunError::Crashed)?;
    let ends = Ends { requests, links, control, probes, status: status_in, live: live.clone(), events };
    let engine = Engine::new(core, opener, clock, net.clone(), ends);
    let ended = spawn_engine(engine, runtime.handle().clone())?;

    let node = Node {
        config,
        dir,
        identity: &identity,
        handle,
        net,
        live,
        control: control_in,
        probes: probes_in,
        started_ms,
    };
    let span = tracing::Span::current();
    runtime.block_on(node.serve(tls_clock, ended).instrument(span))
}

/// What follows the feeds, besides the API.
struct Tellers {
    webhooks: Webhooks,
    desk: Desk,
    /// Payment terminals that the cash desk can ask.
    terminals: BTreeSet<Code>,
}

type Ended = oneshot::Receiver<Result<(), RunError>>;

/// The thread reports its end through a channel; dropping the channel without a word means that it panicked.
fn spawn_engine(engine: Engine, runtime: tokio::runtime::Handle) -> Result<Ended, RunError> {
    let (report, ended) = oneshot::channel();
    let span = tracing::Span::current();
    let body = move || {
        let _entered = span.enter();
        let outcome = engine.run(&runtime).map_err(RunError::from);
        // The receiver lives until the process ends.
        let _ = report.send(outcome);
    };
    std::thread::Builder::new().name("core".into()).spawn(body).map_err(|e| RunError::System("no thread", e))?;
    Ok(ended)
}

/// The parts of a node whose core runs.
struct Node<'a> {
    config: &'a Config,
    dir: &'a DataDir,
    identity: &'a Identity,
    handle: Handle,
    net: Net,
    live: net::LiveLinks,
    control: mpsc::Sender<Control>,
    probes: mpsc::Sender<notify::Probe>,
    started_ms: u64,
}

impl Node<'_> {
    /// Serves until a signal comes or a part fails; then stops everything in order.
    async fn serve(self, clock: TlsClock, mut ended: Ended) -> Result<(), RunError> {
        let (stop, stopped) = channel::channel(false);
        let mut tasks = JoinSet::new();
        let enrolment = self.open_enrolment(clock, &stopped, &mut tasks)?;
        crate::setup::policy::take(self.dir, &self.handle).await;
        let cash_desk = self.open_cash_desk(&mut tasks);
        let terminals = cash_desk.as_ref().map(CashDesk::names).unwrap_or_default();
        let tellers = Tellers { webhooks: self.open_webhooks()?, desk: self.open_desk()?, terminals };
        let mut api = self.open_api(enrolment, tellers, &stopped)?;
        if let Some(desk) = cash_desk {
            api.spawn(without_fail(desk.run(stopped.clone())).in_current_span());
        }
        self.watch(&mut tasks);
        let name = self.identity.record.tenant_name.clone();
        notify::ready(&notify::words(&name, &self.handle.status()));
        tasks.spawn(notify::keep(name, self.handle.clone(), self.probes.clone()).in_current_span());
        let early = tokio::select! {
            signal = stop_signal() => signal.map_err(|e| RunError::System("no signals", e)),
            outcome = &mut ended => outcome.unwrap_or(Err(RunError::Crashed)),
            served = api.join_next() => Err(served.and_then(api_failure).unwrap_or(RunError::Crashed)),
        };
        tracing::info!("stopping");
        notify::stopping();
        stop.send_replace(true);
        while api.join_next().await.is_some() {}
        // A closed channel means that the core has ended; its outcome is known then.
        let late = match self.control.send(Control::Stop).await {
            Ok(()) => ended.await.unwrap_or(Err(RunError::Crashed)),
            Err(_) => Ok(()),
        };
        self.net.shutdown("goodbye").await;
        tasks.shutdown().await;
        early.and(late)
    }

    fn info(&self, enrolment: Option<Arc<Enrolment>>) -> NodeInfo {
        let record = &self.identity.record;
        NodeInfo {
            tenant: record.tenant.clone(),
            node: record.node,
            role: self.identity.role().as_str(),
            store: record.store,
            profile: self.config.profile.or(record.profile).unwrap_or_default(),
            name: record.tenant_name.clone(),
            data_dir: self.dir.root().into(),
            version: env!("CARGO_PKG_VERSION"),
            started_ms: self.started_ms,
            enrolment,
            links_until_unix_s: self.identity.tls.not_after_unix_s().unwrap_or(0),
            links: net::window(&self.net, &self.live),
        }
    }

    /// At a hub: the list of tokens, and the port that follows it.
    fn open_enrolment(
        &self,
        clock: TlsClock,
        stopped: &channel::Receiver<bool>,
        tasks: &mut JoinSet<()>,
    ) -> Result<Option<Arc<Enrolment>>, RunError> {
        let Some(issuer) = self.identity.issuer() else { return Ok(None) };
        let root_key = self.identity.root_key().map_err(RunError::Identity)?;
        let root_cert = self.identity.tls.root_fingerprint();
        let enrolment =
            Arc::new(Enrolment::open(self.dir.enrolment(), root_cert, root_key).at(self.enrolment_address()));
        let port = self.net.local_addr().map_err(|e| RunError::System("no address", e))?.port();
        let clerk = Clerk {
            handle: self.handle.clone(),
            issuer: issuer?,
            enrolment: enrolment.clone(),
            tenant_name: self.identity.record.tenant_name.clone(),
            hubs: self.config.advertise.iter().cloned().collect(),
            port,
            clock,
        };
        let tls = self.identity.tls.clone();
        tasks.spawn(keep(self.config.enrol_listen, tls, Arc::new(clerk), stopped.clone()).in_current_span());
        Ok(Some(enrolment))
    }

    /// Where boxes find the enrolment port, if the configuration says where the hub is.
    fn enrolment_address(&self) -> Option<String> {
        let (host, _) = self.config.advertise.as_ref()?.rsplit_once(':')?;
        Some(format!("{host}:{}", self.config.enrol_listen.port()))
    }

    fn open_api(
        &self,
        enrolment: Option<Arc<Enrolment>>,
        Tellers { webhooks, desk, terminals }: Tellers,
        stopped: &channel::Receiver<bool>,
    ) -> Result<JoinSet<Result<(), api::ServeError>>, RunError> {
        let lan = self.config.api.lan_listen.map(|listen| self.open_lan(listen)).transpose()?;
        let devices = DeviceStore::open(self.dir.devices());
        let test_aids = self.config.api.test_aids;
        let (listen, printer) = (self.config.api.listen, self.open_printer());
        let mut config = ApiConfig {
            listen,
            lan,
            devices,
            test_aids,
            webhooks: webhooks.clone(),
            printer: printer.clone(),
            desk: desk.clone(),
            terminals,
        };
        let listeners = Listeners::bind(&config)?;
        let address = listeners.loopback().map_err(|e| RunError::System("no address", e))?;
        let bound = listeners.lan().map_err(|e| RunError::System("no address", e))?;
        if let (Some(lan), Some(bound)) = (&mut config.lan, bound) {
            lan.listen = bound;
            let trust = lan.door.trust();
            self.net.publish_pages(lan.door.host(), bound.port());
            tracing::info!(pages = every_url(&lan.door, bound.port()).join(" "), ca_sha256 = trust.sha256, "pages");
        }
        self.dir.write_running(&Running { pid: std::process::id(), api: Some(address.to_string()) })?;
        tracing::info!(api = %address, lan = ?config.lan.as_ref().map(|lan| lan.listen), "node up");
        let mut api = JoinSet::new();
        let info = self.info(enrolment);
        let worker = Worker { webhooks, handle: self.handle.clone(), info: info.clone() };
        let served = api::serve(self.handle.clone(), info, config, listeners, stopped.clone());
        api.spawn(served.in_current_span());
        if let Some(printer) = printer {
            let printed = printer.run(stopped.clone());
            api.spawn(without_fail(printed).in_current_span());
        }
        api.spawn(without_fail(worker.run(stopped.clone())).in_current_span());
        api.spawn(without_fail(desk.run(stopped.clone())).in_current_span());
        Ok(api)
    }

    fn open_lan(&self, listen: SocketAddr) -> Result<LanConfig, RunError> {
        let names = lan::names_of(self.identity);
        let door = LanDoor::open(self.dir, names, TlsClock::wall(), own_addresses())?.published_by(&self.net);
        Ok(LanConfig { listen, door: Arc::new(door) })
    }

    fn open_webhooks(&self) -> Result<Webhooks, RunError> {
        let ends = self.handle.snapshot().and_then(|snapshot| feed::ends(&*snapshot));
        let ends = ends.map_err(|error| OpenError::from(CoreError::from(error)))?;
        Ok(Webhooks::open(self.dir.root(), &self.config.webhooks, &ends, wall_ms()))
    }

    /// A shop sells without a printer's queue.
    fn open_printer(&self) -> Option<Arc<Spool>> {
        let opened = Spool::open(&self.dir.file("spool"), self.config.printer.clone());
        opened.inspect_err(|error| tracing::error!(%error, "nothing can be printed")).ok().map(Arc::new)
    }

    fn open_desk(&self) -> Result<Desk, RunError> {
        let record = &self.identity.record;
        let setup = Setup {
            node: NodeId(record.node),
            store: (record.store != 0).then_some(StoreId(record.store)),
            tenant: self.identity.tenant().map_err(RunError::Identity)?,
            seal_secret: self.identity.seal_secret,
            file: self.dir.deliveries(),
        };
        Ok(Desk::open(self.config.courier.clone(), setup, self.handle.clone()))
    }

    /// At a store: the desk that asks terminals. It looks once before tills are heard, so that what is open then is taken for left over.
    fn open_cash_desk(&self, tasks: &mut JoinSet<()>) -> Option<CashDesk<CoreTenders>> {
        let store = Some(StoreId(self.identity.record.store)).filter(|store| store.0 != 0)?;
        let events = self.handle.events();
        let tenders = CoreTenders::new(self.handle.clone(), store);
        let terminals = settings::open(&self.config.terminals);
        let desk = CashDesk::open(tenders, terminals, wall_ms(), &follow::PACE_MS);
        tasks.spawn(tenders::wake(desk.clone(), events).in_current_span());
        Some(desk)
    }

    fn watch(&self, tasks: &mut JoinSet<()>) {
        let disk = watch::disk_space(self.dir.root().into(), self.config.disk.clone(), self.control.clone());
        tasks.spawn(disk.in_current_span());
        let store = StoreId(self.identity.record.store);
        tasks.spawn(watch::zone(store, self.handle.clone(), self.control.clone()).in_current_span());
        if store == StoreId(0) {
            tasks.spawn(watch::zones(self.handle.clone(), self.control.clone()).in_current_span());
        }
    }
}

fn api_failure(ended: Result<Result<(), api::ServeError>, tokio::task::JoinError>) -> Option<RunError> {
    ended.ok()?.err().map(RunError::from)
}

/// A task that ends when the API does, and has nothing to complain of.
async fn without_fail(task: impl Future<Output = ()>) -> Result<(), api::ServeError> {
    task.await;
    Ok(())
}

/// Returns when somebody wants this process to stop.
pub async fn stop_signal() -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Requests that wait for the core: more than a second's work for it.
const REQUESTS_MAX: usize = 4_096;

/// Controls come from three tasks, one at a time.
const CONTROLS_MAX: usize = 16;

/// Events that a slow watcher may be behind.
const EVENTS_MAX: usize = 4_096;

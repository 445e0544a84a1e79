//! A lane of a store: a simulated core, a cash desk that can be killed, and a terminal over HTTP.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use stockroom::handle::{Handle, Request};
use stockroom::terminal::desk::Desk;
use stockroom::terminal::settings::{self, Sections};
use stockroom::terminal::tenders::CoreTenders;
use stockroom_core::books::baskets::{End, Held};
use stockroom_core::input::checkout::{BasketDeed, BasketRequest, CheckoutRequest, Then};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::storage::{Reader, Snapshot, StoreError};
use stockroom_core::view::View;
use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::checkout::quote::AskedLine;
use stockroom_crdt::checkout::tender::{Assurance, TenderState};
use stockroom_crdt::entry::Fact;
use stockroom_crdt::ids::{Code, Digest, Sku, StoreId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::price::Price;
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{Sale, Tender, TenderKind};
use stockroom_sim::world::World;
use stockroom_tests::terminal_server::{SECRET, TerminalServer};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, mpsc, watch};

const HUB: u32 = 1;
const STORE: u32 = 2;
const HERE: StoreId = StoreId(1);

/// What a basket of one tea costs.
pub const TEA: i64 = 200;

pub struct Lane {
    pub world: World,
    pub terminal: TerminalServer,
    sections: Sections,
    process: Option<Process>,
    baskets: u64,
    deeds: u64,
    _folder: TempDir,
}

/// A cash desk on threads of its own, which end with it.
struct Process {
    requests: mpsc::Receiver<Request>,
    books: Arc<Books>,
    desk: Desk<CoreTenders>,
    _stop: watch::Sender<bool>,
    runtime: Runtime,
}

#[derive(Default)]
struct Books(Mutex<Option<Arc<dyn Snapshot>>>);

impl Reader for Books {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, StoreError> {
        Ok(self.0.lock().unwrap().clone().expect("set before anybody reads"))
    }
}

impl Lane {
    /// A store that sells tea for 2.00, with the terminal "T1".
    pub fn open(seed: u64) -> Self {
        println!("seed {seed}");
        let mut world = World::with_stores(seed, 1);
        world.connect(STORE, HUB);
        world.put_products(&[("TEA", Unit::Each)]);
        let book = View::new(&*world.snapshot(HUB)).store(HERE).unwrap().unwrap().book;
        let currency = Currency::parse("EUR").unwrap();
        let price = Price { book, sku: Sku::parse("TEA").unwrap(), from_ms: 0, minor: Some(TEA), currency };
        world.command(HUB, Command::Prices(retry("price"), vec![price])).unwrap();
        world.run_ms(5_000);
        let terminal = TerminalServer::start();
        let folder = tempfile::tempdir().unwrap();
        let sections = sections(&terminal.url(), folder.path());
        let mut lane = Self { world, terminal, sections, process: None, baskets: 0, deeds: 0, _folder: folder };
        lane.start();
        lane
    }

    /// The process begins, or begins again.
    pub fn start(&mut self) {
        self.process = Some(Process::open(&self.world, &self.sections));
    }

    /// The process is gone, and with it the calls that it made; the core's disk keeps what was committed.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.runtime.shutdown_background();
        }
        self.world.crash(STORE);
        self.world.run_ms(1_000);
        self.world.start(STORE);
        self.world.run_ms(1_000);
    }

    /// Rings up one tea, to be paid by card; gives the basket.
    pub fn card(&mut self) -> BasketId {
        self.baskets += 1;
        let basket = BasketId { till: TillId(3), number: self.baskets };
        let then = Then::Pay { tenders: Vec::new(), terminal: Some((code("T1"), TenderKind::Card)) };
        let request = CheckoutRequest {
            basket,
            body: Digest::of(&[&self.baskets.to_be_bytes()]),
            rung_ms: None,
            cashier: code("ann"),
            approver: Code::default(),
            age_checked: false,
            member: None,
            accounts: Vec::new(),
            coupons: Vec::new(),
            lines: vec![tea()],
            expected_total: Some(TEA),
            then,
        };
        self.world.command(STORE, Command::Checkout(Box::new(request))).unwrap();
        self.wake();
        basket
    }

    /// Says what becomes of a basket.
    pub fn deed(&mut self, basket: BasketId, what: BasketDeed) -> Result<Answer, Refusal> {
        self.deeds += 1;
        let request = BasketRequest { basket, till: basket.till, staff: code("ann"), what };
        let command = Command::Basket(retry(&format!("deed {}", self.deeds)), Box::new(request));
        let answer = self.world.command(STORE, command);
        self.wake();
        answer
    }

    /// Pays what is left in cash.
    pub fn cash(&mut self, basket: BasketId) -> Result<Answer, Refusal> {
        let tender = Tender { kind: TenderKind::Cash, amount: TEA, reference: Code::default() };
        self.deed(basket, BasketDeed::Tender { tenders: vec![(tender, Assurance::Cash)] })
    }

    /// Asks the terminal once more, under another number.
    pub fn again(&mut self, basket: BasketId) -> Result<Answer, Refusal> {
        self.deed(basket, BasketDeed::Ask { terminal: code("T1"), kind: TenderKind::Card })
    }

    /// Lets the desk and the core work until something is so.
    pub fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?} {:?}", self.all(), self.terminal.ledger());
            let Some(process) = &mut self.process else { panic!("{what}: nobody works on it") };
            let Process { runtime, requests, books, desk, .. } = process;
            let waiting = async { tokio::time::timeout(Duration::from_millis(20), requests.recv()).await };
            if let Ok(Some(request)) = runtime.block_on(waiting) {
                let answer = self.world.command(STORE, *request.command);
                *books.0.lock().unwrap() = Some(self.world.snapshot(STORE));
                // Whoever asked may have been killed.
                let _ = request.answer.send(answer);
                desk.wake();
            }
        }
    }

    /// Until a basket is sold.
    pub fn until_sold(&mut self, basket: BasketId) -> Sale {
        self.until("sold", |lane| lane.sale(basket).is_some());
        self.sale(basket).unwrap()
    }

    /// Until no terminal has to be asked anything.
    pub fn until_quiet(&mut self) {
        self.until("quiet", |lane| lane.open_tenders() == 0);
    }

    /// A basket as the store holds it.
    pub fn held(&self, basket: BasketId) -> Held {
        stockroom_core::books::baskets::load(&*self.world.snapshot(STORE), HERE, basket).unwrap().unwrap()
    }

    /// The states of a basket's tenders.
    pub fn states(&self, basket: BasketId) -> Vec<TenderState> {
        self.held(basket).tenders.iter().map(|asked| asked.last.state).collect()
    }

    pub fn is_abandoned(&self, basket: BasketId) -> bool {
        self.held(basket).end == Some(End::Abandoned)
    }

    pub fn sale(&self, basket: BasketId) -> Option<Sale> {
        let Some(End::Sold(number)) = self.held(basket).end else { return None };
        let snapshot = self.world.snapshot(STORE);
        let view = View::new(&*snapshot);
        let place = view.sale_by_receipt(HERE, number).unwrap()?;
        match view.entry(place).unwrap()?.fact {
            Fact::Sale(sale) => Some(sale),
            _ => None,
        }
    }

    pub fn open_tenders(&self) -> usize {
        View::new(&*self.world.snapshot(STORE)).open_tenders(HERE).unwrap().len()
    }

    /// The terminal and the store agree: what the terminal has is what the store's receipts say, and nobody paid twice under a reference.
    pub fn agree(&mut self) {
        self.until_quiet();
        let by_card = |sale: &Sale| {
            let cards = sale.tenders.iter().filter(|tender| tender.kind == TenderKind::Card);
            cards.map(|tender| tender.amount).sum::<i64>()
        };
        let (mut receipts, mut kept) = (0, 0);
        for held in self.all() {
            receipts += self.sale(held.basket.id).map_or(0, |sale| by_card(&sale));
            // A basket that is not over keeps what was approved in part.
            kept += held.approved().filter(|_| held.end.is_none()).map(|step| step.amount).sum::<i64>();
        }
        assert_eq!(self.terminal.has(), receipts + kept, "{:?}", self.terminal.ledger());
        assert!(self.terminal.ledger().values().all(|entry| entry.taken <= 1), "{:?}", self.terminal.ledger());
        assert_eq!(self.terminal.strangers(), 0);
    }

    fn all(&self) -> Vec<Held> {
        (1..=self.baskets).map(|number| self.held(BasketId { till: TillId(3), number })).collect()
    }

    fn wake(&self) {
        if let Some(process) = &self.process {
            *process.books.0.lock().unwrap() = Some(self.world.snapshot(STORE));
            process.desk.wake();
        }
    }
}

impl Process {
    fn open(world: &World, sections: &Sections) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (asked, requests) = mpsc::channel(64);
        let books = Arc::new(Books::default());
        *books.0.lock().unwrap() = Some(world.snapshot(STORE));
        let (_, status) = watch::channel(Arc::new(world.status(STORE)));
        let (events, _) = broadcast::channel(8);
        let handle = Handle::new(asked, books.clone(), status, events);
        let terminals = settings::open(sections);
        assert_eq!(terminals.len(), 1);
        let now_ms = world.clock(STORE).wall_ms;
        let desk = Desk::open(CoreTenders::new(handle, HERE), terminals, now_ms, &[5, 10, 20]);
        let (stop, stopped) = watch::channel(false);
        runtime.spawn(desk.clone().run(stopped));
        Self { requests, books, desk, _stop: stop, runtime }
    }
}

fn sections(url: &str, folder: &Path) -> Sections {
    let secret = folder.join("secret");
    std::fs::write(&secret, SECRET).unwrap();
    let sections: Sections =
        serde_json::from_value(json!({ "T1": { "url": url, "secret_file": secret, "timeout_s": 1 } })).unwrap();
    settings::check(&sections, false).unwrap();
    sections
}

fn tea() -> AskedLine {
    AskedLine {
        sku: Sku::parse("TEA").unwrap(),
        unit: None,
        quantity: 1,
        code_price: None,
        entered_price: None,
        discount: 0,
        discount_reason: Code::default(),
        lot: Code::default(),
        expires: None,
        original: None,
        disposition: Disposition::Resale,
    }
}

pub fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

fn retry(words: &str) -> RetryKey {
    let digest = Digest::of(&[words.as_bytes()]);
    RetryKey { key: digest, body: digest }
}

const PATIENCE: Duration = Duration::from_secs(60);

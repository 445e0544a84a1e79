//! Golden files: the stored and sent bytes of fixed examples, in `tests/golden/*.hex`.
//!
//! Bytes like these stand in databases and in the logs of other nodes, signed. A difference here means that this version
//! cannot read, or hashes otherwise, what earlier versions wrote. If that is what you want, it needs a step of the format
//! version and a reader for the old form in the same commit; only then run with `STOCKROOM_GOLDEN=write` and commit the
//! files. A new kind only needs its own new file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use stockroom_crdt::batch::{Item, decode_run, encode_run};
use stockroom_crdt::capability::{Capability, Role, Signer, decode_chain, encode_chain, verify_chain};
use stockroom_crdt::chain::{Head, LogId, Moment, Seal, advance};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::codec::{RowReader, Rows};
use stockroom_crdt::control::{Boot, Coordinates, EpochOpen, EpochReason, Fence, FenceCut, NodeRecord, StoreRecord};
use stockroom_crdt::count::{CountClose, CountLine, CountOpen, CountScan, Sheet};
use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::entry::{Entry, Fact, Opaque, kind};
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::gtin::{Embedded, Gtin, Template};
use stockroom_crdt::ids::{Actor, Code, Digest, Epoch, NodeId, Sku, StoreId, TenantId, TillId, hex};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Barcode, Product, Recall};
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tax, Tender, TenderKind};
use stockroom_crdt::scope::Scope;
use stockroom_crdt::transfer::{AskedLine, Difference, TransferAsk, TransferId, TransferReceive, TransferShip};

#[test]
fn stored_and_sent_bytes_have_not_changed() {
    let examples = examples();
    if std::env::var("STOCKROOM_GOLDEN").is_ok_and(|word| word == "write") {
        examples.iter().for_each(|(name, bytes)| write(name, bytes));
    }
    let changed: Vec<_> = examples.iter().filter(|(name, bytes)| read(name).as_ref() != Some(bytes)).collect();
    let report = |(name, bytes): &(&&str, &Vec<u8>)| format!("{name}.hex is now\n{}", wrapped(bytes));
    let report: Vec<_> = changed.iter().map(report).collect();
    assert!(changed.is_empty(), "see the head of golden.rs before you change a file\n{}", report.join("\n"));
    every_file_was_compared(&examples);
    every_file_is_read_as_what_was_written();
}

#[test]
fn every_known_kind_has_a_golden_file() {
    let kinds: BTreeSet<_> = entries().iter().map(|(_, entry)| entry.fact.kind()).collect();
    assert!(kind::ALL.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
}

fn every_file_was_compared(examples: &BTreeMap<&str, Vec<u8>>) {
    let files = std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let expected: BTreeSet<_> = examples.keys().map(|name| format!("{name}.hex")).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), expected);
}

fn every_file_is_read_as_what_was_written() {
    for (name, entry) in entries() {
        assert_eq!(Entry::from_bytes(&read(name).unwrap()), Ok(entry), "{name}");
    }
    let (log, items) = (log(), items());
    let seal = Seal::decode(&mut RowReader::new(&read("seal").unwrap())).unwrap();
    assert!(seal.verify(&key(3).public(), TENANT, &log, head(&items).hash));
    let chain = decode_chain(&mut RowReader::new(&read("capability_chain").unwrap())).unwrap();
    assert_eq!(verify_chain(&key(1).public(), TENANT, &chain).map(|link| link.node), Ok(log.actor.node));
    let proof = ForkProof::decode(&mut RowReader::new(&read("fork_proof").unwrap())).unwrap();
    assert!(proof.verify(&key(3).public(), TENANT));
    assert_eq!(decode_run(&read("run_rows").unwrap()), Ok(items[..1].to_vec()));
    assert_eq!(decode_run(&read("run_columns").unwrap()), Ok(items));
}

/// Every golden file's name and bytes.
fn examples() -> BTreeMap<&'static str, Vec<u8>> {
    let mut examples: BTreeMap<_, _> = entries().into_iter().map(|(name, entry)| (name, entry.to_bytes())).collect();
    let items = items();
    let (rows, columns) = (encode_run(&items[..1], u16::MAX), encode_run(&items, u16::MAX));
    assert_eq!((rows[0], columns[0]), (0, 1), "the first byte names the form");
    let signed = [
        ("seal", Rows::of(|rows| seal(&items).encode(rows))),
        ("capability_chain", Rows::of(|rows| encode_chain(&chain(), rows))),
        ("fork_proof", Rows::of(|rows| fork_proof().encode(rows))),
        ("run_rows", rows),
        ("run_columns", columns),
    ];
    examples.extend(signed);
    examples
}

/// One entry of each kind, with every optional field set somewhere.
fn entries() -> Vec<(&'static str, Entry)> {
    let facts = vec![
        ("epoch_open", Fact::EpochOpen(epoch_open())),
        ("boot", Fact::Boot(Boot { boot: 0x1122_3344_5566_7788, version: code("0.1.0") })),
        ("node", Fact::Node(NodeRecord { capability: chain()[1].clone(), token: Digest([0x5a; 32]) })),
        ("fence", Fact::Fence(fence())),
        ("store", Fact::Store(store())),
        ("fork", Fact::Fork(fork_proof())),
        ("product", Fact::Product(product())),
        ("recall", Fact::Recall(Recall { sku: sku("tea-7"), lot: code("L42"), active: true, reason: code("glass") })),
        ("price", Fact::Price(price())),
        ("template", Fact::Template(Template { prefix: 21, item_digits: 5, embedded: Embedded::Weight, scale: 1 })),
        ("goods_receipt", Fact::GoodsReceipt(goods_receipt())),
        ("sale", Fact::Sale(sale())),
        ("count_scan", Fact::CountScan(count_scan())),
        ("count_close", Fact::CountClose(count_close())),
        ("day_open", Fact::DayOpen(DayOpen { number: 412, date: 20_413, staff: code("anna") })),
        ("day_close", Fact::DayClose(DayClose { number: 412, staff: code("") })),
        ("adjustment", Fact::Adjustment(adjustment())),
        ("decision", Fact::Decision(decision())),
        ("transfer_ask", Fact::TransferAsk(transfer_ask())),
        ("transfer_ship", Fact::TransferShip(transfer_ship())),
        ("transfer_receive", Fact::TransferReceive(transfer_receive())),
        ("count_open", Fact::CountOpen(count_open())),
        ("opaque", Fact::Opaque(Opaque { kind: 9_999, critical: true, body: b"from the future".to_vec() })),
    ];
    let facts = facts
        .into_iter()
        .chain(super::promised::examples())
        .chain(super::ordered::examples())
        .chain(super::returned::examples())
        .chain(super::rung::examples())
        .chain(super::members::examples())
        .chain(super::notes::examples())
        .chain(super::loyal::examples());
    facts.map(|(name, fact)| (name, Entry { hlc: Hlc::new(MS, 3), fact })).collect()
}

fn epoch_open() -> EpochOpen {
    let previous = Some((Epoch(1), 70_000, Digest([0xab; 32])));
    EpochOpen { nonce: [0x42; 16], reason: EpochReason::Restored, previous, chain: chain() }
}

fn fence() -> Fence {
    let cut = |epoch, scope, seq| FenceCut { epoch: Epoch(epoch), scope, seq, hash: Digest([seq as u8; 32]) };
    let cuts = vec![cut(1, Scope::StoreStock(StoreId(7)), 300), cut(2, Scope::Prices(code("north")), 2)];
    Fence { node: NodeId(150), cuts, reason: code("stolen") }
}

fn store() -> StoreRecord {
    StoreRecord {
        store: StoreId(7),
        name: "Straße 12, 上海".into(),
        book: code("north"),
        group: code("ring"),
        entity: code("gmbh"),
        currency: currency(),
        zone: code("Europe/Berlin"),
        rollover_min: 240,
        home: NodeId(150),
        term: 3,
        coordinates: Coordinates::new(52_520_008, 13_404_954),
    }
}

fn product() -> Product {
    let gtin = |text| Gtin::parse(text).unwrap();
    Product {
        sku: sku("1080414"),
        name: "Mainstream 26 Oz".into(),
        unit: Unit::Gram,
        barcodes: vec![Barcode { gtin: gtin("96385074"), pack: 1 }, Barcode { gtin: gtin("4006381333931"), pack: 12 }],
        item_number: 12_345,
        tax_code: code("food"),
        department: code("GROCERY"),
        owner: code("dairy co"),
        age_min: 18,
        excluded: 0b110,
        discontinued: true,
    }
}

fn price() -> Price {
    Price { book: code("north"), sku: sku("1080414"), from_ms: MS, minor: Some(1_999), currency: currency() }
}

fn goods_receipt() -> GoodsReceipt {
    let line = |text, quantity, lot, expiry_day| ReceiptLine {
        sku: sku(text),
        unit: Unit::Each,
        quantity,
        lot: code(lot),
        expiry_day,
    };
    let lines = vec![line("1080414", 24, "L42", 20_500), line("tea-7", 1, "", 0)];
    GoodsReceipt { document: code("DN 4711"), staff: code("bo"), lines }
}

fn sale() -> Sale {
    let number = |sequence| ReceiptNumber { till: TillId(2), series: 1, sequence };
    let plain = SaleLine {
        sku: sku("1080414"),
        unit: Unit::Each,
        quantity: 2,
        unit_price: 60,
        discount: 0,
        discount_reason: code(""),
        tax: None,
        unknown: false,
        overridden: false,
        lot: code(""),
        original: None,
        disposition: Disposition::Resale,
    };
    let rich = SaleLine {
        sku: sku("tea-7"),
        unit: Unit::Gram,
        quantity: -750,
        unit_price: 1_290,
        discount: -30,
        discount_reason: code("member"),
        tax: Some(Tax { code: code("A"), rate_bp: 1_900, amount: -150, added: false }),
        unknown: true,
        overridden: true,
        lot: code("L42"),
        original: Some((number(17), 3)),
        disposition: Disposition::Quarantine,
    };
    Sale {
        till_seq: 1_234,
        receipt: number(1_230),
        day: 412,
        late: true,
        rung_ms: MS - 400,
        currency: currency(),
        cashier: code("anna"),
        approver: code("bo"),
        seller: code("gmbh"),
        foreign_key: code("pos-77"),
        fiscal: vec![0xf1, 0x5c, 0xa1],
        voids: Some(number(1_229)),
        lines: vec![plain, rich],
        cash_rounding: 2,
        tenders: vec![
            Tender { kind: TenderKind::Card, amount: -500, reference: code("auth 9") },
            Tender { kind: TenderKind::Cash, amount: -316, reference: code("") },
        ],
    }
}

fn count_scan() -> CountScan {
    let (zone, staff) = (code("shelf"), code("anna"));
    CountScan { session: 20_413, zone, sku: sku("1080414"), unit: Unit::Each, quantity: 17, settles: true, staff }
}

fn count_close() -> CountClose {
    let line = |text, quantity, ambiguous| CountLine {
        sku: sku(text),
        unit: Unit::Each,
        quantity,
        cut: 301,
        scanned_ms: MS - 60_000,
        ambiguous,
    };
    let lines = vec![line("1080414", 17, false), line("tea-7", 0, true)];
    CountClose { session: 20_413, staff: code("anna"), others: vec![(Actor::new(1, 1), 12)], lines }
}

fn adjustment() -> Adjustment {
    Adjustment {
        sku: sku("1080414"),
        unit: Unit::Each,
        delta: -3,
        reason: code("damaged"),
        lot: code("L42"),
        staff: code("bo"),
    }
}

fn decision() -> Decision {
    let (sku, unit, quantity) = (sku("1080414"), Unit::Gram, 750);
    Decision { sku, unit, quantity, resale: true, reason: code("sealed"), lot: code("L42"), staff: code("bo") }
}

fn transfer_id() -> TransferId {
    TransferId { store: StoreId(7), number: 4_839_201_755 }
}

fn transfer_ask() -> TransferAsk {
    let line = |text, unit, quantity| AskedLine { sku: sku(text), unit, quantity };
    let lines = vec![line("1080414", Unit::Each, 12), line("tea-7", Unit::Gram, 5_000)];
    let (from, due_ms) = (StoreId(9), MS + 86_400_000);
    TransferAsk { id: transfer_id(), from, due_ms, staff: code("anna"), reason: code("promotion"), lines }
}

fn transfer_lines(tea: i64) -> Vec<ReceiptLine> {
    let line = |text, unit, quantity, lot, expiry_day| ReceiptLine {
        sku: sku(text),
        unit,
        quantity,
        lot: code(lot),
        expiry_day,
    };
    vec![line("1080414", Unit::Each, 12, "", 0), line("tea-7", Unit::Gram, tea, "L42", 20_500)]
}

fn transfer_ship() -> TransferShip {
    let (to, due_ms, lines) = (StoreId(7), MS + 172_800_000, transfer_lines(5_000));
    TransferShip { id: transfer_id(), to, due_ms, staff: code("carl"), approver: code("bo"), lines }
}

fn transfer_receive() -> TransferReceive {
    let difference = Difference { sku: sku("tea-7"), unit: Unit::Gram, sent: 5_000, reason: code("torn bag") };
    let (from, lines) = (StoreId(9), transfer_lines(4_250));
    TransferReceive { id: transfer_id(), from, seen: true, staff: code("anna"), lines, differences: vec![difference] }
}

fn count_open() -> CountOpen {
    let lines = vec![(sku("1080414"), Unit::Each), (sku("tea-7"), Unit::Gram)];
    CountOpen { session: 20_413, sheet: Sheet::Department(code("dry")), blind: true, staff: code("anna"), lines }
}

/// Twenty sales as a till writes them.
fn items() -> Vec<Item> {
    let entry = |n: u64| {
        let mut sale = Sale { fiscal: Vec::new(), voids: None, late: false, ..sale() };
        (sale.till_seq, sale.receipt.sequence) = (n, n);
        sale.rung_ms = MS + 40_000 * n;
        Entry { hlc: Hlc::new(sale.rung_ms + 25, 0), fact: Fact::Sale(sale) }
    };
    (1..=20).map(entry).map(Item::new).collect()
}

fn head(items: &[Item]) -> Head {
    let hash = items.iter().fold(log().genesis(TENANT), |hash, item| advance(hash, &item.bytes));
    Head { seq: items.len() as u64, hash }
}

fn seal(items: &[Item]) -> Seal {
    let moment = Moment { boot: 0x1122_3344_5566_7788, mono_ms: 86_400_000, wall_ms: MS, day: 412 };
    Seal::sign(&key(3), TENANT, &log(), head(items), moment)
}

fn fork_proof() -> ForkProof {
    let left = items();
    let right = [&left[..17], &left[18..]].concat();
    let branch = |items: &[Item]| Branch {
        hash: head(&items[..18]).hash,
        after: items[18..].iter().map(Item::digest).collect(),
        seal: seal(items),
    };
    ForkProof { log: log(), seq: 18, left: branch(&left), right: branch(&right) }
}

fn chain() -> Vec<Capability> {
    let words = |node, role, store, key: Signer, (range_first, range_last), issuer| Capability {
        node: NodeId(node),
        role,
        store: StoreId(store),
        log_key: key.public(),
        seal_key: [0x77; 32],
        range_first,
        range_last,
        issued_ms: MS,
        issuer: NodeId(issuer),
        signature: [0; 64],
    };
    vec![
        words(1, Role::Hub, 0, key(2), (100, 199), 0).sign(TENANT, &key(1)),
        words(150, Role::Store, 7, key(3), (0, 0), 1).sign(TENANT, &key(2)),
    ]
}

fn key(byte: u8) -> Signer {
    Signer::from_seed(&[byte; 32])
}

fn log() -> LogId {
    LogId { actor: Actor::new(150, 2), scope: Scope::StoreStock(StoreId(7)) }
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

fn currency() -> Currency {
    Currency::parse("EUR").unwrap()
}

fn read(name: &str) -> Option<Vec<u8>> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(format!("{name}.hex"))).ok()?;
    let digits: String = text.split_whitespace().collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(byte).collect()
}

fn write(name: &str, bytes: &[u8]) {
    std::fs::write(Path::new(FOLDER).join(format!("{name}.hex")), wrapped(bytes)).unwrap();
}

/// 32 bytes a line, so that a difference can be read.
fn wrapped(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|line| hex(line) + "\n").collect()
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
const TENANT: TenantId = TenantId([9; 16]);
const MS: u64 = 1_763_700_000_000;

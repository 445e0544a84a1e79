//! Every sheet as it is drawn, against golden files; texts that want to be commands or markup; and the queue.
//!
//! To see what changed: `UPDATE_GOLDEN=1 cargo test -p stockroom --lib paper` writes the files anew.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;

use stockroom_crdt::money::{Currency, Unit};

use super::drawers::{DrawerReport, ReportTax};
use super::html::{Marking, html};
use super::page::Sheet;
use super::printer::{CodePage, PrintError, Settings, Target, Width};
use super::receipt::{Assured, PointsPart, SaleReceipt, SoldLine, Standing, TaxPart, TenderPart, Tendered};
use super::sheets::{
    BagTag, HandedLine, Money, PickLine, PickList, PickupLabel, PickupReceipt, Quantity, RouteSheet, RouteStop, Stamp,
    Substitution, Way,
};
use super::shelf::PriceLabel;
use super::spool::{JOBS_MAX, Spool, SpoolError, Submitted};
use super::ticket::ticket;
use super::words::Language;

const CASES: [(Language, CodePage, Width); 2] =
    [(Language::English, CodePage::Western, Width::Wide), (Language::Chinese, CodePage::Chinese, Width::Narrow)];

fn at(minutes: u64) -> Stamp {
    Stamp { at_ms: 1_763_800_200_000 + minutes * 60_000, zone: "UTC".into() }
}

fn pieces(amount: i64) -> Quantity {
    Quantity { amount, unit: Unit::Each }
}

fn line(location: &str, name: &str, quantity: Quantity) -> PickLine {
    PickLine {
        location: location.into(),
        name: name.into(),
        sku: format!("sku-{}", location.to_lowercase()),
        barcode: None,
        quantity,
        substitution: Substitution::Ask,
        age: None,
        tote: None,
    }
}

fn pick_list() -> PickList {
    let milk = PickLine {
        barcode: Some("4006381333931".into()),
        substitution: Substitution::Similar,
        tote: Some("3".into()),
        ..line("A-10", "Hafermilch 全脂", pieces(2))
    };
    let beef = line("A-2", "Minced beef", Quantity { amount: 1_250, unit: Unit::Gram });
    let wine = PickLine { age: Some(18), substitution: Substitution::Nothing, ..line("", "Crémant", pieces(1)) };
    let lines = vec![wine, milk, beef];
    PickList {
        order: "7-1234567890".into(),
        store: "Main Street".into(),
        due: at(90),
        made: at(0),
        lines,
        code: Some("P:42".into()),
    }
}

fn bag_tag() -> BagTag {
    BagTag { order: "7-1234567890".into(), bag: 2, bags: 3, bay: "C4".into(), first_name: Some("Ming".into()) }
}

fn label() -> PickupLabel {
    PickupLabel {
        order: "7-1234567890".into(),
        first_name: Some("Ming".into()),
        bay: "C4".into(),
        bags: 3,
        way: Way::Collected { until: Some(at(7 * 1_440)) },
        age: Some(18),
        code: Some("7-1234567890".into()),
    }
}

fn receipt() -> PickupReceipt {
    let handed = |name: &str, handed, missing, instead_of: Option<&str>| HandedLine {
        name: name.into(),
        sku: "milk-1l".into(),
        handed: pieces(handed),
        missing: pieces(missing),
        instead_of: instead_of.map(Into::into),
    };
    PickupReceipt {
        brought: false,
        store: "Main Street".into(),
        order: "7-1234567890".into(),
        record: "12.1/204".into(),
        lines: vec![handed("Oat milk", 2, 0, Some("Soy milk")), handed("Bread", 0, 1, None)],
        refund_due: Some(Money { minor: 349, currency: Currency::parse("EUR").unwrap() }),
        staff: "0042".into(),
        handed: at(100),
    }
}

fn route() -> RouteSheet {
    let stop = |order: &str, area: &str, age| RouteStop {
        order: order.into(),
        first_name: Some("Ming".into()),
        area: area.into(),
        bags: 2,
        due: at(45),
        age,
    };
    RouteSheet {
        store: "Main Street".into(),
        rider: "Rider 3".into(),
        leaves: at(5),
        stops: vec![stop("7-1234567890", "North", None), stop("7-1234567891", "老城", Some(18))],
        code: Some("R:9".into()),
    }
}

fn sale_receipt() -> SaleReceipt {
    let money = |minor| Money { minor, currency: Currency::parse("EUR").unwrap() };
    let line = |name: &str, quantity, amount, off: &[(&str, i64)]| SoldLine {
        name: name.into(),
        sku: "milk-1l".into(),
        quantity,
        unit_price: money(129),
        reductions: off.iter().map(|(name, minor)| ((*name).to_owned(), money(*minor))).collect(),
        amount: money(amount),
    };
    let tax = |code: &str, minor, added| TaxPart { code: code.into(), amount: money(minor), added };
    let tender = |tendered, minor, assured| TenderPart { tendered, amount: money(minor), assured };
    let beef = Quantity { amount: 1_250, unit: Unit::Gram };
    SaleReceipt {
        state: Standing::Voided,
        store: "Main Street".into(),
        number: "12-3-1-4711".into(),
        rung: at(3),
        till: 3,
        staff: "0042".into(),
        lines: vec![
            line("Oat milk 全脂", pieces(2), 208, &[("Milk week 牛奶周", -30), ("", -20)]),
            line("Beef", beef, 161, &[]),
        ],
        rounding: Some(money(1)),
        total: money(370),
        taxes: vec![tax("A 7.00 %", 24, false), tax("city 1.00 %", 4, true)],
        tenders: vec![
            tender(Tendered::Cash, 100, None),
            tender(Tendered::Card, 100, Some(Assured::Captured)),
            tender(Tendered::Card, 50, Some(Assured::Offline("the store".into()))),
            tender(Tendered::Voucher, 250, Some(Assured::Seen)),
            tender(Tendered::Cash, -130, None),
        ],
        coupons: Vec::new(),
        points: None,
        code: Some("signed".into()),
    }
}

fn price_label() -> PriceLabel {
    PriceLabel {
        name: "Oat milk 全脂".into(),
        sku: "milk-1l".into(),
        price: Money { minor: 129, currency: Currency::parse("EUR").unwrap() },
        unit: Unit::Gram,
        from: at(0),
        barcode: Some("4006381333931".into()),
    }
}

fn report(store: &str, code: &str) -> DrawerReport {
    let money = |minor| Money { minor, currency: Currency::parse("EUR").unwrap() };
    DrawerReport {
        store: store.into(),
        till: 3,
        shift: 12,
        opened: at(0),
        closed: at(480),
        staff: store.into(),
        approver: "mia".into(),
        last: Some("7-3-1-4711".into()),
        receipts: 321,
        voids: 2,
        sales: money(812_345),
        tenders: [money(300_000), money(500_000), money(12_345), money(0), money(700)],
        float: money(10_000),
        moved: [money(150), money(1_200), money(250_000), money(999)],
        expected: money(57_951),
        counted: money(57_900),
        over: money(-51),
        taxes: vec![ReportTax { code: code.into(), rate_bp: 700, goods: money(812_345), tax: money(53_144) }],
    }
}

fn sheets() -> Vec<(&'static str, Box<dyn Sheet>)> {
    vec![
        ("pick_list", Box::new(pick_list())),
        ("bag_tag", Box::new(bag_tag())),
        ("pickup_label", Box::new(label())),
        ("pickup_receipt", Box::new(receipt())),
        ("route_sheet", Box::new(route())),
        ("sale_receipt", Box::new(sale_receipt())),
        ("price_label", Box::new(price_label())),
        ("drawer_report", Box::new(report("Main Street", "food"))),
    ]
}

fn settings(code_page: CodePage, width_mm: Width, language: Language) -> Settings {
    Settings { target: None, code_page, width_mm, language }
}

/// Bytes that a person can read in a diff: ASCII as it is, everything else in hex, a line per line.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &byte in bytes {
        match byte {
            b'<' => text.push_str("<3c>"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => text.push_str(&format!("<{byte:02x}>")),
        }
    }
    // The printer's own line end: print, and feed one line.
    text.replace("<1b>d<01>", "<1b>d<01>\n") + "\n"
}

fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/paper/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{name} is drawn in another way:\n{found}");
}

#[test]
fn every_sheet_is_drawn_as_it_was() {
    for (name, sheet) in sheets() {
        for (language, code_page, width) in CASES {
            let page = sheet.page(language);
            let bytes = ticket(&page, &settings(code_page, width, language), Marking::Original).unwrap();
            golden(&format!("{name}.{}.escpos", language.tag()), &readable(&bytes));
            golden(&format!("{name}.{}.html", language.tag()), &html(&page, Marking::Original));
        }
    }
}

#[test]
fn a_copy_says_so_above_and_below() {
    let page = bag_tag().page(Language::English);
    let printer = settings(CodePage::Western, Width::Wide, Language::English);
    let copy = readable(&ticket(&page, &printer, Marking::Copy).unwrap());
    assert_eq!(copy.matches("COPY").count(), 2);
    assert!(!readable(&ticket(&page, &printer, Marking::Original).unwrap()).contains("COPY"));
    assert_eq!(html(&page, Marking::Copy).matches(">COPY<").count(), 2);
}

/// A text that tries everything: commands of the printer, markup, an attribute's end, a line turned around, and length.
fn hostile() -> String {
    format!(
        "\u{1b}@\u{1d}V\u{0}\u{10}\u{14}\u{1}\u{1c}.\"'><script>alert(1)</script>&\u{202e}\u{9b}{}",
        "词x".repeat(5_000)
    )
}

fn hostile_sheets() -> Vec<Box<dyn Sheet>> {
    let evil = hostile();
    let evil_line = PickLine {
        barcode: Some(evil.clone()),
        tote: Some(evil.clone()),
        sku: evil.clone(),
        ..line(&evil, &evil, pieces(1))
    };
    let stamp = Stamp { at_ms: u64::MAX, zone: evil.clone() };
    let list = PickList {
        order: evil.clone(),
        store: evil.clone(),
        due: stamp.clone(),
        made: stamp.clone(),
        lines: vec![evil_line; 3],
        code: Some(evil.clone()),
    };
    let handed = HandedLine {
        name: evil.clone(),
        sku: evil.clone(),
        instead_of: Some(evil.clone()),
        ..receipt().lines.remove(0)
    };
    let sold = SoldLine {
        name: evil.clone(),
        sku: evil.clone(),
        reductions: vec![(evil.clone(), Money { minor: 1, currency: Currency::parse("EUR").unwrap() })],
        ..sale_receipt().lines.remove(0)
    };
    let stop = RouteStop {
        order: evil.clone(),
        area: evil.clone(),
        first_name: Some(evil.clone()),
        ..route().stops.remove(0)
    };
    vec![
        Box::new(list),
        Box::new(BagTag { order: evil.clone(), bay: evil.clone(), first_name: Some(evil.clone()), ..bag_tag() }),
        Box::new(PickupLabel { order: evil.clone(), bay: evil.clone(), code: Some(evil[..30].into()), ..label() }),
        Box::new(PickupReceipt { staff: evil.clone(), record: evil.clone(), lines: vec![handed], ..receipt() }),
        Box::new(SaleReceipt {
            number: evil.clone(),
            lines: vec![sold],
            state: Standing::Voids(evil.clone()),
            ..sale_receipt()
        }),
        Box::new(PriceLabel { name: evil.clone(), sku: evil.clone(), barcode: Some(evil.clone()), ..price_label() }),
        Box::new(DrawerReport { last: Some(evil.clone()), ..report(&evil, &evil) }),
        Box::new(RouteSheet { rider: evil.clone(), store: evil, stops: vec![stop], ..route() }),
    ]
}

/// Takes every command away that our own drawing uses; what is left must be text.
fn only_text(bytes: &[u8], code_page: CodePage) -> Vec<u8> {
    let mut rest = bytes;
    let mut text = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let skip = match (first, after) {
            (0x1b, [b'@', ..]) => 2,
            (0x1b, [b't' | b'E' | b'a' | b'd', ..]) => 3,
            (0x1c, [b'&', ..]) => 2,
            (0x1d, [b'!' | b'B', ..]) => 3,
            (0x1d, [b'V', b'A', ..]) => 4,
            (0x1d, [b'(', b'k', low, high, ..]) => 5 + usize::from(*low) + 256 * usize::from(*high),
            (0x20..=0x7e, _) => 1,
            // The second byte of a Chinese character may look like ASCII, never like a command.
            (0x81..=0xfe, [second, ..]) if code_page == CodePage::Chinese => {
                assert!(*second >= 0x30, "{second:02x} after {first:02x}");
                2
            }
            (0x80..=0xff, _) if code_page != CodePage::Chinese => 1,
            _ => panic!("a byte {first:02x} that no text has, before {:02x?}", &after[..after.len().min(8)]),
        };
        match (first, after) {
            (0x1b, [b'd', ..]) => text.push(b'\n'),
            (0x20..=0x7e, _) => text.push(first),
            (0x80..=0xff, _) => text.extend([b'x'; 2].iter().take(skip)),
            _ => {}
        }
        rest = rest.get(skip..).unwrap_or_default();
    }
    text
}

#[test]
fn hostile_texts_command_neither_printer_nor_browser() {
    for sheet in hostile_sheets() {
        for (language, code_page, width) in CASES {
            let page = sheet.page(language);
            let bytes = ticket(&page, &settings(code_page, width, language), Marking::Copy).unwrap();
            let cuts = bytes.windows(3).filter(|window| *window == [0x1d, b'V', b'A']).count();
            assert_eq!(cuts, 1, "only our own knife falls");
            let columns = width.columns();
            let text = only_text(&bytes, code_page);
            assert!(
                text.split(|&byte| byte == b'\n').all(|line| line.len() <= columns),
                "no line is wider than the roll"
            );
            assert!(bytes.len() < 8_192, "a sheet of 10,000-byte names is short: {}", bytes.len());
            let page = html(&page, Marking::Original);
            assert!(!page.contains("<script") && !page.contains("\"'>"), "{page}");
            assert!(page.contains("&lt;script&gt;") && !page.contains(['\u{1b}', '\u{202e}', '\u{9b}']));
        }
    }
}

#[test]
fn pages_load_nothing_from_outside() {
    for (name, sheet) in sheets() {
        let page = html(&sheet.page(Language::English), Marking::Original);
        for outside in ["src=", "href", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(outside), "{name} has {outside}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn letters_that_a_code_page_lacks_become_question_marks() {
    let page = BagTag { bay: "C4 €é漢字я".into(), ..bag_tag() }.page(Language::English);
    let drawn = |code_page| {
        readable(&ticket(&page, &settings(code_page, Width::Wide, Language::English), Marking::Original).unwrap())
    };
    assert!(drawn(CodePage::Western).contains("C4 <80><e9>???"));
    assert!(drawn(CodePage::Cyrillic).contains("C4 <88>???<ff>"));
    assert!(drawn(CodePage::Chinese).contains("C4 <a2><e3><a8><a6><9d>h<d7>"), "{}", drawn(CodePage::Chinese));
}

fn to_file(dir: &Path) -> Settings {
    let target = Some(Target::File(dir.join("paper.bin")));
    Settings { target, ..settings(CodePage::Western, Width::Wide, Language::English) }
}

#[test]
fn a_job_is_printed_once_however_often_it_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::open(&dir.path().join("spool"), to_file(dir.path())).unwrap();
    let page = bag_tag().page(Language::English);
    assert_eq!(spool.submit("tag/1", &page).unwrap(), Submitted::Queued);
    assert_eq!(spool.submit("tag/1", &page).unwrap(), Submitted::Waits);
    assert!(spool.print_next().unwrap());
    assert!(!spool.print_next().unwrap());
    assert_eq!(spool.submit("tag/1", &page).unwrap(), Submitted::Printed);
    drop(spool);
    let spool = Spool::open(&dir.path().join("spool"), to_file(dir.path())).unwrap();
    assert_eq!(spool.submit("tag/1", &page).unwrap(), Submitted::Printed, "a restart forgets nothing");
    assert_eq!(spool.reprint("tag/1", "monday", &page).unwrap(), Submitted::Queued);
    assert_eq!(spool.reprint("tag/1", "monday", &page).unwrap(), Submitted::Waits);
    assert!(spool.print_next().unwrap());
    assert_eq!(spool.reprint("tag/1", "monday", &page).unwrap(), Submitted::Printed, "the same wish came again");
    assert_eq!(spool.reprint("tag/1", "tuesday", &page).unwrap(), Submitted::Queued, "as often as it is wanted");
    let paper = std::fs::read(dir.path().join("paper.bin")).unwrap();
    let printed = readable(&paper);
    assert_eq!((printed.matches("7-1234567890").count(), printed.matches("COPY").count()), (2, 2));
}

#[test]
fn without_a_printer_jobs_wait_and_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = settings(CodePage::Western, Width::Wide, Language::English);
    let page = bag_tag().page(Language::English);
    let spool = Spool::open(dir.path(), nowhere.clone()).unwrap();
    for number in 0..JOBS_MAX {
        spool.submit(&format!("tag/{number}"), &page).unwrap();
    }
    assert!(matches!(spool.print_next(), Err(SpoolError::Print(PrintError::NoPrinter))));
    let full = spool.submit("tag/one-more", &page).unwrap_err().to_string();
    assert!(full.contains("no printer is configured"), "{full}");
    assert_eq!(spool.status().waiting, JOBS_MAX);
    drop(spool);
    // Somebody reads the message and sets the key; what waited is printed, in its order, and is no copy.
    let out = tempfile::tempdir().unwrap();
    let spool = Spool::open(dir.path(), to_file(out.path())).unwrap();
    while spool.print_next().unwrap() {}
    let printed = readable(&std::fs::read(out.path().join("paper.bin")).unwrap());
    assert_eq!((printed.matches("7-1234567890").count(), printed.contains("COPY")), (JOBS_MAX, false));
    assert_eq!((spool.status().waiting, spool.status().trouble), (0, None));
}

#[test]
fn a_job_that_a_power_cut_left_behind_is_printed_as_a_copy() {
    let dir = tempfile::tempdir().unwrap();
    let page = bag_tag().page(Language::English);
    let spool = Spool::open(dir.path(), to_file(dir.path())).unwrap();
    spool.submit("tag/1", &page).unwrap();
    drop(spool);
    // As the file stands when the first byte leaves.
    let job = dir.path().join("000000000001.job");
    let begun = std::fs::read_to_string(&job).unwrap().replace("\"copy\":false", "\"copy\":true");
    std::fs::write(&job, begun).unwrap();
    std::fs::write(dir.path().join("000000000007.job"), "{").unwrap();
    let spool = Spool::open(dir.path(), to_file(dir.path())).unwrap();
    assert_eq!(spool.status().waiting, 1, "a damaged job is put aside");
    assert!(dir.path().join("job.bad").exists());
    assert!(spool.print_next().unwrap());
    assert!(readable(&std::fs::read(dir.path().join("paper.bin")).unwrap()).contains("COPY"));
}

#[test]
fn a_printer_on_the_network_gets_the_bytes_of_the_sheet() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = Some(Target::Network(listener.local_addr().unwrap().to_string()));
    let printer = Settings { target, ..settings(CodePage::Western, Width::Wide, Language::English) };
    let page = label().page(Language::English);
    let spool = Spool::open(dir.path(), printer.clone()).unwrap();
    spool.submit("label/1", &page).unwrap();
    let paper = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        bytes
    });
    assert!(spool.print_next().unwrap());
    assert_eq!(paper.join().unwrap(), ticket(&page, &printer, Marking::Original).unwrap());
}

#[test]
fn a_receipt_names_coupons_and_says_how_old_a_balance_is() {
    let worth = Money { minor: -20, currency: Currency::parse("EUR").unwrap() };
    let points = PointsPart { earned: 37, spent: 50, balance: Some((-12, at(2))) };
    let receipt = SaleReceipt { coupons: vec![("Plums 李子".into(), worth)], points: Some(points), ..sale_receipt() };
    for (language, words) in [
        (Language::English, ["Coupon", "Points earned", "Points spent", "Points in all", "as of"]),
        (Language::Chinese, ["优惠券", "获得积分", "使用积分", "积分余额", "截至"]),
    ] {
        let page = format!("{:?}", receipt.page(language));
        let numbers = ["Plums 李子", "37", "50", "-12", &at(2).text()].map(str::to_owned);
        for said in words.map(str::to_owned).into_iter().chain(numbers) {
            assert!(page.contains(&said), "{said} is missing: {page}");
        }
        assert!(!format!("{:?}", sale_receipt().page(language)).contains(words[1]));
    }
}

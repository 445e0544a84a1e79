//! Members of a store: how long it takes to find one by the card that is scanned, and to show her, with 100,000 members at the node; and how
//! much memory the node's core takes with them. Beside it, in the same run, a lookup of as many rows in a bare redb table.

use std::collections::BTreeMap;
use std::time::Duration;

use redb::{Database, ReadableDatabase, TableDefinition};
use stockroom_core::input::Command;
use stockroom_core::input::members::{EnrolMember, NewConsent, NewValue, Personal};
use stockroom_core::view::View;
use stockroom_crdt::ids::{Code, Digest};
use stockroom_crdt::member::value::{Field, Purpose};

use super::market::{Market, folder, retry};
use super::memory::resident;
use super::{Benchmark, Effort, Report, time};

/// See the module.
pub const BENCHMARK: Benchmark = Benchmark {
    name: "members",
    about: "a member found by scan among 100,000 at a store, and the memory they take",
    run,
};

fn run(effort: Effort) -> Report {
    let mut report = Report::new("members");
    let members = effort.pick(100_000, 500);
    let (_kept, path) = folder();
    let mut market = Market::open(&path);
    let numbers: Vec<usize> = (0..members).collect();
    for some in numbers.chunks(ENROLLED_TOGETHER) {
        market.store.must_all(some.iter().map(|n| enrolment(*n)));
        market.settle();
    }
    let case = format!("{members} members");
    let (bare_p50, _) = bare(&path.join("bare.redb"), members);
    let snapshot = market.store.snapshot();
    let (mut found, mut shown) = (Vec::new(), Vec::new());
    for n in 0..LOOKUPS {
        let card = card(n * 7_919 % members);
        let view = View::new(&*snapshot);
        let (took, of) = time(|| view.member_find(Field::Card, &card).expect("the disk works"));
        let [member] = of[..] else { panic!("one member has the card, not {}", of.len()) };
        found.push(took);
        let (took, person) = time(|| view.member_show(member).expect("the disk works"));
        assert!(person.is_some(), "she can be read");
        shown.push(took);
    }
    let nobody = View::new(&*snapshot).member_find(Field::Card, "0000").expect("the disk works");
    assert!(nobody.is_empty(), "nobody has that card");
    report.note("each lookup names another member; nothing is kept between two of them but what the database keeps");
    for (what, mut times) in [("found by card", found), ("shown", shown)] {
        times.sort_unstable();
        let at = |percent: usize| micros(times[(times.len() - 1) * percent / 100]);
        report.add("stockroom", &case, &format!("us p50, {what}"), at(50));
        report.add_at_most("stockroom", &case, &format!("us p99, {what}"), at(99), 1_000.0);
        report.add("stockroom", &case, &format!("times a bare lookup, {what}"), at(50) / bare_p50);
    }
    report.add("redb alone", &case, "us p50", bare_p50);
    drop(snapshot);
    let Market { store, hub } = market;
    drop(hub);
    store.leave(&path);
    let (before, after) = resident(&path);
    report.note("VmRSS of a process of its own: before the database is opened, and when the core is ready and settled");
    report.add("stockroom", &case, "MB before", before / 1024.0);
    report.add_at_most("stockroom", &case, "MB when ready", after / 1024.0, 150.0);
    report
}

/// The same number of rows in a table of a bare redb: microseconds per lookup, the median and the 99th of a hundred.
fn bare(path: &std::path::Path, rows: usize) -> (f64, f64) {
    const TABLE: TableDefinition<'_, &[u8], u64> = TableDefinition::new("cards");
    let database = Database::create(path).expect("the disk works");
    let write = database.begin_write().expect("the disk works");
    let hashes: BTreeMap<usize, Digest> = (0..rows).map(|n| (n, Digest::of(&[card(n).as_bytes()]))).collect();
    {
        let mut table = write.open_table(TABLE).expect("the disk works");
        for (n, hash) in &hashes {
            table.insert(hash.0.as_slice(), *n as u64).expect("the disk works");
        }
    }
    write.commit().expect("the disk works");
    let read = database.begin_read().expect("the disk works");
    let table = read.open_table(TABLE).expect("the disk works");
    let mut times: Vec<_> = (0..LOOKUPS)
        .map(|n| {
            let wanted = n * 7_919 % rows;
            let card = card(wanted);
            let (took, row) = time(|| table.get(Digest::of(&[card.as_bytes()]).0.as_slice()).expect("the disk works"));
            assert!(row.is_some_and(|row| row.value() == wanted as u64), "the row is there");
            took
        })
        .collect();
    times.sort_unstable();
    (micros(times[times.len() / 2]), micros(times[(times.len() - 1) * 99 / 100]))
}

fn enrolment(n: usize) -> Command {
    let value = |field, text: String| NewValue { field, text: Personal::new(text), verified: false };
    let values = vec![
        value(Field::Name, format!("Customer {n}")),
        value(Field::Phone, format!("+49151{n:08}")),
        value(Field::Card, card(n)),
    ];
    let consents = vec![NewConsent { purpose: Purpose::ALL[0], given: true, source: Code::default() }];
    Command::EnrolMember(
        retry(b"member", n),
        Box::new(EnrolMember { home: None, values, consents, staff: Code::default() }),
    )
}

fn card(n: usize) -> String {
    format!("29{n:010}")
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Enrolled in one commit: each has its key carried to the hub in a frame of its own.
const ENROLLED_TOGETHER: usize = 40;

/// Members that are looked up.
const LOOKUPS: usize = 20_000;

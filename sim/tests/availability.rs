//! The availability experiment: rights are never promised twice, the oracle sees it when they are, chance is the seed's and nobody
//! else's, and what is asked for wrongly is named.

#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test runs the binary and reads what it wrote"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use stockroom_sim::availability::case::Case;
use stockroom_sim::availability::outages::{District, Failing, Shape};
use stockroom_sim::availability::play::play;
use stockroom_sim::availability::tally::{Summary, Tally};
use stockroom_sim::availability::{DAY_MS, Plant, RecordError, Setting, Strategy};

const SIM: &str = env!("CARGO_BIN_EXE_stockroom-sim");

fn small() -> Setting {
    Setting { nodes: 12, stock: 24, demand: 24.0, horizon_ms: 3 * DAY_MS, budget: 24, ..Setting::default() }
}

fn tallies(setting: &Setting, strategy: Strategy, runs: u64) -> Vec<Tally> {
    (0..runs).map(|run| play(setting, &Case::draw(setting, run), strategy)).collect()
}

fn summary(setting: &Setting, strategy: Strategy) -> Summary {
    Summary::of(&tallies(setting, strategy, 24))
}

fn sim(arguments: &str) -> Output {
    Command::new(SIM).args(arguments.split_whitespace()).output().expect("the binary was just built")
}

fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A file of this test's own.
fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sim-availability-{name}"));
    std::fs::write(&path, text).expect("the target folder can be written");
    path
}

#[test]
fn no_right_is_promised_twice_and_every_customer_is_answered() {
    let settings = [
        small(),
        Setting { failing: Failing { uptime: 0.4, ..small().failing }, demand: 60.0, ..small() },
        Setting { district: Some(District { share: 0.5, count: 3 }), ..small() },
        Setting { failing: Failing { shape: Shape::Heavy, ..small().failing }, stock: 3, demand: 9.0, ..small() },
    ];
    for setting in &settings {
        for strategy in Strategy::ALL {
            for tally in tallies(setting, strategy, 12) {
                assert_eq!(tally.hard_oversold, 0, "{}: {tally:?}", strategy.as_str());
                assert!(tally.hard + tally.confirmed <= setting.stock, "{}: {tally:?}", strategy.as_str());
                // Who asked within the last moments may still wait for an answer.
                assert!(tally.promises() + tally.refused + 1 >= tally.asked, "{}: {tally:?}", strategy.as_str());
                assert!(tally.kept <= tally.clairvoyant && tally.confirmed <= tally.soft);
            }
        }
    }
}

#[test]
fn insurance_keeps_more_than_a_hub_and_soft_promises_more_than_that() {
    let par = |strategy| summary(&small(), strategy).par.mean;
    let [hub, quota, hard, soft] =
        [Strategy::HubOnly, Strategy::Static, Strategy::Littlewood, Strategy::LittlewoodSoft].map(par);
    assert!(hub + 0.05 < hard && hard < soft && quota < hub, "{quota} {hub} {hard} {soft}");
    assert!(soft > 0.97, "{soft}");
}

#[test]
fn links_that_never_fail_leave_nothing_to_insure() {
    let setting = Setting { failing: Failing { uptime: 1.0, ..small().failing }, ..small() };
    for strategy in Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::Static) {
        let summary = summary(&setting, strategy);
        assert!(summary.par.mean > 0.995, "{}: {}", strategy.as_str(), summary.par.mean);
        assert_eq!(summary.soft_broken_share.mean, 0.0);
    }
}

#[test]
fn a_shelf_with_fewer_than_the_book_breaks_promises_that_no_right_can_keep() {
    let setting = Setting { record_error: Some(RecordError { share: 1.0, size: 0.5 }), demand: 40.0, ..small() };
    let bare = summary(&setting, Strategy::Littlewood);
    assert!(bare.phantom_broken_share.mean > 0.05 && bare.hard_oversold == 0, "{bare:?}");
    let mut careful = setting.clone();
    careful.rule.safety = 12;
    assert!(summary(&careful, Strategy::Littlewood).phantom_broken_share.mean < bare.phantom_broken_share.mean);
}

#[test]
fn the_oracle_sees_rights_minted_twice_after_a_restore() {
    let setting = Setting { plant: Some(Plant::MintAfterRestore), demand: 80.0, ..small() };
    assert!(summary(&setting, Strategy::Littlewood).hard_oversold > 0);
    assert_eq!(summary(&Setting { plant: None, ..setting }, Strategy::Littlewood).hard_oversold, 0);
}

#[test]
fn the_oracle_sees_rights_used_twice_by_a_node_that_was_set_back() {
    let setting = Setting { plant: Some(Plant::RestoreKeepingEpoch), demand: 80.0, stock: 60, ..small() };
    assert!(summary(&setting, Strategy::Proportional).hard_oversold > 0);
    assert_eq!(summary(&Setting { plant: None, ..setting }, Strategy::Proportional).hard_oversold, 0);
}

#[test]
fn the_same_seed_gives_the_same_figures_on_any_number_of_threads() {
    let written = |threads: u32, seed: u32| {
        let path = file(&format!("{threads}-{seed}.json"), "");
        let output = sim(&format!(
            "availability --nodes 8 --stock 16 --demand 16 --horizon 1d --history 3d --runs 9 --uptime 0.6 --uptime 0.9 \
             --threads {threads} --seed {seed} --json {}",
            path.display()
        ));
        assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
        std::fs::read_to_string(path).expect("it was just written")
    };
    let one = written(1, 5);
    assert_eq!(one, written(4, 5));
    assert_ne!(one, written(1, 6));
    assert_eq!(one.matches("\"policy\"").count(), 12, "two uptimes, six policies");
    assert!(one.contains("\"units\"") && one.contains("\"hard_oversold\": 0"));
}

#[test]
fn recorded_outages_and_purchases_are_played_and_a_page_is_written() {
    let outages = file("outages.csv", "node,from_ms,to_ms\n1,0,3600000\n2,1800000,5400000\n1,40000000,86400000\n");
    let rows = (0..240).map(|hour| format!("{},tea,{},1\n", hour % 3 + 1, hour * 3_600_000_u64)).collect::<String>();
    let purchases = file("purchases.csv", &format!("store,sku,at_ms,quantity\n{rows}"));
    let page = file("page.html", "");
    let output = sim(&format!(
        "availability --nodes 3 --horizon 1d --history 2d --runs 4 --policy littlewood+soft --outages {} --demand-trace {} --html {}",
        outages.display(),
        purchases.display(),
        page.display()
    ));
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("purchases: the 1 SKU sold most") && text.contains("outages: 2 links"), "{text}");
    let page = std::fs::read_to_string(page).expect("it was just written");
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains("littlewood+soft"));
}

#[test]
fn what_is_asked_for_wrongly_is_named() {
    let outages = file("wrong.csv", "node,from_ms,to_ms\n1,9,3\n");
    let short = file("short.csv", "store,sku,at_ms,quantity\n1,tea,0,1\n");
    let wrong = [
        ("--policy luck".to_owned(), "luck"),
        ("--uptime 1.5".to_owned(), "between 0.01 and 1"),
        ("--nodes 513".to_owned(), "513"),
        ("--horizon 7".to_owned(), "wants a unit"),
        ("--record-error 0.5".to_owned(), "two numbers"),
        (format!("--outages {}", outages.display()), "wrong.csv:2: to_ms \"3\""),
        (format!("--demand-trace {}", short.display()), "less than five horizons"),
        ("--links nowhere.csv".to_owned(), "nowhere.csv"),
    ];
    for (arguments, complaint) in wrong {
        let output = sim(&format!("availability {arguments}"));
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(complained(&output).contains(complaint), "{arguments}: {}", complained(&output));
    }
}

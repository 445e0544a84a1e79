//! Recorded data: every format read from a few lines by hand, every fault told with its line, and the published files whole.

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a test reads files and says what it skips")]

use std::collections::BTreeSet;
use std::io::{BufReader, Cursor};
use std::path::PathBuf;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_sim::data::baskets::{BasketLine, Baskets, Skipped};
use stockroom_sim::data::hours::{HourlyShape, Hours, read_hours};
use stockroom_sim::data::links::{LinkFormat, LinkStep, Recording, read_links};
use stockroom_sim::data::maine::with_pings;
use stockroom_sim::data::places::{Places, read_asked, read_shops};
use stockroom_sim::data::rows::Rows;
use stockroom_sim::data::{DataError, LINE_BYTES_MAX, ROWS_MAX};
use stockroom_sim::plan::Action;
use stockroom_sim::scenario::{Wishes, draw};

const CAPACITY: &str = "trace,direction,t_ms,packets_1500B,kbps\n\
    a,down,0,6,720\na,down,100,0,0\na,down,200,1,120\na,up,0,1,120\na,up,100,2,240\nb,down,0,1,120\n";
const OBSERVED: &str = "trace,local_time,t_s,tech,down_kbps,up_kbps,rtt_avg_ms,rtt_min_ms,rtt_max_ms,ping_loss_pct,speed_kmh,rsrp_dbm\n\
    d,2019-12-14T10:16:30,0,5G,700,10,,,,,0,-99.0\nd,2019-12-14T10:16:31,1,5G,,,82.5,80.0,90.0,20.0,1,\n\
    d,2019-12-14T10:16:31,1,5G,900,20,,,,,1,-99.0\nd,2019-12-14T10:16:34,4,LTE,0,0,,,,100.0,1,-99.0\n";
const RATES: &str = "run,operator,test,epoch_ms,t_ms,kbps,tcp_retrans,udp_lost,udp_total\n\
    att_1,att,tcp_downlink,1000,0,16775,0,,\natt_1,att,tcp_downlink,1500,500,61871,0,,\n\
    att_1,att,tcp_uplink,9000,0,100,0,,\natt_2,att,udp_downlink,20000,0,112,,-5,22156\n";
const PINGS: &str = "run,operator,epoch_ms,seq,rtt_ms\n\
    att_1,att,3000,1,50.3\natt_1,att,3200,2,\natt_1,att,3400,3,37.7\n";
const MATRIX: &str = "slice,from_node,n0,n1,n2\n\
    1,0,0,170,0\n1,1,120,0,100\n1,2,150,240,0\n9,0,0,0,0\n9,1,0,5,90\n9,2,0,0,0\n";
const CJ_BASKETS: &str = "basket_id,epoch_s,local_time,store_id,household_id,n_lines,sales_cents\n\
    31198570044,1,2017-01-01T06:53:26,330,900,1,50\n31198570047,2,2017-01-02T07:10:28,330,901,1,99\n\
    31198570048,3,2017-01-02T08:00:00,331,900,1,99\n";
const CJ_LINES: &str = "basket_id,product_id,quantity,sales_cents,retail_disc_cents,coupon_disc_cents,coupon_match_disc_cents,flag\n\
    31198570044,1095275,2,50,10,5,3,\n31198570047,1,0,0,0,0,0,zero_qty\n31198570047,2,9000,2000,0,0,0,fuel\n\
    31198570047,3,1,0,0,0,0,coupon_dept\n31198570047,4,1,5,0,0,0,no_product_row\n31198570047,5,1,5,0,6,0,\n\
    31198570048,6,1,7,0,0,0,\n31198570044,7,1,8,0,0,0,\n";
const SAMPLE_BASKETS: &str = "basket,store,local_time\n1,2,00:06:15\n2,1,00:07:57\n";
const SAMPLE_LINES: &str = "basket,sku,quantity,unit_price_cents,discount_cents\n1,1080414,2,60,53\n2,1083254,1,59,6\n";
const HOURS: &str = "store,hour_mid,transactions\n\
    2,2018-02-02T00:30:00,0\n2,2018-02-02T12:30:00,301\n2,2018-02-09T12:30:00,100\n3,2018-02-03T12:30:00,50.5\n";

fn links(text: &[u8]) -> Result<Vec<Recording>, DataError> {
    read_links(text, "links.csv")
}

fn baskets(baskets: &str, lines: &str) -> Result<Baskets, DataError> {
    Baskets::read([baskets.as_bytes(), lines.as_bytes()], ["cj_baskets.csv", "cj_lines.csv"])
}

fn step(for_ms: u32, [down_bps, up_bps]: [Option<u64>; 2], rtt_us: Option<u32>, loss_ppm: u32) -> LinkStep {
    LinkStep { for_ms, down_bps, up_bps, rtt_us, loss_ppm }
}

#[test]
fn capacity_joins_both_directions_and_ends_with_the_shorter() {
    let read = links(CAPACITY.as_bytes()).expect("it is well formed");
    assert_eq!(read.iter().map(Recording::name).collect::<Vec<_>>(), ["a", "b"]);
    let both = [step(100, [Some(720_000), Some(120_000)], None, 0), step(100, [Some(0), Some(240_000)], None, 0)];
    assert_eq!(read[0].steps(), both);
    assert_eq!(read[1].steps(), [step(100, [Some(120_000), None], None, 0)]);
    assert!(read.iter().all(|recording| recording.format() == LinkFormat::CellularCapacity));
}

#[test]
fn what_an_app_saw_keeps_the_last_value_known() {
    let read = links(OBSERVED.as_bytes()).expect("it is well formed");
    let steps = [
        step(1_000, [Some(700_000), Some(10_000)], None, 0),
        step(3_000, [Some(900_000), Some(20_000)], Some(82_500), 200_000),
        step(1_000, [Some(0), Some(0)], Some(82_500), 1_000_000),
    ];
    assert_eq!(read[0].steps(), steps);
    assert_eq!(read[0].steps().iter().map(LinkStep::is_down).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn rates_and_pings_of_a_drive_are_put_together() {
    let rates = links(RATES.as_bytes()).expect("it is well formed");
    assert_eq!(rates[0].steps(), [step(500, [Some(16_775_000), Some(100_000)], None, 0)]);
    assert_eq!(rates[1].steps(), [step(500, [Some(112_000), None], None, 0)]);
    let pings = links(PINGS.as_bytes()).expect("it is well formed");
    let seen = [(50_300, 0), (50_300, 1_000_000), (37_700, 0)];
    let alone = seen.map(|(rtt_us, loss)| step(200, [None; 2], Some(rtt_us), loss));
    assert_eq!(pings[0].steps(), alone);
    let joined = with_pings(&rates, &pings);
    assert_eq!(joined.len(), 2);
    let lasts = [200, 200, 100];
    let expected: Vec<_> = seen
        .iter()
        .zip(lasts)
        .map(|((rtt_us, loss), for_ms)| step(for_ms, [Some(112_000), None], Some(*rtt_us), *loss))
        .collect();
    assert_eq!(joined[1].steps(), expected, "a run without pings takes the nearest of its operator");
    let foreign = links(RATES.replace("att", "verizon").as_bytes()).expect("it is well formed");
    assert_eq!(with_pings(&foreign, &pings), foreign, "the pings of another operator say nothing");
}

#[test]
fn round_trips_of_a_pair_fall_back_on_the_other_side_and_on_the_slice_before() {
    let read = links(MATRIX.as_bytes()).expect("it is well formed");
    assert_eq!(read.iter().map(Recording::name).collect::<Vec<_>>(), ["n00-n01", "n00-n02", "n01-n02"]);
    let trips = |at: usize| read[at].steps().iter().map(|step| step.rtt_us).collect::<Vec<_>>();
    assert_eq!(trips(0), [Some(170_000), Some(170_000)]);
    assert_eq!(trips(1), [Some(150_000), Some(150_000)]);
    assert_eq!(trips(2), [Some(100_000), Some(90_000)]);
    assert_eq!(read[0].steps().iter().map(|step| step.for_ms).collect::<Vec<_>>(), [120_000, 120_000]);
}

#[test]
fn a_recording_goes_round_as_a_walk_over_its_steps_does() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let steps: Vec<_> = (0..50).map(|at| step(random.next_u32() % 40, [Some(at), None], None, 0)).collect();
    let recording = Recording::new("walk", LinkFormat::Assumed, steps.clone()).expect("some step lasts");
    let walk: Vec<_> = steps.iter().flat_map(|step| std::iter::repeat_n(*step, step.for_ms as usize)).collect();
    assert_eq!(recording.length_ms(), walk.len() as u64);
    for ms in 0..3 * walk.len() {
        assert_eq!(recording.at(ms as u64), walk[ms % walk.len()], "{ms}");
        let next = recording.next_change(ms as u64);
        assert!(next > ms as u64 && (ms as u64..next).all(|ms| recording.at(ms) == recording.at(next - 1)), "{ms}");
    }
    assert_eq!(recording.at(u64::MAX), walk[usize::try_from(u64::MAX % walk.len() as u64).expect("small")]);
    assert_eq!(Recording::new("none", LinkFormat::Assumed, vec![step(0, [None; 2], None, 0)]), None);
    assert!(LinkStep::outage(5).is_down());
}

/// Where and why a text is refused: `line: message`.
fn complaint<T>(read: Result<T, DataError>) -> String {
    read.err().map_or_else(|| "it was read".to_owned(), |error| error.to_string())
}

#[test]
fn a_malformed_row_of_links_is_told_with_its_line() {
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        complaint(links(text.replacen(from, to, 1).as_bytes()))
    };
    for (text, from, to, expected) in [
        (CAPACITY, "trace,dir", "track,dir", "1: has the header of no known recording of links"),
        (CAPACITY, "a,down,100,0,0", "a,down,100,0", "3: has 4 columns where the header has 5"),
        (CAPACITY, "a,down,100,0,0", "a,down,100,0,", "3: kbps \"\" is empty"),
        (CAPACITY, "a,down,100,0,0", ",down,100,0,0", "3: trace \"\" is empty"),
        (CAPACITY, "a,down,100,0,0", "a,down,100,0,x", "3: kbps \"x\" is not a number"),
        (CAPACITY, "a,down,100,0,0", "a,down,1.5,0,0", "3: t_ms \"1.5\" is not a whole number"),
        (CAPACITY, "a,down,100,0,0", "a,down,100,0,-1", "3: kbps \"-1\" is negative"),
        (CAPACITY, "a,down,100,0,0", "a,down,100,0,100000001", "3: kbps \"100000001\" is more than 100000000"),
        (CAPACITY, "a,down,200", "a,down,99", "4: t_ms \"99\" goes back in time"),
        (CAPACITY, "a,down,200", "a,down,100", "4: t_ms \"100\" comes twice"),
        (CAPACITY, "a,down,200", "a,down,86400101", "4: t_ms \"86400101\" leaves a gap of more than a day"),
        (CAPACITY, "a,up,0", "a,out,0", "5: direction \"out\" is neither up nor down"),
        (CAPACITY, "a,up,0", "\"a,up,0", "5: has a quote that the same line does not close"),
        (OBSERVED, "700,10,", ",10,", "2: down_kbps \"\" is empty"),
        (OBSERVED, "82.5", "600001", "3: rtt_avg_ms \"600001\" is more than 600000"),
        (OBSERVED, "20.0", "101", "3: ping_loss_pct \"101\" is more than 100"),
        (OBSERVED, "34,4,LTE", "34,0,LTE", "5: t_s \"0\" goes back in time"),
        (RATES, "tcp_uplink", "icmp", "4: test \"icmp\" is none of tcp_downlink, tcp_uplink, udp_downlink"),
        (RATES, "1500,500", "1500,1e9", "3: t_ms \"1e9\" is not a number"),
        (PINGS, "3400,3", "3400,2", "4: seq \"2\" does not come after the ping before"),
        (PINGS, "3400,3", "3100,3", "4: epoch_ms \"3100\" goes back in time"),
        (PINGS, "3400,3", "3200,3", "4: epoch_ms \"3200\" comes twice"),
        (PINGS, "50.3", "600000.1", "2: rtt_ms \"600000.1\" is more than 600000"),
        (MATRIX, "n0,n1,n2", "n0,m1,m2", "1: has 1 devices, not 2 to 256"),
        (MATRIX, "1,1,120", "1,2,120", "3: from_node \"2\" stands where 1 was expected"),
        (MATRIX, "1,1,120", "2,1,120", "3: slice \"2\" comes before the last one is complete"),
        (MATRIX, "9,0,", "1,0,", "5: slice \"1\" goes back in time"),
        (MATRIX, "9,0,", "6000,0,", "5: slice \"6000\" leaves a gap of more than a day"),
        (MATRIX, "9,2,0,0,0\n", "", "6: ends before the slice has all 3 devices"),
    ] {
        assert_eq!(changed(text, from, to), format!("links.csv:{expected}"), "{from} -> {to}");
    }
    assert_eq!(complaint(links(b"")), "links.csv:1: has no header line");
}

#[test]
fn a_text_that_cannot_be_read_is_told_with_its_line() {
    let broken = CAPACITY.replacen("a,up,100", "a\u{e9},up,100", 1).into_bytes();
    let at = broken.iter().position(|byte| *byte == 0xc3).expect("the letter has two bytes");
    let half: Vec<_> = broken.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, byte)| *byte).collect();
    assert_eq!(complaint(links(&half)), "links.csv:6: is not UTF-8");

    let long = CAPACITY.replacen("a,up,100", &format!("{},up,100", "a".repeat(LINE_BYTES_MAX)), 1);
    assert_eq!(complaint(links(long.as_bytes())), "links.csv:6: is longer than 65536 bytes");
    let endless = std::io::Read::chain(CAPACITY.as_bytes(), std::io::repeat(b'x'));
    assert_eq!(complaint(read_links(BufReader::new(endless), "l")), "l:8: is longer than 65536 bytes");

    assert_eq!(
        complaint(read_links(CAPACITY.as_bytes(), "links.csv.zst")),
        "links.csv.zst:1: is named .zst but does not begin as a zstd frame does"
    );
}

#[test]
fn a_table_without_end_is_refused_at_the_row_too_many() {
    let endless = format!("x\n{}", "0\n".repeat(ROWS_MAX as usize + 2));
    let mut rows = Rows::open(endless.as_bytes(), "x.csv").expect("it has a header");
    let column = rows.column("x").expect("it is there");
    let error = loop {
        match rows.next_row() {
            Ok(Some(row)) => assert_eq!(row.text(column), "0"),
            Ok(None) => panic!("it was read to its end"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.to_string(), format!("x.csv:{}: has more than {ROWS_MAX} rows", ROWS_MAX + 2));
}

#[test]
fn a_compressed_text_is_read_like_a_plain_one_and_a_cut_is_told_with_its_line() {
    let mut text = "trace,direction,t_ms,kbps\n".to_owned();
    let mut random = ChaCha8Rng::seed_from_u64(11);
    for at in 0..60_000 {
        text.push_str(&format!("a,down,{},{}\n", at * 100, random.next_u32() % 100_000));
    }
    let packed = zstd::encode_all(text.as_bytes(), 3).expect("memory does not fail");
    assert_eq!(links(&packed), links(text.as_bytes()), "with and without compression");
    assert_eq!(links(&packed).expect("it is well formed")[0].steps().len(), 60_000);
    let windows = text.replace('\n', "\r\n");
    assert_eq!(links(windows.as_bytes()), links(text.as_bytes()), "with either end of line");

    // How much text comes out of a cut frame is known from the decoder itself.
    for cut in [10, packed.len() / 3, packed.len() / 2, packed.len() - 1] {
        let mut out = Vec::new();
        let mut decoder = zstd::Decoder::new(&packed[..cut]).expect("memory does not fail");
        std::io::Read::read_to_end(&mut decoder, &mut out).expect_err("the frame is cut");
        let line = out.iter().filter(|byte| **byte == b'\n').count() + 1;
        let error = links(&packed[..cut]).expect_err("the frame is cut");
        assert_eq!(error.line, line as u64, "cut at {cut}: {error}");
        assert!(error.message.starts_with("cannot be read to its end"), "{error}");
    }
}

#[test]
fn baskets_are_joined_with_their_lines_and_say_what_was_left_out() {
    let read = baskets(CJ_BASKETS, CJ_LINES).expect("it is well formed");
    assert_eq!(read.name, "cj_baskets");
    assert_eq!(read.households, Some(2));
    let one_of_each = Skipped { fuel: 1, zero_quantity: 1, coupon: 1, no_product: 1, coupon_over_line: 1, baskets: 1 };
    assert_eq!(read.skipped, one_of_each);
    assert_eq!(read.stores.keys().copied().collect::<Vec<_>>(), [330, 331]);
    let basket = &read.stores[&330][0];
    assert_eq!(basket.at_s, 24_806);
    let line = BasketLine { product: 1_095_275, quantity: 2, sales_cents: 50, discount_cents: 13, coupon_cents: 5 };
    assert_eq!(basket.lines[0], line);
    assert_eq!((line.shelf_cents(), line.charged_cents()), (63, 45));
    assert_eq!(basket.lines[1].product, 7, "lines of one basket may stand apart");
    assert_eq!(read.stores[&331][0].at_s, 86_400 + 8 * 3_600);

    let sample = baskets(SAMPLE_BASKETS, SAMPLE_LINES).expect("it is well formed");
    assert_eq!((sample.households, sample.skipped), (None, Skipped::default()));
    let line = sample.stores[&2][0].lines[0];
    assert_eq!((line.shelf_cents(), line.charged_cents(), line.quantity), (120, 67, 2));
}

#[test]
fn a_malformed_row_of_baskets_is_told_with_its_file_and_line() {
    let head = |from: &str, to: &str| complaint(baskets(&CJ_BASKETS.replacen(from, to, 1), CJ_LINES));
    for (from, to, expected) in [
        ("basket_id", "id", "1: has the header of no known file of baskets"),
        ("31198570047,2", "31198570044,2", "3: basket_id \"31198570044\" comes twice"),
        ("2017-01-02T07:10", "2017-02-30T07:10", "3: local_time \"2017-02-30T07:10:28\" is not a local time"),
        (
            "2017-01-02T08",
            "2018-01-02T08",
            "4: local_time \"2018-01-02T08:00:00\" is in another year than the first basket",
        ),
        ("330,900", "-330,900", "2: store_id \"-330\" is negative"),
        ("331,900", "331,9999999999", "4: household_id \"9999999999\" is more than 4294967295"),
        ("900,1,50", "900,1", "2: has 6 columns where the header has 7"),
    ] {
        assert_eq!(head(from, to), format!("cj_baskets.csv:{expected}"), "{from} -> {to}");
    }
    let line = |from: &str, to: &str| complaint(baskets(CJ_BASKETS, &CJ_LINES.replacen(from, to, 1)));
    for (from, to, expected) in [
        ("basket_id", "id", "1: has the header of no known file of basket lines"),
        (",flag", ",mark", "1: has no column flag"),
        ("31198570044,1095275", "31198570045,1095275", "2: basket_id \"31198570045\" is no basket of the other file"),
        ("fuel", "fule", "4: flag \"fule\" is no known flag"),
        ("47,4,1,5", "47,4,1000001,5", "6: quantity \"1000001\" is more than 1000000"),
        ("47,4,1,5", "47,4,1,100000001", "6: sales_cents \"100000001\" is more than 100000000"),
        ("47,4,1,5", "47,x,1,5", "6: product_id \"x\" is not a number"),
        ("47,4,1,5", "47,4,1.5,5", "6: quantity \"1.5\" is not a whole number"),
    ] {
        assert_eq!(line(from, to), format!("cj_lines.csv:{expected}"), "{from} -> {to}");
    }
    let time = SAMPLE_BASKETS.replace("00:07:57", "24:07:57");
    assert_eq!(
        complaint(baskets(&time, SAMPLE_LINES)),
        "cj_baskets.csv:3: local_time \"24:07:57\" is not a time of day"
    );
    let discount = SAMPLE_LINES.replace("59,6", "59,60");
    let expected = "cj_lines.csv:3: discount_cents \"60\" is more than the line";
    assert_eq!(complaint(baskets(SAMPLE_BASKETS, &discount)), expected);
}

/// A panel of two stores: `per_day` baskets on each of ten days in store 5, half of that in store 9.
fn panel(per_day: usize) -> Baskets {
    let mut heads = "basket_id,local_time,store_id\n".to_owned();
    let mut lines = CJ_LINES.split_inclusive('\n').next().expect("a header").to_owned();
    let mut number = 0;
    for (store, per_day) in [(9, per_day / 2), (5, per_day)] {
        for (day, at) in (0..10).flat_map(|day| (0..per_day).map(move |at| (day, at))) {
            number += 1;
            heads.push_str(&format!("{number},2017-03-{:02}T{:02}:00:{:02},{store}\n", day + 1, 8 + at, day));
            lines.push_str(&format!("{number},{number},1,100,0,0,0,\n"));
        }
    }
    baskets(&heads, &lines).expect("it is well formed")
}

#[test]
fn days_laid_over_each_other_keep_their_time_of_day_and_use_each_basket_once() {
    let panel = panel(4);
    let overlay = panel.overlay(3, 15);
    assert_eq!(overlay.stores.iter().map(Vec::len).collect::<Vec<_>>(), [15, 15, 15]);
    let mut products = BTreeSet::new();
    for placed in overlay.stores.iter().flatten() {
        assert_eq!(u64::from(placed.second), placed.basket.at_s % 86_400);
        assert!(products.insert(placed.basket.lines[0].product), "no basket is used twice");
    }
    assert!(overlay.stores.iter().all(|day| day.is_sorted_by_key(|placed| placed.second)));
    let sources = |at: usize| overlay.stores[at].iter().map(|placed| placed.source_store).collect::<BTreeSet<_>>();
    assert_eq!([sources(0), sources(1), sources(2)], [[5].into(), [5].into(), [5, 9].into()]);
    assert_eq!(
        overlay.scaling,
        "cj_baskets: 4 to 6 recorded days of 1 to 2 stores laid over each other by time of day give 15 baskets a day to each \
         of 3 simulated stores; no basket is used twice"
    );
    assert_eq!(overlay, panel.overlay(3, 15), "there is no chance in it");
}

#[test]
fn more_load_than_was_recorded_uses_baskets_again_and_says_so() {
    let panel = panel(4);
    let overlay = panel.overlay(2, 60);
    assert_eq!(overlay.stores[0].len(), 60);
    assert!(overlay.scaling.ends_with("; a basket is used up to 2 times"), "{}", overlay.scaling);
    let seen = |at: usize| overlay.stores[at].iter().map(|p| p.basket.lines[0].product).collect::<BTreeSet<_>>();
    assert_eq!((seen(0).len(), seen(1).len()), (60, 60), "each day has every basket of the panel once");
    assert_eq!(panel.overlay(2, 0).stores, vec![vec![]; 2]);
    let nothing = baskets("basket_id,local_time,store_id\n", CJ_LINES.split_inclusive('\n').next().expect("a header"));
    let nothing = nothing.expect("it is well formed");
    assert_eq!(nothing.overlay(2, 10).stores, vec![vec![]; 2]);
}

#[test]
fn a_week_is_the_mean_of_its_recorded_days() {
    let read = read_hours(HOURS.as_bytes(), "pl.csv").expect("it is well formed");
    let friday_noon = 4 * 24 + 12;
    assert_eq!(read.stores[&2].per_hour[friday_noon], 201, "200.5 rounded");
    assert_eq!(read.stores[&2].per_hour[12], 201, "a weekday without record is the mean of the others");
    assert_eq!(read.stores[&2].per_hour[friday_noon - 12], 0);
    assert_eq!(read.stores[&3].per_hour[5 * 24 + 12], 51);
    assert_eq!(read.mean.per_hour[friday_noon], 126, "the mean of 200.5 and 50.5, rounded");
    let scale = "pl: mean of 2 recorded days of store 2, weekdays without a record filled with the mean of the others";
    assert_eq!(read.stores[&2].scale, scale);

    for (from, to, expected) in [
        ("transactions", "sales", "1: has no column transactions"),
        ("12:30:00,301", "12:30:00,", "3: transactions \"\" is empty"),
        ("12:30:00,301", "12:30:00,-1", "3: transactions \"-1\" is negative"),
        ("12:30:00,301", "12:30:00,100000.1", "3: transactions \"100000.1\" is more than 100000"),
        ("2018-02-09T12", "2018-02-09 12", "4: hour_mid \"2018-02-09 12:30:00\" is not a local time"),
        ("3,2018", "x,2018", "5: store \"x\" is not a number"),
    ] {
        let read = read_hours(HOURS.replacen(from, to, 1).as_bytes(), "pl.csv");
        assert_eq!(complaint(read), format!("pl.csv:{expected}"), "{from} -> {to}");
    }
    assert_eq!(complaint(read_hours(&b"store,hour_mid,transactions\n"[..], "pl.csv")), "pl.csv:1: has no rows");
}

#[test]
fn a_scaled_week_has_exactly_the_total_asked_for_and_keeps_closed_hours_closed() {
    for per_day in [0, 1, 7, 1_700, 5_300] {
        let week = HourlyShape::assumed(per_day);
        assert_eq!(week.week(), 7 * u64::from(per_day));
        assert!((0..7).all(|weekday| week.per_hour[weekday * 24 + 3] == 0));
    }
    let week = HourlyShape::assumed(1_700);
    assert!(week.scale.contains("assumed") && week.scale.ends_with("scaled to a mean of 1,700 transactions a day"));
    let peak = week.per_hour.iter().max().expect("a week has hours");
    assert!((150..350).contains(peak), "the busiest hour of such a shop: {peak}");
}

#[test]
fn no_bytes_whatever_make_a_reader_panic() {
    let seed = 20_170_101;
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let texts = [CAPACITY, OBSERVED, RATES, PINGS, MATRIX, CJ_BASKETS, CJ_LINES, SAMPLE_BASKETS, SAMPLE_LINES, HOURS];
    let packed: Vec<Vec<u8>> =
        texts.iter().map(|text| zstd::encode_all(text.as_bytes(), 1).expect("memory does not fail")).collect();
    let (mut read, mut refused) = (0, 0);
    for round in 0..20_000 {
        let mut bytes = match round % 4 {
            0 => vec![0; random.next_u32() as usize % 300],
            1 => packed[round / 4 % packed.len()].clone(),
            _ => texts[round / 4 % texts.len()].as_bytes().to_vec(),
        };
        if round % 4 == 0 {
            random.fill_bytes(&mut bytes);
        }
        for _ in 0..random.next_u32() % 4 {
            let at = random.next_u32() as usize % bytes.len().max(1);
            match random.next_u32() % 4 {
                0 if !bytes.is_empty() => bytes[at] = random.next_u32().to_le_bytes()[0],
                1 if !bytes.is_empty() => bytes[at] = b"0,\n\"-.9"[random.next_u32() as usize % 7],
                2 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        let outcomes = [
            links(&bytes)
                .map(|read| read.iter().for_each(|recording| assert!(recording.at(random.next_u64()).for_ms > 0)))
                .is_ok(),
            Baskets::read([&bytes[..], CJ_LINES.as_bytes()], ["b", "l"]).map(|read| drop(read.overlay(2, 9))).is_ok(),
            Baskets::read([CJ_BASKETS.as_bytes(), &bytes[..]], ["b", "l"]).is_ok(),
            Baskets::read([SAMPLE_BASKETS.as_bytes(), &bytes[..]], ["b", "l"]).is_ok(),
            read_hours(&bytes[..], "h").is_ok(),
        ];
        read += outcomes.iter().filter(|ok| **ok).count();
        refused += outcomes.iter().filter(|ok| !**ok).count();
    }
    assert!(read > 1_000 && refused > 1_000, "both happen: {read} read, {refused} refused");
}

/// A published file, or `None`, said aloud, where the folder of recorded data is not there.
fn published(path: &str) -> Option<Cursor<Vec<u8>>> {
    let bytes = std::fs::read(PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(path));
    if bytes.is_err() {
        println!("skipped: there is no {path}");
    }
    bytes.ok().map(Cursor::new)
}

/// As above, but where tests are mandatory the file must be there.
fn needed(path: &str) -> Option<Cursor<Vec<u8>>> {
    let found = published(path);
    assert!(found.is_some() || std::env::var_os("STOCKROOM_MANDATORY").is_none(), "{path} is needed, and is not there");
    found
}

fn published_links(name: &str) -> Option<Vec<Recording>> {
    let file = format!("link_traces/{name}.csv.zst");
    Some(read_links(published(&file)?, &file).unwrap_or_else(|error| panic!("{error}")))
}

fn step_count(recordings: &[Recording]) -> usize {
    recordings.iter().map(|recording| recording.steps().len()).sum()
}

#[test]
fn published_cellular_links_are_read_whole() {
    let Some(capacity) = published_links("cellular_mahimahi_100ms") else { return };
    let kept = [("ATT-LTE-driving", 7_862), ("TMobile-LTE-driving", 4_747), ("Verizon-EVDO-driving", 10_621)];
    let seen: Vec<_> = capacity.iter().map(|recording| (recording.name(), recording.steps().len())).collect();
    assert_eq!(seen, [&kept[..], &[("Verizon-LTE-short", 1_400)]].concat());
    assert_eq!(capacity.iter().flat_map(Recording::steps).filter_map(|step| step.down_bps).max(), Some(89_160_000));

    let Some(observed) = published_links("cellular_ucc5g_1s") else { return };
    assert_eq!(observed.len(), 14);
    assert_eq!(step_count(&observed), 29_735 - 3_001, "rows less those of a second that comes again");
    assert_eq!(observed.iter().flat_map(Recording::steps).filter_map(|step| step.rtt_us).max(), Some(889_000));
    assert!(observed.iter().flat_map(Recording::steps).any(LinkStep::is_down));
}

#[test]
fn published_links_of_the_drive_are_read_whole_and_put_together() {
    let Some(rates) = published_links("starlink_cellular_maine_500ms") else { return };
    assert_eq!(rates.len(), 246);
    let Some(pings) = published_links("starlink_cellular_maine_ping_200ms") else { return };
    assert_eq!((pings.len(), step_count(&pings)), (259, 37_581));
    let lost = pings.iter().flat_map(Recording::steps).filter(|step| step.is_down()).count();
    assert_eq!(lost, 733);
    let joined = with_pings(&rates, &pings);
    assert_eq!(joined.len(), 246);
    assert!(joined.iter().all(|recording| recording.format() == LinkFormat::Drive), "each operator has pings");
    assert!(joined.iter().zip(&rates).all(|(joined, rates)| joined.length_ms() == rates.length_ms()));
}

#[test]
fn published_round_trips_are_read_whole() {
    let Some(pairs) = published_links("rtt_matrix_seattle") else { return };
    assert_eq!((pairs.len(), step_count(&pairs)), (99 * 98 / 2, 99 * 98 / 2 * 60));
    let missing = pairs.iter().flat_map(Recording::steps).filter(|step| step.rtt_us.is_none()).count();
    let longest = pairs.iter().flat_map(Recording::steps).filter_map(|step| step.rtt_us).max();
    println!("{missing} steps without a round trip, longest {longest:?}");
    assert!(missing < step_count(&pairs) / 100);
}

#[test]
fn published_baskets_are_read_whole_and_make_a_till_load() {
    let files = ["pos_trace/cj_baskets.csv.zst", "pos_trace/cj_lines.csv.zst"];
    let (Some(heads), Some(lines)) = (published(files[0]), published(files[1])) else { return };
    let read = Baskets::read([heads, lines], files).unwrap_or_else(|error| panic!("{error}"));
    let kept: usize = read.stores.values().flatten().map(|basket| basket.lines.len()).sum();
    let Skipped { fuel, zero_quantity, coupon, no_product, coupon_over_line, baskets } = read.skipped;
    assert_eq!((fuel, zero_quantity, coupon, no_product), (10_426, 6_132, 309, 21));
    assert_eq!(kept + (10_426 + 6_132 + 309 + 21) + coupon_over_line as usize, 1_046_910);
    assert_eq!(read.count() + baskets as usize, 111_324);
    let overlay = read.overlay(12, 1_700);
    println!("{:?}\n{}", read.skipped, overlay.scaling);
    assert!(overlay.stores.iter().all(|day| day.len() == 1_700));
    assert!(overlay.scaling.starts_with("cj_baskets: baskets of 2,439 loyalty households, "), "{}", overlay.scaling);
}

#[test]
fn the_shipped_sample_is_read_whole() {
    let heads = include_bytes!("../../node/sample/baskets.csv");
    let lines = include_bytes!("../../node/sample/lines.csv");
    let read =
        Baskets::read([&heads[..], &lines[..]], ["baskets.csv", "lines.csv"]).unwrap_or_else(|error| panic!("{error}"));
    let kept: usize = read.stores.values().flatten().map(|basket| basket.lines.len()).sum();
    assert_eq!((read.count(), kept, read.skipped), (1_022, 11_409, Skipped::default()));
    let charged: i64 =
        read.stores.values().flatten().flat_map(|basket| &basket.lines).map(BasketLine::charged_cents).sum();
    assert_eq!(charged, 3_490_480);
}

#[test]
fn published_hours_are_read_whole() {
    let read = |file: &str| -> Option<Hours> {
        Some(read_hours(published(file)?, file).unwrap_or_else(|error| panic!("{error}")))
    };
    let Some(both) = read("pos_trace/pl_hourly_transactions.csv") else { return };
    assert_eq!(both.stores.keys().copied().collect::<Vec<_>>(), [2, 3]);
    assert_eq!(both.mean.scale, "pl_hourly_transactions: mean of 18 recorded days of 2 stores");
    let saturday: u32 = both.stores[&3].per_hour[5 * 24..6 * 24].iter().sum();
    assert!(saturday.abs_diff((4_691 + 4_375) / 2) <= 24, "{saturday}");
    let Some(all) = read("pos_trace/pl_hourly_baskets.csv.zst") else { return };
    assert_eq!(all.stores.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
}

const SHOPS: &str = "store_id,brand,brand_en,store_name,lat,lng,cell\n\
    2,b,B,south,-35.7,139.70000049,1\n1,a,A,north,35.69,-139,1\n";
const ASKED: &str =
    "order_no,placed_s,dest_lat,dest_lon,flag\n1,25682,-1.304,36.7849,\n2,86399,-1.5,36.8,too_fast\n3,0,1,2,\n";

#[test]
fn shops_and_orders_of_a_city_are_read_with_their_places() {
    let shops = read_shops(SHOPS.as_bytes(), "shops.csv").expect("it is well formed");
    let seen: Vec<_> = shops.iter().map(|shop| (shop.id, shop.brand.as_str(), shop.at.north, shop.at.east)).collect();
    assert_eq!(seen, [(1, "A", 35_690_000, -139_000_000), (2, "B", -35_700_000, 139_700_000)]);
    let asked = read_asked(ASKED.as_bytes(), "asked.csv").expect("it is well formed");
    let seen: Vec<_> = asked.iter().map(|asked| (asked.second, asked.to.north, asked.to.east)).collect();
    assert_eq!(seen, [(25_682, -1_304_000, 36_784_900), (0, 1_000_000, 2_000_000)], "an implausible row is left out");
}

#[test]
fn a_malformed_place_is_told_with_its_line() {
    let told = |text: String| complaint(read_shops(text.as_bytes(), "s"));
    for (wrong, why) in [
        ("91", "is more than 90"),
        ("-91", "is more than 90"),
        ("", "is empty"),
        ("--1", "is negative"),
        ("x", "is not a number"),
    ] {
        let message = told(SHOPS.replace("-35.7", wrong));
        assert!(message.starts_with("s:2: lat") && message.ends_with(why), "{wrong}: {message}");
    }
    assert!(complaint(read_asked(ASKED.replace("86399", "86400").as_bytes(), "a")).starts_with("a:3: placed_s"));
    assert!(
        complaint(read_asked("placed_s,dest_lat,dest_lon,flag\n1,1,1,too_fast\n".as_bytes(), "a"))
            .contains("plausible")
    );
}

#[test]
fn published_shops_and_orders_are_read_whole_and_make_a_rush() {
    let (shops, asked) = ("stores/konbini_japan.csv.zst", "online_orders/sendy_orders.csv.zst");
    let (Some(shops), Some(asked)) = (needed(shops), needed(asked)) else { return };
    let places = Places {
        shops: read_shops(shops, "konbini_japan.csv.zst").expect("it is well formed"),
        asked: read_asked(asked, "sendy_orders.csv.zst").expect("it is well formed"),
    };
    assert_eq!((places.shops.len(), places.asked.len()), (34_390, 12_122), "12,552 orders less those with a flag");
    let wishes = Wishes { places: Some(Arc::new(places)), ..Wishes::default() };
    let [plan, again] = [0, 0].map(|_| draw("pickup-rush", 7, &wishes).expect("a scenario"));
    assert_eq!(format!("{:?}", plan.steps), format!("{:?}", again.steps), "the same seed gives the same plan");
    let pickups = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Order(wanted) => Some((step.at_ms, wanted.stores.clone())),
        _ => None,
    });
    let pickups: Vec<_> = pickups.collect();
    assert!(pickups.len() >= 2_880 && pickups.iter().all(|(at_ms, _)| *at_ms < plan.safety_ms));
    let firsts: BTreeSet<u32> = pickups.iter().map(|(_, stores)| stores[0]).collect();
    assert!(firsts.len() > 4, "orders go to stores all over the ward: {firsts:?}");
    assert!(pickups.iter().any(|(_, stores)| stores.len() == 2) && pickups.iter().any(|(_, stores)| stores.len() == 1));
    assert!(plan.scaling.contains("orders: real: "), "{}", plan.scaling);
    let drawn = draw("pickup-rush", 7, &Wishes::default()).expect("a scenario");
    assert!(drawn.scaling.contains("orders: drawn: "), "{}", drawn.scaling);
}

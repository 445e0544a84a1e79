//! What routing rules, limits and opening hours must keep.

use super::hours::{Pace, Shift, Span, StoreService};
use super::limits::OrderLimits;
use super::*;
use crate::codec::RowReader;
use crate::ids::StoreId;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// 1970-01-05, a Monday, midnight in UTC.
const MONDAY: u64 = 4 * DAY;

#[test]
fn defaults_are_valid_and_are_read_as_they_were_written() {
    let rules = RoutingRules::default();
    assert_eq!(rules.validate(), Ok(()));
    assert_eq!(again(&rules, RoutingRules::encode, |source| RoutingRules::decode(source)), rules);
    let limits = OrderLimits::default();
    assert_eq!(limits.validate(), Ok(()));
    assert_eq!(again(&limits, OrderLimits::encode, |source| OrderLimits::decode(source)), limits);
    let service = StoreService::always_open(StoreId(7));
    assert_eq!(service.validate(), Ok(()));
    assert_eq!(again(&service, StoreService::encode, |source| StoreService::decode(source)), service);
}

#[test]
fn every_field_comes_back() {
    let code = |text| Code::parse(text).unwrap();
    let filter = Filter {
        group: code("north"),
        entity: code("GmbH"),
        metres_max: Some(0),
        rings_max: Some(3),
        age_ms_max: Some(HOUR),
        soft_ppm_max: 20_000,
    };
    let weights = Weights { split: 1, distance: 2, haul: 3, lateness: 4, risk: 5, age: 6, load: 7 };
    let rules = RoutingRules {
        channel: Some(Channel::Delivery),
        ended: true,
        sets: vec![RuleSet { name: code("a"), filter, weights }],
        boundary: Boundary::Free,
        split_value_min: 12,
        parts_max: 4,
        parts_per_day: Some(0),
        safety_pieces: 9,
        safety_grams: 8,
        prepare_ms: 5,
        metres_per_min: 6,
    };
    assert_eq!(again(&rules, RoutingRules::encode, |source| RoutingRules::decode(source)), rules);
    let limits = OrderLimits {
        store: Some(StoreId(3)),
        ended: true,
        reminders_ms: vec![],
        redispatch_ms: vec![1, 1],
        ..OrderLimits::default()
    };
    assert_eq!(again(&limits, OrderLimits::encode, |source| OrderLimits::decode(source)), limits);
    let service = StoreService { closed_days: vec![5, 9], parts_per_day: Some(0), ..shop() };
    assert_eq!(again(&service, StoreService::encode, |source| StoreService::decode(source)), service);
}

#[test]
fn what_has_no_sense_is_refused_by_name() {
    let rules = RoutingRules::default;
    assert_eq!(RoutingRules { sets: vec![], ..rules() }.validate(), Err("sets"));
    assert_eq!(RoutingRules { parts_max: 0, ..rules() }.validate(), Err("parts_max"));
    assert_eq!(RoutingRules { split_value_min: -1, ..rules() }.validate(), Err("split_value_min"));
    assert_eq!(RoutingRules { metres_per_min: 0, ..rules() }.validate(), Err("metres_per_min"));
    let mut heavy = rules();
    heavy.sets[0].weights.risk = u32::MAX;
    assert_eq!(heavy.validate(), Err("weights"));
    let limits = OrderLimits::default;
    assert_eq!(OrderLimits { accept_warn_ms: 16 * 60_000, ..limits() }.validate(), Err("accept_warn_ms"));
    assert_eq!(OrderLimits { reminders_ms: vec![2, 1], ..limits() }.validate(), Err("reminders_ms"));
    assert_eq!(OrderLimits { reminders_ms: vec![7 * DAY], ..limits() }.validate(), Err("reminders_ms"));
    assert_eq!(OrderLimits { code_tries: 0, ..limits() }.validate(), Err("code_tries"));
    let mut service = shop();
    service.week[2].push(Span { from: 1_000, until: 1_100 });
    assert_eq!(service.validate(), Err("week"));
}

#[test]
fn the_narrowest_rules_that_were_not_taken_back_hold() {
    let of = |channel, ended, parts_max| RoutingRules { channel, ended, parts_max, ..RoutingRules::default() };
    let all = [of(None, false, 1), of(Some(Channel::Delivery), false, 2), of(Some(Channel::Pickup), true, 3)];
    let parts = |channel| RoutingRules::narrowest(all.iter(), channel).map(|rules| rules.parts_max);
    assert_eq!(parts(Channel::Delivery), Some(2));
    assert_eq!(parts(Channel::Pickup), Some(1));
    assert_eq!(RoutingRules::narrowest(all[2..].iter(), Channel::Pickup), None);
    assert_ne!(all[0].entity(), all[1].entity());
    let own = OrderLimits { store: Some(StoreId(4)), ..OrderLimits::default() };
    let wide = OrderLimits::default();
    assert_eq!(OrderLimits::narrowest([&own, &wide].into_iter(), StoreId(4)), Some(&own));
    assert_eq!(OrderLimits::narrowest([&own, &wide].into_iter(), StoreId(5)), Some(&wide));
}

/// Monday to Friday 9 to 13 and 14 to 18, Saturday 20 until 2 in the night, closed on Sunday.
fn shop() -> StoreService {
    let day = vec![Span { from: 540, until: 780 }, Span { from: 840, until: 1_080 }];
    let mut week = [(); 7].map(|()| day.clone());
    week[5] = vec![Span { from: 1_200, until: 1_560 }];
    week[6] = vec![];
    StoreService { week, ..StoreService::always_open(StoreId(1)) }
}

#[test]
fn a_shift_is_found_in_the_stores_own_time() {
    let shift =
        |opens: u64, closes: u64| Some(Shift { opens_ms: MONDAY + opens * HOUR, closes_ms: MONDAY + closes * HOUR });
    assert_eq!(shop().shift(MONDAY, 0), shift(9, 13));
    assert_eq!(shop().shift(MONDAY + 9 * HOUR, 0), shift(9, 13));
    assert_eq!(shop().shift(MONDAY + 13 * HOUR, 0), shift(14, 18));
    assert_eq!(shop().shift(MONDAY + 18 * HOUR, 0), shift(33, 37));
    // Nine o'clock in Tokyo is midnight in Greenwich.
    assert_eq!(shop().shift(MONDAY, 540), shift(0, 4));
    assert_eq!(shop().shift(MONDAY + 12 * HOUR, -120), shift(11, 15));
    // Saturday's evening ends on Sunday, and nothing follows until Monday.
    assert_eq!(shop().shift(MONDAY + (6 * 24 + 1) * HOUR, 0), shift(140, 146));
    assert_eq!(shop().shift(MONDAY + (6 * 24 + 2) * HOUR, 0), shift(7 * 24 + 9, 7 * 24 + 13));
}

#[test]
fn days_that_touch_are_one_shift_and_holidays_are_left_out() {
    let always = StoreService::always_open(StoreId(1));
    let shift = always.shift(MONDAY + 23 * HOUR, 0).unwrap();
    assert!(shift.opens_ms <= MONDAY && shift.closes_ms >= MONDAY + 8 * DAY);
    let holiday = StoreService { closed_days: vec![4, 5], ..shop() };
    assert_eq!(holiday.shift(MONDAY, 0).map(|shift| shift.opens_ms), Some(MONDAY + 2 * DAY + 9 * HOUR));
    let never = StoreService { week: Default::default(), ..shop() };
    assert_eq!(never.shift(MONDAY, 0), None);
    assert_eq!(never.shift(u64::MAX, i32::MAX), None);
}

#[test]
fn last_orders_wait_for_the_next_opening() {
    let pace = Pace { prepare_ms: HOUR / 2, last_orders_ms: HOUR };
    let ready = |at: u64| shop().ready_ms(MONDAY + at, 0, pace).map(|ms| ms - MONDAY);
    assert_eq!(ready(10 * HOUR), Some(10 * HOUR + HOUR / 2));
    assert_eq!(ready(12 * HOUR), Some(12 * HOUR + HOUR / 2));
    assert_eq!(ready(12 * HOUR + 1), Some(14 * HOUR + HOUR / 2));
    assert_eq!(ready(17 * HOUR + 1), Some(33 * HOUR + HOUR / 2));
    let slow = Pace { prepare_ms: 5 * HOUR, ..pace };
    assert_eq!(shop().ready_ms(MONDAY, 0, slow), Some(MONDAY + (5 * 24 + 25) * HOUR), "only Saturday is long enough");
    let closed = StoreService { week: Default::default(), ..shop() };
    assert_eq!(closed.ready_ms(MONDAY, 0, pace), None);
}

/// Reads a record that fills its bytes and writes it again: what a fact needs to be canonical.
fn again<T>(
    record: &T,
    encode: impl Fn(&T, &mut Rows),
    decode: impl Fn(&mut RowReader<'_>) -> Result<T, DecodeError>,
) -> T {
    let bytes = |record: &T| {
        let mut rows = Rows::default();
        encode(record, &mut rows);
        rows.into_bytes()
    };
    let first = bytes(record);
    let read = decode(&mut RowReader::new(&first)).expect("what was written can be read");
    assert_eq!(bytes(&read), first);
    for cut in 0..first.len() {
        assert!(decode(&mut RowReader::new(&first[..cut])).is_err(), "cut at {cut}");
    }
    read
}

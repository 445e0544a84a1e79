//! Coordinate systems there and back.

use proptest::prelude::*;
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::place::{Datum, distance_m};
use stockroom_tests::property::check;

const SHIFTED: [Datum; 2] = [Datum::Gcj02, Datum::Bd09];

fn anywhere() -> impl Strategy<Value = Coordinates> {
    (-90_000_000..=90_000_000, -180_000_000..=180_000_000)
        .prop_map(|(latitude, longitude)| Coordinates { latitude, longitude })
}

/// Inside the shifted rectangle, 0.02 degrees from its edge.
fn in_china() -> impl Strategy<Value = Coordinates> {
    (850_000..55_800_000, 72_030_000..137_810_000).prop_map(|(latitude, longitude)| Coordinates { latitude, longitude })
}

#[test]
fn there_and_back_is_less_than_a_metre_off() {
    check("there and back", 2_000, in_china(), |point| {
        for datum in SHIFTED {
            let there = datum.from_wgs84(point);
            prop_assert!(distance_m(there, point) < 3_000, "{} moved {} m", datum.name(), distance_m(there, point));
            prop_assert!(distance_m(datum.to_wgs84(there), point) < 1, "{}", datum.name());
        }
        Ok(())
    });
}

#[test]
fn conversion_is_total_and_changes_nothing_far_away() {
    check("far away", 2_000, anywhere(), |point| {
        let outside =
            !(700_000..55_950_000).contains(&point.latitude) || !(71_900_000..137_950_000).contains(&point.longitude);
        for datum in SHIFTED {
            let (there, back) = (datum.from_wgs84(point), datum.to_wgs84(point));
            prop_assert!(Coordinates::new(there.latitude, there.longitude).is_some());
            prop_assert!(Coordinates::new(back.latitude, back.longitude).is_some());
            prop_assert!(!outside || (there, back) == (point, point));
        }
        Ok(())
    });
}

#[test]
fn distance_is_a_distance() {
    check("distance", 2_000, (anywhere(), anywhere(), anywhere()), |(a, b, c)| {
        prop_assert_eq!(distance_m(a, b), distance_m(b, a));
        prop_assert_eq!(distance_m(a, a), 0);
        prop_assert!(distance_m(a, c) <= distance_m(a, b) + distance_m(b, c) + 2);
        prop_assert!(distance_m(a, b) <= 20_015_115);
        Ok(())
    });
}

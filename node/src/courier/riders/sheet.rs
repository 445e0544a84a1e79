//! The order of a rider's stops: nearest neighbour, then 2-opt. Pure.
//!
//! The cost of an order is its way as the crow flies, there and back, and for every stop that comes late the way that could have
//! been ridden in that time. Both steps take the first of equals, so the same stops give the same sheet.

use serde::{Deserialize, Serialize};
use stockroom_crdt::control::Coordinates;
use stockroom_crdt::place::distance_m;

use crate::courier::job::{ExternalId, point};
use crate::courier::riders::Pace;

/// One door.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Which attempt ends there.
    pub id: ExternalId,
    /// Where it is.
    #[serde(with = "point")]
    pub to: Coordinates,
    /// When the goods were promised.
    pub due_ms: u64,
    /// When the rider is there.
    pub arrive_ms: u64,
    /// From the stop before, or the store.
    pub way_m: u32,
}

/// A rider's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSheet {
    /// In order.
    pub stops: Vec<Stop>,
    /// There and back.
    pub way_m: u64,
    /// When the rider is back.
    pub back_ms: u64,
}

impl Stop {
    /// A stop whose place in a sheet is not known yet.
    pub fn new(id: ExternalId, to: Coordinates, due_ms: u64) -> Self {
        Self { id, to, due_ms, arrive_ms: 0, way_m: 0 }
    }
}

impl RouteSheet {
    /// What the order of the stops costs, metres.
    pub fn cost(&self, pace: Pace) -> u64 {
        let late_ms: u64 = self.stops.iter().map(|stop| stop.arrive_ms.saturating_sub(stop.due_ms)).sum();
        self.way_m + late_ms.saturating_mul(pace.m_per_hour) / HOUR_MS
    }
}

/// Puts stops into an order and says when each is reached.
pub fn order_stops(from: Coordinates, stops: Vec<Stop>, leave_ms: u64, pace: Pace) -> RouteSheet {
    let mut order = nearest_first(from, stops);
    let mut best = timed(from, &order, leave_ms, pace);
    let mut improved = true;
    while improved {
        improved = false;
        for first in 0..order.len() {
            for last in first + 1..order.len() {
                order[first..=last].reverse();
                let sheet = timed(from, &order, leave_ms, pace);
                if sheet.cost(pace) < best.cost(pace) {
                    (best, improved) = (sheet, true);
                } else {
                    order[first..=last].reverse();
                }
            }
        }
    }
    best
}

fn nearest_first(from: Coordinates, mut stops: Vec<Stop>) -> Vec<Stop> {
    let (mut order, mut here) = (Vec::with_capacity(stops.len()), from);
    while let Some(next) = (0..stops.len()).min_by_key(|index| distance_m(here, stops[*index].to)) {
        let stop = stops.remove(next);
        here = stop.to;
        order.push(stop);
    }
    order
}

fn timed(from: Coordinates, order: &[Stop], leave_ms: u64, pace: Pace) -> RouteSheet {
    let ride_ms = |way_m: u32| u64::from(way_m) * HOUR_MS / pace.m_per_hour.max(1);
    let (mut here, mut at_ms, mut way_m) = (from, leave_ms, 0);
    let mut stops = Vec::with_capacity(order.len());
    for stop in order {
        let leg_m = distance_m(here, stop.to);
        let arrive_ms = at_ms + ride_ms(leg_m);
        stops.push(Stop { arrive_ms, way_m: leg_m, ..stop.clone() });
        (here, at_ms, way_m) = (stop.to, arrive_ms + pace.stop_ms, way_m + u64::from(leg_m));
    }
    let home_m = distance_m(here, from);
    RouteSheet { stops, way_m: way_m + u64::from(home_m), back_ms: at_ms + ride_ms(home_m) }
}

const HOUR_MS: u64 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::courier::job::DeliveryId;

    const PACE: Pace = Pace { m_per_hour: 12_000, stop_ms: 120_000, stops_max: 8 };

    fn stop(name: &str, north: i32, east: i32, due_ms: u64) -> Stop {
        let to = Coordinates { latitude: 31_230_000 + north, longitude: 121_470_000 + east };
        Stop::new(DeliveryId::parse(name).unwrap().external(1), to, due_ms)
    }

    fn names(sheet: &RouteSheet) -> Vec<&str> {
        sheet.stops.iter().map(|stop| stop.id.delivery.as_str()).collect()
    }

    fn from() -> Coordinates {
        Coordinates { latitude: 31_230_000, longitude: 121_470_000 }
    }

    #[test]
    fn a_crossed_way_is_uncrossed() {
        let far = u64::MAX / 4;
        let around = [("a", 0, 9_000), ("b", 9_000, 10_000), ("c", 10_000, 0), ("d", 4_000, 4_500)];
        let stops: Vec<_> = around.iter().map(|(name, north, east)| stop(name, *north, *east, far)).collect();
        let sheet = order_stops(from(), stops.clone(), 0, PACE);
        let mut shortest = u64::MAX;
        for first in 0..4 {
            for second in 0..4 {
                for third in 0..4 {
                    let fourth = 6_usize.wrapping_sub(first + second + third);
                    let tour = [first, second, third, fourth];
                    if fourth < 4 && (0..4).all(|index| tour.contains(&index)) {
                        let order: Vec<_> = tour.iter().map(|index| stops[*index].clone()).collect();
                        shortest = shortest.min(timed(from(), &order, 0, PACE).way_m);
                    }
                }
            }
        }
        let nearest = timed(from(), &nearest_first(from(), stops), 0, PACE).way_m;
        assert!(sheet.way_m <= nearest && sheet.way_m * 100 <= shortest * 103, "{:?}", names(&sheet));
        assert_eq!(sheet.stops.len(), 4);
    }

    #[test]
    fn who_was_promised_early_is_reached_early() {
        let stops = vec![stop("near", 0, 3_000, HOUR_MS), stop("far", 0, -20_000, 600_000)];
        assert_eq!(names(&order_stops(from(), stops, 0, PACE)), ["far", "near"]);
        let relaxed = vec![stop("near", 0, 3_000, HOUR_MS), stop("far", 0, -20_000, HOUR_MS)];
        assert_eq!(names(&order_stops(from(), relaxed, 0, PACE))[0], "near");
    }
}

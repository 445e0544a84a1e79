//! Where stores are, and which of them is near: degrees as people write them, and great-circle distances.

use serde::{Deserialize, Serialize};
use stockroom_crdt::control::{Coordinates, StoreRecord};
use stockroom_crdt::ids::StoreId;
use utoipa::ToSchema;

use super::problem::{Answered, Problem};
use super::values::Word;

/// A point on the globe (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Degrees {
    /// Degrees north of the equator, -90 to 90; kept to a millionth.
    #[schema(example = 52.520008, minimum = -90, maximum = 90)]
    lat: f64,
    /// Degrees east of Greenwich, -180 to 180; kept to a millionth.
    #[schema(example = 13.404954, minimum = -180, maximum = 180)]
    lon: f64,
}

impl Degrees {
    /// As they are shown.
    pub fn of(point: Coordinates) -> Self {
        Self { lat: f64::from(point.latitude) / MILLION, lon: f64::from(point.longitude) / MILLION }
    }

    /// As they are kept; a problem about `field` if there is no such point.
    pub fn read(self, field: &str) -> Answered<Coordinates> {
        if !(-90.0..=90.0).contains(&self.lat) {
            return Err(Problem::invalid(
                format!("{field}.lat"),
                format_args!("{} is not -90 to 90 degrees", self.lat),
            ));
        }
        if !(-180.0..=180.0).contains(&self.lon) {
            return Err(Problem::invalid(
                format!("{field}.lon"),
                format_args!("{} is not -180 to 180 degrees", self.lon),
            ));
        }
        // Both are within the range of 32 bits by now.
        let millionths = |degrees: f64| (degrees * MILLION).round() as i32;
        Coordinates::new(millionths(self.lat), millionths(self.lon))
            .ok_or_else(|| Problem::invalid(field, "is no point on the globe"))
    }
}

/// A point in a query: `latitude,longitude` in degrees.
impl Word for Degrees {
    fn read(text: &str) -> Result<Self, String> {
        let parts =
            text.split_once(',').and_then(|(lat, lon)| Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?)));
        let wrong = || "is not latitude,longitude in degrees, e.g. 52.52,13.405".to_owned();
        parts.map(|(lat, lon)| Self { lat, lon }).ok_or_else(wrong)
    }

    fn write(&self) -> String {
        format!("{},{}", self.lat, self.lon)
    }
}

/// Stores by their distance from a point, the nearest first; those that are nowhere come last, by their numbers.
pub fn by_distance(stores: Vec<StoreRecord>, from: Coordinates) -> Vec<(StoreId, Option<f64>)> {
    let mut stores: Vec<_> =
        stores.into_iter().map(|record| (record.store, record.coordinates.map(|to| kilometres(from, to)))).collect();
    stores.sort_by(|(a, near), (b, far)| {
        near.unwrap_or(f64::INFINITY).total_cmp(&far.unwrap_or(f64::INFINITY)).then(a.cmp(b))
    });
    stores
}

/// Great-circle distance by the haversine formula (Sinnott, "Virtues of the haversine", 1984): at most 0.6% off, since the
/// earth is no sphere.
pub fn kilometres(from: Coordinates, to: Coordinates) -> f64 {
    let radians = |millionths: i32| (f64::from(millionths) / MILLION).to_radians();
    let (lat, other) = (radians(from.latitude), radians(to.latitude));
    let (north, east) = (other - lat, radians(to.longitude) - radians(from.longitude));
    let half = (north / 2.0).sin().powi(2) + lat.cos() * other.cos() * (east / 2.0).sin().powi(2);
    2.0 * EARTH_KM * half.sqrt().min(1.0).asin()
}

/// A distance as it is shown: to ten metres.
pub fn shown_km(distance: f64) -> f64 {
    (distance * 100.0).round() / 100.0
}

const MILLION: f64 = 1_000_000.0;

/// Mean radius of the earth (IUGG).
const EARTH_KM: f64 = 6_371.008_8;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lat: f64, lon: f64) -> Coordinates {
        Degrees { lat, lon }.read("near").unwrap()
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let (berlin, hamburg, sydney) = (point(52.52, 13.405), point(53.551, 9.994), point(-33.8688, 151.2093));
        assert!((kilometres(berlin, hamburg) - 255.5).abs() < 1.5, "{}", kilometres(berlin, hamburg));
        assert!((kilometres(berlin, sydney) - 16_090.0).abs() < 60.0, "{}", kilometres(berlin, sydney));
        assert_eq!(kilometres(berlin, berlin), 0.0);
        // Across the date line it is not the long way round.
        assert!(kilometres(point(0.0, 179.9), point(0.0, -179.9)) < 23.0);
    }

    #[test]
    fn what_is_no_point_on_the_globe_is_refused() {
        for (lat, lon) in [(90.1, 0.0), (-91.0, 0.0), (0.0, 180.5), (f64::NAN, 0.0), (0.0, f64::INFINITY)] {
            assert!(Degrees { lat, lon }.read("near").is_err(), "{lat},{lon}");
        }
        for wrong in ["", "1", "1;2", "a,b", "1,2,3"] {
            assert!(<Degrees as Word>::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(<Degrees as Word>::read("52.5, -13"), Ok(Degrees { lat: 52.5, lon: -13.0 }));
    }
}

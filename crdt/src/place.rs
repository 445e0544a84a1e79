//! Where things are: named coordinate systems, conversion between them, and distance. Knows no roads.
//!
//! The stored point ([`Coordinates`]) is always WGS 84. Chinese maps and couriers speak GCJ-02, Baidu's speak BD-09, and a point
//! that is read in the wrong system lies 300 to 700 m away: so a number never travels without its [`Datum`].
//!
//! The conversions use `f64` with the standard library's sine and root, whose last digits may differ between platforms. That
//! is harmless where they are used: at one hub, for routes and for talking to couriers. No replica derives a fact from them.
//!
//! Sources: the GCJ-02 polynomial and its inverse by iteration as published in "Restrictions on geographic data in China"
//! and the free implementations cited there; great circle: haversine on the sphere of the IUGG's mean radius.

use std::f64::consts::PI;

use crate::control::Coordinates;

/// A coordinate system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Datum {
    /// What satellites say, and what is stored.
    Wgs84,
    /// The official one of mainland China: Tencent, Amap, most couriers.
    Gcj02,
    /// Baidu's, on top of GCJ-02.
    Bd09,
}

impl Datum {
    /// The name that people use.
    pub fn name(self) -> &'static str {
        match self {
            Datum::Wgs84 => "WGS-84",
            Datum::Gcj02 => "GCJ-02",
            Datum::Bd09 => "BD-09",
        }
    }

    /// The numbers of a WGS 84 point in this system. Outside of China all systems are one here.
    pub fn from_wgs84(self, point: Coordinates) -> Coordinates {
        match self {
            Datum::Wgs84 => point,
            Datum::Gcj02 => Degrees::of(point).to_gcj02().rounded(),
            Datum::Bd09 => Degrees::of(point).to_bd09().rounded(),
        }
    }

    /// The WGS 84 point that has these numbers in this system, to less than a metre.
    ///
    /// Within 0.02 degrees of the rectangle that counts as China two points can have one number; then the one outside is given.
    pub fn to_wgs84(self, point: Coordinates) -> Coordinates {
        let degrees = Degrees::of(point);
        match self {
            Datum::Wgs84 => point,
            Datum::Gcj02 => degrees.inverse(Degrees::to_gcj02).rounded(),
            Datum::Bd09 => degrees.inverse(Degrees::to_bd09).rounded(),
        }
    }
}

/// Great-circle distance between two WGS 84 points, metres. The Earth is not a sphere: up to 0.5% off.
pub fn distance_m(a: Coordinates, b: Coordinates) -> u32 {
    let (a, b) = (Degrees::of(a), Degrees::of(b));
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h = half(a.latitude, b.latitude) + lat_a.cos() * lat_b.cos() * half(a.longitude, b.longitude);
    // Rounding can carry antipodes above 1, where the arc sine has no value.
    (2.0 * EARTH_RADIUS_M * h.clamp(0.0, 1.0).sqrt().asin()).round() as u32
}

/// A point in degrees, in a system that the caller knows.
#[derive(Clone, Copy)]
struct Degrees {
    latitude: f64,
    longitude: f64,
}

impl Degrees {
    fn of(point: Coordinates) -> Self {
        Self { latitude: f64::from(point.latitude) / MICRO, longitude: f64::from(point.longitude) / MICRO }
    }

    fn rounded(self) -> Coordinates {
        let micro = |degrees: f64, bound: f64| (degrees.clamp(-bound, bound) * MICRO).round() as i32;
        let (latitude, longitude) = (micro(self.latitude, 90.0), micro(self.longitude, 180.0));
        Coordinates { latitude, longitude }
    }

    fn plus(self, latitude: f64, longitude: f64) -> Self {
        Self { latitude: self.latitude + latitude, longitude: self.longitude + longitude }
    }

    fn is_in_china(self) -> bool {
        (LATITUDES.0..=LATITUDES.1).contains(&self.latitude) && (LONGITUDES.0..=LONGITUDES.1).contains(&self.longitude)
    }

    fn to_gcj02(self) -> Self {
        if !self.is_in_china() {
            return self;
        }
        let (x, y) = (self.longitude - 105.0, self.latitude - 35.0);
        let radians = self.latitude.to_radians();
        let magic = 1.0 - ECCENTRICITY_2 * radians.sin().powi(2);
        let north_m = AXIS_M * (1.0 - ECCENTRICITY_2) / (magic * magic.sqrt());
        let east_m = AXIS_M / magic.sqrt() * radians.cos();
        self.plus((shift_north_m(x, y) / north_m).to_degrees(), (shift_east_m(x, y) / east_m).to_degrees())
    }

    fn to_bd09(self) -> Self {
        if !self.is_in_china() {
            return self;
        }
        let gcj = self.to_gcj02();
        let (x, y) = (gcj.longitude, gcj.latitude);
        let radius = x.hypot(y) + 0.000_02 * (y * BAIDU).sin();
        let angle = y.atan2(x) + 0.000_003 * (x * BAIDU).cos();
        Self { latitude: radius * angle.sin() + 0.006, longitude: radius * angle.cos() + 0.0065 }
    }

    /// What `forward` makes this point of. The shifts change by a thousandth of the way, so each step gains three digits.
    fn inverse(self, forward: impl Fn(Self) -> Self) -> Self {
        if !self.is_in_china() {
            return self;
        }
        let mut guess = self;
        for _ in 0..STEPS {
            let there = forward(guess);
            guess = guess.plus(self.latitude - there.latitude, self.longitude - there.longitude);
        }
        guess
    }
}

fn shift_north_m(x: f64, y: f64) -> f64 {
    -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + waves(20.0, 6.0 * x, 20.0, 2.0 * x)
        + waves(20.0, y, 40.0, y / 3.0)
        + waves(160.0, y / 12.0, 320.0, y / 30.0)
}

fn shift_east_m(x: f64, y: f64) -> f64 {
    300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + waves(20.0, 6.0 * x, 20.0, 2.0 * x)
        + waves(20.0, x, 40.0, x / 3.0)
        + waves(150.0, x / 12.0, 300.0, x / 30.0)
}

fn waves(a: f64, x: f64, b: f64, y: f64) -> f64 {
    (a * (x * PI).sin() + b * (y * PI).sin()) * 2.0 / 3.0
}

const MICRO: f64 = 1_000_000.0;

/// Mean radius R1 of the IUGG.
const EARTH_RADIUS_M: f64 = 6_371_008.8;

/// Half axis and squared eccentricity of the ellipsoid that GCJ-02 is written in (Krasovsky's).
const AXIS_M: f64 = 6_378_245.0;
const ECCENTRICITY_2: f64 = 0.006_693_421_622_965_943;

const BAIDU: f64 = PI * 3000.0 / 180.0;

/// The rectangle in which maps are shifted.
const LATITUDES: (f64, f64) = (0.8293, 55.8271);
const LONGITUDES: (f64, f64) = (72.004, 137.8347);

/// Steps of the inverse: after four the change is below a millimetre, one more costs nothing.
const STEPS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Coordinates {
        Degrees { latitude, longitude }.rounded()
    }

    #[test]
    fn published_points_of_three_cities_come_out() {
        for (wgs, gcj) in [
            ((31.177_427_6, 121.527_210_6), (31.175_304, 121.531_542)),
            ((22.543_847, 113.912_316), (22.540_796, 113.917_176)),
            ((39.911_954, 116.377_817), (39.913_345, 116.384_047)),
        ] {
            let (wgs, gcj) = (at(wgs.0, wgs.1), at(gcj.0, gcj.1));
            assert!(distance_m(Datum::Gcj02.from_wgs84(wgs), gcj) < 1, "{wgs:?}");
            assert!(distance_m(Datum::Gcj02.to_wgs84(gcj), wgs) < 1, "{gcj:?}");
        }
        let bund = at(31.239_9, 121.490_3);
        let (gcj, baidu) = (Datum::Gcj02.from_wgs84(bund), Datum::Bd09.from_wgs84(bund));
        assert!((300..700).contains(&distance_m(bund, gcj)), "{}", distance_m(bund, gcj));
        assert!((700..1100).contains(&distance_m(gcj, baidu)), "{}", distance_m(gcj, baidu));
    }

    #[test]
    fn outside_of_china_all_systems_agree() {
        for point in [at(52.52, 13.405), at(-33.87, 151.21), at(40.71, -74.0), at(0.0, 0.0)] {
            for datum in [Datum::Wgs84, Datum::Gcj02, Datum::Bd09] {
                assert_eq!((datum.from_wgs84(point), datum.to_wgs84(point)), (point, point), "{}", datum.name());
            }
        }
    }

    #[test]
    fn distances_that_everybody_knows() {
        let km = |a: (f64, f64), b: (f64, f64)| distance_m(at(a.0, a.1), at(b.0, b.1)) / 1000;
        assert_eq!(km((52.5200, 13.4050), (48.8566, 2.3522)), 877);
        assert_eq!(km((0.0, 0.0), (0.0, 180.0)), 20_015);
        assert_eq!(km((10.0, 179.999), (10.0, -179.999)), 0);
        assert_eq!(distance_m(at(31.0, 121.0), at(31.0, 121.0)), 0);
    }
}

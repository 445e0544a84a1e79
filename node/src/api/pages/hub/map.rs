//! Stores on a map that is drawn here: equirectangular, with a scale, without a tile from anywhere.

use std::fmt::Write;

use maud::{Markup, html};

/// A store on the map.
pub struct Point {
    /// Which.
    pub store: u32,
    /// Its name.
    pub name: String,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// Its state.
    pub state: String,
}

/// How degrees become pixels.
struct Frame {
    west: f64,
    north: f64,
    /// Pixels per degree of latitude.
    scale: f64,
    /// A degree of longitude is so much shorter than one of latitude here.
    squeeze: f64,
}

/// The map. Few stores are named and lead to their pages; of many only the dots are drawn, one path for each state.
pub fn draw(points: &[Point], title: &str) -> Markup {
    let frame = Frame::around(points);
    let (bar, km) = frame.bar();
    html! {
        svg.chart.map viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(title) xmlns="http://www.w3.org/2000/svg" {
            rect.sea x="0" y="0" width=(WIDTH) height=(HEIGHT) rx="8" {}
            @if points.len() <= NAMED_MAX {
                @for point in points {
                    @let (x, y) = frame.at(point);
                    a href=(format!("/fleet/{}", point.store)) aria-label=(format!("{} {}", point.store, point.name)) {
                        circle class=(dot(&point.state)) cx=(format!("{x:.1}")) cy=(format!("{y:.1}")) r="9" { title { (point.store) " " (point.name) } }
                        @if points.len() <= LABELLED_MAX {
                            text x=(format!("{:.1}", if x > WIDTH * 0.75 { x - 14.0 } else { x + 14.0 })) y=(format!("{:.1}", y + 5.0))
                                text-anchor=(if x > WIDTH * 0.75 { "end" } else { "start" }) { (point.name) }
                        }
                    }
                }
            } @else {
                // What needs no look is drawn first, so that it hides nothing.
                @for state in ["in-sync", "never", "catching-up", "revoked", "cut-off"] {
                    @let path = frame.path(points, state);
                    @if !path.is_empty() { path class=(format!("dots {}", dot(state))) d=(path) {} }
                }
            }
            g.scale {
                line x1="16" x2=(format!("{:.1}", 16.0 + bar)) y1=(HEIGHT - 16.0) y2=(HEIGHT - 16.0) {}
                text.soft x="16" y=(HEIGHT - 22.0) { (km) }
            }
        }
    }
}

impl Frame {
    fn around(points: &[Point]) -> Self {
        let span = |of: fn(&Point) -> f64| {
            let ends = points.iter().map(of).fold((f64::MAX, f64::MIN), |(low, high), at| (low.min(at), high.max(at)));
            if ends.0 > ends.1 { (0.0, 0.0) } else { ends }
        };
        let ((south, north), (west, east)) = (span(|point| point.lat), span(|point| point.lon));
        let middle = f64::midpoint(south, north).to_radians();
        let squeeze = middle.cos().max(0.05);
        let (tall, wide) = ((north - south).max(SPAN_MIN), ((east - west) * squeeze).max(SPAN_MIN));
        let scale = ((WIDTH - 2.0 * EDGE) / wide).min((HEIGHT - 2.0 * EDGE) / tall);
        let (x, y) = (f64::midpoint(west, east), f64::midpoint(south, north));
        Self { west: x - WIDTH / 2.0 / scale / squeeze, north: y + HEIGHT / 2.0 / scale, scale, squeeze }
    }

    fn at(&self, point: &Point) -> (f64, f64) {
        ((point.lon - self.west) * self.squeeze * self.scale, (self.north - point.lat) * self.scale)
    }

    fn path(&self, points: &[Point], state: &str) -> String {
        let mut out = String::new();
        for point in points.iter().filter(|point| point.state == state) {
            let (x, y) = self.at(point);
            // A line of no length with round ends is a dot. A text takes any number.
            let _ = write!(out, "M{x:.0} {y:.0}h0");
        }
        out
    }

    /// A round length that is at most a third of the picture: pixels, and what it is called.
    fn bar(&self) -> (f64, String) {
        let most = WIDTH / 3.0 / self.scale * KM_PER_DEGREE;
        let power = 10_f64.powf(most.log10().floor());
        let km = [5.0, 2.0, 1.0].into_iter().map(|step| step * power).find(|km| *km <= most).unwrap_or(power);
        let words = if km >= 1.0 { format!("{km:.0} km") } else { format!("{:.0} m", km * 1_000.0) };
        (km / KM_PER_DEGREE * self.scale, words)
    }
}

fn dot(state: &str) -> &'static str {
    match state {
        "in-sync" => "dot good",
        "catching-up" => "dot warn",
        "never" => "dot",
        _ => "dot bad",
    }
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const EDGE: f64 = 48.0;

/// Degrees that the picture shows at least: about a kilometre.
const SPAN_MIN: f64 = 0.01;

/// Of latitude.
const KM_PER_DEGREE: f64 = 111.2;

/// Stores that can be clicked on: with more of them a finger meets several.
const NAMED_MAX: usize = 150;

/// Stores whose names stand beside them.
const LABELLED_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lat: f64, lon: f64) -> Point {
        Point { store: 1, name: "High Street".into(), lat, lon, state: "in-sync".into() }
    }

    #[test]
    fn every_store_is_inside_the_picture_and_north_is_up() {
        let points = [point(52.5, 13.4), point(48.1, 11.6), point(53.5, 10.0)];
        let frame = Frame::around(&points);
        let at: Vec<_> = points.iter().map(|point| frame.at(point)).collect();
        assert!(at.iter().all(|(x, y)| (0.0..=WIDTH).contains(x) && (0.0..=HEIGHT).contains(y)), "{at:?}");
        assert!(at[2].1 < at[1].1 && at[2].0 < at[0].0, "{at:?}");
        assert_eq!(frame.bar().1, "200 km".to_owned(), "{:?}", frame.bar());
    }

    #[test]
    fn one_store_and_none_have_a_map_as_well() {
        assert!(draw(&[], "map").into_string().contains("<svg"));
        assert!(draw(&[point(0.0, 0.0)], "map").into_string().contains("High Street"));
    }
}

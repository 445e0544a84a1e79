//! Where things are: great-circle distances, and the stores near a point without looking at all of them.
//!
//! Stores lie in the cells of H3, a grid of hexagons over the globe. Those near a point are found ring by ring around its cell, and no ring
//! is left out that could hold a nearer one.

use std::collections::BTreeMap;

use h3o::{CellIndex, LatLng, Resolution};

use stockroom_crdt::control::Coordinates;
use stockroom_crdt::ids::StoreId;

/// A point, prepared for many questions about its distance.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Place {
    /// On the unit sphere.
    vector: [f64; 3],
    cell: CellIndex,
}

impl Place {
    /// The place with these coordinates.
    pub fn of(point: Coordinates) -> Self {
        let radians = |millionths: i32| (f64::from(millionths) / 1e6).to_radians();
        let (lat, lng) = (radians(point.latitude), radians(point.longitude));
        let vector = [lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()];
        let point = LatLng::from_radians(lat, lng).expect("coordinates are numbers within their bounds");
        Self { vector, cell: point.to_cell(RING_RESOLUTION) }
    }

    /// Metres along the great circle; at most 0.6% off, since the earth is no sphere.
    pub fn metres_to(&self, other: &Self) -> u32 {
        let square = |at: usize| (self.vector[at] - other.vector[at]).powi(2);
        let half_chord = (square(0) + square(1) + square(2)).sqrt() / 2.0;
        (2.0 * EARTH_M * half_chord.min(1.0).asin()).round() as u32
    }

    /// How many rings of cells lie between; `None` where that cannot be told, across the twelve pentagons or far away.
    pub fn rings_to(&self, other: &Self) -> Option<u32> {
        u32::try_from(self.cell.grid_distance(other.cell).ok()?).ok()
    }

    fn coarse(&self) -> CellIndex {
        self.cell.parent(COARSE_RESOLUTION).expect("the coarse cells are coarser")
    }
}

/// All stores of a chain, by where they are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    by_cell: BTreeMap<CellIndex, Vec<(StoreId, Place)>>,
    count: usize,
}

impl Places {
    /// An index of stores, each given once.
    pub fn of(stores: impl IntoIterator<Item = (StoreId, Place)>) -> Self {
        let mut places = Self::default();
        for (store, place) in stores {
            places.by_cell.entry(place.coarse()).or_default().push((store, place));
            places.count += 1;
        }
        places
    }

    /// How many stores there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The nearest stores that are `wanted`, at most `most` of them, with their distances in metres; the nearest first.
    pub fn near(&self, from: &Place, most: usize, wanted: impl Fn(StoreId) -> bool) -> Vec<(StoreId, u32)> {
        let mut found: Vec<(u32, StoreId)> = Vec::new();
        let mut seen = 0;
        let mut take = |stores: &[(StoreId, Place)]| {
            seen += stores.len();
            let wanted = stores.iter().filter(|(store, _)| wanted(*store));
            found.extend(wanted.map(|(store, place)| (from.metres_to(place), *store)));
            found.sort_unstable();
            found.truncate(most);
            let farthest = found.last().filter(|_| found.len() == most).map(|(metres, _)| f64::from(*metres));
            (seen, farthest)
        };
        let centre = from.coarse();
        for ring in 0..RINGS_MAX {
            let mut here = Vec::new();
            for cell in centre.grid_ring::<Vec<_>>(ring) {
                here.extend_from_slice(self.by_cell.get(&cell).map_or(&[], Vec::as_slice));
            }
            let (seen, farthest) = take(&here);
            if seen == self.count || farthest.is_some_and(|metres| metres < beyond_m(ring)) {
                return found.into_iter().map(|(metres, store)| (store, metres)).collect();
            }
        }
        self.scan(from, most, wanted)
    }

    /// Looks at every store: for chains that are thin on the ground.
    fn scan(&self, from: &Place, most: usize, wanted: impl Fn(StoreId) -> bool) -> Vec<(StoreId, u32)> {
        let stores = self.by_cell.values().flatten().filter(|(store, _)| wanted(*store));
        let mut all: Vec<_> = stores.map(|(store, place)| (from.metres_to(place), *store)).collect();
        all.sort_unstable();
        all.truncate(most);
        all.into_iter().map(|(metres, store)| (store, metres)).collect()
    }
}

/// No point beyond `ring` rings is nearer than this to any point of the cell in the middle. In a plane of hexagons with edge `e`, the centres
/// of ring k + 1 are `1.5 e (k + 1)` away at the middle of the ring's side, and both points lie up to `e` from their centres.
fn beyond_m(ring: u32) -> f64 {
    COARSE_RESOLUTION.edge_length_m() * EDGE_LEAST * (1.5 * f64::from(ring + 1) - 2.0).max(0.0)
}

/// Cells in which rings are counted by rule: 1.4 km from the middle to a corner.
const RING_RESOLUTION: Resolution = Resolution::Seven;

/// Cells in which stores are kept: 9.9 km from the middle to a corner, some tens of shops of a dense chain.
const COARSE_RESOLUTION: Resolution = Resolution::Five;

/// The shortest edges of a resolution, as a part of the mean: near pentagons cells are pressed together.
const EDGE_LEAST: f64 = 0.55;

/// 24 rings are 200 km at least; farther out, looking at all stores is faster than looking for them.
const RINGS_MAX: u32 = 24;

/// Mean radius of the earth (IUGG).
const EARTH_M: f64 = 6_371_008.8;

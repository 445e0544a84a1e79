//! When links are down: drawn, or as recorded.
//!
//! A file of recorded outages is CSV with the header `node,from_ms,to_ms`: a node's number, and when its link went down and came back,
//! milliseconds since any common beginning (1970, as a node writes it). Rows in any order; outages of a node that touch or overlap
//! are one. The first row's earliest `from_ms` is the beginning of the recording and the latest `to_ms` its end.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::draws::{Draws, Stream};
use crate::data::DataError;
use crate::data::links::Recording;
use crate::data::rows::Rows;

/// Outages of one link, ascending, apart from each other: from, to.
pub type Outages = Vec<(u64, u64)>;

/// How long outages are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Exponential.
    Exponential,
    /// Pareto of shape 1.5: most are short, and a few last for days.
    Heavy,
}

/// Blackouts: neighbouring nodes go dark together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct District {
    /// Share of the nodes.
    pub share: f64,
    /// How many times in a horizon.
    pub count: u32,
}

/// Up and down times of links, recorded; replayed in a circle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// For reports.
    pub name: String,
    /// How long one round is; more than 0.
    pub length_ms: u64,
    /// One link each; at least one.
    pub links: Vec<Outages>,
}

/// How links fail.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failing {
    /// Share of time up, above 0.
    pub uptime: f64,
    /// Mean outage, milliseconds.
    pub outage_ms: f64,
    /// How outages vary.
    pub shape: Shape,
}

impl Failing {
    /// Outages of `links` links over `[0, end_ms)`. Each link begins up, at a random moment before that, so that after a while it is
    /// down with the right share.
    pub fn draw(&self, links: usize, end_ms: u64, draws: &mut Draws) -> Vec<Outages> {
        (0..links).map(|_| self.one(end_ms, draws)).collect()
    }

    fn one(&self, end_ms: u64, draws: &mut Draws) -> Outages {
        let mut outages = Vec::new();
        if self.uptime >= 1.0 {
            return outages;
        }
        let up_ms = self.outage_ms * self.uptime / (1.0 - self.uptime);
        let mut now = draws.exponential(up_ms);
        while now < end_ms as f64 {
            let length = match self.shape {
                Shape::Exponential => draws.exponential(self.outage_ms),
                Shape::Heavy => draws.pareto(self.outage_ms),
            };
            let to = now + length;
            outages.push((now as u64, (to as u64).max(now as u64 + 1)));
            now = to + draws.exponential(up_ms);
        }
        joined(outages)
    }
}

impl District {
    /// Adds blackouts within `[from_ms, to_ms)`: each lasts about a twentieth of that and takes neighbours in a row.
    pub fn strike(&self, outages: &mut [Outages], (from_ms, to_ms): (u64, u64), draws: &mut Draws) {
        let links = outages.len();
        let dark = ((links as f64 * self.share).round() as usize).min(links);
        for _ in 0..self.count {
            let begin = from_ms + draws.below(to_ms - from_ms);
            let end = begin + 1 + draws.exponential((to_ms - from_ms) as f64 / 20.0) as u64;
            let first = draws.below(links as u64) as usize;
            for at in 0..dark {
                outages[(first + at) % links].push((begin, end));
            }
        }
        outages.iter_mut().for_each(|link| *link = joined(std::mem::take(link)));
    }
}

impl Recorded {
    /// Reads `node,from_ms,to_ms`.
    ///
    /// # Errors
    /// The header is another, a field is no number, or an outage ends before it begins; or there is none at all.
    pub fn read(input: impl BufRead, file: &str) -> Result<Self, DataError> {
        let mut rows = Rows::open(input, file)?;
        let [node, from, to] = rows.columns(["node", "from_ms", "to_ms"])?;
        let mut links: BTreeMap<u64, Outages> = BTreeMap::new();
        while let Some(row) = rows.next_row()? {
            let (from_ms, to_ms) = (row.whole(from, TIME_MS_MAX)?, row.whole(to, TIME_MS_MAX)?);
            if to_ms <= from_ms {
                return Err(row.field_fault(to, "is not after from_ms"));
            }
            links.entry(row.whole(node, u64::MAX)?).or_default().push((from_ms, to_ms));
        }
        let begin = links.values().flatten().map(|(from, _)| *from).min();
        let end = links.values().flatten().map(|(_, to)| *to).max();
        let (Some(begin), Some(end)) = (begin, end) else { return Err(rows.fault("holds no outage")) };
        let from_begin =
            |link: Outages| joined(link.into_iter().map(|(from, to)| (from - begin, to - begin)).collect());
        Ok(Self { name: file.to_owned(), length_ms: end - begin, links: links.into_values().map(from_begin).collect() })
    }

    /// The outages of recorded links: the steps in which nothing gets through.
    pub fn of_links(recordings: &[impl AsRef<Recording>], name: &str) -> Option<Self> {
        let length_ms = recordings.iter().map(|recording| recording.as_ref().length_ms()).max()?;
        let outages = |recording: &Recording| {
            let mut at = 0;
            let mut outages = Vec::new();
            while at < length_ms {
                let next = recording.next_change(at).min(length_ms);
                if recording.at(at).is_down() {
                    outages.push((at, next));
                }
                at = next;
            }
            joined(outages)
        };
        let links = recordings.iter().map(|recording| outages(recording.as_ref())).collect();
        Some(Self { name: name.to_owned(), length_ms, links })
    }

    /// Outages of `links` links over `[0, end_ms)`: link i replays the i-th recorded one, going round, each from a moment of its own.
    pub fn draw(&self, links: usize, end_ms: u64, draws: &mut Draws) -> Vec<Outages> {
        (0..links)
            .map(|link| self.window(&self.links[link % self.links.len()], draws.below(self.length_ms), end_ms))
            .collect()
    }

    /// Share of time in which the links are up.
    pub fn uptime(&self) -> f64 {
        let down: u64 = self.links.iter().flatten().map(|(from, to)| to - from).sum();
        1.0 - down as f64 / (self.length_ms as f64 * self.links.len() as f64)
    }

    fn window(&self, link: &Outages, begin: u64, end_ms: u64) -> Outages {
        let mut outages = Vec::new();
        let mut round = 0;
        while round < begin + end_ms {
            for (from, to) in link.iter().map(|(from, to)| (from + round, to + round)) {
                if to > begin && from < begin + end_ms {
                    outages.push((from.max(begin) - begin, to - begin));
                }
            }
            round += self.length_ms;
        }
        joined(outages)
    }
}

/// Blackouts of one run, and the outages of all its links.
pub fn all(base: Vec<Outages>, district: Option<District>, within: (u64, u64), key: (u64, u64)) -> Vec<Outages> {
    let mut outages = base;
    if let Some(district) = district {
        district.strike(&mut outages, within, &mut Draws::new(key.0, key.1, Stream::Blackouts));
    }
    outages
}

/// In order, and those that touch put together.
fn joined(mut outages: Outages) -> Outages {
    outages.sort_unstable();
    let mut apart: Outages = Vec::with_capacity(outages.len());
    for (from, to) in outages {
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(to),
            Some(_) | None => apart.push((from, to)),
        }
    }
    apart
}

/// Times of a file: the year 5138 in milliseconds.
const TIME_MS_MAX: u64 = 100_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn share_down(outages: &[Outages], end_ms: u64) -> f64 {
        let down: u64 = outages.iter().flatten().map(|(from, to)| to.min(&end_ms) - from).sum();
        down as f64 / (end_ms as f64 * outages.len() as f64)
    }

    #[test]
    fn links_are_down_as_often_as_was_asked_for() {
        let mut draws = Draws::new(3, 0, Stream::Outages);
        let day = 86_400_000;
        for uptime in [0.5, 0.8, 0.98, 1.0] {
            let failing = Failing { uptime, outage_ms: 3_600_000.0, shape: Shape::Exponential };
            let down = share_down(&failing.draw(200, 90 * day, &mut draws), 90 * day);
            assert!((down - (1.0 - uptime)).abs() < 0.01, "{uptime}: {down}");
        }
        let heavy = Failing { uptime: 0.8, outage_ms: 3_600_000.0, shape: Shape::Heavy };
        let outages = heavy.draw(300, 90 * day, &mut draws);
        assert!((share_down(&outages, 90 * day) - 0.2).abs() < 0.05);
        assert!(outages.iter().flatten().any(|(from, to)| to - from > day), "some last for days");
    }

    #[test]
    fn a_blackout_takes_neighbours_together() {
        let mut outages = vec![Outages::new(); 10];
        let district = District { share: 0.3, count: 1 };
        district.strike(&mut outages, (0, 1_000_000), &mut Draws::new(1, 0, Stream::Blackouts));
        let dark: Vec<_> = outages.iter().filter(|link| !link.is_empty()).collect();
        assert_eq!(dark.len(), 3);
        assert!(dark.windows(2).all(|pair| pair[0] == pair[1]));
    }

    #[test]
    fn a_recording_goes_round_and_keeps_its_share() {
        let text = "node,from_ms,to_ms\n7,1000,1500\n9,1200,1300\n7,1400,2000\n";
        let recorded = Recorded::read(text.as_bytes(), "o.csv").unwrap();
        assert_eq!(recorded.length_ms, 1_000);
        assert_eq!(recorded.links, [vec![(0, 1_000)], vec![(200, 300)]]);
        let drawn = recorded.draw(4, 50_000, &mut Draws::new(1, 0, Stream::Outages));
        assert!((share_down(&drawn[1..2], 50_000) - 0.1).abs() < 0.01);
        assert_eq!(drawn[0], [(0, drawn[0][0].1)], "outages that touch are one");
        assert!((recorded.uptime() - 0.45).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_outage_is_named() {
        let wrong = |text: &str| Recorded::read(text.as_bytes(), "o.csv").unwrap_err().to_string();
        assert_eq!(wrong("node,from_ms,to_ms\n"), "o.csv:1: holds no outage");
        assert!(wrong("node,from_ms,to_ms\n1,5,5\n").starts_with("o.csv:2: to_ms \"5\" is not after"));
        assert!(wrong("node,from,to\n1,2,3\n").contains("no column from_ms"));
    }
}

//! A deterministic world for the real core: virtual time, one seeded generator, simulated links, disks and clocks.
//!
//! Unmodified cores of `stockroom-core` run here. A [`scenario`] draws a [`plan`] from a seed: who takes part, what people do, what
//! goes wrong. [`mod@run`] plays it on a [`world`], and [`checks`] look at everything that becomes durable. The same seed
//! gives the same run, to the last hash.
//!
//! | module | what it knows |
//! |---|---|
//! | [`scenario`], [`plan`], [`cast`] | what will be done, decided before the run begins; who takes part |
//! | [`mod@run`], [`faults`] | doing it: people, injectors, the two phases |
//! | [`hand`] | links that somebody cuts while it is played |
//! | [`world`], [`link`], [`node`], [`disk`] | time and the queue of events; paths; one node; a disk that loses and tears |
//! | [`observe`], [`trace`], [`union`], [`truth`] | what was seen, and its hash; what all nodes hold; the true goods and money |
//! | [`checks`] | what must hold |
//! | [`outcome`], [`report`] | what came of it; a page to look at |
//! | [`shrink`], [`explain`] | a failing plan made small; what each node knew just before |
//! | [`data`] | recorded links and baskets |
//! | [`availability`] | another experiment: how many promises the policies for rights keep when links fail |
//! | [`algebra`] | random schedules over nothing but the algebra of rights, and rules taken away one by one |
//! | [`crash`], [`solo`], [`model`] | one store alone: crash images, and a simple model to agree with |
//! | [`shop`], [`puppet`], [`oracle`] | for tests: plain sales, hostile peers, figures to compare |

pub mod algebra;
pub mod availability;
pub mod cast;
pub mod checks;
pub mod counter;
pub mod crash;
pub mod data;
pub mod disk;
pub mod explain;
pub mod faults;
pub mod hand;
pub mod link;
pub mod model;
pub mod node;
pub mod observe;
pub mod oracle;
pub mod outcome;
pub mod plan;
pub mod puppet;
mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shop;
pub mod shrink;
pub mod solo;
pub mod trace;
pub mod truth;
pub mod union;
pub mod world;

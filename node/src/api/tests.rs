//! The whole API over real cores in memory: a hub and a store with a link between them.

mod description;
mod figures;
mod goods;
mod hooks;
mod listeners;
mod orders;
mod orders_refused;
mod pair;
mod problems;
mod reservations;
mod returns;
mod work;

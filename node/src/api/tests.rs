//! The whole API over real cores in memory: a hub and a store with a link between them.

mod checkout;
mod couriers;
mod description;
mod exchanges;
mod figures;
mod fleet;
mod goods;
mod homes;
mod hooks;
mod listeners;
mod loyalty;
mod members;
mod orders;
mod orders_refused;
mod pair;
mod papers;
mod problems;
mod reservations;
mod returns;
mod rules_by_hand;
mod shelves;
mod shifts;
mod staff;
mod work;

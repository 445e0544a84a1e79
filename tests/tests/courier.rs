//! Couriers seen from a hub: a test courier service over HTTP, own riders, and everything that goes wrong with callbacks.

#[cfg(test)]
mod courier {
    mod hub;
    mod shop;

    mod any_order;
    mod callbacks;
    mod chain;
    mod desk;
    mod place;
    mod riders;
    mod service;
}

//! The data model seen from outside: join laws, stock, lots and transfers, rights and promises, canonical bytes, runs,
//! hostile bytes, chains, clocks, article numbers.

#[cfg(test)]
mod crdt {
    mod arbitrary;
    mod facts;
    mod till;

    mod articles;
    mod baskets;
    mod canonical;
    mod chain;
    mod clock;
    mod concurrent;
    mod forks;
    mod golden;
    mod goods;
    mod hostile;
    mod join;
    mod loyal;
    mod members;
    mod notes;
    mod ordered;
    mod priced;
    mod promised;
    mod returned;
    mod rung;
    mod runs;
    mod star;
    mod stock;
}

//! Do the books say what the logs say? Reads only. Whether the logs are what their authors signed is told by
//! [`stockroom_core::journal::walk`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use stockroom_core::books::STORE_TABLES;
use stockroom_core::storage::{Reader, Store, StoreError, Writes};

/// A database that reads like another and writes nothing. What would be written to the books is compared with what is there.
pub struct Mirror {
    reader: Arc<dyn Reader>,
    findings: Findings,
}

/// What a [`Mirror`] saw.
#[derive(Clone, Default)]
pub struct Findings(Arc<Mutex<Compared>>);

/// Rows of the books that were compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows that were rebuilt or removed.
    pub rows: u64,
    /// Tables with rows that differ, and how many differ in all.
    pub differ: (BTreeSet<stockroom_core::storage::Table>, u64),
}

impl Mirror {
    /// Over what `reader` shows.
    pub fn new(reader: Arc<dyn Reader>) -> (Self, Findings) {
        let findings = Findings::default();
        (Self { reader, findings: findings.clone() }, findings)
    }
}

impl Findings {
    /// Forgets what was seen so far: a start writes what it has to.
    pub fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Compared::default();
    }

    /// What was seen so far.
    pub fn compared(&self) -> Compared {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Store for Mirror {
    fn reader(&self) -> Arc<dyn Reader> {
        self.reader.clone()
    }

    fn commit(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let snapshot = self.reader.snapshot()?;
        let mut compared = self.findings.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((table, key), value) in writes.iter().filter(|((table, _), _)| STORE_TABLES.contains(table)) {
            compared.rows += 1;
            if snapshot.get(table, key)? != *value {
                compared.differ.0.insert(table);
                compared.differ.1 += 1;
            }
        }
        Ok(())
    }
}

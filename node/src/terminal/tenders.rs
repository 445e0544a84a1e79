//! Tenders as the core has them.

use stockroom_core::input::checkout::TerminalSaid;
use stockroom_core::input::{Command, Event, Refusal};
use stockroom_core::storage::StoreError;
use stockroom_core::view::View;
use stockroom_crdt::entry::kind;
use stockroom_crdt::ids::StoreId;
use stockroom_crdt::scope::Scope;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::desk::{Desk, Tenders, Unsaid};
use super::follow::OpenTender;
use crate::handle::{Handle, NumberedEvent};

/// The tenders of one store's own baskets.
pub struct CoreTenders {
    handle: Handle,
    store: StoreId,
}

impl CoreTenders {
    /// Of a store whose core answers at `handle`.
    pub fn new(handle: Handle, store: StoreId) -> Self {
        Self { handle, store }
    }
}

impl Tenders for CoreTenders {
    fn open(&self) -> Result<Vec<OpenTender>, StoreError> {
        let snapshot = self.handle.snapshot()?;
        let mut open = Vec::new();
        for held in View::new(&*snapshot).waiting_baskets(self.store)? {
            for asked in held.tenders.into_iter().filter(|asked| asked.last.state.is_open()) {
                open.push(OpenTender {
                    basket: asked.last.basket,
                    number: asked.last.number,
                    state: asked.last.state,
                    kind: asked.last.kind,
                    amount: asked.amount,
                    currency: held.basket.currency,
                    reference: asked.last.reference,
                    terminal: asked.last.terminal,
                    since_ms: asked.since_ms,
                });
            }
        }
        Ok(open)
    }

    async fn said(&self, said: TerminalSaid) -> Result<(), Unsaid> {
        match self.handle.ask(Command::TerminalSaid(said)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(Refusal::DiskFull)) => Err(Unsaid::Later(Refusal::DiskFull.to_string())),
            Ok(Err(refusal)) => Err(Unsaid::Refused(refusal.to_string())),
            Err(error) => Err(Unsaid::Later(error.to_string())),
        }
    }
}

/// Wakes a desk whenever something was written about a tender. To be subscribed before the desk is opened.
pub async fn wake(desk: Desk<CoreTenders>, mut events: Receiver<NumberedEvent>) {
    loop {
        match events.recv().await.map(|event| event.event) {
            Ok(Event::Entry { scope: Scope::StoreStock(_), kind: kind::TENDER_STEP, .. }) => desk.wake(),
            Err(RecvError::Lagged(_)) => desk.wake(),
            Ok(_) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

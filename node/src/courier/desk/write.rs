//! Bringing steps into the log, each once: what cannot be said yet waits, what says nothing new any more is dropped.

use stockroom_core::input::orders::{FulfilRequest, Proof};
use stockroom_core::input::{Answer, Command, Refusal, RetryKey};
use stockroom_core::storage::StoreError;
use stockroom_crdt::ids::{Code, Digest};
use stockroom_crdt::limits::CODE_BYTES_MAX;
use stockroom_crdt::order::resolve::part::State as PartState;
use stockroom_crdt::order::step::Step;

use super::Desk;
use crate::courier::desk::book::Said;
use crate::courier::desk::name::PartName;
use crate::courier::desk::steps::{Fate, fate};
use crate::courier::job::DeliveryId;
use crate::handle::AskError;

/// Why steps wait on, although the log would take them.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The core could not be asked.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The books could not be read.
    #[error(transparent)]
    Books(#[from] StoreError),
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
}

impl Desk {
    /// Writes everything that can be written. What fails is tried again with the next turn.
    pub async fn write_all(&self, now_ms: u64) {
        let waiting = self.inner().book.waiting();
        for id in waiting {
            if let Err(error) = self.write(&id, now_ms).await {
                tracing::warn!(delivery = %id, %error, "steps of a delivery wait");
            }
        }
    }

    /// Writes what can be written of one delivery. True when nothing waits any more.
    pub async fn write(&self, id: &DeliveryId, now_ms: u64) -> Result<bool, WriteError> {
        let Some((name, _)) = PartName::of(id) else { return Ok(true) };
        let waiting = self.inner().book.file(id).map(|file| file.waiting.clone()).unwrap_or_default();
        let mut left = 0;
        for said in &waiting {
            match self.fate(name, said)? {
                Fate::Wait => {
                    left += 1;
                    continue;
                }
                Fate::Drop => tracing::debug!(delivery = %id, step = said.step, "says nothing new"),
                Fate::Write => {
                    if let Some(step) = said.step() {
                        self.write_one(id, name, (said, step), now_ms).await?;
                    }
                }
            }
            let mut inner = self.inner();
            inner.changed = true;
            inner.book.file_mut(id).into_iter().for_each(|file| file.waiting.retain(|other| other != said));
        }
        if !waiting.is_empty() {
            // What was written may be what the next look waits for.
            self.inner().touched.insert(name);
        }
        Ok(left == 0)
    }

    async fn write_one(
        &self,
        id: &DeliveryId,
        name: PartName,
        (said, step): (&Said, Step),
        now_ms: u64,
    ) -> Result<(), WriteError> {
        let command = Command::Fulfil(key(id, said), Box::new(request(name, step, &said.note, "courier-desk")));
        match self.shared.handle.ask(command).await? {
            Ok(Answer::Written { .. }) => {}
            Ok(answer) => tracing::error!(?answer, "unexpected answer of the core"),
            Err(Refusal::DiskFull) => return Err(WriteError::DiskFull),
            Err(refusal) => {
                // The fulfillment moved on between the look and the question.
                tracing::warn!(delivery = %id, step = said.step, %refusal, "a courier's report was refused");
                if matches!(step, Step::Deliver | Step::Return | Step::FailDelivery | Step::Lose) {
                    let mut inner = self.inner();
                    self.alarm(&mut inner, id, &format!("{} was refused: {refusal}", said.step), now_ms);
                }
            }
        }
        Ok(())
    }

    fn fate(&self, name: PartName, said: &Said) -> Result<Fate, StoreError> {
        let snapshot = self.snapshot()?;
        let state: Option<PartState> = self.reader(&*snapshot).state(name)?;
        Ok(said.step().zip(state).map_or(Fate::Drop, |(step, state)| fate(step, state)))
    }
}

/// A step as the core takes it.
pub(super) fn request(name: PartName, step: Step, note: &str, staff: &str) -> FulfilRequest {
    FulfilRequest {
        order: name.order,
        store: Some(name.store),
        generation: Some(name.generation),
        step,
        lines: Vec::new(),
        note: word(note),
        staff: word(staff),
        device: 0,
        proof: Proof::None,
        holder: Code::default(),
        anew: false,
    }
}

/// The key of a step: the same for the same report, whenever it comes.
pub(super) fn key(id: &DeliveryId, said: &Said) -> RetryKey {
    let parts = [b"courier desk".as_slice(), id.as_str().as_bytes(), &said.attempt.to_be_bytes(), said.step.as_bytes()];
    let key = Digest::of(&parts);
    RetryKey { key, body: key }
}

/// As much of a text as stands in a log.
pub(super) fn word(text: &str) -> Code {
    let mut end = text.len().min(CODE_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Code::parse(text[..end].trim()).unwrap_or_default()
}

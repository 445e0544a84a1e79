//! What riders say, at the door or hours later: each act once, with the time of the phone, and on what proof goods were given.

use stockroom_crdt::order::offer::code_hash;

use super::Desk;
use super::write::WriteError;
use crate::courier::CallbackError;
use crate::courier::desk::name::PartName;
use crate::courier::dispatcher::DispatchError;
use crate::courier::job::ExternalId;
use crate::courier::limits::AT_THE_DOOR_MS;
use crate::courier::report::{Position, Reason, State};
use crate::courier::riders::RiderError;

/// Something that a rider did.
#[derive(Clone, PartialEq, Eq)]
pub struct Act {
    /// Chosen by the phone: the same for each time that it is sent.
    pub key: String,
    /// Which attempt it is about.
    pub id: ExternalId,
    /// What.
    pub deed: Deed,
    /// When, by the phone's clock.
    pub at_ms: u64,
}

/// What a rider can do.
#[derive(Clone, PartialEq, Eq)]
pub enum Deed {
    /// The customer has it.
    Delivered {
        /// On what ground.
        proof: Proof,
        /// Whoever took it showed that he is old enough.
        age_checked: bool,
    },
    /// It could not be given.
    Failed(Reason),
    /// It is on its way back.
    Returning,
}

/// On what ground goods were given at a door.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// The customer's six digits.
    Code(String),
    /// The name of a photo.
    Photo(String),
    /// The name of a signature.
    Signature(String),
}

/// What became of an act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It stands in the log, or says nothing new.
    Written,
    /// It waits for the store to say that the goods left.
    Waits,
    /// It was taken before.
    Repeated,
}

/// Why an act is not taken. Nothing has changed but the number of wrong codes.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The rider does not carry it.
    #[error(transparent)]
    Rider(#[from] RiderError),
    /// There is no such attempt.
    #[error(transparent)]
    Dispatch(#[from] DispatchError),
    /// The code is wrong.
    #[error("the code is wrong; {left} tries are left")]
    WrongCode {
        /// Tries that are left.
        left: u32,
    },
    /// Too many wrong codes.
    #[error("too many wrong codes: take a photo or a signature")]
    TooManyCodes,
    /// The receiver must be old enough, and nobody looked.
    #[error("whoever takes it must be {0}: look at a document, or bring it back")]
    AgeUnchecked(u8),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Desk {
    /// Takes what a rider did. Comes back when it is durable.
    pub async fn act(&self, rider: &str, act: &Act, now_ms: u64) -> Result<Taken, ActError> {
        let delivery = &act.id.delivery;
        if !self.take(rider, act, now_ms)? {
            return Ok(Taken::Repeated);
        }
        self.settle(delivery, now_ms).await
    }

    /// Takes a callback of a courier service, as the bytes came. Comes back when what it says is durable.
    pub async fn callback(
        &self,
        name: &str,
        raw: &[u8],
        now_ms: u64,
    ) -> Result<Result<usize, WriteError>, CallbackError> {
        let events = {
            let mut inner = self.inner();
            inner.changed = true;
            let heard = inner.dispatcher.on_callback(name, raw, now_ms);
            if heard.is_err() {
                inner.book.refused += 1;
            }
            let events = heard?;
            self.hear(&mut inner, &events, None, now_ms);
            events
        };
        let mut settled = Ok(events.len());
        for event in &events {
            if let Err(error) = self.settle_writes(&event.delivery, now_ms).await {
                settled = Err(error);
            }
        }
        self.shared.wake.notify_one();
        Ok(settled)
    }

    /// Notes where a delivery is: on the board only. False for what says nothing new.
    pub fn locate(&self, delivery: &crate::courier::job::DeliveryId, position: Position, now_ms: u64) -> bool {
        let is_open = self.inner().book.file(delivery).is_some_and(|file| file.closed_ms.is_none());
        let taken = || super::lock(&self.shared.positions).put(delivery, position, now_ms);
        is_open && taken() == crate::courier::positions::Taken::Yes
    }

    /// Checks an act and takes it in. False if it was taken before.
    fn take(&self, rider: &str, act: &Act, now_ms: u64) -> Result<bool, ActError> {
        let id = &act.id;
        let unknown = || RiderError::Unknown(id.clone());
        let mut inner = self.inner();
        let file = inner.book.file(&id.delivery).ok_or_else(unknown)?;
        if file.has_taken(&act.key) {
            return Ok(false);
        }
        match self.shared.riders.rider_of(id) {
            Some(carrier) if carrier == rider => {}
            Some(_) => return Err(RiderError::NotYours(id.clone()).into()),
            None => return Err(unknown().into()),
        }
        // A phone's clock that is ahead would put the end of the delivery into the future.
        let at_ms = act.at_ms.min(now_ms);
        let (state, reason, proof) = match &act.deed {
            Deed::Failed(reason) => (State::Failed, Some(*reason), None),
            Deed::Returning => {
                let held = inner.dispatcher.delivery(&id.delivery);
                let before =
                    held.and_then(|held| held.attempt(id.attempt)).and_then(|attempt| attempt.progress().reason());
                (State::Returning, before, None)
            }
            Deed::Delivered { proof, age_checked } => {
                let age_min = inner.dispatcher.delivery(&id.delivery).and_then(|delivery| delivery.job().age_min);
                if let Some(age) = age_min.filter(|_| !age_checked) {
                    return Err(ActError::AgeUnchecked(age));
                }
                let note = self.check(&mut inner, id, (proof, at_ms), now_ms)?;
                (State::Delivered, None, Some(note))
            }
        };
        let report = self.shared.riders.step(id, rider, state, reason, at_ms)?;
        let events = inner.dispatcher.on_report(crate::courier::settings::RIDERS, id, report, now_ms)?;
        inner.changed = true;
        inner.book.file_mut(&id.delivery).into_iter().for_each(|file| file.take(&act.key));
        self.hear(&mut inner, &events, proof.as_deref(), now_ms);
        Ok(true)
    }

    /// The proof as it stands in the log. A wrong code is refused at the door; what was given away hours ago is given away.
    fn check(
        &self,
        inner: &mut super::Inner,
        id: &ExternalId,
        (proof, at_ms): (&Proof, u64),
        now_ms: u64,
    ) -> Result<String, ActError> {
        let code = match proof {
            Proof::Photo(name) => return Ok(format!("photo {name}")),
            Proof::Signature(name) => return Ok(format!("signature {name}")),
            Proof::Code(code) => code,
        };
        let Some((name, _)) = PartName::of(&id.delivery) else { return Ok("code".into()) };
        let snapshot = self.snapshot().map_err(WriteError::from)?;
        let reader = self.reader(&*snapshot);
        let hash = reader.part(name).map_err(WriteError::from)?.map(|(_, _, offer)| offer.code);
        let Some(hash) = hash.filter(|hash| *hash != [0; 16]) else { return Ok("code unchecked".into()) };
        let tries = u32::from(reader.view.limits_for(name.store).map_err(WriteError::from)?.code_tries);
        let is_late = at_ms.saturating_add(AT_THE_DOOR_MS) < now_ms;
        let wrong = inner.book.file(&id.delivery).map_or(0, |file| file.wrong_codes);
        if wrong >= tries && !is_late {
            return Err(ActError::TooManyCodes);
        }
        if code_hash(name.order, code) == hash {
            return Ok("code".into());
        }
        inner.changed = true;
        inner.book.refused += 1;
        inner.book.file_mut(&id.delivery).into_iter().for_each(|file| file.wrong_codes += 1);
        if is_late {
            self.alarm(inner, &id.delivery, "the rider's code was wrong when it came in", now_ms);
            return Ok("code wrong".into());
        }
        Err(ActError::WrongCode { left: tries.saturating_sub(wrong + 1) })
    }

    async fn settle(&self, delivery: &crate::courier::job::DeliveryId, now_ms: u64) -> Result<Taken, ActError> {
        let is_written = self.settle_writes(delivery, now_ms).await?;
        self.shared.wake.notify_one();
        Ok(if is_written { Taken::Written } else { Taken::Waits })
    }

    /// Writes what can be written now; what has to wait goes to the file, since nobody will say it again.
    async fn settle_writes(&self, delivery: &crate::courier::job::DeliveryId, now_ms: u64) -> Result<bool, WriteError> {
        let written = self.write(delivery, now_ms).await;
        if !matches!(written, Ok(true)) {
            self.save_off_thread().await;
        }
        written
    }
}

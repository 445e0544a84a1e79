//! What the rest of the hub learns of a delivery.

use serde::{Deserialize, Serialize};

use crate::courier::delivery::Attempt;
use crate::courier::job::{Amount, DeliveryId, Person};
use crate::courier::report::{Party, Position, Reason, State};

/// Whether a delivery goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It does.
    Trying,
    /// Everybody was asked: a person decides.
    Manual,
    /// It is over.
    Done,
}

/// A step of an attempt, in neutral words. The courier's name and telephone never go into a log of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CourierEvent {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// Which attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Who was asked.
    pub provider: Option<String>,
    /// Where the attempt stands.
    pub state: State,
    /// Why.
    pub reason: Option<Reason>,
    /// Who called it off.
    pub by: Option<Party>,
    /// Who carries the goods.
    pub courier: Option<Person>,
    /// Where they were last.
    pub position: Option<Position>,
    /// What the attempt costs so far.
    pub fee: Option<Amount>,
    /// When it happened, by the clock of whoever said so.
    pub at_ms: u64,
    /// Whether the delivery goes on by itself.
    pub standing: Standing,
}

impl CourierEvent {
    pub(super) fn of(delivery: &DeliveryId, attempt: &Attempt, standing: Standing, at_ms: u64) -> Self {
        let progress = attempt.progress();
        Self {
            delivery: delivery.clone(),
            attempt: attempt.number(),
            provider: Some(attempt.provider().to_owned()),
            state: attempt.state(),
            reason: attempt.reason(),
            by: progress.by(),
            courier: progress.courier().cloned(),
            position: progress.position(),
            fee: progress.fee(),
            at_ms,
            standing,
        }
    }

    pub(super) fn of_nobody(delivery: &DeliveryId, state: State, standing: Standing, at_ms: u64) -> Self {
        Self {
            delivery: delivery.clone(),
            attempt: 0,
            provider: None,
            state,
            reason: None,
            by: None,
            courier: None,
            position: None,
            fee: None,
            at_ms,
            standing,
        }
    }
}

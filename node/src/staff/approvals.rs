//! What a manager has approved with her PIN: one thing, once, soon. Times are milliseconds on a clock that never goes back.

use std::collections::BTreeMap;

use stockroom_crdt::ids::{Code, Digest};

/// What may be approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A sale or a basket with something that a cashier may not do alone.
    Checkout,
    /// A receipt is taken back as a whole.
    Void,
    /// Goods come back.
    Return,
    /// Cash is moved, or a drawer differs.
    Drawer,
    /// An order is given away without code or pass, or taken back from a handheld.
    HandOver,
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Who gave it.
    pub approver: Code,
    /// For what.
    pub what: What,
}

/// Why a token approves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// It is not known, or too old.
    #[error("is not known here, or older than 2 minutes: ask the manager again")]
    Unknown,
    /// It is for something else.
    #[error("is for something else")]
    Other,
    /// Another request has used it.
    #[error("was used already: ask the manager again")]
    Used,
}

/// Approvals that were given lately, by the hash of their token.
#[derive(Debug, Default)]
pub struct Approvals {
    held: BTreeMap<Digest, Held>,
}

#[derive(Debug)]
struct Held {
    approval: Approval,
    given_ms: u64,
    /// The request that used it.
    used_by: Option<Digest>,
}

impl Held {
    fn is_over(&self, now_ms: u64) -> bool {
        let age_ms = now_ms.saturating_sub(self.given_ms);
        age_ms >= if self.used_by.is_some() { RETRY_MS } else { VALID_MS }
    }
}

impl What {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Checkout, Self::Void, Self::Return, Self::Drawer, Self::HandOver];

    /// The word for the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Void => "void",
            Self::Return => "return",
            Self::Drawer => "drawer",
            Self::HandOver => "hand-over",
        }
    }

    /// Takes the word that [`What::as_str`] gives.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == text)
    }
}

impl Approvals {
    /// Notes one. When there is no room, the oldest goes.
    pub fn put(&mut self, token: Digest, approval: Approval, now_ms: u64) {
        self.held.retain(|_, held| !held.is_over(now_ms));
        if self.held.len() >= APPROVALS_MAX {
            let oldest = self.held.iter().min_by_key(|(_, held)| held.given_ms).map(|(token, _)| *token);
            oldest.map(|token| self.held.remove(&token));
        }
        self.held.insert(token, Held { approval, given_ms: now_ms, used_by: None });
    }

    /// Uses one up for a request: who approved it. The same request may show it again, since its answer may have been lost.
    pub fn take(&mut self, token: Digest, of: (What, Digest), now_ms: u64) -> Result<Code, NotApproved> {
        let (what, body) = of;
        let held = self.held.get_mut(&token).filter(|held| !held.is_over(now_ms)).ok_or(NotApproved::Unknown)?;
        if held.approval.what != what {
            return Err(NotApproved::Other);
        }
        if held.used_by.is_some_and(|user| user != body) {
            return Err(NotApproved::Used);
        }
        held.used_by = Some(body);
        Ok(held.approval.approver.clone())
    }
}

/// The manager stands beside the till.
pub const VALID_MS: u64 = 120_000;

/// How long the request that used it may be tried again under it.
const RETRY_MS: u64 = 600_000;

/// Two minutes of every till of a large store.
const APPROVALS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: Digest = Digest([1; 32]);
    const BODY: Digest = Digest([2; 32]);

    fn given() -> (Approvals, Code) {
        let mia = Code::parse("mia").unwrap();
        let mut approvals = Approvals::default();
        approvals.put(TOKEN, Approval { approver: mia.clone(), what: What::Void }, 1_000);
        (approvals, mia)
    }

    #[test]
    fn an_approval_is_used_by_one_request_and_its_retries() {
        let (mut approvals, mia) = given();
        assert_eq!(approvals.take(BODY, (What::Void, BODY), 1_000), Err(NotApproved::Unknown));
        assert_eq!(approvals.take(TOKEN, (What::Drawer, BODY), 1_000), Err(NotApproved::Other));
        assert_eq!(approvals.take(TOKEN, (What::Void, BODY), 1_000), Ok(mia.clone()));
        assert_eq!(approvals.take(TOKEN, (What::Void, TOKEN), 1_000), Err(NotApproved::Used));
        assert_eq!(approvals.take(TOKEN, (What::Void, BODY), 1_000 + VALID_MS), Ok(mia));
        assert_eq!(approvals.take(TOKEN, (What::Void, BODY), 1_000 + RETRY_MS), Err(NotApproved::Unknown));
    }

    #[test]
    fn an_approval_that_nobody_used_runs_out() {
        let (mut approvals, _) = given();
        assert_eq!(approvals.take(TOKEN, (What::Void, BODY), 1_000 + VALID_MS), Err(NotApproved::Unknown));
        approvals.put(BODY, Approval { approver: Code::default(), what: What::Return }, 1_000 + VALID_MS);
        assert_eq!(approvals.held.len(), 1);
        assert!(What::ALL.iter().all(|what| What::parse(what.as_str()) == Some(*what)));
    }
}

//! Lives of a database: epochs and feeds that begin anew when somebody shows that this one was set back, or has a second process.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::Rng;
use stockroom_crdt::control::EpochReason;
use stockroom_crdt::ids::{Epoch, NodeId};
use stockroom_crdt::scope::Scope;

use super::Replica;
use super::counters::epoch_mark;
use crate::input::{CoreError, Event};
use crate::journal::Journal;
use crate::limits::REOPEN_AFTER_MS;

/// What is known of other lives of this database.
#[derive(Default)]
pub(super) struct Lives {
    /// When this start of the process last opened an epoch because of what others know, on the monotonic clock.
    reopened_ms: Option<u64>,
    /// Somebody wrote as this node in a later epoch, and none was opened since.
    overtaken: bool,
    /// Where each feed ended when the database was opened.
    ends: BTreeMap<Scope, u64>,
    /// Feeds began anew in this start of the process.
    anew: bool,
    /// They did, and links were not dropped yet.
    unsaid: bool,
}

impl Lives {
    /// Before anything is written.
    pub(super) fn of(journal: &Journal) -> Self {
        Self { ends: journal.scopes().map(|(scope, feed)| (scope.clone(), feed.next - 1)).collect(), ..Self::default() }
    }
}

/// The latest epoch of a node of which there is a log.
pub(super) fn newest(journal: &Journal, node: NodeId) -> u16 {
    journal.logs_by(node).map(|(_, log)| log.id.actor.epoch.0).max().unwrap_or(0)
}

impl Replica {
    /// A peer does not let this node in. Whom its own hub does not believe, another may have replaced: it promises nothing more until the
    /// hub was heard. Any other peer may say what it likes.
    pub fn turned_away_by(&mut self, peer: NodeId) {
        if peer != self.me.capability().issuer || self.turned_away {
            return;
        }
        self.turned_away = true;
        self.rights_locked = true;
        self.desk.heard = false;
        self.reached("the hub turned this node away");
        self.alarm("the hub does not believe this node any more: it was revoked, or another node replaced it".into());
    }

    /// Opens the next epoch: new logs, a new feed, no rights until contact.
    pub fn open_epoch(&mut self, floor: u16, reason: EpochReason) -> Result<(), CoreError> {
        self.seal_all()?;
        self.reached(epoch_mark(reason));
        let known = newest(&self.journal, self.me.capability().node);
        let next =
            floor.max(known).checked_add(1).ok_or_else(|| CoreError::Mismatch("all epochs are used up".into()))?;
        self.epoch = Epoch(next);
        // What was overtaken or written off is the life that ends here.
        (self.lives.overtaken, self.desk.retired) = (false, false);
        self.feed_epoch = self.rng.next_u32();
        self.epoch_reason = reason;
        // Who has no hub above has nobody to hear; what it holds from now on was granted to this epoch.
        let above = self.me.capability().issuer != NodeId(0);
        self.rights_locked = reason != EpochReason::First && above;
        self.token.urgent = true;
        self.events.push(Event::EpochOpened(reason));
        let home = self.home_scope();
        self.own_log(&home)?;
        // Whoever holds rights of an earlier life learns from the openings that it is over, and how far it went.
        let me = self.actor();
        let earlier = self.journal.written_by(me.node).filter(|(_, log)| log.id.actor != me);
        let held = earlier.map(|(_, log)| log.id.scope.clone());
        let claimed = self.desk.claims.iter().map(|(_, scope, ..)| scope.clone());
        let scopes: BTreeSet<_> = held.chain(claimed).filter(|scope| matches!(scope, Scope::StoreRights(_))).collect();
        scopes.iter().try_for_each(|scope| self.own_log(scope).map(|_| ()))
    }

    /// Opens the next epoch because somebody showed that this node was set back. A database is not set back while its process
    /// runs, so once is enough; what looks like it soon afterwards is a second process with our identity, and opening epochs
    /// against each other would use them up. Then both histories stay, with the alarm. Who was overtaken opens one when that time is
    /// over: grants go to the newest epoch of a node, and it does not answer for what it did not write.
    pub fn reopen(&mut self, floor: u16, reason: EpochReason) -> Result<bool, CoreError> {
        let now = self.now.mono_ms;
        if self.lives.reopened_ms.is_some_and(|at| now < at + REOPEN_AFTER_MS) {
            self.reached("an epoch was not opened again so soon");
            self.lives.overtaken |= floor > self.epoch.0;
            return Ok(false);
        }
        self.lives.reopened_ms = Some(now);
        self.open_epoch(floor, reason)?;
        Ok(true)
    }

    /// Opens the epoch that could not be opened when this node was overtaken.
    pub fn reopen_due(&mut self) -> Result<(), CoreError> {
        if self.reopen_deadline().is_some_and(|due| due <= self.now.mono_ms) {
            self.reached("an epoch was opened that had to wait");
            self.alarm("another process wrote as this node in a later epoch: a new one is opened".into());
            self.reopen(self.epoch.0, EpochReason::HubAhead)?;
        }
        Ok(())
    }

    /// When [`Replica::reopen_due`] has something to do, on the monotonic clock.
    pub fn reopen_deadline(&self) -> Option<u64> {
        self.lives.overtaken.then(|| self.lives.reopened_ms.map_or(self.now.mono_ms, |at| at + REOPEN_AFTER_MS))
    }

    /// A peer that meets this start of the process for the first time tells how far it has a feed. If that is further than the feed
    /// went when the database was opened, another life of it told the peer: all feeds begin anew. Once is enough for a start, and more
    /// would let a peer drive it.
    pub fn hear_cursor(&mut self, scope: &Scope, cursor: (u32, u64)) {
        let end = self.lives.ends.get(scope).copied().unwrap_or(0);
        if self.lives.anew || cursor.0 != self.feed_epoch || cursor.1 <= end {
            return;
        }
        self.feed_epoch = self.rng.next_u32();
        (self.lives.anew, self.lives.unsaid) = (true, true);
        self.reached("a feed began anew because a peer had more of it");
        self.touch();
    }

    /// True once when links have to greet anew because feeds began anew.
    pub fn take_anew(&mut self) -> bool {
        std::mem::take(&mut self.lives.unsaid)
    }
}

//! What is remembered about members between commits, and the lease on which a store holds keys.
//!
//! A lease counts on the store's own *running time*, which no clock that is set can stretch, and on the wall clock, which goes on while the node is
//! off: it is over when either says so. Running time is written down every [`RUN_NOTED_MS`], and a start counts that much
//! on top, because it may have been lost.

use std::collections::{BTreeMap, BTreeSet};

use stockroom_crdt::codec::{DecodeError, RowReader, Rows, Sink, Source, col};
use stockroom_crdt::ids::{MemberId, StoreId};

use crate::books::{identifiers, members};
use crate::input::CoreError;
use crate::input::members::{Fetched, Sought};
use crate::journal::{damaged, fixed};
use crate::limits::{FETCH_MS_MAX, MEMBER_LEASE_MS, MEMBER_SWEEP_MS, PAGE_MAX, RUN_NOTED_MS};
use crate::replica::Replica;
use crate::storage::{Snapshot, StoreError, Table};
use crate::sync::keys::KeysFrame;
use crate::time::Now;
use crate::vault::{self, Held, Keep};

/// What is remembered between commits.
#[derive(Debug, Default)]
pub struct MemberDesk {
    /// Accounts that something was said of.
    pub touched: BTreeSet<MemberId>,
    /// Keys that were made here and are not at the hub yet (at a store).
    pub ungiven: BTreeSet<MemberId>,
    /// Accounts that are known here and cannot be read.
    pub missing: BTreeSet<MemberId>,
    /// The last of them for which the hub was asked on this link; the rest is asked for when it has answered (at a store).
    pub asked_up_to: Option<MemberId>,
    /// Frames for the hub, to be sent after the commit (at a store).
    pub outbox: Vec<KeysFrame>,
    /// Stores that know members: their leases are to be renewed (at a hub).
    pub known_at: BTreeSet<StoreId>,
    /// A link to the hub is up (at a store).
    pub linked: bool,
    /// Until when keys may be used here (at a store that holds some).
    pub lease: Option<Lease>,
    /// Running time before this start.
    ran_ms: u64,
    /// Running time that was written down last.
    ran_noted_ms: u64,
    /// When members who do not come any more are looked for next, on the monotonic clock.
    pub(super) sweep_ms: u64,
    /// Questions to the hub: until when they wait for an answer, on the monotonic clock.
    fetches: BTreeMap<u64, u64>,
}

/// Until when keys may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// In running time.
    ran_until_ms: u64,
    /// On the wall clock.
    wall_until_ms: u64,
}

impl MemberDesk {
    /// How long this node has run, over all of its starts.
    fn ran(&self, now: Now) -> u64 {
        self.ran_ms.saturating_add(now.mono_ms)
    }

    /// Questions to the hub that wait for an answer.
    pub fn fetches(&self) -> usize {
        self.fetches.len()
    }

    /// How long the lease lasts, on the monotonic clock from now; `None` without one.
    pub fn lease_left_ms(&self, now: Now) -> Option<u64> {
        let lease = self.lease?;
        let (ran, wall) = (self.ran(now), now.wall_ms);
        Some(lease.ran_until_ms.saturating_sub(ran).min(lease.wall_until_ms.saturating_sub(wall)))
    }
}

impl Replica {
    /// Reads what the desk remembers from the books, at a start.
    pub(crate) fn load_members(&mut self) -> Result<(), StoreError> {
        let row = self.overlay.get(Table::Meta, RAN)?;
        let ran_ms = row.map(|row| Ok(u64::from_be_bytes(fixed(&row)?))).transpose()?;
        self.member_desk.ran_ms = ran_ms.map_or(0, |ran: u64| ran.saturating_add(RUN_NOTED_MS));
        let lease = self.overlay.get(Table::Meta, LEASE)?;
        self.member_desk.lease = lease.map(|row| decode_lease(&row).map_err(damaged)).transpose()?;
        let Some(own) = self.own_store() else {
            self.member_desk.known_at = members::all_stores(&self.overlay)?;
            for store in self.member_desk.known_at.clone() {
                self.load_store(store)?;
            }
            return Ok(());
        };
        self.load_store(own)?;
        // Nobody reads answers to questions of an earlier start.
        for (key, _) in self.overlay.scan_prefix(Table::MemberIndex, FETCH, usize::MAX)? {
            self.overlay.remove(Table::MemberIndex, key);
        }
        self.lapse_if_over()
    }

    /// Which accounts of a store's scope cannot be read here, and which keys the hub does not have yet.
    fn load_store(&mut self, store: StoreId) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = members::accounts(&self.overlay, store, after, PAGE_MAX)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            for (member, record) in page {
                if super::hub::is_lacking(self, member, &record)? {
                    self.member_desk.missing.insert(member);
                } else if let Some(Held::Key(_, Keep::Ungiven)) = vault::held(&self.overlay, member)? {
                    self.member_desk.ungiven.insert(member);
                }
            }
        }
    }

    /// The hub was heard: keys may be used for this long from now.
    pub(crate) fn renew_lease(&mut self, lease_ms: u64) {
        let lease_ms = lease_ms.min(MEMBER_LEASE_MS);
        let lease = Lease {
            ran_until_ms: self.member_desk.ran(self.now).saturating_add(lease_ms),
            wall_until_ms: self.now.wall_ms.saturating_add(lease_ms),
        };
        self.member_desk.lease = Some(lease);
        let row = Rows::of(|sink| {
            sink.uint(col::A, lease.ran_until_ms);
            sink.uint(col::B, lease.wall_until_ms);
        });
        self.overlay.put(Table::Meta, LEASE, row);
        self.note_ran();
    }

    /// Destroys every leased key when the lease is over.
    pub(crate) fn lapse_if_over(&mut self) -> Result<(), StoreError> {
        if self.member_desk.lease_left_ms(self.now) != Some(0) {
            return Ok(());
        }
        self.reached("a lease of keys ran out");
        self.member_desk.lease = None;
        self.overlay.remove(Table::Meta, LEASE);
        for (member, held) in self.all_keys()? {
            if let Held::Key(_, Keep::Leased { .. }) = held {
                vault::lapse(&mut self.overlay, member);
                identifiers::put(&mut self.overlay, member, &BTreeSet::new())?;
                self.member_desk.missing.insert(member);
            }
        }
        Ok(())
    }

    /// Every key that is held here.
    pub(super) fn all_keys(&self) -> Result<Vec<(MemberId, Held)>, StoreError> {
        let (mut out, mut after) = (Vec::new(), None);
        loop {
            let page = vault::all(&self.overlay, after, PAGE_MAX)?;
            let Some((last, _)) = page.last() else { return Ok(out) };
            after = Some(*last);
            out.extend(page);
        }
    }

    /// A question goes to the hub. Gives the number under which the answer can be read.
    pub(crate) fn ask_hub_for(&mut self, sought: Sought) -> Result<u64, CoreError> {
        self.forget_answers()?;
        let number = rand_core::Rng::next_u64(&mut self.rng);
        self.note_fetched(number, &Fetched::Waits);
        self.member_desk.fetches.insert(number, self.now.mono_ms.saturating_add(FETCH_MS_MAX));
        self.member_desk.outbox.push(KeysFrame::Fetch { number, sought });
        Ok(number)
    }

    /// The hub answered a question.
    pub(crate) fn on_fetched(&mut self, number: u64, members: Vec<MemberId>) {
        if self.member_desk.fetches.remove(&number).is_some() {
            self.note_fetched(number, &Fetched::Found(members));
        }
    }

    fn note_fetched(&mut self, number: u64, fetched: &Fetched) {
        let row = Rows::of(|sink| {
            sink.uint(col::TIME, self.now.wall_ms);
            let members: &[MemberId] = match fetched {
                Fetched::Waits => {
                    sink.uint(col::FLAGS, 0);
                    &[]
                }
                Fetched::Found(members) => {
                    sink.uint(col::FLAGS, 1);
                    members
                }
                Fetched::Unanswered => {
                    sink.uint(col::FLAGS, 2);
                    &[]
                }
            };
            sink.uint(col::COUNT, members.len() as u64);
            members.iter().for_each(|member| member.encode(sink));
        });
        self.overlay.put(Table::MemberIndex, fetch_key(number), row);
    }

    /// What is due by the clock.
    pub(crate) fn members_due(&mut self) -> Result<(), CoreError> {
        self.lapse_if_over()?;
        let now = self.now.mono_ms;
        let late: Vec<_> = self.member_desk.fetches.iter().filter(|(_, due)| **due <= now).map(|(n, _)| *n).collect();
        for number in late {
            self.reached("the hub did not answer who somebody is");
            self.member_desk.fetches.remove(&number);
            self.note_fetched(number, &Fetched::Unanswered);
        }
        let desk = &self.member_desk;
        if desk.lease.is_some() && desk.ran(self.now) >= desk.ran_noted_ms.saturating_add(RUN_NOTED_MS) {
            self.note_ran();
        }
        if self.member_desk.lease.is_some() && now >= self.member_desk.sweep_ms {
            self.member_desk.sweep_ms = now.saturating_add(MEMBER_SWEEP_MS);
            super::store::forget_absent(self)?;
        }
        Ok(())
    }

    /// When [`Replica::members_due`] has something to do, on the monotonic clock.
    pub(crate) fn members_deadline(&self) -> Option<u64> {
        let (desk, now) = (&self.member_desk, self.now.mono_ms);
        let left = desk.lease_left_ms(self.now).map(|left| now.saturating_add(left));
        let noted = desk.lease.map(|_| {
            let since = desk.ran(self.now).saturating_sub(desk.ran_noted_ms);
            now.saturating_add(RUN_NOTED_MS.saturating_sub(since))
        });
        let sweep = desk.lease.map(|_| desk.sweep_ms);
        let touched = (!desk.touched.is_empty()).then_some(now);
        [left, noted, sweep, touched].into_iter().flatten().chain(desk.fetches.values().copied()).min()
    }

    fn note_ran(&mut self) {
        let ran = self.member_desk.ran(self.now);
        self.member_desk.ran_noted_ms = ran;
        self.overlay.put(Table::Meta, RAN, ran.to_be_bytes());
    }

    /// Answers of the hub that nobody will read any more.
    fn forget_answers(&mut self) -> Result<(), StoreError> {
        for (key, row) in self.overlay.scan_prefix(Table::MemberIndex, FETCH, usize::MAX)? {
            let at_ms = RowReader::new(&row).uint(col::TIME).map_err(damaged)?;
            if at_ms.saturating_add(MEMBER_SWEEP_MS) <= self.now.wall_ms {
                self.overlay.remove(Table::MemberIndex, key);
            }
        }
        Ok(())
    }
}

/// What the hub said to the question under a number; `None` if none was asked, or long ago.
pub fn fetched(snapshot: &(impl Snapshot + ?Sized), number: u64) -> Result<Option<Fetched>, StoreError> {
    let Some(row) = snapshot.get(Table::MemberIndex, &fetch_key(number))? else { return Ok(None) };
    decode_fetched(&row).map(Some).map_err(damaged)
}

fn decode_fetched(row: &[u8]) -> Result<Fetched, DecodeError> {
    let mut reader = RowReader::new(row);
    reader.uint(col::TIME)?;
    let kind = reader.uint(col::FLAGS)?;
    let mut members = Vec::new();
    for _ in 0..reader.count(col::COUNT, PAGE_MAX, "members")? {
        members.push(MemberId::decode(&mut reader)?);
    }
    match kind {
        0 => Ok(Fetched::Waits),
        1 => Ok(Fetched::Found(members)),
        2 => Ok(Fetched::Unanswered),
        _ => Err(DecodeError::Value("answer")),
    }
}

fn decode_lease(row: &[u8]) -> Result<Lease, DecodeError> {
    let mut reader = RowReader::new(row);
    Ok(Lease { ran_until_ms: reader.uint(col::A)?, wall_until_ms: reader.uint(col::B)? })
}

fn fetch_key(number: u64) -> Vec<u8> {
    [FETCH, &number.to_be_bytes()].concat()
}

const FETCH: &[u8] = b"f";
const RAN: &[u8] = b"member_ran_ms";
const LEASE: &[u8] = b"member_lease";

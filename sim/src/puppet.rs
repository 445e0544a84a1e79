//! A peer whose words the test chooses: a verified identity at the other end of a link, and logs written by hand.
//!
//! What an enrolled but hostile node can do, a puppet can do: it has that node's keys, and nothing checks what it says except
//! the core under test.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use stockroom_core::ingest::RunIn;
use stockroom_core::input::{Input, LinkId};
use stockroom_core::sync::frames::{Entries, Frame, Hello, PROTOCOL, Parcel, Want};
use stockroom_core::sync::parcel::seal_to;
use stockroom_crdt::batch::Item;
use stockroom_crdt::capability::Capability;
use stockroom_crdt::chain::{Head, LogId, Moment, Seal, advance};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::control::{EpochOpen, EpochReason};
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, Code, Digest, Sku, TenantId, TillId};
use stockroom_crdt::money::{Currency, Unit};
use stockroom_crdt::receiving::Disposition;
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tender, TenderKind};
use stockroom_crdt::scope::Scope;

use crate::node::Keys;
use crate::world::{PUPPET, Sent, World};

/// A log written by hand.
#[derive(Clone)]
pub struct Scroll {
    /// Whose log of which scope it claims to be.
    pub id: LogId,
    /// Its entries.
    pub items: Vec<Item>,
    tenant: TenantId,
    keys: Keys,
    hashes: Vec<Digest>,
    ms: u64,
}

impl Scroll {
    /// An empty log, to be signed with `keys`.
    pub fn blank(tenant: TenantId, id: LogId, keys: &Keys) -> Self {
        let hashes = vec![id.genesis(tenant)];
        Self { id, items: Vec::new(), tenant, keys: keys.clone(), hashes, ms: FIRST_MS }
    }

    /// A log that begins as it must.
    pub fn open(tenant: TenantId, id: LogId, keys: &Keys, chain: &[Capability]) -> Self {
        let open = EpochOpen { nonce: [7; 16], reason: EpochReason::First, previous: None, chain: chain.to_vec() };
        Self::blank(tenant, id, keys).with(Fact::EpochOpen(open))
    }

    /// One more fact.
    #[must_use]
    pub fn with(mut self, fact: Fact) -> Self {
        self.ms += 1;
        let item = Item::new(Entry { hlc: Hlc::new(self.ms, 0), fact });
        self.hashes.push(advance(self.hashes[self.items.len()], &item.bytes));
        self.items.push(item);
        self
    }

    /// What follows is dated so much later.
    pub fn ahead(&mut self, ms: u64) {
        self.ms += ms;
    }

    /// Entries `first..=last`, sealed at the last.
    pub fn sealed(&self, first: u64, last: u64) -> RunIn {
        let moment = Moment { boot: 1, mono_ms: 1, wall_ms: self.ms, day: 0 };
        let head = Head { seq: last, hash: self.hashes[last as usize] };
        let seal = Seal::sign(&self.keys.signer(), self.tenant, &self.id, head, moment);
        RunIn { seal: Some(seal), ..self.unsealed(first, last) }
    }

    /// Entries `first..=last` without a seal.
    pub fn unsealed(&self, first: u64, last: u64) -> RunIn {
        let before = std::array::from_fn(|i| self.hashes[first as usize - 1].0[i]);
        let items = self.items[first as usize - 1..last as usize].to_vec();
        RunIn { log: self.id.clone(), first, before, items, seal: None }
    }

    /// All of it, sealed.
    pub fn all(&self) -> RunIn {
        self.sealed(1, self.items.len() as u64)
    }
}

impl World {
    /// Connects a puppet with the identity of `who` to a running node, which may send it `credit` bytes before it answers.
    pub fn puppet(&mut self, target: u32, who: u32, credit: usize) -> LinkId {
        let peer = self.peer(who);
        let link = self.add_connection(target, PUPPET);
        self.input(target, Input::LinkUp(link, peer));
        self.input(target, Input::Writable(link, credit));
        link
    }

    /// [`World::puppet`] that has greeted and follows `wants`.
    pub fn greeted(&mut self, target: u32, who: u32, wants: &[Scope]) -> LinkId {
        let link = self.puppet(target, who, 1 << 20);
        let hello = self.hello(who, wants);
        self.say(target, link, &Frame::Hello(hello));
        self.say(target, link, &Frame::Held(Vec::new()));
        link
    }

    /// A handshake as `who` would send it.
    pub fn hello(&self, who: u32, wants: &[Scope]) -> Hello {
        let want = |scope: &Scope| Want { scope: scope.clone(), cursor: (0, 0), known: Vec::new() };
        Hello {
            protocol: PROTOCOL,
            tenant: self.tenant(),
            node: Actor::new(who, 1).node,
            epoch: Actor::new(who, 1).epoch,
            feed_epoch: 1,
            kind_max: u16::MAX,
            wall_ms: self.now_ms,
            wants: wants.iter().map(want).collect(),
        }
    }

    /// Gives a node a frame.
    pub fn say(&mut self, target: u32, link: LinkId, frame: &Frame) {
        self.inject(target, link, frame.encode(u16::MAX));
    }

    /// Gives a node any bytes as a frame.
    pub fn inject(&mut self, target: u32, link: LinkId, bytes: Vec<u8>) {
        self.input(target, Input::Frame(link, bytes));
    }

    /// Gives a node runs of logs of one scope.
    pub fn tell(&mut self, target: u32, link: LinkId, runs: Vec<RunIn>) {
        let scope = runs[0].log.scope.clone();
        self.say(
            target,
            link,
            &Frame::Entries(Entries { scope, feed_epoch: 1, after: 0, to: 1, complete: true, runs }),
        );
    }

    /// A log of `who` in `scope`, begun as it must be and signed with its keys.
    pub fn scroll(&self, who: u32, epoch: u16, scope: Scope) -> Scroll {
        let id = LogId { actor: Actor::new(who, epoch), scope };
        Scroll::open(self.tenant(), id, &self.nodes[&who].keys, &self.nodes[&who].chain)
    }

    /// A parcel of frames from one node to another, as the sender itself would seal and sign it.
    pub fn parcel(&self, from: u32, to: u32, number: u64, frames: &[Frame]) -> Parcel {
        let frames: Vec<_> = frames.iter().map(|frame| frame.encode(u16::MAX)).collect();
        let label = (Actor::new(from, 1).node, Actor::new(to, 1).node, number);
        let (key, signer) = (self.nodes[&to].keys.seal_key(), self.nodes[&from].keys.signer());
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        seal_to(&key, label, (self.tenant(), &signer), &frames, &mut rng).expect("a real key")
    }

    /// Why a node closed a link that a puppet held, if it did.
    pub fn closed_since(&self, mark: usize) -> Option<&str> {
        self.closed.get(mark).map(|(_, _, why)| why.as_str())
    }

    /// What was sent on a link while everything was recorded.
    pub fn sent_on(&self, link: LinkId) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |sent| sent.link == link.0)
    }
}

/// A sale of one line, as a store's own node would write it.
pub fn sale(till: u32, n: u64, sku: &str, quantity: i64) -> Fact {
    let code = |text: &str| Code::parse(text).expect("a short word");
    let line = SaleLine {
        sku: Sku::parse(sku).expect("a test names a SKU"),
        unit: Unit::Each,
        quantity,
        unit_price: 100,
        discount: 0,
        discount_reason: Code::default(),
        tax: None,
        unknown: false,
        overridden: false,
        lot: Code::default(),
        original: None,
        disposition: Disposition::Resale,
    };
    Fact::Sale(Sale {
        till_seq: n,
        receipt: ReceiptNumber { till: TillId(till), series: 1, sequence: n },
        day: 1,
        late: false,
        rung_ms: FIRST_MS,
        currency: Currency::parse("EUR").expect("three letters"),
        cashier: code("anna"),
        approver: Code::default(),
        seller: Code::default(),
        foreign_key: Code::default(),
        fiscal: Vec::new(),
        voids: None,
        lines: vec![line],
        cash_rounding: 0,
        tenders: vec![Tender { kind: TenderKind::Cash, amount: 100 * quantity, reference: Code::default() }],
    })
}

/// When hand-written entries say that they were written: shortly after the world began.
const FIRST_MS: u64 = 1_767_600_001_000;

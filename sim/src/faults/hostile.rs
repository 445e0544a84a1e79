//! What whoever holds a store's keys does to a node of ours: everything that an enrolled node could say.

use stockroom_core::limits::WANTS_MAX;
use stockroom_core::sync::frames::{CellsFrame, Frame, Locate, Want};
use stockroom_crdt::batch::Item;
use stockroom_crdt::chain::LogId;
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::{Actor, StoreId};
use stockroom_crdt::money::Unit;
use stockroom_crdt::scope::Scope;

use super::Play;
use crate::cast::sku;
use crate::plan::{Hostile, Who};
use crate::puppet::{Scroll, sale};

impl Play<'_> {
    /// One attack on one node, over a link of its own.
    pub(super) fn attack(&mut self, kind: Hostile, target: Who) {
        let target = self.cast.node(target);
        let hostile = &self.cast.hostile;
        if hostile.is_empty() || !self.world.is_up(target) {
            return;
        }
        let mallory = hostile[self.event as usize % hostile.len()];
        self.mark(kind.name(), target, None, format!("by node {mallory}"));
        let own = self.world.nodes[&mallory].chain.last().expect("chains are not empty").store;
        let victim = *self.cast.stores.values().find(|id| **id != target).unwrap_or(&target);
        let victim_store = self.world.nodes[&victim].chain.last().expect("chains are not empty").store;
        // Each attack is another epoch of the hostile log: the numbers of an earlier one are taken.
        let epoch = 1 + (self.event % 60_000) as u16;
        match kind {
            Hostile::ForgedAuthor => {
                let id = LogId { actor: Actor::new(victim, 40), scope: Scope::StoreStock(victim_store) };
                let (keys, chain) = (self.world.nodes[&mallory].keys.clone(), self.world.nodes[&victim].chain.clone());
                let scroll = Scroll::open(self.world.tenant(), id, &keys, &chain).with(sale(9, 1, "P00000", 5));
                self.tell(target, mallory, &[scroll.all()]);
            }
            Hostile::WrongScope => {
                let scroll =
                    self.world.scroll(mallory, epoch, Scope::StoreStock(victim_store)).with(sale(9, 2, "P00000", 5));
                self.tell(target, mallory, &[scroll.all()]);
            }
            Hostile::Equivocation => {
                let base = self.world.scroll(mallory, epoch, Scope::StoreStock(own)).with(sale(9, 3, "P00001", 1));
                let (one, other) = (base.clone().with(sale(9, 4, "P00001", 2)), base.with(sale(9, 4, "P00001", 3)));
                self.tell(target, mallory, &[one.all()]);
                self.tell(self.cast.hubs[0], mallory, &[other.all()]);
            }
            Hostile::FutureDates => {
                let base = self.world.scroll(mallory, epoch, Scope::StoreStock(own));
                let mut scroll = base.with(sale(9, 5, "P00001", 1));
                scroll.ahead(YEARS_MS);
                let scroll = scroll.with(sale(9, 6, "P00001", 1));
                self.tell(target, mallory, &[scroll.all()]);
            }
            Hostile::Replay => {
                let frames: Vec<_> =
                    self.heard.iter().filter(|sent| sent.to == target).map(|s| s.bytes.clone()).collect();
                self.inject(target, mallory, frames);
            }
            Hostile::MutatedFrames => {
                let mut frames: Vec<_> = self.heard.iter().map(|sent| sent.bytes.clone()).take(40).collect();
                for (n, frame) in (0..).zip(&mut frames) {
                    let at = (self.event as usize).wrapping_mul(31).wrapping_add(n * 7) % frame.len().max(1);
                    if let Some(byte) = frame.get_mut(at) {
                        *byte ^= 1 << (n % 8);
                    }
                }
                self.inject(target, mallory, frames);
            }
            Hostile::HugeRanges => self.ask_too_much(target, mallory, victim),
            Hostile::FalseHub => self.play_hub(target, mallory),
        }
        self.look();
    }

    fn tell(&mut self, target: u32, mallory: u32, runs: &[stockroom_core::ingest::RunIn]) {
        if !self.world.is_up(target) {
            return;
        }
        let scopes: Vec<_> = runs.iter().map(|run| run.log.scope.clone()).collect();
        let link = self.world.greeted(target, mallory, &scopes);
        self.world.tell(target, link, runs.to_vec());
        self.world.hang_up(link);
    }

    fn inject(&mut self, target: u32, mallory: u32, frames: Vec<Vec<u8>>) {
        for frame in frames {
            // A peer that talks nonsense is cut: each frame comes on a link of its own.
            let link = self.world.greeted(target, mallory, &[]);
            self.world.inject(target, link, frame);
            self.world.hang_up(link);
        }
    }

    fn ask_too_much(&mut self, target: u32, mallory: u32, victim: u32) {
        let link = self.world.greeted(target, mallory, &[]);
        let want =
            |store: u32| Want { scope: Scope::StoreStock(StoreId(store)), cursor: (1, u64::MAX), known: Vec::new() };
        let wants = (1..=WANTS_MAX as u32).map(want).collect();
        self.world.say(target, link, &Frame::Want(wants));
        let log = LogId { actor: Actor::new(victim, 1), scope: Scope::StoreStock(StoreId(1)) };
        self.world.say(
            target,
            link,
            &Frame::Locate(Locate { log, main: vec![(u64::MAX, [0; 8])], others: Vec::new() }),
        );
        self.world.hang_up(link);
    }

    fn play_hub(&mut self, target: u32, mallory: u32) {
        let link = self.world.greeted(target, mallory, &[Scope::Catalog]);
        let mut product = crate::cast::product(0, self.event);
        (product.name, product.unit, product.sku) = ("gift".into(), Unit::Each, sku(0));
        let entry = Entry { hlc: Hlc::new(self.world.now_ms, 0), fact: Fact::Product(product) };
        let mut frame = CellsFrame {
            scope: Scope::Catalog,
            feed_epoch: 1,
            to: 1,
            stamps: vec![(Actor::new(1, 1), 1 << 40)],
            items: vec![Item::new(entry)],
            signature: [0; 64],
        };
        let signer = self.world.nodes[&mallory].keys.signer();
        frame.signature = signer.sign(&frame.message(self.world.tenant()));
        self.world.say(target, link, &Frame::Cells(frame));
        self.world.hang_up(link);
    }
}

impl Hostile {
    /// Its name as an injector.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForgedAuthor => "B2 forged author",
            Self::WrongScope => "B3 wrong scope",
            Self::Equivocation => "B1 equivocation",
            Self::Replay => "N2 replay",
            Self::HugeRanges => "B8 huge ranges",
            Self::MutatedFrames => "B9 mutated frames",
            Self::FalseHub => "B7 false hub",
            Self::FutureDates => "B6 future dates",
        }
    }
}

/// How far ahead a hostile date lies.
const YEARS_MS: u64 = 20 * 365 * 24 * 3_600_000;

//! Arbitrary valid facts, one function per module of the data model.

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use stockroom_crdt::capability::{Capability, Role};
use stockroom_crdt::chain::{LogId, Moment, Seal};
use stockroom_crdt::control::{Boot, Coordinates, EpochOpen, EpochReason, Fence, FenceCut, NodeRecord, StoreRecord};
use stockroom_crdt::count::{CountClose, CountLine, CountOpen, CountScan, Sheet};
use stockroom_crdt::day::{DayClose, DayOpen};
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::fork::{Branch, ForkProof};
use stockroom_crdt::gtin::{Embedded, Template};
use stockroom_crdt::ids::{Epoch, NodeId, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, QUANTITY_MAX};
use stockroom_crdt::price::Price;
use stockroom_crdt::product::{Product, Recall};
use stockroom_crdt::receiving::{Adjustment, Decision, Disposition, GoodsReceipt, ReceiptLine};
use stockroom_crdt::sale::{ReceiptNumber, Sale, SaleLine, Tax, Tender, TenderKind};
use stockroom_crdt::transfer::{AskedLine, Difference, TransferAsk, TransferId, TransferReceive, TransferShip};

use super::arbitrary::{
    actor, amount, barcodes, code, currency, digest, name, quantity, scope, signed_quantity, sku, some_code, u32s,
    u64s, unit,
};

/// A fact of one known kind. A new kind must be added here before anything else in these tests passes.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::EPOCH_OPEN => epoch_open().prop_map(Fact::EpochOpen).boxed(),
        kind::BOOT => (u64s(), code()).prop_map(|(boot, version)| Fact::Boot(Boot { boot, version })).boxed(),
        kind::NODE => (capability(), digest())
            .prop_map(|(capability, token)| Fact::Node(NodeRecord { capability, token }))
            .boxed(),
        kind::FENCE => fence().prop_map(Fact::Fence).boxed(),
        kind::STORE => store_record().prop_map(Fact::Store).boxed(),
        kind::FORK => fork_proof().prop_map(Fact::Fork).boxed(),
        kind::PRODUCT => product().prop_map(Fact::Product).boxed(),
        kind::RECALL => (sku(), code(), any::<bool>(), code())
            .prop_map(|(sku, lot, active, reason)| Fact::Recall(Recall { sku, lot, active, reason }))
            .boxed(),
        kind::PRICE => price().prop_map(Fact::Price).boxed(),
        kind::TEMPLATE => template().prop_map(Fact::Template).boxed(),
        kind::GOODS_RECEIPT => goods_receipt().prop_map(Fact::GoodsReceipt).boxed(),
        kind::SALE => sale().prop_map(Fact::Sale).boxed(),
        kind::COUNT_SCAN => count_scan().prop_map(Fact::CountScan).boxed(),
        kind::COUNT_CLOSE => count_close().prop_map(Fact::CountClose).boxed(),
        kind::DAY_OPEN => (u32s(), u32s(), code())
            .prop_map(|(number, date, staff)| Fact::DayOpen(DayOpen { number, date, staff }))
            .boxed(),
        kind::DAY_CLOSE => {
            (u32s(), code()).prop_map(|(number, staff)| Fact::DayClose(DayClose { number, staff })).boxed()
        }
        kind::ADJUSTMENT => adjustment().prop_map(Fact::Adjustment).boxed(),
        kind::DECISION => decision().prop_map(Fact::Decision).boxed(),
        kind::TRANSFER_ASK => transfer_ask().prop_map(Fact::TransferAsk).boxed(),
        kind::TRANSFER_SHIP => transfer_ship().prop_map(Fact::TransferShip).boxed(),
        kind::TRANSFER_RECEIVE => transfer_receive().prop_map(Fact::TransferReceive).boxed(),
        kind::COUNT_OPEN => count_open().prop_map(Fact::CountOpen).boxed(),
        other => super::promised::fact_of(other),
    }
}

fn epoch_open() -> impl Strategy<Value = EpochOpen> {
    let reason = proptest::sample::select(vec![
        EpochReason::First,
        EpochReason::Restored,
        EpochReason::TokenMissing,
        EpochReason::TokenAhead,
        EpochReason::VolumeChanged,
        EpochReason::HubAhead,
        EpochReason::Forked,
        EpochReason::Manual,
    ]);
    let previous = option::of((any::<u16>().prop_map(Epoch), u64s(), digest()));
    (any::<[u8; 16]>(), reason, previous, vec(capability(), 0..=3))
        .prop_map(|(nonce, reason, previous, chain)| EpochOpen { nonce, reason, previous, chain })
}

/// A capability in shape; its signature is noise.
pub fn capability() -> impl Strategy<Value = Capability> {
    let who = (1..=u32::MAX, any::<bool>(), 1..=u32::MAX);
    let keys = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 64]>());
    (who, keys, (u32s(), u32s(), u64s(), u32s())).prop_map(
        |((node, hub, store), (log_key, seal_key, signature), (range_first, range_last, issued_ms, issuer))| {
            Capability {
                node: NodeId(node),
                role: if hub { Role::Hub } else { Role::Store },
                store: StoreId(if hub { 0 } else { store }),
                log_key,
                seal_key,
                range_first,
                range_last,
                issued_ms,
                issuer: NodeId(issuer),
                signature,
            }
        },
    )
}

fn fence() -> impl Strategy<Value = Fence> {
    let cut = (any::<u16>(), scope(), u64s(), digest()).prop_map(|(epoch, scope, seq, hash)| FenceCut {
        epoch: Epoch(epoch),
        scope,
        seq,
        hash,
    });
    (u32s(), vec(cut, 0..6), code()).prop_map(|(node, cuts, reason)| Fence { node: NodeId(node), cuts, reason })
}

fn coordinates() -> impl Strategy<Value = Coordinates> {
    (-90_000_000..=90_000_000, -180_000_000..=180_000_000)
        .prop_map(|(latitude, longitude)| Coordinates { latitude, longitude })
}

fn store_record() -> impl Strategy<Value = StoreRecord> {
    let who = (1..=u32::MAX, name(), code(), code(), code());
    (who, (currency(), code(), 0..1440u16), (u32s(), u32s(), option::of(coordinates()))).prop_map(
        |((store, name, book, group, entity), (currency, zone, rollover_min), (home, term, coordinates))| StoreRecord {
            store: StoreId(store),
            name,
            book,
            group,
            entity,
            currency,
            zone,
            rollover_min,
            home: NodeId(home),
            term,
            coordinates,
        },
    )
}

/// Clocks of a seal.
pub fn moment() -> impl Strategy<Value = Moment> {
    (u64s(), u64s(), u64s(), u32s()).prop_map(|(boot, mono_ms, wall_ms, day)| Moment { boot, mono_ms, wall_ms, day })
}

/// Any log.
pub fn log_id() -> impl Strategy<Value = LogId> {
    (actor(), scope()).prop_map(|(actor, scope)| LogId { actor, scope })
}

fn fork_proof() -> impl Strategy<Value = ForkProof> {
    let seal =
        (u64s(), moment(), any::<[u8; 64]>()).prop_map(|(seq, moment, signature)| Seal { seq, moment, signature });
    let branch =
        (digest(), vec(digest(), 0..5), seal).prop_map(|(hash, after, seal)| Branch { hash, after, seal }).boxed();
    (log_id(), u64s(), branch.clone(), branch).prop_map(|(log, seq, left, right)| ForkProof { log, seq, left, right })
}

fn product() -> impl Strategy<Value = Product> {
    let what = (sku(), name(), unit(), barcodes(), u32s());
    let rest = (code(), code(), code(), any::<u8>(), 0..8u8, any::<bool>());
    (what, rest).prop_map(
        |((sku, name, unit, barcodes, item_number), (tax_code, department, owner, age_min, excluded, discontinued))| {
            Product {
                sku,
                name,
                unit,
                barcodes,
                item_number,
                tax_code,
                department,
                owner,
                age_min,
                excluded,
                discontinued,
            }
        },
    )
}

fn price() -> impl Strategy<Value = Price> {
    (code(), sku(), u64s(), option::of(0..=AMOUNT_MAX), currency())
        .prop_map(|(book, sku, from_ms, minor, currency)| Price { book, sku, from_ms, minor, currency })
}

/// Layouts of in-store codes.
pub fn template() -> impl Strategy<Value = Template> {
    (20..=29u8, 4..=6u8, any::<bool>(), 0..=3u8).prop_map(|(prefix, item_digits, weight, scale)| Template {
        prefix,
        item_digits,
        embedded: if weight { Embedded::Weight } else { Embedded::Price },
        scale,
    })
}

fn goods_line() -> impl Strategy<Value = ReceiptLine> {
    (sku(), unit(), quantity(), code(), u32s()).prop_map(|(sku, unit, quantity, lot, expiry_day)| ReceiptLine {
        sku,
        unit,
        quantity,
        lot,
        expiry_day,
    })
}

fn goods_receipt() -> impl Strategy<Value = GoodsReceipt> {
    (code(), code(), vec(goods_line(), 0..12)).prop_map(|(document, staff, lines)| GoodsReceipt {
        document,
        staff,
        lines,
    })
}

fn adjustment() -> impl Strategy<Value = Adjustment> {
    let what = (sku(), unit(), signed_quantity());
    (what, (code(), code(), code())).prop_map(|((sku, unit, delta), (reason, lot, staff))| Adjustment {
        sku,
        unit,
        delta,
        reason,
        lot,
        staff,
    })
}

fn decision() -> impl Strategy<Value = Decision> {
    let what = (sku(), unit(), quantity(), any::<bool>());
    (what, (code(), code(), code())).prop_map(|((sku, unit, quantity, resale), (reason, lot, staff))| Decision {
        sku,
        unit,
        quantity,
        resale,
        reason,
        lot,
        staff,
    })
}

fn transfer_id() -> impl Strategy<Value = TransferId> {
    let number = prop_oneof![4 => 0..3u64, 1 => 0..TransferId::NUMBER_END, 1 => Just(TransferId::NUMBER_END - 1)];
    (u32s(), number).prop_map(|(store, number)| TransferId { store: StoreId(store), number })
}

fn transfer_ask() -> impl Strategy<Value = TransferAsk> {
    let line = (sku(), unit(), quantity()).prop_map(|(sku, unit, quantity)| AskedLine { sku, unit, quantity });
    (transfer_id(), u32s(), u64s(), code(), code(), vec(line, 0..12)).prop_map(
        |(id, from, due_ms, staff, reason, lines)| TransferAsk {
            id,
            from: StoreId(from),
            due_ms,
            staff,
            reason,
            lines,
        },
    )
}

fn transfer_ship() -> impl Strategy<Value = TransferShip> {
    (transfer_id(), u32s(), u64s(), code(), code(), vec(goods_line(), 0..12)).prop_map(
        |(id, to, due_ms, staff, approver, lines)| TransferShip { id, to: StoreId(to), due_ms, staff, approver, lines },
    )
}

fn transfer_receive() -> impl Strategy<Value = TransferReceive> {
    let sent = prop_oneof![1 => Just(0), 4 => quantity(), 1 => Just(QUANTITY_MAX * 1_000)];
    let difference =
        (sku(), unit(), sent, code()).prop_map(|(sku, unit, sent, reason)| Difference { sku, unit, sent, reason });
    (transfer_id(), u32s(), any::<bool>(), code(), vec(goods_line(), 0..12), vec(difference, 0..4)).prop_map(
        |(id, from, seen, staff, lines, differences)| TransferReceive {
            id,
            from: StoreId(from),
            seen,
            staff,
            lines,
            differences,
        },
    )
}

fn count_open() -> impl Strategy<Value = CountOpen> {
    let sheet = prop_oneof![Just(Sheet::Listed), Just(Sheet::InBook), code().prop_map(Sheet::Department)];
    (u64s(), sheet, any::<bool>(), code(), btree_set((sku(), unit()), 0..12)).prop_map(
        |(session, sheet, blind, staff, lines)| CountOpen {
            session,
            sheet,
            blind,
            staff,
            lines: lines.into_iter().rev().collect(),
        },
    )
}

fn count_scan() -> impl Strategy<Value = CountScan> {
    (u64s(), code(), sku(), unit(), (0..=QUANTITY_MAX, any::<bool>()), code()).prop_map(
        |(session, zone, sku, unit, (quantity, settles), staff)| CountScan {
            session,
            zone,
            sku,
            unit,
            quantity,
            settles,
            staff,
        },
    )
}

fn count_close() -> impl Strategy<Value = CountClose> {
    let line = (sku(), unit(), 0..=QUANTITY_MAX, u64s(), u64s(), any::<bool>()).prop_map(
        |(sku, unit, quantity, cut, scanned_ms, ambiguous)| CountLine {
            sku,
            unit,
            quantity,
            cut,
            scanned_ms,
            ambiguous,
        },
    );
    (u64s(), code(), vec((actor(), u64s()), 0..5), vec(line, 0..8)).prop_map(|(session, staff, others, mut lines)| {
        // A product stands once in a count.
        let mut seen = std::collections::BTreeSet::new();
        lines.retain(|line: &CountLine| seen.insert((line.sku.clone(), line.unit)));
        CountClose { session, staff, others, lines }
    })
}

/// Numbers of receipts, of few tills.
pub fn receipt_number() -> impl Strategy<Value = ReceiptNumber> {
    (prop_oneof![4 => 1..5u32, 1 => any::<u32>()], prop_oneof![4 => Just(1), 1 => any::<u16>()], u64s())
        .prop_map(|(till, series, sequence)| ReceiptNumber { till: TillId(till), series, sequence })
}

fn sale() -> impl Strategy<Value = Sale> {
    let head = (u64s(), receipt_number(), u32s(), any::<bool>(), u64s(), currency());
    let people = (code(), rarely_code(), rarely_code(), rarely_code());
    let fiscal = prop_oneof![4 => Just(Vec::new()), 1 => vec(any::<u8>(), 1..300)];
    let rounding = prop_oneof![4 => Just(0), 1 => amount()];
    let body = (fiscal, option::weighted(0.1, receipt_number()), vec(line(), 0..12), rounding, vec(tender(), 0..4));
    (head, people, body).prop_map(
        |(
            (till_seq, receipt, day, late, rung_ms, currency),
            (cashier, approver, seller, foreign_key),
            (fiscal, voids, mut lines, cash_rounding, tenders),
        )| {
            // Only what comes back can be set aside, unless a void takes that back.
            let sold = |line: &&mut SaleLine| voids.is_none() && line.quantity > 0;
            lines.iter_mut().filter(sold).for_each(|line| line.disposition = Disposition::Resale);
            Sale {
                till_seq,
                receipt,
                day,
                late,
                rung_ms,
                currency,
                cashier,
                approver,
                seller,
                foreign_key,
                fiscal,
                voids,
                lines,
                cash_rounding,
                tenders,
            }
        },
    )
}

/// Lines of a sale.
pub fn line() -> impl Strategy<Value = SaleLine> {
    let what = (sku(), unit(), signed_quantity(), amount(), prop_oneof![2 => Just(0), 1 => amount()]);
    let tax = (code(), u32s(), amount(), any::<bool>()).prop_map(|(code, rate_bp, amount, added)| Tax {
        code,
        rate_bp,
        amount,
        added,
    });
    let original = option::weighted(0.1, (receipt_number(), u32s()));
    let disposition = proptest::sample::select(Disposition::ALL.to_vec());
    let rest = (rarely_code(), option::of(tax), any::<bool>(), any::<bool>(), rarely_code(), (original, disposition));
    (what, rest).prop_map(
        |(
            (sku, unit, quantity, unit_price, discount),
            (discount_reason, tax, unknown, overridden, lot, (original, disposition)),
        )| {
            SaleLine {
                sku,
                unit,
                quantity,
                unit_price,
                discount,
                discount_reason,
                tax,
                unknown,
                overridden,
                lot,
                original,
                disposition,
            }
        },
    )
}

/// Payments.
pub fn tender() -> impl Strategy<Value = Tender> {
    (proptest::sample::select(TenderKind::ALL.to_vec()), amount(), rarely_code())
        .prop_map(|(kind, amount, reference)| Tender { kind, amount, reference })
}

fn rarely_code() -> impl Strategy<Value = stockroom_crdt::ids::Code> {
    prop_oneof![4 => Just(Default::default()), 1 => some_code()]
}

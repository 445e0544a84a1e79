//! Canonical bytes: every entry has exactly one form, and every other form is refused.

use proptest::prelude::*;

use stockroom_crdt::codec::{DecodeError, Rows, Sink, col, put_varint};
use stockroom_crdt::entry::{Entry, Fact, kind};
use stockroom_crdt::gtin::Gtin;
use stockroom_crdt::ids::{Code, Sku};
use stockroom_crdt::limits::{BARCODES_MAX, CODE_BYTES_MAX, ENTRY_BYTES_MAX, LINES_MAX, QUANTITY_MAX, TENDERS_MAX};
use stockroom_crdt::scope::Scope;
use stockroom_tests::property::check;

use super::arbitrary::{entry, entry_of, gtin_of, scope};

#[test]
fn entries_round_trip() {
    check("entries_round_trip", 2_000, entry(), |entry| {
        let bytes = entry.to_bytes();
        prop_assert!(bytes.len() <= ENTRY_BYTES_MAX);
        prop_assert_eq!(Entry::from_bytes(&bytes), Ok(entry));
        Ok(())
    });
}

#[test]
fn an_entry_cut_short_or_made_longer_is_refused() {
    check("an_entry_cut_short_or_made_longer_is_refused", 500, known(), |entry| {
        let bytes = entry.to_bytes();
        for len in 0..bytes.len() {
            prop_assert!(Entry::from_bytes(&bytes[..len]).is_err(), "cut to {} of {} bytes", len, bytes.len());
        }
        for extra in [0, 1, 0x80] {
            let longer = [bytes.as_slice(), &[extra]].concat();
            prop_assert_eq!(Entry::from_bytes(&longer), Err(DecodeError::Left));
        }
        Ok(())
    });
}

#[test]
fn a_number_in_a_longer_form_is_refused() {
    check("a_number_in_a_longer_form_is_refused", 500, known(), |entry| {
        let mut place = 0;
        loop {
            let mut sink = Overlong { bytes: Vec::new(), place, seen: 0 };
            encode(&entry, &mut sink);
            if sink.seen <= place {
                return Ok(());
            }
            prop_assert_ne!(&sink.bytes, &entry.to_bytes());
            prop_assert!(Entry::from_bytes(&sink.bytes).is_err(), "number {} of {}", place, sink.seen);
            place += 1;
        }
    });
}

#[test]
fn a_known_kind_with_the_wrong_critical_bit_is_refused() {
    check("a_known_kind_with_the_wrong_critical_bit_is_refused", 500, known(), |entry| {
        let mut bytes = entry.to_bytes();
        bytes[0] ^= 1;
        prop_assert_eq!(Entry::from_bytes(&bytes), Err(DecodeError::Canonical));
        Ok(())
    });
}

#[test]
fn whatever_is_accepted_is_the_only_form_of_its_entry() {
    let mutation = (any::<prop::sample::Index>(), any::<u8>());
    let input = (entry(), prop::collection::vec(mutation, 1..4));
    check("whatever_is_accepted_is_the_only_form_of_its_entry", 4_000, input, |(entry, mutations)| {
        let mut bytes = entry.to_bytes();
        for (index, value) in mutations {
            let place = index.index(bytes.len());
            bytes[place] = value;
        }
        if let Ok(read) = Entry::from_bytes(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
        }
        Ok(())
    });
}

#[test]
fn scopes_have_one_form() {
    check("scopes_have_one_form", 1_000, scope(), |scope| {
        let bytes = scope.to_bytes();
        prop_assert_eq!(Scope::from_bytes(&bytes), Ok(scope.clone()));
        let longer = [bytes.as_slice(), &[0]].concat();
        prop_assert!(Scope::from_bytes(&longer).is_err());
        for len in 0..bytes.len() {
            prop_assert!(Scope::from_bytes(&bytes[..len]).is_err());
        }
        for place in 0..2 {
            let mut sink = Overlong { bytes: Vec::new(), place, seen: 0 };
            scope.encode(&mut sink);
            prop_assert!(sink.seen <= place || Scope::from_bytes(&sink.bytes).is_err(), "number {}", place);
        }
        Ok(())
    });
}

#[test]
fn what_does_harm_when_it_is_not_understood_is_critical_and_nothing_else_is() {
    check("what_does_harm_is_critical", 500, known(), |entry| {
        prop_assert_eq!(entry.fact.is_critical(), CRITICAL.contains(&entry.fact.kind()));
        prop_assert_eq!(entry.to_bytes()[0] & 1 == 1, entry.fact.is_critical());
        Ok(())
    });
}

#[test]
fn only_the_scope_of_a_fact_admits_it() {
    check("only_the_scope_of_a_fact_admits_it", 2_000, (known(), scope()), |(entry, scope)| {
        let opening = matches!(entry.fact, Fact::EpochOpen(_));
        let of_note = matches!(entry.fact.kind(), kind::NOTE_CHANGE | kind::NOTE_SNAPSHOT);
        let of_members = (kind::MEMBER..=kind::SALE_POINTS).contains(&entry.fact.kind())
            && !matches!(entry.fact, Fact::Loyalty(_) | Fact::Campaign(_));
        let is_members = matches!(scope, Scope::StoreMembers(_));
        let belongs = entry.fact.belongs_in(&scope);
        prop_assert!(opening || of_note || of_members || !(is_members && belongs), "{:?}", entry.fact);
        prop_assert!(!(of_members && belongs) || is_members, "{:?} in {}", entry.fact, scope);
        let of_orders = matches!(scope, Scope::Orders(_) | Scope::StoreOrders(_));
        let number = entry.fact.kind();
        let is_of_one = (kind::ORDER..=kind::REDRESS).contains(&number) || number == kind::RETURN_GRANT;
        let is_return = number == kind::GOODS_RETURN;
        prop_assert!(
            opening
                || is_return
                || of_note
                || !of_orders
                || is_of_one == entry.fact.belongs_in(&scope)
                || scope.store().is_none()
        );
        if let Fact::Price(price) = &entry.fact {
            prop_assert!(entry.fact.belongs_in(&Scope::Prices(price.book.clone())));
            let other = Code::parse(&format!("{}!", price.book.as_str().len())).unwrap();
            prop_assert!(!entry.fact.belongs_in(&Scope::Prices(other)));
        }
        Ok(())
    });
}

#[test]
fn barcodes_out_of_order_or_twice_are_refused() {
    let (low, high) = (gtin_of(400_638_133_393), gtin_of(761_320_000_000));
    let product = |gtins: &[_]| {
        entry_bytes(kind::PRODUCT, |rows| {
            sku("7").encode(rows);
            rows.blob(col::NAME, b"tea");
            rows.uint(col::UNIT, 0);
            rows.uint(col::COUNT, gtins.len() as u64);
            for gtin in gtins {
                Gtin::encode(*gtin, rows);
                rows.uint(col::PACK, 1);
            }
            rows.uint(col::A, 0);
            (0..3).for_each(|_| rows.blob(col::REFERENCE, b""));
            rows.uint(col::B, 0);
            rows.uint(col::FLAGS, 0);
        })
    };
    assert!(Entry::from_bytes(&product(&[low, high])).is_ok());
    assert_eq!(Entry::from_bytes(&product(&[high, low])), Err(DecodeError::Value("product")));
    assert_eq!(Entry::from_bytes(&product(&[low, low])), Err(DecodeError::Value("product")));
    let many: Vec<_> = (0..=BARCODES_MAX as u64).map(gtin_of).collect();
    assert!(Entry::from_bytes(&product(&many[1..])).is_ok());
    assert_eq!(Entry::from_bytes(&product(&many)), Err(DecodeError::Limit("barcodes")));
}

#[test]
fn a_flag_for_a_value_that_is_not_there_is_refused() {
    let sale = |flags, approver: &[&[u8]]| {
        entry_bytes(kind::SALE, |rows| {
            rows.uint(col::FLAGS, flags);
            (0..7).for_each(|_| rows.uint(col::TILL, 1));
            rows.blob(col::STAFF, b"");
            approver.iter().for_each(|name| rows.blob(col::STAFF, name));
            rows.uint(col::LINE_COUNT, 0);
            rows.uint(col::TENDER_COUNT, 0);
        })
    };
    assert!(Entry::from_bytes(&sale(0, &[])).is_ok());
    assert!(Entry::from_bytes(&sale(2, &[b"k"])).is_ok());
    assert_eq!(Entry::from_bytes(&sale(2, &[b""])), Err(DecodeError::Canonical));
    assert_eq!(Entry::from_bytes(&sale(1 << 7, &[])), Err(DecodeError::Value("flags")));
}

#[test]
fn a_number_spelled_as_text_is_refused() {
    let recall = |write_sku: &dyn Fn(&mut Rows)| {
        entry_bytes(kind::RECALL, |rows| {
            write_sku(rows);
            rows.blob(col::LOT, b"");
            rows.uint(col::FLAGS, 1);
            rows.blob(col::REASON, b"");
        })
    };
    let spelled = |text: &'static [u8]| {
        recall(&move |rows| {
            rows.uint(col::SKU, 0);
            rows.blob(col::SKU_TEXT, text);
        })
    };
    let number = |tag| recall(&move |rows| rows.uint(col::SKU, tag));
    assert!(Entry::from_bytes(&number(12)).is_ok());
    assert!(Entry::from_bytes(&spelled(b"012")).is_ok(), "a leading zero is no number");
    for refused in [spelled(b"12"), spelled(b""), spelled(b"a b"), number(1_000_000_000_000_000_000), number(u64::MAX)]
    {
        assert_eq!(Entry::from_bytes(&refused), Err(DecodeError::Value("sku")));
    }
}

#[test]
fn control_characters_and_broken_text_are_refused() {
    let boot = |version: &[u8]| {
        entry_bytes(kind::BOOT, |rows| {
            rows.uint(col::A, 1);
            rows.blob(col::REFERENCE, version);
        })
    };
    assert!(Entry::from_bytes(&boot("0.1 ü".as_bytes())).is_ok());
    for text in [b"a\nb".as_slice(), b"\0", b"\x7f", "\u{85}".as_bytes(), b"\xff", b"\xc3"] {
        assert_eq!(Entry::from_bytes(&boot(text)), Err(DecodeError::Value("text")));
    }
    let long = vec![b'x'; CODE_BYTES_MAX + 1];
    assert!(Entry::from_bytes(&boot(&long[1..])).is_ok());
    assert_eq!(Entry::from_bytes(&boot(&long)), Err(DecodeError::Limit("bytes of a field")));
}

#[test]
fn a_count_above_its_limit_is_refused_before_anything_is_read() {
    let sale = |lines: u64, tenders: u64| {
        entry_bytes(kind::SALE, |rows| {
            rows.uint(col::FLAGS, 0);
            (0..7).for_each(|_| rows.uint(col::TILL, 1));
            rows.blob(col::STAFF, b"");
            rows.uint(col::LINE_COUNT, lines);
            for _ in 0..lines.min(LINES_MAX as u64 + 1) {
                rows.uint(col::LINE_FLAGS, 0);
                sku("5").encode(rows);
                rows.int(col::QUANTITY, 1);
                rows.int(col::PRICE, 1);
            }
            rows.uint(col::TENDER_COUNT, tenders);
            for _ in 0..tenders.min(TENDERS_MAX as u64 + 1) {
                rows.uint(col::TENDER, 0);
                rows.int(col::AMOUNT, 0);
            }
        })
    };
    assert!(Entry::from_bytes(&sale(LINES_MAX as u64, TENDERS_MAX as u64)).is_ok());
    assert_eq!(Entry::from_bytes(&sale(LINES_MAX as u64 + 1, 0)), Err(DecodeError::Limit("lines")));
    assert_eq!(Entry::from_bytes(&sale(u64::MAX, 0)), Err(DecodeError::Limit("lines")));
    assert_eq!(Entry::from_bytes(&sale(1, TENDERS_MAX as u64 + 1)), Err(DecodeError::Limit("tenders")));
}

#[test]
fn a_quantity_beyond_its_bound_is_refused() {
    let scan = |quantity| {
        entry_bytes(kind::COUNT_SCAN, |rows| {
            rows.uint(col::A, 1);
            rows.blob(col::REFERENCE, b"");
            sku("5").encode(rows);
            rows.uint(col::UNIT, 0);
            rows.int(col::QUANTITY, quantity);
            rows.uint(col::FLAGS, 0);
            rows.blob(col::STAFF, b"");
        })
    };
    for accepted in [0, 1, QUANTITY_MAX] {
        assert!(Entry::from_bytes(&scan(accepted)).is_ok());
    }
    for refused in [-1, QUANTITY_MAX + 1, i64::MIN, i64::MAX] {
        assert_eq!(Entry::from_bytes(&scan(refused)), Err(DecodeError::Value("quantity")));
    }
}

#[test]
fn an_entry_of_one_byte_too_many_is_refused() {
    let opaque = |len: usize| entry_bytes(9_999, |rows| rows.array(col::RAW, &vec![7; len]));
    let head = opaque(0).len();
    assert!(Entry::from_bytes(&opaque(ENTRY_BYTES_MAX - head)).is_ok());
    let refused = Entry::from_bytes(&opaque(ENTRY_BYTES_MAX - head + 1));
    assert_eq!(refused, Err(DecodeError::Limit("bytes of an entry")));
}

#[test]
fn an_unknown_kind_is_kept_byte_for_byte() {
    let bytes = entry_bytes(9_999, |rows| rows.array(col::RAW, b"from the future"));
    let entry = Entry::from_bytes(&bytes).unwrap();
    let Fact::Opaque(opaque) = &entry.fact else { panic!("{entry:?}") };
    assert_eq!((opaque.kind, opaque.critical, opaque.body.as_slice()), (9_999, false, b"from the future".as_slice()));
    assert!(!kind::ALL.contains(&opaque.kind));
    assert_eq!(entry.to_bytes(), bytes);
    let beyond = Rows::of(|rows| rows.uint(col::KIND, 65_536 << 1));
    assert_eq!(Entry::from_bytes(&beyond), Err(DecodeError::Value("kind")));
}

/// Entries of known kinds.
fn known() -> impl Strategy<Value = Entry> {
    proptest::sample::select(kind::ALL.to_vec()).prop_flat_map(entry_of)
}

/// Canonical bytes of an entry at time 1 that `write` writes by hand.
pub fn entry_bytes(number: u16, write: impl FnOnce(&mut Rows)) -> Vec<u8> {
    let critical = CRITICAL.contains(&number);
    Rows::of(|rows| {
        rows.uint(col::KIND, u64::from(number) << 1 | u64::from(critical));
        rows.uint(col::HLC_MS, 1);
        rows.uint(col::HLC_COUNTER, 0);
        write(rows);
    })
}

fn sku(text: &str) -> Sku {
    Sku::parse(text).unwrap()
}

/// Writes kind, time and fact to any sink, as the crate itself does.
fn encode(entry: &Entry, sink: &mut impl Sink) {
    sink.uint(col::KIND, u64::from(entry.fact.kind()) << 1 | u64::from(entry.fact.is_critical()));
    encode_rest(entry, sink);
}

/// Writes time and fact to any sink, as the crate itself does.
pub fn encode_rest(entry: &Entry, sink: &mut impl Sink) {
    sink.uint(col::HLC_MS, entry.hlc.ms());
    sink.uint(col::HLC_COUNTER, u64::from(entry.hlc.counter()));
    match &entry.fact {
        Fact::EpochOpen(fact) => fact.encode(sink),
        Fact::Boot(fact) => fact.encode(sink),
        Fact::Node(fact) => fact.encode(sink),
        Fact::Fence(fact) => fact.encode(sink),
        Fact::Store(fact) => fact.encode(sink),
        Fact::Fork(fact) => fact.encode(sink),
        Fact::Product(fact) => fact.encode(sink),
        Fact::Recall(fact) => fact.encode(sink),
        Fact::Price(fact) => fact.encode(sink),
        Fact::Template(fact) => fact.encode(sink),
        Fact::GoodsReceipt(fact) => fact.encode(sink),
        Fact::Sale(fact) => fact.encode(sink, entry.hlc.ms()),
        Fact::CountScan(fact) => fact.encode(sink),
        Fact::CountClose(fact) => fact.encode(sink),
        Fact::DayOpen(fact) => fact.encode(sink),
        Fact::DayClose(fact) => fact.encode(sink),
        Fact::Adjustment(fact) => fact.encode(sink),
        Fact::PolicyRule(fact) => fact.encode(sink),
        Fact::Rights(fact) => fact.encode(sink),
        Fact::Promise(fact) => fact.encode(sink),
        Fact::PromiseStep(fact) => fact.encode(sink),
        Fact::Want(fact) => fact.encode(sink),
        Fact::Hint(fact) => fact.encode(sink),
        Fact::Shortage(fact) => fact.encode(sink),
        Fact::Compensation(fact) => fact.encode(sink),
        Fact::Retire(fact) => fact.encode(sink),
        Fact::Consent(fact) => fact.encode(sink),
        Fact::GoodsIssue(fact) => fact.encode(sink),
        Fact::Decision(fact) => fact.encode(sink),
        Fact::TransferAsk(fact) => fact.encode(sink),
        Fact::TransferShip(fact) => fact.encode(sink),
        Fact::TransferReceive(fact) => fact.encode(sink),
        Fact::CountOpen(fact) => fact.encode(sink),
        Fact::Order(fact) => fact.encode(sink),
        Fact::Offer(fact) => fact.encode(sink),
        Fact::FulfillmentStep(fact) => fact.encode(sink),
        Fact::OrderStep(fact) => fact.encode(sink),
        Fact::Payment(fact) => fact.encode(sink),
        Fact::Redress(fact) => fact.encode(sink),
        Fact::PassShown(fact) => fact.encode(sink),
        Fact::Routing(fact) => fact.encode(sink),
        Fact::Service(fact) => fact.encode(sink),
        Fact::OrderLimits(fact) => fact.encode(sink),
        Fact::GoodsReturn(fact) => fact.encode(sink),
        Fact::ReturnGrant(fact) => fact.encode(sink),
        Fact::TaxRate(fact) => fact.encode(sink),
        Fact::TillRules(fact) => fact.encode(sink),
        Fact::Promotion(fact) => fact.encode(sink),
        Fact::SaleHours(fact) => fact.encode(sink),
        Fact::Staff(fact) => fact.encode(sink),
        Fact::Basket(fact) => fact.encode(sink),
        Fact::BasketStep(fact) => fact.encode(sink),
        Fact::Checkout(fact) => fact.encode(sink),
        Fact::ShiftOpen(fact) => fact.encode(sink),
        Fact::CashMove(fact) => fact.encode(sink),
        Fact::ShiftClose(fact) => fact.encode(sink),
        Fact::TenderStep(fact) => fact.encode(sink),
        Fact::LabelDone(fact) => fact.encode(sink),
        Fact::Member(fact) => fact.encode(sink),
        Fact::MemberValue(fact) => fact.encode(sink),
        Fact::MemberLink(fact) => fact.encode(sink),
        Fact::MemberUnlink(fact) => fact.encode(sink),
        Fact::MemberConsent(fact) => fact.encode(sink),
        Fact::MemberErase(fact) => fact.encode(sink),
        Fact::NoteChange(fact) => fact.encode(sink),
        Fact::NoteSnapshot(fact) => fact.encode(sink),
        Fact::Loyalty(fact) => fact.encode(sink),
        Fact::PointsRow(fact) => fact.encode(sink),
        Fact::Campaign(fact) => fact.encode(sink),
        Fact::Coupon(fact) => fact.encode(sink),
        Fact::Redemption(fact) => fact.encode(sink),
        Fact::Quota(fact) => fact.encode(sink),
        Fact::SalePoints(fact) => fact.encode(sink),
        Fact::Opaque(opaque) => sink.array(col::RAW, &opaque.body),
    }
}

/// Canonical bytes, except that number `place` has a needless last byte of zero.
struct Overlong {
    bytes: Vec<u8>,
    place: usize,
    seen: usize,
}

impl Sink for Overlong {
    fn uint(&mut self, _column: u8, value: u64) {
        put_varint(&mut self.bytes, value);
        if self.seen == self.place {
            *self.bytes.last_mut().expect("a varint has a byte") |= 0x80;
            self.bytes.push(0);
        }
        self.seen += 1;
    }

    fn blob(&mut self, column: u8, bytes: &[u8]) {
        self.uint(column, bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn array(&mut self, _column: u8, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
}

#[test]
fn the_sink_of_these_tests_writes_what_the_crate_writes() {
    check("the_sink_of_these_tests_writes_what_the_crate_writes", 500, entry(), |entry| {
        prop_assert_eq!(Rows::of(|rows| encode(&entry, rows)), entry.to_bytes());
        Ok(())
    });
}

/// Acting without these does harm, so a node that does not know them must stop.
const CRITICAL: [u16; 14] = [
    kind::EPOCH_OPEN,
    kind::NODE,
    kind::FENCE,
    kind::STORE,
    kind::FORK,
    kind::RECALL,
    kind::RIGHTS,
    kind::PROMISE,
    kind::PROMISE_STEP,
    kind::SHORTAGE,
    kind::RETIRE,
    kind::POINTS_ROW,
    kind::COUPON,
    kind::COUPON_QUOTA,
];

//! Baskets worked by hand: each with what its lines cost, the tax on each, and what cash adds. The sums beside them are the working.

use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::{Asked, NoPrice, Quote, quote};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{SaleHours, TaxRate, TillRules};
use stockroom_crdt::checkout::{PriceSource, Stop};
use stockroom_crdt::ids::{Code, StoreId};
use stockroom_crdt::order::rules::hours::Span;
use stockroom_crdt::product::{Channel, Recall};

use super::till::{Aimed, Item, NOW_MS, SINCE_MS, asked, item, promotion, rate, word};

/// A basket and its figures.
struct Worked {
    what: &'static str,
    items: Vec<Item>,
    promotions: Vec<Promotion>,
    /// What each line costs, and the tax on it.
    lines: &'static [(i64, i64)],
}

impl Worked {
    fn check(self) {
        let quote = priced(&self.items, &self.promotions, false).unwrap();
        let tax = |at: usize| quote.lines[at].tax.as_ref().map_or(0, |tax| tax.amount);
        let lines: Vec<_> = quote.lines.iter().enumerate().map(|(at, line)| (line.amount(), tax(at))).collect();
        assert_eq!(lines, self.lines, "{}", self.what);
        assert_eq!(quote.total, self.lines.iter().map(|(amount, _)| amount).sum::<i64>(), "{}", self.what);
    }
}

#[test]
fn prices_come_from_the_book_the_label_or_a_hand() {
    let plain = Worked {
        what: "2 x 1.20 and 0.35",
        items: vec![item("a", 2).priced(120), item("b", 1).priced(35)],
        promotions: vec![],
        lines: &[(240, 0), (35, 0)],
    };
    let weighed = Worked {
        what: "1,234 g at 2.99: 368.966; 500 g at 0.99: 49.5, and the same back",
        items: vec![
            item("a", 1_234).weighed().priced(299),
            item("b", 500).weighed().priced(99),
            item("b", -500).weighed().priced(99),
        ],
        promotions: vec![],
        lines: &[(369, 0), (50, 0), (-50, 0)],
    };
    let labels = Worked {
        what: "3 pieces with a label of 3.99; 168 g at 29.90 come to 502.32, the label says 500; 200 g without a price in the book; \
               3,000 g at 3.34 come to 1002, the label says 1000",
        items: vec![
            item("a", 3).priced(450).labelled(399),
            item("b", 168).weighed().priced(2_990).labelled(500),
            item("c", 200).weighed().labelled(500),
            item("d", 3_000).weighed().labelled(1_000),
        ],
        promotions: vec![],
        lines: &[(1_197, 0), (500, 0), (500, 0), (1_000, 0)],
    };
    let by_hand = Worked {
        what: "entered prices bear no promotion; what is taken off by hand comes after it: 1000 - 100 - 100",
        items: vec![item("a", 2).priced(120).entered(100), item("b", 1).priced(1_000).less(100)],
        promotions: vec![promotion("ten", Gives::Percent(1_000))],
        lines: &[(200, 0), (800, 0)],
    };
    [plain, weighed, labels, by_hand].into_iter().for_each(Worked::check);
}

#[test]
fn a_label_says_what_is_paid_and_the_receipt_says_why() {
    let items = [item("b", -168).weighed().priced(2_990).labelled(500), item("c", 200).weighed().labelled(500)];
    let quote = priced(&items, &[], false).unwrap();
    let (told, untold) = (&quote.lines[0], &quote.lines[1]);
    // The grams were told from 29.90, so that is the price; 200 g come to 500 at 24.98 and to 499 at 24.97.
    assert_eq!((told.unit_price, told.discount, told.discount_reason.as_str()), (2_990, -2, "label rounding"));
    assert_eq!((untold.unit_price, untold.discount, untold.discount_reason.as_str()), (2_498, 0, ""));
    assert_eq!(quote.explained[0].source, PriceSource::Code);
    assert_eq!(priced(&[item("a", 1)], &[], false).unwrap().explained[0].source, PriceSource::Book(SINCE_MS));
}

#[test]
fn single_goods_are_reduced_one_by_one() {
    let percent = Worked {
        what: "10% of 99 is 9.9; 15% of 967.5, that is 968, is 145.2",
        items: vec![item("a", 3).priced(33), item("b", 750).weighed().priced(1_290)],
        promotions: vec![
            promotion("ten", Gives::Percent(1_000)).of(&["a"]),
            promotion("more", Gives::Percent(1_500)).of(&["b"]),
        ],
        lines: &[(89, 0), (823, 0)],
    };
    let percent_of_two = Worked {
        what: "10% of two pieces of three",
        items: vec![item("a", 3).priced(100)],
        promotions: vec![Promotion { per_basket: 2, ..promotion("ten", Gives::Percent(1_000)) }],
        lines: &[(280, 0)],
    };
    let off = Worked {
        what: "0.30 off each, but no piece for less than nothing; 0.50 off a kilogram of 1,500 g at 3.99: 599 - 75",
        items: vec![
            item("a", 4).priced(100),
            item("b", 2).priced(20),
            item("c", 1_500).weighed().priced(399).in_department("fruit"),
        ],
        promotions: vec![
            promotion("each", Gives::Off(30)).of(&["a", "b"]),
            promotion("kilo", Gives::Off(50)).in_departments(&["fruit"]),
        ],
        lines: &[(280, 0), (0, 0), (524, 0)],
    };
    let price = Worked {
        what: "1.49 instead of 1.99, not of 1.29; 640 g for 7.90: 505.6",
        items: vec![item("a", 2).priced(199), item("b", 1).priced(129), item("c", 640).weighed().priced(990)],
        promotions: vec![
            promotion("now", Gives::Price(149)).of(&["a", "b"]),
            promotion("kilo", Gives::Price(790)).of(&["c"]),
        ],
        lines: &[(298, 0), (129, 0), (506, 0)],
    };
    [percent, percent_of_two, off, price].into_iter().for_each(Worked::check);
}

#[test]
fn goods_that_are_cheaper_together_share_what_is_taken_off() {
    let two_get_one = || promotion("3 for 2", Gives::BuyGet { buy: 2, get: 1, off_bp: 10_000 });
    let one_line = Worked {
        what: "the dearest three together: 200 off 600; the fourth is alone",
        items: vec![item("b", 1).priced(150), item("a", 3).priced(200)],
        promotions: vec![two_get_one()],
        lines: &[(150, 0), (400, 0)],
    };
    let three_lines = Worked {
        what: "100 off 300, 200, 100: 50, 33.3, 16.7",
        items: vec![item("a", 1).priced(300), item("b", 1).priced(200), item("c", 1).priced(100)],
        promotions: vec![two_get_one()],
        lines: &[(250, 0), (167, 0), (83, 0)],
    };
    let half = Worked {
        what: "the second at half the price: 49.5 off 198; weighed goods are no pieces",
        items: vec![item("a", 2).priced(99), item("b", 2_000).weighed().priced(100)],
        promotions: vec![promotion("half", Gives::BuyGet { buy: 1, get: 1, off_bp: 5_000 })],
        lines: &[(148, 0), (200, 0)],
    };
    let bundle = Worked {
        what: "any 3 for 5.00: 77 off 2 x 199 and 179, 53.1 and 23.9; the fourth costs 179",
        items: vec![item("a", 2).priced(199), item("b", 2).priced(179)],
        promotions: vec![promotion("any 3", Gives::Bundle { units: 3, price: 500 })],
        lines: &[(345, 0), (334, 0)],
    };
    let dear_bundle = Worked {
        what: "3 for 6.00 is not less than 577",
        items: vec![item("a", 2).priced(199), item("b", 2).priced(179)],
        promotions: vec![promotion("any 3", Gives::Bundle { units: 3, price: 600 })],
        lines: &[(398, 0), (358, 0)],
    };
    let one_bundle = Worked {
        what: "2 for 1.50, once",
        items: vec![item("a", 4).priced(100)],
        promotions: vec![Promotion { per_basket: 1, ..promotion("two", Gives::Bundle { units: 2, price: 150 }) }],
        lines: &[(350, 0)],
    };
    [one_line, three_lines, half, bundle, dear_bundle, one_bundle].into_iter().for_each(Worked::check);
}

#[test]
fn a_basket_that_comes_to_enough_is_reduced_as_often_as_it_does() {
    let five_off = || promotion("5 off 30", Gives::Basket { from: 3_000, off: 500 });
    let reached = Worked {
        what: "500 off 2000 and 1250: 307.7 and 192.3",
        items: vec![item("a", 2).priced(1_000), item("b", 1).priced(1_250)],
        promotions: vec![five_off()],
        lines: &[(1_692, 0), (1_058, 0)],
    };
    let short = Worked {
        what: "a cent is missing",
        items: vec![item("a", 1).priced(2_999)],
        promotions: vec![five_off()],
        lines: &[(2_999, 0)],
    };
    let twice = Worked {
        what: "65.00 are twice 30.00",
        items: vec![item("a", 1).priced(6_500)],
        promotions: vec![five_off()],
        lines: &[(5_500, 0)],
    };
    let once = Worked {
        what: "once",
        items: vec![item("a", 1).priced(6_500)],
        promotions: vec![Promotion { per_basket: 1, ..five_off() }],
        lines: &[(6_000, 0)],
    };
    [reached, short, twice, once].into_iter().for_each(Worked::check);
}

#[test]
fn promotions_follow_each_other_by_priority_and_an_exclusive_one_stands_alone() {
    let items = || vec![item("a", 1).priced(150), item("b", 1).priced(200)];
    let now = |priority, exclusive| Promotion { priority, exclusive, ..promotion("now", Gives::Price(100)).of(&["a"]) };
    let ten = || Promotion { priority: 5, ..promotion("ten", Gives::Percent(1_000)) };
    let alone = Worked {
        what: "100 and no more; 10% of 200",
        items: items(),
        promotions: vec![ten(), now(9, true)],
        lines: &[(100, 0), (180, 0)],
    };
    let both = Worked {
        what: "10% of the 100 that are left",
        items: items(),
        promotions: vec![ten(), now(9, false)],
        lines: &[(90, 0), (180, 0)],
    };
    let later = Worked {
        what: "10% of 150 first, then 100 instead of 135",
        items: items(),
        promotions: vec![ten(), now(1, true)],
        lines: &[(100, 0), (180, 0)],
    };
    let elsewhere = Worked {
        what: "another store's, one that has ended, one of tomorrow, one until now, one for members",
        items: items(),
        promotions: vec![
            Promotion { stores: vec![StoreId(6), StoreId(8)], ..ten() },
            Promotion { ended: true, ..ten() },
            Promotion { from_ms: NOW_MS + 1, ..ten() },
            Promotion { until_ms: NOW_MS, ..ten() },
            Promotion { members_only: true, ..ten() },
        ],
        lines: &[(150, 0), (200, 0)],
    };
    [alone, both, later, elsewhere].into_iter().for_each(Worked::check);
}

#[test]
fn members_get_their_promotions_unless_everybody_pays_less() {
    let own = |off_bp| Promotion {
        members_only: true,
        priority: 9,
        exclusive: true,
        ..promotion("own", Gives::Percent(off_bp))
    };
    let all = promotion("all", Gives::Percent(1_000));
    let total =
        |promotions: &[Promotion], member| priced(&[item("a", 1).priced(500)], promotions, member).unwrap().total;
    assert_eq!((total(&[own(2_000)], true), total(&[own(2_000)], false)), (400, 500));
    assert_eq!((total(&[own(100), all.clone()], true), total(&[own(100), all], false)), (450, 450));
}

#[test]
fn tax_is_contained_in_prices_or_added_to_them() {
    let added = |code, rate_bp| Some(TaxRate { inclusive: false, ..rate(code, rate_bp) });
    let contained = Worked {
        what: "7% in 107; 19% in 1190, and in 999: 159.5",
        items: vec![
            item("a", 1).priced(107).taxed(Some(rate("food", 700))),
            item("b", 1).priced(1_190).taxed(Some(rate("std", 1_900))),
            item("c", 1).priced(999).taxed(Some(rate("std", 1_900))),
        ],
        promotions: vec![],
        lines: &[(107, 7), (1_190, 190), (999, 160)],
    };
    let on_top = Worked {
        what: "8.87% on 199: 17.65, and on 15: 1.33; none where the rate has ended",
        items: vec![
            item("a", 1).priced(199).taxed(added("ny", 887)),
            item("b", 3).priced(5).taxed(added("ny", 887)),
            item("c", 1).priced(100).taxed(Some(TaxRate { rate_bp: None, ..rate("old", 0) })),
        ],
        promotions: vec![],
        lines: &[(217, 18), (16, 1), (100, 0)],
    };
    let after_reductions = Worked {
        what: "10% off 398: 358, and 10% on that, given back: 35.8",
        items: vec![item("a", -2).priced(199).taxed(added("ny", 1_000))],
        promotions: vec![promotion("ten", Gives::Percent(1_000))],
        lines: &[(-394, -36)],
    };
    let even = |inclusive| Some(TaxRate { inclusive, rounding: Rounding::HalfEven, ..rate("even", 500) });
    let half_even = Worked {
        what: "5% on 10, 30 and 50: 0.5, 1.5 and 2.5, half to the even cent",
        items: vec![
            item("a", 1).priced(10).taxed(even(false)),
            item("b", 1).priced(30).taxed(even(false)),
            item("c", 1).priced(50).taxed(even(false)),
        ],
        promotions: vec![],
        lines: &[(10, 0), (32, 2), (52, 2)],
    };
    [contained, on_top, after_reductions, half_even].into_iter().for_each(Worked::check);
}

#[test]
fn a_tax_rounded_for_the_receipt_is_spread_over_its_lines() {
    let once = |inclusive, rate_bp| Some(TaxRate { inclusive, per_receipt: true, ..rate("once", rate_bp) });
    let on_top = Worked {
        what: "8.87, 4.435 and 2.2175 are 15.5, so 16: cents to .87 and .435",
        items: vec![
            item("a", 1).priced(25).taxed(once(false, 887)),
            item("b", 1).priced(50).taxed(once(false, 887)),
            item("c", 1).priced(100).taxed(once(false, 887)),
        ],
        promotions: vec![],
        lines: &[(27, 2), (55, 5), (109, 9)],
    };
    let contained = Worked {
        what: "7% in 10, three times: 0.65 each, 1.96 together, so 2; of equals the first by name",
        items: vec![
            item("c", 1).priced(10).taxed(once(true, 700)),
            item("a", 1).priced(10).taxed(once(true, 700)),
            item("b", 1).priced(10).taxed(once(true, 700)),
        ],
        promotions: vec![],
        lines: &[(10, 0), (10, 1), (10, 1)],
    };
    [on_top, contained].into_iter().for_each(Worked::check);
}

#[test]
fn what_comes_back_forms_no_group_with_what_is_sold() {
    let both = Worked {
        what: "one each way: no second piece for either",
        items: vec![item("a", 1).priced(300), item("b", -1).priced(300)],
        promotions: vec![promotion("2 for 1", Gives::BuyGet { buy: 1, get: 1, off_bp: 10_000 })],
        lines: &[(300, 0), (-300, 0)],
    };
    let back = Worked {
        what: "2 for 1.50 given back",
        items: vec![item("a", -2).priced(100)],
        promotions: vec![promotion("two", Gives::Bundle { units: 2, price: 150 })],
        lines: &[(-150, 0)],
    };
    [both, back].into_iter().for_each(Worked::check);
}

#[test]
fn cash_is_rounded_to_the_smallest_coin() {
    let cases = [
        (198, 5, Rounding::HalfUp, 2),
        (197, 5, Rounding::HalfUp, -2),
        (-198, 5, Rounding::HalfUp, -2),
        (125, 10, Rounding::HalfUp, 5),
        (125, 10, Rounding::HalfDown, -5),
        (125, 10, Rounding::HalfEven, -5),
        (121, 10, Rounding::Up, 9),
        (129, 10, Rounding::Down, -9),
        (199, 0, Rounding::Up, 0),
    ];
    for (total, cash_step, cash_rounding, expected) in cases {
        let total: i64 = total;
        let rules = TillRules { cash_step, cash_rounding, ..TillRules::default() };
        let item = item("a", total.signum()).priced(i64::abs(total));
        let asked = Asked { lines: vec![item.asked], ..asked() };
        let quote = quote(&asked, &[item.tables], &[], &rules).unwrap();
        assert_eq!((quote.total, quote.cash_rounding), (total, expected), "{total} by {cash_step}, {cash_rounding:?}");
    }
}

#[test]
fn a_line_without_a_price_or_with_an_absurd_one_has_none() {
    let one = |item: Item| priced(&[super::till::item("fine", 1), item], &[], false).unwrap_err();
    let mut missing = item("a", 1);
    missing.tables.price = None;
    assert_eq!(one(missing), NoPrice::Missing(1));
    let mut pieces = item("a", 1).weighed();
    pieces.asked.unit = Some(stockroom_crdt::money::Unit::Each);
    assert_eq!(one(pieces), NoPrice::Unit(1));
    assert_eq!(one(item("a", 1).priced(100).less(101)), NoPrice::Discount(1));
    assert_eq!(one(item("a", 1).priced(100).less(-1)), NoPrice::Discount(1));
    assert_eq!(one(item("a", -1).priced(100).less(1)), NoPrice::Discount(1));
    assert_eq!(one(item("a", 0)), NoPrice::Amount(1));
    assert_eq!(one(item("a", 1).entered(-1)), NoPrice::Amount(1));
    assert_eq!(one(item("a", 2).priced(600_000_000_000)), NoPrice::Amount(1));
    let dear = item("a", 1).priced(600_000_000_000);
    assert_eq!(priced(&[dear.clone(), dear], &[], false), Err(NoPrice::Amount(1)));
}

#[test]
fn what_stops_a_line_is_said_and_stops_nothing_that_comes_back() {
    let mut line = item("wine", 1).priced(500);
    line.product().age_min = 18;
    line.product().excluded = 1 << Channel::Till as u8;
    let recall =
        |lot: &str, active| Some(Recall { sku: line.asked.sku.clone(), lot: word(lot), active, reason: word("glass") });
    let week = || {
        let morning = vec![Span { from: 480, until: 590 }];
        [morning, vec![], vec![], vec![], vec![], vec![], vec![]]
    };
    let closed = SaleHours { department: word("WINE"), store: None, week: week(), ended: false };
    let stopped = Item {
        asked: stockroom_crdt::checkout::quote::AskedLine {
            lot: word("L1"),
            expires: Some(20_499),
            ..line.asked.clone()
        },
        tables: stockroom_crdt::checkout::quote::Tables {
            recall: recall("L1", true),
            hours: Some(closed.clone()),
            ..line.tables.clone()
        },
    };
    let stops = |item: &Item| {
        let quote = priced(std::slice::from_ref(item), &[], false).unwrap();
        (quote.explained[0].stops.clone(), quote.lines[0].overridden)
    };
    assert_eq!(stops(&stopped), (Stop::ALL.to_vec(), true));
    let mut back = stopped.clone();
    back.asked.quantity = -1;
    assert_eq!(stops(&back), (vec![], false));
    let mut fine = stopped.clone();
    fine.product().excluded = 0;
    fine.asked.expires = Some(20_500);
    fine.tables.recall = recall("L2", true);
    fine.tables.hours = Some(SaleHours { ended: true, ..closed });
    assert_eq!(stops(&fine), (vec![Stop::Age], false), "an age is checked, not overridden");
    fine.tables.recall = recall("", false);
    fine.product().age_min = 0;
    assert_eq!(stops(&fine), (vec![], false));
    fine.product().discontinued = true;
    assert_eq!(stops(&fine), (vec![Stop::Excluded], true));
}

#[test]
fn a_line_bears_no_more_promotions_than_its_explanation_holds() {
    let ids: Vec<String> = (10..40).map(|id| format!("p{id}")).collect();
    let promotions: Vec<Promotion> = ids.iter().map(|id| promotion(id, Gives::Off(1))).collect();
    let quote = priced(&[item("a", 1).priced(500).less(3)], &promotions, false).unwrap();
    let named = quote.explained[0].reductions.iter().filter(|it| it.promotion != Code::default()).count();
    assert_eq!((named, quote.total), (14, 483), "14 cents, and 3 by hand");
}

fn priced(items: &[Item], promotions: &[Promotion], member: bool) -> Result<Quote, NoPrice> {
    let (lines, tables): (Vec<_>, Vec<_>) = items.iter().cloned().map(|item| (item.asked, item.tables)).unzip();
    quote(&Asked { member, lines, ..asked() }, &tables, promotions, &TillRules::default())
}

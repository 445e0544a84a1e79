//! What holds for the price of every basket, whatever is in force. Figures worked by hand stand in `baskets.rs`.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use stockroom_crdt::checkout::promotion::{Gives, Promotion};
use stockroom_crdt::checkout::quote::{Asked, NoPrice, Quote, Tables, quote};
use stockroom_crdt::checkout::rounding::Rounding;
use stockroom_crdt::checkout::rules::{TaxRate, TillRules};
use stockroom_crdt::checkout::{Checkout, Explanation};
use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Entry, Fact};
use stockroom_crdt::ids::Code;
use stockroom_crdt::limits::{AMOUNT_MAX, REDUCTIONS_MAX};
use stockroom_crdt::money::{Unit, extend};
use stockroom_crdt::sale::SaleLine;
use stockroom_tests::property::{Verdict, check};

use super::till::{Aimed, Item, asked, item, promotion, rate, receipt, sale_of};

/// A basket and all that its price depends on.
#[derive(Clone, Debug)]
struct Case {
    asked: Asked,
    tables: Vec<Tables>,
    promotions: Vec<Promotion>,
    rules: TillRules,
}

impl Case {
    fn quote(&self) -> Result<Quote, NoPrice> {
        quote(&self.asked, &self.tables, &self.promotions, &self.rules)
    }

    fn push(&mut self, item: Item) {
        self.asked.lines.push(item.asked);
        self.tables.push(item.tables);
    }
}

#[test]
fn lines_add_up_to_the_total_and_reductions_to_what_was_taken_off() {
    check("lines_add_up_to_the_total", 3_000, case(), |case| {
        let Ok(quote) = case.quote() else { return Ok(()) };
        prop_assert_eq!(quote.lines.len(), case.asked.lines.len());
        prop_assert_eq!(quote.lines.iter().map(SaleLine::amount).sum::<i64>(), quote.total);
        for ((asked, line), why) in case.asked.lines.iter().zip(&quote.lines).zip(&quote.explained) {
            let sign = line.quantity.signum();
            prop_assert_eq!((&asked.sku, asked.quantity), (&line.sku, line.quantity));
            prop_assert_eq!(why.reductions.iter().map(|it| it.amount).sum::<i64>(), line.discount);
            prop_assert!(why.reductions.iter().all(|it| it.amount * sign > 0), "{:?}", why.reductions);
            prop_assert!(why.reductions.len() <= REDUCTIONS_MAX);
            prop_assert!(line.goods() * sign >= 0, "costs less than nothing: {line:?}");
            let full = extend(line.unit, line.quantity, line.unit_price);
            prop_assert_eq!(line.goods(), full - line.discount);
        }
        let due = quote.total + quote.cash_rounding;
        prop_assert!(case.rules.cash_step < 2 || due % i64::from(case.rules.cash_step) == 0);
        prop_assert!(quote.cash_rounding.abs() < i64::from(case.rules.cash_step.max(1)));
        is_read_as_it_was_written(&quote)
    });
}

/// Sale and explanation in their canonical bytes: what the customer owes is the same after that.
fn is_read_as_it_was_written(quote: &Quote) -> Verdict {
    let sale = sale_of(quote);
    prop_assert_eq!(sale.total(), quote.total);
    let (lines, assured) = (quote.explained.clone(), Vec::new());
    let checkout = Checkout { receipt: receipt(1), shift: 0, basket: None, lines, assured };
    for fact in [Fact::Sale(sale), Fact::Checkout(checkout)] {
        let entry = Entry { hlc: Hlc::new(1, 0), fact };
        prop_assert_eq!(Entry::from_bytes(&entry.to_bytes()), Ok(entry));
    }
    Ok(())
}

#[test]
fn a_line_that_no_promotion_is_about_changes_nothing_else() {
    let stranger = (1..9i64, 0..3_000i64, option::of(tax()));
    check(
        "a_line_that_no_promotion_is_about_changes_nothing_else",
        3_000,
        (case(), stranger),
        |(mut case, stranger)| {
            // A promotion for everything is about every line.
            case.promotions.retain(|it| !it.skus.is_empty() || !it.departments.is_empty());
            let Ok(before) = case.quote() else { return Ok(()) };
            let (quantity, price, tax) = stranger;
            // Its tax is not rounded together with that of other goods.
            let tax = tax.map(|tax| TaxRate { code: Code::parse("other").unwrap(), ..tax });
            case.push(item("stranger", quantity).priced(price).in_department("Z").taxed(tax));
            let after = case.quote().unwrap();
            let count = before.lines.len();
            prop_assert_eq!(&after.lines[..count], &before.lines[..]);
            prop_assert_eq!(&after.explained[..count], &before.explained[..]);
            prop_assert_eq!(after.total, before.total + after.lines[count].amount());
            Ok(())
        },
    );
}

#[test]
fn neither_the_order_of_lines_nor_that_of_promotions_changes_what_is_owed() {
    let input = (case(), vec(any::<prop::sample::Index>(), 0..12));
    check("neither_order_changes_what_is_owed", 3_000, input, |(case, swaps)| {
        let mut other = case.clone();
        for swap in swaps.iter().filter(|_| !case.tables.is_empty()) {
            let at = swap.index(case.tables.len());
            other.asked.lines.swap(0, at);
            other.tables.swap(0, at);
        }
        other.promotions.reverse();
        let (Ok(one), Ok(other)) = (case.quote(), other.quote()) else {
            prop_assert_eq!(case.quote().is_ok(), other.quote().is_ok());
            return Ok(());
        };
        prop_assert_eq!((one.total, one.cash_rounding), (other.total, other.cash_rounding));
        // A cent of a tax rounded for the receipt may move between a line that is sold and its like that comes back.
        let signs: Vec<i64> = case.asked.lines.iter().map(|line| line.quantity.signum()).collect();
        if signs.windows(2).all(|two| two[0] == two[1]) {
            prop_assert_eq!(in_order(&one), in_order(&other));
        }
        Ok(())
    });
}

/// Lines with their explanations, whatever order they were scanned in.
fn in_order(quote: &Quote) -> Vec<String> {
    let pair = |(line, why): (&SaleLine, &Explanation)| format!("{line:?} {why:?}");
    let mut lines: Vec<String> = quote.lines.iter().zip(&quote.explained).map(pair).collect();
    lines.sort();
    lines
}

#[test]
fn a_member_never_pays_more() {
    check("a_member_never_pays_more", 4_000, case(), |mut case| {
        case.asked.lines.iter_mut().for_each(|line| {
            (line.quantity, line.discount) = (line.quantity.abs(), line.discount.abs());
        });
        let quote = |member| Case { asked: Asked { member, ..case.asked.clone() }, ..case.clone() }.quote();
        let (Ok(own), Ok(common)) = (quote(true), quote(false)) else { return Ok(()) };
        prop_assert!(own.total <= common.total, "{} > {}", own.total, common.total);
        prop_assert!(own.total + own.cash_rounding <= common.total + common.cash_rounding);
        Ok(())
    });
}

#[test]
fn what_comes_back_is_what_was_sold_with_the_other_sign() {
    check("what_comes_back_is_what_was_sold", 3_000, case(), |case| {
        let mut back = case.clone();
        back.asked.lines.iter_mut().for_each(|line| {
            (line.quantity, line.discount) = (-line.quantity, -line.discount);
        });
        let (Ok(sold), Ok(back)) = (case.quote(), back.quote()) else {
            prop_assert_eq!(case.quote().err(), back.quote().err());
            return Ok(());
        };
        prop_assert_eq!((sold.total + back.total, sold.cash_rounding + back.cash_rounding), (0, 0));
        for (one, other) in sold.lines.iter().zip(&back.lines) {
            prop_assert_eq!((one.unit_price, one.discount), (other.unit_price, -other.discount));
            prop_assert_eq!(one.amount(), -other.amount());
            let tax = |line: &SaleLine| line.tax.as_ref().map_or(0, |tax| tax.amount);
            prop_assert_eq!(tax(one), -tax(other));
        }
        for (one, other) in sold.explained.iter().zip(&back.explained) {
            let turned = one.reductions.iter().map(|it| (&it.promotion, -it.amount));
            prop_assert!(turned.eq(other.reductions.iter().map(|it| (&it.promotion, it.amount))));
        }
        Ok(())
    });
}

#[test]
fn absurd_amounts_are_refused_and_never_overflow() {
    let number = || prop_oneof![2 => any::<i64>(), 2 => -5..5i64, 1 => select(EDGES.to_vec())];
    let line = (number(), option::of(number()), option::of(number()), option::of(number()), number());
    let lines = vec((line, any::<bool>(), option::of(tax())), 0..5);
    let promotions = vec((super::rung::promotion(), any::<bool>()), 0..4);
    let input = (lines, promotions, (0..=100_000u32, select(Rounding::ALL.to_vec())));
    check("absurd_amounts_are_refused_and_never_overflow", 6_000, input, |(lines, promotions, (step, rounding))| {
        let mut case = Case { asked: asked(), tables: Vec::new(), promotions: Vec::new(), rules: TillRules::default() };
        (case.rules.cash_step, case.rules.cash_rounding) = (step, rounding);
        for ((quantity, book, code, entered, discount), weighed, tax) in lines {
            let mut item = item("x", quantity).taxed(tax);
            item.asked.unit = weighed.then_some(Unit::Gram);
            (item.asked.code_price, item.asked.entered_price, item.asked.discount) = (code, entered, discount);
            item.tables.price = book.map(|price| (price, 0));
            item.tables.product = None;
            case.push(item);
        }
        // Those of any hub, and some that hold here.
        let holds = |promotion| Promotion { from_ms: 0, until_ms: 0, stores: Vec::new(), ended: false, ..promotion };
        let wide = |promotion| Promotion { skus: Vec::new(), departments: Vec::new(), ..holds(promotion) };
        case.promotions = promotions.into_iter().map(|(it, here)| if here { wide(it) } else { it }).collect();
        if let Ok(quote) = case.quote() {
            let amounts =
                quote.lines.iter().flat_map(|line| [line.amount(), line.goods(), line.discount, line.unit_price]);
            prop_assert!(amounts.chain([quote.total]).all(|amount| amount.abs() <= AMOUNT_MAX));
            is_read_as_it_was_written(&quote)?;
        }
        Ok(())
    });
}

#[test]
fn a_tax_rounded_for_the_receipt_is_the_rounded_sum_and_lines_differ_from_their_own_by_less_than_a_cent() {
    check("a_tax_rounded_for_the_receipt_is_the_rounded_sum", 4_000, case(), |case| {
        let Ok(quote) = case.quote() else { return Ok(()) };
        let mut sums: BTreeMap<_, (i64, i128, &TaxRate)> = BTreeMap::new();
        for (line, tables) in quote.lines.iter().zip(&case.tables) {
            let (Some(rate), Some(tax)) = (&tables.tax, &line.tax) else {
                prop_assert_eq!(&line.tax, &None);
                continue;
            };
            let rate_bp = rate.rate_bp.unwrap();
            prop_assert_eq!((&tax.code, tax.rate_bp, tax.added), (&rate.code, rate_bp, !rate.inclusive));
            let (exact, whole) = fraction(rate, line.goods());
            if rate.per_receipt {
                prop_assert!((i128::from(tax.amount) * whole - exact).abs() < whole, "{tax:?} of {line:?}");
                let sum = sums.entry((&rate.code, rate_bp)).or_insert((0, 0, rate));
                (sum.0, sum.1) = (sum.0 + tax.amount, sum.1 + exact);
            } else {
                prop_assert_eq!(tax.amount, rate.rounding.divide(exact, whole));
            }
        }
        for (given, exact, rate) in sums.into_values() {
            prop_assert_eq!(given, rate.rounding.divide(exact, fraction(rate, 0).1));
        }
        Ok(())
    });
}

/// Hundredths of a percent of what the goods cost, or of what they cost without the tax.
fn fraction(rate: &TaxRate, goods: i64) -> (i128, i128) {
    let rate_bp = i128::from(rate.rate_bp.unwrap());
    (i128::from(goods) * rate_bp, 10_000 + if rate.inclusive { rate_bp } else { 0 })
}

#[test]
fn one_promotion_takes_what_it_takes_from_pieces_laid_out_one_by_one() {
    let input = (case(), one_promotion());
    check("one_promotion_takes_what_it_takes_from_single_pieces", 6_000, input, |(mut case, promotion)| {
        case.asked.lines.iter_mut().for_each(|line| {
            (line.quantity, line.discount) = (line.quantity.abs(), 0);
        });
        case.promotions = vec![Promotion { members_only: false, ..promotion }];
        let quote = case.quote().unwrap();
        let given = quote.explained.iter().flat_map(|why| &why.reductions).filter(|it| !it.promotion.is_empty());
        prop_assert_eq!(given.map(|it| it.amount).sum::<i64>(), laid_out(&case, &case.promotions[0], &quote.lines));
        Ok(())
    });
}

/// What a promotion takes off, by a list of all pieces: value, line, and grams of what is weighed.
fn laid_out(case: &Case, promotion: &Promotion, lines: &[SaleLine]) -> i64 {
    let mut pieces: Vec<(i64, usize, Option<i64>)> = Vec::new();
    for (at, (line, tables)) in case.asked.lines.iter().zip(&case.tables).enumerate() {
        let product = tables.product.as_ref().unwrap();
        if line.entered_price.is_some() || !promotion.is_about(&line.sku, &product.department) {
            continue;
        }
        let book = tables.price.unwrap().0;
        match product.unit {
            Unit::Each => (0..line.quantity).for_each(|_| pieces.push((line.code_price.unwrap_or(book), at, None))),
            Unit::Gram => {
                let weighed = line.code_price.unwrap_or(extend(Unit::Gram, line.quantity, book));
                pieces.push((weighed, at, Some(line.quantity)));
            }
        }
    }
    pieces.retain(|piece| piece.0 > 0);
    // Of pieces that cost the same, those of the first product come first, then those of the line that is cheaper a unit or smaller.
    pieces.sort_by_key(|(value, at, _)| {
        let line = &lines[*at];
        (-value, &line.sku, line.unit_price, case.asked.lines[*at].code_price, line.quantity)
    });
    let most = if promotion.per_basket == 0 { usize::MAX } else { promotion.per_basket.into() };
    let half_up = |amount: i64, bp: u32| (amount * i64::from(bp) + 5_000) / 10_000;
    let of = |per: i64, grams: Option<i64>| grams.map_or(per, |grams| extend(Unit::Gram, grams, per));
    let counted = || pieces.iter().filter(|piece| piece.2.is_none()).map(|piece| piece.0).collect::<Vec<_>>();
    match promotion.gives {
        Gives::Percent(bp) => {
            let mut lines: BTreeMap<usize, i64> = BTreeMap::new();
            pieces.iter().take(most).for_each(|piece| *lines.entry(piece.1).or_default() += piece.0);
            lines.into_values().map(|sum| half_up(sum, bp)).sum()
        }
        Gives::Off(off) => {
            let off = pieces.iter().map(|piece| of(off, piece.2).min(piece.0)).filter(|off| *off > 0);
            off.take(most).sum()
        }
        Gives::Price(price) => {
            pieces.iter().map(|piece| piece.0 - of(price, piece.2)).filter(|off| *off > 0).take(most).sum()
        }
        Gives::BuyGet { buy, get, off_bp } => {
            let group = |group: &[i64]| half_up(group[buy.into()..].iter().sum(), off_bp);
            let offs = counted().chunks_exact(usize::from(buy + get)).map(group).collect::<Vec<_>>();
            offs.into_iter().filter(|off| *off > 0).take(most).sum()
        }
        Gives::Bundle { units, price } => {
            let group = |group: &[i64]| group.iter().sum::<i64>() - price;
            let offs = counted().chunks_exact(units.into()).map(group).collect::<Vec<_>>();
            offs.into_iter().filter(|off| *off > 0).take(most).sum()
        }
        Gives::Basket { from, off } => {
            let sum: i64 = pieces.iter().map(|piece| piece.0).sum();
            let fits = if from == 0 { 1 } else { (sum / from).min(most.try_into().unwrap_or(i64::MAX)) };
            (off * fits).min(sum)
        }
    }
}

/// A shop's tables, and a basket of what it has; some of it comes back.
fn case() -> impl Strategy<Value = Case> {
    let shelf = vec((0..1_500i64, prop::bool::weighted(0.25), select(vec!["A", "B", ""]), option::of(0..6usize)), 1..7);
    let rates = vec(tax(), 6);
    let line = (
        any::<prop::sample::Index>(),
        (1..7i64, 1..2_500i64, prop::bool::weighted(0.15)),
        option::weighted(0.15, 1..2_000i64),
        option::weighted(0.1, 0..2_000i64),
        prop_oneof![5 => Just(0), 1 => 1..60i64],
    );
    let rules = (select(vec![0, 1, 5, 10]), select(Rounding::ALL.to_vec()));
    let input = (shelf, rates, vec(line, 0..9), vec(one_promotion(), 0..7), (rules, any::<bool>()));
    input.prop_map(|(shelf, rates, lines, promotions, ((step, rounding), member))| {
        let rules = TillRules { cash_step: step, cash_rounding: rounding, ..TillRules::default() };
        let mut case = Case { asked: Asked { member, ..asked() }, tables: Vec::new(), promotions, rules };
        for (index, (pieces, grams, back), code, entered, discount) in lines {
            let at = index.index(shelf.len());
            let (price, weighed, department, tax) = shelf[at];
            let sign = if back { -1 } else { 1 };
            let quantity = sign * if weighed { grams } else { pieces };
            let mut item = item(GOODS[at], quantity).priced(price).in_department(department);
            if weighed {
                item = item.weighed();
            }
            // The code of a tax is a rate, so goods with one code have one rate.
            let tax = tax.map(|at| TaxRate { code: Code::parse(&format!("t{at}")).unwrap(), ..rates[at].clone() });
            item = item.taxed(tax);
            (item.asked.code_price, item.asked.entered_price) = (code, entered);
            item.asked.discount = sign * discount;
            case.push(item);
        }
        // Names are unique in a book.
        for (at, promotion) in case.promotions.iter_mut().enumerate() {
            promotion.id = Code::parse(&format!("p{at}")).unwrap();
        }
        case
    })
}

fn tax() -> impl Strategy<Value = TaxRate> {
    let flags = (any::<bool>(), any::<bool>());
    (select(vec![0, 700, 887, 1_900, 2_550, 100_000]), flags, select(Rounding::ALL.to_vec())).prop_map(
        |(rate_bp, (inclusive, per_receipt), rounding)| TaxRate {
            inclusive,
            per_receipt,
            rounding,
            ..rate("t", rate_bp)
        },
    )
}

/// A promotion for few goods, a department or everything, that holds.
fn one_promotion() -> impl Strategy<Value = Promotion> {
    let gives = prop_oneof![
        (1..=10_000u32).prop_map(Gives::Percent),
        (1..800i64).prop_map(Gives::Off),
        (0..1_000i64).prop_map(Gives::Price),
        (1..4u16, 1..3u16, select(vec![10_000, 5_000, 3_333]))
            .prop_map(|(buy, get, off_bp)| { Gives::BuyGet { buy, get, off_bp } }),
        (2..5u16, 0..3_000i64).prop_map(|(units, price)| Gives::Bundle { units, price }),
        (0..4_000i64, 1..900i64).prop_map(|(from, off)| Gives::Basket { from, off }),
    ];
    let skus = proptest::sample::subsequence(GOODS.to_vec(), 0..4);
    let departments = proptest::sample::subsequence(vec!["A", "B"], 0..2);
    let flags = (any::<bool>(), prop::bool::weighted(0.3));
    (gives, skus, departments, flags, (0..3u8, prop_oneof![2 => Just(0), 1 => 1..4u16])).prop_map(
        |(gives, skus, departments, (members_only, exclusive), (priority, per_basket))| Promotion {
            members_only,
            exclusive,
            priority,
            per_basket,
            ..promotion("p", gives).of(&skus).in_departments(&departments)
        },
    )
}

const GOODS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

const EDGES: [i64; 8] =
    [i64::MIN, i64::MAX, AMOUNT_MAX, -AMOUNT_MAX, AMOUNT_MAX + 1, 10_000_000, 10_000_001, -10_000_000];

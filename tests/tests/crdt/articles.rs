//! Article numbers, SKUs, codes, currencies: what is taken at the edge and what is not.

use proptest::prelude::*;

use stockroom_crdt::gtin::{Embedded, Gtin, GtinError, Template};
use stockroom_crdt::ids::{Code, Sku, TextError};
use stockroom_crdt::money::{Currency, Unit, extend};
use stockroom_tests::property::check;

use super::arbitrary::{gtin, gtin_of};
use super::facts::template;

#[test]
fn a_gtin_is_one_number_however_many_zeros_stand_before_it() {
    check("a_gtin_is_one_number", 1_000, gtin(), |gtin| {
        let text = gtin.to_string();
        prop_assert_eq!(text.len(), 14);
        prop_assert_eq!(Gtin::parse(&text), Ok(gtin));
        for len in [8, 12, 13] {
            let (zeros, digits) = text.split_at(14 - len);
            let expected = if zeros.bytes().all(|b| b == b'0') { Ok(gtin) } else { Gtin::parse(digits) };
            prop_assert_eq!(Gtin::parse(digits), expected);
        }
        prop_assert_eq!(Gtin::from_number(gtin.number()), Ok(gtin));
        Ok(())
    });
}

#[test]
fn every_wrong_digit_and_most_swaps_are_found() {
    let input = (gtin(), 0..14usize, 1..10u8);
    check("every_wrong_digit_and_most_swaps_are_found", 2_000, input, |(gtin, place, step)| {
        let mut digits = gtin.to_string().into_bytes();
        digits[place] = (digits[place] - b'0' + step) % 10 + b'0';
        let wrong = String::from_utf8(digits.clone()).unwrap();
        prop_assert!(matches!(Gtin::parse(&wrong), Err(GtinError::Check { .. })), "{}", wrong);
        let mut digits = gtin.to_string().into_bytes();
        let place = place.min(12);
        let difference = digits[place].abs_diff(digits[place + 1]);
        digits.swap(place, place + 1);
        let swapped = String::from_utf8(digits).unwrap();
        prop_assert_eq!(Gtin::parse(&swapped).is_ok(), difference == 0 || difference == 5, "{}", swapped);
        Ok(())
    });
}

#[test]
fn texts_that_are_not_a_gtin_are_refused() {
    for text in ["", "0", "1234567", "123456789", "12345678901", "400638133393100"] {
        assert_eq!(Gtin::parse(text), Err(GtinError::Length), "{text}");
    }
    for text in ["+4006381", "4006381 ", "40063813339-1", "\u{662}\u{662}\u{662}\u{662}", "1e345678"] {
        assert_eq!(Gtin::parse(text), Err(GtinError::Digits), "{text}");
    }
    assert_eq!(Gtin::from_number(100_000_000_000_000), Err(GtinError::Length));
    assert_eq!(Gtin::from_number(u64::MAX), Err(GtinError::Length));
    assert_eq!(Gtin::parse("99999999999997").map(Gtin::number), Ok(99_999_999_999_997));
}

#[test]
fn in_store_codes_are_those_from_20_to_29() {
    let ean = |prefix: u64| gtin_of(prefix * 10_000_000_000 + 1_234_500_750);
    for prefix in 20..=29 {
        assert!(ean(prefix).is_in_store(), "{prefix}");
    }
    for prefix in [0, 1, 2, 4, 10, 19, 30, 40, 99] {
        assert!(!ean(prefix).is_in_store(), "{prefix}");
    }
    let case_of_an_in_store_article = gtin_of(1_200_000_000_000);
    assert!(!case_of_an_in_store_article.is_in_store());
}

#[test]
fn a_template_reads_back_what_a_scale_printed() {
    let input = (template(), any::<u64>(), any::<u64>());
    check("a_template_reads_back_what_a_scale_printed", 2_000, input, |(template, item, value)| {
        let items = 10u64.pow(u32::from(template.item_digits));
        let values = 10u64.pow(10 - u32::from(template.item_digits));
        let (item, value) = (item % items, value % values);
        let code = gtin_of((u64::from(template.prefix) * items + item) * values + value);
        let scaled = value as i64 * 10i64.pow(template.scale.into());
        prop_assert_eq!(template.split(code), Some((item as u32, scaled)));
        let other = Template { prefix: 20 + (template.prefix - 19) % 10, ..template };
        prop_assert_eq!(other.split(code), None);
        Ok(())
    });
}

#[test]
fn a_template_leaves_codes_of_manufacturers_alone() {
    let template = Template { prefix: 20, item_digits: 5, embedded: Embedded::Price, scale: 0 };
    for text in ["4006381333931", "036000291452", "96385074", "10012345678902"] {
        assert_eq!(template.split(Gtin::parse(text).unwrap()), None);
    }
    for broken in [
        Template { prefix: 19, ..template },
        Template { prefix: 30, ..template },
        Template { item_digits: 3, ..template },
        Template { item_digits: 7, ..template },
        Template { scale: 4, ..template },
    ] {
        assert!(!broken.is_valid(), "{broken:?}");
    }
    assert!(template.is_valid());
}

#[test]
fn skus_take_32_plain_characters() {
    let longest = "A".repeat(32);
    for text in ["0", "00012", "a.b-c_d/e", "18446744073709551616", longest.as_str()] {
        assert_eq!(Sku::parse(text).map(|sku| sku.to_string()), Ok(text.to_owned()));
    }
    assert_eq!(Sku::parse(""), Err(TextError::Empty));
    assert_eq!(Sku::parse(&"A".repeat(33)), Err(TextError::TooLong(32)));
    for text in [" ", "a b", "a\0", "ä", "a:b", "a,b", "\u{661}", "a\n"] {
        assert_eq!(Sku::parse(text), Err(TextError::Character), "{text:?}");
    }
    assert_ne!(Sku::parse("12"), Sku::parse("012"), "a SKU is a text, also when it looks like a number");
}

#[test]
fn codes_take_any_text_without_control_characters() {
    assert!(Code::parse("").unwrap().is_empty());
    for text in ["x", "Größe 12", "数量", " "] {
        assert_eq!(Code::parse(text).map(|code| code.to_string()), Ok(text.to_owned()));
    }
    assert_eq!(Code::parse(&"ä".repeat(17)), Err(TextError::TooLong(32)));
    for text in ["\n", "a\u{7}", "\u{9b}", "\u{7f}"] {
        assert_eq!(Code::parse(text), Err(TextError::Character), "{text:?}");
    }
}

#[test]
fn currencies_are_three_capitals() {
    for text in ["EUR", "AAA", "ZZZ"] {
        assert_eq!(Currency::parse(text).map(|currency| currency.to_string()).as_deref(), Some(text));
    }
    for text in ["", "EU", "EURO", "eur", "E R", "ÄE"] {
        assert_eq!(Currency::parse(text), None, "{text}");
    }
}

#[test]
fn extending_a_line_rounds_half_away_from_zero_and_stops_at_the_ends() {
    let near = || prop_oneof![-3_000..3_000i64, any::<i64>()];
    check("extending_a_line_rounds_half_away_from_zero", 3_000, (near(), near()), |(quantity, price)| {
        let product = i128::from(quantity) * i128::from(price);
        let rounded = (2 * product + 1_000 * product.signum()) / 2_000;
        for (unit, exact) in [(Unit::Each, product), (Unit::Gram, rounded)] {
            let expected = i64::try_from(exact).unwrap_or(if exact > 0 { i64::MAX } else { i64::MIN });
            prop_assert_eq!(extend(unit, quantity, price), expected);
        }
        Ok(())
    });
}

//! Goods, as a scanner and hurried hands handle them: finding, receiving, counting, correcting, and what other stores send.

use fantoccini::key::Key;
use stockroom_tests::browser::Browser;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{APPLES, BO, MIA, MILK, TEA, WINE, World};
use stockroom_tests::nodes::binary::{is, wait_until};
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn goods_are_found_received_and_corrected_once_and_the_figure_says_why() {
    let world = World::shop();
    let store = world.store(1);
    let Some(handheld) = Browser::open(store.address()) else { return };
    sign_in(&handheld, &MIA);

    handheld.go("/stock");
    handheld.scan(MILK.code);
    handheld.see_in("#list", MILK.name);
    handheld.see_not(TEA.name);
    handheld.fill("Barcode, number or name", "longj");
    handheld.press(Key::Enter);
    handheld.see_in("#list", TEA.name);
    handheld.see_not(MILK.name);
    handheld.fill("Barcode, number or name", "nothing like it");
    handheld.press(Key::Enter);
    handheld.see("Nothing here is called that");

    handheld.go("/receiving");
    handheld.fill("Delivery note or order number", "DN-77");
    // As people do: Enter, then they scan.
    handheld.press(Key::Enter);
    handheld.scan(MILK.code);
    handheld.see_in(".lines", MILK.name);
    handheld.scan(MILK.code);
    handheld.scan(TEA.code);
    handheld.see_in(".lines", TEA.name);
    let lines = "return Object.fromEntries([...document.querySelectorAll('.lines li')].map((li) => \
                 [li.dataset.sku, li.querySelector('[data-name=quantity]').value]))";
    handheld.wait_for("two milk, one tea", lines, |seen| seen[MILK.sku] == "2" && seen[TEA.sku] == "1");
    // A code scanned into a field for a number is not a number.
    handheld.eval("document.querySelector('.lines [data-name=quantity]').focus()");
    handheld.scan(WINE.code);
    handheld.see_in(".lines", WINE.name);
    handheld.wait_for("the quantity stayed", lines, |seen| seen[TEA.sku] == "1" && seen[WINE.sku] == "1");
    // What nobody knows is said in a sentence.
    handheld.allow("404");
    handheld.scan("4000000000006");
    handheld.see("Nothing here has this code: 4000000000006");
    // Weighed goods ask for their weight at once.
    handheld.fill("Scan, number or name", "apples");
    handheld.press(Key::Enter);
    handheld.see_in(".lines", APPLES.name);
    handheld.wait_for("the weight is asked for", "return document.activeElement.dataset.type", |kind| *kind == "grams");
    handheld.write("1,25");
    // It is all there after the page was left.
    handheld.go("/stock");
    handheld.go("/receiving");
    handheld.see_in(".lines", WINE.name);
    handheld.fill("Delivery note or order number", "DN-77");
    // Hurried hands click twice.
    handheld.eval("const book = [...document.querySelectorAll('#receiving button')].find((one) => one.textContent === 'Book it in'); book.click(); book.click()");
    handheld.see("Booked in under DN-77.");
    for (sku, wanted) in [(MILK.sku, 26), (TEA.sku, 25), (WINE.sku, 25), (APPLES.sku, 26_250)] {
        assert_eq!(store.on_hand(sku, 1), Ok(wanted), "{sku}");
    }

    handheld.go(&format!("/stock/{}", MILK.sku));
    handheld.see("Why is this 26?");
    handheld.fill("How many more or fewer", "-23");
    handheld.choose("Reason", "damaged");
    handheld.eval("const one = [...document.querySelectorAll('button')].find((one) => one.textContent === 'Correct it'); one.click(); one.click()");
    handheld.see("The book was corrected.");
    handheld.see_in("#why", "Why is this 3?");
    handheld.see_in("#why", "+24");
    handheld.see_in("#why", "+2");
    handheld.see_in("#why", "−23");
    assert_eq!(store.on_hand(MILK.sku, 1), Ok(3));
    handheld.fill("How many more or fewer", "many");
    handheld.click("Correct it");
    handheld.see("is not a number");
}

#[test]
fn a_count_by_two_people_in_two_places_is_added_up_and_becomes_the_book() {
    let world = World::shop();
    let store = world.store(1);
    let Some(shelf) = Browser::open(store.address()) else { return };
    let Some(back) = Browser::open(store.address()) else { return };
    sign_in(&shelf, &MIA);
    sign_in(&back, &BO);
    shelf.go("/counts");
    shelf.fill("Product numbers", &format!("{} {}", MILK.sku, TEA.sku));
    shelf.click("Start");
    shelf.see("Scan, or type a number");
    let count = shelf.at();
    shelf.see("0 counted of 2");

    back.go("/counts");
    back.click("2 products");
    back.see_at(&count);
    back.fill("Where (shelf, back room)", "back room");
    // The scanner is used at once, while the place still has the focus.
    for (who, code, number) in [(&back, MILK.code, "4"), (&shelf, MILK.code, "9"), (&shelf, TEA.code, "24")] {
        who.scan(code);
        let asked = "return document.activeElement.name";
        who.wait_for("it asks how many", asked, |name| *name == "quantity");
        who.write(number);
        who.press(Key::Enter);
        who.see(&format!("Recorded: {number}"));
    }
    // Both see what the other counted.
    for who in [&shelf, &back] {
        who.see("2 counted of 2");
        who.see_in("#lines", "13");
    }
    shelf.click("Close the count");
    shelf.see("The books then say what was counted.");
    shelf.click("Close the count");
    shelf.see_at("/counts");
    shelf.see("The books follow the count.");
    assert_eq!((store.on_hand(MILK.sku, 1), store.on_hand(TEA.sku, 1)), (Ok(13), Ok(24)));
    shelf.go(&format!("/stock/{}", MILK.sku));
    shelf.see("Why is this 13?");
    shelf.see_in("#why", "counted");
}

#[test]
fn goods_go_from_one_store_to_another_and_what_is_missing_is_seen() {
    let world = World::chain();
    let Some(from) = Browser::open(world.store(1).address()) else { return };
    let Some(to) = Browser::open(world.store(2).address()) else { return };
    sign_in(&from, &MIA);
    sign_in(&to, &MIA);
    to.go("/transfers");
    let before = world.store(2).on_hand(WINE.sku, 2).unwrap();

    from.go("/transfers");
    from.click("Send goods to another store");
    from.fill("To which store", "2");
    from.press(Key::Enter);
    from.scan(WINE.code);
    from.see_in("#sending .lines", WINE.name);
    from.fill("Quantity", "6");
    from.click("Send off");
    from.see("Sent off:");

    to.see("from store 1");
    to.see("on its way");
    to.click("from store 1");
    to.click("Something differs");
    to.scan(WINE.code);
    to.see_in("#differing .lines", WINE.name);
    to.fill("Quantity", "5");
    to.fill("Reason for a difference", "broken");
    to.click("Take in what was scanned");
    to.see("Booked.");
    to.see("differs");
    assert_eq!(world.store(2).on_hand(WINE.sku, 2), Ok(before + 5));
    wait_until(CONVERGE_MAX, "the sender's book follows", || is(&world.store(1).on_hand(WINE.sku, 1)?, &18));
    from.see("differs");
}

//! Members: enrolled, found, written about by two people at once, asked, shown what is kept of them, and forgotten.

use serde_json::json;
use stockroom_tests::browser::Browser;
use stockroom_tests::browser::pages::sign_in;
use stockroom_tests::browser::worlds::{HANNA, MEMBER_NAME, MEMBER_PHONE, MIA, World};
use stockroom_tests::nodes::binary::wait_until;
use stockroom_tests::nodes::door::Reply;
use stockroom_tests::nodes::fleet::CONVERGE_MAX;

#[test]
fn a_member_is_enrolled_found_shown_what_is_kept_and_erased() {
    let world = World::shop();
    let Some(desk) = Browser::open(world.store(1).address()) else { return };
    sign_in(&desk, &MIA);
    desk.go("/members");
    desk.fill("Name", "Zhao Lei 赵磊");
    desk.fill("Telephone", "8613900139000");
    desk.tick("messages about offers");
    desk.click("Enrol");
    desk.see("Enrolled.");
    desk.see_in("h1", "Zhao Lei 赵磊");
    let page = desk.at();

    // Another is not mistaken for him.
    desk.go("/members");
    desk.choose("Known by", "Telephone");
    desk.fill("Number, address or card", MEMBER_PHONE);
    desk.click("Find");
    desk.see_in("h1", MEMBER_NAME);
    desk.go("/members");
    desk.choose("Known by", "Telephone");
    desk.fill("Number, address or card", "8613900139000");
    desk.click("Find");
    desk.see_at(&page);

    desk.click("She withdraws it: messages about offers");
    desk.see("Her choice was written down.");
    desk.click("She agrees now: offers made from what she bought");
    desk.see("She withdraws it");
    let agreed = "return [...document.querySelectorAll('#consent button')].map((one) => one.textContent.trim()).join()";
    desk.wait_for("what is agreed", agreed, |seen| {
        *seen == "She withdraws it,She agrees now,She withdraws it,She agrees now"
    });

    desk.click("Access report");
    desk.see("What is kept of you");
    desk.see("Zhao Lei 赵磊");
    desk.see("8613900139000");
    desk.see("withdrawn: messages about offers");
    desk.see("Who looked at it");
    desk.click("Back to the member");
    desk.see_at(&page);

    desk.click("Erase this member");
    desk.click("Erase for good");
    // It asks, and nothing happens before the answer.
    desk.click("Cancel");
    desk.reload();
    desk.see_in("h1", "Zhao Lei 赵磊");
    desk.click("Erase this member");
    desk.click("Erase for good");
    desk.see("Her values become unreadable everywhere");
    desk.click("Erase for good");
    desk.see_at("/members");
    desk.see("She was erased here");
    desk.go(&page);
    desk.see("This member was erased.");
    desk.see_not("Zhao Lei");
}

#[test]
fn what_two_people_wrote_apart_is_shown_to_be_settled() {
    let world = World::shop();
    let store = world.store(1);
    let Some(desk) = Browser::open(store.address()) else { return };
    sign_in(&desk, &MIA);
    let note = format!("/v1/notes/members/{}", world.member);
    let done = |reply: Result<Reply, String>| reply.and_then(Reply::good).unwrap();
    desk.go(&format!("/members/{}", world.member));
    desk.see_in("h1", MEMBER_NAME);

    done(store.post("/v1/test/isolate", None, &json!({ "cut": true })));
    desk.see_in("#link-state", "Cut off from the hub");
    desk.fill("Name of a preference", "substitute");
    desk.fill("What she prefers", "oat milk");
    desk.click("Write down");
    desk.see("Written down.");
    desk.see_in("#notes", "oat milk");
    let other = json!({ "store": 1, "staff": HANNA.staff, "edits": [{ "do": "set", "name": "substitute", "text": "nothing" }] });
    done(world.hub.post(&note, Some("apart"), &other));
    done(store.post("/v1/test/isolate", None, &json!({ "cut": false })));

    desk.see_in("#notes", "Two people wrote this apart from each other");
    desk.see_in("#notes", "“oat milk” by mia");
    desk.see_in("#notes", "“nothing” by hanna");
    desk.eval("[...document.querySelectorAll('#notes form')].find((form) => form.textContent.includes('oat milk')).querySelector('button').click()");
    desk.see("Written down.");
    desk.see_not("Two people wrote this");
    desk.see_in("#notes", "oat milk");
    wait_until(CONVERGE_MAX, "the hub has it", || {
        let note = world.hub.read(&format!("{note}?store=1"))?;
        if note["conflicts"] == json!([]) { Ok(()) } else { Err(note.to_string()) }
    });
}

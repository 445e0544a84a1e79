//! The pages about members: finding or enrolling one, and what is known of her: values, points, coupons, notes with their conflicts, consent.
//!
//! Values are masked or shown by the API's rules, and each reading is written down there.
//!
//! | module | what it knows |
//! |---|---|
//! | [`one`] | one member |
//! | [`report`] | all that is kept of her, to be handed over |

pub mod one;
pub mod report;

use maud::{Markup, html};

use super::ask::{Ask, Trouble};
use super::layout::Page;
use super::words::words;

words! {
    /// What stands on the page that finds members, and words that the other pages share.
    Words {
        title: "Members", "会员";
        find: "Find a member", "查找会员";
        find_about: "Scan the card, or type a number. A store that does not know her asks the hub.", "扫描会员卡或输入号码。本店没有的会员会向中心查询。";
        by: "Known by", "查找方式";
        value: "Number, address or card", "号码、邮箱或卡号";
        find_it: "Find", "查找";
        asking: "This store does not know her: the hub is being asked.", "本店没有该会员，正在向中心查询。";
        unanswered: "This store does not know her, and the hub cannot be asked now. You can enrol her: the hub joins the accounts later.", "本店没有该会员，且暂时无法查询中心。可先登记，中心稍后会合并账户。";
        nobody: "Nobody is known by that.", "没有找到该会员。";
        found: "Found", "找到";
        enrol: "Enrol a member", "登记会员";
        enrol_about: "One of these is enough. Nothing of it stands unsealed in any log.", "填写其中一项即可，资料均加密保存。";
        name: "Name", "姓名";
        phone: "Telephone", "电话";
        email: "E-mail", "邮箱";
        card: "Card", "会员卡";
        app: "App", "应用账号";
        birthday: "Birthday", "生日";
        remark: "Remark", "备注";
        agrees: "She agrees to", "会员同意";
        membership: "being a member: points, member prices, receipts on line", "成为会员：积分、会员价、电子小票";
        messages: "messages about offers", "接收优惠信息";
        personal: "offers made from what she bought", "基于购买记录的个性化优惠";
        sharing: "giving her data to brands", "向品牌方提供数据";
        enrol_it: "Enrol", "登记";
        enrolled: "Enrolled.", "已登记。";
        masked: "masked", "已隐藏";
        verified: "proven", "已验证";
        member: "Member", "会员";
    }
}

/// What members can be found by.
const FOUND_BY: [&str; 4] = ["card", "phone", "email", "app"];

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let body = html! {
        div.columns {
            section {
                h2 { (words.find) }
                p.quiet { (words.find_about) }
                form data-post="/v1/members/find" data-keep #find {
                    label { span { (words.value) } input name="value" data-scan required autocomplete="off" autofocus; }
                    label { span { (words.by) } select name="field" { @for field in FOUND_BY { option value=(field) { (field_word(words, field)) } } } }
                    p.acts { button.main { (words.find_it) } }
                }
                div #found role="status" data-asking=(words.asking) data-unanswered=(words.unanswered) data-nobody=(words.nobody) data-member=(words.member) {}
            }
            section { h2 { (words.enrol) } (enrolment(words)) }
        }
    };
    Ok(Page::new("/members", words.title, body).with(&["members.js"]))
}

/// The word for a kind of value.
pub fn field_word(words: &Words, field: &str) -> String {
    let word = match field {
        "name" => words.name,
        "phone" => words.phone,
        "email" => words.email,
        "card" => words.card,
        "app" => words.app,
        "birthday" => words.birthday,
        "remark" => words.remark,
        other => other,
    };
    word.into()
}

/// The words for a purpose.
pub fn purpose_words(words: &Words, purpose: &str) -> String {
    let word = match purpose {
        "membership" => words.membership,
        "messages" => words.messages,
        "personal" => words.personal,
        "sharing" => words.sharing,
        other => other,
    };
    word.into()
}

/// What somebody may agree to.
pub const PURPOSES: [&str; 4] = ["membership", "messages", "personal", "sharing"];

fn enrolment(words: &Words) -> Markup {
    let fields =
        [("name", "text", "name"), ("phone", "tel", "tel"), ("email", "email", "email"), ("card", "text", "off")];
    html! {
        p.quiet { (words.enrol_about) }
        form data-post="/v1/members" data-then="/members/{member}" data-done=(words.enrolled) data-enrol {
            @for (index, (field, kind, complete)) in fields.iter().enumerate() {
                div {
                    input type="hidden" name={ "values[" (index) "].field" } value=(field);
                    label { span { (field_word(words, field)) } input name={ "values[" (index) "].value" } type=(kind) autocomplete=(complete); }
                }
            }
            fieldset {
                legend { (words.agrees) }
                @for purpose in PURPOSES { label.check { input type="checkbox" data-purpose=(purpose) checked[purpose == "membership"]; span { (purpose_words(words, purpose)) } } }
            }
            p.acts { button.main { (words.enrol_it) } }
        }
    }
}

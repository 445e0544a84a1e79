//! The customer at the counter: one field that takes a pickup code, a pass, or the end of a number; then one button.
//!
//! The page's script does the work, since a handheld hands over what it took along also where the node cannot be reached.

use maud::html;

use super::super::ask::{Ask, Trouble};
use super::super::layout::Page;
use super::super::words::words;
use super::part::{Place, places};

words! {
    /// What stands on the page of the counter.
    Words {
        title: "Handover", "交货";
        field: "Pickup code, pass, order number or phone ending", "取货码、凭证、订单号或手机尾号";
        code: "The customer's six digits, or the pass", "顾客的六位取货码或凭证";
        find: "Find", "查找";
        camera: "Scan with the camera", "用摄像头扫码";
        along: "Taken along with this handheld", "本设备带走的订单";
        along_about: "These can be handed over with their code where the node cannot be reached. Bring back what is left.", "在无法连接节点的地方，可凭取货码交付这些订单；剩余的请带回。";
        hand_over: "Hand over", "交给顾客";
        check_age: "I have seen the age on a document", "已查验证件年龄";
        too_young: "Too young: keep those lines back", "年龄不足，扣留相关商品";
        document: "Document", "证件";
        id_card: "identity card", "身份证";
        passport: "passport", "护照";
        licence: "driving licence", "驾照";
        other: "Next customer", "下一位顾客";
        manager: "Without code: a manager decides", "无取货码：由店长决定";
        take: "Take it along with this handheld", "用本设备带走";
        bring: "Bring it back", "带回";
        bay: "Bay", "货位";
        bags: "bags", "袋";
        age: "age", "年龄";
        until: "until", "至";
        pieces: "pieces", "件";
        expect: "Ask for:", "请询问代取人：";
    }
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let body = html! {
        (places(ask.language(), Place::Handover))
        form.row #counter data-order=(ask.param("order").unwrap_or_default()) {
            label { span #counter-label data-any=(words.field) data-code=(words.code) { (words.field) }
                input #counter-field name="text" required maxlength="4096" data-scan autocomplete="off" autocapitalize="off" spellcheck="false" autofocus enterkeyhint="go"; }
            button.main.large { (words.find) }
            button type="button" data-camera="counter-field" { (words.camera) }
        }
        p #counter-said.said role="alert" hidden {}
        section #found hidden tabindex="-1" aria-live="polite"
            data-say-hand-over=(words.hand_over) data-say-check-age=(words.check_age) data-say-too-young=(words.too_young) data-say-document=(words.document)
            data-say-id-card=(words.id_card) data-say-passport=(words.passport) data-say-licence=(words.licence) data-say-other=(words.other)
            data-say-manager=(words.manager) data-say-take=(words.take) data-say-bring=(words.bring) data-say-bay=(words.bay) data-say-bags=(words.bags)
            data-say-age=(words.age) data-say-until=(words.until) data-say-pieces=(words.pieces) data-say-expect=(words.expect) {}
        section #along hidden aria-labelledby="along-head" {
            h2 #along-head { (words.along) }
            p.quiet { (words.along_about) }
            ul.list #along-list {}
        }
    };
    Ok(Page::new("/orders", words.title, body).with(&["outbox.js", "camera.js", "handover.js"]))
}

//! The drawer and the day: taking the drawer, cash in and out, the blind count, opening and closing the day. Forms of the page; its script fills
//! in the till and shows those that fit.

use maud::{Markup, html};

use crate::api::pages::ask::Ask;
use crate::api::pages::words::words;

words! {
    /// What stands in the drawer's dialog.
    Words {
        title: "Drawer and day", "钱箱与营业日";
        staff: "Your short name", "您的工号";
        none: "Nobody has this till's drawer.", "本机钱箱无人使用。";
        take: "Take the drawer", "开班";
        float: "Cash that lies in it", "钱箱中的现金";
        taken: "The drawer is yours.", "已开班。";
        cash: "Cash in or out", "现金存取";
        kind: "What", "类型";
        paid_in: "put in", "存入";
        paid_out: "taken out for something", "支出";
        dropped: "to the safe", "存入保险箱";
        amount: "Amount", "金额";
        reason: "What for", "用途";
        book: "Write it down", "登记";
        booked: "Written down.", "已登记。";
        give_back: "Count and give the drawer back", "清点并交班";
        counted: "What is in it: count without looking anything up", "清点钱箱实有现金";
        close_shift: "Close the shift", "交班";
        day: "Business day", "营业日";
        open_day: "Open the day", "开始营业日";
        close_day: "Close the day", "结束营业日";
        opened: "The day is open.", "营业日已开始。";
        close: "Close", "关闭";
        close_sure: "Close the day? Sales after this belong to the next one.", "确定结束营业日？之后的销售计入下一日。";
    }
}

/// The dialog.
pub fn dialog(ask: &Ask) -> Markup {
    let words = Words::of(ask.language());
    let till = html! { input type="hidden" name="till" data-type="int" data-till; };
    // Where nobody signs in, each says who she is.
    let unnamed = ask.signed_in().is_none();
    let staff = html! {
        @if unnamed { label { span { (words.staff) } input name="staff" required maxlength="32" autocomplete="off" autocapitalize="none"; } }
    };
    let till_in_path = html! { input type="hidden" name="till" data-path data-till; };
    html! {
        dialog #drawer-box.till-box aria-labelledby="drawer-title" {
            h2 #drawer-title { (words.title) }
            p #drawer-said.said role="alert" hidden {}
            p #shift-state { (words.none) }
            form #shift-open data-drawer data-post="/v1/shifts" data-done=(words.taken) data-when="closed" {
                (till)
                div.row {
                    (staff)
                    label { span { (words.float) } input name="float" data-type="money" inputmode="decimal" required autocomplete="off"; }
                    button.main { (words.take) }
                }
            }
            details data-when="open" {
                summary { (words.cash) }
                form #shift-cash data-drawer data-approve="drawer" data-post="/v1/shifts/{till}/cash" data-done=(words.booked) {
                    (till_in_path)
                    div.row {
                        (staff)
                        label { span { (words.kind) }
                            select name="kind" { option value="paid-in" { (words.paid_in) } option value="paid-out" { (words.paid_out) } option value="drop" { (words.dropped) } } }
                        label { span { (words.amount) } input name="amount" data-type="money" inputmode="decimal" required autocomplete="off"; }
                        label { span { (words.reason) } input name="reason" maxlength="40" autocomplete="off"; }
                        button { (words.book) }
                    }
                }
            }
            details data-when="open" {
                summary { (words.give_back) }
                form #shift-close data-drawer data-approve="drawer" data-keep data-post="/v1/shifts/{till}/close" {
                    (till_in_path)
                    div.row {
                        (staff)
                        label { span { (words.counted) } input name="counted" data-type="money" inputmode="decimal" required autocomplete="off"; }
                        button.main { (words.close_shift) }
                    }
                }
            }
            p #shift-report {}
            h3 { (words.day) }
            p #day-state {}
            form #day-open data-drawer data-post="/v1/days/open" data-done=(words.opened) data-day="closed" { button { (words.open_day) } }
            form #day-close data-drawer data-post="/v1/days/close" data-confirm=(words.close_sure) data-day="open" { button { (words.close_day) } }
            p.acts { button.quiet type="button" data-closes autofocus { (words.close) } }
        }
    }
}

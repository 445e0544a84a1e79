//! The till: for a shop that has no other. Scanning, paying, taking back, the drawer and the day, all through the API that any till uses.
//!
//! The page brings what a till has to know before anybody is asked: who sells, which terminals there are, the rules for cash. Everything else its
//! scripts ask for, and keep in this browser ([`said`] has their words).

mod drawer;
pub mod said;

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use stockroom_crdt::checkout::staff::Role;

use super::ask::{Ask, Trouble};
use super::layout::Page;
use super::words::words;
use crate::config::Profile;

words! {
    /// What stands on this page.
    Words {
        title: "Till", "收银";
        scan: "Scan or type a code, a name or a number", "扫码，或输入条码、名称、编号";
        scan_hint: "3*code sells three; 0.350*code weighs 350 g.", "3*条码 为三件；0.350*条码 为 350 克。";
        add: "Add", "添加";
        basket: "Basket", "购物篮";
        empty: "Nothing yet: scan the first article.", "尚无商品：请扫描第一件商品。";
        to_pay: "To pay", "应付";
        pay: "Pay", "付款";
        member: "Member", "会员";
        coupon: "Coupon", "优惠券";
        put_aside: "Put aside", "挂单";
        waiting: "Waiting", "已挂单";
        clear: "Throw away", "清空";
        receipts: "Receipts and returns", "小票与退货";
        drawer: "Drawer and day", "钱箱与营业日";
        till_number: "Till", "收银机";
        change_till: "Change number", "更改编号";
        keys: "Keys", "快捷键";
        key_scan: "back to the scan field", "回到扫码栏";
        key_lines: "choose a line", "选择商品行";
        key_more: "one more, one less of the chosen line", "所选商品加一、减一";
        key_remove: "take the chosen line out", "删除所选商品";
        key_escape: "close what is open", "关闭窗口";
        last: "Last sale", "上一笔";
        change_due: "Change", "找零";
        show_receipt: "Show receipt", "查看小票";
        print_receipt: "Print receipt", "打印小票";
        close: "Close", "关闭";
        cash: "Cash", "现金";
        card: "Card", "银行卡";
        wallet: "Wallet", "电子钱包";
        voucher: "Voucher", "代金券";
        given: "Given", "实收";
        exact: "Exact", "正好";
        take_cash: "Take cash", "收现金";
        reference: "Number on the terminal's slip (if there is one)", "刷卡单号（如有）";
        amount: "Amount", "金额";
        taken: "It was paid", "已支付";
        ask_terminal: "Ask terminal", "请求终端";
        by_hand: "The terminal stands alone: enter what it says.", "终端未联机：请输入其结果。";
        left: "Left to pay", "尚欠";
        terminal_waits: "The terminal", "终端";
        ask_again: "Ask what became of it", "查询结果";
        pay_else: "Pay otherwise", "改用其他方式";
        throw_away: "Throw the basket away", "放弃购物篮";
        says_paid: "The terminal shows: paid", "终端显示：已支付";
        says_not: "The terminal shows: not paid", "终端显示：未支付";
        member_find: "Card or telephone", "会员卡或电话";
        find: "Find", "查找";
        without: "Without a member", "不使用会员";
        points: "Points to pay with", "使用积分";
        use_them: "Use", "使用";
        coupon_code: "Coupon code", "优惠券码";
        take: "Take", "使用";
        receipt_number: "Receipt number, or scan it", "小票号，或扫描小票";
        signed: "Code on the receipt of another store (scan it)", "他店小票上的码（扫描）";
        void_it: "Take the whole receipt back (void)", "整单作废";
        return_it: "Take back what is chosen", "退回所选商品";
        reason: "Why", "原因";
        resale: "back on the shelf", "可再销售";
        quarantine: "set aside", "隔离";
        scrap: "throw away", "报废";
        goods: "The goods", "商品";
        in_cash: "Give the money in cash", "退现金";
        number_title: "Which till is this?", "这是几号收银机？";
        number_about: "Each till has a number of its own, which stands on its receipts. Two devices must never share one.", "每台收银机有自己的编号，印在小票上；两台设备不得共用编号。";
        number: "Number of this till", "本机编号";
        keep_number: "Use this number", "使用此编号";
        held_title: "Held on this till", "保存在本机";
        held_slip: "Held on this till: not yet in the books. The receipt follows when the node is back.", "保存在本机，尚未入账；节点恢复后生成小票。";
        print_slip: "Print slip", "打印凭条";
        weight: "Weight in kg", "重量（千克）";
    }
}

/// What a till follows, as far as the page needs it.
#[derive(Deserialize, Default)]
struct Rules {
    items: Vec<Rule>,
    usual: Rule,
}

#[derive(Deserialize, Default, Clone)]
struct Rule {
    store: Option<u32>,
    cash_step: u32,
    cash_rounding: String,
    shift_needed: bool,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    let words = Words::of(ask.language());
    let rules: Rules = ask.get("/v1/till-rules/tills").await?;
    let terminals: Vec<_> = ask.api().config.terminals.iter().map(|name| name.as_str().to_owned()).collect();
    let rule = rule(&ask, &rules);
    let shifts = shows_shifts(&ask, rule);
    let about = json!({
        "terminals": terminals,
        "rules": { "cash_step": rule.cash_step, "cash_rounding": rule.cash_rounding, "shift_needed": rule.shift_needed },
        "bound": ask.signed_in().is_some(),
        "manager": ask.signed_in().is_some() && ask.may(Role::Manager),
        "solo": ask.api().info.profile == Profile::Solo,
        "shifts": shifts,
    });
    let body = html! {
        div #till data-about=(about.to_string()) {
            p #state.said hidden role="status" {}
            (bar(words, shifts))
            div.till {
                div.till-goods {
                    (scanning(words))
                    section.till-basket aria-labelledby="basket" {
                        h2 #basket.hidden { (words.basket) }
                        p #change-now.till-change hidden { span { (words.change_due) } b {} }
                        p #empty.quiet { (words.empty) }
                        ol #lines.till-lines {}
                    }
                }
                (side(words))
            }
            (keys(words, shifts))
            (paying(words))
            (asking(words))
            (past(words))
            (number(words))
            @if shifts { (drawer::dialog(&ask)) }
            article #slip hidden {}
        }
    };
    let scripts: &[&str] = &["till-kept.js", "till-goods.js", "till.js", "till-pay.js", "till-desk.js"];
    Ok(Page::new("/till", words.title, body).with(scripts))
}

/// Whether this shop counts drawers and opens and closes its day by hand. One person with one till does not, unless her hub wants it.
fn shows_shifts(ask: &Ask, rule: &Rule) -> bool {
    ask.api().info.profile != Profile::Solo || rule.shift_needed
}

/// The rules of this store's tills: its own, else those for everybody, else the usual.
fn rule<'a>(ask: &Ask, rules: &'a Rules) -> &'a Rule {
    let own = ask.api().info.store;
    let of = |store: Option<u32>| rules.items.iter().find(|rule| rule.store == store);
    of(Some(own)).or_else(|| of(None)).unwrap_or(&rules.usual)
}

fn bar(words: &Words, shifts: bool) -> Markup {
    html! {
        div.till-bar {
            button #till-number.quiet type="button" data-opens="number-box" { (words.till_number) " " b #till-is { "?" } }
            span #shift-is.quiet {}
            span #catalogue-is.quiet role="status" {}
            span.till-bar-acts {
                button type="button" #waiting-open data-key="F9" data-opens="waiting-box" { (words.waiting) " " b #waiting-count {} (kbd("F9")) }
                button type="button" data-key="F6" data-opens="receipts-box" { (words.receipts) (kbd("F6")) }
                @if shifts { button type="button" data-key="F10" data-opens="drawer-box" { (words.drawer) (kbd("F10")) } }
            }
        }
    }
}

fn scanning(words: &Words) -> Markup {
    html! {
        form #scan-form.till-scan autocomplete="off" {
            label for="scan" { span { (words.scan) } }
            div.till-scan-row {
                input #scan data-scan autofocus autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="enter" aria-describedby="scan-hint";
                button.main { (words.add) }
            }
            p #scan-hint.quiet.hidden { (words.scan_hint) }
            ul #found.till-found hidden {}
        }
    }
}

fn side(words: &Words) -> Markup {
    html! {
        section.till-side aria-labelledby="to-pay" {
            h2 #to-pay.hidden { (words.to_pay) }
            div.till-due {
                p.till-total { span { (words.to_pay) } output #total for="scan" { "" } }
                p #rounded.quiet hidden {}
                button #pay.main.large type="button" data-key="F8" disabled { (words.pay) (kbd("F8")) }
            }
            ul #benefits.till-benefits hidden {}
            p.acts.till-acts {
                button type="button" data-key="F4" data-opens="member-box" { (words.member) (kbd("F4")) }
                button type="button" data-key="F7" data-opens="coupon-box" { (words.coupon) (kbd("F7")) }
                button #aside type="button" { (words.put_aside) }
                button #clear.danger type="button" { (words.clear) }
            }
            div #last.till-last hidden {
                h3 { (words.last) " " span #last-number {} }
                p #last-change.till-change hidden { span { (words.change_due) } b {} }
                p #last-note {}
                p.acts {
                    button #last-show type="button" { (words.show_receipt) }
                    button #last-print type="button" { (words.print_receipt) }
                }
            }
            div #held hidden {
                h3 { (words.held_title) }
                ul #held-list.list data-note=(words.held_slip) data-print=(words.print_slip) {}
            }
        }
    }
}

fn keys(words: &Words, shifts: bool) -> Markup {
    let keys = [
        ("F2", words.key_scan),
        ("F4", words.member),
        ("F6", words.receipts),
        ("F7", words.coupon),
        ("F8", words.pay),
        ("F9", words.waiting),
        ("F10", words.drawer),
        ("↑ ↓", words.key_lines),
        ("+ −", words.key_more),
        ("Del", words.key_remove),
        ("Esc", words.key_escape),
    ];
    html! {
        details #keys {
            summary { (words.keys) }
            dl.till-keys { @for (key, what) in keys.into_iter().filter(|(key, _)| shifts || *key != "F10") { div { dt { kbd { (key) } } dd { (what) } } } }
            p.quiet { (words.scan_hint) }
        }
    }
}

fn paying(words: &Words) -> Markup {
    html! {
        dialog #pay-box.till-box aria-labelledby="pay-title" {
            h2 #pay-title { (words.pay) }
            p.till-total { span { (words.left) } output #left {} }
            p #pay-said.said role="alert" hidden {}
            ul #paid.list {}
            div #pay-ways {
                form #cash-form.till-way {
                    label { span { (words.cash) ": " (words.given) } input #given inputmode="decimal" autocomplete="off"; }
                    p #quick.acts {}
                    button #take-cash.main.large { (words.take_cash) " " span #cash-change {} }
                }
                p.quiet.till-alone hidden { (words.by_hand) }
                p #terminals.acts {}
                details #other-ways {
                    summary { (words.card) ", " (words.wallet) ", " (words.voucher) }
                    form #other-form {
                        label { span { (words.amount) } input #other-amount inputmode="decimal" autocomplete="off"; }
                        label { span { (words.reference) } input #other-reference autocomplete="off" maxlength="64"; }
                        p.acts {
                            button name="kind" value="card" { (words.card) ": " (words.taken) }
                            button name="kind" value="other" { (words.wallet) ": " (words.taken) }
                            button name="kind" value="voucher" { (words.voucher) }
                        }
                    }
                }
            }
            div #asked hidden {
                h3 { (words.terminal_waits) }
                p #asked-now {}
                p.acts {
                    button #asked-look type="button" { (words.ask_again) }
                    button #asked-cash type="button" { (words.pay_else) ": " (words.cash) }
                    button #asked-yes type="button" { (words.says_paid) }
                    button #asked-no type="button" { (words.says_not) }
                    button #asked-away.danger type="button" { (words.throw_away) }
                }
            }
            p.acts { button.quiet type="button" data-closes { (words.close) " " kbd { "Esc" } } }
        }
    }
}

fn asking(words: &Words) -> Markup {
    html! {
        dialog #member-box.till-box aria-labelledby="member-title" {
            h2 #member-title { (words.member) }
            form #member-form.row {
                label { span { (words.member_find) } input #member-code autocomplete="off" required autofocus; }
                button.main { (words.find) }
            }
            p #member-said.said role="alert" hidden {}
            ul #member-found.list {}
            form #points-form.row hidden {
                label { span { (words.points) " " span #points-held {} } input #points inputmode="numeric" autocomplete="off"; }
                button { (words.use_them) }
            }
            p.acts {
                button #member-none type="button" { (words.without) }
                button.quiet type="button" data-closes { (words.close) }
            }
        }
        dialog #coupon-box.till-box aria-labelledby="coupon-title" {
            h2 #coupon-title { (words.coupon) }
            form #coupon-form.row {
                label { span { (words.coupon_code) } input #coupon-code autocomplete="off" required maxlength="64" autofocus; }
                button.main { (words.take) }
            }
            p #coupon-said.said role="alert" hidden {}
            p.acts { button.quiet type="button" data-closes { (words.close) } }
        }
        dialog #weight-box.till-box aria-labelledby="weight-title" {
            h2 #weight-title {}
            form #weight-form.row {
                label { span { (words.weight) } input #weight inputmode="decimal" autocomplete="off" required autofocus; }
                button.main { (words.add) }
            }
            p #weight-said.said role="alert" hidden {}
            p.acts { button.quiet type="button" data-closes { (words.close) } }
        }
        dialog #waiting-box.till-box aria-labelledby="waiting-title" {
            h2 #waiting-title { (words.waiting) }
            p #waiting-said.said role="alert" hidden {}
            ul #waiting-list.list {}
            p.acts { button.quiet type="button" data-closes autofocus { (words.close) } }
        }
    }
}

fn past(words: &Words) -> Markup {
    html! {
        dialog #receipts-box.till-box aria-labelledby="receipts-title" {
            h2 #receipts-title { (words.receipts) }
            form #receipt-form.row {
                label { span { (words.receipt_number) } input #receipt-number autocomplete="off" required autofocus; }
                button.main { (words.find) }
            }
            p #receipt-said.said role="alert" hidden {}
            div #receipt-found hidden {
                p #receipt-head {}
                form #return-form {
                    ul #receipt-lines.list {}
                    div.row {
                        label { span { (words.reason) } input #return-reason maxlength="40" autocomplete="off"; }
                        label { span { (words.goods) }
                            select #return-goods { option value="resale" { (words.resale) } option value="quarantine" { (words.quarantine) } option value="scrap" { (words.scrap) } } }
                    }
                    label { span { (words.signed) } input #return-signed autocomplete="off"; }
                    label.check { input #return-cash type="checkbox" checked; span { (words.in_cash) } }
                    p.acts {
                        button.main { (words.return_it) }
                        button #void.danger type="button" { (words.void_it) }
                        button #receipt-show type="button" { (words.show_receipt) }
                        button #receipt-print type="button" { (words.print_receipt) }
                    }
                }
            }
            p.acts { button.quiet type="button" data-closes { (words.close) } }
        }
    }
}

fn number(words: &Words) -> Markup {
    html! {
        dialog #number-box.till-box aria-labelledby="number-title" {
            h2 #number-title { (words.number_title) }
            p { (words.number_about) }
            form #number-form {
                label { span { (words.number) } input #number inputmode="numeric" pattern="[1-9][0-9]{0,8}" required autocomplete="off" autofocus; }
                p #number-said.said role="alert" hidden {}
                p.acts { button.main { (words.keep_number) } button.quiet type="button" data-closes { (words.close) } }
            }
        }
    }
}

/// The key that presses a button, as it stands on the button.
fn kbd(key: &str) -> Markup {
    html! { " " kbd aria-hidden="true" { (key) } }
}

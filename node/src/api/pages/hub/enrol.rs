//! Letting nodes in, believing them no more, and the people of head office.

use maud::{Markup, html};
use serde::Deserialize;

use super::{Common, for_office, of_chain};
use crate::api::pages::ask::{Ask, Trouble};
use crate::api::pages::layout::Page;
use crate::api::pages::shown::Shown;
use crate::api::pages::words::words;
use crate::api::values::now_ms;

words! {
    /// What stands on this page.
    Words {
        title: "Nodes", "节点";
        let_in: "Let a node in", "加入节点";
        about: "Whoever has the token can run one node of that store, once, within its time. Show the QR code to the new box, or paste the text at `stockroom join`.", "持有令牌者可在有效期内为该门店加入一个节点（一次）。请在新设备上扫描二维码，或粘贴文本。";
        store: "Number of the store", "门店编号";
        name: "Its name", "名称";
        more: "More about a new store", "新门店的更多信息";
        book: "Price book", "价目表";
        group: "Group that shares stock", "共享库存分组";
        currency: "Currency", "货币";
        zone: "Time zone", "时区";
        lat: "Degrees north", "纬度";
        lon: "Degrees east", "经度";
        valid: "Good for", "有效期";
        hour: "an hour", "一小时";
        day: "a day", "一天";
        make: "Make a token", "生成令牌";
        made: "Token for store {store}, good until {expires_at}: {token}", "门店{store}的令牌，有效至 {expires_at}：{token}";
        port_open: "The door for new nodes is open until", "加入端口开放至";
        port_closed: "No token is out: the door for new nodes is closed.", "没有未使用的令牌，加入端口已关闭。";
        nodes: "Nodes of the chain", "全部节点";
        node: "Node", "节点";
        role: "What it is", "类型";
        issued: "Let in", "加入时间";
        by: "by", "由";
        root: "the tenant's root", "根密钥";
        hub: "hub", "中心";
        shop: "store", "门店";
        believed: "believed", "有效";
        revoked: "revoked", "已吊销";
        this: "this node", "本节点";
        revoke: "Revoke", "吊销";
        revoke_about: "Nothing that this node writes from now on counts, here or at any store, and it gets no more data. That cannot be taken back: a box that comes back joins again with a new token. What it wrote before stays. Rights that it held are written off apart from that, below.", "此后该节点写入的内容在所有门店均无效，也不再获得数据，且不可撤回；设备需凭新令牌重新加入。此前写入的内容保留，其持有的配额需另行注销。";
        reason: "Why", "原因";
        stolen: "stolen", "被盗";
        lost: "lost", "丢失";
        cloned: "cloned", "被克隆";
        replaced: "replaced", "已更换";
        revoke_sure: "Nobody will believe this node again, and that cannot be taken back. Revoke it?", "吊销后无法恢复，确定吊销该节点？";
        revoke_done: "Node {node} is revoked.", "节点{node}已吊销。";
        write_off: "Write its rights off", "注销其配额";
        write_off_about: "What it held may have been promised without anybody knowing. The first try is refused and names how many units are at risk; repeat it with that number.", "其持有的配额可能已被承诺。首次提交会显示风险件数，请填写该数量后再次提交。";
        accept: "Units at risk that are accepted", "接受的风险件数";
        staff: "People who sign in", "可登录人员";
        staff_about: "Whoever has a PIN signs in. Head office may open these pages; a manager approves at the tills.", "设有 PIN 的人员可以登录：总部人员可使用这些页面，店长可在收银台授权。";
        staff_none: "Nobody has a PIN: whoever opens these pages on this machine may do everything.", "尚无 PIN：任何打开此页面的人均可操作。";
        short: "Short name", "短名";
        full: "Name", "姓名";
        stores: "Stores (numbers, empty for all)", "门店编号（空为全部）";
        pin: "PIN (4 to 12 digits; empty leaves it)", "PIN（4–12 位数字，留空不变）";
        has_pin: "has a PIN", "已设 PIN";
        no_pin: "no PIN", "无 PIN";
        save: "Save", "保存";
        saved: "{name} is entered.", "{name}已保存。";
        end: "Does not work here any more", "已离职";
        end_sure: "She cannot sign in anywhere any more. Go on?", "此后将无法登录任何门店，确定？";
        cashier: "cashier", "收银员";
        associate: "associate", "店员";
        manager: "manager", "店长";
        head_office: "head office", "总部";
    }
}

#[derive(Deserialize)]
struct Nodes {
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    node: u32,
    role: String,
    store: u32,
    issued_at: Option<String>,
    issuer: u32,
    fenced: bool,
}

#[derive(Deserialize)]
struct Staff {
    items: Vec<Person>,
}

#[derive(Deserialize)]
struct Person {
    staff: String,
    name: String,
    role: String,
    stores: Vec<u32>,
    has_pin: bool,
}

/// The page.
pub async fn page(ask: Ask) -> Result<Page, Trouble> {
    for_office(&ask)?;
    let (words, common, shown) = (Words::of(ask.language()), Common::of(ask.language()), of_chain(&ask));
    let nodes: Nodes = ask.get("/v1/nodes").await?;
    let staff: Staff = ask.get("/v1/staff?limit=200").await?;
    let open = ask.api().info.enrolment.as_ref().and_then(|enrolment| enrolment.open_until(now_ms()));
    let body = html! {
        (token(open, words, &shown))
        section #nodes data-live="control" aria-labelledby="nodes-title" {
            h2 #nodes-title { (words.nodes) " " span.quiet { (nodes.items.len()) } }
            (node_table(&nodes, ask.api().info.node, (words, common), &shown))
        }
        (people(&staff, words))
    };
    Ok(Page::new("/enrol", words.title, body))
}

fn token(open: Option<u64>, words: &Words, shown: &Shown) -> Markup {
    html! {
        section aria-labelledby="let-in" {
            h2 #let-in { (words.let_in) }
            p { (words.about) }
            p.quiet #door data-live="control" { @match open { Some(until) => { (words.port_open) " " (shown.moment(until)) "." }, None => (words.port_closed) } }
            form data-post="/v1/enrolment-tokens" data-done=(words.made) data-show="qr_svg" data-keep {
                div.row {
                    label.small { span { (words.store) } input name="store" required inputmode="numeric" data-type="int"; }
                    label { span { (words.name) } input name="name" maxlength="64" autocomplete="off"; }
                    label.small { span { (words.valid) } select name="valid_s" data-type="int" { option value="3600" { (words.hour) } option value="86400" { (words.day) } } }
                    button.main { (words.make) }
                }
                details #more-of-store {
                    summary { (words.more) }
                    div.row {
                        label { span { (words.book) } input name="book" maxlength="32"; }
                        label { span { (words.group) } input name="group" maxlength="32"; }
                        label.small { span { (words.currency) } input name="currency" maxlength="3" placeholder="EUR"; }
                        label { span { (words.zone) } input name="zone" placeholder="Europe/Berlin"; }
                        label.small { span { (words.lat) } input name="coordinates.lat" inputmode="decimal" data-type="json"; }
                        label.small { span { (words.lon) } input name="coordinates.lon" inputmode="decimal" data-type="json"; }
                    }
                }
            }
        }
    }
}

fn node_table(nodes: &Nodes, own: u32, (words, common): (&Words, &Common), shown: &Shown) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="nodes-title" { table {
            thead { tr { th { (words.node) } th { (words.role) } th { (words.issued) } th { (words.believed) } th { span.hidden { (words.revoke) } } } }
            tbody { @for node in &nodes.items { tr {
                th scope="row" { (node.node) @if node.node == own { " " span.tag { (words.this) } } }
                td { @if node.role == "hub" { (words.hub) } @else { a href=(format!("/fleet/{}", node.store)) { (common.store) " " (node.store) } } }
                td { @if let Some(at) = &node.issued_at { (shown.moment_of(at)) } " " span.aged { (words.by) " " @if node.issuer == 0 { (words.root) } @else { (words.node) " " (node.issuer) } } }
                td { @if node.fenced { span.tag.bad { (words.revoked) } } @else { span.tag.good { (words.believed) } } }
                td { @if node.node != own { (revoke(node, words)) } }
            } } }
        } }
    }
}

fn revoke(node: &Node, words: &Words) -> Markup {
    html! {
        details id=(format!("revoke-{}", node.node)) {
            summary aria-label=(format!("{} {}", words.revoke, node.node)) { @if node.fenced { (words.write_off) } @else { (words.revoke) } }
            @if node.fenced {
                p.quiet { (words.write_off_about) }
                form.row data-post=(format!("/v1/nodes/{}/write-off", node.node)) data-then="reload" data-keep {
                    input type="hidden" name="reason" value="revoked";
                    label.small { span { (words.accept) } input name="accept" inputmode="numeric" data-type="int"; }
                    button.danger { (words.write_off) }
                }
            } @else {
                p.quiet { (words.revoke_about) }
                form.row data-post=(format!("/v1/nodes/{}/fence", node.node)) data-confirm=(words.revoke_sure) data-done=(words.revoke_done) data-then="reload" {
                    label { span { (words.reason) } select name="reason" {
                        option value="stolen" { (words.stolen) } option value="lost" { (words.lost) } option value="cloned" { (words.cloned) } option value="replaced" { (words.replaced) }
                    } }
                    button.danger { (words.revoke) }
                }
            }
        }
    }
}

fn people(staff: &Staff, words: &Words) -> Markup {
    let role = |role: &str| match role {
        "head-office" => words.head_office,
        "manager" => words.manager,
        "associate" => words.associate,
        _ => words.cashier,
    };
    let roles = |chosen: &str| {
        let all = ["head-office", "manager", "associate", "cashier"];
        html! { @for value in all { option value=(value) selected[value == chosen] { (role(value)) } } }
    };
    html! {
        section aria-labelledby="staff" {
            h2 #staff { (words.staff) }
            p { @if staff.items.iter().any(|person| person.has_pin) { (words.staff_about) } @else { (words.staff_none) } }
            ul.list { @for person in &staff.items { li {
                details id=(format!("staff-{}", person.staff)) {
                    summary { (person.name) " (" (person.staff) ") · " (role(&person.role)) " · " @if person.has_pin { (words.has_pin) } @else { (words.no_pin) }
                        @if !person.stores.is_empty() { " · " @for store in &person.stores { (store) " " } } }
                    form.row data-post="/v1/staff/{code}" data-method="PUT" data-done=(words.saved) data-then="reload" {
                        input type="hidden" name="code" value=(person.staff) data-path;
                        label { span { (words.full) } input name="name" required maxlength="64" value=(person.name); }
                        label { span { (words.role) } select name="role" { (roles(&person.role)) } }
                        @for (index, store) in person.stores.iter().enumerate() { input type="hidden" name=(format!("stores[{index}]")) value=(store) data-type="int"; }
                        label { span { (words.pin) } input name="pin" type="password" inputmode="numeric" autocomplete="new-password" minlength="4" maxlength="12"; }
                        button { (words.save) }
                    }
                    form.acts data-post="/v1/staff/{code}" data-method="PUT" data-then="reload" data-confirm=(words.end_sure) {
                        input type="hidden" name="code" value=(person.staff) data-path;
                        input type="hidden" name="name" value=(person.name);
                        input type="hidden" name="role" value=(person.role);
                        input type="hidden" name="ended" value="true" data-type="bool";
                        button.quiet { (words.end) }
                    }
                }
            } } }
            form.row data-post="/v1/staff/{code}" data-method="PUT" data-done=(words.saved) data-then="reload" {
                label { span { (words.short) } input name="code" required maxlength="32" data-path autocomplete="off"; }
                label { span { (words.full) } input name="name" required maxlength="64" autocomplete="off"; }
                label { span { (words.role) } select name="role" { (roles("head-office")) } }
                label { span { (words.pin) } input name="pin" type="password" inputmode="numeric" autocomplete="new-password" minlength="4" maxlength="12"; }
                button.main { (words.save) }
            }
        }
    }
}

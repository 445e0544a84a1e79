//! What pages say: in which language, and the one way to write words down in all of them.
//!
//! Each page has a table of its own next to it, made with [`words!`]; a word that lacks a language does not compile.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::{HeaderMap, Uri, header};

use super::cookies;
pub use crate::paper::words::Language;

/// A table of words: `words! { Words { greeting: "Hello", "你好"; } }` makes a struct with a field per word, to be had as `Words::of(language)`.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($key:ident: $english:literal, $chinese:literal;)+ }) => {
        $(#[$about])*
        pub struct $name {
            $(
                #[doc = $english]
                pub $key: &'static str,
            )+
        }

        impl $name {
            /// The words of a language.
            pub fn of(language: $crate::paper::words::Language) -> &'static Self {
                static ENGLISH: $name = $name { $($key: $english,)+ };
                static CHINESE: $name = $name { $($key: $chinese,)+ };
                match language {
                    $crate::paper::words::Language::English => &ENGLISH,
                    $crate::paper::words::Language::Chinese => &CHINESE,
                }
            }
        }
    };
}
pub(in crate::api) use words;

/// The language of a request: what its reader chose, else what the browser prefers, else English.
pub fn chosen(headers: &HeaderMap) -> Language {
    let named = cookies::read(headers, cookies::LANGUAGE).and_then(|tag| parse(&tag));
    named.unwrap_or_else(|| {
        let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let tags = wanted.split(',').map(|part| part.split(';').next().unwrap_or_default().trim());
        tags.filter_map(parse).next().unwrap_or_default()
    })
}

/// The language that an address names, as `?lang=zh-CN`.
pub fn asked(uri: &Uri) -> Option<Language> {
    let Query(query) = Query::<BTreeMap<String, String>>::try_from_uri(uri).ok()?;
    query.get("lang").and_then(|tag| parse(tag))
}

/// A language by its tag, or by the beginning of one.
pub fn parse(tag: &str) -> Option<Language> {
    match tag.split('-').next()?.to_ascii_lowercase().as_str() {
        "en" => Some(Language::English),
        "zh" => Some(Language::Chinese),
        _ => None,
    }
}

/// All languages, each with its own name.
pub const LANGUAGES: [(Language, &str); 2] = [(Language::English, "English"), (Language::Chinese, "中文")];

words! {
    /// What stands around every page.
    Shell {
        skip: "Skip to the content", "跳到正文";
        menu: "Menu", "菜单";
        till: "Till", "收银";
        orders: "Orders", "订单";
        stock: "Stock", "库存";
        members: "Members", "会员";
        labels: "Labels", "价签";
        today: "Today", "今日";
        link: "Link", "连接";
        more: "More", "更多";
        fleet: "Fleet", "门店群";
        chain_stock: "Stock everywhere", "各店库存";
        chain_rights: "Rights", "配额";
        chain_orders: "Orders", "订单";
        chain_prices: "Prices and campaigns", "价格与活动";
        chain_risk: "Promises at risk", "风险承诺";
        enrol: "Nodes", "节点";
        security: "Security", "安全";
        hub: "Hub", "区域中心";
        store: "Store", "门店";
        sign_in: "Sign in", "登录";
        sign_out: "Sign out", "退出";
        nobody: "Nobody is signed in", "未登录";
        language: "Language", "语言";
        no_script: "These pages need JavaScript: allow it for this address.", "本页面需要 JavaScript，请为此地址启用。";
        node_gone: "The node does not answer. What you do is kept on this device.", "节点无响应。您的操作会保存在本设备上。";
        in_touch: "In touch with the hub", "已与中心连接";
        all_sent: "everything sent", "数据已全部送达";
        waiting: "waiting to be sent:", "待发送：";
        cut_off: "Cut off from the hub", "与中心断开";
        turned_away: "Not believed by the hub", "中心不再信任本节点";
        turned_away_call: "Another box may be this store's node. Stop using this one and call support.", "可能已有其他设备接替，请停用本机并联系支持人员。";
        cut_off_go_on: "Selling, pickups and deliveries go on.", "销售、自提和配送照常进行。";
        never: "never heard", "从未联系";
        hub_here: "This is the hub", "这里是中心";
        stores_connected: "stores connected:", "已连接门店：";
        since: "since", "自";
        age: "as of", "截至";
        ago: "ago", "前";
        own: "our own, now", "本店实时";
        wrong_title: "That did not work", "操作未成功";
        go_back: "Back", "返回";
        again: "Try again", "重试";
        home: "To the start", "回到首页";
        not_found: "There is no such page or thing here. It may have been typed wrongly, or it was removed.", "这里没有该页面或对象，可能输入有误或已被删除。";
        of_manager: "This needs a manager: sign in as one.", "此操作需要店长，请以店长身份登录。";
        print: "Print", "打印";
        search: "Search", "搜索";
        save: "Save", "保存";
        cancel: "Cancel", "取消";
        none: "Nothing here.", "暂无内容。";
        solo: "one-till shop", "单机小店";
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_reader_gets_her_language() {
        let of = |name, value| chosen(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]));
        assert_eq!(of(header::ACCEPT_LANGUAGE, "de-DE,zh-Hans;q=0.8,en;q=0.5"), Language::Chinese);
        assert_eq!(of(header::ACCEPT_LANGUAGE, "fr"), Language::English);
        assert_eq!(of(header::COOKIE, "a=b; stockroom_lang=zh-CN"), Language::Chinese);
        assert_eq!(of(header::COOKIE, "stockroom_lang=xx"), Language::English);
    }
}

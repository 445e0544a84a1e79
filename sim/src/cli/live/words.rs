//! The message table of the live view: plain English and simplified Chinese. Scripts and pages hold no words of their own.

use stockroom_sim::hand::HandDeed;
use stockroom_sim::outcome::Verdict;
use stockroom_sim::plan::Who;

use super::pace::Going;
use super::picture::{Known, LinkState, NodeState};
use super::story::Told;

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// English.
    English,
    /// Simplified Chinese.
    Chinese,
}

use Tongue::{Chinese, English};

/// What a tag of [`Tongue::say`] is in both languages.
type Row = (&'static str, &'static str, &'static str);

const TABLE: &[Row] = &[
    ("kicker", "Stockroom, a simulated chain of stores, live", "Stockroom · 门店连锁模拟 · 实况"),
    ("seed", "seed", "种子"),
    ("skip", "Skip to the controls", "跳到控制按钮"),
    (
        "no-script",
        "This view is live and needs its script. Without one, play the run with --report and read that page.",
        "实况页面需要脚本。没有脚本时，请用 --report 运行，然后阅读那个页面。",
    ),
    ("controls", "Controls", "控制"),
    ("play", "Play", "播放"),
    ("pause", "Pause", "暂停"),
    ("event", "Next event", "下一件事"),
    ("minute", "Next minute", "下一分钟"),
    ("speed", "Speed", "速度"),
    ("most", "as fast as it can", "最快"),
    ("close", "End the program", "结束程序"),
    ("closed", "The program has ended. This page is the last that it showed.", "程序已结束。本页是最后一次画面。"),
    ("apart", "This page lost its program and tries to reach it again.", "页面与程序失去联系，正在重新连接。"),
    ("network", "The chain", "网络"),
    (
        "network-help",
        "A round handle on a link cuts it or heals it. The list of links below does the same from the keyboard.",
        "点击链路上的圆钮可切断或恢复。下面的链路列表可用键盘操作。",
    ),
    ("story", "What just happened", "刚刚发生"),
    ("story-empty", "Nothing yet. Press Play.", "还没有。请按“播放”。"),
    ("skipped", "more in between are not shown", "条中间记录未显示"),
    ("nodes", "What each node knows", "各节点的状态"),
    ("node", "Node", "节点"),
    ("state", "State", "状态"),
    ("backlog", "Not at the hub yet", "尚未送达上级"),
    ("age", "What its hub knows is", "上级所知"),
    ("lacks", "Lacks of others", "缺少他人记录"),
    ("deeds", "Done", "已完成"),
    ("hub-knows", "hub knows", "上级所知"),
    ("it-knows", "stores known", "门店所知"),
    ("waits", "waits", "待送"),
    ("links", "Links", "链路"),
    ("link", "Link", "链路"),
    ("cut", "Cut", "切断"),
    ("heal", "Heal", "恢复"),
    ("checks", "Checks", "检查"),
    ("all-checks", "All checks", "全部检查"),
    ("acts", "Done by hand", "手动操作"),
    ("acts-none", "No link was cut by hand.", "尚未手动切断链路。"),
    ("acts-file", "Download the acts, to play the same run again", "下载操作记录，以便重放同一次运行"),
    ("acts-again", "Play it again with", "重放命令"),
    ("report", "Read the report", "阅读报告"),
    ("no-cut-now", "The faults have stopped: nothing can be cut any more.", "故障阶段已结束：不能再切断链路。"),
    ("not-now", "Not now: the run is over.", "现在不行：运行已结束。"),
    ("no-link", "There is no such link.", "没有这条链路。"),
    ("busy", "Too many at once. Try again.", "操作过多，请重试。"),
    ("unreadable", "That is nothing that can be asked here.", "无法识别的请求。"),
    ("language", "中文", "English"),
    ("moment", "Simulated time", "模拟时间"),
    ("of", "of", "/"),
];

/// Faults by the beginning of their name, in Chinese; in English they have their names.
const FAULTS: &[(&str, &str)] = &[
    ("H1", "手动切断链路"),
    ("H2", "手动恢复链路"),
    ("N10", "连接重置"),
    ("N13", "重连风暴"),
    ("N1", "链路变差"),
    ("N2", "重放旧帧"),
    ("N4", "网络分区"),
    ("N5", "单向切断"),
    ("N6", "链路抖动"),
    ("N7 carrier", "运营商中断"),
    ("N7", "节点孤立"),
    ("N8", "轮流堵塞"),
    ("P10", "正常关机"),
    ("P1", "进程崩溃"),
    ("P2", "反复崩溃"),
    ("P3", "机器挂起"),
    ("P9", "停电"),
    ("D10", "磁盘回退"),
    ("D11", "身份被克隆"),
    ("D12", "磁盘互换"),
    ("D13", "磁盘清空"),
    ("D2", "提交中断电"),
    ("D4", "磁盘错误"),
    ("D5", "磁盘谎报写入"),
    ("D6", "磁盘已满"),
    ("D7", "磁盘位翻转"),
    ("C1", "时钟漂移"),
    ("C2", "时钟跳变"),
    ("C3", "开机日期错误"),
    ("B1", "双重历史"),
    ("B2", "冒名条目"),
    ("B3", "越权条目"),
    ("B6", "未来日期"),
    ("B7", "假冒总部"),
    ("B8", "超大范围请求"),
    ("B9", "帧被篡改"),
    ("W5", "推送商品目录"),
    ("W9", "收银台重试"),
    ("W13", "隔离被盗密钥"),
    ("W15", "商品流失"),
    ("W16", "注销权利"),
    ("W17", "更换设备"),
    ("W18", "定价变更"),
    ("W19", "促销活动"),
];

impl Tongue {
    /// From what a page asks for, or else what the browser would like.
    pub fn of(query: &str, languages: &str) -> Self {
        match query.split('&').find_map(|part| part.strip_prefix("lang=")) {
            Some(tag) if tag.starts_with("zh") => Chinese,
            Some(_) => English,
            None if languages.trim_start().starts_with("zh") => Chinese,
            None => English,
        }
    }

    /// For the `lang` attribute.
    pub fn tag(self) -> &'static str {
        match self {
            English => "en",
            Chinese => "zh-CN",
        }
    }

    /// The other one.
    pub fn other(self) -> Self {
        match self {
            English => Chinese,
            Chinese => English,
        }
    }

    /// A message without figures in it.
    pub fn say(self, tag: &str) -> &'static str {
        let row = TABLE.iter().find(|row| row.0 == tag);
        row.map_or("", |row| self.pick(row.1, row.2))
    }

    fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            English => english,
            Chinese => chinese,
        }
    }

    /// A node of the plan; `hubs` is how many there are.
    pub fn who(self, who: Who, hubs: usize) -> String {
        match who {
            Who::Store(store) => self.pick(format!("store {store}"), format!("门店 {store}")),
            Who::Hub(_) if hubs == 1 => self.pick("hub", "总部").to_owned(),
            Who::Hub(1) => self.pick("cloud", "云端").to_owned(),
            Who::Hub(hub) => self.pick(format!("hub {}", hub - 1), format!("分部 {}", hub - 1)),
        }
    }

    /// A node as the trace calls it.
    pub fn called(self, name: &str) -> String {
        if self == English {
            return name.to_owned();
        }
        let words = [
            ("clone of ", "克隆："),
            ("store ", "门店 "),
            ("hub ", "分部 "),
            ("a hostile hand", "恶意者"),
            ("cloud", "云端"),
            ("node ", "节点 "),
        ];
        let named = words.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to));
        if named.ends_with("hub") { named.replace("hub", "总部") } else { named }
    }

    /// How a node fares; one that runs may be late with what it tells, or nobody may know of it.
    pub fn state(self, state: NodeState, late: bool) -> &'static str {
        match state {
            NodeState::Up if late => self.pick("running, behind", "运行中，滞后"),
            NodeState::Up => self.pick("running", "运行中"),
            NodeState::Suspended => self.pick("suspended", "已挂起"),
            NodeState::Down => self.pick("down", "停机"),
            NodeState::WrittenOff => self.pick("broken for good", "永久损坏"),
        }
    }

    /// How a link fares.
    pub fn link(self, state: LinkState) -> &'static str {
        match state {
            LinkState::Up => self.pick("connected", "已连接"),
            LinkState::Away => self.pick("no connection", "未连接"),
            LinkState::Fault => self.pick("cut by a fault", "因故障中断"),
            LinkState::Hand => self.pick("cut by hand", "已手动切断"),
        }
    }

    /// An act.
    pub fn act(self, deed: HandDeed, between: &str) -> String {
        match (self, deed) {
            (English, HandDeed::Cut) => format!("cut: {between}"),
            (English, HandDeed::Heal) => format!("healed: {between}"),
            (Chinese, HandDeed::Cut) => format!("切断：{between}"),
            (Chinese, HandDeed::Heal) => format!("恢复：{between}"),
        }
    }

    /// What a button on a link does, for whoever does not see which one it stands beside.
    pub fn act_label(self, deed: HandDeed, (a, b): (&str, &str)) -> String {
        match (self, deed) {
            (English, HandDeed::Cut) => format!("Cut the link between {a} and {b}"),
            (English, HandDeed::Heal) => format!("Heal the link between {a} and {b}"),
            (Chinese, HandDeed::Cut) => format!("切断{a}与{b}之间的链路"),
            (Chinese, HandDeed::Heal) => format!("恢复{a}与{b}之间的链路"),
        }
    }

    /// Two ends of a link.
    pub fn pair(self, a: &str, b: &str) -> String {
        self.pick(format!("{a} to {b}"), format!("{a} — {b}"))
    }

    /// What a store has that its hub has not, as its node believes.
    pub fn backlog(self, backlog: Option<(u64, u64)>) -> String {
        match backlog {
            None => self.pick("unknown", "未知").to_owned(),
            Some((0, _)) => self.pick("nothing", "无").to_owned(),
            Some((entries, age)) => {
                let age = self.lasting(age);
                self.pick(format!("{} of {age}", entries_en(entries)), format!("{entries} 条，{age}"))
            }
        }
    }

    /// The same where there is little room.
    pub fn backlog_short(self, backlog: Option<(u64, u64)>) -> String {
        match backlog {
            Some((entries @ 1.., age)) => {
                let age = self.lasting(age);
                self.pick(format!("{entries}, {age}"), format!("{entries} 条，{age}"))
            }
            Some((0, _)) | None => self.backlog(backlog),
        }
    }

    /// How old knowledge is.
    pub fn age(self, known: Known) -> String {
        match known {
            Known::Nothing => "–".to_owned(),
            Known::Never => self.pick("never complete yet", "尚未完整").to_owned(),
            Known::Down => self.pick("the hub is down", "上级停机").to_owned(),
            Known::Ago(0..2_000) => self.pick("up to date", "最新").to_owned(),
            Known::Ago(ms) => self.pick(format!("{} old", self.lasting(ms)), format!("{}前", self.lasting(ms))),
        }
    }

    /// How many entries are missing.
    pub fn lacks(self, entries: u64) -> String {
        match entries {
            0 => self.pick("nothing", "无").to_owned(),
            _ => self.pick(entries_en(entries), format!("{entries} 条")),
        }
    }

    /// A length of time, as precisely as anybody wants to know it.
    pub fn lasting(self, ms: u64) -> String {
        let s = ms / 1_000;
        match (self, s) {
            (English, 0..60) => format!("{s} s"),
            (English, 60..600) => format!("{} min {} s", s / 60, s % 60),
            (English, 600..3_600) => format!("{} min", s / 60),
            (English, _) => format!("{} h {} min", s / 3_600, s / 60 % 60),
            (Chinese, 0..60) => format!("{s} 秒"),
            (Chinese, 60..600) => format!("{} 分 {} 秒", s / 60, s % 60),
            (Chinese, 600..3_600) => format!("{} 分钟", s / 60),
            (Chinese, _) => format!("{} 小时 {} 分", s / 3_600, s / 60 % 60),
        }
    }

    /// Which phase it is.
    pub fn phase(self, healed: bool, left_ms: u64) -> String {
        let left = self.lasting(left_ms);
        match (self, healed) {
            (English, false) => format!("Faults may strike for another {left}."),
            (Chinese, false) => format!("故障阶段，还剩 {left}。"),
            (English, true) => "The faults stopped. Everybody must come together.".to_owned(),
            (Chinese, true) => "故障已停止，各节点必须达成一致。".to_owned(),
        }
    }

    /// Whether it goes on.
    pub fn going(self, going: Going) -> &'static str {
        match going {
            Going::Paused => self.pick("Paused.", "已暂停。"),
            Going::Playing => self.pick("Playing.", "播放中。"),
            Going::Story(_) | Going::Moment(_) => self.pick("Stepping.", "单步中。"),
        }
    }

    /// How it ended.
    pub fn verdict(self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Held => self.pick("It is over, and every check held.", "运行结束，所有检查均成立。"),
            Verdict::Violated => self.pick("It is over, and a check did not hold.", "运行结束，有检查不成立。"),
            Verdict::Slow => self.pick(
                "It is over; they did not agree in time, but still moved.",
                "运行结束，未及时达成一致，但仍在推进。",
            ),
            Verdict::Stuck => self.pick(
                "It is over; they did not agree, and nothing moved any more.",
                "运行结束，未达成一致，且已停滞。",
            ),
        }
    }

    /// What the checks say so far.
    pub fn checks(self, checks: usize, found: u64) -> String {
        match (self, found) {
            (English, 0) => format!("All {checks} checks hold so far."),
            (Chinese, 0) => format!("{checks} 项检查目前全部成立。"),
            (English, 1) => "A check did not hold.".to_owned(),
            (English, _) => format!("Checks did not hold: {found} findings."),
            (Chinese, _) => format!("有检查不成立：{found} 处。"),
        }
    }

    /// Figures of the whole run.
    pub fn sums(self, deeds: u64, events: u64) -> String {
        self.pick(
            format!("{deeds} deeds acknowledged, {events} events"),
            format!("已确认 {deeds} 件操作，{events} 个事件"),
        )
    }

    /// Nodes that are not shown.
    pub fn left_out(self, nodes: usize) -> String {
        match nodes {
            0 => String::new(),
            _ => self.pick(
                format!("{nodes} more nodes take part and are not shown."),
                format!("另有 {nodes} 个节点未显示。"),
            ),
        }
    }

    /// A line of the story, without its time and without whom it is about.
    pub fn told(self, told: &Told) -> String {
        match self {
            English => english(told),
            Chinese => chinese(told),
        }
    }
}

fn entries_en(entries: u64) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

fn english(told: &Told) -> String {
    match told {
        Told::Sold(total) => format!("sells for {}", money(*total)),
        Told::Received(product, units) => format!("takes in {units} of product {product}"),
        Told::Counted(product, units) => format!("counts product {product}: {units} there"),
        Told::Moved => "moves goods".to_owned(),
        Told::Promised(product, units, true) => {
            format!("promises {units} of product {product}, with a right behind it")
        }
        Told::Promised(product, units, false) => format!("promises {units} of product {product}, to be confirmed"),
        Told::Said(step) => format!("a promise: {step}"),
        Told::Ordered(paid) => format!("takes an order, {} paid", money(*paid)),
        Told::Given => "gives goods of an order out".to_owned(),
        Told::Back => "takes goods of an order back".to_owned(),
        Told::PaidBack(amount) => format!("pays {} back", money(*amount)),
        Told::Did(what) => format!("done: {what}"),
        Told::Again => "answers a till that asked again, from what is written".to_owned(),
        Told::NoAnswer(what) => format!("gives no answer: {what}"),
        Told::Refused(what, why) => format!("refuses {what}: {why}"),
        Told::Meets(peer) => format!("has a connection with {peer}"),
        Told::Loses(peer) => format!("loses its connection with {peer}"),
        Told::Closes(peer, why) => format!("closes its connection with {peer}: {why}"),
        Told::Starts(1) => "starts".to_owned(),
        Told::Starts(boot) => format!("starts, for the {boot}. time"),
        Told::Falls => "falls: no power, or killed".to_owned(),
        Told::Off => "is switched off in good order".to_owned(),
        Told::Fails(why) => format!("stops itself: {why}"),
        Told::Epoch(why) => format!("opens an epoch: {why}"),
        Told::Alarm(what) => format!("raises an alarm: {what}"),
        Told::Fault(name, detail, until) => {
            let detail = if detail.is_empty() { String::new() } else { format!(" {detail}") };
            let until = until.map(|until| format!(", until {}", clock(until))).unwrap_or_default();
            format!("fault: {name}{detail}{until}")
        }
    }
}

fn chinese(told: &Told) -> String {
    let peer = |name: &String| Chinese.called(name);
    match told {
        Told::Sold(total) => format!("售出 {}", money(*total)),
        Told::Received(product, units) => format!("收货：商品 {product}，{units} 件"),
        Told::Counted(product, units) => format!("盘点：商品 {product}，实有 {units} 件"),
        Told::Moved => "商品移动".to_owned(),
        Told::Promised(product, units, true) => format!("承诺商品 {product} 共 {units} 件，有权利保证"),
        Told::Promised(product, units, false) => format!("承诺商品 {product} 共 {units} 件，待确认"),
        Told::Said(step) => format!("承诺：{step}"),
        Told::Ordered(paid) => format!("接单，已付 {}", money(*paid)),
        Told::Given => "交付订单商品".to_owned(),
        Told::Back => "收回订单商品".to_owned(),
        Told::PaidBack(amount) => format!("退款 {}", money(*amount)),
        Told::Did(what) => format!("完成：{what}"),
        Told::Again => "收银台重复请求，按已有记录回答".to_owned(),
        Told::NoAnswer(what) => format!("没有回答：{what}"),
        Told::Refused(what, why) => format!("拒绝 {what}：{why}"),
        Told::Meets(name) => format!("与{}建立连接", peer(name)),
        Told::Loses(name) => format!("与{}断开连接", peer(name)),
        Told::Closes(name, why) => format!("关闭与{}的连接：{why}", peer(name)),
        Told::Starts(boot) => format!("启动（第 {boot} 次）"),
        Told::Falls => "倒下：断电或进程被杀".to_owned(),
        Told::Off => "正常关机".to_owned(),
        Told::Fails(why) => format!("自行停止：{why}"),
        Told::Epoch(why) => format!("开启新纪元：{why}"),
        Told::Alarm(what) => format!("告警：{what}"),
        Told::Fault(name, detail, until) => {
            let known = FAULTS.iter().find(|(code, _)| is_coded(name, code));
            let shown = known.map_or((*name).to_owned(), |(code, words)| {
                format!("{} {words}", &code[..code.find(' ').unwrap_or(code.len())])
            });
            let detail = match detail.strip_prefix("from ").or(detail.strip_prefix("to ")) {
                Some(other) => format!("（{}）", Chinese.called(other)),
                None if detail.is_empty() => String::new(),
                None => format!("（{detail}）"),
            };
            let until = until.map(|until| format!("，至 {}", clock(until))).unwrap_or_default();
            format!("故障：{shown}{detail}{until}")
        }
    }
}

fn is_coded(name: &str, code: &str) -> bool {
    name.strip_prefix(code).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// A moment of the run: `1:02:03`, or `1:02:03.456` where events are told apart.
pub fn clock(ms: u64) -> String {
    let s = ms / 1_000;
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

/// Minor units of the simulated tenant's one currency.
fn money(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02} EUR", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockroom_sim::faults::INJECTORS;
    use stockroom_sim::hand::BY_HAND;

    #[test]
    fn every_message_is_there_in_both_languages_once() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(!row.1.is_empty() && !row.2.is_empty(), "{}", row.0);
            assert!(TABLE[..at].iter().all(|other| other.0 != row.0), "{} stands there twice", row.0);
        }
        for (name, _) in INJECTORS.iter().chain(BY_HAND) {
            assert!(FAULTS.iter().any(|(code, _)| is_coded(name, code)), "{name} has no Chinese name");
        }
    }

    #[test]
    fn languages_come_from_the_page_first() {
        assert_eq!(Tongue::of("", "zh-CN,en;q=0.5"), Chinese);
        assert_eq!(Tongue::of("lang=en", "zh-CN"), English);
        assert_eq!(Tongue::of("lang=zh-CN", ""), Chinese);
        assert_eq!(Tongue::of("", "en,zh;q=0.5"), English);
    }

    #[test]
    fn figures_are_told_for_people() {
        assert_eq!(English.backlog(Some((3, 61_000))), "3 entries of 1 min 1 s");
        assert_eq!(Chinese.age(Known::Ago(7_260_000)), "2 小时 1 分前");
        assert_eq!(
            English.told(&Told::Fault("N4 partition", "from hub".into(), Some(3_600_000))),
            "fault: N4 partition from hub, until 1:00:00"
        );
        assert_eq!(Chinese.told(&Told::Fault("N7 carrier down", String::new(), None)), "故障：N7 运营商中断");
        assert_eq!(
            Chinese.told(&Told::Fault("H1 cut by hand", "from store 2".into(), None)),
            "故障：H1 手动切断链路（门店 2）"
        );
        assert_eq!([money(-5), money(1_234)], ["-0.05 EUR", "12.34 EUR"]);
        assert_eq!(
            [Chinese.called("hub"), Chinese.called("hub 2"), Chinese.called("clone of store 3")],
            ["总部", "分部 2", "克隆：门店 3"]
        );
    }
}

//! What the page of a box without a node says, in English and simplified Chinese: one row for each sentence.

use crate::paper::words::Language;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The token is read.
    Token,
    /// The hub is looked up.
    Address,
    /// The hub is asked.
    Asking,
    /// The answer is checked.
    Checking,
    /// The identity is written.
    Writing,
    /// A new chain's keys are made.
    Keys,
    /// The node starts.
    Starting,
    /// The hub starts.
    StartingHub,
}

impl Said {
    /// In words.
    pub fn words(self, language: Language) -> &'static str {
        pick(
            language,
            match self {
                Self::Token => ("Reading the token", "正在读取令牌"),
                Self::Address => ("Looking for the hub", "正在寻找总部节点"),
                Self::Asking => (
                    "Making this box's own keys, and asking the hub to let it in",
                    "正在生成本机自己的密钥，并请求总部节点批准加入",
                ),
                Self::Checking => ("Checking that the answer comes from your chain", "正在核对答复确实来自您的连锁"),
                Self::Writing => ("Writing down who this box is now", "正在写入本机的身份"),
                Self::StartingHub => ("Starting as the hub", "正在作为总部节点启动"),
                Self::Keys => ("Making the keys of the new chain", "正在生成新连锁的密钥"),
                Self::Starting => (
                    "Starting. Products and prices come from the hub as soon as the link is up",
                    "正在启动。连接建立后，商品和价格会从总部节点传来",
                ),
            },
        )
    }

    /// The steps that are expected after this one.
    pub fn after(self) -> &'static [Said] {
        const JOINING: [Said; 6] =
            [Said::Token, Said::Address, Said::Asking, Said::Checking, Said::Writing, Said::Starting];
        match JOINING.iter().position(|&step| step == self) {
            Some(at) => &JOINING[at + 1..],
            None if self == Said::Keys => &[Said::StartingHub],
            None => &[],
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Not a token.
    Token,
    /// No address of the hub.
    NoHub,
    /// The address cannot be found.
    Address,
    /// Nobody answers.
    Silent,
    /// The answer was lost.
    Lost,
    /// Somebody else answers.
    OtherHub,
    /// The hub says no.
    Refused,
    /// A node is here already.
    Taken,
    /// The name does not do.
    Name,
    /// The disk or the system refuses.
    Disk,
    /// No QR code in the picture.
    Picture,
    /// Something else is under way.
    Busy,
}

impl Trouble {
    /// What happened, and what to do.
    pub fn words(self, language: Language) -> (&'static str, &'static str) {
        let (said, todo) = match self {
            Self::Token => (
                ("This is not a whole token.", "这不是完整的令牌。"),
                (
                    "Copy or photograph it again from the hub's enrolment page; it has about 120 letters and digits.",
                    "请从总部节点的加入页面重新复制或拍摄；令牌约有 120 个字母和数字。",
                ),
            ),
            Self::NoHub => (
                ("The token does not say where the hub is.", "令牌里没有总部节点的地址。"),
                ("Type the hub's address below and try again.", "请在下面填写总部节点的地址，然后再试。"),
            ),
            Self::Address => (
                ("There is no machine of that address.", "找不到这个地址的机器。"),
                (
                    "Check the address for slips, and that this box has a cable or Wi-Fi with internet.",
                    "请检查地址有没有写错，并确认本机已接好网线或无线网络并能上网。",
                ),
            ),
            Self::Silent => (
                ("The hub does not answer.", "总部节点没有应答。"),
                (
                    "Check that this box has internet, that the hub runs, and that UDP port 7402 is open there. Nothing was used up: \
                     the same token is good still.",
                    "请确认本机能上网、总部节点正在运行，并且那里的 UDP 端口 7402 是开放的。令牌没有用掉，可以继续使用。",
                ),
            ),
            Self::Lost => (
                ("The hub's answer did not arrive, or cannot be used.", "总部节点的答复没有收到，或无法使用。"),
                (
                    "Try the same token again. If the hub refuses it then, it was used up: ask for a new one.",
                    "请用同一令牌再试。如果总部节点拒绝，说明令牌已用掉：请索取新的令牌。",
                ),
            ),
            Self::OtherHub => (
                (
                    "The machine at that address is not the hub of this token.",
                    "该地址的机器不是这个令牌对应的总部节点。",
                ),
                (
                    "Check the hub's address. If it is right, somebody may be in between: tell whoever runs the hub. Nothing was sent.",
                    "请检查总部节点的地址。如果地址无误，可能有人从中冒充：请通知总部管理员。没有发送任何内容。",
                ),
            ),
            Self::Refused => (
                ("The hub refused the token.", "总部节点拒绝了这个令牌。"),
                (
                    "It was used already, or is older than it may be. Ask for a new token at the hub.",
                    "它已被使用，或已过期。请向总部节点索取新的令牌。",
                ),
            ),
            Self::Taken => (
                ("This box holds a node already.", "本机已经有一个节点。"),
                (
                    "Restart it; if this page comes back, call whoever set it up.",
                    "请重启；如果仍出现本页，请联系安装人员。",
                ),
            ),
            Self::Name => (
                ("A chain's name has 1 to 40 characters.", "连锁名称为 1 到 40 个字符。"),
                ("Give another name.", "请换一个名称。"),
            ),
            Self::Disk => (
                ("This box could not write its files.", "本机无法写入文件。"),
                (
                    "Check that its disk is not full and not read-only, and try again.",
                    "请检查磁盘是否已满或只读，然后再试。",
                ),
            ),
            Self::Picture => (
                ("There is no QR code to be read in this picture.", "这张图片里没有可识别的二维码。"),
                (
                    "Take it again: the whole code, straight, without reflections. A PNG or JPEG picture of at most 8 MB.",
                    "请重新拍摄：二维码完整、端正、无反光。图片为 PNG 或 JPEG，最大 8 MB。",
                ),
            ),
            Self::Busy => (
                ("Something else is being done here.", "正在进行其他操作。"),
                ("Wait until it has ended.", "请等待其结束。"),
            ),
        };
        (pick(language, said), pick(language, todo))
    }
}

fn pick(language: Language, (english, chinese): (&'static str, &'static str)) -> &'static str {
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The texts of the page itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named by what it says")]
pub enum Text {
    Title,
    Intro,
    JoinTitle,
    JoinIntro,
    Token,
    Photo,
    PhotoHint,
    Hub,
    HubHint,
    Solo,
    Join,
    ChainTitle,
    ChainIntro,
    Name,
    Make,
    Progress,
    WhatHappens,
    Happens1,
    Happens2,
    Happens3,
    NoScript,
    Reading,
    RootTitle,
    RootIntro,
    RootDownload,
    RootTaken,
    Start,
    Gone,
    Identity,
}

impl Text {
    /// In words.
    pub fn words(self, language: Language) -> &'static str {
        pick(
            language,
            match self {
                Self::Title => ("Set up this box", "设置本机"),
                Self::Intro => (
                    "This box is new. Tell it what it shall be; that takes a minute.",
                    "这是一台新机器。请告诉它要做什么，大约需要一分钟。",
                ),
                Self::JoinTitle => ("Join a chain", "加入连锁"),
                Self::JoinIntro => {
                    ("You have a token from the hub: as a QR code, or as text.", "您有总部节点给的令牌：二维码或文字。")
                }
                Self::Token => ("Token", "令牌"),
                Self::Photo => ("Photograph the QR code", "拍摄二维码"),
                Self::PhotoHint => ("or choose a picture of it", "或选择一张二维码图片"),
                Self::Hub => ("Address of the hub", "总部节点的地址"),
                Self::HubHint => (
                    "Only needed because this token does not say it, e.g. hub.example.com",
                    "此令牌未包含地址，因此需要填写，例如 hub.example.com",
                ),
                Self::Solo => (
                    "One person with one till: leave out drawers, bays and approvals by others",
                    "一人一机的小店：不使用钱箱交接、货位和他人审批",
                ),
                Self::Join => ("Join", "加入"),
                Self::ChainTitle => ("Or begin a new chain", "或新建连锁"),
                Self::ChainIntro => (
                    "This box becomes the hub of a new chain of shops, or of a single one. Stores join it later, each with a token.",
                    "本机成为新连锁（或单店）的总部节点。各门店之后用令牌加入。",
                ),
                Self::Name => ("Name of the chain or shop", "连锁或店铺名称"),
                Self::Make => ("Make this box the hub", "把本机设为总部节点"),
                Self::Progress => ("What is being done", "进度"),
                Self::WhatHappens => ("What happens when it joins", "加入时会发生什么"),
                Self::Happens1 => {
                    ("The box makes its own keys. They never leave it.", "本机生成自己的密钥，密钥永远不会离开本机。")
                }
                Self::Happens2 => (
                    "It shows the token to the hub, which lets it in once. It believes nobody but the hub that the token names.",
                    "它向总部节点出示令牌，总部节点批准一次。它只相信令牌所指的总部节点。",
                ),
                Self::Happens3 => (
                    "From then on it sells by itself, with or without a connection; what it writes goes to the hub whenever there is one.",
                    "之后无论有没有网络，它都能独立销售；有网络时，记录会传到总部节点。",
                ),
                Self::NoScript => ("This page needs JavaScript.", "本页需要 JavaScript。"),
                Self::Reading => ("Reading the picture…", "正在识别图片…"),
                Self::RootTitle => ("Take the root keys away", "取走根密钥"),
                Self::RootIntro => (
                    "Whoever has this file can admit any box to your chain. Keep it on a USB stick in a safe place, not on this machine.",
                    "持有此文件的人可以让任何机器加入您的连锁。请存到 U 盘并妥善保管，不要留在本机。",
                ),
                Self::RootDownload => ("Download the root keys", "下载根密钥"),
                Self::RootTaken => {
                    ("I have the file in a safe place; remove it from this box", "文件已妥善保存；请从本机删除")
                }
                Self::Start => ("Start", "启动"),
                Self::Gone => (
                    "The box is starting. This page goes on to it by itself; if the browser warns about the certificate, trust the \
                 store's own first (address /ca.crt).",
                    "正在启动，本页会自动转到新页面。如果浏览器提示证书问题，请先信任本店自己的证书（地址 /ca.crt）。",
                ),
                Self::Identity => (
                    "Certificate of this page, SHA-256. It must be the one on the box's console",
                    "本页证书的 SHA-256，必须与本机控制台显示的一致",
                ),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_said_in_both_languages() {
        assert_ne!(Trouble::Token.words(Language::Chinese), Trouble::Token.words(Language::English));
        assert_eq!(Said::Checking.after(), [Said::Writing, Said::Starting]);
    }
}

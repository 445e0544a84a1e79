//! Every word that stands on paper, in each language, in one table.

use serde::{Deserialize, Serialize};

/// The language of a sheet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// English.
    #[default]
    #[serde(rename = "en")]
    English,
    /// Simplified Chinese.
    #[serde(rename = "zh-CN")]
    Chinese,
}

/// A word or phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Heading of a pick list.
    PickList,
    /// Heading of a label for goods that wait for their customer.
    Pickup,
    /// Heading of the receipt at handover.
    PickupReceipt,
    /// Heading of a rider's sheet.
    RouteSheet,
    /// An order's number.
    Order,
    /// When it has to be ready, or there.
    Due,
    /// When the sheet was made.
    Made,
    /// The store.
    Store,
    /// The shelf.
    Location,
    /// A product without a place on a shelf.
    NoLocation,
    /// How many.
    Quantity,
    /// A product's number.
    Sku,
    /// A product's barcode.
    Barcode,
    /// The tote that a line is picked into.
    Tote,
    /// The customer wants to be asked.
    AskFirst,
    /// Something similar may be given.
    SimilarAllowed,
    /// Nothing else may be given.
    NoSubstitute,
    /// The buyer's age must be seen; the number follows.
    CheckAge,
    /// One bag of several.
    Bag,
    /// How many bags.
    Bags,
    /// Between two numbers: 1 of 3.
    Of,
    /// Where the bags stand.
    Bay,
    /// The customer's first name.
    Name,
    /// Until when it is kept.
    HoldUntil,
    /// What was handed over.
    Handed,
    /// What was ordered and not there.
    Missing,
    /// What was given instead.
    Instead,
    /// Money that the customer gets back.
    RefundDue,
    /// Who did it.
    Staff,
    /// When it was done.
    Time,
    /// What the record is called.
    Record,
    /// Who rides.
    Rider,
    /// When the rider leaves.
    Leaves,
    /// One stop of a route.
    Stop,
    /// A part of the town.
    Area,
    /// How many lines a sheet has.
    Lines,
    /// Over every sheet that may have been printed before.
    Copy,
    /// Heading of a label for goods that are brought to their customer.
    Delivery,
    /// Heading of the receipt for goods that were brought.
    DeliveryReceipt,
    /// Heading of a till's receipt.
    Receipt,
    /// Which till.
    Till,
    /// What it costs in all.
    Total,
    /// Taken off a price.
    Discount,
    /// Added so that cash can pay.
    Rounding,
    /// Tax that the total holds.
    Tax,
    /// Tax that was added to the prices of goods.
    AddedTax,
    /// Paid with notes and coins.
    Cash,
    /// Paid by card.
    Card,
    /// Paid with a voucher.
    Voucher,
    /// Paid in another way.
    OtherTender,
    /// Paid with a member's points.
    Points,
    /// The receipt was taken back as a whole.
    Voided,
    /// Before the number of the receipt that this one takes back.
    Voids,
    /// Heading of what a closed shift says.
    ZReport,
    /// When a drawer was taken.
    Opened,
    /// When it was given back.
    Closed,
    /// Who confirmed it.
    Approver,
    /// How many receipts.
    Receipts,
    /// How many receipts take another one back.
    VoidCount,
    /// The last receipt.
    LastReceipt,
    /// What was sold, less what came back.
    Sales,
    /// What lay in a drawer at the beginning.
    Float,
    /// Cash put in.
    PaidIn,
    /// Cash taken out for something.
    PaidOut,
    /// Cash taken to the safe.
    Dropped,
    /// Cash given back.
    Refunded,
    /// What should be in a drawer.
    Expected,
    /// What was counted.
    Counted,
    /// How much more was counted.
    Difference,
    /// Whoever stands behind a card or wallet has confirmed the money.
    Captured,
    /// A terminal approved it without asking its bank.
    OfflineApproved,
    /// Before who bears the loss if it is refused after all.
    BorneBy,
    /// Somebody looked at a display or a paper.
    SeenByStaff,
    /// Heading of a label on a shelf.
    PriceLabel,
    /// For one of them.
    PerPiece,
    /// For a kilogram.
    PerKilogram,
    /// From when on something holds.
    Since,
    /// A coupon that was redeemed.
    Coupon,
    /// Points that a member earned.
    PointsEarned,
    /// Points that a member paid with.
    PointsSpent,
    /// All points of a member.
    PointsBalance,
    /// Before when that was known.
    AsOf,
}

/// Word, English, Chinese; in the order of the words.
const TABLE: [(Word, &str, &str); 82] = [
    (Word::PickList, "Pick list", "拣货单"),
    (Word::Pickup, "Pickup", "自提"),
    (Word::PickupReceipt, "Pickup receipt", "自提凭证"),
    (Word::RouteSheet, "Route sheet", "配送单"),
    (Word::Order, "Order", "订单"),
    (Word::Due, "Due", "时限"),
    (Word::Made, "Printed", "打印时间"),
    (Word::Store, "Store", "门店"),
    (Word::Location, "Shelf", "货位"),
    (Word::NoLocation, "no shelf", "无货位"),
    (Word::Quantity, "Quantity", "数量"),
    (Word::Sku, "SKU", "商品编号"),
    (Word::Barcode, "Barcode", "条码"),
    (Word::Tote, "Tote", "周转箱"),
    (Word::AskFirst, "ask the customer before replacing", "替换前请联系顾客"),
    (Word::SimilarAllowed, "similar product allowed", "可换相似商品"),
    (Word::NoSubstitute, "no substitute", "不可替换"),
    (Word::CheckAge, "CHECK AGE", "核验年龄"),
    (Word::Bag, "Bag", "袋"),
    (Word::Bags, "Bags", "袋数"),
    (Word::Of, "of", "/"),
    (Word::Bay, "Bay", "取货位"),
    (Word::Name, "Name", "姓名"),
    (Word::HoldUntil, "Kept until", "保留至"),
    (Word::Handed, "handed over", "已交付"),
    (Word::Missing, "missing", "缺货"),
    (Word::Instead, "instead of", "替换"),
    (Word::RefundDue, "Refund due", "应退款"),
    (Word::Staff, "Staff", "员工"),
    (Word::Time, "Time", "时间"),
    (Word::Record, "Record", "记录号"),
    (Word::Rider, "Rider", "骑手"),
    (Word::Leaves, "Leaves", "出发"),
    (Word::Stop, "Stop", "站点"),
    (Word::Area, "Area", "区域"),
    (Word::Lines, "Lines", "行数"),
    (Word::Copy, "COPY", "副本 COPY"),
    (Word::Delivery, "Delivery", "配送"),
    (Word::DeliveryReceipt, "Delivery receipt", "配送凭证"),
    (Word::Receipt, "Receipt", "购物小票"),
    (Word::Till, "Till", "收银台"),
    (Word::Total, "Total", "合计"),
    (Word::Discount, "discount", "优惠"),
    (Word::Rounding, "Rounding", "抹零"),
    (Word::Tax, "Tax", "税"),
    (Word::AddedTax, "Tax added", "另加税"),
    (Word::Cash, "Cash", "现金"),
    (Word::Card, "Card", "银行卡"),
    (Word::Voucher, "Voucher", "代金券"),
    (Word::OtherTender, "Other", "其他"),
    (Word::Points, "Points", "积分"),
    (Word::Voided, "VOIDED", "已作废"),
    (Word::Voids, "Takes back", "冲销"),
    (Word::ZReport, "Z report", "班结单"),
    (Word::Opened, "Opened", "开班时间"),
    (Word::Closed, "Closed", "班结时间"),
    (Word::Approver, "Approved by", "授权人"),
    (Word::Receipts, "Receipts", "小票数"),
    (Word::VoidCount, "Voids", "作废数"),
    (Word::LastReceipt, "Last receipt", "末张小票"),
    (Word::Sales, "Sales", "销售额"),
    (Word::Float, "Float", "备用金"),
    (Word::PaidIn, "Paid in", "存入"),
    (Word::PaidOut, "Paid out", "支出"),
    (Word::Dropped, "To the safe", "缴存"),
    (Word::Refunded, "Refunded", "退款"),
    (Word::Expected, "Expected", "应有现金"),
    (Word::Counted, "Counted", "实点现金"),
    (Word::Difference, "Difference", "长短款"),
    (Word::Captured, "confirmed", "已确认"),
    (Word::OfflineApproved, "approved offline", "离线授权"),
    (Word::BorneBy, "at the risk of", "风险承担方"),
    (Word::SeenByStaff, "seen by staff", "员工核对"),
    (Word::PriceLabel, "Price label", "价签"),
    (Word::PerPiece, "each", "/件"),
    (Word::PerKilogram, "a kilogram", "/千克"),
    (Word::Since, "From", "生效时间"),
    (Word::Coupon, "Coupon", "优惠券"),
    (Word::PointsEarned, "Points earned", "获得积分"),
    (Word::PointsSpent, "Points spent", "使用积分"),
    (Word::PointsBalance, "Points in all", "积分余额"),
    (Word::AsOf, "as of", "截至"),
];

impl Word {
    /// In a language.
    pub fn said_in(self, language: Language) -> &'static str {
        let (_, english, chinese) = TABLE[self as usize];
        match language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }
}

impl Language {
    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_in_its_row_and_in_both_languages() {
        for (at, (word, english, chinese)) in TABLE.iter().enumerate() {
            assert_eq!(*word as usize, at, "{word:?}");
            assert!(!english.is_empty() && !chinese.is_empty(), "{word:?}");
        }
    }
}

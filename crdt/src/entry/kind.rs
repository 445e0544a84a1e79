//! Numbers of the kinds of fact, and which of them are critical. A number is never used again for something else.

#![allow(missing_docs)]

use crate::codec::DecodeError;

pub const EPOCH_OPEN: u16 = 1;
pub const BOOT: u16 = 2;
pub const NODE: u16 = 10;
pub const FENCE: u16 = 11;
pub const STORE: u16 = 12;
pub const FORK: u16 = 13;
pub const PRODUCT: u16 = 20;
pub const RECALL: u16 = 21;
pub const PRICE: u16 = 22;
pub const TEMPLATE: u16 = 23;
pub const GOODS_RECEIPT: u16 = 30;
pub const SALE: u16 = 31;
pub const COUNT_SCAN: u16 = 32;
pub const COUNT_CLOSE: u16 = 33;
pub const DAY_OPEN: u16 = 34;
pub const DAY_CLOSE: u16 = 35;
pub const ADJUSTMENT: u16 = 36;
pub const POLICY: u16 = 14;
pub const RIGHTS: u16 = 40;
pub const PROMISE: u16 = 41;
pub const PROMISE_STEP: u16 = 42;
pub const WANT: u16 = 43;
pub const HINT: u16 = 44;
pub const SHORTAGE: u16 = 45;
pub const COMPENSATION: u16 = 46;
pub const RETIRE: u16 = 47;
pub const CONSENT: u16 = 48;
pub const GOODS_ISSUE: u16 = 49;

pub const DECISION: u16 = 50;
pub const TRANSFER_ASK: u16 = 51;
pub const TRANSFER_SHIP: u16 = 52;
pub const TRANSFER_RECEIVE: u16 = 53;
pub const COUNT_OPEN: u16 = 54;
pub const ORDER: u16 = 60;
pub const OFFER: u16 = 61;
pub const FULFILLMENT_STEP: u16 = 62;
pub const ORDER_STEP: u16 = 63;
pub const PAYMENT: u16 = 64;
pub const REDRESS: u16 = 65;
pub const PASS_SHOWN: u16 = 66;
pub const ROUTING: u16 = 67;
pub const SERVICE: u16 = 68;
pub const ORDER_LIMITS: u16 = 69;
pub const GOODS_RETURN: u16 = 70;
pub const RETURN_GRANT: u16 = 71;
pub const TAX_RATE: u16 = 80;
pub const TILL_RULES: u16 = 81;
pub const PROMOTION: u16 = 82;
pub const SALE_HOURS: u16 = 83;
pub const STAFF: u16 = 84;
pub const BASKET: u16 = 85;
pub const BASKET_STEP: u16 = 86;
pub const CHECKOUT: u16 = 87;
pub const SHIFT_OPEN: u16 = 88;
pub const CASH_MOVE: u16 = 89;
pub const SHIFT_CLOSE: u16 = 90;
pub const TENDER_STEP: u16 = 91;
pub const LABEL_DONE: u16 = 92;
pub const MEMBER: u16 = 100;
pub const MEMBER_VALUE: u16 = 101;
pub const MEMBER_LINK: u16 = 102;
pub const MEMBER_UNLINK: u16 = 103;
pub const MEMBER_CONSENT: u16 = 104;
pub const MEMBER_ERASE: u16 = 105;
pub const LOYALTY: u16 = 110;
pub const POINTS_ROW: u16 = 111;
pub const CAMPAIGN: u16 = 112;
pub const COUPON: u16 = 113;
pub const REDEMPTION: u16 = 114;
pub const COUPON_QUOTA: u16 = 115;
pub const SALE_POINTS: u16 = 116;
pub const NOTE_CHANGE: u16 = 120;
pub const NOTE_SNAPSHOT: u16 = 121;

/// All kinds that this version knows.
pub const ALL: [u16; 73] = [
    EPOCH_OPEN,
    BOOT,
    NODE,
    FENCE,
    STORE,
    FORK,
    PRODUCT,
    RECALL,
    PRICE,
    TEMPLATE,
    GOODS_RECEIPT,
    SALE,
    COUNT_SCAN,
    COUNT_CLOSE,
    DAY_OPEN,
    DAY_CLOSE,
    ADJUSTMENT,
    POLICY,
    RIGHTS,
    PROMISE,
    PROMISE_STEP,
    WANT,
    HINT,
    SHORTAGE,
    COMPENSATION,
    RETIRE,
    CONSENT,
    GOODS_ISSUE,
    DECISION,
    TRANSFER_ASK,
    TRANSFER_SHIP,
    TRANSFER_RECEIVE,
    COUNT_OPEN,
    ORDER,
    OFFER,
    FULFILLMENT_STEP,
    ORDER_STEP,
    PAYMENT,
    REDRESS,
    PASS_SHOWN,
    ROUTING,
    SERVICE,
    ORDER_LIMITS,
    GOODS_RETURN,
    RETURN_GRANT,
    TAX_RATE,
    TILL_RULES,
    PROMOTION,
    SALE_HOURS,
    STAFF,
    BASKET,
    BASKET_STEP,
    CHECKOUT,
    SHIFT_OPEN,
    CASH_MOVE,
    SHIFT_CLOSE,
    TENDER_STEP,
    LABEL_DONE,
    MEMBER,
    MEMBER_VALUE,
    MEMBER_LINK,
    MEMBER_UNLINK,
    MEMBER_CONSENT,
    MEMBER_ERASE,
    LOYALTY,
    POINTS_ROW,
    CAMPAIGN,
    COUPON,
    REDEMPTION,
    COUPON_QUOTA,
    SALE_POINTS,
    NOTE_CHANGE,
    NOTE_SNAPSHOT,
];

/// Splits `kind << 1 | critical`.
pub(crate) fn split(coded: u64) -> Result<(u16, bool), DecodeError> {
    let number = u16::try_from(coded >> 1).map_err(|_| DecodeError::Value("kind"))?;
    Ok((number, coded & 1 == 1))
}

/// Whether a known kind is critical. Control facts, product recalls, rights and promises are, and rights to points and coupons: acting without them does harm.
pub(crate) fn is_critical(number: u16) -> bool {
    matches!(
        number,
        EPOCH_OPEN
            | NODE
            | FENCE
            | STORE
            | FORK
            | RECALL
            | RIGHTS
            | PROMISE
            | PROMISE_STEP
            | SHORTAGE
            | RETIRE
            | POINTS_ROW
            | COUPON
            | COUPON_QUOTA
    )
}

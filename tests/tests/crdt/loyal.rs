//! Facts about points and coupons: arbitrary ones, one fixed example of each, and what they add up to whatever is lost on the way.

use std::collections::BTreeMap;

use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use stockroom_crdt::checkout::basket::BasketId;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, MemberId, StoreId, TillId};
use stockroom_crdt::limits::{AMOUNT_MAX, CAMPAIGN_BYTES_MAX, POINTS_MAX};
use stockroom_crdt::loyalty::campaign::{Bearer, Campaign, CouponKind, CouponName};
use stockroom_crdt::loyalty::coupon::{
    Amount, CouponFact, CouponSays, HubQuota, Judged, Proof, QuotaRow, QuotaSide, Redemption, StoreQuota, judge,
};
use stockroom_crdt::loyalty::points::{
    Account, Debit, HubPoints, PointsRow, PointsSide, SalePoints, StorePoints, debits,
};
use stockroom_crdt::loyalty::rules::{LoyaltyRules, Tier};
use stockroom_crdt::sale::ReceiptNumber;
use stockroom_tests::property::check;

use super::arbitrary::{actor, amount, code, some_code, u32s, u64s};
use super::facts::receipt_number;
use super::rung;

/// A fact about points or coupons.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::LOYALTY => rules().prop_map(Fact::Loyalty).boxed(),
        kind::POINTS_ROW => (member(), actor(), side())
            .prop_map(|(member, holder, says)| Fact::PointsRow(PointsRow { member, holder, says }))
            .boxed(),
        kind::CAMPAIGN => campaign().prop_map(Fact::Campaign).boxed(),
        kind::COUPON => (code(), any::<u32>(), says())
            .prop_map(|(campaign, serial, says)| Fact::Coupon(CouponFact { campaign, serial, says }))
            .boxed(),
        kind::REDEMPTION => redemption().prop_map(Fact::Redemption).boxed(),
        kind::COUPON_QUOTA => (code(), actor(), quota())
            .prop_map(|(campaign, holder, says)| Fact::Quota(QuotaRow { campaign, holder, says }))
            .boxed(),
        kind::SALE_POINTS => sale_points().prop_map(Fact::SalePoints).boxed(),
        other => panic!("no generator for facts of kind {other}"),
    }
}

/// Members from a small pool, so that they meet.
pub fn member() -> impl Strategy<Value = MemberId> {
    prop_oneof![3 => 1..4u64, 1 => any::<u64>()].prop_map(MemberId)
}

/// Coupons' names.
pub fn coupon_name() -> impl Strategy<Value = CouponName> {
    (code(), option::of(any::<u32>())).prop_map(|(campaign, serial)| CouponName { campaign, serial })
}

/// Why a coupon was accepted.
pub fn proof() -> impl Strategy<Value = Proof> {
    prop_oneof![
        (1..=u32::MAX, actor()).prop_map(|(turn, holder)| Proof::Right { turn, holder }),
        Just(Proof::Pool),
        Just(Proof::Limit)
    ]
}

/// How points are spent.
pub fn debit() -> impl Strategy<Value = Debit> {
    (points(), points()).prop_map(|(right, soft)| Debit { right, soft })
}

fn points() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..1_000u64, 1 => 0..=POINTS_MAX]
}

fn worth() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..1_000u64, 1 => 0..=AMOUNT_MAX.unsigned_abs()]
}

fn basket_id() -> impl Strategy<Value = BasketId> {
    (u32s(), u64s()).prop_map(|(till, number)| BasketId { till: TillId(till), number })
}

fn rules() -> impl Strategy<Value = LoyaltyRules> {
    let money = || 1..=AMOUNT_MAX;
    let tier = (some_code(), 0..=1_000_000u32, btree_set(code(), 0..4));
    let tiers = proptest::collection::btree_map(points(), tier, 0..4).prop_map(|tiers| {
        let tier = |(from, (name, multiplier_bp, promotions))| {
            let promotions: std::collections::BTreeSet<Code> = promotions;
            Tier { name, from, multiplier_bp, promotions: promotions.into_iter().collect() }
        };
        tiers.into_iter().map(tier).collect()
    });
    (any::<bool>(), money(), money(), 0..=1_200u16, (points(), points()), tiers).prop_map(
        |(ended, earn_per, worth, months, (offline_limit, share), tiers)| LoyaltyRules {
            ended,
            earn_per,
            worth,
            months,
            offline_limit,
            share,
            tiers,
        },
    )
}

fn side() -> impl Strategy<Value = PointsSide> {
    let hub = ((points(), points(), points(), points()), u32s(), u64s(), any::<i64>(), code()).prop_map(
        |((granted, covered, wanted_back, reclaimed), served, told_ms, balance, tier)| {
            PointsSide::Hub(HubPoints { granted, covered, wanted_back, reclaimed, served, told_ms, balance, tier })
        },
    );
    let store =
        ((points(), points(), points(), points()), u32s()).prop_map(|((spent, given_back, soft, wanted), want)| {
            PointsSide::Store(StorePoints { spent, given_back, soft, want, wanted })
        });
    prop_oneof![hub, store]
}

fn sale_points() -> impl Strategy<Value = SalePoints> {
    let what = (points(), points(), points(), points(), points());
    ((member(), basket_id(), receipt_number()), u64s(), u64s(), what).prop_map(
        |((member, sale, receipt), at_ms, expires_ms, (earned, spent, soft, taken_back, restored))| SalePoints {
            member,
            sale,
            receipt,
            at_ms,
            expires_ms,
            earned,
            spent,
            soft,
            taken_back,
            restored,
        },
    )
}

fn campaign() -> impl Strategy<Value = Campaign> {
    let coupons = || 1..=10_000_000u32;
    let money = || 0..=AMOUNT_MAX;
    let kind = prop_oneof![
        coupons().prop_map(CouponKind::Single),
        coupons().prop_map(CouponKind::FirstN),
        (coupons(), money()).prop_map(|(coupons, store_limit)| CouponKind::Printed { coupons, store_limit }),
    ];
    let who = (code(), some_code(), select(Bearer::ALL.to_vec()), any::<bool>(), any::<bool>());
    (rung::promotion(), who, (money(), money()), kind, any::<[u8; 16]>()).prop_map(
        |(mut terms, (issuer, funder, bearer, alone, returns), (budget, worth_max), kind, secret)| {
            if terms.id.as_str().len() > CAMPAIGN_BYTES_MAX {
                terms.id = Code::parse("spring").unwrap();
            }
            terms.book = terms.id.clone();
            Campaign { terms, issuer, funder, bearer, alone, returns, budget, worth_max, kind, secret }
        },
    )
}

fn says() -> impl Strategy<Value = CouponSays> {
    let turn = || 1..=u32::MAX;
    prop_oneof![
        (turn(), actor(), option::of(member()), u32s())
            .prop_map(|(turn, holder, member, answers)| CouponSays::Placed { turn, holder, member, answers }),
        turn().prop_map(|turn| CouponSays::WantedBack { turn }),
        (u32s(), u64s()).prop_map(|(store, at_ms)| CouponSays::Used { store: StoreId(store), at_ms }),
        turn().prop_map(|turn| CouponSays::GivenUp { turn }),
        turn().prop_map(|number| CouponSays::Asked { number }),
    ]
}

fn redemption() -> impl Strategy<Value = Redemption> {
    let who = (coupon_name(), basket_id(), receipt_number(), option::of(member()));
    (who, u64s(), 0..=AMOUNT_MAX, proof(), any::<bool>()).prop_map(
        |((coupon, sale, receipt, member), at_ms, worth, proof, undone)| Redemption {
            coupon,
            sale,
            receipt,
            member,
            at_ms,
            worth,
            proof,
            undone,
        },
    )
}

fn quota() -> impl Strategy<Value = QuotaSide> {
    let amount = || (worth(), worth()).prop_map(|(pieces, worth)| Amount { pieces, worth });
    let hub = (amount(), worth(), u32s())
        .prop_map(|(granted, confirmed, served)| QuotaSide::Hub(HubQuota { granted, confirmed, served }));
    let store =
        (amount(), amount(), amount(), worth(), u32s()).prop_map(|(used, undone, given_back, unproven, want)| {
            QuotaSide::Store(StoreQuota { used, undone, given_back, unproven, want })
        });
    prop_oneof![hub, store]
}

/// One fixed fact of each kind.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let word = |text: &str| Code::parse(text).unwrap();
    let (member, holder) = (MemberId(0x00c0_ffee), Actor::new(7, 2));
    let sale = BasketId { till: TillId(3), number: 4_711 };
    let receipt = ReceiptNumber { till: TillId(3), series: 2, sequence: 815 };
    let tier = Tier { name: word("gold"), from: 500, multiplier_bp: 15_000, promotions: vec![word("golden")] };
    let rules = LoyaltyRules {
        ended: false,
        earn_per: 100,
        worth: 1,
        months: 24,
        offline_limit: 500,
        share: 2_000,
        tiers: vec![tier],
    };
    let hub = HubPoints {
        granted: 700,
        covered: 20,
        wanted_back: 100,
        reclaimed: 5,
        served: 2,
        told_ms: MS,
        balance: -30,
        tier: word("gold"),
    };
    let points = SalePoints {
        member,
        sale,
        receipt,
        at_ms: MS,
        expires_ms: MS + 1,
        earned: 12,
        spent: 100,
        soft: 30,
        taken_back: 6,
        restored: 65,
    };
    let Some((_, Fact::Promotion(mut terms))) = rung::examples().into_iter().find(|(name, _)| *name == "promotion")
    else {
        panic!("there is an example of a promotion");
    };
    terms.book = terms.id.clone();
    let campaign = Campaign {
        terms,
        issuer: word("brand"),
        funder: word("head office"),
        bearer: Bearer::Store,
        alone: true,
        returns: true,
        budget: 100_000,
        worth_max: 500,
        kind: CouponKind::Printed { coupons: 5_000, store_limit: 2_000 },
        secret: [0x5e; 16],
    };
    let coupon = |says| Fact::Coupon(CouponFact { campaign: word("spring"), serial: 17, says });
    let redemption = Redemption {
        coupon: CouponName { campaign: word("spring"), serial: Some(17) },
        sale,
        receipt,
        member: Some(member),
        at_ms: MS,
        worth: 250,
        proof: Proof::Right { turn: 3, holder },
        undone: false,
    };
    let used = Amount { pieces: 4, worth: 900 };
    let quota =
        QuotaSide::Store(StoreQuota { used, undone: Amount::default(), given_back: used, unproven: 40, want: 1 });
    vec![
        ("loyalty", Fact::Loyalty(rules)),
        ("points_row", Fact::PointsRow(PointsRow { member, holder, says: PointsSide::Hub(hub) })),
        ("sale_points", Fact::SalePoints(points)),
        ("campaign", Fact::Campaign(campaign)),
        ("coupon", coupon(CouponSays::Placed { turn: 3, holder, member: Some(member), answers: 1 })),
        ("redemption", Fact::Redemption(redemption)),
        ("coupon_quota", Fact::Quota(QuotaRow { campaign: word("spring"), holder, says: quota })),
    ]
}

const MS: u64 = 1_700_000_000_000;

#[test]
fn rows_of_points_join_in_any_order_and_as_often_as_they_come() {
    let facts = vec(prop_oneof![fact_of(kind::POINTS_ROW), fact_of(kind::SALE_POINTS)], 0..12);
    let input = (facts, any::<prop::sample::Index>());
    check("rows_of_points_join_in_any_order_and_as_often_as_they_come", 2_000, input, |(facts, at)| {
        let told = |facts: &[Fact]| {
            let mut account = Account::default();
            for fact in facts {
                match fact {
                    Fact::PointsRow(PointsRow { holder, says: PointsSide::Hub(row), .. }) => {
                        account.hub_says(*holder, row)
                    }
                    Fact::PointsRow(PointsRow { holder, says: PointsSide::Store(row), .. }) => {
                        account.store_says(*holder, row);
                    }
                    Fact::SalePoints(said) => account.sale_says(StoreId(1), said),
                    other => panic!("{other:?}"),
                }
            }
            account
        };
        let straight = told(&facts);
        let mut turned: Vec<Fact> = facts.iter().rev().cloned().collect();
        prop_assert_eq!(&told(&turned), &straight);
        if !facts.is_empty() {
            turned.rotate_left(at.index(facts.len()));
        }
        turned.extend(facts.iter().cloned());
        prop_assert_eq!(told(&turned), straight);
        Ok(())
    });
}

#[test]
fn several_accounts_spend_the_oldest_points_first_and_never_more_than_they_may() {
    let account = (member(), 0..5u64, debit());
    let input = (vec(account, 0..5), 0..3_000u64);
    check(
        "several_accounts_spend_the_oldest_points_first_and_never_more_than_they_may",
        2_000,
        input,
        |(accounts, points)| {
            let unique: BTreeMap<MemberId, (u64, Debit)> =
                accounts.into_iter().map(|(id, at, may)| (id, (at, may))).collect();
            let accounts: Vec<_> = unique.iter().map(|(id, (at, may))| (*id, *at, *may)).collect();
            let may: u64 = accounts.iter().map(|(_, _, may)| may.points()).sum();
            let Some(debits) = debits(&accounts, points) else {
                prop_assert!(points > may);
                return Ok(());
            };
            prop_assert_eq!(debits.iter().map(|(_, debit)| debit.points()).sum::<u64>(), points);
            for (member, debit) in &debits {
                let (at, may) = unique[member];
                prop_assert!(debit.right <= may.right && debit.soft <= may.soft);
                let older = accounts.iter().filter(|(_, oldest, _)| *oldest < at);
                let spent = |id: MemberId| debits.iter().find(|(of, _)| *of == id).map_or(0, |(_, debit)| debit.right);
                prop_assert!(debit.right == 0 || older.into_iter().all(|(id, _, may)| spent(*id) == may.right));
            }
            Ok(())
        },
    );
}

#[test]
fn of_several_redemptions_everybody_finds_the_same_one_first() {
    let one = (redemption(), 1..4u32, any::<bool>());
    check("of_several_redemptions_everybody_finds_the_same_one_first", 1_000, vec(one, 0..6), |all| {
        let judged = |all: &[(Redemption, u32, bool)]| {
            judge(all.iter().map(|(redemption, store, by_right)| Judged {
                store: StoreId(*store),
                redemption: redemption.clone(),
                by_right: *by_right,
            }))
        };
        let straight = judged(&all);
        let turned: Vec<_> = all.iter().rev().cloned().collect();
        let winner = |verdict: &Option<stockroom_crdt::loyalty::coupon::Verdict>| {
            let winner = verdict.as_ref().map(|it| &it.winner);
            winner.map(|it| (it.by_right, it.redemption.at_ms, it.store, it.redemption.receipt))
        };
        prop_assert_eq!(winner(&straight), winner(&judged(&turned)));
        let counted = straight.as_ref().map_or(0, |verdict| 1 + verdict.doubles.len());
        prop_assert_eq!(counted, all.iter().filter(|(redemption, ..)| !redemption.undone).count());
        let by_right = all.iter().any(|(redemption, _, by_right)| *by_right && !redemption.undone);
        prop_assert!(straight.is_none_or(|verdict| verdict.winner.by_right == by_right));
        Ok(())
    });
}

#[test]
fn an_invented_code_is_none_of_a_campaigns() {
    check(
        "an_invented_code_is_none_of_a_campaigns",
        500,
        (campaign(), any::<u32>(), amount()),
        |(campaign, serial, change)| {
            let Some(code) = campaign.code(serial % campaign.serials().max(1)) else {
                prop_assert!(campaign.has(campaign.id()), "a pool's code is its name");
                return Ok(());
            };
            prop_assert!(campaign.has(&code));
            let name = CouponName::of(&code);
            prop_assert_eq!(name.serial, Some(serial % campaign.serials()));
            prop_assert_eq!(&name.campaign, campaign.id());
            let mut digits: Vec<u8> = code.as_str().bytes().collect();
            let at = digits.len() - 1 - change.unsigned_abs() as usize % 18;
            digits[at] = if digits[at] == b'7' { b'8' } else { b'7' };
            prop_assert!(!campaign.has(&Code::parse(std::str::from_utf8(&digits).unwrap()).unwrap()));
            Ok(())
        },
    );
}

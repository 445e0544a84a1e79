//! Rights and promises: arbitrary facts, fixed examples, and the laws of the bounded counter.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use stockroom_crdt::clock::Hlc;
use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::{Actor, Code, NodeId, Sku, StoreId};
use stockroom_crdt::limits::{QUANTITY_MAX, RIGHTS_MAX};
use stockroom_crdt::money::Unit;
use stockroom_crdt::product::Channel;
use stockroom_crdt::stock::Position;
use stockroom_crdt::stock::custody::{Consent, Hint, Retire, Want, Why};
use stockroom_crdt::stock::policy::{Allocation, PolicyRule, Target};
use stockroom_crdt::stock::promise::{Claim, GoodsIssue, Promise, PromiseId, PromiseStep, Said, State, Step};
use stockroom_crdt::stock::rights::{Account, Class, Liability, Rights, RightsFact, RightsRow};
use stockroom_crdt::stock::shortage::{Candidate, Compensation, Remedy, Shortage, compensation_id, victims};
use stockroom_tests::property::check;

use super::arbitrary::{actor, code, hlc, quantity, sku, some_code, u32s, u64s, unit};

/// A fact about rights or promises.
pub fn fact_of(number: u16) -> BoxedStrategy<Fact> {
    match number {
        kind::POLICY => policy().prop_map(Fact::PolicyRule).boxed(),
        kind::RIGHTS => rights_fact().prop_map(Fact::Rights).boxed(),
        kind::PROMISE => promise().prop_map(Fact::Promise).boxed(),
        kind::PROMISE_STEP => (id(), step(), 0..=QUANTITY_MAX as u64, code(), code())
            .prop_map(|(promise, step, found, note, staff)| {
                let found = if step == Step::Pick { found } else { 0 };
                Fact::PromiseStep(PromiseStep { promise, step, found, note, staff })
            })
            .boxed(),
        kind::WANT => (account(), class(), u32s(), u32s(), quantity(), why())
            .prop_map(|(account, class, of, number, quantity, why)| {
                Fact::Want(Want { account, class, of: NodeId(of), number, quantity: quantity as u64, why })
            })
            .boxed(),
        kind::HINT => (account(), class(), actor(), u32s(), u32s(), u64s())
            .prop_map(|(account, class, to, number, richest, held)| {
                Fact::Hint(Hint { account, class, to, number, richest: NodeId(richest), held })
            })
            .boxed(),
        kind::SHORTAGE => (account(), any::<i64>(), code(), vec((id(), quantity().prop_map(|n| n as u64)), 1..5))
            .prop_map(|(account, on_hand, cause, victims)| {
                Fact::Shortage(Shortage { account, on_hand, cause, victims })
            })
            .boxed(),
        kind::COMPENSATION => (any::<[u8; 16]>(), id(), option::of(id()))
            .prop_map(|(id, promise, other)| {
                let remedy = other.map_or(Remedy::Refund, Remedy::Resourced);
                Fact::Compensation(Compensation { id, promise, remedy })
            })
            .boxed(),
        kind::RETIRE => (actor(), code(), code(), 0..=RIGHTS_MAX)
            .prop_map(|(actor, reason, staff, risk)| Fact::Retire(Retire { actor, reason, staff, risk }))
            .boxed(),
        kind::CONSENT => (option::of(sku()), some_code(), 0..=1_000_000u32, code())
            .prop_map(|(sku, owner, share_ppm, document)| Fact::Consent(Consent { sku, owner, share_ppm, document }))
            .boxed(),
        kind::GOODS_ISSUE => (id(), account(), quantity(), code())
            .prop_map(|(promise, account, quantity, staff)| {
                Fact::GoodsIssue(GoodsIssue { promise, account, quantity, staff })
            })
            .boxed(),
        other => super::ordered::fact_of(other),
    }
}

/// One example of each kind, with every optional field set.
pub fn examples() -> Vec<(&'static str, Fact)> {
    let word = |text: &str| Code::parse(text).unwrap();
    let tea = || Account { store: StoreId(7), sku: Sku::parse("tea-7").unwrap(), unit: Unit::Gram };
    let (home, hub) = (Actor::new(150, 2), Actor::new(1, 1));
    let row = RightsRow {
        mint: 500,
        used: 20,
        burned: 3,
        grants: [(hub, 240), (Actor::new(151, 1), 7)].into(),
        served: [(hub, 12)].into(),
    };
    let id = PromiseId { issuer: hub, number: 0x1122_3344_5566_7788 };
    let lost = PromiseId { issuer: home, number: 9 };
    let shortage = Shortage { account: tea(), on_hand: -2, cause: word("goods-missing"), victims: vec![(id, 250)] };
    let compensation =
        Compensation { id: compensation_id(shortage.id(), id), promise: id, remedy: Remedy::Resourced(lost) };
    let rule = PolicyRule {
        safety: 2,
        soft_ppm: 10_000,
        overbooking_ppm: 50_000,
        shrink_ppm_day: 700,
        ..PolicyRule::of(Target::Department(word("GROCERY")), Allocation::Littlewood)
    };
    let promise = Promise {
        id,
        account: tea(),
        quantity: 250,
        claim: Claim::Soft,
        channel: Channel::Delivery,
        priority: 100,
        until_ms: 1_763_700_900_000,
        wanted_ms: 1_763_710_000_000,
        reference: word("W-2024-17"),
        replaces: Some(lost),
    };
    vec![
        ("policy_rule", Fact::PolicyRule(rule)),
        ("rights", Fact::Rights(RightsFact { account: tea(), class: Class::Overbooking, by: home, row })),
        ("promise", Fact::Promise(promise)),
        (
            "promise_step",
            Fact::PromiseStep(PromiseStep {
                promise: id,
                step: Step::Pick,
                found: 0,
                note: word("bay 3"),
                staff: word("anna"),
            }),
        ),
        (
            "want",
            Fact::Want(Want {
                account: tea(),
                class: Class::Goods,
                of: NodeId(150),
                number: 12,
                quantity: 40,
                why: Why::AtRisk,
            }),
        ),
        (
            "hint",
            Fact::Hint(Hint {
                account: tea(),
                class: Class::Goods,
                to: hub,
                number: 12,
                richest: NodeId(151),
                held: 7,
            }),
        ),
        ("shortage", Fact::Shortage(shortage)),
        ("compensation", Fact::Compensation(compensation)),
        ("retire", Fact::Retire(Retire { actor: home, reason: word("lost"), staff: word("bo"), risk: 250 })),
        (
            "consent",
            Fact::Consent(Consent {
                sku: Some(tea().sku),
                owner: word("Miller KG"),
                share_ppm: 250_000,
                document: word("c-17"),
            }),
        ),
        (
            "goods_issue",
            Fact::GoodsIssue(GoodsIssue { promise: id, account: tea(), quantity: 250, staff: word("anna") }),
        ),
    ]
}

fn account() -> impl Strategy<Value = Account> {
    (u32s(), sku(), unit()).prop_map(|(store, sku, unit)| Account { store: StoreId(store), sku, unit })
}

fn class() -> impl Strategy<Value = Class> {
    prop_oneof![Just(Class::Goods), Just(Class::Overbooking)]
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![Just(Why::Miss), Just(Why::Balance), Just(Why::AtRisk)]
}

fn step() -> impl Strategy<Value = Step> {
    proptest::sample::select(Step::ALL.to_vec())
}

fn id() -> impl Strategy<Value = PromiseId> {
    (actor(), u64s()).prop_map(|(issuer, number)| PromiseId { issuer, number })
}

fn row() -> impl Strategy<Value = RightsRow> {
    let units = || prop_oneof![4 => 0..100u64, 1 => 0..=RIGHTS_MAX];
    let some = || prop_oneof![4 => 1..100u64, 1 => 1..=RIGHTS_MAX];
    (units(), units(), units(), btree_map(actor(), some(), 0..4), btree_map(actor(), 1..=u32::MAX, 0..4))
        .prop_map(|(mint, used, burned, grants, served)| RightsRow { mint, used, burned, grants, served })
}

fn rights_fact() -> impl Strategy<Value = RightsFact> {
    (account(), class(), actor(), row()).prop_map(|(account, class, by, mut row)| {
        row.grants.remove(&by);
        RightsFact { account, class, by, row }
    })
}

fn promise() -> impl Strategy<Value = Promise> {
    let claim = prop_oneof![Just(Claim::Hard), Just(Claim::Soft)];
    let channel = proptest::sample::select(Channel::ALL.to_vec());
    let times = (u64s(), u64s(), any::<u8>());
    (id(), account(), quantity(), claim, channel, times, code(), option::of(id())).prop_map(
        |(id, account, quantity, claim, channel, (until_ms, wanted_ms, priority), reference, replaces)| Promise {
            id,
            account,
            quantity: quantity as u64,
            claim,
            channel,
            priority,
            until_ms,
            wanted_ms,
            reference,
            replaces,
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyRule> {
    let target = prop_oneof![Just(Target::All), some_code().prop_map(Target::Department), sku().prop_map(Target::Sku)];
    let ppm = || 0..=1_000_000u32;
    let allocation = proptest::sample::select(Allocation::ALL.to_vec());
    (target, allocation, u32s(), (ppm(), ppm(), ppm(), ppm()), 0..=1_209_600_000u64, 1..=604_800_000u64, any::<bool>())
        .prop_map(|(target, allocation, safety, (risk, soft, overbooking, shrink), lead_ms, hold_ms, ended)| {
            PolicyRule {
                target,
                allocation,
                safety,
                risk_ppm: risk,
                soft_ppm: soft,
                overbooking_ppm: overbooking,
                shrink_ppm_day: shrink,
                lead_ms,
                hold_ms,
                ended,
            }
        })
}

#[test]
fn rows_join_like_a_semilattice() {
    check("rows_join_like_a_semilattice", 500, (row(), row(), row()), |(a, b, c)| {
        let join = |x: &RightsRow, y: &RightsRow| {
            let mut joined = x.clone();
            joined.join(y);
            joined
        };
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(&join(&a, &a), &a);
        Ok(())
    });
}

/// A step of one of three actors, on what it knows, and who hears of whose row afterwards.
#[derive(Clone, Copy, Debug)]
enum Act {
    Mint(usize, u64),
    Grant(usize, usize, u64),
    Use(usize, u64),
    Burn(usize, u64),
    Tell(usize, usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (who, units) = (0..3usize, 1..5u64);
    prop_oneof![
        (Just(0usize), units.clone()).prop_map(|(who, n)| Act::Mint(who, n)),
        (who.clone(), who.clone(), units.clone()).prop_map(|(by, to, n)| Act::Grant(by, to, n)),
        (who.clone(), units.clone()).prop_map(|(by, n)| Act::Use(by, n)),
        (who.clone(), units).prop_map(|(by, n)| Act::Burn(by, n)),
        (who.clone(), who).prop_map(|(from, to)| Act::Tell(from, to)),
    ]
}

#[test]
fn nobody_promises_more_than_was_made_whatever_is_heard_when() {
    let actors = [Actor::new(1, 1), Actor::new(2, 1), Actor::new(3, 1)];
    check("nobody_promises_more_than_was_made", 500, vec(act(), 0..200), |acts| {
        let mut known = [Rights::default(), Rights::default(), Rights::default()];
        for act in acts {
            // What a step is refused changes nothing; what it does is one more row of its own.
            let _ = match act {
                Act::Mint(by, n) => known[by].mint(actors[by], n),
                Act::Grant(by, to, n) => known[by].grant(actors[by], actors[to], n),
                Act::Use(by, n) => known[by].use_up(actors[by], n),
                Act::Burn(by, n) => known[by].burn(actors[by], n),
                Act::Tell(from, to) => {
                    let row = known[from].row(actors[from]);
                    known[to].merge(actors[from], &row);
                    Ok(row)
                }
            };
            let own = |at: usize| (actors[at], known[at].row(actors[at]));
            let truth = Rights::from_rows((0..3).map(own));
            prop_assert!(truth.used() + truth.burned() <= truth.minted());
            let mut sum = 0;
            for (at, actor) in actors.into_iter().enumerate() {
                prop_assert!(truth.balance(actor) >= 0);
                prop_assert!(known[at].balance(actor) <= truth.balance(actor), "a row is known late, never too early");
                sum += truth.balance(actor);
            }
            prop_assert_eq!(sum, i128::from(truth.minted()) - i128::from(truth.used()) - i128::from(truth.burned()));
        }
        Ok(())
    });
}

#[test]
fn what_is_said_of_a_promise_adds_up_in_any_order() {
    let said = vec((actor(), u64s(), hlc(), step(), code()), 0..12);
    let orders = said.prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle()));
    check("what_is_said_of_a_promise_adds_up_in_any_order", 500, orders, |(one, other)| {
        let id = PromiseId { issuer: Actor::new(1, 1), number: 1 };
        let mut seen: BTreeMap<(Actor, u64), ()> = BTreeMap::new();
        let unique: Vec<_> = one.iter().filter(|it| seen.insert((it.0, it.1), ()).is_none()).cloned().collect();
        let add = |said: &mut Said, (actor, seq, hlc, step, note): &(Actor, u64, Hlc, Step, Code)| {
            let fact = PromiseStep { promise: id, step: *step, found: 0, note: note.clone(), staff: Code::default() };
            said.add(Position { actor: *actor, seq: *seq }, *hlc, fact);
        };
        let (mut left, mut right) = (Said::default(), Said::default());
        unique.iter().for_each(|it| add(&mut left, it));
        other.iter().filter(|it| unique.contains(it)).for_each(|it| add(&mut right, it));
        prop_assert_eq!(&left, &right);
        let handed_over = unique.iter().any(|it| it.3 == Step::Fulfil);
        prop_assert_eq!(left.state() == State::Fulfilled, handed_over, "a handover is never undone");
        left.short([1; 16]);
        left.short([0; 16]);
        prop_assert_eq!(left.shortage(), Some([0; 16]));
        prop_assert_eq!(left.state(), if handed_over { State::Fulfilled } else { State::Shorted });
        Ok(())
    });
}

#[test]
fn as_few_go_without_as_the_rule_allows_and_everybody_agrees_who() {
    let state = proptest::sample::select(vec![State::Held, State::Confirmed, State::Staged, State::Released]);
    let claim = prop_oneof![3 => Just(Claim::Hard), 1 => Just(Claim::Soft)];
    let one = (id(), 1..5u64, state, claim, 0..3u8, hlc()).prop_map(|(id, quantity, state, claim, priority, made)| {
        Candidate { id, quantity, state, claim, priority, made }
    });
    let all = vec(one, 0..12).prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()));
    check("as_few_go_without_as_the_rule_allows", 500, (all, -3..20i64), |((all, shuffled), on_hand)| {
        let mut ids: Vec<_> = all.iter().map(|candidate| candidate.id).collect();
        ids.sort();
        ids.dedup();
        if ids.len() < all.len() {
            return Ok(());
        }
        let chosen = victims(&all, on_hand);
        prop_assert_eq!(&chosen, &victims(&shuffled, on_hand));
        let of = |id: PromiseId| all.iter().find(|candidate| candidate.id == id).expect("victims are candidates");
        prop_assert!(chosen.iter().all(|(id, _)| of(*id).state.is_open() && of(*id).state != State::Staged));
        let open = all.iter().filter(|candidate| candidate.state.is_open());
        let kept: u64 =
            open.clone().filter(|it| !chosen.iter().any(|(id, _)| *id == it.id)).map(|it| it.quantity).sum();
        let there = on_hand.max(0) as u64;
        let unpicked_left =
            open.clone().any(|it| it.state != State::Staged && !chosen.iter().any(|(id, _)| *id == it.id));
        prop_assert!(kept <= there || !unpicked_left, "somebody more could have been told");
        if let Some((last, _)) = chosen.last() {
            prop_assert!(kept + of(*last).quantity > there, "the last one need not have gone without");
        }
        Ok(())
    });
}

#[test]
fn what_is_owed_is_never_less_than_what_is_open() {
    check("what_is_owed", 500, (u64s(), u64s(), u64s(), u64s(), u64s()), |(minted, burned, closed, open, goods)| {
        let liability = Liability { minted, burned, closed, open };
        prop_assert!(liability.units() >= open);
        let more = liability.may_mint(goods);
        prop_assert!(more == 0 || liability.units() + more == goods);
        Ok(())
    });
}

#[test]
fn the_name_of_a_promise_is_read_back_and_nothing_else_is() {
    check("the_name_of_a_promise_is_read_back", 500, id(), |id| {
        prop_assert_eq!(PromiseId::parse(&id.to_string()), Some(id));
        Ok(())
    });
    for text in ["", "1.1", "1.1-", "1.1-zz", "1.1-00000000000000001", "01.1-0000000000000001", "1.1-00000000000000AB"]
    {
        assert_eq!(PromiseId::parse(text), None, "{text}");
    }
    assert_eq!(QUANTITY_MAX as u64, 10_000_000, "a promise holds what a line holds");
}

//! Whether tenders are what they can be, and cover what is due: exactly, with change as negative cash.

use stockroom_crdt::checkout::rules::TillRules;
use stockroom_crdt::checkout::tender::Assurance;
use stockroom_crdt::limits::TENDERS_MAX;
use stockroom_crdt::sale::{Tender, TenderKind};

use super::sell::check_amount;
use crate::input::Refusal;

/// What is added to a total so that cash can pay it.
pub fn rounding(rules: &TillRules, total: i64) -> i64 {
    rules.cash_rounding.to_step(total, rules.cash_step).saturating_sub(total)
}

/// Refuses tenders that nobody can have given for so much. Whether they suffice is another question.
pub fn check(tenders: &[(Tender, Assurance)], due: i64) -> Result<(), Refusal> {
    if tenders.len() > TENDERS_MAX {
        return Err(Refusal::invalid("tenders", format!("a sale has at most {TENDERS_MAX} tenders")));
    }
    let mut cash = 0_i64;
    for (index, (tender, assurance)) in tenders.iter().enumerate() {
        let field = |name: &str| format!("tenders[{index}].{name}");
        check_amount(&field("amount"), tender.amount)?;
        if tender.amount == 0 {
            return Err(Refusal::invalid(field("amount"), "is zero"));
        }
        let is_cash = tender.kind == TenderKind::Cash;
        if is_cash != (*assurance == Assurance::Cash) {
            let message = format!("is {}, but the tender is {}", assurance.as_str(), tender.kind.as_str());
            return Err(Refusal::invalid(field("assurance"), message));
        }
        if is_cash {
            cash = cash.saturating_add(tender.amount);
        } else if tender.amount.signum() != due.signum() {
            return Err(Refusal::invalid(field("amount"), "has the wrong sign: change is given in cash"));
        }
    }
    if cash.signum() * due.signum() < 0 {
        return Err(Refusal::invalid("tenders", "more change is given than there was cash"));
    }
    Ok(())
}

/// Refuses what does not cover the total exactly; `due` is what the tenders leave of it.
pub fn exactly(due: i64) -> Result<(), Refusal> {
    match due {
        0 => Ok(()),
        1.. => Err(Refusal::invalid("tenders", format!("{due} is still to be paid"))),
        _ => Err(Refusal::invalid("tenders", format!("{} too much: give it back as a negative cash tender", -due))),
    }
}

/// Refuses to ask a terminal for a rest that it cannot bring.
pub fn rest(tenders: &[Tender], due: i64) -> Result<(), Refusal> {
    if due <= 0 {
        return Err(Refusal::invalid("terminal", "is not needed: nothing is left to be paid"));
    }
    check_amount("total", due)?;
    if tenders.iter().any(|tender| tender.amount < 0) {
        return Err(Refusal::invalid("tenders", "change is given only when the rest is paid"));
    }
    if tenders.len() >= TENDERS_MAX {
        return Err(Refusal::invalid("tenders", format!("a sale has at most {TENDERS_MAX} tenders")));
    }
    Ok(())
}

//! Questions about points, campaigns and coupons.

use stockroom_crdt::entry::{Fact, kind};
use stockroom_crdt::ids::Code;
use stockroom_crdt::loyalty::campaign::Campaign;
use stockroom_crdt::loyalty::rules::LoyaltyRules;
use stockroom_crdt::scope::Scope;

use super::View;
use crate::storage::{Snapshot, StoreError};

impl<S: Snapshot + ?Sized> View<'_, S> {
    /// What points are worth; `None` if there is no programme, or it has ended.
    pub fn loyalty(&self) -> Result<Option<LoyaltyRules>, StoreError> {
        let fact = self.decision(&Scope::Control, kind::LOYALTY, LoyaltyRules::ENTITY)?;
        let rules = fact.and_then(|fact| if let Fact::Loyalty(rules) = fact { Some(rules) } else { None });
        Ok(rules.filter(|rules| !rules.ended))
    }

    /// A campaign by its name.
    pub fn campaign(&self, id: &Code) -> Result<Option<Campaign>, StoreError> {
        if id.is_empty() {
            return Ok(None);
        }
        let fact = self.decision(&Scope::Catalog, kind::CAMPAIGN, id.as_str().as_bytes())?;
        Ok(fact.and_then(|fact| if let Fact::Campaign(campaign) = fact { Some(campaign) } else { None }))
    }

    /// Every campaign, by name, those that are over included.
    pub fn campaigns(&self) -> Result<Vec<Campaign>, StoreError> {
        let all = self.decisions(&Scope::Catalog, kind::CAMPAIGN)?.into_iter();
        Ok(all.filter_map(|fact| if let Fact::Campaign(campaign) = fact { Some(campaign) } else { None }).collect())
    }
}

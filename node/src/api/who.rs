//! Who asks, and what she may do.
//!
//! Whoever can open the loopback door may do everything. On the shop's network, at a store where somebody has a PIN, a cashier has to be
//! signed in to sell, and what needs a manager needs her session or an approval that she gave with her PIN: her name alone is not
//! believed. A store where nobody has a PIN works as if everybody were a manager, by names alone.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use stockroom_crdt::checkout::staff::{Role, StaffRecord};
use stockroom_crdt::ids::{Code, Digest, StoreId};
use utoipa::IntoParams;

use super::Api;
use super::gate::LOCAL;
use super::pages::cookies;
use super::problem::{Answered, Kind, Problem};
use super::request::Caller;
use crate::staff::approvals::What;
use crate::staff::sessions::Session;

/// Who sent a request.
pub struct Who {
    /// The device; `local` for a program on the node's own machine, `page` for a browser there.
    pub device: String,
    /// Who is signed in there, as head office's record is now.
    signed_in: Option<StaffRecord>,
}

/// The header of whoever is signed in.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct SessionHeader {
    /// The token of `/v1/sign-in`. Needed on the shop's network once somebody has a PIN.
    #[param(rename = "Stockroom-Session")]
    session: Option<String>,
}

/// How a request says who approved it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// By name.
    pub approver: Code,
    /// By a token of `/v1/approvals`.
    pub approval: Option<String>,
}

impl FromRequestParts<Arc<Api>> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Self, Problem> {
        let device = parts.extensions.get::<Caller>().map_or(String::new(), |caller| caller.0.clone());
        Self::of(api, &parts.headers, device)
    }
}

impl Who {
    /// Who is signed in at a device, by the session that a request shows.
    pub fn of(api: &Api, headers: &HeaderMap, device: String) -> Answered<Self> {
        let shown = headers.get(SESSION).map(|token| token.to_str().unwrap_or_default().to_owned());
        let Some(token) = shown.or_else(|| cookies::read(headers, cookies::SESSION)) else {
            return Ok(Self { device, signed_in: None });
        };
        let over = || Problem::new(Kind::SignInNeeded, "the session is over, or was never opened here: sign in again");
        let session = api.people.session(&token).ok_or_else(over)?;
        let record = api.read(|books| of_session(api, books, &session))?.ok_or_else(over)?;
        Ok(Self { device, signed_in: Some(record) })
    }

    /// Refuses what somebody of this role may do and who asks may not.
    pub fn may(&self, api: &Api, role: Role) -> Answered<()> {
        match &self.signed_in {
            Some(record) if record.role >= role => Ok(()),
            _ if !self.is_bound(api)? => Ok(()),
            Some(record) => {
                let detail = format!("{} may not do that: it needs a {}", record.name, role.as_str());
                Err(Problem::new(Kind::RoleNeeded, detail))
            }
            None => Err(Problem::new(Kind::SignInNeeded, "sign in first: send the session as Stockroom-Session")),
        }
    }

    /// Who does it: whoever is signed in, else as the request says in `field`.
    pub fn name(&self, field: &str, named: &Code) -> Answered<Code> {
        match &self.signed_in {
            Some(record) if named.is_empty() || *named == record.staff => Ok(record.staff.clone()),
            Some(record) => {
                let message = format!("is {}, but {} is signed in", named.as_str(), record.staff.as_str());
                Err(Problem::invalid(field, message))
            }
            None => Ok(named.clone()),
        }
    }

    /// The short name of whoever is signed in; empty if nobody is.
    pub fn signed_in_name(&self) -> String {
        self.signed_in.as_ref().map_or(String::new(), |record| record.staff.as_str().to_owned())
    }

    /// Who approved a request, if anybody did. `body` names the request: an approval is good for one, and for its retries.
    pub fn approver(&self, api: &Api, shown: &Shown, of: (What, Digest)) -> Answered<Code> {
        let named = &shown.approver;
        if let Some(token) = &shown.approval {
            let approver = api.people.use_approval(token, of.0, of.1);
            let approver = approver.map_err(|error| Problem::invalid("approval", error).of_kind(Kind::RoleNeeded))?;
            let agrees = named.is_empty() || *named == approver;
            return agrees.then_some(approver).ok_or_else(|| Problem::invalid("approver", "is not who approved it"));
        }
        let is_own = self.manager().is_some_and(|own| *own == *named);
        if named.is_empty() || is_own || !self.is_bound(api)? {
            return Ok(named.clone());
        }
        let message = "is only a name: send what /v1/approvals gave as approval";
        Err(Problem::invalid("approver", message).of_kind(Kind::RoleNeeded))
    }

    /// Who approved something that is not done without a manager. One who is signed in herself needs nobody else.
    pub fn needed_approver(&self, api: &Api, shown: &Shown, of: (What, Digest)) -> Answered<Code> {
        let approver = self.approver(api, shown, of)?;
        if !approver.is_empty() {
            return Ok(approver);
        }
        self.may(api, Role::Manager)?;
        Ok(self.manager().cloned().unwrap_or_default())
    }

    /// True for a manager: signed in, or `named` where names alone are believed.
    pub fn manages(&self, api: &Api, named: &Code) -> Answered<bool> {
        Ok(self.manager().is_some() || (!named.is_empty() && !self.is_bound(api)?))
    }

    fn manager(&self) -> Option<&Code> {
        self.signed_in.as_ref().filter(|record| record.role >= Role::Manager).map(|record| &record.staff)
    }

    /// True when names alone are not believed.
    fn is_bound(&self, api: &Api) -> Answered<bool> {
        if self.device == LOCAL {
            return Ok(false);
        }
        api.read(|books| Ok(books.has_pins(StoreId(api.info.store))?))
    }
}

/// Whose session it is. A record that head office changed meanwhile holds at once.
pub fn of_session(api: &Api, books: &super::Books<'_>, session: &Session) -> Answered<Option<StaffRecord>> {
    let record = works_here(api, books, &session.staff)?;
    Ok(record.filter(|record| Digest::of(&[record.pin.as_bytes()]) == session.pin))
}

/// The record of somebody who signs in at this node.
pub fn works_here(api: &Api, books: &super::Books<'_>, staff: &Code) -> Answered<Option<StaffRecord>> {
    let here = |record: &StaffRecord| match api.info.store {
        0 => !record.ended,
        store => record.works_at(StoreId(store)),
    };
    Ok(books.staff(staff)?.filter(|record| here(record) && !record.pin.is_empty()))
}

/// The header.
pub const SESSION: HeaderName = HeaderName::from_static("stockroom-session");

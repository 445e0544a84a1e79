//! The access token: got once by an authorization code, kept in a file, renewed before it ends.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::courier::CourierError;
use crate::courier::fengniao::{CallError, NAME, sign};
use crate::courier::limits::RENEW_BEFORE_MS;
use crate::files::write_whole;

/// Where the token comes from. The lock is held while a new one is asked for, so that only one is.
pub(super) struct Tokens {
    token_file: PathBuf,
    code_file: Option<PathBuf>,
    token: Mutex<Option<Token>>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Token {
    access_token: String,
    refresh_token: String,
    /// When the access token ends.
    expires_ms: u64,
}

/// What the service says to a grant. Lives are in seconds.
#[derive(Deserialize)]
pub(super) struct Granted {
    access_token: String,
    refresh_token: String,
    expire_in: u64,
}

/// By what a token is asked for.
pub(super) enum Grant {
    Code(String),
    Refresh(String),
}

impl Grant {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Grant::Code(_) => "authorization_code",
            Grant::Refresh(_) => "refresh_token",
        }
    }

    pub(super) fn field(&self) -> (&'static str, &str) {
        match self {
            Grant::Code(code) => ("code", code),
            Grant::Refresh(token) => ("refresh_token", token),
        }
    }

    pub(super) fn path(&self) -> &'static str {
        match self {
            Grant::Code(_) => "/openapi/token",
            Grant::Refresh(_) => "/openapi/refreshToken",
        }
    }
}

impl Tokens {
    pub(super) fn new(token_file: PathBuf, code_file: Option<PathBuf>) -> Self {
        Self { token_file, code_file, token: Mutex::new(None) }
    }

    /// A token that holds for a while yet, asked for by `ask` if there is none.
    pub(super) fn current(
        &self,
        now_ms: u64,
        ask: impl Fn(&Grant) -> Result<Granted, CallError>,
    ) -> Result<String, CallError> {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.clone().or_else(|| self.read());
        if let Some(token) = &known
            && token.expires_ms > now_ms.saturating_add(RENEW_BEFORE_MS)
        {
            *held = known.clone();
            return Ok(token.access_token.clone());
        }
        let grant = match known {
            Some(token) => Grant::Refresh(token.refresh_token),
            None => Grant::Code(self.code()?),
        };
        let granted = ask(&grant)?;
        let expires_ms = now_ms.saturating_add(granted.expire_in.saturating_mul(1000));
        let token = Token { access_token: granted.access_token, refresh_token: granted.refresh_token, expires_ms };
        self.write(&token)?;
        let access = token.access_token.clone();
        *held = Some(token);
        Ok(access)
    }

    /// The service does not take this token any more.
    pub(super) fn expire(&self, access_token: &str) {
        let mut held = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = held.as_mut().filter(|token| token.access_token == access_token) {
            token.expires_ms = 0;
        }
    }

    fn read(&self) -> Option<Token> {
        serde_json::from_str(&sign::read_short(&self.token_file).ok()?).ok()
    }

    fn code(&self) -> Result<String, CourierError> {
        let setup = |what: String| CourierError::Setup { service: NAME.into(), what };
        let nobody = || setup(format!("{} holds no token, and no code_file is given", self.token_file.display()));
        let code = sign::read_short(self.code_file.as_ref().ok_or_else(nobody)?).map_err(setup)?;
        Ok(code.trim().to_owned())
    }

    fn write(&self, token: &Token) -> Result<(), CourierError> {
        let setup = |what: String| CourierError::Setup { service: NAME.into(), what };
        let bytes = serde_json::to_vec(token).map_err(|error| setup(error.to_string()))?;
        write_whole(&self.token_file, &bytes)
            .map_err(|error| setup(format!("cannot write {}: {error}", self.token_file.display())))
    }
}

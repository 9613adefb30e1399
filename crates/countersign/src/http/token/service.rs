//! A service that introspects tokens, authenticated by a secret that it shares with this server: a bearer token (RFC 7662, section
//! 2.1) or the HTTP Basic password (RFC 6749, section 2.3.1). Separate from `current_user`, because services are not users.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::super::current_user::authorization;
use super::super::problem::{Demand, INVALID_TOKEN, NOT_AUTHENTICATED, OAuthProblem, Problem};
use crate::Accounts;

/// A service that has sent the secret; without it the response is 401.
pub(super) struct Service;

impl<S> FromRequestParts<S> for Service
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = OAuthProblem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, OAuthProblem> {
        let accounts = Accounts::from_ref(state);
        let (is_known, demand) = match presented(&parts.headers) {
            None => return Err(Problem::new(&NOT_AUTHENTICATED).demand(Demand::ServiceSecret).into()),
            Some(Presented::Bearer(secret)) => (accounts.may_introspect(secret), Demand::AnotherToken),
            Some(Presented::Basic(password)) => {
                let is_known = password.is_some_and(|password| password.is_known(&accounts));
                (is_known, Demand::ServicePassword)
            }
        };
        if is_known { Ok(Self) } else { Err(Problem::new(&INVALID_TOKEN).demand(demand).into()) }
    }
}

/// How the secret was sent.
enum Presented<'r> {
    Bearer(&'r str),
    /// `None` if it is not Base64 of an id and a password.
    Basic(Option<BasicPassword>),
}

fn presented(headers: &HeaderMap) -> Option<Presented<'_>> {
    let (scheme, rest) = authorization(headers)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Some(Presented::Bearer(rest))
    } else if scheme.eq_ignore_ascii_case("basic") {
        Some(Presented::Basic(BasicPassword::read(rest)))
    } else {
        None
    }
}

/// The text after the first colon.
struct BasicPassword(Zeroizing<String>);

impl BasicPassword {
    fn read(base64: &str) -> Option<Self> {
        let decoded = Zeroizing::new(STANDARD.decode(base64).ok()?);
        let (_, password) = str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self(Zeroizing::new(password.to_owned())))
    }

    /// Whether it is the secret. OAuth clients form-encode both parts; others, such as curl, send them as they are.
    fn is_known(&self, accounts: &Accounts) -> bool {
        let spaced = Zeroizing::new(self.0.replace('+', " "));
        let decoded = percent_decode_str(&spaced).decode_utf8().map(|text| Zeroizing::new(text.into_owned()));
        accounts.may_introspect(&self.0) || decoded.is_ok_and(|decoded| accounts.may_introspect(&decoded))
    }
}

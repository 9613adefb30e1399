//! Extractors of the caller: the user of the access token in the `Authorization` header (RFC 6750, section 2.1) or, without that
//! header, of the session cookie.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use jiff::Timestamp;

use super::cookie::{self, Jar};
use super::problem::{Demand, INVALID_TOKEN, NOT_AUTHENTICATED, NOT_YOUR_ACCOUNT, Problem, REAUTHENTICATION_REQUIRED};
use super::site::refuse_other_sites;
use crate::Accounts;
use crate::model::{Authenticated, Methods, SessionId, Strength, User, UserId};

/// The caller, identified by an access token or a session cookie; without a valid one the response is 401.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use countersign::{Accounts, CurrentUser};
///
/// async fn hello(CurrentUser { user, .. }: CurrentUser) -> String {
///     format!("Hello, {}!", user.username.as_str())
/// }
///
/// let router: Router<Accounts> = Router::new().route("/hello", get(hello));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CurrentUser {
    /// The user as the database has them now.
    pub user: User,
    /// The session that the token or cookie belongs to.
    pub session: SessionId,
    /// When the user last authenticated in this session; for an access token, before it was issued.
    pub authenticated_at: Timestamp,
    /// The methods they used.
    pub methods: Methods,
}

impl<S> FromRequestParts<S> for CurrentUser
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let accounts = Accounts::from_ref(state);
        let cookies = Jar::of(accounts.config(), &parts.uri, &parts.headers);
        let found = match credential(&parts.headers, cookies) {
            None => return Err(Problem::new(&NOT_AUTHENTICATED)),
            Some(Credential::AccessToken(token)) => {
                let found = accounts.verify_access_token(token).await?;
                Some(found.ok_or_else(|| Problem::new(&INVALID_TOKEN).demand(Demand::AnotherToken))?)
            }
            Some(Credential::Cookie) => {
                refuse_other_sites(accounts.config(), parts)?;
                accounts.verify_session_cookies(cookie::get(cookies, &parts.headers)).await?
            }
        };
        found.map(Self::from).ok_or_else(|| Problem::new(&INVALID_TOKEN))
    }
}

impl From<Authenticated> for CurrentUser {
    fn from(Authenticated { user, session, authenticated_at, methods }: Authenticated) -> Self {
        Self { user, session, authenticated_at, methods }
    }
}

impl CurrentUser {
    /// Whether the caller has authenticated recently enough for actions that an unattended, logged-in browser must not allow.
    pub fn is_recent(&self, accounts: &Accounts) -> bool {
        accounts.is_recent(self.authenticated_at, self.methods, Strength::OneFactor)
    }
}

/// The caller, if any; an invalid access token is still a 401.
///
/// ```
/// use countersign::OptionalUser;
///
/// async fn greeting(OptionalUser(caller): OptionalUser) -> String {
///     caller.map_or("Hello!".to_owned(), |caller| format!("Hello, {}!", caller.user.username.as_str()))
/// }
/// # let _ = axum::Router::<countersign::Accounts>::new().route("/", axum::routing::get(greeting));
/// ```
#[derive(Clone, Debug)]
pub struct OptionalUser(pub Option<CurrentUser>);

impl<S> FromRequestParts<S> for OptionalUser
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let cookies = Jar::of(Accounts::from_ref(state).config(), &parts.uri, &parts.headers);
        match credential(&parts.headers, cookies) {
            None => Ok(Self(None)),
            Some(Credential::AccessToken(_)) => Ok(Self(Some(CurrentUser::from_request_parts(parts, state).await?))),
            // Browsers keep sending the cookie of an ended session.
            Some(Credential::Cookie) => match CurrentUser::from_request_parts(parts, state).await {
                Err(problem) if problem.kind().code == INVALID_TOKEN.code => Ok(Self(None)),
                caller => Ok(Self(Some(caller?))),
            },
        }
    }
}

/// A caller who has entered the password recently. Required for actions that an unattended, logged-in browser must not allow;
/// otherwise the response is 403 with the code `reauthentication_required`.
///
/// ```
/// use countersign::{CurrentUser, RecentlyAuthenticated};
///
/// async fn delete_everything(RecentlyAuthenticated(CurrentUser { user, .. }): RecentlyAuthenticated) -> String {
///     format!("{} entered the password within the last half hour", user.username.as_str())
/// }
/// # let _ = axum::Router::<countersign::Accounts>::new().route("/", axum::routing::post(delete_everything));
/// ```
#[derive(Clone, Debug)]
pub struct RecentlyAuthenticated(pub CurrentUser);

impl<S> FromRequestParts<S> for RecentlyAuthenticated
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = CurrentUser::from_request_parts(parts, state).await?;
        require_recent(&Accounts::from_ref(state), &caller)?;
        Ok(Self(caller))
    }
}

/// For endpoints that require a recent login only for some of their actions.
pub(super) fn require_recent(accounts: &Accounts, caller: &CurrentUser) -> Result<(), Problem> {
    if caller.is_recent(accounts) { Ok(()) } else { Err(Problem::new(&REAUTHENTICATION_REQUIRED)) }
}

/// Rejects callers other than the owner, before anything reveals whether the account exists.
pub(super) fn require_owner(caller: &CurrentUser, owner: UserId, detail: &str) -> Result<(), Problem> {
    if caller.user.id == owner { Ok(()) } else { Err(Problem::new(&NOT_YOUR_ACCOUNT).detail(detail)) }
}

/// The credential that a request presents.
enum Credential<'r> {
    AccessToken(&'r str),
    Cookie,
}

/// Returns the request's credential. An `Authorization` header is deliberate, so it wins over the cookie, which a browser adds on
/// its own.
fn credential(headers: &HeaderMap, cookies: Jar) -> Option<Credential<'_>> {
    if headers.contains_key(AUTHORIZATION) {
        return bearer_token(headers).map(Credential::AccessToken);
    }
    cookie::get(cookies, headers).next().map(|_| Credential::Cookie)
}

/// Returns the token after the scheme `Bearer`, in any letter case.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = authorization(headers)?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// Returns the scheme and the credentials of the `Authorization` header. Two headers contradict each other, so neither counts.
pub(super) fn authorization(headers: &HeaderMap) -> Option<(&str, &str)> {
    let mut headers = headers.get_all(AUTHORIZATION).iter();
    let (Some(header), None) = (headers.next(), headers.next()) else {
        return None;
    };
    let (scheme, credentials) = header.to_str().ok()?.split_once(' ')?;
    Some((scheme, credentials.trim()))
}

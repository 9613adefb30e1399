//! Handlers of `/api/users/me/sessions`, `/api/users/login` and related paths: listing, starting and ending sessions.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::cookie;
use super::current_user::{CurrentUser, bearer_token};
use super::fields::{Fields, Invalid, JsonBody};
use super::path::{PathId, PathParameter};
use super::problem::{
    AuthenticationProblems, BodyProblems, INVALID_TOKEN, LimitProblems, OVERLOADED, ParameterProblems, Problem,
    ProblemBody, SESSION_NOT_FOUND, ServiceProblems, WRONG_PASSWORD,
};
use super::site::OwnSite;
use super::{Private, TokenResponse};
use crate::model::{ClientInfo, Password, Session, SessionId, Stay};
use crate::{Accounts, LogIn, ReauthenticateError};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_sessions, end_other_sessions))
        .routes(routes!(end_session))
        .routes(routes!(log_in))
        .routes(routes!(log_out))
        .routes(routes!(reauthenticate))
}

impl PathParameter for SessionId {
    const NAME: &'static str = "session_id";
}

/// A session of the caller.
#[derive(Serialize, ToSchema)]
struct SessionResponse {
    id: Uuid,
    /// When it started: RFC 3339, in UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it was last used, accurate to a few minutes.
    #[schema(format = DateTime)]
    last_seen_at: String,
    /// When it expires unless it is used before.
    #[schema(format = DateTime)]
    expires_at: String,
    /// The client address at login or at the last refresh.
    #[schema(required)]
    address: Option<String>,
    /// The user agent of the browser or program.
    #[schema(required)]
    user_agent: Option<String>,
    /// Whether this request belongs to this session.
    current: bool,
}

impl SessionResponse {
    fn new(session: Session, current: SessionId) -> Self {
        Self {
            id: session.id.uuid(),
            created_at: session.created_at.to_string(),
            last_seen_at: session.last_seen_at.to_string(),
            expires_at: session.expires_at.to_string(),
            address: session.address,
            user_agent: session.user_agent,
            current: session.id == current,
        }
    }
}

/// The sessions of a user.
#[derive(Serialize, ToSchema)]
struct SessionListResponse {
    /// Most recently used first; at most 100.
    sessions: Vec<SessionResponse>,
}

/// List the current user's sessions
#[utoipa::path(
    get,
    path = "/api/users/me/sessions",
    tag = "sessions",
    responses(
        (status = OK, body = SessionListResponse, description = "The caller's sessions"),
        AuthenticationProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn list_sessions(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
) -> Result<Private<SessionListResponse>, Problem> {
    let sessions = accounts.list_sessions(caller.user.id).await?;
    let sessions = sessions.into_iter().map(|session| SessionResponse::new(session, caller.session));
    Ok(Private(SessionListResponse { sessions: sessions.collect() }))
}

/// The number of ended sessions.
#[derive(Serialize, ToSchema)]
struct EndedResponse {
    #[schema(minimum = 0)]
    ended: u64,
}

/// End all other sessions
#[utoipa::path(
    delete,
    path = "/api/users/me/sessions",
    tag = "sessions",
    responses(
        (status = OK, body = EndedResponse, description = "Only the caller's session remains"),
        AuthenticationProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn end_other_sessions(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
) -> Result<Json<EndedResponse>, Problem> {
    let ended = accounts.end_other_sessions(caller.user.id, caller.session, &client).await?;
    Ok(Json(EndedResponse { ended }))
}

/// End one of the current user's sessions
#[utoipa::path(
    delete,
    path = "/api/users/me/sessions/{session_id}",
    tag = "sessions",
    params(("session_id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = NO_CONTENT, description = "The session and its tokens are no longer valid"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`Session not found`"),
        AuthenticationProblems,
        ParameterProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn end_session(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    PathId(id): PathId<SessionId>,
) -> Result<StatusCode, Problem> {
    if accounts.end_session(caller.user.id, id, &client).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(&SESSION_NOT_FOUND))
    }
}

/// A login that sets a cookie.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `credentials` reads, so that all errors are reported at once")]
struct LoginRequest {
    /// The e-mail address, in any letter case.
    username: String,
    #[schema(format = Password)]
    password: String,
    /// `kept` (default), or `brief`: the session ends with the browser, and after some hours in any case.
    #[schema(pattern = "^(kept|brief)$")]
    stay: Option<String>,
}

fn credentials(mut fields: Fields, client: ClientInfo) -> Result<LogIn, Problem> {
    let identifier = fields.required("username", |text| Ok::<_, Invalid>(text.to_owned()));
    let password = fields.required("password", |text| Ok::<_, Invalid>(Password::presented(text)));
    let stay = fields.optional("stay", |text| {
        let unknown = || Invalid::new("string_pattern_mismatch", "String should match pattern '^(kept|brief)$'");
        Stay::parse(text).ok_or_else(unknown)
    });
    match (identifier, password, stay) {
        (Ok(identifier), Ok(password), Ok(stay)) => {
            Ok(LogIn { identifier, password, stay: stay.unwrap_or_default(), client })
        }
        _ => Err(fields.into_problem()),
    }
}

/// Log in with a cookie
///
/// For browsers: sets a session cookie that scripts cannot read, instead of returning tokens. Each login starts a new session, and
/// ends the one of the cookie in the request. A second cookie makes the device a known one, so that password guessing from
/// elsewhere cannot lock it out; a `brief` login does not get it.
#[utoipa::path(
    post,
    path = "/api/users/login",
    tag = "sessions",
    request_body = LoginRequest,
    responses(
        (
            status = NO_CONTENT,
            description = "Logged in; the response sets the cookies",
            headers(("set-cookie" = String, description = "One header for each cookie.")),
        ),
        (
            status = UNAUTHORIZED,
            body = ProblemBody,
            content_type = "application/problem+json",
            description = "`Incorrect email or password`",
            headers(("www-authenticate" = String, description = "The accepted schemes (RFC 9110, section 11.6.1).")),
        ),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Request from another site`, or `Email not verified`"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn log_in(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    // Another site must not log a visitor in as somebody else.
    _: OwnSite,
    cookies: cookie::Jar,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let tokens = accounts.log_in(credentials(body, client.clone())?).await?.into_tokens();
    if let Some(before) = accounts.verify_session_cookies(cookie::get(cookies, &headers)).await? {
        accounts.end_session(before.user.id, before.session, &client).await?;
    }
    let session = cookie::set(cookies, accounts.config(), &tokens.session_cookie, tokens.stay);
    let device = tokens.device_cookie.and_then(|device| cookie::set_device(cookies, &device));
    Ok((
        StatusCode::NO_CONTENT,
        [(CACHE_CONTROL, HeaderValue::from_static("no-store"))],
        AppendHeaders([session, device].into_iter().flatten().map(|cookie| (SET_COOKIE, cookie))),
    ))
}

/// Log out
///
/// Ends the session of this request with its tokens, and deletes the cookie.
#[utoipa::path(
    post,
    path = "/api/users/logout",
    tag = "sessions",
    responses(
        (status = NO_CONTENT, description = "Logged out"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Request from another site`"),
        AuthenticationProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn log_out(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    cookies: cookie::Jar,
) -> Result<impl IntoResponse, Problem> {
    accounts.end_session(caller.user.id, caller.session, &client).await?;
    Ok((StatusCode::NO_CONTENT, cookie::clear(cookies).map(|cookie| [(SET_COOKIE, cookie)]), ()))
}

/// The password, again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `reauthenticate` reads")]
struct ReauthenticationRequest {
    #[schema(format = Password)]
    password: String,
}

/// Re-authenticate
///
/// Checks the password again. For a while after that, as after a login, actions that require a recent login are allowed. A new
/// session replaces the current one: a caller with an access token gets new tokens, a caller with a cookie gets a new cookie.
#[utoipa::path(
    post,
    path = "/api/users/me/reauthenticate",
    tag = "sessions",
    request_body = ReauthenticationRequest,
    responses(
        (status = OK, body = TokenResponse, description = "Re-authenticated; the tokens of the new session"),
        (
            status = NO_CONTENT,
            description = "Re-authenticated; the response sets the cookie of the new session",
            headers(("set-cookie" = String, description = "The cookie of the new session.")),
        ),
        AuthenticationProblems,
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn reauthenticate(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    cookies: cookie::Jar,
    headers: HeaderMap,
    JsonBody(mut fields): JsonBody,
) -> Result<Response, Problem> {
    let password = fields.required("password", |text| Ok::<_, Invalid>(Password::presented(text)));
    let Ok(password) = password else {
        return Err(fields.into_problem());
    };
    let tokens = accounts.reauthenticate(caller.user.id, caller.session, password, &client).await?;
    if bearer_token(&headers).is_some() {
        return Ok(Private(TokenResponse::from(tokens)).into_response());
    }
    let cookie = cookie::set(cookies, accounts.config(), &tokens.session_cookie, tokens.stay)
        .map(|cookie| [(SET_COOKIE, cookie)]);
    let headers = [(CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::NO_CONTENT, headers, cookie, ()).into_response())
}

impl From<ReauthenticateError> for Problem {
    fn from(error: ReauthenticateError) -> Self {
        match error {
            ReauthenticateError::WrongPassword => Self::new(&WRONG_PASSWORD),
            ReauthenticateError::SessionOver => Self::new(&INVALID_TOKEN),
            ReauthenticateError::TooMany(limited) => limited.into(),
            ReauthenticateError::Overloaded(_) => Self::new(&OVERLOADED),
            ReauthenticateError::Internal(error) => error.into(),
        }
    }
}

//! Handlers of `/api/users/token` and the paths below it: the OAuth2 password grant (RFC 6749, section 4.3), refreshing tokens
//! (section 6), revocation (RFC 7009) and introspection (RFC 7662).

mod service;

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::IntoResponse;
use secrecy::SecretString;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::service::Service;
use super::cookie;
use super::fields::{Fields, FormBody, Invalid, InvalidField};
use super::problem::{
    BodyProblems, EMAIL_NOT_VERIFIED, INVALID_REFRESH_TOKEN, LimitProblems, OAuth, OAuthProblem, OVERLOADED, Problem,
    ProblemBody, REFRESH_TOKEN_REUSED, ServiceProblems, WRONG_CREDENTIALS,
};
use super::{Private, TokenResponse};
use crate::Accounts;
use crate::config::{FIRST_PARTY_CLIENT, TokenPolicy};
use crate::model::{ClientInfo, Method, Password, Stay};
use crate::{ActiveToken, LogIn, LogInError, RefreshTokensError, TokenKind};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(create_token)).routes(routes!(revoke_token)).routes(routes!(introspect_token))
}

/// The form of a login or a refresh.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `grant` reads, so that all errors are reported at once")]
struct TokenRequest {
    /// `password` (default) or `refresh_token`.
    #[schema(pattern = "^(password|refresh_token)$")]
    grant_type: Option<String>,
    /// For `password`: the e-mail address, in any letter case.
    username: Option<String>,
    /// For `password`.
    #[schema(format = Password)]
    password: Option<String>,
    /// For `refresh_token`: the one from the last response.
    #[schema(format = Password)]
    refresh_token: Option<String>,
    /// Accepted and ignored.
    scope: Option<String>,
    /// Accepted and ignored.
    client_id: Option<String>,
    /// Accepted and ignored.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

enum Grant {
    Password(LogIn),
    RefreshToken(SecretString),
}

/// Parses the form.
fn grant(form: Result<FormBody, Problem>, client: &ClientInfo) -> Result<Grant, Problem> {
    let FormBody(mut fields) = form?;
    let grant_type = fields.optional("grant_type", |text| match text {
        "password" | "refresh_token" => Ok(text == "refresh_token"),
        _ => Err(Invalid::new("string_pattern_mismatch", "String should match pattern '^(password|refresh_token)$'")),
    });
    if let Ok(Some(true)) = grant_type {
        let token = required_token(&mut fields, "refresh_token");
        return token.map(Grant::RefreshToken).map_err(|_| fields.into_problem());
    }
    let identifier = fields.required("username", |text| Ok::<_, Invalid>(text.to_owned()));
    let password = fields.required("password", |text| Ok::<_, Invalid>(Password::presented(text)));
    match (identifier, password, grant_type) {
        (Ok(identifier), Ok(password), Ok(_)) => {
            Ok(Grant::Password(LogIn { identifier, password, stay: Stay::Kept, client: client.clone() }))
        }
        (_, _, Err(_)) => Err(fields.into_problem().oauth("unsupported_grant_type")),
        _ => Err(fields.into_problem()),
    }
}

/// Reads a token, which may be any text.
fn required_token(fields: &mut Fields, name: &'static str) -> Result<SecretString, InvalidField> {
    fields.required(name, |text| Ok::<_, Invalid>(text.to_owned().into()))
}

/// Log in or refresh tokens
///
/// Takes the e-mail address as `username`, and the password. With `grant_type=refresh_token`, exchanges the refresh token from the
/// last response for new tokens. Sending the same refresh token again within half a minute returns the same successor; later it
/// ends the session, because the token may be stolen.
#[utoipa::path(
    post,
    path = "/api/users/token",
    tag = "users",
    request_body(content((TokenRequest = "application/x-www-form-urlencoded"), (TokenRequest = "multipart/form-data"))),
    responses(
        (status = OK, body = TokenResponse, description = "The tokens; a login also sets a cookie that makes the browser a known device"),
        (
            status = UNAUTHORIZED,
            body = ProblemBody,
            description = "`Incorrect email or password`",
            headers(("www-authenticate" = String, description = "The accepted schemes (RFC 9110, section 11.6.1).")),
        ),
        (status = FORBIDDEN, body = ProblemBody, description = "`Email not verified`; only if the setting `REGISTRATION` is `verified`"),
        OAuth<BodyProblems>,
        OAuth<LimitProblems>,
        OAuth<ServiceProblems>,
    ),
)]
async fn create_token(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    cookies: cookie::Jar,
    form: Result<FormBody, Problem>,
) -> Result<impl IntoResponse, OAuthProblem> {
    let tokens = match grant(form, &client)? {
        Grant::Password(log_in) => accounts.log_in(log_in).await?.into_tokens(),
        Grant::RefreshToken(token) => accounts.refresh_tokens(&token, &client).await?,
    };
    let device = tokens.device_cookie.as_ref().and_then(|device| cookie::set_device(cookies, device));
    Ok((device.map(|device| [(SET_COOKIE, device)]), Private(TokenResponse::from(tokens))))
}

impl From<RefreshTokensError> for Problem {
    fn from(error: RefreshTokensError) -> Self {
        match error {
            RefreshTokensError::Invalid => Self::new(&INVALID_REFRESH_TOKEN),
            RefreshTokensError::Reused => Self::new(&REFRESH_TOKEN_REUSED),
            RefreshTokensError::TooMany(limited) => limited.into(),
            RefreshTokensError::Internal(error) => error.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::WrongCredentials => Self::new(&WRONG_CREDENTIALS),
            LogInError::EmailNotVerified => Self::new(&EMAIL_NOT_VERIFIED),
            LogInError::TooMany(limited) => limited.into(),
            LogInError::Overloaded(_) => Self::new(&OVERLOADED),
            LogInError::Internal(error) => error.into(),
        }
    }
}

/// A token to revoke (RFC 7009, section 2.1).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `revoke_token` reads")]
struct RevocationRequest {
    /// A refresh token or an access token.
    #[schema(format = Password)]
    token: String,
    /// Accepted and ignored.
    token_type_hint: Option<String>,
}

/// Revoke a token
///
/// Ends the session that a refresh or access token belongs to, with all its tokens. An invalid token counts as already revoked (RFC
/// 7009).
#[utoipa::path(
    post,
    path = "/api/users/token/revoke",
    tag = "users",
    request_body(content((RevocationRequest = "application/x-www-form-urlencoded"), (RevocationRequest = "multipart/form-data"))),
    responses((status = OK, description = "The token is no longer valid"), OAuth<BodyProblems>, OAuth<ServiceProblems>),
)]
async fn revoke_token(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    form: Result<FormBody, Problem>,
) -> Result<StatusCode, OAuthProblem> {
    let FormBody(mut fields) = form?;
    let token = required_token(&mut fields, "token").map_err(|_| fields.into_problem())?;
    accounts.revoke(&token, &client).await?;
    Ok(StatusCode::OK)
}

/// A token to introspect (RFC 7662, section 2.1).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `introspect_token` reads")]
struct IntrospectionRequest {
    /// A refresh token or an access token.
    #[schema(format = Password)]
    token: String,
    /// Accepted and ignored.
    token_type_hint: Option<String>,
}

/// The state of a token (RFC 7662, section 2.2); an invalid token has only `active`.
#[derive(Serialize, ToSchema)]
struct IntrospectionResponse {
    /// Whether the token is valid now.
    active: bool,
    /// The user's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sub: Option<String>,
    /// The user's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    username: Option<String>,
    /// `access_token` or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    scope: Option<&'static str>,
    /// The session's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sid: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    iss: Option<String>,
    /// The audience of an access token, if the server sets one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    aud: Option<String>,
    /// `first-party`: the client that the token was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_id: Option<&'static str>,
    /// When the user last authenticated, as this token counts for it: seconds since 1970 (RFC 9068, section 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    auth_time: Option<i64>,
    /// The assurance level of the login: `aal1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    acr: Option<&'static str>,
    /// The methods used (RFC 8176): `pwd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    amr: Option<Vec<&'static str>>,
}

impl IntrospectionResponse {
    fn new(token: Option<ActiveToken>, policy: &TokenPolicy) -> Self {
        let access = token.as_ref().filter(|token| token.kind == TokenKind::Access);
        Self {
            active: token.is_some(),
            scope: token.as_ref().map(|_| "account"),
            iss: token.as_ref().map(|_| policy.issuer.clone()),
            aud: access.and_then(|_| policy.audience()).map(str::to_owned),
            client_id: token.as_ref().map(|_| FIRST_PARTY_CLIENT),
            sid: token.as_ref().map(|token| token.session.to_string()),
            sub: token.as_ref().map(|token| token.user.id.to_string()),
            auth_time: token.as_ref().map(|token| token.authenticated_at.as_second()),
            acr: token.as_ref().map(|token| token.methods.strength().as_str()),
            amr: token.as_ref().map(|token| token.methods.iter().map(Method::as_str).collect()),
            token_type: token.as_ref().map(|token| match token.kind {
                TokenKind::Access => "access_token",
                TokenKind::Refresh => "refresh_token",
            }),
            username: token.map(|token| token.user.username),
        }
    }
}

/// Introspect a token
///
/// For other services, which send the setting `INTROSPECTION_SECRET` as a bearer token, or as the HTTP Basic password under any
/// client id. A service sees an ended session at once, which the token's signature does not show.
#[utoipa::path(
    post,
    path = "/api/users/token/introspect",
    tag = "users",
    request_body(content((IntrospectionRequest = "application/x-www-form-urlencoded"), (IntrospectionRequest = "multipart/form-data"))),
    responses(
        (status = OK, body = IntrospectionResponse, description = "Whether the token is valid, and whose it is"),
        (
            status = UNAUTHORIZED,
            body = ProblemBody,
            description = "The secret is missing or wrong",
            headers(("www-authenticate" = String, description = "The accepted schemes (RFC 9110, section 11.6.1).")),
        ),
        OAuth<BodyProblems>,
        OAuth<ServiceProblems>,
    ),
    security(("IntrospectionBearer" = []), ("IntrospectionBasic" = [])),
)]
async fn introspect_token(
    State(accounts): State<Accounts>,
    _: Service,
    form: Result<FormBody, Problem>,
) -> Result<Private<IntrospectionResponse>, OAuthProblem> {
    let FormBody(mut fields) = form?;
    let token = required_token(&mut fields, "token").map_err(|_| fields.into_problem())?;
    let active = accounts.introspect(&token).await?;
    Ok(Private(IntrospectionResponse::new(active, &accounts.config().tokens)))
}

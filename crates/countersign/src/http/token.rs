//! Decides what `/api/users/token` takes and answers: the OAuth2 forms for a password (RFC 6749, section
//! 4.3), for a refresh token (section 6), and for revoking either (RFC 7009).

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Private;
use super::fields::{FormBody, Invalid};
use super::problem::{
    BodyProblems, INVALID_REFRESH_TOKEN, OVERLOADED, Problem, ProblemBody, REFRESH_TOKEN_REUSED, ServiceProblems,
    WRONG_CREDENTIALS,
};
use crate::Accounts;
use crate::model::{ClientInfo, Password};
use crate::{LogIn, LogInError, RefreshTokensError, Tokens};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(create_token)).routes(routes!(revoke_token))
}

/// The form of a login, or of a refresh.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `grant` reads, so that all its errors are told at once")]
struct TokenRequest {
    /// `password` (or left out), or `refresh_token`.
    #[schema(pattern = "^(password|refresh_token)$")]
    grant_type: Option<String>,
    /// For `password`: the e-mail address, in any letter case.
    username: Option<String>,
    /// For `password`.
    #[schema(format = Password)]
    password: Option<String>,
    /// For `refresh_token`: the one that was answered last.
    #[schema(format = Password)]
    refresh_token: Option<String>,
    /// Accepted and not used.
    scope: Option<String>,
    /// Accepted and not used.
    client_id: Option<String>,
    /// Accepted and not used.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

enum Grant {
    Password(LogIn),
    RefreshToken(SecretString),
}

/// Reads the form; a problem with it has the members that RFC 6749, section 5.2, wants.
fn grant(form: Result<FormBody, Problem>, client: &ClientInfo) -> Result<Grant, Problem> {
    let FormBody(mut fields) = form.map_err(|problem| problem.oauth(INVALID_REQUEST))?;
    let grant_type = fields.optional("grant_type", |text| match text {
        "password" | "refresh_token" => Ok(text == "refresh_token"),
        _ => Err(Invalid::new("string_pattern_mismatch", "String should match pattern '^(password|refresh_token)$'")),
    });
    if let Ok(Some(true)) = grant_type {
        let token = fields.required("refresh_token", secret);
        return token.map(Grant::RefreshToken).map_err(|_| fields.into_problem().oauth(INVALID_REQUEST));
    }
    let identifier = fields.required("username", |text| Ok::<_, Invalid>(text.to_owned()));
    let password = fields.required("password", |text| Ok::<_, Invalid>(Password::presented(text)));
    match (identifier, password, grant_type) {
        (Ok(identifier), Ok(password), Ok(_)) => {
            Ok(Grant::Password(LogIn { identifier, password, client: client.clone() }))
        }
        (_, _, Err(_)) => Err(fields.into_problem().oauth("unsupported_grant_type")),
        _ => Err(fields.into_problem().oauth(INVALID_REQUEST)),
    }
}

const INVALID_REQUEST: &str = "invalid_request";

fn secret(text: &str) -> Result<SecretString, Invalid> {
    Ok(text.to_owned().into())
}

/// Tokens (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
struct TokenResponse {
    /// A JWT, to be sent as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// `bearer`
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the access token is valid, in seconds.
    #[schema(minimum = 0, example = 1800)]
    expires_in: i64,
    /// Gets the next tokens, once.
    refresh_token: String,
    /// `account`: everything the user may do.
    #[schema(example = "account")]
    scope: &'static str,
}

impl From<Tokens> for TokenResponse {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token.expose_secret().to_owned(),
            token_type: "bearer",
            expires_in: tokens.expires_in.as_secs(),
            refresh_token: tokens.refresh_token.expose_secret().to_owned(),
            scope: "account",
        }
    }
}

/// Log in, or refresh
///
/// Takes the e-mail address as `username` and the password; or, with `grant_type=refresh_token`, the refresh token of the
/// last answer, which is exchanged for a new one. Presenting one again within half a minute gets the same successor;
/// later it ends the session, because somebody else may have it.
#[utoipa::path(
    post,
    path = "/users/token",
    tag = "users",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = TokenResponse, description = "Tokens"),
        (status = UNAUTHORIZED, body = ProblemBody, content_type = "application/problem+json", description = "`Incorrect email or password`"),
        BodyProblems,
        ServiceProblems,
    ),
)]
async fn create_token(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    form: Result<FormBody, Problem>,
) -> Result<Private<TokenResponse>, Problem> {
    let tokens = match grant(form, &client)? {
        Grant::Password(log_in) => accounts.log_in(log_in).await?,
        Grant::RefreshToken(token) => accounts.refresh_tokens(&token, &client).await?,
    };
    Ok(Private(tokens.into()))
}

impl From<RefreshTokensError> for Problem {
    fn from(error: RefreshTokensError) -> Self {
        match error {
            RefreshTokensError::Invalid => Self::new(&INVALID_REFRESH_TOKEN).oauth("invalid_grant"),
            RefreshTokensError::Reused => Self::new(&REFRESH_TOKEN_REUSED).oauth("invalid_grant"),
            RefreshTokensError::Internal(error) => error.into(),
        }
    }
}

impl From<LogInError> for Problem {
    fn from(error: LogInError) -> Self {
        match error {
            LogInError::WrongCredentials => Self::new(&WRONG_CREDENTIALS).oauth("invalid_grant"),
            LogInError::Overloaded(_) => Self::new(&OVERLOADED),
            LogInError::Internal(error) => error.into(),
        }
    }
}

/// A token to be revoked (RFC 7009, section 2.1).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `revoke_token` reads")]
struct RevocationRequest {
    /// A refresh token or an access token.
    #[schema(format = Password)]
    token: String,
    /// Accepted and not needed.
    token_type_hint: Option<String>,
}

/// Revoke a token
///
/// Ends the session that a refresh or access token belongs to, with all its tokens. What is no valid token is revoked
/// already (RFC 7009).
#[utoipa::path(
    post,
    path = "/users/token/revoke",
    tag = "users",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, description = "It is not valid any more"), BodyProblems, ServiceProblems),
)]
async fn revoke_token(
    State(accounts): State<Accounts>,
    form: Result<FormBody, Problem>,
) -> Result<StatusCode, Problem> {
    let FormBody(mut fields) = form.map_err(|problem| problem.oauth(INVALID_REQUEST))?;
    let token = fields.required("token", secret).map_err(|_| fields.into_problem().oauth(INVALID_REQUEST))?;
    accounts.revoke(&token).await?;
    Ok(StatusCode::OK)
}

//! Handlers of `/api/users/me/password`, `/api/users/forgot-password` and `/api/users/reset-password`.

use axum::extract::{FromRef, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{AppendHeaders, IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::cookie;
use super::current_user::{CurrentUser, bearer_token};
use super::fields::{Fields, Invalid, JsonBody};
use super::problem::{
    AuthenticationProblems, BodyProblems, FieldFault, INVALID_RESET_TOKEN, INVALID_TOKEN, LimitProblems, OVERLOADED,
    Place, Problem, ProblemBody, ServiceProblems, WRONG_PASSWORD,
};
use super::{MessageResponse, Private, TokenResponse, message};
use crate::model::{ChallengeSolution, ClientInfo, EmailAddress, Password};
use crate::{Accounts, ChangePassword, ChangePasswordError, ForgotPasswordError, ResetPasswordError};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(change_password))
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
}

/// A password change.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `change` reads, so that all errors are reported at once")]
struct ChangePasswordRequest {
    #[schema(format = Password)]
    current_password: String,
    /// At least 8 characters and at most 1,024 bytes; the most common passwords are rejected.
    #[schema(format = Password, min_length = 8)]
    new_password: String,
}

fn change(mut fields: Fields, caller: &CurrentUser, client: ClientInfo) -> Result<ChangePassword, Problem> {
    let current = fields.required("current_password", |text| Ok::<_, Invalid>(Password::presented(text)));
    let new = fields.required("new_password", Password::choose);
    match (current, new) {
        (Ok(current), Ok(new)) => {
            Ok(ChangePassword { user: caller.user.id, session: caller.session, current, new, client })
        }
        _ => Err(fields.into_problem()),
    }
}

/// The result of a password change.
#[derive(Serialize, ToSchema)]
struct PasswordChangedResponse {
    message: &'static str,
    /// Only for callers with an access token, like the members below: the session's new tokens (see `TokenResponse`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "bearer")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, example = 1800)]
    expires_in: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "account")]
    scope: Option<&'static str>,
}

impl PasswordChangedResponse {
    fn new(tokens: Option<TokenResponse>) -> Self {
        let message = "Password changed successfully";
        let Some(TokenResponse { access_token, token_type, expires_in, refresh_token, scope }) = tokens else {
            return Self {
                message,
                access_token: None,
                token_type: None,
                expires_in: None,
                refresh_token: None,
                scope: None,
            };
        };
        Self {
            message,
            access_token: Some(access_token),
            token_type: Some(token_type),
            expires_in: Some(expires_in),
            refresh_token: Some(refresh_token),
            scope: Some(scope),
        }
    }
}

/// Change the password
///
/// Ends all other sessions and voids pending links. The current session continues with new secrets: a caller with an access token
/// gets new tokens with the message, and the old refresh token stops working; a caller with a cookie gets a new cookie. Earlier
/// access tokens work until they expire but no longer count as a recent login. A mail notifies the user.
#[utoipa::path(
    patch,
    path = "/api/users/me/password",
    tag = "users",
    request_body = ChangePasswordRequest,
    responses(
        (status = OK, body = PasswordChangedResponse, description = "`Password changed successfully`"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Current password is incorrect`"),
        AuthenticationProblems,
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn change_password(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    cookies: cookie::Jar,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let tokens = accounts.change_password(change(body, &caller, client)?).await?;
    let device = tokens.device_cookie.as_ref().and_then(|device| cookie::set_device(cookies, device));
    let is_bearer = bearer_token(&headers).is_some();
    let session =
        if is_bearer { None } else { cookie::set(cookies, accounts.config(), &tokens.session_cookie, tokens.stay) };
    let body = PasswordChangedResponse::new(is_bearer.then(|| TokenResponse::from(tokens)));
    Ok((AppendHeaders([device, session].into_iter().flatten().map(|cookie| (SET_COOKIE, cookie))), Private(body)))
}

fn common_password(field: &'static str) -> Problem {
    let invalid = Invalid::new("value_error", "Value error, this password is too common");
    Problem::fields(vec![FieldFault::new(Place::Body, field, invalid)])
}

impl From<ChangePasswordError> for Problem {
    fn from(error: ChangePasswordError) -> Self {
        match error {
            ChangePasswordError::WrongPassword => Self::new(&WRONG_PASSWORD),
            ChangePasswordError::SessionOver => Self::new(&INVALID_TOKEN),
            ChangePasswordError::CommonPassword => common_password("new_password"),
            ChangePasswordError::TooMany(limited) => limited.into(),
            ChangePasswordError::Overloaded(_) => Self::new(&OVERLOADED),
            ChangePasswordError::Internal(error) => error.into(),
        }
    }
}

/// The account whose password was forgotten.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "documents the body that `forgot_password` reads, so that all errors are reported at once"
)]
struct ForgotPasswordRequest {
    #[schema(format = Email, max_length = 120)]
    email: String,
    /// If a proof of work is required: `<challenge>:<number>`.
    challenge_solution: Option<String>,
}

/// Request a password reset
///
/// Sends a mail to the address if it has an account; the response is the same if not. Only the newest mail counts.
#[utoipa::path(
    post,
    path = "/api/users/forgot-password",
    tag = "users",
    request_body = ForgotPasswordRequest,
    responses(
        (status = ACCEPTED, body = MessageResponse, description = "The same for every address"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "The proof of work is missing, wrong, expired or used; only if the setting `CHALLENGE` requires one"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn forgot_password(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    JsonBody(mut fields): JsonBody,
) -> Result<(StatusCode, Private<MessageResponse>), Problem> {
    let email = fields.required("email", EmailAddress::parse);
    let solution = fields.optional("challenge_solution", |text| Ok::<_, Invalid>(ChallengeSolution::presented(text)));
    let (Ok(email), Ok(solution)) = (email, solution) else {
        return Err(fields.into_problem());
    };
    accounts.forgot_password(&email, solution.as_ref(), &client).await?;
    let text = "If an account exists with this email, you will receive password reset instructions.";
    Ok((StatusCode::ACCEPTED, message(text)))
}

impl From<ForgotPasswordError> for Problem {
    fn from(error: ForgotPasswordError) -> Self {
        match error {
            ForgotPasswordError::ChallengeRequired(required) => required.into(),
            ForgotPasswordError::TooMany(limited) => limited.into(),
            ForgotPasswordError::Internal(error) => error.into(),
        }
    }
}

/// A new password and the token from the mail.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `reset_password` reads, so that all errors are reported at once")]
struct ResetPasswordRequest {
    #[schema(format = Password)]
    token: String,
    /// At least 8 characters and at most 1,024 bytes; the most common passwords are rejected.
    #[schema(format = Password, min_length = 8)]
    new_password: String,
}

/// Reset the password
///
/// Ends all sessions. A rejected password does not use up the token. The response sets a cookie that makes the device a known one,
/// so that password guessing from elsewhere cannot lock it out.
#[utoipa::path(
    post,
    path = "/api/users/reset-password",
    tag = "users",
    request_body = ResetPasswordRequest,
    responses(
        (status = OK, body = MessageResponse, description = "The password is changed; log in with it"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Invalid or expired reset token`"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn reset_password(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    cookies: cookie::Jar,
    JsonBody(mut fields): JsonBody,
) -> Result<impl IntoResponse, Problem> {
    let token = fields.required("token", |text| Ok::<_, Invalid>(text.to_owned().into()));
    let new = fields.required("new_password", Password::choose);
    let (Ok(token), Ok(new)) = (token, new) else {
        return Err(fields.into_problem());
    };
    let device = accounts.reset_password(&token, new, &client).await?;
    let device = cookie::set_device(cookies, &device).map(|device| [(SET_COOKIE, device)]);
    Ok((device, message("Password reset successfully. You can now log in with your new password.")))
}

impl From<ResetPasswordError> for Problem {
    fn from(error: ResetPasswordError) -> Self {
        match error {
            ResetPasswordError::InvalidToken => Self::new(&INVALID_RESET_TOKEN),
            ResetPasswordError::CommonPassword => common_password("new_password"),
            ResetPasswordError::TooMany(limited) => limited.into(),
            ResetPasswordError::Overloaded(_) => Self::new(&OVERLOADED),
            ResetPasswordError::Internal(error) => error.into(),
        }
    }
}

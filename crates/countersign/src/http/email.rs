//! Handlers of `/api/users/me/email`, `/api/users/verify-email` and related paths: verifying and changing an account's address.

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::current_user::{CurrentUser, require_recent};
use super::fields::{Fields, Invalid, JsonBody};
use super::problem::{
    AuthenticationProblems, BodyProblems, EMAIL_TAKEN, FieldFault, INVALID_TOKEN, INVALID_VERIFICATION, LimitProblems,
    OVERLOADED, Place, Problem, ProblemBody, ServiceProblems, USERNAME_TAKEN, WRONG_PASSWORD,
};
use super::{MessageResponse, Private, message};
use crate::model::{ClientInfo, EmailAddress, OneTimeCode, Password, Username};
use crate::{
    Accounts, AddressProof, ProveAddress, ProveAddressError, ProvenAddress, RequestMailError, UndoEmailChangeError,
};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(get_email, change_email))
        .routes(routes!(verify_email))
        .routes(routes!(resend_verification))
        .routes(routes!(undo_email_change))
}

/// An account's e-mail address.
#[derive(Serialize, ToSchema)]
struct EmailResponse {
    #[schema(format = Email, max_length = 120)]
    email: String,
    /// Whether the user has proven that they receive mail at this address.
    verified: bool,
    /// The new address, until it is confirmed.
    #[schema(required, format = Email)]
    pending: Option<String>,
}

/// Get the state of the current user's e-mail address
#[utoipa::path(
    get,
    path = "/api/users/me/email",
    tag = "email",
    responses(
        (status = OK, body = EmailResponse, description = "The address and whether it is verified"),
        AuthenticationProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn get_email(State(accounts): State<Accounts>, caller: CurrentUser) -> Result<Private<EmailResponse>, Problem> {
    let state = accounts.find_email_state(caller.user.id).await?.ok_or_else(|| Problem::new(&INVALID_TOKEN))?;
    Ok(Private(EmailResponse {
        email: caller.user.email.clone(),
        verified: state.is_verified,
        pending: state.pending.map(|address| address.as_str().to_owned()),
    }))
}

/// An e-mail address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `address` reads")]
struct EmailRequest {
    #[schema(format = Email, max_length = 120)]
    email: String,
}

fn address(mut fields: Fields) -> Result<EmailAddress, Problem> {
    fields.required("email", EmailAddress::parse).map_err(|_| fields.into_problem())
}

/// Request an e-mail change
///
/// Sends a mail to the new address; the change takes effect when that address is confirmed. The old address then gets a mail that
/// can undo the change. The response is the same whether or not the address is taken. Requires a recent login.
#[utoipa::path(
    post,
    path = "/api/users/me/email",
    tag = "email",
    request_body = EmailRequest,
    responses(
        (status = ACCEPTED, body = MessageResponse, description = "The same for every address"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Recent login required`"),
        AuthenticationProblems,
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn change_email(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Private<MessageResponse>), Problem> {
    let address = address(body)?;
    require_recent(&accounts, &caller)?;
    accounts.request_email_change(caller.user.id, caller.session, &address, &client).await?;
    let text = "If this email can be used, you will receive a confirmation message there.";
    Ok((StatusCode::ACCEPTED, message(text)))
}

impl From<RequestMailError> for Problem {
    fn from(error: RequestMailError) -> Self {
        match error {
            RequestMailError::TooMany(limited) => limited.into(),
            RequestMailError::Internal(error) => error.into(),
        }
    }
}

/// A proof received by mail: the token of the link, or the address and the code.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `proof` reads, so that all errors are reported at once")]
struct VerifyEmailRequest {
    /// The token from the link.
    #[schema(format = Password)]
    token: Option<String>,
    /// Without a token: the address that the code was sent to.
    #[schema(format = Email, max_length = 120)]
    email: Option<String>,
    /// Without a token: the six digits; other characters between them are ignored. After five wrong codes a new mail is needed.
    #[schema(format = Password)]
    code: Option<String>,
    /// For a registration: the password chosen for it.
    #[schema(format = Password)]
    password: Option<String>,
    /// For a registration whose username has been taken in the meantime: another one.
    #[schema(min_length = 1, max_length = 50)]
    username: Option<String>,
}

fn proof(mut fields: Fields, client: ClientInfo) -> Result<ProveAddress, Problem> {
    let token = fields.optional("token", |text| Ok::<_, Invalid>(text.to_owned()));
    let username = fields.optional("username", Username::parse);
    let password = fields.optional("password", |text| Ok::<_, Invalid>(Password::presented(text))).ok().flatten();
    let (proof, username) = match (token, username) {
        (Ok(Some(token)), Ok(username)) => (AddressProof::Token(token.into()), username),
        (Ok(None), username) => {
            let email = fields.required("email", EmailAddress::parse);
            let code = fields.required("code", OneTimeCode::parse);
            match (email, code, username) {
                (Ok(address), Ok(code), Ok(username)) => (AddressProof::Code { address, code }, username),
                _ => return Err(fields.into_problem()),
            }
        }
        _ => return Err(fields.into_problem()),
    };
    Ok(ProveAddress { proof, password, username, client })
}

/// Confirm an e-mail address
///
/// Uses a token or code from a mail to verify an account's address, complete a registration, or complete an e-mail change. Each
/// works once. A registration also requires its password, so that the proof counts only for the person who chose it.
#[utoipa::path(
    post,
    path = "/api/users/verify-email",
    tag = "email",
    request_body = VerifyEmailRequest,
    responses(
        (status = OK, body = MessageResponse, description = "Verified, registered or changed; `message` says which"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Invalid or expired verification`, `Incorrect registration password`, `Username already exists` or `Email already registered`"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn verify_email(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    JsonBody(body): JsonBody,
) -> Result<Private<MessageResponse>, Problem> {
    Ok(message(match accounts.prove_address(proof(body, client)?).await? {
        ProvenAddress::Verified(_) => "Email verified successfully.",
        ProvenAddress::Registered(_) => "Email verified successfully. You can now log in.",
        ProvenAddress::Changed(_) => "Email changed successfully.",
    }))
}

impl From<ProveAddressError> for Problem {
    fn from(error: ProveAddressError) -> Self {
        match error {
            ProveAddressError::Invalid => Self::new(&INVALID_VERIFICATION),
            ProveAddressError::PasswordRequired => {
                Self::fields(vec![FieldFault::new(Place::Body, "password", Invalid::new("missing", "Field required"))])
            }
            ProveAddressError::WrongPassword => Self::new(&WRONG_PASSWORD).detail("Incorrect registration password"),
            ProveAddressError::Overloaded(_) => Self::new(&OVERLOADED),
            ProveAddressError::UsernameTaken => Self::new(&USERNAME_TAKEN),
            ProveAddressError::EmailTaken => Self::new(&EMAIL_TAKEN),
            ProveAddressError::TooMany(limited) => limited.into(),
            ProveAddressError::Internal(error) => error.into(),
        }
    }
}

/// Resend the confirmation mail
///
/// Sends the mail if the address awaits confirmation; the response is the same if not. Only the newest mail counts.
#[utoipa::path(
    post,
    path = "/api/users/resend-verification",
    tag = "email",
    request_body = EmailRequest,
    responses(
        (status = ACCEPTED, body = MessageResponse, description = "The same for every address"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn resend_verification(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Private<MessageResponse>), Problem> {
    accounts.resend_verification(&address(body)?, &client).await?;
    let text = "If this email is awaiting verification, you will receive a new message.";
    Ok((StatusCode::ACCEPTED, message(text)))
}

/// The token sent to the previous address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `undo_email_change` reads")]
struct UndoEmailChangeRequest {
    #[schema(format = Password)]
    token: String,
}

/// Undo an e-mail change
///
/// Takes the token from the mail to the previous address. All sessions end and the password stops working, because the person who
/// made the change knows it; a mail to the restored address allows choosing a new one.
#[utoipa::path(
    post,
    path = "/api/users/undo-email-change",
    tag = "email",
    request_body = UndoEmailChangeRequest,
    responses(
        (status = OK, body = MessageResponse, description = "The previous address is restored"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Invalid or expired verification`, or `Email already registered`"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn undo_email_change(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    JsonBody(mut fields): JsonBody,
) -> Result<Private<MessageResponse>, Problem> {
    let Ok(token) = fields.required("token", |text| Ok::<_, Invalid>(text.to_owned().into())) else {
        return Err(fields.into_problem());
    };
    accounts.undo_email_change(&token, &client).await?;
    Ok(message("The previous email is restored. You will receive a message there to choose a new password."))
}

impl From<UndoEmailChangeError> for Problem {
    fn from(error: UndoEmailChangeError) -> Self {
        match error {
            UndoEmailChangeError::InvalidToken => Self::new(&INVALID_VERIFICATION),
            UndoEmailChangeError::EmailTaken => Self::new(&EMAIL_TAKEN),
            UndoEmailChangeError::TooMany(limited) => limited.into(),
            UndoEmailChangeError::Internal(error) => error.into(),
        }
    }
}

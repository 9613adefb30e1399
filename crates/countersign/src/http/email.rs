//! What `/api/users/me/email`, `/api/users/verify-email` and their neighbours take and answer: how an address is
//! proven, and how an account gets another.

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

/// An account's address.
#[derive(Serialize, ToSchema)]
struct EmailResponse {
    #[schema(format = Email, max_length = 120)]
    email: String,
    /// Whether the user has shown that they read it.
    verified: bool,
    /// The address that will take its place when that is proven.
    #[schema(required, format = Email)]
    pending: Option<String>,
}

/// See the state of one's own e-mail address
#[utoipa::path(
    get,
    path = "/api/users/me/email",
    tag = "email",
    responses(
        (status = OK, body = EmailResponse, description = "The address, and whether it is verified"),
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

/// An address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `address` reads")]
struct EmailRequest {
    #[schema(format = Email, max_length = 120)]
    email: String,
}

fn address(mut fields: Fields) -> Result<EmailAddress, Problem> {
    fields.required("email", EmailAddress::parse).map_err(|_| fields.into_problem())
}

/// Ask for another e-mail address
///
/// Sends a mail to the new address, and it becomes the account's when that is confirmed. Then the old address gets a mail
/// by which the change can be undone. The answer is the same whether or not somebody has the address. Needs a recent login.
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
    let text = "If this email can be used, you will receive a message there to confirm it.";
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

/// What came by mail: the token of the link, or the address and the code.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `proof` reads, so that all its errors are told at once")]
struct VerifyEmailRequest {
    /// What the link carries.
    #[schema(format = Password)]
    token: Option<String>,
    /// Without a token: where the code was sent.
    #[schema(format = Email, max_length = 120)]
    email: Option<String>,
    /// Without a token: the six digits; other characters between them are ignored. After five wrong ones a new mail is needed.
    #[schema(format = Password)]
    code: Option<String>,
    /// For a registration: its password.
    #[schema(format = Password)]
    password: Option<String>,
    /// For a registration whose username somebody else has taken in the meantime: another.
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
/// By what came in a mail: verifies the address of an account, completes a registration, or makes another address the
/// account's. Each works once. A registration asks for its password too, so that the proof counts for the person who chose it.
#[utoipa::path(
    post,
    path = "/api/users/verify-email",
    tag = "email",
    request_body = VerifyEmailRequest,
    responses(
        (status = OK, body = MessageResponse, description = "What it was good for"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Invalid or expired verification`, `This is not the password of the registration`, `Username already exists` or `Email already registered`"),
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
            ProveAddressError::WrongPassword => {
                Self::new(&WRONG_PASSWORD).detail("This is not the password of the registration")
            }
            ProveAddressError::Overloaded(_) => Self::new(&OVERLOADED),
            ProveAddressError::UsernameTaken => Self::new(&USERNAME_TAKEN),
            ProveAddressError::EmailTaken => Self::new(&EMAIL_TAKEN),
            ProveAddressError::TooMany(limited) => limited.into(),
            ProveAddressError::Internal(error) => error.into(),
        }
    }
}

/// Send the mail again that confirms an address
///
/// If the address waits to be confirmed; the answer is the same if not. The newest mail counts alone.
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
    let text = "If this email waits to be verified, you will receive a new message.";
    Ok((StatusCode::ACCEPTED, message(text)))
}

/// A token that came to the former address.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `undo_email_change` reads")]
struct UndoEmailChangeRequest {
    #[schema(format = Password)]
    token: String,
}

/// Undo a change of the e-mail address
///
/// By the token that the former address got. All sessions end and the password is void, because whoever made the change
/// knows it; a mail to the restored address lets a new one be chosen.
#[utoipa::path(
    post,
    path = "/api/users/undo-email-change",
    tag = "email",
    request_body = UndoEmailChangeRequest,
    responses(
        (status = OK, body = MessageResponse, description = "The former address is the account's again"),
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
    Ok(message("The former email is restored. You will receive a message there to choose a new password."))
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

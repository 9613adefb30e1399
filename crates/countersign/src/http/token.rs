//! Decides what `/api/users/token` takes and answers: the OAuth2 password form (RFC 6749, section 4.3).

use axum::extract::{FromRef, State};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Private;
use super::fields::{FormBody, Invalid};
use super::problem::{BodyProblems, OVERLOADED, Problem, ProblemBody, ServiceProblems, WRONG_CREDENTIALS};
use crate::Accounts;
use crate::model::{ClientInfo, Password};
use crate::{LogIn, LogInError};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(create_token))
}

/// The form of a login.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the form that `log_in` reads, so that all its errors are told at once")]
struct TokenRequest {
    /// `password`, or left out.
    #[schema(pattern = "^password$")]
    grant_type: Option<String>,
    /// The e-mail address, in any letter case.
    username: String,
    #[schema(format = Password)]
    password: String,
    /// Accepted and not used.
    scope: Option<String>,
    /// Accepted and not used.
    client_id: Option<String>,
    /// Accepted and not used.
    #[schema(format = Password)]
    client_secret: Option<String>,
}

/// Reads the form; a problem with it has the members that RFC 6749, section 5.2, wants.
fn log_in(form: Result<FormBody, Problem>, client: ClientInfo) -> Result<LogIn, Problem> {
    const INVALID_REQUEST: &str = "invalid_request";
    let FormBody(mut fields) = form.map_err(|problem| problem.oauth(INVALID_REQUEST))?;
    let identifier = fields.required("username", |text| Ok::<_, Invalid>(text.to_owned()));
    let password = fields.required("password", |text| Ok::<_, Invalid>(Password::presented(text)));
    let grant_type = fields.optional("grant_type", |text| match text {
        "password" => Ok(()),
        _ => Err(Invalid::new("string_pattern_mismatch", "String should match pattern '^password$'")),
    });
    match (identifier, password, grant_type) {
        (Ok(identifier), Ok(password), Ok(_)) => Ok(LogIn { identifier, password, client }),
        (Ok(_), Ok(_), Err(_)) => Err(fields.into_problem().oauth("unsupported_grant_type")),
        _ => Err(fields.into_problem().oauth(INVALID_REQUEST)),
    }
}

/// An access token (RFC 6749, section 5.1).
#[derive(Serialize, ToSchema)]
struct TokenResponse {
    /// A JWT, to be sent as `Authorization: Bearer <access_token>`.
    access_token: String,
    /// `bearer`
    #[schema(example = "bearer")]
    token_type: &'static str,
    /// How long the token is valid, in seconds.
    #[schema(minimum = 1, example = 1800)]
    expires_in: i64,
}

/// Log in
///
/// Takes the e-mail address as `username`, and answers with an access token.
#[utoipa::path(
    post,
    path = "/users/token",
    tag = "users",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = OK, body = TokenResponse, description = "An access token"),
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
    let logged_in = accounts.log_in(log_in(form, client)?).await?;
    Ok(Private(TokenResponse {
        access_token: logged_in.access_token.expose_secret().to_owned(),
        token_type: "bearer",
        expires_in: logged_in.expires_in.as_secs(),
    }))
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

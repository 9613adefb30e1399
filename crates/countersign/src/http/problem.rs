//! Decides what an error looks like on the wire: a problem (RFC 9457) of a kind that has a stable code.
//!
//! One exception, for the sake of the API's contract: a 422 about the request's fields is `application/json`, and its
//! `detail` is a list (`docs/adr/0003-errors-as-problems.md`).

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;

use axum::Json;
use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_db::DbError;
use serde::Serialize;
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, Type};
use utoipa::openapi::{ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use super::NO_STORE;
use super::challenge::ChallengeResponse;
use super::fields::FieldFault;
use crate::{InternalError, TooManyAttempts};

/// The media type of a problem (RFC 9457, section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What can go wrong, for programs and for people.
#[derive(Debug)]
pub struct ProblemKind {
    /// Stable once released; clients branch on it.
    pub code: &'static str,
    /// The answer's status.
    pub status: u16,
    /// What it is, in a few words; also the `detail` of a problem that has no more to say.
    pub title: &'static str,
    /// When it occurs, for the manual.
    pub when: &'static str,
}

macro_rules! kinds {
    ($($(#[$docs:meta])* $name:ident = $code:literal, $status:literal, $title:literal, $when:literal;)*) => {
        $(
            $(#[$docs])*
            pub static $name: ProblemKind =
                ProblemKind { code: $code, status: $status, title: $title, when: $when };
        )*

        /// All of them.
        pub static KINDS: &[&ProblemKind] = &[$(&$name),*];
    };
}

kinds! {
    /// The request's fields are not what they have to be.
    INVALID_FIELDS = "invalid_fields", 422, "Invalid fields",
        "A field of the body, the query or the path is missing or not what it has to be; `detail` names each.";
    /// The body broke off.
    UNREADABLE_BODY = "unreadable_body", 400, "Unreadable body",
        "The request's body broke off or was not sent as announced.";
    /// Nobody is logged in.
    NOT_AUTHENTICATED = "not_authenticated", 401, "Not authenticated",
        "The request has no `Authorization: Bearer` header, and the endpoint needs one.";
    /// Nobody is logged in by this token.
    INVALID_TOKEN = "invalid_token", 401, "Invalid or expired token",
        "The access token is not one of ours, has expired, or its session or user is gone. Log in again.";
    /// The login failed.
    WRONG_CREDENTIALS = "wrong_credentials", 401, "Incorrect email or password",
        "Login: there is no such user, or the password is another; the answer does not tell which.";
    /// The refresh token is no good.
    INVALID_REFRESH_TOKEN = "invalid_refresh_token", 400, "Invalid or expired refresh token",
        "Refreshing: the token is not one of ours, or its session is over. Log in again.";
    /// The refresh token was used before.
    REFRESH_TOKEN_REUSED = "refresh_token_reused", 400, "Refresh token used twice",
        "Refreshing: the token had been exchanged longer ago than is forgiven, so somebody else may have it. The session was ended. Log in again.";
    /// The password is right, the address unproven.
    EMAIL_NOT_VERIFIED = "email_not_verified", 403, "Email not verified",
        "Login: the password is right, but the address has to be confirmed first, by the mail that was sent there; `POST /api/users/resend-verification` sends another.";
    /// The reset token is no good.
    INVALID_RESET_TOKEN = "invalid_reset_token", 400, "Invalid or expired reset token",
        "Choosing a new password: the token is unknown, used, superseded by a newer one or expired, or the account is gone.";
    /// What came by mail is no good.
    INVALID_VERIFICATION = "invalid_verification", 400, "Invalid or expired verification",
        "Confirming an address: the token or code is unknown, used, superseded by a newer one or expired, or five wrong codes were tried.";
    /// Nobody may register.
    REGISTRATION_CLOSED = "registration_closed", 403, "Registration is closed",
        "Nobody can register here by themselves.";
    /// The invitation is no good.
    INVALID_INVITATION = "invalid_invitation", 403, "Invalid or expired invitation",
        "Registering takes the code of an invitation here, and there is none, or it has run out, is used up, or is for another address.";
    /// Work has to be done first.
    CHALLENGE_REQUIRED = "challenge_required", 403, "A proof of work is required",
        "Registering, or asking for a new password: a proof of work is asked for, and it is missing, wrong, too late or used. The member `challenge` has one to be solved; send the request again with the solution as `challenge_solution`.";
    /// The password given to confirm is wrong.
    WRONG_PASSWORD = "wrong_password", 400, "Current password is incorrect",
        "Confirming who one is: the password is another.";
    /// Another site made the browser send this.
    CROSS_SITE = "cross_site", 403, "Request from another site",
        "A request with a session cookie, or a login that would set one, came from a page of another site (`Sec-Fetch-Site`, `Origin`).";
    /// The login is too old for this.
    REAUTHENTICATION_REQUIRED = "reauthentication_required", 403, "Recent login required",
        "The act needs a password given lately: `POST /api/users/me/reauthenticate`, then try again with what that answers.";
    /// No such session.
    SESSION_NOT_FOUND = "session_not_found", 404, "Session not found",
        "The caller has no session with this id; it may have ended.";
    /// Somebody else's account.
    NOT_YOUR_ACCOUNT = "not_your_account", 403, "Not authorized to change this user",
        "The account in the path is not the caller's own, whether or not it exists.";
    /// Nothing at this path.
    NOT_FOUND = "not_found", 404, "Not Found",
        "There is nothing at this path.";
    /// No user has this id.
    USER_NOT_FOUND = "user_not_found", 404, "User not found",
        "No user has this id; the account may have been deleted.";
    /// The path has other methods.
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "Method Not Allowed",
        "The path exists and has other methods; the header `Allow` lists them.";
    /// The body is too large.
    PAYLOAD_TOO_LARGE = "payload_too_large", 413, "Payload too large",
        "The request's body is larger than this endpoint takes.";
    /// The body is of another kind.
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type", 415, "Unsupported media type",
        "The request's body is not of the type that the endpoint takes, which is `application/json` unless documented otherwise.";
    /// The name is taken.
    USERNAME_TAKEN = "username_taken", 400, "Username already exists",
        "Somebody has this username, perhaps in another spelling of upper and lower case.";
    /// The address is taken.
    EMAIL_TAKEN = "email_taken", 400, "Email already registered",
        "Somebody has registered with this e-mail address.";
    /// The picture is too large.
    FILE_TOO_LARGE = "file_too_large", 400, "File too large",
        "The uploaded picture is larger than `MAX_UPLOAD_SIZE_BYTES`.";
    /// The picture is none.
    INVALID_IMAGE = "invalid_image", 400, "Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).",
        "The uploaded file is none of these, is broken, or has more pixels than are decoded. Its content decides, not its name.";
    /// There is no picture to delete.
    NO_PICTURE = "no_profile_picture", 400, "No profile picture to delete",
        "The user has the default picture, which cannot be deleted.";
    /// The upload is too slow.
    UPLOAD_TOO_SLOW = "upload_too_slow", 408, "Upload too slow",
        "The picture did not come in time.";
    /// The picture cannot be stored.
    STORAGE_UNAVAILABLE = "storage_unavailable", 503, "Failed to upload image. Please try again.",
        "The storage of pictures does not answer at the moment; the picture stayed as it was. `Retry-After` says when to try again.";
    /// Too many pictures.
    TOO_MANY_UPLOADS = "too_many_uploads", 503, "Too many uploads at the moment",
        "More pictures are coming in or waiting to be decoded than can be in time; `Retry-After` says when to try again.";
    /// Something broke inside.
    INTERNAL = "internal", 500, "Internal server error",
        "Something broke inside; the log has it under the answer's `X-Request-Id`.";
    /// The database does not answer.
    DATABASE_UNAVAILABLE = "database_unavailable", 503, "Database unavailable",
        "The database does not answer at the moment; `Retry-After` says when to try again.";
    /// Too many attempts.
    TOO_MANY_REQUESTS = "too_many_requests", 429, "Too many attempts",
        "This was tried too often from this network, or for this account or address; whether there is such an account has no part in it. `Retry-After` says when to try again, `RateLimit` and `RateLimit-Policy` which limit it was.";
    /// Too many passwords to hash.
    OVERLOADED = "overloaded", 503, "Too many logins at the moment",
        "More passwords are waiting to be hashed than can be in time; `Retry-After` says when to try again.";
}

/// How long a client should wait before it tries again what the database or the hashing pool could not do, in seconds.
const RETRY_AFTER_SECONDS: u32 = 1;

/// An error as it is answered.
#[derive(Debug)]
pub struct Problem {
    kind: &'static ProblemKind,
    detail: Detail,
    oauth: Option<&'static str>,
    /// Boxed, because few problems have one, and every result would carry its room.
    way_out: Option<Box<WayOut>>,
}

/// What makes the same request succeed.
#[derive(Debug)]
enum WayOut {
    Wait(TooManyAttempts),
    Work(ChallengeResponse),
}

#[derive(Debug)]
enum Detail {
    Title,
    Text(String),
    Fields(Vec<FieldFault>),
}

impl Problem {
    /// A problem of this kind; its `detail` is the kind's title.
    pub fn new(kind: &'static ProblemKind) -> Self {
        Self { kind, detail: Detail::Title, oauth: None, way_out: None }
    }

    /// With this `detail`.
    #[must_use]
    pub fn detail(self, text: impl Into<String>) -> Self {
        Self { detail: Detail::Text(text.into()), ..self }
    }

    /// About fields of the request.
    pub fn fields(faults: Vec<FieldFault>) -> Self {
        Self { detail: Detail::Fields(faults), ..Self::new(&INVALID_FIELDS) }
    }

    /// With the members `error` and `error_description` of the token endpoint (RFC 6749, section 5.2).
    pub(super) fn oauth(self, error: &'static str) -> Self {
        Self { oauth: Some(error), ..self }
    }

    /// With a challenge, after whose solution the request can be sent again.
    pub(super) fn challenge(self, challenge: ChallengeResponse) -> Self {
        Self { way_out: Some(Box::new(WayOut::Work(challenge))), ..self }
    }

    /// What kind of problem it is.
    pub fn kind(&self) -> &'static ProblemKind {
        self.kind
    }
}

impl From<TooManyAttempts> for Problem {
    fn from(limited: TooManyAttempts) -> Self {
        let seconds = limited.retry_after_seconds;
        let unit = if seconds == 1 { "second" } else { "seconds" };
        let detail = format!("Too many attempts; try again in {seconds} {unit}");
        Self { way_out: Some(Box::new(WayOut::Wait(limited))), ..Self::new(&TOO_MANY_REQUESTS) }.detail(detail)
    }
}

/// What says when to try again (RFC 9110, section 10.2.3), and which limit it was (draft-ietf-httpapi-ratelimit-headers).
pub(crate) fn limit_headers(limited: &TooManyAttempts) -> [(HeaderName, HeaderValue); 3] {
    let TooManyAttempts { policy, quota, window_seconds, retry_after_seconds } = limited;
    let text = |text: String| HeaderValue::try_from(text).expect("names of limits are letters and hyphens");
    [
        (RETRY_AFTER, HeaderValue::from(*retry_after_seconds)),
        (RATE_LIMIT_POLICY, text(format!("\"{policy}\";q={quota};w={window_seconds}"))),
        (RATE_LIMIT, text(format!("\"{policy}\";r=0;t={retry_after_seconds}"))),
    ]
}

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl From<DbError> for Problem {
    fn from(error: DbError) -> Self {
        Self::from(InternalError::from(error))
    }
}

impl From<InternalError> for Problem {
    /// Logs the error with its causes; the client gets none of them.
    fn from(error: InternalError) -> Self {
        let unavailable = matches!(error, InternalError::Db(DbError::Unavailable(_)) | InternalError::KeysUnread);
        let causes = causes(&error);
        if unavailable {
            tracing::warn!(error = causes, "a request failed, the database is unavailable");
            Self::new(&DATABASE_UNAVAILABLE)
        } else {
            tracing::error!(error = causes, "a request failed");
            Self::new(&INTERNAL)
        }
    }
}

/// The error's text and those of its causes, each once.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// A problem on the wire (RFC 9457, section 3.1).
#[derive(Serialize, ToSchema)]
pub struct ProblemBody {
    /// Where the kind of problem is described.
    #[schema(example = "/problems#not_found")]
    r#type: String,
    /// The kind of problem in a few words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong with this request, for people.
    detail: String,
    /// The kind of problem, for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// At the token endpoint: the error code of RFC 6749, section 5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
    /// At the token endpoint: `detail` once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_description: Option<String>,
    /// With `challenge_required`: a challenge to be solved.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    challenge: Option<ChallengeResponse>,
}

/// A problem with the request's fields on the wire; `detail` has one item for each fault.
#[derive(Serialize, ToSchema)]
pub struct FieldProblemBody {
    /// Where the kind of problem is described.
    #[schema(example = "/problems#invalid_fields")]
    r#type: String,
    /// The kind of problem in a few words.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What is wrong with which field.
    #[schema(min_items = 1)]
    detail: Vec<FieldFault>,
    /// The kind of problem, for programs.
    #[schema(example = "invalid_fields")]
    code: &'static str,
    /// At the token endpoint: the error code of RFC 6749, section 5.2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<&'static str>,
    /// At the token endpoint: what is wrong, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error_description: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, oauth: error, way_out } = self;
        let (limited, challenge) = match way_out.map(|way_out| *way_out) {
            None => (None, None),
            Some(WayOut::Wait(limited)) => (Some(limited), None),
            Some(WayOut::Work(challenge)) => (None, Some(challenge)),
        };
        let ProblemKind { code, status, title, .. } = *kind;
        let r#type = format!("/problems#{code}");
        let mut response = match detail {
            Detail::Fields(detail) => {
                let error_description =
                    error.map(|_| detail.iter().map(FieldFault::in_words).collect::<Vec<_>>().join("; "));
                Json(FieldProblemBody { r#type, title, status, detail, code, error, error_description }).into_response()
            }
            Detail::Title | Detail::Text(_) => {
                let detail = match detail {
                    Detail::Text(text) => text,
                    _ => title.to_owned(),
                };
                let error_description = error.map(|_| detail.clone());
                let body =
                    Json(ProblemBody { r#type, title, status, detail, code, error, error_description, challenge });
                ([(CONTENT_TYPE, PROBLEM_JSON)], body).into_response()
            }
        };
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(NO_STORE.0, HeaderValue::from_static(NO_STORE.1));
        match status {
            401 => drop(headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
            503 => drop(headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))),
            _ => {}
        }
        headers.extend(limited.iter().flat_map(limit_headers));
        response
    }
}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

fn described<T: ToSchema>(
    content_type: &str,
    status: u16,
    description: &str,
) -> (String, RefOr<utoipa::openapi::Response>) {
    let schema = Ref::from_schema_name(T::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content(content_type, content).build();
    (status.to_string(), response.into())
}

fn problem(kind: &ProblemKind) -> (String, RefOr<utoipa::openapi::Response>) {
    described::<ProblemBody>(PROBLEM_JSON, kind.status, kind.when)
}

fn field_problem() -> (String, RefOr<utoipa::openapi::Response>) {
    described::<FieldProblemBody>("application/json", INVALID_FIELDS.status, INVALID_FIELDS.when)
}

/// For the description of an endpoint that asks who is calling.
pub struct AuthenticationProblems;

impl IntoResponses for AuthenticationProblems {
    fn responses() -> Responses {
        [
            described::<ProblemBody>(PROBLEM_JSON, 401, "`Not authenticated`, or `Invalid or expired token`"),
            described::<ProblemBody>(PROBLEM_JSON, 403, "`Request from another site`: only with a session cookie"),
        ]
        .into()
    }
}

/// For the description of an endpoint that has parameters in its path or query.
pub struct ParameterProblems;

impl IntoResponses for ParameterProblems {
    fn responses() -> Responses {
        [field_problem()].into()
    }
}

/// For the description of an endpoint that reads a JSON body.
pub struct BodyProblems;

impl IntoResponses for BodyProblems {
    fn responses() -> Responses {
        [problem(&UNREADABLE_BODY), problem(&PAYLOAD_TOO_LARGE), problem(&UNSUPPORTED_MEDIA_TYPE), field_problem()]
            .into()
    }
}

/// For the description of an endpoint that is limited.
pub struct LimitProblems;

impl IntoResponses for LimitProblems {
    fn responses() -> Responses {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
        let mut response = ResponseBuilder::new().description(TOO_MANY_REQUESTS.when).content(PROBLEM_JSON, content);
        let seconds = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
            .minimum(Some(1));
        let text = || ObjectBuilder::new().schema_type(Type::String);
        for (name, schema, description) in [
            (RETRY_AFTER, seconds, "When to try again, in seconds."),
            (RATE_LIMIT_POLICY, text(), "The limit: its name, how often (`q`), in how many seconds (`w`)."),
            (RATE_LIMIT, text(), "What is left of it (`r`), and for how many seconds (`t`)."),
        ] {
            let header = HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build();
            response = response.header(name.as_str(), header);
        }
        [(TOO_MANY_REQUESTS.status.to_string(), response.build().into())].into()
    }
}

/// For the description of every endpoint: what can break that the client did not cause.
pub struct ServiceProblems;

impl IntoResponses for ServiceProblems {
    fn responses() -> Responses {
        [
            problem(&INTERNAL),
            described::<ProblemBody>(PROBLEM_JSON, 503, "Not at the moment; `Retry-After` says when to try again."),
        ]
        .into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_those_of_errors() {
        let codes: BTreeSet<_> = KINDS.iter().map(|kind| kind.code).collect();
        assert_eq!(codes.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| StatusCode::from_u16(kind.status).is_ok_and(|s| s.is_client_error() || s.is_server_error())));
    }
}

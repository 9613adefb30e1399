//! Handlers of `/api/users`, `/api/users/me` and `/api/users/{user_id}`.

#[cfg(feature = "pictures")]
pub(crate) mod picture;

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::current_user::{CurrentUser, require_owner, require_recent};
use super::fields::{Fields, Invalid, JsonBody};
use super::path::PathId;
use super::problem::{
    AuthenticationProblems, BodyProblems, EMAIL_TAKEN, FieldFault, INVALID_INVITATION, INVALID_TOKEN, LimitProblems,
    OVERLOADED, ParameterProblems, Place, Problem, ProblemBody, REGISTRATION_CLOSED, ServiceProblems, USER_NOT_FOUND,
    USERNAME_TAKEN,
};
use super::{MessageResponse, Private, message};
use crate::config::MediaPolicy;
use crate::model::{ChallengeSolution, ClientInfo, EmailAddress, Password, Profile, SessionId, User, UserId, Username};
use crate::{Accounts, EditProfile, EditProfileError, Register, RegisterError, Registered};

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    let routes = OpenApiRouter::new().routes(routes!(create_user)).routes(routes!(get_user, update_user, delete_user));
    #[cfg(feature = "pictures")]
    let routes = routes.merge(picture::routes());
    routes
}

/// The most frequent request, without the limit on bodies: that layer would only cost time here.
pub(super) fn routes_without_body_limit<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(get_me))
}

/// The public profile of a user.
#[derive(Serialize, ToSchema)]
pub struct UserPublic {
    id: Uuid,
    #[schema(min_length = 1, max_length = 50)]
    username: String,
    /// The file name of the profile picture.
    #[schema(required)]
    image_file: Option<String>,
    /// The URL of the profile picture, or its path if it is on this site; without one, that of the default picture.
    #[schema(example = "/static/profile_pics/default.jpg")]
    image_path: String,
}

impl UserPublic {
    /// Makes the profile of this user, with a picture URL as the policy has it.
    pub fn new(profile: &Profile, media: &MediaPolicy) -> Self {
        Self {
            id: profile.id.uuid(),
            username: profile.username.clone(),
            image_path: media.picture_url(profile.image_file.as_deref()),
            image_file: profile.image_file.clone(),
        }
    }
}

/// The account as its user sees it.
#[derive(Serialize, ToSchema)]
pub struct UserPrivate {
    id: Uuid,
    #[schema(min_length = 1, max_length = 50)]
    username: String,
    /// The e-mail address, in lower case.
    #[schema(format = Email, max_length = 120)]
    email: String,
    /// The file name of the profile picture.
    #[schema(required)]
    image_file: Option<String>,
    /// The URL of the profile picture, or its path if it is on this site; without one, that of the default picture.
    #[schema(example = "/static/profile_pics/default.jpg")]
    image_path: String,
}

impl UserPrivate {
    fn new(user: User, media: &MediaPolicy) -> Self {
        Self {
            id: user.id.uuid(),
            username: user.username,
            email: user.email,
            image_path: media.picture_url(user.image_file.as_deref()),
            image_file: user.image_file,
        }
    }
}

/// A registration.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `registration` reads, so that all errors are reported at once")]
struct UserCreate {
    /// The public name: 1 to 50 characters of any script, at least one of them visible, and no `@`.
    #[schema(min_length = 1, max_length = 50)]
    username: String,
    #[schema(format = Email, max_length = 120)]
    email: String,
    /// At least 8 characters and at most 1,024 bytes; the most common passwords are rejected.
    #[schema(format = Password, min_length = 8)]
    password: String,
    /// If registration requires one: the invitation code.
    #[schema(format = Password)]
    invitation: Option<String>,
    /// If a proof of work is required: `<challenge>:<number>`.
    challenge_solution: Option<String>,
}

fn registration(mut fields: Fields, client: ClientInfo) -> Result<Register, Problem> {
    let username = fields.required("username", Username::parse);
    let email = fields.required("email", EmailAddress::parse);
    let password = fields.required("password", Password::choose);
    let invitation = fields.optional("invitation", |text| Ok::<_, Invalid>(text.to_owned().into()));
    let solution = fields.optional("challenge_solution", |text| Ok::<_, Invalid>(ChallengeSolution::presented(text)));
    match (username, email, password, invitation, solution) {
        (Ok(username), Ok(email), Ok(password), Ok(invitation), Ok(challenge_solution)) => {
            Ok(Register { username, email, password, invitation, challenge_solution, client })
        }
        _ => Err(fields.into_problem()),
    }
}

/// Register a user
///
/// Depends on the setting `REGISTRATION`: with `open` and `invite` the response is the new account, and a mail asks the user to
/// confirm the address; with `verified` the response is the same for every address, and the account is created when the address is
/// confirmed.
#[utoipa::path(
    post,
    path = "/api/users",
    tag = "users",
    request_body = UserCreate,
    responses(
        (status = CREATED, body = UserPrivate, description = "The new account"),
        (status = ACCEPTED, body = MessageResponse, description = "Check the mailbox to continue; the same for every address (`verified`)"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Username already exists`, or else `Email already registered`"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Invalid or expired invitation` (`invite`), `Registration is closed` (`closed`), or the proof of work is missing, wrong, expired or used (`CHALLENGE`)"),
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
)]
async fn create_user(
    State(accounts): State<Accounts>,
    client: ClientInfo,
    JsonBody(body): JsonBody,
) -> Result<Response, Problem> {
    Ok(match accounts.register(registration(body, client)?).await? {
        Registered::User(user) => {
            (StatusCode::CREATED, Private(UserPrivate::new(user, &accounts.config().media))).into_response()
        }
        Registered::AwaitsProof => {
            let text = "Check your email to continue.";
            (StatusCode::ACCEPTED, message(text)).into_response()
        }
    })
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Closed => Self::new(&REGISTRATION_CLOSED),
            RegisterError::InvalidInvitation => Self::new(&INVALID_INVITATION),
            RegisterError::ChallengeRequired(required) => required.into(),
            RegisterError::CommonPassword => {
                let invalid = Invalid::new("value_error", "Value error, this password is too common");
                Self::fields(vec![FieldFault::new(Place::Body, "password", invalid)])
            }
            RegisterError::UsernameTaken => Self::new(&USERNAME_TAKEN),
            RegisterError::EmailTaken => Self::new(&EMAIL_TAKEN),
            RegisterError::TooMany(limited) => limited.into(),
            RegisterError::Overloaded(_) => Self::new(&OVERLOADED),
            RegisterError::Internal(error) => error.into(),
        }
    }
}

/// Get the current user
#[utoipa::path(
    get,
    path = "/api/users/me",
    tag = "users",
    responses(
        (status = OK, body = UserPrivate, description = "The caller's account"),
        AuthenticationProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn get_me(State(accounts): State<Accounts>, caller: CurrentUser) -> Private<UserPrivate> {
    Private(UserPrivate::new(caller.user, &accounts.config().media))
}

/// Get a user's public profile
#[utoipa::path(
    get,
    path = "/api/users/{user_id}",
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The user's id")),
    responses(
        (status = OK, body = UserPublic, description = "The user's profile"),
        (status = NOT_FOUND, body = ProblemBody, content_type = "application/problem+json", description = "`User not found`"),
        ParameterProblems,
        ServiceProblems,
    ),
)]
async fn get_user(State(accounts): State<Accounts>, PathId(id): PathId<UserId>) -> Result<Json<UserPublic>, Problem> {
    match accounts.find_profile(id).await? {
        Some(profile) => Ok(Json(UserPublic::new(&profile, &accounts.config().media))),
        None => Err(Problem::new(&USER_NOT_FOUND)),
    }
}

/// Changes to an account; fields that are missing or null stay unchanged.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `changes` reads, so that all errors are reported at once")]
struct UserUpdate {
    #[schema(min_length = 1, max_length = 50)]
    username: Option<String>,
    #[schema(format = Email, max_length = 120)]
    email: Option<String>,
}

fn changes(mut fields: Fields, session: SessionId, client: ClientInfo) -> Result<EditProfile, Problem> {
    let username = fields.optional("username", Username::parse);
    let email = fields.optional("email", EmailAddress::parse);
    match (username, email) {
        (Ok(username), Ok(email)) => Ok(EditProfile { username, email, session, client }),
        _ => Err(fields.into_problem()),
    }
}

/// Update the current user's username or e-mail address
///
/// Changing the e-mail address requires a recent login and ends all other sessions. If addresses must be verified (the setting
/// `REGISTRATION` is `verified`), the change takes effect when the new address is confirmed, and the response still has the current
/// one.
#[utoipa::path(
    patch,
    path = "/api/users/{user_id}",
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The caller's own id")),
    request_body = UserUpdate,
    responses(
        (status = OK, body = UserPrivate, description = "The updated account"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`Username already exists`, or else `Email already registered`"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to update this user`, or `Recent login required` for another e-mail address"),
        AuthenticationProblems,
        BodyProblems,
        LimitProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn update_user(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    PathId(id): PathId<UserId>,
    JsonBody(body): JsonBody,
) -> Result<Private<UserPrivate>, Problem> {
    let changes = changes(body, caller.session, client)?;
    require_owner(&caller, id, "Not authorized to update this user")?;
    if changes.email.is_some() {
        require_recent(&accounts, &caller)?;
    }
    let user = accounts.edit_profile(id, changes).await?;
    Ok(Private(UserPrivate::new(user, &accounts.config().media)))
}

impl From<EditProfileError> for Problem {
    fn from(error: EditProfileError) -> Self {
        match error {
            EditProfileError::UsernameTaken => Self::new(&USERNAME_TAKEN),
            EditProfileError::EmailTaken => Self::new(&EMAIL_TAKEN),
            EditProfileError::UserGone => Self::new(&INVALID_TOKEN),
            EditProfileError::TooMany(limited) => limited.into(),
            EditProfileError::Internal(error) => error.into(),
        }
    }
}

/// Delete the current user's account
///
/// Deletes everything that belongs to the account; its username and e-mail address become available again. Requires a recent login.
#[utoipa::path(
    delete,
    path = "/api/users/{user_id}",
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The caller's own id")),
    responses(
        (status = NO_CONTENT, description = "The account is deleted"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to delete this user`, or `Recent login required`"),
        AuthenticationProblems,
        ParameterProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn delete_user(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    PathId(id): PathId<UserId>,
) -> Result<StatusCode, Problem> {
    require_owner(&caller, id, "Not authorized to delete this user")?;
    require_recent(&accounts, &caller)?;
    accounts.delete_account(id, &client).await?;
    Ok(StatusCode::NO_CONTENT)
}

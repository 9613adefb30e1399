//! Handlers of `/api/users/{user_id}/picture`: a streaming upload, with limits on its size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRef, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::UserPrivate;
use crate::http::Private;
use crate::http::current_user::{CurrentUser, require_owner};
use crate::http::fields::multipart::{Event, Multipart, PartKind};
use crate::http::fields::{refuse_encoded, wrong_type};
use crate::http::path::PathId;
use crate::http::problem::{
    AuthenticationProblems, FILE_TOO_LARGE, FieldFault, INTERNAL, INVALID_IMAGE, INVALID_TOKEN, Invalid, LimitProblems,
    NO_PICTURE, PAYLOAD_TOO_LARGE, ParameterProblems, Place, Problem, ProblemBody, STORAGE_UNAVAILABLE,
    ServiceProblems, TOO_MANY_UPLOADS, UNREADABLE_BODY, UPLOAD_TOO_SLOW, causes,
};
use crate::media::{StorageError, Upload, UploadError};
use crate::model::{ClientInfo, User, UserId};
use crate::{Accounts, RemoveProfilePictureError, SetProfilePictureError};

/// Maximum size of the body without the file, in bytes.
const REST_BYTES_MAX: usize = 64 * 1024;
/// Maximum size of a rejected body that is read and discarded, in bytes: clients that send the whole body first would otherwise see
/// a broken connection instead of the response.
const REFUSED_BYTES_MAX: usize = 32 * 1024 * 1024;

pub(super) fn routes<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Accounts: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(set_picture, remove_picture))
}

/// A picture upload.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents the body that `read_upload` reads while it comes in")]
struct PictureUpload {
    /// A JPEG, PNG, GIF or WebP file of up to `MAX_UPLOAD_SIZE_BYTES` bytes.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
}

/// Upload a profile picture
///
/// The picture is cropped to its centre, scaled to a JPEG of 300 by 300 pixels without metadata, and stored under a new name. The
/// previous picture is deleted.
#[utoipa::path(
    patch,
    path = "/api/users/{user_id}/picture",
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The caller's own id")),
    request_body(content = PictureUpload, content_type = "multipart/form-data"),
    responses(
        (status = OK, body = UserPrivate, description = "The updated account"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`File too large. Maximum size is 5MB`, `Invalid image file. Please upload a valid image (JPEG, PNG, GIF, WebP).`, or a malformed `multipart/form-data` body"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to update this user's picture`"),
        (status = REQUEST_TIMEOUT, body = ProblemBody, content_type = "application/problem+json", description = "The picture did not arrive in time"),
        (status = PAYLOAD_TOO_LARGE, body = ProblemBody, content_type = "application/problem+json", description = "Too much data in addition to the picture"),
        (status = UNSUPPORTED_MEDIA_TYPE, body = ProblemBody, content_type = "application/problem+json", description = "The body has a `Content-Encoding`"),
        AuthenticationProblems,
        LimitProblems,
        ParameterProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn set_picture(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    client: ClientInfo,
    PathId(id): PathId<UserId>,
    request: Request,
) -> Result<Private<UserPrivate>, Problem> {
    if let Err(problem) = require_owner(&caller, id, "Not authorized to update this user's picture") {
        Incoming::new(&accounts, request).throw_away().await;
        return Err(problem);
    }
    let user = receive_picture(&accounts, id, &client, request).await?;
    Ok(Private(UserPrivate::new(user, &accounts.config().media)))
}

/// Reads the picture of a `multipart/form-data` body and sets it as this user's; the account page uses it too.
pub(crate) async fn receive_picture(
    accounts: &Accounts,
    id: UserId,
    client: &ClientInfo,
    request: Request,
) -> Result<User, Problem> {
    let is_readable = refuse_encoded(request.headers());
    let mut incoming = Incoming::new(accounts, request);
    let upload = match is_readable.and_then(|()| accounts.new_upload(client).map_err(Problem::from)) {
        Ok(upload) => upload,
        Err(problem) => {
            incoming.throw_away().await;
            return Err(problem);
        }
    };
    let Some(_place) = accounts.decoding().admit() else {
        incoming.throw_away().await;
        return Err(Problem::new(&TOO_MANY_UPLOADS));
    };
    let upload = match read_upload(accounts, upload, &mut incoming).await {
        Ok(upload) => upload,
        Err(problem) => {
            incoming.throw_away().await;
            return Err(problem);
        }
    };
    Ok(accounts.set_profile_picture(id, upload).await?)
}

impl From<SetProfilePictureError> for Problem {
    fn from(error: SetProfilePictureError) -> Self {
        match error {
            SetProfilePictureError::Invalid(reason) => {
                tracing::debug!(reason, "an upload is no usable picture");
                Self::new(&INVALID_IMAGE)
            }
            SetProfilePictureError::Overloaded => Self::new(&TOO_MANY_UPLOADS),
            SetProfilePictureError::Storage(error) => error.into(),
            SetProfilePictureError::UserGone => Self::new(&INVALID_TOKEN),
            SetProfilePictureError::Internal(error) => error.into(),
        }
    }
}

impl From<StorageError> for Problem {
    /// Logs the error with its causes; the client does not see them.
    fn from(error: StorageError) -> Self {
        tracing::error!(error = causes(&error), "the storage of pictures failed");
        Self::new(&STORAGE_UNAVAILABLE)
    }
}

/// Delete the current user's profile picture
#[utoipa::path(
    delete,
    path = "/api/users/{user_id}/picture",
    tag = "users",
    params(("user_id" = Uuid, Path, description = "The caller's own id")),
    responses(
        (status = OK, body = UserPrivate, description = "The updated account"),
        (status = BAD_REQUEST, body = ProblemBody, content_type = "application/problem+json", description = "`No profile picture to delete`"),
        (status = FORBIDDEN, body = ProblemBody, content_type = "application/problem+json", description = "`Not authorized to delete this user's picture`"),
        AuthenticationProblems,
        ParameterProblems,
        ServiceProblems,
    ),
    security(("OAuth2PasswordBearer" = []), ("SessionCookie" = [])),
)]
async fn remove_picture(
    State(accounts): State<Accounts>,
    caller: CurrentUser,
    PathId(id): PathId<UserId>,
) -> Result<Private<UserPrivate>, Problem> {
    require_owner(&caller, id, "Not authorized to delete this user's picture")?;
    let user = accounts.remove_profile_picture(id).await?;
    Ok(Private(UserPrivate::new(user, &accounts.config().media)))
}

impl From<RemoveProfilePictureError> for Problem {
    fn from(error: RemoveProfilePictureError) -> Self {
        match error {
            RemoveProfilePictureError::NoPicture => Self::new(&NO_PICTURE),
            RemoveProfilePictureError::UserGone => Self::new(&INVALID_TOKEN),
            RemoveProfilePictureError::Internal(error) => error.into(),
        }
    }
}

/// The body of a request, read in pieces and with timeouts.
struct Incoming {
    content_type: String,
    announced_bytes: Option<usize>,
    body: Body,
    pause_max: Duration,
    end: Instant,
}

impl Incoming {
    fn new(accounts: &Accounts, request: Request) -> Self {
        let media = &accounts.config().media;
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let content_type = header(CONTENT_TYPE).unwrap_or_default().to_owned();
        let announced_bytes = header(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let end = Instant::now() + media.upload_time_max;
        Self { content_type, announced_bytes, body: request.into_body(), pause_max: media.upload_pause_max, end }
    }

    /// Returns the next piece; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let patience = self.end.min(Instant::now() + self.pause_max);
            match timeout_at(patience, self.body.frame()).await {
                Err(_) => return Err(Problem::new(&UPLOAD_TOO_SLOW)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Problem::new(&UNREADABLE_BODY)),
                // Frames other than data are trailers.
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads and discards the rest, unless it is too large or too slow.
    async fn throw_away(&mut self) {
        if self.announced_bytes.is_some_and(|bytes| bytes > REFUSED_BYTES_MAX) {
            return;
        }
        let mut bytes = 0;
        while let Ok(Some(data)) = self.next().await {
            bytes += data.len();
            if bytes > REFUSED_BYTES_MAX {
                return;
            }
        }
    }
}

/// Reads the part `file`.
async fn read_upload(accounts: &Accounts, empty: Upload, incoming: &mut Incoming) -> Result<Upload, Problem> {
    // A body of another media type has no fields.
    let Some(multipart) = Multipart::of_type(&incoming.content_type) else {
        let sent = wrong_type("multipart/form-data", Some(&incoming.content_type));
        return Err(at_fault(Invalid::new("missing", sent)));
    };
    let mut multipart = multipart?;
    let mut empty = Some(empty);
    let mut upload: Option<Upload> = None;
    let mut is_in_file = false;
    let (mut all_bytes, mut file_bytes) = (0, 0);
    while let Some(piece) = incoming.next().await? {
        all_bytes += piece.len();
        multipart.push(&piece, |event| {
            match event {
                Event::Part(head) => {
                    is_in_file = head.name.as_deref() == Some("file");
                    if is_in_file {
                        if upload.is_some() {
                            return Err(at_fault(Invalid::value("the field appears more than once")));
                        }
                        if head.kind == PartKind::Text {
                            return Err(at_fault(Invalid::value("expected a file")));
                        }
                        upload = empty.take();
                    }
                }
                Event::Data(data) => {
                    if let Some(upload) = upload.as_mut().filter(|_| is_in_file) {
                        file_bytes += data.len();
                        upload.push(data).map_err(|error| refusal(error, accounts))?;
                    }
                }
            }
            Ok::<(), Problem>(())
        })?;
        if all_bytes - file_bytes > REST_BYTES_MAX {
            return Err(Problem::new(&PAYLOAD_TOO_LARGE));
        }
    }
    if !multipart.is_finished() {
        return Err(Problem::new(&UNREADABLE_BODY));
    }
    upload.ok_or_else(|| at_fault(Invalid::missing()))
}

fn at_fault(invalid: Invalid) -> Problem {
    Problem::fields(vec![FieldFault::new(Place::Body, "file", invalid)])
}

fn refusal(error: UploadError, accounts: &Accounts) -> Problem {
    const MEGABYTE: usize = 1024 * 1024;
    match error {
        UploadError::TooLarge => {
            let bytes_max = accounts.config().media.upload_bytes_max;
            let size = if bytes_max.is_multiple_of(MEGABYTE) {
                format!("{}MB", bytes_max / MEGABYTE)
            } else {
                format!("{bytes_max} bytes")
            };
            Problem::new(&FILE_TOO_LARGE).detail(format!("File too large. Maximum size is {size}"))
        }
        UploadError::Io(error) => {
            tracing::error!(%error, "an upload cannot be kept for the moment");
            Problem::new(&INTERNAL)
        }
    }
}

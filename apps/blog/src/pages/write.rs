//! Pages to write, edit and delete posts. After every error the form is shown again with the user's text.

use axum::extract::{self, FromRequest as _, Request};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use countersign::http::current_user::CurrentUser;
use countersign::http::path::PathId;
use countersign::http::problem::Problem;
use countersign::model::UserId;
use countersign::pages::{Fault, Form, LoggedIn, MaybeLoggedIn, NoCaller, Redirect, Visitor};
use countersign::templates::context;
use countersign_db::DbError;
use tokio::sync::Semaphore;

use super::shown::head;
use crate::State;
use crate::model::{Content, Draft, InvalidTitle, Post, PostId, Title};
use crate::operations::delete_post::{DeletePostError, delete_post};
use crate::operations::edit_post::{EditPostError, edit_post};
use crate::operations::publish_post::{PublishPostError, publish_post};
use crate::problems::{NOT_YOUR_POST, POST_NOT_FOUND};
use crate::store::posts;

/// Maximum number of concurrent texts from clients that are not logged in, because anyone can send them.
const STRANGERS_MAX: usize = 16;

/// Limits concurrent texts from clients that are not logged in.
pub(crate) struct Senders(Semaphore);

impl Default for Senders {
    fn default() -> Self {
        Self(Semaphore::new(STRANGERS_MAX))
    }
}

fn page(visitor: &Visitor, status: StatusCode, form: &Form, post: Option<PostId>) -> Response {
    let own = context! { form => form.context(), post_id => post.map(|id| id.to_string()) };
    visitor.page(status, "blog/write.html", own)
}

impl From<InvalidTitle> for Fault {
    fn from(invalid: InvalidTitle) -> Self {
        Self(match invalid {
            InvalidTitle::Length(_) => "fault-title-long",
            InvalidTitle::Blank => "fault-title-blank",
        })
    }
}

/// Why a post was not saved.
enum Refusal {
    LoggedOut,
    /// The form's fields say why.
    Invalid,
    NotYours,
    Gone,
    Failed(Problem),
}

/// A submitted form.
struct Sent {
    visitor: Visitor,
    caller: Result<CurrentUser, NoCaller>,
    form: Form,
    /// The post to replace, if any.
    post: Option<PostId>,
}

impl Sent {
    async fn read(
        state: &State,
        writer: MaybeLoggedIn,
        request: Request,
        post: Option<PostId>,
    ) -> Result<Self, Response> {
        let MaybeLoggedIn { visitor, caller, .. } = writer;
        let room = match &caller {
            Ok(_) => None,
            Err(_) => Some(state.senders.0.try_acquire().map_err(|_| Redirect::path("/login").into_response())?),
        };
        let form = Form::from_request(request, state).await.map_err(Problem::into_response)?.prefix(PREFIX);
        drop(room);
        Ok(Self { visitor, caller, form, post })
    }

    /// Returns the author and the draft, if both are valid.
    fn parts(&mut self) -> Result<(CurrentUser, Draft), Refusal> {
        // Parsed first, so that the form is complete when it is shown again.
        let draft = draft(&mut self.form);
        match std::mem::replace(&mut self.caller, Err(NoCaller::LoggedOut)) {
            Ok(caller) => Ok((caller, draft.ok_or(Refusal::Invalid)?)),
            Err(NoCaller::LoggedOut) => Err(Refusal::LoggedOut),
            Err(NoCaller::Problem(problem)) => Err(Refusal::Failed(problem)),
        }
    }

    /// Shows the form with the user's text and the error.
    fn refused(mut self, why: Refusal) -> Response {
        // A deleted post can be published again.
        let post = self.post.filter(|_| !matches!(why, Refusal::Gone));
        let mut headers = HeaderMap::new();
        let (status, fault) = match why {
            Refusal::LoggedOut => (StatusCode::UNAUTHORIZED, Some("fault-logged-out")),
            Refusal::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, None),
            Refusal::NotYours => (StatusCode::FORBIDDEN, Some("fault-not-your-post")),
            Refusal::Gone => (StatusCode::NOT_FOUND, Some("fault-post-gone")),
            Refusal::Failed(problem) => {
                let problem = problem.into_response();
                headers.extend(problem.headers().get(RETRY_AFTER).map(|after| (RETRY_AFTER, after.clone())));
                (problem.status(), Some("fault-not-saved"))
            }
        };
        if let Some(fault) = fault {
            self.form.fault::<()>("", Fault(fault));
        }
        (headers, page(&self.visitor, status, &self.form, post)).into_response()
    }
}

fn draft(form: &mut Form) -> Option<Draft> {
    let title = form.required("title", Title::parse);
    let content = form.required("content", |text| {
        // Forms send CRLF line endings; the API and the database use LF.
        Content::parse(&text.replace("\r\n", "\n")).map_err(|_| Fault("fault-content-long"))
    });
    title.zip(content).map(|(title, content)| Draft { title, content })
}

fn form() -> Form {
    Form::empty().prefix(PREFIX)
}

/// Avoids a conflict with `content`, the ID of the page's main part.
const PREFIX: &str = "post-";

pub(super) async fn show_new(LoggedIn { visitor, .. }: LoggedIn) -> Result<Response, Problem> {
    Ok(page(&visitor, StatusCode::OK, &form(), None))
}

pub(super) async fn publish(
    extract::State(state): extract::State<State>,
    writer: MaybeLoggedIn,
    request: Request,
) -> Result<Response, Response> {
    let mut sent = Sent::read(&state, writer, request, None).await?;
    let (caller, draft) = match sent.parts() {
        Ok(parts) => parts,
        Err(why) => return Err(sent.refused(why)),
    };
    match publish_post(&state, caller.user.profile(), draft).await {
        Ok(post) => {
            Ok(Redirect::path(format!("/posts/{}", post.id)).done(&sent.visitor, "post-published").into_response())
        }
        Err(PublishPostError::AuthorGone) => Err(sent.refused(Refusal::LoggedOut)),
        Err(PublishPostError::Internal(error)) => Err(sent.refused(Refusal::Failed(error.into()))),
    }
}

async fn find_own(state: &State, user: UserId, id: PostId) -> Result<Post, Problem> {
    let found: Result<Option<Post>, DbError> = posts::find(state.accounts.db().read().await?.conn(), id).await;
    let post = found?.ok_or_else(|| Problem::new(&POST_NOT_FOUND))?;
    if post.author.id == user { Ok(post) } else { Err(Problem::new(&NOT_YOUR_POST)) }
}

pub(super) async fn show_edit(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller, .. }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    let post = find_own(&state, caller.user.id, id).await?;
    let form = form().with("title", post.title).with("content", post.content);
    Ok(page(&visitor, StatusCode::OK, &form, Some(id)))
}

pub(super) async fn save(
    extract::State(state): extract::State<State>,
    writer: MaybeLoggedIn,
    PathId(id): PathId<PostId>,
    request: Request,
) -> Result<Response, Response> {
    let mut sent = Sent::read(&state, writer, request, Some(id)).await?;
    let (caller, draft) = match sent.parts() {
        Ok(parts) => parts,
        Err(why) => return Err(sent.refused(why)),
    };
    match edit_post(&state, caller.user.profile(), id, &draft.into()).await {
        Ok(_) => Ok(Redirect::path(format!("/posts/{id}")).done(&sent.visitor, "post-saved").into_response()),
        Err(EditPostError::NotFound) => Err(sent.refused(Refusal::Gone)),
        Err(EditPostError::NotAuthor) => Err(sent.refused(Refusal::NotYours)),
        Err(EditPostError::Internal(error)) => Err(sent.refused(Refusal::Failed(error.into()))),
    }
}

pub(super) async fn show_deletion(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller, .. }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    let post = find_own(&state, caller.user.id, id).await?;
    Ok(visitor.page(StatusCode::OK, "blog/delete.html", context! { post => head(&state.accounts, &post) }))
}

pub(super) async fn delete(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller, .. }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    match delete_post(&state, caller.user.id, id).await {
        Ok(()) => Ok(Redirect::path("/").done(&visitor, "post-deleted").into_response()),
        Err(DeletePostError::NotFound) => Err(Problem::new(&POST_NOT_FOUND)),
        Err(DeletePostError::NotAuthor) => Err(Problem::new(&NOT_YOUR_POST)),
        Err(DeletePostError::Internal(error)) => Err(error.into()),
    }
}

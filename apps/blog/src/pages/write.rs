//! Pages on which posts are written, edited and deleted.

use axum::extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use countersign::http::path::PathId;
use countersign::http::problem::Problem;
use countersign::model::UserId;
use countersign::pages::{Fault, Form, LoggedIn, To, Visitor};
use countersign::templates::context;
use countersign_db::DbError;

use super::shown::head;
use crate::State;
use crate::model::{Content, Draft, InvalidTitle, Post, PostId, Title};
use crate::operations::delete_post::{DeletePostError, delete_post};
use crate::operations::edit_post::{EditPostError, edit_post};
use crate::operations::publish_post::{PublishPostError, publish_post};
use crate::problems::{NOT_YOUR_POST, POST_NOT_FOUND};
use crate::store::posts;

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

fn draft(form: &mut Form) -> Option<Draft> {
    let title = form.required("title", Title::parse);
    let content = form.required("content", |text| {
        // Forms send line ends as in mail; the API and the database have them as in texts.
        Content::parse(&text.replace("\r\n", "\n")).map_err(|_| Fault("fault-content-long"))
    });
    title.zip(content).map(|(title, content)| Draft { title, content })
}

fn form() -> Form {
    Form::empty().prefix(PREFIX)
}

/// `content` is the id of the page's main part already.
const PREFIX: &str = "post-";

pub(super) async fn show_new(LoggedIn { visitor, .. }: LoggedIn) -> Result<Response, Problem> {
    Ok(page(&visitor, StatusCode::OK, &form(), None))
}

pub(super) async fn publish(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller }: LoggedIn,
    form: Form,
) -> Result<Response, Problem> {
    let mut form = form.prefix(PREFIX);
    let Some(draft) = draft(&mut form) else {
        return Ok(page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form, None));
    };
    match publish_post(&state.accounts, caller.user.profile(), draft).await {
        Ok(post) => Ok(To::path(format!("/posts/{}", post.id)).done(&visitor, "post-published").into_response()),
        Err(PublishPostError::AuthorGone) => Ok(To::path("/login").into_response()),
        Err(PublishPostError::Internal(error)) => Err(error.into()),
    }
}

async fn find_own(state: &State, user: UserId, id: PostId) -> Result<Post, Problem> {
    let found: Result<Option<Post>, DbError> = posts::find(state.accounts.db().read().await?.conn(), id).await;
    let post = found?.ok_or_else(|| Problem::new(&POST_NOT_FOUND))?;
    if post.author.id == user { Ok(post) } else { Err(Problem::new(&NOT_YOUR_POST)) }
}

pub(super) async fn show_edit(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    let post = find_own(&state, caller.user.id, id).await?;
    let form = form().with("title", post.title).with("content", post.content);
    Ok(page(&visitor, StatusCode::OK, &form, Some(id)))
}

pub(super) async fn save(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller }: LoggedIn,
    PathId(id): PathId<PostId>,
    form: Form,
) -> Result<Response, Problem> {
    let mut form = form.prefix(PREFIX);
    let Some(draft) = draft(&mut form) else {
        find_own(&state, caller.user.id, id).await?;
        return Ok(page(&visitor, StatusCode::UNPROCESSABLE_ENTITY, &form, Some(id)));
    };
    match edit_post(&state.accounts, caller.user.profile(), id, &draft.into()).await {
        Ok(_) => Ok(To::path(format!("/posts/{id}")).done(&visitor, "post-saved").into_response()),
        Err(EditPostError::NotFound) => Err(Problem::new(&POST_NOT_FOUND)),
        Err(EditPostError::NotAuthor) => Err(Problem::new(&NOT_YOUR_POST)),
        Err(EditPostError::Internal(error)) => Err(error.into()),
    }
}

pub(super) async fn show_deletion(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    let post = find_own(&state, caller.user.id, id).await?;
    Ok(visitor.page(StatusCode::OK, "blog/delete.html", context! { post => head(&state.accounts, &post) }))
}

pub(super) async fn delete(
    extract::State(state): extract::State<State>,
    LoggedIn { visitor, caller }: LoggedIn,
    PathId(id): PathId<PostId>,
) -> Result<Response, Problem> {
    match delete_post(&state.accounts, caller.user.id, id).await {
        Ok(()) => Ok(To::path("/").done(&visitor, "post-deleted").into_response()),
        Err(DeletePostError::NotFound) => Err(Problem::new(&POST_NOT_FOUND)),
        Err(DeletePostError::NotAuthor) => Err(Problem::new(&NOT_YOUR_POST)),
        Err(DeletePostError::Internal(error)) => Err(error.into()),
    }
}

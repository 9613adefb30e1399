//! Publishes a post by the caller, dated now.

use countersign::model::Profile;
use countersign_db::{DbError, DbTime};

use crate::State;
use crate::model::{Draft, Post, PostId};
use crate::store::posts;

/// Why the post was not published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishPostError {
    /// The author's account was deleted after the request was authenticated.
    #[error("the author's account is gone")]
    AuthorGone,
    #[error(transparent)]
    Internal(DbError),
}

impl From<DbError> for PublishPostError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::ForeignKeyViolation => Self::AuthorGone,
            error => Self::Internal(error),
        }
    }
}

pub(crate) async fn publish_post(state: &State, author: Profile, draft: Draft) -> Result<Post, PublishPostError> {
    let now = state.accounts.clock().now();
    let post = Post {
        id: PostId::new(now),
        author,
        title: draft.title.into_string(),
        content: draft.content.into_string(),
        // Rounded to the precision of the database, so that it reads back equal.
        date_posted: DbTime::from(now).timestamp().unwrap_or(now),
        date_edited: None,
    };
    let mut tx = state.accounts.db().write().await?;
    posts::insert(tx.conn(), &post).await?;
    tx.commit().await?;
    state.note_change();
    Ok(post)
}

//! Publishing a post: it is its author's, and dated now.

use countersign::model::Profile;
use countersign_db::{DbError, DbTime};

use crate::State;
use crate::model::{Draft, Post, PostId};
use crate::store::posts;

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishPostError {
    /// The author's account was deleted after the request had been let in.
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
        // As precise as it will be read back.
        date_posted: DbTime::from(now).timestamp().unwrap_or(now),
        date_edited: None,
    };
    let mut tx = state.accounts.db().write().await?;
    posts::insert(tx.conn(), &post).await?;
    tx.commit().await?;
    state.note_change();
    Ok(post)
}

//! Decides what happens when somebody publishes a post: it is theirs, and dated now.

use countersign::Accounts;
use countersign::model::Profile;
use countersign_db::{DbError, DbTime};

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

pub(crate) async fn publish_post(accounts: &Accounts, author: Profile, draft: Draft) -> Result<Post, PublishPostError> {
    let now = accounts.clock().now();
    let post = Post {
        id: PostId::new(now),
        author,
        title: draft.title.into_string(),
        content: draft.content.into_string(),
        // As precise as it will be read back.
        date_posted: DbTime::from(now).timestamp().unwrap_or(now),
    };
    let mut tx = accounts.db().write().await?;
    posts::insert(tx.conn(), &post).await?;
    tx.commit().await?;
    Ok(post)
}

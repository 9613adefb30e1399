//! Changes a post, if it exists and the caller wrote it, checked in this order.

use countersign::model::Profile;
use countersign_db::DbError;

use crate::State;
use crate::model::{Changes, Post, PostId};
use crate::store::posts;

/// Why the post was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditPostError {
    #[error("no post has this id")]
    NotFound,
    #[error("somebody else wrote the post")]
    NotAuthor,
    #[error(transparent)]
    Internal(#[from] DbError),
}

pub(crate) async fn edit_post(
    state: &State,
    caller: Profile,
    id: PostId,
    changes: &Changes,
) -> Result<Post, EditPostError> {
    let now = state.accounts.clock().now();
    let mut tx = state.accounts.db().write().await?;
    let caller_id = caller.id;
    // The UPDATE checks ownership atomically; the later read only explains a refusal.
    if let Some(post) = posts::update_by_author(tx.conn(), id, caller, changes, now).await? {
        tx.commit().await?;
        state.note_change();
        return Ok(post);
    }
    match posts::find_author(tx.conn(), id).await? {
        Some(author) if author != caller_id => Err(EditPostError::NotAuthor),
        Some(_) | None => Err(EditPostError::NotFound),
    }
}

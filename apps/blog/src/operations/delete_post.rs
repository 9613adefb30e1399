//! Deletes a post, if it exists and the caller wrote it, checked in this order.

use countersign::model::UserId;
use countersign_db::DbError;

use crate::State;
use crate::model::PostId;
use crate::store::posts;

/// Why the post was not deleted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeletePostError {
    #[error("no post has this id")]
    NotFound,
    #[error("somebody else wrote the post")]
    NotAuthor,
    #[error(transparent)]
    Internal(#[from] DbError),
}

pub(crate) async fn delete_post(state: &State, caller: UserId, id: PostId) -> Result<(), DeletePostError> {
    let mut tx = state.accounts.db().write().await?;
    // The DELETE checks ownership atomically; the later read only explains a refusal.
    if posts::delete_by_author(tx.conn(), id, caller).await?.is_some() {
        tx.commit().await?;
        state.note_change();
        return Ok(());
    }
    match posts::find_author(tx.conn(), id).await? {
        Some(author) if author != caller => Err(DeletePostError::NotAuthor),
        Some(_) | None => Err(DeletePostError::NotFound),
    }
}

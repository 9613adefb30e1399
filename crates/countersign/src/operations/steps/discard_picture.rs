//! Decides when a file that no user refers to any more goes: after the commit of whatever took it from its user.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;

use crate::model::{Job, JobId};
use crate::store;

/// Has the file deleted once the transaction is committed; without one there is nothing to do.
pub(in crate::operations) async fn discard_picture(
    conn: Conn<'_>,
    file: Option<&str>,
    now: Timestamp,
) -> Result<(), DbError> {
    // A name that is none of ours was never a file of ours.
    let Some(file) = file.and_then(|file| file.parse().ok()) else {
        return Ok(());
    };
    store::jobs::insert(conn, JobId::new(now), &Job::DeletePicture(file), now).await
}

//! When a file that no user refers to any more goes: after the commit of whatever took it from its user.

use countersign_db::{Conn, DbError};
use jiff::Timestamp;

use crate::accounts::Accounts;
use crate::model::Job;

impl Accounts {
    /// Has the file deleted once the transaction is committed; without one there is nothing to do.
    pub(in crate::operations) async fn discard_picture(
        &self,
        conn: Conn<'_>,
        file: Option<&str>,
        now: Timestamp,
    ) -> Result<(), DbError> {
        // A name that is none of ours was never a file of ours.
        let Some(file) = file.and_then(|file| file.parse().ok()) else {
            return Ok(());
        };
        self.promise_job(conn, &Job::DeletePicture(file), now).await
    }
}

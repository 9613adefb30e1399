//! When a file that no user refers to any more goes: after the commit of the change that took it from its user.

use countersign_db::DbError;

use super::change::Change;
use crate::model::Job;

impl Change<'_> {
    /// Has the file deleted once the transaction is committed; without one there is nothing to do.
    pub(in crate::operations) async fn discard_picture(&mut self, file: Option<&str>) -> Result<(), DbError> {
        // A name that is none of ours was never a file of ours.
        match file.and_then(|file| file.parse().ok()) {
            Some(file) => self.enqueue(&Job::DeletePicture(file)).await,
            None => Ok(()),
        }
    }
}

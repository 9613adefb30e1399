//! Deletion of a picture file that no user refers to, after the commit of the change that replaced it.

use countersign_db::DbError;

use super::change::Change;
use crate::model::Job;

impl Change<'_> {
    /// Enqueues the deletion of the file, if there is one.
    pub(in crate::operations) async fn discard_picture(&mut self, file: Option<&str>) -> Result<(), DbError> {
        // A name in another form was never a file of ours.
        match file.and_then(|file| file.parse().ok()) {
            Some(file) => self.enqueue(&Job::DeletePicture(file)).await,
            None => Ok(()),
        }
    }
}

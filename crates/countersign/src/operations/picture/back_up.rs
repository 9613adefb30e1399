//! The pictures that belong to a copy of the database, though their users replace them while it is made.
//!
//! None of this needs [`Accounts`](crate::Accounts): an operator who makes a backup need not have the secrets.

use countersign_db::{Db, DbError};
use jiff::Timestamp;

use crate::model::{PictureFile, UserId};
use crate::store;

/// How many users [`list_pictures`] returns at the most.
const PAGE: u32 = 256;

/// What became of a picture that a copy of the database names and the storage does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingPicture {
    /// Its user has another one by now, and so the copy has.
    Replaced(PictureFile),
    /// Its user took it away or is gone, and in the copy the user has none now.
    Removed,
    /// Its user still has it: the storage has lost it. The copy is as it was.
    Lost,
}

/// How many users have a picture.
pub async fn count_pictures(db: &Db) -> Result<u64, DbError> {
    let count = store::image_files::count(db.read().await?.conn()).await?;
    Ok(count.unsigned_abs())
}

/// Users who have a picture: the next ones `after` one of them, in the order of ids, until there are none. `None` instead of
/// a file where its name is none that this program gives, so that the storage cannot have it.
pub async fn list_pictures(db: &Db, after: Option<UserId>) -> Result<Vec<(UserId, Option<PictureFile>)>, DbError> {
    let rows = store::image_files::list(db.read().await?.conn(), after, PAGE).await?;
    Ok(rows.into_iter().map(|(user, file)| (user, file.parse().ok())).collect())
}

/// Has a copy follow the database that it was made of, as to one user's picture whose file has gone meanwhile.
///
/// A file goes only after its user has got another one, so the present row tells what happened.
pub async fn follow_picture(
    live: &Db,
    copy: &Db,
    user: UserId,
    gone: &PictureFile,
    now: Timestamp,
) -> Result<MissingPicture, DbError> {
    let present = store::image_files::find(live.read().await?.conn(), user).await?.flatten();
    let present: Option<PictureFile> = present.and_then(|file| file.parse().ok());
    if present.as_ref() == Some(gone) {
        return Ok(MissingPicture::Lost);
    }
    let mut tx = copy.write().await?;
    let new = present.as_ref().map(PictureFile::as_str);
    store::image_files::replace(tx.conn(), user, Some(gone.as_str()), new, now).await?;
    tx.commit().await?;
    Ok(present.map_or(MissingPicture::Removed, MissingPicture::Replaced))
}

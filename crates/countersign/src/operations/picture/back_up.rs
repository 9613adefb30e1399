//! Pictures for a backup of the database, while users may still replace them.
//!
//! None of this needs [`Accounts`](crate::Accounts), so an operator can make a backup without the secrets.

use countersign_db::{Db, DbError};
use jiff::Timestamp;

use crate::model::{PictureFile, UserId};
use crate::store;

/// Page size of [`list_pictures`].
const PAGE: u32 = 256;

/// Why the storage lacks a picture that the database copy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissingPicture {
    /// The user has another picture now, and so has the copy.
    Replaced(PictureFile),
    /// The user removed the picture or no longer exists. The user has no picture in the copy now.
    Removed,
    /// The user still has this picture: the storage lost it. The copy is unchanged.
    Lost,
}

/// Returns how many users have a picture.
pub async fn count_pictures(db: &Db) -> Result<u64, DbError> {
    let count = store::image_files::count(db.read().await?.conn()).await?;
    Ok(count.unsigned_abs())
}

/// Lists users with a picture in the order of ids, starting after `after`; empty at the end. The file is `None` if its
/// name is not one that this program gives, so that the storage cannot have it.
pub async fn list_pictures(db: &Db, after: Option<UserId>) -> Result<Vec<(UserId, Option<PictureFile>)>, DbError> {
    let rows = store::image_files::list(db.read().await?.conn(), after, PAGE).await?;
    Ok(rows.into_iter().map(|(user, file)| (user, file.parse().ok())).collect())
}

/// Updates a copy of the database from the live one for one user whose picture file is gone.
///
/// A file is deleted only after its user has another one, so the live row says what happened.
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

//! Profile pictures: the column `image_file` of `auth_users`, separate from the user's identity and contact data.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use super::users::UserRow;
use crate::model::{User, UserId};

/// Returns the file of a user's picture; `None` if the user does not exist.
pub(crate) async fn find(conn: Conn<'_>, id: UserId) -> Result<Option<Option<String>>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT image_file FROM auth_users WHERE id = $1").bind(id.uuid()).fetch_optional(c).await
    })?)
}

/// Replaces the file `old` with `new`, or with none; `None` if the user is gone or no longer has `old`.
pub(crate) async fn replace(
    conn: Conn<'_>,
    id: UserId,
    old: Option<&str>,
    new: Option<&str>,
    now: Timestamp,
) -> Result<Option<User>, DbError> {
    let row: Option<UserRow> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE auth_users SET image_file = $3, updated_at = $4 WHERE id = $1 \
             AND image_file IS NOT DISTINCT FROM $2 RETURNING id, username, email, image_file",
        )
        .bind(id.uuid())
        .bind(old)
        .bind(new)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(row.map(User::from))
}

/// Returns the number of users with a picture.
pub(crate) async fn count(conn: Conn<'_>) -> Result<i64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT COUNT(*) FROM auth_users WHERE image_file IS NOT NULL").fetch_one(c).await
    })?)
}

/// Lists users with a picture, and its file, after an id and in order of ids.
pub(crate) async fn list(conn: Conn<'_>, after: Option<UserId>, limit: u32) -> Result<Vec<(UserId, String)>, DbError> {
    let rows: Vec<(Uuid, String)> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, image_file FROM auth_users WHERE image_file IS NOT NULL AND id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after.map_or(Uuid::nil(), UserId::uuid))
        .bind(i64::from(limit))
        .fetch_all(c)
        .await
    })?;
    Ok(rows.into_iter().map(|(id, file)| (id.into(), file)).collect())
}

/// Returns whether any user has this file.
pub(crate) async fn is_referenced(conn: Conn<'_>, file: &str) -> Result<bool, DbError> {
    let found: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT id FROM auth_users WHERE image_file = $1").bind(file).fetch_optional(c).await
    })?;
    Ok(found.is_some())
}

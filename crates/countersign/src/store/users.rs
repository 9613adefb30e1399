//! Decides how users are kept and found.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{EmailAddress, Profile, User, UserId, Username};

/// `id, username, email, image_file`
pub(crate) type UserRow = (Uuid, String, String, Option<String>);

impl From<UserRow> for User {
    fn from((id, username, email, image_file): UserRow) -> Self {
        Self { id: id.into(), username, email, image_file }
    }
}

/// Inserts a user, unless the name or the address is taken: then `None`.
pub(crate) async fn insert(
    conn: Conn<'_>,
    id: UserId,
    username: &Username,
    email: &EmailAddress,
    password_hash: &str,
    now: Timestamp,
) -> Result<Option<User>, DbError> {
    let row: Option<UserRow> = on_db!(conn, c => {
        sqlx::query_as(
            "INSERT INTO auth_users (id, username, username_key, email, password_hash, created_at, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT DO NOTHING RETURNING id, username, email, image_file",
        )
        .bind(id.uuid())
        .bind(username.as_str())
        .bind(username.key())
        .bind(email.as_str())
        .bind(password_hash)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(row.map(User::from))
}

/// Whose name this is.
pub(crate) async fn find_id_by_username(conn: Conn<'_>, username: &Username) -> Result<Option<UserId>, DbError> {
    let id: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT id FROM auth_users WHERE username_key = $1")
            .bind(username.key())
            .fetch_optional(c)
            .await
    })?;
    Ok(id.map(UserId::from))
}

/// What everybody may see of a user.
pub(crate) async fn find_profile(conn: Conn<'_>, id: UserId) -> Result<Option<Profile>, DbError> {
    let row: Option<(String, Option<String>)> = on_db!(conn, c => {
        sqlx::query_as("SELECT username, image_file FROM auth_user_profiles WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(|(username, image_file)| Profile { id, username, image_file }))
}

/// Id and password hash of the user with this address.
pub(crate) async fn find_credentials_by_email(
    conn: Conn<'_>,
    email: &EmailAddress,
) -> Result<Option<(UserId, String)>, DbError> {
    let row: Option<(Uuid, String)> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, password_hash FROM auth_users WHERE email = $1")
            .bind(email.as_str())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(|(id, hash)| (id.into(), hash)))
}

/// Id and password hash of the user with this name.
pub(crate) async fn find_credentials_by_username(
    conn: Conn<'_>,
    username: &Username,
) -> Result<Option<(UserId, String)>, DbError> {
    let row: Option<(Uuid, String)> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, password_hash FROM auth_users WHERE username_key = $1")
            .bind(username.key())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(|(id, hash)| (id.into(), hash)))
}

/// A user's address.
pub(crate) async fn find_email(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT email FROM auth_users WHERE id = $1").bind(id.uuid()).fetch_optional(c).await
    })?)
}

/// A user's password hash.
pub(crate) async fn find_password_hash(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT password_hash FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?)
}

/// Puts a hash in another one's place, unless that was replaced in the meantime.
pub(crate) async fn replace_password_hash(
    conn: Conn<'_>,
    id: UserId,
    old: &str,
    new: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_users SET password_hash = $3, updated_at = $4 WHERE id = $1 AND password_hash = $2")
            .bind(id.uuid())
            .bind(old)
            .bind(new)
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Changes what is given. [`DbError::UniqueViolation`] when the name or the address is taken.
pub(crate) async fn update_profile(
    conn: Conn<'_>,
    id: UserId,
    username: Option<&Username>,
    email: Option<&EmailAddress>,
    now: Timestamp,
) -> Result<Option<User>, DbError> {
    let row: Option<UserRow> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE auth_users SET username = COALESCE($2, username), username_key = COALESCE($3, username_key), \
             email = COALESCE($4, email), updated_at = $5 WHERE id = $1 RETURNING id, username, email, image_file",
        )
        .bind(id.uuid())
        .bind(username.map(Username::as_str))
        .bind(username.map(Username::key))
        .bind(email.map(EmailAddress::as_str))
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(row.map(User::from))
}

/// The file of a user's picture; `None` when there is no such user.
pub(crate) async fn find_image_file(conn: Conn<'_>, id: UserId) -> Result<Option<Option<String>>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT image_file FROM auth_users WHERE id = $1").bind(id.uuid()).fetch_optional(c).await
    })?)
}

/// Puts another file in the place of `old`, or none; `None` when the user is gone or has another file by now.
pub(crate) async fn replace_image_file(
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

/// Whether some user has this file.
pub(crate) async fn has_image_file(conn: Conn<'_>, file: &str) -> Result<bool, DbError> {
    let found: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT id FROM auth_users WHERE image_file = $1").bind(file).fetch_optional(c).await
    })?;
    Ok(found.is_some())
}

/// Takes a user away; whatever refers to one goes by cascade. Returns the file of the picture, which does not.
pub(crate) async fn delete(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    let file: Option<Option<String>> = on_db!(conn, c => {
        sqlx::query_scalar("DELETE FROM auth_users WHERE id = $1 RETURNING image_file")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(file.flatten())
}

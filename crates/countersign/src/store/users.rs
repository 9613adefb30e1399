//! Queries for users.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Contact, EmailAddress, Language, Profile, User, UserId, Username, Verification};

/// The columns `id, username, email, image_file`.
pub(crate) type UserRow = (Uuid, String, String, Option<String>);

impl From<UserRow> for User {
    fn from((id, username, email, image_file): UserRow) -> Self {
        Self { id: id.into(), username, email, image_file }
    }
}

/// A user to insert.
pub(crate) struct NewUser<'u> {
    pub(crate) id: UserId,
    pub(crate) username: &'u Username,
    pub(crate) email: &'u EmailAddress,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) password_hash: &'u str,
    pub(crate) language: &'u Language,
    pub(crate) now: Timestamp,
}

fn verification(verified_at: Option<DbTime>) -> Verification {
    if verified_at.is_some() { Verification::Verified } else { Verification::Unverified }
}

/// Inserts a user; `None` if the name or the address is taken.
pub(crate) async fn insert(conn: Conn<'_>, user: &NewUser<'_>) -> Result<Option<User>, DbError> {
    let row: Option<UserRow> = on_db!(conn, c => {
        sqlx::query_as(
            "INSERT INTO auth_users (id, username, username_key, email, email_verified_at, password_hash, language, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING id, username, email, \
             image_file",
        )
        .bind(user.id.uuid())
        .bind(user.username.as_str())
        .bind(user.username.key())
        .bind(user.email.as_str())
        .bind(user.email_verified_at.map(DbTime::from))
        .bind(user.password_hash)
        .bind(user.language.to_string())
        .bind(DbTime::from(user.now))
        .fetch_optional(c)
        .await
    })?;
    Ok(row.map(User::from))
}

/// Returns the user with this name.
pub(crate) async fn find_id_by_username(conn: Conn<'_>, username: &Username) -> Result<Option<UserId>, DbError> {
    let id: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT id FROM auth_users WHERE username_key = $1")
            .bind(username.key())
            .fetch_optional(c)
            .await
    })?;
    Ok(id.map(UserId::from))
}

/// Returns the public profile of a user.
pub(crate) async fn find_profile(conn: Conn<'_>, id: UserId) -> Result<Option<Profile>, DbError> {
    let row: Option<(String, Option<String>)> = on_db!(conn, c => {
        sqlx::query_as("SELECT username, image_file FROM auth_user_profiles WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(|(username, image_file)| Profile { id, username, image_file }))
}

/// The stored data that a login is checked against.
pub(crate) struct Credentials {
    pub(crate) user: UserId,
    pub(crate) password_hash: String,
    pub(crate) verification: Verification,
}

type CredentialsRow = (Uuid, String, Option<DbTime>);

impl From<CredentialsRow> for Credentials {
    fn from((user, password_hash, email_verified_at): CredentialsRow) -> Self {
        Self { user: user.into(), password_hash, verification: verification(email_verified_at) }
    }
}

/// Returns the credentials of the user with this address.
pub(crate) async fn find_credentials_by_email(
    conn: Conn<'_>,
    email: &EmailAddress,
) -> Result<Option<Credentials>, DbError> {
    let row: Option<CredentialsRow> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, password_hash, email_verified_at FROM auth_users WHERE email = $1")
            .bind(email.as_str())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(Credentials::from))
}

/// Returns the credentials of the user with this name.
pub(crate) async fn find_credentials_by_username(
    conn: Conn<'_>,
    username: &Username,
) -> Result<Option<Credentials>, DbError> {
    let row: Option<CredentialsRow> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, password_hash, email_verified_at FROM auth_users WHERE username_key = $1")
            .bind(username.key())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(Credentials::from))
}

/// Locks a user's row until the transaction ends. On PostgreSQL, which allows concurrent writers, other changes of the
/// user then wait.
pub(crate) async fn lock(conn: Conn<'_>, id: UserId) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_users SET updated_at = updated_at WHERE id = $1").bind(id.uuid()).execute(c).await.map(drop)
    })?;
    Ok(())
}

/// The conditions under which a session of a user may begin.
pub(crate) struct LoginCondition<'c> {
    /// The password was compared with this hash, which must be unchanged.
    pub(crate) password_hash: &'c str,
    /// If the user was found by this address, it must be unchanged.
    pub(crate) email: Option<&'c EmailAddress>,
    pub(crate) username: Option<&'c Username>,
}

/// Records a login if the conditions hold, and replaces the hash if an upgrade is given; returns whether they hold.
/// Concurrent changes of the user are serialized with this, so that no session begins with an outdated password or
/// address.
pub(crate) async fn note_login(
    conn: Conn<'_>,
    id: UserId,
    condition: &LoginCondition<'_>,
    upgrade: Option<&str>,
    now: Timestamp,
) -> Result<bool, DbError> {
    let noted: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_users SET last_login_at = $3, password_hash = COALESCE($6, password_hash) WHERE id = $1 \
             AND password_hash = $2 AND COALESCE($4, email) = email AND COALESCE($5, username_key) = username_key RETURNING id",
        )
        .bind(id.uuid())
        .bind(condition.password_hash)
        .bind(DbTime::from(now))
        .bind(condition.email.map(EmailAddress::as_str))
        .bind(condition.username.map(Username::key))
        .bind(upgrade)
        .fetch_optional(c)
        .await
    })?;
    Ok(noted.is_some())
}

/// Returns the user with this address, and whether the address is verified.
pub(crate) async fn find_verification_by_email(
    conn: Conn<'_>,
    email: &EmailAddress,
) -> Result<Option<(UserId, Verification)>, DbError> {
    let row: Option<(Uuid, Option<DbTime>)> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, email_verified_at FROM auth_users WHERE email = $1")
            .bind(email.as_str())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(|(id, at)| (id.into(), verification(at))))
}

/// Returns whether a user's address is verified; `None` if the user does not exist.
pub(crate) async fn find_verification(conn: Conn<'_>, id: UserId) -> Result<Option<Verification>, DbError> {
    let row: Option<Option<DbTime>> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT email_verified_at FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(verification))
}

/// Returns a user's contact data for mail.
pub(crate) async fn find_contact(conn: Conn<'_>, id: UserId) -> Result<Option<Contact>, DbError> {
    let row: Option<(String, String, Option<String>, Option<DbTime>)> = on_db!(conn, c => {
        sqlx::query_as("SELECT username, email, language, email_verified_at FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    let Some((username, email, language, email_verified_at)) = row else { return Ok(None) };
    let corrupt = |_| DbError::CorruptRow { table: "auth_users", column: "email" };
    Ok(Some(Contact {
        username,
        email: EmailAddress::parse(&email).map_err(corrupt)?,
        language: language.and_then(|language| Language::parse(&language).ok()),
        verification: verification(email_verified_at),
    }))
}

/// Marks this address as verified, if it is still the user's.
pub(crate) async fn verify_email(
    conn: Conn<'_>,
    id: UserId,
    email: &EmailAddress,
    now: Timestamp,
) -> Result<bool, DbError> {
    let verified: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar("UPDATE auth_users SET email_verified_at = $3 WHERE id = $1 AND email = $2 RETURNING id")
            .bind(id.uuid())
            .bind(email.as_str())
            .bind(DbTime::from(now))
            .fetch_optional(c)
            .await
    })?;
    Ok(verified.is_some())
}

/// Replaces the user's address with a verified one, if `old` is still current. [`DbError::UniqueViolation`] if it is
/// taken.
pub(crate) async fn replace_email(
    conn: Conn<'_>,
    id: UserId,
    old: &str,
    new: &EmailAddress,
    now: Timestamp,
) -> Result<bool, DbError> {
    let replaced: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_users SET email = $3, email_verified_at = $4, updated_at = $4 WHERE id = $1 AND email = $2 \
             RETURNING id",
        )
        .bind(id.uuid())
        .bind(old)
        .bind(new.as_str())
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(replaced.is_some())
}

/// Restores a former address and voids the password. [`DbError::UniqueViolation`] if the address is taken.
pub(crate) async fn restore_email(
    conn: Conn<'_>,
    id: UserId,
    email: &EmailAddress,
    void: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let restored: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_users SET email = $2, email_verified_at = $4, password_hash = $3, updated_at = $4 WHERE id = $1 \
             RETURNING id",
        )
        .bind(id.uuid())
        .bind(email.as_str())
        .bind(void)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(restored.is_some())
}

/// Replaces the password hash of a user who has verified this address, if the address is still theirs.
pub(crate) async fn reset_password_hash(
    conn: Conn<'_>,
    id: UserId,
    email: &EmailAddress,
    hash: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let reset: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_users SET password_hash = $3, email_verified_at = COALESCE(email_verified_at, $4), updated_at = $4 \
             WHERE id = $1 AND email = $2 RETURNING id",
        )
        .bind(id.uuid())
        .bind(email.as_str())
        .bind(hash)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(reset.is_some())
}

/// Returns a user's password hash.
pub(crate) async fn find_password_hash(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT password_hash FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?)
}

/// Returns any password hash that starts with none of these prefixes.
pub(crate) async fn find_password_hash_without_prefixes(
    conn: Conn<'_>,
    prefixes: &[String; 12],
) -> Result<Option<String>, DbError> {
    Ok(on_db!(conn, c => {
        let query = sqlx::query_scalar(
            "SELECT password_hash FROM auth_users WHERE SUBSTR(password_hash, 1, LENGTH($1)) <> $1 \
             AND SUBSTR(password_hash, 1, LENGTH($2)) <> $2 AND SUBSTR(password_hash, 1, LENGTH($3)) <> $3 \
             AND SUBSTR(password_hash, 1, LENGTH($4)) <> $4 AND SUBSTR(password_hash, 1, LENGTH($5)) <> $5 \
             AND SUBSTR(password_hash, 1, LENGTH($6)) <> $6 AND SUBSTR(password_hash, 1, LENGTH($7)) <> $7 \
             AND SUBSTR(password_hash, 1, LENGTH($8)) <> $8 AND SUBSTR(password_hash, 1, LENGTH($9)) <> $9 \
             AND SUBSTR(password_hash, 1, LENGTH($10)) <> $10 AND SUBSTR(password_hash, 1, LENGTH($11)) <> $11 \
             AND SUBSTR(password_hash, 1, LENGTH($12)) <> $12 LIMIT 1",
        );
        prefixes.iter().fold(query, |query, prefix| query.bind(prefix.as_str())).fetch_optional(c).await
    })?)
}

/// Replaces a hash; `false` if `old` is no longer stored.
pub(crate) async fn replace_password_hash(
    conn: Conn<'_>,
    id: UserId,
    old: &str,
    new: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let replaced: Option<Uuid> = on_db!(conn, c => {
        sqlx::query_scalar(
            "UPDATE auth_users SET password_hash = $3, updated_at = $4 WHERE id = $1 AND password_hash = $2 RETURNING id",
        )
        .bind(id.uuid())
        .bind(old)
        .bind(new)
        .bind(DbTime::from(now))
        .fetch_optional(c)
        .await
    })?;
    Ok(replaced.is_some())
}

/// Updates the given fields; a new address is unverified. [`DbError::UniqueViolation`] if the name or the address is
/// taken.
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
             email_verified_at = CASE WHEN COALESCE($4, email) = email THEN email_verified_at END, \
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

/// Deletes a user; rows that refer to it are deleted by cascade. Returns the picture's file, which is not.
pub(crate) async fn delete(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    let file: Option<Option<String>> = on_db!(conn, c => {
        sqlx::query_scalar("DELETE FROM auth_users WHERE id = $1 RETURNING image_file")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(file.flatten())
}

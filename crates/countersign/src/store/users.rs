//! How users are kept and found.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;
use uuid::Uuid;

use crate::model::{Contact, EmailAddress, Language, Profile, User, UserId, Username, Verification};

/// `id, username, email, image_file`
pub(crate) type UserRow = (Uuid, String, String, Option<String>);

impl From<UserRow> for User {
    fn from((id, username, email, image_file): UserRow) -> Self {
        Self { id: id.into(), username, email, image_file }
    }
}

/// A user as one comes to be.
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

/// Inserts a user, unless the name or the address is taken: then `None`.
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

/// What a login is compared with.
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

/// The credentials of the user with this address.
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

/// The credentials of the user with this name.
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

/// Locks a user's row until the transaction ends. PostgreSQL, where several write at once, has other changes of the user wait.
pub(crate) async fn lock(conn: Conn<'_>, id: UserId) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_users SET updated_at = updated_at WHERE id = $1").bind(id.uuid()).execute(c).await.map(drop)
    })?;
    Ok(())
}

/// What must hold of a user when a session of theirs begins.
pub(crate) struct LoginCondition<'c> {
    /// It is still the one that the password was compared with.
    pub(crate) password_hash: &'c str,
    /// It is still theirs, if they were found by it.
    pub(crate) email: Option<&'c EmailAddress>,
    pub(crate) username: Option<&'c Username>,
}

/// Notes a login under a condition, and replaces the hash if there is another; whether the condition holds. A change of the
/// user waits for this, or this for it, so that no session begins with a password or an address that is gone.
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

/// Whose address this is, and whether they have shown that they read it.
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

/// Whether a user has shown that they read their address; `None` when there is no such user.
pub(crate) async fn find_verification(conn: Conn<'_>, id: UserId) -> Result<Option<Verification>, DbError> {
    let row: Option<Option<DbTime>> = on_db!(conn, c => {
        sqlx::query_scalar("SELECT email_verified_at FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?;
    Ok(row.map(verification))
}

/// How mail reaches a user.
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

/// Notes that a user reads this address, if it is still theirs.
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

/// Makes a proven address the user's, if `old` still is. [`DbError::UniqueViolation`] when it is taken.
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

/// Makes a former address the user's again and the password void. [`DbError::UniqueViolation`] when it is taken.
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

/// Gives a user who has proven this address another password hash, if the address is still theirs.
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

/// A user's password hash.
pub(crate) async fn find_password_hash(conn: Conn<'_>, id: UserId) -> Result<Option<String>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_scalar("SELECT password_hash FROM auth_users WHERE id = $1")
            .bind(id.uuid())
            .fetch_optional(c)
            .await
    })?)
}

/// A password hash that begins in none of these ways; of several any.
pub(crate) async fn find_password_hash_but(conn: Conn<'_>, prefixes: &[String; 12]) -> Result<Option<String>, DbError> {
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

/// Puts a hash in another one's place; whether that was still there.
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

/// Changes what is given; another address is not proven yet. [`DbError::UniqueViolation`] when the name or the address is taken.
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

//! The table of notes: one SQL text for SQLite and PostgreSQL.

use countersign::model::UserId;
use countersign::uuid::Uuid;
use countersign_db::{Conn, DbError, on_db, sqlx};

countersign::entity_id! {
    /// The id of a note.
    pub(crate) NoteId
}

/// Adds a note.
pub(crate) async fn insert(conn: Conn<'_>, user: UserId, id: NoteId, text: &str) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("INSERT INTO notes (id, user_id, text) VALUES ($1, $2, $3)")
            .bind(id.uuid())
            .bind(user.uuid())
            .bind(text)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// The newest notes of a user, newest first, at most 100.
pub(crate) async fn list(conn: Conn<'_>, user: UserId) -> Result<Vec<String>, DbError> {
    let rows: Vec<(Uuid, String)> = on_db!(conn, c => {
        sqlx::query_as("SELECT id, text FROM notes WHERE user_id = $1 ORDER BY id DESC LIMIT 100")
            .bind(user.uuid())
            .fetch_all(c)
            .await
    })?;
    Ok(rows.into_iter().map(|(_, text)| text).collect())
}

/// Deletes the notes with smaller ids, and returns how many. Ids begin with the time.
pub(crate) async fn delete_before(conn: Conn<'_>, id: NoteId) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query("DELETE FROM notes WHERE id < $1")
            .bind(id.uuid())
            .execute(c)
            .await
            .map(|done| done.rows_affected())
    })?)
}

/// Reads one note, if there is any.
pub(crate) async fn read_any(conn: Conn<'_>) -> Result<(), DbError> {
    on_db!(conn, c => sqlx::query("SELECT id FROM notes LIMIT 1").fetch_optional(c).await.map(drop))?;
    Ok(())
}

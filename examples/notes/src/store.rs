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

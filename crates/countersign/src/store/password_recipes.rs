//! The recipes of stored password hashes, as last found by a scan of all users.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;

/// Lists the recipes and when each was last found.
pub(crate) async fn list(conn: Conn<'_>) -> Result<Vec<(String, Option<Timestamp>)>, DbError> {
    let rows: Vec<(String, DbTime)> = on_db!(conn, c => {
        sqlx::query_as("SELECT recipe, found_at FROM auth_password_recipes ORDER BY recipe").fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(recipe, found_at)| (recipe, found_at.timestamp())).collect())
}

/// Records that a hash with this recipe exists.
pub(crate) async fn note(conn: Conn<'_>, recipe: &str, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_password_recipes (recipe, found_at) VALUES ($1, $2) \
             ON CONFLICT (recipe) DO UPDATE SET found_at = $2",
        )
        .bind(recipe)
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Deletes a recipe that no hash uses any longer.
pub(crate) async fn delete(conn: Conn<'_>, recipe: &str) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_password_recipes WHERE recipe = $1").bind(recipe).execute(c).await.map(drop)
    })?;
    Ok(())
}

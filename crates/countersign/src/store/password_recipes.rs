//! Of which recipes stored password hashes are, as they were last found in the whole table of users.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::Timestamp;

/// The recipes, and when each was found.
pub(crate) async fn list(conn: Conn<'_>) -> Result<Vec<(String, Option<Timestamp>)>, DbError> {
    let rows: Vec<(String, DbTime)> = on_db!(conn, c => {
        sqlx::query_as("SELECT recipe, found_at FROM auth_password_recipes ORDER BY recipe").fetch_all(c).await
    })?;
    Ok(rows.into_iter().map(|(recipe, found_at)| (recipe, found_at.timestamp())).collect())
}

/// Notes that there is a hash of this recipe.
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

/// Takes away a recipe that no hash has any more.
pub(crate) async fn delete(conn: Conn<'_>, recipe: &str) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_password_recipes WHERE recipe = $1").bind(recipe).execute(c).await.map(drop)
    })?;
    Ok(())
}

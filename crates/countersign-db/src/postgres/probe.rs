//! Detects a pooler in transaction mode: two connections take turns at transactions, and the server's process ids show
//! whether each keeps its own.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};
use tokio::time::timeout;

use super::Pooler;

/// How long to wait for the second of two transactions: a pooler may have a single server connection.
const SECOND_WAIT_MAX: Duration = Duration::from_secs(1);
/// How often to compare. Two rounds find an idle pooler; other clients may take a connection in between and hide it.
const ROUNDS: u32 = 6;

/// Detects the kind of pooler between these two connections and the server. Nothing is set or kept on them.
///
/// A pooler with several free server connections hands out either the most recently or the least recently returned one.
/// So the two return theirs in one order and then in the other, and take them in the same order each time. With either
/// strategy, the two then swap server connections in every second round, unless another client comes in between, as when
/// several instances start together. A connection that is not pooled, or pooled by session, keeps
/// one server process for its whole life, and shares it with no other.
pub(super) async fn pooler_between(one: &mut PgConnection, two: &mut PgConnection) -> Result<Pooler, sqlx::Error> {
    let first = begin(one).await?;
    let Some(second) = begin_second(first, one, two).await? else {
        return Ok(Pooler::Transaction);
    };
    for round in 0..ROUNDS {
        if round % 2 == 0 {
            end(one).await?;
            end(two).await?;
        } else {
            end(two).await?;
            end(one).await?;
        }
        if begin(one).await? != first || begin(two).await? != second {
            return Ok(Pooler::Transaction);
        }
    }
    Ok(Pooler::Session)
}

/// Returns the process id of the second transaction while the first is open, or `None` if it reached the first one's
/// process.
async fn begin_second(first: i32, one: &mut PgConnection, two: &mut PgConnection) -> Result<Option<i32>, sqlx::Error> {
    let mut beginning = Box::pin(begin(two));
    if let Ok(second) = timeout(SECOND_WAIT_MAX, &mut beginning).await {
        return second.map(Some);
    }
    end(one).await?;
    let second = beginning.await?;
    if second == first {
        return Ok(None);
    }
    // The second was only slow. Check whether the first gets the same process again.
    Ok(if begin(one).await? == first { Some(second) } else { None })
}

/// Begins a transaction and returns the server's process id.
async fn begin(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("BEGIN; SELECT pg_backend_pid()").fetch_one(conn).await?.try_get(0)
}

async fn end(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
}

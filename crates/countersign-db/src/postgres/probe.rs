//! How a pooler in transaction mode is recognised: two connections take turns at transactions, and the numbers of the
//! server's processes tell whether each of them stays with its own.

use std::time::Duration;

use sqlx::{PgConnection, Row as _};
use tokio::time::timeout;

use super::Pooler;

/// How long the second of two transactions is waited for: a pooler may have a single connection to the server.
const SECOND_WAIT_MAX: Duration = Duration::from_secs(1);

/// Tells who is between these two connections and the server. Nothing is set or kept on them.
///
/// A pooler that has several free connections to the server hands out either the one that came back last or the one that
/// came back first. So the two give theirs back in one order and then in the other, and take them in the same order each
/// time: one way or the other, each then has what the other had before. A connection that is not pooled, or pooled by
/// session, has the same process of the server as long as it lasts, and no other has it.
pub(super) async fn pooler_between(one: &mut PgConnection, two: &mut PgConnection) -> Result<Pooler, sqlx::Error> {
    let first = begin(one).await?;
    let Some(second) = begin_second(first, one, two).await? else {
        return Ok(Pooler::Transaction);
    };
    end(one).await?;
    end(two).await?;
    for round in 0..2 {
        if begin(one).await? != first || begin(two).await? != second {
            return Ok(Pooler::Transaction);
        }
        if round == 0 {
            end(two).await?;
            end(one).await?;
        }
    }
    Ok(Pooler::Session)
}

/// The process of the second transaction while the first one is open, or nothing if it came to the first one's.
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
    // It was only slow; the first one is where it was when it begins again, or else is not.
    Ok(if begin(one).await? == first { Some(second) } else { None })
}

/// Begins a transaction; the number of the server's process that it is in.
async fn begin(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("BEGIN; SELECT pg_backend_pid()").fetch_one(conn).await?.try_get(0)
}

async fn end(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("ROLLBACK").execute(conn).await.map(drop)
}

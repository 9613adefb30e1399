//! A caller cancelled at any `await` leaves no open transaction, and does not revoke a commit that has begun.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use countersign_db::testing::TempDb;
use countersign_db::{Conn, DatabaseKind, Db, DbError, PoolPolicy, on_db};
use uuid::Uuid;

use crate::migrate::LIBRARY;

/// More pauses than a transaction has on either database.
const PAUSES_MAX: usize = 60;

/// Drops the work at the given pause; `None` if it was dropped.
async fn until_pause<T>(pause: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut pauses = 0;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if pauses == pause => Poll::Ready(None),
        Poll::Pending => {
            pauses += 1;
            Poll::Pending
        }
    })
    .await
}

async fn insert(conn: Conn<'_>, name: &str) -> Result<(), DbError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let id = Uuid::from_u128(COUNT.fetch_add(1, Ordering::Relaxed).into());
    Ok(on_db!(conn, c => {
        sqlx::query("INSERT INTO shelves (id, name) VALUES ($1, $2)")
            .bind(id).bind(name).execute(c).await.map(drop)
    })?)
}

async fn names(db: &Db) -> Vec<String> {
    let mut read = db.read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar("SELECT name FROM shelves ORDER BY name").fetch_all(c).await).unwrap()
}

/// Connects with a single connection, so that the next caller gets the cancelled caller's connection.
async fn narrow(database: &TempDb) -> Db {
    let policy = PoolPolicy::new(1, Duration::from_secs(20));
    Db::connect(&database.url().parse().unwrap(), &policy).await.unwrap()
}

/// Returns the last statements of connections that are left in a transaction.
async fn in_transaction(database: &TempDb) -> Vec<String> {
    match database.db().read().await.unwrap().conn() {
        // A leftover transaction blocks the next writer, which the test tries after each round.
        Conn::Sqlite(_) => Vec::new(),
        // Here a read is itself a transaction, which a separate task ends a little later, together with any leftovers.
        Conn::Postgres(_) if database.url().ends_with("pgbouncer=true") => Vec::new(),
        Conn::Postgres(conn) => sqlx::query_scalar(
            // Idle only: a connection still running its last statement, and the server's own workers, are not
            // leftovers.
            "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'",
        )
        .fetch_all(conn)
        .await
        .unwrap(),
    }
}

#[tokio::test]
async fn whoever_goes_away_at_any_pause_of_a_transaction_leaves_nothing_behind() {
    let database = TempDb::new(&[&LIBRARY]).await;
    let db = narrow(&database).await;
    let mut is_done = false;
    for pause in 0..PAUSES_MAX {
        let name = format!("given up at {pause}");
        let work = async {
            let mut tx = db.write().await?;
            insert(tx.conn(), &name).await?;
            insert(tx.conn(), &name).await?;
            tx.commit().await
        };
        is_done = until_pause(pause, work).await.transpose().unwrap().is_some();
        // Before another transaction begins, which could end this one.
        db.ping().await.unwrap();
        // A closed connection is listed until the server notices; one that went back to the pool would stay listed.
        let begun = Instant::now();
        loop {
            let left = in_transaction(&database).await;
            if left.is_empty() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "after going away at pause {pause}: {left:?}");
        }
        // The next transaction uses the same connection, and its commit is visible to all.
        let mut tx = db.write().await.unwrap();
        insert(tx.conn(), &format!("after {pause}")).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(names(&db).await, names(database.db()).await);
        let kept = names(database.db()).await;
        assert!(kept.contains(&format!("after {pause}")), "{kept:?}");
        let halves = kept.iter().filter(|kept| **kept == name).count();
        assert!(
            halves == if is_done { 2 } else { halves & 2 },
            "{halves} rows of a transaction of two at pause {pause}"
        );
        if is_done {
            break;
        }
    }
    assert!(is_done, "a transaction has more pauses than were tried");
}

#[tokio::test]
async fn a_commit_that_has_begun_takes_place_though_nobody_waits_for_it() {
    let database = TempDb::new(&[&LIBRARY]).await;
    let db = narrow(&database).await;
    let mut tx = db.write().await.unwrap();
    insert(tx.conn(), "committed").await.unwrap();
    assert!(until_pause(0, tx.commit()).await.is_none(), "nobody waits any more");
    // There is one connection, and it becomes free when the commit is done.
    db.write().await.unwrap().roll_back().await.unwrap();
    assert_eq!(names(database.db()).await, ["committed"]);
}

struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn what_a_transaction_keeps_is_let_go_of_after_its_end_and_not_with_its_caller() {
    let database = TempDb::new(&[&LIBRARY]).await;
    let db = narrow(&database).await;
    for commit in [true, false] {
        let gone = Arc::new(AtomicBool::new(false));
        let mut tx = db.write().await.unwrap();
        tx.keep(Flag(Arc::clone(&gone)));
        insert(tx.conn(), "a").await.unwrap();
        if commit {
            assert!(until_pause(0, tx.commit()).await.is_none());
        } else {
            drop(tx);
        }
        assert!(!gone.load(Ordering::SeqCst), "the database has not answered yet");
        db.write().await.unwrap().roll_back().await.unwrap();
        assert!(gone.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn a_read_that_is_given_up_leaves_the_next_one_its_own_answer() {
    let database = TempDb::new(&[&LIBRARY]).await;
    let db = narrow(&database).await;
    let ask = async |number: i64| {
        let mut read = db.read().await?;
        let sum = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
                   SELECT COUNT(*) + $1 FROM n";
        let answer: Result<i64, _> = on_db!(read.conn(), c => sqlx::query_scalar(sum).bind(number).fetch_one(c).await);
        Ok::<i64, DbError>(answer?)
    };
    for pause in 0..PAUSES_MAX {
        let number = i64::try_from(pause).unwrap();
        let is_done = until_pause(pause, ask(number)).await.is_some();
        assert_eq!(ask(-number).await.unwrap(), 20_000 - number);
        if is_done {
            return;
        }
    }
    panic!("a read has more pauses than were tried");
}

#[tokio::test]
async fn writing_is_known_to_fail_until_something_has_been_written() {
    let database = TempDb::new(&[&LIBRARY]).await;
    let policy = PoolPolicy::new(1, Duration::from_secs(2));
    let db = Db::connect(&database.url().parse().unwrap(), &policy).await.unwrap();
    match db.kind() {
        // Another program holds the write lock.
        DatabaseKind::Sqlite => {
            let held = database.db().write().await.unwrap();
            fails_and_heals(&db, || drop(held)).await;
        }
        DatabaseKind::Postgres => {
            let held = db.read().await.unwrap();
            fails_and_heals(&db, || drop(held)).await;
        }
    }
}

async fn fails_and_heals(db: &Db, let_go: impl FnOnce()) {
    assert!(db.writing_fails_for().is_none());
    assert!(matches!(db.write().await, Err(DbError::Unavailable(_))));
    assert!(db.writing_fails_for().is_some());
    assert!(db.check_writable().await.is_err());
    let_go();
    // The other transaction takes a moment to end.
    while db.check_writable().await.is_err() {}
    assert!(db.writing_fails_for().is_none());
}

//! PostgreSQL behind a pooler: the pooler is detected, and no state stays on a connection that another client may get.

use std::time::Duration;

use countersign_db::testing::{LoneServer, PoolMode, database_under_test};
use countersign_db::{DatabaseKind, DatabaseUrl, Db, DbError, PoolPolicy, Pooler, on_db};
use tokio::task::JoinSet;

async fn connect(url: &str) -> Result<Db, DbError> {
    let policy = PoolPolicy::new(5, Duration::from_secs(20));
    Db::connect(&url.parse().unwrap(), &policy).await
}

async fn text(db: &Db, select: &'static str) -> String {
    let mut read = db.read().await.unwrap();
    on_db!(read.conn(), c => sqlx::query_scalar(select).fetch_one(c).await).unwrap()
}

#[tokio::test]
async fn a_pooler_in_transaction_mode_is_recognised_in_whatever_order_it_hands_out_its_connections() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no poolers
    }
    for settings in ["", "server_round_robin = 1\n", "default_pool_size = 1\n"] {
        let server = LoneServer::behind_pooler(PoolMode::Transaction, settings);
        let refused = connect(&server.url()).await;
        assert!(matches!(refused, Err(DbError::TransactionPooler)), "{settings}: {refused:?}");
        let told: DatabaseUrl = server.url().parse().unwrap();
        let told = told.behind(Pooler::Transaction).unwrap();
        Db::connect(&told, &PoolPolicy::default()).await.unwrap().ping().await.unwrap();
        connect(&format!("{}?pgbouncer=true", server.url())).await.unwrap().ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_pooler_in_session_mode_needs_no_word_about_it() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no poolers
    }
    let server = LoneServer::behind_pooler(PoolMode::Session, "");
    let db = connect(&server.url()).await.unwrap();
    assert_eq!(text(&db, "SHOW statement_timeout").await, "30s");
}

#[tokio::test]
async fn statements_of_many_on_few_connections_are_not_mixed_up_and_nothing_stays_behind() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no poolers
    }
    let server = LoneServer::behind_pooler(PoolMode::Transaction, "default_pool_size = 2\n");
    server.execute("CREATE TABLE sums (a BIGINT, b BIGINT, c BIGINT)").await;
    let url = format!("{}?pgbouncer=true", server.url());
    let mut clients = JoinSet::new();
    for number in 0_i64..4 {
        let db = connect(&url).await.unwrap();
        clients.spawn(async move {
            for round in 0..25 {
                let mut read = db.read().await.unwrap();
                let sum: i64 = on_db!(read.conn(), c => {
                    sqlx::query_scalar("SELECT CAST($1 AS BIGINT) + CAST($2 AS BIGINT)").bind(number).bind(round).fetch_one(c).await
                })
                .unwrap();
                assert_eq!(sum, number + round);
                drop(read);
                let mut tx = db.write().await.unwrap();
                let written: i64 = on_db!(tx.conn(), c => {
                    sqlx::query_scalar("INSERT INTO sums (a, b, c) VALUES ($1, $2, $3) RETURNING c")
                        .bind(number).bind(round).bind(sum).fetch_one(c).await
                })
                .unwrap();
                assert_eq!(written, sum);
                tx.commit().await.unwrap();
            }
            db.close().await;
        });
    }
    clients.join_all().await;

    let db = connect(&url).await.unwrap();
    assert_eq!(text(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM sums").await, "100");
    assert_eq!(text(&db, "SELECT CAST(COUNT(*) AS TEXT) FROM pg_prepared_statements WHERE name <> ''").await, "0");
    assert_eq!(text(&db, "SHOW statement_timeout").await, "30s");
    db.close().await; // another client's transactions may hide the pooler
    let mut outside: DatabaseUrl = url.parse().unwrap();
    outside = outside.behind(Pooler::Session).unwrap();
    let refused = Db::connect(&outside, &PoolPolicy::default()).await;
    assert!(matches!(refused, Err(DbError::TransactionPooler)), "{refused:?}");
}

#[tokio::test]
async fn whoever_gives_up_reading_leaves_the_server_s_only_connection_to_others() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no poolers
    }
    let server = LoneServer::behind_pooler(PoolMode::Transaction, "default_pool_size = 1\n");
    let url = format!("{}?pgbouncer=true", server.url());
    let (db, other) = (connect(&url).await.unwrap(), connect(&url).await.unwrap());
    for patience in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(50)] {
        let asking = async {
            let mut read = db.read().await.unwrap();
            on_db!(read.conn(), c => sqlx::query("SELECT pg_sleep(0.2)").execute(c).await.map(drop)).unwrap();
        };
        assert!(tokio::time::timeout(patience, asking).await.is_err());
        assert_eq!(text(&other, "SELECT 'free'").await, "free");
    }
    // That connection is read-only.
    let mut read = db.read().await.unwrap();
    let written = on_db!(read.conn(), c => sqlx::query("CREATE TABLE t (x BIGINT)").execute(c).await.map(drop));
    assert!(written.unwrap_err().to_string().contains("read-only transaction"));
}

//! PostgreSQL outages that a pool survives: a server whose machine is gone, and a server that becomes read-only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use countersign_db::testing::{TempDb, database_under_test};
use countersign_db::{DatabaseKind, Db, DbError, PoolPolicy, on_db};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A TCP address for the PostgreSQL of the tests. Its connections can fall silent, as if the server's machine had lost
/// power: no data, and no close. Ends with the test.
struct Forwarder {
    url: String,
    /// The number of connections that are silent, counted from the first.
    silent: Arc<AtomicU32>,
    _connections: JoinSet<()>,
}

impl Forwarder {
    async fn new(database: &TempDb) -> Self {
        let (folder, name) = database.server_url().rsplit_once('/').unwrap();
        let socket = folder.rsplit_once('@').unwrap().1.replace("%2F", "/") + "/.s.PGSQL.5432";
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://postgres@{}/{name}", listener.local_addr().unwrap());
        let silent = Arc::new(AtomicU32::new(0));
        let mut connections = JoinSet::new();
        connections.spawn(forward_all(listener, socket, Arc::clone(&silent)));
        Self { url, silent, _connections: connections }
    }
}

async fn forward_all(listener: TcpListener, socket: String, silent: Arc<AtomicU32>) {
    let mut open = JoinSet::new();
    for number in 0.. {
        let (client, _) = listener.accept().await.unwrap();
        let server = UnixStream::connect(&socket).await.unwrap();
        let silent = Arc::clone(&silent);
        open.spawn(async move { forward(client, server, || number < silent.load(Ordering::Relaxed)).await });
    }
}

async fn forward(mut client: TcpStream, mut server: UnixStream, is_silent: impl Fn() -> bool) {
    let (mut asked, mut answered) = ([0; 4096], [0; 4096]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => match length {
                Ok(length) if length > 0 && !is_silent() => server.write_all(&asked[..length]).await.unwrap(),
                Ok(length) if length > 0 => {}
                _ => return,
            },
            length = server.read(&mut answered) => match length {
                Ok(length) if length > 0 => client.write_all(&answered[..length]).await.unwrap(),
                _ => return,
            },
        }
    }
}

/// Connects with a single connection, so that a hanging one blocks the pool.
async fn connect(url: &str, wait_max: Duration) -> Result<Db, DbError> {
    Db::connect(&url.parse().unwrap(), &PoolPolicy::new(1, wait_max)).await
}

async fn one(db: &Db) -> Result<i32, DbError> {
    let mut read = db.read().await?;
    Ok(on_db!(read.conn(), c => sqlx::query_scalar("SELECT 1").fetch_one(c).await)?)
}

#[tokio::test]
async fn a_server_that_falls_silent_does_not_keep_the_place_of_its_connection() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no connections that fall silent
    }
    let database = TempDb::new(&[]).await;
    let forwarder = Forwarder::new(&database).await;
    let db = connect(&forwarder.url, Duration::from_secs(2)).await.unwrap();
    assert_eq!(one(&db).await.unwrap(), 1);
    // The first two connections were for pooler detection, the third is the pool's.
    forwarder.silent.store(3, Ordering::Relaxed);
    assert!(timeout(Duration::from_millis(100), one(&db)).await.is_err(), "the server should be silent");
    // A caller that waits for the hanging connection may time out first; the next caller gets a new one.
    let (first, second) = (one(&db).await, one(&db).await);
    assert!(first.is_ok() || matches!(first, Err(DbError::Unavailable(_))), "{first:?}");
    assert_eq!(second.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_takes_no_writes_is_not_connected_to() {
    if database_under_test() == DatabaseKind::Sqlite {
        return; // SQLite has no servers
    }
    let database = TempDb::new(&[]).await;
    let mut tx = database.db().write().await.unwrap();
    on_db!(tx.conn(), c => {
        sqlx::query("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$")
            .execute(c).await.map(drop)
    })
    .unwrap();
    tx.commit().await.unwrap();
    let refused = connect(database.server_url(), Duration::from_millis(500)).await;
    assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
}

/// From the PostgreSQL documentation, "Message Formats".
const SSL_REQUEST_BYTES: usize = 8;

#[tokio::test]
async fn an_address_that_hangs_up_before_the_server_has_answered_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://{}/countersign", listener.local_addr().unwrap());
    let hang_up = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Reads the whole request; otherwise the connection would be reset, which the driver reports differently.
            stream.read_exact(&mut [0; SSL_REQUEST_BYTES]).await.unwrap();
        }
    };
    let refused = tokio::select! {
        refused = connect(&url, Duration::from_millis(500)) => refused,
        () = hang_up => unreachable!("it hangs up for ever"),
    };
    assert!(matches!(refused, Err(DbError::Unavailable(_))), "{refused:?}");
}

//! A temporarily full disk, simulated by a limit on the size of the process's files.

use std::process::Command;

use countersign_db::testing::TempDb;
use countersign_db::{DatabaseKind, Db, PoolPolicy};

use crate::MIGRATIONS;
use crate::sandbox::{Sandbox, Server, eventually};

/// File size limit in bytes: longer than the log by then, shorter than a registration's writes.
const FULL: &str = "16384";

fn limit_files(server: &Server, length: &str) {
    let bound = format!("--fsize={length}:unlimited");
    let set = Command::new("prlimit").args(["--pid", &server.id().to_string(), &bound]).status().unwrap();
    assert!(set.success(), "prlimit is in util-linux");
}

#[tokio::test]
async fn while_the_disk_is_full_reads_go_on_and_writes_heal_without_a_restart() {
    let database = TempDb::of_kind(DatabaseKind::Sqlite, &[&MIGRATIONS]).await;
    database.db().close().await;
    let sandbox = Sandbox::with_database(database.url());
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");

    for round in 0..3 {
        limit_files(&server, FULL);
        let refused = server.register(&format!("eve{round}"));
        refused.problem(503, "database_unavailable");
        assert_eq!(refused.header("retry-after"), Some("1"));
        server.log_in("ada").problem(503, "database_unavailable");
        // Reads still work, and `/health` reports that writes do not.
        assert_eq!(server.me(&token).ok(200)["username"], "ada");
        server.get("/login").ok(200);
        let unhealthy = server.get("/health").problem(503, "database_unavailable");
        assert_eq!(unhealthy["detail"], "The database cannot be written", "{unhealthy}");

        limit_files(&server, "unlimited");
        server.register(&format!("grace{round}")).ok(201);
        server.token("ada");
        assert_eq!(server.get("/health").ok(200)["status"], "healthy");
    }
    // The database's own error message.
    assert!(server.stderr().contains("disk I/O error"), "{}", server.stderr());
    drop(server);
    let db = Db::connect(&database.url().parse().unwrap(), &PoolPolicy::default()).await.unwrap();
    db.check_whole().await.unwrap();
}

#[tokio::test]
async fn a_writer_that_somebody_else_keeps_out_is_told_by_health_until_it_writes_again() {
    let database = TempDb::of_kind(DatabaseKind::Sqlite, &[&MIGRATIONS]).await;
    let sandbox = Sandbox::with_database(database.url());
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");

    let held = database.db().write().await.unwrap();
    server.register("eve").problem(503, "database_unavailable");
    server.get("/health").problem(503, "database_unavailable");
    assert_eq!(server.me(&token).ok(200)["username"], "ada");
    held.roll_back().await.unwrap();

    // Only the health check writes.
    eventually("it is healthy again", || (server.get("/health").status == 200).then_some(()));
    server.register("eve").ok(201);
}

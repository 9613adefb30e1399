use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::client::{Answer, Connection, FORM};
use crate::sandbox::{Sandbox, Server, eventually};
use crate::{KEY, current_database};

const TOKEN: &str = "metrics-0123456789abcdef0123456789abcdef";

/// Values by name and sorted labels.
type Samples = BTreeMap<String, f64>;

/// Parses all samples, by name and labels as written.
fn samples(text: &str) -> Samples {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let samples: Vec<(String, f64)> = lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
        })
        .collect();
    let count = samples.len();
    let samples: Samples = samples.into_iter().collect();
    assert_eq!(samples.len(), count, "a figure is told twice");
    samples
}

/// Reads the metrics of a server that requires [`TOKEN`].
fn read(server: &Server) -> Samples {
    samples(&asked(server, TOKEN).text())
}

fn asked(server: &Server, token: &str) -> Answer {
    server.request("GET", "/metrics", &[("Authorization", &format!("Bearer {token}"))], "")
}

#[track_caller]
fn assert_figure(samples: &Samples, name: &str, value: f64) {
    let found = samples.get(name).copied().unwrap_or_else(|| panic!("{name} is missing: {samples:#?}"));
    assert!((found - value).abs() < 1e-9, "{name} is {found} and not {value}");
}

/// The metrics address from the server's log.
pub(crate) fn metrics_address(server: &Server) -> SocketAddr {
    eventually("the metrics are served", || {
        let log = server.process.stderr();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let line = lines.find(|line| line["message"] == "metrics are served")?;
        line["address"].as_str()?.parse().ok()
    })
}

#[tokio::test]
async fn metrics_are_nowhere_unless_they_are_asked_for() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let server = sandbox.start("serve");
    let (metrics, nothing) = (asked(&server, TOKEN), server.get("/nothing"));
    assert_eq!((metrics.status, metrics.text()), (404, nothing.text()));
}

#[tokio::test]
async fn metrics_of_the_site_are_shown_to_holders_of_the_token_and_are_not_there_for_others() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_TOKEN", TOKEN);
    let server = sandbox.start("serve");
    let shown = asked(&server, TOKEN);
    assert_eq!(shown.status, 200);
    assert_eq!(shown.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    let nothing = server.get("/nothing");
    for authorization in [
        "",
        "Bearer",
        "Bearer ",
        "Basic metrics",
        &format!("Bearer {TOKEN}x"),
        &format!("Bearer {}", &TOKEN[1..]),
        TOKEN,
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = server.request(method, "/metrics", &[("Authorization", authorization)], "");
            assert_eq!((answer.status, answer.text()), (404, nothing.text()), "{method} {authorization}");
            assert_eq!(answer.header("allow"), None);
        }
    }
    let twice = [("Authorization", "Bearer x"), ("Authorization", &format!("Bearer {TOKEN}"))];
    assert_eq!(server.request("GET", "/metrics", &twice, "").status, 404);
    let token = format!("Bearer {TOKEN}");
    assert_eq!(server.request("POST", "/metrics", &[("Authorization", &token)], "").status, 404);
    assert!(!server.process.stderr().contains(TOKEN));
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own_on_which_the_site_is_not() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_LISTEN", "127.0.0.1:0");
    let mut server = sandbox.start("serve");
    let address = metrics_address(&server);
    let mut connection = Connection::open(address);
    for _ in 0..2 {
        connection.request("GET", "/metrics", &[], "");
        let answer = connection.answer();
        assert_eq!(answer.status, 200);
        assert_figure(&samples(&answer.text()), "countersign_database_up", 1.0);
    }
    for path in ["/", "/api/users/me", "/health"] {
        connection.request("GET", path, &[], "");
        assert_eq!(connection.answer().status, 404, "{path}");
    }
    assert_eq!(server.get("/metrics").status, 404);
    // A scraper that stays connected does not delay the shutdown.
    server.signal("TERM");
    server.process.wait().with(0);
    connection.is_ended();
}

#[tokio::test]
async fn metrics_whose_address_is_taken_end_the_start_with_the_settings_name() {
    let database = current_database().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_LISTEN", address);
    let stderr = sandbox.run(&["serve"]).with(1).stderr;
    assert!(stderr.contains(&format!("cannot listen on {address}")) && stderr.contains("METRICS_LISTEN"), "{stderr}");
}

#[tokio::test]
async fn what_happens_is_counted_by_how_it_ended() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_TOKEN", TOKEN).set("RATE_LIMIT_LOGIN", "3/1h");
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    server.register("ada").problem(400, "username_taken");
    let tokens = server.log_in("ada").ok(200);
    let access = tokens["access_token"].as_str().unwrap();
    for _ in 0..3 {
        server.me(access).ok(200);
    }
    let wrong =
        |server: &Server| server.request("POST", "/api/users/token", &[FORM], "username=nobody&password=x").status;
    assert_eq!([0; 4].map(|_| wrong(&server)), [401, 401, 401, 429]);
    let refresh = format!("grant_type=refresh_token&refresh_token={}", tokens["refresh_token"].as_str().unwrap());
    for _ in 0..2 {
        server.request("POST", "/api/users/token", &[FORM], &refresh).ok(200);
    }
    server.get("/nothing-here");

    let told = read(&server);
    for (name, value) in [
        (r#"countersign_http_requests_total{method="POST",route="/api/users",status="201"}"#, 1.0),
        (r#"countersign_http_requests_total{method="POST",route="/api/users",status="400"}"#, 1.0),
        (r#"countersign_http_requests_total{method="GET",route="/api/users/me",status="200"}"#, 3.0),
        (r#"countersign_http_requests_total{method="POST",route="/api/users/token",status="401"}"#, 3.0),
        (r#"countersign_http_requests_total{method="POST",route="/api/users/token",status="429"}"#, 1.0),
        (r#"countersign_http_requests_total{method="GET",route="none",status="404"}"#, 1.0),
        (r#"countersign_http_request_duration_seconds_count{route="/api/users/me"}"#, 3.0),
        (r#"countersign_http_request_duration_seconds_bucket{le="+Inf",route="/api/users/me"}"#, 3.0),
        (r#"countersign_registrations_total{outcome="registered"}"#, 1.0),
        (r#"countersign_registrations_total{outcome="username_taken"}"#, 1.0),
        (r#"countersign_logins_total{outcome="succeeded"}"#, 1.0),
        (r#"countersign_logins_total{outcome="wrong_credentials"}"#, 3.0),
        (r#"countersign_logins_total{outcome="limited"}"#, 1.0),
        (r#"countersign_limit_refusals_total{limit="login"}"#, 1.0),
        (r#"countersign_refreshes_total{outcome="exchanged"}"#, 1.0),
        (r#"countersign_refreshes_total{outcome="repeated"}"#, 1.0),
        (r#"countersign_session_lookups_total{cache="miss"}"#, 1.0),
        (r#"countersign_session_lookups_total{cache="hit"}"#, 2.0),
        ("countersign_sessions_cached", 1.0),
        ("countersign_hashing_duration_seconds_count", 6.0),
        ("countersign_hashing_queued", 0.0),
        // The scrape itself.
        ("countersign_http_requests_under_way", 1.0),
        ("countersign_database_up", 1.0),
        ("countersign_http_connections_max", 2000.0),
    ] {
        assert_figure(&told, name, value);
    }
    assert!(told["process_resident_memory_bytes"] > 1e6 && told["process_open_fds"] > 3.0, "{told:#?}");
    assert!(told["process_start_time_seconds"] > 1.7e9 && told["process_cpu_seconds_total"] > 0.0, "{told:#?}");
    assert!(told["countersign_http_connections_accepted_total"] >= 10.0, "{told:#?}");
}

#[tokio::test]
async fn jobs_are_told_by_kind_and_how_long_they_wait() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url())
        .set("METRICS_TOKEN", TOKEN)
        .set("MAIL_SERVER", "127.0.0.1")
        .set("MAIL_PORT", 1)
        .set("MAIL_USE_TLS", false);
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let told = eventually("a mail has failed", || {
        let told = read(&server);
        (told[r#"countersign_jobs_retried_total{kind="send_token"}"#] >= 1.0).then_some(told)
    });
    assert!(told[r#"countersign_jobs{state="later"}"#] >= 1.0, "{told:#?}");
    assert_figure(&told, r#"countersign_jobs_failed_total{kind="send_token"}"#, 0.0);
    eventually("the periodic work is done", || {
        let told = read(&server);
        (told[r#"countersign_jobs_done_total{kind="sweep"}"#] >= 1.0).then_some(())
    });
    assert!(told["countersign_jobs_oldest_due_seconds"] < 60.0, "{told:#?}");
}

#[tokio::test]
async fn nothing_that_a_client_sends_becomes_a_figure_of_its_own() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_TOKEN", TOKEN);
    let server = sandbox.start("serve");
    let strange = |n: usize| {
        for (method, path) in [
            (format!("ZEBRA{n}"), format!("/zebra/{n}")),
            ("GET".to_owned(), format!("/zebra-{n}?zebra={n}")),
            (format!("ZEBRA{n}"), "/api/users/me".to_owned()),
            ("GET".to_owned(), format!("/api/users/zebra-{n}")),
            ("DELETE".to_owned(), format!("/static/profile_pics/zebra{n}.jpg")),
        ] {
            server.request(&method, &path, &[("User-Agent", "zebra"), ("X-Request-Id", "zebra")], "");
        }
        let form = format!("username=zebra{n}%40example.com&password=zebra&grant_type=zebra{n}");
        server.request("POST", "/api/users/token", &[FORM, ("Referer", "http://zebra")], &form);
        let body = json!({ "username": format!("zebra{n}"), "email": "zebra", "password": "zebra" });
        server.post("/api/users", &body);
    };
    strange(0);
    // A scrape is a request, too: the second one shows the series of the first.
    read(&server);
    let before: BTreeSet<String> = read(&server).into_keys().collect();
    for n in 1..25 {
        strange(n);
    }
    let text = asked(&server, TOKEN).text();
    let after: BTreeSet<String> = samples(&text).into_keys().collect();
    assert_eq!(after.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
    for secret in ["zebra", "ZEBRA", KEY, TOKEN] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.contains(r#"method="other",route="none""#), "{text}");
}

#[tokio::test]
async fn metrics_are_told_when_the_database_is_gone() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("METRICS_LISTEN", "127.0.0.1:0");
    let server = sandbox.start("serve");
    let address = metrics_address(&server);
    let told = || {
        let mut connection = Connection::open(address);
        connection.request("GET", "/metrics", &[], "");
        samples(&connection.answer().text())
    };
    assert_figure(&told(), "countersign_database_up", 1.0);
    // Renaming a table makes its statements fail.
    rename_jobs(&database, "auth_jobs", "auth_jobs_elsewhere").await;
    let gone = told();
    assert_figure(&gone, "countersign_database_up", 0.0);
    assert!(!gone.contains_key(r#"countersign_jobs{state="due"}"#), "{gone:#?}");
    rename_jobs(&database, "auth_jobs_elsewhere", "auth_jobs").await;
    assert_figure(&told(), "countersign_database_up", 1.0);
}

async fn rename_jobs(database: &countersign_db::testing::TempDb, from: &str, to: &str) {
    let sql = sqlx::AssertSqlSafe(format!("ALTER TABLE {from} RENAME TO {to}"));
    let mut tx = database.db().write().await.unwrap();
    countersign_db::on_db!(tx.conn(), c => sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn dev_serves_metrics_to_this_machine_only() {
    let sandbox = Sandbox::new().served_cheaply().set("METRICS_LISTEN", "0.0.0.0:0");
    let stderr = sandbox.run(&["dev"]).with(1).stderr;
    assert!(stderr.contains("METRICS_LISTEN") && stderr.contains("this machine only"), "{stderr}");
}

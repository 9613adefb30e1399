use std::collections::BTreeSet;

use axum::http::{HeaderMap, Request};
use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign::testing::TestApp;
use countersign_server::{
    Draining, Host, HostError, HttpSettings, NoCommands, NoSettings, OpenApiRouter, assemble, openapi,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::{Answer, Connection, FORM, login_form};
use crate::sandbox::{PATIENCE, Sandbox, Server, eventually};
use crate::{current_database, later_migrations};

/// One request of every kind: expected status, method, path, content type and body.
const SORTS: [(u16, &str, &str, &str, &str); 19] = [
    (200, "GET", "/health", "", ""),
    (200, "GET", "/ready", "", ""),
    (200, "GET", "/docs", "", ""),
    (200, "GET", "/openapi.json", "", ""),
    (200, "GET", "/problems", "", ""),
    (200, "GET", "/static/profile_pics/default.jpg", "", ""),
    (307, "GET", "/", "", ""),
    (307, "GET", "/redoc", "", ""),
    (401, "GET", "/api/users/me", "", ""),
    (401, "POST", "/api/users/token", FORM.1, "username=nobody%40example.com&password=correct-horse"),
    (404, "GET", "/api/users/01890a5d-ac96-774b-bcce-b302099a8057", "", ""),
    (404, "GET", "/api/nothing/here", "", ""),
    (404, "GET", "/nothing/here", "", ""),
    (405, "PUT", "/api/users", "", ""),
    (405, "PUT", "/docs", "", ""),
    (415, "POST", "/api/users", "text/plain", "{}"),
    (422, "POST", "/api/users", "application/json", "{"),
    (422, "GET", "/api/users/unreadable", "", ""),
    (422, "POST", "/api/users/token", "application/json", "{}"),
];

async fn server() -> (Server, impl Sized) {
    server_with(&[]).await
}

async fn server_with(settings: &[(&str, &str)]) -> (Server, impl Sized + use<>) {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let sandbox = settings.iter().fold(sandbox, |sandbox, (name, value)| sandbox.set(name, value));
    (sandbox.start("serve"), (database, sandbox))
}

/// The URL of a site behind a proxy that terminates TLS.
const ENCRYPTED: (&str, &str) = ("FRONTEND_URL", "https://accounts.example.org");

/// Responses of every kind to requests with this host name.
fn answers(server: &Server, host: &str) -> Vec<(String, Answer)> {
    let answer = |(status, method, path, content_type, body): (u16, &str, &str, &str, &str)| {
        let mut headers = vec![("Host", host)];
        if !content_type.is_empty() {
            headers.push(("Content-Type", content_type));
        }
        let answer = server.request(method, path, &headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        (format!("{method} {path}"), answer)
    };
    SORTS.into_iter().map(answer).collect()
}

#[tokio::test]
async fn every_answer_has_the_headers_that_keep_a_browser_in_check() {
    let (server, _keep) = server().await;
    for (request, answer) in answers(&server, "localhost") {
        assert!(matches!(answer.header("x-frame-options"), Some("DENY" | "SAMEORIGIN")), "{request}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{request}");
        assert_eq!(answer.header("referrer-policy"), Some("strict-origin-when-cross-origin"), "{request}");
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{request}"));
        assert!(policy.starts_with("default-src 'none'"), "{request}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{request}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{request}: {policy}");
        // Pictures are public and may be embedded by other sites.
        let is_picture = answer.header("content-type").is_some_and(|kind| kind.starts_with("image/"));
        let readers = if is_picture { "cross-origin" } else { "same-origin" };
        assert_eq!(answer.header("cross-origin-resource-policy"), Some(readers), "{request}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{request}");
        let devices = answer.header("permissions-policy").unwrap_or_else(|| panic!("{request}"));
        assert!(devices.contains("camera=()") && !devices.contains('*') && !devices.contains("self"), "{request}");
        // Scripts of other origins may not read anything.
        assert_eq!(answer.header("access-control-allow-origin"), None, "{request}");
    }
}

#[tokio::test]
async fn browsers_are_told_to_insist_on_encryption_except_on_this_machine() {
    let (server, _keep) = server_with(&[ENCRYPTED]).await;
    for (request, answer) in answers(&server, "accounts.example.org") {
        assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"), "{request}");
    }
    for host in ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "127.0.0.11"] {
        for (request, answer) in answers(&server, host) {
            assert_eq!(answer.header("strict-transport-security"), None, "{request} at {host}");
        }
    }
    for host in ["localhost.example.org", "127.0.0.1.example.org", "128.0.0.1"] {
        assert!(server.request("GET", "/health", &[("Host", host)], "").header("strict-transport-security").is_some());
    }
}

#[tokio::test]
async fn for_how_long_browsers_insist_on_encryption_is_a_setting_and_over_plain_http_nothing_is_said() {
    for (settings, expected) in [
        (&[ENCRYPTED, ("HSTS_DAYS", "off")][..], None),
        (&[ENCRYPTED, ("HSTS_DAYS", "0")], Some("max-age=0")),
        (&[ENCRYPTED, ("HSTS_DAYS", "730"), ("HSTS_SUBDOMAINS", "on")], Some("max-age=63072000; includeSubDomains")),
        (&[("FRONTEND_URL", "http://accounts.example.org"), ("HSTS_DAYS", "730")], None),
        (&[("FRONTEND_URL", "https://localhost:8443"), ("HSTS_DAYS", "730")], None),
    ] {
        let (server, _keep) = server_with(settings).await;
        for host in ["accounts.example.org", "other.example.org"] {
            let answer = server.request("GET", "/api/users/me", &[("Host", host)], "");
            assert_eq!(answer.header("strict-transport-security"), expected, "{settings:?} at {host}");
            // Browsers would warn about it over plain HTTP.
            let opener = settings[0].1.starts_with("https").then_some("same-origin");
            assert_eq!(answer.header("cross-origin-opener-policy"), opener, "{settings:?} at {host}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own_and_never_the_clients() {
    let (server, _keep) = server().await;
    let mut ids = BTreeSet::new();
    let mut connection = Connection::open(server.address);
    for n in 0..20 {
        connection.request("GET", "/health", &[("X-Request-Id", "chosen-by-the-client")], "");
        let answer = connection.answer();
        assert!(ids.insert(answer.request_id().to_owned()), "{n}: an id came twice");
    }
    for (request, answer) in answers(&server, "localhost") {
        assert!(ids.insert(answer.request_id().to_owned()), "{request}: an id came twice");
    }
    for id in ids {
        let groups: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{id}");
    }
}

#[tokio::test]
async fn what_is_about_one_person_is_stored_by_no_cache() {
    let (server, _keep) = server().await;
    let registered = server.register("ada");
    registered.ok(201);
    let logged_in = server.log_in("ada");
    let token = logged_in.ok(200)["access_token"].as_str().unwrap().to_owned();
    for answer in [&registered, &logged_in, &server.me(&token), &server.me("no-token"), &server.get("/api/nothing")] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", answer.text());
    }
}

#[tokio::test]
async fn health_and_readiness_are_told_in_one_word() {
    let (server, _keep) = server().await;
    let checks =
        ["serving", "database", "schema", "database_write"].map(|name| json!({ "name": name, "status": "ok" }));
    for (path, body) in
        [("/health", json!({ "status": "healthy" })), ("/ready", json!({ "status": "ready", "checks": checks }))]
    {
        let answer = server.get(path);
        assert_eq!(answer.ok(200), body);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let mut connection = Connection::open(server.address);
        connection.request("HEAD", path, &[("Connection", "close")], "");
        assert_eq!(connection.head().status, 200);
        connection.is_ended();
        assert_eq!(
            server.request("POST", path, &[], "").problem(405, "method_not_allowed")["detail"],
            "Method Not Allowed"
        );
    }
}

#[tokio::test]
async fn an_instance_whose_database_was_migrated_by_a_newer_one_is_alive_but_not_ready() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url());
    let server = sandbox.start("serve");
    server.get("/ready").ok(200);
    database.db().migrate(&[&later_migrations()]).await.unwrap();
    // The previous result is cached for a second.
    let answer = eventually("/ready says that it is not", || Some(server.get("/ready")).filter(|it| it.status == 503));
    let problem = answer.problem(503, "not_ready");
    assert!(problem["detail"].as_str().unwrap().contains("newer countersign"), "{problem}");
    let failed = json!({ "name": "schema", "status": "failed", "reason": problem["detail"] });
    assert_eq!((&problem["checks"][1]["status"], &problem["checks"][2]), (&json!("ok"), &failed));
    assert_eq!(problem["checks"].as_array().unwrap().len(), 3, "{problem}");
    server.get("/health").ok(200);
    server.register("ada").ok(201);
}

pub(crate) struct Bare;

impl Host for Bare {
    const NAME: &'static str = "bare";
    const ABOUT: &'static str = "Accounts and nothing else";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    type Settings = NoSettings;
    type State = Accounts;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
        Ok(accounts)
    }

    fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
        countersign::http::routes(http)
    }
}

#[tokio::test]
async fn an_instance_that_is_stopping_is_alive_but_not_ready() {
    let draining = Draining::default();
    let mut http = HttpSettings::default();
    http.draining = draining.clone();
    let app =
        TestApp::host(&[], |accounts| (assemble::<Bare>(accounts, &NoSettings {}, &http), openapi::<Bare>())).await;
    let somebody = app.anonymous();
    somebody.get("/ready").await.ok(200);
    draining.begin();
    let problem = somebody.get("/ready").await.problem(503, "not_ready");
    assert_eq!(problem["detail"], "The instance is stopping");
    let failed = json!({ "name": "serving", "status": "failed", "reason": "The instance is stopping" });
    assert_eq!(problem["checks"], json!([failed]));
    somebody.get("/health").await.ok(200);
}

#[tokio::test]
async fn one_look_at_the_database_is_told_to_everybody_who_asks_within_a_second() {
    let http = HttpSettings::default();
    let app =
        TestApp::host(&[], |accounts| (assemble::<Bare>(accounts, &NoSettings {}, &http), openapi::<Bare>())).await;
    let all_connections = async || {
        let mut held = Vec::new();
        for _ in 0..app.db().pool_states()[0].connections_max {
            held.push(app.db().read().await.unwrap());
        }
        held
    };
    let mut asking = JoinSet::new();
    // Of all concurrent requests only one waits for the database; again after that second.
    for _ in 0..2 {
        let held = all_connections().await;
        for _ in 0..20 {
            let somebody = app.anonymous();
            asking.spawn(async move { somebody.get("/ready").await.ok(200) });
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(asking.try_join_next().is_none());
        assert_eq!(app.db().pool_states()[0].waiting, 1);
        drop(held);
        while let Some(answered) = asking.join_next().await {
            answered.unwrap();
        }
        // A cached result needs no wait.
        let held = all_connections().await;
        app.clock.advance(SignedDuration::from_millis(999));
        app.anonymous().get("/ready").await.ok(200);
        drop(held);
        app.clock.advance(SignedDuration::from_millis(1));
    }
    // Failures are cached for the same time.
    app.db().migrate(&[&later_migrations()]).await.unwrap();
    let found = app.anonymous().get("/ready").await.problem(503, "not_ready");
    let _held = all_connections().await;
    assert_eq!(app.anonymous().get("/ready").await.problem(503, "not_ready"), found);
}

#[tokio::test]
async fn an_unknown_path_is_json_under_api_and_a_page_elsewhere() {
    let (server, _keep) = server().await;
    for path in ["/api", "/api/", "/api/nothing", "/api/users/me/", "/api/%ff", "/api/users?page=%00"] {
        let answer = server.get(path);
        if path.starts_with("/api/users?") {
            answer.problem(405, "method_not_allowed");
        } else {
            assert_eq!(answer.problem(404, "not_found")["detail"], "Not Found", "{path}");
        }
    }
    for path in ["/nothing", "/apiary", "/health/", "/static/../Cargo.toml", "/%ff", "/docs/%3Cscript%3E"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert!(answer.text().contains("An error occurred. Please check your request and try again."), "{path}");
        assert!(!answer.text().contains("<script>"), "{path}");
    }
}

#[tokio::test]
async fn a_wrong_method_names_the_right_ones() {
    let (server, _keep) = server().await;
    let answer = server.request("DELETE", "/api/users", &[], "");
    assert_eq!(answer.problem(405, "method_not_allowed")["detail"], "Method Not Allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = server.get("/api/users/token");
    assert_eq!(answer.problem(405, "method_not_allowed")["error"], "invalid_request");
    let page = server.request("POST", "/docs", &[], "");
    assert_eq!((page.status, page.header("content-type")), (405, Some("text/html; charset=utf-8")));
    assert_eq!(page.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("BODY_BYTES_MAX", 4096);
    let server = sandbox.start("serve");
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": "x".repeat(4096) });
    server.post("/api/users", &body).problem(413, "payload_too_large");
    server.register("ada").ok(201);
}

#[tokio::test]
async fn http_2_is_answered_like_http_1() {
    let (server, _keep) = server_with(&[ENCRYPTED]).await;
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    // Several requests on one connection, the later ones sent before the first response.
    let exchanges = async {
        tokio::join!(
            over_http2(client.clone(), "http://localhost/health"),
            over_http2(client.clone(), "http://accounts.example.org/api/users/me"),
            over_http2(client, "http://localhost/nothing"),
        )
    };
    let (healthy, refused, missing) = tokio::select! {
        answers = tokio::time::timeout(PATIENCE, exchanges) => answers.unwrap(),
        end = connection => panic!("the server ended the connection: {end:?}"),
    };

    assert_eq!((healthy.0, &healthy.2), (200, &json!({ "status": "healthy" })));
    assert!(!healthy.1.contains_key("strict-transport-security"));
    assert_eq!((refused.0, &refused.2["code"]), (401, &json!("not_authenticated")));
    assert_eq!(refused.1["strict-transport-security"], "max-age=31536000");
    assert_eq!((missing.0, &missing.1["content-type"]), (404, &"text/html; charset=utf-8".parse().unwrap()));
    let ids = [&healthy, &refused, &missing].map(|(_, headers, _)| headers["x-request-id"].clone());
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    for (_, headers, _) in [healthy, refused, missing] {
        assert_eq!(
            (&headers["x-content-type-options"], &headers["x-frame-options"]),
            (&"nosniff".parse().unwrap(), &"DENY".parse().unwrap())
        );
        assert!(headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    }
}

#[tokio::test]
async fn the_host_that_http_2_has_in_the_address_counts_like_that_of_a_header() {
    let (server, _keep) = server().await;
    server.register("ada").ok(201);
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let credentials = json!({ "username": "ada@example.com", "password": crate::PASSWORD }).to_string();
    let login = async |host: &str, headers: &[(&str, &str)]| {
        let request =
            Request::post(format!("http://{host}/api/users/login")).header("content-type", "application/json");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        exchange(client.clone(), request.body(()).unwrap(), &credentials).await
    };
    let exchanges = async {
        // Under any host name, that host's origin is the site's own.
        for (host, origin) in [("localhost:9000", "http://localhost:9000"), ("nas:8000", "http://nas:8000")] {
            let (status, headers, _) = login(host, &[("origin", origin)]).await;
            assert_eq!(status, 204, "{host}");
            let cookies: Vec<&str> = headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
            // The cookies match the host.
            let is_local = host.starts_with("localhost");
            assert_eq!(cookies.len(), 2, "{host}: {cookies:?}");
            assert!(cookies.iter().all(|cookie| cookie.contains("; Secure") != is_local), "{host}: {cookies:?}");
            let pair = cookies[0].split(';').next().unwrap();
            let me =
                Request::get(format!("http://{host}/api/users/me")).header("cookie", pair).header("origin", origin);
            assert_eq!(exchange(client.clone(), me.body(()).unwrap(), "").await.2["username"], "ada", "{host}");
        }
        let (status, _, problem) = login("nas:8000", &[("origin", "http://localhost:9000")]).await;
        assert_eq!((status, &problem["code"]), (403, &json!("cross_site")));
        // `:authority` and `Host` must agree; a conflict is refused.
        assert_eq!(login("localhost:8000", &[("host", "localhost:8000")]).await.0, 204);
        for host in ["evil.example", "localhost", "localhost:8001", ""] {
            let (status, headers, _) = login("localhost:8000", &[("host", host)]).await;
            assert_eq!(status, 400, "{host:?}");
            assert!(!headers.contains_key("set-cookie"));
        }
    };
    tokio::select! {
        answers = tokio::time::timeout(PATIENCE, exchanges) => answers.unwrap(),
        end = connection => panic!("the server ended the connection: {end:?}"),
    }
}

/// Sends a `GET` and returns status, headers and JSON.
async fn over_http2(client: h2::client::SendRequest<bytes::Bytes>, url: &str) -> (u16, HeaderMap, Value) {
    exchange(client, Request::get(url).body(()).unwrap(), "").await
}

/// Sends a request with this body and returns status, headers and JSON.
async fn exchange(
    client: h2::client::SendRequest<bytes::Bytes>,
    request: Request<()>,
    body: &str,
) -> (u16, HeaderMap, Value) {
    let mut client = client.ready().await.unwrap();
    let (response, mut sending) = client.send_request(request, body.is_empty()).unwrap();
    if !body.is_empty() {
        sending.send_data(body.as_bytes().to_vec().into(), true).unwrap();
    }
    let (head, mut body) = response.await.unwrap().into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    (head.status.as_u16(), head.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn what_is_not_http_ends_its_own_connection_alone() {
    let (server, _keep) = server().await;
    let bystander = &mut Connection::open(server.address);
    bystander.request("GET", "/health", &[], "");
    bystander.answer().ok(200);
    let long_head = format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(64 * 1024));
    for (bytes, status) in [("nonsense\r\n\r\n", 400), (&long_head, 431)] {
        let mut connection = Connection::open(server.address);
        // The server may refuse it before it has read everything.
        let _ = std::io::Write::write_all(&mut connection.socket(), bytes.as_bytes());
        assert_eq!(connection.answer().status, status);
        connection.is_ended();
    }
    bystander.request("GET", "/health", &[], "");
    bystander.answer().ok(200);
}

#[tokio::test]
async fn a_request_whose_body_never_comes_is_given_up() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("REQUEST_TIMEOUT_SECONDS", 1);
    let mut server = sandbox.start("serve");
    let mut connection = Connection::open(server.address);
    connection.request("POST", "/api/users/token", &[FORM, ("Content-Length", "200"), ("Expect", "100-continue")], "");
    connection.is_asked_for_the_body();
    connection.send("username=ada");
    let answer = connection.answer();
    assert_eq!(answer.problem(503, "took_too_long")["error"], "temporarily_unavailable");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    server.register("ada").ok(201);
    server.request("POST", "/api/users/token", &[FORM], &login_form("ada")).ok(200);
    server.signal("TERM");
    assert!(server.process.wait().with(0).stderr.contains(answer.request_id()));
}

#[tokio::test]
async fn a_crash_writes_no_memory_to_a_file() {
    let (server, _keep) = server().await;
    server.register("ada").ok(201);
    let limits = server.process.proc("limits");
    let row = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>(), ["0", "0", "bytes"]);
    // If something dumps core anyway, the hashing memory is left out. The system's own mappings with that flag are small.
    let (maps, mut kib) = (server.process.proc("smaps"), 0);
    let left_out = maps.lines().any(|line| {
        if let Some(size) = line.strip_prefix("Size:") {
            kib = size.trim().trim_end_matches(" kB").parse().unwrap();
        }
        kib >= 2_048 && line.starts_with("VmFlags:") && line.split(' ').any(|flag| flag == "dd")
    });
    assert!(left_out, "{maps}");
}

//! GET, HEAD and OPTIONS change nothing: every route is requested with every valid id and credential, and the whole
//! database stays the same, except for the times of last use of sessions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::http::Request;
use blog::{Blog, State};
use countersign::config::Config;
use countersign::model::SigningAlgorithm;
use countersign::testing::{PASSWORD, TestApp};
use countersign_db::{Conn, DatabaseKind, on_db};
use countersign_server::{Audience, HttpSettings, assemble, openapi};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::{publish, settings, with_pages};

/// Columns that may differ: they only record the last use of a session.
const LAST_SEEN: [(&str, &str); 2] = [("auth_sessions", "last_seen_at"), ("auth_sessions", "idle_expires_at")];

/// Reads every row of every table, with the columns in hexadecimal.
async fn dump(mut conn: Conn<'_>) -> BTreeMap<String, Vec<String>> {
    let is_sqlite = conn.kind() == DatabaseKind::Sqlite;
    let catalogue = if is_sqlite {
        "SELECT tables.name, columns.name, lower(columns.type) \
         FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'"
    } else {
        "SELECT tables.table_name::text, columns.column_name::text, columns.data_type::text \
         FROM information_schema.tables AS tables JOIN information_schema.columns AS columns \
         ON columns.table_schema = tables.table_schema AND columns.table_name = tables.table_name \
         WHERE tables.table_schema = current_schema() AND tables.table_type = 'BASE TABLE'"
    };
    let found: Vec<(String, String, String)> =
        on_db!(conn.reborrow(), c => sqlx::query_as(catalogue).fetch_all(c).await).unwrap();
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, column, holds) in found {
        if LAST_SEEN.contains(&(&table, &column)) {
            continue;
        }
        let in_hexadecimal = match (is_sqlite, holds.as_str()) {
            (true, _) => format!("hex(CAST(\"{column}\" AS BLOB))"),
            (false, "bytea") => format!("encode(\"{column}\", 'hex')"),
            (false, _) => format!("encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex')"),
        };
        columns.entry(table).or_default().push(format!("COALESCE({in_hexadecimal}, 'NULL')"));
    }
    let mut rows = BTreeMap::new();
    for (table, columns) in columns {
        let statement = format!("SELECT {} FROM \"{table}\"", columns.join(" || ',' || "));
        let mut found: Vec<String> =
            on_db!(conn.reborrow(), c => sqlx::query_scalar(AssertSqlSafe(statement.clone())).fetch_all(c).await)
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        found.sort();
        rows.insert(table, found);
    }
    rows
}

/// A credential with its header.
type Credential = Option<(&'static str, String)>;

/// A site with something pending of every kind.
struct Busy {
    app: TestApp,
    /// Values for the parameters `{name}` of routes.
    ids: BTreeMap<&'static str, Vec<String>>,
    credentials: Vec<Credential>,
    secrets: Vec<String>,
}

async fn busy() -> Busy {
    let mut http = HttpSettings::default();
    http.audience = Audience::Developer;
    let with_keys = |config: &mut Config| {
        with_pages(config);
        config.tokens.signing_algorithm = SigningAlgorithm::EdDsa;
    };
    let app = TestApp::host_with(&[&blog::MIGRATIONS], with_keys, |accounts| {
        (assemble::<Blog>(State::new(accounts, &settings()), &settings(), &http), openapi::<Blog>())
    })
    .await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let posts = [publish(&ada, "Ada's").await, publish(&eve, "Eve's").await];
    ada.post("/api/users/me/email", json!({ "email": "ada@example.org" })).await.ok(202);
    eve.patch(&format!("/api/users/{}", eve.id), json!({ "email": "eve@example.org" })).await.ok(200);
    app.run_jobs().await;
    for address in ["ada@example.com", "nobody@example.com"] {
        app.anonymous().post("/api/users/forgot-password", json!({ "email": address })).await.ok(202);
    }
    app.run_jobs().await;
    let secrets = secrets_of_mails(&app);
    let login = json!({ "username": ada.email, "password": PASSWORD });
    let login = app.anonymous().post("/api/users/login", login).await;
    login.ok(204);
    let cookie = login.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let tokens = app.anonymous().log_in(&ada.email, PASSWORD).await.ok(200);
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let sessions = ada.get("/api/users/me/sessions").await.ok(200);
    // A pending job, which a safe request must not run.
    app.anonymous().post("/api/users/forgot-password", json!({ "email": "eve@example.org" })).await.ok(202);
    let credentials = vec![
        None,
        Some(("authorization", format!("Bearer {}", text("access_token")))),
        Some(("authorization", format!("Bearer {}", text("refresh_token")))),
        Some(("cookie", cookie)),
    ];
    let ids = BTreeMap::from([
        ("user_id", vec![ada.id.to_string(), eve.id.to_string()]),
        ("post_id", posts.iter().map(|post| post["id"].as_str().unwrap().to_owned()).collect()),
        ("session_id", session_ids(&sessions)),
        ("id", app.mailbox().list().iter().map(|mail| mail.id.to_string()).take(2).collect()),
    ]);
    Busy { app, ids, credentials, secrets: [secrets, vec![text("refresh_token")]].concat() }
}

fn session_ids(sessions: &Value) -> Vec<String> {
    let list = sessions.as_array().or_else(|| sessions["sessions"].as_array()).unwrap();
    let ids: Vec<String> = list.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    assert!(!ids.is_empty());
    ids
}

fn secrets_of_mails(app: &TestApp) -> Vec<String> {
    let mails = app.mailbox().list();
    let tokens = mails.iter().filter_map(|mail| {
        let (_, token) = mail.text.split_once("token=")?;
        token.split_whitespace().next().map(str::to_owned)
    });
    let secrets: Vec<String> = tokens.collect::<BTreeSet<_>>().into_iter().collect();
    assert!(secrets.len() >= 5, "{} mails with secrets", secrets.len());
    secrets
}

/// Every path in the OpenAPI document, and every literal after `.route(` in the sources.
fn routes() -> BTreeSet<String> {
    let document = serde_json::to_value(openapi::<Blog>()).unwrap();
    let mut routes: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(routes.len() >= 15, "{routes:?}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folders = ["crates/countersign/src", "crates/countersign-server/src", "apps/blog/src"];
    let mut folders: Vec<_> = folders.iter().map(|folder| root.join(folder)).collect();
    let described = routes.len();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let literals = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap());
                routes.extend(literals.filter(|route| route.starts_with('/')).map(str::to_owned));
            }
        }
    }
    assert!(routes.len() > described, "the routes beside the API are found too");
    for page in
        ["/", "/verify-email", "/reset-password", "/undo-email-change", "/login", "/logout", "/register", "/account"]
    {
        routes.insert(page.to_owned());
    }
    routes
}

/// The route with every combination of its ids; unknown parameters get a meaningless text.
fn paths(route: &str, ids: &BTreeMap<&str, Vec<String>>) -> Vec<String> {
    let Some((before, rest)) = route.split_once('{') else { return vec![route.to_owned()] };
    let (name, after) = rest.split_once('}').unwrap();
    let unknown = vec!["unknown".to_owned()];
    let known = ids.get(name.trim_start_matches('*')).unwrap_or(&unknown);
    known.iter().flat_map(|id| paths(&format!("{before}{id}{after}"), ids)).collect()
}

#[tokio::test]
async fn no_get_head_or_options_changes_the_database() {
    let Busy { app, ids, credentials, secrets } = busy().await;
    // So that every session is due for an update of its last use.
    app.clock.advance(SignedDuration::from_mins(20));
    let before = dump(app.db().read().await.unwrap().conn()).await;
    for table in ["auth_users", "auth_sessions", "auth_one_time_tokens", "auth_jobs", "posts", "auth_signing_keys"] {
        assert!(before.get(table).is_some_and(|rows| !rows.is_empty()), "{table}: {:?}", before.keys());
    }
    let mut queries = vec![String::new(), "?limit=1&skip=1".to_owned()];
    for secret in &secrets {
        queries.push(format!("?token={secret}&code=123456&email=ada%40example.com&invitation={secret}"));
    }
    let (mut asked, mut answered) = (0, BTreeSet::new());
    for route in routes() {
        for path in paths(&route, &ids) {
            for (credential, query) in credentials.iter().flat_map(|one| queries.iter().map(move |query| (one, query)))
            {
                for method in ["GET", "HEAD", "OPTIONS"] {
                    let mut request = Request::builder().method(method).uri(format!("{path}{query}"));
                    request = request.header("host", "localhost:8000").header("accept", "text/html, */*");
                    if let Some((name, value)) = credential {
                        request = request.header(*name, value);
                    }
                    let answer = app.anonymous().send_request(request.body(Body::empty()).unwrap()).await;
                    assert!(answer.status < 500, "{method} {path}{query}: {}", answer.text());
                    asked += 1;
                    if answer.status == 200 {
                        answered.insert((method, route.clone()));
                    }
                }
            }
        }
    }
    let after = dump(app.db().read().await.unwrap().conn()).await;
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table} has changed");
    }
    assert_eq!(before.len(), after.len());
    let gets = answered.iter().filter(|(method, _)| *method == "GET").count();
    println!("{asked} requests, {gets} routes answered a GET with 200");
    assert!(gets >= 10, "{answered:?}");
}

//! Injection payloads in every field of every operation and every form: none breaks anything, and each stays plain text.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Request;
use countersign::testing::{Answer, PASSWORD, TestApp};
use serde_json::{Value, json};

use crate::scanner::{attribute, tags};
use crate::walk::{Person, Place, encoded, operations, page_path, page_routes};
use crate::{publish, unlimited_blog};

/// Payloads, grouped by their target. Responses are searched for `zz9`.
fn payloads() -> Vec<String> {
    let mut payloads: Vec<String> = [
        // SQL
        "' OR '1'='1' -- ",
        "'; DROP TABLE auth_users; --",
        "') UNION SELECT password_hash FROM auth_users --",
        "\\'; SELECT pg_sleep(60) --",
        "\" OR \"\"=\"",
        "%' OR username LIKE '%",
        "$1",
        // Templates and catalogues
        "{{ 1234 * 1234 }}",
        "{% include 'pages/login.html' %}${1234*1234}<%= 1234*1234 %>#{1234*1234}",
        "{ $username } { -zz9 }",
        // HTML and XML
        "<zz9 onload=alert(1)>",
        "\"><script>zz9()</script>",
        "' onfocus='zz9()' autofocus='",
        "</title></textarea></script></style>--><zz9>",
        "]]><zz9>",
        "&lt;zz9&gt;&#60;zz9&#62;",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><zz9>&e;</zz9>",
        "javascript:zz9()",
        // Headers, also through wide characters truncated to bytes
        "x\r\nSet-Cookie: zz9=1",
        "x\r\n\r\n<zz9>",
        "x\nX-Zz9: 1",
        "\u{560d}\u{560a}X-Zz9: 1",
        // LDAP, document stores, logs, spreadsheets, shells, format strings
        "*)(uid=*))(|(uid=*",
        "{\"$gt\":\"\"}",
        "${jndi:ldap://zz9.example/a}",
        "=cmd|'/C calc'!A0",
        "$(sleep 60)`sleep 60`;sleep 60|sleep 60",
        "%s%s%n%x{0}{1}%99999999d",
        // Files
        "../../../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "/etc/passwd\0.jpg",
        // Characters
        "\0",
        "a\0b",
        "\u{202e}gnp.exe",
        "\u{feff}\u{ffff}\u{fffe}",
        "👩\u{200d}👩\u{200d}👧\u{200d}👦 🏴\u{e0067}\u{e007f}",
        "İıſẞςΣﬀ",
        "\u{1b}[2J\u{7}\u{8}",
        // Numbers and words
        "-1",
        "9223372036854775807",
        "9223372036854775808",
        "1e309",
        "NaN",
        "null",
        "",
        " ",
    ]
    .map(str::to_owned)
    .into();
    payloads.push("a".repeat(20_000));
    payloads.push(format!("z{}", "\u{301}".repeat(5_000)));
    // Compatibility normalisation turns each one into eighteen characters.
    payloads.push("\u{fdfa}".repeat(50));
    payloads
}

/// Asserts that a response is no server error and contains the payload only as text.
#[track_caller]
fn is_harmless(what: &str, answer: &Answer) {
    assert!(answer.status < 500, "{what}: {}", answer.text());
    for (name, value) in &answer.headers {
        let (name, value) = (name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        assert!(!name.contains("zz9") && !value.contains(['\r', '\n']), "{what}: {name}: {value}");
        if name == "set-cookie" {
            // The value is random and may contain these three characters by chance, but no character that would end it.
            let (cookie, attributes) = value.split_once(';').unwrap();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "=_-".contains(c);
            assert!(cookie.chars().all(is_plain) && !attributes.contains("zz9"), "{what}: {value}");
        }
    }
    let media_type = answer.headers.get("content-type").map_or("", |value| value.to_str().unwrap());
    if ["html", "xml", "svg"].iter().any(|kind| media_type.contains(kind)) {
        shows_no_markup(what, &answer.text());
    } else {
        // No browser renders it as a page.
        assert!(media_type.is_empty() || media_type.contains("json") || media_type.contains("text/plain"), "{what}");
    }
}

#[track_caller]
fn shows_no_markup(what: &str, page: &str) {
    for bad in ["<zz9", "<script>zz9", "href=\"javascript:", "<!ENTITY", "1522756"] {
        assert!(!page.contains(bad), "{what}: {bad} in {page}");
    }
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
        assert!(!tag.contains("='zz9"), "{what}: {tag}");
    }
}

#[tokio::test]
async fn no_text_in_any_field_of_any_operation_breaks_anything() {
    let app = unlimited_blog().await;
    let mut tried = 0;
    for (number, operation) in operations().iter().enumerate() {
        let mut person = Person::new(&app, &format!("person{number}")).await;
        for field in &operation.fields {
            // A path without a segment is another path.
            let payloads = payloads().into_iter().filter(|text| field.place != Place::Path || !text.is_empty());
            for payload in payloads {
                let what = format!("{} {} with {payload:.60?} as {}", operation.method, operation.path, field.name);
                let answer = person.try_out(operation, field, &json!(payload)).await;
                is_harmless(&what, &answer);
                let opens = operation.path.ends_with("/login") || operation.path.ends_with("/token");
                if opens && ["username", "password"].contains(&field.name.as_str()) {
                    assert!([401, 422].contains(&answer.status), "{what}: {}", answer.text());
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 2_000, "{tried}");
    // Everything is still there.
    app.user("afterwards").await;
}

#[tokio::test]
async fn no_json_value_in_any_field_breaks_anything() {
    let app = unlimited_blog().await;
    let deep = (0..60).fold(json!("x"), |inner, _| json!([inner]));
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5e300),
        json!(u64::MAX),
        json!([]),
        json!({}),
        json!(["text"]),
        json!({ "$ne": null }),
        json!({ "__proto__": { "admin": true } }),
        json!({ "$ref": "#/components/schemas/UserPrivate" }),
        deep,
    ];
    for (number, operation) in operations().iter().enumerate() {
        if operation.content_type.as_deref() != Some("application/json") {
            continue;
        }
        let mut person = Person::new(&app, &format!("person{number}")).await;
        for field in operation.fields.iter().filter(|field| field.place == Place::Body) {
            for value in &values {
                let answer = person.try_out(operation, field, value).await;
                let what = format!("{} {} with {value} as {}", operation.method, operation.path, field.name);
                is_harmless(&what, &answer);
                assert!(value.is_null() || answer.status >= 400, "{what} was taken for a text");
            }
        }
    }
}

/// Actions and fields of a page's POST forms.
fn forms(page: &str) -> Vec<(String, Vec<String>)> {
    let forms = page.split("<form").skip(1).filter_map(|form| {
        let (tag, rest) = form.split_once('>')?;
        let content = rest.split("</form").next()?;
        let action = attribute(tag, "action").filter(|_| tag.contains("method=\"post\""))?;
        let mut names = Vec::new();
        for kind in ["input", "textarea", "select", "button"] {
            names.extend(tags(content, kind).iter().filter_map(|tag| attribute(tag, "name")));
        }
        names.sort();
        names.dedup();
        Some((action, names))
    });
    forms.collect()
}

#[tokio::test]
async fn no_text_in_any_field_of_any_form_breaks_anything_or_becomes_markup() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    // Every form of every page, logged in and logged out.
    let mut found: BTreeSet<(String, Vec<String>, bool)> = BTreeSet::new();
    for is_logged_in in [false, true] {
        let browser = app.browser();
        if is_logged_in {
            assert_eq!(browser.log_in(&person.user.email, PASSWORD).await.status, 303);
        }
        for route in page_routes().iter().filter(|route| route.takes_get) {
            let path = page_path(&route.path, &person);
            for query in ["", "?token=some-token"] {
                let page = browser.open(&format!("{path}{query}")).await;
                assert!(page.status < 500, "{path}");
                found.extend(forms(&page.text()).into_iter().map(|(action, names)| (action, names, is_logged_in)));
            }
        }
    }
    let actions: BTreeSet<&str> = found.iter().map(|(action, ..)| action.as_str()).collect();
    assert!(actions.len() >= 12, "{actions:?}");

    for (number, (action, names, is_logged_in)) in found.iter().enumerate() {
        // A separate account for each form, because some forms delete it.
        let person = Person::new(&app, &format!("person{number}")).await;
        let browser = app.browser();
        if *is_logged_in {
            browser.log_in(&person.user.email, PASSWORD).await;
        }
        for name in names {
            for payload in payloads() {
                let what = format!("{action} with {payload:.60?} as {name}");
                let mut pairs: Vec<(&str, &str)> =
                    names.iter().filter(|other| *other != name).map(|other| (other.as_str(), "some text")).collect();
                pairs.push((name, &payload));
                let answer = browser.submit(action, &pairs).await;
                is_harmless(&what, &answer);
                if answer.status == 303 {
                    let to = answer.headers["location"].to_str().unwrap();
                    assert!(to.starts_with('/') && !to.starts_with("//"), "{what}: {to}");
                    is_harmless(&what, &browser.open(to).await);
                }
            }
        }
    }
}

#[tokio::test]
async fn no_text_in_any_query_of_any_page_breaks_anything_or_becomes_markup() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let (nobody, somebody) = (app.browser(), app.browser());
    somebody.log_in(&person.user.email, PASSWORD).await;
    for route in page_routes().iter().filter(|route| route.takes_get) {
        let path = page_path(&route.path, &person);
        for payload in payloads().iter().filter(|payload| payload.len() < 10_000) {
            let text = encoded(payload);
            let query =
                ["token", "email", "next", "invitation", "after", "code", "limit"].map(|name| format!("{name}={text}"));
            for browser in [&nobody, &somebody] {
                let answer = browser.open(&format!("{path}?{}", query.join("&"))).await;
                is_harmless(&format!("{path} asked with {payload:?}"), &answer);
            }
        }
    }
}

#[tokio::test]
async fn no_text_in_a_header_breaks_anything_or_becomes_markup() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let texts = ["<zz9>\"><zz9>", "{{ 1234 * 1234 }}' OR '1'='1", "\u{e9}\u{ff}", "a=b; c=\"d=;,,*"];
    let names = [
        "host",
        "cookie",
        "accept",
        "accept-language",
        "accept-encoding",
        "user-agent",
        "referer",
        "origin",
        "range",
        "if-none-match",
        "if-range",
        "if-modified-since",
        "authorization",
        "content-type",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-request-id",
        "sec-fetch-site",
        "x-http-method-override",
    ];
    let mut paths: Vec<String> = page_routes().iter().map(|route| page_path(&route.path, &person)).collect();
    paths.extend(["/api/users/me", "/api/users/nobody", "/health", "/nothing", "/openapi.json"].map(str::to_owned));
    for path in paths {
        for name in names {
            for text in texts.map(str::to_owned).into_iter().chain(["x".repeat(8_000)]) {
                let request = Request::get(&path).header(name, text.as_bytes());
                let request = if name == "host" { request } else { request.header("host", "localhost") };
                let Ok(request) = request.body(Body::empty()) else { continue };
                let answer = app.anonymous().send_request(request).await;
                is_harmless(&format!("{path} with {text:.60?} as {name}"), &answer);
            }
        }
    }
}

/// Registers a user with this name, if it is valid.
async fn named(app: &TestApp, name: &str, number: usize) -> Option<(String, Value)> {
    let email = format!("named{number}@example.com");
    let body = json!({ "username": name, "email": email, "password": PASSWORD });
    let answer = app.anonymous().post("/api/users", body).await;
    (answer.status == 201).then(|| (email, answer.ok(201)))
}

#[tokio::test]
async fn what_people_have_stored_is_text_wherever_it_is_shown() {
    let app = unlimited_blog().await;
    let mut stored = 0;
    for (number, payload) in payloads().into_iter().enumerate() {
        let name: String = payload.chars().take(50).collect();
        let Some((email, user)) = named(&app, &name, number).await else { continue };
        stored += 1;
        let token = app.anonymous().log_in(&email, PASSWORD).await.ok(200)["access_token"].as_str().map(str::to_owned);
        let author = app.bearer(token);
        let title: String = payload.chars().take(100).collect();
        let post = author.post("/api/posts", json!({ "title": title, "content": payload })).await;
        let post = if post.status == 201 { post.ok(201) } else { publish(&author, "Another").await };
        let browser = app.browser();
        browser.log_in(&email, PASSWORD).await;
        let (user, post) = (user["id"].as_str().unwrap(), post["id"].as_str().unwrap());
        for path in [
            "/".to_owned(),
            format!("/posts/{post}"),
            format!("/posts/{post}/edit"),
            format!("/posts/{post}/delete"),
            format!("/users/{user}/posts"),
            "/feed.xml".to_owned(),
            "/account".to_owned(),
            "/account/delete".to_owned(),
            format!("/media/profile_pics/default/{user}.svg"),
        ] {
            let answer = browser.open(&path).await;
            assert_eq!(answer.status, 200, "{path} of {name:?}: {}", answer.text());
            is_harmless(&format!("{path} of {name:?}"), &answer);
        }
    }
    assert!(stored >= 20, "{stored}");
    app.run_jobs().await;
    for mail in app.mailbox().list() {
        shows_no_markup("a mail", &mail.html);
        assert!(!mail.headers().contains("\nX-Zz9"), "{}", mail.headers());
    }
}

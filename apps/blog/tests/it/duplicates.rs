//! Duplicate fields: programs differ in whether the first or the last counts, so every operation refuses them.

use std::collections::BTreeMap;

use crate::unlimited_blog;
use crate::walk::{Person, Place, UNUSED, encoded, operations};

fn json_with(values: &BTreeMap<String, String>, twice: &str) -> String {
    let mut members: Vec<String> =
        values.iter().map(|(name, value)| format!("{}:{}", quoted(name), quoted(value))).collect();
    // The second one is spelled with escapes and has another value.
    let escaped: Vec<String> = twice.chars().map(|character| format!("\\u{:04x}", u32::from(character))).collect();
    members.push(format!("\"{}\":\"another\"", escaped.concat()));
    format!("{{{}}}", members.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn form_with(values: &BTreeMap<String, String>, twice: &str) -> String {
    let mut pairs: Vec<String> = values.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    let escaped: Vec<String> = twice.bytes().map(|byte| format!("%{byte:02x}")).collect();
    pairs.push(format!("{}=another", escaped.concat()));
    pairs.join("&")
}

#[tokio::test]
async fn a_field_given_twice_is_refused_by_every_operation() {
    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let mut tried = 0;
    for operation in operations() {
        let (path, values) = person.in_order(&operation);
        for field in operation.fields.iter().filter(|field| !UNUSED.contains(&field.name.as_str())) {
            let what = format!("{} {path} with {} twice", operation.method, field.name);
            let answer = match (field.place, operation.content_type.as_deref()) {
                (Place::Path, _) => continue,
                (Place::Query, _) => {
                    let value = if field.name == "after" { "x" } else { "1" };
                    let query = format!("{name}={value}&{name}={value}", name = field.name);
                    person.user.send(&operation.method, &format!("{path}?{query}"), "text/plain", "").await
                }
                (Place::Body, Some(content_type @ "application/json")) => {
                    let body = json_with(&values, &field.name);
                    person.user.send(&operation.method, &path, content_type, body).await
                }
                (Place::Body, Some(content_type @ "application/x-www-form-urlencoded")) => {
                    let body = form_with(&values, &field.name);
                    person.user.send(&operation.method, &path, content_type, body).await
                }
                (Place::Body, Some("multipart/form-data")) => {
                    let part = format!(
                        "--frontier\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"a\"\r\n\r\nx\r\n",
                        field.name
                    );
                    let body = format!("{part}{part}--frontier--\r\n");
                    let content_type = "multipart/form-data; boundary=frontier";
                    person.user.send(&operation.method, &path, content_type, body).await
                }
                (Place::Body, other) => panic!("{other:?} is a new type of body: say here how it is sent"),
            };
            // Introspection checks the caller's authorisation first.
            let expected = if path.ends_with("/introspect") { 401 } else { 422 };
            // Fields of another grant are not read.
            let is_of_another_grant = field.name == "refresh_token";
            assert!(answer.status == expected || is_of_another_grant, "{what}: {} {}", answer.status, answer.text());
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
}

#[tokio::test]
async fn a_header_given_twice_opens_nothing() {
    use axum::body::Body;
    use axum::http::Request;

    let app = unlimited_blog().await;
    let person = Person::new(&app, "ada").await;
    let bearer = format!("Bearer {}", person.user.token().unwrap());
    for other in [&bearer, "Bearer x", "Basic eDp4", ""] {
        for (first, second) in [(bearer.as_str(), other), (other, bearer.as_str())] {
            let request = Request::get("/api/users/me").header("authorization", first).header("authorization", second);
            let answer = app.anonymous().send_request(request.body(Body::empty()).unwrap()).await;
            answer.problem(401, "not_authenticated");
        }
    }
}

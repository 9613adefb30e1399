//! Users over HTTP: validation, and what others see of a user.

use axum::body::Body;
use axum::http::Request;
use countersign::config::Blocklist;
use countersign::testing::{PASSWORD, TestApp};
use serde_json::{Value, json};

use crate::{UNKNOWN_ID, faults};

fn registration(username: &str, email: &str) -> Value {
    json!({ "username": username, "email": email, "password": PASSWORD })
}

#[tokio::test]
async fn a_registered_user_sees_their_own_private_account() {
    let app = TestApp::start().await;
    let answer = app.anonymous().post("/api/users", registration("Ada", "Ada@Example.com")).await;
    let account = answer.ok(201);
    assert_eq!(
        account,
        json!({
            "id": account["id"],
            "username": "Ada",
            "email": "ada@example.com",
            "image_file": null,
            "image_path": "/static/profile_pics/default.jpg",
        })
    );
    assert_eq!(answer.headers["cache-control"], "no-store");
    let token = app.anonymous().log_in("ada@example.com", PASSWORD).await.ok(200)["access_token"].clone();
    let me = app.bearer(token.as_str().map(str::to_owned)).get("/api/users/me").await;
    assert_eq!(me.ok(200), account);
    assert_eq!(me.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn everybody_sees_a_users_public_profile_without_the_address() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    for caller in [&app.anonymous(), &*app.user("eve").await, &*ada] {
        let profile = caller.get(&path).await.ok(200);
        assert_eq!(
            profile,
            json!({
                "id": ada.id.to_string(),
                "username": "ada",
                "image_file": null,
                "image_path": "/static/profile_pics/default.jpg",
            })
        );
    }
}

#[tokio::test]
async fn an_unknown_user_is_not_found_and_an_unreadable_id_is_a_bad_request() {
    let app = TestApp::start().await;
    let body = app.anonymous().get(&format!("/api/users/{UNKNOWN_ID}")).await.problem(404, "user_not_found");
    assert_eq!(body["detail"], "User not found");
    for id in ["1x", "nobody", &UNKNOWN_ID.replace('-', ""), &format!("{{{UNKNOWN_ID}}}").replace(['{', '}'], "%7B")] {
        let body = app.anonymous().get(&format!("/api/users/{id}")).await.ok(422);
        assert_eq!(faults(&body), ["uuid_parsing path.user_id"], "{id}");
    }
}

#[tokio::test]
async fn a_taken_username_is_told_before_a_taken_address() {
    let app = TestApp::start().await;
    app.anonymous().post("/api/users", registration("Straße", "ada@example.com")).await.ok(201);
    for (username, email, code, detail) in [
        ("Straße", "ada@example.com", "username_taken", "Username already exists"),
        ("STRASSE", "new@example.com", "username_taken", "Username already exists"),
        (" straße ", "new@example.com", "username_taken", "Username already exists"),
        ("eve", "ADA@EXAMPLE.COM", "email_taken", "Email already registered"),
    ] {
        let body = app.anonymous().post("/api/users", registration(username, email)).await.problem(400, code);
        assert_eq!(body["detail"], detail, "{username}");
    }
}

#[tokio::test]
async fn bad_fields_are_all_named() {
    let app = TestApp::start().await;
    let long = "é".repeat(51);
    let long_email = format!("{}@example.com", "a".repeat(109));
    for (body, expected) in [
        (json!({}), vec!["missing body.username", "missing body.email", "missing body.password"]),
        (
            json!({ "username": null, "email": 1, "password": [] }),
            vec!["string_type body.username", "string_type body.email", "string_type body.password"],
        ),
        (
            json!({ "username": "", "email": "ada", "password": "short" }),
            vec!["string_too_short body.username", "value_error body.email", "string_too_short body.password"],
        ),
        (
            json!({ "username": long, "email": long_email, "password": "é".repeat(513) }),
            vec!["string_too_long body.username", "value_error body.email", "string_too_long body.password"],
        ),
        (registration("a@b", "ada@example.com"), vec!["value_error body.username"]),
        (registration("a\u{200b}b", "ada@example.com"), vec!["value_error body.username"]),
        (registration("\u{202e}adа", "ada@example.com"), vec!["value_error body.username"]),
        (registration("a\u{0}b", "ada@example.com"), vec!["value_error body.username"]),
        (
            json!({ "username": "ada", "email": "ada@example.com", "password": "12345678" }),
            vec!["value_error body.password"],
        ),
        (
            json!({ "username": "ada", "email": "ada@example.com", "password": "nul\u{0}inside" }),
            vec!["value_error body.password"],
        ),
    ] {
        let answer = app.anonymous().post("/api/users", body.clone()).await;
        assert_eq!(faults(&answer.problem(422, "invalid_fields")), expected, "{body}");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

#[tokio::test]
async fn a_refusal_never_repeats_the_password() {
    let app = TestApp::start().await;
    for password in
        [json!("hunter2"), json!(["hunter2hunter2"]), json!({ "hunter2": "hunter2" }), json!("hunter2\u{0}hunter2")]
    {
        let body = json!({ "username": "ada", "email": "ada@example.com", "password": password });
        let answer = app.anonymous().post("/api/users", body).await;
        assert_eq!(answer.status, 422);
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
}

#[tokio::test]
async fn names_and_passwords_at_their_limits_work() {
    let app = TestApp::start().await;
    let (username, password) = ("李".repeat(50), "ж".repeat(512));
    let body = json!({ "username": username, "email": "ada@example.com", "password": password });
    assert_eq!(app.anonymous().post("/api/users", body).await.ok(201)["username"], username);
    app.anonymous().log_in("ada@example.com", &password).await.ok(200);
    let body = json!({ "username": "x", "email": "b@example.com", "password": "eight ch" });
    app.anonymous().post("/api/users", body).await.ok(201);
}

#[tokio::test]
async fn a_common_password_is_taken_where_the_list_is_off() {
    let app = TestApp::with(|config| config.password.blocklist = Blocklist::Off).await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": "12345678" });
    app.anonymous().post("/api/users", body).await.ok(201);
}

#[tokio::test]
async fn fields_that_are_not_the_clients_to_set_are_ignored() {
    let app = TestApp::start().await;
    let mut body = registration("ada", "ada@example.com");
    body["id"] = json!(UNKNOWN_ID);
    body["image_file"] = json!("../../etc/passwd");
    body["password_hash"] = json!("x");
    let account = app.anonymous().post("/api/users", body).await.ok(201);
    assert_ne!(account["id"], UNKNOWN_ID);
    assert_eq!(account["image_file"], Value::Null);
}

#[tokio::test]
async fn a_user_changes_only_what_is_given() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    let mut expected = ada.get("/api/users/me").await.ok(200);
    for (changes, field, value) in [
        (json!({}), "username", "ada"),
        (json!({ "username": null, "email": null }), "username", "ada"),
        (json!({ "username": "ADA" }), "username", "ADA"),
        (json!({ "email": "ADA@example.com" }), "email", "ada@example.com"),
        (json!({ "email": "countess@example.com", "username": null }), "email", "countess@example.com"),
        (json!({ "username": " Countess ", "image_file": "x.jpg", "id": UNKNOWN_ID }), "username", "Countess"),
    ] {
        expected[field] = json!(value);
        assert_eq!(ada.patch(&path, changes.clone()).await.ok(200), expected, "{changes}");
        assert_eq!(ada.get("/api/users/me").await.ok(200), expected, "{changes}");
    }
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    app.anonymous().log_in("countess@example.com", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_user_cannot_take_what_somebody_else_has() {
    let app = TestApp::start().await;
    let (ada, _eve) = (app.user("ada").await, app.user("eve").await);
    let path = format!("/api/users/{}", ada.id);
    for (changes, code, detail) in [
        (json!({ "username": "EVE", "email": "eve@example.com" }), "username_taken", "Username already exists"),
        (json!({ "email": "EVE@example.com" }), "email_taken", "Email already registered"),
        (json!({ "username": "Ada", "email": "eve@example.com" }), "email_taken", "Email already registered"),
    ] {
        assert_eq!(ada.patch(&path, changes.clone()).await.problem(400, code)["detail"], detail, "{changes}");
    }
    let body = ada.patch(&path, json!({ "username": "", "email": "x" })).await.ok(422);
    assert_eq!(faults(&body), ["string_too_short body.username", "value_error body.email"]);
    assert_eq!(ada.get("/api/users/me").await.ok(200)["username"], "ada");
}

#[tokio::test]
async fn nobody_changes_or_deletes_somebody_elses_account_whether_or_not_it_exists() {
    let app = TestApp::start().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for id in [eve.id.to_string(), UNKNOWN_ID.to_owned()] {
        let path = format!("/api/users/{id}");
        let body = ada.patch(&path, json!({ "username": "x" })).await.problem(403, "not_your_account");
        assert_eq!(body["detail"], "Not authorized to update this user");
        let body = ada.delete(&path).await.problem(403, "not_your_account");
        assert_eq!(body["detail"], "Not authorized to delete this user");
        // Validation comes first.
        ada.patch(&path, json!({ "username": "" })).await.ok(422);
    }
    for answer in [ada.patch("/api/users/x1", json!({})).await, ada.delete("/api/users/x1").await] {
        assert_eq!(faults(&answer.ok(422)), ["uuid_parsing path.user_id"]);
    }
    assert_eq!(eve.get("/api/users/me").await.ok(200)["username"], "eve");
}

#[tokio::test]
async fn a_whole_number_is_the_id_of_nobody_and_other_texts_are_no_ids() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    for number in ["999", "0", "-1", &"9".repeat(5_000)] {
        let path = format!("/api/users/{number}");
        let body = app.anonymous().get(&path).await.problem(404, "user_not_found");
        assert_eq!(body["detail"], "User not found");
        // The same order as for any other account: authentication, then fields, then ownership.
        app.anonymous().patch(&path, json!({})).await.problem(401, "not_authenticated");
        ada.patch(&path, json!({ "username": "" })).await.ok(422);
        ada.patch(&path, json!({ "username": "x" })).await.problem(403, "not_your_account");
        ada.delete(&path).await.problem(403, "not_your_account");
        ada.upload(&format!("{path}/picture"), "a.png", b"x").await.problem(403, "not_your_account");
        ada.delete(&format!("{path}/picture")).await.problem(403, "not_your_account");
        ada.delete(&format!("/api/users/me/sessions/{number}")).await.problem(404, "session_not_found");
    }
    for text in ["x", "-", "1.5", "+1", "1e3", "%20", "%D9%A1", "999x", &format!("{UNKNOWN_ID}0")] {
        let answer = app.anonymous().get(&format!("/api/users/{text}")).await;
        assert_eq!(faults(&answer.ok(422)), ["uuid_parsing path.user_id"], "{text}");
    }
}

#[tokio::test]
async fn a_deleted_account_is_out_at_once_and_its_name_and_address_are_free() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let path = format!("/api/users/{}", ada.id);
    let gone = ada.delete(&path).await;
    assert_eq!((gone.ok(204), gone.body.len()), (Value::Null, 0));
    let answer = ada.get("/api/users/me").await;
    assert_eq!(answer.problem(401, "invalid_token")["detail"], "Invalid or expired token");
    assert!(answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    ada.delete(&path).await.problem(401, "invalid_token");
    app.anonymous().get(&path).await.problem(404, "user_not_found");
    app.anonymous().log_in("ada@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    let again = app.user("ada").await;
    assert_ne!(again.id, ada.id);
    // The old token does not open the new account.
    ada.get("/api/users/me").await.problem(401, "invalid_token");
}

#[tokio::test]
async fn of_many_who_register_one_name_at_once_one_wins() {
    let app = TestApp::start().await;
    let stranger = app.anonymous();
    let register = async |number: usize| {
        let username = ["ada", "ADA", "Ada", "aDA"][number % 4];
        stranger.post("/api/users", registration(username, &format!("{number}@example.com"))).await.status
    };
    let statuses: [u16; 6] =
        tokio::join!(register(0), register(1), register(2), register(3), register(4), register(5)).into();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 400).count(), 5, "{statuses:?}");
}

#[tokio::test]
async fn authentication_is_asked_before_everything_else() {
    let app = TestApp::start().await;
    let stranger = app.anonymous();
    let path = format!("/api/users/{UNKNOWN_ID}");
    for answer in [
        stranger.get("/api/users/me").await,
        stranger.patch(&path, json!({ "username": "" })).await,
        stranger.patch("/api/users/1", json!({})).await,
        stranger.delete(&path).await,
    ] {
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.problem(401, "not_authenticated")["detail"], "Not authenticated");
    }
}

#[tokio::test]
async fn the_authorization_header_is_read_as_rfc_6750_says() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let token = ada.token().unwrap();
    let other = "abc.def.ghi";
    for (headers, status, code) in [
        (vec![format!("Bearer {token}")], 200, ""),
        (vec![format!("bearer {token}")], 200, ""),
        (vec![format!("BEARER   {token}")], 200, ""),
        (vec![format!("Basic {token}")], 401, "not_authenticated"),
        (vec![token.to_owned()], 401, "not_authenticated"),
        (vec!["Bearer".to_owned()], 401, "not_authenticated"),
        (vec![format!("Bearer {other}")], 401, "invalid_token"),
        (vec!["Bearer ".to_owned() + &"a".repeat(5_000)], 401, "invalid_token"),
        (vec![format!("Bearer {token}"), format!("Bearer {token}")], 401, "not_authenticated"),
    ] {
        let mut request = Request::get("/api/users/me");
        for header in &headers {
            request = request.header("authorization", header);
        }
        let answer = app.anonymous().send_request(request.body(Body::empty()).unwrap()).await;
        if status == 200 {
            answer.ok(200);
        } else {
            answer.problem(status, code);
        }
    }
}

#[tokio::test]
async fn the_default_picture_can_be_fetched() {
    let app = TestApp::start().await;
    let path = app.user("ada").await.get("/api/users/me").await.ok(200)["image_path"].as_str().unwrap().to_owned();
    let answer = app.anonymous().get(&path).await;
    assert_eq!((answer.status, &answer.headers["content-type"]), (200, &"image/jpeg".parse().unwrap()));
    assert!(answer.body.starts_with(&[0xff, 0xd8, 0xff]));
}

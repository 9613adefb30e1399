//! Names and addresses that look or sound like those of somebody else.

use countersign::testing::{PASSWORD, TestApp};
use serde_json::{Value, json};

fn registration(username: &str, email: &str) -> Value {
    json!({ "username": username, "email": email, "password": PASSWORD })
}

#[tokio::test]
async fn a_name_that_differs_from_another_only_in_its_characters_form_is_taken() {
    let app = TestApp::start().await;
    let stranger = app.anonymous();
    for (number, (name, alikes)) in [
        // Case, also where it has no simple form.
        ("ada lovelace", &["ADA LOVELACE", "Ada LoveLace", " ada lovelace\t"][..]),
        ("straße", &["STRASSE", "STRAẞE", "strasse"]),
        ("ΣΊΣΥΦΟΣ", &["σίσυφος", "σίσυφοσ", "Σίσυφος"]),
        ("kelvin", &["\u{212a}elvin", "KELVIN"]),
        ("ångström", &["\u{212b}ngström", "A\u{30a}NGSTRO\u{308}M"]),
        ("mississippi", &["mi\u{17f}\u{17f}issippi"]),
        // Compatible forms.
        ("admin", &["ａｄｍｉｎ", "𝐚𝐝𝐦𝐢𝐧", "𝓪𝓭𝓶𝓲𝓷", "ⓐⓓⓜⓘⓝ", "ᵃᵈᵐⁱⁿ", "Ａdmin"]),
        ("file", &["ﬁle", "FILE", "ﬁLE"]),
        ("room 4", &["room ４", "room ④", "room ⁴"]),
        ("カメラ", &["ｶﾒﾗ"]),
        // What cannot be seen.
        ("rust", &["ru\u{fe0f}st", "rust\u{fe00}", "ru\u{34f}st"]),
    ]
    .into_iter()
    .enumerate()
    {
        stranger.post("/api/users", registration(name, &format!("{number}@example.com"))).await.ok(201);
        for (other, alike) in alikes.iter().enumerate() {
            let email = format!("{number}-{other}@example.com");
            let answer = stranger.post("/api/users", registration(alike, &email)).await;
            assert_eq!(answer.status, 400, "{alike:?} beside {name:?}: {}", answer.text());
            answer.problem(400, "username_taken");
        }
    }
}

#[tokio::test]
async fn names_that_hide_what_they_are_are_refused() {
    let app = TestApp::start().await;
    for name in [
        "admin\u{200b}",
        "ad\u{200d}min",
        "admin\u{2060}",
        "\u{feff}admin",
        "admin\u{ad}",
        "\u{202e}nimda",
        "\u{2066}admin\u{2069}",
        "admin\u{61c}",
        "admin\u{180e}",
        "admin\u{e0001}",
        "admin\u{e000}",
        "admin\n",
        "ad\nmin",
        "ad\u{7f}min",
        "ad\u{85}min",
        "\u{115f}\u{1160}",
        "ada@example.com",
        "ada\u{fe6b}example.com",
    ] {
        let answer = app.anonymous().post("/api/users", registration(name, "ada@example.com")).await;
        // White space around a name does not count.
        let expected = if name.trim() == "admin" { 201 } else { 422 };
        assert_eq!(answer.status, expected, "{name:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn an_address_is_one_however_it_is_written() {
    let app = TestApp::start().await;
    app.anonymous().post("/api/users", registration("ada", "ada@bücher.example")).await.ok(201);
    for (number, alike) in [
        "ADA@BÜCHER.EXAMPLE",
        "Ada@Bücher.Example",
        "ada@xn--bcher-kva.example",
        "ada@XN--BCHER-KVA.example",
        "ada@bu\u{308}cher.example",
        "ada@ｂücher.example",
        "ada@bücher\u{3002}example",
        "ada@bücher\u{ff0e}ｅxample",
        " ada@bücher.example",
        "ada@bücher.example\u{a0}",
        "\u{feff}ada@bücher.example\u{200b}\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        let answer = app.anonymous().post("/api/users", registration(&format!("eve{number}"), alike)).await;
        assert_eq!(answer.status, 400, "{alike:?}: {}", answer.text());
        answer.problem(400, "email_taken");
        app.anonymous().log_in(alike, PASSWORD).await.ok(200);
    }
}

#[tokio::test]
async fn an_address_that_only_looks_like_anothers_gets_nothing_of_theirs() {
    let app = TestApp::start().await;
    app.user("mike").await;
    app.run_jobs().await;
    let before = app.mailbox().list().len();
    for alike in [
        "m\u{131}ke@example.com",
        "m\u{456}ke@example.com",
        "mıke@example.com",
        "ｍike@example.com",
        "mike@examp\u{131}e.com",
        "mike@exаmple.com",
        "mike+x@example.com",
        "m.ike@example.com",
        "mike@example.com.",
        "mike@example.com.evil.example",
        "mike@example.com@evil.example",
        "mike@example.com,eve@evil.example",
        "mike@example.com;eve@evil.example",
        "mike@example.com eve@evil.example",
        "mike@example.com\neve@evil.example",
        "mike%40example.com@evil.example",
        "<mike@example.com>",
        "\"mike\"@example.com",
        "mike(x)@example.com",
    ] {
        let answer = app.anonymous().post("/api/users/forgot-password", json!({ "email": alike })).await;
        assert!([202, 422].contains(&answer.status), "{alike:?}: {}", answer.text());
        app.anonymous().log_in(alike, PASSWORD).await.problem(401, "wrong_credentials");
    }
    // A list of addresses is no address.
    let list = json!({ "email": ["mike@example.com", "eve@evil.example"] });
    app.anonymous().post("/api/users/forgot-password", list).await.ok(422);
    app.run_jobs().await;
    let mails = app.mailbox().list();
    assert_eq!(mails.len(), before, "{:?}", mails.iter().map(|mail| mail.to.as_str().to_owned()).collect::<Vec<_>>());
}

use std::cell::Cell;

use countersign::testing::TestApp;
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{UNKNOWN_ID, blog, ids, path_of, publish, titles};

/// The locations in a 422.
fn places(body: &Value) -> Vec<Value> {
    let items = body["detail"].as_array().expect("a list of fields");
    items.iter().map(|item| item["loc"].clone()).collect()
}

#[tokio::test]
async fn a_new_post_has_its_public_author_and_the_present_time() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = ada.post("/api/posts", json!({ "title": "Notes", "content": "On engines." })).await.ok(201);
    assert_eq!(
        post,
        json!({
            "id": post["id"],
            "title": "Notes",
            "content": "On engines.",
            "user_id": ada.id.to_string(),
            "date_posted": app.clock.now().to_string(),
            "author": {
                "id": ada.id.to_string(),
                "username": "ada",
                "image_file": null,
                "image_path": "/static/profile_pics/default.jpg",
            },
        })
    );
    assert_eq!(app.anonymous().get(&path_of(&post)).await.ok(200), post);
}

#[tokio::test]
async fn the_time_of_a_post_is_kept_to_the_microsecond_and_in_utc() {
    let app = blog().await;
    let ada = app.user("ada").await;
    app.clock.advance(SignedDuration::from_nanos(1_234_567));
    let post = publish(&ada, "Now").await;
    let text = post["date_posted"].as_str().unwrap();
    assert!(text.ends_with('Z'), "{text}");
    let time: jiff::Timestamp = text.parse().unwrap();
    assert_eq!(time.as_microsecond(), app.clock.now().as_microsecond());
    assert_eq!(time.subsec_nanosecond() % 1_000, 0);
    assert_eq!(app.anonymous().get(&path_of(&post)).await.ok(200)["date_posted"], post["date_posted"]);
}

#[tokio::test]
async fn an_empty_blog_lists_nothing() {
    let app = blog().await;
    let page = app.anonymous().get("/api/posts").await.ok(200);
    let expected = json!({ "posts": [], "total": 0, "skip": 0, "limit": 10, "has_more": false, "next_cursor": null });
    assert_eq!(page, expected);
}

#[tokio::test]
async fn posts_are_listed_newest_first_in_pages() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for n in 0..12 {
        publish(if n % 2 == 0 { &ada } else { &eve }, &format!("{n}")).await;
        app.clock.advance(SignedDuration::from_secs(1));
    }
    let reader = app.anonymous();

    let first = reader.get("/api/posts").await.ok(200);
    assert_eq!(titles(&first), ["11", "10", "9", "8", "7", "6", "5", "4", "3", "2"]);
    assert_eq!((&first["total"], &first["skip"], &first["limit"]), (&json!(12), &json!(0), &json!(10)));
    assert_eq!(first["has_more"], true);
    assert_eq!(first["posts"][0]["author"]["username"], "eve");
    assert_eq!(first["posts"][1]["author"]["username"], "ada");

    let second = reader.get("/api/posts?skip=10").await.ok(200);
    assert_eq!(titles(&second), ["1", "0"]);
    assert_eq!((&second["total"], &second["skip"], &second["has_more"]), (&json!(12), &json!(10), &json!(false)));
    assert_eq!(second["next_cursor"], Value::Null);

    let exact = reader.get("/api/posts?skip=8&limit=4").await.ok(200);
    assert_eq!((titles(&exact).len(), &exact["has_more"]), (4, &json!(false)));
    let one_less = reader.get("/api/posts?skip=7&limit=4").await.ok(200);
    assert_eq!((titles(&one_less).len(), &one_less["has_more"]), (4, &json!(true)));
}

#[tokio::test]
async fn whoever_has_published_finds_the_post_however_many_read_the_page() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let is_over = Cell::new(false);
    let crowd = join_all((0..8).map(async |_| {
        let reader = app.anonymous();
        while !is_over.get() {
            reader.get("/api/posts").await.ok(200);
        }
    }));
    let author = async {
        for n in 0..20 {
            publish(&ada, &format!("{n}")).await;
            assert_eq!(titles(&app.anonymous().get("/api/posts").await.ok(200))[0], format!("{n}"));
            app.clock.advance(SignedDuration::from_secs(1));
        }
        is_over.set(true);
    };
    tokio::join!(crowd, author);
}

#[tokio::test]
async fn a_page_beyond_the_end_is_empty_and_still_tells_the_total() {
    let app = blog().await;
    let ada = app.user("ada").await;
    publish(&ada, "Only").await;
    for skip in ["1", "2", "9223372036854775807"] {
        let page = app.anonymous().get(&format!("/api/posts?skip={skip}&limit=100")).await.ok(200);
        assert_eq!(page["posts"], json!([]), "{skip}");
        assert_eq!((&page["total"], &page["has_more"]), (&json!(1), &json!(false)), "{skip}");
        assert_eq!(page["skip"].to_string(), skip);
    }
}

#[tokio::test]
async fn posts_of_the_same_time_keep_their_order() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for n in 0..25 {
        publish(&ada, &format!("{n}")).await;
    }
    let reader = app.anonymous();
    let all = ids(&reader.get("/api/posts?limit=100").await.ok(200));
    assert_eq!(all.len(), 25);
    let mut paged = Vec::new();
    for skip in (0..25).step_by(7) {
        paged.extend(ids(&reader.get(&format!("/api/posts?skip={skip}&limit=7")).await.ok(200)));
    }
    assert_eq!(paged, all);
    let mut sorted = all.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!(all, sorted);
}

/// Follows the cursors from a first page to the end.
async fn walk(app: &TestApp, path: &str, limit: usize, between: impl AsyncFn()) -> Vec<String> {
    let reader = app.anonymous();
    let mut seen = Vec::new();
    let mut page = reader.get(&format!("{path}?limit={limit}")).await.ok(200);
    loop {
        seen.extend(ids(&page));
        assert_eq!(page["has_more"], page["next_cursor"].is_string());
        let Some(cursor) = page["next_cursor"].as_str() else {
            return seen;
        };
        between().await;
        page = reader.get(&format!("{path}?limit={limit}&after={cursor}")).await.ok(200);
        assert_eq!(page["skip"], 0);
    }
}

#[tokio::test]
async fn a_cursor_walks_the_whole_list_once_while_posts_are_added_in_front() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for n in 0..20 {
        publish(&ada, &format!("{n}")).await;
        if n % 3 == 0 {
            app.clock.advance(SignedDuration::from_micros(1));
        }
    }
    let before = ids(&app.anonymous().get("/api/posts?limit=100").await.ok(200));
    let seen = walk(&app, "/api/posts", 3, async || {
        app.clock.advance(SignedDuration::from_secs(1));
        publish(&ada, "In front").await;
    })
    .await;
    assert_eq!(seen, before);
}

#[tokio::test]
async fn a_cursor_outlives_the_post_it_was_taken_at() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let mut posts = Vec::new();
    for n in 0..4 {
        posts.push(publish(&ada, &format!("{n}")).await);
        app.clock.advance(SignedDuration::from_secs(1));
    }
    let page = app.anonymous().get("/api/posts?limit=2").await.ok(200);
    ada.delete(&path_of(&posts[2])).await.ok(204);
    let next =
        app.anonymous().get(&format!("/api/posts?after={}", page["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!(titles(&next), ["1", "0"]);
    assert_eq!((&next["total"], &next["has_more"]), (&json!(3), &json!(false)));
}

#[tokio::test]
async fn a_bad_query_names_the_parameter() {
    let app = blog().await;
    let ada = app.user("ada").await;
    publish(&ada, "A").await;
    publish(&ada, "B").await;
    let page = app.anonymous().get("/api/posts?limit=1").await.ok(200);
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("skip=-1", "skip"),
        ("skip=x", "skip"),
        ("skip=9223372036854775808", "skip"),
        ("after=", "after"),
        ("after=garbage", "after"),
        (&format!("after={cursor}A"), "after"),
        (&format!("after={}", &cursor[1..]), "after"),
        (&format!("after={cursor}&skip=0"), "after"),
        (&format!("skip=1&after={cursor}"), "after"),
    ] {
        let body = app.anonymous().get(&format!("/api/posts?{query}")).await.ok(422);
        assert_eq!(places(&body), [json!(["query", parameter])], "{query}");
    }
    let body = app.anonymous().get("/api/posts?limit=0&skip=-1").await.ok(422);
    assert_eq!(places(&body).len(), 2);
}

#[tokio::test]
async fn an_unknown_post_is_not_found_and_an_unreadable_id_is_a_bad_request() {
    let app = blog().await;
    let answer = app.anonymous().get(&format!("/api/posts/{UNKNOWN_ID}")).await;
    assert_eq!(answer.problem(404, "post_not_found")["detail"], "Post not found");
    for number in ["999", "-1", &"9".repeat(100)] {
        let body = app.anonymous().get(&format!("/api/posts/{number}")).await.problem(404, "post_not_found");
        assert_eq!(body["detail"], "Post not found");
        let body = app.anonymous().get(&format!("/api/users/{number}/posts")).await.problem(404, "user_not_found");
        assert_eq!(body["detail"], "User not found");
    }
    for id in ["1.5", "abc", &UNKNOWN_ID.replace('-', "")] {
        let body = app.anonymous().get(&format!("/api/posts/{id}")).await.ok(422);
        assert_eq!(places(&body), [json!(["path", "post_id"])], "{id}");
    }
}

#[tokio::test]
async fn an_author_rewrites_a_post_and_everything_else_stays() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Draft").await;
    app.clock.advance(SignedDuration::from_secs(60));
    let changed = ada.put(&path_of(&post), json!({ "title": "Final", "content": "Done." })).await.ok(200);
    let mut expected = post.clone();
    expected["title"] = json!("Final");
    expected["content"] = json!("Done.");
    assert_eq!(changed, expected);
    assert_eq!(app.anonymous().get(&path_of(&post)).await.ok(200), expected);
}

#[tokio::test]
async fn an_author_changes_only_the_fields_that_are_given() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Draft").await;
    let mut expected = post.clone();
    for (changes, field) in [
        (json!({ "title": "New title" }), Some("title")),
        (json!({ "content": "New content" }), Some("content")),
        (json!({}), None),
        (json!({ "title": null, "content": null }), None),
        (json!({ "title": null, "content": "Newer content" }), Some("content")),
    ] {
        if let Some(field) = field {
            expected[field] = changes[field].clone();
        }
        assert_eq!(ada.patch(&path_of(&post), changes.clone()).await.ok(200), expected, "{changes}");
        assert_eq!(app.anonymous().get(&path_of(&post)).await.ok(200), expected, "{changes}");
    }
}

#[tokio::test]
async fn put_needs_both_fields() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Draft").await;
    let body = ada.put(&path_of(&post), json!({ "title": null })).await.ok(422);
    assert_eq!(places(&body), [json!(["body", "title"]), json!(["body", "content"])]);
    assert_eq!(app.anonymous().get(&path_of(&post)).await.ok(200), post);
}

#[tokio::test]
async fn an_author_deletes_a_post() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Gone").await;
    ada.delete(&path_of(&post)).await.ok(204);
    app.anonymous().get(&path_of(&post)).await.problem(404, "post_not_found");
    ada.delete(&path_of(&post)).await.problem(404, "post_not_found");
    ada.patch(&path_of(&post), json!({ "title": "Back" })).await.problem(404, "post_not_found");
    assert_eq!(app.anonymous().get("/api/posts").await.ok(200)["total"], 0);
}

#[tokio::test]
async fn somebody_elses_post_cannot_be_touched() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let post = publish(&ada, "Mine").await;
    let path = path_of(&post);
    let new = json!({ "title": "Yours", "content": "now" });
    for (answer, verb) in [
        (eve.put(&path, new.clone()).await, "update"),
        (eve.patch(&path, new).await, "update"),
        (eve.patch(&path, json!({})).await, "update"),
        (eve.delete(&path).await, "delete"),
    ] {
        assert_eq!(answer.problem(403, "not_your_post")["detail"], format!("Not authorized to {verb} this post"));
    }
    assert_eq!(app.anonymous().get(&path).await.ok(200), post);
}

#[tokio::test]
async fn existence_is_asked_before_ownership() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let path = format!("/api/posts/{UNKNOWN_ID}");
    let new = json!({ "title": "Title", "content": "Content" });
    ada.put(&path, new.clone()).await.problem(404, "post_not_found");
    ada.patch(&path, new).await.problem(404, "post_not_found");
    ada.delete(&path).await.problem(404, "post_not_found");
}

#[tokio::test]
async fn authentication_is_asked_before_everything_else() {
    let app = blog().await;
    let (ada, stranger) = (app.user("ada").await, app.anonymous());
    let path = path_of(&publish(&ada, "Post").await);
    let good = json!({ "title": "Title", "content": "Content" });
    for answer in [
        stranger.post("/api/posts", good.clone()).await,
        stranger.post("/api/posts", json!({ "title": "" })).await,
        stranger.put(&path, good.clone()).await,
        stranger.patch(&path, good.clone()).await,
        stranger.delete(&path).await,
        stranger.delete("/api/posts/unreadable").await,
        stranger.put("/api/posts/unreadable", json!({})).await,
        stranger.patch(&format!("/api/posts/{UNKNOWN_ID}"), good).await,
    ] {
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        assert_eq!(answer.problem(401, "not_authenticated")["detail"], "Not authenticated");
    }
}

#[tokio::test]
async fn validation_is_asked_before_any_lookup() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let theirs = path_of(&publish(&ada, "Post").await);
    let unknown = format!("/api/posts/{UNKNOWN_ID}");
    for path in [theirs, unknown, "/api/posts/999".to_owned()] {
        eve.put(&path, json!({})).await.ok(422);
        eve.patch(&path, json!({ "title": "" })).await.ok(422);
    }
    app.anonymous().delete("/api/posts/999").await.problem(401, "not_authenticated");
    eve.delete("/api/posts/999").await.problem(404, "post_not_found");
    eve.patch("/api/posts/999", json!({ "title": "Title" })).await.problem(404, "post_not_found");
    eve.delete("/api/posts/unreadable").await.ok(422);
}

#[tokio::test]
async fn a_deleted_user_publishes_nothing() {
    let app = blog().await;
    let ada = app.user("ada").await;
    ada.delete(&format!("/api/users/{}", ada.id)).await.ok(204);
    let answer = ada.post("/api/posts", json!({ "title": "Title", "content": "Content" })).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn bad_fields_are_all_named() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let long = "é".repeat(101);
    let (title, content) = (json!(["body", "title"]), json!(["body", "content"]));
    for (body, expected) in [
        (json!({}), vec![(&title, "missing"), (&content, "missing")]),
        (json!({ "title": "", "content": "" }), vec![(&title, "string_too_short"), (&content, "string_too_short")]),
        (json!({ "title": long, "content": "x" }), vec![(&title, "string_too_long")]),
        (json!({ "title": 1, "content": ["x"] }), vec![(&title, "string_type"), (&content, "string_type")]),
    ] {
        let answer = ada.post("/api/posts", body.clone()).await.ok(422);
        let items = answer["detail"].as_array().unwrap();
        let found: Vec<_> = items.iter().map(|item| (&item["loc"], item["type"].as_str().unwrap())).collect();
        assert_eq!(found, expected, "{body}");
    }
    assert_eq!(app.anonymous().get("/api/posts").await.ok(200)["total"], 0);
}

#[tokio::test]
async fn texts_of_any_script_come_back_as_they_were_sent() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for (title, content) in [
        ("e\u{301} is not é", "naïve — “quotes” 𝔘𝔫𝔦𝔠𝔬𝔡𝔢"),
        ("  spaces kept  ", "\n\tline\r\nbreaks\n"),
        ("<script>alert(1)</script>", "'; DROP TABLE posts; --"),
        ("مرحبا", "👩‍👩‍👧‍👦 \u{202e}abc"),
        (" . ", " "),
    ] {
        let post = ada.post("/api/posts", json!({ "title": title, "content": content })).await.ok(201);
        let read = app.anonymous().get(&path_of(&post)).await.ok(200);
        assert_eq!((&read["title"], &read["content"]), (&json!(title), &json!(content)));
    }
    let longest = "😀".repeat(100);
    let post = ada.post("/api/posts", json!({ "title": longest, "content": "x" })).await.ok(201);
    assert_eq!(post["title"], longest);
}

#[tokio::test]
async fn a_title_that_shows_nothing_is_refused() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Post").await;
    for title in [
        " ",
        "\u{a0}\u{3000}\t\n",
        "\u{200b}",
        "\u{200d}\u{200c}",
        "\u{feff}\u{2060}\u{ad}",
        "\u{202e}\u{2066}",
        "\u{2800}\u{2800}",
        "\u{3164}\u{115f}\u{1160}\u{ffa0}",
        "\u{fe0f}",
        "\u{180e}\u{34f}",
        "\u{e0020}\u{e007f}",
        "\u{301}\u{20dd}",
        "\u{1}",
    ] {
        let body =
            ada.post("/api/posts", json!({ "title": title, "content": "x" })).await.problem(422, "invalid_fields");
        assert_eq!(places(&body), [json!(["body", "title"])], "{title:?}");
        assert_eq!(body["detail"][0]["msg"], "Title should have at least 1 visible character");
        ada.put(&path_of(&post), json!({ "title": title, "content": "x" })).await.ok(422);
        ada.patch(&path_of(&post), json!({ "title": title })).await.ok(422);
    }
    for title in [" a ", ".", "👩\u{200d}💻", "\u{200f}שלום", "\u{200b}a"] {
        assert_eq!(ada.patch(&path_of(&post), json!({ "title": title })).await.ok(200)["title"], title);
    }
}

#[tokio::test]
async fn a_nul_character_is_refused() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for body in [json!({ "title": "a\u{0}b", "content": "x" }), json!({ "title": "a", "content": "x\u{0}" })] {
        assert_eq!(ada.post("/api/posts", body.clone()).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn a_content_of_a_hundred_thousand_characters_works() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for character in ["a", "é", "😀"] {
        let content = character.repeat(100_000);
        let post = ada.post("/api/posts", json!({ "title": "Long", "content": content })).await.ok(201);
        let read = app.anonymous().get(&path_of(&post)).await.ok(200);
        assert_eq!(read["content"], content);
        let replaced = ada.put(&path_of(&post), json!({ "title": "Long", "content": content })).await.ok(200);
        assert_eq!(replaced["content"], content);
    }
    // Many clients escape non-ASCII characters: twelve bytes for one like this.
    let escaped = format!("{{\"title\":\"Long\",\"content\":\"{}\"}}", "\\ud83d\\ude00".repeat(100_000));
    let post = ada.send("POST", "/api/posts", "application/json", escaped).await.ok(201);
    assert_eq!(post["content"], "😀".repeat(100_000));
}

#[tokio::test]
async fn a_content_of_more_than_a_mebibyte_is_refused() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = |bytes: usize| json!({ "title": "Long", "content": "a".repeat(bytes) });
    ada.post("/api/posts", post(1 << 20)).await.ok(201);
    let body = ada.post("/api/posts", post((1 << 20) + 1)).await.ok(422);
    assert_eq!(places(&body), [json!(["body", "content"])]);
}

#[tokio::test]
async fn too_large_a_body_is_refused() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let body = json!({ "title": "Long", "content": "a".repeat(crate::settings().post_body_bytes_max) });
    ada.post("/api/posts", body.clone()).await.problem(413, "payload_too_large");
    let post = publish(&ada, "Post").await;
    ada.patch(&path_of(&post), body).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn fields_that_are_not_the_clients_to_set_are_ignored() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let more = json!({
        "title": "Title",
        "content": "Content",
        "id": UNKNOWN_ID,
        "user_id": eve.id.to_string(),
        "date_posted": "2001-01-01T00:00:00Z",
        "author": { "id": eve.id.to_string() },
    });
    let post = ada.post("/api/posts", more.clone()).await.ok(201);
    assert_ne!(post["id"], UNKNOWN_ID);
    assert_eq!(post["user_id"], ada.id.to_string());
    assert_eq!(post["author"]["username"], "ada");
    assert_eq!(post["date_posted"], app.clock.now().to_string());
    for answer in [ada.put(&path_of(&post), more.clone()).await, ada.patch(&path_of(&post), more.clone()).await] {
        assert_eq!(answer.ok(200), post);
    }
}

#[tokio::test]
async fn bodies_that_are_not_one_json_object_are_refused() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for body in
        [r#"{"title":"a","title":"b","content":"c"}"#, r#"{"title":"a","content":"b""#, r#"["a","b"]"#, "null", ""]
    {
        let answer = ada.send("POST", "/api/posts", "application/json", body.to_owned()).await;
        assert_eq!(answer.status, 422, "{body}");
    }
    let answer = ada.send("POST", "/api/posts", "text/plain", "title".to_owned()).await;
    let body = answer.problem(415, "unsupported_media_type");
    assert_eq!(body["detail"], "Expected application/json, not text/plain");
}

#[tokio::test]
async fn wrong_methods_and_paths_are_told() {
    let app = blog().await;
    let answer = app.anonymous().put("/api/posts", json!({})).await;
    assert_eq!(answer.problem(405, "method_not_allowed")["detail"], "Method Not Allowed");
    let answer = app.anonymous().get(&format!("/api/posts/{UNKNOWN_ID}/comments")).await;
    assert_eq!(answer.problem(404, "not_found")["detail"], "Not Found");
}

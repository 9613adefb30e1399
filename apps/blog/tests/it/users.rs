use jiff::SignedDuration;
use serde_json::json;

use crate::{UNKNOWN_ID, blog, ids, path_of, publish, titles};

#[tokio::test]
async fn a_users_posts_are_theirs_alone_and_newest_first() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    for n in 0..6 {
        publish(&ada, &format!("ada {n}")).await;
        publish(&eve, &format!("eve {n}")).await;
        app.clock.advance(SignedDuration::from_secs(1));
    }
    let reader = app.anonymous();
    let page = reader.get(&format!("/api/users/{}/posts?limit=4", ada.id)).await.ok(200);
    assert_eq!(titles(&page), ["ada 5", "ada 4", "ada 3", "ada 2"]);
    assert_eq!((&page["total"], &page["skip"], &page["limit"]), (&json!(6), &json!(0), &json!(4)));
    assert_eq!(page["has_more"], true);
    assert_eq!(page["posts"][0]["author"], reader.get(&format!("/api/users/{}", ada.id)).await.ok(200));

    let cursor = page["next_cursor"].as_str().unwrap();
    let by_cursor = reader.get(&format!("/api/users/{}/posts?limit=4&after={cursor}", ada.id)).await.ok(200);
    let by_skip = reader.get(&format!("/api/users/{}/posts?limit=4&skip=4", ada.id)).await.ok(200);
    assert_eq!(titles(&by_skip), ["ada 1", "ada 0"]);
    assert_eq!(ids(&by_cursor), ids(&by_skip));
    for page in [by_cursor, by_skip] {
        assert_eq!((&page["has_more"], &page["next_cursor"], &page["total"]), (&json!(false), &json!(null), &json!(6)));
    }
}

#[tokio::test]
async fn a_user_without_posts_has_an_empty_list() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    publish(&eve, "Not Ada's").await;
    let page = app.anonymous().get(&format!("/api/users/{}/posts", ada.id)).await.ok(200);
    let expected = json!({ "posts": [], "total": 0, "skip": 0, "limit": 10, "has_more": false, "next_cursor": null });
    assert_eq!(page, expected);
}

#[tokio::test]
async fn an_unknown_users_posts_are_not_found_but_a_bad_request_is_told_first() {
    let app = blog().await;
    let reader = app.anonymous();
    let answer = reader.get(&format!("/api/users/{UNKNOWN_ID}/posts")).await;
    assert_eq!(answer.problem(404, "user_not_found")["detail"], "User not found");
    let body = reader.get(&format!("/api/users/{UNKNOWN_ID}/posts?limit=0")).await.ok(422);
    assert_eq!(body["detail"][0]["loc"], json!(["query", "limit"]));
    let body = reader.get("/api/users/unreadable/posts").await.ok(422);
    assert_eq!(body["detail"][0]["loc"], json!(["path", "user_id"]));
}

#[tokio::test]
async fn posts_show_their_authors_present_name() {
    let app = blog().await;
    let ada = app.user("ada").await;
    let post = publish(&ada, "Post").await;
    ada.patch(&format!("/api/users/{}", ada.id), json!({ "username": "Countess" })).await.ok(200);
    let reader = app.anonymous();
    for post in [
        reader.get(&path_of(&post)).await.ok(200),
        reader.get("/api/posts").await.ok(200)["posts"][0].clone(),
        reader.get(&format!("/api/users/{}/posts", ada.id)).await.ok(200)["posts"][0].clone(),
        ada.patch(&path_of(&post), json!({})).await.ok(200),
    ] {
        assert_eq!(post["author"]["username"], "Countess");
    }
}

#[tokio::test]
async fn a_deleted_users_posts_are_gone() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let gone = publish(&ada, "Gone").await;
    publish(&ada, "Gone too").await;
    publish(&eve, "Stays").await;
    ada.delete(&format!("/api/users/{}", ada.id)).await.ok(204);
    let reader = app.anonymous();
    reader.get(&path_of(&gone)).await.problem(404, "post_not_found");
    reader.get(&format!("/api/users/{}/posts", ada.id)).await.problem(404, "user_not_found");
    let page = reader.get("/api/posts").await.ok(200);
    assert_eq!(titles(&page), ["Stays"]);
    assert_eq!((&page["total"], &page["has_more"]), (&json!(1), &json!(false)));
}

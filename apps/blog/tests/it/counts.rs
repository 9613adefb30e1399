use countersign::testing::{Caller, TestApp, User};
use countersign_db::on_db;
use serde_json::json;

use crate::{blog, path_of, publish};

/// The stored totals and the actual number of posts.
async fn totals(app: &TestApp) -> (i64, i64, i64) {
    let mut read = app.db().read().await.unwrap();
    on_db!(read.conn(), c => {
        sqlx::query_as(
            "SELECT (SELECT CAST(SUM(posts) AS BIGINT) FROM post_totals), \
                    (SELECT CAST(COALESCE(SUM(posts), 0) AS BIGINT) FROM post_counts), \
                    (SELECT COUNT(*) FROM posts)",
        )
        .fetch_one(c)
        .await
        .unwrap()
    })
}

async fn assert_totals(app: &TestApp, expected: i64) {
    assert_eq!(totals(app).await, (expected, expected, expected));
    assert_eq!(app.anonymous().get("/api/posts?limit=1").await.ok(200)["total"], expected);
}

async fn total_of(app: &TestApp, user: &User) -> serde_json::Value {
    app.anonymous().get(&format!("/api/users/{}/posts?limit=1", user.id)).await.ok(200)["total"].clone()
}

#[tokio::test]
async fn totals_follow_every_post_and_every_deleted_user() {
    let app = blog().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    assert_totals(&app, 0).await;
    let first = publish(&ada, "1").await;
    publish(&ada, "2").await;
    publish(&eve, "3").await;
    assert_totals(&app, 3).await;
    ada.patch(&path_of(&first), json!({ "title": "changed" })).await.ok(200);
    eve.delete(&path_of(&first)).await.ok(403);
    assert_totals(&app, 3).await;
    assert_eq!((total_of(&app, &ada).await, total_of(&app, &eve).await), (json!(2), json!(1)));
    ada.delete(&path_of(&first)).await.ok(204);
    assert_totals(&app, 2).await;
    eve.delete(&format!("/api/users/{}", eve.id)).await.ok(204);
    assert_totals(&app, 1).await;
    assert_eq!(total_of(&app, &ada).await, json!(1));
}

#[tokio::test]
async fn an_authors_count_goes_with_the_last_post_and_comes_back_with_the_next() {
    let app = blog().await;
    let ada = app.user("ada").await;
    for _ in 0..2 {
        let post = publish(&ada, "Post").await;
        assert_totals(&app, 1).await;
        ada.delete(&path_of(&post)).await.ok(204);
        assert_totals(&app, 0).await;
    }
    let mut read = app.db().read().await.unwrap();
    let rows: i64 = on_db!(read.conn(), c => {
        sqlx::query_scalar("SELECT COUNT(*) FROM post_counts").fetch_one(c).await.unwrap()
    });
    assert_eq!(rows, 0);
}

/// Publishes `posts` posts and deletes every third one.
async fn write(caller: &Caller, posts: usize) {
    for n in 0..posts {
        let post = publish(caller, &format!("{n}")).await;
        if n % 3 == 0 {
            caller.delete(&path_of(&post)).await.ok(204);
        }
    }
}

#[tokio::test]
async fn totals_are_right_after_many_have_written_at_once() {
    let app = blog().await;
    let [ada, eve, bob, kim] =
        [app.user("ada").await, app.user("eve").await, app.user("bob").await, app.user("kim").await];
    // Two of them write for the same author and wait for each other; the others wait for no one.
    tokio::join!(write(&ada, 12), write(&ada, 12), write(&eve, 12), write(&bob, 12), write(&kim, 12));
    assert_totals(&app, 5 * 8).await;
    assert_eq!(total_of(&app, &ada).await, json!(16));
    assert_eq!(total_of(&app, &eve).await, json!(8));
}

/// Publishes until the account is gone, which must never cause a server error.
async fn publish_until_gone(caller: &Caller) {
    for n in 0..200 {
        let answer = caller.post("/api/posts", json!({ "title": format!("{n}"), "content": "x" })).await;
        match answer.status {
            201 => {}
            401 => return,
            other => panic!("a deleted author was answered with {other}"),
        }
    }
    panic!("the account was never gone");
}

/// Publishes and deletes until the account is gone.
async fn publish_and_delete_until_gone(caller: &Caller) {
    for n in 0..200 {
        let answer = caller.post("/api/posts", json!({ "title": format!("{n}"), "content": "x" })).await;
        if answer.status == 401 {
            return;
        }
        let path = path_of(&answer.ok(201));
        match caller.delete(&path).await.status {
            204 | 404 => {}
            401 => return,
            other => panic!("a deleted author was answered with {other}"),
        }
    }
    panic!("the account was never gone");
}

#[tokio::test]
async fn a_user_can_be_deleted_in_the_middle_of_writing() {
    let app = blog().await;
    let eve = app.user("eve").await;
    publish(&eve, "Stays").await;
    for name in ["ada", "bob", "kim"] {
        let user = app.user(name).await;
        let leave = async {
            for _ in 0..3 {
                publish(&eve, "Stays too").await;
            }
            user.delete(&format!("/api/users/{}", user.id)).await.ok(204);
        };
        tokio::join!(
            publish_until_gone(&user),
            publish_until_gone(&user),
            publish_and_delete_until_gone(&user),
            publish_and_delete_until_gone(&user),
            leave
        );
    }
    assert_totals(&app, 10).await;
    assert_eq!(total_of(&app, &eve).await, json!(10));
}

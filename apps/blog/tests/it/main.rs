//! Tests of the blog through its real router, on the database that `TEST_DATABASE` names.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod copy;
mod counts;
mod documents;
mod duplicates;
mod error_pages;
mod feed;
mod hosts;
mod injection;
mod other_sites;
mod pages;
mod paths;
mod posts;
mod safe_methods;
mod scanner;
mod schema;
mod users;
mod walk;
mod writing;

use blog::{Blog, BlogSettings, State};
use conf::Conf as _;
use countersign::config::Config;
use countersign::templates::Templates;
use countersign::testing::{Caller, TestApp};
use countersign_server::{Host as _, HttpSettings, assemble, openapi};
use serde_json::{Value, json};

/// A blog with its default settings and an empty database.
async fn blog() -> TestApp {
    blog_with(|_| {}).await
}

/// The same without rate limits, for tests with many requests: a 429 would hide their outcome.
async fn unlimited_blog() -> TestApp {
    blog_with(|config| config.limits = None).await
}

async fn blog_with(configure: impl FnOnce(&mut Config)) -> TestApp {
    let configure = |config: &mut Config| {
        with_pages(config);
        configure(config);
    };
    TestApp::host_with(&[&blog::MIGRATIONS], configure, |accounts| {
        (assemble::<Blog>(State::new(accounts, &settings()), &settings(), &HttpSettings::default()), openapi::<Blog>())
    })
    .await
}

/// Sets the blog's templates, like its `main`.
fn with_pages(config: &mut Config) {
    config.mail.templates = Blog::templates(Templates::builder()).build().expect("the blog's own templates");
}

fn settings() -> BlogSettings {
    let nothing: [(&str, &str); 0] = [];
    BlogSettings::try_parse_from(["blog"], nothing).expect("every setting has a default")
}

/// Publishes a post and returns it.
async fn publish(caller: &Caller, title: &str) -> Value {
    caller.post("/api/posts", json!({ "title": title, "content": format!("About {title}.") })).await.ok(201)
}

/// The path of a post.
fn path_of(post: &Value) -> String {
    format!("/api/posts/{}", post["id"].as_str().expect("a post has an id"))
}

fn titles(page: &Value) -> Vec<String> {
    texts(page, "title")
}

fn ids(page: &Value) -> Vec<String> {
    texts(page, "id")
}

fn texts(page: &Value, field: &str) -> Vec<String> {
    let posts = page["posts"].as_array().expect("a page has posts");
    posts.iter().map(|post| post[field].as_str().expect("a text").to_owned()).collect()
}

/// A well-formed id that does not exist.
const UNKNOWN_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

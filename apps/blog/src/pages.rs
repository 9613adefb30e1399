//! The blog's pages beside those of the accounts, and how posts look on them.

mod feed;
mod list;
mod markdown;
mod post;
mod shown;
mod write;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use countersign::model::Language;
use countersign::templates::TemplatesBuilder;
use tower_http::compression::CompressionLayer;

pub(crate) use self::feed::KeptFeed;
pub(crate) use self::markdown::assert_is_harmless as assert_markdown_is_harmless;
pub(crate) use self::write::Senders;
use crate::State;

/// Everything that is read and written in a browser.
pub(crate) fn routes(post_body_bytes_max: usize) -> Router<State> {
    // These have no secret in them that the length of an answer could tell of.
    let public = Router::new()
        .route("/", get(list::everyone))
        .route("/posts", get(list::everyone))
        .route("/posts/{post_id}", get(post::show))
        .route("/users/{user_id}/posts", get(list::of_author))
        .route("/feed.xml", get(feed::atom))
        .layer(CompressionLayer::new());
    let writing = Router::new()
        .route("/posts/new", get(write::show_new).post(write::publish))
        .route("/posts/{post_id}/edit", get(write::show_edit).post(write::save))
        .route("/posts/{post_id}/delete", get(write::show_deletion).post(write::delete))
        // A form writes three bytes for most bytes of a text that is not in Latin letters.
        .layer(DefaultBodyLimit::max(post_body_bytes_max.saturating_mul(3)));
    countersign::pages::routes().merge(public).merge(writing)
}

/// The blog's templates and texts beside the library's, and its layout in the place of the library's.
pub(crate) fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
    let language = |tag: &str| Language::parse(tag).expect("a language tag");
    ours.templates(&[
        ("pages/layout.html", include_str!("../templates/layout.html")),
        ("blog/author.html", include_str!("../templates/author.html")),
        ("blog/delete.html", include_str!("../templates/delete.html")),
        ("blog/feed.xml", include_str!("../templates/feed.xml")),
        ("blog/parts.html", include_str!("../templates/parts.html")),
        ("blog/post.html", include_str!("../templates/post.html")),
        ("blog/posts.html", include_str!("../templates/posts.html")),
        ("blog/write.html", include_str!("../templates/write.html")),
    ])
    .texts(&language("en"), include_str!("../locales/en.ftl"))
    .texts(&language("de"), include_str!("../locales/de.ftl"))
}

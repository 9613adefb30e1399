//! The blog's own pages, and rendering posts on them.

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

/// Returns all pages.
pub(crate) fn routes(post_body_bytes_max: usize) -> Router<State> {
    // Compression is safe, because these pages contain no secrets whose content the length could reveal.
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
        // Forms encode most bytes of non-Latin text as three bytes.
        .layer(DefaultBodyLimit::max(post_body_bytes_max.saturating_mul(3)));
    countersign::pages::routes().merge(public).merge(writing)
}

/// Adds the blog's templates and texts to the library's, and replaces its layout.
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

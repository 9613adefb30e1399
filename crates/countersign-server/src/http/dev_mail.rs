//! The pages under `/dev/mail`, which show captured mails in the browser. Only `dev` has them.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::http::problem::{self, Problem};
use countersign::mail::{Mailbox, OutgoingMail};
use countersign::model::Language;
use countersign::templates::{Templates, Value, context};
use sha2::{Digest as _, Sha256};

use super::browser_headers::Transport;

const STYLE: &str = include_str!("../../assets/dev_mail/page.css");
const LIST: &str = "dev_mail/list.html";
const MAIL: &str = "dev_mail/mail.html";

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
    let pages = [
        (LIST, include_str!("../../assets/dev_mail/list.html")),
        (MAIL, include_str!("../../assets/dev_mail/mail.html")),
    ];
    Templates::builder().templates(&pages).build().expect("the tests build them")
});

/// Allows the pages' own style and the frame with a mail's HTML, and nothing else.
static PAGE_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'; \
         form-action 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 may stand in a header")
});

/// Lets a mail style itself and its links be followed; it cannot run or load anything.
const MAIL_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; \
     sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation",
);

/// Returns the pages. They show password reset links, so they are served only for local host names, which prevents DNS
/// rebinding.
pub(super) fn routes(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/dev/mail", get(list))
        .route("/dev/mail/{id}", get(mail))
        .route("/dev/mail/{id}/html", get(html))
        .layer(from_fn(for_local_names))
        .with_state(mailbox)
}

async fn for_local_names(request: Request, next: Next) -> Response {
    match Transport::of(&request) {
        Transport::Local => next.run(request).await,
        Transport::Public => not_found(),
    }
}

async fn list(State(mailbox): State<Mailbox>) -> Response {
    let mails: Vec<Value> = mailbox.list().iter().map(|mail| summary(mail)).collect();
    page(LIST, context! { mails })
}

async fn mail(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    let Some(mail) = mailbox.find(&id) else { return not_found() };
    let from = match &mail.from.name {
        Some(name) => format!("{} <{}>", name.as_str(), mail.from.address.as_str()),
        None => mail.from.address.as_str().to_owned(),
    };
    page(
        MAIL,
        context! { mail => context! { from, text => mail.text.as_str(), headers => mail.headers(), ..summary(&mail) } },
    )
}

async fn html(State(mailbox): State<Mailbox>, Path(id): Path<String>) -> Response {
    let Some(mail) = mailbox.find(&id) else { return not_found() };
    // A link must leave the frame, as it leaves the mail in a mail program.
    let html = mail.html.replacen("<head>", "<head><base target=\"_top\">", 1);
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_SECURITY_POLICY, MAIL_POLICY),
        (X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    (headers, Html(html)).into_response()
}

fn summary(mail: &OutgoingMail) -> Value {
    let (id, date) = (mail.id.to_string(), format!("{:.0}", mail.date));
    let shown = date.replace('T', " ").replace('Z', " UTC");
    context! { id, date, shown, subject => mail.subject.as_str(), to => mail.to.as_str() }
}

fn page(name: &str, content: Value) -> Response {
    let style = Value::from_safe_string(STYLE.to_owned());
    match TEMPLATES.render(name, &Language::default(), context! { style, ..content }) {
        Ok(page) => ([(CONTENT_SECURITY_POLICY, PAGE_POLICY.clone())], Html(page)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page could not be put together");
            Problem::new(&problem::INTERNAL).into_response()
        }
    }
}

fn not_found() -> Response {
    Problem::new(&problem::NOT_FOUND).detail("Not Found").into_response()
}

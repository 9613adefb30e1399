//! The HTML of the problem list. It has its own style, because it is the same for every host.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::http::problem::ProblemKind;
use sha2::{Digest as _, Sha256};

/// Allows the page's own style and nothing else.
pub(super) static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    HeaderValue::try_from(policy).expect("base64 may stand in a header")
});

const STYLE: &str = "\
:root{color-scheme:light dark;font:100%/1.6 system-ui,sans-serif}\
body{margin:0 auto;padding:4rem 1.5rem;max-width:44rem}\
h1{font-size:1.5rem;line-height:1.2}h2{font-size:1.1rem;margin:2rem 0 0}\
p{margin:.3rem 0}code,.status{opacity:.7}a{color:inherit}\
section:target{outline:2px solid;outline-offset:.6rem;border-radius:2px}";

/// Renders every problem kind under its own anchor.
pub(super) fn problem_list<'k>(kinds: impl Iterator<Item = &'k ProblemKind>) -> String {
    let mut body = String::from(
        "<h1>Problems</h1><p>The errors that this API returns. The fragment of an error's <code>type</code> leads here.</p>",
    );
    for kind in kinds {
        let status = StatusCode::from_u16(kind.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Writing to a string cannot fail.
        let _ = write!(
            body,
            "<section id=\"{code}\"><h2>{title}</h2><p><code>{code}</code> · {status}</p><p>{when}</p></section>",
            code = kind.code,
            title = escape(kind.title),
            when = escape(kind.when),
        );
    }
    page("Problems", &body)
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><meta name=\"description\" content=\"The errors that this API returns.\"><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

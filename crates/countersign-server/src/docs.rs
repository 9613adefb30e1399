//! The API's documentation: `/openapi.json`, and `/docs`, a page to try every operation.
//!
//! The page is embedded in the binary, and its Content-Security-Policy forbids loading anything else. It is [Swagger
//! UI](https://github.com/swagger-api/swagger-ui), because that can log in with the OAuth2 password flow.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, LazyLock};

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, get};
use axum::{BoxError, Router};
use bytes::Bytes;
use countersign::http::problem::{self, Problem};
use http_body_util::BodyExt as _;
use tokio::sync::OnceCell;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_http::compression::CompressionLayer;
use tower_http::decompression::DecompressionLayer;

const PAGE: &str = include_str!("../assets/docs/page.html");

/// `data:` is for the icons in Swagger UI's style sheet. It needs no inline scripts, inline styles or `eval`.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const CSS: &str = "text/css; charset=utf-8";

/// The files that the page refers to as `{{name}}`.
const ASSETS: [Asset; 5] = [
    Asset {
        name: "swagger-ui-bundle.js",
        content_type: JAVASCRIPT,
        content: Content::Gzipped(include_bytes!("../assets/docs/swagger-ui/swagger-ui-bundle.js.gz")),
    },
    Asset {
        name: "swagger-ui.css",
        content_type: CSS,
        content: Content::Gzipped(include_bytes!("../assets/docs/swagger-ui/swagger-ui.css.gz")),
    },
    Asset {
        name: "page.js",
        content_type: JAVASCRIPT,
        content: Content::Plain(include_bytes!("../assets/docs/page.js")),
    },
    Asset { name: "page.css", content_type: CSS, content: Content::Plain(include_bytes!("../assets/docs/page.css")) },
    Asset {
        name: "favicon.svg",
        content_type: "image/svg+xml; charset=utf-8",
        content: Content::Plain(include_bytes!("../assets/docs/favicon.svg")),
    },
];

/// For URLs whose content may change with the next release.
const ASK_FIRST: &str = "no-cache";
/// For URLs that contain a hash of the content.
const KEEP: &str = "public, max-age=31536000, immutable";

/// Returns the documentation of the API whose OpenAPI document (JSON) is `openapi`.
///
/// URLs in the page are relative, so that it also works behind a proxy that adds a path prefix.
pub(crate) fn router(openapi: Bytes) -> Router {
    // Built on first use, because hashing two megabytes of script takes time at every start.
    let page: Arc<LazyLock<Page>> = Arc::new(LazyLock::new(Page::new));
    let assets = Arc::clone(&page);
    let openapi = File::new([(CONTENT_TYPE, JSON), (CACHE_CONTROL, ASK_FIRST)], Content::Plain(openapi));
    Router::new()
        .route("/docs", get(async move |request: HeaderMap| page.page.answer(&request).await))
        .route(
            "/docs/{asset}",
            get(async move |Path(asset): Path<String>, request: HeaderMap| match assets.assets.get(&asset) {
                Some(file) => file.answer(&request).await,
                None => Problem::new(&problem::NOT_FOUND).detail("Not Found").into_response(),
            }),
        )
        .route("/openapi.json", serve(openapi))
        .route("/redoc", get(async || Redirect::temporary("docs")))
}

/// The page and its assets.
struct Page {
    page: Arc<File>,
    /// By the last segment of their URLs.
    assets: HashMap<String, Arc<File>>,
}

impl Page {
    fn new() -> Self {
        let mut page = PAGE.to_owned();
        let mut assets = HashMap::new();
        for asset in ASSETS {
            let name = asset.address();
            page = page.replace(&format!("{{{{{}}}}}", asset.name), &format!("docs/{name}"));
            let headers = [(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, KEEP)];
            assets.insert(name, File::new(headers, asset.content));
        }
        let headers = [(CONTENT_TYPE, HTML), (CACHE_CONTROL, ASK_FIRST), (CONTENT_SECURITY_POLICY, PAGE_POLICY)];
        Self { page: File::new(headers, Content::Plain(page)), assets }
    }
}

struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: Content<&'static [u8]>,
}

/// Large files are embedded compressed, as most browsers accept them, which saves two thirds of their size.
#[derive(Clone, Copy)]
enum Content<B> {
    Plain(B),
    Gzipped(B),
}

impl Asset {
    /// Returns its name in `docs/`, which contains a hash of the content.
    fn address(&self) -> String {
        let (Content::Plain(bytes) | Content::Gzipped(bytes)) = self.content;
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        format!("{:016x}-{}", hasher.finish(), self.name)
    }
}

/// A file in two encodings. The missing one is made on first use and kept, because compressing costs about as much as
/// hashing a password, too much for every request.
struct File {
    headers: HeaderMap,
    plain: OnceCell<Bytes>,
    gzipped: OnceCell<Bytes>,
}

impl File {
    fn new<const N: usize, B: Into<Bytes>>(headers: [(HeaderName, &'static str); N], content: Content<B>) -> Arc<Self> {
        let headers = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
        let (plain, gzipped) = match content {
            Content::Plain(bytes) => (OnceCell::new_with(Some(bytes.into())), OnceCell::new()),
            Content::Gzipped(bytes) => (OnceCell::new(), OnceCell::new_with(Some(bytes.into()))),
        };
        Arc::new(Self { headers, plain, gzipped })
    }

    async fn answer(&self, request: &HeaderMap) -> Response {
        let mut headers = self.headers.clone();
        headers.insert(VARY, HeaderValue::from_name(ACCEPT_ENCODING));
        let content = if accepts_gzip(request) {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            self.gzipped.get_or_try_init(async || gzip(self.plain.get().cloned().unwrap_or_default()).await).await
        } else {
            self.plain.get_or_try_init(async || gunzip(self.gzipped.get().cloned().unwrap_or_default()).await).await
        };
        match content {
            Ok(content) => (headers, content.clone()).into_response(),
            Err(error) => {
                tracing::error!(error = &*error, "a file of the documentation could not be compressed or decompressed");
                Problem::new(&problem::INTERNAL).into_response()
            }
        }
    }
}

fn serve(file: Arc<File>) -> MethodRouter {
    get(move |request: HeaderMap| async move { file.answer(&request).await })
}

/// Returns whether the request accepts gzip (RFC 9110, section 12.5.3). Only a plain `gzip` counts; `gzip;q=0` refuses
/// it.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let preferences = request.get_all(ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|preference| {
        let (coding, weight) = preference.split_once(';').unwrap_or((preference, "q=1"));
        let weight = weight.trim().trim_start_matches("q=").parse::<f32>();
        coding.trim().eq_ignore_ascii_case("gzip") && weight.is_ok_and(|weight| weight > 0.0)
    })
}

/// Uses tower-http's layer, which saves a direct dependency on a compressor.
async fn gzip(plain: Bytes) -> Result<Bytes, BoxError> {
    let plain = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(plain.clone().into_response()));
    let request = Request::builder().header(ACCEPT_ENCODING, "gzip").body(Body::empty())?;
    let response = CompressionLayer::new().layer(plain).oneshot(request).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

async fn gunzip(gzipped: Bytes) -> Result<Bytes, BoxError> {
    let headers = [(CONTENT_ENCODING, "gzip")];
    let gzipped =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>((headers.clone(), gzipped.clone()).into_response()));
    let response = DecompressionLayer::new().layer(gzipped).oneshot(Request::new(Body::empty())).await?;
    Ok(response.into_body().collect().await?.to_bytes())
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::http::header::LOCATION;
    use sha2::{Digest as _, Sha256};

    use super::*;

    const OPENAPI: &str = r#"{"openapi":"3.1.0","info":{"title":"A test","version":"1"},"paths":{}}"#;

    async fn fetch(path: &str, accept_encoding: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::get(path).header(ACCEPT_ENCODING, accept_encoding).body(Body::empty()).unwrap();
        let response = router(Bytes::from_static(OPENAPI.as_bytes())).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn page() -> String {
        let (_, _, body) = fetch("/docs", "identity").await;
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn the_page_is_html_under_its_own_strict_policy() {
        let (status, headers, _) = fetch("/docs", "identity").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
    }

    #[tokio::test]
    async fn the_page_has_nothing_inline_and_refers_to_no_other_host() {
        let page = page().await;
        assert!(!page.contains("//") && !page.contains("{{"), "{page}");
        assert!(!page.contains("<style") && !page.contains("style="), "{page}");
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"docs/"), "{script}");
        }
    }

    #[tokio::test]
    async fn every_asset_is_linked_by_its_content_and_may_be_kept_for_good() {
        let page = page().await;
        for asset in ASSETS {
            let address = format!("docs/{}", asset.address());
            assert!(page.contains(&format!("\"{address}\"")), "{address}");
            let (status, headers, body) = fetch(&format!("/{address}"), "identity").await;
            assert_eq!(status, StatusCode::OK, "{address}");
            if let Content::Plain(content) = asset.content {
                assert_eq!(&body[..], content, "{address}");
            }
            assert_eq!(headers[CONTENT_TYPE], asset.content_type);
            assert_eq!(headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
        }
    }

    #[tokio::test]
    async fn files_of_others_are_unchanged() {
        let list = include_str!("../../../THIRD-PARTY.md");
        let [script, sheet, ..] = ASSETS;
        for asset in [script, sheet] {
            let (_, _, body) = fetch(&format!("/docs/{}", asset.address()), "identity").await;
            let sum = Sha256::digest(&body).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
            assert!(list.contains(&format!("| `{}` | `{sum}` |", asset.name)), "{} {sum}", asset.name);
        }
    }

    #[tokio::test]
    async fn the_openapi_document_is_served_as_it_was_given() {
        let (status, headers, body) = fetch("/openapi.json", "identity").await;
        assert_eq!((status, &body[..]), (StatusCode::OK, OPENAPI.as_bytes()));
        assert_eq!(headers[CONTENT_TYPE], "application/json");
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
    }

    #[tokio::test]
    async fn redoc_leads_to_the_page() {
        let (status, headers, _) = fetch("/redoc", "identity").await;
        assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(headers[LOCATION], "docs");
    }

    #[tokio::test]
    async fn an_unknown_asset_is_left_to_the_fallback() {
        let (status, _, _) = fetch("/docs/0000000000000000-page.js", "identity").await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn the_style_sheet_is_compressed_for_whoever_accepts_it() {
        let [_, sheet, ..] = ASSETS;
        let path = format!("/docs/{}", sheet.address());
        let (_, _, plain) = fetch(&path, "").await;
        for accepted in ["gzip", "br, GZIP;q=0.5", "gzip ; q=1.0, identity"] {
            let (status, headers, body) = fetch(&path, accepted).await;
            assert_eq!(status, StatusCode::OK);
            assert_eq!(headers[CONTENT_ENCODING], "gzip", "{accepted}");
            assert_eq!(headers[VARY], "accept-encoding");
            assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() < plain.len() / 4, "{accepted}");
        }
        for refused in ["identity", "br", "gzip;q=0", "gzip;q=0.000", "gzip;q=x"] {
            let (_, headers, body) = fetch(&path, refused).await;
            assert!(!headers.contains_key(CONTENT_ENCODING), "{refused}");
            assert_eq!(headers[VARY], "accept-encoding");
            assert_eq!(body, plain, "{refused}");
        }
    }
}

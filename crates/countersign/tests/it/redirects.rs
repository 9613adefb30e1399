//! Redirects whose target comes from a request: never to another site, and never with injected headers.

use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use countersign::config::RegistrationMode;
use countersign::testing::{Answer, PASSWORD, TestApp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

const SITE: &str = "http://localhost:8000";

/// Targets that a browser, a proxy or a URL parser might resolve to another site.
const ELSEWHERE: [&str; 60] = [
    "https://evil.example",
    "http://evil.example",
    "HTTPS://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "http:\\\\evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "//evil.example/%2f..",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\\\\evil.example",
    "//\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    " //evil.example",
    "\u{a0}//evil.example",
    "\u{0}//evil.example",
    "/\u{0}/evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/%2f/evil.example",
    "/%5cevil.example",
    "/%09/evil.example",
    "/;@evil.example",
    "/@evil.example",
    "@evil.example",
    ".evil.example",
    ":80",
    "://evil.example",
    ";//evil.example",
    "?//evil.example",
    "#//evil.example",
    "javascript:alert(1)",
    "java\nscript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript://localhost:8000/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:http://localhost:8000/x",
    "file:///etc/passwd",
    "mailto:eve@evil.example",
    "ftp://evil.example",
    "http://localhost:8000.evil.example",
    "http://localhost:8000@evil.example",
    "http://evil.example#localhost:8000",
    "http://evil.example\\@localhost:8000",
    "//localhost:8000@evil.example",
    "//0x7f000001:81",
    "//[::1]:81",
    "\u{ff0f}\u{ff0f}evil.example",
    "/\u{ff0f}evil.example",
    "/\u{3002}\u{3002}/evil.example",
    "//evil\u{3002}example",
    "evil.example",
];

/// Asserts that the redirect stays on the site.
#[track_caller]
fn stays(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 303, "{what}: {}", answer.text());
    let locations: Vec<&str> = answer.headers.get_all("location").iter().map(|place| place.to_str().unwrap()).collect();
    assert_eq!(locations.len(), 1, "{what}: {locations:?}");
    let base = Url::parse(&format!("{SITE}/login")).unwrap();
    let there = base.join(locations[0]).unwrap();
    assert_eq!(there.origin(), base.origin(), "{what}: {}", locations[0]);
    // Browsers treat backslashes as slashes and drop tabs and line ends, so the target contains none of them.
    assert!(locations[0].starts_with('/') && !locations[0].starts_with("//"), "{what}: {}", locations[0]);
    assert!(locations[0].bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{what}: {}", locations[0]);
}

#[tokio::test]
async fn no_place_that_a_request_names_leads_to_another_site() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for place in ELSEWHERE {
        let fields = [("username", "ada@example.com"), ("password", PASSWORD), ("next", place)];
        let browser = app.browser();
        stays(&format!("a login with {place:?}"), &browser.submit("/login", &fields).await);
        stays(&format!("preferences with {place:?}"), &browser.submit("/preferences", &[("next", place)]).await);
        let query = utf8_percent_encode(place, NON_ALPHANUMERIC);
        stays(&format!("who is logged in, with {place:?}"), &browser.open(&format!("/login?next={query}")).await);
        // The login form does not carry another target either.
        let page = app.browser().open(&format!("/login?next={query}")).await;
        let (_, rest) =
            page.text().split_once("name=\"next\" value=\"").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let kept = rest.split('"').next().unwrap().replace("&#x2f;", "/").replace("&amp;", "&");
        assert!(kept.is_empty() || (kept.starts_with('/') && !kept.starts_with("//")), "{place:?}: {kept}");
        assert!(!kept.contains('\\'), "{place:?}: {kept}");
    }
}

/// Line ends, literal and as they result from decoding or from truncating characters to bytes.
const LINE_ENDS: [&str; 8] = [
    "\r\nX-Injected: yes",
    "\r\n\r\n<script>alert(1)</script>",
    "\nX-Injected: yes",
    "\rX-Injected: yes",
    "%0d%0aX-Injected: yes",
    "%250d%250aX-Injected: yes",
    "\u{560d}\u{560a}X-Injected: yes",
    "\u{2028}X-Injected: yes\u{85}",
];

#[track_caller]
fn has_its_own_headers(what: &str, answer: &Answer) {
    assert!(answer.status < 500, "{what}: {}", answer.text());
    for (name, value) in &answer.headers {
        assert_ne!(name, "x-injected", "{what}");
        assert!(value.as_bytes().iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0)), "{what}: {name}: {value:?}");
        if name == "set-cookie" {
            assert!(!value.to_str().unwrap().contains("Injected"), "{what}: {value:?}");
        }
    }
}

#[tokio::test]
async fn no_value_that_is_sent_back_in_a_header_ends_it() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    for end in LINE_ENDS {
        let browser = app.browser();
        let next = format!("/x{end}");
        let fields = [("username", "ada@example.com"), ("password", PASSWORD), ("next", next.as_str())];
        has_its_own_headers("next", &browser.submit("/login", &fields).await);
        let fields = [("language", end), ("theme", end), ("next", next.as_str())];
        has_its_own_headers("preferences", &browser.submit("/preferences", &fields).await);
        // The redirect target contains the address.
        for email in [format!("ada@example.com{end}"), format!("a{end}@example.com"), format!("\"a{end}\"@example.com")]
        {
            let fields = [("username", "ada"), ("email", email.as_str()), ("password", PASSWORD)];
            has_its_own_headers("an address", &browser.submit("/register", &fields).await);
        }
        // It also contains the path of the request.
        let encoded = utf8_percent_encode(end, NON_ALPHANUMERIC).to_string();
        has_its_own_headers("the place", &browser.open(&format!("/account?x={encoded}")).await);
        has_its_own_headers("a picture", &browser.open(&format!("/media/profile_pics/{encoded}")).await);
        for name in ["language", "theme", "done", "session"] {
            let value = end.replace(['\r', '\n'], "\t");
            browser.set_cookie(name, &utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string());
            has_its_own_headers(name, &browser.open("/login").await);
        }
    }
}

#[tokio::test]
async fn an_address_with_signs_of_its_own_is_one_value_of_the_place() {
    let app = TestApp::with(|config| config.registration.mode = RegistrationMode::Verified).await;
    for (number, email) in ["a&b=c#d@example.com", "a%0d%0a@example.com", "a+b@example.com"].into_iter().enumerate() {
        let name = format!("ada{number}");
        let fields = [("username", name.as_str()), ("email", email), ("password", PASSWORD)];
        let answer = app.browser().submit("/register", &fields).await;
        assert_eq!(answer.status, 303, "{email}: {}", answer.text());
        let place = Url::parse(SITE).unwrap().join(answer.headers["location"].to_str().unwrap()).unwrap();
        let pairs: Vec<(String, String)> = place.query_pairs().into_owned().collect();
        assert_eq!((place.path(), place.fragment()), ("/verify-email", None), "{email}");
        assert_eq!(pairs, [("email".to_owned(), email.to_owned())]);
    }
}

#[tokio::test]
async fn a_form_of_another_type_is_no_form() {
    let app = TestApp::start().await;
    for (content_type, status) in
        [("text/plain", 415), ("multipart/form-data; boundary=x", 400), ("application/json", 422), ("", 415)]
    {
        let request = Request::post("/login").header("host", "localhost").header(CONTENT_TYPE, content_type);
        let body = Body::from(format!("username=ada%40example.com&password={PASSWORD}&next=//evil.example"));
        let answer = app.anonymous().send_request(request.body(body).unwrap()).await;
        assert_eq!(answer.status, status, "{content_type}");
        assert!(!answer.text().contains("evil.example"), "{content_type}");
    }
}

//! Every parser of ours on arbitrary bytes, with the properties that must hold. Property tests and fuzzers
//! (`crates/countersign/fuzz`) share these functions.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{FromRequest as _, FromRequestParts as _};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue, Request, Uri};
use futures_util::FutureExt as _;
use jiff::Timestamp;

use crate::config::{Config, SecretKey, TokenPolicy};
use crate::http::cookie;
use crate::http::fields::multipart::{Event, Malformed, Multipart, PartHead};
use crate::http::fields::{Fields, FormBody, Invalid, JsonBody, QueryFields};
use crate::media::picture::Candidate;
use crate::model::{EmailAddress, ForwardedHeader, Language, Password, ProxyPolicy, Username};
use crate::secrets::Keys;
use crate::secrets::access_token::{Keyring, TokenKey, Verdict};
use crate::secrets::generate_secret_key;
use crate::secrets::one_time_secret::hash_of;
use crate::secrets::session_secret::{PresentedCookie, PresentedRefreshToken};

/// Takes any bytes; panics if a property does not hold.
pub type Parser = fn(&[u8]);

/// All parsers, by name.
pub const PARSERS: [(&str, Parser); 14] = [
    ("json_body", json_body),
    ("form_body", form_body),
    ("query", query),
    ("multipart", multipart),
    ("accept_language", accept_language),
    ("forwarded", forwarded),
    ("email_address", email_address),
    ("username", username),
    ("access_token", access_token),
    ("session_secrets", session_secrets),
    ("cookie_header", cookie_header),
    ("picture_head", picture_head),
    ("picture", picture),
    ("picture_profile", picture_profile),
];

/// Pictures that need more memory than this, in bytes, are not decoded: that would test the memory, not the decoder.
const PICTURE_BYTES_MAX: u64 = 32 * 1024 * 1024;

static CONFIG: LazyLock<Config> = LazyLock::new(|| super::cheap_config(generate_secret_key()));

fn key() -> &'static SecretKey {
    &CONFIG.secret_keys()[0]
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn request(content_type: &'static str, bytes: &[u8]) -> Request<Body> {
    Request::post("/").header(CONTENT_TYPE, content_type).body(Body::from(bytes.to_vec())).expect("a request")
}

/// Reads fields of every kind, some of which exist.
fn read(mut fields: Fields) {
    let _ = fields.required("username", Username::parse);
    let _ = fields.optional("email", EmailAddress::parse);
    let _ = fields.required("password", Password::choose);
    if let Ok(text) = fields.required("a", |text| Ok::<_, Invalid>(text.to_owned())) {
        assert!(!text.contains('\0'), "no column can hold it");
    }
    let _ = fields.into_problem();
}

/// A JSON object in a body: whatever our parser accepts, another parser reads as an object too.
pub fn json_body(bytes: &[u8]) {
    let body = JsonBody::from_request(request("application/json", bytes), &()).now_or_never();
    if let Ok(JsonBody(fields)) = body.expect("the body is in memory") {
        let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let other: serde_json::Value = serde_json::from_slice(text).expect("JSON");
        assert!(other.is_object());
        read(fields);
    }
}

/// A form in a body, of either media type.
pub fn form_body(bytes: &[u8]) {
    for content_type in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=frontier"] {
        let body = FormBody::from_request(request(content_type, bytes), &()).now_or_never();
        if let Ok(FormBody(fields)) = body.expect("the body is in memory") {
            read(fields);
        }
    }
}

/// The parameters of a query.
pub fn query(bytes: &[u8]) {
    let Ok(request) = Request::get(format!("/?{}", text(bytes))).body(()) else { return };
    let (mut parts, ()) = request.into_parts();
    let fields = QueryFields::from_request_parts(&mut parts, &()).now_or_never();
    if let Ok(QueryFields(fields)) = fields.expect("nothing is waited for") {
        read(fields);
    }
}

type Parts = Vec<(PartHead, Vec<u8>)>;

fn parts(content_type: &str, body: &[u8], sizes: usize) -> Option<Result<(Parts, bool), Malformed>> {
    let mut multipart = match Multipart::of_type(content_type)? {
        Ok(multipart) => multipart,
        Err(malformed) => return Some(Err(malformed)),
    };
    let mut parts: Parts = Vec::new();
    for piece in body.chunks(sizes) {
        let pushed = multipart.push(piece, |event| {
            match event {
                Event::Part(head) => parts.push((head, Vec::new())),
                Event::Data(data) => parts.last_mut().expect("a part has begun").1.extend_from_slice(data),
            }
            Ok::<(), Malformed>(())
        });
        if let Err(malformed) = pushed {
            return Some(Err(malformed));
        }
    }
    Some(Ok((parts, multipart.is_finished())))
}

/// The `Content-Type` in the first line, followed by a body: the result is the same however the body is split.
pub fn multipart(bytes: &[u8]) {
    let (first, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    let own = format!("multipart/form-data; {}", text(first));
    for content_type in [own.as_str(), "multipart/form-data; boundary=frontier"] {
        let whole = parts(content_type, body, body.len().max(1));
        for sizes in [1, 7] {
            let cut = parts(content_type, body, sizes);
            // A header that is too long is noticed earlier or later, depending on the split.
            if let (Some(Ok(whole)), Some(Ok(cut))) = (&whole, &cut) {
                assert_eq!(whole, cut, "in pieces of {sizes}");
            }
            assert_eq!(whole.is_some(), cut.is_some());
        }
        if let Some(Ok((parts, _))) = whole {
            let content: usize = parts.iter().map(|(_, content)| content.len()).sum();
            assert!(content <= body.len());
        }
    }
}

/// `Accept-Language`: the result is an available language, or none.
pub fn accept_language(bytes: &[u8]) {
    let available = ["en", "de", "pt-BR", "zh-Hant"].map(|tag| Language::parse(tag).expect("a tag"));
    if let Some(found) = Language::negotiate(&text(bytes), &available) {
        assert!(available.contains(found));
        assert_eq!(Language::parse(&found.to_string()).as_ref(), Ok(found));
    }
    if let Ok(language) = Language::parse(&text(bytes)) {
        assert_eq!(Language::parse(&language.to_string()), Ok(language.clone()));
        language.closest(&available);
    }
}

/// `X-Forwarded-For` and `Forwarded`: entries count only from a trusted proxy, and the one that it adds counts.
pub fn forwarded(bytes: &[u8]) {
    let written = text(bytes);
    let (proxy, client) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([203, 0, 113, 7]));
    let trusted = vec!["10.0.0.0/8".parse().expect("a network")];
    for (header, entry) in
        [(ForwardedHeader::XForwardedFor, "203.0.113.7"), (ForwardedHeader::Forwarded, "for=203.0.113.7")]
    {
        let policy = ProxyPolicy { trusted: trusted.clone(), header };
        assert_eq!(policy.client_address(client, [&*written].into_iter()), client);
        assert_eq!(policy.client_address(proxy, [&*written, entry].into_iter()), client);
        policy.client_address(proxy, [&*written].into_iter());
    }
}

/// An e-mail address: its stored form parses to itself, and is safe in a header and in SMTP commands.
pub fn email_address(bytes: &[u8]) {
    let Ok(address) = EmailAddress::parse(&text(bytes)) else { return };
    assert!(EmailAddress::parse(address.as_str()) == Ok(address.clone()), "{}", address.as_str());
    assert!(address.as_str().chars().count() <= 120);
    let (local, domain) = address.to_wire();
    for part in [local, &domain] {
        assert!(!part.is_empty() && !part.chars().any(|c| c.is_control() || c.is_whitespace()), "{part:?}");
        assert!(!part.contains(['<', '>', ',', '"', '\\', '@', '(', ')']), "{part:?}");
    }
    assert!(domain.is_ascii());
}

/// A username: its stored form parses to itself, with the same key.
pub fn username(bytes: &[u8]) {
    let Ok(name) = Username::parse(&text(bytes)) else { return };
    let again = Username::parse(name.as_str()).expect("what is kept is a name");
    assert_eq!((again.as_str(), again.key()), (name.as_str(), name.key()));
    assert!(name.as_str().chars().count() <= 50 && !name.as_str().chars().any(char::is_control));
    assert!(!name.key().is_empty() && !name.key().contains('@'));
}

/// An access token: none is accepted that was not signed here.
pub fn access_token(bytes: &[u8]) {
    static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
        let policy = TokenPolicy::new("https://a.example".to_owned());
        let key = TokenKey::of_secret(key(), &policy);
        let kid = key.kid().to_owned();
        Keyring::new(&policy, vec![key], &kid, 10).expect("the key is in it")
    });
    let verdict = KEYRING.verify(&text(bytes), Timestamp::UNIX_EPOCH);
    assert!(!matches!(verdict, Verdict::Accepted(_)));
}

/// Refresh tokens, session cookies and one-time tokens: none is genuine that was not issued here.
pub fn session_secrets(bytes: &[u8]) {
    static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(std::slice::from_ref(key())));
    let text = text(bytes);
    if let Some(cookie) = PresentedCookie::parse(&text) {
        assert!(!KEYS.is_genuine_cookie(&cookie, &[7; 32]));
    }
    for token in [text.to_string(), format!("csr_{text}")] {
        let token = token.into();
        if let Some(token) = PresentedRefreshToken::parse(&token) {
            assert!(!KEYS.is_genuine_refresh_token(&token, &[7; 32]));
        }
        assert_eq!(hash_of(&token).len(), 64);
    }
}

/// `Cookie`: an accepted session value is part of the header.
pub fn cookie_header(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_static("localhost"));
    headers.insert(COOKIE, value);
    let written = text(bytes);
    let jar = cookie::Jar::of(&CONFIG, &Uri::from_static("/"), &headers);
    for session in cookie::get(jar, &headers) {
        assert!(written.contains(session) && !session.contains([';', '\r', '\n']));
    }
}

/// The header of a picture: it is rejected, or the memory for decoding is known.
pub fn picture_head(bytes: &[u8]) {
    if let Ok(candidate) = Candidate::inspect(bytes) {
        assert!(candidate.memory_bytes() > 0);
    }
}

/// A picture: it is rejected, or becomes a JPEG that we encoded.
pub fn picture(bytes: &[u8]) {
    if let Ok(candidate) = Candidate::inspect(bytes)
        && candidate.memory_bytes() <= PICTURE_BYTES_MAX
        && let Ok(file) = candidate.prepare()
    {
        assert!(file.starts_with(&[0xff, 0xd8, 0xff]) && file.ends_with(&[0xff, 0xd9]));
    }
}

/// A colour profile, in pictures of one, three and four channels: no profile makes a picture unusable.
pub fn picture_profile(bytes: &[u8]) {
    /// Bytes that fit into one segment of a JPEG.
    const PIECE_BYTES: usize = 60_000;
    static PICTURES: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
        use jpeg_encoder::ColorType::{Cmyk, Luma, Rgb};
        [(Luma, 1), (Rgb, 3), (Cmyk, 4)].map(|(colours, channels)| {
            let mut file = Vec::new();
            let pixels: Vec<u8> = (0..=255).cycle().take(16 * 16 * channels).collect();
            jpeg_encoder::Encoder::new(&mut file, 90).encode(&pixels, 16, 16, colours).expect("a JPEG");
            file
        })
    });
    // One picture for each case: the picture takes the time, not the profile.
    let picture = &PICTURES[bytes.len() % PICTURES.len()];
    let pieces = bytes.len().div_ceil(PIECE_BYTES).max(1);
    let file = super::pictures::jpeg_with_profile(picture, bytes, pieces);
    let candidate = Candidate::inspect(&file).expect("a picture");
    assert!(candidate.prepare().expect("a picture").starts_with(&[0xff, 0xd8, 0xff]));
}

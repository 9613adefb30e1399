//! Path traversal: no path leads out of the served folders, in any encoding.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::TestApp;

use crate::blog;

const SECRET: &str = "what nobody shall read";
/// A well-formed picture name.
const PICTURE: &str = "0123456789abcdef0123456789abcdef.jpg";

/// Prefixes of paths that serve files.
const PREFIXES: [&str; 10] = [
    "/static/",
    "/static/profile_pics/",
    "/static/profile_pics/default.jpg/",
    "/media/",
    "/media/profile_pics/",
    "/media/profile_pics/default/",
    "/assets/",
    "/assets/x/",
    "/docs/",
    "/dev/mail/",
];

/// Encodings of one step up.
const STEPS: [&str; 20] = [
    "../",
    "..%2f",
    "..%2F",
    "%2e%2e/",
    "%2e%2e%2f",
    "%252e%252e%252f",
    "..%252f",
    "..%25252f",
    "..%5c",
    "..%255c",
    "%2e%2e%5c",
    "..;/",
    "..%3b/",
    "....//",
    "..//",
    ".%00./",
    "..%00/",
    "%c0%ae%c0%ae/",
    "%c0%ae%c0%ae%c0%af",
    "%uff0e%uff0e/",
];

async fn ask(app: &TestApp, path: &str) {
    // An invalid URI never reaches the router.
    let Ok(request) = Request::get(path).header("host", "localhost").body(Body::empty()) else { return };
    let answer = app.anonymous().send_request(request).await;
    // An asset is served under any version.
    let is_asset = path.starts_with("/assets/") && path.ends_with("/site.css");
    assert!(is_asset || [307, 400, 404, 405, 422].contains(&answer.status), "{path}: {}", answer.status);
    assert!(!answer.text().contains(SECRET), "{path}");
}

#[tokio::test]
async fn no_path_leads_to_a_file_that_is_not_served() {
    let app = blog().await;
    let folder = app.pictures_folder();
    std::fs::create_dir_all(folder.join("deeper")).unwrap();
    let outside = folder.parent().unwrap();
    for place in [
        outside.join("secret.txt"),
        outside.join(PICTURE),
        folder.join("secret.txt"),
        folder.join("deeper").join(PICTURE),
    ] {
        std::fs::write(place, SECRET).unwrap();
    }
    // A symlink inside is not followed either, unless its name is that of a picture.
    std::os::unix::fs::symlink(outside.join("secret.txt"), folder.join("link.jpg")).unwrap();
    let absolute = outside.join("secret.txt").display().to_string();
    let targets = ["secret.txt", PICTURE, "profile_pics/secret.txt", "etc/passwd", "Cargo.toml", "site.css"];
    for prefix in PREFIXES {
        for step in STEPS {
            for times in [1, 2, 12] {
                for target in targets {
                    ask(&app, &format!("{prefix}{}{target}", step.repeat(times))).await;
                    ask(&app, &format!("{prefix}{PICTURE}/{}{target}", step.repeat(times))).await;
                }
            }
        }
        for name in [
            absolute.as_str(),
            &absolute.replace('/', "%2f"),
            "secret.txt",
            "link.jpg",
            "deeper%2f0123456789abcdef0123456789abcdef.jpg",
            "secret.txt%00.jpg",
            "secret.txt%00",
            "%00",
            "%ff",
            ".",
            "..",
            "%2e",
            "~root",
            "file:%2f%2f%2fetc%2fpasswd",
            "C:%5cwindows%5cwin.ini",
            "0123456789abcdef0123456789abcdef.jpg%00.svg",
            "0123456789ABCDEF0123456789ABCDEF.jpg",
            "CON",
        ] {
            ask(&app, &format!("{prefix}{name}")).await;
        }
    }
}

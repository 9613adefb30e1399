//! Paths that lead out of where files are: none is followed, however it is written.

use axum::body::Body;
use axum::http::Request;
use countersign::testing::TestApp;

use crate::blog;

const SECRET: &str = "what nobody shall read";
/// The form that names of pictures have.
const PICTURE: &str = "0123456789abcdef0123456789abcdef.jpg";

/// Below which files are served, and what stands before a name there.
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

/// One step up.
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
    // What is no address at all does not get as far as this.
    let Ok(request) = Request::get(path).header("host", "localhost").body(Body::empty()) else { return };
    let answer = app.anonymous().send_request(request).await;
    // Any version of an asset is the asset.
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
    // A link inside leads nowhere either, unless it is a picture's name.
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

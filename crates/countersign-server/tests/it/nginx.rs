//! The files of `deploy/nginx` in a real nginx in front of the binary, requested with `curl` over TLS.

use std::process::Command;

use serde_json::Value;

use crate::nginx_of_deploy::{Nginx, SITE};
use crate::sandbox::{Sandbox, Server, eventually};
use crate::{PASSWORD, current_database};

struct Site {
    server: Server,
    nginx: Nginx,
    _sandbox: Sandbox,
    _database: countersign_db::testing::TempDb,
}

/// A response received by `curl`.
struct Fetched {
    /// Such as `HTTP/2`.
    version: String,
    status: u16,
    head: String,
    body: String,
}

impl Site {
    async fn new() -> Self {
        let database = current_database().await;
        let sandbox = Sandbox::with_database(database.url())
            .set("FRONTEND_URL", format!("https://{SITE}"))
            .set("TRUSTED_PROXIES", "127.0.0.1");
        let server = sandbox.start("serve");
        let nginx = Nginx::start(&[server.address], 4);
        Self { server, nginx, _sandbox: sandbox, _database: database }
    }

    fn curl(&self, arguments: &[&str], url: &str) -> Fetched {
        let [https, http] = [self.nginx.https, self.nginx.http].map(|address| address.port().to_string());
        let url = url.replace("https://", &format!("https://{SITE}:{https}"));
        let url = url.replace("http://", &format!("http://{SITE}:{http}"));
        let output = Command::new("curl")
            .args(["-sS", "-i", "--max-time", "60", "--cacert"])
            .arg(self.nginx.certificate())
            .args(["--resolve", &format!("{SITE}:{https}:127.0.0.1"), "--resolve", &format!("{SITE}:{http}:127.0.0.1")])
            .args(arguments)
            .arg(&url)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = || panic!("{url}: {}\n{text}\n{}", String::from_utf8_lossy(&output.stderr), self.nginx.errors());
        // A `100 Continue` may precede the response.
        let mut rest = text.as_str();
        loop {
            let (head, body) = rest.split_once("\r\n\r\n").unwrap_or_else(failed);
            let mut words = head.split(' ');
            let version = words.next().unwrap_or_default().to_owned();
            let status = words.next().and_then(|status| status.trim().parse().ok()).unwrap_or_default();
            if status != 100 {
                return Fetched { version, status, head: head.to_ascii_lowercase(), body: body.to_owned() };
            }
            rest = body;
        }
    }

    fn register(&self, name: &str) {
        self.server.register(name).ok(201);
    }
}

impl Fetched {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}\n{}", self.head, self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[tokio::test]
async fn behind_nginx_http_2_is_spoken_and_the_client_is_known_by_its_own_address() {
    let site = Site::new().await;
    site.register("ada");
    let form = format!("username=ada%40example.com&password={PASSWORD}");
    // A forwarding header from the client is not trusted.
    let from = ["--interface", "127.0.0.7", "-H", "X-Forwarded-For: 203.0.113.9", "-d", &form];
    let login = site.curl(&from, "https:///api/users/token");
    assert_eq!((login.version.as_str(), login.status), ("HTTP/2", 200), "{}", login.body);
    assert_eq!(login.header("strict-transport-security"), Some("max-age=31536000"));
    let bearer = format!("Authorization: Bearer {}", login.json()["access_token"].as_str().unwrap());
    let sessions = site.curl(&["-H", &bearer], "https:///api/users/me/sessions");
    assert!(sessions.body.contains("\"127.0.0.7\"") && !sessions.body.contains("203.0.113.9"), "{}", sessions.body);
    let old = site.curl(&["--http1.1", "-H", &bearer], "https:///api/users/me");
    assert_eq!((old.version.as_str(), old.status, old.json()["username"].as_str()), ("HTTP/1.1", 200, Some("ada")));
}

#[tokio::test]
async fn behind_nginx_bodies_are_as_large_as_ours_may_be_and_no_larger() {
    let site = Site::new().await;
    site.register("ada");
    let bearer = format!("Authorization: Bearer {}", site.server.token("ada"));
    let id = site.server.me(&site.server.token("ada")).ok(200)["id"].as_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body");
    let picture = format!("https:///api/users/{id}/picture");
    // Up to 5 MiB reach the application, which finds that this is not a picture.
    for (bytes, status, code) in [
        (5 << 20, 400, Some("invalid_image")),
        ((5 << 20) + 1024, 400, Some("file_too_large")),
        (7 << 20, 413, Some("payload_too_large")),
    ] {
        std::fs::write(&file, vec![b'x'; bytes]).unwrap();
        let form = format!("file=@{}", file.display());
        let answer = site.curl(&["-X", "PATCH", "-H", &bearer, "-F", &form], &picture);
        assert_eq!(answer.status, status, "{bytes}: {}", answer.body);
        assert!(code.is_none_or(|code| answer.json()["code"] == code), "{bytes}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{bytes}");
    }
}

#[tokio::test]
async fn behind_nginx_style_sheets_come_from_its_cache_and_pages_never_do() {
    let site = Site::new().await;
    let page = site.curl(&[], "https:///login");
    assert_eq!((page.status, page.header("cache-control"), page.header("x-cache")), (200, Some("no-store"), None));
    let (_, rest) = page.body.split_once("href=\"/assets/").unwrap();
    let asset = format!("https:///assets/{}", rest.split('"').next().unwrap());
    for state in ["miss", "hit"] {
        let answer = site.curl(&[], &asset);
        assert_eq!((answer.status, answer.header("x-cache")), (200, Some(state)), "{}", answer.head);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
    }
    // Under an old version's URL it is not cached.
    for _ in 0..2 {
        let answer = site.curl(&[], "https:///assets/0000/page.css");
        assert_ne!(answer.header("x-cache"), Some("hit"), "{}", answer.head);
    }
}

#[tokio::test]
async fn without_tls_nginx_leads_people_to_it_and_turns_programs_away() {
    let site = Site::new().await;
    let page = site.curl(&[], "http:///login?next=/account");
    assert_eq!((page.status, page.header("location")), (301, Some("https://accounts.example.org/login?next=/account")));
    assert_eq!(site.curl(&["-d", "email=ada"], "http:///login").status, 403);
    for path in ["http:///api/users/me", "http:///api/users/token", "http:///.well-known/jwks.json"] {
        let refused = site.curl(&["-H", "Authorization: Bearer x"], path);
        assert_eq!((refused.status, refused.json()["detail"].as_str()), (403, Some("Only by https")), "{path}");
    }
    // The secret of a link does not appear in the log.
    site.curl(&[], "https:///verify-email?token=hush-hush");
    // nginx logs after the response.
    let log = eventually("nginx has logged the request", || {
        Some(site.nginx.requests()).filter(|log| log.contains("GET /verify-email HTTP/2.0"))
    });
    assert!(!log.contains("hush"), "{log}");
    for path in ["https:///metrics", "https:///ready"] {
        assert_eq!(site.curl(&[], path).status, 404, "{path}");
    }
    assert_eq!(site.curl(&[], "https:///health").status, 200);
}

#[tokio::test]
async fn nginx_sends_a_request_elsewhere_that_no_instance_has_seen_and_repeats_none_that_one_may_have_acted_on() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).set("TRUSTED_PROXIES", "127.0.0.1");
    let server = sandbox.start("serve");
    // One instance is down, one reads the request and hangs up.
    let nobody = crate::nginx_of_deploy::free_address();
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nginx = Nginx::start(&[nobody, server.address], 4);
    let site = Site { server, nginx, _sandbox: sandbox, _database: database };
    for number in 0..4 {
        let body = format!(r#"{{"username":"ada{number}","email":"ada{number}@example.com","password":"{PASSWORD}"}}"#);
        let answer = site.curl(&["-H", "Content-Type: application/json", "-d", &body], "https:///api/users");
        assert_eq!(answer.status, 201, "{}", answer.body);
    }
    let Site { server, nginx, _sandbox: sandbox, _database: database } = site;
    drop(nginx);
    let site = Site {
        nginx: Nginx::start(&[trap.local_addr().unwrap(), server.address], 4),
        server,
        _sandbox: sandbox,
        _database: database,
    };
    let hangs_up = std::thread::spawn(move || {
        let (mut stream, _) = trap.accept().unwrap();
        let mut head = [0; 1024];
        std::io::Read::read(&mut stream, &mut head).unwrap()
    });
    // One of two requests reaches the trap: a POST is not retried, and the client gets a 502.
    let statuses =
        [(); 2].map(|()| site.curl(&["-H", "Content-Type: application/json", "-d", "{}"], "https:///api/users").status);
    assert!(hangs_up.join().unwrap() > 0);
    assert!(statuses.contains(&502) && statuses.contains(&422), "{statuses:?}");
}

//! TLS without a proxy: real clients, generated certificates, and clients with bad handshakes.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use countersign_db::testing::TempDb;
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned, SupportedProtocolVersion};
use serde_json::Value;

use crate::client::{Connection, FORM, login_form};
use crate::current_database;
use crate::sandbox::{PATIENCE, Sandbox, Server, eventually};

/// A certificate authority that the client trusts.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of the tests");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Issues a certificate and a key for `localhost`, in PEM.
    fn issue(&self, last_year: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(last_year, 1, 1);
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    fn connect(&self, address: SocketAddr) -> Encrypted {
        Encrypted::open(address, self.client(&[&TLS13, &TLS12], &["http/1.1"]))
    }
}

/// The year of expiry of a valid certificate, far in the future.
const VALID: i32 = 2100;

/// A TLS connection.
struct Encrypted(StreamOwned<ClientConnection, TcpStream>);

impl Encrypted {
    fn open(address: SocketAddr, config: Arc<ClientConfig>) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream);
        while connection.conn.is_handshaking() {
            connection.conn.complete_io(&mut connection.sock).unwrap();
        }
        Self(connection)
    }

    /// Sends a request and returns the status; the connection stays open.
    fn status_of(&mut self, path: &str) -> u16 {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
        self.0.read_exact(&mut vec![0; length]).unwrap();
        head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn shown(&self) -> CertificateDer<'static> {
        self.0.conn.peer_certificates().unwrap()[0].clone().into_owned()
    }
}

/// A sandbox with a certificate and its key.
async fn sandbox(authority: &Authority) -> (Sandbox, TempDb) {
    let database = current_database().await;
    let (certificate, key) = authority.issue(VALID);
    let sandbox = Sandbox::with_database(database.url())
        .file("cert.pem", &certificate)
        .file("key.pem", &key)
        .file("ca.pem", &authority.0.pem())
        .set("TLS_CERT_FILE", "cert.pem")
        .set("TLS_KEY_FILE", "key.pem")
        .set("FRONTEND_URL", "https://localhost");
    (sandbox, database)
}

/// Runs curl and returns head and body.
fn curl(sandbox: &Sandbox, server: &Server, arguments: &[&str], path: &str) -> String {
    let port = server.address.port();
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "30", "--noproxy", "*"])
        .args(["--resolve", &format!("localhost:{port}:127.0.0.1"), "--cacert"])
        .arg(sandbox.path("ca.pem"))
        .args(arguments)
        .arg(format!("https://localhost:{port}{path}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_registers_and_logs_in_over_tls() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let server = sandbox.start("serve");
    let account = r#"{"username":"ada","email":"ada@example.com","password":"correct-horse-battery-staple"}"#;
    let json = ["--header", "Content-Type: application/json", "--data", account];
    assert!(curl(&sandbox, &server, &json, "/api/users").starts_with("HTTP/2 201"));
    let logged_in = curl(&sandbox, &server, &["--http1.1", "--data", &login_form("ada")], "/api/users/token");
    assert!(logged_in.starts_with("HTTP/1.1 200"), "{logged_in}");
    assert!(logged_in.contains("\"access_token\""), "{logged_in}");
    // A browser on this machine gets `Secure` cookies, because the site's URL is https.
    assert!(logged_in.contains("__Host-device="), "{logged_in}");
    let cookies = logged_in.lines().filter(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
    assert!(cookies.clone().all(|cookie| cookie.contains("; Secure")), "{logged_in}");
    let answer = curl(&sandbox, &server, &["--header", "Host: accounts.example.org"], "/health").to_ascii_lowercase();
    // Other sites on this machine may not use TLS.
    assert!(!answer.contains("strict-transport-security"), "{answer}");
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_the_client_chooses_the_version_of_http() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let server = sandbox.start("serve");
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for (offered, chosen) in [
            (&["h2", "http/1.1"][..], Some("h2")),
            (&["http/1.1", "h2"], Some("h2")),
            (&["http/1.1"], Some("http/1.1")),
            (&[], None),
        ] {
            let mut connection = Encrypted::open(server.address, authority.client(&[version], offered));
            assert_eq!(connection.0.conn.protocol_version(), Some(name));
            assert_eq!(connection.0.conn.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
            if chosen != Some("h2") {
                assert_eq!(connection.status_of("/health"), 200);
            }
        }
    }
    // Older versions are not supported.
    let port = server.address.port();
    let old = Command::new("curl")
        .args(["--silent", "--insecure", "--noproxy", "*", "--tls-max", "1.1", &format!("https://127.0.0.1:{port}/")])
        .output()
        .unwrap();
    assert!(!old.status.success());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_clients_and_those_who_are_connected_stay() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let server = sandbox.start("serve");
    let mut before = authority.connect(server.address);
    assert_eq!(before.status_of("/health"), 200);

    // An unusable pair: the new certificate with the old key.
    let (certificate, key) = authority.issue(VALID);
    fs::write(sandbox.path("cert.pem"), &certificate).unwrap();
    eventually("it is complained of", || {
        server
            .stderr()
            .contains("not the key of the certificate in cert.pem; the previous certificate stays")
            .then_some(())
    });
    assert_eq!(authority.connect(server.address).shown(), before.shown());

    fs::write(sandbox.path("key.pem"), &key).unwrap();
    let mut after = eventually("the new certificate is shown", || {
        let connection = authority.connect(server.address);
        (connection.shown() != before.shown()).then_some(connection)
    });
    assert_eq!(after.status_of("/health"), 200);
    assert_eq!(before.status_of("/health"), 200);
}

#[tokio::test]
async fn clients_that_begin_a_handshake_and_fall_silent_do_not_keep_others_out() {
    const PLACES: usize = 4;
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let sandbox = sandbox.set("CONNECTIONS_MAX", PLACES);
    let server = sandbox.start("serve");
    let mut held = Vec::new();
    for round in 0..5 {
        for _ in 0..2 * PLACES {
            let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
            // A record header without the record, or nothing at all.
            if round % 2 == 0 {
                stream.write_all(&[0x16, 3, 1, 2, 0, 1]).unwrap();
            }
            held.push(stream);
        }
        assert_eq!(authority.connect(server.address).status_of("/health"), 200, "round {round}");
    }
}

#[tokio::test]
async fn a_handshake_and_the_first_head_have_one_time_limit_together() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let sandbox = sandbox.set("HEAD_TIMEOUT_SECONDS", 1);
    let server = sandbox.start("serve");
    let begun = Instant::now();
    let mut silent = Connection::open(server.address);
    let mut slow = Connection::open(server.address);
    slow.send([0x16, 3, 1, 2, 0, 1]);
    let mut without_a_head = authority.connect(server.address);
    silent.is_ended();
    slow.is_ended();
    assert_eq!(without_a_head.0.read(&mut [0]).unwrap_or(0), 0);
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    assert_eq!(authority.connect(server.address).status_of("/health"), 200);
}

#[tokio::test]
async fn a_stop_finishes_what_is_under_way_over_tls_and_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let sandbox = sandbox.set("SHUTDOWN_TIMEOUT_SECONDS", 600);
    let mut server = sandbox.start("serve");
    let mut silent = Connection::open(server.address);
    silent.send([0x16, 3, 1, 2, 0, 1]);
    let mut under_way = authority.connect(server.address);
    let form = login_form("ada");
    let (name, content_type) = FORM;
    write!(
        under_way.0,
        "POST /api/users/token HTTP/1.1\r\nHost: localhost\r\n{name}: {content_type}\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        form.len()
    )
    .unwrap();
    under_way.0.read_exact(&mut [0; 25]).unwrap(); // `HTTP/1.1 100 Continue` and an empty line
    server.signal("TERM");
    silent.is_ended();
    under_way.0.write_all(form.as_bytes()).unwrap();
    let mut answer = String::new();
    under_way.0.read_to_string(&mut answer).unwrap(); // an error without close_notify
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    server.process.wait().with(0);
}

#[tokio::test]
async fn plain_http_on_the_port_of_tls_is_told_so() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let server = sandbox.start("serve");
    let mut connection = Connection::open(server.address);
    connection.request("GET", "/health", &[], "");
    let answer = connection.answer();
    assert_eq!((answer.status, answer.text().as_str()), (400, "This port speaks HTTPS. Ask with `https://`."));
    connection.is_ended();
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let (_, other_key) = authority.issue(VALID);
    let sandbox = sandbox
        .file("other.pem", &other_key)
        .file("empty.pem", "")
        .file("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .file("sealed.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
    let cases = [
        ("missing.pem", "key.pem", "TLS_CERT_FILE names missing.pem, which cannot be read: No such file"),
        ("cert.pem", "missing.pem", "TLS_KEY_FILE names missing.pem, which cannot be read: No such file"),
        ("empty.pem", "key.pem", "TLS_CERT_FILE names empty.pem, which has no certificate in PEM"),
        ("key.pem", "key.pem", "TLS_CERT_FILE names key.pem, which has no certificate in PEM"),
        ("broken.pem", "key.pem", "TLS_CERT_FILE names broken.pem, which has a certificate that is damaged"),
        ("cert.pem", "cert.pem", "TLS_KEY_FILE names cert.pem, which has no private key in PEM"),
        ("cert.pem", "sealed.pem", "one with a passphrase cannot be used"),
        ("cert.pem", "other.pem", "TLS_KEY_FILE names other.pem, which is not the key of the certificate in cert.pem"),
    ];
    let mut sandbox = sandbox;
    for (certificate, key, complaint) in cases {
        sandbox = sandbox.set("TLS_CERT_FILE", certificate).set("TLS_KEY_FILE", key);
        let ended = sandbox.run(&["serve"]).with(1);
        assert!(ended.stderr.contains(complaint), "{certificate}, {key}: {}", ended.stderr);
        let examined = sandbox.run(&["doctor"]).with(1);
        assert!(examined.stdout.contains("fail  tls: TLS_"), "{}", examined.stdout);
    }
}

#[tokio::test]
async fn tls_needs_both_files_and_a_site_that_is_https() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let sandbox = sandbox.unset("TLS_KEY_FILE");
    assert!(sandbox.run(&["serve"]).with(1).stderr.contains("TLS_KEY_FILE is not set, but TLS_CERT_FILE is"));
    let sandbox = sandbox.unset("TLS_CERT_FILE").set("TLS_KEY_FILE", "key.pem");
    assert!(sandbox.run(&["serve"]).with(1).stderr.contains("TLS_CERT_FILE is not set, but TLS_KEY_FILE is"));
    let sandbox = sandbox.set("TLS_CERT_FILE", "cert.pem").set("FRONTEND_URL", "http://localhost:8000");
    let ended = sandbox.run(&["serve"]).with(1);
    assert!(ended.stderr.contains("FRONTEND_URL is http://localhost:8000, but with TLS_CERT_FILE"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_certificate_that_has_expired_is_served_with_a_warning() {
    let authority = Authority::new();
    let (sandbox, _database) = sandbox(&authority).await;
    let (certificate, key) = authority.issue(2021);
    let sandbox = sandbox.file("cert.pem", &certificate).file("key.pem", &key).set("HOST", "0.0.0.0");
    let examined = sandbox.run(&["doctor"]).stdout;
    assert!(examined.contains("warn  tls: the certificate has expired, at 2021-01-01T00:00:00Z"), "{examined}");
    assert!(examined.contains("ok    network: HOST=0.0.0.0 is open to other machines, over TLS"));
    let server = sandbox.start("serve");
    let log = server.stderr();
    let warning =
        log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| line["level"] == "WARN");
    assert_eq!(
        warning.unwrap()["message"],
        "cert.pem: the certificate has expired, at 2021-01-01T00:00:00Z; browsers refuse it"
    );
}

#[tokio::test]
async fn health_is_asked_for_with_and_without_tls() {
    let authority = Authority::new();
    let (sandbox, database) = sandbox(&authority).await;
    let mut server = sandbox.start("serve");
    let url = format!("https://127.0.0.1:{}", server.address.port());
    // `health` finds the server through the settings and needs no secret.
    let asking = Sandbox::new()
        .set("PORT", server.address.port())
        .set("HOST", "0.0.0.0")
        .set("TLS_CERT_FILE", "elsewhere.pem")
        .set("TLS_KEY_FILE", "elsewhere.pem")
        .set("FRONTEND_URL", "https://localhost");
    assert_eq!(asking.run(&["health"]).with(0).stdout, format!("{url}/health answers 200\n"));
    asking.run(&["health", &url]).with(0);
    asking.run(&["health", &format!("{url}/ready")]).with(0);
    asking.run(&["health", &format!("{url}/nothing")]).with(1);
    let plain = asking.run(&["health", &url.replace("https", "http")]).with(1);
    assert!(plain.stdout.contains("answers 400"), "{}", plain.stdout);
    server.signal("TERM");
    server.process.wait().with(0);
    let gone = asking.run(&["health"]).with(1);
    assert!(gone.stderr.contains(&format!("error: {url}/health does not answer")), "{}", gone.stderr);

    let plain = Sandbox::with_database(database.url());
    let server = plain.start("serve");
    let asking = Sandbox::new().set("PORT", server.address.port());
    asking.run(&["health"]).with(0);
    asking.run(&["health", "ftp://localhost"]).with(2);
    asking.set("PORT", 0).run(&["health"]).with(1);
}

//! Runs the example of `docs/verifying-tokens.md` against a server.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::clock::{Clock as _, SystemClock};
use countersign::config::SecretKey;
use countersign::model::{ClientInfo, EmailAddress, Password, SigningAlgorithm, Username};
use countersign::testing::{ManualClock, cheap_config};
use countersign::{Accounts, LogIn, Register};
use countersign_db::testing::TempDb;
use jiff::SignedDuration;
use secrecy::ExposeSecret as _;

use crate::sandbox::{Sandbox, Server};
use crate::{KEY, PASSWORD, current_database};

const PYTHON: &str = "/usr/bin/python3";
const ISSUER: &str = "https://accounts.example.org";
const ALGORITHMS: [SigningAlgorithm; 3] = [SigningAlgorithm::EdDsa, SigningAlgorithm::Es256, SigningAlgorithm::Rs256];

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// Runs the example on a token and returns its user, or the error.
fn example(server: &Server, issuer: &str, algorithm: &str, token: &str) -> Result<String, String> {
    example_for(server, issuer, algorithm, None, token)
}

/// The same with an audience other than the issuer.
fn example_for(
    server: &Server,
    issuer: &str,
    algorithm: &str,
    audience: Option<&str>,
    token: &str,
) -> Result<String, String> {
    let has_packages = Command::new(PYTHON).args(["-c", "import jwt, cryptography"]).output();
    assert!(
        has_packages.is_ok_and(|output| output.status.success()),
        "{PYTHON} lacks PyJWT: run `scripts/test`, or install the packages `python3-jwt` and `python3-cryptography`"
    );
    let mut child = Command::new(PYTHON)
        .arg("-I")
        .arg(documents().join("examples/verify_token.py"))
        .args([&format!("http://{}", server.address), issuer, algorithm])
        .args(audience)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().expect("a pipe").write_all(token.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    if output.status.success() {
        return Ok(stdout.trim().to_owned());
    }
    assert!(!stderr.contains("Traceback"), "it broke instead of refusing: {stderr}");
    Err(stderr.split(':').next().unwrap_or_default().to_owned())
}

fn refused(reason: &str) -> Result<String, String> {
    Err(reason.to_owned())
}

/// A token issued to a user named Ada an hour ago, when the first key was made.
async fn token_of_an_hour_ago(database: &TempDb, algorithm: SigningAlgorithm) -> String {
    let mut config = cheap_config(SecretKey::parse(KEY.to_owned()).unwrap());
    config.tokens.signing_algorithm = algorithm;
    ISSUER.clone_into(&mut config.tokens.issuer);
    let clock = ManualClock::at(SystemClock.now() - SignedDuration::from_hours(1));
    let accounts = Accounts::with_clock(database.db().clone(), config, Arc::new(clock));
    let email = "ada@example.com";
    let (username, address) = (Username::parse("ada").unwrap(), EmailAddress::parse(email).unwrap());
    let ada = Register::new(username, address, Password::presented(PASSWORD), ClientInfo::default());
    accounts.register(ada).await.unwrap();
    let log_in = LogIn::new(email, Password::presented(PASSWORD), ClientInfo::default());
    accounts.log_in(log_in).await.unwrap().into_tokens().access_token.expose_secret().to_owned()
}

fn serving(database: &TempDb, algorithm: SigningAlgorithm) -> (Server, Sandbox) {
    let sandbox = Sandbox::with_database(database.url()).set("ALGORITHM", algorithm.as_str()).set("ISSUER", ISSUER);
    (sandbox.start("serve"), sandbox)
}

/// The token with another user and the same signature.
fn tampered(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["sub"] = "01890a5d-ac96-774b-bcce-b302099a8057".into();
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims.to_string()), parts[2])
}

#[tokio::test]
async fn another_service_verifies_tokens_of_every_algorithm_as_the_documents_show() {
    for algorithm in ALGORITHMS {
        let database = current_database().await;
        let expired = token_of_an_hour_ago(&database, algorithm).await;
        let (server, _keep) = serving(&database, algorithm);
        let token = server.token("ada");
        let ada = server.me(&token).ok(200)["id"].as_str().unwrap().to_owned();
        let name = algorithm.as_str();
        let verify = |token: &str| example(&server, ISSUER, name, token);

        assert_eq!(verify(&token), Ok(ada), "{name}");

        assert_eq!(verify(&expired), refused("ExpiredSignatureError"), "{name}");
        assert_eq!(verify(&tampered(&token)), refused("InvalidSignatureError"), "{name}");
        let of_another = example(&server, "https://elsewhere.example.org", name, &token);
        assert_eq!(of_another, refused("InvalidIssuerError"), "{name}");
        let for_another = example_for(&server, ISSUER, name, Some("https://api.example.org"), &token);
        assert_eq!(for_another, refused("InvalidAudienceError"), "{name}");
        let other = ALGORITHMS.into_iter().find(|other| *other != algorithm).expect("there are three").as_str();
        assert_eq!(example(&server, ISSUER, other, &token), refused("InvalidAlgorithmError"), "{name}");
        assert_eq!(verify("a.b.c"), refused("DecodeError"), "{name}");
    }
}

#[tokio::test]
async fn the_audience_is_a_setting_and_what_is_empty_is_the_issuer() {
    const API: &str = "https://api.example.org";
    for (set, audience) in [(API, API), ("", ISSUER)] {
        let database = current_database().await;
        let sandbox = Sandbox::with_database(database.url()).set("ALGORITHM", "EdDSA").set("ISSUER", ISSUER);
        let sandbox = sandbox.set("AUDIENCE", set);
        let server = sandbox.start("serve");
        let ada = server.register("ada").ok(201)["id"].as_str().unwrap().to_owned();
        let token = server.token("ada");
        server.me(&token).ok(200);
        assert_eq!(example_for(&server, ISSUER, "EdDSA", Some(audience), &token), Ok(ada), "{set}");
    }
}

#[tokio::test]
async fn the_token_of_another_installation_is_refused_by_its_key() {
    let (here, elsewhere) = (current_database().await, current_database().await);
    let (server, _keep) = serving(&here, SigningAlgorithm::EdDsa);
    let (other, _keep_other) = serving(&elsewhere, SigningAlgorithm::EdDsa);
    server.register("ada").ok(201);
    server.token("ada");
    other.register("ada").ok(201);
    let foreign = other.token("ada");
    assert!(example(&other, ISSUER, "EdDSA", &foreign).is_ok());
    assert_eq!(example(&server, ISSUER, "EdDSA", &foreign), refused("PyJWKClientError"));
}

#[tokio::test]
async fn a_token_of_hs256_cannot_be_verified_elsewhere() {
    let database = current_database().await;
    let (server, _keep) = serving(&database, SigningAlgorithm::Hs256);
    server.register("ada").ok(201);
    // The key set is empty, which is an error of its own.
    assert_eq!(example(&server, ISSUER, "HS256", &server.token("ada")), refused("PyJWKSetError"));
}

/// A script that serves its own key and runs the example on two tokens signed with it, which differ only in their type.
const OTHER_TYPES: &str = r#"
import http.server, json, runpy, sys, threading, time
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

private = Ed25519PrivateKey.generate()
public = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(private.public_key()))
keys = json.dumps({"keys": [{**public, "kid": "k", "alg": "EdDSA", "use": "sig"}]}).encode()

class Keys(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(keys)

    def log_message(self, *_):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Keys)
threading.Thread(target=server.serve_forever, daemon=True).start()
verifier = runpy.run_path(sys.argv[1])["Verifier"](f"http://127.0.0.1:{server.server_port}", "me", "EdDSA")
claims = {"iss": "me", "aud": "me", "sub": "ada", "sid": "s", "exp": time.time() + 60}
for typ in ["at+jwt", "JWT", "logout+jwt"]:
    token = jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": "k", "typ": typ})
    try:
        print(verifier.verify(token)["sub"])
    except jwt.InvalidTokenError as refused:
        print(f"{type(refused).__name__}: {refused}")
"#;

#[test]
fn a_token_of_another_type_is_refused_even_with_a_good_signature() {
    let mut python = Command::new(PYTHON);
    python.args(["-I", "-c", OTHER_TYPES]).arg(documents().join("examples/verify_token.py")).env_clear();
    let output = python.output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    let refusal = "InvalidTokenError: This is not an access token";
    assert_eq!(stdout.lines().collect::<Vec<_>>(), ["ada", refusal, refusal], "{stderr}");
}

#[test]
fn the_page_about_verifying_shows_the_examples_that_are_kept_as_files() {
    let page = fs::read_to_string(documents().join("verifying-tokens.md")).unwrap();
    for (language, file) in [("python", "verify_token.py"), ("go", "verify_token.go")] {
        let example = fs::read_to_string(documents().join("examples").join(file)).unwrap();
        let opening = format!("```{language}\n");
        let shown: Vec<&str> = page.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert_eq!(shown, [example], "{file}");
    }
}

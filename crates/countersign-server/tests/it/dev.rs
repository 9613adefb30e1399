use std::fs;
use std::net::IpAddr;

use serde_json::json;

use crate::sandbox::{Sandbox, eventually};
use crate::{EmptyPlace, KEY};

fn newcomer() -> Sandbox {
    Sandbox::new().served_cheaply()
}

#[test]
fn dev_needs_nothing_and_says_where_everything_is() {
    let sandbox = newcomer();
    let server = sandbox.start("dev");
    let banner = server.stdout();
    let address = server.address;
    let data = fs::canonicalize(sandbox.path("data")).unwrap();
    for line in [
        format!("countersign {} is running, for this machine only", env!("CARGO_PKG_VERSION")),
        format!("Site       http://{address}"),
        format!("API        http://{address}/docs"),
        format!("Mail       http://{address}/dev/mail"),
        format!("Data       {}", data.display()),
        "Database   SQLite, sqlite:data/countersign.db".to_owned(),
        "Press Ctrl+C to stop. Use `countersign serve` for the public.".to_owned(),
    ] {
        assert!(banner.lines().any(|found| found.trim() == line), "{line}\n{banner}");
    }
    assert_eq!(address.ip(), IpAddr::from([127, 0, 0, 1]));
    server.get("/ready").ok(200);
    server.register("ada").ok(201);
    assert_eq!(server.me(&server.token("ada")).ok(200)["email"], "ada@example.com");
}

#[test]
fn what_dev_makes_is_for_its_owner_alone() {
    let sandbox = newcomer();
    let server = sandbox.start("dev");
    server.register("ada").ok(201);
    assert_eq!(sandbox.names(), ["data"]);
    assert_eq!(sandbox.mode("data"), 0o700);
    assert_eq!(sandbox.mode("data/secret_key"), 0o600);
    for name in ["data/countersign.db", "data/countersign.db-wal", "data/countersign.db-shm"] {
        assert_eq!(sandbox.mode(name), 0o600, "{name}");
    }
    let key = sandbox.read("data/secret_key");
    assert_eq!(key.trim().len(), 64);
    let output = format!("{}{}", server.stdout(), server.stderr());
    assert!(!output.contains(key.trim()), "{output}");
}

#[tokio::test]
async fn dev_brings_any_database_up_to_date_and_keeps_it() {
    let place = EmptyPlace::new().await;
    // Tokens are bound to the URL, and the port differs in each run.
    let sandbox = newcomer().set("DATABASE_URL", &place.url).set("FRONTEND_URL", "http://localhost:8000");
    let mut server = sandbox.start("dev");
    server.register("ada").ok(201);
    let token = server.token("ada");
    server.signal("INT");
    server.process.wait().with(0);

    let mut server = sandbox.start("dev");
    assert_eq!(server.me(&token).ok(200)["username"], "ada");
    server.signal("KILL");
    server.process.wait();
    assert_eq!(sandbox.start("dev").me(&token).ok(200)["username"], "ada");
}

#[test]
fn a_second_dev_on_the_same_port_says_that_it_is_taken() {
    let sandbox = newcomer();
    let first = sandbox.start("dev");
    let port = first.address.port();
    let second = newcomer().set("PORT", port);
    let ended = second.run(&["dev"]).with(1);
    assert!(
        ended.stderr.contains(&format!("port {port} is in use, perhaps by another countersign")),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains(&format!("PORT={} countersign", port.wrapping_add(1).max(1024))), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    first.get("/health").ok(200);
}

#[test]
fn a_key_that_is_given_is_used_and_none_is_made() {
    let sandbox = newcomer().set("SECRET_KEY", KEY);
    let server = sandbox.start("dev");
    server.get("/health").ok(200);
    assert!(!sandbox.path("data/secret_key").exists());
}

#[test]
fn a_kept_key_that_was_damaged_is_not_used() {
    let sandbox = newcomer();
    fs::create_dir(sandbox.path("data")).unwrap();
    let sandbox = sandbox.file("data/secret_key", "hunter2\n");
    let ended = sandbox.run(&["dev"]).with(1);
    assert!(ended.stderr.contains("data/secret_key: shorter than 32 bytes"), "{}", ended.stderr);
    assert!(ended.stderr.contains("delete the file"), "{}", ended.stderr);
    assert!(!ended.all().contains("hunter2"), "{}", ended.all());
}

#[test]
fn links_of_dev_lead_to_the_port_that_is_listened_on_unless_an_address_is_given() {
    for given in [None, Some("http://dev.example:8123")] {
        let sandbox = given.map_or_else(newcomer, |given| newcomer().set("FRONTEND_URL", given));
        let server = sandbox.start("dev");
        let site = given.map_or_else(|| format!("http://{}", server.address), str::to_owned);
        let metadata = server.get("/.well-known/oauth-authorization-server").ok(200);
        assert_eq!(
            (&metadata["issuer"], &metadata["jwks_uri"]),
            (&json!(site), &json!(format!("{site}/.well-known/jwks.json")))
        );
        server.register("ada").ok(201);
        let mail = eventually("the mail is there", || {
            let list = server.get("/dev/mail").text();
            let id = list.split("/dev/mail/").nth(1)?.split('"').next()?.to_owned();
            Some(server.get(&format!("/dev/mail/{id}")).text().replace("&#x2f;", "/"))
        });
        assert!(mail.contains(&format!("{site}/verify-email?token=")), "{mail}");
    }
}

#[test]
fn plain_http_to_others_is_warned_of_at_the_start() {
    for (site, is_warned) in
        [("http://nas.example", true), ("http://127.0.0.1:8000", false), ("https://nas.example", false)]
    {
        let sandbox = newcomer().set("FRONTEND_URL", site);
        let server = sandbox.start("dev");
        assert_eq!(server.stderr().contains("nobody stays logged in"), is_warned, "{site}: {}", server.stderr());
    }
}

/// Also as root, who may write to read-only folders: a file is where a folder should be.
#[test]
fn what_cannot_be_written_is_named() {
    let blocked = newcomer().file("data", "");
    assert!(blocked.run(&["dev"]).with(1).stderr.contains("the folder data cannot be made: "));

    let nowhere = Sandbox::with_database("sqlite:data/a.db").file("data", "");
    let said = nowhere.run(&["migrate", "up"]).with(1).stderr;
    assert!(said.contains("the folder data cannot be made: "), "{said}");

    let odd = Sandbox::with_database("sqlite:a.db").file("a.db", "not a database, but long enough for a header");
    let said = odd.run(&["migrate", "up"]).with(1).stderr;
    assert!(
        said.starts_with("error: sqlite:a.db: ") && said.contains("; check DATABASE_URL; if it names the right file"),
        "{said}"
    );

    let sandbox = Sandbox::with_database("sqlite:a.db");
    sandbox.run(&["migrate", "up"]).with(0);
    let said = sandbox.run(&["backup", "/proc/backup.tar"]).with(1).stderr;
    assert!(said.contains("/proc/"), "{said}");
}

//! The guides' commands: they are run, except those that need another machine, and a server starts with exactly the
//! settings that each guide names.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rcgen::{CertificateParams, KeyPair};

use crate::deploy::{all, compose_environment, image_environment, instructions, read, workspace};
use crate::sandbox::{Sandbox, Server};
use crate::{EmptyPlace, KEY};

/// A code block of a guide, and the heading above it.
struct Block {
    heading: String,
    text: String,
}

fn blocks(guide: &str) -> Vec<Block> {
    let (mut blocks, mut heading, mut open) = (Vec::new(), "", None);
    let text = read(guide);
    for line in text.lines() {
        if line == "```sh" {
            open = Some(String::new());
        } else if line == "```" {
            blocks.extend(open.take().map(|text| Block { heading: heading.to_owned(), text }));
        } else if let Some(block) = &mut open {
            block.push_str(line);
            block.push('\n');
        } else if let Some(text) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
            heading = text;
        }
    }
    assert!(open.is_none() && !blocks.is_empty(), "{guide}");
    blocks
}

/// Returns all commands below a heading.
fn typed(guide: &str, heading: &str) -> String {
    let texts = blocks(guide).into_iter().filter(|block| block.heading == heading).map(|block| block.text);
    let text: String = texts.collect();
    assert!(!text.is_empty(), "{guide} has nothing to type below {heading}");
    text
}

/// Commands that need root, another machine or the whole system. Here they are no-ops.
const ELSEWHERE: [&str; 14] = [
    "apt-get",
    "useradd",
    "chgrp",
    "systemctl",
    "journalctl",
    "nginx",
    "certbot",
    "caddy",
    "ufw",
    "pg_dump",
    "cargo",
    "sha256sum",
    "tar",
    "docker",
];
/// `install` without owner and group, and with a symlink to the program instead of a copy: unoptimised, it is large.
const INSTALL: &str = r#"#!/bin/sh
set -eu
for word in "$@"; do
    shift
    if [ "${skips:-}" ]; then skips=; continue; fi
    case "$word" in -o | -g) skips=1 ;; *) set -- "$@" "$word" ;; esac
done
case "$*" in
    "-m 755 "*countersign*) if [ -d "$4" ]; then set -- "$1" "$2" "$3" "$4/countersign"; fi; ln -sfn "$(readlink -f "$3")" "$4" ;;
    *) exec /usr/bin/install "$@" ;;
esac
"#;
const RUNUSER: &str = "#!/bin/sh\nif [ \"$1\" = -u ]; then shift 3; exec \"$@\"; fi\n";

/// A simulated machine: the system's folders are in a temporary one.
struct Machine(Sandbox);

impl Machine {
    fn new() -> Self {
        let machine = Self(Sandbox::new());
        for folder in ["bin", "release", "etc/nginx/conf.d", "etc/caddy", "etc/cron.d", "etc/systemd/system"] {
            machine.folder(folder);
        }
        for folder in ["usr/local/bin", "usr/local/sbin", "var/lib", "var/www/html", "var/cache", "tmp"] {
            machine.folder(folder);
        }
        for name in ELSEWHERE {
            machine.program(name, "#!/bin/sh\n");
        }
        machine.program("install", INSTALL);
        machine.program("runuser", RUNUSER);
        // The unpacked release, under the name in the guide.
        let architecture = Command::new("uname").arg("-m").output().unwrap().stdout;
        let architecture = String::from_utf8(architecture).unwrap();
        let name = format!("countersign-{}-{}-linux", env!("CARGO_PKG_VERSION"), architecture.trim());
        symlink(".", machine.0.path("release").join(name)).unwrap();
        symlink(env!("CARGO_BIN_EXE_countersign"), machine.0.path("release/countersign")).unwrap();
        symlink(fs::canonicalize(workspace()).unwrap().join("deploy"), machine.0.path("release/deploy")).unwrap();
        machine
    }

    fn folder(&self, name: &str) -> PathBuf {
        let path = self.0.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.0.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs `text` in a shell, asserts success and returns the output. `PORT` is the server's, if there is one.
    #[track_caller]
    fn types(&self, text: &str, port: u16) -> String {
        let (mut text, root) = (text.to_owned(), self.0.path(""));
        let root = root.display().to_string();
        for folder in ["/etc/", "/var/lib/", "/var/www/", "/var/cache/", "/usr/local/", "/tmp/trial"] {
            text = text.replace(folder, &format!("{}{folder}", root.trim_end_matches('/')));
        }
        // There is no mail server, so `doctor` fails; its lines are checked below.
        let text = text.replace("mail.example.org", "127.0.0.1");
        let text = text.replace("accounts doctor\n", "accounts doctor || true\n");
        let text = text.replace("countersign doctor ", "countersign doctor || true ");
        let path = ["bin", "usr/local/bin", "usr/local/sbin"].map(|folder| self.0.path(folder).display().to_string());
        let mut command = Command::new("/bin/sh");
        command.args(["-euc", &text]).current_dir(self.0.path("release")).env_clear().stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", path.join(":"))).env("HOME", self.0.path(""));
        if port != 0 {
            command.env("PORT", port.to_string());
        }
        let output = command.output().unwrap();
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(output.status.success(), "{text}\n{stdout}{stderr}");
        for line in stdout.lines().filter(|line| line.starts_with("fail")) {
            assert!(line.starts_with("fail  mail:"), "{text}\n{stdout}");
        }
        stdout
    }
}

#[track_caller]
fn is_well(server: &Server) {
    server.get("/health").ok(200);
    server.get("/ready").ok(200);
}

#[test]
fn every_guide_is_followed_here() {
    let guides = fs::read_dir(workspace().join("docs/deploy")).unwrap();
    let mut names: Vec<String> = guides.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["README.md", "cloud-run.md", "container.md", "several-instances.md", "vps.md"]);
}

#[tokio::test]
async fn the_readme_leads_to_a_server() {
    let place = EmptyPlace::new().await;
    let machine = Machine::new();
    symlink(env!("CARGO_BIN_EXE_countersign"), machine.0.path("bin/countersign")).unwrap();
    let text = typed("README.md", "In production").replace("postgres://user:password@host/database", &place.url);
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    assert_eq!(last, "countersign serve");
    let told = machine.types(&format!("{before}\n"), 0);
    assert!(told.contains("ok    site: links lead to https://accounts.example.org"), "{told}");
    let machine = Machine(machine.0.within("release").set("PORT", 0));
    is_well(&machine.0.start("serve"));
}

#[test]
fn the_guide_for_a_machine_leads_to_a_server_and_through_its_life() {
    const GUIDE: &str = "docs/deploy/vps.md";
    let machine = Machine::new();
    for heading in ["1. The program", "2. Its user, its folders, its secret", "3. Its settings"] {
        machine.types(&typed(GUIDE, heading), 0);
    }
    // Starts it like the unit, with the unit's own setting. The system chooses the port, because other tests run, too.
    let unit = read("deploy/systemd/countersign.service");
    assert!(unit.contains("\nWorkingDirectory=/etc/countersign\n") && unit.contains("/countersign serve\n"));
    assert!(unit.contains("\nEnvironment=SECRET_KEY_FILE=%d/secret_key\n"));
    let key = machine.0.path("etc/countersign/secret_key");
    let machine = Machine(machine.0.within("etc/countersign").set("SECRET_KEY_FILE", key.display()).set("PORT", 0));
    let server = machine.0.start("serve");
    is_well(&server);
    for heading in ["4. The service", "nginx", "Caddy", "6. Firewall", "7. Backups", "8. Upgrades"] {
        let told = machine.types(&typed(GUIDE, heading), server.address.port());
        if ["4. The service", "8. Upgrades"].contains(&heading) {
            assert!(told.contains("/health answers 200"), "{told}");
        }
    }
    drop(server);

    // The program terminates TLS: certbot would have written its files there.
    let heading = "The program itself";
    let texts: Vec<String> =
        blocks(GUIDE).into_iter().filter(|block| block.heading == heading).map(|block| block.text).collect();
    let [certificate, settings] = texts.as_slice() else { panic!("{texts:?}") };
    machine.types(certificate, 0);
    let key = KeyPair::generate().unwrap();
    let issued = CertificateParams::new(vec!["accounts.example.org".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(machine.0.path("etc/countersign/tls/fullchain.pem"), issued.pem()).unwrap();
    fs::write(machine.0.path("etc/countersign/tls/privkey.pem"), key.serialize_pem()).unwrap();
    machine.types(settings, 0);
    let machine = Machine(machine.0.set("HOST", "127.0.0.1"));
    let server = machine.0.start("serve");
    let told = machine.types("accounts health\n", server.address.port());
    assert!(told.starts_with("https://127.0.0.1:") && told.contains("/health answers 200"), "{told}");
    drop(server);

    // The other database is not available here; only check that the settings are valid.
    let text =
        typed(GUIDE, "PostgreSQL instead").replace("accounts migrate up\naccounts doctor\n", "accounts settings\n");
    let told = machine.types(&text, 0);
    assert!(told.lines().any(|line| line.starts_with("DATABASE_URL") && line.contains("(set)")), "{told}");
}

/// Starts a server with exactly these settings, except for the listening address, the database and the secret, which
/// are not available here.
async fn starts_with(settings: Vec<(String, String)>) {
    let database = EmptyPlace::new().await;
    let migrates = value_of(&settings, "MIGRATE_ON_START") == Some("true");
    let mut sandbox = Sandbox::new();
    for (name, value) in settings {
        sandbox = match (name.strip_suffix("_FILE").unwrap_or(&name), value) {
            ("SECRET_KEY", _) => sandbox.file("secret_key", KEY).set("SECRET_KEY_FILE", "secret_key"),
            ("DATABASE_URL", _) => sandbox.file("database_url", &database.url).set("DATABASE_URL_FILE", "database_url"),
            (_, value) => sandbox.set(&name, value),
        };
    }
    let sandbox = sandbox.set("HOST", "127.0.0.1").set("PORT", 0);
    if !migrates {
        sandbox.run(&["migrate", "up"]).with(0);
    }
    is_well(&sandbox.start("serve"));
}

fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{text} is no setting"));
    (name.to_owned(), value.to_owned())
}

fn value_of<'s>(settings: &'s [(String, String)], name: &str) -> Option<&'s str> {
    settings.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// Splits a command with line continuations into words.
fn words(text: &str) -> Vec<String> {
    text.replace("\\\n", " ").split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_container_of_the_guide_serves_with_what_it_is_given() {
    let run =
        blocks("docs/deploy/container.md").into_iter().find(|block| block.text.contains("docker run -d")).unwrap();
    let words = words(run.text.split("docker run -d").nth(1).unwrap());
    let given = words.windows(2).filter(|pair| pair[0] == "-e").map(|words| pair(&words[1]));
    let settings: Vec<_> = image_environment().into_iter().chain(given).collect();
    assert_eq!(all(&instructions(&read("deploy/Dockerfile")), "CMD"), ["[\"serve\"]"]);
    assert_eq!(value_of(&settings, "FRONTEND_URL"), Some("https://accounts.example.org"));
    starts_with(settings).await;
}

#[tokio::test]
async fn the_service_of_the_compose_file_serves_with_what_the_guide_exports() {
    let text = typed("docs/deploy/container.md", "With PostgreSQL and nginx");
    let exports = text.lines().filter_map(|line| line.strip_prefix("export "));
    let exported: Vec<_> = exports.flat_map(str::split_whitespace).map(pair).collect();
    let value = |text: &str| {
        // `${NAME:?what to do}` or `${NAME:-}`
        let Some(variable) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) else {
            return text.to_owned();
        };
        let name = variable.split(':').next().unwrap();
        value_of(&exported, name).unwrap_or_else(|| panic!("the guide does not set {name}")).to_owned()
    };
    starts_with(compose_environment().into_iter().map(|(name, text)| (name, value(&text))).collect()).await;
}

#[tokio::test]
async fn an_instance_of_several_serves_with_the_settings_that_they_share() {
    let text = typed("docs/deploy/several-instances.md", "The settings");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap().trim());
    starts_with(lines.map(pair).collect()).await;
}

#[tokio::test]
async fn an_instance_of_cloud_run_serves_with_the_settings_of_the_guide() {
    let commands: Vec<Vec<String>> = blocks("docs/deploy/cloud-run.md")
        .iter()
        .map(|block| words(&block.text.replace("$PROJECT", "my-project")))
        .collect();
    let listed = |option: &str| -> Vec<(String, String)> {
        let list = commands.iter().flatten().find_map(|word| word.strip_prefix(option)?.strip_prefix('='));
        list.unwrap_or_else(|| panic!("{option} is not there")).split(',').map(pair).collect()
    };
    let mut settings = listed("--set-env-vars");
    settings.extend(listed("--set-secrets"));
    starts_with(settings.clone()).await;
    // The same with pictures in a bucket.
    settings.extend(listed("--update-env-vars"));
    settings.extend(listed("--update-secrets"));
    starts_with(settings).await;
}

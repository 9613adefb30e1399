//! Static checks of `deploy/`: its files use the tested build command, existing settings and existing commands.

use std::fs;
use std::path::{Path, PathBuf};

use crate::KEY;
use crate::sandbox::Sandbox;

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Parses the instructions of a Dockerfile, each with its arguments on one line.
pub(crate) fn instructions(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let whole = lines.join("\n").replace("\\\n", " ");
    let pairs = whole.lines().filter_map(|line| line.trim().split_once(' '));
    pairs.map(|(name, rest)| (name.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

/// Returns the arguments of every instruction with this name, in order.
pub(crate) fn all<'i>(instructions: &'i [(String, String)], name: &str) -> Vec<&'i str> {
    instructions.iter().filter(|(found, _)| found == name).map(|(_, rest)| rest.as_str()).collect()
}

/// Parses a JSON list of words.
fn words(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_else(|error| panic!("{list}: {error}"))
}

/// The environment that the image sets for the program.
pub(crate) fn image_environment() -> Vec<(String, String)> {
    let dockerfile = instructions(&read("deploy/Dockerfile"));
    let environment = all(&dockerfile, "ENV").into_iter().find(|pairs| pairs.starts_with("PATH=")).unwrap();
    let pairs = environment.split(' ').map(|pair| pair.split_once('=').unwrap()).filter(|(name, _)| *name != "PATH");
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The environment that the compose file sets for the program, with the operator's variables unexpanded.
pub(crate) fn compose_environment() -> Vec<(String, String)> {
    let compose = read("deploy/compose.yml");
    let block = compose.split("\n  nginx:").next().unwrap().split("    environment:\n").nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.starts_with("      ")).map(str::trim);
    let pairs = lines.filter(|line| !line.starts_with('#')).map(|line| line.split_once(": ").unwrap());
    pairs.map(|(name, text)| (name.to_owned(), text.trim_matches('"').to_owned())).collect()
}

/// Asserts that these settings are known and accepted.
fn assert_settings(pairs: &[(String, String)], place: &str) {
    let mut sandbox = Sandbox::new().set("SECRET_KEY", KEY);
    for (name, value) in pairs {
        let (name, value) = match name.strip_suffix("_FILE") {
            // The secret is not available here; any valid value will do.
            Some("SECRET_KEY") => ("SECRET_KEY", KEY),
            Some("DATABASE_URL") => ("DATABASE_URL", "postgres://countersign:x@db:5432/countersign"),
            _ => (name.as_str(), value.as_str()),
        };
        sandbox = sandbox.set(name, value);
    }
    let ended = sandbox.run(&["settings"]).with(0);
    assert_eq!(ended.stderr, "", "{place}");
    for (name, _) in pairs {
        let name = name.strip_suffix("_FILE").filter(|name| *name != "TLS_CERT" && *name != "TLS_KEY").unwrap_or(name);
        let row = ended.stdout.lines().find(|line| line.split(' ').next() == Some(name));
        assert!(row.is_some_and(|row| row.ends_with("environment")), "{place}: {name} is no setting\n{}", ended.stdout);
    }
}

#[test]
fn the_image_is_built_by_the_tested_command_and_holds_nothing_else() {
    let dockerfile = instructions(&read("deploy/Dockerfile"));
    let channel = read("rust-toolchain.toml");
    let channel = channel.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    assert_eq!(all(&dockerfile, "FROM"), [format!("rust:{channel}-bookworm AS build").as_str(), "scratch"]);
    let builds: Vec<&str> = all(&dockerfile, "RUN").into_iter().filter(|run| run.contains("/source/target")).collect();
    assert!(
        matches!(builds.as_slice(), [build] if build.ends_with(" scripts/build-static /countersign")),
        "{builds:?}"
    );
    assert!(!read("deploy/Dockerfile").contains("cargo build"));
    let copies = all(&dockerfile, "COPY");
    assert!(copies.contains(&"--from=build /countersign /usr/local/bin/countersign"), "{copies:?}");
    // The release and the test use the same command.
    assert!(read(".github/workflows/release.yml").contains("scripts/build-static --auditable "));
    assert!(read("scripts/test-container").contains("scripts/build-static --debug"));
}

#[test]
fn the_image_has_a_user_without_rights_and_commands_that_there_are() {
    let dockerfile = instructions(&read("deploy/Dockerfile"));
    let users = all(&dockerfile, "USER");
    let ids: Vec<u32> = users[0].split(':').map(|id| id.parse().unwrap()).collect();
    assert!(users.len() == 1 && ids.iter().all(|id| *id >= 10_000), "{users:?}");
    assert!(
        all(&dockerfile, "COPY")
            .iter()
            .any(|copy| copy.contains(&format!("--chown={} ", users[0])) && copy.ends_with(" /data"))
    );
    assert_eq!((all(&dockerfile, "WORKDIR").pop(), all(&dockerfile, "VOLUME")), (Some("/data"), vec!["/data"]));
    assert_eq!(all(&dockerfile, "STOPSIGNAL"), ["SIGTERM"]);

    let health = all(&dockerfile, "HEALTHCHECK");
    let health = words(health[0].split_once("CMD ").unwrap().1);
    let entry = [words(all(&dockerfile, "ENTRYPOINT")[0]), words(all(&dockerfile, "CMD")[0])].concat();
    for command in [health, entry] {
        assert_eq!(command[0], "countersign");
        let arguments: Vec<&str> = command[1..].iter().map(String::as_str).chain(["--help"]).collect();
        Sandbox::new().run(&arguments).with(0);
    }

    let pairs = image_environment();
    assert!(pairs.contains(&("HOST".to_owned(), "0.0.0.0".to_owned())), "{pairs:?}");
    assert_settings(&pairs, "deploy/Dockerfile");
}

#[test]
fn the_image_is_built_from_what_the_workspace_needs_and_no_secret() {
    let ignored = read(".dockerignore");
    let lines: Vec<&str> = ignored.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "everything is left out that is not named");
    for needed in
        ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "README.md", "apps", "crates", "scripts/build-static"]
    {
        assert!(lines.contains(&format!("!{needed}").as_str()), "{needed}");
        assert!(workspace().join(needed).exists(), "{needed}");
    }
    for secret in ["**/.env", "**/data", "**/target"] {
        assert!(lines.contains(&secret), "{secret}");
    }
}

#[test]
fn the_compose_file_names_settings_and_files_that_there_are() {
    let compose = read("deploy/compose.yml");
    let server = compose.split("\n  nginx:").next().unwrap();
    let value = |text: &str| match text {
        // Variables of the operator's environment.
        text if text.starts_with("${FRONTEND_URL") => "https://accounts.example.org".to_owned(),
        text if text.starts_with("${MAIL_FROM") => "noreply@example.org".to_owned(),
        text if text.starts_with("${") => "mail.example.org".to_owned(),
        text => text.to_owned(),
    };
    let pairs: Vec<(String, String)> =
        compose_environment().into_iter().map(|(name, text)| (name, value(&text))).collect();
    assert!(pairs.len() > 8, "{pairs:?}");
    assert_settings(&pairs, "deploy/compose.yml");
    assert!(server.contains("dockerfile: deploy/Dockerfile") && server.contains("read_only: true"));
    assert!(server.contains("    ulimits:\n      core: 0\n"));
    for secret in ["secret_key", "database_url", "database_password"] {
        assert!(
            compose.contains(&format!("/run/secrets/{secret}")) && compose.contains(&format!("./secrets/{secret}"))
        );
    }
}

#[test]
fn the_service_runs_a_command_that_there_is_with_a_key_that_only_it_sees() {
    let unit = read("deploy/systemd/countersign.service");
    let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/countersign ")).unwrap();
    Sandbox::new().run(&[command, "--help"]).with(0);
    for line in [
        "User=countersign",
        "WorkingDirectory=/etc/countersign",
        "LoadCredential=secret_key:/etc/countersign/secret_key",
        "Environment=SECRET_KEY_FILE=%d/secret_key",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "MemoryDenyWriteExecute=yes",
        "CapabilityBoundingSet=",
        "LimitCORE=0",
    ] {
        assert!(unit.lines().any(|found| found == line), "{line}");
    }
    let backup = read("deploy/systemd/countersign-backup.service");
    assert!(backup.contains("/usr/local/bin/countersign backup ") && backup.contains("\nLimitCORE=0\n"));
    Sandbox::new().run(&["backup", "--help"]).with(0);
}

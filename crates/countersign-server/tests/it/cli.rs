use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::pipe;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::current_database;
use crate::sandbox::Sandbox;

#[test]
fn help_needs_no_manual() {
    let sandbox = Sandbox::new();
    let commands: [&[&str]; 34] = [
        &[],
        &["dev"],
        &["serve"],
        &["secret"],
        &["migrate"],
        &["migrate", "status"],
        &["migrate", "up"],
        &["keys"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["keys", "retire"],
        &["keys", "reseal"],
        &["media"],
        &["media", "copy"],
        &["media", "sweep"],
        &["backup"],
        &["restore"],
        &["backup-key"],
        &["copy"],
        &["jobs"],
        &["jobs", "list"],
        &["jobs", "retry"],
        &["invite"],
        &["mail"],
        &["mail", "preview"],
        &["mail", "test"],
        &["settings"],
        &["doctor"],
        &["health"],
        &["tune"],
        &["openapi"],
        &["completion"],
        &["man"],
        &["version"],
    ];
    for command in commands {
        let ended = sandbox.run(&[command, &["--help"]].concat()).with(0);
        assert_eq!(ended.stderr, "");
        insta::assert_snapshot!([&["help"], command].concat().join("_"), ended.stdout);
    }
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

/// The commands that the help lists.
fn listed_commands() -> Vec<String> {
    let help = Sandbox::new().run(&["--help"]).with(0).stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    commands.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_help_has_a_snapshot() {
    let commands = listed_commands();
    assert_eq!(
        commands,
        [
            "dev",
            "serve",
            "secret",
            "migrate",
            "keys",
            "media",
            "backup",
            "restore",
            "backup-key",
            "copy",
            "jobs",
            "invite",
            "mail",
            "settings",
            "doctor",
            "health",
            "tune",
            "openapi",
            "completion",
            "man",
            "version",
            "help"
        ]
    );
}

#[test]
fn the_version_is_told() {
    for call in ["--version", "version"] {
        let stdout = Sandbox::new().run(&[call]).with(0).stdout;
        assert_eq!(stdout, format!("countersign {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn help_fits_the_terminal() {
    let sandbox = Sandbox::new().set("COLUMNS", 60);
    let help = sandbox.run(&["backup", "--help"]).with(0).stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 60), "{help}");
}

#[test]
fn every_shell_completes_every_command() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = sandbox.run(&["completion", shell]).with(0);
        assert_eq!(ended.stderr, "");
        for command in listed_commands() {
            assert!(ended.stdout.contains(&command), "{shell}: {command}");
        }
    }
    let script = sandbox.path("countersign.bash");
    fs::write(&script, sandbox.run(&["completion", "bash"]).with(0).stdout).unwrap();
    let completing = "source countersign.bash; COMP_WORDS=(countersign migrate s); COMP_CWORD=2; \
                      _countersign countersign s migrate; echo ${COMPREPLY[@]}";
    let bash = Command::new("bash").args(["-c", completing]).current_dir(sandbox.path("")).output().unwrap();
    assert_eq!(String::from_utf8(bash.stdout).unwrap(), "status\n", "{}", String::from_utf8_lossy(&bash.stderr));
}

#[test]
fn every_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.run(&["man"]).with(0).stdout;
    assert!(page.contains(".TH countersign 1"), "{page}");
    fs::create_dir(sandbox.path("pages")).unwrap();
    sandbox.run(&["man", "pages"]).with(0);
    for command in listed_commands().iter().filter(|command| *command != "help") {
        assert!(page.contains(&command.replace('-', "\\-")), "{command}: {page}");
        let page = sandbox.read(&format!("pages/countersign-{command}.1"));
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
    assert!(sandbox.run(&["man", "missing"]).with(1).stderr.contains("cannot be written to missing: No such file"));
}

#[test]
fn a_backup_that_is_missing_is_named_before_a_database_in_its_way() {
    let sandbox = Sandbox::new().set("DATABASE_URL", "sqlite:here.db");
    fs::write(sandbox.path("here.db"), "").unwrap();
    let told = sandbox.run(&["restore", "nope.tar"]).with(1).stderr;
    assert!(told.contains("nope.tar: No such file") && !told.contains("--force"), "{told}");
}

#[test]
fn a_wrong_call_ends_with_2_and_does_nothing() {
    let sandbox = Sandbox::new();
    let calls: [&[&str]; 6] =
        [&[], &["sreve"], &["migrate"], &["migrate", "down"], &["secret", "--force"], &["serve", "--port", "80"]];
    for call in calls {
        let ended = sandbox.run(call).with(2);
        assert_eq!(ended.stdout, "", "{call:?}");
        assert!(ended.stderr.contains("Usage: countersign"), "{}", ended.stderr);
    }
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

#[test]
fn a_secret_is_64_hexadecimal_digits_and_never_the_same() {
    let sandbox = Sandbox::new();
    let secrets = [(); 2].map(|()| {
        let ended = sandbox.run(&["secret"]).with(0);
        assert_eq!(ended.stderr, "");
        ended.stdout
    });
    for secret in &secrets {
        let digits = secret.strip_suffix('\n').unwrap();
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{secret}");
    }
    assert_ne!(secrets[0], secrets[1]);
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

/// Returns the key in `.env`; there must be exactly one.
fn key_in_dot_env(sandbox: &Sandbox) -> String {
    let text = sandbox.read(".env");
    let keys: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("SECRET_KEY=")).collect();
    assert_eq!(keys.len(), 1, "{text}");
    assert_eq!(keys[0].len(), 64, "{text}");
    keys[0].to_owned()
}

#[test]
fn a_secret_is_written_where_only_its_owner_reads_it_and_git_ignores_it() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&["secret", "--write-env"]).with(0);
    let key = key_in_dot_env(&sandbox);
    assert!(!ended.all().contains(&key), "{}", ended.all());
    assert_eq!(sandbox.mode(".env"), 0o600);
    assert_eq!(sandbox.read(".gitignore"), ".env\n");
    assert_eq!(sandbox.names(), [".env", ".gitignore"]);
}

#[tokio::test]
async fn serve_starts_with_a_secret_that_was_written() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).unset("SECRET_KEY");
    sandbox.run(&["secret", "--write-env"]).with(0);
    let server = sandbox.start("serve");
    assert_eq!(server.get("/ready").status, 200);
}

#[test]
fn writing_a_secret_keeps_everything_else() {
    let other = "# The port of my friends\nPORT=8123\n\nLOG='info,countersign=debug'\n";
    let sandbox = Sandbox::new().file(".env", other).file(".gitignore", "/target\n/data");
    assert_eq!(sandbox.mode(".env") & 0o004, 0o004, "the test needs a readable file to begin with");
    sandbox.run(&["secret", "--write-env"]).with(0);
    let key = key_in_dot_env(&sandbox);
    assert_eq!(sandbox.read(".env"), format!("{other}SECRET_KEY={key}\n"));
    assert_eq!(sandbox.mode(".env"), 0o600);
    assert_eq!(sandbox.read(".gitignore"), "/target\n/data\n.env\n");
}

#[test]
fn a_dot_env_that_is_a_link_stays_one() {
    let sandbox = Sandbox::new().file("shared.env", "PORT=8123\n");
    symlink("shared.env", sandbox.path(".env")).unwrap();
    sandbox.run(&["secret", "--write-env"]).with(0);
    let key = key_in_dot_env(&sandbox);
    assert_eq!(sandbox.read("shared.env"), format!("PORT=8123\nSECRET_KEY={key}\n"));
    assert_eq!(sandbox.mode("shared.env"), 0o600);
    assert!(fs::symlink_metadata(sandbox.path(".env")).unwrap().is_symlink());
}

#[test]
fn a_gitignore_that_names_it_already_is_left_alone() {
    for text in [".env\n/target\n", "/target\n/.env", ".env*\n"] {
        let sandbox = Sandbox::new().file(".gitignore", text);
        sandbox.run(&["secret", "--write-env"]).with(0);
        assert_eq!(sandbox.read(".gitignore"), text);
    }
}

#[test]
fn a_secret_that_is_there_is_replaced_by_force_alone() {
    let before = "SECRET_KEY=something-of-mine\nPORT=8123\n";
    let sandbox = Sandbox::new().file(".env", before);
    let ended = sandbox.run(&["secret", "--write-env"]).with(1);
    assert!(ended.stderr.contains("--force"), "{}", ended.stderr);
    assert_eq!(sandbox.read(".env"), before);

    sandbox.run(&["secret", "--write-env", "--force"]).with(0);
    let first = key_in_dot_env(&sandbox);
    assert_eq!(sandbox.read(".env"), format!("PORT=8123\nSECRET_KEY={first}\n"));
    sandbox.run(&["secret", "--write-env", "--force"]).with(0);
    assert_ne!(key_in_dot_env(&sandbox), first);
}

#[test]
fn the_openapi_document_is_printed_on_a_machine_that_is_not_set_up() {
    let sandbox = Sandbox::new().set("SECRET_KEY", "short").set("PORT", "no number");
    let ended = sandbox.run(&["openapi"]).with(0);
    assert_eq!(ended.stderr, "");
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{}", document["openapi"]);
    assert_eq!(document["info"]["title"], "countersign");
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["OAuth2PasswordBearer"]["type"], "oauth2");
    assert_eq!(schemes["OAuth2PasswordBearer"]["flows"]["password"]["tokenUrl"], "/api/users/token");
    assert_eq!(
        (&schemes["SessionCookie"]["type"], &schemes["SessionCookie"]["in"]),
        (&json!("apiKey"), &json!("cookie"))
    );
    let security = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
    let of_users = json!([{ "OAuth2PasswordBearer": [] }, { "SessionCookie": [] }]);
    assert_eq!(security("/api/users/me", "get"), of_users);
    let of_services = json!([{ "IntrospectionBearer": [] }, { "IntrospectionBasic": [] }]);
    assert_eq!(security("/api/users/token/introspect", "post"), of_services);
    for secret in ["IntrospectionBearer", "IntrospectionBasic"] {
        assert_eq!(schemes[secret]["type"], "http", "{secret}");
    }
    for path in ["/api/users", "/api/users/token", "/api/users/me", "/api/users/{user_id}", "/health", "/ready"] {
        assert!(document["paths"].get(path).is_some(), "{path}");
    }
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

fn words(call: &[String]) -> Vec<&str> {
    call.iter().map(String::as_str).collect()
}

/// Runs a command whose `stdout` cannot be written to.
fn run_to(sandbox: &Sandbox, arguments: &[&str], stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let output = sandbox.command(arguments).stdout(stdout).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_command_fails_when_what_it_prints_cannot_be_written() {
    let place = "sqlite:accounts.db";
    let [sandbox, other] = [(); 2].map(|()| {
        let sandbox = Sandbox::with_database(place).served_cheaply();
        sandbox.run(&["migrate", "up"]).with(0);
        sandbox
    });
    let server = other.start("serve");
    let url = format!("http://{}", server.address);
    let calls: [&[&str]; 26] = [
        &["--help"],
        &["--version"],
        &["openapi", "--help"],
        &["secret"],
        &["secret", "--write-env", "--force"],
        &["migrate", "up"],
        &["migrate", "status"],
        &["keys", "list"],
        &["media", "copy", "--from", "file:media", "--to", "file:elsewhere"],
        &["media", "sweep"],
        &["backup", "backup.tar"],
        &["backup-key"],
        &["restore", "backup.tar", "--force"],
        &["copy", "--to", "sqlite:copy-COUNT.db"],
        &["jobs", "list"],
        &["jobs", "retry"],
        &["invite"],
        &["mail", "preview"],
        &["settings"],
        &["doctor"],
        &["doctor", "--from", "192.0.2.1"],
        &["health", &url],
        &["openapi"],
        &["completion", "bash"],
        &["man"],
        &["version"],
    ];
    for call in calls {
        let count = |count: &str| call.iter().map(|word| word.replace("COUNT", count)).collect::<Vec<_>>();
        let [first, second, third] = ["1", "2", "3"].map(count);
        let usual = sandbox.run(&words(&first));
        assert!(!usual.stdout.is_empty(), "{call:?}: {}", usual.stderr);

        let full = File::options().write(true).open("/dev/full").unwrap();
        let (code, stderr) = run_to(&sandbox, &words(&second), full);
        assert_eq!(code, Some(1), "{call:?}: {stderr}");
        let said = "error: standard output cannot be written: No space left on device (os error 28)";
        assert_eq!(stderr.lines().filter(|line| line.starts_with("error: ")).collect::<Vec<_>>(), [said], "{call:?}");

        // A closed pipe is not an error: the reader has read enough.
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let (code, stderr) = run_to(&sandbox, &words(&third), writer);
        assert_eq!(code, Some(141), "{call:?}: {stderr}");
        assert!(!stderr.contains("error: "), "{call:?}: {stderr}");
    }
    // Commands that run until they are stopped, clap's own, and one that hashes for half a minute before its first output.
    let left_out = ["dev", "serve", "help", "tune"];
    let tried: BTreeSet<&str> = calls.iter().map(|call| call[0]).chain(left_out).collect();
    for command in listed_commands() {
        assert!(tried.contains(command.as_str()), "{command}");
    }
}

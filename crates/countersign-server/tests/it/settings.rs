use std::fs;

use crate::sandbox::Sandbox;
use crate::{KEY, current_database};

/// Returns the value and the source of a setting, as `settings` prints them.
fn shown(sandbox: &Sandbox, name: &str) -> (String, String) {
    let table = sandbox.run(&["settings"]).with(0).stdout;
    let row = table.lines().find(|line| line.split(' ').next() == Some(name));
    let row = row.unwrap_or_else(|| panic!("{name} is missing:\n{table}"));
    let cells: Vec<&str> = row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells.len(), 3, "{row}");
    (cells[1].to_owned(), cells[2].to_owned())
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn the_environment_wins_over_dot_env_and_that_over_the_default() {
    let sandbox = Sandbox::new().file(".env", "PORT=8001\nLOG=debug\n").set("PORT", 8002);
    assert_eq!(shown(&sandbox, "PORT"), pair("8002", "environment"));
    assert_eq!(shown(&sandbox, "LOG"), pair("debug", ".env, line 2"));
    assert_eq!(shown(&sandbox, "HOST"), pair("127.0.0.1", "default"));
    assert_eq!(shown(&sandbox, "SECRET_KEY"), pair("(not set)", "default"));
}

#[test]
fn letter_case_does_not_matter_and_an_empty_value_is_none() {
    let sandbox = Sandbox::new().file(".env", "log=warn\nHost=\n").set("port", 8003).set("LOG_FORMAT", "");
    assert_eq!(shown(&sandbox, "PORT"), pair("8003", "environment"));
    assert_eq!(shown(&sandbox, "LOG"), pair("warn", ".env, line 1"));
    assert_eq!(shown(&sandbox, "HOST"), pair("127.0.0.1", "default"));
    assert_eq!(shown(&sandbox, "LOG_FORMAT").1, "default");
}

#[test]
fn secrets_are_shown_as_set_and_never_themselves() {
    let sandbox = Sandbox::new()
        .file(".env", &format!("SECRET_KEY={KEY}\n"))
        .set("DATABASE_URL", "postgres://ada:hunter2-hunter2@db.example.org/app");
    assert_eq!(shown(&sandbox, "SECRET_KEY"), pair("(set)", ".env, line 1"));
    assert_eq!(shown(&sandbox, "DATABASE_URL"), pair("(set)", "environment"));
    let all = sandbox.run(&["settings"]).with(0).all();
    assert!(!all.contains(KEY) && !all.contains("hunter2"), "{all}");
}

#[tokio::test]
async fn a_secret_in_a_file_counts_as_if_it_were_given_directly() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url())
        .unset("SECRET_KEY")
        .file("key.txt", &format!("{KEY}\n"))
        .set("SECRET_KEY_FILE", "key.txt");
    assert_eq!(shown(&sandbox, "SECRET_KEY"), pair("(set)", "file key.txt, named in environment"));
    let server = sandbox.start("serve");
    server.register("ada").ok(201);
    let token = server.token("ada");
    drop(server);

    let server = sandbox.unset("SECRET_KEY_FILE").set("SECRET_KEY", KEY).start("serve");
    assert_eq!(server.me(&token).ok(200)["username"], "ada");
}

#[test]
fn a_secret_given_twice_is_an_error() {
    let sandbox =
        Sandbox::new().file("key.txt", KEY).set("SECRET_KEY_FILE", "key.txt").set("SECRET_KEY", format!("{KEY}00"));
    for command in ["settings", "serve"] {
        let ended = sandbox.run(&[command]).with(1);
        assert!(
            ended.stderr.contains("SECRET_KEY (environment) is set, and so is SECRET_KEY_FILE; keep one of the two"),
            "{}",
            ended.stderr
        );
        assert!(!ended.all().contains(KEY), "{}", ended.all());
    }
}

#[test]
fn a_file_of_a_higher_tier_wins_over_a_value_of_a_lower_one() {
    let sandbox = Sandbox::new()
        .file("key.txt", KEY)
        .file(".env", &format!("SECRET_KEY={KEY}00\n"))
        .set("SECRET_KEY_FILE", "key.txt");
    assert_eq!(shown(&sandbox, "SECRET_KEY"), pair("(set)", "file key.txt, named in environment"));
}

#[test]
fn a_file_that_holds_no_secret_is_named() {
    let sandbox = Sandbox::new().file("empty.txt", " \n");
    for (path, reason) in [("empty.txt", "which is empty"), ("missing.txt", "which cannot be read: No such file")] {
        let sandbox = Sandbox::new()
            .set("SECRET_KEY_FILE", sandbox.path(path).display())
            .set("FRONTEND_URL", "https://a.example");
        let stderr = sandbox.run(&["serve"]).with(1).stderr;
        assert!(stderr.starts_with("error: 1 problem in the settings:"), "{stderr}");
        assert!(stderr.contains(&format!("{path}, {reason}")), "{stderr}");
    }
}

#[test]
fn every_problem_is_reported_in_one_go_and_no_bad_secret_repeated() {
    let sandbox = Sandbox::new()
        .file(".env", "LOG=inof\nthis is not an entry\nLOGIN_BY=phone\nFRONTEND_URL=localhost:8000\n")
        .set("SECRET_KEY", "hunter2-short")
        .set("DATABASE_URL", "mysql://ada:hunter2@db.example.org/app")
        .set("DATABASE_CONNECTIONS_MAX", "0")
        .set("MIGRATE_ON_START", "perhaps")
        .set("HOST", "every\u{1b}where")
        .set("PORT", "65536")
        .set("ALGORITHM", "none")
        .set("ARGON2_MEMORY_KIB", "19455")
        .set("RATE_LIMIT_LOGIN", "100/10")
        .set("RATE_LIMIT_ACCOUNT_TRIES", "2")
        .set("LOG_FORMAT", "xml");
    let report = sandbox.run(&["serve"]).with(1);
    assert!(!report.all().contains("hunter2"), "{}", report.all());
    insta::assert_snapshot!("every_problem", report.stderr);
    assert_eq!(sandbox.run(&["settings"]).with(1).stderr, report.stderr);
}

#[test]
fn a_name_that_nearly_is_a_setting_is_warned_about() {
    let sandbox = Sandbox::new()
        .set("SECRETKEY", "hunter2-hunter2")
        .file(".env", "DATABSE_URL=sqlite:hunter2.db\nFAVOURITE_COLOUR=hunter2\n");
    let ended = sandbox.run(&["settings"]).with(0);
    let warnings: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(
        warnings,
        [
            "warning: SECRETKEY in the environment is not a setting; did you mean SECRET_KEY?",
            "warning: DATABSE_URL (.env, line 1) is not a setting; did you mean DATABASE_URL?",
            "warning: FAVOURITE_COLOUR (.env, line 2) is not a setting",
        ]
    );
    assert!(!ended.all().contains("hunter2"), "{}", ended.all());
}

#[test]
fn what_every_shell_sets_is_not_warned_about() {
    let sandbox = Sandbox::new().set("HOSTNAME", "box").set("LANG", "C.UTF-8").set("USER", "ada").set("SHLVL", 1);
    assert_eq!(sandbox.run(&["settings"]).with(0).stderr, "");
}

#[test]
fn serve_refuses_a_weak_key_and_says_why() {
    for (key, reason) in [
        ("7f3c9a1e5b2d8c4f6a0e9b7d3c5f1a8", "shorter than 32 bytes"),
        ("your-secret-key-here-7f3c9a1e5b2d8c4f6a0e", "a placeholder that everybody knows"),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "too regular to be random"),
        ("7f3c9a1e5b2d8c4f7f3c9a1e5b2d8c4f", "too regular to be random"),
    ] {
        let ended = Sandbox::new().set("SECRET_KEY", key).run(&["serve"]).with(1);
        let stderr = &ended.stderr;
        assert!(stderr.contains(&format!("SECRET_KEY (environment) cannot be used: {reason}")), "{stderr}");
        assert!(stderr.contains("`secret`"), "{stderr}");
        assert!(!ended.all().contains(key), "{}", ended.all());
    }
}

#[test]
fn serve_refuses_to_start_without_a_key_and_says_how_to_get_one() {
    let sandbox = Sandbox::new().set("FRONTEND_URL", "https://accounts.example.org");
    let ended = sandbox.run(&["serve"]).with(1);
    assert!(
        ended.stderr.contains("SECRET_KEY is not set; `countersign secret --write-env` makes one"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stdout, "");
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

#[tokio::test]
async fn serve_refuses_to_start_without_the_address_of_the_site_and_commands_that_make_no_links_do_not() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url()).unset("FRONTEND_URL");
    for command in ["serve", "invite"] {
        let ended = sandbox.run(&[command]).with(1);
        let words = "FRONTEND_URL is not set; it is the public URL of the site, such as https://accounts.example.org";
        assert!(ended.stderr.contains(words), "{command}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{command}");
    }
    for command in [
        &["settings"][..],
        &["jobs", "list"],
        &["keys", "list"],
        &["mail", "preview"],
        &["media", "sweep"],
        &["migrate", "status"],
        &["openapi"],
    ] {
        sandbox.run(command).with(0);
    }
}

#[test]
fn dev_refuses_to_be_reached_from_other_machines() {
    for host in ["0.0.0.0", "::", "192.0.2.7"] {
        let sandbox = Sandbox::new().set("HOST", host).set("PORT", 0);
        let stderr = sandbox.run(&["dev"]).with(1).stderr;
        assert!(stderr.contains(&format!("HOST is {host}: `dev` listens on this machine only")), "{stderr}");
        assert!(stderr.contains("`countersign serve` is for the public"), "{stderr}");
        assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
    }
}

#[test]
fn a_dollar_sign_in_dot_env_is_not_taken_for_a_variable() {
    let url = "postgres://ada:hunter2$HOME@db.example.org/app";
    for text in [format!("LOG=warn\nDATABASE_URL={url}\n"), format!("LOG=warn\nDATABASE_URL=\"{url}\"\n")] {
        let ended = Sandbox::new().file(".env", &text).run(&["settings"]).with(1);
        let stderr = &ended.stderr;
        assert!(stderr.contains(".env, line 2 has a `$` outside single quotes"), "{stderr}");
        assert!(!ended.all().contains("hunter2"), "{}", ended.all());
    }
    let sandbox = Sandbox::new().file(".env", &format!("DATABASE_URL='{url}'\nISSUER='a$HOME'\n"));
    assert_eq!(shown(&sandbox, "DATABASE_URL"), pair("(set)", ".env, line 1"));
    assert_eq!(shown(&sandbox, "ISSUER"), pair("a$HOME", ".env, line 2"));
}

#[test]
fn a_dot_env_that_cannot_be_read_is_an_error() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path(".env")).unwrap();
    let stderr = sandbox.run(&["serve"]).with(1).stderr;
    assert!(stderr.contains(".env cannot be read"), "{stderr}");
}

#[test]
fn a_pooler_has_to_go_with_the_address() {
    for (url, pooler, reason) in [
        ("sqlite:a.db", "transaction", "DATABASE_POOLER is transaction, but DATABASE_URL names an SQLite database"),
        ("postgres://ada:hunter2@db/app?options=-c%20x%3D1", "transaction", "takes no startup options"),
        ("postgres://ada:hunter2@db/app?schema=hunter2", "session", "the parameter `schema` is not supported"),
        ("postgres://ada:hunter2@db/app", "statement", "expected session or transaction"),
    ] {
        let stderr = Sandbox::new()
            .set("DATABASE_URL", url)
            .set("DATABASE_POOLER", pooler)
            .run(&["migrate", "up"])
            .with(1)
            .stderr;
        assert!(stderr.starts_with("error: 1 problem in the settings:") && stderr.contains(reason), "{stderr}");
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
}

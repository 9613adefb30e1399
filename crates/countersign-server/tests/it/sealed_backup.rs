//! Backups encrypted to recipients.

use std::fs;
use std::net::TcpListener;

use crate::backup::{assert_consistent, backed_up, elsewhere, installation};
use crate::media::names;
use crate::sandbox::{Sandbox, eventually};

/// Plaintext bytes per chunk of the format, and the length of a chunk's tag.
const CHUNK_BYTES: usize = 64 * 1024;
const TAG_BYTES: usize = 16;

/// Makes a key, writes it to a file and returns the public key.
pub(crate) fn new_key(sandbox: &Sandbox, file: &str) -> String {
    let printed = sandbox.run(&["backup-key"]).with(0).stdout;
    fs::write(sandbox.path(file), &printed).unwrap();
    printed.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn a_key_is_printed_as_other_programs_read_it_and_never_the_same() {
    let sandbox = Sandbox::new();
    let keys = [(); 2].map(|()| {
        let ended = sandbox.run(&["backup-key"]).with(0);
        assert_eq!(ended.stderr, "");
        ended.stdout
    });
    for key in &keys {
        let lines: Vec<&str> = key.lines().collect();
        let [created, public, secret] = lines[..] else { panic!("{} lines", lines.len()) };
        assert!(created.starts_with("# created: 2") && created.ends_with('Z'), "{created}");
        assert!(public.starts_with("# public key: age1") && public.len() == 76, "{public}");
        assert!(secret.starts_with("AGE-SECRET-KEY-1") && secret.len() == 74);
        let parsed: age::x25519::Identity = secret.parse().unwrap();
        assert!(public.ends_with(&parsed.to_public().to_string()));
    }
    assert_ne!(keys[0], keys[1]);
    assert!(sandbox.names().is_empty(), "{:?}", sandbox.names());
}

#[tokio::test]
async fn an_encrypted_backup_tells_nothing_and_each_of_its_keys_puts_it_back() {
    let sandbox = backed_up(&["ada", "grace"]);
    let keys = ["one.txt", "two.txt"].map(|file| new_key(&sandbox, file));
    let arguments = ["backup", "sealed.tar.age", "--recipient", &keys[0], "--recipient", &keys[1]];
    let ended = sandbox.run(&arguments).with(0);
    assert!(ended.stdout.starts_with("sealed.tar.age: 2 users, 2 pictures, "), "{}", ended.stdout);
    assert!(ended.stdout.contains(", encrypted to 2 recipients"), "{}", ended.stdout);
    assert_eq!(sandbox.mode("sealed.tar.age"), 0o600);
    assert_eq!(sandbox.names(), ["backup.tar", "data", "media", "one.txt", "sealed.tar.age", "two.txt"]);

    let (open, sealed) =
        (fs::read(sandbox.path("backup.tar")).unwrap(), fs::read(sandbox.path("sealed.tar.age")).unwrap());
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> X25519 "), "what `age` and `rage` read");
    for text in
        ["ada@example.com", "grace", "argon2id", "SQLite format 3", "database.db", "profile_pics", "countersign"]
    {
        assert!(contains(&open, text.as_bytes()), "{text}");
        assert!(!contains(&sealed, text.as_bytes()), "{text}");
    }
    for key in ["one.txt", "two.txt"] {
        let there = elsewhere(&sandbox.path("sealed.tar.age"));
        fs::copy(sandbox.path(key), there.path("key.txt")).unwrap();
        let ended = there.run(&["restore", "backup.tar", "--identity", "key.txt"]).with(0);
        assert!(ended.stdout.contains("2 users, 2 pictures"), "{}", ended.stdout);
        assert_eq!(assert_consistent(&there).await, 2);
        there.start("serve").log_in("ada").ok(200);
        assert_eq!(hidden(&there, "data"), Vec::<String>::new());
    }
}

/// Returns the hidden files of a folder.
pub(crate) fn hidden(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(sandbox.path(folder)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn what_cannot_be_opened_is_refused_by_its_reason_and_nothing_is_changed() {
    let sandbox = backed_up(&["ada"]);
    let public = new_key(&sandbox, "key.txt");
    sandbox.run(&["backup", "sealed.tar.age", "--recipient", &public]).with(0);
    let good = fs::read(sandbox.path("sealed.tar.age")).unwrap();
    let header = good.windows(5).position(|bytes| bytes == b"\n--- ").unwrap();
    let nonce = header + 1 + good[header + 1..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let first_end = nonce + 16 + CHUNK_BYTES + TAG_BYTES;
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    let (right, wrong, cut) = (Some("key.txt"), Some("other.txt"), "it was truncated or altered");
    for (case, bytes, key, reason) in [
        ("no key", good.clone(), None, "it is encrypted; pass the file with its key"),
        ("another key", good.clone(), wrong, "none of the keys of --identity opens it"),
        ("cut off by a byte", good[..good.len() - 1].to_vec(), right, cut),
        ("cut off between two parts", good[..first_end].to_vec(), right, cut),
        ("cut off before the first", good[..nonce + 16].to_vec(), right, cut),
        ("cut off in the header", good[..header].to_vec(), right, cut),
        ("longer", [&good[..], b"x"].concat(), right, cut),
        ("an altered header", flipped(header + 10), right, cut),
        ("an altered part", flipped(first_end + 1_000), right, cut),
        ("two parts exchanged", exchanged(&good, nonce + 16), right, cut),
    ] {
        let there = installation();
        fs::write(there.path("backup.tar"), bytes).unwrap();
        fs::copy(sandbox.path("key.txt"), there.path("key.txt")).unwrap();
        new_key(&there, "other.txt");
        for force in [&[][..], &["--force"]] {
            let identity = key.map(|key| ["--identity", key]);
            let arguments = [&["restore", "backup.tar"], identity.as_slice().as_flattened(), force].concat();
            let ended = there.run(&arguments).with(1);
            assert!(ended.stderr.contains(reason), "{case}: {}", ended.stderr);
            assert!(ended.stderr.contains("nothing was changed"), "{case}: {}", ended.stderr);
            assert_eq!(there.names(), ["backup.tar", "key.txt", "other.txt"], "{case}");
        }
    }
}

/// Swaps the first two chunks.
fn exchanged(good: &[u8], at: usize) -> Vec<u8> {
    const PART: usize = CHUNK_BYTES + TAG_BYTES;
    let parts = [&good[at + PART..at + 2 * PART], &good[at..at + PART]];
    [&good[..at], parts[0], parts[1], &good[at + 2 * PART..]].concat()
}

#[test]
fn keys_that_are_none_are_named_by_their_file_and_line_and_not_repeated() {
    let sandbox = backed_up(&["ada"]);
    let public = new_key(&sandbox, "key.txt");
    sandbox.run(&["backup", "sealed.tar.age", "--recipient", &public]).with(0);
    let secret = sandbox.read("key.txt").lines().last().unwrap().to_owned();
    let there = elsewhere(&sandbox.path("sealed.tar.age"))
        .file("damaged.txt", &format!("# a key\n\n{}\n", &secret[..secret.len() - 1]))
        .file("public.txt", &public)
        .file("empty.txt", "# nothing\n");
    fs::copy(sandbox.path("sealed.tar.age"), there.path("sealed.txt")).unwrap();
    for (file, reason) in [
        ("damaged.txt", "--identity damaged.txt: line 3 is not a key that begins with AGE-SECRET-KEY-1"),
        ("public.txt", "--identity public.txt: line 1 is not a key"),
        ("empty.txt", "--identity empty.txt: it contains no key"),
        ("missing.txt", "--identity missing.txt: No such file"),
        ("sealed.txt", "--identity sealed.txt: "),
    ] {
        let ended = there.run(&["restore", "backup.tar", "--identity", file]).with(1);
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
        assert!(!ended.all().contains(&secret[..40]), "{}", ended.stderr);
    }
    let no_key = &public[..public.len() - 1];
    let ended = sandbox.run(&["backup", "new.tar", "--recipient", no_key]).with(2);
    assert!(ended.stderr.contains("a public key that begins with age1"), "{}", ended.stderr);
    let sandbox = sandbox.set("BACKUP_RECIPIENTS", no_key);
    let ended = sandbox.run(&["backup", "new.tar"]).with(1);
    assert!(ended.stderr.contains("BACKUP_RECIPIENTS (environment) is"), "{}", ended.stderr);
    assert!(!sandbox.path("new.tar").exists());
}

#[test]
fn recipients_of_the_settings_hold_for_the_command_and_a_backup_that_is_open_replaces_none_that_is_not() {
    let sandbox = backed_up(&["ada"]);
    let public = new_key(&sandbox, "key.txt");
    let sandbox = sandbox.set("BACKUP_RECIPIENTS", &public);
    let sealed = |sandbox: &Sandbox| fs::read(sandbox.path("backup.tar")).unwrap().starts_with(b"age-encryption.org/");
    assert!(!sealed(&sandbox));
    for _ in 0..2 {
        let ended = sandbox.run(&["backup", "backup.tar"]).with(0);
        assert!(ended.stdout.contains(", encrypted to 1 recipient;") && sealed(&sandbox), "{}", ended.stdout);
    }
    let sandbox = sandbox.unset("BACKUP_RECIPIENTS");
    let ended = sandbox.run(&["backup", "backup.tar"]).with(1);
    assert!(ended.stderr.contains("backup.tar exists and is not a backup; it was left alone"), "{}", ended.stderr);
    assert!(sealed(&sandbox));
}

#[test]
fn what_is_not_encrypted_yet_stays_beside_the_database_and_a_signal_clears_it_away() {
    // A bucket that never responds: the backup keeps running until it is stopped.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = backed_up(&["ada"])
        .set("S3_BUCKET_NAME", "pictures")
        .set("S3_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()))
        .set("S3_ACCESS_KEY_ID", "key")
        .set("S3_SECRET_ACCESS_KEY", "secret");
    let public = new_key(&sandbox, "key.txt");
    fs::create_dir(sandbox.path("out")).unwrap();
    for signal in ["TERM", "INT"] {
        let mut process = sandbox.launch(&["backup", "out/sealed.tar.age", "--recipient", &public]);
        let (drafts, beside) = ("out/.sealed.tar.age.partial", "data/.countersign.db.backup.partial");
        eventually("it has begun", || sandbox.path(beside).join("SHA256SUMS").exists().then_some(()));
        assert_eq!(names(&sandbox.path(drafts)), ["backup.tar", "lock"]);
        assert_eq!(names(&sandbox.path(beside)), ["SHA256SUMS", "database.db", "lock"]);
        assert_eq!((sandbox.mode(drafts), sandbox.mode(beside)), (0o700, 0o700));
        assert_eq!(sandbox.mode(&format!("{beside}/database.db")), 0o600);
        process.signal(signal);
        let ended = process.wait().with(1);
        assert!(ended.stderr.contains("it was stopped"), "{}", ended.stderr);
        assert_eq!(hidden(&sandbox, "out"), Vec::<String>::new());
        assert_eq!(hidden(&sandbox, "data"), Vec::<String>::new());
    }
}

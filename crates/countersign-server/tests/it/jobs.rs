use countersign::testing::{SmtpServer, SmtpServerOptions};
use serde_json::json;

use crate::sandbox::{Sandbox, eventually};
use crate::{PASSWORD, current_database};

#[tokio::test]
async fn a_mail_that_was_given_up_is_shown_and_tried_again_by_a_command() {
    let database = current_database().await;
    let server = SmtpServer::start(SmtpServerOptions::default());
    let sandbox = Sandbox::with_database(database.url())
        .set("MAIL_SERVER", "127.0.0.1")
        .set("MAIL_PORT", server.port())
        .set("MAIL_TLS", "none");
    assert_eq!(sandbox.run(&["jobs", "list"]).with(0).stdout.trim(), "no jobs");
    let running = sandbox.start("serve");
    running.register("refused").ok(201);
    running.register("later").ok(201);
    let listed = eventually("one is given up and one was tried", || {
        let listed = sandbox.run(&["jobs", "list"]);
        let is_both = listed.stdout.contains("given up") && listed.stdout.contains("451");
        is_both.then_some(listed)
    });
    let listed = listed.with(1).stdout; // failed jobs need attention
    let row = listed.lines().find(|line| line.contains("given up")).unwrap();
    assert!(row.contains("send_token") && row.contains("550"), "{row}");
    assert!(!listed.contains("example.com"), "{listed}");

    let id = row.split_whitespace().next().unwrap();
    let told = sandbox.run(&["jobs", "retry", id]).with(0).stdout;
    assert_eq!(told.trim(), "1 will be retried now by a running instance");
    eventually("it is tried and given up again", || {
        sandbox.run(&["jobs", "list"]).stdout.contains("given up").then_some(())
    });
    sandbox.run(&["jobs", "retry"]).with(0);
    let unknown = sandbox.run(&["jobs", "retry", "01890a5d-ac96-774b-bcce-b302099a8057"]).with(1).stderr;
    assert!(
        unknown.contains("there is no job 01890a5d-ac96-774b-bcce-b302099a8057; `countersign jobs list`"),
        "{unknown}"
    );
    sandbox.run(&["jobs", "retry", "nonsense"]).with(2);
}

#[tokio::test]
async fn an_invitation_that_a_command_makes_lets_somebody_in_so_often() {
    let database = current_database().await;
    let sandbox = Sandbox::with_database(database.url())
        .set("REGISTRATION", "invite")
        .set("FRONTEND_URL", "https://accounts.example.org");
    let made = sandbox.run(&["invite", "--uses", "2"]).with(0);
    assert_eq!(made.stderr, "");
    let mut lines = made.stdout.lines();
    let code = lines.next().unwrap();
    assert_eq!(lines.next().unwrap(), format!("https://accounts.example.org/register?invitation={code}"));
    let for_eve = sandbox.run(&["invite", "--email", "eve@example.com"]).with(0).stdout;
    let for_eve = for_eve.lines().next().unwrap();

    let running = sandbox.start("serve");
    let register = |name: &str, code: &str| {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD, "invitation": code });
        running.post("/api/users", &body)
    };
    running.register("ada").problem(403, "invalid_invitation");
    register("ada", for_eve).problem(403, "invalid_invitation");
    register("ada", code).ok(201);
    register("bob", code).ok(201);
    register("carl", code).problem(403, "invalid_invitation");
    register("eve", for_eve).ok(201);

    let open = sandbox.set("REGISTRATION", "open").run(&["invite"]).with(0);
    assert!(open.stderr.contains("REGISTRATION is not `invite`"), "{}", open.stderr);
}

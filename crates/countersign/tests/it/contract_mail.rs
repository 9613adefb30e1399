//! Rows U4 to U6 of the contract, with a running worker and a real mail server: the mails that a response announces
//! arrive, and their links work.

use axum::http::Request;
use countersign::Accounts;
use countersign::mail::{HeaderText, MailTransport};
use countersign::testing::{Answer, PASSWORD, SmtpServer, SmtpServerOptions, TestApp};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const NEW_PASSWORD: &str = "another horse entirely";
const SITE: &str = "https://accounts.example.org";

/// An instance that runs its own jobs, and the server that receives its mails.
struct Site {
    app: TestApp,
    server: SmtpServer,
    stop: oneshot::Sender<()>,
    worker: JoinHandle<()>,
}

impl Site {
    async fn start() -> Self {
        let server = SmtpServer::start(SmtpServerOptions::default());
        let app = TestApp::with(|config| {
            config.public_url = SITE.parse().unwrap();
            config.mail.site_name = HeaderText::new("FastAPI Blog");
            config.mail.transport = MailTransport::Smtp(server.policy());
        })
        .await;
        let (stop, stopped) = oneshot::channel::<()>();
        let accounts: Accounts = app.accounts().clone();
        #[expect(clippy::disallowed_methods, reason = "the test aborts or awaits it")]
        let worker = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            accounts.run_jobs(stopped).await;
        });
        Self { app, server, stop, worker }
    }

    /// Sends a request with forged host headers.
    async fn post_under_another_name(&self, path: &str, body: Value) -> Answer {
        let request = Request::post(path)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("forwarded", "host=evil.example;proto=http")
            .header("origin", "http://evil.example")
            .header("content-type", "application/json");
        self.app.anonymous().send_request(request.body(body.to_string().into()).unwrap()).await
    }

    async fn register(&self, name: &str) -> Value {
        let body = json!({ "username": name, "email": format!("{name}@example.com"), "password": PASSWORD });
        self.post_under_another_name("/api/users", body).await.ok(201)
    }

    async fn forgot(&self, address: &str) -> Answer {
        self.post_under_another_name("/api/users/forgot-password", json!({ "email": address })).await
    }

    async fn reset(&self, token: &str, password: &str) -> Answer {
        let body = json!({ "token": token, "new_password": password });
        self.app.anonymous().post("/api/users/reset-password", body).await
    }

    /// Receives the next mail and checks its recipient, subject and parts.
    async fn mail(&self, to: &str, subject: &str) -> Value {
        let mail = self.server.next_mail().await;
        assert_eq!(mail["to"], json!([to]));
        let headers = mail["headers"].as_array().unwrap();
        let header = |name: &str| headers.iter().find(|header| header[0] == name).unwrap()[1].as_str().unwrap();
        assert_eq!(header("Subject"), subject);
        assert_eq!(mail["type"], "multipart/alternative");
        let types: Vec<&Value> = mail["parts"].as_array().unwrap().iter().map(|part| &part["type"]).collect();
        assert_eq!(types, ["text/plain", "text/html"]);
        assert!(!mail["content"].as_str().unwrap().contains("evil.example"), "{mail}");
        mail
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.worker.await.unwrap();
        assert!(self.server.mails_so_far().await.is_empty(), "there is a mail that nobody expected");
    }
}

/// Returns the token of the link to `page`, after checking that both parts contain the link.
fn token(mail: &Value, page: &str) -> String {
    let begin = format!("{SITE}/{page}?token=");
    let mut tokens = mail["parts"].as_array().unwrap().iter().map(|part| {
        let text = part["text"].as_str().unwrap();
        let (_, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("no link to {begin} in {text}"));
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    });
    let first = tokens.next().unwrap();
    assert!(first.len() >= 43 && tokens.all(|other| other == first), "{mail}");
    first
}

const RESET: &str = "Reset Your Password - FastAPI Blog";

#[tokio::test]
async fn a_forgotten_password_is_reset_by_the_mail_that_arrives() {
    let site = Site::start().await;
    site.register("corey").await;
    let welcome = site.mail("corey@example.com", "Confirm your e-mail address - FastAPI Blog").await;
    let body = json!({ "token": token(&welcome, "verify-email") });
    site.app.anonymous().post("/api/users/verify-email", body).await.ok(200);
    let login = site.app.anonymous().log_in("corey@example.com", PASSWORD).await.ok(200);
    let corey = site.app.bearer(login["access_token"].as_str().map(str::to_owned));

    // U5: case-insensitive, and the same response for unknown addresses.
    let known = site.forgot("COREY@Example.com").await;
    let unknown = site.forgot("nobody@example.com").await;
    let told = "If an account exists with this email, you will receive password reset instructions.";
    assert_eq!(known.ok(202), json!({ "message": told }));
    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    site.forgot("no address").await.problem(422, "invalid_fields");
    let mail = site.mail("corey@example.com", RESET).await;
    for part in mail["parts"].as_array().unwrap() {
        let text = part["text"].as_str().unwrap();
        assert!(text.contains("corey") && text.contains("expires in 1 hour"), "{text}");
    }

    // U6: a 422 does not use up the token; the second use fails.
    let token = token(&mail, "reset-password");
    site.reset(&token, "short").await.problem(422, "invalid_fields");
    let answer = site.reset(&token, NEW_PASSWORD).await.ok(200);
    assert_eq!(answer["message"], "Password reset successfully. You can now log in with your new password.");
    let again = site.reset(&token, NEW_PASSWORD).await.problem(400, "invalid_reset_token");
    assert_eq!(again["detail"], "Invalid or expired reset token");
    corey.get("/api/users/me").await.problem(401, "invalid_token");
    site.app.anonymous().log_in("corey@example.com", PASSWORD).await.problem(401, "wrong_credentials");
    site.app.anonymous().log_in("corey@example.com", NEW_PASSWORD).await.ok(200);
    site.mail("corey@example.com", "Your password was changed - FastAPI Blog").await;
    site.stop().await;
}

#[tokio::test]
async fn a_changed_password_makes_the_mails_worthless_that_would_reset_it() {
    let site = Site::start().await;
    site.register("corey").await;
    let proof =
        token(&site.mail("corey@example.com", "Confirm your e-mail address - FastAPI Blog").await, "verify-email");
    // Notices go to verified addresses only.
    site.app.anonymous().post("/api/users/verify-email", json!({ "token": proof })).await.ok(200);
    site.forgot("corey@example.com").await.ok(202);
    let superseded = token(&site.mail("corey@example.com", RESET).await, "reset-password");
    site.forgot("corey@example.com").await.ok(202);
    let deleted = token(&site.mail("corey@example.com", RESET).await, "reset-password");
    let login = site.app.anonymous().log_in("corey@example.com", PASSWORD).await.ok(200);
    let corey = site.app.bearer(login["access_token"].as_str().map(str::to_owned));

    // U4.
    let path = "/api/users/me/password";
    let wrong = json!({ "current_password": "not the horse", "new_password": NEW_PASSWORD });
    let wrong = corey.patch(path, wrong).await.problem(400, "wrong_password");
    assert_eq!(wrong["detail"], "Current password is incorrect");
    site.app.anonymous().patch(path, json!({})).await.problem(401, "not_authenticated");
    corey.patch(path, json!({ "current_password": PASSWORD })).await.problem(422, "invalid_fields");
    let change = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
    assert_eq!(corey.patch(path, change).await.ok(200)["message"], "Password changed successfully");
    site.mail("corey@example.com", "Your password was changed - FastAPI Blog").await;
    for token in [superseded, deleted] {
        site.reset(&token, "yet another horse").await.problem(400, "invalid_reset_token");
    }
    site.app.anonymous().log_in("corey@example.com", NEW_PASSWORD).await.ok(200);
    site.stop().await;
}

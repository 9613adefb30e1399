//! An axum application with accounts, in one file: its own handler, and everything else by [`countersign::mount`].
//!
//! ```sh
//! SECRET_KEY=$(head -c 32 /dev/urandom | base64) cargo run -p example-minimal
//! ```
//!
//! Register at <http://127.0.0.1:3000/register>, then open <http://127.0.0.1:3000/hello>. Mails are printed instead of sent.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "an example without settings or a logger")]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::response::Redirect;
use axum::{Router, routing::get};
use countersign::config::{Config, SecretKey, SiteUrl};
use countersign::mail::{MailTransport, OutgoingMail, SendMail, Sending};
use countersign::{Accounts, CurrentUser, MIGRATIONS};
use countersign_db::{Db, PoolPolicy};
use tokio::net::TcpListener;

async fn hello(CurrentUser { user, .. }: CurrentUser) -> String {
    format!("Hello, {}!", user.username.as_str())
}

/// Prints mails. Use `countersign::mail::Smtp` to send them.
struct Printer;

impl SendMail for Printer {
    fn send(&self, mail: OutgoingMail) -> Sending<'_> {
        println!("To {}: {}\n{}", mail.to.as_str(), mail.subject.as_str(), mail.text);
        Box::pin(async { Ok(()) })
    }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(setting("LISTEN", "127.0.0.1:3000")).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let db = Db::connect(&setting("DATABASE_URL", "sqlite:minimal.db").parse()?, &PoolPolicy::default()).await?;
    db.migrate(&[&MIGRATIONS]).await?;

    let site_url: SiteUrl = setting("SITE_URL", &address).parse()?;
    let mut config = Config::new(SecretKey::parse(std::env::var("SECRET_KEY")?)?, site_url);
    config.mail.transport = MailTransport::Custom(Arc::new(Printer));
    let accounts = Accounts::new(db, config);

    let jobs = accounts.clone();
    tokio::spawn(async move { jobs.run_jobs(std::future::pending()).await }); // sends the mails

    let app = Router::new().route("/", get(|| async { Redirect::temporary("/account") })).route("/hello", get(hello)); // 401 without a login
    let app = countersign::mount(app, &accounts).with_state(accounts);

    println!("Listening at {address}");
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

//! Decides what the least is that an axum server can do to give a certain answer: the yardstick for one that has to find out
//! who asks.
//!
//! Takes the answer's headers (a JSON list of pairs) and its body as arguments, prints the address it listens on, and ends
//! when its standard input closes.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (headers, body) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let headers: Vec<(String, String)> = serde_json::from_str(&headers)?;
    let mut answered = HeaderMap::new();
    for (name, value) in &headers {
        answered.append(name.parse::<HeaderName>()?, HeaderValue::try_from(value)?);
    }
    let body = Bytes::from(body);
    let handler = move || async move { (answered, body) };
    let app: Router = Router::new().route("/api/users/me", get(handler));

    thread::spawn(|| {
        let _: io::Result<usize> = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    // The same runtime as the server's.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        // As the server does, too.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, app).await?;
        Ok(())
    })
}

//! The least that an axum server can do to give a certain answer: the limit for a server that has to work the answer out.
//!
//! Takes a path, the answer's headers (a JSON list of pairs) and its body as arguments, prints the address it listens on, and
//! ends when its standard input closes.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;
use std::thread;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::any;
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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, headers, body] = arguments.as_slice() else { return Err("takes a path, headers and a body".into()) };
    let headers: Vec<(String, String)> = serde_json::from_str(headers)?;
    let mut answered = HeaderMap::new();
    for (name, value) in &headers {
        answered.append(name.parse::<HeaderName>()?, HeaderValue::try_from(value)?);
    }
    let body = Bytes::from(body.clone());
    let handler = move || async move { (answered, body) };
    let app: Router = Router::new().route(path, any(handler));

    thread::spawn(|| {
        let _: io::Result<usize> = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    // The same runtime as the server's.
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        // As the server does.
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, app).await?;
        Ok(())
    })
}

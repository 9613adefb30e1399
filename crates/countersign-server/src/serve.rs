//! Decides how connections are accepted, bounded and ended.

mod attendance;
mod guests;
mod head_timer;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST};
use axum::http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;
use tracing::{info, warn};

use self::guests::{Guests, Ticket};
use self::head_timer::HeadTimer;
use crate::Draining;

pub(crate) use self::attendance::Attendance;

/// Head and trailers of one request.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Requests of one client at the same time over HTTP/2.
const STREAMS_MAX: u32 = 100;
/// How often a silent HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Accepting fails when file descriptors run out; they come back only as connections end.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(500);

/// Bounds on serving that are the operator's to set.
pub(crate) struct ServePolicy {
    pub(crate) connections_max: u32,
    pub(crate) shutdown_max: Duration,
    /// How long a client may take for a request's head, from connecting or from its previous request.
    pub(crate) head_time_max: Duration,
    /// How long a connection without a new request is kept; longer than any request may take.
    pub(crate) idle_max: Duration,
    /// Where connections are counted.
    pub(crate) attendance: Arc<Attendance>,
}

/// How long a silent connection is kept.
#[derive(Clone, Copy)]
struct Patience {
    head_time_max: Duration,
    idle_max: Duration,
}

impl ServePolicy {
    fn patience(&self) -> Patience {
        Patience { head_time_max: self.head_time_max, idle_max: self.idle_max }
    }
}

/// The signals that end serving.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Serves until a signal comes; then requests under way are finished within the policy's time, or until a second signal.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    policy: &ServePolicy,
    draining: &Draining,
    mut signals: StopSignals,
) {
    let guests = Guests::new(policy.connections_max, Arc::clone(&policy.attendance));
    let builder = connection_builder(policy.head_time_max);
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    // Who has been accepted and waits for a place.
    let mut newcomer: Option<(TcpStream, SocketAddr)> = None;
    let signal = loop {
        tokio::select! {
            name = signals.next() => break name,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener), if newcomer.is_none() => newcomer = Some(accepted),
            () = guests.room(), if newcomer.is_some() => {
                let Some((stream, peer)) = newcomer.take() else { continue };
                let ticket = guests.enter(peer, Instant::now());
                let usher = ticket.usher();
                let connection =
                    connection(builder.clone(), app.clone(), stream, peer, ticket, graceful.watcher(), policy.patience());
                usher.tell(connections.spawn(connection));
            }
        }
    };
    draining.begin();
    drop((listener, newcomer));
    info!(signal, "stopping: no new connections, requests under way are finished");
    tokio::select! {
        () = graceful.shutdown() => info!("stopped"),
        () = sleep(policy.shutdown_max) => warn!("stopped: the time for requests under way is over, some were cut off"),
        name = signals.next() => warn!(signal = name, "stopped at once by a second signal"),
    }
    connections.shutdown().await;
}

fn connection_builder(head_time_max: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(head_time_max).max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX);
    builder
}

/// Waits for a client.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client went away while it waited in the queue.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                warn!(%error, "cannot accept connections for the moment");
                sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

/// Serves one connection until the client leaves, is silent for too long, is shown out, or the server stops.
async fn connection(
    mut builder: Builder<TokioExecutor>,
    app: Router,
    stream: TcpStream,
    peer: SocketAddr,
    ticket: Ticket,
    watcher: Watcher,
    patience: Patience,
) {
    // Answers are small and whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    builder.http1().timer(HeadTimer::new(patience.head_time_max));
    let desk = ticket.desk();
    let service = service_fn(move |request: Request<Incoming>| {
        let under_way = desk.begin();
        let answer = (under_way.is_some() && names_its_host(&request)).then(|| {
            let mut request = request.map(|body| desk.watch(body));
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().oneshot(request)
        });
        async move {
            let _under_way = under_way.ok_or(ShownOut)?;
            let Some(answer) = answer else { return Ok(without_a_host()) };
            let Ok(answer) = answer.await;
            Ok::<_, ShownOut>(answer)
        }
    });
    let mut served = pin!(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()));
    // The head's time limit begins only once the version of HTTP is known, and HTTP/2 has none at all: so a client that
    // sends nothing, or nothing more, is shown out here.
    let mut wait = patience.head_time_max;
    let mut seen = 0;
    while timeout(wait, &mut served).await.is_err() {
        let now = ticket.requests();
        if now == seen {
            return;
        }
        seen = now;
        wait = patience.idle_max;
    }
}

/// The connection is being ended, so its request is not begun.
#[derive(Debug, thiserror::Error)]
#[error("the connection makes room for others")]
struct ShownOut;

/// Whether a request says which host it is for, and only once (RFC 9112, section 3.2): what a proxy before us and we take
/// for the host must not differ. HTTP/2 has it in the address, and HTTP/1.0 need not have it.
fn names_its_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(_), None) => true,
        (None, _) => request.version() != Version::HTTP_11,
        (Some(_), Some(_)) => false,
    }
}

/// As bare as the answers to other heads that cannot be understood.
fn without_a_host() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

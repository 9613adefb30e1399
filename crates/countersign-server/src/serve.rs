//! Decides how connections are accepted, bounded and ended.

mod head_timer;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;
use tracing::{info, warn};

use self::head_timer::HeadTimer;
use crate::Draining;

/// How long a client may take for a request's head, from connecting or from its previous request.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
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
    /// How long a connection without a new request is kept; longer than any request may take.
    pub(crate) idle_max: Duration,
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
    let slots = Arc::new(Semaphore::new(policy.connections_max as usize));
    let builder = connection_builder();
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let signal = loop {
        tokio::select! {
            name = signals.next() => break name,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (stream, peer, slot) = accept(&listener, &slots) => {
                let connection = connection(builder.clone(), app.clone(), stream, peer, graceful.watcher(), policy.idle_max);
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
        }
    };
    draining.begin();
    drop(listener);
    info!(signal, "stopping: no new connections, requests under way are finished");
    tokio::select! {
        () = graceful.shutdown() => info!("stopped"),
        () = sleep(policy.shutdown_max) => warn!("stopped: the time for requests under way is over, some were cut off"),
        name = signals.next() => warn!(signal = name, "stopped at once by a second signal"),
    }
    connections.shutdown().await;
}

fn connection_builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().header_read_timeout(HEAD_TIME_MAX).max_buf_size(HEAD_BYTES_MAX as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX);
    builder
}

/// Waits for a free slot and then for a client.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
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

/// Serves one connection until the client leaves, is silent for too long, or the server stops.
async fn connection(
    mut builder: Builder<TokioExecutor>,
    app: Router,
    stream: TcpStream,
    peer: SocketAddr,
    watcher: Watcher,
    idle_max: Duration,
) {
    // Answers are small and whole; waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    builder.http1().timer(HeadTimer::new(HEAD_TIME_MAX));
    let requests = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&requests);
    let service = service_fn(move |mut request: Request<Incoming>| {
        counter.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        app.clone().oneshot(request)
    });
    let mut served = pin!(watcher.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned()));
    // The head's time limit begins only once the version of HTTP is known, and HTTP/2 has none at all: so a client that
    // sends nothing, or nothing more, is shown out here.
    let mut patience = HEAD_TIME_MAX;
    let mut seen = 0;
    while timeout(patience, &mut served).await.is_err() {
        let now = requests.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
        patience = idle_max;
    }
}

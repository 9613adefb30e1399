//! Accepts, limits and closes connections.

mod answers;
mod connection_counters;
mod handshakes;
mod head_timer;
mod lingering;
mod open_connections;
mod stream;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use futures_util::FutureExt as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use self::answers::Answers;
use self::head_timer::HeadTimer;
use self::lingering::Conversation;
use self::open_connections::{OpenConnections, Ticket};
use self::stream::Stream;
use crate::Draining;
use crate::tls::Tls;

pub(crate) use self::connection_counters::ConnectionCounters;

/// Maximum size of the head and trailers of a request, in bytes.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Maximum number of concurrent HTTP/2 requests per connection.
const STREAMS_MAX: u32 = 100;
/// How often an idle HTTP/2 client is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Wait after a failed accept. Accepting fails when file descriptors run out, and connections have to close to free
/// them.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(500);
/// How long the last accepted connections may take to begin their request.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The operator's limits on serving.
pub(crate) struct ServePolicy {
    pub(crate) connections_max: u32,
    /// How long to keep accepting connections after a signal, so that load balancers notice the shutdown first.
    pub(crate) shutdown_delay: Duration,
    /// How long requests in progress may take after that.
    pub(crate) shutdown_max: Duration,
    /// How long a client may take for the head of a request, from connecting (TLS handshake included) or from its
    /// previous request.
    pub(crate) head_time_max: Duration,
    /// How long a connection without a new request is kept. It must exceed the maximum duration of a request plus the
    /// time to drain what its client still sends.
    pub(crate) idle_max: Duration,
    /// The certificate, if the server speaks TLS.
    pub(crate) tls: Option<Tls>,
    /// The connection counters.
    pub(crate) connection_counters: Arc<ConnectionCounters>,
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

/// The signals that stop the server, and one that is ignored.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// SIGXFSZ: a file reached the system's size limit. Handling it makes the write fail, which is reported; by default
    /// it would kill the process (setrlimit(2)).
    _file_size: Signal,
}

impl StopSignals {
    /// Installs the handlers, so that the signals no longer end the process.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _file_size: signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?,
        })
    }

    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The stage of the shutdown, which every connection watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Requests are still answered, but clients should not reuse the connection.
    Draining,
    /// Requests in progress are finished, and no new ones begin.
    Ending,
}

/// Serves until a signal arrives, then announces the shutdown for the configured delay, then lets requests in progress
/// finish within the configured time. A second signal stops at once.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    policy: &ServePolicy,
    draining: &Draining,
    mut signals: StopSignals,
) {
    let mut acceptor = Acceptor {
        open: OpenConnections::new(policy.connections_max, Arc::clone(&policy.connection_counters)),
        builder: connection_builder(policy.head_time_max),
        app,
        tls: policy.tls.clone(),
        patience: policy.patience(),
        draining: draining.clone(),
        stages: watch::Sender::new(Stage::Serving),
        connections: JoinSet::new(),
    };
    let signal = acceptor.receive_until(&listener, signals.next()).await;
    draining.begin();
    acceptor.stages.send_replace(Stage::Draining);
    let mut second = None;
    if !policy.shutdown_delay.is_zero() {
        info!(signal, "stopping soon: connections are still accepted, /ready answers 503");
        second = acceptor.receive_until(&listener, timeout(policy.shutdown_delay, signals.next())).await.ok();
        match handshakes::stop(&listener) {
            Ok(()) => acceptor.receive_until(&listener, sleep(handshakes::LAST_MAX)).await,
            Err(error) => debug!(%error, "connections that arrive now may be reset"),
        }
        // Closing the listener would reset connections that are still in its backlog.
        acceptor.receive_those_who_wait(&listener);
    }
    drop(listener);
    if second.is_none() && !policy.shutdown_delay.is_zero() {
        second = timeout(LAST_WORDS, signals.next()).await.ok();
    }
    info!(signal, "stopping: no new connections, requests under way are finished");
    acceptor.stages.send_replace(Stage::Ending);
    tokio::select! {
        biased;
        name = again(&mut signals, second) => warn!(signal = name, "stopped at once by a second signal"),
        () = acceptor.everybody_left() => info!("stopped"),
        () = sleep(policy.shutdown_max) => warn!("stopped: the time for requests under way is over, some were cut off"),
    }
    acceptor.connections.shutdown().await;
}

/// Waits for the second signal, which may have arrived already.
async fn again(signals: &mut StopSignals, second: Option<&'static str>) -> &'static str {
    match second {
        Some(name) => name,
        None => signals.next().await,
    }
}

/// Accepts connections and spawns their tasks.
struct Acceptor {
    open: Arc<OpenConnections>,
    builder: Builder<TokioExecutor>,
    app: Router,
    tls: Option<Tls>,
    patience: Patience,
    draining: Draining,
    stages: watch::Sender<Stage>,
    connections: JoinSet<()>,
}

impl Acceptor {
    /// Accepts connections until `event` completes.
    async fn receive_until<T>(&mut self, listener: &TcpListener, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        // An accepted connection that waits for room.
        let mut newcomer: Option<(TcpStream, SocketAddr)> = None;
        loop {
            tokio::select! {
                outcome = event.as_mut() => {
                    // Both may complete at once, and dropping the connection would reset it.
                    if let Some((stream, peer)) = newcomer {
                        self.receive(stream, peer);
                    }
                    return outcome;
                }
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
                accepted = accept(listener), if newcomer.is_none() => newcomer = Some(accepted),
                () = self.open.room(), if newcomer.is_some() => {
                    let Some((stream, peer)) = newcomer.take() else { continue };
                    self.receive(stream, peer);
                }
            }
        }
    }

    /// Accepts the connections in the backlog.
    fn receive_those_who_wait(&mut self, listener: &TcpListener) {
        while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
            self.receive(stream, peer);
        }
    }

    fn receive(&mut self, stream: TcpStream, peer: SocketAddr) {
        let ticket = self.open.enter(peer, Instant::now());
        let task_slot = ticket.task_slot();
        let connection = Connection {
            builder: self.builder.clone(),
            app: self.app.clone(),
            tls: self.tls.clone(),
            patience: self.patience,
            draining: self.draining.clone(),
            stages: self.stages.subscribe(),
        };
        task_slot.set(self.connections.spawn(connection.serve(stream, peer, ticket)));
    }

    async fn everybody_left(&mut self) {
        while self.connections.join_next().await.is_some() {}
    }
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

/// Accepts the next connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            // The client disconnected while it was in the backlog.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                warn!(%error, "cannot accept connections for the moment");
                sleep(ACCEPT_BACK_OFF).await;
            }
        }
    }
}

/// Everything that one connection needs.
struct Connection {
    builder: Builder<TokioExecutor>,
    app: Router,
    tls: Option<Tls>,
    patience: Patience,
    draining: Draining,
    stages: watch::Receiver<Stage>,
}

impl Connection {
    /// Serves until the client disconnects, is silent for too long, is evicted, or the server stops.
    async fn serve(self, stream: TcpStream, peer: SocketAddr, ticket: Ticket) {
        let Self { mut builder, app, tls, patience, draining, mut stages } = self;
        let connected = tokio::time::Instant::now();
        // Responses are small and written at once; waiting to fill a packet would only delay them.
        let _ = stream.set_nodelay(true);
        let conversation = Arc::new(Conversation::default());
        let begun = Stream::begin(stream, tls.as_ref(), Arc::clone(&conversation));
        let begun = tokio::select! {
            biased;
            begun = timeout(patience.head_time_max, begun) => begun,
            // A client in the TLS handshake has sent no request, so it is not waited for.
            _ = stages.wait_for(|stage| *stage == Stage::Ending) => return,
        };
        let Ok(Some(stream)) = begun else { return };
        builder.http1().timer(HeadTimer::new(patience.head_time_max));
        let answers = Answers {
            app,
            peer,
            request_counter: ticket.request_counter(),
            draining,
            conversation: Arc::clone(&conversation),
        };
        let service = service_fn(move |request| answers.to(request));
        let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // hyper starts the head timeout once the HTTP version is known, and HTTP/2 has none. A client that sends
        // nothing, or nothing more, is therefore disconnected here.
        let mut silence = pin!(sleep_until(connected + patience.head_time_max));
        let mut seen = 0;
        loop {
            tokio::select! {
                biased;
                _ = served.as_mut() => return,
                () = silence.as_mut() => {
                    let now = ticket.requests();
                    if now == seen {
                        return;
                    }
                    seen = now;
                    silence.as_mut().reset(tokio::time::Instant::now() + patience.idle_max);
                }
                stage = next_stage(&mut stages) => {
                    // hyper would close an idle HTTP/1 connection at once, possibly while a request is on its way;
                    // HTTP/2 announces the shutdown first (GOAWAY, RFC 9113, section 6.8).
                    if stage == Stage::Ending || conversation.is_http2() {
                        served.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// Waits for the next stage, or forever if there is none, in which case the connection is dropped.
async fn next_stage(stages: &mut watch::Receiver<Stage>) -> Stage {
    if stages.changed().await.is_err() {
        return std::future::pending().await;
    }
    *stages.borrow_and_update()
}

//! How connections are accepted, bounded and ended.

mod answers;
mod attendance;
mod guests;
mod handshakes;
mod head_timer;
mod lingering;
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
use self::guests::{Guests, Ticket};
use self::head_timer::HeadTimer;
use self::lingering::Conversation;
use self::stream::Stream;
use crate::Draining;
use crate::tls::Tls;

pub(crate) use self::attendance::Attendance;

/// Head and trailers of one request.
const HEAD_BYTES_MAX: u32 = 32 * 1024;
/// Requests of one client at the same time over HTTP/2.
const STREAMS_MAX: u32 = 100;
/// How often a silent HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Accepting fails when file descriptors run out; they come back only as connections end.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(500);
/// So long after the last connection was taken its request may still begin.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Bounds on serving that are the operator's to set.
pub(crate) struct ServePolicy {
    pub(crate) connections_max: u32,
    /// How long it goes on after a signal, so that everybody learns of the end before it comes.
    pub(crate) shutdown_delay: Duration,
    /// How long requests under way may take after that.
    pub(crate) shutdown_max: Duration,
    /// How long a client may take for a request's head, from connecting (a handshake included) or from its previous request.
    pub(crate) head_time_max: Duration,
    /// How long a connection without a new request is kept; longer than any request may take with what is done afterwards for
    /// a client that is still sending.
    pub(crate) idle_max: Duration,
    /// Who the server is, if it speaks TLS.
    pub(crate) tls: Option<Tls>,
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

/// The signals that end serving, and one that no longer does.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
    /// A file may not grow beyond a limit of the system. The write fails, and the writer says so; by default the
    /// signal would end the process (setrlimit(2)).
    _file_size: Signal,
}

impl StopSignals {
    /// From here on the signals no longer end the process by themselves.
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

/// How far the end has come; every connection watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Serving,
    /// Requests are still answered, but nobody should count on further ones.
    Draining,
    /// Requests under way are finished, and nothing is begun.
    Ending,
}

/// Serves until a signal comes. Then everybody is told that the end is near, for as long as the policy says; then requests
/// under way are finished within the policy's time. A second signal ends all of that at once.
pub(crate) async fn serve(
    listener: TcpListener,
    app: Router,
    policy: &ServePolicy,
    draining: &Draining,
    mut signals: StopSignals,
) {
    let mut reception = Reception {
        guests: Guests::new(policy.connections_max, Arc::clone(&policy.attendance)),
        builder: connection_builder(policy.head_time_max),
        app,
        tls: policy.tls.clone(),
        patience: policy.patience(),
        draining: draining.clone(),
        stages: watch::Sender::new(Stage::Serving),
        connections: JoinSet::new(),
    };
    let signal = reception.receive_until(&listener, signals.next()).await;
    draining.begin();
    reception.stages.send_replace(Stage::Draining);
    let mut second = None;
    if !policy.shutdown_delay.is_zero() {
        info!(signal, "stopping soon: new connections are taken for the last time, /ready says so");
        second = reception.receive_until(&listener, timeout(policy.shutdown_delay, signals.next())).await.ok();
        match handshakes::stop(&listener) {
            Ok(()) => reception.receive_until(&listener, sleep(handshakes::LAST_MAX)).await,
            Err(error) => debug!(%error, "a connection that is made in this moment may be reset"),
        }
        // Whoever the system has connected meanwhile would be cut off with the listener.
        reception.receive_those_who_wait(&listener);
    }
    drop(listener);
    if second.is_none() && !policy.shutdown_delay.is_zero() {
        second = timeout(LAST_WORDS, signals.next()).await.ok();
    }
    info!(signal, "stopping: no new connections, requests under way are finished");
    reception.stages.send_replace(Stage::Ending);
    tokio::select! {
        biased;
        name = again(&mut signals, second) => warn!(signal = name, "stopped at once by a second signal"),
        () = reception.everybody_left() => info!("stopped"),
        () = sleep(policy.shutdown_max) => warn!("stopped: the time for requests under way is over, some were cut off"),
    }
    reception.connections.shutdown().await;
}

/// A second signal, which may have come already.
async fn again(signals: &mut StopSignals, second: Option<&'static str>) -> &'static str {
    match second {
        Some(name) => name,
        None => signals.next().await,
    }
}

/// Where clients come in.
struct Reception {
    guests: Arc<Guests>,
    builder: Builder<TokioExecutor>,
    app: Router,
    tls: Option<Tls>,
    patience: Patience,
    draining: Draining,
    stages: watch::Sender<Stage>,
    connections: JoinSet<()>,
}

impl Reception {
    /// Takes connections until something else has come to pass.
    async fn receive_until<T>(&mut self, listener: &TcpListener, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        // Who has been accepted and waits for a place.
        let mut newcomer: Option<(TcpStream, SocketAddr)> = None;
        loop {
            tokio::select! {
                outcome = event.as_mut() => {
                    // It may have come to both at the same moment, and to drop the connection would reset it.
                    if let Some((stream, peer)) = newcomer {
                        self.receive(stream, peer);
                    }
                    return outcome;
                }
                Some(_) = self.connections.join_next(), if !self.connections.is_empty() => {}
                accepted = accept(listener), if newcomer.is_none() => newcomer = Some(accepted),
                () = self.guests.room(), if newcomer.is_some() => {
                    let Some((stream, peer)) = newcomer.take() else { continue };
                    self.receive(stream, peer);
                }
            }
        }
    }

    /// Takes the connections that have been made already.
    fn receive_those_who_wait(&mut self, listener: &TcpListener) {
        while let Some(Ok((stream, peer))) = listener.accept().now_or_never() {
            self.receive(stream, peer);
        }
    }

    fn receive(&mut self, stream: TcpStream, peer: SocketAddr) {
        let ticket = self.guests.enter(peer, Instant::now());
        let usher = ticket.usher();
        let connection = Connection {
            builder: self.builder.clone(),
            app: self.app.clone(),
            tls: self.tls.clone(),
            patience: self.patience,
            draining: self.draining.clone(),
            stages: self.stages.subscribe(),
        };
        usher.tell(self.connections.spawn(connection.serve(stream, peer, ticket)));
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

/// What one connection needs to know.
struct Connection {
    builder: Builder<TokioExecutor>,
    app: Router,
    tls: Option<Tls>,
    patience: Patience,
    draining: Draining,
    stages: watch::Receiver<Stage>,
}

impl Connection {
    /// Serves until the client leaves, is silent for too long, is shown out, or the server stops.
    async fn serve(self, stream: TcpStream, peer: SocketAddr, ticket: Ticket) {
        let Self { mut builder, app, tls, patience, draining, mut stages } = self;
        let connected = tokio::time::Instant::now();
        // Answers are small and whole; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let conversation = Arc::new(Conversation::default());
        let begun = Stream::begin(stream, tls.as_ref(), Arc::clone(&conversation));
        let begun = tokio::select! {
            biased;
            begun = timeout(patience.head_time_max, begun) => begun,
            // Whoever is still shaking hands has asked nothing and is not waited for.
            _ = stages.wait_for(|stage| *stage == Stage::Ending) => return,
        };
        let Ok(Some(stream)) = begun else { return };
        builder.http1().timer(HeadTimer::new(patience.head_time_max));
        let answers = Answers { app, peer, desk: ticket.desk(), draining, conversation: Arc::clone(&conversation) };
        let service = service_fn(move |request| answers.to(request));
        let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
        // The head's time limit begins only once the version of HTTP is known, and HTTP/2 has none at all: so a client that
        // sends nothing, or nothing more, is shown out here.
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
                    // An HTTP/1 connection without a request would be closed at once, perhaps under a request that is on its
                    // way; one of HTTP/2 takes a farewell first (GOAWAY, RFC 9113, section 6.8).
                    if stage == Stage::Ending || conversation.is_http2() {
                        served.as_mut().graceful_shutdown();
                    }
                }
            }
        }
    }
}

/// Waits for the next stage; for ever if there is none, which is when the connections are dropped.
async fn next_stage(stages: &mut watch::Receiver<Stage>) -> Stage {
    if stages.changed().await.is_err() {
        return std::future::pending().await;
    }
    *stages.borrow_and_update()
}

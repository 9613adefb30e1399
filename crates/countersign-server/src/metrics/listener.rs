//! Serves the metrics on their own address, apart from the site, with strict limits on connections.

use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// Maximum number of concurrent readers; others wait.
const CONNECTIONS_MAX: usize = 16;
/// Longer than the usual scrape interval.
const HEAD_TIME_MAX: Duration = Duration::from_mins(2);
/// Then a reader has to reconnect, so that none holds a slot forever.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(15);
/// Wait after a failed accept, which happens when file descriptors run out.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(500);

/// Serves until `stop` completes, and then closes all connections.
pub(crate) async fn serve(listener: TcpListener, app: Router, stop: impl Future<Output = ()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX).max_buf_size(16 * 1024);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                let Ok((stream, _)) = accepted else {
                    sleep(ACCEPT_BACK_OFF).await;
                    continue;
                };
                let (builder, app) = (builder.clone(), app.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| app.clone().oneshot(request));
                    let served = builder.serve_connection(TokioIo::new(stream), service);
                    // It does not matter whether a reader closes cleanly.
                    let _ = timeout(CONNECTION_TIME_MAX, served).await;
                });
            }
        }
    }
    connections.shutdown().await;
}

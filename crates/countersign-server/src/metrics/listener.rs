//! Decides how the metrics are served on an address of their own, apart from the site: to few, and to none for long.

use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::ServiceExt as _;

/// Readers at the same time; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// Longer than anybody waits between two readings.
const HEAD_TIME_MAX: Duration = Duration::from_mins(2);
/// Then a reader has to connect again, so that none keeps a place for ever.
const CONNECTION_TIME_MAX: Duration = Duration::from_mins(15);
/// Accepting fails when file descriptors run out.
const ACCEPT_BACK_OFF: Duration = Duration::from_millis(500);

/// Serves until `stop` comes, and then ends at once.
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
                    // Whether a reader leaves in an orderly way is nobody's concern.
                    let _ = timeout(CONNECTION_TIME_MAX, served).await;
                });
            }
        }
    }
    connections.shutdown().await;
}

//! A TCP forwarder with a movable target and an optional delay: it stands in for a virtual address, `HAProxy` or a DNS name
//! when another PostgreSQL takes over.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::broken::Outcome;

/// A movable address, stopped when dropped.
pub(crate) struct Forwarder {
    pub(crate) address: SocketAddr,
    aim: Arc<Mutex<Aim>>,
    _task: JoinSet<()>,
}

struct Aim {
    server: SocketAddr,
    open: Vec<AbortHandle>,
}

impl Forwarder {
    pub(crate) async fn start(server: SocketAddr) -> Outcome<Self> {
        Self::start_slow(server, Duration::ZERO).await
    }

    /// Delays all data by this much, like a network.
    pub(crate) async fn start_slow(server: SocketAddr, delay: Duration) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let aim = Arc::new(Mutex::new(Aim { server, open: Vec::new() }));
        let mut task = JoinSet::new();
        task.spawn(forward_all(listener, Arc::clone(&aim), delay));
        Ok(Self { address, aim, _task: task })
    }

    /// Redirects new connections to another server and closes those to the previous one, like `HAProxy` with
    /// `on-marked-down shutdown-sessions`.
    pub(crate) fn turn_to(&self, server: SocketAddr) {
        let mut aim = self.aim.lock().unwrap_or_else(PoisonError::into_inner);
        aim.server = server;
        for connection in aim.open.drain(..) {
            connection.abort();
        }
    }
}

async fn forward_all(listener: TcpListener, aim: Arc<Mutex<Aim>>, delay: Duration) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut aim = aim.lock().unwrap_or_else(PoisonError::into_inner);
        let server = aim.server;
        let open = connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                let _ = client.set_nodelay(true);
                let _ = server.set_nodelay(true);
                // When either side closes, both are closed.
                if delay.is_zero() {
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                } else {
                    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
                    tokio::select! {
                        _ = copy_slowly(from_client, to_server, delay) => {}
                        _ = copy_slowly(from_server, to_client, delay) => {}
                    }
                }
            }
        });
        aim.open.retain(|connection| !connection.is_finished());
        aim.open.push(open);
    }
}

async fn copy_slowly(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, delay: Duration) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        sleep(delay).await;
        to.write_all(&buffer[..length]).await?;
    }
}

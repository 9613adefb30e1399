//! Decides where connections to one address go: what a virtual address, `HAProxy` or a name in DNS does when another PostgreSQL
//! takes over.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use crate::broken::Outcome;

/// An address that moves. It ends when dropped.
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
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let aim = Arc::new(Mutex::new(Aim { server, open: Vec::new() }));
        let mut task = JoinSet::new();
        task.spawn(forward_all(listener, Arc::clone(&aim)));
        Ok(Self { address, aim, _task: task })
    }

    /// From now on to another server. What leads to the one before is closed, as `on-marked-down shutdown-sessions` has
    /// `HAProxy` do.
    pub(crate) fn turn_to(&self, server: SocketAddr) {
        let mut aim = self.aim.lock().unwrap_or_else(PoisonError::into_inner);
        aim.server = server;
        for connection in aim.open.drain(..) {
            connection.abort();
        }
    }
}

async fn forward_all(listener: TcpListener, aim: Arc<Mutex<Aim>>) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let mut aim = aim.lock().unwrap_or_else(PoisonError::into_inner);
        let server = aim.server;
        let open = connections.spawn(async move {
            if let Ok(mut server) = TcpStream::connect(server).await {
                let _ = client.set_nodelay(true);
                let _ = server.set_nodelay(true);
                // Whoever ends first ends both.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            }
        });
        aim.open.retain(|connection| !connection.is_finished());
        aim.open.push(open);
    }
}

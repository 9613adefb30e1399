//! A simulated network between the tests and their PostgreSQL: a separate socket that delays every packet by half a
//! millisecond.

use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Makes a round trip a millisecond, as between two machines in one data centre.
const ONE_WAY: Duration = Duration::from_micros(500);

/// The socket name that clients and server use for port 5432.
const SOCKET: &str = ".s.PGSQL.5432";

/// Forwards connections from the socket in folder `near` to the one in folder `far`, for the life of the process.
pub(super) fn forward(near: &Path, far: &Path) {
    let listener = UnixListener::bind(near.join(SOCKET)).expect("our own folder");
    let far: PathBuf = far.join(SOCKET);
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            // If the server is not listening yet, the connection ends and the client retries.
            let Ok(server) = UnixStream::connect(&far) else { continue };
            let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
            let (client_again, server_again) = both.expect("there are descriptors left");
            thread::spawn(move || carry(client, server));
            thread::spawn(move || carry(server_again, client_again));
        }
    });
}

/// Forwards the bytes of one side to the other, until one of them disconnects.
fn carry(mut from: UnixStream, mut to: UnixStream) {
    let mut packet = vec![0; 64 * 1024];
    while let Ok(length) = from.read(&mut packet)
        && length > 0
    {
        thread::sleep(ONE_WAY);
        if to.write_all(&packet[..length]).is_err() {
            break;
        }
    }
    // Closes the other direction too.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

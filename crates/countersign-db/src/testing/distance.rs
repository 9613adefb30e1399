//! A network between the tests and their PostgreSQL: a socket of its own, behind which every packet takes half a millisecond.

use std::io::{Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// So that a round trip takes a millisecond, as between two machines of one data centre.
const ONE_WAY: Duration = Duration::from_micros(500);

/// The name that clients and server give the socket of port 5432.
const SOCKET: &str = ".s.PGSQL.5432";

/// Forwards what comes to the socket in the folder `near` to that in the folder `far`, for as long as the process lives.
pub(super) fn forward(near: &Path, far: &Path) {
    let listener = UnixListener::bind(near.join(SOCKET)).expect("our own folder");
    let far: PathBuf = far.join(SOCKET);
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            // A server that is not there yet ends the connection, and the client tries again.
            let Ok(server) = UnixStream::connect(&far) else { continue };
            let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
            let (client_again, server_again) = both.expect("there are descriptors left");
            thread::spawn(move || carry(client, server));
            thread::spawn(move || carry(server_again, client_again));
        }
    });
}

/// Carries what one side says to the other, until one of them is gone.
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
    // The other direction ends with it.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

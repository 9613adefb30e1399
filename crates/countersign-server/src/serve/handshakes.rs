//! Stops a listener from establishing connections before it is closed, so that none is reset.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

/// How long connections that are being established may take: more than the round trip to a proxy.
pub(super) const LAST_MAX: Duration = Duration::from_millis(50);

/// Stops the system from beginning connections for this listener; those already begun are completed.
///
/// Closing a listener resets connections in its backlog, and new ones can arrive between the last accept and the close.
/// This filter first drops connection requests (SYN). The client retries after a second (RFC 6298, section 2), is then
/// refused, and moves on to the next instance.
///
/// # Errors
/// Systems other than Linux, and some that emulate it, do not support this.
#[cfg(target_os = "linux")]
pub(super) fn stop(listener: &TcpListener) -> io::Result<()> {
    socket2::SockRef::from(listener).attach_filter(&no_syn())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stop(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Drops segments with SYN and without ACK (RFC 9293, section 3.1). A classic BPF program for `SO_ATTACH_FILTER`
/// (`socket(7)`), which sees the segment from the first byte of its header.
#[cfg(target_os = "linux")]
const fn no_syn() -> [socket2::SockFilter; 5] {
    use socket2::SockFilter;
    const LOAD_BYTE_AT: u16 = 0x30;
    const AND: u16 = 0x54;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const FLAGS: u32 = 13;
    const SYN: u32 = 0x02;
    const ACK: u32 = 0x10;
    [
        SockFilter::new(LOAD_BYTE_AT, 0, 0, FLAGS),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write as _;
    use std::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn what_was_made_before_is_accepted_and_nothing_is_made_after() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut before = TcpStream::connect(address).unwrap();
        stop(&listener).unwrap();
        let after = TcpStream::connect_timeout(&address, Duration::from_millis(100));
        assert_eq!(after.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let (accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, before.local_addr().unwrap());
        // The connection inherits the filter from the listener, which does not affect it.
        before.write_all(b"hello").unwrap();
        accepted.readable().await.unwrap();
        let mut word = [0; 5];
        assert_eq!((accepted.try_read(&mut word).unwrap(), &word), (5, b"hello"));
    }
}

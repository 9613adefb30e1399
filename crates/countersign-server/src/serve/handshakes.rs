//! Decides how a listener stops to make connections before it is closed, so that none is cut off together with it.

use std::io;
use std::time::Duration;

use tokio::net::TcpListener;

/// So long connections may take that were being made: more than the way to a proxy and back.
pub(super) const LAST_MAX: Duration = Duration::from_millis(50);

/// From here on the system begins no connection for this listener, and finishes those that it has begun.
///
/// Closing a listener resets whatever the system has connected to it and nobody has accepted yet, and between the last look at
/// those and the closing there may be another. So requests for connections (SYN) are left without an answer first. Whoever made
/// one asks again after a second (RFC 6298, section 2), is refused by then, and goes on to the next instance.
///
/// # Errors
/// Systems other than Linux cannot do this, and neither can some that only resemble it.
#[cfg(target_os = "linux")]
pub(super) fn stop(listener: &TcpListener) -> io::Result<()> {
    socket2::SockRef::from(listener).attach_filter(&no_syn())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn stop(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets everything through but segments that have SYN and not ACK (RFC 9293, section 3.1), in the language of `socket(7)`'s
/// `SO_ATTACH_FILTER`: it gets the segment from the first byte of its header.
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
        // The connection has the filter from the listener, and is not disturbed by it.
        before.write_all(b"hello").unwrap();
        accepted.readable().await.unwrap();
        let mut word = [0; 5];
        assert_eq!((accepted.try_read(&mut word).unwrap(), &word), (5, b"hello"));
    }
}

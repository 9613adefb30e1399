//! Closes a connection whose client may still be sending: reads and discards its data for a while (RFC 9112, section
//! 9.6).
//!
//! If it were closed at once, the system would reset it as soon as more data arrives, and a reset discards a response
//! that the client has not read yet.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// Maximum duration; idle connections are kept longer.
const TIME_MAX: Duration = Duration::from_secs(30);
/// A client that sends nothing for this long has stopped sending.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Several times the size of a large picture, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The state of a connection, shared by its reader and the responses.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    is_http2: AtomicBool,
    is_unread: AtomicBool,
}

impl Conversation {
    /// Records that data was read. Over HTTP/1 it is part of a request, which may be refused after its head.
    pub(super) fn hears(&self) {
        if !self.is_http2() {
            self.is_unread.store(true, Ordering::Relaxed);
        }
    }

    /// Records that the connection is HTTP/2, where not all data belongs to requests.
    pub(super) fn turns_to_http2(&self) {
        if !self.is_http2() {
            self.is_http2.store(true, Ordering::Relaxed);
            self.is_unread.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Records that a request was read to its end.
    pub(super) fn has_read(&self) {
        if !self.is_http2() {
            self.is_unread.store(false, Ordering::Relaxed);
        }
    }

    /// Records that a request will not be read to its end.
    pub(super) fn leaves_unread(&self) {
        self.is_unread.store(true, Ordering::Relaxed);
    }

    /// Returns whether the client may still be sending.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }
}

/// The reading of a connection after its write side was shut down.
pub(super) struct Lingering {
    end: Instant,
    silence: Pin<Box<Sleep>>,
    silence_max: Duration,
    bytes_left: usize,
}

impl Lingering {
    pub(super) fn begin() -> Self {
        Self::within(TIME_MAX, SILENCE_MAX, BYTES_MAX)
    }

    fn within(time_max: Duration, silence_max: Duration, bytes_max: usize) -> Self {
        let now = Instant::now();
        let silence = Box::pin(sleep_until(now + silence_max.min(time_max)));
        Self { end: now + time_max, silence, silence_max, bytes_left: bytes_max }
    }

    /// Reads until the client closes its side, falls silent or exceeds a limit.
    pub(super) fn poll_end<S: AsyncRead + Unpin>(&mut self, socket: &mut S, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; 16 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut *socket).poll_read(cx, &mut buffer) {
                Poll::Pending => return self.silence.as_mut().poll(cx),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => {}
            }
            let (count, now) = (buffer.filled().len(), Instant::now());
            if count == 0 || count > self.bytes_left || now >= self.end {
                return Poll::Ready(());
            }
            self.bytes_left -= count;
            self.silence.as_mut().reset(self.end.min(now + self.silence_max));
        }
    }
}

/// Reads and discards a socket's data until it ends or exceeds a limit. Its write side must be shut down.
pub(super) async fn linger<S: AsyncRead + Unpin>(socket: &mut S) {
    let mut lingering = Lingering::begin();
    poll_fn(|cx| lingering.poll_end(socket, cx)).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt as _, duplex, repeat};

    use super::*;

    const LONG: Duration = Duration::from_mins(10);
    const SHORT: Duration = Duration::from_millis(5);

    async fn ends<S: AsyncRead + Unpin>(mut lingering: Lingering, socket: &mut S) -> usize {
        poll_fn(|cx| lingering.poll_end(socket, cx)).await;
        lingering.bytes_left
    }

    #[tokio::test]
    async fn it_ends_when_the_client_has_closed_its_side() {
        let (mut client, mut server) = duplex(100);
        client.write_all(b"0123456789").await.unwrap();
        drop(client);
        assert_eq!(ends(Lingering::within(LONG, LONG, 100), &mut server).await, 90);
    }

    #[tokio::test]
    async fn it_ends_when_the_client_is_silent_for_too_long() {
        let (mut client, mut server) = duplex(100);
        client.write_all(b"0123456789").await.unwrap();
        assert_eq!(ends(Lingering::within(LONG, SHORT, 100), &mut server).await, 90);
        assert_eq!(ends(Lingering::within(SHORT, LONG, 100), &mut server).await, 100);
    }

    #[tokio::test]
    async fn it_ends_when_the_client_goes_on_for_too_long_or_sends_too_much() {
        assert!(ends(Lingering::within(LONG, LONG, 1024 * 1024), &mut repeat(b'x')).await < 16 * 1024);
        ends(Lingering::within(SHORT, LONG, usize::MAX), &mut repeat(b'x')).await;
    }
}

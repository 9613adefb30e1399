//! The byte stream of a connection: its socket, or TLS on top of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::lingering::{Conversation, Lingering, linger};
use crate::tls::Tls;

/// The first byte of a TLS client: a handshake record (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;
/// The response to a client without TLS: a browser that was sent to `http:`, or a proxy.
const PLAIN_REFUSED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\nThis port speaks HTTPS. Ask with `https://`.";

/// The byte stream that HTTP runs on.
pub(super) struct Stream {
    socket: Socket,
    conversation: Arc<Conversation>,
    lingering: Option<Lingering>,
}

/// A single type, so that the HTTP code is compiled once.
enum Socket {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Performs the handshake, if the server speaks TLS; `None` if the client fails it. It has no timeout of its own.
    pub(super) async fn begin(socket: TcpStream, tls: Option<&Tls>, conversation: Arc<Conversation>) -> Option<Self> {
        let socket = match tls {
            None => Socket::Plain(socket),
            // Boxed, because every connection would reserve its space while few are in a handshake.
            Some(tls) => match Box::pin(shake_hands(socket, tls)).await {
                Ok(stream) => Socket::Encrypted(Box::new(stream?)),
                Err(error) => {
                    // Scanners, and clients that do not trust the certificate's authority, are not worth a warning.
                    debug!(%error, "no TLS with a client");
                    return None;
                }
            },
        };
        Some(Self { socket, conversation, lingering: None })
    }
}

impl Socket {
    /// Returns the socket below the encryption.
    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => stream.get_mut().0,
        }
    }
}

async fn shake_hands(mut socket: TcpStream, tls: &Tls) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    if socket.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
        socket.write_all(PLAIN_REFUSED).await?;
        socket.shutdown().await?;
        linger(&mut socket).await;
        return Ok(None);
    }
    tls.acceptor().accept(socket).await.map(Some)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = match &mut this.socket {
            Socket::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Encrypted(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if buf.filled().len() > before {
            this.conversation.hears();
        }
        polled
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Encrypted(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Plain(stream) => stream.is_write_vectored(),
            Socket::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    /// Shuts down the write side, then lingers for a client that may still be sending.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.lingering.is_none() {
            ready!(match &mut this.socket {
                Socket::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
                Socket::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
            })?;
        }
        if this.conversation.is_unread() {
            ready!(this.lingering.get_or_insert_with(Lingering::begin).poll_end(this.socket.tcp(), cx));
        }
        Poll::Ready(Ok(()))
    }
}

//! Decides what a connection is read from and written to: its socket, or what TLS makes of it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::tls::Tls;

/// The first byte of a client that speaks TLS: a handshake record (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;
/// What a client is told that does not: a browser that was sent to `http:`, or a proxy.
const PLAIN_REFUSED: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 44\r\n\
    Cache-Control: no-store\r\nConnection: close\r\n\r\nThis port speaks HTTPS. Ask with `https://`.";

/// A connection's bytes as HTTP has them. One type for both, so that HTTP is compiled once.
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Shakes hands, where the server speaks TLS; `None` if the client would not. It takes as long as the client likes.
    pub(super) async fn begin(socket: TcpStream, tls: Option<&Tls>) -> Option<Self> {
        let Some(tls) = tls else { return Some(Self::Plain(socket)) };
        // In a box, because every connection has room for it while few are in it.
        match Box::pin(shake_hands(socket, tls)).await {
            Ok(stream) => stream.map(|stream| Self::Encrypted(Box::new(stream))),
            Err(error) => {
                // Scanners and clients that do not know the certificate's authority: nothing to wake anybody up for.
                debug!(%error, "no TLS with a client");
                None
            }
        }
    }
}

async fn shake_hands(mut socket: TcpStream, tls: &Tls) -> io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0];
    if socket.peek(&mut first).await? > 0 && first[0] != HANDSHAKE {
        // What is left unread when a socket is closed takes the answer back.
        let _ = socket.read(&mut [0; 8 * 1024]).await?;
        socket.write_all(PLAIN_REFUSED).await?;
        socket.shutdown().await?;
        return Ok(None);
    }
    tls.acceptor().accept(socket).await.map(Some)
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Encrypted(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Encrypted(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! Reads the rest of a request's body that its handler did not read, before the response is sent.
//!
//! An error often needs no body: the session has expired, the path does not exist, the picture is too large. But
//! closing a connection while its client is still sending resets it, and a reset discards a response that was not read
//! yet. Over HTTP/2, some clients report a stream that ends early as an error.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body as AnswerBody;
use axum::http::header::EXPECT;
use axum::http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::time::timeout;

use super::open_connections::{RequestCounter, UnderWay};

/// Maximum rest to read before the response, in bytes. More than any route accepts, unless `MAX_UPLOAD_SIZE_BYTES` is
/// raised.
const REST_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Maximum delay of a response for the sake of its connection.
const REST_TIME_MAX: Duration = Duration::from_secs(5);
/// Maximum rest to read before an HTTP/2 stream ends, in bytes: several times the size of a large picture.
const STREAM_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Maximum delay of the end of an HTTP/2 stream.
const STREAM_TIME_MAX: Duration = Duration::from_secs(30);

/// The state of a request's body when the request was answered.
pub(super) enum Fate {
    /// It was read to its end, or there was none.
    Read,
    /// The client may still be sending.
    Unread(WatchedBody),
    /// The handler is still reading it.
    InUse,
}

/// A request's body that records when the server waits for it.
pub(super) struct WatchedBody {
    /// `None` after it was handed back.
    body: Option<Incoming>,
    request_counter: RequestCounter,
    is_awaited: bool,
    /// Whether the client sends it without being asked; with `Expect: 100-continue` it waits (RFC 9110, section
    /// 10.1.1).
    is_coming: bool,
    is_at_end: bool,
    way_back: Option<oneshot::Sender<Self>>,
}

/// Receives the body when the handler drops it.
pub(super) struct Remains(Option<oneshot::Receiver<WatchedBody>>);

/// Wraps a request's body, and tells `request_counter` when the server waits for it.
pub(super) fn watch(request: Request<Incoming>, request_counter: &RequestCounter) -> (Request<WatchedBody>, Remains) {
    let (way_back, remains) = if request.body().is_end_stream() {
        (None, None)
    } else {
        let (way_back, remains) = oneshot::channel();
        (Some(way_back), Some(remains))
    };
    let is_coming = !waits_to_be_asked(request.headers());
    let watched = request.map(|body| WatchedBody {
        body: Some(body),
        request_counter: request_counter.clone(),
        is_awaited: false,
        is_coming,
        is_at_end: false,
        way_back,
    });
    (watched, Remains(remains))
}

fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    headers.get(EXPECT).is_some_and(|expectation| expectation.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

impl Remains {
    /// Reads the rest, unless it is too large or takes too long.
    pub(super) async fn read_to_end(self) -> Fate {
        let Some(mut remains) = self.0 else { return Fate::Read };
        match remains.try_recv() {
            Err(TryRecvError::Closed) => Fate::Read,
            Err(TryRecvError::Empty) => Fate::InUse,
            Ok(mut body) => {
                // Boxed, because few requests get here, and all others would reserve its space.
                let has_end = body.is_coming && Box::pin(has_end(&mut body, REST_BYTES_MAX, REST_TIME_MAX)).await;
                if has_end { Fate::Read } else { Fate::Unread(body) }
            }
        }
    }
}

/// Reads and discards a body; returns whether it ended within the limits.
async fn has_end<B: Body<Data = Bytes> + Unpin>(body: &mut B, bytes_max: u64, time_max: Duration) -> bool {
    if body.size_hint().lower() > bytes_max {
        return false;
    }
    let to_its_end = async {
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
            if bytes > bytes_max {
                return false;
            }
        }
        true
    };
    timeout(time_max, to_its_end).await.unwrap_or(false)
}

impl WatchedBody {
    /// Keeps an HTTP/2 stream open until the rest of the request's body was read. Otherwise the stream is reset when
    /// the response ends, which some clients report as an error, even if they received a response.
    pub(super) fn hold_open(mut self, answer: Response<AnswerBody>, under_way: UnderWay) -> Response<AnswerBody> {
        if !self.is_coming {
            return answer;
        }
        let rest = Box::pin(async move {
            has_end(&mut self, STREAM_BYTES_MAX, STREAM_TIME_MAX).await;
            drop(under_way);
        });
        answer.map(|answer| AnswerBody::new(HeldOpen { answer: Some(answer), rest }))
    }

    fn is_waited_for(&mut self) {
        if !self.is_awaited {
            self.is_awaited = true;
            self.request_counter.awaits_a_body();
        }
    }

    fn has_come(&mut self) {
        if self.is_awaited {
            self.is_awaited = false;
            self.request_counter.has_a_body();
        }
    }
}

impl Body for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        self.is_coming = true;
        match &polled {
            Poll::Pending => self.is_waited_for(),
            Poll::Ready(Some(Ok(_))) => self.has_come(),
            Poll::Ready(_) => {
                self.has_come();
                self.is_at_end = true;
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        // A handler that waited for data has given up on the client, so the response is sent at once.
        let is_coming = self.is_coming && !self.is_awaited;
        self.has_come();
        if let Some(way_back) = self.way_back.take()
            && !self.is_at_end
            && !self.is_end_stream()
        {
            let (body, request_counter) = (self.body.take(), self.request_counter.clone());
            let _ = way_back.send(Self {
                body,
                request_counter,
                is_awaited: false,
                is_coming,
                is_at_end: false,
                way_back: None,
            });
        }
    }
}

/// A response body that ends only after `rest` has completed.
struct HeldOpen {
    /// `None` after it was sent.
    answer: Option<AnswerBody>,
    rest: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Body for HeldOpen {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(answer) = &mut self.answer {
            if let Some(frame) = ready!(Pin::new(answer).poll_frame(cx)) {
                return Poll::Ready(Some(frame));
            }
            self.answer = None;
        }
        self.rest.as_mut().poll(cx).map(|()| None)
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{Empty, Full, StreamBody};

    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    fn pieces(count: usize) -> impl Body<Data = Bytes> + Unpin {
        let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"0123456789")));
        StreamBody::new(stream::iter((0..count).map(move |_| piece())))
    }

    #[tokio::test]
    async fn a_rest_is_read_up_to_a_bound_whether_or_not_it_says_how_long_it_is() {
        assert!(has_end(&mut Empty::new(), 0, LONG).await);
        assert!(has_end(&mut Full::from("0123456789"), 10, LONG).await);
        assert!(!has_end(&mut Full::from("0123456789"), 9, LONG).await);
        assert!(has_end(&mut pieces(3), 30, LONG).await);
        assert!(!has_end(&mut pieces(3), 29, LONG).await);
    }

    #[tokio::test]
    async fn a_rest_that_does_not_come_or_breaks_off_is_given_up() {
        let mut never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        assert!(!has_end(&mut never, 10, Duration::from_millis(5)).await);
        let mut broken = StreamBody::new(stream::iter([Err::<Frame<Bytes>, _>(std::io::Error::other("gone"))]));
        assert!(!has_end(&mut broken, 10, LONG).await);
    }
}

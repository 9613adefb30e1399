//! The timeout for the head of an HTTP/1 request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The timer of one connection.
///
/// hyper requests a timeout before each request and drops it when the head is complete. Registering and removing a
/// tokio timer each time is expensive, so this one stays registered, and is moved only when it fires before the current
/// deadline.
pub(super) struct HeadTimer(Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>);

/// One timeout.
struct Limit {
    deadline: Instant,
    timer: Arc<Mutex<Pin<Box<tokio::time::Sleep>>>>,
}

impl HeadTimer {
    /// Creates a timer for timeouts of at least `shortest`.
    pub(super) fn new(shortest: Duration) -> Self {
        Self(Arc::new(Mutex::new(Box::pin(tokio::time::sleep(shortest)))))
    }
}

impl Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Limit { deadline, timer: Arc::clone(&self.0) })
    }
}

impl Sleep for Limit {}

impl Future for Limit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut timer = self.timer.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline().into_std() >= self.deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(self.deadline.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_limit_that_is_set_anew_is_kept_to_the_end() {
        let timer = HeadTimer::new(Duration::from_millis(5));
        drop(timer.sleep(Duration::from_millis(5)));
        let begun = Instant::now();
        timer.sleep_until(begun + Duration::from_millis(20)).await;
        assert!(begun.elapsed() >= Duration::from_millis(20));
        timer.sleep_until(begun + Duration::from_millis(40)).await;
        assert!(begun.elapsed() >= Duration::from_millis(40));
    }
}

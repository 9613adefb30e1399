//! Decides how many passwords are hashed at once, off the async threads, and who waits how long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::config::HashingPolicy;

/// Turns for hashing: a bounded number at once, a bounded queue behind them.
pub(crate) struct HashingPool {
    turns: Arc<Semaphore>,
    places: Semaphore,
    wait_max: Duration,
}

/// The queue is full, or the turn did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct Overloaded;

impl HashingPool {
    pub(crate) fn new(policy: &HashingPolicy) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(policy.concurrency_max.get())),
            places: Semaphore::new(policy.queue_max),
            wait_max: policy.wait_max,
        }
    }

    /// Runs `work` on a blocking thread when its turn comes. The turn belongs to the work, not to the caller: one who
    /// goes away does not free memory that is still in use.
    #[expect(clippy::disallowed_methods, reason = "the one bounded way to a blocking thread")]
    pub(crate) async fn run<T, F>(&self, work: F) -> Result<T, Overloaded>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let place = self.places.try_acquire().map_err(|_| Overloaded)?;
        let turn = tokio::time::timeout(self.wait_max, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| Overloaded)?.map_err(|_| Overloaded)?;
        drop(place);
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(turn);
            outcome
        });
        match done.await {
            Ok(outcome) => Ok(outcome),
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Overloaded), // the runtime is shutting down
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_at_once_and_an_abandoned_turn_stays_taken() {
        let policy = HashingPolicy { concurrency_max: NonZeroUsize::MIN, queue_max: 1, wait_max: Duration::ZERO };
        let pool = HashingPool::new(&policy);
        let (finish, finished) = mpsc::channel::<()>();
        let mut first = Box::pin(pool.run(move || finished.recv().is_ok()));
        assert!(futures_poll(&mut first).await.is_none());
        drop(first);

        assert_eq!(pool.run(|| ()).await, Err(Overloaded));
        finish.send(()).unwrap();
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}

//! Coalesces identical database reads: one read answers all requests that arrived before it began. Used by the API's
//! pages and the feed.
//!
//! A request joins the next read, which begins when the current one has ended. So no result is older than its request,
//! and there is at most one read at a time per key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign::http::problem::ProblemKind;
use tokio::sync::OnceCell;

/// The result of a read.
pub(crate) type Outcome<V> = Result<V, &'static ProblemKind>;

/// The reads in progress or waited for, by key. Never more entries than requests.
pub(crate) struct SingleFlight<K, V>(Mutex<HashMap<K, Arc<Line<V>>>>)
where
    K: Eq + Hash + Copy;

/// The requests for one key.
struct Line<V> {
    /// Held during a read.
    reading: tokio::sync::Mutex<()>,
    /// The result of the next read.
    next: Mutex<Arc<OnceCell<Outcome<V>>>>,
}

impl<V> Default for Line<V> {
    fn default() -> Self {
        Self { reading: tokio::sync::Mutex::default(), next: Mutex::default() }
    }
}

impl<K: Eq + Hash + Copy, V> Default for SingleFlight<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash + Copy, V: Clone> SingleFlight<K, V> {
    /// Returns the result of a read that begins after this call: `reading`, or one of another request with the same
    /// key.
    pub(crate) async fn read<R>(&self, wanted: K, reading: impl FnOnce() -> R) -> Outcome<V>
    where
        R: Future<Output = Outcome<V>>,
    {
        let place = self.join(wanted);
        let next = Arc::clone(&held(&place.line.next));
        let read = async || {
            let _reading = place.line.reading.lock().await;
            // Requests that arrive from now on may know of changes that this read misses.
            *held(&place.line.next) = Arc::default();
            // Boxed, because most requests only wait, and would reserve its space.
            Box::pin(reading()).await
        };
        // If the request that reads is cancelled, another waiting request reads for all.
        next.get_or_init(read).await.clone()
    }

    fn join(&self, wanted: K) -> Place<'_, K, V> {
        let line = Arc::clone(held(&self.0).entry(wanted).or_default());
        Place { all: self, wanted, line }
    }
}

/// A request's membership in a line; removes the line with the last one.
struct Place<'t, K: Eq + Hash + Copy, V> {
    all: &'t SingleFlight<K, V>,
    wanted: K,
    line: Arc<Line<V>>,
}

impl<K: Eq + Hash + Copy, V> Drop for Place<'_, K, V> {
    fn drop(&mut self) {
        let mut lines = held(&self.all.0);
        // The map holds one reference. The lock keeps others from joining or leaving.
        if Arc::strong_count(&self.line) == 2 {
            lines.remove(&self.wanted);
        }
    }
}

/// Locks, ignoring poisoning: a panic leaves no inconsistent state here.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use countersign::http::problem::INTERNAL;
    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// A source that counts its reads, each of which waits for a permit.
    struct Book {
        readings: AtomicU8,
        permits: Semaphore,
    }

    impl Book {
        fn new() -> Self {
            Self { readings: AtomicU8::new(0), permits: Semaphore::new(0) }
        }

        async fn read(&self) -> Outcome<u8> {
            self.permits.acquire().await.expect("never closed").forget();
            Ok(self.readings.fetch_add(1, Ordering::Relaxed))
        }
    }

    /// Lets all other tasks run until they wait.
    async fn settle() {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }

    async fn all_read(pages: &SingleFlight<u8, u8>, book: &Book, wanted: u8, readers: usize) -> Vec<u8> {
        join_all((0..readers).map(|_| async { pages.read(wanted, || book.read()).await.unwrap() })).await
    }

    #[tokio::test]
    async fn those_who_come_while_it_is_read_get_the_next_reading_together() {
        let (pages, book) = (SingleFlight::default(), Book::new());
        let first = all_read(&pages, &book, 1, 1);
        let later = async {
            settle().await;
            all_read(&pages, &book, 1, 20).await
        };
        let permit = async {
            settle().await;
            settle().await;
            book.permits.add_permits(2);
        };
        let (first, later, ()) = tokio::join!(first, later, permit);
        assert_eq!(first, [0]);
        assert_eq!(later, [1; 20]);
        assert!(held(&pages.0).is_empty(), "nobody waits any more");
    }

    #[tokio::test]
    async fn different_things_do_not_wait_for_each_other() {
        let (pages, book, other) = (SingleFlight::default(), Book::new(), Book::new());
        other.permits.add_permits(1);
        let patient = all_read(&pages, &book, 1, 1);
        let quick = async {
            settle().await;
            assert_eq!(all_read(&pages, &other, 2, 1).await, [0]);
            book.permits.add_permits(1);
        };
        let (patient, ()) = tokio::join!(patient, quick);
        assert_eq!(patient, [0]);
    }

    #[tokio::test]
    async fn if_the_one_who_reads_gives_up_another_reads() {
        let (pages, book) = (SingleFlight::default(), Book::new());
        let impatient = async {
            tokio::select! {
                _ = pages.read(1, || book.read()) => panic!("nobody let it be read"),
                () = settle() => {}
            }
            book.permits.add_permits(2);
        };
        let ((), others) = tokio::join!(impatient, all_read(&pages, &book, 1, 3));
        assert_eq!(others, [0; 3]);
        assert!(held(&pages.0).is_empty(), "nobody waits any more");
    }

    #[tokio::test]
    async fn a_failure_is_everybodys() {
        let pages = SingleFlight::<u8, u8>::default();
        let fail = async || pages.read(1, async || Err(&INTERNAL)).await.unwrap_err().code;
        let (one, other) = tokio::join!(fail(), fail());
        assert_eq!((one, other), (INTERNAL.code, INTERNAL.code));
    }
}

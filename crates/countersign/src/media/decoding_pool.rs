//! Concurrency and memory of picture decoding: a fixed set of threads behind a bounded queue, and a memory budget from
//! which each decoding takes its share before it starts.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};

use super::picture::{Candidate, InvalidPicture};
use super::upload::Upload;
use crate::config::MediaPolicy;

/// Maximum number of uploads that wait for a thread.
const QUEUE_MAX: usize = 256;
/// Maximum time that an upload waits.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Why an upload did not become a picture.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PrepareError {
    /// It is not a valid picture.
    #[error(transparent)]
    Invalid(#[from] InvalidPicture),
    /// The queue is full, or the wait was too long.
    #[error("too many pictures are waiting to be decoded")]
    Overloaded,
    /// The upload's temporary file cannot be read.
    #[error("a temporary file: {0}")]
    Upload(Arc<std::io::Error>),
}

/// The decoding threads. They start with the first picture and end with the pool.
pub(crate) struct DecodingPool {
    threads: NonZeroUsize,
    budget: Arc<Budget>,
    /// Permits for uploads being received.
    places: Semaphore,
    queue: OnceLock<SyncSender<Entry>>,
}

struct Entry {
    upload: Upload,
    reply: oneshot::Sender<Result<Bytes, PrepareError>>,
}

impl DecodingPool {
    pub(crate) fn new(policy: &MediaPolicy) -> Self {
        let budget = Arc::new(Budget::new(policy.decoding_memory_bytes_max));
        let places = Semaphore::new(policy.uploads_max);
        Self { threads: policy.decoding_threads, budget, places, queue: OnceLock::new() }
    }

    /// Reserves a place for an upload, to be held until its picture is finished; `None` when all are taken.
    pub(crate) fn admit(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Turns an upload into a finished picture.
    pub(crate) async fn prepare(&self, upload: Upload) -> Result<Bytes, PrepareError> {
        let queue = self.queue.get_or_init(|| start(self.threads, &self.budget));
        let (reply, answer) = oneshot::channel();
        queue.try_send(Entry { upload, reply }).map_err(|_| PrepareError::Overloaded)?;
        match tokio::time::timeout(WAIT_MAX, answer).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(_)) | Err(_) => Err(PrepareError::Overloaded),
        }
    }
}

fn start(threads: NonZeroUsize, budget: &Arc<Budget>) -> SyncSender<Entry> {
    let (queue, entries) = sync_channel(QUEUE_MAX);
    let entries = Arc::new(Mutex::new(entries));
    for number in 0..threads.get() {
        let (entries, budget) = (Arc::clone(&entries), Arc::clone(budget));
        let thread = thread::Builder::new().name(format!("pictures-{number}"));
        if let Err(error) = thread.spawn(move || work(&entries, &budget)) {
            // The other threads do its work. Without any, the queue is closed, and uploads are refused as overloaded.
            tracing::error!(%error, "a thread for pictures cannot be started");
        }
    }
    queue
}

fn work(entries: &Mutex<Receiver<Entry>>, budget: &Budget) {
    loop {
        let next = entries.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Entry { upload, reply }) = next else {
            return; // the pool is gone
        };
        if reply.is_closed() {
            continue; // the request was dropped
        }
        // Decoders of untrusted bytes may still have bugs.
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(upload, budget)));
        let broken = || Err(InvalidPicture::Broken("the decoder panicked".to_owned()).into());
        // The request may have been dropped.
        let _ = reply.send(prepared.unwrap_or_else(|_| broken()));
    }
}

fn prepare(upload: Upload, budget: &Budget) -> Result<Bytes, PrepareError> {
    let upload_share = budget.take(upload.bytes() as u64)?;
    let bytes = upload.into_bytes().map_err(|error| PrepareError::Upload(Arc::new(error)))?;
    let candidate = Candidate::inspect(&bytes)?;
    // One share at a time: two threads that each hold one and wait for another would deadlock.
    drop(upload_share);
    let _share = budget.take(bytes.len() as u64 + candidate.memory_bytes())?;
    Ok(candidate.prepare()?.into())
}

/// The memory budget of decoding.
struct Budget {
    bytes_max: u64,
    left: Mutex<u64>,
    returned: Condvar,
}

struct Share<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Budget {
    fn new(bytes_max: u64) -> Self {
        Self { bytes_max, left: Mutex::new(bytes_max), returned: Condvar::new() }
    }

    /// Waits until this much memory is free. The wait is bounded, because decoding is.
    fn take(&self, bytes: u64) -> Result<Share<'_>, InvalidPicture> {
        if bytes > self.bytes_max {
            return Err(InvalidPicture::TooMuchMemory);
        }
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut left = self.returned.wait_while(left, |left| *left < bytes).unwrap_or_else(PoisonError::into_inner);
        *left -= bytes;
        Ok(Share { budget: self, bytes })
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.left.lock().unwrap_or_else(PoisonError::into_inner) += self.bytes;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_budget_is_refused_and_shares_come_back() {
        let budget = Budget::new(10);
        assert!(budget.take(11).is_err());
        let share = budget.take(7).unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(budget.take(5).unwrap()));
            drop(share);
            waiting.join().unwrap();
        });
        drop(budget.take(10).unwrap());
    }
}

//! The password hashing pool: bounds concurrency, memory, queue length and waiting time.
//!
//! A fixed set of threads computes all hashes, each in its own arena. Requests wait in a bounded queue that is fair
//! between networks; known devices have a separate queue. A dropped request leaves its queue. No hash starts without a
//! waiting caller, and memory stays bounded under any load.

mod machine;
mod metrics;
mod queue;
mod speed;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use countersign_argon2::{Arena, Params};
use countersign_db::TRACE_TARGET;
use tokio::sync::oneshot;
use tracing::{Instrument as _, info_span};

use self::metrics::Metrics;
use self::queue::Queues;
use super::password_hash::{Derivation, NewHash, PasswordHash, Tag};
use crate::config::{HashParameters, HashingPolicy};
use crate::model::{Network, Password, Requester};

pub use self::metrics::{HashingMetrics, Histogram};
pub use self::speed::{HashingSpeed, measure_hashing};

/// Memory for one imported hash that costs more than ours, in addition to the threads' arenas, unless the policy sets
/// it: the maximum that a readable hash may require.
const IMPORT_BYTES: u64 = 256 * 1024 * 1024;

/// The pool is under load from this fraction (one eighth) of the maximum queue length or wait.
const LOAD_SHARE: usize = 8;
const LOAD_SHARE_OF_TIME: u32 = 8;

/// The queue is full, the wait timed out, memory is short, or the hash failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct Overloaded;

/// The hashing threads and their queue. Dropping the pool ends the threads.
pub(crate) struct HashingPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled when there may be work.
    changed: Condvar,
    plan: Plan,
    policy: HashingPolicy,
    metrics: Metrics,
}

struct State {
    queue: Queues<Network, Entry>,
    /// The rest of the memory budget after the threads' arenas.
    spare_bytes: u64,
    stopping: bool,
}

struct Entry {
    derivation: Derivation,
    reply: oneshot::Sender<Result<Tag, Overloaded>>,
    since: Instant,
}

/// The allocation of threads and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    threads: usize,
    /// How many waiting hashes with current parameters a thread advances together; see [`Params::jobs_together`].
    together: usize,
    /// The size of each thread's arena.
    arena_bytes: u64,
    /// Memory for hashes that do not fit into an arena.
    spare_bytes: u64,
}

impl Plan {
    fn new(policy: &HashingPolicy, cost: &Params, machine_bytes: Option<u64>) -> Self {
        let hash_bytes = cost.memory_bytes();
        let threads = policy.threads.get() as u64;
        let wanted = threads * hash_bytes * cost.jobs_together() as u64 + IMPORT_BYTES;
        let budget = policy.memory_bytes_max.unwrap_or_else(|| wanted.min(machine_bytes.unwrap_or(u64::MAX) / 2));
        // At least one hash at a time, because otherwise no one could log in.
        let threads = threads.min(budget / hash_bytes).max(1);
        let together = (budget / (threads * hash_bytes)).clamp(1, cost.jobs_together() as u64);
        let arena_bytes = together * hash_bytes;
        Self {
            threads: usize::try_from(threads).unwrap_or(usize::MAX),
            together: usize::try_from(together).unwrap_or(usize::MAX),
            arena_bytes,
            spare_bytes: budget.saturating_sub(threads * arena_bytes),
        }
    }

    /// Returns the memory that a hash needs in addition to the thread's arena.
    fn extra_bytes(&self, derivation: &Derivation) -> u64 {
        match derivation.argon2() {
            Some(params) if params.memory_bytes() <= self.arena_bytes => 0,
            _ => derivation.memory_bytes(),
        }
    }
}

impl HashingPool {
    /// Starts the threads. Their memory is first touched by the first hash.
    pub(crate) fn new(policy: &HashingPolicy, parameters: &HashParameters) -> Self {
        let plan = Plan::new(policy, &NewHash::params(parameters), machine::memory_bytes());
        let state = State { queue: Queues::default(), spare_bytes: plan.spare_bytes, stopping: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            plan,
            policy: policy.clone(),
            metrics: Metrics::default(),
        });
        for _ in 0..plan.threads {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("hashing".to_owned())
                .spawn(move || Worker { shared, arena: None }.work())
                .expect("the system has a thread for us");
        }
        Self { shared }
    }

    /// Returns whether `password` matches `hash`.
    pub(crate) async fn verify(
        &self,
        requester: Requester,
        hash: &PasswordHash,
        password: &Arc<Password>,
    ) -> Result<bool, Overloaded> {
        let tag = self.derive(requester, hash.derivation(password)).await?;
        Ok(hash.matches(password, &tag))
    }

    /// Hashes `password` with these parameters, in the stored form.
    pub(crate) async fn hash(
        &self,
        requester: Requester,
        parameters: HashParameters,
        password: &Arc<Password>,
    ) -> Result<String, Overloaded> {
        let new = NewHash::new(parameters);
        let tag = self.derive(requester, new.derivation(password)).await?;
        Ok(new.encode(&tag))
    }

    /// Fails if the queue has no room or its wait is too long, for callers with work to do before hashing.
    pub(crate) fn find_place(&self, requester: Requester) -> Result<(), Overloaded> {
        let state = self.shared.lock();
        let has_room = state.queue.has_room(requester.standing, requester.network, self.shared.policy.queue_max);
        if has_room && !self.shared.exceeds_max_wait(state.queue.ahead_of(requester.standing, requester.network)) {
            return Ok(());
        }
        drop(state);
        self.shared.metrics.refused();
        Err(Overloaded)
    }

    /// Returns whether the pool is under load: the queue is at least an eighth full, or the expected wait exceeds an
    /// eighth of the maximum.
    pub(crate) fn is_under_load(&self) -> bool {
        let queued = self.shared.lock().queue.len();
        queued > 0
            && (queued.saturating_mul(LOAD_SHARE) >= self.shared.policy.queue_max
                || self.shared.expected_wait(queued).saturating_mul(LOAD_SHARE_OF_TIME) > self.shared.policy.wait_max)
    }

    /// Returns the metrics.
    pub(crate) fn metrics(&self) -> HashingMetrics {
        let queued = self.shared.lock().queue.len();
        self.shared.metrics.read(queued, self.shared.policy.queue_max, &self.shared.plan)
    }

    async fn derive(&self, requester: Requester, derivation: Derivation) -> Result<Tag, Overloaded> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = self.shared.enqueue(requester, Entry { derivation, reply, since: Instant::now() })?;
        // A trace span that covers the queue and the hash.
        let span = info_span!(target: TRACE_TARGET, "hash password");
        match tokio::time::timeout(self.shared.policy.wait_max, &mut answer).instrument(span).await {
            Ok(answered) => answered.map_err(|_| Overloaded)?,
            Err(_) if ticket.withdraw() => {
                self.shared.metrics.late();
                Err(Overloaded)
            }
            // The hash has started and runs to its end.
            Err(_) => answer.await.map_err(|_| Overloaded)?,
        }
    }
}

impl Drop for HashingPool {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.changed.notify_all();
    }
}

/// A place in the queue. Dropping it leaves the queue.
struct Ticket<'s> {
    shared: &'s Shared,
    requester: Requester,
    id: u64,
}

impl Ticket<'_> {
    /// Leaves the queue; `true` if the hash had not started.
    fn withdraw(&self) -> bool {
        self.shared.lock().queue.remove(self.requester.standing, self.requester.network, self.id)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.withdraw() {
            self.shared.metrics.abandoned();
        }
    }
}

impl Shared {
    /// Returns whether the hashes ahead are expected to take longer than the maximum wait. An early refusal is better
    /// than a late one.
    fn exceeds_max_wait(&self, ahead: usize) -> bool {
        self.expected_wait(ahead) > self.policy.wait_max
    }

    /// Estimates how long the hashes ahead take, from recent ones.
    fn expected_wait(&self, ahead: usize) -> Duration {
        let rounds = u32::try_from(ahead / self.plan.threads).unwrap_or(u32::MAX);
        self.metrics.usual_time().saturating_mul(rounds)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, requester: Requester, entry: Entry) -> Result<Ticket<'_>, Overloaded> {
        if self.plan.extra_bytes(&entry.derivation) > self.plan.spare_bytes {
            tracing::warn!("a stored password hash asks for more memory than HASHING_MEMORY_BYTES_MAX leaves");
            return Err(Overloaded);
        }
        let Requester { network, standing } = requester;
        let mut state = self.lock();
        if self.exceeds_max_wait(state.queue.ahead_of(standing, network)) {
            self.metrics.refused();
            return Err(Overloaded);
        }
        let pushed = state.queue.push(standing, network, entry, self.policy.queue_max);
        drop(state);
        let Ok(pushed) = pushed else {
            self.metrics.refused();
            return Err(Overloaded);
        };
        if let Some(displaced) = pushed.displaced {
            self.metrics.refused();
            // The caller may have gone already.
            let _ = displaced.reply.send(Err(Overloaded));
        }
        self.changed.notify_one();
        Ok(Ticket { shared: self, requester, id: pushed.id })
    }
}

/// A hashing thread.
struct Worker {
    shared: Arc<Shared>,
    arena: Option<Arena>,
}

/// Hashes computed together: one, or several with the same parameters.
struct Batch {
    entries: Vec<Entry>,
    share: Share,
}

/// Memory from the spare budget, returned when dropped.
struct Share {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shared.lock().spare_bytes += self.bytes;
            self.shared.changed.notify_all();
        }
    }
}

impl Worker {
    fn work(mut self) {
        yield_to_requests();
        while let Some(batch) = self.next() {
            let begun = Instant::now();
            for entry in &batch.entries {
                self.shared.metrics.begun(begun - entry.since);
            }
            let (derivations, replies): (Vec<_>, Vec<_>) =
                batch.entries.into_iter().map(|entry| (entry.derivation, entry.reply)).unzip();
            let tags = self.derive(&derivations, batch.share.bytes);
            self.shared.metrics.done(begun.elapsed(), replies.len());
            let tags =
                tags.map_or_else(|_| vec![Err(Overloaded); replies.len()], |tags| tags.into_iter().map(Ok).collect());
            for (reply, tag) in replies.into_iter().zip(tags) {
                // The caller may have gone already.
                let _ = reply.send(tag);
            }
        }
    }

    /// Waits for work; `None` if the pool is stopping.
    fn next(&mut self) -> Option<Batch> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        let mut is_clean = false;
        loop {
            if state.stopping {
                return None;
            }
            let spare_bytes = state.spare_bytes;
            if let Some(first) = state.queue.take(|entry| shared.plan.extra_bytes(&entry.derivation) <= spare_bytes) {
                let extra_bytes = shared.plan.extra_bytes(&first.derivation);
                state.spare_bytes -= extra_bytes;
                let cost = first.derivation.argon2();
                let mut entries = vec![first];
                while entries.len() < shared.plan.together && extra_bytes == 0 && cost.is_some() {
                    let Some(mate) = state.queue.take(|entry| entry.derivation.argon2() == cost) else { break };
                    entries.push(mate);
                }
                let share = Share { shared: Arc::clone(&shared), bytes: extra_bytes };
                return Some(Batch { entries, share });
            }
            if is_clean {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            // Idle: wipe what the last passwords left in the arena. Under load, the next hash overwrites it.
            drop(state);
            if let Some(arena) = &mut self.arena {
                arena.wipe();
            }
            is_clean = true;
            state = shared.lock();
        }
    }

    /// Four hash families run here, on data that may be imported. A panic fails one batch and does not end the thread:
    /// without threads, no one could log in.
    fn derive(&mut self, derivations: &[Derivation], extra_bytes: u64) -> Result<Vec<Tag>, Overloaded> {
        let derived = catch_unwind(AssertUnwindSafe(|| self.compute(derivations, extra_bytes)));
        derived.unwrap_or_else(|_| {
            tracing::error!("a password could not be hashed: the code that computes it panicked");
            // The hash may have left it in any state. Dropping it wipes it.
            self.arena = None;
            Err(Overloaded)
        })
    }

    fn compute(&mut self, derivations: &[Derivation], extra_bytes: u64) -> Result<Vec<Tag>, Overloaded> {
        let is_argon2 = derivations.iter().all(|derivation| derivation.argon2().is_some());
        let mut own = None;
        let arena = match (&mut self.arena, is_argon2 && extra_bytes > 0) {
            (_, true) => own.insert(new_arena(extra_bytes)?),
            (Some(arena), false) => arena,
            (arena @ None, false) => arena.insert(new_arena(self.shared.plan.arena_bytes)?),
        };
        Ok(Derivation::run(derivations, arena))
    }
}

fn new_arena(bytes: u64) -> Result<Arena, Overloaded> {
    Arena::new(bytes).map_err(|error| {
        tracing::error!(%error, "a password could not be hashed; HASHING_MEMORY_BYTES_MAX may be more than there is");
        Overloaded
    })
}

/// Lowers the priority of the thread: hashing uses every available cycle, and other requests should not wait for it.
fn yield_to_requests() {
    const NICE: i32 = 10;
    // On Linux, "this process" means the calling thread; elsewhere it would mean all threads.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "hashing threads run at the priority of the others");
    }
}

#[cfg(test)]
mod tests;

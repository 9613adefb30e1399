//! How many passwords are hashed at once, in how much memory, in which order, and who waits how long.
//!
//! A fixed set of threads computes all hashes, each in an arena that it keeps. Who asks waits in a bounded queue that is
//! fair between networks, or in that of those who are known; who goes away leaves it. Nothing is begun that nobody waits for, and memory is bounded however
//! many ask.

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
use crate::model::{Asker, Network, Password};

pub use self::metrics::{HashingMetrics, Histogram};
pub use self::speed::{HashingSpeed, measure_hashing};

/// Room beside the threads' own arenas for one imported hash that costs more than ours, unless the policy says otherwise:
/// the most that a readable hash may ask for.
const IMPORT_BYTES: u64 = 256 * 1024 * 1024;

/// The part of the queue, and of the longest wait, from which on there is load.
const LOAD_SHARE: usize = 8;
const LOAD_SHARE_OF_TIME: u32 = 8;

/// The queue is full, the turn did not come in time, there is no memory, or the hash could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are waiting to be hashed")]
pub struct Overloaded;

/// The threads that hash, and the queue in front of them. They end with it.
pub(crate) struct HashingPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled when there may be something to do.
    changed: Condvar,
    plan: Plan,
    policy: HashingPolicy,
    metrics: Metrics,
}

struct State {
    queue: Queues<Network, Entry>,
    /// What is left of the budget beside the threads' own arenas.
    spare_bytes: u64,
    stopping: bool,
}

struct Entry {
    derivation: Derivation,
    reply: oneshot::Sender<Result<Tag, Overloaded>>,
    since: Instant,
}

/// How threads and memory are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    threads: usize,
    /// How many waiting hashes of today's costs a thread advances together; see [`Params::jobs_together`].
    together: usize,
    /// Each thread's arena.
    arena_bytes: u64,
    /// For what does not fit into one.
    spare_bytes: u64,
}

impl Plan {
    fn new(policy: &HashingPolicy, cost: &Params, machine_bytes: Option<u64>) -> Self {
        let hash_bytes = cost.memory_bytes();
        let threads = policy.threads.get() as u64;
        let wanted = threads * hash_bytes * cost.jobs_together() as u64 + IMPORT_BYTES;
        let budget = policy.memory_bytes_max.unwrap_or_else(|| wanted.min(machine_bytes.unwrap_or(u64::MAX) / 2));
        // At least one hash at a time, or nobody could ever log in.
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

    /// What a hash needs beside the arena of its thread.
    fn extra_bytes(&self, derivation: &Derivation) -> u64 {
        match derivation.argon2() {
            Some(params) if params.memory_bytes() <= self.arena_bytes => 0,
            _ => derivation.memory_bytes(),
        }
    }
}

impl HashingPool {
    /// Starts the threads. Their memory is not touched before the first hash.
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

    /// Whether `password` is the one that `hash` was made of.
    pub(crate) async fn verify(
        &self,
        asker: Asker,
        hash: &PasswordHash,
        password: &Arc<Password>,
    ) -> Result<bool, Overloaded> {
        let tag = self.derive(asker, hash.derivation(password)).await?;
        Ok(hash.matches(password, &tag))
    }

    /// A new hash of `password` with these costs, as it is stored.
    pub(crate) async fn hash(
        &self,
        asker: Asker,
        parameters: HashParameters,
        password: &Arc<Password>,
    ) -> Result<String, Overloaded> {
        let new = NewHash::new(parameters);
        let tag = self.derive(asker, new.derivation(password)).await?;
        Ok(new.encode(&tag))
    }

    /// Whether there is a place to wait, for whoever does something beforehand that would be in vain without.
    pub(crate) fn find_place(&self, asker: Asker) -> Result<(), Overloaded> {
        let state = self.shared.lock();
        let has_room = state.queue.has_room(asker.standing, asker.network, self.shared.policy.queue_max);
        if has_room && !self.shared.is_hopeless(state.queue.ahead_of(asker.standing, asker.network)) {
            return Ok(());
        }
        drop(state);
        self.shared.metrics.refused();
        Err(Overloaded)
    }

    /// Whether more are waiting than usual: an eighth of those who may, or for an eighth of the time that anybody may.
    pub(crate) fn is_under_load(&self) -> bool {
        let queued = self.shared.lock().queue.len();
        queued > 0
            && (queued.saturating_mul(LOAD_SHARE) >= self.shared.policy.queue_max
                || self.shared.expected_wait(queued).saturating_mul(LOAD_SHARE_OF_TIME) > self.shared.policy.wait_max)
    }

    /// How it goes.
    pub(crate) fn metrics(&self) -> HashingMetrics {
        let queued = self.shared.lock().queue.len();
        self.shared.metrics.read(queued, self.shared.policy.queue_max, &self.shared.plan)
    }

    async fn derive(&self, asker: Asker, derivation: Derivation) -> Result<Tag, Overloaded> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = self.shared.enqueue(asker, Entry { derivation, reply, since: Instant::now() })?;
        // From the wait for a place to the hash; a span of the trace, where there is one.
        let span = info_span!(target: TRACE_TARGET, "hash password");
        match tokio::time::timeout(self.shared.policy.wait_max, &mut answer).instrument(span).await {
            Ok(answered) => answered.map_err(|_| Overloaded)?,
            Err(_) if ticket.withdraw() => {
                self.shared.metrics.late();
                Err(Overloaded)
            }
            // It has been begun; it ends by itself.
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

/// A place in the queue; whoever drops it leaves the queue.
struct Ticket<'s> {
    shared: &'s Shared,
    asker: Asker,
    id: u64,
}

impl Ticket<'_> {
    /// Leaves the queue; whether the hash had not been begun.
    fn withdraw(&self) -> bool {
        self.shared.lock().queue.remove(self.asker.standing, self.asker.network, self.id)
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
    /// Whether so many hashes take longer than anybody may wait, as far as the latest ones tell. A quick refusal is better
    /// than a late one.
    fn is_hopeless(&self, ahead: usize) -> bool {
        self.expected_wait(ahead) > self.policy.wait_max
    }

    /// How long so many hashes take, as far as the latest ones tell.
    fn expected_wait(&self, ahead: usize) -> Duration {
        let rounds = u32::try_from(ahead / self.plan.threads).unwrap_or(u32::MAX);
        self.metrics.usual_time().saturating_mul(rounds)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, asker: Asker, entry: Entry) -> Result<Ticket<'_>, Overloaded> {
        if self.plan.extra_bytes(&entry.derivation) > self.plan.spare_bytes {
            tracing::warn!("a stored password hash asks for more memory than HASHING_MEMORY_BYTES_MAX leaves");
            return Err(Overloaded);
        }
        let Asker { network, standing } = asker;
        let mut state = self.lock();
        if self.is_hopeless(state.queue.ahead_of(standing, network)) {
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
            // Nobody may be waiting for it any more.
            let _ = displaced.reply.send(Err(Overloaded));
        }
        self.changed.notify_one();
        Ok(Ticket { shared: self, asker, id: pushed.id })
    }
}

/// A hashing thread.
struct Worker {
    shared: Arc<Shared>,
    arena: Option<Arena>,
}

/// Hashes that are computed in one go: one, or several of equal cost.
struct Batch {
    entries: Vec<Entry>,
    share: Share,
}

/// Memory of the budget beside the arenas, until this is dropped.
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
                // A client that has gone does not hear it.
                let _ = reply.send(tag);
            }
        }
    }

    /// Waits for something to do; `None` when the pool is gone.
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
            // Nothing to do: time to wipe what the last passwords left behind. Under load the next hash overwrites it.
            drop(state);
            if let Some(arena) = &mut self.arena {
                arena.wipe();
            }
            is_clean = true;
            state = shared.lock();
        }
    }

    /// The code of four families of hashes runs here, on what an import may have brought along. A panic in it is that of one
    /// batch, not the end of a thread: with all of them gone nobody could log in.
    fn derive(&mut self, derivations: &[Derivation], extra_bytes: u64) -> Result<Vec<Tag>, Overloaded> {
        let derived = catch_unwind(AssertUnwindSafe(|| self.compute(derivations, extra_bytes)));
        derived.unwrap_or_else(|_| {
            tracing::error!("a password could not be hashed: the code that computes it panicked");
            // Whatever state the hash has left it in. It is wiped by that.
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

/// Hashing takes every cycle there is; whoever only reads an account should not wait for it.
fn yield_to_requests() {
    const NICE: i32 = 10;
    // On Linux, "this process" means the calling thread; elsewhere it would be all of them.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "hashing threads run at the priority of the others");
    }
}

#[cfg(test)]
mod tests;

//! The hashing pool's public behaviour: order, bounds, and callers that leave.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::*;
use crate::model::DeviceTrust;

const PASSWORD: &str = "correct horse battery staple";
const MIB: u64 = 1024 * 1024;

fn policy() -> HashingPolicy {
    HashingPolicy { threads: NonZeroUsize::MIN, ..HashingPolicy::default() }
}

/// Parameters slow enough to observe, even on a fast machine.
fn slow() -> HashParameters {
    HashParameters::new(65_536, 8, 1).unwrap()
}

fn quick(lanes: u32) -> HashParameters {
    HashParameters::new(64, 1, lanes).unwrap()
}

fn password() -> Arc<Password> {
    Arc::new(Password::presented(PASSWORD))
}

fn client(last: u8) -> Requester {
    Requester { network: Network::V4(last.into()), standing: DeviceTrust::Stranger }
}

fn known(last: u8) -> Requester {
    Requester { standing: DeviceTrust::Known, ..client(last) }
}

/// Polls once, so that the request is queued.
async fn begin<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}

/// Lets other tasks run until a condition holds, for at most ten seconds.
async fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it never came to that");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_hashed_verifies_and_other_passwords_do_not() {
    for lanes in [1, 2, 4] {
        let pool = HashingPool::new(&policy(), &quick(lanes));
        let stored = pool.hash(client(1), quick(lanes), &password()).await.unwrap();
        let hash = PasswordHash::parse(&stored).unwrap();
        assert_eq!(pool.verify(client(1), &hash, &password()).await, Ok(true));
        let wrong = Arc::new(Password::presented("another"));
        assert_eq!(pool.verify(client(1), &hash, &wrong).await, Ok(false));
    }
}

#[tokio::test]
async fn hashes_computed_together_are_those_computed_alone() {
    let pool = HashingPool::new(&policy(), &quick(1));
    let passwords: Vec<_> = (0..9).map(|number| Arc::new(Password::presented(&format!("password {number}")))).collect();
    let mut hashes: Vec<_> = passwords
        .iter()
        .enumerate()
        .map(|(number, password)| Box::pin(pool.hash(client(u8::try_from(number % 3).unwrap()), quick(1), password)))
        .collect();
    for hash in &mut hashes {
        begin(hash).await;
    }
    for (hash, password) in hashes.into_iter().zip(&passwords) {
        let hash = PasswordHash::parse(&hash.await.unwrap()).unwrap();
        assert_eq!(pool.verify(client(9), &hash, password).await, Ok(true));
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_but_not_whoever_has_a_shorter_line() {
    let pool = HashingPool::new(&HashingPolicy { queue_max: 2, ..policy() }, &slow());
    let occupied = password();
    let mut running = Box::pin(pool.hash(client(1), slow(), &occupied));
    begin(&mut running).await;
    until(|| pool.metrics().running == 1).await;

    let (mut second, mut third) =
        (Box::pin(pool.hash(client(1), slow(), &occupied)), Box::pin(pool.hash(client(1), slow(), &occupied)));
    assert!(begin(&mut second).await.is_none());
    assert!(begin(&mut third).await.is_none());
    assert_eq!(pool.hash(client(1), slow(), &occupied).await, Err(Overloaded));

    let mut other = Box::pin(pool.hash(client(2), slow(), &occupied));
    assert!(begin(&mut other).await.is_none());
    assert_eq!(third.await, Err(Overloaded), "the newest of the longest line made room");
    assert_eq!(pool.metrics().refused, 2);
    assert_eq!(pool.metrics().queued, 2);
}

#[tokio::test]
async fn a_full_line_of_strangers_refuses_no_known_device() {
    let pool = HashingPool::new(&HashingPolicy { queue_max: 1, ..policy() }, &slow());
    let occupied = password();
    let mut running = Box::pin(pool.hash(client(1), slow(), &occupied));
    begin(&mut running).await;
    until(|| pool.metrics().running == 1).await;
    let mut second = Box::pin(pool.hash(client(1), slow(), &occupied));
    assert!(begin(&mut second).await.is_none());
    assert_eq!(pool.find_place(client(1)), Err(Overloaded));
    assert_eq!(pool.hash(client(1), slow(), &occupied).await, Err(Overloaded));

    assert_eq!(pool.find_place(known(1)), Ok(()));
    let mut device = Box::pin(pool.hash(known(1), slow(), &occupied));
    assert!(begin(&mut device).await.is_none());

    device.await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn whoever_goes_away_leaves_the_queue_and_is_not_hashed() {
    let pool = HashingPool::new(&policy(), &slow());
    let occupied = password();
    let mut running = Box::pin(pool.hash(client(1), slow(), &occupied));
    begin(&mut running).await;
    until(|| pool.metrics().running == 1).await;
    let mut waiting: Vec<_> = (0..64).map(|_| Box::pin(pool.hash(client(2), slow(), &occupied))).collect();
    for hash in &mut waiting {
        begin(hash).await;
    }
    assert_eq!(pool.metrics().queued, 64);

    drop(waiting);

    let metrics = pool.metrics();
    assert_eq!((metrics.queued, metrics.abandoned), (0, 64));
    running.await.unwrap();
    assert_eq!(pool.metrics().hashed.count, 1);
}

#[tokio::test]
async fn whoever_has_waited_too_long_is_refused_and_a_hash_under_way_is_finished() {
    let pool = HashingPool::new(&HashingPolicy { wait_max: Duration::from_millis(1), ..policy() }, &slow());
    let occupied = password();
    let mut running = Box::pin(pool.hash(client(1), slow(), &occupied));
    begin(&mut running).await;
    until(|| pool.metrics().running == 1).await;
    assert_eq!(pool.hash(client(2), slow(), &occupied).await, Err(Overloaded));
    assert_eq!(pool.metrics().late, 1);
    assert!(running.await.is_ok());
}

#[tokio::test]
async fn whoever_could_not_be_served_in_time_is_refused_at_once() {
    let policy = HashingPolicy { wait_max: Duration::from_secs(10), ..policy() };
    let pool = HashingPool::new(&policy, &quick(1));
    assert!(!pool.shared.exceeds_max_wait(usize::MAX), "nothing is known before the first hash");
    pool.shared.metrics.done(Duration::from_secs(1), 1);
    assert!(!pool.shared.exceeds_max_wait(10));
    assert!(pool.shared.exceeds_max_wait(11));
    // Two hashes per second.
    for _ in 0..100 {
        pool.shared.metrics.done(Duration::from_secs(1), 2);
    }
    assert!(!pool.shared.exceeds_max_wait(19));
    assert!(pool.shared.exceeds_max_wait(21));
}

#[tokio::test]
async fn a_dearer_imported_hash_waits_for_memory_and_one_beyond_the_budget_is_refused() {
    let derive = async |memory_bytes_max: u64| {
        let policy = HashingPolicy { memory_bytes_max: Some(memory_bytes_max), ..policy() };
        let pool = HashingPool::new(&policy, &quick(1));
        let stored = pool.hash(client(1), HashParameters::new(8 * 1024, 1, 1).unwrap(), &password()).await?;
        let hash = PasswordHash::parse(&stored).unwrap();
        pool.verify(client(1), &hash, &password()).await
    };
    assert_eq!(derive(9 * 1024 * 1024).await, Ok(true));
    assert_eq!(derive(8 * 1024 * 1024).await, Err(Overloaded), "the thread's own arena is in the budget too");
}

#[tokio::test]
async fn a_panic_in_a_hash_costs_no_thread_and_no_memory() {
    let threads = NonZeroUsize::new(2).unwrap();
    let policy = HashingPolicy { threads, memory_bytes_max: Some(9 * MIB), ..policy() };
    let pool = HashingPool::new(&policy, &quick(1));
    let dear = HashParameters::new(8 * 1024, 1, 1).unwrap();
    for parameters in [quick(1), dear] {
        for _ in 0..=threads.get() {
            let broken = NewHash::new(parameters).derivation(&password()).without_salt();
            assert_eq!(pool.derive(client(1), broken).await.err(), Some(Overloaded));
        }
    }
    // Including the expensive parameters, which fit into the memory budget once only.
    for parameters in [quick(1), dear] {
        let stored = pool.hash(client(1), parameters, &password()).await.unwrap();
        let hash = PasswordHash::parse(&stored).unwrap();
        assert_eq!(pool.verify(client(1), &hash, &password()).await, Ok(true));
    }
    until(|| pool.shared.lock().spare_bytes == pool.shared.plan.spare_bytes).await;
    assert_eq!(pool.metrics().running, 0);
}

#[test]
fn threads_and_arenas_stay_within_the_budget() {
    let cost = |lanes| NewHash::params(&HashParameters::new(65_536, 3, lanes).unwrap());
    let policy = |memory: Option<u64>, threads| HashingPolicy {
        memory_bytes_max: memory,
        threads: NonZeroUsize::new(threads).unwrap(),
        ..HashingPolicy::default()
    };
    let plan = |threads, together, arena, spare| Plan {
        threads,
        together,
        arena_bytes: arena * MIB,
        spare_bytes: spare * MIB,
    };
    for (policy, lanes, machine, expected) in [
        (policy(None, 2), 4, Some(8_192 * MIB), plan(2, 1, 64, 256)),
        (policy(None, 2), 1, Some(8_192 * MIB), plan(2, 4, 256, 256)),
        (policy(None, 8), 4, Some(512 * MIB), plan(4, 1, 64, 0)),
        (policy(None, 2), 1, Some(512 * MIB), plan(2, 2, 128, 0)),
        (policy(Some(100 * MIB), 8), 4, None, plan(1, 1, 64, 36)),
        (policy(Some(MIB), 8), 4, None, plan(1, 1, 64, 0)),
    ] {
        let plan = Plan::new(&policy, &cost(lanes), machine);
        assert_eq!(plan, expected);
    }
}

//! Counts requests with atomic additions only, without locks, formatting or allocations.
//!
//! Routes are the router's patterns, so their number is bounded. Requests that match none count as one route, and
//! unknown methods and statuses as one each, so clients cannot add labels.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{Method, StatusCode};

/// Known methods; the last counts all others.
pub(super) const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "other"];
/// Statuses that this server sends; a further counter is for all others.
const STATUSES: [u16; 38] = [
    100, 101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 410, 411,
    412, 413, 414, 415, 416, 417, 421, 422, 428, 429, 431, 500, 501, 503, 504,
];
/// Upper bounds of the histogram's buckets, in microseconds.
pub(super) const BOUNDS_MICROSECONDS: [u64; 16] = [
    50, 100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    10_000_000, 30_000_000,
];
/// Capacity of the route table, more than any host has routes; a power of two.
const ROUTES_MAX: usize = 512;

/// The request counters.
pub(super) struct Requests {
    under_way: AtomicI64,
    /// A hash table by the route's name. Entries are added once and stay.
    routes: Box<[OnceLock<Route>]>,
    /// Requests that matched no route.
    unmatched: Counts,
    /// Requests of routes that did not fit into the table.
    beyond: Counts,
}

struct Route {
    name: Box<str>,
    counts: Counts,
}

/// The counters of one route.
#[derive(Default)]
pub(super) struct Counts {
    /// By method, then by status.
    by_method: [OnceLock<Box<[AtomicU64; STATUSES.len() + 1]>>; METHODS.len()],
    durations: Durations,
}

/// A histogram of durations.
#[derive(Default)]
struct Durations {
    /// The last is for durations above all bounds.
    buckets: [AtomicU64; BOUNDS_MICROSECONDS.len() + 1],
    sum_nanoseconds: AtomicU64,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self {
            under_way: AtomicI64::new(0),
            routes: (0..ROUTES_MAX).map(|_| OnceLock::new()).collect(),
            unmatched: Counts::default(),
            beyond: Counts::default(),
        }
    }

    pub(super) fn begun(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn under_way(&self) -> i64 {
        self.under_way.load(Ordering::Relaxed)
    }

    /// Counts a response.
    pub(super) fn answered(&self, method: &Method, route: Option<&str>, status: StatusCode, took: Duration) {
        let counts = route.map_or(&self.unmatched, |route| self.counts(route));
        let by_status = counts.by_method[method_index(method)]
            .get_or_init(|| Box::new([const { AtomicU64::new(0) }; STATUSES.len() + 1]));
        by_status[status_index(status)].fetch_add(1, Ordering::Relaxed);
        counts.durations.add(took);
    }

    /// Finds the route by linear probing, and adds it if it is new.
    fn counts(&self, name: &str) -> &Counts {
        let first = hash(name);
        for step in 0..ROUTES_MAX {
            let place = &self.routes[first.wrapping_add(step) % ROUTES_MAX];
            let route = place.get_or_init(|| Route { name: name.into(), counts: Counts::default() });
            if *route.name == *name {
                return &route.counts;
            }
        }
        &self.beyond
    }

    /// Returns every requested route, sorted by name; `none` stands for requests that matched no route.
    pub(super) fn by_route(&self) -> Vec<(&str, &Counts)> {
        let known = self.routes.iter().filter_map(OnceLock::get).map(|route| (&*route.name, &route.counts));
        let mut all: Vec<_> = known.chain([("none", &self.unmatched), ("other", &self.beyond)]).collect();
        all.retain(|(_, counts)| counts.durations.count() > 0);
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl Counts {
    /// Returns method, status (`None` for an unknown one) and count of all nonzero counters.
    pub(super) fn by_method_and_status(&self) -> impl Iterator<Item = (&'static str, Option<u16>, u64)> {
        METHODS.iter().zip(&self.by_method).flat_map(|(method, by_status)| {
            let statuses = STATUSES.iter().copied().map(Some).chain([None]);
            let counts = by_status.get().into_iter().flat_map(|counts| counts.iter());
            let counts = statuses.zip(counts.map(|count| count.load(Ordering::Relaxed)));
            counts.filter(|(_, count)| *count > 0).map(move |(status, count)| (*method, status, count))
        })
    }

    /// Returns the non-cumulative buckets by upper bound, the last one unbounded, and the sum in seconds.
    pub(super) fn durations(&self) -> (Vec<(f64, u64)>, f64) {
        let ends = BOUNDS_MICROSECONDS.iter().map(|bound| Duration::from_micros(*bound).as_secs_f64());
        let counts = self.durations.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let sum = Duration::from_nanos(self.durations.sum_nanoseconds.load(Ordering::Relaxed));
        (ends.chain([f64::INFINITY]).zip(counts).collect(), sum.as_secs_f64())
    }
}

impl Durations {
    fn add(&self, took: Duration) {
        let bucket = BOUNDS_MICROSECONDS.partition_point(|bound| u128::from(*bound) < took.as_micros());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        // It overflows after five hundred years of work.
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.sum_nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.buckets.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

fn method_index(method: &Method) -> usize {
    METHODS.iter().position(|known| *known == method.as_str()).unwrap_or(METHODS.len() - 1)
}

fn status_index(status: StatusCode) -> usize {
    STATUSES.binary_search(&status.as_u16()).unwrap_or(STATUSES.len())
}

/// Hashes eight bytes at a time, because a route has about thirty. Names come from the program, so attackers cannot
/// cause collisions.
fn hash(name: &str) -> usize {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = name.len() as u64;
    let mut chunks = name.as_bytes().chunks_exact(8);
    let mut add = |bytes: [u8; 8]| hash = (hash.rotate_left(5) ^ u64::from_le_bytes(bytes)).wrapping_mul(MULTIPLIER);
    for chunk in &mut chunks {
        add(std::array::from_fn(|at| chunk[at]));
    }
    let rest = chunks.remainder();
    add(std::array::from_fn(|at| rest.get(at).copied().unwrap_or(0)));
    usize::try_from(hash >> 32).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    const SOON: Duration = Duration::from_micros(50);

    fn series(requests: &Requests) -> usize {
        requests.by_route().iter().map(|(_, counts)| counts.by_method_and_status().count()).sum()
    }

    #[test]
    fn unknown_methods_statuses_and_routes_are_one_of_each() {
        assert!(STATUSES.is_sorted());
        let requests = Requests::new();
        for n in 0..100_u16 {
            let method = Method::from_bytes(format!("METHOD{n}").as_bytes()).unwrap();
            requests.answered(&method, None, StatusCode::from_u16(900 + n % 99).unwrap(), SOON);
        }
        assert_eq!(series(&requests), 1);
        let (name, counts) = requests.by_route()[0];
        assert_eq!((name, counts.by_method_and_status().next()), ("none", Some(("other", None, 100))));
    }

    #[test]
    fn routes_have_room_and_those_beyond_it_share_one() {
        let requests = Requests::new();
        for n in 0..ROUTES_MAX + 100 {
            requests.answered(&Method::GET, Some(&format!("/api/route/{n}")), StatusCode::OK, SOON);
        }
        assert_eq!(requests.by_route().len(), ROUTES_MAX + 1);
        assert_eq!(series(&requests), ROUTES_MAX + 1);
        let beyond = requests.by_route().into_iter().find(|(name, _)| *name == "other").unwrap().1;
        assert_eq!(beyond.by_method_and_status().next(), Some(("GET", Some(200), 100)));
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_that_is_not_too_small() {
        let requests = Requests::new();
        for microseconds in [0, 50, 51, 30_000_000, 30_000_001] {
            requests.answered(&Method::GET, Some("/"), StatusCode::OK, Duration::from_micros(microseconds));
        }
        let (buckets, sum) = requests.by_route()[0].1.durations();
        assert_eq!(buckets[..3], [(0.00005, 2), (0.0001, 1), (0.0005, 0)]);
        assert_eq!(buckets[15..], [(30.0, 1), (f64::INFINITY, 1)]);
        assert!((sum - 60.000_102).abs() < 1e-6);
    }

    #[test]
    fn no_request_is_lost_among_threads() {
        let requests = Arc::new(Requests::new());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let requests = Arc::clone(&requests);
                thread::spawn(move || {
                    for n in 0..1_000 {
                        let route = ["/a", "/b", "/api/users/{user_id}", "/api/users/{user_id}/posts"][n % 4];
                        requests.answered(&Method::POST, Some(route), StatusCode::CREATED, SOON);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let counts: Vec<u64> = requests.by_route().iter().map(|(_, counts)| counts.durations.count()).collect();
        assert_eq!(counts, [1_000; 4]);
    }
}

//! Counters of what the accounts do: how often, and never by whom.
//!
//! All names are in the lists below or are a host's constants, so no request can add one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Everything that is in no list, for example a job that only a newer version knows.
const OTHER: &str = "other";

/// Outcomes of logins.
const LOGINS: &[&str] =
    &["succeeded", "wrong_credentials", "email_not_verified", "limited", "overloaded", "failed", OTHER];
/// Outcomes of registrations.
const REGISTRATIONS: &[&str] = &[
    "registered",
    "awaits_proof",
    "closed",
    "invalid_invitation",
    "challenge_required",
    "common_password",
    "username_taken",
    "email_taken",
    "limited",
    "overloaded",
    "failed",
    OTHER,
];
/// Outcomes of token refreshes.
const REFRESHES: &[&str] = &["exchanged", "repeated", "reused", "invalid", "limited", "failed", OTHER];
/// Limits that refused a request.
const LIMITS: &[&str] = &["login", "register", "mail", "secret", "refresh", "upload", "account", "mail-address", OTHER];
/// Kinds of jobs, to which a host adds its own.
const JOBS: &[&str] = &["send_token", "send_notice", "delete_picture", "sweep", "sweep_pictures", OTHER];

/// What the accounts have done since they were opened: counts by names from closed lists.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountsMetrics {
    /// Logins by outcome: `succeeded`, `wrong_credentials`, `limited` …
    pub logins: Vec<(&'static str, u64)>,
    /// Registrations by outcome: `registered`, `awaits_proof`, `email_taken` …
    pub registrations: Vec<(&'static str, u64)>,
    /// Token refreshes by outcome: `exchanged`, `repeated` (the same answer again), `reused` (the session was ended) …
    pub refreshes: Vec<(&'static str, u64)>,
    /// Refusals by limit.
    pub refusals: Vec<(&'static str, u64)>,
    /// Jobs that succeeded, by kind.
    pub jobs_done: Vec<(&'static str, u64)>,
    /// Job attempts that failed and will be retried, by kind.
    pub jobs_retried: Vec<(&'static str, u64)>,
    /// Jobs that were marked failed, by kind.
    pub jobs_failed: Vec<(&'static str, u64)>,
    /// Session lookups by whether the cache had the session: `hit`, `miss`.
    pub session_lookups: Vec<(&'static str, u64)>,
    /// Sessions in the cache now.
    pub sessions_cached: usize,
}

/// Counters for a list of names.
pub(crate) struct Counts {
    names: &'static [&'static str],
    counts: Box<[AtomicU64]>,
    /// The names that a host has added, and their counts.
    added: Mutex<Vec<(&'static str, u64)>>,
}

impl Counts {
    fn new(names: &'static [&'static str]) -> Self {
        let counts = names.iter().map(|_| AtomicU64::new(0)).collect();
        Self { names, counts, added: Mutex::default() }
    }

    /// Counts one more. The search is linear: the lists are short, and a login costs far more.
    pub(crate) fn add(&self, name: &str) {
        if let Some(at) = self.names.iter().position(|known| *known == name) {
            self.counts[at].fetch_add(1, Ordering::Relaxed);
            return;
        }
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        match added.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => _ = self.counts[self.names.len() - 1].fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Adds a name with a count of 0, unless it has been added before.
    fn add_name(&self, name: &'static str) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        if added.iter().all(|(known, _)| *known != name) {
            added.push((name, 0));
        }
    }

    fn read(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        let all = self.names.iter().copied().zip(counts).chain(added.iter().copied());
        all.filter(|(name, count)| *name != OTHER || *count > 0).collect()
    }
}

/// All counters.
pub(crate) struct EventCounts {
    pub(crate) logins: Counts,
    pub(crate) registrations: Counts,
    pub(crate) refreshes: Counts,
    pub(crate) refusals: Counts,
    pub(crate) jobs_done: Counts,
    pub(crate) jobs_retried: Counts,
    pub(crate) jobs_failed: Counts,
    session_hits: AtomicU64,
    session_misses: AtomicU64,
}

impl EventCounts {
    pub(crate) fn new() -> Self {
        Self {
            logins: Counts::new(LOGINS),
            registrations: Counts::new(REGISTRATIONS),
            refreshes: Counts::new(REFRESHES),
            refusals: Counts::new(LIMITS),
            jobs_done: Counts::new(JOBS),
            jobs_retried: Counts::new(JOBS),
            jobs_failed: Counts::new(JOBS),
            session_hits: AtomicU64::new(0),
            session_misses: AtomicU64::new(0),
        }
    }

    /// Adds the kinds of a host's jobs.
    pub(crate) fn add_job_kinds(&self, kinds: impl Iterator<Item = &'static str>) {
        for kind in kinds {
            for counts in [&self.jobs_done, &self.jobs_retried, &self.jobs_failed] {
                counts.add_name(kind);
            }
        }
    }

    /// Counts a session found in the cache. Nearly every request does this, so it is a single addition.
    pub(crate) fn session_hit(&self) {
        self.session_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a session that had to be read from the database.
    pub(crate) fn session_miss(&self) {
        self.session_misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, sessions_cached: usize) -> AccountsMetrics {
        AccountsMetrics {
            logins: self.logins.read(),
            registrations: self.registrations.read(),
            refreshes: self.refreshes.read(),
            refusals: self.refusals.read(),
            jobs_done: self.jobs_done.read(),
            jobs_retried: self.jobs_retried.read(),
            jobs_failed: self.jobs_failed.read(),
            session_lookups: vec![
                ("hit", self.session_hits.load(Ordering::Relaxed)),
                ("miss", self.session_misses.load(Ordering::Relaxed)),
            ],
            sessions_cached,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_list_adds_no_name() {
        let counts = Counts::new(JOBS);
        assert_eq!(counts.read().len(), JOBS.len() - 1);
        for name in ["sweep", "from-the-future", "", "sweep\n"] {
            counts.add(name);
        }
        assert_eq!(counts.read().len(), JOBS.len());
        let of = |wanted: &str| counts.read().into_iter().find(|(name, _)| *name == wanted).unwrap().1;
        assert_eq!((of("sweep"), of(OTHER), of("send_token")), (1, 3, 0));
    }

    #[test]
    fn a_name_that_a_host_adds_is_counted_by_itself() {
        let counts = Counts::new(JOBS);
        for _ in 0..2 {
            counts.add_name("notes.sweep");
            counts.add("notes.sweep");
        }
        let listed = JOBS.iter().filter(|name| **name != OTHER).map(|name| (*name, 0));
        let expected: Vec<(&str, u64)> = listed.chain([("notes.sweep", 2)]).collect();
        assert_eq!(counts.read(), expected);
    }
}

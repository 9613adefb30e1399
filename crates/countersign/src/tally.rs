//! Decides what is counted of what the accounts do: how often, and never by whom.
//!
//! All names are in the lists below, so that no request can add one.

use std::sync::atomic::{AtomicU64, Ordering};

/// Whatever is in no list, such as a job that only a newer version knows.
const OTHER: &str = "other";

/// How a login ended.
const LOGINS: &[&str] =
    &["succeeded", "wrong_credentials", "email_not_verified", "limited", "overloaded", "failed", OTHER];
/// How a registration ended.
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
/// What a refresh token got.
const REFRESHES: &[&str] = &["exchanged", "repeated", "reused", "invalid", "limited", "failed", OTHER];
/// Which limit refused.
const LIMITS: &[&str] = &["login", "register", "mail", "secret", "refresh", "upload", "account", "mail-address", OTHER];
/// Kinds of jobs.
const JOBS: &[&str] = &["send_token", "send_notice", "delete_picture", "sweep", "sweep_pictures", OTHER];

/// What the accounts have done since they were opened: names from closed lists, and how often.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccountsMetrics {
    /// Logins by how they ended: `succeeded`, `wrong_credentials`, `limited` …
    pub logins: Vec<(&'static str, u64)>,
    /// Registrations by how they ended: `registered`, `awaits_proof`, `email_taken` …
    pub registrations: Vec<(&'static str, u64)>,
    /// Refresh tokens by what they got: `exchanged`, `repeated` (the same answer again), `reused` (their session was ended) …
    pub refreshes: Vec<(&'static str, u64)>,
    /// Refusals by the limit that refused.
    pub refusals: Vec<(&'static str, u64)>,
    /// Jobs that were done, by kind.
    pub jobs_done: Vec<(&'static str, u64)>,
    /// Tries of jobs that did not work and will be repeated, by kind.
    pub jobs_retried: Vec<(&'static str, u64)>,
    /// Jobs that were given up, by kind.
    pub jobs_failed: Vec<(&'static str, u64)>,
    /// Sessions that requests named, by whether they were in the cache: `hit`, `miss`.
    pub session_lookups: Vec<(&'static str, u64)>,
    /// Sessions in the cache now.
    pub sessions_cached: usize,
}

/// Counts for a list of names.
pub(crate) struct Counts {
    names: &'static [&'static str],
    counts: Box<[AtomicU64]>,
}

impl Counts {
    fn new(names: &'static [&'static str]) -> Self {
        Self { names, counts: names.iter().map(|_| AtomicU64::new(0)).collect() }
    }

    /// Counts one more. The lists are short, and a login costs far more than to look through one.
    pub(crate) fn add(&self, name: &str) {
        let at = self.names.iter().position(|known| *known == name).unwrap_or(self.names.len() - 1);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let all = self.names.iter().copied().zip(counts);
        all.filter(|(name, count)| *name != OTHER || *count > 0).collect()
    }
}

/// Where everything is counted.
pub(crate) struct Tally {
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

impl Tally {
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

    /// A session was found in the cache. Nearly every request comes here, so it is one addition.
    pub(crate) fn session_hit(&self) {
        self.session_hits.fetch_add(1, Ordering::Relaxed);
    }

    /// The database had to be asked for a session.
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
}

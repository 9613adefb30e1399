//! Decides what was promised to clients: everything that was answered with success, and what may or may not have been done
//! because no answer came.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Somebody whose registration was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// One of these is the password: the acknowledged one, and one whose change was not answered.
    pub(crate) passwords: Vec<String>,
    pub(crate) picture: Picture,
}

/// What is known of an account's picture.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    /// There is none.
    Default,
    /// It is in this file.
    File(String),
    /// An upload was not answered, so any may be there.
    Unknown,
}

/// Everything that the clients of a part were told.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By their name.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Titles by id.
    pub(crate) posts: BTreeMap<String, String>,
    pub(crate) changed_passwords: usize,
    pub(crate) pictures: usize,
    pub(crate) asked: usize,
    /// What went wrong, and when.
    pub(crate) failures: Vec<Failure>,
    /// When each write was acknowledged.
    pub(crate) writes: Vec<Instant>,
}

/// A request that was not answered as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) at: Instant,
    pub(crate) what: String,
    pub(crate) how: String,
    pub(crate) waited: Duration,
}

impl Ledger {
    /// The failures by what was answered, the most frequent first.
    pub(crate) fn kinds_of_failures(&self) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for Failure { what, how, .. } in &self.failures {
            let method = what.split(' ').next().unwrap_or_default();
            *counts.entry(format!("{method}: {how}")).or_default() += 1;
        }
        let mut kinds: Vec<_> = counts.into_iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// Takes in another one, of other accounts.
    pub(crate) fn add(&mut self, other: Self) {
        self.accounts.extend(other.accounts);
        self.posts.extend(other.posts);
        self.changed_passwords += other.changed_passwords;
        self.pictures += other.pictures;
        self.asked += other.asked;
        self.failures.extend(other.failures);
        self.writes.extend(other.writes);
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{} requests, {} failed; acknowledged: {} registrations, {} changed passwords, {} posts, {} pictures",
            self.asked,
            self.failures.len(),
            self.accounts.len(),
            self.changed_passwords,
            self.posts.len(),
            self.pictures,
        )
    }
}

//! The ledger of promises to clients: everything that was acknowledged, and what may or may not have been done because
//! the response was lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// An account whose registration was acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// Possible passwords: the acknowledged one, and one whose change got no response.
    pub(crate) passwords: Vec<String>,
    pub(crate) picture: Picture,
}

/// Known state of an account's picture.
#[derive(Clone, Debug)]
pub(crate) enum Picture {
    /// No picture.
    Default,
    /// The picture in this file.
    File(String),
    /// An upload got no response, so the picture may be any.
    Unknown,
}

/// All responses to the clients of a part.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Accounts by username.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Titles of posts by id.
    pub(crate) posts: BTreeMap<String, String>,
    pub(crate) changed_passwords: usize,
    pub(crate) pictures: usize,
    pub(crate) asked: usize,
    /// Failed requests.
    pub(crate) failures: Vec<Failure>,
    /// When each write was acknowledged.
    pub(crate) writes: Vec<Instant>,
}

/// A request without the expected response.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) at: Instant,
    pub(crate) what: String,
    pub(crate) how: String,
    pub(crate) waited: Duration,
}

impl Ledger {
    /// Failures grouped by outcome, most frequent first.
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

    /// Merges a ledger of other accounts.
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

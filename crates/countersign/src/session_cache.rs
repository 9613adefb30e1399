//! Which sessions are known without asking the database, and how long that is trusted.
//!
//! Within an instance the cache is exact: whatever changes a session or its user makes the cache forget it at the moment
//! of the commit, and nothing that was read before that is put in after it. Across instances it is at most one second
//! behind: every change is noted in the table `auth_changes`, and the notes are read twice a second while requests come.
//! When they cannot be read, the cache is not used.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::model::{LiveSession, SessionId, UserId};

/// After this the notes are read again; meanwhile requests go on using the cache.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// After this it is not used until they have been.
const TRUST_MAX: Duration = Duration::from_secs(1);
/// Transactions commit in another order than their notes are numbered. None takes so long.
const LATE_COMMIT_MAX: Duration = Duration::from_mins(1);

pub(crate) struct SessionCache {
    entries: Cache<SessionId, Arc<LiveSession>, UnitWeighter, RandomState>,
    /// Grows with everything that is forgotten.
    epoch: Mutex<u64>,
    polled_at: Mutex<Option<Instant>>,
    /// Held by whoever reads the notes.
    pub(crate) watch: tokio::sync::Mutex<Watch>,
}

/// Which notes have been read.
#[derive(Default)]
pub(crate) struct Watch {
    /// Everything up to here has been, and nothing at or below it can come any more; `None` before the first time.
    pub(crate) floor: Option<i64>,
    seen: BTreeSet<i64>,
    /// The highest number at each reading of the last minute.
    highest: VecDeque<(Instant, i64)>,
}

/// Whether the cache may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// As it is.
    Fresh,
    /// As it is, but the notes should be read.
    Due,
    /// Only after they have been read.
    Stale,
}

/// When a reading of the database began, as the cache counts.
#[derive(Clone, Copy)]
pub(crate) struct Epoch(u64);

/// What is about to change; when this is dropped, the cache has forgotten it.
pub(crate) struct Forgetting {
    cache: Option<Arc<SessionCache>>,
    what: Changed,
}

/// What the cache has to forget.
#[derive(Clone, Copy)]
pub(crate) enum Changed {
    Session(SessionId),
    /// All sessions of a user.
    User(UserId),
}

impl SessionCache {
    /// For so many sessions at the most.
    pub(crate) fn new(sessions_max: usize) -> Self {
        Self {
            entries: Cache::with(
                sessions_max,
                sessions_max as u64,
                UnitWeighter,
                RandomState::default(),
                DefaultLifecycle::default(),
            ),
            epoch: Mutex::default(),
            polled_at: Mutex::default(),
            watch: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn trust(&self) -> Trust {
        match lock(&self.polled_at).map(|polled_at| polled_at.elapsed()) {
            Some(age) if age < POLL_EVERY => Trust::Fresh,
            Some(age) if age < TRUST_MAX => Trust::Due,
            _ => Trust::Stale,
        }
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<LiveSession>> {
        self.entries.get(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// To be taken before the database is read.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(*lock(&self.epoch))
    }

    /// Keeps what was read, unless something has been forgotten since.
    pub(crate) fn put(&self, read_at: Epoch, session: Arc<LiveSession>) {
        let epoch = lock(&self.epoch);
        if *epoch == read_at.0 {
            self.entries.insert(session.authenticated.session, session);
        }
    }

    pub(crate) fn forget(&self, what: Changed) {
        let mut epoch = lock(&self.epoch);
        *epoch += 1;
        match what {
            Changed::Session(id) => drop(self.entries.remove(&id)),
            Changed::User(user) => self.entries.retain(|_, session| session.authenticated.user.id != user),
        }
    }

    /// Takes in the notes that were read at `begun`.
    pub(crate) fn take_in(&self, watch: &mut Watch, begun: Instant, changes: &[(i64, Changed)]) {
        for (id, changed) in changes {
            if watch.seen.insert(*id) {
                self.forget(*changed);
            }
        }
        let highest = changes.last().map(|(id, _)| *id).or(watch.seen.last().copied()).or(watch.floor).unwrap_or(0);
        watch.highest.push_back((begun, highest));
        while let Some(&(at, highest)) = watch.highest.front() {
            if begun.duration_since(at) < LATE_COMMIT_MAX {
                break;
            }
            watch.highest.pop_front();
            watch.floor = Some(highest);
            watch.seen = watch.seen.split_off(&(highest + 1));
        }
        *lock(&self.polled_at) = Some(begun);
    }
}

impl Forgetting {
    pub(crate) fn new(cache: Option<Arc<SessionCache>>, what: Changed) -> Self {
        Self { cache, what }
    }
}

impl Drop for Forgetting {
    fn drop(&mut self) {
        if let Some(cache) = &self.cache {
            cache.forget(self.what);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs while one is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Authenticated, User};

    fn session(user: UserId) -> Arc<LiveSession> {
        let id = SessionId::new(Timestamp::UNIX_EPOCH);
        let user = User { id: user, username: "ada".to_owned(), email: "ada@example.com".to_owned(), image_file: None };
        Arc::new(LiveSession {
            authenticated: Authenticated { user, session: id, authenticated_at: Timestamp::UNIX_EPOCH },
            salt: vec![7; 32],
            refresh_counter: 0,
            expires_at: Timestamp::MAX,
            idle_expires_at: Timestamp::MAX,
            last_seen_at: Timestamp::UNIX_EPOCH,
        })
    }

    fn user() -> UserId {
        UserId::new(Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let cache = Arc::new(SessionCache::new(10));
        let session = session(user());
        let id = session.authenticated.session;
        let read_at = cache.epoch();
        cache.put(read_at, Arc::clone(&session));
        assert!(cache.get(id).is_some());
        drop(Forgetting::new(Some(Arc::clone(&cache)), Changed::Session(id)));
        assert!(cache.get(id).is_none());
        cache.put(read_at, Arc::clone(&session));
        assert!(cache.get(id).is_none());
        cache.put(cache.epoch(), session);
        assert!(cache.get(id).is_some());
    }

    #[test]
    fn a_change_of_a_user_concerns_all_their_sessions_and_nobody_elses() {
        let cache = SessionCache::new(10);
        let (ada, eve) = (user(), user());
        let sessions = [session(ada), session(ada), session(eve)];
        for session in &sessions {
            cache.put(cache.epoch(), Arc::clone(session));
        }
        cache.forget(Changed::User(ada));
        let known = sessions.map(|session| cache.get(session.authenticated.session).is_some());
        assert_eq!(known, [false, false, true]);
    }

    #[test]
    fn a_note_that_is_committed_late_is_still_taken_in_and_none_is_twice() {
        let cache = SessionCache::new(10);
        let mut watch = Watch { floor: Some(10), ..Watch::default() };
        let begun = Instant::now();
        let ada = user();
        let note = |id| (id, Changed::User(ada));
        let forgotten = |watch: &mut Watch, begun, changes: &[(i64, Changed)]| {
            let before = cache.epoch().0;
            cache.take_in(watch, begun, changes);
            cache.epoch().0 - before
        };
        assert_eq!(forgotten(&mut watch, begun, &[note(11), note(13)]), 2);
        assert_eq!(forgotten(&mut watch, begun, &[note(11), note(12), note(13)]), 1);
        assert_eq!(watch.floor, Some(10));
        assert_eq!(forgotten(&mut watch, begun + LATE_COMMIT_MAX, &[note(11), note(12), note(13), note(14)]), 1);
        assert_eq!(watch.floor, Some(13));
        assert_eq!(forgotten(&mut watch, begun + LATE_COMMIT_MAX, &[note(14)]), 0);
    }
}

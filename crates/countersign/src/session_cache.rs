//! The session cache, and when an entry is stale.
//!
//! Within an instance the cache is exact: a change to a session or its user evicts it at the commit, and nothing read
//! before that is inserted after it. Across instances it lags at most one second: every change is recorded as a note in
//! the table `auth_changes`, and the notes are read twice a second while requests arrive. If they cannot be read, the
//! cache is not used; if some may have been missed, it is cleared. No entry is used for longer than a minute.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::model::{LiveSession, SessionId, UserId};

/// Age at which the notes are read again; meanwhile requests keep using the cache.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// Age at which the cache is no longer used until the notes have been read.
const TRUST_MAX: Duration = Duration::from_secs(1);
/// Transactions commit in another order than their notes are numbered. None takes this long.
const LATE_COMMIT_MAX: Duration = Duration::from_mins(1);
/// Maximum age of an entry. Limits the damage of a note that never arrives, for example one lost in a failover.
const AGE_SECONDS_MAX: u32 = 60;
/// Number of slots that users share. A change to one user costs the others of its slot one query each.
const SLOTS: usize = 4096;

pub(crate) struct SessionCache {
    entries: Cache<SessionId, Entry, UnitWeighter, RandomState>,
    /// Incremented when anything of a user in the slot changes, which invalidates earlier entries.
    changes: Box<[AtomicU32]>,
    /// Incremented with every eviction.
    epoch: Mutex<u64>,
    polled_at: Mutex<Option<Instant>>,
    made_at: Instant,
    /// Held by the request that reads the notes.
    pub(crate) watch: tokio::sync::Mutex<Watch>,
}

#[derive(Clone)]
struct Entry {
    session: Arc<LiveSession>,
    /// In seconds since the cache was created.
    read_at: u32,
    /// The value of its user's slot in `changes`.
    change: u32,
}

/// A note of another instance or of this one: its number, and what changed.
pub(crate) type Note = (i64, Changed);

/// Which notes have been read.
#[derive(Default)]
pub(crate) struct Watch {
    /// Notes up to this number need not be read again; `None` before the first read.
    pub(crate) floor: Option<i64>,
    seen: BTreeMap<i64, Changed>,
    /// The highest number of each read in the last minute.
    highest: VecDeque<(Instant, i64)>,
}

/// Some notes may have been deleted before they were read, or the database was replaced.
#[derive(Debug)]
pub(crate) struct Gap;

/// Whether the cache may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Yes.
    Fresh,
    /// Yes, but the notes should be read.
    Due,
    /// Only after the notes have been read.
    Stale,
}

/// When a read of the database began, in the cache's own count.
#[derive(Clone, Copy)]
pub(crate) struct Epoch {
    forgotten: u64,
    read_at: u32,
}

/// A pending change. On drop, the cache evicts what it changes.
pub(crate) struct PendingEviction {
    cache: Arc<SessionCache>,
    what: Changed,
}

/// What a transaction changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// Nothing of a user known beforehand.
    Nothing,
    /// Rows of a user that the cache does not hold.
    Rows(UserId),
    /// The last use of a session, which other instances need not know.
    Use(SessionId),
    Session(UserId, SessionId),
    /// All sessions of a user.
    User(UserId),
}

impl Changed {
    /// Returns the user whose row is locked.
    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Self::Nothing | Self::Use(_) => None,
            Self::Rows(user) | Self::Session(user, _) | Self::User(user) => Some(user),
        }
    }

    /// Returns what other instances must evict: a session, or all of a user's.
    pub(crate) fn note(self) -> Option<(UserId, Option<SessionId>)> {
        match self {
            Self::Nothing | Self::Rows(_) | Self::Use(_) => None,
            Self::Session(user, session) => Some((user, Some(session))),
            Self::User(user) => Some((user, None)),
        }
    }
}

impl SessionCache {
    /// Creates a cache of at most this many sessions.
    pub(crate) fn new(sessions_max: usize) -> Self {
        Self {
            entries: Cache::with(
                sessions_max,
                sessions_max as u64,
                UnitWeighter,
                RandomState::default(),
                DefaultLifecycle::default(),
            ),
            changes: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(),
            epoch: Mutex::default(),
            polled_at: Mutex::default(),
            made_at: Instant::now(),
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
        let entry = self.entries.get(&id)?;
        let is_young = self.seconds().saturating_sub(entry.read_at) < AGE_SECONDS_MAX;
        let is_current = self.change_of(&entry.session).load(Ordering::Acquire) == entry.change;
        (is_young && is_current).then_some(entry.session)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn seconds(&self) -> u32 {
        u32::try_from(self.made_at.elapsed().as_secs()).unwrap_or(u32::MAX)
    }

    fn slot(&self, user: UserId) -> &AtomicU32 {
        // The end of a UUIDv7 is random (RFC 9562, section 5.7).
        let [.., high, low] = user.uuid().into_bytes();
        &self.changes[usize::from(u16::from_be_bytes([high, low])) % SLOTS]
    }

    fn change_of(&self, session: &LiveSession) -> &AtomicU32 {
        self.slot(session.authenticated.user.id)
    }

    /// Returns the current epoch. Call this before reading the database.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch { forgotten: *lock(&self.epoch), read_at: self.seconds() }
    }

    /// Inserts what was read, unless something was evicted meanwhile.
    pub(crate) fn put(&self, epoch: Epoch, session: Arc<LiveSession>) {
        let forgotten = lock(&self.epoch);
        if *forgotten == epoch.forgotten {
            let change = self.change_of(&session).load(Ordering::Acquire);
            let id = session.authenticated.session;
            self.entries.insert(id, Entry { session, read_at: epoch.read_at, change });
        }
    }

    pub(crate) fn forget(&self, what: Changed) {
        let mut forgotten = lock(&self.epoch);
        match what {
            Changed::Nothing | Changed::Rows(_) => return,
            Changed::Use(id) | Changed::Session(_, id) => drop(self.entries.remove(&id)),
            Changed::User(user) => drop(self.slot(user).fetch_add(1, Ordering::AcqRel)),
        }
        *forgotten += 1;
    }

    /// Clears the cache, and starts to read the notes above `floor`.
    pub(crate) fn begin_anew(&self, watch: &mut Watch, floor: i64) {
        *watch = Watch { floor: Some(floor), ..Watch::default() };
        let mut forgotten = lock(&self.epoch);
        self.entries.clear();
        *forgotten += 1;
    }

    /// Processes the notes read at `begun`, all of them above the floor. Notes are deleted only from the lowest number
    /// up. So none was missed while the highest one of the previous read is still there and unchanged.
    pub(crate) fn take_in(&self, watch: &mut Watch, begun: Instant, notes: &[Note]) -> Result<(), Gap> {
        // After a gap the next read starts over, even if the caller is dropped.
        self.try_take_in(watch, begun, notes).inspect_err(|_| *watch = Watch::default())
    }

    fn try_take_in(&self, watch: &mut Watch, begun: Instant, notes: &[Note]) -> Result<(), Gap> {
        let says_the_same = |(id, said): (&i64, &Changed)| {
            notes.binary_search_by_key(id, |(id, _)| *id).is_ok_and(|found| notes[found].1 == *said)
        };
        let is_first = watch.highest.is_empty();
        if !is_first && !watch.seen.last_key_value().map_or(notes.is_empty(), says_the_same) {
            return Err(Gap);
        }
        for (id, changed) in notes {
            match watch.seen.insert(*id, *changed) {
                None => self.forget(*changed),
                Some(said) if said == *changed => {}
                Some(_) => return Err(Gap),
            }
        }
        let highest = watch.seen.last_key_value().map(|(id, _)| *id).or(watch.floor).unwrap_or(0);
        watch.highest.push_back((begun, highest));
        while let Some(&(at, highest)) = watch.highest.front() {
            if begun.duration_since(at) < LATE_COMMIT_MAX {
                break;
            }
            watch.highest.pop_front();
            // The highest note is read again each time.
            watch.floor = Some(highest - 1);
            watch.seen = watch.seen.split_off(&highest);
        }
        *lock(&self.polled_at) = Some(begun);
        Ok(())
    }
}

impl PendingEviction {
    pub(crate) fn new(cache: Arc<SessionCache>, what: Changed) -> Self {
        Self { cache, what }
    }
}

impl Drop for PendingEviction {
    fn drop(&mut self) {
        self.cache.forget(self.what);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that can panic runs while a lock is held.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Authenticated, Methods, Stay, User};

    fn session(user: UserId) -> Arc<LiveSession> {
        let id = SessionId::new(Timestamp::UNIX_EPOCH);
        let user = User { id: user, username: "ada".to_owned(), email: "ada@example.com".to_owned(), image_file: None };
        let authenticated =
            Authenticated { user, session: id, authenticated_at: Timestamp::UNIX_EPOCH, methods: Methods::PASSWORD };
        Arc::new(LiveSession {
            authenticated,
            salt: vec![7; 32],
            refresh_counter: 0,
            stay: Stay::Kept,
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
        let (user, id) = (session.authenticated.user.id, session.authenticated.session);
        for changed in [Changed::Session(user, id), Changed::Use(id), Changed::User(user)] {
            let epoch = cache.epoch();
            cache.put(epoch, Arc::clone(&session));
            assert!(cache.get(id).is_some());
            drop(PendingEviction::new(Arc::clone(&cache), changed));
            assert!(cache.get(id).is_none());
            cache.put(epoch, Arc::clone(&session));
            assert!(cache.get(id).is_none());
        }
    }

    #[test]
    fn a_change_of_a_user_concerns_all_their_sessions_and_nobody_elses() {
        let cache = SessionCache::new(10);
        let ada = user();
        let eve = std::iter::repeat_with(user).find(|eve| !std::ptr::eq(cache.slot(*eve), cache.slot(ada))).unwrap();
        let sessions = [session(ada), session(ada), session(eve)];
        for session in &sessions {
            cache.put(cache.epoch(), Arc::clone(session));
        }
        cache.forget(Changed::User(ada));
        let known = sessions.map(|session| cache.get(session.authenticated.session).is_some());
        assert_eq!(known, [false, false, true]);
    }

    #[test]
    fn no_entry_is_used_for_longer_than_its_greatest_age() {
        let cache = SessionCache::new(10);
        let session = session(user());
        let now = cache.epoch();
        for (age, is_used) in [(AGE_SECONDS_MAX - 1, true), (AGE_SECONDS_MAX, false)] {
            let cache = SessionCache {
                made_at: cache.made_at.checked_sub(Duration::from_secs(age.into())).unwrap(),
                ..SessionCache::new(10)
            };
            cache.put(now, Arc::clone(&session));
            assert_eq!(cache.get(session.authenticated.session).is_some(), is_used, "{age} s");
        }
    }

    /// Returns the state of a cache that started above number 10 and has read these notes.
    fn watching(cache: &SessionCache, begun: Instant, notes: &[Note]) -> Watch {
        let mut watch = Watch::default();
        cache.begin_anew(&mut watch, 10);
        cache.take_in(&mut watch, begun, notes).unwrap();
        watch
    }

    #[test]
    fn a_note_that_is_committed_late_is_still_taken_in_and_none_is_twice() {
        let cache = SessionCache::new(10);
        let begun = Instant::now();
        let ada = user();
        let note = |id| (id, Changed::User(ada));
        let mut watch = watching(&cache, begun, &[note(11), note(13)]);
        let mut forgotten = |at, notes: &[Note], floor| {
            let before = cache.epoch().forgotten;
            cache.take_in(&mut watch, at, notes).unwrap();
            assert_eq!(watch.floor, Some(floor));
            cache.epoch().forgotten - before
        };
        assert_eq!(forgotten(begun, &[note(11), note(12), note(13)], 10), 1);
        assert_eq!(forgotten(begun + LATE_COMMIT_MAX, &[note(11), note(12), note(13), note(14)], 12), 1);
        assert_eq!(forgotten(begun + LATE_COMMIT_MAX, &[note(13), note(14)], 12), 0);
    }

    #[test]
    fn notes_that_may_have_been_missed_are_noticed() {
        let cache = SessionCache::new(10);
        let begun = Instant::now();
        let (ada, eve) = (user(), user());
        let read: [Note; 2] = [(11, Changed::User(ada)), (12, Changed::User(ada))];
        for (then, is_gap, what) in [
            (&read[..], false, "nothing new"),
            (&read[1..], false, "the lower ones were deleted"),
            (&[], true, "all were deleted"),
            (&[(14, Changed::User(ada))], true, "all were deleted, and others came"),
            (&[read[0], (12, Changed::User(eve))], true, "the number was given to another note"),
            (&[(11, Changed::User(eve)), read[1]], true, "a lower one was"),
        ] {
            let mut watch = watching(&cache, begun, &read);
            assert_eq!(cache.take_in(&mut watch, begun, then).is_err(), is_gap, "{what}");
        }
        let mut watch = watching(&cache, begun, &[]);
        assert!(cache.take_in(&mut watch, begun, &[]).is_ok());
        assert!(cache.take_in(&mut watch, begun, &read).is_err(), "there may have been others before these");
    }
}

//! Authentication of requests: returns the user of an access token or session cookie while its session is alive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_db::{Conn, DbError};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::accounts::Accounts;
use crate::error::InternalError;
use crate::model::{Authenticated, Horizon, LiveSession, SessionId, UserId, earlier, later};
use crate::secrets::session_secret::PresentedCookie;
use crate::session_cache::{Changed, Note, SessionCache, Trust, Watch};
use crate::store;

/// Minimum interval between updates of a session's last use.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How long a request waits for that update.
const NOTE_WAIT_MAX: Duration = Duration::from_secs(2);

/// How many well-formed session cookies are looked up per request. Malformed ones do not count.
const SESSION_COOKIES_MAX: usize = 8;

/// An upper bound on open transactions: more than all instances together have connections to PostgreSQL.
const UNCOMMITTED_MAX: i64 = 10_000;

impl Accounts {
    /// Verifies an access token. Returns `None` if it is not ours, has expired, or its session or user no longer
    /// exists.
    ///
    /// ```
    /// # use countersign::testing::TestApp;
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let app = TestApp::start().await;
    /// # let accounts = app.accounts();
    /// assert!(accounts.verify_access_token("not.a.token").await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verify_access_token(&self, token: &str) -> Result<Option<Authenticated>, InternalError> {
        let now = self.clock().now();
        let Some(bearer) = self.verify_token(token, now).await? else {
            return Ok(None);
        };
        let session = self.find_live_session(bearer.session, now).await?;
        let Some(session) = session.filter(|session| session.authenticated.user.id == bearer.user) else {
            return Ok(None);
        };
        self.note_use_if_due(&session, now).await;
        let mut authenticated = session.authenticated.clone();
        // A later reauthentication counts only for tokens issued since.
        authenticated.authenticated_at = authenticated.authenticated_at.min(bearer.authenticated_at);
        Ok(Some(authenticated))
    }

    /// Verifies a session cookie. Returns `None` if it is not ours, or its session or user no longer exists.
    pub async fn verify_session_cookie(&self, cookie: &str) -> Result<Option<Authenticated>, InternalError> {
        match PresentedCookie::parse(cookie) {
            Some(cookie) => self.verify_presented_cookie(&cookie).await,
            None => Ok(None),
        }
    }

    /// Verifies all session cookies of one request.
    ///
    /// A browser keeps one cookie that we set. Others of the same name were set by something else and are ignored
    /// unless they are genuine. Two genuine cookies of different sessions are both refused: either may have been
    /// planted to make the user act in another account, and we cannot tell which.
    pub(crate) async fn verify_session_cookies(
        &self,
        cookies: impl Iterator<Item = &str>,
    ) -> Result<Option<Authenticated>, InternalError> {
        let mut found: Option<Authenticated> = None;
        for cookie in cookies.filter_map(PresentedCookie::parse).take(SESSION_COOKIES_MAX) {
            if let Some(other) = self.verify_presented_cookie(&cookie).await?
                && let Some(before) = found.replace(other)
                && found.as_ref().is_some_and(|found| found.session != before.session)
            {
                return Ok(None);
            }
        }
        Ok(found)
    }

    async fn verify_presented_cookie(&self, cookie: &PresentedCookie) -> Result<Option<Authenticated>, InternalError> {
        let now = self.clock().now();
        let session = self.find_live_session(cookie.session, now).await?;
        let is_genuine = |session: &Arc<LiveSession>| self.keys().is_genuine_cookie(cookie, &session.salt);
        let Some(session) = session.filter(is_genuine) else {
            return Ok(None);
        };
        self.note_use_if_due(&session, now).await;
        Ok(Some(session.authenticated.clone()))
    }

    async fn find_live_session(&self, id: SessionId, now: Timestamp) -> Result<Option<Arc<LiveSession>>, DbError> {
        if let Some(cache) = self.session_cache()
            && cache.trust() == Trust::Fresh
            && let Some(session) = cache.get(id).filter(|session| session.lives_at(now))
        {
            self.event_counts().session_hit();
            return Ok(Some(session));
        }
        // Boxed: few requests get here, and the others would carry the size of this future.
        Box::pin(self.look_up_live_session(id, now)).await
    }

    async fn look_up_live_session(&self, id: SessionId, now: Timestamp) -> Result<Option<Arc<LiveSession>>, DbError> {
        let Some(cache) = self.session_cache() else {
            self.event_counts().session_miss();
            let found = store::sessions::find_live(self.db().read().await?.conn(), id, now).await?;
            return Ok(found.map(Arc::new));
        };
        let trusted = self.may_trust(cache).await;
        if trusted && let Some(session) = cache.get(id).filter(|session| session.lives_at(now)) {
            self.event_counts().session_hit();
            return Ok(Some(session));
        }
        self.event_counts().session_miss();
        let epoch = cache.epoch();
        let found = store::sessions::find_live(self.db().read().await?.conn(), id, now).await?.map(Arc::new);
        if let Some(session) = found.as_ref().filter(|_| trusted) {
            cache.put(epoch, Arc::clone(session));
        }
        Ok(found)
    }

    /// Whether the cache may be used now. Reads the changes of other instances first if that is due. One request does
    /// so, and the others do not wait for it.
    async fn may_trust(&self, cache: &SessionCache) -> bool {
        let trust = cache.trust();
        if trust == Trust::Fresh {
            return true;
        }
        let Ok(mut watch) = cache.watch.try_lock() else {
            return trust == Trust::Due;
        };
        match self.read_changes(cache, &mut watch).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "the session cache is not used: changes cannot be read");
                false
            }
        }
    }

    async fn read_changes(&self, cache: &SessionCache, watch: &mut Watch) -> Result<(), DbError> {
        let begun = Instant::now();
        let mut read = self.db().read().await?;
        if let Some(floor) = watch.floor {
            let notes = list_notes(read.conn(), floor).await?;
            if notes.len() < store::changes::READ_MAX as usize && cache.take_in(watch, begun, &notes).is_ok() {
                return Ok(());
            }
            tracing::debug!("the session cache is emptied: changes may have been missed");
        }
        // Notes with lower numbers may still be uncommitted, but at most one per connection.
        let floor = store::changes::find_newest(read.conn()).await? - UNCOMMITTED_MAX;
        cache.begin_anew(watch, floor);
        let notes = list_notes(read.conn(), floor).await?;
        let _ = cache.take_in(watch, begun, &notes);
        Ok(())
    }

    /// Records that a session is in use, so that it does not become idle. Updates are rare, because one per request
    /// would turn every read into a write. A failed update does not refuse a genuine session.
    async fn note_use_if_due(&self, session: &LiveSession, now: Timestamp) {
        let horizon = Horizon::new(now, SignedDuration::ZERO);
        if now.duration_since(session.last_seen_at) >= SEEN_EVERY || horizon.is_beyond(session.last_seen_at) {
            Box::pin(self.note_use_in_time(session.authenticated.session, horizon)).await;
        }
    }

    /// Continues in a background task if it takes too long. Skipped if too many such tasks are running; the next
    /// request tries again.
    #[expect(
        clippy::disallowed_methods,
        reason = "the permit limits the number of tasks, and the database their duration"
    )]
    async fn note_use_in_time(&self, session: SessionId, horizon: Horizon) {
        let Ok(permit) = Arc::clone(self.last_use_permits()).try_acquire_owned() else { return };
        let is_writable = self.db().writing_fails_for().is_none();
        let accounts = self.clone();
        let noting = tokio::spawn(async move {
            match accounts.note_use(session, horizon).await {
                // Logged once per outage; other writes report their own failures.
                Err(error) if is_writable => {
                    let error = &error as &(dyn std::error::Error + 'static);
                    tracing::warn!(error, "that sessions are used cannot be noted");
                }
                Ok(()) | Err(_) => {}
            }
            drop(permit);
        });
        if is_writable {
            let _ = timeout(NOTE_WAIT_MAX, noting).await;
        }
    }

    async fn note_use(&self, session: SessionId, horizon: Horizon) -> Result<(), DbError> {
        let now = horizon.now();
        let before = earlier(now, SEEN_EVERY);
        let mut change = self.change(Changed::Use(session)).await?;
        store::sessions::touch(change.conn(), session, before, horizon, self.idle_end(now)).await?;
        change.commit().await
    }

    /// Returns when a session used now becomes idle.
    pub(in crate::operations) fn idle_end(&self, now: Timestamp) -> Timestamp {
        later(now, self.config().session.idle_ttl)
    }
}

async fn list_notes(conn: Conn<'_>, floor: i64) -> Result<Vec<Note>, DbError> {
    let rows = store::changes::list_after(conn, floor).await?.into_iter();
    Ok(rows
        .map(|(id, user, session)| {
            let user = UserId::from(user);
            (id, session.map_or(Changed::User(user), |session| Changed::Session(user, session.into())))
        })
        .collect())
}

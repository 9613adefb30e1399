//! Interleavings of refreshes, lost responses, tabs, a thief, logouts and passing time: after every step, the response
//! and the database match a small model.

use std::cell::RefCell;

use countersign::testing::{Answer, Caller, PASSWORD, TestApp};
use countersign_db::on_db;
use countersign_db::testing::is_pooled;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const TOKEN: &str = "/api/users/token";
/// Number of interleavings per database, and the length of the longest. Higher numbers find more.
const CASES: u32 = 64;
const STEPS_MAX: usize = 60;
/// Exchange time in the model for tokens that a restored database does not know.
const LONG_AGO: i64 = -1_000_000;
/// Holders of tokens: tabs, and after them a thief.
const TABS: usize = 4;
const THIEF: usize = TABS;

const REPLAY_WINDOW: i64 = 30;
const ACCESS_TTL: i64 = 30 * 60;
const SESSION_TTL: i64 = 90 * 24 * 3_600;
const IDLE_TTL: i64 = 14 * 24 * 3_600;
const SEEN_EVERY: i64 = 5 * 60;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The holder presents its token and stores the new one.
    Refresh(usize),
    /// The holder presents its token, but the response is lost: it keeps the old one.
    RefreshInVain(usize),
    /// All tabs present their tokens concurrently, to two instances.
    RefreshTogether,
    /// A token issued this many exchanges ago is presented.
    Replay(usize, usize),
    /// A tab picks up the newest token of its session, as tabs with a shared storage do.
    CatchUp(usize),
    /// The thief copies a tab's token.
    Steal(usize),
    /// The holder uses its access token.
    Use(usize),
    LogOut(usize),
    Revoke(usize),
    LogIn(usize),
    /// The database loses this many of the last exchanges of every session, as after a restore.
    Restore(usize),
    /// Seconds pass.
    Wait(i64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let holder = || 0..=THIEF;
    let tab = || 0..TABS;
    let step = prop_oneof![
        10 => holder().prop_map(Step::Refresh),
        4 => tab().prop_map(Step::RefreshInVain),
        3 => Just(Step::RefreshTogether),
        2 => (holder(), 0..6usize).prop_map(|(holder, ago)| Step::Replay(holder, ago)),
        6 => tab().prop_map(Step::CatchUp),
        2 => tab().prop_map(Step::Steal),
        3 => holder().prop_map(Step::Use),
        1 => holder().prop_map(Step::LogOut),
        1 => holder().prop_map(Step::Revoke),
        4 => tab().prop_map(Step::LogIn),
        1 => (1..4usize).prop_map(Step::Restore),
        6 => (1..=15i64).prop_map(Step::Wait),
        2 => (29..=31i64).prop_map(Step::Wait),
        2 => (1..=3_600i64).prop_map(Step::Wait),
        1 => (3_600..=15 * 24 * 3_600i64).prop_map(Step::Wait),
    ];
    vec(step, 1..=STEPS_MAX)
}

/// The outcome of presenting a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was valid; the token of this number replaces it.
    Exchanged(usize),
    /// It was exchanged within the replay window; the token of this number replaced it.
    Forgiven(usize),
    /// Reuse: the session ends.
    Reused,
    /// Its session has ended.
    Invalid,
}

/// The specified behaviour, independent of the implementation. Times are in seconds.
#[derive(Clone, Default)]
struct Model {
    now: i64,
    sessions: Vec<Session>,
    replays_caught: usize,
}

#[derive(Clone)]
struct Session {
    ended: Ended,
    /// When each of its refresh tokens was exchanged; the next number is the valid token.
    exchanged_at: Vec<i64>,
    last_seen_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

impl Model {
    fn is_live(&self, session: usize) -> bool {
        let Session { ended, idle_expires_at, expires_at, .. } = &self.sessions[session];
        *ended == Ended::No && self.now < *idle_expires_at && self.now < *expires_at
    }

    fn log_in(&mut self) -> usize {
        // All sessions belong to one user, and a login deletes that user's expired ones.
        for session in 0..self.sessions.len() {
            if !self.is_live(session) {
                self.sessions[session].ended = Ended::Yes;
            }
        }
        self.sessions.push(Session {
            ended: Ended::No,
            exchanged_at: Vec::new(),
            last_seen_at: self.now,
            idle_expires_at: self.now + IDLE_TTL,
            expires_at: self.now + SESSION_TTL,
        });
        self.sessions.len() - 1
    }

    fn refresh(&mut self, session: usize, number: usize) -> Outcome {
        if !self.is_live(session) {
            return Outcome::Invalid;
        }
        match self.sessions[session].exchanged_at.get(number) {
            None => {
                // All earlier tokens count as exchanged, even those unknown to a restored database.
                self.sessions[session].exchanged_at.resize(number, LONG_AGO);
                self.sessions[session].exchanged_at.push(self.now);
                self.note_use(session);
                Outcome::Exchanged(number + 1)
            }
            Some(at) if self.now - at <= REPLAY_WINDOW => Outcome::Forgiven(number + 1),
            Some(_) => {
                self.sessions[session].ended = Ended::Yes;
                self.replays_caught += 1;
                Outcome::Reused
            }
        }
    }

    fn note_use(&mut self, session: usize) {
        let now = self.now;
        let session = &mut self.sessions[session];
        session.last_seen_at = now;
        session.idle_expires_at = now + IDLE_TTL;
    }

    /// Whether an access token is accepted.
    fn authenticate(&mut self, session: usize, expires_at: i64) -> bool {
        let believed = self.now < expires_at && self.is_live(session);
        if believed && self.now - self.sessions[session].last_seen_at >= SEEN_EVERY {
            self.note_use(session);
        }
        believed
    }

    fn revoke(&mut self, session: usize) {
        if self.is_live(session) {
            self.sessions[session].ended = Ended::Yes;
        }
    }

    fn access_expires_at(&self, session: usize) -> i64 {
        (self.now + ACCESS_TTL).min(self.sessions[session].expires_at)
    }

    /// Number of sessions in the database.
    fn kept(&self) -> usize {
        self.sessions.iter().filter(|session| session.ended == Ended::No).count()
    }
}

/// Number of refreshes with each outcome, over all interleavings.
#[derive(Default)]
struct EventCounts {
    exchanged: usize,
    forgiven: usize,
    reused: usize,
    invalid: usize,
}

/// The tokens of one holder.
#[derive(Clone)]
struct Holding {
    session: usize,
    number: usize,
    access_token: String,
    access_expires_at: i64,
}

/// The service, the model, and the holders' tokens.
struct World<'t> {
    /// Two instances on one database.
    instances: [TestApp; 2],
    model: Model,
    holdings: Vec<Holding>,
    /// Every issued refresh token, by session and number.
    given: Vec<Vec<String>>,
    event_counts: &'t RefCell<EventCounts>,
}

impl<'t> World<'t> {
    async fn begin(event_counts: &'t RefCell<EventCounts>) -> Self {
        // The model has no session cache, which may be up to a second stale; other tests cover it.
        let app = TestApp::with(|config| config.session.cache_max = 0).await;
        let other = app.another_instance(|mut config| {
            config.session.cache_max = 0;
            config
        });
        let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
        app.anonymous().post("/api/users", body).await.ok(201);
        let (instances, model) = ([app, other], Model::default());
        let mut world = Self { instances, model, holdings: Vec::new(), given: Vec::new(), event_counts };
        // An untouched session, which the steps on other sessions must not affect.
        world.log_in().await;
        let holding = world.log_in().await;
        world.holdings = vec![holding; TABS + 1];
        world
    }

    async fn log_in(&mut self) -> Holding {
        let tokens = self.instances[0].anonymous().log_in("ada@example.com", PASSWORD).await.ok(200);
        let session = self.model.log_in();
        self.given.push(Vec::new());
        self.note_tokens(session, 0, &tokens)
    }

    /// Asserts that a token is new, or equals the one issued for the same number.
    fn note_tokens(&mut self, session: usize, number: usize, tokens: &Value) -> Holding {
        let text = |name: &str| tokens[name].as_str().expect("a text").to_owned();
        let token = text("refresh_token");
        if let Some(known) = self.given[session].get(number) {
            assert_eq!(token, *known, "another successor than before");
        } else {
            assert_eq!(self.given[session].len(), number, "a token was left out");
            assert!(!self.given.iter().flatten().any(|other| *other == token), "a token was given twice");
            self.given[session].push(token);
        }
        let access_expires_at = self.model.access_expires_at(session);
        assert_eq!(tokens["expires_in"], access_expires_at - self.model.now);
        Holding { session, number, access_token: text("access_token"), access_expires_at }
    }

    fn anonymous(&self, holder: usize) -> Caller {
        self.instances[holder % 2].anonymous()
    }

    fn bearer(&self, holder: usize) -> Caller {
        self.instances[holder % 2].bearer(Some(self.holdings[holder].access_token.clone()))
    }

    fn presented(&self, holder: usize) -> String {
        let Holding { session, number, .. } = &self.holdings[holder];
        self.given[*session][*number].clone()
    }

    /// Compares a response with the predicted outcome and returns the issued tokens, if any.
    fn compare(&mut self, session: usize, outcome: Outcome, answer: &Answer) -> Option<Holding> {
        let mut event_counts = self.event_counts.borrow_mut();
        match outcome {
            Outcome::Exchanged(number) | Outcome::Forgiven(number) => {
                match outcome {
                    Outcome::Exchanged(_) => event_counts.exchanged += 1,
                    _ => event_counts.forgiven += 1,
                }
                drop(event_counts);
                Some(self.note_tokens(session, number, &answer.ok(200)))
            }
            Outcome::Reused => {
                answer.problem(400, "refresh_token_reused");
                event_counts.reused += 1;
                None
            }
            Outcome::Invalid => {
                answer.problem(400, "invalid_refresh_token");
                event_counts.invalid += 1;
                None
            }
        }
    }

    async fn refresh(&mut self, holder: usize) -> Option<Holding> {
        let Holding { session, number, .. } = self.holdings[holder];
        let answer = refresh(self.anonymous(holder), self.presented(holder)).await;
        let outcome = self.model.refresh(session, number);
        self.compare(session, outcome, &answer)
    }

    async fn refresh_and_take(&mut self, holder: usize) {
        if let Some(holding) = self.refresh(holder).await {
            self.holdings[holder] = holding;
        }
    }

    async fn refresh_together(&mut self) {
        let mut model = self.model.clone();
        let outcomes: Vec<Outcome> = self.holdings[..TABS]
            .iter()
            .map(|Holding { session, number, .. }| model.refresh(*session, *number))
            .collect();
        let is_newer =
            |Holding { session, number, .. }: &Holding| *number > self.model.sessions[*session].exchanged_at.len();
        if outcomes.contains(&Outcome::Reused) || self.holdings[..TABS].iter().any(is_newer) {
            // The other responses depend on which request comes first.
            for tab in 0..TABS {
                self.refresh_and_take(tab).await;
            }
            return;
        }
        let mut requests = JoinSet::new();
        for tab in 0..TABS {
            let (caller, token) = (self.anonymous(tab), self.presented(tab));
            requests.spawn(async move { (tab, refresh(caller, token).await) });
        }
        let mut answers = requests.join_all().await;
        answers.sort_by_key(|(tab, _)| *tab);
        self.model = model;
        for ((tab, answer), outcome) in answers.into_iter().zip(outcomes) {
            if let Some(holding) = self.compare(self.holdings[tab].session, outcome, &answer) {
                self.holdings[tab] = holding;
            }
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Refresh(holder) => self.refresh_and_take(holder).await,
            Step::RefreshInVain(tab) => drop(self.refresh(tab).await),
            Step::RefreshTogether => self.refresh_together().await,
            Step::Replay(holder, ago) => {
                let Holding { session, number, .. } = self.holdings[holder];
                let number = number.saturating_sub(ago);
                let answer = refresh(self.anonymous(holder), self.given[session][number].clone()).await;
                let outcome = self.model.refresh(session, number);
                self.compare(session, outcome, &answer);
            }
            Step::CatchUp(tab) => {
                let holding = &mut self.holdings[tab];
                holding.number = self.given[holding.session].len() - 1;
            }
            Step::Steal(tab) => self.holdings[THIEF] = self.holdings[tab].clone(),
            Step::Use(holder) => {
                let answer = self.bearer(holder).get("/api/users/me").await;
                let Holding { session, access_expires_at, .. } = self.holdings[holder];
                if self.model.authenticate(session, access_expires_at) {
                    answer.ok(200);
                } else {
                    answer.problem(401, "invalid_token");
                }
            }
            Step::LogOut(holder) => {
                let answer = self.bearer(holder).send("POST", "/api/users/logout", "application/json", "").await;
                let Holding { session, access_expires_at, .. } = self.holdings[holder];
                if self.model.authenticate(session, access_expires_at) {
                    answer.ok(204);
                    self.model.revoke(session);
                } else {
                    answer.problem(401, "invalid_token");
                }
            }
            Step::Revoke(holder) => {
                let token = self.presented(holder);
                self.anonymous(holder).post_form("/api/users/token/revoke", &[("token", &token)]).await.ok(200);
                self.model.revoke(self.holdings[holder].session);
            }
            Step::LogIn(tab) => {
                let holding = self.log_in().await;
                self.holdings[tab] = holding;
            }
            Step::Restore(exchanges) => {
                for session in &mut self.model.sessions {
                    session.exchanged_at.truncate(session.exchanged_at.len().saturating_sub(exchanges));
                }
                forget_exchanges(&self.instances[0], exchanges).await;
            }
            Step::Wait(seconds) => {
                self.instances[0].clock.advance(SignedDuration::from_secs(seconds));
                self.model.now += seconds;
            }
        }
        self.compare_database().await;
    }

    /// Asserts that every reuse in the model left an event, with no other events, and that only the ended sessions are gone.
    async fn compare_database(&self) {
        let mut read = self.instances[0].db().read().await.unwrap();
        let count = "SELECT (SELECT COUNT(*) FROM auth_events WHERE kind = 'refresh_token_reused'), \
                     (SELECT COUNT(*) FROM auth_events WHERE kind NOT IN ('registered', 'session_begun', 'session_ended')), \
                     (SELECT COUNT(*) FROM auth_sessions)";
        let counted: (i64, i64, i64) =
            on_db!(read.conn(), c => sqlx::query_as(count).fetch_one(c).await).expect("three numbers");
        let [events, sessions] = [self.model.replays_caught, self.model.kept()].map(|n| i64::try_from(n).unwrap());
        assert_eq!(counted, (events, events, sessions), "replays caught, events, sessions");
    }

    /// Checks at the end that live sessions still refresh and ended ones do not.
    async fn end(mut self) {
        for session in 0..self.given.len() {
            let number = self.given[session].len() - 1;
            let answer = refresh(self.anonymous(session), self.given[session][number].clone()).await;
            let outcome = self.model.refresh(session, number);
            self.compare(session, outcome, &answer);
        }
        self.compare_database().await;
    }
}

async fn forget_exchanges(app: &TestApp, exchanges: usize) {
    let set_back = "UPDATE auth_sessions SET refresh_counter = \
                    CASE WHEN refresh_counter > $1 THEN refresh_counter - $1 ELSE 0 END";
    let forget = "DELETE FROM auth_refresh_rotations WHERE counter >= \
                  (SELECT refresh_counter FROM auth_sessions WHERE id = session_id)";
    let exchanges = i64::try_from(exchanges).unwrap();
    let mut tx = app.db().write().await.unwrap();
    on_db!(tx.conn(), c => sqlx::query(set_back).bind(exchanges).execute(c).await.map(drop)).unwrap();
    on_db!(tx.conn(), c => sqlx::query(forget).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

async fn refresh(caller: Caller, token: String) -> Answer {
    caller.post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await
}

#[test]
fn whatever_tabs_thieves_and_networks_do_every_refresh_comes_to_what_the_model_says() {
    // A pooler does not change what statements do, so fewer interleavings are enough there.
    let one_of = if is_pooled() { 4 } else { 1 };
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES / one_of,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    });
    let event_counts = RefCell::new(EventCounts::default());
    let done = runner.run(&steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::begin(&event_counts).await;
            for step in steps {
                world.take(step).await;
            }
            world.end().await;
        });
        Ok(())
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
    // Every outcome occurred many times.
    let EventCounts { exchanged, forgiven, reused, invalid } = event_counts.into_inner();
    let enough = |least: usize| least / (one_of * one_of) as usize;
    assert!(
        exchanged >= enough(200) && forgiven >= enough(100) && reused >= enough(20) && invalid >= enough(100),
        "{exchanged} exchanged, {forgiven} forgiven, {reused} caught, {invalid} invalid"
    );
}

//! Interleavings of refreshes, lost answers, tabs, a thief, logouts and passing time: after every step the answer and the
//! database are what a small model says.

use std::cell::RefCell;

use countersign::testing::{Answer, Caller, PASSWORD, TestApp};
use countersign_db::on_db;
use jiff::SignedDuration;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::task::JoinSet;

const TOKEN: &str = "/api/users/token";
/// How many interleavings are tried per database, and how long the longest is. More find more.
const CASES: u32 = 64;
const STEPS_MAX: usize = 60;
/// When tokens count as exchanged that a restored database does not know of.
const LONG_AGO: i64 = -1_000_000;
/// Who holds a token: tabs, and behind them a thief.
const TABS: usize = 4;
const THIEF: usize = TABS;

const REPLAY_WINDOW: i64 = 30;
const ACCESS_TTL: i64 = 30 * 60;
const SESSION_TTL: i64 = 90 * 24 * 3_600;
const IDLE_TTL: i64 = 14 * 24 * 3_600;
const SEEN_EVERY: i64 = 5 * 60;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// The holder presents its token and takes what is answered.
    Refresh(usize),
    /// The holder presents its token, and the answer is lost: it keeps the old one.
    RefreshInVain(usize),
    /// All tabs present their tokens at the same time, to two instances.
    RefreshTogether,
    /// Somebody presents a token that was given out this many exchanges ago.
    Replay(usize, usize),
    /// A tab learns of the newest token of its session, as tabs do that share a storage.
    CatchUp(usize),
    /// The thief copies the token of a tab.
    Steal(usize),
    /// The holder uses its access token.
    Use(usize),
    LogOut(usize),
    Revoke(usize),
    LogIn(usize),
    /// The database forgets this many of the last exchanges of every session, as by a restored copy.
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

/// What becomes of a refresh token that is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It was the valid one; the token of this number takes its place.
    Exchanged(usize),
    /// It was exchanged a moment ago; the token of this number took its place.
    Forgiven(usize),
    /// Two have it: the session ends.
    Reused,
    /// Its session is over.
    Invalid,
}

/// What the service has promised, and nothing of how it does it. Instants are seconds.
#[derive(Clone, Default)]
struct Model {
    now: i64,
    sessions: Vec<Session>,
    replays_caught: usize,
}

#[derive(Clone)]
struct Session {
    ended: Ended,
    /// When each of its refresh tokens was exchanged; the next one is the valid one.
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
        // All sessions are one user's, and a login clears away those that have run out.
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
                // All before it, even those that a restored database does not know.
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

    /// Whether an access token is believed.
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

    /// How many sessions are in the database.
    fn kept(&self) -> usize {
        self.sessions.iter().filter(|session| session.ended == Ended::No).count()
    }
}

/// How often the refreshes of all interleavings came to what.
#[derive(Default)]
struct Tally {
    exchanged: usize,
    forgiven: usize,
    reused: usize,
    invalid: usize,
}

/// What somebody has in hand.
#[derive(Clone)]
struct Holding {
    session: usize,
    number: usize,
    access_token: String,
    access_expires_at: i64,
}

/// The service, the model, and who holds what.
struct World<'t> {
    /// On the same database.
    instances: [TestApp; 2],
    model: Model,
    holdings: Vec<Holding>,
    /// Every refresh token that was given out, by session and number.
    given: Vec<Vec<String>>,
    tally: &'t RefCell<Tally>,
}

impl<'t> World<'t> {
    async fn begin(tally: &'t RefCell<Tally>) -> Self {
        // The model knows no cache: an instance with one may be a second behind the other, which tests of its own are about.
        let app = TestApp::with(|config| config.session.cache_max = 0).await;
        let other = app.another_instance(|mut config| {
            config.session.cache_max = 0;
            config
        });
        let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
        app.anonymous().post("/api/users", body).await.ok(201);
        let (instances, model) = ([app, other], Model::default());
        let mut world = Self { instances, model, holdings: Vec::new(), given: Vec::new(), tally };
        // A session that nobody touches: what happens to others must not happen to it.
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

    /// Tokens that were given out must be new, or the same as before.
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

    /// Compares an answer with the outcome that was predicted; what was given, if anything.
    fn compare(&mut self, session: usize, outcome: Outcome, answer: &Answer) -> Option<Holding> {
        let mut tally = self.tally.borrow_mut();
        match outcome {
            Outcome::Exchanged(number) | Outcome::Forgiven(number) => {
                match outcome {
                    Outcome::Exchanged(_) => tally.exchanged += 1,
                    _ => tally.forgiven += 1,
                }
                drop(tally);
                Some(self.note_tokens(session, number, &answer.ok(200)))
            }
            Outcome::Reused => {
                answer.problem(400, "refresh_token_reused");
                tally.reused += 1;
                None
            }
            Outcome::Invalid => {
                answer.problem(400, "invalid_refresh_token");
                tally.invalid += 1;
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
            // What the others get depends on who comes first.
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

    /// Every replay that the model caught has left an event, nothing else has, and only the sessions that it ended are gone.
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

    /// Whoever was not logged out can go on, and whoever was cannot.
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
    let mut runner = TestRunner::new(ProptestConfig {
        cases: CASES,
        failure_persistence: None,
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    });
    let tally = RefCell::new(Tally::default());
    let done = runner.run(&steps(), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::begin(&tally).await;
            for step in steps {
                world.take(step).await;
            }
            world.end().await;
        });
        Ok(())
    });
    done.unwrap_or_else(|failure| panic!("{failure}"));
    // All of it has happened, many times over.
    let Tally { exchanged, forgiven, reused, invalid } = tally.into_inner();
    assert!(
        exchanged >= 200 && forgiven >= 100 && reused >= 20 && invalid >= 100,
        "{exchanged} exchanged, {forgiven} forgiven, {reused} caught, {invalid} invalid"
    );
}

//! Many tabs of one session refresh concurrently while responses get lost. The example `refresh_stress` runs the same
//! for any number of rounds.

use std::fmt::{self, Display};

use countersign::testing::{Answer, Caller, PASSWORD, TestApp};
use jiff::SignedDuration;
use tokio::task::JoinSet;

const TOKEN: &str = "/api/users/token";
/// A tab loses at most this many responses in a row.
const LOST_IN_A_ROW_MAX: u32 = 2;
/// Delay before a tab retries. The last retry is still within the replay window of 30 s.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(15);
/// Time between rounds: the lifetime of an access token.
const BETWEEN_ROUNDS: SignedDuration = SignedDuration::from_mins(30);

/// Results of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    /// Refresh requests.
    pub(crate) refreshes: u64,
    /// Refresh requests after a lost response.
    pub(crate) retries: u64,
    /// Tabs whose token was refused.
    pub(crate) false_logouts: u64,
    /// Any other responses.
    pub(crate) failures: u64,
    /// Rounds after which the tabs had different tokens.
    pub(crate) split_rounds: u64,
}

impl Figures {
    /// Whether there were no false logouts, failures or split rounds.
    pub(crate) fn are_good(&self) -> bool {
        self.false_logouts + self.failures + self.split_rounds == 0
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refreshes, retries, false_logouts, failures, split_rounds } = self;
        write!(
            f,
            "{refreshes} refreshes, of these {retries} retries; {false_logouts} false logouts, {failures} failures, \
             {split_rounds} rounds in which tabs came apart"
        )
    }
}

/// Logs in once, then refreshes from all tabs in every round, each with its last token, at two instances of the service.
/// Calls `tell` with the results so far after each round.
pub(crate) async fn run(tabs: u32, rounds: u32, mut tell: impl FnMut(u32, &Figures)) -> Figures {
    let app = TestApp::with(|config| config.session.ttl = SignedDuration::from_hours(24 * 365 * 100)).await;
    let other = app.another_instance(|config| config);
    let ada = app.user("ada").await;
    let first = refresh_token(&app.anonymous().log_in(&ada.email, PASSWORD).await).expect("a login brings a token");
    let callers = [app.anonymous(), other.anonymous()];
    let mut held: Vec<String> = (0..tabs).map(|_| first.clone()).collect();
    let mut figures = Figures::default();
    for round in 1..=rounds {
        let mut waiting: Vec<usize> = (0..held.len()).collect();
        for attempt in 0..=LOST_IN_A_ROW_MAX {
            let mut requests = JoinSet::new();
            for &tab in &waiting {
                let (caller, token) = (callers[tab % 2].clone(), held[tab].clone());
                requests.spawn(async move { (tab, refresh(&caller, &token).await) });
            }
            figures.refreshes += waiting.len() as u64;
            figures.retries += if attempt == 0 { 0 } else { waiting.len() as u64 };
            waiting.clear();
            while let Some(done) = requests.join_next().await {
                let (tab, answer) = done.expect("a request does not panic");
                match refresh_token(&answer) {
                    Some(_) if attempt < LOST_IN_A_ROW_MAX && is_lost(tab, round, attempt) => waiting.push(tab),
                    Some(token) => held[tab] = token,
                    None if answer.status == 400 => figures.false_logouts += 1,
                    None => figures.failures += 1,
                }
            }
            app.clock.advance(RETRY_AFTER);
        }
        figures.split_rounds += u64::from(held.iter().any(|token| *token != held[0]));
        tell(round, &figures);
        app.clock.advance(BETWEEN_ROUNDS);
    }
    figures
}

async fn refresh(caller: &Caller, token: &str) -> Answer {
    caller.post_form(TOKEN, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn refresh_token(answer: &Answer) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200)?;
    body["refresh_token"].as_str().map(str::to_owned)
}

/// Whether a response is lost: about one in three, the same ones in every run, and all first ones of every seventh round.
fn is_lost(tab: usize, round: u32, attempt: u32) -> bool {
    let mixed = (tab as u64 ^ u64::from(round) << 20 ^ u64::from(attempt) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 33).is_multiple_of(3) || (round.is_multiple_of(7) && attempt == 0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tabs_that_refresh_at_once_and_lose_answers_are_not_logged_out() {
    let figures = run(10, 20, |_, _| ()).await;
    assert!(figures.are_good() && figures.retries >= 20, "{figures}");
}

//! A host's recurring jobs: which instance runs them, when, and what becomes of one that the host no longer has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign::RecurringJob;
use countersign::model::QueuedJob;
use countersign::testing::TestApp;
use jiff::SignedDuration;

const NAME: &str = "notes.count";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn counting(runs: &Arc<AtomicU32>) -> Vec<RecurringJob> {
    let count = |runs: Arc<AtomicU32>| async move {
        runs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    vec![RecurringJob::new(NAME, HOUR, Arc::clone(runs), count)]
}

/// Starts a worker that runs what is due and stops.
async fn work(app: &TestApp, jobs: Vec<RecurringJob>) {
    app.accounts().run_jobs_and(jobs, async {}).await;
}

async fn queued(app: &TestApp) -> Option<QueuedJob> {
    app.accounts().list_jobs().await.unwrap().into_iter().find(|job| job.kind == NAME)
}

fn done(app: &TestApp) -> u64 {
    app.accounts().metrics().jobs_done.into_iter().find(|(kind, _)| *kind == NAME).unwrap().1
}

#[tokio::test]
async fn one_of_two_instances_runs_it_once_in_each_interval() {
    let app = TestApp::start().await;
    let other = app.another_instance(|config| config);
    let runs = Arc::default();
    for (minutes, expected) in [(0, 1), (59, 1), (1, 2), (60, 3)] {
        app.clock.advance(SignedDuration::from_mins(minutes));
        tokio::join!(work(&app, counting(&runs)), work(&other, counting(&runs)));
        assert_eq!(runs.load(Ordering::Relaxed), expected);
        assert_eq!(done(&app) + done(&other), u64::from(expected));
        let job = queued(&app).await.unwrap();
        assert_eq!((job.attempts, job.last_error, job.failed_at), (0, None, None));
    }
}

#[tokio::test]
async fn a_failed_attempt_is_retried_for_as_long_as_the_host_has_the_job() {
    let app = TestApp::start().await;
    for hours in [0, 1, 49] {
        app.clock.advance(SignedDuration::from_hours(hours));
        let failing = RecurringJob::new(NAME, HOUR, (), |()| async { Err("no paper".into()) });
        work(&app, vec![failing]).await;
        let job = queued(&app).await.unwrap();
        assert_eq!((job.last_error.as_deref(), job.failed_at), (Some("no paper"), None));
        assert!(job.attempts > 0 && job.run_at > app.clock.now(), "{job:?}");
    }
    app.clock.advance(HOUR);
    let runs = Arc::default();
    work(&app, counting(&runs)).await;
    let job = queued(&app).await.unwrap();
    assert_eq!((runs.load(Ordering::Relaxed), job.attempts, job.last_error), (1, 0, None));
}

#[tokio::test]
async fn a_job_that_the_host_no_longer_has_is_forgotten_after_two_days() {
    let app = TestApp::start().await;
    let runs = Arc::default();
    work(&app, counting(&runs)).await;
    // Meanwhile an instance of the previous version may still have it.
    for hours in [1, 24, 22] {
        app.clock.advance(SignedDuration::from_hours(hours));
        app.run_jobs().await;
        assert_eq!(queued(&app).await.unwrap().failed_at, None);
    }
    app.clock.advance(HOUR);
    app.run_jobs().await;
    assert!(queued(&app).await.is_none());
    assert_eq!(app.accounts().job_backlog().await.unwrap().given_up, 0);
    // A version that has it again starts it again.
    work(&app, counting(&runs)).await;
    assert_eq!(runs.load(Ordering::Relaxed), 2);
}

#[test]
#[should_panic(expected = "is not the name of a job")]
fn a_job_has_the_name_of_its_host() {
    RecurringJob::new("sweep", HOUR, (), |()| async { Ok(()) });
}

#[test]
#[should_panic(expected = "expected a second to a day")]
fn a_job_runs_at_least_once_a_day() {
    RecurringJob::new(NAME, HOUR * 25, (), |()| async { Ok(()) });
}

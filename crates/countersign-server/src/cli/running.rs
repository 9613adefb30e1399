//! A running server: what runs side by side, and in which order it stops.

use std::future::pending;
use std::time::Duration;

use axum::Router;
use countersign::clock::Clock;
use countersign::{Accounts, RecurringJob};
use countersign_db::Db;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::HttpSettings;
use crate::backup::schedule::Schedule;
use crate::metrics::{self, Readers};
use crate::serve::{self, ServePolicy, StopSignals};
use crate::tls::Tls;

/// Maximum time for closing the files or connections of the database.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Everything that a server has opened.
pub(super) struct Running {
    pub(super) listener: TcpListener,
    pub(super) metrics_listener: Option<TcpListener>,
    pub(super) app: Router,
    pub(super) http: HttpSettings,
    pub(super) policy: ServePolicy,
    pub(super) accounts: Accounts,
    /// The host's recurring jobs.
    pub(super) jobs: Vec<RecurringJob>,
    pub(super) db: Db,
    pub(super) backups: Option<Schedule>,
    pub(super) signals: StopSignals,
}

impl Running {
    /// Serves requests, runs jobs and makes backups until a signal ends it.
    pub(super) async fn until_stopped(self) {
        let Self { listener, metrics_listener, app, http, policy, accounts, jobs, db, backups, signals } = self;
        let (stop_jobs, jobs_stop) = oneshot::channel::<()>();
        let (stop_metrics, metrics_stop) = oneshot::channel::<()>();
        let serving = async {
            tokio::select! {
                () = serve::serve(listener, app, &policy, &http.draining, signals) => {}
                () = renewals(policy.tls.as_ref(), accounts.clock()) => {}
            }
            drop(stop_jobs);
        };
        let jobs = accounts.run_jobs_and(jobs, async {
            let _ = jobs_stop.await;
        });
        let serving_metrics = async {
            if let (Some(listener), Some(metrics)) = (metrics_listener, &http.metrics) {
                let page = metrics::routes(metrics.clone(), accounts.clone(), Readers::Everybody);
                metrics::serve(listener, page, async {
                    let _ = metrics_stop.await;
                })
                .await;
            }
        };
        // The last request may enqueue a job, so jobs stop after serving. Metrics stop last, because everything else is
        // measured.
        let work = async {
            tokio::join!(serving, jobs);
            if let Some(backups) = backups {
                backups.stop().await;
            }
            drop(stop_metrics);
        };
        tokio::join!(work, serving_metrics);
        let _ = tokio::time::timeout(CLOSE_MAX, db.close()).await;
    }
}

/// Reloads renewed certificates, forever.
async fn renewals(tls: Option<&Tls>, clock: &dyn Clock) {
    match tls {
        Some(tls) => tls.keep_current(clock).await,
        None => pending().await,
    }
}

//! The `jobs` commands.

use clap::Subcommand;
use countersign::Accounts;
use countersign::model::JobId;

use super::table::table;
use super::{Failure, Finding, open_accounts, say};
use crate::Host;
use crate::settings::Purpose;

#[derive(Subcommand)]
pub(super) enum JobsCommand {
    /// List pending and failed jobs, with their last error
    ///
    /// Exits with status 1 if any job has failed.
    List,
    /// Retry failed jobs now
    Retry {
        /// Only this job, with its ID from `list`; also one that waits for its next attempt
        id: Option<JobId>,
    },
}

pub(super) async fn jobs<H: Host>(command: JobsCommand) -> Result<Finding, Failure> {
    let accounts = open_accounts::<H>(Purpose::Administer).await?;
    let finding = match command {
        JobsCommand::List => list(&accounts).await,
        JobsCommand::Retry { id } => retry::<H>(&accounts, id).await,
    };
    accounts.db().close().await;
    finding
}

async fn list(accounts: &Accounts) -> Result<Finding, Failure> {
    let jobs = accounts.list_jobs().await?;
    if jobs.is_empty() {
        say(format_args!("no jobs"));
        return Ok(Finding::InOrder);
    }
    let mut rows = vec![["ID", "KIND", "STATE", "CREATED", "ATTEMPTS", "LAST ERROR"].map(str::to_owned)];
    rows.extend(jobs.iter().map(|job| {
        let state = match job.failed_at {
            Some(at) => format!("given up {at:.0}"),
            None => format!("due {:.0}", job.run_at),
        };
        let error = job.last_error.as_deref().unwrap_or_default();
        [
            job.id.to_string(),
            job.kind.clone(),
            state,
            format!("{:.0}", job.created_at),
            job.attempts.to_string(),
            error.escape_debug().to_string(),
        ]
    }));
    say(format_args!("{}", table(&rows)));
    let is_any_given_up = jobs.iter().any(|job| job.failed_at.is_some());
    Ok(if is_any_given_up { Finding::NotInOrder } else { Finding::InOrder })
}

async fn retry<H: Host>(accounts: &Accounts, id: Option<JobId>) -> Result<Finding, Failure> {
    match (accounts.retry_jobs(id).await?, id) {
        (0, Some(id)) => Err(Failure(format!("there is no job {id}; `{} jobs list` shows them", H::NAME))),
        (count, _) => {
            say(format_args!("{count} will be retried now by a running instance"));
            Ok(Finding::InOrder)
        }
    }
}

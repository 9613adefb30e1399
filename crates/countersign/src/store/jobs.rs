//! The queue of background jobs. A worker claims a job by moving its `run_at` ahead, and owns it until then.

use countersign_db::{Conn, DbError, DbTime, on_db};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::model::{Horizon, Job, JobBacklog, JobId, QueuedJob};

/// A job that a worker has claimed. `until` also proves the claim: no one has moved `run_at` since.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) id: JobId,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) attempts: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) until: Timestamp,
}

impl Claimed {
    /// Parses the job; `None` if only a newer version knows its kind.
    pub(crate) fn job(&self) -> Option<Job> {
        Job::parse(&self.kind, &self.subject)
    }
}

/// Enqueues a job; an existing job with this id is kept.
pub(crate) async fn insert(conn: Conn<'_>, id: JobId, job: &Job, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_jobs (id, kind, subject, created_at, run_at, attempts) VALUES ($1, $2, $3, $4, $4, 0) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(id.uuid())
        .bind(job.kind())
        .bind(job.subject())
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Enqueues a host's recurring job. An existing one keeps its time, counts as new, and is no longer marked failed, which an
/// older version may have done.
pub(crate) async fn insert_recurring(conn: Conn<'_>, id: JobId, kind: &str, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "INSERT INTO auth_jobs (id, kind, subject, created_at, run_at, attempts) VALUES ($1, $2, '', $3, $3, 0) \
             ON CONFLICT (id) DO UPDATE SET created_at = $3, failed_at = NULL",
        )
        .bind(id.uuid())
        .bind(kind)
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// The id of a due job, and its `run_at`.
pub(crate) type Due = (Uuid, DbTime);

/// How far in the future `run_at` can plausibly be, for one-off and for recurring jobs. An unknown kind, which a newer
/// version enqueued, may be recurring.
#[derive(Clone, Copy)]
pub(crate) struct Horizons {
    pub(crate) once: Horizon,
    pub(crate) again: Horizon,
}

impl Horizons {
    /// Accepts any `run_at`, however far in the future.
    pub(crate) fn endless(now: Timestamp) -> Self {
        let horizon = Horizon::new(now, SignedDuration::MAX);
        Self { once: horizon, again: horizon }
    }
}

/// Lists due jobs, longest overdue first, and jobs whose `run_at` is implausibly far in the future because of a wrong
/// clock.
pub(crate) async fn list_due(conn: Conn<'_>, horizons: Horizons, max: i64) -> Result<Vec<Due>, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, run_at FROM (SELECT id, run_at FROM auth_jobs WHERE failed_at IS NULL AND run_at <= $1 \
             ORDER BY run_at LIMIT $4) AS due UNION ALL SELECT id, run_at FROM (SELECT id, run_at FROM auth_jobs \
             WHERE failed_at IS NULL AND run_at > $2 \
             AND (run_at > $3 OR kind IN ('send_token', 'send_notice', 'delete_picture')) \
             ORDER BY run_at LIMIT $4) AS astray LIMIT $4",
        )
        .bind(DbTime::from(horizons.once.now()))
        .bind(DbTime::from(horizons.once.latest()))
        .bind(DbTime::from(horizons.again.latest()))
        .bind(max)
        .fetch_all(c)
        .await
    })?)
}

/// Claims a job until `until`; `None` if another worker was faster.
pub(crate) async fn claim(conn: Conn<'_>, due: Due, until: Timestamp) -> Result<Option<Claimed>, DbError> {
    let row: Option<(Uuid, String, String, i64, DbTime)> = on_db!(conn, c => {
        sqlx::query_as(
            "UPDATE auth_jobs SET run_at = $3, attempts = attempts + 1 \
             WHERE id = $1 AND run_at = $2 AND failed_at IS NULL RETURNING id, kind, subject, attempts, created_at",
        )
        .bind(due.0)
        .bind(due.1)
        .bind(DbTime::from(until))
        .fetch_optional(c)
        .await
    })?;
    let Some((id, kind, subject, attempts, created_at)) = row else { return Ok(None) };
    let created_at = instant(created_at, "created_at")?;
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    // Rounded as in the database.
    let until = instant(DbTime::from(until), "run_at")?;
    Ok(Some(Claimed { id: id.into(), kind, subject, attempts, created_at, until }))
}

/// Deletes a job that is done.
pub(crate) async fn finish(conn: Conn<'_>, job: &Claimed) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("DELETE FROM auth_jobs WHERE id = $1 AND run_at = $2")
            .bind(job.id.uuid())
            .bind(DbTime::from(job.until))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Enqueues a recurring job anew, with a fresh attempt count.
pub(crate) async fn repeat(conn: Conn<'_>, job: &Claimed, now: Timestamp, run_at: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query(
            "UPDATE auth_jobs SET run_at = $3, created_at = $4, attempts = 0, last_error = NULL \
             WHERE id = $1 AND run_at = $2",
        )
        .bind(job.id.uuid())
        .bind(DbTime::from(job.until))
        .bind(DbTime::from(run_at))
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

/// Records a failed attempt and schedules a retry.
pub(crate) async fn postpone(conn: Conn<'_>, job: &Claimed, run_at: Timestamp, error: &str) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_jobs SET run_at = $3, last_error = $4 WHERE id = $1 AND run_at = $2")
            .bind(job.id.uuid())
            .bind(DbTime::from(job.until))
            .bind(DbTime::from(run_at))
            .bind(error)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Releases a claimed job without an attempt, because the worker is shutting down.
pub(crate) async fn hand_back(conn: Conn<'_>, job: &Claimed, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_jobs SET run_at = $3, attempts = attempts - 1 WHERE id = $1 AND run_at = $2")
            .bind(job.id.uuid())
            .bind(DbTime::from(job.until))
            .bind(DbTime::from(now))
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Marks a job as failed, so that it is not retried.
pub(crate) async fn give_up(conn: Conn<'_>, job: &Claimed, error: &str, now: Timestamp) -> Result<(), DbError> {
    on_db!(conn, c => {
        sqlx::query("UPDATE auth_jobs SET failed_at = $3, last_error = $4 WHERE id = $1 AND run_at = $2")
            .bind(job.id.uuid())
            .bind(DbTime::from(job.until))
            .bind(DbTime::from(now))
            .bind(error)
            .execute(c)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Lists waiting and failed jobs, oldest first, up to `max`.
pub(crate) async fn list(conn: Conn<'_>, max: i64) -> Result<Vec<QueuedJob>, DbError> {
    type Row = (Uuid, String, DbTime, DbTime, i64, Option<DbTime>, Option<String>);
    let rows: Vec<Row> = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT id, kind, created_at, run_at, attempts, failed_at, last_error FROM auth_jobs ORDER BY created_at LIMIT $1",
        )
        .bind(max)
        .fetch_all(c)
        .await
    })?;
    let job = |(id, kind, created_at, run_at, attempts, failed_at, last_error): Row| {
        Ok(QueuedJob {
            id: id.into(),
            kind,
            created_at: instant(created_at, "created_at")?,
            run_at: instant(run_at, "run_at")?,
            attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
            failed_at: failed_at.map(|at| instant(at, "failed_at")).transpose()?,
            last_error,
        })
    };
    rows.into_iter().map(job).collect()
}

/// Counts the jobs and returns when the longest overdue one became due.
pub(crate) async fn count_backlog(conn: Conn<'_>, horizons: Horizons) -> Result<JobBacklog, DbError> {
    let row: (i64, i64, i64, Option<DbTime>) = on_db!(conn, c => {
        sqlx::query_as(
            "SELECT COUNT(CASE WHEN failed_at IS NULL AND (run_at <= $1 OR run_at > $3 \
             OR (run_at > $2 AND kind IN ('send_token', 'send_notice', 'delete_picture'))) THEN 1 END), \
             COUNT(*), COUNT(failed_at), MIN(CASE WHEN failed_at IS NULL AND run_at <= $1 THEN run_at END) FROM auth_jobs",
        )
        .bind(DbTime::from(horizons.once.now()))
        .bind(DbTime::from(horizons.once.latest()))
        .bind(DbTime::from(horizons.again.latest()))
        .fetch_one(c)
        .await
    })?;
    let [due, all, given_up] = [row.0, row.1, row.2].map(|count| u64::try_from(count).unwrap_or(0));
    let due_since = row.3.map(|at| instant(at, "run_at")).transpose()?;
    Ok(JobBacklog { due, later: all - due - given_up, given_up, due_since })
}

/// Retries one job, or all failed ones if no id is given; returns their number.
pub(crate) async fn retry(conn: Conn<'_>, id: Option<JobId>, now: Timestamp) -> Result<u64, DbError> {
    Ok(on_db!(conn, c => {
        sqlx::query(
            "UPDATE auth_jobs SET failed_at = NULL, attempts = 0, created_at = $2, run_at = $2 \
             WHERE id = $1 OR ($1 IS NULL AND failed_at IS NOT NULL)",
        )
        .bind(id.map(JobId::uuid))
        .bind(DbTime::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected())
    })?)
}

fn instant(time: DbTime, column: &'static str) -> Result<Timestamp, DbError> {
    time.timestamp().ok_or(DbError::CorruptRow { table: "auth_jobs", column })
}

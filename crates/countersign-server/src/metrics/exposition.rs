//! The names and help texts of all metrics, in the OpenMetrics text format.
//!
//! Every name is also in `docs/monitoring.md` and is stable: dashboards and alerts depend on it.

use std::fmt;
use std::time::Duration;

use countersign::Accounts;
use countersign::clock::{Clock as _, SystemClock};
use countersign::model::JobBacklog;
use countersign::operator::{AccountsMetrics, HashingMetrics, Histogram};
use countersign_db::PoolState;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, MetricEncoder,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::timeout;

use super::Metrics;
use super::process::Process;

/// How long to wait for metrics from the database. The others are reported without it.
const DATABASE_MAX: Duration = Duration::from_secs(2);

/// All metrics at one moment.
#[derive(Debug)]
struct Reading {
    metrics: Metrics,
    accounts: AccountsMetrics,
    hashing: HashingMetrics,
    pools: Vec<PoolState>,
    writing_fails_for: Option<Duration>,
    database: String,
    /// `None` if the database did not answer.
    backlog: Option<JobBacklog>,
    process: Process,
}

/// Formats the current metrics.
pub(super) async fn write(metrics: &Metrics, accounts: &Accounts) -> String {
    let backlog = match timeout(DATABASE_MAX, accounts.job_backlog()).await {
        Ok(Ok(backlog)) => Some(backlog),
        Ok(Err(_)) | Err(_) => None,
    };
    let reading = Reading {
        metrics: metrics.clone(),
        accounts: accounts.metrics(),
        hashing: accounts.hashing_metrics(),
        pools: accounts.db().pool_states(),
        writing_fails_for: accounts.db().writing_fails_for(),
        database: accounts.db().kind().to_string().to_ascii_lowercase(),
        backlog,
        process: Process::read(),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(reading));
    let mut text = String::with_capacity(64 * 1024);
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        self.process(&mut page)?;
        self.http(&mut page)?;
        self.accounts(&mut page)?;
        self.hashing(&mut page)?;
        self.jobs(&mut page)?;
        self.backups(&mut page)?;
        self.database(&mut page)
    }
}

impl Reading {
    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        let parts = &self.metrics.0;
        let build = [("program", parts.program), ("version", parts.version), ("database", self.database.as_str())];
        // OpenMetrics has the type `info`, which older readers do not know.
        page.gauge("countersign_build_info", "Program, version and database of the instance", None, [(build, 1_u64)])?;
        let started_at = parts.started_at.as_microsecond() as f64 / 1e6;
        page.gauge(
            "process_start_time",
            "Start time of the process, in seconds since 1970",
            Some(&Unit::Seconds),
            [(NONE, started_at)],
        )?;
        page.counter(
            "process_cpu",
            "CPU time used by the process",
            Some(&Unit::Seconds),
            [(NONE, self.process.cpu_seconds)],
        )?;
        let resident = self.process.resident_bytes.map(|bytes| (NONE, bytes));
        page.gauge("process_resident_memory", "Resident memory of the process", Some(&Unit::Bytes), resident)?;
        let open = self.process.open_files.map(|files| (NONE, files));
        page.gauge("process_open_fds", "Open file descriptors", None, open)?;
        let open_max = self.process.open_files_max.map(|files| (NONE, files));
        page.gauge("process_max_fds", "Maximum number of open file descriptors", None, open_max)
    }

    fn http(&self, page: &mut Page<'_>) -> fmt::Result {
        let parts = &self.metrics.0;
        let routes = parts.requests.by_route();
        let mut requests = Vec::new();
        for (route, counts) in &routes {
            requests.extend(counts.by_method_and_status().map(|(method, status, count)| {
                let status = status.map_or_else(|| "other".to_owned(), |status| status.to_string());
                ([("method", method.to_owned()), ("route", (*route).to_owned()), ("status", status)], count)
            }));
        }
        page.counter("countersign_http_requests", "Answered requests", None, requests)?;
        page.histogram(
            "countersign_http_request_duration",
            "Time from the head of a request to the head of its response",
            routes.iter().map(|(route, counts)| ([("route", *route)], counts.durations())),
        )?;
        let under_way = parts.requests.under_way();
        page.gauge("countersign_http_requests_under_way", "Requests in progress", None, [(NONE, under_way)])?;
        let present = parts.connection_counters.read();
        page.gauge("countersign_http_connections", "Open connections", None, [(NONE, present.open)])?;
        page.gauge(
            "countersign_http_connections_max",
            "Maximum number of open connections (CONNECTIONS_MAX)",
            None,
            [(NONE, present.room_for)],
        )?;
        page.counter(
            "countersign_http_connections_accepted",
            "Accepted connections",
            None,
            [(NONE, present.accepted)],
        )?;
        page.counter(
            "countersign_http_connections_evicted",
            "Connections evicted to make room for others",
            None,
            [(NONE, present.evicted)],
        )
    }

    fn accounts(&self, page: &mut Page<'_>) -> fmt::Result {
        let AccountsMetrics { logins, registrations, refreshes, refusals, session_lookups, sessions_cached, .. } =
            &self.accounts;
        page.named("countersign_logins", "Logins by outcome", "outcome", logins)?;
        page.named("countersign_registrations", "Registrations by outcome", "outcome", registrations)?;
        page.named("countersign_refreshes", "Refresh requests by outcome", "outcome", refreshes)?;
        page.named("countersign_limit_refusals", "Attempts refused by a rate limit", "limit", refusals)?;
        page.named("countersign_session_lookups", "Session lookups by cache hit or miss", "cache", session_lookups)?;
        page.gauge("countersign_sessions_cached", "Cached sessions", None, [(NONE, *sessions_cached)])
    }

    fn hashing(&self, page: &mut Page<'_>) -> fmt::Result {
        let HashingMetrics { queued, queue_max, running, threads, memory_bytes_max, .. } = &self.hashing;
        page.gauge("countersign_hashing_queued", "Passwords waiting to be hashed", None, [(NONE, *queued)])?;
        page.gauge(
            "countersign_hashing_queue_max",
            "Maximum number of waiting passwords (HASHING_QUEUE_MAX)",
            None,
            [(NONE, *queue_max)],
        )?;
        page.gauge("countersign_hashing_running", "Passwords being hashed", None, [(NONE, *running)])?;
        page.gauge("countersign_hashing_threads", "Hashing threads", None, [(NONE, *threads)])?;
        page.gauge(
            "countersign_hashing_memory_max",
            "Maximum memory for hashing",
            Some(&Unit::Bytes),
            [(NONE, *memory_bytes_max)],
        )?;
        page.histogram(
            "countersign_hashing_wait",
            "Time that passwords waited to be hashed",
            [(NONE, parts_of(&self.hashing.waited))],
        )?;
        page.histogram(
            "countersign_hashing_duration",
            "Time to hash a password",
            [(NONE, parts_of(&self.hashing.hashed))],
        )?;
        page.counter(
            "countersign_hashing_refused",
            "Passwords refused because the queue was full",
            None,
            [(NONE, self.hashing.refused)],
        )?;
        page.counter(
            "countersign_hashing_late",
            "Passwords that timed out in the queue",
            None,
            [(NONE, self.hashing.late)],
        )?;
        page.counter(
            "countersign_hashing_abandoned",
            "Passwords whose client disconnected while waiting",
            None,
            [(NONE, self.hashing.abandoned)],
        )
    }

    fn jobs(&self, page: &mut Page<'_>) -> fmt::Result {
        let states = self
            .backlog
            .map(|backlog| [("due", backlog.due), ("later", backlog.later), ("given_up", backlog.given_up)]);
        let states = states.into_iter().flatten().map(|(state, count)| ([("state", state)], count));
        page.gauge("countersign_jobs", "Jobs in the database, of all instances", None, states)?;
        let oldest = self.backlog.map(|backlog| {
            let age = backlog.due_since.map(|since| SystemClock.now().duration_since(since).as_secs_f64());
            (NONE, age.unwrap_or(0.0).max(0.0))
        });
        page.gauge(
            "countersign_jobs_oldest_due",
            "How long the oldest due job has been due",
            Some(&Unit::Seconds),
            oldest,
        )?;
        let AccountsMetrics { jobs_done, jobs_retried, jobs_failed, .. } = &self.accounts;
        page.named("countersign_jobs_done", "Completed jobs", "kind", jobs_done)?;
        page.named("countersign_jobs_retried", "Failed attempts that will be retried", "kind", jobs_retried)?;
        page.named("countersign_jobs_failed", "Jobs that failed permanently", "kind", jobs_failed)
    }

    fn backups(&self, page: &mut Page<'_>) -> fmt::Result {
        let backups = &self.metrics.0.backups;
        let made = backups.by_outcome();
        page.named("countersign_backups", "Scheduled backups of this instance by outcome", "outcome", &made)?;
        page.gauge(
            "countersign_backup_newest_timestamp",
            "Start time of the newest scheduled backup, in seconds since 1970",
            Some(&Unit::Seconds),
            backups.newest_at().map(|at| (NONE, at)),
        )
    }

    fn database(&self, page: &mut Page<'_>) -> fmt::Result {
        let up = u64::from(self.backlog.is_some());
        page.gauge("countersign_database_up", "1 when the database answers, otherwise 0", None, [(NONE, up)])?;
        let connections = self.pools.iter().flat_map(|pool| {
            let used = pool.open.saturating_sub(pool.idle);
            [("idle", pool.idle), ("used", used)].map(|(state, count)| ([("pool", pool.pool), ("state", state)], count))
        });
        page.gauge("countersign_database_connections", "Connections to the database", None, connections)?;
        let by_pool =
            |figure: fn(&PoolState) -> u64| self.pools.iter().map(move |pool| ([("pool", pool.pool)], figure(pool)));
        page.gauge(
            "countersign_database_connections_max",
            "Maximum number of connections to the database",
            None,
            by_pool(|pool| pool.connections_max.into()),
        )?;
        page.gauge(
            "countersign_database_waiting",
            "Callers waiting for a connection",
            None,
            by_pool(|pool| pool.waiting),
        )?;
        page.counter(
            "countersign_database_wait_timeouts",
            "Callers that timed out waiting for a connection",
            None,
            by_pool(|pool| pool.timed_out),
        )?;
        page.counter(
            "countersign_database_connections_discarded",
            "Connections discarded because the end of their transaction was not confirmed",
            None,
            by_pool(|pool| pool.discarded),
        )?;
        let failing = self.writing_fails_for.unwrap_or_default().as_secs_f64();
        page.gauge(
            "countersign_database_writing_fails",
            "How long writes have been failing; 0 if the last transaction was committed",
            Some(&Unit::Seconds),
            [(NONE, failing)],
        )
    }
}

/// No labels.
const NONE: [(&str, &str); 0] = [];

/// A histogram's non-cumulative buckets, and its sum in seconds.
type Buckets = (Vec<(f64, u64)>, f64);

/// Converts the library's cumulative histogram, because the encoder accumulates the buckets again.
fn parts_of(histogram: &Histogram) -> Buckets {
    let mut below = 0;
    let ends = histogram.buckets.iter().copied().chain([(f64::INFINITY, histogram.count)]);
    let buckets = ends.map(|(end, count)| (end, count.saturating_sub(std::mem::replace(&mut below, count))));
    (buckets.collect(), histogram.sum)
}

/// The output.
struct Page<'e>(DescriptorEncoder<'e>);

/// Labels: names from this file, values from fixed lists or the program's routes.
type Labels<V, const N: usize> = [(&'static str, V); N];

impl Page<'_> {
    fn counter<V, C, const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        unit: Option<&'static Unit>,
        samples: impl IntoIterator<Item = (Labels<V, N>, C)>,
    ) -> fmt::Result
    where
        Labels<V, N>: EncodeLabelSet,
        C: EncodeCounterValue,
    {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Counter)?;
        for (labels, value) in samples {
            with(&mut metric, &labels, |metric| metric.encode_counter(&value, NO_EXEMPLAR))?;
        }
        Ok(())
    }

    /// Writes counters that differ in one label.
    fn named(
        &mut self,
        name: &'static str,
        help: &str,
        label: &'static str,
        counts: &[(&'static str, u64)],
    ) -> fmt::Result {
        self.counter(name, help, None, counts.iter().map(|(value, count)| ([(label, *value)], *count)))
    }

    fn gauge<V, G, const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        unit: Option<&'static Unit>,
        samples: impl IntoIterator<Item = (Labels<V, N>, G)>,
    ) -> fmt::Result
    where
        Labels<V, N>: EncodeLabelSet,
        G: EncodeGaugeValue,
    {
        let mut metric = self.0.encode_descriptor(name, help, unit, MetricType::Gauge)?;
        for (labels, value) in samples {
            with(&mut metric, &labels, |metric| metric.encode_gauge(&value))?;
        }
        Ok(())
    }

    /// Writes a histogram of seconds.
    fn histogram<V, const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<V, N>, Buckets)>,
    ) -> fmt::Result
    where
        Labels<V, N>: EncodeLabelSet,
    {
        let mut metric = self.0.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (labels, (buckets, sum)) in samples {
            let count = buckets.iter().map(|(_, count)| count).sum();
            with(&mut metric, &labels, |metric| {
                metric.encode_histogram::<Labels<&str, 0>>(sum, count, &buckets, None)
            })?;
        }
        Ok(())
    }
}

const NO_EXEMPLAR: Option<&Exemplar<Labels<&str, 0>, u64>> = None;

/// Writes one sample, without braces if there are no labels.
fn with<V, const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &Labels<V, N>,
    write: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result
where
    Labels<V, N>: EncodeLabelSet,
{
    if N == 0 { write(metric) } else { write(&mut metric.encode_family(labels)?) }
}

//! The `dev` and `serve` commands: everything before the first request.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use countersign::Accounts;
use countersign::config::{SecretKey, SiteUrl};
use countersign::mail::MailTransport;
use countersign::operator::generate_secret_key;
use countersign_db::{DatabaseUrl, Db, PoolPolicy};
use rustix::process::{Resource, Rlimit};
use tokio::net::{TcpListener, TcpSocket};
use tracing::{info, warn};

use super::host::create_state;
use super::running::Running;
use super::{Failure, Finding, print_error, say};
use crate::backup::schedule::Schedule;
use crate::connect::connect;
use crate::schema::{self, Usable, access_error, create_private_file, create_private_folder, refuse_missing};
use crate::serve::{ServePolicy, StopSignals};
use crate::settings::{Loaded, LogFormat, Purpose, Settings, ShellSettings, load};
use crate::telemetry::{TraceSettings, Traces};
use crate::tls::Tls;
use crate::{Audience, Draining, Host, HttpSettings, Metrics, assemble, metrics, telemetry};

/// The folder of everything that `dev` creates.
const DEV_FOLDER: &str = "data";
/// How much longer a connection may be idle than a request may take.
const IDLE_BEYOND_REQUEST: Duration = Duration::from_mins(1);

/// The warning about costs below the recommendations.
pub(super) const WEAK_COSTS: &str = "ARGON2_MEMORY_KIB and ARGON2_ITERATIONS are below the minimum that OWASP recommends; `tune` shows what fits this machine";

/// What to do about a schema that is not current.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    MustBeCurrent,
    IsBroughtUpToDate,
}

pub(super) async fn dev<H: Host>() -> Result<Finding, Failure>
where
    Accounts: FromRef<H::State>,
{
    let (mut settings, traces) = begin::<H>(Purpose::Develop, LogFormat::Human)?;
    let folder = Path::new(DEV_FOLDER);
    create_private_folder(folder)?;
    let key = match settings.shell.secret_key.take() {
        Some(key) => key,
        None => kept_secret_key(folder)?,
    };
    let scheme = if settings.shell.tls_cert_file.is_some() { "https" } else { "http" };
    let url = settings.shell.database_url.clone();
    let transport = settings.mail.transport.clone();
    let launched = launch(settings, key, Schema::IsBroughtUpToDate, Audience::Developer, |address, db| {
        banner::<H>(&format!("{scheme}://{address}"), db, &url, &transport);
    });
    until_the_last_trace(launched, traces).await
}

pub(super) async fn serve<H: Host>() -> Result<Finding, Failure>
where
    Accounts: FromRef<H::State>,
{
    let (mut settings, traces) = begin::<H>(Purpose::Serve, LogFormat::Json)?;
    let key = settings.shell.secret_key.take().ok_or_else(|| Failure("SECRET_KEY is not set".to_owned()))?;
    let schema = if settings.shell.migrate_on_start { Schema::IsBroughtUpToDate } else { Schema::MustBeCurrent };
    let encryption = if settings.shell.tls_cert_file.is_some() { "tls" } else { "none" };
    let launched = launch(settings, key, schema, Audience::Public, |address, db| {
        info!(%address, encryption, database = %db.kind(), version = H::VERSION, "listening");
    });
    until_the_last_trace(launched, traces).await
}

/// Flushes pending traces after everything else has ended.
async fn until_the_last_trace(
    launched: impl Future<Output = Result<Finding, Failure>>,
    traces: Option<Traces>,
) -> Result<Finding, Failure> {
    let ended = launched.await;
    if let Some(traces) = traces {
        traces.stop().await;
    }
    ended
}

/// Loads the settings, and starts logging and, if configured, tracing.
fn begin<H: Host>(purpose: Purpose, usual_format: LogFormat) -> Result<(Settings<H>, Option<Traces>), Failure> {
    let Loaded { settings, warnings, .. } = load::<H>(purpose);
    let settings = settings.map_err(|report| Failure(report.to_string()))?;
    let shell = &settings.shell;
    let wanted = trace_settings::<H>(shell);
    let traces = telemetry::start(&shell.log, shell.log_format.unwrap_or(usual_format), wanted.as_ref())
        .map_err(|error| Failure(format!("traces cannot be sent to OTEL_EXPORTER_OTLP_ENDPOINT: {error}")))?;
    for warning in warnings.into_iter().chain(shell.plain_http()) {
        warn!("{warning}");
    }
    Ok((settings, traces))
}

fn trace_settings<H: Host>(shell: &ShellSettings) -> Option<TraceSettings> {
    let settings = &shell.telemetry;
    Some(TraceSettings {
        program: H::NAME,
        version: H::VERSION,
        endpoint: settings.otel_exporter_otlp_endpoint.clone()?,
        headers: settings.otel_exporter_otlp_headers.clone().map(|headers| headers.0).unwrap_or_default(),
        ratio: settings.otel_traces_sampler_arg,
    })
}

async fn launch<H: Host>(
    settings: Settings<H>,
    key: SecretKey,
    schema: Schema,
    audience: Audience,
    announce: impl FnOnce(SocketAddr, &Db),
) -> Result<Finding, Failure>
where
    Accounts: FromRef<H::State>,
{
    let Settings { mail, shell, host } = settings;
    let shell = Arc::new(shell);
    let tls = shell.tls_files().map(Tls::load).transpose()?;
    raise_file_limit(shell.connections_max);
    let listener = listen::<H>(&shell)?;
    let metrics_listener = shell.telemetry.metrics_listen.map(listen_for_metrics).transpose()?;
    let db = open::<H>(&shell, schema).await?;
    let site_url = site_url(&shell, audience, listener.local_addr()?)?;
    let mut config = shell.accounts_config(key, site_url, mail)?;
    config.hooks = H::hooks(&host);
    if config.password.hash_parameters.is_below_recommendations() {
        warn!("{WEAK_COSTS}");
    }
    let accounts = Accounts::new(db.clone(), config);
    if let Some(tls) = &tls {
        tls.warn_of_its_time(accounts.clock().now());
    }
    let state = create_state::<H>(&accounts, &host).await?;

    let http = http_settings::<H>(&shell, audience);
    let running = Running {
        jobs: H::jobs(&state, &host),
        app: assemble::<H>(state, &host, &http),
        policy: serve_policy(&shell, tls, &http),
        backups: Schedule::start::<H>(&shell, http.metrics.as_ref().map(Metrics::backups).unwrap_or_default())?,
        signals: StopSignals::listen()?,
        listener,
        metrics_listener,
        http,
        accounts,
        db,
    };
    announce(running.listener.local_addr()?, &running.db);
    running.until_stopped().await;
    Ok(Finding::InOrder)
}

fn http_settings<H: Host>(shell: &ShellSettings, audience: Audience) -> HttpSettings {
    let telemetry = &shell.telemetry;
    let counts = telemetry.metrics_listen.is_some() || telemetry.metrics_token.is_some();
    HttpSettings {
        policy: shell.http_policy(),
        request_time_max: Duration::from_secs(shell.request_timeout_seconds.into()),
        draining: Draining::default(),
        audience,
        hsts: shell.browsers.hsts(),
        cross_origins: shell.browsers.cors_origins.clone().unwrap_or_default(),
        metrics: counts.then(Metrics::new::<H>),
        metrics_token: telemetry.metrics_token.clone(),
        traces: telemetry.otel_exporter_otlp_endpoint.is_some().then_some(telemetry.traceparent_from),
    }
}

fn serve_policy(shell: &ShellSettings, tls: Option<Tls>, http: &HttpSettings) -> ServePolicy {
    ServePolicy {
        connections_max: shell.connections_max,
        shutdown_delay: Duration::from_secs(shell.shutdown_delay_seconds.into()),
        shutdown_max: Duration::from_secs(shell.shutdown_timeout_seconds.into()),
        head_time_max: Duration::from_secs(shell.head_timeout_seconds.into()),
        idle_max: http.request_time_max + IDLE_BEYOND_REQUEST,
        tls,
        connection_counters: http.metrics.as_ref().map(Metrics::connection_counters).unwrap_or_default(),
    }
}

/// Returns the URL of the site. For `dev` it has the actual port, which the system may have chosen.
fn site_url(shell: &ShellSettings, audience: Audience, address: SocketAddr) -> Result<SiteUrl, Failure> {
    match (audience, &shell.frontend_url) {
        (_, Some(site_url)) => Ok(site_url.clone()),
        (Audience::Developer, None) => Ok(shell.local_url(address.port())),
        (Audience::Public, None) => Err(Failure("FRONTEND_URL is not set".to_owned())),
    }
}

/// Like `TcpListener::bind`, but with a backlog for bursts of connections: a client that finds it full retries only
/// after a second or more.
fn bind(address: SocketAddr, connections_max: u32) -> io::Result<TcpListener> {
    const BACKLOG_MIN: u32 = 1_024;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(connections_max.max(BACKLOG_MIN))
}

/// Disables core dumps, which would contain `SECRET_KEY` and the passwords of current logins.
pub(super) fn write_no_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        print_error(&format!("warning: core dumps cannot be disabled: {error}"));
    }
}

/// Raises the limit on open files: each connection takes a file descriptor, and so do the database and the log. The
/// usual limit of 1024 is a soft one, which a process may raise.
fn raise_file_limit(connections_max: u32) {
    const BESIDE_CONNECTIONS: u64 = 256;
    let wanted = u64::from(connections_max) + BESIDE_CONNECTIONS;
    let mut limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    limit.current = Some(limit.maximum.map_or(wanted, |maximum| maximum.min(wanted)));
    let raised = rustix::process::setrlimit(Resource::Nofile, limit).is_ok();
    if !raised || limit.current.is_some_and(|current| current < wanted) {
        warn!(wanted, "the limit on open files is below what CONNECTIONS_MAX needs; raise it, or lower the setting");
    }
}

fn listen<H: Host>(shell: &ShellSettings) -> Result<TcpListener, Failure> {
    let address = SocketAddr::new(shell.host, shell.port);
    bind(address, shell.connections_max).map_err(|error| {
        Failure(match error.kind() {
            ErrorKind::AddrInUse => format!(
                "port {port} is in use, perhaps by another {name}; stop that one, or choose another port: PORT={other} {name} …",
                port = shell.port,
                name = H::NAME,
                other = shell.port.wrapping_add(1).max(1024),
            ),
            ErrorKind::PermissionDenied => {
                format!("port {} requires administrator rights; set PORT to 1024 or above", shell.port)
            }
            _ => format!("cannot listen on {address}: {error}; check HOST"),
        })
    })
}

fn listen_for_metrics(address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = bind(address, 0)
        .map_err(|error| Failure(format!("cannot listen on {address}: {error}; check METRICS_LISTEN")))?;
    info!(address = %listener.local_addr()?, path = metrics::PATH, "metrics are served");
    Ok(listener)
}

async fn open<H: Host>(shell: &ShellSettings, schema: Schema) -> Result<Db, Failure> {
    match schema {
        Schema::MustBeCurrent => refuse_missing::<H>(&shell.database_url)?,
        Schema::IsBroughtUpToDate => create_private_file(&shell.database_url)?,
    }
    let mut policy = PoolPolicy::default();
    policy.connections_max = shell.database_connections_max;
    let db = connect(&shell.database_url, &policy).await?;
    if schema == Schema::IsBroughtUpToDate {
        for applied in schema::bring_up_to_date::<H>(&db).await? {
            info!(set = applied.set, version = applied.step.version, name = applied.step.name, "migrated");
        }
    }
    if schema::check::<H>(&db).await? == Usable::Expanded {
        schema::tell_of_expansion();
    }
    Ok(db)
}

/// Returns the secret key of `dev`, and creates it on first start.
///
/// The key is written to a temporary file and hard-linked to its name. If two processes start together, one link
/// succeeds, both read that key, and neither reads a partial file.
fn kept_secret_key(folder: &Path) -> Result<SecretKey, Failure> {
    let path = folder.join("secret_key");
    if !path.exists() {
        let draft = folder.join(format!("secret_key.{}.new", std::process::id()));
        let linked = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| {
                writeln!(file, "{}", generate_secret_key().expose())?;
                file.sync_all()
            })
            .and_then(|()| fs::hard_link(&draft, &path));
        let _ = fs::remove_file(&draft);
        linked.or_else(|error| match error.kind() {
            ErrorKind::AlreadyExists => Ok(()),
            _ => Err(access_error(&format!("the file {} cannot be made", path.display()), &path, &error)),
        })?;
    }
    let text = fs::read_to_string(&path)
        .map_err(|error| access_error(&format!("the file {} cannot be read", path.display()), &path, &error))?;
    SecretKey::parse(text.trim().to_owned())
        .map_err(|weak| Failure(format!("{}: {weak}; delete the file to generate a new one", path.display())))
}

fn banner<H: Host>(site: &str, db: &Db, url: &DatabaseUrl, transport: &MailTransport) {
    let data = fs::canonicalize(DEV_FOLDER).unwrap_or_else(|_| DEV_FOLDER.into());
    let mail = match transport {
        MailTransport::Smtp(smtp) => format!("sent by {}:{}", smtp.server, smtp.port),
        _ => format!("{site}/dev/mail"),
    };
    telemetry::flush();
    say(format_args!(
        "\n  {name} {version} is running, for this machine only\n\n\
         \x20   Site       {site}\n\
         \x20   API        {site}/docs\n\
         \x20   Mail       {mail}\n\
         \x20   Data       {data}\n\
         \x20   Database   {kind}, {url}\n\n\
         \x20 Press Ctrl+C to stop. Use `{name} serve` for the public.\n",
        name = H::NAME,
        version = H::VERSION,
        data = data.display(),
        kind = db.kind(),
    ));
}

//! The settings of an operator: names, accepted values and defaults.
//!
//! Three tiers: the environment, then `.env` in the working directory, then defaults, from the library's `Config` if it
//! has them. `docs/settings.md` is generated from the doc comments of [`ShellSettings`].

mod accounts;
mod backups;
mod browsers;
mod limits;
mod load;
mod mail;
mod media;
mod names;
mod reference;
mod report;
mod sources;
mod telemetry;
mod values;

pub use backups::{BackupDestination, BackupSettings, Recipients};
pub use browsers::{BrowserSettings, HstsDays};
pub use limits::LimitSettings;
pub use mail::{MailServer, MailSettings};
pub use reference::settings_reference;
pub use telemetry::{OtlpHeaders, TelemetrySettings};
pub use values::{LogFilter, LogFormat, MediaDelivery, Networks, SecretKeys, SecretText, chosen, switch, whole_number};

pub(crate) use backups::{object, recipient};
pub(crate) use load::{Loaded, Purpose, Settings, load};
pub(crate) use report::Report;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use countersign::config::{
    Blocklist, ChallengePolicy, ChallengeWhen, HashParameters, HashingPolicy, HttpPolicy, LinkPolicy, LoginBy,
    MediaPolicy, PasswordPolicy, RecoveryPolicy, RegistrationMode, RegistrationPolicy, SecretKey, SessionPolicy,
    SiteUrl,
};
use countersign::model::{ForwardedHeader, ProxyPolicy, SigningAlgorithm};
use countersign_db::{DatabaseUrl, Pooler};
use values::{base_url, bucket_name, days, minutes, parse_media_delivery, seconds, secret_text, text};

/// The settings that every host application has.
#[derive(conf::Conf)]
pub struct ShellSettings {
    /// The key that signs access tokens: at least 32 bytes, preferably 64 hexadecimal digits from the `secret` command.
    /// `serve` does not start without it; `dev` generates its own. Anyone who knows it can log in as any user.
    #[conf(env, secret, value_parser = values::secret_key)]
    pub secret_key: Option<SecretKey>,

    /// Other values of `SECRET_KEY`, separated by commas: earlier ones, and the next one while it is rolled out to all
    /// instances. Tokens signed with them stay valid and data encrypted under them stays readable, so replacing the key
    /// logs nobody out. `keys reseal` re-encrypts the data; remove an earlier value once its sessions have expired.
    #[conf(env, secret, value_parser = values::secret_keys)]
    pub secret_key_previous: Option<SecretKeys>,

    /// The credential of services that introspect tokens at `/api/users/token/introspect`, sent as a bearer token or as
    /// the password of HTTP Basic: at least 32 bytes, generated like `SECRET_KEY`. Without it the endpoint refuses all
    /// requests.
    #[conf(env, secret, value_parser = values::secret_key)]
    pub introspection_secret: Option<SecretKey>,

    /// The database: `sqlite:path/to/file.db` or `postgres://user:password@host:5432/database`.
    #[conf(env, secret, default_value = "sqlite:data/countersign.db")]
    pub database_url: DatabaseUrl,

    /// The pooler between this program and PostgreSQL. `session`: none, or one in session mode. `transaction`: one in
    /// transaction mode, such as PgBouncer; `pgbouncer=true` in `DATABASE_URL` means the same. `serve` does not start
    /// if it detects a transaction-mode pooler while this is `session`.
    #[conf(env, default_value = "session", value_parser = parse_pooler)]
    pub database_pooler: Pooler,

    /// Maximum number of database connections: PostgreSQL connections, or SQLite readers in addition to the single
    /// writer.
    #[conf(env, default_value = "10", value_parser = whole_number(1..=1000))]
    pub database_connections_max: u32,

    /// Whether `serve` migrates an older schema when it starts. If several instances start together, one migrates and
    /// the others wait.
    #[conf(parameter, env, default_value = "false", value_parser = switch)]
    pub migrate_on_start: bool,

    /// The address to listen on. `127.0.0.1` accepts connections from this machine only, which is right behind a proxy
    /// on the same machine; `0.0.0.0` accepts them on every network interface.
    #[conf(env, default_value = "127.0.0.1", value_parser = ip_address)]
    pub host: IpAddr,

    /// The port to listen on. `0` lets the system choose one.
    #[conf(env, default_value = "8000", value_parser = whole_number(0..=65535))]
    pub port: u16,

    /// The TLS certificate, if no proxy in front ends TLS: a PEM file with the certificate first, then its intermediate
    /// certificates. With it the port accepts only HTTPS (TLS 1.2 and 1.3). A renewed certificate is loaded within
    /// seconds, without a restart.
    #[conf(env)]
    pub tls_cert_file: Option<PathBuf>,

    /// The private key of that certificate: a PEM file without a passphrase.
    #[conf(env)]
    pub tls_key_file: Option<PathBuf>,

    /// The public URL of the site: scheme and host, and the port if it is not the scheme's default. `serve` requires
    /// it, because links in mails begin with it. With `http`, browsers keep sessions only on this machine.
    #[conf(env, default_help_str = "with `dev`, the address it listens on")]
    pub frontend_url: Option<SiteUrl>,

    /// Cross-origin access and HSTS.
    #[conf(flatten)]
    pub browsers: BrowserSettings,

    /// The `iss` claim of access tokens. Tokens of another issuer are refused, so changing it logs everybody out.
    #[conf(env, value_parser = text, default_help_str = "the value of FRONTEND_URL")]
    pub issuer: Option<String>,

    /// The `aud` claim of access tokens, usually the URL of the API that accepts them. This server refuses tokens for
    /// another audience, so clients have to refresh theirs after a change. It still accepts tokens without the claim,
    /// which earlier versions issued, and tokens whose audience is the issuer.
    #[conf(env, value_parser = text, default_help_str = "the issuer with `EdDSA`, `ES256` and `RS256`; none with `HS256`")]
    pub audience: Option<String>,

    /// The signature algorithm of access tokens: `HS256` with `SECRET_KEY` itself, or `EdDSA`, `ES256` or `RS256` with
    /// keys that are generated and kept in the database, so that other services can verify tokens with
    /// `/.well-known/jwks.json`. Changing it logs nobody out.
    #[conf(env, default, value_parser = parse_algorithm)]
    pub algorithm: SigningAlgorithm,

    /// Lifetime of an access token, in minutes.
    #[conf(env, default(minutes(SessionPolicy::default().access_token_ttl)), value_parser = whole_number(1..=1440))]
    pub access_token_expire_minutes: u32,

    /// Maximum lifetime of a session, in days, however often it is used. The user then has to log in again.
    #[conf(env, default(days(SessionPolicy::default().ttl)), value_parser = whole_number(1..=3650))]
    pub session_days: u32,

    /// Maximum idle time of a session, in days.
    #[conf(env, default(days(SessionPolicy::default().idle_ttl)), value_parser = whole_number(1..=3650))]
    pub session_idle_days: u32,

    /// Maximum lifetime of a session whose user did not choose to stay logged in, in minutes. Its cookie is a session
    /// cookie: browsers drop it when they close, unless they restore the previous tabs.
    #[conf(env, default(minutes(SessionPolicy::default().brief_ttl)), value_parser = whole_number(1..=10_080))]
    pub session_brief_minutes: u32,

    /// How long a refresh token may be presented again after it was exchanged, in seconds, for lost responses and
    /// second tabs. Later reuse ends the session, because the token may have been stolen.
    #[conf(env, default(seconds(SessionPolicy::default().refresh_replay_window)), value_parser = whole_number(0..=600))]
    pub refresh_replay_seconds: u32,

    /// Whether sessions are cached in memory, so that authenticated requests need no database query: `on` or `off`. A
    /// session that one instance ends is evicted from the others within a second.
    #[conf(parameter, env, default_value = "on", value_parser = switch)]
    pub session_cache: bool,

    /// How long the user may change the e-mail address or delete the account after giving the password, in minutes.
    #[conf(env, default(minutes(SessionPolicy::default().reauthentication_ttl)), value_parser = whole_number(1..=1440))]
    pub reauthentication_minutes: u32,

    /// Who may register. `open`: anyone, with immediate access; the response reveals whether an address has an account.
    /// `verified`: anyone who confirms the address by mail; the response is the same for every address. `invite`:
    /// anyone with an invitation, which the `invite` command creates. `closed`: nobody. In all modes but `open`, a
    /// changed e-mail address must be confirmed.
    #[conf(env, default(RegistrationPolicy::default().mode), value_parser = parse_registration)]
    pub registration: RegistrationMode,

    /// Lifetime of verification links, in minutes.
    #[conf(
        env,
        default(minutes(RegistrationPolicy::default().verification_ttl)),
        value_parser = whole_number(5..=43_200)
    )]
    pub verify_token_expire_minutes: u32,

    /// Lifetime of password reset links, in minutes.
    #[conf(env, default(minutes(RecoveryPolicy::default().reset_ttl)), value_parser = whole_number(1..=1440))]
    pub reset_token_expire_minutes: u32,

    /// How long a changed e-mail address can be undone from the old one, in days.
    #[conf(env, default(days(RecoveryPolicy::default().email_undo_ttl)), value_parser = whole_number(1..=90))]
    pub email_undo_days: u32,

    /// The page that confirms an e-mail address, if it is not this site's own. Links in mails add the token as the
    /// parameter `token`. The page must not act until the user presses a button, because mail scanners open links.
    #[conf(env, default(LinkPolicy::default().verify_email), value_parser = values::page)]
    pub verify_email_url: String,

    /// The page that sets a new password, if it is not this site's own. The rules of `VERIFY_EMAIL_URL` apply.
    #[conf(env, default(LinkPolicy::default().reset_password), value_parser = values::page)]
    pub reset_password_url: String,

    /// The page that undoes an e-mail change, if it is not this site's own. The rules of `VERIFY_EMAIL_URL` apply.
    #[conf(env, default(LinkPolicy::default().undo_email_change), value_parser = values::page)]
    pub undo_email_change_url: String,

    /// Accepted login identifiers: `email` or `email_or_username`. Usernames are public, so accepting them makes
    /// guessing easier.
    #[conf(env, default, value_parser = parse_login_by)]
    pub login_by: LoginBy,

    /// Whether the most common passwords are rejected: `on` or `off`.
    #[conf(env, default(PasswordPolicy::default().blocklist), value_parser = blocklist)]
    pub password_blocklist: Blocklist,

    /// When registration and password reset requests require a proof of work, which makes mass requests expensive:
    /// `off`, `under_load` (while more passwords than usual wait to be hashed) or `always`. Pages solve it with a
    /// script; API clients must implement it.
    #[conf(env, default(ChallengePolicy::default().when), value_parser = parse_challenge)]
    pub challenge: ChallengeWhen,

    /// Difficulty of the proof of work: 2 to this power of hashes on average. 18 takes a phone half a second.
    #[conf(env, default(ChallengePolicy::default().bits), value_parser = whole_number(8..=24))]
    pub challenge_bits: u8,

    /// Memory per password hash, in KiB. More makes guessing stolen hashes more expensive, and each login too. Existing
    /// hashes are upgraded at the user's next login.
    #[conf(env, default(HashParameters::default().memory_kib()), value_parser = whole_number(19456..=262_144))]
    pub argon2_memory_kib: u32,

    /// Number of passes over that memory.
    #[conf(env, default(HashParameters::default().iterations()), value_parser = whole_number(1..=16))]
    pub argon2_iterations: u32,

    /// Number of lanes that the memory is divided into.
    #[conf(env, default(HashParameters::default().lanes()), value_parser = whole_number(1..=16))]
    pub argon2_lanes: u32,

    /// Number of threads that hash passwords. Each allocates `ARGON2_MEMORY_KIB`, or four times that with one lane,
    /// because it then computes up to four hashes together. They run at a lower priority than the threads that answer
    /// requests.
    #[conf(env, value_parser = whole_number(ONE..=THREADS_MAX), default_help_str = "the number of cores")]
    pub hashing_threads: Option<NonZeroUsize>,

    /// Maximum memory for hashing, in bytes. If it is too small for all threads, fewer threads run. Memory that the
    /// threads do not need is used for imported hashes with higher costs.
    #[conf(
        env,
        value_parser = whole_number(1_048_576..=1_099_511_627_776),
        default_help_str = "what the threads need plus 256 MiB, at most half of the memory of the machine or container"
    )]
    pub hashing_memory_bytes_max: Option<u64>,

    /// Maximum number of logins and registrations that wait to be hashed. When the queue is full, requests from the
    /// address with the most waiting get 503.
    #[conf(env, default(HashingPolicy::default().queue_max), value_parser = whole_number(1..=100_000))]
    pub hashing_queue_max: usize,

    /// How long a login or registration waits to be hashed before it gets 503, in seconds.
    #[conf(env, default(seconds(HashingPolicy::default().wait_max)), value_parser = whole_number(1..=300))]
    pub hashing_wait_seconds_max: u32,

    /// Rate limits.
    #[conf(flatten)]
    pub limits: LimitSettings,

    /// Sending mail, and its templates.
    #[conf(flatten)]
    pub mail: MailSettings,

    /// The proxies in front, as addresses or networks separated by commas, such as `127.0.0.1,10.0.0.0/8`. Only these
    /// may state the client's address; without them it is the address of the TCP peer.
    #[conf(env, value_parser = values::networks)]
    pub trusted_proxies: Option<Networks>,

    /// The one header in which the proxies state it: `x-forwarded-for` or `forwarded`. The proxy must set it or append
    /// to it, because a client can send it too; the other header is ignored.
    #[conf(env, default(ProxyPolicy::default().header), value_parser = parse_proxy_header)]
    pub proxy_header: ForwardedHeader,

    /// Maximum size of a request body, in bytes.
    #[conf(env, default(HttpPolicy::default().body_bytes_max), value_parser = whole_number(4096..=16_777_216))]
    pub body_bytes_max: usize,

    /// Maximum size of an uploaded profile picture, in bytes.
    #[conf(env, default(MediaPolicy::default().upload_bytes_max), value_parser = whole_number(65_536..=33_554_432))]
    pub max_upload_size_bytes: usize,

    /// The folder of profile pictures, unless `S3_BUCKET_NAME` is set. It is created with the first picture.
    #[conf(env, default_value = "data/media")]
    pub media_dir: PathBuf,

    /// How browsers get profile pictures: `served` by this program, `direct` from a publicly readable bucket, or
    /// `presigned` from the bucket, with URLs that are valid for ten minutes. Pictures in a folder are always served.
    #[conf(env, value_parser = parse_media_delivery, default_help_str = "`direct` with a bucket, `served` without")]
    pub media_delivery: Option<MediaDelivery>,

    /// Another base URL for profile pictures, such as a CDN: the part before `/profile_pics`.
    #[conf(env, value_parser = base_url)]
    pub media_url: Option<String>,

    /// The bucket for profile pictures, on Amazon S3 or an S3-compatible server. Without it they are in `MEDIA_DIR`.
    #[conf(env, value_parser = bucket_name)]
    pub s3_bucket_name: Option<String>,

    /// The region of the bucket.
    #[conf(env, default_value = "us-east-1", value_parser = text)]
    pub s3_region: String,

    /// The access key for the bucket. Without it, the credentials of the machine's IAM role are used.
    #[conf(env, secret, value_parser = secret_text)]
    pub s3_access_key_id: Option<SecretText>,

    /// The secret access key that belongs to `S3_ACCESS_KEY_ID`.
    #[conf(env, secret, value_parser = secret_text)]
    pub s3_secret_access_key: Option<SecretText>,

    /// The S3-compatible server, if it is not Amazon's: scheme, host and port.
    #[conf(env, value_parser = base_url)]
    pub s3_endpoint_url: Option<String>,

    /// Whether the bucket name is in the path of its URLs (`true`) or in the host name (`false`).
    #[conf(parameter, env, value_parser = switch, default_help_str = "`true` with `S3_ENDPOINT_URL`, `false` without")]
    pub s3_path_style: Option<bool>,

    /// Scheduled backups.
    #[conf(flatten)]
    pub backups: BackupSettings,

    /// How long a client may take to send the head of a request, in seconds, measured from connecting or from its
    /// previous request. The connection is then closed.
    #[conf(env, default_value = "15", value_parser = whole_number(1..=120))]
    pub head_timeout_seconds: u32,

    /// How long a request may take before it gets 503, in seconds.
    #[conf(env, default_value = "30", value_parser = whole_number(1..=600))]
    pub request_timeout_seconds: u32,

    /// How long the server still accepts connections and requests after SIGTERM or SIGINT, in seconds. Meanwhile
    /// `/ready` answers 503 and every response closes its connection. Behind a proxy, choose more than its health check
    /// interval and more than its keep-alive time for idle connections.
    #[conf(env, default_value = "0", value_parser = whole_number(0..=600))]
    pub shutdown_delay_seconds: u32,

    /// How long requests in progress may take to finish after that, in seconds.
    #[conf(env, default_value = "10", value_parser = whole_number(0..=600))]
    pub shutdown_timeout_seconds: u32,

    /// Maximum number of open connections. For a new one, the server evicts the connections that have been idle
    /// longest; new connections wait only while every open one awaits a response. Each needs an open file; the limit on
    /// open files is raised at start as far as the system allows.
    #[conf(env, default_value = "2000", value_parser = whole_number(1..=100_000))]
    pub connections_max: u32,

    /// The log level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module such as `info,countersign=debug`.
    /// No level logs secrets, passwords, tokens or e-mail addresses.
    #[conf(env, default_value = "info")]
    pub log: LogFilter,

    /// The log format: `human` or `json`.
    #[conf(env, default_help_str = "`human` for `dev`, `json` for `serve`")]
    pub log_format: Option<LogFormat>,

    /// Metrics and traces.
    #[conf(flatten)]
    pub telemetry: TelemetrySettings,
}

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const THREADS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

fn ip_address(text: &str) -> Result<IpAddr, &'static str> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| "expected an IP address such as 127.0.0.1, 0.0.0.0 or ::1"),
    }
}

fn parse_algorithm(text: &str) -> Result<SigningAlgorithm, String> {
    use SigningAlgorithm::{EdDsa, Es256, Hs256, Rs256};
    chosen(text, &[Hs256, EdDsa, Es256, Rs256].map(|algorithm| (algorithm.as_str(), algorithm)))
}

fn parse_login_by(text: &str) -> Result<LoginBy, String> {
    use LoginBy::{Email, EmailOrUsername};
    chosen(text, &[Email, EmailOrUsername].map(|login_by| (login_by.as_str(), login_by)))
}

fn parse_challenge(text: &str) -> Result<ChallengeWhen, String> {
    use ChallengeWhen::{Always, Off, UnderLoad};
    chosen(text, &[Off, UnderLoad, Always].map(|when| (when.as_str(), when)))
}

fn parse_proxy_header(text: &str) -> Result<ForwardedHeader, String> {
    use ForwardedHeader::{Forwarded, XForwardedFor};
    chosen(text, &[XForwardedFor, Forwarded].map(|header| (header.as_str(), header)))
}

fn parse_pooler(text: &str) -> Result<Pooler, String> {
    use Pooler::{Session, Transaction};
    chosen(text, &[("session", Session), ("transaction", Transaction)])
}

fn parse_registration(text: &str) -> Result<RegistrationMode, String> {
    use RegistrationMode::{Closed, Invite, Open, Verified};
    chosen(text, &[Open, Verified, Invite, Closed].map(|mode| (mode.as_str(), mode)))
}

fn blocklist(text: &str) -> Result<Blocklist, String> {
    chosen(text, &[Blocklist::Common, Blocklist::Off].map(|blocklist| (blocklist.as_str(), blocklist)))
}

//! What an operator may set, what is accepted, and what holds otherwise.
//!
//! Three tiers: the environment, over `.env` in the working directory, over the defaults here. The doc comments of
//! [`ShellSettings`] are the manual: `docs/settings.md` is made of them. A default that the library has too is taken from
//! the section of its `Config`, and a test compares what cannot be: switches and folders.

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

pub use backups::{BackupSettings, BackupShelf, Recipients};
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

/// What can be set for every host application.
#[derive(conf::Conf)]
pub struct ShellSettings {
    /// The key that signs access tokens: at least 32 bytes, best 64 hexadecimal digits from the `secret` command. `serve`
    /// does not start without it; `dev` makes one of its own. Whoever knows it can log in as anybody.
    #[conf(env, secret, value_parser = values::secret_key)]
    pub secret_key: Option<SecretKey>,

    /// Other values of `SECRET_KEY`, separated by commas: earlier ones, and the next one while instances are being told of
    /// it. What they signed is valid and what they sealed can be opened, so that replacing the key logs nobody out. `keys
    /// reseal` seals anew; leave earlier ones out when their sessions have ended.
    #[conf(env, secret, value_parser = values::secret_keys)]
    pub secret_key_previous: Option<SecretKeys>,

    /// What other services send to ask about tokens at `/api/users/token/introspect`, as their bearer token or as the password of
    /// HTTP Basic: at least 32 bytes, made like `SECRET_KEY`. Without it none may ask.
    #[conf(env, secret, value_parser = values::secret_key)]
    pub introspection_secret: Option<SecretKey>,

    /// The database: `sqlite:path/to/file.db` or `postgres://user:password@host:5432/database`.
    #[conf(env, secret, default_value = "sqlite:data/countersign.db")]
    pub database_url: DatabaseUrl,

    /// What is between this program and PostgreSQL. `session`: nothing, or a pooler in session mode. `transaction`: a pooler such
    /// as PgBouncer in transaction mode, which `pgbouncer=true` in the address says as well. `serve` refuses to start behind one
    /// that it was not told of.
    #[conf(env, default_value = "session", value_parser = parse_pooler)]
    pub database_pooler: Pooler,

    /// How many database connections are kept at the most: PostgreSQL connections, or SQLite readers beside the one writer.
    #[conf(env, default_value = "10", value_parser = whole_number(1..=1000))]
    pub database_connections_max: u32,

    /// Whether `serve` brings an older schema up to date by itself. Of several instances that start together one does it,
    /// the others wait.
    #[conf(parameter, env, default_value = "false", value_parser = switch)]
    pub migrate_on_start: bool,

    /// The address to listen on. `127.0.0.1` is this machine only, which is right behind a proxy on the same machine;
    /// `0.0.0.0` is every network.
    #[conf(env, default_value = "127.0.0.1", value_parser = ip_address)]
    pub host: IpAddr,

    /// The port to listen on; `0` lets the system choose one.
    #[conf(env, default_value = "8000", value_parser = whole_number(0..=65535))]
    pub port: u16,

    /// The certificate that the server shows, where no proxy in front does that: a file in PEM, with those between it and its
    /// authority after it. With it the port speaks HTTPS alone (TLS 1.2 and 1.3). A renewed one is taken up within seconds,
    /// without a restart.
    #[conf(env)]
    pub tls_cert_file: Option<PathBuf>,

    /// The private key of that certificate: a file in PEM, without a passphrase.
    #[conf(env)]
    pub tls_key_file: Option<PathBuf>,

    /// The public address of the site: scheme and host, and the port if it is not the scheme's own. `serve` does not start
    /// without it, because links in mails begin with it. With `http`, browsers keep a session on this machine alone.
    #[conf(env, default_help_str = "for `dev`, where it listens")]
    pub frontend_url: Option<SiteUrl>,

    /// What browsers are told.
    #[conf(flatten)]
    pub browsers: BrowserSettings,

    /// The claim `iss` of access tokens. Tokens of another issuer are refused, so a change logs everybody out.
    #[conf(env, value_parser = text, default_help_str = "the value of FRONTEND_URL")]
    pub issuer: Option<String>,

    /// The claim `aud` of access tokens: whom they are for, usually the address of the API that takes them. This server refuses those
    /// for others, so after a change clients have to refresh theirs; it accepts those without the claim, as earlier versions issued
    /// them, and those for the issuer.
    #[conf(env, value_parser = text, default_help_str = "the issuer with `EdDSA`, `ES256` and `RS256`; none with `HS256`")]
    pub audience: Option<String>,

    /// What signs access tokens: `HS256` with `SECRET_KEY` itself, or `EdDSA`, `ES256` or `RS256` with keys that are made and
    /// kept in the database, so that other services can verify tokens by `/.well-known/jwks.json`. A change logs nobody out.
    #[conf(env, default, value_parser = parse_algorithm)]
    pub algorithm: SigningAlgorithm,

    /// How long an access token is valid, in minutes.
    #[conf(env, default(minutes(SessionPolicy::default().access_token_ttl)), value_parser = whole_number(1..=1440))]
    pub access_token_expire_minutes: u32,

    /// How long a session lasts at the most, in days: however much it is used, then one has to log in again.
    #[conf(env, default(days(SessionPolicy::default().ttl)), value_parser = whole_number(1..=3650))]
    pub session_days: u32,

    /// How long a session lasts that is not used, in days.
    #[conf(env, default(days(SessionPolicy::default().idle_ttl)), value_parser = whole_number(1..=3650))]
    pub session_idle_days: u32,

    /// How long a session lasts at the most whose user did not want to be kept logged in, in minutes. Its cookie ends with the
    /// browser, unless that opens again with what was open before.
    #[conf(env, default(minutes(SessionPolicy::default().brief_ttl)), value_parser = whole_number(1..=10_080))]
    pub session_brief_minutes: u32,

    /// How long a refresh token may be presented again after it was exchanged, in seconds, for the sake of lost answers and
    /// second tabs. Later it ends its session, because somebody else may have it.
    #[conf(env, default(seconds(SessionPolicy::default().refresh_replay_window)), value_parser = whole_number(0..=600))]
    pub refresh_replay_seconds: u32,

    /// Whether sessions are kept in memory, so that their requests need no database: `on` or `off`. What one instance ends,
    /// the others notice within a second.
    #[conf(parameter, env, default_value = "on", value_parser = switch)]
    pub session_cache: bool,

    /// How long after the password was given one may change the e-mail address or delete the account, in minutes.
    #[conf(env, default(minutes(SessionPolicy::default().reauthentication_ttl)), value_parser = whole_number(1..=1440))]
    pub reauthentication_minutes: u32,

    /// Who may register. `open`: anybody, and the account is there at once; the answer tells whether an address has one.
    /// `verified`: anybody who confirms the address by a mail, and the answer is the same for every address. `invite`: anybody
    /// with an invitation, which `invite` makes. `closed`: nobody. Another address has to be confirmed with all but `open`.
    #[conf(env, default(RegistrationPolicy::default().mode), value_parser = parse_registration)]
    pub registration: RegistrationMode,

    /// How long a mail works that asks to confirm an address, in minutes.
    #[conf(
        env,
        default(minutes(RegistrationPolicy::default().verification_ttl)),
        value_parser = whole_number(5..=43_200)
    )]
    pub verify_token_expire_minutes: u32,

    /// How long a mail works that lets a new password be chosen, in minutes.
    #[conf(env, default(minutes(RecoveryPolicy::default().reset_ttl)), value_parser = whole_number(1..=1440))]
    pub reset_token_expire_minutes: u32,

    /// How long a change of the e-mail address can be undone from the old one, in days.
    #[conf(env, default(days(RecoveryPolicy::default().email_undo_ttl)), value_parser = whole_number(1..=90))]
    pub email_undo_days: u32,

    /// The page where an address is confirmed, if it is not this site's own: the mail's secret is added as the parameter
    /// `token`. The page must do nothing before somebody presses a button, because mail scanners open links.
    #[conf(env, default(LinkPolicy::default().verify_email), value_parser = values::page)]
    pub verify_email_url: String,

    /// The page where a new password is chosen, likewise.
    #[conf(env, default(LinkPolicy::default().reset_password), value_parser = values::page)]
    pub reset_password_url: String,

    /// The page where a change of the e-mail address is undone, likewise.
    #[conf(env, default(LinkPolicy::default().undo_email_change), value_parser = values::page)]
    pub undo_email_change_url: String,

    /// What a login takes as the user: `email`, or `email_or_username`. Usernames are public, so the second makes guessing
    /// easier.
    #[conf(env, default, value_parser = parse_login_by)]
    pub login_by: LoginBy,

    /// Whether the most common passwords are refused: `on` or `off`.
    #[conf(env, default(PasswordPolicy::default().blocklist), value_parser = blocklist)]
    pub password_blocklist: Blocklist,

    /// When registering and asking for a new password takes a proof of work, which makes it costly to do either many times:
    /// `off`, `under_load` (while more passwords than usual are waiting to be hashed) or `always`. Pages do the work by
    /// script; clients of the API have to know of it.
    #[conf(env, default(ChallengePolicy::default().when), value_parser = parse_challenge)]
    pub challenge: ChallengeWhen,

    /// How much work that is: 2 to this power of hashes, on average. With 18 it takes a phone half a second.
    #[conf(env, default(ChallengePolicy::default().bits), value_parser = whole_number(8..=24))]
    pub challenge_bits: u8,

    /// Memory for one password hash, in KiB. More makes guessing stolen hashes dearer, and each login too. Existing hashes
    /// are renewed at the next login.
    #[conf(env, default(HashParameters::default().memory_kib()), value_parser = whole_number(19456..=262_144))]
    pub argon2_memory_kib: u32,

    /// Passes over that memory.
    #[conf(env, default(HashParameters::default().iterations()), value_parser = whole_number(1..=16))]
    pub argon2_iterations: u32,

    /// Lanes that the memory is divided into.
    #[conf(env, default(HashParameters::default().lanes()), value_parser = whole_number(1..=16))]
    pub argon2_lanes: u32,

    /// How many threads hash passwords. Each keeps `ARGON2_MEMORY_KIB`, or four times that if there is one lane, because
    /// it then advances up to four hashes together. They give way to threads that answer requests.
    #[conf(env, value_parser = whole_number(ONE..=THREADS_MAX), default_help_str = "the number of cores")]
    pub hashing_threads: Option<NonZeroUsize>,

    /// The memory that hashing may take, in bytes. With less than the threads would need there are fewer of them. What is
    /// left over is for imported hashes of higher costs.
    #[conf(
        env,
        value_parser = whole_number(1_048_576..=1_099_511_627_776),
        default_help_str = "what the threads need and 256 MiB, at most half of what the machine or container has"
    )]
    pub hashing_memory_bytes_max: Option<u64>,

    /// How many logins and registrations may wait to be hashed. When more come, those from the address with the most
    /// waiting are answered with 503.
    #[conf(env, default(HashingPolicy::default().queue_max), value_parser = whole_number(1..=100_000))]
    pub hashing_queue_max: usize,

    /// How long a login or registration waits to be hashed before it is answered with 503, in seconds.
    #[conf(env, default(seconds(HashingPolicy::default().wait_max)), value_parser = whole_number(1..=300))]
    pub hashing_wait_seconds_max: u32,

    /// How often things may be tried.
    #[conf(flatten)]
    pub limits: LimitSettings,

    /// How mail is sent, and in which words.
    #[conf(flatten)]
    pub mail: MailSettings,

    /// The proxies in front, as addresses or networks separated by commas, such as `127.0.0.1,10.0.0.0/8`. What they say about
    /// the client's address is believed; without them it is the address of whoever connects.
    #[conf(env, value_parser = values::networks)]
    pub trusted_proxies: Option<Networks>,

    /// The one header in which they say it: `x-forwarded-for` or `forwarded`. The proxy must set it or add to it, because a
    /// client can send it too; the other header is not read.
    #[conf(env, default(ProxyPolicy::default().header), value_parser = parse_proxy_header)]
    pub proxy_header: ForwardedHeader,

    /// The largest request body, in bytes.
    #[conf(env, default(HttpPolicy::default().body_bytes_max), value_parser = whole_number(4096..=16_777_216))]
    pub body_bytes_max: usize,

    /// The largest file that is taken as a profile picture, in bytes.
    #[conf(env, default(MediaPolicy::default().upload_bytes_max), value_parser = whole_number(65_536..=33_554_432))]
    pub max_upload_size_bytes: usize,

    /// The folder of profile pictures, as long as `S3_BUCKET_NAME` is not set. It is made when the first picture comes.
    #[conf(env, default_value = "data/media")]
    pub media_dir: PathBuf,

    /// How browsers get profile pictures: `served` by this program, `direct` from the bucket, which everybody may read, or
    /// `presigned` from the bucket, by URLs that are valid for ten minutes. From a folder they are always served.
    #[conf(env, value_parser = parse_media_delivery, default_help_str = "`direct` with a bucket, `served` without")]
    pub media_delivery: Option<MediaDelivery>,

    /// Where browsers get profile pictures instead, such as from a CDN: the URL before `/profile_pics`.
    #[conf(env, value_parser = base_url)]
    pub media_url: Option<String>,

    /// The bucket for profile pictures, of Amazon S3 or of anything that speaks its protocol. Without it they are in
    /// `MEDIA_DIR`.
    #[conf(env, value_parser = bucket_name)]
    pub s3_bucket_name: Option<String>,

    /// The region of the bucket.
    #[conf(env, default_value = "us-east-1", value_parser = text)]
    pub s3_region: String,

    /// The access key for the bucket. Without it, the credentials count that a machine at Amazon gets from its role.
    #[conf(env, secret, value_parser = secret_text)]
    pub s3_access_key_id: Option<SecretText>,

    /// The secret of that access key.
    #[conf(env, secret, value_parser = secret_text)]
    pub s3_secret_access_key: Option<SecretText>,

    /// The server of the bucket, if it is not Amazon's: scheme, host and port.
    #[conf(env, value_parser = base_url)]
    pub s3_endpoint_url: Option<String>,

    /// Whether the bucket's name goes into the path of its URLs (`true`) or into the host's name (`false`).
    #[conf(parameter, env, value_parser = switch, default_help_str = "`true` with `S3_ENDPOINT_URL`, `false` without")]
    pub s3_path_style: Option<bool>,

    /// Backups that the server makes by itself.
    #[conf(flatten)]
    pub backups: BackupSettings,

    /// How long a client may take for the head of a request, from connecting or from its previous request, in seconds.
    /// Then it is disconnected.
    #[conf(env, default_value = "15", value_parser = whole_number(1..=120))]
    pub head_timeout_seconds: u32,

    /// How long a request may take before it is answered with 503, in seconds.
    #[conf(env, default_value = "30", value_parser = whole_number(1..=600))]
    pub request_timeout_seconds: u32,

    /// How long connections and requests are still taken after SIGTERM or SIGINT, while `/ready` answers 503 and every answer
    /// ends its connection, in seconds. Behind a proxy: longer than it takes to notice, and than it keeps connections that
    /// it does not use.
    #[conf(env, default_value = "0", value_parser = whole_number(0..=600))]
    pub shutdown_delay_seconds: u32,

    /// How long requests under way may still take after that, in seconds.
    #[conf(env, default_value = "10", value_parser = whole_number(0..=600))]
    pub shutdown_timeout_seconds: u32,

    /// How many clients may be connected at the same time. For further ones those are disconnected that have sent nothing
    /// for longest; only while all of them wait for answers do newcomers wait. Each takes an open file, and the limit on
    /// those is raised at the start as far as the system allows.
    #[conf(env, default_value = "2000", value_parser = whole_number(1..=100_000))]
    pub connections_max: u32,

    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module such as
    /// `info,countersign=debug`. No level shows a secret, a password, a token or an e-mail address.
    #[conf(env, default_value = "info")]
    pub log: LogFilter,

    /// How it is logged: `human` or `json`.
    #[conf(env, default_help_str = "`human` for `dev`, `json` for `serve`")]
    pub log_format: Option<LogFormat>,

    /// Who is told how the program does.
    #[conf(flatten)]
    pub telemetry: TelemetrySettings,
}

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const THREADS_MAX: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");

fn ip_address(text: &str) -> Result<IpAddr, &'static str> {
    match text {
        "localhost" => Ok(IpAddr::from([127, 0, 0, 1])),
        _ => text.parse().map_err(|_| "accepted is an IP address such as 127.0.0.1, 0.0.0.0 or ::1"),
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

//! The commands that every host application has, and their exit codes.

mod backup;
mod copy;
mod doctor;
mod health;
mod host;
mod invite;
mod jobs;
mod keys;
mod mail;
mod man;
mod media;
mod migrate;
mod output;
mod progress;
mod restore;
mod running;
mod secret;
mod settings;
mod start;
mod table;
mod tune;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use age::x25519::Recipient;
use axum::extract::FromRef;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use clap_complete::Shell;
use countersign::Accounts;
use countersign::model::{EmailAddress, InvalidEmailAddress, InvalidLanguage, Language};
use countersign_db::PoolPolicy;

use self::jobs::JobsCommand;
use self::keys::KeysCommand;
use self::mail::MailCommand;
use self::media::MediaCommand;
pub use self::output::say;
use self::output::{explain, print_error, said};
use crate::connect::connect;
use crate::failure::Failure;
use crate::schema::{self, refuse_missing};
use crate::settings::{Loaded, Purpose, Settings, load, recipient};
use crate::{Host, http, telemetry};

#[derive(Parser)]
#[command(
    after_help = "Settings come from the environment, then from .env in the working directory, then from defaults; \
                  `settings` lists them all. Exit status: 0 on success, 1 if the command failed or its output could \
                  not be written, 2 if it was called incorrectly."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::doc_markdown, reason = "help texts are shown as they are written")]
enum Command {
    /// Try it out on this machine without any setup
    ///
    /// Listens on 127.0.0.1:8000, keeps the database and a generated secret in ./data, migrates the schema, and prints
    /// where everything is. Other machines cannot reach it; use `serve` for the public.
    Dev,
    /// Serve the public
    ///
    /// Starts only if everything is in order: a strong SECRET_KEY, FRONTEND_URL and valid settings, and a database
    /// whose schema this program can use. Logs one JSON object per line to standard error. SIGTERM and SIGINT let
    /// requests in progress finish; a second signal exits at once.
    Serve,
    /// Generate a secret key
    ///
    /// Prints 64 hexadecimal digits from the operating system's random source, and nothing else. Use it as SECRET_KEY.
    Secret {
        /// Write it to .env as SECRET_KEY instead of printing it, and add .env to .gitignore
        #[arg(long)]
        write_env: bool,
        /// Replace an existing SECRET_KEY in .env, which logs everybody out
        #[arg(long, requires = "write_env")]
        force: bool,
    },
    /// Show or update the database schema
    Migrate {
        #[command(subcommand)]
        command: MigrateCommand,
    },
    /// Manage the keys that sign access tokens (EdDSA, ES256, RS256)
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Copy profile pictures to another storage, or delete unused ones
    Media {
        #[command(subcommand)]
        command: MediaCommand,
    },
    /// Back up the database and the pictures to one file
    ///
    /// Works while the site runs, and needs no SECRET_KEY. The database is copied as of one moment. The file is a tar
    /// archive with SHA-256 sums of its parts, readable only by its owner; it appears under its name once it is
    /// complete, and replaces an earlier backup. Buckets are accessed with the S3_ settings. PostgreSQL is backed up by
    /// its own tools, such as pg_dump. Exits with status 1 if the storage lacked a picture.
    Backup {
        /// The destination, such as backup.tar or s3://backups/countersign.tar
        #[arg(value_name = "FILE")]
        place: PathBuf,
        /// Encrypt to this public key, which begins with age1; repeatable. Defaults to BACKUP_RECIPIENTS; without any
        /// recipient the backup is not encrypted
        #[arg(long = "recipient", value_name = "KEY", value_parser = parse_recipient)]
        recipients: Vec<Recipient>,
    },
    /// Restore a backup
    ///
    /// Verifies the whole file before it changes anything. The database is restored to DATABASE_URL, the pictures to
    /// MEDIA_DIR or the bucket. Stop the site first.
    Restore {
        /// The backup, such as backup.tar or s3://backups/countersign.tar
        #[arg(value_name = "FILE")]
        place: PathBuf,
        /// The file with the secret key for an encrypted backup
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Replace an existing database, and add to existing pictures
        #[arg(long)]
        force: bool,
    },
    /// Generate a key pair for encrypted backups
    ///
    /// Prints the format of age-keygen: the public key for `backup --recipient` and BACKUP_RECIPIENTS in a comment,
    /// then the secret key for `restore --identity`. The key is not stored; keep it apart from the backups.
    BackupKey,
    /// Copy everything to another database, such as from SQLite to PostgreSQL
    ///
    /// Stop the site first. The target is an empty database; the command creates the schema, copies rows in batches,
    /// then reads all of them back and compares. An interrupted copy resumes when the command is run again; until it is
    /// complete, no site starts on the target. The source is not changed, and pictures are not copied. Other users of
    /// the machine can see the arguments, so leave passwords out of them and use PGPASSWORD or ~/.pgpass. Exits with
    /// status 1 if the databases differ at the end.
    Copy {
        /// The source; defaults to DATABASE_URL
        #[arg(long, value_name = "DATABASE")]
        from: Option<String>,
        /// The target, such as sqlite:data/accounts.db or postgres://user@host:5432/database
        #[arg(long, value_name = "DATABASE")]
        to: String,
    },
    /// List background jobs, such as mails, or retry failed ones
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Create an invitation, for REGISTRATION=invite
    ///
    /// Prints its code and a link to the registration page. The code is not shown again.
    Invite {
        /// The only address that may use it
        #[arg(long, value_parser = parse_address)]
        email: Option<EmailAddress>,
        /// How many users may register with it
        #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        uses: u32,
        /// Lifetime in days
        #[arg(long, default_value = "7", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
    /// Preview the mails, or send a test mail
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Show every setting, its effective value and its source
    ///
    /// Secrets are shown as (set). Exits with status 1 if a setting is invalid, and says why.
    Settings,
    /// Check that everything is ready for `serve`
    ///
    /// Prints one line per check: ok, warn or fail, with a remedy. Exits with status 1 if any check fails.
    Doctor {
        /// Only show the client address of a request from this peer, according to TRUSTED_PROXIES and PROXY_HEADER
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// With --from: a value of the request's proxy header
        #[arg(long, value_name = "VALUE", requires = "from")]
        forwarded: Vec<String>,
    },
    /// Check the health of a running server, for example in a container's health check
    ///
    /// Exits with status 0 if GET /health answers 200 within five seconds. Without a URL it checks the server that
    /// these settings would start on this machine. The certificate is not verified, because the request contains no
    /// secrets.
    Health {
        /// The server's URL, such as https://accounts.example.org; a path, such as …/ready, replaces /health
        #[arg(value_name = "URL", value_parser = health::parse_url)]
        url: Option<axum::http::Uri>,
    },
    /// Measure password hashing on this machine and recommend a setting
    ///
    /// Measures the configured costs and those that RFC 9106 and OWASP recommend: milliseconds per hash, logins per
    /// second at full load, memory. Exits with status 1 if the configured costs are below the recommendations.
    Tune {
        /// Seconds to measure each setting
        #[arg(long, default_value = "2", value_parser = seconds)]
        seconds: f64,
    },
    /// Print the OpenAPI document of the HTTP API as JSON
    Openapi,
    /// Print a script that completes commands and options in a shell
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// The folder to write them to, such as /usr/local/share/man/man1; it must exist
        #[arg(value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Print the name and the version
    Version,
}

#[derive(Subcommand)]
enum MigrateCommand {
    /// List the migrations and whether they are applied; exits with status 1 if the schema is not up to date
    Status,
    /// Apply the pending migrations, all or none
    Up,
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.ok_or("expected a number from 0.1 to 600")
}

fn parse_language(text: &str) -> Result<Language, InvalidLanguage> {
    Language::parse(text)
}

fn parse_recipient(text: &str) -> Result<Recipient, &'static str> {
    recipient(text)
}

fn parse_address(text: &str) -> Result<EmailAddress, InvalidEmailAddress> {
    EmailAddress::parse(text)
}

/// The result of a command that completed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    InOrder,
    NotInOrder,
}

/// A command of the command line, with its arguments.
enum Chosen<C> {
    Shell(Command),
    Host(C),
}

/// Returns the command line under the host's name, with the host's commands after those of the shell.
fn command_line<H: Host>() -> clap::Command {
    // A doc comment on the type of the host's commands would be the text of the whole command line.
    let command_line = H::Commands::augment_subcommands(CommandLine::command()).long_about(None::<&'static str>);
    command_line.name(H::NAME).bin_name(H::NAME).about(H::ABOUT).version(H::VERSION).max_term_width(100)
}

fn choose<H: Host>(matches: &ArgMatches) -> Result<Chosen<H::Commands>, clap::Error> {
    match matches.subcommand_name() {
        Some(name) if !Command::has_subcommand(name) => H::Commands::from_arg_matches(matches).map(Chosen::Host),
        _ => CommandLine::from_arg_matches(matches).map(|command_line| Chosen::Shell(command_line.command)),
    }
}

/// The entire `main` of a host application: parses the command line and runs the command.
pub fn run<H: Host>() -> ExitCode
where
    Accounts: FromRef<H::State>,
{
    let chosen = match command_line::<H>().try_get_matches().and_then(|matches| choose::<H>(&matches)) {
        Ok(chosen) => chosen,
        Err(error) => return explain(&error),
    };
    start::write_no_core_dumps();
    let outcome = match chosen {
        Chosen::Shell(command) => execute::<H>(command),
        Chosen::Host(command) => wait_for(host::run::<H>(command)),
    };
    telemetry::flush();
    match outcome {
        Ok(Finding::InOrder) => said(ExitCode::SUCCESS),
        Ok(Finding::NotInOrder) => said(ExitCode::FAILURE),
        Err(Failure(text)) => {
            print_error(&format!("error: {text}"));
            ExitCode::FAILURE
        }
    }
}

fn execute<H: Host>(command: Command) -> Result<Finding, Failure>
where
    Accounts: FromRef<H::State>,
{
    match command {
        Command::Dev => wait_for(start::dev::<H>()),
        Command::Serve => wait_for(start::serve::<H>()),
        Command::Secret { write_env: false, .. } => {
            say(format_args!("{}", countersign::operator::generate_secret_key().expose()));
            Ok(Finding::InOrder)
        }
        Command::Secret { write_env: true, force } => {
            secret::write_env(if force { secret::Existing::Replace } else { secret::Existing::Keep })
        }
        Command::Migrate { command: MigrateCommand::Status } => wait_for(migrate::status::<H>()),
        Command::Migrate { command: MigrateCommand::Up } => wait_for(migrate::up::<H>()),
        Command::Media { command } => wait_for(media::media::<H>(&command)),
        Command::Backup { place, recipients } => wait_for(backup::back_up::<H>(&place, recipients)),
        Command::Restore { place, identity, force } => {
            let existing = if force { restore::Existing::Replace } else { restore::Existing::Keep };
            wait_for(restore::restore::<H>(&place, identity.as_deref(), existing))
        }
        Command::BackupKey => Ok(backup::print_new_key()),
        Command::Copy { from, to } => wait_for(copy::move_rows::<H>(from.as_deref(), &to)),
        Command::Keys { command } => wait_for(keys::keys::<H>(&command)),
        Command::Jobs { command } => wait_for(jobs::jobs::<H>(command)),
        Command::Invite { email, uses, days } => wait_for(invite::invite::<H>(email, uses, days)),
        Command::Mail { command } => wait_for(mail::mail::<H>(command)),
        Command::Settings => Ok(settings::show::<H>()),
        Command::Doctor { from: Some(peer), forwarded } => doctor::resolve::<H>(peer, &forwarded),
        Command::Doctor { from: None, .. } => wait_for(doctor::examine::<H>()),
        Command::Health { url } => wait_for(health::ask::<H>(url)),
        Command::Tune { seconds } => wait_for(tune::tune::<H>(seconds)),
        Command::Openapi => {
            say(format_args!("{}", http::openapi::<H>().to_pretty_json()?));
            Ok(Finding::InOrder)
        }
        Command::Completion { shell } => Ok(man::print_completion(command_line::<H>(), shell)),
        Command::Man { folder: None } => man::print_page(command_line::<H>()),
        Command::Man { folder: Some(folder) } => man::write_pages(command_line::<H>(), &folder),
        Command::Version => {
            say(format_args!("{} {}", H::NAME, H::VERSION));
            Ok(Finding::InOrder)
        }
    }
}

fn wait_for(command: impl Future<Output = Result<Finding, Failure>>) -> Result<Finding, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// Loads the settings. Prints warnings at once; problems fail the command.
fn settings_for<H: Host>(purpose: Purpose) -> Result<Settings<H>, Failure> {
    let Loaded { settings, warnings, .. } = load::<H>(purpose);
    for warning in warnings {
        print_error(&format!("warning: {warning}"));
    }
    settings.map_err(|report| Failure(report.to_string()))
}

/// Opens the accounts of the configured database, for commands that change or show its contents.
async fn open_accounts<H: Host>(purpose: Purpose) -> Result<Accounts, Failure> {
    let (accounts, _) = open_host::<H>(purpose).await?;
    Ok(accounts)
}

/// Opens the accounts, and returns the host's settings as well.
async fn open_host<H: Host>(purpose: Purpose) -> Result<(Accounts, H::Settings), Failure> {
    let Settings { mail, mut shell, host } = settings_for::<H>(purpose)?;
    let key = shell.secret_key.take().ok_or_else(|| Failure("SECRET_KEY is not set".to_owned()))?;
    refuse_missing::<H>(&shell.database_url)?;
    let db = connect(&shell.database_url, &PoolPolicy::default()).await?;
    schema::check::<H>(&db).await?;
    let mut config = shell.accounts_config(key, shell.site_url(shell.port), mail)?;
    config.hooks = H::hooks(&host);
    Ok((Accounts::new(db, config), host))
}

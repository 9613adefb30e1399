//! The commands that every host application has, and what they answer to their caller.

mod archive;
mod backup;
mod bar;
mod copy;
mod doctor;
mod encryption;
mod health;
mod invite;
mod jobs;
mod keys;
mod mail;
mod media;
mod migrate;
mod output;
mod place;
mod restore;
mod schedule;
mod secret;
mod settings;
mod start;
mod table;
mod tune;
mod workshop;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use age::x25519::Recipient;
use axum::extract::FromRef;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use countersign::Accounts;
use countersign::model::{EmailAddress, InvalidEmailAddress, InvalidLanguage, Language};
use countersign_db::{Db, PoolPolicy};

use self::jobs::JobsCommand;
use self::keys::KeysCommand;
use self::mail::MailCommand;
use self::media::MediaCommand;
use self::output::{complain, explain, said, say};
use crate::schema::{self, refuse_missing};
use crate::settings::{Loaded, Purpose, Settings, load, recipient};
use crate::{Host, http, telemetry};

#[derive(Parser)]
#[command(
    after_help = "Settings come from the environment, then from .env in the working directory, then defaults hold; \
                  `settings` lists them all. A command ends with 0 when it did its work, with 1 when it did not \
                  or what it had to say could not be written, and with 2 when it was called wrongly."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[expect(clippy::doc_markdown, reason = "help texts are shown as they are written")]
enum Command {
    /// Try it out on this machine: nothing to set up
    ///
    /// Listens on 127.0.0.1:8000, keeps the database and a generated secret under ./data, brings the schema up to date, and
    /// says where everything is. Other machines cannot reach it; `serve` is for them.
    Dev,
    /// Serve the public
    ///
    /// Starts only when everything is in order: a strong SECRET_KEY, FRONTEND_URL and valid settings, a database whose schema is
    /// exactly the one this program needs. Logs one JSON object a line to standard error. SIGTERM and SIGINT let requests under way
    /// finish; a second signal ends at once.
    Serve,
    /// Make a secret key
    ///
    /// Prints 64 hexadecimal digits from the operating system's random source, and nothing else. Good for SECRET_KEY.
    Secret {
        /// Put it into .env as SECRET_KEY instead of printing it, and .env into .gitignore
        #[arg(long)]
        write_env: bool,
        /// Replace the SECRET_KEY that .env already has; everybody is logged out
        #[arg(long, requires = "write_env")]
        force: bool,
    },
    /// Show or update the schema of the database
    Migrate {
        #[command(subcommand)]
        command: MigrateCommand,
    },
    /// Look at or change the keys that sign access tokens (EdDSA, ES256, RS256)
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Move profile pictures to another storage, or clear away those that are nobody's
    Media {
        #[command(subcommand)]
        command: MediaCommand,
    },
    /// Write everything into one file: the database as it is at one moment, and the pictures
    ///
    /// Works while the site runs, and needs no SECRET_KEY. The file is a tar archive with a SHA-256 of everything in it, for
    /// your eyes only; it appears under its name when it is complete, in the place of an earlier backup. A bucket is reached by
    /// the S3_ settings. PostgreSQL is backed up by its own tools, such as pg_dump. Ends with 1 when a picture was missing in the
    /// storage.
    Backup {
        /// Where it goes, such as backup.tar or s3://backups/countersign.tar
        #[arg(value_name = "FILE")]
        place: PathBuf,
        /// Encrypt it to this public key, which begins with age1; may be given several times. Otherwise to BACKUP_RECIPIENTS, and
        /// if there are none to nobody
        #[arg(long = "recipient", value_name = "KEY", value_parser = parse_recipient)]
        recipients: Vec<Recipient>,
    },
    /// Put back what `backup` wrote
    ///
    /// Checks all of the file before anything is touched. The database goes to where DATABASE_URL says, the pictures into
    /// MEDIA_DIR or the bucket. Stop the site first.
    Restore {
        /// What `backup` wrote, also as s3://backups/countersign.tar
        #[arg(value_name = "FILE")]
        place: PathBuf,
        /// The file with the key that opens an encrypted backup
        #[arg(long, value_name = "FILE")]
        identity: Option<PathBuf>,
        /// Replace the database that is there, and add to the pictures that are
        #[arg(long)]
        force: bool,
    },
    /// Make a key for encrypted backups
    ///
    /// Prints it as age-keygen does: the public key, which `backup --recipient` and BACKUP_RECIPIENTS take, in a comment, and
    /// below it the secret one, which `restore --identity` needs. It is shown once; keep it where the backups are not.
    BackupKey,
    /// Move everything to another database, such as from SQLite to PostgreSQL
    ///
    /// Stop the site first. The target is an empty database, which gets the schema; rows are written in batches, and in the end
    /// all of them are read back and compared. A copy that was cut off goes on when it is started again; until it is whole, no
    /// site starts on the target. The source is left as it is, and pictures are not touched. Leave passwords out of the
    /// addresses, which other users of the machine can see, and give them in PGPASSWORD or ~/.pgpass. Ends with 1 when the two
    /// databases are not the same in the end.
    Copy {
        /// Where the rows are; DATABASE_URL if left out
        #[arg(long, value_name = "DATABASE")]
        from: Option<String>,
        /// Where they go, such as sqlite:data/accounts.db or postgres://user@host:5432/database
        #[arg(long, value_name = "DATABASE")]
        to: String,
    },
    /// Look at the work that waits, such as mails, or try again what was given up
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },
    /// Make an invitation, for REGISTRATION=invite
    ///
    /// Prints its code and a link to the registration. The code is not shown again.
    Invite {
        /// Only for this address
        #[arg(long, value_parser = parse_address)]
        email: Option<EmailAddress>,
        /// How many may register with it
        #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        uses: u32,
        /// How long it is valid
        #[arg(long, default_value = "7", value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
    },
    /// Look at the mails, or send one to try it
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// Show every setting, its effective value and where it came from
    ///
    /// Secrets are shown as (set). Ends with 1 when a setting cannot be used, and says why.
    Settings,
    /// Check that everything is ready for `serve`
    ///
    /// One line a check: ok, warn or fail, with what to do. Ends with 1 when any fails.
    Doctor {
        /// Only show which address a request counts for that comes from this one, as TRUSTED_PROXIES and PROXY_HEADER have it
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
        /// With --from: the value of the header that it has
        #[arg(long, value_name = "VALUE", requires = "from")]
        forwarded: Vec<String>,
    },
    /// Ask a running server whether it is well, such as for a container's health check
    ///
    /// Ends with 0 if GET /health is answered with 200 within five seconds. Without a URL it asks the server that these settings
    /// would start on this machine. The certificate is not looked at: nothing is sent that is secret.
    Health {
        /// Its address, such as https://accounts.example.org; with a path, such as …/ready, that is asked for
        #[arg(value_name = "URL", value_parser = health::parse_url)]
        url: Option<axum::http::Uri>,
    },
    /// Measure what password hashing costs on this machine, and recommend a setting
    ///
    /// Hashes at the configured costs and at those that RFC 9106 and OWASP recommend: milliseconds a hash, logins a second
    /// at full load, memory. Ends with 1 when the configured costs are below the recommendations.
    Tune {
        /// How long to measure each setting
        #[arg(long, default_value = "2", value_parser = seconds)]
        seconds: f64,
    },
    /// Print the OpenAPI document of the HTTP API as JSON
    Openapi,
}

#[derive(Subcommand)]
enum MigrateCommand {
    /// List the migrations and whether the database has them; ends with 1 when it is not up to date
    Status,
    /// Apply what is missing, all of it or nothing
    Up,
}

fn seconds(text: &str) -> Result<f64, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.1..=600.0).contains(seconds));
    seconds.ok_or("accepted is a number from 0.1 to 600")
}

/// Why a command did not do its work, in words for whoever called it.
struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    /// With the chain of causes: an operator needs the last of them.
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text = format!("{text}: {cause_text}");
            }
            source = cause.source();
        }
        Self(text)
    }
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

/// How a command that did its work found things.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Finding {
    InOrder,
    NotInOrder,
}

/// The whole `main` of a host application: reads the command line and does what it says.
pub fn run<H: Host>() -> ExitCode
where
    Accounts: FromRef<H::State>,
{
    let command_line = CommandLine::command().name(H::NAME).bin_name(H::NAME).about(H::ABOUT).version(H::VERSION);
    let parsed = command_line.try_get_matches().and_then(|matches| CommandLine::from_arg_matches(&matches));
    let command = match parsed {
        Ok(command_line) => command_line.command,
        Err(error) => return explain(&error),
    };
    start::write_no_core_dumps();
    let outcome = execute::<H>(command);
    telemetry::flush();
    match outcome {
        Ok(Finding::InOrder) => said(ExitCode::SUCCESS),
        Ok(Finding::NotInOrder) => said(ExitCode::FAILURE),
        Err(Failure(text)) => {
            complain(&format!("error: {text}"));
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
        Command::BackupKey => Ok(encryption::print_new_key()),
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
    }
}

fn wait_for(command: impl Future<Output = Result<Finding, Failure>>) -> Result<Finding, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}

/// Reads the settings; warnings are complained of at once, problems end the command.
fn settings_for<H: Host>(purpose: Purpose) -> Result<Settings<H>, Failure> {
    let Loaded { settings, warnings, .. } = load::<H>(purpose);
    for warning in warnings {
        complain(&format!("warning: {warning}"));
    }
    settings.map_err(|report| Failure(report.to_string()))
}

/// The accounts of the working directory's settings, for commands that change or show what is in the database.
async fn open_accounts<H: Host>(purpose: Purpose) -> Result<Accounts, Failure> {
    let Settings { mail, mut shell, host } = settings_for::<H>(purpose)?;
    let key = shell.secret_key.take().ok_or_else(|| Failure("SECRET_KEY is not set".to_owned()))?;
    refuse_missing::<H>(&shell.database_url)?;
    let db = Db::connect(&shell.database_url, &PoolPolicy::default()).await?;
    schema::check::<H>(&db).await?;
    let mut config = shell.accounts_config(key, shell.site_url(shell.port), mail)?;
    config.hooks = H::hooks(&host);
    Ok(Accounts::new(db, config))
}

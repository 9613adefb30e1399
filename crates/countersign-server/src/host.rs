//! The types of what a host adds to the shell besides routes: commands and readiness checks.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Timeout, timeout};

use crate::Host;

/// Any error of a host's own code, so that `?` takes every error there.
pub type HostError = Box<dyn Error + Send + Sync>;

/// The commands that a host adds to the command line: an enum that derives [`clap::Subcommand`].
///
/// The help, the completions and the manual pages list them after those of the shell, whose names they cannot have. Print
/// results with [`say`](crate::say).
///
/// ```
/// use countersign_server::clap; // the derived code names the crate
/// use countersign_server::{Host, HostCommands, HostError, say};
///
/// #[derive(clap::Subcommand)]
/// enum Commands {
///     /// Greet somebody
///     Greet {
///         /// Whom to greet
///         name: String,
///     },
/// }
///
/// impl<H: Host> HostCommands<H> for Commands {
///     async fn run(self, _: H::State, _: &H::Settings) -> Result<(), HostError> {
///         let Self::Greet { name } = self;
///         say(format_args!("Hello, {name}!"));
///         Ok(())
///     }
/// }
/// ```
pub trait HostCommands<H: Host>: clap::Subcommand {
    /// Runs the command. Like the shell's commands that change the database's contents, it requires `SECRET_KEY` and a
    /// schema that fits the program. An error is printed with its causes, and the program ends with exit status 1.
    fn run(self, state: H::State, settings: &H::Settings) -> impl Future<Output = Result<(), HostError>>;
}

/// The commands of a host without commands.
#[derive(clap::Subcommand)]
pub enum NoCommands {}

impl<H: Host> HostCommands<H> for NoCommands {
    async fn run(self, _: H::State, _: &H::Settings) -> Result<(), HostError> {
        match self {}
    }
}

/// The maximum duration of a check: as long as a check of the database waits for a connection.
const CHECK_MAX: Duration = Duration::from_secs(5);

type Outcome = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A condition of the host for `GET /ready`, such as a service that it cannot do without.
///
/// It is asked after the shell's own checks, if those are in order, and at most once a second.
pub struct ReadinessCheck {
    name: &'static str,
    check: Box<dyn Fn() -> Outcome + Send + Sync>,
}

impl ReadinessCheck {
    /// Creates a check. Each request calls `check` with a clone of `state`. An error is the reason, which every client can
    /// read, so that it must not contain secrets. A check that takes longer than five seconds has failed.
    pub fn new<S, F, R>(name: &'static str, state: S, check: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(S) -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, check: Box::new(move || Box::pin(check(state.clone()))) }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn begin(&self) -> Timeout<Outcome> {
        timeout(CHECK_MAX, (self.check)())
    }
}

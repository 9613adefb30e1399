//! The commands that a host adds, and the host's state, which they share with `dev` and `serve`.

use countersign::Accounts;

use super::{Failure, Finding, open_host};
use crate::settings::Purpose;
use crate::{Host, HostCommands};

pub(super) async fn run<H: Host>(command: H::Commands) -> Result<Finding, Failure> {
    let (accounts, settings) = open_host::<H>(Purpose::Administer).await?;
    let ended = match create_state::<H>(&accounts, &settings).await {
        Ok(state) => {
            <H::Commands as HostCommands<H>>::run(command, state, &settings).await.map_err(|error| Failure::of(&*error))
        }
        Err(failure) => Err(failure),
    };
    accounts.db().close().await;
    ended.map(|()| Finding::InOrder)
}

/// Creates the host's state; a failure names the host.
pub(super) async fn create_state<H: Host>(accounts: &Accounts, settings: &H::Settings) -> Result<H::State, Failure> {
    H::state(accounts.clone(), settings).await.map_err(|error| {
        let Failure(reason) = Failure::of(&*error);
        Failure(format!("{} cannot start: {reason}", H::NAME))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use countersign::config::HttpPolicy;
    use countersign::testing::TestApp;

    use super::super::{Chosen, Command, choose, command_line};
    use super::*;
    use crate::{HostError, NoSettings, OpenApiRouter};

    struct Library;

    /// Not the text of the command line.
    ///
    /// And this neither.
    #[derive(clap::Subcommand)]
    enum Commands {
        /// Lend a book
        Lend { title: String },
    }

    impl HostCommands<Library> for Commands {
        async fn run(self, _: Accounts, _: &NoSettings) -> Result<(), HostError> {
            Ok(())
        }
    }

    impl Host for Library {
        const NAME: &'static str = "library";
        const ABOUT: &'static str = "Books";
        const VERSION: &'static str = env!("CARGO_PKG_VERSION");

        type Settings = NoSettings;
        type State = Accounts;
        type Commands = Commands;

        async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
            fs::read_to_string("missing/catalogue")?;
            Ok(accounts)
        }

        fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
            countersign::http::routes(http)
        }
    }

    fn chosen(words: &[&str]) -> Chosen<Commands> {
        let matches = command_line::<Library>().try_get_matches_from(words).unwrap();
        choose::<Library>(&matches).unwrap()
    }

    #[test]
    fn the_commands_of_a_host_are_next_to_those_of_the_shell() {
        let help = command_line::<Library>().render_long_help().to_string();
        assert!(help.starts_with("Books\n") && !help.contains("neither"), "{help}");
        assert!(help.find("\n  version ").unwrap() < help.find("\n  lend ").unwrap(), "{help}");
        let own = chosen(&["library", "lend", "Emma"]);
        assert!(matches!(own, Chosen::Host(Commands::Lend { title }) if title == "Emma"));
        assert!(matches!(chosen(&["library", "version"]), Chosen::Shell(Command::Version)));
    }

    #[tokio::test]
    async fn a_host_whose_state_cannot_be_created_is_named() {
        let app = TestApp::start().await;
        let Failure(reason) = create_state::<Library>(app.accounts(), &NoSettings {}).await.err().unwrap();
        assert_eq!(reason, "library cannot start: No such file or directory (os error 2)");
    }
}

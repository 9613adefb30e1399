//! A host application with accounts and nothing else.

use std::process::ExitCode;

use countersign::Accounts;
use countersign::config::HttpPolicy;
use countersign_server::{Host, HostError, NoCommands, NoSettings, OpenApiRouter};

struct AccountsServer;

impl Host for AccountsServer {
    const NAME: &'static str = "countersign";
    const TITLE: &'static str = "Countersign";
    const ABOUT: &'static str = "Accounts for your application: registration, login, tokens and sessions";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    type Settings = NoSettings;
    type State = Accounts;
    type Commands = NoCommands;

    async fn state(accounts: Accounts, _: &NoSettings) -> Result<Accounts, HostError> {
        Ok(accounts)
    }

    fn routes(_: &NoSettings, http: &HttpPolicy) -> OpenApiRouter<Accounts> {
        countersign::http::routes(http)
    }
}

fn main() -> ExitCode {
    countersign_server::run::<AccountsServer>()
}

//! The `keys` commands, for the keys that sign access tokens.

use clap::Subcommand;
use countersign::Accounts;
use countersign::model::SigningKeyState;
use countersign::operator::PUBLISH_AHEAD;
use jiff::SignedDuration;

use super::table::table;
use super::{Failure, Finding, open_accounts, say};
use crate::Host;
use crate::settings::Purpose;

#[derive(Subcommand)]
#[expect(clippy::doc_markdown, reason = "help texts are shown as they are written")]
pub(super) enum KeysCommand {
    /// List the keys in the database
    List,
    /// Generate and publish a new key, and sign with it in ten minutes
    ///
    /// Running instances pick it up without a restart. Tokens of the old key stay valid until they expire; nobody is
    /// logged out.
    Rotate {
        /// Sign with it now; services that cache the public keys refuse its tokens until they refetch them
        #[arg(long)]
        now: bool,
    },
    /// Revoke a leaked key: running instances refuse its tokens within five seconds, or 35 while the database is slow
    Retire {
        /// The key ID, from `list`
        kid: String,
    },
    /// Re-encrypt with SECRET_KEY the keys that are still encrypted with one of SECRET_KEY_PREVIOUS
    Reseal,
}

pub(super) async fn keys<H: Host>(command: &KeysCommand) -> Result<Finding, Failure> {
    let accounts = open_accounts::<H>(Purpose::Administer).await?;
    let finding = match command {
        KeysCommand::List => list(&accounts).await,
        KeysCommand::Rotate { now } => {
            let ahead = if *now { SignedDuration::ZERO } else { PUBLISH_AHEAD };
            let kid = accounts.rotate_signing_key(ahead).await?;
            say(format_args!("{kid} is published, and signs {}", if *now { "from now on" } else { "in ten minutes" }));
            Ok(Finding::InOrder)
        }
        KeysCommand::Retire { kid } => {
            if !accounts.retire_signing_key(kid).await? {
                return Err(Failure(format!("there is no key {kid} in use; `{} keys list` shows them", H::NAME)));
            }
            say(format_args!(
                "{kid} is revoked; running instances refuse its tokens within five seconds, or 35 while the database is slow"
            ));
            Ok(Finding::InOrder)
        }
        KeysCommand::Reseal => {
            let resealed = accounts.reseal_secrets().await?;
            say(format_args!("{resealed} keys were re-encrypted with the current SECRET_KEY"));
            Ok(Finding::InOrder)
        }
    };
    accounts.db().close().await;
    finding
}

async fn list(accounts: &Accounts) -> Result<Finding, Failure> {
    let keys = accounts.list_signing_keys().await?;
    if keys.is_empty() {
        say(format_args!("no keys in the database: {}", no_keys(accounts)));
        return Ok(Finding::InOrder);
    }
    let mut rows = vec![["KID", "ALGORITHM", "STATE", "SIGNS FROM", "CREATED"].map(str::to_owned)];
    rows.extend(keys.into_iter().map(|key| {
        let state = match key.state {
            SigningKeyState::Published => "published",
            SigningKeyState::Signing => "signing",
            SigningKeyState::Superseded => "superseded",
            SigningKeyState::Expired => "expired",
            SigningKeyState::Retired => "retired",
        };
        let instant = |instant: jiff::Timestamp| format!("{instant:.0}");
        [
            key.kid,
            key.algorithm.as_str().to_owned(),
            state.to_owned(),
            instant(key.active_from),
            instant(key.created_at),
        ]
    }));
    say(format_args!("{}", table(&rows)));
    Ok(Finding::InOrder)
}

fn no_keys(accounts: &Accounts) -> &'static str {
    match accounts.config().tokens.signing_algorithm {
        countersign::model::SigningAlgorithm::Hs256 => "HS256 signs with SECRET_KEY itself",
        _ => "the server creates one on its first start",
    }
}

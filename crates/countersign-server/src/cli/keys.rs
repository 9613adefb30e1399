//! Decides how the keys that sign access tokens are looked at and changed from the command line.

use countersign::model::SigningKeyState;
use countersign::{Accounts, PUBLISH_AHEAD};
use countersign_db::{Db, PoolPolicy};
use jiff::SignedDuration;

use super::table::table;
use super::{Failure, Finding, KeysCommand, say, settings_for};
use crate::Host;
use crate::schema::{self, refuse_missing};
use crate::settings::{Purpose, Settings};

pub(super) async fn keys<H: Host>(command: &KeysCommand) -> Result<Finding, Failure> {
    let Settings { mail, mut shell, .. } = settings_for::<H>(Purpose::Serve)?;
    let key = shell.secret_key.take().ok_or_else(|| Failure("SECRET_KEY is not set".to_owned()))?;
    refuse_missing::<H>(&shell.database_url)?;
    let db = Db::connect(&shell.database_url, &PoolPolicy::default()).await?;
    schema::check::<H>(&db).await?;
    let accounts = Accounts::new(db.clone(), shell.accounts_config(key, mail)?);
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
            say(format_args!("{kid} is withdrawn; its tokens are refused from now on"));
            Ok(Finding::InOrder)
        }
        KeysCommand::Reseal => {
            let resealed = accounts.reseal_secrets().await?;
            say(format_args!(
                "{resealed} keys were sealed under an earlier SECRET_KEY, and are now under the present one"
            ));
            Ok(Finding::InOrder)
        }
    };
    db.close().await;
    finding
}

async fn list(accounts: &Accounts) -> Result<Finding, Failure> {
    let keys = accounts.list_signing_keys().await?;
    if keys.is_empty() {
        say(format_args!("no keys are kept in the database: {}", no_keys(accounts)));
        return Ok(Finding::InOrder);
    }
    let mut rows = vec![["KID", "ALGORITHM", "STATE", "SIGNS FROM", "MADE"].map(str::to_owned)];
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
    match accounts.config().signing_algorithm {
        countersign::model::SigningAlgorithm::Hs256 => "HS256 signs with SECRET_KEY itself",
        _ => "the first start of the server makes one",
    }
}

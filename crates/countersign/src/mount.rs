//! All routes of the accounts in one call, for hosts that want all of them.

use axum::Router;

#[cfg(feature = "pages")]
use crate::pages;
use crate::{Accounts, http};

/// Adds all routes of the accounts to the router of a host: the JSON API under `/api`, the pages, their assets, profile pictures
/// and `/.well-known`.
///
/// A host that wants some of them alone, or the API in an OpenAPI document of its own, merges [`http::routes`],
/// [`http::well_known::routes`], [`http::static_files`], [`pages::routes`] and [`pages::assets`].
///
/// Responses of the pages must not be compressed: they hold secrets beside text of the client, so their length would tell about the
/// secrets (BREACH).
///
/// # Panics
/// If the host's router has a route of the same path.
pub fn mount<S>(router: Router<S>, accounts: &Accounts) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let (api, _) = http::routes(&accounts.config().http).merge(http::well_known::routes()).split_for_parts();
    #[cfg(feature = "pages")]
    let api = api.merge(pages::routes()).merge(pages::assets());
    router.merge(api.with_state(accounts.clone())).merge(http::static_files(accounts))
}

//! Extractors for pages: the visitor, their session, and the language and theme they see.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse as _, Response};

use super::next::in_query;
use super::outcome::Redirect;
use super::theme::Theme;
use crate::Accounts;
use crate::catalogue::Argument;
use crate::http::cookie;
use crate::http::current_user::CurrentUser;
use crate::http::problem::Problem;
use crate::http::site::refuse_other_sites;
use crate::model::{ClientInfo, Language, User};
use crate::templates::Value;

/// A person with a browser, logged in or not. Forms that another site submits are rejected, even without a session; requests by
/// another site's scripts are treated as not logged in.
pub struct Visitor {
    /// The session of the cookie, if it is active.
    pub caller: Option<CurrentUser>,
    /// The client's address, user agent and languages.
    pub client: ClientInfo,
    accounts: Accounts,
    theme: Theme,
}

impl<S> FromRequestParts<S> for Visitor
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut visitor = Self::unknown(parts, state).await?;
        visitor.caller = visitor.find_caller(parts).await?;
        Ok(visitor)
    }
}

impl Visitor {
    /// Makes a visitor whose session is not known yet.
    async fn unknown<S>(parts: &mut Parts, state: &S) -> Result<Self, Problem>
    where
        S: Send + Sync,
        Accounts: FromRef<S>,
    {
        let accounts = Accounts::from_ref(state);
        if !parts.method.is_safe() {
            refuse_other_sites(accounts.config(), parts)?;
        }
        let Ok(mut client) = ClientInfo::from_request_parts(parts, state).await;
        let cookies = cookie::Jar::of(accounts.config(), &parts.uri, &parts.headers);
        let here = match parts.extensions.get() {
            Some(FormsOf(page)) if !parts.method.is_safe() => page,
            _ => parts.uri.path_and_query().map_or("/", PathAndQuery::as_str),
        };
        let theme = Theme::of(accounts.config(), cookies, &parts.headers, here);
        if parts.headers.contains_key(COOKIE) {
            // Mails that this visitor causes use the language they chose.
            client.languages = Some(theme.language.to_string());
        }
        Ok(Self { caller: None, client, accounts, theme })
    }

    async fn find_caller(&self, parts: &Parts) -> Result<Option<CurrentUser>, Problem> {
        // Requests by scripts of another site do not count as logged in.
        if refuse_other_sites(self.accounts.config(), parts).is_err() {
            return Ok(None);
        }
        let cookies = cookie::get(self.cookies(), &parts.headers);
        Ok(self.accounts.verify_session_cookies(cookies).await?.map(CurrentUser::from))
    }
}

/// A logged-in visitor. Others are redirected to the login page, which leads back.
///
/// ```
/// use axum::http::StatusCode;
/// use axum::response::Response;
/// use countersign::pages::LoggedIn;
/// use countersign::templates::context;
///
/// async fn notes(LoggedIn { visitor, caller, .. }: LoggedIn) -> Response {
///     visitor.page(StatusCode::OK, "notes.html", context! { owner => caller.user.username.as_str() })
/// }
/// # let _ = axum::Router::<countersign::Accounts>::new().route("/notes", axum::routing::get(notes));
/// ```
#[non_exhaustive]
pub struct LoggedIn {
    /// The visitor.
    pub visitor: Visitor,
    /// The session of the cookie.
    pub caller: CurrentUser,
}

impl<S> FromRequestParts<S> for LoggedIn
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let visitor = Visitor::from_request_parts(parts, state).await.map_err(Problem::into_response)?;
        match visitor.caller.clone() {
            Some(caller) => Ok(Self { visitor, caller }),
            None => Err(Redirect::path(format!("/login?next={}", in_query(&visitor.theme.here))).into_response()),
        }
    }
}

/// A visitor who submits a text that took time to write. Where [`LoggedIn`] would redirect, or an error would be returned, the page
/// can show them their text again.
#[non_exhaustive]
pub struct MaybeLoggedIn {
    /// The visitor.
    pub visitor: Visitor,
    /// The session of the cookie, or why it is unknown.
    pub caller: Result<CurrentUser, NoCaller>,
}

/// Why the caller is unknown.
#[derive(Debug)]
pub enum NoCaller {
    /// Not logged in, or no longer.
    LoggedOut,
    /// Looking up the session failed.
    Problem(Problem),
}

impl<S> FromRequestParts<S> for MaybeLoggedIn
where
    S: Send + Sync,
    Accounts: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let mut visitor = Visitor::unknown(parts, state).await?;
        let caller = match visitor.find_caller(parts).await {
            Ok(caller) => caller.ok_or(NoCaller::LoggedOut),
            Err(problem) => Err(NoCaller::Problem(problem)),
        };
        visitor.caller = caller.as_ref().ok().cloned();
        Ok(Self { visitor, caller })
    }
}

/// The page of forms that are submitted to other paths: it is shown again after an error, and a login leads back to it. A host adds
/// it to such routes with `.layer(Extension(FormsOf("/page")))`.
#[derive(Clone, Copy, Debug)]
pub struct FormsOf(pub &'static str);

impl Visitor {
    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The logged-in user.
    pub fn user(&self) -> Option<&User> {
        self.caller.as_ref().map(|caller| &caller.user)
    }

    /// Returns the text of a key in the visitor's language, with these values for its variables; the key itself if there is no
    /// text.
    pub fn text(&self, key: &str, values: &[(&str, &str)]) -> String {
        let arguments: Vec<_> = values.iter().map(|(name, value)| (*name, Argument::Text(value))).collect();
        let catalogue = self.accounts.config().mail.templates.catalogue();
        catalogue.text(&self.theme.language, key, &arguments).unwrap_or_else(|_| key.to_owned())
    }

    /// The browser's cookies.
    pub(super) fn cookies(&self) -> cookie::Jar {
        self.theme.cookies
    }

    /// The languages of the pages.
    pub(super) fn languages(&self) -> &[Language] {
        self.accounts.config().mail.templates.catalogue().languages()
    }

    /// Renders the page as if at `path`, for forms whose action is not a `GET` page.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.theme.here);
        self
    }

    /// Renders a page from a template, with the values in `own` and those that all pages share.
    pub fn page(&self, status: StatusCode, template: &str, own: Value) -> Response {
        self.theme.page(&self.accounts, self.user(), status, template, own)
    }
}

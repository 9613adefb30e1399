//! Who is looking at a page, and how it is shown to them.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::StatusCode;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse as _, Response};

use super::looks::Looks;
use super::next::in_query;
use super::outcome::To;
use crate::Accounts;
use crate::catalogue::Argument;
use crate::http::cookie;
use crate::http::current_user::CurrentUser;
use crate::http::problem::Problem;
use crate::http::site::refuse_other_sites;
use crate::model::{ClientInfo, Language, User};
use crate::templates::Value;

/// Somebody with a browser. Forms that another site makes it send are refused, also from those who are not logged in; what its
/// scripts fetch is shown as to somebody who is not.
pub struct Visitor {
    /// The session of the cookie, if there is one that goes on.
    pub caller: Option<CurrentUser>,
    /// Where they come from, and which language they read.
    pub client: ClientInfo,
    accounts: Accounts,
    looks: Looks,
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
    /// One of whom it is not yet known whether they are logged in.
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
        let looks = Looks::of(accounts.config(), cookies, &parts.headers, here);
        if parts.headers.contains_key(COOKIE) {
            // Mail that is caused here comes in the language that was chosen here.
            client.languages = Some(looks.language.to_string());
        }
        Ok(Self { caller: None, client, accounts, looks })
    }

    async fn find_caller(&self, parts: &Parts) -> Result<Option<CurrentUser>, Problem> {
        // To what a script of another site fetches, the cookie says nothing.
        if refuse_other_sites(self.accounts.config(), parts).is_err() {
            return Ok(None);
        }
        let cookies = cookie::get(self.cookies(), &parts.headers);
        Ok(self.accounts.verify_session_cookies(cookies).await?.map(CurrentUser::from))
    }
}

/// A visitor who is logged in. Others are sent to log in, and come back from there.
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
            None => Err(To::path(format!("/login?next={}", in_query(&visitor.looks.here))).into_response()),
        }
    }
}

/// A visitor who sends what took time to write. Where [`LoggedIn`] would send them away or an error would be the answer, the page
/// can show it to them again.
pub struct Writer {
    /// The visitor.
    pub visitor: Visitor,
    /// The session of the cookie, or why nothing is known of it.
    pub caller: Result<CurrentUser, NoCaller>,
}

/// Why it is not known who somebody is.
#[derive(Debug)]
pub enum NoCaller {
    /// They are not logged in, or not any more.
    LoggedOut,
    /// Their session could not be looked for.
    Problem(Problem),
}

impl<S> FromRequestParts<S> for Writer
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

/// The page that forms belong to which are sent to paths of their own: it is shown again when something is wrong with them, and
/// led back to after a login. A host adds it to such routes by `.layer(Extension(FormsOf("/page")))`.
#[derive(Clone, Copy, Debug)]
pub struct FormsOf(pub &'static str);

impl Visitor {
    /// The accounts.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// The user who is logged in.
    pub fn user(&self) -> Option<&User> {
        self.caller.as_ref().map(|caller| &caller.user)
    }

    /// The text of a key in the visitor's language, with these values for its variables; the key itself if there is none.
    pub fn text(&self, key: &str, values: &[(&str, &str)]) -> String {
        let arguments: Vec<_> = values.iter().map(|(name, value)| (*name, Argument::Text(value))).collect();
        let catalogue = self.accounts.config().mail.templates.catalogue();
        catalogue.text(&self.looks.language, key, &arguments).unwrap_or_else(|_| key.to_owned())
    }

    /// The cookies of the browser.
    pub(super) fn cookies(&self) -> cookie::Jar {
        self.looks.cookies
    }

    /// The languages that pages can be read in.
    pub(super) fn languages(&self) -> &[Language] {
        self.accounts.config().mail.templates.catalogue().languages()
    }

    /// Has the page be shown as that of another path: one that `GET` leads to, for forms that are sent elsewhere.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.looks.here);
        self
    }

    /// A page, from a template that has `own` beside what all pages have.
    pub fn page(&self, status: StatusCode, template: &str, own: Value) -> Response {
        self.looks.page(&self.accounts, self.user(), status, template, own)
    }
}

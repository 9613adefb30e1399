//! Choosing a language and a theme: both are kept in cookies, which do not identify the visitor.

use axum::response::{IntoResponse as _, Response};

use super::form::{Fault, Form};
use super::next::own_path;
use super::outcome::Redirect;
use super::theme::theme;
use super::visitor::Visitor;
use crate::http::cookie;
use crate::model::Language;

const YEAR_SECONDS: u32 = 365 * 86_400;

pub(super) async fn choose(visitor: Visitor, mut form: Form) -> Response {
    let cookies = visitor.cookies();
    let mut read = |name| form.optional(name, |text| Ok::<_, Fault>(text.to_owned())).flatten();
    let next = read("next");
    let mut to = Redirect::path(next.as_deref().and_then(own_path).unwrap_or("/"));
    let language = read("language").and_then(|tag| Language::parse(&tag).ok());
    if let Some(language) = language.filter(|language| visitor.languages().contains(language)) {
        to = to.cookies(cookie::set_plain(cookies, "language", &language.to_string(), YEAR_SECONDS));
    }
    if let Some(chosen) = read("theme") {
        to = to.cookies(match theme(&chosen) {
            Some(theme) => cookie::set_plain(cookies, "theme", theme, YEAR_SECONDS),
            None => cookie::set_plain(cookies, "theme", "", 0),
        });
    }
    to.into_response()
}

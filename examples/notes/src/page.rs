//! The page of notes. It has the layout, languages and theme of the pages of the accounts.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use countersign::Accounts;
use countersign::clock::{Clock as _, SystemClock};
use countersign::http::problem::Problem;
use countersign::model::{Language, UserId};
use countersign::pages::{Fault, Form, LoggedIn, Redirect, Visitor};
use countersign::templates::{TemplatesBuilder, context};
use countersign_db::DbError;

use crate::store::{self, NoteId};

const TEXT_CHARACTERS_MAX: usize = 1000;

pub(crate) fn templates(ours: TemplatesBuilder) -> TemplatesBuilder {
    let language = |tag: &str| Language::parse(tag).expect("a language tag");
    ours.templates(&[("notes/notes.html", include_str!("../templates/notes.html"))])
        .texts(&language("en"), include_str!("../locales/en.ftl"))
        .texts(&language("de"), include_str!("../locales/de.ftl"))
}

/// Shows the notes; a visitor who is not logged in is sent to the login first.
pub(crate) async fn show(LoggedIn { visitor, caller, .. }: LoggedIn) -> Result<Response, Problem> {
    Ok(page(&visitor, caller.user.id, StatusCode::OK, &Form::empty()).await?)
}

pub(crate) async fn add(
    State(accounts): State<Accounts>,
    LoggedIn { visitor, caller, .. }: LoggedIn,
    mut form: Form,
) -> Result<Response, Problem> {
    let text = form.required("text", |text| match text.trim() {
        "" => Err(Fault("fault-missing")),
        text if text.chars().count() > TEXT_CHARACTERS_MAX => Err(Fault("fault-note-long")),
        text => Ok(text.to_owned()),
    });
    let Some(text) = text else {
        return Ok(page(&visitor, caller.user.id, StatusCode::UNPROCESSABLE_ENTITY, &form).await?);
    };
    save(&accounts, caller.user.id, &text).await?;
    Ok(Redirect::path("/").done(&visitor, "note-added").into_response())
}

async fn save(accounts: &Accounts, user: UserId, text: &str) -> Result<(), DbError> {
    let mut tx = accounts.db().write().await?;
    store::insert(tx.conn(), user, NoteId::new(SystemClock.now()), text).await?;
    tx.commit().await
}

async fn page(visitor: &Visitor, user: UserId, status: StatusCode, form: &Form) -> Result<Response, DbError> {
    let notes = store::list(visitor.accounts().db().read().await?.conn(), user).await?;
    Ok(visitor.page(status, "notes/notes.html", context! { notes => notes, form => form.context() }))
}

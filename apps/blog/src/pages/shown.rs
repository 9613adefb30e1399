//! The template values of posts and their authors.

use countersign::Accounts;
use countersign::model::Profile;
use countersign::pages::{Moment, Visitor, picture_url};
use countersign::templates::{Value, context};

use super::markdown::{Rendered, excerpt, summary, whole as whole_text};
use crate::model::Post;

pub(super) fn author(accounts: &Accounts, profile: &Profile) -> Value {
    context! {
        id => profile.id.to_string(),
        username => profile.username.as_str(),
        picture => picture_url(accounts, profile),
    }
}

/// Returns a post for a list.
pub(super) fn in_list(visitor: &Visitor, post: &Post) -> Value {
    let Rendered { html, cut } = excerpt(&post.content, &table(visitor));
    context! { html => Value::from_safe_string(html.to_string()), cut, ..head(visitor.accounts(), post) }
}

/// Returns a post for its own page.
pub(super) fn whole(visitor: &Visitor, post: &Post) -> Value {
    let html = Value::from_safe_string(whole_text(&post.content, &table(visitor)).html.to_string());
    context! { html, summary => summary(&post.content), ..head(visitor.accounts(), post) }
}

/// Returns the accessible name of tables.
fn table(visitor: &Visitor) -> String {
    visitor.text("blog-table", &[])
}

pub(super) fn head(accounts: &Accounts, post: &Post) -> Value {
    context! {
        id => post.id.to_string(),
        title => post.title.as_str(),
        author => author(accounts, &post.author),
        posted => Value::from(Moment(post.date_posted)),
        edited => post.date_edited.map(|at| Value::from(Moment(at))),
    }
}

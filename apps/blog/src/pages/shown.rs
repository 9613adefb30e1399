//! Decides what templates know of a post and of its author.

use countersign::Accounts;
use countersign::model::Profile;
use countersign::pages::{Moment, picture_url};
use countersign::templates::{Value, context};

use super::markdown::{Below, Excerpt, excerpt, render, summary};
use crate::model::Post;

pub(super) fn author(accounts: &Accounts, profile: &Profile) -> Value {
    context! {
        id => profile.id.to_string(),
        username => profile.username.as_str(),
        picture => picture_url(accounts, profile),
    }
}

/// A post in a list.
pub(super) fn in_list(accounts: &Accounts, post: &Post) -> Value {
    let Excerpt { html, cut } = excerpt(&post.content);
    context! { html => Value::from_safe_string(html.to_string()), cut, ..head(accounts, post) }
}

/// A post on its own page.
pub(super) fn whole(accounts: &Accounts, post: &Post) -> Value {
    let html = Value::from_safe_string(render(&post.content, Below::PageTitle));
    context! { html, summary => summary(&post.content), ..head(accounts, post) }
}

pub(super) fn head(accounts: &Accounts, post: &Post) -> Value {
    context! {
        id => post.id.to_string(),
        title => post.title.as_str(),
        author => author(accounts, &post.author),
        posted => Value::from(Moment(post.date_posted)),
    }
}

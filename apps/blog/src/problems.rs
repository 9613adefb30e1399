//! The blog's own problem kinds.

use countersign::http::problem::ProblemKind;

/// No post has this id.
pub static POST_NOT_FOUND: ProblemKind = ProblemKind {
    code: "post_not_found",
    status: 404,
    title: "Post not found",
    when: "No post has this id; it may have been deleted.",
};

/// The post belongs to somebody else.
pub static NOT_YOUR_POST: ProblemKind = ProblemKind {
    code: "not_your_post",
    status: 403,
    title: "Not authorized to change this post",
    when: "The post was written by somebody else; only its author may change or delete it.",
};

/// All of them.
pub static KINDS: &[&ProblemKind] = &[&POST_NOT_FOUND, &NOT_YOUR_POST];

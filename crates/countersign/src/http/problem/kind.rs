//! The form of a kind of problem, and the macro that declares a list of kinds.

/// What can go wrong, for programs and for people.
#[derive(Debug)]
pub struct ProblemKind {
    /// Stable once released; clients branch on it.
    pub code: &'static str,
    /// The answer's status.
    pub status: u16,
    /// What it is, in a few words; also the `detail` of a problem that has no more to say.
    pub title: &'static str,
    /// When it occurs, for the manual.
    pub when: &'static str,
}

/// Declares kinds, and `KINDS`, the list of all of them: a kind that a file declares cannot be missing from its list.
macro_rules! kinds {
    ($($(#[$docs:meta])* $name:ident = $code:literal, $status:literal, $title:literal, $when:literal;)*) => {
        $(
            $(#[$docs])*
            pub static $name: $crate::http::problem::ProblemKind = $crate::http::problem::ProblemKind {
                code: $code,
                status: $status,
                title: $title,
                when: $when,
            };
        )*

        /// All of them.
        pub static KINDS: &[&$crate::http::problem::ProblemKind] = &[$(&$name),*];
    };
}
pub(crate) use kinds;

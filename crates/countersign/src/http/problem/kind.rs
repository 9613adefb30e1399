//! The type of problem kinds, and the macro that declares a list of them.

/// A kind of error, for programs and for people.
#[derive(Debug)]
pub struct ProblemKind {
    /// Stable once released; clients branch on it.
    pub code: &'static str,
    /// The response's status code.
    pub status: u16,
    /// A short description; also the `detail` of a problem without a more specific one.
    pub title: &'static str,
    /// When it occurs, for the manual.
    pub when: &'static str,
}

/// Declares kinds, and `KINDS`, the list of all kinds in the file, so that none is missing from the list.
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

        /// All kinds of this file.
        pub static KINDS: &[&$crate::http::problem::ProblemKind] = &[$(&$name),*];
    };
}
pub(crate) use kinds;

//! How somebody proved who they are, and how much that is worth.

/// One way to prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The password.
    Password,
}

impl Method {
    const ALL: [Self; 1] = [Self::Password];

    /// Its name in the database and in the `amr` claim (RFC 8176, section 2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
        }
    }
}

/// What a session was begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

/// How much a login is worth (NIST SP 800-63B); an act can ask for one at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strength {
    /// Nothing that this version knows.
    Unknown,
    /// One factor.
    OneFactor,
}

impl Methods {
    /// The password alone.
    pub const PASSWORD: Self = Self(1 << Method::Password as u8);

    /// The methods, in the order of the list.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.0 & (1 << *method as u8) != 0)
    }

    /// What they are worth together.
    pub fn strength(self) -> Strength {
        if self.0 == 0 { Strength::Unknown } else { Strength::OneFactor }
    }

    /// As the database has them. A name that only a later version knows is worth nothing to this one.
    pub(crate) fn parse(text: &str) -> Self {
        let known = |name: &str| Method::ALL.into_iter().find(|method| method.as_str() == name);
        Self(text.split(' ').filter_map(known).fold(0, |all, method| all | 1 << method as u8))
    }
}

impl std::fmt::Display for Methods {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.iter().map(Method::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl Strength {
    /// The `acr` claim (`OpenID` Connect Core, section 2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "0",
            Self::OneFactor => "aal1",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_kept_as_they_are_and_unknown_ones_are_worth_nothing() {
        assert_eq!(Methods::parse(&Methods::PASSWORD.to_string()), Methods::PASSWORD);
        assert_eq!(Methods::parse("pwd later").to_string(), "pwd");
        assert_eq!(Methods::parse("later").strength(), Strength::Unknown);
        assert!(Strength::Unknown < Methods::PASSWORD.strength());
    }
}

//! Authentication methods, and the assurance that they give.

/// An authentication method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The password.
    Password,
}

impl Method {
    const ALL: [Self; 1] = [Self::Password];

    /// Returns the name in the database and in the `amr` claim (RFC 8176, section 2).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
        }
    }
}

/// The methods that started a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(u8);

/// The assurance level of a login (NIST SP 800-63B). An operation can require a minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Strength {
    /// No method that this version knows.
    Unknown,
    /// One factor.
    OneFactor,
}

impl Methods {
    /// The password alone.
    pub const PASSWORD: Self = Self(1 << Method::Password as u8);

    /// Returns the methods in a fixed order.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.into_iter().filter(move |method| self.0 & (1 << *method as u8) != 0)
    }

    /// Returns the assurance level of the methods together.
    pub fn strength(self) -> Strength {
        if self.0 == 0 { Strength::Unknown } else { Strength::OneFactor }
    }

    /// Parses the database form. Ignores names that only a later version knows.
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
    /// Returns the `acr` claim (`OpenID` Connect Core, section 2).
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

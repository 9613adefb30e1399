//! Entity ids: a UUID in its canonical form, with a separate type per entity.

/// The text is not a valid id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Input should be a valid UUID")]
pub struct InvalidId;

/// Defines an id type over a UUID. Each entity has its own, so that ids cannot be mixed up.
#[macro_export]
macro_rules! entity_id {
    ($(#[$docs:meta])* $visibility:vis $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility struct $name($crate::uuid::Uuid);

        impl $name {
            /// Creates a new id, ordered by time (UUIDv7, RFC 9562, section 5.7).
            $visibility fn new(now: $crate::jiff::Timestamp) -> Self {
                Self($crate::operator::random_uuid_v7(now))
            }

            /// Returns the bare UUID, for a column.
            $visibility fn uuid(self) -> $crate::uuid::Uuid {
                self.0
            }
        }

        impl From<$crate::uuid::Uuid> for $name {
            fn from(uuid: $crate::uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::model::InvalidId;

            /// Parses only the hyphenated form of 36 characters, so that an id has one spelling, except for case.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match $crate::uuid::Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
                    _ => Err($crate::model::InvalidId),
                }
            }
        }
    };
}

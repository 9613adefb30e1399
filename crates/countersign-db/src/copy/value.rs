//! Values in transit between two databases, and the check that a PostgreSQL column can store them.

use std::cmp::Ordering;
use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Postgres, Row as _, Sqlite, TypeInfo as _, ValueRef as _};
use uuid::Uuid;

/// A value of one column in one row. The variants are in SQLite's sort order.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// Stored as text, but not valid UTF-8.
    InvalidUtf8,
    Bytes(Vec<u8>),
}

/// How a column stores its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// Any SQLite column: each value carries its own type.
    Dynamic,
    /// PostgreSQL's `bigint`; the variants below are its other supported types.
    Int8,
    Int4,
    Int2,
    Boolean,
    Float8,
    Float4,
    Text,
    Bytea,
    Uuid,
}

impl Storage {
    /// Returns the storage for a type name of PostgreSQL's catalogue.
    pub(super) fn of_postgres(data_type: &str) -> Option<Self> {
        Some(match data_type {
            "bigint" => Self::Int8,
            "integer" => Self::Int4,
            "smallint" => Self::Int2,
            "boolean" => Self::Boolean,
            "double precision" => Self::Float8,
            "real" => Self::Float4,
            "text" | "character varying" => Self::Text,
            "bytea" => Self::Bytea,
            "uuid" => Self::Uuid,
            _ => return None,
        })
    }
}

impl Value {
    /// Returns the approximate size in bytes.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Null | Self::Integer(_) | Self::Real(_) | Self::InvalidUtf8 => size_of::<Self>(),
            Self::Text(text) => size_of::<Self>() + text.len(),
            Self::Bytes(bytes) => size_of::<Self>() + bytes.len(),
        }
    }

    /// Returns why a column cannot store the value; the text completes "which ..".
    pub(super) fn refusal(&self, storage: Storage) -> Option<&'static str> {
        match (self, storage) {
            (Self::InvalidUtf8, _) => Some("is not UTF-8"),
            (Self::Text(text), Storage::Text) if text.contains('\0') => {
                Some("has a character of code zero, and PostgreSQL stores none")
            }
            (Self::Null, _)
            | (Self::Integer(_) | Self::Real(_) | Self::Text(_) | Self::Bytes(_), Storage::Dynamic)
            | (Self::Integer(_), Storage::Int8)
            | (Self::Integer(0 | 1), Storage::Boolean)
            | (Self::Real(_), Storage::Float8 | Storage::Float4)
            | (Self::Text(_), Storage::Text)
            | (Self::Bytes(_), Storage::Bytea) => None,
            (Self::Integer(number), Storage::Int4) if i32::try_from(*number).is_ok() => None,
            (Self::Integer(number), Storage::Int2) if i16::try_from(*number).is_ok() => None,
            (Self::Bytes(bytes), Storage::Uuid) if bytes.len() == 16 => None,
            (Self::Integer(_), Storage::Int4 | Storage::Int2) => Some("is too large for its column"),
            _ => Some("is not what its column is for"),
        }
    }

    /// Compares values in the order of both databases, with texts compared bytewise.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => one.cmp(two),
            (Self::Real(one), Self::Real(two)) => one.total_cmp(two),
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Bytes(one), Self::Bytes(two)) => one.cmp(two),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) => 1,
            Self::Real(_) => 2,
            Self::Text(_) => 3,
            Self::InvalidUtf8 => 4,
            Self::Bytes(_) => 5,
        }
    }

    /// Returns the value in readable form, to identify a row.
    pub(super) fn shown(&self) -> String {
        /// Longer keys are truncated.
        const CHARACTERS_MAX: usize = 100;
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => format!("{:?}", text.chars().take(CHARACTERS_MAX).collect::<String>()),
            Self::InvalidUtf8 => "(not UTF-8)".to_owned(),
            Self::Bytes(bytes) => match Uuid::from_slice(bytes) {
                Ok(id) => id.to_string(),
                Err(_) => bytes.iter().take(CHARACTERS_MAX / 2).fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "{byte:02x}");
                    text
                }),
            },
        }
    }

    pub(super) fn of_sqlite(row: &SqliteRow, column: usize) -> Result<Self, sqlx::Error> {
        let raw = row.try_get_raw(column)?;
        if raw.is_null() {
            return Ok(Self::Null);
        }
        // The value's own type: an SQLite column may hold any type unless its table is strict.
        let kind = raw.type_info().name().to_owned();
        Ok(match kind.as_str() {
            "INTEGER" => Self::Integer(row.try_get_unchecked(column)?),
            "REAL" => Self::Real(row.try_get_unchecked(column)?),
            "TEXT" => match String::from_utf8(row.try_get_unchecked(column)?) {
                Ok(text) => Self::Text(text),
                Err(_) => Self::InvalidUtf8,
            },
            _ => Self::Bytes(row.try_get_unchecked(column)?),
        })
    }

    pub(super) fn of_postgres(row: &PgRow, column: usize, storage: Storage) -> Result<Self, sqlx::Error> {
        let value = match storage {
            Storage::Int8 => row.try_get::<Option<i64>, _>(column)?.map(Self::Integer),
            Storage::Int4 => row.try_get::<Option<i32>, _>(column)?.map(|number| Self::Integer(number.into())),
            Storage::Int2 => row.try_get::<Option<i16>, _>(column)?.map(|number| Self::Integer(number.into())),
            Storage::Boolean => row.try_get::<Option<bool>, _>(column)?.map(|truth| Self::Integer(truth.into())),
            Storage::Float8 => row.try_get::<Option<f64>, _>(column)?.map(Self::Real),
            Storage::Float4 => row.try_get::<Option<f32>, _>(column)?.map(|number| Self::Real(number.into())),
            Storage::Text | Storage::Dynamic => row.try_get::<Option<String>, _>(column)?.map(Self::Text),
            Storage::Bytea => row.try_get::<Option<Vec<u8>>, _>(column)?.map(Self::Bytes),
            Storage::Uuid => row.try_get::<Option<Uuid>, _>(column)?.map(|id| Self::Bytes(id.as_bytes().to_vec())),
        };
        Ok(value.unwrap_or(Self::Null))
    }

    pub(super) fn bind_sqlite<'q>(
        &self,
        query: Query<'q, Sqlite, SqliteArguments>,
    ) -> Query<'q, Sqlite, SqliteArguments> {
        match self {
            Self::Null | Self::InvalidUtf8 => query.bind(None::<i64>),
            Self::Integer(number) => query.bind(*number),
            Self::Real(number) => query.bind(*number),
            Self::Text(text) => query.bind(text.clone()),
            Self::Bytes(bytes) => query.bind(bytes.clone()),
        }
    }

    /// Binds the value for a column that can store it; values that [`Value::refusal`] rejects are bound as NULL.
    pub(super) fn bind_postgres<'q>(
        &self,
        query: Query<'q, Postgres, PgArguments>,
        storage: Storage,
    ) -> Query<'q, Postgres, PgArguments> {
        let integer = match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        };
        let real = match self {
            Self::Real(number) => Some(*number),
            _ => None,
        };
        match storage {
            Storage::Int8 => query.bind(integer),
            Storage::Int4 => query.bind(integer.and_then(|number| i32::try_from(number).ok())),
            Storage::Int2 => query.bind(integer.and_then(|number| i16::try_from(number).ok())),
            Storage::Boolean => query.bind(integer.map(|number| number == 1)),
            Storage::Float8 => query.bind(real),
            #[expect(clippy::cast_possible_truncation, reason = "the final comparison detects lost precision")]
            Storage::Float4 => query.bind(real.map(|number| number as f32)),
            Storage::Text | Storage::Dynamic => query.bind(match self {
                Self::Text(text) => Some(text.clone()),
                _ => None,
            }),
            Storage::Bytea => query.bind(match self {
                Self::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            }),
            Storage::Uuid => query.bind(match self {
                Self::Bytes(bytes) => Uuid::from_slice(bytes).ok(),
                _ => None,
            }),
        }
    }
}

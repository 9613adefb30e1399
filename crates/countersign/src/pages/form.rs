//! Forms: reading them, and showing them again with the entered values, except secrets, and an error at each invalid field.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};

use crate::TooManyAttempts;
use crate::http::fields::{Fields, FormBody, Invalid};
use crate::http::problem::Problem;
use crate::model::{InvalidEmailAddress, InvalidOneTimeCode, InvalidPassword, InvalidUsername};
use crate::templates::{Value, context};

/// What is wrong with a field, as the key of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault(pub &'static str);

impl From<InvalidUsername> for Fault {
    fn from(invalid: InvalidUsername) -> Self {
        Self(match invalid {
            InvalidUsername::Blank => "fault-username-blank",
            InvalidUsername::TooLong => "fault-username-long",
            InvalidUsername::Unprintable => "fault-username-unprintable",
            InvalidUsername::Stacked => "fault-username-marks",
            InvalidUsername::AtSign => "fault-username-at",
        })
    }
}

impl From<InvalidEmailAddress> for Fault {
    fn from(_: InvalidEmailAddress) -> Self {
        Self("fault-email")
    }
}

impl From<InvalidOneTimeCode> for Fault {
    fn from(_: InvalidOneTimeCode) -> Self {
        Self("fault-code")
    }
}

impl From<InvalidPassword> for Fault {
    fn from(invalid: InvalidPassword) -> Self {
        Self(match invalid {
            InvalidPassword::TooShort => "fault-password-short",
            InvalidPassword::TooLong => "fault-password-long",
        })
    }
}

impl From<TooManyAttempts> for Fault {
    fn from(limited: TooManyAttempts) -> Self {
        Self(if limited.retry_after_seconds <= 60 { "fault-limited-minute" } else { "fault-limited" })
    }
}

/// The field that tells password managers the account on pages where the user does not enter it.
pub(super) const ACCOUNT: &str = "account";

/// A form, as submitted or with its initial values.
pub struct Form {
    sent: Option<Fields>,
    prefix: &'static str,
    values: BTreeMap<&'static str, String>,
    faults: BTreeMap<&'static str, Fault>,
}

impl Form {
    /// Makes an empty form.
    pub fn empty() -> Self {
        Self { sent: None, prefix: "", values: BTreeMap::new(), faults: BTreeMap::new() }
    }

    /// Sets the prefix of the ids of its fields, for pages with several forms.
    #[must_use]
    pub fn prefix(self, prefix: &'static str) -> Self {
        Self { prefix, ..self }
    }

    /// Sets the value of a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.insert(name, value.into());
        self
    }

    /// Parses a required field, and keeps it for showing the form again.
    pub fn required<T, E: Into<Fault>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.optional(name, parse) {
            Some(None) => self.fault(name, Fault("fault-missing")),
            read => read.flatten(),
        }
    }

    /// Parses a field that may be empty; `Some(None)` if it is.
    pub fn optional<T, E: Into<Fault>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let text = self.take(name)?;
        let Some(text) = text else { return Some(None) };
        let read = parse(&text);
        self.values.insert(name, text);
        match read {
            Ok(value) => Some(Some(value)),
            Err(invalid) => self.fault(name, invalid.into()),
        }
    }

    /// Parses a field with a secret, which is never shown again.
    pub fn secret<T, E: Into<Fault>>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(sent) = &mut self.sent else { return self.fault(name, Fault("fault-missing")) };
        // The closure is called at most once, with the field's value.
        let mut fault = Fault("fault-missing");
        let read = sent.required(name, |text| {
            fault = Fault("fault-invalid");
            parse(text).map_err(|invalid| {
                fault = invalid.into();
                Invalid::new("value_error", "")
            })
        });
        match read {
            Ok(value) => Some(value),
            Err(_) => self.fault(name, fault),
        }
    }

    /// Parses an optional field with a secret; any text is valid.
    pub(super) fn secret_if_sent<T>(&mut self, name: &'static str, parse: impl FnOnce(&str) -> T) -> Option<T> {
        let read = self.sent.as_mut()?.optional(name, |text| Ok::<_, Invalid>(parse(text)));
        read.ok().flatten()
    }

    /// Shows a field again as submitted, whatever its value.
    pub(super) fn keep(&mut self, name: &'static str) {
        let _ = self.optional(name, |_| Ok::<_, Fault>(()));
    }

    #[expect(clippy::option_option, reason = "outside: whether the field could be read; inside: whether it was sent")]
    fn take(&mut self, name: &'static str) -> Option<Option<String>> {
        let Some(sent) = &mut self.sent else { return Some(None) };
        if let Ok(text) = sent.optional(name, |text| Ok::<_, Invalid>(text.to_owned())) {
            return Some(text);
        }
        // No page can show a NUL; its replacement can be submitted.
        let text = sent.as_sent(name).unwrap_or_default().replace('\0', "\u{fffd}");
        self.values.insert(name, text);
        self.fault(name, Fault("fault-invalid"))
    }

    /// Notes the error of a field, or of the whole form under `""`.
    pub fn fault<T>(&mut self, name: &'static str, fault: Fault) -> Option<T> {
        self.faults.insert(name, fault);
        None
    }

    /// Whether the form has any error.
    pub fn is_faulty(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Whether this field has an error.
    pub fn is_faulty_at(&self, name: &str) -> bool {
        self.faults.contains_key(name)
    }

    /// The values for the macros of `pages/fields.html`.
    pub fn context(&self) -> Value {
        let errors: BTreeMap<&str, &str> = self.faults.iter().map(|(name, fault)| (*name, fault.0)).collect();
        let faulty: Vec<&str> = self.faults.keys().copied().filter(|name| !name.is_empty()).collect();
        context! { prefix => self.prefix, values => &self.values, errors, faulty }
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let FormBody(sent) = FormBody::from_request(request, state).await?;
        Ok(Self { sent: Some(sent), ..Self::empty() })
    }
}

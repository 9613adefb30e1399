//! Templates of pages and mails: the embedded ones, overrides from a folder, and the texts of each language. Separate from pages
//! and mails, because they share the catalogue, and hosts and operators extend both the same way.
//!
//! In templates named `.html` all values are escaped, in those named `.txt` none are. In a template, `t("key", name=value)` is a
//! text of the catalogue, `asset("site.css")` is the URL of a style sheet, script or drawing, and `language` and `direction` are
//! those of the reader.

mod assets;
mod folder;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use minijinja::value::Kwargs;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, escape_formatter};

pub use assets::{Asset, Assets};
pub use minijinja::{Value, context};

use crate::catalogue::{self, Argument, Catalogue, TextFile};
use crate::model::Language;

/// Templates and texts, checked; cheap to clone. The default is the library's own, built on first use, which takes a megabyte: a
/// host with its own templates never builds it.
#[derive(Clone, Default)]
pub struct Templates(Option<Arc<Parts>>);

struct Parts {
    catalogue: Arc<Catalogue>,
    /// One for each language of the catalogue, in its order, so that `t` works in macros too.
    environments: Vec<Environment<'static>>,
    default_language: Language,
    assets: Arc<Assets>,
}

/// The layers of [`Templates`]: the library's own, then a host's, then an operator's folder, each overriding the former.
pub struct TemplatesBuilder {
    files: BTreeMap<String, String>,
    assets: BTreeMap<String, String>,
    texts: Vec<TextFile>,
    folder: Option<PathBuf>,
    default_language: Language,
}

/// All errors in templates and texts, each with its file and line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct InvalidTemplates(pub Vec<String>);

/// A template that failed to render.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
#[non_exhaustive]
pub struct TemplateError {
    /// The template, and the line if known.
    pub place: String,
    /// What went wrong.
    pub reason: String,
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

const EMBEDDED: [(&str, &str); 39] = embedded![
    "mail/layout.html",
    "mail/layout.txt",
    "mail/parts.html",
    "mail/already_registered.html",
    "mail/already_registered.txt",
    "mail/complete_registration.html",
    "mail/complete_registration.txt",
    "mail/confirm_email_change.html",
    "mail/confirm_email_change.txt",
    "mail/email_changed.html",
    "mail/email_changed.txt",
    "mail/new_sign_in.html",
    "mail/new_sign_in.txt",
    "mail/password_changed.html",
    "mail/password_changed.txt",
    "mail/refresh_token_reused.html",
    "mail/refresh_token_reused.txt",
    "mail/reset_password.html",
    "mail/reset_password.txt",
    "mail/test.html",
    "mail/test.txt",
    "mail/verify_email.html",
    "mail/verify_email.txt",
    "pages/account.html",
    "pages/account_picture.html",
    "pages/brand.html",
    "pages/delete_account.html",
    "pages/document.html",
    "pages/error.html",
    "pages/fields.html",
    "pages/forgot_password.html",
    "pages/layout.html",
    "pages/login.html",
    "pages/navigation.html",
    "pages/preferences.html",
    "pages/register.html",
    "pages/reset_password.html",
    "pages/undo_email_change.html",
    "pages/verify_email.html",
];

impl TemplatesBuilder {
    /// Adds a host's templates by name; they replace the library's of the same name.
    #[must_use]
    pub fn templates(mut self, templates: &[(&str, &str)]) -> Self {
        self.files.extend(templates.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())));
        self
    }

    /// Adds a host's style sheets, scripts and drawings by name; they replace the library's of the same name.
    #[must_use]
    pub fn assets(mut self, assets: &[(&str, &str)]) -> Self {
        self.assets.extend(assets.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())));
        self
    }

    /// Adds a host's texts in a language, in Fluent's syntax; they replace the library's of the same key.
    #[must_use]
    pub fn texts(mut self, language: &Language, source: &str) -> Self {
        self.texts.push(TextFile {
            name: format!("{language}.ftl"),
            language: language.clone(),
            source: source.to_owned(),
        });
        self
    }

    /// Adds a folder whose files override all others: templates by their path in it, texts from `locales/<language>.ftl`, and the
    /// style sheets, scripts and drawings in `assets`.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Sets the language for readers who accept none of those available; English by default.
    #[must_use]
    pub fn default_language(mut self, language: Language) -> Self {
        self.default_language = language;
        self
    }

    /// Reads the folder and checks everything: the syntax, and that every text that a template names exists.
    pub fn build(self) -> Result<Templates, InvalidTemplates> {
        Ok(Templates(Some(Arc::new(self.parts()?))))
    }

    fn parts(mut self) -> Result<Parts, InvalidTemplates> {
        let mut problems = Vec::new();
        if let Some(folder) = &self.folder {
            let found = folder::read(folder, &mut problems);
            self.files.extend(found.templates);
            self.texts.extend(found.texts);
            self.assets.extend(found.assets);
        }
        let catalogue = Catalogue::new(self.texts).map_err(|more| {
            problems.extend(more);
            InvalidTemplates(problems.clone())
        })?;
        if !catalogue.languages().contains(&self.default_language) {
            problems.push(format!("there are no texts in the language {}", self.default_language));
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
            Some((_, "txt")) => AutoEscape::None,
            _ => AutoEscape::Html,
        });
        environment.set_formatter(write_escaped);
        for (name, source) in self.files {
            for (line, key) in keys(&source).filter(|(_, key)| !catalogue.has(key)) {
                problems.push(format!("{name}, line {line}: there is no text {key}"));
            }
            if let Err(error) = environment.add_template_owned(name.clone(), source) {
                problems.push(TemplateError::new(&name, &error).to_string());
            }
        }
        if !problems.is_empty() {
            return Err(InvalidTemplates(problems));
        }
        let assets = Arc::new(Assets::new(self.assets));
        let places = Arc::clone(&assets);
        environment.add_function("asset", move |name: &str| {
            let detail = || format!("there is no asset {name}");
            places.url(name).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, detail()))
        });
        let catalogue = Arc::new(catalogue);
        let environments =
            catalogue.languages().iter().map(|language| localized(environment.clone(), &catalogue, language)).collect();
        Ok(Parts { catalogue, environments, default_language: self.default_language, assets })
    }
}

impl Templates {
    /// Starts with the library's own templates.
    pub fn builder() -> TemplatesBuilder {
        TemplatesBuilder {
            files: EMBEDDED.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect(),
            assets: assets::embedded(),
            texts: catalogue::embedded(),
            folder: None,
            default_language: Language::default(),
        }
    }

    fn parts(&self) -> &Parts {
        static OURS: LazyLock<Parts> = LazyLock::new(|| Templates::builder().parts().expect("the tests build them"));
        self.0.as_deref().unwrap_or_else(|| &OURS)
    }

    /// The texts.
    pub fn catalogue(&self) -> &Catalogue {
        &self.parts().catalogue
    }

    /// The style sheets, scripts and drawings of the pages.
    pub fn assets(&self) -> &Assets {
        &self.parts().assets
    }

    /// The language for readers who accept none of those available.
    pub fn default_language(&self) -> &Language {
        &self.parts().default_language
    }

    /// Returns the available language closest to `language`.
    pub fn closest(&self, language: &Language) -> &Language {
        language.closest(self.catalogue().languages()).unwrap_or(&self.parts().default_language)
    }

    /// Returns the available language that fits a request's `Accept-Language` header best.
    pub fn negotiate(&self, accept_language: Option<&str>) -> &Language {
        accept_language
            // A client that accepts anything gets the same as one that sends no header.
            .filter(|header| header.trim() != "*")
            .and_then(|header| Language::negotiate(header, self.catalogue().languages()))
            .unwrap_or(&self.parts().default_language)
    }

    /// The names of all templates.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts().environments.iter().take(1).flat_map(Environment::templates).map(|(name, _)| name)
    }

    /// Renders a template in the available language closest to this one.
    ///
    /// # Panics
    /// Never: the language is one of the catalogue's.
    pub fn render(&self, name: &str, language: &Language, context: Value) -> Result<String, TemplateError> {
        let language = self.closest(language);
        let at = self.catalogue().languages().binary_search(language).expect("it was found among them");
        let rendered = self.parts().environments[at].get_template(name).and_then(|template| template.render(context));
        rendered.map_err(|error| TemplateError::new(name, &error))
    }
}

/// Writes a value, escaped if the template requires it. minijinja's own formatter also escapes slashes, which makes links hard to
/// recognise in the source of a mail.
fn write_escaped(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let Some(text) = value.as_str().filter(|_| *state.auto_escape() == AutoEscape::Html && !value.is_safe()) else {
        return escape_formatter(out, state, value);
    };
    for part in text.split_inclusive(['&', '<', '>', '"', '\'']) {
        let entity = match part.as_bytes().last() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            Some(b'\'') => "&#39;",
            _ => "",
        };
        let clean = if entity.is_empty() { part } else { &part[..part.len() - 1] };
        out.write_str(clean).and_then(|()| out.write_str(entity)).map_err(Error::from)?;
    }
    Ok(())
}

/// Returns the same templates for readers of one language.
fn localized(
    mut environment: Environment<'static>,
    catalogue: &Arc<Catalogue>,
    language: &Language,
) -> Environment<'static> {
    environment.add_global("language", language.to_string());
    environment.add_global("direction", language.direction());
    let (catalogue, language) = (Arc::clone(catalogue), language.clone());
    environment.add_function("t", move |state: &State<'_, '_>, key: &str, named: Kwargs| -> Result<String, Error> {
        let mut values = Vec::new();
        for name in named.args() {
            let value = named.get::<Value>(name)?;
            // In plain text, people would copy the marks along with the value.
            let is_markup = *state.auto_escape() == AutoEscape::Html;
            values.push((name, if is_markup { isolated(value, &language) } else { value }));
        }
        let arguments: Vec<(&str, Argument<'_>)> = values
            .iter()
            .map(|(name, value)| {
                let argument = match (value.as_str(), i64::try_from(value.clone())) {
                    (Some(text), _) => Argument::Text(text),
                    (None, Ok(number)) => Argument::Number(number),
                    (None, Err(_)) if value.is_undefined() => {
                        let detail = format!("{name} of the text {key}");
                        return Err(Error::new(ErrorKind::UndefinedError, detail));
                    }
                    (None, Err(error)) => return Err(error),
                };
                Ok((*name, argument))
            })
            .collect::<Result<_, _>>()?;
        let text = catalogue.text(&language, key, &arguments);
        text.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
    environment
}

/// Wraps a text of the other direction in marks that isolate it from the surrounding sentence (Unicode Standard Annex 9,
/// section 2.4). An element would do the same, but not in an attribute.
fn isolated(value: Value, sentence: &Language) -> Value {
    match value.as_str() {
        Some(text) if sentence.is_crossed_by(text) => Value::from(format!("\u{2068}{text}\u{2069}")),
        _ => value,
    }
}

impl TemplateError {
    fn new(name: &str, error: &Error) -> Self {
        let name = error.name().unwrap_or(name);
        let place = error.line().map_or_else(|| name.to_owned(), |line| format!("{name}, line {line}"));
        let reason = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        Self { place, reason }
    }
}

/// Returns the literal keys in a template's `t("…")` calls, with their lines.
fn keys(source: &str) -> impl Iterator<Item = (usize, &str)> {
    let calls = source.match_indices("t(").filter(|(start, _)| {
        !source[..*start].ends_with(|before: char| before.is_alphanumeric() || matches!(before, '_' | '.'))
    });
    calls.filter_map(|(start, call)| {
        let rest = &source[start + call.len()..];
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let key = rest[1..].split(quote).next()?;
        Some((source[..start].matches('\n').count() + 1, key))
    })
}

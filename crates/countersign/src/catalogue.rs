//! Texts by language: a catalogue of Fluent files, the library's own and those that override them.

use std::collections::{BTreeMap, BTreeSet};

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use crate::model::Language;

/// Texts by key and language. English has all of them, and other languages fall back to it.
pub struct Catalogue {
    languages: Vec<Language>,
    texts: Vec<Texts>,
}

struct Texts {
    bundle: FluentBundle<FluentResource>,
    entries: BTreeMap<String, BTreeSet<String>>,
}

/// A file of texts in Fluent syntax.
pub struct TextFile {
    /// The name in error messages.
    pub name: String,
    /// The language of the texts.
    pub language: Language,
    /// The content.
    pub source: String,
}

/// The value of a variable in a text.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A text, inserted as it is.
    Text(&'a str),
    /// A number, which selects plural forms.
    Number(i64),
}

/// Why a text is not available.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// No catalogue has the key.
    #[error("there is no text {0}")]
    Unknown(String),
    /// The text has a variable without a value, or refers to something that does not exist.
    #[error("the text {key} cannot be put together: {reason}")]
    Incomplete {
        /// The key.
        key: String,
        /// What is missing.
        reason: String,
    },
}

/// Returns the library's own texts.
pub(crate) fn embedded() -> Vec<TextFile> {
    let file = |tag: &str, source: &str| TextFile {
        name: format!("{tag}.ftl"),
        language: Language::parse(tag).expect("a language tag"),
        source: source.to_owned(),
    };
    vec![file("en", include_str!("../locales/en.ftl")), file("de", include_str!("../locales/de.ftl"))]
}

impl Catalogue {
    /// Parses the files. A later file overrides texts of an earlier one in the same language.
    ///
    /// # Errors
    /// All problems in the files, each with the file's name and the line.
    pub fn new(files: Vec<TextFile>) -> Result<Self, Vec<String>> {
        let mut catalogue = Self { languages: Vec::new(), texts: Vec::new() };
        let mut problems = Vec::new();
        let mut read = Vec::new();
        for file in files {
            let resource = FluentResource::try_new(file.source).unwrap_or_else(|(resource, errors)| {
                let line = |at: usize| resource.source().get(..at).unwrap_or_default().matches('\n').count() + 1;
                problems.extend(
                    errors.iter().map(|error| format!("{}, line {}: {error}", file.name, line(error.pos.start))),
                );
                resource
            });
            let entries = entries(resource.source());
            let texts = catalogue.of_language(&file.language);
            for Entry { key, variables, .. } in &entries {
                // The first file defines the variables.
                texts.entries.entry(key.clone()).or_insert_with(|| variables.clone());
            }
            texts.bundle.add_resource_overriding(resource);
            read.extend(entries.into_iter().map(|entry| (file.name.clone(), entry)));
        }
        for (file, entry) in read {
            problems.extend(catalogue.fault(&entry).map(|fault| format!("{file}, line {}: {fault}", entry.line)));
        }
        if problems.is_empty() { Ok(catalogue) } else { Err(problems) }
    }

    fn of_language(&mut self, language: &Language) -> &mut Texts {
        let at = self.languages.binary_search(language).unwrap_or_else(|at| {
            let mut bundle = FluentBundle::new_concurrent(vec![language.identifier().clone()]);
            // Invisible marks would end up in subjects and links.
            bundle.set_use_isolating(false);
            self.languages.insert(at, language.clone());
            self.texts.insert(at, Texts { bundle, entries: BTreeMap::new() });
            at
        });
        &mut self.texts[at]
    }

    /// Returns what is wrong with an entry. A misspelt key or variable is one that English does not have.
    fn fault(&self, Entry { key, variables, .. }: &Entry) -> Option<String> {
        let Some(known) = self.entries(&Language::default()).and_then(|english| english.get(key)) else {
            return Some(format!("there is no text {key} in English"));
        };
        let unknown = variables.difference(known).next();
        unknown.map(|variable| format!("the text {key} is never given ${variable}"))
    }

    fn entries(&self, language: &Language) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        self.languages.binary_search(language).ok().map(|at| &self.texts[at].entries)
    }

    /// Returns the languages in the order of their tags.
    pub fn languages(&self) -> &[Language] {
        &self.languages
    }

    /// Whether there is a text with this key.
    pub fn has(&self, key: &str) -> bool {
        self.entries(&Language::default()).is_some_and(|english| english.contains_key(key))
    }

    /// Returns the keys that a language takes from English.
    pub fn missing(&self, language: &Language) -> Vec<&str> {
        let (Some(english), Some(own)) = (self.entries(&Language::default()), self.entries(language)) else {
            return Vec::new();
        };
        english.keys().filter(|key| !own.contains_key(*key)).map(String::as_str).collect()
    }

    /// Returns the text of a key in this language, in the wider language that it belongs to, or else in English.
    pub fn text(
        &self,
        language: &Language,
        key: &str,
        arguments: &[(&str, Argument<'_>)],
    ) -> Result<String, TextError> {
        let english = Language::default();
        for language in [language, &language.widest(), &english] {
            let Ok(at) = self.languages.binary_search(language) else { continue };
            let bundle = &self.texts[at].bundle;
            let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) else { continue };
            let arguments: FluentArgs<'_> =
                arguments.iter().map(|(name, argument)| (*name, FluentValue::from(*argument))).collect();
            let mut errors = Vec::new();
            let text = bundle.format_pattern(pattern, Some(&arguments), &mut errors);
            return match errors.first() {
                None => Ok(text.into_owned()),
                Some(error) => Err(TextError::Incomplete { key: key.to_owned(), reason: error.to_string() }),
            };
        }
        Err(TextError::Unknown(key.to_owned()))
    }
}

impl<'a> From<Argument<'a>> for FluentValue<'a> {
    fn from(argument: Argument<'a>) -> Self {
        match argument {
            Argument::Text(text) => text.into(),
            Argument::Number(number) => number.into(),
        }
    }
}

struct Entry {
    key: String,
    line: usize,
    variables: BTreeSet<String>,
}

/// Returns the messages of a file, with the variables of each.
fn entries(source: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (index, line) in source.lines().enumerate() {
        if line.starts_with('#') {
            continue;
        }
        if line.starts_with(|first: char| first.is_ascii_alphabetic())
            && let Some((key, _)) = line.split_once('=')
        {
            entries.push(Entry { key: key.trim().to_owned(), line: index + 1, variables: BTreeSet::new() });
        }
        let Some(entry) = entries.last_mut() else { continue };
        entry.variables.extend(line.split('$').skip(1).map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
        }));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tag: &str, source: &str) -> TextFile {
        TextFile { name: format!("{tag}.ftl"), language: Language::parse(tag).unwrap(), source: source.to_owned() }
    }

    fn with(extra: TextFile) -> Result<Catalogue, Vec<String>> {
        Catalogue::new(embedded().into_iter().chain([extra]).collect())
    }

    #[test]
    fn english_and_german_have_the_same_keys_and_variables() {
        let catalogue = Catalogue::new(embedded()).unwrap();
        let [english, german] = ["en", "de"].map(|tag| catalogue.entries(&Language::parse(tag).unwrap()).unwrap());
        assert_eq!(english, german);
        assert!(english.len() > 20);
    }

    #[test]
    fn no_key_stands_in_a_file_twice() {
        for file in embedded() {
            let mut keys: Vec<String> = entries(&file.source).into_iter().map(|entry| entry.key).collect();
            let count = keys.len();
            keys.sort();
            keys.dedup();
            assert_eq!(keys.len(), count, "{}", file.name);
        }
    }

    #[test]
    fn a_language_is_added_by_a_file_and_falls_back_to_english() {
        let french = Language::parse("fr").unwrap();
        let catalogue = with(file("fr", "mail-greeting = Bonjour { $username },\n")).unwrap();
        let arguments = [("username", Argument::Text("Zoë")), ("count", Argument::Number(1))];
        assert_eq!(catalogue.text(&french, "mail-greeting", &arguments).unwrap(), "Bonjour Zoë,");
        assert_eq!(catalogue.text(&french, "duration-hours", &arguments).unwrap(), "1 hour");
        assert!(catalogue.missing(&french).contains(&"duration-hours"));
        assert!(!catalogue.missing(&french).contains(&"mail-greeting"));
    }

    #[test]
    fn slips_in_a_file_are_named_with_their_line() {
        let source = "mail-greeting = Salut { $usrname }\nmail-greting = Salut\nbroken = {\n";
        let problems = with(file("fr", source)).err().unwrap();
        assert!(
            problems.contains(&"fr.ftl, line 1: the text mail-greeting is never given $usrname".to_owned()),
            "{problems:?}"
        );
        assert!(
            problems.contains(&"fr.ftl, line 2: there is no text mail-greting in English".to_owned()),
            "{problems:?}"
        );
        assert!(problems.iter().any(|problem| problem.starts_with("fr.ftl, line 4: Expected")), "{problems:?}");
    }

    #[test]
    fn a_text_without_its_variable_is_an_error() {
        let catalogue = Catalogue::new(embedded()).unwrap();
        let language = Language::default();
        assert!(matches!(catalogue.text(&language, "mail-greeting", &[]), Err(TextError::Incomplete { .. })));
        assert_eq!(catalogue.text(&language, "nothing", &[]), Err(TextError::Unknown("nothing".to_owned())));
    }
}

//! Suggests the setting that an unknown name was probably meant to be.

/// A setting's name, and whether its value is secret.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) secrecy: Secrecy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Secret,
    Open,
}

impl Known {
    /// Returns `<name>_FILE`, which names a file with the value. Only secrets have one.
    pub(crate) fn file_name(&self) -> Option<String> {
        (self.secrecy == Secrecy::Secret).then(|| format!("{}_FILE", self.name))
    }

    pub(crate) fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.file_name().is_some_and(|file_name| file_name == name)
    }
}

/// The setting that an unknown name was probably meant to be.
pub(crate) enum Suggestion {
    Near(String),
    None,
}

/// Suggests a setting for an unknown upper-case name.
pub(crate) fn suggest(name: &str, known: &[Known]) -> Suggestion {
    let candidates = known.iter().flat_map(|known| [Some(known.name.clone()), known.file_name()]).flatten();
    candidates
        .map(|candidate| (edit_distance(name, &candidate), candidate))
        .filter(|(distance, candidate)| *distance <= tolerance(candidate))
        .min()
        .map_or(Suggestion::None, |(_, candidate)| Suggestion::Near(candidate))
}

/// The maximum distance: two edits, and fewer for a short name. `HOME` is not a misspelt `HOST`, nor `LANG` a misspelt
/// `LOG`.
fn tolerance(name: &str) -> usize {
    (name.len() / 4).min(2)
}

/// Returns the Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(name: &str) -> Option<String> {
        let known = [("SECRET_KEY", Secrecy::Secret), ("HOST", Secrecy::Open), ("LOG", Secrecy::Open)]
            .map(|(name, secrecy)| Known { name: name.to_owned(), secrecy });
        match suggest(name, &known) {
            Suggestion::Near(meant) => Some(meant),
            Suggestion::None => None,
        }
    }

    #[test]
    fn slips_are_recognised() {
        for slip in ["SECRETKEY", "SECRET_KEYS", "SERCET_KEY"] {
            assert_eq!(suggestion(slip).as_deref(), Some("SECRET_KEY"), "{slip}");
        }
        assert_eq!(suggestion("SECRET_KEY_FIL").as_deref(), Some("SECRET_KEY_FILE"));
        assert_eq!(suggestion("HOSTS").as_deref(), Some("HOST"));
    }

    #[test]
    fn what_every_shell_sets_is_no_slip() {
        for name in ["HOME", "LANG", "PWD", "PATH", "SHELL", "TERM", "USER", "LOGNAME", "HOSTNAME"] {
            assert_eq!(suggestion(name), None, "{name}");
        }
    }
}

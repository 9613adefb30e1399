//! The list of passwords that are too common to protect an account.
//!
//! The list is Django's `common-passwords.txt` (some 20,000 passwords, counted in published leaks), without entries of
//! fewer than 8 characters, which the length rule refuses anyway, and without those damaged by a wrong character set.
//! It is in lower case, sorted by bytes and free of duplicates; a test checks that.

use std::sync::LazyLock;

use zeroize::Zeroizing;

static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Whether `password` is on the list, ignoring case.
pub(crate) fn is_common(password: &str) -> bool {
    let lower_case = Zeroizing::new(password.to_lowercase());
    COMMON.binary_search(&lower_case.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_long_sorted_and_lower_case_and_has_no_entry_that_the_length_rule_refuses() {
        assert!(COMMON.len() >= 3_000, "{} entries", COMMON.len());
        assert!(COMMON.is_sorted_by(|a, b| a < b), "sorted, each entry once");
        for entry in COMMON.iter() {
            assert!(entry.chars().count() >= 8, "too short: {entry}");
            assert_eq!(*entry, entry.to_lowercase().trim());
        }
    }

    #[test]
    fn a_common_password_is_found_in_any_case() {
        for password in ["password1", "Password1", "PASSWORD", "12345678", "qwertyuiop", "P@ssw0rd"] {
            assert!(is_common(password), "{password}");
        }
    }

    #[test]
    fn the_first_and_the_last_entry_are_found() {
        assert!(is_common(COMMON.first().unwrap()));
        assert!(is_common(COMMON.last().unwrap()));
    }

    #[test]
    fn other_passwords_are_not_on_the_list() {
        for password in ["correct horse battery staple", "password1 ", "", "\n", "zażółć gęślą"] {
            assert!(!is_common(password), "{password}");
        }
    }
}

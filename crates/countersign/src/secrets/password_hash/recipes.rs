//! Equal cost of a wrong password, for every stored hash of any recipe and for unknown users.
//!
//! Hashes of several recipes exist after the cost parameters were raised or users were imported. Login time would then
//! reveal a hash's recipe, and that the user exists. So a wrong password is computed with all recipes: first with that
//! of the stored hash or a decoy, then with the remaining work of the others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::{CURRENT_SALT_BYTES, PasswordHash, Purpose, Recipe, bcrypt, decoy};
use crate::config::HashParameters;

/// Maximum number of recipes, in addition to the current one, that a wrong password is computed with. Recipes whose
/// work adds up count once, as the most expensive.
const RECIPES_MAX: usize = 8;

/// The recipes of the stored hashes.
pub(crate) struct RecipesInUse {
    /// One decoy per recipe: the current one, and the most expensive of those whose work adds up.
    decoys: Vec<PasswordHash>,
}

impl RecipesInUse {
    /// Collects the current recipe and those recorded by [`PasswordHash::recipe`].
    pub(crate) fn new<'n>(current: &HashParameters, noted: impl Iterator<Item = &'n str>) -> Self {
        let mut decoys = vec![decoy(current)];
        for hash in noted.filter_map(|recipe| PasswordHash::parse(recipe).ok()) {
            match decoys.iter().position(|one| one.adds_up_with(&hash)) {
                Some(place) if decoys[place].without(&hash).is_empty() => decoys[place] = hash.into_decoy(),
                None if decoys.len() <= RECIPES_MAX => decoys.push(hash.into_decoy()),
                Some(_) | None => {}
            }
        }
        Self { decoys }
    }

    /// Returns whether a wrong password for this hash costs no more than for others.
    pub(crate) fn cover(&self, hash: &PasswordHash) -> bool {
        self.decoys.iter().any(|dearest| dearest.adds_up_with(hash) && hash.without(dearest).is_empty())
    }

    /// Returns the remaining work after `spent`.
    pub(crate) fn without(&self, spent: &PasswordHash) -> Vec<PasswordHash> {
        self.decoys.iter().flat_map(|dearest| dearest.without(spent)).collect()
    }
}

impl PasswordHash {
    /// Returns the family and its costs, as a hash that [`PasswordHash::parse`] reads and no password matches.
    pub(crate) fn recipe(&self) -> String {
        let zeros = |bytes: usize| STANDARD_NO_PAD.encode(vec![0; bytes]);
        let (salt, tag) = (zeros(CURRENT_SALT_BYTES), zeros(self.tag.len()));
        match &self.recipe {
            Recipe::Argon2(argon2) => format!("{argon2}${salt}${tag}"),
            Recipe::Bcrypt(bcrypt) => bcrypt.to_string() + &".".repeat(bcrypt::SALT_AND_TAG_CHARACTERS),
            Recipe::Scrypt(scrypt) => format!("{scrypt}${salt}${tag}"),
            Recipe::Pbkdf2(pbkdf2) => format!("{pbkdf2},l={}${salt}${tag}", self.tag.len()),
        }
    }

    /// Returns the common prefix of all strings that differ from this one only in salt and tag; for an unreadable one,
    /// its beginning.
    pub(crate) fn prefix(encoded: &str) -> &str {
        let fields: Vec<&str> = encoded.split('$').collect();
        let varying = match *fields.as_slice() {
            ["scrypt", ..] => fields.len().saturating_sub(2),
            ["" | "bcrypt" | "bcrypt_sha256", ..]
                if fields.iter().any(|field| matches!(*field, "2a" | "2b" | "2y")) =>
            {
                1
            }
            _ => 2,
        };
        let bytes = fields.iter().rev().take(varying).map(|field| field.len() + 1).sum::<usize>();
        match encoded.len().checked_sub(bytes) {
            Some(length) if length > 0 => &encoded[..=length],
            _ => encoded,
        }
    }

    fn into_decoy(self) -> Self {
        Self { purpose: Purpose::Decoy, ..self }
    }

    /// Returns whether the work for one recipe is part of the work for the other.
    fn adds_up_with(&self, other: &Self) -> bool {
        match (&self.recipe, &other.recipe) {
            (Recipe::Argon2(one), Recipe::Argon2(other)) => one == other,
            (Recipe::Scrypt(one), Recipe::Scrypt(other)) => one == other,
            (Recipe::Bcrypt(_), Recipe::Bcrypt(_)) => true,
            (Recipe::Pbkdf2(one), Recipe::Pbkdf2(two)) => one.adds_up_with(self.tag.len(), *two, other.tag.len()),
            _ => false,
        }
    }

    /// Returns, as decoys, the remaining work of this hash after that of `spent`.
    fn without(&self, spent: &Self) -> Vec<Self> {
        let recipes = match (&self.recipe, &spent.recipe) {
            _ if !self.adds_up_with(spent) => vec![self.recipe],
            (Recipe::Bcrypt(dear), Recipe::Bcrypt(spent)) => dear.without(*spent).map(Recipe::Bcrypt).collect(),
            (Recipe::Pbkdf2(dear), Recipe::Pbkdf2(spent)) => {
                dear.without(*spent).map(Recipe::Pbkdf2).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let decoy = |recipe| Self {
            recipe,
            salt: self.salt.clone(),
            tag: Zeroizing::new(vec![0; self.tag.len()]),
            purpose: Purpose::Decoy,
        };
        recipes.into_iter().map(decoy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn hash(encoded: &str) -> PasswordHash {
        PasswordHash::parse(encoded).unwrap()
    }

    /// One of each family, and others whose work adds up with it.
    fn stored() -> Vec<(String, &'static str)> {
        let tag = |bytes: usize| STANDARD_NO_PAD.encode(vec![7; bytes]);
        let (short, long) = (tag(32), tag(64));
        let bcrypt = "abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01232";
        vec![
            (format!("$argon2id$v=19$m=64,t=1,p=1${SALT}${short}"), "$argon2id$v=19$m=64,t=1,p=1$"),
            (format!("$argon2i$m=64,t=2,p=1${SALT}${short}"), "$argon2i$m=64,t=2,p=1$"),
            (format!("argon2$argon2d$v=19$m=64,t=1,p=1${SALT}${short}"), "argon2$argon2d$v=19$m=64,t=1,p=1$"),
            (format!("$2y$06${bcrypt}"), "$2y$06$"),
            (format!("bcrypt_sha256$$2b$05${bcrypt}"), "bcrypt_sha256$$2b$05$"),
            (format!("$scrypt$ln=4,r=8,p=1${SALT}${long}"), "$scrypt$ln=4,r=8,p=1$"),
            (format!("scrypt$16$saltsaltsalt$8$2${long}=="), "scrypt$16$"),
            (format!("$pbkdf2-sha512$i=1000,l=64${SALT}${long}"), "$pbkdf2-sha512$i=1000,l=64$"),
            (format!("pbkdf2_sha256$900$saltsaltsalt${short}="), "pbkdf2_sha256$900$"),
            (format!("pbkdf2_sha256$1200$saltsaltsalt${short}="), "pbkdf2_sha256$1200$"),
        ]
    }

    /// Returns the cost of a recipe, by family, in the family's unit.
    fn work(hash: &PasswordHash) -> (String, u64) {
        let recipe = hash.recipe();
        let fields: Vec<&str> = recipe.split('$').collect();
        match &hash.recipe {
            Recipe::Bcrypt(_) => ("bcrypt".to_owned(), 1 << fields[fields.len() - 2].parse::<u64>().unwrap()),
            Recipe::Pbkdf2(_) => {
                let iterations = fields[2].split([',', '=']).nth(1).unwrap();
                (fields[1].to_owned(), iterations.parse().unwrap())
            }
            _ => (PasswordHash::prefix(&recipe).to_owned(), 1),
        }
    }

    fn total<'h>(hashes: impl Iterator<Item = &'h PasswordHash>) -> std::collections::BTreeMap<String, u64> {
        let mut total = std::collections::BTreeMap::new();
        for (family, work) in hashes.map(work) {
            *total.entry(family).or_default() += work;
        }
        total
    }

    #[test]
    fn a_recipe_is_read_again_and_begins_like_the_hash_unless_that_is_spelt_in_another_way() {
        for (encoded, prefix) in stored() {
            assert_eq!(PasswordHash::prefix(&encoded), prefix);
            let recipe = hash(&encoded).recipe();
            assert_eq!(hash(&recipe).recipe(), recipe, "{encoded}");
            assert!(hash(&recipe).adds_up_with(&hash(&encoded)), "{encoded}");
        }
        for odd in ["!", "", "x$y", "$$$$"] {
            assert!(odd.starts_with(PasswordHash::prefix(odd)));
        }
    }

    #[test]
    fn a_wrong_password_comes_to_the_same_work_for_every_stored_hash_and_for_none() {
        let current = HashParameters::new(64, 1, 1).unwrap();
        for chosen in [&stored()[..4], &stored()[3..5], &stored()[5..9], &stored()[7..], &stored()[..0]] {
            let noted: Vec<String> = chosen.iter().map(|(encoded, _)| hash(encoded).recipe()).collect();
            let recipes = RecipesInUse::new(&current, noted.iter().map(String::as_str));
            let nobody = decoy(&current);
            let expected = total(std::iter::once(&nobody).chain(&recipes.without(&nobody)));
            for (encoded, _) in chosen {
                let known = hash(encoded);
                assert!(recipes.cover(&known), "{encoded}");
                let spent = total(std::iter::once(&known).chain(&recipes.without(&known)));
                assert_eq!(spent, expected, "{encoded}");
            }
        }
    }

    #[test]
    fn no_more_recipes_are_computed_than_their_bound() {
        let current = HashParameters::new(64, 1, 1).unwrap();
        let noted: Vec<String> =
            (65..100).map(|memory_kib| decoy(&HashParameters::new(memory_kib, 1, 1).unwrap()).recipe()).collect();
        let recipes = RecipesInUse::new(&current, noted.iter().map(String::as_str));
        assert_eq!(recipes.without(&decoy(&current)).len(), RECIPES_MAX);
        assert!(!recipes.cover(&hash(&noted[20])));
    }
}

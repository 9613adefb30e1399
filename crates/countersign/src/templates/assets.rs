//! The style sheets, scripts and drawings of the pages. The URL of each changes with its content, so that browsers may cache it
//! forever.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Their path on the site.
const FOLDER: &str = "/assets";
/// Enough bytes of the hash to tell any two sets of files apart.
const VERSION_BYTES: usize = 9;

/// A file that pages fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asset {
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: String,
}

/// The files that pages fetch.
#[derive(Clone, Debug)]
pub struct Assets {
    version: String,
    files: BTreeMap<String, Asset>,
}

macro_rules! embedded {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../../assets/pages/", $name)))),*] };
}

const EMBEDDED: [(&str, &str); 9] = embedded![
    "challenge.js",
    "favicon.svg",
    "forms.js",
    "more.js",
    "passwords.js",
    "picture.js",
    "site.css",
    "site.js",
    "theme.js",
];

/// Returns the library's own files.
pub(super) fn embedded() -> BTreeMap<String, String> {
    EMBEDDED.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect()
}

/// Returns the media type for a file name's extension; `None` for files that pages do not fetch.
pub(super) fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml; charset=utf-8"),
        _ => None,
    }
}

impl Assets {
    /// Makes one version for all files, because scripts refer to each other by relative URLs.
    pub(super) fn new(files: BTreeMap<String, String>) -> Self {
        let mut hash = Sha256::new();
        for (name, content) in &files {
            for part in [name, content] {
                hash.update(part.len().to_be_bytes());
                hash.update(part);
            }
        }
        let version = URL_SAFE_NO_PAD.encode(&hash.finalize()[..VERSION_BYTES]);
        let files = files.into_iter().filter_map(|(name, content)| {
            let media_type = media_type(&name)?;
            Some((name, Asset { media_type, content }))
        });
        Self { version, files: files.collect() }
    }

    /// Returns the path of a file; `None` if there is none of this name.
    pub fn url(&self, name: &str) -> Option<String> {
        self.files.contains_key(name).then(|| format!("{FOLDER}/{}/{name}", self.version))
    }

    /// Returns the file of this name.
    pub fn find(&self, name: &str) -> Option<&Asset> {
        self.files.get(name)
    }

    /// Returns the part of the paths that changes with the content of any file.
    pub fn version(&self) -> &str {
        &self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_changes_with_the_content_of_any_file() {
        let before = Assets::new(embedded());
        let mut files = embedded();
        files.insert("theme.js".to_owned(), "// another".to_owned());
        let after = Assets::new(files);
        assert_ne!(before.url("site.css"), after.url("site.css"));
        assert_eq!(before.url("site.css"), Assets::new(embedded()).url("site.css"));
        assert_eq!(before.url("nothing.css"), None);
    }
}

//! Reads templates, texts and assets from an operator's folder.

use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use super::assets::media_type;
use crate::catalogue::TextFile;
use crate::model::Language;

/// Limits of files, bytes in each, and depth, so that a folder given by mistake is not read to its end.
const FILES_MAX: usize = 1_000;
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const DEPTH_MAX: usize = 4;

/// The files of a folder.
#[derive(Default)]
pub(super) struct Found {
    pub(super) templates: Vec<(String, String)>,
    pub(super) texts: Vec<TextFile>,
    pub(super) assets: Vec<(String, String)>,
}

/// Reads `*.html` and `*.txt` as templates, `locales/*.ftl` as texts, and files in `assets` with a known extension as assets.
/// Ignores other files, and those whose name starts with a dot.
pub(super) fn read(folder: &Path, problems: &mut Vec<String>) -> Found {
    let mut found = Found::default();
    read_level(folder, "", 0, &mut found, problems);
    found
}

fn read_level(folder: &Path, prefix: &str, depth: usize, found: &mut Found, problems: &mut Vec<String>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return problems.push(format!("the folder {} cannot be read: {error}", folder.display())),
    };
    let mut paths: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).take(FILES_MAX).collect();
    paths.sort();
    for path in paths {
        let Some(name) = path.file_name().and_then(OsStr::to_str).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            if depth < DEPTH_MAX {
                read_level(&path, &format!("{name}/"), depth + 1, found, problems);
            }
            continue;
        }
        let tag = name.strip_prefix("locales/").and_then(|name| name.strip_suffix(".ftl"));
        let is_template = [".html", ".txt"].iter().any(|ending| name.ends_with(ending));
        let asset = name.strip_prefix("assets/").filter(|name| media_type(name).is_some());
        if tag.is_none() && !is_template && asset.is_none() {
            continue;
        }
        if found.templates.len() + found.texts.len() + found.assets.len() >= FILES_MAX {
            return problems.push(format!("the folder {} has more than {FILES_MAX} files", folder.display()));
        }
        let source = match read_file(&path) {
            Ok(source) => source,
            Err(reason) => {
                problems.push(format!("{name}: {reason}"));
                continue;
            }
        };
        if let Some(asset) = asset {
            found.assets.push((asset.to_owned(), source));
            continue;
        }
        match tag.map(Language::parse) {
            None => found.templates.push((name, source)),
            Some(Ok(language)) => found.texts.push(TextFile { name, language, source }),
            Some(Err(invalid)) => problems.push(format!("{name}: its name is no language; {invalid}")),
        }
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut source = String::new();
    fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut source))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if source.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(source)
}

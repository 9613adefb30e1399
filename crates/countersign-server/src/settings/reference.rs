//! Renders `docs/settings.md`; its words are the doc comments of the definitions.

use std::fmt::Write as _;

use conf::Conf;

use super::ShellSettings;
use super::load::{name, options};
use crate::Host;

/// Returns the reference of all settings of a host application, in Markdown.
pub fn settings_reference<H: Host>() -> String {
    let mut text = String::from(
        "# Settings\n\n\
         Generated from the definitions in the code. Do not edit; run the tests with `UPDATE_DOCS=1` instead.\n\n\
         A setting is read from the environment, then from `.env` in the working directory; otherwise its default \
         applies. Names are case-insensitive, and an empty value counts as not set. A secret can also be read from a \
         file: `SECRET_KEY_FILE=/run/secrets/key` instead of `SECRET_KEY`. The `settings` command shows each effective \
         value and its source.\n",
    );
    section::<ShellSettings>(&mut text, "For every application");
    section::<H::Settings>(&mut text, &format!("For {} alone", H::NAME));
    text
}

fn section<C: Conf>(text: &mut String, title: &str) {
    let rows: Vec<String> = options::<C>()
        .map(|option| {
            let default = match &option.default_help_str {
                Some(default) if default.to_string().contains(' ') => default.to_string(),
                Some(default) => format!("`{default}`"),
                None => "none".to_owned(),
            };
            let meaning = option.description.as_deref().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
            let secret = if option.is_secret() { "yes" } else { "" };
            format!("| `{}` | {default} | {secret} | {} |\n", name(&option), meaning.trim())
        })
        .collect();
    if !rows.is_empty() {
        // Writing to a string cannot fail.
        let _ =
            write!(text, "\n## {title}\n\n| name | default | secret | meaning |\n|---|---|---|---|\n{}", rows.concat());
    }
}

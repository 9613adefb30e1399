//! Decides how a fuzzer gives texts of its choice to what renders Markdown, and what has to hold whatever they are.

/// Renders a text in every way that pages do.
///
/// # Panics
/// When something comes out that could run or load anything.
pub fn markdown(text: &str) {
    crate::pages::assert_markdown_is_harmless(text);
}

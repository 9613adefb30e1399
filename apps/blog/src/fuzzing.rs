//! The fuzzing entry point of the Markdown renderer.

/// Renders a text in every way that pages do.
///
/// # Panics
/// If the output could run or load anything.
pub fn markdown(text: &str) {
    crate::pages::assert_markdown_is_harmless(text);
}

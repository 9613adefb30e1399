//! Writes the tags of blocks with their own text direction, and tables in a scrollable box for small screens. Separate
//! because the Markdown parser's HTML writer supports no attributes.

use pulldown_cmark::{Event, Tag, TagEnd};

/// Writes the tags of blocks.
pub(super) struct Blocks<'l> {
    /// The accessible name of tables; without it they are not put in a scrollable box.
    table: Option<&'l str>,
    /// Whether the innermost open block is still empty; it then takes its direction from its first child.
    first: bool,
    /// The tag of table cells.
    cell: &'static str,
}

impl<'l> Blocks<'l> {
    pub(super) fn new(table: Option<&'l str>) -> Self {
        Self { table, first: false, cell: "td" }
    }

    /// Returns the event, as HTML if it opens or closes a block.
    pub(super) fn written<'t>(&mut self, event: Event<'t>) -> Event<'t> {
        let html = match &event {
            Event::Start(Tag::Paragraph) => self.line("p"),
            Event::Start(Tag::Heading { level, .. }) => self.line(&level.to_string()),
            Event::Start(Tag::TableCell) => self.line(self.cell),
            Event::Start(Tag::Item) => self.container("li"),
            Event::Start(Tag::BlockQuote(_)) => self.container("blockquote"),
            Event::Start(Tag::Table(_)) => match self.table {
                Some(name) => {
                    let name = name.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
                    // Focusable, so that it can be scrolled by keyboard. Not a landmark, because a list would contain
                    // many with the same name.
                    let group = format!("div role=\"group\" tabindex=\"0\" aria-label=\"{name}\"");
                    format!("{}<table>", self.container(&group))
                }
                None => self.container("table"),
            },
            Event::End(TagEnd::Table) => {
                format!("</tbody></table>{}\n", if self.table.is_some() { "</div>" } else { "" })
            }
            // Code is left-to-right in any context.
            Event::Start(Tag::CodeBlock(_)) => "<pre dir=\"ltr\"><code>".to_owned(),
            Event::Start(Tag::TableHead) => {
                self.cell = "th";
                return event;
            }
            Event::End(TagEnd::TableHead) => {
                self.cell = "td";
                return event;
            }
            // Their items and cells have their own directions.
            Event::Start(Tag::List(_) | Tag::TableRow) => return event,
            _ => {
                self.first = false;
                return event;
            }
        };
        self.first &= !matches!(event, Event::Start(Tag::CodeBlock(_)) | Event::End(_));
        Event::Html(html.into())
    }

    /// Opens a block that contains only text.
    fn line(&mut self, name: &str) -> String {
        let html = self.opened(name);
        self.first = false;
        html
    }

    /// Opens a block that contains blocks. It takes the direction of its first child, which gets no `dir` attribute,
    /// because browsers ignore children that have one.
    fn container(&mut self, name: &str) -> String {
        let html = self.opened(name);
        self.first = true;
        html
    }

    fn opened(&self, name: &str) -> String {
        format!("<{name}{}>", if self.first { "" } else { " dir=\"auto\"" })
    }
}

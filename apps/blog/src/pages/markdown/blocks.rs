//! The tags of blocks, with what readers of other scripts and of small screens need of them: a direction of their own, and tables in
//! a box that scrolls. It is apart because the writer of the Markdown parser knows no attributes.

use pulldown_cmark::{Event, Tag, TagEnd};

/// Writes the tags of blocks.
pub(super) struct Blocks<'l> {
    /// What a table is called for those who do not see it; where nothing is, nothing scrolls.
    table: Option<&'l str>,
    /// Whether nothing has come yet in what was opened last, which then takes its direction from what comes.
    first: bool,
    /// What cells are.
    cell: &'static str,
}

impl<'l> Blocks<'l> {
    pub(super) fn new(table: Option<&'l str>) -> Self {
        Self { table, first: false, cell: "td" }
    }

    /// The event, as HTML where it opens or closes a block.
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
                    // A box that can be scrolled by keyboard, too. A landmark it is not: in a list there would be many of one name.
                    let group = format!("div role=\"group\" tabindex=\"0\" aria-label=\"{name}\"");
                    format!("{}<table>", self.container(&group))
                }
                None => self.container("table"),
            },
            Event::End(TagEnd::Table) => {
                format!("</tbody></table>{}\n", if self.table.is_some() { "</div>" } else { "" })
            }
            // Code is written from left to right whatever stands around it.
            Event::Start(Tag::CodeBlock(_)) => "<pre dir=\"ltr\"><code>".to_owned(),
            Event::Start(Tag::TableHead) => {
                self.cell = "th";
                return event;
            }
            Event::End(TagEnd::TableHead) => {
                self.cell = "td";
                return event;
            }
            // Their items and cells have a direction each.
            Event::Start(Tag::List(_) | Tag::TableRow) => return event,
            _ => {
                self.first = false;
                return event;
            }
        };
        self.first &= !matches!(event, Event::Start(Tag::CodeBlock(_)) | Event::End(_));
        Event::Html(html.into())
    }

    /// A block with nothing but text in it.
    fn line(&mut self, name: &str) -> String {
        let html = self.opened(name);
        self.first = false;
        html
    }

    /// A block with blocks in it. Its direction is that of the first: a browser does not look for one in what has its own.
    fn container(&mut self, name: &str) -> String {
        let html = self.opened(name);
        self.first = true;
        html
    }

    fn opened(&self, name: &str) -> String {
        format!("<{name}{}>", if self.first { "" } else { " dir=\"auto\"" })
    }
}

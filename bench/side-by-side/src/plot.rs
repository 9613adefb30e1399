//! Drawings of measurements as SVG: horizontal bars with their values, lines from the lowest round to the highest, and a labelled
//! axis, in colours for light and dark pages.

use std::fmt::Write as _;

use bench_kit::report::short;
use bench_kit::rounds::Rounds;

const WIDTH: f64 = 760.0;
/// The width of the names, left of the bars.
const NAMES: f64 = 200.0;
/// The width of the values, right of the longest bar.
const VALUES: f64 = 90.0;
const TOP: f64 = 44.0;
const BAR: f64 = 20.0;
const STEP: f64 = 30.0;
const BOTTOM: f64 = 46.0;
/// If the largest bar is more than this times the smallest, the axis is logarithmic.
const LINEAR_MAX: f64 = 50.0;

pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) rounds: Rounds,
    /// Drawn in the highlight colour.
    pub(crate) is_ours: bool,
}

/// Maps values to places on the axis.
struct Scale {
    is_logarithmic: bool,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(bars: &[Bar]) -> Self {
        let highest = bars.iter().map(|bar| bar.rounds.max()).fold(0.0, f64::max);
        let lowest = bars.iter().map(|bar| bar.rounds.min()).fold(f64::INFINITY, f64::min);
        if lowest > 0.0 && highest / lowest > LINEAR_MAX {
            let (from, to) = (10_f64.powf(lowest.log10().floor()), 10_f64.powf(highest.log10().ceil()));
            // The lowest bar has to have a length.
            let from = if lowest / from < 1.5 { from / 10.0 } else { from };
            return Self { is_logarithmic: true, from, to };
        }
        let step = step(highest);
        Self { is_logarithmic: false, from: 0.0, to: (highest / step).ceil().max(1.0) * step }
    }

    fn place(&self, value: f64) -> f64 {
        let share = if self.is_logarithmic {
            (value.max(self.from) / self.from).log10() / (self.to / self.from).log10()
        } else {
            value / self.to
        };
        NAMES + share.clamp(0.0, 1.0) * (WIDTH - NAMES - VALUES)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut tick = self.from;
        while tick <= self.to * 1.000_001 {
            ticks.push(tick);
            tick = if self.is_logarithmic { tick * 10.0 } else { tick + step(self.to) };
        }
        ticks
    }
}

/// A round number, about a fifth of the highest value.
fn step(highest: f64) -> f64 {
    let raw = highest.max(f64::MIN_POSITIVE) / 5.0;
    let size = 10_f64.powf(raw.log10().floor());
    let times = [1.0, 2.0, 5.0].into_iter().find(|times| times * size >= raw).unwrap_or(10.0);
    times * size
}

/// The file's text.
pub(crate) fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let scale = Scale::of(bars);
    let bottom = TOP + STEP * bars.len() as f64;
    let height = bottom + BOTTOM;
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img">
<title>{title}</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #24292f; }}
.page {{ fill: #ffffff; }}
.title {{ font-weight: 600; font-size: 15px; }}
.small {{ font-size: 11px; }}
.grid {{ stroke: #d0d7de; }}
.bar {{ fill: #8c959f; }}
.ours {{ fill: #0969da; }}
.range {{ stroke: #24292f; stroke-width: 1.5; }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e6edf3; }}
.page {{ fill: #0d1117; }}
.grid {{ stroke: #3d444d; }}
.bar {{ fill: #656d76; }}
.ours {{ fill: #4493f8; }}
.range {{ stroke: #e6edf3; }}
}}
</style>
<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>
<text class="title" x="12" y="24">{title}</text>
"#,
        title = escape(title),
    );
    for tick in scale.ticks() {
        let x = scale.place(tick);
        line(&mut svg, format_args!(r#"<line class="grid" x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom}"/>"#));
        let y = bottom + 16.0;
        line(
            &mut svg,
            format_args!(r#"<text class="small" x="{x:.1}" y="{y}" text-anchor="middle">{}</text>"#, short(tick)),
        );
    }
    let axis = if scale.is_logarithmic { format!("{unit} (logarithmic)") } else { unit.to_owned() };
    let (x, y) = (f64::midpoint(NAMES, WIDTH - VALUES), bottom + 36.0);
    line(
        &mut svg,
        format_args!(r#"<text class="small" x="{x}" y="{y}" text-anchor="middle">{}</text>"#, escape(&axis)),
    );
    for (number, bar) in bars.iter().enumerate() {
        let y = TOP + STEP * number as f64 + (STEP - BAR) / 2.0;
        let (middle, baseline) = (y + BAR / 2.0, y + BAR / 2.0 + 4.5);
        let class = if bar.is_ours { "ours" } else { "bar" };
        let end = scale.place(bar.rounds.median());
        let (low, high) = (scale.place(bar.rounds.min()), scale.place(bar.rounds.max()));
        let (names, name) = (NAMES - 8.0, escape(&bar.name));
        line(&mut svg, format_args!(r#"<text x="{names}" y="{baseline}" text-anchor="end">{name}</text>"#));
        let width = end - NAMES;
        line(
            &mut svg,
            format_args!(r#"<rect class="{class}" x="{NAMES}" y="{y}" width="{width:.1}" height="{BAR}" rx="2"/>"#),
        );
        line(
            &mut svg,
            format_args!(r#"<line class="range" x1="{low:.1}" y1="{middle}" x2="{high:.1}" y2="{middle}"/>"#),
        );
        let after = end.max(high) + 6.0;
        line(&mut svg, format_args!(r#"<text x="{after:.1}" y="{baseline}">{}</text>"#, short(bar.rounds.median())));
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{text}");
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, value: f64) -> Bar {
        Bar { name: name.to_owned(), rounds: Rounds(vec![value]), is_ours: name == "blog" }
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let scale = Scale::of(&[bar("blog", 80.0), bar("other", 40.0)]);
        assert!(!scale.is_logarithmic);
        assert!((scale.to - 80.0).abs() < 1e-9);
        assert!((scale.place(80.0) - NAMES - 2.0 * (scale.place(40.0) - NAMES)).abs() < 1e-9);
        assert_eq!(scale.ticks().len(), 5);
    }

    #[test]
    fn far_apart_values_get_a_logarithmic_axis_that_says_so() {
        let all = [bar("blog", 50_000.0), bar("other", 120.0)];
        let scale = Scale::of(&all);
        assert!(scale.is_logarithmic && (scale.from - 10.0).abs() < 1e-9 && (scale.to - 100_000.0).abs() < 1e-6);
        assert!(bars("GET /me", "requests/s", &all).contains("requests/s (logarithmic)"));
    }

    #[test]
    fn a_drawing_has_a_bar_for_each_contestant_and_colours_for_dark_pages() {
        let svg = bars("A < B", "ms", &[bar("blog", 1.0), bar("a & b", 2.0)]);
        assert_eq!(svg.matches("<rect class=\"bar\"").count(), 1);
        assert_eq!(svg.matches(r#"class="ours""#).count(), 1);
        assert!(svg.contains("<title>A &lt; B</title>") && svg.contains("a &amp; b"));
        assert!(svg.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn zero_can_be_drawn() {
        assert!(bars("unanswered", "", &[bar("blog", 0.0)]).contains("<rect class=\"ours\""));
    }
}

//! One picture: marks on two axes, drawn with `plotters` and dressed for the page.
//!
//! plotters knows neither classes nor hover titles, and any colour that it could write suits only one of light and dark. So each
//! mark is painted in a colour that is its number, and afterwards each colour is exchanged for its mark's class and title.

use maud::{Markup, PreEscaped, Render, html};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::prelude::{ChartBuilder, IntoDrawingArea, IntoFont, RGBColor, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::words;

/// A picture before it is drawn. Sizes are those of the drawing; the page scales it.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Its width.
    pub width: u32,
    /// The height that its axes span.
    pub inner_height: u32,
    /// Room for what is written left of it.
    pub left: u32,
    /// Across.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
    /// What is drawn, the first at the bottom.
    pub marks: Vec<Mark>,
}

/// Something drawn.
#[derive(Clone, Debug)]
pub struct Mark {
    /// What it is.
    pub shape: Shape,
    /// How it looks: classes of the page's style sheet.
    pub class: &'static str,
    /// What is shown when somebody points at it.
    pub title: String,
}

/// Shapes, in the axes' values.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A rectangle between two values across and two upwards.
    Bar((f64, f64), (f64, f64)),
    /// A line through points.
    Line(Vec<(f64, f64)>),
    /// A dot.
    Dot((f64, f64)),
    /// Words that begin at a place, in the middle of its height.
    WordsAfter((f64, f64), String),
    /// Words that end there.
    WordsBefore((f64, f64), String),
}

/// Room above the axes, for words.
const TOP: u32 = 20;
/// Room right of them, for half of the last label.
const RIGHT: u32 = 26;
/// Room below for the labels and the title of the axis across, or for the labels alone.
const BOTTOM: u32 = 44;
const BOTTOM_UNTITLED: u32 = 24;

impl Picture {
    /// How high the whole picture is.
    pub fn height(&self) -> u32 {
        TOP + self.inner_height + self.bottom()
    }

    fn bottom(&self) -> u32 {
        if self.x.title.is_empty() { BOTTOM_UNTITLED } else { BOTTOM }
    }

    /// What one unit of the drawing's width is worth on the axis across.
    pub fn unit_x(&self) -> f64 {
        let inner = self.width.saturating_sub(self.left + RIGHT).max(1);
        (self.x.to - self.x.from) / f64::from(inner)
    }

    /// Adds a mark.
    pub fn add(&mut self, shape: Shape, class: &'static str, title: impl Into<String>) {
        self.marks.push(Mark { shape, class, title: title.into() });
    }

    /// Adds an upright line over the whole height.
    pub fn rule(&mut self, x: f64, class: &'static str, title: impl Into<String>) {
        let line = Shape::Line(vec![(x, self.y.from), (x, self.y.to)]);
        self.add(line, class, title);
    }

    /// Draws it. Who cannot see it is told `finding`.
    pub fn draw(&self, finding: &str) -> Markup {
        let mut drawn = String::new();
        match self.paint(&mut drawn) {
            Ok(()) => html! {
                svg class="plot" viewBox=(format!("0 0 {} {}", self.width, self.height())) role="img" aria-label=(finding) {
                    (PreEscaped(self.dressed(&drawn)))
                }
            },
            Err(error) => html! { p { "This picture could not be drawn: " (error.to_string()) } },
        }
    }

    fn paint(&self, drawn: &mut String) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let area = SVGBackend::with_string(drawn, (self.width, self.height())).into_drawing_area();
        let mut chart = ChartBuilder::on(&area)
            .margin_top(TOP)
            .margin_right(RIGHT)
            .x_label_area_size(self.bottom())
            .y_label_area_size(self.left)
            .build_cartesian_2d(Ruler(self.x.clone()), Ruler(self.y.clone()))?;
        let mut mesh = chart.configure_mesh();
        mesh.set_all_tick_mark_size(3)
            .x_desc(&self.x.title)
            .y_desc(&self.y.title)
            .label_style(writing(TICK))
            .axis_desc_style(writing(NAME));
        mesh.axis_style(number(AXIS)).bold_line_style(number(GRID));
        if !self.x.grid {
            mesh.disable_x_mesh();
        }
        if !self.y.grid {
            mesh.disable_y_mesh();
        }
        mesh.draw()?;
        for (mark, index) in self.marks.iter().zip(0..AXIS) {
            let style = ShapeStyle { color: number(index).to_rgba(), filled: true, stroke_width: 1 };
            let words = |at: (f64, f64), text: &str, side| {
                Text::new(words::fitted(text, 200), at, writing(index).pos(Pos::new(side, VPos::Center)))
            };
            match &mark.shape {
                Shape::Bar(x, y) => chart.draw_series([Rectangle::new([(x.0, y.0), (x.1, y.1)], style)]).map(drop),
                Shape::Line(points) => chart.draw_series([PathElement::new(points.clone(), style)]).map(drop),
                Shape::Dot(at) => chart.draw_series([Circle::new(*at, 4, style)]).map(drop),
                Shape::WordsAfter(at, text) => chart.draw_series([words(*at, text, HPos::Left)]).map(drop),
                Shape::WordsBefore(at, text) => chart.draw_series([words(*at, text, HPos::Right)]).map(drop),
            }?;
        }
        area.present()
    }

    /// The drawing with classes and titles for colours. The backend writes one tag a line, and nothing else begins with `<`.
    fn dressed(&self, drawn: &str) -> String {
        let mut page = String::with_capacity(drawn.len());
        for line in drawn.lines().filter(|line| !line.starts_with("<svg") && !line.starts_with("</svg")) {
            let Some(tag) = line.strip_prefix('<').filter(|tag| !tag.starts_with('/')) else {
                page.push_str(line);
                continue;
            };
            let name = tag.split([' ', '>']).next().unwrap_or_default();
            let pairs: Vec<_> = tag[name.len()..].split('"').collect();
            let pairs = || pairs.chunks_exact(2).map(|pair| (pair[0].trim_matches([' ', '=']), pair[1].trim_end()));
            let colour = pairs().find_map(|(_, value)| u32::from_str_radix(value.strip_prefix('#')?, 16).ok());
            let (class, title) = self.dress(colour.unwrap_or(AXIS));
            page.push_str(&format!("<{name} class=\"{class}\""));
            for (key, value) in pairs().filter(|(key, _)| KEPT.contains(key)) {
                page.push_str(&format!(" {key}=\"{value}\""));
            }
            match (line.ends_with("/>"), title.is_empty()) {
                (false, _) => page.push('>'),
                (true, true) => page.push_str("/>"),
                (true, false) => {
                    let title = html! { title { (title) } }.render().into_string();
                    page.push_str(&format!(">{title}</{name}>"));
                }
            }
        }
        page
    }

    fn dress(&self, colour: u32) -> (&'static str, &str) {
        match colour {
            AXIS => ("axis", ""),
            GRID => ("grid", ""),
            TICK => ("tick", ""),
            NAME => ("name", ""),
            index => self.marks.get(index as usize).map_or(("axis", ""), |mark| (mark.class, &mark.title)),
        }
    }
}

/// An axis as plotters reads it.
struct Ruler(Axis);

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        let share = (value - self.0.from) / (self.0.to - self.0.from);
        // A little outside there is room for words; far outside nothing is to be seen.
        let share = if share.is_finite() { share.clamp(-1.0, 2.0) } else { 0.0 };
        first + (share * f64::from(last - first)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        self.0.ticks.iter().map(|(tick, _)| *tick).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.0.from..self.0.to
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, value: &f64) -> String {
        self.0.label(*value)
    }
}

/// What stays of the backend's attributes; the style sheet knows the rest.
const KEPT: &[&str] =
    &["x", "y", "width", "height", "x1", "y1", "x2", "y2", "cx", "cy", "r", "points", "dy", "text-anchor", "transform"];

// Colours of what is no mark: above every mark's number.
const AXIS: u32 = 0xFF_FFFC;
const GRID: u32 = 0xFF_FFFD;
const TICK: u32 = 0xFF_FFFE;
const NAME: u32 = 0xFF_FFFF;

fn number(index: u32) -> RGBColor {
    let [_, red, green, blue] = index.to_be_bytes();
    RGBColor(red, green, blue)
}

fn writing(index: u32) -> TextStyle<'static> {
    ("sans-serif", 14).into_font().color(&number(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let rows = Axis::rows(["<b>&".to_owned()].into_iter());
        Picture { width: 300, inner_height: 140, left: 60, x: Axis::time(10_000, 5), y: rows, marks: vec![] }
    }

    #[test]
    fn a_mark_keeps_its_class_and_title() {
        let mut picture = picture();
        picture.add(Shape::Bar((0.0, 5_000.0), (0.0, 1.0)), "first", "<i>title</i>");
        picture.add(Shape::Line(vec![(0.0, 0.0), (9_000.0, 1.0)]), "second", "");
        let svg = picture.draw("A bar & a line").into_string();
        assert!(svg.contains("role=\"img\" aria-label=\"A bar &amp; a line\""), "{svg}");
        assert!(svg.contains("<rect class=\"first\" x=\"60\""), "{svg}");
        assert!(svg.contains("<title>&lt;i&gt;title&lt;/i&gt;</title></rect>"), "{svg}");
        assert!(svg.contains("<polyline class=\"second\" points="), "{svg}");
        assert!(svg.contains("&lt;b&gt;&amp;") && !svg.contains("<b>"), "{svg}");
        assert!(!svg.contains('#'), "no colour is left: {svg}");
    }

    #[test]
    fn words_stay_on_their_line() {
        let mut picture = picture();
        picture.add(Shape::WordsAfter((0.0, 0.5), "one\n<script>two".to_owned()), "label", "");
        let svg = picture.draw("").into_string();
        assert!(svg.contains("one &lt;script&gt;two") && !svg.contains("<script"), "{svg}");
    }
}

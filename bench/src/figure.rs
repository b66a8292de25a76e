//! Horizontal bars on logarithmic scales, as SVG.

use std::fmt::Write as _;

/// Rows of two panels side by side; the labels of the bars stand on the left.
#[derive(Debug)]
pub(crate) struct Figure {
    pub(crate) title: String,
    /// Small print below the title.
    pub(crate) notes: Vec<String>,
    pub(crate) rows: Vec<[Panel; 2]>,
    /// For each row: whether its panels have one scale, so that bars compare across.
    pub(crate) shared_scale: Vec<bool>,
}

/// One set of bars.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    /// How values are written.
    pub(crate) unit: fn(f64) -> String,
    /// What the values at neighbouring marks of the scale differ by.
    pub(crate) base: f64,
    pub(crate) bars: Vec<Bar>,
    /// Where a dashed line goes from top to bottom.
    pub(crate) reference: Option<f64>,
}

/// One bar; without a value, its place stays empty.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) label: String,
    pub(crate) value: Option<f64>,
    pub(crate) tone: Tone,
}

/// The colour of a bar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Ours,
    Yardstick,
    Rust,
    Other,
}

impl Tone {
    fn colour(self) -> &'static str {
        match self {
            Self::Ours => "#d9480f",
            Self::Yardstick => "#343a40",
            Self::Rust => "#5c7cad",
            Self::Other => "#a5b1c2",
        }
    }
}

const WIDTH: f64 = 1120.0;
const MARGIN: f64 = 24.0;
/// The column of labels.
const LABELS: f64 = 268.0;
/// Between the panels of a row.
const GAP: f64 = 28.0;
const HEAD: f64 = 84.0;
const PANEL_HEAD: f64 = 34.0;
const LINE: f64 = 24.0;
const BAR: f64 = 15.0;
const PANEL_FOOT: f64 = 44.0;
/// Right of the longest bar, for its value.
const VALUE: f64 = 62.0;

/// A logarithmic scale between two powers of its base.
#[derive(Clone, Copy, Debug)]
struct Scale {
    base: f64,
    low: i32,
    high: i32,
}

impl Scale {
    /// One on which all values have a bar that can be seen.
    #[expect(clippy::cast_possible_truncation, reason = "exponents are small")]
    fn over(base: f64, values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).max(1e-9);
        let high = values.fold(1e-9, f64::max).max(low);
        let low_exponent = (low / 1.5).log(base).floor() as i32;
        Self { base, low: low_exponent, high: (high.log(base).ceil() as i32).max(low_exponent + 1) }
    }

    /// Where a value lies, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        ((value.log(self.base) - f64::from(self.low)) / f64::from(self.high - self.low)).clamp(0.0, 1.0)
    }
}

impl Figure {
    /// The whole picture.
    pub(crate) fn to_svg(&self) -> String {
        let heights: Vec<f64> = self.rows.iter().map(|row| height(&row[0])).collect();
        let total = HEAD + heights.iter().sum::<f64>() + MARGIN / 2.0;
        let mut svg = Svg(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" width=\"{WIDTH}\" \
             height=\"{total}\" font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" font-size=\"13\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        ));
        svg.text(MARGIN, 34.0, "font-size=\"20\" font-weight=\"600\" fill=\"#212529\"", &self.title);
        let notes = format!("{} · logarithmic scale, shorter is better", self.notes.join(" · "));
        svg.text(MARGIN, 57.0, "font-size=\"12\" fill=\"#6c757d\"", &notes);
        let mut top = HEAD;
        for ((row, shared), height) in self.rows.iter().zip(&self.shared_scale).zip(heights) {
            draw_row(&mut svg, row, *shared, top);
            top += height;
        }
        svg.0 + "</svg>\n"
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are few bars")]
fn height(panel: &Panel) -> f64 {
    PANEL_HEAD + LINE * panel.bars.len() as f64 + PANEL_FOOT
}

fn draw_row(svg: &mut Svg, row: &[Panel; 2], shared: bool, top: f64) {
    let mut y = top + PANEL_HEAD;
    for bar in &row[0].bars {
        let style = match bar.tone {
            Tone::Ours => "text-anchor=\"end\" font-weight=\"600\" fill=\"#d9480f\"",
            _ => "text-anchor=\"end\" fill=\"#343a40\"",
        };
        svg.text(MARGIN + LABELS - 10.0, y + LINE / 2.0 + 4.5, style, &bar.label);
        y += LINE;
    }
    let both = Scale::over(row[0].base, row.iter().flat_map(values));
    let width = (WIDTH - 2.0 * MARGIN - LABELS - GAP) / 2.0;
    let mut left = MARGIN + LABELS;
    for panel in row {
        let scale = if shared { both } else { Scale::over(panel.base, values(panel)) };
        panel.draw(svg, scale, left, top, width);
        left += width + GAP;
    }
}

fn values(panel: &Panel) -> impl Iterator<Item = f64> + Clone {
    panel.bars.iter().filter_map(|bar| bar.value)
}

impl Panel {
    fn draw(&self, svg: &mut Svg, scale: Scale, left: f64, top: f64, width: f64) {
        let x = |value: f64| left + scale.place(value) * (width - VALUE);
        let (first, last) = (top + PANEL_HEAD, top + height(self) - PANEL_FOOT);
        svg.text(left, top + 20.0, "font-size=\"14\" font-weight=\"600\" fill=\"#212529\"", &self.title);
        for exponent in scale.low..=scale.high {
            let value = scale.base.powi(exponent);
            svg.vertical(x(value), first, last, "#e9ecef", "");
            let style = "text-anchor=\"middle\" font-size=\"11\" fill=\"#868e96\"";
            svg.text(x(value), last + 16.0, style, &(self.unit)(value));
        }
        let rows = || (0..).map(|row| first + LINE * f64::from(row)).zip(&self.bars);
        let bars = || rows().filter_map(|(y, bar)| Some((y, bar.value?, bar.tone)));
        for (y, value, tone) in bars() {
            svg.bar(left, y + (LINE - BAR) / 2.0, x(value) - left, tone.colour());
        }
        if let Some(value) = self.reference {
            svg.vertical(
                x(value),
                first,
                last,
                "#343a40",
                " stroke-dasharray=\"3 3\" stroke-opacity=\"0.55\"",
            );
        }
        for (y, value, _) in bars() {
            let style = "font-size=\"12\" fill=\"#343a40\" stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\"";
            svg.text(x(value) + 5.0, y + LINE / 2.0 + 4.5, style, &(self.unit)(value));
        }
    }
}

/// The text of the picture so far.
#[derive(Debug)]
struct Svg(String);

impl Svg {
    fn text(&mut self, x: f64, y: f64, style: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.line(format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{text}</text>"));
    }

    fn vertical(&mut self, x: f64, top: f64, bottom: f64, colour: &str, style: &str) {
        self.line(format_args!(
            "<line x1=\"{x:.1}\" y1=\"{top:.1}\" x2=\"{x:.1}\" y2=\"{bottom:.1}\" stroke=\"{colour}\"{style}/>"
        ));
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, colour: &str) {
        self.line(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\" fill=\"{colour}\"/>"
        ));
    }

    fn line(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _infallible = writeln!(self.0, "{element}");
    }
}

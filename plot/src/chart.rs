//! What all charts have: axes, title, frame and legend, on a white ground.

use crate::{Picture, PlotError, Result};
use image::RgbImage;
use plotters::coord::{Shift, types::RangedCoordf64};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::sync::Once;

pub type Root<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
pub type Plane<'a> =
    ChartContext<'a, BitMapBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PlotError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(format!("drawing failed: {error}"))
    }
}

// Pixels, for a figure of 6 x 4 inches at 200 dots an inch.
const SIZE: (u32, u32) = (1200, 800);
/// The side of a map.
pub const SQUARE: u32 = 600;
const BESIDE_SQUARE: u32 = 180;
const MARGIN: u32 = 24;
const ROW: i32 = 42;

/// An axis; one that is logarithmic is an axis of the values' logarithms.
#[derive(Clone, Copy)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    is_log: bool,
}

impl Axis {
    pub fn new(low: f64, high: f64, is_log: bool) -> Self {
        Self { low, high, is_log }
    }

    /// An axis around values, with a margin of a share at both ends.
    pub fn around(values: impl Iterator<Item = f64>, is_log: bool, margin: f64) -> Self {
        let values = values.map(|v| Self::new(0.0, 1.0, is_log).at(v));
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let (low, high) = values.fold(start, |(low, high), v| (low.min(v), high.max(v)));
        // Values that are all alike need room around them.
        let room =
            if high - low > 1e-9 * low.abs().max(high.abs()) { 0.0 } else { 0.05 * high.abs() };
        let room = if high - low + room > 1e-200 { room } else { 0.5 } + margin * (high - low);
        Self::new(low - room, high + room, is_log)
    }

    /// Where a value lies.
    pub fn at(&self, value: f64) -> f64 {
        if self.is_log { value.log10() } else { value }
    }

    pub fn label(&self, at: f64) -> String {
        let value = if self.is_log { 10_f64.powf(at) } else { at };
        let size = if self.is_log { value } else { self.low.abs().max(self.high.abs()) };
        // Plotters' ticks are multiples of 1, 2 or 5 times a power of ten, 8 at most.
        let decimals = (0.602 - (self.high - self.low).log10()).ceil().clamp(0.0, 12.0) as usize;
        let text = match (1e-3 * 0.99..1e5).contains(&size) {
            true if self.is_log => format!("{}", (value * 1e4).round() / 1e4),
            true => format!("{value:.decimals$}"),
            false => format!("{:e}", format!("{value:.1e}").parse().unwrap_or(value)),
        };
        text.replace('-', "−")
    }

    /// How many ticks there may be: on a logarithmic axis one at each power of ten.
    fn ticks(&self) -> usize {
        let powers = self.high.floor() - self.low.ceil() + 1.0;
        if self.is_log { powers.clamp(2.0, 8.0) as usize } else { 8 }
    }
}

/// A name in the legend, what stands before it, and its colour.
pub type Entry<'a> = (&'a str, Mark, RGBColor);

#[derive(Clone, Copy)]
pub enum Mark {
    Disc,
    Ring,
    Line,
    Dashes,
    Box,
}

/// Text of a size in black, by the point of it that is placed.
pub fn style(size: u32, h: HPos, v: VPos) -> TextStyle<'static> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        let font = epaint_default_fonts::UBUNTU_LIGHT;
        // Where it is refused, each text is an error.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, font);
    });
    ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(h, v))
}

fn width(text: &str) -> u32 {
    style(31, HPos::Left, VPos::Top).font.box_size(text).map_or(0, |size| size.0)
}

/// The colours that matplotlib gives to one series after the other.
pub fn palette() -> impl Iterator<Item = RGBColor> {
    let colours = [0x1f77b4_u32, 0xff7f0e, 0x2ca02c, 0xd62728, 0x9467bd, 0x8c564b, 0xe377c2];
    let bytes = colours.into_iter().cycle().map(u32::to_be_bytes);
    bytes.map(|[_, red, green, blue]| RGBColor(red, green, blue))
}

/// The colour of a share, from blue over white to red: the map that matplotlib calls `coolwarm`, by
/// the formula of K. Moreland, "Diverging Color Maps for Scientific Visualization", 2009.
pub fn shade(share: f64) -> RGBColor {
    #[rustfmt::skip]
    const SHADES: [[u8; 3]; 17] = [
        [59, 76, 192], [78, 104, 215], [98, 130, 234], [119, 154, 247], [141, 176, 254],
        [163, 194, 255], [184, 208, 249], [204, 217, 238], [221, 221, 221], [236, 211, 197],
        [245, 196, 173], [247, 177, 148], [244, 154, 123], [236, 127, 99], [222, 96, 77],
        [203, 61, 56], [180, 4, 38],
    ];
    let place = 16.0 * share.clamp(0.0, 1.0);
    let ends = [place.floor(), place.ceil()].map(|i| SHADES[i as usize].map(f64::from));
    let mix = |c: usize| (ends[0][c] + (ends[1][c] - ends[0][c]) * place.fract()).round() as u8;
    RGBColor(mix(0), mix(1), mix(2))
}

/// Draws on a white ground of a size.
pub fn canvas(size: (u32, u32), draw: impl FnOnce(&Root<'_>) -> Result) -> Result<Picture> {
    let mut pixels = vec![255; 3 * size.0 as usize * size.1 as usize];
    let root = BitMapBackend::with_buffer(&mut pixels, size).into_drawing_area();
    draw(&root)?;
    root.present()?;
    drop(root);
    let image = RgbImage::from_raw(size.0, size.1, pixels);
    image.map(Picture).ok_or_else(|| PlotError("the canvas has another size".into()))
}

pub struct Chart<'a> {
    pub title: &'a str,
    pub axes: [Axis; 2],
    pub labels: [&'a str; 2],
    pub legend: Vec<Entry<'a>>,
    /// Names of one or several lines instead of ticks, at 0, 1, 2, … of the horizontal axis.
    pub groups: &'a [&'a str],
    /// Whether the axes are a square, with room for a colour bar.
    pub is_square: bool,
}

impl Chart<'_> {
    /// Draws the axes, and what `body` draws between them.
    pub fn draw(self, body: impl FnOnce(&Root<'_>, &mut Plane<'_>) -> Result) -> Result<Picture> {
        let Self { title, axes: [x_axis, y_axis], labels, legend, groups, is_square } = self;
        let room = |text: &str, size| if text.is_empty() { 0 } else { size };
        let ends = [y_axis.low, y_axis.high].map(|end| width(&y_axis.label(end.round())));
        let left = 40 + ends[0].max(ends[1]).max(60) + room(labels[1], 40);
        let lines = groups.iter().map(|name| name.lines().count()).max().unwrap_or(1) as u32;
        let below = 16 + 34 * lines + room(labels[0], 46);
        let (top, right) = (MARGIN + room(title, 48), if is_square { BESIDE_SQUARE } else { 0 });
        // The legend's entries stand in columns that are as wide as the widest needs.
        let cell = legend.iter().map(|entry| width(entry.0) + 96).max().unwrap_or(1);
        let columns = (if is_square { SQUARE } else { 1100 } / cell)
            .clamp(1, legend.len().max(1) as u32) as usize;
        let rows = legend.len().div_ceil(columns) as u32;
        let bottom = MARGIN + ROW as u32 * rows + if rows > 0 { 16 } else { 0 };
        let size = match is_square {
            true => (2 * MARGIN + left + SQUARE + right, top + SQUARE + below + bottom),
            false => SIZE,
        };
        canvas(size, |root| {
            let mut plane = ChartBuilder::on(root)
                .margin(MARGIN)
                .margin_top(top)
                .margin_bottom(bottom)
                .margin_right(MARGIN + right)
                .x_label_area_size(below)
                .y_label_area_size(left)
                .build_cartesian_2d(x_axis.low..x_axis.high, y_axis.low..y_axis.high)?;
            body(root, &mut plane)?;
            let (x, y) = plane.plotting_area().get_pixel_range();
            plane
                .configure_mesh()
                .disable_mesh()
                .axis_style(BLACK.stroke_width(2))
                .label_style(style(31, HPos::Left, VPos::Top))
                .axis_desc_style(style(33, HPos::Left, VPos::Top))
                .set_all_tick_mark_size(9)
                .x_labels(if groups.is_empty() { x_axis.ticks() } else { 0 })
                .y_labels(y_axis.ticks())
                .y_label_offset(5)
                .x_label_formatter(&|at| x_axis.label(*at))
                .y_label_formatter(&|at| y_axis.label(*at))
                .x_desc(labels[0])
                .y_desc(labels[1])
                .draw()?;
            let frame = [(x.start, y.start), (x.end, y.end)];
            root.draw(&Rectangle::new(frame, BLACK.stroke_width(2)))?;
            let middle = (x.start + x.end) / 2;
            let head = style(39, HPos::Center, VPos::Bottom);
            root.draw(&Text::new(title, (middle, y.start - 10), head))?;
            for (i, name) in groups.iter().enumerate() {
                let slot = (x.end - x.start) / groups.len() as i32;
                let place = (x.start + slot * i as i32 + slot / 2, y.end + 14);
                let text = style(27, HPos::Center, VPos::Top);
                root.draw(&MultiLineText::from_str(*name, place, text, 0))?;
            }
            let start = (
                (middle - (cell as usize * columns / 2) as i32).max(MARGIN as i32) + 18,
                (size.1 - bottom) as i32 + ROW / 2 + 16,
            );
            for (i, entry) in legend.iter().enumerate() {
                let (row, column) = (i / columns, i % columns);
                let place = (start.0 + (cell as usize * column) as i32, start.1 + ROW * row as i32);
                draw_entry(root, entry, place)?;
            }
            Ok(())
        })
    }
}

fn draw_entry(root: &Root<'_>, (label, mark, colour): &Entry<'_>, (x, y): (i32, i32)) -> Result {
    let ends = [(x, y), (x + 48, y)];
    let dashes = DashedPathElement::new(ends, 14, 7, colour.stroke_width(3));
    match mark {
        Mark::Disc => root.draw(&Circle::new((x + 32, y), 8, colour.mix(0.5).filled()))?,
        Mark::Ring => root.draw(&Circle::new((x + 32, y), 8, colour.stroke_width(3)))?,
        Mark::Line => root.draw(&PathElement::new(ends, colour.stroke_width(4)))?,
        Mark::Dashes => root.draw(&dashes)?,
        Mark::Box => {
            root.draw(&Rectangle::new([(x, y - 10), (x + 48, y + 10)], colour.filled()))?
        }
    }
    Ok(root.draw(&Text::new(*label, (x + 60, y + 5), style(31, HPos::Left, VPos::Center)))?)
}

//! Pictures for an article on back-propagation: points, curves, probability maps, bars, histograms.
//!
//! Each function lays out one figure on a white ground in the manner of matplotlib and returns a
//! [`Picture`], which is held in memory until it is [saved](Picture::save) as a PNG. The font is
//! part of the program, so that a picture looks the same on every machine and needs no library or
//! font of the system.
//!
//! Bad input is an error that names the value, never a panic. Numbers beyond ±1e300 are treated as
//! not finite, since the width of an axis through them has no meaning in `f64`.
//!
//! ```no_run
//! use wgrad::plot::{Axes, PlotError, Series, curve};
//!
//! let losses = [(0.0, 0.69), (1.0, 0.41), (2.0, 0.30)];
//! let series = [Series { label: "loss", values: &losses }];
//! curve("Training Loss", "Epoch", "Loss", &series, Axes::Linear)?.save("pictures/loss.png")?;
//! # Ok::<(), PlotError>(())
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{
    BLACK, Color, FontDesc, FontFamily, FontStyle, RGBAColor, RGBColor, ShapeStyle, WHITE,
    register_font,
};

/// Why a picture was not made or not saved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// There is nothing to draw.
    #[error("{what}: nothing to draw")]
    Empty {
        /// Which input is empty.
        what: String,
    },
    /// Two inputs that belong together differ in length.
    #[error("{what}: expected {expected} values, found {found}")]
    Length {
        /// Which input has the wrong length.
        what: String,
        /// The length that the other inputs ask for.
        expected: usize,
        /// The length of the input.
        found: usize,
    },
    /// A value is NaN, infinite or beyond ±1e300.
    #[error("{what}: value {index} is {value}, which is not finite")]
    NotFinite {
        /// Which input holds the value.
        what: String,
        /// Where in the input.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A value on a logarithmic axis is zero or negative.
    #[error("{what}: value {index} is {value}, but a logarithmic axis needs positive values")]
    NotPositive {
        /// Which input holds the value.
        what: String,
        /// Where in the input.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The lower end of a range does not lie below its upper end.
    #[error("{what}: {low} does not lie below {high}")]
    Range {
        /// Which range.
        what: String,
        /// Its lower end.
        low: f64,
        /// Its upper end.
        high: f64,
    },
    /// A histogram was asked for with no bins or with more than 10,000.
    #[error("a histogram has 1 to 10000 bins, not {0}")]
    Bins(usize),
    /// The rasterizer or the font failed.
    #[error("drawing failed: {0}")]
    Draw(String),
    /// The file was not written.
    #[error("cannot save the picture as {}", path.display())]
    Save {
        /// The file that was asked for.
        path: PathBuf,
        /// What went wrong.
        source: image::ImageError,
    },
}

/// A picture in memory: 8 bits per channel, red, green, blue, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

impl Picture {
    /// The width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels, `[height, width, 3]` row-major, the top row first.
    pub fn pixels(&self) -> &[u8] {
        &self.rgb
    }

    /// Writes the picture to `path` as a PNG, whatever the extension, and creates the folder if it
    /// is missing.
    ///
    /// # Errors
    ///
    /// [`PlotError::Save`], which names the path, when the folder or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), PlotError> {
        let path = path.as_ref();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => std::fs::create_dir_all(folder),
            _ => Ok(()),
        };
        folder
            .map_err(image::ImageError::IoError)
            .and_then(|()| {
                image::save_buffer_with_format(
                    path,
                    &self.rgb,
                    self.width,
                    self.height,
                    image::ExtendedColorType::Rgb8,
                    image::ImageFormat::Png,
                )
            })
            .map_err(|source| PlotError::Save { path: path.to_owned(), source })
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Picture")
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// Points in the plane, each of class 0 or 1.
#[derive(Clone, Copy, Debug)]
pub struct Points<'a> {
    /// The coordinates, `[n, 2]` row-major.
    pub xy: &'a [f32],
    /// The classes, `[n]`; a value above 0.5 is class 1.
    pub class: &'a [f32],
}

impl Points<'_> {
    fn check(&self) -> Result<(), PlotError> {
        if self.class.is_empty() {
            return Err(empty("points"));
        }
        same_length("coordinates of points", self.class.len() * 2, self.xy.len())?;
        all_finite("coordinates of points", self.xy.iter().map(|&v| v.into()))?;
        all_finite("classes of points", self.class.iter().map(|&v| v.into()))
    }

    /// `(first coordinate, second coordinate, is class 1)` of each point.
    fn iter(&self) -> impl Iterator<Item = (f64, f64, bool)> {
        let (xy, _) = self.xy.as_chunks::<2>();
        xy.iter().zip(self.class).map(|(&[x, y], &class)| (x.into(), y.into(), class > 0.5))
    }

    /// Draws the points inside the axes, `colours[class]` for each class.
    fn draw(&self, frame: &mut Frame<'_>, colours: [RGBColor; 2]) -> Result<(), PlotError> {
        // Many points become a single blot unless they shrink.
        let radius = (8.0 * (500.0 / self.class.len() as f64).sqrt()).clamp(3.0, 8.0);
        let [zero, one] = colours.map(|colour| colour.mix(POINT_ALPHA));
        for (x, y, is_one) in self.iter() {
            let at = frame.at(x, y);
            let colour = if is_one { one } else { zero };
            frame.canvas.disc(at, radius, colour, frame.area)?;
        }
        Ok(())
    }

    fn legend(colours: [RGBColor; 2]) -> Vec<Entry<'static>> {
        let [zero, one] = colours.map(|colour| Mark::Disc(colour.mix(POINT_ALPHA)));
        let entry = |label, mark| Entry { label, mark };
        vec![entry("class 1", one), entry("class 0", zero)]
    }
}

/// One line of a [`curve`].
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The name in the legend, which is drawn when there is more than one series.
    pub label: &'a str,
    /// The `(x, y)` of each point in the order in which the line passes through them.
    pub values: &'a [(f64, f64)],
}

/// Which axes of a [`curve`] are logarithmic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Axes {
    /// Neither.
    #[default]
    Linear,
    /// The horizontal axis.
    LogX,
    /// The vertical axis.
    LogY,
    /// Both.
    LogLog,
}

/// Values on a square grid, such as the probability of class 1 over the plane.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// The values, `[n, n]` row-major with `n` at least 2; the row is the second coordinate, the
    /// column the first.
    pub values: &'a [f32],
    /// Both coordinates of the first and of the last sample on the diagonal. Each value fills a
    /// cell around its sample, so the picture reaches half a cell further.
    pub axis: (f32, f32),
    /// The label of the colour bar.
    pub label: &'a str,
    /// The values that are drawn in the bluest blue and in the reddest red; values beyond are drawn
    /// alike.
    pub range: (f32, f32),
}

impl<'a> Map<'a> {
    /// A map of the probability of class 1: the label is `P(1)`, the range 0 to 1.
    pub fn probability(values: &'a [f32], axis: (f32, f32)) -> Self {
        Self { values, axis, label: "P(1)", range: (0.0, 1.0) }
    }
}

/// One bar of each group of [`bars`].
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a> {
    /// The name in the legend, which is drawn when there is more than one series.
    pub label: &'a str,
    /// The height of the bar in each group.
    pub values: &'a [f64],
    /// The lower and the upper end of the whisker in each group, in the unit of the values.
    pub spread: Option<&'a [(f64, f64)]>,
}

/// Draws points: class 1 red, class 0 blue, a legend below the axes.
///
/// `data` holds n points, n at least 1.
///
/// # Errors
///
/// No points, lengths that do not match, values that are not finite.
pub fn points(title: &str, data: &Points<'_>) -> Result<Picture, PlotError> {
    const COLOURS: [RGBColor; 2] = [RGBColor(0, 0, 255), RGBColor(255, 0, 0)];
    data.check()?;
    let mut frame = Chart {
        legend: Points::legend(COLOURS),
        ..Chart::new(
            title,
            Axis::around(data.iter().map(|(x, _, _)| x), Scale::Linear),
            Axis::around(data.iter().map(|(_, y, _)| y), Scale::Linear),
        )
    }
    .open()?;
    data.draw(&mut frame, COLOURS)?;
    frame.finish()
}

/// Draws one line per series.
///
/// A point that is not finite interrupts its line. The points are marked where a series has at most
/// 30 of them.
///
/// # Errors
///
/// No series, no finite point in any of them, a value that is not positive on a logarithmic axis.
pub fn curve(
    title: &str,
    x_label: &str,
    y_label: &str,
    series: &[Series<'_>],
    axes: Axes,
) -> Result<Picture, PlotError> {
    let scale = |is_log| if is_log { Scale::Log } else { Scale::Linear };
    let x_scale = scale(matches!(axes, Axes::LogX | Axes::LogLog));
    let y_scale = scale(matches!(axes, Axes::LogY | Axes::LogLog));
    let is_drawn = |&(x, y): &(f64, f64)| is_finite(x) && is_finite(y);
    for (number, line) in series.iter().enumerate() {
        let what = |axis| format!("{axis} of series {number} ({})", line.label);
        for (index, point) in line.values.iter().enumerate() {
            if is_drawn(point) {
                x_scale.check(|| what("x"), index, point.0)?;
                y_scale.check(|| what("y"), index, point.1)?;
            }
        }
    }
    let finite = || {
        let points = series.iter().flat_map(|line| line.values);
        points.filter(|point| is_drawn(point))
    };
    if finite().next().is_none() {
        return Err(empty("series"));
    }
    let is_marked = |line: &Series<'_>| line.values.len() <= 30;
    let entries = series.iter().zip(palette()).map(|(line, colour)| Entry {
        label: line.label,
        mark: Mark::Line(colour, is_marked(line)),
    });
    let mut frame = Chart {
        x_label,
        y_label,
        legend: legend_of_several(entries),
        ..Chart::new(
            title,
            Axis::around(finite().map(|&(x, _)| x), x_scale),
            Axis::around(finite().map(|&(_, y)| y), y_scale),
        )
    }
    .open()?;
    for (line, colour) in series.iter().zip(palette()) {
        for part in line.values.split(|point| !is_drawn(point)) {
            let path: Vec<_> = part.iter().map(|&(x, y)| frame.at(x, y)).collect();
            frame.canvas.line(&path, LINE, colour)?;
            // A point between two gaps has no line that would show it.
            if is_marked(line) || path.len() == 1 {
                for &at in &path {
                    frame.canvas.disc(at, MARKER, colour, frame.area)?;
                }
            }
        }
    }
    frame.finish()
}

/// Draws a square map in blue, white and red with a colour bar, and the points on it: class 1
/// tomato, class 0 cyan.
///
/// `map` holds `[n, n]` values; the first row is at the bottom of the picture. Points outside the
/// map are not drawn.
///
/// # Errors
///
/// Fewer than 2 × 2 values, a number of values that is no square, values that are not finite, an
/// axis or range whose ends are not in order, no points or bad ones.
pub fn probability_map(
    title: &str,
    map: &Map<'_>,
    points: Option<&Points<'_>>,
) -> Result<Picture, PlotError> {
    const COLOURS: [RGBColor; 2] = [RGBColor(0, 255, 255), RGBColor(255, 99, 71)];
    let n = map.values.len().isqrt();
    if n < 2 {
        return Err(empty("a map of less than 2 x 2 values"));
    }
    same_length("values of the square map", n * n, map.values.len())?;
    all_finite("values of the map", map.values.iter().map(|&v| v.into()))?;
    let (first, last) = in_order("axis of the map", map.axis)?;
    let (low, high) = in_order("range of the map", map.range)?;
    if let Some(points) = points {
        points.check()?;
    }

    let half_cell = (last - first) / (n - 1) as f64 / 2.0;
    let axis = Axis { low: first - half_cell, high: last + half_cell, scale: Scale::Linear };
    let bar_axis = Axis { low, high, scale: Scale::Linear };
    let bar_ticks = bar_axis.ticks(MAX_TICKS);
    let label = match bar_ticks.unit.as_str() {
        "" => map.label.to_owned(),
        unit => format!("{} ({unit})", map.label),
    };
    let label = Text::new(&label, LABEL).anchored(0.5, 1.0).turned(90.0);
    let label = label.within(SQUARE)?;
    let (bar_gap, bar_width) = (36.0, 32.0);
    let label_at = bar_gap + bar_width + TICK_LENGTH + bar_ticks.width()? + 3.0 * GAP;
    let mut frame = Chart {
        legend: points.map_or_else(Vec::new, |_| Points::legend(COLOURS)),
        square: true,
        right: label_at + LABEL + MARGIN,
        ..Chart::new(title, axis.clone(), axis)
    }
    .open()?;

    let area = frame.area;
    let shades = diverging_shades();
    let shade = |share: f64| {
        let last = shades.len() - 1;
        let index = (share.clamp(0.0, 1.0) * last as f64).round() as usize;
        shades.get(index).copied().unwrap_or(WHITE)
    };
    // Whole pixels, so that no pixel mixes two cells.
    let side = SQUARE as usize;
    for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
        let (row, column) = ((side - 1 - y) * n / side, x * n / side);
        let Some(&value) = map.values.get(row * n + column) else {
            continue;
        };
        let (x, y) = (area.left + x as f64, area.top + y as f64);
        let pixel = Area::new((x, y), (x + 1.0, y + 1.0));
        let colour = shade((f64::from(value) - low) / (high - low));
        frame.canvas.rect(pixel, colour)?;
    }
    if let Some(points) = points {
        points.draw(&mut frame, COLOURS)?;
    }

    let bar = Area { left: area.right + bar_gap, right: area.right + bar_gap + bar_width, ..area };
    for y in 0..side {
        let top = bar.top + y as f64;
        let row = Area { top, bottom: top + 1.0, ..bar };
        let share = 1.0 - (y as f64 + 0.5) / side as f64;
        frame.canvas.rect(row, shade(share))?;
    }
    frame.canvas.outline(bar, BLACK)?;
    frame.canvas.side_ticks(&bar_ticks, bar, Side::Right)?;
    let middle = (area.top + area.bottom) / 2.0;
    frame.canvas.text(&label, (area.right + label_at, middle))?;
    frame.finish()
}

/// Draws grouped bars with whiskers.
///
/// Each series has one value per group, and one `(low, high)` per group if it has a spread. The
/// vertical axis starts at 0, or below the smallest value if it is logarithmic.
///
/// # Errors
///
/// No groups or series, lengths that do not match, values that are not finite, a whisker whose low
/// end lies above its high end, a value that is not positive on a logarithmic axis.
pub fn bars(
    title: &str,
    y_label: &str,
    groups: &[&str],
    series: &[Bars<'_>],
    log: bool,
) -> Result<Picture, PlotError> {
    if groups.is_empty() || series.is_empty() {
        return Err(empty("bars"));
    }
    let scale = if log { Scale::Log } else { Scale::Linear };
    for (number, bars) in series.iter().enumerate() {
        let values = || format!("values of series {number} ({})", bars.label);
        let spread = || format!("spread of series {number} ({})", bars.label);
        same_length(&values(), groups.len(), bars.values.len())?;
        for (index, &value) in bars.values.iter().enumerate() {
            scale.check(values, index, value)?;
        }
        if let Some(ends) = bars.spread {
            same_length(&spread(), groups.len(), ends.len())?;
            for (index, &(low, high)) in ends.iter().enumerate() {
                scale.check(spread, index, low)?;
                scale.check(spread, index, high)?;
                if low > high {
                    let what = format!("{}, value {index}", spread());
                    return Err(PlotError::Range { what, low, high });
                }
            }
        }
    }
    let heights = series.iter().flat_map(|bars| {
        let ends = bars.spread.unwrap_or_default();
        let ends = ends.iter().flat_map(|&(low, high)| [low, high]);
        bars.values.iter().copied().chain(ends)
    });
    let y = Axis::of_bars(heights, scale);
    let base = if log { y.value_at_bottom() } else { 0.0 };
    let entries = series
        .iter()
        .zip(palette())
        .map(|(bars, colour)| Entry { label: bars.label, mark: Mark::Box(colour) });
    let x = Axis { low: -0.5, high: groups.len() as f64 - 0.5, scale: Scale::Groups(groups) };
    let mut frame =
        Chart { y_label, legend: legend_of_several(entries), ..Chart::new(title, x, y) }.open()?;
    let width = 0.8 / series.len() as f64;
    for (number, (bars, colour)) in series.iter().zip(palette()).enumerate() {
        let middle = |group: usize| group as f64 - 0.4 + width * (number as f64 + 0.5);
        for (group, &value) in bars.values.iter().enumerate() {
            let (left, right) = (middle(group) - width / 2.0, middle(group) + width / 2.0);
            let bar = Area::new(frame.at(left, base), frame.at(right, value));
            frame.canvas.rect(bar, colour)?;
        }
        for (group, &(low, high)) in bars.spread.unwrap_or_default().iter().enumerate() {
            let (bottom, top) = (frame.at(middle(group), low), frame.at(middle(group), high));
            let slot = frame.at(width, low).0 - frame.at(0.0, low).0;
            let cap = (slot * 0.3).min(10.0);
            frame.canvas.edge(bottom, top, THIN, BLACK)?;
            for (x, y) in [bottom, top] {
                frame.canvas.edge((x - cap, y), (x + cap, y), THIN, BLACK)?;
            }
        }
    }
    if frame.y.low < 0.0 && !log {
        let (left, right) = (frame.at(frame.x.low, 0.0), frame.at(frame.x.high, 0.0));
        frame.canvas.edge(left, right, THIN, BLACK)?;
    }
    frame.finish()
}

/// Draws how many of the values fall into each of `bins` bins of equal width, and a labelled
/// vertical line at each of the `marks`.
///
/// # Errors
///
/// No values, values or marks that are not finite, `bins` outside 1 to 10,000.
pub fn histogram(
    title: &str,
    x_label: &str,
    y_label: &str,
    values: &[f64],
    bins: usize,
    marks: &[(f64, &str)],
) -> Result<Picture, PlotError> {
    if values.is_empty() {
        return Err(empty("values"));
    }
    if !(1..=10_000).contains(&bins) {
        return Err(PlotError::Bins(bins));
    }
    all_finite("values", values.iter().copied())?;
    all_finite("marks", marks.iter().map(|&(at, _)| at))?;
    let (low, high) = widened(extent(values.iter().copied()), Scale::Linear);
    let edge = |bin: usize| low + (high - low) * (bin as f64 / bins as f64);
    let mut counts = vec![0_u64; bins];
    for value in values {
        let bin = ((value - low) / (high - low) * bins as f64) as usize;
        if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
            *count += 1;
        }
    }

    // The labels of the marks stand in rows above the highest bar.
    let mut marks = marks.to_vec();
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ends = [low, high];
    let x = Axis::around(ends.into_iter().chain(marks.iter().map(|mark| mark.0)), Scale::Linear);
    let highest = counts.iter().copied().max().unwrap_or_default() as f64;
    let y = |rows: usize| Axis {
        low: 0.0,
        high: highest * 1.05 / (1.0 - (rows as f64 * TEXT_ROW / 500.0).min(0.6)),
        scale: Scale::Whole,
    };
    let chart = |rows| Chart { x_label, y_label, ..Chart::new(title, x.clone(), y(rows)) };
    // The number of rows follows from the place of the labels, but moves the axes a little.
    let mut rows = 0;
    let (mut frame, flags) = loop {
        let frame = chart(rows).open()?;
        let flags = Flag::arrange(&marks, &frame)?;
        let needed = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
        if needed <= rows {
            break (frame, flags);
        }
        rows = needed;
    };

    for (bin, &count) in counts.iter().enumerate() {
        let corner = frame.at(edge(bin + 1), count as f64);
        let bar = Area::new(frame.at(edge(bin), 0.0), corner);
        frame.canvas.rect(bar, BLUE)?;
        // A gap shows where a bin ends, as long as the bins are wide enough to spare it.
        if bar.right - bar.left > 8.0 {
            let gap = Area { left: bar.right - 1.0, ..bar };
            frame.canvas.rect(gap, WHITE)?;
        }
    }
    for flag in &flags {
        let ends = (flag.top, frame.area.bottom);
        frame.canvas.dashes(flag.x, ends, flag.colour)?;
    }
    for flag in &flags {
        // The line of another mark may pass behind the label.
        let corner = (flag.left - 3.0, flag.top);
        let opposite = (flag.left + flag.width + 3.0, flag.top + TEXT_ROW);
        frame.canvas.rect(Area::new(corner, opposite), WHITE)?;
        let label =
            Text { colour: flag.colour, ..Text::new(flag.label, flag.size).anchored(0.0, 0.5) };
        let middle = flag.top + TEXT_ROW / 2.0;
        frame.canvas.text(&label, (flag.left, middle))?;
    }
    frame.finish()
}

/// Puts pictures side by side, each centred on the height of the highest.
///
/// # Errors
///
/// No pictures, or more than fit into a picture.
pub fn side_by_side(pictures: &[&Picture]) -> Result<Picture, PlotError> {
    if pictures.is_empty() {
        return Err(empty("pictures"));
    }
    let height = pictures.iter().map(|p| p.height).max().unwrap_or(0);
    let width = pictures
        .iter()
        .try_fold(0_u32, |sum, p| sum.checked_add(p.width))
        .filter(|&width| u64::from(width) * u64::from(height) < 1 << 28)
        .ok_or_else(|| PlotError::Draw("the pictures are too large to stand together".into()))?;
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for y in 0..height {
        for picture in pictures {
            let row = picture.width as usize * 3;
            let above = (height - picture.height) / 2;
            let start = y.checked_sub(above).map(|y| y as usize * row);
            match start.and_then(|start| picture.rgb.get(start..start + row)) {
                Some(pixels) => rgb.extend_from_slice(pixels),
                None => rgb.resize(rgb.len() + row, 255),
            }
        }
    }
    Ok(Picture { width, height, rgb })
}

/// Puts pictures one below the other, each centred on the width of the widest.
///
/// # Errors
///
/// No pictures, or more than fit into a picture.
pub fn stacked(pictures: &[&Picture]) -> Result<Picture, PlotError> {
    let (width, height) = pictures
        .iter()
        .fold((0, 0_u64), |(width, height), p| (p.width.max(width), height + u64::from(p.height)));
    if pictures.is_empty() {
        return Err(empty("pictures"));
    }
    let large = u64::from(width) * height >= 1 << 28;
    let height = u32::try_from(height).ok().filter(|_| !large);
    let height =
        height.ok_or_else(|| PlotError::Draw("the pictures are too large to be stacked".into()))?;
    let mut rgb = Vec::with_capacity(width as usize * height as usize * 3);
    for picture in pictures {
        let left = (width - picture.width) as usize / 2 * 3;
        for row in picture.rgb.chunks(picture.width as usize * 3) {
            let end = rgb.len() + width as usize * 3;
            rgb.resize(rgb.len() + left, 255);
            rgb.extend_from_slice(row);
            rgb.resize(end, 255);
        }
    }
    Ok(Picture { width, height, rgb })
}

/// A picture of 8 bits a channel, `[height, width, 3]`, in a white frame under a title, which is set
/// smaller where it would not fit.
///
/// # Errors
///
/// A width or height of 0, a length that does not fit, a size beyond 16,384 pixels.
pub fn titled(title: &str, width: u32, rgb: &[u8]) -> Result<Picture, PlotError> {
    const FRAME: usize = 8;
    const BAR: f64 = 40.0;
    let columns = width as usize;
    if rgb.is_empty() || columns == 0 {
        return Err(empty("pixels"));
    }
    let height = rgb.len() / (3 * columns);
    if rgb.len() != 3 * columns * height {
        let expected = 3 * columns * (height + 1);
        return Err(PlotError::Length { what: "pixels".into(), expected, found: rgb.len() });
    }
    let all = columns + 2 * FRAME;
    let mut canvas = Canvas::new(all as f64, BAR)?;
    let wide = Text::new(title, LABEL).width()?;
    let size = LABEL * (columns as f64 / wide.max(1.0)).min(1.0);
    let label = Text::new(title, size).anchored(0.5, 0.5);
    canvas.text(&label, (all as f64 / 2.0, BAR / 2.0 + 4.0))?;
    let bar = canvas.finish()?;
    let mut pixels = bar.rgb;
    for row in rgb.chunks(3 * columns) {
        pixels.resize(pixels.len() + 3 * FRAME, 255);
        pixels.extend_from_slice(row);
        pixels.resize(pixels.len() + 3 * FRAME, 255);
    }
    pixels.resize(pixels.len() + 3 * FRAME * all, 255);
    let height = bar.height as usize + height + FRAME;
    let height = u32::try_from(height).map_err(|_| PlotError::Draw("too high".into()))?;
    Ok(Picture { width: bar.width, height, rgb: pixels })
}

// Lengths in pixels of the finished picture, for a figure of 6 x 4 inches at 200 dots per inch.
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 800.0;
/// The side of the axes of a map: a multiple of the usual grids, so that all cells are alike.
const SQUARE: f64 = 600.0;
const MARGIN: f64 = 22.0;
const GAP: f64 = 10.0;
const TICK_LENGTH: f64 = 9.0;
const THIN: f64 = 2.0;
const LINE: f64 = 4.0;
const MARKER: f64 = 7.5;
const SAMPLE: f64 = 48.0;
const POINT_ALPHA: f64 = 0.5;
const TICK_TEXT: f64 = 31.0;
const LABEL: f64 = 33.0;
const TITLE: f64 = 39.0;
/// The height that a row of [`TICK_TEXT`] takes.
const TEXT_ROW: f64 = 36.0;
/// The height of a capital as a share of the size of the font.
const CAPITAL: f64 = 0.61;
const MAX_TICKS: usize = 8;

/// The colours that matplotlib gives to one series after the other.
const SERIES_COLOURS: [RGBColor; 10] = [
    BLUE,
    RGBColor(0xff, 0x7f, 0x0e),
    RGBColor(0x2c, 0xa0, 0x2c),
    RGBColor(0xd6, 0x27, 0x28),
    RGBColor(0x94, 0x67, 0xbd),
    RGBColor(0x8c, 0x56, 0x4b),
    RGBColor(0xe3, 0x77, 0xc2),
    RGBColor(0x7f, 0x7f, 0x7f),
    RGBColor(0xbc, 0xbd, 0x22),
    RGBColor(0x17, 0xbe, 0xcf),
];
const BLUE: RGBColor = RGBColor(0x1f, 0x77, 0xb4);
const PALE: RGBColor = RGBColor(0xcc, 0xcc, 0xcc);

fn palette() -> impl Iterator<Item = RGBColor> {
    SERIES_COLOURS.into_iter().cycle()
}

fn empty(what: &str) -> PlotError {
    PlotError::Empty { what: what.into() }
}

fn is_finite(value: f64) -> bool {
    value.abs() <= 1e300
}

fn same_length(what: &str, expected: usize, found: usize) -> Result<(), PlotError> {
    if expected == found {
        return Ok(());
    }
    Err(PlotError::Length { what: what.into(), expected, found })
}

fn all_finite(what: &str, values: impl Iterator<Item = f64>) -> Result<(), PlotError> {
    for (index, value) in values.enumerate() {
        Scale::Linear.check(|| what.into(), index, value)?;
    }
    Ok(())
}

fn in_order(what: &str, (low, high): (f32, f32)) -> Result<(f64, f64), PlotError> {
    let (low, high) = (f64::from(low), f64::from(high));
    all_finite(what, [low, high].into_iter())?;
    if low < high && widened((low, high), Scale::Linear) == (low, high) {
        return Ok((low, high));
    }
    let what = what.into();
    Err(PlotError::Range { what, low, high })
}

/// The least and the greatest of the values.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// The range itself, or a wider one around it if it is too narrow for an axis.
fn widened((low, high): (f64, f64), scale: Scale<'_>) -> (f64, f64) {
    let size = low.abs().max(high.abs());
    if high - low > (size * 1e-9).max(1e-290) {
        return (low, high);
    }
    let is_log = matches!(scale, Scale::Log);
    let room = if is_log || size < 1e-280 { 0.5 } else { size * 0.05 };
    (low - room, high + room)
}

/// Blue to white to red in 256 steps.
///
/// Kenneth Moreland, "Diverging Color Maps for Scientific Visualization", ISVC 2009: straight lines
/// in Msh (the polar form of CIELAB) from (80, 1.08, -1.1) over (88, 0, ±) to (80, 1.08, 0.5). This is
/// the map that matplotlib calls `coolwarm`. The hue at the white end turns away from the end's own,
/// so that the steps look alike all the way.
fn diverging_shades() -> [RGBColor; 256] {
    const WHITE_MAGNITUDE: f64 = 88.0;
    const MAGNITUDE: f64 = 80.0;
    const SATURATION: f64 = 1.08;
    // Equation (4) of the paper, the same for both ends as they share magnitude and saturation.
    let spin = SATURATION * (WHITE_MAGNITUDE.powi(2) - MAGNITUDE.powi(2)).sqrt()
        / (MAGNITUDE * SATURATION.sin());
    std::array::from_fn(|index| {
        let share = index as f64 / 255.0;
        let (hue, white_hue) = if share < 0.5 { (-1.1, -1.1 - spin) } else { (0.5, 0.5 + spin) };
        let strength = (2.0 * share - 1.0).abs();
        let mix = |end: f64, white: f64| white + (end - white) * strength;
        let magnitude = mix(MAGNITUDE, WHITE_MAGNITUDE);
        let (saturation, hue) = (mix(SATURATION, 0.0), mix(hue, white_hue));
        lab_to_rgb(
            magnitude * saturation.cos(),
            magnitude * saturation.sin() * hue.cos(),
            magnitude * saturation.sin() * hue.sin(),
        )
    })
}

/// CIELAB under the white D65 to sRGB.
fn lab_to_rgb(l: f64, a: f64, b: f64) -> RGBColor {
    let light = (l + 16.0) / 116.0;
    let linear = |t: f64| {
        if t > 6.0 / 29.0 { t.powi(3) } else { (t - 16.0 / 116.0) * 108.0 / 841.0 }
    };
    let x = 0.95047 * linear(light + a / 500.0);
    let y = linear(light);
    let z = 1.08883 * linear(light - b / 200.0);
    let channel = |value: f64| {
        let value =
            if value > 0.003_130_8 { 1.055 * value.powf(1.0 / 2.4) - 0.055 } else { 12.92 * value };
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    RGBColor(
        channel(3.240_454_2 * x - 1.537_138_5 * y - 0.498_531_4 * z),
        channel(-0.969_266 * x + 1.876_010_8 * y + 0.041_556 * z),
        channel(0.055_643_4 * x - 0.204_025_9 * y + 1.057_225_2 * z),
    )
}

#[derive(Clone, Copy)]
enum Scale<'a> {
    Linear,
    /// Linear, with ticks at whole numbers only.
    Whole,
    Log,
    /// One label at each of 0, 1, 2, ...
    Groups(&'a [&'a str]),
}

impl Scale<'_> {
    /// Refuses a value that cannot stand on an axis of this scale.
    fn check(
        self,
        what: impl FnOnce() -> String,
        index: usize,
        value: f64,
    ) -> Result<(), PlotError> {
        if !is_finite(value) {
            let what = what();
            return Err(PlotError::NotFinite { what, index, value });
        }
        if matches!(self, Scale::Log) && value <= 0.0 {
            let what = what();
            return Err(PlotError::NotPositive { what, index, value });
        }
        Ok(())
    }

    /// Where a value lies on an even axis.
    fn even(self, value: f64) -> f64 {
        match self {
            Scale::Log => value.log10(),
            _ => value,
        }
    }
}

#[derive(Clone)]
struct Axis<'a> {
    /// The ends, as powers of ten if the scale is logarithmic.
    low: f64,
    high: f64,
    scale: Scale<'a>,
}

/// What stands along an axis; each position is a share of the length of the axis.
struct Ticks {
    major: Vec<(f64, String)>,
    minor: Vec<f64>,
    /// The factor that all labels leave out.
    unit: String,
}

impl Ticks {
    /// The width of the widest line of a label.
    fn width(&self) -> Result<f64, PlotError> {
        let mut width = 0.0_f64;
        for line in self.major.iter().flat_map(|(_, label)| label.lines()) {
            width = width.max(Text::new(line, TICK_TEXT).width()?);
        }
        Ok(width)
    }

    /// The position and the length of each tick.
    fn lengths(&self) -> impl Iterator<Item = (f64, f64)> {
        let major = self.major.iter().map(|&(share, _)| (share, TICK_LENGTH));
        let minor = self.minor.iter().map(|&share| (share, TICK_LENGTH * 0.6));
        major.chain(minor)
    }
}

impl<'a> Axis<'a> {
    /// An axis around the values with a margin of 5 % at both ends.
    fn around(values: impl Iterator<Item = f64>, scale: Scale<'a>) -> Self {
        let (low, high) = widened(extent(values.map(|v| scale.even(v))), scale);
        let margin = (high - low) * 0.05;
        Self { low: low - margin, high: high + margin, scale }
    }

    /// An axis on which a bar of any of the values can be seen.
    fn of_bars(values: impl Iterator<Item = f64>, scale: Scale<'a>) -> Self {
        let (low, high) = extent(values.map(|v| scale.even(v)));
        let (low, high) = match scale {
            // The bar of the smallest value has to be seen as well.
            Scale::Log => ((low - 0.2).floor(), high),
            _ if low == 0.0 && high == 0.0 => (0.0, 1.0),
            _ => widened((low.min(0.0), high.max(0.0)), scale),
        };
        let margin = (high - low) * 0.05;
        // Bars stand on the end of the axis, unless some of them hang from 0.
        let is_log = matches!(scale, Scale::Log);
        let below = if !is_log && low < 0.0 { margin } else { 0.0 };
        let above = if is_log || high > 0.0 { margin } else { 0.0 };
        Self { low: low - below, high: high + above, scale }
    }

    fn value_at_bottom(&self) -> f64 {
        match self.scale {
            Scale::Log => 10_f64.powf(self.low),
            _ => self.low,
        }
    }

    /// Where a value lies as a share of the length of the axis.
    fn share(&self, value: f64) -> f64 {
        (self.scale.even(value) - self.low) / (self.high - self.low)
    }

    /// At most about `count` ticks.
    fn ticks(&self, count: usize) -> Ticks {
        match self.scale {
            Scale::Linear => self.even_ticks(count, 0.0, |value| value),
            Scale::Whole => self.even_ticks(count, 1.0, |value| value),
            Scale::Log => self.log_ticks(count),
            Scale::Groups(labels) => Ticks {
                major: (0..)
                    .zip(labels)
                    .map(|(at, &label)| (self.share(f64::from(at)), label.replace('\n', " ")))
                    .collect(),
                minor: Vec::new(),
                unit: String::new(),
            },
        }
    }

    /// Ticks at multiples of a round step that is at least `least`; `value` turns an end of the
    /// axis into a value.
    fn even_ticks(&self, count: usize, least: f64, value: impl Fn(f64) -> f64) -> Ticks {
        let (low, high) = (value(self.low), value(self.high));
        let rough = (high - low) / count as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|&step| step >= rough * 0.999 && step.fract() * least == 0.0)
            .unwrap_or(10.0 * power)
            .max(least);
        let size = low.abs().max(high.abs());
        let exponent = match size {
            1e-3..1e6 => 0,
            _ => size.log10().floor() as i32,
        };
        // A power of ten below the least f64 would turn the labels into infinities.
        let shrink = |v: f64| v / 10_f64.powi(exponent / 2) / 10_f64.powi(exponent - exponent / 2);
        let decimals = (0..16)
            .find(|&digits| {
                let scaled = shrink(step) * 10_f64.powi(digits);
                (scaled - scaled.round()).abs() < 1e-4 * scaled
            })
            .unwrap_or(16) as usize;
        let (first, last) =
            ((low / step - 1e-6).ceil() as i64, (high / step + 1e-6).floor() as i64);
        let major = (first..=last).map(|index| {
            let at = index as f64 * step;
            (self.share(at).clamp(0.0, 1.0), number(shrink(at), decimals))
        });
        Ticks {
            major: major.collect(),
            minor: Vec::new(),
            unit: if exponent == 0 { String::new() } else { format!("×10^{exponent}") },
        }
    }

    fn log_ticks(&self, count: usize) -> Ticks {
        let (first, last) = (self.low.ceil() as i32, self.high.floor() as i32);
        let is_inside = |share: &f64| (0.0..=1.0).contains(share);
        let within = |factors: &[i32]| -> Vec<(f64, i32, i32)> {
            (first - 1..=last)
                .flat_map(|power| factors.iter().map(move |&factor| (factor, power)))
                .map(|(factor, power)| {
                    let even = f64::from(factor).log10() + f64::from(power);
                    ((even - self.low) / (self.high - self.low), factor, power)
                })
                .filter(|(share, _, _)| is_inside(share))
                .collect()
        };
        let minor = within(&[2, 3, 4, 5, 6, 7, 8, 9]).into_iter();
        let minor: Vec<f64> = minor.map(|(share, _, _)| share).collect();
        if last > first {
            let stride = (last - first) / count as i32 + 1;
            return Ticks {
                major: within(&[1])
                    .into_iter()
                    .filter(|(_, _, power)| power % stride == 0)
                    .map(|(share, _, power)| (share, format!("10^{power}")))
                    .collect(),
                minor: if stride > 1 { Vec::new() } else { minor },
                unit: String::new(),
            };
        }
        let coarse = within(&[1, 2, 5]);
        if coarse.len() < 3 {
            return self.even_ticks(count, 0.0, |power| 10_f64.powf(power));
        }
        Ticks {
            major: coarse
                .into_iter()
                .map(|(share, factor, power)| (share, times_power(factor, power)))
                .collect(),
            minor,
            unit: String::new(),
        }
    }
}

/// A number as it stands in a picture, with the sign that is as wide as a digit.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    match text.strip_prefix('-') {
        Some(digits) if digits.chars().any(|c| ('1'..='9').contains(&c)) => format!("−{digits}"),
        Some(digits) => digits.to_owned(),
        None => text,
    }
}

/// `factor * 10^power`, written out where that is short.
fn times_power(factor: i32, power: i32) -> String {
    match power {
        -3..0 => number(f64::from(factor) * 10_f64.powi(power), power.unsigned_abs() as usize),
        0..5 => number(f64::from(factor) * 10_f64.powi(power), 0),
        _ if factor == 1 => format!("10^{power}"),
        _ => format!("{factor}×10^{power}"),
    }
}

#[derive(Clone, Copy)]
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    /// The area between two opposite corners.
    fn new((x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> Self {
        Self { left: x0.min(x1), top: y0.min(y1), right: x0.max(x1), bottom: y0.max(y1) }
    }
}

#[derive(Clone, Copy)]
enum Mark {
    Disc(RGBAColor),
    /// A line, with a marker on it or not.
    Line(RGBColor, bool),
    Box(RGBColor),
}

struct Entry<'a> {
    label: &'a str,
    mark: Mark,
}

/// A single series needs no legend: the title and the axes name it.
fn legend_of_several<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut entries: Vec<_> = entries.collect();
    if entries.len() == 1 {
        entries.clear();
    }
    entries
}

/// The label of a mark of a histogram and where it stands.
struct Flag<'a> {
    /// Where the line of the mark stands.
    x: f64,
    label: &'a str,
    colour: RGBColor,
    size: f64,
    left: f64,
    top: f64,
    width: f64,
    row: usize,
}

impl<'a> Flag<'a> {
    /// Puts each label beside its mark, in the first row where no other label is in the way.
    fn arrange(marks: &[(f64, &'a str)], frame: &Frame<'_>) -> Result<Vec<Self>, PlotError> {
        let mut flags: Vec<Self> = Vec::with_capacity(marks.len());
        // The bars have the first colour.
        for (&(at, label), colour) in marks.iter().zip(palette().skip(1)) {
            let text = Text::new(label, TICK_TEXT).within(frame.area.right - frame.area.left)?;
            let width = text.width()?;
            let (x, _) = frame.at(at, 0.0);
            let right = x + GAP;
            let left = if right + width <= frame.area.right {
                right
            } else {
                (x - GAP - width).max(frame.area.left)
            };
            let is_free = |row: &usize| {
                !flags.iter().any(|flag| {
                    flag.row == *row
                        && left < flag.left + flag.width + GAP
                        && flag.left < left + width + GAP
                })
            };
            let row = (0..).find(is_free).unwrap_or_default();
            flags.push(Self {
                x,
                label,
                colour,
                size: text.size,
                left,
                top: frame.area.top + TEXT_ROW * (row as f64 + 0.1),
                width,
                row,
            });
        }
        Ok(flags)
    }
}

/// Everything around the data of a figure.
struct Chart<'a> {
    title: &'a str,
    x_label: &'a str,
    y_label: &'a str,
    x: Axis<'a>,
    y: Axis<'a>,
    legend: Vec<Entry<'a>>,
    /// The axes enclose a square of [`SQUARE`] pixels, and the figure fits around them.
    square: bool,
    /// The room to the right of the axes.
    right: f64,
}

/// A figure whose size and axes are known and whose data can be drawn.
struct Frame<'a> {
    canvas: Canvas,
    area: Area,
    x: Axis<'a>,
    y: Axis<'a>,
}

/// The labels below the horizontal axis.
struct Below {
    ticks: Ticks,
    angle: f64,
    size: f64,
    height: f64,
}

impl<'a> Chart<'a> {
    fn new(title: &'a str, x: Axis<'a>, y: Axis<'a>) -> Self {
        Self {
            title,
            x_label: "",
            y_label: "",
            x,
            y,
            legend: Vec::new(),
            square: false,
            right: 44.0,
        }
    }

    /// Finds the size of all that stands around the data and draws it.
    fn open(self) -> Result<Frame<'a>, PlotError> {
        let y_ticks = self.y.ticks(MAX_TICKS);
        let row = |text: &str, height: f64| if text.is_empty() { 0.0 } else { height };
        let left = MARGIN + row(self.y_label, LABEL + GAP) + y_ticks.width()? + GAP + TICK_LENGTH;
        let top = MARGIN + row(self.title, TITLE + GAP) + row(&y_ticks.unit, TEXT_ROW);
        // A label below either end of the axis reaches beyond it.
        let half = match self.x.scale {
            Scale::Groups(_) => 0.0,
            _ => self.x.ticks(MAX_TICKS).width()? / 2.0 + GAP,
        };
        let (left, right) = (left.max(half), self.right.max(half));
        let plot_width = if self.square { SQUARE } else { (WIDTH - left - right).max(SQUARE) };
        let width = left + plot_width + right;
        let below = self.below(left, plot_width)?;
        let legend = Legend::new(&self.legend, width)?;
        let x_row = row(self.x_label, LABEL + GAP).max(row(&below.ticks.unit, TEXT_ROW));
        let bottom = TICK_LENGTH + GAP + below.height + x_row + legend.height() + MARGIN;
        let plot_height = if self.square { SQUARE } else { (HEIGHT - top - bottom).max(300.0) };
        let height = top + plot_height + bottom;

        // Whole pixels, so that the cells of a map and the axes have sharp edges.
        let (left, top) = (left.round(), top.round());
        let area = Area::new((left, top), (left + plot_width.round(), top + plot_height.round()));
        let (x_middle, y_middle) = ((area.left + area.right) / 2.0, (area.top + area.bottom) / 2.0);
        let mut canvas = Canvas::new(width, height)?;

        let (x_room, y_room) = (
            2.0 * (x_middle.min(width - x_middle) - MARGIN),
            2.0 * (y_middle.min(height - y_middle) - MARGIN),
        );
        let title = Text::new(self.title, TITLE).anchored(0.5, 0.0);
        let title_at = area.top - 1.6 * GAP - row(&y_ticks.unit, TEXT_ROW);
        canvas.text(&title.within(x_room)?, (x_middle, title_at))?;
        let y_label = Text::new(self.y_label, LABEL).anchored(0.5, 1.0).turned(90.0);
        canvas.text(&y_label.within(y_room)?, (MARGIN, y_middle))?;
        let y_unit = Text::new(&y_ticks.unit, TICK_TEXT);
        canvas.text(&y_unit, (area.left, area.top - GAP))?;

        canvas.side_ticks(&y_ticks, area, Side::Left)?;
        canvas.bottom_ticks(&below, area)?;
        let mut y = area.bottom + TICK_LENGTH + GAP + below.height;
        let x_label = Text::new(self.x_label, LABEL).anchored(0.5, 1.0);
        canvas.text(&x_label.within(x_room)?, (x_middle, y + GAP))?;
        let x_unit = Text::new(&below.ticks.unit, TICK_TEXT).anchored(1.0, 1.0);
        canvas.text(&x_unit, (area.right, y + GAP))?;
        y += x_row;
        legend.draw(&mut canvas, (x_middle.min(width / 2.0), y))?;
        Ok(Frame { canvas, area, x: self.x, y: self.y })
    }

    /// Finds labels below the axis that do not touch each other.
    fn below(&self, left: f64, plot_width: f64) -> Result<Below, PlotError> {
        let level = |ticks: Ticks, rows: usize| Below {
            ticks,
            angle: 0.0,
            size: TICK_TEXT,
            height: rows as f64 * TEXT_ROW - 6.0,
        };
        let Scale::Groups(labels) = self.x.scale else {
            for count in (3..=MAX_TICKS).rev() {
                let ticks = self.x.ticks(count);
                if (ticks.width()? + 2.0 * GAP) * ticks.major.len() as f64 <= plot_width {
                    return Ok(level(ticks, 1));
                }
            }
            return Ok(level(self.x.ticks(2), 1));
        };

        let slot = plot_width / labels.len() as f64;
        let mut ticks = self.x.ticks(labels.len());
        let mut rows = 1;
        for (_, label) in &mut ticks.major {
            *label = wrapped(label, slot - GAP)?;
            rows = rows.max(label.lines().count());
        }
        if rows <= 3 && ticks.width()? <= slot - GAP {
            return Ok(level(ticks, rows));
        }

        // Slanted labels end below their group and reach to the left and down from there.
        let ticks = self.x.ticks(labels.len());
        let slope = std::f64::consts::FRAC_1_SQRT_2;
        let mut size = TICK_TEXT.min(slot * slope);
        let mut longest = 0.0_f64;
        for (share, label) in &ticks.major {
            let room = ((left + share * plot_width - MARGIN) / slope).min(340.0);
            size = size.min(Text::new(label, TICK_TEXT).within(room)?.size);
            longest = longest.max(Text::new(label, TICK_TEXT).width()?);
        }
        Ok(Below {
            ticks,
            angle: 45.0,
            size,
            height: (longest * size / TICK_TEXT + size * CAPITAL) * slope,
        })
    }
}

/// Breaks the text at spaces into lines of at most the given width where that is possible.
fn wrapped(text: &str, width: f64) -> Result<String, PlotError> {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = format!("{line} {word}");
        if line.is_empty() {
            line = word.to_owned();
        } else if Text::new(&longer, TICK_TEXT).width()? <= width {
            line = longer;
        } else {
            lines.push_str(&line);
            lines.push('\n');
            line = word.to_owned();
        }
    }
    lines.push_str(&line);
    Ok(lines)
}

impl Frame<'_> {
    /// Where a point of the data lies in the picture.
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let area = self.area;
        (
            area.left + self.x.share(x) * (area.right - area.left),
            area.bottom - self.y.share(y) * (area.bottom - area.top),
        )
    }

    /// Draws the axes over the data.
    fn finish(mut self) -> Result<Picture, PlotError> {
        self.canvas.outline(self.area, BLACK)?;
        self.canvas.finish()
    }
}

/// A legend of equal columns in a pale box.
struct Legend<'a> {
    entries: &'a [Entry<'a>],
    columns: usize,
    column_width: f64,
}

impl<'a> Legend<'a> {
    const ROW: f64 = 40.0;

    fn new(entries: &'a [Entry<'a>], width: f64) -> Result<Self, PlotError> {
        let most = width - 2.0 * MARGIN;
        let mut widest = 0.0_f64;
        for entry in entries {
            widest = widest.max(Text::new(entry.label, TICK_TEXT).width()?);
        }
        let column_width = (SAMPLE + 4.0 * GAP + widest).min(most);
        let columns = ((most / column_width) as usize).clamp(1, entries.len().max(1));
        Ok(Self { entries, columns, column_width })
    }

    fn rows(&self) -> usize {
        self.entries.len().div_ceil(self.columns)
    }

    fn height(&self) -> f64 {
        if self.entries.is_empty() {
            return 0.0;
        }
        self.rows() as f64 * Self::ROW + 2.0 * GAP
    }

    /// Draws the legend around `x` below `top`.
    fn draw(&self, canvas: &mut Canvas, (x, top): (f64, f64)) -> Result<(), PlotError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let width = self.columns as f64 * self.column_width;
        let (left, top) = ((x - width / 2.0).max(MARGIN), top + 2.0 * GAP);
        let bottom = top + self.rows() as f64 * Self::ROW;
        canvas.outline(Area::new((left, top), (left + width, bottom)), PALE)?;
        for (index, entry) in self.entries.iter().enumerate() {
            let (row, column) = (index / self.columns, index % self.columns);
            let start = left + column as f64 * self.column_width + GAP;
            let end = start + SAMPLE;
            let y = top + (row as f64 + 0.5) * Self::ROW;
            let middle = ((start + end) / 2.0, y);
            let sample = Area::new((start, y - 10.0), (end, y + 10.0));
            match entry.mark {
                Mark::Disc(colour) => canvas.disc(middle, 8.0, colour, sample)?,
                Mark::Box(colour) => canvas.rect(sample, colour)?,
                Mark::Line(colour, is_marked) => {
                    canvas.line(&[(start, y), (end, y)], LINE, colour)?;
                    if is_marked {
                        canvas.disc(middle, MARKER, colour, sample)?;
                    }
                }
            }
            let label = Text::new(entry.label, TICK_TEXT)
                .anchored(0.0, 0.5)
                .within(self.column_width - SAMPLE - 3.0 * GAP)?;
            canvas.text(&label, (end + GAP, y))?;
        }
        Ok(())
    }
}

/// One line of text.
struct Text<'a> {
    text: &'a str,
    /// The height of a line.
    size: f64,
    /// Which point of the text stands at the given place: as a share of the width from the left,
    /// and of the height of a capital from the base line.
    anchor: (f64, f64),
    /// In degrees against the clock.
    angle: f64,
    colour: RGBColor,
}

struct Glyph {
    character: char,
    size: f64,
    left: f64,
    advance: f64,
    /// How far above the base line.
    raise: f64,
}

impl<'a> Text<'a> {
    fn new(text: &'a str, size: f64) -> Self {
        Self { text, size, anchor: (0.0, 0.0), angle: 0.0, colour: BLACK }
    }

    fn anchored(self, x: f64, y: f64) -> Self {
        let anchor = (x, y);
        Self { anchor, ..self }
    }

    fn turned(self, angle: f64) -> Self {
        Self { angle, ..self }
    }

    /// The text at a size at which it is not wider than `room`.
    fn within(self, room: f64) -> Result<Self, PlotError> {
        let size = self.size * (room / self.width()?.max(1.0)).clamp(0.0, 1.0);
        Ok(Self { size, ..self })
    }

    fn width(&self) -> Result<f64, PlotError> {
        Ok(end_of(&self.glyphs()?))
    }

    /// Sets the line: a sign or digits after `^` are an exponent.
    fn glyphs(&self) -> Result<Vec<Glyph>, PlotError> {
        let is_exponent = |c: char| c.is_ascii_digit() || matches!(c, '-' | '−' | '+');
        let mut glyphs = Vec::with_capacity(self.text.len());
        let mut left = 0.0;
        let mut is_raised = false;
        let mut rest = self.text.chars().peekable();
        while let Some(character) = rest.next() {
            if character == '^' && rest.peek().copied().is_some_and(is_exponent) {
                is_raised = true;
                continue;
            }
            is_raised &= is_exponent(character);
            let (size, raise) =
                if is_raised { (self.size * 0.72, self.size * 0.30) } else { (self.size, 0.0) };
            let character = match character {
                '-' if is_raised => '−',
                // A line break, for one: a text is a single line.
                other if other.is_control() => ' ',
                other => other,
            };
            let advance = advance(character, size)?;
            glyphs.push(Glyph { character, size, left, advance, raise });
            left += advance;
        }
        Ok(glyphs)
    }
}

/// Where the last glyph of a line ends.
fn end_of(glyphs: &[Glyph]) -> f64 {
    glyphs.last().map_or(0.0, |glyph| glyph.left + glyph.advance)
}

/// A name of our own, as the table of fonts belongs to the whole application.
const FONT: FontFamily<'static> = FontFamily::Name("wgrad-plot");

fn font(size: f64) -> Result<FontDesc<'static>, PlotError> {
    static IS_REGISTERED: OnceLock<bool> = OnceLock::new();
    let is_registered = IS_REGISTERED.get_or_init(|| {
        let data = epaint_default_fonts::UBUNTU_LIGHT;
        register_font(FONT.as_str(), FontStyle::Normal, data).is_ok()
    });
    if *is_registered {
        Ok(FontDesc::new(FONT, size, FontStyle::Normal))
    } else {
        Err(PlotError::Draw("the font cannot be read".into()))
    }
}

fn advance(character: char, size: f64) -> Result<f64, PlotError> {
    // The answer is in whole pixels: ask for a size at which these are fine enough.
    const FINE: f64 = 1024.0;
    let mut bytes = [0; 4];
    let ((left, _), (right, _)) = font(FINE)?
        .layout_box(character.encode_utf8(&mut bytes))
        .map_err(|error| PlotError::Draw(error.to_string()))?;
    Ok(f64::from(right - left) * size / FINE)
}

/// How much of each pixel a line of text covers.
struct Mask {
    width: usize,
    /// Rows from the top, 0 to 1.
    cover: Vec<f32>,
    /// Where the text begins on the base line.
    origin: (f64, f64),
}

impl Mask {
    /// Draws glyphs, whose lengths are in pixels of the picture, in fine pixels.
    fn new(glyphs: &[Glyph], size: f64) -> Result<Self, PlotError> {
        let fine = size * SCALE;
        let length = end_of(glyphs) * SCALE;
        let origin = (fine.ceil(), (fine * 1.2).ceil());
        let width = (length + 2.0 * fine).ceil() as usize;
        let height = (fine * 1.8).ceil() as usize;
        let mut cover = vec![0.0_f32; width * height];
        // The font is a light one: its strokes are widened to the weight of ordinary text.
        let (wider, higher) = ((fine * 0.024).round() as i32, (fine * 0.012).round() as i32);
        for glyph in glyphs {
            let size = (glyph.size * SCALE).round();
            let mut pixels = Vec::new();
            let mut bytes = [0; 4];
            font(size)?
                .draw(glyph.character.encode_utf8(&mut bytes), (0, 0), |x, y, c| {
                    pixels.push((x, y, c));
                    Ok::<(), PlotError>(())
                })
                .map_err(|error| PlotError::Draw(error.to_string()))??;
            // plotters 0.3.7 moves each glyph to the left until it touches its origin, and puts the
            // base line half the size below the top.
            let ink = pixels.iter().map(|p| p.0 + 1 + wider).max().unwrap_or(0);
            let bearing = (glyph.advance * SCALE - f64::from(ink)) / 2.0;
            let left = (origin.0 + glyph.left * SCALE + bearing).round() as i32;
            let top = (origin.1 - glyph.raise * SCALE - size / 2.0).round() as i32;
            for (x, y, c) in pixels {
                for (dx, dy) in (0..=wider).flat_map(|dx| (0..=higher).map(move |dy| (dx, dy))) {
                    let (x, y) = ((left + x + dx) as usize, (top + y + dy) as usize);
                    if let Some(pixel) = cover.get_mut(y.saturating_mul(width).saturating_add(x)) {
                        *pixel = pixel.max(c.min(1.0));
                    }
                }
            }
        }
        Ok(Self { width, cover, origin })
    }

    fn height(&self) -> usize {
        self.cover.len() / self.width.max(1)
    }

    fn at(&self, x: f64, y: f64) -> f32 {
        if x < 0.0 || y < 0.0 || x as usize >= self.width {
            return 0.0;
        }
        let index = y as usize * self.width + x as usize;
        self.cover.get(index).copied().unwrap_or_default()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Left,
    Right,
}

/// How many fine pixels one pixel of the picture has along each edge.
const SCALE: f64 = 3.0;
const FINE: usize = SCALE as usize;

/// A picture in the making. It is drawn in fine pixels, whose mean is a smooth pixel; all lengths
/// that it is given are in pixels of the finished picture.
struct Canvas {
    /// In fine pixels.
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

fn fine(length: f64) -> i32 {
    (length * SCALE).round() as i32
}

impl Canvas {
    fn new(width: f64, height: f64) -> Result<Self, PlotError> {
        let (width, height) = (width.round(), height.round());
        if !(1.0..=16384.0).contains(&width) || !(1.0..=16384.0).contains(&height) {
            let text = format!("a picture of {width} x {height} pixels is too large");
            return Err(PlotError::Draw(text));
        }
        let (width, height) = (width as usize * FINE, height as usize * FINE);
        Ok(Self { width, height, rgb: vec![255; width * height * 3] })
    }

    /// Draws with plotters, in fine pixels.
    fn draw<E: fmt::Display>(
        &mut self,
        draw: impl FnOnce(&mut BitMapBackend<'_>) -> Result<(), E>,
    ) -> Result<(), PlotError> {
        let size = (self.width as u32, self.height as u32);
        let mut backend = BitMapBackend::with_buffer(&mut self.rgb, size);
        draw(&mut backend).map_err(|error| PlotError::Draw(error.to_string()))
    }

    fn rect(&mut self, area: Area, colour: impl Color) -> Result<(), PlotError> {
        let (left, top) = (fine(area.left), fine(area.top));
        let (right, bottom) = (fine(area.right), fine(area.bottom));
        if left >= right || top >= bottom {
            return Ok(());
        }
        let colour = colour.to_rgba();
        self.draw(|backend| backend.draw_rect((left, top), (right, bottom), &colour, true))
    }

    /// A line along one of the axes with square ends.
    fn edge(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        width: f64,
        colour: RGBColor,
    ) -> Result<(), PlotError> {
        let line = Area::new(from, to);
        let half = width / 2.0;
        let corner = (line.left - half, line.top - half);
        self.rect(Area::new(corner, (line.right + half, line.bottom + half)), colour)
    }

    /// The edges of an area.
    fn outline(&mut self, area: Area, colour: RGBColor) -> Result<(), PlotError> {
        let (left, top) = (area.left, area.top);
        let (right, bottom) = (area.right, area.bottom);
        for (from, to) in [
            ((left, top), (right, top)),
            ((left, bottom), (right, bottom)),
            ((left, top), (left, bottom)),
            ((right, top), (right, bottom)),
        ] {
            self.edge(from, to, THIN, colour)?;
        }
        Ok(())
    }

    /// A disc, of which only the part inside `clip` is drawn.
    fn disc(
        &mut self,
        (x, y): (f64, f64),
        radius: f64,
        colour: impl Color,
        clip: Area,
    ) -> Result<(), PlotError> {
        let colour = colour.to_rgba();
        let (x, y, radius) = (x * SCALE, y * SCALE, radius * SCALE);
        // Row by row, since plotters' own disc covers some pixels twice, which shows through a
        // transparent colour.
        let (first, last) = ((y - radius).round() as i32, (y + radius).round() as i32);
        let mut rows = first.max(fine(clip.top))..last.min(fine(clip.bottom));
        self.draw(|backend| {
            rows.try_for_each(|row| {
                let height = f64::from(row) + 0.5 - y;
                let half = (radius * radius - height * height).max(0.0).sqrt();
                let left = ((x - half).round() as i32).max(fine(clip.left));
                let right = ((x + half).round() as i32).min(fine(clip.right));
                if left >= right {
                    return Ok(());
                }
                backend.draw_rect((left, row), (right, row + 1), &colour, true)
            })
        })
    }

    /// A line through the points.
    fn line(
        &mut self,
        points: &[(f64, f64)],
        width: f64,
        colour: RGBColor,
    ) -> Result<(), PlotError> {
        let style = ShapeStyle {
            color: colour.to_rgba(),
            filled: true,
            stroke_width: fine(width).max(1) as u32,
        };
        let path = thinned(points.iter().map(|&(x, y)| (fine(x), fine(y))));
        for ends in path.windows(2) {
            if let &[from, to] = ends {
                self.draw(|backend| backend.draw_line(from, to, &style))?;
            }
        }
        // Discs round off the corners.
        let corner = (self.width as f64 / SCALE, self.height as f64 / SCALE);
        let everywhere = Area::new((0.0, 0.0), corner);
        let inner = path.get(1..path.len().saturating_sub(1));
        for &(x, y) in inner.unwrap_or_default() {
            let at = (f64::from(x) / SCALE, f64::from(y) / SCALE);
            self.disc(at, width / 2.0, style.color, everywhere)?;
        }
        Ok(())
    }

    /// A dashed vertical line.
    fn dashes(
        &mut self,
        x: f64,
        (top, bottom): (f64, f64),
        colour: RGBColor,
    ) -> Result<(), PlotError> {
        let (dash, period) = (11.0, 20.0);
        for index in 0..((bottom - top) / period).ceil() as usize {
            let start = top + index as f64 * period;
            let end = (start + dash).min(bottom);
            self.edge((x, start), (x, end), 3.0, colour)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &Text<'_>, (x, y): (f64, f64)) -> Result<(), PlotError> {
        let glyphs = text.glyphs()?;
        let mask = Mask::new(&glyphs, text.size)?;
        let anchor = (
            mask.origin.0 + text.anchor.0 * end_of(&glyphs) * SCALE,
            mask.origin.1 - text.anchor.1 * text.size * CAPITAL * SCALE,
        );
        let (x, y) = ((x * SCALE).round(), (y * SCALE).round());
        let (sin, cos) = text.angle.to_radians().sin_cos();
        let (width, height) = (mask.width as f64, mask.height() as f64);
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
            .map(|(u, v)| (u - anchor.0, v - anchor.1))
            .map(|(u, v)| (x + u * cos + v * sin, y - u * sin + v * cos));
        let columns = pixels(extent(corners.iter().map(|c| c.0)), self.width);
        let rows = pixels(extent(corners.iter().map(|c| c.1)), self.height);
        for (row, column) in rows.flat_map(|row| columns.clone().map(move |c| (row, c))) {
            let (dx, dy) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
            let cover = mask.at(anchor.0 + dx * cos - dy * sin, anchor.1 + dx * sin + dy * cos);
            self.blend(row, column, text.colour, cover);
        }
        Ok(())
    }

    fn blend(&mut self, row: usize, column: usize, colour: RGBColor, cover: f32) {
        let start = (row * self.width + column) * 3;
        if let Some(pixel) = self.rgb.get_mut(start..start + 3) {
            for (channel, target) in pixel.iter_mut().zip([colour.0, colour.1, colour.2]) {
                let (from, to) = (f32::from(*channel), f32::from(target));
                *channel = (from + (to - from) * cover).round() as u8;
            }
        }
    }

    /// The ticks and their labels to the left or to the right of an area.
    fn side_ticks(&mut self, ticks: &Ticks, area: Area, side: Side) -> Result<(), PlotError> {
        let (edge, sign, anchor) = match side {
            Side::Left => (area.left, -1.0, 1.0),
            Side::Right => (area.right, 1.0, 0.0),
        };
        let y = |share: f64| area.bottom - share * (area.bottom - area.top);
        for (share, length) in ticks.lengths() {
            let y = y(share);
            self.edge((edge, y), (edge + sign * length, y), THIN, BLACK)?;
        }
        for (share, label) in &ticks.major {
            let label = Text::new(label, TICK_TEXT).anchored(anchor, 0.5);
            self.text(&label, (edge + sign * (TICK_LENGTH + GAP), y(*share)))?;
        }
        Ok(())
    }

    /// The ticks and their labels below an area.
    fn bottom_ticks(&mut self, below: &Below, area: Area) -> Result<(), PlotError> {
        let x = |share: f64| area.left + share * (area.right - area.left);
        for (share, length) in below.ticks.lengths() {
            let x = x(share);
            let end = (x, area.bottom + length);
            self.edge((x, area.bottom), end, THIN, BLACK)?;
        }
        let side = if below.angle == 0.0 { 0.5 } else { 1.0 };
        for (share, label) in &below.ticks.major {
            for (row, line) in label.lines().enumerate() {
                let line = Text::new(line, below.size).anchored(side, 1.0).turned(below.angle);
                let y = area.bottom + TICK_LENGTH + GAP + row as f64 * TEXT_ROW;
                self.text(&line, (x(*share), y))?;
            }
        }
        Ok(())
    }

    /// Turns the fine pixels into those of the picture.
    fn finish(self) -> Result<Picture, PlotError> {
        let (width, height) = (self.width / FINE, self.height / FINE);
        let mut rgb = Vec::with_capacity(width * height * 3);
        let mut sums = vec![0_u16; width * 3];
        for rows in self.rgb.chunks(self.width * 3 * FINE) {
            sums.fill(0);
            for row in rows.chunks(self.width * 3) {
                for (sum, pixels) in sums.chunks_mut(3).zip(row.chunks(3 * FINE)) {
                    for pixel in pixels.chunks(3) {
                        for (sum, &channel) in sum.iter_mut().zip(pixel) {
                            *sum += u16::from(channel);
                        }
                    }
                }
            }
            let count = (FINE * FINE) as u16;
            rgb.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
        }
        Ok(Picture { width: width as u32, height: height as u32, rgb })
    }
}

/// The whole pixels that a range touches, of those from 0 to `count`.
fn pixels((low, high): (f64, f64), count: usize) -> std::ops::Range<usize> {
    (low.max(0.0) as usize)..(high.max(0.0).ceil() as usize).min(count)
}

/// Leaves out the points that cannot be seen: of a run of points in one column of pixels, the
/// first, the lowest, the highest and the last draw the same line as all of them.
fn thinned(points: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let points: Vec<_> = points.collect();
    let mut kept = Vec::new();
    for run in points.chunk_by(|a, b| a.0 == b.0) {
        if run.len() <= 4 {
            kept.extend_from_slice(run);
            continue;
        }
        let lowest = run.iter().min_by_key(|point| point.1);
        let highest = run.iter().max_by_key(|point| point.1);
        kept.extend([run.first(), lowest, highest, run.last()].into_iter().flatten());
    }
    kept.dedup();
    kept
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;

    const COLD: [u8; 3] = [59, 76, 192];
    const HOT: [u8; 3] = [180, 4, 38];
    const WHITE_PIXEL: [u8; 3] = [255; 3];

    fn is_near(a: [u8; 3], b: [u8; 3]) -> bool {
        a.iter().zip(b).all(|(&a, b)| a.abs_diff(b) <= 2)
    }

    /// The places of all pixels of a colour as `(x, y)`, from the top left.
    fn places(picture: &Picture, colour: [u8; 3]) -> Vec<(usize, usize)> {
        let (pixels, rest) = picture.pixels().as_chunks::<3>();
        assert!(rest.is_empty());
        let width = picture.width() as usize;
        assert_eq!(pixels.len(), width * picture.height() as usize);
        let is_it = |&(_, &pixel): &(usize, &[u8; 3])| is_near(pixel, colour);
        let found = pixels.iter().enumerate().filter(is_it);
        found.map(|(i, _)| (i % width, i / width)).collect()
    }

    /// The least and the greatest of some coordinates.
    fn ends(values: impl Iterator<Item = usize>) -> (usize, usize) {
        values.fold((usize::MAX, 0), |(a, b), v| (a.min(v), b.max(v)))
    }

    /// Nothing but white along the four edges: whatever is drawn is drawn whole.
    fn assert_margin(picture: &Picture) {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let white = places(picture, WHITE_PIXEL);
        let edge = |&&(x, y): &&(usize, usize)| x < 4 || y < 4 || x >= width - 4 || y >= height - 4;
        let expected = width * height - (width - 8) * (height - 8);
        assert_eq!(white.iter().filter(edge).count(), expected);
    }

    fn line(values: &[(f64, f64)], axes: Axes) -> Result<Picture, PlotError> {
        let label = "loss";
        curve("Training Loss", "Epoch", "Loss", &[Series { label, values }], axes)
    }

    #[test]
    fn points_have_the_colour_of_their_class() {
        let xy = [0.0, 0.0, 1.0, 1.0];
        let class = [0.0, 1.0];
        let picture = points("Data", &Points { xy: &xy, class: &class }).unwrap();
        assert_eq!((picture.width(), picture.height()), (1200, 800));
        assert_margin(&picture);
        let (blue, red) = ([127, 127, 255], [255, 127, 127]);
        let above_legend = |(x, y): &(usize, usize)| (*y < 690).then_some(*x);
        let blue: Vec<_> = places(&picture, blue).iter().filter_map(above_legend).collect();
        let red: Vec<_> = places(&picture, red).iter().filter_map(above_legend).collect();
        assert!(blue.len() > 100 && red.len() > 100);
        assert!(ends(blue.into_iter()).1 < 300);
        assert!(ends(red.into_iter()).0 > 900);
    }

    #[test]
    fn points_refuse_bad_input() {
        let make = |xy: &[f32], class: &[f32]| points("", &Points { xy, class });
        assert!(matches!(make(&[], &[]), Err(PlotError::Empty { .. })));
        assert!(matches!(
            make(&[1.0, 2.0, 3.0], &[1.0]),
            Err(PlotError::Length { expected: 2, found: 3, .. })
        ));
        assert!(matches!(
            make(&[1.0, f32::NAN], &[1.0]),
            Err(PlotError::NotFinite { index: 1, .. })
        ));
        assert!(matches!(
            make(&[1.0, 2.0], &[f32::INFINITY]),
            Err(PlotError::NotFinite { index: 0, .. })
        ));
    }

    #[test]
    fn equal_points_get_an_axis() {
        let picture = points("", &Points { xy: &[3.0; 8], class: &[1.0; 4] }).unwrap();
        assert_margin(&picture);
    }

    #[test]
    fn a_falling_curve_falls() {
        let picture = line(&[(0.0, 1.0), (1.0, 0.1)], Axes::Linear).unwrap();
        assert_margin(&picture);
        let blue = places(&picture, [BLUE.0, BLUE.1, BLUE.2]);
        let first = blue.iter().min_by_key(|place| place.0).unwrap();
        let last = blue.iter().max_by_key(|place| place.0).unwrap();
        assert!(first.1 < 200 && last.1 > 500);
    }

    #[test]
    fn a_gap_interrupts_the_curve() {
        let whole = [(0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0), (4.0, 1.0)];
        let mut broken = whole;
        broken[2].1 = f64::NAN;
        let count = |values: &[_]| {
            let picture = line(values, Axes::Linear).unwrap();
            places(&picture, [BLUE.0, BLUE.1, BLUE.2]).len()
        };
        assert!(count(&broken) * 10 < count(&whole) * 7);
        let lonely = [(0.0, 1.0), (1.0, f64::INFINITY), (2.0, 1.0)];
        assert!(count(&lonely) > 100);
    }

    #[test]
    fn a_long_curve_is_drawn() {
        let values: Vec<_> = (0..100_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        let picture = line(&values, Axes::Linear).unwrap();
        assert!(places(&picture, [BLUE.0, BLUE.1, BLUE.2]).len() > 100_000);
        let thin = thinned((0..100).map(|i| (i / 50, (i * 37) % 50)));
        assert!(thin.len() <= 8);
        assert_eq!(ends(thin.iter().map(|p| p.1 as usize)), (0, 49));
    }

    #[test]
    fn curve_refuses_bad_input() {
        assert!(matches!(curve("", "", "", &[], Axes::Linear), Err(PlotError::Empty { .. })));
        assert!(matches!(line(&[(1.0, f64::NAN)], Axes::Linear), Err(PlotError::Empty { .. })));
        let zero = [(0.0, 1.0), (1.0, 0.0)];
        assert!(line(&zero, Axes::Linear).is_ok());
        assert!(matches!(line(&zero, Axes::LogY), Err(PlotError::NotPositive { index: 1, .. })));
        assert!(matches!(line(&zero, Axes::LogLog), Err(PlotError::NotPositive { index: 0, .. })));
    }

    #[test]
    fn extreme_curves_get_an_axis() {
        let most = [-1e300, 0.0, 1e-310, 1.0, 1.0 + 1e-12, 1e300];
        for (a, b) in most.into_iter().flat_map(|a| most.map(|b| (a, b))) {
            let values = [(a, b), (b, a)];
            assert_margin(&line(&values, Axes::Linear).unwrap());
            if a > 0.0 && b > 0.0 {
                assert_margin(&line(&values, Axes::LogLog).unwrap());
            }
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let labels = |low, high, scale| -> Vec<String> {
            let ticks = Axis { low, high, scale }.ticks(MAX_TICKS);
            assert!(ticks.major.iter().all(|t| (0.0..=1.0).contains(&t.0)));
            ticks.major.into_iter().map(|t| t.1).collect()
        };
        let even = labels(-1.1, 1.1, Scale::Linear);
        assert_eq!(even, ["−1.0", "−0.5", "0.0", "0.5", "1.0"]);
        assert_eq!(labels(0.0, 3.2, Scale::Whole), ["0", "1", "2", "3"]);
        assert_eq!(labels(-2.5, 0.5, Scale::Log), ["10^-2", "10^-1", "10^0"]);
        assert_eq!(labels(0.9, 1.8, Scale::Log), ["10", "20", "50"]);
        let unit = Axis { low: 0.0, high: 4e7, scale: Scale::Linear }.ticks(4).unit;
        assert_eq!(unit, "×10^7");
    }

    #[test]
    fn the_first_row_of_a_map_is_at_the_bottom() {
        // Blue only in the first row and first column.
        let values = [0.0, 1.0, 1.0, 1.0];
        let map = Map::probability(&values, (-1.0, 1.0));
        let picture = probability_map("Map", &map, None).unwrap();
        assert_margin(&picture);
        let blue = places(&picture, COLD);
        let red = places(&picture, HOT);
        // The colour bar adds a few rows of its ends.
        let in_map = |of: &[(usize, usize)], right| -> Vec<_> {
            of.iter().copied().filter(|place| place.0 < right).collect()
        };
        let right = ends(blue.iter().map(|place| place.0)).0 + 600;
        let (blue, red) = (in_map(&blue, right), in_map(&red, right));
        let (left, middle) = ends(blue.iter().map(|place| place.0));
        let (waist, bottom) = ends(blue.iter().map(|place| place.1));
        let (_, red_right) = ends(red.iter().map(|place| place.0));
        let (top, red_bottom) = ends(red.iter().map(|place| place.1));
        assert!(middle.abs_diff(left + 300) <= 3 && red_right.abs_diff(left + 598) <= 3);
        assert!(waist.abs_diff(top + 300) <= 3 && bottom.abs_diff(top + 598) <= 3);
        assert_eq!(bottom, red_bottom);
        // Whole cells in one colour: nothing is blurred.
        assert_eq!(blue.len(), (middle - left + 1) * (bottom - waist + 1));
    }

    #[test]
    fn a_map_clamps_and_takes_another_range() {
        let values = [-9.0, 9.0, -9.0, 9.0];
        let map = Map {
            label: "Difference",
            range: (-1e-7, 1e-7),
            ..Map::probability(&values, (0.0, 1.0))
        };
        let picture = probability_map("", &map, None).unwrap();
        assert_margin(&picture);
        assert!(places(&picture, COLD).len() > 150_000);
        assert!(places(&picture, HOT).len() > 150_000);
    }

    #[test]
    fn points_stand_on_a_map_but_not_beside_it() {
        let values = [0.5; 16];
        let map = Map::probability(&values, (-1.0, 1.0));
        let draw = |xy: &[f32]| {
            let points = Points { xy, class: &[0.0] };
            let picture = probability_map("", &map, Some(&points)).unwrap();
            assert_margin(&picture);
            // Cyan at half strength on the grey of the middle.
            places(&picture, [110, 238, 238]).len()
        };
        assert!(draw(&[0.0, 0.0]) > 100);
        assert_eq!(draw(&[9.0, 0.0]), 0);
    }

    #[test]
    fn a_map_refuses_bad_input() {
        let make = |values: &[f32], axis, range| {
            let label = "";
            probability_map("", &Map { values, axis, label, range }, None)
        };
        let unit = (0.0, 1.0);
        assert!(matches!(make(&[], unit, unit), Err(PlotError::Empty { .. })));
        assert!(matches!(make(&[0.0], unit, unit), Err(PlotError::Empty { .. })));
        assert!(matches!(
            make(&[0.0; 6], unit, unit),
            Err(PlotError::Length { expected: 4, found: 6, .. })
        ));
        assert!(matches!(
            make(&[0.0, 0.0, f32::NAN, 0.0], unit, unit),
            Err(PlotError::NotFinite { index: 2, .. })
        ));
        for bad in [(1.0, 1.0), (1.0, 0.0)] {
            assert!(matches!(make(&[0.0; 4], bad, unit), Err(PlotError::Range { .. })));
            assert!(matches!(make(&[0.0; 4], unit, bad), Err(PlotError::Range { .. })));
        }
        assert!(matches!(
            make(&[0.0; 4], (0.0, f32::NAN), unit),
            Err(PlotError::NotFinite { index: 1, .. })
        ));
        let map = Map::probability(&[0.0; 4], unit);
        let none = Points { xy: &[], class: &[] };
        assert!(probability_map("", &map, Some(&none)).is_err());
    }

    #[test]
    fn the_shades_are_those_of_coolwarm() {
        let shades = diverging_shades().map(|c| [c.0, c.1, c.2]);
        assert!(is_near(shades[0], COLD) && is_near(shades[255], HOT));
        // What matplotlib draws at 1/4, 1/2 and 3/4.
        assert!(is_near(shades[64], [0x8d, 0xb0, 0xfe]));
        assert!(is_near(shades[128], [0xdd, 0xdc, 0xdc]));
        assert!(is_near(shades[191], [0xf4, 0x9a, 0x7b]));
    }

    #[test]
    fn bars_are_as_high_as_their_values() {
        let series = |a, b| {
            [
                Bars { label: "CPU", values: a, spread: None },
                Bars { label: "GPU", values: b, spread: None },
            ]
        };
        for log in [false, true] {
            let series = series(&[10.0, 1.0], &[1.0, 10.0]);
            let picture = bars("Time", "ms", &["one", "two"], &series, log).unwrap();
            assert_margin(&picture);
            let plot = |place: &(usize, usize)| place.1 < 650;
            let blue: Vec<_> = places(&picture, [BLUE.0, BLUE.1, BLUE.2]);
            let blue: Vec<_> = blue.into_iter().filter(plot).collect();
            let half = |is_left: bool| {
                let half = blue.iter().filter(move |p| (p.0 < 650) == is_left);
                ends(half.map(|p| p.1)).0
            };
            assert!(half(true) < 150 && half(false) > 200);
        }
    }

    #[test]
    fn sixteen_groups_of_long_names_fit() {
        let names: Vec<_> = (0..16).map(|i| format!("a_rather_long_operation_{i}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let values = [2.0; 16];
        let spread = [(1.0, 3.0); 16];
        let series = [Bars { label: "CPU", values: &values, spread: Some(&spread) }];
        assert_margin(&bars("", "Time (ms)", &names, &series, true).unwrap());
    }

    #[test]
    fn bars_of_any_sign_get_an_axis() {
        for values in [[0.0, 0.0], [-1.0, -2.0], [-1.0, 2.0], [5.0, 5.0]] {
            let series = [Bars { label: "", values: &values, spread: None }];
            assert_margin(&bars("", "", &["a", "b"], &series, false).unwrap());
        }
    }

    #[test]
    fn bars_refuse_bad_input() {
        let make = |values: &[f64], spread: Option<&[(f64, f64)]>, log| {
            let label = "CPU";
            bars("", "", &["a", "b"], &[Bars { label, values, spread }], log)
        };
        assert!(matches!(bars("", "", &[], &[], false), Err(PlotError::Empty { .. })));
        assert!(matches!(
            make(&[1.0], None, false),
            Err(PlotError::Length { expected: 2, found: 1, .. })
        ));
        assert!(matches!(
            make(&[1.0, 2.0], Some(&[]), false),
            Err(PlotError::Length { expected: 2, found: 0, .. })
        ));
        assert!(matches!(
            make(&[1.0, f64::NAN], None, false),
            Err(PlotError::NotFinite { index: 1, .. })
        ));
        assert!(matches!(
            make(&[0.0, 1.0], None, true),
            Err(PlotError::NotPositive { index: 0, .. })
        ));
        assert!(matches!(
            make(&[1.0, 1.0], Some(&[(1.0, 1.0), (2.0, 1.0)]), true),
            Err(PlotError::Range { .. })
        ));
        assert!(matches!(
            make(&[1.0, 1.0], Some(&[(1.0, 1.0), (0.0, 1.0)]), true),
            Err(PlotError::NotPositive { index: 1, .. })
        ));
    }

    #[test]
    fn a_histogram_counts() {
        // Three in the first bin, one in the last.
        let values = [0.0, 0.1, 0.2, 1.0];
        let picture = histogram("Runs", "Loss", "Runs", &values, 2, &[]).unwrap();
        assert_margin(&picture);
        let blue = places(&picture, [BLUE.0, BLUE.1, BLUE.2]);
        let count = |is_left: bool| blue.iter().filter(|p| (p.0 < 635) == is_left).count();
        let ratio = count(true) as f64 / count(false) as f64;
        assert!((ratio - 3.0).abs() < 0.15, "{ratio}");
    }

    #[test]
    fn the_marks_of_a_histogram_are_drawn() {
        let marks = [(0.50, "median"), (0.52, "mean"), (2.0, "the label of a mark at the end")];
        let values = [0.0, 0.1, 0.2, 1.0];
        let picture = histogram("Runs", "Loss", "Runs", &values, 5, &marks).unwrap();
        assert_margin(&picture);
        for colour in palette().skip(1).take(marks.len()) {
            assert!(places(&picture, [colour.0, colour.1, colour.2]).len() > 500);
        }
    }

    #[test]
    fn a_histogram_refuses_bad_input() {
        let make = |values: &[f64], bins, marks: &[(f64, &str)]| {
            histogram("", "", "", values, bins, marks)
        };
        assert!(matches!(make(&[], 3, &[]), Err(PlotError::Empty { .. })));
        assert!(matches!(make(&[1.0], 0, &[]), Err(PlotError::Bins(0))));
        assert!(make(&[1.0], usize::MAX, &[]).is_err());
        assert!(matches!(
            make(&[1.0, f64::NAN], 3, &[]),
            Err(PlotError::NotFinite { index: 1, .. })
        ));
        assert!(matches!(
            make(&[1.0], 3, &[(f64::NAN, "")]),
            Err(PlotError::NotFinite { index: 0, .. })
        ));
        assert!(make(&[1.0, 1.0], 10_000, &[]).is_ok());
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let flat = |width: u32, height: u32, value: u8| Picture {
            width,
            height,
            rgb: vec![value; (width * height * 3) as usize],
        };
        let both = side_by_side(&[&flat(2, 3, 10), &flat(1, 1, 20)]).unwrap();
        assert_eq!((both.width(), both.height()), (3, 3));
        let column = |x: usize| [0, 1, 2].map(|y| both.pixels()[(y * 3 + x) * 3]);
        assert_eq!((column(0), column(1)), ([10; 3], [10; 3]));
        assert_eq!(column(2), [255, 20, 255]);
        assert!(matches!(side_by_side(&[]), Err(PlotError::Empty { .. })));
        let both = stacked(&[&flat(3, 1, 10), &flat(1, 1, 20)]).unwrap();
        assert_eq!((both.width(), both.height()), (3, 2));
        assert_eq!(both.pixels()[..9], [10; 9]);
        assert_eq!(both.pixels()[9..], [255, 255, 255, 20, 20, 20, 255, 255, 255]);
        assert!(matches!(stacked(&[]), Err(PlotError::Empty { .. })));
        let framed = titled("a title that is far too long for it", 2, &[7; 12]).unwrap();
        assert_eq!((framed.width(), framed.height()), (18, 50));
        assert_eq!(framed.pixels()[3 * (41 * 18 + 7)..][..9], [255, 255, 255, 7, 7, 7, 7, 7, 7]);
        assert!(matches!(titled("", 2, &[7; 9]), Err(PlotError::Length { .. })));
        assert!(matches!(titled("", 0, &[7; 9]), Err(PlotError::Empty { .. })));
    }

    #[test]
    fn odd_texts_are_drawn() {
        let long = "a very long word ".repeat(40);
        for text in ["", " ", "^", "^^2", "x^2 10^-3 ^a", "\u{1f600}\u{0}\t", "two\nlines", &long] {
            let values = [(0.0, 1.0), (1.0, 2.0)];
            let series =
                [Series { label: text, values: &values }, Series { label: "b", values: &values }];
            assert_margin(&curve(text, text, text, &series, Axes::Linear).unwrap());
            let series = [Bars { label: text, values: &[1.0], spread: None }];
            assert_margin(&bars(text, text, &[text], &series, false).unwrap());
            assert_margin(&histogram(text, text, text, &[1.0], 3, &[(1.0, text)]).unwrap());
        }
    }

    #[test]
    fn a_picture_is_saved_and_read_back() {
        let folder = std::env::temp_dir().join(format!("wgrad-plot-{}", std::process::id()));
        let path = folder.join("new").join("curve.png");
        let picture = line(&[(0.0, 1.0), (1.0, 0.5)], Axes::LogY).unwrap();
        picture.save(&path).unwrap();
        let read = image::open(&path).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (picture.width(), picture.height()));
        assert_eq!(read.as_raw(), picture.pixels());

        // A file cannot be a folder.
        let error = picture.save(path.join("curve.png")).unwrap_err();
        assert!(matches!(error, PlotError::Save { .. }));
        assert!(error.to_string().contains("curve.png"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

//! The pictures of wgrad's examples: points, curves, probability maps, bars, histograms.
//!
//! Each function draws one chart of plotters in the manner of matplotlib and returns a [`Picture`].
//! The font is part of the program: no font or library of the system is needed. Bad input is an
//! error that names the value.

mod chart;
mod classes;

use chart::{Axis, Chart, Mark, Plane, Root, SQUARE, palette, style};
use image::{RgbImage, imageops};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use std::path::Path;

pub use classes::{ClassMap, ClassNames, ClassPoints, class_map, class_points};

/// Why a picture was not made or not saved.
#[derive(Debug)]
pub struct PlotError(String);

impl std::fmt::Display for PlotError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for PlotError {}

type Result<T = (), E = PlotError> = std::result::Result<T, E>;

fn bad<T>(text: String) -> Result<T> {
    Err(PlotError(text))
}

/// Refuses a list without a value, and a value that has no place on an axis.
fn check(what: &str, is_log: bool, values: impl IntoIterator<Item = f64>) -> Result {
    let mut values = values.into_iter().enumerate().peekable();
    if values.peek().is_none() {
        return bad(format!("{what}: nothing to draw"));
    }
    // Beyond 1e100 an axis has no width that plotters could divide.
    match values.find(|(_, v)| !(v.abs() <= 1e100) || (is_log && *v <= 0.0)) {
        Some((i, v)) if is_log => {
            bad(format!("{what}: value {i} is {v}; allowed: above 0, to 1e100"))
        }
        Some((i, v)) => bad(format!("{what}: value {i} is {v}; allowed: -1e100 to 1e100")),
        None => Ok(()),
    }
}

fn check_length(what: &str, expected: usize, found: usize) -> Result {
    if expected == found {
        return Ok(());
    }
    bad(format!("{what}: expected {expected} values, found {found}"))
}

/// A picture in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture(RgbImage);

impl Picture {
    /// Writes a PNG file and creates its folder where there is none.
    pub fn save(&self, path: impl AsRef<Path>) -> Result {
        let path = path.as_ref();
        let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        let saved = folder
            .map_err(image::ImageError::IoError)
            .and_then(|()| self.0.save_with_format(path, image::ImageFormat::Png));
        saved.map_err(|error| PlotError(format!("cannot save {}: {error}", path.display())))
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
    fn check(&self) -> Result {
        check_length("coordinates of points", 2 * self.class.len(), self.xy.len())?;
        check("coordinates of points", false, self.xy.iter().map(|v| f64::from(*v)))
    }

    /// The values of a coordinate, 0 or 1.
    fn coordinate(&self, d: usize) -> impl Iterator<Item = f64> {
        self.xy.iter().skip(d).step_by(2).map(|v| f64::from(*v))
    }

    /// Draws the points that lie inside the axes, in the colour of their class.
    fn draw(&self, plane: &mut Plane<'_>, colours: [RGBColor; 2]) -> Result {
        // Many points become one blot unless they shrink.
        let radius = (8.0 * (500.0 / self.class.len() as f64).sqrt()).clamp(3.0, 8.0).round();
        let (x, y) = (plane.x_range(), plane.y_range());
        let places = self.coordinate(0).zip(self.coordinate(1)).zip(self.class);
        let inside = places.filter(|(p, _)| x.contains(&p.0) && y.contains(&p.1));
        plane.draw_series(inside.map(|(place, class)| {
            let colour = colours[usize::from(*class > 0.5)].mix(0.5);
            Circle::new(place, radius as i32, colour.filled())
        }))?;
        Ok(())
    }

    fn legend(colours: [RGBColor; 2]) -> Vec<chart::Entry<'static>> {
        vec![("class 1", Mark::Disc, colours[1]), ("class 0", Mark::Disc, colours[0])]
    }
}

/// One line of a [`curve`].
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The name in the legend, which is drawn where there are several series.
    pub label: &'a str,
    /// The `(x, y)` of each point; one that is not finite interrupts the line.
    pub values: &'a [(f64, f64)],
}

/// The probability of class 1 on a square grid.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    /// The probabilities, `[n, n]` row-major with `n` of at least 2, the lowest row first.
    pub values: &'a [f32],
    /// Both coordinates of the first and of the last value on the diagonal.
    pub axis: (f32, f32),
}

/// One bar of each group of [`bars`].
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a> {
    /// The name in the legend.
    pub label: &'a str,
    /// For each group the lower end of its whisker, the height of its bar, the whisker's upper end.
    pub values: &'a [[f64; 3]],
}

/// Draws points, class 1 red and class 0 blue.
pub fn points(title: &str, data: &Points<'_>) -> Result<Picture> {
    data.check()?;
    let axes = [0, 1].map(|d| Axis::around(data.coordinate(d), false, 0.05));
    let legend = Points::legend([BLUE, RED]);
    let chart = Chart { title, axes, labels: [""; 2], legend, groups: &[], is_square: false };
    chart.draw(|_, plane| data.draw(plane, [BLUE, RED]))
}

/// Draws a line a series, over axes of which each is logarithmic or not; the points are marked where
/// a line has at most 30.
pub fn curve(
    title: &str,
    labels: [&str; 2],
    series: &[Series<'_>],
    is_log: [bool; 2],
) -> Result<Picture> {
    let is_finite = |p: &&(f64, f64)| p.0.is_finite() && p.1.is_finite();
    let finite = || series.iter().flat_map(|line| line.values).filter(is_finite);
    check("x of the series", is_log[0], finite().map(|p| p.0))?;
    check("y of the series", is_log[1], finite().map(|p| p.1))?;
    let x = Axis::around(finite().map(|p| p.0), is_log[0], 0.05);
    let y = Axis::around(finite().map(|p| p.1), is_log[1], 0.05);
    let entries = series.iter().zip(palette()).filter(|_| series.len() > 1);
    let legend = entries.map(|(line, colour)| (line.label, Mark::Line, colour)).collect();
    let chart = Chart { title, axes: [x, y], labels, legend, groups: &[], is_square: false };
    chart.draw(|_, plane| {
        for (line, colour) in series.iter().zip(palette()) {
            for part in line.values.split(|p| !is_finite(&p)) {
                let path: Vec<_> = part.iter().map(|p| (x.at(p.0), y.at(p.1))).collect();
                // One step a time: plotters draws spikes where a thick path turns back.
                let steps = path.windows(2).map(|ends| ends.to_vec());
                plane.draw_series(steps.map(|s| PathElement::new(s, colour.stroke_width(4))))?;
                if line.values.len() <= 30 || part.len() == 1 {
                    plane.draw_series(path.iter().map(|p| Circle::new(*p, 7, colour.filled())))?;
                }
            }
        }
        Ok(())
    })
}

/// Draws a square map in blue, white and red with a colour bar, and the points on it, class 1
/// tomato and class 0 cyan.
pub fn probability_map(title: &str, map: &Map<'_>, points: Option<&Points<'_>>) -> Result<Picture> {
    let colours = [RGBColor(0, 255, 255), RGBColor(255, 99, 71)];
    let n = map.values.len().isqrt().max(2);
    check_length("values of the square map", n * n, map.values.len())?;
    check("values of the map", false, map.values.iter().map(|v| f64::from(*v)))?;
    points.map_or(Ok(()), Points::check)?;
    let (low, high) = (f64::from(map.axis.0), f64::from(map.axis.1));
    let cell = (high - low) / (n - 1) as f64;
    if !(cell > 0.0 && cell.is_finite()) {
        return bad(format!("axis of the map: {low} does not lie below {high}"));
    }
    let axes = [Axis::new(low - cell / 2.0, high + cell / 2.0, false); 2];
    let legend = points.map_or(Vec::new(), |_| Points::legend(colours));
    let chart = Chart { title, axes, labels: [""; 2], legend, groups: &[], is_square: true };
    chart.draw(|root, plane| {
        let edge = |i: usize| low + cell * (i as f64 - 0.5);
        plane.draw_series(map.values.iter().enumerate().map(|(i, v)| {
            let (row, column) = (i / n, i % n);
            let corners = [(edge(column), edge(row + 1)), (edge(column + 1), edge(row))];
            Rectangle::new(corners, chart::shade(f64::from(*v)).filled())
        }))?;
        if let Some(points) = points {
            points.draw(plane, colours)?;
        }
        colour_bar(root, plane)
    })
}

/// A bar of all shades beside a map, with ticks from 0 to 1.
fn colour_bar(root: &Root<'_>, plane: &Plane<'_>) -> Result {
    let (x, y) = plane.plotting_area().get_pixel_range();
    let (left, right, side) = (x.end + 36, x.end + 68, SQUARE as i32);
    for at in 0..side {
        let (share, at) = (f64::from(at) / f64::from(side), y.end - at);
        root.draw(&PathElement::new([(left, at), (right, at)], chart::shade(share)))?;
    }
    root.draw(&Rectangle::new([(left, y.start), (right, y.end)], BLACK.stroke_width(2)))?;
    for fifth in 0..=5 {
        let at = y.end - fifth * side / 5;
        let label = format!("{:.1}", f64::from(fifth) / 5.0);
        root.draw(&PathElement::new([(right, at), (right + 9, at)], BLACK.stroke_width(2)))?;
        root.draw(&Text::new(label, (right + 17, at + 5), style(31, HPos::Left, VPos::Center)))?;
    }
    let turned = style(33, HPos::Center, VPos::Top).transform(FontTransform::Rotate270);
    Ok(root.draw(&Text::new("P(1)", (right + 75, (y.start + y.end) / 2), turned))?)
}

/// Draws grouped bars with whiskers over a logarithmic axis.
pub fn bars(title: &str, y_label: &str, groups: &[&str], series: &[Bars<'_>]) -> Result<Picture> {
    let values = || series.iter().flat_map(|bars| bars.values.iter().flatten().copied());
    check("values of the bars", true, values())?;
    for bars in series {
        check_length(&format!("values of {}", bars.label), groups.len(), bars.values.len())?;
    }
    let x = Axis::new(-0.5, groups.len() as f64 - 0.5, false);
    let mut y = Axis::around(values(), true, 0.05);
    // The smallest bar has to be seen, too.
    y.low = (y.low - 0.2).floor();
    let entries = series.iter().zip(palette());
    let legend = entries.map(|(bars, colour)| (bars.label, Mark::Box, colour)).collect();
    let labels = ["", y_label];
    let chart = Chart { title, axes: [x, y], labels, legend, groups, is_square: false };
    chart.draw(|_, plane| {
        let width = 0.8 / series.len() as f64;
        for (number, (bars, colour)) in series.iter().zip(palette()).enumerate() {
            for (group, values) in bars.values.iter().enumerate() {
                let left = group as f64 - 0.4 + width * number as f64;
                let [low, value, high] = values.map(|v| y.at(v));
                let bar = [(left, y.low), (left + width, value)];
                plane.draw_series([Rectangle::new(bar, colour.filled())])?;
                let (middle, cap) = (left + width / 2.0, 0.1 * width);
                let across = |v| vec![(middle - cap, v), (middle + cap, v)];
                let whisker = [vec![(middle, low), (middle, high)], across(low), across(high)];
                let line = BLACK.stroke_width(2);
                plane.draw_series(whisker.map(|path| PathElement::new(path, line)))?;
            }
        }
        Ok(())
    })
}

/// Draws how many values fall into each of `bins` bins of equal width, and a line at each mark.
pub fn histogram(
    title: &str,
    labels: [&str; 2],
    values: &[f64],
    bins: usize,
    marks: &[(f64, &str)],
) -> Result<Picture> {
    check("values", false, values.iter().copied())?;
    check("marks", false, marks.iter().map(|mark| mark.0).chain([0.0]))?;
    if !(1..=1000).contains(&bins) {
        return bad(format!("a histogram has 1 to 1000 bins, not {bins}"));
    }
    let inner = Axis::around(values.iter().copied(), false, 0.0);
    let size = (inner.high - inner.low) / bins as f64;
    let mut counts = vec![0.0_f64; bins];
    for value in values {
        counts[(((value - inner.low) / size) as usize).min(bins - 1)] += 1.0;
    }
    let places = marks.iter().map(|mark| mark.0);
    let x = Axis::around(places.chain([inner.low, inner.high]), false, 0.05);
    let y = Axis::new(0.0, 1.08 * counts.iter().fold(0.0, |a: f64, b| a.max(*b)), false);
    let entries = marks.iter().zip(palette().skip(1));
    let legend = entries.map(|(mark, colour)| (mark.1, Mark::Dashes, colour)).collect();
    let chart = Chart { title, axes: [x, y], labels, legend, groups: &[], is_square: false };
    chart.draw(|_, plane| {
        let filled = counts.iter().enumerate().filter(|(_, count)| **count > 0.0);
        let colour = palette().next().unwrap_or(BLUE);
        plane.draw_series(filled.map(|(bin, count)| {
            let [left, right] = [bin, bin + 1].map(|edge| inner.low + size * edge as f64);
            let mut bar = Rectangle::new([(left, 0.0), (right, *count)], colour.filled());
            // A gap shows where a bin ends, where the bins are wide enough to spare it.
            bar.set_margin(0, 0, 0, u32::from(bins <= 100));
            bar
        }))?;
        for ((at, _), colour) in marks.iter().zip(palette().skip(1)) {
            let ends = [(*at, 0.0), (*at, y.high)];
            plane.draw_series([DashedPathElement::new(ends, 14, 7, colour.stroke_width(3))])?;
        }
        Ok(())
    })
}

/// Puts pictures side by side, each centred on the height of the highest.
pub fn side_by_side(pictures: &[Picture]) -> Result<Picture> {
    let height = pictures.iter().map(|p| p.0.height()).max().unwrap_or(0);
    let width = pictures.iter().map(|p| u64::from(p.0.width())).sum::<u64>();
    if width == 0 || width * u64::from(height) >= 1 << 28 {
        return bad(format!("pictures of {width} x {height} pixels together"));
    }
    let mut whole = RgbImage::from_pixel(width as u32, height, image::Rgb([255; 3]));
    let mut left = 0;
    for Picture(part) in pictures {
        imageops::replace(&mut whole, part, left, i64::from(height - part.height()) / 2);
        left += i64::from(part.width());
    }
    Ok(Picture(whole))
}

/// Puts pictures one below the other, each centred on the width of the widest.
pub fn stacked(pictures: &[Picture]) -> Result<Picture> {
    // Mirrored along the diagonal, what stood below stands beside.
    let mirror = |p: &Picture| Picture(imageops::flip_horizontal(&imageops::rotate90(&p.0)));
    side_by_side(&pictures.iter().map(mirror).collect::<Vec<_>>()).map(|both| mirror(&both))
}

/// A picture `[height, width, 3]` in a white frame under a title, which is smaller where it would
/// not fit.
pub fn titled(title: &str, width: u32, rgb: &[u8]) -> Result<Picture> {
    let height = rgb.len() as u32 / (3 * width.max(1));
    let is_whole = height > 0 && rgb.len() as u64 == 3 * u64::from(width) * u64::from(height);
    let Some(image) = RgbImage::from_raw(width, height, rgb.to_vec()).filter(|_| is_whole) else {
        return bad(format!("pixels: {} values are no rows of {width} pixels", rgb.len()));
    };
    let mut framed = chart::canvas((width + 16, height + 48), |root| {
        let text = |size| style(size, HPos::Center, VPos::Center);
        let wide = root.estimate_text_size(title, &text(33))?.0;
        let size = (33 * width / wide.max(1)).clamp(1, 33);
        Ok(root.draw(&Text::new(title, (width as i32 / 2 + 8, 22), text(size)))?)
    })?;
    imageops::replace(&mut framed.0, &image, 8, 40);
    Ok(framed)
}

#[cfg(test)]
mod tests;

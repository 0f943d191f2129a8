//! Points of several classes in a plane whose axes have units of their own, and which class is likely
//! where.

use crate::chart::{Axis, Chart, Entry, Mark, Plane, palette};
use crate::{Picture, Result, bad, check, check_length};
use plotters::prelude::*;

/// Points in the plane, each of one of several classes.
#[derive(Clone, Copy, Debug)]
pub struct ClassPoints<'a> {
    /// The coordinates, `[n, 2]` row-major.
    pub xy: &'a [f64],
    /// The class of each point.
    pub class: &'a [usize],
    /// The points that are drawn as rings, by their indices: those held out.
    pub rings: &'a [usize],
}

/// The probability of each class on a grid.
#[derive(Clone, Copy, Debug)]
pub struct ClassMap<'a> {
    /// The probabilities, `[n, n, classes]` row-major with `n` of at least 2, the lowest row first.
    pub values: &'a [f32],
    /// The first and the last value of each axis.
    pub axes: [(f64, f64); 2],
}

/// The names of classes and of the plane's axes.
#[derive(Clone, Copy, Debug)]
pub struct ClassNames<'a> {
    /// The classes.
    pub classes: &'a [&'a str],
    /// The axes.
    pub axes: [&'a str; 2],
    /// What the rings are.
    pub rings: &'a str,
}

/// The colours of so many classes: of two, those at the ends of a probability map.
fn colours(classes: usize) -> Vec<RGBColor> {
    match classes {
        2 => vec![RGBColor(59, 76, 192), RGBColor(180, 4, 38)],
        _ => palette().take(classes).collect(),
    }
}

/// A share of a colour, the rest another.
fn mixed(colour: RGBColor, other: u8, share: f64) -> RGBColor {
    let mix = |c: u8| (f64::from(c) * share + f64::from(other) * (1.0 - share)).round() as u8;
    RGBColor(mix(colour.0), mix(colour.1), mix(colour.2))
}

impl ClassPoints<'_> {
    fn check(&self, classes: usize) -> Result {
        check_length("coordinates of points", 2 * self.class.len(), self.xy.len())?;
        check("coordinates of points", false, self.xy.iter().copied())?;
        if let Some(class) = self.class.iter().find(|class| **class >= classes) {
            return bad(format!("classes of points: {class}; allowed: 0 to {}", classes - 1));
        }
        match self.rings.iter().find(|ring| **ring >= self.class.len()) {
            Some(ring) => bad(format!("rings: point {ring} of {}", self.class.len())),
            None => Ok(()),
        }
    }

    fn coordinate(&self, d: usize) -> impl Iterator<Item = f64> {
        self.xy.iter().skip(d).step_by(2).copied()
    }

    /// Discs, and then rings, of those inside the axes.
    fn draw(&self, plane: &mut Plane<'_>, colours: &[RGBColor]) -> Result {
        let radius = (8.0 * (500.0 / self.class.len() as f64).sqrt()).clamp(3.0, 8.0).round();
        let mut is_ring = vec![false; self.class.len()];
        self.rings.iter().for_each(|ring| is_ring[*ring] = true);
        let (x, y) = (plane.x_range(), plane.y_range());
        for rings in [false, true] {
            let places = self.coordinate(0).zip(self.coordinate(1)).zip(self.class).zip(&is_ring);
            let drawn = places.filter(|((place, _), is_ring)| {
                **is_ring == rings && x.contains(&place.0) && y.contains(&place.1)
            });
            plane.draw_series(drawn.map(|((place, class), _)| {
                let colour = mixed(colours[*class], 0, 0.85);
                let style = if rings { colour.stroke_width(3) } else { colour.mix(0.55).filled() };
                Circle::new(place, radius as i32, style)
            }))?;
        }
        Ok(())
    }
}

impl ClassNames<'_> {
    fn legend<'a>(&'a self, colours: &[RGBColor], mark: Mark, rings: bool) -> Vec<Entry<'a>> {
        let entries = self.classes.iter().zip(colours);
        let mut legend: Vec<Entry<'a>> =
            entries.map(|(name, colour)| (*name, mark, mixed(*colour, 0, 0.85))).collect();
        if rings {
            legend.push((self.rings, Mark::Ring, BLACK));
        }
        legend
    }
}

/// Draws points in the colours of their classes.
pub fn class_points(
    title: &str,
    names: &ClassNames<'_>,
    points: &ClassPoints<'_>,
) -> Result<Picture> {
    let classes = names.classes.len();
    points.check(classes)?;
    let colours = colours(classes);
    let axes = [0, 1].map(|d| Axis::around(points.coordinate(d), false, 0.05));
    let legend = names.legend(&colours, Mark::Disc, !points.rings.is_empty());
    let labels = names.axes;
    let chart = Chart { title, axes, labels, legend, groups: &[], is_square: false };
    chart.draw(|_, plane| points.draw(plane, &colours))
}

/// Draws the likeliest class of each place in its colour, the paler the less likely it is, and the
/// points on it.
pub fn class_map(
    title: &str,
    names: &ClassNames<'_>,
    map: &ClassMap<'_>,
    points: Option<&ClassPoints<'_>>,
) -> Result<Picture> {
    let classes = names.classes.len();
    if classes < 2 {
        return bad(format!("classes of the map: {classes}; allowed: 2 or more"));
    }
    let n = (map.values.len() / classes).isqrt().max(2);
    check_length("probabilities of the map", n * n * classes, map.values.len())?;
    check("probabilities of the map", false, map.values.iter().map(|v| f64::from(*v)))?;
    points.map_or(Ok(()), |points| points.check(classes))?;
    let cells = map.axes.map(|(low, high)| (high - low) / (n - 1) as f64);
    for ((low, high), cell) in map.axes.iter().zip(cells) {
        if !(cell > 0.0 && cell.is_finite()) {
            return bad(format!("axis of the map: {low} does not lie below {high}"));
        }
    }
    let axes = [0, 1].map(|d| {
        let ((low, high), cell) = (map.axes[d], cells[d]);
        Axis::new(low - cell / 2.0, high + cell / 2.0, false)
    });
    let colours = colours(classes);
    let rings = points.is_some_and(|points| !points.rings.is_empty());
    let mark = if points.is_some() { Mark::Disc } else { Mark::Box };
    let legend = names.legend(&colours, mark, rings);
    let labels = names.axes;
    let chart = Chart { title, axes, labels, legend, groups: &[], is_square: false };
    chart.draw(|_, plane| {
        let edge = |d: usize, i: usize| map.axes[d].0 + cells[d] * (i as f64 - 0.5);
        plane.draw_series(map.values.chunks(classes).enumerate().map(|(i, probabilities)| {
            let (row, column) = (i / n, i % n);
            let corners =
                [(edge(0, column), edge(1, row + 1)), (edge(0, column + 1), edge(1, row))];
            let mut best = 0;
            for (class, p) in probabilities.iter().enumerate() {
                if *p > probabilities[best] {
                    best = class;
                }
            }
            // From white, where all are alike, to most of the colour.
            let least = 1.0 / classes as f64;
            let sure = (f64::from(probabilities[best]) - least) / (1.0 - least);
            let colour = mixed(colours[best], 255, 0.6 * sure.clamp(0.0, 1.0));
            Rectangle::new(corners, colour.filled())
        }))?;
        points.map_or(Ok(()), |points| points.draw(plane, &colours))
    })
}

//! The points of a description: drawn from a shape, or the reader's own, shuffled and split into rows
//! to train on and rows to test with.

use crate::description::{Description, Source};
use crate::error::{Error, Result};
use crate::feature::inputs;
use crate::random::Random;
use std::f64::consts::{PI, TAU};
use wgrad::Data;

/// A point of the page's square and its target.
pub type Point = [f32; 3];

/// The rows of a training.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// What is trained on.
    pub train: Vec<Point>,
    /// What is held out.
    pub test: Vec<Point>,
}

/// Half the side of the page's square.
const HALF: f64 = 6.0;

/// The middle of each hill of the regression, and whether it goes up.
const HILLS: [([f64; 2], f64); 6] = [
    ([-4.0, 2.5], 1.0),
    ([0.0, 2.5], -1.0),
    ([4.0, 2.5], 1.0),
    ([-4.0, -2.5], -1.0),
    ([0.0, -2.5], 1.0),
    ([4.0, -2.5], -1.0),
];

/// One point of a shape, the `i`th of `half` of its class.
struct Draw<'a> {
    random: &'a mut Random,
    /// 0 to 0.5.
    noise: f64,
    /// 0 to 1 along the class.
    along: f64,
    class: f64,
}

impl Draw<'_> {
    /// A point somewhere in a square of half side `half`, and the same with its noise.
    fn two(&mut self, half: f64) -> ([f64; 2], [f64; 2]) {
        let x = [(); 2].map(|()| self.random.uniform(-half, half));
        (x, self.blurred(x, half))
    }

    /// A point moved by noise of up to `reach` where the noise is whole.
    fn blurred(&mut self, x: [f64; 2], reach: f64) -> [f64; 2] {
        x.map(|x| x + self.noise * self.random.uniform(-reach, reach))
    }

    fn circles(&mut self) -> ([f64; 2], f64) {
        let outer = 5.0;
        let [low, high] = if self.class > 0.0 { [0.0, 0.5] } else { [0.7, 1.0] };
        let radius = outer * self.random.uniform(low, high);
        let angle = self.random.uniform(0.0, TAU);
        let x = [radius * angle.sin(), radius * angle.cos()];
        // Noise moves a point over the border of its class, not on the page.
        let [a, b] = self.blurred(x, outer);
        (x, if a.hypot(b) < 0.5 * outer { 1.0 } else { -1.0 })
    }

    fn xor(&mut self) -> ([f64; 2], f64) {
        let (x, _) = self.two(5.0);
        // A gap along the axes.
        let x = x.map(|x| x + 0.3_f64.copysign(x));
        let [a, b] = self.blurred(x, 5.0);
        (x, if a * b >= 0.0 { 1.0 } else { -1.0 })
    }

    fn gaussians(&mut self) -> ([f64; 2], f64) {
        // A variance of one half without noise and of four with all of it.
        let deviation = (0.5 + 7.0 * self.noise).sqrt();
        let middle = 2.0 * self.class;
        ([(); 2].map(|()| self.random.normal(middle, deviation)), self.class)
    }

    fn spiral(&mut self) -> ([f64; 2], f64) {
        let radius = 5.0 * self.along;
        let turn = 1.75 * TAU * self.along + if self.class > 0.0 { 0.0 } else { PI };
        let x = [radius * turn.sin(), radius * turn.cos()];
        (self.blurred(x, 1.0), self.class)
    }

    fn moons(&mut self) -> ([f64; 2], f64) {
        let turn = PI * self.along;
        let [x, y] = if self.class > 0.0 {
            [turn.cos() - 0.5, turn.sin() - 0.25]
        } else {
            [0.5 - turn.cos(), 0.25 - turn.sin()]
        };
        let deviation = 0.2 + 2.0 * self.noise;
        ([3.2 * x, 3.2 * y].map(|x| self.random.normal(x, deviation)), self.class)
    }

    fn plane(&mut self) -> ([f64; 2], f64) {
        let (x, [a, b]) = self.two(HALF);
        (x, 0.1 * (a + b))
    }

    fn hills(&mut self) -> ([f64; 2], f64) {
        let (x, [a, b]) = self.two(HALF);
        let height = |([x, y], sign): ([f64; 2], f64)| {
            sign * (1.0 - 0.5 * (a - x).hypot(b - y)).clamp(0.0, 1.0)
        };
        let heights = HILLS.map(height);
        (
            x,
            heights
                .into_iter()
                .fold(0.0, |most, h: f64| if h.abs() > f64::abs(most) { h } else { most }),
        )
    }
}

/// One point of a source, within the page's square.
fn point(source: Source, draw: &mut Draw<'_>) -> Point {
    let mut found = ([0.0; 2], 0.0);
    for _ in 0..100 {
        found = match source {
            Source::Circles => draw.circles(),
            Source::Xor => draw.xor(),
            Source::Gaussians => draw.gaussians(),
            Source::Spiral => draw.spiral(),
            Source::Moons => draw.moons(),
            Source::Plane => draw.plane(),
            Source::Hills | Source::Own => draw.hills(),
        };
        if found.0.iter().all(|x| x.abs() <= HALF) {
            break;
        }
    }
    let ([x, y], target) = found;
    [x.clamp(-HALF, HALF) as f32, y.clamp(-HALF, HALF) as f32, target as f32]
}

impl Points {
    /// The points of a description.
    ///
    /// # Errors
    /// Those of [`Description::check`].
    pub fn new(of: &Description) -> Result<Self> {
        of.check()?;
        let mut random = Random::new(of.data_seed.into());
        let mut all: Vec<Point> = if of.data == Source::Own {
            let own = of.points.chunks_exact(3);
            own.map(|p| [p[0] as f32, p[1] as f32, p[2] as f32]).collect()
        } else {
            let half = of.rows.div_ceil(2);
            (0..of.rows)
                .map(|i| {
                    let class = if i < half { 1.0 } else { -1.0 };
                    let (i, count) = if i < half { (i, half) } else { (i - half, of.rows - half) };
                    let along = i as f64 / count as f64;
                    let noise = of.noise / 100.0;
                    point(of.data, &mut Draw { random: &mut random, noise, along, class })
                })
                .collect()
        };
        random.shuffle(&mut all);
        // One row at least on either side, where there are two.
        let share = (all.len() as f64 * of.train).round() as usize;
        let share =
            share.clamp(all.len().min(1), all.len().saturating_sub(1).max(1).min(all.len()));
        let test = all.split_off(share);
        Ok(Self { train: all, test })
    }
}

/// Rows as data of a network; `None` where there are none.
///
/// # Errors
/// Values that are not finite.
pub fn data(of: &Description, rows: &[Point]) -> Result<Option<Data>> {
    if rows.is_empty() {
        return Ok(None);
    }
    let x = inputs(&of.features, rows.iter().map(|[x, y, _]| [*x, *y]));
    let t = rows.iter().map(|[_, _, target]| *target).collect();
    Ok(Some(Data::new(of.features.len(), 1, x, t)?))
}

/// [`data`] of rows that there must be.
///
/// # Errors
/// No rows; those of [`data`].
pub fn some_data(of: &Description, rows: &[Point]) -> Result<Data> {
    data(of, rows)?
        .ok_or_else(|| Error::new("there are no points yet: a training needs two or more"))
}

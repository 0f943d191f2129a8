//! The multiresolution hash grid: Müller, Evans, Schied and Keller, "Instant Neural Graphics
//! Primitives with a Multiresolution Hash Encoding", 2022.

use crate::error::{Error, Result};
use crate::numeric::{Real, to_f32, wide};
use crate::wgsl::{FINITE, Piece, Writer, literal, piece};
use std::ops::Range;

/// The most dimensions of a grid.
const D: usize = super::DIMENSIONS;

/// The WGSL functions of a grid.
pub(crate) static GRID: Piece = piece!("encoding/grid", [&FINITE]);

/// How the corners of a cell are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Interpolation {
    /// By the distance f from the opposite side.
    #[default]
    Linear,
    /// By f² (3 − 2 f), whose derivative has no jumps.
    Smoothstep,
}

/// Trained features on grids of growing resolution over a box of two or three dimensions,
/// interpolated: `levels` · `features_per_level` outputs, the coarsest level first.
///
/// Inputs are mapped from the box to [0, 1] in front: (x − `lower`) / (`upper` − `lower`). On level l
/// a cell has the side 1 / s with s = `base_resolution` · `per_level_scale`ˡ − 1. There
/// are ⌈s⌉ + 1 corners per side, and the first lies half a cell outside. A level whose corners fit
/// a table of 2^`log2_hashmap_size` entries has one entry for each corner. A finer level finds a
/// corner's entry by the hash (x · 1) ⊕ (y · 2654435761) ⊕ (z · 805459861) mod
/// 2^`log2_hashmap_size` and ignores collisions. Inputs beyond the box count as its nearest point; a
/// training refuses them.
///
/// ```
/// use wgrad::{Activation, Mlp, encoding::Grid};
/// // Points of a scene between −1 and 1, and 0 to 3 high.
/// let grid = Grid { lower: [-1.0, -1.0, 0.0], upper: [1.0, 1.0, 3.0], ..Grid::default() };
/// let mlp = Mlp::new(3).encode(3, grid).layer(64, Activation::Relu).layer(1, Activation::Identity);
/// # assert!(mlp.check().is_ok());
/// ```
///
/// The tables are parameters of the network and precede the layers' parameters. They are sampled
/// from ±10⁻⁴. Their order is level after level, entry after entry; the entries of a level are
/// rounded up to a multiple of eight.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Grid {
    /// The number of levels, 1 to 32.
    pub levels: u32,
    /// Features of an entry: 1, 2, 4 or 8.
    pub features_per_level: u32,
    /// The base-2 logarithm of the largest number of entries of a table, 3 to 24.
    pub log2_hashmap_size: u32,
    /// Corners per side of the coarsest level, 2 or more.
    pub base_resolution: u32,
    /// The growth of the resolution from level to level, 1 or more.
    pub per_level_scale: f64,
    /// The weights of a cell's corners.
    pub interpolation: Interpolation,
    /// The lower corner of the box of the inputs. Two inputs have its first two coordinates.
    pub lower: [f32; 3],
    /// The upper corner of the box of the inputs.
    pub upper: [f32; 3],
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            levels: 16,
            features_per_level: 2,
            log2_hashmap_size: 19,
            base_resolution: 16,
            per_level_scale: 2.0,
            interpolation: Interpolation::Linear,
            lower: [0.0; D],
            upper: [1.0; D],
        }
    }
}

/// The largest number of corners per side. An f32 in [0, 1] still resolves two digits of a cell
/// there.
const MAX_RESOLUTION: f64 = 1_048_576.0;

/// One level, as a shader reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Cells per side.
    pub scale: f32,
    /// Corners per side.
    pub resolution: u32,
    /// The number of entries.
    pub size: u32,
    /// The index of the level's first entry among the entries of all levels.
    pub first: u32,
    /// Whether corners are hashed.
    pub hashed: bool,
}

impl From<Grid> for super::Encoding {
    fn from(grid: Grid) -> Self {
        Self::Grid(grid)
    }
}

/// The factors of a corner's coordinates in the hash.
const PRIMES: [u32; D] = [1, 2_654_435_761, 805_459_861];

/// A point's position on a level: the lowest corner of its cell, and the distance from it in cells.
struct Cell<T> {
    cell: [u32; D],
    at: [T; D],
    /// 0 where the input lies beyond [0, 1] and the derivative vanishes, otherwise 1.
    inside: [T; D],
}

impl Level {
    /// Finds the cell of a point. Twice the position is a single product, which every device rounds
    /// alike; adding the half and the floor happen in integers. An index therefore has the same
    /// bits on every device.
    /// `x` is a point of the unit cube, or beyond it.
    #[inline(always)]
    fn place<T: Real>(&self, x: &[T]) -> Cell<T> {
        let mut place = Cell { cell: [0; D], at: [T::ZERO; D], inside: [T::ZERO; D] };
        let scale = T::of(f64::from(self.scale));
        for (d, x) in x.iter().enumerate() {
            let held = x.max(T::ZERO).min(T::ONE);
            let doubled = (scale * T::of(2.0)) * held;
            place.cell[d] = (crate::numeric::whole(doubled.to_f64()) + 1) >> 1;
            place.at[d] = scale * held + T::of(0.5) - T::of(f64::from(place.cell[d]));
            place.inside[d] = if held == *x { T::ONE } else { T::ZERO };
        }
        place
    }

    /// The index of a corner's entry within the level.
    #[inline(always)]
    fn entry(&self, corner: [u32; D]) -> u32 {
        let last = self.resolution - 1;
        let [x, y, z] = corner.map(|c| c.min(last));
        if self.hashed {
            let mixed = x ^ y.wrapping_mul(PRIMES[1]) ^ z.wrapping_mul(PRIMES[2]);
            mixed & (self.size - 1)
        } else {
            x + self.resolution * (y + self.resolution * z)
        }
    }
}

impl Grid {
    /// The number of features of all levels.
    pub(crate) const fn outputs(&self) -> usize {
        (self.levels as usize).saturating_mul(self.features_per_level as usize)
    }

    pub(super) fn check(&self, inputs: usize) -> Result<()> {
        self.check_fields()?;
        for d in 0..inputs.min(D) {
            let (lower, upper) = (self.lower[d], self.upper[d]);
            // The slope of an empty box is infinite or negative, that of an endless box 0.
            let slope = self.slope(d);
            if !(lower.is_finite() && upper.is_finite() && slope.is_finite() && slope > 0.0) {
                let found = format!("from {lower} to {upper} in dimension {d}");
                return Err(Error::argument(
                    "the box of the encoding grid",
                    found,
                    "finite and not empty",
                ));
            }
        }
        crate::numeric::to_u32(
            "the parameters of the encoding grid",
            wide(self.parameters(inputs)),
        )?;
        Ok(())
    }

    fn check_fields(&self) -> Result<()> {
        let what = |part: &str| format!("the {part} of the encoding grid");
        let Self {
            levels,
            features_per_level,
            log2_hashmap_size,
            base_resolution,
            per_level_scale,
            ..
        } = *self;
        if !(1..=32).contains(&levels) {
            return Err(Error::argument(what("levels"), levels, "1 to 32"));
        }
        if ![1, 2, 4, 8].contains(&features_per_level) {
            return Err(Error::argument(
                what("features_per_level"),
                features_per_level,
                "1, 2, 4 or 8",
            ));
        }
        if !(3..=24).contains(&log2_hashmap_size) {
            return Err(Error::argument(what("log2_hashmap_size"), log2_hashmap_size, "3 to 24"));
        }
        if base_resolution < 2 {
            return Err(Error::argument(what("base_resolution"), base_resolution, "2 or more"));
        }
        if !(per_level_scale >= 1.0) {
            return Err(Error::argument(what("per_level_scale"), per_level_scale, "1 or more"));
        }
        let finest = f64::from(base_resolution) * per_level_scale.powi(levels as i32 - 1);
        if !(finest <= MAX_RESOLUTION) {
            return Err(Error::argument(
                what("finest resolution"),
                finest,
                format!("at most {MAX_RESOLUTION}"),
            ));
        }
        Ok(())
    }

    /// The levels of a grid that has been checked.
    pub(crate) fn levels(&self, inputs: usize) -> Vec<Level> {
        let most = 1_u32 << self.log2_hashmap_size;
        let (mut first, mut side) = (0, f64::from(self.base_resolution));
        (0..self.levels)
            .map(|_| {
                let resolution = crate::numeric::whole((side - 1.0).ceil()) + 1;
                let corners = (0..inputs).fold(1_u64, |all, _| all * u64::from(resolution));
                let hashed = corners > u64::from(most);
                let size = if hashed { most } else { u32::try_from(corners).unwrap_or(most) };
                let size = size.next_multiple_of(8).min(most);
                let level = Level { scale: to_f32(side - 1.0), resolution, size, first, hashed };
                first += size;
                side *= self.per_level_scale;
                level
            })
            .collect()
    }

    /// The number of features of all entries; 0 for a grid that cannot be.
    pub(crate) fn parameters(&self, inputs: usize) -> usize {
        if self.check_fields().is_err() || !(2..=D).contains(&inputs) {
            return 0;
        }
        let entries: usize = self.levels(inputs).iter().map(|level| level.size as usize).sum();
        entries * self.features_per_level as usize
    }

    /// The weight of the upper corner at a coordinate `f` in 0 to 1, and its derivative.
    #[inline(always)]
    fn weight<T: Real>(&self, f: T) -> (T, T) {
        match self.interpolation {
            Interpolation::Linear => (f, T::ONE),
            Interpolation::Smoothstep => {
                (f * f * (T::of(3.0) - T::of(2.0) * f), T::of(6.0) * f * (T::ONE - f))
            }
        }
    }

    /// The derivative of the mapping from the box to [0, 1] in dimension `d`.
    fn slope(&self, d: usize) -> f32 {
        1.0 / (self.upper[d] - self.lower[d])
    }

    /// Whether the box is the unit cube, in `inputs` dimensions.
    fn is_unit(&self, inputs: usize) -> bool {
        (0..inputs.min(D)).all(|d| self.lower[d] == 0.0 && self.upper[d] == 1.0)
    }

    /// The box of an input, which is dimension `d`.
    pub(crate) fn range(&self, d: usize) -> [f64; 2] {
        [self.lower, self.upper].map(|corner| corner.get(d).copied().map_or(0.0, f64::from))
    }

    /// Calls `f(entry, weight, derivatives)` for each corner of a cell. `derivatives` are those of
    /// the weight with respect to each input, and are computed only with `DERIVATIVES`.
    #[inline(always)]
    fn corners<T: Real, const DERIVATIVES: bool>(
        &self,
        level: &Level,
        x: &[T],
        f: impl FnMut(usize, T, [T; D]),
    ) {
        // The loops over coordinates have constant bounds, and are written out.
        match *x {
            [x, y] => self.corners_of::<T, 2, DERIVATIVES>(level, [x, y], f),
            [x, y, z] => self.corners_of::<T, 3, DERIVATIVES>(level, [x, y, z], f),
            _ => {}
        }
    }

    #[inline(always)]
    fn corners_of<T: Real, const N: usize, const DERIVATIVES: bool>(
        &self,
        level: &Level,
        x: [T; N],
        mut f: impl FnMut(usize, T, [T; D]),
    ) {
        let slopes: [T; D] = std::array::from_fn(|d| T::of(f64::from(self.slope(d))));
        let mut unit = [T::ZERO; N];
        for (d, (unit, x)) in unit.iter_mut().zip(x).enumerate() {
            // As the shader does: the difference, then a product.
            *unit = (x - T::of(f64::from(self.lower[d]))) * slopes[d];
        }
        let place = level.place(&unit);
        let scale = T::of(f64::from(level.scale));
        let both = place.at.map(|at| self.weight(at));
        for corner in 0..1_u32 << N {
            let mut cell = place.cell;
            let (mut weight, mut derivatives) = (T::ONE, [T::ONE; D]);
            for d in 0..N {
                let up = corner >> d & 1;
                cell[d] += up;
                let (share, derivative) = both[d];
                let share = if up == 1 { share } else { T::ONE - share };
                weight *= share;
                if !DERIVATIVES {
                    continue;
                }
                let derivative = if up == 1 { derivative } else { -derivative }
                    * scale
                    * place.inside[d]
                    * slopes[d];
                for (other, product) in derivatives.iter_mut().enumerate() {
                    *product *= if other == d { derivative } else { share };
                }
            }
            f(level.entry(cell) as usize, weight, derivatives);
        }
    }

    /// Adds the outputs of rows: `x` gives a row's point, and a line of `y`, which has `line`
    /// elements, takes them from `first` on. Level after level, whose entries then stay in the cache.
    pub(super) fn values<'a, T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        x: impl Fn(usize) -> &'a [T],
        (y, line, first): (&mut [T], usize, usize),
    ) {
        for (l, level) in levels.iter().enumerate() {
            let features = self.features_per_level as usize;
            let (table, at) = (&tables[level.first as usize * features..], first + l * features);
            for (row, y) in y.chunks_exact_mut(line).enumerate() {
                let (x, y) = (x(row), &mut y[at..at + features]);
                match features {
                    1 => self.value::<T, 1>(level, table, x, y),
                    2 => self.value::<T, 2>(level, table, x, y),
                    4 => self.value::<T, 4>(level, table, x, y),
                    _ => self.value::<T, 8>(level, table, x, y),
                }
            }
        }
    }

    /// Adds the F features of one level at a point.
    #[inline(always)]
    fn value<T: Real, const F: usize>(&self, level: &Level, table: &[T], x: &[T], y: &mut [T]) {
        let mut sums = [T::ZERO; F];
        self.corners::<T, false>(level, x, |entry, weight, _| {
            let values = &table[entry * F..][..F];
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += weight * *value;
            }
        });
        for (y, sum) in y.iter_mut().zip(sums) {
            *y += sum;
        }
    }

    /// Adds the gradient of one row's inputs to `dx`.
    pub(super) fn vjp<T: Real>(
        &self,
        levels: &[Level],
        tables: &[T],
        x: &[T],
        dy: &[T],
        dx: &mut [T],
    ) {
        let features = self.features_per_level as usize;
        for (level, dy) in levels.iter().zip(dy.chunks(features)) {
            let first = level.first as usize * features;
            self.corners::<T, true>(level, x, |entry, _, derivatives| {
                let values = &tables[first + entry * features..];
                let mut product = T::ZERO;
                for (value, dy) in values.iter().zip(dy) {
                    product += *value * *dy;
                }
                for (dx, derivative) in dx.iter_mut().zip(derivatives) {
                    *dx += derivative * product;
                }
            });
        }
    }

    /// Adds the gradient of the tables, row after row. `inputs` and `outputs` are this grid's
    /// columns of `x` and `delta`, whose widths are given with them.
    pub(super) fn scatter<T: Real>(
        &self,
        levels: &[Level],
        [(x, width_in), (delta, width_out)]: [(&[T], usize); 2],
        [inputs, outputs]: [Range<usize>; 2],
        tables: &mut [T],
    ) {
        let features = self.features_per_level as usize;
        let mut rest = tables;
        let mut parts = Vec::new();
        for (l, level) in levels.iter().enumerate() {
            let (part, later) = rest.split_at_mut(level.size as usize * features);
            parts.push((l, level, part));
            rest = later;
        }
        let one = |(l, level, part): (usize, &Level, &mut [T])| {
            let first = outputs.start + l * features;
            for (x, delta) in x.chunks(width_in).zip(delta.chunks(width_out)) {
                let (x, delta) = (&x[inputs.clone()], &delta[first..first + features]);
                match features {
                    1 => self.add::<T, 1>(level, part, x, delta),
                    2 => self.add::<T, 2>(level, part, x, delta),
                    4 => self.add::<T, 4>(level, part, x, delta),
                    _ => self.add::<T, 8>(level, part, x, delta),
                }
            }
        };
        // One core sums a level, so the order of its additions is fixed.
        #[cfg(feature = "threads")]
        {
            use rayon::prelude::*;
            parts.into_par_iter().for_each(one);
        }
        #[cfg(not(feature = "threads"))]
        parts.into_iter().for_each(one);
    }

    /// Adds a row's share to the gradient of one level's entries.
    #[inline(always)]
    fn add<T: Real, const F: usize>(&self, level: &Level, table: &mut [T], x: &[T], delta: &[T]) {
        let delta: [T; F] = std::array::from_fn(|i| delta[i]);
        self.corners::<T, false>(level, x, |entry, weight, _| {
            for (g, d) in table[entry * F..][..F].iter_mut().zip(delta) {
                *g += weight * d;
            }
        });
    }

    /// The entries of a cell's corners at a point of 2 or 3 coordinates, level after level, as
    /// indices among the entries of all levels. Corner c lies on the upper side of coordinate d
    /// where bit d of c is set.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`](super::Encoding::check).
    pub fn entries(&self, x: &[f32]) -> Result<Vec<u32>> {
        super::Encoding::from(*self).check(x.len())?;
        let mut entries = Vec::new();
        for level in self.levels(x.len()) {
            self.corners::<f32, false>(&level, x, |entry, _, _| {
                entries.extend(u32::try_from(entry).map(|entry| level.first + entry));
            });
        }
        Ok(entries)
    }

    /// The number of features that one invocation handles.
    pub(crate) const fn chunk(&self) -> u32 {
        if self.features_per_level > 4 { 4 } else { self.features_per_level }
    }

    /// WGSL constants and types for the functions of a grid of `inputs` dimensions.
    pub(crate) fn constants(&self, inputs: usize) -> String {
        let (chunk, smooth) = (self.chunk(), self.interpolation == Interpolation::Smoothstep);
        let (kind, dot, part) = match chunk {
            1 => ("f32".to_owned(), "a * b", "v"),
            n => (format!("vec{n}<f32>"), "dot(a, b)", "v[i]"),
        };
        let mut w = Writer::default();
        w.line(format_args!("alias GridFeatures = {kind};"));
        w.function("grid_dot(a: GridFeatures, b: GridFeatures) -> f32", |w| {
            w.line(format_args!("return {dot};"));
        });
        w.function("grid_feature(v: GridFeatures, i: u32) -> f32", |w| {
            w.line(format_args!("return {part};"));
        });
        w.constant("GRID_FEATURES", self.features_per_level);
        w.constant("GRID_CHUNK", chunk);
        w.constant("GRID_CORNERS", 1_u32 << inputs);
        w.flag("GRID_SMOOTH", smooth);
        // The third dimension of a point of two is 0.
        let vector = |f: &dyn Fn(usize) -> f32, third: f32| {
            let part = |d| literal(if d < inputs { f(d) } else { third });
            format!("vec3<f32>({}, {}, {})", part(0), part(1), part(2))
        };
        let (lower, slope) = (vector(&|d| self.lower[d], 0.0), vector(&|d| self.slope(d), 1.0));
        let unit = self.is_unit(inputs);
        w.function("grid_to_unit(x: vec3<f32>) -> vec3<f32>", |w| match unit {
            true => w.line("return x;"),
            false => w.line(format_args!("return (x - {lower}) * {slope};")),
        });
        w.function("grid_from_unit(dx: vec3<f32>) -> vec3<f32>", |w| match unit {
            true => w.line("return dx;"),
            false => w.line(format_args!("return dx * {slope};")),
        });
        w.finish()
    }

    /// WGSL function `grid_level(l)`.
    pub(crate) fn splice_levels(&self, inputs: usize) -> String {
        let levels = self.levels(inputs);
        let case =
            |(l, level): (usize, &Level)| (format!("{l}u"), format!("return {};", level.literal()));
        let cases: Vec<_> = levels.iter().enumerate().map(case).collect();
        let mut w = Writer::default();
        w.function("grid_level(l: u32) -> GridLevel", |w| w.switch("l", &cases));
        w.finish()
    }

    /// The operations of a row: twice the number of entries that a point touches, times the
    /// features.
    pub(crate) fn work(&self, inputs: usize) -> u64 {
        wide(self.outputs()) << (inputs + 1)
    }
}

impl Level {
    /// The level as a WGSL value.
    pub fn literal(&self) -> String {
        let Self { scale, resolution, size, first, hashed } = self;
        format!("GridLevel({scale:?}f, {resolution}u, {size}u, {first}u, {hashed})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        Grid {
            levels: 8,
            log2_hashmap_size: 10,
            per_level_scale: 1.5,
            base_resolution: 4,
            ..Grid::default()
        }
    }

    #[test]
    fn coarse_levels_have_an_entry_a_corner_and_fine_ones_a_full_table() {
        let levels = grid().levels(2);
        assert_eq!(levels[0].resolution, 4);
        assert_eq!((levels[0].size, levels[0].hashed), (16, false));
        // The scaled resolution is 4 · 1.5² = 9, exactly.
        assert_eq!((levels[2].resolution, levels[2].size), (9, 88));
        assert!(levels.iter().all(|l| l.hashed == (l.resolution.pow(2) > 1024)), "{levels:?}");
        assert!(levels[7].hashed && levels[7].size == 1024);
        let firsts: Vec<u32> = levels
            .iter()
            .scan(0, |sum, l| {
                let first = *sum;
                *sum += l.size;
                Some(first)
            })
            .collect();
        assert_eq!(levels.iter().map(|l| l.first).collect::<Vec<_>>(), firsts);
        assert_eq!(grid().parameters(2), 2 * levels.iter().map(|l| l.size as usize).sum::<usize>());
    }

    #[test]
    fn every_entry_is_in_its_level_at_the_edges_too() {
        for inputs in [2, 3] {
            let levels = grid().levels(inputs);
            for x in [0.0, 1e-30, 0.5, 1.0 - 6e-8, 1.0, -3.0, 7.0, f32::MAX, f32::NEG_INFINITY] {
                let entries = grid().entries(&vec![x; inputs]).unwrap();
                for (level, corners) in levels.iter().zip(entries.chunks(1 << inputs)) {
                    let range = level.first..level.first + level.size;
                    assert!(corners.iter().all(|e| range.contains(e)), "{x}: {corners:?}");
                }
            }
        }
    }

    /// On a corner the value is the corner's entry.
    #[test]
    fn a_corner_has_its_entrys_features() {
        let grid = Grid { levels: 1, base_resolution: 5, ..grid() };
        let tables: Vec<f64> = (0..grid.parameters(2)).map(|i| i as f64).collect();
        // Four cells per side, and the first corner half a cell outside: corners at (i − ½) / 4.
        let mut y = [0.0; 2];
        grid.values(&grid.levels(2), &tables, |_| &[0.375, 0.625], (&mut y, 2, 0));
        assert_eq!(y, [2.0 * (2.0 + 5.0 * 3.0), 2.0 * (2.0 + 5.0 * 3.0) + 1.0]);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let of = |grid: Grid| grid.check(2).unwrap_err().to_string();
        for (grid, words) in [
            (Grid { levels: 0, ..grid() }, "the levels of the encoding grid is 0"),
            (Grid { levels: 33, ..grid() }, "the levels of the encoding grid is 33"),
            (
                Grid { features_per_level: 3, ..grid() },
                "the features_per_level of the encoding grid is 3",
            ),
            (
                Grid { log2_hashmap_size: 25, ..grid() },
                "the log2_hashmap_size of the encoding grid is 25",
            ),
            (Grid { base_resolution: 1, ..grid() }, "the base_resolution of the encoding grid"),
            (
                Grid { per_level_scale: f64::NAN, ..grid() },
                "the per_level_scale of the encoding grid is NaN",
            ),
            (
                Grid { upper: [1.0, -1.0, 1.0], ..grid() },
                "the box of the encoding grid is from 0 to -1 in dimension 1",
            ),
            (Grid { lower: [f32::NAN; 3], ..grid() }, "the box of the encoding grid is from NaN"),
            (Grid { upper: [f32::MAX; 3], lower: [f32::MIN; 3], ..grid() }, "the box of"),
            (
                Grid { per_level_scale: 9.0, ..grid() },
                "the finest resolution of the encoding grid is",
            ),
        ] {
            let message = of(grid);
            assert!(message.starts_with(words), "{message}");
        }
    }
}

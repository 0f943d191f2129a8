//! The multiresolution hash grid: Müller, Evans, Schied and Keller, "Instant Neural Graphics
//! Primitives with a Multiresolution Hash Encoding", 2022.

use crate::error::{Error, Result};
use crate::network::level::Level;
use crate::numeric::wide;

/// The most dimensions of a grid.
pub(crate) const GRID_DIMENSIONS: usize = 4;

const D: usize = GRID_DIMENSIONS;

/// Which entry of its table a corner has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum GridKind {
    /// One of its own on levels whose corners fit the table; the corner's hash on finer ones.
    #[default]
    Hash,
    /// One of its own on every level. A level may have up to 2²⁴ corners.
    Dense,
    /// One of its own on the coarsest level. Finer levels repeat a table of as many entries as the
    /// coarsest level has corners: the index is counted modulo this number.
    Tiled,
}

/// Which corners the last cells of a level have. The last corner of a dimension stands half a cell
/// or less before the end of the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Edge {
    /// The last corner twice: the features are constant from it to the end of the box.
    #[default]
    Clamp,
    /// The first corner follows the last one: the features have the box as their period, and a
    /// dimension has as many corners as cells. A corner stands in the middle of a texel of a repeated
    /// texture.
    Repeat,
    /// The last corner and the one that its index would follow, as in tiny-cuda-nn. On levels that
    /// are not hashed this is a corner of the next row, or of the first.
    Wrap,
}

/// The resolutions of one dimension of a grid.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Axis {
    /// Corners of the coarsest level, 2 or more.
    pub base_resolution: u32,
    /// The growth of the resolution from level to level, 1 or more.
    pub per_level_scale: f64,
}

impl Axis {
    /// The resolutions from `base` to `finest` corners over `levels` levels.
    pub fn between(base: u32, finest: f64, levels: u32) -> Self {
        Self { base_resolution: base, per_level_scale: growth(base, finest, levels) }
    }
}

/// The growth from `base` corners to `finest` on the last of some levels; 1 for one level.
fn growth(base: u32, finest: f64, levels: u32) -> f64 {
    if levels < 2 { 1.0 } else { (finest / f64::from(base)).powf(1.0 / f64::from(levels - 1)) }
}

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

/// Trained features on grids of growing resolution over a box of one to four dimensions,
/// interpolated: `levels` · `features_per_level` outputs, the coarsest level first.
///
/// Inputs are mapped from the box to [0, 1] in front: (x − `lower`) / (`upper` − `lower`). On level l
/// a cell has the side 1 / s with s = `base_resolution` · `per_level_scale`ˡ − 1. There
/// are ⌈s⌉ + 1 corners per side, and the first lies half a cell outside. A level whose corners fit
/// a table of 2^`log2_hashmap_size` entries has one entry for each corner. A finer level finds a
/// corner's entry by the hash (x · 1) ⊕ (y · 2654435761) ⊕ (z · 805459861) ⊕ (w · 3674653429) mod
/// 2^`log2_hashmap_size` and ignores collisions. [`GridKind`] has the other ways to an entry. Inputs
/// beyond the box count as its nearest point; a training refuses them.
///
/// ```
/// use wgrad::{Activation, Mlp, encoding::Grid};
/// // Points of a scene between −1 and 1, and 0 to 3 high.
/// let grid = Grid::default().in_box([-1.0, -1.0, 0.0], [1.0, 1.0, 3.0]).to_finest(2048.0);
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
    /// Which entry of its table a corner has.
    pub kind: GridKind,
    /// The number of levels, 1 to 32.
    pub levels: u32,
    /// Features of an entry: 1, 2, 4 or 8.
    pub features_per_level: u32,
    /// The base-2 logarithm of the largest number of entries of a table, 3 to 24. Only
    /// [`GridKind::Hash`] has such a limit.
    pub log2_hashmap_size: u32,
    /// Corners per side of the coarsest level, 2 or more.
    pub base_resolution: u32,
    /// The growth of the resolution from level to level, 1 or more.
    pub per_level_scale: f64,
    /// The resolutions of single dimensions, instead of `base_resolution` and `per_level_scale`.
    pub axes: [Option<Axis>; 4],
    /// The weights of a cell's corners.
    pub interpolation: Interpolation,
    /// Which corners the last cells have.
    pub edge: Edge,
    /// Whether the levels are those of a texture with mip levels, and the last input is the level of
    /// detail: see [`Grid::texture`].
    pub mips: bool,
    /// The lower corner of the box of the inputs. Two inputs have its first two coordinates.
    pub lower: [f32; 4],
    /// The upper corner of the box of the inputs.
    pub upper: [f32; 4],
}

impl Default for Grid {
    fn default() -> Self {
        Self {
            kind: GridKind::Hash,
            levels: 16,
            features_per_level: 2,
            log2_hashmap_size: 19,
            base_resolution: 16,
            per_level_scale: 2.0,
            axes: [None; D],
            interpolation: Interpolation::Linear,
            edge: Edge::Clamp,
            mips: false,
            lower: [0.0; D],
            upper: [1.0; D],
        }
    }
}

/// The largest number of corners per side. An f32 in [0, 1] still resolves two digits of a cell
/// there.
const MAX_RESOLUTION: f64 = 1_048_576.0;

/// The largest number of entries of a level.
const MAX_ENTRIES: u32 = 1 << 24;

impl From<Grid> for super::Encoding {
    fn from(grid: Grid) -> Self {
        Self::Grid(grid)
    }
}

impl Grid {
    /// A repeated texture of `side` × `side` texels, a power of two, of 1, 2, 4 or 8 channels, with all
    /// its mip levels. Its inputs are the two coordinates, whose period is 1, and the level of detail: 0
    /// is the finest level, each one more halves the side. A point has the channels of the two nearest
    /// levels, mixed: what the filter of a GPU's textures gives. Each mip level is trained by the
    /// points that see it.
    ///
    /// ```
    /// use wgrad::{Activation, Mlp, encoding::Grid};
    /// // Two textures of four channels and a small network: 9 channels of a material.
    /// let fine = Mlp::new(3).encode(3, Grid::texture(256, 4));
    /// let both = fine.encode_at(0, 3, Grid::texture(64, 4).from_lod(2.0));
    /// let mlp = both.layer(16, Activation::Gelu).layer(9, Activation::Identity);
    /// assert_eq!(mlp.layer_inputs(0), 8);
    /// # assert!(mlp.check().is_ok());
    /// ```
    #[must_use]
    pub fn texture(side: u32, channels: u32) -> Self {
        Self {
            kind: GridKind::Dense,
            levels: side.max(1).ilog2() + 1,
            features_per_level: channels,
            base_resolution: side,
            edge: Edge::Repeat,
            mips: true,
            ..Self::default()
        }
    }

    /// The texture whose finest level is that of the level of detail `lod`: one of a quarter of the
    /// side beside a finer one, which is sampled by the same level of detail, begins at 2.
    #[must_use]
    pub const fn from_lod(mut self, lod: f32) -> Self {
        self.lower[2] = lod;
        self.upper[2] = lod + 1.0;
        self
    }

    /// The inputs that are coordinates.
    pub(crate) const fn coordinates(&self, inputs: usize) -> usize {
        if self.mips { inputs.saturating_sub(1) } else { inputs }
    }

    /// The number of features of all levels.
    pub(crate) const fn outputs(&self) -> usize {
        if self.mips {
            return self.features_per_level as usize;
        }
        (self.levels as usize).saturating_mul(self.features_per_level as usize)
    }

    /// The grid with the growth at which the finest level has `resolution` corners per side, but no
    /// growth below 1. [`Grid::axes`] of their own keep theirs.
    #[must_use]
    pub fn to_finest(self, resolution: f64) -> Self {
        let per_level_scale = growth(self.base_resolution, resolution, self.levels);
        Self { per_level_scale: per_level_scale.max(1.0), ..self }
    }

    /// The grid over the box between two corners of N dimensions, of which the first four count.
    ///
    /// ```
    /// # use wgrad::encoding::Grid;
    /// let grid = Grid::default().in_box([-1.0, 0.0], [1.0, 3.0]);
    /// assert_eq!((grid.lower[..2].to_vec(), grid.upper[1]), (vec![-1.0, 0.0], 3.0));
    /// ```
    #[must_use]
    pub fn in_box<const N: usize>(mut self, lower: [f32; N], upper: [f32; N]) -> Self {
        for (to, from) in [(&mut self.lower, lower), (&mut self.upper, upper)] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = from);
        }
        self
    }

    /// The resolutions of dimension `d`.
    pub(crate) fn axis(&self, d: usize) -> Axis {
        let Self { base_resolution, per_level_scale, .. } = *self;
        let own = self.axes.get(d).copied().flatten();
        own.unwrap_or(Axis { base_resolution, per_level_scale })
    }

    /// Whether all of the grid's dimensions have the same resolutions.
    pub(crate) fn is_equal(&self, inputs: usize) -> bool {
        (1..inputs.min(D)).all(|d| self.axis(d) == self.axis(0))
    }

    pub(super) fn check(&self, inputs: usize) -> Result<()> {
        self.check_fields()?;
        self.check_mips(inputs)?;
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
        for (l, level) in self.levels(inputs).iter().enumerate() {
            if level.size > MAX_ENTRIES {
                let what = format!("the entries of level {l} of the encoding grid");
                let allowed = format!("at most {MAX_ENTRIES}");
                return Err(Error::argument(what, level.size, allowed));
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
        let Self { levels, features_per_level, log2_hashmap_size, .. } = *self;
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
        for d in 0..D {
            let Axis { base_resolution, per_level_scale } = self.axis(d);
            if base_resolution < 2 {
                return Err(Error::argument(what("base_resolution"), base_resolution, "2 or more"));
            }
            if !(per_level_scale >= 1.0) {
                return Err(Error::argument(what("per_level_scale"), per_level_scale, "1 or more"));
            }
            let finest = f64::from(base_resolution) * per_level_scale.powi(levels as i32 - 1);
            if !(finest <= MAX_RESOLUTION) {
                let allowed = format!("at most {MAX_RESOLUTION}");
                return Err(Error::argument(what("finest resolution"), finest, allowed));
            }
        }
        Ok(())
    }

    fn check_mips(&self, inputs: usize) -> Result<()> {
        if !self.mips {
            return Ok(());
        }
        let what = |part: &str| format!("the {part} of an encoding grid with mip levels");
        if inputs != 3 {
            return Err(Error::argument(what("inputs"), inputs, "3: two coordinates, a level"));
        }
        let side = self.base_resolution;
        if !side.is_power_of_two() {
            return Err(Error::argument(what("side"), side, "a power of two"));
        }
        if self.levels > side.ilog2() + 1 {
            let allowed = format!("at most {}", side.ilog2() + 1);
            return Err(Error::argument(what("levels"), self.levels, allowed));
        }
        let shape = (self.kind, self.edge, self.interpolation, self.axes);
        if shape != (GridKind::Dense, Edge::Repeat, Interpolation::Linear, [None; D]) {
            let allowed = "dense, repeated, linear, with equal axes";
            return Err(Error::argument(what("shape"), format!("{shape:?}"), allowed));
        }
        Ok(())
    }

    /// The levels of a grid whose fields have been checked.
    pub(crate) fn levels(&self, inputs: usize) -> Vec<Level> {
        let axes: [Axis; D] = std::array::from_fn(|d| self.axis(d));
        let coarsest = axes.map(|axis| f64::from(axis.base_resolution));
        let (mut first, mut sides) = (0_u32, coarsest);
        let (inputs, repeats) = (self.coordinates(inputs), self.edge == Edge::Repeat);
        (0..self.levels)
            .map(|_| {
                let most = 1_u32 << self.log2_hashmap_size;
                let level =
                    Level::new(self.kind, [sides, coarsest], inputs, (most, repeats), first);
                first = first.saturating_add(level.entries());
                for (side, axis) in sides.iter_mut().zip(axes) {
                    *side *= if self.mips { 0.5 } else { axis.per_level_scale };
                }
                let clamps = self.edge == Edge::Clamp;
                Level { clamps, wraps: level.wraps || self.edge == Edge::Wrap, ..level }
            })
            .collect()
    }

    /// Iterations of a loop over the corners of a cell, with that which ends it.
    pub(crate) const fn corners_looped(&self, inputs: usize) -> usize {
        (1 << self.coordinates(inputs)) + 1
    }

    /// The number of scales of tables in bytes: one for each level, or for all levels of a texture,
    /// which a filter mixes.
    pub(crate) const fn scales(&self) -> usize {
        if self.mips { 1 } else { self.levels as usize }
    }

    /// The first of a level's outputs.
    pub(crate) const fn output_of(&self, level: usize) -> usize {
        if self.mips { 0 } else { level * self.features_per_level as usize }
    }

    /// The number of features of all entries; 0 for a grid that cannot be.
    pub(crate) fn parameters(&self, inputs: usize) -> usize {
        if self.check_fields().is_err() || !(1..=D).contains(&inputs) {
            return 0;
        }
        let entries = self.levels(inputs).iter().map(|level| level.entries() as usize).sum();
        usize::saturating_mul(entries, self.features_per_level as usize)
    }

    /// The derivative of the mapping from the box to [0, 1] in dimension `d`.
    pub(crate) fn slope(&self, d: usize) -> f32 {
        1.0 / (self.upper[d] - self.lower[d])
    }

    /// Whether the box is the unit cube, in `inputs` dimensions.
    pub(crate) fn is_unit(&self, inputs: usize) -> bool {
        (0..self.coordinates(inputs).min(D)).all(|d| self.lower[d] == 0.0 && self.upper[d] == 1.0)
    }

    /// The box of an input, which is dimension `d`.
    pub(crate) fn range(&self, d: usize) -> [f64; 2] {
        // A level of detail beyond the last ones is the last one.
        if self.mips && d == 2 {
            return [f64::from(f32::MIN), f64::from(f32::MAX)];
        }
        [self.lower, self.upper].map(|corner| corner.get(d).copied().map_or(0.0, f64::from))
    }

    /// The entries of a cell's corners at a point of 1 to 4 coordinates, level after level, as
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

    /// The operations of a row: twice the number of entries that a point touches, times the
    /// features.
    pub(crate) fn work(&self, inputs: usize) -> u64 {
        wide(self.outputs()) << (inputs + 1)
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
        assert_eq!(levels[0].resolution, [4, 4, 1, 1]);
        assert_eq!((levels[0].size, levels[0].hashed), (16, false));
        // The scaled resolution is 4 · 1.5² = 9, exactly.
        assert_eq!((levels[2].resolution[0], levels[2].size), (9, 88));
        assert!(levels.iter().all(|l| l.hashed == (l.resolution[0].pow(2) > 1024)), "{levels:?}");
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
        let forms =
            [GridKind::Hash, GridKind::Dense, GridKind::Tiled].into_iter().flat_map(|kind| {
                [Edge::Clamp, Edge::Repeat, Edge::Wrap].map(|edge| Grid {
                    kind,
                    edge,
                    levels: 5,
                    ..grid()
                })
            });
        let own = Some(Axis { base_resolution: 3, per_level_scale: 2.0 });
        let forms = forms.flat_map(|g| [g, Grid { axes: [None, own, None, own], ..g }]);
        for (grid, inputs) in forms.flat_map(|g| (1..=4).map(move |inputs| (g, inputs))) {
            let levels = grid.levels(inputs);
            for x in [0.0, 1e-30, 0.5, 1.0 - 6e-8, 1.0, -3.0, 7.0, f32::MAX, f32::NEG_INFINITY] {
                let entries = grid.entries(&vec![x; inputs]).unwrap();
                for (level, corners) in levels.iter().zip(entries.chunks(1 << inputs)) {
                    let range = level.first..level.first + level.size;
                    assert!(corners.iter().all(|e| range.contains(e)), "{x}: {corners:?}");
                }
            }
        }
    }

    /// The finest level of a growth that is computed has just these corners.
    #[test]
    fn a_finest_resolution_is_reached() {
        for (base, finest, levels) in [(16, 2048.0, 16), (3, 500.0, 7), (16, 16.0, 2), (4, 9.0, 1)]
        {
            let grid = Grid { base_resolution: base, levels, ..Grid::default() }.to_finest(finest);
            let found = grid.levels(2).last().unwrap().resolution[0];
            let expected = if levels == 1 { base } else { finest as u32 };
            assert_eq!(found, expected, "{base} to {finest}");
        }
        assert_eq!(Grid::default().to_finest(8.0).per_level_scale, 1.0);
        assert!(Grid::default().to_finest(f64::NAN).check(2).is_ok());
    }

    /// The entries of tiny-cuda-nn, by its rule: x + r (y + r z) modulo the table, of corners that
    /// are not held at the last one.
    #[test]
    fn tiles_and_edges_wrap() {
        let tiled = Grid { kind: GridKind::Tiled, levels: 3, base_resolution: 4, ..grid() };
        let levels = tiled.levels(2);
        // 4, 6 and 9 corners per side, in a table of 16 entries.
        assert_eq!(
            levels.iter().map(|l| (l.resolution[0], l.size)).collect::<Vec<_>>(),
            [(4, 16), (6, 16), (9, 16)]
        );
        assert_eq!(levels[2].entry([8, 3, 0, 0]), (8 + 9 * 3) % 16);
        let wraps = Grid { edge: Edge::Wrap, levels: 1, base_resolution: 5, ..grid() };
        let level = wraps.levels(2)[0];
        assert_eq!(
            (level.size, level.entry([5, 1, 0, 0]), level.entry([5, 5, 0, 0])),
            (32, 10, 30)
        );
        assert_eq!(level.entry([5, 6, 0, 0]), 3);
        let clamps = grid().levels(2)[0];
        assert_eq!(clamps.entry([9, 9, 0, 0]), 15);
        let odd = Grid { kind: GridKind::Tiled, levels: 2, base_resolution: 3, ..grid() };
        let sizes: Vec<_> = odd.levels(2).iter().map(|l| (l.size, l.first)).collect();
        assert_eq!(sizes, [(9, 0), (9, 16)]);
        assert_eq!(odd.parameters(2), 2 * 32);
        let dense = Grid { kind: GridKind::Dense, levels: 2, ..grid() };
        assert!(dense.levels(3).iter().all(|l| !l.hashed && !l.wraps));
    }

    /// On a corner the value is the corner's entry.
    #[test]
    fn a_corner_has_its_entrys_features() {
        let grid = Grid { levels: 1, base_resolution: 5, ..grid() };
        let tables: Vec<f64> = (0..grid.parameters(2)).map(|i| i as f64).collect();
        // Four cells per side, and the first corner half a cell outside: corners at (i − ½) / 4.
        let mut y = [0.0; 2];
        grid.values(&grid.levels(2), &tables, (|_| &[0.375, 0.625], 2), (&mut y, 2, 0));
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
                grid().in_box([0.0; 2], [1.0, -1.0]),
                "the box of the encoding grid is from 0 to -1 in dimension 1",
            ),
            (Grid { lower: [f32::NAN; 4], ..grid() }, "the box of the encoding grid is from NaN"),
            (Grid { upper: [f32::MAX; 4], lower: [f32::MIN; 4], ..grid() }, "the box of"),
            (
                Grid { kind: GridKind::Dense, levels: 20, ..grid() },
                "the entries of level 18 of the encoding grid is",
            ),
            (
                Grid {
                    axes: [
                        None,
                        Some(Axis { base_resolution: 1, per_level_scale: 1.0 }),
                        None,
                        None,
                    ],
                    ..grid()
                },
                "the base_resolution of the encoding grid is 1",
            ),
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

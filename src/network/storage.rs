//! How trained parameters are stored, in f32, in halves, or in halves and signed bytes: where each lies.

use crate::network::encoding::{EncodingRange, encoding_ranges};
use crate::network::{Encoding, LayerRange, Mlp};
use half::f16;
use std::ops::Range;

/// How the parameters of a trained network are stored. Every form is read by WGSL's own functions
/// and needs no feature of a device.
///
/// | storage | layers | grids' tables |
/// | --- | --- | --- |
/// | [`Storage::F32`] | f32 | f32 |
/// | [`Storage::F16`] | f16 | f16 |
/// | [`Storage::Snorm8`] | f16 | signed normalized bytes, and a scale in f32 for each level |
///
/// An f16 is the nearest one to the parameter. Those below 2⁻¹⁴, which a device may read as 0, are
/// not used: a parameter below is the nearer one of 0 and 2⁻¹⁴. A level's scale s is its largest
/// magnitude, and a byte b stands for b / 127 · s. All mip levels of a
/// [`Grid::texture`](crate::encoding::Grid::texture) have one scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Storage {
    /// As a training has them.
    #[default]
    F32,
    /// Halves.
    F16,
    /// Signed bytes for the tables of grids, halves for the layers.
    Snorm8,
}

/// The smallest f16 that every device reads as it is.
pub(super) const SMALLEST: f32 = 6.103_515_6e-5;

/// The largest step of a signed byte.
pub(super) const STEPS: f32 = 127.0;

/// The nearest f16 that every device reads as it is; infinite beyond the largest one.
pub(super) fn to_half(value: f32) -> f16 {
    if value.abs() < SMALLEST {
        let least = if value.abs() < SMALLEST / 2.0 { 0.0 } else { SMALLEST };
        return f16::from_f32(least.copysign(value));
    }
    f16::from_f32(value)
}

/// A level's parameter as a byte.
pub(super) fn to_byte(value: f32, scale: f32) -> i8 {
    if scale > 0.0 { (value / scale * STEPS).round() as i8 } else { 0 }
}

/// The inverse of [`to_byte`].
pub(super) fn from_byte(byte: i8, scale: f32) -> f32 {
    (f32::from(byte) / STEPS).max(-1.0) * scale
}

/// Where the parameters of one model lie in a `Packed` block of words. Elements are f32 or halves,
/// and bytes in the tables of [`Storage::Snorm8`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packing {
    pub storage: Storage,
    /// The words of a model.
    pub words: usize,
    /// The word of the first level's scale. Each level has one.
    pub scales: Range<usize>,
    /// The index of the tables' first element, in elements of theirs.
    pub tables: usize,
    /// Of each layer, in elements: its first weight, from one unit's weights to the next, its bias.
    layers: Vec<[usize; 3]>,
}

impl Packing {
    pub fn new(mlp: &Mlp, storage: Storage) -> Self {
        if storage == Storage::F32 {
            let place = |r: &LayerRange| [r.weight.start, r.shape[1], r.bias.start];
            let layers = mlp.ranges().iter().map(place).collect();
            return Self { storage, words: mlp.parameters(), scales: 0..0, tables: 0, layers };
        }
        let scales = if storage == Storage::Snorm8 { 0..scaled(mlp).len() } else { 0..0 };
        Self::in_fours(mlp, storage, scales, mlp.encoding_parameters())
    }

    /// A block of scales and layers, whose tables are textures. The layers are f32 or halves.
    pub fn without_tables(mlp: &Mlp, storage: Storage) -> Self {
        let scales = 0..scaled(mlp).len();
        Self::in_fours(mlp, storage, scales, 0)
    }

    fn in_fours(mlp: &Mlp, storage: Storage, scales: Range<usize>, of_tables: usize) -> Self {
        // Each part begins at a multiple of 16 bytes, each row of weights at one of four elements.
        let fours = |n: usize| n.checked_next_multiple_of(4).unwrap_or(usize::MAX);
        let first = fours(scales.end);
        let (tables, each) = match storage {
            Storage::Snorm8 => (4 * first, 4),
            _ => (2 * first, 2),
        };
        let in_word = if storage == Storage::F32 { 1 } else { 2 };
        let mut next = in_word * (first + fours(of_tables.div_ceil(each)));
        let ranges = mlp.ranges();
        let layers = ranges.iter().map(|range| {
            let [units, inputs] = range.shape;
            let (weight, stride) = (next, fours(inputs));
            let bias = weight.saturating_add(units.saturating_mul(stride));
            next = bias.saturating_add(fours(range.bias.len()));
            [weight, stride, bias]
        });
        let layers = layers.collect();
        let words = fours(next.div_ceil(in_word));
        Self { storage, words, scales, tables, layers }
    }

    /// The first element of the layers, which stand behind scales and tables.
    pub fn first_layer(&self) -> usize {
        self.layers.first().map_or(0, |[weight, ..]| *weight)
    }

    /// The element of a layer's weight.
    pub fn weight(&self, layer: usize, unit: usize, input: usize) -> usize {
        let [weight, stride, _] = self.layers[layer];
        weight + unit * stride + input
    }

    /// Elements from one unit's weights to the next.
    pub fn stride(&self, layer: usize) -> usize {
        self.layers[layer][1]
    }

    /// The element of a layer's bias.
    pub fn bias(&self, layer: usize, unit: usize) -> usize {
        self.layers[layer][2] + unit
    }
}

/// The elements among a model's parameters that share a scale: those of each level of each grid.
pub(super) fn scaled(mlp: &Mlp) -> Vec<Range<usize>> {
    let of_part = |place: EncodingRange| {
        let Encoding::Grid(grid) = place.encoding else { return Vec::new() };
        if grid.scales() == 1 {
            return vec![place.tables];
        }
        let features = grid.features_per_level as usize;
        let levels = grid.levels(place.inputs.len()).into_iter().map(|level| {
            let first = place.tables.start + level.first as usize * features;
            first..first + level.entries() as usize * features
        });
        levels.collect()
    };
    encoding_ranges(mlp).into_iter().flat_map(of_part).collect()
}

/// The bytes of each of a model's parameters in its block of words.
pub(super) struct Places {
    packing: Packing,
    /// The number of the tables' parameters, which come first.
    tables: usize,
    /// The element of each of the layers' parameters.
    layers: Vec<usize>,
}

impl Places {
    pub fn new(mlp: &Mlp, storage: Storage) -> Self {
        Self::with_packing(mlp, Packing::new(mlp, storage))
    }

    /// Those of the layers in a block of another form.
    pub fn with_packing(mlp: &Mlp, packing: Packing) -> Self {
        let of_layer = |(l, range): (usize, LayerRange)| {
            let [units, inputs] = range.shape;
            let weight = |at: usize| packing.weight(l, at / inputs, at % inputs);
            let weights = (0..units * inputs).map(weight);
            let biases = (0..range.bias.len()).map(|unit| packing.bias(l, unit));
            weights.chain(biases).collect::<Vec<_>>()
        };
        let layers = mlp.ranges().into_iter().enumerate().flat_map(of_layer).collect();
        Self { packing, tables: mlp.encoding_parameters(), layers }
    }

    /// The bytes of parameters of tables in [`Storage::Snorm8`].
    pub fn table(&self, range: &Range<usize>) -> Range<usize> {
        self.packing.tables + range.start..self.packing.tables + range.end
    }

    /// The bytes of a parameter.
    pub fn of(&self, at: usize) -> Range<usize> {
        let (element, size) = match (self.packing.storage, at < self.tables) {
            (Storage::F32, true) => (at, 4),
            (Storage::F32, false) => (self.layers[at - self.tables], 4),
            (Storage::Snorm8, true) => (self.packing.tables + at, 1),
            (Storage::F16, true) => (self.packing.tables + at, 2),
            (_, false) => (self.layers[at - self.tables], 2),
        };
        element * size..(element + 1) * size
    }

    /// The bytes of the scale of level `level`.
    pub fn scale(&self, level: usize) -> Range<usize> {
        let first = 4 * (self.packing.scales.start + level);
        first..first + 4
    }

    /// The bytes of a model.
    pub fn model(&self) -> usize {
        4 * self.packing.words
    }
}

/// Words for all models, of zeros: a multiple of four.
pub(super) fn words_of(mlp: &Mlp, models: usize, storage: Storage) -> Vec<u32> {
    vec![0; (models * Packing::new(mlp, storage).words).next_multiple_of(4)]
}

//! How trained parameters are stored: in f32, in halves, or in halves and signed bytes.

use crate::error::{Error, Result};
use crate::network::encoding::encoding_ranges;
use crate::network::{Encoding, Mlp, Parameters};
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
const SMALLEST: f32 = 6.103_515_6e-5;

/// The largest step of a signed byte.
const STEPS: f32 = 127.0;

/// The nearest f16 that every device reads as it is; infinite beyond the largest one.
fn to_half(value: f32) -> f16 {
    if value.abs() < SMALLEST {
        let least = if value.abs() < SMALLEST / 2.0 { 0.0 } else { SMALLEST };
        return f16::from_f32(least.copysign(value));
    }
    f16::from_f32(value)
}

/// A level's parameter as a byte.
fn to_byte(value: f32, scale: f32) -> i8 {
    if scale > 0.0 { (value / scale * STEPS).round() as i8 } else { 0 }
}

/// The inverse of [`to_byte`].
fn from_byte(byte: i8, scale: f32) -> f32 {
    (f32::from(byte) / STEPS).max(-1.0) * scale
}

/// Where the parameters of one model lie in a [`Packed`] block of words. Elements are f32 or halves,
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
        Self::with_tables(mlp, storage, mlp.encoding_parameters())
    }

    /// A block of scales and layers, whose tables are textures.
    pub fn without_tables(mlp: &Mlp) -> Self {
        Self::with_tables(mlp, Storage::Snorm8, 0)
    }

    fn with_tables(mlp: &Mlp, storage: Storage, of_tables: usize) -> Self {
        let ranges = mlp.ranges();
        if storage == Storage::F32 {
            let place = |r: &crate::network::LayerRange| [r.weight.start, r.shape[1], r.bias.start];
            let layers = ranges.iter().map(place).collect();
            return Self { storage, words: mlp.parameters(), scales: 0..0, tables: 0, layers };
        }
        let scales = if storage == Storage::Snorm8 { 0..scaled(mlp).len() } else { 0..0 };
        // Each part begins at a multiple of 16 bytes, each row of weights at one of four halves.
        let fours = |n: usize| n.checked_next_multiple_of(4).unwrap_or(usize::MAX);
        let first = fours(scales.end);
        let (tables, each) = match storage {
            Storage::Snorm8 => (4 * first, 4),
            _ => (2 * first, 2),
        };
        let mut next = 2 * (first + fours(of_tables.div_ceil(each)));
        let layers = ranges.iter().map(|range| {
            let [units, inputs] = range.shape;
            let (weight, stride) = (next, fours(inputs));
            let bias = weight.saturating_add(units.saturating_mul(stride));
            next = bias.saturating_add(fours(range.bias.len()));
            [weight, stride, bias]
        });
        let layers = layers.collect();
        let words = fours(next.div_ceil(2));
        Self { storage, words, scales, tables, layers }
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
fn scaled(mlp: &Mlp) -> Vec<Range<usize>> {
    let of_part = |place: crate::network::encoding::EncodingRange| {
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
        let packing = Packing::new(mlp, storage);
        let of_layer = |(l, range): (usize, crate::network::LayerRange)| {
            let [units, inputs] = range.shape;
            let weight = |at: usize| packing.weight(l, at / inputs, at % inputs);
            let weights = (0..units * inputs).map(weight);
            let biases = (0..range.bias.len()).map(|unit| packing.bias(l, unit));
            weights.chain(biases).collect::<Vec<_>>()
        };
        let layers = mlp.ranges().into_iter().enumerate().flat_map(of_layer).collect();
        Self { packing, tables: mlp.encoding_parameters(), layers }
    }

    pub fn of(&self, at: usize) -> Range<usize> {
        let (element, size) = match (self.packing.storage, at < self.tables) {
            (Storage::F32, _) => (at, 4),
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

/// The parameters of a population in a [`Storage`]: what [`Parameters::pack`] makes. An exported
/// function and an inference read its words as they are.
///
/// ```
/// use wgrad::{Activation, Init, Mlp, Storage};
/// let mlp = Mlp::new(2).layer(16, Activation::Relu).layer(3, Activation::Sigmoid);
/// let parameters = Init::Auto.sample(&mlp, 1, 0)?;
/// let packed = parameters.pack(Storage::F16)?;
/// assert!(packed.bytes().len() < 4 * parameters.values().len() * 2 / 3);
/// let text = packed.wgsl("field").text()?; // reads `packed.bytes()` from its binding
/// assert!(text.contains("unpack2x16float"));
/// // What it computes is what these parameters compute.
/// assert_eq!(packed.parameters().values().len(), parameters.values().len());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Packed {
    mlp: Mlp,
    models: usize,
    storage: Storage,
    words: Vec<u32>,
}

impl Packed {
    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The number of models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// How the parameters are stored.
    pub const fn storage(&self) -> Storage {
        self.storage
    }

    /// The content of the buffer that an exported function reads, model after model: a multiple of 16
    /// bytes.
    pub fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words)
    }

    /// [`Packed::bytes`] without the tables: the buffer of an exported function that samples textures
    /// ([`WgslFunction::textures`](crate::WgslFunction::textures)).
    ///
    /// # Errors
    /// Another storage than [`Storage::Snorm8`].
    pub fn without_tables(&self) -> Result<Vec<u8>> {
        self.check_bytes()?;
        let all = Packing::new(&self.mlp, self.storage);
        let kept = Packing::without_tables(&self.mlp);
        // The scales come first, the layers last.
        let (first, layers) = (4 * kept.scales.end.next_multiple_of(4), 4 * kept.words);
        let blocks = self.bytes().chunks(4 * all.words).take(self.models);
        let bytes = blocks.flat_map(|block| {
            let begin = block.len() - (layers - first);
            block[..first].iter().chain(&block[begin..]).copied()
        });
        Ok(bytes.collect())
    }

    /// The textures of a model: of each [`Grid::texture`](crate::encoding::Grid::texture) among the
    /// encodings, four channels after four channels.
    ///
    /// # Errors
    /// Another storage than [`Storage::Snorm8`], a model that there is not, a grid that is no texture, or
    /// one of fewer than four channels.
    pub fn textures(&self, model: usize) -> Result<Vec<TextureMips>> {
        self.check_bytes()?;
        if model >= self.models {
            let allowed = format!("below {}", self.models);
            return Err(Error::argument("the model of the textures", model, allowed));
        }
        let block = self.bytes().chunks(4 * Packing::new(&self.mlp, self.storage).words).nth(model);
        let of_level = |places: Vec<usize>| {
            let bytes = places.iter().filter_map(|at| block?.get(*at));
            // From −127 … 127 to 1 … 255.
            bytes.map(|byte| byte.wrapping_add(128)).collect()
        };
        let textures = self.texture_places()?.into_iter().map(|(side, levels)| TextureMips {
            side,
            mips: levels.into_iter().map(of_level).collect(),
        });
        Ok(textures.collect())
    }

    /// The side of each texture, and for each of its levels the places of the bytes in a model's block.
    fn texture_places(&self) -> Result<Vec<(u32, Vec<Vec<usize>>)>> {
        let packing = Packing::new(&self.mlp, self.storage);
        let mut textures = Vec::new();
        for place in encoding_ranges(&self.mlp) {
            let Encoding::Grid(grid) = place.encoding else { continue };
            check_texture(&grid)?;
            let features = grid.features_per_level as usize;
            let levels = grid.levels(place.inputs.len());
            for first in (0..features).step_by(4) {
                let of_level = |level: &crate::network::level::Level| {
                    let texels = (level.resolution[0] as usize).pow(2);
                    let begin = packing.tables + place.tables.start + level.first as usize * features;
                    let texel = move |i: usize| {
                        let at = begin + i * features + first;
                        at..at + 4
                    };
                    (0..texels).flat_map(texel).collect()
                };
                textures.push((grid.base_resolution, levels.iter().map(of_level).collect()));
            }
        }
        Ok(textures)
    }

    /// The parameters with other textures of a model, of the same sizes: those that block compression has
    /// left of [`Packed::textures`]. A byte of 0 counts as 1.
    ///
    /// # Errors
    /// Those of [`Packed::textures`]; textures of another number or of other sizes.
    pub fn with_textures(&self, model: usize, textures: &[TextureMips]) -> Result<Self> {
        let own = self.textures(model)?;
        let shape = |of: &TextureMips| of.mips.iter().map(Vec::len).collect::<Vec<_>>();
        let [own, found] = [&own[..], textures].map(|all| all.iter().map(shape).collect::<Vec<_>>());
        if own != found {
            let what = "the bytes of the textures' levels";
            return Err(Error::argument(what, format!("{found:?}"), format!("{own:?}")));
        }
        let size = 4 * Packing::new(&self.mlp, self.storage).words;
        let mut packed = self.clone();
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut packed.words);
        let block = &mut bytes[model * size..][..size];
        for ((_, levels), texture) in self.texture_places()?.into_iter().zip(textures) {
            let bytes = texture.mips.iter().flatten();
            for (at, byte) in levels.into_iter().flatten().zip(bytes) {
                block[at] = byte.max(&1).wrapping_sub(128);
            }
        }
        Ok(packed)
    }

    /// The parameters with the layers of others of the same network, whose tables do not count.
    ///
    /// # Errors
    /// Another network or number of models; the errors of [`Parameters::pack`].
    pub fn with_layers(&self, parameters: &Parameters) -> Result<Self> {
        if *parameters.mlp() != self.mlp || parameters.models() != self.models {
            let of = |mlp: &Mlp, models| format!("{models} of {mlp}");
            let found = of(parameters.mlp(), parameters.models());
            return Err(Error::argument("the network", found, of(&self.mlp, self.models)));
        }
        let (mut packed, other) = (self.clone(), parameters.pack(self.storage)?);
        let places = Places::new(&self.mlp, self.storage);
        let first = places.of(self.mlp.encoding_parameters()).start / 4;
        let blocks = packed.words.chunks_mut(places.model() / 4);
        for (to, from) in blocks.zip(other.words.chunks(places.model() / 4)).take(self.models) {
            to[first..].copy_from_slice(&from[first..]);
        }
        Ok(packed)
    }

    fn check_bytes(&self) -> Result<()> {
        if self.storage == Storage::Snorm8 {
            return Ok(());
        }
        let found = format!("{:?}", self.storage);
        Err(Error::argument("the storage of textures", found, "Snorm8"))
    }

    /// The parameters that are stored: those that were packed, rounded.
    pub fn parameters(&self) -> Parameters {
        let places = Places::new(&self.mlp, self.storage);
        let p = self.mlp.parameters();
        let mut values = vec![0.0; self.models * p];
        let scaled = if self.storage == Storage::Snorm8 { scaled(&self.mlp) } else { Vec::new() };
        for (bytes, values) in self.bytes().chunks(places.model()).zip(values.chunks_mut(p)) {
            for (level, range) in scaled.iter().enumerate() {
                let scale = bytemuck::pod_read_unaligned(&bytes[places.scale(level)]);
                for at in range.clone() {
                    let byte = bytemuck::pod_read_unaligned(&bytes[places.of(at)]);
                    values[at] = from_byte(byte, scale);
                }
            }
            for at in scaled.last().map_or(0, |last| last.end)..p {
                let bytes = &bytes[places.of(at)];
                values[at] = match self.storage {
                    Storage::F32 => bytemuck::pod_read_unaligned(bytes),
                    _ => f16::from_bits(bytemuck::pod_read_unaligned(bytes)).to_f32(),
                };
            }
        }
        Parameters::of_values(self.mlp.clone(), self.models, values)
    }

    /// Takes the bytes of all models, as [`Packed::bytes`] gives them.
    ///
    /// # Errors
    /// A scale or a half that is not finite.
    #[cfg(feature = "safetensors")]
    pub(super) fn new(mlp: Mlp, models: usize, storage: Storage, words: Vec<u32>) -> Result<Self> {
        let packed = Self { mlp, models, storage, words };
        crate::numeric::check_finite("the parameters", packed.parameters().values())?;
        Ok(packed)
    }
}

/// A texture of four channels with mip levels: `Rgba8Unorm`, sampled with a filter that is linear
/// between texels and between levels, and repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextureMips {
    /// Texels of a side of the first level.
    pub side: u32,
    /// The bytes of each level, row after row of texels. A level has half the side of the one before.
    pub mips: Vec<Vec<u8>>,
}

/// Checks that a grid is a texture of whole texels of four channels.
pub(crate) fn check_texture(grid: &crate::network::encoding::Grid) -> Result<()> {
    if !grid.mips {
        return Err(Error::argument("a grid", "without mip levels", "`Grid::texture`"));
    }
    if !grid.features_per_level.is_multiple_of(4) {
        let found = grid.features_per_level;
        return Err(Error::argument("the channels of a texture", found, "4 or 8"));
    }
    Ok(())
}

impl Parameters {
    /// The parameters in a storage of fewer bytes, each rounded to the nearest value that it has.
    ///
    /// # Errors
    /// [`Error::Argument`] where a parameter is beyond ±65,504 and would be an f16.
    pub fn pack(&self, storage: Storage) -> Result<Packed> {
        let (mlp, models) = (self.mlp().clone(), self.models());
        let places = Places::new(&mlp, storage);
        let p = mlp.parameters();
        let mut words = words_of(&mlp, models, storage);
        let scaled = if storage == Storage::Snorm8 { scaled(&mlp) } else { Vec::new() };
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        for (bytes, values) in bytes.chunks_mut(places.model()).zip(self.values().chunks(p)) {
            for (level, range) in scaled.iter().enumerate() {
                let scale = values[range.clone()].iter().fold(0.0_f32, |most, v| most.max(v.abs()));
                bytes[places.scale(level)].copy_from_slice(&scale.to_le_bytes());
                for at in range.clone() {
                    bytes[places.of(at)].copy_from_slice(&to_byte(values[at], scale).to_le_bytes());
                }
            }
            for at in scaled.last().map_or(0, |last| last.end)..p {
                let to = &mut bytes[places.of(at)];
                if storage == Storage::F32 {
                    to.copy_from_slice(&values[at].to_le_bytes());
                    continue;
                }
                let half = to_half(values[at]);
                if !half.is_finite() {
                    let allowed = format!("at most {}, the largest f16", f16::MAX);
                    let what = "the magnitude of a parameter";
                    return Err(Error::argument(what, values[at].abs(), allowed));
                }
                to.copy_from_slice(&half.to_le_bytes());
            }
        }
        Ok(Packed { mlp, models, storage, words })
    }
}

/// Words for all models, of zeros: a multiple of four.
pub(super) fn words_of(mlp: &Mlp, models: usize, storage: Storage) -> Vec<u32> {
    vec![0; (models * Packing::new(mlp, storage).words).next_multiple_of(4)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::encoding::Grid;
    use crate::network::{Activation, Init};

    fn networks() -> [Mlp; 3] {
        let grid = Grid { levels: 3, log2_hashmap_size: 7, ..Grid::default() };
        [
            Mlp::new(3).layer(5, Activation::Relu).layer(2, Activation::Identity),
            Mlp::new(2).layer_without_bias(4, Activation::Relu).layer(1, Activation::Identity),
            Mlp::new(3).encode(2, grid).encode(1, grid).layer(7, Activation::Relu),
        ]
    }

    /// What was packed is packed to the same words again, and is as near as the storage allows.
    #[test]
    fn packing_rounds_once() {
        for mlp in networks() {
            let parameters = Init::Auto.sample(&mlp, 3, 1).unwrap();
            for storage in [Storage::F32, Storage::F16, Storage::Snorm8] {
                let packed = parameters.pack(storage).unwrap();
                let rounded = packed.parameters();
                assert_eq!(rounded.pack(storage).unwrap(), packed, "{mlp} {storage:?}");
                assert_eq!(packed.bytes().len() % 16, 0);
                let tables = mlp.encoding_parameters();
                let all = parameters.values().iter().zip(rounded.values()).enumerate();
                for (i, (v, r)) in all {
                    let bound = match storage {
                        Storage::F32 => 0.0,
                        _ if i % mlp.parameters() >= tables => v.abs() / 2048.0 + SMALLEST / 2.0,
                        Storage::F16 => SMALLEST / 2.0,
                        // Tables are sampled from ±1e-4.
                        Storage::Snorm8 => 0.5 * 1e-4 / STEPS * 1.001,
                    };
                    assert!((v - r).abs() <= bound, "{mlp} {storage:?} {i}: {v} is {r}");
                }
            }
        }
    }

    #[test]
    fn what_no_half_holds_is_refused() {
        let mlp = Mlp::new(1).layer(1, Activation::Identity);
        let of = |value| Parameters::new(mlp.clone(), 1, vec![value, 0.0]).unwrap();
        assert!(of(65_519.0).pack(Storage::F16).is_ok());
        let message = of(-65_520.0).pack(Storage::F16).unwrap_err().to_string();
        assert!(message.starts_with("the magnitude of a parameter is 65520"), "{message}");
        for (value, expected) in [(3.0e-5, 0.0), (3.1e-5, SMALLEST), (-6.0e-5, -SMALLEST)] {
            let rounded = of(value).pack(Storage::F16).unwrap().parameters();
            assert_eq!(rounded.values()[0], expected);
        }
    }

    #[test]
    fn a_level_has_its_own_scale() {
        let mlp = &networks()[2];
        let mut values = vec![0.0; mlp.parameters()];
        let levels = scaled(mlp);
        values[levels[1].start] = -2.0;
        values[levels[1].start + 1] = 0.5;
        values[levels[4].end - 1] = 1e-6;
        let parameters = Parameters::new(mlp.clone(), 1, values).unwrap();
        let rounded = parameters.pack(Storage::Snorm8).unwrap().parameters();
        assert_eq!(rounded.values()[levels[1].start], -2.0);
        assert!((rounded.values()[levels[1].start + 1] - 0.5).abs() <= 1.0 / 127.0);
        assert_eq!(rounded.values()[levels[4].end - 1], 1e-6);
        assert_eq!(rounded.values().iter().filter(|v| **v != 0.0).count(), 3);
    }
}

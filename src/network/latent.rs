//! Trained tables as ordinary textures of bytes.

use crate::error::{Error, Result};
use crate::network::encoding::{Grid, encoding_ranges};
use crate::network::level::Level;
use crate::network::storage::{Packing, Places, to_half};
use crate::network::{Encoding, Packed, Storage};
use std::ops::Range;

/// A texture with mip levels, of one, two or four channels: `R8Unorm`, `Rg8Unorm` or `Rgba8Unorm`, sampled
/// with a filter that is linear between texels and between levels, and repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextureMips {
    /// Texels of a side of the first level.
    pub side: u32,
    /// The bytes of a texel.
    pub channels: u32,
    /// The bytes of each level, row after row of texels. A level has half the side of the one before.
    pub mips: Vec<Vec<u8>>,
}

/// Checks that a grid is a texture.
pub(crate) fn check_texture(grid: &Grid) -> Result<()> {
    if grid.mips {
        Ok(())
    } else {
        Err(Error::argument("a grid", "without mip levels", "`Grid::texture`"))
    }
}

/// The channels of a grid's textures, one after the other: four each, or one or two of a grid of fewer
/// features.
pub(crate) fn texture_channels(grid: &Grid) -> impl Iterator<Item = u32> + use<> {
    let features = grid.features_per_level;
    (0..features).step_by(4).map(move |first| (features - first).min(4))
}

/// Where the bytes of a texture lie in a model's block.
struct TexturePlaces {
    side: u32,
    channels: usize,
    /// The bytes from one texel to the next.
    stride: usize,
    /// The first byte and the number of texels of each level.
    levels: Vec<[usize; 2]>,
}

impl TexturePlaces {
    /// The ranges of the texels' bytes in the block, level after level.
    fn texels(&self, [first, count]: [usize; 2]) -> impl Iterator<Item = Range<usize>> + use<> {
        let (stride, channels) = (self.stride, self.channels);
        (0..count).map(move |i| first + i * stride..first + i * stride + channels)
    }
}

impl Packed {
    /// The parameters without the tables: the buffer of an exported function that samples textures
    /// ([`WgslFunction::textures`](crate::WgslFunction::textures)). The layers are f32 or halves, in
    /// whole vectors of 16 bytes.
    ///
    /// # Errors
    /// Tables that are not [`Storage::Snorm8`].
    pub fn without_tables(&self, layers: Storage) -> Result<Vec<u8>> {
        self.check_bytes()?;
        let (values, tables) = (self.parameters(), self.mlp.encoding_parameters());
        let kept = Packing::without_tables(&self.mlp, layers);
        let scales = 4 * kept.scales.end;
        let places = Places::with_packing(&self.mlp, kept);
        let model = 4 * Packing::new(&self.mlp, self.storage).words;
        let models = self.bytes().chunks(model).zip(values.values().chunks(self.mlp.parameters()));
        let bytes = models.flat_map(|(block, values)| {
            let mut bytes = vec![0; places.model()];
            bytes[..scales].copy_from_slice(&block[..scales]);
            for (at, value) in values.iter().enumerate().skip(tables) {
                let place = &mut bytes[places.of(at)];
                match layers {
                    Storage::F32 => place.copy_from_slice(&value.to_le_bytes()),
                    _ => place.copy_from_slice(&to_half(*value).to_le_bytes()),
                }
            }
            bytes
        });
        Ok(bytes.collect())
    }

    /// The textures of a model: of each [`Grid::texture`](crate::encoding::Grid::texture) among the
    /// encodings, four channels after four channels. A grid of one or two features is a texture of as many
    /// channels.
    ///
    /// # Errors
    /// Another storage than [`Storage::Snorm8`], a model that there is not, a grid that is no texture.
    pub fn textures(&self, model: usize) -> Result<Vec<TextureMips>> {
        self.check_model(model)?;
        let size = 4 * Packing::new(&self.mlp, self.storage).words;
        let block = &self.bytes()[model * size..][..size];
        let textures = self.texture_places()?.into_iter().map(|places| {
            let of_level = |level: &[usize; 2]| {
                let mut bytes = Vec::with_capacity(level[1] * places.channels);
                // From −127 … 127 to 1 … 255.
                let byte = |byte: &u8| byte.wrapping_add(128);
                places.texels(*level).for_each(|at| bytes.extend(block[at].iter().map(byte)));
                bytes
            };
            TextureMips {
                side: places.side,
                channels: places.channels as u32,
                mips: places.levels.iter().map(of_level).collect(),
            }
        });
        Ok(textures.collect())
    }

    fn texture_places(&self) -> Result<Vec<TexturePlaces>> {
        let packing = Packing::new(&self.mlp, self.storage);
        let mut textures = Vec::new();
        for place in encoding_ranges(&self.mlp) {
            let Encoding::Grid(grid) = place.encoding else { continue };
            check_texture(&grid)?;
            let stride = grid.features_per_level as usize;
            let levels = grid.levels(place.inputs.len());
            let mut first = packing.tables + place.tables.start;
            for channels in texture_channels(&grid) {
                let channels = channels as usize;
                let of_level = |level: &Level| {
                    let texels = (level.resolution[0] as usize).pow(2);
                    [first + level.first as usize * stride, texels]
                };
                let (side, levels) = (grid.base_resolution, levels.iter().map(of_level).collect());
                textures.push(TexturePlaces { side, channels, stride, levels });
                first += channels;
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
        self.check_model(model)?;
        let places = self.texture_places()?;
        let of = |of: &TexturePlaces| of.levels.iter().map(|[_, n]| n * of.channels).collect();
        let own: Vec<Vec<usize>> = places.iter().map(of).collect();
        let shape = |of: &TextureMips| of.mips.iter().map(Vec::len).collect();
        let found: Vec<Vec<usize>> = textures.iter().map(shape).collect();
        if own != found {
            let what = "the bytes of the textures' levels";
            return Err(Error::argument(what, format!("{found:?}"), format!("{own:?}")));
        }
        let size = 4 * Packing::new(&self.mlp, self.storage).words;
        let mut packed = self.clone();
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut packed.words);
        let block = &mut bytes[model * size..][..size];
        for (places, texture) in places.iter().zip(textures) {
            for (level, bytes) in places.levels.iter().zip(&texture.mips) {
                for (at, texel) in places.texels(*level).zip(bytes.chunks_exact(places.channels)) {
                    for (to, byte) in block[at].iter_mut().zip(texel) {
                        *to = byte.max(&1).wrapping_sub(128);
                    }
                }
            }
        }
        Ok(packed)
    }

    fn check_model(&self, model: usize) -> Result<()> {
        self.check_bytes()?;
        if model < self.models {
            return Ok(());
        }
        let allowed = format!("below {}", self.models);
        Err(Error::argument("the model of the textures", model, allowed))
    }

    fn check_bytes(&self) -> Result<()> {
        if self.storage == Storage::Snorm8 {
            return Ok(());
        }
        let found = format!("{:?}", self.storage);
        Err(Error::argument("the storage of textures", found, "Snorm8"))
    }
}

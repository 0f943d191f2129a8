//! Trained tables as ordinary textures of bytes.

use crate::error::{Error, Result};
use crate::network::encoding::{Grid, encoding_ranges};
use crate::network::level::Level;
use crate::network::storage::Packing;
use crate::network::{Encoding, Packed, Storage};

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
    channels: u32,
    levels: Vec<Vec<usize>>,
}

impl Packed {
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
    /// encodings, four channels after four channels. A grid of one or two features is a texture of as many
    /// channels.
    ///
    /// # Errors
    /// Another storage than [`Storage::Snorm8`], a model that there is not, a grid that is no texture.
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
        let textures = self.texture_places()?.into_iter().map(|places| TextureMips {
            side: places.side,
            channels: places.channels,
            mips: places.levels.into_iter().map(of_level).collect(),
        });
        Ok(textures.collect())
    }

    fn texture_places(&self) -> Result<Vec<TexturePlaces>> {
        let packing = Packing::new(&self.mlp, self.storage);
        let mut textures = Vec::new();
        for place in encoding_ranges(&self.mlp) {
            let Encoding::Grid(grid) = place.encoding else { continue };
            check_texture(&grid)?;
            let features = grid.features_per_level as usize;
            let levels = grid.levels(place.inputs.len());
            let mut first = 0;
            for channels in texture_channels(&grid) {
                let of_level = |level: &Level| {
                    let texels = (level.resolution[0] as usize).pow(2);
                    let begin =
                        packing.tables + place.tables.start + level.first as usize * features;
                    let texel = move |i: usize| {
                        let at = begin + i * features + first;
                        at..at + channels as usize
                    };
                    (0..texels).flat_map(texel).collect()
                };
                let (side, levels) = (grid.base_resolution, levels.iter().map(of_level).collect());
                textures.push(TexturePlaces { side, channels, levels });
                first += channels as usize;
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
        let [own, found] =
            [&own[..], textures].map(|all| all.iter().map(shape).collect::<Vec<_>>());
        if own != found {
            let what = "the bytes of the textures' levels";
            return Err(Error::argument(what, format!("{found:?}"), format!("{own:?}")));
        }
        let size = 4 * Packing::new(&self.mlp, self.storage).words;
        let mut packed = self.clone();
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut packed.words);
        let block = &mut bytes[model * size..][..size];
        for (places, texture) in self.texture_places()?.into_iter().zip(textures) {
            let bytes = texture.mips.iter().flatten();
            for (at, byte) in places.levels.into_iter().flatten().zip(bytes) {
                block[at] = byte.max(&1).wrapping_sub(128);
            }
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
}

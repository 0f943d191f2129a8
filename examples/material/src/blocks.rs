//! Block compression, which graphics cards read: 4 x 4 texels of a format always take the same bytes.
//!
//! | Bits a texel | Base colour | Normal | Roughness, metalness, occlusion | Height |
//! |---|---|---|---|---|
//! | 24 | BC7, 8 | BC5, 8 | BC7, 8, with the height as its alpha | |
//! | 20 | BC1, 4 | BC5, 8 | BC1, 4 | BC4, 4 |

use crate::bc5;
use crate::material::{Level, Material, Texel};
use block_compression::decode::decompress_blocks_as_rgba8;
use block_compression::encode::compress_rgba8;
use block_compression::{BC7Settings, CompressionVariant};
use rayon::prelude::*;

/// Which formats hold the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// 24 bits a texel.
    Fine,
    /// 20 bits a texel.
    Coarse,
}

/// A texture: its format, and the channels in its red, green, blue and alpha.
type Part = (CompressionVariant, &'static [usize]);

impl Split {
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "BC7, BC5, BC7",
            Self::Coarse => "BC1, BC5, BC1, BC4",
        }
    }

    fn parts(self) -> Vec<Part> {
        use CompressionVariant::{BC1, BC4, BC5, BC7};
        match self {
            Self::Fine => vec![
                // Slow settings take four times as long for a tenth of a dB.
                (BC7(BC7Settings::opaque_basic()), &[0, 1, 2]),
                (BC5, &[3, 4]),
                (BC7(BC7Settings::alpha_basic()), &[5, 6, 7, 8]),
            ],
            Self::Coarse => vec![(BC1, &[0, 1, 2]), (BC5, &[3, 4]), (BC1, &[5, 6, 7]), (BC4, &[8])],
        }
    }

    /// The bytes of a level with so many texels a side.
    pub fn bytes(self, size: usize) -> usize {
        let side = size as u32;
        self.parts().iter().map(|(format, _)| format.blocks_byte_size(side, side)).sum()
    }
}

/// What a coding left of a material.
pub struct Coded {
    pub material: Material,
    /// Of all levels.
    pub bytes: usize,
}

/// Codes all levels and decodes them again.
pub fn coded(material: &Material, split: Split) -> Coded {
    let levels: Vec<Level> = material.levels.iter().map(|level| through(level, split)).collect();
    let bytes = levels.iter().map(|level| split.bytes(level.size)).sum();
    Coded { material: Material { name: material.name.clone(), levels }, bytes }
}

/// The most texels a side, a multiple of 4, with which a smaller material and all mip levels below it take
/// no more than `bytes`; and the bytes that it takes. At least 4.
pub fn side_within(material: &Material, bytes: usize, split: Split) -> (usize, usize) {
    let total = |side: usize| {
        let below = material.levels.iter().map(|level| level.size).filter(|size| *size < side);
        split.bytes(side) + below.map(|size| split.bytes(size)).sum::<usize>()
    };
    let sides = (1..=material.size() / 4).rev().map(|blocks| 4 * blocks);
    let side = sides.into_iter().find(|side| total(*side) <= bytes).unwrap_or(4);
    (side, total(side))
}

/// Codes as much of a material as fits into `bytes`: the whole is made smaller first, and enlarged after.
/// Mip levels that are smaller still stay as they are. The formats are those of 24 bits.
pub fn coded_within(material: &Material, bytes: usize) -> Coded {
    let split = Split::Fine;
    let (side, bytes) = side_within(material, bytes, split);
    let small = material.levels.first().map(|whole| through(&whole.shrunk(side), split));
    let level = |level: &Level| match &small {
        Some(small) if level.size > side => small.enlarged(level.size),
        Some(small) if level.size == side => small.clone(),
        _ => through(level, split),
    };
    let levels = material.levels.iter().map(level).collect();
    Coded { material: Material { name: material.name.clone(), levels }, bytes }
}

/// A level coded and decoded.
fn through(level: &Level, split: Split) -> Level {
    let mut texels = vec![Texel::default(); level.texels.len()];
    for (format, channels) in split.parts() {
        let mut rgba = vec![255; 4 * level.texels.len()];
        for (pixel, texel) in rgba.chunks_exact_mut(4).zip(&level.texels) {
            for (byte, channel) in pixel.iter_mut().zip(channels) {
                *byte = (255.0 * texel[*channel]).round() as u8;
            }
        }
        recode(format, level.size, &mut rgba);
        for (pixel, texel) in rgba.chunks_exact(4).zip(&mut texels) {
            for (byte, channel) in pixel.iter().zip(channels) {
                texel[*channel] = f32::from(*byte) / 255.0;
            }
        }
    }
    Level { size: level.size, texels }
}

/// Two learnt channels in BC5, level after level of a texture: the blocks of each level, whose texels become
/// what they decode to.
pub fn in_bc5(side: u32, mips: &mut [Vec<u8>]) -> Vec<Vec<u8>> {
    let of_level = |(level, texels): (u32, &mut Vec<u8>)| {
        let size = (side >> level) as usize;
        let across = size.div_ceil(4);
        // Levels smaller than a block are repeated in it.
        let place = |block: usize, i: usize| {
            let [row, column] = [4 * (block / across) + i / 4, 4 * (block % across) + i % 4];
            row % size * size + column % size
        };
        let (pairs, _) = texels.as_chunks_mut::<2>();
        let of_block = |block| bc5::block(&std::array::from_fn(|i| pairs[place(block, i)]));
        let coded: Vec<_> = (0..across * across).into_par_iter().map(of_block).collect();
        for (number, block) in coded.iter().enumerate() {
            let mut rgba = [0; 64];
            decompress_blocks_as_rgba8(CompressionVariant::BC5, 4, 4, block, &mut rgba);
            for (i, pixel) in rgba.as_chunks::<4>().0.iter().enumerate() {
                pairs[place(number, i)] = [pixel[0], pixel[1]];
            }
        }
        coded.concat()
    };
    (0..).zip(mips).map(of_level).collect()
}

/// Codes the texels of a square and decodes them again.
fn recode(format: CompressionVariant, size: usize, rgba: &mut [u8]) {
    // Levels smaller than a block are repeated in it.
    let side = size.next_multiple_of(4);
    let line = 4 * side;
    let at = |i: usize| 4 * (i / side % size * size + i % side % size);
    let mut whole: Vec<u8> =
        (0..side * side).flat_map(|i| rgba[at(i)..at(i) + 4].to_vec()).collect();
    // Rows of blocks are independent of each other.
    whole.par_chunks_exact_mut(4 * line).for_each(|rows| {
        let mut blocks = vec![0; format.blocks_byte_size(side as u32, 4)];
        compress_rgba8(format, rows, &mut blocks, side as u32, 4, line as u32);
        decompress_blocks_as_rgba8(format, side as u32, 4, &blocks, rows);
    });
    for (i, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        let from = i / size * line + 4 * (i % size);
        pixel.copy_from_slice(&whole[from..from + 4]);
    }
}

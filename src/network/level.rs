//! One level of a grid: where a point lies on it, and which entry a corner has.

use crate::network::encoding::{GRID_DIMENSIONS as D, GridKind};
use crate::numeric::{Real, whole};

/// One level, as a shader reads it. Dimensions that a grid does not have hold one corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Cells in each dimension.
    pub scale: [f32; D],
    /// Corners in each dimension.
    pub resolution: [u32; D],
    /// The number of entries that a corner's index may be.
    pub size: u32,
    /// The index of the level's first entry among the entries of all levels.
    pub first: u32,
    /// Whether corners are hashed.
    pub hashed: bool,
    /// Whether an index counts modulo the size.
    pub wraps: bool,
    /// Whether corners end at the last one of each dimension.
    pub clamps: bool,
    /// Whether the first corner follows the last one of each dimension.
    pub repeats: bool,
}

/// The factors of a corner's coordinates in the hash.
const PRIMES: [u32; D] = [1, 2_654_435_761, 805_459_861, 3_674_653_429];

/// A point's position on a level: the lowest corner of its cell, and the distance from it in cells.
pub(crate) struct Cell<T> {
    pub cell: [u32; D],
    pub at: [T; D],
    /// 0 where the input lies beyond [0, 1] and the derivative vanishes, otherwise 1.
    pub inside: [T; D],
}

impl Level {
    /// A level of a grid of `inputs` dimensions, with the corners per side `sides`, whose entries
    /// follow `first` others. A table has at most `most` entries; `coarsest` are the sides of the
    /// coarsest level. Where the first corner follows the last one, a level `repeats`. [`Level::entries`] may be too many.
    pub fn new(
        kind: GridKind,
        [sides, coarsest]: [[f64; D]; 2],
        inputs: usize,
        (most, repeats): (u32, bool),
        first: u32,
    ) -> Self {
        let (mut scale, mut resolution) = ([1.0_f32; D], [1_u32; D]);
        for d in 0..inputs.min(D) {
            if repeats {
                resolution[d] = whole(sides[d].round()).max(1);
                scale[d] = resolution[d] as f32;
                continue;
            }
            scale[d] = crate::numeric::to_f32(sides[d] - 1.0);
            resolution[d] = whole(f64::from(scale[d]).ceil()).saturating_add(1);
        }
        let volume = |sides: &[u32]| {
            let all = sides.iter().fold(1_u64, |all, side| all.saturating_mul(u64::from(*side)));
            u32::try_from(all.min(1 << 31)).unwrap_or(u32::MAX)
        };
        let corners = volume(&resolution);
        let padded = corners.saturating_add(7) / 8 * 8;
        let (size, hashed) = match kind {
            GridKind::Hash => (padded.min(most), corners > most),
            GridKind::Dense => (padded, false),
            GridKind::Tiled => {
                let tile = coarsest.map(|side| whole(side.floor()).max(1));
                (padded.min(volume(&tile[..inputs.min(D)])), false)
            }
        };
        let wraps = kind == GridKind::Tiled;
        Self { scale, resolution, size, first, hashed, wraps, clamps: true, repeats }
    }

    /// The entries of the level's table: its size, rounded up to a multiple of eight.
    pub const fn entries(&self) -> u32 {
        self.size.next_multiple_of(8)
    }

    /// Finds the cell of a point. Twice the position is a single product, which every device rounds
    /// alike; adding the half and the floor happen in integers. An index therefore has the same
    /// bits on every device.
    /// `x` is a point of the unit cube, or beyond it.
    #[inline(always)]
    pub fn place<T: Real>(&self, x: &[T]) -> Cell<T> {
        let mut place = Cell { cell: [0; D], at: [T::ZERO; D], inside: [T::ZERO; D] };
        for (d, x) in x.iter().enumerate() {
            let scale = T::of(f64::from(self.scale[d]));
            let held = x.max(T::ZERO).min(T::ONE);
            let doubled = (scale * T::of(2.0)) * held;
            place.cell[d] = (whole(doubled.to_f64()) + 1) >> 1;
            place.at[d] = scale * held + T::of(0.5) - T::of(f64::from(place.cell[d]));
            place.inside[d] = if held == *x { T::ONE } else { T::ZERO };
        }
        place
    }

    /// The index of a corner's entry within the level. Missing coordinates are 0.
    #[inline(always)]
    pub fn entry<const N: usize>(&self, mut corner: [u32; N]) -> u32 {
        if self.clamps {
            for (c, resolution) in corner.iter_mut().zip(self.resolution) {
                *c = (*c).min(resolution - 1);
            }
        }
        if self.repeats {
            for (c, resolution) in corner.iter_mut().zip(self.resolution) {
                // The corner before, modulo the resolution, which would divide.
                let before = if *c == 0 { resolution } else { *c } - 1;
                *c = if before >= resolution { before - resolution } else { before };
            }
        }
        if self.hashed {
            let mixed = corner.iter().zip(PRIMES).fold(0, |all, (c, p)| all ^ c.wrapping_mul(p));
            return mixed & (self.size - 1);
        }
        let mut index = 0_u32;
        for d in (0..N).rev() {
            index = index.wrapping_mul(self.resolution[d]).wrapping_add(corner[d]);
        }
        if self.wraps { index % self.size } else { index }
    }

    /// [`Level::entry`] of a corner of 1 to 4 coordinates.
    pub fn entry_of(&self, corner: &[u32]) -> u32 {
        match *corner {
            [x] => self.entry([x]),
            [x, y] => self.entry([x, y]),
            [x, y, z] => self.entry([x, y, z]),
            [x, y, z, w] => self.entry([x, y, z, w]),
            _ => 0,
        }
    }

    /// The level as a WGSL value, of a grid of `inputs` dimensions. Equal sides are one number.
    pub fn literal(&self, inputs: usize, equal: bool) -> String {
        let Self { scale, resolution, size, first, hashed, .. } = self;
        let width = inputs.clamp(3, D);
        let all = |values: Vec<String>| values[..width].join(", ");
        let (scale, resolution) = if equal {
            (format!("{:?}f", scale[0]), format!("{}u", resolution[0]))
        } else {
            let scale = all(scale.map(|v| format!("{v:?}f")).to_vec());
            let resolution = all(resolution.map(|v| format!("{v}u")).to_vec());
            (format!("vec{width}<f32>({scale})"), format!("vec{width}<u32>({resolution})"))
        };
        format!("GridLevel({scale}, {resolution}, {size}u, {first}u, {hashed})")
    }
}

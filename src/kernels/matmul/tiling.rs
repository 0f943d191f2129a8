//! The tilings of a matrix product.

use super::parameters::Parameters;
use super::{registers, subgroup, tiled};
use crate::kernels::{Capabilities, Kernel};

/// What computes one tile of results: an invocation, a subgroup or a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tiling {
    /// One invocation computes 4 × 4 results: `shaders/matmul/registers.wgsl`. It runs on any
    /// device.
    Registers,
    /// A subgroup of 8 invocations computes 32 × 32 results: `shaders/matmul/subgroup.wgsl`. It
    /// runs where every subgroup has 8 invocations.
    Subgroup,
    /// A workgroup of 128 invocations computes 64 × 64 results through workgroup memory:
    /// `shaders/matmul/tiled.wgsl`.
    Tiled,
}

/// The number of 64 × 64 tiles below which a GPU would be mostly idle. The smallest hardware has
/// about as many multiprocessors, and tiles of 4 × 4 give 8 times the invocations.
const FILLING: u64 = 8;

impl Tiling {
    /// Every tiling.
    pub const ALL: &[Self] = &[Self::Registers, Self::Subgroup, Self::Tiled];

    /// The kernel.
    pub const fn kernel(self) -> &'static Kernel {
        match self {
            Self::Registers => &registers::KERNEL,
            Self::Subgroup => &subgroup::KERNEL,
            Self::Tiled => &tiled::KERNEL,
        }
    }

    /// Whether a device can run this tiling.
    pub fn runs_on(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Registers => true,
            Self::Subgroup => capabilities.subgroup == Some(subgroup::LANES),
            Self::Tiled => {
                capabilities.max_workgroup() >= tiled::KERNEL.workgroup
                    && capabilities.limits.max_compute_workgroup_storage_size >= tiled::SHARED
            }
        }
    }

    /// Rows and columns of a tile.
    pub(super) const fn side(self) -> u32 {
        match self {
            Self::Registers => 4,
            Self::Subgroup => subgroup::TILE,
            Self::Tiled => tiled::TILE,
        }
    }

    /// The number of tiles of all results. Only the 4 × 4 tiling computes the column of ones as a
    /// column of its tiles.
    pub(super) fn tiles(self, p: &Parameters) -> u64 {
        let columns = if self == Self::Registers { p.columns } else { p.columns - p.ones_column };
        let tiles = |lines: u32| u64::from(lines.div_ceil(self.side()));
        (tiles(p.rows) * tiles(columns))
            .saturating_mul(p.splits.max(1).into())
            .saturating_mul(p.models.into())
    }

    /// The iterations of the loops of an invocation that adds up `terms` terms, with the final test
    /// of each.
    pub(super) const fn iterations(self, terms: u64) -> u64 {
        // The four rows of a tile that are stored.
        let finish = 4 + 1;
        match self {
            Self::Registers => terms + 1 + finish,
            Self::Subgroup => terms.div_ceil(4) + 1 + 8 * (1 + finish) + 1,
            Self::Tiled => terms.div_ceil(16) * (1 + 16 + 1) + 1 + 2 * finish,
        }
    }

    /// The number of results that the tiles compute, including those beyond the edges.
    fn results(self, p: &Parameters) -> u64 {
        self.tiles(p).saturating_mul(u64::from(self.side() * self.side()))
    }

    /// The tiling that suits the product `p` on a device: the larger tile, unless too many of its
    /// results lie beyond the edges. Per result, a larger tile is about four times as fast: on
    /// llvmpipe by measurement, on GPUs because it loads a sixteenth as much.
    pub(super) fn of(p: &Parameters, capabilities: &Capabilities) -> Self {
        let large = if capabilities.software { Self::Subgroup } else { Self::Tiled };
        let fills = capabilities.software || large.tiles(p) >= FILLING;
        let pays = large.results(p) < 4 * Self::Registers.results(p);
        if large.runs_on(capabilities) && fills && pays { large } else { Self::Registers }
    }
}

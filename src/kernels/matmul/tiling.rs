//! Who computes a tile of a product's results.

use super::parameters::Parameters;
use super::{registers, subgroup, tiled};
use crate::kernels::{Capabilities, Kernel};

/// Who computes a tile of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tiling {
    /// One invocation 4 × 4: `shaders/matmul/registers.wgsl`. On any device.
    Registers,
    /// A subgroup of 8 invocations 32 × 32: `shaders/matmul/subgroup.wgsl`. Where every subgroup has
    /// 8 invocations.
    Subgroup,
    /// A workgroup of 128 invocations 64 × 64, through workgroup memory: `shaders/matmul/tiled.wgsl`.
    Tiled,
}

/// Tiles of 64 × 64 below which a GPU would be mostly idle. The smallest hardware has about as many
/// multiprocessors, and a tile of 4 × 4 gives 8 times the invocations.
const FILLING: u64 = 8;

impl Tiling {
    /// Every form.
    pub const ALL: &[Self] = &[Self::Registers, Self::Subgroup, Self::Tiled];

    /// The kernel.
    pub const fn kernel(self) -> &'static Kernel {
        match self {
            Self::Registers => &registers::KERNEL,
            Self::Subgroup => &subgroup::KERNEL,
            Self::Tiled => &tiled::KERNEL,
        }
    }

    /// Whether `target` can run it.
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

    /// Tiles of all results. Only 4 × 4 takes the column of ones for one of its columns.
    pub(super) fn tiles(self, p: &Parameters) -> u64 {
        let columns = if self == Self::Registers { p.columns } else { p.columns - p.ones_column };
        u64::from(p.rows.div_ceil(self.side()))
            * u64::from(columns.div_ceil(self.side()))
            * u64::from(p.splits.max(1))
            * u64::from(p.models)
    }

    /// Results computed, those over the edges included.
    fn results(self, p: &Parameters) -> u64 {
        self.tiles(p).saturating_mul(u64::from(self.side() * self.side()))
    }

    /// The one that suits the product `p` on `target`: the larger tile where it is not wasted on
    /// results over the edges. A larger tile is about four times as fast, result for result: on
    /// llvmpipe by measurement, on GPUs because it loads a sixteenth as much.
    pub(super) fn of(p: &Parameters, capabilities: &Capabilities) -> Self {
        let large = if capabilities.software { Self::Subgroup } else { Self::Tiled };
        let fills = capabilities.software || large.tiles(p) >= FILLING;
        let pays = large.results(p) < 4 * Self::Registers.results(p);
        if large.runs_on(capabilities) && fills && pays { large } else { Self::Registers }
    }
}

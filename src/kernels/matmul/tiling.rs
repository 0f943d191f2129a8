//! The tilings of a matrix product.

use super::parameters::Parameters;
use super::{registers, split, subgroup, tiled};
use crate::kernels::{Capabilities, Kernel};

/// What computes one tile of results: an invocation, a subgroup or a workgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tiling {
    /// One invocation computes 4 × 4 results: `shaders/matmul/registers.wgsl`. It runs on any
    /// device.
    Registers,
    /// A subgroup of 8 invocations computes 32 × 32 results: `shaders/matmul/subgroup.wgsl`. It
    /// runs on a CPU where every subgroup has 8 invocations.
    Subgroup,
    /// A workgroup of 128 invocations computes 64 × 64 results through workgroup memory:
    /// `shaders/matmul/tiled.wgsl`.
    Tiled,
    /// A workgroup of 256 invocations computes 32 × 32 results, a quarter of the terms in each of
    /// four parts: `shaders/matmul/split.wgsl`. It fills a GPU with few tiles.
    Split,
}

/// The number of 64 × 64 tiles below which a large GPU would be mostly idle.
const FILLING: u64 = 128;

/// The number of tiles of 4 × 4 from which on single invocations fill a large GPU.
const ALONE: u64 = 32_768;

/// The number of terms below which four parts would have nothing to share.
const SHARED_TERMS: u64 = 32;

impl Tiling {
    /// Every tiling.
    pub const ALL: &[Self] = &[Self::Registers, Self::Subgroup, Self::Tiled, Self::Split];

    /// The kernel.
    pub const fn kernel(self) -> &'static Kernel {
        match self {
            Self::Registers => &registers::KERNEL,
            Self::Subgroup => &subgroup::KERNEL,
            Self::Tiled => &tiled::KERNEL,
            Self::Split => &split::KERNEL,
        }
    }

    /// Whether a device can run this tiling.
    pub fn runs_on(self, capabilities: &Capabilities) -> bool {
        match self {
            Self::Registers => true,
            // On hardware a subgroup may be larger than the smallest.
            Self::Subgroup => {
                capabilities.software && capabilities.subgroup == Some(subgroup::LANES)
            }
            Self::Tiled => fits(&tiled::KERNEL, tiled::SHARED, capabilities),
            Self::Split => fits(&split::KERNEL, split::SHARED, capabilities),
        }
    }

    /// Rows and columns of a tile.
    pub(super) const fn side(self) -> u32 {
        match self {
            Self::Registers => 4,
            Self::Subgroup => subgroup::TILE,
            Self::Tiled => tiled::TILE,
            Self::Split => split::TILE,
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
            Self::Tiled => terms.div_ceil(16) * (1 + 4 + 1) + 1 + 2 * finish,
            Self::Split => terms.div_ceil(split::TERMS as u64) * (1 + 4 + 1) + 1 + finish,
        }
    }

    /// The number of results that the tiles compute, including those beyond the edges.
    fn results(self, p: &Parameters) -> u64 {
        self.tiles(p).saturating_mul(u64::from(self.side() * self.side()))
    }

    /// The tiling that suits the product `p` of `terms` terms on a device: the larger tile, unless too
    /// many of its results lie beyond the edges, or a GPU would be idle. Per result, a larger tile is
    /// about four times as fast: on llvmpipe by measurement, on GPUs because it loads a sixteenth as
    /// much. What is idle costs nothing, so a split product may waste more.
    pub(super) fn of(p: &Parameters, terms: u64, capabilities: &Capabilities) -> Self {
        let alone = Self::Registers.results(p);
        let suits = |form: Self, waste: u64| {
            form.runs_on(capabilities) && form.results(p) < alone.saturating_mul(waste)
        };
        if capabilities.software {
            return if suits(Self::Subgroup, 4) { Self::Subgroup } else { Self::Registers };
        }
        if suits(Self::Tiled, 4) && Self::Tiled.tiles(p) >= FILLING {
            return Self::Tiled;
        }
        let shares = terms >= SHARED_TERMS && Self::Registers.tiles(p) < ALONE;
        if shares && suits(Self::Split, 16) {
            return Self::Split;
        }
        if suits(Self::Tiled, 4) && Self::Registers.tiles(p) >= ALONE {
            return Self::Tiled;
        }
        Self::Registers
    }
}

/// Whether a device can run a kernel that needs `shared` bytes of workgroup memory.
fn fits(kernel: &Kernel, shared: u32, capabilities: &Capabilities) -> bool {
    capabilities.max_workgroup() >= kernel.workgroup
        && capabilities.limits.max_compute_workgroup_storage_size >= shared
}

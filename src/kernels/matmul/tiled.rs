//! The matrix product with one tile per workgroup, for GPUs; see [`super`].

pub use super::parameters::Parameters;
use super::parameters::SLOTS;
use crate::kernels::Kernel;

/// `shaders/matmul/tiled.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "matmul_tiled" in "matmul/tiled", 128, Parameters, [PRODUCT, PRODUCT_BLOCKS], SLOTS
);

/// Rows and columns of a workgroup's tile.
pub(super) const TILE: u32 = 64;

/// Bytes of workgroup memory: 16 terms of a tile's rows and columns.
pub(super) const SHARED: u32 = 2 * 4 * 16 * TILE;

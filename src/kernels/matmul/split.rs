//! The matrix product with one tile per workgroup and the terms shared by four parts of it, for
//! products of few tiles on GPUs; see [`super`].

pub use super::parameters::Parameters;
use super::parameters::SLOTS;
use crate::kernels::Kernel;

/// `shaders/matmul/split.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "matmul_split" in "matmul/split", 256, Parameters, [PRODUCT, PRODUCT_BLOCKS], SLOTS
);

/// Rows and columns of a workgroup's tile.
pub(super) const TILE: u32 = 32;

/// Terms that a workgroup adds up at a time.
pub(super) const TERMS: u32 = 64;

/// Bytes of workgroup memory: the terms of a tile's rows and columns.
pub(super) const SHARED: u32 = 2 * 4 * TERMS * TILE;

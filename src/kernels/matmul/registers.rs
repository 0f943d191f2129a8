//! The matrix product with one tile of 4 × 4 results per invocation, for any device.

pub use super::parameters::Parameters;
use super::parameters::SLOTS;
use crate::kernels::Kernel;

/// `shaders/matmul/registers.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "matmul_registers" in "matmul/registers", 64, Parameters, [PRODUCT, PRODUCT_BLOCKS], SLOTS
);

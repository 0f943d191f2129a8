//! The kernels of encodings: pointwise ones and grids, forward and back, and the gradient of a
//! grid's tables in fixed point.

pub mod dequantize;
pub mod encode_grid;
pub mod encode_grid_gradient;
pub mod encode_pointwise;
pub mod encode_pointwise_gradient;
pub mod max_abs;
pub mod scatter;

//! Kernels that look at what a training left, or make what a check needs.

pub mod finite;
pub mod norm;
pub mod perturb;
pub mod saturation;
pub mod texture;

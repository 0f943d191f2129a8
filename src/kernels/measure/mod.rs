//! Kernels for measurements and checks: norms, non-finite values, saturation, perturbed copies,
//! textures.

pub mod finite;
pub mod norm;
pub mod perturb;
pub mod saturation;
pub mod texture;

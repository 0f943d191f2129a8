//! Kernels for measurements and checks: norms, the domain of data, saturation, perturbed copies,
//! textures.

pub mod domain;
pub mod norm;
pub mod perturb;
pub mod saturation;
pub mod texture;

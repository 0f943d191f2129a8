//! Kernels for measurements and checks: norms, the domain of data, evaluation, saturation, perturbed copies,
//! textures.

pub mod domain;
pub mod evaluate;
pub mod norm;
pub mod perturb;
pub mod saturation;
pub mod texture;

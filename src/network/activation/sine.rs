//! y = sin z, as in Sitzmann et al., "Implicit Neural Representations with Periodic Activation
//! Functions", 2020 (the factor ω is left to the weights); y′ = cos z.

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Input;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    z.sin()
}

pub fn derivative<T: Real>(z: T) -> T {
    z.cos()
}

pub fn second_derivative<T: Real>(z: T) -> T {
    -z.sin()
}

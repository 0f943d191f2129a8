//! y = z σ(z), also called swish; y′ = σ (1 + z (1 − σ)).

use super::Saved;
use crate::Real;

pub const SAVES: Saved = Saved::Input;
pub const FLAT_BELOW: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    z * crate::Activation::Sigmoid.value(z)
}

pub fn gradient<T: Real>(z: T) -> T {
    let s = crate::Activation::Sigmoid.value(z);
    // 1 − σ(z) as σ(−z): no cancellation where σ is near 1.
    s + z * (s * crate::Activation::Sigmoid.value(-z))
}

//! y = z σ(z), also called swish; y′ = σ (1 + z (1 − σ)).

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Input;
pub const SATURATION_THRESHOLD: Option<f64> = None;

pub fn value<T: Real>(z: T) -> T {
    z * crate::network::Activation::Sigmoid.value(z)
}

pub fn derivative<T: Real>(z: T) -> T {
    let s = crate::network::Activation::Sigmoid.value(z);
    // 1 − σ(z) is computed as σ(−z), which does not cancel where σ is near 1.
    s + z * (s * crate::network::Activation::Sigmoid.value(-z))
}

/// σ (1 − σ) (2 + z (1 − 2 σ)).
pub fn second_derivative<T: Real>(z: T) -> T {
    let [on, off] = [z, -z].map(|z| crate::network::Activation::Sigmoid.value(z));
    // The product with z comes after that with the slope, which reaches 0 first.
    let slope = on * off;
    T::of(2.0) * slope + slope * z * (off - on)
}

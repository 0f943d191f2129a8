//! y = ½ z (1 + tanh u), u = √(2/π) (z + 0.044715 z³): the tanh approximation of Hendrycks and
//! Gimpel, "Gaussian Error Linear Units", 2016.

use super::Saved;
use crate::numeric::Real;

pub const SAVES: Saved = Saved::Input;
pub const SATURATION_THRESHOLD: Option<f64> = None;

/// √(2/π).
const ROOT: f64 = 0.797_884_560_802_865_4;
const CUBE: f64 = 0.044_715;

/// 2u and its derivative.
fn gate<T: Real>(z: T) -> (T, T) {
    // Beyond ±20 the sigmoid of 2u is 0 or 1 to the last bit. The clamp keeps z³ from overflowing.
    let c = z.max(T::of(-20.0)).min(T::of(20.0));
    let u = T::of(2.0 * ROOT) * c * (T::ONE + T::of(CUBE) * c * c);
    (u, T::of(2.0 * ROOT) * (T::ONE + T::of(3.0 * CUBE) * c * c))
}

/// Uses ½ (1 + tanh u) = σ(2u).
pub fn value<T: Real>(z: T) -> T {
    z * crate::network::Activation::Sigmoid.value(gate(z).0)
}

pub fn derivative<T: Real>(z: T) -> T {
    let (u, inner) = gate(z);
    let [on, off] = [u, -u].map(|u| crate::network::Activation::Sigmoid.value(u));
    // 1 − σ(2u) is computed as σ(−2u), which does not cancel. It reaches 0 before anything
    // overflows.
    on + z * (on * off * inner)
}

/// With s = σ(2u) and w = 2u′: s (1 − s) (2 w + z (w² (1 − 2 s) + w′)).
pub fn second_derivative<T: Real>(z: T) -> T {
    let c = z.max(T::of(-20.0)).min(T::of(20.0));
    let (u, inner) = gate(z);
    let [on, off] = [u, -u].map(|u| crate::network::Activation::Sigmoid.value(u));
    let slope = on * off;
    let bend = inner * inner * (off - on) + T::of(12.0 * ROOT * CUBE) * c;
    T::of(2.0) * (slope * inner) + z * (slope * bend)
}

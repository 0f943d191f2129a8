//! y = ½ z (1 + tanh u), u = √(2/π) (z + 0.044715 z³): the tanh form of Hendrycks and Gimpel,
//! "Gaussian Error Linear Units", 2016.

use super::Saved;
use crate::Real;

pub const SAVES: Saved = Saved::Input;
pub const FLAT_BELOW: Option<f64> = None;

/// √(2/π).
const ROOT: f64 = 0.797_884_560_802_865_4;
const CUBE: f64 = 0.044_715;

/// σ(2u), since ½ (1 + tanh u) is that; and u′.
fn gate<T: Real>(z: T) -> (T, T) {
    // Beyond 20 the gate is 0 or 1 to the last bit, and z³ is kept from overflowing.
    let c = z.max(T::of(-20.0)).min(T::of(20.0));
    let u = T::of(ROOT) * c * (T::ONE + T::of(CUBE) * c * c);
    let slope = T::of(ROOT) * (T::ONE + T::of(3.0 * CUBE) * c * c);
    (crate::Activation::Sigmoid.value(u + u), slope)
}

pub fn value<T: Real>(z: T) -> T {
    z * gate(z).0
}

pub fn gradient<T: Real>(z: T) -> T {
    let (g, slope) = gate(z);
    // The bracket is 0 before z is large enough for anything to overflow.
    g + z * (T::of(2.0) * (g * (T::ONE - g)) * slope)
}

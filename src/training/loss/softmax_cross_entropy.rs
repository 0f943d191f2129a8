//! −Σ t ln softmax(z) over a row of logits, mean over the batch.
//!
//! Let s = Σ t, m = max z and l = ln Σ e^(z − m). The value is Σ t (l + m − z) and the derivative s
//! p − t. Subtracting the row maximum keeps every exponent at or below 0.

use super::{Argument, Mean, Targets, bounded};
use crate::network::Activation;
use crate::numeric::Real;

pub const ARGUMENT: Argument = Argument::Logit(Activation::Identity);
pub const ROW: bool = true;
pub const MEAN: Mean = Mean::Rows;
pub const DETACHES: bool = false;
pub const TARGETS: Targets = Targets::Distributions;

pub fn row<T: Real>([z, _]: [&[T]; 2], t: &[T], scale: T, gradient: &mut [T]) -> T {
    let max = z.iter().fold(-T::MAX, |max, z| if *z <= max { max } else { *z });
    let (mut sum, mut targets) = (T::ZERO, T::ZERO);
    for ((z, t), g) in z.iter().zip(t).zip(gradient.iter_mut()) {
        *g = (*z - max).exp();
        sum += *g;
        targets += *t;
    }
    let (log, weight) = (sum.ln(), targets / sum);
    let mut value = T::ZERO;
    for ((z, t), g) in z.iter().zip(t).zip(gradient) {
        *g = scale * (*g * weight - *t);
        // The difference of two finite logits can be infinite, and 0 · ∞ is NaN. The bound leaves
        // room for the rounding of a sum.
        value += scale * *t * (log + bounded(max - *z));
    }
    value
}

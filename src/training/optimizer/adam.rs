//! Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015).

use super::{Hyper, Range, Rule, moments};
use crate::numeric::Real;

/// Adam: m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², and with both divided by 1 − βᵗ,
/// p ← p − rate · m / (√v + ε).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Adam {
    /// The learning rate.
    pub rate: f64,
    /// β₁, 0 or more and less than 1.
    pub beta1: f64,
    /// β₂, 0 or more and less than 1.
    pub beta2: f64,
    /// ε, added to the root; above 0.
    pub epsilon: f64,
    /// The factor of the sign of a layer's parameter that is added to its gradient: L1 regularization
    /// of the layers' weights and biases, but not of an encoding's tables. The sign of 0 is 0.
    pub l1: f64,
    /// The factor of a layer's parameter that is added to its gradient: L2 regularization of the
    /// layers' weights and biases, but not of an encoding's tables.
    pub l2: f64,
    /// The largest magnitude of an element of the gradient, with the regularization: larger ones are
    /// clipped. 0 clips none.
    pub clip: f64,
    /// Whether a table element with a gradient of exactly 0 keeps its value and its moments, as in
    /// "lazy" Adam: most entries of a hash grid see no row of a batch. t counts all steps. A GPU sums
    /// a table's gradient in fixed point, where contributions below 2⁻²⁵ of the step's largest count
    /// as 0.
    pub lazy: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            l1: 0.0,
            l2: 0.0,
            clip: 0.0,
            lazy: false,
        }
    }
}

impl Adam {
    /// m / (√v + ε) with both moments divided by their corrections. Updates the moments.
    pub(super) fn direction<T: Real>(&self, by: [T; 2], g: T, [m, v]: &mut [T; 2]) -> T {
        *m = T::of(self.beta1) * *m + T::of(1.0 - self.beta1) * g;
        *v = T::of(self.beta2) * *v + T::of(1.0 - self.beta2) * g * g;
        (*m / by[0]) / ((*v / by[1]).sqrt() + T::of(self.epsilon))
    }
}

impl Rule for Adam {
    const STATES: usize = 2;

    fn fields(&self) -> Vec<(&'static str, f64, Range)> {
        vec![
            ("rate", self.rate, Range::NonNegative),
            ("beta1", self.beta1, Range::Fraction),
            ("beta2", self.beta2, Range::Fraction),
            ("epsilon", self.epsilon, Range::Positive),
            ("l1", self.l1, Range::NonNegative),
            ("l2", self.l2, Range::NonNegative),
            ("clip", self.clip, Range::NonNegative),
        ]
    }

    fn hyper(&self) -> Hyper {
        moments(self.rate, self.beta1, self.beta2, self.epsilon, 0.0)
    }

    fn l1(&self) -> f64 {
        self.l1
    }

    fn l2(&self) -> f64 {
        self.l2
    }

    fn clip(&self) -> f64 {
        self.clip
    }

    fn is_lazy(&self) -> bool {
        self.lazy
    }

    fn corrections(&self, t: f64) -> [f64; 2] {
        [1.0 - self.beta1.powf(t), 1.0 - self.beta2.powf(t)]
    }

    fn update<T: Real>(&self, by: [T; 2], p: T, g: T, state: &mut [T; 2]) -> T {
        p - T::of(self.rate) * self.direction(by, g, state)
    }
}

//! Gradient descent: p ← p − rate · g.

use super::{Hyper, Range, Rule};
use crate::numeric::Real;

/// Gradient descent: p ← p − rate · g, the article's rule.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Sgd {
    /// The learning rate ε.
    pub rate: f64,
    /// The factor of the sign of a layer's parameter that is added to its gradient: L1 regularization
    /// of the layers' weights and biases, but not of an encoding's tables. The sign of 0 is 0.
    pub l1: f64,
    /// The factor of a layer's parameter that is added to its gradient: L2 regularization of the
    /// layers' weights and biases, but not of an encoding's tables.
    pub l2: f64,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { rate: 0.1, l1: 0.0, l2: 0.0 }
    }
}

impl Rule for Sgd {
    const STATES: usize = 0;

    fn fields(&self) -> Vec<(&'static str, f64, Range)> {
        vec![
            ("rate", self.rate, Range::NonNegative),
            ("l1", self.l1, Range::NonNegative),
            ("l2", self.l2, Range::NonNegative),
        ]
    }

    fn hyper(&self) -> Hyper {
        Hyper { rate: crate::numeric::to_f32(self.rate), ..Hyper::default() }
    }

    fn l1(&self) -> f64 {
        self.l1
    }

    fn l2(&self) -> f64 {
        self.l2
    }

    fn update<T: Real>(&self, _: [T; 2], p: T, g: T, _state: &mut [T; 2]) -> T {
        p - T::of(self.rate) * g
    }
}

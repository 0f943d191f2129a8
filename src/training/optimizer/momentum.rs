//! Gradient descent with momentum: v ← momentum · v + g, p ← p − rate · v (Polyak, 1964).

use super::{Hyper, Range, Rule};
use crate::numeric::Real;

/// Gradient descent with momentum: v ← momentum · v + g, p ← p − rate · v (Polyak, 1964).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Momentum {
    /// The learning rate.
    pub rate: f64,
    /// The share of the velocity v that is kept, 0 or more and less than 1.
    pub momentum: f64,
    /// The factor of the sign of a layer's parameter that is added to its gradient: L1 regularization
    /// of the layers' weights and biases, but not of an encoding's tables. The sign of 0 is 0.
    pub l1: f64,
    /// The factor of a layer's parameter that is added to its gradient: L2 regularization of the
    /// layers' weights and biases, but not of an encoding's tables.
    pub l2: f64,
}

impl Default for Momentum {
    fn default() -> Self {
        Self { rate: 0.05, momentum: 0.9, l1: 0.0, l2: 0.0 }
    }
}

impl Rule for Momentum {
    const STATES: usize = 1;

    fn fields(&self) -> Vec<(&'static str, f64, Range)> {
        vec![
            ("rate", self.rate, Range::NonNegative),
            ("momentum", self.momentum, Range::Fraction),
            ("l1", self.l1, Range::NonNegative),
            ("l2", self.l2, Range::NonNegative),
        ]
    }

    fn hyper(&self) -> Hyper {
        let f = crate::numeric::to_f32;
        Hyper { rate: f(self.rate), momentum: f(self.momentum), ..Hyper::default() }
    }

    fn l1(&self) -> f64 {
        self.l1
    }

    fn l2(&self) -> f64 {
        self.l2
    }

    fn update<T: Real>(&self, _: [T; 2], p: T, g: T, [v, _]: &mut [T; 2]) -> T {
        *v = T::of(self.momentum) * *v + g;
        p - T::of(self.rate) * *v
    }
}

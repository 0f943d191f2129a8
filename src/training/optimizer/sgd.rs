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
}

impl Default for Sgd {
    fn default() -> Self {
        Self { rate: 0.1 }
    }
}

impl Rule for Sgd {
    const STATES: usize = 0;

    fn fields(&self) -> Vec<(&'static str, f64, Range)> {
        vec![("rate", self.rate, Range::NonNegative)]
    }

    fn hyper(&self) -> Hyper {
        Hyper { rate: crate::numeric::to_f32(self.rate), ..Hyper::default() }
    }

    fn update<T: Real>(&self, _: [T; 2], p: T, g: T, _state: &mut [T; 2]) -> T {
        p - T::of(self.rate) * g
    }
}

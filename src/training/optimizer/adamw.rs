//! AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019).

use super::{Adam, Hyper, Range, Rule, moments};
use crate::numeric::Real;

/// [`Adam`] with decoupled weight decay: p ← p − rate · (m / (√v + ε) + decay · p).
///
/// The decay applies to every parameter, including biases, as in optax and PyTorch by default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct AdamW {
    /// The learning rate.
    pub rate: f64,
    /// β₁, 0 or more and less than 1.
    pub beta1: f64,
    /// β₂, 0 or more and less than 1.
    pub beta2: f64,
    /// ε, added to the root; above 0.
    pub epsilon: f64,
    /// The decay.
    pub weight_decay: f64,
    /// The factor of the sign of a layer's parameter that is added to its gradient: L1 regularization
    /// of the layers' weights and biases, but not of an encoding's tables. The sign of 0 is 0.
    pub l1: f64,
    /// The factor of a layer's parameter that is added to its gradient: L2 regularization of the
    /// layers' weights and biases, but not of an encoding's tables.
    pub l2: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        let Adam { rate, beta1, beta2, epsilon, .. } = Adam::default();
        Self { rate, beta1, beta2, epsilon, weight_decay: 0.01, l1: 0.0, l2: 0.0 }
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        let Self { rate, beta1, beta2, epsilon, l1, l2, .. } = *self;
        Adam { rate, beta1, beta2, epsilon, l1, l2, ..Adam::default() }
    }
}

impl Rule for AdamW {
    const STATES: usize = 2;

    fn fields(&self) -> Vec<(&'static str, f64, Range)> {
        let mut fields = self.adam().fields();
        fields.retain(|(name, ..)| *name != "clip");
        fields.push(("weight_decay", self.weight_decay, Range::NonNegative));
        fields
    }

    fn hyper(&self) -> Hyper {
        moments(self.rate, self.beta1, self.beta2, self.epsilon, self.weight_decay)
    }

    fn l1(&self) -> f64 {
        self.l1
    }

    fn l2(&self) -> f64 {
        self.l2
    }

    fn corrections(&self, t: f64) -> [f64; 2] {
        self.adam().corrections(t)
    }

    fn update<T: Real>(&self, by: [T; 2], p: T, g: T, state: &mut [T; 2]) -> T {
        let direction = self.adam().direction(by, g, state);
        p - T::of(self.rate) * (direction + T::of(self.weight_decay) * p)
    }
}

//! What an evaluation on other data says: the loss, and how many rows are classified right.

use crate::network::{Activation, Mlp};
use crate::numeric::{Real, count};
use crate::training::Loss;

/// The loss and the accuracy of a population on some data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Metrics<T = f32> {
    /// The loss of each model: the training's, as the mean over these rows.
    pub losses: Vec<T>,
    /// The share of the rows that each model classifies right, 0 to 1. `None` where the rows have no
    /// classes: see [`Train::evaluate`](crate::Train::evaluate).
    pub accuracies: Option<Vec<f64>>,
}

impl<T: Real> Metrics<T> {
    /// The metrics from one loss a model and, where there are classes, the numbers of right rows.
    pub(crate) fn new(losses: Vec<T>, right: &[T], rows: usize) -> Self {
        let share = |right: &T| right.to_f64() / count(rows);
        let accuracies = (!right.is_empty()).then(|| right.iter().map(share).collect());
        Self { losses, accuracies }
    }
}

/// How the class of a row is told from its outputs, and from its targets.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Classes {
    /// There are no classes.
    None,
    /// Two classes: whether the only output's pre-activation is above `logit`, and the target above
    /// `target`.
    Threshold {
        /// The pre-activation between the classes.
        logit: f64,
        /// The target between the classes.
        target: f64,
    },
    /// The index of the largest output, the first of several.
    Largest,
}

impl Classes {
    /// The classes of `targets` behind the network `mlp` and the loss `loss`.
    pub fn of<T: Real>(mlp: &Mlp, loss: Loss, targets: &[T]) -> Self {
        let one = mlp.outputs() == 1;
        let are =
            |low: f64, high: f64| targets.iter().all(|t| t.to_f64() == low || t.to_f64() == high);
        match (loss, mlp.last_activation()) {
            (Loss::SoftmaxCrossEntropy, _) => Self::Largest,
            // Its targets are probabilities of class 1, labels or not.
            (Loss::BinaryCrossEntropy, _) if one => Self::Threshold { logit: 0.0, target: 0.5 },
            (_, Activation::Sigmoid) if one && are(0.0, 1.0) => {
                Self::Threshold { logit: 0.0, target: 0.5 }
            }
            (_, Activation::Tanh) if one && are(-1.0, 1.0) => {
                Self::Threshold { logit: 0.0, target: 0.0 }
            }
            (_, Activation::Tanh) if one && are(0.0, 1.0) => {
                Self::Threshold { logit: 0.5_f64.atanh(), target: 0.5 }
            }
            _ => Self::None,
        }
    }

    /// Whether a row of pre-activations `z` is classified as its targets `t`. One that is not finite
    /// never is.
    pub(crate) fn is_right<T: Real>(self, z: &[T], t: &[T]) -> bool {
        let right = match self {
            Self::None => false,
            Self::Threshold { logit, target } => {
                let above = |values: &[T], middle: f64| values.iter().all(|v| *v > T::of(middle));
                above(z, logit) == above(t, target)
            }
            Self::Largest => largest(z) == largest(t),
        };
        right && z.iter().all(|z| z.is_finite())
    }
}

/// The index of the largest value, the first of several.
fn largest<T: Real>(values: &[T]) -> usize {
    let mut best = 0;
    for (i, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(outputs: usize, last: Activation, loss: Loss, targets: &[f64]) -> Classes {
        Classes::of(&Mlp::new(2).layer(outputs, last), loss, targets)
    }

    #[test]
    fn classes_are_where_the_targets_are_labels() {
        use Activation::{Identity, Sigmoid, Tanh};
        use Loss::{BinaryCrossEntropy, Huber, MeanSquaredError, SoftmaxCrossEntropy};
        let half = Classes::Threshold { logit: 0.0, target: 0.5 };
        let zero = Classes::Threshold { logit: 0.0, target: 0.0 };
        for (outputs, last, loss, targets, expected) in [
            (1, Sigmoid, BinaryCrossEntropy, [0.0, 1.0], half),
            (1, Sigmoid, BinaryCrossEntropy, [0.1, 0.9], half),
            (2, Sigmoid, BinaryCrossEntropy, [0.0, 1.0], Classes::None),
            (1, Sigmoid, MeanSquaredError, [0.0, 1.0], half),
            (1, Sigmoid, MeanSquaredError, [0.0, 0.7], Classes::None),
            (1, Tanh, Huber, [-1.0, 1.0], zero),
            (1, Tanh, Huber, [1.0, 1.0], zero),
            (1, Tanh, Huber, [0.5, 1.0], Classes::None),
            (1, Identity, MeanSquaredError, [0.0, 1.0], Classes::None),
            (2, Identity, SoftmaxCrossEntropy, [0.0, 1.0], Classes::Largest),
            (2, Identity, MeanSquaredError, [0.0, 1.0], Classes::None),
        ] {
            assert_eq!(classes(outputs, last, loss, &targets), expected, "{outputs} {targets:?}");
        }
        let tanh = classes(1, Tanh, Huber, &[0.0, 1.0]);
        for (z, right) in [(0.5, false), (0.6, true)] {
            assert_eq!(tanh.is_right(&[z], &[1.0]), right, "tanh({z}) is above one half or not");
        }
    }

    #[test]
    fn what_is_not_finite_is_never_right() {
        let half = Classes::Threshold { logit: 0.0, target: 0.5 };
        assert!(half.is_right(&[-1.0], &[0.0]) && !half.is_right(&[-1.0], &[1.0]));
        assert!(half.is_right(&[0.0], &[0.0]) && !half.is_right(&[f64::NAN], &[0.0]));
        assert!(!half.is_right(&[f32::INFINITY], &[1.0]));
        assert!(Classes::Largest.is_right(&[1.0, 3.0, 3.0], &[0.0, 1.0, 0.0]));
        assert!(!Classes::Largest.is_right(&[1.0, 3.0, 3.0], &[0.0, 0.0, 1.0]));
        assert!(!Classes::Largest.is_right(&[f64::NAN, 3.0, 0.0], &[0.0, 1.0, 0.0]));
        assert!(!Classes::None.is_right(&[1.0], &[1.0]));
    }
}

//! The state of the gradient: vanishing, exploding, saturated units, dead ReLUs.

use crate::network::Activation;
use crate::numeric::{count, wide};
use std::fmt;

/// The state of one layer of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct LayerHealth {
    /// The Euclidean norm of the gradient of the layer's weight and bias.
    pub gradient_norm: f64,
    /// The layer's activation.
    pub activation: Activation,
    /// The share, 0 to 1, of (row, unit) pairs whose derivative is at most 1 % of the largest one
    /// (sigmoid, tanh) or 0 (ReLU). `None` for activations that do not saturate.
    pub saturated: Option<f64>,
    /// The share, 0 to 1, of units that are saturated on every row, such as a dead ReLU.
    pub dead: Option<f64>,
}

impl LayerHealth {
    /// Takes the number of rows, out of `rows`, on which each unit is saturated.
    pub(crate) fn new(
        norm: f64,
        activation: Activation,
        rows: usize,
        counts: Option<&[u32]>,
    ) -> Self {
        let share = |part: f64| counts.map(|counts| part / count(counts.len().max(1)));
        let all: u64 = counts.into_iter().flatten().map(|c| u64::from(*c)).sum();
        let dead = counts.into_iter().flatten().filter(|c| u64::from(**c) == wide(rows)).count();
        Self {
            gradient_norm: norm,
            activation,
            saturated: share(all as f64 / count(rows)),
            dead: share(count(dead)),
        }
    }
}

/// The state of every layer of every model, `[models, layers]`. It prints as a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Health {
    /// The number of models.
    pub models: usize,
    /// The layers, model after model.
    pub layers: Vec<LayerHealth>,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model  layer  activation   gradient norm  saturated  dead units")?;
        let layers = (self.layers.len() / self.models.max(1)).max(1);
        let percent =
            |share: Option<f64>| share.map_or("-".into(), |s| format!("{:.1} %", 100.0 * s));
        for (i, layer) in self.layers.iter().enumerate() {
            writeln!(
                f,
                "{:>5}  {:>5}  {:11}  {:>13.3e}  {:>9}  {:>10}",
                i / layers,
                i % layers,
                layer.activation.name(),
                layer.gradient_norm,
                percent(layer.saturated),
                percent(layer.dead)
            )?;
        }
        Ok(())
    }
}

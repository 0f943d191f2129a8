//! The health of a gradient, layer by layer, on all training rows.

use crate::error::Result;
use wgrad::{CpuTrainer, Data, Parameters, Train, TrainBase, Training};

/// The state of one layer.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerState {
    /// The name of its activation.
    pub activation: &'static str,
    /// The Euclidean norm of the gradient of its weights and biases.
    pub gradient_norm: f64,
    /// The Euclidean norm of its weights and biases.
    pub weight_norm: f64,
    /// The learning rate times the gradient's norm, over the weights' norm: how far a step of plain
    /// gradient descent moves them.
    pub ratio: f64,
    /// The number of units that are saturated, or inactive, on every row.
    pub dead: usize,
    /// The share of pairs of a row and a unit that are saturated, or inactive.
    pub saturated: f64,
    /// The number of units.
    pub units: usize,
    /// What is wrong with it; empty where nothing is.
    pub verdict: &'static str,
}

/// A layer's gradient vanishes where it is so much smaller than that of the last layer.
const VANISHING: f64 = 1e-3;
/// A layer's gradient explodes where a step moves its weights by so large a share.
const EXPLODING: f64 = 1.0;

/// The state of each layer of one model.
///
/// # Errors
/// Data of another network.
pub fn health(of: &Parameters, training: &Training, data: &Data) -> Result<Vec<LayerState>> {
    let mut probe = CpuTrainer::new(of.mlp(), training, data)?;
    probe.set_parameters(of)?;
    let health = probe.health()?;
    let last = health.layers.last().map_or(0.0, |layer| layer.gradient_norm);
    let layers = health.layers.iter().zip(of.mlp().layers.iter().zip(of.mlp().ranges()));
    Ok(layers
        .enumerate()
        .map(|(index, (state, (layer, range)))| {
            let values = &of.values()[range.weight.start..range.bias.end];
            let weight_norm = values.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt();
            let gradient_norm = state.gradient_norm;
            let ratio =
                training.optimizer.rate() * gradient_norm / weight_norm.max(f64::MIN_POSITIVE);
            let dead = (state.dead.unwrap_or(0.0) * layer.units as f64).round() as usize;
            let is_last = index + 1 == of.mlp().layers.len();
            let verdict = if !gradient_norm.is_finite() || ratio > EXPLODING {
                "exploding"
            } else if dead > 0 && !is_last {
                "dead units"
            } else if !is_last && gradient_norm < VANISHING * last {
                "vanishing"
            } else {
                ""
            };
            LayerState {
                activation: layer.activation.name(),
                gradient_norm,
                weight_norm,
                ratio,
                dead,
                saturated: state.saturated.unwrap_or(0.0),
                units: layer.units,
                verdict,
            }
        })
        .collect())
}

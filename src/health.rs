//! A look into the gradient: vanishing, exploding, saturated units, dead ReLUs.

use crate::cast::{count, wide};
use crate::kernels::saturation::{self, Holds};
use crate::kernels::{Dispatch, norm};
use crate::plan::Buffer;
use crate::{Activation, Result, Saved, Trainer};
use std::fmt;

/// One layer of one model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerHealth {
    /// The Euclidean norm of the gradient of the layer's weight and bias.
    pub gradient_norm: f64,
    /// The layer's activation.
    pub activation: Activation,
    /// The share, 0 to 1, of (row, unit) pairs whose slope is at most 1 % of the steepest one
    /// (sigmoid, tanh) or 0 (ReLU). `None` for activations that do not saturate.
    pub saturated: Option<f64>,
    /// The share, 0 to 1, of units of which that holds on every row: a ReLU that is dead.
    pub dead: Option<f64>,
}

impl LayerHealth {
    /// From how many of `rows` rows leave each unit flat.
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

/// Every layer of every model, `[models, layers]`. Prints as a table.
#[derive(Debug, Clone, PartialEq)]
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

/// Runs the kernels on what the last gradient left.
pub(crate) async fn on_gpu(trainer: &Trainer) -> Result<Health> {
    let (mlp, models, batch) = (trainer.mlp(), trainer.training().models, trainer.plan().batch());
    let gpu = trainer.gpu();
    let run = async |dispatch: Dispatch, input: Buffer, bytes: u64| {
        let output = gpu.buffer("health", bytes)?;
        let input = trainer.get(input)?.as_entire_buffer_binding();
        let prepared = gpu.prepare(&dispatch, &[input, output.as_entire_buffer_binding()])?;
        gpu.submit(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            prepared.record(&mut pass);
        })?;
        gpu.read(&output, 0, bytes)?.await
    };
    let mut columns = Vec::new();
    for (index, (layer, range)) in mlp.layers.iter().zip(mlp.ranges()).enumerate() {
        let length = range.bias.end - range.weight.start;
        let groups = norm::groups(length);
        let dispatch = norm::dispatch(length, models, range.weight.start, mlp.parameters())?;
        let bytes = run(dispatch, Buffer::Gradient, 8 * wide(models * groups)).await?;
        let norms = norm::finish(&bytemuck::pod_collect_to_vec::<u8, [f32; 2]>(&bytes), groups);
        let mut counts = None;
        if let Some(threshold) = layer.activation.flat_below() {
            let (holds, offset) = if index + 1 == mlp.layers.len() {
                (Holds::PreActivation, 0)
            } else if layer.activation.saves() == Saved::Input {
                (Holds::Saved, models * batch * layer.units)
            } else {
                (Holds::Saved, 0)
            };
            let shape = [models, batch, layer.units];
            let dispatch = saturation::dispatch(layer.activation, holds, shape, offset, threshold)?;
            let bytes =
                run(dispatch, Buffer::Activation(index), 4 * wide(models * layer.units)).await?;
            counts = Some(bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
        }
        columns.push((norms, counts));
    }
    let layers = (0..models)
        .flat_map(|m| {
            mlp.layers.iter().zip(&columns).map(move |(layer, (norms, counts))| {
                let counts = counts.as_ref().map(|c| &c[m * layer.units..(m + 1) * layer.units]);
                LayerHealth::new(norms[m], layer.activation, batch, counts)
            })
        })
        .collect();
    Ok(Health { models, layers })
}

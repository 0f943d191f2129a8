//! The health of a trainer's gradient, measured by kernels on what the gradient's pass left.

use crate::error::Result;
use crate::kernels::Dispatch;
use crate::kernels::measure::norm::Norm;
use crate::kernels::measure::saturation::{Holds, Saturation};
use crate::network::Saved;
use crate::numeric::wide;
use crate::plan::Buffer;
use crate::run::Trainer;
use crate::training::{Health, LayerHealth};

/// Runs the kernels on what the last gradient left.
pub(crate) async fn on_gpu(trainer: &Trainer) -> Result<Health> {
    let (mlp, models, batch) = (trainer.mlp(), trainer.training().models, trainer.plan().batch());
    let gpu = trainer.gpu();
    let run = async |dispatch: Dispatch, input: Buffer, bytes: u64| {
        let output = gpu.storage("health", bytes)?;
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
        let norm = Norm { length, models, offset: range.weight.start, stride: mlp.parameters() };
        let size = 8 * wide(models * norm.groups());
        let bytes = run(norm.dispatch()?, Buffer::Gradient, size).await?;
        let norms = norm.finish(&bytemuck::pod_collect_to_vec::<u8, [f32; 2]>(&bytes));
        let mut counts = None;
        if let Some(threshold) = layer.activation.saturation_threshold() {
            let (holds, offset) = if index + 1 == mlp.layers.len() {
                (Holds::PreActivation, 0)
            } else if layer.activation.saves() == Saved::Input {
                (Holds::Saved, models * batch * layer.units)
            } else {
                (Holds::Saved, 0)
            };
            let saturation = Saturation {
                activation: layer.activation,
                holds,
                models,
                rows: batch,
                units: layer.units,
                offset,
                threshold,
            };
            let size = 4 * wide(models * layer.units);
            let bytes = run(saturation.dispatch()?, Buffer::Activation(index), size).await?;
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

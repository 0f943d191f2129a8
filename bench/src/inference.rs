//! An inference by the layers one after another, and in one dispatch from each storage.

use crate::submit::wait;
use crate::workloads::{Workload, uniform};
use crate::{Outcome, median};
use std::time::Instant;
use wgrad::{Gpu, Model, Output, Storage};

/// Times inferences over `rows` rows of a workload's network in turns: a row of each, then the ratio of
/// each median to that of the layers.
///
/// # Errors
/// What the device says.
pub fn run(
    workload: &Workload,
    [repetitions, rows]: [u32; 2],
    emit: &mut dyn FnMut(&str, u32, f64, &str) -> Outcome,
) -> Outcome {
    let Workload { mlp, parameters, name, .. } = workload;
    let gpu = Gpu::new()?;
    let (count, models) = (rows as usize, parameters.models());
    let low = if mlp.encoding.is_empty() { -1.0 } else { 0.0 };
    let x = uniform(1, count * mlp.inputs, low, 1.0);
    let bytes = |width: usize| 4 * (count * width) as u64;
    let step = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
    let from = bytes(models * mlp.outputs()).next_multiple_of(step);
    let buffer = |size| {
        gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        })
    };
    // Inputs and outputs in one buffer are what one dispatch cannot take.
    let both = buffer(from + bytes(mlp.inputs));
    gpu.queue().write_buffer(&both, from, bytemuck::cast_slice(&x));
    let apart = buffer(from);
    let mut made = Vec::new();
    for (kind, storage) in [
        ("layers", Storage::F32),
        ("f32", Storage::F32),
        ("f16", Storage::F16),
        ("snorm8", Storage::Snorm8),
    ] {
        let model = Model::packed(&gpu, &parameters.pack(storage)?)?;
        let to = if kind == "layers" { &both } else { &apart };
        let y = Output::Buffer(to.slice(..from));
        let inference = model.inference(count, both.slice(from..), y)?;
        made.push((kind, inference, Vec::new()));
    }
    for repetition in 0..=repetitions {
        for (kind, inference, seconds) in &mut made {
            let start = Instant::now();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            inference.record(&mut encoder);
            gpu.queue().submit([encoder.finish()]);
            wait(&gpu)?;
            let taken = start.elapsed().as_secs_f64();
            let dispatches = format!("s, {} dispatches", inference.dispatches());
            emit(&format!("{name}_{kind}"), repetition, taken, &dispatches)?;
            // The first round warms up.
            seconds.extend((repetition > 0).then_some(taken));
        }
    }
    let medians: Vec<f64> = made.iter().map(|(.., s)| median(s.clone())).collect();
    for ((kind, ..), seconds) in made.iter().zip(&medians).skip(1) {
        emit(&format!("{name}_{kind}_ratio"), repetitions, seconds / medians[0], "x")?;
    }
    Ok(())
}

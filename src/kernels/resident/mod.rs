//! Many training steps of a small network in one dispatch, a model a workgroup.
//!
//! Rows are spread over the invocations, four at a time; each takes its rows forward and backward
//! with every parameter in a register and adds to a sum a parameter. At the end of a step the
//! sums of the invocations meet, so that invocation i ends with those of the parameters i,
//! i + W, i + 2W, … of W invocations; it updates these, and hands them to the others.
//!
//! The network is written out: no loop over units, no array, so that a compiler keeps everything in
//! registers. With subgroup operations the sums meet by halving (each invocation gives away half
//! of its sums and takes as many: n/2 + n/4 + … shuffles for n sums), else through workgroup memory.
//! What it computes is the layered plan's step; the reference is [`crate::CpuTrainer`].

mod launch;
mod network;
mod reduction;
mod update;
mod writer;

use crate::error::Result;
use crate::kernels::{Capabilities, Dispatch, Kernel, MAX_ITERATIONS, MAX_WORK, Slot, Variant};
use crate::network::Mlp;
use crate::numeric::{to_f32, to_u32, wide};
use crate::training::{Batch, Loss, Optimizer, half_bits};
use crate::wgsl::shader_struct;
use launch::LaunchConfig;

/// `shaders/resident.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "resident" in "resident",
    Parameters,
    [CURSOR, FINITE, SCHEDULE, LOSS_ROW, PERMUTATION],
    [
        Slot::HYPER,
        Slot::read("inputs"),
        Slot::read("targets"),
        Slot::write("parameters"),
        Slot::write("states"),
        Slot::write("losses"),
        Slot::STATUS,
    ]
);

shader_struct! {
    /// Buffers as the layered plan has them.
    pub Parameters {
        /// Steps of this dispatch.
        steps: u32,
        /// Models, a workgroup each.
        models: u32,
        /// Slots of the loss history, a ring.
        history: u32,
        /// 1 where each model has rows of its own.
        own_data: u32,
        /// The mini-batches' seed.
        seed: u32,
        /// Half the bits of their permutation's network; 0: the rows stay in order.
        half_bits: u32,
        /// The weight of a row in the mean.
        scale: f32,
    }
}

/// The most parameters of a model: with more, what is written out takes seconds to compile.
pub const MAX_PARAMETERS: usize = 512;

/// The widest layer, inputs and outputs included.
pub const MAX_WIDTH: usize = 32;

/// Parameters up to which the four rows are written out, side by side.
const UNROLLED: usize = 32;

/// Operations of one workgroup in one dispatch: a quarter of a second at 1 GFLOP/s.
const MODEL_OPERATIONS: u64 = 1 << 28;

/// Operations of one dispatch: as many as a matrix product's.
const MAX_OPERATIONS: u64 = 2 * MAX_WORK;

/// A training of many steps.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The network.
    pub mlp: &'a Mlp,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Models.
    pub models: usize,
    /// 1, or one for each model.
    pub sets: usize,
    /// Rows of a set.
    pub rows: usize,
    /// Rows a step.
    pub batch: Batch,
    /// Slots of the loss history.
    pub history: usize,
    /// Whether the learning rate follows a schedule.
    pub scheduled: bool,
    /// Whether the parameters are averaged, which needs a dispatch a step.
    pub averaged: bool,
}

/// Operations of a step of one model: a multiply-add is two, a call of an activation one.
fn operations(mlp: &Mlp, batch: usize) -> u64 {
    let rows = wide(batch);
    mlp.ranges()
        .iter()
        .enumerate()
        .map(|(layer, range)| {
            let (weights, units) = (wide(range.weight.len()), wide(range.bias.len()));
            let passes = if layer == 0 { 2 } else { 3 };
            rows * (2 * passes * weights + 4 * units)
        })
        .sum::<u64>()
        .saturating_add(2 * rows * wide(mlp.outputs()))
}

/// Whether the strategy is likely the fastest: the work of a step has to be too little to pay for
/// the launches of the other plans, or the models too many to need more than a workgroup each.
pub fn pays(shape: Shape<'_>, capabilities: &Capabilities) -> bool {
    let Ok(launch) = LaunchConfig::new(shape, capabilities) else { return false };
    // SwiftShader's compiler takes time and memory that explode with the values in registers: 3 s for 33
    // parameters, more than 30 for 49.
    let narrow = capabilities.software && capabilities.subgroup.is_none_or(|size| size < 8);
    if narrow && !launch.unrolled {
        return false;
    }
    let cost = operations(shape.mlp, launch.batch);
    let alone = if capabilities.software { 1 << 23 } else { 1 << 22 };
    cost <= alone || (shape.models >= 64 && cost <= 1 << 26)
}

/// The most steps that one dispatch may take.
///
/// # Errors
/// What makes the strategy impossible.
pub fn most_steps(shape: Shape<'_>, capabilities: &Capabilities) -> Result<u32> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let cost = operations(shape.mlp, launch.batch).max(1);
    let by_loops = wide(MAX_ITERATIONS / launch.iterations());
    let by_model = MODEL_OPERATIONS / cost;
    let by_all = MAX_OPERATIONS / cost.saturating_mul(wide(shape.models));
    // Losses are read before the ring comes round.
    let most = by_loops.min(by_model).min(by_all).min(wide(shape.history)).max(1);
    to_u32("the steps of a dispatch", most)
}

/// The dispatches that take each of `steps` steps: one shader, written once.
///
/// # Errors
/// What makes the strategy impossible; a size that a shader cannot count.
pub fn dispatches(
    shape: Shape<'_>,
    steps: &[u32],
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let Shape { mlp, loss, optimizer, models, sets, rows, batch, history, .. } = shape;
    let n = |value: usize| to_u32("a size of a resident training", wide(value));
    let mut pieces = vec![loss.wgsl(), optimizer.wgsl()];
    pieces.extend(mlp.layers.iter().map(|layer| layer.activation.wgsl()));
    let variant = Variant {
        pieces,
        generated: writer::generate(shape, &launch)?,
        workgroup: Some(launch.width),
        ..Variant::default()
    };
    let all = wide(models) * wide(mlp.parameters()) * (1 + wide(optimizer.states()));
    let data = wide(models) * wide(launch.batch) * wide(mlp.inputs + mlp.outputs());
    let a_step = wide(models) * operations(mlp, launch.batch);
    steps
        .iter()
        .map(|steps| {
            let p = Parameters {
                steps: *steps,
                models: n(models)?,
                history: n(history)?,
                own_data: u32::from(sets > 1),
                seed: batch.seed().unwrap_or(0),
                half_bits: half_bits(n(rows)?, batch.seed()),
                scale: to_f32(loss.scale(launch.batch, mlp.outputs())),
            };
            let steps = u64::from(*steps);
            let passes = if launch.holds { 1 } else { steps };
            let (read, written) = (all + passes * data, all + steps * wide(models));
            Ok(Dispatch::new(&KERNEL, &p, wide(models)).with(variant.clone()).costing(
                read,
                written,
                steps * a_step,
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;

    fn shape(mlp: &Mlp) -> Shape<'_> {
        Shape {
            mlp,
            loss: Loss::MeanSquaredError,
            optimizer: Optimizer::sgd(0.1),
            models: 1,
            sets: 1,
            rows: 1000,
            batch: Batch::Full,
            history: 4096,
            scheduled: false,
            averaged: false,
        }
    }

    #[test]
    fn the_articles_network_takes_a_thousand_steps_a_dispatch() {
        let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        for subgroup in [None, Some(4), Some(8), Some(32)] {
            for software in [false, true] {
                let capabilities = Capabilities { software, subgroup, ..Capabilities::default() };
                let steps = most_steps(shape(&mlp), &capabilities).unwrap();
                assert!(steps >= 100, "{capabilities:?}: {steps}");
            }
        }
        let many = Shape { models: 1 << 20, ..shape(&mlp) };
        assert_eq!(most_steps(many, &Capabilities::default()).unwrap(), 1);
    }

    /// A driver's compiler, and what it can take.
    #[test]
    fn narrow_software_takes_only_the_smallest_networks() {
        let small = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        let larger = Mlp::new(2).layer(9, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        for (subgroup, larger_too) in [(None, false), (Some(4), false), (Some(8), true)] {
            let capabilities = Capabilities { software: true, subgroup, ..Capabilities::default() };
            assert!(pays(shape(&small), &capabilities), "{subgroup:?}");
            assert_eq!(pays(shape(&larger), &capabilities), larger_too, "{subgroup:?}");
        }
        assert!(pays(shape(&larger), &Capabilities::default()));
    }

    #[test]
    fn networks_that_are_too_large_are_refused_by_name() {
        let wide = Mlp::new(2).layer(MAX_WIDTH + 1, Activation::Relu).layer(1, Activation::Relu);
        let deep = (0..20).fold(Mlp::new(2), |mlp, _| mlp.layer(8, Activation::Relu));
        for (mlp, what) in [(wide, "the widest layer"), (deep, "the parameters of a model")] {
            let error = most_steps(shape(&mlp), &Capabilities::default()).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("resident"), "{error}");
        }
    }
}

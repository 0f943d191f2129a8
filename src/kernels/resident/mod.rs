//! Many training steps of a small network in one dispatch, one workgroup per model.
//!
//! The rows of a batch are distributed over the invocations, four at a time. Each invocation
//! computes the forward and backward pass of its rows, with every parameter in a register, and adds
//! to one sum per parameter. At the end of a step the invocations' sums are reduced and scattered:
//! of W invocations, invocation i owns the sums of the parameters i, i + W, i + 2W, …. It updates
//! these parameters and broadcasts them to the others.
//!
//! The network is unrolled: without loops over units and without arrays, a compiler keeps
//! everything in registers. On hardware, several invocations share a row of a network with more
//! parameters than that (see `share`). With subgroup operations the reduction is a reduce-scatter by recursive
//! halving: in each round an invocation sends half of its sums and receives as many, n/2 + n/4 + …
//! shuffles for n sums. Otherwise the sums go through workgroup memory.
//! The result is the layered plan's step; the reference is [`crate::CpuTrainer`].

mod exchange;
mod launch;
mod network;
mod reduction;
mod share;
mod update;
mod writer;

use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::step::RateRange;
use crate::kernels::step::update::Update;
use crate::kernels::{
    Capabilities, Dispatch, Kernel, MAX_ITERATIONS, MAX_OPERATIONS, Slot, Variant, branching,
};
use crate::network::Mlp;
use crate::numeric::{narrow, to_f32, to_u32, wide};
use crate::training::{Batch, Loss, Optimizer, Widths, half_bits};
use crate::wgsl::shader_struct;
use launch::LaunchConfig;
use std::mem::offset_of;

/// `shaders/resident.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "resident" in "resident",
    Parameters,
    [CURSOR, FINITE, SCHEDULE, STEP_COUNTER, LOSS_ROW, PERMUTATION],
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
    /// The buffers have the layered plan's layout.
    pub Parameters {
        /// Steps of this dispatch.
        steps: u32,
        /// The number of models.
        models: u32,
        /// The first model of this dispatch.
        first_model: u32,
        /// The number of models of this dispatch. Each has one workgroup.
        groups: u32,
        /// Rows of a data set.
        rows: u32,
        /// Rows of a step.
        batch: u32,
        /// Blocks of rows of an invocation in a step, four rows each.
        blocks: u32,
        /// Elements from one optimizer state to the next.
        state_stride: u32,
        /// The number of steps in the loss history, a ring.
        history: u32,
        /// 1 where each model has its own rows.
        own_data: u32,
        /// The mini-batches' seed.
        seed: u32,
        /// Half the bits of the permutation's Feistel network; 0 where the rows stay in order.
        half_bits: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The largest number of parameters of a model. With more, the unrolled code takes seconds to
/// compile.
pub const MAX_PARAMETERS: usize = 512;

/// The largest width that the kernel supports, of inputs, outputs and layers.
pub const MAX_WIDTH: usize = 32;

/// The largest number of parameters for which the strategy is chosen on a CPU device whose subgroups
/// are narrow or may not be used. With more, its compiler takes seconds.
const NARROW_PARAMETERS: usize = 128;

/// The largest number of parameters for which the four rows are unrolled side by side.
const UNROLLED: usize = 32;

/// The largest number of operations of one workgroup in one dispatch: a quarter of a second at 1
/// GFLOP/s.
const MODEL_OPERATIONS: u64 = 1 << 28;

/// Describes a training of many steps.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The network.
    pub mlp: &'a Mlp,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// The number of models.
    pub models: usize,
    /// The number of data sets: 1, or one for each model.
    pub sets: usize,
    /// Rows of a data set.
    pub rows: usize,
    /// The rows of a step.
    pub batch: Batch,
    /// The number of steps in the loss history.
    pub history: usize,
    /// Whether the learning rate follows a schedule.
    pub scheduled: bool,
    /// The factors of the learning rate.
    pub rates: &'a [RateRange],
    /// Whether the training clips the gradient, which needs the norm of all of it.
    pub clipped: bool,
    /// Whether the training keeps an average of the parameters, which needs a dispatch in every
    /// step.
    pub averaged: bool,
}

/// The operations of one step of one model. A multiply-add counts as two, a call of an activation
/// as one.
fn operations(mlp: &Mlp, batch: usize) -> u64 {
    let rows = wide(batch);
    mlp.ranges()
        .iter()
        .enumerate()
        .map(|(layer, range)| {
            let (weights, units) = (wide(range.weight.len()), wide(range.shape[0]));
            let passes = if layer == 0 { 2 } else { 3 };
            weights.saturating_mul(2 * passes).saturating_add(units.saturating_mul(4))
        })
        .fold(wide(mlp.outputs()).saturating_mul(2), u64::saturating_add)
        .saturating_mul(rows)
}

/// Whether the resident strategy is likely the fastest. Either a step has too little work to pay
/// for the launches of the other strategies, or there are so many models that one workgroup each
/// suffices.
pub fn pays(shape: Shape<'_>, capabilities: &Capabilities) -> bool {
    let Ok(launch) = LaunchConfig::new(shape, capabilities) else { return false };
    // SwiftShader's compiler takes 0.6 s for 113 parameters with SGD, 1.0 s with Adam, mini-batches and
    // rates; for 193 and 337 with SGD 1.0 and 3.1 s.
    let slow = capabilities.software && capabilities.subgroup.is_none_or(|size| size < 8);
    let large = shape.mlp.parameters() > NARROW_PARAMETERS;
    if slow && (large || branching(shape.mlp).is_some()) {
        return false;
    }
    let cost = operations(shape.mlp, launch.batch);
    let alone = if capabilities.software { 1 << 23 } else { 1 << 22 };
    cost <= alone || (shape.models >= 64 && cost <= 1 << 26)
}

/// The largest number of steps of one dispatch.
///
/// # Errors
/// A requirement of the strategy is not met; the error names it.
pub fn most_steps(shape: Shape<'_>, capabilities: &Capabilities) -> Result<u32> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let cost = operations(shape.mlp, launch.batch).max(1);
    let by_loops = (MAX_ITERATIONS - once(shape, &launch)) / launch.iterations();
    let by_model = MODEL_OPERATIONS / cost;
    let by_all = MAX_OPERATIONS / cost.saturating_mul(wide(shape.models).max(1));
    // The host reads the losses before the ring wraps around.
    let most = by_loops.min(by_model).min(by_all).min(wide(shape.history)).max(1);
    to_u32("the steps of a dispatch", most)
}

/// The iterations of an invocation outside of its steps.
fn once(shape: Shape<'_>, launch: &LaunchConfig) -> u64 {
    let features = shape.mlp.inputs + shape.mlp.outputs();
    launch.iterations_once(features)
}

/// The dispatches for each entry of `steps`, which take that many steps: one, or several for some
/// models each where one would exceed the limit of operations. All share one shader.
///
/// # Errors
/// A requirement of the strategy is not met, or a size does not fit in the shader's `u32`.
pub fn dispatches(
    shape: Shape<'_>,
    steps: &[u32],
    capabilities: &Capabilities,
) -> Result<Vec<Vec<Dispatch>>> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let Shape { mlp, loss, optimizer, models, sets, rows, batch, history, .. } = shape;
    let n = |value: usize| to_u32("a size of a resident training", wide(value));
    let mut pieces = vec![loss.wgsl(Widths::of(mlp)), optimizer.wgsl()];
    pieces.extend(mlp.layers.iter().map(|layer| layer.activation.wgsl()));
    let variant = Variant {
        pieces,
        generated: writer::generate(shape, &launch)?,
        workgroup: Some(launch.width),
        ..Variant::default()
    };
    let updated = Update {
        optimizer,
        parameters: mlp.parameters(),
        models,
        rows,
        batch: launch.batch,
        tables: 0,
        history,
        scheduled: shape.scheduled,
        rates: &[],
        padded: true,
    };
    let a_step = operations(mlp, launch.batch);
    let of_model = wide(mlp.parameters()) * (1 + wide(optimizer.states()));
    let data = wide(launch.batch).saturating_mul(wide(mlp.inputs + mlp.outputs()));
    let block = 4 * launch.quads();
    let some = |steps: u32, first: u64, groups: u64| {
        let p = Parameters {
            steps,
            models: n(models)?,
            first_model: to_u32("the first model of a dispatch", first)?,
            groups: to_u32("the models of a dispatch", groups)?,
            rows: n(rows)?,
            batch: n(launch.batch)?,
            blocks: n(launch.blocks())?,
            state_stride: n(updated.state_stride())?,
            history: n(history)?,
            own_data: u32::from(sets > 1),
            seed: batch.seed().unwrap_or(0),
            half_bits: half_bits(n(rows)?, batch.seed()),
            scale: to_f32(loss.scale(launch.batch, mlp.outputs())),
            count: n(launch.batch)?,
        };
        let steps = u64::from(steps);
        let iterations =
            steps.saturating_mul(launch.iterations()).saturating_add(once(shape, &launch));
        let passes = if launch.held_rows > 0 { 1 } else { steps };
        let each = |elements: u64| elements.saturating_mul(groups);
        let read = each(of_model.saturating_add(passes.saturating_mul(data)));
        Ok(Dispatch::new(&KERNEL, &p, groups, iterations)
            .with(variant.clone())
            .costing(read, each(of_model.saturating_add(steps)), each(steps.saturating_mul(a_step)))
            .counting(Counted::Rows { at: offset_of!(Parameters, count), first: 0, each: 1 })
            .counting(Counted::Blocks { at: offset_of!(Parameters, blocks), rows: block })
            .weighing(loss.mean(), offset_of!(Parameters, scale)))
    };
    let of_steps = |steps: &u32| {
        let of_model = a_step.saturating_mul((*steps).into()).max(1);
        let most = (MAX_OPERATIONS / of_model).clamp(1, wide(models).max(1));
        let firsts = (0..wide(models)).step_by(narrow(most));
        firsts.map(|first| some(*steps, first, most.min(wide(models) - first))).collect()
    };
    steps.iter().map(of_steps).collect()
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
            rates: &[],
            clipped: false,
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

    /// Neighbours that share a row make a workgroup larger, but not than the device allows.
    #[test]
    fn a_workgroup_is_within_the_devices_limit() {
        let hidden = Mlp::new(2).layer(8, Activation::Tanh).layer(8, Activation::Tanh);
        let mlp = hidden.layer(1, Activation::Sigmoid);
        for most in [64, 128, 256] {
            for subgroup in [None, Some(4), Some(8), Some(32), Some(64)] {
                let mut capabilities = Capabilities { subgroup, ..Capabilities::default() };
                capabilities.limits.max_compute_invocations_per_workgroup = most;
                let dispatches = dispatches(shape(&mlp), &[1], &capabilities).unwrap();
                assert!(dispatches[0][0].workgroup() <= most, "{most} {subgroup:?}");
            }
        }
    }

    /// SwiftShader's compiler takes long for many values in registers.
    #[test]
    fn narrow_software_takes_only_small_networks() {
        let two = |units| {
            let hidden = Mlp::new(2).layer(units, Activation::Tanh).layer(units, Activation::Tanh);
            hidden.layer(1, Activation::Tanh)
        };
        let (small, larger) = (two(8), two(12));
        let branches = Mlp::new(3).layer(12, Activation::Sine).layer(2, Activation::Tanh);
        for (subgroup, larger_too) in [(None, false), (Some(4), false), (Some(8), true)] {
            let capabilities = Capabilities { software: true, subgroup, ..Capabilities::default() };
            assert!(pays(shape(&small), &capabilities), "{subgroup:?}");
            assert_eq!(pays(shape(&larger), &capabilities), larger_too, "{subgroup:?}");
            assert_eq!(pays(shape(&branches), &capabilities), larger_too, "{subgroup:?}");
            for narrow in [false, true] {
                let device = Capabilities { narrow, ..capabilities.clone() };
                let steps = most_steps(shape(&branches), &device);
                assert_eq!(steps.is_err(), narrow, "{subgroup:?}: {steps:?}");
            }
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

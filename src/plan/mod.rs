//! The buffers, their sizes and every dispatch of a training step, a loss or a prediction.
//!
//! A plan is pure data. It is computed from the description and the device's limits, so making or
//! testing one needs no GPU. There are three strategies ([`Strategy`]):
//! - `resident` takes many steps in one dispatch. For a population a second dispatch, `advance`,
//!   advances the step counter.
//! - `fused` has one dispatch for forward, loss and backward, then `reduce` and `update`.
//! - `layered` runs the layers one after another. Each layer is one matrix product with its
//!   epilogue.
//!
//! | stage of `layered` | dispatches |
//! | --- | --- |
//! | `gather`: the mini-batch (not for full batches) | 1 |
//! | `encode_pointwise`, `encode_grid`: the first layer's inputs from an encoding | 1 an encoding |
//! | forward: `matmul` with bias and activation | 1 a layer |
//! | `loss`: value, and gradient of the last pre-activations | 1 |
//! | weight and bias gradient: `matmul`, split over the batch | 1 a layer |
//! | gradient of the layer below: `matmul` with the derivative | 1 a layer but the first |
//! | gradient of a grid's tables: `max_abs` (twice), `scatter` (twice where hardware sums coarse levels by themselves), `dequantize` | 4 or 5 a grid |
//! | `reduce`: sums of the splits and of the loss, check that they are finite | 1 |
//! | `clip`: the gradient's norm, and the scaling (where the training clips) | 2 |
//! | `update`: the optimizer and the step counter | 1 |
//! | `ema`, where the training keeps an average | 1 |
//!
//! The gradient of the tables follows the gradient of the first layer's inputs.

mod buffer;
mod builder;
mod encoding;
mod evaluation;
mod finite_difference;
mod fused;
mod layered;
mod passes;
mod prediction;
mod resident;
mod sizes;
mod slope;
mod step;

pub use buffer::Buffer;
pub(crate) use evaluation::EvaluationPlan;
pub(crate) use finite_difference::FiniteDifferencePlan;
pub(crate) use passes::{PassPlan, PassShape, Slope};
pub(crate) use prediction::{Prediction, Wanted, is_written_out};

use crate::error::Result;
use crate::kernels::{Access, Capabilities, Dispatch, Work};
use crate::network::Mlp;
use crate::training::{DataShape, Strategy, Training};
use builder::Builder;
use sizes::Sizes;
use std::fmt;

/// One dispatch and the buffers of its kernel's slots.
#[derive(Debug, Clone)]
pub struct Node {
    /// The dispatch.
    pub dispatch: Dispatch,
    /// The buffers in the order of the kernel's slots, without the first slot (the parameters).
    pub buffers: Vec<Buffer>,
}

/// The plan of a training: pure data.
///
/// ```
/// use wgrad::{Activation, Capabilities, DataShape, Loss, Mlp, Optimizer, Plan};
/// use wgrad::{Strategy, Training};
/// let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0));
/// let plan = Plan::new(&mlp, &training, DataShape::shared(1000), &Capabilities::default())?;
/// assert_eq!(plan.strategy(), Strategy::Resident);
/// assert!(plan.dispatches(10_000) < 500); // many steps each
/// println!("{plan}");
/// let layered = training.strategy(Strategy::Layered);
/// let layered = Plan::new(&mlp, &layered, DataShape::shared(1000), &Capabilities::default())?;
/// assert_eq!(layered.step().len(), 8); // 3 a layer and 2
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    sizes: Sizes,
    strategy: Strategy,
    groups: Vec<StepGroup>,
    buffers: Vec<(Buffer, u64)>,
    /// Whether the training has data of its own.
    data: bool,
}

/// Some dispatches and the buffers that they need.
#[derive(Debug, Clone)]
pub(crate) struct Stages {
    /// The dispatches, in order.
    pub nodes: Vec<Node>,
    /// The buffers and their sizes in bytes.
    pub buffers: Vec<(Buffer, u64)>,
}

/// Dispatches that together take one step, or several steps at once.
#[derive(Debug, Clone)]
pub struct StepGroup {
    /// The number of steps.
    pub steps: u32,
    /// The dispatches, in order.
    pub nodes: Vec<Node>,
}

impl StepGroup {
    /// The cost of one of its steps by the kernels' formulas.
    pub fn work(&self) -> Work {
        let mut work = Work::default();
        self.nodes.iter().for_each(|node| work += node.dispatch.work());
        let steps = u64::from(self.steps.max(1));
        Work {
            read: work.read / steps,
            written: work.written / steps,
            operations: work.operations / steps,
        }
    }
}

impl Plan {
    /// The plan for training `mlp` on data of the shape `data` on a device of `capabilities`.
    ///
    /// # Errors
    /// The errors of [`Training::check`] and [`Batch::size`](crate::Batch::size);
    /// [`Error::TooLarge`](crate::Error::TooLarge) where a buffer would not fit;
    /// [`Error::Argument`](crate::Error::Argument) where the requested strategy is not possible.
    pub fn new(
        mlp: &Mlp,
        training: &Training,
        data: DataShape,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        let sizes = Sizes::new(mlp, training, data, capabilities)?;
        let strategy = sizes.strategy();
        let mut b = sizes.builder();
        b.state(&sizes)?;
        let steps = if strategy == Strategy::Resident {
            b.resident_steps(&sizes)?
        } else {
            b.gather(&sizes)?;
            own_gradient(&mut b, &sizes, strategy)?;
            b.clip(&sizes, Buffer::Gradient)?;
            b.update(&sizes, Buffer::Gradient)?;
            vec![1]
        };
        let Stages { nodes, buffers } = b.without_unbound().finish()?;
        let each = nodes.len() / steps.len();
        let mut nodes = nodes.into_iter();
        let groups = steps
            .into_iter()
            .map(|steps| StepGroup { steps, nodes: nodes.by_ref().take(each).collect() })
            .collect();
        Ok(Self { sizes, strategy, groups, buffers, data: true })
    }

    /// The strategy: the requested one, or the one that the plan has chosen.
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The step groups, in order of decreasing steps. The last one takes one step.
    pub fn groups(&self) -> &[StepGroup] {
        &self.groups
    }

    /// The number of dispatches of `steps` steps.
    pub fn dispatches(&self, steps: u32) -> usize {
        let mut left = steps;
        self.groups.iter().fold(0, |count, group| {
            let times = left / group.steps;
            left -= times * group.steps;
            count.saturating_add((times as usize).saturating_mul(group.nodes.len()))
        })
    }

    /// The number of rows of a step.
    pub const fn batch(&self) -> usize {
        self.sizes.batch
    }

    /// Whether the training has data of its own.
    pub(crate) const fn has_data(&self) -> bool {
        self.data
    }

    /// The number of data sets, and of rows of each.
    pub(crate) const fn data(&self) -> (usize, usize) {
        (self.sizes.data.sets, self.sizes.data.rows)
    }

    /// The number of steps whose losses the GPU keeps.
    pub const fn history(&self) -> usize {
        self.sizes.history
    }

    /// Elements from one of the optimizer's states to the next in their buffer.
    #[cfg(feature = "safetensors")]
    pub(crate) fn state_stride(&self) -> usize {
        self.sizes.update().state_stride()
    }

    /// The buffers of its steps, and their sizes in bytes. Buffers for a gradient outside of a step
    /// are created on demand.
    pub fn buffers(&self) -> &[(Buffer, u64)] {
        &self.buffers
    }

    /// The dispatches of a single step, in order.
    pub fn step(&self) -> Vec<&Node> {
        self.groups.iter().flat_map(|g| g.nodes.iter().filter(|_| g.steps == 1)).collect()
    }

    /// The buffers of a step's inputs and targets, after [`Plan::gather`].
    pub(crate) fn batch_buffers(&self) -> [Buffer; 2] {
        self.sizes.batch_buffers()
    }

    /// The dispatches that sample the next step's mini-batch; none where a step uses all rows.
    pub(crate) fn gather(&self) -> Result<Stages> {
        self.stages(|_| Ok(()))
    }

    /// The dispatches that leave the gradient of the next step's batch in [`Buffer::Gradient`].
    pub(crate) fn gradient(&self) -> Result<Stages> {
        self.stages(|b| own_gradient(b, &self.sizes, self.strategy))
    }

    /// The dispatches that compute that gradient layer by layer, each activation in its own buffer.
    pub(crate) fn layered(&self) -> Result<Stages> {
        self.stages(|b| b.layered_gradient(&self.sizes))
    }

    /// The dispatches that leave the gradient of the inputs in [`Buffer::InputGradient`].
    pub(crate) fn input_gradient(&self) -> Result<Stages> {
        self.stages(|b| {
            b.layered_gradient(&self.sizes)?;
            b.input_gradient(self.sizes.batch_buffers()[0])
        })
    }

    /// The dispatches of the mini-batch, followed by `rest`.
    fn stages(&self, rest: impl FnOnce(&mut Builder<'_>) -> Result<()>) -> Result<Stages> {
        let mut b = self.sizes.builder();
        // Whoever looks at a gradient does not change the training.
        b.marks = false;
        b.state(&self.sizes)?;
        b.gather(&self.sizes)?;
        rest(&mut b)?;
        b.without_unbound().finish()
    }

    /// The cost of a step by the kernels' formulas, where many steps are taken.
    pub fn work(&self) -> Work {
        self.groups.first().map_or_else(Work::default, StepGroup::work)
    }

    /// The size of all buffers of its steps, in bytes.
    pub fn memory(&self) -> u64 {
        self.buffers.iter().fold(0, |sum, (_, bytes)| sum.saturating_add(*bytes))
    }

    /// A line that describes the training.
    fn title(&self) -> String {
        let Sizes { mlp, training, batch, .. } = &self.sizes;
        let models = training.models;
        format!(
            "{mlp}; {} parameters{}, {}, {}, {}; {}",
            models.saturating_mul(mlp.parameters()),
            if models == 1 { String::new() } else { format!(" of {models} models") },
            if self.data { format!("{batch} rows a step") } else { "rows of its passes".into() },
            training.loss.name(),
            training.optimizer.name(),
            self.strategy.name(),
        )
    }
}

/// The gradient of a step by the strategy's own kernels. The resident kernel has no gradient
/// outside of its steps, so its gradient is computed layer by layer.
fn own_gradient(b: &mut Builder<'_>, sizes: &Sizes, strategy: Strategy) -> Result<()> {
    match strategy {
        Strategy::Fused => b.fused_gradient(sizes),
        _ => b.layered_gradient(sizes),
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        let Some(group) = self.groups.first() else { return Ok(()) };
        let work = group.work();
        write!(f, "a step: ")?;
        match group.steps {
            1 => write!(f, "{} dispatches", group.nodes.len())?,
            steps => write!(f, "{} dispatches for up to {steps} steps", group.nodes.len())?,
        }
        writeln!(
            f,
            ", {} bytes read, {} written, {} operations",
            work.read, work.written, work.operations
        )?;
        writeln!(
            f,
            "{:12} {:>10} {:>12} {:>12} {:>14}  writes",
            "kernel", "workgroups", "read", "written", "operations"
        )?;
        for Node { dispatch, buffers } in &group.nodes {
            let work = dispatch.work();
            let slots = dispatch.kernel().slots[1..].iter().zip(buffers);
            let written: Vec<_> = slots
                .filter(|(slot, _)| slot.access == Access::ReadWrite)
                .map(|(_, buffer)| buffer.to_string())
                .collect();
            writeln!(
                f,
                "{:12} {:>10} {:>12} {:>12} {:>14}  {}",
                dispatch.kernel().name,
                dispatch.workgroups(),
                work.read,
                work.written,
                work.operations,
                written.join(", ")
            )?;
        }
        writeln!(f, "buffers: {} bytes", self.memory())?;
        for (buffer, bytes) in self.buffers() {
            writeln!(f, "{:20} {bytes:>12}", buffer.to_string())?;
        }
        Ok(())
    }
}

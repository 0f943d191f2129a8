//! What a training step, a loss or a prediction does: buffers, their sizes, and every dispatch.
//!
//! Pure data, computed from the description and the device's limits; no GPU is needed to make a
//! plan or to test one. There are three strategies ([`Strategy`]): `resident` is one dispatch of many
//! steps, and for a population one of `advance`, which moves the step counter; `fused` has one dispatch
//! for forward, loss and backward, then `reduce` and `update`; `layered` runs the layers one after
//! another, each as one matrix product with its epilogue:
//!
//! | stage of `layered` | dispatches |
//! | --- | --- |
//! | `gather`: the mini-batch (not for full batches) | 1 |
//! | `encode`, `grid`: the first layer's inputs, where an encoding makes them | 1 a part |
//! | forward: `matmul` with bias and activation | 1 a layer |
//! | `loss`: value, and gradient of the last pre-activations | 1 |
//! | weight and bias gradient: `matmul`, split over the batch | 1 a layer |
//! | gradient of the layer below: `matmul` with the activation's derivative | 1 a layer but the first |
//! | gradient of a grid's tables: `peak`, `scatter`, `settle` (after that of the first layer's inputs) | 4 a grid |
//! | `reduce`: sums the splits, the loss, checks both | 1 |
//! | `update`: the optimizer and the step counter | 1 |
//! | `average`, where one is kept | 1 |

use crate::activation::Saved;
use crate::cast::{narrow, to_u32, wide};
use crate::encoding::{self, Encoding, Place};
use crate::kernels::matmul::{self, Epilogue, Parameters};
use crate::kernels::{
    Access, Dispatch, PARTIAL_BYTES, Work, advance, average, encode, encode_gradient, fused,
    gather, grid, grid_gradient, loss, peak, perturb, reduce, resident, scatter, settle, stride,
    texture, update,
};
use crate::{Activation, Batch, Error, Init, Loss, Mlp, Optimizer, Result, Schedule, Target};
use std::fmt;

/// How a network is trained.
///
/// ```
/// use wgrad::{Batch, Loss, Optimizer, Training};
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0))
///     .models(256)
///     .batch(Batch::Mini { size: 64, seed: 1 });
/// assert_eq!(training.models, 256);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// What is made small.
    pub loss: Loss,
    /// By which rule.
    pub optimizer: Optimizer,
    /// How its learning rate changes with the steps.
    pub schedule: Schedule,
    /// The decay d of an exponential moving average of the parameters, 0 or more and less than 1,
    /// where one is kept beside them: [`Train::averages`].
    ///
    /// [`Train::averages`]: crate::Train::averages
    pub average: Option<f64>,
    /// On how many rows a step.
    pub batch: Batch,
    /// How many models, side by side.
    pub models: usize,
    /// How the parameters are drawn.
    pub init: Init,
    /// The seed of that draw.
    pub seed: u64,
    /// How many steps' losses the GPU keeps, the latest ones. [`Train::train`] reads them in
    /// time; recorded steps overwrite the oldest.
    ///
    /// [`Train::train`]: crate::Train::train
    pub history: usize,
    /// How the steps are put on the GPU.
    pub strategy: Strategy,
}

/// How the steps of a training are put on the GPU. All give the same training, up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// The one that suits the network, the batch and the device.
    #[default]
    Auto,
    /// Many steps a dispatch: each model's parameters and optimizer state stay in one workgroup.
    /// For the smallest networks.
    Resident,
    /// A handful of dispatches a step, whatever the depth: a tile of rows goes forward through all
    /// layers and back without leaving its workgroup. For hidden layers of up to 128 units.
    Fused,
    /// Three dispatches a layer: for networks of any size.
    Layered,
}

impl Strategy {
    /// Those that can be asked for by name.
    pub const ALL: &[Self] = &[Self::Resident, Self::Fused, Self::Layered];

    /// The name in messages and plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Resident => "resident",
            Self::Fused => "fused",
            Self::Layered => "layered",
        }
    }
}

impl Training {
    /// Full batches, one model, [`Init::Auto`], seed 0, a history of 4,096 steps.
    pub fn new(loss: Loss, optimizer: impl Into<Optimizer>) -> Self {
        Self {
            loss,
            optimizer: optimizer.into(),
            schedule: Schedule::Constant,
            average: None,
            batch: Batch::Full,
            models: 1,
            init: Init::Auto,
            seed: 0,
            history: 4096,
            strategy: Strategy::Auto,
        }
    }

    /// The same by another strategy than the one that the plan would choose.
    #[must_use]
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// The same with a learning rate that changes with the steps.
    #[must_use]
    pub const fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// The same with an exponential moving average of the parameters beside them, by the decay of
    /// a step. Not for the resident strategy, which then is not chosen.
    #[must_use]
    pub const fn average(mut self, decay: f64) -> Self {
        self.average = Some(decay);
        self
    }

    /// The same with a population of `models`.
    #[must_use]
    pub const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// The same on batches of another kind.
    #[must_use]
    pub const fn batch(mut self, batch: Batch) -> Self {
        self.batch = batch;
        self
    }

    /// The same from other initial parameters.
    #[must_use]
    pub const fn init(mut self, init: Init, seed: u64) -> Self {
        self.init = init;
        self.seed = seed;
        self
    }

    /// The same with room for the losses of `steps` steps on the GPU.
    #[must_use]
    pub const fn history(mut self, steps: usize) -> Self {
        self.history = steps;
        self
    }

    /// `Ok` if `mlp` can be trained so.
    ///
    /// # Errors
    /// Those of [`Mlp::check`], [`Optimizer::check`], [`Schedule::check`] and [`Loss::check`]; an
    /// average's decay out of range; 0 models; no history.
    pub fn check(&self, mlp: &Mlp) -> Result<()> {
        mlp.check()?;
        crate::parameters::check_models(mlp, self.models)?;
        self.optimizer.check()?;
        self.schedule.check()?;
        if let Some(decay) = self.average
            && !(0.0..1.0).contains(&crate::cast::to_f32(decay))
        {
            let what = "the decay of the parameters' average";
            return Err(Error::argument(what, decay, "0 or more and less than 1"));
        }
        self.loss.check(mlp.last_activation())?;
        if self.history == 0 {
            return Err(Error::argument("the steps of the loss history", 0, "1 or more"));
        }
        Ok(())
    }
}

/// A buffer of a plan. Elements are f32 unless said otherwise; the layouts are part of the public
/// interface, and a change of one is a breaking change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Buffer {
    /// The data's inputs, `[sets, rows, inputs]`.
    Inputs,
    /// The data's targets, `[sets, rows, outputs]`.
    Targets,
    /// The mini-batch's inputs, `[sets, batch, inputs]`.
    BatchInputs,
    /// The mini-batch's targets, `[sets, batch, outputs]`.
    BatchTargets,
    /// The parameters, `[models, P]`, as [`Mlp::ranges`] lays them out.
    Parameters,
    /// What the optimizer keeps: for each of its states `[models, P]`, filled up to a multiple of four
    /// elements.
    States,
    /// Their exponential moving average, `[models, P]`.
    Averages,
    /// The optimizer's numbers.
    Hyper,
    /// The step counter, the number of updates, the epoch, the position in it, and for each model
    /// the step at which it diverged or `0xffffffff`: words of 32 bits.
    Status,
    /// The gradient, `[models, P]`.
    Gradient,
    /// Partial sums of it, `[splits, models, P]` without the encoding's tables, where there are
    /// several; each split filled up to a multiple of four elements.
    PartialGradient,
    /// Partial sums of the loss, `[models, workgroups]`.
    PartialLoss,
    /// The loss history, `[history, models]`, a ring: step s is in row s mod history.
    Losses,
    /// The first layer's inputs, `[models, batch, width]`, where an encoding makes them; `[sets,
    /// batch, width]` where it has no tables.
    Encoded,
    /// Their gradient, `[models, batch, width]`.
    EncodedGradient,
    /// The largest magnitude of that, `[models]`, and what it is found through, as bits.
    Peak(usize),
    /// The gradient of a grid's tables in fixed point, `[models, tables, 2]` words of 32 bits: 0
    /// between steps.
    TableSums,
    /// A layer's activations, `[models, batch, units]`, and behind them the pre-activations where
    /// the backward pass needs them. The last layer's: the pre-activations alone in training.
    Activation(usize),
    /// Gradients of a layer's pre-activations, `[models, batch, units]`; two, used in turn.
    Delta(usize),
    /// What a fused step keeps between its phases: inputs, activations and deltas of all layers.
    Saved,
    /// The gradient of the inputs, `[models, batch, inputs]`.
    InputGradient,
    /// One model's parameters, `[P]`, that a population of copies differs from.
    Base,
    /// The values that replace them, one a copy, `[P]`.
    Replaced,
    /// The texture that a prediction is written into.
    Texels,
    /// Bound where a kernel's slot is not used.
    Unused(usize),
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}");
        let mut text = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !text.is_empty() {
                text.push(' ');
            }
            text.extend(c.to_lowercase());
        }
        write!(f, "{}", text.replace('(', " ").replace(')', ""))
    }
}

/// One dispatch and the buffers of its kernel's slots.
#[derive(Debug, Clone)]
pub struct Node {
    /// The dispatch.
    pub dispatch: Dispatch,
    /// The buffers, in the order of the kernel's slots without the first.
    pub buffers: Vec<Buffer>,
}

/// The plan of a training: pure data.
///
/// ```
/// use wgrad::{Activation, Loss, Mlp, Optimizer, Plan, Strategy, Target, Training};
/// let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0));
/// let plan = Plan::new(&mlp, &training, [1, 1000], &Target::default())?;
/// assert_eq!(plan.strategy(), Strategy::Resident);
/// assert!(plan.dispatches(10_000) < 500); // many steps each
/// println!("{plan}");
/// let layered = training.strategy(Strategy::Layered);
/// let layered = Plan::new(&mlp, &layered, [1, 1000], &Target::default())?;
/// assert_eq!(layered.step().len(), 8); // 3 a layer and 2
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Plan {
    title: String,
    strategy: Strategy,
    batch: usize,
    history: usize,
    buffers: Vec<(Buffer, u64)>,
    strides: Vec<Stride>,
    gather: Vec<Node>,
    layered: Vec<Node>,
    /// Empty where it is not the strategy.
    fused: Vec<Node>,
    input_gradient: Vec<Node>,
}

/// Dispatches that together take one step, or several at once.
#[derive(Debug, Clone)]
pub struct Stride {
    /// How many steps.
    pub steps: u32,
    /// The dispatches, in order.
    pub nodes: Vec<Node>,
}

impl Stride {
    /// What one of its steps costs by its formulas.
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

/// Bytes of the loss history above which its steps are cut.
const HISTORY_BYTES: usize = 16 << 20;

impl Plan {
    /// The plan of training `mlp` on data of `[sets, rows]` on the device `target`.
    ///
    /// # Errors
    /// Those of [`Training::check`] and [`Batch::size`]; [`Error::TooLarge`] where a buffer would
    /// not fit; [`Error::Argument`] where the strategy that was asked for is not possible.
    pub fn new(
        mlp: &Mlp,
        training: &Training,
        [sets, rows]: [usize; 2],
        target: &Target,
    ) -> Result<Self> {
        training.check(mlp)?;
        let batch = training.batch.size(rows)?;
        let mut b = Builder::new(mlp, target, training.models, sets, batch);
        let (p, models) = (mlp.parameters(), training.models);
        let all = p.saturating_mul(models);
        let mini = training.batch != Batch::Full;
        let [x, t] = if mini {
            [Buffer::BatchInputs, Buffer::BatchTargets]
        } else {
            [Buffer::Inputs, Buffer::Targets]
        };
        b.buffer(Buffer::Inputs, &[sets, rows, mlp.inputs])?;
        b.buffer(Buffer::Targets, &[sets, rows, mlp.outputs()])?;
        b.buffer(Buffer::Parameters, &[models, p])?;
        let tables = mlp.encoding_parameters();
        let updated = update::Shape {
            parameters: p,
            models,
            rows,
            batch,
            tables,
            scheduled: training.schedule != Schedule::Constant,
            padded: true,
        };
        if training.average.is_some() {
            b.buffer(Buffer::Averages, &[models, p])?;
        }
        b.buffer(Buffer::States, &[training.optimizer.states(), updated.state_stride()])?;
        b.bytes(Buffer::Hyper, wide(size_of::<crate::optimizer::Hyper>()));
        b.bytes(Buffer::Status, crate::gpu::status_bytes(models)?);
        b.buffer(Buffer::Gradient, &[models, p])?;
        let history = training.history.min((HISTORY_BYTES / 4 / models).max(1));
        b.buffer(Buffer::Losses, &[history, models])?;
        let splits = b.splits(target.max_binding());
        // A gradient of one part needs no second buffer, and no sum.
        let partial = if splits > 1 { Buffer::PartialGradient } else { Buffer::Unused(0) };
        let elements = if splits > 1 {
            splits.saturating_mul(stride((p - tables).saturating_mul(models), true))
        } else {
            1
        };
        b.buffer(partial, &[elements])?;

        if mini {
            b.buffer(Buffer::BatchInputs, &[sets, batch, mlp.inputs])?;
            b.buffer(Buffer::BatchTargets, &[sets, batch, mlp.outputs()])?;
            let shape = gather::Shape {
                sets,
                rows,
                batch,
                inputs: mlp.inputs,
                outputs: mlp.outputs(),
                seed: training.batch.seed(),
            };
            use Buffer::{BatchInputs, BatchTargets, Inputs, Status, Targets};
            b.push(
                gather::dispatch(shape, target)?,
                &[Status, Inputs, Targets, BatchInputs, BatchTargets],
            );
        }
        let gather = b.take();

        b.forward(x, Purpose::Training)?;
        let encoded = b.take();
        let (encode, forward) = encoded.split_at(mlp.encoding.len());
        let encode = encode.to_vec();
        b.nodes = forward.to_vec();
        let loss_groups = b.loss(training.loss, t)?;
        let last = mlp.layers.len() - 1;
        for layer in (0..=last).rev() {
            b.weight_gradient(layer, x, splits)?;
            if layer > 0 || tables > 0 {
                b.layer_gradient(layer)?;
            }
        }
        let width = mlp.layer_inputs(0);
        b.table_gradients(x, Buffer::EncodedGradient, [0, width])?;
        let splits = if splits > 1 { splits } else { 0 };
        let shape = reduce::Shape {
            parameters: p - tables,
            models,
            splits,
            loss_groups,
            history,
            tables,
            padded: true,
        };
        use Buffer::{Gradient, Hyper, Losses, PartialLoss, States, Status};
        b.push(reduce::dispatch(shape, target)?, &[partial, PartialLoss, Gradient, Losses, Status]);
        let layered = [encode.clone(), b.take()].concat();

        b.push(
            update::dispatch(&training.optimizer, updated, target)?,
            &[Hyper, Gradient, Buffer::Parameters, States, Status],
        );
        if let Some(decay) = training.average {
            let buffers = [Buffer::Parameters, Status, Buffer::Averages];
            b.push(average::dispatch(all, decay)?, &buffers);
        }
        let update = b.take();
        if tables == 0 {
            b.layer_gradient(0)?;
        }
        b.encoding_gradient(x)?;
        let input_gradient = b.take();

        let shape = resident::Shape {
            mlp,
            loss: training.loss,
            optimizer: training.optimizer,
            models,
            sets,
            rows,
            batch: training.batch,
            history,
            scheduled: updated.scheduled,
            averaged: training.average.is_some(),
        };
        let fused = fused::Shape { mlp, loss: training.loss, models, sets, batch };
        let form = fused::Form::new(fused, target).map(|form| (fused, form));
        let strategy = match training.strategy {
            Strategy::Auto if resident::pays(shape, target) => Strategy::Resident,
            // On a CPU the layers' own products are faster than tiles in workgroup memory.
            Strategy::Auto if !target.software && form.is_ok() => Strategy::Fused,
            Strategy::Auto => Strategy::Layered,
            asked => asked,
        };
        let fused = match strategy {
            Strategy::Fused => [encode, b.fused(form?, x, t, history)?].concat(),
            _ => Vec::new(),
        };
        let strides = match strategy {
            Strategy::Resident => resident_strides(shape, target)?,
            _ => {
                let gradient = if fused.is_empty() { &layered } else { &fused };
                vec![Stride { steps: 1, nodes: [&gather[..], gradient, &update].concat() }]
            }
        };
        let title = format!(
            "{mlp}; {all} parameters{}, {} rows a step, {}, {}; {}",
            if models == 1 { String::new() } else { format!(" of {models} models") },
            batch,
            training.loss.name(),
            training.optimizer.name(),
            strategy.name(),
        );
        let used: Vec<_> = strides.iter().flat_map(|s| &s.nodes).flat_map(|n| &n.buffers).collect();
        let nodes: Vec<_> = strides.iter().flat_map(|s| &s.nodes).collect();
        let buffers = b.checked(&nodes, |buffer| used.contains(&&buffer))?;
        Ok(Self {
            title,
            strategy,
            batch,
            history,
            buffers,
            strides,
            gather,
            layered,
            fused,
            input_gradient,
        })
    }

    /// How the steps are put on the GPU: what was asked for, or what the plan has chosen.
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// The ways to take some steps, those of the most steps first; the last takes one.
    pub fn strides(&self) -> &[Stride] {
        &self.strides
    }

    /// Dispatches that `steps` steps take.
    pub fn dispatches(&self, steps: u32) -> usize {
        let mut left = steps;
        self.strides.iter().fold(0, |count, stride| {
            let times = left / stride.steps;
            left -= times * stride.steps;
            count + times as usize * stride.nodes.len()
        })
    }

    /// Rows of a step.
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// Steps whose losses the GPU keeps.
    pub const fn history(&self) -> usize {
        self.history
    }

    /// The buffers of its steps and their sizes in bytes. Those that only gradients outside of a
    /// step need are made when they are asked for.
    pub fn buffers(&self) -> Vec<(Buffer, u64)> {
        let used: Vec<_> = self.step().into_iter().flat_map(|node| &node.buffers).collect();
        self.buffers.iter().filter(|(buffer, _)| used.contains(&buffer)).copied().collect()
    }

    /// All buffers that it may come to need.
    pub(crate) fn all_buffers(&self) -> &[(Buffer, u64)] {
        &self.buffers
    }

    /// The dispatches of one step taken by itself, in order.
    pub fn step(&self) -> Vec<&Node> {
        self.strides.iter().flat_map(|s| s.nodes.iter().filter(|_| s.steps == 1)).collect()
    }

    /// That which draws the mini-batch.
    pub(crate) fn gather(&self) -> Vec<&Node> {
        self.gather.iter().collect()
    }

    /// Those that leave the gradient of the batch at hand in [`Buffer::Gradient`].
    pub(crate) fn gradient(&self) -> Vec<&Node> {
        let own = if self.fused.is_empty() { &self.layered } else { &self.fused };
        self.gather.iter().chain(own).collect()
    }

    /// The same layer by layer: what leaves every activation in a buffer of its own.
    pub(crate) fn layered(&self) -> Vec<&Node> {
        self.gather.iter().chain(&self.layered).collect()
    }

    /// Those that, after [`Plan::layered`], leave the gradient of its inputs.
    pub(crate) fn input_gradient(&self) -> Vec<&Node> {
        self.input_gradient.iter().collect()
    }

    /// What a step costs by its formulas, where many are taken.
    pub fn work(&self) -> Work {
        self.strides.first().map_or_else(Work::default, Stride::work)
    }

    /// The bytes of all buffers of its steps.
    pub fn memory(&self) -> u64 {
        self.buffers().iter().map(|(_, bytes)| bytes).sum()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        let Some(stride) = self.strides.first() else { return Ok(()) };
        let work = stride.work();
        write!(f, "a step: ")?;
        match stride.steps {
            1 => write!(f, "{} dispatches", stride.nodes.len())?,
            steps => write!(f, "{} dispatches for up to {steps} steps", stride.nodes.len())?,
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
        for Node { dispatch, buffers } in &stride.nodes {
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

/// Dispatches of as many steps as one may take, and of each power of two below and three quarters of
/// it: any number of steps is a sum of few.
fn resident_strides(shape: resident::Shape<'_>, target: &Target) -> Result<Vec<Stride>> {
    let most = resident::most_steps(shape, target)?;
    let powers = (0..u32::BITS).rev().flat_map(|bit| {
        let power = 1_u32 << bit;
        [Some(power), (bit > 1).then_some(power / 4 * 3)].into_iter().flatten()
    });
    let powers = powers.filter(|steps| *steps < most);
    let all: Vec<u32> = std::iter::once(most).chain(powers).collect();
    let batch = shape.batch.size(shape.rows)?;
    let dispatches = resident::dispatches(shape, &all, target)?;
    all.into_iter()
        .zip(dispatches)
        .map(|(steps, dispatch)| {
            use Buffer::{Hyper, Inputs, Losses, Parameters, States, Status, Targets};
            let buffers = vec![Hyper, Inputs, Targets, Parameters, States, Losses, Status];
            let mut nodes = vec![Node { dispatch, buffers }];
            if shape.models > 1 {
                let dispatch = advance::dispatch(steps, shape.rows, batch)?;
                nodes.push(Node { dispatch, buffers: vec![Status] });
            }
            Ok(Stride { steps, nodes })
        })
        .collect()
}

/// The forward pass alone, on `rows` rows at a time.
#[derive(Debug, Clone)]
pub(crate) struct Prediction {
    pub rows: usize,
    pub buffers: Vec<(Buffer, u64)>,
    pub nodes: Vec<Node>,
}

/// Rows that a prediction takes at a time, where the device has room for them.
const PREDICTION_ROWS: usize = 16_384;

impl Prediction {
    /// How many rows a slice of a prediction of `rows` rows has.
    pub fn slice(mlp: &Mlp, models: usize, rows: usize, target: &Target) -> usize {
        let encoded = mlp.layer_inputs(0) * if mlp.encoding_parameters() > 0 { models } else { 1 };
        let widest = mlp.inputs.max(encoded);
        let widest = mlp.layers.iter().map(|l| l.units * models).fold(widest, usize::max);
        let room = narrow(target.max_binding() / 4) / widest.max(1);
        rows.next_power_of_two().min(PREDICTION_ROWS).min(room.max(1))
    }

    /// The plan for `rows` rows in slices as large as `target` allows.
    pub fn new(mlp: &Mlp, models: usize, rows: usize, target: &Target) -> Result<Self> {
        mlp.check()?;
        let rows = Self::slice(mlp, models, rows, target);
        Self::in_slices(mlp, models, [rows, rows], None, target)
    }

    /// The plan that leaves the outputs of all `rows` rows, slice after slice, in one buffer or in
    /// a texture of a format and a width.
    pub fn whole(
        mlp: &Mlp,
        models: usize,
        rows: usize,
        texture: Option<(wgpu::TextureFormat, u32)>,
        target: &Target,
    ) -> Result<Self> {
        mlp.check()?;
        let slice = Self::slice(mlp, models, rows, target);
        Self::in_slices(mlp, models, [rows, slice], texture, target)
    }

    fn in_slices(
        mlp: &Mlp,
        models: usize,
        [rows, slice]: [usize; 2],
        texture: Option<(wgpu::TextureFormat, u32)>,
        target: &Target,
    ) -> Result<Self> {
        let mut b = Builder::new(mlp, target, models, 1, slice.min(rows));
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Parameters, &[models, mlp.parameters()])?;
        let outputs = Buffer::Activation(mlp.layers.len() - 1);
        for first in (0..rows).step_by(slice) {
            b.batch = slice.min(rows - first);
            b.read_from = first;
            b.written = texture.is_none().then_some((first, rows));
            b.forward(Buffer::Inputs, Purpose::Prediction)?;
            if let Some((format, width)) = texture {
                let shape = [models, b.batch, mlp.outputs()];
                let dispatch = texture::dispatch(format, shape, width, first)?;
                b.push(dispatch, &[outputs, Buffer::Texels]);
            }
        }
        if texture.is_none() {
            b.buffer(outputs, &[models, rows, mlp.outputs()])?;
        }
        let nodes = b.take();
        let buffers = b.checked(&nodes.iter().collect::<Vec<_>>(), |_| true)?;
        Ok(Self { rows: slice, buffers, nodes })
    }
}

/// The losses of a population of copies of one model, each with one parameter changed.
#[derive(Debug, Clone)]
pub(crate) struct Copies {
    pub models: usize,
    pub buffers: Vec<(Buffer, u64)>,
    pub forward: Vec<Node>,
}

/// Elements of a layer's activations of all copies, above which there are fewer of them.
const COPIES_ELEMENTS: usize = 1 << 22;

impl Copies {
    /// The plan for as many copies at once as pay and fit, at most one for each parameter.
    pub fn new(mlp: &Mlp, loss: Loss, rows: usize, target: &Target) -> Result<Self> {
        mlp.check()?;
        let p = mlp.parameters();
        let most = COPIES_ELEMENTS.min(narrow(target.max_binding() / 8));
        let widest = mlp.layers.iter().map(|l| l.units).fold(mlp.layer_inputs(0), usize::max);
        let widest = widest.saturating_mul(rows).max(p);
        let models = (most / widest).clamp(1, p);
        let mut b = Builder::new(mlp, target, models, 1, rows);
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Targets, &[rows, mlp.outputs()])?;
        b.buffer(Buffer::Parameters, &[models, p])?;
        b.buffer(Buffer::Base, &[p])?;
        b.buffer(Buffer::Replaced, &[p])?;
        b.bytes(Buffer::Status, crate::gpu::status_bytes(models)?);
        b.buffer(Buffer::Losses, &[models])?;
        for i in 0..2 {
            b.bytes(Buffer::Unused(i), 4);
        }
        b.forward(Buffer::Inputs, Purpose::Loss)?;
        let loss_groups = b.loss(loss, Buffer::Targets)?;
        let shape = reduce::Shape {
            parameters: 0,
            models,
            splits: 0,
            loss_groups,
            history: 1,
            tables: 0,
            padded: true,
        };
        use Buffer::{Losses, PartialLoss, Status, Unused};
        b.push(
            reduce::dispatch(shape, target)?,
            &[Unused(0), PartialLoss, Unused(1), Losses, Status],
        );
        let forward = b.take();
        let buffers = b.checked(&forward.iter().collect::<Vec<_>>(), |_| true)?;
        Ok(Self { models, buffers, forward })
    }

    /// What makes the copies that replace parameters from `first` on.
    pub fn perturb(&self, mlp: &Mlp, first: usize) -> Result<Node> {
        Ok(Node {
            dispatch: perturb::dispatch(mlp.parameters(), self.models, first)?,
            buffers: vec![Buffer::Base, Buffer::Replaced, Buffer::Parameters],
        })
    }
}

/// What a forward pass is for: what it keeps, and how it ends.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    /// Keeps what the backward pass needs; ends at the last pre-activations.
    Training,
    /// Keeps nothing; ends at the last pre-activations.
    Loss,
    /// Keeps nothing; ends at the outputs.
    Prediction,
}

/// The stages that all plans are made of.
struct Builder<'a> {
    mlp: &'a Mlp,
    target: &'a Target,
    models: usize,
    sets: usize,
    batch: usize,
    /// The first row of the inputs that a forward pass reads.
    read_from: usize,
    /// Where its outputs go where they are some rows of more: the first, of how many.
    written: Option<(usize, usize)>,
    buffers: Vec<(Buffer, u64)>,
    nodes: Vec<Node>,
}

fn n(value: usize) -> Result<u32> {
    to_u32("a size of the plan", wide(value))
}

impl<'a> Builder<'a> {
    const fn new(
        mlp: &'a Mlp,
        target: &'a Target,
        models: usize,
        sets: usize,
        batch: usize,
    ) -> Self {
        Self {
            mlp,
            target,
            models,
            sets,
            batch,
            read_from: 0,
            written: None,
            buffers: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// A buffer of f32 in `shape`.
    fn buffer(&mut self, buffer: Buffer, shape: &[usize]) -> Result<()> {
        let elements = shape.iter().fold(1_u64, |all, side| all.saturating_mul(wide(*side)));
        let bytes = elements.saturating_mul(4);
        self.bytes(buffer, bytes);
        // Before anything counts its elements in u32.
        to_u32(&format!("the number of elements of the buffer `{buffer}`"), elements)?;
        Ok(())
    }

    /// A buffer that several stages use is as large as the largest needs.
    fn bytes(&mut self, buffer: Buffer, bytes: u64) {
        // Whole vectors of four: shaders read and write such.
        let bytes = bytes.max(16).checked_next_multiple_of(16).unwrap_or(u64::MAX);
        match self.buffers.iter_mut().find(|(known, _)| *known == buffer) {
            Some((_, known)) => *known = bytes.max(*known),
            None => self.buffers.push((buffer, bytes)),
        }
    }

    fn push(&mut self, dispatch: Dispatch, buffers: &[Buffer]) {
        self.nodes.push(Node { dispatch, buffers: buffers.to_vec() });
    }

    fn take(&mut self) -> Vec<Node> {
        std::mem::take(&mut self.nodes)
    }

    /// The buffers, if each that is `needed` fits the device, and so do the dispatches.
    fn checked(
        self,
        nodes: &[&Node],
        needed: impl Fn(Buffer) -> bool,
    ) -> Result<Vec<(Buffer, u64)>> {
        let allowed = self.target.max_binding();
        for (buffer, bytes) in &self.buffers {
            if *bytes > allowed && needed(*buffer) {
                let what = format!("the buffer `{buffer}`");
                return Err(Error::TooLarge { what, bytes: *bytes, allowed });
            }
        }
        for node in nodes {
            node.dispatch.grid(&self.target.limits)?;
        }
        Ok(self.buffers)
    }

    /// The gradient of a step by the fused kernel: two dispatches, whatever the depth, besides those of
    /// an encoding.
    fn fused(
        &mut self,
        (shape, form): (fused::Shape<'_>, fused::Form),
        x: Buffer,
        t: Buffer,
        history: usize,
    ) -> Result<Vec<Node>> {
        use Buffer::{Gradient, Losses, Parameters, PartialGradient, PartialLoss, Saved, Status};
        let tables = self.mlp.encoding_parameters();
        let (p, models, splits) = (self.mlp.parameters() - tables, self.models, form.splits);
        self.buffer(Saved, &[form.saved])?;
        self.buffer(PartialGradient, &[splits, stride(models * p, true)])?;
        self.buffer(PartialLoss, &[models, splits])?;
        let read = if self.mlp.encoding.is_empty() { x } else { Buffer::Encoded };
        for dispatch in fused::dispatches(shape, &form)? {
            self.push(dispatch, &[read, t, Parameters, Saved, PartialGradient, PartialLoss]);
        }
        self.table_gradients(x, Saved, fused::input_delta(shape))?;
        let shape = reduce::Shape {
            parameters: p,
            models,
            splits,
            loss_groups: splits,
            history,
            tables,
            padded: true,
        };
        self.push(
            reduce::dispatch(shape, self.target)?,
            &[PartialGradient, PartialLoss, Gradient, Losses, Status],
        );
        Ok(self.take())
    }

    /// Into how many parts the batch is cut for the weight gradients: enough invocations to fill
    /// a GPU, sums short enough to be accurate, and no more memory than pays. A CPU has few cores to
    /// fill: from 8 tiles of a subgroup on, longer sums only save memory.
    fn splits(&self, max_binding: u64) -> usize {
        let of_layers = self.mlp.parameters() - self.mlp.encoding_parameters();
        let all = wide(of_layers).saturating_mul(wide(self.models));
        let filled = if self.target.software { 512 } else { 16_384 };
        let chunk = if all / 16 >= filled { 1024 } else { 128 };
        let room = PARTIAL_BYTES.min(max_binding) / (4 * all.max(1));
        let wanted = self.batch.div_ceil(chunk).min(narrow(room).max(1));
        wanted.max(self.batch.div_ceil(matmul::max_chunk()))
    }

    /// From model to model of what layer `layer` reads.
    fn input_model(&self, layer: usize) -> Result<u32> {
        let shared = layer == 0 && self.encoded_sets() == 1;
        if shared { Ok(0) } else { n(self.batch * self.mlp.layer_inputs(layer)) }
    }

    /// What layer `layer` reads.
    fn input(&self, layer: usize, x: Buffer) -> Buffer {
        match layer.checked_sub(1) {
            Some(below) => Buffer::Activation(below),
            None if self.mlp.encoding.is_empty() => x,
            None => Buffer::Encoded,
        }
    }

    /// How many sets of rows the first layer reads: one for each model where each has tables.
    fn encoded_sets(&self) -> usize {
        if self.mlp.encoding_parameters() > 0 { self.models } else { self.sets }
    }

    /// The sizes of what is encoded for `models` models.
    fn encoded_shape(&self, models: usize) -> encode::Shape {
        encode::Shape {
            models,
            rows: self.batch,
            input_model: if self.sets == 1 { 0 } else { self.batch * self.mlp.inputs },
            first_row: self.read_from,
            inputs: self.mlp.inputs,
            width: self.mlp.layer_inputs(0),
        }
    }

    /// The first layer's inputs, where an encoding makes them: a dispatch a part.
    fn encode(&mut self, x: Buffer) -> Result<()> {
        let (models, width) = (self.encoded_sets(), self.mlp.layer_inputs(0));
        let shape = self.encoded_shape(models);
        for place in encoding::places(self.mlp) {
            self.buffer(Buffer::Encoded, &[models, self.batch, width])?;
            if let Encoding::Grid(_) = place.encoding {
                let dispatch = grid::dispatch(&place, shape, self.mlp.parameters())?;
                self.push(dispatch, &[x, Buffer::Parameters, Buffer::Encoded]);
            } else {
                self.push(encode::dispatch(&place, shape)?, &[x, Buffer::Encoded]);
            }
        }
        Ok(())
    }

    /// The gradient of every grid's tables from that of the first layer's inputs, which begins at
    /// element `first` of `delta`, `width` from row to row.
    fn table_gradients(
        &mut self,
        x: Buffer,
        delta: Buffer,
        [first, width]: [usize; 2],
    ) -> Result<()> {
        use Buffer::{Gradient, Peak, Status, TableSums};
        let (models, rows) = (self.models, self.batch);
        let shape = encode::Shape { width, ..self.encoded_shape(models) };
        for place in encoding::places(self.mlp) {
            let Place { outputs, tables, .. } = &place;
            if tables.is_empty() {
                continue;
            }
            let first = first + outputs.start;
            let groups = peak::groups(rows, outputs.len());
            self.buffer(Peak(0), &[models, groups])?;
            self.buffer(Peak(1), &[models])?;
            self.buffer(TableSums, &[models, tables.len(), 2])?;
            let found = peak::dispatch(models, rows, [width, first, outputs.len()], groups)?;
            self.push(found, &[delta, Peak(0)]);
            self.push(peak::dispatch(models, groups, [1, 0, 1], 1)?, &[Peak(0), Peak(1)]);
            let dispatch = scatter::dispatch(&place, shape, first)?;
            self.push(dispatch, &[x, delta, Peak(1), TableSums]);
            let sizes = [tables.len(), tables.start, self.mlp.parameters()];
            let bits = scatter::precision(rows, place.inputs.len())?;
            let dispatch = settle::dispatch(models, sizes, bits, self.target)?;
            self.push(dispatch, &[Peak(1), TableSums, Gradient, Status]);
        }
        Ok(())
    }

    /// The gradient of the inputs from that of what an encoding makes of them.
    fn encoding_gradient(&mut self, x: Buffer) -> Result<()> {
        use Buffer::{EncodedGradient, InputGradient, Parameters};
        self.buffer(InputGradient, &[self.models, self.batch, self.mlp.inputs])?;
        let shape = self.encoded_shape(self.models);
        for place in encoding::places(self.mlp) {
            if let Encoding::Grid(_) = place.encoding {
                let dispatch = grid_gradient::dispatch(&place, shape, self.mlp.parameters())?;
                self.push(dispatch, &[x, Parameters, EncodedGradient, InputGradient]);
            } else {
                let dispatch = encode_gradient::dispatch(&place, shape)?;
                self.push(dispatch, &[x, EncodedGradient, InputGradient]);
            }
        }
        Ok(())
    }

    /// Where the pre-activations of layer `layer` lie behind its activations.
    fn saved_offset(&self, layer: usize) -> Result<u32> {
        n(self.models * self.batch * self.mlp.layers[layer].units)
    }

    fn forward(&mut self, x: Buffer, purpose: Purpose) -> Result<()> {
        self.encode(x)?;
        let p = n(self.mlp.parameters())?;
        let last = self.mlp.layers.len() - 1;
        for (index, range) in self.mlp.ranges().into_iter().enumerate() {
            let [units, inputs] = range.shape;
            let activation = match (index == last, purpose) {
                (true, Purpose::Training | Purpose::Loss) => Activation::Identity,
                _ => self.mlp.layers[index].activation,
            };
            let save =
                purpose == Purpose::Training && index != last && activation.saves() == Saved::Input;
            let copies = if save { 2 } else { 1 };
            self.buffer(Buffer::Activation(index), &[copies, self.models, self.batch, units])?;
            let plain = index == 0 && self.mlp.encoding.is_empty();
            let first = if plain { self.read_from * inputs } else { 0 };
            let (at, of) = self.written.filter(|_| index == last).unwrap_or((0, self.batch));
            let parameters = Parameters {
                rows: n(self.batch)?,
                columns: n(units)?,
                models: n(self.models)?,
                a_offset: n(first)?,
                a_model: self.input_model(index)?,
                a_row: n(inputs)?,
                a_inner: 1,
                b_offset: n(range.weight.start)?,
                b_model: p,
                b_inner: 1,
                b_column: n(inputs)?,
                extra_offset: n(range.bias.start)?,
                extra_model: p,
                extra_column: 1,
                c_offset: n(at * units)?,
                c_model: n(of * units)?,
                c_row: n(units)?,
                saved_offset: self.saved_offset(index)?,
                ..Parameters::default()
            };
            let epilogue = Epilogue::Activation(activation, save);
            let (weight, bias) = (Buffer::Parameters, Buffer::Parameters);
            for dispatch in matmul::dispatches(parameters, inputs, epilogue, self.target)? {
                let output = Buffer::Activation(index);
                self.push(dispatch, &[self.input(index, x), weight, bias, output]);
            }
        }
        Ok(())
    }

    /// Ends with the loss's partial sums and the last layer's delta; how many sums there are.
    fn loss(&mut self, which: Loss, t: Buffer) -> Result<usize> {
        let outputs = self.mlp.outputs();
        let shape = loss::Shape {
            models: self.models,
            own_targets: self.sets > 1,
            batch: self.batch,
            outputs,
        };
        let groups = shape.groups(which, self.target);
        self.buffer(Buffer::PartialLoss, &[self.models, groups])?;
        let widest = self.mlp.layers.iter().map(|layer| layer.units).max().unwrap_or(0);
        for i in 0..2 {
            self.buffer(Buffer::Delta(i), &[self.models, self.batch, widest])?;
        }
        let dispatch = loss::dispatch(which, self.mlp.last_activation(), shape, self.target)?;
        let z = Buffer::Activation(self.mlp.layers.len() - 1);
        self.push(dispatch, &[z, t, Buffer::Delta(0), Buffer::PartialLoss]);
        Ok(groups)
    }

    /// The delta of layer `layer`: the two buffers take turns from the last layer down.
    fn delta(&self, layer: usize) -> Buffer {
        Buffer::Delta((self.mlp.layers.len() - 1 - layer) % 2)
    }

    /// dW = Δᵀ X and db = Δᵀ 1, in one product: X has a column of ones behind its own.
    fn weight_gradient(&mut self, layer: usize, x: Buffer, splits: usize) -> Result<()> {
        let Some(range) = self.mlp.ranges().into_iter().nth(layer) else { return Ok(()) };
        let [units, inputs] = range.shape;
        // Partial sums have no place for tables.
        let tables = self.mlp.encoding_parameters();
        let of_layers = self.mlp.parameters() - tables;
        let (start, p) = if splits > 1 { (tables, of_layers) } else { (0, self.mlp.parameters()) };
        let parameters = Parameters {
            rows: n(units)?,
            columns: n(inputs + 1)?,
            models: n(self.models)?,
            splits: n(splits)?,
            chunk: n(self.batch.div_ceil(splits))?,
            a_model: n(self.batch * units)?,
            a_row: 1,
            a_inner: n(units)?,
            b_model: self.input_model(layer)?,
            b_inner: n(inputs)?,
            b_column: 1,
            c_offset: n(range.weight.start - start)?,
            c_model: n(p)?,
            c_split: n(stride(self.models * of_layers, true))?,
            c_row: n(inputs)?,
            ones_column: 1,
            ones_offset: n(range.bias.start - range.weight.start)?,
            ..Parameters::default()
        };
        let b = self.input(layer, x);
        for dispatch in matmul::dispatches(parameters, self.batch, Epilogue::Sum, self.target)? {
            let c = if splits > 1 { Buffer::PartialGradient } else { Buffer::Gradient };
            self.push(dispatch, &[self.delta(layer), b, b, c]);
        }
        Ok(())
    }

    /// The delta of the layer below: Δ W ⊙ f′; below layer 0, the gradient of its inputs: Δ W.
    fn layer_gradient(&mut self, layer: usize) -> Result<()> {
        let Some(range) = self.mlp.ranges().into_iter().nth(layer) else { return Ok(()) };
        let [units, inputs] = range.shape;
        let mut parameters = Parameters {
            rows: n(self.batch)?,
            columns: n(inputs)?,
            models: n(self.models)?,
            a_model: n(self.batch * units)?,
            a_row: n(units)?,
            a_inner: 1,
            b_offset: n(range.weight.start)?,
            b_model: n(self.mlp.parameters())?,
            b_inner: n(inputs)?,
            b_column: 1,
            c_model: n(self.batch * inputs)?,
            c_row: n(inputs)?,
            ..Parameters::default()
        };
        let (epilogue, extra, c) = if layer == 0 {
            let encoded = !self.mlp.encoding.is_empty();
            let c = if encoded { Buffer::EncodedGradient } else { Buffer::InputGradient };
            self.buffer(c, &[self.models, self.batch, inputs])?;
            (Epilogue::Sum, Buffer::Parameters, c)
        } else {
            let activation = self.mlp.layers[layer - 1].activation;
            if activation.saves() == Saved::Input {
                parameters.extra_offset = self.saved_offset(layer - 1)?;
            }
            parameters.extra_model = n(self.batch * inputs)?;
            parameters.extra_row = n(inputs)?;
            parameters.extra_column = 1;
            (Epilogue::Gradient(activation), Buffer::Activation(layer - 1), self.delta(layer - 1))
        };
        for dispatch in matmul::dispatches(parameters, units, epilogue, self.target)? {
            self.push(dispatch, &[self.delta(layer), Buffer::Parameters, extra, c]);
        }
        Ok(())
    }
}

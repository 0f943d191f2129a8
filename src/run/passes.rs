//! A network as a differentiable function between the application's own passes, with its slope.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Buffers, Prepared, Program, bind, find, record};
use crate::plan::{Buffer, PassPlan, PassShape, Slope, Stages};
use crate::run::{Rows, Trainer};
use crate::training::Strategy;
use std::ops::Range;

/// The largest weight of the eikonal term.
const MAX_WEIGHT: f32 = 1e30;

/// The application's buffers of a forward and a backward pass: f32, row after row, each at a slice
/// of a buffer made for `STORAGE`, whose offset is a multiple of the device's
/// `min_storage_buffer_offset_alignment`.
#[derive(Debug, Clone, Copy)]
pub struct PassBuffers<'a> {
    rows: Rows<'a>,
    inputs: wgpu::BufferSlice<'a>,
    outputs: wgpu::BufferSlice<'a>,
    output_gradient: wgpu::BufferSlice<'a>,
    input_gradient: Option<wgpu::BufferSlice<'a>>,
    /// The slope and its gradient.
    slope: Option<[wgpu::BufferSlice<'a>; 2]>,
    seed: Option<wgpu::BufferSlice<'a>>,
    eikonal: Option<f32>,
    own_inputs: bool,
}

impl<'a> PassBuffers<'a> {
    /// Passes over so many rows. The forward pass reads `inputs` `[rows, inputs]` and writes
    /// `outputs` `[models, rows, outputs]`, after the last activation. The backward pass reads
    /// `output_gradient` `[models, rows, outputs]`, the derivative of the application's loss with
    /// respect to each output.
    pub fn new(
        rows: impl Into<Rows<'a>>,
        inputs: wgpu::BufferSlice<'a>,
        outputs: wgpu::BufferSlice<'a>,
        output_gradient: wgpu::BufferSlice<'a>,
    ) -> Self {
        let rows = rows.into();
        Self {
            rows,
            inputs,
            outputs,
            output_gradient,
            input_gradient: None,
            slope: None,
            seed: None,
            eikonal: None,
            own_inputs: false,
        }
    }

    /// Receives the derivative of the application's loss with respect to each input,
    /// `[models, rows, inputs]`: what a network or a shader in front of this one continues with.
    #[must_use]
    pub const fn input_gradient(mut self, to: wgpu::BufferSlice<'a>) -> Self {
        self.input_gradient = Some(to);
        self
    }

    /// Adds the slope: the gradient of the output with respect to the inputs, `[models, rows, inputs]`,
    /// of several outputs that of their sum, or what [`PassBuffers::seed`] says.
    /// [`Passes::record_slope`] writes it to `to`. The application's loss may depend on it: the backward
    /// pass then reads `gradient` `[models, rows, inputs]`, the derivative of the loss with respect to
    /// the slope, and adds what flows through it to the gradients of the parameters and of the inputs.
    /// With zeros there, the passes are those without a slope. `gradient` may be the same bytes as `to`.
    ///
    /// The terms of a loss on the slope: (|p| − 1)² of a distance field (the eikonal equation), the
    /// difference from a known normal, the residual of a differential equation.
    ///
    /// ```no_run
    /// # fn app(gpu: &wgrad::Gpu, [x, y, dy, p, dp]: [&wgpu::Buffer; 5]) -> Result<(), wgrad::Error> {
    /// use wgrad::{Activation, Loss, Mlp, Optimizer, PassBuffers, Trainer, Training};
    /// let mlp = Mlp::new(3).layer(64, Activation::Sine).layer(1, Activation::Identity);
    /// let training = Training::new(Loss::OutputGradient, Optimizer::adam(1e-3));
    /// let mut trainer = Trainer::without_data(gpu, &mlp, &training)?;
    /// let buffers = PassBuffers::new(4096, x.slice(..), y.slice(..), dy.slice(..))
    ///     .slope(p.slice(..), dp.slice(..));
    /// let passes = trainer.passes(buffers)?;
    /// let mut encoder = gpu.device().create_command_encoder(&Default::default());
    /// passes.record_forward(&mut encoder);
    /// passes.record_slope(&mut encoder);
    /// // … the application's own shaders read y and the slope p, and write dL/dy and dL/dp …
    /// passes.record_backward(&mut encoder);
    /// trainer.record_update(&mut encoder);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn slope(
        mut self,
        to: wgpu::BufferSlice<'a>,
        gradient: wgpu::BufferSlice<'a>,
    ) -> Self {
        self.slope = Some([to, gradient]);
        self
    }

    /// Takes the slope of the sum of the outputs times `seed` `[models, rows, outputs]`: of one output
    /// where that has a 1 and the others have a 0. The loss counts the seed as a constant. Without
    /// [`PassBuffers::slope`] it is not read.
    #[must_use]
    pub const fn seed(mut self, seed: wgpu::BufferSlice<'a>) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Adds the eikonal term `weight` · mean (|p| − 1)² of the slope p of [`PassBuffers::slope`]:
    /// [`Passes::record_slope`] then writes its gradient to the slope's `gradient` too, to which the
    /// application may add its own terms. Rows without a target are points of space: with zeros as the
    /// outputs' gradient this term alone teaches them. [`Trainer::record_step_with_passes`] takes it beside
    /// the training's own data.
    #[must_use]
    pub const fn eikonal(mut self, weight: f32) -> Self {
        self.eikonal = Some(weight);
        self
    }

    /// Gives each model inputs of its own: `[models, rows, inputs]`.
    #[must_use]
    pub const fn own_inputs(mut self) -> Self {
        self.own_inputs = true;
        self
    }

    fn check_eikonal(&self) -> Result<()> {
        match (self.eikonal, self.slope) {
            (Some(weight), _) if !(0.0..=MAX_WEIGHT).contains(&weight) => {
                let allowed = format!("0 to {MAX_WEIGHT:e}");
                Err(Error::argument("the weight of the eikonal term", weight, allowed))
            }
            (Some(_), None) => {
                let what = "the eikonal term of passes";
                Err(Error::argument(what, "without a slope", "PassBuffers::slope"))
            }
            _ => Ok(()),
        }
    }

    /// The buffers that the plan's names stand for.
    fn bind(&self, trainer: &Trainer, plan: &PassPlan) -> Result<Buffers> {
        let (mlp, models, rows) = (&trainer.mlp, trainer.training.models, self.rows.most());
        let sets = if self.own_inputs { models } else { 1 };
        let mut buffers = Buffers::new();
        let mut own = |name, what: &str, slice, sets, width| -> Result<()> {
            buffers.insert(name, BufferRange::new(&trainer.gpu, what, slice, [sets, rows, width])?);
            Ok(())
        };
        own(Buffer::Inputs, "the inputs", self.inputs, sets, mlp.inputs)?;
        own(plan.outputs, "the outputs", self.outputs, models, mlp.outputs())?;
        let gradient = self.output_gradient;
        own(Buffer::Targets, "the outputs' gradient", gradient, models, mlp.outputs())?;
        if let Some(to) = self.input_gradient {
            own(Buffer::InputGradient, "the inputs' gradient", to, models, mlp.inputs)?;
        }
        if let Some([to, gradient]) = self.slope {
            own(Buffer::Slope, "the slope", to, models, mlp.inputs)?;
            own(Buffer::SlopeGradient, "the slope's gradient", gradient, models, mlp.inputs)?;
            if let Some(seed) = self.seed {
                own(Buffer::Seed, "the slope's seed", seed, models, mlp.outputs())?;
            }
        }
        let bytes = |slice: wgpu::BufferSlice<'_>, width: usize, sets: usize| -> Range<u64> {
            let size = crate::kernels::volume(&[4, sets, rows, width]);
            slice.offset()..slice.offset().saturating_add(size)
        };
        let read = bytes(self.inputs, mlp.inputs, sets);
        let slope =
            self.slope.map(|[to, _]| ("the inputs and slope of the passes", to, mlp.inputs));
        let outputs = ("the inputs and outputs of the passes", self.outputs, mlp.outputs());
        for (what, to, width) in [outputs].into_iter().chain(slope) {
            let written = bytes(to, width, models);
            let same = self.inputs.buffer() == to.buffer();
            if same && read.start < written.end && written.start < read.end {
                return Err(Error::argument(
                    what,
                    "in the same bytes of one buffer",
                    "apart: the backward pass reads the inputs again",
                ));
            }
        }
        Ok(buffers)
    }
}

/// The forward and the backward pass of a trainer's network over rows of the application's, ready to
/// be recorded any number of times: [`Trainer::passes`].
///
/// Nothing is computed twice: the forward pass keeps what the backward pass needs, in buffers of
/// this object's own, under either strategy. Between the two neither the inputs nor, where the last
/// activation is the identity, the outputs may change.
#[derive(Debug)]
pub struct Passes {
    /// The dispatches of the forward pass, of the slope, and of the backward pass.
    prepared: Vec<Prepared>,
    forward: usize,
    slope: usize,
    strategy: Strategy,
}

impl Passes {
    /// Records the forward pass: no submit, no poll, no allocation, one compute pass. It reads the
    /// parameters as they are when it runs.
    pub fn record_forward(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, &self.prepared[..self.forward], 1);
    }

    /// Records the slope of the last forward pass: no submit, no poll, no allocation, one compute pass.
    /// Without [`PassBuffers::slope`] it records nothing.
    pub fn record_slope(&self, encoder: &mut wgpu::CommandEncoder) {
        if self.slope > 0 {
            record(encoder, &self.prepared[self.forward..self.forward + self.slope], 1);
        }
    }

    /// Records the backward pass of the last forward pass: no submit, no poll, no allocation, one
    /// compute pass. It adds the gradient to what the trainer's passes have added up since
    /// [`Trainer::record_update`], and overwrites the inputs' gradient, if there is one. Parameters
    /// must be those of the forward pass.
    pub fn record_backward(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, &self.prepared[self.forward + self.slope..], 1);
    }

    /// The dispatches of the forward pass, of the slope, and of the backward pass.
    pub const fn dispatches(&self) -> [usize; 3] {
        [self.forward, self.slope, self.prepared.len() - self.forward - self.slope]
    }

    /// How the passes are executed: fused or layered.
    pub const fn strategy(&self) -> Strategy {
        self.strategy
    }
}

impl Trainer {
    /// The network as a differentiable function: its forward pass into the application's buffer, its
    /// backward pass from the gradient that the application has written, and an update by
    /// [`Trainer::record_update`]. The application's loss stays its own: nothing here knows it.
    ///
    /// Several objects may belong to one trainer: for other rows, or for micro-batches whose
    /// gradients are added up before an update.
    ///
    /// ```no_run
    /// # fn app(gpu: &wgrad::Gpu, x: &wgpu::Buffer, y: &wgpu::Buffer, dy: &wgpu::Buffer)
    /// #     -> Result<(), wgrad::Error> {
    /// use wgrad::{Activation, Loss, Mlp, Optimizer, PassBuffers, Trainer, Training};
    /// let mlp = Mlp::new(3).layer(32, Activation::Relu).layer(4, Activation::Identity);
    /// let training = Training::new(Loss::OutputGradient, Optimizer::adam(1e-2));
    /// let mut trainer = Trainer::without_data(gpu, &mlp, &training)?;
    /// let passes = trainer.passes(PassBuffers::new(4096, x.slice(..), y.slice(..), dy.slice(..)))?;
    /// let mut encoder = gpu.device().create_command_encoder(&Default::default());
    /// passes.record_forward(&mut encoder);
    /// // … the application's own shaders read y and write dL/dy …
    /// passes.record_backward(&mut encoder);
    /// trainer.record_update(&mut encoder);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A slice that is too short, at an offset that cannot be bound, or of a buffer that was not
    /// made for `STORAGE`; inputs and outputs in the same bytes; a buffer that one dispatch would
    /// both read and write; [`Error::TooLarge`]; the fused strategy where it is asked for and not
    /// possible; with a slope a custom activation, a grid with mip levels, or a device of fewer than six
    /// storage buffers a stage. A trainer of the resident strategy takes its passes layer by layer.
    pub fn passes(&mut self, of: PassBuffers<'_>) -> Result<Passes> {
        let count = of.rows.check(&self.gpu, "the passes")?;
        of.check_eikonal()?;
        let shape = PassShape {
            rows: of.rows.most(),
            own_inputs: of.own_inputs,
            input_gradient: of.input_gradient.is_some(),
            counted: count.is_some(),
            slope: of.slope.map(|_| Slope { seeded: of.seed.is_some(), eikonal: of.eikonal }),
        };
        let mut plan = self.plan.passes(shape)?;
        self.prepare_update()?;
        let mut buffers = of.bind(self, &plan)?;
        for name in
            [Buffer::Parameters, Buffer::Status, Buffer::Losses, Buffer::AccumulatedGradient]
        {
            buffers.insert(name, find(self.buffers(), name)?.clone());
        }
        let forward = plan.forward.len() + usize::from(count.is_some());
        let slope = plan.slope.len();
        plan.forward.append(&mut plan.slope);
        plan.forward.append(&mut plan.backward);
        let stages = Stages { nodes: plan.forward, buffers: plan.buffers };
        let prepared = bind(&self.gpu, &stages, &mut buffers, &[], count.as_ref())?;
        self.gpu.check_present()?;
        Ok(Passes { prepared, forward, slope, strategy: plan.strategy })
    }

    /// Makes what an update from added gradients needs.
    fn prepare_update(&mut self) -> Result<()> {
        if self.update.is_none() && self.plan.has_data() {
            let stages = self.plan.accumulated_update()?;
            self.update = Some(Program::step(self.prepare(&stages)?));
        }
        Ok(())
    }

    /// Records an update from the gradient that backward passes have added up, as a step of the
    /// training: it counts, follows the schedule, and moves the average. The added gradient is 0
    /// afterwards. A model whose gradient is not finite keeps its parameters and has diverged at
    /// this step; the loss that is logged is 0. No submit, no poll, no allocation.
    ///
    /// Before the first call of [`Trainer::passes`] there is no gradient and this records nothing.
    pub fn record_update(&mut self, encoder: &mut wgpu::CommandEncoder) {
        if !self.plan.has_data() {
            self.record(encoder, 1);
        } else if let Some(update) = &self.update {
            update.record(encoder, 1, None);
            self.unread = self.unread.saturating_add(1);
        }
    }

    /// Records a step of the training's own data and loss, whose gradient is added to what backward
    /// passes have added up: a loss of the application's on other rows beside it, such as the eikonal
    /// term of [`PassBuffers::eikonal`]. The loss that is logged is that of the training's own data. The
    /// first call prepares the dispatches; the others allocate nothing. No submit, no poll.
    ///
    /// ```no_run
    /// # fn app(gpu: &wgrad::Gpu, data: &wgrad::Data, [x, y, dy, p, dp]: [&wgpu::Buffer; 5])
    /// #     -> Result<(), wgrad::Error> {
    /// use wgrad::{Activation, Loss, Mlp, Optimizer, PassBuffers, Trainer, Training};
    /// let mlp = Mlp::new(3).layer(64, Activation::Softplus).layer(1, Activation::Identity);
    /// let training = Training::new(Loss::MeanAbsoluteError, Optimizer::adam(1e-3));
    /// let mut trainer = Trainer::new(gpu, &mlp, &training, data)?; // places and their distances
    /// let space = PassBuffers::new(4096, x.slice(..), y.slice(..), dy.slice(..)) // dy holds zeros
    ///     .slope(p.slice(..), dp.slice(..))
    ///     .eikonal(0.1);
    /// let space = trainer.passes(space)?;
    /// let mut encoder = gpu.device().create_command_encoder(&Default::default());
    /// // … the application's own shader writes places without a distance to x …
    /// space.record_forward(&mut encoder);
    /// space.record_slope(&mut encoder);
    /// space.record_backward(&mut encoder);
    /// trainer.record_step_with_passes(&mut encoder)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A trainer without data, which [`Trainer::record_update`] is for; of the first call
    /// [`Error::TooLarge`] and those of the device.
    pub fn record_step_with_passes(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        if !self.plan.has_data() {
            let what = "a step with passes";
            return Err(Error::argument(what, "without data", "Trainer::record_update"));
        }
        if self.with_passes.is_none() {
            let stages = self.plan.step_with_passes()?;
            self.with_passes = Some(Program::step(self.prepare(&stages)?));
        }
        if let Some(step) = &self.with_passes {
            step.record(encoder, 1, None);
            self.unread = self.unread.saturating_add(1);
        }
        Ok(())
    }
}

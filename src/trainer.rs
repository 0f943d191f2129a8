//! Training on the GPU, and the trait that it shares with the CPU.

use crate::budget::Instant;
use crate::cast::{to_u32, wide};
use crate::gpu::{Part, Prepared, check_usage};
use crate::model::{Buffers, Predictor, Program, find, make_buffers, prepare, record};
use crate::plan::{Buffer, Node};
use crate::{
    Batch, Data, Error, Gpu, Gradients, Health, Inference, Mlp, Optimizer, Output, Parameters,
    Plan, Real, Result, Training, WgslFunction,
};

/// The losses of training steps, each before its update.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses<T = f32> {
    /// The step of the first row: 0 unless recorded steps have overwritten the history.
    pub first_step: u32,
    /// The number of models.
    pub models: usize,
    /// The losses, `[steps, models]`.
    pub values: Vec<T>,
}

impl<T: Real> Losses<T> {
    /// One model's losses.
    pub fn of_model(&self, model: usize) -> impl Iterator<Item = T> {
        self.values.iter().skip(model).step_by(self.models.max(1)).copied()
    }

    /// The losses of the last step, one a model; empty before the first.
    pub fn last(&self) -> &[T] {
        &self.values[self.values.len().saturating_sub(self.models)..]
    }
}

/// What a trainer does, on whatever device.
///
/// [`Trainer`] is the GPU's, [`CpuTrainer`](crate::CpuTrainer) the CPU's: the same description,
/// data and seed give the same training on either, up to rounding. In a browser, where nothing may
/// block, the GPU's trainer has the `_async` forms alone.
pub trait Train {
    /// The device's name.
    fn device(&self) -> String;

    /// The network.
    fn mlp(&self) -> &Mlp;

    /// How it is trained.
    fn training(&self) -> &Training;

    /// Runs `steps` steps and waits for them.
    ///
    /// A model whose loss, gradient or parameters stop being finite keeps the last finite
    /// parameters and is not trained on; the others of its population are.
    ///
    /// # Errors
    /// [`Error::Diverged`] once no model is left to train; a lost device.
    fn train(&mut self, steps: u32) -> Result<()>;

    /// For each model the step, counted from 0, at which it diverged.
    ///
    /// # Errors
    /// A lost device.
    fn diverged(&mut self) -> Result<Vec<Option<u32>>>;

    /// The losses of the steps until now.
    ///
    /// # Errors
    /// A lost device.
    fn losses(&mut self) -> Result<Losses>;

    /// The parameters.
    ///
    /// # Errors
    /// A lost device.
    fn parameters(&mut self) -> Result<Parameters>;

    /// The exponential moving average of the parameters, [`Training::average`]: before the first
    /// step the parameters themselves.
    ///
    /// # Errors
    /// A training without one; a lost device.
    fn averages(&mut self) -> Result<Parameters>;

    /// Replaces the parameters; step counter and optimizer state stay, and models that had
    /// diverged are trained again.
    ///
    /// # Errors
    /// Parameters of another network or number of models.
    fn set_parameters(&mut self, parameters: &Parameters) -> Result<()>;

    /// Replaces the optimizer's numbers from the next step on.
    ///
    /// # Errors
    /// Numbers out of range, or an optimizer of another kind.
    fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()>;

    /// Loss and gradient on the batch of the next step, which is not taken.
    ///
    /// # Errors
    /// A lost device.
    fn gradients(&mut self) -> Result<Gradients>;

    /// The gradient of the loss with respect to the batch's inputs, `[models, batch, inputs]`.
    ///
    /// # Errors
    /// A lost device; [`Error::TooLarge`].
    fn input_gradient(&mut self) -> Result<Vec<f32>>;

    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`.
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a lost device.
    fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>>;

    /// The state of each layer's gradient and units on the batch of the next step.
    ///
    /// # Errors
    /// A lost device.
    fn health(&mut self) -> Result<Health>;
}

/// Trains a population of one or more networks on the GPU.
///
/// ```no_run
/// use wgrad::{Activation, Dataset, Gpu, Init, Loss, Mlp, Optimizer, Train, Trainer, Training};
/// // The article: two rings, a 2-3-1 network, gradient descent.
/// let data = Dataset::Circles.draw(1000, 0)?;
/// let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0))
///     .init(Init::StandardNormal, 0);
/// let mut trainer = Trainer::new(&Gpu::new()?, &mlp, &training, &data)?;
/// trainer.train(2000)?;
/// println!("loss {:?}", trainer.losses()?.last());
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Trainer {
    gpu: Gpu,
    mlp: Mlp,
    training: Training,
    plan: Plan,
    pub(crate) buffers: Buffers,
    program: Program,
    parameters: wgpu::Buffer,
    gradient: Option<Vec<Prepared>>,
    layered: Option<Vec<Prepared>>,
    input_gradient: Option<Vec<Prepared>>,
    predictor: Option<Predictor>,
    /// One mark a model that says it has not diverged, to be copied from.
    sound: Option<wgpu::Buffer>,
    /// The losses that were read, and the step that follows them.
    log: Losses,
    next: u32,
    /// Steps recorded since: at most so many losses are unread.
    unread: u32,
}

/// Training data in buffers of the application's: f32, row after row.
#[derive(Debug, Clone, Copy)]
pub struct DataBuffers<'a> {
    /// 1 where the models share the data, else the number of models.
    pub sets: usize,
    /// Rows of one set.
    pub rows: usize,
    /// `[sets, rows, inputs]`.
    pub inputs: wgpu::BufferSlice<'a>,
    /// `[sets, rows, outputs]`.
    pub targets: wgpu::BufferSlice<'a>,
}

/// A copy of a trainer's parameters, which changes only where [`Snapshot::record`] is recorded.
#[derive(Debug)]
pub struct Snapshot {
    source: wgpu::Buffer,
    copy: wgpu::Buffer,
}

impl Snapshot {
    /// Records the copy of the parameters as they are then: no submit, no allocation.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.copy_buffer_to_buffer(&self.source, 0, &self.copy, 0, self.copy.size());
    }

    /// The copy, laid out as [`Trainer::parameter_buffer`].
    pub const fn parameter_buffer(&self) -> &wgpu::Buffer {
        &self.copy
    }
}

/// What [`Trainer::warm_up`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WarmUp {
    /// Kernels that it compiled.
    pub kernels: usize,
    /// How long it took, the first run of all of them included.
    pub time: std::time::Duration,
}

/// Dispatches of one submission of [`Trainer::train`].
const SUBMIT_DISPATCHES: usize = 1024;

/// Operations of one submission: a driver that counts a submission as one piece of work should
/// not take it for a hang.
const SUBMIT_OPERATIONS: u64 = 1 << 35;

/// The fields of the status buffer.
struct Status {
    step: u32,
    diverged: Vec<u32>,
}

impl Trainer {
    /// Plans, compiles, uploads the data, and draws the initial parameters.
    ///
    /// # Errors
    /// Those of [`Plan::new`]; data that do not fit the network; what the device refuses.
    pub fn new(gpu: &Gpu, mlp: &Mlp, training: &Training, data: &Data) -> Result<Self> {
        training.check(mlp)?;
        data.check(mlp, training.models)?;
        let trainer = Self::build(gpu, mlp, training, [data.sets(), data.rows()], Buffers::new())?;
        trainer.upload(Buffer::Inputs, bytemuck::cast_slice(data.x()))?;
        trainer.upload(Buffer::Targets, bytemuck::cast_slice(data.t()))?;
        Ok(trainer)
    }

    /// The same on data in buffers of the application's, which its shaders may fill in the same
    /// encoder as the steps, and change between them. A NaN among them shows as a divergence.
    ///
    /// # Errors
    /// Those of [`Trainer::new`]; a slice that is too short, at an offset that cannot be bound, or
    /// of a buffer that was not made for `STORAGE`.
    pub fn with_buffers(
        gpu: &Gpu,
        mlp: &Mlp,
        training: &Training,
        data: DataBuffers<'_>,
    ) -> Result<Self> {
        training.check(mlp)?;
        let DataBuffers { sets, rows, inputs, targets } = data;
        crate::data::check_sets(sets, training.models)?;
        if rows == 0 {
            return Err(Error::argument("the data's number of rows", 0, "1 or more"));
        }
        let part = |what, slice, width| Part::new(gpu, what, slice, [sets, rows, width]);
        let buffers = Buffers::from([
            (Buffer::Inputs, part("the inputs", inputs, mlp.inputs)?),
            (Buffer::Targets, part("the targets", targets, mlp.outputs())?),
        ]);
        Self::build(gpu, mlp, training, [sets, rows], buffers)
    }

    fn build(
        gpu: &Gpu,
        mlp: &Mlp,
        training: &Training,
        data: [usize; 2],
        mut buffers: Buffers,
    ) -> Result<Self> {
        let initial = training.init.draw(mlp, training.models, training.seed)?;
        let plan = Plan::new(mlp, training, data, gpu.target())?;
        make_buffers(gpu, &plan.buffers(), &mut buffers)?;
        let program = Program::new(gpu, plan.strides(), &buffers)?;
        let parameters = find(&buffers, Buffer::Parameters)?.buffer.clone();
        let mut trainer = Self {
            gpu: gpu.clone(),
            mlp: mlp.clone(),
            training: training.clone(),
            plan,
            buffers,
            program,
            parameters,
            gradient: None,
            layered: None,
            input_gradient: None,
            predictor: None,
            sound: None,
            log: Losses { first_step: 0, models: training.models, values: Vec::new() },
            next: 0,
            unread: 0,
        };
        trainer.upload_numbers(training.optimizer)?;
        trainer.restart(&initial)?;
        Ok(trainer)
    }

    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// How it is trained.
    pub const fn training(&self) -> &Training {
        &self.training
    }

    /// [`Train::set_parameters`].
    ///
    /// # Errors
    /// The same.
    pub fn set_parameters(&mut self, parameters: &Parameters) -> Result<()> {
        self.upload_parameters(parameters)
    }

    /// [`Train::set_optimizer`].
    ///
    /// # Errors
    /// The same.
    pub fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        check_optimizer(self.training.optimizer, optimizer)?;
        self.upload_numbers(optimizer)?;
        self.training.optimizer = optimizer;
        Ok(())
    }

    /// The plan.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The device.
    pub const fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// One of the plan's buffers, for a shader of the application's own: the layouts are those of
    /// [`Buffer`]. `None` for one that this training does not have.
    pub fn buffer(&self, name: Buffer) -> Option<&wgpu::Buffer> {
        self.buffers.get(&name).map(|part| &part.buffer)
    }

    pub(crate) fn get(&self, name: Buffer) -> Result<&wgpu::Buffer> {
        find(&self.buffers, name).map(|part| &part.buffer)
    }

    fn upload_numbers(&self, optimizer: Optimizer) -> Result<()> {
        let numbers = self.training.schedule.among(optimizer.hyper());
        self.upload(Buffer::Hyper, bytemuck::bytes_of(&numbers))
    }

    fn upload(&self, name: Buffer, bytes: &[u8]) -> Result<()> {
        self.gpu.write(self.get(name)?, 0, bytes)
    }

    /// Records `steps` steps: no submit, no poll, no allocation, and
    /// `trainer.plan().dispatches(steps)` dispatches in one compute pass.
    ///
    /// The recorded steps run when the encoder's commands are submitted, in the order of the
    /// submissions.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder, steps: u32) {
        self.record_timed(encoder, steps, None);
    }

    /// [`Trainer::record`] with a timestamp before and one after.
    pub(crate) fn record_timed(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        steps: u32,
        timestamps: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        self.unread = self.unread.saturating_add(steps);
        self.program.record(encoder, steps, timestamps);
    }

    /// The buffer of the parameters, `[models, P]`, as [`Mlp::ranges`] lays them out: what
    /// [`Trainer::wgsl`] reads, live while the training goes on.
    pub const fn parameter_buffer(&self) -> &wgpu::Buffer {
        &self.parameters
    }

    /// The network as a WGSL function of the name `name` for the application's own shaders, which
    /// bind [`Trainer::parameter_buffer`], or that of a [`Snapshot`].
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        self.mlp.wgsl(name).models(self.training.models)
    }

    /// A forward pass over `rows` rows of the application's own buffer, `[rows, inputs]` of f32 from
    /// the slice's offset on, into its buffer or texture; to be recorded any number of times.
    ///
    /// # Errors
    /// A slice that is too short, at an offset that cannot be bound, or of a buffer that was not
    /// made for `STORAGE`; input and output of a single layer in one buffer; a texture of another
    /// size, format or use; [`Error::TooLarge`].
    pub fn inference(
        &self,
        rows: usize,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        let models = self.training.models;
        Inference::new(&self.gpu, &self.mlp, models, &self.parameters, (rows, x, to))
    }

    /// A copy of the parameters for the application to draw with while the next are trained.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], a lost device.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let source = self.parameters.clone();
        let copy = self.gpu.buffer("a snapshot of the parameters", source.size())?;
        let snapshot = Snapshot { source, copy };
        self.gpu.submit(|encoder| snapshot.record(encoder))?;
        Ok(snapshot)
    }

    /// Records a copy of `[models, P]` parameters from the application's buffer; step counter and
    /// optimizer state stay, and models that had diverged are trained again. Its first call makes
    /// a small buffer, later ones allocate nothing.
    ///
    /// # Errors
    /// A slice that is too short, at an offset that is no multiple of 4, of the trainer's own buffer,
    /// or of one that was not made for `COPY_SRC`.
    pub fn record_parameters(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        from: wgpu::BufferSlice<'_>,
    ) -> Result<()> {
        let models = self.training.models;
        let bytes = 4 * wide(models) * wide(self.mlp.parameters());
        check_usage("the parameters' source", from.buffer(), wgpu::BufferUsages::COPY_SRC)?;
        if from.size() < bytes || !from.offset().is_multiple_of(4) {
            return Err(Error::argument(
                "the parameters' source",
                format!("{} bytes at {}", from.size(), from.offset()),
                format!("{bytes} or more, at a multiple of 4"),
            ));
        }
        if *from.buffer() == self.parameters {
            return Err(Error::argument(
                "the parameters' source",
                "the trainer's own buffer",
                "another one",
            ));
        }
        let sound = match self.sound.take() {
            Some(sound) => sound,
            None => {
                let marks = vec![u32::MAX; models];
                self.gpu.buffer_with("marks of sound models", bytemuck::cast_slice(&marks))?
            }
        };
        encoder.copy_buffer_to_buffer(from.buffer(), from.offset(), &self.parameters, 0, bytes);
        let status = self.get(Buffer::Status)?;
        encoder.copy_buffer_to_buffer(&sound, 0, status, 16, 4 * wide(models));
        self.sound = Some(sound);
        Ok(())
    }

    /// Compiles the kernels that a later call of [`Train::gradients`] or [`Train::predict`] needs
    /// and runs each once with those of a step, whose effects are taken back: so that the first frame
    /// waits for no compiler. Waits for the GPU.
    ///
    /// # Errors
    /// A lost device, no memory.
    #[cfg(not(target_family = "wasm"))]
    pub fn warm_up(&mut self) -> Result<WarmUp> {
        pollster::block_on(self.warm_up_async())
    }

    /// The same without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn warm_up_async(&mut self) -> Result<WarmUp> {
        let start = Instant::now();
        let known = self.gpu.compiled();
        self.drain().await?;
        if self.gradient.is_none() {
            self.gradient = Some(self.prepare(Plan::gradient)?);
        }
        let predictor = match self.predictor.take() {
            Some(predictor) => predictor,
            None => {
                let (rows, models) = (self.plan.batch(), self.training.models);
                Predictor::new(&self.gpu, &self.mlp, models, rows, &self.parameters)?
            }
        };
        // Drivers compile at a kernel's first run: what a run changes is kept and put back.
        use Buffer::{Averages, Losses, Parameters, States, Status};
        let changed = [Parameters, States, Status, Losses, Averages];
        let kept = changed
            .into_iter()
            .filter(|name| self.buffers.contains_key(name))
            .map(|name| {
                let buffer = self.get(name)?;
                Ok((buffer, self.gpu.buffer("what a warm-up changes", buffer.size())?))
            })
            .collect::<Result<Vec<_>>>()?;
        self.gpu.submit(|encoder| {
            for (buffer, copy) in &kept {
                encoder.copy_buffer_to_buffer(buffer, 0, copy, 0, buffer.size());
            }
            record(encoder, self.gradient.as_deref().unwrap_or_default(), 1);
            // One step: strides of more run the same kernels.
            self.program.record(encoder, 1, None);
            for (buffer, copy) in &kept {
                encoder.copy_buffer_to_buffer(copy, 0, buffer, 0, buffer.size());
            }
        })?;
        predictor.submit(&self.gpu)?;
        self.predictor = Some(predictor);
        self.status().await?;
        Ok(WarmUp { kernels: self.gpu.compiled() - known, time: start.elapsed() })
    }

    /// From `parameters`, with the optimizer's state, the step counter and the losses at 0.
    ///
    /// # Errors
    /// Parameters of another network or number of models.
    pub fn restart(&mut self, parameters: &Parameters) -> Result<()> {
        self.upload_parameters(parameters)?;
        let (status, states) = (self.get(Buffer::Status)?, self.get(Buffer::States)?);
        self.gpu.submit(|encoder| {
            encoder.clear_buffer(states, 0, None);
            encoder.clear_buffer(status, 0, Some(16));
            if let Some(averages) = self.buffer(Buffer::Averages) {
                let size = averages.size();
                encoder.copy_buffer_to_buffer(&self.parameters, 0, averages, 0, size);
            }
        })?;
        self.log.values.clear();
        self.log.first_step = 0;
        (self.next, self.unread) = (0, 0);
        Ok(())
    }

    fn upload_parameters(&self, parameters: &Parameters) -> Result<()> {
        check_same(&self.mlp, self.training.models, parameters)?;
        self.upload(Buffer::Parameters, bytemuck::cast_slice(parameters.values()))?;
        let diverged = vec![u32::MAX; self.training.models];
        self.gpu.write(self.get(Buffer::Status)?, 16, bytemuck::cast_slice(&diverged))
    }

    async fn read<T: bytemuck::Pod>(
        &self,
        name: Buffer,
        first: usize,
        count: usize,
    ) -> Result<Vec<T>> {
        let size = wide(size_of::<T>());
        let bytes = self.gpu.read(self.get(name)?, size * wide(first), size * wide(count))?.await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    async fn status(&self) -> Result<Status> {
        let words = self.read::<u32>(Buffer::Status, 0, 4 + self.training.models).await?;
        Ok(Status { step: words[0], diverged: words[4..].to_vec() })
    }

    /// Moves the losses that were not read yet from the GPU to the log.
    async fn drain(&mut self) -> Result<Status> {
        let status = self.status().await?;
        let models = self.training.models;
        let history = to_u32("the history", wide(self.plan.history()))?;
        let new = status.step.wrapping_sub(self.next);
        if new > 0 {
            let ring = self.read::<f32>(Buffer::Losses, 0, self.plan.history() * models).await?;
            if new > history {
                self.log.values.clear();
                self.log.first_step = status.step - history;
            }
            for step in status.step - new.min(history)..status.step {
                let row = (step % history) as usize * models;
                self.log.values.extend_from_slice(&ring[row..row + models]);
            }
        }
        self.next = status.step;
        self.unread = 0;
        Ok(status)
    }

    /// [`Train::train`] without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn train_async(&mut self, steps: u32) -> Result<()> {
        let history = to_u32("the history", wide(self.plan.history()))?;
        let stride = self.plan.strides().first();
        let (steps_each, dispatches) = stride.map_or((1, 1), |s| (s.steps, s.nodes.len()));
        let by_dispatches = wide(SUBMIT_DISPATCHES / dispatches.max(1)) * u64::from(steps_each);
        let by_operations = SUBMIT_OPERATIONS / self.plan.work().operations.max(1);
        let most = by_dispatches.min(by_operations).clamp(1, u64::from(history));
        let most = to_u32("steps of a submission", most)?;
        let mut left = steps;
        while left > 0 {
            if self.unread >= history {
                self.drain().await?;
            }
            let now = left.min(most).min(history - self.unread);
            self.unread += now;
            self.gpu.submit(|encoder| self.program.record(encoder, now, None))?;
            left -= now;
        }
        all_diverged(&self.status().await?.diverged)
    }

    /// [`Train::diverged`] without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn diverged_async(&mut self) -> Result<Vec<Option<u32>>> {
        let words = self.status().await?.diverged;
        Ok(words.into_iter().map(|step| (step != u32::MAX).then_some(step)).collect())
    }

    /// [`Train::losses`] without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn losses_async(&mut self) -> Result<Losses> {
        self.drain().await?;
        Ok(self.log.clone())
    }

    /// [`Train::parameters`] without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn parameters_async(&self) -> Result<Parameters> {
        let count = self.training.models * self.mlp.parameters();
        let values = self.read(Buffer::Parameters, 0, count).await?;
        Parameters::new(self.mlp.clone(), self.training.models, values)
    }

    /// [`Train::averages`] without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn averages_async(&self) -> Result<Parameters> {
        check_averaged(&self.training)?;
        let count = self.training.models * self.mlp.parameters();
        let values = self.read(Buffer::Averages, 0, count).await?;
        Parameters::new(self.mlp.clone(), self.training.models, values)
    }

    /// Runs the gradient of the next step's batch, layer by layer.
    async fn run_layered(&mut self) -> Result<()> {
        self.drain().await?;
        if self.layered.is_none() {
            self.layered = Some(self.prepare(Plan::layered)?);
        }
        let program = self.layered.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))
    }

    /// [`Train::gradients`] without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn gradients_async(&mut self) -> Result<Gradients> {
        // The loss takes the next step's place in the history: what is there is read before.
        let status = self.drain().await?;
        if self.gradient.is_none() {
            self.gradient = Some(self.prepare(Plan::gradient)?);
        }
        let program = self.gradient.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))?;
        let models = self.training.models;
        let slot = status.step as usize % self.plan.history();
        let losses = self.read(Buffer::Losses, slot * models, models).await?;
        let values = self.read(Buffer::Gradient, 0, models * self.mlp.parameters()).await?;
        Ok(Gradients { losses, values })
    }

    /// [`Train::input_gradient`] without blocking.
    ///
    /// # Errors
    /// A lost device; [`Error::TooLarge`].
    pub async fn input_gradient_async(&mut self) -> Result<Vec<f32>> {
        self.run_layered().await?;
        if self.input_gradient.is_none() {
            self.input_gradient = Some(self.prepare(Plan::input_gradient)?);
        }
        let program = self.input_gradient.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))?;
        let count = self.training.models * self.plan.batch() * self.mlp.inputs;
        self.read(Buffer::InputGradient, 0, count).await
    }

    /// Some of the plan's dispatches, and the buffers that they need and no step does.
    fn prepare(&mut self, which: fn(&Plan) -> Vec<&Node>) -> Result<Vec<Prepared>> {
        let nodes = which(&self.plan);
        let all = self.plan.all_buffers().iter();
        let used = |buffer: &Buffer| nodes.iter().any(|node| node.buffers.contains(buffer));
        let missing: Vec<_> = all.filter(|(buffer, _)| used(buffer)).copied().collect();
        make_buffers(&self.gpu, &missing, &mut self.buffers)?;
        prepare(&self.gpu, &nodes, &self.buffers)
    }

    /// [`Train::predict`] without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn predict_async(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let mut kept = self.predictor.take();
        let models = self.training.models;
        let parameters = &self.parameters;
        let y = crate::model::predict(&mut kept, &self.gpu, &self.mlp, models, parameters, x).await;
        self.predictor = kept;
        y
    }

    /// [`Train::health`] without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn health_async(&mut self) -> Result<Health> {
        self.run_layered().await?;
        crate::health::on_gpu(self).await
    }

    /// Draws the next step's mini-batch into its buffers, which are returned; for full batches the
    /// data's own.
    pub(crate) fn batch_buffers(&mut self) -> Result<[Part; 2]> {
        let names = if self.training.batch == Batch::Full {
            [Buffer::Inputs, Buffer::Targets]
        } else {
            let program = self.prepare(Plan::gather)?;
            self.gpu.submit(|encoder| record(encoder, &program, 1))?;
            [Buffer::BatchInputs, Buffer::BatchTargets]
        };
        let part = |name| find(&self.buffers, name).cloned();
        Ok([part(names[0])?, part(names[1])?])
    }
}

#[cfg(not(target_family = "wasm"))]
impl Train for Trainer {
    fn device(&self) -> String {
        self.gpu.to_string()
    }

    fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    fn training(&self) -> &Training {
        &self.training
    }

    fn train(&mut self, steps: u32) -> Result<()> {
        pollster::block_on(self.train_async(steps))
    }

    fn diverged(&mut self) -> Result<Vec<Option<u32>>> {
        pollster::block_on(self.diverged_async())
    }

    fn losses(&mut self) -> Result<Losses> {
        pollster::block_on(self.losses_async())
    }

    fn parameters(&mut self) -> Result<Parameters> {
        pollster::block_on(self.parameters_async())
    }

    fn averages(&mut self) -> Result<Parameters> {
        pollster::block_on(self.averages_async())
    }

    fn set_parameters(&mut self, parameters: &Parameters) -> Result<()> {
        Self::set_parameters(self, parameters)
    }

    fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        Self::set_optimizer(self, optimizer)
    }

    fn gradients(&mut self) -> Result<Gradients> {
        pollster::block_on(self.gradients_async())
    }

    fn input_gradient(&mut self) -> Result<Vec<f32>> {
        pollster::block_on(self.input_gradient_async())
    }

    fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.predict_async(x))
    }

    fn health(&mut self) -> Result<Health> {
        pollster::block_on(self.health_async())
    }
}

/// `Err` if every model has diverged: with the first one to do so.
pub(crate) fn all_diverged(diverged: &[u32]) -> Result<()> {
    match diverged.iter().enumerate().min_by_key(|(_, step)| **step) {
        Some((model, step)) if diverged.iter().all(|step| *step != u32::MAX) => {
            Err(Error::Diverged { model, step: *step })
        }
        _ => Ok(()),
    }
}

/// `Ok` if `parameters` are those of `models` models of `mlp`.
pub(crate) fn check_same<T: Real>(
    mlp: &Mlp,
    models: usize,
    parameters: &Parameters<T>,
) -> Result<()> {
    if parameters.mlp() != mlp {
        return Err(Error::argument("the parameters' network", parameters.mlp(), mlp.to_string()));
    }
    if parameters.models() != models {
        return Err(Error::argument(
            "the parameters' number of models",
            parameters.models(),
            models.to_string(),
        ));
    }
    Ok(())
}

/// `Ok` if an average of the parameters is kept.
pub(crate) fn check_averaged(training: &Training) -> Result<()> {
    if training.average.is_none() {
        let what = "the average of the parameters";
        return Err(Error::argument(what, "none", "a training with one, by `Training::average`"));
    }
    Ok(())
}

/// `Ok` if `next` is valid and of the same kind as `now`.
pub(crate) fn check_optimizer(now: Optimizer, next: Optimizer) -> Result<()> {
    next.check()?;
    if std::mem::discriminant(&now) != std::mem::discriminant(&next) {
        return Err(Error::argument("the optimizer", next.name(), now.name()));
    }
    Ok(())
}

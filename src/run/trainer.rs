//! Training on the GPU, and the trait that it shares with the CPU.

use crate::error::{Error, Result};
use crate::export::WgslFunction;
use crate::gpu::{
    BufferRange, Buffers, Count, Gpu, Prepared, Program, bind, check_usage, find, lock,
    make_buffers, record,
};
use crate::kernels::infer::Quantity;
use crate::kernels::step::Status;
use crate::network::{Mlp, Parameters};
use crate::numeric::wide;
use crate::plan::{Buffer, Plan, Stages};
use crate::run::log::Log;
use crate::run::predictor::Predictor;
use crate::run::{Evaluation, Inference, Output, Rows, Snapshot};
use crate::training::{Data, Optimizer, Sealed, TrainBase, Training, check_optimizer, check_same};
use std::sync::{Arc, Mutex};

/// Trains a population of one or more networks on the GPU.
///
/// ```no_run
/// use wgrad::{Activation, Dataset, Gpu, Init, Loss, Mlp, Optimizer, Train, Trainer, Training};
/// // The article: two rings, a 2-3-1 network, gradient descent.
/// let data = Dataset::Circles.sample(1000, 0)?;
/// let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0))
///     .init(Init::StandardNormal).seed(0);
/// let mut trainer = Trainer::new(&Gpu::new()?, &mlp, &training, &data)?;
/// trainer.train(2000)?;
/// println!("loss {:?}", trainer.losses()?.last());
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Trainer {
    pub(super) gpu: Gpu,
    pub(super) mlp: Mlp,
    pub(super) training: Training,
    pub(super) plan: Plan,
    buffers: Buffers,
    /// Whether the data's buffers are the trainer's own.
    pub(super) owns_data: bool,
    /// The number of rows, where a buffer on the GPU holds it.
    pub(super) count: Option<Count>,
    pub(super) program: Program,
    /// The update from the gradient that backward passes have added up; `program` where there are no
    /// data.
    pub(super) update: Option<Program>,
    /// A step of the trainer's own data beside its passes.
    pub(super) with_passes: Option<Program>,
    pub(super) parameters: wgpu::Buffer,
    pub(super) gradient: Option<Vec<Prepared>>,
    pub(super) layered: Option<Vec<Prepared>>,
    pub(super) input_gradient: Option<Vec<Prepared>>,
    pub(super) predictor: Option<Predictor>,
    /// The evaluations that were used last, the latest first.
    pub(super) evaluations: Vec<Evaluation>,
    /// Marks of models that have not diverged, to be copied from.
    not_diverged: Option<wgpu::Buffer>,
    /// The last buffer that parameters were copied from.
    source: Option<wgpu::Buffer>,
    /// The losses that were read. Readbacks under way share it.
    pub(super) log: Arc<Mutex<Log>>,
    /// The number of readbacks of losses.
    readbacks: u64,
    /// The number of the last run.
    runs: u32,
    /// Steps recorded since: at most so many losses are unread.
    pub(super) unread: u32,
}

impl Trainer {
    /// Plans, compiles, uploads the data, and samples the initial parameters.
    ///
    /// # Errors
    /// Those of [`Plan::new`]; data that do not fit the network; what the device refuses.
    pub fn new(gpu: &Gpu, mlp: &Mlp, training: &Training, data: &Data) -> Result<Self> {
        training.check(mlp)?;
        data.check(mlp, training)?;
        let plan = Plan::new(mlp, training, data.shape(), gpu.capabilities())?;
        let trainer = Self::build(gpu, plan, (mlp, training), Buffers::new(), None)?;
        trainer.upload_data(data)?;
        Ok(trainer)
    }

    /// A trainer without data of its own: its rows come with its passes ([`Trainer::passes`]), and
    /// a step is [`Trainer::record_update`]. The loss of its training is [`Loss::OutputGradient`].
    ///
    /// [`Loss::OutputGradient`]: crate::Loss::OutputGradient
    ///
    /// # Errors
    /// Those of [`Plan::without_data`], what the device refuses.
    pub fn without_data(gpu: &Gpu, mlp: &Mlp, training: &Training) -> Result<Self> {
        let plan = Plan::without_data(mlp, training, gpu.capabilities())?;
        Self::build(gpu, plan, (mlp, training), Buffers::new(), None)
    }

    pub(super) fn build(
        gpu: &Gpu,
        plan: Plan,
        (mlp, training): (&Mlp, &Training),
        mut buffers: Buffers,
        count: Option<Count>,
    ) -> Result<Self> {
        // What is refused is refused before any work: the parameters may be many.
        let initial = training.init.sample(mlp, training.models, training.seed)?;
        let owns_data = plan.has_data() && buffers.is_empty();
        make_buffers(gpu, plan.buffers(), &mut buffers)?;
        let program = Program::new(gpu, plan.groups(), &buffers, count.as_ref())?;
        let parameters = find(&buffers, Buffer::Parameters)?.buffer.clone();
        let mut trainer = Self {
            gpu: gpu.clone(),
            mlp: mlp.clone(),
            training: training.clone(),
            plan,
            buffers,
            owns_data,
            count,
            program,
            update: None,
            with_passes: None,
            parameters,
            gradient: None,
            layered: None,
            input_gradient: None,
            predictor: None,
            evaluations: Vec::new(),
            not_diverged: None,
            source: None,
            log: Arc::new(Mutex::new(Log::new(training.models))),
            readbacks: 0,
            runs: 0,
            unread: 0,
        };
        trainer.upload_hyperparameters(training.optimizer)?;
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

    /// [`TrainBase::set_parameters`].
    ///
    /// # Errors
    /// Parameters of another network or number of models.
    pub fn set_parameters(&mut self, parameters: &Parameters) -> Result<()> {
        self.upload_parameters(parameters)?;
        self.gpu.check_present()
    }

    /// [`TrainBase::set_optimizer`].
    ///
    /// # Errors
    /// Hyperparameters out of range, or an optimizer of another kind.
    pub fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        check_optimizer(self.training.optimizer, optimizer)?;
        self.upload_hyperparameters(optimizer)?;
        self.gpu.check_present()?;
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
        self.buffers.get(&name).map(|range| &range.buffer)
    }

    pub(super) const fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    pub(crate) fn get(&self, name: Buffer) -> Result<&wgpu::Buffer> {
        find(&self.buffers, name).map(|range| &range.buffer)
    }

    pub(super) fn upload_hyperparameters(&self, optimizer: Optimizer) -> Result<()> {
        let hyper = self.training.schedule.apply_to(optimizer.hyper());
        self.upload(Buffer::Hyper, bytemuck::bytes_of(&hyper))
    }

    pub(super) fn upload(&self, name: Buffer, bytes: &[u8]) -> Result<()> {
        self.gpu.write(self.get(name)?, 0, bytes)
    }

    /// Writes elements of a buffer from element `first` on.
    #[cfg(feature = "safetensors")]
    pub(super) fn upload_at<E: bytemuck::Pod>(
        &self,
        name: Buffer,
        first: usize,
        values: &[E],
    ) -> Result<()> {
        let offset = wide(size_of::<E>()) * wide(first);
        self.gpu.write(self.get(name)?, offset, bytemuck::cast_slice(values))
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
    /// made for `STORAGE`; a texture of another size, format or use; [`Error::TooLarge`]. Inputs and
    /// outputs may be ranges of one buffer, with two exceptions: a single layer without encodings,
    /// since one dispatch cannot both read and write a buffer, and ranges where the outputs of a slice of the
    /// rows overwrite the inputs of a later one. Nor may the outputs be in the parameters' buffer.
    pub fn inference<'a>(
        &self,
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        self.inference_from(self.parameters.slice(..), rows, x, to)
    }

    /// [`Trainer::inference`] with other parameters of the same network, `[models, P]` as
    /// [`Mlp::ranges`] lays them out: those of a [`Snapshot`], the average
    /// ([`Trainer::ema_parameter_buffer`]), or the application's own.
    ///
    /// # Errors
    /// Those of [`Trainer::inference`]; parameters at a slice that is too short, at an offset that
    /// cannot be bound, or of a buffer that was not made for `STORAGE`.
    pub fn inference_from<'a>(
        &self,
        parameters: wgpu::BufferSlice<'_>,
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        self.inference_of(&[Quantity::Outputs], parameters, rows, x, to)
    }

    /// [`Trainer::inference_from`], which writes other quantities of a row, one after the other: the
    /// slope of the outputs with respect to the inputs, its length. Of a distance field, with a texture
    /// of four channels, `[Outputs, Slope]` is the distance and the normal.
    ///
    /// # Errors
    /// Those of [`Trainer::inference_from`], where the outputs' columns are those of all quantities.
    /// With a slope, inputs and outputs lie in two buffers, and a network that is wider than
    /// [`MAX_WRITTEN_OUT`](crate::MAX_WRITTEN_OUT) has a bounded size, as
    /// [`WgslFunction::text`](crate::WgslFunction::text) says.
    pub fn inference_of<'a>(
        &self,
        quantities: &[Quantity],
        parameters: wgpu::BufferSlice<'_>,
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        let models = self.training.models;
        let shape = [1, models, self.mlp.parameters()];
        let parameters = BufferRange::new(&self.gpu, "the parameters", parameters, shape)?;
        let of = (rows.into(), x, to);
        Inference::new(&self.gpu, &self.mlp, models, parameters, quantities, of)
    }

    /// The buffer of the parameters' moving average, laid out as [`Trainer::parameter_buffer`];
    /// `None` where the training keeps none.
    pub fn ema_parameter_buffer(&self) -> Option<&wgpu::Buffer> {
        self.buffer(Buffer::EmaParameters)
    }

    /// A copy of the parameters for the application to draw with while the next are trained.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], a lost device.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let source = self.parameters.clone();
        let copy = self.gpu.storage("a snapshot of the parameters", source.size())?;
        let snapshot = Snapshot { source, copy };
        self.gpu.submit(|encoder| snapshot.record(encoder))?;
        self.gpu.check_present()?;
        Ok(snapshot)
    }

    /// Records a copy of `[models, P]` parameters from the application's buffer, and of their
    /// average; step counter and
    /// optimizer state stay, and models that had diverged are trained again. Its first call makes
    /// a small buffer; later ones allocate nothing unless the buffer is another one.
    ///
    /// # Errors
    /// A slice that is too short, at an offset that is no multiple of 4, of the trainer's own buffer,
    /// of one that was not made for `COPY_SRC`, or of another device.
    pub fn record_parameters(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        from: wgpu::BufferSlice<'_>,
    ) -> Result<()> {
        let models = self.training.models;
        let bytes = self.check_source(from)?;
        let not_diverged = match self.not_diverged.take() {
            Some(not_diverged) => not_diverged,
            None => {
                let marks = Status::marks(models);
                self.gpu.buffer_with(
                    "marks of models that have not diverged",
                    bytemuck::cast_slice(&marks),
                )?
            }
        };
        for to in [Some(&self.parameters), self.buffer(Buffer::EmaParameters)].into_iter().flatten()
        {
            encoder.copy_buffer_to_buffer(from.buffer(), from.offset(), to, 0, bytes);
        }
        let status = self.get(Buffer::Status)?;
        encoder.copy_buffer_to_buffer(&not_diverged, 0, status, Status::BYTES, 8 * wide(models));
        self.not_diverged = Some(not_diverged);
        Ok(())
    }

    /// Records a restart from `[models, P]` parameters in the application's buffer: step counter,
    /// losses, optimizer state, mini-batches and the moving average begin anew where the commands
    /// run. Each call makes a small buffer. [`TrainBase::restart`] does not wait for recorded steps.
    ///
    /// # Errors
    /// Those of [`Trainer::record_parameters`]; no memory, a lost device.
    pub fn record_restart(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        from: wgpu::BufferSlice<'_>,
    ) -> Result<()> {
        let bytes = self.check_source(from)?;
        let begin = self.next_run().with_marks(self.training.models);
        let begin = self.gpu.buffer_with("a run's beginning", bytemuck::cast_slice(&begin))?;
        let (status, states) = (self.get(Buffer::Status)?, self.get(Buffer::States)?);
        let size = begin.size().min(status.size());
        encoder.copy_buffer_to_buffer(&begin, 0, status, 0, size);
        encoder.clear_buffer(states, 0, None);
        if let Some(gradient) = self.buffer(Buffer::AccumulatedGradient) {
            encoder.clear_buffer(gradient, 0, None);
        }
        for to in [Some(&self.parameters), self.buffer(Buffer::EmaParameters)].into_iter().flatten()
        {
            encoder.copy_buffer_to_buffer(from.buffer(), from.offset(), to, 0, bytes);
        }
        Ok(())
    }

    /// Records new hyperparameters of the optimizer for the steps that are recorded after it. Each
    /// call makes a small buffer. [`TrainBase::set_optimizer`] does not wait for recorded steps.
    ///
    /// # Errors
    /// Hyperparameters out of range, an optimizer of another kind; no memory, a lost device.
    pub fn record_optimizer(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        optimizer: Optimizer,
    ) -> Result<()> {
        check_optimizer(self.training.optimizer, optimizer)?;
        let hyper = self.training.schedule.apply_to(optimizer.hyper());
        let from = self.gpu.buffer_with("hyperparameters", bytemuck::bytes_of(&hyper))?;
        let to = self.get(Buffer::Hyper)?;
        encoder.copy_buffer_to_buffer(&from, 0, to, 0, wide(size_of_val(&hyper)));
        self.training.optimizer = optimizer;
        Ok(())
    }

    /// Checks that a slice of the application's holds parameters to copy. Returns their bytes.
    fn check_source(&mut self, from: wgpu::BufferSlice<'_>) -> Result<u64> {
        let bytes = 4 * wide(self.training.models) * wide(self.mlp.parameters());
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
        if self.source.as_ref() != Some(from.buffer()) {
            // Nothing is submitted: only a buffer of this device can be recorded.
            self.gpu.guarded("the parameters' source", || {
                let device = self.gpu.device();
                let mut encoder = device.create_command_encoder(&Default::default());
                encoder.copy_buffer_to_buffer(from.buffer(), from.offset(), &self.parameters, 0, 4);
                drop(encoder.finish());
            })?;
            self.source = Some(from.buffer().clone());
        }
        Ok(bytes)
    }

    /// [`TrainBase::restart`].
    ///
    /// # Errors
    /// Parameters of another network or number of models.
    pub fn restart(&mut self, parameters: &Parameters) -> Result<()> {
        self.upload_parameters(parameters)?;
        let header = self.next_run();
        self.gpu.write(self.get(Buffer::Status)?, 0, bytemuck::bytes_of(&header))?;
        let states = self.get(Buffer::States)?;
        self.gpu.submit(|encoder| {
            encoder.clear_buffer(states, 0, None);
            if let Some(gradient) = self.buffer(Buffer::AccumulatedGradient) {
                encoder.clear_buffer(gradient, 0, None);
            }
            if let Some(ema) = self.buffer(Buffer::EmaParameters) {
                encoder.copy_buffer_to_buffer(&self.parameters, 0, ema, 0, ema.size());
            }
        })?;
        self.gpu.check_present()?;
        let readback = self.next_readback();
        lock(&self.log).start(header.run, readback);
        self.unread = 0;
        Ok(())
    }

    /// The counters with which the next run starts.
    pub(super) fn next_run(&mut self) -> Status {
        self.runs = self.runs.wrapping_add(1);
        Status { run: self.runs, ..Status::default() }
    }

    /// The number of the readback of losses that begins.
    pub(super) const fn next_readback(&mut self) -> u64 {
        self.readbacks += 1;
        self.readbacks
    }

    fn upload_parameters(&self, parameters: &Parameters) -> Result<()> {
        check_same(&self.mlp, self.training.models, parameters)?;
        self.upload(Buffer::Parameters, bytemuck::cast_slice(parameters.values()))?;
        if self.training.ema.is_some() {
            self.upload(Buffer::EmaParameters, bytemuck::cast_slice(parameters.values()))?;
        }
        let marks = Status::marks(self.training.models);
        self.gpu.write(self.get(Buffer::Status)?, Status::BYTES, bytemuck::cast_slice(&marks))
    }

    /// Checks that the training has data of its own.
    pub(super) fn check_has_data(&self, what: &str) -> Result<()> {
        if self.plan.has_data() {
            return Ok(());
        }
        Err(Error::argument(what, "of a trainer without data", "a trainer's own"))
    }

    /// Checks that the host knows the rows of a step.
    pub(super) fn check_own_rows(&self, what: &str) -> Result<()> {
        self.check_has_data(what)?;
        if self.count.is_none() {
            return Ok(());
        }
        let found = "as many as a count on the GPU says";
        Err(Error::argument(what, found, "a trainer's own, all of them"))
    }

    /// Compiles some of the plan's dispatches and makes the buffers that they need and no step does.
    pub(super) fn prepare(&mut self, stages: &Stages) -> Result<Vec<Prepared>> {
        let mut buffers = self.buffers.clone();
        // A step's scratch that is too small for these stages is not theirs.
        buffers.retain(|name, range| {
            let needed = stages.buffers.iter().find(|(needed, _)| needed == name);
            needed.is_none_or(|(_, bytes)| !name.is_scratch() || range.buffer.size() >= *bytes)
        });
        let prepared = bind(&self.gpu, stages, &mut buffers, &[], self.count.as_ref())?;
        for (name, range) in buffers {
            self.buffers.entry(name).or_insert(range);
        }
        Ok(prepared)
    }

    /// Samples the next step's mini-batch into its buffers, which are returned; for full batches
    /// they are the data's own.
    pub(crate) fn batch_buffers(&mut self) -> Result<[BufferRange; 2]> {
        self.check_own_rows("the rows of a comparison")?;
        let stages = self.plan.gather()?;
        if !stages.nodes.is_empty() {
            let program = self.prepare(&stages)?;
            self.gpu.submit(|encoder| record(encoder, &program, 1))?;
        }
        let [inputs, targets] = self.plan.batch_buffers();
        Ok([find(&self.buffers, inputs)?.clone(), find(&self.buffers, targets)?.clone()])
    }
}

impl Sealed for Trainer {}

impl TrainBase for Trainer {
    type Scalar = f32;

    fn device(&self) -> String {
        self.gpu.to_string()
    }

    fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    fn training(&self) -> &Training {
        &self.training
    }

    fn set_parameters(&mut self, parameters: &Parameters) -> Result<()> {
        Self::set_parameters(self, parameters)
    }

    fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        Self::set_optimizer(self, optimizer)
    }

    fn forget_losses(&mut self) {
        lock(&self.log).forget();
    }

    fn set_data(&mut self, data: &Data) -> Result<()> {
        Self::set_data(self, data)
    }

    fn restart(&mut self, parameters: &Parameters) -> Result<()> {
        Self::restart(self, parameters)
    }

    #[cfg(feature = "safetensors")]
    fn resume(&mut self, checkpoint: &crate::training::Checkpoint) -> Result<()> {
        Self::resume(self, checkpoint)
    }
}

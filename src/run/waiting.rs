//! What waits for the GPU: each function has a blocking form, and this one that does not block.

use super::health;
use super::predictor::{Predictor, predict};
use crate::error::Result;
use crate::gpu::{find, lock, record};
use crate::kernels::measure::domain::{self, CheckDomain};
use crate::kernels::step::Status;
use crate::network::Parameters;
use crate::numeric::{narrow, to_u32, wide};
use crate::plan::Buffer;
use crate::run::Trainer;
use crate::run::clock::Instant;
use crate::training::{
    DataFaults, DataReport, Domain, Gradients, Health, Losses, all_diverged, check_ema,
};

/// What [`Trainer::warm_up`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarmUp {
    /// Kernels that it compiled.
    pub kernels: usize,
    /// How long it took, the first run of all of them included.
    pub time: std::time::Duration,
}

/// Dispatches of one submission of a training.
const SUBMIT_DISPATCHES: usize = 1024;

/// Operations of one submission: a driver that counts a submission as one piece of work should
/// not take it for a hang.
const SUBMIT_OPERATIONS: u64 = 1 << 35;

impl Trainer {
    /// Compiles the kernels that a later call of [`Train::gradients`](crate::Train::gradients) or [`Train::predict`](crate::Train::predict) needs
    /// and runs each once with those of a step, whose effects are taken back: so that the first frame
    /// waits for no compiler. Waits for the GPU.
    ///
    /// # Errors
    /// A lost device, no memory.
    pub async fn warm_up_async(&mut self) -> Result<WarmUp> {
        let start = Instant::now();
        let known = self.gpu.compiled();
        self.drain().await?;
        if self.gradient.is_none() && self.plan.has_data() {
            self.gradient = Some(self.prepare(&self.plan.gradient()?)?);
        }
        let predictor = match self.predictor.take() {
            Some(predictor) => predictor,
            None => {
                let (rows, models) = (self.plan.batch(), self.training.models);
                let source = self.parameters.clone().into();
                Predictor::new(&self.gpu, &self.mlp, models, rows, &source)?
            }
        };
        // Drivers compile at a kernel's first run.
        let kept = self.keep_state()?;
        self.gpu.submit(|encoder| {
            record(encoder, self.gradient.as_deref().unwrap_or_default(), 1);
            // One step: groups of more run the same kernels.
            self.program.record(encoder, 1, None);
        })?;
        self.restore(&kept)?;
        predictor.submit(&self.gpu)?;
        self.predictor = Some(predictor);
        self.status().await?;
        Ok(WarmUp { kernels: self.gpu.compiled() - known, time: start.elapsed() })
    }

    /// Copies of what steps change.
    pub(super) fn keep_state(&self) -> Result<Vec<[wgpu::Buffer; 2]>> {
        use Buffer::{
            AccumulatedGradient, EmaParameters, Losses, Parameters, States, Status, TableSums,
        };
        let changed =
            [Parameters, States, Status, Losses, EmaParameters, TableSums, AccumulatedGradient];
        let kept = changed.into_iter().filter_map(|name| self.buffer(name)).map(|buffer| {
            Ok([buffer.clone(), self.gpu.storage("what steps change", buffer.size())?])
        });
        let kept = kept.collect::<Result<Vec<_>>>()?;
        self.gpu.submit(|encoder| {
            for [buffer, copy] in &kept {
                encoder.copy_buffer_to_buffer(buffer, 0, copy, 0, buffer.size());
            }
        })?;
        Ok(kept)
    }

    /// Puts back what [`Trainer::keep_state`] has kept.
    pub(super) fn restore(&self, kept: &[[wgpu::Buffer; 2]]) -> Result<()> {
        self.gpu.submit(|encoder| {
            for [buffer, copy] in kept {
                encoder.copy_buffer_to_buffer(copy, 0, buffer, 0, buffer.size());
            }
        })
    }

    /// Begins to read `count` elements of a buffer: what was submitted until this call. The future
    /// does not borrow the trainer.
    pub(super) fn read<T: bytemuck::Pod>(
        &self,
        name: Buffer,
        first: usize,
        count: usize,
    ) -> impl Future<Output = Result<Vec<T>>> + use<T> {
        let size = wide(size_of::<T>());
        let begin = |buffer| self.gpu.read(buffer, size * wide(first), size * wide(count));
        let reading = self.get(name).and_then(begin);
        async move { Ok(bytemuck::pod_collect_to_vec(&reading?.await?)) }
    }

    /// The counters, and the step at which each model diverged.
    pub(super) fn status(
        &self,
    ) -> impl Future<Output = Result<(Status, Vec<Option<u64>>)>> + use<> {
        let bytes = Status::bytes(self.training.models).map(narrow);
        let reading = bytes.map(|bytes| self.read::<u8>(Buffer::Status, 0, bytes));
        async move {
            let bytes = reading?.await?;
            let (counters, marks) = bytes.split_at(size_of::<Status>());
            let counters: Status = bytemuck::pod_read_unaligned(counters);
            Ok((counters, Status::diverged(&bytemuck::pod_collect_to_vec::<u8, u32>(marks))))
        }
    }

    /// The history on the GPU.
    fn ring(&self) -> impl Future<Output = Result<Vec<f32>>> + use<> {
        self.read(Buffer::Losses, 0, self.plan.history() * self.training.models)
    }

    /// Moves the losses that were not read yet from the GPU to the log. Returns the counters.
    pub(super) async fn drain(&mut self) -> Result<Status> {
        let readback = self.next_readback();
        let (status, _) = self.status().await?;
        let lacks = lock(&self.log).lacks(&status);
        if lacks {
            let ring = self.ring().await?;
            lock(&self.log).take_in(readback, &status, &ring);
        }
        self.unread = 0;
        Ok(status)
    }

    /// [`Train::train`](crate::Train::train) without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    pub async fn train_async(&mut self, steps: u32) -> Result<()> {
        self.check_has_data("the rows of the steps")?;
        let history = to_u32("the history", wide(self.plan.history()))?;
        let group = self.plan.groups().first();
        let (steps_each, dispatches) = group.map_or((1, 1), |g| (g.steps, g.nodes.len()));
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
        all_diverged(&self.status().await?.1)
    }

    /// [`Train::diverged`](crate::Train::diverged) without blocking. The future does not borrow the
    /// trainer and gives what the steps until this call have left.
    ///
    /// # Errors
    /// A lost device.
    pub fn diverged_async(&self) -> impl Future<Output = Result<Vec<Option<u64>>>> + use<> {
        let status = self.status();
        async move { Ok(status.await?.1) }
    }

    /// [`Train::losses`](crate::Train::losses) without blocking. The future does not borrow the
    /// trainer: a page goes on recording frames while it waits. It gives the losses of the steps
    /// submitted until this call, and those that a later call has read meanwhile.
    ///
    /// # Errors
    /// A lost device.
    pub fn losses_async(&mut self) -> impl Future<Output = Result<Losses>> + use<> {
        let (readback, log) = (self.next_readback(), self.log.clone());
        let (status, ring) = (self.status(), self.ring());
        async move {
            let ((status, _), ring) = (status.await?, ring.await?);
            let mut log = lock(&log);
            log.take_in(readback, &status, &ring);
            Ok(log.losses().clone())
        }
    }

    /// [`Train::parameters`](crate::Train::parameters) without blocking. The future does not borrow the
    /// trainer and gives what the steps submitted until this call have left: a page goes on recording
    /// frames while it waits.
    ///
    /// # Errors
    /// A lost device.
    pub fn parameters_async(&self) -> impl Future<Output = Result<Parameters>> + use<> {
        self.read_parameters(Buffer::Parameters)
    }

    fn read_parameters(&self, name: Buffer) -> impl Future<Output = Result<Parameters>> + use<> {
        let (mlp, models) = (self.mlp.clone(), self.training.models);
        let values = self.read(name, 0, models * mlp.parameters());
        async move { Parameters::new(mlp, models, values.await?) }
    }

    /// [`Train::ema_parameters`](crate::Train::ema_parameters) without blocking. The future does not borrow the
    /// trainer and gives what the steps submitted until this call have left: a page goes on recording
    /// frames while it waits.
    ///
    /// # Errors
    /// Those of the blocking form.
    pub fn ema_parameters_async(&self) -> impl Future<Output = Result<Parameters>> + use<> {
        let reading =
            check_ema(&self.training).map(|()| self.read_parameters(Buffer::EmaParameters));
        async move { reading?.await }
    }

    /// Runs the gradient of the next step's batch, layer by layer.
    async fn run_layered(&mut self) -> Result<()> {
        self.check_own_rows("the rows of a gradient")?;
        self.drain().await?;
        if self.layered.is_none() {
            self.layered = Some(self.prepare(&self.plan.layered()?)?);
        }
        let program = self.layered.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))
    }

    /// [`Train::gradients`](crate::Train::gradients) without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn gradients_async(&mut self) -> Result<Gradients> {
        let models = self.training.models;
        if !self.plan.has_data() {
            let count = models * self.mlp.parameters();
            let values = self.read(Buffer::AccumulatedGradient, 0, count).await?;
            return Ok(Gradients { losses: vec![0.0; models], values });
        }
        // The loss takes the next step's place in the history: what is there is read before.
        let slot = self.drain().await?.slot as usize;
        if self.gradient.is_none() {
            self.gradient = Some(self.prepare(&self.plan.gradient()?)?);
        }
        let program = self.gradient.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))?;
        let losses = self.read(Buffer::Losses, slot * models, models).await?;
        let values = self.read(Buffer::Gradient, 0, models * self.mlp.parameters()).await?;
        Ok(Gradients { losses, values })
    }

    /// [`Train::input_gradient`](crate::Train::input_gradient) without blocking.
    ///
    /// # Errors
    /// A lost device; [`Error::TooLarge`](crate::Error::TooLarge).
    pub async fn input_gradient_async(&mut self) -> Result<Vec<f32>> {
        self.check_has_data("the rows of a gradient")?;
        self.drain().await?;
        if self.input_gradient.is_none() {
            self.input_gradient = Some(self.prepare(&self.plan.input_gradient()?)?);
        }
        let program = self.input_gradient.as_deref().unwrap_or_default();
        self.gpu.submit(|encoder| record(encoder, program, 1))?;
        let count = self.training.models * self.plan.batch() * self.mlp.inputs;
        self.read(Buffer::InputGradient, 0, count).await
    }

    /// [`Train::predict`](crate::Train::predict) without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    pub async fn predict_async(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let mut kept = self.predictor.take();
        let models = self.training.models;
        let parameters = self.buffer(Buffer::EmaParameters).unwrap_or(&self.parameters);
        let source = parameters.clone().into();
        let y = predict(&mut kept, &self.gpu, &self.mlp, models, &source, x).await;
        self.predictor = kept;
        y
    }

    /// `check_data` without blocking.
    ///
    /// # Errors
    /// A lost device; more data than a shader counts.
    pub async fn check_data_async(&mut self) -> Result<DataReport> {
        self.check_has_data("the rows of the data")?;
        let (sets, rows) = self.plan.data();
        let mut found = [DataFaults::default(); 2];
        let parts = [
            (Buffer::Inputs, Domain::of_inputs(&self.mlp), self.mlp.inputs),
            (
                Buffer::Targets,
                Domain::of_targets(self.training.loss, self.mlp.outputs()),
                self.mlp.outputs(),
            ),
        ];
        for ((name, domain, columns), found) in parts.into_iter().zip(&mut found) {
            let check = CheckDomain { domain: &domain, rows: sets * rows, columns };
            let faults = self.gpu.buffer_with("faults", bytemuck::bytes_of(&domain::NONE))?;
            let values = find(self.buffers(), name)?.binding();
            let bindings = [values, faults.as_entire_buffer_binding()];
            let prepared = self.gpu.prepare(&check.dispatch()?, &bindings)?;
            self.gpu.submit(|encoder| record(encoder, &[prepared], 1))?;
            let bytes = self.gpu.read(&faults, 0, faults.size())?.await?;
            *found = DataFaults::new(bytemuck::pod_read_unaligned(&bytes));
        }
        let [inputs, targets] = found;
        Ok(DataReport { inputs, targets })
    }

    /// [`Train::health`](crate::Train::health) without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn health_async(&mut self) -> Result<Health> {
        self.run_layered().await?;
        health::on_gpu(self).await
    }
}

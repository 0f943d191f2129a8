//! A trainer's state, read from the GPU and put back.

use crate::error::{Error, Result};
use crate::gpu::lock;
use crate::plan::Buffer;
use crate::run::Trainer;
use crate::training::{Checkpoint, Cursor, Progress};

impl Trainer {
    /// [`Train::checkpoint`](crate::Train::checkpoint) without blocking.
    ///
    /// # Errors
    /// A lost device.
    pub async fn checkpoint_async(&mut self) -> Result<Checkpoint> {
        let status = self.drain().await?;
        let losses = lock(&self.log).losses().clone();
        let progress = Progress {
            step: status.next_step(),
            updates: status.updates(),
            cursor: Cursor { epoch: status.epoch, position: status.position },
            diverged: self.diverged_async().await?,
        };
        let parameters = self.parameters_async().await?;
        let mut checkpoint = Checkpoint::new(&self.training, parameters, progress, losses)?;
        let count = self.training.models * self.mlp.parameters();
        let stride = self.plan.state_stride();
        for i in 0..self.training.optimizer.states() {
            checkpoint.states.push(self.read(Buffer::States, i * stride, count).await?);
        }
        if self.training.ema.is_some() {
            checkpoint.ema = self.read(Buffer::EmaParameters, 0, count).await?;
        }
        if self.buffer(Buffer::AccumulatedGradient).is_some() {
            checkpoint.gradient = self.read(Buffer::AccumulatedGradient, 0, count).await?;
        }
        Ok(checkpoint)
    }

    /// [`TrainBase::resume`](crate::TrainBase::resume).
    ///
    /// # Errors
    /// A checkpoint of another network or training, a lost device.
    pub fn resume(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let (_, rows) = self.plan.data();
        let training = checkpoint.check(&self.mlp, &self.training, rows)?;
        let gradient = &checkpoint.gradient;
        if self.buffer(Buffer::AccumulatedGradient).is_none() && gradient.iter().any(|g| *g != 0.0)
        {
            let what = "the checkpoint's gradient between two updates";
            let allowed = "0 for a trainer that has not made its passes";
            return Err(Error::argument(what, "not 0", allowed));
        }
        // Everything that a run begins with, and then what it has come to.
        self.restart(checkpoint.parameters())?;
        self.training = training;
        self.upload_hyperparameters(self.training.optimizer)?;
        let stride = self.plan.state_stride();
        for (i, state) in checkpoint.states.iter().enumerate() {
            self.upload_at(Buffer::States, i * stride, state)?;
        }
        for (name, values) in [
            (Buffer::EmaParameters, &checkpoint.ema),
            (Buffer::AccumulatedGradient, &checkpoint.gradient),
        ] {
            if self.buffer(name).is_some() {
                self.upload_at(name, 0, values)?;
            }
        }
        let Progress { step, updates, cursor, diverged } = &checkpoint.progress;
        let readback = self.next_readback();
        let header = self.next_run().at(*step, *updates, [cursor.epoch, cursor.position]);
        let status: Vec<u32> = header.with_diverged(diverged);
        self.upload_at(Buffer::Status, 0, &status)?;
        self.gpu.check_present()?;
        lock(&self.log).resume(header.run, readback, *step, &checkpoint.losses);
        Ok(())
    }
}

//! The stages at the beginning and end of every step, whatever the strategy: the mini-batch, the
//! sums, the clipping, the update, the moving average.

use super::Buffer;
use super::builder::{Builder, Gradient};
use super::sizes::Sizes;
use crate::error::Result;
use crate::kernels::Dispatch;
use crate::kernels::step::Status;
use crate::kernels::step::clip::Clip;
use crate::kernels::step::ema::Ema;
use crate::kernels::step::reduce::Reduce;
use crate::numeric::wide;
use crate::training::Hyper;

impl Sizes {
    /// The buffers of a step's inputs and targets.
    pub fn batch_buffers(&self) -> [Buffer; 2] {
        if self.is_mini_batch() {
            [Buffer::BatchInputs, Buffer::BatchTargets]
        } else {
            [Buffer::Inputs, Buffer::Targets]
        }
    }
}

impl Builder<'_> {
    /// Adds the buffers that a training keeps from step to step.
    pub fn state(&mut self, sizes: &Sizes) -> Result<()> {
        let (mlp, training, data) = (&sizes.mlp, &sizes.training, sizes.data);
        let each = [training.models, mlp.parameters()];
        self.buffer(Buffer::Inputs, &[data.sets, data.rows, mlp.inputs])?;
        self.buffer(Buffer::Targets, &[data.sets, data.rows, mlp.outputs()])?;
        self.buffer(Buffer::Parameters, &each)?;
        if training.ema.is_some() {
            self.buffer(Buffer::EmaParameters, &each)?;
        }
        let states = training.optimizer.states();
        self.buffer(Buffer::States, &[states, sizes.update().state_stride()])?;
        self.bytes(Buffer::Hyper, wide(size_of::<Hyper>()));
        self.bytes(Buffer::Status, Status::bytes(training.models)?);
        self.buffer(Buffer::Losses, &[sizes.history, training.models])
    }

    /// Samples the mini-batch; adds nothing where a step uses all rows.
    pub fn gather(&mut self, sizes: &Sizes) -> Result<()> {
        if !sizes.is_mini_batch() {
            return Ok(());
        }
        use Buffer::{BatchInputs, BatchTargets, Inputs, Status, Targets};
        self.buffer(BatchInputs, &[self.sets, self.batch, self.mlp.inputs])?;
        self.buffer(BatchTargets, &[self.sets, self.batch, self.mlp.outputs()])?;
        let dispatch = sizes.gather().dispatch(self.capabilities)?;
        self.push(dispatch, &[Status, Inputs, Targets, BatchInputs, BatchTargets]);
        Ok(())
    }

    /// Sums the partial results of a step: `splits` parts of the layers' gradient, or 0 where it is
    /// complete, and `loss_groups` parts of each model's loss.
    pub fn reduce(&mut self, splits: usize, loss_groups: usize, partial: Buffer) -> Result<()> {
        use Buffer::{Losses, PartialLoss, Status};
        let gradient = self.gradient.buffer();
        self.buffer(gradient, &[self.models, self.parameters])?;
        let reduce = Reduce {
            parameters: self.parameters - self.tables,
            models: self.models,
            splits,
            loss_groups,
            tables: self.tables,
            padded: true,
            marks: self.marks,
            adds: self.gradient == Gradient::Adds,
        };
        let dispatch = reduce.dispatch(self.capabilities)?;
        self.push(dispatch, &[partial, PartialLoss, gradient, Losses, Status]);
        self.loss_groups = loss_groups;
        Ok(())
    }

    /// An update from the gradient that has been added up: the check that it is finite, the update, the
    /// step counter. The gradient is 0 afterwards. The step's loss is that of the gradient that this
    /// builder has added, or 0.
    pub fn accumulated_update(&mut self, sizes: &Sizes) -> Result<()> {
        use Buffer::{AccumulatedGradient, Losses, PartialLoss, Status, Unused};
        self.gradient = Gradient::Adds;
        self.buffer(AccumulatedGradient, &[self.models, self.parameters])?;
        for i in 0..2 {
            self.bytes(Unused(i), 4);
        }
        let check = Reduce {
            parameters: self.parameters,
            models: self.models,
            splits: 0,
            loss_groups: self.loss_groups,
            tables: 0,
            padded: true,
            marks: true,
            adds: false,
        };
        let loss = if self.loss_groups > 0 { PartialLoss } else { Unused(1) };
        let buffers = [Unused(0), loss, AccumulatedGradient, Losses, Status];
        self.push(check.dispatch(self.capabilities)?, &buffers);
        self.clip(sizes, AccumulatedGradient)?;
        let update = sizes.update().dispatch(self.capabilities)?.overriding("CLEARS");
        self.update_by(sizes, update, AccumulatedGradient)
    }

    /// Clips the gradient in the buffer `gradient`; adds nothing where the training does not clip.
    pub fn clip(&mut self, sizes: &Sizes, gradient: Buffer) -> Result<()> {
        let Some(max_norm) = sizes.training.clip_norm else { return Ok(()) };
        let (parameters, models) = (self.parameters, self.models);
        let clip = Clip { parameters, models, max_norm, rates: &sizes.rates };
        self.buffer(Buffer::PartialNorm, &[models, clip.groups(), 2])?;
        for dispatch in clip.dispatches()? {
            self.push(dispatch, &[gradient, Buffer::PartialNorm]);
        }
        Ok(())
    }

    /// Updates the parameters by the gradient in the buffer `gradient`, the step counter, and the
    /// moving average where the training keeps one.
    pub fn update(&mut self, sizes: &Sizes, gradient: Buffer) -> Result<()> {
        self.update_by(sizes, sizes.update().dispatch(self.capabilities)?, gradient)
    }

    fn update_by(&mut self, sizes: &Sizes, update: Dispatch, gradient: Buffer) -> Result<()> {
        use Buffer::{EmaParameters, Hyper, Parameters, States, Status};
        self.push(update, &[Hyper, gradient, Parameters, States, Status]);
        if let Some(decay) = sizes.training.ema {
            let dispatch =
                Ema { elements: self.models.saturating_mul(self.parameters), decay }.dispatch()?;
            self.push(dispatch, &[Parameters, Status, EmaParameters]);
        }
        Ok(())
    }
}

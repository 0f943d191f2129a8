//! The loss and the accuracy on other rows than the training's, slice after slice.

use super::builder::Builder;
use super::layered::Purpose;
use super::{Buffer, Prediction, Stages};
use crate::error::{Error, Result};
use crate::kernels::Capabilities;
use crate::kernels::measure::evaluate::Evaluate;
use crate::kernels::step;
use crate::kernels::step::loss::LossGradient;
use crate::kernels::step::reduce::Reduce;
use crate::network::Mlp;
use crate::training::{Classes, DataShape, Training, check_sets};

/// The forward pass, the loss and the number of right rows.
#[derive(Debug, Clone)]
pub(crate) struct EvaluationPlan {
    /// Rows of a slice; the last one may have fewer. Slices lie one behind the other in the
    /// buffers of inputs and targets, `[sets, rows of the slice, width]` each.
    pub slice: usize,
    /// Its [`Buffer::Losses`] are `[models]` losses and, where there are classes, `[models]` numbers of
    /// right rows.
    pub stages: Stages,
}

impl EvaluationPlan {
    /// The plan for data of the shape `shape` whose classes are told by `classes`.
    pub fn new(
        mlp: &Mlp,
        training: &Training,
        shape: DataShape,
        classes: Classes,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        training.check(mlp)?;
        let (DataShape { sets, rows }, models) = (shape, training.models);
        check_sets(sets, models)?;
        if rows == 0 {
            return Err(Error::argument("the data's number of rows", 0, "1 or more"));
        }
        let slice = Prediction::slice_of_sets(mlp, models, sets, rows, capabilities).min(rows);
        let mut b = Builder::new(mlp, capabilities, models, sets, slice);
        b.buffer(Buffer::Inputs, &[sets, rows, mlp.inputs])?;
        b.buffer(Buffer::Targets, &[sets, rows, mlp.outputs()])?;
        b.buffer(Buffer::Parameters, &[models, mlp.parameters()])?;
        let loss = |batch| LossGradient {
            loss: training.loss,
            activation: mlp.last_activation(),
            models,
            own_targets: sets > 1,
            batch,
            outputs: mlp.outputs(),
            inputs: mlp.inputs,
        };
        let (whole, rest) = (rows / slice, rows % slice);
        let groups = loss(slice).groups(capabilities);
        let of_rest = if rest > 0 { loss(rest).groups(capabilities) } else { 0 };
        let line = groups.saturating_mul(whole).saturating_add(of_rest);
        let lines = if classes == Classes::None { models } else { models.saturating_mul(2) };
        b.buffer(Buffer::PartialLoss, &[lines, line])?;
        for (index, first) in (0..rows).step_by(slice).enumerate() {
            b.batch = slice.min(rows - first);
            b.read_from = first.saturating_mul(sets);
            b.forward(Buffer::Inputs, Purpose::Loss)?;
            let evaluate = Evaluate {
                loss: loss(b.batch),
                classes,
                first,
                all: rows,
                first_group: groups * index,
                line,
            };
            let z = Buffer::Activation(mlp.layers.len() - 1);
            let buffers = [z, Buffer::Targets, Buffer::PartialLoss, Buffer::Inputs];
            b.push(evaluate.dispatch(capabilities)?, &buffers);
        }
        b.line_sums(lines, line)?;
        Ok(Self { slice, stages: b.finish()? })
    }
}

impl Builder<'_> {
    /// The sum of each of `lines` lines of partial sums, in [`Buffer::Losses`].
    fn line_sums(&mut self, lines: usize, line: usize) -> Result<()> {
        use Buffer::{Losses, PartialLoss, Status, Unused};
        self.bytes(Status, step::Status::bytes(lines)?);
        self.buffer(Losses, &[lines])?;
        for i in 0..2 {
            self.bytes(Unused(i), 4);
        }
        let reduce = Reduce {
            parameters: 0,
            models: lines,
            splits: 0,
            loss_groups: line,
            tables: 0,
            padded: true,
            marks: false,
            adds: false,
        };
        let buffers = [Unused(0), PartialLoss, Unused(1), Losses, Status];
        self.push(reduce.dispatch(self.capabilities)?, &buffers);
        Ok(())
    }
}

//! The losses of many copies of one model, for a gradient by finite differences.

use super::builder::Builder;
use super::layered::Purpose;
use super::{Buffer, Node, Stages};
use crate::error::Result;
use crate::kernels::Capabilities;
use crate::kernels::measure::perturb::Perturb;
use crate::kernels::step;
use crate::kernels::step::reduce::Reduce;
use crate::network::Mlp;
use crate::numeric::narrow;
use crate::training::Loss;

/// The losses of a population of copies of one model. Each copy has one parameter changed.
#[derive(Debug, Clone)]
pub(crate) struct FiniteDifferencePlan {
    pub models: usize,
    pub forward: Stages,
}

/// The largest number of elements of a layer's activations over all copies. It limits the number of
/// copies.
const COPIES_ELEMENTS: usize = 1 << 22;

impl FiniteDifferencePlan {
    /// The plan for several copies at once. Their number is limited by `COPIES_ELEMENTS`, by the
    /// device and by the number of parameters.
    pub fn new(mlp: &Mlp, loss: Loss, rows: usize, capabilities: &Capabilities) -> Result<Self> {
        mlp.check()?;
        let p = mlp.parameters();
        let most = COPIES_ELEMENTS.min(narrow(capabilities.max_binding() / 8));
        let widest = mlp.layers.iter().map(|l| l.units).fold(mlp.layer_inputs(0), usize::max);
        let widest = widest.saturating_mul(rows).max(p);
        let models = (most / widest).clamp(1, p);
        let mut b = Builder::new(mlp, capabilities, models, 1, rows);
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Targets, &[rows, mlp.outputs()])?;
        b.buffer(Buffer::Parameters, &[models, p])?;
        b.buffer(Buffer::Base, &[p])?;
        b.buffer(Buffer::Replaced, &[p])?;
        b.bytes(Buffer::Status, step::Status::bytes(models)?);
        b.buffer(Buffer::Losses, &[models])?;
        for i in 0..2 {
            b.bytes(Buffer::Unused(i), 4);
        }
        b.forward(Buffer::Inputs, Purpose::Loss)?;
        let loss_groups = b.loss(loss, [Buffer::Inputs, Buffer::Targets])?;
        let reduce = Reduce {
            parameters: 0,
            models,
            splits: 0,
            loss_groups,
            tables: 0,
            padded: true,
            marks: true,
            adds: false,
        };
        use Buffer::{Losses, PartialLoss, Status, Unused};
        b.push(
            reduce.dispatch(capabilities)?,
            &[Unused(0), PartialLoss, Unused(1), Losses, Status],
        );
        Ok(Self { models, forward: b.finish()? })
    }

    /// The dispatch that makes the copies. They replace the parameters from `first` on.
    pub fn perturb(&self, mlp: &Mlp, first: usize) -> Result<Node> {
        Ok(Node {
            dispatch: Perturb { parameters: mlp.parameters(), models: self.models, first }
                .dispatch()?,
            buffers: vec![Buffer::Base, Buffer::Replaced, Buffer::Parameters],
        })
    }
}

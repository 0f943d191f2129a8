//! The value and the gradient of a [`Loss`], from the last layer's pre-activations z.
//!
//! The gradient is with respect to z: it includes the derivative of the last activation.

use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant};
use crate::network::Activation;
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::training::Loss;
use crate::training::loss::Argument;
use crate::wgsl::shader_struct;

/// `shaders/step/loss.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "loss" in "step/loss",
    Parameters,
    [LOSS_ROW],
    [
        Slot::read("z"),
        Slot::read("targets"),
        Slot::write("delta"),
        Slot::write("partial"),
    ]
);

shader_struct! {
    /// `z` and `delta` are `[models, rows, width]`, `targets` `[sets, rows, width]` and `partial`
    /// `[models, groups]`.
    pub Parameters {
        /// Rows of a model. Where outputs do not depend on each other, each output is a row.
        rows: u32,
        /// Elements of a row.
        width: u32,
        /// The number of models.
        models: u32,
        /// The number of workgroups of a model.
        groups: u32,
        /// Elements from one model's targets to the next's; 0 where all models share them.
        target_model: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// The number of rows of an invocation.
        run: u32,
    }
}

/// The largest width of a row of a loss that couples its outputs. An invocation loops over a row
/// three times, and llvmpipe ends its loops after 65,535 iterations.
pub const MAX_WIDTH: usize = 21_000;

/// The approximate number of partial sums of a model's loss where each invocation stores its own.
const PARTIAL_SUMS: usize = 1024;

/// Describes a loss after a last layer.
#[derive(Debug, Clone, Copy)]
pub struct LossGradient {
    /// The loss.
    pub loss: Loss,
    /// The last layer's activation.
    pub activation: Activation,
    /// The number of models.
    pub models: usize,
    /// Whether each model has its own targets.
    pub own_targets: bool,
    /// Rows of a model.
    pub batch: usize,
    /// Outputs of a row.
    pub outputs: usize,
}

impl LossGradient {
    /// The rows and the width that the kernel sees.
    const fn rows(&self) -> (usize, usize) {
        if self.loss.couples_outputs() {
            (self.batch, self.outputs)
        } else {
            (self.batch * self.outputs, 1)
        }
    }

    /// The number of rows of an invocation. On a CPU a barrier costs every workgroup more than a
    /// few more partial sums cost `reduce`, so each invocation there stores its own sum.
    fn run(&self, capabilities: &Capabilities) -> usize {
        let (rows, width) = self.rows();
        let most = (MAX_WIDTH / width.max(1)).max(1);
        if capabilities.software { rows.div_ceil(PARTIAL_SUMS).clamp(1, most) } else { 1 }
    }

    /// The number of partial sums of a model's loss.
    pub fn groups(&self, capabilities: &Capabilities) -> usize {
        let together = if capabilities.software { 1 } else { KERNEL.workgroup as usize };
        self.rows().0.div_ceil(together * self.run(capabilities))
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// The loss cannot follow the activation, or a loss that couples its outputs has more than
    /// [`MAX_WIDTH`] of them.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let Self { loss, activation, models, own_targets, batch, outputs } = *self;
        loss.check(activation)?;
        if loss.couples_outputs() && outputs > MAX_WIDTH {
            return Err(Error::argument(
                format!("the number of outputs of {}", loss.name()),
                outputs,
                format!("at most {MAX_WIDTH}"),
            ));
        }
        let n = |value: usize| to_u32("a size of a loss", wide(value));
        let (rows, width) = self.rows();
        let groups = self.groups(capabilities);
        let p = Parameters {
            rows: n(rows)?,
            width: n(width)?,
            models: n(models)?,
            groups: n(groups)?,
            target_model: if own_targets { n(rows * width)? } else { 0 },
            scale: to_f32(loss.scale(batch, outputs)),
            run: n(self.run(capabilities))?,
        };
        let elements = wide(models) * wide(rows) * wide(width);
        let targets = if own_targets { elements } else { elements / wide(models) };
        let groups = wide(models) * wide(groups);
        let alone = capabilities.software;
        let workgroups = if alone { groups.div_ceil(KERNEL.workgroup.into()) } else { groups };
        Ok(Dispatch::new(&KERNEL, &p, workgroups)
            .with(Variant {
                pieces: vec![loss.wgsl(), activation.wgsl()],
                generated: loss.splice(activation),
                overrides: vec![("ALONE", f64::from(u8::from(alone)))],
                ..Variant::default()
            })
            .costing(elements + targets, elements + groups, 2 * elements))
    }

    /// The loss of one model on the CPU; `delta` becomes its gradient with respect to `z`. All
    /// three slices are `[batch, outputs]`.
    pub fn reference<T: Real>(&self, z: &[T], targets: &[T], delta: &mut [T]) -> T {
        self.detached_reference([z, z], targets, delta)
    }

    /// The loss with its detached denominator, if it has one, computed from the pre-activations
    /// `detached`.
    pub(crate) fn detached_reference<T: Real>(
        &self,
        [z, detached]: [&[T]; 2],
        targets: &[T],
        delta: &mut [T],
    ) -> T {
        let Self { loss, activation, outputs, .. } = *self;
        let scale = T::of(loss.scale(self.batch, outputs));
        let (mut y, mut d) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs]);
        let mut sum = T::ZERO;
        let rows = z.chunks(outputs).zip(detached.chunks(outputs));
        let rows = rows.zip(targets.chunks(outputs)).zip(delta.chunks_mut(outputs));
        for (((z, detached), t), delta) in rows {
            match loss.argument() {
                Argument::Logit(_) => sum += scale * loss.row(z, t, delta),
                Argument::Output => {
                    for (y, z) in y.iter_mut().zip(z).chain(d.iter_mut().zip(detached)) {
                        *y = activation.value(*z);
                    }
                    sum += scale * loss.row_detached(&y, &d, t, delta);
                    for (delta, z) in delta.iter_mut().zip(z) {
                        *delta *= activation.derivative_at(*z);
                    }
                }
            }
            for delta in delta {
                *delta *= scale;
            }
        }
        sum
    }
}

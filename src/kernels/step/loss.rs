//! The value and the gradient of a [`Loss`], from the last layer's pre-activations z.
//!
//! The gradient is with respect to z: it includes the derivative of the last activation.

use crate::error::{Error, Result};
use crate::kernels::dispatch::Counted;
use crate::kernels::step::reduce::MAX_LOSS_GROUPS;
use crate::kernels::{
    Capabilities, Dispatch, Kernel, MAX_ITERATIONS, Slot, Variant, check_positive, volume,
};
use crate::network::Activation;
use crate::numeric::{Real, narrow, to_f32, to_u32, wide};
use crate::training::loss::Argument;
use crate::training::{Loss, Widths};
use crate::wgsl::shader_struct;
use std::mem::offset_of;

/// `shaders/step/loss.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "loss" in "step/loss",
    Parameters,
    [LOSS_ROW, WORKGROUP_SUM],
    [
        Slot::read("z"),
        Slot::read("targets"),
        Slot::write("delta"),
        Slot::write("partial"),
        Slot::read("inputs"),
    ]
);

shader_struct! {
    /// `z` and `delta` are `[models, rows, width]`, `targets` `[sets, rows, width]` and `partial`
    /// `[models, groups]`. `inputs` is `[sets, rows, inputs]`, where the loss reads it.
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
        /// Elements of a row of inputs.
        input_width: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// The number of rows of an invocation.
        run: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The largest width of a row of a loss that couples its outputs. An invocation loops over a row
/// three times, and the iterations of its loops are bounded.
pub const MAX_WIDTH: usize = 19_990;

/// The iterations outside of the rows: the last test of their loop, and the six halvings of a
/// workgroup's sum.
const ONCE: u64 = 1 + 7;

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
    /// Inputs of a row, before any encoding. Only a custom loss may read them.
    pub inputs: usize,
}

impl LossGradient {
    /// The rows and the width that the kernel sees.
    pub(crate) const fn rows(&self) -> (usize, usize) {
        if self.loss.couples_outputs() {
            (self.batch, self.outputs)
        } else {
            (self.batch.saturating_mul(self.outputs), 1)
        }
    }

    pub(crate) const fn widths(&self) -> Widths {
        Widths { inputs: self.inputs, outputs: self.outputs }
    }

    /// The iterations of the loops over one row, with the row's own.
    pub(crate) fn iterations(&self) -> u64 {
        let row = wide(self.loss.iterations_of_row(self.widths()));
        wide(self.rows().1).saturating_add(2).saturating_add(row)
    }

    /// Whether each invocation stores the sum of its rows. On a CPU a barrier costs every workgroup
    /// more than a few more partial sums cost `reduce`. Elsewhere the workgroups' sums may be so
    /// many that `reduce` could not add them up.
    pub(crate) fn is_alone(&self, capabilities: &Capabilities) -> bool {
        let workgroups = self.rows().0 / KERNEL.workgroup as usize;
        capabilities.software || workgroups > MAX_LOSS_GROUPS
    }

    /// The number of rows of an invocation.
    pub(crate) fn run(&self, capabilities: &Capabilities) -> usize {
        let rows = self.rows().0;
        let most = narrow((MAX_ITERATIONS - ONCE) / self.iterations()).max(1);
        if self.is_alone(capabilities) { rows.div_ceil(PARTIAL_SUMS).clamp(1, most) } else { 1 }
    }

    /// The number of partial sums of a model's loss.
    pub fn groups(&self, capabilities: &Capabilities) -> usize {
        let together = if self.is_alone(capabilities) { 1 } else { KERNEL.workgroup as usize };
        self.rows().0.div_ceil(together * self.run(capabilities))
    }

    /// Checks what every kernel demands that computes this loss.
    ///
    /// # Errors
    /// Those of [`LossGradient::dispatch`].
    pub(crate) fn check(&self) -> Result<()> {
        let Self { loss, activation, models, batch, outputs, .. } = *self;
        loss.check(activation)?;
        loss.check_widths(self.widths())?;
        for (what, size) in [("models", models), ("rows", batch), ("outputs", outputs)] {
            check_positive(&format!("a loss's number of {what}"), size)?;
        }
        if loss.couples_outputs() && outputs > MAX_WIDTH {
            return Err(Error::argument(
                format!("the number of outputs of {}", loss.name()),
                outputs,
                format!("at most {MAX_WIDTH}"),
            ));
        }
        to_u32("the number of elements of a loss", volume(&[models, batch, outputs]))?;
        Ok(())
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// The loss cannot follow the activation, a size is 0 or does not fit in the shader's `u32`, or a loss that couples its outputs has more than
    /// [`MAX_WIDTH`] of them.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let Self { loss, activation, models, own_targets, batch, outputs, inputs } = *self;
        self.check()?;
        let n = |value: usize| to_u32("a size of a loss", wide(value));
        let (rows, width) = self.rows();
        let groups = self.groups(capabilities);
        let p = Parameters {
            rows: n(rows)?,
            width: n(width)?,
            models: n(models)?,
            groups: n(groups)?,
            target_model: if own_targets { n(rows * width)? } else { 0 },
            input_width: n(inputs)?,
            scale: to_f32(loss.scale(batch, outputs)),
            run: n(self.run(capabilities))?,
            count: n(rows)?,
        };
        let each = rows / batch;
        let elements = volume(&[models, rows, width]);
        let targets = if own_targets { elements } else { elements / wide(models) };
        let read = if loss.reads_inputs() { targets / wide(width) * wide(inputs) } else { 0 };
        let groups = wide(models) * wide(groups);
        let alone = self.is_alone(capabilities);
        let iterations =
            wide(self.run(capabilities)).saturating_mul(self.iterations()).saturating_add(ONCE);
        let workgroups = if alone { groups.div_ceil(KERNEL.workgroup.into()) } else { groups };
        Ok(Dispatch::new(&KERNEL, &p, workgroups, iterations)
            .with(Variant {
                pieces: vec![loss.wgsl(self.widths()), activation.wgsl()],
                generated: loss.splice(activation, self.widths()),
                overrides: vec![("ALONE", f64::from(u8::from(alone)))],
                ..Variant::default()
            })
            .costing(elements + targets + read, elements + groups, 2 * elements)
            .counting(Counted::Rows { at: offset_of!(Parameters, count), first: 0, each })
            .weighing(loss.mean(), offset_of!(Parameters, scale)))
    }

    /// The loss of one model on the CPU; `delta` becomes its gradient with respect to `z`. All
    /// three slices are `[batch, outputs]`. For a loss that does not read the inputs.
    pub fn reference<T: Real>(&self, z: &[T], targets: &[T], delta: &mut [T]) -> T {
        self.detached_reference([z, z], [&[], targets], delta)
    }

    /// The loss of rows with these inputs. Its detached denominator, if it has one, is computed from
    /// the pre-activations `detached`.
    pub(crate) fn detached_reference<T: Real>(
        &self,
        [z, detached]: [&[T]; 2],
        [inputs, targets]: [&[T]; 2],
        delta: &mut [T],
    ) -> T {
        let Self { loss, activation, outputs, .. } = *self;
        let mut inputs = inputs.chunks(self.inputs.max(1));
        let scale = T::of(loss.scale(self.batch, outputs));
        let (mut y, mut d) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs]);
        let mut sum = T::ZERO;
        let rows = z.chunks(outputs.max(1)).zip(detached.chunks(outputs.max(1)));
        let rows = rows.zip(targets.chunks(outputs.max(1))).zip(delta.chunks_mut(outputs.max(1)));
        for (((z, detached), t), delta) in rows {
            let x = inputs.next().unwrap_or_default();
            match loss.argument() {
                Argument::Logit(_) => sum += loss.scaled_row([z, z], [x, t], scale, delta),
                Argument::Output => {
                    for (y, z) in y.iter_mut().zip(z).chain(d.iter_mut().zip(detached)) {
                        *y = activation.value(*z);
                    }
                    sum += loss.scaled_row([&y, &d], [x, t], scale, delta);
                    for (delta, z) in delta.iter_mut().zip(z) {
                        *delta *= activation.derivative_at(*z);
                    }
                }
            }
        }
        sum
    }
}

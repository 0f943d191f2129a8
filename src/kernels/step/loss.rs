//! Value and gradient of a [`Loss`], from the last layer's pre-activations z.
//!
//! The gradient is with respect to z: the last activation's derivative is in it.

use crate::error::{Error, Result};
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant};
use crate::network::Activation;
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::training::{Loss, loss::Argument};
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
    /// `z` and `delta` are `[models, rows, width]`, `targets` `[sets, rows, width]`, `partial`
    /// `[models, groups]`.
    pub Parameters {
        /// Rows of a model. Where outputs do not depend on each other, each is a row of its own.
        rows: u32,
        /// Elements of a row.
        width: u32,
        /// Models.
        models: u32,
        /// Workgroups of a model.
        groups: u32,
        /// From model to model of the targets; 0 shares them.
        target_model: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// Rows of an invocation.
        run: u32,
    }
}

/// The widest row of a loss that couples its outputs: an invocation walks over it three times,
/// and llvmpipe ends its loops after 65,535 iterations.
pub const MAX_WIDTH: usize = 21_000;

/// Partial sums of a model's loss where each is an invocation's own, about.
const PARTS: usize = 1024;

/// The sizes of a loss.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Models.
    pub models: usize,
    /// Whether each model has targets of its own.
    pub own_targets: bool,
    /// Rows of a model.
    pub batch: usize,
    /// Outputs of a row.
    pub outputs: usize,
}

impl Shape {
    /// Rows and width as the kernel sees them.
    const fn rows(&self, loss: Loss) -> (usize, usize) {
        if loss.couples_outputs() {
            (self.batch, self.outputs)
        } else {
            (self.batch * self.outputs, 1)
        }
    }

    /// Rows of an invocation. On a CPU, where a barrier costs every workgroup more than the sum of
    /// some more parts, it keeps their sum to itself.
    fn run(&self, loss: Loss, capabilities: &Capabilities) -> usize {
        let (rows, width) = self.rows(loss);
        let most = (MAX_WIDTH / width.max(1)).max(1);
        if capabilities.software { rows.div_ceil(PARTS).clamp(1, most) } else { 1 }
    }

    /// Partial sums that a model's loss is cut into.
    pub fn groups(&self, loss: Loss, capabilities: &Capabilities) -> usize {
        let together = if capabilities.software { 1 } else { KERNEL.workgroup as usize };
        self.rows(loss).0.div_ceil(together * self.run(loss, capabilities))
    }
}

/// The dispatch.
///
/// # Errors
/// A loss that does not follow `activation`, or more outputs than [`MAX_WIDTH`] for a loss that
/// couples them.
pub fn dispatch(
    loss: Loss,
    activation: Activation,
    shape: Shape,
    capabilities: &Capabilities,
) -> Result<Dispatch> {
    loss.check(activation)?;
    if loss.couples_outputs() && shape.outputs > MAX_WIDTH {
        return Err(Error::argument(
            format!("the number of outputs of {}", loss.name()),
            shape.outputs,
            format!("at most {MAX_WIDTH}"),
        ));
    }
    let n = |value: usize| to_u32("a size of a loss", wide(value));
    let (rows, width) = shape.rows(loss);
    let groups = shape.groups(loss, capabilities);
    let p = Parameters {
        rows: n(rows)?,
        width: n(width)?,
        models: n(shape.models)?,
        groups: n(groups)?,
        target_model: if shape.own_targets { n(rows * width)? } else { 0 },
        scale: to_f32(loss.scale(shape.batch, shape.outputs)),
        run: n(shape.run(loss, capabilities))?,
    };
    let elements = wide(shape.models) * wide(rows) * wide(width);
    let targets = if shape.own_targets { elements } else { elements / wide(shape.models) };
    let groups = wide(shape.models) * wide(groups);
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

/// The same on the CPU, for one model: the loss; `delta` becomes its gradient with respect to `z`.
/// All three are `[batch, outputs]`.
pub fn reference<T: Real>(
    loss: Loss,
    activation: Activation,
    outputs: usize,
    z: &[T],
    targets: &[T],
    delta: &mut [T],
) -> T {
    held_reference(loss, activation, outputs, [z, z], targets, delta)
}

/// The same with the divisor of a loss that holds one made of other pre-activations.
pub(crate) fn held_reference<T: Real>(
    loss: Loss,
    activation: Activation,
    outputs: usize,
    [z, held]: [&[T]; 2],
    targets: &[T],
    delta: &mut [T],
) -> T {
    let scale = T::of(loss.scale(z.len() / outputs, outputs));
    let (mut y, mut h) = (vec![T::ZERO; outputs], vec![T::ZERO; outputs]);
    let mut sum = T::ZERO;
    let rows = z.chunks(outputs).zip(held.chunks(outputs));
    let rows = rows.zip(targets.chunks(outputs)).zip(delta.chunks_mut(outputs));
    for (((z, held), t), delta) in rows {
        match loss.argument() {
            Argument::Logit(_) => sum += scale * loss.row(z, t, delta),
            Argument::Output => {
                for (y, z) in y.iter_mut().zip(z).chain(h.iter_mut().zip(held)) {
                    *y = activation.value(*z);
                }
                sum += scale * loss.row_held(&y, &h, t, delta);
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

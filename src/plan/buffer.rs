//! The buffers of a plan.

use std::fmt;

/// A buffer of a plan. Elements are f32 unless the text says otherwise. The layouts are part of the
/// public interface: a change of one is a breaking change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Buffer {
    /// The data's inputs, `[sets, rows, inputs]`.
    Inputs,
    /// The data's targets, `[sets, rows, outputs]`.
    Targets,
    /// The mini-batch's inputs, `[sets, batch, inputs]`.
    BatchInputs,
    /// The mini-batch's targets, `[sets, batch, outputs]`.
    BatchTargets,
    /// The parameters, `[models, P]`, as [`Mlp::ranges`](crate::Mlp::ranges) lays them out.
    Parameters,
    /// The optimizer's states: `[models, P]` for each state, padded to a multiple of four elements.
    States,
    /// The exponential moving average of the parameters, `[models, P]`.
    EmaParameters,
    /// The optimizer's hyperparameters.
    Hyper,
    /// `u32` elements. The next step, the number of updates, the epoch, the position in it, the high
    /// words of the first two, the row of the next loss in [`Buffer::Losses`], a number of the run.
    /// Then `[2, models]`: the low and the high words of the step at which each model diverged, or
    /// `0xffffffff`.
    Status,
    /// The gradient, `[models, P]`. Where a training clips it, a step leaves it clipped.
    Gradient,
    /// The gradient that backward passes have added up since the last update, `[models, P]`.
    AccumulatedGradient,
    /// Partial sums of the gradient where there are several: `[splits, models, P]` without the
    /// encoding's tables, each split padded to a multiple of four elements.
    PartialGradient,
    /// Partial sums of the loss, `[models, workgroups]`.
    PartialLoss,
    /// Partial results of the norm of the gradient: `[models, workgroups, 2]`, `u32` elements. The
    /// bits of a largest magnitude, and those of a sum of scaled squares.
    PartialNorm,
    /// The loss history, `[history, models]`, a ring: step s is in row s mod history.
    Losses,
    /// The first layer's inputs where an encoding computes them: `[models, batch, width]`, or
    /// `[sets, batch, width]` where the encoding has no tables.
    Encoded,
    /// The gradient of the first layer's inputs, `[models, batch, width]`.
    EncodedGradient,
    /// The bits of the largest magnitude of the encoded inputs' gradient: with index 0 the partial
    /// results `[models, workgroups]`, with index 1 the result `[models]`.
    MaxAbs(usize),
    /// The gradient of a grid's tables in fixed point, `[models, tables, 2]` 32-bit integers. They
    /// are 0 between steps.
    TableSums,
    /// A layer's activations, `[models, batch, units]`, followed by the pre-activations where the
    /// backward pass needs them. In training the last layer has the pre-activations alone.
    Activation(usize),
    /// The outputs of a forward pass, `[models, batch, outputs]`.
    Outputs,
    /// The gradient of a layer's pre-activations, `[models, batch, units]`. Two buffers alternate.
    Delta(usize),
    /// The values that a fused step saves between its phases: inputs, activations and deltas of all
    /// layers.
    Saved,
    /// The gradient of the inputs, `[models, batch, inputs]`.
    InputGradient,
    /// The gradient of each output of which the slope is taken, `[models, batch, outputs]`.
    Seed,
    /// The slope: the gradient of the seeded outputs with respect to the inputs, `[models, batch, inputs]`.
    Slope,
    /// The gradient of the slope, `[models, batch, inputs]`: the tangent of the inputs of what follows.
    SlopeGradient,
    /// The tangent of the first layer's inputs where an encoding computes them, `[models, batch, width]`.
    EncodedTangent,
    /// The tangent of a layer's pre-activations, `[models, batch, units]`.
    InputTangent(usize),
    /// The tangent of a layer's activations, `[models, batch, units]`.
    Tangent(usize),
    /// The gradient of the tangent of a layer's pre-activations, `[models, batch, units]`. Two buffers
    /// alternate.
    TangentDelta(usize),
    /// The gradient of the tangent of the first layer's inputs, `[models, batch, width]`.
    EncodedTangentGradient,
    /// What the contributions to a grid's tables cannot exceed, `[models, batch, outputs]`.
    GridBounds,
    /// The parameters of one model, `[P]`, from which the copies of a population are made.
    Base,
    /// The replacement of each parameter, `[P]`; each copy takes one.
    Replaced,
    /// The layers of one model among the parameters, in an inference that reads tables elsewhere.
    Layers,
    /// A texture that receives a prediction: the first one, the second one, …
    Texels(usize),
    /// A placeholder for a slot that the kernel does not use.
    Unused(usize),
}

impl Buffer {
    /// Whether the buffer's size depends on how the gradient is computed. Such a buffer holds
    /// nothing between steps.
    pub(crate) const fn is_scratch(self) -> bool {
        matches!(self, Self::PartialGradient | Self::PartialLoss | Self::Unused(_))
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = format!("{self:?}");
        let mut text = String::new();
        for c in name.chars() {
            if c.is_uppercase() && !text.is_empty() {
                text.push(' ');
            }
            text.extend(c.to_lowercase());
        }
        write!(f, "{}", text.replace('(', " ").replace(')', ""))
    }
}

//! The buffers of a plan.

use std::fmt;

/// A buffer of a plan. Elements are f32 unless said otherwise; the layouts are part of the public
/// interface, and a change of one is a breaking change.
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
    /// What the optimizer keeps: for each of its states `[models, P]`, filled up to a multiple of four
    /// elements.
    States,
    /// Their exponential moving average, `[models, P]`.
    EmaParameters,
    /// The optimizer's hyperparameters.
    Hyper,
    /// The step counter, the number of updates, the epoch, the position in it, and for each model
    /// the step at which it diverged or `0xffffffff`: words of 32 bits.
    Status,
    /// The gradient, `[models, P]`.
    Gradient,
    /// Partial sums of it, `[splits, models, P]` without the encoding's tables, where there are
    /// several; each split filled up to a multiple of four elements.
    PartialGradient,
    /// Partial sums of the loss, `[models, workgroups]`.
    PartialLoss,
    /// The loss history, `[history, models]`, a ring: step s is in row s mod history.
    Losses,
    /// The first layer's inputs, `[models, batch, width]`, where an encoding makes them; `[sets,
    /// batch, width]` where it has no tables.
    Encoded,
    /// Their gradient, `[models, batch, width]`.
    EncodedGradient,
    /// The largest magnitude of that, `[models]`, and what it is found through, as bits.
    MaxAbs(usize),
    /// The gradient of a grid's tables in fixed point, `[models, tables, 2]` words of 32 bits: 0
    /// between steps.
    TableSums,
    /// A layer's activations, `[models, batch, units]`, and behind them the pre-activations where
    /// the backward pass needs them. The last layer's: the pre-activations alone in training.
    Activation(usize),
    /// Gradients of a layer's pre-activations, `[models, batch, units]`; two, used in turn.
    Delta(usize),
    /// What a fused step keeps between its phases: inputs, activations and deltas of all layers.
    Saved,
    /// The gradient of the inputs, `[models, batch, inputs]`.
    InputGradient,
    /// One model's parameters, `[P]`, that a population of copies differs from.
    Base,
    /// The values that replace them, one a copy, `[P]`.
    Replaced,
    /// The texture that a prediction is written into.
    Texels,
    /// Bound where a kernel's slot is not used.
    Unused(usize),
}

impl Buffer {
    /// Whether its size depends on how a gradient is taken, and nothing is in it between steps.
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

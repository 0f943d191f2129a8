//! Loss functions. Each has a file in `src/training/loss/`, a file in `shaders/loss/`, and a row in
//! the table below.

use crate::error::{Error, Result};
use crate::network::Activation;
use crate::numeric::Real;
use crate::training::{CustomLoss, Widths};
use crate::wgsl::{Piece, Writer, piece};

/// The argument of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Argument {
    /// The network's output y, with any last activation.
    Output,
    /// The last layer's pre-activation z. The named activation is part of the loss.
    Logit(Activation),
}

/// How the losses of a batch's elements are combined into one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mean {
    /// The mean over the batch and the outputs.
    Elements,
    /// The sum over the outputs, and the mean over the batch.
    Rows,
    /// The sum over the batch and the outputs.
    Sum,
}

/// The targets that a loss is made for. A training refuses others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Targets {
    /// Any finite number.
    Any,
    /// Each target from 0 to 1: labels, or probabilities.
    Fractions,
    /// Each target from 0 to 1, and the sum of a row 1.
    Distributions,
}

mod binary_cross_entropy;
mod half_squared_error;
mod huber;
mod mape;
mod mean_absolute_error;
mod mean_squared_error;
mod output_gradient;
mod relative_l2;
pub(crate) mod relative_l2_luminance;
mod smape;
mod softmax_cross_entropy;

macro_rules! losses {
    ($($(#[$doc:meta])* $variant:ident => $module:ident needs [$($common:ident),*],)*) => {
        /// The function that training minimizes. y are outputs, z logits and t targets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
        #[non_exhaustive]
        pub enum Loss {
            $($(#[$doc])* $variant,)*
            /// A function of the application's own, in WGSL.
            Custom(CustomLoss),
        }

        impl Loss {
            /// Every loss of the crate's own.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files, messages and shaders.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)*
                    Self::Custom(custom) => custom.name(),
                }
            }

            /// The argument of the loss.
            pub const fn argument(self) -> Argument {
                match self {
                    $(Self::$variant => $module::ARGUMENT,)*
                    Self::Custom(_) => Argument::Output,
                }
            }

            /// How the losses of a batch's elements are combined into one value.
            pub const fn mean(self) -> Mean {
                match self {
                    $(Self::$variant => $module::MEAN,)*
                    Self::Custom(custom) => custom.combined(),
                }
            }

            /// Whether an element's loss depends on the other elements of its row.
            pub const fn couples_outputs(self) -> bool {
                match self {
                    $(Self::$variant => $module::ROW,)*
                    Self::Custom(_) => true,
                }
            }

            /// Whether the gradient treats the denominator of the value, which depends on the
            /// output, as a constant. Such a gradient is not the derivative of the value, and
            /// differences of values do not approximate it.
            pub const fn detaches_denominator(self) -> bool {
                match self {
                    $(Self::$variant => $module::DETACHES,)*
                    Self::Custom(_) => false,
                }
            }

            /// The targets that the loss is made for.
            pub const fn targets(self) -> Targets {
                match self {
                    $(Self::$variant => $module::TARGETS,)*
                    Self::Custom(_) => Targets::Any,
                }
            }

            /// The sum of the losses of one row. `gradient` becomes their derivatives with respect
            /// to `argument`. All three slices have the length of a row. All is NaN for a custom
            /// loss that has no reference or that reads the inputs.
            pub fn row<T: Real>(self, argument: &[T], target: &[T], gradient: &mut [T]) -> T {
                self.scaled_row([argument, argument], [&[], target], T::ONE, gradient)
            }

            /// [`Loss::row`] times `scale`, with the row's inputs. The denominator, where it is
            /// detached, is computed from the outputs `detached`. Each value is scaled before it is added, so that no sum
            /// overflows where the mean does not.
            pub(crate) fn scaled_row<T: Real>(
                self,
                [argument, detached]: [&[T]; 2],
                [inputs, target]: [&[T]; 2],
                scale: T,
                gradient: &mut [T],
            ) -> T {
                let both = [argument, detached];
                match self {
                    $(Self::$variant => $module::row(both, target, scale, gradient),)*
                    Self::Custom(custom) => custom.row([argument, inputs, target], scale, gradient),
                }
            }

            /// The WGSL functions `NAME_row(first)` and `NAME_element(argument, target, row)`, or
            /// those of a custom loss.
            pub(crate) fn wgsl(self, widths: Widths) -> &'static Piece {
                match self {
                    $(Self::$variant => {
                        const PIECE: &Piece =
                            &piece!(concat!("loss/", stringify!($module)), [$(&crate::wgsl::$common),*]);
                        PIECE
                    })*
                    Self::Custom(custom) => custom.piece(widths),
                }
            }
        }
    };
}

losses! {
    /// (y − t)², mean over batch and outputs.
    MeanSquaredError => mean_squared_error needs [],
    /// ½ (y − t)², summed over the outputs, mean over the batch: the article's L.
    HalfSquaredError => half_squared_error needs [],
    /// −t ln σ(z) − (1 − t) ln(1 − σ(z)), mean over batch and outputs. Needs a final sigmoid, and
    /// targets from 0 to 1.
    BinaryCrossEntropy => binary_cross_entropy needs [LOG_ONE_PLUS],
    /// −Σ t ln softmax(z), mean over the batch. Needs a final identity activation: the outputs are
    /// logits. The targets of a row are probabilities that sum to 1.
    SoftmaxCrossEntropy => softmax_cross_entropy needs [],
    /// |y − t|, mean over batch and outputs.
    MeanAbsoluteError => mean_absolute_error needs [],
    /// ½ d² where |d| = |y − t| ≤ 1, else |d| − ½, mean over batch and outputs.
    Huber => huber needs [],
    /// (y − t)² / (y² + 0.01), mean over batch and outputs. The gradient treats the denominator as
    /// a constant.
    RelativeL2 => relative_l2 needs [],
    /// (y − t)² / (L² + 0.01) with the luminance L = 0.299 y₀ + 0.587 y₁ + 0.114 y₂ of a row's
    /// outputs, mean over batch and outputs. The gradient treats the denominator as a constant.
    /// Missing outputs count as 0; from six outputs on, the next three are added to the first.
    RelativeL2Luminance => relative_l2_luminance needs [],
    /// |y − t| / (|t| + 0.01), mean over batch and outputs: the mean absolute percentage error.
    Mape => mape needs [],
    /// |y − t| / (½ (|y| + |t|) + 0.01), mean over batch and outputs: the symmetric mean absolute
    /// percentage error. The gradient treats the denominator as a constant.
    Smape => smape needs [],
    /// Σ y g, where a target g is dL/dy: the derivative of a loss L of the application's own with
    /// respect to the output y, after the last activation. The gradient is L's, to be summed and not
    /// averaged; the value is not L, but changes with the parameters as L does.
    OutputGradient => output_gradient needs [],
}

/// Its name, as serde writes it.
impl From<Loss> for String {
    fn from(loss: Loss) -> Self {
        loss.name().to_owned()
    }
}

/// By its name, as serde reads it: a loss of the crate's own.
impl TryFrom<String> for Loss {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        let allowed = "one of the crate's own; a custom loss is described by the application";
        Self::from_name(&name).ok_or_else(|| Error::argument("a loss", name, allowed))
    }
}

impl Loss {
    /// The loss whose [`Loss::name`] is `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// Checks that the loss can follow `activation`, the last layer's activation.
    ///
    /// # Errors
    /// [`Error::LossActivation`] where the loss is defined for the logit of another activation.
    pub fn check(self, activation: Activation) -> Result<()> {
        match self.argument() {
            Argument::Logit(needs) if needs != activation => {
                let [loss, activation, needs] = [self.name(), activation.name(), needs.name()];
                Err(Error::LossActivation { loss, activation, needs })
            }
            _ => Ok(()),
        }
    }

    /// The factor of a row's sum: the weight of a row of `outputs` in the mean over `batch` rows.
    pub fn scale(self, batch: usize, outputs: usize) -> f64 {
        match self.mean() {
            Mean::Elements => 1.0 / (crate::numeric::count(batch) * crate::numeric::count(outputs)),
            Mean::Rows => 1.0 / crate::numeric::count(batch),
            Mean::Sum => 1.0,
        }
    }

    /// Checks that an invocation can hold a row.
    ///
    /// # Errors
    /// A custom loss of more outputs, or inputs that it reads, than 256.
    pub(crate) fn check_widths(self, widths: Widths) -> Result<()> {
        if let Self::Custom(custom) = self { custom.check_widths(widths) } else { Ok(()) }
    }

    /// Checks that the CPU can compute the function.
    ///
    /// # Errors
    /// A custom loss without a reference.
    pub(crate) fn check_reference(self) -> Result<()> {
        if let Self::Custom(custom) = self { custom.check_reference() } else { Ok(()) }
    }

    /// Whether a row's loss depends on the row's inputs.
    pub(crate) const fn reads_inputs(self) -> bool {
        matches!(self, Self::Custom(custom) if custom.reads_inputs())
    }

    /// The iterations of all loops of the WGSL function `loss_row`, with the final test of each.
    pub(crate) fn iterations_of_row(self, widths: Widths) -> usize {
        match self {
            Self::Custom(custom) => custom.iterations_of_row(widths),
            _ if self.couples_outputs() => widths.outputs.saturating_add(1).saturating_mul(2),
            _ => 0,
        }
    }

    /// WGSL of the functions that each kernel calls which computes a loss, for a last layer with
    /// `activation`: `loss_row(first)` for the row whose first output is `first`, then
    /// `loss_element(i, z, t, row)` for each of its outputs, before the next row.
    pub(crate) fn splice(self, activation: Activation, widths: Widths) -> String {
        let mut w = Writer::default();
        if let Self::Custom(custom) = self {
            custom.splice(&mut w, widths);
        } else {
            self.splice_own(&mut w);
        }
        w.push(&activation.splice());
        w.push(&activation.splice_derivative());
        w.finish()
    }

    fn splice_own(self, w: &mut Writer) {
        let name = self.name();
        let (argument, derivative) = match self.argument() {
            Argument::Output => ("activation_value(z)", "activation_derivative_at(z)"),
            Argument::Logit(_) => ("z", "1.0"),
        };
        w.function("loss_row(first: u32) -> LossRow", |w| {
            if self.couples_outputs() {
                w.line(format_args!("return {name}_row(first);"));
            } else {
                w.line("return LossRow(0.0, 0.0, 0.0);");
            }
        });
        w.function("loss_element(i: u32, z: f32, t: f32, row: LossRow) -> vec2<f32>", |w| {
            w.line(format_args!("let v = {name}_element({argument}, t, row);"));
            w.line(format_args!("return vec2<f32>(v.x, v.y * {derivative});"));
        });
    }
}

/// [`elementwise`] with a denominator computed from other outputs: `f(argument, detached, target)`.
fn detached_elementwise<T: Real>(
    [argument, detached]: [&[T]; 2],
    target: &[T],
    scale: T,
    gradient: &mut [T],
    f: impl Fn(T, T, T) -> (T, T),
) -> T {
    let mut sum = T::ZERO;
    for (((a, h), t), g) in argument.iter().zip(detached).zip(target).zip(gradient) {
        let (value, derivative) = f(*a, *h, *t);
        sum += scale * value;
        *g = scale * derivative;
    }
    sum
}

/// A loss whose elements do not depend on each other. `f(argument, target)` returns its value and
/// derivative.
fn elementwise<T: Real>(
    arguments: [&[T]; 2],
    target: &[T],
    scale: T,
    gradient: &mut [T],
    f: impl Fn(T, T) -> (T, T),
) -> T {
    detached_elementwise(arguments, target, scale, gradient, |a, _, t| f(a, t))
}

/// A loss of a logit, at most 0.88 times the largest number: a mean of such losses is finite, in
/// spite of its rounding.
fn bounded<T: Real>(value: T) -> T {
    let most = T::of(0.88) * T::MAX;
    if value > most { most } else { value }
}

/// −1, 0 or 1.
fn sign<T: Real>(d: T) -> T {
    if d > T::ZERO {
        T::ONE
    } else if d < T::ZERO {
        -T::ONE
    } else {
        T::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(loss: Loss, z: &[f64], t: &[f64]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; z.len()];
        (loss.row(z, t, &mut gradient), gradient)
    }

    #[test]
    fn gradients_match_central_differences() {
        for loss in Loss::ALL {
            let z = [0.31, -1.7, 2.4, 0.02];
            let t = [0.0, 0.25, 0.5, 0.25];
            let (at, (_, gradient)) = (z, row(*loss, &z, &t));
            for i in 0..z.len() {
                let h = 1e-5;
                let (mut up, mut down) = (z, z);
                up[i] += h;
                down[i] -= h;
                let mut unused = [0.0; 4];
                let mut value = |z: &[f64]| loss.scaled_row([z, &at], [&[], &t], 1.0, &mut unused);
                let difference = (value(&up) - value(&down)) / (2.0 * h);
                let error = (gradient[i] - difference).abs() / gradient[i].abs().max(1.0);
                assert!(error <= 1e-9, "{} element {i}: {error}", loss.name());
            }
        }
    }

    #[test]
    fn logits_of_any_magnitude_give_finite_values() {
        for loss in [Loss::BinaryCrossEntropy, Loss::SoftmaxCrossEntropy] {
            for big in [1e4_f32, 1e30, 1.5e38, f32::MAX] {
                for t in [[0.0, 1.0], [1.0, 0.0]] {
                    let mut gradient = [0.0; 2];
                    // The mean, as a training takes it: the sum of the largest losses is too large.
                    let z = [big, -big];
                    let value = loss.scaled_row([&z, &z], [&[], &t], 0.5, &mut gradient);
                    assert!(value.is_finite(), "{} at {big}: {value}", loss.name());
                    assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
                }
            }
        }
    }

    #[test]
    fn a_loss_names_the_activation_it_needs() {
        let error = Loss::BinaryCrossEntropy.check(Activation::Tanh).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the loss binary_cross_entropy does not follow the activation tanh; it needs sigmoid"
        );
        assert!(Loss::SoftmaxCrossEntropy.check(Activation::Sigmoid).is_err());
        assert!(Loss::Huber.check(Activation::Gelu).is_ok());
    }
}

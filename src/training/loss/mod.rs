//! Loss functions: one file each in `src/loss/` and `shaders/losses/`, one row here.

use crate::error::{Error, Result};
use crate::network::Activation;
use crate::numeric::Real;
use crate::wgsl::{Piece, piece};

/// What a loss is a function of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Argument {
    /// The network's output y, whatever its last activation.
    Output,
    /// The last layer's pre-activation z; the activation named is part of the loss.
    Logit(Activation),
}

/// How the values of a batch become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mean {
    /// The mean over batch and outputs.
    Elements,
    /// The sum over the outputs, the mean over the batch.
    Rows,
}

mod binary_cross_entropy;
mod half_squared_error;
mod huber;
mod mape;
mod mean_absolute_error;
mod mean_squared_error;
mod relative_l2;
mod smape;
mod softmax_cross_entropy;

macro_rules! losses {
    ($($(#[$doc:meta])* $variant:ident => $module:ident needs [$($common:ident),*],)*) => {
        /// The number that training makes small; y are outputs, z logits, t targets.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Loss {
            $($(#[$doc])* $variant,)*
        }

        impl Loss {
            /// Every loss.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files, messages and shaders.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($module)),* }
            }

            /// What the loss is a function of.
            pub const fn argument(self) -> Argument {
                match self { $(Self::$variant => $module::ARGUMENT),* }
            }

            /// How the values of a batch become one number.
            pub const fn mean(self) -> Mean {
                match self { $(Self::$variant => $module::MEAN),* }
            }

            /// Whether an element's value depends on the others of its row.
            pub const fn couples_outputs(self) -> bool {
                match self { $(Self::$variant => $module::ROW),* }
            }

            /// Whether its gradient takes a divisor of its value, made of the output, for a
            /// constant: then it is no derivative, and no difference of values gives it.
            pub const fn detaches_denominator(self) -> bool {
                match self { $(Self::$variant => $module::HOLDS),* }
            }

            /// The sum of one row's values; `gradient` becomes their derivatives with respect to
            /// `argument`. All three slices have the length of a row.
            pub fn row<T: Real>(self, argument: &[T], target: &[T], gradient: &mut [T]) -> T {
                self.row_held(argument, argument, target, gradient)
            }

            /// The same with the divisor of [`Loss::detaches_denominator`] made of other outputs.
            pub(crate) fn row_held<T: Real>(
                self,
                argument: &[T],
                held: &[T],
                target: &[T],
                gradient: &mut [T],
            ) -> T {
                match self { $(Self::$variant => $module::row(argument, held, target, gradient)),* }
            }

            /// The WGSL functions `NAME_row(first)` and `NAME_element(argument, target, row)`.
            pub(crate) const fn wgsl(self) -> &'static Piece {
                match self {
                    $(Self::$variant => {
                        const PIECE: &Piece =
                            &piece!(concat!("loss/", stringify!($module)), [$(&crate::wgsl::$common),*]);
                        PIECE
                    })*
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
    /// −t ln σ(z) − (1 − t) ln(1 − σ(z)), mean over batch and outputs. Needs a final sigmoid.
    BinaryCrossEntropy => binary_cross_entropy needs [LOG_ONE_PLUS],
    /// −Σ t ln softmax(z), mean over the batch. Needs a final identity: the outputs are logits.
    SoftmaxCrossEntropy => softmax_cross_entropy needs [],
    /// |y − t|, mean over batch and outputs.
    MeanAbsoluteError => mean_absolute_error needs [],
    /// ½ d² where |d| = |y − t| ≤ 1, else |d| − ½, mean over batch and outputs.
    Huber => huber needs [],
    /// (y − t)² / (y² + 0.01), mean over batch and outputs. Its gradient takes the divisor for a
    /// constant.
    RelativeL2 => relative_l2 needs [],
    /// |y − t| / (|t| + 0.01), mean over batch and outputs: mean absolute percentage error.
    Mape => mape needs [],
    /// |y − t| / (½ (|y| + |t|) + 0.01), mean over batch and outputs: symmetric mean absolute
    /// percentage error. Its gradient takes the divisor for a constant.
    Smape => smape needs [],
}

impl Loss {
    /// The loss of that [`Loss::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|loss| loss.name() == name)
    }

    /// `Ok` if the loss can follow `activation`, the last layer's.
    ///
    /// # Errors
    /// [`Error::LossActivation`] where the loss is defined on the logit of another activation.
    pub fn check(self, activation: Activation) -> Result<()> {
        match self.argument() {
            Argument::Logit(needs) if needs != activation => {
                let [loss, activation, needs] = [self.name(), activation.name(), needs.name()];
                Err(Error::LossActivation { loss, activation, needs })
            }
            _ => Ok(()),
        }
    }

    /// What a row's sum is multiplied by: the weight of a row of `outputs` in the mean over
    /// `batch` rows.
    pub fn scale(self, batch: usize, outputs: usize) -> f64 {
        match self.mean() {
            Mean::Elements => 1.0 / (crate::numeric::count(batch) * crate::numeric::count(outputs)),
            Mean::Rows => 1.0 / crate::numeric::count(batch),
        }
    }

    /// WGSL: the loss kernel's three calls, this loss's own, behind a last layer of `activation`.
    pub(crate) fn splice(self, activation: Activation) -> String {
        let name = self.name();
        let row = if self.couples_outputs() {
            format!("{name}_row(first)")
        } else {
            "LossRow(0.0, 0.0, 0.0)".into()
        };
        let (argument, derivative) = match self.argument() {
            Argument::Output => ("activation_value(z)", "activation_derivative_at(z)"),
            Argument::Logit(_) => ("z", "1.0"),
        };
        format!(
            "fn loss_row(first: u32) -> LossRow {{ return {row}; }}\n\
             fn loss_element(z: f32, t: f32, row: LossRow) -> vec2<f32> {{\n\
             \x20   let v = {name}_element({argument}, t, row);\n\
             \x20   return vec2<f32>(v.x, v.y * {derivative});\n\
             }}\n{}{}",
            activation.splice(),
            activation.splice_derivative(),
        )
    }
}

/// [`elementwise`] with a divisor made of other outputs: `f(argument, held, target)`.
fn held_elementwise<T: Real>(
    argument: &[T],
    held: &[T],
    target: &[T],
    gradient: &mut [T],
    f: impl Fn(T, T, T) -> (T, T),
) -> T {
    let mut sum = T::ZERO;
    for (((a, h), t), g) in argument.iter().zip(held).zip(target).zip(gradient) {
        let (value, derivative) = f(*a, *h, *t);
        sum += value;
        *g = derivative;
    }
    sum
}

/// A loss whose elements do not depend on each other: `f(argument, target)` is value and derivative.
fn elementwise<T: Real>(
    argument: &[T],
    target: &[T],
    gradient: &mut [T],
    f: impl Fn(T, T) -> (T, T),
) -> T {
    held_elementwise(argument, argument, target, gradient, |a, _, t| f(a, t))
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
                let mut value = |z: &[f64]| loss.row_held(z, &at, &t, &mut unused);
                let difference = (value(&up) - value(&down)) / (2.0 * h);
                let error = (gradient[i] - difference).abs() / gradient[i].abs().max(1.0);
                assert!(error <= 1e-9, "{} element {i}: {error}", loss.name());
            }
        }
    }

    #[test]
    fn logits_of_any_magnitude_give_finite_values() {
        for loss in [Loss::BinaryCrossEntropy, Loss::SoftmaxCrossEntropy] {
            for big in [1e4_f32, 1e30, 1.5e38] {
                for t in [[0.0, 1.0], [1.0, 0.0]] {
                    let mut gradient = [0.0; 2];
                    let value = loss.row(&[big, -big], &t, &mut gradient);
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

//! Activation functions. Each has a file in `src/network/activation/`, a file in
//! `shaders/activation/`, and a row in the table below.

use crate::error::{Error, Result};
use crate::network::CustomActivation;
use crate::numeric::Real;
use crate::wgsl::{Piece, Writer, piece};

/// What the forward pass saves of a unit for the backward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Saved {
    /// The activation's value y, which determines the derivative.
    Output,
    /// The pre-activation z, stored beside y.
    Input,
}

mod exponential;
mod gelu;
mod identity;
mod leaky_relu;
mod relu;
mod sharp_softplus;
mod sigmoid;
mod silu;
mod sine;
mod softplus;
mod squareplus;
mod tanh;

macro_rules! activations {
    ($($(#[$doc:meta])* $variant:ident => $module:ident needs [$($common:ident),*],)*) => {
        /// The function that a layer applies to each of its units' pre-activations z.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(into = "String", try_from = "String"))]
        #[non_exhaustive]
        pub enum Activation {
            $($(#[$doc])* $variant,)*
            /// A function of the application's own, in WGSL.
            Custom(CustomActivation),
        }

        impl Activation {
            /// Every activation of the crate's own.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files, messages and shaders.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)*
                    Self::Custom(custom) => custom.name(),
                }
            }

            /// What the names of its WGSL functions begin with.
            pub(crate) const fn function(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)*
                    Self::Custom(custom) => custom.function(),
                }
            }

            /// The value y at the pre-activation `z`; NaN where a custom activation has no
            /// reference.
            pub fn value<T: Real>(self, z: T) -> T {
                match self {
                    $(Self::$variant => $module::value(z),)*
                    Self::Custom(custom) => custom.value(z),
                }
            }

            /// The derivative dy/dz, from what [`Activation::saves`] names; NaN where a custom
            /// activation has no reference.
            pub fn derivative<T: Real>(self, saved: T) -> T {
                match self {
                    $(Self::$variant => $module::derivative(saved),)*
                    Self::Custom(custom) => custom.derivative(saved),
                }
            }

            /// The second derivative d²y/dz², from what [`Activation::saves`] names: 0 for functions of
            /// straight pieces, NaN for a custom activation.
            pub fn second_derivative<T: Real>(self, saved: T) -> T {
                match self {
                    $(Self::$variant => $module::second_derivative(saved),)*
                    Self::Custom(_) => T::of(f64::NAN),
                }
            }

            /// The value that [`Activation::derivative`] takes.
            pub const fn saves(self) -> Saved {
                match self {
                    $(Self::$variant => $module::SAVES,)*
                    Self::Custom(_) => Saved::Input,
                }
            }

            /// The |dy/dz| at or below which a unit counts as saturated or, for ReLU, as inactive.
            /// For the bounded functions it is 1 % of the largest derivative.
            ///
            /// `None` for functions that do not saturate.
            pub const fn saturation_threshold(self) -> Option<f64> {
                match self {
                    $(Self::$variant => $module::SATURATION_THRESHOLD,)*
                    Self::Custom(_) => None,
                }
            }

            /// The WGSL functions `NAME_value(z)` and `NAME_derivative(saved)`, and of the crate's own
            /// `NAME_second_derivative(saved)`, where NAME is [`Activation::function`].
            pub(crate) const fn wgsl(self) -> &'static Piece {
                match self {
                    $(Self::$variant => {
                        const PIECE: &Piece =
                            &piece!(concat!("activation/", stringify!($module)), [$(&crate::wgsl::$common),*]);
                        PIECE
                    })*
                    Self::Custom(custom) => custom.piece(),
                }
            }
        }
    };
}

activations! {
    /// y = z.
    Identity => identity needs [],
    /// y = 1 / (1 + e⁻ᶻ).
    Sigmoid => sigmoid needs [LOGISTIC],
    /// y = tanh z.
    Tanh => tanh needs [],
    /// y = max(z, 0).
    Relu => relu needs [],
    /// y = z where z > 0, else 0.01 z.
    LeakyRelu => leaky_relu needs [],
    /// y = ½ z (1 + tanh(√(2/π) (z + 0.044715 z³))).
    Gelu => gelu needs [LOGISTIC],
    /// y = z / (1 + e⁻ᶻ).
    Silu => silu needs [LOGISTIC],
    /// y = ln(1 + eᶻ).
    Softplus => softplus needs [LOG_ONE_PLUS, LOGISTIC],
    /// y = sin z. On the GPU the error is below 1e-6 for every finite z.
    Sine => sine needs [QUARTER_TURNS],
    /// y = eᶻ, at most e⁸⁸. On a GPU the relative error grows with |z|: 4e-6 at 66.
    Exponential => exponential needs [],
    /// y = ½ (z + √(z² + 0.04)).
    Squareplus => squareplus needs [],
    /// y = ln(1 + e^(10 z)) / 10.
    SharpSoftplus => sharp_softplus needs [LOG_ONE_PLUS, LOGISTIC],
}

/// Its name, as serde writes it.
impl From<Activation> for String {
    fn from(activation: Activation) -> Self {
        activation.name().to_owned()
    }
}

/// By its name, as serde reads it.
impl TryFrom<String> for Activation {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        let allowed = "one of the crate's own, or one that was defined before";
        Self::from_name(&name).ok_or_else(|| Error::argument("an activation", name, allowed))
    }
}

impl Activation {
    /// The derivative dy/dz at the pre-activation `z`.
    pub fn derivative_at<T: Real>(self, z: T) -> T {
        match self.saves() {
            Saved::Output => self.derivative(self.value(z)),
            Saved::Input => self.derivative(z),
        }
    }

    /// The activation whose [`Activation::name`] is `name`. Of custom ones it is the one that was
    /// defined last.
    pub fn from_name(name: &str) -> Option<Self> {
        let own = Self::ALL.iter().copied().find(|activation| activation.name() == name);
        own.or_else(|| CustomActivation::from_name(name).map(Self::Custom))
    }

    /// Checks that the CPU can compute the function.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument): a custom activation without a reference.
    pub(crate) fn check_reference(self) -> Result<()> {
        if let Self::Custom(custom) = self { custom.check_reference() } else { Ok(()) }
    }

    /// WGSL functions `activation_value(z)` and `activation_derivative(saved)` that call this
    /// activation's own.
    pub(crate) fn splice(self) -> String {
        let name = self.function();
        let mut w = Writer::default();
        w.function("activation_value(z: f32) -> f32", |w| {
            w.line(format_args!("return {name}_value(z);"));
        });
        w.function("activation_derivative(saved: f32) -> f32", |w| {
            w.line(format_args!("return {name}_derivative(saved);"));
        });
        w.finish()
    }

    /// Checks that the function has a second derivative.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument): a custom activation.
    pub(crate) fn check_second_derivative(self) -> Result<()> {
        match self {
            Self::Custom(custom) => {
                let what = "the activation of a network with a loss on its slope";
                Err(Error::argument(what, custom.name(), "one of the crate's own"))
            }
            _ => Ok(()),
        }
    }

    /// WGSL function `activation_second_derivative(saved)` that calls this activation's own.
    pub(crate) fn splice_second(self) -> String {
        let mut w = Writer::default();
        w.function("activation_second_derivative(saved: f32) -> f32", |w| {
            w.line(format_args!("return {}_second_derivative(saved);", self.function()));
        });
        w.finish()
    }

    /// WGSL function `activation_saved(v)`: what the derivatives take, where a buffer holds that or, with
    /// `of_input`, the pre-activations.
    pub(crate) fn splice_saved(self, of_input: bool) -> String {
        let computed = of_input && self.saves() == Saved::Output;
        let saved = if computed { "activation_value(v)" } else { "v" };
        let mut w = Writer::default();
        w.function("activation_saved(v: f32) -> f32", |w| w.line(format_args!("return {saved};")));
        w.finish()
    }

    /// WGSL function `activation_derivative_at(z)`: the derivative at the pre-activation z.
    pub(crate) fn splice_derivative(self) -> String {
        let saved = match self.saves() {
            Saved::Output => "activation_value(z)",
            Saved::Input => "z",
        };
        let mut w = Writer::default();
        w.function("activation_derivative_at(z: f32) -> f32", |w| {
            w.line(format_args!("return activation_derivative({saved});"));
        });
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences in f64. The error bound of 1e-9 leaves no room for a wrong formula.
    #[test]
    fn gradients_match_central_differences() {
        for activation in Activation::ALL {
            for i in -400..=400 {
                let z = f64::from(i) * 0.025 + 0.0031;
                let h = 1e-5;
                let difference = (activation.value(z + h) - activation.value(z - h)) / (2.0 * h);
                let derivative = activation.derivative_at(z);
                let error = (derivative - difference).abs() / derivative.abs().max(1.0);
                assert!(error <= 1e-9, "{} at {z}: {error}", activation.name());
                let saved = match activation.saves() {
                    Saved::Output => activation.value(z),
                    Saved::Input => z,
                };
                let second = activation.second_derivative(saved);
                let [above, below] = [z + h, z - h].map(|z| activation.derivative_at(z));
                let error = (second - (above - below) / (2.0 * h)).abs() / second.abs().max(1.0);
                assert!(error <= 1e-8, "{} at {z}: {error}", activation.name());
            }
        }
    }

    #[test]
    fn values_and_gradients_are_finite_at_any_magnitude() {
        for activation in Activation::ALL {
            for z in [0.0_f32, -0.0, 1e-38, 1.0, 88.0, 89.0, 1e4, 1e19, 1e30, f32::MAX] {
                for z in [z, -z] {
                    let (y, slope) = (activation.value(z), activation.derivative_at(z));
                    assert!(y.is_finite() && slope.is_finite(), "{} at {z}", activation.name());
                    let saved = if activation.saves() == Saved::Output { y } else { z };
                    assert!(
                        activation.second_derivative(saved).is_finite(),
                        "{activation:?} at {z}"
                    );
                }
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for activation in Activation::ALL {
            assert_eq!(Activation::from_name(activation.name()), Some(*activation));
        }
        assert_eq!(Activation::from_name("Sigmoid"), None);
    }
}

//! Optimizers: one file each in `src/optimizer/` and `shaders/optimizers/`, one row here.

use crate::error::{Error, Result};
use crate::numeric::Real;
use crate::wgsl::{Piece, Writer, piece, shader_struct};

shader_struct! {
    /// The hyperparameters of an optimizer, as its shader reads them.
    ///
    /// What follows from them (1 − β, ln β) is computed here in f64: 1 − 0.999 in f32 is off by 3e-5.
    pub(crate) Hyper {
        rate: f32,
        momentum: f32,
        beta1: f32,
        one_minus_beta1: f32,
        ln_beta1: f32,
        beta2: f32,
        one_minus_beta2: f32,
        ln_beta2: f32,
        epsilon: f32,
        weight_decay: f32,
        l2: f32,
        lazy: u32,
        ln_base: f32,
        decay_start: u32,
        decay_interval: u32,
        decay_end: u32,
    }
}

/// What an optimizer's file gives.
trait Rule {
    const STATES: usize;
    /// Fields and values, with the range that each may have.
    fn fields(&self) -> Vec<(&'static str, f64, Range)>;
    fn hyper(&self) -> Hyper;
    /// Times a parameter of a layer, added to its gradient.
    fn l2(&self) -> f64 {
        0.0
    }
    /// Whether a table's entry without a gradient is left as it is.
    fn is_lazy(&self) -> bool {
        false
    }
    /// What update `t`, counted from 1, divides the states by.
    fn corrections(&self, _: f64) -> [f64; 2] {
        [1.0; 2]
    }
    /// The new parameter.
    fn update<T: Real>(&self, by: [T; 2], parameter: T, gradient: T, state: &mut [T; 2]) -> T;
}

/// Where a hyperparameter may lie.
#[derive(Clone, Copy)]
enum Range {
    /// Finite, 0 or more.
    NonNegative,
    /// Finite, more than 0 in f32.
    Positive,
    /// 0 or more, less than 1.
    Fraction,
}

mod adam;
mod adamw;
mod momentum;
mod nesterov;
mod sgd;

pub use adam::Adam;
pub use adamw::AdamW;
pub use momentum::Momentum;
pub use nesterov::Nesterov;
pub use sgd::Sgd;

macro_rules! optimizers {
    ($($variant:ident => $module:ident needs [$($common:ident),*],)*) => {
        /// How a gradient changes the parameters.
        #[derive(Debug, Clone, Copy, PartialEq)]
        #[non_exhaustive]
        pub enum Optimizer {
            $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant),)*
        }

        $(impl From<$variant> for Optimizer {
            fn from(rule: $variant) -> Self {
                Self::$variant(rule)
            }
        })*

        impl Optimizer {
            /// One of each, with its default numbers.
            pub fn all() -> Vec<Self> {
                vec![$($variant::default().into()),*]
            }

            /// The name in messages and shaders.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($module)),* }
            }

            /// How many numbers it keeps for each parameter: 0, 1 or 2.
            pub const fn states(&self) -> usize {
                match self { $(Self::$variant(_) => <$variant as Rule>::STATES),* }
            }

            pub(crate) fn hyper(&self) -> Hyper {
                let numbers = match self { $(Self::$variant(rule) => rule.hyper()),* };
                Hyper {
                    l2: crate::numeric::to_f32(self.l2()),
                    lazy: u32::from(self.is_lazy()),
                    ..numbers
                }
            }

            /// Times a layer's parameter, this is added to its gradient.
            pub fn l2(&self) -> f64 {
                match self { $(Self::$variant(rule) => rule.l2()),* }
            }

            /// Whether an element of a table whose gradient is 0 is left as it is, its state too.
            pub fn is_lazy(&self) -> bool {
                match self { $(Self::$variant(rule) => rule.is_lazy()),* }
            }

            /// Changes the learning rate.
            #[must_use]
            pub const fn at_rate(mut self, rate: f64) -> Self {
                match &mut self { $(Self::$variant(rule) => rule.rate = rate),* }
                self
            }

            fn fields(&self) -> Vec<(&'static str, f64, Range)> {
                match self { $(Self::$variant(rule) => rule.fields()),* }
            }

            /// One parameter's new value from its gradient, in which [`Optimizer::l2`] is already; `t` counts updates from 1, and `state`
            /// is what the last update left (zeros at first).
            pub fn update<T: Real>(&self, t: u32, parameter: T, gradient: T, state: &mut [T; 2]) -> T {
                self.update_by(self.corrections(t).map(T::of), parameter, gradient, state)
            }

            /// What update `t` divides the states by, the same for all parameters.
            pub(crate) fn corrections(&self, t: u32) -> [f64; 2] {
                match self { $(Self::$variant(rule) => rule.corrections(f64::from(t))),* }
            }

            /// [`Optimizer::update`] by the corrections of its count.
            pub(crate) fn update_by<T: Real>(
                &self,
                by: [T; 2],
                parameter: T,
                gradient: T,
                state: &mut [T; 2],
            ) -> T {
                match self {
                    $(Self::$variant(rule) => rule.update(by, parameter, gradient, state)),*
                }
            }

            pub(crate) const fn wgsl(&self) -> &'static Piece {
                match self {
                    $(Self::$variant(_) => {
                        const PIECE: &Piece =
                            &piece!(concat!("optimizer/", stringify!($module)), [$(&crate::wgsl::$common),*]);
                        PIECE
                    })*
                }
            }
        }
    };
}

optimizers! {
    Sgd => sgd needs [],
    Momentum => momentum needs [],
    Nesterov => nesterov needs [],
    Adam => adam needs [ADAM_DIRECTION],
    AdamW => adamw needs [ADAM_DIRECTION],
}

impl Optimizer {
    /// Gradient descent at `rate`.
    pub fn sgd(rate: f64) -> Self {
        Sgd { rate }.into()
    }

    /// Adam at `rate`, with the usual β and ε.
    pub fn adam(rate: f64) -> Self {
        Adam { rate, ..Adam::default() }.into()
    }

    /// The learning rate.
    pub fn rate(&self) -> f64 {
        self.fields().iter().find(|(name, ..)| *name == "rate").map_or(0.0, |field| field.1)
    }

    /// `Ok` if every number is in its range.
    ///
    /// # Errors
    /// [`Error::Argument`] that names the number.
    pub fn check(&self) -> Result<()> {
        for (name, value, range) in self.fields() {
            // Judged as the shader sees it: 1 - 1e-12 is 1 there.
            let seen = crate::numeric::to_f32(value);
            let (ok, allowed) = match range {
                Range::NonNegative => {
                    (seen >= 0.0 && seen.is_finite(), "a finite number of 0 or more")
                }
                Range::Positive => {
                    (seen > 0.0 && seen.is_finite(), "a finite number above 0 in f32")
                }
                Range::Fraction => ((0.0..1.0).contains(&seen), "0 or more and less than 1"),
            };
            if !ok {
                return Err(Error::argument(format!("{} {name}", self.name()), value, allowed));
            }
        }
        Ok(())
    }

    /// WGSL: `fn optimize(…)`, this one's.
    pub(crate) fn splice(&self) -> String {
        let name = self.name();
        let mut w = Writer::default();
        w.line(format_args!("const STATES: u32 = {}u;", self.states()));
        let arguments = "p: f32, g: f32, state: ptr<function, vec2<f32>>, t: f32";
        w.function(format_args!("optimize({arguments}) -> f32"), |w| {
            w.line(format_args!("return {name}_update(p, g, state, t);"));
        });
        w.finish()
    }
}

/// The hyperparameters of Adam and AdamW.
fn moments(rate: f64, beta1: f64, beta2: f64, epsilon: f64, weight_decay: f64) -> Hyper {
    let f = crate::numeric::to_f32;
    Hyper {
        rate: f(rate),
        beta1: f(beta1),
        one_minus_beta1: f(1.0 - beta1),
        // β = 0 has no logarithm; e^-200 is 0 in f32 too.
        ln_beta1: f(beta1.ln().max(-200.0)),
        beta2: f(beta2),
        one_minus_beta2: f(1.0 - beta2),
        ln_beta2: f(beta2.ln().max(-200.0)),
        epsilon: f(epsilon),
        weight_decay: f(weight_decay),
        ..Hyper::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a constant gradient of 1 the first updates are known by hand.
    #[test]
    fn first_updates_are_those_of_the_formula() {
        let two = |optimizer: Optimizer| {
            let mut state = [0.0_f64; 2];
            let first = optimizer.update(1, 1.0, 1.0, &mut state);
            [first, optimizer.update(2, first, 1.0, &mut state)]
        };
        let close = |found: [f64; 2], expected: [f64; 2]| {
            approx::assert_abs_diff_eq!(found[..], expected[..], epsilon = 1e-8);
        };
        close(two(Optimizer::sgd(0.1)), [0.9, 0.8]);
        close(two(Momentum { rate: 0.1, momentum: 0.9 }.into()), [0.9, 0.71]);
        close(two(Nesterov { rate: 0.1, momentum: 0.9 }.into()), [0.81, 0.539]);
        close(two(Optimizer::adam(0.1)), [0.9, 0.8]);
        let decayed = AdamW { rate: 0.1, weight_decay: 0.5, ..AdamW::default() };
        close(two(decayed.into()), [0.85, 0.7075]);
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for (optimizer, name) in [
            (Optimizer::sgd(f64::NAN), "sgd rate"),
            (Optimizer::sgd(-1.0), "sgd rate"),
            (Optimizer::sgd(1e300), "sgd rate"),
            (Momentum { rate: 0.1, momentum: 1.0 }.into(), "momentum momentum"),
            (Adam { beta2: 1.0 - 1e-12, ..Adam::default() }.into(), "adam beta2"),
            (AdamW { weight_decay: -0.1, ..AdamW::default() }.into(), "adamw weight_decay"),
        ] {
            let message = optimizer.check().unwrap_err().to_string();
            assert!(message.starts_with(name), "{message}");
        }
        for optimizer in Optimizer::all() {
            assert_eq!(optimizer.check(), Ok(()));
        }
    }
}

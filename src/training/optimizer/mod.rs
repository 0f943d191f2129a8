//! Optimizers. Each has a file in `src/training/optimizer/`, a file in `shaders/optimizer/`, and a
//! row in the table below.

use crate::error::{Error, Result};
use crate::numeric::{Real, steps};
use crate::wgsl::{Piece, Writer, piece, shader_struct};

shader_struct! {
    /// The hyperparameters of an optimizer, as its shader reads them.
    ///
    /// Derived values (1 − β, ln β) are computed on the CPU in f64: 1 − 0.999 in f32 is off by
    /// 3e-5.
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
        l1: f32,
        l2: f32,
        clip: f32,
        lazy: u32,
        ln_base: f32,
        decay_start: u32,
        decay_interval: u32,
        decay_end: u32,
    }
}

/// The functions that an optimizer's file defines.
trait Rule {
    const STATES: usize;
    /// Names and values of the hyperparameters, and the range of each value.
    fn fields(&self) -> Vec<(&'static str, f64, Range)>;
    fn hyper(&self) -> Hyper;
    /// The factor of the sign of a layer's parameter that is added to its gradient.
    fn l1(&self) -> f64 {
        0.0
    }
    /// The factor of a layer's parameter that is added to its gradient.
    fn l2(&self) -> f64 {
        0.0
    }
    /// The largest magnitude of a gradient's element; 0 where none is clipped.
    fn clip(&self) -> f64 {
        0.0
    }
    /// Whether a table entry with a gradient of 0 keeps its value.
    fn is_lazy(&self) -> bool {
        false
    }
    /// The divisors of the states at update `t`, counted from 1.
    fn corrections(&self, _: f64) -> [f64; 2] {
        [1.0; 2]
    }
    /// Returns the new parameter and updates its states.
    fn update<T: Real>(&self, by: [T; 2], parameter: T, gradient: T, state: &mut [T; 2]) -> T;
}

/// The range of a hyperparameter.
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
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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
            /// One optimizer of each kind, with its default hyperparameters.
            pub fn all() -> Vec<Self> {
                vec![$($variant::default().into()),*]
            }

            /// The name in messages and shaders.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => stringify!($module)),* }
            }

            /// The number of state values per parameter: 0, 1 or 2.
            pub const fn states(&self) -> usize {
                match self { $(Self::$variant(_) => <$variant as Rule>::STATES),* }
            }

            pub(crate) fn hyper(&self) -> Hyper {
                let numbers = match self { $(Self::$variant(rule) => rule.hyper()),* };
                Hyper {
                    l1: crate::numeric::to_f32(self.l1()),
                    l2: crate::numeric::to_f32(self.l2()),
                    clip: crate::numeric::to_f32(self.clip()),
                    lazy: u32::from(self.is_lazy()),
                    ..numbers
                }
            }

            /// The factor of the sign of a layer's parameter that is added to its gradient.
            pub fn l1(&self) -> f64 {
                match self { $(Self::$variant(rule) => rule.l1()),* }
            }

            /// The factor of a layer's parameter that is added to its gradient.
            pub fn l2(&self) -> f64 {
                match self { $(Self::$variant(rule) => rule.l2()),* }
            }

            /// The largest magnitude of an element of the gradient, which includes [`Optimizer::l1`]
            /// and [`Optimizer::l2`]; 0 where none is clipped.
            pub fn clip(&self) -> f64 {
                match self { $(Self::$variant(rule) => rule.clip()),* }
            }

            /// Whether a table element with a gradient of 0 keeps its value and its states.
            pub fn is_lazy(&self) -> bool {
                match self { $(Self::$variant(rule) => rule.is_lazy()),* }
            }

            /// Sets the learning rate.
            #[must_use]
            pub const fn at_rate(mut self, rate: f64) -> Self {
                match &mut self { $(Self::$variant(rule) => rule.rate = rate),* }
                self
            }

            fn fields(&self) -> Vec<(&'static str, f64, Range)> {
                match self { $(Self::$variant(rule) => rule.fields()),* }
            }

            /// The new value of one parameter from its gradient, which already includes
            /// [`Optimizer::l1`] and [`Optimizer::l2`]. `t` counts updates from 1. `state` is what the last update left,
            /// zeros at first.
            pub fn update<T: Real>(&self, t: u64, parameter: T, gradient: T, state: &mut [T; 2]) -> T {
                self.update_by(self.corrections(t).map(T::of), parameter, gradient, state)
            }

            /// The divisors of the states at update `t`. All parameters share them.
            pub(crate) fn corrections(&self, t: u64) -> [f64; 2] {
                match self { $(Self::$variant(rule) => rule.corrections(steps(t))),* }
            }

            /// [`Optimizer::update`] with precomputed divisors of the states.
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
    /// Gradient descent with the learning rate `rate`.
    pub fn sgd(rate: f64) -> Self {
        Sgd { rate, ..Sgd::default() }.into()
    }

    /// Adam with the learning rate `rate` and the usual β and ε.
    pub fn adam(rate: f64) -> Self {
        Adam { rate, ..Adam::default() }.into()
    }

    /// The learning rate.
    pub fn rate(&self) -> f64 {
        self.fields().iter().find(|(name, ..)| *name == "rate").map_or(0.0, |field| field.1)
    }

    /// The gradient's element with the penalties of a layer's parameter, or of a table's, and clipped.
    /// What is not finite stays, so that it is found.
    pub(crate) fn regularized<T: Real>(&self, gradient: T, parameter: T, is_table: bool) -> T {
        let g = if is_table { gradient } else { gradient + self.penalty(parameter) };
        let clip = T::of(self.clip());
        if clip == T::ZERO || !g.is_finite() {
            g
        } else if g > clip {
            clip
        } else if g < -clip {
            -clip
        } else {
            g
        }
    }

    /// The derivative of l1 |p| + l2 p² / 2.
    fn penalty<T: Real>(&self, parameter: T) -> T {
        let l1 = T::of(self.l1());
        let l1 = match parameter {
            p if p > T::ZERO => l1,
            p if p < T::ZERO => -l1,
            _ => T::ZERO,
        };
        l1 + T::of(self.l2()) * parameter
    }

    /// Checks that every hyperparameter is in its range.
    ///
    /// # Errors
    /// [`Error::Argument`] names the hyperparameter.
    pub fn check(&self) -> Result<()> {
        for (name, value, range) in self.fields() {
            // The check sees the value as the shader does: 1 - 1e-12 is 1 in f32.
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

    /// WGSL function `optimize(…)` that calls this optimizer's own.
    pub(crate) fn splice(&self) -> String {
        let name = self.name();
        let mut w = Writer::default();
        w.line(format_args!("const STATES: u32 = {}u;", self.states()));
        // Clipped without the builtin functions, which drop a NaN.
        w.function("regularized(g: f32, p: f32, is_table: bool) -> f32", |w| {
            w.line("let total = select(g + (hyper.l1 * sign(p) + hyper.l2 * p), g, is_table);");
            w.line(
                "let clips = (hyper.clip > 0.0) & (abs(total) > hyper.clip) & is_finite(total);",
            );
            w.line("return select(total, select(-hyper.clip, hyper.clip, total > 0.0), clips);");
        });
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

    /// With a constant gradient of 1, the first updates are known by hand.
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
        close(two(Momentum { rate: 0.1, ..Momentum::default() }.into()), [0.9, 0.71]);
        close(two(Nesterov { rate: 0.1, ..Nesterov::default() }.into()), [0.81, 0.539]);
        close(two(Optimizer::adam(0.1)), [0.9, 0.8]);
        let decayed = AdamW { rate: 0.1, weight_decay: 0.5, ..AdamW::default() };
        close(two(decayed.into()), [0.85, 0.7075]);
    }

    /// The gradient of l1 |p| + l2 p² / 2, which a table does not have.
    #[test]
    fn penalties_are_those_of_the_formula() {
        for optimizer in Optimizer::all() {
            let (l1, l2) = (0.5, 0.25);
            let with: Optimizer = match optimizer {
                Optimizer::Sgd(rule) => Sgd { l1, l2, ..rule }.into(),
                Optimizer::Momentum(rule) => Momentum { l1, l2, ..rule }.into(),
                Optimizer::Nesterov(rule) => Nesterov { l1, l2, ..rule }.into(),
                Optimizer::Adam(rule) => Adam { l1, l2, ..rule }.into(),
                Optimizer::AdamW(rule) => AdamW { l1, l2, ..rule }.into(),
            };
            for (parameter, expected) in [(2.0, 3.0), (-2.0, 1.0), (0.0, 2.0), (-0.0, 2.0)] {
                assert_eq!(with.regularized(2.0, parameter, false), expected, "{parameter}");
                assert_eq!(with.regularized(2.0, parameter, true), 2.0);
                assert_eq!(optimizer.regularized(2.0, parameter, false), 2.0);
            }
            assert_eq!((with.hyper().l1, with.hyper().l2), (0.5, 0.25));
        }
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        for (optimizer, name) in [
            (Optimizer::sgd(f64::NAN), "sgd rate"),
            (Optimizer::sgd(-1.0), "sgd rate"),
            (Optimizer::sgd(1e300), "sgd rate"),
            (Momentum { momentum: 1.0, ..Momentum::default() }.into(), "momentum momentum"),
            (Sgd { l1: -1.0, ..Sgd::default() }.into(), "sgd l1"),
            (Adam { l1: f64::NAN, ..Adam::default() }.into(), "adam l1"),
            (Sgd { l2: -1.0, ..Sgd::default() }.into(), "sgd l2"),
            (Momentum { l2: f64::NAN, ..Momentum::default() }.into(), "momentum l2"),
            (Nesterov { l2: -1e-9, ..Nesterov::default() }.into(), "nesterov l2"),
            (AdamW { l2: f64::INFINITY, ..AdamW::default() }.into(), "adamw l2"),
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

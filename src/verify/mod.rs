//! What checks gradients and kernels: finite differences, the closed form, their comparison, and the
//! check of a user's own GPU.

mod closed_form;
mod comparison;
mod finite_difference;
mod self_check;

pub use closed_form::SingleUnit;
#[cfg(not(target_family = "wasm"))]
pub use comparison::compare_gradients;
pub(crate) use comparison::deviation;
pub use comparison::{Comparison, HeldTo, Way};
pub use finite_difference::FiniteDifference;
#[cfg(not(target_family = "wasm"))]
pub use self_check::self_check;
pub use self_check::{Check, SelfCheck, self_check_async};

//! One step of an [`Optimizer`] for every parameter, in one dispatch.

use super::{Dispatch, Kernel, Slot, Variant, kernel};
use crate::cast::{to_u32, wide};
use crate::{Optimizer, Real, Result};

/// `shaders/update.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "update",
    Parameters,
    [CURSOR, FINITE, HYPER],
    [
        Slot::uniform("params"),
        Slot::uniform("hyper"),
        Slot::read("gradient"),
        Slot::write("parameters"),
        Slot::write("states"),
        Slot::write("status"),
    ]
);

parameters! {
    /// `gradient` and `parameters` are `[models, parameters]`, `states` `[states, models,
    /// parameters]`.
    Parameters {
        /// Parameters of a model.
        parameters: u32,
        /// Models.
        models: u32,
        /// Rows of the data.
        rows: u32,
        /// Rows of a batch.
        batch: u32,
    }
}

/// The dispatch.
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(
    optimizer: &Optimizer,
    parameters: usize,
    models: usize,
    rows: usize,
    batch: usize,
) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of an update", wide(value));
    let elements = wide(parameters).saturating_mul(wide(models));
    to_u32("the number of parameters of all models", elements)?;
    let p = Parameters {
        parameters: n(parameters)?,
        models: n(models)?,
        rows: n(rows)?,
        batch: n(batch)?,
    };
    let states = wide(optimizer.states());
    Ok(Dispatch::over(&KERNEL, &p, elements)
        .with(Variant {
            pieces: vec![optimizer.wgsl()],
            glue: optimizer.glue(),
            ..Variant::default()
        })
        .costing(elements * (2 + states), elements * (1 + states), elements * (2 + 4 * states)))
}

/// The same on the CPU: whether everything stayed finite. An element that would not is left as it
/// was. `states` is `[2, elements]`, `t` counts updates from 1.
pub fn reference<T: Real>(
    optimizer: &Optimizer,
    t: u32,
    gradient: &[T],
    parameters: &mut [T],
    states: &mut [T],
) -> bool {
    let (first, second) = states.split_at_mut(parameters.len());
    let mut finite = true;
    let elements = parameters.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
    for ((parameter, gradient), (m, v)) in elements {
        let mut state = [*m, *v];
        let value = optimizer.update(t, *parameter, *gradient, &mut state);
        if value.is_finite() && state.iter().all(|s| s.is_finite()) {
            *parameter = value;
            [*m, *v] = state;
        } else {
            finite = false;
        }
    }
    finite
}

//! The sums of [`super::scatter`] as a gradient in f32, and 0 in their place for the next step.

use super::{Dispatch, Kernel, Slot, Variant, kernel, runs};
use crate::cast::{to_u32, wide};
use crate::wgsl::{SUMS_FOURS, SUMS_WORDS, words};
use crate::{Result, Target};

/// `shaders/settle.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "settle",
    Parameters,
    [QUANTA, RUNS],
    [
        Slot::uniform("params"),
        Slot::read("peaks"),
        Slot::write("sums"),
        Slot::write("gradient"),
        Slot::write("status"),
    ]
);

parameters! {
    /// `peaks` is `[models]`, `sums` `[models, tables, 2]`, `gradient` `[models, parameters]`.
    Parameters {
        /// Models.
        models: u32,
        /// Elements of a model's tables.
        tables: u32,
        /// Parameters of a model.
        parameters: u32,
        /// The first of the tables' among them.
        first: u32,
        /// Bits of a contribution.
        bits: u32,
        /// Those of them in the lower word.
        low: u32,
    }
}

/// The dispatch for `tables` elements a model, from `first` on of its `parameters`, of sums with the
/// `[bits, low]` of [`super::scatter`].
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(
    models: usize,
    [tables, first, parameters]: [usize; 3],
    [bits, low]: [u32; 2],
    target: &Target,
) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of a grid's tables", wide(value));
    n(models.saturating_mul(parameters.max(2 * tables)))?;
    let p = Parameters {
        models: n(models)?,
        tables: n(tables)?,
        parameters: n(parameters)?,
        first: n(first)?,
        bits,
        low,
    };
    let elements = wide(models) * wide(tables);
    // Four elements at a time, where every model's lie so.
    let fours = tables.is_multiple_of(4)
        && first.is_multiple_of(4)
        && (models == 1 || parameters.is_multiple_of(4));
    let runs = runs(target);
    let invocations = elements.div_ceil(if fours { 4 } else { 1 }).div_ceil(runs.into());
    let variant = Variant {
        pieces: [words(fours, target), vec![if fours { &SUMS_FOURS } else { &SUMS_WORDS }]]
            .concat(),
        constants: vec![("RUNS", f64::from(runs))],
        ..Variant::default()
    };
    Ok(Dispatch::over(&KERNEL, &p, invocations).with(variant).costing(
        2 * elements,
        3 * elements,
        elements,
    ))
}

/// The same on the CPU: of one element's sums.
pub fn reference([lower, upper]: [i64; 2], peak: u32, [bits, low]: [u32; 2]) -> f64 {
    let sum = (upper << low) + lower;
    sum as f64 * 2_f64.powi(-super::scatter::exponent(peak, bits))
}

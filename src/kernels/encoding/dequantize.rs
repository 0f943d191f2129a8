//! The sums of [`super::scatter`] as a gradient in f32, and 0 in their place for the next step.

use crate::error::Result;
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant, runs, storage::lanes};
use crate::numeric::{to_u32, wide};
use crate::wgsl::{SUMS_SCALAR, SUMS_VEC4, shader_struct};

/// `shaders/encoding/dequantize.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "dequantize" in "encoding/dequantize",
    Parameters,
    [FIXED_POINT_SCALE, RUNS],
    [
        Slot::read("max_abs_bits").of("array<u32>"),
        Slot::write("sums"),
        Slot::write("gradient").of("array<Stored>"),
        Slot::STATUS_ATOMIC,
    ]
);

shader_struct! {
    /// `max_abs_bits` is `[models]`, `sums` `[models, tables, 2]`, `gradient` `[models, parameters]`.
    pub Parameters {
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
    capabilities: &Capabilities,
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
    let vec4 = tables.is_multiple_of(4)
        && first.is_multiple_of(4)
        && (models == 1 || parameters.is_multiple_of(4));
    let runs = runs(capabilities);
    let invocations = elements.div_ceil(if vec4 { 4 } else { 1 }).div_ceil(runs.into());
    let variant = Variant {
        pieces: [lanes(vec4, capabilities), vec![if vec4 { &SUMS_VEC4 } else { &SUMS_SCALAR }]]
            .concat(),
        overrides: vec![("RUNS", f64::from(runs))],
        kinds: vec![("sums", if vec4 { "array<vec4<i32>>" } else { "array<vec2<i32>>" })],
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

//! Converts the fixed-point sums of [`super::scatter`] to an f32 gradient, and resets the sums to 0
//! for the next step.

use super::scatter::Precision;
use crate::error::Result;
use crate::kernels::storage::lanes;
use crate::kernels::{Capabilities, Dispatch, Kernel, Slot, Variant, runs};
use crate::numeric::{to_u32, wide};
use crate::wgsl::{SUMS_SCALAR, SUMS_VEC4, shader_struct};

/// `shaders/encoding/dequantize.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "dequantize" in "encoding/dequantize",
    Parameters,
    [FIXED_POINT_SCALE, MARK_DIVERGED, RUNS],
    [
        Slot::read("max_abs_bits").with_type("array<u32>"),
        Slot::write("sums"),
        Slot::write("gradient").with_type("array<Stored>"),
        Slot::STATUS_ATOMIC,
    ]
);

shader_struct! {
    /// `max_abs_bits` is `[models]`, `sums` `[models, tables, 2]` and `gradient`
    /// `[models, parameters]`.
    pub Parameters {
        /// The number of models.
        models: u32,
        /// Elements of a model's tables.
        tables: u32,
        /// Parameters of a model.
        parameters: u32,
        /// The index of the first table element among a model's parameters.
        first: u32,
        /// Bits of a contribution.
        bits: u32,
        /// Bits of a contribution that are summed in the lower integer.
        low: u32,
        /// 1 where a model whose gradient is not finite is marked.
        marks: u32,
    }
}

/// Describes the conversion of a grid's table gradient. The reference is [`Precision::dequantize`].
#[derive(Debug, Clone, Copy)]
pub struct Dequantize {
    /// The number of models.
    pub models: usize,
    /// Elements of a model's tables.
    pub tables: usize,
    /// The index of the first table element among a model's parameters.
    pub first: usize,
    /// Parameters of a model.
    pub parameters: usize,
    /// The fixed-point precision of the sums.
    pub precision: Precision,
    /// Whether a model whose gradient is not finite is marked as diverged.
    pub marks: bool,
    /// Whether the gradient is added to what `gradient` holds.
    pub adds: bool,
}

impl Dequantize {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let Self { models, tables, first, parameters, precision, marks, adds } = *self;
        let n = |value: usize| to_u32("a size of a grid's tables", wide(value));
        n(models.saturating_mul(parameters.max(tables.saturating_mul(2))))?;
        n(tables.saturating_add(first))?;
        let p = Parameters {
            models: n(models)?,
            tables: n(tables)?,
            parameters: n(parameters)?,
            first: n(first)?,
            bits: precision.bits,
            low: precision.low,
            marks: u32::from(marks),
        };
        let elements = wide(models) * wide(tables);
        // Vectors of four elements need every model's range to be a multiple of four.
        let vec4 = tables.is_multiple_of(4)
            && first.is_multiple_of(4)
            && (models == 1 || parameters.is_multiple_of(4));
        let (sums, kind) = if vec4 {
            (&SUMS_VEC4, "array<vec4<i32>>")
        } else {
            (&SUMS_SCALAR, "array<vec2<i32>>")
        };
        let runs = runs(capabilities);
        let invocations = elements.div_ceil(if vec4 { 4 } else { 1 }).div_ceil(runs.into());
        let variant = Variant {
            pieces: [lanes(vec4, capabilities), vec![sums]].concat(),
            overrides: vec![("RUNS", f64::from(runs)), ("ADDS", f64::from(u8::from(adds)))],
            kinds: vec![("sums", kind.into())],
            ..Variant::default()
        };
        Ok(Dispatch::over(&KERNEL, &p, invocations, u64::from(runs) + 1).with(variant).costing(
            2 * elements,
            3 * elements,
            elements,
        ))
    }
}

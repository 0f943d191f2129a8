//! The sums of [`super::scatter`] as a gradient in f32, and 0 in their place for the next step.

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

/// The gradient of a grid's tables. Its reference is [`Precision::dequantize`].
#[derive(Debug, Clone, Copy)]
pub struct Dequantize {
    /// Models.
    pub models: usize,
    /// Elements of a model's tables.
    pub tables: usize,
    /// The first of them among a model's parameters.
    pub first: usize,
    /// Parameters of a model.
    pub parameters: usize,
    /// The precision of the sums.
    pub precision: Precision,
}

impl Dequantize {
    /// The dispatch.
    ///
    /// # Errors
    /// A size that a shader cannot count.
    pub fn dispatch(&self, capabilities: &Capabilities) -> Result<Dispatch> {
        let Self { models, tables, first, parameters, precision } = *self;
        let n = |value: usize| to_u32("a size of a grid's tables", wide(value));
        n(models.saturating_mul(parameters.max(2 * tables)))?;
        let p = Parameters {
            models: n(models)?,
            tables: n(tables)?,
            parameters: n(parameters)?,
            first: n(first)?,
            bits: precision.bits,
            low: precision.low,
        };
        let elements = wide(models) * wide(tables);
        // Four elements at a time, where every model's lie so.
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
            overrides: vec![("RUNS", f64::from(runs))],
            kinds: vec![("sums", kind)],
            ..Variant::default()
        };
        Ok(Dispatch::over(&KERNEL, &p, invocations).with(variant).costing(
            2 * elements,
            3 * elements,
            elements,
        ))
    }
}

//! On how many rows each unit's activation is flat: |f′| at or below a threshold.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant};
use crate::network::Activation;
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/saturation.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "saturation" in "measure/saturation",
    Parameters,
    [],
    [Slot::read("saved"), Slot::write("counts").of("array<atomic<u32>>")]
);

shader_struct! {
    /// `saved` is `[models, rows, units]` from `offset` on, `counts` `[models, units]`.
    pub Parameters {
        /// Rows of a model.
        rows: u32,
        /// Units of the layer.
        units: u32,
        /// Models.
        models: u32,
        /// The first element of `saved`.
        offset: u32,
        /// Stretches of 256 rows.
        chunks: u32,
        /// The |derivative| at or below which a unit counts.
        threshold: f32,
    }
}

/// Rows that one invocation counts.
const ROWS: usize = 256;

/// What the buffer `saved` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// What [`Activation::saves`] says.
    Saved,
    /// The pre-activation z.
    PreActivation,
}

/// The dispatch; `counts` holds zeros before.
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(
    activation: Activation,
    holds: Holds,
    [models, rows, units]: [usize; 3],
    offset: usize,
    threshold: f64,
) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of a count of units", wide(value));
    let chunks = rows.div_ceil(ROWS);
    let p = Parameters {
        rows: n(rows)?,
        units: n(units)?,
        models: n(models)?,
        offset: n(offset)?,
        chunks: n(chunks)?,
        threshold: to_f32(threshold),
    };
    let call = match holds {
        Holds::Saved => "activation_derivative",
        Holds::PreActivation => "activation_derivative_at",
    };
    let generated = format!(
        "{}{}fn derivative_of(value: f32) -> f32 {{ return {call}(value); }}\n",
        activation.splice(),
        activation.splice_derivative()
    );
    let elements = wide(models) * wide(rows) * wide(units);
    Ok(Dispatch::over(&KERNEL, &p, wide(models) * wide(chunks) * wide(units))
        .with(Variant { pieces: vec![activation.wgsl()], generated, ..Variant::default() })
        .costing(elements, wide(models) * wide(units), elements))
}

/// The same on the CPU, for one model: counts of `[units]` from `[rows, units]`.
pub fn reference<T: Real>(
    activation: Activation,
    holds: Holds,
    units: usize,
    threshold: f64,
    values: &[T],
) -> Vec<u32> {
    let mut counts = vec![0; units];
    for row in values.chunks(units) {
        for (count, value) in counts.iter_mut().zip(row) {
            let derivative = match holds {
                Holds::Saved => activation.derivative(*value),
                Holds::PreActivation => activation.derivative_at(*value),
            };
            *count += u32::from(derivative.abs() <= T::of(threshold));
        }
    }
    counts
}

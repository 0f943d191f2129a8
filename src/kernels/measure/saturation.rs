//! Counts the rows on which each unit's activation is flat: |f′| at or below a threshold.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, Variant, check_positive, volume};
use crate::network::Activation;
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/saturation.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "saturation" in "measure/saturation",
    Parameters,
    [],
    [Slot::read("saved"), Slot::write("counts").with_type("array<atomic<u32>>")]
);

shader_struct! {
    /// `saved` is `[models, rows, units]`, starting at `offset`; `counts` is `[models, units]`.
    pub Parameters {
        /// Rows of a model.
        rows: u32,
        /// Units of the layer.
        units: u32,
        /// The number of models.
        models: u32,
        /// The index of the first element of `saved`.
        offset: u32,
        /// The number of chunks of 256 rows.
        chunks: u32,
        /// The |f′| at or below which a row counts.
        threshold: f32,
    }
}

/// The number of rows that one invocation counts.
const ROWS: usize = 256;

/// What the buffer `saved` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holds {
    /// The values that [`Activation::saves`] names.
    Saved,
    /// The pre-activation z.
    PreActivation,
}

/// Describes a count over the units of a layer.
#[derive(Debug, Clone, Copy)]
pub struct Saturation {
    /// The layer's activation.
    pub activation: Activation,
    /// What the buffer `saved` holds.
    pub holds: Holds,
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Units of the layer.
    pub units: usize,
    /// The index of the first element of `saved`.
    pub offset: usize,
    /// The |f′| at or below which a row counts.
    pub threshold: f64,
}

impl Saturation {
    /// Describes the dispatch. The buffer `counts` must hold zeros before it runs.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { activation, models, rows, units, .. } = *self;
        let n = |value: usize| to_u32("a size of a count of units", wide(value));
        check_positive("the units of a layer", units)?;
        let chunks = rows.div_ceil(ROWS);
        let p = Parameters {
            rows: n(rows)?,
            units: n(units)?,
            models: n(models)?,
            offset: n(self.offset)?,
            chunks: n(chunks)?,
            threshold: to_f32(self.threshold),
        };
        let call = match self.holds {
            Holds::Saved => "activation_derivative",
            Holds::PreActivation => "activation_derivative_at",
        };
        let generated = format!(
            "{}{}fn derivative_of(value: f32) -> f32 {{ return {call}(value); }}\n",
            activation.splice(),
            activation.splice_derivative()
        );
        let elements = volume(&[models, rows, units]).saturating_add(wide(self.offset));
        to_u32("the number of elements of a count of units", elements)?;
        let elements = volume(&[models, rows, units]);
        Ok(Dispatch::over(&KERNEL, &p, volume(&[models, chunks, units]), wide(ROWS) + 1)
            .with(Variant { pieces: vec![activation.wgsl()], generated, ..Variant::default() })
            .costing(elements, volume(&[models, units]), elements))
    }

    /// The counts `[units]` of one model on the CPU, from its saved values `[rows, units]`.
    pub fn reference<T: Real>(&self, values: &[T]) -> Vec<u32> {
        let mut counts = vec![0; self.units];
        for row in values.chunks(self.units.max(1)) {
            for (count, value) in counts.iter_mut().zip(row) {
                let derivative = match self.holds {
                    Holds::Saved => self.activation.derivative(*value),
                    Holds::PreActivation => self.activation.derivative_at(*value),
                };
                *count += u32::from(derivative.abs() <= T::of(self.threshold));
            }
        }
        counts
    }
}

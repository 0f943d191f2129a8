//! The Euclidean norm of a range of each model's vector, for vectors of any magnitude.
//!
//! √Σ x² is computed as m √Σ (x/m)² with a power of two m near max |x|. The sum neither overflows nor
//! vanishes where the norm does not (Blue, "A Portable Fortran Program to Find the Euclidean Norm of a Vector",
//! 1978).

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot, volume};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/norm.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "norm" in "measure/norm",
    Parameters,
    [MAGNITUDE, WORKGROUP_MAX, WORKGROUP_SUM],
    [Slot::read("values"), Slot::write("partial").with_type("array<vec2<f32>>")]
);

shader_struct! {
    /// Model m's range begins at `offset + m · stride`; `partial` is `[models, groups, 2]`.
    pub Parameters {
        /// Elements of the range.
        length: u32,
        /// The number of models.
        models: u32,
        /// The index of the first model's first element.
        offset: u32,
        /// Elements from model to model.
        stride: u32,
        /// The number of workgroups of a model.
        groups: u32,
    }
}

/// The number of elements of a workgroup.
const CHUNK: usize = 4096;

/// Describes the norm of a range of `length` elements of each of `models` models.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Elements of the range.
    pub length: usize,
    /// The number of models.
    pub models: usize,
    /// The index of the first model's first element.
    pub offset: usize,
    /// Elements from model to model.
    pub stride: usize,
}

impl Norm {
    /// The number of partial results of a model.
    pub const fn groups(&self) -> usize {
        self.length.div_ceil(CHUNK)
    }

    /// Describes the dispatch. [`Norm::finish`] combines its partial results.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let n = |value: usize| to_u32("a size of a norm", wide(value));
        let end = volume(&[self.models, self.stride]);
        let end = end.saturating_add(wide(self.offset)).saturating_add(wide(self.length));
        to_u32("the number of elements of a norm", end.max(volume(&[self.models, self.length])))?;
        let p = Parameters {
            length: n(self.length)?,
            models: n(self.models)?,
            offset: n(self.offset)?,
            stride: n(self.stride)?,
            groups: n(self.groups())?,
        };
        let all = wide(self.models) * wide(self.groups());
        let elements = wide(self.models) * wide(self.length);
        // Two loops over an invocation's elements, and the halvings of two sums.
        let iterations = 2 * (wide(CHUNK).div_ceil(64) + 1 + 7);
        Ok(Dispatch::new(&KERNEL, &p, all, iterations).costing(elements, 2 * all, 2 * elements))
    }

    /// The norm of each model from its partial results. A partial result is a power of
    /// two, or a magnitude that is not finite, and the sum of the squares of x divided by it.
    pub fn finish(&self, partial: &[[f32; 2]]) -> Vec<f64> {
        partial
            .chunks(self.groups().max(1))
            .map(|model| {
                // ∞ · 0 would be NaN.
                let square = |[top, sum]: &[f32; 2]| {
                    let share = if top.is_finite() { f64::from(*sum) } else { 1.0 };
                    f64::from(*top).powi(2) * share
                };
                model.iter().map(square).sum::<f64>().sqrt()
            })
            .collect()
    }

    /// The norms on the CPU.
    pub fn reference(&self, values: &[f64]) -> Vec<f64> {
        (0..self.models)
            .map(|m| {
                let stretch = &values[self.offset + m * self.stride..][..self.length];
                stretch.iter().map(|v| v * v).sum::<f64>().sqrt()
            })
            .collect()
    }
}

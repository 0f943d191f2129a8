//! The Euclidean norm of a stretch of each model's vector, for vectors of any magnitude.
//!
//! √Σ x² as m √Σ (x/m)² with m = max |x|: neither overflows nor vanishes where the norm does not
//! (Blue, "A Portable Fortran Program to Find the Euclidean Norm of a Vector", 1978).

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/measure/norm.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "norm" in "measure/norm",
    Parameters,
    [],
    [Slot::read("values"), Slot::write("partial").of("array<vec2<f32>>")]
);

shader_struct! {
    /// Model m's stretch begins at `offset + m · stride`; `partial` is `[models, groups, 2]`.
    pub Parameters {
        /// Elements of the stretch.
        length: u32,
        /// Models.
        models: u32,
        /// The first model's first element.
        offset: u32,
        /// From model to model.
        stride: u32,
        /// Workgroups of a model.
        groups: u32,
    }
}

/// Elements of a workgroup.
const CHUNK: usize = 4096;

/// The norm of a stretch of `length` elements of each of `models` models.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Elements of the stretch.
    pub length: usize,
    /// Models.
    pub models: usize,
    /// The first model's first element.
    pub offset: usize,
    /// From model to model.
    pub stride: usize,
}

impl Norm {
    /// Partial results of a model.
    pub const fn groups(&self) -> usize {
        self.length.div_ceil(CHUNK)
    }

    /// The dispatch, whose partial results [`Norm::finish`] joins.
    ///
    /// # Errors
    /// A size that a shader cannot count.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let n = |value: usize| to_u32("a size of a norm", wide(value));
        let p = Parameters {
            length: n(self.length)?,
            models: n(self.models)?,
            offset: n(self.offset)?,
            stride: n(self.stride)?,
            groups: n(self.groups())?,
        };
        let all = wide(self.models) * wide(self.groups());
        let elements = wide(self.models) * wide(self.length);
        Ok(Dispatch::new(&KERNEL, &p, all).costing(elements, 2 * all, 2 * elements))
    }

    /// The norm of each model from its partial results: each is a largest magnitude, and a sum of
    /// squares of shares of it.
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

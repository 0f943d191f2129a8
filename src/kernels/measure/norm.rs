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

/// Partial results of a model's stretch of `length`.
pub const fn groups(length: usize) -> usize {
    length.div_ceil(CHUNK)
}

/// The dispatch.
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(length: usize, models: usize, offset: usize, stride: usize) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of a norm", wide(value));
    let p = Parameters {
        length: n(length)?,
        models: n(models)?,
        offset: n(offset)?,
        stride: n(stride)?,
        groups: n(groups(length))?,
    };
    let all = wide(models) * wide(groups(length));
    let elements = wide(models) * wide(length);
    Ok(Dispatch::new(&KERNEL, &p, all).costing(elements, 2 * all, 2 * elements))
}

/// The second stage: the norm of each model from its partial results, each a largest magnitude
/// and a sum of squares of shares of it.
pub fn finish(partial: &[[f32; 2]], groups: usize) -> Vec<f64> {
    partial
        .chunks(groups.max(1))
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

/// The same on the CPU.
pub fn reference(
    length: usize,
    models: usize,
    offset: usize,
    stride: usize,
    values: &[f64],
) -> Vec<f64> {
    (0..models)
        .map(|m| {
            let stretch = &values[offset + m * stride..][..length];
            stretch.iter().map(|v| v * v).sum::<f64>().sqrt()
        })
        .collect()
}

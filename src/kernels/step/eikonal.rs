//! The gradient of the eikonal term w · mean (|p| − 1)² with respect to each slope p: a distance has a slope
//! of length 1 everywhere. After Gropp et al., "Implicit Geometric Regularization for Learning Shapes",
//! 2020.

use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::{Dispatch, Kernel, Slot, check_positive, volume};
use crate::numeric::{Real, to_f32, to_u32, wide};
use crate::wgsl::shader_struct;
use std::mem::offset_of;

/// `shaders/step/eikonal.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "eikonal" in "step/eikonal",
    Parameters,
    [],
    [Slot::read("slopes"), Slot::write("slope_gradient")]
);

shader_struct! {
    /// `slopes` and `slope_gradient` are `[models, rows, inputs]`.
    pub Parameters {
        /// Elements of a slope.
        inputs: u32,
        /// Rows of a model.
        rows: u32,
        /// The number of models.
        models: u32,
        /// The rows of a model that are computed: all, or those of a count on the GPU.
        count: u32,
        /// Twice the term's weight, over the number of rows.
        scale: f32,
    }
}

/// Describes the gradient of the eikonal term.
#[derive(Debug, Clone, Copy)]
pub struct Eikonal {
    /// The weight w of the mean.
    pub weight: f32,
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Elements of a slope.
    pub inputs: usize,
}

impl Eikonal {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// No rows; a size that does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { weight, models, rows, inputs } = *self;
        check_positive("the number of rows of the slopes", rows)?;
        check_positive("the number of elements of a slope", inputs)?;
        let elements = volume(&[models, rows, inputs]);
        to_u32("the number of elements of all slopes", elements)?;
        let n = |value: usize| to_u32("a size of the slopes", wide(value));
        let (inputs, rows, models) = (n(inputs)?, n(rows)?, n(models)?);
        let scale = to_f32(2.0 * f64::from(weight) / self.rows as f64);
        let p = Parameters { inputs, rows, models, count: rows, scale };
        let all = u64::from(models) * u64::from(rows);
        let count = Counted::Rows { at: offset_of!(Parameters, count), first: 0, each: 1 };
        // Both loops over the inputs, with their final tests.
        let iterations = 2 * u64::from(inputs) + 2;
        Ok(Dispatch::over(&KERNEL, &p, all, iterations)
            .costing(elements, elements, elements.saturating_mul(3))
            .counting(count)
            .counting(Counted::Weight { at: offset_of!(Parameters, scale) }))
    }

    /// The gradients on the CPU.
    pub fn reference<T: Real>(&self, slopes: &[T]) -> Vec<T> {
        let scale = T::of(2.0 * f64::from(self.weight) / self.rows as f64);
        let of_row = |p: &[T]| {
            let square = p.iter().fold(T::ZERO, |sum, p| sum + *p * *p);
            let factor =
                if square == T::ZERO { T::ZERO } else { scale * (T::ONE - T::ONE / square.sqrt()) };
            p.iter().map(|p| factor * *p).collect::<Vec<_>>()
        };
        slopes.chunks(self.inputs.max(1)).flat_map(of_row).collect()
    }
}

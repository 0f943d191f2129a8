//! The elements of a matrix that a training does not know: those that are not finite, those out of
//! their column's range, and rows that are no distribution.

use crate::error::{Error, Result};
use crate::kernels::{Dispatch, Kernel, MAX_ITERATIONS, Slot, Variant};
use crate::numeric::{Real, to_f32, to_u32, wide};
pub use crate::training::Domain;
use crate::training::SUM_TOLERANCE;
use crate::wgsl::{Writer, literal, shader_struct};

/// `shaders/measure/domain.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "domain" in "measure/domain",
    Parameters,
    [FINITE],
    [Slot::read("values"), Slot::write("faults").with_type("array<atomic<u32>>")]
);

shader_struct! {
    /// `values` is `[rows, columns]`. `faults` is `[3, 2]`: the number of faults of a kind, and the
    /// index of the first.
    pub Parameters {
        /// Rows of all data sets.
        rows: u32,
        /// Elements of a row.
        columns: u32,
        /// How far the sum of a distribution may be from 1.
        tolerance: f32,
    }
}

/// The faults before the search. The index stays where there is no fault.
pub const NONE: [u32; 6] = [0, u32::MAX, 0, u32::MAX, 0, u32::MAX];

/// Describes the search through a matrix of `rows` rows.
#[derive(Debug, Clone, Copy)]
pub struct CheckDomain<'a> {
    /// What the elements may be.
    pub domain: &'a Domain,
    /// Rows of all data sets.
    pub rows: usize,
    /// Elements of a row.
    pub columns: usize,
}

impl CheckDomain<'_> {
    /// Describes the dispatch. The buffer `faults` must hold [`NONE`] before it runs.
    ///
    /// # Errors
    /// The number of elements does not fit in the shader's `u32`; more columns than a loop may sum.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let elements = wide(self.rows).saturating_mul(wide(self.columns));
        to_u32("the number of elements", elements)?;
        if self.domain.is_distribution && wide(self.columns) >= MAX_ITERATIONS {
            let allowed = format!("at most {}", MAX_ITERATIONS - 1);
            return Err(Error::argument("the columns of a distribution", self.columns, allowed));
        }
        let p = Parameters {
            rows: to_u32("the rows", wide(self.rows))?,
            columns: to_u32("the columns", wide(self.columns))?,
            tolerance: to_f32(SUM_TOLERANCE),
        };
        let mut w = Writer::default();
        w.function("range_of(column: u32) -> vec2<f32>", |w| {
            for (columns, _) in &self.domain.ranges {
                let [low, high] = self.domain.range(columns.start).map(|end| literal(to_f32(end)));
                let (first, end) = (columns.start, columns.end);
                w.block(format_args!("if (column >= {first}u && column < {end}u)"), |w| {
                    w.line(format_args!("return vec2<f32>({low}, {high});"));
                });
            }
            let [low, high] = [f32::MIN, f32::MAX].map(literal);
            w.line(format_args!("return vec2<f32>({low}, {high});"));
        });
        let sums = f64::from(u8::from(self.domain.is_distribution));
        let variant = Variant {
            generated: w.finish(),
            overrides: vec![("SUMS", sums)],
            ..Variant::default()
        };
        let iterations = if self.domain.is_distribution { wide(self.columns) + 1 } else { 0 };
        Ok(Dispatch::over(&KERNEL, &p, elements, iterations)
            .with(variant)
            .costing(elements, 0, elements))
    }

    /// The faults on the CPU.
    pub fn reference<T: Real>(&self, values: &[T]) -> [u32; 6] {
        let mut faults = NONE;
        let mut fault = |kind: usize, index: usize| {
            faults[2 * kind] += 1;
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            faults[2 * kind + 1] = faults[2 * kind + 1].min(index);
        };
        for (row, values) in values.chunks(self.columns.max(1)).enumerate() {
            for (column, value) in values.iter().enumerate() {
                let [low, high] = self.domain.range(column).map(T::of);
                if !value.is_finite() {
                    fault(0, row * self.columns + column);
                } else if *value < low || *value > high {
                    fault(1, row * self.columns + column);
                }
            }
            if self.domain.is_distribution {
                let sum: f64 = values.iter().map(|value| value.to_f64()).sum();
                if !((sum - 1.0).abs() <= SUM_TOLERANCE) {
                    fault(2, row * self.columns);
                }
            }
        }
        faults
    }
}

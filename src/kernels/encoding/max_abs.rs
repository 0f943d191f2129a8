//! The bits of the largest magnitude among some columns of a matrix. Where a value is not finite,
//! they are the bits of an infinity or more.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, MAX_ITERATIONS, Slot, Variant, check_positive, volume};
use crate::numeric::{narrow, to_u32, wide};
use crate::wgsl::{Writer, shader_struct};

/// `shaders/encoding/max_abs.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "max_abs" in "encoding/max_abs",
    Parameters,
    [WORKGROUP_MAX],
    [Slot::read("values").with_type("array<u32>"), Slot::write("max_abs_bits").with_type("array<u32>")]
);

shader_struct! {
    /// `values` is `[models, rows, width]`, of which some columns are searched. `max_abs_bits` is
    /// `[models, groups]`.
    pub Parameters {
        /// The number of models.
        models: u32,
        /// Rows of a model.
        rows: u32,
        /// Elements from row to row.
        width: u32,
        /// The index of the first element.
        first: u32,
        /// Columns that are searched.
        columns: u32,
        /// The number of workgroups of a model.
        groups: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The number of elements of an invocation.
const TERMS: usize = 64;

/// The loads that an invocation has in flight at a time.
const LOADS: u64 = 4;

/// Describes a search through some columns of `models` matrices of `[rows, width]`.
#[derive(Debug, Clone, Copy)]
pub struct MaxAbs {
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Elements from row to row.
    pub width: usize,
    /// The index of the first element.
    pub first: usize,
    /// Columns that are searched.
    pub columns: usize,
    /// Workgroups of a model. Each has its own result.
    pub groups: usize,
}

impl MaxAbs {
    /// The number of workgroups that search one model's matrix. A second dispatch combines their
    /// results.
    pub fn groups_of(rows: usize, columns: usize) -> usize {
        let invocations =
            |terms| rows.saturating_mul(columns).div_ceil(terms * KERNEL.workgroup as usize);
        // More workgroups where the loop of an invocation would be too long.
        invocations(TERMS).clamp(1, 256).max(invocations(narrow(MAX_ITERATIONS / 2)))
    }

    /// Describes the second dispatch, which combines `groups` results of each model.
    pub const fn joining(models: usize, groups: usize) -> Self {
        Self { models, rows: groups, width: 1, first: 0, columns: 1, groups: 1 }
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// There are no models or no workgroups, or a size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { models, rows, width, first, columns, groups } = *self;
        let n = |value: usize| to_u32("a size of a search for the largest", wide(value));
        for (what, size) in [("models", models), ("workgroups", groups)] {
            check_positive(&format!("the number of {what} of a search for the largest"), size)?;
        }
        n(models.saturating_mul(rows).saturating_mul(width.max(columns)))?;
        n(models.saturating_mul(groups))?;
        let p = Parameters {
            models: n(models)?,
            rows: n(rows)?,
            width: n(width)?,
            first: n(first)?,
            columns: n(columns)?,
            groups: n(groups)?,
            count: n(rows)?,
        };
        let each = volume(&[rows, columns]);
        let (read, all) = (each * wide(models), wide(models) * wide(groups));
        let vec4 = [width, first, columns].iter().all(|size| size.is_multiple_of(4));
        let (lanes, kind, value) = if vec4 {
            let value = "max(max(bits.x, bits.y), max(bits.z, bits.w))";
            (4, "array<vec4<u32>>", value)
        } else {
            (1, "array<u32>", "bits")
        };
        let mut w = Writer::default();
        w.constant("LANES", lanes);
        w.function("magnitude_at(at: u32) -> u32", |w| {
            let mask = if vec4 { "vec4<u32>(0x7fffffffu)" } else { "0x7fffffffu" };
            w.line(format_args!("let bits = values[at] & {mask};"));
            w.line(format_args!("return {value};"));
        });
        let variant = Variant {
            generated: w.finish(),
            kinds: vec![("values", kind.into())],
            ..Variant::default()
        };
        // The search, and the halvings of the workgroup.
        let of_loads = 64 * wide(groups) * LOADS * u64::from(lanes);
        let iterations = each.div_ceil(of_loads) + 1 + 7;
        Ok(Dispatch::new(&KERNEL, &p, all, iterations).with(variant).costing(read, all, read))
    }

    /// The bits of the largest magnitude of one model's elements on the CPU.
    pub fn reference(values: &[f32]) -> u32 {
        values.iter().map(|v| v.to_bits() & 0x7fff_ffff).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_looks_at_more_than_a_loop_may() {
        for (rows, columns) in [(1_usize, 1), (1 << 14, 32), (1 << 22, 32), (1 << 22, 256)] {
            let each = (rows * columns).div_ceil(64 * MaxAbs::groups_of(rows, columns));
            assert!(wide(each) <= MAX_ITERATIONS / 2, "{rows} {columns}: {each}");
        }
    }
}

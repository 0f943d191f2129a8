//! The largest magnitude among some columns of a matrix, as bits: where one is not finite, those of
//! an infinity or more.

use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, MAX_ITERATIONS, Slot};
use crate::numeric::{to_u32, wide};
use crate::wgsl::shader_struct;

/// `shaders/encoding/max_abs.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "max_abs" in "encoding/max_abs",
    Parameters,
    [],
    [Slot::read("values").of("array<u32>"), Slot::write("max_abs_bits").of("array<u32>")]
);

shader_struct! {
    /// `values` is `[models, rows, width]`, of which some columns count; `max_abs_bits` is `[models,
    /// groups]`.
    pub Parameters {
        /// Models.
        models: u32,
        /// Rows of a model.
        rows: u32,
        /// From row to row.
        width: u32,
        /// The first element.
        first: u32,
        /// Columns.
        columns: u32,
        /// Workgroups of a model.
        groups: u32,
    }
}

/// Elements of an invocation.
const TERMS: usize = 64;

/// Workgroups that a model's matrix is cut into before the second dispatch joins them.
pub fn groups(rows: usize, columns: usize) -> usize {
    let invocations =
        |terms| rows.saturating_mul(columns).div_ceil(terms * KERNEL.workgroup as usize);
    // More where the loop of an invocation would be too long.
    invocations(TERMS).clamp(1, 256).max(invocations(MAX_ITERATIONS / 2))
}

/// The dispatch for `[rows, width]` a model, of whose elements from `first` on `columns` a row count.
///
/// # Errors
/// A size that a shader cannot count.
pub fn dispatch(
    models: usize,
    rows: usize,
    [width, first, columns]: [usize; 3],
    groups: usize,
) -> Result<Dispatch> {
    let n = |value: usize| to_u32("a size of a search for the largest", wide(value));
    n(models.saturating_mul(rows).saturating_mul(width))?;
    let p = Parameters {
        models: n(models)?,
        rows: n(rows)?,
        width: n(width)?,
        first: n(first)?,
        columns: n(columns)?,
        groups: n(groups)?,
    };
    let read = wide(models) * wide(rows) * wide(columns);
    let all = wide(models) * wide(groups);
    Ok(Dispatch::new(&KERNEL, &p, all).costing(read, all, read))
}

/// The same on the CPU, of one model's elements: the largest magnitude, as bits.
pub fn reference(values: &[f32]) -> u32 {
    values.iter().map(|v| v.to_bits() & 0x7fff_ffff).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_invocation_looks_at_more_than_a_loop_may() {
        for (rows, columns) in [(1_usize, 1), (1 << 14, 32), (1 << 22, 32), (1 << 22, 256)] {
            let each = (rows * columns).div_ceil(64 * groups(rows, columns));
            assert!(each <= MAX_ITERATIONS / 2, "{rows} {columns}: {each}");
        }
    }
}

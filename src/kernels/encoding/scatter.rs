//! Adds the gradient of a [`Grid`]'s outputs to the entries that they came
//! from, in fixed point: whole numbers have the same sum in any order.
//!
//! With p the largest magnitude of that gradient, a contribution c of a corner is rounded to
//! v = c · 2ⁿ, the largest n at which |p| · 2ⁿ < 2^bits; v's lower `low` bits, with their sign, and the
//! rest are added to a word each, so that no sum over the step's rows overflows (see [`precision`]). A table's
//! gradient is off by at most half a quantum, p · 2^−bits, for each contribution; [`super::settle`] makes it
//! f32 again.

use crate::error::{Error, Result};
use crate::kernels::{
    Dispatch, Kernel, Slot,
    encoding::{
        encode_grid::{self, fetch, grid_of, variant},
        encode_pointwise::{Shape, n},
    },
};
use crate::network::encoding::{Grid, Place};
use crate::numeric::wide;
use crate::wgsl::shader_struct;

/// `shaders/encoding/scatter.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "scatter" in "encoding/scatter",
    Parameters,
    [FIXED_POINT_SCALE],
    [
        Slot::read("inputs"),
        Slot::read("delta"),
        Slot::read("max_abs_bits").of("array<u32>"),
        Slot::write("sums").of("array<atomic<i32>>"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, …, inputs]`, `delta` `[models, rows, width]`, `max_abs_bits` `[models]`, `sums`
    /// `[models, tables, 2]`: the lower word and the upper one.
    pub Parameters {
        /// Models.
        models: u32,
        /// Rows of a model.
        rows: u32,
        /// From model to model of the inputs; 0 shares them.
        input_model: u32,
        /// The first element that is encoded.
        input_offset: u32,
        /// Columns of the inputs.
        inputs: u32,
        /// Chunks of features of a row: levels, or twice as many.
        chunks: u32,
        /// From row to row of the outputs' gradient.
        width: u32,
        /// The first of this grid's columns, from the beginning of the buffer.
        first: u32,
        /// Elements of a model's tables.
        tables: u32,
        /// Bits of a contribution.
        bits: u32,
        /// Those of them in the lower word.
        low: u32,
    }
}

/// The dispatch of one part of a network's encoding. In `shape`, the width is that of the rows of
/// `delta`, whose element `first` is this grid's first.
///
/// # Errors
/// More rows than the sums have room for; a size that a shader cannot count.
pub(crate) fn dispatch(place: &Place, shape: Shape, first: usize) -> Result<Dispatch> {
    let [bits, low] = precision(shape.rows, place.inputs.len())?;
    let of = encode_grid::parameters(place, shape, 0)?;
    n(first)?;
    n(shape.models.saturating_mul(place.tables.len()).saturating_mul(2))?;
    let p = Parameters {
        models: of.models,
        rows: of.rows,
        input_model: of.input_model,
        input_offset: of.input_offset,
        inputs: of.inputs,
        chunks: of.chunks,
        width: of.width,
        first: n(first)?,
        tables: n(place.tables.len())?,
        bits,
        low,
    };
    let mut variant = variant(place)?;
    variant.generated.push_str(&fetch("delta_at", "delta", place)?);
    // The encoding's own functions ask for features, which a scatter has no use for.
    variant
        .generated
        .push_str("fn grid_features(at: u32) -> GridFeatures { return GridFeatures(); }\n");
    let rows = wide(shape.models) * wide(shape.rows);
    let work = rows * grid_of(place)?.work(place.inputs.len());
    Ok(Dispatch::over(&KERNEL, &p, rows * u64::from(of.chunks)).with(variant).costing(
        rows * wide(place.inputs.len() + place.outputs.len()) + work,
        work,
        work,
    ))
}

/// The dispatch of a grid over all inputs.
///
/// # Errors
/// Those of [`super::grid::of`], and more rows than the sums have room for.
pub fn of(grid: Grid, inputs: usize, models: usize, rows: usize) -> Result<Dispatch> {
    let (place, shape) = super::encode_pointwise::whole(grid.into(), inputs, models, rows)?;
    dispatch(&place, shape, 0)
}

/// The n of a largest magnitude, given by its bits.
pub const fn exponent(peak: u32, bits: u32) -> i32 {
    bits as i32 + 126 - (peak >> 23) as i32
}

/// A contribution on the CPU: its lower and its upper word.
pub fn reference(contribution: f64, peak: u32, [bits, low]: [u32; 2]) -> [i64; 2] {
    let v = (contribution * 2_f64.powi(exponent(peak, bits))).round_ties_even() as i64;
    let lower = v << (64 - low) >> (64 - low);
    [lower, (v - lower) >> low]
}

/// Bits below the largest gradient of an output that a table's gradient keeps, in a sum over
/// `rows` rows of at most so many contributions that 64 bits in two words never overflow:
/// `[bits of a contribution, those of them that are summed in the lower word]`.
///
/// # Errors
/// More rows than leave a contribution of 12 bits.
pub fn precision(rows: usize, inputs: usize) -> Result<[u32; 2]> {
    let log = rows.next_power_of_two().trailing_zeros();
    let contributions = log + u32::try_from(inputs).unwrap_or(3);
    // No more than an f32 has: then the upper word of most contributions is 0, and is not added.
    let bits = 62_u32.saturating_sub(log + contributions).min(24);
    if contributions > 28 || bits < 12 {
        return Err(Error::argument(
            "the rows of a step in front of a grid",
            rows,
            format!("at most {}", 1_u64 << ((50 - inputs) / 2)),
        ));
    }
    Ok([bits, 32 - contributions])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_all_rows_in_one_entry_does_not_overflow() {
        for inputs in [2, 3] {
            for rows in [1_usize, 2, 3, 1000, 1 << 14, 1 << 18, (1 << 20) + 1, 1 << 22] {
                let [bits, low] = precision(rows, inputs).unwrap();
                let (rows, corners) = (rows as f64, f64::from(1 << inputs));
                // The upper word: every corner's quantum rounded up, and one more where the lower is
                // negative. The lower: half of what it counts, either way.
                let upper = rows * (2_f64.powi(bits as i32 - low as i32) + 2.0 * corners);
                assert!(upper < 2_f64.powi(31), "{rows} {inputs}: {upper}");
                assert!(rows * corners * 2_f64.powi(low as i32 - 1) <= 2_f64.powi(31));
                assert!(bits >= 12);
            }
            let most = 1 << ((50 - inputs) / 2);
            assert!(precision(most, inputs).is_ok());
            let message = precision(most + 1, inputs).unwrap_err().to_string();
            assert!(message.ends_with(&format!("at most {most}")), "{message}");
        }
    }
}

//! The dispatches of one product. It is split where a sum is long or the work is large.

use super::parameters::Parameters;
use super::{Epilogue, Tiling, registers};
use crate::error::{Error, Result};
use crate::kernels::dispatch::Counted;
use crate::kernels::{Capabilities, Dispatch, MAX_WORK};
use crate::numeric::{to_u32, wide};
use std::mem::offset_of;

/// The largest number of terms of a sum in one dispatch, so that the iterations of an invocation stay
/// within their bound.
pub(super) const MAX_INNER: usize = 32_768;

/// The dispatches of one product. There are several where a sum is long or the work is large.
///
/// `p` describes the operands. This function fills in the fields that select a dispatch's share of
/// the work. `chunk` is 0 where the sums are not split.
fn dispatches(
    p: Parameters,
    inner: usize,
    epilogue: Epilogue,
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    stored_dispatches(p, inner, epilogue, false, capabilities)
}

/// The dispatches of a product of whose rows, from `first` on, a count on the GPU may leave fewer.
pub(crate) fn dispatches_of_rows(
    p: Parameters,
    inner: usize,
    first: usize,
    epilogue: Epilogue,
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    let word = Counted::Rows { at: offset_of!(Parameters, rows), first, each: 1 };
    let all = dispatches(p, inner, epilogue, capabilities)?;
    Ok(all.into_iter().map(|dispatch| dispatch.counting(word)).collect())
}

/// The dispatches of a product whose terms are rows. Where they are `counted`, the rows from the
/// count on add nothing, whatever they hold.
pub(crate) fn dispatches_over_rows(
    p: Parameters,
    inner: usize,
    counted: bool,
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    let word = Counted::Rows { at: offset_of!(Parameters, inner_end), first: 0, each: 1 };
    let all = dispatches(p, inner, Epilogue::Sum, capabilities)?;
    let counting = |dispatch: Dispatch| {
        let dispatch = if counted { dispatch.overriding("COUNTED") } else { dispatch };
        dispatch.counting(word)
    };
    Ok(all.into_iter().map(counting).collect())
}

/// The dispatches of a product. With `half`, both operands are f16 and are accessed as vectors of
/// four.
pub(super) fn stored_dispatches(
    p: Parameters,
    inner: usize,
    epilogue: Epilogue,
    half: bool,
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    let splits = p.splits.max(1);
    let chunk = if splits == 1 { inner } else { p.chunk as usize };
    let form = capabilities.product.unwrap_or_else(|| Tiling::of(&p, wide(chunk), capabilities));
    if !form.runs_on(capabilities) {
        let why = "one that the device can run";
        return Err(Error::argument("the tiling of a matrix product", format!("{form:?}"), why));
    }
    let tiles = form.tiles(&p);
    to_u32("the number of tiles of a matrix product", tiles)?;
    let area = u64::from(form.side() * form.side());
    let mut result = Vec::new();
    let mut begin = 0;
    while begin < inner {
        // A split sum is short enough: the plan chooses its chunk.
        let end = if splits == 1 { inner.min(begin + MAX_INNER) } else { inner };
        let terms = wide(chunk.min(end - begin));
        let most = (MAX_WORK / (area * terms)).max(1);
        let last = end == inner;
        let mut first_tile = 0;
        while first_tile < tiles {
            let part = Parameters {
                inner_begin: to_u32("terms", wide(begin))?,
                inner_end: to_u32("terms", wide(end))?,
                splits,
                chunk: to_u32("terms", wide(chunk))?,
                first_tile: to_u32("tiles", first_tile)?,
                tiles: to_u32("tiles", most.min(tiles - first_tile))?,
                accumulate: u32::from(begin > 0 || p.accumulate == 1),
                ..p
            };
            let results = area * u64::from(part.tiles);
            let share = |elements: u64| {
                let all = u128::from(elements) * u128::from(part.tiles) / u128::from(tiles.max(1));
                u64::try_from(all).unwrap_or(u64::MAX)
            };
            let (rows, columns) = (u64::from(p.rows), u64::from(p.columns));
            let models = u64::from(p.models);
            let now = wide(end - begin);
            let all = |sides: &[u64]| sides.iter().fold(1_u64, |all, n| all.saturating_mul(*n));
            let operand = |model: u32, size: u64| all(&[if model == 0 { 1 } else { models }, size]);
            let extra = match epilogue {
                Epilogue::Sum => 0,
                Epilogue::Activation { .. } => {
                    if epilogue.has_bias() {
                        models * columns
                    } else {
                        0
                    }
                }
                Epilogue::Gradient(_) => all(&[models, rows, columns]),
            };
            let operands = operand(p.a_model, all(&[rows, now]))
                .saturating_add(operand(p.b_model, all(&[columns, now])));
            let read = if half { operands / 2 } else { operands }.saturating_add(extra);
            let copies =
                if matches!(epilogue, Epilogue::Activation { save: true, .. }) { 2 } else { 1 };
            let written = all(&[copies, models, splits.into(), rows, columns]);
            let operations = all(&[2, models, rows, columns, now]);
            let ending = if last { epilogue } else { Epilogue::Sum };
            let groups = match form {
                Tiling::Registers => u64::from(part.tiles.div_ceil(registers::KERNEL.workgroup)),
                Tiling::Subgroup | Tiling::Tiled | Tiling::Split => part.tiles.into(),
            };
            let dispatch = Dispatch::new(form.kernel(), &part, groups, form.iterations(terms))
                .with(ending.variant(form, &part, end - begin, half, capabilities))
                .costing(share(read), share(written), share(operations).min(2 * results * terms));
            result.push(dispatch);
            first_tile += most;
        }
        begin = end;
    }
    Ok(result)
}

/// The largest number of terms that a partial sum may have in one dispatch.
pub(crate) const fn max_chunk() -> usize {
    MAX_INNER
}

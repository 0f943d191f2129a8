//! What a network makes of the page's square: its features, its units, its output.

use crate::error::{Error, Result};
use crate::feature::{Feature, inputs, square};
use crate::scores::models;
use wgrad::Parameters;

/// The maps of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Maps {
    /// `[features, size, size]`.
    pub features: Vec<f32>,
    /// `[units, size, size]` of each hidden layer.
    pub units: Vec<Vec<f32>>,
    /// `[output_size, output_size]`.
    pub output: Vec<f32>,
}

/// The most points of a side.
const MAX_SIDE: usize = 1024;

fn check_side(size: usize) -> Result<()> {
    if (1..=MAX_SIDE).contains(&size) {
        return Ok(());
    }
    Err(Error::new(format!("the side of a map is {size}; allowed: 1 to {MAX_SIDE}")))
}

/// `[rows, columns]` as `[columns, rows]`.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|c| values.iter().skip(c).step_by(columns).copied()).collect()
}

/// The maps of one model, drawn at `size` × `size` points, the output at `output_size` × `output_size`.
///
/// # Errors
/// A side of no points, or of too many.
pub fn maps(
    of: &Parameters,
    features: &[Feature],
    size: usize,
    output_size: usize,
) -> Result<Maps> {
    check_side(size)?;
    check_side(output_size)?;
    let x = inputs(features, square(size));
    let hidden = of.mlp().layers.len() - 1;
    let units = (1..=hidden).map(|layers| {
        let up_to = of.up_to(layers)?;
        Ok(transposed(&up_to.predict(&x)?, up_to.mlp().outputs()))
    });
    Ok(Maps {
        units: units.collect::<Result<_>>()?,
        output: of.predict(&inputs(features, square(output_size)))?,
        features: transposed(&x, features.len()),
    })
}

/// The output maps of `count` models from model `first` on, `[count, size, size]`.
///
/// # Errors
/// Those of [`maps`]; models that there are not.
pub fn mosaic(
    of: &Parameters,
    features: &[Feature],
    first: usize,
    count: usize,
    size: usize,
) -> Result<Vec<f32>> {
    check_side(size)?;
    Ok(models(of, first, count)?.predict(&inputs(features, square(size)))?)
}

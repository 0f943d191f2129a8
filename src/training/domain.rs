//! What a training knows: the inputs that its encodings and the targets that its loss are made for.

use crate::error::{Error, Result};
use crate::network::Mlp;
use crate::network::encoding::encoding_ranges;
use crate::numeric::Real;
use crate::training::{Loss, Targets};
use std::ops::Range;

/// What the elements of a matrix may be, besides finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Domain {
    /// Some columns, and the smallest and the largest value in them.
    pub(crate) ranges: Vec<(Range<usize>, [f64; 2])>,
    /// Whether the elements of a row sum to 1.
    pub(crate) is_distribution: bool,
}

/// How far the sum of a distribution may be from 1. Probabilities with three decimals are within.
pub(crate) const SUM_TOLERANCE: f64 = 1e-2;

/// How far a value may be out of a range, as a share of the range: a few roundings of f32.
const TOLERANCE: f64 = 1e-6;

impl Domain {
    /// The inputs of `mlp`.
    pub fn of_inputs(mlp: &Mlp) -> Self {
        if mlp.encoding.is_empty() || mlp.check().is_err() {
            return Self::default();
        }
        // What all encodings of a column know.
        let mut of_columns = vec![None; mlp.inputs];
        for place in encoding_ranges(mlp) {
            for (d, column) in of_columns[place.inputs.clone()].iter_mut().enumerate() {
                let Some([low, high]) = place.encoding.range(d) else { continue };
                let [least, most] = column.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
                *column = Some([low.max(least), high.min(most)]);
            }
        }
        let mut ranges: Vec<(Range<usize>, [f64; 2])> = Vec::new();
        for (column, range) in of_columns.into_iter().enumerate() {
            let Some(range) = range else { continue };
            match ranges.last_mut() {
                Some((columns, last)) if columns.end == column && *last == range => {
                    columns.end += 1;
                }
                _ => ranges.push((column..column + 1, range)),
            }
        }
        Self { ranges, is_distribution: false }
    }

    /// The targets of `loss`, in rows of `outputs` elements.
    pub fn of_targets(loss: Loss, outputs: usize) -> Self {
        let ranges = match loss.targets() {
            Targets::Any => Vec::new(),
            Targets::Fractions | Targets::Distributions => vec![(0..outputs, [0.0, 1.0])],
        };
        Self { ranges, is_distribution: loss.targets() == Targets::Distributions }
    }

    /// The smallest and the largest value in a column.
    pub(crate) fn range(&self, column: usize) -> [f64; 2] {
        let found = self.ranges.iter().find(|(columns, _)| columns.contains(&column));
        found.map_or([f64::NEG_INFINITY, f64::INFINITY], |(_, [low, high])| {
            let slack = TOLERANCE * (high - low);
            [low - slack, high + slack]
        })
    }

    /// Checks finite `values` of rows of `width` elements. `what` names the matrix and `why` whose
    /// demand it is.
    ///
    /// # Errors
    /// [`Error::Argument`] names the first element that is out of its range, or the first row that
    /// is no distribution.
    pub(crate) fn check<T: Real>(
        &self,
        what: &str,
        values: &[T],
        width: usize,
        why: &str,
    ) -> Result<()> {
        if self.ranges.is_empty() {
            return Ok(());
        }
        for (row, values) in values.chunks(width.max(1)).enumerate() {
            for (columns, [lowest, highest]) in &self.ranges {
                let [low, high] = self.range(columns.start);
                let bad = |value: &T| !(value.to_f64() >= low && value.to_f64() <= high);
                if let Some(at) = values[columns.clone()].iter().position(bad) {
                    let column = columns.start + at;
                    return Err(Error::argument(
                        format!("{what} in row {row}, column {column}"),
                        values[column].to_f64(),
                        format!("{lowest} to {highest}, {why}"),
                    ));
                }
            }
            if self.is_distribution {
                let sum: f64 = values.iter().map(|value| value.to_f64()).sum();
                if !((sum - 1.0).abs() <= SUM_TOLERANCE) {
                    let what = format!("the sum of {what} in row {row}");
                    return Err(Error::argument(what, sum, format!("1, {why}")));
                }
            }
        }
        Ok(())
    }
}

/// What [`Trainer::check_data`](crate::Trainer::check_data) found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DataReport {
    /// The faults of the inputs.
    pub inputs: DataFaults,
    /// The faults of the targets.
    pub targets: DataFaults,
}

impl DataReport {
    /// Whether the training knows all inputs and targets.
    pub fn is_valid(&self) -> bool {
        *self == Self::default()
    }
}

/// The faults among inputs or targets. Elements are counted in row-major order over all data sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DataFaults {
    /// Elements that are NaN or infinite.
    pub not_finite: u32,
    /// Finite elements that an encoding or the loss does not know.
    pub out_of_range: u32,
    /// Rows of targets that do not sum to 1 where the loss demands it.
    pub not_distributions: u32,
    /// The index of the first element at fault, or of the first element of a row.
    pub first: Option<u32>,
}

impl DataFaults {
    /// The faults as the kernel counts them.
    pub(crate) fn new(faults: [u32; 6]) -> Self {
        let first = faults[1].min(faults[3]).min(faults[5]);
        Self {
            not_finite: faults[0],
            out_of_range: faults[2],
            not_distributions: faults[4],
            first: (first != u32::MAX).then_some(first),
        }
    }
}

//! Losses and accuracies by a network's parameters, computed on the CPU whatever trains it.

use crate::error::Result;
use wgrad::{Data, Parameters};

/// What one model makes of some rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Half the mean squared error; NaN where there are no rows.
    pub loss: f64,
    /// The share of rows on whose side of 0 the output is; NaN where there are no rows.
    pub accuracy: f64,
}

/// Models of one forward pass, at most: its memory should not grow with the population.
const SLICE: usize = 256;

/// `count` models of a population from model `first` on.
///
/// # Errors
/// No models, or more than there are.
pub fn models(of: &Parameters, first: usize, count: usize) -> Result<Parameters> {
    let (p, last) = (of.mlp().parameters(), first.saturating_add(count));
    let values =
        of.values().get(first.saturating_mul(p)..last.saturating_mul(p)).ok_or_else(|| {
            let all = of.models();
            crate::error::Error::new(format!(
                "models {first} to {last} are asked for; there are {all}"
            ))
        })?;
    Ok(Parameters::new(of.mlp().clone(), count, values.to_vec())?)
}

/// The score of every model on the rows of `data`.
///
/// # Errors
/// Data of another network.
pub fn scores(of: &Parameters, data: Option<&Data>) -> Result<Vec<Score>> {
    let Some(data) = data else {
        return Ok(vec![Score { loss: f64::NAN, accuracy: f64::NAN }; of.models()]);
    };
    let mut scores = Vec::with_capacity(of.models());
    for first in (0..of.models()).step_by(SLICE) {
        let outputs = models(of, first, SLICE.min(of.models() - first))?.predict(data.x())?;
        scores.extend(outputs.chunks(data.rows()).map(|outputs| score(outputs, data.t())));
    }
    Ok(scores)
}

fn score(outputs: &[f32], targets: &[f32]) -> Score {
    let (mut squares, mut right) = (0.0, 0_u32);
    for (output, target) in outputs.iter().zip(targets) {
        squares += (f64::from(*output) - f64::from(*target)).powi(2);
        right += u32::from((*output > 0.0) == (*target > 0.0));
    }
    let rows = targets.len() as f64;
    Score { loss: 0.5 * squares / rows, accuracy: f64::from(right) / rows }
}

//! How the learning rate changes from step to step.

use crate::error::{Error, Result};
use crate::numeric::steps;
use crate::training::optimizer::Hyper;

/// The learning rate of each step.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Schedule {
    /// The optimizer's learning rate in every step.
    #[default]
    Constant,
    /// The optimizer's learning rate is multiplied by `base` at step `start`, counted from 0, and
    /// again every `interval` steps, until step `end` has passed.
    ///
    /// ```
    /// use wgrad::Schedule;
    /// let schedule = Schedule::Exponential { base: 0.5, start: 100, interval: 10, end: 115 };
    /// let factors = [99, 100, 109, 110, 500].map(|s| schedule.factor(s));
    /// assert_eq!(factors, [1.0, 0.5, 0.5, 0.25, 0.25]);
    /// ```
    Exponential {
        /// The factor of one decay, above 0 and at most 1.
        base: f64,
        /// The first step with a decay.
        start: u32,
        /// Steps between decays, 1 or more.
        interval: u32,
        /// The last step that may have a decay, `start` or later.
        end: u32,
    },
}

impl Schedule {
    /// The factor of the learning rate in step `step`, counted from 0.
    pub fn factor(self, step: u64) -> f64 {
        match self {
            Self::Exponential { base, start, interval, end } if step >= start.into() => {
                let decays =
                    step.min(end.into()).saturating_sub(start.into()) / u64::from(interval.max(1));
                base.powf(steps(decays) + 1.0)
            }
            _ => 1.0,
        }
    }

    /// Checks that the values are in range.
    ///
    /// # Errors
    /// [`Error::Argument`] names the value.
    pub fn check(self) -> Result<()> {
        let Self::Exponential { base, start, interval, end } = self else { return Ok(()) };
        if !(base > 0.0 && base <= 1.0) {
            return Err(Error::argument("the base of the decay", base, "above 0 and at most 1"));
        }
        if interval == 0 {
            return Err(Error::argument("the interval of the decay", 0, "1 or more"));
        }
        if end < start {
            let allowed = format!("{start}, its start, or later");
            return Err(Error::argument("the end of the decay", end, allowed));
        }
        Ok(())
    }

    /// The optimizer's hyperparameters with this schedule's values filled in.
    pub(crate) fn apply_to(self, numbers: Hyper) -> Hyper {
        match self {
            Self::Constant => numbers,
            Self::Exponential { base, start, interval, end } => Hyper {
                ln_base: crate::numeric::to_f32(base.ln()),
                decay_start: start,
                decay_interval: interval,
                decay_end: end,
                ..numbers
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let decay = |base, interval, end| Schedule::Exponential { base, start: 5, interval, end };
        assert_eq!(decay(1.0, 1, 5).check(), Ok(()));
        for (schedule, words) in [
            (decay(0.0, 1, 9), "the base of the decay is 0"),
            (decay(1.1, 1, 9), "the base of the decay is 1.1"),
            (decay(f64::NAN, 1, 9), "the base of the decay is NaN"),
            (decay(0.5, 0, 9), "the interval of the decay is 0"),
            (decay(0.5, 1, 4), "the end of the decay is 4; allowed: 5"),
        ] {
            let message = schedule.check().unwrap_err().to_string();
            assert!(message.starts_with(words), "{message}");
        }
    }
}

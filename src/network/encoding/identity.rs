//! y = scale · x + offset.

use super::{DIMENSIONS, Pointwise};
use crate::error::{Error, Result};
use crate::numeric::Real;

/// y = scale · x + offset: one output per input.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Identity {
    /// The factor of each input.
    pub scale: f64,
    /// The summand of each output.
    pub offset: f64,
}

impl Default for Identity {
    fn default() -> Self {
        Self { scale: 1.0, offset: 0.0 }
    }
}

impl Pointwise for Identity {
    const DIMENSIONS: usize = 1;

    fn outputs(&self) -> usize {
        1
    }

    fn constants(&self) -> [f64; 2] {
        [self.scale, self.offset]
    }

    fn check(&self) -> Result<()> {
        for (name, value) in [("scale", self.scale), ("offset", self.offset)] {
            if !crate::numeric::to_f32(value).is_finite() {
                let what = format!("the {name} of the encoding identity");
                return Err(Error::argument(what, value, "a finite number in f32"));
            }
        }
        Ok(())
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], _: usize) -> T {
        T::of(self.scale) * p[0] + T::of(self.offset)
    }

    fn derivative<T: Real>(&self, _: [T; DIMENSIONS], _: usize) -> [T; DIMENSIONS] {
        [T::of(self.scale), T::ZERO, T::ZERO]
    }

    fn second_derivative<T: Real>(
        &self,
        _: [T; DIMENSIONS],
        _: usize,
        _: [T; DIMENSIONS],
    ) -> [T; DIMENSIONS] {
        [T::ZERO; DIMENSIONS]
    }
}

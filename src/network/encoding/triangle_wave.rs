//! Triangle waves: Müller et al., "Real-time Neural Radiance Caching for Path Tracing", 2021.

use super::frequency::{check_frequencies, octave};
use super::{DIMENSIONS, Pointwise};
use crate::error::Result;
use crate::numeric::Real;

/// 4 |v − ⌊v⌋ − ½| − 1 with v = 2ⁱ⁻¹ x + i / 4 for i from 0: `frequencies` outputs per input.
///
/// Output i is a wave of period 2¹⁻ⁱ between −1 and 1. Each frequency shifts it by a quarter of the
/// period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct TriangleWave {
    /// The number of frequencies, 1 to 24: beyond 24 an f32 in [0, 1] has no digits left.
    pub frequencies: u32,
}

impl Default for TriangleWave {
    fn default() -> Self {
        Self { frequencies: 12 }
    }
}

/// v − ⌊v⌋.
fn phase<T: Real>(x: T, i: usize) -> T {
    let v = x * T::of(0.5) * octave::<T>(i as u32);
    // Subtracting the whole part first keeps adding the shift exact.
    let shifted = v - v.floor() + T::of(0.25 * (i % 4) as f64);
    shifted - shifted.floor()
}

impl Pointwise for TriangleWave {
    const DIMENSIONS: usize = 1;

    fn outputs(&self) -> usize {
        self.frequencies as usize
    }

    fn constants(&self) -> [f64; 2] {
        [0.0; 2]
    }

    fn check(&self) -> Result<()> {
        check_frequencies("triangle_wave", self.frequencies)
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T {
        T::of(4.0) * (phase(p[0], k) - T::of(0.5)).abs() - T::ONE
    }

    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
        let steep = T::of(2.0) * octave::<T>(k as u32);
        [if phase(p[0], k) < T::of(0.5) { -steep } else { steep }, T::ZERO, T::ZERO]
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

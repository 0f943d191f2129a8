//! sin(2ⁱ π x), cos(2ⁱ π x): Mildenhall et al., "NeRF: Representing Scenes as Neural Radiance
//! Fields for View Synthesis", 2020.

use super::{DIMENSIONS, Pointwise};
use crate::error::{Error, Result};
use crate::numeric::Real;

/// sin(2ⁱ π x) and cos(2ⁱ π x) for i from 0: 2 · `frequencies` outputs per input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Frequency {
    /// The number of frequencies, 1 to 24: beyond 24 an f32 in [0, 1] has no digits left.
    pub frequencies: u32,
}

impl Default for Frequency {
    fn default() -> Self {
        Self { frequencies: 12 }
    }
}

/// Checks that a number of octaves is one that f32 can resolve.
pub(super) fn check_frequencies(name: &str, frequencies: u32) -> Result<()> {
    if (1..=24).contains(&frequencies) {
        return Ok(());
    }
    let what = format!("the frequencies of the encoding {name}");
    Err(Error::argument(what, frequencies, "1 to 24"))
}

/// 2ⁱ.
pub(super) fn octave<T: Real>(i: u32) -> T {
    T::of(f64::from(1_u32 << i))
}

/// sin(π u) or cos(π u). Whole turns are subtracted first, which is exact.
fn wave<T: Real>(u: T, cosine: bool) -> T {
    let turns = T::of(2.0) * (u * T::of(0.5) + T::of(0.5)).floor();
    let angle = T::of(std::f64::consts::PI) * (u - turns);
    if cosine { angle.cos() } else { angle.sin() }
}

impl Pointwise for Frequency {
    const DIMENSIONS: usize = 1;

    fn outputs(&self) -> usize {
        (self.frequencies as usize).saturating_mul(2)
    }

    fn constants(&self) -> [f64; 2] {
        [0.0; 2]
    }

    fn check(&self) -> Result<()> {
        check_frequencies("frequency", self.frequencies)
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T {
        wave(p[0] * octave::<T>((k / 2) as u32), k % 2 == 1)
    }

    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
        let scale = octave::<T>((k / 2) as u32);
        let other = wave(p[0] * scale, k.is_multiple_of(2));
        let sign = if k.is_multiple_of(2) { T::ONE } else { -T::ONE };
        [sign * T::of(std::f64::consts::PI) * scale * other, T::ZERO, T::ZERO]
    }

    fn second_derivative<T: Real>(
        &self,
        p: [T; DIMENSIONS],
        k: usize,
        v: [T; DIMENSIONS],
    ) -> [T; DIMENSIONS] {
        let slope = T::of(std::f64::consts::PI) * octave::<T>((k / 2) as u32);
        [-slope * slope * self.value(p, k) * v[0], T::ZERO, T::ZERO]
    }
}

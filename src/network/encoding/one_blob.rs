//! One-blob encoding: Müller et al., "Neural Importance Sampling", 2019, with tiny-cuda-nn's
//! quartic kernel instead of the normal one.

use super::{DIMENSIONS, Pointwise};
use crate::error::{Error, Result};
use crate::numeric::Real;

/// The integral of a blob around x over each of `bins` bins of [0, 1]: `bins` outputs per input.
///
/// The blob has the density 15/16 (1 − u²)² in u = bins · (position − x), |u| ≤ 1. Whatever lies
/// beyond 0 or 1 wraps around to the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct OneBlob {
    /// The number of bins, 1 or more.
    pub bins: u32,
}

impl Default for OneBlob {
    fn default() -> Self {
        Self { bins: 16 }
    }
}

/// ∫ 15/16 (1 − u²)² du from −1, and the integrand.
fn quartic<T: Real>(u: T) -> (T, T) {
    let u = u.max(-T::ONE).min(T::ONE);
    let q = u * u;
    let density = T::of(15.0 / 16.0) * (T::ONE - q) * (T::ONE - q);
    let share =
        T::of(0.5) + T::of(15.0 / 16.0) * u * (T::ONE + q * (T::of(0.2) * q - T::of(2.0 / 3.0)));
    (share, density)
}

/// The integral over bin `k`, and its derivative.
fn blob<T: Real>(x: T, k: usize, bins: u32) -> (T, T) {
    let n = T::of(f64::from(bins));
    let (mut value, mut derivative) = (T::ZERO, T::ZERO);
    for turn in [-1.0, 0.0, 1.0] {
        let left = T::of(k as f64) + n * (T::of(turn) - x);
        let [(begin, low), (end, high)] = [quartic(left), quartic(left + T::ONE)];
        value += end - begin;
        derivative += n * (low - high);
    }
    (value, derivative)
}

/// The second derivative of the integral over bin `k`.
fn bend<T: Real>(x: T, k: usize, bins: u32) -> T {
    let n = T::of(f64::from(bins));
    // The derivative of the density; 0 from ±1 on.
    let slope = |u: T| {
        let u = u.max(-T::ONE).min(T::ONE);
        T::of(-3.75) * u * (T::ONE - u * u)
    };
    let mut sum = T::ZERO;
    for turn in [-1.0, 0.0, 1.0] {
        let left = T::of(k as f64) + n * (T::of(turn) - x);
        sum += n * n * (slope(left + T::ONE) - slope(left));
    }
    sum
}

impl Pointwise for OneBlob {
    const DIMENSIONS: usize = 1;
    const RANGE: Option<[f64; 2]> = Some([0.0, 1.0]);

    fn outputs(&self) -> usize {
        self.bins as usize
    }

    fn constants(&self) -> [f64; 2] {
        [f64::from(self.bins), 0.0]
    }

    fn check(&self) -> Result<()> {
        if self.bins == 0 {
            return Err(Error::argument("the bins of the encoding one_blob", 0, "1 or more"));
        }
        Ok(())
    }

    fn value<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> T {
        blob(p[0], k, self.bins).0
    }

    fn derivative<T: Real>(&self, p: [T; DIMENSIONS], k: usize) -> [T; DIMENSIONS] {
        [blob(p[0], k, self.bins).1, T::ZERO, T::ZERO]
    }

    fn second_derivative<T: Real>(
        &self,
        p: [T; DIMENSIONS],
        k: usize,
        v: [T; DIMENSIONS],
    ) -> [T; DIMENSIONS] {
        [bend(p[0], k, self.bins) * v[0], T::ZERO, T::ZERO]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn the_shares_of_all_bins_are_one() {
        for bins in [2, 3, 16, 64] {
            for i in 0..=100 {
                let x = f64::from(i) / 100.0;
                let sum: f64 = (0..bins as usize).map(|k| blob(x, k, bins).0).sum();
                assert!((sum - 1.0).abs() <= 1e-12, "{bins} bins at {x}: {sum}");
            }
        }
        // In the middle of a bin, that bin's integral by hand: 15/8 (½ − 1/12 + 1/160).
        let (share, derivative) = blob(0.375, 1, 4);
        assert_abs_diff_eq!(share, 0.792_968_75, epsilon = 1e-12);
        assert_abs_diff_eq!(derivative, 0.0, epsilon = 1e-12);
    }
}

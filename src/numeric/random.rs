//! Seeded pseudo-random numbers.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// Draws that are the same on every platform and in every version of the generator's crate.
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.random::<f64>()
    }

    /// Normal, by Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958.
    pub fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        // 1 − u is never 0, so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.0.random::<f64>()).ln()).sqrt();
        mean + deviation * radius * self.uniform(0.0, std::f64::consts::TAU).cos()
    }
}

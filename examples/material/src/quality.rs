//! How near a material is to another.

use crate::material::{Level, Material, Texel};
use rayon::prelude::*;

/// No more is told apart: rounding to 8 bits alone leaves 58.9 dB.
pub const CEILING: f64 = 60.0;

/// The peak signal-to-noise ratio of a level, in dB. The peak is 1.
#[derive(Clone, Copy, Debug)]
pub struct Psnr {
    pub channels: [f64; 9],
    /// The mean over the channels.
    pub mean: f64,
    /// Of the squared errors of all channels together.
    pub together: f64,
}

/// The ratios of all levels.
pub fn psnr(original: &Material, other: &Material) -> Vec<Psnr> {
    original.levels.iter().zip(&other.levels).map(|(level, other)| of(level, other)).collect()
}

/// Two levels of one size are compared.
pub fn of(original: &Level, other: &Level) -> Psnr {
    let square = |a: &Texel, b: &Texel| std::array::from_fn(|i| f64::from(a[i] - b[i]).powi(2));
    let add = |a: [f64; 9], b: [f64; 9]| std::array::from_fn(|i| a[i] + b[i]);
    let pairs = original.texels.par_iter().zip(&other.texels);
    let sums = pairs.map(|(a, b)| square(a, b)).reduce(|| [0.0; 9], add);
    let errors = sums.map(|sum| sum / original.texels.len() as f64);
    let channels = errors.map(decibels);
    let mean = |all: [f64; 9]| all.iter().sum::<f64>() / 9.0;
    Psnr { channels, mean: mean(channels), together: decibels(mean(errors)) }
}

fn decibels(error: f64) -> f64 {
    (-10.0 * error.log10()).min(CEILING)
}

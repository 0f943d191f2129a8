//! Levels made smaller or larger. The square repeats.

use crate::material::{Level, even, stored};
use rayon::prelude::*;
use std::f32::consts::PI;

/// Weights of the texels around a place, by their distance.
struct Kernel {
    reach: f32,
    weight: fn(f32) -> f32,
}

/// The mean where texels meet, in proportion: what a sampler does.
const TENT: Kernel = Kernel { reach: 1.0, weight: |x| (1.0 - x.abs()).max(0.0) };
/// Lanczos's kernel of three lobes, which keeps edges sharp.
const LANCZOS: Kernel = Kernel { reach: 3.0, weight: |x| sinc(x) * sinc(x / 3.0) };

fn sinc(x: f32) -> f32 {
    if x.abs() < 1e-4 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

impl Level {
    /// With fewer texels a side, in linear light.
    pub fn shrunk(&self, size: usize) -> Self {
        let values: Vec<_> = self.texels.par_iter().map(even).collect();
        let texels = resampled(&values, self.size, size, &LANCZOS).par_iter().map(stored).collect();
        Self { size, texels }
    }

    /// With more texels a side, as a sampler with bilinear weights sees it.
    pub fn enlarged(&self, size: usize) -> Self {
        Self { size, texels: resampled(&self.texels, self.size, size, &TENT) }
    }
}

/// Where a new texel's weights begin among the old ones, and the weights.
fn weights(from: usize, to: usize, kernel: &Kernel) -> Vec<(usize, Vec<f32>)> {
    let ratio = from as f32 / to as f32;
    let stretch = ratio.max(1.0);
    let of = |i: usize| {
        let middle = (i as f32 + 0.5) * ratio - 0.5;
        let first = (middle - kernel.reach * stretch).ceil() as i32;
        let last = (middle + kernel.reach * stretch).floor() as i32;
        let weight = |j: i32| (kernel.weight)((j as f32 - middle) / stretch);
        let all: Vec<f32> = (first..=last).map(weight).collect();
        let sum: f32 = all.iter().sum();
        (first.rem_euclid(from as i32) as usize, all.iter().map(|w| w / sum).collect())
    };
    (0..to).map(of).collect()
}

/// Along the rows, then along the columns.
fn resampled<const N: usize>(
    values: &[[f32; N]],
    from: usize,
    to: usize,
    kernel: &Kernel,
) -> Vec<[f32; N]> {
    let weights = weights(from, to, kernel);
    // A pass leaves rows as columns.
    let pass = |values: &[[f32; N]]| -> Vec<[f32; N]> {
        let lines = values.len() / from;
        let at = |i: usize| {
            let (line, (first, weights)) = (i % lines, &weights[i / lines]);
            let mut sum = [0.0; N];
            for (step, weight) in weights.iter().enumerate() {
                let value = &values[line * from + (first + step) % from];
                sum.iter_mut().zip(value).for_each(|(sum, v)| *sum += weight * v);
            }
            sum
        };
        (0..lines * to).into_par_iter().map(at).collect()
    };
    pass(&pass(values))
}

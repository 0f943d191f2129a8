//! Errors and pictures of linear light.

use wgrad_plot::{Picture, PlotError};

/// The light of all pixels, RGB, row by row: the mean of sums `[pixels, 4]` whose last numbers count the samples; `before` was there already.
pub fn mean(sums: &[f32], before: Option<&[f32]>) -> Vec<f32> {
    let old = |i: usize| before.map_or(0.0, |sums| f64::from(sums[i]));
    (0..sums.len() / 4)
        .flat_map(|pixel| {
            let samples = f64::from(sums[4 * pixel + 3]) - old(4 * pixel + 3);
            [0, 1, 2].map(|c| {
                let i = 4 * pixel + c;
                ((f64::from(sums[i]) - old(i)) / samples.max(1.0)) as f32
            })
        })
        .collect()
}

/// The relative squared error (x − r)² / (r² + 0.01), mean over pixels and channels.
pub fn relative_error(light: &[f32], reference: &[f32]) -> f64 {
    let pairs = light.iter().zip(reference).map(|(x, r)| (f64::from(*x), f64::from(*r)));
    let sum: f64 = pairs.map(|(x, r)| (x - r).powi(2) / (r * r + 0.01)).sum();
    sum / reference.len() as f64
}

/// What a screen shows of a light: a curve that never quite reaches white, in sRGB.
fn shown(light: f32) -> f64 {
    let x = 1.4 * f64::from(light).max(0.0);
    // The filmic curve by Narkowicz, "ACES Filmic Tone Mapping Curve", 2015.
    let v = (x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)).clamp(0.0, 1.0);
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// Peak signal-to-noise ratio of what a screen shows, in dB.
pub fn psnr(light: &[f32], reference: &[f32]) -> f64 {
    let pairs = light.iter().zip(reference);
    let sum: f64 = pairs.map(|(x, r)| (shown(*x) - shown(*r)).powi(2)).sum();
    -10.0 * (sum / reference.len() as f64).log10()
}

/// A picture under a title.
pub fn panel(title: &str, width: u32, light: &[f32]) -> Result<Picture, PlotError> {
    let pixels: Vec<u8> = light.iter().map(|v| (255.0 * shown(*v)).round() as u8).collect();
    wgrad_plot::titled(title, width, &pixels)
}

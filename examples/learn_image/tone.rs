//! What an eye sees of light: the measure of what was learnt, and what panels show.

use crate::source::{Source, to_srgb};

/// Pixels of a [`Raster`], at most.
const MOST: usize = 1 << 22;

/// The pixels that are looked at: all of them, or of a large picture every so many.
#[derive(Clone, Copy, Debug)]
pub struct Raster {
    pub step: u32,
    pub size: [u32; 2],
}

impl Raster {
    pub fn new(source: &Source) -> Self {
        let size = |step: u32| source.size.map(|side| side.div_ceil(step));
        let fits =
            |step: &u32| size(*step).map(|side| side as usize).iter().product::<usize>() <= MOST;
        let step = (1..).find(fits).unwrap_or(u32::MAX);
        Self { step, size: size(step) }
    }

    /// The pixels, row by row.
    pub fn pixels(self, source: &Source) -> impl Iterator<Item = [u32; 2]> {
        let at = move |i: u32, d: usize| (i * self.step + self.step / 2).min(source.size[d] - 1);
        (0..self.size[1]).flat_map(move |y| (0..self.size[0]).map(move |x| [at(x, 0), at(y, 1)]))
    }

    /// The middles of its pixels, as shares of the sides.
    pub fn places(self, source: &Source) -> Vec<f32> {
        self.pixels(source).flat_map(|pixel| source.middle(pixel)).collect()
    }

    /// The light of its pixels.
    pub fn light(self, source: &Source) -> Vec<f32> {
        let light = self.pixels(source).map(|[x, y]| source.light(x, y));
        light.flat_map(|light| light.into_iter().take(source.channels)).collect()
    }
}

impl Source {
    /// The middle of a pixel, as shares of the sides.
    pub fn middle(&self, pixel: [u32; 2]) -> [f32; 2] {
        let at = |d: usize| (f64::from(pixel[d]) + 0.5) / f64::from(self.size[d]);
        [at(0) as f32, at(1) as f32]
    }

    /// The largest light, and what makes a mean light 0.18 (Reinhard et al., "Photographic tone
    /// reproduction for digital images", 2002).
    pub(crate) fn find_range(&self) -> [f32; 2] {
        let brightest =
            |x, y| self.light(x, y)[..self.colours()].iter().copied().fold(0.0, f32::max);
        let rows = (0..self.height()).flat_map(|y| (0..self.width()).map(move |x| (x, y)));
        let largest = rows.map(|(x, y)| brightest(x, y)).fold(0.0, f32::max);
        let (mut sum, mut count) = (0.0, 0.0);
        for [x, y] in Raster::new(self).pixels(self) {
            let light = brightest(x, y);
            if light > 0.0 {
                sum += f64::from(light).ln();
                count += 1.0;
            }
        }
        let mean = if count > 0.0 { (sum / count).exp() } else { 1.0 };
        [if largest > 0.0 { largest } else { 1.0 }, (0.18 / mean) as f32]
    }

    /// A channel's value on a scale of 0 to 1 whose steps look alike: sRGB, or for floating-point
    /// light the µ-law of 5000 (Kalantari and Ramamoorthi, 2017). Alpha is its own.
    fn coded(&self, c: usize, light: f32) -> f64 {
        if c == self.colours() {
            f64::from(light).clamp(0.0, 1.0)
        } else if self.is_float() {
            let share = f64::from(light / self.range[0]).clamp(0.0, 1.0);
            (5000.0 * share).ln_1p() / 5000.0_f64.ln_1p()
        } else {
            to_srgb(light)
        }
    }

    /// How far what was learnt is from the light in each channel, on the scale of [`Source::psnr`].
    pub fn differences(&self, light: &[f32], learnt: &[f32]) -> impl Iterator<Item = f64> {
        let pairs = light.iter().zip(learnt).enumerate();
        pairs.map(|(i, (light, learnt))| {
            let c = i % self.channels;
            self.coded(c, *light) - self.coded(c, *learnt)
        })
    }

    /// The peak signal-to-noise ratio in dB of what was learnt, not rounded to the file's values.
    pub fn psnr(&self, light: &[f32], learnt: &[f32]) -> f64 {
        let sum: f64 = self.differences(light, learnt).map(|difference| difference.powi(2)).sum();
        // Finite where both are the same.
        -10.0 * (sum / learnt.len() as f64).max(1e-15).log10()
    }

    /// What a panel shows of light at pixel `[x, y]` of the panel: transparency over squares.
    pub fn shown(&self, light: &[f32], [x, y]: [u32; 2]) -> [u8; 3] {
        let colours = self.colours();
        let below = if (x / 8 + y / 8).is_multiple_of(2) { 0.6 } else { 0.4 };
        std::array::from_fn(|c| {
            let mut v = light[c.min(colours - 1)];
            if self.is_float() {
                v = (v * self.range[1]).max(0.0);
                v /= 1.0 + v;
            }
            if self.has_alpha() {
                v += (1.0 - light[colours].clamp(0.0, 1.0)) * below;
            }
            (255.0 * to_srgb(v)).round() as u8
        })
    }
}

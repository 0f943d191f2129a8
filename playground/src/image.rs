//! A picture as something to learn: light at places, and how a screen shows light.

use crate::error::{Error, Result};
use wgrad::encoding::Grid;
use wgrad::{Activation, Adam, Data, Init, Loss, Mlp, Training};

/// Channels: red, green and blue.
pub const CHANNELS: usize = 3;
/// The most pixels of a side.
pub const MAX_SIDE: u32 = 8192;

/// A picture in linear light, its transparent parts in front of black.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Pixels of a row, and rows.
    pub size: [u32; 2],
    /// RGBA bytes as a screen shows them, opaque.
    pub bytes: Vec<u8>,
    /// The light of each byte.
    light: Vec<f32>,
}

/// The light that a screen makes of a value of 0 to 1 (IEC 61966-2-1).
pub fn linear(value: f32) -> f32 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// The value of 0 to 1 that a screen shows as this light.
pub fn shown(light: f32) -> f32 {
    let light = if light > 0.0 { light.min(1.0) } else { 0.0 };
    if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// A byte that a screen shows as this light.
pub fn byte(light: f32) -> u8 {
    // Within 0 and 255.
    (255.0 * shown(light) + 0.5) as u8
}

const fn mix_bits(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Where sample `i` of a step lies. The shader has the same.
fn place(i: u32, step: u32) -> [f32; 2] {
    let a = mix_bits(i ^ mix_bits(step));
    let b = mix_bits(a.wrapping_add(0x9e37_79b9));
    [a, b].map(|bits| (bits >> 8) as f32 / 16_777_216.0)
}

impl Image {
    /// A picture of RGBA bytes.
    ///
    /// # Errors
    /// Another number of bytes than the size demands, no pixels, or too many.
    pub fn new(rgba: &[u8], [width, height]: [u32; 2]) -> Result<Self> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(Error::new(format!(
                "the picture has {width} x {height} pixels; allowed: 1 to {MAX_SIDE} a side"
            )));
        }
        let demanded = 4 * width as usize * height as usize;
        if rgba.len() != demanded {
            let found = rgba.len();
            return Err(Error::new(format!(
                "the picture has {found} bytes; {width} x {height} pixels demand {demanded}"
            )));
        }
        let mut bytes = rgba.to_vec();
        for pixel in bytes.chunks_mut(4) {
            let alpha = u16::from(pixel[3]);
            for channel in &mut pixel[..CHANNELS] {
                *channel = u8::try_from(u16::from(*channel) * alpha / 255).unwrap_or(u8::MAX);
            }
            pixel[3] = u8::MAX;
        }
        let light = (0..=u8::MAX).map(|byte| linear(f32::from(byte) / 255.0)).collect();
        Ok(Self { size: [width, height], bytes, light })
    }

    fn texel(&self, x: i64, y: i64) -> [f32; CHANNELS] {
        let [width, height] = self.size.map(i64::from);
        let at = y.clamp(0, height - 1) * width + x.clamp(0, width - 1);
        let at = 4 * usize::try_from(at).unwrap_or(0);
        [0, 1, 2].map(|c| self.light[usize::from(self.bytes[at + c])])
    }

    /// The light at a place of 0 to 1 on either axis, between its four pixels.
    pub fn sample(&self, place: [f32; 2]) -> [f32; CHANNELS] {
        let at = [0, 1].map(|d| place[d] * self.size[d] as f32 - 0.5);
        let [x, y] = at.map(|a| a.floor() as i64);
        let share = at.map(|a| a - a.floor());
        let mix = |a: [f32; CHANNELS], b: [f32; CHANNELS], s: f32| {
            [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * s)
        };
        let above = mix(self.texel(x, y), self.texel(x + 1, y), share[0]);
        let below = mix(self.texel(x, y + 1), self.texel(x + 1, y + 1), share[0]);
        mix(above, below, share[1])
    }

    /// The samples of a step.
    ///
    /// # Errors
    /// No samples.
    pub fn samples(&self, batch: u32, step: u32) -> Result<Data> {
        let places: Vec<_> = (0..batch).map(|i| place(i, step)).collect();
        let light = places.iter().flat_map(|place| self.sample(*place)).collect();
        Ok(Data::new(2, CHANNELS, places.into_iter().flatten().collect(), light)?)
    }

    /// The middles of all pixels.
    pub fn places(&self) -> Vec<f32> {
        view([0.5, 0.5], 1.0, self.size)
    }

    /// The peak signal-to-noise ratio in dB of light at all pixels, as a screen shows it.
    pub fn psnr(&self, light: &[f32]) -> f64 {
        let pixels = self.bytes.chunks(4).zip(light.chunks(CHANNELS));
        let squares = pixels.flat_map(|(pixel, light)| {
            (0..CHANNELS)
                .map(move |c| f64::from(f32::from(pixel[c]) / 255.0 - shown(light[c])).powi(2))
        });
        let mean = squares.sum::<f64>() / light.len() as f64;
        -10.0 * mean.log10()
    }
}

/// The places of the pixels of a view: the middle, and how much it is enlarged.
pub fn view([x, y]: [f32; 2], zoom: f32, [width, height]: [u32; 2]) -> Vec<f32> {
    let at = |i: u32, side: u32, middle: f32| {
        (middle + ((i as f32 + 0.5) / side as f32 - 0.5) / zoom).clamp(0.0, 1.0)
    };
    let row = |j: u32| (0..width).flat_map(move |i| [at(i, width, x), at(j, height, y)]);
    (0..height).flat_map(row).collect()
}

/// The network and its training: tiny-cuda-nn's sample of a hash grid.
pub fn recipe() -> (Mlp, Training) {
    let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
    let relu = Activation::Relu;
    let mlp = Mlp::new(2).encode(2, grid).layer(64, relu).layer(64, relu);
    let adam =
        Adam { rate: 1e-2, beta2: 0.99, epsilon: 1e-15, l2: 1e-6, lazy: true, ..Adam::default() };
    let training = Training::new(Loss::RelativeL2, adam).init(Init::GlorotUniform).history(64);
    (mlp.layer(CHANNELS, Activation::Identity), training)
}

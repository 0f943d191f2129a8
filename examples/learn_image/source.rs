//! The picture that is learnt.

use crate::load::Decoded;
use image::ImageFormat;
use std::path::Path;

/// The values of a picture, channel after channel, pixel after pixel, row after row.
#[derive(Clone, Debug, PartialEq)]
pub enum Pixels {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
    /// Linear light.
    Float(Vec<f32>),
}

impl Pixels {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Eight(values) => values,
            Self::Sixteen(values) => bytemuck::cast_slice(values),
            Self::Float(values) => bytemuck::cast_slice(values),
        }
    }

    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Eight(values) => values,
            Self::Sixteen(values) => bytemuck::cast_slice_mut(values),
            Self::Float(values) => bytemuck::cast_slice_mut(values),
        }
    }

    /// The values at some places, one after the other.
    pub fn gather(&self, from: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Eight(values) => Self::Eight(from.map(|i| values[i]).collect()),
            Self::Sixteen(values) => Self::Sixteen(from.map(|i| values[i]).collect()),
            Self::Float(values) => Self::Float(from.map(|i| values[i]).collect()),
        }
    }

    /// Appends values of the same kind.
    pub fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Eight(all), Self::Eight(more)) => all.extend(more),
            (Self::Sixteen(all), Self::Sixteen(more)) => all.extend(more),
            (Self::Float(all), Self::Float(more)) => all.extend(more),
            _ => {}
        }
    }

    /// Whether the last of the channels is 1 everywhere.
    fn is_opaque(&self, channels: usize) -> bool {
        fn all<T: PartialEq>(values: &[T], channels: usize, one: T) -> bool {
            values.chunks(channels).all(|pixel| pixel[channels - 1] == one)
        }
        match self {
            Self::Eight(values) => all(values, channels, u8::MAX),
            Self::Sixteen(values) => all(values, channels, u16::MAX),
            Self::Float(values) => all(values, channels, 1.0),
        }
    }

    /// Whether red, green and blue are the same wherever something can be seen.
    fn is_grey(&self, channels: usize) -> bool {
        fn all<T: PartialEq + Default>(values: &[T], channels: usize) -> bool {
            let hidden = |pixel: &[T]| channels == 4 && pixel[3] == T::default();
            values.chunks(channels).all(|p| (p[0] == p[1] && p[1] == p[2]) || hidden(p))
        }
        match self {
            Self::Eight(values) => all(values, channels),
            Self::Sixteen(values) => all(values, channels),
            Self::Float(values) => all(values, channels),
        }
    }
}

/// The picture. Its values are what the file has; what is learnt is linear light, and with an alpha
/// channel the light times alpha (premultiplied), so that a colour that nobody sees counts nothing.
pub struct Source {
    pub name: String,
    pub size: [u32; 2],
    /// Grey, or red, green and blue; then alpha where not all of it is 1.
    pub channels: usize,
    pub pixels: Pixels,
    /// The light of each of the values, where they are integers.
    table: Vec<f32>,
    /// Of floating-point values: the largest, and what their mean is multiplied with to be shown.
    pub range: [f32; 2],
    format: Option<ImageFormat>,
    /// Bytes of the file.
    pub bytes: usize,
    /// What was done to the picture, to be said.
    pub notes: Vec<String>,
}

/// The light that a value of 0 to 1 stands for (IEC 61966-2-1).
fn to_linear(v: f64) -> f32 {
    (if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }) as f32
}

/// The value that stands for a light, 0 to 1.
pub fn to_srgb(light: f32) -> f64 {
    let v = f64::from(light).clamp(0.0, 1.0);
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

impl Source {
    /// # Errors
    /// A value that is not finite.
    pub fn new(
        name: &str,
        decoded: Decoded,
        format: ImageFormat,
        bytes: usize,
        mut notes: Vec<String>,
    ) -> Result<Self, String> {
        let Decoded { mut pixels, size, channels, .. } = decoded;
        if let Pixels::Float(values) = &pixels
            && let Some(i) = values.iter().position(|v| !v.is_finite())
        {
            let (pixel, line) = (i / channels, size[0] as usize);
            let (x, y, value) = (pixel % line, pixel / line, values[i]);
            return Err(format!(
                "pixel ({x}, {y}) has the value {value}, which is no light: allowed are finite ones"
            ));
        }
        let has_alpha = channels.is_multiple_of(2);
        let keeps_alpha = has_alpha && !pixels.is_opaque(channels);
        let is_grey = channels < 3 || pixels.is_grey(channels);
        let mut kept: Vec<usize> = if is_grey { vec![0] } else { vec![0, 1, 2] };
        if keeps_alpha {
            kept.push(channels - 1);
        }
        if kept.len() < channels {
            let all = size[0] as usize * size[1] as usize;
            let kept = &kept;
            pixels =
                pixels.gather((0..all).flat_map(|i| kept.iter().map(move |c| i * channels + c)));
        }
        notes.push(match kept.len() {
            1 => "grey: one channel is learnt".into(),
            2 => {
                "grey and transparent: two channels are learnt, light times alpha, and alpha".into()
            }
            3 => String::new(),
            _ => "transparent: four channels are learnt, light times alpha, and alpha".into(),
        });
        let mut source = Self {
            name: name.to_owned(),
            size,
            channels: kept.len(),
            pixels,
            table: Vec::new(),
            range: [1.0; 2],
            format: Some(format),
            bytes,
            notes,
        };
        match &source.pixels {
            Pixels::Eight(_) => {
                source.table = (0..=255).map(|v| to_linear(f64::from(v) / 255.0)).collect();
            }
            Pixels::Sixteen(_) => {
                source.table = (0..=65535).map(|v| to_linear(f64::from(v) / 65535.0)).collect();
                source.notes.push("16 bits a channel".into());
            }
            Pixels::Float(_) => {
                source.range = source.find_range();
                let [largest, _] = source.range;
                source.notes.push(format!("linear light up to {largest}"));
            }
        }
        source.notes.retain(|note| !note.is_empty());
        Ok(source)
    }

    pub const fn width(&self) -> u32 {
        self.size[0]
    }

    pub const fn height(&self) -> u32 {
        self.size[1]
    }

    pub const fn pixel_count(&self) -> usize {
        self.size[0] as usize * self.size[1] as usize
    }

    pub const fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    pub const fn is_float(&self) -> bool {
        matches!(self.pixels, Pixels::Float(_))
    }

    /// The channels of colour.
    pub const fn colours(&self) -> usize {
        self.channels - self.has_alpha() as usize
    }

    /// Where the values of a pixel lie.
    pub fn at(&self, x: u32, y: u32) -> std::ops::Range<usize> {
        let first = self.channels * (y as usize * self.size[0] as usize + x as usize);
        first..first + self.channels
    }

    /// What is learnt of a pixel; of the four the first [`Source::channels`].
    pub fn light(&self, x: u32, y: u32) -> [f32; 4] {
        let mut light = [0.0; 4];
        let range = self.at(x, y);
        let colours = self.colours();
        let integers =
            |light: &mut [f32; 4], values: &mut dyn Iterator<Item = usize>, most: f32| {
                for (c, value) in values.enumerate() {
                    light[c] = if c < colours { self.table[value] } else { value as f32 / most };
                }
                if self.has_alpha() {
                    let alpha = light[colours];
                    light[..colours].iter_mut().for_each(|v| *v *= alpha);
                }
            };
        match &self.pixels {
            Pixels::Eight(v) => {
                integers(&mut light, &mut v[range].iter().map(|v| usize::from(*v)), 255.0);
            }
            Pixels::Sixteen(v) => {
                integers(&mut light, &mut v[range].iter().map(|v| usize::from(*v)), 65535.0);
            }
            // OpenEXR's colours are multiplied already.
            Pixels::Float(v) => light[..self.channels].copy_from_slice(&v[range]),
        }
        light
    }

    /// The values that stand for what was learnt, in the file's kind.
    pub fn store(&self, learnt: &[f32]) -> Pixels {
        let colours = self.colours();
        let share = |pixel: &[f32], c: usize| {
            if c == colours {
                return f64::from(pixel[c]).clamp(0.0, 1.0);
            }
            // Below half a step of alpha nothing can be seen, and the quotient is noise.
            let alpha = if self.has_alpha() { pixel[colours].min(1.0) } else { 1.0 };
            if alpha < 0.5 / 255.0 { 0.0 } else { to_srgb(pixel[c] / alpha) }
        };
        let pixels = learnt.chunks(self.channels);
        let shares = pixels.flat_map(|pixel| (0..pixel.len()).map(move |c| share(pixel, c)));
        match self.pixels {
            Pixels::Eight(_) => Pixels::Eight(shares.map(|v| (255.0 * v).round() as u8).collect()),
            Pixels::Sixteen(_) => {
                Pixels::Sixteen(shares.map(|v| (65535.0 * v).round() as u16).collect())
            }
            Pixels::Float(_) => Pixels::Float(learnt.to_vec()),
        }
    }

    /// A place's light, between the middles of four pixels in proportion.
    pub fn sample(&self, place: [f32; 2]) -> [f32; 4] {
        let (mut low, mut share) = ([0_u32; 2], [0.0_f32; 2]);
        let mut high = low;
        for d in 0..2 {
            let at = place[d] * self.size[d] as f32 - 0.5;
            let floor = at.floor();
            share[d] = at - floor;
            let held = |v: f32| v.clamp(0.0, self.size[d] as f32 - 1.0) as u32;
            (low[d], high[d]) = (held(floor), held(floor + 1.0));
        }
        let mix =
            |a: [f32; 4], b: [f32; 4], t: f32| std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t);
        let above = mix(self.light(low[0], low[1]), self.light(high[0], low[1]), share[0]);
        let below = mix(self.light(low[0], high[1]), self.light(high[0], high[1]), share[0]);
        mix(above, below, share[1])
    }

    /// The picture with the mean of `by` x `by` pixels in the place of each.
    pub fn smaller(mut self, by: u32) -> Self {
        let size = self.size.map(|side| (side / by).max(1));
        let mut light = Vec::with_capacity(size[0] as usize * size[1] as usize * self.channels);
        for y in 0..size[1] {
            for x in 0..size[0] {
                let across = |at: u32, side: u32| at * by..((at + 1) * by).min(side);
                let mut sum = [0.0_f64; 4];
                let mut count = 0.0;
                for v in across(y, self.size[1]) {
                    for u in across(x, self.size[0]) {
                        let pixel = self.light(u, v);
                        (0..4).for_each(|c| sum[c] += f64::from(pixel[c]));
                        count += 1.0;
                    }
                }
                light.extend(sum[..self.channels].iter().map(|sum| (sum / count) as f32));
            }
        }
        self.pixels = self.store(&light);
        self.size = size;
        self
    }

    /// The name of a file for what was learnt.
    pub fn file_name(&self) -> &'static str {
        match self.file_format() {
            ImageFormat::Hdr => "picture.hdr",
            ImageFormat::OpenExr => "picture.exr",
            _ => "picture.png",
        }
    }

    fn file_format(&self) -> ImageFormat {
        match (&self.pixels, self.format) {
            (Pixels::Float(_), Some(ImageFormat::Hdr)) => ImageFormat::Hdr,
            (Pixels::Float(_), _) => ImageFormat::OpenExr,
            _ => ImageFormat::Png,
        }
    }

    /// Writes values of this picture's kind: PNG of 8 or 16 bits, HDR for HDR, OpenEXR for others of
    /// floating point.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, pixels: &Pixels, path: &Path) -> image::ImageResult<()> {
        use image::ExtendedColorType as Color;
        let format = self.file_format();
        let mut bytes = std::borrow::Cow::Borrowed(pixels.bytes());
        let color = match pixels {
            Pixels::Eight(_) => {
                [Color::L8, Color::La8, Color::Rgb8, Color::Rgba8][self.channels - 1]
            }
            Pixels::Sixteen(_) => {
                [Color::L16, Color::La16, Color::Rgb16, Color::Rgba16][self.channels - 1]
            }
            Pixels::Float(values) => {
                // Both formats have three colours or none.
                let spread = |pixel: &[f32]| {
                    let mut all = vec![pixel[0]; 3];
                    all[..self.colours()].copy_from_slice(&pixel[..self.colours()]);
                    all.extend(&pixel[self.colours()..]);
                    // HDR knows no light below none.
                    let least = if format == ImageFormat::Hdr { 0.0 } else { f32::NEG_INFINITY };
                    all.into_iter().map(move |v| v.max(least))
                };
                let all: Vec<f32> = values.chunks(self.channels).flat_map(spread).collect();
                bytes = bytemuck::cast_slice(&all).to_vec().into();
                if self.has_alpha() { Color::Rgba32F } else { Color::Rgb32F }
            }
        };
        let [width, height] = self.size;
        image::save_buffer_with_format(path, &bytes, width, height, color, format)
    }
}

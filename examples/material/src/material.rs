//! A material: nine channels of a square, with all mip levels.

use rayon::prelude::*;

/// Base colour r, g, b, normal x, y, roughness, metalness, occlusion, height; each of 0 to 1 as a picture
/// of 8 bits holds it. The base colour is sRGB. The normal's x and y are mapped from -1 to 1; y points up
/// the picture, as OpenGL has it.
pub type Texel = [f32; 9];

/// Where the normal is flat.
pub const FLAT: f32 = 0.5;

/// A mip level.
#[derive(Clone, PartialEq)]
pub struct Level {
    /// Texels of a side.
    pub size: usize,
    /// Row after row from above.
    pub texels: Vec<Texel>,
}

/// A square whose edges fit each other, with all mip levels.
#[derive(Clone, PartialEq)]
pub struct Material {
    pub name: String,
    /// The whole size first, a single texel last.
    pub levels: Vec<Level>,
}

impl Material {
    /// The channels' names, short enough for a table.
    pub const CHANNELS: [&str; 9] =
        ["red", "green", "blue", "nx", "ny", "rough", "metal", "occl", "height"];

    /// Makes the mip levels. All of them are rounded to 8 bits last.
    pub fn new(name: impl Into<String>, whole: Level) -> Self {
        let mut levels = vec![whole];
        while let Some(level) = levels.last().filter(|level| level.size > 1) {
            levels.push(level.halved());
        }
        levels.iter_mut().for_each(Level::round);
        Self { name: name.into(), levels }
    }

    /// Texels of a side of the first level.
    pub fn size(&self) -> usize {
        self.levels.first().map_or(0, |level| level.size)
    }

    /// Texels of all levels.
    pub fn texels(&self) -> usize {
        self.levels.iter().map(|level| level.texels.len()).sum()
    }

    /// Bits a texel that so many bytes for all levels are.
    pub fn bits(&self, bytes: usize) -> f64 {
        8.0 * bytes as f64 / self.texels() as f64
    }
}

impl Level {
    /// Texels from their columns and rows, which the cores share.
    pub fn drawn(size: usize, texel: impl Fn(usize, usize) -> Texel + Sync) -> Self {
        let texels = (0..size * size).into_par_iter().map(|i| texel(i % size, i / size)).collect();
        Self { size, texels }
    }

    /// The texel at a place of the repeated square.
    pub fn at(&self, x: usize, y: usize) -> &Texel {
        &self.texels[y % self.size * self.size + x % self.size]
    }

    /// The means of 2 x 2 texels.
    fn halved(&self) -> Self {
        Self::drawn(self.size / 2, |x, y| {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)]
                .map(|(right, down)| even(self.at(2 * x + right, 2 * y + down)));
            stored(&std::array::from_fn(|i| four.iter().map(|texel| texel[i]).sum::<f32>() / 4.0))
        })
    }

    fn round(&mut self) {
        let rounded = |value: f32| (255.0 * value).round() / 255.0;
        self.texels.par_iter_mut().for_each(|texel| *texel = texel.map(rounded));
    }
}

/// What may be averaged: linear light, a normal of three parts, and the rest as it is.
pub type Even = [f32; 10];

pub fn even(texel: &Texel) -> Even {
    let [r, g, b, x, y, rest @ ..] = *texel;
    let [r, g, b] = [r, g, b].map(light);
    let [x, y] = [x, y].map(|v| 2.0 * v - 1.0);
    let z = (1.0 - x * x - y * y).max(0.0).sqrt();
    let [roughness, metalness, occlusion, height] = rest;
    [r, g, b, x, y, z, roughness, metalness, occlusion, height]
}

pub fn stored(even: &Even) -> Texel {
    let [r, g, b, x, y, z, roughness, metalness, occlusion, height] = *even;
    let [r, g, b] = [r, g, b].map(code);
    let length = (x * x + y * y + z * z).sqrt().max(1e-6);
    let [x, y] = [x, y].map(|v| 0.5 + 0.5 * v / length);
    [r, g, b, x, y, roughness, metalness, occlusion, height].map(|v| v.clamp(0.0, 1.0))
}

/// The light of an sRGB value.
pub fn light(coded: f32) -> f32 {
    if coded <= 0.04045 { coded / 12.92 } else { ((coded + 0.055) / 1.055).powf(2.4) }
}

/// The sRGB value of a light.
pub fn code(light: f32) -> f32 {
    let light = light.max(0.0);
    if light <= 0.0031308 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

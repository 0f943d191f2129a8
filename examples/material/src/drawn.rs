//! Materials of the program's own, each drawn from a field of heights.

mod brick;
mod cloth;
mod rust;
mod strokes;

use crate::material::{Level, Material, code};
use rayon::prelude::*;

/// The names of the materials, in the order of `all`.
pub const NAMES: [&str; 3] = ["brick", "cloth", "rust"];

/// What a material is at a place before its slopes are known. The colour is linear light.
struct Spot {
    height: f32,
    colour: [f32; 3],
    roughness: f32,
    metalness: f32,
}

/// How a field of heights becomes normals and occlusion.
struct Relief {
    /// What the heights' range measures, in sides of the square.
    depth: f32,
    /// How dark hollows are.
    hollow: f32,
}

/// Draws all materials with so many texels of a side.
pub fn all(size: usize) -> [Material; 3] {
    let scratches = rust::scratches(size);
    let attacks = rust::attacks(size);
    let hairs = cloth::hairs(size);
    let [brick, cloth, rust] = NAMES;
    [
        made(brick, size, Relief { depth: 0.03, hollow: 3.0 }, |place, _| brick::spot(place)),
        made(cloth, size, Relief { depth: 0.012, hollow: 2.2 }, |place, i| {
            cloth::spot(place, hairs[i])
        }),
        made(rust, size, Relief { depth: 0.012, hollow: 3.5 }, |place, i| {
            let above = |share: f32| {
                let rows = (share * size as f32) as usize;
                attacks[(i + size * (size - rows)) % (size * size)]
            };
            rust::spot(place, scratches[i], above)
        }),
    ]
}

fn made(
    name: &str,
    size: usize,
    relief: Relief,
    spot: impl Fn([f32; 2], usize) -> Spot + Sync,
) -> Material {
    let middle = |i: usize| (i as f32 + 0.5) / size as f32;
    let spots: Vec<Spot> = (0..size * size)
        .into_par_iter()
        .map(|i| {
            let spot = spot([middle(i % size), middle(i / size)], i);
            Spot { height: spot.height.clamp(0.0, 1.0), ..spot }
        })
        .collect();
    let heights: Vec<f32> = spots.iter().map(|spot| spot.height).collect();
    // Hollows of two widths: grooves and pits.
    let around = [64, 256].map(|share| blurred(&heights, size, (size / share).max(1)));
    let slope = relief.depth * size as f32 / 2.0;
    let whole = Level::drawn(size, |x, y| {
        let at = |right: usize, down: usize| heights[(y + down) % size * size + (x + right) % size];
        let across = slope * (at(size - 1, 0) - at(1, 0));
        let up = slope * (at(0, 1) - at(0, size - 1));
        let length = (across * across + up * up + 1.0).sqrt();
        let i = y * size + x;
        let Spot { height, colour, roughness, metalness } = &spots[i];
        let depth: f32 = around.iter().map(|mean| (mean[i] - height).max(0.0)).sum();
        let occlusion = 1.0 / (1.0 + relief.hollow * depth);
        let [r, g, b] = colour.map(code);
        let [x, y] = [across, up].map(|v| 0.5 + 0.5 * v / length);
        [r, g, b, x, y, *roughness, *metalness, occlusion, *height].map(|v| v.clamp(0.0, 1.0))
    });
    Material::new(name, whole)
}

/// The means of squares of 2 `radius` + 1 texels of a side, along the rows and then the columns.
fn blurred(values: &[f32], size: usize, radius: usize) -> Vec<f32> {
    let pass = |values: &[f32]| {
        let mut turned = vec![0.0; values.len()];
        turned.par_chunks_mut(size).enumerate().for_each(|(column, line)| {
            let at = |row: usize| values[row % size * size + column];
            let mut sum: f32 = (0..=2 * radius).map(|i| at(i + size - radius)).sum();
            for (row, mean) in line.iter_mut().enumerate() {
                *mean = sum / (2 * radius + 1) as f32;
                sum += at(row + radius + 1) - at(row + size - radius);
            }
        });
        turned
    };
    // Each pass leaves columns as rows.
    pass(&pass(values))
}

//! Painted plates with rivets: the paint is scratched, and rust has lifted it.

use super::Spot;
use super::strokes::Strokes;
use crate::noise::{gradient, mix, mix3, nearest, octaves, random, step};
use rayon::prelude::*;

/// Scratches through the paint.
pub fn scratches(size: usize) -> Vec<f32> {
    let radius = [0.0002, 0.0014];
    Strokes { count: 170, length: [0.03, 0.6], radius, bend: 1.2, seed: 71 }.drawn(size)
}

/// Rivets along a seam.
const RIVETS: i32 = 8;
/// The seam's place from above.
const SEAM: f32 = 0.5;

/// How far a place is from the seam, and how high the nearest rivet's dome is there.
fn plates(place: [f32; 2]) -> (f32, f32) {
    let from = place[1] - SEAM;
    let along = place[0] * RIVETS as f32;
    let side = ((along - along.floor() - 0.5) / RIVETS as f32).hypot(from.abs() - 0.035);
    (from.abs(), (1.0 - (side / 0.013).powi(2)).max(0.0).sqrt())
}

/// How far rust has come, for each texel: above 0 it has broken the paint.
pub fn attacks(size: usize) -> Vec<f32> {
    let middle = |i: usize| (i as f32 + 0.5) / size as f32;
    let at = |i: usize| attack([middle(i % size), middle(i / size)]);
    (0..size * size).into_par_iter().map(at).collect()
}

fn attack(place: [f32; 2]) -> f32 {
    let bend = |seed| 0.04 * octaves(place, [4, 4], 4, 0.6, seed);
    let [x, y] = [place[0] + bend(81), place[1] + bend(82)];
    let broad = octaves([x, y], [3, 3], 6, 0.58, 83);
    let (apart, strength) = nearest([x, y], [22, 22], 84);
    let blister = if strength > 0.72 { (0.42 * strength - apart).max(0.0) * 2.4 } else { 0.0 };
    let (from, rivet) = plates(place);
    let wet = 0.5 * (1.0 - step(0.0, 0.05, from)) + if rivet > 0.0 { 0.1 } else { 0.0 };
    broad - 0.22 + blister + wet
}

/// `attack` is how far rust has come at a share of the square above the place.
pub fn spot(place: [f32; 2], scratch: f32, attack: impl Fn(f32) -> f32) -> Spot {
    let (seam, rivet) = plates(place);
    let fine = octaves(place, [48, 48], 5, 0.7, 91);
    let grain = octaves(place, [256, 256], 2, 0.8, 92);
    let here = attack(0.0) + 0.12 * fine;
    let gone = step(0.0, 0.05, here);
    let rusted = step(0.04, 0.22, here + 0.15 * fine);
    let cut = step(0.35, 0.75, scratch + 0.12 * grain);
    let paint = (1.0 - gone) * (1.0 - cut);
    // Paint lifts where rust creeps under it.
    let lifted = step(-0.14, -0.02, here) * paint;
    let bare = (1.0 - rusted) * (1.0 - paint);

    // Water has drawn rust down from where it broke out.
    let streak = octaves(place, [96, 3], 4, 0.6, 93);
    let above =
        (1..12).map(|k| step(-0.02, 0.2, attack(0.011 * k as f32)) * (1.0 - 0.08 * k as f32));
    let run = above.fold(0.0, f32::max) * step(-0.5, 0.9, streak);

    let peel = octaves(place, [120, 120], 2, 0.5, 94);
    let scale = octaves(place, [64, 64], 4, 0.75, 95);
    let (flake, tone) = nearest(place, [110, 110], 96);
    let groove = 1.0 - step(0.0025, 0.006, seam);
    let plate = 0.34 + 0.3 * rivet - 0.24 * groove + 0.008 * grain;
    let height = plate
        + paint * (0.1 + 0.07 * lifted + 0.01 * peel)
        + rusted * (0.05 + 0.08 * scale + 0.08 * (0.5 - flake) + 0.03 * grain)
        - 0.05 * cut * (1.0 - rusted)
        - 0.03 * scratch * paint;

    let chalk = step(-0.5, 0.9, octaves(place, [4, 4], 6, 0.6, 97));
    let in_band = step(0.17, 0.172, place[1]) * (1.0 - step(0.29, 0.292, place[1]));
    let coat = mix3([0.012, 0.13, 0.15], [0.04, 0.22, 0.23], chalk);
    let coat = mix3(coat, mix3([0.6, 0.45, 0.12], [0.66, 0.56, 0.3], chalk), in_band);
    let coat = coat.map(|v| v * (1.0 + 0.1 * fine + 0.07 * grain) * (1.0 - 0.3 * lifted));
    let coat = mix3(coat, [0.17, 0.062, 0.02], (0.75 * run).min(1.0));
    let deep = mix3([0.052, 0.02, 0.011], [0.2, 0.064, 0.018], step(-0.9, 0.7, scale));
    let bloom = step(0.2, 0.9, fine + 0.5 * (tone - 0.5));
    let oxide = mix3(deep, [0.42, 0.17, 0.045], 0.75 * bloom).map(|v| v * (1.0 + 0.28 * grain));
    // Brushed steel, already dull.
    let brushed = gradient(place, [24, 400], 98);
    let steel = [0.42, 0.41, 0.39].map(|v| v * (0.95 + 0.14 * brushed + 0.1 * grain));
    let steel = mix3(steel, [0.2, 0.1, 0.05], 0.5 * step(-0.1, 0.9, fine + run));
    let colour = mix3(mix3(steel, oxide, rusted), coat, paint);
    let dirt = 1.0 - 0.6 * groove;

    let gloss = 0.3 + 0.26 * chalk + 0.05 * fine + 0.25 * run + 0.12 * scratch + 0.05 * grain;
    let dull = 0.38 + 0.12 * brushed + 0.1 * fine;
    let roughness = mix(mix(dull, 0.86 + 0.1 * grain, rusted), gloss, paint);
    // Dust of rust lies on the steel, too.
    let dusty = random((4096.0 * place[0]) as i32, (4096.0 * place[1]) as i32, 99);
    let metalness = bare * (0.97 - 0.12 * dusty) + rusted * (1.0 - paint) * (0.12 + 0.1 * bloom);
    Spot { height, colour: colour.map(|v| v * dirt), roughness, metalness }
}

//! A wall of bricks with chipped edges in rough mortar.

use super::Spot;
use crate::noise::{gradient, mix, mix3, nearest, octaves, random, step};

const COLUMNS: i32 = 4;
const ROWS: i32 = 10;
/// Half of the mortar between two bricks.
const GAP: f32 = 0.006;

pub fn spot(place: [f32; 2]) -> Spot {
    let brick = Brick::at(place);
    let rough = octaves(place, [24, 24], 5, 0.65, 11);
    let grain = octaves(place, [192, 192], 3, 0.8, 12);
    let (pit, deep) = nearest(place, [72, 72], 13);
    let pit = if deep > 0.7 { step(1.3 * (deep - 0.62), 0.05, pit + 0.2 * rough) } else { 0.0 };
    let (sand, lightness) = nearest(place, [230, 230], 14);
    let crumb = step(0.45, 0.2, sand) * step(0.8, 0.95, lightness);
    let creases = octaves(place, [9, 14], 4, 0.6, 18);
    let stain = octaves(place, [2, 3], 5, 0.6, 15);

    let inside = step(0.0, 1.0, brick.inside(place));
    let face = 0.68 + 0.1 * brick.own(1) + brick.tilt() + 0.035 * rough + 0.02 * grain;
    let face = face + 0.05 * creases - 0.13 * pit + 0.02 * crumb;
    let mortar = 0.3 + 0.05 * octaves(place, [16, 16], 4, 0.6, 16) + 0.07 * (0.6 - sand);
    let height = mix(mortar + 0.03 * grain, face, inside);

    let burnt = step(0.84, 0.95, brick.own(2));
    let clay = mix3([0.25, 0.065, 0.038], [0.40, 0.15, 0.082], brick.own(3));
    let clay = mix3(clay, [0.46, 0.25, 0.14], step(0.8, 1.0, brick.own(4)));
    let clay = mix3(clay, [0.085, 0.045, 0.042], burnt);
    // Iron shows as dark grains, sand as light ones.
    let iron = step(0.45, 0.75, gradient(place, [96, 96], 17) + 0.3 * grain);
    let clay = mix3(clay, [0.05, 0.03, 0.028], 0.6 * iron);
    let clay = mix3(clay, [0.55, 0.42, 0.31], 0.5 * crumb);
    let shade = 1.0 + 0.28 * rough + 0.24 * grain + 0.3 * creases - 0.4 * pit;
    let clay = clay.map(|v| v * shade);
    // Salt has bloomed where the wall was wet.
    let salt = step(0.1, 1.1, stain + 0.35 * rough) * (0.5 + 0.3 * grain).clamp(0.0, 1.0);
    let clay = mix3(clay, [0.55, 0.5, 0.45], 0.6 * salt);
    let lime = [0.44, 0.40, 0.34].map(|v| v * (0.78 + 0.3 * lightness + 0.22 * grain));
    let soot = 1.0 - 0.28 * step(-0.2, 0.9, -stain);
    let colour = mix3(lime, clay, step(0.25, 0.75, inside)).map(|v| v * soot);

    let face = mix(0.8, 0.5, burnt) + 0.07 * rough + 0.05 * grain + 0.1 * pit + 0.1 * salt;
    let roughness = mix(0.92 + 0.05 * grain, face, inside);
    Spot { height, colour, roughness, metalness: 0.0 }
}

struct Brick {
    /// Its column and row.
    cell: [i32; 2],
    /// From its middle, in sides of the square.
    from: [f32; 2],
}

impl Brick {
    fn at(place: [f32; 2]) -> Self {
        // No edge is quite straight.
        let bend = |seed| 0.003 * octaves(place, [5, 5], 4, 0.5, seed);
        let [x, y] = [place[0] + bend(21), place[1] + bend(22)];
        let row = (y * ROWS as f32).floor();
        let shift = if row as i32 % 2 == 0 { 0.0 } else { 0.5 };
        let along = x * COLUMNS as f32 + shift;
        let column = along.floor();
        let cell = [(column as i32).rem_euclid(COLUMNS), (row as i32).rem_euclid(ROWS)];
        let from =
            [(along - column - 0.5) / COLUMNS as f32, (y * ROWS as f32 - row - 0.5) / ROWS as f32];
        Self { cell, from }
    }

    fn own(&self, which: u32) -> f32 {
        random(self.cell[0], self.cell[1], 100 + which)
    }

    /// Bricks are not laid quite flat.
    fn tilt(&self) -> f32 {
        let along = (self.own(5) - 0.5) * self.from[0] * COLUMNS as f32;
        let across = (self.own(6) - 0.5) * self.from[1] * ROWS as f32;
        0.12 * along + 0.1 * across
    }

    /// 1 on the face, falling over the bevel to 0 in the mortar.
    fn inside(&self, place: [f32; 2]) -> f32 {
        const ROUND: f32 = 0.008;
        let half = [0.5 / COLUMNS as f32, 0.5 / ROWS as f32];
        let out: [f32; 2] = std::array::from_fn(|i| {
            let jitter = 0.002 * self.own(7 + i as u32);
            self.from[i].abs() - (half[i] - GAP - jitter) + ROUND
        });
        let corner = out[0].max(0.0).hypot(out[1].max(0.0));
        let beyond = corner + out[0].max(out[1]).min(0.0) - ROUND;
        let ragged = 0.0022 * octaves(place, [40, 40], 4, 0.7, 31);
        // Now and then a piece is missing.
        let chip = 0.014 * step(0.25, 0.8, octaves(place, [14, 14], 4, 0.55, 32));
        -(beyond + ragged + chip) / 0.006
    }
}

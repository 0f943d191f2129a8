//! Thin bent lines that run over the edges of the square: scratches and hairs.

use crate::noise::random;

/// What lines look like. Lengths are in sides of the square.
pub struct Strokes {
    pub count: i32,
    /// The shortest and the longest.
    pub length: [f32; 2],
    /// Half the width of the thinnest and of the broadest.
    pub radius: [f32; 2],
    /// The most that a line turns over a whole side, in radians.
    pub bend: f32,
    pub seed: u32,
}

/// Half the width of the thinnest line that is drawn as one, in texels.
const THIN: f32 = 0.8;

impl Strokes {
    /// How much of each texel's depth the lines take, of 0 to 1. They fade towards their ends.
    pub fn drawn(&self, size: usize) -> Vec<f32> {
        let mut map = vec![0.0_f32; size * size];
        for line in 0..self.count {
            let own = |which: i32| random(line, which, self.seed);
            let between = |[low, high]: [f32; 2], share: f32| low + (high - low) * share;
            // Most are short and thin.
            let length = between(self.length, own(0).powi(2));
            let radius = between(self.radius, own(1).powi(3)) * size as f32;
            // What is thinner than a texel is drawn fainter, or it would fall between texels.
            let strength = between([0.3, 1.0], own(2)) * (radius / THIN).clamp(0.4, 1.0);
            let radius = radius.max(THIN);
            let [mut x, mut y] = [own(3), own(4)].map(|v| v * size as f32);
            let mut turn = std::f32::consts::TAU * own(5);
            let bend = self.bend * (2.0 * own(6) - 1.0) / size as f32;
            let steps = (2.0 * length * size as f32) as usize;
            for step in 0..steps {
                let share = step as f32 / steps as f32;
                let fade = (8.0 * share * (1.0 - share)).min(1.0);
                dab(&mut map, size, [x, y], radius, strength * fade);
                let (sin, cos) = turn.sin_cos();
                x += 0.5 * cos;
                y += 0.5 * sin;
                turn += 0.5 * bend;
            }
        }
        map
    }
}

fn dab(map: &mut [f32], size: usize, [x, y]: [f32; 2], radius: f32, strength: f32) {
    let reach = radius.ceil() as i32 + 1;
    let [left, top] = [x.floor() as i32, y.floor() as i32];
    for (row, column) in (-reach..=reach).flat_map(|r| (-reach..=reach).map(move |c| (r, c))) {
        let [column, row] = [left + column, top + row];
        let apart = (column as f32 + 0.5 - x).hypot(row as f32 + 0.5 - y);
        let covered = strength * (radius + 0.5 - apart).clamp(0.0, 1.0);
        let wrapped = |v: i32| v.rem_euclid(size as i32) as usize;
        let texel = &mut map[wrapped(row) * size + wrapped(column)];
        *texel = texel.max(covered);
    }
}

//! A chequered twill of twisted threads.

use super::Spot;
use super::strokes::Strokes;
use crate::noise::{gradient, mix, mix3, octaves, random, step};
use std::f32::consts::{FRAC_PI_2, PI};

/// Threads in each direction. Four make a repeat of the weave, all of them one of the colours.
const THREADS: i32 = 64;

/// Loose fibres on the cloth.
pub fn hairs(size: usize) -> Vec<f32> {
    let radius = [0.0002, 0.0006];
    Strokes { count: 420, length: [0.01, 0.09], radius, bend: 60.0, seed: 41 }.drawn(size)
}

/// The colour of a thread, the same in both directions.
fn dye(thread: i32) -> [f32; 3] {
    match thread.rem_euclid(THREADS) {
        4..=5 | 58..=59 => [0.52, 0.44, 0.28],
        10..=25 | 38..=53 => [0.018, 0.075, 0.05],
        30..=33 => [0.34, 0.02, 0.025],
        _ => [0.022, 0.03, 0.085],
    }
}

/// A thread where it passes a place.
struct Thread {
    /// How high it is there; below -1 where it is not.
    height: f32,
    colour: [f32; 3],
    /// How far up the round of the thread, 0 to 1.
    crest: f32,
    /// What is left of a fibre's light.
    fibre: f32,
}

/// `across` and `along` count threads. The fibres' noise is long along the thread.
fn thread(number: i32, across: f32, along: f32, lift: f32, fibres: f32, seed: u32) -> Thread {
    let own = |which| random(number.rem_euclid(THREADS), which, seed);
    let width = 0.88 + 0.12 * own(1) + 0.08 * fibres;
    let side = (2.0 * across - 1.0) / width;
    let round = (1.0 - side * side).max(0.0).sqrt();
    // Two strands are twisted round each other; a whole number of turns fits the square.
    let twist = (PI * (1.5 * along + 0.55 * side + own(2))).sin().abs();
    let strands = 1.0 - (1.0 - twist).powi(3);
    let height = 0.55 * lift + 0.75 * round + 0.16 * (strands - 1.0) + 0.1 * fibres;
    let colour = dye(number).map(|v| v * (0.8 + 0.4 * own(3)));
    Thread {
        height: if round > 0.0 { height } else { -2.0 },
        colour,
        crest: round,
        fibre: (0.72 + 0.28 * strands) * (1.0 + 0.42 * fibres),
    }
}

pub fn spot(place: [f32; 2], hair: f32) -> Spot {
    let bend = |seed| 0.22 * octaves(place, [7, 7], 3, 0.6, seed);
    let [x, y] = [place[0] * THREADS as f32 + bend(51), place[1] * THREADS as f32 + bend(52)];
    let [column, row] = [x, y].map(f32::floor);
    let [across, down] = [x - column, y - row];
    let [column, row] = [column as i32, row as i32];
    // Two over, two under, and the next thread one later: a twill.
    let lift = |along: f32, number: i32| {
        (1.5 * (FRAC_PI_2 * (along + number as f32)).sin()).clamp(-1.0, 1.0)
    };
    let fibres = |cells: [i32; 2], seed| octaves(place, cells.map(|n| n * THREADS), 2, 0.8, seed);
    let warp = thread(column, across, y, lift(y, column), fibres([7, 2], 53), 61);
    let weft = thread(row, down, x, -lift(x, row), fibres([2, 7], 54), 62);
    let [top, below] = if warp.height > weft.height { [warp, weft] } else { [weft, warp] };

    let grain = gradient(place, [500, 500], 55);
    let worn = step(0.1, 0.9, octaves(place, [3, 3], 5, 0.6, 56));
    // Both threads are missing in the gaps.
    let gap = step(-0.9, -1.6, top.height);
    let shade = mix(0.35, 1.0, top.crest) * top.fibre * (1.0 + 0.14 * grain);
    let buried = step(0.0, 0.3, top.height - below.height);
    let colour = top.colour.map(|v| v * shade * mix(0.8, 1.0, buried));
    let colour = mix3(colour, [0.2, 0.19, 0.17], 0.16 * worn * top.crest);
    let colour = mix3(colour, [0.006; 3], gap);
    let colour = mix3(colour, [0.45, 0.43, 0.4], 0.7 * hair);

    let height = 0.5 + 0.3 * top.height.max(-1.2) + 0.02 * grain + 0.12 * hair;
    let roughness = 0.86 - 0.16 * top.crest * top.fibre + 0.06 * grain - 0.1 * worn + 0.1 * hair;
    Spot { height, colour, roughness, metalness: 0.0 }
}

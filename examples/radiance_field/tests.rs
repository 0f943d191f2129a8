//! The example's own shaders: their derivatives against differences in f64, their rows against a count
//! on the CPU.

use crate::camera::{LOWER, UPPER, flight};
use crate::field::{Batch, Samples};
use crate::shader::{self, BACKGROUND, CELLS, FEATURES, Pass, STEP, max_steps};
use crate::submit::{read, wait};
use wgrad::Gpu;

const NO_ROOM: u32 = u32::MAX;

/// Numbers from 0 to 1 that look random.
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let number = |i: u32| {
        let mut x = (i + 1).wrapping_mul(0x9e37_79b9) ^ seed.wrapping_mul(0x85eb_ca6b);
        x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
        x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
        ((x ^ (x >> 16)) >> 8) as f32 / 16_777_216.0
    };
    (0..count as u32).map(number).collect()
}

fn filled<T: bytemuck::NoUninit>(gpu: &Gpu, values: &[T]) -> wgpu::Buffer {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    let buffer = gpu.buffer("a test's", bytes.len() as u64).unwrap();
    gpu.queue().write_buffer(&buffer, 0, bytes);
    buffer
}

fn run(gpu: &Gpu, passes: &[Pass]) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    passes.iter().for_each(|pass| pass.record(&mut encoder));
    gpu.queue().submit([encoder.finish()]);
    wait(gpu).unwrap();
}

/// Rays through some samples, and the colours that they should have.
struct Rays {
    spans: Vec<[u32; 3]>,
    raws: Vec<f64>,
    colours: Vec<f64>,
    seen: Vec<[f32; 4]>,
}

impl Rays {
    /// Rays of 0 to 60 samples, of thin air and of stone, and one that found no room.
    fn sample() -> Self {
        let mut spans = Vec::new();
        let mut samples = 0;
        for count in [0, 1, 7, 2, 60, 33] {
            spans.push([samples, count, 0]);
            samples += count;
        }
        spans.push([NO_ROOM, 5, 0]);
        let mut raws: Vec<_> =
            noise(samples as usize, 1).iter().map(|v| 9.0 * f64::from(*v) - 4.0).collect();
        // Held: the derivative is 0.
        raws[5] = 12.0;
        let colours = noise(3 * samples as usize, 2).into_iter().map(f64::from).collect();
        let seen = noise(4 * spans.len(), 3);
        let seen = seen.chunks(4).map(|c| [c[0], c[1], c[2], c[3]]).collect();
        Self { spans, raws, colours, seen }
    }

    /// The loss, from the definition of a pixel.
    fn loss(&self, raws: &[f64], colours: &[f64]) -> f64 {
        let (mut sum, mut rays) = (0.0, 0.0);
        for ([first, count, _], seen) in self.spans.iter().zip(&self.seen) {
            if *first == NO_ROOM {
                continue;
            }
            let rows = *first as usize..(first + count) as usize;
            let depth = |rows: std::ops::Range<usize>| {
                f64::from(STEP) * rows.map(|row| raws[row].min(10.0).exp()).sum::<f64>()
            };
            for c in 0..3 {
                let mut pixel = f64::from(BACKGROUND[c]) * (-depth(rows.clone())).exp();
                for row in rows.clone() {
                    let hidden =
                        (-depth(rows.start..row)).exp() - (-depth(rows.start..row + 1)).exp();
                    pixel += hidden * colours[3 * row + c];
                }
                sum += (pixel - f64::from(seen[c])).powi(2);
            }
            rays += 1.0;
        }
        sum / (3.0 * rays)
    }

    /// The derivatives of the loss by central differences.
    fn differences(&self) -> [Vec<f64>; 2] {
        let h = 1e-5;
        let by = |values: &[f64], loss: &dyn Fn(&[f64]) -> f64| {
            let difference = |i: usize| {
                let moved = |by: f64| {
                    let mut values = values.to_vec();
                    values[i] += by;
                    loss(&values)
                };
                (moved(h) - moved(-h)) / (2.0 * h)
            };
            (0..values.len()).map(difference).collect()
        };
        [
            by(&self.raws, &|raws| self.loss(raws, &self.colours)),
            by(&self.colours, &|colours| self.loss(&self.raws, colours)),
        ]
    }
}

fn assert_near(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
    assert!(scale > 0.0);
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(!(error > 1e-5) && error.is_finite(), "{what} {i}: {found} for {expected}");
    }
}

#[test]
fn the_gradient_of_a_pixel_is_that_of_differences() {
    let gpu = Gpu::new().unwrap();
    let rays = Rays::sample();
    let samples = rays.raws.len();
    let mut features = noise(FEATURES * samples, 4);
    for (row, raw) in rays.raws.iter().enumerate() {
        features[FEATURES * row] = *raw as f32;
    }
    let with_room = rays.spans.iter().filter(|span| span[0] != NO_ROOM).count() as u32;
    let counts = filled(&gpu, &[samples as u32, with_room, 1]);
    let colours: Vec<f32> = rays.colours.iter().map(|v| *v as f32).collect();
    let (spans, seen) = (filled(&gpu, &rays.spans), filled(&gpu, &rays.seen));
    let (features, colours) = (filled(&gpu, &features), filled(&gpu, &colours));
    let colours_gradient = gpu.buffer("colours' gradient", 12 * samples as u64).unwrap();
    let features_gradient =
        gpu.buffer("features' gradient", (4 * FEATURES * samples) as u64).unwrap();
    let buffers = [
        (0, &counts),
        (1, &spans),
        (2, &features),
        (3, &colours),
        (4, &seen),
        (5, &colours_gradient),
        (6, &features_gradient),
    ];
    let text = (&*shader::constants(), include_str!("composite.wgsl"), "backward");
    run(&gpu, &[Pass::new(&gpu, text, &buffers, rays.spans.len())]);

    let [by_raw, by_colour] = rays.differences();
    let found: Vec<f32> = read(&gpu, &colours_gradient, 12 * samples as u64).unwrap();
    assert_near(&found, &by_colour, "colour");
    let found: Vec<f32> = read(&gpu, &features_gradient, (4 * FEATURES * samples) as u64).unwrap();
    let found: Vec<f32> = found.iter().step_by(FEATURES).copied().collect();
    assert_near(&found, &by_raw, "density");
    assert_eq!(found[5], 0.0);
    let seen: Vec<[f32; 4]> = read(&gpu, &seen, 16 * rays.spans.len() as u64).unwrap();
    let loss: f32 = seen.iter().map(|[.., squared]| squared / with_room as f32).sum();
    assert_near(&[loss], &[rays.loss(&rays.raws, &rays.colours)], "loss");
}

/// The cell that a place lies in.
fn cell_of(p: &[f32]) -> usize {
    let index = |d: usize| {
        let share = ((p[d] - LOWER[d]) / (UPPER[d] - LOWER[d])).clamp(0.0, 0.9999);
        (share * CELLS as f32) as usize
    };
    let side = CELLS as usize;
    index(0) + side * (index(1) + side * index(2))
}

#[test]
fn samples_lie_in_cells_that_are_occupied_and_rays_without_room_have_none() {
    let gpu = Gpu::new().unwrap();
    let is_full: Vec<bool> =
        noise((CELLS * CELLS * CELLS) as usize, 5).iter().map(|v| *v < 0.3).collect();
    let occupancy: Vec<f32> = is_full.iter().map(|full| if *full { 100.0 } else { 0.0 }).collect();
    let occupancy = filled(&gpu, &occupancy);
    let constants = format!(
        "{}const PHOTOGRAPHS = 1u;\nconst SIZE = 1u;\nconst SEED = 0u;\n",
        shader::constants()
    );
    let view = shader::uniform(&gpu, "view", 80);
    gpu.queue().write_buffer(&view, 0, bytemuck::bytes_of(&flight(0.3).words()));
    gpu.queue().write_buffer(&view, 64, bytemuck::bytes_of(&[20_u32, 0, 0, 0]));
    let rays = 20 * 20;
    let mut whole = 0;
    for room in [rays * max_steps() as usize, 1024] {
        let samples = Samples::new(&gpu, Batch { rays, samples: room }).unwrap();
        let shoot = ("shoot_view", &[(9, &view)][..]);
        run(&gpu, &samples.passes(&gpu, &constants, shoot, &occupancy));
        let counts: Vec<u32> = read(&gpu, &samples.counts, 12).unwrap();
        let spans: Vec<[u32; 3]> = read(&gpu, &samples.spans, 12 * rays as u64).unwrap();
        let mut next = 0;
        for [first, count, _] in spans.iter().take_while(|span| span[0] != NO_ROOM) {
            assert_eq!(*first, next);
            next += count;
        }
        assert_eq!(counts[0], next);
        assert!(next as usize <= room);
        let with_room = spans.iter().filter(|span| span[0] != NO_ROOM).count();
        assert_eq!(counts[1] as usize, with_room);
        let positions: Vec<f32> = read(&gpu, &samples.positions, 12 * u64::from(next)).unwrap();
        let empty = positions.chunks(3).filter(|p| !is_full[cell_of(p)]).count();
        // A place on the border of two cells may be rounded to either.
        assert!(empty <= 2 && !positions.is_empty(), "{empty} of {next} samples in empty cells");
        if whole == 0 {
            assert_eq!(with_room, rays);
            whole = next;
        } else {
            assert!(
                next < whole && with_room < rays && room - (next as usize) < max_steps() as usize
            );
        }
    }
}

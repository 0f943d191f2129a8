//! A picture learnt by a hash grid and a small network, against the same in jax: the curve that
//! `tests/golden/picture/picture.py` has left.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use safetensors::SafeTensors;
use std::path::PathBuf;
use wgrad::encoding::Grid;
use wgrad::{
    Activation, Adam, Batch, CpuTrainer, Data, Loss, Mlp, Parameters, Strategy, Train, TrainBase,
    Trainer, Training,
};

const WIDTH: usize = 96;
const HEIGHT: usize = 64;
const STEPS: u32 = 1000;
const BATCH: usize = 1024;
const SEED: u32 = 5;

struct Golden {
    picture: Vec<f32>,
    parameters: Parameters,
    losses: Vec<f32>,
    curve: Vec<(u32, f64)>,
}

fn mlp() -> Mlp {
    let grid = Grid {
        levels: 8,
        log2_hashmap_size: 10,
        base_resolution: 8,
        per_level_scale: 1.5,
        ..Grid::default()
    };
    Mlp::new(2)
        .encode(2, grid)
        .layer(32, Activation::Relu)
        .layer(32, Activation::Relu)
        .layer(3, Activation::Identity)
}

fn training() -> Training {
    let adam =
        Adam { rate: 1e-2, beta2: 0.99, epsilon: 1e-15, l2: 1e-6, lazy: true, ..Adam::default() };
    Training::new(Loss::RelativeL2, adam).batch(Batch::Sequential { size: BATCH })
}

fn golden() -> Golden {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/picture/picture.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = |name: &str| -> Vec<f32> {
        let data = file.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(bytemuck::pod_read_unaligned).collect()
    };
    let mut values = read("init.encoding.0.tables");
    assert_eq!(values.len(), mlp().encoding_parameters(), "the tables of both are the same");
    for layer in 0..3 {
        values.extend(read(&format!("init.layers.{layer}.weight")));
        values.extend(read(&format!("init.layers.{layer}.bias")));
    }
    let steps = read("steps").into_iter().map(|step| step as u32);
    Golden {
        picture: read("picture"),
        parameters: Parameters::new(mlp(), 1, values).unwrap(),
        losses: read("losses"),
        curve: steps.zip(read("psnr").into_iter().map(f64::from)).collect(),
    }
}

fn to_linear(v: f32) -> f32 {
    let v = f64::from(v) / 255.0;
    (if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }) as f32
}

fn to_srgb(light: f32) -> f64 {
    let v = f64::from(light).clamp(0.0, 1.0);
    255.0 * if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The samples of all steps, one step's after the other's.
fn data(picture: &[f32]) -> Data {
    let light: Vec<f32> = picture.iter().map(|v| to_linear(*v)).collect();
    let (mut x, mut t) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        for i in 0..BATCH as u32 {
            let a = mix(i ^ mix(step ^ SEED));
            let b = mix(a.wrapping_add(0x9e37_79b9));
            let place = [a, b].map(|bits| (bits >> 8) as f32 / 16_777_216.0);
            x.extend(place);
            let axis = |at: f32, side: usize| {
                let at = at * side as f32 - 0.5;
                let held = |v: f32| v.clamp(0.0, side as f32 - 1.0) as usize;
                (held(at.floor()), held(at.floor() + 1.0), at - at.floor())
            };
            let ((x0, x1, u), (y0, y1, v)) = (axis(place[0], WIDTH), axis(place[1], HEIGHT));
            for c in 0..3 {
                let texel = |x: usize, y: usize| light[3 * (y * WIDTH + x) + c];
                let above = texel(x0, y0) * (1.0 - u) + texel(x1, y0) * u;
                let below = texel(x0, y1) * (1.0 - u) + texel(x1, y1) * u;
                t.push(above * (1.0 - v) + below * v);
            }
        }
    }
    Data::new(2, 3, x, t).unwrap()
}

fn psnr(picture: &[f32], trainer: &mut dyn Train<Scalar = f32>) -> f64 {
    let middle = |i: usize, side: usize| ((i as f64 + 0.5) / side as f64) as f32;
    let row = |y| (0..WIDTH).flat_map(move |x| [middle(x, WIDTH), middle(y, HEIGHT)]);
    let middles: Vec<f32> = (0..HEIGHT).flat_map(row).collect();
    let learnt = trainer.predict(&middles).unwrap();
    let pairs = picture.iter().zip(&learnt);
    let sum: f64 = pairs.map(|(v, light)| (f64::from(*v) - to_srgb(*light)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * picture.len() as f64 / sum).log10()
}

fn follow(golden: &Golden, trainer: &mut dyn Train<Scalar = f32>, name: &str) {
    let mut done = 0;
    for (step, expected) in &golden.curve {
        trainer.train(step - done).unwrap();
        done = *step;
        let found = psnr(&golden.picture, trainer);
        println!("{name}: step {step}: {found:.3} dB, in jax {expected:.3}");
        let error = (found - expected).abs();
        assert!(error <= 0.3, "{name}: step {step}: {found} dB, in jax {expected}");
    }
    assert_eq!(done, STEPS);
    let losses = trainer.losses().unwrap().values;
    for (step, (found, expected)) in losses.iter().zip(&golden.losses).enumerate().take(3) {
        let error = (found - expected).abs() / expected;
        assert!(error <= 1e-3, "{name}: loss of step {step}: {found}, in jax {expected}");
    }
}

#[test]
fn the_cpu_learns_a_picture_as_jax_does() {
    let golden = golden();
    let mut cpu = CpuTrainer::<f32>::new(&mlp(), &training(), &data(&golden.picture)).unwrap();
    cpu.restart(&golden.parameters).unwrap();
    follow(&golden, &mut cpu, "CPU");
}

#[test]
fn the_gpu_learns_a_picture_as_jax_does() {
    let golden = golden();
    let training = training().strategy(Strategy::Layered);
    let data = data(&golden.picture);
    let mut gpu = Trainer::new(common::gpu(), &mlp(), &training, &data).unwrap();
    gpu.restart(&golden.parameters).unwrap();
    follow(&golden, &mut gpu, "GPU");
}

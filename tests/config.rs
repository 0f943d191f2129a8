//! What a configuration computes: encodings that share inputs, the average that predicts.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::deviation;
use wgrad::encoding::{Encoding, Grid};
use wgrad::{Batch, Config, CpuTrainer, Data, Strategy, Train, TrainBase, Trainer, Training};

fn file(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files/config").join(name)
}

/// Rows of numbers in 0 to 1 that no f32 rounds, and targets.
fn data(inputs: usize, outputs: usize, rows: usize) -> Data<f64> {
    let numbers = |count: usize, seed: u64| common::numbers_f32(count, seed).into_iter();
    let x = numbers(rows * inputs, 1).map(|v| 0.5 + 0.5 * v).collect();
    Data::new(inputs, outputs, x, numbers(rows * outputs, 2).collect()).unwrap().cast().unwrap()
}

/// Two grids over inputs 0 to 2 and 1 to 3: both add to the gradient of input 1, on the GPU as on the
/// CPU.
#[test]
fn encodings_that_share_inputs_share_their_gradient() {
    let Config { mut mlp, training, .. } = Config::load(file("overlap.json"), 3, 2).unwrap();
    for part in &mut mlp.encoding {
        // Small enough for every device, and smooth enough for f32.
        let Encoding::Grid(grid) = part.encoding else { panic!("{}", part.encoding.name()) };
        let small = Grid { levels: 4, log2_hashmap_size: 8, base_resolution: 3, ..grid };
        part.encoding = small.into();
    }
    let data = data(3, 2, 40);
    for strategy in [Strategy::Layered, Strategy::Fused] {
        let training = Training { strategy, ..training.clone() };
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
        let tables = mlp.encoding_parameters();
        // Larger features than the initial ones, so that the inputs' gradient is one of them.
        let start = gpu.parameters().unwrap();
        let values = start.values().iter().enumerate();
        let values = values.map(|(i, v)| if i < tables { 1e4 * v } else { *v }).collect();
        let start = wgrad::Parameters::new(mlp.clone(), 1, values).unwrap();
        gpu.restart(&start).unwrap();
        cpu.restart(&start.cast().unwrap()).unwrap();
        let expected = cpu.input_gradient().unwrap();
        // Twice: what the first left must not be added to.
        for _ in 0..2 {
            let error = deviation(&gpu.input_gradient().unwrap(), &expected);
            assert!(error <= 1e-4, "{}: {error:e}", strategy.name());
        }
        let gradient = gpu.gradients().unwrap().values;
        let error = deviation(&gradient, &cpu.gradients().unwrap().values);
        assert!(error <= 1e-4, "{}: {error:e}", strategy.name());
    }
}

#[test]
fn the_average_predicts_and_is_saved() {
    let ema = Config::load(file("ema.json"), 2, 3).unwrap();
    let plain = Config::load(file("no_ema.json"), 2, 3).unwrap();
    let data = data(2, 3, 64);
    let batch = Batch::Shuffled { size: 16, seed: 1 };
    let x = data.x()[..20].to_vec();
    let single: Vec<f32> = x.iter().map(|v| *v as f32).collect();
    let [mut averaged, mut last] = [ema, plain].map(|config| {
        let training = config.training.batch(batch);
        Trainer::new(common::gpu(), &config.mlp, &training, &data.cast().unwrap()).unwrap()
    });
    averaged.train(30).unwrap();
    last.train(30).unwrap();
    // The training itself is the same.
    assert_eq!(averaged.parameters().unwrap(), last.parameters().unwrap());
    assert_eq!(averaged.inference_parameters().unwrap(), averaged.ema_parameters().unwrap());
    assert_eq!(last.inference_parameters().unwrap(), last.parameters().unwrap());
    let [found, other] = [&mut averaged, &mut last].map(|t| t.predict(&single).unwrap());
    assert!(deviation(&found, &other.iter().map(|v| f64::from(*v)).collect::<Vec<_>>()) >= 1e-2);
    let average = averaged.ema_parameters().unwrap();
    last.set_parameters(&average).unwrap();
    assert_eq!(last.predict(&single).unwrap(), found);
    // What is set predicts at once.
    let start = last.parameters().unwrap();
    averaged.set_parameters(&start).unwrap();
    assert_eq!(averaged.predict(&single).unwrap(), found);
    // The CPU's, too.
    let config = Config::load(file("ema.json"), 2, 3).unwrap();
    let mut cpu =
        CpuTrainer::<f64>::new(&config.mlp, &config.training.batch(batch), &data).unwrap();
    cpu.train(30).unwrap();
    let error = deviation(&found, &cpu.predict(&x).unwrap());
    assert!(error <= 5e-3, "{error:e}");
    let average = cpu.inference_parameters().unwrap();
    assert_eq!(average, cpu.ema_parameters().unwrap());
    assert_ne!(average, cpu.parameters().unwrap());
}

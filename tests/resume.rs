//! A training that goes on from a checkpoint is the training that was not interrupted.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::process::Command;
use wgrad::encoding::Grid;
use wgrad::{
    Activation, Adam, Batch, Checkpoint, CpuTrainer, Data, Dataset, Error, Gpu, Loss, Mlp, Model,
    Optimizer, Parameters, Real, Schedule, Strategy, Train, TrainBase, Trainer, Training,
};

const STEPS: u32 = 40;

fn mlp() -> Mlp {
    Mlp::new(2)
        .layer(7, Activation::Gelu)
        .layer_without_bias(5, Activation::Tanh)
        .layer(1, Activation::Sigmoid)
}

fn data() -> Data {
    Dataset::Moons.sample(100, 1).unwrap()
}

/// All that a run leaves, as bits.
fn bits<T: Train>(trainer: &mut T) -> Vec<u64> {
    let mut all: Vec<T::Scalar> = trainer.parameters().unwrap().values().to_vec();
    all.extend(trainer.losses().unwrap().values);
    if trainer.training().ema.is_some() {
        all.extend(trainer.ema_parameters().unwrap().values());
    }
    let diverged = trainer.diverged().unwrap();
    let steps = diverged.into_iter().map(|step| step.unwrap_or(u64::MAX));
    all.iter().map(|v| v.to_f64().to_bits()).chain(steps).collect()
}

/// Trainings of every optimizer and kind of batch, with everything that a training may keep.
fn trainings(strategy: Strategy) -> Vec<Training> {
    let batches =
        [Batch::Full, Batch::Shuffled { size: 32, seed: 5 }, Batch::Sequential { size: 17 }];
    let schedule = Schedule::Exponential { base: 0.9, start: 5, interval: 7, end: 30 };
    let of_batch = |batch: Batch| {
        Optimizer::all().into_iter().enumerate().map(move |(i, optimizer)| {
            let training = Training::new(Loss::BinaryCrossEntropy, optimizer.at_rate(0.02))
                .models(1 + i % 3)
                .batch(batch)
                .schedule(schedule)
                .history(if i % 2 == 0 { 4096 } else { 3 })
                .strategy(strategy);
            match (i % 2, strategy) {
                // The resident strategy neither averages nor clips.
                (1, Strategy::Fused | Strategy::Layered) => training.ema(0.9).clip_norm(0.1),
                _ => training,
            }
        })
    };
    batches.into_iter().flat_map(of_batch).collect()
}

/// Trains with interruptions at `cuts`, each through a file's bytes into a new trainer.
fn interrupted<T: Train>(new: impl Fn() -> T, cuts: &[u32]) -> Vec<u64>
where
    T::Scalar: Real,
{
    let (mut trainer, mut done) = (new(), 0);
    for cut in cuts {
        trainer.train(cut - done).unwrap();
        done = *cut;
        let bytes = trainer.checkpoint().unwrap().to_safetensors().unwrap();
        trainer = new();
        // What it did before does not matter.
        trainer.train(cut % 3).unwrap();
        trainer.resume(&Checkpoint::from_safetensors(&bytes).unwrap()).unwrap();
    }
    trainer.train(STEPS - done).unwrap();
    bits(&mut trainer)
}

fn whole<T: Train>(mut trainer: T) -> Vec<u64> {
    trainer.train(STEPS).unwrap();
    bits(&mut trainer)
}

fn check<T: Train>(what: &str, seed: u64, new: impl Fn() -> T) {
    let expected = whole(new());
    // 20 in all for each trainer: some trainings are cut once and some twice.
    let numbers = common::numbers(2, seed);
    let mut cuts: Vec<u32> = numbers.iter().map(|n| ((n + 1.0) * 20.0) as u32).collect();
    cuts.sort_unstable();
    assert!(interrupted(new, &cuts) == expected, "{what}, interrupted at {cuts:?}, differs");
}

for_every_strategy! {
    a_resumed_training_has_the_same_bits
}

fn a_resumed_training_has_the_same_bits(strategy: Strategy) {
    let data = data();
    for (seed, training) in (0..).zip(trainings(strategy)) {
        let what = format!("{:?}, {:?}", training.optimizer, training.batch);
        check(&what, seed, || Trainer::new(common::gpu(), &mlp(), &training, &data).unwrap());
    }
}

#[test]
fn the_cpu_resumes_in_both_precisions() {
    let (data, wide) = (data(), data().cast::<f64>().unwrap());
    for (seed, training) in (0..).zip(trainings(Strategy::Layered)) {
        let what = format!("CPU: {:?}, {:?}", training.optimizer, training.batch);
        check(&what, seed, || CpuTrainer::<f32>::new(&mlp(), &training, &data).unwrap());
        check(&what, seed, || CpuTrainer::<f64>::new(&mlp(), &training, &wide).unwrap());
    }
}

/// Tables, whose untouched elements a lazy Adam leaves alone.
#[test]
fn tables_and_their_states_are_resumed() {
    let [lower, upper] = [-3.0, 3.0].map(|at| [at; 3]);
    let grid = Grid { levels: 3, log2_hashmap_size: 6, base_resolution: 4, ..Grid::default() };
    let grid = grid.in_box(lower, upper);
    let mlp =
        Mlp::new(2).encode(2, grid).layer(16, Activation::Relu).layer(1, Activation::Identity);
    let adam = Adam { rate: 0.01, lazy: true, l2: 1e-3, ..Adam::default() };
    for strategy in [Strategy::Fused, Strategy::Layered] {
        let training = Training::new(Loss::RelativeL2, Optimizer::from(adam))
            .batch(Batch::Shuffled { size: 24, seed: 1 })
            .strategy(strategy);
        check("a grid", 3, || Trainer::new(common::gpu(), &mlp, &training, &data()).unwrap());
    }
}

/// The trainer that goes on was made with the rate from before.
#[test]
fn a_rate_that_was_changed_is_resumed() {
    for training in trainings(Strategy::Auto) {
        let new = || Trainer::new(common::gpu(), &mlp(), &training, &data()).unwrap();
        let mut first = new();
        first.train(7).unwrap();
        first.set_optimizer(training.optimizer.at_rate(0.3)).unwrap();
        first.train(7).unwrap();
        let mut second = new();
        second.resume(&first.checkpoint().unwrap()).unwrap();
        first.train(7).unwrap();
        second.train(7).unwrap();
        assert!(bits(&mut first) == bits(&mut second), "{training:?}");
    }
}

/// One device's checkpoint is any device's.
#[test]
fn the_cpu_goes_on_where_the_gpu_stopped() {
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .batch(Batch::Shuffled { size: 32, seed: 5 });
    let new = || Trainer::new(common::gpu(), &mlp(), &training, &data()).unwrap();
    let mut gpu = new();
    gpu.train(15).unwrap();
    let mut cpu = CpuTrainer::new(&mlp(), &training, &data()).unwrap();
    cpu.resume(&gpu.checkpoint().unwrap()).unwrap();
    cpu.train(15).unwrap();
    gpu.train(15).unwrap();
    let [a, b] = [cpu.losses().unwrap(), gpu.losses().unwrap()];
    assert_eq!(a.values.len(), 30);
    for (a, b) in a.values.iter().zip(&b.values) {
        assert!((a - b).abs() <= 1e-5, "{a} and {b}");
    }
}

#[test]
fn a_model_that_diverged_stays_as_it_was() {
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(1e30)).models(2);
    let mlp = Mlp::new(2).layer(3, Activation::Identity).layer(1, Activation::Identity);
    let new = || Trainer::new(common::gpu(), &mlp, &training, &data()).unwrap();
    let mut first = new();
    assert!(matches!(first.train(9), Err(Error::Diverged { .. })));
    let mut second = new();
    second.resume(&first.checkpoint().unwrap()).unwrap();
    assert_eq!(second.diverged().unwrap(), first.diverged().unwrap());
    let losses = |trainer: &mut Trainer| {
        trainer.losses().unwrap().values.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(losses(&mut first), losses(&mut second));
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("wgrad-resume-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn averaged() -> Training {
    Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .batch(Batch::Shuffled { size: 32, seed: 5 })
        .models(2)
        .ema(0.9)
}

/// The other process of [`another_process_goes_on`]: goes on with every file of a folder.
#[test]
#[ignore = "is run by another_process_goes_on"]
fn goes_on() {
    let Ok(folder) = std::env::var("WGRAD_RESUME") else { return };
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let done: u32 = name.split_once('-').unwrap().1.parse().unwrap();
        let checkpoint = Checkpoint::load(&path).unwrap();
        let training = checkpoint.training().unwrap();
        let mut trainer =
            Trainer::new(common::gpu(), checkpoint.mlp(), &training, &data()).unwrap();
        trainer.resume(&checkpoint).unwrap();
        trainer.train(STEPS - done).unwrap();
        trainer.checkpoint().unwrap().save(&path).unwrap();
    }
}

/// Every training under every strategy, each cut somewhere.
#[test]
fn another_process_goes_on() {
    let folder = folder("process");
    let trainings: Vec<_> = Strategy::ALL.iter().flat_map(|s| trainings(*s)).collect();
    let cut = |i: usize| 1 + i as u32 * 7 % (STEPS - 1);
    let path = |i: usize| folder.join(format!("{i}-{}.safetensors", cut(i)));
    let new = |training| Trainer::new(common::gpu(), &mlp(), training, &data()).unwrap();
    for (i, training) in trainings.iter().enumerate() {
        let mut trainer = new(training);
        trainer.train(cut(i)).unwrap();
        trainer.checkpoint().unwrap().save(path(i)).unwrap();
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "goes_on", "--ignored"])
        .env("WGRAD_RESUME", &folder)
        .status();
    assert!(status.unwrap().success());
    let mut last = None;
    for (i, training) in trainings.iter().enumerate() {
        let mut expected = new(training);
        expected.train(STEPS).unwrap();
        let found = Checkpoint::load(path(i)).unwrap();
        assert!(found.training().unwrap() == *training);
        assert!(found == expected.checkpoint().unwrap(), "{training:?}");
        if training.ema.is_some() {
            last = Some((path(i), expected));
        }
    }
    let (path, mut expected) = last.unwrap();
    // The file tells its network: parameters and a model need no description.
    let parameters = Parameters::open(&path).unwrap();
    assert_eq!(parameters, expected.parameters().unwrap());
    let mut model = Model::load(common::gpu(), &path).unwrap();
    let x = [0.5, -0.25, 0.0, 1.0];
    assert_eq!(model.predict(&x).unwrap(), expected.predict(&x).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn parameters_tell_their_network() {
    let folder = folder("network");
    let path = folder.join("parameters.safetensors");
    let grid = Grid { per_level_scale: 1.37, ..Grid::default() }.in_box([0.0; 3], [2.0, 3.5, 1.0]);
    let grid = Grid { log2_hashmap_size: 4, levels: 3, ..grid };
    for encoding in wgrad::Encoding::all().into_iter().chain([grid.into()]) {
        let inputs = if let wgrad::Encoding::SphericalHarmonics(_) = encoding { 3 } else { 2 };
        let encoding = match encoding {
            wgrad::Encoding::Grid(grid) => Grid { log2_hashmap_size: 4, ..grid }.into(),
            other => other,
        };
        let snake = wgrad::CustomActivation::new("snake", "return z;", "return 1.0;").unwrap();
        let mlp = Mlp::new(inputs).encode(inputs, encoding).layer_without_bias(3, snake);
        for models in [1, 2] {
            let parameters = wgrad::Init::Auto.sample(&mlp, models, 3).unwrap();
            parameters.save(&path).unwrap();
            assert_eq!(Parameters::open(&path).unwrap(), parameters, "{mlp}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// What is refused leaves the trainer as it was.
#[test]
fn what_does_not_fit_is_refused() {
    let adam = Optimizer::adam(0.02);
    let training = Training::new(Loss::BinaryCrossEntropy, adam)
        .batch(Batch::Shuffled { size: 32, seed: 5 })
        .models(2);
    let new = |mlp: &Mlp, training: &Training| {
        let mut trainer = CpuTrainer::<f32>::new(mlp, training, &data()).unwrap();
        trainer.train(7).unwrap();
        trainer
    };
    let mut trainer = new(&mlp(), &training);
    let before = bits(&mut trainer);
    let other = |change: &dyn Fn(Training) -> Training| change(training.clone());
    let bias = Mlp::new(2).layer(7, Activation::Gelu).layer(5, Activation::Tanh);
    let bias = bias.layer(1, Activation::Sigmoid);
    for (mlp, training, words) in [
        (bias, training.clone(), "the network of the checkpoint is 2-7-5-1, gelu, tanh, sigmoid"),
        (mlp(), other(&|t| t.models(3)), "the models of the checkpoint is 3"),
        (mlp(), other(&|t| t.ema(0.5)), "the ema of the checkpoint is 0.5"),
        (mlp(), other(&|t| t.batch(Batch::Full)), "the batch of the checkpoint is"),
        (
            mlp(),
            other(&|t| Training { optimizer: Optimizer::sgd(0.02), ..t }),
            "the optimizer of the checkpoint is sgd",
        ),
        (
            mlp(),
            other(&|t| Training { loss: Loss::HalfSquaredError, ..t }),
            "the loss of the checkpoint is \"half_squared_error\"",
        ),
    ] {
        let error = trainer.resume(&new(&mlp, &training).checkpoint().unwrap()).unwrap_err();
        assert!(error.to_string().starts_with(words), "{error}");
        assert!(bits(&mut trainer) == before, "changed by: {error}");
    }
    // What may differ: how it runs, how it began, and the optimizer's hyperparameters.
    let faster = other(&|t| Training { optimizer: Optimizer::adam(0.5), ..t })
        .history(9)
        .seed(4)
        .strategy(Strategy::Layered);
    trainer.resume(&new(&mlp(), &faster).checkpoint().unwrap()).unwrap();
    assert_eq!(trainer.training().optimizer, Optimizer::adam(0.5));
}

#[test]
fn files_that_are_no_checkpoint_are_refused() {
    let mut trainer = CpuTrainer::<f32>::new(&mlp(), &averaged(), &data()).unwrap();
    trainer.train(3).unwrap();
    let bytes = trainer.checkpoint().unwrap().to_safetensors().unwrap();
    assert!(Checkpoint::<f32>::from_safetensors(&bytes).is_ok());
    for end in 0..bytes.len() {
        let cut = Checkpoint::<f32>::from_safetensors(&bytes[..end]);
        assert!(matches!(cut, Err(Error::File { .. })), "cut at {end}: {cut:?}");
    }
    // Any byte of the header changed: an error, or what still is a checkpoint, and no panic.
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    for at in 0..8 + header {
        for value in [0, b'0', b'9', b'"', b'}', 0xff] {
            let mut other = bytes.clone();
            other[at] = value;
            drop(Checkpoint::<f32>::from_safetensors(&other));
        }
    }
    let message =
        |bytes: &[u8]| Checkpoint::<f32>::from_safetensors(bytes).unwrap_err().to_string();
    let parameters = trainer.parameters().unwrap().to_safetensors().unwrap();
    assert_eq!(message(&parameters), "file: holds no training: it is no checkpoint");
    let newer = String::from_utf8_lossy(&bytes[8..8 + header]).into_owned();
    let newer = newer.replace("\"wgrad\":\"1\"", "\"wgrad\":\"9\"");
    let newer = [&bytes[..8], newer.as_bytes(), &bytes[8 + header..]].concat();
    assert!(message(&newer).starts_with("file: of the format 9"), "{}", message(&newer));
    let wide = Checkpoint::<f64>::from_safetensors(&bytes).unwrap_err().to_string();
    assert!(wide.contains("is of type F32, not F64"), "{wide}");
}

/// What could not be written whole is not there, and what was there is.
#[test]
fn a_file_that_cannot_be_written_stays() {
    let folder = folder("write");
    let path = folder.join("kept.safetensors");
    let parameters = wgrad::Init::Auto.sample(&mlp(), 1, 3).unwrap();
    parameters.save(&path).unwrap();
    // A folder stands where the next file would go.
    let beside = folder.join(format!("kept.safetensors.{}.part", std::process::id()));
    std::fs::create_dir_all(beside.join("x")).unwrap();
    let error = wgrad::Init::Auto.sample(&mlp(), 1, 4).unwrap().save(&path).unwrap_err();
    assert!(error.to_string().contains("kept.safetensors"), "{error}");
    assert_eq!(Parameters::open(&path).unwrap(), parameters);
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_lost_device_is_an_error() {
    let gpu = Gpu::new().unwrap();
    let mut trainer = Trainer::new(&gpu, &mlp(), &averaged(), &data()).unwrap();
    let checkpoint = trainer.checkpoint().unwrap();
    gpu.device().destroy();
    assert!(trainer.checkpoint().is_err());
    assert!(trainer.resume(&checkpoint).is_err());
}

//! Trainings on the device against the CPU in f64.

use crate::device::Device;
use crate::random::{Case, Choices, choices};
use crate::{Outcome, ensure};
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, Data, Dataset, Loss, Mlp, Optimizer, PassBuffers,
    Real, Strategy, TrainAsync, TrainBase as _, Trainer, Training, self_check_async,
};

/// Random networks that are tried.
const NETWORKS: u64 = 20;

/// The losses and the parameters after `steps` steps, and the outputs at `points`.
async fn train<T: TrainAsync>(
    trainer: &mut T,
    steps: u32,
    points: &[f32],
) -> wgrad::Result<[Vec<f64>; 4]> {
    let f64s = |values: &[T::Scalar]| values.iter().map(|v| v.to_f64()).collect();
    let gradient = f64s(&trainer.gradients_async().await?.values);
    trainer.train_async(steps).await?;
    let losses = f64s(&trainer.losses_async().await?.values);
    let parameters = f64s(trainer.parameters_async().await?.values());
    let points: Vec<_> = points.iter().map(|x| T::Scalar::of(f64::from(*x))).collect();
    Ok([gradient, losses, parameters, f64s(&trainer.predict_async(&points).await?)])
}

/// The largest |found − expected| as a share of the largest |expected|; infinite for a NaN.
pub fn deviation(found: &[f64], expected: &[f64]) -> f64 {
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |scale, e| scale.max(e.abs()));
    let mut largest = if found.len() == expected.len() { 0.0 } else { f64::INFINITY };
    for (f, e) in found.iter().zip(expected) {
        let error = (f - e).abs() / scale;
        largest = if error <= largest { largest } else { error.max(0.0) };
    }
    largest
}

pub async fn the_articles_losses_are_those_of_f64() -> Outcome {
    let device = Device::plain().await?;
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let mut worst = 0.0_f64;
    for dataset in [Dataset::Xor, Dataset::Circles] {
        let data = dataset.sample(1000, 1)?;
        let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)).seed(3);
        let mut trainer = Trainer::new(&device.gpu, &mlp, &training, &data)?;
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
        let found = train(&mut trainer, 500, data.x()).await?;
        let expected = train(&mut cpu, 500, data.x()).await?;
        let error = deviation(&found[1], &expected[1]);
        ensure!(error <= 1e-5, "{}: losses off by {error}", dataset.name());
        let (first, last) = (expected[1][0], expected[1][499]);
        ensure!(last < first, "{}: learnt nothing, {first} to {last}", dataset.name());
        worst = worst.max(error);
    }
    device.check_silent()?;
    Ok(format!("{}, off by {worst:.1e}", device.gpu))
}

pub async fn random_networks_are_the_cpus() -> Outcome {
    let device = Device::plain().await?;
    let mut strategies = Vec::new();
    for seed in 0..NETWORKS {
        let choices = choices(seed);
        let mut case = Case::new(&mut Choices::new(&choices));
        if seed % 5 == 0 {
            // Small enough for `resident` on SwiftShader, whose compiler takes half a minute for 50
            // parameters.
            let last = case.mlp.last_activation();
            case.mlp = Mlp::new(case.mlp.inputs.min(3)).layer(3, Activation::Tanh).layer(1, last);
            case.training.strategy = Strategy::Resident;
            case.training.ema = None;
            case.training.clip_norm = None;
            case.training.rates.retain(|(part, _)| part.check(&case.mlp).is_ok());
        } else if case.training.strategy != Strategy::Fused {
            case.training.strategy = Strategy::Layered;
        }
        let data = case.data();
        let made = Trainer::new(&device.gpu, &case.mlp, &case.training, &data);
        let mut trainer = match made {
            // Too wide for `fused`.
            Err(wgrad::Error::Argument { .. }) => {
                case.training.strategy = Strategy::Layered;
                Trainer::new(&device.gpu, &case.mlp, &case.training, &data)?
            }
            made => made?,
        };
        let points = case.points(5);
        let found = train(&mut trainer, 6, &points).await?;
        let mut exact = Vec::new();
        for (noise, seed) in [(0.0, 0), (2.5e-7, 1), (2.5e-7, 2)] {
            let (data, initial) = case.noisy(noise, seed);
            let mut cpu = CpuTrainer::<f64>::new(&case.mlp, &case.training, &data)?;
            cpu.restart(&initial)?;
            exact.push(train(&mut cpu, 6, &points).await?);
        }
        let expected = exact.remove(0);
        let mut single = CpuTrainer::<f32>::new(&case.mlp, &case.training, &data)?;
        exact.push(train(&mut single, 6, &points).await?);
        for (i, name) in ["gradient", "losses", "parameters", "predictions"].iter().enumerate() {
            // Where a last bit decides, as at a kink, the CPU is off too: in f32, and in f64 from inputs
            // with noise.
            let others = exact.iter().map(|other| deviation(&other[i], &expected[i]));
            let bound =
                16.0 * others.fold(0.0, f64::max) + if *name == "losses" { 1e-5 } else { 1e-4 };
            let error = deviation(&found[i], &expected[i]);
            ensure!(error <= bound, "network {seed}, {}: {name} off by {error}", case.mlp);
        }
        strategies.push(trainer.plan().strategy().name());
    }
    device.check_silent()?;
    strategies.sort_unstable();
    strategies.dedup();
    Ok(format!("{NETWORKS} networks, {}", strategies.join(", ")))
}

pub async fn bits_repeat() -> Outcome {
    let device = Device::plain().await?;
    let data = Dataset::Moons.sample(300, 1)?;
    let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01))
        .batch(Batch::Shuffled { size: 64, seed: 1 })
        .strategy(Strategy::Fused);
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut trainer = Trainer::new(&device.gpu, &mlp, &training, &data)?;
        runs.push(train(&mut trainer, 50, data.x()).await?);
    }
    ensure!(runs[0] == runs[1], "two runs of one training differ");
    device.check_silent()?;
    Ok(String::new())
}

pub async fn the_self_check_passes() -> Outcome {
    let device = Device::plain().await?;
    // On a device that no page tells from a GPU, compilers that choke on large kernels stay away.
    let own = device.gpu.capabilities().clone();
    let gpu = device.gpu.planned_for(&Capabilities { software: true, ..own });
    let mut told = 0;
    let check = self_check_async(&gpu, |_| told += 1).await;
    ensure!(check.passed(), "\n{check}");
    ensure!(told == check.checks.len(), "{told} of {} checks are told", check.checks.len());
    device.check_silent()?;
    Ok(format!("{} checks", check.checks.len()))
}

/// The gradient of an application's own loss, by passes that are recorded by themselves.
pub async fn passes_are_the_cpus() -> Outcome {
    let device = Device::plain().await?;
    let gpu = &device.gpu;
    let mlp = Mlp::new(2).layer(16, Activation::Relu).layer(3, Activation::Sigmoid);
    let rows = 100;
    let x: Vec<f32> = (0..2 * rows).map(|i| (i as f32 * 0.37).sin()).collect();
    let g: Vec<f32> = (0..3 * rows).map(|i| (i as f32 * 0.71).cos()).collect();
    let mut worst = 0.0_f64;
    for strategy in [Strategy::Fused, Strategy::Layered] {
        let training =
            Training::new(Loss::OutputGradient, Optimizer::sgd(0.1)).strategy(strategy).seed(3);
        let data = Data::new(2, 3, x.clone(), g.clone())?;
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
        let mut trainer = Trainer::without_data(gpu, &mlp, &training)?;
        let [inputs, outputs, gradient] =
            [2, 3, 3].map(|width| gpu.buffer("rows", 4 * width * rows as u64));
        let (inputs, outputs, gradient) = (inputs?, outputs?, gradient?);
        for (buffer, values) in [(&inputs, &x), (&gradient, &g)] {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            gpu.queue().write_buffer(buffer, 0, &bytes);
        }
        let of = PassBuffers::new(rows, inputs.slice(..), outputs.slice(..), gradient.slice(..));
        let passes = trainer.passes(of)?;
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        passes.record_forward(&mut encoder);
        passes.record_backward(&mut encoder);
        gpu.queue().submit([encoder.finish()]);
        let f64s = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let found = f64s(&trainer.gradients_async().await?.values);
        let error = deviation(&found, &cpu.gradients_async().await?.values);
        ensure!(error <= 1e-5, "{strategy:?}: off by {error}");
        worst = worst.max(error);
    }
    device.check_silent()?;
    Ok(format!("off by {worst:.1e}"))
}

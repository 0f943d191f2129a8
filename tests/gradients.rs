//! The chain of trust: differences in f64 ↔ back-propagation on the CPU ↔ back-propagation on the
//! GPU.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use approx::assert_abs_diff_eq;
use wgrad::{
    Activation, Argument, Batch, CpuTrainer, Data, FiniteDifference, Init, Loss, Mlp, Optimizer,
    Parameters, SingleUnit, Targets, Train, TrainBase, Trainer, Training, compare_gradients,
};

/// Every activation × loss that fits × depth 1 to 4: the last layer has the activation too, where
/// the loss allows it.
fn networks() -> impl Iterator<Item = (Mlp, Loss)> {
    Activation::ALL.iter().flat_map(|activation| {
        Loss::ALL.iter().flat_map(move |loss| {
            (1..=4).map(move |depth| {
                let mut mlp = Mlp::new(3);
                for layer in 1..depth {
                    mlp = mlp.layer(3 + layer, *activation);
                }
                let last = match loss.argument() {
                    Argument::Logit(needs) => needs,
                    Argument::Output => *activation,
                    other => unreachable!("{other:?}"),
                };
                (mlp.layer(2, last), *loss)
            })
        })
    })
}

fn data(loss: Loss, rows: usize, sets: usize) -> Data<f64> {
    let x = common::numbers(sets * rows * 3, 1);
    let mut t: Vec<f64> =
        common::numbers(sets * rows * 2, 2).iter().map(|v| 0.5 + 0.5 * v).collect();
    if loss.targets() == Targets::Distributions {
        t.chunks_mut(2).for_each(|row| row[1] = 1.0 - row[0]);
    }
    Data::for_each_model_f64(sets, 3, 2, x, t).unwrap()
}

#[test]
fn cpu_back_propagation_is_the_central_difference() {
    let mut count = 0;
    for (mlp, loss) in networks() {
        let training = Training::new(loss, Optimizer::sgd(0.1)).init(Init::GlorotUniform).seed(4);
        let mut trainer = CpuTrainer::<f64>::new(&mlp, &training, &data(loss, 5, 1)).unwrap();
        let exact = trainer.gradients().unwrap();
        let central = trainer.numerical_gradient(FiniteDifference::Central).unwrap();
        let error = common::deviation(&central, &exact.values);
        assert!(error <= 1e-7, "{mlp}, {}: {error:e}", loss.name());
        let forward = trainer.numerical_gradient(FiniteDifference::Forward).unwrap();
        let error = common::deviation(&forward, &exact.values);
        assert!(error <= 1e-4, "{mlp}, {} forward: {error:e}", loss.name());
        count += 1;
    }
    assert_eq!(count, Activation::ALL.len() * Loss::ALL.len() * 4);
}

#[test]
fn input_gradient_is_the_central_difference() {
    // Of a loss that holds a divisor, no difference gives it.
    for (mlp, loss) in networks().filter(|(_, loss)| !loss.detaches_denominator()) {
        let training = Training::new(loss, Optimizer::sgd(0.1)).init(Init::GlorotUniform).seed(4);
        let at = |data: &Data<f64>| CpuTrainer::<f64>::new(&mlp, &training, data).unwrap();
        let data = data(loss, 2, 1);
        let exact = at(&data).input_gradient().unwrap();
        let difference: Vec<f64> = (0..data.x().len())
            .map(|i| {
                let loss = |h: f64| {
                    let mut x = data.x().to_vec();
                    x[i] += h;
                    let moved = Data::new_f64(3, 2, x, data.t().to_vec()).unwrap();
                    at(&moved).gradients().unwrap().losses[0]
                };
                (loss(6e-6) - loss(-6e-6)) / 1.2e-5
            })
            .collect();
        let error = common::deviation(&difference, &exact);
        assert!(error <= 1e-7, "{mlp}, {}: {error:e}", loss.name());
    }
}

#[test]
fn gpu_back_propagation_is_the_cpus() {
    gpu_back_propagation_of(|index| index % 2 == 0);
}

// The other half, on another thread.
#[test]
fn gpu_back_propagation_is_the_cpus_too() {
    gpu_back_propagation_of(|index| index % 2 == 1);
}

/// Populations too, with shared data and with a set for each model, full batches and mini-batches.
fn gpu_back_propagation_of(part: impl Fn(usize) -> bool) {
    for (index, (mlp, loss)) in networks().enumerate().filter(|(index, _)| part(*index)) {
        let models = 1 + index % 3;
        let sets = if index % 2 == 0 { 1 } else { models };
        let batch = match index % 4 {
            0 | 1 => Batch::Full,
            2 => Batch::Shuffled { size: 7, seed: 3 },
            _ => Batch::Sequential { size: 7 },
        };
        let training = Training::new(loss, Optimizer::sgd(0.1))
            .models(models)
            .batch(batch)
            .init(Init::GlorotUniform)
            .seed(4);
        let data = data(loss, 33, sets);
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
        let (exact, inputs) = (cpu.gradients().unwrap(), cpu.input_gradient().unwrap());
        let found = gpu.gradients().unwrap();
        for (what, error) in [
            ("losses", common::deviation(&found.losses, &exact.losses)),
            ("gradient", common::deviation(&found.values, &exact.values)),
            ("input gradient", common::deviation(&gpu.input_gradient().unwrap(), &inputs)),
        ] {
            assert!(error <= 1e-5, "{mlp}, {}, {models} models: {what} {error:e}", loss.name());
        }
    }
}

/// Over more than two epochs, with batches that straddle their ends.
#[test]
fn batches_in_order_train_as_on_the_cpu() {
    let (mlp, loss) = networks().next().unwrap();
    for models in [1, 3] {
        let training = Training::new(loss, Optimizer::adam(0.01))
            .models(models)
            .batch(Batch::Sequential { size: 7 });
        let data = data(loss, 33, 1);
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data.cast().unwrap()).unwrap();
        cpu.train(12).unwrap();
        gpu.train(12).unwrap();
        let found: Vec<f64> =
            gpu.losses().unwrap().values.iter().map(|loss| f64::from(*loss)).collect();
        let error = common::deviation(&found, &cpu.losses().unwrap().values);
        assert!(error <= 1e-5, "{models} models: {error:e}");
    }
}

/// A batch in order is the data's own rows: nothing is lost beside a full batch.
#[test]
fn one_batch_in_order_is_the_full_batch() {
    let (mlp, loss) = networks().next().unwrap();
    let data = data(loss, 33, 1).cast().unwrap();
    let gradients = |batch| {
        let training = Training::new(loss, Optimizer::sgd(0.1)).batch(batch);
        Trainer::new(common::gpu(), &mlp, &training, &data).unwrap().gradients().unwrap()
    };
    assert_eq!(gradients(Batch::Sequential { size: 33 }), gradients(Batch::Full));
}

#[test]
fn gpu_differences_are_the_gradient() {
    let gpu = common::gpu();
    for (loss, last) in [
        (Loss::HalfSquaredError, Activation::Tanh),
        (Loss::SoftmaxCrossEntropy, Activation::Identity),
    ] {
        let mlp = Mlp::new(3).layer(9, Activation::Tanh).layer(2, last);
        for batch in [Batch::Full, Batch::Shuffled { size: 16, seed: 1 }] {
            let training = Training::new(loss, Optimizer::sgd(0.1)).batch(batch);
            let data = data(loss, 40, 1);
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
            let exact = cpu.gradients().unwrap();
            let mut trainer = Trainer::new(gpu, &mlp, &training, &data.cast().unwrap()).unwrap();
            // In f32 a difference keeps about the square root of the digits.
            for (difference, bound) in
                [(FiniteDifference::Central, 2e-3), (FiniteDifference::Forward, 2e-2)]
            {
                let found = trainer.numerical_gradient(difference).unwrap();
                let error = common::deviation(&found, &exact.values);
                assert!(error <= bound, "{} {difference:?}: {error:e}", loss.name());
            }
        }
    }
}

#[test]
fn the_closed_form_is_the_gradient() {
    let x: Vec<f32> = common::numbers_f32(50, 1).iter().map(|v| 4.0 * v).collect();
    let t = common::numbers_f32(50, 2).iter().map(|v| 0.5 + 0.5 * v).collect();
    let data = Data::new(1, 1, x, t).unwrap();
    for seed in 0..20 {
        let parameters = Init::StandardNormal.sample(&SingleUnit::mlp(), 1, seed).unwrap();
        let report =
            compare_gradients(&parameters, Loss::HalfSquaredError, &data, Some(common::gpu()), 100)
                .unwrap();
        assert_eq!(report.ways.len(), 7, "{report}");
        for way in &report.ways {
            let bound = match (way.name, way.device.starts_with("CPU")) {
                ("closed form" | "back-propagation", true) => 1e-12,
                ("central differences", true) => 1e-7,
                ("forward differences", true) => 1e-4,
                ("back-propagation", false) => 1e-5,
                _ => 0.1,
            };
            assert!(way.deviation <= bound, "{report}");
        }
    }
}

/// Known states of units, by hand: a dead ReLU, one alive on half the rows, saturated sigmoids.
#[test]
fn health_counts_dead_and_saturated_units() {
    let mlp = Mlp::new(1).layer(4, Activation::Relu).layer(1, Activation::Sigmoid);
    let x: Vec<f32> = (0..600).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let data = Data::new(1, 1, x, vec![0.5; 600]).unwrap();
    // Units: always on, on for x > 0, off for all, off for all; the sigmoid sees 30 or 10.
    let values = vec![1.0, 1.0, 1.0, 0.0, 2.0, 0.0, -2.0, -1.0, 0.0, 20.0, 0.0, 0.0, 10.0];
    let parameters = Parameters::new(mlp.clone(), 1, values).unwrap();
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0));
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    gpu.set_parameters(&parameters).unwrap();
    cpu.set_parameters(&parameters).unwrap();
    let (found, expected) = (gpu.health().unwrap(), cpu.health().unwrap());
    assert_eq!(found.layers[0].dead, Some(0.5), "{found}");
    assert_eq!(found.layers[0].saturated, Some(0.625));
    assert_eq!((found.layers[1].dead, found.layers[1].saturated), (Some(1.0), Some(1.0)));
    for (found, expected) in found.layers.iter().zip(&expected.layers) {
        assert_eq!((found.dead, found.saturated), (expected.dead, expected.saturated));
        assert_abs_diff_eq!(found.gradient_norm / expected.gradient_norm, 1.0, epsilon = 1e-4);
    }
    assert!(found.to_string().contains("relu"));
}

/// A deep sigmoid network's gradient vanishes, layer by layer, and the look at it says so.
#[test]
fn health_shows_a_vanishing_gradient() {
    let mut mlp = Mlp::new(3);
    for _ in 0..6 {
        mlp = mlp.layer(8, Activation::Sigmoid);
    }
    let mlp = mlp.layer(2, Activation::Identity);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).models(2);
    let data = data(training.loss, 40, 1).cast().unwrap();
    let health = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap().health().unwrap();
    let cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap().health().unwrap();
    for (model, cpu) in health.layers.chunks(7).zip(cpu.layers.chunks(7)) {
        assert!(model[0].gradient_norm < 1e-2 * model[5].gradient_norm, "{health}");
        for (found, expected) in model.iter().zip(cpu) {
            assert_abs_diff_eq!(found.gradient_norm / expected.gradient_norm, 1.0, epsilon = 1e-3);
        }
    }
}

#[test]
fn self_check_passes() {
    let check = wgrad::self_check(common::gpu());
    println!("{check}");
    assert!(check.passed(), "{check}");
}

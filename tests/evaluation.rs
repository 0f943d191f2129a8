//! Loss and accuracy on other data than the training's: each strategy, loss and size against the CPU's
//! f64, recorded and at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::neg_cmp_op_on_partial_ord)]

mod common;
#[path = "common/random.rs"]
mod random;

use random::{Case, Choices, choices};
use wgrad::{
    Activation, Batch, Capabilities, CpuTrainer, Data, Dataset, Error, Evaluation, Gpu, Init, Loss,
    Metrics, Mlp, Optimizer, Parameters, Strategy, Train, TrainAsync, TrainBase, Trainer, Training,
};

for_every_strategy! {
    held_out_rows_of_any_number
    an_evaluation_leaves_the_training_alone
    a_recorded_evaluation_allocates_nothing
}

/// Rows, around a workgroup's 64 and a slice's 16,384.
const ROWS: [usize; 10] = [1, 2, 3, 63, 64, 65, 129, 1001, 16_384, 33_001];

/// The network's metrics on `data` by the CPU in f64, from parameters of any precision.
fn expected(mlp: &Mlp, training: &Training, parameters: &Parameters, data: &Data) -> Metrics<f64> {
    let data = data.cast().unwrap();
    let full = training.clone().batch(Batch::Full);
    let mut cpu = CpuTrainer::<f64>::new(mlp, &full, &data).unwrap();
    cpu.set_parameters(&parameters.cast().unwrap()).unwrap();
    cpu.evaluate(&data).unwrap()
}

/// How far the losses are off where inputs and parameters are, relatively by up to 2.5e-7.
fn spread(mlp: &Mlp, training: &Training, parameters: &Parameters, data: &Data) -> f64 {
    let less = |values: &[f32], seed: u64| -> Vec<f64> {
        let by = random::fractions(values.len(), seed);
        values
            .iter()
            .zip(by)
            .map(|(v, by)| f64::from(*v) * (1.0 - 2.5e-7 * f64::from(by)))
            .collect()
    };
    let full = training.clone().batch(Batch::Full);
    let t = data.t().iter().map(|t| f64::from(*t)).collect::<Vec<_>>();
    let losses = |parameters: Vec<f64>, x: Vec<f64>| {
        let (inputs, outputs) = (data.inputs(), data.outputs());
        let data = Data::for_each_model_f64(data.sets(), inputs, outputs, x, t.clone()).unwrap();
        let mut cpu = CpuTrainer::<f64>::new(mlp, &full, &data).unwrap();
        let own = Parameters::new(mlp.clone(), training.models, parameters).unwrap();
        cpu.set_parameters(&own).unwrap();
        cpu.evaluate(&data).unwrap().losses
    };
    let f64s = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let exact = losses(f64s(parameters.values()), f64s(data.x()));
    let off = |seed: u64| {
        let noisy = losses(less(parameters.values(), 2 * seed), less(data.x(), 2 * seed + 1));
        common::deviation(&noisy, &exact)
    };
    (1..=4_u64).map(off).fold(0.0, f64::max)
}

/// The rows of each model whose class f32 cannot tell: its two largest outputs, or its one output and
/// the middle, are nearly the same.
fn undecided(mlp: &Mlp, training: &Training, parameters: &Parameters, data: &Data) -> Vec<usize> {
    let full = training.clone().batch(Batch::Full);
    let mut cpu = CpuTrainer::<f64>::new(mlp, &full, &data.cast().unwrap()).unwrap();
    cpu.set_parameters(&parameters.cast().unwrap()).unwrap();
    let (rows, outputs) = (data.rows(), data.outputs());
    let near = |y: &[f64]| {
        let mut y = y.to_vec();
        let middle = if mlp.last_activation() == Activation::Tanh { 0.0 } else { 0.5 };
        let size = y.iter().fold(1.0_f64, |size, y| size.max(y.abs()));
        if outputs == 1 {
            // A tanh's middle is 0, or 0.5 for targets of 0 and 1.
            return (y[0] - middle).abs() <= 1e-5 || (y[0] - 0.5).abs() <= 1e-5;
        }
        y.sort_by(f64::total_cmp);
        y[outputs - 1] - y[outputs - 2] <= 1e-5 * size
    };
    let of_model = |m: usize| {
        let set = if data.sets() == 1 { 0 } else { m };
        let x = data.x()[set * rows * data.inputs()..][..rows * data.inputs()].iter();
        let y = cpu.clone().predict(&x.map(|x| f64::from(*x)).collect::<Vec<_>>()).unwrap();
        y[m * rows * outputs..][..rows * outputs].chunks(outputs).filter(|y| near(y)).count()
    };
    (0..training.models).map(of_model).collect()
}

/// Compares what was found with the CPU's f64; the first thing that is wrong.
fn compare(found: &Metrics, trainer: &mut Trainer, data: &Data) -> Result<(), String> {
    let (mlp, training) = (trainer.mlp().clone(), trainer.training().clone());
    let parameters = trainer.parameters().unwrap();
    let exact = expected(&mlp, &training, &parameters, data);
    let error = common::deviation(&found.losses, &exact.losses);
    // Where a last bit decides, as in a sine of a large argument, f32 cannot give what f64 gives.
    if !(error <= 1e-5 || error <= 1e-5 + 16.0 * spread(&mlp, &training, &parameters, data)) {
        return Err(format!("losses {:?} for {:?}", found.losses, exact.losses));
    }
    let undecided = undecided(&mlp, &training, &parameters, data);
    match (&found.accuracies, &exact.accuracies) {
        (None, None) => {}
        (Some(found), Some(exact)) if found.len() == exact.len() => {
            let rows = data.rows() as f64;
            for ((f, e), undecided) in found.iter().zip(exact).zip(undecided) {
                if !((f - e).abs() * rows <= undecided as f64 + 1e-6) {
                    return Err(format!("accuracy {f} for {e}, {undecided} rows undecided"));
                }
            }
        }
        (found, exact) => return Err(format!("accuracies {found:?} for {exact:?}")),
    }
    Ok(())
}

fn held_out_rows_of_any_number(strategy: Strategy) {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(200, 1).unwrap();
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .models(3)
        .batch(Batch::Shuffled { size: 48, seed: 2 })
        .strategy(strategy);
    let mut trainer = Trainer::new(gpu, &mlp, &training, &data).unwrap();
    trainer.train(150).unwrap();
    for rows in ROWS {
        let all = Dataset::Moons.sample(2 * rows, 5).unwrap();
        // Rows of both classes, in any order.
        let pick = |values: &[f32], width: usize| -> Vec<f32> {
            (0..rows).flat_map(|i| values[i * 7 % (2 * rows) * width..][..width].to_vec()).collect()
        };
        let held_out = Data::new(2, 1, pick(all.x(), 2), pick(all.t(), 1)).unwrap();
        let found = trainer.evaluate(&held_out).unwrap();
        compare(&found, &mut trainer, &held_out).unwrap_or_else(|e| panic!("{rows} rows: {e}"));
        let accuracies = found.accuracies.unwrap();
        assert!(rows < 100 || accuracies.iter().all(|a| (0.7..1.0).contains(a)), "{accuracies:?}");
        // The same rows again, through the evaluation that was kept, and recorded.
        assert_eq!(trainer.evaluate(&held_out).unwrap().losses, found.losses);
        let evaluation = trainer.evaluation(&held_out).unwrap();
        assert_eq!(evaluation.metrics().unwrap().losses, [0.0; 3], "before the first record");
        run(gpu, |encoder| evaluation.record(encoder));
        assert_eq!(evaluation.metrics().unwrap().losses, found.losses);
    }
}

fn run(gpu: &Gpu, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    record(&mut encoder);
    gpu.queue().submit([encoder.finish()]);
}

/// The steps before and after are bit for bit those of a training that is not looked at, whatever the
/// order of the records.
fn an_evaluation_leaves_the_training_alone(strategy: Strategy) {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(200, 1).unwrap();
    let held_out = Dataset::Moons.sample(66, 2).unwrap();
    let mlp = Mlp::new(2).layer(9, Activation::Gelu).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .models(2)
        .batch(Batch::Shuffled { size: 48, seed: 2 })
        .strategy(strategy);
    let make = || Trainer::new(gpu, &mlp, &training, &data).unwrap();
    let (mut watched, mut alone) = (make(), make());
    let evaluation = watched.evaluation(&held_out).unwrap();
    alone.train(25).unwrap();
    let after_25 = alone.evaluate(&held_out).unwrap();
    alone.train(25).unwrap();
    run(gpu, |encoder| {
        watched.record(encoder, 25);
        evaluation.record(encoder);
        watched.record(encoder, 25);
    });
    let at_25 = evaluation.metrics().unwrap();
    assert_eq!(at_25.losses, after_25.losses, "the parameters of step 25");
    assert_eq!(at_25.accuracies, after_25.accuracies);
    watched.evaluate(&data).unwrap();
    assert_eq!(watched.losses().unwrap(), alone.losses().unwrap());
    assert_eq!(watched.parameters().unwrap(), alone.parameters().unwrap());
    watched.train(7).unwrap();
    alone.train(7).unwrap();
    assert_eq!(watched.parameters().unwrap(), alone.parameters().unwrap());
}

/// wgpu's own counters.
fn a_recorded_evaluation_allocates_nothing(strategy: Strategy) {
    let gpu = Gpu::new().unwrap();
    let data = Dataset::Circles.sample(20, 1).unwrap();
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)).strategy(strategy);
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let held_out = Dataset::Circles.sample(102, 2).unwrap();
    let evaluation = trainer.evaluation(&held_out).unwrap();
    let mut counts = |times: u32| {
        for _ in 0..times {
            run(&gpu, |encoder| {
                trainer.record(encoder, 2);
                evaluation.record(encoder);
            });
            gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
        }
        let recorded = common::allocated(&gpu);
        // A readback's buffer is gone once it was read; `evaluate` keeps two evaluations.
        for data in [&data, &held_out, &data, &held_out] {
            trainer.evaluate(data).unwrap();
        }
        evaluation.metrics().unwrap();
        gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
        (recorded, common::allocated(&gpu))
    };
    let (first, kept) = counts(3);
    assert_ne!(first[0], kept[0], "what is kept is counted");
    for times in [1, 40] {
        assert_eq!(counts(times), (kept, kept));
    }
}

/// Random networks with encodings, populations and data sets of their own, on the device and on ones
/// that lack something, in slices of few rows.
#[test]
fn random_networks_are_evaluated_as_on_the_cpu() {
    let own = common::gpu().capabilities();
    let (mut checked, mut classes, mut many) = (0, 0, 0);
    for seed in 0..60 {
        let picked = choices(seed);
        let mut case = Case::new(&mut Choices::new(&picked));
        case.training.strategy = Strategy::Auto;
        let software = own.software ^ (seed % 3 == 1);
        let gpu = common::gpu().planned_for(&Capabilities { software, ..own.clone() });
        let mut trainer = Trainer::new(&gpu, &case.mlp, &case.training, &case.data()).unwrap();
        let rows = [1, 5, 64, 97, 700][seed as usize % 5];
        let held_out = Case { rows, seed: case.seed + 99, ..case.clone() }.data();
        let found = trainer.evaluate(&held_out).unwrap();
        compare(&found, &mut trainer, &held_out)
            .unwrap_or_else(|e| panic!("{seed}: {e}\n{case:#?}"));
        checked += 1;
        classes += usize::from(found.accuracies.is_some());
        many += usize::from(case.sets > 1);
    }
    assert!(checked == 60 && classes >= 5 && many >= 5, "{classes} with classes, {many} of sets");
}

/// Every loss behind every activation that it follows; losses of the application's own, too. The CPU's
/// metrics are its training's own loss on these rows, which the tiles compute.
#[test]
fn every_loss_is_evaluated() {
    let losses = common::losses().into_iter().chain([
        (common::coupled().into(), Activation::Tanh),
        (common::coupled().into(), Activation::Identity),
    ]);
    for (loss, last) in losses {
        let mlp = Mlp::new(3).layer(6, Activation::Silu).layer(4, last);
        let training = Training::new(loss, Optimizer::sgd(0.01)).models(2);
        for (rows, sets) in [(1, 1), (67, 2), (130, 1)] {
            let x = common::numbers_f32(sets * rows * 3, 1);
            let mut t: Vec<f32> =
                common::numbers_f32(sets * rows * 4, 2).iter().map(|t| 0.5 * t + 0.5).collect();
            if loss == Loss::SoftmaxCrossEntropy {
                for row in t.chunks_mut(4) {
                    let sum: f32 = row.iter().sum();
                    row.iter_mut().for_each(|t| *t /= sum);
                }
            }
            let data = Data::for_each_model(sets, 3, 4, x, t).unwrap();
            let few = Data::new(3, 4, data.x()[..3].to_vec(), data.t()[..4].to_vec()).unwrap();
            let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &few).unwrap();
            let found = trainer.evaluate(&data).unwrap();
            let case = format!("{} behind {}, {rows} rows", loss.name(), last.name());
            let mut exact = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
            let of_training = exact.gradients().unwrap().losses;
            let of_evaluation = exact.evaluate(&data.cast().unwrap()).unwrap();
            for (a, b) in of_training.iter().zip(&of_evaluation.losses) {
                assert!((a - b).abs() <= 1e-12 * a.abs().max(1.0), "{case}: {a} and {b}");
            }
            // Terms of both signs cancel in a sum y g.
            let bound = if loss == Loss::OutputGradient { 1e-4 } else { 1e-5 };
            let error = common::deviation(&found.losses, &of_training);
            assert!(error <= bound, "{case}: off by {error:.1e}");
            assert_eq!(found.accuracies.is_some(), loss == Loss::SoftmaxCrossEntropy, "{case}");
            if found.accuracies.is_some() {
                compare(&found, &mut trainer, &data).unwrap_or_else(|e| panic!("{case}: {e}"));
            }
        }
    }
}

/// Slices where each model has rows of its own: targets and inputs of the second slice lie behind those
/// of both models in the first.
#[test]
fn rows_of_each_model_are_cut_into_slices() {
    for (loss, encoded) in [
        (Loss::from(common::coupled()), false),
        (Loss::SoftmaxCrossEntropy, false),
        (Loss::SoftmaxCrossEntropy, true),
    ] {
        let mlp = Mlp::new(2);
        let mlp = if encoded { mlp.encode(2, wgrad::encoding::OneBlob { bins: 4 }) } else { mlp };
        let mlp = mlp.layer(3, Activation::Tanh).layer(3, Activation::Identity);
        let training = Training::new(loss, Optimizer::sgd(0.01)).models(2);
        let make = |rows: usize, seed| {
            let x = random::fractions(2 * rows * 2, seed);
            let class = random::fractions(2 * rows, seed + 1);
            let one_hot =
                |c: &f32| (0..3).map(|i| f32::from(u8::from((c * 3.0) as usize == i))).collect();
            let t = class.iter().flat_map::<Vec<f32>, _>(one_hot).collect();
            Data::for_each_model(2, 2, 3, x, t).unwrap()
        };
        let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &make(3, 1)).unwrap();
        let data = make(20_003, 2);
        let found = trainer.evaluate(&data).unwrap();
        assert!(found.losses[0] != found.losses[1]);
        compare(&found, &mut trainer, &data).unwrap_or_else(|e| panic!("{}: {e}", loss.name()));
    }
}

/// Accuracies that are known: of a network that is the identity, or the same in all rows.
#[test]
fn accuracies_are_the_share_of_right_rows() {
    let gpu = common::gpu();
    for (loss, last, low) in [
        (Loss::BinaryCrossEntropy, Activation::Sigmoid, 0.0),
        (Loss::MeanSquaredError, Activation::Tanh, -1.0),
        (Loss::Huber, Activation::Tanh, 0.0),
    ] {
        let mlp = Mlp::new(1).layer(1, last);
        let training = Training::new(loss, Optimizer::sgd(0.1)).models(2);
        let one = Data::new(1, 1, vec![0.0], vec![1.0]).unwrap();
        // Model 0 has z = x, model 1 is sure of class 1.
        let parameters = Parameters::new(mlp.clone(), 2, vec![1.0, 0.0, 0.0, 3.0]).unwrap();
        let x = vec![-4.0, -3.0, -2.0, 2.0, 3.0, 4.0, 5.0, -5.0];
        let t = [low, low, low, 1.0, 1.0, 1.0, low, 1.0].to_vec();
        let data = Data::new(1, 1, x, t).unwrap();
        let mut trainer = Trainer::new(gpu, &mlp, &training, &one).unwrap();
        trainer.restart(&parameters).unwrap();
        let found = trainer.evaluate(&data).unwrap().accuracies;
        assert_eq!(found, Some(vec![0.75, 0.5]), "{}", loss.name());
        let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &one).unwrap();
        cpu.restart(&parameters).unwrap();
        assert_eq!(cpu.evaluate(&data).unwrap().accuracies, found);
    }
    // Three classes: logits are the inputs.
    let mlp = Mlp::new(3).layer(3, Activation::Identity);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
    let identity = vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0];
    let parameters = Parameters::new(mlp.clone(), 1, identity).unwrap();
    let x = vec![3.0, 1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 2.0, 3.0, 3.0, 3.0, 1.0, -1.0, -2.0, -0.5];
    let t = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.2, 0.2, 0.6]];
    let data = Data::new(3, 3, x, t.concat()).unwrap();
    let mut trainer = Trainer::new(gpu, &mlp, &training, &data).unwrap();
    trainer.restart(&parameters).unwrap();
    // Of equal outputs the first counts.
    assert_eq!(trainer.evaluate(&data).unwrap().accuracies, Some(vec![0.8]));
}

/// A network of more outputs than inputs: the health of its layers was a panic on the CPU.
#[test]
fn health_of_more_outputs_than_inputs() {
    let mlp = Mlp::new(1).layer(2, Activation::Tanh).layer(5, Activation::Identity);
    let t = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0].to_vec();
    let data = Data::new(1, 5, vec![0.5, -0.5], t).unwrap();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let (cpu, gpu) = (cpu.health().unwrap(), gpu.health().unwrap());
    for (a, b) in cpu.layers.iter().zip(&gpu.layers) {
        let error = (a.gradient_norm - b.gradient_norm).abs() / a.gradient_norm;
        assert!(error <= 1e-5, "{} and {}", a.gradient_norm, b.gradient_norm);
    }
}

/// The average, a snapshot, and any other parameters.
#[test]
fn other_parameters_are_evaluated() {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(100, 1).unwrap();
    let held_out = Dataset::Moons.sample(50, 2).unwrap();
    let mlp = Mlp::new(2).layer(4, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.1)).ema(0.95);
    let mut trainer = Trainer::new(gpu, &mlp, &training, &data).unwrap();
    trainer.train(30).unwrap();
    let snapshot = trainer.snapshot().unwrap();
    let ema = trainer.ema_parameter_buffer().unwrap().clone();
    let of_average = trainer.evaluation_from(ema.slice(..), &held_out).unwrap();
    let of_snapshot =
        trainer.evaluation_from(snapshot.parameter_buffer().slice(..), &held_out).unwrap();
    let at_30 = trainer.evaluate(&held_out).unwrap();
    trainer.train(30).unwrap();
    run(gpu, |encoder| {
        of_average.record(encoder);
        of_snapshot.record(encoder);
    });
    assert_eq!(of_snapshot.metrics().unwrap().losses, at_30.losses);
    let average = trainer.ema_parameters().unwrap();
    let exact = expected(&mlp, &training, &average, &held_out);
    let error = common::deviation(&of_average.metrics().unwrap().losses, &exact.losses);
    assert!(error <= 1e-5, "{error:e}");
    assert_ne!(of_average.metrics().unwrap().losses, trainer.evaluate(&held_out).unwrap().losses);
    let short = gpu.buffer("short", 16).unwrap();
    let error = trainer.evaluation_from(short.slice(..), &held_out).unwrap_err();
    assert!(error.to_string().starts_with("the bytes of the parameters is 16"), "{error}");
}

/// Wrong data are refused by name, and the evaluation that was kept goes on.
#[test]
fn other_data_than_the_networks_are_refused() {
    let data = Dataset::Moons.sample(20, 1).unwrap();
    let mlp = Mlp::new(2).layer(4, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.1)).models(2);
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let before = gpu.evaluate(&data).unwrap();
    for (bad, words) in [
        (Data::new(3, 1, vec![0.0; 3], vec![1.0]), "the data's inputs a row is 3"),
        (Data::new(2, 2, vec![0.0; 2], vec![1.0; 2]), "the data's targets a row is 2"),
        (Data::new(2, 1, vec![0.0; 4], vec![1.0, -1.0]), "the target in row 1, column 0 is -1"),
        (Data::for_each_model(3, 2, 1, vec![0.0; 6], vec![1.0; 3]), "the data's number of sets"),
    ] {
        let bad = bad.unwrap();
        for error in [
            gpu.evaluate(&bad).unwrap_err(),
            gpu.evaluation(&bad).map(drop).unwrap_err(),
            cpu.evaluate(&bad).unwrap_err(),
            pollster::block_on(TrainAsync::evaluate_async(&mut cpu, &bad)).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(words), "{error}");
        }
    }
    assert_eq!(gpu.evaluate(&data).unwrap(), before);
}

/// A model that has diverged keeps finite parameters, which are what is evaluated.
#[test]
fn a_diverged_model_is_evaluated_at_its_last_finite_parameters() {
    let gpu = common::gpu();
    let data = Data::new(1, 1, vec![1e18, 1.0], vec![1e18, -1.0]).unwrap();
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(1e30)).init(Init::Auto);
    let mut trainer = Trainer::new(gpu, &mlp, &training, &data).unwrap();
    assert!(matches!(trainer.train(5), Err(Error::Diverged { .. })));
    let small = Data::new(1, 1, vec![0.5; 3], vec![0.25; 3]).unwrap();
    let found: Evaluation = trainer.evaluation(&small).unwrap();
    run(gpu, |encoder| found.record(encoder));
    let found = found.metrics().unwrap();
    compare(&found, &mut trainer, &small).unwrap();
    assert_eq!(found.accuracies, None);
}

/// The units of every layer, of all models: by the CPU and the GPU from the first layers' parameters,
/// and by hand.
#[test]
fn units_of_inner_layers_are_outputs_of_the_first_layers() {
    let gpu = common::gpu();
    let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer_without_bias(5, Activation::Relu);
    let mlp = mlp.layer(2, Activation::Sigmoid);
    for encoded in [false, true] {
        let grid = wgrad::encoding::Grid { levels: 2, ..Default::default() };
        let mlp = if encoded {
            Mlp { encoding: Mlp::new(2).encode(2, grid).encoding, ..mlp.clone() }
        } else {
            mlp.clone()
        };
        let parameters = Init::StandardNormal.sample(&mlp, 3, 1).unwrap();
        let x = [0.1, 0.9, 0.3, 0.4, 0.7, 0.2, 0.5, 0.5];
        let mut below = None;
        for layers in 1..=3 {
            let part = parameters.up_to(layers).unwrap();
            assert_eq!(part.mlp(), &mlp.up_to(layers).unwrap());
            let units = mlp.layers[layers - 1].units;
            let cpu = part.cast::<f64>().unwrap().predict(&x.map(f64::from)).unwrap();
            assert_eq!(cpu.len(), 3 * 4 * units);
            let on_gpu = wgrad::Model::new(gpu, &part).unwrap().predict(&x).unwrap();
            for found in [on_gpu, part.predict(&x).unwrap()] {
                let error = common::deviation(&found, &cpu);
                assert!(error <= 1e-5, "{layers} layers: {error:e}");
            }
            // What these layers give is what the next layer, alone, takes.
            if let Some(below) = below.replace(cpu.clone()) {
                let layer = mlp.layers[layers - 1];
                let range = &mlp.ranges()[layers - 1];
                for model in 0..3 {
                    let all = parameters.model(model).unwrap().cast::<f64>().unwrap();
                    let alone = Mlp { layers: vec![layer], ..Mlp::new(range.shape[1]) };
                    let values = all.values()[range.weight.start..range.bias.end].to_vec();
                    let alone = Parameters::new(alone, 1, values).unwrap();
                    let width = below.len() / 3;
                    let found = alone.predict(&below[model * width..(model + 1) * width]).unwrap();
                    let expected = &cpu[model * 4 * units..(model + 1) * 4 * units];
                    let error = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
                    let error = error.fold(0.0, f64::max);
                    assert!(error <= 1e-12, "layer {layers}: {error:e}");
                }
            }
        }
        for layers in [0, 4, usize::MAX] {
            let error = parameters.up_to(layers).unwrap_err().to_string();
            assert!(error.contains("the number of first layers"), "{error}");
        }
        parameters.predict(&[0.5; 3]).unwrap_err();
        parameters.predict(&[f32::NAN; 2]).unwrap_err();
        assert!(parameters.predict(&[]).unwrap().is_empty());
    }
}

//! What a user can do wrong, and what can go wrong under way: an error or a result, never a panic,
//! a hang or a wrong number.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use approx::assert_abs_diff_eq;
use std::time::Duration;
use wgrad::encoding::{Grid, OneBlob};
use wgrad::kernels::Matmul;
use wgrad::{
    Activation, Batch, CpuTrainer, Data, Dataset, Error, FrameBudget, Gpu, Init, Loss, Mlp, Model,
    Optimizer, Output, Parameters, Strategy, Train, TrainBase, Trainer, Training, self_check,
};

for_every_strategy! {
    refused_parameters_leave_the_trainer_as_it_was
    the_rate_can_change_between_steps
    divergence_is_named_and_kept_apart
    a_lone_model_that_diverges_is_an_error
    logits_of_ten_thousand_stay_finite
    logits_of_any_magnitude_stay_finite
    gradients_mark_no_model
    a_lost_device_is_an_error
    long_batches_are_summed_to_the_end
}

fn article() -> (Mlp, Training, Data) {
    (
        Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid),
        Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)),
        Dataset::Circles.sample(100, 1).unwrap(),
    )
}

fn message<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("no error"),
        Err(error) => error.to_string(),
    }
}

/// Both trainers refuse the same, in the same words.
#[test]
fn bad_descriptions_are_refused() {
    let gpu = common::gpu();
    let (mlp, training, data) = article();
    let cases: [(Mlp, Training, Data, &str); 10] = [
        (Mlp::new(2), training.clone(), data.clone(), "the number of layers is 0"),
        (
            mlp.clone().layer(0, Activation::Sigmoid),
            training.clone(),
            data.clone(),
            "layer 2's units is 0",
        ),
        (
            Mlp::new(0).layer(1, Activation::Sigmoid),
            training.clone(),
            data.clone(),
            "the number of inputs is 0",
        ),
        (
            Mlp::new(3).layer(1, Activation::Sigmoid),
            training.clone(),
            data.clone(),
            "the data's inputs a row is 2",
        ),
        (
            Mlp::new(2).layer(2, Activation::Sigmoid),
            training.clone(),
            data.clone(),
            "the data's targets a row is 1",
        ),
        (mlp.clone(), training.clone().models(0), data.clone(), "the number of models is 0"),
        (
            mlp.clone(),
            training.clone().batch(Batch::Shuffled { size: 101, seed: 0 }),
            data.clone(),
            "the rows of a mini-batch is 101",
        ),
        (
            mlp.clone(),
            training.clone().batch(Batch::Sequential { size: 0 }),
            data.clone(),
            "the rows of a mini-batch is 0",
        ),
        (
            mlp.clone(),
            Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(f64::NAN)),
            data.clone(),
            "sgd rate is NaN",
        ),
        (
            Mlp::new(2).layer(1, Activation::Tanh),
            training.clone(),
            data.clone(),
            "the loss binary_cross_entropy does not follow",
        ),
    ];
    for (mlp, training, data, words) in cases {
        let found = message(Trainer::new(gpu, &mlp, &training, &data));
        assert!(found.starts_with(words), "{found}");
        assert_eq!(message(CpuTrainer::<f32>::new(&mlp, &training, &data)), found);
    }
    let two = Data::for_each_model(2, 2, 1, vec![0.0; 8], vec![0.0; 4]).unwrap();
    let found = message(Trainer::new(gpu, &mlp, &training.clone().models(3), &two));
    assert!(found.contains("the data's number of sets is 2"), "{found}");
    assert!(message(Trainer::new(gpu, &mlp, &training.history(0), &data)).contains("history"));
}

/// Targets that a loss is not made for, and inputs out of an encoding's box: both trainers refuse
/// them, and name the first.
#[test]
fn data_that_a_training_does_not_know_are_refused() {
    let gpu = common::gpu();
    let grid = Grid { levels: 2, ..Grid::default().in_box([-1.0; 3], [1.0; 3]) };
    let plain = Mlp::new(2).layer(2, Activation::Sigmoid);
    let logits = Mlp::new(2).layer(2, Activation::Identity);
    let boxed = Mlp::new(2).encode(2, grid).layer(2, Activation::Identity);
    let blob = Mlp::new(2).encode(2, OneBlob::default()).layer(2, Activation::Identity);
    let inside = [0.0, 0.5, -1.0, 1.0];
    let halves = [0.5; 4];
    use Loss::{BinaryCrossEntropy, MeanSquaredError, SoftmaxCrossEntropy};
    for (mlp, loss, x, t, words) in [
        (&plain, BinaryCrossEntropy, inside, halves, ""),
        (&plain, BinaryCrossEntropy, inside, [0.0, 1.0, 1.0, 0.0], ""),
        (
            &plain,
            BinaryCrossEntropy,
            inside,
            [1.0, -1.0, 1.0, 1.0],
            "the target in row 0, column 1 is -1; allowed: 0 to 1",
        ),
        (
            &plain,
            BinaryCrossEntropy,
            inside,
            [0.0, 1.0, 1.0, 2.0],
            "the target in row 1, column 1 is 2",
        ),
        (&plain, MeanSquaredError, inside, [7.0, -1e30, 0.0, 2.0], ""),
        (&logits, SoftmaxCrossEntropy, inside, halves, ""),
        (&logits, SoftmaxCrossEntropy, inside, [0.333, 0.666, 1.0, 0.0], ""),
        (
            &logits,
            SoftmaxCrossEntropy,
            inside,
            [0.5, 0.5, 1.0, 1.0],
            "the sum of the target in row 1 is 2; allowed: 1",
        ),
        (
            &logits,
            SoftmaxCrossEntropy,
            inside,
            [0.5, 0.5, 0.0, 0.0],
            "the sum of the target in row 1 is 0",
        ),
        (
            &logits,
            SoftmaxCrossEntropy,
            inside,
            [1.5, -0.5, 1.0, 0.0],
            "the target in row 0, column 0 is 1.5",
        ),
        (&boxed, MeanSquaredError, inside, halves, ""),
        (&boxed, MeanSquaredError, [0.0, 1.0, 1.0, 1.0 + 1e-7], halves, ""),
        (
            &boxed,
            MeanSquaredError,
            [0.0, 1.0, 1.0, 1.1],
            halves,
            "the input in row 1, column 1 is 1.1",
        ),
        (
            &blob,
            MeanSquaredError,
            [0.0, 1.0, -0.1, 1.0],
            halves,
            "the input in row 1, column 0 is -0.1",
        ),
    ] {
        let data = Data::new(2, 2, x.to_vec(), t.to_vec()).unwrap();
        let training = Training::new(loss, Optimizer::sgd(0.1));
        let of_gpu = Trainer::new(gpu, mlp, &training, &data).map(drop);
        let of_cpu = CpuTrainer::<f32>::new(mlp, &training, &data).map(drop);
        assert_eq!(of_gpu, of_cpu, "{mlp}");
        let message = of_gpu.err().map_or_else(String::new, |error| error.to_string());
        assert!(message.starts_with(words) && message.is_empty() == words.is_empty(), "{message}");
    }
}

/// Plain numbers are f32.
#[test]
fn data_are_f32_unless_said_otherwise() {
    let data = Data::new(2, 1, vec![0.0; 8], vec![0.0; 4]).unwrap();
    assert_eq!(size_of_val(data.x()), 4 * 8);
    assert_eq!(size_of_val(Data::new_f64(2, 1, vec![0.0; 8], vec![0.0; 4]).unwrap().x()), 8 * 8);
}

fn refused_parameters_leave_the_trainer_as_it_was(strategy: Strategy) {
    let (mlp, training, data) = article();
    let training = training.strategy(strategy);
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    for trainer in [&mut gpu as &mut dyn Train<Scalar = f32>, &mut cpu] {
        trainer.train(3).unwrap();
        let (before, losses) = (trainer.parameters().unwrap(), trainer.losses().unwrap());
        let other = Mlp::new(2).layer(4, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        let wrong = Init::Auto.sample(&other, 1, 0).unwrap();
        assert!(
            message(trainer.set_parameters(&wrong)).starts_with("the parameters' network is 2-4-1")
        );
        let many = Init::Auto.sample(&mlp, 2, 0).unwrap();
        assert!(
            message(trainer.set_parameters(&many))
                .starts_with("the parameters' number of models is 2")
        );
        assert!(trainer.set_optimizer(Optimizer::adam(0.1)).is_err());
        assert!(trainer.set_optimizer(Optimizer::sgd(-1.0)).is_err());
        assert!(message(trainer.predict(&[1.0, f32::NAN])).starts_with("x holds NaN at element 1"));
        assert!(message(trainer.predict(&[1.0])).starts_with("x has 1 elements"));
        assert_eq!(trainer.predict(&[]).unwrap(), Vec::<f32>::new());
        assert_eq!(trainer.parameters().unwrap(), before);
        assert_eq!(trainer.losses().unwrap(), losses);
        trainer.train(1).unwrap();
    }
}

/// The rate is read by the next step, with no new pipeline.
fn the_rate_can_change_between_steps(strategy: Strategy) {
    let (mlp, training, data) = article();
    let training = training.strategy(strategy);
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
    fn change(trainer: &mut impl Train) {
        trainer.train(5).unwrap();
        trainer.set_optimizer(Optimizer::sgd(0.0)).unwrap();
        let before = trainer.parameters().unwrap();
        trainer.train(5).unwrap();
        assert_eq!(trainer.parameters().unwrap(), before);
        trainer.set_optimizer(Optimizer::sgd(0.5)).unwrap();
        trainer.train(5).unwrap();
    }
    change(&mut gpu);
    change(&mut cpu);
    let expected = cpu.parameters().unwrap();
    let error = common::deviation(gpu.parameters().unwrap().values(), expected.values());
    assert!(error <= 1e-5, "{error:e}");
}

/// One model of three diverges: the step is named, its parameters stay finite, the others train on.
fn divergence_is_named_and_kept_apart(strategy: Strategy) {
    let mlp = Mlp::new(1).layer(4, Activation::Identity).layer(1, Activation::Identity);
    let mut x = vec![0.5_f32; 3 * 8];
    // The second model's data make its squared error explode.
    x[8..16].fill(1e6);
    let data = Data::for_each_model(3, 1, 1, x, vec![1.0; 24]).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.05))
        .models(3)
        .init(Init::HeNormal)
        .seed(3)
        .strategy(strategy);
    let mut alone = Vec::new();
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    for trainer in [&mut gpu as &mut dyn Train<Scalar = f32>, &mut cpu] {
        trainer.train(50).unwrap();
        let diverged = trainer.diverged().unwrap();
        assert!(diverged[0].is_none() && diverged[2].is_none(), "{diverged:?}");
        let step = diverged[1].expect("the second model diverges");
        assert!(step < 10, "{step}");
        assert!(trainer.parameters().unwrap().values().iter().all(|v| v.is_finite()));
        let losses = trainer.losses().unwrap();
        assert!(losses.of_model(0).all(f32::is_finite) && losses.of_model(2).all(f32::is_finite));
        alone.push((step, losses.last()[0]));
    }
    assert_eq!(alone[0].0, alone[1].0, "both name the same step");
}

fn a_lone_model_that_diverges_is_an_error(strategy: Strategy) {
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1e10, -1e10], vec![1.0, 2.0]).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(1e3)).strategy(strategy);
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let mut found = Vec::new();
    for trainer in [&mut gpu as &mut dyn Train<Scalar = f32>, &mut cpu] {
        match trainer.train(20) {
            Err(Error::Diverged { model: 0, step }) => found.push(step),
            other => panic!("{other:?}"),
        }
        let parameters = trainer.parameters().unwrap();
        assert!(parameters.values().iter().all(|v| v.is_finite()));
        // New parameters make it train again.
        trainer.set_parameters(&Parameters::new(mlp.clone(), 1, vec![0.0, 0.0]).unwrap()).unwrap();
        assert_eq!(trainer.diverged().unwrap(), [None]);
    }
    assert_eq!(found[0], found[1]);
}

/// Saturated logits: finite losses, gradients and outputs on both sides.
fn logits_of_ten_thousand_stay_finite(strategy: Strategy) {
    for (loss, last) in [
        (Loss::BinaryCrossEntropy, Activation::Sigmoid),
        (Loss::SoftmaxCrossEntropy, Activation::Identity),
    ] {
        let mlp = Mlp::new(1).layer(2, last);
        let parameters = Parameters::new(mlp.clone(), 1, vec![1e4, -1e4, 0.0, 0.0]).unwrap();
        let data = Data::new(1, 2, vec![1.0, -1.0], vec![0.0, 1.0, 0.0, 1.0]).unwrap();
        let training = Training::new(loss, Optimizer::sgd(0.1)).strategy(strategy);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
        gpu.set_parameters(&parameters).unwrap();
        cpu.set_parameters(&parameters.cast().unwrap()).unwrap();
        let (found, expected) = (gpu.gradients().unwrap(), cpu.gradients().unwrap());
        assert!(common::deviation(&found.losses, &expected.losses) <= 1e-6, "{found:?}");
        assert!(common::deviation(&found.values, &expected.values) <= 1e-6, "{found:?}");
        let y = gpu.predict(&[1.0, -1.0]).unwrap();
        assert!(y.iter().all(|v| v.is_finite()), "{y:?}");
        gpu.train(5).unwrap();
    }
}

/// Logits up to the largest number, on few rows and on many: the mean of their losses is finite, and
/// so is the gradient, although the losses' sum is not.
fn logits_of_any_magnitude_stay_finite(strategy: Strategy) {
    for (loss, last) in [
        (Loss::BinaryCrossEntropy, Activation::Sigmoid),
        (Loss::SoftmaxCrossEntropy, Activation::Identity),
    ] {
        for (big, rows) in [(2e38_f32, 2), (2e38, 3), (2e38, 3000), (f32::MAX, 7), (f32::MAX, 3000)]
        {
            let mlp = Mlp::new(1).layer(2, last);
            let parameters = Parameters::new(mlp.clone(), 1, vec![big, -big, 0.0, 0.0]).unwrap();
            let x = (0..rows).map(|row| if row % 2 == 0 { 1.0 } else { -1.0 }).collect();
            // All rows are wrong.
            let t = (0..rows).flat_map(|r| if r % 2 == 0 { [0.0, 1.0] } else { [1.0, 0.0] });
            let data = Data::new(1, 2, x, t.collect()).unwrap();
            let training = Training::new(loss, Optimizer::sgd(0.1)).strategy(strategy);
            let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
            let mut exact = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
            exact.set_parameters(&parameters.cast().unwrap()).unwrap();
            let exact = exact.gradients().unwrap();
            for trainer in [&mut gpu as &mut dyn Train<Scalar = f32>, &mut cpu] {
                let case = format!("{} at {big:e}, {rows} rows, {}", loss.name(), trainer.device());
                trainer.set_parameters(&parameters).unwrap();
                let found = trainer.gradients().unwrap();
                assert!(found.losses[0].is_finite() && found.losses[0] > 1e38, "{case}: {found:?}");
                let error = common::deviation(&found.values, &exact.values);
                assert!(error <= 1e-4, "{case}: {found:?}");
                if exact.losses[0] < 3e38 {
                    let error = common::deviation(&found.losses, &exact.losses);
                    assert!(error <= 1e-4, "{case}: {found:?}");
                }
                assert_eq!(trainer.diverged().unwrap(), [None], "{case}");
                trainer.train(2).unwrap_or_else(|error| panic!("{case}: {error}"));
                let losses = trainer.losses().unwrap();
                assert!(losses.values.iter().all(|loss| loss.is_finite()), "{case}: {losses:?}");
            }
        }
    }
}

/// Whoever looks at a gradient that is not finite does not end the training of its model.
fn gradients_mark_no_model(strategy: Strategy) {
    let mlp = Mlp::new(1).layer(2, Activation::Identity).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1e30, 1.0], vec![0.0, 0.0]).unwrap();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).strategy(strategy);
    let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let gradients = trainer.gradients().unwrap();
    assert!(!gradients.losses[0].is_finite(), "{gradients:?}");
    trainer.input_gradient().unwrap();
    trainer.health().unwrap();
    assert_eq!(trainer.diverged().unwrap(), [None]);
    assert_eq!(trainer.train(1), Err(Error::Diverged { model: 0, step: 0 }));
    assert_eq!(trainer.diverged().unwrap(), [Some(0)]);
}

/// Every call on a device that is destroyed, with wgpu's own handler of uncaptured errors, which
/// panics.
fn a_lost_device_is_an_error(strategy: Strategy) {
    // What a call finds depends on what the ones before it left: each is the first once, under one of
    // the strategies.
    for first in (strategy as usize % 3..LOST_CALLS).step_by(3) {
        // An application's device: nobody has told the crate of the loss.
        let own = Gpu::new().unwrap();
        let gpu = Gpu::from_wgpu(own.device(), own.queue()).unwrap();
        let (mlp, training, data) = article();
        let training = training.strategy(strategy).ema(0.9);
        let training = if strategy == Strategy::Resident {
            Training { ema: None, ..training }
        } else {
            training
        };
        let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
        let parameters = trainer.parameters().unwrap();
        let mut model = Model::new(&gpu, &parameters).unwrap();
        let evaluation = trainer.evaluation(&data).unwrap();
        let mut budget = FrameBudget::new(&gpu, Duration::from_millis(1)).unwrap();
        let buffer = gpu.buffer("rows", 64).unwrap();
        let product = Matmul::new(2, 2, 2).dispatches(gpu.capabilities()).unwrap();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        budget.record(&mut trainer, &mut encoder).unwrap();
        gpu.queue().submit([encoder.finish()]);
        trainer.train(10).unwrap();
        if first % 2 == 0 {
            // Something is under way when the device goes.
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            trainer.record(&mut encoder, 100);
            gpu.queue().submit([encoder.finish()]);
        }
        gpu.device().destroy();
        for call in first..first + LOST_CALLS {
            let y = || Output::Buffer(buffer.slice(..));
            let lost = match call % LOST_CALLS {
                0 => trainer.train(10),
                1 => trainer.losses().map(drop),
                2 => trainer.parameters().map(drop),
                3 => trainer.gradients().map(drop),
                4 => trainer.input_gradient().map(drop),
                5 => trainer.predict(&[0.0, 0.0]).map(drop),
                6 => model.predict(&[0.0, 0.0]).map(drop),
                7 => trainer.health().map(drop),
                8 => trainer.set_parameters(&parameters),
                9 => trainer.set_optimizer(training.optimizer),
                10 => trainer.restart(&parameters),
                11 => trainer.snapshot().map(drop),
                12 => Trainer::new(&gpu, &mlp, &training, &data).map(drop),
                13 => Model::new(&gpu, &parameters).map(drop),
                14 => FrameBudget::new(&gpu, Duration::ZERO).map(drop),
                15 => trainer.warm_up().map(drop),
                16 => trainer.diverged().map(drop),
                17 => trainer.inference(2, buffer.slice(..), y()).map(drop),
                18 => gpu.buffer("one", 16).map(drop),
                19 => gpu.check(),
                20 => trainer.profile().map(drop),
                21 if training.ema.is_none() => continue,
                21 => trainer.ema_parameters().map(drop),
                22 => product[0].run(&gpu, &mut vec![vec![0; 16]; 4]),
                23 => model.inference(2, buffer.slice(..), y()).map(drop),
                24 => trainer.evaluate(&data).map(drop),
                25 => trainer.evaluation(&data).map(drop),
                26 => evaluation.metrics().map(drop),
                _ => {
                    assert!(!self_check(&gpu).passed());
                    continue;
                }
            };
            assert_eq!(lost, Err(Error::DeviceLost), "{strategy:?}: call {call} from {first}");
        }
        // Recording does not panic; the application learns of the loss from wgpu.
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        trainer.record(&mut encoder, 3);
        let _ = budget.record(&mut trainer, &mut encoder);
        evaluation.record(&mut encoder);
        drop(encoder.finish());
    }
}

const LOST_CALLS: usize = 28;

/// A device that goes while another thread trains, at any moment.
#[test]
fn a_device_lost_under_way_is_an_error() {
    let (mlp, training, data) = article();
    for after in 0..40 {
        let own = Gpu::new().unwrap();
        let gpu = Gpu::from_wgpu(own.device(), own.queue()).unwrap();
        let training = training.clone().strategy(Strategy::ALL[after % 3]);
        let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
        let device = gpu.device().clone();
        let destroyer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_micros(300 * after as u64));
            device.destroy();
        });
        let fault = loop {
            let step = trainer.train(2).and_then(|()| trainer.predict(&[0.5, 0.5]));
            if let Err(fault) = step.and_then(|_| trainer.losses()) {
                break fault;
            }
        };
        assert_eq!(fault, Error::DeviceLost, "after {after}");
        destroyer.join().unwrap();
    }
}

/// The application's callback in another thread's poll may take long: that is no loss.
#[test]
fn a_slow_callback_is_no_lost_device() {
    let gpu = Gpu::new().unwrap();
    let (mlp, training, data) = article();
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let (started, waits) = std::sync::mpsc::channel();
    let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    staging.map_async(wgpu::MapMode::Read, .., move |_| {
        started.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
    });
    let device = gpu.device().clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let polls = stop.clone();
    let poller = std::thread::spawn(move || {
        while !polls.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = device.poll(wgpu::PollType::Poll);
            std::thread::yield_now();
        }
    });
    waits.recv().unwrap();
    for _ in 0..50 {
        trainer.train(3).unwrap();
        trainer.losses().unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    poller.join().unwrap();
}

/// More rows than a slice of a prediction takes, for a population.
#[test]
fn predictions_in_slices_are_whole() {
    let mlp = Mlp::new(2).layer(3, Activation::Softplus).layer(2, Activation::Identity);
    let parameters = Init::Auto.sample(&mlp, 3, 1).unwrap();
    let rows = 2 * 16_384 + 17;
    let x: Vec<f32> = common::numbers_f32(2 * rows, 1);
    let mut model = Model::new(common::gpu(), &parameters).unwrap();
    let found = model.predict(&x).unwrap();
    assert_eq!(found.len(), 3 * rows * 2);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1)).models(3);
    let data = Data::new_f64(2, 2, vec![0.0; 2], vec![0.0; 2]).unwrap();
    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data).unwrap();
    cpu.set_parameters(&parameters.cast().unwrap()).unwrap();
    let wide: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let error = common::deviation(&found, &cpu.predict(&wide).unwrap());
    assert!(error <= 1e-6, "{error:e}");
    // Another number of rows through the same model.
    let few = model.predict(&x[..6]).unwrap();
    for m in 0..3 {
        assert_eq!(few[m * 6..(m + 1) * 6], found[m * rows * 2..m * rows * 2 + 6]);
    }
}

/// A batch longer than the iterations that llvmpipe grants a loop, and more workgroups than a
/// dimension of a grid has.
fn long_batches_are_summed_to_the_end(strategy: Strategy) {
    let rows = 70_000;
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1.0_f32; rows], vec![0.0; rows]).unwrap();
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1)).strategy(strategy);
    let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    trainer.set_parameters(&Parameters::new(mlp, 1, vec![1.0, 1.0]).unwrap()).unwrap();
    let gradients = trainer.gradients().unwrap();
    assert_abs_diff_eq!(gradients.losses[0], 2.0, epsilon = 1e-5);
    assert_abs_diff_eq!(gradients.values[..], [2.0; 2][..], epsilon = 1e-5);
}

/// More parts of a batch than one invocation could add up.
#[test]
fn batches_of_millions_are_summed_to_the_end() {
    let rows = 9_000_000;
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1.0_f32; rows], vec![0.0; rows]).unwrap();
    let training =
        Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1)).strategy(Strategy::Layered);
    let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    trainer.set_parameters(&Parameters::new(mlp, 1, vec![1.0, 1.0]).unwrap()).unwrap();
    let gradients = trainer.gradients().unwrap();
    assert_abs_diff_eq!(gradients.losses[0], 2.0, epsilon = 1e-4);
    assert_abs_diff_eq!(gradients.values[..], [2.0; 2][..], epsilon = 1e-4);
}

#[test]
fn a_wide_input_layer_is_summed_to_the_end() {
    let inputs = 70_000;
    let mlp = Mlp::new(inputs).layer(3, Activation::Sigmoid).layer(1, Activation::Identity);
    let x = common::numbers_f32(2 * inputs, 1);
    let data = Data::new(inputs, 1, x, vec![0.5, -0.5]).unwrap();
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1));
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast().unwrap()).unwrap();
    let (exact, inputs) = (cpu.gradients().unwrap(), cpu.input_gradient().unwrap());
    let found = gpu.gradients().unwrap();
    for (what, error) in [
        ("loss", common::deviation(&found.losses, &exact.losses)),
        ("gradient", common::deviation(&found.values, &exact.values)),
        ("input gradient", common::deviation(&gpu.input_gradient().unwrap(), &inputs)),
    ] {
        assert!(error <= 1e-5, "{what}: {error:e}");
    }
}

/// The health of a network of more outputs than inputs was a panic on the CPU.
#[test]
fn networks_of_more_outputs_than_inputs_have_a_health() {
    let mlp = Mlp::new(1).layer(2, Activation::Tanh).layer(5, Activation::Identity);
    let t = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0].to_vec();
    let data = Data::new(1, 5, vec![0.5, -0.5], t).unwrap();
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
    let health = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap().health().unwrap();
    assert_eq!(health.layers.len(), 2);
    assert!(health.layers.iter().all(|layer| layer.gradient_norm > 0.0));
}

//! Equal bits every time, and nothing allocated while steps are recorded.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use wgrad::kernels::step::Status;
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Batch, CpuTrainer, Dataset, Init, Loss, Mlp, Optimizer, Schedule, Strategy, Train,
    Trainer, Training,
};

for_every_strategy! {
    twenty_runs_give_the_same_bits
    recorded_steps_are_the_same_steps
    reading_does_not_disturb_the_training
    cpu_and_gpu_draw_the_same_batches
    the_loss_history_is_a_ring
    recorded_steps_do_not_allocate
    the_step_counter_outlives_32_bits
}

fn mlp() -> Mlp {
    Mlp::new(2).layer(17, Activation::Gelu).layer(5, Activation::Tanh).layer(1, Activation::Sigmoid)
}

fn training(strategy: Strategy) -> Training {
    Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01))
        .models(3)
        .batch(Batch::Shuffled { size: 48, seed: 2 })
        .strategy(strategy)
}

fn twenty_runs_give_the_same_bits(strategy: Strategy) {
    let data = Dataset::Moons.sample(200, 1).unwrap();
    let run = || {
        let mut trainer = Trainer::new(common::gpu(), &mlp(), &training(strategy), &data).unwrap();
        trainer.train(60).unwrap();
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        (bits(&trainer.losses().unwrap().values), bits(trainer.parameters().unwrap().values()))
    };
    let first = run();
    for again in 1..20 {
        assert!(run() == first, "run {again} differs");
    }
}

/// However the steps are cut into submissions, and whoever submits them.
fn recorded_steps_are_the_same_steps(strategy: Strategy) {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(200, 1).unwrap();
    let mut whole = Trainer::new(gpu, &mlp(), &training(strategy), &data).unwrap();
    whole.train(50).unwrap();
    let mut parts = Trainer::new(gpu, &mlp(), &training(strategy), &data).unwrap();
    for steps in [1, 20, 0, 29] {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        parts.record(&mut encoder, steps);
        gpu.queue().submit([encoder.finish()]);
    }
    assert_eq!(parts.losses().unwrap(), whole.losses().unwrap());
    assert_eq!(parts.parameters().unwrap(), whole.parameters().unwrap());
}

/// Looking must not change what comes after.
fn reading_does_not_disturb_the_training(strategy: Strategy) {
    let data = Dataset::Moons.sample(200, 1).unwrap();
    let make = || Trainer::new(common::gpu(), &mlp(), &training(strategy), &data).unwrap();
    let (mut watched, mut alone) = (make(), make());
    for _ in 0..5 {
        watched.gradients().unwrap();
        watched.input_gradient().unwrap();
        watched.health().unwrap();
        watched.predict(&data.x()[..20]).unwrap();
        watched.losses().unwrap();
        watched.train(10).unwrap();
    }
    alone.train(50).unwrap();
    assert_eq!(watched.losses().unwrap(), alone.losses().unwrap());
    assert_eq!(watched.parameters().unwrap(), alone.parameters().unwrap());
}

fn cpu_and_gpu_draw_the_same_batches(strategy: Strategy) {
    // 200 rows in batches of 48 straddle epochs in every way.
    let data = Dataset::Spiral.sample(200, 1).unwrap();
    let mut gpu = Trainer::new(common::gpu(), &mlp(), &training(strategy), &data).unwrap();
    let mut cpu =
        CpuTrainer::<f64>::new(&mlp(), &training(strategy), &data.cast().unwrap()).unwrap();
    gpu.train(40).unwrap();
    cpu.train(40).unwrap();
    let error = common::deviation(&gpu.losses().unwrap().values, &cpu.losses().unwrap().values);
    assert!(error <= 1e-4, "{error:e}");
}

/// A history shorter than the training: `train` reads it in time, recorded steps overwrite it.
fn the_loss_history_is_a_ring(strategy: Strategy) {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(40, 1).unwrap();
    let long = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.1))
        .init(Init::HeNormal)
        .seed(7)
        .strategy(strategy);
    let short = long.clone().history(7);
    let mut reference = Trainer::new(gpu, &mlp(), &long, &data).unwrap();
    reference.train(40).unwrap();
    let all = reference.losses().unwrap();
    assert_eq!(all.values.len(), 40);
    let mut trainer = Trainer::new(gpu, &mlp(), &short, &data).unwrap();
    trainer.train(40).unwrap();
    assert_eq!(trainer.losses().unwrap(), all);
    let mut recorded = Trainer::new(gpu, &mlp(), &short, &data).unwrap();
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    recorded.record(&mut encoder, 40);
    gpu.queue().submit([encoder.finish()]);
    let last = recorded.losses().unwrap();
    assert_eq!((last.first_step, &last.values[..]), (33, &all.values[33..]));
}

/// wgpu's own counters of buffers, bind groups and memory.
fn recorded_steps_do_not_allocate(strategy: Strategy) {
    // A device of its own: the counters are the device's.
    let gpu = wgrad::Gpu::new().unwrap();
    let data = Dataset::Circles.sample(20, 1).unwrap();
    let small = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0)).strategy(strategy);
    let mut trainer = Trainer::new(&gpu, &small, &training, &data).unwrap();
    let mut counts = |steps: u32| {
        let mut left = steps;
        while left > 0 {
            let now = left.min(500);
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            trainer.record(&mut encoder, now);
            gpu.queue().submit([encoder.finish()]);
            gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
            left -= now;
        }
        common::allocated(&gpu)
    };
    let after_ten = counts(10);
    assert_eq!(counts(9_990), after_ten);
    if strategy == Strategy::Resident {
        assert_eq!(counts(90_000), after_ten);
    }
}

/// Steps that cross 2³² are the steps elsewhere so late in a training; losses and a divergence are
/// named by their step.
fn the_step_counter_outlives_32_bits(strategy: Strategy) {
    let gpu = common::gpu();
    let data = Dataset::Moons.sample(60, 1).unwrap();
    let schedule = Schedule::Exponential { base: 0.5, start: 10, interval: 10, end: 30 };
    let training = training(strategy).schedule(schedule).history(7);
    // After many steps neither Adam's bias correction nor the schedule changes any more.
    let run = |start: u64| {
        let mut trainer = Trainer::new(gpu, &mlp(), &training, &data).unwrap();
        let counters = Status {
            step: start as u32,
            updates: start as u32,
            step_high: (start >> 32) as u32,
            updates_high: (start >> 32) as u32,
            slot: 3,
            run: 1,
            ..Status::default()
        };
        let buffer = trainer.buffer(Buffer::Status).unwrap();
        gpu.queue().write_buffer(buffer, 0, bytemuck::bytes_of(&counters));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        trainer.record(&mut encoder, 12);
        gpu.queue().submit([encoder.finish()]);
        let losses = trainer.losses().unwrap();
        assert_eq!((losses.first_step, losses.values.len()), (start + 5, 7 * 3), "{strategy:?}");
        let parameters = trainer.parameters().unwrap();
        // A model with a NaN diverges in the next step.
        let mut broken = parameters.values().to_vec();
        broken[mlp().parameters() + 2] = f32::NAN;
        let source = gpu.buffer("source", 4 * broken.len() as u64).unwrap();
        gpu.queue().write_buffer(&source, 0, bytemuck::cast_slice(&broken));
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        trainer.record_parameters(&mut encoder, source.slice(..)).unwrap();
        trainer.record(&mut encoder, 20);
        gpu.queue().submit([encoder.finish()]);
        assert_eq!(trainer.diverged().unwrap(), [None, Some(start + 12), None], "{strategy:?}");
        let last = trainer.losses().unwrap();
        let of_model = |model| last.of_model(model).collect::<Vec<_>>();
        assert!(of_model(1).iter().all(|loss| loss.is_nan()));
        assert!(of_model(2).windows(2).any(|pair| pair[0] != pair[1]));
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        (losses.values, bits(parameters.values()), bits(&last.values))
    };
    let usual = run(1 << 31);
    for start in [(1 << 32) - 5, (1 << 32) - 17, (1 << 32) - 12, 3 << 40] {
        assert!(run(start) == usual, "{strategy:?} from {start}");
    }
}

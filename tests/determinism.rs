//! Equal bits every time, and nothing allocated while steps are recorded.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use wgrad::{
    Activation, Batch, CpuTrainer, Dataset, Init, Loss, Mlp, Optimizer, Strategy, Train, Trainer,
    Training,
};

for_every_strategy! {
    twenty_runs_give_the_same_bits
    recorded_steps_are_the_same_steps
    reading_does_not_disturb_the_training
    cpu_and_gpu_draw_the_same_batches
    the_loss_history_is_a_ring
    recorded_steps_do_not_allocate
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
        let hal = gpu.device().get_internal_counters().hal;
        [
            hal.buffers.read(),
            hal.bind_groups.read(),
            hal.compute_pipelines.read(),
            hal.buffer_memory.read(),
            hal.memory_allocations.read(),
        ]
    };
    let after_ten = counts(10);
    assert!(after_ten[0] > 0, "the counters count: {after_ten:?}");
    assert_eq!(counts(9_990), after_ten);
    if strategy == Strategy::Resident {
        assert_eq!(counts(90_000), after_ten);
    }
}

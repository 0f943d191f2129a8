//! Inside an application: its device, its queue, its encoder, and its handler of errors, which
//! must stay silent.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use wgrad::plan::Buffer;
use wgrad::{
    Activation, Batch, Dataset, Gpu, Init, Loss, Mlp, Model, Optimizer, Train, Trainer, Training,
    kernels::Matmul,
};

/// A device without features, with WebGPU's default limits, whose every uncaptured error fails.
fn application() -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: wgpu::Features::empty(),
        required_limits: wgpu::Limits::default(),
        ..Default::default()
    }))
    .unwrap();
    device.on_uncaptured_error(std::sync::Arc::new(|error| {
        eprintln!("uncaptured: {error}");
        std::process::abort();
    }));
    (device, queue)
}

#[test]
fn everything_works_on_the_applications_device() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let data = Dataset::Moons.draw(300, 1).unwrap();
    let mlp = Mlp::new(2).layer(16, Activation::Silu).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .batch(Batch::Mini { size: 64, seed: 1 })
        .models(4)
        .init(Init::Auto, 3);
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let before = trainer.gradients().unwrap();

    // The application's frame: its own work, some steps of training, its own work again.
    for _ in 0..30 {
        let mut encoder = device.create_command_encoder(&Default::default());
        let scratch = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 64,
            usage: wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        encoder.clear_buffer(&scratch, 0, None);
        trainer.record(&mut encoder, 10);
        encoder.clear_buffer(&scratch, 0, None);
        queue.submit([encoder.finish()]);
    }
    let losses = trainer.losses().unwrap();
    assert_eq!(losses.values.len(), 4 * 300);
    assert!(losses.last().iter().all(|loss| *loss < 0.25), "{:?}", losses.last());
    assert!(before.losses.iter().all(|loss| *loss > 0.3));

    // What a shader of the application reads: counter, parameters, losses, where the docs say.
    for name in [Buffer::Status, Buffer::Parameters, Buffer::Losses] {
        assert!(trainer.buffer(name).is_some(), "{name}");
    }
    let parameters = trainer.parameters().unwrap();
    let mut model = Model::new(&gpu, &parameters).unwrap();
    assert_eq!(model.predict(data.x()).unwrap(), trainer.predict(data.x()).unwrap());
    let right = model
        .predict(data.x())
        .unwrap()
        .chunks(300)
        .map(|y| y.iter().zip(data.t()).filter(|(y, t)| (**y > 0.5) == (**t > 0.5)).count())
        .min();
    assert!(right >= Some(280), "{right:?}");
    assert!(trainer.health().is_ok());
    let c = Matmul::new(2, 2, 1).run(&gpu, &[1.0, 2.0], &[3.0, 4.0], &[]).unwrap();
    assert_eq!(c, [3.0, 4.0, 6.0, 8.0]);
}

/// A file written after training gives the same outputs in a new model; a broken one is refused
/// and the model stays as it was.
#[test]
fn parameters_survive_a_file() {
    let gpu = common::gpu();
    let data = Dataset::Xor.draw(100, 1).unwrap();
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.05)).models(2);
    let mut trainer = Trainer::new(gpu, &mlp, &training, &data).unwrap();
    trainer.train(50).unwrap();
    let outputs = trainer.predict(data.x()).unwrap();
    let bytes = trainer.parameters().unwrap().to_safetensors().unwrap();
    let read = wgrad::Parameters::from_safetensors(&bytes, &mlp, 2).unwrap();
    trainer.train(50).unwrap();
    trainer.set_parameters(&read).unwrap();
    assert_eq!(trainer.predict(data.x()).unwrap(), outputs);
    let broken = wgrad::Parameters::<f32>::from_safetensors(&bytes[..bytes.len() - 1], &mlp, 2);
    assert!(broken.is_err());
    assert_eq!(trainer.predict(data.x()).unwrap(), outputs);
}

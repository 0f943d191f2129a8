//! Inside an application: its device, its queue, its encoder, and its handler of errors, which
//! must stay silent.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{deviation, numbers_f32};
use std::time::Duration;
use wgrad::encoding::OneBlob;
use wgrad::kernels::measure::texture::{FORMATS, Texel, Texture, channels};
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Batch, Data, DataBuffers, DataShape, Dataset, Error, FrameBudget, Gpu, Init, Loss,
    Mlp, Model, Optimizer, Output, Strategy, Train, Trainer, Training, kernels::Matmul,
};

/// A device without features, with WebGPU's default limits, whose every uncaptured error fails.
fn application() -> (wgpu::Device, wgpu::Queue) {
    application_with(wgpu::Features::empty(), wgpu::Limits::default())
}

fn application_with(
    required_features: wgpu::Features,
    required_limits: wgpu::Limits,
) -> (wgpu::Device, wgpu::Queue) {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: required_features & adapter.features(),
        required_limits,
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
    let data = Dataset::Moons.sample(300, 1).unwrap();
    let mlp = Mlp::new(2).layer(16, Activation::Silu).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .batch(Batch::Shuffled { size: 64, seed: 1 })
        .models(4)
        .init(Init::Auto)
        .seed(3);
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
    let data = Dataset::Xor.sample(100, 1).unwrap();
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

/// Less than WebGPU's defaults: a device works, or is refused with the limit's name.
#[test]
fn small_devices_work_or_are_refused() {
    let defaults = wgpu::Limits::default();
    let refused = [
        wgpu::Limits::downlevel_webgl2_defaults(),
        wgpu::Limits::downlevel_defaults(),
        wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..defaults.clone() },
        wgpu::Limits { max_compute_invocations_per_workgroup: 63, ..defaults.clone() },
        wgpu::Limits { max_uniform_buffers_per_shader_stage: 1, ..defaults.clone() },
    ];
    for limits in refused {
        let (device, queue) = application_with(wgpu::Features::empty(), limits);
        let error = Gpu::from_wgpu(&device, &queue).unwrap_err();
        assert!(matches!(error, Error::Limit { .. }), "{error}");
    }
    let least = wgpu::Limits {
        max_storage_buffers_per_shader_stage: 5,
        max_uniform_buffers_per_shader_stage: 2,
        max_compute_invocations_per_workgroup: 64,
        max_compute_workgroup_size_x: 64,
        max_compute_workgroup_storage_size: 512,
        max_storage_buffer_binding_size: 1 << 16,
        max_buffer_size: 1 << 16,
        max_compute_workgroups_per_dimension: 3,
        ..defaults
    };
    let (device, queue) = application_with(wgpu::Features::empty(), least);
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let data = Dataset::Moons.sample(100, 1).unwrap();
    let mlp = Mlp::new(2).layer(9, Activation::Gelu).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02)).history(64);
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    trainer.warm_up().unwrap();
    trainer.train(30).unwrap();
    assert!(trainer.gradients().is_ok() && trainer.input_gradient().is_ok());
    assert!(trainer.health().is_ok() && trainer.predict(data.x()).is_ok());
    let numerical = trainer.numerical_gradient(wgrad::FiniteDifference::Central);
    assert!(matches!(numerical, Ok(_) | Err(Error::Argument { .. })), "{numerical:?}");
    assert!(trainer.snapshot().is_ok());
    let wide = Mlp::new(2).layer(300, Activation::Relu).layer(100, Activation::Relu);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let data = Data::new(2, 100, vec![0.5; 20], vec![0.5; 1000]).unwrap();
    let refused = Trainer::new(&gpu, &wide, &training, &data).map(|_| ()).unwrap_err();
    assert!(matches!(refused, Error::TooLarge { .. } | Error::Argument { .. }), "{refused}");
}

fn storage(device: &wgpu::Device, bytes: u64) -> wgpu::Buffer {
    device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("the application's"),
        size: bytes,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_DST
            | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    })
}

fn read(device: &wgpu::Device, queue: &wgpu::Queue, buffer: &wgpu::Buffer) -> Vec<u8> {
    let staging = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: buffer.size(),
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let mut encoder = device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
    queue.submit([encoder.finish()]);
    staging.map_async(wgpu::MapMode::Read, .., |result| result.unwrap());
    device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    staging.get_mapped_range(..).unwrap().to_vec()
}

/// The application's shader fills its buffer, and the steps read it, in one encoder: the same bits
/// as data that were uploaded.
#[test]
fn a_shader_of_the_application_makes_the_data() {
    const ROWS: usize = 76;
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let data = Dataset::Moons.sample(ROWS, 3).unwrap();
    let [source, own] = [storage(&device, 4096), storage(&device, 4096)];
    queue.write_buffer(&source, 0, bytemuck::cast_slice(data.x()));
    queue.write_buffer(&source, 2048, bytemuck::cast_slice(data.t()));
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(
            "@group(0) @binding(0) var<storage, read> source: array<f32>;
            @group(0) @binding(1) var<storage, read_write> own: array<f32>;
            @compute @workgroup_size(64) fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
                if (id.x < 256u) { own[256u + id.x] = source[id.x]; }
                if (id.x < 76u) { own[512u + id.x] = source[512u + id.x]; }
            }"
            .into(),
        ),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: source.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: own.as_entire_binding() },
        ],
    });
    let mlp = Mlp::new(2).layer(6, Activation::Tanh).layer(1, Activation::Sigmoid);
    for strategy in Strategy::ALL {
        for batch in [Batch::Full, Batch::Shuffled { size: 20, seed: 3 }] {
            let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
                .batch(batch)
                .strategy(*strategy);
            let mut uploaded = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
            uploaded.train(25).unwrap();
            queue.write_buffer(&own, 0, &[0xff; 4096]);
            let buffers = DataBuffers::new(
                DataShape::shared(ROWS),
                own.slice(1024..),
                own.slice(2048..2048 + 4 * ROWS as u64),
            );
            let mut trainer = Trainer::with_buffers(&gpu, &mlp, &training, buffers).unwrap();
            let mut encoder = device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                pass.dispatch_workgroups(4, 1, 1);
            }
            trainer.record(&mut encoder, 25);
            queue.submit([encoder.finish()]);
            assert_eq!(trainer.losses().unwrap(), uploaded.losses().unwrap(), "{strategy:?}");
            assert_eq!(trainer.parameters().unwrap(), uploaded.parameters().unwrap());
            assert_eq!(trainer.gradients().unwrap().values, uploaded.gradients().unwrap().values);
            assert_eq!(trainer.health().unwrap(), uploaded.health().unwrap());
            let central = wgrad::FiniteDifference::Central;
            assert_eq!(
                trainer.numerical_gradient(central).unwrap(),
                uploaded.numerical_gradient(central).unwrap()
            );
        }
    }
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02));
    let uniform = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: 4096,
        usage: wgpu::BufferUsages::UNIFORM,
        mapped_at_creation: false,
    });
    for (rows, inputs, targets, word) in [
        (0, own.slice(..), own.slice(..), "rows"),
        (ROWS, own.slice(4..), own.slice(..), "offset"),
        (ROWS, own.slice(..), own.slice(128..), "offset"),
        (ROWS, own.slice(..8 * ROWS as u64 - 4), own.slice(..), "bytes"),
        (ROWS, own.slice(..), own.slice(3840..), "bytes"),
        (usize::MAX, own.slice(..), own.slice(..), "bytes"),
        (ROWS, uniform.slice(..), own.slice(..), "usage"),
    ] {
        let buffers = DataBuffers::new(DataShape::shared(rows), inputs, targets);
        let error = Trainer::with_buffers(&gpu, &mlp, &training, buffers).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
    }
    let buffers = DataBuffers::new(DataShape { sets: 2, rows: 1 }, own.slice(..), own.slice(..));
    assert!(Trainer::with_buffers(&gpu, &mlp, &training, buffers).is_err());
}

fn texture(device: &wgpu::Device, format: wgpu::TextureFormat, size: [u32; 3]) -> wgpu::Texture {
    device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: size[2] },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    })
}

/// More rows than one slice of a prediction, written at an offset, leave what lies around alone.
#[test]
fn outputs_go_where_the_application_wants_them() {
    const ROWS: usize = 18_005;
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    for (models, outputs, layers) in [(1, 1, 1), (2, 3, 2), (3, 4, 3), (1, 2, 1)] {
        let mut mlp = Mlp::new(3);
        for _ in 1..layers {
            mlp = mlp.layer(5, Activation::Gelu);
        }
        let mlp = mlp.layer(outputs, Activation::Sigmoid);
        let parameters = Init::Auto.sample(&mlp, models, 4).unwrap();
        let mut model = Model::new(&gpu, &parameters).unwrap();
        let x = numbers_f32(ROWS * 3, 5);
        let expected = model.predict(&x).unwrap();
        let input = storage(&device, 512 + 12 * ROWS as u64);
        queue.write_buffer(&input, 512, bytemuck::cast_slice(&x));
        let bytes = 4 * expected.len() as u64;
        let output = storage(&device, 256 + bytes + 64);
        queue.write_buffer(&output, 0, &vec![0xa5; output.size() as usize]);
        let to = Output::Buffer(output.slice(256..256 + bytes));
        let inference = model.inference(ROWS, input.slice(512..), to).unwrap();
        assert_eq!(inference.dispatches(), 1);
        let run = |inference: &wgrad::Inference| {
            let mut encoder = device.create_command_encoder(&Default::default());
            inference.record(&mut encoder);
            queue.submit([encoder.finish()]);
        };
        run(&inference);
        let found = read(&device, &queue, &output);
        let (before, rest) = found.split_at(256);
        let (values, after) = rest.split_at(bytes as usize);
        assert!(before.iter().chain(after).all(|byte| *byte == 0xa5));
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(values);
        let exact: Vec<f64> = expected.iter().map(|v| f64::from(*v)).collect();
        let error = deviation(&values, &exact);
        assert!(error <= 1e-6, "{models} models of {outputs} outputs: {error}");

        let size = [277, 65, models as u32];
        for format in FORMATS {
            if channels(*format) < outputs {
                continue;
            }
            let texel = Texel { format: *format, width: 277 };
            let texels = Texture { texel, models, rows: ROWS, outputs, column: 0, first: 0 };
            let texture = texture(&device, *format, size);
            let to = Output::Texture(&texture);
            run(&model.inference(ROWS, input.slice(512..), to).unwrap());
            let channels = channels(*format);
            let texel = format.block_copy_size(None).unwrap();
            let line = (277 * texel).next_multiple_of(256);
            let copy = storage(&device, u64::from(line * 65 * models as u32));
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_texture_to_buffer(
                texture.as_image_copy(),
                wgpu::TexelCopyBufferInfo {
                    buffer: &copy,
                    layout: wgpu::TexelCopyBufferLayout {
                        offset: 0,
                        bytes_per_row: Some(line),
                        rows_per_image: Some(65),
                    },
                },
                texture.size(),
            );
            queue.submit([encoder.finish()]);
            let bytes = read(&device, &queue, &copy);
            let mut found = Vec::new();
            let mut wanted = Vec::new();
            for model in 0..models {
                for row in 0..ROWS {
                    let y = (model * 65 + row / 277) * line as usize;
                    let at = &bytes[y + row % 277 * texel as usize..][..texel as usize];
                    let all = texels.reference(&expected, model, row);
                    wanted.extend(all[..channels].iter().map(|v| f64::from(*v)));
                    match *format {
                        wgpu::TextureFormat::Rgba8Unorm => {
                            found.extend(at.iter().map(|byte| f32::from(*byte) / 255.0));
                        }
                        wgpu::TextureFormat::Rgba8Snorm => {
                            found.extend(at.iter().map(|byte| f32::from(*byte as i8) / 127.0));
                        }
                        wgpu::TextureFormat::Rgba16Float => {
                            let halves = at.as_chunks::<2>().0;
                            found.extend(
                                halves.iter().map(|half| from_half(u16::from_le_bytes(*half))),
                            );
                        }
                        _ => found.extend(bytemuck::pod_collect_to_vec::<u8, f32>(at)),
                    }
                }
            }
            let bound = match *format {
                wgpu::TextureFormat::Rgba8Unorm => 0.75 / 255.0,
                wgpu::TextureFormat::Rgba8Snorm => 0.75 / 127.0,
                wgpu::TextureFormat::Rgba16Float => 1.0 / 1024.0,
                _ => 1e-6,
            };
            let error = deviation(&found, &wanted);
            assert!(error <= bound, "{format:?}: {error}");
        }
        let wrong = [
            texture(&device, wgpu::TextureFormat::R32Float, [277, 64, models as u32]),
            texture(&device, wgpu::TextureFormat::R32Float, [277, 65, models as u32 + 1]),
            texture(&device, wgpu::TextureFormat::R32Uint, size),
        ];
        for texture in &wrong {
            let error = model.inference(ROWS, input.slice(512..), Output::Texture(texture));
            let error = error.map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::Argument { .. }), "{error}");
        }
        for (rows, from, to) in [
            (0, input.slice(512..), output.slice(256..)),
            (ROWS, input.slice(512 + 256..), output.slice(256..)),
            (ROWS, input.slice(512..), output.slice(512..)),
            (ROWS, input.slice(4..), output.slice(256..)),
        ] {
            let error = model.inference(rows, from, Output::Buffer(to)).map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::Argument { .. }), "{rows}: {error}");
        }
    }
    // One dispatch that reads and writes the same buffer.
    let one = Mlp::new(3).layer(2, Activation::Relu);
    let model = Model::new(&gpu, &Init::Auto.sample(&one, 1, 0).unwrap()).unwrap();
    let both = storage(&device, 1 << 14);
    let to = Output::Buffer(both.slice(8192..));
    assert!(matches!(model.inference(64, both.slice(..), to), Err(Error::Argument { .. })));
    let five = Mlp::new(2).layer(5, Activation::Relu);
    let model = Model::new(&gpu, &Init::Auto.sample(&five, 1, 0).unwrap()).unwrap();
    let target = texture(&device, wgpu::TextureFormat::R32Float, [4, 4, 1]);
    let error = model.inference(16, storage(&device, 512).slice(..), Output::Texture(&target));
    assert!(error.is_err());
}

/// An f16 of 0 or more and below 2.
fn from_half(bits: u16) -> f32 {
    let (exponent, fraction) = (i32::from(bits >> 10), f32::from(bits & 1023));
    match exponent {
        0 => fraction / 1024.0 * 2.0_f32.powi(-14),
        _ => (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15),
    }
}

fn small(gpu: &Gpu, models: usize, strategy: Strategy) -> Trainer {
    let data = Dataset::Moons.sample(60, 1).unwrap();
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02))
        .models(models)
        .strategy(strategy);
    Trainer::new(gpu, &mlp, &training, &data).unwrap()
}

fn record(gpu: &Gpu, work: impl FnOnce(&mut wgpu::CommandEncoder)) {
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    work(&mut encoder);
    gpu.queue().submit([encoder.finish()]);
}

#[test]
fn a_snapshot_changes_only_when_it_is_recorded() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let mut trainer = small(&gpu, 3, Strategy::Auto);
    let snapshot = trainer.snapshot().unwrap();
    let now = |buffer: &wgpu::Buffer| read(&device, &queue, buffer);
    let first = now(trainer.parameter_buffer());
    assert!(now(snapshot.parameter_buffer()) == first);
    trainer.train(5).unwrap();
    assert!(now(snapshot.parameter_buffer()) == first);
    assert!(now(trainer.parameter_buffer()) != first);
    // Copied between two runs of steps: those of the first are in it, those of the second not.
    record(&gpu, |encoder| {
        trainer.record(encoder, 5);
        snapshot.record(encoder);
        trainer.record(encoder, 5);
    });
    let mut other = small(&gpu, 3, Strategy::Auto);
    other.train(10).unwrap();
    assert!(now(snapshot.parameter_buffer()) == now(other.parameter_buffer()));
}

#[test]
fn parameters_come_in_between_frames() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    for strategy in Strategy::ALL {
        let mut trainer = small(&gpu, 2, *strategy);
        let start = trainer.parameters().unwrap();
        let source = storage(&device, 4 * start.values().len() as u64 + 8);
        let mut broken = start.values().to_vec();
        broken[3] = f32::NAN;
        queue.write_buffer(&source, 4, bytemuck::cast_slice(&broken));
        record(&gpu, |encoder| {
            trainer.record_parameters(encoder, source.slice(4..)).unwrap();
            trainer.record(encoder, 3);
        });
        assert_eq!(trainer.diverged().unwrap(), [Some(0), None], "{strategy:?}");
        queue.write_buffer(&source, 4, bytemuck::cast_slice(start.values()));
        record(&gpu, |encoder| trainer.record_parameters(encoder, source.slice(4..)).unwrap());
        assert_eq!(trainer.parameters().unwrap(), start);
        assert_eq!(trainer.diverged().unwrap(), [None, None]);
        let mut encoder = device.create_command_encoder(&Default::default());
        let own = trainer.parameter_buffer().clone();
        for slice in [source.slice(12..), own.slice(..), source.slice(2..)] {
            assert!(trainer.record_parameters(&mut encoder, slice).is_err());
        }
    }
}

#[test]
fn a_warm_up_changes_nothing() {
    for strategy in Strategy::ALL {
        let (device, queue) = application();
        let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
        let [mut cold, mut warm] = [small(&gpu, 2, *strategy), small(&gpu, 2, *strategy)];
        cold.train(7).unwrap();
        warm.train(7).unwrap();
        let state = |trainer: &Trainer| {
            [Buffer::Parameters, Buffer::States, Buffer::Status, Buffer::Losses]
                .map(|name| read(&device, &queue, trainer.buffer(name).unwrap()))
        };
        let before = state(&warm);
        let report = warm.warm_up().unwrap();
        assert!(state(&warm) == before, "{strategy:?}");
        assert!(report.time > Duration::ZERO);
        assert!(*strategy == Strategy::Layered || report.kernels > 0, "{report:?}");
        let known = gpu.compiled();
        assert_eq!(warm.warm_up().unwrap().kernels, 0);
        for trainer in [&mut cold, &mut warm] {
            trainer.train(9).unwrap();
        }
        assert_eq!(cold.losses().unwrap(), warm.losses().unwrap());
        assert_eq!(cold.parameters().unwrap(), warm.parameters().unwrap());
        warm.gradients().unwrap();
        assert_eq!(gpu.compiled(), known);
    }
}

#[test]
fn a_frame_budget_counts_its_steps() {
    for timestamps in [wgpu::Features::TIMESTAMP_QUERY, wgpu::Features::empty()] {
        let (device, queue) = application_with(timestamps, wgpu::Limits::default());
        let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
        let mut trainer = small(&gpu, 1, Strategy::Auto);
        let mut budget = FrameBudget::new(&gpu, Duration::from_millis(1)).unwrap();
        assert_eq!(
            budget.reads_timestamps(),
            device.features().contains(timestamps) && !timestamps.is_empty()
        );
        let mut recorded = 0;
        let mut told = Vec::new();
        for frame in 0..60 {
            // An encoder that is never submitted costs nothing but its own steps.
            if frame == 20 {
                let mut dropped = device.create_command_encoder(&Default::default());
                budget.record(&mut trainer, &mut dropped).unwrap();
            }
            if frame == 30 {
                budget.pause()
            }
            if frame == 40 {
                budget.resume();
                budget.set_time(Duration::from_micros(100));
                budget.set_max_steps(3);
            }
            record(&gpu, |encoder| {
                let frame = budget.record(&mut trainer, encoder).unwrap();
                recorded += frame.steps;
                told.push(frame);
            });
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        }
        let known = gpu.compiled();
        trainer.set_optimizer(Optimizer::adam(0.5)).unwrap();
        let losses = trainer.losses().unwrap();
        let start = trainer.parameters().unwrap();
        assert_eq!(gpu.compiled(), known);
        assert_eq!(losses.first_step as usize + losses.values.len(), recorded as usize);
        trainer.restart(&start).unwrap();
        assert!(trainer.losses().unwrap().values.is_empty() && gpu.compiled() == known);
        assert!(told[30..40].iter().all(|frame| frame.steps == 0));
        assert!(told[40..].iter().all(|frame| frame.steps <= 3));
        assert!(told[..30].iter().map(|frame| frame.steps).max() > Some(0), "{told:?}");
        assert!(told[59].measured.is_some() && told[59].step.is_some(), "{:?}", told[59]);
    }
}

/// The application records before each step, in frames that are measured or not.
#[test]
fn a_frame_budget_calls_back_before_each_step() {
    for timestamps in [wgpu::Features::TIMESTAMP_QUERY, wgpu::Features::empty()] {
        let (device, queue) = application_with(timestamps, wgpu::Limits::default());
        let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
        let [mut trainer, mut other] =
            [small(&gpu, 1, Strategy::Auto), small(&gpu, 2, Strategy::Auto)];
        let mut budget = FrameBudget::new(&gpu, Duration::from_secs(1)).unwrap();
        budget.set_max_steps(5);
        let mut calls = Vec::new();
        let mut expected = Vec::new();
        for _ in 0..30 {
            record(&gpu, |encoder| {
                let frame = budget
                    .record_with(&mut trainer, encoder, |encoder, step| {
                        other.record(encoder, 1);
                        calls.push(step);
                    })
                    .unwrap();
                expected.extend(0..frame.steps);
            });
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        }
        assert!(calls.len() > 30 && calls == expected, "{calls:?}");
        for trainer in [&mut trainer, &mut other] {
            let losses = trainer.losses().unwrap();
            assert_eq!(losses.of_model(0).count(), calls.len());
        }
        assert!(
            budget
                .record(
                    &mut small(&gpu, 1, Strategy::Auto),
                    &mut device.create_command_encoder(&Default::default())
                )
                .is_ok()
        );
    }
}

/// Objects of another device of the same instance are named; nothing reaches the handlers.
#[test]
fn objects_of_another_device_are_refused() {
    let instance = wgpu::Instance::default();
    let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
    let [(own, own_queue), (other, other_queue)] = [(); 2].map(|()| {
        let (device, queue) =
            pollster::block_on(adapter.request_device(&Default::default())).unwrap();
        device.on_uncaptured_error(std::sync::Arc::new(|error| {
            eprintln!("uncaptured: {error}");
            std::process::abort();
        }));
        (device, queue)
    });
    let gpu = Gpu::from_wgpu(&own, &own_queue).unwrap();
    let elsewhere = Gpu::from_wgpu(&other, &other_queue).unwrap();
    let mut trainer = small(&gpu, 1, Strategy::Auto);
    let model = Model::new(&gpu, &trainer.parameters().unwrap()).unwrap();
    let [mine, foreign] = [&own, &other].map(|device| storage(device, 1 << 16));
    let texture = other.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 4, height: 4, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::STORAGE_BINDING,
        view_formats: &[],
    });
    let mut encoder = own.create_command_encoder(&Default::default());
    let mut budget = FrameBudget::new(&gpu, Duration::from_millis(1)).unwrap();
    let mlp = trainer.mlp().clone();
    let training = trainer.training().clone();
    let shape = DataShape::shared(10);
    let data = |inputs, targets| DataBuffers::new(shape, inputs, targets);
    let product = Matmul::new(2, 2, 2).dispatches(gpu.capabilities()).unwrap();
    let bindings = [&mine, &mine, &mine, &foreign].map(|b| b.as_entire_buffer_binding());
    let results = [
        Trainer::with_buffers(&gpu, &mlp, &training, data(mine.slice(..), foreign.slice(..)))
            .map(drop),
        trainer.inference(8, foreign.slice(..), Output::Buffer(mine.slice(..))).map(drop),
        model.inference(8, mine.slice(..), Output::Buffer(foreign.slice(..))).map(drop),
        trainer.inference(16, mine.slice(..), Output::Texture(&texture)).map(drop),
        trainer.record_parameters(&mut encoder, foreign.slice(..)),
        trainer.record_restart(&mut encoder, foreign.slice(..)),
        budget.record(&mut small(&elsewhere, 1, Strategy::Auto), &mut encoder).map(drop),
        gpu.prepare(&product[0], &bindings).map(drop),
    ];
    for (i, result) in results.into_iter().enumerate() {
        let error = result.unwrap_err().to_string();
        assert!(error.contains("of another device"), "{i}: {error}");
    }
    trainer.record(&mut encoder, 2);
    own_queue.submit([encoder.finish()]);
    assert_eq!(trainer.losses().unwrap().values.len(), 2);
}

/// What is recorded keeps its order, whatever is called before the submit.
#[test]
fn recorded_changes_keep_their_order() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    for strategy in Strategy::ALL {
        let [mut recorded, mut reference] = [small(&gpu, 2, *strategy), small(&gpu, 2, *strategy)];
        let start = recorded.parameters().unwrap();
        let source = storage(&device, 4 * start.values().len() as u64);
        queue.write_buffer(&source, 0, bytemuck::cast_slice(start.values()));
        let slow = Optimizer::adam(0.001);
        // All in one encoder: the reference submits and waits in between.
        record(&gpu, |encoder| {
            recorded.record(encoder, 5);
            recorded.record_optimizer(encoder, slow).unwrap();
            recorded.record(encoder, 4);
        });
        reference.train(5).unwrap();
        reference.set_optimizer(slow).unwrap();
        reference.train(4).unwrap();
        assert_eq!(recorded.training().optimizer, slow);
        assert_eq!(recorded.losses().unwrap(), reference.losses().unwrap(), "{strategy:?}");
        assert_eq!(recorded.parameters().unwrap(), reference.parameters().unwrap());
        // A restart after more steps than before it: the losses are the new run's alone.
        record(&gpu, |encoder| {
            recorded.record(encoder, 3);
            recorded.record_restart(encoder, source.slice(..)).unwrap();
            recorded.record(encoder, 20);
        });
        reference.restart(&start).unwrap();
        reference.train(20).unwrap();
        assert_eq!(recorded.losses().unwrap(), reference.losses().unwrap(), "{strategy:?}");
        assert_eq!(recorded.losses().unwrap().first_step, 0);
        assert_eq!(recorded.parameters().unwrap(), reference.parameters().unwrap());
        // One that is recorded and not submitted yet changes nothing.
        let mut encoder = device.create_command_encoder(&Default::default());
        recorded.record_restart(&mut encoder, source.slice(..)).unwrap();
        assert_eq!(recorded.losses().unwrap(), reference.losses().unwrap());
        queue.submit([encoder.finish()]);
        assert!(recorded.losses().unwrap().values.is_empty());
        let mut encoder = device.create_command_encoder(&Default::default());
        assert!(recorded.record_optimizer(&mut encoder, Optimizer::sgd(0.1)).is_err());
        assert!(recorded.record_restart(&mut encoder, source.slice(4..)).is_err());
    }
}

/// Kernels go through the application's pipeline cache where the device has one.
#[test]
fn a_pipeline_cache_is_filled() {
    let (device, queue) = application_with(wgpu::Features::PIPELINE_CACHE, wgpu::Limits::default());
    if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
        println!("this device has no pipeline cache");
        return;
    }
    // Safety: there are no data that could be another driver's.
    let cache = unsafe {
        device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
            label: None,
            data: None,
            fallback: true,
        })
    };
    let size = || cache.get_data().map_or(0, |data| data.len());
    let empty = size();
    // Whether this driver keeps anything at all: lavapipe 22.3 does not.
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl("@compute @workgroup_size(1) fn nothing() {}".into()),
    });
    let _control = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: None,
        compilation_options: Default::default(),
        cache: Some(&cache),
    });
    let control = size();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap().with_pipeline_cache(&cache);
    small(&gpu, 1, Strategy::Layered).warm_up().unwrap();
    println!("a pipeline cache of {empty} bytes, {control} with one pipeline, {} with all", size());
    assert!(control == empty || size() > control);
}

/// The application's one call: from then on nothing is tried.
#[test]
fn a_loss_is_told_once() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let mut trainer = small(&gpu, 1, Strategy::Auto);
    let mut model = Model::new(&gpu, &trainer.parameters().unwrap()).unwrap();
    gpu.lost_handle().device_lost();
    assert_eq!(trainer.train(1), Err(Error::DeviceLost));
    assert_eq!(trainer.losses(), Err(Error::DeviceLost));
    assert_eq!(trainer.warm_up(), Err(Error::DeviceLost));
    assert_eq!(model.predict(&[0.0, 0.0]), Err(Error::DeviceLost));
    assert!(trainer.snapshot().is_err());
}

/// A page records its next frames while a readback is under way, and may drop one.
#[test]
fn a_readback_does_not_borrow_the_trainer() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let data = Dataset::Moons.sample(50, 1).unwrap();
    let mlp = Mlp::new(2).layer(5, Activation::Tanh).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.02)).history(6);
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    let frame = |trainer: &mut Trainer, steps| {
        let mut encoder = device.create_command_encoder(&Default::default());
        trainer.record(&mut encoder, steps);
        queue.submit([encoder.finish()]);
    };
    let mut whole = Trainer::new(&gpu, &mlp, &training, &data).unwrap();
    whole.train(4).unwrap();
    let at_4 = whole.parameters().unwrap();
    whole.train(6).unwrap();
    let all = whole.losses().unwrap();

    frame(&mut trainer, 4);
    let early = (trainer.losses_async(), trainer.parameters_async(), trainer.diverged_async());
    drop(trainer.losses_async());
    frame(&mut trainer, 6);
    let late = trainer.losses_async();
    assert_eq!(pollster::block_on(early.1).unwrap(), at_4);
    assert_eq!(pollster::block_on(early.2).unwrap(), [None]);
    assert_eq!(pollster::block_on(early.0).unwrap().values, all.values[..4]);
    assert_eq!(pollster::block_on(late).unwrap(), all);

    // In the other order the later one brings what its history still holds.
    frame(&mut trainer, 3);
    let (first, second) = (trainer.losses_async(), trainer.losses_async());
    let second = pollster::block_on(second).unwrap();
    assert_eq!(second.values.len(), 13);
    assert_eq!(pollster::block_on(first).unwrap(), second);
    trainer.restart(&whole.parameters().unwrap()).unwrap();
    assert!(trainer.losses().unwrap().values.is_empty());
}

/// Data in the application's buffers are looked at where they lie.
#[test]
fn data_in_buffers_are_checked_on_the_gpu() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let mlp = Mlp::new(2).encode(2, OneBlob::default()).layer(3, Activation::Identity);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1));
    let rows = 100;
    let buffer = storage(&device, 4096);
    let (inputs, targets) = (buffer.slice(256..256 + 800), buffer.slice(2048..2048 + 1200));
    let data = DataBuffers::new(DataShape::shared(rows), inputs, targets);
    let mut trainer = Trainer::with_buffers(&gpu, &mlp, &training, data).unwrap();
    let mut x = vec![0.5_f32; 2 * rows];
    let mut t: Vec<f32> = (0..3 * rows).map(|i| if i % 3 == 0 { 1.0 } else { 0.0 }).collect();
    let upload = |x: &[f32], t: &[f32]| {
        queue.write_buffer(&buffer, 256, bytemuck::cast_slice(x));
        queue.write_buffer(&buffer, 2048, bytemuck::cast_slice(t));
    };
    upload(&x, &t);
    assert!(trainer.check_data().unwrap().is_valid());
    (x[7], x[9], x[11]) = (1.5, f32::NAN, -0.5);
    (t[30], t[31], t[297]) = (-1.0, 2.0, 0.25);
    upload(&x, &t);
    let report = trainer.check_data().unwrap();
    assert!(!report.is_valid());
    assert_eq!((report.inputs.not_finite, report.inputs.out_of_range), (1, 2), "{report:?}");
    assert_eq!((report.inputs.first, report.inputs.not_distributions), (Some(7), 0));
    assert_eq!((report.targets.not_finite, report.targets.out_of_range), (0, 2), "{report:?}");
    assert_eq!((report.targets.first, report.targets.not_distributions), (Some(30), 1));
}

/// Inputs and outputs as ranges of one buffer: either an error, or what `predict` says.
#[test]
fn inference_within_one_buffer_is_right_or_refused() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let step = u64::from(gpu.limits().min_storage_buffer_offset_alignment);
    // More rows than two slices have, and fewer than one.
    for (rows, models) in [(40_000, 1), (40_000, 2), (500, 1), (500, 2)] {
        for widths in [[1, 3, 2], [2, 3, 1], [2, 3, 2]] {
            let [inputs, hidden, outputs] = widths;
            let mlp = Mlp::new(inputs).layer(hidden, Activation::Tanh);
            let mlp = mlp.layer(outputs, Activation::Identity);
            let parameters = Init::Auto.sample(&mlp, models, 1).unwrap();
            let mut model = Model::new(&gpu, &parameters).unwrap();
            let x = numbers_f32(rows * inputs, 3);
            let expected = model.predict(&x).unwrap();
            let [read_bytes, written] = [4 * x.len() as u64, 4 * expected.len() as u64];
            let after = |bytes: u64| bytes.next_multiple_of(step);
            let mut right = 0;
            for (from, to) in [
                (0, 0),
                (0, after(read_bytes)),
                (after(written), 0),
                (0, step),
                (step, 0),
                (0, after(read_bytes / 2)),
                (after(written / 2), 0),
            ] {
                let size = (from + read_bytes).max(to + written);
                let both = storage(&device, size.next_multiple_of(4));
                queue.write_buffer(&both, from, bytemuck::cast_slice(&x));
                let y = Output::Buffer(both.slice(to..));
                match model.inference(rows, both.slice(from..), y) {
                    Ok(inference) => {
                        record(&gpu, |encoder| inference.record(encoder));
                        let bytes = read(&device, &queue, &both);
                        let bytes = &bytes[to as usize..(to + written) as usize];
                        let found: Vec<f32> = bytemuck::pod_collect_to_vec(bytes);
                        let exact: Vec<f64> = expected.iter().map(|v| f64::from(*v)).collect();
                        let error = deviation(&found, &exact);
                        assert!(error <= 1e-6, "{rows} {models} {widths:?} {from} {to}: {error}");
                        right += 1;
                    }
                    Err(Error::Argument { found, .. }) => {
                        assert!(found.contains("overwritten before it is read"), "{found}");
                        assert!(rows > 16_384, "{rows} {models} {widths:?} {from} {to}");
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert!(right >= 2, "{rows} {models} {widths:?}");
            // In place: each row is written where it was read, or further ahead than is read.
            assert!(rows < 16_384 || right < 7, "{widths:?}");
        }
    }
}

#[test]
fn outputs_into_what_the_dispatch_reads_are_refused() {
    let (device, queue) = application();
    let gpu = Gpu::from_wgpu(&device, &queue).unwrap();
    let trainer = small(&gpu, 1, Strategy::Auto);
    let x = storage(&device, 1024);
    let own = Output::Buffer(trainer.parameter_buffer().slice(..));
    let error = trainer.inference(4, x.slice(..), own).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the network's own parameters"), "{error}");
    // As inputs they are only read.
    let from = trainer.parameter_buffer().slice(..);
    assert!(trainer.inference(4, from, Output::Buffer(x.slice(..))).is_ok());
    let one = Mlp::new(3).layer(2, Activation::Relu);
    let model = Model::new(&gpu, &Init::Auto.sample(&one, 1, 0).unwrap()).unwrap();
    let both = storage(&device, 4096);
    let to = Output::Buffer(both.slice(2048..));
    let error = model.inference(8, both.slice(..), to).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("reads and writes in one dispatch"), "{error}");
    let own = Output::Buffer(model.parameter_buffer().slice(..));
    let error = model.inference(1, x.slice(..), own).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("the network's own parameters"), "{error}");
}

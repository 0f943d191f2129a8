//! Devices that allow little, sizes at a limit: on wgpu's `noop` back end, which validates as a
//! driver would and runs nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Batch, Capabilities, Data, DataShape, Error, Gpu, Loss, Mlp, Model, Optimizer,
    Parameters, Plan, Strategy, Trainer, Training,
};

/// A device of the default limits, changed by `change`, that counts uncaptured errors.
fn noop(change: impl FnOnce(&mut wgpu::Limits)) -> (Gpu, Arc<AtomicUsize>) {
    let mut required_limits = wgpu::Limits::default();
    change(&mut required_limits);
    let (device, queue) =
        wgpu::Device::noop(&wgpu::DeviceDescriptor { required_limits, ..Default::default() });
    let errors = Arc::new(AtomicUsize::new(0));
    let counter = errors.clone();
    device.on_uncaptured_error(Arc::new(move |error| {
        eprintln!("uncaptured: {error}");
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    (Gpu::from_wgpu(&device, &queue).unwrap(), errors)
}

fn mlp() -> Mlp {
    Mlp::new(4).layer(8, Activation::Gelu).layer(2, Activation::Identity)
}

fn training() -> Training {
    Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).strategy(Strategy::Layered)
}

fn data(rows: usize) -> Data {
    Data::new(4, 2, vec![0.5; 4 * rows], vec![0.5; 2 * rows]).unwrap()
}

/// Every kernel of every kind of training passes validation on the least that WebGPU promises.
#[test]
fn default_limits_are_enough() {
    let (gpu, errors) = noop(|_| ());
    for batch in [Batch::Full, Batch::Shuffled { size: 5, seed: 1 }] {
        for optimizer in Optimizer::all() {
            let training = Training::new(Loss::MeanSquaredError, optimizer).models(3).batch(batch);
            let mut trainer = Trainer::new(&gpu, &mlp(), &training, &data(9)).unwrap();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            trainer.record(&mut encoder, 10);
            gpu.queue().submit([encoder.finish()]);
            pollster::block_on(trainer.losses_async()).unwrap();
            pollster::block_on(trainer.gradients_async()).unwrap();
            pollster::block_on(trainer.health_async()).unwrap();
            pollster::block_on(trainer.input_gradient_async()).unwrap();
            pollster::block_on(trainer.predict_async(&[0.0; 40])).unwrap();
        }
    }
    assert_eq!(errors.load(Ordering::Relaxed), 0);
}

#[test]
fn a_device_that_allows_too_little_is_refused_by_the_limits_name() {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits {
            max_storage_buffers_per_shader_stage: 4,
            ..Default::default()
        },
        ..Default::default()
    });
    let error = Gpu::from_wgpu(&device, &queue).unwrap_err();
    assert_eq!(
        error,
        Error::Limit { limit: "max_storage_buffers_per_shader_stage", found: 4, needed: 5 }
    );
}

/// The data's inputs take exactly what may be bound, four bytes less, and four more.
#[test]
fn sizes_at_the_binding_limit() {
    let rows = 1000;
    let bytes = 4 * 4 * rows as u64;
    for (allowed, fits) in [(bytes + 4, true), (bytes, true), (bytes - 4, false)] {
        let (gpu, errors) = noop(|limits| limits.max_storage_buffer_binding_size = allowed);
        // One hidden unit: the inputs are the largest buffer.
        let mlp = Mlp::new(4).layer(1, Activation::Tanh).layer(2, Activation::Identity);
        match Trainer::new(&gpu, &mlp, &training().history(1), &data(rows)) {
            Ok(mut trainer) => {
                assert!(fits, "{allowed}");
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                trainer.record(&mut encoder, 1);
                gpu.queue().submit([encoder.finish()]);
            }
            Err(Error::TooLarge { what, bytes: found, allowed: limit }) => {
                assert!(!fits, "{allowed}");
                assert_eq!((what.as_str(), found, limit), ("the buffer `inputs`", bytes, allowed));
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(errors.load(Ordering::Relaxed), 0, "{allowed}");
    }
}

/// Mini-batches fit where the full batch's activations do not.
#[test]
fn predictions_are_cut_to_what_may_be_bound() {
    let (gpu, errors) = noop(|limits| limits.max_storage_buffer_binding_size = 4096);
    let parameters = Parameters::new(mlp(), 1, vec![0.5; mlp().parameters()]).unwrap();
    let mut model = Model::new(&gpu, &parameters).unwrap();
    assert_eq!(pollster::block_on(model.predict_async(&[0.0; 4 * 1000])).unwrap().len(), 2000);
    assert_eq!(errors.load(Ordering::Relaxed), 0);
    let full = Trainer::new(&gpu, &mlp(), &training(), &data(200));
    assert!(matches!(full, Err(Error::TooLarge { .. })));
    let mini = training().batch(Batch::Shuffled { size: 16, seed: 0 }).history(64);
    assert!(Trainer::new(&gpu, &mlp(), &mini, &data(200)).is_ok());
}

/// A grid wider than a dimension allows is folded; one that no fold can hold is refused.
#[test]
fn grids_at_the_limit_of_a_dimension() {
    let (gpu, errors) = noop(|limits| limits.max_compute_workgroups_per_dimension = 8);
    // As for hardware: 64 rows a workgroup of the loss, 2 outputs: 8 · 8 workgroups hold 2,048
    // rows.
    let gpu = gpu.planned_for(&Capabilities::default());
    for (rows, fits) in [(2047, true), (2048, true), (2049, false)] {
        let made = Trainer::new(
            &gpu,
            &Mlp::new(4).layer(2, Activation::Identity),
            &training(),
            &data(rows),
        );
        match made {
            Ok(mut trainer) => {
                assert!(fits, "{rows}");
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                trainer.record(&mut encoder, 1);
                gpu.queue().submit([encoder.finish()]);
            }
            Err(error) => {
                assert!(!fits, "{rows}: {error}");
                assert!(error.to_string().starts_with("the workgroups of loss is 65"), "{error}");
            }
        }
    }
    assert_eq!(errors.load(Ordering::Relaxed), 0);
}

/// Sizes that no machine holds come back as errors from the plan, which needs no device.
#[test]
fn plans_of_impossible_sizes_are_refused() {
    let target = Capabilities::default();
    let wide = Mlp::new(1 << 16).layer(1 << 15, Activation::Relu).layer(1, Activation::Identity);
    for (mlp, training, rows) in [
        (wide, training(), 1),
        (mlp(), training(), 1 << 40),
        (mlp(), training(), usize::MAX),
        (mlp(), training().models(1 << 31), 1),
        (mlp(), training().models(usize::MAX), 1),
        (mlp(), training(), 0),
        (Mlp::new(usize::MAX).layer(1, Activation::Relu), training(), 1),
    ] {
        let error = Plan::new(&mlp, &training, DataShape::shared(rows), &target).unwrap_err();
        assert!(matches!(error, Error::TooLarge { .. } | Error::Argument { .. }), "{error}");
    }
}

/// Nothing in a shader's text depends on the number of rows but a few powers of two.
#[test]
fn trainings_of_many_row_counts_share_their_kernels() {
    let (gpu, errors) = noop(|_| ());
    let software = Capabilities { software: true, subgroup: Some(8), ..Capabilities::default() };
    let article = Mlp::new(4).layer(3, Activation::Sigmoid).layer(2, Activation::Sigmoid);
    for capabilities in [Capabilities::default(), software] {
        for strategy in Strategy::ALL {
            for is_full in [true, false] {
                let gpu = gpu.planned_for(&capabilities);
                let before = gpu.compiled();
                for i in 0..50_usize {
                    // 3 to 6,000 rows.
                    let rows = 3 + i * i * 5 / 2;
                    let batch = Batch::Shuffled { size: rows.div_ceil(2), seed: 1 };
                    let batch = if is_full { Batch::Full } else { batch };
                    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1))
                        .batch(batch)
                        .models(1 + i % 2)
                        .strategy(*strategy);
                    Trainer::new(&gpu, &article, &training, &data(rows)).unwrap();
                }
                let compiled = gpu.compiled() - before;
                let case = format!("{strategy:?}, full: {is_full}, {capabilities:?}");
                assert!(compiled <= 24, "{compiled} kernels: {case}");
            }
        }
    }
    assert_eq!(errors.load(Ordering::Relaxed), 0);
}

/// A plan's cost is linear in the layers: a thousand times as many take no minute.
#[test]
fn a_network_may_have_thousands_of_layers() {
    let layers = 1 << 16;
    let mlp = (0..layers).fold(Mlp::new(1), |mlp, _| mlp.layer(1, Activation::Identity));
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let plan = Plan::new(&mlp, &training, DataShape::shared(1), &Capabilities::default()).unwrap();
    assert_eq!(plan.step().len(), 3 * layers + 2);
    assert!(plan.to_string().lines().count() > 4 * layers);
}

/// 3 dispatches a layer and 3 at most, whatever the depth; printed with their bytes.
#[test]
fn a_step_is_counted_before_it_runs() {
    for depth in 1..8 {
        let mut mlp = Mlp::new(2);
        for _ in 0..depth {
            mlp = mlp.layer(16, Activation::Tanh);
        }
        for (batch, more) in [(Batch::Full, 2), (Batch::Shuffled { size: 10, seed: 0 }, 3)] {
            let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1))
                .batch(batch)
                .strategy(Strategy::Layered);
            let plan = Plan::new(&mlp, &training, DataShape::shared(100), &Capabilities::default())
                .unwrap();
            assert_eq!(plan.step().len(), 3 * depth + more);
            let text = plan.to_string();
            assert!(text.contains(&format!("a step: {} dispatches", 3 * depth + more)), "{text}");
            assert!(
                plan.buffers()
                    .iter()
                    .any(|(name, bytes)| *name == Buffer::Parameters && *bytes > 0)
            );
        }
    }
}

/// What the strategies are for: launches a step, counted and not timed.
#[test]
fn launches_of_each_strategy() {
    let count = |mlp: &Mlp, strategy, models, rows, target: &Capabilities| {
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1))
            .models(models)
            .strategy(strategy);
        let plan = Plan::new(mlp, &training, DataShape::shared(rows), target).unwrap();
        assert_eq!(plan.strategy(), strategy);
        assert_eq!(plan.dispatches(0), 0);
        assert_eq!(plan.dispatches(1), plan.step().len());
        plan.dispatches(10_000)
    };
    let article = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let playground = Mlp::new(2)
        .layer(8, Activation::Tanh)
        .layer(8, Activation::Tanh)
        .layer(1, Activation::Sigmoid);
    for target in [
        Capabilities::default(),
        Capabilities { subgroup: Some(32), ..Capabilities::default() },
        Capabilities { subgroup: Some(8), software: true, ..Capabilities::default() },
    ] {
        for (mlp, models) in [(&article, 1), (&article, 256), (&playground, 1), (&playground, 64)] {
            let found = count(mlp, Strategy::Resident, models, 1000, &target);
            assert!(found < 500, "{mlp} of {models}: {found} for 10,000 steps");
        }
        for depth in 1..20 {
            let mlp = (0..depth).fold(Mlp::new(3), |mlp, _| mlp.layer(64, Activation::Relu));
            assert_eq!(count(&mlp, Strategy::Fused, 1, 4096, &target), 30_000);
            let layered = count(&mlp, Strategy::Layered, 1, 1000, &target);
            assert_eq!(layered, 10_000 * (3 * depth + 2));
        }
    }
}

/// Chosen by the network, the rows and the device.
#[test]
fn each_strategy_is_chosen_where_it_suits() {
    let hardware = Capabilities { subgroup: Some(32), ..Capabilities::default() };
    let software = Capabilities { subgroup: Some(8), software: true, ..Capabilities::default() };
    let small = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let medium = Mlp::new(32).layer(64, Activation::Relu).layer(3, Activation::Identity);
    let large = Mlp::new(784).layer(512, Activation::Relu).layer(10, Activation::Identity);
    use Strategy::{Fused, Layered, Resident};
    for (mlp, rows, on_hardware, on_software) in [
        (&small, 1000, Resident, Resident),
        (&small, 1_000_000, Fused, Layered),
        (&medium, 16_384, Fused, Layered),
        (&large, 128, Layered, Layered),
    ] {
        for (target, expected) in [(&hardware, on_hardware), (&software, on_software)] {
            let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1));
            let plan = Plan::new(mlp, &training, DataShape::shared(rows), target).unwrap();
            assert_eq!(plan.strategy(), expected, "{mlp} on {rows} rows, {}", target.software);
            let forced = training.strategy(Layered);
            let plan = Plan::new(mlp, &forced, DataShape::shared(rows), target).unwrap();
            assert_eq!(plan.strategy(), Layered);
        }
    }
    for strategy in [Resident, Fused] {
        let training =
            Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).strategy(strategy);
        let error = Plan::new(&large, &training, DataShape::shared(128), &hardware)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("under the {} strategy", strategy.name())), "{error}");
    }
}

/// Each limit of a device, one after the other, at each small value: what does not fit is named, and
/// nothing reaches wgpu.
#[test]
fn any_limit_may_be_low() {
    type Set = fn(&mut wgpu::Limits, u32);
    macro_rules! limits {
        ($($name:ident),*) => { [$((stringify!($name), (|l, value| l.$name = value as _) as Set)),*] };
    }
    let all = limits![
        max_texture_dimension_2d,
        max_texture_array_layers,
        max_bind_groups,
        max_bindings_per_bind_group,
        max_storage_buffers_per_shader_stage,
        max_storage_textures_per_shader_stage,
        max_uniform_buffers_per_shader_stage,
        max_uniform_buffer_binding_size,
        max_storage_buffer_binding_size,
        max_buffer_size,
        max_compute_workgroup_storage_size,
        max_compute_invocations_per_workgroup,
        max_compute_workgroup_size_x,
        max_compute_workgroup_size_y,
        max_compute_workgroup_size_z,
        max_compute_workgroups_per_dimension,
        max_sampled_textures_per_shader_stage,
        max_immediate_size
    ];
    let mut refused = std::collections::BTreeMap::new();
    for (name, set) in all {
        for value in [0, 1, 2, 3, 5, 7, 8, 63, 64, 255, 1024, 4096, 16_384] {
            let mut limits = wgpu::Limits::default();
            set(&mut limits, value);
            let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor {
                required_limits: limits,
                ..Default::default()
            });
            let uncaptured = Arc::new(AtomicUsize::new(0));
            let counter = uncaptured.clone();
            device.on_uncaptured_error(Arc::new(move |error| {
                eprintln!("uncaptured: {error}");
                counter.fetch_add(1, Ordering::Relaxed);
            }));
            let mut check = |result: Result<(), Error>| match result {
                Ok(()) => (),
                Err(Error::Limit { limit, .. }) => {
                    *refused.entry(limit).or_insert(0) += 1;
                }
                Err(Error::TooLarge { .. } | Error::Argument { .. }) => (),
                Err(other) => panic!("{name} of {value}: {other:?}"),
            };
            match Gpu::from_wgpu(&device, &queue) {
                Err(error) => check(Err(error)),
                Ok(gpu) => uses(&gpu, &mut check),
            }
            assert_eq!(uncaptured.load(Ordering::Relaxed), 0, "{name} of {value}");
        }
    }
    // The test cannot pass by refusing nothing.
    assert!(refused.len() >= 9, "{refused:?}");
}

/// What an application does with a device.
fn uses(gpu: &Gpu, check: &mut impl FnMut(Result<(), Error>)) {
    for strategy in Strategy::ALL {
        for batch in [Batch::Full, Batch::Shuffled { size: 5, seed: 1 }] {
            let training = training().models(2).batch(batch).strategy(*strategy);
            match Trainer::new(gpu, &mlp(), &training, &data(9)) {
                Err(error) => check(Err(error)),
                Ok(mut trainer) => {
                    let mut encoder = gpu.device().create_command_encoder(&Default::default());
                    trainer.record(&mut encoder, 3);
                    gpu.queue().submit([encoder.finish()]);
                    check(pollster::block_on(trainer.losses_async()).map(drop));
                    check(pollster::block_on(trainer.gradients_async()).map(drop));
                    check(pollster::block_on(trainer.health_async()).map(drop));
                    check(pollster::block_on(trainer.predict_async(&[0.0; 40])).map(drop));
                    check(trainer.snapshot().map(drop));
                }
            }
        }
    }
    let limits = gpu.limits();
    let parameters = Parameters::new(mlp(), 1, vec![0.5; mlp().parameters()]).unwrap();
    let (Ok(model), Ok(rows)) = (Model::new(gpu, &parameters), gpu.buffer("rows", 4 * 4 * 4))
    else {
        return;
    };
    if limits.max_texture_dimension_2d < 4 || limits.max_texture_array_layers < 1 {
        return;
    }
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 4, height: 1, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::STORAGE_BINDING,
        view_formats: &[],
    });
    check(model.inference(4, rows.slice(..), wgrad::Output::Texture(&texture)).map(drop));
}

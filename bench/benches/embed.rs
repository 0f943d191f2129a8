//! What a network costs inside an application: evaluated at every pixel of 1280 × 720 in a fragment
//! shader, and the CPU's time to record a training step beside that of an empty dispatch.
//!
//! ```text
//! cargo bench -p wgrad-bench --bench embed
//! ```

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use std::time::{Duration, Instant};
use wgrad::{
    Activation, Data, Gpu, Init, Loss, Mlp, Model, Optimizer, Result, Strategy, Trainer, Training,
};
use wgrad_bench::fragment;

fn main() -> Result<()> {
    let gpu = Gpu::new()?;
    eprintln!("{gpu}");
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let mut group = criterion.benchmark_group("fragment_1280x720");
    group.sampling_mode(SamplingMode::Flat);
    let networks = fragment::networks().map(|(name, mlp)| (name, Some(mlp)));
    let pixels = fragment::SIZE.into_iter().map(u64::from).product::<u64>();
    for (name, mlp) in [("none", None)].into_iter().chain(networks) {
        for source in ["storage", "uniform", "constants"] {
            let weights = mlp.as_ref().map_or(0, Mlp::parameters) as u64;
            if mlp.is_none() && source != "storage" {
                continue;
            }
            let frame = Frame::new(&gpu, mlp.as_ref(), source)?;
            group.throughput(Throughput::Elements((2 * weights * pixels).max(1)));
            group.bench_function(BenchmarkId::new(name, source), |b| b.iter(|| frame.sample(&gpu)));
        }
    }
    group.finish();
    record(&mut criterion, &gpu)?;
    criterion.final_summary();
    Ok(())
}

/// A network drawn over a whole picture.
struct Frame {
    pipeline: wgpu::RenderPipeline,
    group: Option<wgpu::BindGroup>,
    view: wgpu::TextureView,
}

impl Frame {
    fn new(gpu: &Gpu, mlp: Option<&Mlp>, source: &str) -> Result<Self> {
        let device = gpu.device();
        let mut buffer = None;
        let text = match mlp {
            None => {
                "fn net(x: array<f32, 2>) -> array<f32, 1> { return array<f32, 1>(x[0]); }".into()
            }
            Some(mlp) => {
                let parameters = Init::Auto.sample(mlp, 1, 1)?;
                if source == "constants" {
                    parameters.wgsl("net").text()?
                } else {
                    let model = Model::new(gpu, &parameters)?;
                    buffer = Some(model.parameter_buffer().clone());
                    match source {
                        "uniform" => model.wgsl("net").uniform().text()?,
                        _ => model.wgsl("net").text()?,
                    }
                }
            }
        };
        let text = fragment::shader(&text);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: None,
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some(fragment::VERTEX),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some(fragment::FRAGMENT),
                compilation_options: Default::default(),
                targets: &[Some(wgpu::TextureFormat::Rgba8Unorm.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let group = buffer.map(|buffer| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                }],
            })
        });
        let [width, height] = fragment::SIZE;
        let texture = device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            view_formats: &[],
        });
        Ok(Self { pipeline, group, view: texture.create_view(&Default::default()) })
    }

    /// Draws and waits.
    fn sample(&self, gpu: &Gpu) {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &self.view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline);
            if let Some(group) = &self.group {
                pass.set_bind_group(0, group, &[]);
            }
            pass.draw(0..3, 0..1);
        }
        gpu.queue().submit([encoder.finish()]);
        let _ = gpu.device().poll(wgpu::PollType::wait_indefinitely());
    }
}

/// Steps in an encoder of the recording benchmark.
const STEPS: u32 = 1000;

/// The CPU's time to record, per step; nothing is submitted.
fn record(criterion: &mut Criterion, gpu: &Gpu) -> Result<()> {
    let device = gpu.device();
    let mut group = criterion.benchmark_group("record");
    let time = |work: &mut dyn FnMut(&mut wgpu::CommandEncoder), rounds: u64| {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let mut encoder = device.create_command_encoder(&Default::default());
            let start = Instant::now();
            work(&mut encoder);
            spent += start.elapsed();
            drop(encoder.finish());
        }
        spent / STEPS
    };
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(
            "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
            @compute @workgroup_size(1) fn nothing() { if (a[0] == 12345u) { a[0] = 0u; } }"
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
    let bind = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[wgpu::BindGroupEntry {
            binding: 0,
            resource: gpu.buffer("one", 4)?.as_entire_binding(),
        }],
    });
    group.bench_function("an empty dispatch", |b| {
        b.iter_custom(|rounds| {
            time(
                &mut |encoder| {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    for _ in 0..STEPS {
                        pass.set_pipeline(&pipeline);
                        pass.set_bind_group(0, &bind, &[]);
                        pass.dispatch_workgroups(1, 1, 1);
                    }
                },
                rounds,
            )
        });
    });
    let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(16, Activation::Tanh);
    let mlp = mlp.layer(1, Activation::Identity);
    let data = Data::new(2, 1, vec![0.5; 512], vec![0.5; 256])?;
    for strategy in Strategy::ALL {
        let training =
            Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01)).strategy(*strategy);
        let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
        let each = trainer.plan().dispatches(STEPS) as f64 / f64::from(STEPS);
        let name = format!("{}, {each:.3} dispatches a step", strategy.name());
        group.bench_function(name, |b| {
            b.iter_custom(|rounds| time(&mut |encoder| trainer.record(encoder, STEPS), rounds));
        });
    }
    group.finish();
    Ok(())
}

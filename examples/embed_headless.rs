//! An application without a window: its own device, its own passes, and a network that learns
//! between them.
//!
//! In each frame the application records into one encoder: as many training steps as its budget
//! allows, then a render pass that evaluates the network in a fragment shader at every pixel
//! (`Trainer::wgsl`), draws the training points and the loss curve, all from the trainer's buffers,
//! without a copy to the CPU. The film shows the boundary being learnt; then the same frames with all
//! the steps that fit show what the training delays.
//!
//! ```text
//! cargo run --release --example embed_headless
//! cargo run --release --example embed_headless -- circles --budget 4
//! ```
//!
//! Films and pictures in `out/embed/`: `circles.gif`, `circles.png`, `xor.gif`, `xor.png`. `--help`
//! lists the options.

mod common;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::{Options, Outcome, Stop, say};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbaImage};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::plan::Buffer;
use wgrad::{Activation, Dataset, FrameBudget, Gpu, Init, Loss, Mlp, Optimizer, Trainer, Training};

/// Trains a network between the passes of an application and draws it in its fragment shader
#[derive(Parser)]
#[command(name = "embed_headless", args_override_self = true)]
#[command(after_help = "Example: embed_headless circles --budget 4 --size 512")]
struct Arguments {
    /// The points of each film; both unless they are given
    #[arg(value_parser = common::one_of([Dataset::Circles, Dataset::Xor].map(|d| (d.name(), d))))]
    datasets: Vec<Dataset>,
    /// Frames of the film; 90, or 12 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    frames: Option<u32>,
    /// Pixels a side; 360, or 120 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=2048))]
    size: Option<u32>,
    /// Milliseconds of training a frame
    #[arg(long, value_name = "MS", default_value = "2", value_parser = common::between(0.01, 1000.0))]
    budget: f64,
    /// Frames of the measurement; 300, or 30 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    measured: Option<usize>,
    /// Measure by when submissions are done, not by the GPU's clock
    #[arg(long)]
    no_timestamps: bool,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    common::run(films)
}

/// What the command line asks for.
struct Asked {
    frames: u32,
    budget: Duration,
    measured: usize,
    untimed: bool,
}

fn films(arguments: Arguments) -> Outcome {
    let Arguments { options, datasets, frames, size, budget, measured, no_timestamps } = arguments;
    let or = |full, quick| if options.quick { quick } else { full };
    let asked = Asked {
        frames: frames.unwrap_or(or(90, 12)),
        budget: Duration::from_secs_f64(budget / 1e3),
        measured: measured.unwrap_or(or(300, 30) as usize),
        untimed: no_timestamps,
    };
    let all = [Dataset::Circles, Dataset::Xor];
    let datasets = if datasets.is_empty() { &all[..] } else { &datasets };
    let app = App::new(size.unwrap_or(or(360, 120)))?;
    say!(options, "device: {}", app.gpu);
    for dataset in datasets {
        app.film(*dataset, &asked, &options)?;
    }
    Ok(())
}

/// The application: what it would have without any network.
struct App {
    gpu: Gpu,
    size: u32,
    target: wgpu::Texture,
    staging: wgpu::Buffer,
}

/// Timestamps of a frame: its start, and that of its render pass.
struct Clock {
    set: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
}

/// The application's own shaders; `net` is the network's function.
const SHADERS: &str = "
struct Status { step: u32, updates: u32, epoch: u32, position: u32, more: array<u32> }
@group(0) @binding(1) var<storage, read> inputs: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read> losses: array<f32>;
@group(0) @binding(4) var<storage, read> status: Status;

struct Corner { @builtin(position) position: vec4<f32>, @location(0) at: vec2<f32>, @location(1) label: f32 }

const ZERO = vec3<f32>(0.17, 0.42, 0.69);
const ONE = vec3<f32>(0.90, 0.47, 0.13);

@vertex fn whole(@builtin(vertex_index) i: u32) -> Corner {
    let at = vec2<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0);
    return Corner(vec4<f32>(at, 0.0, 1.0), at, 0.0);
}

// The probability at every pixel, and the line where it is one half.
@fragment fn map(corner: Corner) -> @location(0) vec4<f32> {
    let p = CENTRE + HALF * corner.at;
    let y = net(array<f32, 2>(p.x, p.y))[0];
    // From the network's own gradient and not by fwidth: llvmpipe's helper invocations read zeros.
    let g = net_gradient(array<f32, 2>(p.x, p.y));
    let pixel = 2.0 * HALF / SIZE * length(vec2<f32>(g[0], g[1]));
    let line = 1.0 - smoothstep(0.5, 1.5, abs(y - 0.5) / max(pixel, 1e-6));
    let colour = mix(mix(ZERO, vec3<f32>(0.97), smoothstep(0.0, 0.5, y)), ONE, smoothstep(0.5, 1.0, y));
    return vec4<f32>(mix(colour, vec3<f32>(0.1), line), 1.0);
}

// A training point an instance.
@vertex fn point(@builtin(vertex_index) i: u32, @builtin(instance_index) row: u32) -> Corner {
    let corner = vec2<f32>(f32(i & 1u), f32(i >> 1u)) * 2.0 - 1.0;
    let centre = (vec2<f32>(inputs[2u * row], inputs[2u * row + 1u]) - CENTRE) / HALF;
    return Corner(vec4<f32>(centre + 0.012 * corner, 0.0, 1.0), corner, targets[row]);
}

@fragment fn disc(corner: Corner) -> @location(0) vec4<f32> {
    let r = length(corner.at);
    if (r > 1.0) { discard; }
    let colour = mix(ZERO, ONE, corner.label) * 0.6;
    return vec4<f32>(select(colour, vec3<f32>(1.0), r > 0.75), 1.0);
}

// The loss of every step until now, from the ring on the GPU.
@fragment fn curve(corner: Corner) -> @location(0) vec4<f32> {
    let step = u32((corner.at.x * 0.5 + 0.5) * f32(status.step));
    let first = status.step - min(status.step, arrayLength(&losses));
    let loss = losses[max(step, first) % arrayLength(&losses)];
    let height = corner.at.y * 0.5 + 0.5;
    let below = status.step > 0u && height < loss / 0.8;
    return vec4<f32>(vec3<f32>(0.1), select(0.25, 0.75, below));
}
";

fn centre_and_half(dataset: Dataset) -> ([f32; 2], f32) {
    match dataset {
        Dataset::Xor => ([0.5, 0.5], 0.75),
        _ => ([0.0, 0.0], 1.2),
    }
}

impl App {
    fn new(size: u32) -> Outcome<Self> {
        let failed = |error: &dyn std::fmt::Display| Stop::Failed(error.to_string());
        let (device, queue) = pollster::block_on(async {
            let instance = wgpu::Instance::default();
            let adapter = instance.request_adapter(&Default::default()).await.map_err(|error| {
                failed(&format!("no GPU: {}", common::one_line(&error.to_string())))
            })?;
            let descriptor = wgpu::DeviceDescriptor {
                required_features: adapter.features() & wgpu::Features::TIMESTAMP_QUERY,
                ..Default::default()
            };
            adapter.request_device(&descriptor).await.map_err(|error| failed(&error))
        })?;
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("frame"),
            size: wgpu::Extent3d { width: size, height: size, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("picture"),
            size: u64::from(line(size) * size),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Ok(Self { gpu: Gpu::from_wgpu(&device, &queue)?, size, target, staging })
    }

    /// The three draws of a frame: the map, the points, the curve.
    fn pipelines(&self, trainer: &Trainer, dataset: Dataset) -> Outcome<Draws> {
        let device = self.gpu.device();
        let ([x, y], half) = centre_and_half(dataset);
        let text = format!(
            "{}\n{SHADERS}\nconst CENTRE = vec2<f32>({x:?}, {y:?});\nconst HALF = f32({half:?});\nconst SIZE = {}.0;\n",
            trainer.wgsl("net").uniform().gradient().text()?,
            self.size
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("the application's shaders"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let names =
            [Buffer::Parameters, Buffer::Inputs, Buffer::Targets, Buffer::Losses, Buffer::Status];
        let entries: Vec<_> = (0..5)
            .map(|binding| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
                ty: wgpu::BindingType::Buffer {
                    // The parameters, which the network's function reads.
                    ty: match binding {
                        0 => wgpu::BufferBindingType::Uniform,
                        _ => wgpu::BufferBindingType::Storage { read_only: true },
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: None,
            entries: &entries,
        });
        let missing = || Stop::Failed("a buffer of the trainer is missing".into());
        let bound = (0..).zip(names).map(|(binding, name)| {
            let buffer = trainer.buffer(name).ok_or_else(missing)?;
            Ok(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
        });
        let bound = bound.collect::<Outcome<Vec<_>>>()?;
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &layout,
            entries: &bound,
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let draw = |vertex, fragment, topology| {
            device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                label: Some(fragment),
                layout: Some(&layout),
                vertex: wgpu::VertexState {
                    module: &module,
                    entry_point: Some(vertex),
                    compilation_options: Default::default(),
                    buffers: &[],
                },
                primitive: wgpu::PrimitiveState { topology, ..Default::default() },
                depth_stencil: None,
                multisample: Default::default(),
                fragment: Some(wgpu::FragmentState {
                    module: &module,
                    entry_point: Some(fragment),
                    compilation_options: Default::default(),
                    targets: &[Some(wgpu::ColorTargetState {
                        format: self.target.format(),
                        blend: Some(wgpu::BlendState::ALPHA_BLENDING),
                        write_mask: wgpu::ColorWrites::ALL,
                    })],
                }),
                multiview_mask: None,
                cache: None,
            })
        };
        use wgpu::PrimitiveTopology::{TriangleList, TriangleStrip};
        Ok(Draws {
            group,
            map: draw("whole", "map", TriangleList),
            points: draw("point", "disc", TriangleStrip),
            curve: draw("whole", "curve", TriangleList),
        })
    }

    fn clock(&self) -> Option<Clock> {
        let device = self.gpu.device();
        let has = device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("the frame's timestamps"),
                size: 16,
                usage,
                mapped_at_creation: false,
            })
        };
        use wgpu::BufferUsages as Usage;
        has.then(|| Clock {
            set: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: None,
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: buffer(Usage::QUERY_RESOLVE | Usage::COPY_SRC),
            staging: buffer(Usage::MAP_READ | Usage::COPY_DST),
        })
    }

    /// One frame: the training between the application's own passes. Its steps, and by how much its
    /// render pass began later.
    fn frame(
        &self,
        trainer: &mut Trainer,
        budget: &mut FrameBudget,
        draws: &Draws,
        clock: Option<&Clock>,
    ) -> wgrad::Result<(wgrad::FrameReport, Option<f64>)> {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        if let Some(clock) = clock {
            encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("start of the frame"),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &clock.set,
                    beginning_of_pass_write_index: None,
                    end_of_pass_write_index: Some(0),
                }),
            });
        }
        let frame = budget.record(trainer, &mut encoder)?;
        let view = self.target.create_view(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("the application's own pass"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                timestamp_writes: clock.map(|clock| wgpu::RenderPassTimestampWrites {
                    query_set: &clock.set,
                    beginning_of_pass_write_index: Some(1),
                    end_of_pass_write_index: None,
                }),
                ..Default::default()
            });
            pass.set_bind_group(0, &draws.group, &[]);
            pass.set_pipeline(&draws.map);
            pass.draw(0..3, 0..1);
            pass.set_pipeline(&draws.points);
            pass.draw(0..4, 0..POINTS as u32);
            let side = self.size as f32;
            pass.set_viewport(0.0, 0.86 * side, side, 0.14 * side, 0.0, 1.0);
            pass.set_pipeline(&draws.curve);
            pass.draw(0..3, 0..1);
        }
        if let Some(clock) = clock {
            encoder.resolve_query_set(&clock.set, 0..2, &clock.resolved, 0);
            encoder.copy_buffer_to_buffer(&clock.resolved, 0, &clock.staging, 0, 16);
        }
        self.gpu.queue().submit([encoder.finish()]);
        let delay = clock.and_then(|clock| {
            let ticks: Vec<u64> = bytemuck::pod_collect_to_vec(&self.map(&clock.staging)?);
            let delay = ticks[1].saturating_sub(ticks[0]) as f64;
            Some(delay * f64::from(self.gpu.queue().get_timestamp_period()) / 1e6)
        });
        Ok((frame, delay))
    }

    /// What a staging buffer holds, once the GPU is done.
    fn map(&self, staging: &wgpu::Buffer) -> Option<Vec<u8>> {
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.gpu.device().poll(wgpu::PollType::wait_indefinitely()).ok()?;
        let bytes = staging.get_mapped_range(..).ok()?.to_vec();
        staging.unmap();
        Some(bytes)
    }

    fn picture(&self) -> Outcome<RgbaImage> {
        let (size, line) = (self.size, line(self.size));
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        encoder.copy_texture_to_buffer(
            self.target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &self.staging,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(line),
                    rows_per_image: None,
                },
            },
            self.target.size(),
        );
        self.gpu.queue().submit([encoder.finish()]);
        let bytes =
            self.map(&self.staging).ok_or_else(|| Stop::Failed("the device is lost".into()))?;
        let rows = bytes.chunks(line as usize).flat_map(|row| &row[..4 * size as usize]);
        RgbaImage::from_raw(size, size, rows.copied().collect())
            .ok_or_else(|| Stop::Failed("a picture of the wrong size".into()))
    }

    fn film(&self, dataset: Dataset, asked: &Asked, options: &Options) -> Outcome {
        let data = dataset.sample(POINTS, 0)?;
        let mlp = Mlp::new(2).layer(8, Activation::Tanh).layer(1, Activation::Sigmoid);
        let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.01))
            .init(Init::Auto)
            .seed(2)
            .history(1 << 16);
        let mut trainer = Trainer::new(&self.gpu, &mlp, &training, &data)?;
        let warm = trainer.warm_up()?;
        say!(options, "{}: warm-up {:.0} ms", dataset.name(), warm.time.as_secs_f64() * 1e3);
        let draws = self.pipelines(&trainer, dataset)?;
        let mut budget = FrameBudget::new(&self.gpu, asked.budget)?;
        if asked.untimed {
            budget = budget.without_timestamps();
        }
        // The film: slow enough to be seen, however fast the device is.
        budget.set_max_steps(24);
        let folder = options.out.join("embed");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.gif", dataset.name()));
        let failed = |error: image::ImageError| Stop::Failed(error.to_string());
        let file = std::io::BufWriter::new(std::fs::File::create(&path)?);
        let mut film = GifEncoder::new_with_speed(file, 10);
        film.set_repeat(Repeat::Infinite).map_err(failed)?;
        let mut steps = 0;
        for _ in 0..asked.frames {
            steps += self.frame(&mut trainer, &mut budget, &draws, None)?.0.steps;
            let delay = Delay::from_numer_denom_ms(50, 1);
            film.encode_frame(Frame::from_parts(self.picture()?, 0, 0, delay)).map_err(failed)?;
        }
        drop(film);
        say!(options, "wrote {} ({} frames, {steps} steps)", path.display(), asked.frames);
        let path = path.with_extension("png");
        self.picture()?.save(&path).map_err(failed)?;
        say!(options, "wrote {}", path.display());
        self.measure(&mut trainer, &mut budget, &draws, asked, options)
    }

    /// Frames at 60 a second with all the steps that fit: how they delay the application's pass.
    fn measure(
        &self,
        trainer: &mut Trainer,
        budget: &mut FrameBudget,
        draws: &Draws,
        asked: &Asked,
        options: &Options,
    ) -> Outcome {
        let Some(clock) = self.clock() else {
            say!(options, "the device has no timestamps: delays are not measured");
            return Ok(());
        };
        budget.set_max_steps(u32::MAX);
        let mut run = |training: bool| {
            if training {
                budget.resume()
            } else {
                budget.pause()
            }
            let mut delays = Vec::new();
            let (mut steps, mut cost) = (0, None);
            let mut next = Instant::now();
            // A budget starts with a few frames that only learn what a step costs.
            for frame in 0..asked.measured + 30 {
                next += Duration::from_micros(16_667);
                let (told, delay) = self.frame(trainer, budget, draws, Some(&clock))?;
                cost = told.step.or(cost);
                if frame >= 30 {
                    delays.extend(delay);
                    steps += told.steps;
                }
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                next = next.max(Instant::now() - Duration::from_micros(16_667));
            }
            delays.sort_by(f64::total_cmp);
            Ok::<_, wgrad::Error>((delays, steps, cost))
        };
        let (without, ..) = run(false)?;
        let (with, steps, cost) = run(true)?;
        let ms = |delays: &[f64]| {
            let at = |share: f64| delays[((delays.len() - 1) as f64 * share) as usize];
            format!(
                "median {:.2}, 90 % {:.2}, 99 % {:.2}, most {:.2} ms",
                at(0.5),
                at(0.9),
                at(0.99),
                at(1.0)
            )
        };
        let cost = cost.map_or(f64::NAN, |cost| cost.as_secs_f64() * 1e6);
        let clock = if budget.reads_timestamps() { "the GPU's clock" } else { "submissions done" };
        let budget = asked.budget.as_secs_f64() * 1e3;
        say!(
            options,
            "{} frames, budget {budget} ms by {clock}, {:.0} steps a frame, a step {cost:.1} µs",
            asked.measured,
            f64::from(steps) / asked.measured as f64
        );
        say!(options, "  the application's pass begins after: {}", ms(&with));
        say!(options, "  the same without training:           {}", ms(&without));
        Ok(())
    }
}

/// What a frame draws.
struct Draws {
    group: wgpu::BindGroup,
    map: wgpu::RenderPipeline,
    points: wgpu::RenderPipeline,
    curve: wgpu::RenderPipeline,
}

/// Training points.
const POINTS: usize = 600;

/// Bytes of a line of the picture as it is copied.
const fn line(size: u32) -> u32 {
    (4 * size).next_multiple_of(256)
}

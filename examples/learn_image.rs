//! A picture learnt by a small network: position in, colour out. The landscape that comes with it was drawn
//! by a program, for this example.
//!
//! Positions are drawn and the picture is sampled on the GPU, by a shader of this example that fills the
//! trainer's buffers between its steps: nothing goes over the bus in a step. What was learnt is
//! then a function of the example's own fragment shader, which draws a part of the picture far
//! beyond its resolution.
//!
//! ```text
//! cargo run --release --example learn_image
//! cargo run --release --example learn_image -- photograph.jpg --preset frequency
//! cargo run --release --example learn_image -- photograph.jpg --config tiny-cuda-nn.json
//! ```
//!
//! Pictures in `out/learn_image/`. `--help` lists the options.

mod common;
#[path = "common/submit.rs"]
mod submit;

use clap::Parser;
use common::{Options, Outcome, Stop, say, usage};
use image::imageops::{FilterType, resize};
use image::{ImageBuffer, Rgb, RgbImage};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgpu::util::DeviceExt as _;
use wgrad::encoding::{Frequency, Grid, Identity, OneBlob};
use wgrad::plan::Buffer;
use wgrad::{
    Activation, Adam, Config, CpuTrainer, Data, DataBuffers, DataShape, Gpu, Init, Loss, Mlp,
    Train, Trainer, Training,
};
use wgrad_plot::{Picture, Series};

/// Learns a picture: a network from the position to the colour, trained on random samples
#[derive(Parser)]
#[command(name = "learn_image", args_override_self = true)]
#[command(after_help = "Example: learn_image photograph.jpg --preset hash --steps 2000")]
struct Arguments {
    /// A PNG, JPEG, WebP, BMP, GIF or PNM file; without one, a landscape that comes with it
    picture: Option<PathBuf>,
    /// The network and its training
    #[arg(long, value_name = "NAME", default_value = "hash", value_parser = ["hash", "frequency", "oneblob", "siren"])]
    preset: String,
    /// Encoding, network, loss and optimizer from a JSON file in tiny-cuda-nn's words
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Training steps; 1000, or 60 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Samples a step; 262144 on a GPU, 16384 on one of software or a CPU, 4096 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 22))]
    batch: Option<u32>,
    /// Seed of the samples and the first parameters
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Middle of what is drawn beyond the resolution, as shares of the picture's sides; 0.5,0.5, of
    /// the landscape its windows, unless it is given
    #[arg(long, value_name = "X,Y", value_parser = two_shares)]
    crop: Option<[f64; 2]>,
    /// The time of each kernel of a step (GPU)
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    options: Options,
}

fn two_shares(text: &str) -> Result<[f64; 2], &'static str> {
    let share = |t: &str| t.parse().ok().filter(|v| (0.0..=1.0).contains(v));
    let both = text.split_once(',').and_then(|(x, y)| Some([share(x)?, share(y)?]));
    both.ok_or("allowed: two numbers of 0 to 1 with a comma between them")
}

/// The picture that comes with the example.
const LANDSCAPE: &[u8] = include_bytes!("pictures/landscape.jpg");

/// Steps of a submission, at most: a progress bar should move.
const CHUNK: u32 = 50;

fn main() -> ExitCode {
    common::run(|arguments: Arguments| learn(&arguments))
}

impl Arguments {
    /// The network and its training, without batch and seed.
    fn recipe(&self) -> Outcome<(Mlp, Training)> {
        if let Some(path) = &self.config {
            let config = Config::load(path, 2, 3)?;
            return Ok((config.mlp, config.training));
        }
        Ok(preset(&self.preset))
    }
}

/// `hash` is tiny-cuda-nn's sample; the others are as wide as they have to be to show what they can.
fn preset(name: &str) -> (Mlp, Training) {
    let layers = |mlp: Mlp, count: usize, units, activation| {
        let deep = (0..count).fold(mlp, |mlp, _| mlp.layer(units, activation));
        deep.layer(3, Activation::Identity)
    };
    let adam = |rate| Adam { rate, beta2: 0.99, ..Adam::default() };
    let relu = Activation::Relu;
    match name {
        "frequency" => {
            let mlp = Mlp::new(2).encode(2, Frequency { frequencies: 10 });
            (layers(mlp, 4, 64, relu), Training::new(Loss::RelativeL2, adam(2e-3)))
        }
        "oneblob" => {
            let mlp = Mlp::new(2).encode(2, OneBlob { bins: 64 });
            (layers(mlp, 4, 64, relu), Training::new(Loss::RelativeL2, adam(2e-3)))
        }
        "siren" => {
            let mlp = Mlp::new(2).encode(2, Identity { scale: 2.0, offset: -1.0 });
            let training = Training::new(Loss::RelativeL2, adam(5e-3)).init(Init::Siren).seed(0);
            (layers(mlp, 4, 64, Activation::Sine), training)
        }
        _ => {
            let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
            let adam = Adam { epsilon: 1e-15, l2: 1e-6, lazy: true, ..adam(1e-2) };
            let mlp = layers(Mlp::new(2).encode(2, grid), 2, 64, relu);
            (mlp, Training::new(Loss::RelativeL2, adam).init(Init::GlorotUniform).seed(0))
        }
    }
}

fn learn(asked: &Arguments) -> Outcome {
    let options = &asked.options;
    let (mlp, training) = asked.recipe()?;
    let source = Source::read(asked.picture.as_deref(), options.quick)?;
    let gpu = options.gpu()?;
    let hardware = gpu.as_ref().is_some_and(|gpu| !gpu.is_software());
    let batch = asked.batch.unwrap_or(match (options.quick, hardware) {
        (true, _) => 4096,
        (_, true) => 1 << 18,
        _ => 1 << 14,
    });
    let steps = asked.steps.unwrap_or(if options.quick { 60 } else { 1000 });
    let training = training.history(steps.min(4096) as usize);
    let training = Training { seed: asked.seed.into(), ..training };
    let mut learner = match &gpu {
        Some(gpu) => Learner::on_gpu(gpu, &mlp, &training, &source, batch, asked.seed)?,
        None => Learner::on_cpu(&mlp, &training, &source, batch, asked.seed)?,
    };
    say!(options, "device: {}", learner.trainer().device());
    say!(options, "picture: {}, {} x {}", source.name, source.width(), source.height());
    say!(
        options,
        "network: {mlp}; {} parameters; {batch} samples a step",
        common::thousands(mlp.parameters())
    );
    if asked.profile {
        match &mut learner {
            Learner::Gpu(on_gpu) => {
                let before = on_gpu.trainer.parameters()?;
                on_gpu.profile(options)?;
                on_gpu.trainer.restart(&before)?;
            }
            Learner::Cpu(_) => return Err(usage("--profile needs a GPU: --device gpu")),
        }
    }
    let learnt = run(&mut learner, &source, batch, steps, options)?;
    report(&learnt, &source, &mlp, options)?;
    // Of the landscape, the windows.
    let centre = if asked.picture.is_some() { [0.5, 0.5] } else { [0.11, 0.6] };
    let crop = Crop::new(&source, asked.crop.unwrap_or(centre));
    let drawn = match &learner {
        Learner::Gpu(on_gpu) => on_gpu.draw(&crop)?,
        Learner::Cpu(_) => crop.by_prediction(learner.trainer())?,
    };
    let (original, width) = (crop.of(&source), crop.size[0]);
    let pair = [
        wgrad_plot::titled("original", width, original.as_raw())?,
        wgrad_plot::titled(
            &format!("learnt, at {} times the resolution", crop.zoom()),
            width,
            &drawn,
        )?,
    ];
    options.save(&wgrad_plot::side_by_side(&pair)?, folder("crop.png"))?;
    let file = options.out.join(folder("parameters.safetensors"));
    learner.trainer().inference_parameters()?.save(&file)?;
    say!(options, "wrote {}", file.display());
    Ok(())
}

fn folder(name: &str) -> PathBuf {
    Path::new("learn_image").join(name)
}

/// The picture: 8 bits a channel as they were, and linear light.
struct Source {
    name: String,
    srgb: RgbImage,
    linear: Vec<f32>,
    /// Bytes of the file.
    bytes: usize,
}

/// The light that a channel's value stands for (IEC 61966-2-1).
fn to_linear(value: u8) -> f32 {
    let v = f64::from(value) / 255.0;
    let light = if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    light as f32
}

/// The value that stands for a light, 0 to 255, not rounded.
fn to_srgb(light: f32) -> f64 {
    let v = f64::from(light).clamp(0.0, 1.0);
    255.0 * if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

fn to_pixels(linear: &[f32]) -> Vec<u8> {
    linear.iter().map(|light| to_srgb(*light).round() as u8).collect()
}

impl Source {
    fn read(path: Option<&Path>, half: bool) -> Outcome<Self> {
        let failed = |what: &str, error: &dyn std::fmt::Display| {
            Stop::Failed(format!("cannot read the picture {what}: {error}"))
        };
        let (name, bytes) = match path {
            None => ("the landscape".to_owned(), LANDSCAPE.to_vec()),
            Some(path) => {
                let name = path.display().to_string();
                let bytes = std::fs::read(path).map_err(|error| failed(&name, &error))?;
                (name, bytes)
            }
        };
        let decoded = image::load_from_memory(&bytes).map_err(|error| failed(&name, &error))?;
        let mut srgb = decoded.to_rgb8();
        if half {
            let [width, height] = [srgb.width(), srgb.height()].map(|side| (side / 2).max(1));
            srgb = resize(&srgb, width, height, FilterType::Triangle);
        }
        let table: Vec<f32> = (0..=255).map(to_linear).collect();
        let linear = srgb.as_raw().iter().map(|v| table[usize::from(*v)]).collect();
        Ok(Self { name, srgb, linear, bytes: bytes.len() })
    }

    fn width(&self) -> u32 {
        self.srgb.width()
    }

    fn height(&self) -> u32 {
        self.srgb.height()
    }

    /// The middles of all pixels, row by row.
    fn middles(&self) -> Vec<f32> {
        let at = |i: u32, side: u32| (f64::from(i) + 0.5) / f64::from(side);
        let row = |y| {
            let middle = move |x| [at(x, self.width()) as f32, at(y, self.height()) as f32];
            (0..self.width()).flat_map(middle)
        };
        (0..self.height()).flat_map(row).collect()
    }

    /// The light at a place, between the middles of four pixels in proportion.
    fn sample(&self, place: [f32; 2]) -> [f32; 3] {
        let size = [self.width(), self.height()];
        let (mut low, mut share) = ([0_usize; 2], [0.0_f32; 2]);
        let mut high = low;
        for d in 0..2 {
            let at = place[d] * size[d] as f32 - 0.5;
            let floor = at.floor();
            share[d] = at - floor;
            let held = |v: f32| v.clamp(0.0, size[d] as f32 - 1.0) as usize;
            (low[d], high[d]) = (held(floor), held(floor + 1.0));
        }
        let texel = |x: usize, y: usize, c: usize| self.linear[3 * (y * size[0] as usize + x) + c];
        let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
        std::array::from_fn(|c| {
            let above = mix(texel(low[0], low[1], c), texel(high[0], low[1], c), share[0]);
            let below = mix(texel(low[0], high[1], c), texel(high[0], high[1], c), share[0]);
            mix(above, below, share[1])
        })
    }
}

/// Peak signal-to-noise ratio in dB of what was learnt, as 8-bit sRGB values would be but not rounded.
fn psnr(source: &Source, learnt: &[f32]) -> f64 {
    let pairs = source.srgb.as_raw().iter().zip(learnt);
    let sum: f64 = pairs.map(|(v, light)| (f64::from(*v) - to_srgb(*light)).powi(2)).sum();
    10.0 * (255.0_f64.powi(2) * learnt.len() as f64 / sum).log10()
}

/// Draws samples: the shader's twin, whose constants are those of `lowbias32` by Wellons.
const SAMPLER: &str = "
@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var<storage, read> status: array<u32>;
@group(0) @binding(2) var<storage, read_write> places: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> lights: array<f32>;

fn mix_bits(bits: u32) -> u32 {
    var x = bits;
    x ^= x >> 16u;
    x *= 0x7feb352du;
    x ^= x >> 15u;
    x *= 0x846ca68bu;
    return x ^ (x >> 16u);
}

@compute @workgroup_size(64)
fn sample(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= BATCH) {
        return;
    }
    // The trainer's own step counter: no two steps draw the same places.
    let a = mix_bits(id.x ^ mix_bits(status[0] ^ SEED));
    let b = mix_bits(a + 0x9e3779b9u);
    let place = vec2<f32>(vec2<u32>(a, b) >> vec2<u32>(8u)) / 16777216.0;
    let size = vec2<i32>(textureDimensions(picture));
    let at = place * vec2<f32>(size) - 0.5;
    let low = vec2<i32>(floor(at));
    let share = at - floor(at);
    let p = clamp(low, vec2<i32>(), size - 1);
    let q = clamp(low + 1, vec2<i32>(), size - 1);
    // A texture of sRGB values: what a load gives is linear.
    let above = mix(textureLoad(picture, p, 0), textureLoad(picture, vec2<i32>(q.x, p.y), 0), share.x);
    let below = mix(textureLoad(picture, vec2<i32>(p.x, q.y), 0), textureLoad(picture, q, 0), share.x);
    let light = mix(above, below, share.y);
    places[id.x] = place;
    lights[3u * id.x] = light.x;
    lights[3u * id.x + 1u] = light.y;
    lights[3u * id.x + 2u] = light.z;
}
";

fn mix_bits(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// Where sample `i` of a step lies.
fn place(i: u32, step: u32, seed: u32) -> [f32; 2] {
    let a = mix_bits(i ^ mix_bits(step ^ seed));
    let b = mix_bits(a.wrapping_add(0x9e37_79b9));
    [a, b].map(|bits| (bits >> 8) as f32 / 16_777_216.0)
}

enum Learner<'a> {
    Gpu(Box<OnGpu>),
    Cpu(Box<OnCpu<'a>>),
}

/// The trainer, and the example's own pass that fills its data.
struct OnGpu {
    gpu: Gpu,
    trainer: Trainer,
    sampler: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: u32,
}

struct OnCpu<'a> {
    trainer: CpuTrainer<f32>,
    source: &'a Source,
    batch: u32,
    seed: u32,
    step: u32,
}

impl OnCpu<'_> {
    fn sample(source: &Source, batch: u32, step: u32, seed: u32) -> Outcome<Data> {
        let places: Vec<_> = (0..batch).map(|i| place(i, step, seed)).collect();
        let lights = places.iter().flat_map(|place| source.sample(*place)).collect();
        Ok(Data::new(2, 3, places.into_iter().flatten().collect(), lights)?)
    }
}

impl<'a> Learner<'a> {
    fn on_cpu(
        mlp: &Mlp,
        training: &Training,
        source: &'a Source,
        batch: u32,
        seed: u32,
    ) -> Outcome<Self> {
        let data = OnCpu::sample(source, batch, 0, seed)?;
        let trainer = CpuTrainer::new(mlp, training, &data)?;
        Ok(Self::Cpu(Box::new(OnCpu { trainer, source, batch, seed, step: 0 })))
    }

    fn on_gpu(
        gpu: &Gpu,
        mlp: &Mlp,
        training: &Training,
        source: &Source,
        batch: u32,
        seed: u32,
    ) -> Outcome<Self> {
        let device = gpu.device();
        let most = device.limits().max_texture_dimension_2d;
        if source.width().max(source.height()) > most {
            let text = format!("a picture of at most {most} pixels a side fits a texture here");
            return Err(Stop::Failed(text));
        }
        let size = wgpu::Extent3d {
            width: source.width(),
            height: source.height(),
            depth_or_array_layers: 1,
        };
        let mut rgba = Vec::with_capacity(source.srgb.len() / 3 * 4);
        source.srgb.pixels().for_each(|Rgb([r, g, b])| rgba.extend([*r, *g, *b, 255]));
        let picture = device.create_texture_with_data(
            gpu.queue(),
            &wgpu::TextureDescriptor {
                label: Some("picture"),
                size,
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8UnormSrgb,
                usage: wgpu::TextureUsages::TEXTURE_BINDING,
                view_formats: &[],
            },
            wgpu::util::TextureDataOrder::LayerMajor,
            &rgba,
        );
        let places = gpu.buffer("places", 8 * u64::from(batch))?;
        let lights = gpu.buffer("lights", 12 * u64::from(batch))?;
        let data =
            DataBuffers::new(DataShape::shared(batch as usize), places.slice(..), lights.slice(..));
        let trainer = Trainer::with_buffers(gpu, mlp, training, data)?;
        let text = format!("const BATCH: u32 = {batch}u;\nconst SEED: u32 = {seed}u;\n{SAMPLER}");
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("sampler"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let sampler = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("sampler"),
            layout: None,
            module: &module,
            entry_point: Some("sample"),
            compilation_options: Default::default(),
            cache: None,
        });
        let status = trainer.buffer(Buffer::Status);
        let status = status.ok_or_else(|| Stop::Failed("the trainer has no status".into()))?;
        let view = picture.create_view(&Default::default());
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("sampler"),
            layout: &sampler.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&view)),
                entry(1, status.as_entire_binding()),
                entry(2, places.as_entire_binding()),
                entry(3, lights.as_entire_binding()),
            ],
        });
        let workgroups = batch.div_ceil(64);
        let gpu = gpu.clone();
        Ok(Self::Gpu(Box::new(OnGpu { gpu, trainer, sampler, group, workgroups })))
    }

    fn trainer(&mut self) -> &mut dyn Train<Scalar = f32> {
        match self {
            Self::Gpu(on_gpu) => &mut on_gpu.trainer,
            Self::Cpu(on_cpu) => &mut on_cpu.trainer,
        }
    }

    /// Takes `steps` steps, each on samples of its own, and waits for them: the last one's loss.
    fn train(&mut self, steps: u32) -> Outcome<f32> {
        match self {
            Self::Gpu(on_gpu) => {
                let device = on_gpu.gpu.device();
                let mut encoder = device.create_command_encoder(&Default::default());
                for _ in 0..steps {
                    on_gpu.sample(&mut encoder);
                    on_gpu.trainer.record(&mut encoder, 1);
                }
                on_gpu.gpu.queue().submit([encoder.finish()]);
            }
            Self::Cpu(on_cpu) => {
                for _ in 0..steps {
                    let OnCpu { trainer, source, batch, seed, step } = &mut **on_cpu;
                    trainer.set_data(&OnCpu::sample(source, *batch, *step, *seed)?)?;
                    trainer.train(1)?;
                    *step += 1;
                }
            }
        }
        if let Some(Some(step)) = self.trainer().diverged()?.first() {
            return Err(Stop::Failed(format!("the training diverged at step {step}")));
        }
        Ok(self.trainer().losses()?.last().first().copied().unwrap_or(f32::NAN))
    }

    /// Steps of a submission: a driver should not take one for a hang.
    fn chunk(&self) -> u32 {
        match self {
            Self::Gpu(on_gpu) => {
                let most = (1_u64 << 35) / on_gpu.trainer.plan().work().operations.max(1);
                u32::try_from(most).unwrap_or(CHUNK).clamp(1, CHUNK)
            }
            Self::Cpu(_) => 10,
        }
    }
}

impl OnGpu {
    /// Fills the data with samples for the step that comes.
    fn sample(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.sampler);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }

    fn wait(&self) -> Outcome {
        let waited = self.gpu.device().poll(wgpu::PollType::wait_indefinitely());
        waited.map(|_| ()).map_err(|error| Stop::Failed(error.to_string()))
    }

    /// The time of each dispatch of a step by itself.
    fn profile(&mut self, options: &Options) -> Outcome {
        let mut sample = f64::INFINITY;
        for _ in 0..6 {
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            self.sample(&mut encoder);
            let start = Instant::now();
            self.gpu.queue().submit([encoder.finish()]);
            self.wait()?;
            sample = sample.min(start.elapsed().as_secs_f64());
        }
        let mut rows = vec![("sample (the example's own)".to_owned(), sample)];
        for (node, time) in self.trainer.profile()? {
            let seconds = time.as_secs_f64();
            let kernel = node.dispatch.kernel().name;
            let part = match kernel {
                "encode_grid" | "encode_pointwise" => "encoding",
                "max_abs" | "scatter" | "dequantize" => "gradient of the tables",
                "update" | "ema" => "optimizer",
                _ => "network and loss",
            };
            let name = format!("{part}: {kernel}");
            match rows.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += seconds,
                None => rows.push((name, seconds)),
            }
        }
        let sum: f64 = rows.iter().map(|(_, seconds)| seconds).sum();
        say!(options, "each dispatch of a step by itself:");
        for (name, seconds) in &rows {
            let share = 100.0 * seconds / sum;
            say!(options, "  {name:40} {:>10}  {share:>5.1} %", common::time(*seconds));
        }
        say!(options, "{}", self.trainer.plan());
        Ok(())
    }

    /// The crop by the exported function, in a fragment shader.
    fn draw(&self, crop: &Crop) -> Outcome<Vec<u8>> {
        let device = self.gpu.device();
        let [width, height] = crop.size;
        let net = self.trainer.wgsl("net");
        // A driver that compiles for a CPU would take a minute over what is written out.
        let net = if self.gpu.is_software() { net.loops() } else { net }.text()?;
        let text = format!(
            "{net}
            @vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{
                return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
            }}
            @fragment fn shade(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{
                let at = vec2<f32>({:?}, {:?}) + vec2<f32>({:?}, {:?}) * p.xy;
                let light = net(array<f32, 2>(at.x, at.y));
                return vec4<f32>(light[0], light[1], light[2], 1.0);
            }}",
            crop.origin[0], crop.origin[1], crop.step[0], crop.step[1],
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("crop"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        // The target takes linear light and keeps sRGB.
        let format = wgpu::TextureFormat::Rgba8UnormSrgb;
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("crop"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("shade"),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("crop"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: self
                    .trainer
                    .ema_parameter_buffer()
                    .unwrap_or_else(|| self.trainer.parameter_buffer())
                    .as_entire_binding(),
            }],
        });
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("crop"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let line = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("crop"),
            size: u64::from(line) * u64::from(height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target.create_view(&Default::default()),
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, 0..1);
        }
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &staging,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(line),
                    rows_per_image: None,
                },
            },
            size,
        );
        self.gpu.queue().submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.wait()?;
        let view = staging.get_mapped_range(..).map_err(|e| Stop::Failed(e.to_string()))?;
        let lines = view.chunks(line as usize).map(|row| &row[..4 * width as usize]);
        Ok(lines.flat_map(|row| row.chunks(4)).flat_map(|p| [p[0], p[1], p[2]]).collect())
    }
}

/// What a training left: the PSNR at some steps, pictures of some of them, samples a second.
struct Learnt {
    curve: Vec<(f64, f64)>,
    pictures: Vec<(u32, Vec<f32>)>,
    rate: f64,
    spent: Duration,
}

/// Steps at which the picture is looked at: 1, 2, 5, 10, 20, 50, … and the last.
fn looks(steps: u32) -> Vec<u32> {
    let decades = (0..10).map(|k| 10_u32.pow(k));
    let mut looks: Vec<u32> = decades
        .flat_map(|ten| [1, 2, 5].map(|m| ten.saturating_mul(m)))
        .filter(|step| *step < steps)
        .collect();
    looks.push(steps);
    looks
}

fn run(
    learner: &mut Learner<'_>,
    source: &Source,
    batch: u32,
    steps: u32,
    options: &Options,
) -> Outcome<Learnt> {
    let middles = source.middles();
    let mut learnt =
        Learnt { curve: Vec::new(), pictures: Vec::new(), rate: 0.0, spent: Duration::ZERO };
    let (mut done, mut timed) = (0, 0_u64);
    let bar = common::progress(steps.into(), "steps");
    for look in looks(steps) {
        let mut loss = f32::NAN;
        while done < look {
            let now = (look - done).min(learner.chunk());
            let start = Instant::now();
            loss = learner.train(now)?;
            // The first step holds the driver's compiler.
            if done > 0 {
                learnt.spent += start.elapsed();
                timed += u64::from(now) * u64::from(batch);
            }
            done += now;
            bar.inc(now.into());
        }
        learnt.rate = timed as f64 / learnt.spent.as_secs_f64().max(1e-9);
        let picture = learner.trainer().predict(&middles)?;
        let ratio = psnr(source, &picture);
        let rate = if timed > 0 { format!("{:.3e} samples/s", learnt.rate) } else { String::new() };
        bar.suspend(|| {
            say!(options, "step {done:>6}  loss {loss:<10.6} PSNR {ratio:>6.2} dB  {rate}");
            Ok::<(), Stop>(())
        })?;
        learnt.curve.push((f64::from(done), ratio));
        let power = (0..10).any(|k| 10_u32.pow(k) == done);
        if power || done == steps {
            learnt.pictures.push((done, picture));
        }
    }
    bar.finish_and_clear();
    Ok(learnt)
}

/// Panels are made no wider: six of them stand on a sheet.
const PANEL: u32 = 960;

fn panel(title: &str, source: &Source, rgb: Vec<u8>) -> Outcome<Picture> {
    let image = ImageBuffer::from_raw(source.width(), source.height(), rgb);
    let mut image: RgbImage = image.ok_or_else(|| Stop::Failed("a picture's length".into()))?;
    if image.width() > PANEL {
        let height = image.height() * PANEL / image.width();
        image = resize(&image, PANEL, height.max(1), FilterType::Triangle);
    }
    Ok(wgrad_plot::titled(title, image.width(), image.as_raw())?)
}

/// Black, red, yellow, white: the mean difference of the channels, white from a quarter on.
fn error_map(source: &Source, learnt: &[f32]) -> Vec<u8> {
    let pixels = source.srgb.as_raw().chunks(3).zip(learnt.chunks(3));
    pixels
        .flat_map(|(v, light)| {
            let each = v.iter().zip(light).map(|(v, l)| (f64::from(*v) - to_srgb(*l)).abs());
            let heat = 3.0 * (each.sum::<f64>() / 3.0 / 64.0).min(1.0);
            [0.0, 1.0, 2.0].map(|from| (255.0 * (heat - from).clamp(0.0, 1.0)) as u8)
        })
        .collect()
}

fn report(learnt: &Learnt, source: &Source, mlp: &Mlp, options: &Options) -> Outcome {
    let Some((last, picture)) = learnt.pictures.last() else { return Ok(()) };
    let mut panels = Vec::new();
    for (step, picture) in &learnt.pictures {
        let at = format!("{step} step{}", if *step == 1 { "" } else { "s" });
        let title = format!("{at}, {:.1} dB", psnr(source, picture));
        panels.push(panel(&title, source, to_pixels(picture))?);
    }
    panels.push(panel("original", source, source.srgb.as_raw().clone())?);
    let map = error_map(source, picture);
    panels.push(panel("error (white: a quarter of the range)", source, map)?);
    let rows = panels.chunks(3).map(wgrad_plot::side_by_side).collect::<Result<Vec<_>, _>>()?;
    options.save(&wgrad_plot::stacked(&rows)?, folder("learnt.png"))?;
    let series = [Series { label: "PSNR", values: &learnt.curve }];
    let labels = ["Step", "PSNR in dB"];
    let curve = wgrad_plot::curve("What is learnt", labels, &series, [true, false])?;
    options.save(&curve, folder("psnr.png"))?;
    let (parameters, pixels) = (mlp.parameters(), (source.width() * source.height()) as usize);
    say!(
        options,
        "{last} steps in {}: {:.3e} samples a second",
        common::time(learnt.spent.as_secs_f64()),
        learnt.rate
    );
    let bytes = |count: usize| format!("{} bytes", common::thousands(count));
    say!(
        options,
        "size: {} as f32, {} as f16; the file has {}, its pixels {}",
        bytes(4 * parameters),
        bytes(2 * parameters),
        bytes(source.bytes),
        bytes(3 * pixels)
    );
    Ok(())
}

/// A part of the picture, to be drawn beyond its resolution.
struct Crop {
    /// Pixels of what is drawn.
    size: [u32; 2],
    /// The place of its upper left corner, and from pixel to pixel.
    origin: [f32; 2],
    step: [f32; 2],
    /// Pixels of the picture that it shows.
    shown: [u32; 2],
}

impl Crop {
    /// An eighth of each side, at least 8 pixels, drawn 480 pixels wide.
    fn new(source: &Source, centre: [f64; 2]) -> Self {
        let sides = [source.width(), source.height()];
        let shown = sides.map(|side| (side / 8).max(8).min(side));
        let zoom = (480 / shown[0].max(shown[1])).max(1);
        let size = shown.map(|side| side * zoom);
        let first: [f64; 2] = std::array::from_fn(|d| {
            let (side, part) = (f64::from(sides[d]), f64::from(shown[d]));
            (centre[d] * side - part / 2.0).clamp(0.0, side - part).floor()
        });
        let origin = std::array::from_fn(|d| (first[d] / f64::from(sides[d])) as f32);
        let step = sides.map(|side| (1.0 / f64::from(side) / f64::from(zoom)) as f32);
        Self { size, origin, step, shown }
    }

    const fn zoom(&self) -> u32 {
        self.size[0] / self.shown[0]
    }

    /// The place of the middle of a pixel.
    fn place(&self, x: u32, y: u32) -> [f32; 2] {
        let at = [x, y].map(|i| i as f32 + 0.5);
        std::array::from_fn(|d| self.origin[d] + self.step[d] * at[d])
    }

    /// The same part of the picture, its pixels as squares.
    fn of(&self, source: &Source) -> RgbImage {
        RgbImage::from_fn(self.size[0], self.size[1], |x, y| {
            let [u, v] = self.place(x, y);
            let at = |t: f32, side: u32| ((t * side as f32) as u32).min(side - 1);
            *source.srgb.get_pixel(at(u, source.width()), at(v, source.height()))
        })
    }

    fn by_prediction(&self, trainer: &mut dyn Train<Scalar = f32>) -> Outcome<Vec<u8>> {
        let row = |y| (0..self.size[0]).flat_map(move |x| self.place(x, y));
        let places: Vec<f32> = (0..self.size[1]).flat_map(row).collect();
        Ok(to_pixels(&trainer.predict(&places)?))
    }
}

//! The crate's entry in a side-by-side benchmark of small networks and matrix products: rows of
//! name, repetition, seconds and a number to check the work by, separated by tabs.
//!
//! ```text
//! cargo run --release -p wgrad-bench --bin peer -- w1 3
//! PEER_PLAN=layered cargo run --release -p wgrad-bench --bin peer -- w4 3 200
//! cargo run --release -p wgrad-bench --bin peer -- floor
//! ```
//!
//! Before the clock starts, the device, the data on it and the pipelines are made. The clock runs
//! from the first step until the last step's loss is on the CPU.

use clap::{Args, Parser, Subcommand, value_parser};
use std::io::{ErrorKind, Write};
use std::process::{Command, ExitCode};
use std::time::Instant;
use wgrad::kernels::Work;
use wgrad::{Batch, CpuTrainer, Gpu, Loss, PassBuffers, Strategy, Train, Trainer, Training};
use wgrad_bench::workloads::{MORE, NAMES, OnGpu, PRODUCTS, Product, Workload};
use wgrad_bench::{Outcome, floor, inference, median, submit};

const USAGE: &str = "\
peer [OPTIONS] WORKLOAD [REPETITIONS] [STEPS]
       peer [OPTIONS] COMMAND";

const HELP: &str = "\
Trainings (seconds of the whole run; the check is the last step's loss of the first model):
  w1     2-3-1, sigmoid, cross-entropy, SGD, 1,000 rows, 2,000 steps
  w2     2-8-8-1, tanh, cross-entropy, Adam, 1,000 rows, 1,000 steps
  w3     32-64-64-64-3, ReLU, squared error, Adam, 16,384 rows, 100 steps
  w4     784-512-256-10, ReLU, softmax, Adam, 8 batches of 128 rows, 200 steps
  hash   hash grid of 16 levels x 2, 2^15 entries, then 64-64-3, ReLU, relative L2, lazy Adam,
         4 batches of 16,384 rows, 40 steps
  ci2    128-64-10, ReLU, softmax, SGD, 16 rows, 500 steps
  ci3    128-64-64-10, the rest as ci2
  tf500  2-8-8-1, tanh throughout, squared error, SGD, 500 rows, 2,000 steps
  tf10   the network and rows of tf500 in 50 batches of 10 rows, 20,000 steps
Products (seconds a product; the check is the result's first element):
  mm256 mm512 mm1024 mm2048 bmm64x128 tall, all of them: mm; larger: mm4096; of operands in f16:
  mm512f16 mm1024f16 mm2048f16 mm4096f16

Example: PEER_MODELS=256 peer w1 5 200";

/// Times a workload and prints a row for each repetition: name, repetition, seconds, check.
/// Repetition 0 is the warm-up.
#[derive(Parser)]
#[command(name = "peer", override_usage = USAGE, after_help = HELP)]
#[command(subcommand_negates_reqs = true, disable_help_subcommand = true)]
struct Options {
    /// A training or a product
    #[arg(value_parser = timed, required = true)]
    workload: Option<Timed>,
    /// Runs after the warm-up
    #[arg(default_value_t = 3)]
    repetitions: u32,
    /// Steps of a training [default: its own], products of a sample [default: 8 GFLOP]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    steps: Option<u32>,
    #[command(flatten)]
    how: How,
    #[command(subcommand)]
    other: Option<Other>,
}

/// How a training runs.
#[derive(Args)]
struct How {
    /// Models of a population; the time is that of all
    #[arg(long, env = "PEER_MODELS", default_value_t = 1, global = true)]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    models: u32,
    /// The strategy: auto, resident, fused or layered; cpu trains on the CPU
    #[arg(long, env = "PEER_PLAN", default_value = "auto", global = true, value_parser = device)]
    plan: Device,
}

/// Where a training runs.
#[derive(Clone, Copy)]
enum Device {
    Gpu(Strategy),
    Cpu,
}

#[derive(Subcommand)]
enum Other {
    /// Each dispatch of a step by itself: kernel, workgroups, microseconds, GFLOP/s and GB/s by
    /// the plan's counts
    Profile {
        #[arg(default_value = "w1", value_parser = NAMES)]
        training: String,
    },
    /// A step of passes by themselves, and one with a loss on the slope, in turns. Rows as of floor, and
    /// the ratio of the medians.
    Slope {
        #[arg(default_value = "w3", value_parser = NAMES)]
        training: String,
        #[arg(default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
        repetitions: u32,
        /// Steps of a sample
        #[arg(default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// An inference over many rows of a training's network: by the layers one after another, and in one
    /// dispatch from parameters in f32, f16 and signed bytes, in turns. Rows as of floor, and the ratios
    /// of the medians to that of the layers.
    Inference {
        #[arg(default_value = "w2", value_parser = NAMES)]
        training: String,
        #[arg(default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
        repetitions: u32,
        #[arg(default_value_t = 500_000, value_parser = value_parser!(u32).range(1..))]
        rows: u32,
    },
    /// What the device itself can do: name, repetition, value, unit
    Floor {
        #[arg(default_value_t = 3)]
        repetitions: u32,
    },
    /// From nothing to a first result, a fresh process each: of a one-line kernel, and of a first
    /// step by each strategy, with and without Mesa's cache of compiled shaders. Rows as of floor,
    /// and the ratio to the one-line kernel
    Cold {
        #[arg(default_value = "w1", value_parser = NAMES)]
        training: String,
        #[arg(default_value_t = 3, value_parser = value_parser!(u32).range(1..))]
        repetitions: u32,
    },
    /// A process of cold
    #[command(hide = true)]
    ColdKernel,
    /// A process of cold
    #[command(hide = true)]
    ColdStep {
        #[arg(value_parser = NAMES)]
        training: String,
    },
}

/// What repetitions and steps are of.
#[derive(Clone)]
enum Timed {
    Training(&'static str),
    Products(Vec<&'static Product>),
}

fn timed(text: &str) -> Result<Timed, String> {
    if let Some(name) = NAMES.into_iter().find(|name| *name == text) {
        return Ok(Timed::Training(name));
    }
    let together = PRODUCTS.iter().filter(|product| text == "mm" || text == product.name);
    let products: Vec<_> = together.chain(MORE.iter().filter(|p| text == p.name)).collect();
    if products.is_empty() {
        let products = PRODUCTS.iter().chain(&MORE).map(|product| product.name);
        let names = NAMES.into_iter().chain(products).chain(["mm", "profile", "floor", "cold"]);
        return Err(format!("allowed: {}", names.collect::<Vec<_>>().join(", ")));
    }
    Ok(Timed::Products(products))
}

fn device(text: &str) -> Result<Device, String> {
    let strategies = [&[Strategy::Auto], Strategy::ALL].concat();
    match strategies.iter().find(|strategy| strategy.name() == text) {
        Some(strategy) => Ok(Device::Gpu(*strategy)),
        None if text == "cpu" => Ok(Device::Cpu),
        None => {
            let names = strategies.iter().map(|strategy| strategy.name()).chain(["cpu"]);
            Err(format!("allowed: {}", names.collect::<Vec<_>>().join(", ")))
        }
    }
}

impl How {
    /// The training `name`, by the strategy asked for.
    fn workload(&self, name: &str) -> Outcome<Workload> {
        let mut workload =
            Workload::new(name, self.models as usize)?.ok_or("the training is not known")?;
        if let Device::Gpu(strategy) = self.plan {
            workload.training.strategy = strategy;
        }
        Ok(workload)
    }
}

fn main() -> ExitCode {
    let Err(error) = run(Options::parse()) else { return ExitCode::SUCCESS };
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    if kind == Some(ErrorKind::BrokenPipe) {
        // Whoever reads the rows has seen enough.
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {}", one_line(&error.to_string()));
    ExitCode::FAILURE
}

fn run(options: Options) -> Outcome {
    let Options { workload, repetitions, steps, how, other } = options;
    match other {
        Some(Other::Profile { training }) => return profiled(&how.workload(&training)?),
        Some(Other::Slope { training, repetitions, steps }) => {
            return slope(&how.workload(&training)?, repetitions, steps);
        }
        Some(Other::Inference { training, repetitions, rows }) => {
            let workload = how.workload(&training)?;
            return inference::run(&workload, [repetitions, rows], &mut emit);
        }
        Some(Other::Floor { repetitions }) => return floor::run(repetitions, &mut emit),
        Some(Other::Cold { training, repetitions }) => return cold(&training, repetitions),
        Some(Other::ColdKernel) => return emit("kernel", 0, floor::first_result()?, "s"),
        Some(Other::ColdStep { training }) => {
            return emit("step", 0, first_step(&how.workload(&training)?)?, "s");
        }
        None => {}
    }
    match workload {
        Some(Timed::Training(name)) => train(&how.workload(name)?, how.plan, repetitions, steps),
        Some(Timed::Products(products)) => {
            let gpu = Gpu::new()?;
            products.iter().try_for_each(|product| multiply(&gpu, product, repetitions, steps))
        }
        // clap asks for a workload or a command.
        None => Ok(()),
    }
}

/// Prints a row.
fn emit(name: &str, repetition: u32, value: f64, last: &str) -> Outcome {
    Ok(writeln!(std::io::stdout(), "{name}\t{repetition}\t{value:.6}\t{last}")?)
}

/// `text` with its line breaks made spaces.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn train(workload: &Workload, device: Device, repetitions: u32, steps: Option<u32>) -> Outcome {
    let steps = steps.unwrap_or(workload.steps);
    let gpu = match device {
        Device::Gpu(_) => Some(Gpu::new()?),
        Device::Cpu => None,
    };
    let Workload { mlp, data, parameters, .. } = workload;
    let training: Training = workload.training.clone().history(steps.min(4096) as usize);
    for repetition in 0..=repetitions {
        let mut trainer: Box<dyn Train<Scalar = f32>> = match &gpu {
            Some(gpu) => Box::new(Trainer::new(gpu, mlp, &training, data)?),
            None => Box::new(CpuTrainer::<f32>::new(mlp, &training, data)?),
        };
        trainer.set_parameters(parameters)?;
        // Reads something: what was uploaded is on the device when the clock starts.
        trainer.diverged()?;
        let start = Instant::now();
        trainer.train(steps)?;
        let losses = trainer.losses()?;
        let seconds = start.elapsed().as_secs_f64();
        let loss = losses.last().first().copied().unwrap_or(f32::NAN);
        emit(workload.name, repetition, seconds, &format!("{loss:.6}"))?;
    }
    Ok(())
}

fn multiply(gpu: &Gpu, product: &Product, repetitions: u32, count: Option<u32>) -> Outcome {
    let count = count.unwrap_or_else(|| product.repetitions());
    let on_gpu = OnGpu::new(gpu, product)?;
    // The operands are on the device when the clock starts.
    submit::submit(gpu, &[], 0)?;
    for repetition in 0..=repetitions {
        let start = Instant::now();
        on_gpu.run(gpu, count)?;
        let seconds = start.elapsed().as_secs_f64() / f64::from(count);
        let first = floor::read_first(gpu, &on_gpu.c)?;
        emit(product.name, repetition, seconds, &format!("{first:.6}"))?;
    }
    Ok(())
}

/// Prints what each dispatch of a step costs by itself.
fn profiled(workload: &Workload) -> Outcome {
    let Workload { mlp, training, data, parameters, .. } = workload;
    let gpu = Gpu::new()?;
    let mut trainer = Trainer::new(&gpu, mlp, training, data)?;
    trainer.set_parameters(parameters)?;
    let out = &mut std::io::stdout();
    let mut row = |name: &str, groups: u64, seconds: f64, work: Work| {
        let rate = |count: u64| count as f64 / seconds / 1e9;
        let (operations, bytes) = (rate(work.operations), rate(work.read + work.written));
        let microseconds = 1e6 * seconds;
        writeln!(
            out,
            "{name:16} {groups:>9} {microseconds:>11.1} us {operations:>9.2} GFLOP/s {bytes:>8.2} GB/s"
        )
    };
    let mut all = (0.0, Work::default());
    for (node, time) in trainer.profile()? {
        let seconds = time.as_secs_f64();
        let work = node.dispatch.work();
        all.0 += seconds;
        all.1 += work;
        row(node.dispatch.kernel().name, node.dispatch.workgroups(), seconds, work)?;
    }
    Ok(row("all", 0, all.0, all.1)?)
}

/// Times a step of passes without and with a loss on the slope.
fn slope(workload: &Workload, repetitions: u32, steps: u32) -> Outcome {
    let Workload { mlp, training, data, parameters, name, .. } = workload;
    let gpu = Gpu::new()?;
    let models = training.models;
    let rows = training.batch.size(data.rows())?;
    let training = Training { loss: Loss::OutputGradient, batch: Batch::Full, ..training.clone() };
    let buffer = |width: usize, values: &[f32]| {
        let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 4 * (models * rows * width) as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(values));
        buffer
    };
    let inputs = buffer(mlp.inputs, &data.x()[..rows * mlp.inputs]);
    let small = |width: usize| vec![1e-3; models * rows * width];
    let [y, dy] = [mlp.outputs(); 2].map(|width| buffer(width, &small(width)));
    let [p, dp] = [mlp.inputs; 2].map(|width| buffer(width, &small(width)));
    let mut made = Vec::new();
    for with_slope in [false, true] {
        let mut trainer = Trainer::without_data(&gpu, mlp, &training)?;
        trainer.set_parameters(parameters)?;
        let of = PassBuffers::new(rows, inputs.slice(..), y.slice(..), dy.slice(..));
        let of = if with_slope { of.slope(p.slice(..), dp.slice(..)) } else { of };
        let passes = trainer.passes(of)?;
        made.push((with_slope, trainer, passes, Vec::new()));
    }
    for repetition in 0..=repetitions {
        for (with_slope, trainer, passes, seconds) in &mut made {
            let start = Instant::now();
            let mut encoder = gpu.device().create_command_encoder(&Default::default());
            for _ in 0..steps {
                passes.record_forward(&mut encoder);
                passes.record_slope(&mut encoder);
                passes.record_backward(&mut encoder);
                trainer.record_update(&mut encoder);
            }
            gpu.queue().submit([encoder.finish()]);
            submit::wait(&gpu)?;
            let step = start.elapsed().as_secs_f64() / f64::from(steps);
            let kind = if *with_slope { "slope" } else { passes.strategy().name() };
            emit(&format!("{name}_{kind}"), repetition, step, "s")?;
            // The first round warms up.
            seconds.extend((repetition > 0).then_some(step));
        }
    }
    let [without, with] = [0, 1].map(|i| median(made[i].3.clone()));
    emit(&format!("{name}_slope_ratio"), repetitions, with / without, "x")
}

/// Seconds from nothing until the loss of a first step is known.
fn first_step(workload: &Workload) -> Outcome<f64> {
    let Workload { mlp, training, data, parameters, .. } = workload;
    let start = Instant::now();
    let gpu = Gpu::new()?;
    let mut trainer = Trainer::new(&gpu, mlp, training, data)?;
    trainer.restart(parameters)?;
    trainer.train(1)?;
    match trainer.losses()?.last() {
        [] => Err("no loss came back".into()),
        _ => Ok(start.elapsed().as_secs_f64()),
    }
}

/// Mesa's switch for its cache of compiled shaders.
const NO_CACHE: &str = "MESA_SHADER_CACHE_DISABLE";

/// Seconds that a process of this program reports, or what it says of why there are none.
fn process(words: &[&str], plan: &str, cache: bool) -> std::io::Result<Result<f64, String>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(words).env("PEER_PLAN", plan).env_remove(NO_CACHE);
    if !cache {
        command.env(NO_CACHE, "true");
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let field = text.split('\t').nth(2).and_then(|field| field.parse().ok());
    Ok(field.filter(|_| output.status.success()).ok_or_else(|| {
        // The last line: a driver may have said something before.
        let said = String::from_utf8_lossy(&output.stderr);
        said.lines().last().unwrap_or_default().replace("error: ", "")
    }))
}

/// The middle value, or the mean of the middle two; NaN of none.
fn cold(training: &str, repetitions: u32) -> Outcome {
    let plans = [&[Strategy::Auto], Strategy::ALL].concat();
    for cache in [false, true] {
        let shaders = if cache { "cached" } else { "uncached" };
        let mut kernel = Vec::new();
        let mut steps = vec![Ok(Vec::new()); plans.len()];
        // The first round fills the cache.
        for round in 0..repetitions + u32::from(cache) {
            let keep = round > 0 || !cache;
            let seconds = process(&["cold-kernel"], "auto", cache)??;
            kernel.extend(keep.then_some(seconds));
            for (samples, plan) in steps.iter_mut().zip(&plans) {
                match process(&["cold-step", training], plan.name(), cache)? {
                    Ok(seconds) => {
                        if let Ok(samples) = samples {
                            samples.extend(keep.then_some(seconds));
                        }
                    }
                    Err(why) => *samples = Err(why),
                }
            }
        }
        let kernel = median(kernel);
        emit(&format!("kernel_{shaders}"), repetitions, kernel, "s")?;
        for (samples, plan) in steps.into_iter().zip(&plans) {
            let row = format!("{training}_{}_{shaders}", plan.name());
            match samples {
                Ok(samples) => {
                    let seconds = median(samples);
                    emit(&row, repetitions, seconds, "s")?;
                    emit(&format!("{row}_ratio"), repetitions, seconds / kernel, "x")?;
                }
                Err(why) => eprintln!("{row}: {}", one_line(&why)),
            }
        }
    }
    Ok(())
}

//! The same work on the CPU and on the GPU: matrix products and whole training steps of several
//! sizes, in turn on either, with the spread of the repeats, the first size at which the GPU is the
//! faster one, and how far the results are apart.
//!
//! The CPU works in `f32`, on all cores where they pay. A sample is as many repetitions, one after
//! another, as last long enough to be timed. On the GPU they are one submission of as many
//! dispatches on buffers that are there already (matrix products), or training steps as an
//! application would run them; in both cases the sample ends when the device has finished.
//!
//! ```text
//! cargo run --release --example cpu_vs_gpu
//! cargo run --release --example cpu_vs_gpu -- --json > comparison.json
//! ```
//!
//! Pictures in `out/cpu_vs_gpu/`: `products.png`, `batches.png` and `training.png`. `--help` lists
//! the options.

mod common;
#[path = "common/submit.rs"]
mod submit;

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use common::{Device, Options, Outcome, Stop, say};
use serde_json::json;
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;
use submit::{read, submit};
use wgrad::kernels::Matmul;
use wgrad::{
    Activation, CpuTrainer, Data, Dataset, Error, Gpu, Loss, Mlp, Optimizer, Plan, Prepared,
    Strategy, Train, TrainBase, Trainer, Training,
};
use wgrad_plot::{Bars, bars};

/// Times matrix products and training steps on the CPU and on the GPU
#[derive(Parser)]
#[command(name = "cpu_vs_gpu", args_override_self = true, after_help = AFTER_HELP)]
struct Arguments {
    /// Samples of each, CPU and GPU in turn; 7, or 3 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..1 << 32))]
    repeats: Option<usize>,
    /// One JSON document on stdout, everything else on stderr
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
}

const AFTER_HELP: &str = "\
--device cpu is refused, as two are compared; auto and gpu take a program on the CPU, too.
The exit code is 1 where there is no GPU, and where the two disagree by more than 1e-4 of the
largest element.

Example: cpu_vs_gpu --repeats 15";

/// The largest deviation between the two that is taken for rounding.
const DEVIATION: f64 = 1e-4;

fn main() -> ExitCode {
    common::run(cpu_vs_gpu)
}

/// How long and how often is measured.
struct Effort {
    repeats: usize,
    /// Seconds that a sample should last.
    sample: f64,
}

/// Seconds a repetition, sample after sample.
struct Times(Vec<f64>);

impl Times {
    fn median(&self) -> f64 {
        common::median(&self.0)
    }

    fn spread(&self) -> (f64, f64) {
        self.0.iter().fold((f64::INFINITY, 0.0), |(low, high), t| (t.min(low), t.max(high)))
    }

    fn json(&self) -> serde_json::Value {
        let (min, max) = self.spread();
        json!({ "median": self.median(), "min": min, "max": max })
    }
}

struct Row {
    name: String,
    /// Whether it is what one gets without asking for another strategy.
    chosen: bool,
    cpu: Times,
    gpu: Times,
    deviation: f64,
}

impl Row {
    /// How many times as fast the GPU is.
    fn ratio(&self) -> f64 {
        self.cpu.median() / self.gpu.median()
    }
}

/// Rows of rising size.
struct Table {
    key: &'static str,
    title: &'static str,
    size: &'static str,
    rows: Vec<Row>,
}

impl Table {
    /// The first size at which the GPU is the faster one.
    fn crossover(&self) -> Option<&str> {
        self.rows.iter().find(|row| row.ratio() > 1.0).map(|row| row.name.as_str())
    }

    fn print(&self, options: &Options) -> Outcome {
        say!(options, "");
        say!(options, "{}", self.title);
        say!(
            options,
            "{:34}{:>12}  {:24}{:>12}  {:24}{:>9}{:>11}",
            self.size,
            "CPU median",
            "min .. max",
            "GPU median",
            "min .. max",
            "CPU/GPU",
            "deviation"
        );
        for row in &self.rows {
            let spread = |times: &Times| {
                let (min, max) = times.spread();
                format!("{} .. {}", common::time(min), common::time(max))
            };
            say!(
                options,
                "{:34}{:>12}  {:24}{:>12}  {:24}{:>9.2}{:>11.1e}",
                row.name,
                common::time(row.cpu.median()),
                spread(&row.cpu),
                common::time(row.gpu.median()),
                spread(&row.gpu),
                row.ratio(),
                row.deviation
            );
        }
        match (self.crossover(), self.rows.last()) {
            (Some(name), _) => {
                say!(options, "the first at which the GPU is faster, by the medians: {name}")
            }
            (None, Some(row)) => say!(options, "the GPU is faster at none, up to {}", row.name),
            (None, None) => {}
        }
        Ok(())
    }

    fn draw(&self, options: &Options) -> Outcome {
        let chosen = || self.rows.iter().filter(|row| row.chosen);
        let micros = |times: fn(&Row) -> &Times| -> Vec<[f64; 3]> {
            let values = |t: &Times| [t.spread().0, t.median(), t.spread().1].map(|s| 1e6 * s);
            chosen().map(times).map(values).collect()
        };
        let (cpu, gpu) = (micros(|row| &row.cpu), micros(|row| &row.gpu));
        let groups: Vec<String> = chosen().map(|row| row.name.replace(", ", "\n")).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let series = [Bars { label: "CPU", values: &cpu }, Bars { label: "GPU", values: &gpu }];
        let picture = bars(self.title, "Time (µs)", &groups, &series)?;
        options.save(&picture, std::path::Path::new("cpu_vs_gpu").join(format!("{}.png", self.key)))
    }

    fn json(&self) -> serde_json::Value {
        let row = |row: &Row| {
            json!({
                "name": row.name,
                "chosen": row.chosen,
                "cpu": row.cpu.json(),
                "gpu": row.gpu.json(),
                "ratio": row.ratio(),
                "deviation": row.deviation,
            })
        };
        json!({
            "name": self.key,
            "first_faster_on_gpu": self.crossover(),
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

fn cpu_vs_gpu(arguments: Arguments) -> Outcome {
    let Arguments { mut options, repeats, json: as_json } = arguments;
    options.to_stderr = as_json;
    if options.device == Device::Cpu {
        return Err(Stop::Usage("--device is 'cpu'; allowed: auto, gpu: two are compared".into()));
    }
    let gpu = Gpu::new().map_err(|error| match error {
        Error::NoGpu(why) => Stop::Failed(format!(
            "no GPU found ({}): there is nothing to compare the CPU with",
            common::one_line(&why)
        )),
        error => error.into(),
    })?;
    let quick = options.quick;
    let effort = Effort {
        repeats: repeats.unwrap_or(if quick { 3 } else { 7 }),
        sample: if quick { 0.004 } else { 0.02 },
    };

    let (mlp, training, data) = article()?;
    let cpu = CpuTrainer::<f32>::new(&mlp, &training, &data)?.device();
    let note = if gpu.is_software() { " - a software GPU: it runs on the CPU too" } else { "" };
    say!(options, "CPU       {}", cpu.trim_start_matches("CPU ").trim_matches(['(', ')']));
    say!(options, "GPU       {gpu}{note}");
    say!(
        options,
        "timed     {} samples of each, CPU and GPU in turn, of {} or one repetition; times are a \
         repetition's",
        effort.repeats,
        common::time(effort.sample)
    );
    say!(
        options,
        "          GPU products: dispatches on buffers that are there, one submission a sample; no \
         transfer"
    );
    say!(
        options,
        "          GPU training: Trainer::train by each strategy, the plan's own choice marked with *; \
         losses and parameters stay on the device"
    );
    say!(options, "          CPU: the same work in f32, on all cores where they pay");
    say!(
        options,
        "deviation the largest difference of an element, of the products or of the first gradient, \
         as a share of the largest element"
    );

    let largest = match (quick, gpu.is_software()) {
        (true, _) => 128,
        (false, true) => 1024,
        (false, false) => 4096,
    };
    let sizes = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096].into_iter().filter(|n| *n <= largest);
    let squares = sizes.map(|n| (n.to_string(), [n, 1]));
    let batches = [1, 4, 16, 64, 256, 1024].into_iter().filter(|n| !quick || *n <= 64);
    let batches = batches.map(|n| (n.to_string(), [64, n]));
    let networks = networks(quick)?;
    let (squares, batches): (Vec<_>, Vec<_>) = (squares.collect(), batches.collect());
    let bar = common::progress((squares.len() + batches.len() + networks.len()) as u64, "sizes");
    bar.tick();
    let products = |all: Vec<(String, [usize; 2])>| -> Outcome<Vec<Row>> {
        let mut rows = Vec::new();
        for (name, sizes) in all {
            bar.set_message(name.clone());
            rows.push(product(&gpu, &effort, name, sizes)?);
            bar.inc(1);
        }
        Ok(rows)
    };
    let mut tables = vec![
        Table {
            key: "products",
            title: "Product of two N x N matrices",
            size: "N",
            rows: products(squares)?,
        },
        Table {
            key: "batches",
            title: "B products of 64 x 64 matrices at once",
            size: "B",
            rows: products(batches)?,
        },
    ];
    let mut rows = Vec::new();
    for network in networks {
        bar.set_message(network.name);
        rows.extend(network.compare(&gpu, &effort)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    tables.push(Table { key: "training", title: "A training step", size: "network", rows });
    for table in &tables {
        table.print(&options)?;
    }
    say!(options, "");
    for table in &tables {
        table.draw(&options)?;
    }
    if as_json {
        let document = json!({
            "cpu": cpu,
            "gpu": gpu.to_string(),
            "gpu_is_software": gpu.is_software(),
            "repeats": effort.repeats,
            "unit": "seconds",
            "tables": tables.iter().map(Table::json).collect::<Vec<_>>(),
        });
        writeln!(std::io::stdout(), "{document:#}")?;
    }
    let worst = tables
        .iter()
        .flat_map(|table| &table.rows)
        .max_by(|a, b| a.deviation.total_cmp(&b.deviation));
    match worst {
        Some(row) if row.deviation > DEVIATION => Err(Stop::Failed(format!(
            "{}: CPU and GPU differ by {:.1e} of the largest element, more than {DEVIATION:.0e}",
            row.name, row.deviation
        ))),
        _ => Ok(()),
    }
}

/// Numbers in ±1 that look random, the same at every run.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A device's work: as many repetitions as asked for.
type Work<'a> = &'a mut dyn FnMut(u32) -> Outcome;

/// Times both in turn, each with as many repetitions a sample as last long enough.
fn time_both<'a>(effort: &Effort, cpu: Work<'a>, gpu: Work<'a>) -> Outcome<[Times; 2]> {
    let mut works = [cpu, gpu];
    let mut counts = [1, 1];
    let seconds = |work: &mut Work<'_>, count: u32| -> Outcome<f64> {
        let start = Instant::now();
        work(count)?;
        Ok(start.elapsed().as_secs_f64())
    };
    for (work, count) in works.iter_mut().zip(&mut counts) {
        seconds(work, 1)?;
        // A single repetition is mostly the wait for the device, so the guess is corrected.
        for _ in 0..5 {
            let now = seconds(work, *count)?;
            if now >= effort.sample || *count == MOST {
                break;
            }
            let grown = f64::from(*count) * (1.2 * effort.sample / now).min(16.0);
            *count = (grown.ceil() as u32).clamp(*count + 1, MOST.max(*count + 1)).min(MOST);
        }
    }
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..effort.repeats {
        for ((work, count), times) in works.iter_mut().zip(counts).zip(&mut times) {
            times.push(seconds(work, count)? / f64::from(count));
        }
    }
    let [cpu, gpu] = times;
    Ok([Times(cpu), Times(gpu)])
}

/// The most repetitions of a sample.
const MOST: u32 = 8192;

/// Compares `models` products of `n` x `n` matrices.
fn product(gpu: &Gpu, effort: &Effort, name: String, [n, models]: [usize; 2]) -> Outcome<Row> {
    let matmul = Matmul::new(n, n, n).models(models);
    let length = models * n * n;
    let (a, b) = (numbers(length, 1), numbers(length, 2));
    let buffer = |label| gpu.buffer(label, 4 * length as u64);
    let (on_a, on_b, on_c) = (&buffer("A")?, &buffer("B")?, &buffer("C")?);
    gpu.queue().write_buffer(on_a, 0, bytemuck::cast_slice(&a));
    gpu.queue().write_buffer(on_b, 0, bytemuck::cast_slice(&b));
    // There is no bias: its slot takes any buffer that is not written.
    let slots = [on_a, on_b, on_a, on_c].map(|buffer| buffer.as_entire_buffer_binding());
    let prepared = matmul
        .dispatches(gpu.capabilities())?
        .iter()
        .map(|dispatch| gpu.prepare(dispatch, &slots))
        .collect::<Result<Vec<Prepared>, _>>()?;
    let mut on_cpu = Vec::new();
    let [cpu, gpu_times] = time_both(
        effort,
        &mut |count| {
            for _ in 0..count {
                on_cpu = matmul.reference(&a, &b, &[])?;
            }
            Ok(())
        },
        &mut |count| Ok(submit(gpu, &prepared, count)?),
    )?;
    let on_gpu = read::<f32>(gpu, on_c, on_c.size())?;
    let deviation =
        common::deviation(on_gpu.into_iter().map(f64::from), on_cpu.into_iter().map(f64::from));
    Ok(Row { name, chosen: true, cpu, gpu: gpu_times, deviation })
}

/// The article's network, training and points.
fn article() -> Outcome<(Mlp, Training, Data)> {
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.1));
    Ok((mlp, training, Dataset::Circles.sample(1000, 0)?))
}

/// A network that is trained on full batches.
struct Network {
    name: &'static str,
    mlp: Mlp,
    training: Training,
    data: Data,
}

/// Networks from few to many operations a step.
fn networks(quick: bool) -> Outcome<Vec<Network>> {
    let (mlp, training, circles) = article()?;
    let mut all =
        vec![Network { name: "2-3-1", mlp: mlp.clone(), training, data: circles.clone() }];
    let small = Mlp::new(2).layer(8, Activation::Tanh).layer(8, Activation::Tanh);
    let small = small.layer(1, Activation::Sigmoid);
    let cross_entropy = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.1));
    all.push(Network {
        name: "2-8-8-1",
        mlp: small,
        training: cross_entropy.clone(),
        data: circles.clone(),
    });

    if !quick {
        let (name, training) = ("256 x 2-3-1", cross_entropy.models(256));
        all.push(Network { name, mlp, training, data: circles });
    }

    let rows = 1024;
    let wide = Mlp::new(32).layer(64, Activation::Tanh).layer(64, Activation::Tanh);
    all.push(Network {
        name: "32-64-64-3",
        mlp: wide.layer(3, Activation::Identity),
        training: Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.01)),
        data: Data::new(32, 3, numbers(32 * rows, 3), numbers(3 * rows, 4))?,
    });

    let rows = 128;
    let classes = 10;
    let targets =
        (0..rows * classes).map(|i| f32::from(u8::from(i % classes == i / classes % classes)));
    let digits = Mlp::new(784).layer(128, Activation::Relu).layer(classes, Activation::Identity);
    all.push(Network {
        name: "784-128-10",
        mlp: digits,
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01)),
        data: Data::new(784, classes, numbers(784 * rows, 5), targets.collect())?,
    });
    Ok(all)
}

impl Network {
    /// A row for each strategy that the network allows.
    fn compare(self, gpu: &Gpu, effort: &Effort) -> Outcome<Vec<Row>> {
        let Self { name, mlp, training, data } = self;
        let shape = data.shape();
        let own = Plan::new(&mlp, &training, shape, gpu.capabilities())?.strategy();
        let mut rows = Vec::new();
        for strategy in Strategy::ALL {
            let training = training.clone().strategy(*strategy);
            if Plan::new(&mlp, &training, shape, gpu.capabilities()).is_err() {
                continue;
            }
            let mut on_cpu = CpuTrainer::<f32>::new(&mlp, &training, &data)?;
            let mut on_gpu = Trainer::new(gpu, &mlp, &training, &data)?;
            let first = [on_gpu.gradients()?, on_cpu.gradients()?];
            let [found, expected] = first.map(|g| g.values.into_iter().map(f64::from));
            let deviation = common::deviation(found, expected);
            let [cpu, gpu] =
                time_both(effort, &mut |count| Ok(on_cpu.train(count)?), &mut |count| {
                    Ok(on_gpu.train(count)?)
                })?;
            let chosen = *strategy == own;
            let mark = if chosen { " *" } else { "" };
            let name = format!("{name}, {} rows, {}{mark}", data.rows(), strategy.name());
            rows.push(Row { name, chosen, cpu, gpu, deviation });
        }
        Ok(rows)
    }
}

//! The crate's entry in a side-by-side benchmark of small networks and matrix products: rows of
//! name, repetition, seconds and a number to check the work by, separated by tabs.
//!
//! ```text
//! cargo run --release --example peer -- w1 3
//! PEER_PLAN=layered cargo run --release --example peer -- w4 3 200
//! cargo run --release --example peer -- floor
//! ```
//!
//! Data, weights and steps are those of `common/workloads.rs`. What is made before the clock
//! starts: the device, the data on it, the pipelines. What is timed: from the first step until the
//! last step's loss is on the CPU.

mod common;
#[path = "common/floor.rs"]
mod floor;
#[path = "common/profile.rs"]
mod profile;
#[path = "common/submit.rs"]
mod submit;
#[path = "common/workloads.rs"]
mod workloads;

use common::{Outcome, Stop};
use std::io::Write;
use std::process::{Command, ExitCode};
use std::time::Instant;
use wgrad::{Gpu, Strategy, Train, Trainer, Training};
use workloads::{MORE, NAMES, OnGpu, PRODUCTS, Product, Workload};

const HELP: &str = "
Times a workload and prints a row for each repetition: name, repetition, seconds, check.
Repetition 0 is the warm-up.

Usage: peer WORKLOAD [REPETITIONS] [STEPS]
       peer profile [TRAINING]
       peer floor [REPETITIONS]
       peer cold [TRAINING] [REPETITIONS]

Trainings (seconds of the whole run; the check is the last step's loss of the first model):
  w1         2-3-1, sigmoid, cross-entropy, SGD, 1,000 rows, 2,000 steps
  w2         2-8-8-1, tanh, cross-entropy, Adam, 1,000 rows, 1,000 steps
  w3         32-64-64-64-3, ReLU, squared error, Adam, 16,384 rows, 100 steps
  w4         784-512-256-10, ReLU, softmax, Adam, 8 batches of 128 rows, 200 steps
  hash       hash grid of 16 levels x 2, 2^15 entries, then 64-64-3, ReLU, relative L2, lazy Adam,
             4 batches of 16,384 rows, 40 steps
Products (seconds a product; the check is the result's first element; STEPS: products a sample):
  mm256 mm512 mm1024 mm2048 bmm64x128 tall, all of them: mm; larger: mm4096; of operands in f16:
  mm512f16 mm1024f16 mm2048f16 mm4096f16
Others:
  profile    each dispatch of a step by itself: kernel, workgroups, microseconds, GFLOP/s and GB/s by
             the plan's counts
  floor      what the device itself can do: name, repetition, value, unit
  cold       a fresh process each: device and first result of a one-line kernel, beside device,
             trainer, first step and its loss, by each strategy; with and without Mesa's cache of
             compiled shaders. Value and unit as for floor, ratio to the one-line kernel

Environment:
  PEER_MODELS=M    a population of M models; the time is that of all
  PEER_PLAN=NAME   auto, resident, fused or layered; cpu trains on the CPU   [default: auto]

REPETITIONS is 3, STEPS the training's own where they are not given.

Example: PEER_MODELS=256 peer w1 5 200
";

fn main() -> ExitCode {
    common::run(HELP, peer)
}

/// How a training runs.
#[derive(Clone, Copy)]
enum How {
    Gpu(Strategy),
    Cpu,
}

/// What the command line and the environment ask for.
struct Arguments {
    words: Vec<String>,
    models: usize,
    how: How,
}

impl Arguments {
    fn read() -> Outcome<Self> {
        let mut words = Vec::new();
        let mut parser = lexopt::Parser::from_env();
        let mut word = |text| {
            words.push(text);
            Ok(())
        };
        if let Some(name) = common::next_option(&mut parser, &mut word)? {
            return Err(if name == "help" { Stop::Help } else { common::unknown(&name) });
        }
        let models = match std::env::var("PEER_MODELS") {
            Ok(text) => whole("PEER_MODELS", &text, 1)? as usize,
            Err(_) => 1,
        };
        let how = match std::env::var("PEER_PLAN").as_deref().unwrap_or("auto") {
            "cpu" => How::Cpu,
            name => {
                let known = [&[Strategy::Auto], Strategy::ALL].concat();
                let found = known.iter().find(|strategy| strategy.name() == name);
                How::Gpu(*found.ok_or_else(|| {
                    let names = common::names(known.iter().map(|strategy| strategy.name()));
                    Stop::Usage(format!("PEER_PLAN is '{name}'; allowed: {names}, cpu"))
                })?)
            }
        };
        Ok(Self { words, models, how })
    }

    /// The word at `place` as a number, if there is one.
    fn number(&self, place: usize, name: &str, least: u32) -> Outcome<Option<u32>> {
        self.words.get(place).map(|text| whole(name, text, least)).transpose()
    }

    /// `Err` if there are words from `place` on.
    fn end(&self, place: usize) -> Outcome {
        self.words.get(place).map_or(Ok(()), |text| common::no_arguments(text.clone()))
    }
}

fn whole(name: &str, text: &str, least: u32) -> Outcome<u32> {
    text.parse().ok().filter(|number| *number >= least).ok_or_else(|| {
        Stop::Usage(format!("{name} is '{text}'; allowed: a whole number of {least} or more"))
    })
}

fn peer() -> Outcome {
    let arguments = Arguments::read()?;
    let Some(what) = arguments.words.first() else {
        return Err(Stop::Usage("a workload is missing".into()));
    };
    match what.as_str() {
        "floor" => {
            arguments.end(2)?;
            return floor::run(arguments.number(1, "REPETITIONS", 0)?.unwrap_or(3), &mut emit);
        }
        "profile" => return profiled(&arguments),
        "cold" => return cold(&arguments),
        "cold-kernel" => return emit("kernel", 0, floor::first_result()?, "s"),
        "cold-step" => {
            let name = arguments.words.get(1).map_or("w1", String::as_str);
            return emit("step", 0, first_step(name, &arguments)?, "s");
        }
        _ => {}
    }
    arguments.end(3)?;
    let repetitions = arguments.number(1, "REPETITIONS", 0)?.unwrap_or(3);
    let steps = arguments.number(2, "STEPS", 1)?;
    if let Some(workload) = workload(what, &arguments)? {
        return train(&workload, arguments.how, repetitions, steps);
    }
    let products = PRODUCTS.iter().filter(|product| what == "mm" || what == product.name);
    let more = MORE.iter().filter(|product| what == product.name);
    let products: Vec<_> = products.chain(more).collect();
    if products.is_empty() {
        let products = PRODUCTS.iter().chain(&MORE).map(|product| product.name);
        let names = NAMES.into_iter().chain(products).chain(["mm", "profile", "floor", "cold"]);
        let names = common::names(names);
        return Err(Stop::Usage(format!("the workload is '{what}'; allowed: {names}")));
    }
    let gpu = Gpu::new()?;
    for product in products {
        multiply(&gpu, product, repetitions, steps)?;
    }
    Ok(())
}

/// Prints a row.
fn emit(name: &str, repetition: u32, value: f64, last: &str) -> Outcome {
    writeln!(std::io::stdout(), "{name}\t{repetition}\t{value:.6}\t{last}")?;
    Ok(())
}

/// The training `name` as the arguments want it; `None` where there is no such name.
fn workload(name: &str, arguments: &Arguments) -> Outcome<Option<Workload>> {
    let mut workload = Workload::new(name, arguments.models)?;
    if let (Some(Workload { training, .. }), How::Gpu(strategy)) = (&mut workload, arguments.how) {
        training.strategy = strategy;
    }
    Ok(workload)
}

fn train(workload: &Workload, how: How, repetitions: u32, steps: Option<u32>) -> Outcome {
    let steps = steps.unwrap_or(workload.steps);
    let gpu = match how {
        How::Gpu(_) => Some(Gpu::new()?),
        How::Cpu => None,
    };
    let Workload { mlp, data, parameters, .. } = workload;
    let training: Training = workload.training.clone().history(steps.min(4096) as usize);
    for repetition in 0..=repetitions {
        let mut trainer = common::trainer(gpu.as_ref(), mlp, &training, data)?;
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

fn unknown_training(name: &str) -> Stop {
    Stop::Usage(format!("the training is '{name}'; allowed: {}", common::names(NAMES)))
}

/// Prints what each dispatch of a step costs by itself.
fn profiled(arguments: &Arguments) -> Outcome {
    arguments.end(2)?;
    let name = arguments.words.get(1).map_or("w1", String::as_str);
    let Workload { mlp, training, data, parameters, .. } =
        workload(name, arguments)?.ok_or_else(|| unknown_training(name))?;
    let gpu = Gpu::new()?;
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data)?;
    trainer.set_parameters(&parameters)?;
    let out = &mut std::io::stdout();
    let mut all = (0.0, wgrad::kernels::Work::default());
    let mut row = |name: &str, groups: u64, seconds: f64, work: wgrad::kernels::Work| {
        let rate = |count: u64| count as f64 / seconds / 1e9;
        let (operations, bytes) = (rate(work.operations), rate(work.read + work.written));
        let microseconds = 1e6 * seconds;
        writeln!(
            out,
            "{name:16} {groups:>9} {microseconds:>11.1} us {operations:>9.2} GFLOP/s {bytes:>8.2} GB/s"
        )
    };
    for (node, seconds) in profile::profile(&gpu, &trainer)? {
        let work = node.dispatch.work();
        all.0 += seconds;
        all.1 += work;
        row(node.dispatch.kernel().name, node.dispatch.workgroups(), seconds, work)?;
    }
    Ok(row("all", 0, all.0, all.1)?)
}

/// Seconds until the loss of a first step is known, from nothing.
fn first_step(name: &str, arguments: &Arguments) -> Outcome<f64> {
    let start = Instant::now();
    let workload = workload(name, arguments)?.ok_or_else(|| unknown_training(name))?;
    let made = start.elapsed();
    let Workload { mlp, training, data, parameters, .. } = workload;
    let gpu = Gpu::new()?;
    let mut trainer = Trainer::new(&gpu, &mlp, &training, &data)?;
    trainer.restart(&parameters)?;
    trainer.train(1)?;
    match trainer.losses()?.last() {
        [] => Err(Stop::Failed("no loss came back".into())),
        // The data were made on the CPU: that is no part of it.
        _ => Ok((start.elapsed() - made).as_secs_f64()),
    }
}

/// Mesa's switch for its cache of compiled shaders.
const NO_CACHE: &str = "MESA_SHADER_CACHE_DISABLE";

fn cold(arguments: &Arguments) -> Outcome {
    arguments.end(3)?;
    let name = arguments.words.get(1).map_or("w1", String::as_str);
    if !NAMES.contains(&name) {
        return Err(unknown_training(name));
    }
    let repetitions = arguments.number(2, "REPETITIONS", 1)?.unwrap_or(3);
    let program = std::env::current_exe()?;
    let seconds = |words: &[&str], plan: &str, cache: bool| -> Outcome<f64> {
        let mut command = Command::new(&program);
        command.args(words).env("PEER_PLAN", plan).env_remove(NO_CACHE);
        if !cache {
            command.env(NO_CACHE, "true");
        }
        let output = command.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let field = text.split('\t').nth(2).and_then(|field| field.parse().ok());
        field.filter(|_| output.status.success()).ok_or_else(|| {
            // The last line: a driver may have said something before.
            let said = String::from_utf8_lossy(&output.stderr);
            Stop::Failed(said.lines().last().unwrap_or_default().replace("error: ", ""))
        })
    };
    let mut plans = vec![Strategy::Auto.name()];
    plans.extend(Strategy::ALL.iter().map(|strategy| strategy.name()));
    for cache in [false, true] {
        let shaders = if cache { "cached" } else { "uncached" };
        let mut samples = vec![Vec::new(); 1 + plans.len()];
        let mut refused: Vec<Option<String>> = vec![None; plans.len()];
        // The first round fills the cache.
        for round in 0..repetitions + u32::from(cache) {
            let keep = round > 0 || !cache;
            let bare = seconds(&["cold-kernel"], "auto", cache)?;
            if keep {
                samples[0].push(bare);
            }
            for (i, plan) in plans.iter().enumerate() {
                match seconds(&["cold-step", name], plan, cache) {
                    Ok(value) if keep => samples[1 + i].push(value),
                    Ok(_) => {}
                    Err(Stop::Failed(why)) => refused[i] = Some(why),
                    Err(stop) => return Err(stop),
                }
            }
        }
        let medians: Vec<f64> = samples.iter().map(|s| common::median(s)).collect();
        emit(&format!("kernel_{shaders}"), repetitions, medians[0], "s")?;
        for (i, plan) in plans.iter().enumerate() {
            let row = format!("{name}_{plan}_{shaders}");
            match &refused[i] {
                Some(why) => writeln!(std::io::stderr(), "{row}: {}", common::one_line(why))?,
                None => {
                    emit(&row, repetitions, medians[1 + i], "s")?;
                    emit(&format!("{row}_ratio"), repetitions, medians[1 + i] / medians[0], "x")?;
                }
            }
        }
    }
    Ok(())
}

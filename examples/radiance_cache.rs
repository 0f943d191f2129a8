//! A path tracer whose paths end early: a network that learns while it renders knows the light
//! beyond their second surface. After Müller, Rousselle, Novák and Keller, "Real-time Neural
//! Radiance Caching for Path Tracing", 2021.
//!
//! A frame is one command encoder. The example's own shaders trace a few training paths and write
//! them as rows into the trainer's buffers; four training steps follow; then every pixel traces a path
//! of two surfaces, and the network, with the moving average of its parameters, answers what the
//! second one scatters. Nothing is uploaded, and nothing read back but for the errors.
//!
//! ```text
//! cargo run --release --example radiance_cache
//! cargo run --release --example radiance_cache -- --frames 100 --width 480
//! ```
//!
//! Beside it a path tracer without a cache gets the same time a frame. Pictures in
//! `out/radiance_cache/`: `side_by_side.png` and `error.png`. `--help` lists the options.

#[path = "radiance_cache/cache.rs"]
mod cache;
#[path = "radiance_cache/check.rs"]
mod check;
mod common;
#[path = "radiance_cache/passes.rs"]
mod passes;
#[path = "radiance_cache/path_tracer.rs"]
mod path_tracer;
#[path = "radiance_cache/picture.rs"]
mod picture;
#[path = "radiance_cache/scene.rs"]
mod scene;
#[path = "common/submit.rs"]
mod submit;

use cache::Cache;
use clap::Parser;
use common::{Device, Options, Outcome, Stop, median, say, time, usage};
use path_tracer::PathTracer;
use picture::{mean, panel, psnr, relative_error};
use scene::Scene;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;
use wgrad::Gpu;
use wgrad_plot::{Picture, Series};

/// Renders a hall whose light a network learns while it renders, beside a path tracer that takes
/// the same time
#[derive(Parser)]
#[command(name = "radiance_cache", args_override_self = true)]
#[command(after_help = "Example: radiance_cache --frames 100 --width 480 --reference 4000")]
struct Arguments {
    /// Frames; 64, or 4 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    frames: Option<u32>,
    /// Pixels of a line, of which there are three quarters as many; 320, or 64 with --quick, unless
    /// it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=2048))]
    width: Option<u32>,
    /// Samples a pixel of the reference; 2000, or 16 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    reference: Option<u32>,
    /// Seed of the paths and of the first parameters
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// Compare the renderers with scenes whose light is known, and end
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    common::run(render)
}

fn render(asked: Arguments) -> Outcome {
    let options = &asked.options;
    if options.device == Device::Cpu {
        return Err(usage("the path tracer is a shader and needs a GPU; one of software will do"));
    }
    let gpu = Gpu::new().map_err(|error| {
        Stop::Failed(format!("the path tracer is a shader and needs a GPU: {error}"))
    })?;
    say!(options, "device: {gpu}");
    if asked.check {
        return check::check(&gpu, options);
    }
    let or =
        |given: Option<u32>, full, quick| given.unwrap_or(if options.quick { quick } else { full });
    let width = or(asked.width, 320, 64);
    let scene = scene::hall([width, width * 3 / 4]);
    let uniform = passes::uniform(gpu.device(), "scene", bytemuck::bytes_of(&scene));
    let mut cache = Cache::new(&gpu, &scene, &uniform, asked.seed)?;
    let tracer = PathTracer::new(&gpu, &scene, &uniform, asked.seed);
    say!(options, "network: {cache}");
    let samples = samples_of_a_frame(&mut cache, &tracer, options)?;
    // Samples of its own: it must not share its noise with what it is compared to.
    let seed = asked.seed.wrapping_add(1 << 31);
    let reference = PathTracer::new(&gpu, &scene, &uniform, seed);
    let light = converged(&reference, or(asked.reference, 2000, 16))?;
    let both = frames(&mut cache, &tracer, samples, or(asked.frames, 64, 4), &light)?;
    report(&both, samples, options)?;
    let [rows, most] = cache.rows()?;
    say!(options, "training rows of the last frame: {rows} of at most {most}");
    let known = mean(&cache.look()?, None);
    draw(&both, &scene, &known, &light, options)
}

/// How many samples the path tracer takes in the time of a frame with the cache, rounded up in
/// its favour: by turns, so that whatever else the machine does slows both.
fn samples_of_a_frame(cache: &mut Cache, tracer: &PathTracer, options: &Options) -> Outcome<u32> {
    let mut times = [Vec::new(), Vec::new()];
    for turn in 0..9 {
        let seconds = [timed(|| cache.run())?, timed(|| tracer.run(1))?];
        // The first ones hold the driver's compiler.
        if turn >= 2 {
            times.iter_mut().zip(seconds).for_each(|(times, one)| times.push(one));
        }
    }
    cache.restart()?;
    tracer.restart();
    let [frame, sample] = times.map(|times| median(&times));
    let samples = (frame / sample).ceil().clamp(1.0, 1000.0) as u32;
    say!(
        options,
        "a frame with the cache: {}; a path traced sample: {}; so {samples} of them a frame",
        time(frame),
        time(sample)
    );
    Ok(samples)
}

fn timed(run: impl FnOnce() -> Outcome) -> Outcome<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The light of all pixels after many samples.
fn converged(tracer: &PathTracer, samples: u32) -> Outcome<Vec<f32>> {
    let bar = common::progress(samples.into(), "samples of the reference");
    for _ in 0..samples {
        tracer.run(1)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(mean(&tracer.sums.read()?, None))
}

/// What one of the two ways has rendered.
struct Rendered {
    name: &'static str,
    seconds: f64,
    sums: Vec<f32>,
    /// The light of the last frame, and of all frames together.
    one: Vec<f32>,
    all: Vec<f32>,
    /// The relative error of each frame, and of all frames until then, over their number.
    error_of_one: Vec<(f64, f64)>,
    error_of_all: Vec<(f64, f64)>,
}

impl Rendered {
    fn new(name: &'static str) -> Self {
        let (one, all, sums) = (Vec::new(), Vec::new(), Vec::new());
        let (error_of_one, error_of_all) = (Vec::new(), Vec::new());
        Self { name, seconds: 0.0, sums, one, all, error_of_one, error_of_all }
    }

    fn add(&mut self, sums: Vec<f32>, reference: &[f32]) {
        let frame = self.error_of_one.len() as f64 + 1.0;
        self.one = mean(&sums, Some(&self.sums[..]).filter(|sums| !sums.is_empty()));
        self.all = mean(&sums, None);
        self.error_of_one.push((frame, relative_error(&self.one, reference)));
        self.error_of_all.push((frame, relative_error(&self.all, reference)));
        self.sums = sums;
    }

    fn last(errors: &[(f64, f64)]) -> f64 {
        errors.last().map_or(f64::NAN, |error| error.1)
    }
}

/// Renders frames both ways by turns: path traced, with the cache.
fn frames(
    cache: &mut Cache,
    tracer: &PathTracer,
    samples: u32,
    count: u32,
    reference: &[f32],
) -> Outcome<[Rendered; 2]> {
    let mut both = [Rendered::new("path traced"), Rendered::new("with the cache")];
    let bar = common::progress(count.into(), "frames");
    for _ in 0..count {
        both[0].seconds += timed(|| tracer.run(samples))?;
        both[1].seconds += timed(|| cache.run())?;
        // The only readbacks. They are outside of the time.
        both[0].add(tracer.sums.read()?, reference);
        both[1].add(cache.sums.read()?, reference);
        let [a, b] = [0, 1].map(|i| Rendered::last(&both[i].error_of_one));
        bar.set_message(format!("error of a frame: path traced {a:.3}, with the cache {b:.3}"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(both)
}

fn report(both: &[Rendered; 2], samples: u32, options: &Options) -> Outcome {
    let frames = both[0].error_of_one.len();
    let [traced, cached] = both;
    say!(
        options,
        "{frames} frames: path traced, {samples} samples each, in {}; with the cache in {}; the \
         path tracer had {:.2} times the time",
        time(traced.seconds),
        time(cached.seconds),
        traced.seconds / cached.seconds
    );
    for (what, errors) in [
        ("the last frame", both.each_ref().map(|way| Rendered::last(&way.error_of_one))),
        ("all frames", both.each_ref().map(|way| Rendered::last(&way.error_of_all))),
    ] {
        let [a, b] = errors;
        say!(
            options,
            "relative error of {what}: path traced {a:.4}, with the cache {b:.4}, which is {:.2} times \
             as much",
            b / a
        );
    }
    Ok(())
}

fn draw(
    both: &[Rendered; 2],
    scene: &Scene,
    known: &[f32],
    reference: &[f32],
    options: &Options,
) -> Outcome {
    let titled = |what: String, light: &[f32]| {
        let title = format!("{what}, {:.1} dB", psnr(light, reference));
        panel(&title, scene.width, light)
    };
    let frames = both[0].error_of_one.len();
    let mut columns: Vec<Picture> = Vec::new();
    for way in both {
        columns.push(wgrad_plot::stacked(&[
            titled(format!("{}: a frame", way.name), &way.one)?,
            titled(format!("{frames} frames"), &way.all)?,
        ])?);
    }
    columns.push(wgrad_plot::stacked(&[
        titled("the network itself".into(), known)?,
        panel("reference", scene.width, reference)?,
    ])?);
    let folder = Path::new("radiance_cache");
    options.save(&wgrad_plot::side_by_side(&columns)?, folder.join("side_by_side.png"))?;
    let [traced, cached] = both;
    let series = [
        Series { label: "path traced: a frame", values: &traced.error_of_one },
        Series { label: "with the cache: a frame", values: &cached.error_of_one },
        Series { label: "path traced: all frames", values: &traced.error_of_all },
        Series { label: "with the cache: all frames", values: &cached.error_of_all },
    ];
    let title = "Error in the same time";
    let labels = ["Frame", "Relative squared error"];
    options.save(&wgrad_plot::curve(title, labels, &series, [true; 2])?, folder.join("error.png"))
}

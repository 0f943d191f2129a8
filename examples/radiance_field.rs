//! A radiance field: from photographs of a scene, two small networks learn how dense it is at each
//! place and which colour it has from each side. Nothing but the pixels' colours is known, so the
//! gradient comes from the example's own shaders: they follow a ray through every pixel, put the networks'
//! outputs at its samples together to a colour, and take the difference to the photograph back to
//! each output.
//!
//! ```text
//!          rays            forward      chain        forward       composite
//! pixel ─────────▶ samples ───▶ density ───▶ features ───▶ colours ───▶ colour of the pixel
//!                                  ▲           ▲              ▲              │
//!                                  └───────────┴──────────────┴──────────────┘ its derivatives
//! ```
//!
//! After Mildenhall et al., "NeRF", 2020, and Müller et al., "Instant Neural Graphics Primitives
//! with a Multiresolution Hash Encoding", 2022. The example renders its photographs itself. The film
//! flies round the field while it is learnt; views that were held out say how good it is.
//!
//! ```text
//! cargo run --release --example radiance_field
//! cargo run --release --example radiance_field -- --size 128 --steps 4000
//! ```
//!
//! Pictures and the film in `out/radiance_field/`. `--help` lists the options.

mod common;
#[path = "common/submit.rs"]
mod submit;

#[path = "radiance_field/camera.rs"]
mod camera;
#[path = "radiance_field/field.rs"]
mod field;
#[path = "radiance_field/photographs.rs"]
mod photographs;
#[path = "radiance_field/shader.rs"]
mod shader;
#[cfg(test)]
#[path = "radiance_field/tests.rs"]
mod tests;
#[path = "radiance_field/viewer.rs"]
mod viewer;

use camera::flight;
use clap::Parser;
use common::{Device, Options, Outcome, Stop, say, usage};
use field::{Batch, Field};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, Frame, RgbImage, RgbaImage};
use photographs::Photographs;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use viewer::{Drawn, Viewer};
use wgrad::Gpu;
use wgrad_plot::{Picture, Series};

/// Learns a scene from photographs, and films it from all sides while it is learnt
#[derive(Parser)]
#[command(name = "radiance_field", args_override_self = true)]
#[command(after_help = "Example: radiance_field --size 128 --steps 4000 --film 256")]
struct Arguments {
    /// Training steps; 1200, or 20 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    steps: Option<u32>,
    /// Photographs to learn from; 48, or 12 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
    views: Option<u32>,
    /// Pixels of a side of a photograph; 96, or 24 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=512))]
    size: Option<u32>,
    /// The most samples of a step, on all of its rays together; 262144 on a GPU, 16384 on one of
    /// software, 4096 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1024..=1 << 21))]
    samples: Option<u32>,
    /// Frames of the film; 100, or 3 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    frames: Option<u32>,
    /// Pixels of a side of the film; 160, or 24 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=1024))]
    film: Option<u32>,
    /// Seed of the rays and the first parameters
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    #[command(flatten)]
    options: Options,
}

/// Views that are held out.
const HELD_OUT: usize = 6;
/// The share of the film's frames that show the learning; the others show what was learnt.
const LEARNING: f64 = 0.6;
/// Steps of a submission: a driver should not take one for a hang.
const CHUNK: u32 = 16;

fn main() -> ExitCode {
    common::run(|arguments: Arguments| learn(&arguments))
}

/// The GPU, of software if there is no other: the passes between the networks are shaders.
fn gpu(options: &Options) -> Outcome<Gpu> {
    if options.device == Device::Cpu {
        return Err(usage("the rays are followed by shaders, which need a GPU: --device gpu"));
    }
    Ok(Gpu::new()?)
}

fn learn(asked: &Arguments) -> Outcome {
    let options = &asked.options;
    let or = |full, quick| if options.quick { quick } else { full };
    let size = asked.size.unwrap_or(or(96, 24));
    let steps = asked.steps.unwrap_or(or(1200, 20));
    let gpu = gpu(options)?;
    say!(options, "device: {gpu}");
    let views = asked.views.unwrap_or(or(48, 12)) as usize;
    let photographs = Photographs::take(&gpu, views, HELD_OUT, size)?;
    say!(options, "photographs: {views} of {size} x {size} pixels, and {HELD_OUT} held out");
    let samples = asked.samples.unwrap_or(match (options.quick, gpu.is_software()) {
        (true, _) => 1 << 12,
        (_, true) => 1 << 14,
        _ => 1 << 18,
    });
    let samples = samples.next_multiple_of(64) as usize;
    let batch = Batch { rays: samples / 8, samples };
    let mut field = Field::new(&gpu, &photographs, batch, steps, asked.seed)?;
    say!(options, "density: {}", field.density.mlp());
    say!(options, "colour: {}", field.colour.mlp());
    let film = Film {
        frames: asked.frames.unwrap_or(or(100, 3)),
        size: asked.film.unwrap_or(or(160, 24)),
        steps,
    };
    let curve = film.shoot(&mut field, &photographs, options)?;
    report(&field, &photographs, &curve, options)
}

fn folder(name: &str) -> PathBuf {
    Path::new("radiance_field").join(name)
}

/// A flight round the field while it is learnt.
struct Film {
    frames: u32,
    size: u32,
    steps: u32,
}

impl Film {
    /// Steps taken by the time of a frame: few between the first frames, which change the most.
    fn steps_at(&self, frame: u32) -> u32 {
        let share = f64::from(frame + 1) / (LEARNING * f64::from(self.frames)).max(1.0);
        (f64::from(self.steps) * share.powi(2)).min(self.steps.into()).ceil() as u32
    }

    /// Trains and films by turns: the PSNR of the views that were held out, over the steps.
    fn shoot(
        &self,
        field: &mut Field,
        photographs: &Photographs,
        options: &Options,
    ) -> Outcome<Vec<(f64, f64)>> {
        let path = options.out.join(folder("flight.gif"));
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let failed = |error: image::ImageError| Stop::Failed(error.to_string());
        let mut film = GifEncoder::new_with_speed(BufWriter::new(File::create(&path)?), 10);
        film.set_repeat(Repeat::Infinite).map_err(failed)?;
        let viewer = Viewer::new(field)?;
        let mut curve = Vec::new();
        let mut training = Duration::ZERO;
        let bar = common::progress(self.frames.into(), "frames");
        for frame in 0..self.frames {
            let goal = if frame + 1 == self.frames { self.steps } else { self.steps_at(frame) };
            training += train(field, goal)?;
            let camera = flight(f64::from(frame) as f32 / self.frames as f32);
            let shown = rgba(&viewer.draw(&camera, self.size)?)?;
            let delay = Delay::from_numer_denom_ms(70, 1);
            film.encode_frame(Frame::from_parts(shown, 0, 0, delay)).map_err(failed)?;
            bar.inc(1);
            let is_new = curve.last().is_none_or(|(step, _)| *step < f64::from(goal));
            let is_last = goal == self.steps;
            if is_new && (is_last || frame.is_multiple_of(self.frames.div_ceil(12))) {
                let quality = psnr(&held_out(&viewer, photographs)?, photographs);
                curve.push((f64::from(goal), quality));
                let (squared, rays, samples) = field.last()?;
                let line = format!(
                    "step {goal:>6}  {rays} rays, {samples} samples  PSNR {:.2} dB, held out {quality:.2} dB  {}",
                    -10.0 * squared.log10(),
                    common::time(training.as_secs_f64()),
                );
                bar.suspend(|| options.say(format_args!("{line}")))?;
            }
        }
        bar.finish_and_clear();
        drop(film);
        say!(options, "wrote {}", path.display());
        Ok(curve)
    }
}

/// Trains until so many steps are done: the time that it took.
fn train(field: &mut Field, goal: u32) -> Outcome<Duration> {
    let start = Instant::now();
    while field.steps() < goal {
        field.train(CHUNK.min(goal - field.steps()))?;
    }
    Ok(start.elapsed())
}

/// The field from where the photographs were taken that were held out.
fn held_out(viewer: &Viewer, photographs: &Photographs) -> Outcome<Vec<Drawn>> {
    let views = photographs.held_out.iter();
    views.map(|(camera, _)| viewer.draw(camera, photographs.size)).collect()
}

/// Peak signal-to-noise ratio in dB over all pixels of all views.
fn psnr(drawn: &[Drawn], photographs: &Photographs) -> f64 {
    let views = drawn.iter().zip(&photographs.held_out);
    let squared = views.clone().map(|(drawn, (_, seen))| squared_difference(drawn, seen));
    -10.0 * (squared.sum::<f64>() / views.len() as f64).log10()
}

fn squared_difference(drawn: &Drawn, seen: &RgbImage) -> f64 {
    let pairs = drawn.colours.as_flattened().iter().zip(seen.as_raw());
    let squares = pairs.map(|(y, t)| (f64::from(*y) - f64::from(*t) / 255.0).powi(2));
    squares.sum::<f64>() / seen.as_raw().len() as f64
}

fn to_byte(value: f32) -> u8 {
    (255.0 * value.clamp(0.0, 1.0)).round() as u8
}

fn rgba(drawn: &Drawn) -> Outcome<RgbaImage> {
    let bytes =
        drawn.colours.iter().flat_map(|c| [to_byte(c[0]), to_byte(c[1]), to_byte(c[2]), 255]);
    RgbaImage::from_raw(drawn.size, drawn.size, bytes.collect())
        .ok_or_else(|| Stop::Failed("a picture's length".into()))
}

/// Near is bright, far is dark, nothing is white.
fn depth_map(drawn: &Drawn) -> Vec<u8> {
    let seen = || drawn.depths.iter().copied().filter(|depth| *depth > 0.0);
    let (near, far) = (seen().fold(f32::INFINITY, f32::min), seen().fold(0.0, f32::max));
    let shade = |depth: f32| match depth {
        0.0 => [255; 3],
        depth => shade_of((far - depth) / (far - near).max(1e-6)),
    };
    drawn.depths.iter().flat_map(|depth| shade(*depth)).collect()
}

/// From dark blue over turquoise to yellow.
fn shade_of(share: f32) -> [u8; 3] {
    let ends = [[0.13, 0.1, 0.35], [0.1, 0.55, 0.6], [0.99, 0.9, 0.45]];
    let at = 2.0 * share.clamp(0.0, 1.0);
    let (low, high) = if at < 1.0 { (ends[0], ends[1]) } else { (ends[1], ends[2]) };
    let between = at - at.floor().min(1.0);
    std::array::from_fn(|c| to_byte(low[c] + (high[c] - low[c]) * between))
}

/// The views that were held out: the photograph, what was learnt, and how far it is away.
fn report(
    field: &Field,
    photographs: &Photographs,
    curve: &[(f64, f64)],
    options: &Options,
) -> Outcome {
    let viewer = Viewer::new(field)?;
    let drawn = held_out(&viewer, photographs)?;
    let mut columns = Vec::new();
    for (drawn, (_, seen)) in drawn.iter().zip(&photographs.held_out).take(4) {
        let quality = -10.0 * squared_difference(drawn, seen).log10();
        let learnt: Vec<u8> = drawn.colours.as_flattened().iter().map(|v| to_byte(*v)).collect();
        let panels = [
            panel("photograph, held out", drawn.size, seen.as_raw())?,
            panel(&format!("learnt, {quality:.1} dB"), drawn.size, &learnt)?,
            panel("distance", drawn.size, &depth_map(drawn))?,
        ];
        columns.push(wgrad_plot::stacked(&panels)?);
    }
    options.save(&wgrad_plot::side_by_side(&columns)?, folder("held_out.png"))?;
    let series = [Series { label: "PSNR", values: curve }];
    let labels = ["Step", "PSNR in dB of the views held out"];
    let picture = wgrad_plot::curve("A radiance field", labels, &series, [true, false])?;
    options.save(&picture, folder("psnr.png"))
}

/// Pixels of a side of a panel, at least.
const PANEL: u32 = 280;

fn panel(title: &str, size: u32, rgb: &[u8]) -> Outcome<Picture> {
    let image = RgbImage::from_raw(size, size, rgb.to_vec());
    let image = image.ok_or_else(|| Stop::Failed("a picture's length".into()))?;
    let side = size * PANEL.div_ceil(size);
    let large = image::imageops::resize(&image, side, side, image::imageops::FilterType::Nearest);
    Ok(wgrad_plot::titled(title, side, large.as_raw())?)
}

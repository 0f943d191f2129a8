//! A distance field: from a triangle mesh, or from points with normals alone, a small network learns how
//! far each place is from the surface, negative inside. Every step draws its rows on the GPU, and the loss
//! looks at the slope of the network, too: a distance has a slope of length 1 everywhere (the eikonal
//! equation), and at the surface it is the normal.
//!
//! ```text
//!        sample            forward, slope             loss              backward
//! rows ─────────▶ positions ───────▶ y and p = ∂y/∂x ───────▶ dL/dy, dL/dp ───────▶ the gradient
//! ```
//!
//! After Gropp et al., "Implicit Geometric Regularization for Learning Shapes", 2020, and Sitzmann et al.,
//! "Implicit Neural Representations with Periodic Activation Functions", 2020.
//!
//! ```text
//! cargo run --release -p wgrad-distance-field
//! cargo run --release -p wgrad-distance-field -- bunny.obj
//! cargo run --release -p wgrad-distance-field -- scan.ply --points
//! ```
//!
//! Pictures, the film and the mesh in `out/distance_field/`. `--help` lists the options.

mod bvh;
#[path = "../../common/mod.rs"]
mod common;
mod field;
mod mesh;
mod shader;
#[path = "../../common/submit.rs"]
mod submit;
#[cfg(test)]
mod tests;

use clap::Parser;
use common::{Device, Options, Outcome, Stop, say, usage};
use field::{Field, Preset, Report, Wishes, beside};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame};
use mesh::Mesh;
use shader::Drawing;
use std::f32::consts::TAU;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wgrad::Gpu;
use wgrad_plot::Picture;

/// Learns the signed distance to a mesh, with the network's slope in the loss
#[derive(Parser)]
#[command(name = "distance_field", args_override_self = true)]
#[command(after_help = "Example: distance_field bunny.obj --steps 8000")]
struct Arguments {
    /// A mesh, OBJ or PLY; a knot of the program's own unless it is given
    mesh: Option<PathBuf>,
    /// Learn from points with normals alone: the file's points, or the mesh's corners
    #[arg(long)]
    points: bool,
    /// The network
    #[arg(long, value_name = "NAME", value_enum, default_value = "hash")]
    preset: Preset,
    /// Training steps; 4000, or 20 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    steps: Option<u32>,
    /// Rows of a step; 65536 on a GPU, 1024 on one of software or with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    rows: Option<u32>,
    /// The weight of the eikonal term, 0 leaves it out; 0.3, or 1 with --points, unless it is given
    #[arg(long, value_name = "W", value_parser = common::between(0.0, 1e6))]
    eikonal: Option<f64>,
    /// Frames of the film; 60, or 2 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    frames: Option<u32>,
    /// Pixels of a side of the pictures; 280, or 48 with --quick, unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=2048))]
    size: Option<u32>,
    /// Corners of a side of the grid from which the zero level is made a mesh; 128, or 24 with --quick,
    /// unless it is given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=512))]
    cells: Option<u32>,
    /// Seed of the rows and the first parameters
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    #[command(flatten)]
    options: Options,
}

/// The share of the film's frames that show the learning; the others fly round what was learnt.
const LEARNING: f64 = 0.6;
/// Steps of a submission: a driver should not take one for a hang.
const CHUNK: u32 = 20;
/// Above the horizon, in radians.
const HEIGHT: f32 = 0.45;

fn main() -> ExitCode {
    common::run(|arguments: Arguments| learn(&arguments))
}

fn learn(asked: &Arguments) -> Outcome {
    let options = &asked.options;
    if options.device == Device::Cpu {
        return Err(usage("the rows are drawn by shaders, which need a GPU: --device gpu"));
    }
    let or = |full, quick| if options.quick { quick } else { full };
    let mesh = asked.mesh.as_deref().map_or_else(|| Ok(Mesh::knot()), Mesh::load)?;
    let name = asked.mesh.as_ref().and_then(|path| path.file_stem());
    let name = name.map_or("knot".into(), |stem| stem.to_string_lossy().into_owned());
    let triangles = mesh.triangles.len();
    say!(
        options,
        "{name}: {}, {}",
        count(triangles, "triangle"),
        count(mesh.positions.len(), "point")
    );
    let open = mesh.open_edges();
    if triangles == 0 && !asked.points {
        return Err(Stop::Failed("the file has points but no triangles: --points".into()));
    }
    if open > 0 && !asked.points {
        say!(
            options,
            "{} without a second triangle: near them, inside and outside are a guess",
            count(open, "edge")
        );
    }
    let gpu = Gpu::new()?;
    say!(options, "device: {gpu}");
    let rows =
        asked.rows.unwrap_or(if options.quick || gpu.is_software() { 1 << 10 } else { 1 << 16 });
    let wishes = Wishes {
        preset: asked.preset,
        rows: rows as usize,
        steps: asked.steps.unwrap_or(or(4000, 20)),
        seed: asked.seed,
        eikonal: asked.eikonal.unwrap_or(if asked.points { 1.0 } else { 0.3 }),
        points: asked.points,
    };
    let mut field = Field::new(&gpu, &mesh, wishes)?;
    say!(options, "network: {}", field.trainer.mlp());
    let film = Film {
        frames: asked.frames.unwrap_or(or(60, 2)),
        size: asked.size.unwrap_or(or(280, 48)),
        steps: wishes.steps,
        has_mesh: triangles > 0,
        name: &name,
    };
    let learnt = [field.drawing("surface", film.size)?, field.drawing("slice", film.size)?];
    film.shoot(&mut field, &learnt, options)?;
    film.pictures(&field, &learnt, options)?;
    let side = asked.cells.unwrap_or(or(128, 24)) as usize;
    let zeros = Mesh::of_zeros(field.values(side)?, side)?;
    let path = options.out.join(film.file("zero.obj"));
    zeros.save(&path)?;
    say!(
        options,
        "wrote {}: {}, {} open",
        path.display(),
        count(zeros.triangles.len(), "triangle"),
        count(zeros.open_edges(), "edge")
    );
    Ok(())
}

fn count(number: usize, of: &str) -> String {
    common::count(number, of)
}

fn failed(error: image::ImageError) -> Stop {
    Stop::Failed(error.to_string())
}

/// What a report says.
fn text(report: &Report) -> String {
    let [box_slope, near_slope] = report.eikonal;
    let [box_distance, near_distance] = report.distance.map(|error| 100.0 * error);
    format!(
        "| |p| - 1 |: {box_slope:.4} in the box, {near_slope:.4} near the surface; distance off by \
         {box_distance:.3} % and {near_distance:.3} % of the box"
    )
}

/// A flight round the field while it is learnt, and the pictures of what was learnt.
struct Film<'a> {
    frames: u32,
    size: u32,
    steps: u32,
    has_mesh: bool,
    name: &'a str,
}

impl Film<'_> {
    fn file(&self, name: &str) -> PathBuf {
        Path::new("distance_field").join(format!("{}_{name}", self.name))
    }

    /// Steps taken by the time of a frame: few between the first frames, which change the most.
    fn steps_at(&self, frame: u32) -> u32 {
        let share = f64::from(frame + 1) / (LEARNING * f64::from(self.frames)).max(1.0);
        (f64::from(self.steps) * share.powi(2)).min(self.steps.into()).ceil() as u32
    }

    fn shoot(
        &self,
        field: &mut Field,
        [surface, slice]: &[Drawing; 2],
        options: &Options,
    ) -> Outcome {
        let path = options.out.join(self.file("film.gif"));
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let mut film = GifEncoder::new_with_speed(BufWriter::new(File::create(&path)?), 10);
        film.set_repeat(Repeat::Infinite).map_err(failed)?;
        let mut spent = Duration::ZERO;
        let (mut taken, mut told) = (0, 0);
        let bar = common::progress(self.frames.into(), "frames");
        for frame in 0..self.frames {
            let goal = if frame + 1 == self.frames { self.steps } else { self.steps_at(frame) };
            let start = Instant::now();
            while taken < goal {
                let now = CHUNK.min(goal - taken);
                field.train(now)?;
                taken += now;
            }
            spent += start.elapsed();
            let turn = TAU * frame as f32 / self.frames as f32;
            let both = beside(&[surface.draw([turn, HEIGHT])?, slice.draw([0.0; 2])?]);
            let shown = DynamicImage::ImageRgb8(both).into_rgba8();
            let delay = Delay::from_numer_denom_ms(80, 1);
            film.encode_frame(Frame::from_parts(shown, 0, 0, delay)).map_err(failed)?;
            bar.inc(1);
            let is_last = taken == self.steps && told < self.steps;
            if self.has_mesh && (is_last || taken >= told + self.steps.div_ceil(8)) {
                told = taken;
                let line = format!(
                    "step {taken:>6}  {}  {}",
                    text(&field.report()?),
                    common::time(spent.as_secs_f64())
                );
                bar.suspend(|| options.say(format_args!("{line}")))?;
            }
        }
        bar.finish_and_clear();
        drop(film);
        say!(options, "wrote {}", path.display());
        Ok(())
    }

    /// What was learnt beside the mesh: the surface from two sides, and the slice.
    fn pictures(&self, field: &Field, learnt: &[Drawing; 2], options: &Options) -> Outcome {
        let views = [[0.6, HEIGHT], [2.4, 0.2]];
        let panel = |title: &str, picture: &image::RgbImage| -> Outcome<Picture> {
            Ok(wgrad_plot::titled(title, self.size, picture.as_raw())?)
        };
        let mut columns = Vec::new();
        let mesh =
            [field.mesh_drawing("surface", self.size), field.mesh_drawing("slice", self.size)];
        let sets = [("learnt", learnt), ("mesh", &mesh)];
        for (name, [surface, slice]) in sets.into_iter().take(1 + usize::from(self.has_mesh)) {
            let panels = [
                panel(name, &surface.draw(views[0])?)?,
                panel(&format!("{name}, from behind"), &surface.draw(views[1])?)?,
                panel(&format!("{name}: the plane z = 0"), &slice.draw([0.0; 2])?)?,
            ];
            columns.push(wgrad_plot::side_by_side(&panels)?);
        }
        options.save(&wgrad_plot::stacked(&columns)?, self.file("field.png"))
    }
}

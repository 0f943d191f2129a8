//! The field: a network, the rows of its steps, and its passes with the slope.

use crate::bvh::Tree;
use crate::common::{Outcome, Stop};
use crate::mesh::{HALF, Mesh, dot};
use crate::shader::{Bound, DISTANCE, Drawing, LOSS, Pass, SAMPLE, filled};
use crate::submit::{read, wait};
use image::RgbImage;
use std::f32::consts::PI;
use wgrad::encoding::{Grid, Identity, Interpolation};
use wgrad::{
    Activation, Adam, Gpu, Init, Loss, Mlp, Parameters, PassBuffers, Passes, Schedule, Train,
    Trainer, Training,
};

/// Which network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// Three layers of 64 sines
    Siren,
    /// A smooth hash grid and the position, two layers of 64 softplus
    Hash,
}

/// What a training asks for.
#[derive(Clone, Copy)]
pub struct Wishes {
    pub preset: Preset,
    pub rows: usize,
    pub steps: u32,
    pub seed: u32,
    /// The weight of the eikonal term.
    pub eikonal: f64,
    /// Whether only points and normals teach.
    pub points: bool,
}

fn network(preset: Preset) -> Mlp {
    let mlp = Mlp::new(3);
    match preset {
        Preset::Siren => (0..3)
            .fold(mlp, |mlp, _| mlp.layer(64, Activation::Sine))
            .layer(1, Activation::Identity),
        Preset::Hash => {
            let grid = Grid {
                levels: 8,
                log2_hashmap_size: 15,
                base_resolution: 4,
                interpolation: Interpolation::Smoothstep,
                ..Grid::default().in_box([-HALF; 3], [HALF; 3])
            };
            let mlp = mlp.encode_at(0, 3, Identity::default());
            let mlp = mlp.encode_at(0, 3, grid.to_finest(64.0));
            let mlp = mlp.layer(64, Activation::SharpSoftplus).layer(64, Activation::SharpSoftplus);
            mlp.layer(1, Activation::Identity)
        }
    }
}

/// The first parameters. Sitzmann's first layer has frequencies up to 30, of pictures; a distance has few
/// corners, and learns from 10. Where points alone teach, the field begins as about the distance to a
/// sphere, which has the right sign far away: Atzmon and Lipman, "SAL: Sign Agnostic Learning of Shapes
/// from Raw Data", 2020.
fn first(mlp: &Mlp, preset: Preset, points: bool, seed: u32) -> Outcome<Parameters> {
    let init = if preset == Preset::Siren { Init::Siren } else { Init::Auto };
    let mut values = init.sample(mlp, 1, seed.into())?.values().to_vec();
    let ranges = mlp.ranges();
    let (first, last) = (&ranges[0], &ranges[ranges.len() - 1]);
    if preset == Preset::Siren {
        values[first.weight.clone()].iter_mut().for_each(|w| *w *= FREQUENCY / 30.0);
    } else if points {
        let [units, inputs] = first.shape.map(|n| n as f32);
        values[first.weight.clone()].iter_mut().for_each(|w| *w *= (inputs / units).sqrt());
        values[last.weight.clone()].fill((PI / last.shape[1] as f32).sqrt());
        values[last.bias.clone()].fill(-RADIUS);
    }
    Ok(Parameters::new(mlp.clone(), 1, values)?)
}

const FREQUENCY: f32 = 10.0;
const RADIUS: f32 = 0.6 * HALF;

/// What the field is measured by. Distances are in shares of the box's side.
#[derive(Clone, Copy, Debug)]
pub struct Report {
    /// The mean of | |p| - 1 | over the box, and near the surface.
    pub eikonal: [f64; 2],
    /// The mean of |y - d|, over the box and near the surface.
    pub distance: [f64; 2],
}

/// Rows that a report looks at: half in the box, half near the surface.
const LOOKED_AT: usize = 1 << 15;

/// The buffers of some rows and the passes over them.
struct Rows {
    count: usize,
    positions: wgpu::Buffer,
    targets: wgpu::Buffer,
    outputs: wgpu::Buffer,
    slopes: wgpu::Buffer,
    output_gradient: wgpu::Buffer,
    slope_gradient: wgpu::Buffer,
    passes: Passes,
}

impl Rows {
    fn new(gpu: &Gpu, trainer: &mut Trainer, count: usize) -> Outcome<Self> {
        let of = |name: &str, width: usize| gpu.buffer(name, 4 * (count * width) as u64);
        let [positions, targets] = [of("positions", 3)?, of("targets", 4)?];
        let [outputs, slopes] = [of("outputs", 1)?, of("slopes", 3)?];
        let [output_gradient, slope_gradient] =
            [of("the outputs' gradient", 1)?, of("the slopes' gradient", 3)?];
        let buffers = PassBuffers::new(
            count,
            positions.slice(..),
            outputs.slice(..),
            output_gradient.slice(..),
        );
        let passes = trainer.passes(buffers.slope(slopes.slice(..), slope_gradient.slice(..)))?;
        Ok(Self {
            count,
            positions,
            targets,
            outputs,
            slopes,
            output_gradient,
            slope_gradient,
            passes,
        })
    }
}

/// A field while it is learnt.
pub struct Field {
    pub gpu: Gpu,
    pub trainer: Trainer,
    triangles: wgpu::Buffer,
    nodes: wgpu::Buffer,
    step: Rows,
    report: Rows,
    sample: Pass,
    loss: Pass,
    look: Pass,
    next: Pass,
}

impl Field {
    pub fn new(gpu: &Gpu, mesh: &Mesh, wishes: Wishes) -> Outcome<Self> {
        let Wishes { preset, rows, steps, seed, eikonal, points } = wishes;
        let mlp = network(preset);
        let rate = if preset == Preset::Siren { 1e-3 } else { 1e-2 };
        let adam = Adam { rate, beta2: 0.99, epsilon: 1e-12, ..Adam::default() };
        // The rate falls to a hundredth in the second half.
        let schedule = Schedule::Exponential {
            base: 0.01_f64.powf(1.0 / 16.0),
            start: (steps / 2).max(1),
            interval: (steps / 32).max(1),
            end: steps.max(1),
        };
        let training = Training::new(Loss::OutputGradient, adam).schedule(schedule);
        let mut trainer = Trainer::without_data(gpu, &mlp, &training)?;
        trainer.restart(&first(&mlp, preset, points, seed)?)?;

        let tree = Tree::new(mesh);
        let words: Vec<u32> = mesh.for_shaders(&tree.order).into_iter().map(f32::to_bits).collect();
        let triangles = filled(gpu, "triangles", if words.is_empty() { &[0; 40] } else { &words })?;
        let nodes = filled(gpu, "nodes", &tree.words)?;
        let mut sum = 0.0_f64;
        let areas: Vec<f64> = tree
            .order
            .iter()
            .map(|i| {
                let area = mesh.area_vector(mesh.triangles[*i as usize]);
                sum += f64::from(dot(area, area).sqrt());
                sum
            })
            .collect();
        let areas: Vec<u32> = areas.iter().map(|a| ((a / sum) as f32).to_bits()).collect();
        let areas = filled(gpu, "areas", &areas)?;
        let oriented: Vec<u32> = mesh
            .oriented_points()
            .iter()
            .flatten()
            .flat_map(|[x, y, z]| [*x, *y, *z, 0.0])
            .map(f32::to_bits)
            .collect();
        if points && oriented.is_empty() {
            return Err(Stop::Failed("the points have no normals".into()));
        }
        let oriented = filled(gpu, "points", &oriented)?;
        let state = filled(gpu, "state", &[0, seed])?;

        let step = Rows::new(gpu, &mut trainer, rows)?;
        let report = Rows::new(gpu, &mut trainer, LOOKED_AT)?;
        let parts = [DISTANCE, SAMPLE];
        let of_mesh = [(1, 0, &triangles), (1, 1, &nodes)];
        let own = |rows: &Rows| {
            vec![
                (0, 0, state.clone()),
                (0, 1, rows.positions.clone()),
                (0, 2, rows.targets.clone()),
            ]
        };
        let pass = |entry: &str, rows: &Rows, more: Bound<'_>| {
            let own = own(rows);
            let own: Vec<_> = own.iter().map(|(group, at, buffer)| (*group, *at, buffer)).collect();
            Pass::new(gpu, entry, &parts, &[&own, more].concat(), rows.count)
        };
        let on_mesh = [&[(0, 3, &areas)], &of_mesh[..]].concat();
        let sample = match points {
            true => pass("sample_points", &step, &[(0, 4, &oriented)]),
            false => pass("sample_mesh", &step, &on_mesh),
        };
        let constants = format!(
            "const EIKONAL = f32({eikonal:?});\nconst ON_SURFACE = 3.0;\nconst NORMAL = 0.5;\n\
             const HEAT = 0.1;\nconst FALL = 8.0;\n"
        );
        let of_loss = [
            (0, 0, &step.outputs),
            (0, 1, &step.slopes),
            (0, 2, &step.targets),
            (0, 3, &step.output_gradient),
            (0, 4, &step.slope_gradient),
        ];
        Ok(Self {
            sample,
            loss: Pass::new(gpu, "loss", &[&constants, LOSS], &of_loss, rows),
            look: pass("sample_report", &report, &on_mesh),
            next: Pass::new(gpu, "next", &parts, &[(0, 0, &state)], 1),
            gpu: gpu.clone(),
            trainer,
            triangles,
            nodes,
            step,
            report,
        })
    }

    /// Takes a number of steps and waits for them.
    pub fn train(&mut self, steps: u32) -> Outcome {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        for _ in 0..steps {
            self.sample.record(&mut encoder);
            self.step.passes.record_forward(&mut encoder);
            self.step.passes.record_slope(&mut encoder);
            self.loss.record(&mut encoder);
            self.step.passes.record_backward(&mut encoder);
            self.trainer.record_update(&mut encoder);
            self.next.record(&mut encoder);
        }
        self.gpu.queue().submit([encoder.finish()]);
        wait(&self.gpu)?;
        match self.trainer.diverged()?.first() {
            Some(Some(step)) => Err(Stop::Failed(format!("the training diverged at step {step}"))),
            _ => Ok(()),
        }
    }

    /// How far the field is from a distance, and from the mesh's.
    pub fn report(&self) -> Outcome<Report> {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.look.record(&mut encoder);
        self.report.passes.record_forward(&mut encoder);
        self.report.passes.record_slope(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        let bytes = 4 * LOOKED_AT as u64;
        let y: Vec<f32> = read(&self.gpu, &self.report.outputs, bytes)?;
        let p: Vec<[f32; 3]> = read(&self.gpu, &self.report.slopes, 3 * bytes)?;
        let d: Vec<[f32; 4]> = read(&self.gpu, &self.report.targets, 4 * bytes)?;
        let half = LOOKED_AT / 2;
        let mean = |values: &mut dyn Iterator<Item = f32>| {
            values.map(f64::from).sum::<f64>() / half as f64
        };
        let parts = [0..half, half..LOOKED_AT];
        Ok(Report {
            eikonal: parts
                .clone()
                .map(|part| mean(&mut p[part].iter().map(|p| (dot(*p, *p).sqrt() - 1.0).abs()))),
            distance: parts.map(|part| {
                let pairs = y[part.clone()].iter().zip(&d[part]);
                mean(&mut pairs.map(|(y, d)| (y - d[0]).abs())) / f64::from(2.0 * HALF)
            }),
        })
    }

    /// The field in a fragment shader, through the network's own function.
    pub fn drawing(&self, entry: &str, size: u32) -> Outcome<Drawing> {
        let function = self.trainer.wgsl("field").binding(3, 0).gradient();
        // llvmpipe takes long to compile what is written out.
        let loops = self.gpu.is_software();
        let function = if loops { function.loops() } else { function.uniform() };
        let text = function.text()?;
        let calls = "
            fn distance_at(p: vec3<f32>) -> f32 { return field(array<f32, 3>(p.x, p.y, p.z))[0]; }
            fn slope_at(p: vec3<f32>) -> vec3<f32> {
                let g = field_gradient(array<f32, 3>(p.x, p.y, p.z));
                return vec3<f32>(g[0], g[1], g[2]);
            }";
        let parameters = self.trainer.parameter_buffer();
        let mut bound = vec![(3, 0, parameters.slice(..))];
        if !loops && self.trainer.mlp().encoding_parameters() > 0 {
            // The layers, behind the tables.
            bound.push((3, 1, parameters.slice(function.uniform_range())));
        }
        Ok(Drawing::new(&self.gpu, entry, &[&text, calls], &bound, size))
    }

    /// The mesh's own distance in the same shader.
    pub fn mesh_drawing(&self, entry: &str, size: u32) -> Drawing {
        let calls = "
            fn distance_at(p: vec3<f32>) -> f32 { return distance_to_mesh(p); }
            fn slope_at(p: vec3<f32>) -> vec3<f32> {
                let h = 2e-3 * HALF;
                let d = vec3<f32>(h, 0.0, 0.0);
                return vec3<f32>(
                    distance_to_mesh(p + d.xyy) - distance_to_mesh(p - d.xyy),
                    distance_to_mesh(p + d.yxy) - distance_to_mesh(p - d.yxy),
                    distance_to_mesh(p + d.yyx) - distance_to_mesh(p - d.yyx),
                );
            }";
        let of_mesh = [(1, 0, self.triangles.slice(..)), (1, 1, self.nodes.slice(..))];
        Drawing::new(&self.gpu, entry, &[DISTANCE, calls], &of_mesh, size)
    }

    /// The values `[side, side, side]` over the box, x the fastest.
    pub fn values(&mut self, side: usize) -> Outcome<Vec<f32>> {
        let at = |i: usize| HALF * (2.0 * i as f32 / (side - 1) as f32 - 1.0);
        let mut values = Vec::with_capacity(side * side * side);
        for z in 0..side {
            let line = |y: usize| (0..side).flat_map(move |x| [at(x), at(y), at(z)]);
            let places: Vec<f32> = (0..side).flat_map(line).collect();
            values.extend(self.trainer.predict(&places)?);
        }
        Ok(values)
    }

    /// Signed distances of the mesh at the report's rows, and their places.
    #[cfg(test)]
    pub fn looked_at(&self) -> Outcome<(Vec<[f32; 3]>, Vec<f32>)> {
        self.report()?;
        let bytes = 4 * LOOKED_AT as u64;
        let d: Vec<[f32; 4]> = read(&self.gpu, &self.report.targets, 4 * bytes)?;
        let places = read(&self.gpu, &self.report.positions, 3 * bytes)?;
        Ok((places, d.iter().map(|d| d[0]).collect()))
    }
}

/// Several pictures side by side.
pub fn beside(pictures: &[RgbImage]) -> RgbImage {
    let (width, height) = pictures.first().map_or((1, 1), RgbImage::dimensions);
    let mut all = RgbImage::new(width * pictures.len() as u32, height);
    for (i, picture) in pictures.iter().enumerate() {
        image::imageops::replace(&mut all, picture, i64::from(width) * i as i64, 0);
    }
    all
}

//! The radiance field: two networks, and between them the passes that make pixels of their outputs.

use crate::camera::{LOWER, UPPER};
use crate::common::{Outcome, Stop};
use crate::photographs::Photographs;
use crate::shader::{self, CELLS, FEATURES, Pass};
use crate::submit::{read, wait};
use wgrad::encoding::{Grid, Identity, SphericalHarmonics};
use wgrad::{
    Activation, Adam, Gpu, Inference, Loss, Mlp, Output, PassBuffers, Passes, Rows, Schedule,
    Train, Trainer, Training,
};

/// Steps between two looks at which cells are empty.
const REFRESH: u32 = 8;

/// The sizes of a batch.
#[derive(Clone, Copy)]
pub struct Batch {
    /// Rays, of which so many take part as find room for their samples.
    pub rays: usize,
    /// The most samples of all rays together.
    pub samples: usize,
}

/// Position to density and features.
fn density_network() -> Mlp {
    let grid = Grid {
        levels: 8,
        log2_hashmap_size: 15,
        base_resolution: 8,
        per_level_scale: 1.5,
        ..Grid::default().in_box(LOWER, UPPER)
    };
    let mlp = Mlp::new(3).encode(3, grid).layer(32, Activation::Relu);
    mlp.layer(FEATURES, Activation::Identity)
}

/// Features and direction to colour.
fn colour_network() -> Mlp {
    let mlp = Mlp::new(FEATURES + 3)
        .encode(FEATURES, Identity::default())
        .encode(3, SphericalHarmonics { degree: 4 });
    let hidden = mlp.layer(32, Activation::Relu).layer(32, Activation::Relu);
    hidden.layer(3, Activation::Sigmoid)
}

/// The buffers that the networks and the passes between them read and write.
pub struct Samples {
    pub batch: Batch,
    pub counts: wgpu::Buffer,
    pub rays: wgpu::Buffer,
    pub spans: wgpu::Buffer,
    pub positions: wgpu::Buffer,
    pub features: wgpu::Buffer,
    pub colour_inputs: wgpu::Buffer,
    pub colours: wgpu::Buffer,
}

impl Samples {
    pub fn new(gpu: &Gpu, batch: Batch) -> Outcome<Self> {
        let rows = |name: &str, width: usize| gpu.buffer(name, 4 * (batch.samples * width) as u64);
        Ok(Self {
            batch,
            counts: gpu.buffer("counts", 12)?,
            rays: gpu.buffer("rays", 32 * batch.rays as u64)?,
            spans: gpu.buffer("spans", 12 * batch.rays as u64)?,
            positions: rows("positions", 3)?,
            features: rows("features", FEATURES)?,
            colour_inputs: rows("colour inputs", FEATURES + 3)?,
            colours: rows("colours", 3)?,
        })
    }

    /// As many rows as the GPU has counted.
    pub fn rows(&self) -> Rows<'_> {
        Rows::counted(self.batch.samples, self.counts.slice(..4))
    }

    /// The passes that count the samples, give them rows, and write the rows.
    pub fn passes(
        &self,
        gpu: &Gpu,
        constants: &str,
        shoot: (&str, &[(u32, &wgpu::Buffer)]),
        occupancy: &wgpu::Buffer,
    ) -> [Pass; 3] {
        let text = include_str!("rays.wgsl");
        let Self { batch, counts, rays, spans, positions, colour_inputs, .. } = self;
        let (entry, own) = shoot;
        let shared = [(2, occupancy), (4, rays), (5, spans)];
        let shoot: Vec<_> = own.iter().copied().chain(shared).collect();
        let scan = [(3, counts), (5, spans), (7, positions)];
        let place = [(2, occupancy), (4, rays), (5, spans), (7, positions), (8, colour_inputs)];
        [
            Pass::new(gpu, (constants, text, entry), &shoot, batch.rays),
            Pass::new(gpu, (constants, text, "scan"), &scan, 1),
            Pass::new(gpu, (constants, text, "place"), &place, batch.rays),
        ]
    }

    /// The pass from the density network's outputs to the colour network's inputs.
    pub fn forward(&self, gpu: &Gpu, constants: &str) -> Pass {
        let text = (constants, include_str!("chain.wgsl"), "forward");
        let buffers = [(0, &self.counts), (1, &self.features), (2, &self.colour_inputs)];
        Pass::new(gpu, text, &buffers, self.batch.samples)
    }
}

/// A field while it is learnt.
pub struct Field {
    pub gpu: Gpu,
    pub density: Trainer,
    pub colour: Trainer,
    /// What is known of the cells of the box: their largest densities of late.
    pub occupancy: wgpu::Buffer,
    pub constants: String,
    samples: Samples,
    colours_seen: wgpu::Buffer,
    rays: [Pass; 3],
    density_passes: Passes,
    forward: Pass,
    colour_passes: Passes,
    composite: Pass,
    backward: Pass,
    probe: Pass,
    look: Inference,
    update: Pass,
    steps: u32,
}

impl Field {
    pub fn new(
        gpu: &Gpu,
        photographs: &Photographs,
        batch: Batch,
        steps: u32,
        seed: u32,
    ) -> Outcome<Self> {
        let constants = format!(
            "{}const PHOTOGRAPHS = {}u;\nconst SIZE = {}u;\nconst SEED = {seed}u;\n",
            shader::constants(),
            photographs.learnt,
            photographs.size
        );
        let samples = Samples::new(gpu, batch)?;
        let rows = |name: &str, width: usize| gpu.buffer(name, 4 * (batch.samples * width) as u64);
        let colours_seen = gpu.buffer("colours seen", 16 * batch.rays as u64)?;
        let features_gradient = rows("features' gradient", FEATURES)?;
        let colours_gradient = rows("colours' gradient", 3)?;
        let colour_inputs_gradient = rows("colour inputs' gradient", FEATURES + 3)?;

        let adam = Adam { rate: 1e-2, beta2: 0.99, epsilon: 1e-15, ..Adam::default() };
        let third = (steps / 3).max(1);
        // Two decays to a third: fine detail comes with the small rates.
        let schedule = Schedule::Exponential {
            base: 0.33,
            start: third,
            interval: third,
            end: steps.max(third),
        };
        let training = Training::new(Loss::OutputGradient, adam).schedule(schedule);
        let training = Training { seed: seed.into(), ..training }.ema(0.95);
        let lazy = Training { optimizer: Adam { lazy: true, ..adam }.into(), ..training.clone() };
        let mut density = Trainer::without_data(gpu, &density_network(), &lazy)?;
        let mut colour = Trainer::without_data(gpu, &colour_network(), &training)?;

        let density_passes = density.passes(PassBuffers::new(
            samples.rows(),
            samples.positions.slice(..),
            samples.features.slice(..),
            features_gradient.slice(..),
        ))?;
        let colour_buffers = PassBuffers::new(
            samples.rows(),
            samples.colour_inputs.slice(..),
            samples.colours.slice(..),
            colours_gradient.slice(..),
        );
        // The chain: what goes back into the colour network's inputs goes on into the density network.
        let colour_passes =
            colour.passes(colour_buffers.input_gradient(colour_inputs_gradient.slice(..)))?;

        let cells = (CELLS * CELLS * CELLS) as usize;
        let occupancy = gpu.buffer("occupancy", 4 * cells as u64)?;
        let probes = gpu.buffer("probes", 12 * cells as u64)?;
        let probed = gpu.buffer("probed", 4 * (FEATURES * cells) as u64)?;
        let look = density.inference(cells, probes.slice(..), Output::Buffer(probed.slice(..)))?;

        let pass = |text: &str, entry: &str, buffers: &[(u32, &wgpu::Buffer)], invocations| {
            Pass::new(gpu, (&constants, text, entry), buffers, invocations)
        };
        let Samples { counts, spans, features, colours, .. } = &samples;
        let shot =
            [(0, &photographs.cameras), (1, &photographs.pixels), (3, counts), (6, &colours_seen)];
        let composite = [
            (0, counts),
            (1, spans),
            (2, features),
            (3, colours),
            (4, &colours_seen),
            (5, &colours_gradient),
            (6, &features_gradient),
        ];
        let backward = [(0, counts), (3, &colour_inputs_gradient), (4, &features_gradient)];
        let chain = include_str!("chain.wgsl");
        let cell_text = include_str!("occupancy.wgsl");
        Ok(Self {
            rays: samples.passes(gpu, &constants, ("shoot_photographs", &shot), &occupancy),
            forward: samples.forward(gpu, &constants),
            composite: pass(include_str!("composite.wgsl"), "backward", &composite, batch.rays),
            backward: pass(chain, "backward", &backward, batch.samples),
            probe: pass(cell_text, "probe", &[(0, counts), (1, &probes), (3, &occupancy)], cells),
            update: pass(cell_text, "update", &[(2, &probed), (3, &occupancy)], cells),
            gpu: gpu.clone(),
            steps: 0,
            density,
            colour,
            density_passes,
            colour_passes,
            look,
            occupancy,
            colours_seen,
            samples,
            constants,
        })
    }

    /// Records a step: photographs, samples, both networks, pixels, and all the way back. No word of
    /// it passes through the CPU.
    fn record_step(&mut self, encoder: &mut wgpu::CommandEncoder) {
        self.rays.iter().for_each(|pass| pass.record(encoder));
        self.density_passes.record_forward(encoder);
        self.forward.record(encoder);
        self.colour_passes.record_forward(encoder);
        self.composite.record(encoder);
        self.colour_passes.record_backward(encoder);
        self.backward.record(encoder);
        self.density_passes.record_backward(encoder);
        self.density.record_update(encoder);
        self.colour.record_update(encoder);
    }

    /// Looks at a point of each cell.
    fn record_refresh(&self, encoder: &mut wgpu::CommandEncoder) {
        self.probe.record(encoder);
        self.look.record(encoder);
        self.update.record(encoder);
    }

    /// Takes a number of steps and waits for them.
    pub fn train(&mut self, steps: u32) -> Outcome {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        for _ in 0..steps {
            if self.steps.is_multiple_of(REFRESH) {
                self.record_refresh(&mut encoder);
            }
            self.record_step(&mut encoder);
            self.steps += 1;
        }
        self.gpu.queue().submit([encoder.finish()]);
        Ok(wait(&self.gpu)?)
    }

    /// The averages of the parameters, of the density network and of the colour network.
    pub fn averages(&self) -> Outcome<[&wgpu::Buffer; 2]> {
        let none = || Stop::Failed("a trainer keeps no averages".into());
        Ok([
            self.density.ema_parameter_buffer().ok_or_else(none)?,
            self.colour.ema_parameter_buffer().ok_or_else(none)?,
        ])
    }

    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The last step: its mean squared difference, its rays and its samples.
    pub fn last(&mut self) -> Outcome<(f64, u32, u32)> {
        for trainer in [&mut self.density, &mut self.colour] {
            if let Some(Some(step)) = trainer.diverged()?.first() {
                return Err(Stop::Failed(format!("the training diverged at step {step}")));
            }
        }
        let counts: Vec<u32> = read(&self.gpu, &self.samples.counts, 12)?;
        let bytes = 16 * self.samples.batch.rays as u64;
        let seen: Vec<[f32; 4]> = read(&self.gpu, &self.colours_seen, bytes)?;
        let sum: f64 = seen.iter().map(|[.., squared]| f64::from(*squared)).sum();
        Ok((sum / f64::from(counts[1].max(1)), counts[1], counts[0]))
    }
}

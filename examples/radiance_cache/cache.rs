//! A frame with the radiance cache: the example's passes, the network's inference and its training,
//! in one encoder.

use crate::common::Outcome;
use crate::passes::{Pass, Shader, storage};
use crate::path_tracer::Sums;
use crate::scene::{BOUNDS, Scene};
use crate::submit;
use wgrad::encoding::{Grid, Identity, SphericalHarmonics};
use wgrad::{
    Activation, Adam, DataBuffers, DataShape, Error, Gpu, Inference, Loss, Mlp, Output, Parameters,
    Result, Train as _, Trainer, Training,
};

/// A query's numbers, as cache.wgsl writes them.
const INPUTS: usize = 16;
/// The bytes of a query.
const QUERY: u64 = 4 * INPUTS as u64;
/// Vertices of a training path, at most.
const LENGTH: u32 = 4;
/// Pixels of the picture for one training path.
const PIXELS_A_PATH: u32 = 16;
/// Training steps of a frame, as in cache.wgsl. Each sees a quarter of the frame's rows.
const STEPS: u32 = 4;

/// From a surface and a direction to the light that the surface scatters there, divided by its
/// reflectance.
fn network() -> Mlp {
    let grid = Grid {
        levels: 4,
        log2_hashmap_size: 14,
        base_resolution: 8,
        per_level_scale: 2.0,
        ..Grid::default().in_box(BOUNDS[0], BOUNDS[1])
    };
    Mlp::new(INPUTS)
        .encode(3, grid)
        .encode(3, SphericalHarmonics { degree: 4 })
        .encode(10, Identity::default())
        .layer(32, Activation::Relu)
        .layer(32, Activation::Relu)
        .layer(3, Activation::Identity)
}

fn training(seed: u32) -> Training {
    let adam = Adam { rate: 5e-3, beta2: 0.99, epsilon: 1e-15, lazy: true, ..Adam::default() };
    // A relative loss: the dark corners count, too, and its minimum is the mean of noisy targets.
    Training::new(Loss::RelativeL2, adam).ema(0.95).seed(seed.into())
}

/// The cache, and all that a frame with it takes.
pub struct Cache {
    gpu: Gpu,
    trainer: Trainer,
    initial: Parameters,
    counters: wgpu::Buffer,
    batches: Batches,
    /// Begins a frame and extends the training paths.
    before: [Pass; 2],
    /// What lies beyond the training paths.
    ends: Inference,
    /// Counts the rows and computes their targets.
    targets: [Pass; 2],
    trace: Pass,
    look: Pass,
    /// The light of every pixel's second surface.
    seconds: Inference,
    shade: Pass,
    pub sums: Sums,
}

/// The frame's rows, `[STEPS, batch]`, and the batch that the trainer reads.
struct Batches {
    all: [wgpu::Buffer; 2],
    one: [wgpu::Buffer; 2],
    /// How many rows the trainer's batch has.
    count: wgpu::Buffer,
    most: u32,
}

impl Batches {
    fn new(make: impl Fn(&str, u32, u64) -> wgpu::Buffer, most: u32) -> Self {
        let pair = |rows| [make("rows", rows, QUERY), make("targets", rows, 12)];
        Self { all: pair(STEPS * most), one: pair(most), count: make("count", 1, 4), most }
    }

    /// What the trainer is bound to. Paths end early, so a batch has as many rows as there are.
    fn data(&self) -> DataBuffers<'_> {
        let [inputs, targets] = self.one.each_ref().map(|buffer| buffer.slice(..));
        let shape = DataShape::shared(self.most as usize);
        DataBuffers::new(shape, inputs, targets).count(self.count.slice(..))
    }

    /// Records the copy of a step's rows and of their count, which follows two other counters.
    fn load(&self, step: u32, counters: &wgpu::Buffer, encoder: &mut wgpu::CommandEncoder) {
        for (all, one) in self.all.iter().zip(&self.one) {
            let start = u64::from(step) * one.size();
            encoder.copy_buffer_to_buffer(all, start, one, 0, one.size());
        }
        encoder.copy_buffer_to_buffer(counters, 8 + 4 * u64::from(step), &self.count, 0, 4);
    }
}

impl Cache {
    pub fn new(gpu: &Gpu, scene: &Scene, uniform: &wgpu::Buffer, seed: u32) -> Result<Self> {
        let device = gpu.device();
        let pixels = scene.pixels();
        let paths = pixels.div_ceil(PIXELS_A_PATH);
        let make =
            |label: &str, count: u32, bytes: u64| storage(device, label, u64::from(count) * bytes);
        let batches = Batches::new(make, (paths * LENGTH).div_ceil(STEPS));
        let counters = make("counters", 2 + STEPS, 4);
        let vertices = make("vertices", paths * LENGTH, QUERY + 48);
        let states = make("paths", paths, 48);
        let [end_queries, end_answers] = [make("ends", paths, QUERY), make("answers", paths, 12)];
        let [queries, answers] = [make("queries", pixels, QUERY), make("answers", pixels, 12)];
        let lights = make("pixels", pixels, 32);
        let sums = Sums::new(gpu, scene);

        let mut trainer = Trainer::with_buffers(gpu, &network(), &training(seed), batches.data())?;
        let initial = trainer.parameters()?;
        // The averaged parameters: what those of single steps answer flickers.
        let missing = || Error::Internal("a training without an average".into());
        let averaged = trainer.ema_parameter_buffer().ok_or_else(missing)?.slice(..);
        let infer = |rows: u32, from: &wgpu::Buffer, to: &wgpu::Buffer| {
            let to = Output::Buffer(to.slice(..));
            trainer.inference_from(averaged, rows as usize, from.slice(..), to)
        };
        let ends = infer(paths, &end_queries, &end_answers)?;
        let seconds = infer(pixels, &queries, &answers)?;

        let text = concat!(include_str!("tracer.wgsl"), include_str!("cache.wgsl"));
        let constants =
            [("PATHS", paths), ("LENGTH", LENGTH), ("BATCH", batches.most), ("SEED", seed)];
        let constants = constants.map(|(name, value)| (name, f64::from(value)));
        let shader = Shader::new(device, text, &constants);
        let bound: [&wgpu::Buffer; 5] = [uniform, &sums.buffer, &counters, &vertices, &states];
        let own = |binding: u32| (binding, bound[binding as usize]);
        let by_path = |entry, all: &[_]| shader.pass(entry, paths.div_ceil(64), all);
        let by_pixel = |entry, all: &[_]| shader.pass(entry, pixels.div_ceil(64), all);
        let written = [(7, &batches.all[0]), (8, &batches.all[1])];
        let asked = [own(0), (5, &queries), (9, &lights)];
        Ok(Self {
            before: [
                shader.pass("begin", 1, &[own(2)]),
                by_path("extend", &[own(0), own(2), own(3), own(4), (5, &end_queries)]),
            ],
            targets: [
                shader.pass("count", 1, &[own(2), own(4)]),
                by_path("targets", &[own(3), own(4), (6, &end_answers), written[0], written[1]]),
            ],
            trace: by_pixel("trace", &[asked[0], own(2), asked[1], asked[2]]),
            look: by_pixel("look", &asked),
            shade: by_pixel("shade", &[own(0), own(1), (6, &answers), (9, &lights)]),
            gpu: gpu.clone(),
            trainer,
            initial,
            counters,
            batches,
            ends,
            seconds,
            sums,
        })
    }

    /// Records a frame: no submit, no wait, no upload.
    pub fn record(&mut self, encoder: &mut wgpu::CommandEncoder) {
        self.before.iter().for_each(|pass| pass.record(encoder));
        self.ends.record(encoder);
        self.targets.iter().for_each(|pass| pass.record(encoder));
        for step in 0..STEPS {
            self.batches.load(step, &self.counters, encoder);
            self.trainer.record(encoder, 1);
        }
        self.trace.record(encoder);
        self.seconds.record(encoder);
        self.shade.record(encoder);
    }

    /// Renders a frame and waits for it.
    pub fn run(&mut self) -> Outcome {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        self.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        Ok(submit::wait(&self.gpu)?)
    }

    /// Begins anew, without compiling.
    pub fn restart(&mut self) -> Outcome {
        self.trainer.restart(&self.initial)?;
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        for buffer in [&self.counters, &self.sums.buffer] {
            encoder.clear_buffer(buffer, 0, None);
        }
        self.gpu.queue().submit([encoder.finish()]);
        Ok(())
    }

    /// What the network itself answers for the first surface of every pixel, in the place of the
    /// frames.
    pub fn look(&self) -> Outcome<Vec<f32>> {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        encoder.clear_buffer(&self.sums.buffer, 0, None);
        self.look.record(&mut encoder);
        self.seconds.record(&mut encoder);
        self.shade.record(&mut encoder);
        self.gpu.queue().submit([encoder.finish()]);
        self.sums.read()
    }

    /// The training rows of the last frame, and how many there may be.
    pub fn rows(&self) -> Outcome<[u32; 2]> {
        let counters: Vec<u32> = submit::read(&self.gpu, &self.counters, 8)?;
        Ok([counters[1], STEPS * self.batches.most])
    }
}

impl std::fmt::Display for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {} parameters", self.trainer.mlp(), self.trainer.mlp().parameters())
    }
}

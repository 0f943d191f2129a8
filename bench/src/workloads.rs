//! The workloads of the side-by-side benchmark: trainings and matrix products.
//!
//! Data and initial weights come from one generator, so that every peer, in whatever language and
//! library, ends at the same loss.

use crate::submit::submit;
use wgrad::encoding::Grid;
use wgrad::kernels::Matmul;
use wgrad::{
    Activation, Adam, Batch, Data, Gpu, Loss, Mlp, Optimizer, Parameters, Prepared, Result,
    Training,
};

/// `count` numbers in `low..high` from SplitMix64: the upper 24 bits of each draw.
pub fn uniform(seed: u64, count: usize, low: f32, high: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let mut draw = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        low + (high - low) * ((bits >> 40) as f32 / (1 << 24) as f32)
    };
    (0..count).map(|_| draw()).collect()
}

/// A training of one network or of a population.
pub struct Workload {
    pub name: &'static str,
    pub mlp: Mlp,
    pub training: Training,
    pub data: Data,
    /// What the training starts from.
    pub parameters: Parameters,
    /// Steps of a timed run.
    pub steps: u32,
}

/// The names of the trainings.
pub const NAMES: [&str; 9] = ["w1", "w2", "w3", "w4", "hash", "ci2", "ci3", "tf500", "tf10"];

/// What a training's targets are.
#[derive(Clone, Copy)]
enum Targets {
    /// 1 where x² + y² < 0.5, and this number elsewhere.
    Disc { outside: f32 },
    /// One class of as many as there are outputs.
    Classes,
    /// Numbers in 0..1.
    Numbers,
}

impl Targets {
    /// Those of `rows` rows of the inputs `x`, for `outputs` outputs.
    fn of(self, x: &[f32], rows: usize, outputs: usize) -> Vec<f32> {
        let disc = |p: &[f32], outside| if p[0] * p[0] + p[1] * p[1] < 0.5 { 1.0 } else { outside };
        match self {
            Self::Disc { outside } => x.chunks(2).map(|p| disc(p, outside)).collect(),
            Self::Classes => one_hot(&uniform(3, rows, 0.0, outputs as f32), outputs),
            Self::Numbers => uniform(3, rows * outputs, 0.0, 1.0),
        }
    }
}

impl Workload {
    /// The training `name` of `models` models on shared data: the first has the workload's weights,
    /// the others the same times 1 to 2 in even steps. `None` where there is no such name.
    pub fn new(name: &str, models: usize) -> Result<Option<Self>> {
        use Activation::{Identity, Relu, Sigmoid, Tanh};
        use Loss::{BinaryCrossEntropy, MeanSquaredError, RelativeL2, SoftmaxCrossEntropy};
        use Targets::{Classes, Disc, Numbers};
        let Some(name) = NAMES.into_iter().find(|known| *known == name) else { return Ok(None) };
        let adam = |rate| Optimizer::from(Adam { rate, ..Adam::default() });
        let sgd = |rate| Optimizer::sgd(rate);
        let dense = |inputs, hidden: &[usize], f: Activation, outputs, last| {
            let mlp = hidden.iter().fold(Mlp::new(inputs), |mlp, units| mlp.layer(*units, f));
            mlp.layer(outputs, last)
        };
        let grid = Grid { log2_hashmap_size: 15, per_level_scale: 1.5, ..Grid::default() };
        let lazy = Adam { rate: 1e-2, beta2: 0.99, epsilon: 1e-15, ..Adam::default() };
        let lazy = Optimizer::from(Adam { l2: 1e-6, lazy: true, ..lazy });
        // The playground's loss is half of this one, its rate 0.03.
        let (playground, signs) = (dense(2, &[8, 8], Tanh, 1, Tanh), Disc { outside: -1.0 });
        // Of each: network, loss, targets, rule, rows of a batch, batches, steps.
        let (mlp, loss, targets, optimizer, [rows, batches], steps) = match name {
            "w1" => {
                let mlp = dense(2, &[3], Sigmoid, 1, Sigmoid);
                (mlp, BinaryCrossEntropy, Disc { outside: 0.0 }, sgd(1.0), [1000, 1], 2000)
            }
            "w2" => {
                let mlp = dense(2, &[8, 8], Tanh, 1, Sigmoid);
                (mlp, BinaryCrossEntropy, Disc { outside: 0.0 }, adam(1e-2), [1000, 1], 1000)
            }
            "w3" => {
                let mlp = dense(32, &[64; 3], Relu, 3, Identity);
                (mlp, MeanSquaredError, Numbers, adam(1e-3), [16_384, 1], 100)
            }
            "w4" => {
                let mlp = dense(784, &[512, 256], Relu, 10, Identity);
                (mlp, SoftmaxCrossEntropy, Classes, adam(1e-3), [128, 8], 200)
            }
            "hash" => {
                let mlp = Mlp::new(2).encode(2, grid).layer(64, Relu).layer(64, Relu);
                (mlp.layer(3, Identity), RelativeL2, Numbers, lazy, [16_384, 4], 40)
            }
            "ci2" | "ci3" => {
                let hidden: &[usize] = if name == "ci2" { &[64] } else { &[64, 64] };
                let mlp = dense(128, hidden, Relu, 10, Identity);
                (mlp, SoftmaxCrossEntropy, Classes, sgd(1e-2), [16, 1], 500)
            }
            "tf500" => (playground, MeanSquaredError, signs, sgd(0.015), [500, 1], 2000),
            "tf10" => (playground, MeanSquaredError, signs, sgd(0.015), [10, 50], 20_000),
            _ => return Ok(None),
        };
        let all = rows * batches;
        let low = if mlp.encoding.is_empty() { -1.0 } else { 0.0 };
        let x = uniform(1, all * mlp.inputs, low, 1.0);
        let t = targets.of(&x, all, mlp.outputs());
        let data = Data::new(mlp.inputs, mlp.outputs(), x, t)?;
        let batch = if batches == 1 { Batch::Full } else { Batch::Sequential { size: rows } };
        let training =
            Training::new(loss, optimizer).models(models).batch(batch).history(steps as usize);
        let parameters = parameters(&mlp, models)?;
        Ok(Some(Self { name, mlp, training, data, parameters, steps }))
    }
}

/// A row of zeros and one 1 for each number, at the place that the number's whole part gives.
fn one_hot(numbers: &[f32], classes: usize) -> Vec<f32> {
    let place = |number: &f32| number.floor() as usize;
    let row = |class| (0..classes).map(move |i| f32::from(u8::from(i == class)));
    numbers.iter().map(place).flat_map(row).collect()
}

/// Weights that are drawn `[inputs, units]` layer after layer, biases of 0.
fn parameters(mlp: &Mlp, models: usize) -> Result<Parameters> {
    let mut first = vec![0.0; mlp.parameters()];
    let tables = mlp.encoding_parameters();
    first[..tables].copy_from_slice(&uniform(99, tables, -1e-4, 1e-4));
    for (range, seed) in mlp.ranges().into_iter().zip(100..) {
        let [units, inputs] = range.shape;
        let most = 1.0 / (inputs as f32).sqrt();
        let drawn = uniform(seed, inputs * units, -most, most);
        for (i, weight) in first[range.weight].iter_mut().enumerate() {
            *weight = drawn[i % inputs * units + i / inputs];
        }
    }
    let last = (models.max(2) - 1) as f32;
    let scaled = (0..models).flat_map(|m| {
        let scale = 1.0 + m as f32 / last;
        first.iter().map(move |weight| scale * weight)
    });
    Parameters::new(mlp.clone(), models, scaled.collect())
}

/// A batched matrix product.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    pub name: &'static str,
    pub models: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
    /// Whether A and B are stored as f16.
    pub half: bool,
}

const fn square(name: &'static str, side: usize) -> Product {
    Product { name, models: 1, rows: side, inner: side, columns: side, half: false }
}

const fn halved(name: &'static str, side: usize) -> Product {
    Product { half: true, ..square(name, side) }
}

/// The products that are measured together.
pub const PRODUCTS: [Product; 6] = [
    square("mm256", 256),
    square("mm512", 512),
    square("mm1024", 1024),
    square("mm2048", 2048),
    Product { name: "bmm64x128", models: 64, rows: 128, inner: 128, columns: 128, half: false },
    Product { name: "tall", models: 1, rows: 16_384, inner: 64, columns: 64, half: false },
];

/// Those that are measured only where they are asked for: a software GPU would take long over the
/// largest, and no other library is asked for those of f16.
pub const MORE: [Product; 5] = [
    square("mm4096", 4096),
    halved("mm512f16", 512),
    halved("mm1024f16", 1024),
    halved("mm2048f16", 2048),
    halved("mm4096f16", 4096),
];

impl Product {
    /// Floating-point operations.
    pub const fn operations(&self) -> u64 {
        2 * (self.models * self.rows * self.inner * self.columns) as u64
    }

    /// Products of a timed sample: 8 GFLOP or so.
    pub fn repetitions(&self) -> u32 {
        (8e9 / self.operations() as f64).round().clamp(1.0, 400.0) as u32
    }

    /// A `[models, rows, inner]` and B `[models, inner, columns]`.
    pub fn operands(&self) -> [Vec<f32>; 2] {
        let size = self.models * self.inner;
        [uniform(7, size * self.rows, -1.0, 1.0), uniform(8, size * self.columns, -1.0, 1.0)]
    }

    /// The product as the crate's kernel does it.
    pub const fn matmul(&self) -> Matmul {
        let f32 = Matmul::new(self.rows, self.columns, self.inner);
        let all = f32.models(self.models);
        if self.half { all.half_operands() } else { all }
    }
}

/// A product on buffers of a device, ready to be recorded.
pub struct OnGpu {
    pub dispatches: Vec<Prepared>,
    pub c: wgpu::Buffer,
}

impl OnGpu {
    pub fn new(gpu: &Gpu, product: &Product) -> Result<Self> {
        let buffer = |label, elements: usize| gpu.buffer(label, 4 * elements as u64);
        let [a, b] = product.operands();
        let (on_a, on_b) = (buffer("A", a.len())?, buffer("B", b.len())?);
        let c = buffer("C", product.models * product.rows * product.columns)?;
        for (buffer, values) in [(&on_a, &a), (&on_b, &b)] {
            if product.half {
                let halves: Vec<_> =
                    values.iter().map(|v| half::f16::from_f32(*v).to_bits()).collect();
                gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(&halves));
            } else {
                gpu.queue().write_buffer(buffer, 0, bytemuck::cast_slice(values));
            }
        }
        // There is no bias: its slot takes any buffer that is not written.
        let slots = [&on_a, &on_b, &on_a, &c].map(|buffer| buffer.as_entire_buffer_binding());
        let dispatches = product.matmul().dispatches(gpu.capabilities())?;
        let dispatches = dispatches.iter().map(|dispatch| gpu.prepare(dispatch, &slots));
        Ok(Self { dispatches: dispatches.collect::<Result<_>>()?, c })
    }

    /// Runs the product `count` times in one submission and waits.
    pub fn run(&self, gpu: &Gpu, count: u32) -> Result<()> {
        submit(gpu, &self.dispatches, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wgrad::{CpuTrainer, Train, TrainBase};

    /// The loss before the third update, as numpy has it from the benchmark's common text.
    #[test]
    fn work_is_that_of_other_libraries() -> Result<()> {
        for (name, expected) in [
            ("w1", 0.688280),
            ("w2", 0.690418),
            ("w3", 0.310879),
            ("w4", 2.305015),
            ("ci2", 2.319319),
            ("ci3", 2.288561),
            ("tf500", 1.011863),
            ("tf10", 0.961018),
        ] {
            let Some(Workload { mlp, training, data, parameters, .. }) = Workload::new(name, 1)?
            else {
                panic!("{name} is missing");
            };
            let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &data)?;
            trainer.set_parameters(&parameters)?;
            trainer.train(3)?;
            let found = trainer.losses()?.last()[0];
            let error = (found - expected).abs();
            assert!(error <= 2e-6, "{name}: {found}, not {expected}");
        }
        Ok(())
    }
}

//! A random network with a training and data. One generator for all tests that need many: `fuzz`,
//! the shaders for Chrome's compiler, and the tests in a browser.
#![allow(dead_code, clippy::unwrap_used)]

use wgrad::encoding::{
    Axis, Edge, EncodingPart, Frequency, Grid, GridKind, Identity, Interpolation, OneBlob,
    SphericalHarmonics, TriangleWave,
};
use wgrad::{
    Activation, Adam, AdamW, Argument, Batch, Data, Encoding, Init, Loss, Mlp, Momentum, Nesterov,
    Optimizer, Parameters, Part, Schedule, Strategy, Training,
};

/// Numbers that decide everything about a case. The smaller they are, the simpler is the case, and
/// a number that is missing counts as 0: so a list that fails can be shortened.
#[derive(Debug, Clone)]
pub struct Choices<'a>(std::slice::Iter<'a, u32>);

/// The number of choices that a case makes at most.
pub const CHOICES: usize = 112;

impl<'a> Choices<'a> {
    pub fn new(choices: &'a [u32]) -> Self {
        Self(choices.iter())
    }

    /// A number below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        self.0.next().map_or(0, |choice| *choice as usize % count)
    }

    /// One of `all`.
    pub fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }
}

/// Pseudo-random choices from a seed (SplitMix64).
pub fn choices(seed: u64) -> Vec<u32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32) as u32
    };
    (0..CHOICES).map(|_| next()).collect()
}

/// Pseudo-random numbers in [0, 1), exact in f32.
pub fn fractions(count: usize, seed: u64) -> Vec<f32> {
    let parts = (0..).flat_map(|part| choices(seed ^ (part << 32)));
    parts.take(count).map(|bits| (bits >> 8) as f32 / 16_777_216.0).collect()
}

/// A network, a training and data.
#[derive(Debug, Clone)]
pub struct Case {
    pub mlp: Mlp,
    pub training: Training,
    pub sets: usize,
    pub rows: usize,
    pub seed: u64,
}

impl Case {
    pub fn new(choices: &mut Choices<'_>) -> Self {
        let mlp = mlp(choices);
        // A sum y g has no minimum: its trainings leave the numbers that can be compared.
        let losses: Vec<_> =
            Loss::ALL.iter().copied().filter(|l| *l != Loss::OutputGradient).collect();
        let loss = choices.of(&losses);
        let last = match loss.argument() {
            Argument::Logit(_) if loss == Loss::BinaryCrossEntropy => Activation::Sigmoid,
            Argument::Logit(activation) => activation,
            _ => choices.of(&activations()),
        };
        let last = if loss.check(last).is_ok() { last } else { Activation::Identity };
        let outputs = choices.of(&[1, 2, 3, 4, 5, 8, 17, 24, 40]);
        let mlp = layer(choices, mlp, outputs, last);
        let rows = choices.of(&[1, 2, 3, 7, 16, 31, 64, 65, 100, 129, 300, 700]);
        let size = 1 + choices.below(rows);
        let batch = match choices.below(3) {
            0 => Batch::Full,
            1 => Batch::Shuffled { size, seed: choices.below(1000) as u32 },
            _ => Batch::Sequential { size },
        };
        let models = choices.of(&[1, 1, 2, 3, 5]);
        let sets = choices.of(&[1, models]);
        let mut training = Training::new(loss, optimizer(choices, rounds_to_zero(&mlp)))
            .batch(batch)
            .models(models)
            .schedule(schedule(choices))
            .history(choices.of(&[4096, 1, 3, 17]))
            .strategy(choices.of(&[
                Strategy::Auto,
                Strategy::Resident,
                Strategy::Fused,
                Strategy::Layered,
            ]));
        training = training.seed(choices.below(1 << 30) as u64);
        training.init =
            choices.of(&[Init::Auto, Init::GlorotUniform, Init::HeNormal, Init::StandardNormal]);
        if choices.below(4) == 3 {
            training = training.ema(choices.of(&[0.9, 0.5, 0.0, 0.999]));
        }
        let seed = choices.below(1 << 30) as u64;
        if choices.below(4) == 3 {
            training = training.clip_norm(choices.of(&[0.1, 1.0, 0.003, 10.0]));
        }
        if choices.below(3) == 2 {
            let tables =
                |(_, part): &(usize, &EncodingPart)| part.encoding.parameters(part.inputs) > 0;
            let encodings = mlp.encoding.iter().enumerate().filter(tables);
            let mut parts: Vec<_> = encodings.map(|(i, _)| Part::Encoding(i)).collect();
            parts.extend((0..mlp.layers.len()).map(Part::Layer));
            for _ in 0..1 + choices.below(3) {
                let factor = choices.of(&[0.0, 0.1, 2.5, 1.0]);
                training = training.rate_of(choices.of(&parts), factor);
            }
        }
        Self { mlp, training, sets, rows, seed }
    }

    /// Targets that the loss knows; inputs that every encoding knows.
    pub fn data(&self) -> Data {
        let Self { mlp, sets, rows, seed, .. } = self;
        let bounded = mlp
            .encoding
            .iter()
            .any(|part| matches!(part.encoding, Encoding::Grid(_) | Encoding::OneBlob(_)));
        let spread = |x: f32| if bounded { x } else { 2.0 * x - 1.0 };
        let x = fractions(sets * rows * mlp.inputs, seed + 1).into_iter().map(spread).collect();
        let outputs = mlp.outputs();
        let mut t = fractions(sets * rows * outputs, seed + 2);
        for row in t.chunks_mut(outputs) {
            match self.training.loss {
                Loss::BinaryCrossEntropy => row.iter_mut().for_each(|t| *t = t.round()),
                Loss::SoftmaxCrossEntropy => {
                    let class = (row[0] * outputs as f32) as usize;
                    (0..outputs).for_each(|i| row[i] = f32::from(u8::from(i == class)));
                }
                _ => row.iter_mut().for_each(|t| *t = 2.0 * *t - 1.0),
            }
        }
        Data::for_each_model(*sets, mlp.inputs, outputs, x, t).unwrap()
    }

    /// The data and the initial parameters, which are off by `noise`, relatively.
    pub fn noisy(&self, noise: f64, seed: u64) -> (Data<f64>, Parameters<f64>) {
        let less = |values: &[f32], seed| -> Vec<f64> {
            let by = fractions(values.len(), seed);
            let less = |(v, by): (&f32, f32)| f64::from(*v) * (1.0 - noise * f64::from(by));
            values.iter().zip(by).map(less).collect()
        };
        let (mlp, models) = (&self.mlp, self.training.models);
        let data = self.data();
        let t = data.t().iter().map(|t| f64::from(*t)).collect();
        let x = less(data.x(), 2 * seed);
        let data = Data::for_each_model_f64(self.sets, mlp.inputs, mlp.outputs(), x, t).unwrap();
        let initial = self.training.init.sample(mlp, models, self.training.seed).unwrap();
        let values = less(initial.values(), 2 * seed + 1);
        (data, Parameters::new(mlp.clone(), models, values).unwrap())
    }

    /// Points to predict at.
    pub fn points(&self, rows: usize) -> Vec<f32> {
        fractions(rows * self.mlp.inputs, self.seed + 3)
    }
}

/// All activations but the exponential: a few of it in a row leave the numbers that can be compared.
fn activations() -> Vec<Activation> {
    Activation::ALL.iter().copied().filter(|a| *a != Activation::Exponential).collect()
}

/// A network without its last layer.
fn mlp(choices: &mut Choices<'_>) -> Mlp {
    let parts: Vec<_> = (0..choices.of(&[0, 0, 0, 1, 2])).map(|_| part(choices)).collect();
    let inputs = match parts.iter().map(|(inputs, _)| inputs).sum() {
        0 => choices.of(&[1, 2, 3, 4, 5, 7, 8, 16, 24, 33]),
        inputs => inputs,
    };
    let mlp = parts.into_iter().fold(Mlp::new(inputs), |mlp, (inputs, e)| mlp.encode(inputs, e));
    let one = choices.of(&activations());
    (0..choices.below(5)).fold(mlp, |mlp, _| {
        let activation = if choices.below(3) == 2 { choices.of(&activations()) } else { one };
        let units = [1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 24, 32, 33, 64, 65, 128];
        let units = choices.of(&units);
        layer(choices, mlp, units, activation)
    })
}

/// One layer more, now and then without a bias.
fn layer(choices: &mut Choices<'_>, mlp: Mlp, units: usize, activation: Activation) -> Mlp {
    if choices.below(4) == 3 {
        mlp.layer_without_bias(units, activation)
    } else {
        mlp.layer(units, activation)
    }
}

/// An encoding with its number of inputs.
fn part(choices: &mut Choices<'_>) -> (usize, Encoding) {
    let some = 1 + choices.below(3);
    match choices.below(6) {
        0 => (some, Identity::default().into()),
        1 => (some, Frequency { frequencies: 1 + choices.below(5) as u32 }.into()),
        2 => (some, TriangleWave { frequencies: 1 + choices.below(5) as u32 }.into()),
        3 => (some, OneBlob { bins: choices.of(&[4, 8, 16]) }.into()),
        4 => (3, SphericalHarmonics { degree: 1 + choices.below(8) as u32 }.into()),
        _ => {
            let grid = Grid {
                levels: 1 + choices.below(4) as u32,
                features_per_level: choices.of(&[2, 1, 4, 8]),
                log2_hashmap_size: 3 + choices.below(7) as u32,
                base_resolution: 2 + choices.below(6) as u32,
                per_level_scale: choices.of(&[1.5, 1.0, 2.0]),
                interpolation: choices.of(&[Interpolation::Linear, Interpolation::Smoothstep]),
                kind: choices.of(&[
                    GridKind::Hash,
                    GridKind::Hash,
                    GridKind::Dense,
                    GridKind::Tiled,
                ]),
                edge: choices.of(&[Edge::Clamp, Edge::Wrap]),
                ..Grid::default()
            };
            let axis = Axis { base_resolution: 3, per_level_scale: 1.3 };
            let axes = choices.of(&[[None; 4], [None; 4], [None, Some(axis), None, None]]);
            (choices.of(&[2, 3, 1, 4]), Grid { axes, ..grid }.into())
        }
    }
}

/// Of lazy Adam's, a gradient of exactly 0 changes the step. In a GPU's fixed point it is one where the
/// weights of a cell's corners are small enough, and on the CPU it is not.
fn rounds_to_zero(mlp: &Mlp) -> bool {
    mlp.encoding.iter().any(|part| match &part.encoding {
        Encoding::Grid(grid) => part.inputs > 2 || grid.interpolation == Interpolation::Smoothstep,
        _ => false,
    })
}

fn optimizer(choices: &mut Choices<'_>, rounds_to_zero: bool) -> Optimizer {
    let rate = choices.of(&[0.01, 0.03, 0.002]);
    // No L1: the sign of a parameter that is nearly 0 is nobody's to compare.
    let l2 = choices.of(&[0.0, 1e-3]);
    match choices.below(6) {
        0 => Optimizer::sgd(rate),
        1 => Momentum { rate, l2, ..Momentum::default() }.into(),
        2 => Nesterov { rate, l2, ..Nesterov::default() }.into(),
        // ε as large as a gradient's element: Adam divides by what may be nothing but rounding.
        3 => AdamW { rate, l2, epsilon: 1e-4, ..AdamW::default() }.into(),
        _ => {
            let lazy = choices.below(2) == 1 && !rounds_to_zero;
            Adam { rate, l2, lazy, epsilon: 1e-4, ..Adam::default() }.into()
        }
    }
}

fn schedule(choices: &mut Choices<'_>) -> Schedule {
    match choices.below(3) {
        2 => Schedule::Exponential { base: 0.5, start: 2, interval: 3, end: 9 },
        _ => Schedule::Constant,
    }
}

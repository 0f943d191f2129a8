//! Every kernel and a set of networks against the CPU in f64, on the user's own GPU.

use crate::cpu::CpuTrainer;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::kernels::measure::finite;
use crate::kernels::measure::finite::Finite;
use crate::kernels::measure::norm::Norm;
use crate::kernels::measure::perturb::Perturb;
use crate::kernels::measure::saturation::{Holds, Saturation};
use crate::kernels::step::ema::Ema;
use crate::kernels::step::gather::Gather;
use crate::kernels::step::loss::LossGradient;
use crate::kernels::step::reduce::Reduce;
use crate::kernels::step::update::Update;
use crate::kernels::{Capabilities, Dispatch, Matmul, Tiling};
use crate::network::encoding::{Encoding, Grid};
use crate::network::{Activation, Init, Mlp, Parameters};
use crate::numeric::{Random, Real, wide};
use crate::run::Trainer;
use crate::training::{
    Argument, Batch, Data, Loss, Optimizer, Strategy, Train, TrainBase, Training,
};
use crate::verify::{FiniteDifference, deviation};
use std::fmt;

/// One line of a self-check.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How many cases.
    pub cases: usize,
    /// The largest error of all cases: a share of the largest element of what was expected.
    pub error: f64,
    /// The error allowed.
    pub bound: f64,
    /// The error of a case that could not be run.
    pub failure: Option<String>,
}

impl Check {
    /// Whether the check passed; an error that is NaN fails.
    pub fn passed(&self) -> bool {
        self.failure.is_none() && self.error <= self.bound
    }
}

/// What [`self_check`] found. Prints as a table that can be pasted into a bug report.
#[derive(Debug, Clone, PartialEq)]
pub struct SelfCheck {
    /// The device, its driver and back end.
    pub device: String,
    /// The checks.
    pub checks: Vec<Check>,
}

impl SelfCheck {
    /// Whether every check passed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(Check::passed)
    }
}

impl fmt::Display for SelfCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "wgrad {} on {}", env!("CARGO_PKG_VERSION"), self.device)?;
        writeln!(f, "{:44} {:>5}  {:>8}  {:>7}  result", "check", "cases", "error", "allowed")?;
        for check in &self.checks {
            let result = match (&check.failure, check.passed()) {
                (Some(failure), _) => failure,
                (None, true) => "ok",
                (None, false) => "FAILED",
            };
            let Check { name, cases, error, bound, .. } = check;
            writeln!(f, "{name:44} {cases:>5}  {error:>8.1e}  {bound:>7.0e}  {result}")?;
        }
        let failed = self.checks.iter().filter(|check| !check.passed()).count();
        match failed {
            0 => writeln!(f, "all {} checks passed", self.checks.len()),
            _ => writeln!(f, "{failed} of {} checks FAILED", self.checks.len()),
        }
    }
}

/// Runs every kernel and a set of networks on `gpu` and compares them with the CPU in f64: a few
/// seconds on a GPU.
///
/// ```no_run
/// let check = wgrad::self_check(&wgrad::Gpu::new()?);
/// print!("{check}");
/// assert!(check.passed());
/// # Ok::<(), wgrad::Error>(())
/// ```
#[cfg(not(target_family = "wasm"))]
pub fn self_check(gpu: &Gpu) -> SelfCheck {
    let mut runner = Runner { gpu, checks: Vec::new() };
    runner.kernels();
    runner.encodings();
    runner.networks();
    SelfCheck { device: gpu.to_string(), checks: runner.checks }
}

struct Runner<'a> {
    gpu: &'a Gpu,
    checks: Vec<Check>,
}

/// Pseudo-random numbers in ±1, exact in f32.
fn numbers(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random::new(seed);
    (0..length).map(|_| f64::from(f32::of(random.uniform(-1.0, 1.0)))).collect()
}

fn bytes(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| f32::of(*v).to_ne_bytes()).collect()
}

fn words(values: &[u32]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

fn floats(bytes: &[u8]) -> Vec<f64> {
    bytemuck::pod_collect_to_vec::<u8, f32>(bytes).into_iter().map(f64::from).collect()
}

/// 0 where the counts agree, else infinite.
fn equal<T: PartialEq + ?Sized>(found: &T, expected: &T) -> f64 {
    if found == expected { 0.0 } else { f64::INFINITY }
}

/// Sizes round the edges of tiles and workgroups.
const SIZES: [usize; 5] = [1, 3, 17, 64, 65];

impl Runner<'_> {
    /// Adds a check whose cases `run` gives the errors of.
    fn check(
        &mut self,
        name: impl Into<String>,
        bound: f64,
        run: impl Fn(&Gpu) -> Result<Vec<f64>>,
    ) {
        let (errors, failure) = match run(self.gpu) {
            Ok(errors) => (errors, None),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        // Not max(): it drops a NaN.
        let worst = |a: f64, b: f64| if b <= a { a } else { b };
        let error = errors.iter().fold(0.0, |a, b| worst(a, *b));
        self.checks.push(Check { name: name.into(), cases: errors.len(), error, bound, failure });
    }

    fn kernels(&mut self) {
        for form in Tiling::ALL.iter().filter(|form| form.runs_on(self.gpu.capabilities())) {
            self.check(format!("matmul, {form:?}: sizes and transposes"), 1e-6, |gpu| {
                let gpu = &gpu.planned_for(&Capabilities {
                    product: Some(*form),
                    ..gpu.capabilities().clone()
                });
                let mut errors = Vec::new();
                for (i, rows) in SIZES.into_iter().enumerate() {
                    for (j, columns) in SIZES.into_iter().enumerate() {
                        let inner = SIZES[(i + 2 * j) % SIZES.len()];
                        let matmul = Matmul::new(rows, columns, inner).models(2);
                        let matmul = match (i + j) % 4 {
                            0 => matmul,
                            1 => matmul.transposed_a(),
                            2 => matmul.transposed_b(),
                            _ => matmul.transposed_a().transposed_b(),
                        };
                        errors.push(product(
                            gpu,
                            matmul,
                            [2 * rows * inner, 2 * inner * columns, 0],
                        )?);
                    }
                }
                Ok(errors)
            });
        }
        self.check("matmul: 40,000 terms, in two dispatches", 1e-5, |gpu| {
            Ok(vec![product(gpu, Matmul::new(5, 3, 40_000), [200_000, 120_000, 0])?])
        });
        self.check("matmul: operands in f16", 1e-6, |gpu| {
            let (a, b) = (halves(68 * 36, 1), halves(36 * 64, 2));
            let matmul = Matmul::new(68, 64, 36).half_operands();
            let found = matmul.run(gpu, &single(&a), &single(&b), &[])?;
            Ok(vec![deviation(&found, &matmul.reference(&a, &b, &[])?)])
        });
        for activation in Activation::ALL {
            self.check(format!("matmul with {}: z in ±10,000", activation.name()), 2e-6, |gpu| {
                let z: Vec<f64> = (-4000..=4000)
                    .map(|i| f64::from(i) / 4000.0)
                    .flat_map(|s| [8.0 * s, s * 1e4])
                    .map(|z| f64::from(f32::of(z)))
                    .collect();
                let layer = Matmul::new(z.len(), 1, 1).epilogue(*activation);
                let single: Vec<f32> = z.iter().map(|z| f32::of(*z)).collect();
                let found = layer.run(gpu, &single, &[1.0], &[0.0])?;
                let errors = found.iter().zip(&z).map(|(y, z)| {
                    let expected = activation.value(*z);
                    (f64::from(*y) - expected).abs() / expected.abs().max(1.0)
                });
                Ok(vec![errors.fold(0.0, |a, b| if b <= a { a } else { b })])
            });
        }
        for which in Loss::ALL {
            self.check(format!("loss: {}", which.name()), 2e-6, |gpu| losses(gpu, *which));
        }
        for optimizer in Optimizer::all() {
            self.check(format!("update: {}", optimizer.name()), 1e-6, |gpu| {
                updates(gpu, &optimizer)
            });
        }
        self.check("reduce", 1e-6, |gpu| {
            let (splits, elements) = (5, 3 * 67);
            let partial = numbers(splits * elements, 1);
            let reduce = Reduce {
                parameters: 67,
                models: 3,
                splits,
                loss_groups: 130,
                history: 4,
                tables: 0,
                padded: false,
            };
            let groups = numbers(3 * 130, 2);
            let mut slots = [
                bytes(&partial),
                bytes(&groups),
                bytes(&vec![0.0; elements]),
                bytes(&[0.0; 12]),
                words(&[6, 0, 0, 0, u32::MAX, u32::MAX, u32::MAX]),
            ];
            reduce.dispatch(gpu.capabilities())?.run(gpu, &mut slots)?;
            let sums: Vec<f64> = groups.chunks(130).map(|g| g.iter().sum()).collect();
            Ok(vec![
                deviation(&floats(&slots[2]), &reduce.reference(&partial)),
                deviation(&floats(&slots[3])[6..9], &sums),
                equal(&slots[4][..8], &words(&[6, 7])[..]),
            ])
        });
        self.check("gather", 0.0, |gpu| {
            let gather =
                Gather { sets: 2, rows: 65, batch: 17, inputs: 3, outputs: 2, seed: Some(9) };
            let (x, t) = (numbers(2 * 65 * 3, 1), numbers(2 * 65 * 2, 2));
            let mut slots = [
                words(&[0, 0, 4, 60, 0]),
                bytes(&x),
                bytes(&t),
                bytes(&vec![0.0; 2 * 17 * 3]),
                bytes(&vec![0.0; 2 * 17 * 2]),
            ];
            gather.dispatch(gpu.capabilities())?.run(gpu, &mut slots)?;
            Ok(vec![
                equal(&floats(&slots[3]), &gather.reference(4, 60, 3, &x)?),
                equal(&floats(&slots[4]), &gather.reference(4, 60, 2, &t)?),
            ])
        });
        self.check("perturb", 0.0, |gpu| {
            let (base, replaced) = (numbers(65, 1), numbers(65, 2));
            let perturb = Perturb { parameters: 65, models: 17, first: 50 };
            let mut slots = [bytes(&base), bytes(&replaced), bytes(&vec![0.0; 17 * 65])];
            perturb.dispatch()?.run(gpu, &mut slots)?;
            Ok(vec![equal(&floats(&slots[2]), &perturb.reference(&base, &replaced))])
        });
        self.check("norm: magnitudes 1e-30 to 1e30", 2e-6, |gpu| {
            let mut errors = Vec::new();
            for scale in [1e-30, 1.0, 1e30] {
                let values: Vec<f64> = numbers(2 * 5003, 1)
                    .into_iter()
                    .map(|v| f64::from(f32::of(v * scale)))
                    .collect();
                let norm = Norm { length: 5000, models: 2, offset: 3, stride: 5003 };
                let mut slots = [bytes(&values), vec![0; 8 * 2 * norm.groups()]];
                norm.dispatch()?.run(gpu, &mut slots)?;
                let found = norm.finish(&bytemuck::pod_collect_to_vec::<u8, [f32; 2]>(&slots[1]));
                errors.push(deviation(&found, &norm.reference(&values)));
            }
            Ok(errors)
        });
        self.check("saturation", 0.0, |gpu| {
            let mut errors = Vec::new();
            for activation in [Activation::Sigmoid, Activation::Tanh, Activation::Relu] {
                let threshold = activation.saturation_threshold().unwrap_or(0.0);
                let z: Vec<f64> = numbers(600 * 5, 1).into_iter().map(|v| 10.0 * v).collect();
                let mut slots = [bytes(&z), words(&[0; 5])];
                let saturation = Saturation {
                    activation,
                    holds: Holds::PreActivation,
                    models: 1,
                    rows: 600,
                    units: 5,
                    offset: 0,
                    threshold,
                };
                saturation.dispatch()?.run(gpu, &mut slots)?;
                let z: Vec<f64> = floats(&bytes(&z));
                let expected = saturation.reference(&z);
                errors.push(equal(&slots[1], &words(&expected)));
            }
            Ok(errors)
        });
        self.check("finite", 0.0, |gpu| {
            let mut values = numbers(3 * 100, 1);
            values[100] = f64::NAN;
            values[299] = f64::INFINITY;
            let mut slots = [bytes(&values), words(&[finite::NONE; 3])];
            let finite = Finite { length: 100, models: 3 };
            finite.dispatch()?.run(gpu, &mut slots)?;
            Ok(vec![equal(&slots[1], &words(&finite.reference(&values)))])
        });
    }

    fn encodings(&mut self) {
        for encoding in Encoding::all() {
            let inputs = if encoding.check(2).is_ok() { 2 } else { 3 };
            self.check(format!("encoding: {}, both gradients", encoding.name()), 1e-5, |gpu| {
                let small = match encoding {
                    Encoding::Grid(grid) => {
                        let grid =
                            Grid { levels: 6, log2_hashmap_size: 8, base_resolution: 4, ..grid };
                        vec![grid.into(), Grid { features_per_level: 4, ..grid }.into()]
                    }
                    other => vec![other],
                };
                let mut errors = Vec::new();
                for encoding in small {
                    for strategy in [Strategy::Layered, Strategy::Fused] {
                        let mlp = Mlp::new(inputs).encode(inputs, encoding);
                        errors.push(encoded(gpu, &mlp, strategy)?);
                    }
                }
                Ok(errors)
            });
        }
        self.check("average of the parameters", 1e-6, |gpu| {
            let (mut kept, mut expected) = (vec![0.0_f64; 67], vec![0.0_f64; 67]);
            let mut errors = Vec::new();
            let ema = Ema { elements: 67, decay: 0.9 };
            for t in 1..=4_u32 {
                let values = numbers(67, t.into());
                let mut slots = [bytes(&values), words(&[0, t, 0, 0, 0]), bytes(&kept)];
                ema.dispatch()?.run(gpu, &mut slots)?;
                kept = floats(&slots[2]);
                ema.reference(t, &values, &mut expected);
                errors.push(deviation(&kept, &expected));
            }
            Ok(errors)
        });
    }

    fn networks(&mut self) {
        for which in Loss::ALL {
            self.check(format!("networks with {}: gradients", which.name()), 1e-5, |gpu| {
                let mut errors = Vec::new();
                for (depth, activation) in (1..).zip(Activation::ALL).map(|(i, a)| (1 + i % 4, a)) {
                    let mut mlp = Mlp::new(3);
                    for layer in 1..depth {
                        mlp = mlp.layer(5 + 7 * layer, *activation);
                    }
                    let last = match which.argument() {
                        Argument::Logit(needs) => needs,
                        Argument::Output => *activation,
                    };
                    errors.push(network(gpu, &mlp.layer(2, last), *which, 3)?);
                }
                Ok(errors)
            });
        }
        for strategy in Strategy::ALL {
            self.check(
                format!("training, {}: 50 mini-batches, Adam", strategy.name()),
                1e-4,
                |gpu| {
                    // A small one: see `resident::pays`.
                    let units = if *strategy == Strategy::Resident { 4 } else { 9 };
                    let mlp = Mlp::new(3).layer(units, Activation::Tanh);
                    let mlp = mlp.layer(1, Activation::Identity);
                    let data = data(3, 1, 100)?;
                    let training = Training::new(Loss::HalfSquaredError, Optimizer::adam(0.01))
                        .models(3)
                        .batch(Batch::Shuffled { size: 32, seed: 5 })
                        .strategy(*strategy);
                    let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
                    let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
                    trainer.train(50)?;
                    cpu.train(50)?;
                    Ok(vec![
                        deviation(&trainer.losses()?.values, &cpu.losses()?.values),
                        deviation(trainer.parameters()?.values(), cpu.parameters()?.values()),
                    ])
                },
            );
        }
        self.check("central differences", 1e-2, |gpu| {
            let (mlp, data) = (tanh(), data(3, 1, 100)?);
            let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1));
            let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &training, &data.cast()?)?;
            let exact = cpu.gradients()?;
            Ok(vec![deviation(
                &trainer.numerical_gradient(FiniteDifference::Central)?,
                &exact.values,
            )])
        });
        self.check("two runs, the same bits", 0.0, |gpu| {
            let (mlp, data) = (tanh(), data(3, 1, 100)?);
            let training = Training::new(Loss::HalfSquaredError, Optimizer::adam(0.01))
                .batch(Batch::Shuffled { size: 32, seed: 5 });
            let run = || {
                let mut trainer = Trainer::new(gpu, &mlp, &training, &data)?;
                trainer.train(50)?;
                trainer.parameters()
            };
            Ok(vec![equal(&run()?, &run()?)])
        });
    }
}

fn tanh() -> Mlp {
    Mlp::new(3).layer(9, Activation::Tanh).layer(1, Activation::Identity)
}

/// Inputs in ±1, targets in 0 to 1.
fn data(inputs: usize, outputs: usize, rows: usize) -> Result<Data> {
    let x = numbers(rows * inputs, 1).into_iter().map(f32::of).collect();
    let t = numbers(rows * outputs, 2).into_iter().map(|v| f32::of(0.5 * v + 0.5)).collect();
    Data::new(inputs, outputs, x, t)
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| f32::of(*v)).collect()
}

/// Numbers in ±1 that f16 holds.
fn halves(count: usize, seed: u64) -> Vec<f64> {
    numbers(count, seed).into_iter().map(|v| half::f16::from_f64(v).to_f64()).collect()
}

fn product(gpu: &Gpu, matmul: Matmul, lengths: [usize; 3]) -> Result<f64> {
    let [a, b, bias] = [0, 1, 2].map(|i| numbers(lengths[i], 1 + wide(i)));
    let found = matmul.run(gpu, &single(&a), &single(&b), &single(&bias))?;
    Ok(deviation(&found, &matmul.reference(&a, &b, &bias)?))
}

fn losses(gpu: &Gpu, which: Loss) -> Result<Vec<f64>> {
    let mut errors = Vec::new();
    for (activation, scale) in Activation::ALL.iter().flat_map(|a| [(*a, 3.0), (*a, 1e4)]) {
        // Squares of logits of ±10,000 are no loss that one trains with.
        let logit = matches!(which.argument(), Argument::Logit(_));
        if which.check(activation).is_err() || (scale > 3.0 && !logit) {
            continue;
        }
        let gradient = LossGradient {
            loss: which,
            activation,
            models: 2,
            own_targets: true,
            batch: 65,
            outputs: 3,
        };
        let elements = 2 * 65 * 3;
        let z: Vec<f64> =
            numbers(elements, 1).into_iter().map(|v| f64::from(f32::of(v * scale))).collect();
        let t: Vec<f64> =
            floats(&bytes(&numbers(elements, 2).iter().map(|v| 0.5 * v + 0.5).collect::<Vec<_>>()));
        let groups = gradient.groups(gpu.capabilities());
        let zeros = |n| bytes(&vec![0.0; n]);
        let mut slots = [bytes(&z), bytes(&t), zeros(elements), zeros(2 * groups)];
        gradient.dispatch(gpu.capabilities())?.run(gpu, &mut slots)?;
        let (mut delta, mut sums) = (vec![0.0; elements], Vec::new());
        for m in 0..2 {
            let part = m * elements / 2..(m + 1) * elements / 2;
            sums.push(gradient.reference(&z[part.clone()], &t[part.clone()], &mut delta[part]));
        }
        let found: Vec<f64> = floats(&slots[3]).chunks(groups).map(|g| g.iter().sum()).collect();
        errors.push(deviation(&found, &sums));
        errors.push(deviation(&floats(&slots[2]), &delta));
    }
    Ok(errors)
}

fn updates(gpu: &Gpu, optimizer: &Optimizer) -> Result<Vec<f64>> {
    let elements = 2 * 67;
    let mut parameters = numbers(elements, 1);
    let mut states = vec![0.0; 2 * elements];
    let hyper = bytemuck::bytes_of(&optimizer.hyper()).to_vec();
    let update = Update {
        optimizer: *optimizer,
        parameters: 67,
        models: 2,
        rows: 100,
        batch: 100,
        tables: 0,
        scheduled: false,
        padded: false,
    };
    let dispatch: Dispatch = update.dispatch(gpu.capabilities())?;
    let mut slots = [hyper, Vec::new(), bytes(&parameters), bytes(&states), Vec::new()];
    let mut errors = Vec::new();
    for t in 1..=4 {
        let gradient = numbers(elements, 10 + u64::from(t));
        slots[1] = bytes(&gradient);
        slots[4] = words(&[t - 1, t, 0, 0, u32::MAX, u32::MAX]);
        dispatch.run(gpu, &mut slots)?;
        update.reference(t, &gradient, &mut parameters, &mut states);
        errors.push(deviation(&floats(&slots[2]), &parameters));
    }
    Ok(errors)
}

/// [`network`] behind an encoding, on inputs away from kinks: multiples of 1 / 97, and a little.
fn encoded(gpu: &Gpu, start: &Mlp, strategy: Strategy) -> Result<f64> {
    let mlp = start.clone().layer(9, Activation::Tanh).layer(2, Activation::Identity);
    let x = numbers(70 * mlp.inputs, 1).into_iter();
    let x = x.map(|v| f32::of((48.5 + 48.5 * v).floor() / 97.0 + 3.1e-3)).collect();
    let t = numbers(70 * 2, 2).into_iter().map(f32::of).collect();
    let data = Data::new(mlp.inputs, 2, x, t)?;
    let training = Training::new(Loss::HalfSquaredError, Optimizer::sgd(0.1)).models(2);
    let training = training.init(Init::GlorotUniform).seed(3).strategy(strategy);
    // Tables as large as the layers, or their share in the inputs' gradient would not show.
    let drawn = training.init.sample(&mlp, 2, 3)?;
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let large = |(i, v): (usize, &f32)| if i % p < tables { 5e3 * *v } else { *v };
    let values = drawn.values().iter().enumerate().map(large).collect();
    compare(gpu, &training, &data, &Parameters::new(mlp, 2, values)?)
}

/// The largest error of loss, gradient, input gradient and outputs of a population.
fn network(gpu: &Gpu, mlp: &Mlp, which: Loss, models: usize) -> Result<f64> {
    let data = data(mlp.inputs, mlp.outputs(), 70)?;
    let training =
        Training::new(which, Optimizer::sgd(0.1)).models(models).init(Init::GlorotUniform).seed(3);
    compare(gpu, &training, &data, &training.init.sample(mlp, models, training.seed)?)
}

fn compare(gpu: &Gpu, training: &Training, data: &Data, start: &Parameters) -> Result<f64> {
    let mlp = start.mlp();
    let mut trainer = Trainer::new(gpu, mlp, training, data)?;
    let mut cpu = CpuTrainer::<f64>::new(mlp, training, &data.cast()?)?;
    trainer.restart(start)?;
    cpu.restart(&start.cast()?)?;
    let (exact, inputs) = (cpu.gradients()?, cpu.input_gradient()?);
    let found = trainer.gradients()?;
    let x: Vec<f64> = data.x().iter().map(|v| f64::from(*v)).collect();
    let errors = [
        deviation(&found.losses, &exact.losses),
        deviation(&found.values, &exact.values),
        deviation(&trainer.input_gradient()?, &inputs),
        deviation(&trainer.predict(data.x())?, &cpu.predict(&x)?),
    ];
    Ok(errors.into_iter().fold(0.0, |a, b| if b <= a { a } else { b }))
}

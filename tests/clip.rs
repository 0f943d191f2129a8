//! Clipped gradients, learning rates of a network's parts, and frozen parts: the kernel against the
//! formula in f64, trainings by each strategy against the CPU in f64.

#![allow(clippy::unwrap_used, clippy::expect_used)]
// Written so that a NaN fails.
#![allow(clippy::neg_cmp_op_on_partial_ord)]

mod common;

use common::{Content, Job, as_floats, deviation, floats, numbers, numbers_f32, run};
use wgrad::encoding::{Frequency, Grid};
use wgrad::kernels::step::RateRange;
use wgrad::kernels::step::clip::Clip;
use wgrad::{
    Activation, Adam, AdamW, Batch, CpuTrainer, Data, DataShape, Init, Loss, Mlp, Optimizer,
    Parameters, Part, Plan, Schedule, Strategy, Train, TrainBase, Trainer, Training,
};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

// The kernel.

/// Parameters 3 to 70 are frozen.
const FROZEN: &[RateRange] = &[
    RateRange { end: 3, factor: 0.5 },
    RateRange { end: 70, factor: 0.0 },
    RateRange { end: usize::MAX, factor: 2.0 },
];

fn job(clip: &Clip<'_>, gradient: &[f32]) -> Job {
    let [norm, scale] = clip.dispatches().unwrap();
    let partial = Content::Unset(2 * clip.models * clip.groups());
    let name = format!("{clip:?}");
    Job { name, dispatches: vec![norm, scale], slots: vec![floats(gradient), partial] }
}

/// What optax's `clip_by_global_norm` makes of one model's gradient. The numbers of an f32 have
/// squares that an f64 holds.
fn clipped(clip: &Clip<'_>, gradient: &[f32]) -> Vec<f64> {
    let frozen = |i: usize| !clip.rates.is_empty() && (3..70).contains(&i);
    let wide: Vec<_> = gradient.iter().map(|g| f64::from(*g)).collect();
    let moving = wide.iter().enumerate().filter(|(i, _)| !frozen(*i));
    let norm = moving.map(|(_, g)| g * g).sum::<f64>().sqrt();
    let factor = if norm < clip.max_norm { 1.0 } else { clip.max_norm / norm };
    wide.iter().enumerate().map(|(i, g)| if frozen(i) { *g } else { g * factor }).collect()
}

/// At every magnitude, each model by its own norm: the models' gradients differ by factors of ten.
#[test]
fn gradients_of_all_sizes_and_magnitudes_are_clipped() {
    let mut cases = Vec::new();
    for parameters in [1, 2, 3, 63, 64, 65, 1023, 1024, 1025, 2049, 70_001] {
        for models in 1..=3 {
            for scale in [1e-36, 1e-19, 1.0, 1e19, 3.4e36] {
                for rates in [&[][..], FROZEN] {
                    let each = |(i, g): (usize, f32)| {
                        (f64::from(g) * scale * 10_f64.powi((i / parameters) as i32)) as f32
                    };
                    let all = numbers_f32(parameters * models, cases.len() as u64);
                    let gradient: Vec<f32> = all.into_iter().enumerate().map(each).collect();
                    // Some models are clipped, and others are not.
                    let max_norm = (2.0 * scale * (parameters as f64).sqrt()).min(3e38);
                    cases.push((Clip { parameters, models, max_norm, rates }, gradient));
                }
            }
        }
    }
    let large = Clip { parameters: 530_001, models: 1, max_norm: 7.0, rates: &[] };
    cases.push((large, numbers_f32(530_001, 1)));
    let jobs: Vec<_> = cases.iter().map(|(clip, gradient)| job(clip, gradient)).collect();
    let (mut scaled, mut kept) = (0, 0);
    for (((clip, gradient), job), slots) in cases.iter().zip(&jobs).zip(run(&jobs)) {
        let found = as_floats(&slots[0]);
        let models = found.chunks(clip.parameters).zip(gradient.chunks(clip.parameters));
        for (found, gradient) in models {
            let expected = clipped(clip, gradient);
            // A device may flush what is below the normal numbers to 0.
            let floor = f64::from(f32::MIN_POSITIVE);
            let normal = |values: &[f64]| -> Vec<f64> {
                values.iter().map(|v| if v.abs() < floor { 0.0 } else { *v }).collect()
            };
            let shown: Vec<_> = found.iter().map(|f| f64::from(*f)).collect();
            let shown: Vec<_> = normal(&shown).iter().map(|f| *f as f32).collect();
            let error = deviation(&shown, &normal(&expected));
            assert!(error <= 1e-6, "{}: off by {error}", job.name);
            let mut reference: Vec<_> = gradient.iter().map(|g| f64::from(*g)).collect();
            clip.reference(&mut reference);
            assert!(deviation(&reference, &expected) <= 1e-12, "{}", job.name);
            if reference.iter().zip(gradient).all(|(r, g)| *r == f64::from(*g)) {
                assert_eq!(bits(found), bits(gradient), "{}", job.name);
                kept += 1;
            } else {
                scaled += 1;
            }
            if !clip.rates.is_empty() && gradient.len() >= 70 {
                assert_eq!(bits(&found[3..70]), bits(&gradient[3..70]), "{}", job.name);
            }
        }
    }
    assert!(scaled >= 100 && kept >= 100, "{scaled} scaled, {kept} kept");
}

/// The norms of these are beyond the largest f32, or the largest norm is at an end of f32's range.
#[test]
fn a_norm_neither_overflows_nor_vanishes() {
    let ends = |max_norm: f64, gradient: Vec<f32>| {
        (Clip { parameters: gradient.len(), models: 1, max_norm, rates: &[] }, gradient)
    };
    let mut mixed = vec![1e-30_f32; 3000];
    mixed[2500] = f32::MAX;
    let mut small_parts = vec![1e-25_f32; 3000];
    small_parts[7] = 1e-3;
    // Workgroups whose elements have other powers of two.
    let mut uneven = vec![0.25; 3000];
    (uneven[7], uneven[2999]) = (4.0, 1.0);
    let all = [
        ends(1.0, uneven),
        ends(1.0, vec![f32::MAX; 3000]),
        ends(1e-30, vec![-f32::MAX; 70]),
        ends(1e30, vec![1e-37; 3000]),
        ends(f64::from(f32::MIN_POSITIVE) * 4.0, vec![1.0; 2]),
        ends(f64::from(f32::MAX), vec![f32::MAX; 3000]),
        ends(1.0, mixed),
        ends(1e-4, small_parts),
        ends(1.0, vec![0.0; 70]),
    ];
    let jobs: Vec<_> = all.iter().map(|(clip, gradient)| job(clip, gradient)).collect();
    for (((clip, gradient), job), slots) in all.iter().zip(&jobs).zip(run(&jobs)) {
        let error = deviation(&as_floats(&slots[0]), &clipped(clip, gradient));
        assert!(error <= 1e-6, "{}: off by {error}", job.name);
    }
}

/// A model whose gradient is not finite keeps it, and the others are clipped.
#[test]
fn gradients_that_are_not_finite_stay() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let parameters = 2100;
        let clip = Clip { parameters, models: 3, max_norm: 0.5, rates: &[] };
        let mut gradient = numbers_f32(3 * parameters, 1);
        gradient[parameters + 2077] = bad;
        let found = as_floats(&run(&[job(&clip, &gradient)])[0][0]);
        for m in [0, 1, 2] {
            let part = m * parameters..(m + 1) * parameters;
            if m == 1 {
                assert_eq!(bits(&found[part.clone()]), bits(&gradient[part]));
                continue;
            }
            let error = deviation(&found[part.clone()], &clipped(&clip, &gradient[part]));
            assert!(error <= 1e-6, "{bad}, model {m}: off by {error}");
        }
    }
}

// Trainings.

/// Three models on their own data, of which the second has targets thirty times as large.
fn data(mlp: &Mlp) -> Data {
    let (rows, outputs) = (40, mlp.outputs());
    let x = numbers(3 * rows * mlp.inputs, 1).into_iter().map(|v| 0.5 * v + 0.5).map(|v| v as f32);
    let mut t = numbers_f32(3 * rows * outputs, 2);
    t[rows * outputs..2 * rows * outputs].iter_mut().for_each(|t| *t *= 30.0);
    Data::for_each_model(3, mlp.inputs, outputs, x.collect(), t).unwrap()
}

fn training(optimizer: Optimizer, strategy: Strategy) -> Training {
    Training::new(Loss::HalfSquaredError, optimizer)
        .models(3)
        .batch(Batch::Shuffled { size: 23, seed: 2 })
        .schedule(Schedule::Exponential { base: 0.5, start: 4, interval: 3, end: 30 })
        .init(Init::GlorotUniform)
        .seed(4)
        .strategy(strategy)
}

fn three_layers() -> Mlp {
    let mlp = Mlp::new(3).layer(6, Activation::Tanh).layer(5, Activation::Softplus);
    mlp.layer(2, Activation::Identity)
}

fn optimizers() -> Vec<Optimizer> {
    let mut all: Vec<_> = Optimizer::all().into_iter().map(|o| o.at_rate(0.02)).collect();
    all.push(Adam { rate: 0.02, l1: 0.01, l2: 0.1, ..Adam::default() }.into());
    all.push(AdamW { rate: 0.02, weight_decay: 0.3, ..AdamW::default() }.into());
    all
}

/// Initial parameters, with tables as large as the layers.
fn start(mlp: &Mlp, training: &Training) -> Parameters {
    let sampled = training.init.sample(mlp, 3, training.seed).unwrap();
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let large = |(i, v): (usize, &f32)| if i % p < tables { 5e3 * *v } else { *v };
    let values = sampled.values().iter().enumerate().map(large).collect();
    Parameters::new(mlp.clone(), 3, values).unwrap()
}

/// The CPU's losses and parameters after 20 steps.
fn trained_by_cpu(mlp: &Mlp, training: &Training, data: &Data) -> [Vec<f64>; 2] {
    let mut cpu = CpuTrainer::<f64>::new(mlp, training, &data.cast().unwrap()).unwrap();
    cpu.restart(&start(mlp, training).cast().unwrap()).unwrap();
    cpu.train(20).unwrap();
    [cpu.losses().unwrap().values, cpu.parameters().unwrap().values().to_vec()]
}

/// The initial parameters, and those after 20 steps on the device and on the CPU.
fn trained(mlp: &Mlp, training: &Training, data: &Data) -> (Vec<f32>, Vec<f32>, Vec<f64>) {
    let mut trainer = Trainer::new(common::gpu(), mlp, training, data).unwrap();
    assert_eq!(trainer.plan().strategy(), training.strategy);
    let start = start(mlp, training);
    trainer.restart(&start).unwrap();
    trainer.train(7).unwrap();
    trainer.train(13).unwrap();
    let [losses, expected] = trained_by_cpu(mlp, training, data);
    let losses = deviation(&trainer.losses().unwrap().values, &losses);
    assert!(losses <= 1e-5, "{training:?}: losses off by {losses}");
    let found = trainer.parameters().unwrap().values().to_vec();
    let error = deviation(&found, &expected);
    assert!(error <= 1e-4, "{training:?}: parameters off by {error}");
    (start.values().to_vec(), found, expected)
}

for_every_strategy! {
    parts_have_rates_of_their_own
    a_frozen_network_stays
    a_frozen_part_that_is_not_finite_stops_its_model
}

fn parts_have_rates_of_their_own(strategy: Strategy) {
    let (mlp, data) = (three_layers(), data(&three_layers()));
    for optimizer in optimizers() {
        let plain = training(optimizer, strategy);
        let own = plain.clone().rate_of(Part::Layer(0), 0.1).rate_of(Part::Layer(1), 0.0);
        let own = own.rate_of(Part::Layer(2), 9.0).rate_of(Part::Layer(2), 2.0);
        let (before, found, expected) = trained(&mlp, &own, &data);
        let [_, without] = trained_by_cpu(&mlp, &plain, &data);
        let (ranges, p) = (mlp.ranges(), mlp.parameters());
        for m in 0..3 {
            let of =
                |layer: usize| m * p + ranges[layer].weight.start..m * p + ranges[layer].bias.end;
            assert_eq!(bits(&found[of(1)]), bits(&before[of(1)]), "{optimizer:?}");
            // The bound of the comparison with the CPU would see a factor that is missing.
            for layer in 0..3 {
                let change = deviation(&without[of(layer)], &expected[of(layer)]);
                assert!(change >= 1e-3, "{optimizer:?} layer {layer}: {change}");
            }
        }
    }
}

/// Neither L2 nor decay nor an encoding's tables move.
fn a_frozen_network_stays(strategy: Strategy) {
    let (mlp, data) = (three_layers(), data(&three_layers()));
    for optimizer in optimizers() {
        let all = (0..3).map(Part::Layer);
        let frozen = all.fold(training(optimizer, strategy), |t, part| t.rate_of(part, 0.0));
        let (before, found, expected) = trained(&mlp, &frozen, &data);
        assert_eq!(bits(&found), bits(&before), "{optimizer:?}");
        assert!(expected.iter().zip(&before).all(|(e, b)| *e == f64::from(*b)), "{optimizer:?}");
    }
}

/// The product of an input and a gradient overflows.
fn a_frozen_part_that_is_not_finite_stops_its_model(strategy: Strategy) {
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1e30_f32], vec![1e30]).unwrap();
    let training = Training::new(Loss::OutputGradient, Optimizer::sgd(0.1))
        .rate_of(Part::Layer(0), 0.0)
        .strategy(strategy);
    let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
    let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
    let before = gpu.parameters().unwrap();
    assert!(gpu.train(3).is_err() && cpu.train(3).is_err());
    assert_eq!(gpu.diverged().unwrap(), [Some(0)]);
    assert_eq!(cpu.diverged().unwrap(), [Some(0)]);
    assert_eq!(gpu.parameters().unwrap(), before);
}

/// The strategies that clip.
const CLIPPING: [Strategy; 2] = [Strategy::Fused, Strategy::Layered];

/// Each model by its own norm: two are clipped in each step, and the third in none or a few.
#[test]
fn clipped_trainings_are_the_cpus() {
    let (mlp, data) = (three_layers(), data(&three_layers()));
    for strategy in CLIPPING {
        for optimizer in optimizers() {
            let plain = training(optimizer, strategy).rate_of(Part::Layer(1), 0.0);
            let mut cpu = CpuTrainer::<f64>::new(&mlp, &plain, &data.cast().unwrap()).unwrap();
            let gradients = cpu.gradients().unwrap().values;
            let norm = |g: &[f64]| g.iter().map(|g| g * g).sum::<f64>().sqrt();
            let norms: Vec<_> = gradients.chunks(mlp.parameters()).map(norm).collect();
            let max = 0.9 * norms[0].max(norms[2]);
            assert!(norms[1] > 3.0 * max && norms[0].min(norms[2]) < max, "{norms:?}");
            let clipped = plain.clone().clip_norm(max);
            let (_, found, _) = trained(&mlp, &clipped, &data);
            let [_, without] = trained_by_cpu(&mlp, &plain, &data);
            // Adam hardly sees the scale of a gradient.
            let change = deviation(&found, &without);
            assert!(change >= 1e-3, "{optimizer:?}: {change}");
        }
    }
}

/// A table is a part; it counts in the norm unless it is frozen.
#[test]
fn tables_are_parts() {
    let grid = Grid { levels: 3, log2_hashmap_size: 5, base_resolution: 3, ..Grid::default() };
    let mlp = Mlp::new(6).encode(2, grid).encode(1, Frequency { frequencies: 2 });
    let mlp = mlp.encode(3, Grid { features_per_level: 1, ..grid });
    let mlp = mlp.layer(7, Activation::Tanh).layer(2, Activation::Identity);
    let data = data(&mlp);
    let first = mlp.encoding[0].encoding.parameters(2);
    let (p, tables) = (mlp.parameters(), mlp.encoding_parameters());
    let lazy = Adam { rate: 0.02, l2: 0.1, lazy: true, ..Adam::default() };
    for strategy in CLIPPING {
        for optimizer in [Optimizer::sgd(0.5), Optimizer::adam(0.02), lazy.into()] {
            for (part, frozen) in [
                (Part::Encoding(0), 0..first),
                (Part::Encoding(2), first..tables),
                (Part::Layer(0), mlp.ranges()[0].weight.start..mlp.ranges()[0].bias.end),
            ] {
                let training = training(optimizer, strategy).clip_norm(0.2);
                let training = training.rate_of(Part::Layer(1), 0.5).rate_of(part, 0.0);
                let (before, found, _) = trained(&mlp, &training, &data);
                for m in 0..3 {
                    let kept = |i: usize| found[m * p + i].to_bits() == before[m * p + i].to_bits();
                    assert!(frozen.clone().all(kept), "{part:?}");
                    let moved = (0..p).filter(|i| !frozen.contains(i) && !kept(*i)).count();
                    assert!(moved >= (p - frozen.len()) / 2, "{part:?}: {moved} of {p} moved");
                }
            }
        }
    }
}

/// The norm of finite gradients is beyond f32, and the step is the one of the formula.
#[test]
fn huge_gradients_are_clipped() {
    let mlp = Mlp::new(1).layer(1, Activation::Identity);
    let data = Data::new(1, 1, vec![1.0_f32], vec![3e38]).unwrap();
    for strategy in CLIPPING {
        let training = Training::new(Loss::OutputGradient, Optimizer::sgd(1.0)).clip_norm(1.0);
        let training = training.strategy(strategy);
        let mut gpu = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
        let mut cpu = CpuTrainer::<f32>::new(&mlp, &training, &data).unwrap();
        let start = Parameters::new(mlp.clone(), 1, vec![0.25, 0.5]).unwrap();
        let expected = [0.25 - 0.5_f64.sqrt(), 0.5 - 0.5_f64.sqrt()];
        gpu.restart(&start).unwrap();
        cpu.restart(&start).unwrap();
        gpu.train(1).unwrap();
        cpu.train(1).unwrap();
        for found in [gpu.parameters().unwrap(), cpu.parameters().unwrap()] {
            let error = deviation(found.values(), &expected);
            assert!(error <= 1e-6, "{strategy:?}: {:?}", found.values());
        }
    }
}

/// `gradients` gives what the network has, not what the update takes.
#[test]
fn gradients_are_told_unclipped() {
    let (mlp, data) = (three_layers(), data(&three_layers()));
    for strategy in CLIPPING {
        let plain = training(Optimizer::sgd(0.1), strategy);
        let clipped = plain.clone().clip_norm(1e-3);
        let of = |training: &Training| {
            let mut trainer = Trainer::new(common::gpu(), &mlp, training, &data).unwrap();
            trainer.gradients().unwrap()
        };
        assert_eq!(of(&plain), of(&clipped), "{strategy:?}");
    }
}

#[test]
fn ten_clipped_runs_give_the_same_bits() {
    let (mlp, data) = (three_layers(), data(&three_layers()));
    for strategy in CLIPPING {
        let training = training(Optimizer::adam(0.02), strategy).clip_norm(0.1);
        let training = training.rate_of(Part::Layer(0), 0.3);
        let run = || {
            let mut trainer = Trainer::new(common::gpu(), &mlp, &training, &data).unwrap();
            trainer.train(30).unwrap();
            bits(trainer.parameters().unwrap().values())
        };
        let first = run();
        assert!((1..10).all(|_| run() == first), "{strategy:?}");
    }
}

// The description.

/// Factors of 1 leave the shaders as they are, and a training that does not clip has no dispatch
/// more.
#[test]
fn what_is_not_asked_for_costs_nothing() {
    let mlp = three_layers();
    let target = common::gpu().capabilities();
    let step = |training: &Training| {
        let plan = Plan::new(&mlp, training, DataShape::shared(100), target).unwrap();
        plan.step().iter().map(|node| common::form(&node.dispatch)).collect::<Vec<_>>()
    };
    for strategy in Strategy::ALL {
        let plain = training(Optimizer::adam(0.02), *strategy);
        let ones = plain.clone().rate_of(Part::Layer(0), 1.0).rate_of(Part::Layer(2), 1.0);
        assert_eq!(step(&plain), step(&ones), "{strategy:?}");
        let own = step(&plain.clone().rate_of(Part::Layer(0), 0.5));
        assert!(own != step(&plain) && own.len() == step(&plain).len(), "{strategy:?}");
        if *strategy == Strategy::Resident {
            assert!(step(&plain).iter().all(|form| !form.contains("rate_factor")));
        } else {
            let clipped = step(&plain.clone().clip_norm(1.0));
            assert_eq!(clipped.len(), step(&plain).len() + 2, "{strategy:?}");
            let count = |form: &&String| form.starts_with("clip ");
            assert_eq!(clipped.iter().filter(count).count(), 2, "{strategy:?}");
        }
    }
}

/// The resident strategy would suit this network.
#[test]
fn a_clipped_training_is_not_resident() {
    let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
    let target = common::gpu().capabilities();
    let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0));
    let plan = |training| Plan::new(&mlp, &training, DataShape::shared(100), target);
    assert_eq!(plan(training.clone()).unwrap().strategy(), Strategy::Resident);
    let clipped = training.clip_norm(1.0);
    assert_ne!(plan(clipped.clone()).unwrap().strategy(), Strategy::Resident);
    let error = plan(clipped.strategy(Strategy::Resident)).unwrap_err().to_string();
    let words = "the strategy of a training is resident, with a clipped gradient; allowed: fused";
    assert!(error.starts_with(words), "{error}");
}

#[test]
fn what_cannot_be_is_refused() {
    let mlp = Mlp::new(3).encode(2, Grid::default()).encode(1, Frequency::default());
    let mlp = mlp.layer(3, Activation::Tanh).layer(1, Activation::Identity);
    let plain = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    let rate = |part, factor| plain.clone().rate_of(part, factor);
    let (clip, of) = ("the norm that the gradient is clipped at is", "the factor of the rate of");
    for (training, words) in [
        (plain.clone().clip_norm(0.0), format!("{clip} 0; allowed: a finite number of 2^-126")),
        (plain.clone().clip_norm(-1.0), format!("{clip} -1")),
        (plain.clone().clip_norm(f64::NAN), format!("{clip} NaN")),
        (plain.clone().clip_norm(1e39), format!("{clip} 1000000000000000000000000000000000000000")),
        (plain.clone().clip_norm(1e-40), format!("{clip} 0.000000")),
        (rate(Part::Layer(0), -0.5), format!("{of} Layer(0) is -0.5; allowed: a finite number")),
        (rate(Part::Layer(1), f64::NAN), format!("{of} Layer(1) is NaN")),
        (rate(Part::Encoding(0), 1e39), format!("{of} Encoding(0) is 1000")),
        // A later factor does not hide one that cannot be.
        (rate(Part::Layer(0), -1.0).rate_of(Part::Layer(0), 1.0), format!("{of} Layer(0) is -1")),
        (
            rate(Part::Layer(2), 1.0),
            "a part with a rate of its own is Layer(2); allowed: a layer below 2".into(),
        ),
        (
            rate(Part::Encoding(2), 1.0),
            "a part with a rate of its own is Encoding(2); allowed: an encoding below 2".into(),
        ),
        (
            rate(Part::Encoding(1), 1.0),
            "a part with a rate of its own is Encoding(1); allowed: an encoding with tables".into(),
        ),
    ] {
        let error = training.check(&mlp).unwrap_err().to_string();
        assert!(error.starts_with(&words), "{error}");
    }
    let without = Mlp::new(1).layer(1, Activation::Identity);
    let error = rate(Part::Encoding(0), 1.0).check(&without).unwrap_err().to_string();
    assert!(error.contains("the network has no encoding"), "{error}");
    assert_eq!(rate(Part::Encoding(0), 0.0).clip_norm(1e30).check(&mlp), Ok(()));
}

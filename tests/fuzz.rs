//! Random networks, trainings and data: the GPU's training is the CPU's in f64, and the same bits
//! when repeated, without a panic and without an error outside of the crate's own scopes.
//!
//! `WGRAD_FUZZ_SECONDS` (40) says for how long, `WGRAD_FUZZ_SEED` (0) where to begin.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/random.rs"]
mod random;

use common::deviation;
use proptest::collection::vec;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use random::{CHOICES, Case, Choices};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use wgrad::kernels::Tiling;
use wgrad::{
    Capabilities, CpuTrainer, Error, Gpu, Plan, Real, Strategy, Train, TrainBase, Trainer,
};

/// Cases on one device: what it has compiled goes with it.
const ROUND: u32 = 24;

/// A device whose every uncaptured error is kept.
struct Device {
    gpu: Gpu,
    uncaptured: Arc<Mutex<Vec<String>>>,
}

impl Device {
    fn new() -> Self {
        let instance = wgpu::Instance::default();
        let adapter = pollster::block_on(instance.request_adapter(&Default::default())).unwrap();
        let wanted = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_INT64;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: adapter.features() & wanted,
            ..Default::default()
        }))
        .unwrap();
        let uncaptured: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = uncaptured.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            kept.lock().unwrap().push(error.to_string());
        }));
        Self { gpu: Gpu::from_wgpu(&device, &queue).unwrap(), uncaptured }
    }
}

/// What was tried.
#[derive(Debug, Default)]
struct Counts {
    cases: u32,
    steps: u32,
    /// Cases of each strategy.
    resident: u32,
    fused: u32,
    layered: u32,
    /// A strategy that the network does not have; the plan then chose.
    refused: u32,
    /// Beyond the bound of other cases, but within what rounding the inputs changes.
    sensitive: u32,
}

/// One result of a training, as a name, the error allowed, and values.
type Found = (&'static str, f64, Vec<f64>);

fn train<T: Train>(trainer: &mut T, steps: [u32; 2], points: &[f32]) -> wgrad::Result<Vec<Found>> {
    let f64s = |values: &[T::Scalar]| values.iter().map(|v| v.to_f64()).collect::<Vec<_>>();
    let mut found = Vec::new();
    let gradients = trainer.gradients()?;
    found.push(("the loss before", 1e-5, f64s(&gradients.losses)));
    found.push(("the gradient", 1e-4, f64s(&gradients.values)));
    found.push(("the inputs' gradient", 1e-4, f64s(&trainer.input_gradient()?)));
    for steps in steps {
        trainer.train(steps)?;
    }
    found.push(("the losses", 1e-5, f64s(&trainer.losses()?.values)));
    found.push(("the parameters", 1e-4, f64s(trainer.parameters()?.values())));
    if trainer.training().ema.is_some() {
        found.push(("the average", 1e-4, f64s(trainer.ema_parameters()?.values())));
    }
    let points: Vec<_> = points.iter().map(|x| T::Scalar::of(f64::from(*x))).collect();
    found.push(("the predictions", 1e-4, f64s(&trainer.predict(&points)?)));
    Ok(found)
}

/// The CPU's training in f64, from inputs and parameters that are off by `noise`, relatively.
fn expected(case: &Case, steps: [u32; 2], noise: f64, seed: u64) -> Vec<Found> {
    let (data, initial) = case.noisy(noise, seed);
    let mut trainer = CpuTrainer::<f64>::new(&case.mlp, &case.training, &data).unwrap();
    trainer.restart(&initial).unwrap();
    train(&mut trainer, steps, &case.points(13)).unwrap()
}

/// The CPU's training in f32. What overflows, or a gradient too small for a digit, does so here too.
fn in_f32(case: &Case, steps: [u32; 2]) -> wgrad::Result<Vec<Found>> {
    let mut trainer = CpuTrainer::<f32>::new(&case.mlp, &case.training, &case.data())?;
    train(&mut trainer, steps, &case.points(13))
}

/// The device as it is, or as if it lacked something.
fn capabilities(own: &Capabilities, choices: &mut Choices<'_>) -> Capabilities {
    let mut all = own.clone();
    all.software ^= choices.below(3) == 1;
    all.int64 &= choices.below(2) == 0;
    all.subgroup = all.subgroup.filter(|_| choices.below(3) < 2);
    let tilings: Vec<_> = Tiling::ALL.iter().filter(|tiling| tiling.runs_on(&all)).collect();
    all.product = (choices.below(2) == 1).then(|| *choices.of(&tilings));
    all
}

fn check(device: &Device, choices: &[u32], counts: &mut Counts) -> Result<(), String> {
    let mut choices = Choices::new(choices);
    let mut case = Case::new(&mut choices);
    let steps = [choices.below(4) as u32, 1 + choices.below(9) as u32];
    let mut gpu = device.gpu.planned_for(&capabilities(device.gpu.capabilities(), &mut choices));
    let data = case.data();
    let planned = |case: &Case, gpu: &Gpu| {
        Plan::new(&case.mlp, &case.training, data.shape(), gpu.capabilities())
    };
    if matches!(planned(&case, &gpu), Err(Error::Argument { .. })) {
        counts.refused += u32::from(case.training.strategy != Strategy::Auto);
        case.training.strategy = Strategy::Auto;
    }
    let mut plan = planned(&case, &gpu).map_err(|e| e.to_string())?;
    // llvmpipe takes half a minute to compile this strategy's other forms of large networks.
    if plan.strategy() == Strategy::Resident && case.mlp.parameters() > 120 {
        case.training.strategy = Strategy::Auto;
        gpu = device.gpu.clone();
        plan = planned(&case, &gpu).map_err(|e| e.to_string())?;
    }
    match plan.strategy() {
        Strategy::Resident => counts.resident += 1,
        Strategy::Fused => counts.fused += 1,
        _ => counts.layered += 1,
    }
    let run = || {
        let mut trainer = Trainer::new(&gpu, &case.mlp, &case.training, &data)?;
        train(&mut trainer, steps, &case.points(13))
    };
    let found = match run() {
        Err(error @ Error::Diverged { .. }) => {
            // f64 may go on beyond the largest f32.
            let same = matches!(in_f32(&case, steps), Err(Error::Diverged { .. }));
            counts.sensitive += u32::from(same);
            return if same { Ok(()) } else { Err(format!("{error}; not on the CPU in f32")) };
        }
        found => found.map_err(|e| e.to_string())?,
    };
    let expected_ = expected(&case, steps, 0.0, 0);
    let mut sensitive = false;
    let mut spread = None;
    for (i, (name, bound, expected)) in expected_.iter().enumerate() {
        let error = deviation(&found[i].2, expected);
        if error <= *bound {
            continue;
        }
        // Where a last bit decides, as at a kink, f32 cannot give what f64 gives: what the CPU gives in
        // f32 shows it, and what noise in the inputs gives in f64.
        let others = spread.get_or_insert_with(|| {
            let noisy = (1..=4).map(|seed| self::expected(&case, steps, 2.5e-7, seed));
            noisy.chain(in_f32(&case, steps)).collect::<Vec<_>>()
        });
        let spread = others.iter().map(|other| deviation(&other[i].2, expected));
        let spread = spread.fold(0.0, f64::max);
        if !(error <= bound + 16.0 * spread) {
            return Err(format!("{name}: off by {error}; noise in the inputs gives {spread}"));
        }
        sensitive = true;
    }
    let bits = |all: &[Found]| -> Vec<Vec<u64>> {
        all.iter().map(|(_, _, values)| values.iter().map(|v| v.to_bits()).collect()).collect()
    };
    let again = run().map_err(|e| e.to_string())?;
    if bits(&again) != bits(&found) {
        return Err("other bits when repeated".into());
    }
    let uncaptured = std::mem::take(&mut *device.uncaptured.lock().unwrap());
    if !uncaptured.is_empty() {
        return Err(format!("uncaptured: {uncaptured:?}"));
    }
    counts.cases += 1;
    counts.steps += steps[0] + steps[1];
    counts.sensitive += u32::from(sensitive);
    Ok(())
}

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect(name))
}

#[test]
fn random_trainings_are_the_cpus() {
    let limit = Duration::from_secs(variable("WGRAD_FUZZ_SECONDS", 40));
    let (start, counts) = (Instant::now(), RefCell::new(Counts::default()));
    let (mut round, mut failures) = (variable("WGRAD_FUZZ_SEED", 0), Vec::new());
    while start.elapsed() < limit {
        let device = Device::new();
        let config = Config {
            cases: ROUND,
            failure_persistence: None,
            max_shrink_time: 20_000,
            ..Config::default()
        };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&round.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let tried = runner.run(&vec(0..5040_u32, CHOICES), |choices| {
            if start.elapsed() > limit && counts.borrow().cases > 0 {
                return Ok(());
            }
            check(&device, &choices, &mut counts.borrow_mut()).map_err(|error| {
                let case = Case::new(&mut Choices::new(&choices));
                TestCaseError::fail(format!("{error}\n{case:#?}"))
            })
        });
        let failure = match tried {
            Ok(()) => None,
            Err(TestError::Fail(reason, _)) => Some(format!("round {round}: {reason}")),
            Err(other) => Some(format!("round {round}: {other}")),
        };
        if let Some(failure) = failure {
            // A long run is read while it goes on.
            eprintln!("{failure}");
            failures.push(failure);
        }
        round += 1;
    }
    let counts = counts.into_inner();
    println!("{counts:?} in {:?}", start.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // A slow machine tries too few for every strategy.
    let every = counts.resident > 0 && counts.fused > 0 && counts.layered > 0;
    assert!(counts.cases > 0 && (every || counts.cases < 50), "{counts:?}");
    assert!(counts.sensitive <= 3 + counts.cases / 20, "{counts:?}");
}

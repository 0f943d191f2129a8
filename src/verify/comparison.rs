//! Several ways to one gradient, side by side.

use crate::cpu::CpuTrainer;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::network::{Mlp, Parameters};
use crate::numeric::Real;
use crate::run::Trainer;
use crate::training::{Data, Loss, Optimizer, Train, TrainBase, Training};
use crate::verify::finite_difference::one_model;
use crate::verify::{FiniteDifference, SingleUnit};
use std::fmt;
use std::time::{Duration, Instant};

/// One way to the gradient.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Way {
    /// Its name.
    pub name: &'static str,
    /// The device that it ran on.
    pub device: String,
    /// Forward passes over the batch.
    pub forward_passes: usize,
    /// The time that it took, once.
    pub time: Duration,
    /// The largest deviation from the gradient that all are held to, as a share of that gradient's
    /// largest element.
    pub deviation: f64,
}

/// What a [`Comparison`] holds the ways to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HeldTo {
    /// Back-propagation on the CPU in f64.
    Cpu,
    /// Central differences on the GPU in f32, right to some 1e-3: a custom loss or activation has no
    /// reference on the CPU.
    GpuDifferences,
}

impl fmt::Display for HeldTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "back-propagation on the CPU in f64",
            Self::GpuDifferences => "central differences on the GPU in f32",
        })
    }
}

/// The ways to one gradient, side by side. Prints as a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The network.
    pub mlp: Mlp,
    /// Rows of the batch.
    pub rows: usize,
    /// What the ways are held to.
    pub held_to: HeldTo,
    /// The ways; the first is the one that the others are held to.
    pub ways: Vec<Way>,
    /// The largest deviation of all.
    pub largest_deviation: f64,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {} parameters, {} rows", self.mlp, self.mlp.parameters(), self.rows)?;
        writeln!(
            f,
            "{:28} {:>14} {:>12} {:>11}  device",
            "way", "forward passes", "time", "deviation"
        )?;
        for way in &self.ways {
            writeln!(
                f,
                "{:28} {:>14} {:>9.3} ms {:>11.1e}  {}",
                way.name,
                way.forward_passes,
                way.time.as_secs_f64() * 1e3,
                way.deviation,
                way.device
            )?;
        }
        let Self { held_to, largest_deviation, .. } = self;
        writeln!(f, "largest deviation from {held_to} {largest_deviation:.1e}")
    }
}

/// |a − b| as a share of the largest |b|; infinite where an element is not finite.
pub(crate) fn deviation<T: Real>(found: &[T], expected: &[f64]) -> f64 {
    let scale = expected.iter().fold(f64::MIN_POSITIVE, |scale, e| scale.max(e.abs()));
    let mut largest = if found.len() == expected.len() { 0.0_f64 } else { f64::INFINITY };
    for (f, e) in found.iter().zip(expected) {
        let error = (f.to_f64() - e).abs() / scale;
        largest = largest.max(if error.is_finite() { error } else { f64::INFINITY });
    }
    largest
}

/// Compares every way to the gradient of `loss` at `parameters` on `data`: back-propagation and
/// differences on the CPU in f64, the same on `gpu` if there is one, and the closed form where the
/// network is that of [`SingleUnit`] under [`Loss::HalfSquaredError`].
///
/// Differences are taken up to `most_numerical` parameters: their cost grows with the square.
///
/// A custom loss or activation without a reference has no gradient on the CPU. Then the GPU's gradient
/// is held to central differences on the GPU: [`Comparison::held_to`] says so.
///
/// # Errors
/// A loss or data that do not fit the network; what the device refuses; a custom loss or activation
/// without a reference where there is no GPU, or more parameters than `most_numerical`.
#[cfg(not(target_family = "wasm"))]
pub fn compare_gradients(
    parameters: &Parameters,
    loss: impl Into<Loss>,
    data: &Data,
    gpu: Option<&Gpu>,
    most_numerical: usize,
) -> Result<Comparison> {
    let mlp = parameters.mlp();
    one_model(parameters.models())?;
    let training = Training::new(loss, Optimizer::sgd(1.0));
    training.check(mlp)?;
    let mut ways = Ways { found: Vec::new(), p: mlp.parameters() };
    let reference = training.check_reference(mlp);
    let held_to = if reference.is_ok() { HeldTo::Cpu } else { HeldTo::GpuDifferences };
    let differences = ways.p <= most_numerical;
    match (gpu, reference) {
        (_, Ok(())) => {
            ways.on_the_cpu(parameters, &training, data, differences)?;
            if let Some(gpu) = gpu {
                ways.on_a_gpu(gpu, parameters, &training, data, differences)?;
            }
        }
        (Some(gpu), Err(_)) if differences => {
            ways.on_a_gpu(gpu, parameters, &training, data, true)?;
            // Behind the two of back-propagation and central differences come the forward ones.
            ways.found.swap(0, 1);
        }
        (_, Err(error)) => return Err(error),
    }
    let exact = ways.found.first().map(|(_, gradient)| gradient.clone()).unwrap_or_default();
    let held = |(way, found): (Way, Vec<f64>)| Way { deviation: deviation(&found, &exact), ..way };
    let ways: Vec<_> = ways.found.into_iter().map(held).collect();
    let largest_deviation = ways.iter().fold(0.0_f64, |largest, way| largest.max(way.deviation));
    Ok(Comparison { mlp: mlp.clone(), rows: data.rows(), held_to, ways, largest_deviation })
}

/// The ways that were gone, each with its gradient.
#[cfg(not(target_family = "wasm"))]
struct Ways {
    found: Vec<(Way, Vec<f64>)>,
    /// The number of parameters.
    p: usize,
}

#[cfg(not(target_family = "wasm"))]
impl Ways {
    const NUMERICAL: [(FiniteDifference, &str); 2] = [
        (FiniteDifference::Central, "central differences"),
        (FiniteDifference::Forward, "forward differences"),
    ];

    fn add(
        &mut self,
        name: &'static str,
        device: &str,
        forward_passes: usize,
        gradient: impl FnOnce() -> Result<Vec<f64>>,
    ) -> Result<()> {
        let start = Instant::now();
        let gradient = gradient()?;
        let (device, time) = (device.into(), start.elapsed());
        let way = Way { name, device, forward_passes, time, deviation: 0.0 };
        self.found.push((way, gradient));
        Ok(())
    }

    fn on_the_cpu(
        &mut self,
        parameters: &Parameters,
        training: &Training,
        data: &Data,
        differences: bool,
    ) -> Result<()> {
        let mlp = parameters.mlp();
        let mut cpu = CpuTrainer::<f64>::new(mlp, training, &data.cast()?)?;
        cpu.restart(&parameters.cast()?)?;
        let device = cpu.device();
        self.add("back-propagation", &device, 1, || Ok(cpu.back_propagate(false)?.0.values))?;
        if *mlp == SingleUnit::mlp() && training.loss == Loss::HalfSquaredError {
            let gradient = || SingleUnit::from_parameters(parameters)?.mean_gradient(data);
            self.add("closed form", &device, 1, gradient)?;
        }
        for (difference, name) in Self::NUMERICAL.into_iter().filter(|_| differences) {
            let passes = difference.forward_passes(self.p);
            self.add(name, &device, passes, || cpu.numerical_gradient(difference))?;
        }
        Ok(())
    }

    fn on_a_gpu(
        &mut self,
        gpu: &Gpu,
        parameters: &Parameters,
        training: &Training,
        data: &Data,
        differences: bool,
    ) -> Result<()> {
        let mut trainer = Trainer::new(gpu, parameters.mlp(), training, data)?;
        trainer.restart(parameters)?;
        // Compiled once before, so that the time is that of the gradient.
        trainer.gradients()?;
        let device = gpu.to_string();
        let wide = |values: Vec<f32>| Ok(values.into_iter().map(f64::from).collect());
        self.add("back-propagation", &device, 1, || wide(trainer.gradients()?.values))?;
        for (difference, name) in Self::NUMERICAL.into_iter().filter(|_| differences) {
            let passes = difference.forward_passes(self.p);
            self.add(name, &device, passes, || wide(trainer.numerical_gradient(difference)?))?;
        }
        Ok(())
    }
}

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
    /// The largest deviation from back-propagation in f64, as a share of that gradient's largest
    /// element.
    pub deviation: f64,
}

/// The ways to one gradient, side by side. Prints as a table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The network.
    pub mlp: Mlp,
    /// Rows of the batch.
    pub rows: usize,
    /// The ways; the first is back-propagation on the CPU in f64, which the others are held to.
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
        writeln!(f, "largest deviation {:.1e}", self.largest_deviation)
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
/// # Errors
/// A loss or data that do not fit the network; what the device refuses.
#[cfg(not(target_family = "wasm"))]
pub fn compare_gradients(
    parameters: &Parameters,
    loss: Loss,
    data: &Data,
    gpu: Option<&Gpu>,
    most_numerical: usize,
) -> Result<Comparison> {
    let mlp = parameters.mlp();
    one_model(parameters.models())?;
    let training = Training::new(loss, Optimizer::sgd(1.0));
    let p = mlp.parameters();
    let mut cpu = CpuTrainer::<f64>::new(mlp, &training, &data.cast()?)?;
    cpu.restart(&parameters.cast()?)?;
    let device = cpu.device();
    let start = Instant::now();
    let (exact, _) = cpu.back_propagate(false)?;
    let exact = exact.values;
    let mut ways = Vec::new();
    let mut way = |name, device: &str, forward_passes, start: Instant, found: &[f64]| {
        let deviation = deviation(found, &exact);
        ways.push(Way {
            name,
            device: device.into(),
            forward_passes,
            time: start.elapsed(),
            deviation,
        });
    };
    way("back-propagation", &device, 1, start, &exact);
    if *mlp == SingleUnit::mlp() && loss == Loss::HalfSquaredError {
        let start = Instant::now();
        let found = SingleUnit::from_parameters(parameters)?.mean_gradient(data)?;
        way("closed form", &device, 1, start, &found);
    }
    let numerical = [
        (FiniteDifference::Central, "central differences"),
        (FiniteDifference::Forward, "forward differences"),
    ];
    if p <= most_numerical {
        for (difference, name) in numerical {
            let start = Instant::now();
            let found = cpu.numerical_gradient(difference)?;
            way(name, &device, difference.forward_passes(p), start, &found);
        }
    }
    if let Some(gpu) = gpu {
        let mut trainer = Trainer::new(gpu, mlp, &training, data)?;
        trainer.restart(parameters)?;
        // Compiled once before, so that the time is that of the gradient.
        trainer.gradients()?;
        let start = Instant::now();
        let found: Vec<f64> = trainer.gradients()?.values.into_iter().map(f64::from).collect();
        way("back-propagation", &gpu.to_string(), 1, start, &found);
        if p <= most_numerical {
            for (difference, name) in numerical {
                let start = Instant::now();
                let found: Vec<f64> =
                    trainer.numerical_gradient(difference)?.into_iter().map(f64::from).collect();
                way(name, &gpu.to_string(), difference.forward_passes(p), start, &found);
            }
        }
    }
    let largest_deviation = ways.iter().fold(0.0_f64, |largest, way| largest.max(way.deviation));
    Ok(Comparison { mlp: mlp.clone(), rows: data.rows(), ways, largest_deviation })
}

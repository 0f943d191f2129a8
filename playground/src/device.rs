//! What trains: the crate's trainer on the GPU, or the one on the CPU.

use crate::description::Description;
use crate::error::Result;
use std::time::Duration;
use web_time::Instant;
#[cfg(feature = "whole")]
use wgrad::Trainer;
use wgrad::{CpuTrainer, Data, Optimizer, Parameters, TrainAsync, TrainBase, Training};

/// The GPU to train on.
#[cfg(feature = "whole")]
pub use wgrad::Gpu;

/// Without the feature `whole` there is none.
#[cfg(not(feature = "whole"))]
#[derive(Debug)]
pub enum Gpu {}

/// A trainer.
pub enum Device {
    /// On the GPU.
    #[cfg(feature = "whole")]
    Gpu(Box<Trainer>),
    /// On the CPU.
    Cpu(Box<CpuTrainer>),
}

/// Calls what both trainers have.
macro_rules! on {
    ($device:expr, $trainer:ident => $call:expr) => {
        match $device {
            #[cfg(feature = "whole")]
            Device::Gpu($trainer) => $call,
            Device::Cpu($trainer) => $call,
        }
    };
}

impl Device {
    /// A trainer on the GPU, or on the CPU where none is given.
    ///
    /// # Errors
    /// Data of another network; what the device refuses.
    pub fn new(
        gpu: Option<&Gpu>,
        of: &Description,
        training: &Training,
        data: &Data,
    ) -> Result<Self> {
        let mlp = of.mlp()?;
        Ok(match gpu {
            #[cfg(feature = "whole")]
            Some(gpu) => Self::Gpu(Box::new(Trainer::new(gpu, &mlp, training, data)?)),
            #[cfg(not(feature = "whole"))]
            Some(gpu) => match *gpu {},
            None => Self::Cpu(Box::new(CpuTrainer::new(&mlp, training, data)?)),
        })
    }

    /// The GPU that it is on.
    pub const fn gpu(&self) -> Option<&Gpu> {
        match self {
            #[cfg(feature = "whole")]
            Self::Gpu(trainer) => Some(trainer.gpu()),
            Self::Cpu(_) => None,
        }
    }

    /// The length of a model's parameters.
    pub fn length(&self) -> usize {
        on!(self, trainer => trainer.mlp().parameters())
    }

    /// Takes steps.
    ///
    /// # Errors
    /// A lost device; every model has diverged.
    pub async fn train(&mut self, steps: u32) -> Result<()> {
        match self {
            Self::Cpu(trainer) => {
                let outcome = trainer.train_async(steps).await;
                // The page takes its losses from the parameters.
                trainer.forget_losses();
                Ok(outcome?)
            }
            #[cfg(feature = "whole")]
            Self::Gpu(trainer) => submit(trainer, steps).await,
        }
    }

    /// The parameters as they are.
    ///
    /// # Errors
    /// A lost device.
    pub async fn parameters(&mut self) -> Result<Parameters> {
        Ok(on!(self, trainer => trainer.parameters_async().await)?)
    }

    /// Replaces the parameters.
    ///
    /// # Errors
    /// Parameters of another network; a lost device.
    pub fn set_parameters(&mut self, parameters: &Parameters) -> Result<()> {
        Ok(on!(self, trainer => trainer.set_parameters(parameters))?)
    }

    /// Begins anew.
    ///
    /// # Errors
    /// Parameters of another network; a lost device.
    pub fn restart(&mut self, parameters: &Parameters) -> Result<()> {
        Ok(on!(self, trainer => trainer.restart(parameters))?)
    }

    /// Replaces the rate and the penalties.
    ///
    /// # Errors
    /// Another rule; a lost device.
    pub fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        Ok(on!(self, trainer => trainer.set_optimizer(optimizer))?)
    }

    /// Replaces the rows by as many others.
    ///
    /// # Errors
    /// Another number of rows; a lost device.
    pub fn set_data(&mut self, data: &Data) -> Result<()> {
        Ok(on!(self, trainer => trainer.set_data(data))?)
    }

    /// The gradient of the next step.
    ///
    /// # Errors
    /// A lost device.
    pub async fn gradient(&mut self) -> Result<Vec<f32>> {
        let gradients: wgrad::Result<wgrad::Gradients> =
            on!(self, trainer => trainer.gradients_async().await);
        Ok(gradients?.values)
    }

    /// The loss of each model on some rows, by the GPU; `None` on the CPU.
    ///
    /// # Errors
    /// A lost device.
    pub async fn losses(&mut self, data: &Data) -> Result<Option<Vec<f32>>> {
        match self {
            #[cfg(feature = "whole")]
            Self::Gpu(trainer) => Ok(Some(trainer.evaluate_async(data).await?.losses)),
            Self::Cpu(_) => {
                let _ = data;
                Ok(None)
            }
        }
    }

    /// Takes more and more steps until `time` is over. Returns all steps and their time.
    ///
    /// # Errors
    /// A lost device; every model has diverged.
    pub async fn timed(&mut self, time: Duration) -> Result<(u64, Duration)> {
        // What a device compiles at the first run is no part of a step.
        self.train(1).await?;
        let (start, mut all, mut steps) = (Instant::now(), 0, 1);
        loop {
            let before = start.elapsed();
            self.train(steps).await?;
            all += u64::from(steps);
            let now = start.elapsed();
            if now >= time {
                return Ok((all, now));
            }
            // Often enough to end in time, seldom enough to measure steps alone.
            if now.saturating_sub(before) < time / 16 {
                steps = steps.saturating_mul(2);
            }
        }
    }
}

/// Dispatches, and operations, of one submission.
#[cfg(feature = "whole")]
const SUBMISSION: (usize, u64) = (1024, 1 << 33);
/// Steps of one submission, at most.
#[cfg(feature = "whole")]
const MOST_STEPS: u32 = 4096;

/// Records steps in submissions that a driver does not take for a hang, and waits for the last. Their
/// losses are not read: the page measures its own.
#[cfg(feature = "whole")]
async fn submit(trainer: &mut Trainer, steps: u32) -> Result<()> {
    let (most, operations) = SUBMISSION;
    let by_operations = operations / trainer.plan().work().operations.max(1);
    let mut each = u32::try_from(by_operations).unwrap_or(MOST_STEPS).clamp(1, MOST_STEPS);
    while each > 1 && trainer.plan().dispatches(each) > most {
        each /= 2;
    }
    let gpu = trainer.gpu().clone();
    let mut left = steps;
    while left > 0 {
        let now = left.min(each);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        trainer.record(&mut encoder, now);
        gpu.queue().submit([encoder.finish()]);
        left -= now;
    }
    gpu.check_async().await?;
    let diverged = trainer.diverged_async().await?;
    let all: Option<Vec<u64>> = diverged.iter().copied().collect();
    match all.unwrap_or_default().into_iter().enumerate().min_by_key(|(_, step)| *step) {
        Some((model, step)) => Err(wgrad::Error::Diverged { model, step }.into()),
        None => Ok(()),
    }
}

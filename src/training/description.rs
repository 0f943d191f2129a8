//! The description of a training.

use crate::error::{Error, Result};
use crate::network::{Init, Mlp, check_models};
use crate::training::{Batch, Loss, Optimizer, Schedule, Widths};

/// How a network is trained.
///
/// ```
/// use wgrad::{Batch, Loss, Optimizer, Training};
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(1.0))
///     .models(256)
///     .batch(Batch::Shuffled { size: 64, seed: 1 });
/// assert_eq!(training.models, 256);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The loss to minimize.
    pub loss: Loss,
    /// The rule that updates the parameters.
    pub optimizer: Optimizer,
    /// How the learning rate changes from step to step.
    pub schedule: Schedule,
    /// The decay d of an exponential moving average of the parameters, 0 or more and less than 1;
    /// `None` keeps no average. [`Train::ema_parameters`](crate::Train::ema_parameters) returns it.
    pub ema: Option<f64>,
    /// The rows of each step.
    pub batch: Batch,
    /// The number of models that are trained side by side.
    pub models: usize,
    /// How the initial parameters are sampled.
    pub init: Init,
    /// The seed of the initial parameters.
    pub seed: u64,
    /// The number of the latest steps whose losses the GPU keeps. [`Train::train`] reads them
    /// before they are overwritten; recorded steps overwrite the oldest.
    ///
    /// [`Train::train`]: crate::Train::train
    pub history: usize,
    /// How the steps are executed on the GPU.
    pub strategy: Strategy,
}

/// How the steps of a training are executed on the GPU. All strategies give the same training, up
/// to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The strategy that suits the network, the batch and the device.
    #[default]
    Auto,
    /// Many steps per dispatch. Each model's parameters and optimizer state stay in one workgroup.
    /// For the smallest networks.
    Resident,
    /// A handful of dispatches per step, whatever the depth. A tile of rows goes forward through
    /// all layers and back without leaving its workgroup. For hidden layers of up to 128 units.
    Fused,
    /// Three dispatches per layer. For networks of any size.
    Layered,
}

impl Strategy {
    /// The strategies that can be requested by name.
    pub const ALL: &[Self] = &[Self::Resident, Self::Fused, Self::Layered];

    /// The name in messages and plans.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Resident => "resident",
            Self::Fused => "fused",
            Self::Layered => "layered",
        }
    }
}

impl Training {
    /// Full batches, one model, [`Init::Auto`], seed 0, a history of 4,096 steps.
    pub fn new(loss: impl Into<Loss>, optimizer: impl Into<Optimizer>) -> Self {
        Self {
            loss: loss.into(),
            optimizer: optimizer.into(),
            schedule: Schedule::Constant,
            ema: None,
            batch: Batch::Full,
            models: 1,
            init: Init::Auto,
            seed: 0,
            history: 4096,
            strategy: Strategy::Auto,
        }
    }

    /// Requests a strategy instead of the one that the plan would choose.
    #[must_use]
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Sets how the learning rate changes from step to step.
    #[must_use]
    pub const fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Keeps an exponential moving average of the parameters, with this decay per step. The
    /// resident strategy does not support it and is then not chosen.
    #[must_use]
    pub const fn ema(mut self, decay: f64) -> Self {
        self.ema = Some(decay);
        self
    }

    /// Trains a population of `models` models side by side.
    #[must_use]
    pub const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// Sets the rows of each step.
    #[must_use]
    pub const fn batch(mut self, batch: Batch) -> Self {
        self.batch = batch;
        self
    }

    /// Sets how the initial parameters are sampled.
    #[must_use]
    pub const fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Sets the seed of the initial parameters.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Keeps the losses of `steps` steps on the GPU.
    #[must_use]
    pub const fn history(mut self, steps: usize) -> Self {
        self.history = steps;
        self
    }

    /// Checks that the CPU can compute the loss and the activations of `mlp`.
    ///
    /// # Errors
    /// [`Error::Argument`]: a custom loss or activation without a reference.
    pub(crate) fn check_reference(&self, mlp: &Mlp) -> Result<()> {
        self.loss.check_reference()?;
        mlp.layers.iter().try_for_each(|layer| layer.activation.check_reference())
    }

    /// Checks that `mlp` can be trained as described.
    ///
    /// # Errors
    /// The errors of [`Mlp::check`], [`Optimizer::check`], [`Schedule::check`] and [`Loss::check`];
    /// a custom loss of rows that are too wide; an average's decay that is out of range; 0 models; a history of 0 steps.
    pub fn check(&self, mlp: &Mlp) -> Result<()> {
        mlp.check()?;
        check_models(mlp, self.models)?;
        self.optimizer.check()?;
        self.schedule.check()?;
        if let Some(decay) = self.ema
            && !(0.0..1.0).contains(&crate::numeric::to_f32(decay))
        {
            let what = "the decay of the parameters' average";
            return Err(Error::argument(what, decay, "0 or more and less than 1"));
        }
        self.loss.check(mlp.last_activation())?;
        self.loss.check_widths(Widths::of(mlp))?;
        if self.history == 0 {
            return Err(Error::argument("the steps of the loss history", 0, "1 or more"));
        }
        Ok(())
    }
}

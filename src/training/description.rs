//! How a network is trained.

use crate::error::{Error, Result};
use crate::network::{Init, Mlp, check_models};
use crate::training::{Batch, Loss, Optimizer, Schedule};

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
    /// What is made small.
    pub loss: Loss,
    /// By which rule.
    pub optimizer: Optimizer,
    /// How its learning rate changes with the steps.
    pub schedule: Schedule,
    /// The decay d of an exponential moving average of the parameters, 0 or more and less than 1,
    /// where one is kept beside them: [`Train::ema_parameters`](crate::Train::ema_parameters).
    pub ema: Option<f64>,
    /// On how many rows a step.
    pub batch: Batch,
    /// How many models, side by side.
    pub models: usize,
    /// How the parameters are drawn.
    pub init: Init,
    /// The seed of that draw.
    pub seed: u64,
    /// How many steps' losses the GPU keeps, the latest ones. [`Train::train`] reads them in
    /// time; recorded steps overwrite the oldest.
    ///
    /// [`Train::train`]: crate::Train::train
    pub history: usize,
    /// How the steps are put on the GPU.
    pub strategy: Strategy,
}

/// How the steps of a training are put on the GPU. All give the same training, up to rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// The one that suits the network, the batch and the device.
    #[default]
    Auto,
    /// Many steps a dispatch: each model's parameters and optimizer state stay in one workgroup.
    /// For the smallest networks.
    Resident,
    /// A handful of dispatches a step, whatever the depth: a tile of rows goes forward through all
    /// layers and back without leaving its workgroup. For hidden layers of up to 128 units.
    Fused,
    /// Three dispatches a layer: for networks of any size.
    Layered,
}

impl Strategy {
    /// Those that can be asked for by name.
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
    pub fn new(loss: Loss, optimizer: impl Into<Optimizer>) -> Self {
        Self {
            loss,
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

    /// Asks for a strategy instead of the one that the plan would choose.
    #[must_use]
    pub const fn strategy(mut self, strategy: Strategy) -> Self {
        self.strategy = strategy;
        self
    }

    /// Changes the learning rate with the steps.
    #[must_use]
    pub const fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Keeps an exponential moving average of the parameters beside them, by the decay of
    /// a step. Not for the resident strategy, which then is not chosen.
    #[must_use]
    pub const fn ema(mut self, decay: f64) -> Self {
        self.ema = Some(decay);
        self
    }

    /// Trains a population of `models`, side by side.
    #[must_use]
    pub const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// Takes other rows in a step.
    #[must_use]
    pub const fn batch(mut self, batch: Batch) -> Self {
        self.batch = batch;
        self
    }

    /// Samples the initial parameters in another way.
    #[must_use]
    pub const fn init(mut self, init: Init) -> Self {
        self.init = init;
        self
    }

    /// Samples the initial parameters from another seed.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Makes room for the losses of `steps` steps on the GPU.
    #[must_use]
    pub const fn history(mut self, steps: usize) -> Self {
        self.history = steps;
        self
    }

    /// `Ok` if `mlp` can be trained so.
    ///
    /// # Errors
    /// Those of [`Mlp::check`], [`Optimizer::check`], [`Schedule::check`] and [`Loss::check`]; an
    /// average's decay out of range; 0 models; no history.
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
        if self.history == 0 {
            return Err(Error::argument("the steps of the loss history", 0, "1 or more"));
        }
        Ok(())
    }
}

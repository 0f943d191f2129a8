//! The description of a training.

use crate::error::{Error, Result};
use crate::network::{Init, Mlp, check_models};
use crate::numeric::to_f32;
use crate::training::{Batch, Loss, Optimizer, Part, Schedule, Widths};

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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Training {
    /// The loss to minimize.
    pub loss: Loss,
    /// The rule that updates the parameters.
    pub optimizer: Optimizer,
    /// How the learning rate changes from step to step.
    pub schedule: Schedule,
    /// The largest norm of a model's gradient. Before each update the gradient g is multiplied by
    /// min(1, `clip_norm` / ‖g‖₂); `None` leaves it as it is.
    pub clip_norm: Option<f64>,
    /// Factors of the learning rate, as [`Training::rate_of`] sets them. The last one of a part
    /// counts.
    pub rates: Vec<(Part, f64)>,
    /// The decay d of an exponential moving average of the parameters, 0 or more and less than 1;
    /// `None` keeps no average. The average is what predicts
    /// ([`Train::inference_parameters`](crate::Train::inference_parameters));
    /// [`Train::parameters`](crate::Train::parameters) are the last.
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
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
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
            clip_norm: None,
            rates: Vec::new(),
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

    /// Clips the gradient before each update: the gradient g of each model is multiplied by
    /// min(1, `max` / ‖g‖₂), as `optax.clip_by_global_norm` does. Gradients of any magnitude have a
    /// finite norm. Frozen parts do not count in it. L2 regularization and weight decay belong to
    /// the optimizer and come after. What returns a gradient returns it as it was before.
    ///
    /// A gradient with an element that is NaN or infinite is not clipped. The model is marked as
    /// diverged and keeps its parameters. The resident strategy does not support clipping and is
    /// then not chosen.
    ///
    /// `max` is a finite number of 2⁻¹²⁶ or more.
    #[must_use]
    pub const fn clip_norm(mut self, max: f64) -> Self {
        self.clip_norm = Some(max);
        self
    }

    /// Multiplies the learning rate of one part of the network, after the schedule, by `factor`, a
    /// finite number of 0 or more.
    ///
    /// A factor of 0 freezes the part. Its parameters and optimizer states keep their bits: neither
    /// the gradient nor L2 regularization nor weight decay changes them. Its gradient is still
    /// computed, and a model in whose gradient any element is NaN or infinite is still marked as
    /// diverged.
    ///
    /// ```
    /// use wgrad::encoding::Grid;
    /// use wgrad::{Activation, Loss, Mlp, Optimizer, Part, Training};
    /// let mlp = Mlp::new(2).encode(2, Grid::default()).layer(64, Activation::Relu);
    /// let mlp = mlp.layer(3, Activation::Identity);
    /// let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(1e-2))
    ///     .rate_of(Part::Encoding(0), 10.0)
    ///     .rate_of(Part::Layer(1), 0.0); // frozen
    /// training.check(&mlp)?;
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    #[must_use]
    pub fn rate_of(mut self, part: Part, factor: f64) -> Self {
        self.rates.push((part, factor));
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
    /// a custom loss of rows that are too wide; a norm to clip at, an average's decay or a factor of
    /// the learning rate that is out of range; a rate of a part that the network does not have, or of
    /// an encoding without tables; 0 models; a history of 0 steps.
    pub fn check(&self, mlp: &Mlp) -> Result<()> {
        mlp.check()?;
        check_models(mlp, self.models)?;
        self.optimizer.check()?;
        self.schedule.check()?;
        if let Some(max) = self.clip_norm
            && !(f32::MIN_POSITIVE..=f32::MAX).contains(&to_f32(max))
        {
            let what = "the norm that the gradient is clipped at";
            return Err(Error::argument(what, max, "a finite number of 2^-126 or more, in f32"));
        }
        for (part, factor) in &self.rates {
            part.check(mlp)?;
            if !(0.0..=f32::MAX).contains(&to_f32(*factor)) {
                let what = format!("the factor of the rate of {part:?}");
                return Err(Error::argument(what, factor, "a finite number of 0 or more, in f32"));
            }
        }
        if let Some(decay) = self.ema
            && !(0.0..1.0).contains(&to_f32(decay))
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

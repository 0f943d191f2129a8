//! The traits of all trainers, on whatever device, and what they return.

use crate::error::{Error, Result};
use crate::network::{Mlp, Parameters};
use crate::numeric::{Real, wide};
#[cfg(feature = "safetensors")]
use crate::training::Checkpoint;
use crate::training::{Data, Health, Metrics, Optimizer, Training};

/// The losses of training steps, each before its update.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Losses<T = f32> {
    /// The step of the first row: 0 unless older losses were dropped. Recorded steps overwrite the
    /// history on the GPU, and of more than 2²⁵ losses the older half is dropped.
    pub first_step: u64,
    /// The number of models.
    pub models: usize,
    /// The losses, `[steps, models]`.
    pub values: Vec<T>,
}

/// The number of losses beyond which the older half is dropped.
const MAX_LOSSES: usize = 1 << 25;

impl<T: Real> Losses<T> {
    /// No losses of `models` models.
    pub(crate) const fn new(models: usize) -> Self {
        Self { first_step: 0, models, values: Vec::new() }
    }

    /// Forgets all losses; the next step is `step`.
    pub(crate) fn clear(&mut self, step: u64) {
        self.values.clear();
        self.first_step = step;
    }

    /// Forgets all losses; the next ones follow them.
    pub(crate) fn forget(&mut self) {
        self.first_step += wide(self.values.len() / self.models.max(1));
        self.values.clear();
    }

    /// Appends the losses of a step, and drops old ones where they have become too many.
    pub(crate) fn push(&mut self, losses: &[T]) {
        self.push_within(MAX_LOSSES, losses);
    }

    fn push_within(&mut self, most: usize, losses: &[T]) {
        if self.values.len() + losses.len() > most {
            let steps = self.values.len() / self.models.max(1);
            let dropped = steps.div_ceil(2);
            self.values.drain(..dropped * self.models);
            self.first_step += wide(dropped);
        }
        self.values.extend_from_slice(losses);
    }

    /// One model's losses.
    pub fn of_model(&self, model: usize) -> impl Iterator<Item = T> {
        self.values.iter().skip(model).step_by(self.models.max(1)).copied()
    }

    /// The losses of the last step, one a model; empty before the first.
    pub fn last(&self) -> &[T] {
        &self.values[self.values.len().saturating_sub(self.models)..]
    }
}

/// The methods of every trainer that never wait. They exist in a browser too, where nothing may
/// block.
///
/// The trait is sealed. [`Trainer`](crate::Trainer) and [`CpuTrainer`](crate::CpuTrainer) implement
/// it.
pub trait TrainBase: Sealed {
    /// The type of the values that it returns: `f32` on the GPU, `f32` or `f64` on the CPU.
    type Scalar: Real;

    /// The device's name.
    fn device(&self) -> String;

    /// The network.
    fn mlp(&self) -> &Mlp;

    /// The description of the training.
    fn training(&self) -> &Training;

    /// Replaces the parameters, and their average. The step counter and the optimizer state stay. Models that had
    /// diverged are trained again. On a GPU this comes before recorded steps that were not submitted
    /// yet; [`Trainer::record_parameters`](crate::Trainer::record_parameters) keeps the order.
    ///
    /// # Errors
    /// The parameters belong to another network or to another number of models.
    fn set_parameters(&mut self, parameters: &Parameters<Self::Scalar>) -> Result<()>;

    /// Replaces the optimizer's hyperparameters from the next step on. On a GPU this comes before
    /// recorded steps that were not submitted yet;
    /// [`Trainer::record_optimizer`](crate::Trainer::record_optimizer) keeps the order.
    ///
    /// # Errors
    /// Hyperparameters out of range, or an optimizer of another kind.
    fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()>;

    /// Forgets the losses that were kept until now, for a training that runs for days and is looked at
    /// by its last losses: [`Losses::first_step`] says where the rest begin. On a GPU the losses that
    /// were not read yet stay.
    fn forget_losses(&mut self);

    /// Trains on other data from the next step on. Their epochs begin anew; the parameters, the
    /// optimizer state, the losses and the step counter stay. On a GPU this comes before recorded steps
    /// that were not submitted yet.
    ///
    /// ```
    /// use wgrad::{Activation, CpuTrainer, Dataset, Loss, Mlp, Optimizer, Train, TrainBase, Training};
    /// let mlp = Mlp::new(2).layer(4, Activation::Tanh).layer(1, Activation::Sigmoid);
    /// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::sgd(0.1));
    /// let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &Dataset::Moons.sample(100, 0)?)?;
    /// trainer.train(10)?;
    /// trainer.set_data(&Dataset::Moons.sample(100, 1)?)?;
    /// trainer.train(10)?;
    /// assert_eq!(trainer.losses()?.values.len(), 20);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// Data that do not fit the network or the loss, or of another number of rows or sets; a trainer
    /// whose data are in buffers of the application's, or that has none.
    fn set_data(&mut self, data: &Data<Self::Scalar>) -> Result<()>;

    /// Starts again from `parameters`. Optimizer state, step counter and losses return to 0. On a GPU
    /// this comes before recorded steps that were not submitted yet;
    /// [`Trainer::record_restart`](crate::Trainer::record_restart) keeps the order.
    ///
    /// # Errors
    /// The parameters belong to another network or to another number of models.
    fn restart(&mut self, parameters: &Parameters<Self::Scalar>) -> Result<()>;

    /// Goes on where a checkpoint was taken: the steps from here on are those that its trainer would
    /// have taken, bit for bit on the same device. The optimizer becomes the checkpoint's. On a GPU
    /// this comes before recorded steps that were not submitted yet.
    ///
    /// # Errors
    /// The checkpoint is of another network, or of a training that differs in more than its
    /// strategy, its history, its initial parameters and its optimizer's hyperparameters; the trainer
    /// stays as it was. A lost device.
    #[cfg(feature = "safetensors")]
    fn resume(&mut self, checkpoint: &Checkpoint<Self::Scalar>) -> Result<()>;
}

/// Trains a population and waits for results.
///
/// [`Trainer`](crate::Trainer) runs on the GPU, [`CpuTrainer`](crate::CpuTrainer) on the CPU. One
/// description, one data set and one seed give the same training on either, up to rounding. In a
/// browser, where nothing may block, the GPU's trainer has only the `_async` methods.
pub trait Train: TrainBase {
    /// Runs `steps` steps and waits for them.
    ///
    /// A model whose loss, gradient or parameters stop being finite keeps its last finite
    /// parameters and is not trained further. The other models of its population are.
    ///
    /// # Errors
    /// [`Error::Diverged`] once every model has diverged; a lost device.
    fn train(&mut self, steps: u32) -> Result<()>;

    /// The step, counted from 0, at which each model diverged.
    ///
    /// # Errors
    /// A lost device.
    fn diverged(&mut self) -> Result<Vec<Option<u64>>>;

    /// The losses of the steps until now.
    ///
    /// # Errors
    /// A lost device.
    fn losses(&mut self) -> Result<Losses<Self::Scalar>>;

    /// The parameters as the last step left them.
    ///
    /// # Errors
    /// A lost device.
    fn parameters(&mut self) -> Result<Parameters<Self::Scalar>>;

    /// The exponential moving average of the parameters, [`Training::ema`]. Before the first step
    /// it equals the parameters.
    ///
    /// # Errors
    /// The training keeps no average, or the device is lost.
    fn ema_parameters(&mut self) -> Result<Parameters<Self::Scalar>>;

    /// The parameters that [`Train::predict`] uses, to be kept in a file: the average where the
    /// training has one, otherwise the last.
    ///
    /// # Errors
    /// A lost device.
    fn inference_parameters(&mut self) -> Result<Parameters<Self::Scalar>> {
        if self.training().ema.is_some() { self.ema_parameters() } else { self.parameters() }
    }

    /// The loss and the gradient on the batch of the next step. The step is not taken.
    ///
    /// # Errors
    /// A lost device.
    fn gradients(&mut self) -> Result<Gradients<Self::Scalar>>;

    /// The gradient of the loss with respect to the batch's inputs, `[models, batch, inputs]`.
    ///
    /// # Errors
    /// A lost device; [`Error::TooLarge`].
    fn input_gradient(&mut self) -> Result<Vec<Self::Scalar>>;

    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`, by the average of the
    /// parameters where the training keeps one ([`Training::ema`]).
    ///
    /// # Errors
    /// A length that is not a multiple of the inputs, an element that is not finite, a lost device.
    fn predict(&mut self, x: &[Self::Scalar]) -> Result<Vec<Self::Scalar>>;

    /// The loss and the accuracy of the current parameters on other data, such as rows that were held
    /// out. The training is left as it is. [`Trainer::evaluation`](crate::Trainer::evaluation)
    /// records the same into an encoder.
    ///
    /// The accuracy is the share of rows of which the class is right: with softmax cross-entropy the
    /// index of the largest output, with one output of a sigmoid or a tanh the side of the middle.
    /// Behind another loss than binary cross-entropy this needs labels: targets of 0 and 1, or of −1 and
    /// 1 behind a tanh. Other networks and targets have no classes, and no accuracy.
    ///
    /// ```
    /// use wgrad::{Activation, CpuTrainer, Dataset, Loss, Mlp, Optimizer, Train, Training};
    /// let mlp = Mlp::new(2).layer(8, Activation::Tanh).layer(1, Activation::Sigmoid);
    /// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.05));
    /// let data = Dataset::Moons.sample(200, 0)?;
    /// let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &data)?;
    /// trainer.train(500)?;
    /// let held_out = trainer.evaluate(&Dataset::Moons.sample(100, 1)?)?;
    /// assert!(held_out.losses[0] < 0.2);
    /// assert!(held_out.accuracies.is_some_and(|of_models| of_models[0] > 0.9));
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// Data that do not fit the network or the loss; a lost device; [`Error::TooLarge`].
    fn evaluate(&mut self, data: &Data<Self::Scalar>) -> Result<Metrics<Self::Scalar>>;

    /// The state of each layer's gradient and units, on the batch of the next step.
    ///
    /// # Errors
    /// A lost device.
    fn health(&mut self) -> Result<Health>;

    /// All that another trainer needs to go on: see [`Checkpoint`].
    ///
    /// # Errors
    /// A lost device.
    #[cfg(feature = "safetensors")]
    fn checkpoint(&mut self) -> Result<Checkpoint<Self::Scalar>>;
}

/// [`Train`] without blocking: what code generic over trainers uses where it must run in a browser
/// too. The CPU's trainer waits for nothing; its futures are ready when they are first polled.
///
/// ```
/// use wgrad::{Result, TrainAsync};
/// async fn last_losses<T: TrainAsync>(trainer: &mut T) -> Result<Vec<T::Scalar>> {
///     trainer.train_async(10).await?;
///     Ok(trainer.losses_async().await?.last().to_vec())
/// }
/// ```
// The trait is sealed, and a browser has one thread: nobody needs to name or send the futures.
#[allow(async_fn_in_trait)]
pub trait TrainAsync: TrainBase {
    /// [`Train::train`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn train_async(&mut self, steps: u32) -> Result<()>;

    /// [`Train::diverged`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn diverged_async(&mut self) -> Result<Vec<Option<u64>>>;

    /// [`Train::losses`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn losses_async(&mut self) -> Result<Losses<Self::Scalar>>;

    /// [`Train::parameters`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn parameters_async(&mut self) -> Result<Parameters<Self::Scalar>>;

    /// [`Train::ema_parameters`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn ema_parameters_async(&mut self) -> Result<Parameters<Self::Scalar>>;

    /// [`Train::gradients`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn gradients_async(&mut self) -> Result<Gradients<Self::Scalar>>;

    /// [`Train::input_gradient`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn input_gradient_async(&mut self) -> Result<Vec<Self::Scalar>>;

    /// [`Train::predict`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn predict_async(&mut self, x: &[Self::Scalar]) -> Result<Vec<Self::Scalar>>;

    /// [`Train::evaluate`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn evaluate_async(&mut self, data: &Data<Self::Scalar>) -> Result<Metrics<Self::Scalar>>;

    /// [`Train::health`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    async fn health_async(&mut self) -> Result<Health>;

    /// [`Train::checkpoint`] without blocking.
    ///
    /// # Errors
    /// Those of the blocking form.
    #[cfg(feature = "safetensors")]
    async fn checkpoint_async(&mut self) -> Result<Checkpoint<Self::Scalar>>;
}

/// Implements [`TrainAsync`] by methods of the type's own: `NAME = METHOD;`, where `.await` follows
/// those that wait.
macro_rules! train_async {
    ($($(#[$meta:meta])* $name:ident($($argument:ident: $kind:ty)?) -> $result:ty = $own:ident $(.$wait:tt)?;)*) => {
        $($(#[$meta])* async fn $name(&mut self $(, $argument: $kind)?) -> $result {
            Self::$own(self $(, $argument)?)$(.$wait)?
        })*
    };
}
pub(crate) use train_async;

/// Limits [`TrainBase`] to this crate's trainers.
pub trait Sealed {}

/// The losses of a population and their gradients.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Gradients<T = f32> {
    /// One loss per model.
    pub losses: Vec<T>,
    /// The gradients, `[models, P]`, in the layout of the parameters.
    pub values: Vec<T>,
}

/// Checks that not every model has diverged. The error names the first one that did.
pub(crate) fn all_diverged(diverged: &[Option<u64>]) -> Result<()> {
    let steps: Option<Vec<u64>> = diverged.iter().copied().collect();
    match steps.unwrap_or_default().into_iter().enumerate().min_by_key(|(_, step)| *step) {
        Some((model, step)) => Err(Error::Diverged { model, step }),
        None => Ok(()),
    }
}

/// Checks that `parameters` belong to `models` models of `mlp`.
pub(crate) fn check_same<T: Real>(
    mlp: &Mlp,
    models: usize,
    parameters: &Parameters<T>,
) -> Result<()> {
    if parameters.mlp() != mlp {
        return Err(Error::argument("the parameters' network", parameters.mlp(), mlp.to_string()));
    }
    if parameters.models() != models {
        return Err(Error::argument(
            "the parameters' number of models",
            parameters.models(),
            models.to_string(),
        ));
    }
    Ok(())
}

/// Checks that the training keeps an average of the parameters.
pub(crate) fn check_ema(training: &Training) -> Result<()> {
    if training.ema.is_none() {
        let what = "the moving average of the parameters";
        return Err(Error::argument(what, "none", "a training with one, by `Training::ema`"));
    }
    Ok(())
}

/// Checks that `next` is valid and of the same kind as `now`.
pub(crate) fn check_optimizer(now: Optimizer, next: Optimizer) -> Result<()> {
    next.check()?;
    if std::mem::discriminant(&now) != std::mem::discriminant(&next) {
        return Err(Error::argument("the optimizer", next.name(), now.name()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_losses_are_dropped_and_the_first_step_says_so() {
        let mut losses = Losses::<f32>::new(3);
        for step in 0..1000_u16 {
            let row = [f32::from(step), 0.5, 0.25];
            losses.push_within(100, &row);
            assert!(losses.values.len() <= 100);
            assert_eq!(losses.last(), row);
            let first = losses.of_model(0).next().unwrap();
            assert_eq!(u64::from(first as u16), losses.first_step);
        }
        let next = losses.first_step + (losses.values.len() / 3) as u64;
        losses.forget();
        assert_eq!((losses.first_step, losses.last().len()), (next, 0));
        losses.push(&[1.0, 2.0, 3.0]);
        assert_eq!((losses.first_step, losses.last()), (next, &[1.0, 2.0, 3.0][..]));
        // One step of a population larger than the bound is kept whole.
        losses.push_within(2, &[7.0, 8.0, 9.0]);
        assert_eq!(losses.last(), [7.0, 8.0, 9.0]);
    }
}

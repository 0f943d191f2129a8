//! Trains networks on the CPU: what the GPU is checked against and compared with. The passes work on
//! tiles in vectors; the kernels' references are their specification.

#[cfg(all(feature = "safetensors", not(target_family = "wasm")))]
mod across;
#[cfg(feature = "safetensors")]
mod checkpoint;
mod compiled;
mod evaluation;
mod functions;
mod passes;
mod predict;
mod tile;
mod update;
mod work;

#[cfg(test)]
mod tests;

#[cfg(all(feature = "safetensors", not(target_family = "wasm")))]
pub use across::{Across, Worker, train_across};

use crate::error::Result;
use crate::kernels::measure::saturation::{Holds, Saturation};
use crate::kernels::step::RateRange;
use crate::kernels::step::clip::Clip;
use crate::kernels::step::ema::Ema;
use crate::kernels::step::gather::Gather;
use crate::kernels::step::update::Update;
use crate::network::{Mlp, Parameters};
use crate::numeric::{Real, to_u32, wide};
#[cfg(feature = "safetensors")]
use crate::training::Checkpoint;
use crate::training::{
    Batch, Cursor, Data, Gradients, Health, LayerHealth, Losses, Metrics, Optimizer, Sealed, Train,
    TrainAsync, TrainBase, Training, all_diverged, check_ema, check_optimizer, check_same,
    check_shape_of, train_async,
};
use passes::{forward, loss_gradient};
use predict::predict;
use work::Work;

/// Trains a population of one or more networks on the CPU, in `f32` or `f64`, on all cores.
///
/// It computes in vectors of the processor's own width, which it chooses when the program runs. In wasm it
/// uses 128 bits where the program is built with `-Ctarget-feature=+simd128`. Work of some microseconds
/// stays on one thread. The bits do not depend on the number of threads; another width may give others.
/// It is a CPU's good speed: [`Trainer`](crate::Trainer) is worth a GPU where it is faster than this.
///
/// ```
/// use wgrad::{Activation, CpuTrainer, Dataset, Loss, Mlp, Optimizer, Train, Training};
/// let data = Dataset::Xor.sample(100, 0)?;
/// let mlp = Mlp::new(2).layer(8, Activation::Tanh).layer(1, Activation::Sigmoid);
/// let training = Training::new(Loss::BinaryCrossEntropy, Optimizer::adam(0.05));
/// let mut trainer = CpuTrainer::<f32>::new(&mlp, &training, &data)?;
/// trainer.train(200)?;
/// assert!(trainer.losses()?.last()[0] < 0.3);
/// # Ok::<(), wgrad::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CpuTrainer<T = f32> {
    mlp: Mlp,
    training: Training,
    data: Data<T>,
    batch: usize,
    rates: Vec<RateRange>,
    parameters: Vec<T>,
    states: Vec<Vec<T>>,
    ema: Vec<T>,
    step: u64,
    cursor: Cursor,
    diverged: Vec<Option<u64>>,
    losses: Losses<T>,
    work: Work<T>,
}

impl<T: Real> CpuTrainer<T> {
    /// Draws the initial parameters and copies the data.
    ///
    /// # Errors
    /// Those of [`Training::check`] and [`Batch::size`]; data that do not fit the network; a custom
    /// loss or activation without a reference.
    pub fn new(mlp: &Mlp, training: &Training, data: &Data<T>) -> Result<Self> {
        training.check(mlp)?;
        data.check(mlp, training)?;
        training.check_reference(mlp)?;
        to_u32("the number of rows", wide(data.rows()))?;
        let batch = training.batch.size(data.rows())?;
        let sampled = training.init.sample(mlp, training.models, training.seed)?.cast()?;
        let mut trainer = Self {
            mlp: mlp.clone(),
            training: training.clone(),
            data: data.clone(),
            batch,
            rates: RateRange::all(mlp, &training.rates),
            parameters: Vec::new(),
            states: Vec::new(),
            ema: Vec::new(),
            step: 0,
            cursor: Cursor::default(),
            diverged: Vec::new(),
            losses: Losses::new(training.models),
            work: Work::new(mlp, training, data, batch),
        };
        trainer.restart(&sampled)?;
        Ok(trainer)
    }

    /// The rows of the next step, `[sets, batch, inputs]` and `[sets, batch, outputs]`.
    fn rows(&self) -> Result<[std::borrow::Cow<'_, [T]>; 2]> {
        if self.training.batch == Batch::Full {
            return Ok([self.data.x().into(), self.data.t().into()]);
        }
        let gather = Gather {
            sets: self.data.sets(),
            rows: self.data.rows(),
            batch: self.batch,
            inputs: self.mlp.inputs,
            outputs: self.mlp.outputs(),
            seed: self.training.batch.seed(),
        };
        let Cursor { epoch, position } = self.cursor;
        let sample = |width, values| gather.reference(epoch, position, width, values);
        Ok([
            sample(self.mlp.inputs, self.data.x())?.into(),
            sample(self.mlp.outputs(), self.data.t())?.into(),
        ])
    }

    /// `[x, t]` of model `m`.
    fn set<'a>(&self, m: usize, [x, t]: [&'a [T]; 2]) -> [&'a [T]; 2] {
        let set = if self.data.sets() == 1 { 0 } else { m };
        let part = |values: &'a [T], width: usize| {
            let size = self.batch * width;
            &values[set * size..(set + 1) * size]
        };
        [part(x, self.mlp.inputs), part(t, self.mlp.outputs())]
    }

    /// Calls `f(m)` for every model, on all cores where there are several.
    fn each_model<R: Send>(&self, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
        let models = self.training.models;
        #[cfg(feature = "threads")]
        if models > 1 {
            use rayon::prelude::*;
            return (0..models).into_par_iter().map(f).collect();
        }
        (0..models).map(f).collect()
    }

    /// The parameters, `[models, P]`.
    pub(crate) fn values(&self) -> &[T] {
        &self.parameters
    }

    fn model(&self, m: usize) -> &[T] {
        let p = self.mlp.parameters();
        &self.parameters[m * p..(m + 1) * p]
    }

    /// Loss and gradient on the batch of the next step, and where `inputs` is set the gradient of its
    /// inputs, `[models, batch, inputs]`.
    pub(crate) fn back_propagate(&mut self, inputs: bool) -> Result<(Gradients<T>, Vec<T>)> {
        let of_inputs =
            self.work.back_propagate(&self.parameters, &self.data, self.cursor, inputs)?;
        Ok((self.work.gradients.clone(), of_inputs))
    }

    /// The loss of one model with `parameters` on the batch of the next step, and the last
    /// pre-activations. A denominator that the loss detaches is made of `detached`, where given.
    pub(crate) fn loss_at(&self, parameters: &[T], detached: Option<&[T]>) -> Result<(T, Vec<T>)> {
        let [x, t] = self.rows()?;
        let [x, t] = self.set(0, [&x, &t]);
        let z =
            forward(&self.mlp, parameters, x, false).layers.pop().map_or_else(Vec::new, |l| l.y);
        let mut delta = vec![T::ZERO; t.len()];
        let both = [&z[..], detached.unwrap_or(&z)];
        let gradient = loss_gradient(&self.mlp, &self.training, self.batch);
        Ok((gradient.detached_reference(both, [x, t], &mut delta), z))
    }

    fn one_step(&mut self) -> Result<()> {
        self.work.back_propagate(&self.parameters, &self.data, self.cursor, false)?;
        let gradients = &mut self.work.gradients;
        let (p, t) = (self.mlp.parameters(), self.step + 1);
        let rate = self.training.optimizer.rate() * self.training.schedule.factor(self.step);
        let update = Update {
            optimizer: self.training.optimizer.at_rate(rate),
            parameters: p,
            models: self.training.models,
            rows: self.data.rows(),
            batch: self.batch,
            tables: self.mlp.encoding_parameters(),
            history: 1,
            scheduled: false,
            rates: &self.rates,
            padded: false,
        };
        let clip = self.training.clip_norm.map(|max_norm| Clip {
            parameters: p,
            models: self.training.models,
            max_norm,
            rates: &self.rates,
        });
        for m in 0..self.training.models {
            let gradient = &mut gradients.values[m * p..(m + 1) * p];
            let finite = gradients.losses[m].is_finite() && all_finite(gradient);
            if !finite && self.diverged[m].is_none() {
                self.diverged[m] = Some(self.step);
            }
            if self.diverged[m].is_none() {
                if let Some(clip) = clip {
                    clip.reference(gradient);
                }
                let parameters = &mut self.parameters[m * p..(m + 1) * p];
                let states = &mut self.states[m];
                if !update::update(&update, t, gradient, parameters, states) {
                    self.diverged[m] = Some(t);
                }
            }
        }
        if let Some(decay) = self.training.ema {
            let ema = Ema { elements: self.parameters.len(), decay };
            ema.reference(t, &self.parameters, &mut self.ema);
        }
        self.losses.push(&gradients.losses);
        self.step += 1;
        let n = |value: usize| to_u32("a number of rows", wide(value));
        self.cursor.advance(n(self.batch)?, n(self.data.rows())?);
        Ok(())
    }
}

/// Whether all are finite, without a branch for each.
fn all_finite<T: Real>(values: &[T]) -> bool {
    let finite = |part: &[T]| part.iter().fold(true, |all, value| all & value.is_finite());
    #[cfg(feature = "threads")]
    if values.len() > 1 << 16 {
        use rayon::prelude::*;
        return values.par_chunks(1 << 14).all(finite);
    }
    values.chunks(256).all(finite)
}

impl<T> Sealed for CpuTrainer<T> {}

impl<T: Real> TrainBase for CpuTrainer<T> {
    type Scalar = T;

    fn device(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let cores = if cfg!(feature = "threads") { cores } else { 1 };
        let bits = 8 * size_of::<T>();
        format!("CPU ({cores} core{}, f{bits})", if cores == 1 { "" } else { "s" })
    }

    fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    fn training(&self) -> &Training {
        &self.training
    }

    fn set_parameters(&mut self, parameters: &Parameters<T>) -> Result<()> {
        check_same(&self.mlp, self.training.models, parameters)?;
        self.parameters = parameters.values().to_vec();
        self.ema.clone_from(&self.parameters);
        self.diverged = vec![None; self.training.models];
        Ok(())
    }

    fn set_optimizer(&mut self, optimizer: Optimizer) -> Result<()> {
        check_optimizer(self.training.optimizer, optimizer)?;
        self.training.optimizer = optimizer;
        Ok(())
    }

    fn forget_losses(&mut self) {
        self.losses.forget();
    }

    fn set_data(&mut self, data: &Data<T>) -> Result<()> {
        data.check(&self.mlp, &self.training)?;
        check_shape_of(data, self.data.shape())?;
        self.data.clone_from(data);
        self.work.set_data(data);
        self.cursor = Cursor::default();
        Ok(())
    }

    #[cfg(feature = "safetensors")]
    fn resume(&mut self, checkpoint: &Checkpoint<T>) -> Result<()> {
        self.go_on(checkpoint)
    }

    fn restart(&mut self, parameters: &Parameters<T>) -> Result<()> {
        self.set_parameters(parameters)?;
        self.states = vec![vec![T::ZERO; 2 * self.mlp.parameters()]; self.training.models];
        self.ema.clone_from(&self.parameters);
        self.step = 0;
        self.cursor = Cursor::default();
        self.losses.clear(0);
        Ok(())
    }
}

impl<T: Real> TrainAsync for CpuTrainer<T> {
    train_async! {
        train_async(steps: u32) -> Result<()> = train;
        diverged_async() -> Result<Vec<Option<u64>>> = diverged;
        losses_async() -> Result<Losses<T>> = losses;
        parameters_async() -> Result<Parameters<T>> = parameters;
        ema_parameters_async() -> Result<Parameters<T>> = ema_parameters;
        gradients_async() -> Result<Gradients<T>> = gradients;
        input_gradient_async() -> Result<Vec<T>> = input_gradient;
        predict_async(x: &[T]) -> Result<Vec<T>> = predict;
        evaluate_async(data: &Data<T>) -> Result<Metrics<T>> = evaluate;
        health_async() -> Result<Health> = health;
        #[cfg(feature = "safetensors")]
        checkpoint_async() -> Result<Checkpoint<T>> = to_checkpoint;
    }
}

impl<T: Real> Train for CpuTrainer<T> {
    fn train(&mut self, steps: u32) -> Result<()> {
        #[cfg(feature = "threads")]
        let parallel = self.work.is_parallel();
        let mut run = || (0..steps).try_for_each(|_| self.one_step());
        #[cfg(feature = "threads")]
        if parallel {
            // Inside the pool a fork costs little.
            rayon::scope(|_| run())?;
            return all_diverged(&self.diverged);
        }
        run()?;
        all_diverged(&self.diverged)
    }

    fn diverged(&mut self) -> Result<Vec<Option<u64>>> {
        Ok(self.diverged.clone())
    }

    fn losses(&mut self) -> Result<Losses<T>> {
        Ok(self.losses.clone())
    }

    fn parameters(&mut self) -> Result<Parameters<T>> {
        Parameters::new(self.mlp.clone(), self.training.models, self.parameters.clone())
    }

    fn ema_parameters(&mut self) -> Result<Parameters<T>> {
        check_ema(&self.training)?;
        Parameters::new(self.mlp.clone(), self.training.models, self.ema.clone())
    }

    fn gradients(&mut self) -> Result<Gradients<T>> {
        Ok(self.back_propagate(false)?.0)
    }

    fn input_gradient(&mut self) -> Result<Vec<T>> {
        Ok(self.back_propagate(true)?.1)
    }

    fn predict(&mut self, x: &[T]) -> Result<Vec<T>> {
        let parameters = if self.training.ema.is_some() { &self.ema } else { &self.parameters };
        predict(&self.mlp, parameters, x)
    }

    fn evaluate(&mut self, data: &Data<T>) -> Result<Metrics<T>> {
        self.metrics_on(data)
    }

    #[cfg(feature = "safetensors")]
    fn checkpoint(&mut self) -> Result<Checkpoint<T>> {
        self.to_checkpoint()
    }

    fn health(&mut self) -> Result<Health> {
        let (gradients, _) = self.back_propagate(false)?;
        let [x, t] = self.rows()?;
        let p = self.mlp.parameters();
        let layers_of = self.each_model(|m| {
            let [x, _] = self.set(m, [&x, &t]);
            forward(&self.mlp, self.model(m), x, true).layers
        });
        let mut layers = Vec::new();
        for (m, kept) in layers_of.iter().enumerate() {
            for (index, (layer, range)) in self.mlp.layers.iter().zip(self.mlp.ranges()).enumerate()
            {
                let stretch = &gradients.values[m * p + range.weight.start..m * p + range.bias.end];
                let norm = stretch.iter().map(|g| g.to_f64().powi(2)).sum::<f64>().sqrt();
                let last = index + 1 == self.mlp.layers.len();
                let (holds, values) = if last {
                    (Holds::PreActivation, &kept[index].y)
                } else {
                    (Holds::Saved, kept[index].z.as_ref().unwrap_or(&kept[index].y))
                };
                let counts = layer.activation.saturation_threshold().map(|threshold| {
                    let saturation = Saturation {
                        activation: layer.activation,
                        holds,
                        models: 1,
                        rows: self.batch,
                        units: layer.units,
                        offset: 0,
                        threshold,
                    };
                    saturation.reference(values)
                });
                layers.push(LayerHealth::new(
                    norm,
                    layer.activation,
                    self.batch,
                    counts.as_deref(),
                ));
            }
        }
        Ok(Health { models: self.training.models, layers })
    }
}

//! The gradient by finite differences, on the CPU and on the GPU.

use crate::cpu::CpuTrainer;
use crate::error::{Error, Result};
use crate::gpu::{Buffers, bind, find, prepare, record};
use crate::kernels::step::Status;
use crate::numeric::{Real, to_f32, wide};
use crate::plan::{Buffer, FiniteDifferencePlan};
use crate::run::Trainer;
use crate::training::TrainBase;

/// How a numerical gradient is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FiniteDifference {
    /// (L(w + h) − L(w)) / h, the article's: P + 1 forward passes, an error of the order of h.
    Forward,
    /// (L(w + h) − L(w − h)) / 2h: 2 P forward passes, an error of the order of h².
    Central,
}

impl FiniteDifference {
    /// Forward passes for `parameters` parameters.
    pub const fn forward_passes(self, parameters: usize) -> usize {
        match self {
            Self::Forward => parameters.saturating_add(1),
            Self::Central => parameters.saturating_mul(2),
        }
    }

    /// The step h at 1, from the relative error `noise` of a loss: where the errors of rounding
    /// and of the formula are about the same (Press et al., "Numerical Recipes", section 5.7).
    fn step(self, noise: f64) -> f64 {
        match self {
            Self::Forward => noise.sqrt(),
            Self::Central => noise.cbrt(),
        }
    }

    /// What each parameter is replaced by: upwards, and downwards or itself.
    fn replaced<T: Real>(self, noise: f64, base: &[T]) -> [Vec<T>; 2] {
        let h = |w: T| T::of(self.step(noise) * w.to_f64().abs().max(1.0));
        let up = base.iter().map(|w| *w + h(*w)).collect();
        let down =
            base.iter().map(|w| if self == Self::Central { *w - h(*w) } else { *w }).collect();
        [up, down]
    }
}

/// (L₊ − L₋) / (w₊ − w₋): with the distance that rounding has left, not the one intended.
fn quotient(losses: (f64, f64), values: (f64, f64)) -> f64 {
    (losses.0 - losses.1) / (values.0 - values.1)
}

/// Checks that a population is one of one model.
pub(super) fn one_model(models: usize) -> Result<()> {
    if models == 1 {
        return Ok(());
    }
    Err(Error::argument("the models of a numerical gradient", models, "1"))
}

impl<T: Real> CpuTrainer<T> {
    /// The gradient on the next step's batch by differences, one forward pass after another. A
    /// denominator that the loss detaches ([`Loss::detaches_denominator`](crate::Loss::detaches_denominator)) is a constant here.
    ///
    /// # Errors
    /// A population of more than one.
    pub fn numerical_gradient(&self, difference: FiniteDifference) -> Result<Vec<T>> {
        one_model(self.training().models)?;
        // A loss in T is right to a few units of its last place.
        let noise = if size_of::<T>() == 4 { 1e-7 } else { 2e-16 };
        let mut values = self.values().to_vec();
        let [up, down] = difference.replaced(noise, &values);
        let (here, detached) = self.loss_at(&values, None)?;
        let here = here.to_f64();
        let loss = |values: &[T]| Ok::<_, Error>(self.loss_at(values, Some(&detached))?.0.to_f64());
        let mut gradient = Vec::with_capacity(values.len());
        for i in 0..values.len() {
            let kept = std::mem::replace(&mut values[i], up[i]);
            let above = loss(&values)?;
            let below = if difference == FiniteDifference::Forward {
                here
            } else {
                values[i] = down[i];
                loss(&values)?
            };
            values[i] = kept;
            gradient.push(T::of(quotient((above, below), (up[i].to_f64(), down[i].to_f64()))));
        }
        Ok(gradient)
    }
}

impl Trainer {
    /// The gradient on the next step's batch by differences: a population of copies of the model,
    /// each with one parameter changed, evaluated side by side, in slices where they are many.
    ///
    /// # Errors
    /// A population of more than one; a loss that detaches its denominator ([`Loss::detaches_denominator`](crate::Loss::detaches_denominator)), whose gradient
    /// no difference gives; [`Error::TooLarge`]; a lost device.
    #[cfg(not(target_family = "wasm"))]
    pub fn numerical_gradient(&mut self, difference: FiniteDifference) -> Result<Vec<f32>> {
        pollster::block_on(self.numerical_gradient_async(difference))
    }

    /// [`Trainer::numerical_gradient`] without blocking.
    ///
    /// # Errors
    /// Those of [`Trainer::numerical_gradient`].
    pub async fn numerical_gradient_async(
        &mut self,
        difference: FiniteDifference,
    ) -> Result<Vec<f32>> {
        one_model(self.training().models)?;
        let loss = self.training().loss;
        if loss.detaches_denominator() {
            let what = "the loss of a numerical gradient on the GPU";
            let allowed = "one whose gradient is the derivative of its value";
            return Err(Error::argument(what, loss.name(), allowed));
        }
        let base = self.parameters_async().await?.values().to_vec();
        // Sums of many rows in f32 leave some more of their last places to chance than one.
        let [up, down] = difference.replaced(4e-7, &base);
        let [inputs, targets] = self.batch_buffers()?;
        let (mlp, loss) = (self.mlp().clone(), self.training().loss);
        let gpu = self.gpu().clone();
        let plan = FiniteDifferencePlan::new(&mlp, loss, self.plan().batch(), gpu.capabilities())?;
        let mut buffers = Buffers::from([(Buffer::Inputs, inputs), (Buffer::Targets, targets)]);
        let forward = bind(&gpu, &plan.forward, &mut buffers, &[], None)?;
        let get = |name| find(&buffers, name).map(|part| &part.buffer);
        gpu.write(get(Buffer::Base)?, 0, bytemuck::cast_slice(&base))?;
        let marks = Status::marks(plan.models);
        gpu.write(get(Buffer::Status)?, Status::BYTES, bytemuck::cast_slice(&marks))?;
        let losses = async |replaced: &[f32], count: usize| {
            gpu.write(get(Buffer::Replaced)?, 0, bytemuck::cast_slice(replaced))?;
            let mut losses = Vec::with_capacity(count);
            for first in (0..count).step_by(plan.models) {
                let perturb = prepare(&gpu, &[&plan.perturb(&mlp, first)?], &buffers, &[], None)?;
                gpu.submit(|encoder| {
                    record(encoder, &perturb, 1);
                    record(encoder, &forward, 1);
                })?;
                let now = plan.models.min(count - first);
                let bytes = gpu.read(get(Buffer::Losses)?, 0, 4 * wide(now))?.await?;
                losses.extend(bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
            }
            Ok::<_, Error>(losses)
        };
        let above = losses(&up, base.len()).await?;
        let below = match difference {
            FiniteDifference::Central => losses(&down, base.len()).await?,
            FiniteDifference::Forward => vec![losses(&base, 1).await?[0]; base.len()],
        };
        Ok((0..base.len())
            .map(|i| {
                let losses = (f64::from(above[i]), f64::from(below[i]));
                to_f32(quotient(losses, (f64::from(up[i]), f64::from(down[i]))))
            })
            .collect())
    }
}

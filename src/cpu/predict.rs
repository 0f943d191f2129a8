//! The forward pass alone.

use super::compiled::compiled;
use super::tile::{Network, Scratch, Source};
#[cfg(feature = "threads")]
use super::work::PARALLEL;
use crate::error::Result;
use crate::network::{Mlp, Parameters};
use crate::numeric::{Real, check_finite, check_shape};
use crate::training::{Loss, Optimizer, Training};
use fearless_simd::Level;

impl<T: Real> Parameters<T> {
    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`, computed on the CPU.
    ///
    /// ```
    /// use wgrad::{Activation, Init, Mlp};
    /// let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
    /// let parameters = Init::Auto.sample(&mlp, 3, 0)?;
    /// assert_eq!(parameters.predict(&[0.0, 0.0, 1.0, 1.0])?.len(), 3 * 2);
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a custom activation
    /// without a reference.
    pub fn predict(&self, x: &[T]) -> Result<Vec<T>> {
        self.mlp().layers.iter().try_for_each(|layer| layer.activation.check_reference())?;
        predict(self.mlp(), self.values(), x)
    }
}

/// The outputs of the models whose parameters these are for any rows `x`, `[models, rows, outputs]`.
pub fn predict<T: Real>(mlp: &Mlp, parameters: &[T], x: &[T]) -> Result<Vec<T>> {
    let (rows, p) = (x.len() / mlp.inputs, mlp.parameters());
    check_shape("x", x.len(), &[rows, mlp.inputs])?;
    check_finite("x", x)?;
    if x.is_empty() {
        return Ok(Vec::new());
    }
    // What a forward pass never reads.
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.0));
    let network = Network::new::<T>(mlp, &training, rows);
    let size = rows * mlp.outputs();
    let mut outputs = vec![T::ZERO; parameters.len() / p * size];
    let (source, level) = (Source { x, t: &[], order: None, tiles: None }, Level::new());
    let (share, predict) = (network.chunk * mlp.outputs(), compiled::<T>().predict);
    let one = |scratch: &mut Scratch<T>, model: &[T], chunk: usize, outputs: &mut [T]| {
        predict(level, &network, chunk, model, &source, scratch, outputs);
    };
    for (model, outputs) in parameters.chunks(p).zip(outputs.chunks_mut(size)) {
        #[cfg(feature = "threads")]
        if rows.saturating_mul(p) > PARALLEL {
            use rayon::prelude::*;
            outputs.par_chunks_mut(share).enumerate().for_each_init(
                || network.scratch(false),
                |scratch, (chunk, outputs)| one(scratch, model, chunk, outputs),
            );
            continue;
        }
        let mut scratch = network.scratch(false);
        for (chunk, outputs) in outputs.chunks_mut(share).enumerate() {
            one(&mut scratch, model, chunk, outputs);
        }
    }
    Ok(outputs)
}

//! The forward pass of one model by the library's products and the activations' own formulas, and its
//! reference of the backward pass.

use crate::kernels::step::loss::LossGradient;
use crate::network::{Activation, Mlp, Saved, encoding};
use crate::numeric::{Matrix, Real, product};
use crate::training::Training;

/// What a forward pass leaves: the first layer's inputs, where an encoding makes them, and all layers.
pub struct Pass<T> {
    #[cfg(test)]
    encoded: Option<Vec<T>>,
    pub layers: Vec<Layer<T>>,
}

/// What a forward pass leaves of one layer: `[batch, units]`, and the pre-activations where the
/// activation's derivative needs them.
pub struct Layer<T> {
    pub y: Vec<T>,
    pub z: Option<Vec<T>>,
}

/// All layers' activations; of the last layer the pre-activations alone. `keep` keeps what the
/// backward pass needs.
pub fn forward<T: Real>(mlp: &Mlp, parameters: &[T], x: &[T], keep: bool) -> Pass<T> {
    let mut layers: Vec<Layer<T>> = Vec::new();
    let rows = x.len() / mlp.inputs;
    let encoded = (!mlp.encoding.is_empty()).then(|| encoding::encode(mlp, parameters, x));
    let x = encoded.as_deref().unwrap_or(x);
    for (index, range) in mlp.ranges().into_iter().enumerate() {
        let [units, inputs] = range.shape;
        let input = layers.last().map_or(x, |layer| &layer.y);
        let bias = &parameters[range.bias];
        let mut z = vec![T::ZERO; rows * units];
        if !bias.is_empty() {
            z.chunks_mut(units).for_each(|row| row.copy_from_slice(bias));
        }
        let x = Matrix::new(input, rows, inputs);
        product(x, Matrix::transposed(&parameters[range.weight], units, inputs), true, &mut z);
        let f = mlp.layers[index].activation;
        let layer = if index + 1 == mlp.layers.len() || f == Activation::Identity {
            Layer { y: z, z: None }
        } else if keep && f.saves() == Saved::Input {
            Layer { y: map(&z, |z| f.value(z)), z: Some(z) }
        } else {
            Layer { y: map(&z, |z| f.value(z)), z: None }
        };
        if !keep {
            layers.clear();
        }
        layers.push(layer);
    }
    Pass {
        #[cfg(test)]
        encoded,
        layers,
    }
}

/// Loss, gradient, and the gradient of the inputs where asked for: what the tiles' are compared with.
#[cfg(test)]
pub fn backward<T: Real>(
    mlp: &Mlp,
    training: &Training,
    parameters: &[T],
    x: &[T],
    t: &[T],
    pass: &Pass<T>,
    inputs_too: bool,
) -> (T, Vec<T>, Vec<T>) {
    let Pass { encoded, layers } = pass;
    let raw = x;
    let x = encoded.as_deref().unwrap_or(x);
    let tables = mlp.encoding_parameters();
    let rows = raw.len() / mlp.inputs;
    let mut gradient = vec![T::ZERO; parameters.len()];
    let mut delta = vec![T::ZERO; t.len()];
    let z = layers.last().map_or(x, |layer| &layer.y);
    let loss = loss_gradient(mlp, training, rows).detached_reference([z, z], [raw, t], &mut delta);
    for (index, range) in mlp.ranges().into_iter().enumerate().rev() {
        let [units, inputs] = range.shape;
        let below = if index == 0 { x } else { &layers[index - 1].y };
        let d = Matrix::transposed(&delta, rows, units);
        product(d, Matrix::new(below, rows, inputs), false, &mut gradient[range.weight.clone()]);
        let bias = &mut gradient[range.bias];
        for row in delta.chunks(units) {
            for (sum, d) in bias.iter_mut().zip(row) {
                *sum += *d;
            }
        }
        if index == 0 && !inputs_too && tables == 0 {
            break;
        }
        let mut next = vec![T::ZERO; rows * inputs];
        let w = Matrix::new(&parameters[range.weight], units, inputs);
        product(Matrix::new(&delta, rows, units), w, false, &mut next);
        if index > 0 {
            let f = mlp.layers[index - 1].activation;
            let saved = layers[index - 1].z.as_ref().unwrap_or(&layers[index - 1].y);
            for (d, saved) in next.iter_mut().zip(saved) {
                *d *= f.derivative(*saved);
            }
        }
        delta = next;
    }
    if encoded.is_some() && (inputs_too || tables > 0) {
        let of_tables = &mut gradient[..tables];
        delta = encoding::back_propagate(mlp, parameters, raw, &delta, of_tables);
    }
    (loss, gradient, if inputs_too { delta } else { Vec::new() })
}

/// Elements above which a function of each is worth several cores.
#[cfg(feature = "threads")]
const PARALLEL: usize = 1 << 14;

fn map<T: Real>(values: &[T], f: impl Fn(T) -> T + Send + Sync) -> Vec<T> {
    #[cfg(feature = "threads")]
    if values.len() >= PARALLEL {
        use rayon::prelude::*;
        return values.par_iter().with_min_len(PARALLEL / 4).map(|v| f(*v)).collect();
    }
    values.iter().map(|v| f(*v)).collect()
}

/// The loss of `training` behind the last layer of `mlp`, on a batch of one model.
pub fn loss_gradient(mlp: &Mlp, training: &Training, batch: usize) -> LossGradient {
    LossGradient {
        loss: training.loss,
        activation: mlp.last_activation(),
        models: 1,
        own_targets: false,
        batch,
        outputs: mlp.outputs(),
        inputs: mlp.inputs,
    }
}

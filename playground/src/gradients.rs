//! The article's three ways to a gradient, for the parameters of one layer: back-propagation is the
//! device's own, differences and the formula by hand are taken here in f64.

use crate::error::{Error, Result};
use crate::feature::Feature;
use std::ops::Range;
use wgrad::{Activation, Data, Mlp, Parameters};

/// The gradients of one layer's parameters, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The names of the parameters.
    pub names: Vec<String>,
    /// By back-propagation.
    pub backprop: Vec<f32>,
    /// By central differences.
    pub differences: Vec<f64>,
    /// By the formula, for networks of one hidden layer or none.
    pub by_hand: Option<Vec<f64>>,
    /// The largest deviation of the other ways from the differences, as a share of the largest
    /// element.
    pub largest_error: f64,
}

/// The most parameters of a layer whose differences are taken.
const MAX_DIFFERENCES: usize = 4096;

/// Compares the ways for layer `layer`; `backprop` is the gradient of all parameters.
///
/// # Errors
/// A layer that there is not, or of too many parameters.
pub fn compare(
    of: &Parameters,
    features: &[Feature],
    layer: usize,
    backprop: &[f32],
    data: &Data,
) -> Result<Comparison> {
    let mlp = of.mlp();
    let ranges = mlp.ranges();
    let Some(range) = ranges.get(layer) else {
        let layers = ranges.len();
        return Err(Error::new(format!(
            "layer {layer} is asked for; there are {layers}, from 0 on"
        )));
    };
    let range = range.weight.start..range.bias.end;
    if range.len() > MAX_DIFFERENCES {
        let found = range.len();
        return Err(Error::new(format!(
            "the layer has {found} parameters; differences are taken of {MAX_DIFFERENCES} or fewer"
        )));
    }
    let backprop = backprop[range.clone()].to_vec();
    let wide = |values: &[f32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let (mut values, rows) = (wide(of.values()), Rows { x: wide(data.x()), t: wide(data.t()) });
    let differences = differences(mlp, &mut values, range.clone(), &rows);
    let by_hand = by_hand(mlp, &values, &rows).map(|all| all[range].to_vec());
    let scale = differences.iter().fold(f64::MIN_POSITIVE, |most, d| most.max(d.abs()));
    let by_device = backprop.iter().map(|b| f64::from(*b));
    let others =
        by_device.zip(&differences).chain(by_hand.iter().flatten().copied().zip(&differences));
    let largest_error = others.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs() / scale));
    Ok(Comparison {
        names: names(mlp, features, layer),
        backprop,
        differences,
        by_hand,
        largest_error,
    })
}

/// The name of each parameter of a layer.
fn names(mlp: &Mlp, features: &[Feature], layer: usize) -> Vec<String> {
    let units = mlp.layers[layer].units;
    let is_last = layer + 1 == mlp.layers.len();
    let unit = |u: usize| if is_last { "output".to_owned() } else { format!("unit {}", u + 1) };
    let input = |i: usize| match features.get(i) {
        Some(feature) if layer == 0 => feature.name().to_owned(),
        _ => format!("unit {}", i + 1),
    };
    let inputs = mlp.layer_inputs(layer);
    let weights = (0..units).flat_map(|u| (0..inputs).map(move |i| (u, i)));
    let weights = weights.map(|(u, i)| format!("{} ← {}", unit(u), input(i)));
    weights.chain((0..units).map(|u| format!("{}, bias", unit(u)))).collect()
}

/// Half the mean squared error of a network with the parameters `values`.
fn loss(mlp: &Mlp, values: &[f64], rows: &Rows) -> f64 {
    let ranges = mlp.ranges();
    let mut squares = 0.0;
    for (x, t) in rows.x.chunks(mlp.inputs).zip(&rows.t) {
        let mut y = x.to_vec();
        for (layer, range) in mlp.layers.iter().zip(&ranges) {
            let weights = values[range.weight.clone()].chunks(y.len());
            let sums = weights.zip(&values[range.bias.clone()]).map(|(w, b)| dot(w, &y) + b);
            y = sums.map(|z| layer.activation.value(z)).collect();
        }
        squares += (y[0] - t).powi(2);
    }
    0.5 * squares / rows.t.len() as f64
}

/// Inputs and targets in f64.
struct Rows {
    x: Vec<f64>,
    t: Vec<f64>,
}

/// (L(w + h) − L(w − h)) / 2h for each parameter of a range.
fn differences(mlp: &Mlp, values: &mut [f64], range: Range<usize>, rows: &Rows) -> Vec<f64> {
    let difference = |index: usize| {
        let w = values[index];
        // Where the errors of rounding and of the formula are about the same.
        let h = f64::EPSILON.cbrt() * w.abs().max(1.0);
        let (up, down) = (w + h, w - h);
        let [above, below] = [up, down].map(|moved| {
            values[index] = moved;
            loss(mlp, values, rows)
        });
        values[index] = w;
        (above - below) / (up - down)
    };
    range.map(difference).collect()
}

/// The gradient of all parameters written out, for a network of one hidden layer or none.
///
/// With z = Σ v h + c, y = f(z) and h = g(Σ w x + b): ∂L/∂c is the mean of (y − t) f′(z), ∂L/∂v of
/// that times h, ∂L/∂b of (y − t) f′(z) v g′, and ∂L/∂w of that times x.
fn by_hand(mlp: &Mlp, values: &[f64], rows: &Rows) -> Option<Vec<f64>> {
    let ranges = mlp.ranges();
    let (hidden, last) = match &ranges[..] {
        [last] => (None, last),
        [hidden, last] => (Some((hidden, mlp.layers[0].activation)), last),
        _ => return None,
    };
    let f = mlp.last_activation();
    let [_, width] = last.shape;
    let (v, c) = (&values[last.weight.clone()], values[last.bias.start]);
    let mut sums = vec![0.0; values.len()];
    for (x, t) in rows.x.chunks(mlp.inputs).zip(&rows.t) {
        // The pre-activations of the hidden units.
        let z: Option<(Vec<f64>, Activation)> = hidden.map(|(range, g)| {
            let weights = values[range.weight.clone()].chunks(mlp.inputs);
            let sums = weights.zip(&values[range.bias.clone()]);
            (sums.map(|(w, b)| dot(w, x) + b).collect(), g)
        });
        let h = match &z {
            Some((z, g)) => z.iter().map(|z| g.value(*z)).collect(),
            None => x.to_vec(),
        };
        let z_last = dot(v, &h) + c;
        let delta = (f.value(z_last) - t) * f.derivative_at(z_last);
        sums[last.bias.start] += delta;
        for j in 0..width {
            sums[last.weight.start + j] += delta * h[j];
        }
        if let (Some((range, _)), Some((z, g))) = (hidden, &z) {
            for j in 0..width {
                let delta = delta * v[j] * g.derivative_at(z[j]);
                sums[range.bias.start + j] += delta;
                for (i, x) in x.iter().enumerate() {
                    sums[range.weight.start + j * mlp.inputs + i] += delta * x;
                }
            }
        }
    }
    Some(sums.into_iter().map(|sum| sum / rows.t.len() as f64).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

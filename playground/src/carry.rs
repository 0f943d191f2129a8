//! Carries what a network has learnt over to an edited one.
//!
//! Units, features and layers that both have keep their weights. A new unit takes part with weights of
//! 0 behind it, a new feature with weights of 0, and a new layer begins by passing on what comes in:
//! the outputs stay as they are, or nearly.

use crate::description::Description;
use crate::error::{Error, Result};
use crate::feature::{inputs, square};
use crate::random::Random;
use wgrad::{Activation, Parameters};

/// Where each hidden unit of the new network was before: layer and unit, or nowhere.
pub type Keep = Vec<Vec<Option<[usize; 2]>>>;

/// A layer while it is edited.
#[derive(Debug, Clone)]
struct Layer {
    activation: Activation,
    /// `[units][inputs]`.
    weights: Vec<Vec<f32>>,
    bias: Vec<f32>,
}

impl Layer {
    /// The values for the values of the layer before.
    fn values(&self, inputs: &[f32]) -> Vec<f32> {
        let sums = self.weights.iter().zip(&self.bias);
        let sum =
            |(w, b): (&Vec<f32>, &f32)| w.iter().zip(inputs).map(|(w, x)| w * x).sum::<f32>() + b;
        sums.map(|each| self.activation.value(sum(each))).collect()
    }
}

/// Where the units of one level of the new network were: the old level, and the unit of each.
struct Matched {
    old: usize,
    units: Vec<Option<usize>>,
}

/// The parameters of `to`'s network that go on from `old`'s. Models that `old` does not have are drawn.
///
/// # Errors
/// A `keep` of another network.
pub fn carry(
    from: &Description,
    old: &Parameters,
    to: &Description,
    keep: Option<&Keep>,
) -> Result<Parameters> {
    let mlp = to.mlp()?;
    let matched = match keep {
        Some(keep) => by_keep(from, to, keep)?,
        None => by_place(from, to),
    };
    let sampled = to.training(1)?.init.sample(&mlp, to.models, to.seed.into())?;
    let (p, mut values) = (mlp.parameters(), sampled.values().to_vec());
    let mut random = Random::new(u64::from(to.seed) ^ 0x63_6172_7279);
    let places: Vec<f32> = inputs(&to.features, square(GRID));
    let old_models = old.values().chunks(old.mlp().parameters());
    for (model, old_model) in values.chunks_mut(p).zip(old_models) {
        let mut layers =
            kept_layers(from, &unflattened(old, old_model), to, &matched, &mut random)?;
        for (place, _) in matched.iter().enumerate().filter(|(_, matched)| matched.is_none()) {
            insert(&mut layers, place, to, &places, &mut random)?;
        }
        let flat = layers.iter().flat_map(|l| l.weights.iter().flatten().chain(&l.bias));
        for (to, from) in model.iter_mut().zip(flat) {
            *to = *from;
        }
    }
    Ok(Parameters::new(mlp, to.models, values)?)
}

/// Points of a side of the square on which the range of a unit is looked at.
const GRID: usize = 16;

fn unflattened(of: &Parameters, values: &[f32]) -> Vec<Layer> {
    let layers = of.mlp().layers.iter().zip(of.mlp().ranges());
    layers
        .map(|(layer, range)| Layer {
            activation: layer.activation,
            weights: values[range.weight].chunks(range.shape[1]).map(<[f32]>::to_vec).collect(),
            bias: values[range.bias].to_vec(),
        })
        .collect()
}

/// Units stay where they are.
fn by_place(from: &Description, to: &Description) -> Vec<Option<Matched>> {
    let layers = to.layers.iter().enumerate();
    layers
        .map(|(old, layer)| {
            let before = from.layers.get(old)?.units;
            let units = (0..layer.units).map(|unit| (unit < before).then_some(unit)).collect();
            Some(Matched { old, units })
        })
        .collect()
}

fn by_keep(from: &Description, to: &Description, keep: &Keep) -> Result<Vec<Option<Matched>>> {
    if keep.len() != to.layers.len() {
        let (found, layers) = (keep.len(), to.layers.len());
        return Err(Error::new(format!(
            "what is kept has {found} layers; the network has {layers}"
        )));
    }
    let (mut matched, mut next) = (Vec::new(), 0);
    for (index, (units, layer)) in keep.iter().zip(&to.layers).enumerate() {
        if units.len() != layer.units {
            let (found, units) = (units.len(), layer.units);
            return Err(Error::new(format!(
                "what is kept has {found} units in layer {index}; the network has {units}"
            )));
        }
        for [layer, unit] in units.iter().flatten() {
            if from.layers.get(*layer).is_none_or(|before| *unit >= before.units) {
                return Err(Error::new(format!(
                    "there was no unit {unit} in hidden layer {layer}"
                )));
            }
        }
        // A layer goes on from one old layer, and layers keep their order.
        let old = units.iter().flatten().map(|[layer, _]| *layer).find(|layer| *layer >= next);
        matched.push(old.map(|old| {
            next = old + 1;
            let mut taken = Vec::new();
            let own = units.iter().map(|of| {
                let unit = of.filter(|[layer, _]| *layer == old).map(|[_, unit]| unit);
                unit.filter(|unit| {
                    let first = !taken.contains(unit);
                    taken.push(*unit);
                    first
                })
            });
            Matched { old, units: own.collect() }
        }));
    }
    Ok(matched)
}

/// A weight as it is drawn for a unit of `inputs` inputs.
fn drawn(random: &mut Random, inputs: usize) -> f32 {
    let bound = (3.0 / inputs as f64).sqrt();
    random.uniform(-bound, bound) as f32
}

/// The layers that both networks have, and the output.
fn kept_layers(
    from: &Description,
    old: &[Layer],
    to: &Description,
    matched: &[Option<Matched>],
    random: &mut Random,
) -> Result<Vec<Layer>> {
    let place = |feature| from.features.iter().position(|before| *before == feature);
    let mut below: Vec<Option<usize>> = to.features.iter().map(|feature| place(*feature)).collect();
    // The features are level 0, hidden layer i is level i + 1.
    let mut below_level = 0;
    let output = Some(Matched { old: from.layers.len(), units: vec![Some(0)] });
    let mlp = to.mlp()?;
    let mut layers = Vec::new();
    for (level, layer) in matched.iter().chain([&output]).zip(&mlp.layers) {
        let Some(Matched { old: index, units }) = level else { continue };
        let follows = below_level == *index && below.iter().any(Option::is_some);
        let weights = units.iter().map(|unit| {
            let weight = |input: &Option<usize>| match (unit, input) {
                (Some(unit), Some(input)) if follows => old[*index].weights[*unit][*input],
                (Some(_), None) if follows => 0.0,
                _ => drawn(random, below.len()),
            };
            below.iter().map(weight).collect()
        });
        let weights = weights.collect();
        let bias =
            units.iter().map(|unit| unit.map_or(0.0, |unit| old[*index].bias[unit])).collect();
        layers.push(Layer { activation: layer.activation, weights, bias });
        (below, below_level) = (units.clone(), index + 1);
    }
    Ok(layers)
}

/// Inserts a new layer at `place`, whose units pass on what comes in.
fn insert(
    layers: &mut Vec<Layer>,
    place: usize,
    to: &Description,
    places: &[f32],
    random: &mut Random,
) -> Result<()> {
    let (units, activation) = (to.layers[place].units, to.layers[place].function()?);
    let width = if place == 0 { to.features.len() } else { layers[place - 1].bias.len() };
    // The range of each unit below on the square.
    let mut ranges = vec![[f32::INFINITY, f32::NEG_INFINITY]; width];
    for point in places.chunks(to.features.len()) {
        let below = layers[..place].iter().fold(point.to_vec(), |x, layer| layer.values(&x));
        for ([low, high], value) in ranges.iter_mut().zip(below) {
            (*low, *high) = (low.min(value), high.max(value));
        }
    }
    // Points between these, and those at the edge, may be beyond.
    for [low, high] in &mut ranges {
        let margin = 0.25 * (*high - *low);
        (*low, *high) = (*low - margin, *high + margin);
    }
    let mut new = Layer { activation, weights: Vec::new(), bias: Vec::new() };
    // What a unit passes on is offset + slope · z.
    let mut passes = Vec::new();
    for unit in 0..units {
        let Some(range) = ranges.get(unit) else {
            new.weights.push((0..width).map(|_| drawn(random, width)).collect());
            new.bias.push(0.0);
            continue;
        };
        // A straight line through the middle of the range. There the activation has a slope, also
        // where a unit is dead.
        let [middle, half] = [(range[0] + range[1]) / 2.0, ((range[1] - range[0]) / 2.0).max(0.05)];
        let (weight, bias) = passing(activation, middle, half);
        new.weights
            .push((0..width).map(|input| if input == unit { weight } else { 0.0 }).collect());
        new.bias.push(bias);
        let sum = weight * middle + bias;
        let slope = weight * activation.derivative_at(sum);
        passes.push([activation.value(sum) - slope * middle, slope]);
    }
    if let Some(next) = layers.get_mut(place) {
        for (weights, bias) in next.weights.iter_mut().zip(&mut next.bias) {
            let before = std::mem::replace(weights, vec![0.0; units]);
            for ((weight, before), [offset, slope]) in weights.iter_mut().zip(before).zip(&passes) {
                *weight = before / slope;
                *bias -= *weight * offset;
            }
        }
    }
    layers.insert(place, new);
    Ok(())
}

/// The weight and the bias with which an activation is nearly a straight line for inputs around `middle`,
/// up to `half` away.
fn passing(activation: Activation, middle: f32, half: f32) -> (f32, f32) {
    let low = middle - half;
    let around = |largest: f32| (largest / half, -largest / half * middle);
    match activation {
        Activation::Identity => (1.0, 0.0),
        // Straight lines above 0.
        Activation::Relu | Activation::LeakyRelu => (1.0, -low),
        // Nearly straight lines well above 0.
        Activation::Gelu
        | Activation::Silu
        | Activation::Softplus
        | Activation::SharpSoftplus
        | Activation::Squareplus => (1.0, 6.0 - low),
        // Nearly straight lines around 0.
        Activation::Sigmoid => around(0.5),
        _ => around(0.25),
    }
}

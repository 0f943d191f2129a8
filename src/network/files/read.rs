//! The values of a network from a file's tensors, by a map; the crate's own names.

use crate::error::{Error, Result};
use crate::network::encoding::encoding_ranges;
use crate::network::files::PREFIX;
use crate::network::files::mapping::{ReadOptions, WeightMap};
use crate::network::files::weights::{Tensor, Weights};
use crate::network::{Encoding, Mlp, Parameters, check_models};
use crate::numeric::{Real, with_room};
use std::collections::HashSet;
use std::ops::Range;

/// A tensor of the crate's own files.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub name: String,
    /// Its elements among a model's parameters.
    pub range: Range<usize>,
    pub shape: Vec<usize>,
}

/// The tensors of one model under the crate's own names. An empty bias has none.
#[cfg(feature = "safetensors")]
pub(super) fn tensors_of(mlp: &Mlp) -> Vec<Named> {
    let mut tensors = tables_of(mlp);
    for (index, range) in mlp.ranges().into_iter().enumerate() {
        let units = vec![range.shape[0]];
        let name = format!("layers.{index}.weight");
        tensors.push(Named { name, range: range.weight, shape: range.shape.to_vec() });
        if !range.bias.is_empty() {
            let name = format!("layers.{index}.bias");
            tensors.push(Named { name, range: range.bias, shape: units });
        }
    }
    tensors
}

/// The grids' tables of one model under the crate's own names.
pub(super) fn tables_of(mlp: &Mlp) -> Vec<Named> {
    let ranges = encoding_ranges(mlp).into_iter().enumerate();
    let tables = ranges.filter_map(|(index, place)| match place.encoding {
        Encoding::Grid(grid) => {
            let features = (grid.features_per_level as usize).max(1);
            let shape = vec![place.tables.len() / features, features];
            Some(Named { name: format!("encoding.{index}.tables"), range: place.tables, shape })
        }
        _ => None,
    });
    tables.collect()
}

/// The box of each grid: a name for the metadata, and its corners.
pub(super) fn boxes_of(mlp: &Mlp) -> Vec<(String, String)> {
    let ranges = encoding_ranges(mlp).into_iter().enumerate();
    let grids = ranges.filter_map(|(index, place)| match place.encoding {
        Encoding::Grid(grid) => {
            let [lower, upper] =
                [grid.lower, grid.upper].map(|corner| corner[..place.inputs.len()].to_vec());
            Some((format!("encoding.{index}.box"), format!("{lower:?} to {upper:?}")))
        }
        _ => None,
    });
    grids.collect()
}

/// The map of a file in the crate's own names, if each layer's weight is there under its name.
pub(super) fn own_map(
    weights: &Weights<'_>,
    mlp: &Mlp,
    options: &ReadOptions,
) -> Option<Result<WeightMap>> {
    let weight = |index: usize| weights.tensor(&format!("layers.{index}.weight"));
    if !(0..mlp.layers.len()).all(|index| weight(index).is_some()) {
        return None;
    }
    let mut map = WeightMap::new().options(*options);
    map.tables = tables_of(mlp).into_iter().map(|table| table.name).collect();
    for (index, range) in mlp.ranges().into_iter().enumerate() {
        let bias = format!("layers.{index}.bias");
        let has = !range.bias.is_empty();
        if has && weights.tensor(&bias).is_none() && !options.zero_biases {
            return Some(Err(no_bias(weights, &bias)));
        }
        if !has && weights.tensor(&bias).is_some() {
            let problem = format!("is a bias, but layer {index} of the network has none");
            return Some(Err(weights.error(&bias, problem)));
        }
        let bias = weights.tensor(&bias).map(Tensor::name);
        map = map.layer(&format!("layers.{index}.weight"), bias);
        if let (Some(layer), Some(tensor)) = (map.layers.last_mut(), weight(index)) {
            layer.shape = tensor.shape.clone();
        }
    }
    map.left_out = extras(weights, &map).map(|tensor| tensor.name.clone()).collect();
    Some(Ok(map))
}

/// The error of a layer whose bias `name` no tensor holds.
pub(super) fn no_bias(weights: &Weights<'_>, name: &str) -> Error {
    weights.error(name, "missing from the file; `ReadOptions::zero_biases` would take zeros")
}

/// The tensors that no name of the map stands for.
pub(super) fn extras<'w>(
    weights: &'w Weights<'_>,
    map: &WeightMap,
) -> impl Iterator<Item = &'w Tensor> + use<'w> {
    let named: HashSet<String> = map.names().map(str::to_owned).collect();
    // A checkpoint holds a training beside its network.
    let prefix = weights.metadata("wgrad").map(|_| PREFIX);
    weights.tensors().filter(move |tensor| {
        let of_training = prefix.is_some_and(|prefix| tensor.name.starts_with(prefix));
        !named.contains(&tensor.name) && !of_training
    })
}

/// Checks that the file holds no tensors but those of the map, or that its options allow them.
pub(super) fn check_extras(weights: &Weights<'_>, mlp: &Mlp, map: &WeightMap) -> Result<()> {
    if map.options.extra_tensors {
        return Ok(());
    }
    let extra: Vec<&str> = extras(weights, map).map(Tensor::name).collect();
    let Some(first) = extra.first() else { return Ok(()) };
    let others = match extra.len() - 1 {
        0 => String::new(),
        others => format!(", nor are {others} others"),
    };
    let problem = format!(
        "not a tensor of the network {mlp}{others}; `ReadOptions::extra_tensors` would leave it out"
    );
    Err(weights.error(first, problem))
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|side| *side != 1).collect()
}

/// The tensor `name`, checked to be numbers in `shape`.
fn find<'w>(
    weights: &'w Weights<'_>,
    name: &str,
    shape: &[usize],
    options: ReadOptions,
) -> Result<&'w Tensor> {
    let missing = || weights.error(name, "missing from the file");
    let tensor = weights.tensor(name).ok_or_else(missing)?;
    let alike = squeezed(&tensor.shape) == squeezed(shape);
    if tensor.shape != shape && !(alike && options.squeeze) {
        let hint = if alike { "; `ReadOptions::squeeze` would read it" } else { "" };
        let problem = format!("has the shape {:?}, not {shape:?}{hint}", tensor.shape);
        return Err(weights.error(name, problem));
    }
    weights.floats(tensor)?;
    Ok(tensor)
}

/// A tensor, its elements among a model's parameters, and a transposed weight's shape.
type Part<'w> = (&'w Tensor, Range<usize>, Option<[usize; 2]>);

/// See [`Weights::read`].
pub(super) fn read<T: Real>(
    weights: &Weights<'_>,
    mlp: &Mlp,
    models: usize,
    map: &WeightMap,
) -> Result<Parameters<T>> {
    mlp.check()?;
    check_models(mlp, models)?;
    for (name, own) in boxes_of(mlp) {
        if let Some(found) = weights.metadata(&name).filter(|found| *found != own) {
            return Err(weights.error(&name, format!("is {found}, but the network's is {own}")));
        }
    }
    if map.layers.len() != mlp.layers.len() {
        let found = map.layers.len();
        return Err(Error::argument(
            "the number of layers of the map",
            found,
            mlp.layers.len().to_string(),
        ));
    }
    let tables = tables_of(mlp);
    if map.tables.len() != tables.len() {
        let found = map.tables.len();
        return Err(Error::argument(
            "the number of grids of the map",
            found,
            tables.len().to_string(),
        ));
    }
    // All shapes first: what is allocated then has the size of the file's own data.
    let of_models = |shape: &[usize]| match models {
        1 => shape.to_vec(),
        _ => [&[models], shape].concat(),
    };
    let mut parts: Vec<Part<'_>> = Vec::new();
    for (name, table) in map.tables.iter().zip(tables) {
        let tensor = find(weights, name, &of_models(&table.shape), map.options)?;
        parts.push((tensor, table.range, None));
    }
    for (index, (layer, range)) in map.layers.iter().zip(mlp.ranges()).enumerate() {
        let [units, inputs] = range.shape;
        let shape = if layer.transposed { [inputs, units] } else { [units, inputs] };
        let tensor = find(weights, &layer.weight, &of_models(&shape), map.options)?;
        parts.push((tensor, range.weight, layer.transposed.then_some(range.shape)));
        match &layer.bias {
            Some(name) if range.bias.is_empty() => {
                let problem = format!("is a bias, but layer {index} of the network has none");
                return Err(weights.error(name, problem));
            }
            Some(name) => {
                let tensor = find(weights, name, &of_models(&[units]), map.options)?;
                parts.push((tensor, range.bias, None));
            }
            None => {}
        }
    }
    check_extras(weights, mlp, map)?;
    let p = mlp.parameters();
    let mut values = with_room("the parameters", models.saturating_mul(p))?;
    values.resize(models * p, T::ZERO);
    for (tensor, range, transposed) in parts {
        let length = range.len();
        // The place in the file of a model's element, row by row of the network's own order.
        let source = |model: usize, element: usize| {
            let place = transposed
                .map_or(element, |[units, inputs]| (element % inputs) * units + element / inputs);
            model * length + place
        };
        let places = values.chunks_mut(p).enumerate().flat_map(|(model, values)| {
            let own = &mut values[range.clone()];
            own.iter_mut().enumerate().map(move |(element, to)| (source(model, element), to))
        });
        weights.copy(tensor, places)?;
    }
    Parameters::new(mlp.clone(), models, values)
}

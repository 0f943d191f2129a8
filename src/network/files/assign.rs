//! Finds which tensors of a file are which layer's, by their names and shapes.

use crate::error::{Error, Result};
use crate::network::files::mapping::{LayerMap, ReadOptions, WeightMap};
use crate::network::files::names::{Place, Role, natural, parse};
use crate::network::files::read::{check_extras, extras, no_bias, own_map, tables_of};
use crate::network::files::weights::{Tensor, Weights};
use crate::network::{LayerRange, Mlp};
use std::collections::{BTreeMap, HashSet};

/// A tensor that may be a layer's weight.
struct Candidate<'w> {
    tensor: &'w Tensor,
    /// How projects store what has such a name: see [`Role::Weight`].
    transposed: Option<bool>,
    bias: Option<&'w Tensor>,
}

/// The tensors of one row of layers, such as `net.0`, `net.2`, `net.4`, in their order.
type Row<'w> = Vec<Candidate<'w>>;

/// A layer's weight: a row, and the place in it.
type Choice = Vec<(usize, usize)>;

/// How weights are taken to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    /// Names mean the opposite of what they should.
    flipped: bool,
    /// What a name that says nothing means.
    unsaid: bool,
}

impl Order {
    fn transposed(self, candidate: &Candidate<'_>) -> bool {
        candidate.transposed.map_or(self.unsaid, |by_name| by_name != self.flipped)
    }
}

/// See [`Weights::map`].
pub(super) fn find(weights: &Weights<'_>, mlp: &Mlp, options: &ReadOptions) -> Result<WeightMap> {
    if let Some(own) = own_map(weights, mlp, options) {
        let map = own?;
        check_rows(weights, mlp, &map)?;
        check_extras(weights, mlp, &map)?;
        return Ok(map);
    }
    Search { weights, mlp, options: *options, ranges: mlp.ranges() }.map()
}

/// Checks that no layer is left out of a row of which others are taken: a normalisation between
/// them, or one more at the end. No option allows that, since the outputs would be others.
fn check_rows(weights: &Weights<'_>, mlp: &Mlp, map: &WeightMap) -> Result<()> {
    let words = |name: &str| parse(name).map(|(_, place)| place.words);
    let rows: HashSet<_> = map.layers.iter().filter_map(|layer| words(&layer.weight)).collect();
    let of_row = |tensor: &&Tensor| words(&tensor.name).is_some_and(|row| rows.contains(&row));
    let Some(tensor) = extras(weights, map).find(of_row) else { return Ok(()) };
    let problem = format!(
        "not a tensor of the network {mlp}, but its name stands among those of the layers: the \
         file's network has another layer. A `weights::WeightMap` can leave it out"
    );
    Err(weights.error(&tensor.name, problem))
}

struct Search<'w> {
    weights: &'w Weights<'w>,
    mlp: &'w Mlp,
    options: ReadOptions,
    ranges: Vec<LayerRange>,
}

impl<'w> Search<'w> {
    fn map(&self) -> Result<WeightMap> {
        let mut map = WeightMap::new().options(self.options);
        map.tables = tables_of(self.mlp).into_iter().map(|table| table.name).collect();
        if let Some(name) = map.tables.iter().find(|name| self.weights.tensor(name).is_none()) {
            return Err(self.weights.error(name, "missing from the file"));
        }
        let (rows, lone) = self.rows(&map.tables)?;
        let (order, choice) = self.choose(&rows)?;
        for (index, ((row, place), range)) in choice.iter().zip(&self.ranges).enumerate() {
            let candidate = &rows[*row][*place];
            let [units, inputs] = range.shape;
            let name = &candidate.tensor.name;
            let transposed = if units == 1 || inputs == 1 {
                candidate.tensor.shape != range.shape && candidate.tensor.shape == [inputs, units]
            } else {
                order.transposed(candidate)
            };
            if units == inputs && units > 1 && (order.flipped || candidate.transposed.is_none()) {
                let why = format!("{name} is square: nothing says whether it is transposed");
                return Err(self.doubt(&why));
            }
            let bias = match candidate.bias {
                Some(bias) if range.bias.is_empty() => {
                    let problem = format!("is a bias, but layer {index} of the network has none");
                    return Err(self.weights.error(&bias.name, problem));
                }
                Some(bias) => Some(bias.name.clone()),
                None if range.bias.is_empty() => None,
                None => match lone.first() {
                    Some(bias) => {
                        let why = format!("{name} has no bias beside it, {} no weight", bias.name);
                        return Err(self.doubt(&why));
                    }
                    None if self.options.zero_biases => None,
                    None => return Err(no_bias(self.weights, &format!("the bias of {name}"))),
                },
            };
            let shape = candidate.tensor.shape.clone();
            map.layers.push(LayerMap { weight: name.clone(), bias, transposed, shape });
        }
        check_rows(self.weights, self.mlp, &map)?;
        check_extras(self.weights, self.mlp, &map)?;
        map.left_out = extras(self.weights, &map).map(|tensor| tensor.name.clone()).collect();
        Ok(map)
    }

    /// The file's weights in rows, each with its bias, and the biases without a weight.
    fn rows(&self, tables: &[String]) -> Result<(Vec<Row<'w>>, Vec<&'w Tensor>)> {
        let known = |tensor: &&Tensor| tensor.is_float() && !tables.contains(&tensor.name);
        let mut weights: BTreeMap<Place, (&Tensor, Option<bool>)> = BTreeMap::new();
        let mut biases: BTreeMap<Place, &Tensor> = BTreeMap::new();
        for tensor in self.weights.tensors().filter(known) {
            let before = match parse(&tensor.name) {
                Some((Role::Bias, place)) => biases.insert(place, tensor),
                Some((Role::Weight(transposed), place)) if self.may_be_weight(tensor) => {
                    weights.insert(place, (tensor, transposed)).map(|(tensor, _)| tensor)
                }
                _ => None,
            };
            if let Some(before) = before {
                let why = format!("{} and {} may be the same layer's", before.name, tensor.name);
                return Err(self.doubt(&why));
            }
        }
        let mut rows: BTreeMap<Vec<String>, Row<'w>> = BTreeMap::new();
        if weights.is_empty() && biases.is_empty() {
            // Names that say nothing: a weight, then its bias, in the order of the names.
            let mut tensors: Vec<&Tensor> = self.weights.tensors().filter(known).collect();
            tensors.sort_by_cached_key(|tensor| natural(&tensor.name));
            for tensor in tensors {
                let row = rows.entry(Place::of(natural(&tensor.name)).words).or_default();
                match (tensor.shape.len(), row.last_mut()) {
                    (2, _) => row.push(Candidate { tensor, transposed: None, bias: None }),
                    (1, Some(last)) if last.bias.is_none() => last.bias = Some(tensor),
                    _ => {}
                }
            }
        }
        for (place, (tensor, transposed)) in weights {
            let bias = biases.remove(&place);
            rows.entry(place.words).or_default().push(Candidate { tensor, transposed, bias });
        }
        rows.retain(|_, row| !row.is_empty());
        Ok((rows.into_values().collect(), biases.into_values().collect()))
    }

    fn may_be_weight(&self, tensor: &Tensor) -> bool {
        tensor.shape.len() == 2 || self.options.squeeze
    }

    /// The one choice of weights for all layers, and how they are stored.
    fn choose(&self, rows: &[Row<'w>]) -> Result<(Order, Choice)> {
        let (found, layers) = (rows.iter().map(Vec::len).sum::<usize>(), self.ranges.len());
        if found < layers {
            let why = format!(
                "the file has {found} weights by name and shape, the network {layers} layers"
            );
            return Err(self.doubt(&why));
        }
        let unsaid = rows.iter().flatten().any(|candidate| candidate.transposed.is_none());
        for flipped in [false, true] {
            let mut fitting: Vec<(Order, Choice)> = Vec::new();
            for unsaid in [false, true].into_iter().take(if unsaid { 2 } else { 1 }) {
                let order = Order { flipped, unsaid };
                let choices = self.choices(rows, order)?;
                fitting.extend(choices.into_iter().map(|choice| (order, choice)));
            }
            if let [_, _, ..] = fitting[..] {
                let names = fitting.iter().take(2).map(|(_, choice)| {
                    let names = choice.iter().map(|(row, place)| &*rows[*row][*place].tensor.name);
                    names.collect::<Vec<_>>().join(", ")
                });
                let names: Vec<String> = names.collect();
                let why = match names[0] == names[1] {
                    true => format!("{} fit as they are and transposed", names[0]),
                    false => format!("{} fit, and so do {}", names[0], names[1]),
                };
                return Err(self.doubt(&why));
            }
            if let Some(only) = fitting.pop() {
                return Ok(only);
            }
        }
        let shapes: Vec<String> =
            self.ranges.iter().take(60).map(|range| format!("{:?}", range.shape)).collect();
        let why = match found == layers {
            true => format!("the network's weights are {}", shapes.join(", ")),
            false => {
                format!("the file has {found} weights, the network {layers}: {}", shapes.join(", "))
            }
        };
        Err(self.doubt(&why))
    }

    fn fits(&self, candidate: &Candidate<'_>, layer: usize, order: Order) -> bool {
        let [units, inputs] = self.ranges[layer].shape;
        let shape = if order.transposed(candidate) { [inputs, units] } else { [units, inputs] };
        let of = |shape: &[usize]| shape.iter().copied().filter(|n| *n != 1).collect::<Vec<_>>();
        let found = &candidate.tensor.shape;
        *found == shape || (self.options.squeeze && of(found) == of(&shape))
    }

    /// The choices that fit, at most two: a row by itself first, then rows in any order. A row is
    /// taken whole or not at all, each weight after the one before it.
    fn choices(&self, rows: &[Row<'w>], order: Order) -> Result<Vec<Choice>> {
        let layers = self.ranges.len();
        let whole = rows.iter().enumerate().filter(|(_, row)| {
            let fits = |(layer, candidate)| self.fits(candidate, layer, order);
            row.len() == layers && row.iter().enumerate().all(fits)
        });
        let whole: Vec<Choice> =
            whole.map(|(row, _)| (0..layers).map(|place| (row, place)).collect()).take(2).collect();
        if !whole.is_empty() {
            return Ok(whole);
        }
        let (mut found, mut used) = (Vec::new(), vec![0_usize; rows.len()]);
        let mut chosen: Choice = Vec::new();
        // The row to try next for each layer that has one, and for the first that has none.
        let mut next = vec![0_usize];
        for _ in 0..200_000 {
            let Some(first) = next.pop() else { return Ok(found) };
            let layer = next.len();
            if chosen.len() > layer
                && let Some((row, _)) = chosen.pop()
            {
                used[row] -= 1;
            }
            let fits = |row: &usize| {
                let candidate = rows[*row].get(used[*row]);
                candidate.is_some_and(|candidate| self.fits(candidate, layer, order))
            };
            let Some(row) = (first..rows.len()).find(fits) else { continue };
            next.push(row + 1);
            chosen.push((row, used[row]));
            used[row] += 1;
            if chosen.len() < layers {
                next.push(0);
            } else if rows.iter().zip(&used).all(|(row, used)| *used == 0 || *used == row.len()) {
                found.push(chosen.clone());
                if found.len() == 2 {
                    return Ok(found);
                }
            }
        }
        Err(self.doubt("there are too many ways to try"))
    }

    /// The error where more than one assignment is possible, or none.
    fn doubt(&self, why: &str) -> Error {
        let problem = format!(
            "no assignment of its tensors to the layers of {} is certain: {why}. Give a \
             `weights::WeightMap` that names each layer's tensors. The file holds:\n{}",
            self.mlp,
            self.weights.list()
        );
        Error::file(&self.weights.origin, problem)
    }
}

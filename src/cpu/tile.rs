//! A network's forward and backward pass over a tile of rows, which stays in the cache.

use super::functions::{Outputs, activate, derive};
use super::passes::loss_gradient;
use crate::network::encoding::Encoder;
use crate::network::{Activation, LayerRange, Mlp, Saved};
use crate::numeric::Real;
use crate::numeric::tile::{Product, Start, add_lines, add_products, transpose};
use crate::numeric::vector::Aligned;
use crate::training::loss::Argument;
use crate::training::{Loss, Training};
use fearless_simd::Simd;

/// Bytes of the values of a tile, where it has many rows.
const TILE: usize = 48 << 10;
/// The fewest and the most rows of a tile.
const ROWS: [usize; 2] = [64, 512];
/// The most chunks of a batch: each has a gradient of its own.
const CHUNKS: usize = 32;
/// The most elements of those gradients, where there are more than four.
const GRADIENTS: usize = 1 << 22;

/// What is computed for a batch, and how it is cut. All follows from the network and the batch, and
/// nothing from the machine: the bits do not depend on the number of threads.
#[derive(Debug, Clone)]
pub struct Network {
    pub mlp: Mlp,
    pub training: Training,
    pub ranges: Vec<LayerRange>,
    pub encoder: Option<Encoder>,
    /// Elements of the encodings' tables.
    pub tables: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// Rows of a tile.
    pub rows: usize,
    /// Rows of a chunk: some tiles, one after another, with one gradient.
    pub chunk: usize,
}

/// The rows of a batch of one model.
#[derive(Clone, Copy)]
pub struct Source<'a, T> {
    /// `[rows, inputs]`.
    pub x: &'a [T],
    /// `[rows, outputs]`; none where there is only a forward pass.
    pub t: &'a [T],
    /// The batch's rows among those; none where it is all of them.
    pub order: Option<&'a [u32]>,
    /// Inputs and targets as tiles, where they never change.
    pub tiles: Option<[&'a [T]; 2]>,
}

impl<'a, T: Real> Source<'a, T> {
    fn row(&self, row: usize, width: usize, values: &'a [T]) -> &'a [T] {
        let row = self.order.map_or(row, |order| order[row] as usize);
        &values[row * width..(row + 1) * width]
    }
}

/// A tile's rows.
#[derive(Clone, Copy)]
struct Rows {
    first: usize,
    count: usize,
    /// The count, padded to whole lines of the cache.
    stride: usize,
}

/// The memory of a thread: the values of a tile.
#[derive(Debug, Clone)]
pub struct Scratch<T> {
    x: Aligned<T>,
    /// The first layer's inputs, a row's side by side.
    x_rows: Aligned<T>,
    t: Aligned<T>,
    layers: Vec<LayerValues<T>>,
    delta: [Aligned<T>; 2],
    /// Values of a tile, a row's side by side.
    side: Aligned<T>,
    /// A chunk's gradient.
    pub gradient: Aligned<T>,
}

#[derive(Debug, Clone)]
struct LayerValues<T> {
    /// The activations; of the last layer the loss's arguments.
    y: Aligned<T>,
    /// The pre-activations, where the derivative needs them.
    z: Aligned<T>,
    /// The activations, a row's side by side, where the next layer is wide.
    y_rows: Aligned<T>,
    /// The weights, an input's side by side, for the gradient of the inputs.
    transposed: Aligned<T>,
}

const fn padded<T: Real>(count: usize) -> usize {
    count.next_multiple_of(Aligned::<T>::LINE)
}

/// Whether a layer has so many inputs that its weights' gradient is summed over rows in vectors of inputs.
const fn is_wide<T: Real>(inputs: usize) -> bool {
    inputs >= Aligned::<T>::LINE
}

impl Network {
    /// Cuts `batch` rows.
    pub fn new<T: Real>(mlp: &Mlp, training: &Training, batch: usize) -> Self {
        let layers = mlp.layers.iter().map(|layer| layer.units);
        let values = layers.clone().sum::<usize>() * 2 + mlp.layer_inputs(0) + mlp.outputs();
        let most = (TILE / (values * size_of::<T>())).clamp(ROWS[0], ROWS[1]);
        let rows = (most / 16 * 16).min(padded::<T>(batch));
        let (tables, parameters) = (mlp.encoding_parameters(), mlp.parameters());
        let chunks = (GRADIENTS / (parameters - tables).max(1)).clamp(4, CHUNKS);
        Self {
            mlp: mlp.clone(),
            training: training.clone(),
            ranges: mlp.ranges(),
            encoder: (!mlp.encoding.is_empty()).then(|| Encoder::new(mlp)),
            tables,
            batch,
            rows,
            chunk: batch.div_ceil(rows).div_ceil(chunks) * rows,
        }
    }

    /// Elements of the layers' gradient.
    pub fn weights(&self) -> usize {
        self.ranges.last().map_or(0, |range| range.bias.end) - self.tables
    }

    pub fn chunks(&self) -> usize {
        self.batch.div_ceil(self.chunk)
    }

    /// Memory for a thread; without the backward pass's where there is none.
    pub fn scratch<T: Real>(&self, backward: bool) -> Scratch<T> {
        let tile = |units: usize| Aligned::zeros(units * self.rows);
        let lines = |units: usize| Aligned::zeros(padded::<T>(units) * self.rows);
        let none = Aligned::zeros(0);
        let needs = |index: usize| backward && (index > 0 || self.tables > 0);
        let layers = self.mlp.layers.iter().enumerate().map(|(index, layer)| {
            let last = index + 1 == self.mlp.layers.len();
            LayerValues {
                y: tile(layer.units),
                z: if layer.activation.saves() == Saved::Input && backward {
                    tile(layer.units)
                } else {
                    none.clone()
                },
                y_rows: if is_wide::<T>(layer.units) && backward && !last {
                    lines(layer.units)
                } else {
                    none.clone()
                },
                transposed: if needs(index) {
                    Aligned::zeros(padded::<T>(layer.units) * self.mlp.layer_inputs(index))
                } else {
                    none.clone()
                },
            }
        });
        let widest = self.mlp.widest();
        Scratch {
            x: tile(self.mlp.layer_inputs(0)),
            x_rows: lines(self.mlp.layer_inputs(0)),
            t: if backward { tile(self.mlp.outputs()) } else { none.clone() },
            layers: layers.collect(),
            delta: if backward {
                [tile(widest), tile(widest)]
            } else {
                [none.clone(), none.clone()]
            },
            side: lines(widest.max(self.mlp.inputs)),
            gradient: if backward { Aligned::zeros(self.weights()) } else { none.clone() },
        }
    }

    fn tiles<T: Real>(&self, first: usize, end: usize) -> impl Iterator<Item = Rows> {
        (first..end).step_by(self.rows).map(move |first| {
            let count = self.rows.min(end - first);
            Rows { first, count, stride: padded::<T>(count) }
        })
    }

    /// All rows of `values` `[rows, width]` as tiles, padded by copies of the last row: what they
    /// overflow to, it does too.
    pub fn tiled<T: Real>(&self, values: &[T], width: usize) -> Aligned<T> {
        let mut all = Aligned::zeros(padded::<T>(self.batch) * width);
        for Rows { first, count, stride } in self.tiles::<T>(0, self.batch) {
            let tile = &mut all[first * width..];
            for row in 0..stride {
                let from = &values[(first + row.min(count - 1)) * width..][..width];
                for (unit, value) in from.iter().enumerate() {
                    tile[unit * stride + row] = *value;
                }
            }
        }
        all
    }

    /// Loss of a chunk, whose gradient replaces `gradient`. Where there is room for them, `deltas`
    /// become the gradients of the first layer's inputs, `[rows, width]`.
    pub fn chunk<T: Real, S: Simd>(
        &self,
        simd: S,
        chunk: usize,
        parameters: &[T],
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
        [gradient, deltas]: [&mut [T]; 2],
    ) -> T {
        let first = chunk * self.chunk;
        let width = self.mlp.layer_inputs(0);
        for (index, range) in self.ranges.iter().enumerate() {
            let ([units, inputs], to) = (range.shape, &mut scratch.layers[index].transposed);
            if index == 0 && deltas.is_empty() {
                continue;
            }
            if to.is_empty() {
                // Only a call for the gradient of the inputs needs that of the first layer.
                *to = Aligned::zeros(padded::<T>(units) * inputs);
            }
            let from = (&parameters[range.weight.clone()], inputs);
            transpose(simd, [units, inputs], from, (to, padded::<T>(units)));
        }
        let mut loss = T::ZERO;
        for rows in self.tiles::<T>(first, (first + self.chunk).min(self.batch)) {
            let is_first = rows.first == first;
            self.forward(simd, rows, parameters, source, scratch, true);
            let at = (rows.first - first) * width;
            let deltas =
                if deltas.is_empty() { &mut [] } else { &mut deltas[at..at + rows.count * width] };
            loss += self.backward(simd, (rows, is_first), source, scratch, gradient, deltas);
        }
        loss
    }

    /// The outputs `[rows, outputs]` of the chunk's rows.
    pub fn predict<T: Real, S: Simd>(
        &self,
        simd: S,
        chunk: usize,
        parameters: &[T],
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
        outputs: &mut [T],
    ) {
        let (first, width) = (chunk * self.chunk, self.mlp.outputs());
        for rows in self.tiles::<T>(first, (first + self.chunk).min(self.batch)) {
            self.forward(simd, rows, parameters, source, scratch, false);
            let Some(last) = scratch.layers.last_mut() else { continue };
            let y = &mut last.y[..width * rows.stride];
            activate(simd, self.mlp.last_activation(), y);
            let to = &mut outputs[(rows.first - first) * width..][..rows.count * width];
            narrow_rows(y, rows, width, to);
        }
    }

    /// Fills the tile's inputs.
    fn load<T: Real, S: Simd>(
        &self,
        simd: S,
        rows: Rows,
        parameters: &[T],
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
    ) {
        let (inputs, width) = (self.mlp.inputs, self.mlp.layer_inputs(0));
        let row_of =
            |row: usize| source.row(rows.first + row.min(rows.count - 1), inputs, source.x);
        let line = padded::<T>(width);
        let tiled = source.tiles.is_some() && self.encoder.is_none();
        if !tiled || is_wide::<T>(width) {
            let to = &mut scratch.x_rows[..line * rows.stride];
            match &self.encoder {
                Some(encoder) => {
                    // Rows lie far from each other. So they are waited for together.
                    let held = &mut scratch.side[..inputs * rows.stride];
                    for (row, to) in held.chunks_exact_mut(inputs).enumerate() {
                        to.copy_from_slice(row_of(row));
                    }
                    let row_of = |row: usize| &held[row * inputs..][..inputs];
                    to.fill(T::ZERO);
                    // The processor's own instructions, of one number each.
                    simd.vectorize(
                        #[inline(always)]
                        || encoder.rows(parameters, row_of, (to, line)),
                    );
                }
                None => {
                    for (row, to) in to.chunks_exact_mut(line).enumerate() {
                        to[..width].copy_from_slice(row_of(row));
                    }
                }
            }
        }
        if !tiled {
            let from = (&scratch.x_rows[..], line);
            transpose(simd, [rows.stride, width], from, (&mut scratch.x, rows.stride));
        }
    }

    /// The forward pass of a tile, up to the last pre-activations.
    fn forward<T: Real, S: Simd>(
        &self,
        simd: S,
        rows: Rows,
        parameters: &[T],
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
        keep: bool,
    ) {
        self.load(simd, rows, parameters, source, scratch);
        let Rows { first, stride, .. } = rows;
        for (index, range) in self.ranges.iter().enumerate() {
            let [units, inputs] = range.shape;
            let (below, layer) = scratch.layers.split_at_mut(index);
            let input = match (below.last(), source.tiles) {
                (Some(below), _) => &below.y[..],
                (None, Some([x, _])) if self.encoder.is_none() => &x[first * inputs..],
                _ => &scratch.x[..],
            };
            let y = &mut layer[0].y[..units * stride];
            let product = Product {
                m: units,
                k: inputs,
                columns: stride,
                a: &parameters[range.weight.clone()],
                a_row: inputs,
                b: input,
                b_row: stride,
                c_row: stride,
            };
            let bias = &parameters[range.bias.clone()];
            product.run(simd, if bias.is_empty() { Start::Zero } else { Start::Bias(bias) }, y);
            if index + 1 == self.ranges.len() {
                continue;
            }
            if !layer[0].z.is_empty() {
                layer[0].z[..units * stride].copy_from_slice(y);
            }
            activate(simd, self.mlp.layers[index].activation, y);
            if keep && !layer[0].y_rows.is_empty() {
                let to = (&mut layer[0].y_rows[..], padded::<T>(units));
                transpose(simd, [units, stride], (y, stride), to);
            }
        }
    }

    /// The loss of a tile and the gradient of its last pre-activations, in `scratch.delta[0]`.
    fn lose<T: Real, S: Simd>(
        &self,
        simd: S,
        rows: Rows,
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
    ) -> T {
        let Rows { first, count, stride } = rows;
        let (loss, outputs) = (self.training.loss, self.mlp.outputs());
        let Scratch { layers, delta, t, side, .. } = scratch;
        let Some(last) = layers.last_mut() else { return T::ZERO };
        let (y, delta) = (&mut last.y[..outputs * stride], &mut delta[0][..outputs * stride]);
        let target = |row: usize| source.row(first + row, outputs, source.t);
        if let Loss::Custom(_) = loss {
            return self.custom(simd, rows, source, [y, side, delta]);
        }
        let targets = match source.tiles {
            Some([_, t]) => &t[first * outputs..][..outputs * stride],
            None => {
                for row in 0..stride {
                    for (unit, value) in target(row.min(count - 1)).iter().enumerate() {
                        t[unit * stride + row] = *value;
                    }
                }
                &t[..outputs * stride]
            }
        };
        let f = match loss.argument() {
            Argument::Output => self.mlp.last_activation(),
            Argument::Logit(_) => Activation::Identity,
        };
        if f.saves() == Saved::Input {
            last.z[..outputs * stride].copy_from_slice(y);
        }
        activate(simd, f, y);
        let scale = T::of(loss.scale(self.batch, outputs));
        let tile = Outputs { stride, rows: count, scale, arguments: y, targets };
        let value = tile.loss(simd, loss, delta).unwrap_or(T::ZERO);
        derive(simd, f, delta, if f.saves() == Saved::Input { &last.z } else { y });
        value
    }

    /// [`Network::lose`] for a custom loss, row by row, by the loss's reference.
    fn custom<T: Real, S: Simd>(
        &self,
        simd: S,
        rows: Rows,
        source: &Source<'_, T>,
        [z, side, delta]: [&mut [T]; 3],
    ) -> T {
        let Rows { first, count, stride } = rows;
        let (inputs, outputs) = (self.mlp.inputs, self.mlp.outputs());
        let reference = loss_gradient(&self.mlp, &self.training, self.batch);
        let line = padded::<T>(outputs);
        transpose(simd, [outputs, stride], (z, stride), (side, line));
        delta.fill(T::ZERO);
        let (mut sum, mut slope) = (T::ZERO, vec![T::ZERO; outputs]);
        for (row, z) in side.chunks_exact(line).take(count).enumerate() {
            let x = source.row(first + row, inputs, source.x);
            let t = source.row(first + row, outputs, source.t);
            let z = &z[..outputs];
            sum += reference.detached_reference([z, z], [x, t], &mut slope);
            for (unit, slope) in slope.iter().enumerate() {
                delta[unit * stride + row] = *slope;
            }
        }
        sum
    }

    /// The backward pass of a tile. Its gradient replaces that of the tiles before where it is the first.
    fn backward<T: Real, S: Simd>(
        &self,
        simd: S,
        (rows, is_first): (Rows, bool),
        source: &Source<'_, T>,
        scratch: &mut Scratch<T>,
        gradient: &mut [T],
        deltas: &mut [T],
    ) -> T {
        let Rows { first, stride, .. } = rows;
        let loss = self.lose(simd, rows, source, scratch);
        let Scratch { x, x_rows, layers, delta: [delta, next], .. } = scratch;
        for (index, range) in self.ranges.iter().enumerate().rev() {
            let [units, inputs] = range.shape;
            let d = &delta[..units * stride];
            let of =
                |part: &std::ops::Range<usize>| part.start - self.tables..part.end - self.tables;
            let below = index.checked_sub(1).map(|below| &layers[below]);
            let weight = &mut gradient[of(&range.weight)];
            if is_wide::<T>(inputs) {
                let product = Product {
                    m: units,
                    k: stride,
                    columns: inputs,
                    a: d,
                    a_row: stride,
                    b: below.map_or(&x_rows[..], |below| &below.y_rows),
                    b_row: padded::<T>(inputs),
                    c_row: inputs,
                };
                product.run(simd, if is_first { Start::Zero } else { Start::Add }, weight);
            } else {
                let x = match (below, source.tiles) {
                    (Some(below), _) => &below.y[..],
                    (None, Some([x, _])) if self.encoder.is_none() => &x[first * inputs..],
                    _ => &x[..],
                };
                if is_first {
                    weight.fill(T::ZERO);
                }
                add_products(simd, stride, d, &x[..inputs * stride], weight);
            }
            let bias = &mut gradient[of(&range.bias)];
            if is_first {
                bias.fill(T::ZERO);
            }
            add_lines(simd, stride, d, bias);
            if index == 0 && deltas.is_empty() {
                break;
            }
            let product = Product {
                m: inputs,
                k: units,
                columns: stride,
                a: &layers[index].transposed,
                a_row: padded::<T>(units),
                b: d,
                b_row: stride,
                c_row: stride,
            };
            let next_delta = &mut next[..inputs * stride];
            product.run(simd, Start::Zero, next_delta);
            if let Some(below) = below {
                let saved = if below.z.is_empty() { &below.y } else { &below.z };
                derive(simd, self.mlp.layers[index - 1].activation, next_delta, saved);
            }
            std::mem::swap(delta, next);
        }
        if !deltas.is_empty() {
            narrow_rows(delta, rows, self.mlp.layer_inputs(0), deltas);
        }
        loss
    }
}

/// The rows of a tile of `width` units, side by side.
fn narrow_rows<T: Real>(tile: &[T], rows: Rows, width: usize, to: &mut [T]) {
    for (row, to) in to.chunks_exact_mut(width).enumerate() {
        for (unit, to) in to.iter_mut().enumerate() {
            *to = tile[unit * rows.stride + row];
        }
    }
}

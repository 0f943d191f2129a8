//! The memory of a training's passes, and how they are shared out among threads.

use super::compiled::compiled;
use super::tile::{Network, Scratch, Source};
use crate::error::Result;
use crate::network::{Mlp, encoding};
use crate::numeric::vector::Aligned;
use crate::numeric::{Real, to_u32, wide};
use crate::training::{Batch, Cursor, Data, Gradients, Training};
use fearless_simd::Level;

/// Operations of a pass that are worth a second thread; a unit counts as [`ACTIVATION`] of them.
pub(super) const PARALLEL: usize = 1 << 20;
const ACTIVATION: usize = 60;
/// Elements of a sum that are worth a second thread.
#[cfg(feature = "threads")]
const BLOCK: usize = 1 << 14;

/// The memory of all passes of a trainer.
#[derive(Debug, Clone)]
pub struct Work<T> {
    network: Network,
    /// The data as tiles, one for each set, where a step takes all rows.
    tiles: Vec<[Aligned<T>; 2]>,
    /// The batch's rows among the data's.
    order: Vec<u32>,
    /// The batch's inputs, `[sets, batch, inputs]`, in front of tables.
    rows: Vec<T>,
    threads: Vec<Scratch<T>>,
    /// The gradients of a model's chunks but the first, where they are computed side by side.
    chunks: Vec<T>,
    chunk_losses: Vec<T>,
    /// The gradients of the first layer's inputs, `[models, batch, width]`, where they are needed.
    deltas: Vec<T>,
    /// What the last pass has computed.
    pub gradients: Gradients<T>,
}

/// The threads that there are.
fn threads() -> usize {
    #[cfg(feature = "threads")]
    return rayon::current_num_threads();
    #[cfg(not(feature = "threads"))]
    1
}

impl<T: Real> Work<T> {
    pub fn new(mlp: &Mlp, training: &Training, data: &Data<T>, batch: usize) -> Self {
        let network = Network::new::<T>(mlp, training, batch);
        let models = training.models;
        let mut work = Self {
            tiles: Vec::new(),
            order: Vec::new(),
            rows: Vec::new(),
            threads: Vec::new(),
            chunks: Vec::new(),
            chunk_losses: vec![T::ZERO; network.chunks()],
            deltas: Vec::new(),
            gradients: Gradients {
                losses: vec![T::ZERO; models],
                values: vec![T::ZERO; models * mlp.parameters()],
            },
            network,
        };
        let parallel = work.is_parallel();
        let shares = if models > 1 { models } else { work.network.chunks() };
        let threads = if parallel { threads().min(shares) } else { 1 };
        work.threads = vec![work.network.scratch(true); threads];
        if threads > 1 && models == 1 {
            work.chunks = vec![T::ZERO; (work.network.chunks() - 1) * work.network.weights()];
        }
        work.set_data(data);
        work
    }

    /// Cuts other data of the same shape.
    pub fn set_data(&mut self, data: &Data<T>) {
        let Network { mlp, training, batch, .. } = &self.network;
        if training.batch != Batch::Full {
            self.order = vec![0; *batch];
            return;
        }
        let sets = data.x().chunks(batch * mlp.inputs).zip(data.t().chunks(batch * mlp.outputs()));
        let tiled = |(x, t): (&[T], &[T])| {
            let x = if self.network.encoder.is_some() { &[] } else { x };
            let x =
                if x.is_empty() { Aligned::zeros(0) } else { self.network.tiled(x, mlp.inputs) };
            [x, self.network.tiled(t, mlp.outputs())]
        };
        self.tiles = sets.map(tiled).collect();
    }

    /// Whether a step is worth several threads.
    pub fn is_parallel(&self) -> bool {
        let Network { mlp, training, batch, .. } = &self.network;
        let units: usize = mlp.layers.iter().map(|layer| layer.units).sum();
        let row = 6 * self.network.weights() + ACTIVATION * (units + mlp.layer_inputs(0));
        training.models.saturating_mul(*batch).saturating_mul(row) > PARALLEL
    }

    /// Loss and gradient of all models on the batch at `cursor`. With `inputs` the gradient of the
    /// batch's inputs, too, `[models, batch, inputs]`.
    pub fn back_propagate(
        &mut self,
        parameters: &[T],
        data: &Data<T>,
        cursor: Cursor,
        inputs: bool,
    ) -> Result<Vec<T>> {
        let Self { network, tiles, order, rows, threads, chunks, chunk_losses, deltas, gradients } =
            self;
        #[cfg(not(feature = "threads"))]
        let _ = (chunks, chunk_losses);
        let network = &*network;
        let Network { mlp, training, batch, tables, .. } = network;
        let (p, tables, batch) = (mlp.parameters(), *tables, *batch);
        let full = training.batch == Batch::Full;
        let all = to_u32("rows", wide(data.rows()))?;
        for (i, row) in order.iter_mut().enumerate() {
            *row = cursor.row(to_u32("rows", wide(i))?, all, training.batch.seed());
        }
        let (order, level, width) = (&order[..], Level::new(), mlp.layer_inputs(0));
        let each = if inputs || tables > 0 { batch * width } else { 0 };
        deltas.resize(training.models * each, T::ZERO);
        let source = |m: usize| {
            let set = if data.sets() == 1 { 0 } else { m };
            let [x, t] = [(data.x(), mlp.inputs), (data.t(), mlp.outputs())]
                .map(|(of, width)| &of[set * data.rows() * width..(set + 1) * data.rows() * width]);
            let tiles = tiles.get(set).map(|[x, t]| [&x[..], &t[..]]);
            Source { x, t, order: (!full).then_some(order), tiles }
        };
        let model = |m: usize| &parameters[m * p..(m + 1) * p];
        let of_chunk = compiled::<T>().chunk;
        let compute = |chunk: usize, m: usize, scratch: &mut Scratch<T>, results: [&mut [T]; 2]| {
            of_chunk(level, network, chunk, model(m), &source(m), scratch, results)
        };
        // The deltas of some chunks, if there are any.
        let of_chunks = |first: usize, count: usize, deltas: usize| {
            let at = |chunk: usize| (chunk * network.chunk * width).min(deltas);
            at(first)..at(first + count)
        };
        // A model's chunks, one after another.
        let alone = |m: usize, scratch: &mut Scratch<T>, total: &mut [T], deltas: &mut [T]| {
            let mut partial = std::mem::take(&mut scratch.gradient);
            let (mut loss, total) = (T::ZERO, &mut total[tables..]);
            for chunk in 0..network.chunks() {
                let range = of_chunks(chunk, 1, deltas.len());
                let deltas = &mut deltas[range];
                let gradient = if chunk == 0 { &mut *total } else { &mut partial[..total.len()] };
                loss += compute(chunk, m, scratch, [gradient, deltas]);
                if chunk > 0 {
                    add(total, &partial);
                }
            }
            scratch.gradient = partial;
            loss
        };
        let Gradients { losses, values } = gradients;
        if let [scratch] = &mut threads[..] {
            for (m, (loss, total)) in losses.iter_mut().zip(values.chunks_mut(p)).enumerate() {
                *loss = alone(m, scratch, total, &mut deltas[m * each..(m + 1) * each]);
            }
        } else {
            #[cfg(feature = "threads")]
            if training.models > 1 {
                use rayon::prelude::*;
                let share = training.models.div_ceil(threads.len());
                let deltas = parts(deltas, share * each, threads.len());
                let shares = values.par_chunks_mut(share * p).zip(losses.par_chunks_mut(share));
                let shares = shares.zip(threads).zip(deltas).enumerate();
                shares.for_each(|(i, (((values, losses), scratch), deltas))| {
                    let models = losses.iter_mut().zip(values.chunks_mut(p)).enumerate();
                    for (m, (loss, total)) in models {
                        let deltas = &mut deltas[m * each..(m + 1) * each];
                        *loss = alone(i * share + m, scratch, total, deltas);
                    }
                });
            } else {
                use rayon::prelude::*;
                let (share, weights) =
                    (network.chunks().div_ceil(threads.len()), network.weights());
                let deltas = parts(deltas, of_chunks(0, share, each).end, threads.len());
                // The first chunk's gradient is where the sum will be.
                let mut to: Vec<&mut [T]> = vec![&mut values[tables..]];
                to.extend(chunks.chunks_mut(weights));
                let shares = to.par_chunks_mut(share).zip(chunk_losses.par_chunks_mut(share));
                let shares = shares.zip(threads).zip(deltas).enumerate();
                shares.for_each(|(i, (((gradients, losses), scratch), deltas))| {
                    let chunks = gradients.iter_mut().zip(losses).enumerate();
                    for (chunk, (gradient, loss)) in chunks {
                        let range = of_chunks(chunk, 1, deltas.len());
                        let deltas = &mut deltas[range];
                        let chunk = i * share + chunk;
                        *loss = compute(chunk, 0, scratch, [gradient, deltas]);
                    }
                });
                losses[0] = chunk_losses.iter().fold(T::ZERO, |sum, loss| sum + *loss);
                let blocks = values[tables..].par_chunks_mut(BLOCK).enumerate();
                blocks.for_each(|(i, total)| {
                    let rest = chunks.chunks(weights);
                    rest.for_each(|part| add(total, &part[i * BLOCK..][..total.len()]));
                });
            }
        }
        if network.encoder.is_none() || each == 0 {
            return Ok(if inputs { deltas.clone() } else { Vec::new() });
        }
        let mut of_inputs = Vec::new();
        for m in 0..training.models {
            let source = source(m);
            let x = if full {
                source.x
            } else {
                rows.clear();
                let row = |row: &u32| &source.x[*row as usize * mlp.inputs..][..mlp.inputs];
                rows.extend(order.iter().flat_map(row));
                &rows[..]
            };
            let of_tables = &mut values[m * p..m * p + tables];
            of_tables.fill(T::ZERO);
            let deltas = &deltas[m * each..(m + 1) * each];
            let add = compiled::<T>().table_gradient;
            encoding::table_gradient(mlp, [x, deltas], of_tables, |part, of| add(level, part, of));
            if inputs {
                of_inputs.extend(encoding::input_gradient(mlp, model(m), x, deltas));
            }
        }
        Ok(of_inputs)
    }
}

/// `count` parts of `size` elements; the last ones may have fewer, or none.
#[cfg(feature = "threads")]
fn parts<T>(mut values: &mut [T], size: usize, count: usize) -> Vec<&mut [T]> {
    let mut all = Vec::with_capacity(count);
    for _ in 0..count {
        let (part, rest) = values.split_at_mut(size.min(values.len()));
        all.push(part);
        values = rest;
    }
    all
}

/// Adds one gradient to another.
fn add<T: Real>(total: &mut [T], part: &[T]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += *part;
    }
}

//! Layers whose units are written out in vectors of four.

use super::text::{Text, chunks, component};
use crate::network::{Activation, Saved};

impl Text<'_> {
    pub fn unrolled(&mut self, gradient: bool) {
        let f = self.function;
        let (mlp, ranges) = (f.mlp, f.mlp.ranges());
        self.first_inputs();
        // Layer l reads y{l} and writes z{l + 1} and y{l + 1}.
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate() {
            let inputs = range.shape[1];
            for (c, chunk) in chunks(layer.units).enumerate() {
                let units = chunk.first..chunk.first + chunk.len;
                let sums: Vec<String> = units
                    .map(|unit| {
                        let bias = layer.bias.then(|| self.bias(l, unit));
                        let products = self.products(l, unit, inputs);
                        bias.into_iter().chain(products).collect::<Vec<_>>().join(" + ")
                    })
                    .collect();
                let (z, y) = (format!("z{}_{c}", l + 1), format!("y{}_{c}", l + 1));
                self.vector_line(&z, &sums);
                let values: Vec<String> = (0..chunk.len)
                    .map(|i| self.apply(layer.activation, "value", &component(&z, i, chunk.len)))
                    .collect();
                self.vector_line(&y, &values);
            }
        }
        let last = mlp.layers.len();
        if !gradient {
            self.result(&format!("y{last}"), mlp.outputs());
            return;
        }
        let one = mlp.outputs() == 1;
        if one {
            self.w.line(format!("let e{last}_0 = {}(1.0);", f.scalar()));
        } else {
            self.argument(&format!("e{last}"), "dy", mlp.outputs());
        }
        // e{l} is the gradient of the units y{l}, d{l} that of z{l}.
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate().rev() {
            let saved = if layer.activation.saves() == Saved::Output { "y" } else { "z" };
            for (c, chunk) in chunks(layer.units).enumerate() {
                let deltas: Vec<String> = (0..chunk.len)
                    .map(|i| {
                        let e = component(&format!("e{}_{c}", l + 1), i, chunk.len);
                        if layer.activation == Activation::Identity {
                            return e;
                        }
                        let at = component(&format!("{saved}{}_{c}", l + 1), i, chunk.len);
                        format!("{e} * {}", self.apply(layer.activation, "derivative", &at))
                    })
                    .collect();
                self.vector_line(&format!("d{}_{c}", l + 1), &deltas);
            }
            let inputs = range.shape[1];
            for (i, part) in chunks(inputs).enumerate() {
                let terms: Vec<String> = chunks(layer.units)
                    .enumerate()
                    .flat_map(|(c, chunk)| (0..chunk.len).map(move |j| (c, chunk, j)))
                    .map(|(c, chunk, j)| {
                        let w = self.weights(l, chunk.first + j, part.first, part.len);
                        let d = component(&format!("d{}_{c}", l + 1), j, chunk.len);
                        format!("{w} * {d}")
                    })
                    .collect();
                self.w.line(format!("let e{l}_{i} = {};", terms.join(" + ")));
            }
        }
        if mlp.encoding.is_empty() {
            self.result("e0", mlp.inputs);
            return;
        }
        let delta = |j: usize| {
            let (c, width) = (j / 4, mlp.layer_inputs(0));
            component(&format!("e0_{c}"), j % 4, (width - 4 * c).min(4))
        };
        self.input_gradient(&delta);
    }

    /// The terms whose sum is a unit's product with its inputs.
    fn products(&mut self, l: usize, unit: usize, inputs: usize) -> Vec<String> {
        let (mut terms, mut vectors) = (Vec::new(), Vec::new());
        for (i, part) in chunks(inputs).enumerate() {
            let (w, y) = (self.weights(l, unit, part.first, part.len), format!("y{l}_{i}"));
            match part.len {
                // Hardware multiplies two halves by two others in one instruction, and adds two.
                4 if self.function.f16 => vectors.push(format!("{w} * {y}")),
                1 => terms.push(format!("{w} * {y}")),
                _ => terms.push(format!("dot({w}, {y})")),
            }
        }
        if !vectors.is_empty() {
            let (four, two) = (format!("f{}_{unit}", l + 1), format!("g{}_{unit}", l + 1));
            self.w.line(format!("let {four} = {};", vectors.join(" + ")));
            self.w.line(format!("let {two} = {four}.xy + {four}.zw;"));
            terms.push(format!("({two}.x + {two}.y)"));
        }
        terms
    }
}

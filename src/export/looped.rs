//! Layers as loops over arrays.

use super::TERMS;
use super::text::{Text, chunks, component};
use crate::network::{Activation, Saved};

impl Text<'_> {
    /// `for (var i = 0u; i < count; i++) { to[i] = from; }`
    fn copy(&mut self, to: &str, count: usize, from: &str) {
        self.w.line(format!("for (var i = 0u; i < {count}u; i++) {{ {to}[i] = {from}; }}"));
    }

    /// `sum += Σ weight(k) · vector[k]` over `count` terms, eight an iteration.
    fn sum(&mut self, count: usize, weight: &dyn Fn(&Self, &str) -> String, vector: &str) {
        let whole = count / TERMS * TERMS;
        if whole > 0 {
            self.w.open(format_args!("for (var k = 0u; k < {whole}u; k += {TERMS}u)"));
            for i in 0..TERMS {
                let k = format!("k + {i}u");
                let line = format!("sum += {} * {vector}[{k}];", weight(self, &k));
                self.w.line(line);
            }
            self.w.close();
        }
        for k in whole..count {
            let line = format!("sum += {} * {vector}[{k}];", weight(self, &format!("{k}u")));
            self.w.line(line);
        }
    }

    pub fn looped(&mut self, gradient: bool) {
        let f = self.function;
        let (mlp, scalar) = (f.mlp, f.scalar());
        self.w.line(format!("var y_0: array<{scalar}, {}>;", mlp.layer_inputs(0)));
        if mlp.encoding.is_empty() {
            self.copy("y_0", mlp.inputs, &format!("{scalar}(x[i])"));
        } else {
            self.first_inputs();
            for (c, chunk) in chunks(mlp.layer_inputs(0)).enumerate() {
                for i in 0..chunk.len {
                    let element = component(&format!("y0_{c}"), i, chunk.len);
                    self.w.line(format!("y_0[{}] = {element};", chunk.first + i));
                }
            }
        }
        self.forward(gradient);
        let (name, units) = if gradient {
            self.backward();
            if !mlp.encoding.is_empty() {
                self.input_gradient(&|j| format!("e_0[{j}]"));
                return;
            }
            ("e_0".to_owned(), mlp.inputs)
        } else {
            (format!("y_{}", mlp.layers.len()), mlp.outputs())
        };
        self.w.line(format!("var result: array<f32, {units}>;"));
        self.copy("result", units, &format!("f32({name}[i])"));
        self.w.line("return result;");
    }

    /// All layers: layer l reads `y_{l}` and writes `y_{l + 1}`, and `z_{l + 1}` where the gradient
    /// needs it.
    fn forward(&mut self, gradient: bool) {
        let f = self.function;
        let (mlp, ranges, scalar) = (f.mlp, f.mlp.ranges(), f.scalar());
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate() {
            let [units, inputs] = range.shape;
            let next = l + 1;
            let keeps = gradient && layer.activation.saves() == Saved::Input;
            self.w.line(format!("var y_{next}: array<{scalar}, {units}>;"));
            if keeps {
                self.w.line(format!("var z_{next}: array<{scalar}, {units}>;"));
            }
            self.w.open(format_args!("for (var j = 0u; j < {units}u; j++)"));
            let first = if layer.bias { self.bias_at(l, "j") } else { format!("{scalar}(0.0)") };
            self.w.line(format!("var sum = {first};"));
            let row = |w: &Self, k: &str| w.weight_at(l, "j", k);
            self.sum(inputs, &row, &format!("y_{l}"));
            if keeps {
                self.w.line(format!("z_{next}[j] = sum;"));
            }
            self.w.line(format!("y_{next}[j] = {};", self.apply(layer.activation, "value", "sum")));
            self.w.close();
        }
    }

    /// `e_{l}`, the gradient of the units `y_{l}`, from the last layer down.
    fn backward(&mut self) {
        let f = self.function;
        let (mlp, ranges, scalar) = (f.mlp, f.mlp.ranges(), f.scalar());
        let last = mlp.layers.len();
        let from = if mlp.outputs() == 1 { "1.0".into() } else { format!("{scalar}(dy[i])") };
        self.w.line(format!("var e_{last}: array<{scalar}, {}>;", mlp.outputs()));
        self.copy(&format!("e_{last}"), mlp.outputs(), &from);
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate().rev() {
            let [units, inputs] = range.shape;
            let next = l + 1;
            if layer.activation != Activation::Identity {
                let saved = if layer.activation.saves() == Saved::Output { "y" } else { "z" };
                let derivative =
                    self.apply(layer.activation, "derivative", &format!("{saved}_{next}[i]"));
                self.copy(&format!("e_{next}"), units, &format!("e_{next}[i] * {derivative}"));
            }
            self.w.line(format!("var e_{l}: array<{scalar}, {inputs}>;"));
            self.w.open(format_args!("for (var j = 0u; j < {inputs}u; j++)"));
            self.w.line(format!("var sum = {scalar}(0.0);"));
            let column = |w: &Self, k: &str| w.weight_at(l, &format!("({k})"), "j");
            self.sum(units, &column, &format!("e_{next}"));
            self.w.line(format!("e_{l}[j] = sum;"));
            self.w.close();
        }
    }
}

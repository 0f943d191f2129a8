//! What unrolled and looped functions share: parameters, activations, vectors.

use super::names::renamed;
use super::{Values, WgslFunction, Which};
use crate::error::Result;
use crate::network::{Activation, Encoding};
use crate::wgsl::{Piece, Writer, helper, literal};

/// A layer's units: vectors of four, and one of the rest.
#[derive(Clone, Copy)]
pub(super) struct Chunk {
    pub first: usize,
    pub len: usize,
}

pub(super) fn chunks(units: usize) -> impl Iterator<Item = Chunk> {
    (0..units).step_by(4).map(move |first| Chunk { first, len: (units - first).min(4) })
}

/// Component `i` of the vector `name` of `len`, which is a scalar where there is one.
pub(super) fn component(name: &str, i: usize, len: usize) -> String {
    if len == 1 { name.to_owned() } else { format!("{name}.{}", ["x", "y", "z", "w"][i]) }
}

/// The text of a function under way.
pub(super) struct Text<'a> {
    pub function: &'a WgslFunction<'a>,
    pub w: Writer,
}

impl Text<'_> {
    pub fn parameters(&mut self) -> Result<()> {
        let f = self.function;
        let Values::Bound { group, binding, uniform } = f.values else { return Ok(()) };
        let all = f.models * f.mlp.parameters();
        // Of a fixed size: an index that is a constant needs no check then.
        let (ty, count) = if f.is_vec4() { ("vec4<f32>", all.div_ceil(4)) } else { ("f32", all) };
        let name = &f.name;
        let space = if uniform { "uniform" } else { "storage, read" };
        let line = format!(
            "@group({group}) @binding({binding}) var<{space}> {name}_parameters: array<{ty}, {count}>;"
        );
        self.w.line(line);
        Ok(())
    }

    /// A vector of a scalar type.
    pub fn vector(&self, len: usize) -> String {
        let scalar = self.function.scalar();
        if len == 1 { scalar.to_owned() } else { format!("vec{len}<{scalar}>") }
    }

    /// The parameters from `first` on, as a vector of `len`.
    pub fn load(&self, first: usize, len: usize) -> String {
        let f = self.function;
        let name = &f.name;
        let at = match f.which {
            Which::Fixed(model) => model * f.mlp.parameters() + first,
            Which::Argument => first,
        };
        let elements: Vec<String> = match f.values {
            Values::Baked(parameters) => {
                let values = &parameters.values()[at..at + len];
                let literals = values.iter().map(|value| {
                    // What an f16 cannot tell from 0 has no literal.
                    let value = if f.f16 && value.abs() < 6e-8 { 0.0 } else { *value };
                    if f.f16 { format!("{value:?}h") } else { literal(value) }
                });
                literals.collect()
            }
            Values::Bound { .. } if f.is_vec4() => {
                if len == 4 && at.is_multiple_of(4) {
                    let whole = format!("{name}_parameters[{}]", at / 4);
                    return if f.f16 { format!("vec4<f16>({whole})") } else { whole };
                }
                let element = |i: usize| {
                    let place = ["x", "y", "z", "w"][(at + i) % 4];
                    let element = format!("{name}_parameters[{}].{place}", (at + i) / 4);
                    if f.f16 { format!("f16({element})") } else { element }
                };
                (0..len).map(element).collect()
            }
            Values::Bound { .. } => {
                let base = if f.which == Which::Argument { "base + " } else { "" };
                let scalar = f.scalar();
                let element = |i: usize| format!("{scalar}({name}_parameters[{base}{}u])", at + i);
                (0..len).map(element).collect()
            }
        };
        match len {
            1 => elements[0].clone(),
            _ => format!("{}({})", self.vector(len), elements.join(", ")),
        }
    }

    /// One parameter, at an index that the shader computes.
    pub fn load_at(&self, first: usize, index: &str) -> String {
        let f = self.function;
        let at = match f.which {
            Which::Fixed(model) => format!("{}u", model * f.mlp.parameters() + first),
            Which::Argument => format!("base + {first}u"),
        };
        format!("{}({}_parameters[{at} + {index}])", f.scalar(), f.name)
    }

    /// `activation`'s value or gradient at a scalar expression.
    pub fn apply(&self, activation: Activation, which: &str, at: &str) -> String {
        match (activation, which) {
            (Activation::Identity, "value") => at.to_owned(),
            _ => {
                let name = format!("{}_{which}", activation.function());
                let name = helper(&self.function.name, &name);
                if self.function.f16 {
                    format!("f16({name}(f32({at})))")
                } else {
                    format!("{name}({at})")
                }
            }
        }
    }

    /// `let NAME = VECTOR(a, b, …);`
    pub fn vector_line(&mut self, name: &str, components: &[String]) {
        let value = match components {
            [one] => one.clone(),
            _ => format!("{}({})", self.vector(components.len()), components.join(", ")),
        };
        self.w.line(format!("let {name} = {value};"));
    }

    pub fn function(&mut self, gradient: bool) {
        let f = self.function;
        let (inputs, outputs) = (f.mlp.inputs, f.mlp.outputs());
        let mut arguments = format!("x: array<f32, {inputs}>");
        if gradient && outputs > 1 {
            arguments += &format!(", dy: array<f32, {outputs}>");
        }
        if f.which == Which::Argument {
            arguments.push_str(", model: u32");
        }
        let (suffix, results) = if gradient { ("_gradient", inputs) } else { ("", outputs) };
        let name = &f.name;
        self.w.open(format_args!("fn {name}{suffix}({arguments}) -> array<f32, {results}>"));
        if f.which == Which::Argument {
            let (last, p) = (f.models - 1, f.mlp.parameters());
            self.w.line(format!("let base = min(model, {last}u) * {p}u;"));
        }
        match (f.is_unrolled(), gradient) {
            (true, _) => self.unrolled(gradient),
            (false, _) => self.looped(gradient),
        }
        self.w.close();
    }

    /// The result, of f32 whatever the sums were in.
    pub fn result(&mut self, name: &str, units: usize) {
        let elements: Vec<String> = chunks(units)
            .enumerate()
            .flat_map(|(c, chunk)| {
                let vector = format!("{name}_{c}");
                (0..chunk.len).map(move |i| component(&vector, i, chunk.len)).collect::<Vec<_>>()
            })
            .map(|element| if self.function.f16 { format!("f32({element})") } else { element })
            .collect();
        self.w.line(format!("return array<f32, {units}>({});", elements.join(", ")));
    }

    /// An argument as vectors.
    pub fn argument(&mut self, name: &str, argument: &str, units: usize) {
        for (c, chunk) in chunks(units).enumerate() {
            let elements: Vec<String> = (0..chunk.len)
                .map(|i| {
                    let element = format!("{argument}[{}]", chunk.first + i);
                    if self.function.f16 { format!("f16({element})") } else { element }
                })
                .collect();
            self.vector_line(&format!("{name}_{c}"), &elements);
        }
    }

    /// The activation functions that are called, and what they call, under names of this function's
    /// own.
    pub fn pieces(&mut self) {
        let f = self.function;
        let needed = |activation: &Activation| *activation != Activation::Identity;
        let mut open: Vec<&'static Piece> = f
            .mlp
            .layers
            .iter()
            .map(|l| l.activation)
            .filter(needed)
            .map(Activation::wgsl)
            .collect();
        let pointwise = f.mlp.encoding.iter().map(|part| &part.encoding);
        open.extend(pointwise.filter(|e| !matches!(e, Encoding::Grid(_))).map(Encoding::wgsl));
        let mut pieces: Vec<&'static Piece> = Vec::new();
        while let Some(piece) = open.pop() {
            if pieces.iter().all(|known| known.name != piece.name) {
                pieces.push(piece);
                open.extend(piece.needs);
            }
        }
        let text: Vec<&str> = pieces.iter().map(|piece| piece.text).collect();
        let text = text.join("\n");
        self.w.push(&renamed(&text, &f.name, ""));
    }
}

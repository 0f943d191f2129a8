//! What unrolled and looped functions share: parameters, activations, vectors.

use super::names::renamed;
use super::{Values, WgslFunction, Which};
use crate::network::encoding::EncodingPart;
use crate::network::{Activation, Encoding, Mlp, Packing, Storage, texture_channels};
use crate::numeric::narrow;
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

/// The textures of all grids.
fn texture_count(mlp: &Mlp) -> usize {
    let of = |part: &EncodingPart| match part.encoding {
        Encoding::Grid(grid) => texture_channels(&grid).count(),
        _ => 0,
    };
    mlp.encoding.iter().map(of).sum()
}

/// A buffer that is loaded from.
struct Loaded {
    name: String,
    /// The element of all parameters that is its first.
    first: usize,
    /// Its elements are structs of eight halves.
    eight: bool,
}

/// The text of a function under way.
pub(super) struct Text<'a> {
    pub function: &'a WgslFunction<'a>,
    pub packing: Packing,
    /// [`WgslFunction::is_vec4`], which each load asks for.
    pub vec4: bool,
    pub w: Writer,
    /// The buffer of the scales and tables.
    parameters: Loaded,
    /// The buffer of the layers, which may be another one.
    layers: Loaded,
}

impl<'a> Text<'a> {
    pub fn new(function: &'a WgslFunction<'a>) -> Self {
        let (packing, vec4) = (function.packing(), function.is_vec4());
        let (whole, eight) = (format!("{}_parameters", function.name), function.eight_halves());
        let (apart, eight) = (function.are_layers_apart(), eight.is_some());
        let parameters = Loaded { name: whole.clone(), first: 0, eight: eight && !apart };
        let (name, first) = match apart {
            true => (helper(&function.name, "layers"), function.uniform_range().start / 4),
            false => (whole, 0),
        };
        let layers = Loaded { name, first: narrow(first) * function.in_word(), eight };
        Self { function, packing, vec4, w: Writer::default(), parameters, layers }
    }
}

impl Text<'_> {
    pub fn parameters(&mut self) {
        let f = self.function;
        let Values::Bound { group, binding, uniform } = f.values else { return };
        let (name, ty) = (&f.name, f.buffer_type());
        if let Some(eight) = f.eight_halves() {
            self.w.line(format_args!("struct {eight} {{ low: vec4<f16>, high: vec4<f16> }}"));
        }
        let apart = f.are_layers_apart();
        let space = if uniform && !apart { "uniform" } else { "storage, read" };
        let line =
            format!("@group({group}) @binding({binding}) var<{space}> {name}_parameters: {ty};");
        self.w.line(line);
        if apart {
            let (binding, name) = (binding.saturating_add(1), &self.layers.name);
            let ty = f.layers_type();
            let line = format!("@group({group}) @binding({binding}) var<uniform> {name}: {ty};");
            self.w.line(line);
        }
        let Some([group, first]) = f.textures else { return };
        let textures = texture_count(f.mlp);
        let samples = (0..textures).map(|i| (format!("texture_{i}"), "texture_2d<f32>"));
        let all = samples.chain([("sampler".to_owned(), "sampler")]);
        for ((name, ty), binding) in all.zip(first..) {
            let name = helper(&f.name, &name);
            self.w.line(format!("@group({group}) @binding({binding}) var {name}: {ty};"));
        }
    }

    /// What of the parameters' storage the function calls.
    pub fn storage(&mut self) {
        let f = self.function;
        if f.storage == Storage::F32 || f.is_unrolled() || f.has_halves() {
            return;
        }
        let (half, name) = (helper(&f.name, "half"), &f.name);
        self.w.function(format_args!("{half}(at: u32) -> f32"), |w| {
            w.line(format_args!("return unpack2x16float({name}_parameters[at / 2u])[at % 2u];"));
        });
    }

    /// A vector of a scalar type.
    pub fn vector(&self, len: usize) -> String {
        let scalar = self.function.scalar();
        if len == 1 { scalar.to_owned() } else { format!("vec{len}<{scalar}>") }
    }

    /// Weights of one unit, from an input on, as a vector of `len`.
    pub fn weights(&self, layer: usize, unit: usize, input: usize, len: usize) -> String {
        self.load(self.packing.weight(layer, unit, input), len)
    }

    /// A unit's bias.
    pub fn bias(&self, layer: usize, unit: usize) -> String {
        self.load(self.packing.bias(layer, unit), 1)
    }

    /// Elements of the layers in an element of the buffer of parameters, which may be a vector.
    pub fn lanes(&self) -> usize {
        let f = self.function;
        let vector = if self.vec4 { 4 } else { 1 };
        // Four words, or eight halves, or four.
        if f.has_halves() && !self.parameters.eight { vector } else { vector * f.in_word() }
    }

    /// The first of the layers' elements of the model that is fixed.
    pub fn offset(&self) -> usize {
        match self.function.which {
            Which::Fixed(model) => model * self.packing.words * self.function.in_word(),
            Which::Argument => 0,
        }
    }

    /// What stands in front of an index into the buffer: the first element of the model that is an
    /// argument.
    fn base(&self) -> &'static str {
        if self.function.which == Which::Argument { "base + " } else { "" }
    }

    /// The word `at` of the function's own model, which is no layer's.
    pub fn word(&self, at: usize) -> String {
        self.scalar_at(&self.parameters, self.offset() / self.function.in_word() + at)
    }

    /// A buffer's scalar `at`, of the model that is an argument.
    fn scalar_at(&self, buffer: &Loaded, at: usize) -> String {
        match self.vec4 {
            true => format!("{}.{}", self.vector_at(buffer, at), ["x", "y", "z", "w"][at % 4]),
            false => format!("{}[{}{at}u]", buffer.name, self.base()),
        }
    }

    /// The vector of four that holds a buffer's scalar `at`, of the model that is an argument.
    fn vector_at(&self, buffer: &Loaded, at: usize) -> String {
        let (name, base) = (&buffer.name, self.base());
        match buffer.eight {
            true => format!("{name}[{base}{}u].{}", at / 8, ["low", "high"][at / 4 % 2]),
            false => format!("{name}[{base}{}u]", at / 4),
        }
    }

    /// The elements of the layers from `first` on, as a vector of `len`.
    fn load(&self, first: usize, len: usize) -> String {
        let (f, layers) = (self.function, &self.layers);
        let in_buffer = || self.offset() + first - layers.first;
        let half = |vector: String, len: usize| match f.f16 {
            true => format!("vec{len}<f16>({vector})"),
            false => vector,
        };
        let cast = |element: String| if f.f16 { format!("f16({element})") } else { element };
        let elements: Vec<String> = match f.values {
            Values::Baked(parameters) => {
                let at = self.offset() + first;
                let literals = parameters.values()[at..at + len].iter().map(|value| {
                    // What an f16 cannot tell from 0 has no literal.
                    let value = if f.f16 && value.abs() < 6e-8 { 0.0 } else { *value };
                    if f.f16 { format!("{value:?}h") } else { literal(value) }
                });
                literals.collect()
            }
            Values::Bound { .. }
                if self.vec4 && (f.has_halves() || self.is_aligned(first, len)) =>
            {
                let at = in_buffer();
                let vector = self.vector_at(layers, at);
                return match len {
                    4 if f.has_halves() => vector,
                    4 => half(vector, 4),
                    _ => format!("{vector}.{}", &"xyzw"[at % 4..at % 4 + len]),
                };
            }
            Values::Bound { .. } if f.storage == Storage::F32 || f.has_halves() => {
                let scalars = (in_buffer()..in_buffer() + len).map(|at| self.scalar_at(layers, at));
                scalars.map(cast).collect()
            }
            Values::Bound { .. } => {
                let word = |at| format!("unpack2x16float({})", self.scalar_at(layers, at));
                // Rows begin at multiples of four halves and are padded.
                let (low, high) = (word(in_buffer() / 2), || word(in_buffer() / 2 + 1));
                return match len {
                    1 => cast(format!("{low}.{}", ["x", "y"][first % 2])),
                    2 => half(low, 2),
                    3 => half(format!("vec3<f32>({low}, {}.x)", high()), 3),
                    _ => half(format!("vec4<f32>({low}, {})", high()), 4),
                };
            }
        };
        match len {
            1 => elements[0].clone(),
            _ => format!("{}({})", self.vector(len), elements.join(", ")),
        }
    }

    /// Whether these elements are one vector of the buffer.
    fn is_aligned(&self, first: usize, len: usize) -> bool {
        let whole = self.function.storage == Storage::F32 && len == 4;
        whole && (self.offset() + first).is_multiple_of(4)
    }

    /// An element of the layers, `index` behind `first`, which the shader computes.
    fn load_at(&self, first: usize, index: &str) -> String {
        let f = self.function;
        let (at, scalar, lanes) = (self.offset() + first, f.scalar(), self.lanes());
        if lanes == 1 {
            let element = format!("{}_parameters[{}{at}u + {index}]", f.name, self.base());
            return if f.has_halves() { element } else { format!("{scalar}({element})") };
        }
        let base = if f.which == Which::Argument { "base * 2u + " } else { "" };
        format!("{scalar}({}({base}{at}u + {index}))", helper(&f.name, "half"))
    }

    /// A weight of a unit and an input that the shader computes.
    pub fn weight_at(&self, layer: usize, unit: &str, input: &str) -> String {
        let stride = self.packing.stride(layer);
        self.load_at(self.packing.weight(layer, 0, 0), &format!("{unit} * {stride}u + {input}"))
    }

    /// The bias of a unit that the shader computes.
    pub fn bias_at(&self, layer: usize, unit: &str) -> String {
        self.load_at(self.packing.bias(layer, 0), unit)
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
            // In elements of the buffer.
            let block = self.packing.words * f.in_word() / self.lanes();
            let last = f.models - 1;
            self.w.line(format!("let base = min(model, {last}u) * {block}u;"));
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

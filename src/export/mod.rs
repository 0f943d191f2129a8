//! A network as a WGSL function, for shaders of the application's own.

use crate::error::{Error, Result};
use crate::network::{
    Activation, Mlp, Parameters,
    activation::Saved,
    encoding::{Encoding, Grid, Place, places},
};
use crate::numeric::{to_f32, to_u32, wide};
use crate::wgsl::Piece;
use std::fmt::Write as _;

/// The widest layer whose units are written out, so that a compiler keeps them in registers; the
/// units of wider ones go through arrays of the function's own.
pub const MAX_WRITTEN_OUT: usize = 64;

/// Iterations of all loops of one call: llvmpipe silently ends those of an invocation after 65,535.
const MAX_ITERATIONS: usize = 60_000;

/// Bytes of a uniform buffer that every device can bind.
const MAX_UNIFORM: u64 = 65_536;

/// Terms of a sum that one iteration of a loop takes.
const TERMS: usize = 8;

/// WGSL's keywords, and what the text calls: a function of such a name could not be, or would hide it.
/// (Words that WGSL only reserves are left to the compiler's own message.)
const TAKEN: &[&str] = &[
    "abs",
    "alias",
    "array",
    "bitcast",
    "break",
    "case",
    "clamp",
    "const",
    "const_assert",
    "continue",
    "continuing",
    "default",
    "diagnostic",
    "discard",
    "dot",
    "else",
    "enable",
    "exp",
    "f16",
    "f32",
    "false",
    "floor",
    "fn",
    "for",
    "i32",
    "if",
    "let",
    "loop",
    "min",
    "override",
    "requires",
    "return",
    "round",
    "select",
    "struct",
    "switch",
    "true",
    "u32",
    "var",
    "vec2",
    "vec3",
    "vec4",
    "while",
];

/// The largest number of an f16.
const MAX_F16: f32 = 65_504.0;

/// Where the function's parameters come from.
#[derive(Debug, Clone, Copy)]
enum Values<'a> {
    /// A storage buffer, or a uniform one.
    Bound { group: u32, binding: u32, uniform: bool },
    /// Constants of the text.
    Baked(&'a Parameters),
}

/// Which model of a population the function is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Fixed(usize),
    Argument,
}

/// The text of a network as a WGSL function, for vertex, fragment and compute shaders.
///
/// Of a network of I inputs and O outputs named `field`, [`WgslFunction::text`] gives
///
/// ```wgsl
/// fn field(x: array<f32, I>) -> array<f32, O>
/// ```
///
/// which returns what `predict` does, up to rounding. Its parameters are read from a storage buffer
/// ([`WgslFunction::binding`]), live while a training goes on, or stand in the text
/// ([`Parameters::wgsl`]). An encoding is part of the function. Every name of the text is `field` or begins with `field_`, so that several
/// networks fit in one module and clash with nothing of the application's.
///
/// Layers of up to 64 units, the encoding's outputs among them, are written out in vectors of four, without arrays and loops, so that a
/// compiler keeps the units in registers; wider ones loop over arrays.
///
/// ```
/// use wgrad::{Activation, Mlp};
/// let mlp = Mlp::new(3).layer(32, Activation::Sine).layer(1, Activation::Identity);
/// let text = mlp.wgsl("distance").binding(1, 0).gradient().text()?;
/// assert!(text.contains("fn distance(x: array<f32, 3>) -> array<f32, 1>"));
/// assert!(text.contains("fn distance_gradient(x: array<f32, 3>) -> array<f32, 3>"));
/// # Ok::<(), wgrad::Error>(())
/// ```
///
/// The buffer is a [`Trainer`](crate::Trainer)'s or a [`Model`](crate::Model)'s
/// (`parameter_buffer`), bound whole as read-only storage or as [`WgslFunction::uniform`]. A vertex shader needs a device on which it
/// may read storage buffers at all (`DownlevelFlags::VERTEX_STORAGE`).
#[derive(Debug, Clone)]
#[must_use]
pub struct WgslFunction<'a> {
    mlp: &'a Mlp,
    models: usize,
    name: String,
    values: Values<'a>,
    which: Which,
    gradient: bool,
    f16: bool,
    loops: bool,
}

impl Mlp {
    /// This network as the WGSL function `name`, whose parameters are read from the storage buffer
    /// at group 0, binding 0, unless [`WgslFunction::binding`] says otherwise.
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        WgslFunction {
            mlp: self,
            models: 1,
            name: name.to_owned(),
            values: Values::Bound { group: 0, binding: 0, uniform: false },
            which: Which::Fixed(0),
            gradient: false,
            f16: false,
            loops: false,
        }
    }
}

impl Parameters {
    /// The network as the WGSL function `name` with these parameters as constants of the text: no
    /// buffer, no binding. For layers of up to [`MAX_WRITTEN_OUT`] units and encodings without tables.
    ///
    /// ```
    /// use wgrad::{Activation, Init, Mlp};
    /// let mlp = Mlp::new(2).layer(3, Activation::Tanh).layer(1, Activation::Identity);
    /// let parameters = Init::Auto.sample(&mlp, 1, 0)?;
    /// assert!(!parameters.wgsl("shade").text()?.contains("var<storage"));
    /// # Ok::<(), wgrad::Error>(())
    /// ```
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        WgslFunction { values: Values::Baked(self), ..self.mlp().wgsl(name) }.models(self.models())
    }
}

impl WgslFunction<'_> {
    /// The same for a buffer that holds the parameters of `models` models.
    pub(crate) const fn models(mut self, models: usize) -> Self {
        self.models = models;
        self
    }

    /// The same with the parameters' buffer at another place.
    pub const fn binding(mut self, group: u32, binding: u32) -> Self {
        if let Values::Bound { uniform, .. } = self.values {
            self.values = Values::Bound { group, binding, uniform };
        }
        self
    }

    /// The same with the parameters' buffer bound as a uniform one, which was measured up to 1.8 times
    /// as fast as storage on one device and as fast on two others. For one known model, layers of up to [`MAX_WRITTEN_OUT`]
    /// units, and parameters of all models of at most 64 KiB.
    pub const fn uniform(mut self) -> Self {
        if let Values::Bound { group, binding, .. } = self.values {
            self.values = Values::Bound { group, binding, uniform: true };
        }
        self
    }

    /// The same for model `index` of a population; without this, the first.
    pub const fn model(mut self, index: usize) -> Self {
        self.which = Which::Fixed(index);
        self
    }

    /// The same with a last argument `model: u32`, the model of a population that is meant; beyond
    /// the last one, the last.
    pub const fn any_model(mut self) -> Self {
        self.which = Which::Argument;
        self
    }

    /// The same, followed by the gradient with respect to the inputs: of one output
    /// `fn NAME_gradient(x: array<f32, I>) -> array<f32, I>`, of several
    /// `fn NAME_gradient(x: array<f32, I>, dy: array<f32, O>) -> array<f32, I>`, the gradient of
    /// Σ dy·y.
    pub const fn gradient(mut self) -> Self {
        self.gradient = true;
        self
    }

    /// The same with loops over arrays, as for wide layers, whatever the widths: slower to run, but of a
    /// short text. For a driver that takes long to compile: two layers of 64 units took Mesa's llvmpipe a
    /// minute written out, and seconds in loops.
    pub const fn loops(mut self) -> Self {
        self.loops = true;
        self
    }

    /// The same with products and sums in f16: arguments and results stay f32, and so do the
    /// activation functions. The text begins with `enable f16;` and so must the module; the device
    /// needs `Features::SHADER_F16`.
    pub const fn f16(mut self) -> Self {
        self.f16 = true;
        self
    }

    /// The text.
    ///
    /// # Errors
    /// A network that cannot be built; a name that is no identifier; a model that there is not;
    /// constants for layers of more than [`MAX_WRITTEN_OUT`] units, for tables or, in f16, beyond ±65,504; a
    /// network too large for one invocation.
    pub fn text(&self) -> Result<String> {
        self.check()?;
        let mut writer = Writer { function: self, text: String::new() };
        if self.f16 {
            writer.line("enable f16;");
        }
        writer.line(format!("// {}: by wgrad {}.", self.mlp, env!("CARGO_PKG_VERSION")));
        writer.parameters()?;
        writer.function(false);
        if self.gradient {
            writer.function(true);
        }
        writer.activations();
        writer.grids();
        Ok(writer.text)
    }

    fn check(&self) -> Result<()> {
        self.mlp.check()?;
        let elements = wide(self.models).saturating_mul(wide(self.mlp.parameters()));
        to_u32("the number of parameters of all models", elements)?;
        let mut letters = self.name.chars();
        let starts = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
        let plain = letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !starts || !plain || TAKEN.contains(&self.name.as_str()) {
            return Err(Error::argument(
                "the name of the WGSL function",
                format!("{:?}", self.name),
                "a letter, then letters, digits and _; no word of WGSL",
            ));
        }
        if let Which::Fixed(index) = self.which
            && index >= self.models
        {
            return Err(Error::argument(
                "the model of the WGSL function",
                index,
                format!("below {}", self.models),
            ));
        }
        if let Values::Baked(parameters) = self.values {
            if self.loops {
                return Err(Error::argument(
                    "the form of a WGSL function with constants",
                    "loops",
                    "written out",
                ));
            }
            if self.mlp.widest() > MAX_WRITTEN_OUT {
                return Err(Error::argument(
                    "the widest layer of a WGSL function with constants",
                    self.mlp.widest(),
                    format!("at most {MAX_WRITTEN_OUT}"),
                ));
            }
            if self.mlp.encoding_parameters() > 0 {
                return Err(Error::argument(
                    "the parameters of a WGSL function with an encoding's tables",
                    "constants",
                    "a buffer",
                ));
            }
            if self.which == Which::Argument {
                return Err(Error::argument(
                    "the model of a WGSL function with constants",
                    "an argument",
                    "one of them, by `model`",
                ));
            }
            let most = if self.f16 { MAX_F16 } else { f32::MAX };
            if let Some(value) = parameters.values().iter().find(|value| !(value.abs() <= most)) {
                return Err(Error::argument(
                    "a constant of the WGSL function",
                    value,
                    format!("within ±{most}"),
                ));
            }
        }
        if let Values::Bound { uniform: true, .. } = self.values {
            let bytes = 4 * elements.next_multiple_of(4);
            if bytes > MAX_UNIFORM {
                return Err(Error::argument(
                    "the bytes of a WGSL function's uniform buffer",
                    bytes,
                    format!("at most {MAX_UNIFORM}"),
                ));
            }
            if !self.fours() {
                return Err(Error::argument(
                    "the parameters' buffer of a WGSL function of any model or of wide layers",
                    "a uniform one",
                    "storage",
                ));
            }
        }
        let iterations = self.iterations();
        if iterations > MAX_ITERATIONS {
            return Err(Error::argument(
                "the iterations of all loops of the WGSL function",
                iterations,
                format!("at most {MAX_ITERATIONS}"),
            ));
        }
        Ok(())
    }

    fn written_out(&self) -> bool {
        self.mlp.widest() <= MAX_WRITTEN_OUT && !self.loops
    }

    /// Iterations of all loops of a call, with those that end them.
    fn iterations(&self) -> usize {
        if self.written_out() {
            return 0;
        }
        let product =
            |rows: usize, terms: usize| rows.saturating_mul(terms / TERMS + 2).saturating_add(2);
        let forward = self.mlp.ranges().into_iter().map(|r| product(r.shape[0], r.shape[1]));
        let back =
            self.mlp.ranges().into_iter().map(|r| product(r.shape[1], r.shape[0]) + r.shape[0]);
        let encoded = if self.mlp.encoding.is_empty() { 0 } else { 2 * self.mlp.layer_inputs(0) };
        let ends = self.mlp.inputs + self.mlp.outputs() + encoded + 2;
        let sum = |sum: usize, next: usize| sum.saturating_add(next);
        let all = forward.fold(ends, sum);
        if self.gradient { back.fold(all, sum) } else { all }
    }

    /// The type that sums and units have.
    const fn scalar(&self) -> &'static str {
        if self.f16 { "f16" } else { "f32" }
    }

    /// Whether the parameters are bound four by four: every index is then a constant, and most rows
    /// begin at a multiple of four.
    fn fours(&self) -> bool {
        self.written_out() && self.which != Which::Argument
    }
}

/// A layer's units: vectors of four, and one of the rest.
#[derive(Clone, Copy)]
struct Chunk {
    first: usize,
    len: usize,
}

fn chunks(units: usize) -> impl Iterator<Item = Chunk> {
    (0..units).step_by(4).map(move |first| Chunk { first, len: (units - first).min(4) })
}

/// Component `i` of the vector `name` of `len`, which is a scalar where there is one.
fn component(name: &str, i: usize, len: usize) -> String {
    if len == 1 { name.to_owned() } else { format!("{name}.{}", ["x", "y", "z", "w"][i]) }
}

struct Writer<'a> {
    function: &'a WgslFunction<'a>,
    text: String,
}

impl Writer<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    fn parameters(&mut self) -> Result<()> {
        let f = self.function;
        let Values::Bound { group, binding, uniform } = f.values else { return Ok(()) };
        let all = f.models * f.mlp.parameters();
        // Of a fixed size: an index that is a constant needs no check then.
        let (ty, count) = if f.fours() { ("vec4<f32>", all.div_ceil(4)) } else { ("f32", all) };
        let name = &f.name;
        let space = if uniform { "uniform" } else { "storage, read" };
        let line = format!(
            "@group({group}) @binding({binding}) var<{space}> {name}_parameters: array<{ty}, {count}>;"
        );
        self.line(line);
        Ok(())
    }

    /// A vector of a scalar type.
    fn vector(&self, len: usize) -> String {
        let scalar = self.function.scalar();
        if len == 1 { scalar.to_owned() } else { format!("vec{len}<{scalar}>") }
    }

    /// The parameters from `first` on, as a vector of `len`.
    fn load(&self, first: usize, len: usize) -> String {
        let f = self.function;
        let name = &f.name;
        let at = match f.which {
            Which::Fixed(model) => model * f.mlp.parameters() + first,
            Which::Argument => first,
        };
        let words: Vec<String> = match f.values {
            Values::Baked(parameters) => {
                let suffix = if f.f16 { "h" } else { "f" };
                let values = &parameters.values()[at..at + len];
                let literals = values.iter().map(|value| {
                    // What an f16 cannot tell from 0 has no literal.
                    let value = if f.f16 && value.abs() < 6e-8 { 0.0 } else { *value };
                    format!("{value:?}{suffix}")
                });
                literals.collect()
            }
            Values::Bound { .. } if f.fours() => {
                if len == 4 && at.is_multiple_of(4) {
                    let whole = format!("{name}_parameters[{}]", at / 4);
                    return if f.f16 { format!("vec4<f16>({whole})") } else { whole };
                }
                let word = |i: usize| {
                    let place = ["x", "y", "z", "w"][(at + i) % 4];
                    let word = format!("{name}_parameters[{}].{place}", (at + i) / 4);
                    if f.f16 { format!("f16({word})") } else { word }
                };
                (0..len).map(word).collect()
            }
            Values::Bound { .. } => {
                let base = if f.which == Which::Argument { "base + " } else { "" };
                let scalar = f.scalar();
                let word = |i: usize| format!("{scalar}({name}_parameters[{base}{}u])", at + i);
                (0..len).map(word).collect()
            }
        };
        match len {
            1 => words[0].clone(),
            _ => format!("{}({})", self.vector(len), words.join(", ")),
        }
    }

    /// One parameter, at an index that the shader computes.
    fn load_at(&self, first: usize, index: &str) -> String {
        let f = self.function;
        let at = match f.which {
            Which::Fixed(model) => format!("{}u", model * f.mlp.parameters() + first),
            Which::Argument => format!("base + {first}u"),
        };
        format!("{}({}_parameters[{at} + {index}])", f.scalar(), f.name)
    }

    /// `activation`'s value or gradient at a scalar expression.
    fn apply(&self, activation: Activation, which: &str, at: &str) -> String {
        match (activation, which) {
            (Activation::Identity, "value") => at.to_owned(),
            _ => {
                let name = format!("{}_{}_{which}", self.function.name, activation.name());
                if self.function.f16 {
                    format!("f16({name}(f32({at})))")
                } else {
                    format!("{name}({at})")
                }
            }
        }
    }

    /// `let NAME = VECTOR(a, b, …);`
    fn vector_line(&mut self, name: &str, components: &[String]) {
        let value = match components {
            [one] => one.clone(),
            _ => format!("{}({})", self.vector(components.len()), components.join(", ")),
        };
        self.line(format!("    let {name} = {value};"));
    }

    fn function(&mut self, gradient: bool) {
        let f = self.function;
        let (inputs, outputs) = (f.mlp.inputs, f.mlp.outputs());
        let mut arguments = format!("x: array<f32, {inputs}>");
        if gradient && outputs > 1 {
            let _ = write!(arguments, ", dy: array<f32, {outputs}>");
        }
        if f.which == Which::Argument {
            arguments.push_str(", model: u32");
        }
        let (suffix, results) = if gradient { ("_gradient", inputs) } else { ("", outputs) };
        let name = &f.name;
        self.line(format!("fn {name}{suffix}({arguments}) -> array<f32, {results}> {{"));
        if f.which == Which::Argument {
            let (last, p) = (f.models - 1, f.mlp.parameters());
            self.line(format!("    let base = min(model, {last}u) * {p}u;"));
        }
        match (f.written_out(), gradient) {
            (true, _) => self.written_out(gradient),
            (false, _) => self.looped(gradient),
        }
        self.line("}");
    }

    /// The result, of f32 whatever the sums were in.
    fn result(&mut self, name: &str, units: usize) {
        let words: Vec<String> = chunks(units)
            .enumerate()
            .flat_map(|(c, chunk)| {
                let vector = format!("{name}_{c}");
                (0..chunk.len).map(move |i| component(&vector, i, chunk.len)).collect::<Vec<_>>()
            })
            .map(|word| if self.function.f16 { format!("f32({word})") } else { word })
            .collect();
        self.line(format!("    return array<f32, {units}>({});", words.join(", ")));
    }

    /// An argument as vectors.
    fn argument(&mut self, name: &str, argument: &str, units: usize) {
        for (c, chunk) in chunks(units).enumerate() {
            let words: Vec<String> = (0..chunk.len)
                .map(|i| {
                    let word = format!("{argument}[{}]", chunk.first + i);
                    if self.function.f16 { format!("f16({word})") } else { word }
                })
                .collect();
            self.vector_line(&format!("{name}_{c}"), &words);
        }
    }

    fn written_out(&mut self, gradient: bool) {
        let f = self.function;
        let (mlp, ranges) = (f.mlp, f.mlp.ranges());
        self.first_inputs();
        // Layer l reads y{l} and writes z{l + 1} and y{l + 1}.
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate() {
            let inputs = range.shape[1];
            for (c, chunk) in chunks(layer.units).enumerate() {
                let sums: Vec<String> = (chunk.first..chunk.first + chunk.len)
                    .map(|unit| {
                        let mut sum = self.load(range.bias.start + unit, 1);
                        for (i, part) in chunks(inputs).enumerate() {
                            let first = range.weight.start + unit * inputs + part.first;
                            let (w, y) = (self.load(first, part.len), format!("y{l}_{i}"));
                            let _ = match part.len {
                                1 => write!(sum, " + {w} * {y}"),
                                _ => write!(sum, " + dot({w}, {y})"),
                            };
                        }
                        sum
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
            self.line(format!("    let e{last}_0 = {}(1.0);", f.scalar()));
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
                        let unit = chunk.first + j;
                        let first = range.weight.start + unit * inputs + part.first;
                        let d = component(&format!("d{}_{c}", l + 1), j, chunk.len);
                        format!("{} * {d}", self.load(first, part.len))
                    })
                    .collect();
                self.line(format!("    let e{l}_{i} = {};", terms.join(" + ")));
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

    /// A point of the inputs as a vector of three.
    fn point(&self, first: usize, dimensions: usize) -> String {
        let at = |d: usize| if d < dimensions { format!("x[{}]", first + d) } else { "0.0".into() };
        format!("vec3<f32>({}, {}, {})", at(0), at(1), at(2))
    }

    /// What `value` or `slope` of a pointwise encoding takes, for one output.
    fn arguments(&self, place: &Place, j: usize) -> String {
        let (of_point, dimensions) = (place.encoding.of_point(), place.encoding.dimensions());
        let dimensions = dimensions.unwrap_or(1);
        let point = self.point(place.inputs.start + j / of_point * dimensions, dimensions);
        let [a, b] = place.encoding.numbers().map(to_f32);
        format!("{point}, {}u, vec2<f32>({a:?}f, {b:?}f)", j % of_point)
    }

    /// The name that the functions of a grid begin with.
    fn grid_prefix(&self, part: usize) -> String {
        format!("{}_part{part}", self.function.name)
    }

    /// The function `which` of a grid for each chunk of a level's features: what it is called with, and
    /// the first output.
    fn grid_calls(&self, part: usize, place: &Place, grid: &Grid) -> Vec<(String, usize)> {
        let f = self.function;
        let prefix = self.grid_prefix(part);
        let point = self.point(place.inputs.start, place.inputs.len());
        let (features, chunk) = (grid.features_per_level as usize, grid.chunk() as usize);
        let (base, model) = match f.which {
            Which::Fixed(model) => ("", model),
            Which::Argument => ("base + ", 0),
        };
        let at = model * f.mlp.parameters() + place.tables.start;
        let levels = grid.levels(place.inputs.len());
        let calls = levels.iter().enumerate().flat_map(|(l, level)| {
            let level = format!("{prefix}_{}", level.literal());
            let call = move |c| (format!("{level}, {base}{}u", at + c), l * features + c);
            (0..features).step_by(chunk).map(call)
        });
        calls.map(|(rest, j)| (format!("{point}, {rest}"), place.outputs.start + j)).collect()
    }

    /// The first layer's inputs as vectors `y0_…`: the function's own, or what its encoding makes of
    /// them.
    fn first_inputs(&mut self) {
        let f = self.function;
        if f.mlp.encoding.is_empty() {
            self.argument("y0", "x", f.mlp.inputs);
            return;
        }
        let mut words = Vec::new();
        for (part, place) in places(f.mlp).iter().enumerate() {
            if let Encoding::Grid(grid) = &place.encoding {
                let prefix = self.grid_prefix(part);
                let chunk = grid.chunk() as usize;
                for (call, first) in self.grid_calls(part, place, grid) {
                    self.line(format!("    let g{first} = {prefix}_grid_value({call});"));
                    let name = format!("g{first}");
                    words.extend((0..chunk).map(|i| component(&name, i, chunk)));
                }
            } else {
                let name = format!("{}_{}", f.name, place.encoding.name());
                for j in 0..place.outputs.len() {
                    words.push(format!("{name}_value({})", self.arguments(place, j)));
                }
            }
        }
        if f.f16 {
            words.iter_mut().for_each(|word| *word = format!("f16({word})"));
        }
        for (c, words) in words.chunks(4).enumerate() {
            self.vector_line(&format!("y0_{c}"), words);
        }
    }

    /// The gradient of the inputs from `delta(j)`, that of the encoding's output j.
    fn input_gradient(&mut self, delta: &dyn Fn(usize) -> String) {
        let f = self.function;
        self.line(format!("    var dx = array<f32, {}>();", f.mlp.inputs));
        let delta = |j| if f.f16 { format!("f32({})", delta(j)) } else { delta(j) };
        for (part, place) in places(f.mlp).iter().enumerate() {
            let (calls, dimensions) = if let Encoding::Grid(grid) = &place.encoding {
                let (prefix, chunk) = (self.grid_prefix(part), grid.chunk() as usize);
                let call = |(call, first): (String, usize)| {
                    let dy: Vec<_> = (first..first + chunk).map(&delta).collect();
                    let dy = format!("{prefix}_GridFeatures({})", dy.join(", "));
                    (format!("{prefix}_grid_vjp({call}, {dy})"), first, place.inputs.start)
                };
                let calls: Vec<_> =
                    self.grid_calls(part, place, grid).into_iter().map(call).collect();
                (calls, place.inputs.len())
            } else {
                let name = format!("{}_{}_derivative", f.name, place.encoding.name());
                let dimensions = place.encoding.dimensions().unwrap_or(1);
                let call = |j: usize| {
                    let to = place.inputs.start + j / place.encoding.of_point() * dimensions;
                    let dy = delta(place.outputs.start + j);
                    (format!("{dy} * {name}({})", self.arguments(place, j)), j, to)
                };
                ((0..place.outputs.len()).map(call).collect(), dimensions)
            };
            for (call, first, to) in calls {
                self.line(format!("    let s{part}_{first} = {call};"));
                for d in 0..dimensions {
                    let c = component("", d, 3);
                    self.line(format!("    dx[{}] += s{part}_{first}{c};", to + d));
                }
            }
        }
        self.line("    return dx;");
    }

    /// `for (var i = 0u; i < count; i++) { to[i] = from; }`
    fn copy(&mut self, to: &str, count: usize, from: &str) {
        self.line(format!("    for (var i = 0u; i < {count}u; i++) {{ {to}[i] = {from}; }}"));
    }

    /// `sum += Σ weight(k) · vector[k]` over `count` terms, eight an iteration.
    fn sum(&mut self, count: usize, weight: &dyn Fn(&Self, &str) -> String, vector: &str) {
        let whole = count / TERMS * TERMS;
        if whole > 0 {
            self.line(format!("        for (var k = 0u; k < {whole}u; k += {TERMS}u) {{"));
            for i in 0..TERMS {
                let k = format!("k + {i}u");
                let line = format!("            sum += {} * {vector}[{k}];", weight(self, &k));
                self.line(line);
            }
            self.line("        }");
        }
        for k in whole..count {
            let line =
                format!("        sum += {} * {vector}[{k}];", weight(self, &format!("{k}u")));
            self.line(line);
        }
    }

    fn looped(&mut self, gradient: bool) {
        let f = self.function;
        let (mlp, ranges, scalar) = (f.mlp, f.mlp.ranges(), f.scalar());
        self.line(format!("    var y0: array<{scalar}, {}>;", mlp.layer_inputs(0)));
        if mlp.encoding.is_empty() {
            self.copy("y0", mlp.inputs, &format!("{scalar}(x[i])"));
        } else {
            self.first_inputs();
            for (c, chunk) in chunks(mlp.layer_inputs(0)).enumerate() {
                for i in 0..chunk.len {
                    let word = component(&format!("y0_{c}"), i, chunk.len);
                    self.line(format!("    y0[{}] = {word};", chunk.first + i));
                }
            }
        }
        for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate() {
            let [units, inputs] = range.shape;
            let (weight, next) = (range.weight.start, l + 1);
            let keeps = gradient && layer.activation.saves() == Saved::Input;
            self.line(format!("    var y{next}: array<{scalar}, {units}>;"));
            if keeps {
                self.line(format!("    var z{next}: array<{scalar}, {units}>;"));
            }
            self.line(format!("    for (var j = 0u; j < {units}u; j++) {{"));
            self.line(format!("        var sum = {};", self.load_at(range.bias.start, "j")));
            let row = |w: &Self, k: &str| w.load_at(weight, &format!("j * {inputs}u + {k}"));
            self.sum(inputs, &row, &format!("y{l}"));
            if keeps {
                self.line(format!("        z{next}[j] = sum;"));
            }
            self.line(format!(
                "        y{next}[j] = {};",
                self.apply(layer.activation, "value", "sum")
            ));
            self.line("    }");
        }
        let last = mlp.layers.len();
        let (name, units) = if gradient {
            let from = if mlp.outputs() == 1 { "1.0".into() } else { format!("{scalar}(dy[i])") };
            self.line(format!("    var e{last}: array<{scalar}, {}>;", mlp.outputs()));
            self.copy(&format!("e{last}"), mlp.outputs(), &from);
            for (l, (layer, range)) in mlp.layers.iter().zip(&ranges).enumerate().rev() {
                let [units, inputs] = range.shape;
                let (weight, next) = (range.weight.start, l + 1);
                if layer.activation != Activation::Identity {
                    let saved = if layer.activation.saves() == Saved::Output { "y" } else { "z" };
                    let slope =
                        self.apply(layer.activation, "derivative", &format!("{saved}{next}[i]"));
                    self.copy(&format!("e{next}"), units, &format!("e{next}[i] * {slope}"));
                }
                self.line(format!("    var e{l}: array<{scalar}, {inputs}>;"));
                self.line(format!("    for (var j = 0u; j < {inputs}u; j++) {{"));
                self.line(format!("        var sum = {scalar}(0.0);"));
                let column =
                    |w: &Self, k: &str| w.load_at(weight, &format!("({k}) * {inputs}u + j"));
                self.sum(units, &column, &format!("e{next}"));
                self.line(format!("        e{l}[j] = sum;\n    }}"));
            }
            if !mlp.encoding.is_empty() {
                self.input_gradient(&|j| format!("e0[{j}]"));
                return;
            }
            ("e0".to_owned(), mlp.inputs)
        } else {
            (format!("y{last}"), mlp.outputs())
        };
        self.line(format!("    var result: array<f32, {units}>;"));
        self.copy("result", units, &format!("f32({name}[i])"));
        self.line("    return result;");
    }

    /// The functions of each grid, with its own constants and its own way to the tables.
    fn grids(&mut self) {
        let f = self.function;
        for (part, place) in places(f.mlp).iter().enumerate() {
            let Encoding::Grid(grid) = &place.encoding else { continue };
            let prefix = self.grid_prefix(part);
            let piece = place.encoding.wgsl();
            let mut text = grid.constants(place.inputs.len());
            let chunk = grid.chunk() as usize;
            let name = format!("{}_parameters", f.name);
            let model = if let Which::Fixed(model) = f.which { model } else { 0 };
            let first = model * f.mlp.parameters();
            let body = if f.fours() && chunk == 4 && first.is_multiple_of(4) {
                format!("return {name}[at / 4u];")
            } else if f.fours() && chunk == 2 && first.is_multiple_of(2) {
                format!("let w = {name}[at / 4u]; return select(w.xy, w.zw, at % 4u == 2u);")
            } else {
                let word = |i: usize| match f.fours() {
                    true => format!("{name}[(at + {i}u) / 4u][(at + {i}u) % 4u]"),
                    false => format!("{name}[at + {i}u]"),
                };
                let words: Vec<_> = (0..chunk).map(word).collect();
                format!("return GridFeatures({});", words.join(", "))
            };
            let _ = writeln!(text, "fn grid_features(at: u32) -> GridFeatures {{ {body} }}");
            text.push_str(piece.text);
            for need in piece.needs {
                text.push_str(need.text);
            }
            self.text.push_str(&prefixed(&text, &prefix));
        }
    }

    /// The activation functions that are called, and what they call, under names of this function's
    /// own.
    fn activations(&mut self) {
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
        self.text.push_str(&prefixed(&text, &f.name));
    }
}

/// `text` with `prefix_` before each name that it defines, wherever it stands.
fn prefixed(text: &str, prefix: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let defined: Vec<&str> = text
        .lines()
        .filter_map(|line| {
            let mut keywords = ["fn ", "const ", "alias ", "struct "].into_iter();
            keywords.find_map(|keyword| line.strip_prefix(keyword))
        })
        .filter_map(|rest| rest.split(|c| !is_word(c)).next())
        .collect();
    let mut result = String::with_capacity(text.len() + text.len() / 4);
    for line in text.lines().filter(|line| !line.starts_with("//")) {
        let mut rest = line;
        while let Some(start) = rest.find(is_word) {
            let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |n| start + n);
            result.push_str(&rest[..start]);
            if defined.contains(&&rest[start..end]) {
                result.push_str(prefix);
                result.push('_');
            }
            result.push_str(&rest[start..end]);
            rest = &rest[end..];
        }
        result.push_str(rest);
        result.push('\n');
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Init;

    fn mlp(width: usize) -> Mlp {
        Mlp::new(2).layer(width, Activation::Gelu).layer(1, Activation::Sigmoid)
    }

    #[test]
    fn every_function_of_a_piece_gets_the_prefix_and_nothing_else_does() {
        let text = "// sigmoid\nfn sigmoid_value(z: f32) -> f32 {\n    return logistic(z);\n}\nfn logistic(z: f32) -> f32 { let sigmoid = 1; return exp(z); }";
        let renamed = prefixed(text, "net");
        assert!(renamed.contains("fn net_sigmoid_value(z: f32)"), "{renamed}");
        assert!(renamed.contains("return net_logistic(z);"), "{renamed}");
        assert!(renamed.contains("let sigmoid = 1; return exp(z);"), "{renamed}");
        assert!(!renamed.contains("//"), "{renamed}");
    }

    /// Whatever is called and not defined in the text is one of [`TAKEN`].
    #[test]
    fn every_builtin_that_is_called_is_taken() {
        let bare = |activation: &Activation| (Mlp::new(2), *activation);
        let encoded = |encoding: Encoding| {
            let inputs = if encoding.check(2).is_ok() { 2 } else { 3 };
            (Mlp::new(inputs).encode(inputs, encoding), Activation::Relu)
        };
        let all = Activation::ALL.iter().map(bare);
        for (start, activation) in all.chain(Encoding::all().into_iter().map(encoded)) {
            for width in [5, MAX_WRITTEN_OUT + 1] {
                let mlp = start.clone().layer(width, activation).layer(2, activation);
                let text = mlp.wgsl("net").any_model().gradient().f16().text().unwrap();
                let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                for (at, _) in text.match_indices(['(', '<']) {
                    let start = text[..at].rfind(|c| !is_word(c)).map_or(0, |i| i + 1);
                    let word = &text[start..at];
                    let own = word == "net" || word.starts_with("net_");
                    let attribute = word.is_empty() || ["group", "binding"].contains(&word);
                    let number = word.starts_with(|c: char| c.is_ascii_digit());
                    assert!(own || attribute || number || TAKEN.contains(&word), "{word}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let mlp = mlp(3);
        for name in ["", "3d", "a b", "a-b", "größe", "_x", "loop", "dot"] {
            assert!(mlp.wgsl(name).text().is_err(), "{name:?}");
        }
        assert!(mlp.wgsl("f").model(1).text().is_err());
        assert!(mlp.wgsl("f").models(2).model(1).text().is_ok());
        assert!(Mlp::new(2).wgsl("f").text().is_err());
        let drawn = |width| Init::Auto.sample(&self::mlp(width), 1, 0).unwrap();
        assert!(drawn(MAX_WRITTEN_OUT).wgsl("f").text().is_ok());
        assert!(drawn(MAX_WRITTEN_OUT + 1).wgsl("f").text().is_err());
        assert!(drawn(3).wgsl("f").any_model().text().is_err());
        assert!(drawn(3).wgsl("f").loops().text().is_err());
        assert!(mlp.wgsl("f").loops().uniform().text().is_err());
        assert!(mlp.wgsl("f").loops().text().unwrap().contains("for ("));
        let large = |value: f32| {
            let mut values = drawn(3).values().to_vec();
            values[4] = value;
            Parameters::new(self::mlp(3), 1, values)
        };
        assert!(large(65_504.0).unwrap().wgsl("f").f16().text().is_ok());
        assert!(large(65_505.0).unwrap().wgsl("f").f16().text().is_err());
        assert!(large(65_505.0).unwrap().wgsl("f").text().is_ok());
        assert!(mlp.wgsl("f").uniform().text().unwrap().contains("var<uniform> f_parameters"));
        assert!(mlp.wgsl("f").uniform().any_model().text().is_err());
        assert!(self::mlp(MAX_WRITTEN_OUT + 1).wgsl("f").uniform().text().is_err());
        // 13 parameters: 1,260 models are 65,520 bytes.
        assert!(mlp.wgsl("f").models(1260).uniform().text().is_ok());
        assert!(mlp.wgsl("f").models(1261).uniform().text().is_err());
        let huge = Mlp::new(900).layer(900, Activation::Relu).layer(1, Activation::Identity);
        let message = huge.wgsl("f").text().unwrap_err().to_string();
        assert!(message.contains("iterations"), "{message}");
    }
}

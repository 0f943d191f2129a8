//! Evaluates a network at rows, each in one invocation, whatever the number of rows: its outputs, the
//! slope of their sum, the slope's length. The network is the WGSL function that an application's own
//! shader would call; the reference is [`Parameters::predict`](crate::Parameters::predict).

pub mod buffer;
pub mod textures;

use crate::error::{Error, Result};
use crate::export::WgslFunction;
use crate::kernels::dispatch::Counted;
use crate::kernels::measure::texture::{Texel, channels};
use crate::kernels::{Dispatch, MAX_OPERATIONS, Variant, check_positive, volume};
use crate::network::{Activation, Mlp, Storage};
use crate::numeric::{narrow, to_u32, wide};
use crate::wgsl::{MAGNITUDE, Writer, shader_struct};
use std::mem::offset_of;
use std::ops::Range;

/// The slot of the layers alone: a part of the parameters' buffer, bound once more. What is there is not
/// read unless [`Infer::layers`] says so.
pub const LAYERS: &str = "network__layers";

/// The largest number of textures: what every device of WebGPU binds.
pub const MAX_TEXTURES: usize = 4;

shader_struct! {
    /// `inputs` is `[all_rows, inputs]`, `outputs` `[models, all_rows, columns]`.
    pub Parameters {
        /// The number of models.
        models: u32,
        /// Rows of a model in this dispatch.
        rows: u32,
        /// Rows of a model in the buffer of outputs.
        all_rows: u32,
        /// The first row of this dispatch.
        first: u32,
        /// Texels of a row of the textures.
        width: u32,
        /// The rows of this dispatch that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// What an inference writes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantity {
    /// The network's outputs: a column each.
    Outputs,
    /// The slope of the outputs' sum with respect to the inputs: a column for each input.
    Slope,
    /// The length of the slope: one column.
    SlopeLength,
}

impl Quantity {
    /// Its columns.
    pub fn columns(self, mlp: &Mlp) -> usize {
        match self {
            Self::Outputs => mlp.outputs(),
            Self::Slope => mlp.inputs,
            Self::SlopeLength => 1,
        }
    }
}

/// How the text of the network is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// Each unit by itself: it stays in a register.
    WrittenOut,
    /// Loops over the units, in arrays.
    Loops,
}

/// How the parameters are loaded from their buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loads {
    /// One by one.
    Words,
    /// In vectors of four words: the buffer holds whole ones.
    Vectors,
    /// In vectors of four words; the layers of one model from a uniform buffer where it can hold them. An
    /// instruction of NVIDIA's reads a uniform operand where it stands; a load from storage takes several.
    Uniform,
}

/// Describes an evaluation of a network.
#[derive(Debug, Clone, Copy)]
pub struct Infer<'a> {
    /// The network.
    pub mlp: &'a Mlp,
    /// How its text is written.
    pub form: Form,
    /// How its parameters are stored.
    pub storage: Storage,
    /// How its parameters are loaded.
    pub loads: Loads,
    /// Rows of an invocation, which share each parameter that it loads.
    pub block: usize,
    /// What is written, column after column.
    pub quantities: &'a [Quantity],
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// The formats of the textures that are written, and the texels of one of their rows. With none it
    /// is a buffer.
    pub textures: &'a [Texel],
}

impl Infer<'_> {
    /// The columns of a row.
    pub fn columns(&self) -> usize {
        self.quantities.iter().map(|quantity| quantity.columns(self.mlp)).sum()
    }

    fn has_slope(&self) -> bool {
        self.quantities.iter().any(|quantity| *quantity != Quantity::Outputs)
    }

    /// The network as a function of the kernel's.
    fn function(&self) -> WgslFunction<'_> {
        let function = self.mlp.wgsl("network").models(self.models).storage(self.storage);
        let function = if self.has_slope() { function.gradient() } else { function };
        let function = if self.models > 1 { function.any_model() } else { function };
        let function = if self.form == Form::Loops { function.loops() } else { function };
        match self.loads {
            Loads::Words => function.scalars(),
            // A model's index, which differs from lane to lane, is slow in a uniform buffer.
            Loads::Uniform if self.models == 1 => function.uniform_if_it_fits(),
            _ => function,
        }
    }

    /// The bytes of the parameters that the slot [`LAYERS`] holds, where it is read.
    pub fn layers(&self) -> Option<Range<u64>> {
        let function = self.function();
        function.are_layers_apart().then(|| function.uniform_range())
    }

    /// The operations of a row, of all models.
    fn operations(&self) -> u64 {
        let of_layers: usize = self.mlp.ranges().iter().map(|r| r.weight.len()).sum();
        // The forward pass, and the forward and backward pass of a slope.
        let passes = if self.has_slope() { 3 } else { 1 };
        let encoded = wide(self.mlp.layer_inputs(0)) << 4;
        let one = 2 * wide(of_layers) + if self.mlp.encoding.is_empty() { 0 } else { encoded };
        wide(self.models).saturating_mul(passes * one.max(1))
    }

    /// The dispatches: one, unless the rows are so many that it would run for too long.
    ///
    /// # Errors
    /// No columns, or more than the textures' channels; the errors of
    /// [`WgslFunction::text`]; a size that does not fit in the shader's `u32`.
    pub fn dispatches(&self) -> Result<Vec<Dispatch>> {
        let Self { mlp, models, rows, textures: texels, .. } = *self;
        let columns = self.columns();
        for (what, size) in [("models", models), ("rows", rows), ("columns", columns)] {
            check_positive(&format!("the number of {what} of an inference"), size)?;
        }
        to_u32("the inputs of an inference", volume(&[rows, mlp.inputs]))?;
        to_u32("the values of an inference", volume(&[models, rows, columns]))?;
        let n = |value: usize| to_u32("a size of an inference", wide(value));
        check_textures(texels, columns)?;
        let variant = self.variant()?;
        let kernel = if texels.is_empty() { &buffer::KERNEL } else { &textures::KERNEL };
        check_positive("the number of rows of an invocation", self.block)?;
        let most = narrow(MAX_OPERATIONS / self.operations()).max(1);
        let iterations = wide(self.function().iterations()).saturating_mul(wide(self.block));
        let width = texels.first().map_or(1, |texel| texel.width);
        let slices = (0..rows).step_by(most).map(|first| {
            let now = most.min(rows - first);
            let p = Parameters {
                models: n(models)?,
                rows: n(now)?,
                all_rows: n(rows)?,
                first: n(first)?,
                width,
                count: n(now)?,
            };
            let (all, blocks) =
                (volume(&[models, now]), volume(&[models, now.div_ceil(self.block)]));
            let read = volume(&[now, mlp.inputs]) + volume(&[models, mlp.parameters()]);
            let count = Counted::Rows { at: offset_of!(Parameters, count), first, each: 1 };
            let dispatch = Dispatch::over(kernel, &p, blocks, iterations).with(variant.clone());
            let operations = wide(now).saturating_mul(self.operations());
            Ok(dispatch.costing(read, all * wide(columns), operations).counting(count))
        });
        slices.collect()
    }

    /// The generated text: the network, the loading of a row, and the storing of its columns.
    fn variant(&self) -> Result<Variant> {
        let function = self.function();
        let (inputs, outputs, columns) = (self.mlp.inputs, self.mlp.outputs(), self.columns());
        let mut w = Writer::default();
        w.push(&function.definitions()?);
        w.constant("ROW_INPUTS", to_u32("the inputs", wide(inputs))?);
        w.constant("COLUMNS", to_u32("the columns", wide(columns))?);
        let elements: Vec<_> = (0..inputs).map(|i| format!("inputs[at + {i}u]")).collect();
        w.function(format_args!("row_inputs(at: u32) -> array<f32, {inputs}>"), |w| {
            w.line(format_args!("return array<f32, {inputs}>({});", elements.join(", ")));
        });
        w.constant("BLOCK_ROWS", to_u32("the rows of an invocation", wide(self.block))?);
        w.function("infer_rows(model: u32, row: u32)", |w| {
            // Rows beyond the last are the last one, once more.
            w.line("let last = params.count - 1u;");
            for i in 0..self.block {
                w.line(format_args!("let row{i} = params.first + min(row + {i}u, last);"));
                w.line(format_args!(
                    "let y{i} = evaluate(row_inputs(row{i} * ROW_INPUTS), model);"
                ));
            }
            // All loads come before the first store: a compiler may then share them.
            (0..self.block).for_each(|i| w.line(format_args!("store_row(model, row{i}, y{i});")));
        });
        let model = if self.models > 1 { ", model" } else { "" };
        let signature =
            format!("evaluate(x: array<f32, {inputs}>, model: u32) -> array<f32, {columns}>");
        w.function(signature, |w| {
            if self.quantities.contains(&Quantity::Outputs) {
                w.line(format_args!("let y = network(x{model});"));
            }
            if self.has_slope() {
                let ones = vec!["1.0"; outputs].join(", ");
                let dy = format!(", array<f32, {outputs}>({ones})");
                let dy = if outputs == 1 { "" } else { &dy };
                w.line(format_args!("let dx = network_gradient(x{dy}{model});"));
            }
            let of = |quantity: &Quantity| match quantity {
                Quantity::Outputs => (0..outputs).map(|i| format!("y[{i}]")).collect(),
                Quantity::Slope => (0..inputs).map(|i| format!("dx[{i}]")).collect(),
                Quantity::SlopeLength => vec!["length_of(dx)".to_owned()],
            };
            let values: Vec<String> = self.quantities.iter().flat_map(of).collect();
            w.line(format_args!("return array<f32, {columns}>({});", values.join(", ")));
        });
        if self.quantities.contains(&Quantity::SlopeLength) {
            length(&mut w, inputs);
        }
        if self.textures.is_empty() {
            let head = format!("store_values(at: u32, values: array<f32, {columns}>)");
            w.function(head, |w| {
                (0..columns)
                    .for_each(|i| w.line(format_args!("outputs[at + {i}u] = values[{i}];")));
            });
        } else {
            self.store_texels(&mut w, columns);
        }
        let customs = self.mlp.layers.iter().map(|layer| layer.activation);
        let customs = customs.filter(|activation| matches!(activation, Activation::Custom(_)));
        let textures = self.textures.iter().map(|texel| texel.format).collect();
        let parameters = "network_parameters";
        let mut kinds = vec![(parameters, function.buffer_type().into())];
        let mut uniform = function.is_uniform().then_some(parameters);
        if function.are_layers_apart() {
            kinds.push((LAYERS, function.layers_type().into()));
            uniform = Some(LAYERS);
        }
        Ok(Variant {
            // An error in an application's own text shows it alone.
            pieces: customs.map(Activation::wgsl).chain([&MAGNITUDE]).collect(),
            generated: w.finish(),
            kinds,
            uniform,
            textures,
            ..Variant::default()
        })
    }

    /// The function that stores a row's columns as texels, and what is left of them as 0, alpha as 1.
    fn store_texels(&self, w: &mut Writer, columns: usize) {
        let head =
            format!("store_texels(at: vec2<u32>, layer: u32, values: array<f32, {columns}>)");
        w.function(head, |w| {
            let mut next = 0..columns;
            for (i, texel) in self.textures.iter().enumerate() {
                let mut parts = ["0.0", "0.0", "0.0", "1.0"].map(str::to_owned);
                for part in parts.iter_mut().take(channels(texel.format)) {
                    if let Some(column) = next.next() {
                        *part = format!("values[{column}]");
                    }
                }
                let parts = parts.join(", ");
                w.line(format_args!("textureStore(texels_{i}, at, layer, vec4<f32>({parts}));"));
            }
        });
    }
}

/// Checks that textures hold so many columns of a row, and that none is left over.
///
/// # Errors
/// [`Error::Argument`] names what is too many.
pub fn check_textures(textures: &[Texel], columns: usize) -> Result<()> {
    let Some((last, others)) = textures.split_last() else { return Ok(()) };
    textures.iter().try_for_each(Texel::check)?;
    if textures.len() > MAX_TEXTURES {
        let allowed = format!("at most {MAX_TEXTURES}");
        return Err(Error::argument("the textures of an inference", textures.len(), allowed));
    }
    let least: usize = others.iter().map(|texel| channels(texel.format)).sum();
    let most = least + channels(last.format);
    if !(least + 1..=most).contains(&columns) {
        let what = "the columns of an inference into textures";
        return Err(Error::argument(what, columns, format!("{} to {most}", least + 1)));
    }
    Ok(())
}

/// The length of a slope, which does not overflow where the slope does not.
fn length(w: &mut Writer, inputs: usize) {
    w.function(format_args!("length_of(dx: array<f32, {inputs}>) -> f32"), |w| {
        w.line("var bits = 0u;");
        for i in 0..inputs {
            w.line(format_args!("bits = max(bits, bitcast<u32>(dx[{i}]) & 0x7fffffffu);"));
        }
        w.line("let scale = scale_of(bits);");
        w.line("var sum = 0.0;");
        for i in 0..inputs {
            w.line(format_args!("sum += (dx[{i}] * scale) * (dx[{i}] * scale);"));
        }
        w.line("return sqrt(sum) * bitcast<f32>(exponent_of(bits) << 23u);");
    });
}

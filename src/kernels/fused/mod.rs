//! Forward, loss, backward and the weight gradients of a chunk of rows, in one dispatch whatever
//! the depth. This is the fully fused network of Müller, "Real-time Neural Radiance Caching for
//! Path Tracing" (2021), in f32 and for any GPU.
//!
//! A workgroup processes its chunk tile by tile. Between layers a tile stays in workgroup memory.
//! Each invocation holds four rows by four columns of a product in its registers, or four units by
//! four inputs of a weight gradient. The weights, and the rows for a weight gradient, are loaded in
//! blocks of the tile's size. What the backward pass needs of a tile is kept for that tile alone: the
//! workgroup's next tile overwrites it. [`super::step::reduce`] adds the chunks' sums. The result is
//! the layered plan's gradient; the reference is [`crate::CpuTrainer`].

pub mod slope;

use crate::error::{Error, Result};
use crate::kernels::dispatch::Counted;
use crate::kernels::step::reduce::MAX_SPLITS;
use crate::kernels::{
    Capabilities, Dispatch, Kernel, MAX_ITERATIONS, MAX_WORK, PARTIAL_BYTES, Slot, Variant,
    check_compiler, check_needs, check_positive, stride,
};
use crate::network::{Activation, Mlp, Saved};
use crate::numeric::{narrow, to_f32, to_u32, wide};
use crate::training::{Loss, Widths};
use crate::wgsl::{Writer, shader_struct};
use std::borrow::Cow;
use std::mem::offset_of;

/// `shaders/fused.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "fused" in "fused",
    Parameters,
    [LOSS_ROW, FUSED_TILE],
    [
        Slot::read("inputs"),
        Slot::read("targets"),
        Slot::read("parameters"),
        Slot::write("saved").with_type("array<vec4<f32>>"),
        Slot::write("partial_gradient"),
        Slot::write("partial_loss"),
        Slot::read("row_inputs"),
    ]
);

shader_struct! {
    /// `inputs` is `[sets, rows, inputs]`, after any encoding, `row_inputs` those before it, and
    /// `partial_loss` `[models, splits]`. `partial_gradient` is `[splits, models, parameters]`, each
    /// split padded to a multiple of four elements.
    pub Parameters {
        /// The number of models.
        models: u32,
        /// Rows of the batch.
        rows: u32,
        /// 1 where each model has its own inputs.
        own_inputs: u32,
        /// 1 where each model has its own targets.
        own_targets: u32,
        /// Rows of a workgroup.
        chunk: u32,
        /// The number of workgroups of a model.
        splits: u32,
        /// Elements from one partial gradient to the next.
        split_stride: u32,
        /// The first workgroup of this dispatch.
        first_group: u32,
        /// The weight of a row in the mean.
        scale: f32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The largest width that the kernel supports, of inputs, outputs and layers.
pub const MAX_WIDTH: usize = 128;

/// The number of workgroups of a step where there are enough rows: two for each core of a large GPU.
/// More would give more partial gradients to add up.
const GROUPS: usize = 256;

/// What a dispatch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Forward, loss and backward.
    Step,
    /// Forward: the outputs go to the slot `partial_gradient`, `[models, rows, outputs]`, and `saved`
    /// keeps what [`Part::Backward`] needs. The slots `targets` and `partial_loss` are not used.
    Forward,
    /// The loss and backward, from what [`Part::Forward`] has kept.
    Backward,
}

/// Describes the gradient of one step.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The network.
    pub mlp: &'a Mlp,
    /// The loss.
    pub loss: Loss,
    /// The number of models.
    pub models: usize,
    /// The number of data sets: 1, or one for each model.
    pub sets: usize,
    /// Whether each model has its own targets.
    pub own_targets: bool,
    /// Rows of the batch.
    pub batch: usize,
    /// What a dispatch does.
    pub part: Part,
    /// Whether `saved` holds at the end what the gradient of the inputs is made of: the gradient of
    /// the encoded inputs, or without an encoding the first layer's delta. It always holds the former
    /// where an encoding has tables, which learn from it.
    pub input_gradient: bool,
    /// Whether `saved` has a place for what [`slope`] keeps.
    pub slope: bool,
}

impl Shape<'_> {
    /// Whether `saved` holds the gradient of the encoded inputs at the end.
    fn keeps_input_delta(&self) -> bool {
        self.mlp.encoding_parameters() > 0 || (self.input_gradient && !self.mlp.encoding.is_empty())
    }

    /// Whether `saved` holds the first layer's delta at the end.
    fn keeps_first_delta(&self) -> bool {
        self.input_gradient && self.mlp.encoding.is_empty()
    }

    /// Whether `saved` has a place for every row, and not for a tile of each workgroup alone.
    fn saves_all(&self) -> bool {
        self.part != Part::Step
    }

    /// The width of the delta that `saved` holds at the end, or 0.
    fn delta_width(&self) -> usize {
        if self.slope {
            0
        } else if self.keeps_input_delta() {
            self.mlp.layer_inputs(0)
        } else if self.keeps_first_delta() {
            self.mlp.layers.first().map_or(0, |layer| layer.units)
        } else {
            0
        }
    }

    /// Whether the parameters can be read in vectors of four: each line of a layer's weights and each
    /// bias begins at a multiple of four elements.
    fn has_aligned_parameters(&self) -> bool {
        let fours = |n: usize| n.is_multiple_of(4);
        (self.models == 1 || fours(self.mlp.parameters()))
            && self.mlp.ranges().iter().all(|range| {
                let bias = range.bias.is_empty() || fours(range.bias.start);
                fours(range.weight.start) && bias && fours(range.shape[1])
            })
    }

    /// Whether each model has its own first-layer inputs: its own data, or the output of its own
    /// tables.
    fn own_inputs(&self) -> bool {
        self.sets > 1 || self.mlp.encoding_parameters() > 0
    }

    /// The number of rows of all models.
    const fn all_rows(&self) -> usize {
        self.models.saturating_mul(self.batch)
    }

    /// The multiply-adds of some rows, forward and backward; of a slope, of both gradients and the tangents.
    fn multiply_adds(&self, rows: usize) -> u64 {
        let products = if self.slope { 4 } else { 3 };
        wide(rows).saturating_mul(wide(self.of_layers())).saturating_mul(products)
    }

    /// The number of parameters of a model's layers, without the encoding's tables.
    fn of_layers(&self) -> usize {
        self.mlp.parameters() - self.mlp.encoding_parameters()
    }
}

/// The launch configuration: how the rows of a step are divided over workgroups.
#[derive(Debug, Clone, Copy)]
pub struct LaunchConfig {
    /// The widest layer, rounded up to a power of two of at least 16.
    width: usize,
    /// Rows of a workgroup.
    chunk: usize,
    /// The number of workgroups of a model.
    pub splits: usize,
    /// The length of the buffer `saved`, in elements.
    pub saved: usize,
    /// The range in `saved` of the delta that it holds at the end: the offset, and the elements from
    /// row to row.
    pub delta: [usize; 2],
}

/// The offsets of the layers' values in the buffer `saved`, in vectors of four elements of each row:
/// the rows of `saved` times them are the offsets. The shader's text does not depend on the rows.
struct SavedLayout {
    levels: Vec<usize>,
    kept: Vec<usize>,
    bends: Vec<usize>,
    end: usize,
}

impl SavedLayout {
    fn new(shape: Shape<'_>) -> Self {
        let mut end = 0_usize;
        let mut place = |units: usize| {
            let begin = end;
            end = end.saturating_add(units.div_ceil(4));
            begin
        };
        // The first layer's inputs are read from where they are.
        let (mut levels, mut kept) = (vec![0], Vec::new());
        let last = shape.mlp.layers.len().saturating_sub(1);
        for (l, layer) in shape.mlp.layers.iter().enumerate() {
            let level = if l < last { place(layer.units) } else { 0 };
            let keeps =
                if l < last { layer.activation.saves() == Saved::Input } else { shape.saves_all() };
            kept.push(if keeps { place(layer.units) } else { level });
            levels.push(level);
        }
        let bends =
            shape.mlp.layers.iter().map(|layer| if shape.slope { place(layer.units) } else { 0 });
        let bends = bends.collect();
        Self { levels, kept, bends, end }
    }
}

impl LaunchConfig {
    /// Chooses the launch configuration for a device.
    ///
    /// # Errors
    /// A requirement of the strategy is not met; the error names it.
    pub fn new(shape: Shape<'_>, capabilities: &Capabilities) -> Result<Self> {
        let Shape { mlp, models, batch, .. } = shape;
        mlp.check()?;
        for (what, size) in [("models", models), ("rows of a step", batch)] {
            check_positive(&format!("the number of {what}"), size)?;
        }
        let widest = mlp.widest();
        check_needs("fused", [("the widest layer", wide(widest), wide(MAX_WIDTH))])?;
        check_compiler("fused", mlp, capabilities)?;
        let limits = &capabilities.limits;
        let width = widest.next_power_of_two().max(16);
        let mut launch = Self { width, chunk: 0, splits: 1, saved: 0, delta: [0; 2] };
        check_needs(
            "fused",
            [
                (
                    "the bytes of workgroup memory",
                    launch.shared(),
                    limits.max_compute_workgroup_storage_size.into(),
                ),
                (
                    "the invocations of a workgroup",
                    wide(launch.workgroup()),
                    capabilities.max_workgroup().into(),
                ),
                (
                    "the storage buffers of a kernel",
                    7,
                    limits.max_storage_buffers_per_shader_stage.into(),
                ),
            ],
        )?;
        let tile = launch.tile_rows();
        let all = wide(shape.of_layers()).saturating_mul(wide(models));
        let room = PARTIAL_BYTES.min(capabilities.max_binding()) / all.max(1).saturating_mul(4);
        let room = narrow(room).clamp(1, MAX_SPLITS);
        let wanted = GROUPS.div_ceil(models).min(room);
        let mut tiles = batch.div_ceil(tile).div_ceil(wanted).max(1);
        let rows = |tiles: usize| tiles.saturating_mul(tile);
        let is_long = |tiles: usize| {
            let work = shape.multiply_adds(rows(tiles));
            launch.iterations(shape, tiles) > MAX_ITERATIONS || work > MAX_WORK
        };
        while tiles > 1 && is_long(tiles) {
            tiles = tiles.div_ceil(2);
        }
        check_needs(
            "fused",
            [
                (
                    "the iterations for a tile of rows",
                    launch.iterations(shape, tiles),
                    MAX_ITERATIONS,
                ),
                (
                    "the multiply-adds for a tile of rows",
                    shape.multiply_adds(rows(tiles)),
                    MAX_WORK,
                ),
            ],
        )?;
        launch.chunk = rows(tiles);
        launch.splits = batch.div_ceil(launch.chunk);
        if launch.splits > room {
            let what = "the partial gradients under the fused strategy";
            return Err(Error::argument(what, launch.splits, format!("at most {room}")));
        }
        launch.save(shape);
        let saved =
            ("the bytes kept for the weight gradients", 4_u64.saturating_mul(wide(launch.saved)));
        check_needs("fused", [(saved.0, saved.1, capabilities.max_binding())])?;
        Ok(launch)
    }

    /// Lays the buffer `saved` out.
    fn save(&mut self, shape: Shape<'_>) {
        let tiles = shape.models.saturating_mul(self.splits).saturating_mul(self.tile_rows());
        let rows = if shape.saves_all() { shape.all_rows() } else { tiles };
        let first = SavedLayout::new(shape).end.saturating_mul(rows).saturating_mul(4);
        let width = shape.delta_width().checked_next_multiple_of(4).unwrap_or(usize::MAX);
        self.delta = [first, width];
        self.saved = first.saturating_add(width.saturating_mul(shape.all_rows()));
    }

    /// The rows of a tile. A tile and a block of weights take at most 16 KiB of workgroup memory.
    const fn tile_rows(&self) -> usize {
        match self.width {
            0..=32 => 64,
            33..=64 => 32,
            _ => 16,
        }
    }

    const fn workgroup(&self) -> usize {
        self.tile_rows() / 4 * self.width / 4
    }

    fn shared(&self) -> u64 {
        4 * wide(2 * self.tile_rows() * self.width)
    }

    /// The iterations of all loops of one invocation for `tiles` tiles.
    fn iterations(&self, shape: Shape<'_>, tiles: usize) -> u64 {
        // The final test of a loop counts as an iteration too.
        let rows = self.tile_rows();
        let product = |inner: usize| {
            let blocks = inner.div_ceil(rows);
            blocks + 1 + inner.div_ceil(4) + blocks
        };
        let of_loss = shape.loss.iterations_of_row(Widths::of(shape.mlp));
        let of_loss = of_loss.min(narrow(MAX_ITERATIONS));
        // The stores of the outputs, and those of four units' gradient and of a bias.
        let mut a_tile = 1 + 4 * 5 + 2 * (shape.mlp.outputs() + 1) + of_loss;
        for range in shape.mlp.ranges() {
            let [units, inputs] = range.shape;
            let turns = units.div_ceil(rows);
            a_tile += 2 + product(inputs) + product(units);
            a_tile += rows / 4 + 1 + 5 + turns * (1 + rows / 8 + 1 + 4 * 5) + 1;
        }
        let passes = if shape.slope { 2 } else { 1 };
        wide(passes * a_tile).saturating_mul(wide(tiles)).saturating_add(wide(rows + 5))
    }
}

/// The dispatches of a step. There are several where one would exceed the limit of work.
///
/// # Errors
/// A size does not fit in the shader's `u32`.
pub fn dispatches(shape: Shape<'_>, launch: &LaunchConfig) -> Result<Vec<Dispatch>> {
    let Shape { mlp, loss, models, batch, .. } = shape;
    let n = |value: usize| to_u32("a size of a fused step", wide(value));
    let groups = wide(models) * wide(launch.splits);
    let p = shape.of_layers();
    let multiply_adds = shape.multiply_adds(launch.chunk);
    let most = (MAX_WORK / multiply_adds.max(1)).max(1);
    let iterations = launch.iterations(shape, launch.chunk / launch.tile_rows());
    let mut pieces = vec![loss.wgsl(Widths::of(mlp))];
    pieces.extend(mlp.layers.iter().map(|layer| layer.activation.wgsl()));
    let generated = generate(shape, launch)?;
    let kinds = Access::of(shape).kinds();
    let raw = if loss.reads_inputs() { mlp.inputs } else { 0 };
    let mut first = 0;
    let mut result = Vec::new();
    while first < groups {
        let now = most.min(groups - first);
        let parameters = parameters(shape, launch, first)?;
        // For each tile a workgroup reads all parameters, and adds to all of its gradient. Inputs and
        // saved values are read twice.
        let rows = now * wide(launch.chunk).min(wide(batch));
        let tiles = now * wide(launch.chunk.min(batch).div_ceil(launch.tile_rows()));
        let kept = 4 * wide(SavedLayout::new(shape).end);
        let delta = wide(launch.delta[1]);
        let variant = Variant {
            pieces: pieces.clone(),
            generated: generated.clone(),
            kinds: kinds.clone(),
            workgroup: Some(n(launch.workgroup())?),
            ..Variant::default()
        };
        let dispatch = Dispatch::new(&KERNEL, &parameters, now, iterations)
            .with(variant)
            .costing(
                (2 * tiles - now) * wide(p)
                    + rows * (wide(2 * mlp.layer_inputs(0) + mlp.outputs() + raw) + 2 * kept),
                rows * (kept + delta) + tiles * wide(p) + now,
                2 * now * multiply_adds,
            )
            .counting(Counted::Rows { at: offset_of!(Parameters, count), first: 0, each: 1 })
            .weighing(loss.mean(), offset_of!(Parameters, scale));
        result.push(dispatch);
        first += now;
    }
    Ok(result)
}

/// The parameters of a dispatch that begins with workgroup `first`.
fn parameters(shape: Shape<'_>, launch: &LaunchConfig, first: u64) -> Result<Parameters> {
    let Shape { mlp, loss, models, own_targets, batch, .. } = shape;
    let n = |value: usize| to_u32("a size of a fused step", wide(value));
    Ok(Parameters {
        models: n(models)?,
        rows: n(batch)?,
        own_inputs: u32::from(shape.own_inputs()),
        own_targets: u32::from(own_targets),
        chunk: n(launch.chunk)?,
        splits: n(launch.splits)?,
        split_stride: n(stride(models * shape.of_layers(), true))?,
        first_group: to_u32("the workgroups of a fused step", first)?,
        scale: to_f32(loss.scale(batch, mlp.outputs())),
        count: n(batch)?,
    })
}

/// Which buffers the kernel accesses in vectors of four elements. The others it accesses one by one.
struct Access {
    inputs: bool,
    parameters: bool,
    gradient: bool,
}

impl Access {
    fn of(shape: Shape<'_>) -> Self {
        let parameters = shape.has_aligned_parameters();
        Self {
            inputs: shape.mlp.layer_inputs(0).is_multiple_of(4),
            parameters,
            // In the forward pass it has the outputs.
            gradient: parameters && shape.part != Part::Forward,
        }
    }

    /// The types of the buffers.
    fn kinds(&self) -> Vec<(&'static str, Cow<'static, str>)> {
        let names = [
            ("inputs", self.inputs),
            ("parameters", self.parameters),
            ("partial_gradient", self.gradient),
        ];
        names.into_iter().filter(|(_, vec4)| *vec4).map(|(name, _)| (name, VEC4.into())).collect()
    }

    /// The functions that access them.
    fn wgsl(&self, w: &mut Writer) {
        four(w, "inputs", self.inputs);
        four(w, "parameters", self.parameters);
        let signature = "add_to_gradient(at: u32, count: u32, sums: vec4<f32>, begins: bool)";
        w.function(signature, |w| {
            if self.gradient {
                w.line("var result = sums;");
                w.block("if (!begins)", |w| w.line("result += partial_gradient[at / 4u];"));
                w.line("partial_gradient[at / 4u] = result;");
            } else {
                w.block("for (var c = 0u; c < min(count, 4u); c++)", |w| {
                    w.line("var result = sums[c];");
                    w.block("if (!begins)", |w| w.line("result += partial_gradient[at + c];"));
                    w.line("partial_gradient[at + c] = result;");
                });
            }
        });
        w.function("store_output(at: u32, value: f32)", |w| {
            if !self.gradient {
                w.line("partial_gradient[at] = value;");
            }
        });
    }
}

/// Defines the function that loads up to four adjacent elements of a buffer, which has vectors of four or
/// single elements.
fn four(w: &mut Writer, name: &str, vec4: bool) {
    w.function(format_args!("four_{name}(at: u32, count: u32) -> vec4<f32>"), |w| {
        if vec4 {
            w.line(format_args!("return {name}[at / 4u];"));
            return;
        }
        let parts = ["", " + min(1u, last)", " + min(2u, last)", " + min(3u, last)"];
        let parts = parts.map(|part| format!("{name}[at{part}]")).join(", ");
        w.line("let last = count - 1u;");
        w.line(format_args!("let values = vec4<f32>({parts});"));
        w.line("let places = vec4<u32>(0u, 1u, 2u, 3u);");
        w.line("return select(vec4<f32>(), values, places < vec4<u32>(count));");
    });
}

const VEC4: &str = "array<vec4<f32>>";

/// WGSL of the sizes, the layers and their activations.
fn generate(shape: Shape<'_>, launch: &LaunchConfig) -> Result<String> {
    let mlp = shape.mlp;
    let mut w = Writer::default();
    sizes_and_layers(&mut w, shape, launch)?;
    for (name, value) in [
        ("FORWARD", shape.part != Part::Backward),
        ("BACKWARD", shape.part != Part::Forward),
        ("KEEPS_FIRST_DELTA", shape.keeps_first_delta()),
        ("KEEPS_INPUT_DELTA", shape.keeps_input_delta()),
    ] {
        w.flag(name, value);
    }
    Access::of(shape).wgsl(&mut w);
    for (function, of) in [("values_of", "value"), ("derivatives_of", "derivative")] {
        let cases = hidden_cases(mlp, of);
        w.function(format_args!("{function}(l: u32, v: vec4<f32>) -> vec4<f32>"), |w| {
            if cases.is_empty() {
                w.line("return v;");
            } else {
                w.switch("l", &cases);
            }
        });
    }
    w.push(&shape.loss.splice(mlp.last_activation(), Widths::of(mlp)));
    Ok(w.finish())
}

/// WGSL of the sizes and the layers, for the kernels of a fused network.
fn sizes_and_layers(w: &mut Writer, shape: Shape<'_>, launch: &LaunchConfig) -> Result<()> {
    let mlp = shape.mlp;
    for (name, value) in [
        ("WORKGROUP", launch.workgroup()),
        ("TILE_ROWS", launch.tile_rows()),
        ("QUADS", launch.tile_rows() / 4),
        ("WIDTH4", launch.width / 4),
        ("LAYERS", mlp.layers.len()),
        ("PARAMETERS", mlp.parameters()),
        ("TABLES", mlp.encoding_parameters()),
        ("INPUTS", mlp.layer_inputs(0)),
        ("ROW_INPUTS", mlp.inputs),
        ("OUTPUTS", mlp.outputs()),
        ("DELTA", SavedLayout::new(shape).end),
    ] {
        w.constant(name, to_u32("a size of a fused step", wide(value))?);
    }
    w.flag("SAVES_ALL", shape.saves_all());
    let layout = SavedLayout::new(shape);
    let layers: Vec<_> = mlp
        .ranges()
        .iter()
        .enumerate()
        .map(|(l, range)| {
            let [units, inputs] = range.shape;
            let fields = [
                inputs,
                units,
                range.weight.start,
                if range.bias.is_empty() { u32::MAX as usize } else { range.bias.start },
                layout.levels[l],
                layout.levels[l + 1],
                layout.kept[l],
                layout.bends[l],
            ];
            let fields: Vec<_> = fields.iter().map(|field| format!("{field}u")).collect();
            (format!("{l}u"), format!("return Layer({});", fields.join(", ")))
        })
        .collect();
    w.function("layer_of(l: u32) -> Layer", |w| w.switch("l", &layers));
    Ok(())
}

/// For each activation of the hidden layers: the WGSL indices of its layers, and the call of its
/// function `of`. An activation appears once, however many layers use it.
fn hidden_cases(mlp: &Mlp, of: &str) -> Vec<(String, String)> {
    let hidden = &mlp.layers[..mlp.layers.len() - 1];
    let mut activations: Vec<Activation> = Vec::new();
    for layer in hidden {
        if !activations.contains(&layer.activation) {
            activations.push(layer.activation);
        }
    }
    let case = |activation: Activation| {
        let layers = hidden.iter().enumerate().filter(|(_, l)| l.activation == activation);
        let layers: Vec<_> = layers.map(|(l, _)| format!("{l}u")).collect();
        let name = activation.function();
        let parts = ["x", "y", "z", "w"].map(|c| format!("{name}_{of}(v.{c})"));
        (layers.join(", "), format!("return vec4<f32>({});", parts.join(", ")))
    };
    activations.into_iter().map(case).collect()
}

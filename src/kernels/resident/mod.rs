//! Many training steps of a small network in one dispatch, a model a workgroup.
//!
//! Rows are spread over the invocations, four at a time; each takes its rows forward and backward
//! with every parameter in a register and adds to a sum a parameter. At the end of a step the
//! sums of the invocations meet, so that invocation i ends with those of the parameters i,
//! i + W, i + 2W, … of W invocations; it updates these, and hands them to the others.
//!
//! The network is written out: no loop over units, no array, so that a compiler keeps everything in
//! registers. With subgroup operations the sums meet by halving (each invocation gives away half
//! of its sums and takes as many: n/2 + n/4 + … shuffles for n sums), else through workgroup memory.
//! What it computes is the layered plan's step; the reference is [`crate::CpuTrainer`].

use super::{Dispatch, Kernel, MAX_ITERATIONS, MAX_WORK, Slot, Variant, check_needs};
use crate::error::{Error, Result};
use crate::kernels::Capabilities;
use crate::network::{Mlp, activation::Saved};
use crate::numeric::{to_f32, to_u32, wide};
use crate::training::{Batch, Loss, Optimizer, half_bits};
use crate::wgsl::shader_struct;
use std::fmt::Write as _;

/// `shaders/resident.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "resident" in "resident",
    Parameters,
    [CURSOR, FINITE, SCHEDULE, LOSS_ROW, PERMUTATION],
    [
        Slot::HYPER,
        Slot::read("inputs"),
        Slot::read("targets"),
        Slot::write("parameters"),
        Slot::write("states"),
        Slot::write("losses"),
        Slot::STATUS,
    ]
);

shader_struct! {
    /// Buffers as the layered plan has them.
    pub Parameters {
        /// Steps of this dispatch.
        steps: u32,
        /// Models, a workgroup each.
        models: u32,
        /// Slots of the loss history, a ring.
        history: u32,
        /// 1 where each model has rows of its own.
        own_data: u32,
        /// The mini-batches' seed.
        seed: u32,
        /// Half the bits of their permutation's network; 0: the rows stay in order.
        half_bits: u32,
        /// The weight of a row in the mean.
        scale: f32,
    }
}

/// The most parameters of a model: with more, what is written out takes seconds to compile.
pub const MAX_PARAMETERS: usize = 512;

/// The widest layer, inputs and outputs included.
pub const MAX_WIDTH: usize = 32;

/// Parameters up to which the four rows are written out, side by side.
const UNROLLED: usize = 32;

/// Operations of one workgroup in one dispatch: a quarter of a second at 1 GFLOP/s.
const MODEL_OPERATIONS: u64 = 1 << 28;

/// Operations of one dispatch: as many as a matrix product's.
const MAX_OPERATIONS: u64 = 2 * MAX_WORK;

/// A training of many steps.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The network.
    pub mlp: &'a Mlp,
    /// The loss.
    pub loss: Loss,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Models.
    pub models: usize,
    /// 1, or one for each model.
    pub sets: usize,
    /// Rows of a set.
    pub rows: usize,
    /// Rows a step.
    pub batch: Batch,
    /// Slots of the loss history.
    pub history: usize,
    /// Whether the learning rate follows a schedule.
    pub scheduled: bool,
    /// Whether the parameters are averaged, which needs a dispatch a step.
    pub averaged: bool,
}

/// How the invocations of a workgroup meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reduction {
    /// The workgroup is one subgroup.
    Subgroup,
    /// Several subgroups of as many invocations.
    Subgroups(u32),
    /// Through workgroup memory alone.
    Memory,
}

/// Sizes of the shader, which are written into it.
struct LaunchConfig {
    width: u32,
    reduction: Reduction,
    batch: usize,
    /// Outputs that a loss walks over, 0 where they do not depend on each other.
    coupled: usize,
    /// Whether a block's four rows are written out.
    unrolled: bool,
    /// Whether the rows are drawn.
    draws: bool,
    /// Whether a full batch stays in workgroup memory.
    holds: bool,
}

const fn quads(rows: usize) -> usize {
    rows.div_ceil(4)
}

impl LaunchConfig {
    fn new(shape: Shape<'_>, capabilities: &Capabilities) -> Result<Self> {
        let Shape { mlp, rows, batch, .. } = shape;
        for (here, what) in [
            (!mlp.encoding.is_empty(), "an encoding"),
            (shape.averaged, "an average of the parameters"),
        ] {
            if here {
                let strategy = "the strategy of a training";
                let found = format!("resident, with {what}");
                return Err(Error::argument(strategy, found, "fused or layered"));
            }
        }
        let full = batch == Batch::Full;
        let batch = batch.size(rows)?;
        let limits = &capabilities.limits;
        let most = capabilities.max_workgroup();
        let wanted = u32::try_from(quads(batch).next_power_of_two()).unwrap_or(256).min(256);
        let mut width = wanted.clamp(32, most.max(32));
        let reduction = match capabilities.subgroup {
            // On a CPU every further subgroup is a coroutine, and what they share is slow.
            Some(size @ 8..=64) if capabilities.software && size.is_power_of_two() => {
                width = size;
                Reduction::Subgroup
            }
            Some(size @ 4..=64) if !capabilities.software && size.is_power_of_two() => {
                width = width.max(size);
                if width == size { Reduction::Subgroup } else { Reduction::Subgroups(size) }
            }
            _ => {
                if capabilities.software {
                    width = 8;
                }
                Reduction::Memory
            }
        };
        let coupled = if shape.loss.couples_outputs() { mlp.outputs() } else { 0 };
        let mut launch = Self {
            width,
            reduction,
            batch,
            coupled,
            unrolled: mlp.parameters() <= UNROLLED,
            draws: !full,
            holds: false,
        };
        let values = mlp.parameters() + 1;
        let room = u64::from(limits.max_compute_workgroup_storage_size);
        // Less parallel where the sums of all subgroups would not fit.
        while launch.shared(values) > room && launch.width > 32 {
            launch.width /= 2;
            if launch.reduction == Reduction::Subgroups(launch.width) {
                launch.reduction = Reduction::Subgroup;
            }
        }
        let held = 16 * wide((mlp.inputs + mlp.outputs()) * launch.held_rows());
        launch.holds = full && launch.shared(values) + held <= room;
        let storage = limits.max_storage_buffers_per_shader_stage;
        check_needs(
            "resident",
            [
                ("the parameters of a model", wide(mlp.parameters()), wide(MAX_PARAMETERS)),
                ("the widest layer", wide(mlp.widest()), wide(MAX_WIDTH)),
                ("the bytes of workgroup memory", launch.shared(values), room),
                ("the invocations of a workgroup", u64::from(launch.width), u64::from(most)),
                ("the storage buffers of a kernel", 6, u64::from(storage)),
                ("the rows of a step", wide(launch.iterations()), wide(MAX_ITERATIONS)),
            ],
        )?;
        Ok(launch)
    }

    /// Sums that each invocation ends with.
    fn slots(&self, values: usize) -> usize {
        values.div_ceil(self.width as usize)
    }

    /// Bytes of workgroup memory without the rows.
    fn shared(&self, values: usize) -> u64 {
        let width = self.width as usize;
        let all = 4 * wide(self.slots(values) * width) + 8;
        16 + match self.reduction {
            Reduction::Subgroup => 0,
            Reduction::Subgroups(size) => {
                let size = size as usize;
                all + 4 * wide(width / size * values.next_multiple_of(size))
            }
            Reduction::Memory => 2 * all + 4 * wide(9 * width),
        }
    }

    const fn blocks(&self) -> usize {
        quads(self.batch).div_ceil(self.width as usize)
    }

    /// Elements of four rows that a feature has room for: each invocation's own, block after block.
    const fn held_rows(&self) -> usize {
        self.blocks() * self.width as usize
    }

    /// Iterations of all loops in one step, the one that ends a loop among them: a block's own, its
    /// four rows', the two loops of a coupled loss over its outputs, and the permutation's walk,
    /// four rounds a try.
    const fn iterations(&self) -> usize {
        let rows = if self.unrolled { 0 } else { 5 };
        let coupled = if self.coupled > 0 { 4 * 2 * (self.coupled + 1) } else { 0 };
        let drawn = if self.draws { 4 * 6 * 6 } else { 0 };
        self.blocks() * (1 + rows + coupled + drawn) + 2
    }
}

/// Operations of a step of one model: a multiply-add is two, a call of an activation one.
fn operations(mlp: &Mlp, batch: usize) -> u64 {
    let rows = wide(batch);
    mlp.ranges()
        .iter()
        .enumerate()
        .map(|(layer, range)| {
            let (weights, units) = (wide(range.weight.len()), wide(range.bias.len()));
            let passes = if layer == 0 { 2 } else { 3 };
            rows * (2 * passes * weights + 4 * units)
        })
        .sum::<u64>()
        .saturating_add(2 * rows * wide(mlp.outputs()))
}

/// Whether the strategy is likely the fastest: the work of a step has to be too little to pay for
/// the launches of the other plans, or the models too many to need more than a workgroup each.
pub fn pays(shape: Shape<'_>, capabilities: &Capabilities) -> bool {
    let Ok(launch) = LaunchConfig::new(shape, capabilities) else { return false };
    // SwiftShader's compiler takes time and memory that explode with the values in registers: 3 s for 33
    // parameters, more than 30 for 49.
    let narrow = capabilities.software && capabilities.subgroup.is_none_or(|size| size < 8);
    if narrow && !launch.unrolled {
        return false;
    }
    let cost = operations(shape.mlp, launch.batch);
    let alone = if capabilities.software { 1 << 23 } else { 1 << 22 };
    cost <= alone || (shape.models >= 64 && cost <= 1 << 26)
}

/// The most steps that one dispatch may take.
///
/// # Errors
/// What makes the strategy impossible.
pub fn most_steps(shape: Shape<'_>, capabilities: &Capabilities) -> Result<u32> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let cost = operations(shape.mlp, launch.batch).max(1);
    let by_loops = wide(MAX_ITERATIONS / launch.iterations());
    let by_model = MODEL_OPERATIONS / cost;
    let by_all = MAX_OPERATIONS / cost.saturating_mul(wide(shape.models));
    // Losses are read before the ring comes round.
    let most = by_loops.min(by_model).min(by_all).min(wide(shape.history)).max(1);
    to_u32("the steps of a dispatch", most)
}

/// The dispatches that take each of `steps` steps: one shader, written once.
///
/// # Errors
/// What makes the strategy impossible; a size that a shader cannot count.
pub fn dispatches(
    shape: Shape<'_>,
    steps: &[u32],
    capabilities: &Capabilities,
) -> Result<Vec<Dispatch>> {
    let launch = LaunchConfig::new(shape, capabilities)?;
    let Shape { mlp, loss, optimizer, models, sets, rows, batch, history, .. } = shape;
    let n = |value: usize| to_u32("a size of a resident training", wide(value));
    let mut pieces = vec![loss.wgsl(), optimizer.wgsl()];
    pieces.extend(mlp.layers.iter().map(|layer| layer.activation.wgsl()));
    let variant = Variant {
        pieces,
        generated: Writer::new(shape, &launch).text()?,
        workgroup: Some(launch.width),
        ..Variant::default()
    };
    let all = wide(models) * wide(mlp.parameters()) * (1 + wide(optimizer.states()));
    let data = wide(models) * wide(launch.batch) * wide(mlp.inputs + mlp.outputs());
    let a_step = wide(models) * operations(mlp, launch.batch);
    steps
        .iter()
        .map(|steps| {
            let p = Parameters {
                steps: *steps,
                models: n(models)?,
                history: n(history)?,
                own_data: u32::from(sets > 1),
                seed: batch.seed().unwrap_or(0),
                half_bits: half_bits(n(rows)?, batch.seed()),
                scale: to_f32(loss.scale(launch.batch, mlp.outputs())),
            };
            let steps = u64::from(*steps);
            let passes = if launch.holds { 1 } else { steps };
            let (read, written) = (all + passes * data, all + steps * wide(models));
            Ok(Dispatch::new(&KERNEL, &p, wide(models)).with(variant.clone()).costing(
                read,
                written,
                steps * a_step,
            ))
        })
        .collect()
}

/// Writes the shader's own functions.
struct Writer<'a> {
    shape: Shape<'a>,
    launch: &'a LaunchConfig,
    text: String,
}

impl<'a> Writer<'a> {
    const fn new(shape: Shape<'a>, launch: &'a LaunchConfig) -> Self {
        Self { shape, launch, text: String::new() }
    }

    fn values(&self) -> usize {
        self.shape.mlp.parameters() + 1
    }

    fn slots(&self) -> usize {
        self.launch.slots(self.values())
    }

    fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// `fn name(parameters) -> result { … }`
    fn function(&mut self, signature: &str, body: impl FnOnce(&mut Self)) {
        self.line(format!("fn {signature} {{"));
        body(self);
        self.line("}");
    }

    fn text(mut self) -> Result<String> {
        let Shape { mlp, loss, optimizer, rows, .. } = self.shape;
        let LaunchConfig { width, batch, holds, .. } = *self.launch;
        let (values, slots) = (self.values(), self.slots());
        let updated = super::step::update::Shape {
            parameters: mlp.parameters(),
            models: self.shape.models,
            rows,
            batch,
            tables: 0,
            scheduled: self.shape.scheduled,
            padded: true,
        };
        let features = mlp.inputs + mlp.outputs();
        let held = if holds { features * self.launch.held_rows() } else { 1 };
        for (name, value) in [
            ("WORKGROUP", width as usize),
            ("PARAMETERS", mlp.parameters()),
            ("INPUTS", mlp.inputs),
            ("OUTPUTS", mlp.outputs()),
            ("ROWS", rows),
            ("BATCH", batch),
            ("BLOCKS", self.launch.blocks()),
            ("HELD_ROWS", self.launch.held_rows()),
            ("HELD", held),
            ("STATE_STRIDE", updated.state_stride()),
            ("LOSS_LANE", (values - 1) % width as usize),
        ] {
            let value = to_u32("a size of a resident training", wide(value))?;
            self.line(format!("const {name}: u32 = {value}u;"));
        }
        self.line(format!("const HOLDS: bool = {holds};"));
        self.line(format!("const ALONE: bool = {};", self.shape.models == 1));
        self.line(format!("const SCHEDULED: bool = {};", self.shape.scheduled));
        for i in 0..values {
            self.line(format!("var<private> sum{i}: f32;"));
        }
        for i in 0..values - 1 {
            self.line(format!("var<private> w{i}: f32;"));
        }
        for s in 0..slots {
            self.line(format!("var<private> total{s}: f32;\nvar<private> own{s}: f32;"));
            self.line(format!("var<private> state{s}: vec2<f32>;"));
        }
        self.text.push_str(&optimizer.splice());
        self.text.push_str(&loss.splice(mlp.last_activation()));
        self.share();
        self.reduce();
        self.broadcast();
        self.rows();
        Ok(self.text)
    }

    /// What each invocation does with its own parameters.
    fn share(&mut self) {
        let (slots, width) = (self.slots(), self.launch.width);
        let states = self.shape.optimizer.states();
        let index = |s: usize| format!("{}u + lane", s * width as usize);
        // One read and one write of each buffer in the text, in a loop that picks the slot: llvmpipe
        // takes milliseconds to compile each further one.
        let kept: Vec<(String, String)> = std::iter::once(("parameters[at]", "own", ""))
            .chain((0..states).map(|state| match state {
                0 => ("states[at]", "state", ".x"),
                _ => ("states[at + STATE_STRIDE]", "state", ".y"),
            }))
            .map(|(buffer, name, part)| (buffer.to_owned(), format!("{name}#{part}")))
            .collect();
        let at = format!("let at = model * PARAMETERS + s * {width}u + lane;");
        let inside = format!("if (s * {width}u + lane < PARAMETERS) {{");
        self.function("load()", |w| {
            w.line(format!("    for (var s = 0u; s < {slots}u; s++) {{"));
            w.line(format!("        {inside}"));
            w.line(format!("            {at}"));
            for (buffer, name) in &kept {
                w.line("            {");
                w.line(format!("                let value = {buffer};"));
                for s in 0..slots {
                    let name = name.replace('#', &s.to_string());
                    w.line(format!("                {name} = select({name}, value, s == {s}u);"));
                }
                w.line("            }");
            }
            w.line("        }\n    }");
        });
        self.function("store()", |w| {
            w.line(format!("    for (var s = 0u; s < {slots}u; s++) {{"));
            w.line(format!("        {inside}"));
            w.line(format!("            {at}"));
            for (buffer, name) in &kept {
                w.line("            {");
                w.line("                var value = 0.0;");
                for s in 0..slots {
                    let name = name.replace('#', &s.to_string());
                    w.line(format!("                value = select(value, {name}, s == {s}u);"));
                }
                w.line(format!("                {buffer} = value;\n            }}"));
            }
            w.line("        }\n    }");
        });
        self.function("loss_total() -> f32", |w| {
            w.line(format!("    return total{};", (w.values() - 1) / width as usize));
        });
        self.function("is_total_finite() -> bool", |w| {
            let all: Vec<_> = (0..slots).map(|s| format!("is_finite(total{s})")).collect();
            w.line(format!("    return {};", all.join(" && ")));
        });
        // Whether one of this lane's parameters would stop being finite; it is left as it was.
        self.function("update(frozen: bool, t: f32) -> bool", |w| {
            w.line("    var fails = false;");
            for s in 0..slots {
                w.line("    {");
                w.line(format!("        var state = state{s};"));
                w.line(format!("        let g = total{s} + hyper.l2 * own{s};"));
                w.line(format!("        let value = optimize(own{s}, g, &state, t);"));
                w.line(
                    "        let finite = is_finite(value) && is_finite(state.x) && is_finite(state.y);",
                );
                w.line(format!("        let concerns = !frozen && {} < PARAMETERS;", index(s)));
                w.line("        let take = finite && concerns;");
                w.line(format!("        own{s} = select(own{s}, value, take);"));
                w.line(format!("        state{s} = select(state{s}, state, take);"));
                w.line("        fails = fails || (concerns && !finite);");
                w.line("    }");
            }
            w.line("    return fails;");
        });
    }

    /// The sums of all invocations, and the word of all invocations.
    fn reduce(&mut self) {
        match self.launch.reduction {
            Reduction::Subgroup => {
                // What an invocation reads of the rows it has brought itself.
                self.function("begin()", |_| ());
                self.function("total()", |w| {
                    for (s, sum) in w.reduce_scatter(w.launch.width).into_iter().enumerate() {
                        w.line(format!("    total{s} = {sum};"));
                    }
                });
                self.function("in_any_lane(raised: bool) -> bool", |w| {
                    w.line("    var seen = select(0u, 1u, raised);");
                    let mut other = w.launch.width / 2;
                    while other > 0 {
                        w.line(format!("    seen |= subgroupShuffleXor(seen, {other}u);"));
                        other /= 2;
                    }
                    w.line("    return seen > 0u;");
                });
            }
            Reduction::Subgroups(size) => {
                self.shared_flags();
                let padded = self.values().next_multiple_of(size as usize);
                let groups = self.launch.width / size;
                let elements = groups as usize * padded;
                self.line(format!("var<workgroup> partial: array<f32, {elements}>;"));
                self.function("total()", |w| {
                    w.line(format!("    let at = lane / {size}u * {padded}u + lane % {size}u;"));
                    for (k, sum) in w.reduce_scatter(size).into_iter().enumerate() {
                        w.line(format!("    partial[at + {}u] = {sum};", k * size as usize));
                    }
                    w.line("    workgroupBarrier();");
                    for s in 0..w.slots() {
                        let first = s * w.launch.width as usize;
                        w.line(format!("    let v{s} = min({first}u + lane, {}u);", padded - 1));
                        let parts: Vec<_> = (0..groups as usize)
                            .map(|g| format!("partial[{}u + v{s}]", g * padded))
                            .collect();
                        w.line(format!("    total{s} = {};", parts.join(" + ")));
                    }
                });
            }
            Reduction::Memory => {
                self.shared_flags();
                let width = self.launch.width as usize;
                let (values, slots, parts) = (self.values(), self.slots(), width / 8);
                self.line(format!("var<workgroup> gathered: array<f32, {}>;", 8 * width));
                self.line(format!("var<workgroup> partial: array<f32, {width}>;"));
                self.line(format!("var<workgroup> totals: array<f32, {}>;", slots * width));
                self.function("total()", |w| {
                    // Eight sums at a time: an eighth of the invocations adds up each.
                    w.line(format!(
                        "    let part = lane / {parts}u * WORKGROUP + lane % {parts}u;"
                    ));
                    for first in (0..values).step_by(8) {
                        for i in first..values.min(first + 8) {
                            let at = (i - first) * width;
                            w.line(format!("    gathered[{at}u + lane] = sum{i};"));
                        }
                        w.line("    workgroupBarrier();");
                        let sums: Vec<_> =
                            (0..8).map(|j| format!("gathered[part + {}u]", j * parts)).collect();
                        w.line(format!("    partial[lane] = {};", sums.join(" + ")));
                        w.line("    workgroupBarrier();");
                        let sums: Vec<_> = (0..parts)
                            .map(|j| format!("partial[lane * {parts}u + {j}u]"))
                            .collect();
                        w.line("    if (lane < 8u) {");
                        w.line(format!("        totals[{first}u + lane] = {};", sums.join(" + ")));
                        w.line("    }");
                    }
                    w.line("    workgroupBarrier();");
                    for s in 0..slots {
                        let at = format!("min({}u + lane, {}u)", s * width, values - 1);
                        w.line(format!("    total{s} = totals[{at}];"));
                    }
                });
            }
        }
    }

    /// `in_any_lane` through workgroup memory. Two flags take turns: an invocation that is a
    /// barrier ahead raises the other one. They hold the number of the call, so that none has to be
    /// taken down.
    fn shared_flags(&mut self) {
        self.line("var<workgroup> flags: array<atomic<u32>, 2>;");
        self.line("var<private> calls: u32;");
        self.function("begin()", |w| {
            w.line("    if (lane < 2u) {");
            w.line("        atomicStore(&flags[lane], 0u);");
            w.line("    }");
            w.line("    workgroupBarrier();");
        });
        self.function("in_any_lane(raised: bool) -> bool", |w| {
            w.line("    calls += 1u;");
            w.line("    if (raised) {");
            w.line("        atomicStore(&flags[calls % 2u], calls);");
            w.line("    }");
            w.line("    workgroupBarrier();");
            w.line("    return atomicLoad(&flags[calls % 2u]) == calls;");
        });
    }

    /// The sums over a subgroup of `size`: one expression for each `size` of them, whose value in
    /// lane i is the sum i. Each round gives half of what is left to the lane across.
    fn reduce_scatter(&mut self, size: u32) -> Vec<String> {
        let (values, size) = (self.values(), size as usize);
        let mut half = size / 2;
        while half > 0 {
            self.line(format!("    let upper{half} = (lane & {half}u) != 0u;"));
            half /= 2;
        }
        let mut results = Vec::new();
        for first in (0..values).step_by(size) {
            let mut terms: Vec<String> = (first..first + size)
                .map(|i| if i < values { format!("sum{i}") } else { "0.0f".into() })
                .collect();
            let mut half = size / 2;
            while half > 0 {
                terms = (0..half)
                    .map(|i| {
                        let (low, high) = (&terms[i], &terms[i + half]);
                        if high == "0.0f" && low == "0.0f" {
                            return "0.0f".into();
                        }
                        let name = format!("half{first}_{half}_{i}");
                        self.line(format!(
                            "    let {name} = select({low}, {high}, upper{half}) \
                             + subgroupShuffleXor(select({high}, {low}, upper{half}), {half}u);"
                        ));
                        name
                    })
                    .collect();
                half /= 2;
            }
            results.append(&mut terms);
        }
        results
    }

    /// Every parameter to every invocation.
    fn broadcast(&mut self) {
        let (parameters, width) = (self.values() - 1, self.launch.width as usize);
        if self.launch.reduction == Reduction::Subgroup {
            self.function("broadcast()", |w| {
                for i in 0..parameters {
                    let (slot, lane) = (i / width, i % width);
                    w.line(format!("    w{i} = subgroupShuffle(own{slot}, {lane}u);"));
                }
            });
        } else {
            let slots = self.slots();
            self.line(format!("var<workgroup> shared_w: array<f32, {}>;", slots * width));
            self.function("broadcast()", |w| {
                for s in 0..slots {
                    w.line(format!("    shared_w[{}u + lane] = own{s};", s * width));
                }
                w.line("    workgroupBarrier();");
                for i in 0..parameters {
                    w.line(format!("    w{i} = shared_w[{i}u];"));
                }
            });
        }
        self.function("clear()", |w| {
            for i in 0..=parameters {
                w.line(format!("    sum{i} = 0.0;"));
            }
        });
    }

    /// Four rows, and one of them.
    fn rows(&mut self) {
        let Shape { mlp, batch, .. } = self.shape;
        let (inputs, outputs) = (mlp.inputs, mlp.outputs());
        self.function("batch_row(i: u32) -> u32", |w| {
            w.line(if batch == Batch::Full {
                "    return i;"
            } else {
                "    return drawn_row(i, cursor, ROWS, params.half_bits, params.seed);"
            });
        });
        let features: Vec<_> = (0..inputs)
            .map(|i| format!("x{i}@"))
            .chain((0..outputs).map(|i| format!("t{i}@")))
            .collect();
        let body = self.row();
        if !self.launch.unrolled {
            let parameters: Vec<_> =
                features.iter().map(|name| name.replace('@', "") + ": f32").collect();
            self.function(&format!("add_row({}, weight: f32)", parameters.join(", ")), |w| {
                body.iter().for_each(|lines| w.line(lines.replace('@', "")));
            });
        }
        self.function("add_rows(quad: u32, weights: vec4<f32>)", |w| {
            if w.launch.holds {
                for i in 0..inputs + outputs {
                    w.line(format!("    let f{i} = held[{i}u * HELD_ROWS + quad];"));
                }
            } else {
                for part in 0..4 {
                    let row = format!("batch_row(min(4u * quad + {part}u, BATCH - 1u))");
                    w.line(format!("    let row{part} = first_row + {row};"));
                }
                let of = |name: &str, width: &str, i: usize| {
                    let parts: Vec<_> =
                        (0..4).map(|r| format!("{name}[row{r} * {width} + {i}u]")).collect();
                    format!("vec4<f32>({})", parts.join(", "))
                };
                for i in 0..inputs {
                    w.line(format!("    let f{i} = {};", of("inputs", "INPUTS", i)));
                }
                for i in 0..outputs {
                    w.line(format!("    let f{} = {};", inputs + i, of("targets", "OUTPUTS", i)));
                }
            }
            if w.launch.unrolled {
                // The rows side by side, line by line: what one waits for, another computes.
                for part in 0..4 {
                    for (i, name) in features.iter().enumerate() {
                        let name = name.replace('@', &format!("_{part}"));
                        w.line(format!("    let {name} = f{i}[{part}];"));
                    }
                    w.line(format!("    let weight_{part} = weights[{part}];"));
                }
                for lines in &body {
                    (0..4).for_each(|part| w.line(lines.replace('@', &format!("_{part}"))));
                }
            } else {
                let features: Vec<_> = (0..features.len()).map(|i| format!("f{i}[i]")).collect();
                w.line("    for (var i = 0u; i < 4u; i++) {");
                w.line(format!("        add_row({}, weights[i]);", features.join(", ")));
                w.line("    }");
            }
        });
    }

    /// One row: forward, loss, backward, each unit a name: zL_U, yL_U and dL_U. Lines that belong
    /// together are one element; every name of the row's own ends in `@`.
    fn row(&mut self) -> Vec<String> {
        let Shape { mlp, loss, .. } = self.shape;
        let (inputs, outputs) = (mlp.inputs, mlp.outputs());
        let couples = loss.couples_outputs();
        if couples {
            self.line("var<private> row_logits: array<f32, OUTPUTS>;");
            self.line("var<private> row_targets: array<f32, OUTPUTS>;");
            self.function("row_width() -> u32", |w| w.line("    return OUTPUTS;"));
            self.function("logit_of(i: u32) -> f32", |w| w.line("    return row_logits[i];"));
            self.function("target_of(i: u32) -> f32", |w| w.line("    return row_targets[i];"));
        }
        let mut body = Vec::new();
        let mut below: Vec<String> = (0..inputs).map(|i| format!("x{i}@")).collect();
        let ranges = mlp.ranges();
        let last = ranges.len() - 1;
        for (l, (range, layer)) in ranges.iter().zip(&mlp.layers).enumerate() {
            for u in 0..layer.units {
                let mut z = format!("w{}", range.bias.start + u);
                for (i, x) in below.iter().enumerate() {
                    let _ = write!(z, " + w{} * {x}", range.weight.start + u * below.len() + i);
                }
                body.push(format!("    let z{l}_{u}@ = {z};"));
                if l < last {
                    let name = layer.activation.name();
                    body.push(format!("    let y{l}_{u}@ = {name}_value(z{l}_{u}@);"));
                }
            }
            below = (0..layer.units).map(|u| format!("y{l}_{u}@")).collect();
        }
        if couples {
            // The arrays are one row's at a time.
            let mut lines = Vec::new();
            for i in 0..outputs {
                lines.push(format!("    row_logits[{i}u] = z{last}_{i}@;"));
                lines.push(format!("    row_targets[{i}u] = t{i}@;"));
            }
            lines.push("    let shared_by_row@ = loss_row(0u);".into());
            body.push(lines.join("\n"));
        } else {
            body.push("    let shared_by_row@ = LossRow(0.0, 0.0, 0.0);".into());
        }
        let loss_sum = self.values() - 1;
        for i in 0..outputs {
            body.push(format!(
                "    let l{i}@ = loss_element(z{last}_{i}@, t{i}@, shared_by_row@);"
            ));
            body.push(format!("    sum{loss_sum} += l{i}@.x * weight@;"));
            body.push(format!("    let d{last}_{i}@ = l{i}@.y * weight@;"));
        }
        for (l, range) in ranges.iter().enumerate().rev() {
            let units = mlp.layers[l].units;
            let inputs = range.shape[1];
            if l > 0 {
                let activation = mlp.layers[l - 1].activation;
                let kept = if activation.saves() == Saved::Input { "z" } else { "y" };
                for i in 0..inputs {
                    let terms: Vec<_> = (0..units)
                        .map(|u| format!("w{} * d{l}_{u}@", range.weight.start + u * inputs + i))
                        .collect();
                    body.push(format!(
                        "    let d{}_{i}@ = ({}) * {}_gradient({kept}{}_{i}@);",
                        l - 1,
                        terms.join(" + "),
                        activation.name(),
                        l - 1
                    ));
                }
            }
            for u in 0..units {
                for i in 0..inputs {
                    let x = if l == 0 { format!("x{i}@") } else { format!("y{}_{i}@", l - 1) };
                    let at = range.weight.start + u * inputs + i;
                    body.push(format!("    sum{at} += d{l}_{u}@ * {x};"));
                }
                body.push(format!("    sum{} += d{l}_{u}@;", range.bias.start + u));
            }
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;

    fn shape(mlp: &Mlp) -> Shape<'_> {
        Shape {
            mlp,
            loss: Loss::MeanSquaredError,
            optimizer: Optimizer::sgd(0.1),
            models: 1,
            sets: 1,
            rows: 1000,
            batch: Batch::Full,
            history: 4096,
            scheduled: false,
            averaged: false,
        }
    }

    #[test]
    fn the_articles_network_takes_a_thousand_steps_a_dispatch() {
        let mlp = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        for subgroup in [None, Some(4), Some(8), Some(32)] {
            for software in [false, true] {
                let capabilities = Capabilities { software, subgroup, ..Capabilities::default() };
                let steps = most_steps(shape(&mlp), &capabilities).unwrap();
                assert!(steps >= 100, "{capabilities:?}: {steps}");
            }
        }
        let many = Shape { models: 1 << 20, ..shape(&mlp) };
        assert_eq!(most_steps(many, &Capabilities::default()).unwrap(), 1);
    }

    /// A driver's compiler, and what it can take.
    #[test]
    fn narrow_software_takes_only_the_smallest_networks() {
        let small = Mlp::new(2).layer(3, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        let larger = Mlp::new(2).layer(9, Activation::Sigmoid).layer(1, Activation::Sigmoid);
        for (subgroup, larger_too) in [(None, false), (Some(4), false), (Some(8), true)] {
            let capabilities = Capabilities { software: true, subgroup, ..Capabilities::default() };
            assert!(pays(shape(&small), &capabilities), "{subgroup:?}");
            assert_eq!(pays(shape(&larger), &capabilities), larger_too, "{subgroup:?}");
        }
        assert!(pays(shape(&larger), &Capabilities::default()));
    }

    #[test]
    fn networks_that_are_too_large_are_refused_by_name() {
        let wide = Mlp::new(2).layer(MAX_WIDTH + 1, Activation::Relu).layer(1, Activation::Relu);
        let deep = (0..20).fold(Mlp::new(2), |mlp, _| mlp.layer(8, Activation::Relu));
        for (mlp, what) in [(wide, "the widest layer"), (deep, "the parameters of a model")] {
            let error = most_steps(shape(&mlp), &Capabilities::default()).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains("resident"), "{error}");
        }
    }
}

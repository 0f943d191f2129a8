//! The reduction of the sums over a workgroup's invocations, and the broadcast of the parameters.

use super::launch::Reduction;
use super::share::Share;
use super::writer::Context;
use crate::wgsl::Writer;

pub(super) fn write(w: &mut Writer, context: Context<'_>) {
    match context.launch.reduction {
        Reduction::Subgroup => subgroup(w, context),
        Reduction::Subgroups(size) => subgroups(w, context, size as usize),
        Reduction::Memory => memory(w, context),
    }
    broadcast(w, context);
    w.function("clear()", |w| {
        for i in 0..=context.loss() {
            w.line(format_args!("sum_{i} = 0.0;"));
        }
    });
}

/// Reduces within the workgroup's only subgroup.
fn subgroup(w: &mut Writer, context: Context<'_>) {
    // An invocation reads only the rows that it has loaded itself, so no barrier is needed.
    w.function("begin()", |_| ());
    w.function("total()", |w| {
        for (s, sum) in reduce_scatter(w, context, context.width(), 1).into_iter().enumerate() {
            w.line(format_args!("total_{s} = {sum};"));
        }
    });
    w.function("in_any_lane(raised: bool) -> bool", |w| {
        w.line("var seen = select(0u, 1u, raised);");
        for other in halves(context.width()) {
            w.line(format_args!("seen |= subgroupShuffleXor(seen, {other}u);"));
        }
        w.line("return seen > 0u;");
    });
}

/// Reduces within several subgroups of `size` invocations, then through workgroup memory.
fn subgroups(w: &mut Writer, context: Context<'_>, size: usize) {
    shared_flags(w);
    let width = context.width();
    let Share { parts, stride, .. } = *context.share();
    let padded = context.share().values().next_multiple_of(size);
    let groups = width / size;
    w.line(format_args!("var<workgroup> partial: array<f32, {}>;", groups * padded));
    w.function("total()", |w| {
        let own = format!("lane % {parts}u * {stride}u + lane % {size}u / {parts}u");
        w.line(format_args!("let at = lane / {size}u * {padded}u + {own};"));
        for (k, sum) in reduce_scatter(w, context, size, parts).into_iter().enumerate() {
            w.line(format_args!("partial[at + {}u] = {sum};", k * (size / parts)));
        }
        w.line("workgroupBarrier();");
        for s in 0..context.slots() {
            w.line(format_args!("let v_{s} = min({}u + lane, {}u);", s * width, padded - 1));
            let partial: Vec<_> =
                (0..groups).map(|g| format!("partial[{}u + v_{s}]", g * padded)).collect();
            w.line(format_args!("total_{s} = {};", partial.join(" + ")));
        }
    });
}

/// Reduces through workgroup memory alone.
fn memory(w: &mut Writer, context: Context<'_>) {
    shared_flags(w);
    let (width, slots, values) = (context.width(), context.slots(), context.loss() + 1);
    let Share { parts, stride, .. } = *context.share();
    // Invocations that have sums of the same parameters, and those of them that add up one sum.
    let alike = width / parts;
    let adders = alike / 8;
    let gathered = context.share().in_memory().max(8) * width;
    w.line(format_args!("var<workgroup> gathered: array<f32, {gathered}>;"));
    w.line(format_args!("var<workgroup> partial: array<f32, {width}>;"));
    w.line(format_args!("var<workgroup> totals: array<f32, {}>;", slots * width));
    w.function("total()", |w| {
        if parts > 1 {
            w.line("workgroupBarrier();");
        }
        // Eight sums at a time: an eighth of the invocations adds up each of them.
        w.line(format_args!("let own = lane % {parts}u * {alike}u + lane / {parts}u;"));
        w.line(format_args!("let at = lane / {adders}u * {alike}u + lane % {adders}u;"));
        for first in (0..values).step_by(8) {
            for i in first..values.min(first + 8) {
                w.line(format_args!("gathered[{}u + own] = sum_{i};", (i - first) * width));
            }
            w.line("workgroupBarrier();");
            let sums: Vec<_> = (0..8).map(|j| format!("gathered[at + {}u]", j * adders)).collect();
            w.line(format_args!("partial[lane] = {};", sums.join(" + ")));
            w.line("workgroupBarrier();");
            let sums: Vec<_> =
                (0..adders).map(|j| format!("partial[lane * {adders}u + {j}u]")).collect();
            w.block(format_args!("if (lane < {}u)", 8 * parts), |w| {
                let total = format!("lane % {parts}u * {stride}u + {first}u + lane / {parts}u");
                w.line(format_args!("totals[{total}] = {};", sums.join(" + ")));
            });
        }
        w.line("workgroupBarrier();");
        for s in 0..slots {
            let last = context.share().values() - 1;
            w.line(format_args!("total_{s} = totals[min({}u + lane, {last}u)];", s * width));
        }
    });
}

/// Defines `in_any_lane` through workgroup memory. Two flags alternate: an invocation that is one
/// barrier ahead sets the other flag. A flag holds the number of the call, so it is never reset.
fn shared_flags(w: &mut Writer) {
    w.line("var<workgroup> flags: array<atomic<u32>, 2>;");
    w.line("var<private> calls: u32;");
    w.function("begin()", |w| {
        w.block("if (lane < 2u)", |w| w.line("atomicStore(&flags[lane], 0u);"));
        w.line("workgroupBarrier();");
    });
    w.function("in_any_lane(raised: bool) -> bool", |w| {
        w.line("calls += 1u;");
        w.block("if (raised)", |w| w.line("atomicStore(&flags[calls % 2u], calls);"));
        w.line("workgroupBarrier();");
        w.line("return atomicLoad(&flags[calls % 2u]) == calls;");
    });
}

/// The halvings of `size`: `size` / 2, `size` / 4, … 1.
fn halves(size: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(size / 2), |half| Some(half / 2)).take_while(|half| *half > 0)
}

/// Reduce-scatter over every `parts`-th of a subgroup's `size` lanes. It returns one expression for each
/// `size / parts` sums, whose value in lane `parts` i is the sum i. In each round a lane sends half of its
/// remaining sums to the lane opposite.
fn reduce_scatter(w: &mut Writer, context: Context<'_>, size: usize, parts: usize) -> Vec<String> {
    let (values, size) = (context.loss() + 1, size / parts);
    for half in halves(size) {
        w.line(format_args!("let upper_{half} = (lane & {}u) != 0u;", half * parts));
    }
    let mut results = Vec::new();
    for first in (0..values).step_by(size) {
        let mut terms: Vec<String> = (first..first + size)
            .map(|i| if i < values { format!("sum_{i}") } else { "0.0f".into() })
            .collect();
        for half in halves(size) {
            terms = (0..half)
                .map(|i| {
                    let (low, high) = (&terms[i], &terms[i + half]);
                    if high == "0.0f" && low == "0.0f" {
                        return "0.0f".into();
                    }
                    let name = format!("half_{first}_{half}_{i}");
                    w.line(format_args!(
                        "let {name} = select({low}, {high}, upper_{half}) \
                         + subgroupShuffleXor(select({high}, {low}, upper_{half}), {}u);",
                        half * parts
                    ));
                    name
                })
                .collect();
        }
        results.append(&mut terms);
    }
    results
}

/// Sends every parameter to every invocation.
fn broadcast(w: &mut Writer, context: Context<'_>) {
    let (width, slots) = (context.width(), context.slots());
    if context.launch.reduction == Reduction::Subgroup {
        w.function("broadcast()", |w| {
            for i in 0..context.loss() {
                let (slot, lane) = (i / width, i % width);
                w.line(format_args!("w_{i} = subgroupShuffle(own_{slot}, {lane}u);"));
            }
        });
        return;
    }
    w.line(format_args!("var<workgroup> shared_w: array<f32, {}>;", slots * width));
    w.function("broadcast()", |w| {
        for s in 0..slots {
            w.line(format_args!("shared_w[{}u + lane] = own_{s};", s * width));
        }
        w.line("workgroupBarrier();");
        let share = context.share();
        if share.parts == 1 {
            for i in 0..context.loss() {
                w.line(format_args!("w_{i} = shared_w[{i}u];"));
            }
            return;
        }
        w.line(format_args!("let own = lane % PARTS * {}u;", share.stride));
        for layer in &share.layers {
            for i in layer.first..layer.end() {
                // The first invocation of a group has the output layer's biases.
                let of_all = layer.sums && i >= layer.weight(layer.units, 0);
                let own = if of_all { "" } else { "own + " };
                w.line(format_args!("w_{i} = shared_w[{own}{i}u];"));
            }
        }
    });
}

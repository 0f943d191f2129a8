//! The network unrolled for one row and for four. Without loops over units and without arrays, a
//! compiler keeps everything in registers.

use super::exchange::Exchange;
use super::writer::Context;
use crate::network::Saved;
use crate::training::{Batch, Loss};
use crate::wgsl::Writer;

pub(super) fn write(w: &mut Writer, context: Context<'_>) {
    let (mlp, launch) = (context.shape.mlp, context.launch);
    w.function("batch_row(i: u32) -> u32", |w| {
        w.line(if context.shape.batch == Batch::Full {
            "return i;"
        } else {
            "return sampled_row(i, cursor, params.rows, params.half_bits, params.seed);"
        });
    });
    if context.shape.loss.couples_outputs() {
        w.line("var<private> row_logits: array<f32, OUTPUTS>;");
        w.line("var<private> row_targets: array<f32, OUTPUTS>;");
        w.function("row_width() -> u32", |w| w.line("return OUTPUTS;"));
        w.function("logit_of(i: u32) -> f32", |w| w.line("return row_logits[i];"));
        w.function("target_of(i: u32) -> f32", |w| w.line("return row_targets[i];"));
    }
    if context.shape.loss.reads_inputs() {
        w.line("var<private> row_inputs: array<f32, INPUTS>;");
        w.function("input_of(first: u32, i: u32) -> f32", |w| w.line("return row_inputs[i];"));
    }
    let inputs = (0..mlp.inputs).map(|i| format!("x_{i}@"));
    let features: Vec<_> = inputs.chain((0..mlp.outputs()).map(|i| format!("t_{i}@"))).collect();
    let row = row(context);
    if !launch.unrolled {
        let parameters: Vec<_> =
            features.iter().map(|name| name.replace('@', "") + ": f32").collect();
        w.function(format_args!("add_row({}, weight: f32)", parameters.join(", ")), |w| {
            row.iter().flatten().for_each(|line| w.line(line.replace('@', "")));
        });
    }
    if context.share().parts > 1 {
        w.function("add_rows(quad: u32, weights: vec4<f32>)", |w| {
            w.block("for (var i = 0u; i < 4u; i++)", |w| {
                let features = one_row(w, context);
                w.line(format_args!("add_row({}, weights[i]);", features.join(", ")));
            });
        });
        return;
    }
    w.function("add_rows(quad: u32, weights: vec4<f32>)", |w| {
        four_rows(w, context);
        if launch.unrolled {
            // The rows side by side, line by line: while one row waits for a result, another
            // computes.
            for part in 0..4 {
                for (i, name) in features.iter().enumerate() {
                    let name = name.replace('@', &format!("_{part}"));
                    w.line(format_args!("let {name} = f_{i}[{part}];"));
                }
                w.line(format_args!("let weight_{part} = weights[{part}];"));
            }
            for lines in &row {
                for part in 0..4 {
                    let name = format!("_{part}");
                    lines.iter().for_each(|line| w.line(line.replace('@', &name)));
                }
            }
        } else {
            let features: Vec<_> = (0..features.len()).map(|i| format!("f_{i}[i]")).collect();
            w.block("for (var i = 0u; i < 4u; i++)", |w| {
                w.line(format_args!("add_row({}, weights[i]);", features.join(", ")));
            });
        }
    });
}

/// The features of row `i` of a block, the inputs, then the targets. Four rows' features would be registers
/// that an invocation with neighbours does not have.
fn one_row(w: &mut Writer, context: Context<'_>) -> Vec<String> {
    let (inputs, outputs) = (context.shape.mlp.inputs, context.shape.mlp.outputs());
    if context.launch.held_rows > 0 {
        return (0..inputs + outputs)
            .map(|i| format!("held[{i}u * HELD_ROWS + quad][i]"))
            .collect();
    }
    w.line("let row = first_row + batch_row(min(4u * quad + i, params.count - 1u));");
    let inputs = (0..inputs).map(|i| format!("inputs[row * INPUTS + {i}u]"));
    inputs.chain((0..outputs).map(|i| format!("targets[row * OUTPUTS + {i}u]"))).collect()
}

/// Defines `fI`, feature I of four rows: the inputs, then the targets.
fn four_rows(w: &mut Writer, context: Context<'_>) {
    let (inputs, outputs) = (context.shape.mlp.inputs, context.shape.mlp.outputs());
    if context.launch.held_rows > 0 {
        for i in 0..inputs + outputs {
            w.line(format_args!("let f_{i} = held[{i}u * HELD_ROWS + quad];"));
        }
        return;
    }
    for part in 0..4 {
        let row = format!("batch_row(min(4u * quad + {part}u, params.count - 1u))");
        w.line(format_args!("let row_{part} = first_row + {row};"));
    }
    let four = |name: &str, width: &str, i: usize| {
        let parts: Vec<_> = (0..4).map(|r| format!("{name}[row_{r} * {width} + {i}u]")).collect();
        format!("vec4<f32>({})", parts.join(", "))
    };
    for i in 0..inputs {
        w.line(format_args!("let f_{i} = {};", four("inputs", "INPUTS", i)));
    }
    for i in 0..outputs {
        w.line(format_args!("let f_{} = {};", inputs + i, four("targets", "OUTPUTS", i)));
    }
}

/// The code of one row: forward, loss, backward. Lines that must stay together are one element.
/// Every name that belongs to the row ends in `@`. Unit U of layer L has the names zL_U, yL_U and
/// dL_U.
fn row(context: Context<'_>) -> Vec<Vec<String>> {
    let mut body = Vec::new();
    let mut row = Exchange::new(context, &mut body);
    forward(context, &mut row);
    loss(context, &mut row);
    backward(context, &mut row);
    row.end();
    body
}

/// The name of input `i` of layer `l`: a network input or a unit of the layer below.
fn input(l: usize, i: usize) -> String {
    if l == 0 { format!("x_{i}@") } else { format!("y{}_{i}@", l - 1) }
}

fn forward(context: Context<'_>, row: &mut Exchange<'_>) {
    let (mlp, share) = (context.shape.mlp, context.share());
    let last = mlp.layers.len() - 1;
    for (l, layer) in share.layers.iter().enumerate() {
        let terms = |u: usize| {
            let weight = |i| format!("w_{} * {}", layer.weight(u, i), input(l, i));
            (0..layer.inputs).map(weight).collect::<Vec<_>>().join(" + ")
        };
        let mut sums: Vec<_> = (0..layer.units).map(terms).collect();
        if layer.sums {
            for (u, sum) in sums.iter_mut().enumerate() {
                let name = format!("sum{l}_{u}@");
                row.line(format!("let {name} = {sum};"));
                *sum = name;
            }
            sums = row.sum(&sums, &format!("sum{l}_"));
        }
        for (u, sum) in sums.into_iter().enumerate() {
            let bias = layer.bias(u).map(|at| format!("w_{at}"));
            let z = bias.into_iter().chain([sum]).collect::<Vec<_>>().join(" + ");
            row.line(format!("let z{l}_{u}@ = {z};"));
            if l < last {
                let name = mlp.layers[l].activation.function();
                row.line(format!("let y{l}_{u}@ = {name}_value(z{l}_{u}@);"));
            }
        }
        if share.layers.get(l + 1).is_some_and(|next| next.gathers) {
            let own: Vec<_> = (0..layer.units).map(|u| format!("y{l}_{u}@")).collect();
            for (i, other) in row.gather(&own).into_iter().enumerate() {
                row.line(format!("let y{l}_{}@ = {other};", layer.units + i));
            }
        }
    }
}

fn loss(context: Context<'_>, row: &mut Exchange<'_>) {
    let (mlp, loss_sum) = (context.shape.mlp, context.loss());
    let last = mlp.layers.len() - 1;
    let mut lines = Vec::new();
    if context.shape.loss.couples_outputs() {
        for i in 0..mlp.outputs() {
            lines.push(format!("row_logits[{i}u] = z{last}_{i}@;"));
            lines.push(format!("row_targets[{i}u] = t_{i}@;"));
        }
        let inputs = if context.shape.loss.reads_inputs() { mlp.inputs } else { 0 };
        lines.extend((0..inputs).map(|i| format!("row_inputs[{i}u] = x_{i}@;")));
        lines.push("let shared_by_row@ = loss_row(0u);".into());
    } else {
        lines.push("let shared_by_row@ = LossRow(0.0, 0.0, 0.0);".into());
    }
    let mut elements = Vec::new();
    for i in 0..mlp.outputs() {
        let element = format!("loss_element({i}u, z{last}_{i}@, t_{i}@, shared_by_row@)");
        elements.push(format!("let l_{i}@ = {element};"));
        let share = format!("l_{i}@.x * weight@");
        elements.push(if mlp.outputs() == 1 {
            format!("sum_{loss_sum} += {share};")
        } else {
            // Between product and sum, so that no compiler takes the weight of several outputs out of
            // the sum, which could overflow.
            format!("sum_{loss_sum} += select(0.0, {share}, weight@ > 0.0);")
        });
        elements.push(format!("let d{last}_{i}@ = l_{i}@.y * weight@;"));
    }
    if matches!(context.shape.loss, Loss::Custom(_)) {
        // What the row leaves for its elements, the gradient, the next row replaces.
        lines.append(&mut elements);
    }
    row.lines(lines);
    elements.into_iter().for_each(|line| row.line(line));
}

fn backward(context: Context<'_>, row: &mut Exchange<'_>) {
    let (mlp, share) = (context.shape.mlp, context.share());
    for (l, layer) in share.layers.iter().enumerate().rev() {
        if let Some(below) = l.checked_sub(1) {
            let activation = mlp.layers[below].activation;
            let (name, saved) = (activation.function(), activation.saves() == Saved::Input);
            let saved = if saved { "z" } else { "y" };
            let terms = |i: usize| {
                let term = |u| format!("w_{} * d{l}_{u}@", layer.weight(u, i));
                (0..layer.units).map(term).collect::<Vec<_>>().join(" + ")
            };
            let mut sums: Vec<_> = (0..layer.inputs).map(terms).collect();
            if layer.gathers {
                sums = row.scatter(&sums);
            }
            for (i, sum) in sums.into_iter().enumerate() {
                let derivative = format!("{name}_derivative({saved}{below}_{i}@)");
                row.line(format!("let d{below}_{i}@ = ({sum}) * {derivative};"));
            }
        }
        for u in 0..layer.units {
            for i in 0..layer.inputs {
                let at = layer.weight(u, i);
                row.line(format!("sum_{at} += d{l}_{u}@ * {};", input(l, i)));
            }
            if let Some(at) = layer.bias(u) {
                row.line(format!("sum_{at} += d{l}_{u}@;"));
            }
        }
    }
}

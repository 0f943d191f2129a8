//! How each invocation loads, updates and stores the parameters that it owns.

use super::share::LayerShare;
use super::writer::Context;
use crate::wgsl::Writer;

pub(super) fn write(w: &mut Writer, context: Context<'_>) {
    let (slots, width) = (context.slots(), context.width());
    let kept = kept(context);
    places(w, context);
    let own = |w: &mut Writer, body: &dyn Fn(&mut Writer)| {
        w.block(format_args!("for (var s = 0u; s < {slots}u; s++)"), |w| {
            w.line(format_args!("let parameter = parameter_of(s * {width}u + lane);"));
            w.block("if (parameter < PARAMETERS)", |w| {
                w.line("let at = model * PARAMETERS + parameter;");
                body(w);
            });
        });
    };
    w.function("load()", |w| {
        own(w, &|w| {
            for Kept { buffer, name, part } in &kept {
                w.block("", |w| {
                    w.line(format_args!("let value = {buffer};"));
                    for s in 0..slots {
                        let name = format!("{name}_{s}{part}");
                        w.line(format_args!("{name} = select({name}, value, s == {s}u);"));
                    }
                });
            }
        });
    });
    w.function("store()", |w| {
        own(w, &|w| {
            for Kept { buffer, name, part } in &kept {
                w.block("", |w| {
                    w.line("var value = 0.0;");
                    for s in 0..slots {
                        w.line(format_args!("value = select(value, {name}_{s}{part}, s == {s}u);"));
                    }
                    w.line(format_args!("{buffer} = value;"));
                });
            }
        });
    });
    w.function("loss_total() -> f32", |w| {
        w.line(format_args!("return total_{};", context.loss() / width));
    });
    w.function("is_total_finite() -> bool", |w| {
        let all: Vec<_> = (0..slots).map(|s| format!("is_finite(total_{s})")).collect();
        w.line(format_args!("return {};", all.join(" & ")));
    });
    // Without `&&` and `||`, which are branches: the time of SwiftShader's compiler doubled with each
    // few of them, and every slot had five.
    // Returns whether one of this lane's parameters would not be finite. Such a parameter stays as
    // it was.
    let rates = !context.shape.rates.is_empty();
    w.function("update(stopped: bool, t: f32) -> bool", |w| {
        w.line("var fails = false;");
        if rates {
            w.line("let rate = hyper.rate;");
        }
        for s in 0..slots {
            w.block("", |w| {
                w.line(format_args!("var state = state_{s};"));
                w.line(format_args!("let parameter = parameter_of({}u + lane);", s * width));
                if rates {
                    w.line("let factor = rate_factor(parameter);");
                    w.line("hyper.rate = rate * factor;");
                }
                w.line(format_args!("let g = regularized(total_{s}, own_{s}, false);"));
                w.line(format_args!("let value = optimize(own_{s}, g, &state, t);"));
                w.line("let finite = is_finite(value) & is_finite(state.x) & is_finite(state.y);");
                let moves = if rates { " & (factor != 0.0)" } else { "" };
                w.line(format_args!("let concerns = !stopped & (parameter < PARAMETERS){moves};"));
                w.line("let take = finite & concerns;");
                w.line(format_args!("own_{s} = select(own_{s}, value, take);"));
                w.line(format_args!("state_{s} = select(state_{s}, state, take);"));
                w.line("fails = fails | (concerns & !finite);");
            });
        }
        if rates {
            w.line("hyper.rate = rate;");
        }
        w.line("return fails;");
    });
}

/// Defines the parameter at a place among the sums of all invocations; of other places not less than
/// `PARAMETERS`.
fn places(w: &mut Writer, context: Context<'_>) {
    let share = context.share();
    w.function("parameter_of(place: u32) -> u32", |w| {
        if share.parts == 1 {
            w.line("return place;");
            return;
        }
        let beyond = format!("if (place >= {}u)", share.values());
        w.block(beyond, |w| w.line("return PARAMETERS;"));
        w.line(format_args!("let part = place / {}u;", share.stride));
        w.line(format_args!("let own = place % {}u;", share.stride));
        for (layer, range) in share.layers.iter().zip(context.shape.mlp.ranges()) {
            let LayerShare { first, units, inputs, .. } = *layer;
            let [weights, biases] = [first + units * inputs, layer.end()];
            w.block(format_args!("if (own >= {first}u && own < {weights}u)"), |w| {
                w.line(format_args!("let unit = (own - {first}u) / {inputs}u;"));
                w.line(format_args!("let input = (own - {first}u) % {inputs}u;"));
                let unit =
                    if layer.sums { "unit".into() } else { format!("part * {units}u + unit") };
                let input = if layer.sums {
                    format!("part * {inputs}u + input")
                } else if layer.gathers {
                    let block = inputs / share.parts;
                    format!("(part ^ (input / {block}u)) * {block}u + input % {block}u")
                } else {
                    "input".into()
                };
                let start = range.weight.start;
                w.line(format_args!("return {start}u + ({unit}) * {}u + {input};", range.shape[1]));
            });
            w.block(format_args!("if (own >= {weights}u && own < {biases}u)"), |w| {
                let unit = format!("{}u + own - {weights}u", range.bias.start);
                w.line(if layer.sums {
                    // The first invocation of a group has the bias of all.
                    format!("return select(PARAMETERS, {unit}, part == 0u);")
                } else {
                    format!("return part * {units}u + {unit};")
                });
            });
        }
        w.line("return PARAMETERS;");
    });
}

/// A value that an invocation keeps for each parameter that it owns.
struct Kept {
    /// The buffer and the element, in WGSL.
    buffer: &'static str,
    /// The name of the variable, without the number of its slot.
    name: &'static str,
    /// The component of the variable, in WGSL.
    part: &'static str,
}

/// The parameter and the optimizer's states. The text accesses each buffer once for reading and
/// once for writing, in a loop that selects the slot: llvmpipe takes milliseconds to compile each
/// further access.
fn kept(context: Context<'_>) -> Vec<Kept> {
    let all = [
        Kept { buffer: "parameters[at]", name: "own", part: "" },
        Kept { buffer: "states[at]", name: "state", part: ".x" },
        Kept { buffer: "states[at + params.state_stride]", name: "state", part: ".y" },
    ];
    all.into_iter().take(1 + context.shape.optimizer.states()).collect()
}

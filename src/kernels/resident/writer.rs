//! The WGSL text that is generated for a network and a launch configuration.

use super::launch::LaunchConfig;
use super::share::Share;
use super::{Shape, network, reduction, update};
use crate::error::Result;
use crate::kernels::step::RateRange;
use crate::numeric::{to_u32, wide};
use crate::training::Widths;
use crate::wgsl::Writer;

/// What the text is generated for.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub shape: Shape<'a>,
    pub launch: &'a LaunchConfig,
}

impl Context<'_> {
    /// The part of the network that an invocation computes.
    pub const fn share(&self) -> &Share {
        &self.launch.share
    }

    /// The place of the loss among an invocation's sums: behind its parameters'.
    pub fn loss(&self) -> usize {
        self.share().parameters()
    }

    /// The number of sums that each invocation holds after the reduction.
    pub fn slots(&self) -> usize {
        self.launch.slots()
    }

    /// The number of invocations of the workgroup.
    pub const fn width(&self) -> usize {
        self.launch.width as usize
    }
}

/// Generates the functions and constants that `shaders/resident.wgsl` uses.
pub(super) fn generate(shape: Shape<'_>, launch: &LaunchConfig) -> Result<String> {
    let context = Context { shape, launch };
    let mut w = Writer::default();
    constants(&mut w, context)?;
    for i in 0..=context.loss() {
        w.line(format_args!("var<private> sum_{i}: f32;"));
    }
    for i in 0..context.loss() {
        w.line(format_args!("var<private> w_{i}: f32;"));
    }
    for s in 0..context.slots() {
        w.line(format_args!("var<private> total_{s}: f32;"));
        w.line(format_args!("var<private> own_{s}: f32;"));
        w.line(format_args!("var<private> state_{s}: vec2<f32>;"));
    }
    w.push(&shape.optimizer.splice());
    if !shape.rates.is_empty() {
        w.push(&RateRange::splice(shape.rates));
    }
    w.push(&shape.loss.splice(shape.mlp.last_activation(), Widths::of(shape.mlp)));
    update::write(&mut w, context);
    reduction::write(&mut w, context);
    network::write(&mut w, context);
    Ok(w.finish())
}

fn constants(w: &mut Writer, context: Context<'_>) -> Result<()> {
    let Context { shape, launch } = context;
    let Shape { mlp, models, scheduled, .. } = shape;
    let features = mlp.inputs + mlp.outputs();
    for (name, value) in [
        ("WORKGROUP", context.width()),
        ("PARAMETERS", mlp.parameters()),
        ("INPUTS", mlp.inputs),
        ("OUTPUTS", mlp.outputs()),
        ("HELD_ROWS", launch.held_rows),
        ("HELD", (features * launch.held_rows).max(1)),
        ("PARTS", context.share().parts),
        ("LOSS_LANE", context.loss() % context.width()),
    ] {
        w.constant(name, to_u32("a size of a resident training", wide(value))?);
    }
    w.flag("HOLDS", launch.held_rows > 0);
    w.flag("ALONE", models == 1);
    w.flag("SCHEDULED", scheduled);
    Ok(())
}

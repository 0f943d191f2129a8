//! The slope of a fused network, and the backward pass of a loss on it, in one dispatch each, whatever
//! the depth: the formulas of `plan/slope.rs`, tile by tile, behind the forward pass of [`super`].
//!
//! The first dispatch takes the seed back to the first layer's inputs. The second takes the tangents
//! forward and the outputs' gradient back. It needs what the first one keeps of each layer: the gradient
//! of the tangent of its activations.

pub use super::Parameters;
use super::{Access, LaunchConfig, Shape, VEC4, four, parameters, sizes_and_layers};
use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::{Dispatch, Kernel, MAX_WORK, Slot, Variant};
use crate::network::{Activation, Mlp, Saved};
use crate::numeric::{to_u32, wide};
use crate::wgsl::Writer;
use std::mem::offset_of;

/// `shaders/fused/slope.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "fused_slope" in "fused/slope",
    Parameters,
    [FUSED_TILE],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::read("targets"),
        Slot::read("parameters"),
        Slot::write("saved").with_type("array<vec4<f32>>"),
        Slot::write("partial_gradient"),
        Slot::write("result"),
    ]
);

/// What a dispatch does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// From the seed in `targets`, or from ones, to the gradient of the first layer's inputs. The slots
    /// `inputs`, `tangents` and `partial_gradient` are not used.
    Slope {
        /// Whether every element of the seed is 1, and it is not read.
        ones: bool,
    },
    /// From the `tangents` of the first layer's inputs and the outputs' gradient in `targets` to the
    /// gradients of the layers' parameters and of the first layer's inputs.
    Backward,
}

/// Describes a dispatch.
#[derive(Debug, Clone, Copy)]
pub struct FusedSlope<'a> {
    /// The shape of the forward pass, with its `slope`.
    pub shape: Shape<'a>,
    /// What it does.
    pub part: Part,
    /// Whether `result` receives the gradient of the first layer's inputs, `[models, rows, inputs]`.
    /// Otherwise it is not used.
    pub writes: bool,
}

impl FusedSlope<'_> {
    /// The dispatches. There are several where one would exceed the limit of work.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`; a custom activation.
    pub fn dispatches(&self, launch: &LaunchConfig) -> Result<Vec<Dispatch>> {
        let Self { shape, part, .. } = *self;
        let Shape { mlp, models, batch, .. } = shape;
        for layer in &mlp.layers {
            layer.activation.check_second_derivative()?;
        }
        let groups = wide(models) * wide(launch.splits);
        let multiply_adds = shape.multiply_adds(launch.chunk);
        let most = (MAX_WORK / multiply_adds.max(1)).max(1);
        let iterations = launch.iterations(shape, launch.chunk / launch.tile_rows());
        let access = Access::of(shape);
        let mut kinds = access.kinds();
        if access.inputs {
            kinds.push(("tangents", VEC4.into()));
        }
        let variant = Variant {
            pieces: mlp.layers.iter().map(|layer| layer.activation.wgsl()).collect(),
            generated: self.generate(&access, launch)?,
            kinds,
            workgroup: Some(to_u32("the invocations of a workgroup", wide(launch.workgroup()))?),
            ..Variant::default()
        };
        let (units, p) =
            (mlp.layers.iter().map(|layer| wide(layer.units)).sum::<u64>(), shape.of_layers());
        let inputs = wide(mlp.layer_inputs(0));
        let mut result = Vec::new();
        let mut first = 0;
        while first < groups {
            let now = most.min(groups - first);
            let rows = now * wide(launch.chunk).min(wide(batch));
            let tiles = now * wide(launch.chunk.min(batch).div_ceil(launch.tile_rows()));
            let (weights, of_rows) = (tiles * wide(p), rows * units);
            let [read, written, products] = match part {
                Part::Slope { .. } => [weights + 2 * of_rows, of_rows, 1],
                // The parameters forward and back, and two sums of the gradient.
                Part::Backward => [4 * weights + 6 * of_rows, 2 * weights + of_rows, 4],
            };
            let operations = 2 * products * rows * wide(p);
            let dispatch =
                Dispatch::new(&KERNEL, &parameters(shape, launch, first)?, now, iterations)
                    .with(variant.clone())
                    .costing(read + rows * inputs, written + rows * inputs, operations)
                    .counting(Counted::Rows {
                        at: offset_of!(Parameters, count),
                        first: 0,
                        each: 1,
                    });
            result.push(dispatch);
            first += now;
        }
        Ok(result)
    }

    /// WGSL of the sizes, the layers and their activations.
    fn generate(&self, access: &Access, launch: &LaunchConfig) -> Result<String> {
        let mlp = self.shape.mlp;
        let mut w = Writer::default();
        sizes_and_layers(&mut w, self.shape, launch)?;
        for (name, value) in [
            ("SLOPE", self.part != Part::Backward),
            ("ONES", self.part == Part::Slope { ones: true }),
            ("WRITES", self.writes),
            ("BENDS_OUTPUTS", mlp.last_activation() != Activation::Identity),
        ] {
            w.flag(name, value);
        }
        access.wgsl(&mut w);
        four(&mut w, "tangents", access.inputs);
        four(&mut w, "targets", false);
        for (function, of) in
            [("derivatives_of", "derivative"), ("second_derivatives_of", "second_derivative")]
        {
            w.function(format_args!("{function}(l: u32, v: vec4<f32>) -> vec4<f32>"), |w| {
                w.switch("l", &cases(mlp, of));
            });
        }
        Ok(w.finish())
    }
}

/// For each layer the call of its activation's function `of`. The last layer has kept its
/// pre-activations.
fn cases(mlp: &Mlp, of: &str) -> Vec<(String, String)> {
    let last = mlp.layers.len() - 1;
    let case = |(l, activation): (usize, Activation)| {
        let name = activation.function();
        let computes = l == last && activation.saves() == Saved::Output;
        let parts = ["x", "y", "z", "w"].map(|c| {
            let v = if computes { format!("{name}_value(v.{c})") } else { format!("v.{c}") };
            format!("{name}_{of}({v})")
        });
        (format!("{l}u"), format!("return vec4<f32>({});", parts.join(", ")))
    };
    mlp.layers.iter().map(|layer| layer.activation).enumerate().map(case).collect()
}

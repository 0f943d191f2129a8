//! The gradient of the inputs of an [`Encoding`] without parameters, from those of its outputs and of
//! their tangents. One invocation handles one point.

use super::EncodedPart;
pub use super::encode_pointwise::Parameters;
use super::encode_pointwise::{OF_VALUE, parameters, variant};
use crate::error::Result;
use crate::kernels::{Dispatch, Kernel, Slot};
use crate::network::{Encoding, encoding};
use crate::numeric::{Real, wide};
use crate::wgsl::Writer;
use std::mem::offset_of;

/// `shaders/encoding/encode_pointwise_curvature.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "encode_pointwise_curvature" in "encoding/encode_pointwise_curvature",
    Parameters,
    [],
    [
        Slot::read("inputs"),
        Slot::read("tangents"),
        Slot::read("delta"),
        Slot::read("tangent_delta"),
        Slot::write("input_gradient"),
    ]
);

/// Describes the vjp of a pointwise encoding and of its tangents: `delta` and `tangent_delta` are
/// `[models, rows, width]`, `tangents` and `input_gradient` `[models, rows, inputs]`.
#[derive(Debug, Clone)]
pub struct EncodePointwiseCurvature {
    pub(crate) part: EncodedPart,
    /// Whether the gradient is added to what another encoding of the same inputs has left.
    pub(crate) adds: bool,
}

impl EncodePointwiseCurvature {
    /// An encoding of all inputs.
    ///
    /// # Errors
    /// The errors of [`Encoding::check`].
    pub fn new(encoding: Encoding, inputs: usize, models: usize, rows: usize) -> Result<Self> {
        Ok(Self { part: EncodedPart::whole(encoding, inputs, models, rows)?, adds: false })
    }

    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let (range, rows) = (&self.part.range, self.part.all_rows());
        let p = parameters(&self.part)?;
        let each = |width: usize| rows.saturating_mul(wide(width));
        let (inputs, outputs) = (each(range.inputs.len()), each(range.outputs.len()));
        let iterations = u64::from(p.of_point).saturating_mul(1 + 2 * OF_VALUE) + 1;
        let mut variant = variant(&range.encoding);
        variant.overrides.push(("ADDS", f64::from(u8::from(self.adds))));
        let mut w = Writer::default();
        let arguments = "p: vec3<f32>, k: u32, numbers: vec2<f32>, v: vec3<f32>";
        w.function(format_args!("encoding_second_derivative({arguments}) -> vec3<f32>"), |w| {
            let name = range.encoding.name();
            w.line(format_args!("return {name}_second_derivative(p, k, numbers, v);"));
        });
        variant.generated += &w.finish();
        Ok(Dispatch::over(&KERNEL, &p, rows.saturating_mul(p.points.into()), iterations)
            .with(variant)
            .costing(
                inputs.saturating_add(outputs).saturating_mul(2),
                inputs,
                outputs.saturating_mul(12),
            )
            .counting(self.part.counted(offset_of!(Parameters, count))))
    }

    /// The gradient of `x` `[…, inputs]` on the CPU, whose tangent is `v`, from the gradients of all
    /// outputs and of their tangents.
    pub fn reference<T: Real>(&self, [x, v]: [&[T]; 2], deltas: [&[T]; 2]) -> Vec<T> {
        encoding::back_propagate_tangent(&self.part.network(), &[], [x, v], deltas, &mut [])
    }
}

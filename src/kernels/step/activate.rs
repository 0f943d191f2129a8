//! The outputs y = f(z) of a last layer, from its pre-activations z.

use crate::error::Result;
use crate::kernels::dispatch::Counted;
use crate::kernels::{Dispatch, Kernel, Slot, Variant, volume};
use crate::network::Activation;
use crate::numeric::{Real, to_u32, wide};
use crate::wgsl::shader_struct;
use std::mem::offset_of;

/// `shaders/step/activate.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "activate" in "step/activate",
    Parameters,
    [],
    [Slot::read("z"), Slot::write("outputs")]
);

shader_struct! {
    /// `z` and `outputs` are `[models, size]`.
    pub Parameters {
        /// Elements of a model.
        size: u32,
        /// The number of models.
        models: u32,
        /// The elements of a model that are computed: all, or those of a count of rows on the GPU.
        count: u32,
    }
}

/// Describes the outputs of a last layer.
#[derive(Debug, Clone, Copy)]
pub struct Activate {
    /// The last layer's activation.
    pub activation: Activation,
    /// The number of models.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Outputs of a row.
    pub outputs: usize,
}

impl Activate {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// A size does not fit in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { activation, models, rows, outputs } = *self;
        let elements = volume(&[models, rows, outputs]);
        to_u32("the number of outputs of all models", elements)?;
        let n = |value: usize| to_u32("a size of a layer's outputs", wide(value));
        let size = n(rows.saturating_mul(outputs))?;
        let p = Parameters { size, models: n(models)?, count: size };
        let count = Counted::Rows { at: offset_of!(Parameters, count), first: 0, each: outputs };
        let variant = Variant {
            pieces: vec![activation.wgsl()],
            generated: activation.splice(),
            ..Variant::default()
        };
        let dispatch = Dispatch::over(&KERNEL, &p, elements, 0).with(variant);
        Ok(dispatch.costing(elements, elements, elements).counting(count))
    }

    /// The outputs on the CPU.
    pub fn reference<T: Real>(&self, z: &[T]) -> Vec<T> {
        z.iter().map(|z| self.activation.value(*z)).collect()
    }
}

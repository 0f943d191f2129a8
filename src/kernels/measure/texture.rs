//! Writes outputs into a storage texture: one texel per row, one layer per model.

use crate::error::{Error, Result};
use crate::kernels::dispatch::Counted;
use crate::kernels::{Dispatch, Kernel, Slot, Variant, check_positive, volume};
use crate::numeric::{narrow, to_u32, wide};
use crate::wgsl::shader_struct;
use std::mem::offset_of;

/// `shaders/measure/texture.wgsl`.
pub const KERNEL: Kernel = kernel!(
    "texture" in "measure/texture",
    Parameters,
    [],
    [Slot::read("values"), Slot::texture("texels")]
);

shader_struct! {
    /// `values` is `[models, rows, outputs]`.
    pub Parameters {
        /// The number of models. Each has one layer of the texture.
        models: u32,
        /// Rows of a model in this dispatch.
        rows: u32,
        /// Outputs of a row, at most 4.
        outputs: u32,
        /// Texels of a row of the texture.
        width: u32,
        /// The index of the texel of the first row.
        first: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The texture formats that can be written.
pub const FORMATS: &[wgpu::TextureFormat] = &[
    wgpu::TextureFormat::Rgba8Unorm,
    wgpu::TextureFormat::Rgba16Float,
    wgpu::TextureFormat::R32Float,
];

fn check_format(format: wgpu::TextureFormat) -> Result<()> {
    if FORMATS.contains(&format) {
        return Ok(());
    }
    let allowed = format!("one of {FORMATS:?}");
    Err(Error::argument("the format of the texture", format!("{format:?}"), allowed))
}

/// Describes the outputs of `models` models, written to consecutive texels.
#[derive(Debug, Clone, Copy)]
pub struct Texture {
    /// One of [`FORMATS`].
    pub format: wgpu::TextureFormat,
    /// The number of models. Each has one layer of the texture.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Outputs of a row, at most 4.
    pub outputs: usize,
    /// Texels of a row of the texture.
    pub width: u32,
    /// The index of the texel of the first row.
    pub first: usize,
}

impl Texture {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// The format is not one of [`FORMATS`], there are more than 4 outputs, or a size does not fit
    /// in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { format, models, rows, outputs, width, first } = *self;
        check_format(format)?;
        if outputs == 0 || outputs > 4 {
            return Err(Error::argument("the outputs of a texel", outputs, "1 to 4"));
        }
        let elements = volume(&[models, rows]);
        to_u32("the number of values of a texture", volume(&[models, rows, outputs]))?;
        to_u32("the number of texels", wide(first).saturating_add(wide(rows)))?;
        check_positive("the rows of a texture", rows)?;
        check_positive("the texels of a row", narrow(width.into()))?;
        let n = |value: usize| to_u32("a size of a texture", wide(value));
        let p = Parameters {
            models: n(models)?,
            rows: n(rows)?,
            outputs: n(outputs)?,
            width,
            first: n(first)?,
            count: n(rows)?,
        };
        let count = Counted::Rows { at: offset_of!(Parameters, count), first, each: 1 };
        let variant = Variant { texture: Some(format), ..Variant::default() };
        let read = elements * wide(outputs);
        let dispatch = Dispatch::over(&KERNEL, &p, elements, 0).with(variant);
        Ok(dispatch.costing(read, elements, 0).counting(count))
    }

    /// The texel of row `row` of model `model` on the CPU, from `values` `[models, rows, outputs]`.
    /// Missing outputs are 0; a missing alpha is 1.
    pub fn reference(&self, values: &[f32], model: usize, row: usize) -> [f32; 4] {
        let at = (model * self.rows + row) * self.outputs;
        let mut texel = [0.0, 0.0, 0.0, 1.0];
        texel[..self.outputs].copy_from_slice(&values[at..at + self.outputs]);
        texel
    }
}

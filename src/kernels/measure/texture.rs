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
        /// Outputs of a row.
        outputs: u32,
        /// The first output that is written.
        column: u32,
        /// Outputs that are written, at most 4.
        channels: u32,
        /// Texels of a row of the texture.
        width: u32,
        /// The index of the texel of the first row.
        first: u32,
        /// The rows that take part: all, or those of a count on the GPU.
        count: u32,
    }
}

/// The texture formats that can be written: all that hold fractions and that every device of WebGPU
/// stores.
pub const FORMATS: &[wgpu::TextureFormat] = &[
    wgpu::TextureFormat::Rgba8Unorm,
    wgpu::TextureFormat::Rgba8Snorm,
    wgpu::TextureFormat::Rgba16Float,
    wgpu::TextureFormat::R32Float,
    wgpu::TextureFormat::Rg32Float,
    wgpu::TextureFormat::Rgba32Float,
];

/// The channels of one of [`FORMATS`].
pub fn channels(format: wgpu::TextureFormat) -> usize {
    usize::from(format.components())
}

/// What a texture is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texel {
    /// One of [`FORMATS`].
    pub format: wgpu::TextureFormat,
    /// Texels of a row of the texture.
    pub width: u32,
}

impl Texel {
    /// # Errors
    /// The format is not one of [`FORMATS`].
    pub fn check(&self) -> Result<()> {
        check_format(self.format)?;
        check_positive("the texels of a row", narrow(self.width.into()))
    }
}

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
    /// The texture.
    pub texel: Texel,
    /// The number of models. Each has one layer of the texture.
    pub models: usize,
    /// Rows of a model.
    pub rows: usize,
    /// Outputs of a row.
    pub outputs: usize,
    /// The first output that is written. The texture takes as many as it has channels.
    pub column: usize,
    /// The index of the texel of the first row.
    pub first: usize,
}

impl Texture {
    /// Describes the dispatch.
    ///
    /// # Errors
    /// The format is not one of [`FORMATS`], there is no such output, or a size does not fit
    /// in the shader's `u32`.
    pub fn dispatch(&self) -> Result<Dispatch> {
        let Self { texel, models, rows, outputs, column, first } = *self;
        texel.check()?;
        if column >= outputs {
            let allowed = format!("less than {outputs}");
            return Err(Error::argument("the first output of a texel", column, allowed));
        }
        let elements = volume(&[models, rows]);
        to_u32("the number of values of a texture", volume(&[models, rows, outputs]))?;
        to_u32("the number of texels", wide(first).saturating_add(wide(rows)))?;
        check_positive("the rows of a texture", rows)?;
        let n = |value: usize| to_u32("a size of a texture", wide(value));
        let p = Parameters {
            models: n(models)?,
            rows: n(rows)?,
            outputs: n(outputs)?,
            column: n(column)?,
            channels: n(self.channels())?,
            width: texel.width,
            first: n(first)?,
            count: n(rows)?,
        };
        let count = Counted::Rows { at: offset_of!(Parameters, count), first, each: 1 };
        let variant = Variant { textures: vec![texel.format], ..Variant::default() };
        let read = elements * wide(self.channels());
        let dispatch = Dispatch::over(&KERNEL, &p, elements, 0).with(variant);
        Ok(dispatch.costing(read, elements, 0).counting(count))
    }

    /// Outputs that are written.
    fn channels(&self) -> usize {
        channels(self.texel.format).min(self.outputs - self.column)
    }

    /// The texel of row `row` of model `model` on the CPU, from `values` `[models, rows, outputs]`.
    /// Missing outputs are 0; a missing alpha is 1.
    pub fn reference(&self, values: &[f32], model: usize, row: usize) -> [f32; 4] {
        let at = (model * self.rows + row) * self.outputs + self.column;
        let (mut texel, channels) = ([0.0, 0.0, 0.0, 1.0], self.channels());
        texel[..channels].copy_from_slice(&values[at..at + channels]);
        texel
    }
}

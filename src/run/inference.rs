//! The forward pass recorded into the application's encoder, from its buffer into its buffer or
//! texture.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Buffers, Gpu, Prepared, bind, record};
use crate::network::Mlp;
use crate::numeric::wide;
use crate::plan::{Buffer, Prediction};

/// Where an [`Inference`] writes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Output<'a> {
    /// `[models, rows, outputs]`, f32, at a slice of a buffer made for `STORAGE`, whose offset is
    /// a multiple of the device's `min_storage_buffer_offset_alignment`.
    Buffer(wgpu::BufferSlice<'a>),
    /// A texel a row, row after row of texels, model m in layer m: 1 to 4 outputs in the channels;
    /// those that are left are 0, alpha 1. Of a 2-D texture made for `STORAGE_BINDING`, in
    /// `Rgba8Unorm`, `Rgba16Float` or `R32Float`, the first mip level is written.
    Texture(&'a wgpu::Texture),
}

/// A forward pass over rows that lie on the GPU, ready to be recorded any number of times:
/// [`Trainer::inference`](crate::Trainer::inference), [`Model::inference`](crate::Model::inference).
#[derive(Debug)]
pub struct Inference {
    prepared: Vec<Prepared>,
}

impl Inference {
    pub(crate) fn new(
        gpu: &Gpu,
        mlp: &Mlp,
        models: usize,
        parameters: &wgpu::Buffer,
        (rows, x, to): (usize, wgpu::BufferSlice<'_>, Output<'_>),
    ) -> Result<Self> {
        if rows == 0 {
            return Err(Error::argument("the rows of an inference", 0, "1 or more"));
        }
        let input = BufferRange::new(gpu, "the inputs", x, [1, rows, mlp.inputs])?;
        let mut buffers = Buffers::from([
            (Buffer::Inputs, input),
            (Buffer::Parameters, parameters.clone().into()),
        ]);
        let mut texels = None;
        match to {
            Output::Buffer(slice) => {
                let shape = [models, rows, mlp.outputs()];
                let part = BufferRange::new(gpu, "the outputs", slice, shape)?;
                buffers.insert(Buffer::Activation(mlp.layers.len() - 1), part);
            }
            Output::Texture(texture) => {
                check_texture(texture, models, rows)?;
                let view = gpu.guarded("a view of the outputs' texture", || {
                    texture.create_view(&wgpu::TextureViewDescriptor {
                        dimension: Some(wgpu::TextureViewDimension::D2Array),
                        mip_level_count: Some(1),
                        ..Default::default()
                    })
                })?;
                texels = Some((view, texture.format(), texture.width()));
            }
        }
        let format = texels.as_ref().map(|(_, format, width)| (*format, *width));
        let plan = Prediction::whole(mlp, models, rows, format, gpu.capabilities())?;
        let view = texels.as_ref().map(|(view, ..)| view);
        let prepared = bind(gpu, &plan.stages, &mut buffers, view)?;
        gpu.check_present()?;
        Ok(Self { prepared })
    }

    /// Records the pass: no submit, no poll, no allocation, [`Inference::dispatches`] dispatches in
    /// one compute pass. It reads the parameters as they are when it runs.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        record(encoder, &self.prepared, 1);
    }

    /// Dispatches of one record.
    pub const fn dispatches(&self) -> usize {
        self.prepared.len()
    }
}

fn check_texture(texture: &wgpu::Texture, models: usize, rows: usize) -> Result<()> {
    let what = |part: &str| format!("the {part} of the outputs' texture");
    if !texture.usage().contains(wgpu::TextureUsages::STORAGE_BINDING) {
        let found = format!("{:?}", texture.usage());
        return Err(Error::argument(what("usage"), found, "STORAGE_BINDING among it"));
    }
    let dimension = texture.dimension();
    if dimension != wgpu::TextureDimension::D2 || texture.sample_count() != 1 {
        return Err(Error::argument(what("dimension"), format!("{dimension:?}"), "D2, one sample"));
    }
    let texels = u64::from(texture.width()) * u64::from(texture.height());
    if texels != wide(rows) {
        return Err(Error::argument(what("texels"), texels, format!("a row each: {rows}")));
    }
    let layers = u64::from(texture.depth_or_array_layers());
    if layers != wide(models) {
        return Err(Error::argument(what("layers"), layers, format!("a model each: {models}")));
    }
    Ok(())
}

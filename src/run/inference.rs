//! The forward pass recorded into the application's encoder, from its buffer into its buffer or
//! texture.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Buffers, Gpu, Prepared, bind, record};
use crate::kernels::UNUSED_TEXTURE;
use crate::kernels::infer::{MAX_TEXTURES, Quantity};
use crate::kernels::measure::texture::Texel;
use crate::network::Mlp;
use crate::numeric::wide;
use crate::plan::{Buffer, Prediction, Wanted};
use crate::run::Rows;
use crate::run::predictor::Source;

/// Where an [`Inference`] writes.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Output<'a> {
    /// `[models, rows, outputs]`, f32, at a slice of a buffer made for `STORAGE`, whose offset is
    /// a multiple of the device's `min_storage_buffer_offset_alignment`.
    Buffer(wgpu::BufferSlice<'a>),
    /// A texel a row, row after row of texels, model m in layer m: the outputs in the channels; those
    /// that are left are 0, alpha 1. Of a 2-D texture made for `STORAGE_BINDING` the first mip level
    /// is written. Its format is one that WebGPU stores fractions in: `Rgba8Unorm`, `Rgba8Snorm`,
    /// `Rgba16Float`, `R32Float`, `Rg32Float` or `Rgba32Float`.
    Texture(&'a wgpu::Texture),
    /// The same of up to four textures of one size: the first takes as many outputs as it has
    /// channels, the next one those that follow.
    Textures(&'a [&'a wgpu::Texture]),
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
        source: impl Into<Source>,
        quantities: &[Quantity],
        (rows, x, to): (Rows<'_>, wgpu::BufferSlice<'_>, Output<'_>),
    ) -> Result<Self> {
        let source = source.into();
        let columns: usize = quantities.iter().map(|quantity| quantity.columns(mlp)).sum();
        if columns == 0 {
            return Err(Error::argument("the columns of an inference", 0, "1 or more"));
        }
        let ([parameters, layers], loads) = source.loads(gpu, mlp);
        let count = rows.check(gpu, "an inference")?;
        let rows = rows.most();
        let of_parameters = parameters.buffer.clone();
        let input = BufferRange::new(gpu, "the inputs", x, [1, rows, mlp.inputs])?;
        let mut buffers = Buffers::from([
            (Buffer::Inputs, input),
            (Buffer::Parameters, parameters),
            (Buffer::Layers, layers),
        ]);
        let (mut views, mut texels, mut outputs) = (Vec::new(), Vec::new(), None);
        match to {
            Output::Buffer(slice) => {
                let shape = [models, rows, columns];
                let part = BufferRange::new(gpu, "the outputs", slice, shape)?;
                outputs = Some(slice);
                buffers.insert(Buffer::Activation(mlp.layers.len() - 1), part);
            }
            Output::Texture(_) | Output::Textures(_) => {
                let textures: Vec<&wgpu::Texture> = match to {
                    Output::Texture(texture) => vec![texture],
                    Output::Textures(all) => all.to_vec(),
                    Output::Buffer(_) => Vec::new(),
                };
                if let Some(i) =
                    (1..textures.len()).find(|i| textures[..*i].contains(&textures[*i]))
                {
                    let what = "the textures of the outputs";
                    let found = format!("one twice, at {i}");
                    return Err(Error::argument(what, found, "different ones"));
                }
                for texture in textures {
                    let (view, texel) = texels_of(gpu, texture, models, rows)?;
                    views.push(view);
                    texels.push(texel);
                }
                check_sizes(&texels)?;
                // What stands in the slots that are left.
                for _ in texels.len()..MAX_TEXTURES {
                    views.push(unused_texture(gpu)?);
                }
            }
        }
        let one_buffer = outputs.is_some_and(|y: wgpu::BufferSlice<'_>| y.buffer() == x.buffer());
        let wanted =
            Wanted { storage: source.storage, loads, quantities, textures: &texels, one_buffer };
        let plan = Prediction::whole(mlp, models, rows, wanted, gpu.capabilities())?;
        if let Some(y) = outputs {
            if *y.buffer() == of_parameters {
                let allowed = "another buffer: the last layer reads its parameters while it writes";
                let found = "the buffer of the network's own parameters";
                return Err(Error::argument("the outputs' buffer", found, allowed));
            }
            if y.buffer() == x.buffer() {
                let outputs = models.saturating_mul(mlp.outputs());
                let ranges = Ranges { rows, slice: plan.rows, inputs: mlp.inputs, outputs };
                let one = mlp.layers.len() == 1 && mlp.encoding.is_empty();
                ranges.check(one, models, [x.offset(), y.offset()])?;
            }
        }
        let prepared = bind(gpu, &plan.stages, &mut buffers, &views, count.as_ref())?;
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

/// Inputs and outputs in one buffer: rows of so many elements, computed in slices of rows.
#[derive(Debug, Clone, Copy)]
struct Ranges {
    rows: usize,
    slice: usize,
    inputs: usize,
    /// The outputs of a row, of all models.
    outputs: usize,
}

impl Ranges {
    /// Checks that no dispatch both reads and writes the buffer, which wgpu does not allow whatever
    /// its ranges, and that no slice reads what an earlier one has written. `offsets` are those of
    /// the inputs and of the outputs, in bytes; `one` says that there is one layer and no encoding.
    fn check(self, one: bool, models: usize, offsets: [u64; 2]) -> Result<()> {
        let what = "the inputs and outputs of an inference";
        if one {
            let found = "in one buffer, which a single layer reads and writes in one dispatch";
            return Err(Error::argument(what, found, "two buffers"));
        }
        match self.first_read_late(models, offsets) {
            None => Ok(()),
            Some(row) => {
                let found =
                    format!("in one buffer, where row {row} is overwritten before it is read");
                let (slice, rows) = (self.slice, self.rows);
                let allowed = format!(
                    "ranges of one buffer of which the {rows} rows, in slices of {slice}, overwrite \
                     no inputs of a later slice, or two buffers"
                );
                Err(Error::argument(what, found, allowed))
            }
        }
    }

    /// The first row of the first slice whose inputs overlap with the outputs of those before it.
    /// With several models, whose outputs lie apart, all that lies between counts as written.
    fn first_read_late(self, models: usize, [x, y]: [u64; 2]) -> Option<usize> {
        let Self { rows, slice, inputs, outputs } = self;
        let bytes = |rows: usize, width: usize| 4 * wide(rows) * wide(width);
        // The last model's outputs begin after those of the others.
        let others = bytes(rows, outputs / models * (models - 1));
        (slice..rows).step_by(slice).find(|first| {
            let end = rows.min(first + slice);
            let read = x + bytes(*first, inputs)..x + bytes(end, inputs);
            let written = y..y + others + bytes(*first, outputs / models);
            read.start < written.end && written.start < read.end
        })
    }
}

/// A texture that a kernel may bind and does not write.
fn unused_texture(gpu: &Gpu) -> Result<wgpu::TextureView> {
    gpu.guarded("a texture for an unused slot", || {
        let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
            label: Some("unused"),
            size: wgpu::Extent3d::default(),
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: UNUSED_TEXTURE,
            usage: wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        });
        layers_of(&texture)
    })
}

/// A view of a texture's first mip level, as a kernel binds it.
fn layers_of(texture: &wgpu::Texture) -> wgpu::TextureView {
    texture.create_view(&wgpu::TextureViewDescriptor {
        dimension: Some(wgpu::TextureViewDimension::D2Array),
        mip_level_count: Some(1),
        ..Default::default()
    })
}

fn texels_of(
    gpu: &Gpu,
    texture: &wgpu::Texture,
    models: usize,
    rows: usize,
) -> Result<(wgpu::TextureView, Texel)> {
    check_texture(texture, models, rows)?;
    let view = gpu.guarded("a view of the outputs' texture", || layers_of(texture))?;
    Ok((view, Texel { format: texture.format(), width: texture.width() }))
}

/// Checks that the textures have one size; each has as many texels as there are rows.
fn check_sizes(texels: &[Texel]) -> Result<()> {
    let Some(first) = texels.first() else {
        return Err(Error::argument("the textures of the outputs", 0, "1 or more"));
    };
    match texels.iter().find(|other| other.width != first.width) {
        None => Ok(()),
        Some(other) => {
            let what = "the width of a texture of the outputs";
            Err(Error::argument(
                what,
                other.width,
                format!("that of the first one, {}", first.width),
            ))
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte that a slice reads, after all that those before have written.
    fn reads_late(ranges: Ranges, models: usize, [x, y]: [u64; 2]) -> bool {
        let Ranges { rows, slice, inputs, outputs } = ranges;
        let one = outputs / models;
        let mut written = std::collections::HashSet::new();
        for first in (0..rows).step_by(slice) {
            let end = rows.min(first + slice);
            let mut read = (first * inputs..end * inputs).map(|i| x / 4 + wide(i));
            if read.any(|at| written.contains(&at)) {
                return true;
            }
            for m in 0..models {
                let own = (m * rows + first) * one..(m * rows + end) * one;
                written.extend(own.map(|i| y / 4 + wide(i)));
            }
        }
        false
    }

    #[test]
    fn exactly_the_overlaps_that_a_later_slice_reads_are_refused() {
        let (mut refused, mut accepted) = (0, 0);
        for (inputs, one) in [(1, 2), (2, 1), (1, 1), (3, 2), (2, 3)] {
            for (rows, slice) in [(1, 8), (8, 8), (9, 8), (20, 8), (24, 8)] {
                for models in [1, 3] {
                    for x in 0..70 {
                        for y in 0..70 {
                            let ranges = Ranges { rows, slice, inputs, outputs: one * models };
                            let found = ranges.first_read_late(models, [4 * x, 4 * y]).is_some();
                            let late = reads_late(ranges, models, [4 * x, 4 * y]);
                            assert!(found || !late, "{ranges:?}, {models} models, {x} {y}");
                            // With one model, nothing else is refused.
                            assert!(models > 1 || found == late, "{ranges:?} {x} {y}");
                            *(if found { &mut refused } else { &mut accepted }) += 1;
                        }
                    }
                }
            }
        }
        assert!(refused > 10_000 && accepted > 10_000, "{refused} {accepted}");
    }
}

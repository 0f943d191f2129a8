//! The forward pass alone.

use super::builder::{Builder, Slice};
use super::layered::Purpose;
use super::{Buffer, Stages};
use crate::error::Result;
use crate::kernels::Capabilities;
use crate::kernels::measure::texture::Texture;
use crate::network::Mlp;
use crate::numeric::narrow;

/// The forward pass alone, on slices of `rows` rows.
#[derive(Debug, Clone)]
pub(crate) struct Prediction {
    pub rows: usize,
    pub stages: Stages,
}

/// The number of rows of a slice, where the device has memory for them.
const PREDICTION_ROWS: usize = 16_384;

impl Prediction {
    /// The number of rows of a slice of a prediction of `rows` rows.
    pub fn slice(mlp: &Mlp, models: usize, rows: usize, capabilities: &Capabilities) -> usize {
        Self::slice_of_sets(mlp, models, 1, rows, capabilities)
    }

    /// [`Prediction::slice`] where there are `sets` sets of rows.
    pub fn slice_of_sets(
        mlp: &Mlp,
        models: usize,
        sets: usize,
        rows: usize,
        capabilities: &Capabilities,
    ) -> usize {
        let encoded = mlp.layer_inputs(0).saturating_mul(if mlp.encoding_parameters() > 0 {
            models
        } else {
            sets
        });
        let widest = mlp.inputs.max(encoded);
        let widest =
            mlp.layers.iter().map(|l| l.units.saturating_mul(models)).fold(widest, usize::max);
        let room = narrow(capabilities.max_binding() / 4) / widest.max(1);
        rows.min(PREDICTION_ROWS).next_power_of_two().min(room.max(1))
    }

    /// The plan for `rows` rows, in slices as large as the device allows.
    pub fn new(mlp: &Mlp, models: usize, rows: usize, capabilities: &Capabilities) -> Result<Self> {
        mlp.check()?;
        let rows = Self::slice(mlp, models, rows, capabilities);
        Self::in_slices(mlp, models, [rows, rows], None, capabilities)
    }

    /// The plan that writes the outputs of all `rows` rows, slice after slice, into one buffer, or
    /// into a texture of the given format and width.
    pub fn whole(
        mlp: &Mlp,
        models: usize,
        rows: usize,
        texture: Option<(wgpu::TextureFormat, u32)>,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        mlp.check()?;
        let slice = Self::slice(mlp, models, rows, capabilities);
        Self::in_slices(mlp, models, [rows, slice], texture, capabilities)
    }

    fn in_slices(
        mlp: &Mlp,
        models: usize,
        [rows, slice]: [usize; 2],
        texture: Option<(wgpu::TextureFormat, u32)>,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        let mut b = Builder::new(mlp, capabilities, models, 1, slice.min(rows));
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Parameters, &[models, mlp.parameters()])?;
        let written = Buffer::Activation(mlp.layers.len() - 1);
        for first in (0..rows).step_by(slice) {
            b.batch = slice.min(rows - first);
            b.read_from = first;
            b.written = texture.is_none().then_some(Slice { first, of: rows });
            b.forward(Buffer::Inputs, Purpose::Prediction)?;
            if let Some((format, width)) = texture {
                let (rows, outputs) = (b.batch, mlp.outputs());
                let texture = Texture { format, models, rows, outputs, width, first };
                let dispatch = texture.dispatch()?;
                b.push(dispatch, &[written, Buffer::Texels]);
            }
        }
        if texture.is_none() {
            b.buffer(written, &[models, rows, mlp.outputs()])?;
        }
        Ok(Self { rows: slice, stages: b.finish()? })
    }
}

//! The forward pass alone.

use super::builder::{Builder, Slice};
use super::layered::Purpose;
use super::{Buffer, Stages};
use crate::error::{Error, Result};
use crate::export::MAX_WRITTEN_OUT;
use crate::kernels::infer::{Form, Infer, Loads, MAX_TEXTURES, Quantity, check_textures};
use crate::kernels::measure::texture::{Texel, Texture, channels};
use crate::kernels::{Capabilities, branching};
use crate::network::{Mlp, Packing, Storage};
use crate::numeric::narrow;

/// The forward pass alone, on slices of `rows` rows.
#[derive(Debug, Clone)]
pub(crate) struct Prediction {
    pub rows: usize,
    pub stages: Stages,
}

/// What is predicted, from which parameters, to where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// How the parameters are stored.
    pub storage: Storage,
    /// How the parameters can be loaded.
    pub loads: Loads,
    /// The columns of a row.
    pub quantities: &'a [Quantity],
    /// The textures that are written; with none it is a buffer.
    pub textures: &'a [Texel],
    /// Whether the inputs and the outputs lie in one buffer, which one dispatch cannot read and write.
    pub one_buffer: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            storage: Storage::F32,
            loads: Loads::Uniform,
            quantities: &[Quantity::Outputs],
            textures: &[],
            one_buffer: false,
        }
    }
}

/// The number of rows of a slice, where the device has memory for them.
const PREDICTION_ROWS: usize = 16_384;

/// The most parameters of layers that are written out on a device on a CPU: its compiler takes seconds
/// over more. One whose subgroups are not narrow has several rows in an invocation.
const SOFTWARE_PARAMETERS: [usize; 2] = [1 << 8, 1 << 10];

/// Rows of an invocation. A device on a CPU loads each parameter for each row, and checks each load.
const fn block(capabilities: &Capabilities) -> usize {
    if capabilities.software && !capabilities.narrow { 4 } else { 1 }
}

/// Whether a network is written out in the one dispatch that evaluates it, and so read from any
/// storage.
pub(crate) fn is_written_out(mlp: &Mlp, capabilities: &Capabilities) -> bool {
    let most = SOFTWARE_PARAMETERS[usize::from(capabilities.narrow)];
    let too_long = capabilities.software && of_layers(mlp) > most;
    let endless = capabilities.narrow && branching(mlp).is_some();
    mlp.widest() <= MAX_WRITTEN_OUT && !too_long && !endless
}

fn of_layers(mlp: &Mlp) -> usize {
    mlp.parameters() - mlp.encoding_parameters()
}

impl Wanted<'_> {
    /// How one dispatch computes it. `None` where the layers one after another are faster, or needed.
    fn form(&self, mlp: &Mlp, capabilities: &Capabilities) -> Option<Form> {
        let form = match is_written_out(mlp, capabilities) {
            true => Form::WrittenOut,
            false => Form::Loops,
        };
        if self.storage != Storage::F32 || self.quantities != [Quantity::Outputs] {
            return Some(form);
        }
        (form == Form::WrittenOut && !self.one_buffer).then_some(form)
    }
}

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

    /// The plan for `rows` rows into a buffer, in slices as large as the device allows.
    pub fn new(
        mlp: &Mlp,
        models: usize,
        rows: usize,
        wanted: Wanted<'_>,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        mlp.check()?;
        let rows = Self::slice(mlp, models, rows, capabilities);
        if wanted.storage != Storage::F32 {
            return Self::at_once(mlp, models, rows, wanted, capabilities);
        }
        Self::in_slices(mlp, models, [rows, rows], &[], capabilities)
    }

    /// The plan that writes what is wanted of all `rows` rows: in one dispatch, or slice after slice
    /// and layer after layer.
    pub fn whole(
        mlp: &Mlp,
        models: usize,
        rows: usize,
        wanted: Wanted<'_>,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        mlp.check()?;
        let columns = wanted.quantities.iter().map(|quantity| quantity.columns(mlp)).sum();
        check_textures(wanted.textures, columns)?;
        if wanted.form(mlp, capabilities).is_some() {
            return Self::at_once(mlp, models, rows, wanted, capabilities);
        }
        let slice = Self::slice(mlp, models, rows, capabilities);
        Self::in_slices(mlp, models, [rows, slice], wanted.textures, capabilities)
    }

    /// In one dispatch, or in a few where it would run for too long.
    fn at_once(
        mlp: &Mlp,
        models: usize,
        rows: usize,
        wanted: Wanted<'_>,
        capabilities: &Capabilities,
    ) -> Result<Self> {
        let Wanted { storage, loads, quantities, textures, .. } = wanted;
        if wanted.one_buffer {
            let what = "the inputs and outputs of an inference";
            let found = "in one buffer, which one dispatch reads and writes";
            return Err(Error::argument(what, found, "two buffers"));
        }
        let form = wanted.form(mlp, capabilities).unwrap_or(Form::Loops);
        let block = if form == Form::Loops { 1 } else { block(capabilities) };
        let infer = Infer { mlp, form, storage, loads, block, quantities, models, rows, textures };
        let mut b = Builder::new(mlp, capabilities, models, 1, rows);
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Parameters, &[models, Packing::new(mlp, storage).words])?;
        let written = Buffer::Activation(mlp.layers.len() - 1);
        let layers = match infer.layers() {
            Some(_) => Buffer::Layers,
            None => {
                b.bytes(Buffer::Unused(0), 4);
                Buffer::Unused(0)
            }
        };
        let mut buffers = vec![Buffer::Inputs, Buffer::Parameters, layers];
        if textures.is_empty() {
            b.buffer(written, &[models, rows, infer.columns()])?;
            buffers.push(written);
        } else {
            buffers.extend((0..MAX_TEXTURES).map(Buffer::Texels));
        }
        for dispatch in infer.dispatches()? {
            b.push(dispatch, &buffers);
        }
        Ok(Self { rows, stages: b.finish()? })
    }

    fn in_slices(
        mlp: &Mlp,
        models: usize,
        [rows, slice]: [usize; 2],
        textures: &[Texel],
        capabilities: &Capabilities,
    ) -> Result<Self> {
        let mut b = Builder::new(mlp, capabilities, models, 1, slice.min(rows));
        b.buffer(Buffer::Inputs, &[rows, mlp.inputs])?;
        b.buffer(Buffer::Parameters, &[models, mlp.parameters()])?;
        let written = Buffer::Activation(mlp.layers.len() - 1);
        for first in (0..rows).step_by(slice) {
            b.batch = slice.min(rows - first);
            b.read_from = first;
            b.written = textures.is_empty().then_some(Slice { first, of: rows });
            b.forward(Buffer::Inputs, Purpose::Prediction)?;
            let mut column = 0;
            for (i, texel) in textures.iter().enumerate() {
                let (rows, outputs) = (b.batch, mlp.outputs());
                let texture = Texture { texel: *texel, models, rows, outputs, column, first };
                let dispatch = texture.dispatch()?;
                column += channels(texel.format);
                b.push(dispatch, &[written, Buffer::Texels(i)]);
            }
        }
        if textures.is_empty() {
            b.buffer(written, &[models, rows, mlp.outputs()])?;
        }
        Ok(Self { rows: slice, stages: b.finish()? })
    }
}

//! The data of a trainer: its own, which can be exchanged, or in buffers of the application's.

use crate::error::{Error, Result};
use crate::gpu::{BufferRange, Buffers, Gpu};
use crate::kernels::step::Status;
use crate::network::Mlp;
use crate::plan::{Buffer, Plan};
use crate::run::{Rows, Trainer};
use crate::training::{Batch, Data, DataShape, Training, check_sets, check_shape_of};

/// Training data in buffers of the application's: f32, row after row.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DataBuffers<'a> {
    /// How many rows there are.
    pub shape: DataShape,
    /// `[sets, rows, inputs]`.
    pub inputs: wgpu::BufferSlice<'a>,
    /// `[sets, rows, outputs]`.
    pub targets: wgpu::BufferSlice<'a>,
    /// A `u32`: the number of rows of each data set that take part. `None` for all of them.
    pub count: Option<wgpu::BufferSlice<'a>>,
}

impl<'a> DataBuffers<'a> {
    /// Data of the shape `shape`: inputs `[sets, rows, inputs]`, targets `[sets, rows, outputs]`.
    pub const fn new(
        shape: DataShape,
        inputs: wgpu::BufferSlice<'a>,
        targets: wgpu::BufferSlice<'a>,
    ) -> Self {
        Self { shape, inputs, targets, count: None }
    }

    /// Lets only the first rows of each data set take part, as many as a count on the GPU says: see
    /// [`Rows::counted`]. The mean of the loss is over these rows. For full batches.
    #[must_use]
    pub const fn count(mut self, count: wgpu::BufferSlice<'a>) -> Self {
        self.count = Some(count);
        self
    }
}

impl Trainer {
    /// A trainer on data in buffers of the application's. Its shaders may fill them in the same
    /// encoder as the steps, and change them between the steps. A NaN among them shows as a divergence;
    /// `check_data` counts what the training does not know.
    ///
    /// # Errors
    /// Those of [`Trainer::new`]; a slice that is too short, at an offset that cannot be bound, or
    /// of a buffer that was not made for `STORAGE`.
    pub fn with_buffers(
        gpu: &Gpu,
        mlp: &Mlp,
        training: &Training,
        data: DataBuffers<'_>,
    ) -> Result<Self> {
        training.check(mlp)?;
        let DataBuffers { shape, inputs, targets, count } = data;
        let DataShape { sets, rows } = shape;
        check_sets(sets, training.models)?;
        if count.is_some() && training.batch != Batch::Full {
            let what = "the batch of a training whose rows come with a count";
            return Err(Error::argument(what, "mini-batches", "the full batch"));
        }
        let count = match count {
            Some(count) => Rows::counted(rows, count),
            None => rows.into(),
        };
        let count = count.check(gpu, "the data")?;
        let range = |what, slice, width| BufferRange::new(gpu, what, slice, [sets, rows, width]);
        let buffers = Buffers::from([
            (Buffer::Inputs, range("the inputs", inputs, mlp.inputs)?),
            (Buffer::Targets, range("the targets", targets, mlp.outputs())?),
        ]);
        let plan = Plan::new(mlp, training, shape, gpu.capabilities())?;
        Self::build(gpu, plan, (mlp, training), buffers, count)
    }

    /// [`TrainBase::set_data`](crate::TrainBase::set_data).
    ///
    /// # Errors
    /// Data that do not fit the network or the loss, or of another number of rows or sets; a trainer
    /// whose data are the application's; a lost device.
    pub fn set_data(&mut self, data: &Data) -> Result<()> {
        if !self.owns_data {
            let what = "the trainer whose data are exchanged";
            let found = "one whose rows are in the application's buffers";
            return Err(Error::argument(what, found, "one that was made with `Data`"));
        }
        data.check(&self.mlp, &self.training)?;
        let (sets, rows) = self.plan.data();
        check_shape_of(data, DataShape { sets, rows })?;
        self.upload_data(data)?;
        // A new epoch begins: the two counters lie side by side.
        let offset = std::mem::offset_of!(Status, epoch);
        self.gpu.write(self.get(Buffer::Status)?, offset as u64, &[0; 8])?;
        self.gpu.check_present()
    }

    pub(super) fn upload_data(&self, data: &Data) -> Result<()> {
        self.upload(Buffer::Inputs, bytemuck::cast_slice(data.x()))?;
        self.upload(Buffer::Targets, bytemuck::cast_slice(data.t()))
    }
}

//! The forward pass over rows of the CPU's, slice after slice.

use crate::error::Result;
use crate::gpu::{BufferRange, Buffers, Gpu, Prepared, bind, find, record};
use crate::kernels::Capabilities;
use crate::kernels::infer::Loads;
use crate::network::{Mlp, Storage};
use crate::numeric::{check_finite, check_shape, wide};
use crate::plan::{Buffer, Prediction, Wanted};

/// Where the parameters of an evaluation lie, and how they are stored.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub parameters: BufferRange,
    pub storage: Storage,
}

impl Source {
    /// The parameters, the layers of one model among them, and how a kernel may load them.
    pub fn loads(&self, gpu: &Gpu, mlp: &Mlp) -> ([BufferRange; 2], Loads) {
        let function = mlp.wgsl("network").storage(self.storage);
        self.parameters.clone().loads(gpu, function.uniform_range())
    }
}

impl From<wgpu::Buffer> for Source {
    fn from(parameters: wgpu::Buffer) -> Self {
        BufferRange::from(parameters).into()
    }
}

impl From<BufferRange> for Source {
    fn from(parameters: BufferRange) -> Self {
        Self { parameters, storage: Storage::F32 }
    }
}

/// The forward pass on a parameter buffer.
pub(crate) struct Predictor {
    plan: Prediction,
    buffers: Buffers,
    prepared: Vec<Prepared>,
}

impl Predictor {
    pub fn new(gpu: &Gpu, mlp: &Mlp, models: usize, rows: usize, source: &Source) -> Result<Self> {
        let ([parameters, layers], loads) = source.loads(gpu, mlp);
        let wanted = Wanted { storage: source.storage, loads, ..Wanted::default() };
        let plan = Prediction::new(mlp, models, rows, wanted, gpu.capabilities())?;
        let mut buffers =
            Buffers::from([(Buffer::Parameters, parameters), (Buffer::Layers, layers)]);
        let prepared = bind(gpu, &plan.stages, &mut buffers, &[], None)?;
        Ok(Self { plan, buffers, prepared })
    }

    /// Runs it once on whatever its inputs hold.
    pub fn submit(&self, gpu: &Gpu) -> Result<()> {
        gpu.submit(|encoder| record(encoder, &self.prepared, 1))
    }

    /// Whether slices of `rows` rows would be planned the same.
    fn suits(&self, mlp: &Mlp, models: usize, rows: usize, capabilities: &Capabilities) -> bool {
        Prediction::slice(mlp, models, rows, capabilities) == self.plan.rows
    }

    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`, slice after slice.
    async fn run(&self, gpu: &Gpu, mlp: &Mlp, models: usize, x: &[f32]) -> Result<Vec<f32>> {
        let (inputs, outputs, slice) = (mlp.inputs, mlp.outputs(), self.plan.rows);
        let rows = x.len() / inputs;
        let last = Buffer::Activation(mlp.layers.len() - 1);
        let input = find(&self.buffers, Buffer::Inputs)?;
        let output = find(&self.buffers, last)?;
        let mut y = vec![0.0; models * rows * outputs];
        for (index, part) in x.chunks(slice * inputs).enumerate() {
            let (first, count) = (index * slice, part.len() / inputs);
            gpu.write(&input.buffer, 0, bytemuck::cast_slice(part))?;
            gpu.submit(|encoder| record(encoder, &self.prepared, 1))?;
            let bytes = gpu.read(&output.buffer, 0, wide(4 * models * slice * outputs))?.await?;
            let read: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            for m in 0..models {
                let to = (m * rows + first) * outputs;
                let from = m * slice * outputs;
                y[to..to + count * outputs].copy_from_slice(&read[from..from + count * outputs]);
            }
        }
        Ok(y)
    }
}

/// The outputs at `x`, through a predictor that is kept for the next call.
pub(crate) async fn predict(
    kept: &mut Option<Predictor>,
    gpu: &Gpu,
    mlp: &Mlp,
    models: usize,
    source: &Source,
    x: &[f32],
) -> Result<Vec<f32>> {
    let rows = x.len() / mlp.inputs;
    check_shape("x", x.len(), &[rows, mlp.inputs])?;
    check_finite("x", x)?;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let predictor = match kept.take() {
        Some(predictor) if predictor.suits(mlp, models, rows, gpu.capabilities()) => predictor,
        _ => Predictor::new(gpu, mlp, models, rows, source)?,
    };
    kept.insert(predictor).run(gpu, mlp, models, x).await
}

//! Parameters and the forward pass alone.

use crate::cast::wide;
use crate::error::{check_finite, check_shape};
use crate::gpu::{Part, Prepared};
use crate::plan::{Buffer, Node, Prediction, Stride};
use crate::{Error, Gpu, Inference, Mlp, Output, Parameters, Result, Target, WgslFunction};
use std::collections::HashMap;

/// The buffers of a plan, made.
pub(crate) type Buffers = HashMap<Buffer, Part>;

/// Makes the buffers of `plan` that are not in `buffers` yet.
pub(crate) fn make_buffers(gpu: &Gpu, plan: &[(Buffer, u64)], buffers: &mut Buffers) -> Result<()> {
    for (name, bytes) in plan {
        if !buffers.contains_key(name) {
            let made = if *name == Buffer::Hyper {
                gpu.uniform(&name.to_string(), &vec![0; crate::cast::narrow(*bytes)])?
            } else {
                gpu.buffer(&name.to_string(), *bytes)?
            };
            buffers.insert(*name, made.into());
        }
    }
    Ok(())
}

/// The buffer `name` among `buffers`.
pub(crate) fn find(buffers: &Buffers, name: Buffer) -> Result<&Part> {
    let missing = || Error::argument(format!("the buffer `{name}`"), "missing", "made");
    buffers.get(&name).ok_or_else(missing)
}

/// Compiles nodes and binds them to `buffers`.
pub(crate) fn prepare(gpu: &Gpu, nodes: &[&Node], buffers: &Buffers) -> Result<Vec<Prepared>> {
    prepare_with(gpu, nodes, buffers, None)
}

/// The same with the texture that [`Buffer::Texels`] stands for.
pub(crate) fn prepare_with(
    gpu: &Gpu,
    nodes: &[&Node],
    buffers: &Buffers,
    texels: Option<&wgpu::TextureView>,
) -> Result<Vec<Prepared>> {
    let bound = nodes.iter().map(|node| {
        let bindings = node.buffers.iter().map(|name| match (name, texels) {
            (Buffer::Texels, Some(view)) => Ok(wgpu::BindingResource::TextureView(view)),
            _ => Ok(wgpu::BindingResource::Buffer(find(buffers, *name)?.binding())),
        });
        Ok((&node.dispatch, bindings.collect::<Result<Vec<_>>>()?))
    });
    gpu.prepare_all(&bound.collect::<Result<Vec<_>>>()?)
}

/// Records dispatches into one compute pass.
pub(crate) fn record(encoder: &mut wgpu::CommandEncoder, prepared: &[Prepared], times: u32) {
    let mut pass = encoder.begin_compute_pass(&Default::default());
    for _ in 0..times {
        for dispatch in prepared {
            dispatch.record(&mut pass);
        }
    }
}

/// Steps ready to be recorded: some at once, and by themselves.
pub(crate) struct Program {
    strides: Vec<(u32, Vec<Prepared>)>,
}

impl Program {
    pub fn new(gpu: &Gpu, strides: &[Stride], buffers: &Buffers) -> Result<Self> {
        let nodes: Vec<&Node> = strides.iter().flat_map(|stride| &stride.nodes).collect();
        let mut all = prepare(gpu, &nodes, buffers)?.into_iter();
        let strides = strides.iter().map(|s| (s.steps, all.by_ref().take(s.nodes.len()).collect()));
        Ok(Self { strides: strides.collect() })
    }

    /// Records `steps` steps into one compute pass.
    pub fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        steps: u32,
        timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
    ) {
        let mut pass = encoder
            .begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
        let mut left = steps;
        for (steps, stride) in &self.strides {
            while left >= *steps {
                stride.iter().for_each(|dispatch| dispatch.record(&mut pass));
                left -= steps;
            }
        }
    }
}

/// The forward pass on a parameter buffer.
pub(crate) struct Predictor {
    plan: Prediction,
    buffers: Buffers,
    prepared: Vec<Prepared>,
}

impl Predictor {
    pub fn new(
        gpu: &Gpu,
        mlp: &Mlp,
        models: usize,
        rows: usize,
        parameters: &wgpu::Buffer,
    ) -> Result<Self> {
        let plan = Prediction::new(mlp, models, rows, gpu.target())?;
        let mut buffers = Buffers::from([(Buffer::Parameters, parameters.clone().into())]);
        make_buffers(gpu, &plan.buffers, &mut buffers)?;
        let prepared = prepare(gpu, &plan.nodes.iter().collect::<Vec<_>>(), &buffers)?;
        Ok(Self { plan, buffers, prepared })
    }

    /// Runs it once on whatever its inputs hold.
    pub fn submit(&self, gpu: &Gpu) -> Result<()> {
        gpu.submit(|encoder| record(encoder, &self.prepared, 1))
    }

    /// Whether slices of `rows` rows would be planned the same.
    fn suits(&self, mlp: &Mlp, models: usize, rows: usize, target: &Target) -> bool {
        Prediction::slice(mlp, models, rows, target) == self.plan.rows
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
    parameters: &wgpu::Buffer,
    x: &[f32],
) -> Result<Vec<f32>> {
    let rows = x.len() / mlp.inputs;
    check_shape("x", x.len(), &[rows, mlp.inputs])?;
    check_finite("x", x)?;
    if rows == 0 {
        return Ok(Vec::new());
    }
    let predictor = match kept.take() {
        Some(predictor) if predictor.suits(mlp, models, rows, gpu.target()) => predictor,
        _ => Predictor::new(gpu, mlp, models, rows, parameters)?,
    };
    kept.insert(predictor).run(gpu, mlp, models, x).await
}

/// A trained network, or a population of them, on the GPU: parameters and the forward pass.
///
/// ```no_run
/// use wgrad::{Activation, Gpu, Init, Mlp, Model};
/// let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
/// let parameters = Init::Auto.draw(&mlp, 1, 0)?;
/// let mut model = Model::new(&Gpu::new()?, &parameters)?;
/// let y = model.predict(&[0.0, 0.0, 1.0, 1.0])?; // two rows
/// assert_eq!(y.len(), 2);
/// # Ok::<(), wgrad::Error>(())
/// ```
pub struct Model {
    gpu: Gpu,
    mlp: Mlp,
    models: usize,
    parameters: wgpu::Buffer,
    predictor: Option<Predictor>,
}

impl Model {
    /// Uploads `parameters`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where they do not fit a buffer, [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, parameters: &Parameters) -> Result<Self> {
        // Whole vectors of four, as a WGSL function binds them.
        let mut values = parameters.values().to_vec();
        values.resize(values.len().next_multiple_of(4), 0.0);
        Ok(Self {
            gpu: gpu.clone(),
            mlp: parameters.mlp().clone(),
            models: parameters.models(),
            parameters: gpu.buffer_with("parameters", bytemuck::cast_slice(&values))?,
            predictor: None,
        })
    }

    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The buffer of the parameters, `[models, P]`, as [`Mlp::ranges`] lays them out.
    pub const fn parameter_buffer(&self) -> &wgpu::Buffer {
        &self.parameters
    }

    /// How many models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// [`Trainer::wgsl`](crate::Trainer::wgsl), of this model's [`Model::parameter_buffer`].
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        self.mlp.wgsl(name).models(self.models)
    }

    /// [`Trainer::inference`](crate::Trainer::inference).
    ///
    /// # Errors
    /// The same.
    pub fn inference(
        &self,
        rows: usize,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        Inference::new(&self.gpu, &self.mlp, self.models, &self.parameters, (rows, x, to))
    }

    /// The outputs `[models, rows, outputs]` at `x` `[rows, inputs]`, any number of rows.
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a lost device.
    #[cfg(not(target_family = "wasm"))]
    pub fn predict(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        pollster::block_on(self.predict_async(x))
    }

    /// The same without blocking.
    ///
    /// # Errors
    /// The same.
    pub async fn predict_async(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let Self { gpu, mlp, models, parameters, predictor } = self;
        predict(predictor, gpu, mlp, *models, parameters, x).await
    }
}

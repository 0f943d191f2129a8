//! Parameters and the forward pass alone.

use crate::error::Result;
use crate::export::WgslFunction;
use crate::gpu::Gpu;
use crate::kernels::infer::Quantity;
use crate::network::{Mlp, Packed, Parameters, Storage};
use crate::plan::is_written_out;
use crate::run::predictor::{Predictor, Source, predict};
use crate::run::{Inference, Output, Rows};

/// A trained network, or a population of them, on the GPU: parameters and the forward pass.
///
/// ```no_run
/// use wgrad::{Activation, Gpu, Init, Mlp, Model};
/// let mlp = Mlp::new(2).layer(16, Activation::Tanh).layer(1, Activation::Sigmoid);
/// let parameters = Init::Auto.sample(&mlp, 1, 0)?;
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
    storage: Storage,
    /// What an inference reads.
    source: Source,
    predictor: Option<Predictor>,
}

/// Whole vectors of four, as a WGSL function binds them.
fn upload(gpu: &Gpu, parameters: &Parameters) -> Result<wgpu::Buffer> {
    let mut values = parameters.values().to_vec();
    values.resize(values.len().next_multiple_of(4), 0.0);
    gpu.buffer_with("parameters", bytemuck::cast_slice(&values))
}

impl Model {
    /// Uploads `parameters`.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) where they do not fit a buffer, [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn new(gpu: &Gpu, parameters: &Parameters) -> Result<Self> {
        let buffer = upload(gpu, parameters)?;
        let source = buffer.clone().into();
        Self::of_buffer(gpu, (parameters.mlp(), parameters.models()), buffer, source)
    }

    /// Uploads compact parameters. An exported function reads them as they are, and so does an
    /// inference that takes one dispatch; one of another kind reads them in f32, which are uploaded,
    /// too.
    ///
    /// # Errors
    /// Those of [`Model::new`].
    pub fn packed(gpu: &Gpu, packed: &Packed) -> Result<Self> {
        let (mlp, storage) = (packed.mlp(), packed.storage());
        let buffer = gpu.buffer_with("packed parameters", packed.bytes())?;
        let source = match is_written_out(mlp, gpu.capabilities()) {
            true => Source { parameters: buffer.clone().into(), storage },
            false => upload(gpu, &packed.parameters())?.into(),
        };
        let model = Self::of_buffer(gpu, (mlp, packed.models()), buffer, source)?;
        Ok(Self { storage, ..model })
    }

    fn of_buffer(
        gpu: &Gpu,
        (mlp, models): (&Mlp, usize),
        parameters: wgpu::Buffer,
        source: Source,
    ) -> Result<Self> {
        gpu.check_present()?;
        let (gpu, mlp) = (gpu.clone(), mlp.clone());
        let storage = Storage::F32;
        Ok(Self { gpu, mlp, models, parameters, storage, source, predictor: None })
    }

    /// Uploads the parameters of a file that describes its network: see [`Parameters::open`]. Of a
    /// checkpoint whose training keeps an average it is the average, as in
    /// [`Train::predict`](crate::Train::predict).
    ///
    /// # Errors
    /// Those of [`Parameters::open`] and of [`Model::new`].
    #[cfg(feature = "safetensors")]
    pub fn load(gpu: &Gpu, path: impl AsRef<std::path::Path>) -> Result<Self> {
        Self::new(gpu, &Parameters::open_for_inference(path)?)
    }

    /// The network.
    pub const fn mlp(&self) -> &Mlp {
        &self.mlp
    }

    /// The buffer of the parameters: `[models, P]`, as [`Mlp::ranges`] lays them out, or
    /// [`Packed::bytes`].
    pub const fn parameter_buffer(&self) -> &wgpu::Buffer {
        &self.parameters
    }

    /// How many models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// [`Trainer::wgsl`](crate::Trainer::wgsl), of this model's [`Model::parameter_buffer`].
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        self.mlp.wgsl(name).models(self.models).storage(self.storage)
    }

    /// [`Trainer::inference`](crate::Trainer::inference).
    ///
    /// # Errors
    /// Those of [`Trainer::inference`](crate::Trainer::inference).
    pub fn inference<'a>(
        &self,
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        self.inference_of(&[Quantity::Outputs], rows, x, to)
    }

    /// [`Trainer::inference_of`](crate::Trainer::inference_of), of this model's parameters.
    ///
    /// # Errors
    /// Those of [`Trainer::inference`](crate::Trainer::inference).
    pub fn inference_of<'a>(
        &self,
        quantities: &[Quantity],
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        let of = (rows.into(), x, to);
        Inference::new(&self.gpu, &self.mlp, self.models, self.source.clone(), quantities, of)
    }

    /// `predict` without blocking.
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a lost device.
    pub async fn predict_async(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let Self { gpu, mlp, models, source, predictor, .. } = self;
        predict(predictor, gpu, mlp, *models, source, x).await
    }
}

//! Parameters and the forward pass alone.

use crate::error::Result;
use crate::export::WgslFunction;
use crate::gpu::Gpu;
use crate::kernels::infer::Quantity;
use crate::network::{Mlp, Packed, Parameters, Storage};
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
    source: Source,
    predictor: Option<Predictor>,
}

impl Model {
    /// Uploads `parameters`.
    ///
    /// # Errors
    /// [`Error::TooLarge`](crate::Error::TooLarge) where they do not fit a buffer, [`Error::OutOfMemory`](crate::Error::OutOfMemory).
    pub fn new(gpu: &Gpu, parameters: &Parameters) -> Result<Self> {
        // Whole vectors of four, as a WGSL function binds them.
        let mut values = parameters.values().to_vec();
        values.resize(values.len().next_multiple_of(4), 0.0);
        let (mlp, models) = (parameters.mlp(), parameters.models());
        Self::of_bytes(gpu, mlp, models, bytemuck::cast_slice(&values), Storage::F32)
    }

    /// Uploads compact parameters, which stay as they are: an inference and an exported function read
    /// them as halves and bytes.
    ///
    /// # Errors
    /// Those of [`Model::new`].
    pub fn packed(gpu: &Gpu, packed: &Packed) -> Result<Self> {
        Self::of_bytes(gpu, packed.mlp(), packed.models(), packed.bytes(), packed.storage())
    }

    fn of_bytes(
        gpu: &Gpu,
        mlp: &Mlp,
        models: usize,
        bytes: &[u8],
        storage: Storage,
    ) -> Result<Self> {
        let parameters = gpu.buffer_with("parameters", bytes)?.into();
        gpu.check_present()?;
        let source = Source { parameters, storage };
        Ok(Self { gpu: gpu.clone(), mlp: mlp.clone(), models, source, predictor: None })
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
        &self.source.parameters.buffer
    }

    /// How many models.
    pub const fn models(&self) -> usize {
        self.models
    }

    /// [`Trainer::wgsl`](crate::Trainer::wgsl), of this model's [`Model::parameter_buffer`].
    pub fn wgsl(&self, name: &str) -> WgslFunction<'_> {
        self.mlp.wgsl(name).models(self.models).storage(self.source.storage)
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
        let Self { gpu, mlp, models, source, predictor } = self;
        predict(predictor, gpu, mlp, *models, source, x).await
    }
}

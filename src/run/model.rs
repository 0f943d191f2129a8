//! Parameters and the forward pass alone.

use crate::error::Result;
use crate::export::WgslFunction;
use crate::gpu::Gpu;
use crate::network::{Mlp, Parameters};
use crate::run::predictor::{Predictor, predict};
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
        let buffer = gpu.buffer_with("parameters", bytemuck::cast_slice(&values))?;
        gpu.check_present()?;
        Ok(Self {
            gpu: gpu.clone(),
            mlp: parameters.mlp().clone(),
            models: parameters.models(),
            parameters: buffer,
            predictor: None,
        })
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
    /// Those of [`Trainer::inference`](crate::Trainer::inference).
    pub fn inference<'a>(
        &self,
        rows: impl Into<Rows<'a>>,
        x: wgpu::BufferSlice<'_>,
        to: Output<'_>,
    ) -> Result<Inference> {
        let parameters = self.parameters.clone().into();
        Inference::new(&self.gpu, &self.mlp, self.models, parameters, (rows.into(), x, to))
    }

    /// `predict` without blocking.
    ///
    /// # Errors
    /// A length that is no multiple of the inputs, an element that is not finite, a lost device.
    pub async fn predict_async(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        let Self { gpu, mlp, models, parameters, predictor } = self;
        predict(predictor, gpu, mlp, *models, parameters, x).await
    }
}

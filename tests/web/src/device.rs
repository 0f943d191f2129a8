//! The device of a test, as an application has it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use wgrad::{Gpu, wgpu};

/// A device whose uncaptured errors are kept.
pub struct Device {
    pub gpu: Gpu,
    uncaptured: Arc<Mutex<Vec<String>>>,
}

impl Device {
    /// A device that can show on `surface`, and the format that it prefers there.
    pub async fn new(
        instance: &wgpu::Instance,
        surface: Option<&wgpu::Surface<'_>>,
    ) -> Result<(Self, wgpu::Adapter), Box<dyn Error>> {
        let options =
            wgpu::RequestAdapterOptions { compatible_surface: surface, ..Default::default() };
        let adapter = instance.request_adapter(&options).await?;
        let (device, queue) = adapter.request_device(&Default::default()).await?;
        let uncaptured: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = uncaptured.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(error.to_string());
        }));
        Ok((Self { gpu: Gpu::from_wgpu(&device, &queue)?, uncaptured }, adapter))
    }

    /// A device that shows nothing.
    pub async fn plain() -> Result<Self, Box<dyn Error>> {
        Ok(Self::new(&wgpu::Instance::default(), None).await?.0)
    }

    /// An error that reached the application's handler fails the test.
    pub fn check_silent(&self) -> Result<(), Box<dyn Error>> {
        let uncaptured = self.uncaptured.lock().unwrap_or_else(PoisonError::into_inner);
        crate::ensure!(uncaptured.is_empty(), "uncaptured: {uncaptured:?}");
        Ok(())
    }
}

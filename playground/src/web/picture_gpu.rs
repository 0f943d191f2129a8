//! The picture on the GPU: a texture, the pass that draws samples of it, and the trainer whose data it
//! fills.

use super::painter::Painter;
use crate::error::{Error, Result};
use crate::image::{CHANNELS, Image};
use wgrad::plan::Buffer;
use wgrad::{DataBuffers, DataShape, Gpu, Mlp, Trainer, Training, wgpu};

/// Samples of a step, on hardware and in software.
const BATCH: [u32; 2] = [1 << 16, 1 << 10];
/// Steps of a submission, on hardware and in software.
const STEPS: [u32; 2] = [16, 1];

/// A picture that the GPU learns.
pub struct OnGpu {
    gpu: Gpu,
    trainer: Trainer,
    sampler: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    batch: u32,
    painter: Option<Painter>,
}

fn upload(gpu: &Gpu, image: &Image) -> Result<wgpu::Texture> {
    let [width, height] = image.size;
    let most = gpu.device().limits().max_texture_dimension_2d;
    if width.max(height) > most {
        return Err(Error::new(format!(
            "the picture has {width} x {height} pixels; this GPU allows {most} a side"
        )));
    }
    let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
    let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8UnormSrgb,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let layout = wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(4 * width),
        rows_per_image: None,
    };
    gpu.queue().write_texture(texture.as_image_copy(), &image.bytes, layout, size);
    Ok(texture)
}

impl OnGpu {
    /// Uploads the picture and compiles.
    ///
    /// # Errors
    /// A picture larger than a texture; what the device refuses.
    pub fn new(gpu: &Gpu, mlp: &Mlp, training: &Training, image: &Image) -> Result<Self> {
        let device = gpu.device();
        let picture = upload(gpu, image)?;
        let batch = BATCH[usize::from(gpu.is_software())];
        let places = gpu.buffer("places", 8 * u64::from(batch))?;
        let lights = gpu.buffer("lights", 4 * CHANNELS as u64 * u64::from(batch))?;
        let shape = DataShape::shared(batch as usize);
        let data = DataBuffers::new(shape, places.slice(..), lights.slice(..));
        let trainer = Trainer::with_buffers(gpu, mlp, training, data)?;
        let text = format!("const BATCH: u32 = {batch}u;\n{}", include_str!("sampler.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("sampler"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let sampler = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("sampler"),
            layout: None,
            module: &module,
            entry_point: Some("sample"),
            compilation_options: Default::default(),
            cache: None,
        });
        let status = trainer.buffer(Buffer::Status);
        let status = status.ok_or_else(|| Error::new("the trainer has no status"))?;
        let view = picture.create_view(&Default::default());
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("sampler"),
            layout: &sampler.get_bind_group_layout(0),
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&view)),
                entry(1, status.as_entire_binding()),
                entry(2, places.as_entire_binding()),
                entry(3, lights.as_entire_binding()),
            ],
        });
        Ok(Self { gpu: gpu.clone(), trainer, sampler, group, batch, painter: None })
    }

    /// Takes steps, each on samples of its own, and waits for them. Returns the loss of the last.
    ///
    /// # Errors
    /// A lost device.
    pub async fn train(&mut self, steps: u32) -> Result<Option<f32>> {
        let (each, mut left) = (STEPS[usize::from(self.gpu.is_software())], steps);
        while left > 0 {
            let now = left.min(each);
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            for _ in 0..now {
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_pipeline(&self.sampler);
                    pass.set_bind_group(0, &self.group, &[]);
                    pass.dispatch_workgroups(self.batch.div_ceil(64), 1, 1);
                }
                self.trainer.record(&mut encoder, 1);
            }
            self.gpu.queue().submit([encoder.finish()]);
            left -= now;
        }
        self.gpu.check_async().await?;
        Ok(self.trainer.losses_async().await?.last().first().copied())
    }

    /// The light at places, `[places, channels]`.
    ///
    /// # Errors
    /// A lost device.
    pub async fn predict(&mut self, places: &[f32]) -> Result<Vec<f32>> {
        Ok(self.trainer.predict_async(places).await?)
    }

    /// Draws into `canvas` from now on.
    ///
    /// # Errors
    /// A canvas that cannot show what a GPU draws.
    pub fn attach(&mut self, canvas: web_sys::HtmlCanvasElement) -> Result<()> {
        self.painter = Some(Painter::new(&self.trainer, canvas)?);
        Ok(())
    }

    /// Draws a view into the attached canvas.
    ///
    /// # Errors
    /// No canvas; a lost device.
    pub async fn draw(&mut self, middle: [f32; 2], zoom: f32) -> Result<()> {
        let painter = self.painter.as_mut().ok_or_else(|| Error::new("no canvas is attached"))?;
        painter.draw(&self.gpu, middle, zoom)?;
        Ok(self.gpu.check_async().await?)
    }
}

//! Draws a network's picture into a canvas, by its exported function.

use super::js::field;
use crate::error::{Error, Result};
use js_sys::Function;
use wasm_bindgen::prelude::*;
use wgrad::{Gpu, Trainer, wgpu};

/// A canvas, and the pipeline that draws into it.
pub struct Painter {
    canvas: web_sys::HtmlCanvasElement,
    surface: wgpu::Surface<'static>,
    configured: [u32; 2],
    format: wgpu::TextureFormat,
    pipeline: wgpu::RenderPipeline,
    parameters: wgpu::BindGroup,
    view: wgpu::BindGroup,
    uniform: wgpu::Buffer,
}

/// The format that this browser prefers for a canvas.
fn preferred() -> wgpu::TextureFormat {
    let gpu = field(&field(&js_sys::global(), "navigator"), "gpu");
    let ask = field(&gpu, "getPreferredCanvasFormat").dyn_into::<Function>();
    let name = ask.ok().and_then(|ask| ask.call0(&gpu).ok()).and_then(|name| name.as_string());
    match name.as_deref() {
        Some("rgba8unorm") => wgpu::TextureFormat::Rgba8Unorm,
        _ => wgpu::TextureFormat::Bgra8Unorm,
    }
}

impl Painter {
    /// Compiles the function of `trainer`'s network.
    ///
    /// # Errors
    /// A canvas that cannot show what a GPU draws.
    pub fn new(trainer: &Trainer, canvas: web_sys::HtmlCanvasElement) -> Result<Self> {
        let gpu = trainer.gpu();
        let (device, format) = (gpu.device(), preferred());
        let target = wgpu::SurfaceTarget::Canvas(canvas.clone());
        let surface = wgpu::Instance::default().create_surface(target);
        let surface = surface.map_err(|error| Error::new(format!("the canvas: {error}")))?;
        let text = format!("{}\n{}", trainer.wgsl("network").text()?, include_str!("painter.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("painter"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("painter"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("pixel"),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let uniform = gpu.buffer("view", 32)?;
        let group = |index, buffer: &wgpu::Buffer| {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("painter"),
                layout: &pipeline.get_bind_group_layout(index),
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                }],
            })
        };
        let (parameters, view) = (group(0, trainer.parameter_buffer()), group(1, &uniform));
        Ok(Self {
            canvas,
            surface,
            configured: [0; 2],
            format,
            pipeline,
            parameters,
            view,
            uniform,
        })
    }

    fn configure(&mut self, gpu: &Gpu, [width, height]: [u32; 2]) {
        let config = wgpu::SurfaceConfiguration {
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            format: self.format,
            color_space: Default::default(),
            width,
            height,
            present_mode: wgpu::PresentMode::Fifo,
            desired_maximum_frame_latency: 2,
            alpha_mode: wgpu::CompositeAlphaMode::Opaque,
            view_formats: Vec::new(),
        };
        self.surface.configure(gpu.device(), &config);
        self.configured = [width, height];
    }

    /// Draws the view of `middle`, `zoom` times enlarged.
    ///
    /// # Errors
    /// A canvas that gives no texture.
    pub fn draw(&mut self, gpu: &Gpu, [x, y]: [f32; 2], zoom: f32) -> Result<()> {
        let size = [self.canvas.width(), self.canvas.height()];
        if size.contains(&0) {
            return Ok(());
        }
        if size != self.configured {
            self.configure(gpu, size);
        }
        let [width, height] = size.map(|side| side as f32);
        let values = [x, y, width, height, zoom, 0.0, 0.0, 0.0];
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        gpu.queue().write_buffer(&self.uniform, 0, &bytes);
        let shown = match self.surface.get_current_texture() {
            wgpu::CurrentSurfaceTexture::Success(shown)
            | wgpu::CurrentSurfaceTexture::Suboptimal(shown) => shown,
            other => return Err(Error::new(format!("the canvas gives {other:?}"))),
        };
        let view = shown.texture.create_view(&Default::default());
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &self.parameters, &[]);
            pass.set_bind_group(1, &self.view, &[]);
            pass.draw(0..3, 0..1);
        }
        gpu.queue().submit([encoder.finish()]);
        gpu.queue().present(shown);
        Ok(())
    }
}

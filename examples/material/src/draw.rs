//! Lit pictures of materials, from a fragment shader.

use crate::common::{Outcome, Stop};
use crate::submit::{read, wait};
use image::RgbaImage;
use wgrad::Gpu;

const SCENE: &str = include_str!("shaders/scene.wgsl");

/// What draws a material: WGSL with `fn material(uv: vec2<f32>, lod: f32) -> array<f32, 9>`, and what the
/// text binds in group 1. The place in the square repeats with period 1, and v grows downwards. `lod` is 0
/// for the whole size, and the last level's number at most. The names of `scene.wgsl` are taken.
pub struct Surface<'a> {
    pub text: &'a str,
    pub layout: &'a wgpu::BindGroupLayout,
    pub group: &'a wgpu::BindGroup,
    /// Texels of a side of the whole size.
    pub size: usize,
    pub levels: usize,
}

/// What a picture has.
#[derive(Clone, Copy)]
pub struct View {
    pub width: u32,
    pub height: u32,
    /// Rays of a side of a pixel: 2 are four rays a pixel.
    pub rays: u32,
    /// How many times larger the middle is drawn than where all spheres are seen.
    pub zoom: f32,
}

/// The target takes linear light and holds sRGB.
const FORMAT: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8UnormSrgb;

/// Draws a sphere of each material in a row on the ground, which has a lane of each.
pub fn scene(gpu: &Gpu, surfaces: &[Surface<'_>], view: View) -> Outcome<RgbaImage> {
    let device = gpu.device();
    let target = device.create_texture(&wgpu::TextureDescriptor {
        label: Some("scene"),
        size: wgpu::Extent3d { width: view.width, height: view.height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: FORMAT,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let whole = target.create_view(&Default::default());
    for (number, surface) in surfaces.iter().enumerate() {
        let mut encoder = device.create_command_encoder(&Default::default());
        let [pipeline, group] = [number, surfaces.len()];
        let (pipeline, group) = prepared(gpu, surface, view, [pipeline as u32, group as u32]);
        let load = match number {
            0 => wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
            _ => wgpu::LoadOp::Load,
        };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("scene"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &whole,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load, store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.set_bind_group(1, surface.group, &[]);
        pass.draw(0..3, 0..1);
        drop(pass);
        // A submission for each material: a driver should not take one for a hang.
        gpu.queue().submit([encoder.finish()]);
        wait(gpu)?;
    }
    picture(gpu, &target)
}

/// The pipeline of a material, and its uniforms.
fn prepared(
    gpu: &Gpu,
    surface: &Surface<'_>,
    view: View,
    [number, count]: [u32; 2],
) -> (wgpu::RenderPipeline, wgpu::BindGroup) {
    let device = gpu.device();
    let entry = wgpu::BindGroupLayoutEntry {
        binding: 0,
        visibility: wgpu::ShaderStages::FRAGMENT,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("view"),
        entries: &[entry],
    });
    let uniforms = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("view"),
        size: 32,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    let floats =
        [view.width as f32, view.height as f32, surface.size as f32, surface.levels as f32];
    let [a, b, c, d] = floats.map(f32::to_bits);
    let words = [a, b, c, d, number, count, view.rays, view.zoom.to_bits()];
    gpu.queue().write_buffer(&uniforms, 0, bytemuck::cast_slice(&words));
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("view"),
        layout: &layout,
        entries: &[wgpu::BindGroupEntry { binding: 0, resource: uniforms.as_entire_binding() }],
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("scene"),
        source: wgpu::ShaderSource::Wgsl(format!("{}\n{SCENE}", surface.text).into()),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("scene"),
        bind_group_layouts: &[Some(&layout), Some(surface.layout)],
        immediate_size: 0,
    });
    let one = wgpu::BlendFactor::One;
    let add = wgpu::BlendComponent {
        src_factor: one,
        dst_factor: one,
        operation: wgpu::BlendOperation::Add,
    };
    let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("scene"),
        layout: Some(&layout),
        vertex: wgpu::VertexState {
            module: &module,
            entry_point: Some("whole"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        fragment: Some(wgpu::FragmentState {
            module: &module,
            entry_point: Some("drawn"),
            compilation_options: Default::default(),
            targets: &[Some(wgpu::ColorTargetState {
                format: FORMAT,
                blend: Some(wgpu::BlendState { color: add, alpha: add }),
                write_mask: wgpu::ColorWrites::ALL,
            })],
        }),
        multiview_mask: None,
        cache: None,
    });
    (pipeline, group)
}

fn picture(gpu: &Gpu, target: &wgpu::Texture) -> Outcome<RgbaImage> {
    let [width, height] = [target.width(), target.height()];
    let line = (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let bytes = u64::from(line) * u64::from(height);
    let copied = gpu.buffer("picture", bytes)?;
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let layout =
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(line), rows_per_image: None };
    encoder.copy_texture_to_buffer(
        target.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &copied, layout },
        target.size(),
    );
    gpu.queue().submit([encoder.finish()]);
    let all: Vec<u8> = read(gpu, &copied, bytes)?;
    let pixels = all.chunks(line as usize).flat_map(|l| &l[..4 * width as usize]).copied();
    RgbaImage::from_raw(width, height, pixels.collect())
        .ok_or_else(|| Stop::Failed("a picture's length".into()))
}

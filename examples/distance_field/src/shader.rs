//! The example's own shaders: compute passes, and pictures from a fragment shader.

use crate::common::{Outcome, Stop};
use crate::mesh::HALF;
use crate::submit::{read, wait};
use image::RgbImage;
use std::num::NonZero;
use wgrad::Gpu;

/// Buffers by their group and binding.
pub type Bound<'a> = &'a [(u32, u32, &'a wgpu::Buffer)];

/// Parts of buffers by their group and binding.
pub type BoundParts<'a> = &'a [(u32, u32, wgpu::BufferSlice<'a>)];

pub const DISTANCE: &str = include_str!("shaders/distance.wgsl");
pub const SAMPLE: &str = include_str!("shaders/sample.wgsl");
pub const LOSS: &str = include_str!("shaders/loss.wgsl");
const VIEW: &str = include_str!("shaders/view.wgsl");

/// A storage buffer that holds some words.
pub fn filled(gpu: &Gpu, name: &str, words: &[u32]) -> Outcome<wgpu::Buffer> {
    let buffer = gpu.buffer(name, 4 * words.len().max(1) as u64)?;
    gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(words));
    Ok(buffer)
}

fn module(gpu: &Gpu, name: &str, parts: &[&str]) -> wgpu::ShaderModule {
    let text = format!("const HALF = f32({HALF:?});\n{}", parts.join("\n"));
    gpu.device().create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    })
}

/// The bind groups of a pipeline, by their numbers.
fn groups(
    gpu: &Gpu,
    layout: impl Fn(u32) -> wgpu::BindGroupLayout,
    buffers: BoundParts<'_>,
) -> Vec<(u32, wgpu::BindGroup)> {
    let mut numbers: Vec<u32> = buffers.iter().map(|(group, ..)| *group).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let group = |number: u32| {
        let own = buffers.iter().filter(|(group, ..)| *group == number);
        let entries: Vec<_> = own
            .map(|(_, binding, slice)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer: slice.buffer(),
                    offset: slice.offset(),
                    size: NonZero::new(slice.size()),
                }),
            })
            .collect();
        let descriptor =
            wgpu::BindGroupDescriptor { label: None, layout: &layout(number), entries: &entries };
        (number, gpu.device().create_bind_group(&descriptor))
    };
    numbers.into_iter().map(group).collect()
}

/// A compute shader and its buffers.
pub struct Pass {
    pipeline: wgpu::ComputePipeline,
    groups: Vec<(u32, wgpu::BindGroup)>,
    workgroups: u32,
}

impl Pass {
    /// The entry point `entry` of the text that the parts make. It has 64 invocations a workgroup.
    pub fn new(
        gpu: &Gpu,
        entry: &str,
        parts: &[&str],
        buffers: Bound<'_>,
        invocations: usize,
    ) -> Self {
        let module = module(gpu, entry, parts);
        let pipeline = gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            cache: None,
        });
        let buffers = buffers.iter().map(|(group, at, buffer)| (*group, *at, buffer.slice(..)));
        let buffers: Vec<_> = buffers.collect();
        let groups = groups(gpu, |group| pipeline.get_bind_group_layout(group), &buffers);
        Self { pipeline, groups, workgroups: invocations.div_ceil(64) as u32 }
    }

    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        for (number, group) in &self.groups {
            pass.set_bind_group(*number, group, &[]);
        }
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }
}

/// A fragment shader of `view.wgsl` with a field's functions `distance_at` and `slope_at`.
pub struct Drawing {
    gpu: Gpu,
    pipeline: wgpu::RenderPipeline,
    groups: Vec<(u32, wgpu::BindGroup)>,
    view: wgpu::Buffer,
    target: wgpu::Texture,
    size: u32,
}

impl Drawing {
    pub fn new(
        gpu: &Gpu,
        entry: &str,
        functions: &[&str],
        buffers: BoundParts<'_>,
        size: u32,
    ) -> Self {
        let device = gpu.device();
        let constants = format!(
            "const SIZE = {size}.0;\nconst FOCAL = 2.4;\nconst DISTANCE = 4.0;\nconst STEPS = 160u;\n"
        );
        let parts = [&[&*constants, VIEW], functions].concat();
        let module = module(gpu, entry, &parts);
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some(entry),
            layout: None,
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
                entry_point: Some(entry),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        let view = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("view"),
            size: 48,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some(entry),
            size: wgpu::Extent3d { width: size, height: size, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let mut all = buffers.to_vec();
        if entry == "surface" {
            all.push((2, 0, view.slice(..)));
        }
        let groups = groups(gpu, |group| pipeline.get_bind_group_layout(group), &all);
        Self { gpu: gpu.clone(), pipeline, groups, view, target, size }
    }

    /// The picture from a direction: turns round the upright axis, in radians, and above the horizon.
    pub fn draw(&self, [turn, height]: [f32; 2]) -> Outcome<RgbImage> {
        let (sin, cos) = turn.sin_cos();
        let (up, along) = height.sin_cos();
        let rows = [
            [cos, 0.0, -sin, 0.0],
            [-sin * up, along, -cos * up, 0.0],
            [-sin * along, -up, -cos * along, 0.0],
        ];
        self.gpu.queue().write_buffer(&self.view, 0, bytemuck::cast_slice(&rows));
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        let view = self.target.create_view(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                label: Some("view"),
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &view,
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&self.pipeline);
            for (number, group) in &self.groups {
                pass.set_bind_group(*number, group, &[]);
            }
            pass.draw(0..3, 0..1);
        }
        let line = (4 * self.size).next_multiple_of(256);
        let bytes = u64::from(line * self.size);
        let copied = self.gpu.buffer("picture", bytes)?;
        encoder.copy_texture_to_buffer(
            self.target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &copied,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(line),
                    rows_per_image: None,
                },
            },
            self.target.size(),
        );
        self.gpu.queue().submit([encoder.finish()]);
        wait(&self.gpu)?;
        let all: Vec<u8> = read(&self.gpu, &copied, bytes)?;
        let lines = all.chunks(line as usize).flat_map(|l| l[..4 * self.size as usize].chunks(4));
        let rgb = lines.flat_map(|texel| [texel[0], texel[1], texel[2]]).collect();
        RgbImage::from_raw(self.size, self.size, rgb)
            .ok_or_else(|| Stop::Failed("a picture's length".into()))
    }
}

//! A part of the picture, drawn beyond its resolution.

use crate::common::{Outcome, Stop};
use crate::gpu::OnGpu;
use crate::source::Source;
use crate::submit::wait;

/// Pixels of the picture that are drawn in each direction, at least and at most.
const SHOWN: [u32; 2] = [8, 120];

/// A part of the picture, to be drawn beyond its resolution.
pub struct Crop {
    /// Pixels of what is drawn.
    pub size: [u32; 2],
    /// The place of its upper left corner, and from pixel to pixel.
    origin: [f32; 2],
    step: [f32; 2],
    /// Pixels of the picture that it shows.
    shown: [u32; 2],
}

impl Crop {
    /// An eighth of each side, 8 to 120 pixels, drawn 480 pixels wide.
    pub fn new(source: &Source, centre: [f64; 2]) -> Self {
        let sides = source.size;
        let shown = sides.map(|side| (side / 8).clamp(SHOWN[0], SHOWN[1]).min(side));
        let zoom = (480 / shown[0].max(shown[1])).max(1);
        let size = shown.map(|side| side * zoom);
        let first: [f64; 2] = std::array::from_fn(|d| {
            let (side, part) = (f64::from(sides[d]), f64::from(shown[d]));
            (centre[d] * side - part / 2.0).clamp(0.0, side - part).floor()
        });
        let origin = std::array::from_fn(|d| (first[d] / f64::from(sides[d])) as f32);
        let step = sides.map(|side| (1.0 / f64::from(side) / f64::from(zoom)) as f32);
        Self { size, origin, step, shown }
    }

    pub const fn zoom(&self) -> u32 {
        self.size[0] / self.shown[0]
    }

    /// The place of the middle of a pixel.
    fn place(&self, x: u32, y: u32) -> [f32; 2] {
        let at = [x, y].map(|i| i as f32 + 0.5);
        std::array::from_fn(|d| self.origin[d] + self.step[d] * at[d])
    }

    /// The middles of its pixels.
    pub fn places(&self) -> Vec<f32> {
        let row = |y| (0..self.size[0]).flat_map(move |x| self.place(x, y));
        (0..self.size[1]).flat_map(row).collect()
    }

    /// The same part of the picture, its pixels as squares.
    pub fn of(&self, source: &Source) -> Vec<f32> {
        let mut light = Vec::new();
        for y in 0..self.size[1] {
            for x in 0..self.size[0] {
                let place = self.place(x, y);
                let at =
                    |d: usize| ((place[d] * source.size[d] as f32) as u32).min(source.size[d] - 1);
                light.extend_from_slice(&source.light(at(0), at(1))[..source.channels]);
            }
        }
        light
    }
}

impl OnGpu {
    /// The crop by the exported function, in a fragment shader: what was learnt of each pixel.
    pub fn draw(&self, crop: &Crop) -> Outcome<Vec<f32>> {
        let device = self.gpu.device();
        let [width, height] = crop.size;
        let channels = self.channels;
        let net = self.trainer.wgsl("net");
        // A driver that compiles for a CPU would take a minute over what is written out.
        let net = if self.gpu.is_software() { net.loops() } else { net }.text()?;
        let values: Vec<_> = (0..4)
            .map(|c| if c < channels { format!("light[{c}]") } else { "0.0".to_owned() })
            .collect();
        let text = format!(
            "{net}
            @vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{
                return vec4<f32>(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
            }}
            @fragment fn shade(@builtin(position) p: vec4<f32>) -> @location(0) vec4<f32> {{
                let at = vec2<f32>({:?}, {:?}) + vec2<f32>({:?}, {:?}) * p.xy;
                let light = net(array<f32, 2>(at.x, at.y));
                return vec4<f32>({});
            }}",
            crop.origin[0],
            crop.origin[1],
            crop.step[0],
            crop.step[1],
            values.join(", ")
        );
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("crop"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        // The light itself, of any range: the program makes colours of it.
        let format = wgpu::TextureFormat::Rgba32Float;
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("crop"),
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
                entry_point: Some("shade"),
                compilation_options: Default::default(),
                targets: &[Some(format.into())],
            }),
            multiview_mask: None,
            cache: None,
        });
        // The average predicts where the training keeps one.
        let parameters = self.trainer.ema_parameter_buffer();
        let parameters = parameters.unwrap_or_else(|| self.trainer.parameter_buffer());
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("crop"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: parameters.as_entire_binding(),
            }],
        });
        let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("crop"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let line = (16 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let staging = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("crop"),
            size: u64::from(line) * u64::from(height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
                color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                    view: &target.create_view(&Default::default()),
                    depth_slice: None,
                    resolve_target: None,
                    ops: Default::default(),
                })],
                ..Default::default()
            });
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &group, &[]);
            pass.draw(0..3, 0..1);
        }
        encoder.copy_texture_to_buffer(
            target.as_image_copy(),
            wgpu::TexelCopyBufferInfo {
                buffer: &staging,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some(line),
                    rows_per_image: None,
                },
            },
            size,
        );
        self.gpu.queue().submit([encoder.finish()]);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        wait(&self.gpu)?;
        let view = staging.get_mapped_range(..).map_err(|e| Stop::Failed(e.to_string()))?;
        let lines = view.chunks(line as usize).map(|row| &row[..16 * width as usize]);
        let pixels = lines.flat_map(|row| row.chunks(16));
        let values = pixels.flat_map(|pixel| pixel[..4 * channels].chunks(4));
        Ok(values.map(bytemuck::pod_read_unaligned).collect())
    }
}

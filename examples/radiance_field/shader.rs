//! The example's own passes: a compute shader with its buffers, ready to be recorded.

use crate::camera::{Camera, LOWER, UPPER};
use wgrad::Gpu;

/// The colour of a ray that meets nothing, sRGB from 0 to 1.
pub const BACKGROUND: [f32; 3] = [0.91, 0.945, 0.965];
/// The distance of two samples of a ray.
pub const STEP: f32 = 0.025;
/// Cells of a side of the box, for what is known to be empty.
pub const CELLS: u32 = 32;
/// Outputs of the density network: the density, and what the colour network has to know of a place.
pub const FEATURES: usize = 8;

/// The most samples of a ray: as many as lie on the box's diagonal.
pub fn max_steps() -> u32 {
    let squares = (0..3).map(|d| (UPPER[d] - LOWER[d]).powi(2));
    (squares.sum::<f32>().sqrt() / STEP).ceil() as u32
}

/// What the shaders know before they run.
pub fn constants() -> String {
    let vector = |[x, y, z]: [f32; 3]| format!("vec3<f32>({x:?}, {y:?}, {z:?})");
    format!(
        "const LOWER = {};\nconst UPPER = {};\nconst BACKGROUND = {};\nconst STEP = f32({STEP:?});\n\
         const CELLS = {CELLS}u;\nconst FEATURES = {FEATURES}u;\nconst MAX_STEPS = {}u;\n",
        vector(LOWER),
        vector(UPPER),
        vector(BACKGROUND),
        max_steps(),
    )
}

/// A compute shader and its buffers.
pub struct Pass {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    workgroups: u32,
}

impl Pass {
    /// The entry point `entry` of `text`, behind `constants` and what all shaders share. `buffers`
    /// are those that it uses, by their bindings; it has 64 invocations a workgroup.
    pub fn new(
        gpu: &Gpu,
        (constants, text, entry): (&str, &str, &str),
        buffers: &[(u32, &wgpu::Buffer)],
        invocations: usize,
    ) -> Self {
        let device = gpu.device();
        let text = format!("{constants}{}{text}", include_str!("common.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(entry),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries: Vec<_> = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        Self { pipeline, group, workgroups: invocations.div_ceil(64) as u32 }
    }

    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }
}

/// A buffer that the CPU writes before each submission, for a shader's uniform.
pub fn uniform(gpu: &Gpu, label: &str, bytes: u64) -> wgpu::Buffer {
    gpu.device().create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    })
}

/// The cameras as the shaders read them.
pub fn cameras(gpu: &Gpu, cameras: &[Camera]) -> wgrad::Result<wgpu::Buffer> {
    let words: Vec<f32> = cameras.iter().flat_map(Camera::words).collect();
    let buffer = gpu.buffer("cameras", 4 * words.len() as u64)?;
    gpu.queue().write_buffer(&buffer, 0, bytemuck::cast_slice(&words));
    Ok(buffer)
}
